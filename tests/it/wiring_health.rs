//! Whether health checks can pass, and whether engines get the ports that they want, told before anything
//! starts.

use crate::sandbox::Sandbox;

const MODEL: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// llama-server with `more` lines, and what waits for it.
fn stack(image: &str, more: &str) -> String {
    format!(
        "services:\n  llm:\n    image: {image}\n    command: -m /{MODEL} -c 2048\n    \
         volumes: [\"./models:/models:ro\"]\n{more}  app:\n    image: alpine\n    \
         depends_on: {{llm: {{condition: service_healthy}}}}\n"
    )
}

const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server-b6500";

/// The findings of these checks: severity, id and message.
fn told(sandbox: &Sandbox, ids: &[&str]) -> Vec<String> {
    let stdout = sandbox.run(&["verify", "--color", "never"]).stdout;
    let is_told = |line: &&str| ids.iter().any(|id| line.contains(&format!("[{id}]: ")));
    stdout.lines().filter(is_told).map(str::to_owned).collect()
}

/// What is said of a check that has so long, with a model of `gigabytes`.
fn patience(image: &str, more: &str, gigabytes: u64) -> Vec<String> {
    let sandbox = Sandbox::quickstart().file("compose.yaml", stack(image, more));
    // Nothing but its length is asked here.
    let file = fs_err::OpenOptions::new().write(true).open(sandbox.path().join(MODEL)).unwrap();
    file.set_len(gigabytes * 1_000_000_000).unwrap();
    told(&sandbox, &["health-check-impatient"])
}

fn check(more: &str, gigabytes: u64, is_told: bool) {
    let said = patience(LLAMA, more, gigabytes);
    assert_eq!(!said.is_empty(), is_told, "{gigabytes} {more}{said:?}");
}

#[test]
fn a_check_that_gives_up_before_the_model_can_be_read_is_told() {
    let test = "test: curl -f http://localhost:8080/health";
    let short = format!("    healthcheck: {{{test}, interval: 10s, retries: 5}}\n");
    assert_eq!(
        patience(LLAMA, &short, 80),
        [
            "warning[health-check-impatient]: the health check of service `llm` gives up after 50 s, \
          and reading the 74.5 GiB of its model alone takes 80 s at 1 GB a second, so `docker \
          compose up` may end before `app` is started"
        ]
    );
    check(&short, 50, false);
    let patient = format!("    healthcheck: {{{test}, interval: 10s, start_period: 5m}}\n");
    check(&patient, 80, false);
    // Docker waits 90 s where nothing is said; the image has a check of its own.
    check(&format!("    healthcheck: {{{test}}}\n"), 80, false);
    check("", 80, false);
    check("", 100, true);
    // One that passes whatever the server answers.
    check("    healthcheck: {test: curl http://localhost:8080/health, interval: 1s}\n", 80, false);
    check("    healthcheck: {test: [CMD, pgrep, llama-server], interval: 1s}\n", 80, false);
}

#[test]
fn a_check_on_which_nothing_hangs_may_be_impatient() {
    let check = "    healthcheck: {test: curl -f http://localhost:8080/health, interval: 1s}\n";
    let compose = stack(LLAMA, check).replace("service_healthy", "service_started");
    let long = |compose: &str| {
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
        let file = fs_err::OpenOptions::new().write(true).open(sandbox.path().join(MODEL)).unwrap();
        file.set_len(80_000_000_000).unwrap();
        told(&sandbox, &["health-check-impatient"])
    };
    assert_eq!(long(&compose), Vec::<String>::new());
    let optional = compose.replace("service_started}", "service_healthy, required: false}");
    assert_eq!(long(&optional), Vec::<String>::new());
    let label = compose.replace("  app:", "    labels: {autoheal: \"true\"}\n  app:");
    let said = long(&label);
    assert!(said[0].ends_with("so it may be restarted for ever while it loads"), "{said:?}");
}

#[test]
fn a_service_without_a_check_is_never_healthy() {
    let ids = ["health-check-missing"];
    let said = |compose: &str| told(&Sandbox::quickstart().file("compose.yaml", compose), &ids);
    // llama.cpp's image has one.
    assert_eq!(said(&stack(LLAMA, "")), Vec::<String>::new());
    let vllm = "services:
  llm:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16
    volumes: [\"./models:/models:ro\"]
    gpus: all
  app:
    image: alpine
    depends_on: {llm: {condition: service_healthy}}
";
    let message = "error[health-check-missing]: service `app` waits until `llm` is healthy, and neither \
                   the file nor the image has a health check for it";
    assert_eq!(said(vllm), [message]);
    let optional = vllm.replace("service_healthy}", "service_healthy, required: false}");
    assert_eq!(said(&optional), [message.replace("error", "warning")]);
    // What an image of somebody's own has is not known.
    assert_eq!(
        said(&vllm.replace("vllm/vllm-openai:v0.12.0", "acme/vllm:7")),
        Vec::<String>::new()
    );
    let base = "  db:\n    image: postgres:17\n    healthcheck: {disable: true}\n";
    let waits = vllm.replace("depends_on: {llm:", "depends_on: {db:");
    assert_eq!(said(&format!("{waits}{base}")), [message.replace("`llm`", "`db`")]);
    let unsaid = base.replace("    healthcheck: {disable: true}\n", "");
    assert_eq!(said(&format!("{waits}{unsaid}")), Vec::<String>::new());
}

#[test]
fn a_program_is_missed_by_the_release_of_the_image() {
    let said = |image: &str, program: &str| {
        let compose = format!(
            "services:\n  gate:\n    image: {image}\n    \
             healthcheck: {{test: [CMD, {program}, \"http://localhost:4000/health\"]}}\n"
        );
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
        told(&sandbox, &["health-check-program-missing"]).len()
    };
    assert_eq!(said("ghcr.io/berriai/litellm:main-v1.63.11-stable", "curl"), 1);
    assert_eq!(said("ghcr.io/berriai/litellm:main-v1.63.11-stable", "wget"), 0);
    assert_eq!(said("ghcr.io/berriai/litellm:main-stable", "wget"), 1);
    assert_eq!(said("ghcr.io/berriai/litellm:main-stable", "python3"), 0);
    assert_eq!(said("ollama/ollama:0.12.3", "wget"), 1);
    assert_eq!(said("ghcr.io/huggingface/text-embeddings-inference:cpu-1.8", "curl"), 0);
}

#[test]
fn engines_with_the_same_addresses_want_ports_of_their_own() {
    let said = |one: &str, other: &str, more: &str| {
        let engine = |name: &str, words: &str| {
            format!(
                "  {name}:\n    image: {LLAMA}\n    command: -m /{MODEL} -c 2048 {words}\n    \
                 volumes: [\"./models:/models:ro\"]\n"
            )
        };
        let compose = format!("services:\n{}{more}{}{more}", engine("a", one), engine("b", other));
        told(&Sandbox::quickstart().file("compose.yaml", compose), &["port-listened-twice"])
    };
    let host = "    network_mode: host\n";
    let message = "[port-listened-twice]: the engines of services `a` and `b` have the same addresses, \
                   and both listen on port 8080: one of them does not start, or gets what is meant for \
                   the other";
    assert_eq!(said("", "", host), [format!("warning{message}")]);
    assert_eq!(said("", "--alias other", host), [format!("error{message}")]);
    assert_eq!(said("", "--port 8081", host), Vec::<String>::new());
    assert_eq!(said("--host 127.0.0.1", "--host 127.0.0.2", host), Vec::<String>::new());
    assert_eq!(said("", "", ""), Vec::<String>::new());
    assert_eq!(said("", "", "    network_mode: host\n    scale: 0\n"), Vec::<String>::new());
}

#[test]
fn an_engine_on_the_host_and_a_published_port_are_one_port() {
    let said = |ports: &str| {
        let compose = format!(
            "services:\n  llm:\n    image: {LLAMA}\n    command: -m /{MODEL} -c 2048\n    \
             volumes: [\"./models:/models:ro\"]\n    network_mode: host\n  web:\n    image: nginx\n    \
             ports: [\"{ports}\"]\n"
        );
        told(&Sandbox::quickstart().file("compose.yaml", compose), &["port-listened-twice"])
    };
    assert_eq!(
        said("8080:80"),
        [
            "error[port-listened-twice]: llama.cpp of service `llm` listens on port 8080 of the host, and \
          service `web` publishes the same"
        ]
    );
    assert_eq!(said("8081:80"), Vec::<String>::new());
}

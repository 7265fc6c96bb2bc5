//! What clients are told to call, and where the engines listen, told before anything starts.

use crate::sandbox::Sandbox;

const VLLM: &str = "  vllm:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16 WORDS
    volumes: [\"./models:/models:ro\"]
    gpus: all
";

const UI: &str = "  ui:
    image: ghcr.io/open-webui/open-webui:main
    depends_on: {vllm: {condition: service_started}}
";

/// What the checks of this family are called.
pub(crate) const FAMILY: [&str; 7] = [
    "client-calls-",
    "client-key-",
    "model-served-by-nobody",
    "engine-listens-to-itself",
    "published-port-unused",
    "port-taken-twice",
    "health-check-",
];

/// The exit code, and the findings of this family: severity, id and message.
pub(crate) fn told(compose: &str) -> (i32, String) {
    let run =
        Sandbox::quickstart().file("compose.yaml", compose).run(&["verify", "--color", "never"]);
    let is_told = |line: &&str| FAMILY.iter().any(|id| line.contains(&format!("[{id}")));
    let lines: Vec<&str> = run.stdout.lines().filter(is_told).collect();
    (run.code.unwrap(), lines.join("\n"))
}

/// The findings of this family are these, and the exit code is this.
pub(crate) fn check(compose: &str, code: i32, expected: &str) {
    let (found, text) = told(compose);
    assert_eq!(text, expected, "{compose}");
    assert_eq!(found, code, "{compose}\n{text}");
}

/// vLLM with `words` and whatever else its service has, and Open WebUI with these variables and
/// whatever else.
fn pair(vllm: (&str, &str), variables: &[&str], more: &str) -> String {
    let (words, with) = vllm;
    let indented =
        |text: &str| -> String { text.lines().map(|line| format!("    {line}\n")).collect() };
    let environment: String = variables.iter().map(|it| format!("      {it}\n")).collect();
    format!(
        "services:\n{}{}{UI}    environment:\n{environment}{}",
        VLLM.replace("WORDS", words),
        indented(with),
        indented(more)
    )
}

fn calls(url: &str) -> String {
    pair(("", ""), &[&format!("OPENAI_API_BASE_URL: {url}")], "")
}

#[test]
fn a_client_that_calls_its_engine_is_not_told_of() {
    check(&calls("http://vllm:8000/v1"), 0, "");
    check(&calls("http://vllm:8000/v1/"), 0, "");
    check(&calls("https://api.openai.com/v1"), 0, "");
    let names = "container_name: brain\nnetworks: {default: {aliases: [llm]}}";
    for host in ["brain", "llm", "vllm"] {
        let url = format!("OPENAI_API_BASE_URL: http://{host}:8000/v1");
        check(&pair(("", names), &[&url], ""), 0, "");
    }
    let several = "OPENAI_API_BASE_URLS: http://vllm:8000/v1;https://api.openai.com/v1";
    check(&pair(("", ""), &[several], ""), 0, "");
}

#[test]
fn a_name_that_nobody_has_is_an_error() {
    check(
        &calls("http://vlm:8000/v1"),
        17,
        "error[client-calls-nobody]: `OPENAI_API_BASE_URL` of service `ui` calls `vlm`, and no \
         service or container is called so",
    );
    // Somebody else's network may have one.
    let external = "networks: {default: {}, theirs: {}}";
    let compose = pair(("", ""), &["OPENAI_API_BASE_URL: http://vlm:8000/v1"], external);
    check(&format!("{compose}networks: {{theirs: {{external: true}}}}\n"), 0, "");
    let hosts = "extra_hosts: [\"vlm:10.0.0.7\"]";
    check(&pair(("", ""), &["OPENAI_API_BASE_URL: http://vlm:8000/v1"], hosts), 0, "");
}

#[test]
fn localhost_in_a_container_is_the_container() {
    let message = "error[client-calls-itself]: `OPENAI_API_BASE_URL` of service `ui` calls \
                   `localhost`, which is the container of `ui` itself, and vLLM runs in that of `vllm`";
    check(&calls("http://localhost:8000/v1"), 17, message);
    let published = ("", "ports: [\"9000:8000\"]");
    check(&pair(published, &["OPENAI_API_BASE_URL: http://localhost:9000/v1"], ""), 17, message);
    // These share the addresses.
    let local = "OPENAI_API_BASE_URL: http://localhost:8000/v1";
    check(&pair(("", ""), &[local], "network_mode: service:vllm"), 0, "");
    check(&pair(("", "network_mode: host"), &[local], "network_mode: host"), 0, "");
    // A browser calls it, or the container itself listens there.
    check(&pair(("", ""), &["WEBUI_URL: http://localhost:8000"], ""), 0, "");
    check(&pair(("", ""), &[local], "ports: [\"3000:8000\"]"), 0, "");
    let own = pair(("", ""), &["OLLAMA_BASE_URL: http://localhost:8000"], "");
    check(&own.replace("open-webui:main", "open-webui:ollama"), 0, "");
}

#[test]
fn the_port_between_containers_is_the_one_inside() {
    let compose =
        pair(("", "ports: [\"9000:8000\"]"), &["OPENAI_API_BASE_URL: http://vllm:9000/v1"], "");
    check(
        &compose,
        17,
        "error[client-calls-otherwise]: `OPENAI_API_BASE_URL` of service `ui` calls port 9000 of \
         service `vllm`, and vLLM listens on 8000: 9000 is its port on the host",
    );
    let moved = compose.replace("bf16 ", "bf16 --port 9000").replace("9000:8000", "9000:9000");
    check(&moved, 0, "");
    // A value of which nobody knows what is done with it.
    let other = compose.replace("OPENAI_API_BASE_URL", "SOMETHING_URL");
    check(
        &other,
        0,
        "warning[client-calls-otherwise]: `SOMETHING_URL` of service `ui` calls port 9000 of \
         service `vllm`, and vLLM listens on 8000: 9000 is its port on the host",
    );
}

#[test]
fn the_path_is_the_one_below_which_the_client_looks() {
    check(
        &calls("http://vllm:8000"),
        17,
        "error[client-calls-otherwise]: Open WebUI looks for its routes below `http://vllm:8000`, \
         and vLLM has them below `/v1`",
    );
    check(
        &calls("http://vllm:8000/v1/v1"),
        17,
        "error[client-calls-otherwise]: Open WebUI looks for its routes below \
         `http://vllm:8000/v1/v1`, and vLLM has them below `/v1`",
    );
    check(
        &pair(("--root-path /llm", ""), &["OPENAI_API_BASE_URL: http://vllm:8000/v1"], ""),
        0,
        "",
    );
    check(
        &calls("https://vllm:8000/v1"),
        17,
        "error[client-calls-otherwise]: `OPENAI_API_BASE_URL` of service `ui` calls vLLM with TLS, \
         which it does not speak",
    );
    check(
        &pair(("", ""), &["OLLAMA_BASE_URL: http://vllm:8000"], ""),
        17,
        "error[client-calls-otherwise]: `OLLAMA_BASE_URL` of service `ui` is the address of an \
         Ollama, and vLLM has no API of Ollama's",
    );
}

#[test]
fn who_is_called_has_to_be_in_a_network_of_the_caller() {
    let apart = pair(("", "networks: [back]"), &["OPENAI_API_BASE_URL: http://vllm:8000/v1"], "");
    check(
        &format!("{apart}networks: {{back: {{}}}}\n"),
        17,
        "error[client-calls-nobody]: `OPENAI_API_BASE_URL` of service `ui` calls service `vllm`, \
         and the two share no network",
    );
    let both = pair(
        ("", "networks: [back]"),
        &["OPENAI_API_BASE_URL: http://vllm:8000/v1"],
        "networks: [back, default]",
    );
    check(&format!("{both}networks: {{back: {{}}}}\n"), 0, "");
    let host = pair(("", "network_mode: host"), &["OPENAI_API_BASE_URL: http://vllm:8000/v1"], "");
    check(
        &host,
        17,
        "error[client-calls-nobody]: `OPENAI_API_BASE_URL` of service `ui` calls service `vllm`, \
         which has no name in any network: its `network_mode` gives it the addresses of another",
    );
}

#[test]
fn models_and_keys_are_those_of_the_engines_that_are_called() {
    let url = "OPENAI_API_BASE_URL: http://vllm:8000/v1";
    let serving = ("--served-model-name qwen", "");
    check(&pair(serving, &[url, "DEFAULT_MODELS: qwen"], ""), 0, "");
    check(
        &pair(serving, &[url, "DEFAULT_MODELS: qwen2.5"], ""),
        0,
        "warning[model-served-by-nobody]: `DEFAULT_MODELS` of service `ui` asks for `qwen2.5`, which \
         nobody serves: `qwen` is served",
    );
    let other = "OPENAI_API_BASE_URLS: http://vllm:8000/v1;https://api.openai.com/v1";
    check(&pair(serving, &[other, "DEFAULT_MODELS: gpt-5"], ""), 0, "");
    let keyed = ("--api-key first", "");
    check(&pair(keyed, &[url, "OPENAI_API_KEY: first"], ""), 0, "");
    check(&pair(("--api-key first third", ""), &[url, "OPENAI_API_KEY: third"], ""), 0, "");
    let differs = |what: &str| {
        format!(
            "warning[client-key-differs]: vLLM of service `vllm` wants a key, and service `ui` {what}"
        )
    };
    check(&pair(keyed, &[url, "OPENAI_API_KEY: second"], ""), 0, &differs("shows another"));
    check(&pair(keyed, &[url], ""), 0, &differs("shows none"));
}

#[test]
fn what_is_published_leads_to_the_engine() {
    let vllm = |words: &str, more: &str| {
        format!("services:\n{}    {more}\n", VLLM.replace("WORDS", words))
    };
    check(&vllm("", "ports: [\"9000:8000\"]"), 0, "");
    check(
        &vllm("--port 8001", "ports: [\"8000:8000\"]"),
        0,
        "warning[published-port-unused]: service `vllm` publishes port 8000, on which nobody \
         listens: vLLM listens on 8001",
    );
    check(
        &vllm("--host 127.0.0.1", "ports: [\"8000:8000\"]"),
        17,
        "error[engine-listens-to-itself]: vLLM listens on 127.0.0.1 alone, inside its own \
         container, and service `vllm` publishes port 8000",
    );
    check(&vllm("--host 127.0.0.1", "network_mode: host"), 0, "");
    check(&vllm("--host 127.0.0.1", "init: true"), 0, "");
}

#[test]
fn a_port_of_the_host_is_given_once() {
    let pair = |one: &str, other: &str, more: &str| {
        format!(
            "services:\n{}    ports: [\"{one}\"]\n  web:\n    image: nginx\n    ports: [\"{other}\"]\n\
             {more}",
            VLLM.replace("WORDS", "")
        )
    };
    let twice = "error[port-taken-twice]: services `vllm` and `web` both publish port 8000 of the \
                 host, and only one of them gets it";
    check(&pair("8000:8000", "8000:80", ""), 17, twice);
    check(&pair("8000:8000", "127.0.0.1:8000:80", ""), 17, twice);
    check(&pair("127.0.0.1:8000:8000", "127.0.0.2:8000:80", ""), 0, "");
    check(&pair("8000:8000", "8000:80/udp", ""), 0, "");
    check(&pair("8000:8000", "8000:80", "    deploy: {replicas: 0}\n"), 0, "");
    check(&pair("8000:8000", "8000:80", "    profiles: [web]\n"), 0, "");
    // One that is not started hides none that is.
    let third = "    deploy: {replicas: 0}\n  late:\n    image: nginx\n    ports: [\"8000:80\"]\n";
    check(&pair("8000:8000", "8000:80", third), 17, &twice.replace("web", "late"));
    let before = pair("8001:8000", "8000:80", third).replace("web:", "aaa:");
    check(
        &format!("{before}  zzz:\n    image: nginx\n    ports: [\"8000:80\"]\n"),
        17,
        &twice.replace("vllm", "late").replace("web", "zzz"),
    );
}

#[test]
fn a_health_check_asks_where_the_engine_listens() {
    let vllm = |words: &str, check: &str, more: &str| {
        format!("services:\n{}    healthcheck: {check}\n{more}", VLLM.replace("WORDS", words))
    };
    let app = "  app: {image: alpine, depends_on: {vllm: {condition: service_healthy}}}\n";
    let right = "{test: curl -f http://localhost:8000/health || exit 1}";
    check(&vllm("", right, app), 0, "");
    let waits = "error[health-check-asks-nobody]: the health check of service `vllm` asks port \
                 8000, and vLLM listens on 8001, so `app` waits for it in vain";
    check(&vllm("--port 8001", right, app), 17, waits);
    check(
        &vllm("--port 8001", "{test: [CMD, curl, \"http://127.0.0.1:8000/health\"]}", ""),
        0,
        "warning[health-check-asks-nobody]: the health check of service `vllm` asks port 8000, \
         and vLLM listens on 8001, so it is never healthy",
    );
    check(&vllm("--port 8001", "{test: [CMD, ./own-check]}", app), 0, "");
    check(
        &vllm("", "{disable: true}", app),
        17,
        "error[health-check-missing]: service `app` waits until `vllm` is healthy, and neither the \
         file nor the image has a health check for it",
    );
    let none = format!("services:\n{}{app}", VLLM.replace("WORDS", ""));
    check(
        &none,
        17,
        "error[health-check-missing]: service `app` waits until `vllm` is healthy, and neither \
         the file nor the image has a health check for it",
    );
}

#[test]
fn the_plan_shows_who_calls_whom() {
    let compose = calls("http://vllm:8000/v1");
    let sandbox = Sandbox::quickstart().file("compose.yaml", &compose);
    let text = sandbox.run(&["plan", "--color", "never"]).stdout;
    let line = text.lines().find(|line| line.contains("->")).expect(&text);
    assert!(text.contains("connections\n  ui "), "{text}");
    assert!(line.contains("http://vllm:8000/v1 -> vLLM of `vllm`"), "{line}");
    assert!(line.contains("<- OPENAI_API_BASE_URL, compose.yaml:"), "{line}");
    let json = sandbox.run(&["plan", "--format", "json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    let told = &plan["connections"][0];
    let keys = ["service", "variable", "url", "leads", "to", "engine"];
    let values = ["ui", "OPENAI_API_BASE_URL", "http://vllm:8000/v1", "service", "vllm", "vllm"];
    for (key, value) in keys.into_iter().zip(values) {
        assert_eq!(told[key], value, "{told}");
    }
    assert_eq!(told["place"]["file"], "compose.yaml", "{told}");
    let other = ["OPENAI_API_BASE_URL: http://vllm:8000/v1", "HOOK: http://elsewhere:1"];
    let quiet = sandbox.file("compose.yaml", pair(("", ""), &other, ""));
    let text = quiet.run(&["plan", "--color", "never"]).stdout;
    assert!(text.contains(" -> vLLM") && !text.contains("elsewhere"), "{text}");
    let outside = quiet.file("compose.yaml", calls("https://api.openai.com/v1"));
    let text = outside.run(&["plan", "--color", "never"]).stdout;
    assert!(text.contains("https://api.openai.com/v1 -> outside this project"), "{text}");
}

#[test]
fn of_several_variables_for_one_thing_the_one_counts_that_the_program_reads() {
    let stale = "OPENAI_API_BASE_URL: http://localhost:8000/v1";
    let right = "OPENAI_API_BASE_URLS: http://vllm:8000/v1";
    check(&pair(("", ""), &[stale, right], ""), 0, "");
    // Keys: the list, or the one if there is no list.
    let keyed = ("--api-key first", "");
    for keys in [
        &["OPENAI_API_KEY: first"][..],
        &["OPENAI_API_KEYS: first"],
        &["OPENAI_API_KEYS: first", "OPENAI_API_KEY: other"],
    ] {
        let variables: Vec<&str> = [right].iter().chain(keys).copied().collect();
        check(&pair(keyed, &variables, ""), 0, "");
    }
    let off = ["ENABLE_OLLAMA_API: \"false\"", "OLLAMA_BASE_URL: http://ollama:11434", right];
    check(&pair(("", ""), &off, ""), 0, "");
    check(
        &pair(("", ""), &off[1..], ""),
        17,
        "error[client-calls-nobody]: `OLLAMA_BASE_URL` of service `ui` calls `ollama`, and no service \
         or container is called so",
    );
}

#[test]
fn a_model_is_asked_of_the_address_that_it_belongs_to() {
    let rag = |more: &[&str]| {
        let mut variables = vec![
            "LLM_BINDING: openai",
            "LLM_BINDING_HOST: http://vllm:8000/v1",
            "EMBEDDING_BINDING: openai",
            "EMBEDDING_BINDING_HOST: https://api.openai.com/v1",
        ];
        variables.extend(more);
        pair(("--served-model-name qwen", ""), &variables, "")
            .replace("ghcr.io/open-webui/open-webui:main", "ghcr.io/hkuds/lightrag:1.4.9")
    };
    check(&rag(&["LLM_MODEL: qwen", "EMBEDDING_MODEL: text-embedding-3-large"]), 0, "");
    check(
        &rag(&["LLM_MODEL: text-embedding-3-large", "EMBEDDING_MODEL: qwen"]),
        0,
        "warning[model-served-by-nobody]: `LLM_MODEL` of service `ui` asks for \
         `text-embedding-3-large`, which nobody serves: `qwen` is served",
    );
}

#[test]
fn a_host_and_its_port_may_be_said_apart() {
    let opea = |port: &str| {
        let variables = ["LLM_SERVER_HOST_IP: vllm", &format!("LLM_SERVER_PORT: {port}")];
        pair(("", ""), &variables, "")
            .replace("ghcr.io/open-webui/open-webui:main", "opea/chatqna:1.3")
    };
    check(&opea("8000"), 0, "");
    check(
        &opea("80"),
        17,
        "error[client-calls-otherwise]: `LLM_SERVER_HOST_IP` of service `ui` calls port 80 of service \
         `vllm`, and vLLM listens on 8000",
    );
}

#[test]
fn services_of_which_one_is_started_may_write_one_port() {
    let both = |port: &str, more: &str| {
        format!(
            "services:\n{}    ports: [\"{port}:8000\"]\n  gaudi:\n    image: nginx\n    \
             ports: [\"{port}:80\"]\n{more}",
            VLLM.replace("WORDS", "")
        )
    };
    let variable = "${LLM_PORT:-8008}";
    check(
        &both(variable, ""),
        0,
        "warning[port-taken-twice]: services `vllm` and `gaudi` publish port 8008 of the host by one \
         variable: only one of them can be started",
    );
    let told = "error[port-taken-twice]: services `vllm` and `gaudi` both publish port 8008 of the \
                host, and only one of them gets it";
    let needs = "  all: {image: nginx, depends_on: [vllm, gaudi]}\n";
    check(&both(variable, needs), 17, told);
    check(&both("8008", ""), 17, told);
}

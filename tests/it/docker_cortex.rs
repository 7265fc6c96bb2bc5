//! `examples/cortex` on a real engine: it comes up, and so it does not with the faults that such files
//! have, put back one at a time: what Docker does with each, and what preflight says before.
//!
//! What needs a GPU is taken out, and the models are tiny ones at the lanes' paths.

use crate::docker_stack::{MODEL, Outcome, Stack, wait_for};

const PRODUCTION: &str = include_str!("../../examples/cortex/compose.yaml");
const STRIX: &str = include_str!("../../examples/cortex/strix.yaml");

const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/models/vllm/tiny/bf16");

const VLLM_LANES: [&str; 3] = ["orchestrator", "coder", "fast_rag"];
const SUPER_READER: &str = "Llama-3.1-Nemotron-8B-UltraLong-4M-Instruct-q4_k_m.gguf";
const GOVERNANCE: &str = "granite-3.0-8b-instruct-Q4_K_M.gguf";

/// What the stand-ins of engines lack: a GPU, ports that are free for certain, and `curl`.
const STAND_IN: &str = "    devices: !reset []
    group_add: !reset []
    ports: !reset []
    healthcheck: !reset null
";

/// The backend only has to run.
const BACKEND: &str = "  backend:
    command: [--root=/hub, --listen=0.0.0.0:8080, --public-url=http://backend:8080]
    volumes: [./hub:/hub:ro]
";

/// The variables that every container of the shared block gets begin here.
const ENVIRONMENT_OF_LLAMA_CPP: &str = "    environment:
      <<: *lanes
    ports: [\"127.0.0.1:8080";

/// A stack with the five tiny models; `more` is what else takes the place of something.
fn stack(name: &str, file: &str, engines: &[&str], more: &str) -> Option<Stack> {
    let stack = Stack::new(&format!("cortex-{name}"), None)?;
    stack.write("compose.yaml", file);
    let stand_ins = engines.iter().map(|service| format!("  {service}:\n{STAND_IN}"));
    let stand_ins: String = stand_ins.collect();
    stack.write("compose.override.yaml", &format!("services:\n{stand_ins}{more}"));
    serve(&stack, "orchestrator");
    for lane in VLLM_LANES {
        for file in fs_err::read_dir(FOLDER).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            stack.put(file.path().to_str().unwrap(), &format!("models/vllm/{lane}/bf16/{name}"));
        }
    }
    for name in [SUPER_READER, GOVERNANCE] {
        stack.put(MODEL, &format!("models/gguf/{name}"));
    }
    Some(stack)
}

/// Writes `.env`: vLLM serves that lane.
fn serve(stack: &Stack, lane: &str) {
    stack.set_environment(&[
        ("CORTEX_VLLM_IMAGE", "fake-vllm:test"),
        ("CORTEX_VLLM_CONTEXT", "128"),
        ("CORTEX_VLLM_MODEL_PATH", &format!("/models/vllm/{lane}/bf16")),
        ("LLAMA_CPP_IMAGE", "llama.cpp:local"),
        ("CORTEX_LLAMA_CPP_CONTEXT", "2048"),
        ("CORTEX_BACKEND_IMAGE", "fake-hub:test"),
        // An absolute one: the lanes that the host serves have their paths below it.
        ("MODELS_PATH", stack.path("models").to_str().unwrap()),
    ]);
}

/// The production file with `fault`.
fn production(name: &str, fault: impl FnOnce(&str) -> String) -> Option<Stack> {
    stack(name, &fault(PRODUCTION), &["inference-vllm", "llama-cpp"], BACKEND)
}

/// Text that has to be there, replaced.
fn instead(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "`{old}` is not in the example");
    text.replace(old, new)
}

/// The line of `compose.yaml` that `text` begins in, as a report points at it.
fn line_of(stack: &Stack, text: &str) -> String {
    let file = fs_err::read_to_string(stack.path("compose.yaml")).unwrap();
    let (before, _) = file.split_once(text).unwrap_or_else(|| panic!("no `{text}`"));
    format!("compose.yaml:{}:", before.matches('\n').count() + 1)
}

/// What Docker does with one service when nobody has looked before: it starts the container, says
/// that all is well, and starts it again each time that it has ended. What the container says.
fn starts_again_and_again(stack: &Stack, service: &str) -> String {
    let up = stack.compose(&["up", "-d", "--no-deps", service]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    wait_for(&format!("another start of {service}"), || {
        (stack.inspect(service, ".RestartCount") != "0").then_some(())
    });
    stack.logs(service)
}

/// What preflight says before anything is started: that exit code, and one error, which is the first
/// thing that it says.
fn says_before(stack: &Stack, code: i32, error: &str) -> Outcome {
    let said = stack.by_hand(&[]);
    let whole = format!("{}\n{}", said.stdout, said.stderr);
    assert_eq!(said.code, code, "{whole}");
    assert!(said.stdout.starts_with(&format!("error[{error}]")), "{whole}");
    assert_eq!(said.stdout.matches("error[").count(), 1, "{whole}");
    assert!(!said.stdout.contains("warning["), "{whole}");
    said
}

/// With preflight in front `docker compose up` fails for that cause, and no engine is started.
fn is_held_back(stack: &Stack, code: i32, error: &str) {
    let said = stack.up_fails();
    let report = stack.logs("preflight");
    assert!(said.contains(&format!("exit {code}")), "{said}\n{report}");
    assert!(report.contains(&format!("error[{error}]")), "{report}");
    stack.assert_started(&["preflight"]);
}

fn assert_says(said: &Outcome, words: &[&str]) {
    for word in words {
        assert!(said.stdout.contains(word), "`{word}` is not in\n{}\n{}", said.stdout, said.stderr);
    }
}

/// The row of a lane in the table, as words.
fn row<'a>(report: &'a str, lane: &str) -> Vec<&'a str> {
    let mut rows = report.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find(|row| row.first() == Some(&lane)).unwrap_or_else(|| panic!("no {lane}: {report}"))
}

/// Fails unless each lane is ready, and is said to be served by that service and that engine.
fn assert_ready(report: &str, lanes: &[&str], service: &str, engine: &str) {
    for lane in lanes {
        let row = row(report, lane);
        assert_eq!(row[1..3], [service, engine], "{report}");
        assert_eq!(row.last(), Some(&"ready"), "{report}");
    }
}

/// The running engines, asked from inside the project.
fn smoke(stack: &Stack) -> Outcome {
    stack.compose(&["run", "--rm", "preflight", "smoke", "--wait", "30s"])
}

#[test]
fn compose_resolves_both_files_of_the_example() {
    let Some(stack) = production("config", str::to_owned) else { return };
    for (file, service) in [(PRODUCTION, "llama-cpp:"), (STRIX, "inference-vllm:")] {
        stack.write("compose.yaml", file);
        let config = stack.compose(&["-f", "compose.yaml", "config"]);
        assert_eq!((config.code, config.stderr.as_str()), (0, ""));
        assert!(config.stdout.contains(service), "{}", config.stdout);
    }
}

#[test]
fn the_production_file_comes_up_with_every_lane_ready() {
    let Some(stack) = production("good", str::to_owned) else { return };
    stack.up();
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "0");
    let report = stack.report();
    assert_ready(&report, &VLLM_LANES, "inference-vllm", "vLLM");
    assert_ready(&report, &["super_reader", "governance"], "llama-cpp", "llama.cpp");
    assert!(!report.contains("error[") && !report.contains("warning["), "{report}");
    serves(&stack, "orchestrator");

    let llama_cpp = stack.inspect("llama-cpp", ".State.StartedAt");
    serve(&stack, "coder");
    stack.up();
    serves(&stack, "coder");
    assert_eq!(stack.inspect("llama-cpp", ".State.StartedAt"), llama_cpp);
}

/// That lane and super_reader are served, and the others are on standby.
fn serves(stack: &Stack, served: &str) {
    let said = smoke(stack);
    assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    for lane in VLLM_LANES.into_iter().chain(["super_reader", "governance"]) {
        let standby = format!("note[lane-on-standby]: `{lane}`");
        let is_served = lane == served || lane == "super_reader";
        assert_eq!(said.stderr.contains(&standby), !is_served, "{lane}: {}", said.stderr);
    }
}

#[test]
fn the_strix_file_comes_up_and_its_other_lanes_are_served_on_the_host() {
    let Some(stack) = stack("strix", STRIX, &["inference-vllm"], "") else { return };
    stack.up();
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "0");
    wait_for("the engine", || {
        stack.logs("inference-vllm").contains("Application startup complete.").then_some(())
    });
    let said = stack.by_hand(&[]);
    assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    for report in [stack.report(), said.stdout] {
        assert_ready(&report, &VLLM_LANES, "inference-vllm", "vLLM");
        for lane in ["super_reader", "governance"] {
            assert_eq!(row(&report, lane).last(), Some(&"ready"), "{report}");
        }
        assert!(!report.contains("error[") && !report.contains("warning["), "{report}");
    }
    let plan = stack.by_hand(&["plan"]);
    for url in ["http://host.docker.internal:8080/v1", "http://host.docker.internal:8081/v1"] {
        assert_says(&plan, &[&format!("served outside this project, at {url}")]);
    }
}

#[test]
fn a_command_that_compose_cuts_runs_the_script_in_front_and_no_engine() {
    let cut = |text: &str| {
        let script = "    command: >\n        /check/models.sh /models/vllm/coder/bf16 &&\n";
        mounting_script(&instead(text, "    command:\n      - >-\n", script))
    };
    let Some(stack) = production("cut", cut) else { return };
    write_script(&stack);
    let error = "command-cut-by-shell-words";
    let said = says_before(&stack, 17, error);
    let place = format!("--> {}", line_of(&stack, "/check/models.sh /models/vllm/coder"));
    assert_says(
        &said,
        &["/check/models.sh /models/vllm/coder/bf16` and no engine", "item of a list", &place],
    );
    is_held_back(&stack, 17, error);

    let words = starts_again_and_again(&stack, "inference-vllm");
    assert_eq!(words.lines().next(), Some("looking for <>"), "{words}");
    assert!(!words.contains("Application startup complete."), "{words}");
    let run = stack.inspect("inference-vllm", "json .Config.Cmd");
    assert_eq!(run, r#"["/check/models.sh","/models/vllm/coder/bf16"]"#);
}

#[test]
fn the_same_command_as_one_list_item_runs_the_script_and_then_the_engine() {
    let Some(stack) = production("uncut", with_script) else { return };
    write_script(&stack);
    stack.up();
    wait_for("the engine", || {
        stack.logs("inference-vllm").contains("Application startup complete.").then_some(())
    });
    let words = stack.logs("inference-vllm");
    assert!(words.starts_with("looking for </models/vllm/orchestrator/bf16>\n"), "{words}");
    assert_ready(&stack.report(), &VLLM_LANES, "inference-vllm", "vLLM");
}

#[test]
fn a_script_that_is_mounted_and_is_not_there_becomes_a_folder() {
    let Some(stack) = production("script", with_script) else { return };
    let script = stack.path("models.sh");
    let error = "mount-source-missing";
    let said = says_before(&stack, 16, error);
    let place = format!("--> {}", line_of(&stack, "- ./models.sh:/check"));
    assert_says(&said, &["models.sh", &place]);
    assert!(!said.stdout.contains("mkdir"), "{}", said.stdout);
    assert!(!script.exists(), "looking made it");
    // Docker makes the folder together with the containers, before preflight is started.
    is_held_back(&stack, 16, error);

    let words = starts_again_and_again(&stack, "inference-vllm");
    assert!(words.contains("/check/models.sh: Permission denied"), "{words}");
    assert!(script.is_dir(), "Docker has made something else");
}

fn with_script(text: &str) -> String {
    let command =
        "        /check/models.sh /models/vllm/orchestrator/bf16 &&\n        exec python3";
    mounting_script(&instead(text, "        exec python3", command))
}

/// The list of the shared block is replaced by the service's own, as it would be by hand.
fn mounting_script(text: &str) -> String {
    let mounts = "    volumes:
      - cortex_models:/models:ro
      - ./models.sh:/check/models.sh:ro
    ipc: host";
    instead(text, "    ipc: host", mounts)
}

fn write_script(stack: &Stack) {
    use std::os::unix::fs::PermissionsExt as _;
    stack.write("models.sh", "#!/bin/sh\necho \"looking for <$1>\"\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(stack.path("models.sh"), mode).unwrap();
}

#[test]
fn a_variable_that_only_the_service_has_leaves_llama_cpp_without_its_model() {
    let lost = |text: &str| {
        let (before, rest) = text.split_once("${CORTEX_LLAMA_CPP_MODEL_PATH:-").unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        format!("{before}${{ARGOS_LANE_SUPER_READER_MODEL_PATH}}{after}")
    };
    let Some(stack) = production("lost", lost) else { return };
    let error = "variable-consumed-by-compose";
    let said = says_before(&stack, 17, error);
    let name = "ARGOS_LANE_SUPER_READER_MODEL_PATH";
    let place = format!("--> {}", line_of(&stack, &format!("--model ${{{name}}}")));
    let set_here = format!("`{name}` is set here");
    assert_says(&said, &["`--ctx-size`", ".env", &place, &set_here]);
    is_held_back(&stack, 17, error);

    let words = starts_again_and_again(&stack, "llama-cpp");
    assert!(words.starts_with("error: invalid argument: 2048\n"), "{words}");
}

#[test]
fn a_path_that_is_said_as_the_name_of_the_model_is_taken_for_the_path() {
    let named = |text: &str| {
        let text = instead(text, "ORCHESTRATOR_MODEL_PATH: ", "ORCHESTRATOR_MODEL: ");
        let text = instead(&text, "CODER_MODEL_PATH: ", "CODER_MODEL: ");
        instead(&text, "FAST_RAG_MODEL_PATH: ", "FAST_RAG_MODEL: ")
    };
    let Some(stack) = production("named", named) else { return };
    stack.up();
    let report = stack.report();
    assert_ready(&report, &VLLM_LANES, "inference-vllm", "vLLM");
    serves(&stack, "orchestrator");

    fs_err::remove_dir_all(stack.path("models/vllm/coder")).unwrap();
    let said = says_before(&stack, 10, "files-missing");
    let place = format!("--> {}", line_of(&stack, "/models/vllm/coder/bf16\n"));
    assert_says(&said, &[&place, "hf://Qwen/Qwen2.5-Coder-32B-Instruct"]);
}

#[test]
fn variables_that_no_engine_reads_change_nothing_and_are_named() {
    let unread = |text: &str| {
        let text = instead(text, "      HF_HUB", "      VLLM_MAX_MODEL_LEN: \"64\"\n      HF_HUB");
        let text = instead(&text, "      --ctx-size ${CORTEX_LLAMA_CPP_CONTEXT:-131072}\n", "");
        let lanes = ENVIRONMENT_OF_LLAMA_CPP;
        let more = lanes.replacen("*lanes", "*lanes\n      LLAMA_ARG_CTXSIZE: \"512\"", 1);
        instead(&text, lanes, &more)
    };
    let Some(stack) = production("unread", unread) else { return };
    let said = stack.by_hand(&[]);
    assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    assert!(!said.stdout.contains("error["), "{}", said.stdout);
    for (variable, meant) in
        [("VLLM_MAX_MODEL_LEN", "--max-model-len"), ("LLAMA_ARG_CTXSIZE", "LLAMA_ARG_CTX_SIZE")]
    {
        let place = format!("--> {}", line_of(&stack, variable));
        assert_says(&said, &["[variable-unknown-to-engine]", variable, meant, &place]);
    }
    stack.up();
    wait_for("the model", || stack.logs("llama-cpp").contains("n_ctx_slot").then_some(()));
    let words = stack.logs("llama-cpp");
    assert!(words.contains("n_ctx_slot = 2048"), "it has read the variable: {words}");

    stack.edit("compose.yaml", |text| instead(text, "CTXSIZE", "CTX_SIZE"));
    stack.up();
    wait_for("the model", || stack.logs("llama-cpp").contains("n_ctx_slot").then_some(()));
    let words = stack.logs("llama-cpp");
    assert!(words.contains("n_ctx_slot = 512"), "it has not read the variable: {words}");
}

#[test]
fn a_file_name_that_the_catalogue_spells_otherwise_is_told_with_the_right_one() {
    let other = "nemotron-8b-instruct.Q4_K_M.gguf";
    let Some(stack) = production("name", |text| instead(text, SUPER_READER, other)) else { return };
    let said = says_before(&stack, 10, "files-missing");
    let source = format!("-GGUF/{SUPER_READER}");
    let place = format!("--> {}", line_of(&stack, "/models/gguf/nemotron"));
    assert_says(&said, &[other, "hf://Mungert/", &source, &place]);
    is_held_back(&stack, 10, "files-missing");

    let words = starts_again_and_again(&stack, "llama-cpp");
    assert!(words.contains(&format!("failed to load model, '/models/gguf/{other}'")), "{words}");
}

#[test]
fn a_lane_that_is_served_elsewhere_is_neither_skipped_nor_sought_in_a_container() {
    let url = "http://gpu.example:8081/v1";
    let elsewhere = |text: &str| {
        let text = instead(
            text,
            "GOVERNANCE_URL: http://llama-cpp:8080/v1",
            &format!("GOVERNANCE_URL: {url}"),
        );
        instead(
            &text,
            "  ARGOS_LANE_GOVERNANCE_MODEL_PATH: /models/gguf/granite-3.0-8b-instruct-Q4_K_M.gguf\n",
            "",
        )
    };
    let Some(stack) = production("elsewhere", elsewhere) else { return };
    stack.up();
    let report = stack.report();
    let row = row(&report, "governance");
    assert!(!row.contains(&"llama-cpp") && !row.contains(&"inference-vllm"), "{report}");
    assert!(!report.contains("nothing says where its model is"), "{report}");
    let plan = stack.by_hand(&["plan"]);
    assert_says(&plan, &[&format!("served outside this project, at {url}")]);
}

#[test]
fn a_group_by_a_name_that_the_image_lacks_keeps_its_container_down() {
    let by_name = |text: &str| instead(text, "\"${RENDER_GID:-992}\"", "render");
    let Some(stack) = production("group", by_name) else { return };
    stack.edit("compose.override.yaml", |text| instead(text, "    group_add: !reset []\n", ""));
    let up = stack.compose(&["up", "-d", "--no-deps", "llama-cpp"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(up.stderr.contains("nable to find group render"), "{}", up.stderr);

    stack.edit("compose.yaml", |text| instead(text, ", render]", ", \"992\"]"));
    let up = stack.compose(&["up", "-d", "--no-deps", "llama-cpp"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
}

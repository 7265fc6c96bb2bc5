//! Lanes of vLLM on a real engine. vLLM itself needs gigabytes: a stand-in that opens the same files
//! and answers like it is in its place (`tests/fake-vllm`).

use std::path::Path;

use crate::docker_stack::{Outcome, Stack};

const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/models/vllm/tiny/bf16");

const SHARD: &str = "model-00003-of-00003.safetensors";

/// Two lanes that one service serves, one at a time, as the guide's lanes of vLLM do.
const COMPOSE_FILE: &str = r#"include:
  - preflight.yaml

services:
  vllm:
    image: fake-vllm:test
    command: [/models/coder, --served-model-name, coder]
    depends_on:
      preflight:
        condition: service_completed_successfully
    ports:
      - 127.0.0.1::8000
    volumes:
      - ${MODELS_PATH:-./models}:/models:ro

x-preflight:
  lanes:
    coder: {service: vllm, path: /models/coder, smoke: {level: generates}}
    deep: {service: vllm, path: /models/deep}
"#;

fn stack(name: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.write("compose.yaml", COMPOSE_FILE);
    for lane in ["coder", "deep"] {
        for file in fs_err::read_dir(FOLDER).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            stack.put(file.path().to_str().unwrap(), &format!("models/{lane}/{name}"));
        }
    }
    Some(stack)
}

/// Brings the engine up and says in `.env` where clients ask it, and for what.
fn serving(name: &str, change: impl FnOnce(&Stack)) -> Option<Stack> {
    let stack = stack(name)?;
    change(&stack);
    stack.up();
    let address = format!("http://{}", stack.compose(&["port", "vllm", "8000"]).stdout.trim());
    stack.set_environment(&[
        ("ARGOS_LANE_CODER_URL", &address),
        ("ARGOS_LANE_CODER_MODEL", "coder"),
        ("ARGOS_LANE_DEEP_URL", &address),
        ("ARGOS_LANE_DEEP_MODEL", "deep"),
    ]);
    Some(stack)
}

fn smoke(stack: &Stack) -> Outcome {
    stack.by_hand(&["smoke", "--wait", "60s"])
}

#[test]
fn an_engine_is_asked_as_the_guide_does_and_generates() {
    let Some(stack) = serving("vllm-good", |_| {}) else { return };
    let outcome = smoke(&stack);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    assert!(!outcome.stdout.contains("error["), "{}", outcome.stdout);
    let asked = stack.logs("vllm");
    assert!(
        asked.contains("POST /v1/completions 404"),
        "it was not asked as the guide does: {asked}"
    );
    assert!(asked.contains("POST /v1/completions 200"), "it has generated nothing: {asked}");
}

#[test]
fn a_lane_that_shares_a_server_is_asked_as_the_other_one_is_and_on_standby() {
    let Some(stack) = serving("vllm-standby", |_| {}) else { return };
    let started = stack.inspect("vllm", ".State.StartedAt");
    // By the address that clients are told, then by the service alone.
    for environment in ["told", "untold"] {
        let outcome = smoke(&stack);
        assert_eq!(outcome.code, 0, "{environment}:\n{}\n{}", outcome.stdout, outcome.stderr);
        let standby = "note[lane-on-standby]: `deep` is not served at";
        assert!(outcome.stdout.contains(standby), "{environment}:\n{}", outcome.stdout);
        for other in ["endpoint-unknown", "error[", "note[lane-on-standby]: `coder`"] {
            assert!(!outcome.stdout.contains(other), "{environment}: {other}\n{}", outcome.stdout);
        }
        stack.set_environment(&[]);
    }
    let asked = stack.logs("vllm");
    assert!(!asked.contains("/health"), "it was not asked as vLLM is: {asked}");
    assert_eq!(stack.inspect("vllm", ".State.StartedAt"), started);
}

#[test]
fn a_name_that_no_lane_at_the_address_has_is_an_error() {
    let rename = |stack: &Stack| {
        stack.edit("compose.yaml", |text| text.replace("-name, coder]", "-name, kodor]"));
    };
    let Some(stack) = serving("vllm-name", rename) else { return };
    let outcome = smoke(&stack);
    assert_eq!(outcome.code, 31, "{}\n{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("error[model-not-served]"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("`kodor`"), "{}", outcome.stdout);
    for lane in ["coder", "deep"] {
        let finding = format!("error[model-not-served]: `{lane}` should be served as");
        assert!(outcome.stdout.contains(&finding), "{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("lane-on-standby"), "{}", outcome.stdout);
}

#[test]
fn a_shard_that_is_missing_or_cut_stops_the_engine() {
    let Some(stack) = stack("vllm-shard") else { return };
    let shard = stack.path(&format!("models/coder/{SHARD}"));
    let file = fs_err::OpenOptions::new().write(true).open(&shard).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    refuses(&stack, 11, "error[file-truncated]", &shard);
    fs_err::remove_file(&shard).unwrap();
    refuses(&stack, 10, "error[shard-missing]", &shard);
}

/// Nothing is started, and the report has the cause, the finding and the file.
fn refuses(stack: &Stack, code: u8, finding: &str, file: &Path) {
    let report = stack.refuses(code, finding);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(report.contains(name), "`{name}` is not in\n{report}");
}

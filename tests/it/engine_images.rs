//! What the image of a service says: which engine it is of, whether that is started, what it may hold.

use std::fmt::Write as _;

use serde_json::Value;

use crate::sandbox::Sandbox;

const FULL: &str = "ghcr.io/ggml-org/llama.cpp:full";
const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server";
const READY: &str = "image: ghcr.io/ggml-org/llama.cpp:server
    volumes: ['./models:/models']
    command: -m /models/gguf/tiny-Q4_K_M.gguf -c 512";

/// The exit code, the lanes with their verdicts, and what is said of the service `other`, which stands
/// beside a lane that is fine.
fn beside_a_lane(other: &str) -> String {
    let compose = format!("services:\n  reader:\n    {READY}\n  other:\n    {other}\n");
    said(&Sandbox::quickstart().file("compose.yaml", compose))
}

/// The same of one service alone.
fn alone(other: &str) -> String {
    let compose = format!("services:\n  other:\n    {other}\n");
    said(&Sandbox::quickstart().file("compose.yaml", compose))
}

fn said(sandbox: &Sandbox) -> String {
    let run = sandbox.run(&["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let mut said = format!("exit {}\n", run.code.unwrap());
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    for lane in report["lanes"].as_array().unwrap() {
        let reason = text(lane, "reason");
        let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
        writeln!(said, "{} {}{reason}", text(lane, "name"), text(lane, "verdict")).unwrap();
    }
    for finding in report["findings"].as_array().unwrap() {
        if finding["service"] == "other" && finding["consequence"] != true {
            let (severity, id) = (text(finding, "severity"), text(finding, "id"));
            let (message, fix) = (text(finding, "message"), text(finding, "fix"));
            write!(said, "{severity} {id}: {message}\n  {fix}\n").unwrap();
        }
    }
    said
}

#[test]
fn a_service_that_starts_no_server_is_told_beside_a_lane_that_is_fine() {
    let full = beside_a_lane(&format!("image: {FULL}\n    command: -m /m.gguf"));
    let sglang = "image: lmsysorg/sglang:v0.5.5\n    command: --model-path /m --port 3";
    let sglang = beside_a_lane(sglang);
    let word = format!("image: {LLAMA}\n    command: /models/x.gguf");
    let word = beside_a_lane(&word);
    let sleeping = "image: vllm/vllm-openai:v0.12.0\n    command: sleep infinity";
    let sleeping = beside_a_lane(sleeping);
    insta::assert_snapshot!([full, sglang, word, sleeping].join("\n"));
}

#[test]
fn a_helper_that_runs_another_program_of_an_engine_s_image_stops_nobody() {
    for helper in [
        "image: vllm/vllm-openai:v0.12.0\n    entrypoint: [huggingface-cli, download, a/b]",
        "image: vllm/vllm-openai:v0.12.0\n    entrypoint: vllm\n    command: bench serve",
        "image: ghcr.io/ggml-org/llama.cpp:full\n    command: --convert /models",
        "image: ghcr.io/ggml-org/llama.cpp:light\n    command: -m /m.gguf -p hello",
        "image: lmsysorg/sglang:latest\n    command: sleep infinity",
    ] {
        let said = beside_a_lane(helper);
        assert!(said.starts_with("exit 0\nreader ready\nnote starts-no-server: "), "{said}");
        assert_eq!(said.lines().count(), 4, "{said}");
    }
    let pull = "image: ollama/ollama\n    entrypoint: [ollama, pull, qwen3]";
    assert_eq!(beside_a_lane(pull), "exit 0\nreader ready\n");
}

#[test]
fn a_misspelt_image_is_an_error_unless_it_is_built() {
    let misspelt = "image: vllm/vlm-openai:v0.12.0\n    command: --model a/b";
    insta::assert_snapshot!(alone(misspelt));
    let built = format!("build: .\n    {misspelt}");
    assert!(!alone(&built).contains("image-misspelt"), "{}", alone(&built));
}

#[test]
fn a_model_in_an_image_of_ones_own_is_unknown_where_nobody_can_look() {
    let own = "image: infiniflow/text-embeddings-inference:cpu-1.8\n    \
               command: --model-id /data/Qwen/Qwen3-Embedding-0.6B";
    let own = alone(own);
    let official = "image: ghcr.io/huggingface/text-embeddings-inference:cpu-1.8\n    \
                    command: --model-id /data/Qwen/Qwen3-Embedding-0.6B";
    let official = alone(official);
    let elsewhere = "image: acme/llama-server\n    volumes: ['./models:/data']\n    \
                     command: -m /model/tiny-Q4_K_M.gguf";
    let elsewhere = alone(elsewhere);
    insta::assert_snapshot!([own, official, elsewhere].join("\n"));
}

#[test]
fn what_is_not_read_is_named_with_what_is_known_of_it() {
    let nim = "image: nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8\n    \
               environment: {NGC_API_KEY: planted-and-secret}";
    let provided = "provider: {type: model, options: {model: ai/smollm2}}";
    let used = "image: nginx\n    models: [chat]\nmodels:\n  chat: {model: ai/qwen3}";
    let other = "provider: {type: compose-tunnel}";
    let told = [nim, provided, used, other].map(beside_a_lane);
    insta::assert_snapshot!(told.join("\n"));
    let declared = format!(
        "{nim}\n    labels: {{preflight.lane: big, preflight.path: /models/big}}\n    \
         volumes: ['./models:/models']"
    );
    let told = beside_a_lane(&declared);
    assert!(told.starts_with("exit 10\nbig not-ready\nreader ready\n"), "{told}");
}

#[test]
fn a_service_that_is_only_built_is_read_by_its_dockerfile() {
    let with = |dockerfile: &str, service: &str| {
        let compose = format!("services:\n  other:\n    build: .\n    {service}\n");
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
        said(&sandbox.file("Dockerfile", dockerfile))
    };
    let from = format!("FROM {LLAMA}\nRUN apt-get update\n");
    let mounted = "volumes: ['./models:/models']\n    command: -m /models/gguf/";
    let ready = with(&from, &format!("{mounted}tiny-Q4_K_M.gguf -c 512"));
    assert_eq!(ready, "exit 0\nother ready\n");
    let missing = with(&from, &format!("{mounted}none.gguf -c 512"));
    assert!(missing.starts_with("exit 10\nother not-ready\nerror files-missing: "), "{missing}");
    let copied = format!("{from}COPY m.gguf /m.gguf\nCMD [\"-m\", \"/m.gguf\"]\n");
    let copied = with(&copied, "restart: always");
    assert!(copied.starts_with("exit 3\nother unknown: only the image can hold it"), "{copied}");
    let own = format!("{from}ENTRYPOINT [\"/app/llama-server\", \"-m\", \"/models/none.gguf\"]\n");
    let own = with(&own, "volumes: ['./models:/models']");
    assert!(own.contains("`/models/none.gguf` is not there"), "{own}");
    assert!(with("FROM python:3.12\n", "restart: always").starts_with("exit 3\n"));
}

//! Engines that are started by scripts and files of the project.

use crate::sandbox::Sandbox;

/// Of a service with that image and these words, what the plan says that it opens.
fn opened(image: &str, words: &str, files: &[(&str, &str)]) -> String {
    let compose = format!(
        "services:\n  llm:\n    image: {image}\n    environment: {{SIZE: tiny}}\n    \
         volumes: [\"./models:/models:ro\", \"./start:/start:ro\"]\n{words}"
    );
    let mut sandbox = Sandbox::quickstart().file("compose.yaml", compose);
    for (name, text) in files {
        sandbox = sandbox.file(&format!("start/{name}"), text);
    }
    let run = sandbox.run(&["compose.yaml"]);
    let verdict = run.stdout.lines().nth(1).unwrap_or_default();
    format!("{:?} {}", run.code, verdict.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn a_mounted_script_is_followed_to_the_model() {
    let script = "#!/bin/sh\nset -e\nexec vllm serve /models/vllm/$SIZE/bf16 \"$@\"\n";
    let ready = "Some(0) llm llm vLLM LlamaForCausalLM, bfloat16, context 256 284.7 KiB ready";
    let words = "    entrypoint: [\"sh\", \"/start/run.sh\"]\n    command: --dtype auto\n";
    assert_eq!(opened("acme/gpu", words, &[("run.sh", script)]), ready);
    let words = "    command: /start/run.sh\n";
    assert_eq!(opened("acme/gpu", words, &[("run.sh", script)]), ready);
    let words = "    command: --config /start/vllm.yaml\n    gpus: all\n";
    let config = "model: /models/vllm/tiny/bf16\n";
    assert_eq!(opened("vllm/vllm-openai:v0.12.0", words, &[("vllm.yaml", config)]), ready);
}

#[test]
fn a_script_that_lies_among_the_models_is_not_taken_for_their_mount() {
    let compose = "services:
  llm:
    image: acme/gpu
    entrypoint: [sh, /models/run.sh]
    volumes: ['./models:/models:ro']
";
    let script = "#!/bin/sh\nexec vllm serve /models/vllm/tiny/bf16 \"$@\"\n";
    let sandbox = Sandbox::quickstart().file("compose.yaml", compose).file("models/run.sh", script);
    let run = sandbox.run(&["compose.yaml"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("error["), "{}", run.stdout);
}

#[test]
fn the_models_of_a_preset_file_are_looked_at() {
    let words = "    command: --models-preset /start/models.ini\n";
    let image = "ghcr.io/ggml-org/llama.cpp:server";
    let preset = |name: &str| format!("[reader]\nm = /models/gguf/{name}\nc = 2048\n");
    let whole = preset("tiny-Q4_K_M.gguf");
    let said = opened(image, words, &[("models.ini", &whole)]);
    assert!(said.starts_with("Some(0) llm llm llama.cpp") && said.ends_with("ready"), "{said}");
    let many = opened(image, words, &[("models.ini", &whole.repeat(257))]);
    assert!(many.starts_with("Some(3)"), "{many}");
    let said = opened(image, words, &[("models.ini", &preset("none.gguf"))]);
    assert!(said.starts_with("Some(10)"), "{said}");
}

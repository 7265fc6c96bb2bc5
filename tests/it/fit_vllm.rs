//! Whether vLLM's cache holds one request, and whether its layers can be put on stages.

use crate::sandbox::{Sandbox, repository};

const CONFIG: &str = "models/vllm/tiny/bf16/config.json";

/// The exit code, and what is said of these checks of the quickstart's model as this class.
fn told(image: &str, class: &str, words: &str) -> (i32, String) {
    let config = repository().join("examples/quickstart").join(CONFIG);
    let config = fs_err::read_to_string(config).unwrap().replace("LlamaForCausalLM", class);
    let compose = format!(
        "services:\n  a:\n    image: {image}\n    command: --model /models/vllm/tiny/bf16 {words}\n    \
         volumes: [\"./models:/models:ro\"]\n    shm_size: 1gb\n    gpus: [{{count: 2}}]\n"
    );
    let run = Sandbox::quickstart()
        .file("compose.yaml", compose)
        .file(CONFIG, config)
        .run(&["verify", "--color", "never"]);
    let ids = ["cache-too-small", "tensor-parallel-mismatch"];
    let is_told = |line: &&str| ids.iter().any(|id| line.contains(&format!("[{id}]: ")));
    let lines: Vec<&str> = run.stdout.lines().filter(is_told).collect();
    (run.code.unwrap(), lines.join("\n"))
}

#[test]
fn a_model_that_cannot_be_put_on_stages_is_an_error_where_the_release_is_known() {
    let says = "[tensor-parallel-mismatch]: `/models/vllm/tiny/bf16` is a `Gemma3nForCausalLM`, of \
                which vLLM cannot put the layers on several stages";
    for (image, class, words, severity) in [
        ("vllm/vllm-openai:v0.12.0", "Gemma3nForCausalLM", "-pp 2", "error"),
        ("vllm/vllm-openai:latest", "Gemma3nForCausalLM", "-pp 2", "warning"),
        ("vllm/vllm-openai:v0.12.0", "Gemma3nForCausalLM", "-pp 1", ""),
        ("vllm/vllm-openai:v0.12.0", "LlamaForCausalLM", "-pp 2", ""),
        ("vllm/vllm-openai:v0.12.0", "Gemma3nForCausalLM", "-pp 2 --model-impl transformers", ""),
    ] {
        let (_, text) = told(image, class, words);
        let expected =
            if severity.is_empty() { String::new() } else { format!("{severity}{says}") };
        assert_eq!(text, expected, "{image} {class} {words}");
    }
}

#[test]
fn a_cache_that_holds_no_request_is_an_error_of_releases_that_were_read() {
    // 2 layers x 2 heads x 2 x 16 numbers of two bytes are 256 bytes a token.
    let says = "[cache-too-small]: `--kv-cache-memory-bytes 65535` leaves 64.0 KiB for keys and values, \
                and one request of 256 tokens takes 64.0 KiB";
    let words = "--max-model-len 256 --kv-cache-memory-bytes 65535";
    for (image, severity) in [
        ("vllm/vllm-openai:v0.28.0", "error"),
        ("vllm/vllm-openai:latest", "error"),
        ("vllm/vllm-openai:v0.99.0", "warning"),
        ("registry.example/our/vllm-openai:3", "warning"),
    ] {
        let (_, text) = told(image, "LlamaForCausalLM", words);
        assert_eq!(text, format!("{severity}{says}"), "{image}");
    }
    let enough = "--max-model-len 256 --kv-cache-memory-bytes 65536";
    assert_eq!(told("vllm/vllm-openai:v0.28.0", "LlamaForCausalLM", enough).1, "");
    assert_eq!(told("vllm/vllm-openai:v0.28.0", "NobodyKnowsForCausalLM", words).1, "");
}

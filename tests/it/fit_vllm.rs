//! Whether vLLM's cache holds one request, and whether layers can be put on stages and quantised ones on ranks.

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

/// What is said of the quickstart's model on two ranks, if it were quantised so.
fn quantised(image: &str, command: &str, quantization: &str) -> (i32, String) {
    let config = repository().join("examples/quickstart").join(CONFIG);
    let config = fs_err::read_to_string(config).unwrap();
    let config = config.replacen('{', &format!("{{\"quantization_config\": {quantization},"), 1);
    let compose = format!(
        "services:\n  a:\n    image: {image}\n    command: {command}\n    volumes: \
         [\"./models:/models:ro\"]\n    shm_size: 1gb\n    gpus: [{{count: 2}}]\n"
    );
    let run = Sandbox::quickstart()
        .file("compose.yaml", compose)
        .file(CONFIG, config)
        .run(&["verify", "--color", "never"]);
    let is_told = |line: &&str| line.contains("[tensor-parallel-mismatch]: ");
    let lines: Vec<&str> = run.stdout.lines().filter(is_told).collect();
    (run.code.unwrap(), lines.join("\n"))
}

#[test]
fn a_rank_gets_whole_groups_and_blocks_where_the_engine_wants_them() {
    let vllm = |quantization: &str| {
        let command = "--model /models/vllm/tiny/bf16 -tp 2";
        quantised("vllm/vllm-openai:v0.12.0", command, quantization)
    };
    let compressed = |group: u64, order: &str| {
        format!(
            "{{\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", \"ignore\": \
             [\"lm_head\"], \"config_groups\": {{\"group_0\": {{\"targets\": [\"Linear\"], \
             \"input_activations\": null, \"weights\": {{\"num_bits\": 4, \"type\": \"int\", \
             \"strategy\": \"group\", \"group_size\": {group}, \"actorder\": {order}}}}}}}}}"
        )
    };
    let refused = |width: u64, of: &str, piece: u64| {
        format!(
            "error[tensor-parallel-mismatch]: `/models/vllm/tiny/bf16` is quantised in pieces of {piece}, \
             and each of 2 devices would get {} of the {width} of its `{of}`, which is no whole number of \
             them",
            width / 2
        )
    };
    let cut = refused(128, "intermediate_size", 128);
    assert_eq!(vllm(&compressed(128, "null")), (21, cut.clone()));
    assert_eq!(vllm(&compressed(64, "null")), (21, refused(64, "attention", 64)));
    assert_eq!(vllm(&compressed(32, "null")).1, "");
    assert_eq!(vllm(&compressed(128, "\"group\"")).1, "");
    let sglang = |tag: &str, quantization: &str| {
        let command =
            "python3 -m sglang.launch_server --model-path /models/vllm/tiny/bf16 --tp-size 2";
        quantised(&format!("lmsysorg/sglang:{tag}"), command, quantization)
    };
    let blocks = "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}";
    assert_eq!(sglang("v0.5.2", blocks), (21, cut));
    // Of older releases that is not known, and groups are not judged.
    assert_eq!(sglang("v0.4.0", blocks).1, "");
    assert_eq!(sglang("v0.5.2", &compressed(128, "null")).1, "");
    let small = "{\"quant_method\": \"fp8\", \"weight_block_size\": [16, 16]}";
    assert_eq!(sglang("v0.5.2", small).1, "");
}

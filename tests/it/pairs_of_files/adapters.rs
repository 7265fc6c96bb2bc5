//! Adapters in the layout of the hub. What vLLM does is what its source says: `lora/peft_helper.py` and
//! `lora/layers/base_linear.py` of the releases that are named.

use crate::sandbox::Sandbox;

/// The quickstart's folder for vLLM: width 64, two layers.
const BASE: &str = "/models/vllm/tiny/bf16";

/// A safetensors file of zeros with these tensors of two extents.
fn tensors(shapes: &[(&str, [u64; 2])]) -> Vec<u8> {
    let mut end = 0;
    let mut document = serde_json::Map::new();
    for (name, shape) in shapes {
        let begin = end;
        end += shape[0] * shape[1] * 2;
        let offsets = serde_json::json!([begin, end]);
        let info = serde_json::json!({"dtype": "BF16", "shape": shape, "data_offsets": offsets});
        document.insert((*name).to_owned(), info);
    }
    let header = serde_json::to_vec(&document).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(&header);
    bytes.resize(bytes.len() + usize::try_from(end).unwrap(), 1);
    bytes
}

/// An adapter of that rank for a model of that width.
fn adapter(rank: u64, width: u64) -> Vec<u8> {
    let at = "base_model.model.model.layers.0.self_attn";
    tensors(&[
        (&format!("{at}.q_proj.lora_A.weight"), [rank, width]),
        (&format!("{at}.q_proj.lora_B.weight"), [width, rank]),
    ])
}

/// A vLLM of that release that is given `words`, and an adapter that says `more` of itself.
fn stack(tag: &str, words: &str, more: &str, weights: Vec<u8>) -> Sandbox {
    let config = format!(
        r#"{{"peft_type":"LORA","base_model_name_or_path":"o/base","lora_alpha":16,
            "target_modules":["q_proj"],{more}}}"#
    );
    Sandbox::quickstart()
        .file(
            "compose.yaml",
            format!(
                "services:\n  llm:\n    image: vllm/vllm-openai:{tag}\n    command: --model {BASE} \
                 --max-model-len 128 {words}\n    volumes: ['./models:/models:ro']\n    \
                 gpus: all\n"
            ),
        )
        .file("models/lora/adapter_config.json", config)
        .file("models/lora/adapter_model.safetensors", weights)
}

/// The exit code and what the first finding of the report says.
fn check(sandbox: &Sandbox, code: i32, says: &str) {
    let run = sandbox.run(&["verify"]);
    let told = run.stdout.lines().find(|line| line.contains("]: ")).unwrap_or_default();
    assert_eq!(run.code, Some(code), "{says}\n{}", run.stdout);
    let is_so = if says.is_empty() { told.is_empty() } else { told.contains(says) };
    assert!(is_so, "{says}\n{}", run.stdout);
}

const WORDS: &str = "--enable-lora --lora-modules x=/models/lora";

#[test]
fn a_rank_is_at_most_the_one_that_is_allowed() {
    let of = |tag: &str, rank: u64, more: &str| {
        let says = format!(r#""r":{rank}"#);
        stack(tag, &format!("{WORDS}{more}"), &says, adapter(rank, 64))
    };
    check(&of("v0.12.0", 16, ""), 0, "");
    check(
        &of("v0.12.0", 64, ""),
        17,
        "error[adapter-refused]: the adapter `/models/lora` has the rank 64, and without \
         `--max-lora-rank` 16 is the limit",
    );
    check(&of("v0.12.0", 64, " --max-lora-rank 64"), 0, "");
    check(&of("v0.12.0", 64, " --max-lora-rank 32"), 17, "and `--max-lora-rank` is 32");
    check(&of("latest", 64, ""), 17, "error[adapter-refused]");
    // It loads them with the first request.
    check(&of("v0.6.6", 64, ""), 0, "warning[adapter-refused]");
}

#[test]
fn the_ranks_of_single_modules_count_where_the_release_reads_them() {
    let says = r#""r":8,"rank_pattern":{"q_proj":32}"#;
    check(&stack("v0.12.0", WORDS, says, adapter(8, 64)), 0, "");
    check(&stack("v0.32.0", WORDS, says, adapter(8, 64)), 17, "has the rank 32");
}

#[test]
fn what_an_adapter_was_trained_with_is_supported_by_the_release() {
    let of = |tag: &str, says: &str| stack(tag, WORDS, &format!(r#""r":8,{says}"#), adapter(8, 64));
    let says = "which vLLM does not support";
    check(&of("v0.12.0", r#""use_dora":true"#), 17, says);
    check(&of("v0.12.0", r#""use_dora":false,"bias":"none","modules_to_save":null"#), 0, "");
    check(&of("v0.12.0", r#""bias":"all""#), 17, says);
    check(&of("v0.9.2", r#""bias":"all""#), 0, "");
    check(&of("latest", r#""bias":"all""#), 0, "warning[adapter-refused]");
    check(&of("v0.32.0", r#""modules_to_save":["lm_head"]"#), 17, says);
    check(&of("v0.12.0", r#""modules_to_save":["score"]"#), 17, says);
    check(&of("v0.32.0", r#""modules_to_save":["score"]"#), 0, "");
    check(&of("v0.12.0", r#""init_lora_weights":"pissa""#), 0, "");
    check(&of("v0.32.0", r#""init_lora_weights":"pissa""#), 17, says);
    check(&of("v0.32.0", r#""init_lora_weights":true"#), 0, "");
    check(&of("v0.99.0", r#""use_dora":true"#), 0, "warning[adapter-refused]");
}

#[test]
fn an_adapter_has_the_width_of_its_model() {
    let of = |width: u64| stack("v0.12.0", WORDS, r#""r":8"#, adapter(8, width));
    check(&of(64), 0, "");
    check(
        &of(128),
        11,
        "error[files-do-not-fit]: the adapter `/models/lora` was made for a model of width 128 \
         (`o/base`), and the lane's model has the width 64",
    );
    // It is copied into a part of what is kept for it.
    check(&of(32), 0, "warning[files-do-not-fit]");
}

#[test]
fn a_model_is_no_adapter_and_an_adapter_no_model() {
    let words = format!("--enable-lora --lora-modules x={BASE}");
    check(
        &stack("v0.12.0", &words, r#""r":8"#, adapter(8, 64)),
        11,
        "is a model of the architecture `LlamaForCausalLM` and no adapter",
    );
    let words = "--enable-lora --lora-modules x=/models/empty";
    let missing = stack("v0.12.0", words, r#""r":8"#, adapter(8, 64)).file("models/empty/x", "");
    check(&missing, 10, "`/models/empty/adapter_config.json` is not there");
    // Both configurations: the one that the folder is opened for counts.
    let both = stack("v0.12.0", WORDS, r#""r":64"#, adapter(64, 64))
        .file("models/lora/config.json", r#"{"architectures":["LlamaForCausalLM"]}"#);
    check(&both, 17, "has the rank 64");
    for (image, word, code) in [
        ("vllm/vllm-openai:v0.12.0", "--model", 11),
        ("lmsysorg/sglang:v0.5.15", "python3 -m sglang.launch_server --model-path", 11),
        ("ghcr.io/huggingface/text-embeddings-inference:1.8", "--model-id", 11),
        ("ghcr.io/huggingface/text-generation-inference:3.3.4", "--model-id", 11),
        ("ghcr.io/huggingface/text-generation-inference:2.2.0", "--model-id", 0),
    ] {
        let alone = stack("v0.12.0", "", r#""r":8"#, adapter(8, 64)).file(
            "compose.yaml",
            format!(
                "services:\n  llm:\n    image: {image}\n    command: {word} /models/lora\n    \
                 volumes: ['./models:/models:ro']\n"
            ),
        );
        let says = if code == 0 { "" } else { "is an adapter, and" };
        let run = alone.run(&["verify"]);
        assert_eq!(run.code, Some(code), "{image}\n{}", run.stdout);
        assert!(run.stdout.contains(says), "{image}\n{}", run.stdout);
    }
}

/// A TGI of that release that is given the folder of an adapter alone.
fn merged(tag: &str, base: &str, weights: &str, environment: &str) -> Sandbox {
    let compose = format!(
        "services:\n  llm:\n    image: ghcr.io/huggingface/text-generation-inference:{tag}\n    \
         command: --model-id /models/lora\n    environment: {{{environment}}}\n    \
         volumes: ['./models:/models']\n"
    );
    Sandbox::quickstart()
        .file("compose.yaml", compose)
        .file("models/lora/adapter_config.json", format!(r#"{{"peft_type":"LORA"{base}}}"#))
        .file(&format!("models/lora/{weights}"), adapter(8, 64))
}

#[test]
fn tgi_merges_an_adapter_unless_it_takes_its_weights_for_those_of_a_model() {
    let (stored, base) = ("adapter_model.safetensors", r#","base_model_name_or_path":"o/base""#);
    let taken = "is an adapter, and TGI takes its `adapter_model.safetensors` for the weights";
    check(&merged("3.3.4", base, stored, ""), 11, taken);
    check(&merged("2.3.1", base, stored, ""), 11, taken);
    check(&merged("latest", base, stored, ""), 0, taken);
    let of = |name: &str| format!("merges it at its start into `{name}`");
    check(&merged("2.2.0", base, stored, ""), 0, &of("o/base"));
    check(&merged("2.2.0", base, stored, "HF_HUB_OFFLINE: 1"), 0, "the hub is not asked");
    check(&merged("2.2.0", base, stored, ""), 0, "which it downloads when it starts");
    let at = r#","base_model_name_or_path":"/base""#;
    check(&merged("2.2.0", at, stored, ""), 0, &of("/base"));
    check(&merged("2.2.0", "", stored, ""), 11, "does not say for which model it was made");
}

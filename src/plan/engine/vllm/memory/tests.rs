use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::plan::engine::invocation;
use crate::plan::engine::memory::Gathering;
use crate::project::Service;
use crate::source_map::Spanned;

const GIB: u64 = 1 << 30;

/// How a container of `image` with these words behind `--model` is set.
fn sizing(image: &str, words: &str) -> Option<Arc<dyn Sizing>> {
    let words: Vec<&str> = ["--model", "/m"].into_iter().chain(words.split_whitespace()).collect();
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere(image.to_owned()));
    service.command =
        Some(words.into_iter().map(|word| Spanned::nowhere(word.to_owned())).collect());
    invocation(&service)?.sizing
}

fn on_gpu(release: &str, words: &str) -> Arc<dyn Sizing> {
    sizing(&format!("vllm/vllm-openai:{release}"), words).unwrap()
}

fn on_processor(release: &str, words: &str) -> Arc<dyn Sizing> {
    sizing(&format!("vllm/vllm-openai-cpu:{release}"), words).unwrap()
}

/// A model that says this of itself, with these tensors of two bytes a number.
fn model(config: Value, tensors: &[(&str, &[u64])]) -> Checkpoint {
    let Value::Object(config) = config else { unreachable!() };
    let mut gathering = Gathering::default();
    for (name, extents) in tensors {
        gathering.add(name, "BF16", extents, extents.iter().product::<u64>() * 2);
    }
    Checkpoint { config, is_whole: true, tensors: gathering.finish(), ..Checkpoint::default() }
}

/// The model that vLLM 0.32.0 was started with on a processor.
fn tiny() -> Checkpoint {
    let config = json!({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64,
        "torch_dtype": "bfloat16"});
    model(config, &[])
}

/// Llama-3.1-8B, of which each matrix of a layer is given once for all 32.
fn llama() -> Checkpoint {
    let config = json!({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096,
        "intermediate_size": 14336, "vocab_size": 128_256, "torch_dtype": "bfloat16"});
    let of_layer: [(&str, &[u64]); 9] = [
        ("self_attn.q_proj.weight", &[4096, 4096]),
        ("self_attn.k_proj.weight", &[1024, 4096]),
        ("self_attn.v_proj.weight", &[1024, 4096]),
        ("self_attn.o_proj.weight", &[4096, 4096]),
        ("mlp.gate_proj.weight", &[14336, 4096]),
        ("mlp.up_proj.weight", &[14336, 4096]),
        ("mlp.down_proj.weight", &[4096, 14336]),
        ("input_layernorm.weight", &[4096]),
        ("post_attention_layernorm.weight", &[4096]),
    ];
    let mut names: Vec<(String, &[u64])> = vec![
        ("model.embed_tokens.weight".to_owned(), &[128_256, 4096]),
        ("lm_head.weight".to_owned(), &[128_256, 4096]),
        ("model.norm.weight".to_owned(), &[4096]),
    ];
    for layer in 0..32 {
        let named = of_layer
            .iter()
            .map(|(name, extents)| (format!("model.layers.{layer}.{name}"), *extents));
        names.extend(named);
    }
    let tensors: Vec<(&str, &[u64])> =
        names.iter().map(|(name, extents)| (name.as_str(), *extents)).collect();
    model(config, &tensors)
}

fn machine(count: u32) -> Machine {
    Machine { processor: None, devices: Devices::Count(count), memory: None }
}

/// The bounds of one part on one device.
fn part(sizing: &dyn Sizing, model: &Checkpoint, wanted: (Use, Device)) -> (u64, Option<u64>) {
    let loaded = Loaded { checkpoint: Some(model), ..Loaded::default() };
    let parts = sizing.parts(&loaded, &machine(8)).unwrap();
    let part = parts.iter().find(|part| (part.use_for, part.device) == wanted).unwrap();
    (part.low, part.high)
}

#[test]
fn a_cache_that_is_too_small_is_known_with_the_length_that_fits() {
    // vLLM 0.32.0 on a processor refused 90000 with an estimated length of 128, and served 100000.
    let check = |sizing: &dyn Sizing, model: &Checkpoint, expected: Option<(u64, u64, u64)>| {
        let found = sizing.shortage(model);
        assert!(found.iter().all(|found| found.is_certain));
        let found = found.map(|it| (it.there, it.needed, it.longest.unwrap_or_default()));
        assert_eq!(found, expected, "{sizing:?}");
    };
    let of = |release: &str, bytes: u64| {
        on_processor(release, &format!("--max-model-len 256 --kv-cache-memory-bytes {bytes}"))
    };
    check(&*of("v0.32.0", 90_000), &tiny(), Some((57_232, 65_536, 128)));
    check(&*of("v0.32.0", 100_000), &tiny(), None);
    check(&*of("v0.32.0", 98_304), &tiny(), None);
    check(&*of("v0.32.0", 98_303), &tiny(), Some((65_535, 65_536, 128)));
    // Older releases keep no block back, and until 0.11.0 blocks were short.
    check(&*of("v0.28.0", 90_000), &tiny(), None);
    check(&*of("v0.28.0", 65_535), &tiny(), Some((65_535, 65_536, 128)));
    // Of a release that is not known only what holds for all of them is certain.
    check(&*of("latest", 90_000), &tiny(), None);
    check(&*of("latest", 65_535), &tiny(), Some((65_535, 65_536, 0)));
}

#[test]
fn blocks_that_are_counted_are_held_against_a_request_since_a_release_does_so() {
    let of = |release: &str, blocks: u64| {
        let words = format!("--max-model-len 256 --num-gpu-blocks-override {blocks}");
        on_processor(release, &words).shortage(&tiny()).map(|it| (it.said.value, it.longest))
    };
    assert_eq!(of("v0.32.0", 3), None);
    assert_eq!(of("v0.32.0", 2), Some(("2".to_owned(), Some(128))));
    assert_eq!(of("v0.28.0", 2), None);
    assert_eq!(of("v0.28.0", 1), Some(("1".to_owned(), Some(128))));
    assert_eq!(of("v0.19.1", 1), None);
}

#[test]
fn nothing_is_said_of_a_model_whose_class_or_numbers_are_not_known() {
    let sizing = on_processor("v0.32.0", "--max-model-len 256 --kv-cache-memory-bytes 1");
    let other = |key: &str, value: Value| {
        let mut checkpoint = tiny();
        checkpoint.config.insert(key.to_owned(), value);
        sizing.shortage(&checkpoint)
    };
    assert_eq!(other("architectures", json!(["NobodyKnowsForCausalLM"])), None);
    assert_eq!(other("num_hidden_layers", Value::Null), None);
    assert!(other("num_key_value_heads", Value::Null).is_some());
    let overridden = on_processor(
        "v0.32.0",
        "--max-model-len 256 --kv-cache-memory-bytes 1 --hf-overrides {\"num_hidden_layers\":1}",
    );
    assert_eq!(overridden.shortage(&tiny()), None);
    let fitted = on_processor("v0.32.0", "--max-model-len auto --kv-cache-memory-bytes 1");
    assert_eq!(fitted.shortage(&tiny()), None);
}

#[test]
fn the_cache_of_a_rank_is_what_one_request_needs() {
    // 32 layers x 8 heads x 128 x 2 x 2 bytes = 131072 for each token.
    let cache = |words: &str, rank: u32| {
        part(&*on_gpu("v0.28.0", words), &llama(), (Use::Cache, Device::Gpu(rank)))
    };
    let tokens = 32_768 * 131_072;
    assert_eq!(cache("--max-model-len 32768", 0), (tokens, Some(tokens)));
    assert_eq!(cache("--max-model-len 32768 --kv-cache-dtype fp8", 0).0, tokens / 2);
    assert_eq!(cache("--max-model-len 32768 -tp 4", 3).0, tokens / 4);
    // More ranks than heads of keys and values: each keeps one.
    assert_eq!(cache("--max-model-len 32768 -tp 16", 15).0, tokens / 8);
    assert_eq!(cache("--max-model-len 32768 -pp 2", 1).0, tokens / 2);
    assert_eq!(cache("--max-model-len 1000", 0).0, 1008 * 131_072);
    assert_eq!(cache("--max-model-len 1000 --block-size 128", 0).0, 1024 * 131_072);
    assert_eq!(cache("--max-model-len 1k --kv-cache-memory-bytes 1G", 0), (GIB, Some(GIB)));
    assert_eq!(cache("--max-model-len auto", 0).0, 16 * 131_072);
    // A quantised model may say by itself that keys and values are smaller.
    let packed = Checkpoint { is_packed: true, ..llama() };
    let of_packed =
        |words: &str| part(&*on_gpu("v0.28.0", words), &packed, (Use::Cache, Device::Gpu(0)));
    assert_eq!(of_packed("--max-model-len 32768"), (tokens / 2, Some(tokens)));
    assert_eq!(of_packed("--max-model-len 32768 --kv-cache-dtype bfloat16").0, tokens);
    // The block that is kept back.
    let newer = on_gpu("v0.29.0", "--max-model-len 32768 --block-size 16");
    let newer = part(&*newer, &llama(), (Use::Cache, Device::Gpu(0)));
    assert_eq!(newer, (tokens, Some(tokens + 16 * 131_072)));
}

#[test]
fn the_weights_of_a_rank_are_its_share() {
    let all = llama().bytes();
    assert_eq!(all, 16_060_522_496);
    let weights = |words: &str, rank: u32| {
        part(&*on_gpu("v0.28.0", words), &llama(), (Use::Weights, Device::Gpu(rank))).0
    };
    assert_eq!(weights("", 0), all);
    let norms = (32 * 2 + 1) * 4096 * 2;
    assert_eq!(weights("-tp 2", 1), (all - norms) / 2 + norms);
    // Sixteen ranks: each has one of the eight heads of keys and values.
    let keys = 32 * 2 * 1024 * 4096 * 2;
    assert_eq!(weights("-tp 16", 7), (all - norms - keys) / 16 + keys / 8 + norms);
    let embedding = 128_256 * 4096 * 2;
    let final_norm = 4096 * 2;
    let half = (all - 2 * embedding - final_norm) / 2;
    assert_eq!(weights("-pp 2", 0), half + embedding);
    assert_eq!(weights("-pp 2", 1), half + embedding);
    assert_eq!(weights("--cpu-offload-gb 10", 0), all - 10 * GIB);
    assert_eq!(weights("--offload-group-size 4", 0), 0);
    assert_eq!(weights("--dtype float32", 0), 2 * all);
    assert_eq!(
        weights("--quantization fp8", 0),
        (all - 2 * embedding - norms) / 2 + 2 * embedding + norms
    );
}

#[test]
fn experts_are_divided_among_copies_as_well() {
    let config = json!({"architectures": ["MixtralForCausalLM"], "num_hidden_layers": 1});
    let expert: &[u64] = &[128, 64];
    let names = ["w1", "w2", "w3"].map(|it| format!("model.layers.0.mlp.experts.0.{it}.weight"));
    let tensors: Vec<(&str, &[u64])> = names.iter().map(|name| (name.as_str(), expert)).collect();
    let mixtral = model(config, &tensors);
    let low =
        |words: &str| part(&*on_gpu("v0.28.0", words), &mixtral, (Use::Weights, Device::Gpu(0))).0;
    assert_eq!(low("-tp 2"), 3 * 128 * 64);
    assert_eq!(low("-tp 2 --data-parallel-size 2"), 3 * 128 * 32);
}

#[test]
fn of_a_class_that_is_not_known_every_rank_has_an_equal_part_at_least() {
    let mut other = llama();
    other.config.insert("architectures".to_owned(), json!(["NobodyKnowsForCausalLM"]));
    let (low, high) = part(&*on_gpu("v0.28.0", "-tp 4"), &other, (Use::Weights, Device::Gpu(0)));
    assert!(other.bytes() / 4 - 1000 < low && low <= other.bytes() / 4, "{low}");
    assert!(high.unwrap() >= other.bytes());
    let cache = part(&*on_gpu("v0.28.0", "-tp 4"), &other, (Use::Cache, Device::Gpu(0)));
    assert_eq!(cache, (0, None));
}

#[test]
fn the_longest_request_that_fits_leaves_room_for_everything_else() {
    let sizing = on_gpu("v0.28.0", "--max-model-len 131072");
    let model = llama();
    let loaded = Loaded { checkpoint: Some(&model), ..Loaded::default() };
    let largest = |bytes: u64| {
        let room = [Room { device: Device::Gpu(0), bytes }];
        sizing.largest(&loaded, &machine(1), &room).map(|largest| (largest.flag, largest.value))
    };
    let weights = model.bytes() + model.bytes() / 50;
    let beside = BESIDE + weights / 20;
    let flag = "--max-model-len".to_owned();
    assert_eq!(
        largest(weights + beside + 1000 * 131_072),
        Some((flag.clone(), (7 * 128).to_string()))
    );
    assert_eq!(largest(weights + beside), None);
    assert_eq!(largest(weights + beside + 131_072 * 131_072), None);
    assert_eq!(sizing.claim(), Some(Claim { share: crate::plan::engine::Share(920_000) }));
    assert_eq!(on_processor("v0.28.0", "").claim(), None);
}

/// A model of four layers, of which the last attends: its state takes as much as 1072 tokens of a layer.
fn linear() -> Checkpoint {
    let config = json!({"architectures": ["Qwen3NextForCausalLM"], "num_hidden_layers": 4,
        "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 128,
        "hidden_size": 2048, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
        "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
        "torch_dtype": "bfloat16"});
    model(config, &[])
}

#[test]
fn blocks_grow_until_keys_and_values_take_no_less_than_a_state() {
    let cache = |release: &str, words: &str| {
        let words = format!("--max-model-len 32768 --block-size 64 {words}");
        part(&*on_gpu(release, &words), &linear(), (Use::Cache, Device::Gpu(0)))
    };
    // Blocks of 1088 tokens, and 31 of them for the request.
    let page = 1088 * 1024;
    let exactly = |blocks: u64| (blocks * page, Some(blocks * page));
    assert_eq!(cache("v0.28.0", "--no-enable-prefix-caching"), exactly(3 + 31));
    // Prefixes are cached where nobody says so, with two states for each layer that has them.
    assert_eq!(cache("v0.28.0", ""), exactly(3 * 2 + 31));
    assert_eq!(cache("v0.25.1", ""), exactly(3 + 31));
    // Older ones grow by the tokens of the kernels. Of 0.18.1 only the first of the groups counts, and it is
    // one of states; 0.12.0 counts each layer.
    let page = 1072 * 1024;
    assert_eq!(cache("v0.18.1", ""), (page, Some(page)));
    assert_eq!(cache("v0.12.0", ""), (34 * page, Some(34 * page)));
    let (low, high) = cache("latest", "");
    assert!(low <= 1088 * 1024 && exactly(37).1 <= high, "{low} {high:?}");
}

#[test]
fn of_a_context_that_is_made_to_fit_the_longest_is_told() {
    let sizing = on_gpu("v0.28.0", "--max-model-len auto");
    let mut model = llama();
    model.positions.lengths = vec![("max_position_embeddings", 131_072)];
    let loaded = Loaded { checkpoint: Some(&model), ..Loaded::default() };
    let largest = |bytes: u64| {
        let room = [Room { device: Device::Gpu(0), bytes }];
        sizing.largest(&loaded, &machine(1), &room).map(|largest| largest.value)
    };
    let weights = model.bytes() + model.bytes() / 50;
    let beside = BESIDE + weights / 20;
    assert!(sizing.is_fitted());
    assert_eq!(largest(weights + beside + 1000 * 131_072).as_deref(), Some("896"));
    assert_eq!(largest(weights + beside + 200_000 * 131_072).as_deref(), Some("131072"));
    assert_eq!(largest(weights + beside), None);
    assert!(!on_gpu("v0.28.0", "--max-model-len 4096").is_fitted());
}

#[test]
fn a_model_that_is_asked_for_vectors_keeps_what_its_class_keeps() {
    let cache = |words: &str, config: &[(&str, Value)]| {
        let mut model = llama();
        model.config.extend(config.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let loaded = Loaded { checkpoint: Some(&model), ..Loaded::default() };
        let parts = on_gpu("v0.28.0", &format!("--max-model-len 1024 {words}"));
        let parts = parts.parts(&loaded, &machine(1)).unwrap();
        let part = parts.into_iter().find(|part| part.use_for == Use::Cache);
        part.map(|part| (part.low, part.high))
    };
    let class = |name: &str| ("architectures", json!([name]));
    let one = 1024 * 131_072;
    assert_eq!(cache("", &[]), Some((one, Some(one))));
    // How it is asked for vectors makes no difference.
    assert_eq!(cache("--runner pooling", &[]), Some((0, Some(one))));
    assert_eq!(cache("--task embed", &[]), Some((0, Some(one))));
    assert_eq!(cache("", &[class("LlamaModel")]), Some((0, Some(one))));
    assert_eq!(cache("", &[class("Qwen3ForSequenceClassification")]), Some((0, Some(one))));
    // What looks both ways keeps nothing.
    assert_eq!(cache("--runner pooling", &[("is_causal", json!(false))]), None);
    assert_eq!(cache("", &[class("XLMRobertaModel")]), None);
    let both = ("use_bidirectional_attention", json!(true));
    assert_eq!(cache("--runner pooling", &[class("Gemma3TextModel"), both]), None);
    // Of what is not known nothing is said.
    assert_eq!(cache("--task embed", &[class("NobodyKnowsModel")]), Some((0, None)));
}

#[test]
fn what_kvplan_publishes_of_llama_on_an_l4_stands_beside_what_is_told_of_it() {
    // kvplan 0.1.1: 20.69 GiB of the card, weights of 14.96 GiB, 131072 bytes a token, 0.83 GiB beside.
    let model = llama();
    assert_eq!((model.bytes() * 100).div_ceil(GIB), 1496);
    let loaded = Loaded { checkpoint: Some(&model), ..Loaded::default() };
    let room = [Room { device: Device::Gpu(0), bytes: 2069 * GIB / 100 }];
    let bounds = |words: &str| {
        let parts = on_gpu("v0.28.0", words).parts(&loaded, &machine(1)).unwrap();
        let low = parts.iter().map(|part| part.low).sum::<u64>();
        (
            low <= room[0].bytes,
            parts.iter().map(|part| part.high.unwrap()).sum::<u64>() <= room[0].bytes,
        )
    };
    // One request of all tokens takes 16 GiB; theirs fits if what is beside is no more than they estimate.
    assert_eq!(bounds("--max-model-len 131072"), (false, false));
    assert_eq!(bounds("--max-model-len 40192"), (true, false));
    assert_eq!(bounds("--max-model-len 19200"), (true, true));
    // Newer releases keep one block back.
    for (release, longest) in [("v0.28.0", "19328"), ("v0.33.0", "19200")] {
        let sizing = on_gpu(release, "--max-model-len 131072");
        let largest = sizing.largest(&loaded, &machine(1), &room).unwrap();
        assert_eq!(largest.value, longest, "{release}");
    }
}

use super::*;
use crate::facts::model::huggingface::Pieces;
use crate::plan::engine::Engine;

/// Qwen2.5-72B-Instruct.
fn qwen() -> Config {
    Config {
        heads: Some(64),
        heads_kv: Some(8),
        hidden_size: Some(8192),
        intermediate_size: Some(29_568),
        vocab_size: Some(152_064),
        ..Config::default()
    }
}

fn splitting<'a>(config: &'a Config, class: &str) -> Splitting<'a> {
    let rules = Engine::Vllm.command_line().tensor_parallel.unwrap();
    let family = rules.family(class);
    Splitting {
        config,
        family,
        pieces: family.map_or(WholePieces::None, |family| family.pieces),
        quantization: None,
        whole_experts: false,
        whole_attention: false,
        padded: false,
    }
}

fn told(config: &Config, class: &str, ranks: u64) -> String {
    splitting(config, class).uneven(ranks).map(|uneven| uneven.told(ranks)).unwrap_or_default()
}

#[test]
fn heads_are_split_evenly_in_every_model() {
    for (ranks, is_even) in [(0, true), (1, true), (2, true), (3, false), (64, true), (128, false)]
    {
        assert_eq!(told(&qwen(), "SomethingForCausalLM", ranks).is_empty(), is_even, "{ranks}");
    }
    assert_eq!(
        told(&qwen(), "SomethingForCausalLM", 3),
        "has 64 attention heads, which cannot be split over 3 devices"
    );
}

#[test]
fn heads_of_keys_are_divided_or_repeated() {
    let config = Config { heads: Some(24), heads_kv: Some(8), ..Config::default() };
    for (ranks, is_even) in [(2, true), (4, true), (8, true), (24, true), (3, false), (12, false)] {
        assert_eq!(told(&config, "LlamaForCausalLM", ranks).is_empty(), is_even, "{ranks}");
    }
    assert_eq!(told(&config, "SomethingForCausalLM", 3), "");
    assert_eq!(
        told(&config, "LlamaForCausalLM", 3),
        "has 8 heads of keys and values, which 3 devices can neither divide nor repeat evenly"
    );
}

#[test]
fn other_engines_split_layers_by_rules_of_their_own() {
    let config = Config {
        heads: Some(24),
        heads_kv: Some(8),
        intermediate_size: Some(8190),
        vocab_size: Some(32_000),
        ..Config::default()
    };
    let check = |engine: Engine, class: &str, ranks: u64, expected: &str| {
        let rules = engine.command_line().tensor_parallel.unwrap();
        let splitting = Splitting { family: rules.family(class), ..splitting(&config, class) };
        let found = splitting.uneven(ranks).map(|uneven| uneven.told(ranks)).unwrap_or_default();
        assert_eq!(found, expected, "{engine:?} {class} {ranks}");
    };
    let keys =
        "has 8 heads of keys and values, which 12 devices can neither divide nor repeat evenly";
    check(Engine::Sglang, "Qwen3ForCausalLM", 12, keys);
    let width = "has an `intermediate_size` of 8190, which cannot be split over 24 devices";
    check(Engine::Sglang, "Qwen3ForCausalLM", 24, width);
    check(Engine::Sglang, "SomethingForCausalLM", 12, "");
    // TGI repeats none.
    let keys = "has 8 heads of keys and values, which cannot be split over 24 devices";
    check(Engine::Tgi, "LlamaForCausalLM", 24, keys);
    let width = "has an `intermediate_size` of 8190, which cannot be split over 4 devices";
    check(Engine::Tgi, "LlamaForCausalLM", 4, width);
    check(Engine::Tgi, "LlamaForCausalLM", 2, "");
    check(Engine::Tgi, "Qwen2ForCausalLM", 24, "");
}

#[test]
fn widths_and_the_vocabulary_are_split_where_the_family_is_known() {
    let config = |width, vocabulary| Config {
        heads: Some(12),
        heads_kv: Some(12),
        intermediate_size: Some(width),
        vocab_size: Some(vocabulary),
        ..Config::default()
    };
    assert_eq!(
        told(&config(11_008, 32_064), "LlamaForCausalLM", 3),
        "has an `intermediate_size` of 11008, which cannot be split over 3 devices"
    );
    assert_eq!(
        told(&config(11_013, 32_000), "LlamaForCausalLM", 3),
        "has a vocabulary of 32000 tokens, padded to 64, which cannot be split over 3 devices"
    );
    // 32001 is padded to 32064, which is divisible by 3.
    assert_eq!(told(&config(11_013, 32_001), "LlamaForCausalLM", 3), "");
    assert_eq!(told(&config(11_008, 32_000), "SomethingForCausalLM", 3), "");
}

#[test]
fn experts_are_split_unless_they_are_whole() {
    let config = Config {
        heads: Some(12),
        heads_kv: Some(6),
        expert_size: Some(770),
        intermediate_size: Some(6144),
        ..Config::default()
    };
    assert_eq!(
        told(&config, "Qwen3MoeForCausalLM", 3),
        "has an `moe_intermediate_size` of 770, which cannot be split over 3 devices"
    );
    let whole = Splitting { whole_experts: true, ..splitting(&config, "Qwen3MoeForCausalLM") };
    assert_eq!(whole.uneven(3), None);
}

#[test]
fn groups_and_blocks_are_not_cut() {
    let quantised = |method: &str, pieces: Pieces| Config {
        quantization: Some(method.to_owned()),
        pieces,
        ..qwen()
    };
    let grouped = Pieces { group: Some(128), ..Pieces::default() };
    let awq = quantised("awq", grouped.clone());
    // 29568 is 231 groups.
    assert!(!told(&awq, "Qwen2ForCausalLM", 2).is_empty());
    let smaller = Config { intermediate_size: Some(29_696), ..awq.clone() };
    assert_eq!(told(&smaller, "Qwen2ForCausalLM", 8), "");
    let eight = splitting(&awq, "Qwen2ForCausalLM").uneven(8).unwrap();
    assert!(eight.is_certain());
    assert_eq!(
        eight.told(8),
        "is quantised in pieces of 128, and each of 8 devices would get 3696 of the 29568 of its \
         `intermediate_size`, which is no whole number of them"
    );
    let compressed = quantised("compressed-tensors", grouped.clone());
    let eight = splitting(&compressed, "Qwen2ForCausalLM").uneven(8).unwrap();
    assert!(eight.is_certain());
    let gptq = quantised("gptq", grouped.clone());
    assert!(!splitting(&gptq, "Qwen2ForCausalLM").uneven(8).unwrap().is_certain());
    let irregular = Pieces { irregular: true, ..grouped };
    assert_eq!(told(&quantised("awq", irregular), "Qwen2ForCausalLM", 8), "");
    // Qwen3-235B-A22B-FP8.
    let blocks = Config {
        heads: Some(64),
        heads_kv: Some(4),
        head_dim: Some(128),
        expert_size: Some(1536),
        ..quantised("fp8", Pieces { block: Some([128, 128]), ..Pieces::default() })
    };
    assert_eq!(told(&blocks, "Qwen3MoeForCausalLM", 4), "");
    assert_eq!(
        told(&blocks, "Qwen3MoeForCausalLM", 8),
        "is quantised in pieces of 128, and each of 8 devices would get 192 of the 1536 of its \
         `moe_intermediate_size`, which is no whole number of them"
    );
}

#[test]
fn another_engine_wants_whole_blocks_and_cuts_groups() {
    // Each of four heads of 64 is half of a block, and 29568 is 231 of them.
    let blocks = Pieces { block: Some([128, 128]), ..Pieces::default() };
    let config = |method: &str, pieces: Pieces| Config {
        quantization: Some(method.to_owned()),
        pieces,
        ..qwen()
    };
    let rules = Engine::Sglang.command_line().tensor_parallel.unwrap();
    let family = rules.family("Qwen2ForCausalLM");
    let told = |config: &Config, pieces: WholePieces| {
        let splitting = Splitting { family, pieces, ..splitting(config, "Qwen2ForCausalLM") };
        splitting.uneven(8).map(|uneven| uneven.told(8)).unwrap_or_default()
    };
    let own = family.unwrap().pieces;
    assert_eq!(
        told(&config("fp8", blocks.clone()), own),
        "is quantised in pieces of 128, and each of 8 devices would get 3696 of the 29568 of its \
         `intermediate_size`, which is no whole number of them"
    );
    assert_eq!(told(&config("fp8", blocks), WholePieces::None), "");
    let grouped = Pieces { group: Some(128), ..Pieces::default() };
    assert_eq!(told(&config("awq", grouped), own), "");
}

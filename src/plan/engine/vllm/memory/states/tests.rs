use serde_json::json;

use super::*;

fn checkpoint(config: Value) -> Checkpoint {
    let Value::Object(config) = config else { unreachable!() };
    Checkpoint { config, ..Checkpoint::default() }
}

fn state(class: &str, config: Value) -> Option<State> {
    Family::of(class).unwrap().state(&checkpoint(config))
}

/// A letter for each of the layers: attention, state, both, neither.
fn letters(class: &str, config: Value) -> Option<String> {
    let checkpoint = checkpoint(config);
    let family = Family::of(class).unwrap();
    let mixes = family.mixes(&checkpoint, family.count(&checkpoint)?)?;
    let letter = |mix: &Mix| match (mix.attends, mix.carries) {
        (true, false) => 'a',
        (false, true) => 's',
        (true, true) => 'b',
        (false, false) => '-',
    };
    Some(mixes.iter().map(letter).collect())
}

#[test]
fn a_state_is_as_large_as_its_class_makes_it() {
    // Qwen3-Next-80B-A3B: vLLM makes its blocks 544 tokens long, of 2048 bytes each.
    let next = json!({"linear_num_key_heads": 16, "linear_num_value_heads": 32,
        "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4});
    let next = state("Qwen3NextForCausalLM", next).unwrap();
    assert_eq!(next.bytes(1, [16, 16]), (3 * 8192 + 32 * 128 * 128) * 2);
    assert_eq!(next.bytes(1, [16, 16]).div_ceil(16 * 2048) * 16, 544);
    assert_eq!(next.bytes(4, [16, 32]), 3 * 2048 * 2 + 8 * 128 * 128 * 4);
    let jamba =
        json!({"hidden_size": 4096, "mamba_expand": 2, "mamba_d_state": 16, "mamba_d_conv": 4});
    let jamba = state("JambaForCausalLM", jamba).unwrap();
    assert_eq!(jamba.bytes(2, [16, 16]), 4096 * (3 + 16) * 2);
    let short = state("Lfm2ForCausalLM", json!({"conv_dim": 2048, "conv_L_cache": 3})).unwrap();
    assert_eq!(short.bytes(1, [16, 16]), 2 * 2048 * 2);
    let kimi = json!({"linear_attn_config": {"num_heads": 32, "head_dim": 128,
        "short_conv_kernel_size": 4}});
    let kimi = state("KimiLinearForCausalLM", kimi).unwrap();
    assert_eq!(kimi.bytes(1, [16, 32]), 3 * 3 * 4096 * 2 + 4096 * 128 * 4);
    let lightning = json!({"num_attention_heads": 64, "head_dim": 128});
    let lightning = state("MiniMaxText01ForCausalLM", lightning).unwrap();
    assert_eq!(lightning.bytes(8, [16, 16]), 8 * 128 * 128 * 2);
    assert_eq!(state("Lfm2ForCausalLM", json!({"conv_L_cache": 3})), None);
}

#[test]
fn groups_that_cannot_be_divided_are_repeated() {
    let granite = |groups: u64| {
        let config = json!({"hidden_size": 1536, "mamba_expand": 2, "mamba_n_groups": groups,
            "mamba_n_heads": 48, "mamba_d_head": "auto", "mamba_d_state": 128, "mamba_d_conv": 4});
        state("GraniteMoeHybridForCausalLM", config).unwrap()
    };
    let carried = 48 * 64 * 128;
    assert_eq!(granite(1).bytes(1, [16, 16]), (3 * (3072 + 256) + carried) * 2);
    assert_eq!(granite(1).bytes(4, [16, 16]), (3 * (3072 + 4 * 256) + carried) / 4 * 2);
    assert_eq!(granite(8).bytes(4, [16, 16]), (3 * (3072 + 8 * 256) + carried) / 4 * 2);
}

#[test]
fn layers_are_told_apart_by_what_each_configuration_says() {
    let check = |class: &str, config: Value, expected: &str| {
        assert_eq!(letters(class, config).as_deref(), Some(expected), "{class}");
    };
    check("Qwen3NextForCausalLM", json!({"num_hidden_layers": 5}), "sssas");
    let listed =
        json!({"num_hidden_layers": 2, "layer_types": ["full_attention", "linear_attention"]});
    check("Qwen3_5ForConditionalGeneration", json!({"text_config": listed}), "as");
    let jamba = json!({"num_hidden_layers": 8, "attn_layer_period": 8, "attn_layer_offset": 4});
    check("JambaForCausalLM", jamba, "ssssasss");
    check("FalconH1ForCausalLM", json!({"num_hidden_layers": 2}), "bb");
    check("MambaForCausalLM", json!({"num_hidden_layers": 2}), "ss");
    let bamba = json!({"num_hidden_layers": 4, "attn_layer_indices": [1, 3]});
    check("BambaForCausalLM", bamba, "sasa");
    let nemotron = json!({"num_hidden_layers": 5, "hybrid_override_pattern": "M-M*E"});
    check("NemotronHForCausalLM", nemotron, "s-sa-");
    let zamba = json!({"num_hidden_layers": 3, "layers_block_type": ["mamba", "mamba", "hybrid"]});
    check("Zamba2ForCausalLM", zamba, "ssb");
    let kimi = json!({"num_hidden_layers": 4, "linear_attn_config": {"kda_layers": [1, 2, 3]}});
    check("KimiLinearForCausalLM", kimi, "sssa");
    let minimax = json!({"num_hidden_layers": 3, "attn_type_list": [0, 0, 1]});
    check("MiniMaxText01ForCausalLM", minimax, "ssa");
    let unheard = json!({"num_hidden_layers": 1, "layer_types": ["unheard_of"]});
    assert_eq!(letters("Qwen3NextForCausalLM", unheard), None);
    assert_eq!(letters("GraniteMoeHybridForCausalLM", json!({"num_hidden_layers": 2})), None);
}

//! What vLLM refuses about an adapter (lora/peft_helper.py of 0.6.6, 0.8.5, 0.9.2, 0.10.2, 0.11.2, 0.12.0,
//! 0.14.1, 0.16.0, 0.18.1 to 0.33.0; lora/layers/base_linear.py `set_lora`).

use crate::plan::engine::profile::{AdapterRules, Feature, Unfit};

/// The adapters that the command names are loaded before it serves since `init_static_loras`
/// (entrypoints/openai/serving_models.py, 0.8.5, not 0.6.6): before that, with the first request.
pub(super) const RULES: AdapterRules = AdapterRules {
    rank_flag: "--max-lora-rank",
    highest_rank: 16,
    reads_pattern_since: [0, 32, 0],
    loaded_at_start_since: [0, 8, 5],
    newest_read: [0, 33, 0],
    features: &[
        always("use_dora", Unfit::Said),
        always("modules_to_save", Unfit::OtherThan(&["classifier", "score"])),
        Feature {
            key: "modules_to_save",
            unfit: Unfit::Said,
            since: [0, 0, 0],
            until: Some([0, 30, 0]),
        },
        // Until 0.10.2 a flag allows it.
        since([0, 11, 2], "bias", Unfit::OtherThan(&["none"])),
        since([0, 32, 0], "lora_bias", Unfit::Said),
        since([0, 32, 0], "alora_invocation_tokens", Unfit::Said),
        since([0, 32, 0], "layer_replication", Unfit::Said),
        since([0, 32, 0], "use_bdlora", Unfit::Said),
        since([0, 32, 0], "use_qalora", Unfit::Said),
        since(
            [0, 32, 0],
            "init_lora_weights",
            Unfit::OtherThan(&["gaussian", "eva", "orthogonal", "mica", "lora_ga"]),
        ),
    ],
};

const fn always(key: &'static str, unfit: Unfit) -> Feature {
    since([0, 0, 0], key, unfit)
}

const fn since(since: [u32; 3], key: &'static str, unfit: Unfit) -> Feature {
    Feature { key, unfit, since, until: None }
}

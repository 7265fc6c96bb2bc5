//! The types of entries that llama.cpp can do without: it refuses a file in which one of them is
//! there and has another type (build 11669: `get_key` of `llama-model-loader.cpp`, `load_hparams` of
//! `llama-model.cpp`, `load` of `llama-vocab.cpp`).

use super::GgufError;
use super::architectures::{self, Tokenizer};
use super::metadata::{Metadata, Value, wrong_type};
use super::types::ValueType;

/// Names that share a type.
type Typed = (ValueType, &'static [&'static str]);

/// Of every model, in full.
const GENERAL: [Typed; 3] = [
    (ValueType::String, &["general.name"]),
    (ValueType::U32, &["general.file_type"]),
    (ValueType::U16, &["split.count"]),
];

/// Below `tokenizer.ggml.`; the third word of `seperator_token_id` is spelled as the format does.
const OF_TOKENIZER: [Typed; 3] = [
    (ValueType::String, &["pre"]),
    (
        ValueType::U32,
        &[
            "bos_token_id",
            "eos_token_id",
            "eot_token_id",
            "eom_token_id",
            "unknown_token_id",
            "seperator_token_id",
            "padding_token_id",
            "mask_token_id",
            "prefix_token_id",
            "suffix_token_id",
            "middle_token_id",
            "fim_pre_token_id",
            "fim_suf_token_id",
            "fim_mid_token_id",
            "fim_pad_token_id",
            "fim_rep_token_id",
            "fim_sep_token_id",
            "token_type_count",
        ],
    ),
    (
        ValueType::Bool,
        &[
            "add_bos_token",
            "add_eos_token",
            "add_sep_token",
            "add_space_prefix",
            "remove_extra_whitespaces",
        ],
    ),
];

/// Below the name of any architecture.
const OF_ARCHITECTURE: [Typed; 4] = [
    (
        ValueType::U32,
        &[
            "embedding_length_out",
            "pooling_type",
            "expert_count",
            "expert_group_count",
            "expert_group_used_count",
            "rope.scaling.original_context_length",
        ],
    ),
    (ValueType::Bool, &["attention.causal", "rope.scaling.finetuned"]),
    (ValueType::F32, &["rope.freq_base", "rope.scaling.factor", "rope.scaling.attn_factor"]),
    (ValueType::String, &["rope.scaling.type"]),
];

/// Below the name of any architecture that has attention heads.
const OF_HEADS: [Typed; 1] =
    [(ValueType::U32, &["attention.key_length", "attention.value_length", "rope.dimension_count"])];

/// Below `llama`.
const OF_LLAMA: [Typed; 2] =
    [(ValueType::U32, &["vocab_size"]), (ValueType::F32, &["attention.layer_norm_rms_epsilon"])];

/// Below the name of any architecture: one number, or one for each layer.
const PER_LAYER: [&str; 4] =
    ["feed_forward_length", "attention.head_count", "attention.head_count_kv", "expert_used_count"];

/// `LLAMA_MAX_EXPERTS` of llama.cpp.
const MOST_EXPERTS: u64 = 512;

/// Architectures that llama.cpp lets write of experts that they do not have.
const IDLE_EXPERTS: [&str; 2] = ["hunyuan-dense", "hunyuan_vl"];

/// The first entry of a model that is not as the loader wants it, although it is not needed.
pub(super) fn refused(metadata: &Metadata) -> Option<GgufError> {
    let tokenizer = metadata.tokenizer.as_deref().and_then(architectures::tokenizer);
    typed(metadata, "", &GENERAL).or_else(|| of_architecture(metadata)).or_else(
        || match tokenizer {
            Some(Tokenizer::None) => None,
            Some(Tokenizer::Plain | Tokenizer::Merging) | None => vocabulary(metadata),
        },
    )
}

fn typed(metadata: &Metadata, prefix: &str, table: &[Typed]) -> Option<GgufError> {
    table.iter().find_map(|(kind, names)| {
        names.iter().find_map(|name| {
            let key = format!("{prefix}{name}");
            let found = metadata.get(&key).filter(|value| value.value_type() != *kind)?;
            Some(wrong_type(&key, kind.name(), found))
        })
    })
}

fn of_architecture(metadata: &Metadata) -> Option<GgufError> {
    let name = metadata.architecture.as_deref().filter(|name| architectures::is_known(name))?;
    let prefix = format!("{name}.");
    typed(metadata, &prefix, &OF_ARCHITECTURE)
        .or_else(|| PER_LAYER.iter().find_map(|field| per_layer(metadata, &prefix, field)))
        .or_else(|| {
            let has_heads = metadata.head_count.is_some_and(|heads| heads > 0);
            if has_heads { typed(metadata, &prefix, &OF_HEADS) } else { None }
        })
        .or_else(|| if name == "llama" { typed(metadata, &prefix, &OF_LLAMA) } else { None })
        .or_else(|| experts(metadata, name))
}

fn per_layer(metadata: &Metadata, prefix: &str, field: &str) -> Option<GgufError> {
    let key = format!("{prefix}{field}");
    let value = metadata.get(&key)?;
    match value {
        Value::Integer(_, ValueType::U32) => None,
        Value::Array(ValueType::U32 | ValueType::I32, found) => {
            // Builds differ in whether layers that predict further tokens are counted.
            let layers = metadata.block_count?;
            let plain = !metadata.says_of_architecture("nextn_predict_layers");
            let error = GgufError::Entries { key, found: *found, expected: layers };
            (plain && *found != layers).then_some(error)
        }
        Value::Integer(..)
        | Value::Text(_)
        | Value::LongText
        | Value::Array(..)
        | Value::Truth(_)
        | Value::Other(_) => Some(wrong_type(&key, "u32 or an array of them", value)),
    }
}

/// A mixture uses at least one of its experts, and another model none.
fn experts(metadata: &Metadata, architecture: &str) -> Option<GgufError> {
    if metadata.says_of_architecture("expert_used_count")
        && metadata.of_architecture("expert_used_count").is_none()
    {
        return None;
    }
    let number = |field: &str| metadata.of_architecture(field).unwrap_or_default();
    let (count, used) = (number("expert_count"), number("expert_used_count"));
    let idle = IDLE_EXPERTS.contains(&architecture) && count <= 1;
    let sound = match count {
        0 => used == 0 && number("expert_group_count") == 0,
        count => count <= MOST_EXPERTS && (1..=count).contains(&used),
    };
    (!idle && !sound).then_some(GgufError::Experts { count, used })
}

/// Scores and types of tokens: one for each token, or none at all.
fn vocabulary(metadata: &Metadata) -> Option<GgufError> {
    let tokens = metadata.tokens.unwrap_or_default();
    let each = |field: &str, kinds: &[ValueType], expected: &'static str| {
        let key = format!("tokenizer.ggml.{field}");
        let value = metadata.get(&key)?;
        let found = match value {
            Value::Array(kind, found) if kinds.contains(kind) => *found,
            Value::Array(..)
            | Value::Integer(..)
            | Value::Text(_)
            | Value::LongText
            | Value::Truth(_)
            | Value::Other(_) => return Some(wrong_type(&key, expected, value)),
        };
        let error = GgufError::Entries { key, found, expected: tokens };
        (found < tokens).then_some(error)
    };
    each("scores", &[ValueType::F32, ValueType::I32], "array of f32 or i32")
        .or_else(|| each("token_type", &[ValueType::I32], "array of i32"))
        .or_else(|| typed(metadata, "tokenizer.ggml.", &OF_TOKENIZER))
}

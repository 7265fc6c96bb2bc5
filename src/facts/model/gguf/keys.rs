//! The types of entries that no architecture has for itself, and that llama.cpp can do without: it
//! refuses a file in which one of them is there and has another type (build 11669: `get_key` of
//! `llama-model-loader.cpp`, `load` of `llama-vocab.cpp`).

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

/// The first entry of a model that is not as the loader wants it, although it is not needed.
pub(super) fn refused(metadata: &Metadata) -> Option<GgufError> {
    let tokenizer = metadata.tokenizer.as_deref().and_then(architectures::tokenizer);
    typed(metadata, "", &GENERAL).or_else(|| match tokenizer {
        Some(Tokenizer::None) => None,
        Some(Tokenizer::Plain | Tokenizer::Merging) | None => vocabulary(metadata),
    })
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

//! Tiny models made as wide as real ones: sparse files with genuine headers.

use std::path::Path;

use crate::gguf_models::model::Model;
use crate::gguf_oracle::document::{Document, Key, Tensor};

/// How much wider.
const TIMES: i64 = 8;

/// The ends of the names of numbers that are no widths.
const COUNTS: [&str; 21] = [
    "block_count",
    "buckets_count",
    "context_length",
    "conv_kernel",
    "every_n_layers",
    "expert_count",
    "gating_func",
    "group_count",
    "group_used_count",
    "head_count",
    "head_count_kv",
    "interval",
    "l_cache",
    "layers",
    "norm_groups",
    "pooling_type",
    "shared_count",
    "sliding_window",
    "temperature_length",
    "time_step_rank",
    "used_count",
];

/// Parts of the names of tensors that are never quantised.
const PLAIN: [&str; 9] =
    ["conv", "gate_inp", "lerp", "norm", "pos", "rope", "ssm_", "time_", "token_types"];

/// The number of a type of tensors, elements of a block and its bytes.
const F32: (u32, i64, i64) = (0, 1, 4);
const Q4_0: (u32, i64, i64) = (2, 32, 18);

/// A model that is eight times as wide, its matrices quantised.
pub(super) fn scaled(model: &Model) -> Document {
    let mut document = model.document.clone();
    let tokens = document.keys.iter().find(|key| key.name == "tokenizer.ggml.tokens");
    let tokens = tokens.map(|key| i64::from_le_bytes(key.value[8..16].try_into().unwrap()));
    document.keys.iter_mut().for_each(widen);
    for tensor in &mut document.tensors {
        let is_count = |extent: i64| extent <= 8 || extent == 512 || Some(extent) == tokens;
        for extent in tensor.shape.iter_mut().filter(|extent| !is_count(**extent)) {
            *extent *= TIMES;
        }
        if is_matrix(tensor) {
            tensor.kind = Q4_0.0;
        }
    }
    document
}

fn is_matrix(tensor: &Tensor) -> bool {
    let is_plain = PLAIN.iter().any(|part| tensor.name.contains(part));
    let fills = tensor.shape.len() > 1 && tensor.shape[0] % Q4_0.1 == 0;
    fills && !is_plain && tensor.name.ends_with(".weight")
}

/// Makes the number of a width larger.
fn widen(key: &mut Key) {
    const U32: u32 = 4;
    const I32: u32 = 5;
    const ARRAY: u32 = 9;
    let is_fixed = ["general.", "tokenizer."].iter().any(|start| key.name.starts_with(start));
    let is_size = key.name.ends_with("vocab_size") || key.name.ends_with("_pattern");
    if is_fixed || is_size || COUNTS.iter().any(|end| key.name.ends_with(end)) {
        return;
    }
    let kind = |at: usize| u32::from_le_bytes(key.value[at..at + 4].try_into().unwrap());
    let first = match kind(0) {
        U32 | I32 => 4,
        ARRAY if matches!(kind(4), U32 | I32) => 16,
        _ => return,
    };
    for number in key.value[first..].chunks_exact_mut(4) {
        let wide = i32::from_le_bytes(number.try_into().unwrap()) * i32::try_from(TIMES).unwrap();
        number.copy_from_slice(&wide.to_le_bytes());
    }
}

/// Writes the file without its data, of which every byte is 0.
pub(super) fn write(document: &Document, path: &Path) {
    let size = |tensor: &Tensor| {
        let (_, block, bytes) = if tensor.kind == Q4_0.0 { Q4_0 } else { F32 };
        usize::try_from(tensor.shape.iter().product::<i64>() / block * bytes).unwrap()
    };
    document.write_sparse(path, size);
}

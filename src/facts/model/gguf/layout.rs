//! Which tensors an architecture needs, where that is simple enough to be certain: `llama`, which
//! Llama, Mistral, Nemotron and most of their children are converted to.

use std::collections::HashMap;

use super::tensors::Tensor;
use super::{GgufError, Metadata, TensorProblem};

/// The first tensor that llama.cpp (`src/llama-model.cpp`, `LLM_ARCH_LLAMA`) would miss, or find
/// in another shape than the metadata gives. Absent for every other architecture, for a split
/// model, and where heads or widths differ between layers.
pub(super) fn refused(metadata: &Metadata, tensors: &[Tensor]) -> Option<GgufError> {
    if !is_plain(metadata) {
        return None;
    }
    if let Err(error) = numbers(metadata) {
        return Some(error);
    }
    let shape = Shape::of(metadata)?;
    // `llama-model.cpp`, `load_hparams`: this architecture rotates the whole of a head.
    let rotated = metadata.of_architecture("rope.dimension_count");
    if let Some(found) = rotated.filter(|found| i64::try_from(*found) != Ok(shape.key)) {
        return Some(GgufError::Rotation { found, expected: shape.key });
    }
    let found: HashMap<&str, &Tensor> =
        tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let check = |name: &str, rows: &[i64]| need(&found, name, rows);
    let tops = [
        ("token_embd.weight", vec![shape.width, shape.vocabulary]),
        ("output_norm.weight", vec![shape.width]),
    ];
    tops.iter()
        .find_map(|(name, rows)| check(name, rows))
        .or_else(|| (0..shape.layers).find_map(|layer| shape.layer(layer, &found)))
}

/// A tensor that no plain `llama` model has: llama.cpp counts them and refuses what is left over.
pub(super) fn stranger<'a>(metadata: &Metadata, tensors: &'a [Tensor]) -> Option<&'a str> {
    if !is_plain(metadata) {
        return None;
    }
    let layers = metadata.block_count.unwrap_or_default();
    let is_known = |name: &str| {
        let (stem, _) = name.rsplit_once('.').unwrap_or((name, ""));
        match stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
            Some((layer, stem)) => {
                layer.parse::<u64>().is_ok_and(|layer| layer < layers) && LAYER.contains(&stem)
            }
            None => TOP.contains(&stem),
        }
    };
    tensors.iter().map(|tensor| tensor.name.as_str()).find(|name| !is_known(name))
}

/// What a plain model may have once.
const TOP: [&str; 6] = [
    "token_embd",
    "output_norm",
    "output",
    "rope_freqs",
    "rope_factors_long",
    "rope_factors_short",
];

/// What a plain model may have in each layer.
const LAYER: [&str; 13] = [
    "attn_norm",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_qkv",
    "attn_output",
    "ffn_norm",
    "ffn_gate",
    "ffn_down",
    "ffn_up",
    "rope_freqs",
    "rope_factors_long",
    "rope_factors_short",
];

fn is_plain(metadata: &Metadata) -> bool {
    metadata.architecture.as_deref() == Some("llama")
        && metadata.is_model()
        && metadata.split_count.is_none_or(|count| count <= 1)
        && metadata.of_architecture("expert_count").is_none_or(|experts| experts == 0)
}

/// The numbers that no default stands in for.
fn numbers(metadata: &Metadata) -> Result<(), GgufError> {
    for field in ["attention.head_count", "feed_forward_length", "attention.layer_norm_rms_epsilon"]
    {
        let key = format!("llama.{field}");
        if metadata.get(&key).is_none() {
            return Err(GgufError::KeyMissing { key });
        }
    }
    Ok(())
}

/// The numbers that the shapes follow from, in elements.
struct Shape {
    layers: u64,
    width: i64,
    vocabulary: i64,
    heads: i64,
    heads_kv: i64,
    key: i64,
    value: i64,
    inner: i64,
}

impl Shape {
    fn of(metadata: &Metadata) -> Option<Self> {
        let number = |field: &str| i64::try_from(metadata.of_architecture(field)?).ok();
        let (width, heads) = (number("embedding_length")?, number("attention.head_count")?);
        let head = width.checked_div(heads)?;
        let heads_kv = match metadata.get("llama.attention.head_count_kv") {
            None => heads,
            Some(_) => number("attention.head_count_kv")?,
        };
        Some(Self {
            layers: metadata.block_count?,
            width,
            vocabulary: i64::try_from(metadata.tokens?).ok()?,
            heads,
            heads_kv,
            key: number("attention.key_length").unwrap_or(head),
            value: number("attention.value_length").unwrap_or(head),
            inner: number("feed_forward_length")?,
        })
    }

    fn layer(&self, layer: u64, found: &HashMap<&str, &Tensor>) -> Option<GgufError> {
        let queries = self.heads.checked_mul(self.key)?;
        let keys = self.heads_kv.checked_mul(self.key)?;
        let values = self.heads_kv.checked_mul(self.value)?;
        let outputs = self.heads.checked_mul(self.value)?;
        let fused = found.contains_key(format!("blk.{layer}.attn_qkv.weight").as_str());
        let attention = [
            ("attn_q", vec![self.width, queries]),
            ("attn_k", vec![self.width, keys]),
            ("attn_v", vec![self.width, values]),
        ];
        let rest = [
            ("attn_norm", vec![self.width]),
            ("attn_output", vec![outputs, self.width]),
            ("ffn_norm", vec![self.width]),
            ("ffn_gate", vec![self.width, self.inner]),
            ("ffn_down", vec![self.inner, self.width]),
            ("ffn_up", vec![self.width, self.inner]),
        ];
        let attention = attention.iter().filter(|_| !fused);
        attention
            .chain(&rest)
            .find_map(|(name, rows)| need(found, &format!("blk.{layer}.{name}.weight"), rows))
    }
}

fn need(found: &HashMap<&str, &Tensor>, name: &str, rows: &[i64]) -> Option<GgufError> {
    let Some(tensor) = found.get(name) else {
        return Some(GgufError::TensorMissing { tensor: name.to_owned() });
    };
    let (stated, rest) = tensor.shape.split_at(rows.len().min(4));
    if stated == rows && rest.iter().all(|extent| *extent == 1) {
        return None;
    }
    Some(GgufError::Tensor {
        tensor: name.to_owned(),
        problem: TensorProblem::WrongShape {
            found: tensor.shape.to_vec(),
            expected: rows.to_vec(),
        },
    })
}

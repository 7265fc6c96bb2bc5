//! What the weights of one rank take (vLLM 0.6.6 to 0.33.0, model_executor/layers/linear.py and
//! vocab_parallel_embedding.py, model_executor/models).

use std::ops::Range;

use super::settings::Settings;
use crate::plan::engine::memory::{Alike, Checkpoint};

/// Rows of embeddings are padded to a multiple of this (`DEFAULT_VOCAB_PADDING_SIZE`).
const VOCABULARY: u64 = 64;

/// Parts of the names of tensors that are computed anew, thrown away or loaded by other flags.
const LEFT_OUT: [&str; 9] = [
    "rotary_emb.",
    "inv_freq",
    "masked_bias",
    "g_idx",
    "qzeros",
    "zero_point",
    "mtp.",
    "nextn",
    "input_scale",
];

/// Parts of the names of what reads images and sound.
const OF_SENSES: [&str; 6] = ["vision", "visual", "audio", "image", "multi_modal", "mm_"];

/// Matrices that are cut by their outputs or their inputs, and those that are cut by heads of keys and
/// values, of which each rank has one at least.
const CUT: [&str; 10] = [
    "q_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
    "gate_up_proj",
    "qkv_proj",
    "w1",
    "w2",
    "w3",
];
const BY_KEYS: [&str; 2] = ["k_proj", "v_proj"];

/// Classes of which it is known that these names are cut so and everything else is whole on every rank
/// (the same that [`super::super::spread::SPLIT`] knows).
fn is_known(class: &str) -> bool {
    super::super::spread::SPLIT.family(class).is_some()
}

/// Bytes of one stage of a rank: what is certain, and the most; absent: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weight {
    pub(super) low: u64,
    pub(super) high: Option<u64>,
}

/// What one rank of the stage whose layers are `layers` has to hold. `places` says whether it is the first
/// stage, and whether it is the last.
pub(super) fn of_rank(
    checkpoint: &Checkpoint,
    settings: &Settings,
    layers: &Range<u64>,
    places: [bool; 2],
) -> Weight {
    let one = Ranked::of(checkpoint, settings, layers.clone(), places);
    let (mut low, mut high) = (0_u64, Some(0_u64));
    for alike in &checkpoint.tensors {
        let [least, most] = one.bytes(alike);
        low = low.saturating_add(least);
        high = high.map(|sum| sum.saturating_add(most));
    }
    // Blocks of the allocator are not filled to the end.
    let high = high.filter(|_| checkpoint.is_whole).map(|sum| sum.saturating_add(sum / 50));
    Weight { low: low.saturating_sub(settings.offloaded), high }
}

/// One rank of one stage.
struct Ranked<'a> {
    checkpoint: &'a Checkpoint,
    settings: &'a Settings,
    layers: Range<u64>,
    is_first: bool,
    is_last: bool,
    is_known: bool,
    is_tied: bool,
    all_layers: Option<u64>,
    /// Bits of a number that is not packed; absent: 16, or as many as it has in the file.
    bits: Option<u64>,
    /// What becomes of the matrices of layers when they are loaded, as a divisor of their bytes.
    packs: u64,
}

impl<'a> Ranked<'a> {
    fn of(
        checkpoint: &'a Checkpoint,
        settings: &'a Settings,
        layers: Range<u64>,
        [is_first, is_last]: [bool; 2],
    ) -> Self {
        let tied = checkpoint.value("tie_word_embeddings").and_then(serde_json::Value::as_bool);
        Self {
            checkpoint,
            settings,
            layers,
            is_first,
            is_last,
            is_known: checkpoint.architecture().is_some_and(is_known),
            is_tied: tied == Some(true),
            all_layers: checkpoint.number("num_hidden_layers"),
            bits: bits(checkpoint, settings),
            packs: packs(checkpoint, settings),
        }
    }

    /// The least and the most that tensors take here.
    fn bytes(&self, alike: &Alike) -> [u64; 2] {
        let name = alike.name.as_str();
        let is_of_senses = OF_SENSES.iter().any(|part| name.contains(part));
        let layer = alike.layer.filter(|_| !is_of_senses && is_of_layers(alike));
        let is_beyond = layer.zip(self.all_layers).is_some_and(|(layer, all)| all <= layer);
        let is_left_out = LEFT_OUT.iter().any(|part| name.contains(part))
            || is_beyond
            || is_of_senses && self.settings.is_of_text;
        let is_head = is_named(name, &["lm_head"]) || name == "output.weight";
        let is_here = match layer {
            Some(layer) => self.layers.contains(&layer),
            None if is_head => self.is_last && !self.is_tied,
            None if is_embedding(name) => self.is_first || self.is_last && self.is_tied,
            // What else there is may be on any stage.
            None => self.is_first && self.is_last,
        };
        let [least, most] = self.share(alike, layer, is_head);
        let can_be_here = layer.is_none_or(|layer| self.layers.contains(&layer));
        [if is_here && !is_left_out { least } else { 0 }, if can_be_here { most } else { 0 }]
    }

    /// What one rank has of tensors that are there.
    fn share(&self, alike: &Alike, layer: Option<u64>, is_head: bool) -> [u64; 2] {
        let all = alike.all_bytes();
        let [least, most] = self.converted(alike, all, layer.is_some());
        let ranks = self.settings.tensor.max(1);
        // Copies of the model, and ranks that divide tokens, divide the experts among each other as well.
        let experts = self.settings.copies.saturating_mul(self.settings.token_ranks);
        if !self.is_known {
            return [least / ranks / experts.max(1), most];
        }
        let name = alike.name.as_str();
        if is_head || is_embedding(name) {
            return self.rows(alike, [least, most], ranks);
        }
        if name.contains(".experts.") {
            let divided = |bytes: u64| bytes.div_ceil(ranks.saturating_mul(experts.max(1)));
            return [least / ranks / experts.max(1), divided(most)];
        }
        if is_named(name, &BY_KEYS) {
            let heads = self.checkpoint.number("num_key_value_heads");
            let own = |heads: u64| (heads / ranks).max(1);
            let part = |bytes: u64| match heads.filter(|heads| *heads > 0) {
                Some(heads) => bytes / heads * own(heads),
                None => bytes / ranks,
            };
            return [part(least), part(most)];
        }
        if is_named(name, &CUT) { [least / ranks, most.div_ceil(ranks)] } else { [least, most] }
    }

    /// Of embeddings and of the output each rank has a part of the rows, padded.
    fn rows(&self, alike: &Alike, [least, most]: [u64; 2], ranks: u64) -> [u64; 2] {
        let Some(rows) = alike.extents.first().copied().filter(|rows| *rows > 0) else {
            return [least / ranks, most];
        };
        let own = rows.next_multiple_of(VOCABULARY) / ranks;
        [least / rows * own, most / rows * own.max(1)]
    }

    /// In the type in which it is loaded.
    fn converted(&self, alike: &Alike, bytes: u64, is_of_layer: bool) -> [u64; 2] {
        let own = match alike.dtype.as_str() {
            "F64" => 64,
            "F32" => 32,
            "F16" | "BF16" => 16,
            _ => return [bytes; 2],
        };
        let to = |bits: u64| (bytes / own).saturating_mul(bits);
        let matrix = is_of_layer && alike.extents.len() > 1;
        let packs = if matrix || !self.is_known { self.packs } else { 1 };
        match self.bits {
            Some(bits) => [to(bits) / packs, to(bits)],
            None => [to(own.min(16)) / packs, bytes],
        }
    }
}

/// Whether a tensor is one of the layers that are divided among the stages.
fn is_of_layers(alike: &Alike) -> bool {
    alike.stem().is_some_and(|stem| {
        ["layers.", "h.", "blocks."]
            .iter()
            .any(|end| stem == *end || stem.ends_with(&format!(".{end}")))
    })
}

fn is_embedding(name: &str) -> bool {
    is_named(name, &["embed_tokens", "wte", "word_embeddings", "tok_embeddings"])
}

/// Whether one of the words between its points is one of these.
fn is_named(name: &str, words: &[&str]) -> bool {
    name.split('.').any(|word| words.contains(&word))
}

/// Bits of a number that is not packed: as `--dtype` says, else as the configuration does. What is said to
/// have 32 is loaded with 16 where nobody asks for more (config/model.py, `_resolve_auto_dtype`).
pub(super) fn bits(checkpoint: &Checkpoint, settings: &Settings) -> Option<u64> {
    let own = ["dtype", "torch_dtype"].iter().find_map(|key| checkpoint.value(key)?.as_str());
    match settings.dtype.as_deref().or(own).map(|name| name.trim_start_matches("torch.")) {
        Some("float32" | "float") if settings.dtype.is_some() => Some(32),
        Some("half" | "float16" | "bfloat16") => Some(16),
        Some(_) | None => None,
    }
}

/// By how much the matrices of the layers become smaller when they are loaded.
fn packs(checkpoint: &Checkpoint, settings: &Settings) -> u64 {
    match settings.quantization.as_deref() {
        None => 1,
        Some("fp8") => 2,
        Some(_) if checkpoint.is_packed => 1,
        Some(_) => 4,
    }
}

#[cfg(test)]
mod tests;

//! What does not come out even. Pure.

use crate::facts::model::huggingface::Config;
use crate::plan::engine::{Family, WholePieces};

/// The vocabulary is padded to a multiple of this (vLLM 0.6.6 to 0.33.0
/// model_executor/layers/vocab_parallel_embedding.py, `DEFAULT_VOCAB_PADDING_SIZE`).
const VOCABULARY: u64 = 64;

/// A model that is to be split, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Splitting<'a> {
    /// What it says of itself.
    pub(super) config: &'a Config,
    /// How its layers are split; absent: only its heads are known to be.
    pub(super) family: Option<&'static Family>,
    /// What each device has to have whole of quantised weights.
    pub(super) pieces: WholePieces,
    /// The method of quantisation that the command says.
    pub(super) quantization: Option<&'a str>,
    /// Whether experts are put on devices whole.
    pub(super) whole_experts: bool,
    /// Whether attention is not split.
    pub(super) whole_attention: bool,
    /// Whether adapters may add to the vocabulary.
    pub(super) padded: bool,
}

/// What cannot be divided among a number of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Uneven {
    Heads(u64),
    /// Heads of keys and values, and whether they are repeated where there are more devices.
    KeyHeads {
        heads: u64,
        is_repeated: bool,
    },
    /// A width, by its name in the configuration.
    Width(&'static str, u64),
    Vocabulary(u64),
    /// What one device gets of a width, which is no whole number of groups or blocks.
    Pieces {
        what: &'static str,
        width: u64,
        piece: u64,
        is_certain: bool,
    },
}

impl Splitting<'_> {
    /// The first thing that does not come out even on `ranks` devices; absent: nothing, as far as is
    /// known.
    pub(super) fn uneven(&self, ranks: u64) -> Option<Uneven> {
        if ranks < 2 {
            return None;
        }
        let is_split = |number: &u64| *number > 0 && !number.is_multiple_of(ranks);
        let heads = self.config.heads.filter(|_| !self.whole_attention).filter(is_split);
        if let Some(heads) = heads {
            return Some(Uneven::Heads(heads));
        }
        let family = self.family?;
        let repeats = |heads: &u64| {
            let is_even = if ranks <= *heads || !family.repeats {
                heads.is_multiple_of(ranks)
            } else {
                ranks.is_multiple_of(*heads)
            };
            *heads > 0 && !is_even
        };
        let keys = self.config.heads_kv;
        if let Some(heads) = keys.filter(|_| !self.whole_attention).filter(repeats) {
            let is_repeated = family.repeats;
            return Some(Uneven::KeyHeads { heads, is_repeated });
        }
        if let Some((name, width)) = self.width().filter(|(_, width)| is_split(width)) {
            return Some(Uneven::Width(name, width));
        }
        let padded = self.config.vocab_size.map(|size| size.next_multiple_of(VOCABULARY));
        let is_divided = family.vocabulary && !self.padded;
        if let Some(vocabulary) = padded.filter(|_| is_divided).filter(is_split) {
            return Some(Uneven::Vocabulary(vocabulary));
        }
        self.pieces(ranks)
    }

    /// The width of the feed-forward part that is split.
    fn width(&self) -> Option<(&'static str, u64)> {
        let named = |name, width: Option<u64>| width.map(|width| (name, width));
        let dense = named("intermediate_size", self.config.intermediate_size);
        match self.family? {
            family if !family.experts => dense,
            _ if self.whole_experts => None,
            _ => named("moe_intermediate_size", self.config.expert_size).or(dense),
        }
    }

    fn pieces(&self, ranks: u64) -> Option<Uneven> {
        let method = self.config.quantization.as_deref()?;
        let is_own = self.quantization.is_none_or(|said| said.starts_with(method));
        if self.config.pieces.irregular || !is_own {
            return None;
        }
        let (of_groups, of_blocks) = match self.pieces {
            WholePieces::None => (false, false),
            WholePieces::Blocks(_) => (false, true),
            WholePieces::All => (true, true),
        };
        match method {
            "awq" | "gptq" if of_groups => self.groups(ranks, method == "awq"),
            "fp8" if of_blocks => self.blocks(ranks, self.width()),
            "compressed-tensors" if of_groups => {
                self.groups(ranks, true).or_else(|| self.blocks(ranks, self.dense()))
            }
            _ => None,
        }
    }

    /// The width of what is no expert.
    fn dense(&self) -> Option<(&'static str, u64)> {
        self.width().filter(|_| self.family.is_some_and(|family| !family.experts))
    }

    /// The rows of a matrix that is split by its inputs are in groups of numbers that share a scale
    /// (vLLM 0.12.0 model_executor/layers/quantization/awq.py `AWQLinearMethod.create_weights`, and 0.6.6 to
    /// 0.33.0 compressed_tensors/schemes/compressed_tensors_wNa16.py `create_weights`). What GPTQ makes of it
    /// hangs on the kernel.
    fn groups(&self, ranks: u64, is_certain: bool) -> Option<Uneven> {
        let piece = self.config.pieces.group?;
        let inputs = self.dense().into_iter().chain(self.attention());
        let mut broken = inputs.filter(|(_, width)| !(width / ranks).is_multiple_of(piece));
        let (what, width) = broken.next()?;
        Some(Uneven::Pieces { what, width, piece, is_certain })
    }

    /// vLLM 0.6.6 to 0.33.0 `validate_fp8_block_shape`, and SGLang ([`WholePieces::Blocks`]). `width` is that of the
    /// feed-forward part.
    fn blocks(&self, ranks: u64, width: Option<(&'static str, u64)>) -> Option<Uneven> {
        let [outputs, inputs] = self.config.pieces.block?;
        let head = self.head()?;
        let keys =
            self.config.heads_kv.map(|heads| ("keys", (heads / ranks).max(1) * ranks * head));
        let split = width.into_iter().chain(self.attention());
        let by_input = split.clone().map(|it| (it, inputs));
        let by_output = split.chain(keys).map(|it| (it, outputs));
        let mut broken = by_input
            .chain(by_output)
            .filter(|((_, width), piece)| !(width / ranks).is_multiple_of(*piece));
        let ((what, width), piece) = broken.next()?;
        Some(Uneven::Pieces { what, width, piece, is_certain: true })
    }

    fn head(&self) -> Option<u64> {
        let config = self.config;
        let even = || config.hidden_size?.checked_div(config.heads?);
        config.head_dim.or_else(even)
    }

    /// What attention gives out, over all heads.
    fn attention(&self) -> Option<(&'static str, u64)> {
        let heads = self.config.heads.filter(|_| !self.whole_attention)?;
        Some(("attention", heads.checked_mul(self.head()?)?))
    }
}

impl Uneven {
    /// Whether no release that was read and no kernel makes up for it.
    pub(super) fn is_certain(&self) -> bool {
        match self {
            Self::Heads(_) | Self::KeyHeads { .. } | Self::Width(..) | Self::Vocabulary(_) => true,
            Self::Pieces { is_certain, .. } => *is_certain,
        }
    }

    /// As the rest of a sentence about the model.
    pub(super) fn told(&self, ranks: u64) -> String {
        match self {
            Self::Heads(heads) => {
                format!("has {heads} attention heads, which cannot be split over {ranks} devices")
            }
            Self::KeyHeads { heads, is_repeated: true } => format!(
                "has {heads} heads of keys and values, which {ranks} devices can neither divide \
                 nor repeat evenly"
            ),
            Self::KeyHeads { heads, is_repeated: false } => format!(
                "has {heads} heads of keys and values, which cannot be split over {ranks} devices"
            ),
            Self::Width(name, width) => {
                format!("has an `{name}` of {width}, which cannot be split over {ranks} devices")
            }
            Self::Vocabulary(size) => format!(
                "has a vocabulary of {size} tokens, padded to {VOCABULARY}, which cannot be split \
                 over {ranks} devices"
            ),
            Self::Pieces { what, width, piece, .. } => format!(
                "is quantised in pieces of {piece}, and each of {ranks} devices would get {} of the \
                 {width} of its `{what}`, which is no whole number of them",
                width / ranks
            ),
        }
    }
}

#[cfg(test)]
mod tests;

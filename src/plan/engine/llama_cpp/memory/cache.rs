//! Keys, values and states (libllama 0.6.0: `src/llama-context.cpp`, `llama-kv-cache.cpp`,
//! `llama-kv-cache-iswa.cpp`, `llama-memory-recurrent.cpp`).

use crate::plan::engine::llama_cpp::memory::layers::Layers;
use crate::plan::engine::llama_cpp::memory::placement::Places;
use crate::plan::engine::llama_cpp::memory::settings::Settings;
use crate::plan::engine::llama_cpp::memory::sums::{Sums, alignment, padded};
use crate::plan::engine::memory::{Device, Part, Use};

/// What sizes of the context are padded to (#17046).
const PADDING: u64 = 256;

/// How the tokens of the slots are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cells {
    /// Tokens of one stream.
    pub(super) each: u64,
    /// The same of a windowed layer.
    pub(super) windowed: u64,
    /// Streams: one for all slots, or one for each.
    pub(super) streams: u64,
    /// Tokens that are computed at once.
    pub(super) micro_batch: u64,
    /// Tokens that are taken at once.
    pub(super) batch: u64,
}

impl Cells {
    /// For a context of so many tokens.
    pub(super) fn of(settings: &Settings, context: u64, window: u64, is_causal: bool) -> Self {
        let batch = if is_causal { settings.batch.min(context) } else { settings.batch };
        let micro_batch = settings.micro_batch.min(batch);
        let all = padded(context, PADDING);
        let (each, streams) = if settings.is_unified {
            (all, 1)
        } else {
            (padded(all / settings.slots.max(1), PADDING), settings.slots)
        };
        let seen = window.saturating_mul(if settings.is_unified { settings.slots } else { 1 });
        let windowed = padded(each.min(seen.saturating_add(micro_batch)), PADDING);
        let windowed = if settings.keeps_all { each } else { windowed };
        Self { each, windowed, streams, micro_batch, batch }
    }
}

/// Bytes of a row of `elements` in a type of the cache; absent: it is none.
pub(super) fn row(kind: &str, elements: u64) -> Option<u64> {
    let (block, bytes) = match kind {
        "f32" => (1, 4),
        "f16" | "bf16" => (1, 2),
        "q8_0" => (32, 34),
        "q4_0" | "iq4_nl" => (32, 18),
        "q4_1" => (32, 20),
        "q5_0" => (32, 22),
        "q5_1" => (32, 24),
        _ => return None,
    };
    (elements / block).checked_mul(bytes)
}

/// What keys and values take; absent: their type is not known.
pub(super) fn keys_and_values(
    layers: &Layers,
    cells: Cells,
    settings: &Settings,
    places: &Places<'_>,
) -> Option<Vec<Part>> {
    let mut sums = Sums::default();
    let [of_keys, of_values] = &settings.cache_types;
    let widest = layers.widest_values();
    for (index, layer) in (0..).zip(&layers.layers) {
        let Some([keys, values]) = layer.cached else { continue };
        let values = if settings.is_unfused { widest } else { values };
        let each = if layer.is_windowed { cells.windowed } else { cells.each };
        let tokens = each.checked_mul(cells.streams)?;
        let device = if settings.offloads_cache { places.layer(index) } else { Device::Host };
        let bytes = |kind: &str, width: u64| {
            Some(padded(row(kind, width)?.checked_mul(tokens)?, alignment(device)))
        };
        sums.add(device, bytes(of_keys, keys)?);
        if !layers.is_latent {
            sums.add(device, bytes(of_values, values)?);
        }
    }
    Some(sums.parts(Use::Cache).collect())
}

/// What the states of recurrent layers take.
pub(super) fn states(layers: &Layers, settings: &Settings, places: &Places<'_>) -> Vec<Part> {
    let mut sums = Sums::default();
    for (index, layer) in (0..).zip(&layers.layers) {
        if !layer.is_recurrent {
            continue;
        }
        let device = if settings.offloads_cache { places.layer(index) } else { Device::Host };
        for elements in layers.state {
            let bytes = elements.saturating_mul(4).saturating_mul(settings.slots);
            sums.add(device, padded(bytes, alignment(device)));
        }
    }
    sums.parts(Use::State).collect()
}

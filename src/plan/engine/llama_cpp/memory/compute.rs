//! Bounds of what is computed in between. How much it is exactly follows from the graph of each
//! architecture; the bounds were held against build 11669, which stays between them.

use crate::plan::engine::llama_cpp::memory::cache::Cells;
use crate::plan::engine::llama_cpp::memory::layers::{Layers, head_width, heads_of_keys};
use crate::plan::engine::llama_cpp::memory::placement::Places;
use crate::plan::engine::llama_cpp::memory::settings::Settings;
use crate::plan::engine::memory::{Device, Part, Shape, Use};

/// The widths of what a layer computes, in elements.
#[derive(Debug, Clone, Copy)]
struct Widths {
    model: u64,
    feed_forward: u64,
    /// What the experts give, before it is added up.
    experts: u64,
    heads: u64,
    head: u64,
    questions: u64,
    keys: u64,
    values: u64,
    /// Keys and values, where they are kept in compressed form.
    unpacked: u64,
    /// What recurrent layers mix.
    recurrent: u64,
    vocabulary: u64,
}

/// Models that compute more beside their layers than is bounded here.
const UNBOUNDED: [&str; 9] = [
    "arwkv7",
    "chameleon",
    "gemma3n",
    "gemma4",
    "minimax-01",
    "rwkv6",
    "rwkv6qwen2",
    "rwkv7",
    "wavtokenizer-dec",
];

/// It needs no mask over all cells for what it computes at once.
const LOOKS_AT_ITSELF: &str = "llama-embed";

/// Whose experts are as wide as a layer without them, whatever is said.
const AS_WIDE_AS_DENSE: [&str; 2] = ["hunyuan-moe", "minimax-m2"];

/// What is computed in between, on each device.
pub(super) fn parts(
    shape: &Shape,
    layers: &Layers,
    cells: Cells,
    settings: &Settings,
    places: &Places<'_>,
) -> Vec<Part> {
    let widths = Widths::of(shape, layers);
    let mask = mask(layers, cells, settings);
    let rows = cells.micro_batch.min(cells.each.saturating_mul(cells.streams));
    let is_masked = !layers.keep_nothing() && shape.architecture != LOOKS_AT_ITSELF;
    let least = if is_masked { mask } else { 0 };
    let dense = if widths.experts > 0 { 0 } else { 2 * widths.feed_forward };
    let low = least.saturating_add(4 * rows * (2 * widths.model + dense));
    let high = upper(widths, layers, cells, settings, (mask, rows));
    let is_bounded = layers.is_certain && !UNBOUNDED.contains(&shape.architecture.as_str());
    let high = is_bounded.then_some(high);
    if !places.has_devices() {
        return vec![Part::between(Use::Compute, Device::Host, low, high)];
    }
    let of_host = 2 * (4 * rows * widths.model + mask);
    let of_host = if places.is_all_on_devices() { Some(of_host) } else { high };
    let (device, on_devices) = match places.only_device() {
        Some(device) => (device, high),
        // Each has a buffer of its own, and inputs are there several times.
        None => (Device::Gpus, None),
    };
    let low = if places.is_all_on_devices() { low } else { 0 };
    vec![
        Part::between(Use::Compute, Device::Host, 0, of_host),
        Part::between(Use::Compute, device, low, on_devices),
    ]
}

/// Which token may look at which.
fn mask(layers: &Layers, cells: Cells, settings: &Settings) -> u64 {
    let rows = cells.micro_batch;
    let bytes = if settings.is_unfused { 4 } else { 2 };
    if layers.keep_nothing() {
        return rows * rows * 4;
    }
    let has = |windowed: bool| {
        layers.layers.iter().any(|it| it.cached.is_some() && it.is_windowed == windowed)
    };
    let all = if has(false) { rows.saturating_mul(cells.each) } else { 0 };
    let windowed = if has(true) { rows.saturating_mul(cells.windowed) } else { 0 };
    all.saturating_add(windowed).saturating_mul(bytes)
}

fn upper(
    widths: Widths,
    layers: &Layers,
    cells: Cells,
    settings: &Settings,
    (mask, rows): (u64, u64),
) -> u64 {
    let Widths { model, feed_forward, experts, heads, questions, keys, values, .. } = widths;
    let attention = if settings.is_unfused {
        heads * cells.each + 7 * model.max(questions) + 2 * (keys + values)
    } else {
        model + 2 * (questions + keys + values)
    };
    // Keys and values that are made larger again for each step are there twice.
    let attention = attention + 2 * widths.unpacked;
    let attention = if layers.keep_nothing() { attention + 2 * model } else { attention };
    let mixing = 5 * model + 3 * feed_forward + experts + widths.unpacked;
    let recurrent = if widths.recurrent > 0 { 2 * model + 9 * widths.recurrent } else { 0 };
    let widest = attention.max(mixing).max(recurrent);
    let states = if widths.recurrent > 0 {
        8 * settings.slots * layers.state.iter().sum::<u64>()
    } else {
        0
    };
    // Quantised keys and values are turned before they are kept, and what is asked of them with them.
    let is_turned = settings.cache_types.iter().any(|kind| kind.contains('q') || kind == "iq4_nl");
    let turned = if is_turned { 8 * widths.head * widths.head + 4 * rows * questions } else { 0 };
    // Where layers go on beside attention, what went into it is kept until embeddings are given out.
    let beside = if settings.embeds { 4 * rows * model } else { 0 };
    let outputs = if settings.has_few_outputs() { settings.slots } else { rows };
    let words = 4 * outputs * (widths.vocabulary + model);
    let sum = mask.saturating_add(64 * rows * cells.streams).saturating_add(4 * rows * widest);
    sum.saturating_add(states + turned + beside).max(words)
}

impl Widths {
    fn of(shape: &Shape, layers: &Layers) -> Self {
        let number = |key: &str| shape.largest(key).unwrap_or_default();
        let model = number("embedding_length");
        let used = number("expert_used_count");
        let shared = number("expert_shared_feed_forward_length");
        let of_expert = shape.largest("expert_feed_forward_length");
        let of_expert =
            of_expert.filter(|_| !AS_WIDE_AS_DENSE.contains(&shape.architecture.as_str()));
        let of_expert = of_expert.unwrap_or_else(|| number("feed_forward_length"));
        let heads = number("attention.head_count");
        let key = head_width(shape, "attention.key_length", false);
        let value = head_width(shape, "attention.value_length", false);
        let of_keys = (0..layers.layers.len()).map(|index| heads_of_keys(shape, index)).max();
        let of_keys = of_keys.unwrap_or_default();
        Self {
            model,
            feed_forward: number("feed_forward_length").max(used * of_expert + shared),
            experts: used * model,
            heads,
            head: key.max(value),
            questions: heads * key.max(value),
            keys: of_keys * key,
            values: of_keys * value,
            unpacked: if number("attention.kv_lora_rank") > 0 { heads * (key + value) } else { 0 },
            recurrent: number("ssm.inner_size")
                + 2 * number("ssm.group_count") * number("ssm.state_size")
                + 3 * heads * number("kda.head_dim")
                + number("wkv.head_size").min(1) * model
                + number("shortconv.l_cache").min(1) * model,
            vocabulary: shape.vocabulary,
        }
    }
}

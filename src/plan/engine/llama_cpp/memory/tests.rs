use std::collections::HashMap;

use super::cache::{Cells, keys_and_values, states};
use super::layers::Layers;
use super::placement::Places;
use super::settings::{Backend, Placement, Settings};
use super::weights;
use crate::plan::engine::llama_cpp::pattern::Pattern;
use crate::plan::engine::memory::{
    Beside, Device, Devices, Machine, Numbers, Part, Processor, Shape, Tensor, Use,
};

/// A server of which nothing is said but its slots.
pub(super) fn settings(slots: u64, is_unified: bool) -> Settings {
    Settings {
        build: None,
        context: None,
        slots,
        is_unified,
        batch: 2048,
        micro_batch: 512,
        cache_types: ["f16".to_owned(), "f16".to_owned()],
        is_unfused: false,
        keeps_all: false,
        is_mapped: true,
        repacks: true,
        backend: Backend::Processor,
        embeds: false,
        warms_up: true,
        offloads_cache: true,
        offloads_projector: true,
        fits: false,
        left_free: 1 << 30,
        least_context: Some(4096),
        placement: Placement::default(),
        beside: Beside::default(),
        is_cut: false,
    }
}

pub(super) fn shape(architecture: &str, numbers: &[(&str, u64)]) -> Shape {
    let numbers = numbers.iter().map(|(name, number)| ((*name).to_owned(), Numbers::One(*number)));
    Shape {
        architecture: architecture.to_owned(),
        is_known: true,
        is_whole: true,
        vocabulary: 1000,
        numbers: numbers.collect::<HashMap<_, _>>(),
        tensors: Vec::new(),
    }
}

/// Bytes of the cache of a model on the processor.
fn cache(shape: &Shape, settings: &Settings, context: u64) -> u64 {
    let layers = Layers::of(shape);
    let all = shape.number("block_count").unwrap();
    let places = Places::of(&settings.placement, Devices::Count(0), all);
    let cells = Cells::of(settings, context, layers.window, true);
    let parts = keys_and_values(&layers, cells, settings, &places).unwrap();
    parts.iter().map(|part| part.low).sum()
}

pub(super) const LLAMA: [(&str, u64); 4] = [
    ("block_count", 32),
    ("embedding_length", 4096),
    ("attention.head_count", 32),
    ("attention.head_count_kv", 8),
];

#[test]
fn a_context_is_rounded_up_for_each_slot() {
    let cells = |slots, is_unified, context| {
        let cells = Cells::of(&settings(slots, is_unified), context, 0, true);
        (cells.each, cells.streams)
    };
    assert_eq!(cells(3, false, 5000), (1792, 3));
    assert_eq!(cells(2, true, 4096), (4096, 1));
    assert_eq!(cells(4, true, 100), (256, 1));
}

#[test]
fn keys_and_values_are_those_of_every_layer() {
    let llama = shape("llama", &LLAMA);
    assert_eq!(cache(&llama, &settings(1, false), 8192), 1 << 30);
    let mut small = settings(1, false);
    small.cache_types = ["q8_0".to_owned(), "q8_0".to_owned()];
    assert_eq!(cache(&llama, &small, 8192), (1 << 30) / 64 * 34);
}

#[test]
fn compressed_keys_hold_the_values_as_well() {
    let numbers = [
        ("block_count", 27),
        ("embedding_length", 2048),
        ("attention.head_count", 16),
        ("attention.head_count_kv", 1),
        ("attention.key_length", 576),
        ("attention.value_length", 512),
    ];
    let mla = [("attention.key_length_mla", 192), ("attention.value_length_mla", 128)];
    let compressed = shape("deepseek2", &[&numbers[..], &mla].concat());
    assert_eq!(cache(&compressed, &settings(1, false), 4096), 27 * 576 * 2 * 4096);
    let whole = shape("deepseek2", &numbers);
    assert_eq!(cache(&whole, &settings(1, false), 4096), 27 * (576 + 512) * 2 * 4096);
}

#[test]
fn windowed_layers_keep_a_window_for_each_slot() {
    let mut numbers = LLAMA.to_vec();
    numbers[0].1 = 12;
    numbers.push(("attention.sliding_window", 1024));
    let gemma = shape("gemma3", &numbers);
    let of_token = 2 * 8 * 128 * 2;
    let four = cache(&gemma, &settings(4, true), 131_072);
    assert_eq!(four, of_token * (2 * 131_072 + 10 * (4 * 1024 + 512)));
    let one = cache(&gemma, &settings(1, false), 131_072);
    assert_eq!(one, of_token * (2 * 131_072 + 10 * (1024 + 512)));
    let all = Settings { keeps_all: true, ..settings(1, false) };
    assert_eq!(cache(&gemma, &all, 131_072), of_token * 12 * 131_072);
}

#[test]
fn recurrent_layers_have_a_state_for_each_slot_whatever_the_context() {
    let mamba = shape(
        "mamba",
        &[
            ("block_count", 4),
            ("embedding_length", 768),
            ("ssm.conv_kernel", 4),
            ("ssm.inner_size", 1536),
            ("ssm.state_size", 16),
        ],
    );
    let settings = settings(4, true);
    let places = Places::of(&settings.placement, Devices::Count(0), 4);
    let parts = states(&Layers::of(&mamba), &settings, &places);
    let bytes = 4 * 4 * 4 * (3 * 1536 + 16 * 1536);
    assert_eq!(parts, [Part::exact(Use::State, Device::Host, bytes)]);
    assert_eq!(cache(&mamba, &settings, 4096), 0);
}

fn tensor(name: &str, rows: u64) -> Tensor {
    let (name, kind) = (name.to_owned(), Some("Q4_0"));
    Tensor { name, shape: [64, rows, 1, 1], kind, bytes: 36 * rows }
}

fn parts(settings: &Settings, devices: Devices) -> Vec<Part> {
    let mut model = shape("llama", &[("block_count", 2)]);
    model.tensors = vec![
        tensor("token_embd.weight", 1000),
        tensor("blk.0.attn_q.weight", 64),
        tensor("blk.1.attn_q.weight", 62),
    ];
    let processor = Some(Processor { avx2: true, ..Processor::default() });
    let places = Places::of(&settings.placement, devices, 2);
    weights::parts(&model, 2, settings, &Machine { processor, devices, memory: None }, &places)
}

#[test]
fn what_the_processor_lays_out_anew_is_no_longer_of_the_file() {
    let mapped = Part { mapped: true, ..Part::exact(Use::Weights, Device::Host, 36 * 1062) };
    // What embeds words says as well which comes next, and is there twice.
    let anew = Part::exact(Use::Weights, Device::Host, 36 * 1064);
    assert_eq!(parts(&settings(1, false), Devices::Count(0)), [mapped, anew]);
    let plain = Settings { repacks: false, ..settings(1, false) };
    let mapped = Part { low: 36 * 1126, high: Some(36 * 1126), ..mapped };
    assert_eq!(parts(&plain, Devices::Count(0)), [mapped]);
}

#[test]
fn with_amx_what_is_laid_out_anew_is_so_in_any_case_and_the_rest_may_be() {
    let mut model = shape("llama", &[("block_count", 1)]);
    let open = Tensor { kind: Some("Q8_0"), ..tensor("blk.0.attn_k.weight", 64) };
    model.tensors = vec![tensor("blk.0.attn_q.weight", 64), open];
    let processor = Some(Processor { avx2: true, amx: true, ..Processor::default() });
    let settings = settings(1, false);
    let places = Places::of(&settings.placement, Devices::Count(0), 1);
    let machine = Machine { processor, devices: Devices::Count(0), memory: None };
    let told = weights::parts(&model, 1, &settings, &machine, &places);
    let bytes = 36 * 64;
    let part = |low, high| Part::between(Use::Weights, Device::Host, low, Some(high));
    let mapped = Part { mapped: true, ..part(0, bytes) };
    assert_eq!(told, [mapped, part(bytes, bytes * 5 / 2)]);
}

#[test]
fn what_is_not_mapped_is_one_part() {
    let read = Settings { is_mapped: false, ..settings(1, false) };
    let all =
        Part::exact(Use::Weights, Device::Host, (36_u64 * 1062).next_multiple_of(32) + 36 * 1064);
    assert_eq!(parts(&read, Devices::Count(0)), [all]);
}

#[test]
fn the_first_pattern_that_is_found_in_a_name_says_where_a_tensor_lies() {
    let mut settings = Settings { backend: Backend::Cuda, ..settings(1, false) };
    settings.placement.layers = Some(3);
    let pattern = |text: &str| Pattern::parse(text).unwrap();
    settings.placement.patterns =
        vec![(pattern(r"blk\.1\."), Device::Host), (pattern("attn_q"), Device::Gpu(1))];
    let told = parts(&settings, Devices::Count(1));
    let on = |device| told.iter().find(|part| part.device == device).unwrap();
    let of_last = |rows: u64| (36 * rows + 252).next_multiple_of(128);
    assert_eq!(on(Device::Gpu(1)).low, of_last(64));
    assert_eq!(on(Device::Gpu(0)).low, of_last(1000));
    assert_eq!((on(Device::Host).low, on(Device::Host).exact), (36 * 1062, true));
    // Without a device everything is on the host anyway.
    let plain = Settings { placement: Placement::default(), ..settings.clone() };
    assert_eq!(parts(&settings, Devices::Count(0)), parts(&plain, Devices::Count(0)));
}

#[test]
fn the_last_layers_lie_on_the_devices() {
    let mut settings = Settings { backend: Backend::Cuda, ..settings(1, false) };
    settings.placement.layers = Some(2);
    let mapped = Part { mapped: true, ..Part::exact(Use::Weights, Device::Host, 36 * 1064) };
    // Rows of 64 are padded to 512, and each tensor to 128 bytes.
    let of_last = |rows: u64| (36 * rows + 252).next_multiple_of(128);
    let device = Part::exact(Use::Weights, Device::Gpu(0), of_last(62) + of_last(1000));
    assert_eq!(parts(&settings, Devices::Count(1)), [mapped, device]);
    settings.placement.shares = vec![1.0, 1.0];
    settings.placement.layers = Some(3);
    let told = parts(&settings, Devices::Count(2));
    let on = |device| told.iter().find(|part| part.device == device).unwrap().low;
    assert_eq!(on(Device::Gpu(0)), of_last(64) + of_last(62));
    assert_eq!(on(Device::Gpu(1)), of_last(1000));
}

#[test]
fn layers_lie_on_the_devices_that_are_named_in_their_order() {
    let mut settings = Settings { backend: Backend::Cuda, ..settings(1, false) };
    settings.placement.layers = Some(3);
    let all = |settings: &Settings, devices| {
        let told = parts(settings, devices);
        let on_devices = told.iter().filter(|part| part.device != Device::Host);
        on_devices.map(|part| part.device).collect::<Vec<_>>()
    };
    settings.placement.devices = vec![1];
    assert_eq!(all(&settings, Devices::Count(2)), [Device::Gpu(1)]);
    assert_eq!(all(&settings, Devices::Some), [Device::Gpu(1)]);
    // There is no such device.
    assert_eq!(all(&settings, Devices::Count(1)), [Device::Gpus]);
    settings.placement.devices = vec![2, 0];
    assert_eq!(all(&settings, Devices::Count(3)), [Device::Gpus]);
    let one = Placement { is_one: true, main: 1, ..settings.placement.clone() };
    let one = Settings { placement: one, ..settings.clone() };
    assert_eq!(all(&one, Devices::Count(3)), [Device::Gpu(0)]);
    settings.placement.shares = vec![1.0, 1.0];
    let told = parts(&settings, Devices::Count(3));
    let of_last = |rows: u64| (36 * rows + 252).next_multiple_of(128);
    let on = |device| told.iter().find(|part| part.device == device).unwrap().low;
    assert_eq!(on(Device::Gpu(2)), of_last(64) + of_last(62));
    assert_eq!(on(Device::Gpu(0)), of_last(1000));
}

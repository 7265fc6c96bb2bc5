//! What a server makes of itself where it is made to fit (libllama 0.6.0 `common/fit.cpp`): it shortens the
//! context that nobody says, and then puts layers, or their experts, on the host if nobody says where they are.

use crate::plan::engine::llama_cpp::memory::Server;
use crate::plan::engine::llama_cpp::memory::largest::{Fitting, largest};
use crate::plan::engine::llama_cpp::memory::settings::Settings;
use crate::plan::engine::memory::{Device, Devices, Largest, Machine, Part, Room, Served, Whole};

/// Since when a server without a device is known to be held against the memory of its host.
const HOLDS_HOST_SINCE: u32 = 11_669;

/// What it is made to fit into: without a device all that the host has, whatever its container may have.
pub(super) fn room(settings: &Settings, machine: &Machine, room: &[Room]) -> Vec<Room> {
    let left = |bytes: u64| bytes.saturating_sub(settings.left_free);
    if settings.sees(machine.devices) == Devices::Count(0) {
        let holds = settings.build.is_none_or(|build| build >= HOLDS_HOST_SINCE);
        let memory = machine.memory.filter(|_| holds).map(left);
        return memory.map(|bytes| Room { device: Device::Host, bytes }).into_iter().collect();
    }
    let devices = room.iter().filter(|room| room.device != Device::Host);
    devices.map(|room| Room { bytes: left(room.bytes), ..*room }).collect()
}

impl Fitting<'_> {
    /// What becomes of it; absent: it takes no more than there is, what was said stands, or that is not known.
    pub(super) fn served(&self) -> Option<Served> {
        let settings = &self.server.model;
        let is_read = settings.fits && !settings.is_cut && !settings.placement.is_special;
        let is_read = is_read && !self.room.is_empty();
        let least = settings.least_context.filter(|_| is_read && !self.loaded.is_cut)?;
        let whole = self.whole(settings)?;
        let parts = self.parts(|_| {})?;
        if !self.room.iter().any(|room| room.bytes < least_on(room.device, parts.iter())) {
            return None;
        }
        // What is mapped counts as well, and is the same for every context.
        let mapped = || parts.iter().filter(|part| part.mapped);
        let left = |room: &Room| {
            let bytes = room.bytes.saturating_sub(least_on(room.device, mapped()));
            Room { bytes, ..*room }
        };
        let room: Vec<Room> = self.room.iter().map(left).collect();
        let it = Fitting { room: &room, ..*self };
        let is_shortened = settings.context.is_none();
        let least =
            if is_shortened { least.saturating_mul(settings.streams()).min(whole) } else { whole };
        let longest = is_shortened.then(|| it.longest(least, whole)).flatten();
        let context = largest("-c", longest.unwrap_or(least));
        let moved = if longest.is_some() { None } else { Some(it.moved(least)?) };
        let layers = self.loaded.model?.number("block_count")?.saturating_add(1);
        let whole = if is_shortened { Whole::Tokens(whole) } else { Whole::Layers(layers) };
        let values = Some(context).filter(|_| is_shortened).into_iter().chain(moved).collect();
        Some(Served { values, whole, is_least: false })
    }

    /// What goes to the host with a context of so many tokens; absent: nothing does, or that is not enough.
    fn moved(&self, context: u64) -> Option<Largest> {
        let Server { model, draft, is_firm } = self.server;
        if !model.placement.is_free() || !self.has_devices() {
            return None;
        }
        let model = Settings { context: Some(context), ..model.clone() };
        let server = &Server { model, draft: draft.clone(), is_firm: *is_firm };
        let shape = self.loaded.model?;
        let it = Fitting { server, ..*self };
        let experts = it.fewest_experts(shape).map(|kept| largest("-ncmoe", kept));
        experts.or_else(|| Some(largest("-ngl", it.most_layers(shape)?)))
    }
}

/// Bytes that parts take of a device at least.
fn least_on<'a>(device: Device, parts: impl Iterator<Item = &'a Part>) -> u64 {
    let own = parts.filter(|part| part.device == device);
    own.fold(0, |sum: u64, part| sum.saturating_add(part.low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::llama_cpp::memory::settings::Backend;
    use crate::plan::engine::llama_cpp::memory::tests::{LLAMA, settings, shape};
    use crate::plan::engine::memory::{Loaded, Shape, Sizing as _, Tensor};

    /// A model of 32 layers of so many MiB each, that was made for 131072 tokens of 128 KiB.
    fn model(mebibytes: u64) -> Shape {
        let mut model = shape("llama", &[&LLAMA[..], &[("context_length", 131_072)]].concat());
        model.tensors.extend((0..32).map(|layer| Tensor {
            name: format!("blk.{layer}.attn_q.weight"),
            shape: [1024, 1, 1, 1],
            kind: Some("F32"),
            bytes: mebibytes << 20,
        }));
        model
    }

    /// What becomes of it on a device with so many MiB free, after a change of how it is set.
    fn told(model: &Shape, mebibytes: u64, change: impl FnOnce(&mut Settings)) -> String {
        let mut own = Settings { backend: Backend::Cuda, fits: true, ..settings(4, true) };
        change(&mut own);
        let server = Server { model: own.clone(), draft: own, is_firm: true };
        let loaded = Loaded { model: Some(model), ..Loaded::default() };
        let machine = Machine { processor: None, devices: Devices::Count(1), memory: None };
        let room = [Room { device: Device::Gpu(0), bytes: mebibytes << 20 }];
        let Some(served) = server.served(&loaded, &machine, &room) else { return "all".to_owned() };
        let words = served.values.iter().map(|it| format!("{} {}", it.flag, it.value));
        format!("{} of {:?}", words.collect::<Vec<_>>().join(" "), served.whole)
    }

    #[test]
    fn a_context_that_nobody_says_is_shortened_before_layers_are_moved() {
        // 3.1 GiB of weights, and 16 of the cache of all tokens.
        let model = model(100);
        assert_eq!(told(&model, 24 << 10, |_| {}), "all");
        let shortened = told(&model, 12 << 10, |_| {});
        let words = shortened.strip_prefix("-c ").unwrap().strip_suffix(" of Tokens(131072)");
        let context: u64 = words.unwrap().parse().unwrap();
        assert!((58_000..64_600).contains(&context) && context.is_multiple_of(256), "{context}");
        let more = told(&model, 12 << 10, |it| it.left_free = 0);
        assert!(shortened < more, "{shortened} {more}");
        let moved = told(&model, 3 << 10, |_| {});
        assert!(moved.starts_with("-c 4096 -ngl ") && moved.ends_with("Tokens(131072)"), "{moved}");
        assert_eq!(told(&model, 3 << 10, |it| it.placement.layers = Some(33)), "all");
        assert_eq!(told(&model, 12 << 10, |it| it.fits = false), "all");
        // `-c 0` asks for all.
        assert_eq!(told(&model, 12 << 10, |it| it.least_context = None), "all");
    }

    #[test]
    fn a_context_that_is_said_stands_and_layers_are_moved() {
        let told = told(&model(100), 12 << 10, |it| it.context = Some(131_072));
        let layers = told.strip_prefix("-ngl ").unwrap().strip_suffix(" of Layers(33)").unwrap();
        // Each takes 612 MiB, and the mask 128.
        assert!((17..20).contains(&layers.parse::<u64>().unwrap()), "{told}");
    }
}

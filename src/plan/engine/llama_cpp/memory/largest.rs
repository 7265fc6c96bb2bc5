//! The largest context, or the placement, with which a server fits into what there is of memory.

use crate::plan::engine::llama_cpp::memory::Server;
use crate::plan::engine::llama_cpp::memory::settings::{LEAST_CONTEXT, Settings};
use crate::plan::engine::memory::{
    Device, Devices, Largest, Loaded, Machine, Part, Room, Shape, Sizing as _, Use,
};

/// What a context is rounded to (`src/llama-context.cpp`).
const STEP: u64 = 256;

/// Since when the experts of the first layers can be kept on the host (#15077).
const KEEPS_EXPERTS_SINCE: u32 = 6095;

/// A server that is to fit somewhere.
pub(super) struct Fitting<'a> {
    pub(super) server: &'a Server,
    pub(super) loaded: &'a Loaded<'a>,
    pub(super) machine: &'a Machine,
    pub(super) room: &'a [Room],
}

impl Fitting<'_> {
    /// The longest context; else how many layers keep their experts on the host, or go to devices, with the
    /// context as it is. Absent: all of it fits as it is, nothing helps, or that is not known.
    pub(super) fn largest(&self) -> Option<Largest> {
        let shape = self.loaded.model?;
        let server = self.server;
        let context = self.whole(&server.model)?;
        if self.fits(|_| {})? {
            return None;
        }
        self.longest(LEAST_CONTEXT, context)
            .map(|context| largest("-c", context))
            .or_else(|| Some(largest("-ncmoe", self.fewest_experts(shape)?)))
            .or_else(|| Some(largest("-ngl", self.most_layers(shape)?)))
    }

    /// The longest context below `asked`, and no shorter than `least`; absent: there is no room for one.
    pub(super) fn longest(&self, least: u64, asked: u64) -> Option<u64> {
        let step = STEP * self.server.model.streams().min(256);
        let fits = |steps: u64| {
            let context = Some(steps * step);
            self.fits(|settings| settings.context = context)
        };
        let mut low = least.min(asked).div_ceil(step).max(1);
        let mut high = asked / step + 1;
        if low >= high || !fits(low)? {
            return None;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low * step)
    }

    /// Of how many layers the experts have to be on the host.
    pub(super) fn fewest_experts(&self, shape: &Shape) -> Option<u64> {
        let has_experts = shape.tensors.iter().any(|tensor| tensor.name.contains("_exps."));
        let settings = &self.server.model;
        let keeps = settings.build.is_none_or(|build| build >= KEEPS_EXPERTS_SINCE);
        let kept = settings.placement.experts_on_host;
        if !has_experts || !keeps || !self.has_devices() || settings.placement.is_special {
            return None;
        }
        let layers = shape.number("block_count")?.min(512);
        let mut more = kept.saturating_add(1)..=layers;
        more.find(|kept| self.fits(|it| it.placement.experts_on_host = *kept) == Some(true))
    }

    /// How many layers may be on devices.
    pub(super) fn most_layers(&self, shape: &Shape) -> Option<u64> {
        let placement = &self.server.model.placement;
        if !self.has_devices() || placement.is_special {
            return None;
        }
        let all = shape.number("block_count")?.min(512) + 1;
        let most = placement.layers.unwrap_or(u64::MAX).min(all);
        let mut fewer = (0..most).rev();
        fewer.find(|layers| self.fits(|it| it.placement.layers = Some(*layers)) == Some(true))
    }

    /// The context that there is where all of it fits.
    pub(super) fn whole(&self, settings: &Settings) -> Option<u64> {
        settings.contexts(self.loaded.model?.number("context_length"))?.last().copied()
    }

    pub(super) fn has_devices(&self) -> bool {
        self.machine.devices != Devices::Count(0)
    }

    /// Whether the server fits after a change of how it is set, whatever of its bounds is true; absent: not
    /// known.
    fn fits(&self, change: impl FnOnce(&mut Settings)) -> Option<bool> {
        let parts = self.parts(change)?;
        let mut rooms = self.room.iter();
        rooms.try_fold(true, |fits, room| Some(fits && taken(&parts, room.device)? <= room.bytes))
    }

    /// What the server takes after a change of how it is set, if it is not made to fit.
    pub(super) fn parts(&self, change: impl FnOnce(&mut Settings)) -> Option<Vec<Part>> {
        let context = self.whole(&self.server.model);
        let mut model = Settings { fits: false, context, ..self.server.model.clone() };
        change(&mut model);
        let (context, draft) = (model.context, self.server.draft.clone());
        let draft = Settings { fits: false, context, ..draft };
        let server = Server { model, draft, is_firm: self.server.is_firm };
        server.parts(self.loaded, self.machine)
    }
}

/// What parts take somewhere at most, without what the system can take away; absent: not known. What the
/// size of pictures asks for is left out.
fn taken(parts: &[Part], device: Device) -> Option<u64> {
    let mut there = parts.iter().filter(|part| part.device == device && !part.mapped);
    there.try_fold(0_u64, |sum, part| {
        let is_projector = part.use_for == Use::Projector;
        let most = part.high.or_else(|| is_projector.then_some(part.low))?;
        Some(sum.saturating_add(most))
    })
}

pub(super) fn largest(flag: &str, value: u64) -> Largest {
    Largest { flag: flag.to_owned(), value: value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::llama_cpp::memory::settings::Backend;
    use crate::plan::engine::llama_cpp::memory::tests::{LLAMA, settings, shape};
    use crate::plan::engine::memory::Tensor;

    /// A model of 32 layers, each of so many bytes beside its experts.
    fn model(bytes: u64, experts: u64) -> Shape {
        let tensor = |name: String, bytes: u64| Tensor {
            name,
            shape: [1024, 1, 1, 1],
            kind: Some("F32"),
            bytes,
        };
        let mut model = shape("llama", &LLAMA);
        model.numbers.extend(shape("llama", &[("context_length", 131_072)]).numbers);
        for layer in 0..32 {
            model.tensors.push(tensor(format!("blk.{layer}.attn_q.weight"), bytes));
            if experts > 0 {
                model.tensors.push(tensor(format!("blk.{layer}.ffn_up_exps.weight"), experts));
            }
        }
        model
    }

    /// What fits of a server with that context into `mebibytes` of a device, or of the host where there is
    /// none.
    fn fitting(model: &Shape, context: Option<u64>, devices: u32, mebibytes: u64) -> String {
        let settings = Settings { context, ..settings(1, false) };
        let backend = if devices == 0 { Backend::Processor } else { Backend::Cuda };
        let settings = Settings { backend, ..settings };
        let server = Server { model: settings.clone(), draft: settings, is_firm: true };
        let loaded = Loaded { model: Some(model), ..Loaded::default() };
        let machine = Machine { processor: None, devices: Devices::Count(devices), memory: None };
        let device = if devices == 0 { Device::Host } else { Device::Gpu(0) };
        let room = [Room { device, bytes: mebibytes << 20 }];
        let largest = server.largest(&loaded, &machine, &room);
        largest.map_or("none".to_owned(), |it| format!("{} {}", it.flag, it.value))
    }

    #[test]
    fn a_context_is_as_long_as_there_is_room_for() {
        // A token takes 128 KiB of the cache, and 1 KiB of the mask of 512 tokens.
        let small = model(1 << 20, 0);
        assert_eq!(fitting(&small, Some(32_768), 1, 8192), "none");
        for room in [1024, 2048, 4096] {
            let told = fitting(&small, None, 1, room);
            let longest: u64 = told.strip_prefix("-c ").unwrap().parse().unwrap();
            assert_eq!(longest % 256, 0);
            assert_eq!(fitting(&small, Some(longest), 1, room), "none", "{longest}");
            let next = fitting(&small, Some(longest + 256), 1, room);
            assert_eq!(next, format!("-c {longest}"));
            let least = room * 8 - 8 * (32 + 700);
            assert!((least..room * 8).contains(&longest), "{room}: {longest}");
        }
    }

    #[test]
    fn a_context_is_made_longer_in_steps_of_all_slots() {
        let model = model(1 << 20, 0);
        let settings = Settings { slots: 3, context: Some(30_000), ..settings(3, false) };
        let server = Server { model: settings.clone(), draft: settings, is_firm: true };
        let loaded = Loaded { model: Some(&model), ..Loaded::default() };
        let machine = Machine { processor: None, devices: Devices::Count(0), memory: None };
        let room = [Room { device: Device::Host, bytes: 2 << 30 }];
        let largest = server.largest(&loaded, &machine, &room).unwrap();
        let context: u64 = largest.value.parse().unwrap();
        assert_eq!((largest.flag.as_str(), context % 768), ("-c", 0));
    }

    #[test]
    fn experts_or_layers_stay_on_the_host_where_no_context_is_short_enough() {
        // 32 layers of 100 MiB, of which 80 are those of experts, and half a gibibyte of cache.
        let experts = model(20 << 20, 80 << 20);
        let told = fitting(&experts, Some(4096), 1, 2600);
        let kept: u64 = told.strip_prefix("-ncmoe ").unwrap().parse().unwrap();
        assert!((14..20).contains(&kept), "{told}");
        let told = fitting(&model(100 << 20, 0), Some(4096), 1, 2600);
        let layers: u64 = told.strip_prefix("-ngl ").unwrap().parse().unwrap();
        assert!((12..24).contains(&layers), "{told}");
    }
}

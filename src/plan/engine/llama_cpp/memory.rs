//! What llama-server takes of the memory of its host and its devices, before it has read a byte of
//! the weights.
//!
//! Follows libllama 0.6.0 (`src/llama-context.cpp`, `llama-model.cpp`, `llama-model-loader.cpp`,
//! `llama-kv-cache*.cpp`), build by build where a default has changed (see [`settings`]), and was
//! held against the buffers that build 11669 logs.

mod cache;
mod compute;
mod largest;
mod layers;
mod placement;
mod refusals;
mod served;
mod settings;
mod sums;
mod weights;

use std::sync::Arc;

use self::cache::Cells;
use self::largest::Fitting;
use self::layers::Layers;
use self::placement::Places;
use self::settings::{Backend, LEAST_CONTEXT, Settings};
use self::sums::{hull, padded};
use crate::plan::engine::Refusal;
use crate::plan::engine::arguments::Arguments;
use crate::plan::engine::image::Image;
use crate::plan::engine::memory::{
    Beside, Device, Devices, Largest, Loaded, Machine, Part, Room, Served, Shape, Sizing, Use,
};
use crate::plan::engine::reading::Reading;

/// The architecture whose attention is computed in steps, whatever is said
/// (`src/llama-context.cpp`).
const UNFUSED: &str = "grok";

/// The settings of a server, for its model and for the small one beside it.
#[derive(Debug)]
struct Server {
    model: Settings,
    draft: Settings,
    is_firm: bool,
}

/// How `arguments` and the variables size it.
pub(super) fn sizing(
    arguments: &Arguments,
    reading: &Reading<'_>,
    image: Option<&Image>,
) -> Arc<dyn Sizing> {
    let model = Settings::of(arguments, reading, Backend::of(image));
    let draft = model.of_draft(arguments, reading);
    Arc::new(Server { model, draft, is_firm: is_firm(arguments, reading, image) })
}

/// Whether an image is one of the project's own that has no code for devices: nothing is in its tag but the
/// program and the build.
pub(super) fn is_for_processor(image: Option<&Image>) -> bool {
    let is_build = |part: &str| part.strip_prefix('b').is_some_and(|it| it.parse::<u32>().is_ok());
    let is_plain = |part: &str| {
        matches!(part, "" | "server" | "full" | "light" | "latest" | "master") || is_build(part)
    };
    Backend::of(image) == Backend::Processor
        && image.is_some_and(|image| image.tag().split('-').all(is_plain))
}

/// Whether an image has code for devices of NVIDIA.
pub(super) fn is_for_nvidia(image: Option<&Image>) -> bool {
    Backend::of(image) == Backend::Cuda
}

/// Devices of CUDA and ROCm do not take more than they have, unless they are told to
/// (ggml/src/ggml-cuda/ggml-cuda.cu `ggml_cuda_device_malloc`); those of others may. A server that
/// sleeps gives back what it has.
fn is_firm(arguments: &Arguments, reading: &Reading<'_>, image: Option<&Image>) -> bool {
    let is_strict = |image: &Image| image.mentions("cuda") || image.mentions("rocm");
    let is_shared = reading.environment.get("GGML_CUDA_ENABLE_UNIFIED_MEMORY").is_some();
    let sleeps = arguments.last("--sleep-idle-seconds").is_some();
    image.is_some_and(is_strict) && !is_shared && !sleeps
}

impl Sizing for Server {
    fn parts(&self, loaded: &Loaded<'_>, machine: &Machine) -> Option<Vec<Part>> {
        let model = loaded.model?;
        let devices = match (self.model.backend, self.model.sees(machine.devices)) {
            (Backend::Processor, devices) => devices,
            // Docker's default runtime may hand in what nobody asks for.
            (Backend::Cuda, Devices::Count(0)) | (_, Devices::Unknown) => return None,
            (Backend::Cuda | Backend::Other, devices) => devices,
        };
        let machine = &Machine { devices, ..*machine };
        let mut parts = self.model.ways(model, machine)?;
        parts.extend(loaded.projectors.iter().map(|shape| self.projector(shape, machine)));
        if let Some(draft) = loaded.draft {
            parts.extend(in_one(self.draft.ways(draft, machine)?, Use::Draft));
        }
        parts.extend(loaded.adapters.iter().map(|shape| adapter(shape, machine)));
        if loaded.is_cut || self.model.is_cut {
            parts.iter_mut().for_each(|part| part.exact = false);
        }
        let mut on_devices: Vec<&mut Part> =
            parts.iter_mut().filter(|part| part.device != Device::Host).collect();
        if self.model.is_cut || self.model.placement.is_special {
            on_devices.iter_mut().for_each(|part| unsettle(part));
        }
        if self.model.placement.is_sliced {
            on_devices.iter_mut().for_each(|part| part.high = None);
        }
        Some(parts)
    }

    fn largest(&self, loaded: &Loaded<'_>, machine: &Machine, room: &[Room]) -> Option<Largest> {
        Fitting { server: self, loaded, machine, room }.largest()
    }

    fn served(&self, loaded: &Loaded<'_>, machine: &Machine, room: &[Room]) -> Option<Served> {
        let room = &served::room(&self.model, machine, room);
        Fitting { server: self, loaded, machine, room }.served()
    }

    fn is_firm(&self) -> bool {
        self.is_firm
    }

    fn refused(&self, shape: &Shape) -> Option<Refusal> {
        self.model.refused(shape)
    }

    fn beside(&self) -> Beside {
        self.model.beside
    }
}

/// What may be on the host as well.
fn unsettle(part: &mut Part) {
    (part.low, part.exact) = (0, false);
}

impl Server {
    /// Beside its tensors it takes what the size of the pictures asks for.
    fn projector(&self, shape: &Shape, machine: &Machine) -> Part {
        let is_on_host = machine.devices == Devices::Count(0) || !self.model.offloads_projector;
        let device = match machine.devices {
            _ if is_on_host => Device::Host,
            Devices::Count(1) => Device::Gpu(0),
            Devices::Count(_) | Devices::Some | Devices::Unknown => Device::Gpus,
        };
        Part::between(Use::Projector, device, shape.bytes(), None)
    }
}

/// Adapters lie beside what they change, and never where that is laid out anew.
fn adapter(shape: &Shape, machine: &Machine) -> Part {
    let all = |alignment| {
        shape.tensors.iter().fold(0, |sum: u64, it| sum.saturating_add(padded(it.bytes, alignment)))
    };
    match machine.devices {
        Devices::Count(0) if shape.is_measured() => {
            Part::exact(Use::Adapter, Device::Host, all(32))
        }
        Devices::Count(0) => Part::between(Use::Adapter, Device::Host, all(1), None),
        Devices::Count(_) | Devices::Some | Devices::Unknown => {
            Part::between(Use::Adapter, Device::Gpus, 0, Some(all(128)))
        }
    }
}

/// Parts of a model as parts of what it is for.
fn in_one(parts: Vec<Part>, use_for: Use) -> Vec<Part> {
    let mut sums: Vec<Part> = Vec::new();
    for part in parts {
        let alike = |sum: &&mut Part| sum.device == part.device && sum.mapped == part.mapped;
        match sums.iter_mut().find(alike) {
            Some(sum) => {
                sum.low = sum.low.saturating_add(part.low);
                sum.high = sum.high.zip(part.high).map(|(sum, high)| sum.saturating_add(high));
            }
            None => sums.push(Part { use_for, exact: false, ..part }),
        }
    }
    sums
}

impl Settings {
    /// The devices that it has code for.
    fn sees(&self, devices: Devices) -> Devices {
        match self.backend {
            Backend::Processor => Devices::Count(0),
            Backend::Cuda | Backend::Other => devices,
        }
    }

    /// What a model takes, whatever becomes of what was not said.
    fn ways(&self, shape: &Shape, machine: &Machine) -> Option<Vec<Part>> {
        if shape.architecture == UNFUSED && !self.is_unfused {
            return Self { is_unfused: true, ..self.clone() }.ways(shape, machine);
        }
        let contexts = self.contexts(shape.number("context_length"))?;
        let each = contexts.iter().map(|context| self.way(shape, machine, *context));
        let mut ways = each.collect::<Option<Vec<_>>>()?;
        let on_host = machine.devices == Devices::Count(0);
        if self.fits && on_host && ways.iter().all(|way| is_there(way, machine)) {
            return Some(if ways.len() == 1 { ways.remove(0) } else { hull(&ways) });
        }
        if self.fits {
            let shortest = contexts.first().copied()?;
            let least = if self.context.is_none() { shortest.min(LEAST_CONTEXT) } else { shortest };
            if least < shortest {
                ways.push(self.way(shape, machine, least)?);
            }
            if self.placement.is_free() && !on_host {
                let on_host = self.on_host();
                for context in contexts.into_iter().chain([least]) {
                    ways.push(on_host.way(shape, machine, context)?);
                }
            }
        }
        Some(hull(&ways))
    }

    /// What a model takes with a context of so many tokens.
    fn way(&self, shape: &Shape, machine: &Machine, context: u64) -> Option<Vec<Part>> {
        let layers = Layers::of(shape);
        let all = shape.number("block_count").unwrap_or_default().min(512);
        let places = Places::of(&self.placement, machine.devices, all);
        let cells = Cells::of(self, context, layers.window, !layers.keep_nothing());
        let used = layers.layers.len() as u64;
        let mut parts = weights::parts(shape, used, self, machine, &places);
        let kept = cache::keys_and_values(&layers, cells, self, &places)?;
        let states = cache::states(&layers, self, &places);
        let output = Part::exact(Use::Output, Device::Host, self.output(shape));
        let is_certain = layers.is_certain && self.is_read();
        parts.extend(kept.into_iter().chain(states).chain([output]).map(|part| {
            let high = part.high.filter(|_| layers.is_certain);
            Part { exact: part.exact && is_certain, high, ..part }
        }));
        parts.extend(compute::parts(shape, &layers, cells, self, &places));
        Some(parts)
    }

    /// What the model says of the last tokens, one row for each slot.
    fn output(&self, shape: &Shape) -> u64 {
        let number = |key: &str| shape.number(key);
        let width = number("embedding_length_out").or_else(|| number("embedding_length"));
        let embedding = if self.embeds { width.unwrap_or_default() } else { 0 };
        self.slots.saturating_mul(4).saturating_mul(shape.vocabulary.saturating_add(embedding))
    }
}

/// Whether what is made to fit without a device is not made smaller: it is held against all of the host's
/// memory, whatever its container may have (`common/fit.cpp`), and this much of it is left (`-fitt`).
fn is_there(parts: &[Part], machine: &Machine) -> bool {
    const LEFT: u64 = 1 << 30;
    let mut all = parts.iter();
    let most = all.try_fold(LEFT, |sum, part| Some(sum.saturating_add(part.high?)));
    most.zip(machine.memory).is_some_and(|(most, memory)| most <= memory)
}

#[cfg(test)]
mod tests;

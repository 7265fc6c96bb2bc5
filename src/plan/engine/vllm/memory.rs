//! What vLLM takes of the memory of its devices, before it has read a byte of the weights.
//!
//! The weights of a rank and the cache of one request of the longest length have to fit into the share of
//! a device that it takes. What is between them, above all what the profile run of the start computes, has
//! bounds alone (0.6.6 to 0.33.0 v1/worker/gpu_worker.py).

mod cache;
mod layers;
mod settings;
mod states;
mod weights;

use std::ops::Range;
use std::sync::Arc;

use self::cache::{Counting, Need, States, Sum};
use self::layers::{Kept, Layers};
use self::settings::{Given, Length, Settings, Stateful};
use self::states::{Carried, Family};
use self::weights::Weight;
use crate::plan::engine::arguments::Arguments;
use crate::plan::engine::memory::{
    Checkpoint, Claim, Device, Devices, Largest, Loaded, Machine, Part, Room, Served, Shortage,
    Sizing, Use, Whole,
};
use crate::plan::engine::reading::Reading;

/// More ranks than one host has devices.
const MOST_RANKS: u64 = 64;

/// What the profile run, the graphs and libraries take beside the weights and the cache, at most:
/// so many bytes and a twentieth of the weights (KAITO 056b828, pkg/model, from measurements).
const BESIDE: u64 = 2_469_606_195;

/// The settings of a server.
#[derive(Debug)]
struct Server(Settings);

/// How `arguments` and the variables size it; absent: a word that decides about it is not known.
pub(super) fn sizing(
    arguments: &Arguments,
    is_for_cpu: bool,
    reading: &Reading<'_>,
) -> Option<Arc<dyn Sizing>> {
    let settings = Settings::of(arguments, is_for_cpu, reading)?;
    Some(Arc::new(Server(settings)))
}

/// What one stage of a pipeline takes on each of its ranks.
#[derive(Debug, Clone, Copy)]
struct Stage {
    weights: Weight,
    /// The least and the most; the most is absent where it is not known.
    cache: Cached,
}

/// What the cache of one stage takes on each of its ranks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cached {
    low: u64,
    high: Option<u64>,
    is_exact: bool,
}

impl Sizing for Server {
    fn parts(&self, loaded: &Loaded<'_>, machine: &Machine) -> Option<Vec<Part>> {
        let checkpoint = loaded.checkpoint?;
        let stages = self.stages(checkpoint)?;
        let places = self.places(machine)?;
        let mut parts = Vec::new();
        for (place, stage) in places.iter().zip(stages.iter().flat_map(|stage| {
            std::iter::repeat_n(stage, usize::try_from(self.0.tensor).unwrap_or_default())
        })) {
            parts.extend(stage.parts(*place, loaded.is_cut));
        }
        Some(together(parts))
    }

    fn claim(&self) -> Option<Claim> {
        self.0.share.filter(|_| !self.0.is_on_processor).map(|share| Claim { share })
    }

    fn largest(&self, loaded: &Loaded<'_>, machine: &Machine, room: &[Room]) -> Option<Largest> {
        self.longest_within(loaded, machine, room).map(largest)
    }

    fn served(&self, loaded: &Loaded<'_>, machine: &Machine, room: &[Room]) -> Option<Served> {
        let checkpoint = loaded.checkpoint.filter(|_| self.is_fitted())?;
        let own = self.own(checkpoint)?;
        let held = || {
            let layers = Layers::of(checkpoint)?;
            self.longest_held(checkpoint, &layers)
        };
        let tokens = if self.0.cache.is_some() || self.0.blocks.is_some() {
            held()?
        } else {
            self.longest_within(loaded, machine, room)?
        };
        let values = vec![largest(tokens)];
        (tokens < own).then_some(Served { values, whole: Whole::Tokens(own), is_least: true })
    }

    fn is_fitted(&self) -> bool {
        self.0.length == Length::Fitted && !self.0.is_of_vectors
    }

    fn shortage(&self, checkpoint: &Checkpoint) -> Option<Shortage> {
        if self.0.overrides || !self.is_of_text(checkpoint) || self.0.length == Length::Fitted {
            return None;
        }
        let tokens = self.tokens(checkpoint)?;
        let layers = Layers::of(checkpoint)?;
        let held = self.held(checkpoint, &layers, tokens)?;
        if held.needed <= held.there {
            return None;
        }
        Some(Shortage {
            flag: held.given.flag.clone(),
            said: held.given.text.clone(),
            there: held.there,
            needed: held.needed,
            tokens,
            longest: self.longest_held(checkpoint, &layers),
            is_certain: self.0.is_stock,
        })
    }
}

/// The least of a cache that is told how large it is to be, held against one request.
struct Held<'a> {
    given: &'a Given,
    /// Bytes that can be taken of it, at most and at least.
    there: u64,
    least_there: u64,
    /// Bytes that the request takes, at least and at most.
    needed: u64,
    most_needed: u64,
}

fn largest(tokens: u64) -> Largest {
    Largest { flag: "--max-model-len".to_owned(), value: tokens.to_string() }
}

/// The most that all parts on a device take; absent: not known.
fn high(parts: &[Part], device: Device) -> Option<u64> {
    let mut own = parts.iter().filter(|part| part.device == device);
    own.try_fold(0_u64, |sum, part| Some(sum.saturating_add(part.high?)))
}

/// The most of `0..=most` that fits; absent: not even one does. What is more never fits where less does
/// not.
fn longest(most: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (0, most);
    if most == 0 || !fits(1) {
        return None;
    }
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    Some(low)
}

/// Parts that are for the same and in the same place as one.
fn together(parts: Vec<Part>) -> Vec<Part> {
    let mut sums: Vec<Part> = Vec::new();
    for part in parts {
        let alike = |sum: &&mut Part| sum.device == part.device && sum.use_for == part.use_for;
        match sums.iter_mut().find(alike) {
            Some(sum) => {
                sum.low = sum.low.saturating_add(part.low);
                sum.high = sum.high.zip(part.high).map(|(sum, high)| sum.saturating_add(high));
                sum.exact &= part.exact;
            }
            None => sums.push(part),
        }
    }
    sums
}

impl Stage {
    fn parts(&self, device: Device, is_cut: bool) -> Vec<Part> {
        let known = |high: Option<u64>| high.filter(|_| !is_cut);
        let Weight { low, high } = self.weights;
        let mut parts = vec![Part::between(Use::Weights, device, low, known(high))];
        let Cached { low, high, is_exact } = self.cache;
        if low > 0 || high != Some(0) {
            let exact = is_exact && !is_cut;
            parts.push(Part { exact, ..Part::between(Use::Cache, device, low, known(high)) });
        }
        let beside = self.weights.high.map(|high| BESIDE.saturating_add(high / 20));
        parts.push(Part::between(Use::Compute, device, 0, known(beside)));
        parts
    }
}

impl Server {
    /// Where each rank is; absent: that cannot be told.
    fn places(&self, machine: &Machine) -> Option<Vec<Device>> {
        let ranks =
            self.0.tensor.checked_mul(self.0.stages).filter(|ranks| *ranks <= MOST_RANKS)?;
        if self.0.is_on_processor {
            return Some(vec![Device::Host; usize::try_from(ranks).ok()?]);
        }
        match machine.devices {
            Devices::Count(0) => None,
            Devices::Count(_) | Devices::Some | Devices::Unknown => {
                (0..ranks).map(|rank| u32::try_from(rank).ok().map(Device::Gpu)).collect()
            }
        }
    }

    /// What each stage takes; absent: words of the command change the model.
    fn stages(&self, checkpoint: &Checkpoint) -> Option<Vec<Stage>> {
        if self.0.overrides {
            return None;
        }
        let stages = self.0.stages.clamp(1, MOST_RANKS);
        let layers = Layers::of(checkpoint);
        let count = layers.as_ref().map(|layers| layers.count);
        let count = count.or_else(|| checkpoint.number("num_hidden_layers")).unwrap_or_default();
        let stage = |number: u64| {
            let ends = [number == 0, number + 1 == stages];
            let own = self.layers_of(number, count);
            Stage {
                weights: weights::of_rank(checkpoint, &self.0, &own.range, ends)
                    .within(own.is_certain),
                cache: self.cache(checkpoint, layers.as_ref(), &own),
            }
        };
        Some((0..stages).map(stage).collect())
    }

    /// The layers of a stage (distributed/utils.py, `get_pp_indices`): what is over goes to the last but
    /// one and those before it (0.8.5 and newer; 0.6.6: to the last).
    fn layers_of(&self, stage: u64, count: u64) -> Own {
        let stages = self.0.stages.max(1);
        let (each, over) = (count / stages, count % stages);
        let more = |stage: u64| u64::from(stage + 1 < stages && stages <= stage + 1 + over);
        let start = (0..stage).map(|before| each + more(before)).sum::<u64>();
        let is_certain = !self.0.is_partitioned && (over == 0 || self.0.release.is_some());
        Own { range: start..start + each + more(stage), is_certain }
    }

    /// What the cache of the layers of one stage takes on each of its ranks.
    fn cache(&self, checkpoint: &Checkpoint, layers: Option<&Layers>, own: &Own) -> Cached {
        if layers::keep_nothing(checkpoint) {
            return Cached { low: 0, high: Some(0), is_exact: false };
        }
        // What is asked for vectors may look both ways as well.
        let is_of_text = self.is_of_text(checkpoint);
        if let Some(given) = &self.0.cache {
            let low = if is_of_text { given.number } else { 0 };
            return Cached { low, high: Some(given.number), is_exact: is_of_text };
        }
        let Some((layers, tokens)) = layers.zip(self.tokens(checkpoint)) else {
            return Cached::default();
        };
        let least = self.least(checkpoint, layers, tokens);
        let is_least = own.is_certain && is_of_text;
        let low = if is_least { needed(&least, layers, &own.range, u64::min).bytes } else { 0 };
        let most = needed(&self.most(checkpoint, layers, tokens), layers, &own.range, u64::max);
        let kept = if self.0.keeps_block() == Some(false) { 0 } else { most.block };
        let is_known = layers.is_certain && own.is_certain && !self.0.is_special;
        let is_known = is_known && !self.is_vague(checkpoint);
        let high = is_known.then(|| most.bytes.saturating_add(kept));
        Cached { low, high, is_exact: false }
    }

    /// Whether the model is known to give out text, so that it keeps what it has seen.
    fn is_of_text(&self, checkpoint: &Checkpoint) -> bool {
        let gives_text = checkpoint.architecture().is_none_or(layers::gives_text);
        !self.0.is_of_vectors && gives_text && !layers::keep_nothing(checkpoint)
    }

    /// The cache of the stage that is told to be smallest for what it needs; absent: nobody says how large
    /// it is to be, or this release does not look.
    fn held<'a>(
        &'a self,
        checkpoint: &Checkpoint,
        layers: &Layers,
        tokens: u64,
    ) -> Option<Held<'a>> {
        let blocks = self.0.blocks.as_ref().filter(|_| self.0.holds_blocks());
        let given = blocks.or(self.0.cache.as_ref())?;
        let leasts = self.least(checkpoint, layers, tokens);
        let mosts = self.most(checkpoint, layers, tokens);
        let count = layers.count;
        let stages =
            (0..self.0.stages.clamp(1, MOST_RANKS)).map(|stage| self.layers_of(stage, count));
        let one = |own: Own| {
            let stage = if self.0.holds_all_stages() { 0..count } else { own.range };
            let least = needed(&leasts, layers, &stage, u64::min);
            let most = needed(&mosts, layers, &stage, u64::max);
            let there = |block: u64| {
                if blocks.is_some() { given.number.saturating_mul(block) } else { given.number }
            };
            let is_kept = self.0.keeps_block();
            let kept = |block: u64, is_kept: bool| if is_kept { block } else { 0 };
            let most_kept = kept(most.block, is_kept != Some(false));
            Held {
                given,
                there: there(most.block).saturating_sub(kept(least.block, is_kept == Some(true))),
                least_there: there(least.block).saturating_sub(most_kept),
                needed: least.bytes,
                most_needed: most.bytes,
            }
        };
        let held = stages.filter(|own| own.is_certain).map(one);
        held.min_by_key(|held| held.there.saturating_sub(held.needed))
    }

    /// Tokens of the longest request for which a cache that is told how large it is to be has room, as
    /// [`Server::longest`] has it.
    fn longest_held(&self, checkpoint: &Checkpoint, layers: &Layers) -> Option<u64> {
        let longest = self.longest(checkpoint, |server| {
            let held = server.tokens(checkpoint).and_then(|it| server.held(checkpoint, layers, it));
            held.is_some_and(|held| held.most_needed <= held.least_there)
        });
        longest.filter(|_| layers.is_certain && !self.0.is_special)
    }

    /// Tokens of the longest request for which there is room on the devices, as [`Server::longest`] has it.
    fn longest_within(&self, loaded: &Loaded<'_>, machine: &Machine, room: &[Room]) -> Option<u64> {
        let checkpoint = loaded.checkpoint.filter(|_| !room.is_empty())?;
        if self.0.cache.is_some() {
            return None;
        }
        self.longest(checkpoint, |server| {
            let parts = server.parts(loaded, machine).unwrap_or_default();
            room.iter().all(|room| high(&parts, room.device).is_some_and(|high| high <= room.bytes))
        })
    }

    /// Tokens of the longest request with which it fits, in whole blocks; absent: none does, or all do. Where
    /// it is made to fit, all may.
    fn longest(&self, checkpoint: &Checkpoint, fits: impl Fn(&Self) -> bool) -> Option<u64> {
        let block = self.0.block()[1].max(1);
        let all = match self.0.length {
            Length::Fitted => self.own(checkpoint)?,
            Length::Said(_) | Length::Own => self.tokens(checkpoint)?,
        };
        let most = all.div_ceil(block);
        let with = |blocks: u64| {
            let length = Length::Said(blocks.saturating_mul(block));
            fits(&Self(Settings { length, ..self.0.clone() }))
        };
        let blocks = longest(most, with)?;
        let is_all = blocks == most;
        let tokens = blocks.checked_mul(block)?.min(all);
        Some(tokens).filter(|_| !is_all || self.0.length == Length::Fitted)
    }

    /// Tokens that the model was made for.
    fn own(&self, checkpoint: &Checkpoint) -> Option<u64> {
        checkpoint.longest(super::context::longest, self.0.release.as_deref())
    }

    /// Tokens of the longest request; absent: as many as there is room for, or not known.
    fn tokens(&self, checkpoint: &Checkpoint) -> Option<u64> {
        match self.0.length {
            Length::Said(tokens) => Some(tokens),
            Length::Own => self.own(checkpoint),
            // One block has to fit.
            Length::Fitted => Some(1),
        }
    }

    /// All ways in which the least may be counted.
    fn least(&self, checkpoint: &Checkpoint, layers: &Layers, tokens: u64) -> Vec<Counting> {
        let [bits, _] = self.bits(checkpoint);
        let counting = Counting {
            tokens: tokens.div_ceil(self.0.token_ranks.max(1)),
            block: self.0.block()[0],
            bits,
            latent: None,
            in_flight: self.0.in_flight()[0],
            ranks: self.0.tensor,
            sum: self.0.sum().filter(|_| !self.0.is_special).unwrap_or(Sum::Least),
            states: States::default(),
        };
        self.ways(checkpoint, layers, counting)
    }

    /// All ways in which the most may be counted.
    fn most(&self, checkpoint: &Checkpoint, layers: &Layers, tokens: u64) -> Vec<Counting> {
        let [_, bits] = self.bits(checkpoint);
        let counting = Counting {
            tokens,
            block: self.0.block()[1],
            bits,
            latent: None,
            in_flight: self.0.in_flight()[1],
            ranks: self.0.tensor,
            sum: self.0.sum().unwrap_or(Sum::Groups),
            states: States::default(),
        };
        self.ways(checkpoint, layers, counting)
    }

    /// Every way in which states may be kept beside what is counted so. Where more fits into a block, fewer are
    /// needed: neither the smallest numbers nor the largest are a bound by themselves.
    fn ways(&self, checkpoint: &Checkpoint, layers: &Layers, counting: Counting) -> Vec<Counting> {
        let Some(family) = checkpoint.architecture().and_then(Family::of) else {
            let latents = self.0.latents(layers::is_sparse(checkpoint));
            return latents.iter().map(|it| Counting { latent: *it, ..counting }).collect();
        };
        let kept = layers.layers.iter().map(|placed| placed.layer);
        let attention = kept.into_iter().find(|layer| !matches!(layer.kept, Kept::State(_)));
        let number = |key: &str| checkpoint.number(key);
        let ways = self.0.ways(Stateful {
            family,
            head: attention.map(|layer| layer.width / 2),
            is_latent: attention.is_some_and(|layer| layer.kept == Kept::Latent),
            chunk: number("mamba_chunk_size").or_else(|| number("chunk_size")),
        });
        let types = self.state_bits(checkpoint, family);
        let each = self.bits_of_states(checkpoint).into_iter().flat_map(|bits| {
            let ways = ways.iter().flat_map(|way| types.iter().map(move |type_of| (way, type_of)));
            ways.map(move |(way, type_of)| {
                let states = States { bits: *type_of, unit: way.unit, copies: way.copies };
                Counting { block: way.block, bits, states, ..counting }
            })
        });
        each.collect()
    }

    /// Whether there are states, and nothing that bounds what is kept beside them.
    fn is_vague(&self, checkpoint: &Checkpoint) -> bool {
        let has_states = checkpoint.architecture().is_some_and(|class| Family::of(class).is_some());
        has_states && self.bits_of_states(checkpoint).contains(&0)
    }

    /// What a number of a key or a value may have beside states, in bits. Of a type that is not known they are
    /// not counted.
    fn bits_of_states(&self, checkpoint: &Checkpoint) -> Vec<u64> {
        match self.bits(checkpoint) {
            [least, most] if least == most => vec![least],
            [least, most] if least >= 8 => vec![least, most],
            [_, most] => vec![0, most],
        }
    }

    /// What a number of the convolution of a state and one of what it carries on may have, in bits (0.12.0 to
    /// 0.33.0 mamba_utils.py `MambaStateDtypeCalculator`, models/config.py).
    fn state_bits(&self, checkpoint: &Checkpoint, family: &Family) -> Vec<[u64; 2]> {
        let [steps, said] = self.0.state_bits;
        let own = || weights::bits(checkpoint, &self.0).map_or(vec![16, 32], |bits| vec![bits]);
        let steps = steps.map_or_else(own, |bits| vec![bits]);
        let carried = |steps: u64| match (said, family.carried) {
            (Some(said), Carried::Same | Carried::Said(_)) => {
                if family.is_told() || self.0.is_told_of_states() {
                    vec![said]
                } else {
                    vec![steps, said]
                }
            }
            (Some(said), Carried::Full) => vec![said, 32],
            (None, Carried::Same) => vec![steps],
            (None, Carried::Full) => vec![32],
            (None, Carried::Said(key)) => {
                let said = checkpoint.value(key).and_then(|value| value.as_str());
                match said.and_then(settings::bits) {
                    Some(said) if self.0.reads_states() => vec![said],
                    Some(said) => vec![steps, said, 32],
                    None => vec![steps, 32],
                }
            }
        };
        steps.into_iter().flat_map(|it| carried(it).into_iter().map(move |of| [it, of])).collect()
    }

    /// Bits of one number of a key or a value: the least and the most (utils/torch_utils.py,
    /// `STR_DTYPE_TO_TORCH_DTYPE`). A quantised model may say by itself that they are smaller.
    fn bits(&self, checkpoint: &Checkpoint) -> [u64; 2] {
        let Some(said) = self.0.cache_type.as_deref() else {
            return match weights::bits(checkpoint, &self.0) {
                Some(bits) if checkpoint.is_packed => [bits.min(8), bits],
                Some(bits) => [bits, bits],
                None => [16, 32],
            };
        };
        match said {
            "fp8" | "fp8_e4m3" | "fp8_e5m2" | "fp8_inc" => [8, 8],
            "bfloat16" | "float16" => [16, 16],
            _ => [2, 16],
        }
    }
}

/// What those of the layers that are in a stage need, of all ways to count it: the least or the most.
fn needed(
    ways: &[Counting],
    layers: &Layers,
    stage: &Range<u64>,
    pick: fn(u64, u64) -> u64,
) -> Need {
    let needs = ways.iter().map(|counting| counting.need(&layers.layers, stage));
    needs.reduce(|one, other| one.with(other, pick)).unwrap_or(Need { bytes: 0, block: 0 })
}

/// The layers of a stage.
struct Own {
    range: Range<u64>,
    /// Whether they are just these.
    is_certain: bool,
}

impl Weight {
    /// As it is where the layers of a stage are certain, else without them.
    fn within(self, is_certain: bool) -> Self {
        if is_certain { self } else { Self { low: 0, high: None } }
    }
}

#[cfg(test)]
mod tests;

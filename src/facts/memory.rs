//! What the lanes take of memory, as far as their command lines and the headers of their models tell.

pub mod balance;
mod cards;
mod host;
mod nodes;
mod used;

use std::collections::BTreeSet;
use std::path::Path;

use self::balance::{Balance, CONTEXT, Taker};
use self::cards::HostCards;
pub use self::host::{HostMemory, HostRoom};
use self::nodes::Nodes;
use self::used::Used;
use crate::facts::model::{Content, Model, Shape as Layout, gguf};
use crate::facts::{LaneFacts, ProjectFacts};
use crate::plan::engine::memory::{
    Beside, Checkpoint, Claim, Device, Largest, Loaded, Machine, Part, Processor, Room, Served,
    Shape, Sizing, Use,
};
use crate::plan::engine::{self, Share};
use crate::project::mounts::Standpoint;
use crate::regular_file;

/// What is left of a card for what is not counted (llama.cpp `common/arg.cpp`, `--fit-target`).
const LEFT: u64 = 1 << 30;

/// More than the list of the processors of any machine takes.
const LONGEST_LIST: u64 = 4 << 20;

/// What a lane takes of memory, and whether that is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LaneMemory {
    /// What takes memory.
    pub parts: Vec<Part>,
    /// For each device that its engine uses, in its order, the key of the [`HostDevice`] that it is;
    /// absent: that cannot be told.
    pub devices: Vec<Option<String>>,
    /// The keys of all that they are among; empty: that cannot be told.
    pub among: BTreeSet<String>,
    /// What its engine takes of each of them, whatever it needs.
    pub claim: Option<Claim>,
    /// Whether what lies on a device cannot be elsewhere: see [`Sizing::is_firm`].
    pub is_firm: bool,
    /// Whether its engine makes the context as long as there is room for: see [`Sizing::is_fitted`].
    pub is_fitted: bool,
    /// Whether its engine is known to see the devices that its service asks for and no others.
    pub is_placed: bool,
    /// What its engine does with the memory of its container beside its parts.
    pub beside: Beside,
    /// How much of the host's memory its container can have; absent: not known.
    pub host: Option<HostRoom>,
    /// The largest value with which it fits.
    pub largest: Option<Largest>,
    /// What its engine makes of it where it would take more than there is; absent: it is not left to it, or
    /// that is not known.
    pub served: Option<Served>,
    /// Whether it fits beside the other lanes.
    pub fits: Fits,
}

/// A GPU of the host whose memory is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDevice {
    /// Its index or its UUID.
    pub key: String,
    /// What it is called; absent: not known.
    pub name: Option<String>,
    /// Bytes of its memory.
    pub memory: u64,
    /// Bytes of it that something else has.
    pub reserved: u64,
    /// Who says so.
    pub source: SizeSource,
    /// The names of the lanes that take a part of it.
    pub lanes: Vec<String>,
}

/// Who says how much memory a GPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeSource {
    /// Somebody declares it.
    Declared,
    /// Its driver.
    Sysfs,
    /// Its name.
    Name,
}

/// Whether something fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fits {
    /// Whatever it turns out to take.
    Yes,
    /// Not even the least that it takes.
    No,
    /// It cannot be said.
    #[default]
    Unknown,
}

impl HostDevice {
    /// Bytes that lanes can take of it.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.memory.saturating_sub(self.reserved)
    }
}

impl LaneMemory {
    /// The key of the [`HostDevice`] that the engine's device of that number is; absent: that cannot be
    /// told.
    #[must_use]
    pub fn key(&self, number: u32) -> Option<&str> {
        self.devices.get(usize::try_from(number).ok()?)?.as_deref()
    }

    /// Whether it is known how large each of the GPUs is on which something lies.
    #[must_use]
    pub fn has_known_devices(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.all(|part| match part.device {
            Device::Host => true,
            Device::Gpu(number) => self.key(number).is_some(),
            Device::Gpus => !self.devices.is_empty() && self.devices.iter().all(Option::is_some),
        })
    }
}

impl Fits {
    /// Whether what takes at least `low` and at most `high` bytes fits into `room` of them.
    #[must_use]
    pub fn of(low: u64, high: Option<u64>, room: Option<u64>) -> Self {
        match room {
            Some(room) if room < low => Self::No,
            Some(room) if high.is_some_and(|high| high <= room) => Self::Yes,
            Some(_) | None => Self::Unknown,
        }
    }

    /// Of both of two things.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }

    /// What programs call it: in the JSON report.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// What the host of the lanes has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Its GPUs whose memory is known.
    pub devices: Vec<HostDevice>,
    /// Its own memory; absent: no lane's is worked out.
    pub memory: Option<HostMemory>,
}

/// Works out what each lane takes, and gives what the host has. Blocking.
pub fn work_out(
    lanes: &mut [LaneFacts],
    project: &ProjectFacts<'_>,
    standpoint: &Standpoint,
) -> Host {
    let is_sized = |lane: &LaneFacts| {
        lane.lane.invocation.as_ref().is_some_and(|invocation| invocation.sizing.is_some())
    };
    let root = match standpoint {
        Standpoint::Elsewhere(_) => None,
        Standpoint::Host | Standpoint::Container(_) | Standpoint::Inside(_) => Some(Path::new("/")),
    };
    let declared = project.plan.settings.gpus.as_ref().map(|gpus| &gpus.value);
    if declared.is_none() && !lanes.iter().any(is_sized) {
        return Host::default();
    }
    let cards = HostCards::gather(declared, root);
    let host = HostMemory::look(project, standpoint);
    let processor = processor(standpoint);
    let nodes = Nodes::of(lanes, project);
    let mut machines = Vec::new();
    for lane in &mut *lanes {
        let used = nodes.used(Used::by(lane, project, &cards), lane, project);
        let machine = Machine { processor, devices: used.devices, memory: host.total };
        lane.memory = of_lane(lane, used, &machine);
        if let (Some(memory), Some(service)) = (&mut lane.memory, lane.lane.services.first()) {
            memory.host = HostRoom::of(project, service, host);
        }
        machines.push(machine);
    }
    let mut devices = nodes.devices(cards.devices());
    let judged = judge(lanes, project, &devices, &machines);
    for (lane, judged) in lanes.iter_mut().zip(judged) {
        if let Some(memory) = &mut lane.memory {
            Judged { fits: memory.fits, largest: memory.largest, served: memory.served } = judged;
        }
    }
    for device in &mut devices {
        let takes = lanes
            .iter()
            .filter(|lane| lane.memory.as_ref().is_some_and(|memory| memory.takes_of(&device.key)));
        device.lanes = takes.map(|lane| lane.lane.name.clone()).collect();
    }
    Host { devices, memory: Some(host) }
}

/// What comes of a lane's memory.
#[derive(Default)]
struct Judged {
    fits: Fits,
    largest: Option<Largest>,
    served: Option<Served>,
}

/// Whether each lane fits, with which value it would, and what becomes of it.
fn judge(
    lanes: &[LaneFacts],
    project: &ProjectFacts<'_>,
    devices: &[HostDevice],
    machines: &[Machine],
) -> Vec<Judged> {
    let balances = Balance::all(project, lanes, devices);
    let each = lanes.iter().zip(machines).map(|(lane, machine)| {
        let Some(memory) = &lane.memory else { return Judged::default() };
        let fits = memory.fits_on_host().and(on_cards(lane, memory, &balances));
        let free = room(lane, memory, &balances, CONTEXT);
        let served = with_loaded(lane, |sizing, loaded| sizing.served(loaded, machine, &free));
        let served = served.flatten();
        if fits == Fits::Yes && !memory.is_fitted {
            return Judged { fits, served, largest: None };
        }
        let room = room(lane, memory, &balances, LEFT);
        let smaller = share(lane, &balances, Balance::smaller_share);
        let largest = smaller.or_else(|| largest(lane, machine, &room));
        let largest = largest.or_else(|| share(lane, &balances, Balance::larger_share));
        Judged { fits, largest, served }
    });
    each.collect()
}

/// Finds the share of a card with which one who takes a part of it fits.
type FindShare<'a> = fn(&Balance<'a>, &Taker<'_>) -> Option<Share>;

/// The share of its card with which a lane fits, as `find` has it.
fn share<'a>(lane: &LaneFacts, balances: &[Balance<'a>], find: FindShare<'a>) -> Option<Largest> {
    let flag = lane.lane.invocation.as_ref()?.spread.share.as_ref()?.flag;
    let mut own = balances.iter().filter_map(|balance| Some((balance, balance.taker(lane)?)));
    let ((balance, taker), None) = (own.next()?, own.next()) else { return None };
    let value = find(balance, taker)?.shown();
    Some(Largest { flag: flag.to_owned(), value })
}

/// Whether what a lane takes of cards is there.
fn on_cards(lane: &LaneFacts, memory: &LaneMemory, balances: &[Balance<'_>]) -> Fits {
    if memory.parts.iter().all(|part| part.device == Device::Host) {
        return Fits::Yes;
    }
    let own = balances.iter().filter_map(|balance| Some((balance, balance.taker(lane)?)));
    let each = own.map(|(balance, taker)| balance.fits(taker));
    each.reduce(Fits::and).unwrap_or_default()
}

/// How much a lane may take, where that is known. Of a card so much is `kept` for what is not counted.
fn room(lane: &LaneFacts, memory: &LaneMemory, balances: &[Balance<'_>], kept: u64) -> Vec<Room> {
    let mut room: Vec<Room> = Vec::new();
    for balance in balances {
        let Some(taker) = balance.taker(lane) else { continue };
        let left = balance.left_for(taker);
        let bytes = match taker.claim {
            Some(claim) => claim.bytes.min(left),
            None => left.saturating_sub(kept),
        };
        let is_narrow = balance.cards.len() == 1 || room.is_empty();
        for device in taker.parts.iter().map(|part| part.device).filter(|_| is_narrow) {
            if !room.iter().any(|known| known.device == device) {
                room.push(Room { device, bytes });
            }
        }
    }
    let limit = memory.host.filter(|host| host.is_limit).and_then(|host| host.all());
    room.extend(limit.map(|bytes| Room { device: Device::Host, bytes }));
    room
}

fn largest(lane: &LaneFacts, machine: &Machine, room: &[Room]) -> Option<Largest> {
    if room.is_empty() {
        return None;
    }
    with_loaded(lane, |sizing, loaded| sizing.largest(loaded, machine, room)).flatten()
}

/// The processor that the engines run on; absent: they run on another machine, or it does not say.
fn processor(standpoint: &Standpoint) -> Option<Processor> {
    match standpoint {
        Standpoint::Elsewhere(_) => None,
        Standpoint::Host | Standpoint::Container(_) | Standpoint::Inside(_) => {
            let text = regular_file::text(Path::new("/proc/cpuinfo"), LONGEST_LIST).ok()?;
            Some(Processor::of_text(&text))
        }
    }
}

fn of_lane(facts: &LaneFacts, used: Used, machine: &Machine) -> Option<LaneMemory> {
    let Used { keys, among, is_placed, .. } = used;
    with_loaded(facts, |sizing, loaded| {
        Some(LaneMemory {
            parts: sizing.parts(loaded, machine)?,
            devices: keys,
            among,
            claim: sizing.claim(),
            is_firm: sizing.is_firm(),
            is_fitted: sizing.is_fitted(),
            is_placed,
            beside: sizing.beside(),
            ..LaneMemory::default()
        })
    })
    .flatten()
}

/// What `tell` makes of what a lane's engine loads; absent: it is not known how its engine is set.
fn with_loaded<T>(
    facts: &LaneFacts,
    tell: impl FnOnce(&dyn Sizing, &Loaded<'_>) -> T,
) -> Option<T> {
    let invocation = facts.lane.invocation.as_ref().filter(|it| it.unread.is_empty())?;
    let sizing = invocation.sizing.as_ref()?;
    let shapes: Vec<(engine::Part, Shape)> =
        models(facts).filter_map(|(part, model)| Some((part, shape(model)?))).collect();
    let of_part = |wanted: engine::Part| {
        shapes.iter().filter(move |(part, _)| *part == wanted).map(|(_, shape)| shape)
    };
    let loaded = Loaded {
        model: of_part(engine::Part::Model).next(),
        checkpoint: checkpoint(facts),
        projectors: of_part(engine::Part::Mmproj).collect(),
        draft: of_part(engine::Part::Draft).next(),
        adapters: of_part(engine::Part::Lora).collect(),
        is_cut: invocation.overrides
            || is_cut(facts, shapes.len() + usize::from(checkpoint(facts).is_some())),
    };
    Some(tell(sizing.as_ref(), &loaded))
}

impl LaneMemory {
    /// Whether a part of it lies, or may lie, on the card with this key.
    #[must_use]
    pub fn takes_of(&self, key: &str) -> bool {
        self.parts.iter().any(|part| match part.device {
            Device::Host => false,
            Device::Gpus => self.among.contains(key),
            Device::Gpu(number) => {
                self.key(number).map_or_else(|| self.among.contains(key), |device| device == key)
            }
        })
    }

    /// Bytes of the host's memory that the system cannot take away: at least, and at most where that
    /// is known.
    #[must_use]
    pub fn anonymous(&self) -> (u64, Option<u64>) {
        let own = || self.parts.iter().filter(|part| part.device == Device::Host && !part.mapped);
        // What is computed in between is touched when it is needed.
        let is_touched = |part: &&Part| !matches!(part.use_for, Use::Compute | Use::Output);
        let low = own().filter(is_touched).fold(0, |sum: u64, part| sum.saturating_add(part.low));
        let high = own().try_fold(0_u64, |sum, part| Some(sum.saturating_add(part.high?)));
        (low, high)
    }

    /// Bytes of files that it maps into the host's memory, at least.
    #[must_use]
    pub fn mapped(&self) -> u64 {
        let own = self.parts.iter().filter(|part| part.device == Device::Host && part.mapped);
        own.fold(0, |sum, part| sum.saturating_add(part.low))
    }

    /// Whether what it takes of the host's memory is there, whatever other lanes take.
    #[must_use]
    pub fn fits_on_host(&self) -> Fits {
        let (low, high) = self.anonymous();
        let fits = Fits::of(low, high, self.host.and_then(|host| host.all()));
        if fits == Fits::No && !self.is_placed { Fits::Unknown } else { fits }
    }
}

/// Whether something takes memory that was not looked at.
fn is_cut(facts: &LaneFacts, looked_at: usize) -> bool {
    let takes = |part: engine::Part| match part {
        engine::Part::Model
        | engine::Part::Mmproj
        | engine::Part::Lora
        | engine::Part::Draft
        | engine::Part::ControlVector => true,
        engine::Part::Tokenizer
        | engine::Part::ChatTemplate
        | engine::Part::Text
        | engine::Part::Folder
        | engine::Part::Models => false,
    };
    let opened = facts.lane.invocation.iter().flat_map(|invocation| &invocation.opens);
    opened.filter(|opens| takes(opens.part)).count() > looked_at
}

/// What the lane's engine loads, by what it is for: as it is here, else as its source has it.
fn models(facts: &LaneFacts) -> impl Iterator<Item = (engine::Part, &Model)> {
    let here = facts.artifacts.iter().map(|seen| (seen.artifact.part, &seen.model));
    let foreseen = facts.source.foreseen.iter();
    let foreseen = foreseen.filter_map(|it| Some((it.part, it.model.as_ref().ok()?.seen()?)));
    let is_whole = |wanted: engine::Part| {
        facts.artifacts.iter().any(|it| it.artifact.part == wanted && it.model.complete())
    };
    let is_foreseen = |wanted: engine::Part| {
        facts.source.foreseen.iter().any(|it| it.part == wanted && it.model.is_ok())
    };
    let here = here.filter(move |(part, _)| is_whole(*part) || !is_foreseen(*part));
    let here = here.filter_map(|(part, model)| Some((part, model.seen()?)));
    here.chain(foreseen.filter(move |(part, _)| !is_whole(*part)))
}

/// What is known of the lane's model where that is a folder with a configuration.
pub fn checkpoint(facts: &LaneFacts) -> Option<&Checkpoint> {
    let models = models(facts).filter(|(part, _)| *part == engine::Part::Model);
    let folders = models.filter_map(|(_, model)| match &model.shape {
        Layout::Folder(folder) => folder.checkpoint.as_deref(),
        Layout::File | Layout::Split(_) | Layout::Directory | Layout::Text(_) => None,
    });
    folders.into_iter().next()
}

/// The shape of a model of GGUF files; absent: it is none, or was not seen.
fn shape(model: &Model) -> Option<Shape> {
    let headers: Vec<&gguf::Header> = model
        .files
        .iter()
        .filter_map(|file| match &file.content {
            Content::Gguf(header) => Some(&**header),
            Content::Absent
            | Content::Denied(_)
            | Content::Unknown(_)
            | Content::Safetensors(_)
            | Content::Archive
            | Content::Pickle
            | Content::Document
            | Content::Broken(_) => None,
        })
        .collect();
    let is_whole = headers.len() == model.files.len();
    (!headers.is_empty()).then(|| gguf::shape(&headers, is_whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_known_where_both_bounds_are_on_one_side() {
        for (low, high, room, expected) in [
            (10, Some(12), Some(12), Fits::Yes),
            (10, Some(13), Some(12), Fits::Unknown),
            (12, None, Some(12), Fits::Unknown),
            (13, None, Some(12), Fits::No),
            (13, Some(20), Some(12), Fits::No),
            (0, Some(0), None, Fits::Unknown),
        ] {
            assert_eq!(Fits::of(low, high, room), expected, "{low} {high:?} {room:?}");
        }
    }

    #[test]
    fn of_two_things_that_have_to_fit_both_have_to() {
        use Fits::{No, Unknown, Yes};
        let both = [Yes, No, Unknown].map(|one| [Yes, No, Unknown].map(|other| one.and(other)));
        assert_eq!(both, [[Yes, No, Unknown], [No, No, No], [Unknown, No, Unknown]]);
    }
}

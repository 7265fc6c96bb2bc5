//! What the lanes take of memory, as far as their command lines and the headers of their models tell.

mod cards;

use std::collections::BTreeSet;
use std::path::Path;

use self::cards::HostCards;
use crate::facts::model::{Content, Model, Shape as Layout, gguf};
use crate::facts::{ArtifactFacts, LaneFacts, ProjectFacts};
use crate::plan::engine;
use crate::plan::engine::memory::{
    Checkpoint, Claim, Devices, Largest, Loaded, Machine, Part, Processor, Shape,
};
use crate::project::gpus::Gpus;
use crate::project::mounts::Standpoint;
use crate::regular_file;

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
    /// The largest value with which it fits.
    pub largest: Option<Largest>,
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
    /// Bytes that lanes can take of it.
    pub memory: u64,
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

/// Works out what each lane takes, and gives the GPUs of the host. Blocking.
pub fn work_out(
    lanes: &mut [LaneFacts],
    project: &ProjectFacts<'_>,
    standpoint: &Standpoint,
) -> Vec<HostDevice> {
    let is_sized = |lane: &LaneFacts| {
        lane.lane.invocation.as_ref().is_some_and(|invocation| invocation.sizing.is_some())
    };
    let root = match standpoint {
        Standpoint::Elsewhere(_) => None,
        Standpoint::Host | Standpoint::Container(_) => Some(Path::new("/")),
    };
    let declared = project.plan.settings.gpus.as_ref().map(|gpus| &gpus.value);
    if declared.is_none() && !lanes.iter().any(is_sized) {
        return Vec::new();
    }
    let host = HostCards::gather(declared, root);
    let processor = processor(standpoint);
    let mut devices = host.devices();
    for lane in lanes {
        let used = Used::by(lane, project, &host);
        lane.memory = of_lane(lane, used, processor);
        let Some(memory) = &lane.memory else { continue };
        for device in devices.iter_mut().filter(|device| memory.among.contains(&device.key)) {
            device.lanes.push(lane.lane.name.clone());
        }
    }
    devices
}

/// The processor that the engines run on; absent: they run on another machine, or it does not say.
fn processor(standpoint: &Standpoint) -> Option<Processor> {
    match standpoint {
        Standpoint::Elsewhere(_) => None,
        Standpoint::Host | Standpoint::Container(_) => {
            let text = regular_file::text(Path::new("/proc/cpuinfo"), LONGEST_LIST).ok()?;
            Some(Processor::of_text(&text))
        }
    }
}

fn of_lane(facts: &LaneFacts, used: Used, processor: Option<Processor>) -> Option<LaneMemory> {
    let invocation = facts.lane.invocation.as_ref().filter(|it| it.unread.is_empty())?;
    let sizing = invocation.sizing.as_ref()?;
    let shapes: Vec<(engine::Part, Shape)> = facts
        .artifacts
        .iter()
        .filter_map(|seen| Some((seen.artifact.part, shape(seen)?)))
        .collect();
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
    let machine = Machine { processor, devices: used.devices };
    let parts = sizing.parts(&loaded, &machine)?;
    let Used { keys, among, .. } = used;
    let claim = sizing.claim();
    Some(LaneMemory { parts, devices: keys, among, claim, ..LaneMemory::default() })
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

/// What is known of the lane's model where that is a folder with a configuration.
pub fn checkpoint(facts: &LaneFacts) -> Option<&Checkpoint> {
    let models = facts.artifacts.iter().filter(|seen| seen.artifact.part == engine::Part::Model);
    let folders = models.filter_map(|seen| match &seen.model.seen()?.shape {
        Layout::Folder(folder) => folder.checkpoint.as_deref(),
        Layout::File | Layout::Split(_) | Layout::Directory | Layout::Text(_) => None,
    });
    folders.into_iter().next()
}

/// The shape of a model of GGUF files; absent: it is none, or was not seen.
fn shape(seen: &ArtifactFacts) -> Option<Shape> {
    let model: &Model = seen.model.seen()?;
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

/// The devices that the engine of a lane uses.
struct Used {
    devices: Devices,
    /// See [`LaneMemory::devices`].
    keys: Vec<Option<String>>,
    /// See [`LaneMemory::among`].
    among: BTreeSet<String>,
}

impl Used {
    fn by(facts: &LaneFacts, project: &ProjectFacts<'_>, host: &HostCards) -> Self {
        let nothing = |devices| Self { devices, keys: Vec::new(), among: BTreeSet::new() };
        let service = facts.lane.services.first().and_then(|name| project.project.service(name));
        let Some((invocation, service)) = facts.lane.invocation.as_ref().zip(service) else {
            return nothing(Devices::Count(0));
        };
        let hardware = project.hardware(&service.name.value);
        let known = host.seen_by(&hardware, project.host_gpus());
        let seen = match invocation.gpus(service, &hardware, known) {
            Gpus::Seen(seen) => seen,
            Gpus::None => return nothing(Devices::Count(0)),
            Gpus::Unknown(_) => return nothing(Devices::Unknown),
        };
        let Some(count) = seen.count else { return nothing(Devices::Some) };
        let first = invocation.spread.first;
        let number = count.saturating_sub(first);
        let key = |gpu: &_| host.key(gpu, &hardware).map(str::to_owned);
        let each = first..count.min(first.saturating_add(MOST));
        let keys = each.map(|at| seen.taken(at, 1).first().and_then(key)).collect();
        let all: Option<BTreeSet<String>> =
            seen.taken(first, number.min(MOST)).iter().map(key).collect();
        let whole = || host.keys(&hardware).map(str::to_owned).collect();
        let devices = u32::try_from(number).map_or(Devices::Some, Devices::Count);
        Self { devices, keys, among: all.unwrap_or_else(whole) }
    }
}

/// More GPUs than any host has.
const MOST: u64 = 64;

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

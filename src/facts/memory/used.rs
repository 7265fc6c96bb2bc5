//! Which of the host's cards the engine of a lane uses.

use std::collections::BTreeSet;

use super::cards::HostCards;
use crate::facts::{LaneFacts, ProjectFacts};
use crate::plan::engine::memory::Devices;
use crate::project::gpus::Gpus;

/// More GPUs than any host has.
const MOST: u64 = 64;

/// The devices that the engine of a lane uses.
pub(super) struct Used {
    /// How many.
    pub(super) devices: Devices,
    /// See [`LaneMemory::devices`](super::LaneMemory::devices).
    pub(super) keys: Vec<Option<String>>,
    /// See [`LaneMemory::among`](super::LaneMemory::among).
    pub(super) among: BTreeSet<String>,
    /// See [`LaneMemory::is_placed`](super::LaneMemory::is_placed).
    pub(super) is_placed: bool,
}

impl Used {
    pub(super) fn by(facts: &LaneFacts, project: &ProjectFacts<'_>, host: &HostCards) -> Self {
        let nothing = |devices, is_placed| Self {
            devices,
            keys: Vec::new(),
            among: BTreeSet::new(),
            is_placed,
        };
        let service = facts.lane.services.first().and_then(|name| project.project.service(name));
        let Some((invocation, service)) = facts.lane.invocation.as_ref().zip(service) else {
            return nothing(Devices::Count(0), true);
        };
        let hardware = project.hardware(&service.name.value);
        let known = host.seen_by(&hardware, project.host_gpus());
        let seen = match invocation.gpus(service, &hardware, known) {
            Gpus::Seen(seen) => seen,
            Gpus::None => {
                let is_bare = invocation.stock || hardware.runtime.is_some();
                let is_placed = is_bare || project.has_no_nvidia();
                return nothing(Devices::Count(0), is_placed);
            }
            // An engine that says what it takes all the same sees none.
            Gpus::Unknown(_) => return nothing(Devices::Unknown, true),
        };
        let Some(count) = seen.count else { return nothing(Devices::Some, true) };
        let first = invocation.spread.first;
        let number = count.saturating_sub(first);
        let key = |gpu: &_| host.key(gpu, &hardware).map(str::to_owned);
        let each = first..count.min(first.saturating_add(MOST));
        let keys = each.map(|at| seen.taken(at, 1).first().and_then(key)).collect();
        let all: Option<BTreeSet<String>> =
            seen.taken(first, number.min(MOST)).iter().map(key).collect();
        let whole = || host.keys(&hardware).map(str::to_owned).collect();
        let devices = u32::try_from(number).map_or(Devices::Some, Devices::Count);
        Self { devices, keys, among: all.unwrap_or_else(whole), is_placed: true }
    }
}

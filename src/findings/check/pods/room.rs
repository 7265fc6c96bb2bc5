//! Whether what an engine opens fits into the `emptyDir` that it is in.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::amount::size;
use crate::exit_code::ExitCode;
use crate::facts::hub::Listing;
use crate::facts::{ArtifactFacts, CacheFacts, LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::Part;
use crate::project::mounts::Located;
use crate::project::rooms::Room;

/// Before a byte is brought: one lane alone.
pub static ALONE: Check = Check { rules: &[&TOO_SMALL], run: Run::Hub(alone) };

/// All lanes that share a volume.
pub static CHECK: Check = Check { rules: &[&TOO_SMALL], run: Run::Together(together) };

static TOO_SMALL: Rule =
    Rule::error("emptydir-too-small", ExitCode::Disk, include_str!("rules/emptydir-too-small.md"));

fn alone(facts: &LaneFacts, findings: &mut Findings) {
    judge(std::slice::from_ref(facts), |_| true, findings);
}

fn together(_: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    judge(lanes, |content| content.lanes.len() > 1, findings);
}

fn judge(lanes: &[LaneFacts], wanted: fn(&Content<'_>) -> bool, findings: &mut Findings) {
    let mut volumes: IndexMap<&str, Content<'_>> = IndexMap::new();
    for lane in lanes.iter().filter(|lane| lane.lane.skipped.is_none()) {
        for part in of_source(lane).into_iter().chain(of_caches(lane)) {
            let mount = part.located.mount.as_ref();
            if let Some(volume) = mount.and_then(|mount| mount.source.volume()) {
                volumes.entry(volume).or_default().add(lane, &part);
            }
        }
    }
    for (volume, content) in volumes.iter().filter(|(_, content)| wanted(content)) {
        if let Some(finding) = content.too_much_for(volume) {
            findings.push(finding);
        }
    }
}

/// Something that a lane opens.
struct Opened<'a> {
    located: &'a Located,
    /// What tells it from all others in the same volume.
    name: String,
    bytes: u64,
}

/// The bytes of the model that a lane opens by a path: what its source has, else what is there.
fn of_source(lane: &LaneFacts) -> Option<Opened<'_>> {
    let is_model = |it: &&ArtifactFacts| it.artifact.part == Part::Model;
    let model = lane.own_artifacts().iter().find(is_model)?;
    let listed = match (&lane.source.probe, lane.source.pinning.pin()) {
        _ if lane.lane.source.is_none() => 0,
        (Some(Ok(listing)), _) => bytes(listing),
        (_, Some(pin)) => pin.files.values().map(|it| it.size).fold(0, u64::saturating_add),
        (Some(Err(_)) | None, None) => 0,
    };
    let located = &model.artifact.located.value;
    let name = located.service_path.as_ref()?.to_string();
    Some(Opened { located, name, bytes: listed.max(model.model.size()) })
}

/// The bytes of the repositories that its engine keeps in a cache of the hub.
fn of_caches(lane: &LaneFacts) -> impl Iterator<Item = Opened<'_>> {
    lane.cached.iter().filter_map(|cached| {
        let located = cached.cached.places.first()?;
        let name = format!("{} {:?}", cached.cached.repository, cached.cached.choice);
        Some(Opened { located, name, bytes: held(cached)? })
    })
}

fn held(cached: &CacheFacts) -> Option<u64> {
    let probe = cached.probe.as_ref().and_then(|probe| probe.as_ref().ok());
    probe.or(cached.foretold.as_ref()).map(bytes)
}

fn bytes(listing: &Listing) -> u64 {
    listing.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
}

/// What is to be in a volume.
#[derive(Default)]
struct Content<'a> {
    bytes: u64,
    lanes: Vec<&'a LaneFacts>,
    /// What was counted, so that nothing is counted twice.
    counted: BTreeSet<String>,
}

impl<'a> Content<'a> {
    fn add(&mut self, lane: &'a LaneFacts, opened: &Opened<'a>) {
        if self.counted.insert(opened.name.clone()) {
            self.bytes = self.bytes.saturating_add(opened.bytes);
        }
        if self.lanes.iter().all(|known| known.lane.name != lane.lane.name) {
            self.lanes.push(lane);
        }
    }

    fn too_much_for(&self, volume: &str) -> Option<Finding> {
        let lane = self.lanes.first()?;
        let room = lane.rooms.iter().find(|room| room.volume == volume)?;
        if room.most.value >= self.bytes {
            return None;
        }
        let name = volume.rsplit(':').next().unwrap_or(volume);
        let whose = match self.lanes.as_slice() {
            [_] => format!("the model of `{}`", lane.lane.name),
            lanes => format!("the models of {} lanes", lanes.len()),
        };
        let message = format!(
            "the volume `{name}` is too small for {whose}, which takes {}: {}",
            size(self.bytes),
            why(room)
        );
        let fix = format!("give it room for {}, and something over", size(self.bytes));
        let finding = Finding::new(&TOO_SMALL, message, fix).lane(&lane.lane.name);
        let finding = finding.at(&room.most.place).with("needed_bytes", self.bytes);
        let service = lane.lane.services.first();
        Some(service.map_or(finding.clone(), |service| finding.service(service)))
    }
}

/// The kubelet evicts a Pod whose `emptyDir` has more in it than its limit (kubernetes fbba6b47ad98
/// pkg/kubelet/eviction/eviction_manager.go, `emptyDirLimitEviction`).
fn why(room: &Room) -> String {
    let most = size(room.most.value);
    match (room.is_memory, room.in_memory) {
        (true, _) => {
            format!("it is in memory, and the containers of its Pod may have {most} of that in all")
        }
        (false, true) => format!("its `sizeLimit` is {most}, and no more can be written there"),
        (false, false) => {
            format!("its `sizeLimit` is {most}, and the kubelet evicts a Pod that has more there")
        }
    }
}

//! What the files of a lane have to be, and whether they are.

use super::blocking;
use super::target::{Slot, Target};
use crate::beneath::Beneath;
use crate::deadline::Deadline;
use crate::facts::hub::{Noted, ObjectId};
use crate::facts::proof::stamp::{Recall, Stamps, Trace};
use crate::facts::proof::{self, Promise, PromisedBy, Proof};
use crate::facts::{ArtifactFacts, LaneFacts, Pinning};
use crate::progress::Progress;
use crate::project::mounts::Sight;

/// Compares the files of a lane with what is promised of them, by size and stamp. Blocking.
pub(super) fn look(facts: &mut LaneFacts) {
    let promises = promises(facts);
    let seen = |promise: Promise| {
        let outcome = proof::look(&promise);
        Proof::of(promise, outcome)
    };
    facts.proofs = promises.into_iter().map(seen).collect();
}

/// Hashes every file of every lane that no stamp vouches for, until the deadline.
pub(super) async fn hash(lanes: &mut [LaneFacts], progress: Progress, deadline: Option<Deadline>) {
    let judged = lanes.iter().enumerate().filter(|(_, facts)| facts.lane.skipped.is_none());
    let judged: Vec<(usize, LaneFacts)> =
        judged.map(|(index, facts)| (index, facts.clone())).collect();
    let proofs = blocking(judged, move |judged| {
        let of_lane = |(index, facts): (usize, LaneFacts)| {
            let progress = progress.for_lane(&facts.lane.name);
            let promises = promises(&facts).into_iter();
            promises.map(move |promise| (index, promise, progress.clone())).collect::<Vec<_>>()
        };
        let promises: Vec<_> = judged.into_iter().flat_map(of_lane).collect();
        let owners: Vec<usize> = promises.iter().map(|(index, ..)| *index).collect();
        let promises: Vec<_> =
            promises.into_iter().map(|(_, promise, progress)| (promise, progress)).collect();
        let outcomes = proof::hash_all(&promises, deadline);
        let proofs = promises.into_iter().zip(outcomes);
        let proofs = proofs.map(|((promise, _), outcome)| Proof::of(promise, outcome));
        owners.into_iter().zip(proofs).collect::<Vec<_>>()
    });
    let proofs = proofs.await;
    lanes.iter_mut().for_each(|facts| facts.proofs.clear());
    for (index, proof) in proofs {
        if let Some(facts) = lanes.get_mut(index) {
            facts.proofs.push(proof);
        }
    }
}

/// What is promised of the files of a lane: all that are pinned, else those that its engine loads.
/// Blocking.
fn promises(facts: &LaneFacts) -> Vec<Promise> {
    let mut promises = Vec::new();
    let pinned = pinned(facts);
    let is_pinned = pinned.is_some();
    let is_apart = facts.lane.cached.iter().any(|cached| !cached.beside.is_empty());
    promises.extend(pinned.into_iter().flatten());
    for artifact in facts.artifacts.iter().skip(usize::from(is_pinned)) {
        promises.extend(loaded(artifact, is_apart, facts.orders.no_stamps));
    }
    promises
}

/// The promises of `preflight.lock`, or of what a delivery is to bring; absent: there are none, or it is not known where the files are.
fn pinned(facts: &LaneFacts) -> Option<Vec<Promise>> {
    let pin = facts.source.pinning.pin()?;
    let target = Target::of(facts, Slot::of_model(facts))?;
    let files = pin.remote_files();
    let promised_by = match facts.source.pinning {
        Pinning::Delivered(_) => PromisedBy::Delivery,
        Pinning::NoLock | Pinning::Unlisted | Pinning::Outdated(_) | Pinning::Pinned(_) => {
            PromisedBy::Lock
        }
    };
    files.iter().map(|file| target.promise(file, promised_by)).collect()
}

/// What is known of the files that an engine loads. `is_apart`: not all of them lie together.
fn loaded(artifact: &ArtifactFacts, is_apart: bool, no_stamps: bool) -> Vec<Promise> {
    let sight = &artifact.artifact.located.value.sight;
    let Sight::Visible { path, mounted_at, read_only, .. } = sight else { return Vec::new() };
    let path = path.as_path();
    let is_folder = artifact.model.seen().is_some_and(|model| model.folder().is_some());
    let root = if is_folder { Some(path) } else { path.parent() };
    let Some(root) = root else { return Vec::new() };
    // What lies behind a link out of the mount is looked at, and nothing is left there.
    let kept = Beneath::find(mounted_at.as_path(), root).ok().flatten();
    let stamps = Stamps::of(no_stamps, *read_only || kept.is_none());
    let kept = kept.unwrap_or_else(|| Beneath::root(root));
    let here = artifact.model.list(path).into_iter().filter(|file| file.size.is_some());
    here.filter_map(|file| {
        let name = file.path.strip_prefix(root).ok()?.to_str()?.to_owned();
        // What lies apart from the weights is listed with them, and is another artifact of the lane.
        if is_apart && fs_err::symlink_metadata(&file.path).is_err() {
            return None;
        }
        let unknown = Promise {
            path: file.path,
            root: kept.clone(),
            name,
            size: None,
            id: None,
            promised_by: PromisedBy::Nobody,
            stamps,
        };
        let (id, promised_by) = promised_content(&unknown);
        Some(Promise { id, promised_by, ..unknown })
    })
    .collect()
}

/// What a file has to hash to, and who says so.
fn promised_content(file: &Promise) -> (Option<ObjectId>, PromisedBy) {
    if let Some(id) = proof::own::named_by_cache(&file.path) {
        return (Some(id), PromisedBy::Cache);
    }
    if let Some(noted) = Noted::read(&file.root, &file.name) {
        return (Some(noted.id), PromisedBy::Note);
    }
    match Trace::of(&file.path).map(|trace| file.recall(&trace)) {
        Ok(Recall::Same(id) | Recall::Moved(id) | Recall::Written(id)) => {
            (Some(id), PromisedBy::Stamp)
        }
        Ok(Recall::Nothing) | Err(_) => (None, PromisedBy::Nobody),
    }
}

//! What a delivery consists of. It is written down in its folder before the first byte comes, so that
//! a later run knows without the hub whether all of it is there, and one that goes on brings the rest of
//! the same commit.

use std::collections::BTreeMap;
use std::path::Path;

use super::target::{FolderTarget, Slot, Target};
use crate::beneath::Beneath;
use crate::facts::hub::{self, HubError, Listing, ObjectId};
use crate::facts::lockfile::{self, Lockfile, Pin};
use crate::facts::model::{self, Model, ModelFacts};
use crate::facts::proof::{Proof, ProofOutcome, Provenance};
use crate::facts::{LaneFacts, Pinning};
use crate::file_name::hub_cache;
use crate::limits::{LONGEST_LOCK_FILE, LONGEST_NAME};
use crate::options::{Delivery, Options};
use crate::project::mounts::Sight;
use crate::project::view::local::LocalView;

/// Of a folder; that of one file has the file's name before it.
const RECORD: &str = "delivery.json";

/// Reads what was written down of the same request, unless a lock file pins it or it is to move. Blocking.
pub(super) fn recall(facts: &mut LaneFacts) {
    let is_open = facts.source.pinning == Pinning::NoLock && !facts.orders.update;
    if let (true, Some(record), Some(delivery)) = (is_open, record(facts), &facts.lane.delivery)
        && let Ok(Some(text)) = record.read(LONGEST_LOCK_FILE)
        && let Ok(mut lockfile) = lockfile::parse(&text)
        && let Some(pin) = lockfile.lanes.remove(&delivery.asked_for())
        && is_of(&pin, delivery)
    {
        facts.source.pinning = Pinning::Delivered(pin);
    }
}

/// Whether what is written down can be what is asked for: nobody keeps others from writing there.
fn is_of(pin: &Pin, delivery: &Delivery) -> bool {
    let source = &delivery.source;
    let is_at = !source.is_pinned() || source.revision.as_ref() == Some(&pin.commit);
    let files = pin.remote_files();
    let are_known = !files.is_empty() && files.len() == pin.files.len();
    pin.source == *source
        && is_at
        && are_known
        && hub::select(source, files, &delivery.include, &delivery.exclude)
            .is_ok_and(|asked_for| asked_for.len() == pin.files.len())
}

/// Writes down what a source has of what is asked for. Blocking.
///
/// # Errors
/// What keeps files from being written there.
pub(super) fn remember(facts: &mut LaneFacts, listing: &Listing) -> Result<(), HubError> {
    let is_known = |id: &ObjectId| !matches!(id, ObjectId::LfsPointer(_));
    let is_held = facts.source.pinning.pin().is_some();
    let asked_for = facts.lane.delivery.as_ref().map(|delivery| delivery.asked_for());
    let (Some(record), Some(asked_for)) = (record(facts), asked_for) else { return Ok(()) };
    if is_held || !listing.files.iter().all(|file| is_known(&file.oid)) {
        return Ok(());
    }
    let pin = Pin::of(&listing.source, listing);
    let lanes = BTreeMap::from([(asked_for, pin.clone())]);
    hub::write_note(&record, &Lockfile { lanes }.render())?;
    facts.source.pinning = Pinning::Delivered(pin);
    Ok(())
}

/// What the lanes were brought, by their names; absent: of one of them that is not known.
pub(super) fn pins(lanes: &[LaneFacts]) -> Option<Lockfile> {
    let pin = |facts: &LaneFacts| {
        let listed = || facts.source.probe.as_ref()?.as_ref().ok();
        let of_listing = || listed().map(|listing| Pin::of(&listing.source, listing));
        let pin = facts.source.pinning.pin().cloned().or_else(of_listing)?;
        let is_there = facts.source.planned.is_none();
        is_there.then(|| (facts.lane.name.clone(), pin))
    };
    Some(Lockfile { lanes: lanes.iter().map(pin).collect::<Option<_>>()? })
}

/// Whether something is missing, as far as can be told without the hub; where nobody has written down what
/// there is to be, only the hub can tell.
pub(super) fn is_wanted(facts: &LaneFacts, is_doubtful: bool, options: &Options) -> bool {
    let Some(first) = facts.artifacts.first() else { return false };
    let is_one_file = facts.lane.source.as_ref().is_some_and(|it| it.value.path.is_some());
    match facts.source.pinning.pin() {
        // What is the user's own stays, whatever the hub has.
        Some(_) if options.hub.offline => facts.proofs.iter().any(is_gap),
        Some(_) => is_doubtful,
        None if !options.hub.offline => true,
        None if is_one_file => is_doubtful || !first.model.complete(),
        None => !first.model.seen().is_some_and(is_whole),
    }
}

fn is_gap(proof: &Proof) -> bool {
    match &proof.outcome {
        ProofOutcome::Missing => true,
        ProofOutcome::Differs { .. } => proof.provenance == Provenance::Download,
        ProofOutcome::Proven
        | ProofOutcome::Written
        | ProofOutcome::NotHashed
        | ProofOutcome::OutOfTime
        | ProofOutcome::Unproven
        | ProofOutcome::Unreadable(_) => false,
    }
}

fn is_whole(model: &Model) -> bool {
    model.folder().is_some() && model.complete()
}

/// Sees a folder as what it is: one that engines open as a model, or files of any kind. Blocking.
pub(super) fn look(facts: &mut LaneFacts) {
    let names: Vec<String> = match facts.source.pinning.pin() {
        Some(pin) => pin.files.keys().cloned().collect(),
        None => Vec::new(),
    };
    if facts.lane.delivery.is_none() {
        return;
    }
    for artifact in &mut facts.artifacts {
        if let Sight::Visible { path, .. } = &artifact.artifact.located.value.sight {
            artifact.model = seen(path.as_path(), &names);
        }
    }
}

fn seen(path: &Path, names: &[String]) -> ModelFacts {
    model::examine_delivered(&LocalView, path, names)
}

/// Where it is written down; absent: it is no delivery of a repository.
fn record(facts: &LaneFacts) -> Option<Beneath> {
    facts.lane.delivery.as_ref()?;
    match Target::of(facts, Slot::Own)? {
        Target::Folder(FolderTarget { model, one_file: false, .. }) => {
            Some(model.join(hub_cache::OWN).join(RECORD))
        }
        Target::Folder(FolderTarget { model, one_file: true, .. }) => {
            let name = format!("{}.{RECORD}", model.name().to_str()?);
            let fits = name.len() <= LONGEST_NAME;
            fits.then(|| model.folder().join(hub_cache::OWN).join(name))
        }
        Target::Cache(_) => None,
    }
}

//! What `preflight lock` pins: the files of every lane at one commit.

use std::path::Path;

use futures_util::future::join_all;

use super::listing_request::ListingRequest;
use super::target::{Slot, Target};
use super::{blocking, loaded};
use crate::facts::hub::{Hub, HubError, Listing, ObjectId};
use crate::facts::lockfile::{LockState, LockedLane, Lockfile, Pin};
use crate::facts::proof::PromisedBy;
use crate::facts::proof::hash::hash;
use crate::facts::{LaneFacts, Pinning};
use crate::options::Options;

/// Larger files are known to the hub by their sha256 anyway.
const WORTH_HASHING: u64 = 64 << 20;

/// Pins every lane that has a source, and is required or asked for. What is pinned already stays, unless `--update` moves it or
/// its source is another one now; what is here already is pinned as it is. A lane whose source
/// cannot be asked keeps what it had.
pub(super) async fn pin(lanes: &mut [LaneFacts], before: &Lockfile, options: &Options) -> Lockfile {
    let hub = Hub::connect(&options.hub);
    let pins = lanes.iter_mut().map(|facts| pin_of(facts, &hub, options.files.update));
    let pins = join_all(pins).await;
    let mut after = Lockfile::default();
    if is_restricted(options) {
        after.lanes.clone_from(&before.lanes);
    }
    for (facts, pin) in lanes.iter_mut().zip(pins) {
        let name = facts.lane.name.clone();
        if let Some(pin) = &pin {
            // From here on it is judged as pinned, and as moved if it was to move.
            facts.source.pinning = Pinning::Pinned(pin.clone());
            facts.orders.update = false;
        }
        if let Some(pin) = pin.or_else(|| before.lanes.get(&name).cloned()) {
            after.lanes.insert(name, pin);
        }
    }
    after
}

/// Whether lanes that are not in the plan may be there all the same.
fn is_restricted(options: &Options) -> bool {
    !options.selection.lanes.is_empty() || options.selection.minimal
}

/// What the lock file has for every lane that `preflight lock` would pin, and for lanes that are gone.
pub(super) fn locked(
    lanes: &[LaneFacts],
    lockfile: Option<&Lockfile>,
    options: &Options,
) -> Vec<LockedLane> {
    let state = |facts: &LaneFacts| {
        let now = facts.lane.source.as_ref().filter(|_| is_wanted(facts))?.value.clone();
        let state = match &facts.source.pinning {
            Pinning::Pinned(pin) => LockState::Pinned(pin.commit.clone()),
            Pinning::NoLock | Pinning::Unlisted | Pinning::Delivered(_) => LockState::Missing(now),
            Pinning::Outdated(pinned) => LockState::Outdated { pinned: pinned.clone(), now },
        };
        Some(LockedLane { name: facts.lane.name.clone(), state })
    };
    let known = |name: &&String| lanes.iter().any(|facts| facts.lane.name == **name);
    let pinned = lockfile.into_iter().flat_map(|lockfile| lockfile.lanes.keys());
    let gone = pinned.filter(|name| !is_restricted(options) && !known(name));
    let gone = gone.map(|name| LockedLane { name: name.clone(), state: LockState::Surplus });
    lanes.iter().filter_map(state).chain(gone).collect()
}

fn is_wanted(facts: &LaneFacts) -> bool {
    facts.lane.skipped.is_none() && (facts.lane.required || facts.lane.fetch)
}

/// Absent: it stays as it was.
async fn pin_of(facts: &mut LaneFacts, hub: &Result<Hub, HubError>, update: bool) -> Option<Pin> {
    let source = facts.lane.source.as_ref()?.value.clone();
    if !is_wanted(facts) || (facts.source.pinning.pin().is_some() && !update) {
        return None;
    }
    // Neither what was pinned nor what it was pinned for binds any more.
    facts.source.pinning = Pinning::NoLock;
    let slot = Slot::of_model(facts);
    let request = ListingRequest::of(facts, slot, update).await?;
    let listing = request.ask(hub).await;
    let listing = listing.and_then(|listing| loaded::of_lane(facts, slot, listing));
    let listing = listing.map(|(listing, left_out)| {
        facts.source.left_out = left_out;
        listing
    });
    facts.source.probe = Some(listing.clone());
    let listing = listing.ok()?;
    let target = blocking(facts.clone(), move |facts| Target::of(&facts, slot)).await;
    Some(
        blocking(listing, move |listing| with_hashes(Pin::of(&source, &listing), target, &listing))
            .await,
    )
}

/// Adds the sha256 of small files that are here. Blocking.
fn with_hashes(mut pin: Pin, target: Option<Target>, listing: &Listing) -> Pin {
    let Some(target) = target else { return pin };
    for file in &listing.files {
        let Some(pinned) = pin.files.get_mut(&file.path) else { continue };
        if pinned.sha256.is_none() && file.size <= WORTH_HASHING {
            let here = target.promise(file, PromisedBy::Hub);
            pinned.sha256 = here.and_then(|here| sha256(&here.path, &file.oid));
        }
    }
    pin
}

/// The sha256 of a file that is the one that the hub lists.
fn sha256(path: &Path, listed: &ObjectId) -> Option<String> {
    let silent = |_| Ok(());
    let size = fs_err::metadata(path).ok()?.len();
    let here = hash(path, listed, &silent).ok()?;
    if here.agrees(listed, size) != Some(true) {
        return None;
    }
    match hash(path, &ObjectId::Sha256(String::new()), &silent).ok()? {
        ObjectId::Sha256(sha256) => Some(sha256),
        ObjectId::GitBlob(_) | ObjectId::LfsPointer(_) => None,
    }
}

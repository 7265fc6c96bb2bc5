//! What an engine will bring into its cache, as far as that is known without asking the hub.

use super::fill;
use crate::facts::hub::{Listing, ObjectId, RemoteFile};
use crate::facts::model::huggingface::{Snapshot, snapshot};
use crate::facts::survey::listing_request;
use crate::facts::survey::loaded;
use crate::facts::survey::target::Slot;
use crate::facts::{CacheState, LaneFacts};
use crate::plan::lanes::Cached;
use crate::project::mounts::Located;
use crate::project::view::local::LocalView;

/// What is not there yet of a repository: of the files that `preflight.lock` pins, else of those that
/// the library has listed beside its snapshot. Absent: nobody has written it down. Blocking.
pub(super) fn listing(facts: &LaneFacts, index: usize) -> Option<Listing> {
    let seen = facts.cached.get(index).filter(|seen| seen.state != CacheState::Held)?;
    let found = seen.cached.places.iter().find_map(|place| found_at(&seen.cached, place));
    let is_there = |file: &RemoteFile| {
        found.as_ref().is_some_and(|(snapshot, _)| snapshot.has(&LocalView, &file.path))
    };
    let slot = Slot::Cached(index);
    let mut listing = match listing_request::pin(facts, slot) {
        Some(pin) => Listing {
            source: listing_request::source(facts, slot)?,
            commit: pin.commit.clone(),
            files: pin.remote_files(),
        },
        None => {
            let (snapshot, files) = found.as_ref()?;
            let source = listing_request::source(facts, slot)?;
            let listing =
                Listing { source, commit: snapshot.commit.clone(), files: files.clone()? };
            loaded::of_lane(facts, slot, listing).ok()?.0
        }
    };
    listing.files.retain(|file| !is_there(file));
    (!listing.files.is_empty()).then_some(listing)
}

/// The snapshot in one cache, and what is listed beside it.
fn found_at(cached: &Cached, place: &Located) -> Option<(Snapshot, Option<Vec<RemoteFile>>)> {
    let repository = fill::folder(place)?.as_path().join(cached.folder_name());
    let snapshot = snapshot(&LocalView, &repository, cached.revision.as_deref()).seen()?.clone();
    let listed = snapshot.listed(&LocalView, &repository);
    let file = |(path, size)| RemoteFile { path, size, oid: ObjectId::GitBlob(String::new()) };
    let listed = listed.map(|files| files.into_iter().map(file).collect());
    Some((snapshot, listed))
}

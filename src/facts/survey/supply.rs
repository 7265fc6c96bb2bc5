//! What one source supplies to a lane.

use std::path::PathBuf;

use super::target::{Missing, Slot, Target};
use super::update::Update;
use crate::facts::OwnFile;
use crate::facts::hub::{Download, Listing};

/// What has to be brought from one source of a lane, and what becomes of it.
#[derive(Debug)]
pub(super) struct Supply {
    /// Which of the lane's sources.
    pub(super) slot: Slot,
    /// What the source has for the lane.
    pub(super) listing: Listing,
    /// Where it goes.
    pub(super) target: Target,
    /// Where files wait for others, the waiting ones.
    pub(super) downloads: Vec<Download>,
    /// What is there, and only the link to it is not.
    pub(super) unlinked: Vec<Download>,
    /// Files of the user's own that they replace.
    pub(super) replaced: Vec<OwnFile>,
    /// Files of the user's own in the snapshot that was opened until now, which stay there.
    pub(super) left: Vec<OwnFile>,
    /// What the downloads replace in one step, if they do; with their own destinations.
    pub(super) update: Option<(Update, Vec<Download>)>,
}

impl Supply {
    /// Each file takes its place as soon as it is whole.
    pub(super) fn of(slot: Slot, listing: Listing, target: Target, missing: Missing) -> Self {
        let Missing { downloads, unlinked, replaced, left, .. } = missing;
        Self { slot, listing, target, downloads, unlinked, replaced, left, update: None }
    }

    /// Downloads of which nothing else is known.
    #[cfg(test)]
    pub(super) fn plain(downloads: Vec<Download>) -> Self {
        let source: crate::source::Source = "hf://o/r".parse().expect("it is one");
        let listing = Listing { source, commit: String::new(), files: Vec::new() };
        let target = crate::beneath::Beneath::root("/");
        let target = Target::Folder(super::target::FolderTarget::new(target, false));
        let missing = Missing { downloads, ..Missing::default() };
        Self::of(Slot::Own, listing, target, missing)
    }

    /// The same, but files of a folder that replace others wait until all of them are whole; a cache
    /// keeps commits apart. Blocking.
    pub(super) fn in_one_step(mut self) -> Self {
        let Target::Folder(folder) = &self.target else { return self };
        let update = Update::of(&folder.model, &self.listing.commit, &self.downloads);
        let Some(update) = update.filter(|_| !folder.one_file) else { return self };
        let mut waiting = update.divert(&self.downloads);
        // An earlier attempt at the same commit has left them, and they were proven then.
        waiting.retain(|download| !update.holds(download));
        let originals = std::mem::replace(&mut self.downloads, waiting);
        self.update = Some((update, originals));
        self
    }

    /// What is brought, by the names that it is opened by.
    pub(super) fn brought(&self) -> Vec<PathBuf> {
        let downloads = self.update.as_ref().map_or(&self.downloads, |(_, originals)| originals);
        downloads.iter().map(|download| download.found_at().path().to_path_buf()).collect()
    }
}

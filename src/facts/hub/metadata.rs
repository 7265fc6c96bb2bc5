//! What `hf download --local-dir` leaves beside a file to know that it is up to date, so that it
//! fetches nothing that is here already.
//!
//! Format: `huggingface_hub` 2.4 `_local_folder.py`: three lines, commit, etag, time; valid while
//! the file is not more than a second younger than that time.
//!
//! The list of a repository's files that `hf` keeps beside (`trees/COMMIT.json`) is not written. It
//! saves one request, and offline it makes `hf` refuse a folder in which a file of the list is
//! missing, which a folder that has only what its engine loads always is.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::layout::CACHE_TAG;
use super::{Download, HubError, ObjectId, store};
use crate::beneath::Beneath;
use crate::file_name::hub_cache;

/// A note has some 130 bytes.
const LONGEST: u64 = 4096;

/// What is noted of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    /// The commit that it was fetched at.
    pub(crate) commit: String,
    /// What its content was.
    pub(crate) id: ObjectId,
    /// When that was, in whole seconds since 1970.
    at: i64,
}

impl Noted {
    /// The note about the file `name` below `root`, whoever left it. Blocking.
    pub(crate) fn read(root: &Beneath, name: &str) -> Option<Self> {
        let text = root.join(hub_cache::note(Path::new(""), name)).read(LONGEST).ok()??;
        let mut lines = text.lines().map(str::trim);
        let commit = lines.next()?.to_owned();
        let id = ObjectId::of_etag(lines.next()?)?;
        let at = lines.next()?.split('.').next()?.parse().ok()?;
        Some(Self { commit, id, at })
    }

    /// Whether a file that was last written at `modified`, in whole seconds since 1970, is still the
    /// one that is noted.
    pub(crate) fn holds_at(&self, modified: i64) -> bool {
        modified.saturating_sub(1) <= self.at
    }
}

/// Notes that `download` has been done, at `commit`. Blocking; to be called after the file has its final name.
///
/// Nothing is noted in a cache, where names say it all, and nothing about a file that has another
/// name than in the repository: `hf` would not look for it.
pub(super) fn note(commit: &str, download: &Download, etag: &str) -> Result<(), HubError> {
    let Some(root) = noted_in(download) else { return Ok(()) };
    let notes = root.join(hub_cache::NOTES);
    for (name, text) in [(".gitignore", "*"), CACHE_TAG] {
        if !notes.join(name).exists() {
            store::write_note(&notes.join(name), text)?;
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let path = root.join(hub_cache::note(Path::new(""), &download.file.path));
    store::write_note(&path, &format!("{commit}\n{etag}\n{:.6}\n", now.as_secs_f64()))
}

/// Forgets what is noted of a file that is about to be replaced: should the run end before the new
/// note, nothing is better than what was said of other content. Blocking.
pub(super) fn forget(download: &Download) {
    if let Some(root) = noted_in(download) {
        drop(root.join(hub_cache::note(Path::new(""), &download.file.path)).remove());
    }
}

/// The folder whose notes have one about a file; absent: nothing is noted of it.
fn noted_in(download: &Download) -> Option<Beneath> {
    download.root().filter(|_| download.link.is_none())
}

/// The folders in which something is written to note that a file is there.
pub(super) fn folders(download: &Download) -> Vec<Beneath> {
    let Some(root) = noted_in(download) else { return Vec::new() };
    let note = root.join(hub_cache::note(Path::new(""), &download.file.path));
    vec![note.folder(), root.join(hub_cache::NOTES)]
}

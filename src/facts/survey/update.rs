//! Files of a newer commit wait beside the old ones until all of them are whole.

use std::path::Path;

use crate::beneath::{Beneath, Use};
use crate::facts::hub::{self, Download, HubError, Noted};
use crate::file_name::hub_cache;

/// The folder in which the files of one commit wait.
#[derive(Debug, Clone)]
pub(super) struct Update {
    model: Beneath,
    folder: Beneath,
}

impl Update {
    /// For downloads that replace files of the folder `model`; absent: nothing is replaced, or one
    /// rename does it. Blocking.
    pub(super) fn of(model: &Beneath, commit: &str, downloads: &[Download]) -> Option<Self> {
        let replaces = downloads.iter().any(|download| download.destination.exists());
        let folder = waiting(model).join(commit);
        let update = Self { model: model.clone(), folder };
        (replaces && downloads.len() > 1 && model.names().is_ok()).then_some(update)
    }

    /// The same downloads, into the folder in which they wait. Those of an earlier attempt at
    /// another commit are dropped. Blocking.
    pub(super) fn divert(&self, downloads: &[Download]) -> Vec<Download> {
        let waiting = waiting(&self.model);
        for name in waiting.names().unwrap_or_default() {
            if name != self.folder.name() {
                drop(waiting.join(&name).remove_folder());
            }
        }
        let divert = |download: &Download| {
            Download::plain(download.file.clone(), self.folder.join(&download.file.path))
        };
        downloads.iter().map(divert).collect()
    }

    /// Whether a file is whole in the folder in which it waits, and noted there: the run that brought
    /// it may have ended in between. Blocking.
    pub(super) fn holds(&self, download: &Download) -> bool {
        let waits = self.folder.join(&download.file.path);
        let there = waits.open(Use::Read).and_then(|it| it.metadata());
        there.is_ok_and(|there| there.len() == download.file.size)
            && Noted::read(&self.folder, &download.file.path).is_some()
    }

    /// Puts every file in its place, with what `hf` has to know of it: the old note goes before, so
    /// that none is ever about other content. All of them are whole. Blocking.
    ///
    /// # Errors
    /// When a file cannot be put in its place: those before it are, the others still wait.
    pub(super) fn finish(&self, downloads: &[Download]) -> Result<(), HubError> {
        for download in downloads {
            let path = &download.file.path;
            let note = |folder: &Beneath| folder.join(hub_cache::note(Path::new(""), path));
            drop(note(&self.model).remove());
            put(&self.folder.join(path), &download.destination)?;
            if let Err(error) = put(&note(&self.folder), &note(&self.model)) {
                tracing::warn!(%error, "`hf` will not know that this file is up to date");
            }
        }
        drop(waiting(&self.model).remove_folder());
        Ok(())
    }
}

/// Below the lane's folder, beside the stamps.
fn waiting(model: &Beneath) -> Beneath {
    model.join(hub_cache::OWN).join("update")
}

fn put(from: &Beneath, to: &Beneath) -> Result<(), HubError> {
    hub::make_folders(&to.folder())?;
    hub::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::hub::{ObjectId, RemoteFile};

    fn download(model: &Beneath, path: &str) -> Download {
        let oid = ObjectId::GitBlob(String::new());
        let file = RemoteFile { path: path.to_owned(), size: 1, oid };
        Download::plain(file, model.join(path))
    }

    fn write(download: &Download, text: &str) {
        download.destination.folder().make_folders().unwrap();
        fs_err::write(download.destination.path(), text).unwrap();
    }

    #[test]
    fn the_old_files_stay_until_the_new_ones_are_put_in_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let root = &Beneath::root(folder.path());
        let downloads = [download(root, "a"), download(root, "sub/b")];
        write(&downloads[0], "old");
        let update = Update::of(root, "c2", &downloads).unwrap();
        let older = waiting(root).join("c1");
        older.make_folders().unwrap();
        let diverted = update.divert(&downloads);
        assert!(!older.exists());
        diverted.iter().for_each(|download| write(download, "new"));
        assert_eq!(fs_err::read_to_string(downloads[0].destination.path()).unwrap(), "old");
        update.finish(&downloads).unwrap();
        for download in &downloads {
            assert_eq!(fs_err::read_to_string(download.destination.path()).unwrap(), "new");
        }
        assert!(!waiting(root).exists());
    }

    #[test]
    fn one_file_and_files_that_replace_none_do_not_wait() {
        let folder = tempfile::tempdir().unwrap();
        let root = &Beneath::root(folder.path());
        let downloads = [download(root, "a"), download(root, "b")];
        assert!(Update::of(root, "c", &downloads).is_none());
        write(&downloads[0], "old");
        assert!(Update::of(root, "c", &downloads[..1]).is_none());
    }
}

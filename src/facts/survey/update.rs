//! Files of a newer commit wait beside the old ones until all of them are whole.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::facts::hub::{self, Download, HubError};
use crate::file_name::hub_cache;

/// The folder in which the files of one commit wait.
#[derive(Debug, Clone)]
pub(super) struct Update {
    model: PathBuf,
    folder: PathBuf,
}

impl Update {
    /// For downloads that replace files of the folder `model`; absent: nothing is replaced, or one
    /// rename does it.
    pub(super) fn of(model: &Path, commit: &str, downloads: &[Download]) -> Option<Self> {
        let replaces = downloads.iter().any(|download| download.destination.exists());
        let folder = waiting(model).join(commit);
        let update = Self { model: model.to_path_buf(), folder };
        (replaces && downloads.len() > 1 && model.is_dir()).then_some(update)
    }

    /// The same downloads, into the folder in which they wait. Those of an earlier attempt at
    /// another commit are dropped. Blocking.
    pub(super) fn divert(&self, downloads: &[Download]) -> Vec<Download> {
        for other in fs::read_dir(waiting(&self.model)).into_iter().flatten().flatten() {
            if other.path() != self.folder {
                drop(fs::remove_dir_all(other.path()));
            }
        }
        let divert = |download: &Download| {
            Download::plain(download.file.clone(), self.folder.join(&download.file.path))
        };
        downloads.iter().map(divert).collect()
    }

    /// Puts every file in its place, with what `hf` has to know of it. All of them are whole.
    /// Blocking.
    ///
    /// # Errors
    /// When a file cannot be put in its place: those before it are, the others still wait.
    pub(super) fn finish(&self, downloads: &[Download]) -> Result<(), HubError> {
        for download in downloads {
            let path = &download.file.path;
            rename(&self.folder.join(path), &download.destination)?;
            let note = |folder| hub_cache::note(folder, path);
            if let Err(error) = rename(&note(&self.folder), &note(&self.model)) {
                tracing::warn!(%error, "`hf` will not know that this file is up to date");
            }
        }
        drop(fs::remove_dir_all(waiting(&self.model)));
        Ok(())
    }
}

/// Below the lane's folder, beside the stamps.
fn waiting(model: &Path) -> PathBuf {
    model.join(hub_cache::OWN).join("update")
}

fn rename(from: &Path, to: &Path) -> Result<(), HubError> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    hub::make_folders(folder)?;
    fs::rename(from, to).map_err(|error| HubError::NotWritable {
        path: to.to_path_buf(),
        reason: error.to_string(),
    })?;
    // The rename has happened; not every file system can sync a folder.
    drop(fs::File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::hub::{ObjectId, RemoteFile};

    fn download(model: &Path, path: &str) -> Download {
        let oid = ObjectId::GitBlob(String::new());
        let file = RemoteFile { path: path.to_owned(), size: 1, oid };
        Download::plain(file, model.join(path))
    }

    fn write(download: &Download, text: &str) {
        fs::create_dir_all(download.destination.parent().unwrap()).unwrap();
        fs::write(&download.destination, text).unwrap();
    }

    #[test]
    fn the_old_files_stay_until_the_new_ones_are_put_in_their_place() {
        let root = tempfile::tempdir().unwrap();
        let downloads = [download(root.path(), "a"), download(root.path(), "sub/b")];
        write(&downloads[0], "old");
        let update = Update::of(root.path(), "c2", &downloads).unwrap();
        let older = waiting(root.path()).join("c1");
        fs::create_dir_all(&older).unwrap();
        let diverted = update.divert(&downloads);
        assert!(!older.exists());
        diverted.iter().for_each(|download| write(download, "new"));
        assert_eq!(fs::read_to_string(&downloads[0].destination).unwrap(), "old");
        update.finish(&downloads).unwrap();
        for download in &downloads {
            assert_eq!(fs::read_to_string(&download.destination).unwrap(), "new");
        }
        assert!(!waiting(root.path()).exists());
    }

    #[test]
    fn one_file_and_files_that_replace_none_do_not_wait() {
        let root = tempfile::tempdir().unwrap();
        let downloads = [download(root.path(), "a"), download(root.path(), "b")];
        assert!(Update::of(root.path(), "c", &downloads).is_none());
        write(&downloads[0], "old");
        assert!(Update::of(root.path(), "c", &downloads[..1]).is_none());
    }
}

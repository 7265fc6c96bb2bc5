//! Files of a newer commit wait beside the old ones until all of them are whole.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::facts::hub::{self, Errand, HubError};
use crate::file_name::hub_cache;

/// The folder in which the files of one commit wait.
#[derive(Debug, Clone)]
pub(super) struct Update {
    model: PathBuf,
    folder: PathBuf,
}

impl Update {
    /// For errands that replace files of the folder `model`; absent: nothing is replaced, or one
    /// rename does it.
    pub(super) fn of(model: &Path, commit: &str, errands: &[Errand]) -> Option<Self> {
        let replaces = errands.iter().any(|errand| errand.destination.exists());
        let folder = waiting(model).join(commit);
        let update = Self { model: model.to_path_buf(), folder };
        (replaces && errands.len() > 1 && model.is_dir()).then_some(update)
    }

    /// The same errands, into the folder in which they wait. Those of an earlier attempt at another
    /// commit are dropped. Blocking.
    pub(super) fn divert(&self, errands: &[Errand]) -> Vec<Errand> {
        for other in fs::read_dir(waiting(&self.model)).into_iter().flatten().flatten() {
            if other.path() != self.folder {
                drop(fs::remove_dir_all(other.path()));
            }
        }
        let divert = |errand: &Errand| {
            Errand::plain(errand.file.clone(), self.folder.join(&errand.file.path))
        };
        errands.iter().map(divert).collect()
    }

    /// Puts every file in its place, with what `hf` has to know of it. All of them are whole.
    /// Blocking.
    ///
    /// # Errors
    /// When a file cannot be put in its place: those before it are, the others still wait.
    pub(super) fn finish(&self, errands: &[Errand]) -> Result<(), HubError> {
        for errand in errands {
            let path = &errand.file.path;
            rename(&self.folder.join(path), &errand.destination)?;
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

    fn errand(model: &Path, path: &str) -> Errand {
        let oid = ObjectId::GitBlob(String::new());
        let file = RemoteFile { path: path.to_owned(), size: 1, oid };
        Errand::plain(file, model.join(path))
    }

    fn write(errand: &Errand, text: &str) {
        fs::create_dir_all(errand.destination.parent().unwrap()).unwrap();
        fs::write(&errand.destination, text).unwrap();
    }

    #[test]
    fn the_old_files_stay_until_the_new_ones_are_put_in_their_place() {
        let root = tempfile::tempdir().unwrap();
        let errands = [errand(root.path(), "a"), errand(root.path(), "sub/b")];
        write(&errands[0], "old");
        let update = Update::of(root.path(), "c2", &errands).unwrap();
        let older = waiting(root.path()).join("c1");
        fs::create_dir_all(&older).unwrap();
        let diverted = update.divert(&errands);
        assert!(!older.exists());
        diverted.iter().for_each(|errand| write(errand, "new"));
        assert_eq!(fs::read_to_string(&errands[0].destination).unwrap(), "old");
        update.finish(&errands).unwrap();
        for errand in &errands {
            assert_eq!(fs::read_to_string(&errand.destination).unwrap(), "new");
        }
        assert!(!waiting(root.path()).exists());
    }

    #[test]
    fn one_file_and_files_that_replace_none_do_not_wait() {
        let root = tempfile::tempdir().unwrap();
        let errands = [errand(root.path(), "a"), errand(root.path(), "b")];
        assert!(Update::of(root.path(), "c", &errands).is_none());
        write(&errands[0], "old");
        assert!(Update::of(root.path(), "c", &errands[..1]).is_none());
    }
}

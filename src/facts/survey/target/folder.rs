//! A folder of the lane's own, or the file that its engine opens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::facts::LaneFacts;
use crate::facts::hub::{Download, HubError, Listing, Noted, RemoteFile};
use crate::facts::proof::{Promise, PromisedBy};
use crate::file_name::hub_cache;
use crate::file_name::split::SplitName;
use crate::project::mounts::Sight;

/// Notes that are read to learn which commit a folder was fetched at.
const MOST_NOTES: usize = 20_000;

/// Where the files of one source go.
#[derive(Debug, Clone)]
pub(in crate::facts::survey) struct FolderTarget {
    /// The model as this process sees it: a folder, or the file that the engine opens.
    pub(in crate::facts::survey) model: PathBuf,
    /// Whether the source names one file, and not a repository.
    pub(in crate::facts::survey) one_file: bool,
    /// Whether a stamp may be left.
    pub(in crate::facts::survey) stamps: bool,
}

impl FolderTarget {
    /// That of a lane's own source; absent: it is not known, or cannot be seen.
    pub(super) fn of(facts: &LaneFacts) -> Option<Self> {
        let source = facts.lane.source.as_ref()?;
        let Sight::Visible { path, read_only, .. } = &facts.lane.model()?.located.value.sight
        else {
            return None;
        };
        let one_file = source.value.path.is_some();
        Some(Self { model: path.as_path().to_path_buf(), one_file, stamps: !read_only })
    }

    /// The commit that all notes of the folder agree about. A single file has none. Blocking.
    pub(super) fn commit(&self) -> Option<String> {
        if self.one_file {
            return None;
        }
        let notes = self.model.join(hub_cache::DOWNLOADS);
        let mut commits = BTreeSet::new();
        for entry in walkdir::WalkDir::new(&notes).into_iter().take(MOST_NOTES).flatten() {
            let name = entry.path().strip_prefix(&notes).ok()?.to_str()?;
            if let Some(name) = name.strip_suffix(".metadata") {
                commits.extend(Noted::read(&self.model, name).map(|noted| noted.commit));
            }
        }
        let agree = commits.len() == 1;
        commits.pop_first().filter(|commit| agree && hub_cache::is_commit(commit))
    }

    /// Every file of a listing: what brings it, and what it has to be.
    pub(super) fn wanted(&self, listing: &Listing) -> Vec<(Download, Promise)> {
        let wanted = |file: &RemoteFile| {
            let download = Download::plain(file.clone(), self.destination(&file.path));
            (download, self.promise(file, PromisedBy::Hub))
        };
        listing.files.iter().map(wanted).collect()
    }

    /// What a file of the source has to be, where it belongs.
    pub(super) fn promise(&self, file: &RemoteFile, promised_by: PromisedBy) -> Promise {
        let path = self.destination(&file.path);
        let beside = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        let own_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (root, name) = if self.one_file {
            (beside, own_name)
        } else {
            (self.model.clone(), file.path.clone())
        };
        let (size, id) = (Some(file.size), Some(file.oid.clone()));
        Promise { path, root, name, size, id, promised_by, stamps: self.stamps }
    }

    /// A whole repository goes below the lane's folder; a single file takes the name that the engine
    /// opens, whatever it is called in the repository, and the later parts of a split model take
    /// theirs from it.
    pub(super) fn destination(&self, in_repository: &str) -> PathBuf {
        if !self.one_file {
            return self.model.join(in_repository);
        }
        let later = SplitName::of_gguf(in_repository).filter(|part| !part.is_first());
        let own = self.model.file_name().and_then(|name| SplitName::parse(name.to_str()?));
        let part = later
            .zip(own.filter(SplitName::is_first))
            .map(|(later, own)| self.model.with_file_name(own.part(later.number).to_string()));
        part.unwrap_or_else(|| self.model.clone())
    }

    /// A link below the lane's folder must not lead a file out of it. The folder itself may be one.
    ///
    /// # Errors
    /// [`HubError::LinkLeaves`], [`HubError::NotWritable`].
    pub(super) fn hold_inside(&self, downloads: &[Download]) -> Result<(), HubError> {
        downloads.iter().try_for_each(|download| self.stays_inside(&download.destination))
    }

    fn stays_inside(&self, destination: &Path) -> Result<(), HubError> {
        let Ok(root) = fs_err::canonicalize(&self.model) else { return Ok(()) };
        let folders = destination.ancestors().skip(1);
        let mut below = folders.take_while(|folder| {
            !self.one_file && folder.starts_with(&self.model) && **folder != *self.model
        });
        let Some(deepest) = below.find(|folder| folder.symlink_metadata().is_ok()) else {
            return Ok(());
        };
        match fs_err::canonicalize(deepest) {
            Ok(target) if target.starts_with(&root) => Ok(()),
            Ok(target) => Err(HubError::LinkLeaves { path: deepest.to_path_buf(), target }),
            Err(error) => {
                let path = deepest.to_path_buf();
                Err(HubError::NotWritable { path, reason: error.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(model: &Path, one_file: bool) -> FolderTarget {
        FolderTarget { model: model.to_path_buf(), one_file, stamps: true }
    }

    #[test]
    fn a_single_file_takes_the_name_that_the_engine_opens_and_its_parts_follow() {
        let gguf = Path::new("/models/gguf/a.gguf");
        assert_eq!(target(gguf, true).destination("A-Q4.gguf"), gguf);
        assert_eq!(target(Path::new("/m"), false).destination("x/y"), Path::new("/m/x/y"));
        let split = target(Path::new("/m/own-00001-of-00002.gguf"), true);
        assert_eq!(split.destination("q/A-00001-of-00002.gguf"), split.model);
        let second = split.destination("q/A-00002-of-00002.gguf");
        assert_eq!(second, Path::new("/m/own-00002-of-00002.gguf"));
    }

    #[test]
    fn no_link_below_the_folder_leads_a_file_out_of_it() {
        let root = tempfile::tempdir().unwrap();
        let (real, elsewhere) = (root.path().join("real"), root.path().join("elsewhere"));
        fs_err::create_dir_all(real.join("inside")).unwrap();
        fs_err::create_dir(&elsewhere).unwrap();
        let lane = root.path().join("lane");
        std::os::unix::fs::symlink(&real, &lane).unwrap();
        std::os::unix::fs::symlink("inside", real.join("good")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, real.join("bad")).unwrap();
        std::os::unix::fs::symlink("/nowhere", real.join("dangling")).unwrap();
        let target = target(&lane, false);
        let stays = |name: &str| target.stays_inside(&target.destination(name));
        assert!(stays("good/a").is_ok() && stays("new/a").is_ok());
        for name in ["bad/a", "bad/b/c", "dangling/a"] {
            let error = stays(name).unwrap_err();
            let found = matches!(error, HubError::LinkLeaves { .. } | HubError::NotWritable { .. });
            assert!(found, "{name}: {error}");
        }
    }
}

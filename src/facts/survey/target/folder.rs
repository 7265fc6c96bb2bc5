//! A folder of the lane's own, or the file that its engine opens.

use std::collections::BTreeSet;
use std::path::Path;

use crate::beneath::{Beneath, LinkInTheWay};
use crate::facts::LaneFacts;
use crate::facts::hub::{Download, HubError, Listing, Noted, RemoteFile};
use crate::facts::proof::stamp::Stamps;
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
    pub(in crate::facts::survey) model: Beneath,
    /// The link that leads it out of its mount, if there is one.
    leaves: Option<LinkInTheWay>,
    /// Whether the source names one file, and not a repository.
    pub(in crate::facts::survey) one_file: bool,
    /// What stamps are good for.
    pub(in crate::facts::survey) stamps: Stamps,
}

impl FolderTarget {
    /// That of a lane's own source; absent: it is not known, or cannot be seen. Blocking.
    pub(super) fn of(facts: &LaneFacts) -> Option<Self> {
        let source = facts.lane.source.as_ref()?;
        let Sight::Visible { path, mounted_at, read_only, .. } =
            &facts.lane.model()?.located.value.sight
        else {
            return None;
        };
        let (root, path) = (mounted_at.as_path(), path.as_path());
        let one_file = source.value.path.is_some();
        let found = match one_file {
            true => Beneath::find_file(root, path),
            false => Beneath::find(root, path),
        };
        let (model, leaves) = match found {
            Ok(found) => (found?, None),
            Err(link) => (Beneath::root(root).join(path.strip_prefix(root).ok()?), Some(link)),
        };
        let stamps = Stamps::of(facts.orders.no_stamps, *read_only || leaves.is_some());
        Some(Self { model, stamps, leaves, one_file })
    }

    /// One that nothing leads out of its root.
    #[cfg(test)]
    pub(in crate::facts::survey) fn new(model: Beneath, one_file: bool) -> Self {
        Self { model, leaves: None, one_file, stamps: Stamps::Kept }
    }

    /// The folder that the files are brought below.
    pub(super) fn ground(&self) -> Beneath {
        if self.one_file { self.model.folder() } else { self.model.clone() }
    }

    /// The commit that all notes of the folder agree about. A single file has none. Blocking.
    pub(super) fn commit(&self) -> Option<String> {
        if self.one_file {
            return None;
        }
        let notes = self.model.path().join(hub_cache::DOWNLOADS);
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
        let destination = self.destination(&file.path);
        let root = self.ground();
        let name = match self.one_file {
            true => destination.name().to_string_lossy().into_owned(),
            false => file.path.clone(),
        };
        let path = destination.path().to_path_buf();
        let (size, id) = (Some(file.size), Some(file.oid.clone()));
        Promise { path, root, name, size, id, promised_by, stamps: self.stamps }
    }

    /// A whole repository goes below the lane's folder; a single file takes the name that the engine
    /// opens, whatever it is called in the repository, and the later parts of a split model take
    /// theirs from it.
    pub(super) fn destination(&self, in_repository: &str) -> Beneath {
        if !self.one_file {
            return self.model.join(in_repository);
        }
        let later = SplitName::of_gguf(in_repository).filter(|part| !part.is_first());
        let own = self.model.name().to_str().and_then(SplitName::parse);
        let part = later
            .zip(own.filter(SplitName::is_first))
            .map(|(later, own)| self.model.beside(own.part(later.number).to_string()));
        part.unwrap_or_else(|| self.model.clone())
    }

    /// Leads downloads to where links in the lane's folder lead, none of which may lead out of it. The
    /// folder itself may be one, inside its mount. Blocking.
    ///
    /// # Errors
    /// [`HubError::LinkLeaves`].
    pub(super) fn hold_inside(&self, downloads: &mut [Download]) -> Result<(), HubError> {
        if let Some(link) = &self.leaves {
            return Err(link.clone().into());
        }
        for Download { destination, .. } in downloads {
            let folder = destination.folder();
            let ground = self.ground();
            let below = folder.path().strip_prefix(ground.path()).unwrap_or(Path::new(""));
            *destination = ground.with_links_followed(below)?.join(destination.name());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(model: &Path, one_file: bool) -> FolderTarget {
        FolderTarget::new(Beneath::root("/").join(model), one_file)
    }

    #[test]
    fn a_single_file_takes_the_name_that_the_engine_opens_and_its_parts_follow() {
        let at = |model: &str, one_file, name: &str| {
            target(Path::new(model), one_file).destination(name).path().display().to_string()
        };
        assert_eq!(at("/models/gguf/a.gguf", true, "A-Q4.gguf"), "/models/gguf/a.gguf");
        assert_eq!(at("/m", false, "x/y"), "/m/x/y");
        let split = "/m/own-00001-of-00002.gguf";
        assert_eq!(at(split, true, "q/A-00001-of-00002.gguf"), split);
        assert_eq!(at(split, true, "q/A-00002-of-00002.gguf"), "/m/own-00002-of-00002.gguf");
    }

    #[test]
    fn no_link_below_the_folder_leads_a_file_out_of_it() {
        let root = tempfile::tempdir().unwrap();
        let (real, elsewhere) = (root.path().join("real"), root.path().join("elsewhere"));
        fs_err::create_dir_all(real.join("inside")).unwrap();
        fs_err::create_dir(&elsewhere).unwrap();
        let lane = root.path().join("lane");
        std::os::unix::fs::symlink("real", &lane).unwrap();
        std::os::unix::fs::symlink("inside", real.join("good")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, real.join("bad")).unwrap();
        std::os::unix::fs::symlink("/nowhere", real.join("dangling")).unwrap();
        let model = Beneath::find(root.path(), &lane).unwrap().unwrap();
        let target = FolderTarget::new(model, false);
        let held = |name: &str| {
            let oid = crate::facts::hub::ObjectId::GitBlob(String::new());
            let file = RemoteFile { path: name.to_owned(), size: 1, oid };
            let mut downloads = [Download::plain(file, target.destination(name))];
            target.hold_inside(&mut downloads).map(|()| {
                let [Download { destination, .. }] = downloads;
                destination.folder().make_folders().unwrap();
                fs_err::write(destination.path(), "x").unwrap();
                destination.exists()
            })
        };
        for name in ["good/a", "new/a"] {
            assert!(held(name).unwrap(), "{name}");
        }
        for name in ["bad/a", "bad/b/c", "dangling/a"] {
            let error = held(name).unwrap_err();
            assert!(matches!(error, HubError::LinkLeaves { .. }), "{name}: {error}");
        }
    }
}

//! Which files of a listing have to be brought, and where to.

use std::path::{Path, PathBuf};

use crate::facts::LaneFacts;
use crate::facts::hub::{Download, HubError, Listing, RemoteFile};
use crate::facts::proof::{self, Promise, PromisedBy, ProofOutcome};
use crate::file_name::hub_cache;
use crate::file_name::split::SplitName;
use crate::file_name::weights::Weights;
use crate::plan::lanes::Artifact;
use crate::progress::Progress;
use crate::project::mounts::Sight;

/// Files that are larger are weights, and come last.
const SMALL: u64 = 64 * 1024 * 1024;

/// Where the files of one source go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The model as this process sees it: a folder, or the file that the engine opens.
    pub(super) model: PathBuf,
    /// Whether the source names one file, and not a repository.
    pub(super) one_file: bool,
    /// Whether a stamp may be left.
    pub(super) stamps: bool,
}

/// How closely is looked at what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scrutiny {
    /// A file of the right size that no stamp speaks against is there.
    Size,
    /// Only a file of the right content is there.
    Content,
}

impl Target {
    /// Where the files of a lane's source are or belong; absent: that is not known, or cannot be
    /// seen. In a cache of the hub it is the snapshot that was found.
    pub(super) fn of(facts: &LaneFacts) -> Option<Self> {
        let source = facts.lane.source.as_ref()?;
        if facts.lane.in_cache() {
            let model = visible(&facts.artifacts.first()?.artifact)?.0;
            let is_snapshot = |folder: &&Path| hub_cache::repository_of(folder).is_some();
            let model = model.ancestors().find(is_snapshot)?.to_path_buf();
            return Some(Self { model, one_file: false, stamps: false });
        }
        let (model, read_only) = visible(facts.lane.model()?)?;
        let one_file = source.value.path.is_some();
        Some(Self { model: model.to_path_buf(), one_file, stamps: !read_only })
    }

    /// What has to be brought: every file of the listing that is not there. Blocking.
    ///
    /// # Errors
    /// [`HubError::LinkLeaves`], where a file would end up outside the lane's folder.
    pub(super) fn downloads(
        &self,
        listing: &Listing,
        scrutiny: Scrutiny,
        progress: &Progress,
    ) -> Result<Vec<Download>, HubError> {
        let download =
            |file: &RemoteFile| Download::plain(file.clone(), self.destination(&file.path));
        let downloads: Vec<Download> = listing.files.iter().map(download).collect();
        let downloads = match scrutiny {
            Scrutiny::Size => self.missing(downloads),
            Scrutiny::Content => self.not_proven(downloads, progress),
        };
        downloads.iter().try_for_each(|download| self.stays_inside(&download.destination))?;
        Ok(downloads)
    }

    /// Those that are not there with their size, and those of which a stamp says another content. Blocking.
    fn missing(&self, mut downloads: Vec<Download>) -> Vec<Download> {
        downloads.retain(|download| {
            let seen = proof::look(&self.promise(&download.file, PromisedBy::Hub));
            !matches!(seen, ProofOutcome::Proven | ProofOutcome::NotHashed | ProofOutcome::Written)
        });
        downloads
    }

    fn not_proven(&self, downloads: Vec<Download>, progress: &Progress) -> Vec<Download> {
        let promise =
            |download: &Download| (self.promise(&download.file, PromisedBy::Hub), progress.clone());
        let promises: Vec<_> = downloads.iter().map(promise).collect();
        let outcomes = proof::hash_all(&promises);
        let with_outcome = downloads.into_iter().zip(outcomes);
        let missing = with_outcome.filter(|(_, outcome)| *outcome != ProofOutcome::Proven);
        missing.map(|(download, _)| download).collect()
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

/// The path of what this process can see, and whether it may not write there.
fn visible(artifact: &Artifact) -> Option<(&Path, bool)> {
    match &artifact.located.value.sight {
        Sight::Visible { path, read_only, .. } => Some((path.as_path(), *read_only)),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
    }
}

/// The small files first: a lane whose configuration shows that it cannot work costs no weights.
pub(super) fn in_stages(downloads: Vec<Download>) -> Vec<Vec<Download>> {
    let (small, weights): (Vec<_>, Vec<_>) = downloads.into_iter().partition(|download| {
        download.file.size <= SMALL && Weights::of(&download.file.path).is_none()
    });
    [small, weights].into_iter().filter(|stage| !stage.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::hub::ObjectId;
    use crate::source::Source;

    fn download(path: &str, size: u64) -> Download {
        let oid = ObjectId::GitBlob(String::new());
        Download::plain(RemoteFile { path: path.to_owned(), size, oid }, PathBuf::from(path))
    }

    fn target(model: &Path, one_file: bool) -> Target {
        Target { model: model.to_path_buf(), one_file, stamps: true }
    }

    fn missing(target: &Target, files: &[(&str, u64)]) -> Result<Vec<String>, HubError> {
        let files = files.iter().map(|(path, size)| download(path, *size).file).collect();
        let source: Source = "hf://o/r".parse().unwrap();
        let listing = Listing { source, commit: String::new(), files };
        let (events, _receiver) = tokio::sync::mpsc::unbounded_channel();
        let progress = Progress::new(events);
        let downloads = target.downloads(&listing, Scrutiny::Size, &progress)?;
        Ok(downloads.into_iter().map(|download| download.file.path).collect())
    }

    #[test]
    fn the_configuration_comes_before_the_weights() {
        let stages = in_stages(vec![download("a.safetensors", 10), download("config.json", 10)]);
        let paths: Vec<Vec<_>> = stages
            .iter()
            .map(|stage| stage.iter().map(|download| download.file.path.as_str()).collect())
            .collect();
        assert_eq!(paths, [["config.json"], ["a.safetensors"]]);
        assert!(in_stages(Vec::new()).is_empty());
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
    fn a_file_of_another_size_and_a_folder_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a"), "12").unwrap();
        fs_err::create_dir(folder.path().join("b")).unwrap();
        let target = target(folder.path(), false);
        assert_eq!(missing(&target, &[("a", 2), ("b", 0), ("c", 1)]).unwrap(), ["b", "c"]);
        assert_eq!(missing(&target, &[("a", 3)]).unwrap(), ["a"]);
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
        assert_eq!(missing(&target, &[("good/a", 1), ("new/a", 1)]).unwrap().len(), 2);
        for name in ["bad/a", "bad/b/c", "dangling/a"] {
            let error = missing(&target, &[(name, 1)]).unwrap_err();
            let found = matches!(error, HubError::LinkLeaves { .. } | HubError::NotWritable { .. });
            assert!(found, "{name}: {error}");
        }
    }
}

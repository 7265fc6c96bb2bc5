//! Where the files of one source are, or belong: a folder of the lane's own, or a cache of the hub.
//! What is brought, and when, is the same for both: they differ in how files lie.

mod cache;
mod folder;

use std::path::Path;

pub(super) use self::cache::CacheTarget;
pub(super) use self::folder::FolderTarget;

use crate::beneath::Beneath;
use crate::facts::hub::{Download, HubError, Listing, RemoteFile};
use crate::facts::proof::{self, Promise, PromisedBy, ProofOutcome};
use crate::facts::{LaneFacts, OwnFile};
use crate::plan::engine::Part;
use crate::progress::Progress;

/// Which of the sources of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// What the lane's own folder or file is brought from.
    Own,
    /// One of the repositories that its engine opens in a cache, by its place among them.
    Cached(usize),
}

/// Where the files of one source are, or belong.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A folder of the lane's own, or the file that its engine opens.
    Folder(FolderTarget),
    /// A repository in a cache of the hub.
    Cache(CacheTarget),
}

/// How closely is looked at what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scrutiny {
    /// A file of the right size that no stamp and no note speaks against is there.
    Size,
    /// Only a file of the right content is there.
    Content,
}

/// What of a listing is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// What has to be brought.
    pub(super) downloads: Vec<Download>,
    /// Files of the user's own that have another content, and stay.
    pub(super) kept: Vec<OwnFile>,
    /// Those of a cache to which only the link is missing.
    pub(super) unlinked: Vec<Download>,
    /// Files of the user's own that the downloads replace.
    pub(super) replaced: Vec<OwnFile>,
    /// Files of the user's own in the snapshot that was opened until now, which stay there.
    pub(super) left: Vec<OwnFile>,
}

impl Slot {
    /// Every source of a lane, the model's first.
    pub(super) fn all(facts: &LaneFacts) -> Vec<Self> {
        let has_own = facts.lane.source.is_some() && !facts.lane.in_cache();
        let own = has_own.then_some(Self::Own);
        own.into_iter().chain((0..facts.lane.cached.len()).map(Self::Cached)).collect()
    }

    /// The one that the lane's own source is for: what `preflight.lock` pins.
    pub(super) fn of_model(facts: &LaneFacts) -> Self {
        let cached = facts.lane.cached.iter().position(|cached| cached.part == Part::Model);
        cached.map_or(Self::Own, Self::Cached)
    }
}

impl Target {
    /// Where the files of a source are or belong; absent: that is not known, or cannot be seen.
    /// Blocking.
    pub(super) fn of(facts: &LaneFacts, slot: Slot) -> Option<Self> {
        match slot {
            Slot::Own => FolderTarget::of(facts).map(Self::Folder),
            Slot::Cached(index) => CacheTarget::of(facts, index).map(Self::Cache),
        }
    }

    /// Whether this process may bring files there.
    pub(super) fn is_writable(&self) -> bool {
        match self {
            Self::Folder(_) => true,
            Self::Cache(cache) => cache.repository.is_some(),
        }
    }

    /// The folder that files are brought below; absent: none are.
    pub(super) fn ground(&self) -> Option<Beneath> {
        match self {
            Self::Folder(folder) => Some(folder.ground()),
            Self::Cache(cache) => Some(cache.repository.as_ref()?.cache.clone()),
        }
    }

    /// The commit of which files are there; absent: none is, or they do not agree. Blocking.
    pub(super) fn commit(&self) -> Option<String> {
        match self {
            Self::Folder(folder) => folder.commit(),
            Self::Cache(cache) => cache.commit(),
        }
    }

    /// What a file of the source has to be, where its engine opens it now; absent: it opens none.
    pub(super) fn promise(&self, file: &RemoteFile, promised_by: PromisedBy) -> Option<Promise> {
        match self {
            Self::Folder(folder) => Some(folder.promise(file, promised_by)),
            Self::Cache(cache) => cache.promise(file, promised_by),
        }
    }

    /// What of a listing is not there; absent: a cache cannot hold it. Blocking.
    ///
    /// # Errors
    /// [`HubError::LinkLeaves`], where a file would end up outside the lane's folder.
    pub(super) fn missing(
        &self,
        listing: &Listing,
        scrutiny: Scrutiny,
        progress: &Progress,
    ) -> Result<Option<Missing>, HubError> {
        let wanted = match self {
            Self::Folder(folder) => Some(folder.wanted(listing)),
            Self::Cache(cache) => cache.wanted(listing),
        };
        let Some(wanted) = wanted else { return Ok(None) };
        let (downloads, promises): (Vec<Download>, Vec<Promise>) = wanted.into_iter().unzip();
        let there = scrutiny.apply(&promises, progress);
        let mut missing = Missing::default();
        for ((download, promise), _) in
            downloads.into_iter().zip(promises).zip(there).filter(|(_, is_there)| !is_there)
        {
            missing.add(download, &promise, scrutiny, progress);
        }
        match self {
            Self::Folder(folder) => folder.hold_inside(&mut missing.downloads)?,
            Self::Cache(cache) => missing.left = cache.left_behind(listing),
        }
        Ok(Some(missing))
    }
}

impl Missing {
    fn add(
        &mut self,
        download: Download,
        promise: &Promise,
        scrutiny: Scrutiny,
        progress: &Progress,
    ) {
        let own = |path: &Path| OwnFile {
            name: download.file.path.clone(),
            path: path.to_path_buf(),
            beside: None,
        };
        let keeps = scrutiny == Scrutiny::Size;
        let is_own = proof::own::is_own(promise);
        if is_own && keeps {
            self.kept.push(own(&promise.path));
            return;
        }
        let blob = own_blob(&download, promise, scrutiny, progress);
        // In a cache, what a link leads to has the name of its content.
        let is_put_there = download.link.is_none() && proof::own::is_of_another_kind(promise);
        if is_own || is_put_there {
            self.replaced.push(own(&promise.path));
        }
        match blob {
            Some(blob) if keeps => {
                self.kept.push(own(blob));
                self.unlinked.push(download);
            }
            blob => {
                self.replaced.extend(blob.map(own));
                self.downloads.push(download);
            }
        }
    }
}

/// What lies in a cache under the name of the content that is to be brought, is opened by no link of
/// the snapshot, and may be the user's own: somebody has written through a link of another snapshot.
/// What replaces it shows whether it was; where nothing replaces it, it has to be hashed.
fn own_blob<'a>(
    download: &'a Download,
    promise: &Promise,
    scrutiny: Scrutiny,
    progress: &Progress,
) -> Option<&'a Path> {
    let path = download.link.is_some().then_some(download.destination.path())?;
    let opened = fs_err::canonicalize(&promise.path).ok();
    let is_opened = opened.is_some() && opened == fs_err::canonicalize(path).ok();
    let blob = Promise { path: path.to_path_buf(), ..promise.clone() };
    if is_opened || !proof::own::is_own(&blob) {
        return None;
    }
    let keeps = scrutiny == Scrutiny::Size;
    let is_sound = keeps && Scrutiny::Content.apply(&[blob], progress) == [true];
    (!is_sound).then_some(path)
}

impl Scrutiny {
    /// Whether each promise is kept, as closely as is looked.
    fn apply(self, promises: &[Promise], progress: &Progress) -> Vec<bool> {
        match self {
            Self::Size => promises.iter().map(|promise| is_there(&proof::look(promise))).collect(),
            Self::Content => {
                let promises: Vec<_> =
                    promises.iter().map(|promise| (promise.clone(), progress.clone())).collect();
                let outcomes = proof::hash_all(&promises, None);
                outcomes.into_iter().map(|outcome| outcome == ProofOutcome::Proven).collect()
            }
        }
    }
}

/// Whether a file is there with its size, and no stamp and no note says another content.
fn is_there(outcome: &ProofOutcome) -> bool {
    matches!(outcome, ProofOutcome::Proven | ProofOutcome::NotHashed | ProofOutcome::Written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::hub::{CachedRepository, ObjectId};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// The names of what would be brought, and of what stays in its way.
    fn missing(target: &Target, files: &[(&str, u64)]) -> (Vec<String>, Vec<String>) {
        let oid = ObjectId::GitBlob("0".repeat(40));
        let file = |(path, size): &(&str, u64)| RemoteFile {
            path: (*path).to_owned(),
            size: *size,
            oid: oid.clone(),
        };
        let files = files.iter().map(file).collect();
        let source = "hf://o/r".parse().unwrap();
        let listing = Listing { source, commit: COMMIT.to_owned(), files };
        let (events, _receiver) = tokio::sync::mpsc::unbounded_channel();
        let missing = target.missing(&listing, Scrutiny::Size, &Progress::new(events));
        let Missing { downloads, kept, .. } = missing.unwrap().unwrap();
        let downloads = downloads.into_iter().map(|download| download.file.path).collect();
        (downloads, kept.into_iter().map(|own| own.name).collect())
    }

    /// A folder and a cache, both with these files.
    fn with(root: &Path, files: &[(&str, &str)]) -> [Target; 2] {
        let model = root.join("folder");
        let cache = root.join("cache");
        let cache = Beneath::root(cache);
        let repository = CachedRepository { cache, name: "models--o--r".to_owned() };
        for folder in [model.as_path(), repository.snapshot(COMMIT).path()] {
            fs_err::create_dir_all(folder.join("b")).unwrap();
            for (name, content) in files {
                fs_err::write(folder.join(name), content).unwrap();
            }
        }
        let folder = FolderTarget::new(Beneath::root(model), false);
        let cache = CacheTarget::new(repository);
        [Target::Folder(folder), Target::Cache(cache)]
    }

    #[test]
    fn a_file_of_another_size_and_a_folder_are_not_there_and_what_is_the_users_own_stays() {
        let root = tempfile::tempdir().unwrap();
        for target in with(root.path(), &[("a", "12"), ("cut.gguf", "GGUF\x03\0\0\0")]) {
            let (brought, kept) =
                missing(&target, &[("a", 2), ("b", 0), ("c", 1), ("cut.gguf", 100)]);
            assert_eq!((brought.join(" "), kept.join(" ")), ("b c cut.gguf".into(), "".into()));
            let (brought, kept) = missing(&target, &[("a", 3)]);
            assert_eq!((brought.join(" "), kept.join(" ")), ("".into(), "a".into()));
        }
    }
}

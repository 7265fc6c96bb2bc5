//! A repository in a cache of the hub.

use std::path::{Path, PathBuf};

use crate::beneath::Beneath;
use crate::facts::hub::{CachedRepository, Download, HubError, Listing, RemoteFile, User};
use crate::facts::model::huggingface;
use crate::facts::proof::stamp::Stamps;
use crate::facts::proof::{Promise, PromisedBy, own};
use crate::facts::survey::cache::fill;
use crate::facts::survey::loaded::PRESET;
use crate::facts::{CacheState, LaneFacts, OwnFile};
use crate::file_name::hub_cache;
use crate::plan::lanes::Cached;
use crate::project::mounts::Sight;
use crate::project::view::local::LocalView;

/// A repository in the caches of a service.
#[derive(Debug, Clone)]
pub(in crate::facts::survey) struct CacheTarget {
    /// The snapshot that its engine opens when it does not ask the hub; absent: there is none.
    here: Option<PathBuf>,
    /// What is brought is put here; absent: it is the engine's to bring.
    pub(in crate::facts::survey) repository: Option<CachedRepository>,
    /// The branch, tag or commit that its engine asks for.
    pub(in crate::facts::survey) revision: String,
}

impl CacheTarget {
    /// That of the repository at `index` of those that the lane's engine opens in a cache. Blocking.
    pub(super) fn of(facts: &LaneFacts, index: usize) -> Option<Self> {
        let seen = facts.cached.get(index)?;
        let held = || held(facts, index);
        let here = if seen.state == CacheState::Held { held() } else { snapshot(&seen.cached) };
        let repository =
            seen.fill.as_ref().and_then(|_| fill::place(&seen.cached)).and_then(|it| {
                let cache = fill::ground(it)?;
                Some(CachedRepository { cache, name: seen.cached.folder_name() })
            });
        let revision = seen.cached.revision.clone().unwrap_or_else(|| "main".to_owned());
        Some(Self { here, repository, revision })
    }

    /// One that is filled, and of which nothing is there.
    #[cfg(test)]
    pub(super) fn new(repository: CachedRepository) -> Self {
        Self { here: None, repository: Some(repository), revision: "main".to_owned() }
    }

    /// The commit that the snapshot is named by.
    pub(super) fn commit(&self) -> Option<String> {
        let name = self.here.as_ref()?.file_name()?.to_str()?;
        hub_cache::is_commit(name).then(|| name.to_owned())
    }

    /// What a file of the source has to be in the snapshot that is opened now.
    pub(super) fn promise(&self, file: &RemoteFile, promised_by: PromisedBy) -> Option<Promise> {
        Some(promise(self.here.as_ref()?, file, promised_by))
    }

    /// Every file of a listing: what brings it, and what it has to be. Absent: nothing is put there,
    /// or the hub does not say by what name a cache knows a content.
    pub(super) fn wanted(&self, listing: &Listing) -> Option<Vec<(Download, Promise)>> {
        let repository = self.repository.as_ref()?;
        if listing.files.iter().any(|file| file.path == PRESET) {
            return None;
        }
        let snapshot = repository.snapshot(&listing.commit);
        let wanted = |file: &RemoteFile| {
            let download = repository.download(file, &listing.commit)?;
            Some((download, promise(snapshot.path(), file, PromisedBy::Hub)))
        };
        listing.files.iter().map(wanted).collect()
    }

    /// Texts of the user's own in the snapshot that is opened now, where another one takes its place
    /// and has them otherwise: they stay there, and are opened no more. Blocking.
    pub(super) fn left_behind(&self, listing: &Listing) -> Vec<OwnFile> {
        let (Some(here), Some(repository)) = (&self.here, &self.repository) else {
            return Vec::new();
        };
        let snapshot = repository.snapshot(&listing.commit);
        if *here == snapshot.path() {
            return Vec::new();
        }
        let left = listing.files.iter().filter_map(|file| {
            let path = here.join(&file.path);
            // Who has written through a link to what the new snapshot needs too is told of that.
            let named = own::named_by_cache(&path).filter(|named| *named != file.oid);
            let is_link = fs_err::symlink_metadata(&path).ok()?.is_symlink();
            let id = if is_link { named? } else { file.oid.clone() };
            let promise = Promise { id: Some(id), ..promise(here, file, PromisedBy::Cache) };
            let is_own = own::is_own(&promise) && own::is_other_text(&promise);
            is_own.then(|| OwnFile {
                name: file.path.clone(),
                path: snapshot.path().join(&file.path),
                beside: Some(path),
            })
        });
        left.collect()
    }

    /// Makes the cache if it is not there, for `user`. Blocking.
    ///
    /// # Errors
    /// [`HubError::NotWritable`], [`HubError::DiskFull`].
    pub(in crate::facts::survey) fn prepare(&self, user: Option<User>) -> Result<(), HubError> {
        self.repository.as_ref().map_or(Ok(()), |repository| repository.make_cache(user))
    }

    /// Lets the revision that its engine asks for lead to `commit`, all of which is there. Blocking.
    ///
    /// # Errors
    /// [`HubError::NotWritable`], [`HubError::DiskFull`].
    pub(in crate::facts::survey) fn settle(&self, commit: &str) -> Result<(), HubError> {
        let Some(repository) = &self.repository else { return Ok(()) };
        repository.name_revision(&self.revision, commit)
    }
}

fn promise(snapshot: &Path, file: &RemoteFile, promised_by: PromisedBy) -> Promise {
    let (root, name) = (Beneath::root(snapshot), file.path.clone());
    let (size, id) = (Some(file.size), Some(file.oid.clone()));
    Promise {
        path: snapshot.join(&name),
        root,
        name,
        size,
        id,
        promised_by,
        stamps: Stamps::Believed,
    }
}

/// The snapshot that was found, of which an artifact of the lane tells.
fn held(facts: &LaneFacts, index: usize) -> Option<PathBuf> {
    let Sight::Visible { path, .. } = &facts.found_in_cache(index)?.artifact.located.value.sight
    else {
        return None;
    };
    let is_snapshot = |folder: &&Path| hub_cache::repository_of(folder).is_some();
    path.as_path().ancestors().find(is_snapshot).map(Path::to_path_buf)
}

/// The snapshot that the revision leads to, whole or not.
fn snapshot(cached: &Cached) -> Option<PathBuf> {
    cached.places.iter().find_map(|place| {
        let folder = fill::folder(place)?.as_path().join(cached.folder_name());
        let found = huggingface::snapshot(&LocalView, &folder, cached.revision.as_deref());
        found.seen().map(|found| found.folder.clone())
    })
}

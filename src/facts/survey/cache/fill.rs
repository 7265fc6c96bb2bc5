//! Fills the cache of a service with what its engine opens there by the name of a repository.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::fs::Access;

use super::super::judge::Judge;
use super::super::way::Views;
use super::super::{blocking, downloads};
use super::{judged_at, look};
use crate::facts::hub::{CachedRepository, Download, Hub, HubError, Listing, User};
use crate::facts::{CacheFacts, CacheState, LaneFacts};
use crate::file_name::weights::Weights;
use crate::path::LocalPath;
use crate::plan::engine::Part;
use crate::plan::engine::repository::Reader;
use crate::plan::lanes::{Cached, Choice};
use crate::progress::Progress;
use crate::project::mounts::{Located, Sight};

/// llama.cpp takes nothing else of a repository that has one.
const PRESET: &str = "preset.ini";

/// What is brought from one repository into one cache.
pub(in crate::facts::survey) struct CacheDownloads {
    /// Which of the lane's.
    index: usize,
    repository: CachedRepository,
    listing: Listing,
    pub(in crate::facts::survey) downloads: Vec<Download>,
}

/// How much of a repository was brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brought {
    All,
    /// What came first shows that the rest would be no use.
    InVain,
}

/// Where this process may put a repository so that its engine finds it: the folder of the cache;
/// absent: nowhere. Blocking.
pub(super) fn place(cached: &Cached) -> Option<&Located> {
    let mut places = cached.places.iter().take(cached.fillable);
    places.find(|place| match &place.sight {
        Sight::Visible { path, read_only: false, .. } => is_writable(path.as_path()),
        Sight::Visible { .. }
        | Sight::Written
        | Sight::NotMounted
        | Sight::Covered
        | Sight::Hidden(_) => false,
    })
}

/// Asked of the deepest folder that exists.
fn is_writable(folder: &Path) -> bool {
    let existing = folder.ancestors().find(|folder| folder.is_dir());
    existing.is_some_and(|it| rustix::fs::access(it, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// Whether there is a cache to fill for the lane, and something to fill it with.
pub(in crate::facts::survey) fn wants(facts: &LaneFacts) -> bool {
    let can_be = |cached: &CacheFacts| {
        cached.fill.is_some()
            && cached.state != CacheState::Held
            && matches!(cached.probe, Some(Ok(_)))
    };
    facts.orders.may_fetch && facts.cached.iter().any(can_be)
}

/// What the caches of a lane lack. A cache that cannot be filled after all is left to the engine.
pub(in crate::facts::survey) async fn downloads_of(facts: &mut LaneFacts) -> Vec<CacheDownloads> {
    if !wants(facts) {
        return Vec::new();
    }
    let caches = blocking(facts.clone(), |facts| all_downloads(&facts)).await;
    for (index, cached) in facts.cached.iter_mut().enumerate() {
        cached.fill.take_if(|_| caches.iter().all(|cache| cache.index != index));
    }
    caches
}

/// Fills the caches of lanes.
pub(in crate::facts::survey) struct Filler<'a> {
    pub(in crate::facts::survey) hub: &'a Hub,
    pub(in crate::facts::survey) views: &'a Views,
    pub(in crate::facts::survey) progress: &'a Progress,
    pub(in crate::facts::survey) judge: &'a dyn Judge,
}

impl Filler<'_> {
    /// Brings what the caches of a lane lack, and looks again. A lane that the judge ends goes no
    /// further.
    pub(in crate::facts::survey) async fn fill(
        &self,
        facts: &mut LaneFacts,
        caches: Vec<CacheDownloads>,
    ) {
        facts.source.fetch.take_if(|fetch| fetch.is_ok());
        if self.judge.ends_at_sources(facts) {
            return;
        }
        let progress = self.progress.for_lane(&facts.lane.name);
        for cache in caches {
            let result = self.fetch(facts, &cache, &progress).await;
            let failed = result.is_err();
            let in_vain = matches!(result, Ok(Brought::InVain));
            facts.source.fetch = Some(result.map(drop));
            if in_vain {
                // What is wrong with it is in the facts, and nothing leads there.
                facts.cached[cache.index].state = CacheState::Held;
                return;
            }
            if failed {
                break;
            }
            facts
                .source
                .fetched
                .extend(cache.downloads.iter().map(|download| download.found_at().to_path_buf()));
        }
        look_again(facts, self.views).await;
    }

    /// The small files, a look at them, then the weights; at last the revision leads there.
    async fn fetch(
        &self,
        facts: &mut LaneFacts,
        cache: &CacheDownloads,
        progress: &Progress,
    ) -> Result<Brought, HubError> {
        let (repository, user) =
            (cache.repository.clone(), user_of(facts, self.views, cache.index));
        blocking((), move |()| repository.make_cache(user)).await?;
        for stage in downloads::in_stages(cache.downloads.clone()) {
            self.hub.fetch(&cache.listing, &stage, progress).await?;
            if self.condemns(facts, cache).await {
                return Ok(Brought::InVain);
            }
        }
        let (repository, listing) = (cache.repository.clone(), cache.listing.clone());
        blocking((), move |()| repository.name_revision(&listing)).await?;
        Ok(Brought::All)
    }

    /// Whether the configuration of a model shows that its weights would be brought in vain: judged
    /// as it lies there, though nothing leads there yet.
    async fn condemns(&self, facts: &mut LaneFacts, cache: &CacheDownloads) -> bool {
        let cached = &facts.cached[cache.index].cached;
        let Some(place) = place(cached).filter(|_| cached.choice == Choice::Folder).cloned() else {
            return false;
        };
        if cached.part != Part::Model {
            return false;
        }
        let snapshot = cache.repository.snapshot(&cache.listing.commit);
        let cached = cached.clone();
        let seen = blocking((), move |()| judged_at(&cached, &place, &snapshot)).await;
        let before = facts.artifacts.clone();
        facts.artifacts.insert(0, seen);
        let condemned = self.judge.ends_at_files(facts);
        if !condemned {
            facts.artifacts = before;
        }
        condemned
    }
}

/// Looks at the caches anew; what the hub has said stays said.
async fn look_again(facts: &mut LaneFacts, views: &Views) {
    let old = std::mem::take(&mut facts.cached);
    let found = facts.artifacts.len().saturating_sub(facts.lane.artifacts.len());
    facts.artifacts.drain(..found);
    let views = views.clone();
    *facts = blocking(facts.clone(), move |mut facts| {
        look(&mut facts, &views);
        facts
    })
    .await;
    for (new, old) in facts.cached.iter_mut().zip(old) {
        new.probe = old.probe;
    }
}

fn all_downloads(facts: &LaneFacts) -> Vec<CacheDownloads> {
    let wanted = facts.cached.iter().enumerate();
    wanted.filter_map(|(index, cached)| cache_downloads(facts, index, cached)).collect()
}

/// Absent: it is there, or it is the engine's to bring.
fn cache_downloads(facts: &LaneFacts, index: usize, cached: &CacheFacts) -> Option<CacheDownloads> {
    let (Some(cache), Some(Ok(listing))) = (&cached.fill, &cached.probe) else { return None };
    if cached.state == CacheState::Held || listing.files.iter().any(|file| file.path == PRESET) {
        return None;
    }
    let listing = needed(facts, &cached.cached, listing.clone());
    let repository = CachedRepository {
        cache: cache.as_path().to_path_buf(),
        name: cached.cached.folder_name(),
    };
    let download = |file| repository.download(file, &listing.commit);
    let mut downloads: Vec<Download> = listing.files.iter().map(download).collect::<Option<_>>()?;
    downloads.retain(|download| {
        let found = fs_err::metadata(download.found_at());
        !found.is_ok_and(|found| found.is_file() && found.len() == download.file.size)
    });
    Some(CacheDownloads { index, repository, listing, downloads })
}

/// What of a repository the engine loads.
fn needed(facts: &LaneFacts, cached: &Cached, mut listing: Listing) -> Listing {
    let without_weights = match cached.choice {
        Choice::Folder => cached.part == Part::Tokenizer,
        Choice::WithoutWeights => true,
        Choice::File(_) | Choice::Quantisation(_) => return listing,
    };
    // Adapters are loaded even onto weights that are made up.
    let invocation = facts.lane.invocation.as_ref().filter(|it| !it.makes_up_weights());
    let load_format = invocation.and_then(|invocation| invocation.load_format.as_deref());
    let reader = Reader { engine: facts.lane.engine, load_format };
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let surplus: BTreeSet<String> = reader.surplus(&paths).into_iter().map(str::to_owned).collect();
    listing.files.retain(|file| {
        let is_not_asked_for = without_weights
            && (Weights::of(&file.path).is_some() || file.path.ends_with(".index.json"));
        !surplus.contains(&file.path) && !is_not_asked_for
    });
    listing
}

/// As whom the service runs, where that is known in numbers.
fn user_of(facts: &LaneFacts, views: &Views, index: usize) -> Option<User> {
    User::parse(user_as_written(&facts.cached.get(index)?.cached, views)?)
}

/// As whom the service runs, where that is only known by name.
pub(super) fn named_user(cached: &Cached, views: &Views) -> Option<String> {
    let user = user_as_written(cached, views)?;
    User::parse(user).is_none().then(|| user.to_owned())
}

fn user_as_written<'a>(cached: &Cached, views: &'a Views) -> Option<&'a str> {
    let service = place(cached)?.service.as_deref()?;
    Some(&views.service(service)?.user.as_ref()?.value)
}

/// The folder of a cache as this process sees it.
pub(super) fn folder(place: &Located) -> Option<LocalPath> {
    match &place.sight {
        Sight::Visible { path, .. } => Some(path.clone()),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cached, listing};
    use super::*;
    use crate::options::Role;
    use crate::plan::lanes::Lane;

    fn check(part: Part, choice: Choice, paths: &[&str], expected: &[&str]) {
        let facts = LaneFacts::of(Lane::named("x"), Role::Hand);
        let cached = Cached { part, choice, ..cached(Choice::Folder, Vec::new()) };
        let kept = needed(&facts, &cached, listing(paths));
        let kept: Vec<&str> = kept.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_the_engine_does_not_load_is_left_where_it_is() {
        let paths = ["config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"];
        check(Part::Model, Choice::Folder, &paths, &[paths[0], paths[1], paths[3]]);
        check(Part::Tokenizer, Choice::Folder, &paths, &[paths[0], paths[3]]);
        check(Part::Model, Choice::WithoutWeights, &paths, &[paths[0], paths[3]]);
        check(Part::Model, Choice::Quantisation(None), &paths, &paths);
    }

    #[test]
    fn a_cache_that_is_not_there_yet_can_be_filled_unless_its_mount_is_read_only() {
        let root = tempfile::tempdir().unwrap();
        let path = LocalPath::new(root.path().join("hf/hub"));
        let at = |read_only| Located {
            service: None,
            service_path: None,
            host_path: None,
            sight: Sight::Visible { path: path.clone(), root: path.clone(), read_only },
            mount: None,
        };
        let cached = |read_only| cached(Choice::Folder, vec![at(read_only)]);
        assert_eq!(place(&cached(false)), Some(&at(false)));
        assert_eq!(place(&cached(true)), None);
        assert_eq!(place(&Cached { fillable: 0, ..cached(false) }), None, "it is not read there");
    }
}

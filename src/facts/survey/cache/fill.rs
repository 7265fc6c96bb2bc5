//! Fills the cache of a service with what its engine opens there by the name of a repository.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::fs::Access;

use super::super::judge::Judge;
use super::super::way::Eyes;
use super::super::{blocking, errands};
use super::{judged_at, look};
use crate::facts::hub::{CachedRepository, Errand, Hub, HubError, Listing, User};
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
pub(in crate::facts::survey) struct Trip {
    /// Which of the lane's.
    index: usize,
    repository: CachedRepository,
    listing: Listing,
    pub(in crate::facts::survey) errands: Vec<Errand>,
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
        Sight::Visible { .. } | Sight::NotMounted | Sight::Hidden(_) => false,
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
pub(in crate::facts::survey) async fn trips_of(facts: &mut LaneFacts) -> Vec<Trip> {
    if !wants(facts) {
        return Vec::new();
    }
    let trips = blocking(facts.clone(), |facts| trips(&facts)).await;
    for (index, cached) in facts.cached.iter_mut().enumerate() {
        cached.fill.take_if(|_| trips.iter().all(|trip| trip.index != index));
    }
    trips
}

/// What is needed to fill caches.
pub(in crate::facts::survey) struct Filling<'a> {
    pub(in crate::facts::survey) hub: &'a Hub,
    pub(in crate::facts::survey) eyes: &'a Eyes,
    pub(in crate::facts::survey) progress: &'a Progress,
    pub(in crate::facts::survey) judge: &'a dyn Judge,
}

impl Filling<'_> {
    /// Brings what the caches of a lane lack, and looks again. A lane that the judge ends goes no
    /// further.
    pub(in crate::facts::survey) async fn fill(&self, facts: &mut LaneFacts, trips: Vec<Trip>) {
        facts.source.fetch.take_if(|fetch| fetch.is_ok());
        if self.judge.ends_at_sources(facts) {
            return;
        }
        let progress = self.progress.for_lane(&facts.lane.name);
        for trip in trips {
            let result = self.fetch(facts, &trip, &progress).await;
            let failed = result.is_err();
            let in_vain = matches!(result, Ok(Brought::InVain));
            facts.source.fetch = Some(result.map(drop));
            if in_vain {
                // What is wrong with it is in the facts, and nothing leads there.
                facts.cached[trip.index].state = CacheState::Held;
                return;
            }
            if failed {
                break;
            }
            facts
                .source
                .fetched
                .extend(trip.errands.iter().map(|errand| errand.found_at().to_path_buf()));
        }
        look_again(facts, self.eyes).await;
    }

    /// The small files, a look at them, then the weights; at last the revision leads there.
    async fn fetch(
        &self,
        facts: &mut LaneFacts,
        trip: &Trip,
        progress: &Progress,
    ) -> Result<Brought, HubError> {
        let (repository, user) = (trip.repository.clone(), user_of(facts, self.eyes, trip.index));
        blocking((), move |()| repository.make_cache(user)).await?;
        for stage in errands::in_stages(trip.errands.clone()) {
            self.hub.fetch(&trip.listing, &stage, progress).await?;
            if self.condemns(facts, trip).await {
                return Ok(Brought::InVain);
            }
        }
        let (repository, listing) = (trip.repository.clone(), trip.listing.clone());
        blocking((), move |()| repository.name_revision(&listing)).await?;
        Ok(Brought::All)
    }

    /// Whether the configuration of a model shows that its weights would be brought in vain: judged
    /// as it lies there, though nothing leads there yet.
    async fn condemns(&self, facts: &mut LaneFacts, trip: &Trip) -> bool {
        let cached = &facts.cached[trip.index].cached;
        let Some(place) = place(cached).filter(|_| cached.choice == Choice::Folder).cloned() else {
            return false;
        };
        if cached.part != Part::Model {
            return false;
        }
        let snapshot = trip.repository.snapshot(&trip.listing.commit);
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
async fn look_again(facts: &mut LaneFacts, eyes: &Eyes) {
    let old = std::mem::take(&mut facts.cached);
    let found = facts.artifacts.len().saturating_sub(facts.lane.artifacts.len());
    facts.artifacts.drain(..found);
    let eyes = eyes.clone();
    *facts = blocking(facts.clone(), move |mut facts| {
        look(&mut facts, &eyes);
        facts
    })
    .await;
    for (new, old) in facts.cached.iter_mut().zip(old) {
        new.probe = old.probe;
    }
}

fn trips(facts: &LaneFacts) -> Vec<Trip> {
    let wanted = facts.cached.iter().enumerate();
    wanted.filter_map(|(index, cached)| trip(facts, index, cached)).collect()
}

/// Absent: it is there, or it is the engine's to bring.
fn trip(facts: &LaneFacts, index: usize, cached: &CacheFacts) -> Option<Trip> {
    let (Some(cache), Some(Ok(listing))) = (&cached.fill, &cached.probe) else { return None };
    if cached.state == CacheState::Held || listing.files.iter().any(|file| file.path == PRESET) {
        return None;
    }
    let listing = needed(facts, &cached.cached, listing.clone());
    let repository = CachedRepository {
        cache: cache.as_path().to_path_buf(),
        name: cached.cached.folder_name(),
    };
    let errand = |file| repository.errand(file, &listing.commit);
    let mut errands: Vec<Errand> = listing.files.iter().map(errand).collect::<Option<_>>()?;
    errands.retain(|errand| {
        let found = fs_err::metadata(errand.found_at());
        !found.is_ok_and(|found| found.is_file() && found.len() == errand.file.size)
    });
    Some(Trip { index, repository, listing, errands })
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
fn user_of(facts: &LaneFacts, eyes: &Eyes, index: usize) -> Option<User> {
    User::parse(user_as_written(&facts.cached.get(index)?.cached, eyes)?)
}

/// As whom the service runs, where that is only known by name.
pub(super) fn named_user(cached: &Cached, eyes: &Eyes) -> Option<String> {
    let user = user_as_written(cached, eyes)?;
    User::parse(user).is_none().then(|| user.to_owned())
}

fn user_as_written<'a>(cached: &Cached, eyes: &'a Eyes) -> Option<&'a str> {
    let service = place(cached)?.service.as_deref()?;
    Some(&eyes.service(service)?.user.as_ref()?.value)
}

/// The folder of a cache as this process sees it.
pub(super) fn folder(place: &Located) -> Option<LocalPath> {
    match &place.sight {
        Sight::Visible { path, .. } => Some(path.clone()),
        Sight::NotMounted | Sight::Hidden(_) => None,
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

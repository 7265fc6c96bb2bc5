//! What the caches of the hub hold of the repositories that engines open by name.

mod beside;
pub(super) mod fill;
mod foretold;

use std::path::{Path, PathBuf};

use self::beside::Beside;
use crate::facts::model::huggingface::{Snapshot, snapshot};
use crate::facts::model::{self, Lack, ModelFacts, Needs, Role};
use crate::facts::survey::nearby::repository;
use crate::facts::survey::way::Views;
use crate::facts::{ArtifactFacts, CacheFacts, CacheState, LaneFacts, Through, Way};
use crate::file_name::hub_cache;
use crate::look::{FileKind, Look};
use crate::path::{HostPath, LocalPath, ServicePath};
use crate::plan::engine::{Invocation, Listed, Part, Reference};
use crate::plan::lanes::{Artifact, Cached, Choice, Traced};
use crate::project::mounts::{Located, Sight};
use crate::project::view::View;
use crate::project::view::local::LocalView;
use crate::source_map::Place;

/// How deep a repository's folders are listed.
const DEEPEST: usize = 3;

/// The most names of a repository that are looked at.
const MOST_NAMES: usize = 20_000;

/// Looks for every repository of a lane in its caches. What is there becomes an artifact, the model
/// before the others. Blocking.
pub(super) fn look(facts: &mut LaneFacts, views: &Views) {
    let mut found = Vec::new();
    let other_tokenizer = facts.lane.cached.iter().any(|cached| cached.part == Part::Tokenizer)
        || facts.lane.artifacts.iter().any(|artifact| artifact.part == Part::Tokenizer);
    let offline = facts.lane.invocation.as_ref().filter(|invocation| invocation.offline);
    for cached in &facts.lane.cached {
        let own_tokenizer = cached.part == Part::Tokenizer || !other_tokenizer;
        let search = Search { view: &LocalView, cached, own_tokenizer, offline };
        let (state, artifact) = search.state();
        found.extend(artifact.map(|artifact| ArtifactFacts {
            model: artifact.model,
            ..views.look(&artifact.artifact, None)
        }));
        let fill = fill::place(cached).and_then(fill::folder);
        let named_user = fill::named_user(cached, views);
        let has_nothing = match &state {
            CacheState::NotMounted => true,
            CacheState::Lacking(lacks) => lacks.is_empty(),
            CacheState::Held | CacheState::Unseen(_) => false,
        };
        let misplaced = if has_nothing { repository::look(views, cached) } else { None };
        let cached = cached.clone();
        let read_only_root = read_only_root(views, &cached);
        let ground = cached.places.iter().find_map(|place| views.ground(place));
        facts.cached.push(CacheFacts {
            cached,
            state,
            misplaced,
            fill,
            named_user,
            probe: None,
            foretold: None,
            ground,
            read_only_root,
        });
    }
    found.append(&mut facts.artifacts);
    facts.artifacts = found;
    for index in 0..facts.cached.len() {
        let foretold = foretold::listing(facts, index);
        facts.cached[index].foretold = foretold;
    }
    if facts.lane.services.is_empty() && facts.lane.in_cache() && !any_cache(&facts.lane.cached) {
        facts.lane.skipped = Some("no hub cache is mounted".to_owned());
    }
}

/// Where it is written that the service of a cache which no mount reaches may write nowhere but into
/// mounts. A controller may add such, a variable that nobody has seen may name another folder, and memory is
/// mounted into every container.
fn read_only_root(views: &Views, cached: &Cached) -> Option<Place> {
    if cached.places.iter().any(|place| place.sight != Sight::NotMounted) {
        return None;
    }
    let service = views.service(cached.places.first()?.service.as_deref()?)?;
    let is_open = service.pod.as_ref().is_some_and(|pod| pod.is_open);
    let folder = cached.places.first()?.service_path.as_ref()?;
    let has_mounts = service.mounts.iter().any(|mount| mount.target.below(folder).is_some());
    let is_known = !is_open && service.may_tell.is_none() && !has_mounts;
    let is_memory = folder.as_path().starts_with("/dev");
    service.read_only_root.clone().filter(|_| is_known && !is_memory)
}

/// Whether there is a cache at all in the places where one may be.
fn any_cache(cached: &[Cached]) -> bool {
    cached.iter().flat_map(|cached| &cached.places).any(|place| match &place.sight {
        Sight::Visible { path, .. } => LocalView.stat(path.as_path()).seen().is_some(),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => false,
    })
}

/// What one cache has of a repository.
enum Find {
    /// What the engine will open, below the cache's folder.
    Here(PathBuf, ModelFacts),
    /// Not all of it.
    Lacking(Vec<Lack>),
}

/// A repository that is looked for.
struct Search<'a> {
    view: &'a dyn View,
    cached: &'a Cached,
    /// Whether the tokenizer has to come with it.
    own_tokenizer: bool,
    /// The engine, if it may not ask the hub.
    offline: Option<&'a Invocation>,
}

impl Search<'_> {
    fn state(&self) -> (CacheState, Option<ArtifactFacts>) {
        let cached = self.cached;
        let mut state = CacheState::NotMounted;
        if cached.places.is_empty() {
            let what = "where the engine keeps its downloads is not known: its image may set that";
            state = CacheState::Unseen(what.to_owned());
        }
        for place in &cached.places {
            match &place.sight {
                Sight::Written | Sight::NotMounted | Sight::Covered => {}
                Sight::Hidden(why) => {
                    if !matches!(state, CacheState::Lacking(_)) {
                        state = CacheState::Unseen(why.clone());
                    }
                }
                Sight::Visible { path, .. } => match self.find(path.as_path()) {
                    Find::Here(below, model) => {
                        let artifact = artifact(cached, place, &below, model);
                        return (CacheState::Held, Some(artifact));
                    }
                    Find::Lacking(lacks) => {
                        if !matches!(&state, CacheState::Lacking(known) if !known.is_empty()) {
                            state = CacheState::Lacking(lacks);
                        }
                    }
                },
            }
        }
        (state, None)
    }

    fn find(&self, cache: &Path) -> Find {
        let Self { view, cached, .. } = *self;
        let folder = cache.join(cached.folder_name());
        let mut found = snapshot(view, &folder, cached.revision.as_deref());
        if found == Look::Absent
            && let Some(other) = self.by_another_reference(&folder)
        {
            found = Look::Seen(other);
        }
        match found {
            Look::Seen(snapshot) => match self.in_snapshot(cache, &snapshot.folder) {
                found @ Find::Lacking(_) => found,
                found @ Find::Here(..) => {
                    let lacks = self.lacks_offline(&folder, &snapshot);
                    if lacks.is_empty() { found } else { Find::Lacking(lacks) }
                }
            },
            Look::Absent => self.flat(cache).unwrap_or(Find::Lacking(Vec::new())),
            Look::Denied(why) => here(cache, &folder, ModelFacts::Denied(why)),
            Look::Unknown(why) => here(cache, &folder, ModelFacts::Unknown(why)),
        }
    }

    /// The snapshot that llama.cpp takes without `refs/main`.
    fn by_another_reference(&self, folder: &Path) -> Option<Snapshot> {
        let Self { view, cached, offline: Some(invocation), .. } = *self else { return None };
        let reference = invocation.engine.models().offline.reference;
        if reference != Reference::FirstLine || cached.revision.is_some() {
            return None;
        }
        let names = view.list(&hub_cache::references(folder));
        names.seen()?.iter().find_map(|name| {
            let found = snapshot(view, folder, Some(name)).seen().cloned()?;
            let leads = |text: &str| reference.commit(text) == found.commit;
            found.reference.as_deref().is_some_and(leads).then_some(found)
        })
    }

    /// What an engine misses that may not ask the hub, and another does not.
    fn lacks_offline(&self, folder: &Path, snapshot: &Snapshot) -> Vec<Lack> {
        let Self { view, cached, offline: Some(invocation), .. } = *self else { return Vec::new() };
        let offline = &invocation.engine.models().offline;
        let mut trims = offline.trims.iter().filter(|trims| trims.part == cached.part);
        let is_trimmed = trims.any(|trims| invocation.is_since(trims.since));
        let leads = |text: &str| is_trimmed || offline.reference.commit(text) == snapshot.commit;
        let astray = snapshot.reference.as_deref().is_some_and(|text| !leads(text));
        let revision = cached.revision.as_deref().unwrap_or("main");
        let file = hub_cache::reference(Path::new(&cached.folder_name()), revision);
        let commit = snapshot.commit.clone();
        let reference = file.filter(|_| astray).map(|file| Lack::Reference { file, commit });
        let is_asked =
            |listed: &&Listed| listed.part == cached.part && invocation.is_since(listed.since);
        let asked = offline.listed.iter().filter(is_asked);
        let listed = asked
            .flat_map(|listed| snapshot.lacks_of_listing(view, folder, listed.ending))
            .map(Lack::Listed);
        reference.into_iter().chain(listed).collect()
    }

    fn in_snapshot(&self, cache: &Path, snapshot: &Path) -> Find {
        let Self { view, cached, .. } = *self;
        let opened = match &cached.choice {
            Choice::Folder | Choice::WithoutWeights => snapshot.to_path_buf(),
            Choice::File(_) | Choice::Quantisation(_) => {
                let mut names = Vec::new();
                list(view, snapshot, "", DEEPEST, &mut names);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                match cached.choice.pick(&names) {
                    Some(name) => snapshot.join(name),
                    None => return Find::Lacking(Vec::new()),
                }
            }
        };
        self.judged(cache, &opened)
    }

    /// Builds of llama.cpp that do not know the hub's layout: `owner_name_file.gguf` in the cache itself.
    fn flat(&self, cache: &Path) -> Option<Find> {
        let Self { view, cached, .. } = *self;
        let prefix = format!("{}_", cached.repository.replace('/', "_"));
        let choice = match &cached.choice {
            Choice::Folder | Choice::WithoutWeights => return None,
            Choice::File(file) => Choice::File(file.replace('/', "_")),
            Choice::Quantisation(_) => cached.choice.clone(),
        };
        let names = view.list(cache);
        let names: Vec<&str> =
            names.seen()?.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
        let opened = cache.join(format!("{prefix}{}", choice.pick(&names)?));
        Some(self.judged(cache, &opened))
    }

    /// Where all but the weights is, if its engine looks for that in another cache.
    fn elsewhere(&self) -> Option<PathBuf> {
        let Self { view, cached, .. } = *self;
        cached.beside.iter().find_map(|place| {
            let folder = fill::folder(place)?.as_path().join(cached.folder_name());
            let snapshot = snapshot(view, &folder, cached.revision.as_deref());
            snapshot.seen().map(|snapshot| snapshot.folder.clone())
        })
    }

    /// What is there is judged; what is not there, its engine will bring.
    fn judged(&self, cache: &Path, opened: &Path) -> Find {
        let elsewhere = self.elsewhere();
        let beside = Beside { view: self.view, own: opened, elsewhere: elsewhere.as_deref() };
        let mut model = model::examine(&beside, opened);
        let without_weights = self.cached.choice == Choice::WithoutWeights;
        if let ModelFacts::Seen(model) = &mut model
            && without_weights
        {
            model.files.retain(|file| !is_of_weights(file.role));
        }
        match lacking(self.cached, self.own_tokenizer, &model) {
            Some(lacks) => Find::Lacking(lacks),
            None => here(cache, opened, model),
        }
    }
}

fn here(cache: &Path, opened: &Path, model: ModelFacts) -> Find {
    Find::Here(opened.strip_prefix(cache).unwrap_or(opened).to_path_buf(), model)
}

/// What is missing; absent: all that was found can be judged as it is.
fn lacking(cached: &Cached, own_tokenizer: bool, model: &ModelFacts) -> Option<Vec<Lack>> {
    let model = match model {
        ModelFacts::Absent => return Some(Vec::new()),
        ModelFacts::Denied(_) | ModelFacts::Unknown(_) => return None,
        ModelFacts::Seen(model) => model,
    };
    let without_weights = cached.choice == Choice::WithoutWeights;
    let tokenizer_alone = cached.part == Part::Tokenizer && !without_weights;
    let lacks = model.lacks(Needs {
        configuration: !tokenizer_alone,
        weights: !tokenizer_alone && !without_weights,
        tokenizer: own_tokenizer,
    });
    (!lacks.is_empty()).then_some(lacks)
}

fn is_of_weights(role: Role) -> bool {
    matches!(role, Role::Weights | Role::Shard | Role::Index)
}

/// The files below a folder of a repository, relative, sorted folder by folder.
fn list(view: &dyn View, folder: &Path, below: &str, depth: usize, names: &mut Vec<String>) {
    let Look::Seen(entries) = view.list(folder) else { return };
    for entry in entries {
        if MOST_NAMES <= names.len() {
            return;
        }
        let path = folder.join(&entry);
        let name = format!("{below}{entry}");
        let is_folder = view.stat(&path).seen().is_some_and(|it| it.kind == FileKind::Directory);
        match (is_folder, depth.checked_sub(1)) {
            (true, Some(depth)) => list(view, &path, &format!("{name}/"), depth, names),
            (true, None) => {}
            (false, _) => names.push(name),
        }
    }
}

/// What was found `below` a cache, as an artifact of the lane.
fn artifact(cached: &Cached, cache: &Located, below: &Path, model: ModelFacts) -> ArtifactFacts {
    let sight = match &cache.sight {
        Sight::Visible { path, root, mounted_at, .. } => Sight::Visible {
            path: LocalPath::new(path.as_path().join(below)),
            root: root.clone(),
            mounted_at: mounted_at.clone(),
            // Its engine writes there, and nobody else.
            read_only: true,
        },
        other @ (Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_)) => {
            other.clone()
        }
    };
    let located = Located {
        service: cache.service.clone(),
        service_path: cache.service_path.as_ref().map(|path: &ServicePath| path.join(below)),
        host_path: cache.host_path.as_ref().map(|path: &HostPath| path.join(below)),
        sight,
        mount: cache.mount.clone(),
    };
    let located = Traced { value: located, from: cached.from.clone(), place: cached.place.clone() };
    let artifact = Artifact { part: cached.part, located };
    ArtifactFacts {
        artifact,
        root: None,
        model,
        way: Way::default(),
        starter: None,
        through: Some(Through::Mounts),
    }
}

/// A snapshot as it lies in the cache that is filled, though no revision may lead there; absent: no
/// cache is. Blocking.
pub(super) fn at_commit(cached: &Cached, commit: &str) -> Option<ArtifactFacts> {
    let cache = fill::place(cached)?;
    let folder = fill::folder(cache)?;
    let below = hub_cache::snapshots(Path::new(&cached.folder_name())).join(commit);
    let model = model::examine(&LocalView, &folder.as_path().join(&below));
    Some(artifact(cached, cache, &below, model))
}

/// Looks at the caches anew; what the hub has said stays said. Blocking.
pub(super) fn look_again(facts: &mut LaneFacts, views: &Views) {
    facts.artifacts = facts.own_artifacts().to_vec();
    let old = std::mem::take(&mut facts.cached);
    look(facts, views);
    for (new, old) in facts.cached.iter_mut().zip(old) {
        new.probe = old.probe;
    }
}

#[cfg(test)]
pub(super) mod tests;

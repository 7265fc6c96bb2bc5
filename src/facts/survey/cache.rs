//! What the caches of the hub hold of the repositories that engines open by name, and what the hub
//! has of the rest.

mod beside;
pub(super) mod fill;

use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use self::beside::Beside;
use crate::facts::hub::{Hub, HubError, Listing};
use crate::facts::model::{self, Lack, ModelFacts, Needs, Role};
use crate::facts::survey::way::Views;
use crate::facts::{ArtifactFacts, CacheFacts, CacheState, LaneFacts, Through, Way};
use crate::file_name::split::SplitName;
use crate::file_name::weights::Weights;
use crate::look::{FileKind, Look};
use crate::options::HubOptions;
use crate::path::{HostPath, LocalPath, ServicePath};
use crate::plan::engine::Part;
use crate::plan::lanes::{Artifact, Cached, Choice, Traced};
use crate::project::mounts::{Located, Sight};
use crate::project::view::View;
use crate::project::view::local::LocalView;
use crate::source::Source;

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
    for cached in &facts.lane.cached {
        let own_tokenizer = cached.part == Part::Tokenizer || !other_tokenizer;
        let (state, artifact) = Search { view: &LocalView, cached, own_tokenizer }.state();
        found.extend(artifact.map(|artifact| ArtifactFacts {
            model: artifact.model,
            ..views.look(&artifact.artifact, None)
        }));
        let fill = fill::place(cached).and_then(fill::folder);
        let named_user = fill::named_user(cached, views);
        let cached = cached.clone();
        facts.cached.push(CacheFacts { cached, state, fill, named_user, probe: None });
    }
    found.append(&mut facts.artifacts);
    facts.artifacts = found;
    if facts.lane.services.is_empty() && facts.lane.in_cache() && !any_cache(&facts.lane.cached) {
        facts.lane.skipped = Some("no hub cache is mounted".to_owned());
    }
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
}

impl Search<'_> {
    fn state(&self) -> (CacheState, Option<ArtifactFacts>) {
        let cached = self.cached;
        let mut state = CacheState::NotMounted;
        if cached.places.is_empty() {
            state =
                CacheState::Unseen("where the engine keeps its downloads is not known".to_owned());
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
        match model::huggingface::snapshot(view, &folder, cached.revision.as_deref()) {
            Look::Seen(snapshot) => self.in_snapshot(cache, &snapshot),
            Look::Absent => self.flat(cache).unwrap_or(Find::Lacking(Vec::new())),
            Look::Denied(why) => here(cache, &folder, ModelFacts::Denied(why)),
            Look::Unknown(why) => here(cache, &folder, ModelFacts::Unknown(why)),
        }
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
            let snapshot = model::huggingface::snapshot(view, &folder, cached.revision.as_deref());
            snapshot.seen().cloned()
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
        Sight::Visible { path, root, .. } => Sight::Visible {
            path: LocalPath::new(path.as_path().join(below)),
            root: root.clone(),
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

/// What was found at `path` below a cache.
fn judged_at(cached: &Cached, cache: &Located, path: &Path) -> ArtifactFacts {
    let root = fill::folder(cache);
    let below = root.as_ref().and_then(|root| path.strip_prefix(root.as_path()).ok());
    artifact(cached, cache, below.unwrap_or(path), model::examine(&LocalView, path))
}

/// Asks the hub for everything that the lanes' engines will have to bring themselves: once for each
/// source.
pub(super) async fn ask(lanes: impl Iterator<Item = &mut LaneFacts>, options: &HubOptions) {
    let wanting: Vec<&mut LaneFacts> = lanes.filter(|facts| wants(facts)).collect();
    if wanting.is_empty() {
        return;
    }
    let mut sources: Vec<Source> = Vec::new();
    for source in wanting.iter().flat_map(|facts| &facts.cached).filter_map(asked_for) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    let hub = Hub::connect(options);
    let answers = sources.into_iter().map(|source| async {
        let answer = match &hub {
            Ok(hub) => hub.probe(&source, &[], &[]).await,
            Err(error) => Err(error.clone()),
        };
        (source, answer)
    });
    let answers = join_all(answers).await;
    for facts in wanting {
        note(facts, &answers);
    }
}

/// What the hub is asked for; absent: nothing.
fn asked_for(cached: &CacheFacts) -> Option<Source> {
    if cached.state == CacheState::Held { None } else { cached.cached.source() }
}

fn wants(facts: &LaneFacts) -> bool {
    let by_engine = !facts.engine_is_offline() && !facts.lane.services.is_empty();
    let is_wanted = |cached: &CacheFacts| {
        cached.state != CacheState::Held && (by_engine || cached.fill.is_some())
    };
    facts.orders.may_fetch && facts.lane.skipped.is_none() && facts.cached.iter().any(is_wanted)
}

/// Keeps of the hub's answers what is about a lane.
fn note(facts: &mut LaneFacts, answers: &[(Source, Result<Listing, HubError>)]) {
    let mut of_model = None;
    for cached in &mut facts.cached {
        let source = asked_for(cached);
        let answer = answers.iter().find(|(asked, _)| Some(asked) == source.as_ref());
        let Some((_, answer)) = answer else { continue };
        let listing = answer.clone().and_then(|listing| opened(&cached.cached, listing));
        if cached.cached.part == Part::Model {
            of_model.get_or_insert_with(|| listing.clone());
        }
        cached.probe = Some(listing);
    }
    facts.source.probe = of_model;
}

/// Of what the source of a lane holds, what its engine opens in its cache.
pub(super) fn of_lane(facts: &LaneFacts, listing: Listing) -> Result<Listing, HubError> {
    match facts.lane.cached.iter().find(|cached| cached.part == Part::Model) {
        Some(cached) => opened(cached, listing),
        None => Ok(listing),
    }
}

/// The listing, if it has the file that llama.cpp will choose; that alone then, or its split set.
fn opened(cached: &Cached, mut listing: Listing) -> Result<Listing, HubError> {
    let Choice::Quantisation(wanted) = &cached.choice else { return Ok(listing) };
    let names: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let Some(chosen) = cached.choice.pick(&names).map(str::to_owned) else {
        let ggufs = names.iter().filter(|name| Weights::Gguf.are_in(name));
        let similar = ggufs.take(5).map(|name| (*name).to_owned()).collect();
        let path = format!("*{}*.gguf", wanted.as_deref().unwrap_or(""));
        return Err(HubError::FileNotFound {
            repository: cached.repository.clone(),
            path,
            similar,
        });
    };
    let set = SplitName::of_gguf(&chosen);
    let projector = projector(&names, &chosen).filter(|_| cached.projector).map(str::to_owned);
    listing.files.retain(|file| {
        file.path == chosen
            || set.is_some_and(|set| set.has_part(&file.path))
            || Some(&file.path) == projector.as_ref()
    });
    // What is named in messages comes first.
    listing.files.sort_by_key(|file| Some(&file.path) == projector.as_ref());
    Ok(listing)
}

/// The projector of images that llama.cpp brings along with `model`: of those in its folder or above,
/// the deepest (common/download.cpp `find_best_sibling`).
fn projector<'a>(names: &[&'a str], model: &str) -> Option<&'a str> {
    let folder =
        |path: &str| path.rsplit_once('/').map_or(String::new(), |(it, _)| format!("{it}/"));
    let own = folder(model);
    let candidates = names.iter().copied().filter(|name| {
        Weights::Gguf.are_in(name) && name.contains("mmproj") && own.starts_with(&folder(name))
    });
    candidates.reduce(|best, name| if folder(best) < folder(name) { name } else { best })
}

#[cfg(test)]
mod tests;

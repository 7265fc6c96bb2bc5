//! What engines open in a cache of the hub, because they name a repository instead of a path.

use std::path::Path;

use super::{Origin, Traced};
use crate::file_name::hub_cache;
use crate::file_name::split::SplitName;
use crate::file_name::weights::{Weights, names_gguf};
use crate::path::expansion::Known;
use crate::path::{HostPath, ServicePath};
use crate::plan::engine::cache_variables::{self, BELOW_HOME};
use crate::plan::engine::{self, HubCache, Invocation, Layout, Named, Opens, Part};
use crate::project::mounts::{Located, Sight, Standpoint, locate, locate_on_host};
use crate::project::{Project, Service};
use crate::source::Source;
use crate::source_map::Place;

/// A repository of the hub that is opened by its name.
#[derive(Debug, Clone)]
pub struct Cached {
    /// What it is for.
    pub part: Part,
    /// `owner/name`, or a bare `name`.
    pub repository: String,
    /// Branch, tag or commit; absent: `main`.
    pub revision: Option<String>,
    /// Which of its files.
    pub choice: Choice,
    /// Whether its engine takes along the projector of images that lies beside a GGUF file.
    pub projector: bool,
    /// The caches that may hold it, the likeliest first: the folders that have the
    /// `models--owner--name` folders in them. Empty: it is not known where the engine keeps it.
    pub places: Vec<Located>,
    /// So many of the places, from the first, are caches in the hub's own layout, and what is put
    /// there the engine finds.
    pub fillable: usize,
    /// The caches in which its engine looks for all of it but the weights, where those are kept
    /// apart from the rest (`--download-dir`); what is there need not lie beside the weights.
    pub beside: Vec<Located>,
    /// The flag or variable that names it.
    pub from: Origin,
    /// The word that names it.
    pub place: Place,
}

/// Which files of a repository an engine opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// All that belong to the model.
    Folder,
    /// The same without the weights: they lie elsewhere, or are made up.
    WithoutWeights,
    /// This one.
    File(String),
    /// The GGUF file of this quantisation; absent: llama.cpp's own choice.
    Quantisation(Option<String>),
}

/// The repository `id` as a source; absent for a bare name, which has no owner.
pub(super) fn source(id: &str, revision: Option<&str>, file: Option<&str>) -> Option<Source> {
    let (owner, repo) = id
        .split_once('/')
        .filter(|(owner, repo)| !owner.is_empty() && !repo.is_empty() && !repo.contains('/'))?;
    Some(Source {
        owner: owner.to_owned(),
        repo: repo.to_owned(),
        revision: revision.map(str::to_owned),
        path: file.filter(|file| names_gguf(file)).map(str::to_owned),
    })
}

/// The repositories that an invocation opens; the model's only if no path of it is known.
///
/// `--download-dir` is a cache of the hub for the weights of models and drafts alone; configuration
/// and tokenizer are kept in the ordinary one (vLLM `model_executor/model_loader/weight_utils.py`:
/// `download_weights_from_hf` and, for `*.json` again, `get_quant_config` take it for their
/// `cache_dir`; `HFConfigParser` in `transformers_utils/config.py` does not). Where it may not ask the
/// hub, some releases look for the weights of models in the ordinary one as well.
pub(super) fn of_engine(
    service: &Service,
    invocation: &Invocation,
    model_too: bool,
    locate: impl Fn(&ServicePath) -> Located,
) -> Vec<Cached> {
    let own: Vec<Located> = folders(service, invocation).iter().map(&locate).collect();
    let apart = invocation.download_dir.as_ref().map(|folder| locate(&folder.value));
    let since = invocation.engine.models().offline.one_cache_since;
    let in_one_cache = invocation.offline && since.is_some_and(|since| invocation.is_since(since));
    let repository = |opens: &Opens| {
        let Named::Repository { id, revision, file } = &opens.named else { return None };
        let choice = choice(invocation, opens.part, file.as_deref());
        let is_apart = opens.part == Part::Draft || (opens.part == Part::Model && !in_one_cache);
        let apart = apart.clone().filter(|_| is_apart && choice != Choice::WithoutWeights);
        let is_apart = apart.is_some();
        Some(Cached {
            part: opens.part,
            repository: id.clone(),
            revision: revision.clone(),
            choice,
            projector: opens.part == Part::Model && !invocation.without_projector,
            places: apart.map_or_else(|| own.clone(), |apart| vec![apart]),
            fillable: usize::from(is_apart || is_filled(invocation)),
            beside: if is_apart { own.clone() } else { Vec::new() },
            from: Origin::Engine(opens.by.clone()),
            place: opens.place.clone(),
        })
    };
    let wanted = invocation.opens.iter().filter(|opens| model_too || opens.part != Part::Model);
    let mut opened: Vec<Cached> = wanted.filter_map(repository).collect();
    if invocation.opens.iter().all(|opens| opens.part != Part::Tokenizer) {
        let without_weights = opened.iter().find_map(Cached::without_weights);
        opened.extend(without_weights);
    }
    opened
}

fn choice(invocation: &Invocation, part: Part, file: Option<&str>) -> Choice {
    let is_model = matches!(part, Part::Model | Part::Draft);
    let is_gguf_file = invocation.engine.models().layout == Layout::GgufFile && is_model;
    if is_model && invocation.makes_up_weights() {
        return Choice::WithoutWeights;
    }
    match file {
        Some(file) if names_gguf(file) => Choice::File(file.to_owned()),
        Some(quantisation) => Choice::Quantisation(Some(quantisation.to_owned())),
        None if is_gguf_file => Choice::Quantisation(None),
        None => Choice::Folder,
    }
}

/// Whether an engine finds in the first of its [`folders`] what somebody else has put there in the
/// hub's layout. llama.cpp has known that layout since the spring of 2026; before, it noted beside
/// every file what the server had said about it, and fetched again what had no such note.
fn is_filled(invocation: &Invocation) -> bool {
    let own = invocation.engine.models().own_cache.as_ref();
    let is_old = own.zip(invocation.build()).is_some_and(|(own, build)| build < own.until_build);
    invocation.hub_cache.is_some() && !is_old
}

/// The folders in which an engine may keep what it takes from the hub.
fn folders(service: &Service, invocation: &Invocation) -> Vec<ServicePath> {
    let Some(HubCache { path, by, .. }) = &invocation.hub_cache else { return Vec::new() };
    let mut folders = vec![path.clone()];
    let own = invocation.engine.models().own_cache.as_ref();
    if let Some(own) = own.filter(|own| by.as_deref() != Some(own.variable)) {
        let said = |name: &str| service.variable(name).filter(|home| !home.is_empty());
        let home = said("XDG_CACHE_HOME").map(Path::new).map(Path::to_path_buf);
        let home = home.or_else(|| Some(Path::new(said("HOME")?).join(".cache")));
        let home = home.unwrap_or_else(|| Path::new("/root/.cache").to_path_buf());
        folders.push(ServicePath::new(home.join(own.folder)));
    }
    folders.dedup();
    folders
}

/// A repository that no engine is known to open, in the caches of the services that are named;
/// without any, in those that are mounted into some service and, on the host, in the user's own.
/// Absent: there is none, or it cannot be seen.
pub(super) fn of_project(
    project: &Project,
    standpoint: &Standpoint,
    source: &Traced<Source>,
    services: &[String],
) -> Option<Cached> {
    let mut places: Vec<Located> = project
        .services
        .iter()
        .filter(|service| services.is_empty() || services.contains(&service.name.value))
        .filter_map(|service| {
            let folder = engine::hub_cache(service)?;
            let located = locate(project, service, standpoint, &folder);
            let seen = matches!(located.sight, Sight::Visible { .. });
            (seen || !services.is_empty()).then_some(located)
        })
        .collect();
    if services.is_empty() && *standpoint == Standpoint::Host {
        let own = cache_of_user(|name| Some(project.variables.get(name)?.value.as_str()));
        places.extend(own.map(|folder| locate_on_host(project, standpoint, &folder, &folder)));
    }
    let mut seen = Vec::new();
    places.retain(|place| {
        let new = !seen.contains(&place.sight);
        seen.push(place.sight.clone());
        new
    });
    let fillable = places.len();
    (!places.is_empty()).then(|| Cached {
        part: Part::Model,
        repository: source.value.repository(),
        revision: source.value.revision.clone(),
        choice: Choice::Folder,
        projector: false,
        places,
        fillable,
        beside: Vec::new(),
        from: source.from.clone(),
        place: source.place.clone(),
    })
}

/// The cache of the user whose variables these are; absent as well where it is relative to whatever
/// folder the user works in.
fn cache_of_user<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<HostPath> {
    let known = |name: &str| value(name).map_or(Known::Unset, |it| Known::Value(it.to_owned()));
    let folder = match cache_variables::PYTHON.said(known, known) {
        Some(said) => said.folder.ok()?,
        None => Path::new(value("HOME")?).join(BELOW_HOME),
    };
    folder.is_absolute().then(|| HostPath::new(folder))
}

impl Cached {
    /// The repository as a source; absent for a bare name, which has no owner.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        let file = match &self.choice {
            Choice::File(file) => Some(file.as_str()),
            Choice::Folder | Choice::WithoutWeights | Choice::Quantisation(_) => None,
        };
        source(&self.repository, self.revision.as_deref(), file)
    }

    /// What is taken from [`Cached::beside`] of a model whose weights lie apart; absent: nothing is.
    fn without_weights(&self) -> Option<Self> {
        let apart = self.part == Part::Model && !self.beside.is_empty();
        apart.then(|| Self {
            part: Part::Tokenizer,
            choice: Choice::WithoutWeights,
            places: self.beside.clone(),
            fillable: 1,
            beside: Vec::new(),
            ..self.clone()
        })
    }

    /// The file or the quantisation that is opened, if one is named.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match &self.choice {
            Choice::Folder | Choice::WithoutWeights | Choice::Quantisation(None) => None,
            Choice::File(file) | Choice::Quantisation(Some(file)) => Some(file),
        }
    }

    /// Repository, revision and file, as engines write it: `owner/name@revision:Q4_K_M`.
    #[must_use]
    pub fn named(&self) -> String {
        let file = self.file().map(str::to_owned);
        let (id, revision) = (self.repository.clone(), self.revision.clone());
        Named::Repository { id, revision, file }.to_string()
    }

    /// The name of its folder in a cache.
    #[must_use]
    pub fn folder_name(&self) -> String {
        hub_cache::folder_name(&self.repository)
    }

    /// Its folder in the first of its caches, as its service calls that.
    #[must_use]
    pub fn folder_in_service(&self) -> Option<ServicePath> {
        Some(self.places.first()?.service_path.as_ref()?.join(self.folder_name()))
    }

    /// Where its engine keeps it first of all, as that sees it, else as the host does.
    #[must_use]
    pub fn home(&self) -> Option<String> {
        let first = self.places.first()?;
        let inside = first.service_path.as_ref().map(ToString::to_string);
        inside.or_else(|| first.host_path.as_ref().map(ToString::to_string))
    }
}

impl Choice {
    /// The file among `names` that llama.cpp opens, or the first of its split set: the quantisation
    /// is compared without regard to case and has to end at `-` or `.`; without one, Q4_K_M, then
    /// Q8_0, then the first model (common/download.cpp `find_best_model`). Absent: none of them,
    /// and always for a whole folder.
    #[must_use]
    pub fn pick<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        match self {
            Self::Folder | Self::WithoutWeights => None,
            Self::File(file) => names.iter().copied().find(|name| name == file),
            Self::Quantisation(wanted) => {
                let model = |name: &&&str| is_model(name);
                let tagged = |tag: &str| names.iter().filter(model).find(|name| has_tag(name, tag));
                match wanted {
                    Some(tag) => tagged(tag).copied(),
                    None => tagged("Q4_K_M")
                        .or_else(|| tagged("Q8_0"))
                        .or_else(|| names.iter().find(model))
                        .copied(),
                }
            }
        }
    }
}

/// Whether a file is a model, and not a companion of one or a later part of a split set
/// (common/download.cpp `gguf_filename_is_model`).
fn is_model(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let companion = ["mmproj", "imatrix", "mtp-"].iter().any(|mark| name.contains(mark));
    let later = SplitName::parse(name).is_some_and(|part| !part.is_first());
    Weights::Gguf.are_in(name) && !companion && !later
}

fn has_tag(path: &str, tag: &str) -> bool {
    let (path, tag) = (path.to_ascii_lowercase(), tag.to_ascii_lowercase());
    path.match_indices(&tag)
        .any(|(at, _)| matches!(path.as_bytes().get(at + tag.len()), Some(b'-' | b'.')))
}

#[cfg(test)]
mod tests;

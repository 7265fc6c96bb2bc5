//! A folder in the layout of the hub, as vLLM and transformers open it: configuration, tokenizer,
//! weights, and whether an index and its shards agree.

mod adapter;
mod checkpoint;
mod code;
pub mod config;
mod documents;
pub mod fit;
pub mod index;
mod packed;
mod snapshot;
mod spelling;
mod surplus;
mod templates;
mod tensors;
mod tokenizer;
mod weights;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub use self::adapter::{Adapter, Said};
pub use self::config::{Config, Pieces};
pub use self::documents::{Documents, ListedTokens, TokenizerSettings, is_added_token};
pub use self::fit::Fit;
pub use self::index::{Astray, Index};
pub use self::snapshot::{Snapshot, snapshot};
pub use self::templates::Template;
pub(super) use self::templates::template;
use self::tensors::Tensors;
pub use self::tokenizer::PROCESSOR;
use super::file::{self, Content, Defect, ModelFile, Role};
use super::json::{self, PythonDocument};
use super::lookalike::Lookalike;
use super::safetensors::Dtype;
use super::sentence_transformers::{self, Dense, Sidecar};
use super::{Model, ModelFacts, Shape};
use crate::file_name::hub_cache::{self, DOWNLOADS};
pub use crate::file_name::weights::Weights;
use crate::limits::{LONGEST_HEADER_STRING, LONGEST_MODEL_CONFIGURATION, LONGEST_PATH};
use crate::look::{FileKind, Look};
use crate::plan::engine::Part;
use crate::plan::engine::memory::Checkpoint;
use crate::project::view::View;

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// What kind of model it is.
    pub kind: FolderKind,
    /// How many names are in it; absent where it cannot be listed, and only fixed names were
    /// looked for.
    pub names: Option<usize>,
    /// What the configuration says, if it could be read.
    pub config: Option<Config>,
    /// What the adapter says that it is, if it is one.
    pub adapter: Option<Adapter>,
    /// What the index says, if there is one and it could be read.
    pub index: Option<Index>,
    /// How the weights are stored; absent: there are none.
    pub weights: Option<Weights>,
    /// Whether there is a tokenizer; unknown where the folder cannot be listed.
    pub tokenizer: Presence,
    /// Whether images or sound can be prepared (`preprocessor_config.json`, or what is inside of
    /// `processor_config.json`).
    pub processor: Presence,
    /// Bytes of tensor data by type, over all shards.
    pub dtypes: BTreeMap<Dtype, u64>,
    /// Everything directly in it that is called like weights (`.safetensors`, `.bin`, `.pt`, `.pth`),
    /// by name.
    pub stored: Vec<String>,
    /// GGUF files that lie in it, by name.
    pub ggufs: Vec<String>,
    /// Whether there is a template that turns a conversation into a prompt.
    pub chat_template: Presence,
    /// The templates that are taken, those of a file of its own before those of the configuration.
    pub templates: Vec<Template>,
    /// The small documents beside the weights.
    pub documents: Documents,
    /// The code that `auto_map` names.
    pub code: Vec<RemoteCode>,
    /// Weights that no engine loads, because it takes others in the same folder.
    pub surplus: Vec<Surplus>,
    /// The ONNX graph that TEI loads where it lies beside other weights or alone, below the folder;
    /// absent: there is none.
    pub graph: Option<&'static str>,
    /// What the model says of how it is pooled (`1_Pooling/config.json`); absent: not a model.
    pub pooling: Option<Sidecar>,
    /// What sentence-transformers says of it, its prompts above all
    /// (`config_sentence_transformers.json`); absent: not a model.
    pub sentences: Option<Sidecar>,
    /// The steps of a pipeline that change the width of a vector, as far as they are read.
    pub dense: Vec<Dense>,
    /// Whether there is a file of its own that says how the weights are quantised: what vLLM's methods
    /// look for (0.12.0 and 0.33.0 layers/quantization, `get_config_filenames`). True as well where the
    /// folder cannot be listed.
    pub quantization_file: bool,
    /// Whether there is a `params.json`, the configuration of Mistral's own layout.
    pub params: bool,
    /// Whether there are weights named as in Mistral's own layout (`consolidated*.safetensors`).
    pub consolidated: bool,
    /// The first such file in a folder below.
    pub consolidated_below: Option<String>,
    /// What the tensors say to the configuration; absent where not all of them are known, or it names
    /// no class.
    pub fit: Option<Fit>,
    /// What tells how much memory it takes; absent where it has no configuration of a model.
    pub checkpoint: Option<Box<Checkpoint>>,
    /// The path is a repository's folder of the hub's cache; below it, this is what was judged.
    pub snapshot: Option<PathBuf>,
}

/// The configuration of an adapter.
const ADAPTER: &str = "adapter_config.json";

/// What the names of such files end with.
const QUANTIZATION_FILES: [&str; 3] =
    ["quant_config.json", "quantize_config.json", "quantization_config.json"];

/// Weights that no engine loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surplus {
    /// Below the folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// A file of code that comes with a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCode {
    /// Its name.
    pub file: String,
    /// The document that names it.
    pub named_by: &'static str,
    /// Whether the class of the model is in it, which an engine may have itself.
    pub of_model: bool,
    /// Whether it is named for what prepares images or sound, which an engine may do by itself.
    pub of_processor: bool,
    /// The repository that it is in; absent: the model's own folder.
    pub repository: Option<String>,
    /// Whether it is there. Unknown for another repository, unless the folder is in a cache of the
    /// hub where that would be too.
    pub here: Presence,
}

/// What kind of model a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FolderKind {
    /// A model of its own.
    #[default]
    Model,
    /// An adapter to one (`adapter_config.json`).
    Adapter,
    /// A sentence-transformers pipeline (`modules.json`).
    SentenceTransformers,
    /// A model in Mistral's own layout (`params.json`).
    Mistral,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// Yes.
    Here,
    /// No.
    Missing,
    /// It cannot be told.
    Unknown,
    /// It does not matter.
    #[default]
    NotNeeded,
}

/// A folder under examination.
pub(super) struct Examination<'a> {
    pub(super) view: &'a dyn View,
    pub(super) path: &'a Path,
    /// Its names, where it can be listed.
    pub(super) names: Option<Vec<String>>,
    pub(super) files: Vec<ModelFile>,
    pub(super) folder: Folder,
    /// The configuration as it is written.
    document: Option<Map<String, Value>>,
    /// The tensors of its safetensors files.
    tensors: Tensors,
}

/// Looks at the folder at `path`; of a repository's folder in the hub's cache, at the revision that
/// `main` names.
pub(super) fn examine(view: &dyn View, path: &Path, part: Part) -> ModelFacts {
    let Some(below) = snapshot_below(view, path) else { return examine_folder(view, path, part) };
    let mut facts = examine_folder(view, &path.join(&below), part);
    if let ModelFacts::Seen(model) = &mut facts {
        for file in &mut model.files {
            file.name = below.join(&file.name);
        }
        if let Shape::Folder(folder) = &mut model.shape {
            folder.snapshot = Some(below);
        }
    }
    facts
}

/// Where the snapshot of `main` lies in a repository's folder; absent: `path` is none.
fn snapshot_below(view: &dyn View, path: &Path) -> Option<PathBuf> {
    if !hub_cache::is_repository(path) {
        return None;
    }
    let snapshots = hub_cache::snapshots(path);
    let only = || match view.list(&snapshots) {
        Look::Seen(names) => <[String; 1]>::try_from(names).ok().map(|[name]| name),
        Look::Absent | Look::Denied(_) | Look::Unknown(_) => None,
    };
    match snapshot(view, path, None) {
        Look::Seen(found) => Some(found.folder),
        Look::Absent => only().map(|name| snapshots.join(name)),
        Look::Denied(_) | Look::Unknown(_) => None,
    }
    .and_then(|folder| folder.strip_prefix(path).ok().map(Path::to_path_buf))
}

fn examine_folder(view: &dyn View, path: &Path, part: Part) -> ModelFacts {
    let pipeline = sentence_transformers::examine(view, path);
    let below = pipeline.as_ref().map_or("", |pipeline| &pipeline.transformer);
    let root = if below.is_empty() { path.to_path_buf() } else { path.join(below) };
    let names = match view.list(&root) {
        Look::Seen(names) => Some(names),
        Look::Absent if below.is_empty() => return ModelFacts::Absent,
        Look::Absent => Some(Vec::new()),
        Look::Denied(why) => return ModelFacts::Denied(why),
        Look::Unknown(_) => None,
    };
    let folder = Folder { names: names.as_ref().map(Vec::len), ..Folder::default() };
    let mut examination = Examination {
        view,
        path: &root,
        names,
        files: Vec::new(),
        folder,
        document: None,
        tensors: Tensors::default(),
    };
    examination.config(part);
    if pipeline.is_some() {
        examination.folder.kind = FolderKind::SentenceTransformers;
    }
    weights::examine(&mut examination);
    examination.folder.fit = fit::examine(&examination);
    examination.folder.checkpoint = checkpoint::of(&examination).map(Box::new);
    examination.folder.graph = weights::graph(&examination);
    let sidecar = |name| Some(sentence_transformers::sidecar(view, path, name));
    examination.folder.pooling = sidecar("1_Pooling/config.json");
    examination.folder.sentences = sidecar("config_sentence_transformers.json");
    tokenizer::examine(&mut examination);
    documents::examine(&mut examination);
    code::examine(&mut examination);
    surplus::examine(&mut examination);
    let leftovers = examination.leftovers();
    let Examination { mut files, mut folder, names, .. } = examination;
    for file in files.iter_mut().filter(|file| file.content.is_absent()) {
        let name = file.name.to_string_lossy().into_owned();
        let similar = names.iter().flatten().find(|other| file::is_similar(&name, other));
        file.similar = similar.cloned();
    }
    for file in files.iter_mut().filter(|_| !below.is_empty()) {
        file.name = Path::new(below).join(&file.name);
    }
    let says_quantization =
        |name: &String| QUANTIZATION_FILES.iter().any(|end| name.ends_with(end));
    folder.quantization_file =
        names.as_ref().is_none_or(|names| names.iter().any(says_quantization));
    let is_stored = |name: &&String| weights::is_called_so(name);
    folder.stored = names.iter().flatten().filter(is_stored).cloned().collect();
    folder.ggufs =
        names.unwrap_or_default().into_iter().filter(|name| Weights::Gguf.are_in(name)).collect();
    if let Some(pipeline) = pipeline {
        folder.dense = pipeline.dense;
        files.extend(pipeline.files);
    }
    ModelFacts::Seen(Box::new(Model { shape: Shape::Folder(Box::new(folder)), files, leftovers }))
}

impl Examination<'_> {
    /// Whether a name leads to a file, links followed.
    pub(super) fn has(&self, name: &str) -> bool {
        if self.names.as_ref().is_some_and(|names| !name.contains('/') && !contains(names, name)) {
            return false;
        }
        match self.view.stat(&self.path.join(name)) {
            Look::Seen(stat) => stat.kind != FileKind::Directory,
            // It may be there: looking at it as a file says why it cannot be seen.
            Look::Denied(_) => true,
            Look::Absent | Look::Unknown(_) => false,
        }
    }

    /// Names in the folder with that ending, unfinished downloads left out.
    pub(super) fn ending(&self, ending: &str) -> Vec<String> {
        let names = self.names.iter().flatten();
        names.filter(|name| name.ends_with(ending)).cloned().collect()
    }

    /// The configuration comes first; an adapter has another than a model. Where both are there, it
    /// matters what the folder is opened for.
    fn config(&mut self, part: Part) {
        let others = [(ADAPTER, FolderKind::Adapter), ("params.json", FolderKind::Mistral)];
        let other = others.into_iter().find(|(name, _)| self.has(name));
        let is_for_adapter = |kind| part == Part::Lora && kind == FolderKind::Adapter;
        let name = match other {
            Some((name, kind)) if is_for_adapter(kind) || !self.has("config.json") => {
                self.folder.kind = kind;
                name
            }
            None if part == Part::Lora && !self.has("config.json") => {
                self.folder.kind = FolderKind::Adapter;
                ADAPTER
            }
            Some(_) | None => "config.json",
        };
        let (file, document) = document(self.view, &self.path.join(name), name, Role::Config);
        self.folder.config = document.as_ref().map(Config::of);
        let is_adapter = self.folder.kind == FolderKind::Adapter;
        if is_adapter {
            self.folder.adapter = document.map(Adapter::of);
        } else {
            self.document = document;
        }
        // ModelOpt says it in a file of its own.
        const MODELOPT: &str = "hf_quant_config.json";
        if let Some(config) = &mut self.folder.config
            && config.quantization.is_none()
            && contains(self.names.as_deref().unwrap_or_default(), MODELOPT)
        {
            config.quantization = Some("modelopt".to_owned());
        }
        self.files.push(file);
    }

    fn leftovers(&self) -> Vec<String> {
        let below = match self.view.list(&self.path.join(DOWNLOADS)) {
            Look::Seen(names) if self.names.is_some() => names,
            Look::Seen(_) | Look::Absent | Look::Denied(_) | Look::Unknown(_) => Vec::new(),
        };
        let below = below.into_iter().map(|name| format!("{DOWNLOADS}/{name}"));
        let blobs = self.blobs().into_iter().map(|name| format!("../../blobs/{name}"));
        let here = self.names.iter().flatten().cloned();
        here.chain(below).chain(blobs).filter(|name| file::is_unfinished(name)).collect()
    }
}

impl Examination<'_> {
    /// The names of the blobs beside a snapshot of the hub's cache.
    fn blobs(&self) -> Vec<String> {
        let Some(repository) = hub_cache::repository_of(self.path) else { return Vec::new() };
        self.view.list(&hub_cache::blobs(repository)).seen().cloned().unwrap_or_default()
    }
}

fn contains(sorted: &[String], name: &str) -> bool {
    sorted.binary_search_by(|found| found.as_str().cmp(name)).is_ok()
}

/// A small JSON document and what is in it, if it is an object.
pub(super) fn document(
    view: &dyn View,
    path: &Path,
    name: &str,
    role: Role,
) -> (ModelFile, Option<Map<String, Value>>) {
    let mut document = None;
    let file = parsed(view, path, name, role, LONGEST_MODEL_CONFIGURATION, |object| {
        document = Some(object);
    });
    (file, document)
}

/// A JSON document of a certain type, as Python reads it.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(
    view: &dyn View,
    path: &Path,
    name: &str,
    role: Role,
    longest: u64,
    keep: impl FnOnce(T),
) -> ModelFile {
    let mut python_number = None;
    let file = file::with(view, path, role, name, |reader, stat| {
        let found = match file::head(reader) {
            Ok(head) => super::lookalike::recognise(&head),
            Err(error) => return Content::Unknown(error.to_string()),
        };
        let broken = |why: String| Content::Broken(Defect::Document(why));
        if found != Lookalike::Json {
            return file::lookalike(found);
        }
        // An index is nothing but names; templates stand in what is not that long.
        let is_index = role == Role::Index;
        let longest_string = if is_index { LONGEST_PATH } else { LONGEST_HEADER_STRING };
        if stat.size > longest {
            let size = stat.size;
            let why = format!("it has {size} bytes, and at most {longest} are read");
            return Content::Unknown(why);
        }
        match json::parse_as_python(reader, stat.size, longest_string) {
            Ok(PythonDocument { value, number }) => {
                python_number = number;
                keep(value);
                Content::Document
            }
            Err(error) => broken(error.to_string()),
        }
    });
    ModelFile { python_number, ..file }
}

impl Folder {
    /// Whether everything beside the files themselves is as an engine needs it.
    #[must_use]
    pub(super) fn complete(&self) -> bool {
        let agrees = self.index.as_ref().is_none_or(|index| index.torn.is_none());
        let speaks = matches!(self.tokenizer, Presence::Here | Presence::NotNeeded);
        agrees && speaks && self.weights.is_some()
    }

    fn multimodal(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.multimodal)
    }

    /// Whether GGUF files are all that there is: a folder of models rather than a model.
    #[must_use]
    pub fn holds_only_ggufs(&self) -> bool {
        !self.ggufs.is_empty() && self.weights.is_none() && self.config.is_none()
    }

    pub(super) fn summary(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(config) = &self.config {
            words.extend(config.architectures.first().or(config.model_type.as_ref()).cloned());
            words.extend(config.quantization.as_ref().or(config.dtype.as_ref()).cloned());
            words.extend(config.context_length.map(|length| format!("context {length}")));
        }
        if self.kind == FolderKind::Adapter {
            words.push("adapter".to_owned());
        }
        words
    }
}

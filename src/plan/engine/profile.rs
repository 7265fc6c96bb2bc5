//! What is true of an engine. Each engine's own file fills in one [`Profile`].

use crate::plan::engine::arguments::Grammar;
use crate::plan::engine::image::Image;
use crate::plan::engine::launch::{Lack, Launch};
use crate::plan::engine::load_format::LoadFormat;
use crate::plan::engine::quantizations::Quantizations;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_dates::ReleaseDates;
use crate::plan::engine::release_table::ReleaseTable;
use crate::plan::engine::speculation::DraftRules;
use crate::plan::engine::split::SplitRules;
use crate::plan::engine::variables::KnownVariables;
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    DocumentRules, Engine, Limits, Longest, Named, Part, Pooling, Positions,
};
use crate::project::Service;

/// All that is known about one engine.
pub(super) struct Profile {
    pub(super) engine: Engine,
    /// See [`Engine::name`].
    pub(super) name: &'static str,
    /// See [`Engine::id`].
    pub(super) id: &'static str,
    /// See [`Engine::command_line`].
    pub(super) command_line: CommandLine,
    /// See [`Engine::models`].
    pub(super) models: Models,
    /// See [`Engine::releases`].
    pub(super) releases: Releases,
    /// See [`Engine::http`].
    pub(super) http: Http,
    /// See [`Engine::log`].
    pub(super) log: &'static [LogMessage],
    /// How it is recognised.
    pub(super) start: Start,
    /// How it reads its flags; absent: none of them is looked at.
    pub(super) grammar: Option<&'static Grammar>,
    /// Reads what stands behind the program.
    pub(super) read: fn(&Launch<'_>, &mut Reading<'_>),
}

/// How an engine is told what to do.
#[derive(Debug)]
pub struct CommandLine {
    /// How a model is named on it, with a name to be filled in.
    pub model: &'static str,
    /// What it does when no model is named; absent: it needs none to be named.
    pub without_model: Option<&'static str>,
    /// How a context length is asked for, where it is known what becomes of one that is too long.
    pub context: Option<ContextFlag>,
    /// What has to be divisible by the number of devices over which each layer is split; absent:
    /// nothing, or that is not known.
    pub tensor_parallel: Option<&'static SplitRules>,
    /// How it is kept to one commit of a repository.
    pub pins: Pins,
    /// Whether a word that is no number, given to a flag that takes one, ends it.
    pub refuses_numbers: bool,
    /// Which methods of quantisation it has, where it compares the one that is asked for with the
    /// model's own; absent: it does not, or it is not known.
    pub quantizations: Option<Quantizations>,
    /// How the variables begin that it reads beside those of its libraries. An empty one: all.
    pub variables: &'static [&'static str],
    /// Whether they may say what it opens and where it listens.
    pub told_by_variables: bool,
    /// The variables that its releases read; absent: that was not looked at.
    pub known_variables: Option<KnownVariables>,
}

/// How an engine is kept to one commit of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pins {
    /// `--revision COMMIT`.
    Revision {
        /// The flag by which a tokenizer of another repository is kept from being asked for at that
        /// commit, which it does not have.
        of_tokenizer: Option<&'static str>,
    },
    /// `--revision COMMIT`; and what its cache holds of a branch it takes without asking (hf-hub 0.4.3
    /// `api/tokio.rs ApiRepo::get`).
    RevisionOrCache,
    /// No commit can be named; it takes what its cache holds as soon as this word keeps it from asking
    /// the hub.
    Offline(&'static str),
    /// It cannot be.
    Never,
}

/// How a context length is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ContextFlag {
    /// The flag.
    pub flag: &'static str,
    /// What becomes of a length that is more than the model was made for.
    pub beyond: Beyond,
    /// The longest that a release takes; absent: that is not told by the files of a folder.
    pub longest: Option<LongestContext>,
}

/// The longest context that a release takes, by its numbers; absent ones: it is not known which
/// release it is.
pub(super) type LongestContext = fn(&Positions, &Limits, Option<&[u32]>) -> Option<Longest>;

/// What an engine does with a context length that is more than the model was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// It does not start.
    Refused,
    /// It takes the length that the model was made for.
    Capped,
}

/// What an engine serves, and what it makes of a model's files.
#[derive(Debug)]
pub struct Models {
    /// What it gives out.
    pub serves: Serves,
    /// What it opens.
    pub layout: Layout,
    /// Which GGUF files it opens.
    pub gguf: Gguf,
    /// Which ONNX graphs of a folder it loads.
    pub onnx: Onnx,
    /// How it learns how a model makes one vector out of many; absent: it needs not be told, or that
    /// is not known.
    pub pooling: Option<Pooling>,
    /// How it takes adapters.
    pub adapters: Adapters,
    /// What it refuses about them; absent: that was not looked at.
    pub adapter_rules: Option<AdapterRules>,
    /// What it refuses about drafts; absent: that was not looked at.
    pub draft_rules: Option<DraftRules>,
    /// Whether it runs code that comes with a model, where it is told to.
    pub runs_code: bool,
    /// How it reads the small documents beside the weights.
    pub documents: DocumentRules,
    /// Whether it has no other tokenizer than that of `tokenizer.json`.
    pub fast_tokenizer_only: bool,
    /// Whether a conversation can only be had with a template of the model's own.
    pub chat_needs_template: bool,
    /// Since which release the configuration of Mistral's own layout (`params.json`) counts only
    /// beside its weights; absent: the engine does not know that layout, or it is not known.
    pub mistral_wants_both_since: Option<[u32; 2]>,
    /// The words of `--load-format` and what they make it open; what is not listed, and the absence
    /// of the flag: what there is.
    pub load_formats: &'static [(&'static str, LoadFormat)],
    /// Where releases kept what they took from the hub that knew nothing of the hub's own layout.
    pub own_cache: Option<OwnCache>,
    /// How it finds a repository in a cache of the hub when it may not ask the hub.
    pub offline: Offline,
}

/// What an engine gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Text, embeddings where the model makes them.
    Text,
    /// Embeddings.
    Embeddings,
}

/// What an engine opens as a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A folder in the layout of the hub.
    HubFolder,
    /// A GGUF file, or the first of a split set.
    GgufFile,
    /// A store of its own, out of which clients choose.
    Store,
}

/// Which GGUF files an engine opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gguf {
    /// Any file, and a split set by its first.
    Any,
    /// Any that is not split.
    One,
    /// Any that is not split; newer releases only with a plugin.
    Plugin,
    /// None.
    Never,
    /// Not known.
    NotKnown,
}

/// How an engine takes adapters in the layout of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapters {
    /// Named by this flag, beside the model.
    Flag(&'static str),
    /// In the place of a model as well: it merges them into the model that they were made for.
    OwnModel(&'static Merging),
    /// Not at all.
    Never,
}

/// How an engine serves an adapter in the place of a model.
#[derive(Debug, PartialEq, Eq)]
pub struct Merging {
    /// Since which release it merges one that lies in a folder.
    pub since: [u32; 3],
    /// Since which release a `.safetensors` file of the adapter counts as the weights of a model, so
    /// that nothing is merged.
    pub counts_as_weights_since: [u32; 3],
    /// Files with one of these in their names do not count.
    pub passes_over: &'static [&'static str],
    /// The flag that names adapters beside their model.
    pub flag: &'static str,
    /// The newest release that was read.
    pub newest_read: [u32; 3],
}

/// What an engine refuses about adapters.
#[derive(Debug)]
pub struct AdapterRules {
    /// The flag that says how high their rank may be.
    pub rank_flag: &'static str,
    /// How high it may be without that flag.
    pub highest_rank: u64,
    /// Since which release the ranks of single modules (`rank_pattern`) count.
    pub reads_pattern_since: [u32; 3],
    /// Since which release those that the command names are loaded before it serves.
    pub loaded_at_start_since: [u32; 3],
    /// The newest release that was read.
    pub newest_read: [u32; 3],
    /// What it does not support.
    pub features: &'static [Feature],
}

/// A setting of `adapter_config.json` that releases do not support.
#[derive(Debug)]
pub struct Feature {
    /// The setting.
    pub key: &'static str,
    /// Which of its values.
    pub unfit: Unfit,
    /// The first release that refuses them.
    pub since: [u32; 3],
    /// The last one; absent: all that were read.
    pub until: Option<[u32; 3]>,
}

/// Which values of a setting are not supported.
#[derive(Debug, Clone, Copy)]
pub enum Unfit {
    /// Every one that says something.
    Said,
    /// Words other than these.
    OtherThan(&'static [&'static str]),
}

/// Which ONNX graphs of a folder an engine loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onnx {
    /// None.
    Never,
    /// The main one (`model.onnx`).
    Main,
    /// The main one, and it loads nothing else.
    MainAlone,
    /// The one that it is told to.
    Any,
}

/// The cache of releases that knew nothing of the hub's own layout.
#[derive(Debug)]
pub struct OwnCache {
    /// The first build that certainly knows the hub's layout.
    pub until_build: u32,
    /// The variable that names the folder.
    pub variable: &'static str,
    /// Without that variable: the folder below the user's cache.
    pub folder: &'static str,
}

/// How an engine that may not ask the hub finds a repository in a cache of it.
#[derive(Debug)]
pub struct Offline {
    /// What of a reference (`refs/main`) it takes for the commit.
    pub reference: Reference,
    /// Where white space around the commit does not matter.
    pub trims: &'static [Trims],
    /// Since which release it looks for the weights of its model where it looks for the rest, and
    /// not where it puts those that it downloads (`--download-dir`); absent: it never does.
    pub one_cache_since: Option<[u32; 3]>,
    /// What has to be there because the library's own listing names it.
    pub listed: &'static [Listed],
}

/// What of a reference in a cache of the hub is taken for the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// All of it (huggingface_hub 0.36.2 and 2.4.0 `_snapshot_download.py`, `file_download.py`;
    /// hf-hub 0.4.2 `src/lib.rs`, `CacheRepo::get`).
    Whole,
    /// Its first line; and without one that leads to a commit in `refs/main`, that of any other
    /// (llama.cpp 0c1e570 `common/hf-cache.cpp`, `get_cached_ref`).
    FirstLine,
}

/// What an engine asks for by the commit to which its library leads a revision beforehand
/// (huggingface_hub 1.30.0 and 2.4.0 `HfApi.resolve_revision`; 1.23.0 has no such function).
#[derive(Debug)]
pub struct Trims {
    /// What the repository is for.
    pub part: Part,
    /// The first release that does so.
    pub since: [u32; 3],
}

/// Files of a repository that have to be in its snapshot if the listing beside it names them
/// (`trees/COMMIT.json`, which huggingface_hub 1.22.0 and newer leave and compare).
#[derive(Debug)]
pub struct Listed {
    /// What the repository is for.
    pub part: Part,
    /// What their names end in; empty: all of them.
    pub ending: &'static str,
    /// The first release that compares.
    pub since: [u32; 3],
}

/// What is known about the releases of an engine.
#[derive(Debug)]
pub struct Releases {
    /// The newest of which it was read what it refuses about a model's configuration; absent: none.
    pub newest_read: Option<[u32; 3]>,
    /// When they were published; absent: that was not looked at.
    pub dates: Option<ReleaseDates>,
    /// The variable in which its images say for which tag they were made; absent: they do not.
    pub tag_variable: Option<&'static str>,
    /// The architectures that they have.
    pub architectures: Option<Architectures>,
    /// Releases are builds, counted from this one on; a smaller number is a version of some other
    /// kind. Absent: releases have versions.
    pub first_build: Option<u32>,
    /// The build from which on they have none of Ollama's own routes; absent: none, or not known.
    pub without_ollama: Option<u32>,
    /// What they make of tensors that are not those of a model's class; absent: not known.
    pub tensors: Option<TensorRules>,
}

/// What an engine that loads tensors by the names of a class makes of others.
#[derive(Debug)]
pub struct TensorRules {
    /// The classes for which every release that was read refuses a tensor that they have no place for.
    pub strict: &'static [&'static str],
    /// The first release that loads a model without its output matrix, and answers with what the memory
    /// held.
    pub headless_since: [u32; 2],
}

/// Which architectures the releases of an engine have.
#[derive(Debug)]
pub struct Architectures {
    /// The architectures.
    pub table: ReleaseTable,
    /// Those that give out vectors or classes and generate no text.
    pub encoders: &'static [&'static str],
    /// An image of a release, without the release.
    pub image: &'static str,
    /// What it does with an architecture that it does not have.
    pub otherwise: &'static str,
}

/// How a running engine is asked.
#[derive(Debug)]
pub struct Http {
    /// The port that it listens on when nobody says otherwise.
    pub port: u16,
    /// The address that it binds to when nobody says otherwise.
    pub host: &'static str,
    /// What has to stand between its prefix and the routes of `OpenAI`'s API; empty: any of them is
    /// known to be right, or that is not known.
    pub openai_roots: &'static [&'static str],
    /// Whether it is known to have none of Ollama's own routes.
    pub lacks_ollama: bool,
    /// What the official image asks to know whether it is well.
    pub image_health: ImageHealth,
    /// What is known of the paths at which it is asked.
    pub paths: Paths,
    /// The variable out of which it takes the number of a port for its own processes, whenever it starts;
    /// absent: there is none, or it is not known.
    pub inner_port: Option<&'static str>,
    /// The request that tells whether it serves.
    pub probe: Probe,
    /// Whether it has the list of its models where `OpenAI` has it.
    pub lists_models: bool,
    /// The variable in which it looks for the key that clients have to show; absent: there is none,
    /// or it is not known.
    pub key_variable: Option<&'static str>,
    /// The names under which it serves what is named so, when nobody says otherwise; empty: not
    /// known.
    pub serves_as: fn(&Named) -> Vec<String>,
    /// Whether it is known to answer whatever its only model is called in a request.
    pub any_name: bool,
}

/// What is known of the paths at which an engine is asked with `GET`.
#[derive(Debug)]
pub struct Paths {
    /// Where it says that it is well, to whoever asks.
    pub well: &'static str,
    /// Where it is known to have nothing.
    pub lacks: &'static [&'static str],
    /// How those begin for which it wants its key; absent: it wants none, or it is not known.
    pub keyed: Option<&'static str>,
    /// Words and variables with which it may answer otherwise.
    pub changed_by: &'static [&'static str],
}

impl Paths {
    /// Nobody has looked.
    pub const UNREAD: Self = Self { well: "/health", lacks: &[], keyed: None, changed_by: &[] };
}

/// The `HEALTHCHECK` of an official image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageHealth {
    /// It asks this port of its own container.
    Asks(u16),
    /// It has none.
    None,
    /// Not known.
    Unknown,
}

/// The request that tells whether an engine serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A completion of a model that is not there, which is answered at once.
    Completion,
    /// `GET /health`.
    Health,
    /// The list of its models.
    Models,
}

/// A line that an engine is known to end with.
#[derive(Debug)]
pub struct LogMessage {
    /// Words that are in it, in this order.
    pub words: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// How an engine is recognised.
pub(super) struct Start {
    /// The ends of the repository paths of its official images.
    pub(super) images: &'static [&'static str],
    /// What the name of somebody's own image of it contains, as a whole part of the name.
    pub(super) marks: &'static [&'static str],
    /// What the official image runs: its entrypoint, and its default command.
    pub(super) defaults: fn(&Image) -> Defaults,
    /// Scripts of the official image that hand their words over to the program.
    pub(super) scripts: &'static [&'static str],
    /// Scripts of the official image that start something else.
    pub(super) other_scripts: &'static [&'static str],
    /// Variables that the official image sets and that matter here.
    pub(super) environment: &'static [(&'static str, &'static str)],
    /// The working directory of the official image; absent: not known.
    pub(super) working_dir: Option<&'static str>,
    /// How many of the first words start the engine; absent: they start something else.
    pub(super) program: fn(&[Word]) -> Option<usize>,
    /// Whether a word in an image of somebody's own that is not a flag can be meant for it.
    pub(super) takes: fn(&str) -> bool,
    /// What words lack that are meant to start it and start nothing; absent: they start another
    /// program.
    pub(super) lacks: fn(&Service, &[Word]) -> Option<Lack>,
}

/// What an image runs when the service does not say otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    /// Its entrypoint; empty: it has none, or it passes any program through.
    pub(super) entrypoint: &'static [&'static str],
    /// Its command.
    pub(super) command: &'static [&'static str],
}

impl Models {
    /// Those of an engine that has a store of its own, the files in which are not looked at.
    pub(super) const STORE: Self = Self {
        serves: Serves::Text,
        layout: Layout::Store,
        gguf: Gguf::NotKnown,
        onnx: Onnx::Never,
        pooling: None,
        adapters: Adapters::Never,
        adapter_rules: None,
        draft_rules: None,
        runs_code: false,
        documents: DocumentRules::NONE,
        fast_tokenizer_only: false,
        chat_needs_template: false,
        mistral_wants_both_since: None,
        load_formats: &[],
        own_cache: None,
        offline: Offline::AS_LIBRARY,
    };
}

impl Offline {
    /// As the libraries of the hub do by themselves.
    pub(super) const AS_LIBRARY: Self =
        Self { reference: Reference::Whole, trims: &[], one_cache_since: None, listed: &[] };
}

impl Reference {
    /// What `text`, a reference's, is taken for.
    #[must_use]
    pub fn commit(self, text: &str) -> &str {
        match self {
            Self::Whole => text,
            Self::FirstLine => text.split('\n').next().unwrap_or(text),
        }
    }
}

impl Releases {
    /// Those of an engine of which none was looked at.
    pub(super) const UNREAD: Self = Self {
        newest_read: None,
        dates: None,
        tag_variable: None,
        architectures: None,
        first_build: None,
        without_ollama: None,
        tensors: None,
    };
}

impl LogMessage {
    /// A message of the engine in whose list it stands.
    pub(super) const fn new(
        words: &'static [&'static str],
        meaning: &'static str,
        fix: &'static str,
        source: &'static str,
    ) -> Self {
        Self { words, meaning, fix, source }
    }

    /// Whether a line of a log is this one.
    #[must_use]
    pub fn is_in(&self, line: &str) -> bool {
        let mut rest = Some(line);
        for words in self.words {
            rest = rest.and_then(|rest| Some(rest.split_once(words)?.1));
        }
        rest.is_some()
    }
}

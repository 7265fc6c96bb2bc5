//! How a service starts its engine, in words that are the same for all of them.

use std::fmt;
use std::sync::Arc;

use crate::path::ServicePath;
use crate::plan::engine::memory::Sizing;
use crate::plan::engine::{
    Complaint, Earlier, Embeds, Engine, GivesOut, Layout, LoadFormat, Onnx, Speculation, Spread,
    Templates,
};
use crate::source_map::{Place, Spanned};

/// How one service starts its engine.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Which program.
    pub engine: Engine,
    /// Everything it will open; the model first, if one is named.
    pub opens: Vec<Opens>,
    /// The names that its clients have to ask for; empty: the engine's own choice.
    pub served_names: Vec<String>,
    /// The address that it listens on; absent: the engine's own choice.
    pub host: Option<Spanned<String>>,
    /// The port that it listens on inside the container.
    pub port: u16,
    /// Where that port is said; nowhere: it is the engine's own choice.
    pub port_place: Place,
    /// The path that its routes are below (`/llm`); absent: none.
    pub api_prefix: Option<Spanned<String>>,
    /// The engine's release, from the labels of its official image, else its tag: `0.10.2`, `b4719`,
    /// without a leading `v`; absent: not known (`latest`, a digest, an own image).
    pub version: Option<String>,
    /// Whether a label of the image says so, and not its tag.
    pub labelled: bool,
    /// The words by which the command says that text is to be generated, whatever the model is for;
    /// absent: it does not.
    pub generates: Option<Spanned<String>>,
    /// The newest release that the image can be, by the day on which it was made, where the release is
    /// not known; absent: it may be any.
    pub newest_possible: Option<&'static str>,
    /// Whether the image is one that the engine's own project publishes, so that no model is in it.
    pub stock: bool,
    /// Whether it is one of those, and for devices of NVIDIA.
    pub on_nvidia: bool,
    /// The context length that was asked for, in tokens; absent: the model's own.
    pub context: Option<Spanned<u64>>,
    /// Whether a length that is more than the model was made for is taken all the same.
    pub exceeds_context: bool,
    /// `--quantization` of vLLM and SGLang, `--quantize` of TGI.
    pub quantization: Option<Spanned<String>>,
    /// The highest rank that an adapter may have (`--max-lora-rank`); absent: the engine's own limit.
    pub highest_rank: Option<Spanned<u64>>,
    /// The types in which llama.cpp keeps keys and values (`-ctk`, `-ctv`); absent: its own choice.
    pub cache_types: [Option<Spanned<String>>; 2],
    /// How it is set, as far as that decides about memory; absent: what it takes is not worked out.
    pub sizing: Option<Arc<dyn Sizing>>,
    /// What is said about the draft model, where that is all that is said about guessing ahead.
    pub speculation: Option<Speculation>,
    /// Whether methods of quantisation that the engine is about to drop are allowed
    /// (`--allow-deprecated-quantization`).
    pub deprecated_quantization: bool,
    /// How vLLM and SGLang are told to read weights: `--load-format`, or `mistral` where
    /// `--config-format` says so; absent: their own choice.
    pub load_format: Option<String>,
    /// `--dtype`; absent: the engine's own choice.
    pub dtype: Option<Spanned<String>>,
    /// Over how many devices each layer is split; absent: one, or the engine's own choice.
    pub tensor_parallel: Option<Spanned<u64>>,
    /// How it is spread over GPUs beside that.
    pub spread: Spread,
    /// Whether code that comes with the model may be run.
    pub trust_remote_code: bool,
    /// Whether the command replaces parts of what the model says of itself (`--hf-overrides`,
    /// `--rope-scaling`, `--override-kv`), so that its files do not tell what will be loaded.
    pub overrides: bool,
    /// The keys of a GGUF file that the command says itself (`--override-kv`), so that it does not
    /// matter what the file has for them.
    pub override_keys: Vec<String>,
    /// Whether it is told what to sample with (`--generation-config`), so that the model's own settings
    /// need not count.
    pub own_sampling: bool,
    /// Whether it is told how many images it takes (`--limit-mm-per-prompt`, `--language-model-only`),
    /// which may be none.
    pub limits_images: bool,
    /// Whether it is told to do without a tokenizer (`--skip-tokenizer-init`).
    pub skips_tokenizer: bool,
    /// Where vLLM and SGLang put the weights that they download (not the configuration and the
    /// tokenizer); absent: in [`Invocation::hub_cache`].
    pub download_dir: Option<Spanned<ServicePath>>,
    /// Where it keeps what it downloads from the hub; absent: not known, or it downloads nothing.
    pub hub_cache: Option<HubCache>,
    /// The hub that it asks; absent: the default one.
    pub endpoint: Option<Endpoint>,
    /// Whether it has been forbidden to ask the hub.
    pub offline: bool,
    /// Whether llama.cpp has been told to do without the projector of images that the repository of
    /// its model has (`--no-mmproj`).
    pub without_projector: bool,
    /// How it is told to embed.
    pub embeds: Embeds,
    /// What it was told to give out, of an engine that gives out one thing alone (llama.cpp); absent: of
    /// every other, and where it is not known.
    pub gives_out: Option<GivesOut>,
    /// How a conversation becomes a prompt.
    pub templates: Templates,
    /// Which ONNX graphs of a folder it loads.
    pub graphs: Onnx,
    /// A folder out of which models are loaded on request (llama.cpp's router, Ollama, LocalAI).
    pub models_dir: Option<ModelsDir>,
    /// A file that the command line is continued in (`--config` of vLLM): read if it is one of
    /// [`Service::texts`], else one of [`Invocation::unread`].
    pub config: Option<Spanned<ServicePath>>,
    /// Whether the command line is that of a container, and so just what will be run.
    pub observed: bool,
    /// The variables that Compose has expanded to nothing in the command line.
    pub unset: Vec<UnsetVariable>,
    /// Whether a shell in the container reads the command line.
    pub in_shell: bool,
    /// Whether it prints something and ends, whatever else is said.
    pub only_prints: bool,
    /// What the service runs before the engine, and may bring files.
    pub before: Vec<Earlier>,
    /// What about this invocation cannot be read yet or cannot be known, each with its place.
    pub unread: Vec<Spanned<String>>,
    /// What the engine will refuse about its words. They were read as they were meant.
    pub complaints: Vec<Spanned<Complaint>>,
}

/// One thing that an engine will open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opens {
    /// What it is for.
    pub part: Part,
    /// What it is called.
    pub named: Named,
    /// The flag or variable that names it: `--model`, `LLAMA_ARG_MODEL`, `MODEL` (positional).
    pub by: String,
    /// The word that names it.
    pub place: Place,
}

/// What an opened thing is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The weights and what belongs to them.
    Model,
    /// A tokenizer that is not the model's own.
    Tokenizer,
    /// A multimodal projector.
    Mmproj,
    /// An adapter.
    Lora,
    /// The small model of speculative decoding.
    Draft,
    /// What steers the model in one direction (llama.cpp).
    ControlVector,
    /// A chat template.
    ChatTemplate,
    /// A text that is read at the start: a grammar, a schema, keys, a certificate.
    Text,
    /// A folder that has to be there: pages that are served, a place for saved states.
    Folder,
    /// A folder out of which llama.cpp's router serves every GGUF model.
    Models,
}

/// What a command line calls a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A path inside the container: absolute, or relative to the working directory and already
    /// joined to it.
    Path(ServicePath),
    /// A repository of the hub.
    Repository {
        /// `owner/name`, or a bare `name`.
        id: String,
        /// Branch, tag or commit; absent: `main`.
        revision: Option<String>,
        /// The file or the quantisation (`Q4_K_M`) inside it; absent: the engine's own choice.
        file: Option<String>,
    },
    /// Something that is neither (`s3://...`, `https://...`, `docker://...` for Docker's model
    /// registry).
    Url(String),
}

/// The folder in which an engine keeps what it downloads from the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubCache {
    /// The folder that holds the `models--owner--name` folders. Builds of llama.cpp that know
    /// nothing of that layout keep their files directly in it.
    pub path: ServicePath,
    /// The flag or variable that says so; absent: the default of the image or of its user.
    pub by: Option<String>,
    /// Where it says so.
    pub place: Place,
    /// Whether that variable is set to nothing, so that the folder is the engine's working directory
    /// or below it.
    pub nothing: bool,
}

/// The hub that an engine is told to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub url: String,
    /// The variable that says so.
    pub by: String,
    /// Where it says so.
    pub place: Place,
}

/// A folder out of which models are loaded on request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelsDir {
    /// The folder.
    pub path: ServicePath,
    /// The flag or variable that says so; absent: the default of the image.
    pub by: Option<String>,
    /// Where it says so.
    pub place: Place,
}

/// A variable that Compose has expanded to nothing, because neither its own environment nor an env
/// file sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsetVariable {
    /// Its name.
    pub name: String,
    /// Where the service's own environment sets it, of which Compose takes no notice; absent: nowhere.
    pub set_in_service: Option<Place>,
}

impl Part {
    /// Whether images bring such things along, so that one which no mount reaches may well be there.
    #[must_use]
    pub fn may_be_in_image(self) -> bool {
        matches!(self, Self::ControlVector | Self::ChatTemplate | Self::Text | Self::Folder)
    }
}

impl Invocation {
    /// Which files of a folder the weights are loaded from.
    #[must_use]
    pub fn loads(&self) -> LoadFormat {
        self.engine.load_format(self.load_format.as_deref())
    }

    /// Whether the weights are random numbers instead of what a repository holds.
    #[must_use]
    pub fn makes_up_weights(&self) -> bool {
        self.loads() == LoadFormat::Nothing
    }

    /// The build of a release that is counted in builds (`b4719`); absent: it is not, or not known.
    #[must_use]
    pub fn build(&self) -> Option<u32> {
        self.engine.releases().first_build?;
        self.version.as_deref()?.strip_prefix('b')?.parse().ok()
    }

    /// Whether it is known to have none of Ollama's own routes.
    #[must_use]
    pub fn lacks_ollama(&self) -> bool {
        let from = self.engine.releases().without_ollama;
        let is_without = from.zip(self.build()).is_some_and(|(from, build)| build >= from);
        self.engine.http().lacks_ollama || is_without
    }

    /// The release that is judged by, where the image says it in another way than by its tag.
    #[must_use]
    pub fn told_release(&self) -> Option<String> {
        let version = self.version.as_ref().filter(|_| self.labelled);
        let told = version.map(|version| format!("{version}, as a label of the image says"));
        let dated = || {
            let newest = self.newest_possible?;
            Some(format!("{newest} or older, by the day on which the image was made"))
        };
        told.or_else(dated)
    }

    /// Whether the release is this one or a later one; one that is not known is taken for the newest.
    #[must_use]
    pub fn is_since(&self, release: [u32; 3]) -> bool {
        let Some(version) = &self.version else { return true };
        let mut numbers = version.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
            digits.parse().unwrap_or(0)
        });
        release <= [(); 3].map(|()| numbers.next().unwrap_or(0))
    }

    /// Whether the release may be this one, because its tag leaves the last of the three numbers open.
    #[must_use]
    pub fn may_be(&self, release: [u32; 3]) -> bool {
        let [major, minor, _] = release;
        self.version.as_ref().is_none_or(|version| *version == format!("{major}.{minor}"))
    }

    /// The names under which the model is served: those that were asked for, else those that the
    /// engine gives it. Empty: not known.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self.model() {
            Some(model) if self.served_names.is_empty() => {
                (self.engine.http().serves_as)(&model.named)
            }
            Some(_) | None => self.served_names.clone(),
        }
    }

    /// An invocation of which nothing but the engine is known.
    #[must_use]
    pub fn bare(engine: Engine) -> Self {
        Self {
            engine,
            opens: Vec::new(),
            served_names: Vec::new(),
            host: None,
            port: engine.http().port,
            port_place: Place::nowhere(),
            api_prefix: None,
            version: None,
            labelled: false,
            generates: None,
            newest_possible: None,
            stock: false,
            on_nvidia: false,
            context: None,
            exceeds_context: false,
            quantization: None,
            highest_rank: None,
            cache_types: [None, None],
            sizing: None,
            speculation: None,
            deprecated_quantization: false,
            load_format: None,
            dtype: None,
            tensor_parallel: None,
            spread: Spread::default(),
            trust_remote_code: false,
            overrides: false,
            override_keys: Vec::new(),
            own_sampling: false,
            limits_images: false,
            skips_tokenizer: false,
            download_dir: None,
            hub_cache: None,
            endpoint: None,
            offline: false,
            without_projector: false,
            gives_out: None,
            templates: Templates::default(),
            embeds: Embeds::default(),
            graphs: engine.models().onnx,
            models_dir: None,
            config: None,
            observed: false,
            unset: Vec::new(),
            in_shell: false,
            only_prints: false,
            before: Vec::new(),
            unread: Vec::new(),
            complaints: Vec::new(),
        }
    }

    /// Whether what is written at `place` says what is opened, where it is kept, or a number.
    pub(super) fn is_decided_at(&self, place: &Place) -> bool {
        let opened = self.opens.iter().map(|opens| &opens.place);
        let folders = self.hub_cache.iter().map(|cache| &cache.place);
        let folders = folders.chain(self.models_dir.iter().map(|folder| &folder.place));
        let folders = folders.chain(self.download_dir.iter().map(|folder| &folder.place));
        let numbers = self.context.iter().chain(&self.tensor_parallel).map(|it| &it.place);
        let hub = self.endpoint.iter().map(|endpoint| &endpoint.place);
        let mut places = opened.chain(folders).chain(numbers).chain(hub).chain([&self.port_place]);
        place.span.is_some() && places.any(|known| known == place)
    }

    /// The model that will be opened, if one is named.
    #[must_use]
    pub fn model(&self) -> Option<&Opens> {
        self.opens.iter().find(|opens| opens.part == Part::Model)
    }

    /// The folder out of which llama.cpp's router serves what lies there: it is read only where the
    /// command itself names no model (build 11669 tools/server).
    #[must_use]
    pub fn served_folder(&self) -> Option<&ModelsDir> {
        let is_router = self.model().is_none() || self.config.is_some();
        self.models_dir
            .as_ref()
            .filter(|_| self.engine.models().layout == Layout::GgufFile && is_router)
    }

    /// Whether the command line has no model because of something else that is wrong with it.
    #[must_use]
    pub fn lost_model(&self) -> bool {
        let named = self.model().is_some() || self.models_dir.is_some();
        // A word too many is the model, most of the time.
        let may_be_it = |complaint: &Complaint| matches!(complaint, Complaint::ExtraWord { .. });
        let mut complaints = self.complaints.iter().map(|complaint| &complaint.value);
        !named && complaints.any(|complaint| complaint.loses_value() || may_be_it(complaint))
    }

    /// Whether it has a flag that no release of the engine has, nor anything that stands by it.
    pub(super) fn has_foreign_flag(&self) -> bool {
        self.complaints.iter().any(|complaint| {
            let Complaint::UnknownFlag(it) = &complaint.value else { return false };
            it.elsewhere.is_none() && it.owner.is_none() && it.alike.is_empty()
        })
    }

    /// What the engine does because no model is named. Absent when one is, when the engine needs
    /// none, and when what could not be read may name one.
    #[must_use]
    pub fn without_model(&self) -> Option<&'static str> {
        let named = self.model().is_some() || self.models_dir.is_some();
        if named || self.lost_model() || !self.unread.is_empty() {
            None
        } else {
            self.engine.command_line().without_model
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Repository { id, revision, file } => {
                f.write_str(id)?;
                if let Some(revision) = revision {
                    write!(f, "@{revision}")?;
                }
                if let Some(file) = file {
                    write!(f, ":{file}")?;
                }
                Ok(())
            }
            Self::Url(url) => f.write_str(url),
        }
    }
}

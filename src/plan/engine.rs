//! What an engine will open, told by its image, entrypoint, command line and environment alone.
//!
//! Pure: nothing is looked at on a disk, so a name that could be a path or a repository is judged
//! by its form and by the mounts, as [`Named`] says. Adding an engine is a new file, with all that is
//! true of it in a `Profile`, and here the variant of [`Engine`] that stands for it.

mod arguments;
pub(crate) mod cache_variables;
mod complaint;
mod config;
mod cuda;
mod document_rules;
mod earlier;
mod embeds;
mod flag_table;
mod foreign_flags;
mod hugging_face;
mod image;
mod infinity;
mod invocation;
mod key;
mod launch;
mod llama_cpp;
mod llama_cpp_python;
mod llama_swap;
mod lmdeploy;
mod load_format;
mod localai;
mod lookalikes;
pub mod memory;
mod names;
mod ollama;
mod positions;
mod profile;
mod quantizations;
mod reading;
pub mod release_dates;
pub mod release_table;
pub mod repository;
mod sglang;
mod shell;
mod speculation;
mod split;
mod spread;
mod started;
mod stray_words;
mod tei;
mod templates;
mod tgi;
pub mod transformers;
mod variables;
mod vllm;
mod words;

pub use self::complaint::{Complaint, CutCommand, Refusal, StartsNoServer, UnknownFlag};
pub use self::document_rules::{DocumentRules, Reader};
pub use self::earlier::{Brings, Earlier, programs};
pub use self::embeds::{Batch, DenseSteps, Embeds, GivesOut, Guess, LongestText, Mode, Pooling};
pub use self::invocation::{
    Endpoint, HubCache, Invocation, ModelsDir, Named, Opens, Part, UnsetVariable,
};
pub use self::key::{api_key, api_keys};
pub use self::launch::NoServer;
pub use self::load_format::LoadFormat;
pub use self::lookalikes::{is_called, lookalike};
pub use self::positions::{Limits, Longest, Positions, Scaling};
pub use self::profile::{
    AdapterRules, Adapters, Architectures, Beyond, CommandLine, ContextFlag, Feature, Gguf, Http,
    ImageHealth, Layout, Listed, LogMessage, Merging, Models, Offline, Onnx, OwnCache, Paths, Pins,
    Probe, Reference, Releases, Serves, TensorRules, Trims, Unfit,
};
pub use self::quantizations::{Fit, Form, Gptq, Quantizations};
pub use self::speculation::{DraftRules, Speculation};
pub use self::split::{Family, SplitRules, Stages, WholePieces};
pub use self::spread::{
    Filled, GpuUse, GpuVariables, Share, SharedMemoryNeed, Spread, Surplus, TakenShare,
};
pub use self::started::started_files;
pub use self::stray_words::StrayWord;
pub use self::templates::{TemplateReader, Templates};
pub use self::variables::{Elsewhere, KnownVariables, Meant, UnreadVariable};

use crate::path::ServicePath;
use crate::plan::engine::arguments::Grammar;
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::launch::Launch;
use crate::plan::engine::profile::Profile;
use crate::plan::engine::reading::Reading;
use crate::project::Service;
use crate::report::redact::FlagTables;
use crate::source_map::Spanned;

/// A program that serves models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// vLLM's OpenAI-compatible server.
    Vllm,
    /// `llama-server` of llama.cpp.
    LlamaCpp,
    /// Text Embeddings Inference.
    Tei,
    /// Text Generation Inference.
    Tgi,
    /// SGLang.
    Sglang,
    /// Ollama.
    Ollama,
    /// LocalAI.
    LocalAi,
    /// Infinity.
    Infinity,
    /// The server of llama-cpp-python.
    LlamaCppPython,
    /// llama-swap.
    LlamaSwap,
    /// LMDeploy.
    Lmdeploy,
}

/// How the variables begin that every engine reads by way of the libraries that it is built on.
const LIBRARIES: [&str; 8] = [
    "HF_",
    "HUGGING_FACE_",
    "HUGGINGFACE_",
    "TRANSFORMERS_",
    "XDG_CACHE_HOME",
    "HOME",
    "CUDA_",
    "NVIDIA_",
];

/// Whether a shell would expand the variable `name` in the command line of `service`, or in a script
/// of it that was seen.
#[must_use]
pub fn names_variable(service: &Service, name: &str) -> bool {
    let words = service.words();
    let words = words.map(|word| &word.value).chain(service.texts.values().map(|text| &text.text));
    let expands = |rest: &str| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let rest = rest.strip_prefix(name);
        rest.is_some_and(|rest| {
            !rest.starts_with(|next: char| next == '_' || next.is_ascii_alphanumeric())
        })
    };
    words.into_iter().any(|word| word.split('$').skip(1).any(expands))
}

/// How `service` starts its engine; absent when it does not look like one that is known.
///
/// Image defaults are not in the Compose file: where a created container was inspected, `service`
/// carries the words that Docker has resolved.
#[must_use]
pub fn invocation(service: &Service) -> Option<Invocation> {
    started(service, &launch::launch(service)?)
}

/// See [`invocation`]; absent: nothing but a part of the image's name says that it is an engine.
fn started<'a>(service: &'a Service, launch: &Launch<'a>) -> Option<Invocation> {
    let mut reading = match &launch.assumed {
        _ if launch.opaque => Some(Reading::new(service, launch)).filter(|_| launch.is_likely)?,
        Some(what) => assumed(service, launch, what)?,
        None => read(service, launch),
    };
    if let Some(by) = who_may_tell(service, launch.profile.engine)
        && reading.invocation.without_model().is_some()
    {
        reading.unread(format!("{} may name the model", by.value), &by.place);
    }
    if let Some(pod) = service.pod.as_ref().filter(|pod| pod.is_open)
        && reading.invocation.model().is_none()
    {
        let what = format!("whoever makes `{}` may add to its words", pod.pod);
        reading.unread(what, &service.name.place);
    }
    Some(reading.finish())
}

fn read<'a>(service: &'a Service, launch: &Launch<'a>) -> Reading<'a> {
    let mut reading = Reading::new(service, launch);
    (launch.profile.read)(launch, &mut reading);
    reading
}

/// What words are read as of which it is not certain that they are the engine's.
fn assumed<'a>(
    service: &'a Service,
    launch: &Launch<'a>,
    what: &Spanned<String>,
) -> Option<Reading<'a>> {
    let mut reading = read(service, launch);
    if reading.invocation.complaints.iter().any(|it| it.value.loses_value()) {
        return Some(reading);
    }
    let is_named = reading.invocation.model().is_some();
    let is_foreign = reading.invocation.has_foreign_flag();
    // Words that are all the engine's own say as much as a device.
    let is_likely = launch.is_likely || !launch.arguments.is_empty();
    match (is_named, is_likely) {
        (true, _) => Some(reading).filter(|_| launch.is_likely || !is_foreign),
        (false, true) if !is_foreign => {
            reading = Reading::new(service, launch);
            reading.unread(what.value.clone(), &what.place);
            Some(reading)
        }
        (false, _) => None,
    }
}

/// Who may say by variables that nobody sees what the engine of `service` opens, and where it listens;
/// absent: nobody.
#[must_use]
pub fn who_may_tell(service: &Service, engine: Engine) -> Option<&Spanned<String>> {
    service.may_tell.as_ref().filter(|_| engine.command_line().told_by_variables)
}

/// What `service` runs whose image is that of an engine, if that is not the engine's server.
#[must_use]
pub fn no_server(service: &Service) -> Option<NoServer> {
    launch::no_server(service).or_else(|| {
        let launch = launch::launch(service)?;
        let is_none = started(service, &launch).is_none();
        launch.by_name_alone(service).filter(|_| is_none)
    })
}

/// Where `service` keeps what it takes from the hub, if it says so or if its engine is known.
#[must_use]
pub fn hub_cache(service: &Service) -> Option<ServicePath> {
    let known = invocation(service).and_then(|invocation| invocation.hub_cache);
    known.map(|cache| cache.path).or_else(|| cache_variables::of_python(service))
}

/// Where `service` keeps what it takes from the hub, if its variables say so to Python's library.
#[must_use]
pub fn said_cache(service: &Service) -> Option<ServicePath> {
    cache_variables::of_python(service)
}

/// A file of which the text is needed to know how `service` starts its engine: a script, or the file
/// that the command line is continued in. Absent: none, or [`Service::texts`] has it already.
#[must_use]
pub fn unseen_text(service: &Service) -> Option<ServicePath> {
    launch::unseen_script(service).or_else(|| {
        let config = invocation(service)?.config?.value;
        (!service.texts.contains_key(&config)).then_some(config)
    })
}

/// What the engines' own tables say of their flags.
pub static FLAG_TABLES: FlagTables = FlagTables {
    secret: || grammars().filter_map(|it| it.table).flat_map(FlagTable::secret_flags).collect(),
    all: || grammars().flat_map(Grammar::known_flags).collect(),
};

fn grammars() -> impl Iterator<Item = &'static Grammar> {
    Engine::ALL.into_iter().filter_map(|engine| engine.profile().grammar)
}

impl Engine {
    /// Every engine, in the order in which a start is tried as one of theirs.
    pub const ALL: [Self; 11] = [
        Self::Vllm,
        Self::LlamaCpp,
        Self::Tei,
        Self::Tgi,
        Self::Sglang,
        Self::Ollama,
        Self::LocalAi,
        Self::Infinity,
        Self::LlamaCppPython,
        Self::LlamaSwap,
        Self::Lmdeploy,
    ];

    fn profile(self) -> &'static Profile {
        match self {
            Self::Vllm => &vllm::PROFILE,
            Self::LlamaCpp => &llama_cpp::PROFILE,
            Self::Tei => &tei::PROFILE,
            Self::Tgi => &tgi::PROFILE,
            Self::Sglang => &sglang::PROFILE,
            Self::Ollama => &ollama::PROFILE,
            Self::LocalAi => &localai::PROFILE,
            Self::Infinity => &infinity::PROFILE,
            Self::LlamaCppPython => &llama_cpp_python::PROFILE,
            Self::LlamaSwap => &llama_swap::PROFILE,
            Self::Lmdeploy => &lmdeploy::PROFILE,
        }
    }

    /// The name that people use.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.profile().name
    }

    /// The name that programs use: that of the JSON report.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.profile().id
    }

    /// How it is told what to do.
    #[must_use]
    pub fn command_line(self) -> &'static CommandLine {
        &self.profile().command_line
    }

    /// What it serves, and what it makes of a model's files.
    #[must_use]
    pub fn models(self) -> &'static Models {
        &self.profile().models
    }

    /// What a word of `--load-format`, or its absence, makes it open.
    #[must_use]
    pub fn load_format(self, word: Option<&str>) -> LoadFormat {
        let formats = self.models().load_formats;
        let known = formats.iter().find(|(known, _)| Some(*known) == word);
        known.map_or(LoadFormat::Best, |(_, format)| *format)
    }

    /// What is known about its releases.
    #[must_use]
    pub fn releases(self) -> &'static Releases {
        &self.profile().releases
    }

    /// How it is asked when it runs.
    #[must_use]
    pub fn http(self) -> &'static Http {
        &self.profile().http
    }

    /// The lines that it is known to end with. What is more particular stands first: an engine that
    /// fails says so several times, and only one of the lines says why.
    pub fn log(self) -> impl Iterator<Item = &'static LogMessage> {
        cuda::MESSAGES.iter().chain(self.profile().log)
    }

    /// Whether it, or a library in it, may read the variable `name`.
    #[must_use]
    pub fn reads_variable(self, name: &str) -> bool {
        let own = self.command_line().variables;
        own.iter().chain(&LIBRARIES).any(|prefix| name.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests;

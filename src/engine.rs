//! What an engine will open, told by its image, entrypoint, command line and environment alone.
//!
//! Pure: nothing is looked at on a disk, so a name that could be a path or a repository is judged
//! by its form, as [`Named`] says.

use serde::Serialize;

use crate::path::ServicePath;
use crate::project::Service;
use crate::source_map::{Place, Spanned};

/// A program that serves models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
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
}

/// How one service starts its engine.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Which program.
    pub engine: Engine,
    /// Everything it will open; the model first, if one is named.
    pub opens: Vec<Opens>,
    /// The names that its clients have to ask for; empty: the engine's own choice.
    pub served_names: Vec<String>,
    /// The port that it listens on inside the container.
    pub port: u16,
    /// The engine's release, from the image's tag; absent: not known (`latest`, a digest, an own
    /// image).
    pub version: Option<String>,
    /// The context length that was asked for, in tokens; absent: the model's own.
    pub context: Option<Spanned<u64>>,
    /// `--quantization` of vLLM.
    pub quantization: Option<Spanned<String>>,
    /// What about this invocation cannot be read yet or cannot be known, each with its place.
    pub unread: Vec<Spanned<String>>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
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
    /// A chat template.
    ChatTemplate,
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
    /// Something that is neither (`s3://...`, `https://...`).
    Url(String),
}

/// How `service` starts its engine; absent when it does not look like one that is known.
///
/// Image defaults are not in the Compose file: where a created container was inspected, `service`
/// carries the words that the engine (Docker) has resolved.
#[must_use]
pub fn invocation(_service: &Service) -> Option<Invocation> {
    None
}

impl Engine {
    /// The name that people use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::LlamaCpp => "llama.cpp",
            Self::Tei => "TEI",
            Self::Tgi => "TGI",
            Self::Sglang => "SGLang",
            Self::Ollama => "Ollama",
            Self::LocalAi => "LocalAI",
            Self::Infinity => "Infinity",
        }
    }
}

impl Invocation {
    /// The model that will be opened, if one is named.
    #[must_use]
    pub fn model(&self) -> Option<&Opens> {
        self.opens.iter().find(|opens| opens.part == Part::Model)
    }
}

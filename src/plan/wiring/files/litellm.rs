//! The `config.yaml` of LiteLLM's proxy (litellm 1.80.5: proxy/proxy_server.py, proxy/proxy_cli.py,
//! litellm_core_utils/get_llm_provider_logic.py; what it puts behind `api_base` was seen at a server).

use super::{Entry, Program, paths, shown, variable};
use crate::path::ServicePath;
use crate::plan::wiring::Shown;
use crate::plan::wiring::clients::{Api, Purpose, Reads};
use crate::project::compose::Foreign;
use crate::project::{Service, Text};
use crate::source_map::{Place, Spanned};

pub(super) static PROGRAM: Program = Program {
    name: "LiteLLM",
    images: &["berriai/litellm", "berriai/litellm-database", "litellm"],
    files,
    read,
};

/// The providers that put OpenAI's routes behind `api_base` as it is.
const OPENAI: [&str; 8] = [
    "openai",
    "text-completion-openai",
    "custom_openai",
    "hosted_vllm",
    "litellm_proxy",
    "llamafile",
    "lm_studio",
    "xinference",
];

/// The same with Ollama's.
const OLLAMA: [&str; 2] = ["ollama", "ollama_chat"];

/// Runs vLLM in its own process, whatever else is said.
const IN_PROCESS: &str = "vllm";

/// How a value begins that is that of a variable.
const FROM_ENVIRONMENT: &str = "os.environ/";

fn files(service: &Service) -> Vec<ServicePath> {
    let mut named = paths(service, &["--config", "-c"], "/app");
    let variable = service.variable("CONFIG_FILE_PATH").filter(|_| named.is_empty());
    named.extend(variable.map(|path| super::absolute(service, "/app", path)));
    named
}

fn read(service: &Service, _path: &ServicePath, text: &Text) -> Vec<Entry> {
    let Some(config) = Foreign::read(text) else { return Vec::new() };
    let models = config.below("/model_list").into_iter();
    models.filter_map(|at| Model { service, config: &config, at }.entry()).collect()
}

/// One item of `model_list`.
struct Model<'a> {
    service: &'a Service,
    config: &'a Foreign,
    at: String,
}

impl Model<'_> {
    fn entry(&self) -> Option<Entry> {
        let model = self.parameter("model")?;
        let (provider, name) = self.provider(&model.value)?;
        if provider == IN_PROCESS {
            return None;
        }
        let address = self.parameter("api_base").or_else(|| self.parameter("base_url"))?;
        let api = match provider {
            _ if self.reranks(name) => Api::Other,
            it if OPENAI.contains(&it) => Api::OpenAi,
            it if OLLAMA.contains(&it) => Api::Ollama,
            _ => Api::Other,
        };
        let place = address.place.clone();
        let mut entry = Entry::new(PROGRAM.name, "api_base", Purpose::Base(api), address);
        if api == Api::OpenAi {
            entry.key = self.key(provider, &place);
        }
        if api != Api::Other && !name.contains('*') {
            let reads = Reads::in_file(PROGRAM.name, "model", Purpose::Model);
            entry.models.push((reads, Spanned::new(name.to_owned(), model.place.clone())));
        }
        Some(entry)
    }

    /// The provider, and what the model is called there.
    fn provider<'m>(&self, model: &'m str) -> Option<(&'m str, &'m str)> {
        let (first, rest) = model.split_once('/').unwrap_or(("", model));
        match self.parameter("custom_llm_provider") {
            None => Some((first, rest)).filter(|_| !first.is_empty()),
            Some(said) if said.value == first => Some((first, rest)),
            Some(said) => {
                let known = OPENAI.iter().chain(&OLLAMA).find(|name| **name == said.value);
                known.map(|name| (*name, model))
            }
        }
    }

    /// Whether it is asked to rank: vLLM has that route without `/v1` too.
    fn reranks(&self, name: &str) -> bool {
        let mode = self.config.text(&format!("{}/model_info/mode", self.at));
        mode.is_some_and(|mode| mode.value == "rerank") || name.to_lowercase().contains("rerank")
    }

    /// A parameter with what its variable has; absent: it is not there, or its variable is not known.
    fn parameter(&self, key: &str) -> Option<Spanned<String>> {
        let value = self.config.text(&format!("{}/litellm_params/{key}", self.at))?;
        match value.value.strip_prefix(FROM_ENVIRONMENT) {
            Some(name) => variable(self.service, name.trim()),
            None => Some(value),
        }
    }

    fn key(&self, provider: &str, address: &Place) -> Option<Shown> {
        let at = |key: &str| self.config.value(&format!("{}/litellm_params/{key}", self.at));
        if at("litellm_credential_name").is_some() {
            return None;
        }
        if at("api_key").is_some_and(|value| !value.is_null()) {
            return self.parameter("api_key").map(|value| shown("api_key", value));
        }
        let own = match provider {
            "openai" => variable(self.service, "OPENAI_API_KEY"),
            "hosted_vllm" => variable(self.service, "HOSTED_VLLM_API_KEY"),
            _ => return None,
        };
        let nothing = || Spanned::new(String::new(), address.clone());
        Some(shown("api_key", own.unwrap_or_else(nothing)))
    }
}

//! The `config.yaml` of LiteLLM's proxy (litellm 1.80.5: proxy/proxy_server.py, proxy/proxy_cli.py,
//! litellm_core_utils/get_llm_provider_logic.py; what it puts behind `api_base`, and when it asks nobody,
//! was seen at a server of that release and of 1.108.7).

use super::{Entry, Program, paths, shown, variable};
use crate::path::{ServicePath, clean};
use crate::plan::engine::is_called;
use crate::plan::wiring::Shown;
use crate::plan::wiring::clients::{Api, Purpose, Reads, may_be_told};
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

/// The route that some providers do not put behind an address that has it.
const WHOLE: &str = "chat/completions";

/// The variable that has it look for models in its database.
const IN_DATABASE: &str = "STORE_MODEL_IN_DB";

/// The images in which no key is set.
const PUBLISHED: [&str; 2] = ["berriai/litellm", "berriai/litellm-database"];

/// What may have a key for every model, or say that it is kept elsewhere.
const ELSEWHERE: [&str; 5] = [
    "/litellm_settings/api_key",
    "/litellm_settings/openai_key",
    "/general_settings/key_management_system",
    "/general_settings/store_model_in_db",
    "/environment_variables",
];

fn files(service: &Service) -> Vec<ServicePath> {
    let mut files = paths(service, &["--config", "-c"], "/app");
    let variable = service.variable("CONFIG_FILE_PATH").filter(|_| files.is_empty());
    files.extend(variable.map(|path| super::absolute(service, "/app", path)));
    let mut next = 0;
    while let Some(path) = files.get(next) {
        let more = included(service, path);
        let more: Vec<ServicePath> = more.into_iter().filter(|it| !files.contains(it)).collect();
        files.extend(more);
        next += 1;
    }
    files
}

/// The files that one of them includes, which stand beside it.
fn included(service: &Service, path: &ServicePath) -> Vec<ServicePath> {
    let Some(config) = service.settings.get(path).and_then(Foreign::read) else {
        return Vec::new();
    };
    let Some(folder) = path.as_path().parent() else { return Vec::new() };
    let items = config.below("/include").into_iter().filter_map(|at| config.text(&at));
    items.map(|file| ServicePath::new(clean(&folder.join(file.value)))).collect()
}

/// The variables that have the key of a provider where nothing else says it; none: they are not known.
fn key_variables(provider: &str) -> &'static [&'static str] {
    match provider {
        "openai" | "custom_openai" | "text-completion-openai" => &["OPENAI_API_KEY"],
        "litellm_proxy" => &["LITELLM_PROXY_API_KEY", "OPENAI_API_KEY"],
        "hosted_vllm" => &["HOSTED_VLLM_API_KEY"],
        _ => &[],
    }
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
        let address = self.address()?;
        let is_whole = provider == "hosted_vllm" && address.value.contains(WHOLE);
        let api = match provider {
            _ if is_whole || self.reranks(name) => Api::Other,
            it if OPENAI.contains(&it) => Api::OpenAi,
            it if OLLAMA.contains(&it) => Api::Ollama,
            _ => Api::Other,
        };
        let place = address.place.clone();
        let mut entry = Entry::new(PROGRAM.name, "api_base", Purpose::Base(api), address);
        if api == Api::OpenAi {
            entry.key = self.key(provider, name, &place);
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

    /// Where it is asked; absent: nothing says so, or two say it otherwise.
    fn address(&self) -> Option<Spanned<String>> {
        match (self.parameter("base_url"), self.parameter("api_base")) {
            (Some(one), Some(other)) => (one.value == other.value).then_some(one),
            (one, other) => one.or(other),
        }
    }

    /// Whether it is asked to rank: vLLM has that route without `/v1` too.
    fn reranks(&self, name: &str) -> bool {
        self.is_for("rerank") || name.to_lowercase().contains("rerank")
    }

    fn is_for(&self, mode: &str) -> bool {
        let said = self.config.text(&format!("{}/model_info/mode", self.at));
        said.is_some_and(|said| said.value == mode)
    }

    /// A parameter with what its variable has; absent: it is not there, or its variable is not known.
    fn parameter(&self, key: &str) -> Option<Spanned<String>> {
        let value = self.config.text(&format!("{}/litellm_params/{key}", self.at))?;
        match value.value.strip_prefix(FROM_ENVIRONMENT) {
            Some(name) => variable(self.service, name.trim()),
            None => Some(value),
        }
    }

    fn key(&self, provider: &str, name: &str, address: &Place) -> Option<Shown> {
        if self.has("litellm_credential_name") {
            return None;
        }
        if let Some(own) = self.parameter("api_key") {
            return Some(shown("api_key", own));
        }
        let variables = key_variables(provider);
        let is_open = |name: &&str| may_be_told(self.service, name);
        if variables.is_empty() || variables.iter().any(is_open) || self.has_other_keys() {
            return None;
        }
        if let Some(other) = variables.iter().find_map(|name| variable(self.service, name)) {
            return Some(shown("api_key", other));
        }
        let is_certain = self.has_no_key(name, variables);
        if self.has("api_key") && !is_certain {
            return None;
        }
        let is_vital = is_certain && provider != "hosted_vllm";
        let nothing = Spanned::new(String::new(), address.clone());
        Some(Shown { is_vital, ..shown("api_key", nothing) })
    }

    fn has(&self, key: &str) -> bool {
        let value = self.config.value(&format!("{}/litellm_params/{key}", self.at));
        value.is_some_and(|value| !value.is_null())
    }

    /// Whether keys may come from where they are not seen, or are those of all models.
    fn has_other_keys(&self) -> bool {
        let mut texts = self.service.settings.values().map(Foreign::read);
        let has_one = |text: Foreign| ELSEWHERE.iter().any(|at| text.value(at).is_some());
        self.service.variable(IN_DATABASE).is_some()
            || may_be_told(self.service, IN_DATABASE)
            || self.has("configurable_clientside_auth_params")
            || texts.any(|text| text.is_none_or(has_one))
    }

    /// Whether it is certain that it has none, and it is asked in a way that wants one.
    fn has_no_key(&self, name: &str, variables: &[&str]) -> bool {
        let service = self.service;
        let is_own_image = service.entrypoint.is_none()
            && service.base.is_none()
            && PUBLISHED.iter().any(|image| is_called(service, image));
        let key = format!("{}/litellm_params/api_key", self.at);
        let text = self.config.text(&key);
        let named = text.as_ref().and_then(|text| text.value.strip_prefix(FROM_ENVIRONMENT));
        let mut names = variables.iter().copied().chain(named.map(str::trim));
        // What is written and empty may be filled in where the stack is started.
        let is_said =
            |name: &str| service.environment.contains_key(name) || may_be_told(service, name);
        let is_silent = !names.any(is_said);
        let is_other_api = name.starts_with("responses/") || self.is_for("responses");
        let written = self.config.value(&key);
        let is_read = written.is_none_or(|value| value.is_null() || value.is_string());
        is_own_image && is_silent && is_read && !is_other_api
    }
}

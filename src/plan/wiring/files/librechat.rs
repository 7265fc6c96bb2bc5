//! The `librechat.yaml` of LibreChat (danny-avila/LibreChat at 023696c:
//! packages/api/src/endpoints/custom/initialize.ts and at 003bf57 endpoints/models.ts).

use super::{Entry, Program, shown, variable};
use crate::path::ServicePath;
use crate::plan::wiring::Shown;
use crate::plan::wiring::clients::{Api, Purpose, Reads};
use crate::project::compose::Foreign;
use crate::project::{Service, Text};
use crate::source_map::Spanned;

pub(super) static PROGRAM: Program = Program {
    name: "LibreChat",
    images: &[
        "danny-avila/librechat",
        "danny-avila/librechat-dev",
        "danny-avila/librechat-api",
        "danny-avila/librechat-dev-api",
    ],
    files,
    read,
};

/// What the user of the program is asked for.
const ASKED_FOR: &str = "user_provided";

fn files(service: &Service) -> Vec<ServicePath> {
    let path = service.variable("CONFIG_PATH").filter(|path| !path.is_empty());
    vec![super::absolute(service, "/app", path.unwrap_or("/app/librechat.yaml"))]
}

fn read(service: &Service, _path: &ServicePath, text: &Text) -> Vec<Entry> {
    let Some(config) = Foreign::read(text) else { return Vec::new() };
    let endpoints = config.below("/endpoints/custom").into_iter();
    endpoints.filter_map(|at| Endpoint { service, config: &config, at }.entry()).collect()
}

/// One item of `endpoints.custom`.
struct Endpoint<'a> {
    service: &'a Service,
    config: &'a Foreign,
    at: String,
}

impl Endpoint<'_> {
    fn entry(&self) -> Option<Entry> {
        let address = self.said("baseURL")?;
        // Releases differ in what becomes of a whole address, and of endpoints that are called so.
        let is_whole = self.is("directEndpoint") || address.value.contains("/completions");
        let name = self.config.text(&format!("{}/name", self.at));
        let is_ollama = name.is_some_and(|name| name.value.to_lowercase().starts_with("ollama"));
        let api = if is_whole || is_ollama { Api::Other } else { Api::OpenAi };
        let mut entry = Entry::new(PROGRAM.name, "baseURL", Purpose::Base(api), address);
        entry.key = self.key();
        // What is listed is offered where the server is not asked for its own list.
        if !self.is("models/fetch") {
            let reads = Reads::in_file(PROGRAM.name, "models.default", Purpose::Model);
            entry.models = self.models().into_iter().map(|name| (reads, name)).collect();
        }
        Some(entry)
    }

    fn is(&self, key: &str) -> bool {
        let value = self.config.value(&format!("{}/{key}", self.at));
        value.and_then(serde_json::Value::as_bool) == Some(true)
    }

    fn models(&self) -> Vec<Spanned<String>> {
        let items = self.config.below(&format!("{}/models/default", self.at)).into_iter();
        let name =
            |at: String| self.config.text(&at).or_else(|| self.config.text(&format!("{at}/name")));
        items.filter_map(name).collect()
    }

    fn key(&self) -> Option<Shown> {
        let value = self.said("apiKey").filter(|value| value.value != ASKED_FOR)?;
        Some(shown("apiKey", value))
    }

    /// A value with what its variables have; absent: it is not there, or one of them is not known.
    fn said(&self, key: &str) -> Option<Spanned<String>> {
        let value = self.config.text(&format!("{}/{key}", self.at))?;
        let Some((before, rest)) = value.value.split_once("${") else { return Some(value) };
        let (name, behind) = rest.split_once('}')?;
        let known = variable(self.service, name.trim())?;
        let text = format!("{before}{}{behind}", known.value);
        let place = if before.is_empty() && behind.is_empty() { known.place } else { value.place };
        Some(Spanned::new(text, place)).filter(|it| !it.value.contains("${"))
    }
}

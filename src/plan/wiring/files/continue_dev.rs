//! The configuration of Continue, where the editor that it is a part of runs in a service
//! (continuedev/continue at d0a3c0b: core/llm/index.ts, core/llm/llms).

use super::{Entry, Program, shown};
use crate::path::ServicePath;
use crate::plan::wiring::clients::{Api, Purpose, Reads};
use crate::project::compose::Foreign;
use crate::project::{Service, Text};

pub(super) static PROGRAM: Program = Program { name: "Continue", images: &[], files, read };

/// Its folder in the home of somebody.
const FOLDER: &str = ".continue";

/// The later one is read where both are there.
const FILES: [&str; 2] = ["config.yaml", "config.json"];

/// The model that is whichever the server has.
const ANY: &str = "AUTODETECT";

fn files(service: &Service) -> Vec<ServicePath> {
    let mut found = Vec::new();
    for mount in &service.mounts {
        let target = mount.target.as_path();
        let name = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let parent = target.parent().and_then(|parent| parent.file_name());
        if name == FOLDER {
            found.extend(FILES.map(|file| mount.target.join(file)));
        } else if FILES.contains(&name) && parent.is_some_and(|parent| parent == FOLDER) {
            found.push(mount.target.clone());
        }
    }
    found
}

fn read(service: &Service, path: &ServicePath, text: &Text) -> Vec<Entry> {
    let newer = path.as_path().with_file_name(FILES[0]);
    let is_newer = path.as_path() == newer;
    if !is_newer && service.settings.contains_key(&ServicePath::new(newer)) {
        return Vec::new();
    }
    let Some(config) = Foreign::read(text) else { return Vec::new() };
    let mut models = config.below("/models");
    models.extend(["/tabAutocompleteModel", "/embeddingsProvider"].map(str::to_owned));
    models.into_iter().filter_map(|at| entry(&config, &at)).collect()
}

fn entry(config: &Foreign, at: &str) -> Option<Entry> {
    let said = |key: &str| {
        let value = config.text(&format!("{at}/{key}"))?;
        // A secret that is kept elsewhere is not known.
        (!value.value.contains("{{")).then_some(value)
    };
    let address = said("apiBase")?;
    let api = match said("provider")?.value.as_str() {
        "openai" | "vllm" | "lmstudio" => Api::OpenAi,
        "ollama" => Api::Ollama,
        _ => Api::Other,
    };
    let mut entry = Entry::new(PROGRAM.name, "apiBase", Purpose::Base(api), address);
    entry.key = said("apiKey").map(|value| shown("apiKey", value));
    if api != Api::Other {
        let reads = Reads::in_file(PROGRAM.name, "model", Purpose::Model);
        let model = said("model").filter(|model| model.value != ANY);
        entry.models.extend(model.map(|model| (reads, model)));
    }
    Some(entry)
}

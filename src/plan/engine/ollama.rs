//! Ollama (fb30760: envconfig/config.go, Dockerfile). `ollama serve` names no model: clients do.

use crate::path::ServicePath;
use crate::plan::engine::launch::Launch;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    CommandLine, Engine, Http, ImageHealth, Models, ModelsDir, Paths, Pins, Probe, Releases,
};
use crate::source_map::{Place, Spanned};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Ollama,
    name: "Ollama",
    id: "ollama",
    command_line: CommandLine {
        model: "serve",
        without_model: None,
        context: None,
        tensor_parallel: None,
        pins: Pins::Never,
        refuses_numbers: false,
        quantizations: None,
        variables: &["OLLAMA_"],
        told_by_variables: true,
        known_variables: None,
    },
    models: Models::STORE,
    releases: Releases::UNREAD,
    http: Http {
        port: 11434,
        host: "0.0.0.0",
        openai_roots: &["/v1"],
        lacks_ollama: false,
        image_health: ImageHealth::None,
        // fb30760: server/routes.go.
        paths: Paths {
            well: "/",
            lacks: &["/health", "/healthz", "/readyz", "/livez", "/ready"],
            keyed: None,
            changed_by: &[],
        },
        inner_port: None,
        probe: Probe::Health,
        lists_models: true,
        key_variable: None,
        serves_as: |_| Vec::new(),
        any_name: false,
    },
    log: &[],
    start: Start {
        images: &["ollama/ollama"],
        marks: &["ollama"],
        defaults: |_| Defaults { entrypoint: &["/bin/ollama"], command: &["serve"] },
        scripts: &[],
        other_scripts: &[],
        environment: &[("OLLAMA_HOST", "0.0.0.0:11434")],
        working_dir: Some("/"),
        program,
        takes: |word| word == "serve",
        lacks: |_, _| None,
    },
    grammar: None,
    read,
};

fn program(words: &[Word]) -> Option<usize> {
    (words.first()?.program() == "ollama" && words.get(1)?.is("serve")).then_some(2)
}

fn read(_launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let models = reading.variable("OLLAMA_MODELS");
    if models.is_some() {
        reading.models_dir(models);
    } else {
        // The default of an image that runs as root, which the official one does.
        let path = ServicePath::new("/root/.ollama/models");
        reading.invocation.models_dir = Some(ModelsDir { path, by: None, place: Place::nowhere() });
    }
    reading.invocation.context = reading.number(reading.variable("OLLAMA_CONTEXT_LENGTH"));
    let Some(host) = reading.text(reading.variable("OLLAMA_HOST")) else { return };
    let (scheme, address) = match host.value.split_once("://") {
        Some((scheme, address)) => (scheme, address),
        None => ("", host.value.as_str()),
    };
    let address = address.split('/').next().unwrap_or("");
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => PROFILE.http.port,
    };
    // A bare IPv6 address has colons of its own.
    let bare = 1 < address.matches(':').count() && !address.contains(']');
    let (name, port) = match address.rsplit_once(':') {
        Some((name, port)) if !bare => (name, port.parse().unwrap_or(default)),
        _ => (address, default),
    };
    reading.invocation.port = port;
    reading.invocation.host =
        (!name.is_empty()).then(|| Spanned::new(name.to_owned(), host.place.clone()));
}

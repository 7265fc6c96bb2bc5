//! LocalAI (82c191a: core/cli/run.go, core/config/model_config.go). Its models are described by
//! YAML files in its models folder, which are not read yet.

use crate::plan::engine::arguments::{Arguments, Arity, Flags, Grammar, Setting};
use crate::plan::engine::launch::Launch;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    CommandLine, Engine, Http, ImageHealth, Models, Paths, Pins, Probe, Releases,
};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::LocalAi,
    name: "LocalAI",
    id: "local-ai",
    command_line: CommandLine {
        model: "--models-path /models",
        without_model: None,
        context: None,
        tensor_parallel: None,
        pins: Pins::Never,
        refuses_numbers: false,
        quantizations: None,
        variables: &["LOCALAI_", "MODELS_PATH"],
        told_by_variables: true,
        known_variables: None,
    },
    models: Models::STORE,
    releases: Releases::UNREAD,
    http: Http {
        port: 8080,
        host: "0.0.0.0",
        openai_roots: &[],
        lacks_ollama: false,
        image_health: ImageHealth::Unknown,
        paths: Paths::UNREAD,
        inner_port: None,
        probe: Probe::Health,
        lists_models: true,
        key_variable: None,
        serves_as: |_| Vec::new(),
        any_name: false,
    },
    log: &[],
    start: Start {
        images: &["localai/localai", "go-skynet/local-ai", "mudler/localai"],
        marks: &["localai", "local-ai"],
        // The image's own script hands every word over to the program.
        defaults: |_| Defaults { entrypoint: &["local-ai"], command: &[] },
        scripts: &["entrypoint.sh"],
        other_scripts: &[],
        environment: &[],
        working_dir: Some("/"),
        program,
        takes: |_| true,
        lacks: |_, _| None,
    },
    grammar: Some(&GRAMMAR),
    read,
};

/// Subcommands that do not serve.
const OTHER_COMMANDS: [&str; 10] = [
    "backends",
    "completion",
    "explorer",
    "federated",
    "models",
    "p2p-worker",
    "sound-generation",
    "transcript",
    "tts",
    "util",
];

fn program(words: &[Word]) -> Option<usize> {
    if words.first()?.program() != "local-ai" {
        return None;
    }
    match words.get(1) {
        Some(word) if word.is("run") => Some(2),
        Some(word) if OTHER_COMMANDS.contains(&word.text.as_str()) => None,
        Some(_) | None => Some(1),
    }
}

static GRAMMAR: Grammar = Grammar::plain(FLAGS);

static FLAGS: &[Flags] = &[
    (
        Arity::One,
        &[
            &["--models-path"],
            &["--models-config-file", "--config-file"],
            &["--models"],
            &["--address"],
            &["--context-size"],
            &["--threads", "-t"],
            &["--galleries"],
            &["--preload-models"],
        ],
    ),
    (Arity::Switch, &[&["--debug"], &["--f16"], &["--cors"], &["--parallel-requests"]]),
];

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments, reading.release().as_deref());
    reading.took(&mut arguments);
    let variables = ["LOCALAI_MODELS_PATH", "MODELS_PATH"];
    let models = reading.setting(&arguments, &["--models-path"], &variables);
    reading.models_dir(models);
    let variables = ["LOCALAI_MODELS_CONFIG_FILE", "CONFIG_FILE"];
    let config = reading.setting(&arguments, &["--models-config-file"], &variables);
    if let Some(file) = reading.text(config) {
        reading.unread(format!("the file `{}` is not read yet", file.value), &file.place);
    }
    let more = reading.setting(&arguments, &["--models"], &["LOCALAI_MODELS", "MODELS"]);
    let words = arguments.positionals.iter().map(|word| (word.clone(), "MODELS".to_owned()));
    let named = words.chain(more.map(|Setting { word, by }| (word, by)));
    for (Word { text, place, .. }, by) in named.collect::<Vec<_>>() {
        reading.unread(format!("the models `{text}` of `{by}` are not looked at yet"), &place);
    }
    let context = ["LOCALAI_CONTEXT_SIZE", "CONTEXT_SIZE"];
    let context = reading.setting(&arguments, &["--context-size"], &context);
    reading.invocation.context = reading.number(context);
    let address = reading.setting(&arguments, &["--address"], &["LOCALAI_ADDRESS", "ADDRESS"]);
    let Some(setting) = address else { return };
    let Some((host, _)) = setting.word.text.rsplit_once(':') else { return };
    let host_word = Word { text: host.to_owned(), ..setting.word.clone() };
    let port = setting.word.text.get(host.len() + 1..).unwrap_or("").to_owned();
    let port = Word { text: port, ..setting.word.clone() };
    reading.port(Some(Setting { word: port, by: setting.by.clone() }));
    if !host.is_empty() {
        let host = Some(Setting { word: host_word, by: setting.by });
        reading.invocation.host = reading.text(host);
    }
}

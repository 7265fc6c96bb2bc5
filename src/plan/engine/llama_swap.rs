//! llama-swap, which starts another server for each model that is asked for (v250: llama-swap.go,
//! internal/config, docker/llama-swap.Containerfile).

use indexmap::IndexMap;
use serde_json::Value;

use crate::plan::engine::arguments::{Arguments, Arity, Flags, Grammar};
use crate::plan::engine::launch::Launch;
use crate::plan::engine::llama_cpp;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::shell::{self, Scope};
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    Adapters, CommandLine, DocumentRules, Engine, Gguf, Http, ImageHealth, Layout, Models, Offline,
    Onnx, Paths, Pins, Probe, Reference, Releases, Serves, TemplateReader,
};
use crate::project::Text;
use crate::source_map::Place;
use crate::yaml;

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::LlamaSwap,
    name: "llama-swap",
    id: "llama-swap",
    command_line: CommandLine {
        model: "a model in the file of `-config`",
        without_model: None,
        context: None,
        tensor_parallel: None,
        pins: Pins::Never,
        refuses_numbers: true,
        quantizations: None,
        variables: &["LLAMA_"],
        told_by_variables: true,
        known_variables: None,
    },
    models: Models {
        serves: Serves::Text,
        layout: Layout::GgufFile,
        gguf: Gguf::Any,
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
        offline: Offline { reference: Reference::FirstLine, ..Offline::AS_LIBRARY },
    },
    releases: Releases::UNREAD,
    http: Http {
        port: 8080,
        host: "0.0.0.0",
        openai_roots: &["/v1"],
        lacks_ollama: false,
        image_health: ImageHealth::Unknown,
        paths: Paths::UNREAD,
        inner_port: None,
        probe: Probe::Models,
        lists_models: true,
        key_variable: None,
        serves_as: |_| Vec::new(),
        any_name: false,
    },
    log: &[],
    start: Start {
        images: &["mostlygeek/llama-swap"],
        marks: &["llama-swap"],
        defaults: |_| Defaults {
            entrypoint: &["/app/llama-swap", "-config", "/app/config.yaml"],
            command: &[],
        },
        scripts: &[],
        other_scripts: &[],
        environment: &[("HOME", "/app")],
        working_dir: Some("/app"),
        program,
        takes: |_| false,
        lacks: |_, _| None,
    },
    grammar: Some(&GRAMMAR),
    read,
};

/// How many models a file may name.
const MOST_MODELS: usize = 256;

/// How often macros are looked for in what macros have become.
const MOST_ROUNDS: usize = 4;

fn program(words: &[Word]) -> Option<usize> {
    (words.first()?.program() == "llama-swap").then_some(1)
}

static GRAMMAR: Grammar = Grammar::plain(FLAGS);

/// Go takes one dash for two.
static FLAGS: &[Flags] = &[
    (
        Arity::One,
        &[
            &["--config", "-config"],
            &["--config-dir", "-config-dir"],
            &["--listen", "-listen"],
            &["--tls-cert-file", "-tls-cert-file"],
            &["--tls-key-file", "-tls-key-file"],
        ],
    ),
    (Arity::Switch, &[&["--watch-config", "-watch-config"], &["--version", "-version"]]),
];

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments, None);
    reading.took(&mut arguments);
    reading.no_more(&arguments.positionals);
    if let Some(listen) = arguments.last("--listen")
        && let Some(port) = listen.word.text.rsplit(':').next().and_then(|port| port.parse().ok())
    {
        reading.invocation.port = port;
        reading.invocation.port_place = listen.word.place;
    }
    reading.hub_cache_by(None, &llama_cpp::CACHE);
    let Some(file) = reading.folder(arguments.last("--config")) else { return };
    reading.invocation.config = Some(file.clone());
    let Some(text) = reading.seen(&file.value) else {
        reading.unread(format!("the file `{}` was not seen", file.value), &file.place);
        return;
    };
    let Some(models) = models(&text.text) else {
        reading.unread(format!("the YAML of `{}` cannot be read", file.value), &file.place);
        return;
    };
    if models.len() > MOST_MODELS {
        let message = format!("the file `{}` has more than {MOST_MODELS} models", file.value);
        reading.unread(message, &file.place);
        return;
    }
    for model in &models {
        reading.invocation.served_names.push(model.name.clone());
        start(model, text, &file.place, reading);
    }
    // A template that a command gives takes the place of that of one model, which is not told apart here.
    let is_own = |model: &Swapped| model.command.contains("--chat-template");
    if !models.iter().any(is_own) {
        reading.invocation.templates.reader = Some(TemplateReader::LlamaCpp);
    }
}

/// One model of the file.
struct Swapped {
    name: String,
    /// Its command, macros replaced.
    command: String,
    /// The first line of it, as it is written.
    first_line: String,
}

/// The models of a configuration; absent: it is none.
fn models(text: &str) -> Option<Vec<Swapped>> {
    let config: IndexMap<String, Value> = yaml::from_str(text).ok()?;
    let shared = config.get("macros").cloned().unwrap_or_default();
    let models = config.get("models")?.as_object()?;
    let one = |(name, model): (&String, &Value)| {
        let written = model["cmd"].as_str()?;
        let macros = [model["macros"].clone(), shared.clone()];
        Some(Swapped {
            name: name.clone(),
            command: replaced(written, name, &macros),
            first_line: written.lines().next().unwrap_or_default().trim().to_owned(),
        })
    };
    Some(models.iter().filter_map(one).collect())
}

/// A command with its macros replaced, and its lines made one, without their comments.
fn replaced(written: &str, name: &str, macros: &[Value]) -> String {
    let lines = written.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let lines: Vec<&str> = lines.map(|line| line.trim_end_matches('\\').trim_end()).collect();
    let mut command = lines.join(" ");
    for (key, value) in
        (0..MOST_ROUNDS).flat_map(|_| macros.iter().filter_map(Value::as_object).flatten())
    {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = format!("${{{key}}}");
        // They can be made to double each other.
        let grown = command.matches(&name).count().saturating_mul(value.len());
        if command.len().saturating_add(grown) > shell::LONGEST_WORD {
            break;
        }
        command = command.replace(&name, &value);
    }
    command.replace("${MODEL_ID}", name).replace("${PORT}", "5800").replace('\n', " ")
}

/// Opens what the command of a model opens, if it starts `llama-server`.
fn start(model: &Swapped, text: &Text, place: &Place, reading: &mut Reading<'_>) {
    let line = text.text.lines().position(|line| line.contains(model.first_line.as_str()));
    let place = line.and_then(|line| text.line(line)).unwrap_or(place).clone();
    let parsed = shell::parse(&model.command);
    let words = {
        let scope = Scope {
            environment: &reading.environment,
            arguments: &[],
            place: &place,
            unset_is_empty: false,
        };
        parsed.commands.first().map(|command| scope.words(&command.words)).unwrap_or_default()
    };
    let Some((program, arguments)) = words.split_first() else { return };
    if program.program() == "llama-server" {
        llama_cpp::started(arguments, reading);
    } else {
        let what = format!("what `{}` starts for `{}` is not read", program.text, model.name);
        reading.unread(what, &place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_macros_of_a_command_are_replaced() {
        let config = "\
macros:
  server: /app/llama-server --port ${PORT}
  'ctx': 4096
models:
  small:
    macros: {folder: /models}
    cmd: |
      # its own server
      ${server} \\
      -m ${folder}/${MODEL_ID}.gguf -c ${ctx}
  none: {proxy: 'http://x'}
";
        let models = models(config).unwrap();
        assert_eq!(models.len(), 1);
        let expected = "/app/llama-server --port 5800 -m /models/small.gguf -c 4096";
        assert_eq!(models[0].command.trim(), expected);
        assert!(super::models("[]").is_none());
    }

    #[test]
    fn macros_that_double_each_other_do_not_grow_without_bound() {
        let macros: String = (0..64)
            .map(|at| format!("  m{at}: '${{m{next}}}${{m{next}}}'\n", next = at + 1))
            .collect();
        let config = format!("macros:\n{macros}models:\n  a:\n    cmd: '${{m0}}'\n");
        let models = models(&config).unwrap();
        assert!(models[0].command.len() <= shell::LONGEST_WORD, "{}", models[0].command.len());
    }
}

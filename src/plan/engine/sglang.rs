//! SGLang (sglang 0.5.23: srt/arg_groups/fields, `check_gguf_file`).

use crate::plan::engine::arguments::{Arguments, Arity, Flags, Grammar, Setting};
use crate::plan::engine::launch::Launch;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::vllm::{chat_template, json, known};
use crate::plan::engine::words::{Word, python_module};
use crate::plan::engine::{
    Adapters, Beyond, CommandLine, ContextFlag, Engine, Gguf, Http, Layout, Listed, Models,
    Offline, Onnx, Part, Pins, Probe, Releases, Serves, Trims, config, load_format, names,
};

/// Of an adapter that is named by its repository, `snapshot_download` is asked for `*.json`
/// (srt/lora/lora_config.py, 0.5.23); of models, only for what is not there. Everything else is asked
/// for through transformers, which leads a revision to its commit first (5.19.0, which 0.5.22 brings,
/// not the 5.12.1 of 0.5.21).
const OFFLINE: Offline = Offline {
    trims: &[
        Trims { part: Part::Model, since: [0, 5, 22] },
        Trims { part: Part::Tokenizer, since: [0, 5, 22] },
        Trims { part: Part::Draft, since: [0, 5, 22] },
    ],
    listed: &[Listed { part: Part::Lora, ending: ".json", since: [0, 5, 23] }],
    ..Offline::AS_LIBRARY
};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Sglang,
    name: "SGLang",
    id: "sglang",
    command_line: CommandLine {
        model: "--model-path /models/NAME",
        without_model: Some("sglang would exit at once"),
        context: Some(ContextFlag { flag: "--context-length", beyond: Beyond::Refused }),
        tensor_parallel: None,
        pins: Pins::Revision { of_tokenizer: None },
        refuses_numbers: true,
        refuses_quantization: true,
        variables: &["SGLANG_", "SGL_"],
        known_variables: None,
    },
    models: Models {
        serves: Serves::Text,
        layout: Layout::HubFolder,
        gguf: Gguf::One,
        onnx: Onnx::Never,
        pooling: None,
        adapters: Adapters::Flag("--lora-paths"),
        runs_code: true,
        fast_tokenizer_only: false,
        chat_needs_template: true,
        mistral_wants_both_since: None,
        load_formats: load_format::OF_VLLM,
        own_cache: None,
        offline: OFFLINE,
    },
    releases: Releases::UNREAD,
    http: Http {
        port: 30000,
        probe: Probe::Health,
        lists_models: true,
        key_variable: None,
        serves_as: names::as_named,
    },
    log: &[],
    start: Start {
        images: &["lmsysorg/sglang"],
        marks: &["sglang"],
        defaults: |_| Defaults { entrypoint: &[], command: &[] },
        scripts: &[],
        environment: &[],
        working_dir: None,
        program,
        takes: |_| false,
    },
    grammar: Some(&GRAMMAR),
    read,
};

fn program(words: &[Word]) -> Option<usize> {
    if words.first()?.program() == "sglang" && words.get(1)?.is("serve") {
        return Some(2);
    }
    python_module(words).filter(|(_, module)| *module == "sglang.launch_server").map(|(at, _)| at)
}

static GRAMMAR: Grammar = Grammar {
    table: None,
    flags: FLAGS,
    foreign: &[],
    underscores: false,
    abbreviations: true,
    joined: true,
    dashed_values: false,
    any_text: &[],
    secrets: &[],
};

static FLAGS: &[Flags] = &[
    (
        Arity::One,
        &[
            &["--model-path", "--model"],
            &["--tokenizer-path"],
            &["--tokenizer-mode"],
            &["--served-model-name"],
            &["--context-length"],
            &["--quantization"],
            &["--quantization-param-path"],
            &["--load-format"],
            &["--dtype"],
            &["--download-dir"],
            &["--revision"],
            &["--port"],
            &["--host"],
            &["--tp-size", "--tensor-parallel-size", "--tp"],
            &["--chat-template"],
            &["--config"],
            &["--speculative-draft-model-path", "--speculative-draft-model"],
            &["--speculative-algorithm"],
            &["--mem-fraction-static"],
            &["--uno-lora-path"],
            &["--kt-weight-path"],
            &["--json-model-override-args"],
        ],
    ),
    (Arity::Many, &[&["--lora-paths"]]),
    (
        Arity::Switch,
        &[
            &["--trust-remote-code"],
            &["--skip-tokenizer-init"],
            &["--enable-metrics"],
            &["--is-embedding"],
            &["--enable-lora"],
        ],
    ),
];

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments, reading.release().as_deref());
    if let Some(words) = config::continued(&arguments, &launch.arguments, "--model-path", reading) {
        arguments = Arguments::parse(&GRAMMAR, &words, reading.release().as_deref());
    }
    reading.took(&mut arguments);
    let revision = arguments.last("--revision").and_then(|setting| known(&setting));
    let revision = revision.as_deref();
    reading.path_or_repository(Part::Model, arguments.last("--model-path"), revision);
    reading.path_or_repository(Part::Tokenizer, arguments.last("--tokenizer-path"), revision);
    let draft = arguments.last("--speculative-draft-model-path");
    reading.path_or_repository(Part::Draft, draft, None);
    lora(&arguments, reading);
    reading.path_or_repository(Part::Lora, arguments.last("--uno-lora-path"), None);
    chat_template(arguments.last("--chat-template"), reading);
    let name = reading.text(arguments.last("--served-model-name"));
    reading.invocation.served_names = name.map(|name| name.value).into_iter().collect();
    reading.port(arguments.last("--port"));
    reading.invocation.host = reading.text(arguments.last("--host"));
    reading.invocation.context = reading.number(arguments.last("--context-length"));
    reading.invocation.quantization = reading.text(arguments.last("--quantization"));
    let load_format = reading.text(arguments.last("--load-format"));
    reading.invocation.load_format = load_format.map(|text| text.value);
    reading.invocation.dtype = reading.text(arguments.last("--dtype"));
    reading.invocation.tensor_parallel = reading.number(arguments.last("--tp-size"));
    reading.invocation.trust_remote_code = arguments.is_on("--trust-remote-code");
    reading.invocation.overrides = arguments.any(&["--json-model-override-args"]);
    reading.invocation.skips_tokenizer = arguments.is_on("--skip-tokenizer-init");
    reading.invocation.download_dir = reading.folder(arguments.last("--download-dir"));
    reading.hub_cache(None);
    reading.no_more(&arguments.positionals);
}

/// `path`, `name=path`, or JSON with `lora_path`.
fn lora(arguments: &Arguments, reading: &mut Reading<'_>) {
    for word in arguments.all("--lora-paths").next_back().iter().flat_map(|given| &given.values) {
        let json = json(&word.text);
        let path = match &json {
            Some(entry) => entry.get("lora_path").and_then(|path| path.as_str()).unwrap_or(""),
            None => word.text.split_once('=').map_or(word.text.as_str(), |(_, path)| path),
        };
        let word = Word { text: path.to_owned(), ..word.clone() };
        let by = "--lora-paths".to_owned();
        reading.path_or_repository(Part::Lora, Some(Setting { word, by }), None);
    }
}

//! Infinity (fcb951c: infinity_emb/env.py, infinity_emb/inference/select_model.py).

use crate::plan::engine::arguments::{Arguments, Grammar, Setting};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::launch::{Lack, Launch};
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::ReleaseTable;
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    Adapters, CommandLine, DocumentRules, Engine, Gguf, Http, ImageHealth, KnownVariables, Layout,
    Models, Offline, Onnx, Part, Paths, Pins, Probe, Releases, Serves,
};
use crate::project::Service;

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Infinity,
    name: "Infinity",
    id: "infinity",
    command_line: CommandLine {
        model: "--model-id /models/NAME",
        without_model: Some("infinity would download and serve `michaelfeil/bge-small-en-v1.5`"),
        context: None,
        tensor_parallel: None,
        pins: Pins::Revision { of_tokenizer: None },
        refuses_numbers: true,
        quantizations: None,
        variables: &["INFINITY_"],
        told_by_variables: true,
        known_variables: Some(VARIABLES),
    },
    models: Models {
        serves: Serves::Embeddings,
        layout: Layout::HubFolder,
        gguf: Gguf::Never,
        onnx: Onnx::Any,
        pooling: None,
        adapters: Adapters::Never,
        adapter_rules: None,
        draft_rules: None,
        runs_code: true,
        documents: DocumentRules::TRANSFORMERS,
        fast_tokenizer_only: false,
        chat_needs_template: false,
        mistral_wants_both_since: None,
        load_formats: &[],
        own_cache: None,
        offline: Offline::AS_LIBRARY,
    },
    releases: Releases::UNREAD,
    http: Http {
        port: 7997,
        host: "0.0.0.0",
        openai_roots: &[],
        lacks_ollama: true,
        image_health: ImageHealth::Unknown,
        paths: Paths::UNREAD,
        inner_port: None,
        probe: Probe::Health,
        lists_models: false,
        key_variable: None,
        serves_as: |_| Vec::new(),
        any_name: false,
    },
    log: &[],
    start: Start {
        images: &["michaelf34/infinity"],
        // `infinity` alone is the name of a database.
        marks: &["infinity-emb"],
        defaults: |_| Defaults { entrypoint: &["infinity_emb"], command: &["v2"] },
        scripts: &[],
        other_scripts: &[],
        environment: &[("HF_HOME", "/app/.cache/huggingface")],
        working_dir: Some("/app"),
        program,
        takes: |word| word == "v2",
        lacks,
    },
    grammar: Some(&GRAMMAR),
    read,
};

const VARIABLES: KnownVariables = KnownVariables {
    table: ReleaseTable::new(include_str!("infinity/variables.txt")),
    prefix: Some("INFINITY_"),
    plugins: &[],
    flags: &[],
    addresses: &[],
    strict: None,
};

fn program(words: &[Word]) -> Option<usize> {
    let first = words.first()?;
    (first.program() == "infinity_emb" && words.get(1)?.is("v2")).then_some(2)
}

/// Its program has one subcommand that serves (infinity_emb/cli.py).
fn lacks(_: &Service, words: &[Word]) -> Option<Lack> {
    let next = words.get(1).map_or("", |word| word.text.as_str());
    let is_other = matches!(next, "help" | "--help");
    let instead = usize::from(!next.is_empty() && !next.starts_with('-'));
    let is_own = words.first()?.program() == "infinity_emb" && !is_other;
    is_own.then_some(Lack { at: 1, instead, words: &["v2"], fix: None })
}

/// click takes the word behind a flag for its value, whatever it is (8.3.1 `parser.py`,
/// `_get_value_from_state`).
static GRAMMAR: Grammar = Grammar { dashed_values: true, ..Grammar::plain_table(&FLAGS) };

static FLAGS: FlagTable = FlagTable::new(include_str!("infinity/flags.txt"));

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments, reading.release().as_deref());
    reading.took(&mut arguments);
    let models = each("--model-id", "INFINITY_MODEL_ID", &arguments, reading);
    let revisions = each("--revision", "INFINITY_REVISION", &arguments, reading);
    for (index, model) in models.into_iter().enumerate() {
        let revision = revisions.get(index).and_then(Setting::text).map(str::to_owned);
        reading.path_or_repository(Part::Model, Some(model), revision.as_deref());
    }
    let names = each("--served-model-name", "INFINITY_SERVED_MODEL_NAME", &arguments, reading);
    let names = names.iter().filter_map(|name| Some(name.text()?.to_owned()));
    reading.invocation.served_names = names.collect();
    reading.port(reading.setting(&arguments, &["--port"], &["INFINITY_PORT"]));
    let host = reading.setting(&arguments, &["--host"], &["INFINITY_HOST"]);
    reading.invocation.host = reading.text(host);
    let prefix = reading.setting(&arguments, &["--url-prefix"], &["INFINITY_URL_PREFIX"]);
    reading.invocation.api_prefix = reading.text(prefix);
    let dtype = reading.setting(&arguments, &["--dtype"], &["INFINITY_DTYPE"]);
    reading.invocation.dtype = reading.text(dtype);
    // On unless it is taken back.
    reading.invocation.trust_remote_code =
        arguments.all("--no-trust-remote-code").next_back().is_none();
    reading.hub_cache(None);
    reading.no_more(&arguments.positionals);
}

/// The values of a flag that may be repeated, else those of the variable, with `;` between.
fn each(flag: &str, variable: &str, arguments: &Arguments, reading: &Reading<'_>) -> Vec<Setting> {
    let given: Vec<Setting> = arguments
        .all(flag)
        .filter_map(|given| {
            Some(Setting { word: given.values.first()?.clone(), by: given.written.clone() })
        })
        .collect();
    if !given.is_empty() {
        return given;
    }
    let Some(setting) = reading.variable(variable) else { return given };
    let parts = setting.word.text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| Setting {
            word: Word { text: part.to_owned(), ..setting.word.clone() },
            by: setting.by.clone(),
        })
        .collect()
}

//! The server of llama-cpp-python (0.3.35: llama_cpp/server/settings.py, cli.py, __main__.py, model.py;
//! docker/simple).

use crate::plan::engine::arguments::{Arguments, Grammar, Setting};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::launch::Launch;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::{Word, python_module};
use crate::plan::engine::{
    Adapters, CommandLine, DocumentRules, Engine, Gguf, Http, ImageHealth, Layout, Models, Named,
    Offline, Onnx, Part, Paths, Pins, Probe, Releases, Serves, TemplateReader,
};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::LlamaCppPython,
    name: "llama-cpp-python",
    id: "llama-cpp-python",
    command_line: CommandLine {
        model: "--model /models/NAME.gguf",
        without_model: Some("its server would exit at once"),
        context: None,
        tensor_parallel: None,
        pins: Pins::Never,
        refuses_numbers: true,
        quantizations: None,
        variables: &[],
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
        offline: Offline::AS_LIBRARY,
    },
    releases: Releases::UNREAD,
    http: Http {
        port: 8000,
        host: "localhost",
        openai_roots: &["/v1"],
        lacks_ollama: true,
        image_health: ImageHealth::Unknown,
        paths: Paths::UNREAD,
        inner_port: None,
        probe: Probe::Models,
        lists_models: true,
        key_variable: Some("API_KEY"),
        serves_as: |_| Vec::new(),
        // abetlen/llama-cpp-python at 0b891f4, llama_cpp/server/model.py, `LlamaProxy.__call__`.
        any_name: true,
    },
    log: &[],
    start: Start {
        images: &["abetlen/llama-cpp-python"],
        marks: &[],
        // Its script runs the same program by way of uvicorn.
        defaults: |_| Defaults { entrypoint: &[], command: &["python3", "-m", "llama_cpp.server"] },
        scripts: &[],
        other_scripts: &[],
        environment: &[("HOST", "0.0.0.0"), ("PORT", "8000")],
        working_dir: Some("/app"),
        program,
        takes: |_| false,
        lacks: |_, _| None,
    },
    grammar: Some(&GRAMMAR),
    read,
};

fn program(words: &[Word]) -> Option<usize> {
    python_module(words).filter(|(_, module)| *module == "llama_cpp.server").map(|(at, _)| at)
}

static GRAMMAR: Grammar = Grammar { abbreviations: true, ..Grammar::plain_table(&FLAGS) };

static FLAGS: FlagTable = FlagTable::new(include_str!("llama_cpp_python/flags.txt"));

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let release = reading.release();
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments, release.as_deref());
    reading.took(&mut arguments);
    // A setting that no flag gives is looked for in the variable of its name.
    let get = |reading: &Reading<'_>, flag: &str, variable: &str| {
        reading.setting(&arguments, &[flag], &[variable])
    };
    if let Some(file) = reading.text(get(reading, "--config_file", "CONFIG_FILE")) {
        reading.unread(format!("the file `{}` is not read yet", file.value), &file.place);
    }
    let model = get(reading, "--model", "MODEL");
    match get(reading, "--hf_model_repo_id", "HF_MODEL_REPO_ID") {
        Some(repository) => of_hub(repository, model, reading),
        None => {
            reading.path(Part::Model, model);
            reading.path(Part::Mmproj, get(reading, "--clip_model_path", "CLIP_MODEL_PATH"));
        }
    }
    reading.path(Part::Lora, get(reading, "--lora_path", "LORA_PATH"));
    let tokenizer = "--hf_pretrained_model_name_or_path";
    let tokenizer = get(reading, tokenizer, "HF_PRETRAINED_MODEL_NAME_OR_PATH");
    reading.path_or_repository(Part::Tokenizer, tokenizer, None);
    let config = get(reading, "--hf_tokenizer_config_path", "HF_TOKENIZER_CONFIG_PATH");
    reading.path(Part::Text, config);
    let alias = reading.text(get(reading, "--model_alias", "MODEL_ALIAS"));
    reading.invocation.served_names = alias.map(|alias| alias.value).into_iter().collect();
    // What the variables say of these two stands above the flags.
    reading.port(reading.setting(&arguments, &[], &["PORT"]).or(arguments.last("--port")));
    let host = reading.setting(&arguments, &[], &["HOST"]).or(arguments.last("--host"));
    reading.invocation.host = reading.text(host);
    reading.invocation.context = reading.number(get(reading, "--n_ctx", "N_CTX"));
    // Every template of the file becomes a handler, whichever is used (llama_cpp/llama.py,
    // `Llama.__init__`).
    reading.invocation.templates.reader = Some(TemplateReader::Jinja2);
    reading.invocation.templates.at_start = true;
    reading.hub_cache(None);
    reading.no_more(&arguments.positionals);
}

/// Opens a file of the hub; its name may be a pattern.
fn of_hub(repository: Setting, file: Option<Setting>, reading: &mut Reading<'_>) {
    let by = repository.by.clone();
    let Some(id) = reading.text(Some(repository)) else { return };
    let Some(file) = reading.text(file) else { return };
    if file.value.contains(['*', '?', '[']) {
        let what = format!("which file of `{}` is meant by `{}`", id.value, file.value);
        reading.unread(format!("{what} is not known"), &file.place);
        return;
    }
    let named = Named::Repository { id: id.value, revision: None, file: Some(file.value) };
    reading.open(Part::Model, named, by, id.place);
}

//! LMDeploy's OpenAI-compatible server (lmdeploy 0.16.0: cli/serve.py, cli/utils.py, utils.py, archs.py).

use crate::plan::engine::arguments::{Arguments, Grammar, Setting};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::launch::{Lack, Launch};
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::vllm::{chat_template, known};
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    Adapters, CommandLine, DocumentRules, Engine, Gguf, Http, ImageHealth, Layout, Models, Offline,
    Onnx, Part, Paths, Pins, Probe, Releases, Serves, SplitRules, names,
};
use crate::project::Service;

/// The first release that asks before it runs the code of a model (0.13.0 cli/utils.py, not 0.12.3, which
/// always does).
const ASKS_FOR_CODE_SINCE: [u32; 3] = [0, 13, 0];

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Lmdeploy,
    name: "LMDeploy",
    id: "lmdeploy",
    command_line: CommandLine {
        model: "/models/NAME",
        without_model: Some("lmdeploy would exit at once"),
        context: None,
        tensor_parallel: Some(&SplitRules::of_heads("--tp")),
        pins: Pins::Revision { of_tokenizer: None },
        refuses_numbers: true,
        quantizations: None,
        variables: &["LMDEPLOY_"],
        told_by_variables: false,
        known_variables: None,
    },
    models: Models {
        serves: Serves::Text,
        layout: Layout::HubFolder,
        gguf: Gguf::Never,
        onnx: Onnx::Never,
        pooling: None,
        adapters: Adapters::Flag("--adapters"),
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
        port: 23333,
        host: "0.0.0.0",
        openai_roots: &["/v1"],
        lacks_ollama: true,
        image_health: ImageHealth::Unknown,
        paths: Paths::UNREAD,
        inner_port: None,
        probe: Probe::Health,
        lists_models: true,
        key_variable: None,
        serves_as: names::as_named,
        any_name: false,
    },
    log: &[],
    start: Start {
        images: &["openmmlab/lmdeploy"],
        marks: &["lmdeploy"],
        // The image of CUDA below it hands every word over.
        defaults: |_| Defaults { entrypoint: &[], command: &[] },
        scripts: &[],
        other_scripts: &[],
        environment: &[],
        working_dir: None,
        program,
        takes: |_| false,
        lacks,
    },
    grammar: Some(&GRAMMAR),
    read,
};

fn program(words: &[Word]) -> Option<usize> {
    let is_server = words.first()?.program() == "lmdeploy"
        && words.get(1)?.is("serve")
        && words.get(2)?.is("api_server");
    is_server.then_some(3)
}

/// Flags, or the name of a model, alone start nothing.
fn lacks(_: &Service, words: &[Word]) -> Option<Lack> {
    let program = usize::from(words.first()?.program() == "nvidia_entrypoint.sh");
    let first = words.get(program)?;
    let words = &["lmdeploy", "serve", "api_server"];
    let is_flag = first.text.starts_with('-');
    is_flag.then_some(Lack { at: program, instead: 0, words, fix: None })
}

static GRAMMAR: Grammar = Grammar { abbreviations: true, ..Grammar::plain_table(&FLAGS) };

static FLAGS: FlagTable = FlagTable::new(include_str!("lmdeploy/flags.txt"));

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let release = reading.release();
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments, release.as_deref());
    reading.took(&mut arguments);
    // utils.py `get_model`.
    reading.ask_modelscope("LMDEPLOY_USE_MODELSCOPE", &["true"]);
    let revision = arguments.last("--revision").and_then(|setting| known(&setting));
    let positional = (!arguments.positionals.is_empty()).then(|| arguments.positionals.remove(0));
    let model = positional.map(|word| Setting { word, by: "model_path".to_owned() });
    reading.path_or_repository(Part::Model, model, revision.as_deref());
    reading.path_or_repository(Part::Draft, arguments.last("--speculative-draft-model"), None);
    adapters(&arguments, reading);
    chat_template(arguments.last("--chat-template"), reading);
    let name = reading.text(arguments.last("--model-name"));
    reading.invocation.served_names = name.map(|name| name.value).into_iter().collect();
    reading.port(arguments.last("--server-port"));
    reading.invocation.host = reading.text(arguments.last("--server-name"));
    reading.invocation.dtype = reading.text(arguments.last("--dtype"));
    reading.invocation.tensor_parallel = reading.number(arguments.last("--tp"));
    reading.invocation.trust_remote_code =
        arguments.is_on("--trust-remote-code") || !reading.invocation.is_since(ASKS_FOR_CODE_SINCE);
    reading.invocation.overrides = arguments.any(&["--hf-overrides"]);
    // It is the folder of a cache in the hub's own layout.
    let download = reading.text(arguments.last("--download-dir"));
    reading.hub_cache(download.map(|folder| Setting {
        word: Word::known(folder.value, &folder.place),
        by: "--download-dir".to_owned(),
    }));
    reading.no_more(&arguments.positionals);
}

/// One path, or `name=path` of several.
fn adapters(arguments: &Arguments, reading: &mut Reading<'_>) {
    let given = arguments.all("--adapters").next_back();
    let words: Vec<Word> = given.map(|given| given.values.clone()).unwrap_or_default();
    for word in words {
        let path = word.text.split_once('=').map_or(word.text.as_str(), |(_, path)| path);
        let word = Word { text: path.trim().to_owned(), ..word.clone() };
        let setting = Setting { word, by: "--adapters".to_owned() };
        reading.path_or_repository(Part::Lora, Some(setting), None);
    }
}

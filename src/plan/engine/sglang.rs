//! SGLang (sglang 0.5.23: srt/arg_groups/fields, `check_gguf_file`).

use crate::plan::engine::arguments::{Arguments, Grammar, Setting, iec_number};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::launch::{Lack, Launch};
use crate::plan::engine::positions::times;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::quantizations::Quantizations;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::transformers::Library;
use crate::plan::engine::vllm::{chat_template, json, known};
use crate::plan::engine::words::{Word, python_module};
use crate::plan::engine::{
    Adapters, Beyond, CommandLine, Complaint, ContextFlag, DocumentRules, Engine, Family, Gguf,
    GpuUse, Http, ImageHealth, Layout, Limits, Listed, Longest, Models, Offline, Onnx, Part, Paths,
    Pins, Positions, Probe, Reader, Releases, Scaling, Serves, SplitRules, Surplus, TemplateReader,
    Trims, WholePieces, config, load_format, names,
};
use crate::project::Service;
use crate::source_map::Spanned;

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

const DOCUMENTS: DocumentRules = DocumentRules {
    reader: Reader::Transformers(Some(Library::new(include_str!("sglang/transformers.txt")))),
    ..DocumentRules::TRANSFORMERS
};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Sglang,
    name: "SGLang",
    id: "sglang",
    command_line: CommandLine {
        model: "--model-path /models/NAME",
        without_model: Some("sglang would exit at once"),
        context: Some(ContextFlag {
            flag: "--context-length",
            beyond: Beyond::Refused,
            longest: Some(longest),
        }),
        // srt/distributed/utils.py `divide`, of the models' heads (0.5.23).
        tensor_parallel: Some(&SPLIT),
        pins: Pins::Revision { of_tokenizer: None },
        refuses_numbers: true,
        quantizations: Some(Quantizations::new(include_str!("sglang/quantizations.txt"))),
        variables: &["SGLANG_", "SGL_"],
        told_by_variables: false,
        known_variables: None,
    },
    models: Models {
        serves: Serves::Text,
        layout: Layout::HubFolder,
        gguf: Gguf::One,
        onnx: Onnx::Never,
        pooling: None,
        adapters: Adapters::Flag("--lora-paths"),
        adapter_rules: None,
        draft_rules: None,
        runs_code: true,
        documents: DOCUMENTS,
        fast_tokenizer_only: false,
        chat_needs_template: true,
        mistral_wants_both_since: None,
        load_formats: load_format::OF_VLLM,
        own_cache: None,
        offline: OFFLINE,
    },
    releases: Releases { newest_read: Some([0, 5, 23]), ..Releases::UNREAD },
    http: Http {
        port: 30000,
        host: "127.0.0.1",
        openai_roots: &["/v1"],
        lacks_ollama: false,
        image_health: ImageHealth::None,
        // sglang 0.3.6 to 0.5.23: srt/server.py, srt/entrypoints/http_server.py.
        paths: Paths {
            well: "/health",
            lacks: &["/healthz", "/readyz", "/livez"],
            keyed: None,
            changed_by: &[],
        },
        inner_port: None,
        probe: Probe::Health,
        lists_models: true,
        key_variable: None,
        serves_as: names::as_named,
        any_name: false,
    },
    log: &[],
    start: Start {
        images: &["lmsysorg/sglang"],
        marks: &["sglang"],
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
    if words.first()?.program() == "sglang" && words.get(1)?.is("serve") {
        return Some(2);
    }
    python_module(words).filter(|(_, module)| *module == "sglang.launch_server").map(|(at, _)| at)
}

/// Its image runs what it is given: flags alone start nothing.
fn lacks(_: &Service, words: &[Word]) -> Option<Lack> {
    let program = usize::from(words.first()?.program() == "nvidia_entrypoint.sh");
    let is_flag = words.get(program)?.text.starts_with('-');
    let words = &["python3", "-m", "sglang.launch_server"];
    is_flag.then_some(Lack { at: program, instead: 0, words, fix: None })
}

static GRAMMAR: Grammar = Grammar { abbreviations: true, ..Grammar::plain_table(&FLAGS) };

static FLAGS: FlagTable = FlagTable::new(include_str!("sglang/flags.txt"));

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments, reading.release().as_deref());
    if let Some(words) = config::continued(&arguments, &launch.arguments, "--model-path", reading) {
        arguments = Arguments::parse(&GRAMMAR, &words, reading.release().as_deref());
    }
    reading.took(&mut arguments);
    // srt/environ.py, 0.5.23.
    reading.ask_modelscope("SGLANG_USE_MODELSCOPE", &["true", "1", "yes", "y"]);
    let revision = arguments.last("--revision").and_then(|setting| known(&setting));
    let revision = revision.as_deref();
    let positional = positional(launch, &mut arguments, reading);
    let model = arguments.last("--model-path").or(positional);
    reading.path_or_repository(Part::Model, model, revision);
    reading.path_or_repository(Part::Tokenizer, arguments.last("--tokenizer-path"), revision);
    let draft = arguments.last("--speculative-draft-model-path");
    reading.path_or_repository(Part::Draft, draft, None);
    lora(&arguments, reading);
    reading.path_or_repository(Part::Lora, arguments.last("--uno-lora-path"), None);
    chat_template(arguments.last("--chat-template"), reading);
    // One of its own may be asked for by name.
    let is_named = arguments
        .last("--chat-template")
        .is_some_and(|setting| setting.text().is_none_or(|text| !names::is_path_like(text)));
    reading.invocation.templates.reader = (!is_named).then_some(TemplateReader::Jinja2);
    let name = reading.text(arguments.last("--served-model-name"));
    reading.invocation.served_names = name.map(|name| name.value).into_iter().collect();
    reading.port(arguments.last("--port"));
    reading.invocation.host = reading.text(arguments.last("--host"));
    reading.invocation.context = context(arguments.last("--context-length"), reading);
    reading.invocation.exceeds_context = exceeds_context(reading);
    reading.invocation.quantization = reading.text(arguments.last("--quantization"));
    let load_format = reading.text(arguments.last("--load-format"));
    reading.invocation.load_format = load_format.map(|text| text.value);
    reading.invocation.dtype = reading.text(arguments.last("--dtype"));
    reading.invocation.tensor_parallel = reading.number(arguments.last("--tp-size"));
    spread(&arguments, reading);
    reading.invocation.trust_remote_code = arguments.is_on("--trust-remote-code");
    reading.invocation.overrides = arguments.any(&["--json-model-override-args"]);
    reading.invocation.skips_tokenizer = arguments.is_on("--skip-tokenizer-init");
    reading.invocation.download_dir = reading.folder(arguments.last("--download-dir"));
    reading.hub_cache(None);
    reading.no_more(&arguments.positionals);
    memory(&arguments, reading);
}

/// Complains of a share of the memory that is none: the cache gets what that share leaves beside the weights
/// (0.5.3 srt/model_executor/model_runner.py `profile_max_num_token`, 0.5.23
/// srt/model_executor/pool_configurator.py), or fewer tokens where they are counted.
fn memory(arguments: &Arguments, reading: &mut Reading<'_>) {
    let Some(setting) = arguments.last("--mem-fraction-static") else { return };
    let Some(share) = setting.text().and_then(|text| text.trim().parse::<f64>().ok()) else {
        return;
    };
    let is_counted = arguments.last("--max-total-tokens").is_some();
    if share <= 0.0 || share > 1.0 && !is_counted {
        let by = setting.by.clone();
        let complaint = Complaint::BadValue {
            by,
            value: setting.word.text.clone(),
            expected: "the share of the memory, above 0 and at most 1".to_owned(),
            is_certain: true,
        };
        reading.complain(complaint, &setting.word.place);
    }
}

/// Heads: the attention of each model, which asserts it of heads of keys and values as well. Widths and the
/// vocabulary, padded to 64: srt/layers/linear.py and vocab_parallel_embedding.py, `divide`. All of that in
/// 0.3.6, 0.4.6.post5, 0.5.2 and 0.5.23, where there is the model.
const SPLIT: SplitRules = SplitRules {
    flag: "--tp-size",
    families: &[Family {
        architectures: &[
            "Gemma2ForCausalLM",
            "Gemma3ForCausalLM",
            "GraniteForCausalLM",
            "LlamaForCausalLM",
            "MistralForCausalLM",
            "Phi3ForCausalLM",
            "Qwen2ForCausalLM",
            "Qwen3ForCausalLM",
        ],
        // srt/layers/quantization/fp8.py `Fp8LinearMethod`, 0.4.6.post5, 0.5.2 and 0.5.23.
        pieces: WholePieces::Blocks([0, 4, 6]),
        since: [0, 3, 6],
        ..Family::PLAIN
    }],
    stages: None,
};

/// Every rank takes the GPU of its number, counted from `--base-gpu-id` on (srt/entrypoints/engine.py,
/// 0.5.23).
fn spread(arguments: &Arguments, reading: &mut Reading<'_>) {
    let pipeline = reading.number(arguments.last("--pp-size"));
    let first = arguments.last("--base-gpu-id");
    let first = first.as_ref().and_then(Setting::text).and_then(|text| text.parse().ok());
    let is_elsewhere =
        arguments.any(&["--nnodes", "--gpu-id-step", "--dist-init-addr", "--use-ray"]);
    let gpu = gpu(arguments, reading);
    let spread = &mut reading.invocation.spread;
    spread.gpu = gpu;
    spread.pipeline_parallel = pipeline;
    spread.first = first.unwrap_or(0);
    spread.whole_attention = arguments.is_on("--enable-dp-attention");
    spread.surplus = if is_elsewhere { Surplus::Elsewhere } else { Surplus::Doubtful };
}

/// It looks for a device where none is named, and ends without one (srt/utils/common.py `get_device`, 0.4.3
/// to 0.5.23).
fn gpu(arguments: &Arguments, reading: &Reading<'_>) -> GpuUse {
    let device = arguments.last("--device");
    let is_other = device.as_ref().is_some_and(|it| it.text() != Some("cuda"));
    let on_cpu = reading.environment.get("SGLANG_USE_CPU_ENGINE").is_some();
    let is_needed = reading.invocation.on_nvidia && !is_other && !on_cpu;
    if is_needed { GpuUse::Needed } else { GpuUse::Unknown }
}

/// The model that is the first word behind `sglang serve` (0.5.16 cli/serve.py,
/// `_normalize_positional_model_path`); older releases refuse it.
fn positional(
    launch: &Launch<'_>,
    arguments: &mut Arguments,
    reading: &Reading<'_>,
) -> Option<Setting> {
    let is_serve = launch.program.last().is_some_and(|word| word.is("serve"));
    let first = launch.arguments.first().filter(|_| is_serve)?;
    if arguments.positionals.first() != Some(first) || !reading.invocation.is_since([0, 5, 16]) {
        return None;
    }
    let word = arguments.positionals.remove(0);
    Some(Setting { word, by: "MODEL".to_owned() })
}

/// `--context-length`: since 0.5.10 `32k` is 32 000 and `32Ki` is 32 768 (srt/utils/common.py
/// `human_readable_int`).
fn context(setting: Option<Setting>, reading: &mut Reading<'_>) -> Option<Spanned<u64>> {
    let by = setting.as_ref()?.by.clone();
    let text = reading.text(setting)?;
    if text.value.trim().parse::<i64>().is_ok_and(|number| number < 0) {
        // Its parser takes it.
        return None;
    }
    let is_human = reading.invocation.is_since([0, 5, 10]);
    let number = if is_human { iec_number(&text.value) } else { text.value.parse().ok() };
    if number.is_none() {
        reading.complain(Complaint::NotANumber { by, value: text.value.clone() }, &text.place);
    }
    Some(Spanned::new(number?, text.place))
}

/// The keys that can hold a length, the strongest first (0.5.2 srt/hf_transformers_utils.py, 0.5.23
/// srt/utils/hf_transformers/common.py, `get_context_length`).
const LENGTHS: [&str; 5] = [
    "max_sequence_length",
    "seq_length",
    "max_seq_len",
    "model_max_length",
    "max_position_embeddings",
];

/// The longest context that it serves without being forced to: as in [`LENGTHS`].
fn longest(said: &Positions, _: &Limits, _: Option<&[u32]>) -> Option<Longest> {
    let Some(length) = LENGTHS.iter().find_map(|key| said.length(key)) else {
        return said.length_of_class().map(|least| Longest { least, most: None });
    };
    let is_scaled = |scaling: &&Scaling| scaling.original.is_some() || scaling.kind == "llama3";
    let scaling = said.scalings.first().filter(|scaling| !is_scaled(scaling));
    let most = times(length, scaling.and_then(|scaling| scaling.factor).unwrap_or(1.0));
    Some(Longest { least: most, most: Some(most) })
}

/// Whether it takes a longer one: until 0.4.10 unless it is told not to, since 0.5.2 only if it is told
/// to (srt/configs/model_config.py, `_derive_context_length`; srt/environ.py).
fn exceeds_context(reading: &Reading<'_>) -> bool {
    let told = reading.variable("SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN");
    match told.as_ref().and_then(Setting::text) {
        Some(text) => ["1", "true", "yes", "y"].contains(&text.trim().to_lowercase().as_str()),
        None => !reading.invocation.is_since([0, 5, 2]),
    }
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

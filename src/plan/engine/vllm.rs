//! vLLM's OpenAI-compatible server (vllm 0.12.0 and 0.33.0: engine/arg_utils.py,
//! entrypoints/openai/cli_args.py, utils/argparse_utils.py, transformers_utils/config.py,
//! docker/Dockerfile).

mod adapters;
mod context;
mod demands;
mod environment;
mod keys;
mod level;
mod listed;
mod log;
mod memory;
mod model;
mod registries;
mod spread;

use serde_json::Value;

use crate::plan::engine::arguments::{Arguments, Grammar, Setting, human_number};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::image::Image;
use crate::plan::engine::launch::{Lack, Launch};
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::quantizations::Quantizations;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_dates::ReleaseDates;
use crate::plan::engine::release_table::{ReleaseTable, numbers};
use crate::plan::engine::transformers::Library;
use crate::plan::engine::words::{Word, python_module};
use crate::plan::engine::{
    Adapters, Architectures, Beyond, CommandLine, Complaint, ContextFlag, DocumentRules,
    DraftRules, Engine, Gguf, Http, ImageHealth, KnownVariables, Layout, Listed, Models, Offline,
    Onnx, Part, Paths, Pins, Probe, Reader, Releases, Serves, Speculation, TemplateReader,
    Templates, TensorRules, Trims, config, load_format, names,
};
use crate::project::Service;
use crate::source_map::Spanned;

/// With `HF_HUB_OFFLINE`, the model and its tokenizer become their folders in the ordinary cache
/// (`EngineArgs.__post_init__`, 0.10.2 and newer, not 0.10.1), and weights are read there. Adapters
/// and drafts keep their names: `snapshot_download` is asked for the whole of an adapter
/// (lora/utils.py) and for `*.safetensors` of a draft (model_executor/model_loader/weight_utils.py).
/// 0.25.0 is the first release after huggingface_hub 1.22.0, which compares with the listing. Models
/// are not concerned: since 0.25.0 no file of theirs is asked for (transformers_utils/repo_utils.py
/// `get_model_path`). The revision of a draft is led to its commit first (config/model.py, 0.28.0 and
/// newer, not 0.27.1).
const OFFLINE: Offline = Offline {
    one_cache_since: Some([0, 10, 2]),
    trims: &[Trims { part: Part::Draft, since: [0, 28, 0] }],
    listed: &[
        Listed { part: Part::Lora, ending: "", since: [0, 25, 0] },
        Listed { part: Part::Draft, ending: ".safetensors", since: [0, 25, 0] },
    ],
    ..Offline::AS_LIBRARY
};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Vllm,
    name: "vLLM",
    id: "vllm",
    command_line: CommandLine {
        model: "--model /models/NAME",
        without_model: Some(
            "vLLM would download and serve a small default model of its own choice",
        ),
        context: Some(ContextFlag {
            flag: "--max-model-len",
            beyond: Beyond::Refused,
            longest: Some(context::longest),
        }),
        tensor_parallel: Some(&spread::SPLIT),
        // `vllm/config/model.py`: without it `tokenizer_revision` is `revision`.
        pins: Pins::Revision { of_tokenizer: Some("--tokenizer-revision") },
        refuses_numbers: true,
        quantizations: Some(Quantizations::new(include_str!("vllm/quantizations.txt"))),
        variables: &["VLLM_"],
        told_by_variables: false,
        known_variables: Some(VARIABLES),
    },
    models: Models {
        serves: Serves::Text,
        layout: Layout::HubFolder,
        gguf: Gguf::Plugin,
        onnx: Onnx::Never,
        pooling: None,
        adapters: Adapters::Flag("--lora-modules"),
        adapter_rules: Some(adapters::RULES),
        draft_rules: Some(DRAFTS),
        runs_code: true,
        documents: DOCUMENTS,
        fast_tokenizer_only: false,
        chat_needs_template: true,
        mistral_wants_both_since: Some([0, 33]),
        load_formats: load_format::OF_VLLM,
        own_cache: None,
        offline: OFFLINE,
    },
    releases: Releases {
        newest_read: Some([0, 33, 0]),
        architectures: Some(ARCHITECTURES),
        dates: Some(ReleaseDates::new(include_str!("vllm/dates.txt"))),
        // 0.24.0 and 0.33.0 docker/Dockerfile.
        tag_variable: Some("VLLM_IMAGE_TAG"),
        tensors: Some(TENSORS),
        ..Releases::UNREAD
    },
    http: Http {
        port: 8000,
        host: "0.0.0.0",
        openai_roots: &["/v1"],
        lacks_ollama: true,
        image_health: ImageHealth::None,
        // vllm 0.6.6 to 0.33.0: entrypoints (`/readyz` is the supervisor's of several), and what
        // `AuthenticationMiddleware` guards.
        paths: Paths {
            well: "/health",
            lacks: &["/healthz", "/livez"],
            keyed: Some("/v1"),
            changed_by: &["--middleware"],
        },
        // vllm 0.6.6 to 0.33.0: envs.py, utils/network_utils.py (`get_open_port`).
        inner_port: Some("VLLM_PORT"),
        probe: Probe::Completion,
        lists_models: true,
        key_variable: Some("VLLM_API_KEY"),
        serves_as: names::as_named,
        any_name: false,
    },
    log: log::MESSAGES,
    start: Start {
        images: &[
            "vllm/vllm-openai",
            "vllm/vllm-openai-cpu",
            "vllm/vllm-openai-rocm",
            "vllm/vllm-openai-xpu",
        ],
        marks: &["vllm"],
        defaults,
        scripts: &[],
        other_scripts: RAY_SCRIPTS,
        environment: &[],
        working_dir: Some("/vllm-workspace"),
        program,
        takes: |_| true,
        lacks,
    },
    grammar: Some(&GRAMMAR),
    read,
};

/// What starts Ray on a machine, and no server (examples/online_serving/multi-node-serving.sh of 0.10.2; of
/// older images `ray_init.sh`).
const RAY_SCRIPTS: &[&str] = &["multi-node-serving.sh", "ray_init.sh"];

/// 0.13.0 needs the file of the pooling, 0.14.1 does not (transformers_utils/config.py,
/// `get_pooling_config`); `--generation-config` is `auto` since 0.8.0; the configuration of the processor
/// of images is read of every model until 0.26.0, not in 0.27.1 (config/model.py).
const DOCUMENTS: DocumentRules = DocumentRules {
    reader: Reader::Transformers(Some(Library::new(include_str!("vllm/transformers.txt")))),
    own_types: Some(ReleaseTable::new(include_str!("vllm/model-types.txt"))),
    typed_by_architecture: &["LongcatFlashForCausalLM", "LongcatFlashNgramForCausalLM"],
    pools_without_file_since: Some([0, 14, 0]),
    reads_generation_since: Some([0, 8, 0]),
    reads_processor_of_all_until: Some([0, 26]),
    processor_of: PROCESSED,
    reads_sentence: true,
};

/// The models of vLLM whose images are prepared by a processor of transformers (0.12.0 and 0.32.0
/// model_executor/models, `get_hf_processor`), which ends over a folder that has none (transformers 4.57.6
/// and 5.19.0 image_processing_base.py, `get_image_processor_dict`).
const PROCESSED: &[&str] = &[
    "Gemma3ForConditionalGeneration",
    "Idefics3ForConditionalGeneration",
    "Llama4ForConditionalGeneration",
    "LlavaForConditionalGeneration",
    "LlavaNextForConditionalGeneration",
    "Mistral3ForConditionalGeneration",
    "PaliGemmaForConditionalGeneration",
    "Qwen2VLForConditionalGeneration",
    "Qwen2_5_VLForConditionalGeneration",
    "Qwen3VLForConditionalGeneration",
    "SmolVLMForConditionalGeneration",
];

/// config/speculative.py (0.10.2, 0.11.2, 0.12.0 and 0.14.1 refuse every draft that is a model of its own,
/// 0.16.0 to 0.33.0 compare the vocabularies; 0.9.2 does neither).
const DRAFTS: DraftRules = DraftRules {
    not_supported: [[0, 10, 2], [0, 14, 1]],
    same_vocabulary_since: [0, 16, 0],
    newest_read: [0, 33, 0],
};

/// `load_weights` of these classes (0.12.0 and 0.33.0, model_executor/models), and model_loader/
/// default_loader.py: up to 0.20.2 everything has to come from the checkpoint, from 0.21.0 on everything but
/// what a quantisation could have changed, the output matrix among it.
const TENSORS: TensorRules = TensorRules {
    strict: &[
        "CohereForCausalLM",
        "Gemma2ForCausalLM",
        "Gemma3ForCausalLM",
        "Glm4ForCausalLM",
        "GraniteForCausalLM",
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "Phi3ForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
    ],
    headless_since: [0, 21],
};

const ARCHITECTURES: Architectures = Architectures {
    table: ReleaseTable::new(include_str!("vllm/architectures.txt")),
    encoders: ENCODERS,
    image: "vllm/vllm-openai:v",
    otherwise: "vLLM tries it with the code of transformers, which works for some models",
};

/// 0.12.0 and 0.33.0 model_executor/models/registry.py. `--runner generate` is refused with them in every
/// release that has the flag (config/model.py, 0.10.2 to 0.33.0).
pub(super) const ENCODERS: &[&str] = &[
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "BertSpladeSparseEmbeddingModel",
    "GteModel",
    "GteNewForSequenceClassification",
    "GteNewModel",
    "ModernBertForSequenceClassification",
    "ModernBertModel",
    "NomicBertModel",
    "RobertaForMaskedLM",
    "RobertaForSequenceClassification",
    "RobertaModel",
    "XLMRobertaForSequenceClassification",
    "XLMRobertaModel",
];

const VARIABLES: KnownVariables = KnownVariables {
    table: ReleaseTable::new(include_str!("vllm/variables.txt")),
    prefix: Some("VLLM_"),
    plugins: PLUGINS,
    flags: &[],
    addresses: &["--host", "--port", "--model", "--served-model-name", "--api-key", "--root-path"],
    strict: Some("--fail-on-environ-validation"),
};

/// The platforms and extensions that are packages of their own (`vllm.platform_plugins`).
const PLUGINS: &[&str] =
    &["ASCEND_", "GAUDI_", "HPU_", "METAL_", "NEURON_", "OMNI_", "SPYRE_", "TPU_"];

const SERVE: Defaults = Defaults { entrypoint: &["vllm", "serve"], command: &[] };

/// The last release whose image ran the module instead of `vllm serve` (0.11.0 docker/Dockerfile:542;
/// 0.11.1 docker/Dockerfile:500).
const MODULE_UNTIL: [u32; 3] = [0, 11, 0];

/// The last release whose image for ROCm was looked at and has no entrypoint (0.12.0
/// docker/Dockerfile.rocm:151).
const NO_ENTRYPOINT_UNTIL: (u32, u32) = (0, 12);

fn defaults(image: &Image) -> Defaults {
    let release = image.release();
    let numbers = image.version().map(|version| numbers(&version));
    if image.mentions("rocm") && release.is_some_and(|release| release <= NO_ENTRYPOINT_UNTIL) {
        Defaults { entrypoint: &[], command: &["/bin/bash"] }
    } else if numbers.is_some_and(|numbers| numbers.as_slice() <= MODULE_UNTIL.as_slice()) {
        Defaults { entrypoint: &["python3", "-m", "vllm.entrypoints.openai.api_server"], ..SERVE }
    } else {
        SERVE
    }
}

fn program(words: &[Word]) -> Option<usize> {
    let first = words.first()?;
    if first.program() == "vllm" && words.get(1)?.is("serve") {
        return Some(2);
    }
    match python_module(words)? {
        (length, "vllm.entrypoints.openai.api_server" | "vllm.entrypoints.api_server") => {
            Some(length)
        }
        (length, "vllm.entrypoints.cli.main" | "vllm") if words.get(length)?.is("serve") => {
            Some(length + 1)
        }
        _ => None,
    }
}

/// Without a subcommand the program of all of them starts nothing (0.33.0 entrypoints/cli/main.py).
fn lacks(_: &Service, words: &[Word]) -> Option<Lack> {
    let first = words.first()?;
    if first.text.starts_with('-') {
        return Some(Lack { at: 0, instead: 0, words: SERVE.entrypoint, fix: None });
    }
    let next = words.get(1).map_or("", |word| word.text.as_str());
    let is_asked = matches!(next, "-h" | "--help" | "-v" | "--version");
    let is_subcommand = !next.is_empty() && !next.starts_with('-') && !next.contains('/');
    let lack = Lack { at: 1, instead: 0, words: &["serve"], fix: None };
    (first.program() == "vllm" && !is_asked && !is_subcommand).then_some(lack)
}

static GRAMMAR: Grammar =
    Grammar { underscores: true, abbreviations: true, ..Grammar::plain_table(&FLAGS) };

/// Every flag of every release that was read.
static FLAGS: FlagTable = FlagTable::new(include_str!("vllm/flags.txt"));

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let release = reading.release();
    let release = release.as_deref();
    let words = level::spelled_out(&launch.arguments, release);
    let mut arguments = Arguments::parse(&GRAMMAR, &words, release);
    if let Some(words) = config::continued(&arguments, &words, "--model", reading) {
        arguments = Arguments::parse(&GRAMMAR, &words, release);
    }
    reading.took(&mut arguments);
    // vllm/envs.py, 0.10.2 to 0.33.0.
    reading.ask_modelscope("VLLM_USE_MODELSCOPE", &["true"]);
    let revision = arguments.last("--revision").and_then(|setting| known(&setting));
    let model = model::named(launch, &arguments, reading);
    let place = model.as_ref().map(|setting| setting.word.place.clone());
    reading.path_or_repository(Part::Model, model, revision.as_deref());
    if let Some(place) = place {
        model::colon(&place, reading);
    }
    let tokenizer_revision = arguments.last("--tokenizer-revision");
    let tokenizer_revision = tokenizer_revision.and_then(|setting| known(&setting)).or(revision);
    let tokenizer = arguments.last("--tokenizer");
    reading.path_or_repository(Part::Tokenizer, tokenizer, tokenizer_revision.as_deref());
    lora(&arguments, reading);
    draft(&arguments, reading);
    templates(&arguments, reading);
    certificates(&arguments, reading);
    demands::refused(&arguments, reading);
    registries::unknown(&arguments, reading);
    keys::unknown(&arguments, reading);
    demands::template(launch.image.is_some(), &arguments, reading);
    demands::config(&arguments, &launch.arguments, reading);
    let names = arguments.all("--served-model-name").next_back();
    reading.invocation.served_names = names
        .map(|given| given.values.iter().filter(|word| word.unknown.is_none()))
        .into_iter()
        .flatten()
        .map(|word| word.text.clone())
        .collect();
    settings(&arguments, reading);
    let is_for_cpu = launch.image.as_ref().is_some_and(|it| it.mentions("cpu"));
    spread::read(&arguments, is_for_cpu, reading);
    reading.invocation.sizing = memory::sizing(&arguments, is_for_cpu, reading);
    environment::values(is_for_cpu, reading);
}

fn settings(arguments: &Arguments, reading: &mut Reading<'_>) {
    reading.port(arguments.last("--port"));
    reading.invocation.host = reading.text(arguments.last("--host"));
    reading.invocation.context = context(arguments.last("--max-model-len"), reading);
    reading.invocation.exceeds_context = exceeds_context(reading);
    let quantization = reading.text(arguments.last("--quantization"));
    reading.invocation.quantization = quantization.filter(|text| text.value != "None");
    let runner = arguments.last("--runner").filter(|runner| runner.text() == Some("generate"));
    reading.invocation.generates =
        runner.map(|runner| Spanned::new(format!("{} generate", runner.by), runner.word.place));
    let max_rank = arguments.last("--max-lora-rank").filter(|setting| setting.text().is_some());
    reading.invocation.highest_rank = reading.number(max_rank);
    reading.invocation.deprecated_quantization = arguments.is_on("--allow-deprecated-quantization");
    let mistral = reading.text(arguments.last("--config-format")).map(|text| text.value);
    let load_format = reading.text(arguments.last("--load-format")).map(|text| text.value);
    reading.invocation.load_format = load_format.or(mistral.filter(|format| format == "mistral"));
    reading.invocation.dtype = reading.text(arguments.last("--dtype"));
    reading.invocation.embeds.pools = POOLS.iter().any(|flag| {
        let word = arguments.last(flag);
        word.is_some_and(|word| !matches!(word.text(), Some("auto" | "generate")))
    });
    reading.invocation.tensor_parallel = reading.number(arguments.last("--tensor-parallel-size"));
    reading.invocation.trust_remote_code = arguments.is_on("--trust-remote-code");
    let overriding = ["--hf-overrides", "--rope-scaling", "--rope-theta"];
    reading.invocation.overrides = arguments.any(&overriding) | other_config(arguments, reading);
    reading.invocation.own_sampling = arguments.any(&["--generation-config"]);
    let of_images = ["--limit-mm-per-prompt", "--language-model-only"];
    reading.invocation.limits_images = arguments.any(&of_images);
    reading.invocation.skips_tokenizer = arguments.is_on("--skip-tokenizer-init");
    reading.invocation.download_dir = reading.folder(arguments.last("--download-dir"));
    reading.hub_cache(None);
    if let Some(table) = reading.text(reading.variable("VLLM_MODEL_REDIRECT_PATH")) {
        let what = format!("the names that `{}` puts in place of others", table.value);
        reading.unread(format!("{what} are not read yet"), &table.place);
    }
}

/// Opens the configuration that `--hf-config-path` names in the place of the model's own (0.12.0
/// config/model.py, `ModelConfig.__post_init__`); whether it is another one.
fn other_config(arguments: &Arguments, reading: &mut Reading<'_>) -> bool {
    let Some(setting) = arguments.last("--hf-config-path") else { return false };
    let Some(folder) = reading.text(Some(setting.clone())) else { return true };
    if !folder.value.starts_with(['/', '.']) {
        return true;
    }
    let file = format!("{}/config.json", folder.value.trim_end_matches('/'));
    let word = Word { text: file, ..setting.word };
    reading.path(Part::Text, Some(Setting { word, by: setting.by }));
    let model = reading.invocation.opens.iter().find(|opens| opens.part == Part::Model);
    let own = model.map(|opens| opens.named.to_string());
    own.as_deref() != Some(folder.value.trim_end_matches('/'))
}

/// The flags by which a model gives out vectors or scores (0.12.0 and 0.33.0, config/model.py).
const POOLS: [&str; 5] =
    ["--runner", "--convert", "--task", "--pooler-config", "--override-pooler-config"];

/// What vLLM takes for yes (0.12.0 and 0.33.0 envs.py).
fn exceeds_context(reading: &Reading<'_>) -> bool {
    let allowed = reading.variable("VLLM_ALLOW_LONG_MAX_MODEL_LEN");
    let allowed = allowed.as_ref().and_then(Setting::text);
    allowed.is_some_and(|value| ["1", "true"].contains(&value.trim().to_lowercase().as_str()))
}

/// `--max-model-len`: `32k` is 32 000, `32K` is 32 768, `auto` and `-1` are the model's own
/// (0.33.0 engine/arg_utils.py `human_readable_int`).
fn context(setting: Option<Setting>, reading: &mut Reading<'_>) -> Option<Spanned<u64>> {
    let by = setting.as_ref()?.by.clone();
    let text = reading.text(setting)?;
    if matches!(text.value.as_str(), "auto" | "-1" | "None") {
        return None;
    }
    let number = human_number(&text.value);
    if number.is_none() {
        reading.complain(Complaint::NotANumber { by, value: text.value.clone() }, &text.place);
    }
    number.map(|number| Spanned::new(number, text.place))
}

/// `--lora-modules name=path ...` or JSON, and the paths of `--default-mm-loras`.
fn lora(arguments: &Arguments, reading: &mut Reading<'_>) {
    replaced_adapters(arguments, reading);
    for word in arguments.all("--lora-modules").next_back().iter().flat_map(|given| &given.values) {
        let by = "--lora-modules".to_owned();
        if word.unknown.is_some() {
            reading.path_or_repository(Part::Lora, Some(Setting { word: word.clone(), by }), None);
        } else if let Some(value) = json(&word.text) {
            let one = std::slice::from_ref(&value);
            let entries = value.as_array().map_or(one, Vec::as_slice);
            for path in entries.iter().filter_map(|entry| entry.get("path")?.as_str()) {
                open_lora(path, word, &by, reading);
            }
        } else if let Some((_, path)) = word.text.split_once('=') {
            open_lora(path, word, &by, reading);
        } else if !word.text.is_empty() {
            reading.no_more(std::slice::from_ref(word));
        }
    }
    let Some(setting) = arguments.last("--default-mm-loras") else { return };
    let Some(Value::Object(paths)) = setting.text().and_then(json) else { return };
    for path in paths.values().filter_map(Value::as_str) {
        open_lora(path, &setting.word, &setting.by, reading);
    }
}

/// Complains of a `--lora-modules` that is given again: `argparse` keeps the last list (nargs=`*`). What
/// the earlier ones name is said with the paths that the service has them at, as far as its mounts tell.
fn replaced_adapters(arguments: &Arguments, reading: &mut Reading<'_>) {
    let given: Vec<_> = arguments.all("--lora-modules").collect();
    let Some((last, earlier)) = given.split_last().filter(|(_, earlier)| !earlier.is_empty())
    else {
        return;
    };
    let named = earlier.iter().flat_map(|given| &given.values);
    let named = named.filter(|word| word.text.contains('=') && word.unknown.is_none());
    let lost: Vec<String> = named.map(|word| reading.as_mounted(&word.text)).collect();
    if !lost.is_empty() {
        let flag = last.written.clone();
        reading.complain(Complaint::ListReplaced { flag, lost }, &last.place);
    }
}

fn open_lora(path: &str, word: &Word, by: &str, reading: &mut Reading<'_>) {
    let word = Word { text: path.to_owned(), ..word.clone() };
    reading.path_or_repository(Part::Lora, Some(Setting { word, by: by.to_owned() }), None);
}

/// The draft model: of the JSON of `--speculative-config`, of its dotted form, or of the flags of
/// other releases.
fn draft(arguments: &Arguments, reading: &mut Reading<'_>) {
    let whole = arguments.last("--speculative-config");
    let mut revision = arguments.dotted("--speculative-config", "revision");
    let mut model = arguments
        .dotted("--speculative-config", "model")
        .or_else(|| arguments.last("--spec-model"))
        .or_else(|| arguments.last("--speculative-model"));
    if let Some(setting) = whole {
        let Some(text) = reading.text(Some(setting.clone())) else { return };
        let Some(value) = json(&text.value) else {
            let by = setting.by;
            reading.unread(format!("the JSON of `{by}` cannot be read"), &text.place);
            return;
        };
        let field = |key: &str| {
            let text = value.get(key)?.as_str()?.to_owned();
            Some(Setting { word: Word { text, ..setting.word.clone() }, by: setting.by.clone() })
        };
        let is_alone = model.is_none() && !arguments.any(&["--spec-method", "--spec-tokens"]);
        let is_plain = value.get("method").is_none_or(|method| method == "draft_model");
        reading.invocation.speculation = (is_alone && is_plain).then(|| Speculation {
            has_tokens: value.get("num_speculative_tokens").is_some(),
            any_vocabulary: value.get("use_heterogeneous_vocab").is_some(),
        });
        model = model.or_else(|| field("model"));
        revision = revision.or_else(|| field("revision"));
    }
    // Words that name a method, not a model (0.12.0 config/speculative.py).
    let method = |setting: &Setting| {
        matches!(setting.word.text.as_str(), "ngram" | "[ngram]" | "mtp" | "suffix")
    };
    let revision = revision.and_then(|setting| known(&setting));
    reading.path_or_repository(
        Part::Draft,
        model.filter(|setting| !method(setting)),
        revision.as_deref(),
    );
}

/// Opens a chat template, unless the template itself is what was given.
pub(super) fn chat_template(setting: Option<Setting>, reading: &mut Reading<'_>) {
    let is_path = |setting: &Setting| setting.text().is_none_or(names::is_path_like);
    reading.path(Part::ChatTemplate, setting.filter(is_path));
}

/// What makes prompts: the text that the command gives, or what it opens. Mistral's own tokenizer reads no
/// template (tokenizers/mistral.py).
fn templates(arguments: &Arguments, reading: &mut Reading<'_>) {
    let setting = arguments.last("--chat-template");
    let mode = arguments.last("--tokenizer-mode");
    let is_mistral = mode.as_ref().and_then(Setting::text) == Some("mistral");
    let is_template = |text: &str| text.contains("{{") || text.contains("{%");
    let given = setting.clone().filter(|setting| {
        setting.text().is_some_and(|text| is_template(text) && !names::is_path_like(text))
    });
    chat_template(setting, reading);
    let given = reading.text(given);
    let reader = (!is_mistral).then_some(TemplateReader::Jinja2);
    reading.invocation.templates = Templates { reader, given, ..Templates::default() };
}

/// Opens what TLS needs; nothing of it turns TLS on but the key and the certificate (uvicorn,
/// config.py `is_ssl`).
fn certificates(arguments: &Arguments, reading: &mut Reading<'_>) {
    if !arguments.any(&["--ssl-keyfile", "--ssl-certfile"]) {
        return;
    }
    for flag in ["--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs"] {
        reading.path(Part::Text, arguments.last(flag));
    }
}

pub(super) fn known(setting: &Setting) -> Option<String> {
    setting.text().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The object or list that a text is.
pub(super) fn json(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

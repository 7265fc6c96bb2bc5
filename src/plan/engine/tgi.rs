//! Text Generation Inference (db931fc: launcher/src/main.rs, server/text_generation_server/cli.py,
//! Dockerfile).

mod pairs;

use crate::plan::engine::arguments::{Grammar, Setting};
use crate::plan::engine::cache_variables::{CacheVariable, CacheVariables};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::image::Image;
use crate::plan::engine::launch::Launch;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::ReleaseTable;
use crate::plan::engine::transformers::Library;
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    Adapters, CommandLine, DocumentRules, Engine, Family, Gguf, Http, ImageHealth, KnownVariables,
    Layout, Merging, Models, Offline, Onnx, Part, Paths, Pins, Probe, Reader, Releases, Serves,
    SplitRules, Surplus, TemplateReader, WholePieces, hugging_face,
};

const DOCUMENTS: DocumentRules = DocumentRules {
    reader: Reader::Transformers(Some(Library::new(include_str!("tgi/transformers.txt")))),
    ..DocumentRules::TRANSFORMERS
};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Tgi,
    name: "TGI",
    id: "tgi",
    command_line: CommandLine {
        model: "--model-id /models/NAME",
        without_model: Some(
            "text-generation-launcher would download and serve `bigscience/bloom-560m`",
        ),
        context: None,
        // server models/custom_modeling, of the models that are sharded (3.3.7).
        tensor_parallel: Some(&SPLIT),
        pins: Pins::Revision { of_tokenizer: None },
        refuses_numbers: true,
        quantizations: None,
        // Every flag can be a variable of its name.
        variables: &[""],
        told_by_variables: true,
        known_variables: Some(VARIABLES),
    },
    models: Models {
        serves: Serves::Text,
        layout: Layout::HubFolder,
        gguf: Gguf::Never,
        onnx: Onnx::Never,
        pooling: None,
        adapters: Adapters::OwnModel(&MERGING),
        adapter_rules: None,
        draft_rules: None,
        runs_code: true,
        documents: DOCUMENTS,
        fast_tokenizer_only: false,
        chat_needs_template: true,
        mistral_wants_both_since: None,
        load_formats: &[],
        own_cache: None,
        offline: Offline::AS_LIBRARY,
    },
    releases: Releases::UNREAD,
    http: Http {
        port: 3000,
        host: "0.0.0.0",
        openai_roots: &["/v1"],
        lacks_ollama: true,
        image_health: ImageHealth::None,
        // db931fc: router/src/server.rs.
        paths: Paths {
            well: "/health",
            lacks: &["/healthz", "/readyz", "/livez"],
            keyed: None,
            changed_by: &["AIP_HEALTH_ROUTE"],
        },
        inner_port: None,
        probe: Probe::Health,
        lists_models: true,
        key_variable: Some("API_KEY"),
        serves_as: |_| Vec::new(),
        any_name: false,
    },
    log: &[],
    start: Start {
        // OPEA rebuilds TGI for Gaudi: the same words and variables (tgi-gaudi 2.0.1 to 2.0.5).
        images: &[
            "huggingface/text-generation-inference",
            "huggingface/tgi-gaudi",
            "opea/tgi-gaudi",
        ],
        marks: &["text-generation-inference", "text-generation-launcher"],
        // The image's own script hands every word over to the launcher.
        defaults: |_| Defaults { entrypoint: &["text-generation-launcher"], command: &[] },
        scripts: &["entrypoint.sh", "tgi-entrypoint.sh"],
        other_scripts: &[],
        environment: &[("PORT", "80"), ("HF_HOME", "/data")],
        working_dir: Some("/usr/src"),
        program,
        takes: |_| false,
        lacks: |_, _| None,
    },
    grammar: Some(&GRAMMAR),
    read,
};

/// server cli.py `download_weights` and utils/hub.py `_weight_files_from_dir`, 1.4.0 to 3.3.7.
static MERGING: Merging = Merging {
    since: [1, 4, 0],
    counts_as_weights_since: [2, 3, 1],
    passes_over: &["arguments", "args", "training"],
    flag: "--lora-adapters",
    newest_read: [3, 3, 7],
};

const VARIABLES: KnownVariables = KnownVariables {
    table: ReleaseTable::new(include_str!("tgi/variables.txt")),
    prefix: None,
    plugins: &[],
    flags: &[],
    addresses: &[],
    strict: None,
};

/// Weights are looked for below `HUGGINGFACE_HUB_CACHE` as it is written (server utils/hub.py), and
/// `HF_HUB_CACHE` is where a download goes that nobody finds; what Python's library makes of the
/// others (0.31.1 constants.py) is its `HUGGINGFACE_HUB_CACHE`.
const CACHE: CacheVariables = CacheVariables {
    order: &[
        CacheVariable { name: "HUGGINGFACE_HUB_CACHE", below: "", expands: false },
        CacheVariable { name: "HF_HOME", below: "hub", expands: true },
        CacheVariable { name: "XDG_CACHE_HOME", below: "huggingface/hub", expands: true },
    ],
    nothing_counts: true,
};

fn program(words: &[Word]) -> Option<usize> {
    (words.first()?.program() == "text-generation-launcher").then_some(1)
}

static GRAMMAR: Grammar = Grammar::plain_table(&FLAGS);

/// That of the launchers whose flags were not read.
static OTHER_GRAMMAR: Grammar = Grammar::plain(&[]);

static FLAGS: FlagTable = FlagTable::new(include_str!("tgi/flags.txt"));

/// What an image sets: releases before 2.3.0 and all for a processor of Intel's name the hub's cache
/// itself, those for Neuron another; two have a launcher of their own, and set nothing (Dockerfile,
/// Dockerfile_amd, Dockerfile_intel, Dockerfile.neuron, Dockerfile_trtllm and Dockerfile_llamacpp of
/// 1.4.0 to 3.3.7).
fn set_by(image: &Image) -> &'static [(&'static str, &'static str)] {
    let tag = image.tag();
    let is_old = image.release().is_some_and(|release| release < (2, 3));
    if has_own_launcher(image) {
        &[]
    } else if tag.contains("neuron") {
        &[("PORT", "80"), ("HUGGINGFACE_HUB_CACHE", "/tmp")]
    } else if is_old || tag.contains("intel-cpu") {
        &[("PORT", "80"), ("HUGGINGFACE_HUB_CACHE", "/data")]
    } else {
        &[("PORT", "80"), ("HF_HOME", "/data")]
    }
}

fn has_own_launcher(image: &Image) -> bool {
    ["trtllm", "llamacpp"].iter().any(|backend| image.tag().contains(backend))
}

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let image = launch.image.as_ref();
    if let Some(image) = image {
        reading.environment.set_by_image(set_by(image));
    }
    let grammar = if image.is_some_and(has_own_launcher) { &OTHER_GRAMMAR } else { &GRAMMAR };
    let arguments = hugging_face::arguments(grammar, launch, reading);
    hugging_face::read(&arguments, reading);
    let get = |reading: &Reading<'_>, flag| hugging_face::setting(&arguments, reading, flag);
    lora(get(reading, "--lora-adapters"), reading);
    pairs::judge(&arguments, reading);
    reading.invocation.quantization = reading.text(get(reading, "--quantize"));
    reading.invocation.tensor_parallel = reading.number(get(reading, "--num-shard"));
    reading.invocation.spread.surplus = surplus(reading);
    reading.invocation.context = reading.number(get(reading, "--max-total-tokens"));
    reading.invocation.trust_remote_code =
        arguments.is_on("--trust-remote-code") || reading.environment.is_on("TRUST_REMOTE_CODE");
    let is_young = reading.release().is_none_or(|release| release.as_slice() >= &[2, 0][..]);
    // Its router makes a template of it before it serves (2.3.1 router/src/infer/chat_template.rs,
    // `ChatTemplate::new`).
    if is_young && get(reading, "--tokenizer-config-path").is_none() {
        reading.invocation.templates.reader = Some(TemplateReader::Jinja2);
        reading.invocation.templates.at_start = true;
        reading.invocation.templates.has_dialect = true;
    }
    let flags = ["--weights-cache-override", "--huggingface-hub-cache"];
    let variables = ["WEIGHTS_CACHE_OVERRIDE"];
    let cache = reading.setting(&arguments, &flags, &variables);
    reading.hub_cache_by(cache, &CACHE);
}

/// Heads: the attention of each model. Heads of keys and values: `FlashLlamaAttention` of
/// custom_modeling/flash_llama_modeling.py. Widths: utils/weights.py `get_sharded`, which does not pad the
/// vocabulary but keeps it whole. All of that in 2.2.0, 2.3.1, 3.0.0 and 3.3.7.
const SPLIT: SplitRules = SplitRules {
    flag: "--num-shard",
    families: &[Family {
        architectures: &["LlamaForCausalLM"],
        repeats: false,
        vocabulary: false,
        pieces: WholePieces::None,
        since: [2, 2, 0],
        ..Family::PLAIN
    }],
    stages: None,
};

/// Every shard has a GPU of its own, which its server asserts (server utils/dist.py
/// `initialize_torch_distributed`, 1.0.0 to 3.3.7).
fn surplus(reading: &Reading<'_>) -> Surplus {
    let release = reading.release().filter(|_| reading.invocation.on_nvidia);
    let is_read = |release: Vec<u32>| {
        release.len() >= 2 && (&[1, 0][..]..=&[3, 3, 7][..]).contains(&release.as_slice())
    };
    if release.is_some_and(is_read) { Surplus::Refused } else { Surplus::Doubtful }
}

/// `id` or `id=path`, each with an optional `@revision`, with commas between.
fn lora(adapters: Option<Setting>, reading: &mut Reading<'_>) {
    let Some(adapters) = adapters else { return };
    for adapter in adapters.word.text.split(',').map(str::trim) {
        let named = adapter.split_once('=').map_or(adapter, |(_, path)| path);
        let (named, revision) = match named.split_once('@') {
            Some((named, revision)) => (named, Some(revision)),
            None => (named, None),
        };
        let word = Word { text: named.to_owned(), ..adapters.word.clone() };
        let by = adapters.by.clone();
        reading.path_or_repository(Part::Lora, Some(Setting { word, by }), revision);
    }
}

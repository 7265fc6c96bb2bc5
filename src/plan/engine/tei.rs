//! Text Embeddings Inference (0d124dc: router/src/main.rs, router/src/lib.rs, Dockerfile).

use crate::plan::engine::arguments::{Arguments, Grammar, Setting};
use crate::plan::engine::cache_variables::{CacheVariable, CacheVariables};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::launch::Launch;
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::ReleaseTable;
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    Adapters, Batch, CommandLine, Complaint, DenseSteps, DocumentRules, Engine, Gguf, GpuUse,
    Guess, Http, ImageHealth, KnownVariables, Layout, Limits, Mode, Models, Offline, Onnx, Paths,
    Pins, Pooling, Positions, Probe, Reader, Refusal, Releases, Serves, hugging_face,
};

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::Tei,
    name: "TEI",
    id: "tei",
    command_line: CommandLine {
        model: "--model-id /models/NAME",
        without_model: Some(
            "text-embeddings-router would exit at once, or before 1.9.0 serve a model of its own choice",
        ),
        context: None,
        tensor_parallel: None,
        pins: Pins::RevisionOrCache,
        refuses_numbers: true,
        quantizations: None,
        // Every flag can be a variable of its name.
        variables: &[""],
        told_by_variables: true,
        known_variables: Some(VARIABLES),
    },
    models: Models {
        serves: Serves::Embeddings,
        layout: Layout::HubFolder,
        gguf: Gguf::Never,
        onnx: Onnx::Main,
        pooling: Some(POOLING),
        adapters: Adapters::Never,
        adapter_rules: None,
        draft_rules: None,
        runs_code: false,
        documents: DocumentRules {
            reader: Reader::Strict,
            reads_sentence: true,
            ..DocumentRules::NONE
        },
        fast_tokenizer_only: true,
        chat_needs_template: false,
        mistral_wants_both_since: None,
        load_formats: &[],
        own_cache: None,
        offline: Offline::AS_LIBRARY,
    },
    releases: Releases::UNREAD,
    http: Http {
        port: 3000,
        host: "0.0.0.0",
        openai_roots: &["", "/v1"],
        lacks_ollama: true,
        image_health: ImageHealth::None,
        // 0d124dc: router/src/http/server.rs.
        paths: Paths {
            well: "/health",
            lacks: &["/healthz", "/readyz", "/livez"],
            keyed: None,
            changed_by: &["AIP_HEALTH_ROUTE"],
        },
        inner_port: None,
        probe: Probe::Health,
        lists_models: false,
        key_variable: Some("API_KEY"),
        serves_as: |_| Vec::new(),
        any_name: false,
    },
    log: &[],
    start: Start {
        // OPEA rebuilds TEI for Gaudi: the same words and variables (tei-gaudi 1.0.0 to 1.4.0).
        images: &[
            "huggingface/text-embeddings-inference",
            "huggingface/tei-gaudi",
            "opea/tei-gaudi",
        ],
        marks: &["text-embeddings-inference", "text-embeddings-router"],
        defaults: |_| Defaults {
            entrypoint: &["text-embeddings-router"],
            command: &["--json-output"],
        },
        scripts: &[],
        other_scripts: &[],
        environment: &[("PORT", "80"), ("HUGGINGFACE_HUB_CACHE", "/data")],
        working_dir: Some("/"),
        program,
        takes: |_| false,
        lacks: |_, _| None,
    },
    grammar: Some(&GRAMMAR),
    read,
};

const VARIABLES: KnownVariables = KnownVariables {
    table: ReleaseTable::new(include_str!("tei/variables.txt")),
    prefix: None,
    plugins: &[],
    flags: &[],
    addresses: &[],
    strict: None,
};

/// router/src/main.rs and hf-hub 0.4.2 src/lib.rs `Cache::from_env`: what is set to nothing counts,
/// nothing is replaced inside a value, and the other variables of the hub's own client are not read.
const CACHE: CacheVariables = CacheVariables {
    order: &[
        CacheVariable { name: "HUGGINGFACE_HUB_CACHE", below: "", expands: false },
        CacheVariable { name: "HF_HOME", below: "hub", expands: false },
    ],
    nothing_counts: true,
};

/// router/src/lib.rs, `get_backend_model_type` and `PoolConfig`, of 1.2.0 to 1.9.3: 1.3.0 brought the
/// last token, 1.5.1 the guess.
const POOLING: Pooling = Pooling {
    flag: "--pooling",
    file: "1_Pooling/config.json",
    modes: &[
        Mode { key: "pooling_mode_cls_token", word: "cls", since: [0, 0, 0], required: true },
        Mode { key: "pooling_mode_mean_tokens", word: "mean", since: [0, 0, 0], required: true },
        Mode {
            key: "pooling_mode_lasttoken",
            word: "last-token",
            since: [1, 3, 0],
            required: false,
        },
    ],
    none_for: "Classification",
    masked: ("splade", "MaskedLM"),
    guess: Guess { of_type: "bert", word: "cls", since: [1, 5, 1] },
    dense: DENSE,
};

/// backends/candle/src/lib.rs and models/dense.rs, of 1.8.3 to 1.9.3; 1.8.0 brought them for what it
/// downloads.
const DENSE: DenseSteps = DenseSteps {
    since: [1, 8, 3],
    newest_read: [1, 9, 3],
    activations: &["torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity"],
};

/// Which graphs the images load: those for a processor were built upon ONNX Runtime alone at first, and
/// upon candle as well from 1.6 on; no other image is built upon it (Dockerfile, Dockerfile-cuda,
/// Dockerfile-intel and .github/workflows/matrix.json of 1.2.0 to 1.9.3).
fn graphs(tag: &str, reading: &Reading<'_>) -> Onnx {
    let is_for_processor = tag.starts_with("cpu-") && !tag.starts_with("cpu-ipex");
    let since = |release| reading.invocation.is_since(release);
    match (is_for_processor, since([1, 5, 0]), since([1, 6, 0])) {
        (false, ..) | (true, false, _) => Onnx::Never,
        (true, true, false) => Onnx::MainAlone,
        (true, true, true) => Onnx::Main,
    }
}

/// Complains of a type of numbers that the image is built without: bfloat16 is that of the images upon
/// PyTorch alone (backends/src/dtype.rs).
fn numbers(tag: &str, reading: &mut Reading<'_>) {
    let is_of_torch = ["ipex", "hpu"].iter().any(|part| tag.contains(part));
    let Some(dtype) = reading.invocation.dtype.clone().filter(|it| it.value == "bfloat16") else {
        return;
    };
    if !is_of_torch {
        let why = "`bfloat16` is no type of numbers of this image, and TEI exits".to_owned();
        let fix = "write `float16`, or `float32` on a processor".to_owned();
        let refusal = Refusal { why, fix, is_certain: true };
        reading.complain(Complaint::Refused(refusal), &dtype.place);
    }
}

/// Since when it does not start where a text may be longer than a batch and none is cut, and since when texts
/// are cut where nobody says otherwise (router/src/lib.rs and main.rs, 1.8.3 and 1.8.2, 1.9.0 and 1.8.3).
const REFUSES_LONG_SINCE: [u32; 3] = [1, 8, 3];
const CUTS_SINCE: [u32; 3] = [1, 9, 0];

/// The newest release that was read.
const NEWEST: [u32; 3] = [1, 9, 3];

/// Tokens of a batch where nobody says how many.
const BATCH: u64 = 16_384;

const CUTS: &str = "--auto-truncate";

/// How long a text may be, where none is cut.
fn batch(arguments: &Arguments, reading: &mut Reading<'_>) -> Option<Batch> {
    if !reading.invocation.is_since(REFUSES_LONG_SINCE) {
        return None;
    }
    let is_young = reading.invocation.is_since(CUTS_SINCE);
    let variable = reading.variable("AUTO_TRUNCATE");
    let cuts = match variable.as_ref().map(Setting::text) {
        _ if arguments.any(&[CUTS]) => arguments.is_on(CUTS),
        None => is_young,
        Some(Some("true")) => true,
        Some(Some("false")) => false,
        Some(_) => return None,
    };
    if cuts {
        return None;
    }
    let flag = "--max-batch-tokens";
    let said = hugging_face::setting(arguments, reading, flag);
    let is_said = said.is_some();
    let said = reading.number(said);
    if is_said && said.is_none() {
        return None;
    }
    let is_read = reading.release().is_none_or(|release| release.as_slice() <= &NEWEST[..]);
    Some(Batch {
        flag,
        tokens: said.as_ref().map_or(BATCH, |said| said.value),
        place: said.map(|said| said.place),
        cut: CUTS,
        longest: longest_text,
        is_certain: is_read && reading.invocation.stock,
    })
}

/// router/src/lib.rs of 1.8.3 to 1.9.3: what sentence-transformers says counts more than the positions, of
/// which some models begin behind the number of a token that fills up.
fn longest_text(positions: &Positions, limits: &Limits) -> Option<u64> {
    let of_positions = || {
        let keys = ["max_position_embeddings", "n_positions"];
        let length = keys.iter().find_map(|key| positions.length(key))?;
        let begins_later = ["camembert", "roberta", "xlm-roberta"];
        let is_one = positions.model_type.as_deref().is_some_and(|it| begins_later.contains(&it));
        Some(if is_one { length.saturating_sub(2) } else { length })
    };
    limits.sentence.or_else(of_positions)
}

/// The script that starts the images for several GPUs ends without `nvidia-smi`, which comes with one
/// (cuda-all-entrypoint.sh, 1.5.0 to 1.9.3), and since 1.9.1 so does that of every one for GPUs of NVIDIA
/// (cuda-entrypoint.sh).
fn gpu(tag: &str, reading: &Reading<'_>) -> GpuUse {
    if tag.starts_with("cpu-") {
        return GpuUse::Unused { instead: "a tag without `cpu-`" };
    }
    let is_known = reading.invocation.version.is_some();
    let asks = tag.starts_with("cuda-") || is_known && reading.invocation.is_since([1, 9, 1]);
    let is_needed = reading.invocation.on_nvidia && asks;
    if is_needed { GpuUse::Needed } else { GpuUse::Unknown }
}

fn program(words: &[Word]) -> Option<usize> {
    (words.first()?.program() == "text-embeddings-router").then_some(1)
}

static GRAMMAR: Grammar = Grammar::plain_table(&FLAGS);

static FLAGS: FlagTable = FlagTable::new(include_str!("tei/flags.txt"));

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let arguments = hugging_face::arguments(&GRAMMAR, launch, reading);
    hugging_face::read(&arguments, reading);
    // Its client knows no variable that keeps it from asking (hf-hub 0.4.3 `api/tokio.rs`).
    reading.invocation.offline = false;
    let name = hugging_face::setting(&arguments, reading, "--served-model-name");
    let name = reading.text(name).map(|name| name.value);
    reading.invocation.served_names = name.into_iter().collect();
    let pooling = hugging_face::setting(&arguments, reading, "--pooling");
    reading.invocation.embeds.pooling = reading.text(pooling);
    let prompt = hugging_face::setting(&arguments, reading, "--default-prompt-name");
    reading.invocation.embeds.prompt = reading.text(prompt);
    let dense = hugging_face::setting(&arguments, reading, "--dense-path");
    reading.invocation.embeds.dense = reading.text(dense);
    reading.invocation.embeds.batch = batch(&arguments, reading);
    if let Some(image) = &launch.image {
        reading.invocation.graphs = graphs(image.tag(), reading);
        numbers(image.tag(), reading);
        reading.invocation.spread.gpu = gpu(image.tag(), reading);
    }
    let cache = arguments.last("--huggingface-hub-cache");
    reading.hub_cache_by(cache, &CACHE);
}

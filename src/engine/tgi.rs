//! Text Generation Inference (db931fc: launcher/src/main.rs, Dockerfile).

use crate::engine::arguments::{Arguments, Arity, Flags, Grammar, Setting};
use crate::engine::launch::Launch;
use crate::engine::reading::Reading;
use crate::engine::vllm::known;
use crate::engine::words::Word;
use crate::engine::{Defaults, Engine, Kind, Part};

pub(super) static KIND: Kind = Kind {
    engine: Engine::Tgi,
    images: &["huggingface/text-generation-inference"],
    marks: &["text-generation-inference", "text-generation-launcher"],
    // The image's own script hands every word over to the launcher.
    defaults: |_| Defaults { entrypoint: &["text-generation-launcher"], command: &[] },
    scripts: &["entrypoint.sh", "tgi-entrypoint.sh"],
    environment: &[("PORT", "80"), ("HF_HOME", "/data")],
    working_dir: Some("/usr/src"),
    start,
    takes: |_| false,
    read,
};

fn start(words: &[Word]) -> Option<usize> {
    (words.first()?.program() == "text-generation-launcher").then_some(1)
}

static GRAMMAR: Grammar = Grammar {
    flags: FLAGS,
    underscores: false,
    abbreviations: false,
    joined: true,
    dashed_values: false,
};

static FLAGS: &[Flags] = &[
    (
        Arity::One,
        &[
            &["--model-id"],
            &["--revision"],
            &["--quantize"],
            &["--dtype"],
            &["--num-shard"],
            &["--max-total-tokens"],
            &["--lora-adapters"],
            &["--tokenizer-config-path"],
            &["--huggingface-hub-cache"],
            &["--weights-cache-override"],
            &["--port", "-p"],
            &["--hostname"],
        ],
    ),
    (
        Arity::Switch,
        &[&["--trust-remote-code"], &["--json-output"], &["--disable-grammar-support"]],
    ),
];

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, &launch.arguments);
    reading.took(&mut arguments);
    let get = |reading: &Reading<'_>, flag: &str, variable: &str| {
        reading.setting(&arguments, &[flag], &[variable])
    };
    let revision = get(reading, "--revision", "REVISION").and_then(|setting| known(&setting));
    let model = get(reading, "--model-id", "MODEL_ID");
    reading.path_or_repository(Part::Model, model, revision.as_deref());
    let adapters = get(reading, "--lora-adapters", "LORA_ADAPTERS");
    lora(adapters, reading);
    reading.port(get(reading, "--port", "PORT"));
    reading.invocation.host = reading.text(get(reading, "--hostname", "HOSTNAME"));
    reading.invocation.quantization = reading.text(get(reading, "--quantize", "QUANTIZE"));
    reading.invocation.dtype = reading.text(get(reading, "--dtype", "DTYPE"));
    let shards = get(reading, "--num-shard", "NUM_SHARD");
    reading.invocation.tensor_parallel = reading.number(shards);
    let context = get(reading, "--max-total-tokens", "MAX_TOTAL_TOKENS");
    reading.invocation.context = reading.number(context);
    reading.invocation.trust_remote_code =
        arguments.is_on("--trust-remote-code") || reading.environment.is_on("TRUST_REMOTE_CODE");
    let flags = ["--weights-cache-override", "--huggingface-hub-cache"];
    let variables = ["WEIGHTS_CACHE_OVERRIDE"];
    let cache = reading.setting(&arguments, &flags, &variables);
    reading.hub_cache(cache);
    reading.no_more(&arguments.positionals);
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

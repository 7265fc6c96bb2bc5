//! Text Embeddings Inference (0d124dc: router/src/main.rs, Dockerfile).

use crate::engine::arguments::{Arguments, Arity, Flags, Grammar};
use crate::engine::launch::Launch;
use crate::engine::reading::Reading;
use crate::engine::vllm::known;
use crate::engine::words::Word;
use crate::engine::{Defaults, Engine, Kind, Part};

pub(super) static KIND: Kind = Kind {
    engine: Engine::Tei,
    images: &["huggingface/text-embeddings-inference"],
    marks: &["text-embeddings-inference", "text-embeddings-router"],
    defaults: |_| Defaults { entrypoint: &["text-embeddings-router"], command: &["--json-output"] },
    scripts: &[],
    environment: &[("PORT", "80"), ("HUGGINGFACE_HUB_CACHE", "/data")],
    working_dir: Some("/"),
    start,
    takes: |_| false,
    read,
};

fn start(words: &[Word]) -> Option<usize> {
    (words.first()?.program() == "text-embeddings-router").then_some(1)
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
            &["--served-model-name"],
            &["--port", "-p"],
            &["--hostname"],
            &["--dtype"],
            &["--pooling"],
            &["--dense-path"],
            &["--hf-token"],
            &["--huggingface-hub-cache"],
        ],
    ),
    (Arity::Switch, &[&["--json-output"], &["--auto-truncate"], &["--disable-spans"]]),
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
    let name = get(reading, "--served-model-name", "SERVED_MODEL_NAME");
    let name = reading.text(name).map(|name| name.value);
    reading.invocation.served_names = name.into_iter().collect();
    reading.port(get(reading, "--port", "PORT"));
    let host = get(reading, "--hostname", "HOSTNAME");
    reading.invocation.host = reading.text(host);
    let dtype = get(reading, "--dtype", "DTYPE");
    reading.invocation.dtype = reading.text(dtype);
    let cache = arguments.last("--huggingface-hub-cache");
    reading.hub_cache(cache.or_else(|| reading.variable("HUGGINGFACE_HUB_CACHE")));
    reading.no_more(&arguments.positionals);
}

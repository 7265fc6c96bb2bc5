//! Text Embeddings Inference (0d124dc: router/src/main.rs, Dockerfile).

use crate::engine::arguments::{Arguments, Arity, Flags, Grammar};
use crate::engine::launch::Launch;
use crate::engine::reading::Reading;
use crate::engine::words::Word;
use crate::engine::{Defaults, Engine, Kind, hugging_face};

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

static GRAMMAR: Grammar = Grammar::plain(FLAGS);

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
    hugging_face::read(&arguments, reading);
    let name = hugging_face::setting(&arguments, reading, "--served-model-name");
    let name = reading.text(name).map(|name| name.value);
    reading.invocation.served_names = name.into_iter().collect();
    let cache = arguments.last("--huggingface-hub-cache");
    reading.hub_cache(cache.or_else(|| reading.variable("HUGGINGFACE_HUB_CACHE")));
    reading.no_more(&arguments.positionals);
}

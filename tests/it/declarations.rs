//! What `schema/compose.json` takes of `x-preflight` and of labels, preflight reads, and what it refuses,
//! preflight refuses. The judge of the schema is the validator `jsonschema`.
//!
//! `PREFLIGHT_TEST_PYTHON` names a Python that has it; without it the declarations are only read, unless
//! `PREFLIGHT_TEST_REQUIRE_ALL=1`.

use std::process::Command;

use serde_json::{Value, json};

use crate::judge::{answers, named};
use crate::sandbox::{Sandbox, repository};

const JUDGE: &str = r"
import json, sys
import jsonschema, yaml
schema = json.load(open(sys.argv[1], encoding='utf-8'))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for line in sys.stdin:
    print(json.dumps([error.message for error in validator.iter_errors(yaml.safe_load(json.loads(line)))]))
";

/// Declarations of a project whose service `reader` has a label and an extension put in.
const GOOD: &[&str] = &[
    "x-preflight:",
    "x-preflight: {}",
    "x-preflight: {fetch: never, create_root: true, catalogue: cortex}",
    "x-preflight: {fetch: '${FETCH:-missing}', create_root: '${CREATE:-false}'}",
    "x-preflight: {create_root: 'true'}",
    "x-preflight: {create_root: 'Yes'}",
    "services: {reader: {labels: [preflight.required=no]}}",
    "services: {reader: {labels: {preflight.required: 'OFF'}}}",
    "x-preflight: {gpus: [{memory: 24GB}, {memory: 24 GiB, name: RTX 4090, reserved: 1.5g}]}",
    "x-preflight: {gpus: {GPU-5a: {memory: '${VRAM:-24GB}', reserved: null}}}",
    "x-preflight: {gpus: null, checks: null}",
    "x-preflight: {checks: {revision-not-pinned: deny, files-missing: allow}}",
    "x-preflight: {lanes: {reader: null}}",
    "x-preflight: {lanes: {reader: {service: reader, source: 'hf://o/r@main/x.gguf'}}}",
    "x-preflight: {lanes: {reader: {source: '${SOURCE:-hf://o/r}', required: '${NEEDED:-false}'}}}",
    "x-preflight: {lanes: {reader: {include: ['*.json'], exclude: ['original/*'], required: null}}}",
    "x-preflight: {lanes: {reader: {smoke: {url: 'http://reader:8080', level: generates}}}}",
    "services: {reader: {x-preflight: {lane: other, required: false}}}",
    "services: {reader: {x-preflight: null, labels: {}}}",
    "services: {reader: {labels: {preflight.lane: x, preflight.required: false, other: 3}}}",
    "services: {reader: {labels: [preflight.lane=x, 'preflight.source=hf://o/r', preflight.required=true]}}",
    "services: {reader: {labels: {preflight.source: '${SOURCE:-hf://o/r}'}}}",
];

const WRONG: &[&str] = &[
    "x-preflight: 3",
    "x-preflight: {fetch: always}",
    "x-preflight: {fetched: never}",
    "x-preflight: {create_root: 1}",
    "x-preflight: {create_root: maybe}",
    "x-preflight: {gpus: 2x24GB}",
    "x-preflight: {gpus: [{name: RTX 4090}]}",
    "x-preflight: {gpus: [{memory: 24}]}",
    "x-preflight: {gpus: [{memory: 24 bananas}]}",
    "x-preflight: {gpus: [{memory: 24GB, size: 3}]}",
    "x-preflight: {gpus: {GPU-5a: 24GB}}",
    "x-preflight: {checks: {revision-not-pined: deny}}",
    "x-preflight: {checks: {revision-not-pinned: warn}}",
    "x-preflight: {checks: [revision-not-pinned]}",
    "x-preflight: {lanes: [reader]}",
    "x-preflight: {lanes: {reader: {sauce: x}}}",
    "x-preflight: {lanes: {reader: {source: o/r}}}",
    "x-preflight: {lanes: {reader: {include: {a: b}}}}",
    "x-preflight: {lanes: {reader: {required: 7}}}",
    "x-preflight: {lanes: {reader: {smoke: {level: answers}}}}",
    "x-preflight: {lanes: {reader: {smoke: 'http://reader'}}}",
    "services: {reader: {labels: null}}",
    "services: {reader: {x-preflight: {lanes: {}}}}",
    "services: {reader: {x-preflight: {path: [a]}}}",
    "services: {reader: {labels: {preflight.lane: x, preflight.required: perhaps}}}",
    "services: {reader: {labels: [preflight.required=perhaps]}}",
    "services: {reader: {labels: {preflight.source: o/r}}}",
    "services: {reader: {labels: ['preflight.source=o/r']}}",
];

/// A project that says this of itself, beside what every project needs.
fn project(said: &str) -> Sandbox {
    let base =
        "services: {reader: {image: ghcr.io/ggml-org/llama.cpp:server, command: -m /m/x.gguf}}\n";
    Sandbox::new().file("compose.yaml", base).file("said.yaml", said)
}

fn is_read(said: &str) -> bool {
    let run = project(said).run(&["verify", "-f", "compose.yaml", "-f", "said.yaml"]);
    assert!(!matches!(run.code, None | Some(1)), "{said}: {}{}", run.stdout, run.stderr);
    run.code != Some(2)
}

#[test]
fn what_the_schema_for_editors_takes_is_read_and_what_it_refuses_is_refused() {
    let declarations = GOOD.iter().chain(WRONG);
    let questions: Vec<Value> = declarations.map(|said| json!(said)).collect();
    for said in GOOD {
        assert!(is_read(said), "{said}");
    }
    for said in WRONG {
        assert!(!is_read(said), "{said}");
    }
    let Some(python) = named("PREFLIGHT_TEST_PYTHON") else { return };
    let mut judge = Command::new(python);
    judge.args(["-c", JUDGE]).arg(repository().join("schema/compose.json"));
    let told = answers(&mut judge, &questions);
    assert_eq!(told.len(), questions.len());
    for (said, told) in GOOD.iter().zip(&told) {
        assert_eq!(told, &json!([]), "{said}");
    }
    for (said, told) in WRONG.iter().zip(&told[GOOD.len()..]) {
        assert_ne!(told, &json!([]), "{said}");
    }
}

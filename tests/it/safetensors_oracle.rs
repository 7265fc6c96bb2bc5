//! What preflight says of safetensors files and model folders is what the Python packages do with
//! them that vLLM, TGI and SGLang read them with: safetensors, and transformers for configuration
//! and tokenizer.
//!
//! The Python is named by `PREFLIGHT_TEST_PYTHON`; without it only preflight's half is tested,
//! unless `PREFLIGHT_TEST_REQUIRE_ALL=1`.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod corpus;

use std::collections::BTreeMap;
use std::process::Command;

use preflight::facts::model::FileState;
use preflight::facts::model::huggingface::Presence;
use preflight::facts::model::{Model, ModelFacts, Role, examine};
use preflight::project::view::local::LocalView;
use serde_json::{Value, json};

pub(crate) use self::corpus::named;
use self::corpus::{Case, Question, corpus};
use crate::judge;

/// Opens everything that it is asked about, in one process, and answers with a line of JSON each:
/// the first line of the exception, or null.
const JUDGE: &str = r#"
import json, os, sys
os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer

def weights(path):
    with safe_open(path, framework="np") as file:
        list(file.keys())

def shards(path):
    # What vLLM 0.12 to 0.33 do with an index: every file that it names has to be there. Every tensor
    # that it names has to be in one of them, for this model needs them all.
    mapped = json.load(open(os.path.join(path, "model.safetensors.index.json")))["weight_map"]
    held = set()
    for name in sorted(set(mapped.values())):
        with safe_open(os.path.join(path, name), framework="np") as file:
            held |= set(file.keys())
    lost = sorted(set(mapped) - held)
    if lost:
        raise KeyError(f"tensors not in any file: {lost[0]}")

def tokenizer(path):
    found = AutoTokenizer.from_pretrained(path)
    if not found.encode("a word"):
        raise ValueError("it makes no tokens")

def config(path):
    # The name of a model type anywhere in the path stands in for one that is missing.
    os.chdir(path)
    AutoConfig.from_pretrained(".")

questions = {"weights": weights, "shards": shards, "tokenizer": tokenizer,
             "config": config}
for line in sys.stdin:
    asked, path = json.loads(line)
    try:
        questions[asked](path)
        answer = None
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
"#;

/// What Python says to every case: what it raised, or nothing.
fn answers(python: &str, cases: &[Case]) -> Vec<Option<String>> {
    let question = |case: &Case| json!([case.question.name(), case.path]);
    let questions: Vec<Value> = cases.iter().map(question).collect();
    let answers = judge::answers(Command::new(python).args(["-c", JUDGE]), &questions);
    answers.into_iter().map(|answer| answer.as_str().map(str::to_owned)).collect()
}

/// Why preflight would not let an engine start with that; nothing if it would.
fn preflight_refuses(case: &Case) -> Option<String> {
    let facts = examine(&LocalView, &case.path);
    let accepted = match &facts {
        ModelFacts::Seen(model) => accepts(case.question, model),
        ModelFacts::Absent | ModelFacts::Denied(_) | ModelFacts::Unknown(_) => false,
    };
    (!accepted).then(|| format!("{facts:?}"))
}

fn accepts(question: Question, model: &Model) -> bool {
    let sound = |roles: &[Role]| {
        let asked = model.files.iter().filter(|file| roles.contains(&file.role));
        asked.fold((0, true), |(count, sound), file| {
            (count + 1, sound && file.state() == FileState::Present)
        })
    };
    let folder = model.folder();
    match question {
        Question::Weights => sound(&[Role::Weights, Role::Shard, Role::Plain]) == (1, true),
        Question::Shards => {
            let index = folder.and_then(|folder| folder.index.as_ref());
            sound(&[Role::Index, Role::Shard]).1 && index.is_some_and(|index| index.torn.is_none())
        }
        Question::Config => {
            let says = folder.and_then(|folder| folder.config.as_ref());
            sound(&[Role::Config]) == (1, true)
                && says.is_some_and(|says| says.model_type.is_some())
        }
        Question::Tokenizer => {
            let here = folder.is_some_and(|folder| folder.tokenizer == Presence::Here);
            let beside = folder.is_none_or(|folder| {
                let documents = &folder.documents;
                let lists = documents.tokenizer.as_ref().is_some_and(|says| says.listed.is_some());
                let mut found = [&documents.special_tokens, &documents.added_tokens].into_iter();
                let is_sound = |found: &FileState| *found == FileState::Present;
                lists || found.all(|it| it.as_ref().is_none_or(|it| is_sound(&it.file.state())))
            });
            here && beside && sound(&[Role::Tokenizer]).1
        }
    }
}

#[test]
fn preflight_says_what_is_written_of_every_case() {
    let corpus = corpus();
    assert!(corpus.cases.len() > 60, "{} cases", corpus.cases.len());
    let wrong: Vec<String> = corpus
        .cases
        .iter()
        .filter(|case| !case.only_python)
        .filter_map(|case| {
            let said = preflight_refuses(case);
            let differs = said.is_some() != case.refusal.is_some();
            differs.then(|| {
                format!("{}: expected {:?}, and it says {said:?}", case.name, case.refusal)
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_python_packages_say_the_same() {
    let Some(python) = python() else { return };
    let corpus = corpus();
    let answers = answers(&python, &corpus.cases);
    assert_eq!(answers.len(), corpus.cases.len(), "Python answered every question");
    let disagreement = |(case, said): (&Case, &Option<String>)| {
        let agrees = match (said, &case.refusal) {
            (None, None) => true,
            (Some(text), Some(words)) => text.contains(words.as_str()),
            (Some(_), None) | (None, Some(_)) => false,
        };
        (!agrees)
            .then(|| format!("{}: expected {:?}, and it said {said:?}", case.name, case.refusal))
    };
    let wrong: Vec<String> = corpus.cases.iter().zip(&answers).filter_map(disagreement).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Single bytes of a header set to something else, from a fixed start: preflight refuses a file
/// exactly when the library does.
#[test]
fn a_changed_byte_is_refused_by_both_or_by_none() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cases = corpus::mutated(folder.path(), 400);
    let answers = answers(&python, &cases);
    assert_eq!(answers.len(), cases.len());
    let mut wrong = Vec::new();
    let mut refusals: BTreeMap<bool, usize> = BTreeMap::new();
    for (case, said) in cases.iter().zip(&answers) {
        *refusals.entry(said.is_some()).or_default() += 1;
        let refused = preflight_refuses(case);
        if refused.is_some() != said.is_some() {
            let refused = refused.unwrap_or_default();
            wrong.push(format!("{}: Python {said:?}, preflight {refused:.300}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refusals.values().all(|count| *count > 20), "{refusals:?}");
}

/// The Python with transformers.
pub(crate) fn python() -> Option<String> {
    judge::named("PREFLIGHT_TEST_PYTHON")
}

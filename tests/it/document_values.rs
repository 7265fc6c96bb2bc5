//! Values in the small documents of a model, judged by preflight and read by the genuine transformers: the
//! release that goes with vLLM 0.12 and one of the fifth.
//!
//! The older is in the Python that `PREFLIGHT_TEST_PYTHON` names, the newer in that of
//! `PREFLIGHT_TEST_HUGGINGFACE_HUB`; without them preflight's half is tested, unless
//! `PREFLIGHT_TEST_REQUIRE_ALL=1`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::judge::{answers, named};
use crate::sandbox::{Sandbox, repository};

/// Reads what it is asked for, a folder a line, and answers with what was raised, or null.
const JUDGE: &str = include_str!("document_values/judge.py");

/// The releases of vLLM, and the variable that names a Python with the transformers of each.
const RELEASES: [(&str, &str); 2] =
    [("0.12.0", "PREFLIGHT_TEST_PYTHON"), ("0.33.0", "PREFLIGHT_TEST_HUGGINGFACE_HUB")];

/// A file, where in it, what is written there (nothing: it is taken away), and by which of the releases that
/// is refused.
type Case = (&'static str, &'static str, &'static str, [bool; 2]);

const NONE: [bool; 2] = [false, false];
const OLD: [bool; 2] = [true, false];
const NEW: [bool; 2] = [false, true];
const BOTH: [bool; 2] = [true, true];

const CONFIG: &str = "config.json";
const SETTINGS: &str = "tokenizer_config.json";
const MAP: &str = "special_tokens_map.json";
const ADDED: &str = "added_tokens.json";
const SAMPLING: &str = "generation_config.json";
const FAST: &str = "tokenizer.json";

const CASES: &[Case] = &[
    (CONFIG, "/zzz", "[1]", NONE),
    (CONFIG, "/hidden_act", "", NONE),
    (CONFIG, "/hidden_size", "\"64\"", NEW),
    (CONFIG, "/rms_norm_eps", "1", NEW),
    (CONFIG, "/rms_norm_eps", "1.5", NONE),
    (CONFIG, "/attention_dropout", "0", NONE),
    (CONFIG, "/use_cache", "null", NEW),
    (CONFIG, "/attention_bias", "0", NEW),
    (CONFIG, "/pad_token_id", "[0]", NEW),
    (CONFIG, "/eos_token_id", "[1, 2]", NONE),
    (CONFIG, "/rope_parameters", "1", NEW),
    (CONFIG, "/rope_parameters", r#"{"rope_type": "linear", "rope_theta": 1.0}"#, NEW),
    (CONFIG, "/rope_scaling", r#"{"type": "linear", "factor": 2.0}"#, NONE),
    (CONFIG, "/rope_scaling", "\"x\"", BOTH),
    (CONFIG, "/auto_map", "null", BOTH),
    (CONFIG, "/auto_map", "{}", NONE),
    (CONFIG, "/auto_map", r#"{"AutoConfig": null}"#, BOTH),
    (CONFIG, "/id2label", r#"["a"]"#, BOTH),
    (CONFIG, "/id2label", r#"{"a": "b"}"#, BOTH),
    (CONFIG, "/id2label", r#"{"0": "b"}"#, NONE),
    (CONFIG, "/label2id", "[]", OLD),
    (CONFIG, "/num_labels", "\"2\"", BOTH),
    (CONFIG, "/problem_type", "\"sorting\"", OLD),
    (CONFIG, "/quantization_config", "null", OLD),
    (CONFIG, "/quantization_config", "\"fp8\"", BOTH),
    (SETTINGS, "/bos_token", "7", BOTH),
    (SETTINGS, "/bos_token", "null", NONE),
    (SETTINGS, "/bos_token", r#"{"content": "<s>"}"#, BOTH),
    (SETTINGS, "/bos_token", r#"{"__type": "AddedToken", "content": "<s>"}"#, NONE),
    (SETTINGS, "/bos_token", r#"{"__type": "AddedToken", "content": "<s>", "lstrip": 1}"#, BOTH),
    (SETTINGS, "/eos_token", "7", NONE),
    (SETTINGS, "/additional_special_tokens", "\"<a>\"", BOTH),
    (SETTINGS, "/additional_special_tokens", r#"["<a>"]"#, NONE),
    (SETTINGS, "/additional_special_tokens", "[1]", BOTH),
    (SETTINGS, "/extra_special_tokens", r#"["<a>"]"#, OLD),
    (SETTINGS, "/extra_special_tokens", r#"{"image_token": "<a>"}"#, NONE),
    (SETTINGS, "/extra_special_tokens", r#"{"image_token": 1}"#, BOTH),
    (SETTINGS, "/model_specific_special_tokens", "[]", NEW),
    (SETTINGS, "/added_tokens_decoder", "null", BOTH),
    (SETTINGS, "/added_tokens_decoder", r#"{"0": {"content": "<s>"}}"#, NONE),
    (SETTINGS, "/added_tokens_decoder", r#"{"a": {"content": "<s>"}}"#, BOTH),
    (SETTINGS, "/added_tokens_decoder", r#"{"0": {"content": 1}}"#, BOTH),
    (SETTINGS, "/model_max_length", "\"128\"", BOTH),
    (SETTINGS, "/padding_side", "\"middle\"", BOTH),
    (SETTINGS, "/truncation_side", "\"left\"", NONE),
    (SETTINGS, "/split_special_tokens", "null", BOTH),
    (SETTINGS, "/model_input_names", "null", BOTH),
    (SETTINGS, "/tokenizer_class", "7", BOTH),
    (SETTINGS, "/auto_map", "null", BOTH),
    (SETTINGS, "/auto_map", r#"{"AutoTokenizer": []}"#, BOTH),
    (MAP, "/bos_token", "7", BOTH),
    (MAP, "/bos_token", r#"{"content": "<s>"}"#, NONE),
    (MAP, "/bos_token", r#"{"content": 1}"#, BOTH),
    (MAP, "/additional_special_tokens", "\"<a>\"", BOTH),
    (MAP, "/zzz", "[1]", NONE),
    (ADDED, "/<a>", "512", NONE),
    (ADDED, "/<a>", "\"512\"", BOTH),
    (ADDED, "/<a>", "null", BOTH),
    (SAMPLING, "/pad_token_id", "[0]", BOTH),
    (SAMPLING, "/max_new_tokens", "0", BOTH),
    (SAMPLING, "/early_stopping", "\"soon\"", BOTH),
    (SAMPLING, "/temperature", "\"hot\"", NONE),
    (FAST, "/zzz", "1", BOTH),
    (FAST, "/truncation", r#"{"max_length": 8, "strategy": "LongestFirst", "stride": 0}"#, NONE),
    (FAST, "/truncation", r#"{"max_length": -8, "strategy": "LongestFirst", "stride": 0}"#, BOTH),
    (FAST, "/padding", "{}", BOTH),
    (FAST, "/added_tokens/0/id", "\"0\"", BOTH),
    (FAST, "/added_tokens/0/lstrip", "", BOTH),
    (FAST, "/added_tokens/0/zzz", "1", NONE),
    (FAST, "/normalizer", r#"{"type": "NFC"}"#, NONE),
    (FAST, "/normalizer", r#"{"type": "Replace", "pattern": " ", "content": "_"}"#, BOTH),
    (FAST, "/pre_tokenizer/use_regex", "", NONE),
    (FAST, "/pre_tokenizer/add_prefix_space", "", BOTH),
    (FAST, "/pre_tokenizer/trim_offsets", "1", BOTH),
    (FAST, "/pre_tokenizer/zzz", "1", NONE),
    (FAST, "/post_processor/single/0/Sequence/type_id", "\"0\"", BOTH),
    (FAST, "/post_processor/special_tokens", "", BOTH),
    (FAST, "/decoder/add_prefix_space", "null", BOTH),
    (FAST, "/decoder", "null", NONE),
    (FAST, "/model/type", "\"Bpe\"", BOTH),
    (FAST, "/model/dropout", "2.0", BOTH),
    (FAST, "/model/merges/0", "[\"a\"]", BOTH),
    (FAST, "/model/merges/0", "[\"no\", \"such\"]", BOTH),
    (FAST, "/model/merges", "", BOTH),
    (FAST, "/model/vocab/<s>", "-1", BOTH),
    (FAST, "/model/zzz", "1", NONE),
];

#[test]
fn a_value_that_a_release_stops_over_is_told_for_that_release() {
    let stage = Stage::new();
    for (at, (release, _)) in RELEASES.into_iter().enumerate() {
        let verdicts = stage.verdicts(release);
        let expected =
            stage.expected(
                at,
                |is_refused| {
                    if is_refused { json!("not-ready") } else { json!("ready") }
                },
            );
        assert_eq!(differing(&verdicts, &expected), [""; 0], "vLLM {release}");
    }
}

#[test]
fn transformers_stops_over_the_same_values() {
    let stage = Stage::new();
    for (at, (_, variable)) in RELEASES.into_iter().enumerate() {
        let Some(python) = named(variable) else { return };
        let refused = stage.refused(&python);
        let expected = stage.expected(at, |is_refused| json!(is_refused));
        assert_eq!(differing(&refused, &expected), [""; 0], "{variable}");
    }
}

fn differing(said: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) -> Vec<String> {
    let of_case = |(case, expected): (&String, &Value)| {
        let said = said.get(case);
        (said != Some(expected)).then(|| format!("{case}: expected {expected}, said {said:?}"))
    };
    expected.iter().filter_map(of_case).collect()
}

/// A folder for each case, with the model of the quickstart.
struct Stage {
    sandbox: Sandbox,
}

impl Stage {
    fn new() -> Self {
        let mut sandbox = Sandbox::new();
        let model = repository().join("examples/quickstart/models/vllm/tiny/bf16");
        for (number, case) in CASES.iter().enumerate() {
            for entry in fs_err::read_dir(&model).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                let path = format!("models/m{number}/{name}");
                sandbox = sandbox.file(&path, fs_err::read(entry.path()).unwrap());
            }
            let path = format!("models/m{number}/{}", case.0);
            let text = fs_err::read_to_string(sandbox.path().join(&path)).unwrap_or_default();
            let mut document: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
            spoil(&mut document, case);
            sandbox = sandbox.file(&path, document.to_string());
        }
        Self { sandbox }
    }

    /// What is expected of each case, by how it is told.
    fn expected(&self, release: usize, of: fn(bool) -> Value) -> BTreeMap<String, Value> {
        CASES.iter().map(|case| (told(case), of(case.3[release]))).collect()
    }

    /// preflight's verdict of each case.
    fn verdicts(&self, release: &str) -> BTreeMap<String, Value> {
        let mut compose = "services:\n".to_owned();
        for number in 0..CASES.len() {
            writeln!(
                compose,
                "  m{number}:\n    image: vllm/vllm-openai:v{release}\n    command: --model \
                 /models/m{number}\n    volumes: [./models:/models:ro]"
            )
            .unwrap();
        }
        fs_err::write(self.sandbox.path().join("compose.yaml"), compose).unwrap();
        let run = self.sandbox.run(&["verify", "--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let lanes = report["lanes"].as_array().unwrap().iter();
        let by_name: BTreeMap<&str, &Value> =
            lanes.map(|lane| (lane["name"].as_str().unwrap(), &lane["verdict"])).collect();
        let verdict = |number: usize| by_name[format!("m{number}").as_str()].clone();
        CASES.iter().enumerate().map(|(number, case)| (told(case), verdict(number))).collect()
    }

    /// Whether transformers stops over each case.
    fn refused(&self, python: &str) -> BTreeMap<String, Value> {
        let models = self.sandbox.path().join("models");
        let folders = (0..CASES.len()).map(|number| json!(models.join(format!("m{number}"))));
        let folders: Vec<Value> = folders.collect();
        let answers = answers(Command::new(python).args(["-c", JUDGE]), &folders);
        CASES.iter().zip(answers).map(|(case, it)| (told(case), json!(!it.is_null()))).collect()
    }
}

fn told(case: &Case) -> String {
    let (file, place, value, _) = case;
    format!("{file}{place} = {value}")
}

/// Writes the value of a case into a document, or takes it away.
fn spoil(document: &mut Value, case: &Case) {
    let (_, place, value, _) = case;
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Value::Object(object) if value.is_empty() => {
            object.remove(key).unwrap();
        }
        Value::Object(object) => {
            object.insert(key.to_owned(), serde_json::from_str(value).unwrap());
        }
        Value::Array(list) => {
            list[key.parse::<usize>().unwrap()] = serde_json::from_str(value).unwrap();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            panic!("{place} holds nothing")
        }
    }
}

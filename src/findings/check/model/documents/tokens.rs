//! What the settings of a tokenizer hold, and the files of its tokens, as far as transformers stops over it
//! (4.57.6 and 5.19.0 tokenization_utils_base.py).

use serde_json::{Map, Value};

use super::About;
use super::fault::{Fault, RefusedBy};
use crate::facts::model::huggingface::{TokenizerSettings, is_added_token};
use crate::facts::model::sentence_transformers::Sidecar;
use crate::findings::Findings;

const SETTINGS: &str = "tokenizer_config.json";

const SPECIAL_TOKENS: &str = "special_tokens_map.json";

/// The tokens that stand for something.
const SPECIAL: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// What is taken for a token.
const A_TOKEN: &str = "a text or an object with `\"__type\": \"AddedToken\"`";

impl About<'_> {
    /// The first thing that a release stops over in each file.
    pub(super) fn token_values(&self, findings: &mut Findings) {
        let documents = &self.folder.documents;
        let settings = documents.tokenizer.as_ref();
        // A number that only Python knows is nothing here.
        let is_plain = |file: &&Sidecar| file.file.python_number.is_none();
        let says = |file: &Option<Sidecar>| file.as_ref().filter(is_plain)?.says.clone();
        let is_listed = settings.is_some_and(|settings| settings.listed.is_some());
        let special = says(&documents.special_tokens).filter(|_| !is_listed).unwrap_or_default();
        let added = says(&documents.added_tokens).filter(|_| !is_listed).unwrap_or_default();
        let faults = [
            (SETTINGS, settings.and_then(|settings| in_settings(settings, &special))),
            (SPECIAL_TOKENS, in_special_tokens(&special)),
            ("added_tokens.json", in_added_tokens(&added)),
        ];
        for (file, fault) in faults {
            let finding = fault.and_then(|fault| self.fault(file, &fault));
            finding.into_iter().for_each(|finding| findings.push(finding));
        }
    }
}

/// What the settings say; what the file of special tokens says as well stands before it.
fn in_settings(settings: &TokenizerSettings, special: &Map<String, Value>) -> Option<Fault> {
    if let Some(broken) = settings.listed.as_ref().and_then(|listed| listed.broken.as_ref()) {
        let what = format!("has `{broken:.60}` in its `added_tokens_decoder`, which is no token");
        return Some(Fault { what, refused_by: RefusedBy::All });
    }
    let others = &settings.others;
    let of_token = |name: &&str| {
        let value = others.get(*name).filter(|_| !special.contains_key(*name))?;
        let is_taken = value.is_null() || is_token(value);
        (!is_taken).then(|| Fault::of(name, value, A_TOKEN, RefusedBy::All))
    };
    let lists = ["additional_special_tokens", "extra_special_tokens"];
    let of_list = |name: &&str| {
        let value = others.get(*name).filter(|_| !special.contains_key(*name))?;
        list_of_tokens(name, value)
    };
    SPECIAL
        .iter()
        .find_map(of_token)
        .or_else(|| lists.iter().find_map(of_list))
        .or_else(|| named_tokens(others.get("model_specific_special_tokens")?))
        .or_else(|| simple(settings))
}

/// What is compared with nothing but its type.
fn simple(settings: &TokenizerSettings) -> Option<Fault> {
    let unless = |name: &str, value: Option<&Value>, is_taken: fn(&Value) -> bool, takes: &str| {
        let value = value.filter(|value| !is_taken(value))?;
        Some(Fault::of(name, value, takes, RefusedBy::All))
    };
    let other = |name: &str| settings.others.get(name);
    let is_side = |it: &Value| matches!(it.as_str(), Some("left" | "right"));
    let is_length = |it: &Value| it.is_number() || it.is_boolean() || it.is_null();
    let is_name = |it: &Value| it.is_string() || it.is_null();
    // A text and an object are gone through as lists are.
    let is_list = |it: &Value| it.is_array() || it.is_string() || it.is_object();
    let side = "`left` or `right`";
    unless("padding_side", other("padding_side"), is_side, side)
        .or_else(|| unless("truncation_side", other("truncation_side"), is_side, side))
        .or_else(|| {
            let value = settings.model_max_length.as_ref();
            unless("model_max_length", value, is_length, "a number")
        })
        .or_else(|| {
            let value = other("split_special_tokens");
            unless("split_special_tokens", value, Value::is_boolean, "true or false")
        })
        .or_else(|| unless("model_input_names", other("model_input_names"), is_list, "a list"))
        .or_else(|| unless("init_inputs", other("init_inputs"), is_list, "a list"))
        .or_else(|| unless("tokenizer_class", settings.tokenizer_class.as_ref(), is_name, "a name"))
        .or_else(|| {
            unless(
                "auto_map",
                settings.auto_map.as_ref(),
                is_code,
                "an object with names of classes",
            )
        })
}

/// Whether names of classes can be taken out of it.
fn is_code(value: &Value) -> bool {
    let is_pair = |list: &[Value]| list.len() > 1 && list.iter().take(2).any(|it| !it.is_null());
    match value {
        Value::Object(map) => map.get("AutoTokenizer").is_none_or(|entry| match entry {
            Value::Array(list) => is_pair(list),
            Value::Bool(_) | Value::Number(_) => false,
            Value::Null | Value::String(_) | Value::Object(_) => true,
        }),
        Value::Array(list) => is_pair(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_token(value: &Value) -> bool {
    let is_typed = |token: &Map<String, Value>| {
        token.get("__type").and_then(Value::as_str) == Some("AddedToken") && is_added_token(token)
    };
    value.is_string() || value.as_object().is_some_and(is_typed)
}

/// Tokens in a list. Before 5 those of a model had names, and no list was taken for them.
fn list_of_tokens(name: &str, value: &Value) -> Option<Fault> {
    let is_extra = name == "extra_special_tokens";
    let of = |takes: &str, refused_by| Some(Fault::of(name, value, takes, refused_by));
    match value {
        Value::Array(tokens) if !tokens.iter().all(is_token) => {
            of("a list of tokens", RefusedBy::All)
        }
        Value::Array(_) | Value::Null if is_extra => of("an object of tokens", RefusedBy::Fourth),
        Value::Object(tokens) if is_extra => {
            let is_right = tokens.values().all(is_token);
            if is_right { None } else { of("an object of tokens", RefusedBy::All) }
        }
        Value::Object(_) => of("a list of tokens", RefusedBy::Fourth),
        Value::Array(_) | Value::Null => None,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            of("a list of tokens", RefusedBy::All)
        }
    }
}

/// Since 5 tokens of a model have names here.
fn named_tokens(value: &Value) -> Option<Fault> {
    let is_right = value.as_object().is_some_and(|tokens| tokens.values().all(is_token));
    let fault = || {
        Fault::of(
            "model_specific_special_tokens",
            value,
            "an object of tokens",
            RefusedBy::Comparing,
        )
    };
    (!value.is_null() && !is_right).then(fault)
}

fn in_special_tokens(special: &Map<String, Value>) -> Option<Fault> {
    let of_token = |(name, value): (&String, &Value)| {
        let is_taken = match value {
            Value::Object(token) => is_added_token(&without_special(token)),
            Value::Null | Value::String(_) => true,
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                !SPECIAL.contains(&name.as_str())
            }
        };
        (!is_taken)
            .then(|| Fault::of(name, value, "a text or the object of a token", RefusedBy::All))
    };
    let of_list = |value: &Value| {
        let is_text_or_token = |it: &Value| it.is_string() || it.is_object();
        let is_taken = match value {
            Value::Array(tokens) => tokens.iter().all(is_text_or_token),
            Value::Null => true,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => false,
        };
        let name = "additional_special_tokens";
        (!is_taken).then(|| Fault::of(name, value, "a list of tokens", RefusedBy::All))
    };
    let of_extra = |value: &Value| list_of_tokens("extra_special_tokens", value);
    special
        .iter()
        .find_map(of_token)
        .or_else(|| special.get("additional_special_tokens").and_then(of_list))
        .or_else(|| special.get("extra_special_tokens").and_then(of_extra))
}

/// Every token of that file is a special one, whatever it says of that.
fn without_special(token: &Map<String, Value>) -> Map<String, Value> {
    let kept = token.iter().filter(|(key, _)| *key != "special");
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn in_added_tokens(added: &Map<String, Value>) -> Option<Fault> {
    let is_number = |value: &Value| value.is_number() || value.is_boolean();
    let (token, value) = added.iter().find(|(_, value)| !is_number(value))?;
    Some(Fault::of(token, value, "the number of the token", RefusedBy::All))
}

//! The small documents beside the weights of a model: what belongs to its tokenizer, what prepares
//! pictures, what it samples with.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{Examination, FolderKind, Presence, parsed};
use crate::facts::model::file::{Content, Defect, ModelFile, Role};
use crate::facts::model::sentence_transformers::Sidecar;
use crate::limits::LONGEST_MODEL_CONFIGURATION;
use crate::plan::engine::Limits;
use crate::project::view::View;

/// The documents of a folder; each is absent where the file is not there.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// `config.json`, as it is written.
    pub config: Option<Map<String, Value>>,
    /// `special_tokens_map.json`.
    pub special_tokens: Option<Sidecar>,
    /// `added_tokens.json`.
    pub added_tokens: Option<Sidecar>,
    /// `generation_config.json`.
    pub generation: Option<Sidecar>,
    /// `preprocessor_config.json`.
    pub image: Option<Sidecar>,
    /// `processor_config.json`.
    pub processor: Option<Sidecar>,
    /// The first of sentence-transformers' own configurations (`sentence_bert_config.json`).
    pub sentence: Option<Sidecar>,
    /// What `tokenizer_config.json` says; absent as well where it cannot be read.
    pub tokenizer: Option<TokenizerSettings>,
}

/// What of `tokenizer_config.json` matters.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct TokenizerSettings {
    /// What makes prompts of conversations: a template, or several with names.
    #[serde(default)]
    pub(super) chat_template: Option<Value>,
    /// `tokenizer_class`.
    #[serde(default)]
    pub tokenizer_class: Option<Value>,
    /// `auto_map`; where it says nothing that is there too.
    #[serde(default, deserialize_with = "kept")]
    pub auto_map: Option<Value>,
    /// `model_max_length`.
    #[serde(default)]
    pub model_max_length: Option<Value>,
    /// The tokens that were added (`added_tokens_decoder`): where they are listed no other file is asked
    /// for them.
    #[serde(default, rename = "added_tokens_decoder", deserialize_with = "listed")]
    pub listed: Option<ListedTokens>,
    /// Everything else.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// The tokens that a tokenizer lists.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedTokens {
    /// The first that cannot be read, as it is written; absent: each can.
    pub broken: Option<String>,
}

/// What is read of an object; a list is none, although its elements could be taken for the fields.
#[derive(Debug)]
pub(super) struct ObjectOf<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ObjectOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = ObjectOf<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(ObjectOf)
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn listed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ListedTokens>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let broken = match &value {
        Value::Object(tokens) => {
            let is_read = |(number, token): &(&String, &Value)| {
                number.trim().parse::<i64>().is_ok()
                    && token.as_object().is_some_and(is_added_token)
            };
            let broken = tokens.iter().find(|entry| !is_read(entry));
            broken.map(|(number, token)| format!("{{\"{number}\":{token}}}"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Some(value.to_string())
        }
    };
    Ok(Some(ListedTokens { broken }))
}

/// Whether the settings of a token that was added are of their types (tokenizers 0.22.2 and 0.23.3).
#[must_use]
pub fn is_added_token(token: &Map<String, Value>) -> bool {
    let is = |key: &str, is_right: fn(&Value) -> bool| {
        token.get(key).is_none_or(|value| value.is_null() || is_right(value))
    };
    let flags = ["single_word", "lstrip", "rstrip", "normalized", "special"];
    is("content", Value::is_string) && flags.iter().all(|flag| is(flag, Value::is_boolean))
}

/// What sentence-transformers calls its own configuration, in the order in which it is looked for (vLLM
/// 0.12.0 transformers_utils/config.py, TEI 1.8 core/src/download.rs).
const SENTENCE: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

pub(super) fn examine(examination: &mut Examination<'_>) {
    if examination.folder.kind != FolderKind::Adapter {
        let documents = documents(examination);
        examination.folder.documents = documents;
    }
    if examination.folder.multimodal() {
        examination.folder.processor = examination.folder.documents.processor();
    }
}

fn documents(examination: &mut Examination<'_>) -> Documents {
    let settings = examination.folder.documents.tokenizer.take();
    let examination = &*examination;
    let tokenizer = |name: &str| read(examination, name, Role::Tokenizer);
    let module = |name: &str| read(examination, name, Role::Module);
    Documents {
        config: examination.document.clone(),
        special_tokens: tokenizer("special_tokens_map.json"),
        added_tokens: tokenizer("added_tokens.json"),
        generation: module("generation_config.json"),
        image: module("preprocessor_config.json"),
        processor: module("processor_config.json"),
        sentence: SENTENCE.iter().find(|name| examination.has(name)).and_then(|name| module(name)),
        tokenizer: settings,
    }
}

fn read(examination: &Examination<'_>, name: &str, role: Role) -> Option<Sidecar> {
    examination
        .has(name)
        .then(|| object(examination.view, &examination.path.join(name), name, role))
}

/// A document that is to be an object; one that is JSON and none is told from what is no JSON.
fn object(view: &dyn View, path: &Path, name: &str, role: Role) -> Sidecar {
    let mut found = None;
    let keep = |value: Value| found = Some(value);
    let file = parsed(view, path, name, role, LONGEST_MODEL_CONFIGURATION, keep);
    match found {
        Some(Value::Object(says)) => Sidecar { file, says: Some(says), is_other_json: false },
        Some(_) => {
            let why = "it is a list, where an object is looked for".to_owned();
            let file = ModelFile { content: Content::Broken(Defect::Document(why)), ..file };
            Sidecar { file, says: None, is_other_json: true }
        }
        None => Sidecar { file, says: None, is_other_json: false },
    }
}

impl TokenizerSettings {
    /// The name of its class, if it says one.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        self.tokenizer_class.as_ref().and_then(Value::as_str)
    }

    /// The code of its class, the fast one before the other, if it comes with the model.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let map = self.auto_map.as_ref()?;
        let entry = if map.is_array() { map } else { map.get("AutoTokenizer")? };
        let classes = entry.as_array();
        let fast = classes.and_then(|classes| classes.get(1)).and_then(Value::as_str);
        let slow = classes.and_then(|classes| classes.first()).and_then(Value::as_str);
        fast.or(slow).or_else(|| entry.as_str()).map(str::to_owned)
    }
}

impl Documents {
    /// Whether they say how images or sound are prepared. A file that cannot be read counts: it is told
    /// of itself.
    fn processor(&self) -> Presence {
        let inside = |found: &Sidecar| match &found.says {
            Some(says) => ["image_processor", "feature_extractor"]
                .iter()
                .any(|key| says.get(*key).is_some_and(Value::is_object)),
            None => true,
        };
        let here = self.image.is_some() || self.processor.as_ref().is_some_and(inside);
        if here { Presence::Here } else { Presence::Missing }
    }

    /// What they say of the length of a context; that of the tokenizer only of a model that makes no
    /// text.
    #[must_use]
    pub fn limits(&self, makes_text: bool) -> Limits {
        let sentence = self.sentence.as_ref().and_then(|found| found.says.as_ref());
        let tokenizer = self.tokenizer.as_ref().filter(|_| !makes_text);
        Limits {
            sentence: sentence.and_then(|says| says.get("max_seq_length")?.as_u64()),
            says_case: sentence.is_some_and(|says| says.contains_key("do_lower_case")),
            // One that is not limited has a number with 31 digits.
            tokenizer: tokenizer.and_then(|says| says.model_max_length.as_ref()?.as_u64()),
        }
    }
}

//! `tokenizer.json`, which a library of its own reads, and stops at the first thing in it that it does not
//! expect (tokenizers 0.22.2 and 0.23.3, `Tokenizer::from_file`).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::fast_model::FastModel;
use super::parts::{self, DECODER, NORMALIZER, POST_PROCESSOR, PRE_TOKENIZER};

/// One that can be read.
#[derive(Debug)]
pub(super) struct Fast;

/// What a text is cut to.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only its types are looked at")]
struct Truncation {
    #[serde(default)]
    direction: Direction,
    max_length: usize,
    strategy: Strategy,
    stride: usize,
}

#[derive(Deserialize, Default)]
enum Direction {
    Left,
    #[default]
    Right,
}

#[derive(Deserialize)]
enum Strategy {
    LongestFirst,
    OnlyFirst,
    OnlySecond,
}

/// What texts are filled up with.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only its types are looked at")]
struct Padding {
    strategy: Length,
    direction: Direction,
    pad_to_multiple_of: Option<usize>,
    pad_id: u32,
    pad_type_id: u32,
    pad_token: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its types are looked at")]
enum Length {
    BatchLongest,
    Fixed(usize),
}

/// A token beside the vocabulary.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only its types are looked at")]
struct AddedToken {
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl<'de> Deserialize<'de> for Fast {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

/// Reads a key twice, and no key that it does not know.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Fast;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fast, A::Error> {
        let mut has_model = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => version(&map.next_value::<String>()?)?,
                "truncation" => {
                    map.next_value::<Option<Truncation>>()?;
                }
                "padding" => drop(map.next_value::<Option<Padding>>()?),
                "added_tokens" => drop(map.next_value::<Vec<AddedToken>>()?),
                "normalizer" | "pre_tokenizer" | "post_processor" | "decoder" => {
                    let value = map.next_value::<Value>()?;
                    part(&key, &value).map_err(A::Error::custom)?;
                }
                "model" => {
                    map.next_value::<FastModel>()?;
                    has_model = true;
                }
                other => {
                    let why = format!("it has a key `{other}`, which the library does not know");
                    return Err(A::Error::custom(why));
                }
            }
        }
        if has_model {
            Ok(Fast)
        } else {
            Err(A::Error::custom("it has no `model`, which makes tokens of a text"))
        }
    }
}

fn version<E: Error>(version: &str) -> Result<(), E> {
    match version {
        "1.0" => Ok(()),
        other => Err(E::custom(format!("its `version` is `{other}`"))),
    }
}

fn part(key: &str, value: &Value) -> Result<(), String> {
    let kind = match key {
        "normalizer" => &NORMALIZER,
        "pre_tokenizer" => &PRE_TOKENIZER,
        "post_processor" => &POST_PROCESSOR,
        _ => &DECODER,
    };
    if value.is_null() {
        return Ok(());
    }
    parts::judge(kind, value).map_err(|why| format!("its `{key}` {why}"))
}

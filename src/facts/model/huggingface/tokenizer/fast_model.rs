//! The model in a `tokenizer.json`: its vocabulary, and what makes it up.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// One that can be read.
#[derive(Debug)]
pub(super) struct FastModel;

/// As it is written.
#[derive(Default)]
struct Written {
    kind: Option<String>,
    vocabulary: Option<Vocabulary>,
    merges: Option<Vec<Merge>>,
    settings: Vec<(String, Value)>,
}

/// By number, or in their order with what each of them weighs.
enum Vocabulary {
    Numbered(HashMap<String, u32>),
    Weighed(usize),
}

/// Two tokens that become one, in the newer form or in the older.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

impl<'de> Deserialize<'de> for FastModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the object of a model")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                Written::read(map)
            }
        }
        let written = deserializer.deserialize_map(Keys)?;
        written.judge().map_err(D::Error::custom)
    }
}

impl Written {
    fn read<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut written = Self::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" if written.kind.is_some() => {
                    return Err(A::Error::custom("its `model` has the key `type` twice"));
                }
                "type" => written.kind = Some(map.next_value()?),
                "vocab" => written.vocabulary = Some(map.next_value()?),
                "merges" => written.merges = Some(map.next_value()?),
                _ => written.settings.push((key, map.next_value()?)),
            }
        }
        Ok(written)
    }

    fn judge(self) -> Result<FastModel, String> {
        let Some(vocabulary) = &self.vocabulary else {
            return Err("its `model` has no `vocab`".to_owned());
        };
        // One that does not say its type is taken for whatever it looks like.
        let Some(kind) = self.kind.as_deref() else { return Ok(FastModel) };
        match (kind, vocabulary) {
            ("BPE", Vocabulary::Numbered(tokens)) => self.pairs(tokens)?,
            ("WordPiece", Vocabulary::Numbered(_)) => {
                self.needs("unk_token", Value::is_string, "a text")?;
                self.needs("continuing_subword_prefix", Value::is_string, "a text")?;
                self.needs("max_input_chars_per_word", Value::is_u64, "a whole number")?;
            }
            ("WordLevel", Vocabulary::Numbered(_)) => {
                self.needs("unk_token", Value::is_string, "a text")?;
            }
            ("Unigram", Vocabulary::Weighed(count)) => self.weighed(*count)?,
            ("BPE" | "WordPiece" | "WordLevel", Vocabulary::Weighed(_)) => {
                return Err(format!("its `model` is a `{kind}`, and its `vocab` is a list"));
            }
            ("Unigram", Vocabulary::Numbered(_)) => {
                return Err("its `model` is a `Unigram`, and its `vocab` is no list".to_owned());
            }
            _ => return Err(format!("its `model` is of the type `{kind}`, which is none")),
        }
        Ok(FastModel)
    }

    fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn needs(&self, name: &str, is_right: fn(&Value) -> bool, what: &str) -> Result<(), String> {
        match self.setting(name) {
            None => Err(format!("its `model` has no `{name}`")),
            Some(value) if is_right(value) => Ok(()),
            Some(_) => Err(format!("the `{name}` of its `model` is not {what}")),
        }
    }

    /// What may be left out or be nothing.
    fn may(&self, name: &str, is_right: fn(&Value) -> bool, what: &str) -> Result<(), String> {
        match self.setting(name) {
            None | Some(Value::Null) => Ok(()),
            Some(_) => self.needs(name, is_right, what),
        }
    }

    fn weighed(&self, count: usize) -> Result<(), String> {
        self.may("unk_id", Value::is_u64, "a whole number")?;
        if self.setting("byte_fallback").is_some() {
            self.needs("byte_fallback", Value::is_boolean, "true or false")?;
        }
        let unknown = self.setting("unk_id").and_then(Value::as_u64);
        let is_there = |number| usize::try_from(number).is_ok_and(|number: usize| number < count);
        match unknown {
            Some(number) if count > 0 && !is_there(number) => Err(format!(
                "the `unk_id` of its `model` is {number}, and its `vocab` has {count} tokens"
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Two tokens of the vocabulary that are joined make up a third of it.
    fn pairs(&self, tokens: &HashMap<String, u32>) -> Result<(), String> {
        for name in ["unk_token", "continuing_subword_prefix", "end_of_word_suffix"] {
            self.may(name, Value::is_string, "a text")?;
        }
        for name in ["fuse_unk", "byte_fallback", "ignore_merges"] {
            self.may(name, Value::is_boolean, "true or false")?;
        }
        let is_share = |value: &Value| value.as_f64().is_some_and(|it| (0.0..=1.0).contains(&it));
        self.may("dropout", is_share, "a number from 0 to 1")?;
        let Some(merges) = &self.merges else {
            return Err("its `model` is a `BPE` and has no `merges`".to_owned());
        };
        let prefix = self.setting("continuing_subword_prefix").and_then(Value::as_str);
        let skipped = prefix.map_or(0, str::len);
        merges.iter().try_for_each(|merge| merge.judge(tokens, skipped))
    }
}

impl Merge {
    fn judge(&self, tokens: &HashMap<String, u32>, skipped: usize) -> Result<(), String> {
        let (first, second) = match self {
            Self::Pair(first, second) => (first.as_str(), second.as_str()),
            Self::Line(line) if line.starts_with("#version") => return Ok(()),
            Self::Line(line) => {
                let parts = line.split_once(' ').filter(|(_, second)| !second.contains(' '));
                parts.ok_or_else(|| {
                    format!("its `model` has the merge `{line}`, which is no pair")
                })?
            }
        };
        let joined = second.get(skipped..).map(|rest| format!("{first}{rest}"));
        let joined = joined.as_deref().unwrap_or(second);
        let lost = [first, second, joined].into_iter().find(|token| !tokens.contains_key(*token));
        lost.map_or(Ok(()), |token| {
            Err(format!("its `model` has a merge of `{token}`, which its `vocab` does not have"))
        })
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the tokens of a vocabulary")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let mut tokens = HashMap::new();
                while let Some((token, number)) = map.next_entry()? {
                    tokens.insert(token, number);
                }
                Ok(Vocabulary::Numbered(tokens))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocabulary, A::Error> {
                let mut count = 0;
                while list.next_element::<Weighed>()?.is_some() {
                    count += 1;
                }
                Ok(Vocabulary::Weighed(count))
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

/// A token and what it weighs.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only its types are looked at")]
struct Weighed(String, f64);

//! The parts of a `tokenizer.json` beside its model: each has a type, and what that type takes. One of a
//! type that is not known here is not judged: a newer release may have it.

use serde_json::{Map, Value};

/// The types that a part may be of.
pub(super) struct Kind {
    types: &'static [(&'static str, &'static [Field])],
}

/// What a type takes.
struct Field {
    name: &'static str,
    holds: Holds,
    is_needed: bool,
}

enum Holds {
    Truth,
    Text,
    Character,
    Count,
    /// What is looked for: a text or an expression.
    Pattern,
    OneOf(&'static [&'static str]),
    /// More of the same kind.
    Parts(&'static Kind),
    /// A token and its number.
    Pair,
    /// What a template is made of.
    Pieces,
    /// The tokens that pieces name.
    SpecialTokens,
}

use self::Holds::{
    Character, Count, OneOf, Pair, Parts, Pattern, Pieces, SpecialTokens, Text, Truth,
};

const fn needed(name: &'static str, holds: Holds) -> Field {
    Field { name, holds, is_needed: true }
}

const fn optional(name: &'static str, holds: Holds) -> Field {
    Field { name, holds, is_needed: false }
}

const BYTE_LEVEL: &[Field] = &[
    needed("add_prefix_space", Truth),
    needed("trim_offsets", Truth),
    optional("use_regex", Truth),
];

const METASPACE: &[Field] = &[
    needed("replacement", Character),
    optional("prepend_scheme", OneOf(&["always", "never", "first"])),
    optional("split", Truth),
];

const REPLACE: &[Field] = &[needed("pattern", Pattern), needed("content", Text)];

const ENDS: &[Field] = &[needed("sep", Pair), needed("cls", Pair)];

const BEHAVIOR: Holds =
    OneOf(&["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]);

pub(super) static NORMALIZER: Kind = Kind {
    types: &[
        (
            "BertNormalizer",
            &[
                needed("clean_text", Truth),
                needed("handle_chinese_chars", Truth),
                needed("lowercase", Truth),
            ],
        ),
        ("Strip", &[needed("strip_left", Truth), needed("strip_right", Truth)]),
        ("Prepend", &[needed("prepend", Text)]),
        ("Replace", REPLACE),
        ("Sequence", &[needed("normalizers", Parts(&NORMALIZER))]),
    ],
};

pub(super) static PRE_TOKENIZER: Kind = Kind {
    types: &[
        ("ByteLevel", BYTE_LEVEL),
        ("CharDelimiterSplit", &[needed("delimiter", Character)]),
        ("Metaspace", METASPACE),
        ("Sequence", &[needed("pretokenizers", Parts(&PRE_TOKENIZER))]),
        (
            "Split",
            &[needed("pattern", Pattern), needed("behavior", BEHAVIOR), needed("invert", Truth)],
        ),
        ("Punctuation", &[optional("behavior", BEHAVIOR)]),
        ("Digits", &[needed("individual_digits", Truth)]),
    ],
};

pub(super) static POST_PROCESSOR: Kind = Kind {
    types: &[
        ("ByteLevel", BYTE_LEVEL),
        ("RobertaProcessing", ENDS),
        ("BertProcessing", ENDS),
        (
            "TemplateProcessing",
            &[
                needed("single", Pieces),
                needed("pair", Pieces),
                needed("special_tokens", SpecialTokens),
            ],
        ),
        ("Sequence", &[needed("processors", Parts(&POST_PROCESSOR))]),
    ],
};

pub(super) static DECODER: Kind = Kind {
    types: &[
        ("BPEDecoder", &[needed("suffix", Text)]),
        ("ByteLevel", BYTE_LEVEL),
        ("WordPiece", &[needed("prefix", Text), needed("cleanup", Truth)]),
        ("Metaspace", METASPACE),
        (
            "CTC",
            &[
                needed("pad_token", Text),
                needed("word_delimiter_token", Text),
                needed("cleanup", Truth),
            ],
        ),
        ("Sequence", &[needed("decoders", Parts(&DECODER))]),
        ("Replace", REPLACE),
        ("Strip", &[needed("content", Character), needed("start", Count), needed("stop", Count)]),
    ],
};

/// What is wrong with a part, after its name.
///
/// # Errors
/// When the library does not take it.
pub(super) fn judge(kind: &'static Kind, value: &Value) -> Result<(), String> {
    let object = match value {
        Value::Object(object) if object.is_empty() => return Err("is empty".to_owned()),
        Value::Object(object) => object,
        // A list is read as the values of an object in their order.
        Value::Array(values) if !values.is_empty() => return Ok(()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err("is no object".to_owned());
        }
    };
    let Some(name) = object.get("type").and_then(Value::as_str) else { return Ok(()) };
    let Some((_, fields)) = kind.types.iter().find(|(known, _)| *known == name) else {
        return Ok(());
    };
    fields.iter().try_for_each(|field| field.judge(name, object))
}

impl Field {
    fn judge(&self, kind: &str, object: &Map<String, Value>) -> Result<(), String> {
        let name = self.name;
        match object.get(name) {
            None if self.is_needed => Err(format!("of the type `{kind}` has no `{name}`")),
            None => Ok(()),
            Some(value) => self
                .holds
                .judge(value, object)
                .map_err(|what| format!("of the type `{kind}` has a `{name}` that {what}")),
        }
    }
}

impl Holds {
    /// What is wrong with a value.
    fn judge(&self, value: &Value, beside: &Map<String, Value>) -> Result<(), String> {
        let unless = |is_right: bool, wrong: &str| match is_right {
            true => Ok(()),
            false => Err(wrong.to_owned()),
        };
        match self {
            Truth => unless(value.is_boolean(), "is neither true nor false"),
            Text => unless(value.is_string(), "is no text"),
            Character => {
                let count = value.as_str().map(|text| text.chars().take(2).count());
                unless(count == Some(1), "is not one character")
            }
            Count => unless(value.is_u64(), "is no whole number"),
            Pattern => unless(is_pattern(value), "is neither a `String` nor a `Regex`"),
            OneOf(words) => {
                let is_known = value.as_str().is_some_and(|word| words.contains(&word));
                unless(is_known, &format!("is none of `{}`", words.join("`, `")))
            }
            Parts(kind) => match value.as_array() {
                Some(parts) => parts.iter().try_for_each(|part| {
                    judge(kind, part).map_err(|why| format!("has a part that {why}"))
                }),
                None => unless(false, "is no list"),
            },
            Pair => unless(is_pair(value), "is no token with its number"),
            Pieces => pieces(value, beside),
            SpecialTokens => match value.as_object() {
                Some(tokens) => unless(
                    tokens.values().all(is_special_token),
                    "holds something else than tokens with their numbers",
                ),
                None => unless(false, "is no object"),
            },
        }
    }
}

fn is_number(value: &Value) -> bool {
    value.as_u64().is_some_and(|number| u32::try_from(number).is_ok())
}

fn is_pattern(value: &Value) -> bool {
    let object = value.as_object().filter(|object| object.len() == 1);
    let held = object.and_then(|object| object.get("String").or_else(|| object.get("Regex")));
    held.is_some_and(Value::is_string)
}

fn is_pair(value: &Value) -> bool {
    let pair = value.as_array().map(Vec::as_slice);
    matches!(pair, Some([token, number]) if token.is_string() && is_number(number))
}

fn is_special_token(value: &Value) -> bool {
    let all = |key: &str, is_right: fn(&Value) -> bool| {
        value.get(key).and_then(Value::as_array).is_some_and(|list| list.iter().all(is_right))
    };
    // A list is read as its values in their order.
    value.is_array()
        || value.get("id").is_some_and(Value::is_string)
            && all("ids", is_number)
            && all("tokens", Value::is_string)
}

/// Each piece is a sequence or a token, and a token has to be known.
fn pieces(value: &Value, beside: &Map<String, Value>) -> Result<(), String> {
    let Some(pieces) = value.as_array() else { return Err("is no list".to_owned()) };
    let tokens = beside.get("special_tokens").and_then(Value::as_object);
    for piece in pieces {
        let only = piece.as_object().filter(|object| object.len() == 1);
        let Some((kind, inside)) = only.and_then(|object| object.iter().next()) else {
            return Err("has a piece that is neither a `Sequence` nor a `SpecialToken`".to_owned());
        };
        let id = inside.get("id").and_then(Value::as_str);
        let is_known = match (kind.as_str(), id) {
            ("Sequence", Some(id)) => ["A", "B"].contains(&id),
            ("SpecialToken", Some(id)) => tokens.is_none_or(|tokens| tokens.contains_key(id)),
            _ => inside.is_array(),
        };
        if !is_known || !inside.is_array() && !inside.get("type_id").is_some_and(is_number) {
            return Err(format!("has the piece `{piece}`, which does not say what it stands for"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(kind: &'static Kind, part: &str) -> String {
        let value = serde_json::from_str(part).unwrap();
        judge(kind, &value).err().unwrap_or_default()
    }

    #[test]
    fn a_part_has_what_its_type_takes() {
        for (kind, part, expected) in [
            (&NORMALIZER, r#"{"type":"NFC"}"#, ""),
            (
                &NORMALIZER,
                r#"{"type":"Strip","strip_left":true}"#,
                "of the type `Strip` has no `strip_right`",
            ),
            (
                &NORMALIZER,
                r#"{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":1}]}"#,
                "of the type `Sequence` has a `normalizers` that has a part that of the type `Prepend` has \
                 a `prepend` that is no text",
            ),
            (
                &PRE_TOKENIZER,
                r#"{"type":"Split","pattern":{"Regex":"x"},"behavior":"Isolated","invert":false}"#,
                "",
            ),
            (
                &PRE_TOKENIZER,
                r#"{"type":"Split","pattern":{"Regex":"x","String":"y"},"behavior":"Isolated","invert":false}"#,
                "of the type `Split` has a `pattern` that is neither a `String` nor a `Regex`",
            ),
            (
                &PRE_TOKENIZER,
                r#"{"type":"Metaspace","replacement":"__"}"#,
                "of the type `Metaspace` has a `replacement` that is not one character",
            ),
            (&PRE_TOKENIZER, r#"{"type":"OfTomorrow","x":1}"#, ""),
            (&PRE_TOKENIZER, "{}", "is empty"),
            (&DECODER, "7", "is no object"),
            (
                &POST_PROCESSOR,
                r#"{"type":"BertProcessing","sep":["a",1],"cls":["b",-1]}"#,
                "of the type `BertProcessing` has a `cls` that is no token with its number",
            ),
        ] {
            assert_eq!(judged(kind, part), expected, "{part}");
        }
    }

    #[test]
    fn a_template_names_only_tokens_that_it_lists() {
        let template = |tokens: &str| {
            judged(
                &POST_PROCESSOR,
                &format!(
                    r#"{{"type":"TemplateProcessing","pair":[],"special_tokens":{tokens},
                    "single":[{{"SpecialToken":{{"id":"[CLS]","type_id":0}}}},
                        {{"Sequence":{{"id":"A","type_id":0}}}}]}}"#
                ),
            )
        };
        assert_eq!(template(r#"{"[CLS]":{"id":"[CLS]","ids":[2],"tokens":["[CLS]"]}}"#), "");
        assert!(template("{}").contains("does not say what it stands for"), "{}", template("{}"));
        let broken = template(r#"{"[CLS]":{"id":"[CLS]","ids":["2"],"tokens":["[CLS]"]}}"#);
        assert!(broken.contains("something else than tokens"), "{broken}");
    }
}

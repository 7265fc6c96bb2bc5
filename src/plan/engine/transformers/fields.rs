//! What the fields of a configuration hold, by model type: since 5.4 transformers compares each of them
//! with its type, and stops over another.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

const TEXT: &str = include_str!("fields.txt");

/// Configurations lie inside of each other, but not as deep as a file may nest.
const DEEPEST: usize = 4;

/// A field that holds what no release takes that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Misheld {
    /// Its name, after those of the configurations that it is in.
    pub path: String,
    /// What it holds, as JSON.
    pub value: String,
    /// What it may hold, in words.
    pub takes: String,
}

/// How a document is read.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// What it says.
    pub document: &'a Map<String, Value>,
    /// Whether nothing may stand for a number that only Python knows.
    pub has_python_number: bool,
}

/// The first such field of a configuration of that model type; absent: there is none, or the type was not
/// read.
#[must_use]
pub fn misheld(kind: &str, written: Written<'_>) -> Option<Misheld> {
    at(kind, written, DEEPEST)
}

/// Whether a model type has a field.
#[must_use]
pub fn has_field(kind: &str, name: &str) -> bool {
    words_of(kind).any(|word| word.split(':').next() == Some(name))
}

fn at(kind: &str, written: Written<'_>, deepest: usize) -> Option<Misheld> {
    words_of(kind).find_map(|word| match word.split_once('>') {
        Some((key, inside)) => {
            let document = written.document.get(key)?.as_object()?;
            let stated = document.get("model_type").map(Value::as_str);
            let kind = match (inside, stated) {
                ("*", Some(Some(stated))) => stated,
                (inside, None) if inside != "*" => inside,
                (inside, Some(Some(stated))) if inside == stated => inside,
                _ => return None,
            };
            let written = Written { document, ..written };
            let found = at(kind, written, deepest.checked_sub(1)?)?;
            Some(Misheld { path: format!("{key}.{}", found.path), ..found })
        }
        None => {
            let (name, letters) = match word.split_once(':') {
                Some((name, letters)) => (name, letters),
                None => (word, usually(word)?),
            };
            let value = written.document.get(name)?;
            (!is_held(value, letters, written)).then(|| Misheld {
                path: name.to_owned(),
                value: value.to_string(),
                takes: in_words(letters),
            })
        }
    })
}

/// The lines of the table by their first two words: what fields usually hold, and the fields of each type
/// with the configurations inside.
static LINES: LazyLock<HashMap<(&str, &str), &str>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let (kind, rest) = line.split_once(' ')?;
        let (name, rest) = rest.split_once(' ')?;
        Some(((kind, name), rest))
    };
    TEXT.lines().filter_map(line).collect()
});

fn words_of(kind: &str) -> impl Iterator<Item = &'static str> + use<> {
    let line = LINES.get(&("type", kind)).copied();
    line.unwrap_or_default().split(' ').filter(|word| !word.is_empty())
}

fn usually(name: &str) -> Option<&'static str> {
    LINES.get(&("field", name)).copied()
}

fn is_held(value: &Value, letters: &str, written: Written<'_>) -> bool {
    let has = |letter: char| letters.contains(letter);
    match value {
        Value::Null => has('n') || written.has_python_number,
        Value::Bool(_) => has('b'),
        Value::Number(number) if number.is_f64() => {
            // Whole numbers have no end in Python.
            let is_beyond = number.as_f64().is_some_and(|it| it.abs() >= 9e18);
            has('f') || is_beyond && has('i')
        }
        Value::Number(_) => has('i'),
        Value::String(_) => has('s'),
        Value::Array(_) => has('l'),
        // What transformers writes for numbers that JSON does not have.
        Value::Object(object) => has('o') || has('f') && object.contains_key("__float__"),
    }
}

fn in_words(letters: &str) -> String {
    let named = letters.chars().map(|letter| match letter {
        'i' => "a whole number",
        'f' => "a number with a point",
        'b' => "true or false",
        's' => "a text",
        'l' => "a list",
        'o' => "an object",
        _ => "null",
    });
    let named: Vec<&str> = named.collect();
    match named.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => named.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(document: &str) -> String {
        let document: Map<String, Value> = serde_json::from_str(document).unwrap();
        let kind = document["model_type"].as_str().unwrap();
        let written = Written { document: &document, has_python_number: false };
        let found = misheld(kind, written);
        found.map_or(String::new(), |it| format!("{} {}: {}", it.path, it.value, it.takes))
    }

    #[test]
    fn a_field_holds_what_its_type_says() {
        for (document, expected) in [
            (r#"{"model_type":"llama","hidden_size":64,"rms_norm_eps":1e-6,"zzz":[]}"#, ""),
            (r#"{"model_type":"llama","hidden_size":"64"}"#, r#"hidden_size "64": a whole number"#),
            (r#"{"model_type":"llama","rms_norm_eps":1}"#, "rms_norm_eps 1: a number with a point"),
            (r#"{"model_type":"llama","use_cache":null}"#, "use_cache null: true or false"),
            (r#"{"model_type":"llama","head_dim":null,"eos_token_id":[1,2]}"#, ""),
            (r#"{"model_type":"llama","rms_norm_eps":{"__float__":"Infinity"}}"#, ""),
            (r#"{"model_type":"zzz","hidden_size":"64"}"#, ""),
            (
                r#"{"model_type":"gemma3","text_config":{"hidden_size":true}}"#,
                "text_config.hidden_size true: a whole number",
            ),
            (
                r#"{"model_type":"gemma3","text_config":{"model_type":"zzz","hidden_size":true}}"#,
                "",
            ),
        ] {
            assert_eq!(told(document), expected, "{document}");
        }
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let types: Vec<&str> = TEXT.lines().filter_map(|line| line.strip_prefix("type ")).collect();
        assert!(types.len() > 400, "{}", types.len());
        for line in types {
            let kind = line.split(' ').next().unwrap();
            for word in words_of(kind) {
                let letters = word.split_once(':').map_or_else(|| usually(word), |it| Some(it.1));
                let is_inside = word.contains('>');
                assert!(is_inside || letters.is_some_and(|it| !it.is_empty()), "{kind} {word}");
            }
        }
    }
}

//! The values of flags, held against what the table says that they take.

use super::{Arity, Given, Recognised};
use crate::plan::engine::Complaint;
use crate::plan::engine::flag_table::{Form, Takes};
use crate::plan::engine::release_table::Standing;
use crate::plan::engine::words::Word;
use crate::source_map::Spanned;

/// What is refused of the values of a flag.
pub(super) fn refused(given: &Given, found: &Recognised<'_>) -> Vec<Spanned<Complaint>> {
    let Some(form) = found.form.filter(|form| form.arity != Arity::Switch) else {
        return Vec::new();
    };
    let known = given.values.iter().filter(|word| word.unknown.is_none());
    let judged = known.filter_map(|word| {
        let complaint = form.refuses(given, word, found.standing == Standing::Here)?;
        Some(Spanned::new(complaint, word.place.clone()))
    });
    judged.collect()
}

impl Form {
    /// What is wrong with a value; `is_certain` says whether the release has the flag in this form.
    fn refuses(&self, given: &Given, word: &Word, is_certain: bool) -> Option<Complaint> {
        let text = word.text.as_str();
        if self.optional && matches!(text, "" | "None") {
            return None;
        }
        let by = given.written.clone();
        let value = text.to_owned();
        let bad = |expected: String, is_certain: bool| {
            Some(Complaint::BadValue { by: by.clone(), value: value.clone(), expected, is_certain })
        };
        match &self.takes {
            Takes::Text | Takes::Secret | Takes::Human => None,
            Takes::Integer if is_integer(text) => None,
            Takes::Number if is_number(text) => None,
            Takes::Integer | Takes::Number => Some(Complaint::NotANumber { by, value }),
            Takes::Json if is_json(text) => None,
            Takes::Json => bad("JSON".to_owned(), true),
            Takes::Boolean if is_boolean(text) => None,
            Takes::Boolean => bad("`true` or `false`".to_owned(), true),
            Takes::Choice(words) if words.contains(&text) => None,
            Takes::Choice(words) => bad(format!("one of `{}`", words.join("`, `")), is_certain),
        }
    }
}

/// Whether `int` of Python takes it, and so every parser that takes less.
fn is_integer(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty()
        && digits
            .split('_')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_number(text: &str) -> bool {
    is_integer(text) || text.trim().parse::<f64>().is_ok()
}

/// Whether it is JSON, with the words for numbers that Python's reader takes besides.
fn is_json(text: &str) -> bool {
    let is_plain = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    is_plain(text) || {
        let text = text.replace("-Infinity", "0").replace("Infinity", "0").replace("NaN", "0");
        is_plain(&text)
    }
}

fn is_boolean(text: &str) -> bool {
    let words = ["1", "0", "true", "false", "yes", "no", "on", "off", "t", "f", "y", "n"];
    words.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_the_parsers_take_for_one() {
        for text in ["0", "-5", "+5", "1_000", " 7 "] {
            assert!(is_integer(text) && is_number(text), "{text}");
        }
        for text in ["", "-", "8k", "1.5", "0x10", "1__0", "_1", "5,0"] {
            assert!(!is_integer(text), "{text}");
        }
        for text in ["0.9", "1e-5", "inf", "nan", ".5", "5."] {
            assert!(is_number(text), "{text}");
        }
        for text in ["0,9", "90%", "", "a"] {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn json_is_what_python_reads() {
        for text in ["{}", "[1]", r#"{"a": NaN, "b": -Infinity}"#, "5", r#""a""#] {
            assert!(is_json(text), "{text}");
        }
        for text in ["image=1", "{a:1}", "{'a': 1}", "", "{"] {
            assert!(!is_json(text), "{text}");
        }
    }
}

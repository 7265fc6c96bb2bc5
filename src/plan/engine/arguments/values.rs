//! The values of flags, held against what the table says that they take.

use super::{Arity, Given, Numbers, Recognised};
use crate::plan::engine::Complaint;
use crate::plan::engine::flag_table::{Form, Takes};
use crate::plan::engine::release_table::Standing;
use crate::source_map::Spanned;

/// What is refused of the values of a flag.
pub(super) fn refused(
    given: &Given,
    found: &Recognised<'_>,
    numbers: Numbers,
) -> Vec<Spanned<Complaint>> {
    let Some(form) = found.form.filter(|form| form.arity != Arity::Switch) else {
        return Vec::new();
    };
    let known = given.values.iter().filter(|word| word.unknown.is_none());
    let judged = known.filter_map(|word| {
        let judged = Judged { by: &given.written, numbers, standing: found.standing };
        let complaint = judged.refused(form, &word.text)?;
        Some(Spanned::new(complaint, word.place.clone()))
    });
    judged.collect()
}

/// What a value is given by, and how it is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::plan::engine) struct Judged<'a> {
    /// The flag as written, or the variable.
    pub(in crate::plan::engine) by: &'a str,
    /// What is taken for a number.
    pub(in crate::plan::engine) numbers: Numbers,
    /// Whether the release is known to have it in the form that it is held against.
    pub(in crate::plan::engine) standing: Standing,
}

impl Judged<'_> {
    /// What is wrong with the value `text` of a flag or variable that has that form.
    pub(in crate::plan::engine) fn refused(self, form: &Form, text: &str) -> Option<Complaint> {
        if form.optional && matches!(text, "" | "None") {
            return None;
        }
        let by = self.by.to_owned();
        let value = text.to_owned();
        let is_certain = self.standing == Standing::Here;
        let bad = |expected: String, is_certain: bool| {
            Some(Complaint::BadValue { by: by.clone(), value: value.clone(), expected, is_certain })
        };
        match &form.takes {
            Takes::Text | Takes::Secret | Takes::Human => None,
            Takes::Integer if is_integer(text) => None,
            Takes::Number if is_number(text) => None,
            Takes::Integer | Takes::Number if self.numbers == Numbers::Beginning => {
                Some(self.beginning(form.takes == Takes::Integer, text))
            }
            Takes::Integer | Takes::Number => Some(Complaint::NotANumber { by, value }),
            Takes::Json if is_json(text) => None,
            Takes::Json => bad("JSON".to_owned(), true),
            Takes::Boolean if is_boolean(text) => None,
            Takes::Boolean => bad("`true` or `false`".to_owned(), true),
            Takes::Choice(words) if words.contains(&text) => None,
            Takes::Choice(words) => bad(format!("one of `{}`", words.join("`, `")), is_certain),
        }
    }

    /// What is wrong with a word of which only the beginning is taken for a number.
    fn beginning(self, is_integer: bool, text: &str) -> Complaint {
        let (by, value) = (self.by.to_owned(), text.to_owned());
        let (read, expected) = if is_integer {
            (integer_at_start(text), "a whole number")
        } else {
            (number_at_start(text), "a number")
        };
        match read {
            Some(read) => Complaint::NumberCut { by, value, read: read.to_owned() },
            None => {
                let expected = expected.to_owned();
                Complaint::BadValue { by, value, expected, is_certain: true }
            }
        }
    }
}

/// How much of a word is looked at for a number.
const LONGEST_NUMBER: usize = 64;

/// The whole number that a word begins with, as C++ reads it.
pub(in crate::plan::engine) fn integer_at_start(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let read = text.get(..text.len() - digits.len() + count)?;
    (count > 0).then_some(read)
}

/// The number that a word begins with, as C++ reads it.
pub(in crate::plan::engine) fn number_at_start(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).to_ascii_lowercase();
    let word = ["infinity", "inf", "nan"].into_iter().find(|word| unsigned.starts_with(word));
    let sign = text.len() - unsigned.len();
    if let Some(word) = word {
        return text.get(..sign + word.len());
    }
    let is_end = |last: char| last.is_ascii_digit() || last == '.';
    let parts = (1..=text.len().min(LONGEST_NUMBER)).rev().filter_map(|end| text.get(..end));
    parts.filter(|part| part.ends_with(is_end)).find(|part| part.parse::<f64>().is_ok())
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

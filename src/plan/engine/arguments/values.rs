//! The values of flags, held against what the table says that they take.

use std::ops::{Bound, RangeBounds as _};

use super::{Arity, Given, Numbers, Recognised};
use crate::plan::engine::Complaint;
use crate::plan::engine::flag_table::{Form, Takes};
use crate::plan::engine::release_table::Standing;
use crate::source_map::Spanned;

/// What is refused of the values of a flag; `judged` says how they are read.
pub(super) fn refused(
    given: &Given,
    found: &Recognised<'_>,
    judged: Judged<'_>,
) -> Vec<Spanned<Complaint>> {
    let Some(form) = found.form.filter(|form| form.arity != Arity::Switch) else {
        return Vec::new();
    };
    let known = given.values.iter().filter(|word| word.unknown.is_none());
    let refused = known.filter_map(|word| {
        let may_differ = judged.may_differ || found.is_taken_elsewhere(&word.text);
        let complaint = Judged { may_differ, ..judged }.refused(form, &word.text)?;
        Some(Spanned::new(complaint, word.place.clone()))
    });
    refused.collect()
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
    /// Whether a release that it may be is known to read it otherwise.
    pub(in crate::plan::engine) may_differ: bool,
}

impl Judged<'_> {
    /// What is wrong with the value `text` of a flag or variable that has that form.
    pub(in crate::plan::engine) fn refused(self, form: &Form, text: &str) -> Option<Complaint> {
        let Bad { expected, of_grammar } = form.refuses(text)?;
        let (by, value) = (self.by.to_owned(), text.to_owned());
        let is_of_number = matches!(form.takes, Takes::Integer | Takes::Number);
        if self.numbers == Numbers::Beginning && is_of_number && of_grammar {
            return Some(self.beginning(form.takes == Takes::Integer, text));
        }
        // A release between two that differ may read it otherwise.
        let is_certain = self.standing == Standing::Here || of_grammar && !self.may_differ;
        Some(match expected {
            None if is_certain => Complaint::NotANumber { by, value },
            None => Complaint::BadValue { by, value, expected: "a number".to_owned(), is_certain },
            Some(expected) => Complaint::BadValue { by, value, expected, is_certain },
        })
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

/// What is wrong with a value.
struct Bad {
    /// What the flag takes; absent: a number, and this is none.
    expected: Option<String>,
    /// Whether it is no value of that kind at all, in whichever release.
    of_grammar: bool,
}

impl Bad {
    fn form(expected: &str) -> Option<Self> {
        Some(Self { expected: Some(expected.to_owned()), of_grammar: true })
    }
}

impl Form {
    /// What is wrong with a value; absent: nothing.
    fn refuses(&self, text: &str) -> Option<Bad> {
        if self.optional && matches!(text, "" | "None") {
            return None;
        }
        match &self.takes {
            Takes::Text | Takes::Secret => None,
            Takes::Integer => self.number(integer(text)),
            Takes::Number => self.number(number(text)),
            Takes::Human { auto: true } if text.trim().eq_ignore_ascii_case("auto") => None,
            Takes::Human { .. } => self.number(integer(text).or_else(|| human(text))),
            Takes::HumanIec => self.number(integer(text).or_else(|| iec(text))),
            Takes::Json if is_json(text) => None,
            Takes::JsonOrText if !is_braced(text) || is_json(text) => None,
            Takes::Json | Takes::JsonOrText => Bad::form("JSON"),
            Takes::Object if is_braced(text) && is_json(&without_units(text)) => None,
            Takes::Object => Bad::form("a JSON object"),
            Takes::Boolean if is_boolean(text) => None,
            Takes::Boolean => Bad::form("`true` or `false`"),
            Takes::Choice(words) if words.contains(&text) => None,
            Takes::Choice(words) => {
                let expected = format!("one of `{}`", words.join("`, `"));
                Some(Bad { expected: Some(expected), of_grammar: false })
            }
        }
    }

    /// What is expected in the place of `text`; absent: it is taken.
    pub(in crate::plan::engine) fn expects(&self, text: &str) -> Option<String> {
        let Bad { expected, .. } = self.refuses(text)?;
        Some(expected.unwrap_or_else(|| self.interval()))
    }

    fn number(&self, number: Option<f64>) -> Option<Bad> {
        let Some(number) = number else { return Some(Bad { expected: None, of_grammar: true }) };
        let is_outside = !self.bounds.contains(&number);
        is_outside.then(|| Bad { expected: Some(self.interval()), of_grammar: false })
    }

    /// The interval, as it is told.
    fn interval(&self) -> String {
        let kind = if self.takes == Takes::Number { "a number" } else { "a whole number" };
        let low = match self.bounds.0 {
            Bound::Included(low) => Some(format!("of at least {low}")),
            Bound::Excluded(low) => Some(format!("above {low}")),
            Bound::Unbounded => None,
        };
        let high = match self.bounds.1 {
            Bound::Included(high) => Some(format!("at most {high}")),
            Bound::Excluded(high) => Some(format!("below {high}")),
            Bound::Unbounded => None,
        };
        match (low, high) {
            (Some(low), Some(high)) => format!("{kind} {low} and {high}"),
            (Some(low), None) => format!("{kind} {low}"),
            (None, Some(high)) => format!("{kind} of {high}"),
            (None, None) => kind.to_owned(),
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

/// The number of `32k` (32 000), `32K` (32 768), `25.6k`; absent: it is not written so (vllm 0.33.0
/// utils/argparse_utils.py `human_readable_int`).
pub(in crate::plan::engine) fn human_number(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().next_back()? {
        (at, unit) if unit.is_ascii_alphabetic() => (text.get(..at)?, Some(unit)),
        _ => (text, None),
    };
    let exponent = match unit.map(|unit| unit.to_ascii_lowercase()) {
        None => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return None,
    };
    let binary = unit.is_some_and(|unit| unit.is_ascii_uppercase());
    let factor = if binary { 1024_u64 } else { 1000 }.pow(exponent);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let has_point = whole.len() < digits.len();
    if has_point && (binary || unit.is_none() || fraction.is_empty() || 9 < fraction.len()) {
        return None;
    }
    let number = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if fraction.is_empty() {
        return Some(number);
    }
    let scale = fraction.bytes().try_fold(1_u64, |scale, byte| {
        byte.is_ascii_digit().then(|| scale.checked_mul(10)).flatten()
    })?;
    number.checked_add(fraction.parse::<u64>().ok()?.checked_mul(factor)? / scale)
}

/// The number of `32k` (32 000), `32Ki` (32 768), `25.6k`, as its letters are written here; absent: it is
/// not written so (sglang 0.5.14 and 0.5.23 srt/utils/common.py `human_readable_int`).
pub(in crate::plan::engine) fn iec_number(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit);
    let (base, exponent) = match unit {
        "" => (1000_u64, 0),
        "k" => (1000, 1),
        "M" => (1000, 2),
        "G" => (1000, 3),
        "T" => (1000, 4),
        "Ki" => (1024, 1),
        "Mi" => (1024, 2),
        "Gi" => (1024, 3),
        "Ti" => (1024, 4),
        _ => return None,
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let has_point = whole.len() < digits.len();
    if has_point && (part.is_empty() || base == 1024 || exponent == 0) {
        return None;
    }
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let number: u64 = format!("{whole}{part}").parse().ok()?;
    number.checked_mul(base.checked_pow(exponent)?)?.checked_div(scale)
}

fn human(text: &str) -> Option<f64> {
    human_number(text).map(approximate)
}

fn iec(text: &str) -> Option<f64> {
    iec_number(text).map(approximate)
}

#[expect(clippy::cast_precision_loss, reason = "it is compared with the ends of an interval")]
fn approximate(number: u64) -> f64 {
    number as f64
}

/// The number that `int` of Python, and so every parser that takes less, makes of it.
fn integer(text: &str) -> Option<f64> {
    if is_integer(text) { text.trim().replace('_', "").parse().ok() } else { None }
}

fn number(text: &str) -> Option<f64> {
    integer(text).or_else(|| text.trim().parse().ok())
}

/// Whether it is in braces.
fn is_braced(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('{') && text.ends_with('}')
}

/// JSON whose numbers with units (`80m`) are without them.
fn without_units(text: &str) -> String {
    let mut in_string = false;
    let mut plain = String::new();
    for letter in text.chars() {
        in_string ^= letter == '"' && !plain.ends_with('\\');
        let is_unit = "kKmMgGtT".contains(letter) && plain.ends_with(|c: char| c.is_ascii_digit());
        if in_string || !is_unit {
            plain.push(letter);
        }
    }
    plain
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
            assert!(is_integer(text) && number(text).is_some(), "{text}");
        }
        for text in ["", "-", "8k", "1.5", "0x10", "1__0", "_1", "5,0"] {
            assert!(!is_integer(text), "{text}");
        }
        for text in ["0.9", "1e-5", "inf", "nan", ".5", "5."] {
            assert!(number(text).is_some(), "{text}");
        }
        for text in ["0,9", "90%", "", "a"] {
            assert!(number(text).is_none(), "{text}");
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

    #[test]
    fn a_number_has_the_units_of_iec() {
        for (text, expected) in [
            ("4096", Some(4096)),
            (" 32k ", Some(32_000)),
            ("32Ki", Some(32_768)),
            ("25.6k", Some(25_600)),
            ("1Mi", Some(1 << 20)),
            ("32K", None),
            ("32ki", None),
            ("32i", None),
            ("1.5Ki", None),
            ("1.5", None),
            ("1.k", None),
            ("", None),
            ("99999999999999999999", None),
            ("9999999999Ti", None),
        ] {
            assert_eq!(iec_number(text), expected, "{text}");
        }
    }

    #[test]
    fn a_number_has_decimal_and_binary_units() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("32k", Some(32_000)),
            ("32K", Some(32_768)),
            ("1m", Some(1_000_000)),
            ("1M", Some(1 << 20)),
            ("25.6k", Some(25_600)),
            ("1.5K", None),
            ("1.5", None),
            ("k", None),
            ("", None),
            ("-5", None),
            ("99999999999999999999", None),
            ("9999999999999999t", None),
            ("3ü", None),
        ] {
            assert_eq!(human_number(text), expected, "{text}");
        }
    }
}

//! How texts are written in YAML: every reader takes each for the same text, and every character can
//! be seen. `serde_yaml` chooses by YAML 1.2, but Compose and PyYAML read by 1.1 in part.

use serde_json::Value;

use crate::report::redact::unseen::{escape_by, is_unprintable};

/// What libyaml writes as an escape, and a text that has it between double quotes. What follows it
/// says why it is there.
const MARK: char = '\u{feff}';

/// [`MARK`] as libyaml writes it.
const ESCAPED: &str = "\\uFEFF";

/// Behind a mark: it is there for the quotes alone.
const QUOTES: char = 'q';

/// Behind a mark: a number, which gets no quotes.
const NUMBER: char = 'n';

/// What a reader takes for a switch, for nothing, for a number or for a merge, in lower case.
const WORDS: &[&str] = &[
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<", ".inf", "+.inf",
    "-.inf", ".nan",
];

/// What numbers, times and dates consist of, in all of their spellings.
const OF_NUMBERS: &str = "0123456789abcdefxotz_.,:+- ";

/// Marks every text that has to stand between double quotes; [`resolve`] takes the marks away.
pub(super) fn mark(value: &mut Value) {
    match value {
        Value::String(text) => *text = marked(text),
        Value::Array(items) => items.iter_mut().for_each(mark),
        Value::Object(entries) => {
            for (key, mut value) in std::mem::take(entries) {
                mark(&mut value);
                entries.insert(marked(&key), value);
            }
        }
        Value::Number(number) => {
            if let Some(number) = with_point(&number.to_string()) {
                *value = Value::String(format!("{MARK}{NUMBER}{number}"));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// `1.0e+21` for `1e21`, which is a text by YAML 1.1; absent for a number that needs no other form.
fn with_point(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once('e')?;
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    Some(format!("{mantissa}{point}e{sign}{exponent}"))
}

/// The document that libyaml has written of a marked one.
pub(super) fn resolve(written: &str) -> String {
    let mut resolved = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find(ESCAPED) {
        let (before, found) = rest.split_at(at);
        resolved.push_str(before);
        let behind = found.get(ESCAPED.len()..).unwrap_or("");
        let backslashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 1 || behind.starts_with(ESCAPED) {
            resolved.push_str(ESCAPED);
            let is_text = backslashes % 2 == 1;
            rest = if is_text { behind } else { behind.get(ESCAPED.len()..).unwrap_or("") };
            continue;
        }
        let mut characters = behind.chars();
        match characters.next() {
            Some(QUOTES) => rest = characters.as_str(),
            Some(NUMBER) => {
                resolved.pop();
                let (number, behind) = characters.as_str().split_once('"').unwrap_or(("", ""));
                resolved.push_str(number);
                rest = behind;
            }
            Some(raw) if is_left_raw(raw) => {
                resolved.push_str(&format!("\\U{:08x}", u32::from(raw)));
                rest = characters.as_str();
            }
            // Two of them libyaml escapes itself, by names of their own.
            Some(_) | None => rest = behind,
        }
    }
    resolved.push_str(rest);
    resolved
}

fn marked(text: &str) -> String {
    let push = |out: &mut String, it: char| out.extend([MARK, it]);
    let marked = escape_by(text, |it| it == MARK || is_left_raw(it), push);
    // What looks like a mark must be told from one: between double quotes its backslash is doubled.
    if is_read_otherwise(text) || text.contains(ESCAPED) {
        return format!("{MARK}{QUOTES}{marked}");
    }
    marked.into_owned()
}

/// Whether some reader takes a text that stands without quotes for something else.
fn is_read_otherwise(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_number = lower.starts_with(|it: char| it.is_ascii_digit() || "+-.".contains(it))
        && lower.contains(|it: char| it.is_ascii_digit())
        && lower.chars().all(|it| OF_NUMBERS.contains(it));
    is_number || WORDS.contains(&lower.as_str())
}

/// Whether libyaml writes a character as it is although it cannot be seen.
fn is_left_raw(character: char) -> bool {
    is_unprintable(character) && !character.is_control() && character != MARK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn check(text: &str, expected: &str) {
        let mut value = Value::String(text.to_owned());
        mark(&mut value);
        let written = resolve(&yaml::to_string(&value).unwrap());
        assert_eq!(written.trim_end_matches('\n'), expected, "{text:?}");
        let read: Value = yaml::from_str(&written).unwrap();
        assert_eq!(read, Value::String(text.to_owned()), "{written}");
    }

    #[test]
    fn what_a_reader_takes_for_something_else_stands_between_quotes() {
        for text in ["no", "YES", "y", "On", "=", "<<", "1:30", "7:7", "2024-01-01", "1_000"] {
            check(text, &format!("\"{text}\""));
        }
        for text in ["0o10", "1e6", "0x1F", "+1", "12:30:45", ".5", "1.5e3", "3000:3000", "-.INF"] {
            check(text, &format!("\"{text}\""));
        }
        for text in ["--port", "vllm:v0.12.0", "8g", "note", "./m:/m", "http://a:1/v1"] {
            check(text, text);
        }
        check("***", "'***'");
        check("", "''");
    }

    #[test]
    fn a_number_with_an_exponent_is_one_for_every_reader() {
        let mut value = serde_json::json!({"a": 1e21, "b": [2.5e-9, 1.5, 7]});
        mark(&mut value);
        let written = resolve(&yaml::to_string(&value).unwrap());
        assert_eq!(written, "a: 1.0e+21\nb:\n- 2.5e-9\n- 1.5\n- 7\n");
    }

    #[test]
    fn what_cannot_be_seen_and_what_looks_like_a_mark_come_back() {
        check("a\u{202e}b", "\"a\\U0000202eb\"");
        check("\u{feff}no", "\"\\uFEFFno\"");
        check("\u{feff}\u{202e}", "\"\\uFEFF\\U0000202e\"");
        check("\u{2028}", "\"\\L\"");
        check("\\uFEFFq", "\"\\\\uFEFFq\"");
        check("\\\\uFEFFq", "\"\\\\\\\\uFEFFq\"");
    }
}

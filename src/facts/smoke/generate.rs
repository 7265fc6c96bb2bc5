//! Whether what an engine generates is anything. Pure.

use serde_json::Value;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A completion.
    Text,
    /// A vector.
    Embedding,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Generation {
    /// Something, and the same again.
    Works,
    /// Something, and then something else: temperature 0 is not always exact on a GPU.
    Differs,
    /// Nothing: no text, or no numbers.
    Empty,
    /// A vector with something in it that is no number, or with zeros alone.
    NotFinite,
    /// A status that is no success.
    Refused(u16),
    /// No answer, or one that cannot be read, and why.
    None(String),
}

/// How far two answers of an embedding model may lie apart.
const TOLERANCE: f64 = 1e-3;

/// Judges the answers to one request that was made twice.
pub(super) fn compare(wanted: Wanted, bodies: &[Vec<u8>]) -> Generation {
    let mut answers = Vec::new();
    for body in bodies {
        match serde_json::from_slice::<Value>(body) {
            Ok(answer) => answers.push(answer),
            Err(error) => return Generation::None(error.to_string()),
        }
    }
    match wanted {
        Wanted::Text => texts(&answers),
        Wanted::Embedding => vectors(&answers),
    }
}

fn texts(answers: &[Value]) -> Generation {
    let text = |answer: &Value| answer["choices"][0]["text"].as_str().unwrap_or("").to_owned();
    let texts: Vec<String> = answers.iter().map(text).collect();
    if texts.iter().any(|text| text.trim().is_empty()) {
        Generation::Empty
    } else if texts.windows(2).any(|pair| pair[0] != pair[1]) {
        Generation::Differs
    } else {
        Generation::Works
    }
}

fn vectors(answers: &[Value]) -> Generation {
    let vectors: Vec<&Vec<Value>> =
        answers.iter().filter_map(|answer| answer["data"][0]["embedding"].as_array()).collect();
    if vectors.len() < answers.len() || vectors.iter().any(|vector| vector.is_empty()) {
        return Generation::Empty;
    }
    let numbers: Vec<Option<Vec<f64>>> =
        vectors.iter().map(|vector| vector.iter().map(Value::as_f64).collect()).collect();
    // NaN is written as null.
    let Some(numbers) = numbers.into_iter().collect::<Option<Vec<_>>>() else {
        return Generation::NotFinite;
    };
    if numbers.iter().any(|vector| vector.iter().all(|number| *number == 0.0)) {
        return Generation::NotFinite;
    }
    let far = |pair: &[Vec<f64>]| {
        pair[0].len() != pair[1].len()
            || pair[0].iter().zip(&pair[1]).any(|(one, other)| (one - other).abs() > TOLERANCE)
    };
    if numbers.windows(2).any(far) { Generation::Differs } else { Generation::Works }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: Wanted, one: &str, other: &str, expected: &Generation) {
        let bodies = [one.as_bytes().to_vec(), other.as_bytes().to_vec()];
        assert_eq!(compare(wanted, &bodies), *expected, "{one} {other}");
    }

    #[test]
    fn a_text_has_to_be_there_and_the_same_again() {
        let text = |text: &str| format!(r#"{{"choices": [{{"text": "{text}"}}]}}"#);
        check(Wanted::Text, &text(" there"), &text(" there"), &Generation::Works);
        check(Wanted::Text, &text("a"), &text("b"), &Generation::Differs);
        check(Wanted::Text, &text("a"), &text(" "), &Generation::Empty);
        check(Wanted::Text, "{}", "{}", &Generation::Empty);
        assert!(matches!(compare(Wanted::Text, &[b"<html>".to_vec()]), Generation::None(_)));
    }

    #[test]
    fn a_vector_has_to_be_finite() {
        let vector = |numbers: &str| format!(r#"{{"data": [{{"embedding": [{numbers}]}}]}}"#);
        let check = |one: &str, other: &str, expected| {
            check(Wanted::Embedding, &vector(one), &vector(other), &expected);
        };
        check("0.5, -1", "0.5001, -1", Generation::Works);
        check("0.5", "0.7", Generation::Differs);
        check("0.5", "0.5, 1", Generation::Differs);
        check("", "", Generation::Empty);
        check("null", "null", Generation::NotFinite);
        check("0, 0.0", "0, 0.0", Generation::NotFinite);
    }
}

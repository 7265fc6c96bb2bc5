//! Reads JSON documents that may be long, or may not be JSON at all.

use std::io::{self, BufReader, ErrorKind, Read};

use serde::de::DeserializeOwned;
use serde_json::Error;

/// Up to this a document is read in one piece, which is several times faster to parse.
const WHOLE: u64 = 8 << 20;

/// Parses the first `size` bytes of `reader` as one document.
///
/// # Errors
/// When they cannot be read, are not JSON, or not of the type's shape.
pub(super) fn parse<T: DeserializeOwned>(reader: impl Read, size: u64) -> Result<T, Error> {
    let mut reader = reader.take(size);
    if size > WHOLE {
        return serde_json::from_reader(BufReader::with_capacity(256 << 10, reader));
    }
    let mut text = Vec::new();
    reader.read_to_end(&mut text).map_err(Error::io)?;
    // A string that is only passed over has to be UTF-8 too.
    let text = std::str::from_utf8(&text)
        .map_err(|error| Error::io(io::Error::new(ErrorKind::InvalidData, error)))?;
    serde_json::from_str(text)
}

/// What Python's `json` takes for a number beside what JSON has (CPython 3.12 `json/decoder.py`,
/// `_CONSTANTS`). The longer word comes first.
const PYTHON_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// A document, and whether it is one to Python alone.
#[derive(Debug)]
pub(super) struct PythonDocument<T> {
    /// What it says; a number that only Python knows is `null`.
    pub(super) value: T,
    /// The first number in it that JSON does not have.
    pub(super) number: Option<&'static str>,
}

/// [`parse_bounded`], as Python's `json` reads it.
///
/// # Errors
/// As [`parse_bounded`].
pub(super) fn parse_as_python<T: DeserializeOwned>(
    reader: impl Read,
    size: u64,
    most: usize,
) -> Result<PythonDocument<T>, Error> {
    if size > WHOLE {
        let value = parse_bounded(reader, size, most)?;
        return Ok(PythonDocument { value, number: None });
    }
    let mut text = Vec::new();
    let mut bounded = Bounded { reader, most, length: None, escaped: false }.take(size);
    bounded.read_to_end(&mut text).map_err(Error::io)?;
    match parse(text.as_slice(), size) {
        Ok(value) => Ok(PythonDocument { value, number: None }),
        Err(error) => {
            let Some((text, number)) = without_python_numbers(&text) else { return Err(error) };
            let length = text.len() as u64;
            // Where that does not help, the first complaint is the one about the file as it stands.
            let value = parse(text.as_slice(), length).map_err(|_second| error)?;
            Ok(PythonDocument { value, number: Some(number) })
        }
    }
}

/// The text with `null` for every number that only Python knows, and the first of those; absent: there
/// is none.
fn without_python_numbers(text: &[u8]) -> Option<(Vec<u8>, &'static str)> {
    let mut plain = Vec::with_capacity(text.len());
    let mut first = None;
    let mut strings =
        Bounded { reader: io::empty(), most: usize::MAX, length: None, escaped: false };
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let is_here = |number: &&&str| rest.starts_with(number.as_bytes());
        let number = PYTHON_NUMBERS.iter().find(is_here).filter(|_| strings.length.is_none());
        if let Some(number) = number {
            first.get_or_insert(*number);
            plain.extend_from_slice(b"null");
            at += number.len();
        } else {
            strings.step(*byte);
            plain.push(*byte);
            at += 1;
        }
    }
    first.map(|first| (plain, first))
}

/// [`parse`], of a document that is kept, and in which no string has more than `most` bytes.
///
/// # Errors
/// As [`parse`]; for a longer string, before it is kept.
pub(super) fn parse_bounded<T: DeserializeOwned>(
    reader: impl Read,
    size: u64,
    most: usize,
) -> Result<T, Error> {
    parse(Bounded { reader, most, length: None, escaped: false }, size)
}

/// What is read of a document in which no string is too long.
struct Bounded<R> {
    reader: R,
    most: usize,
    /// Bytes of the string that was begun, if one was.
    length: Option<usize>,
    escaped: bool,
}

impl<R> Bounded<R> {
    fn step(&mut self, byte: u8) {
        self.length = match (self.length, byte) {
            (None, b'"') => Some(0),
            (None, _) => None,
            (Some(_), b'"') if !self.escaped => None,
            (Some(length), _) => Some(length + 1),
        };
        self.escaped = self.length.is_some() && byte == b'\\' && !self.escaped;
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        for byte in buffer.iter().take(length) {
            self.step(*byte);
            if self.length.is_some_and(|length| length > self.most) {
                let message = format!("a string has more than {} bytes", self.most);
                return Err(io::Error::new(ErrorKind::InvalidData, message));
            }
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn numbers_that_only_python_knows_are_read_as_it_reads_them() {
        use serde_json::Value;

        let parse = |text: &str| {
            parse_as_python::<Value>(text.as_bytes(), text.len() as u64, 64)
                .ok()
                .map(|read| (read.value.to_string(), read.number))
        };
        for (text, expected, number) in [
            (r#"{"a":[0.0,Infinity]}"#, r#"{"a":[0.0,null]}"#, Some("Infinity")),
            (r#"{"a":-Infinity,"b":NaN}"#, r#"{"a":null,"b":null}"#, Some("-Infinity")),
            (r#"{"NaN":"Infinity \" NaN"}"#, r#"{"NaN":"Infinity \" NaN"}"#, None),
            (r#"{"NaN":"\\","b":NaN}"#, r#"{"NaN":"\\","b":null}"#, Some("NaN")),
            ("NaN", "null", Some("NaN")),
        ] {
            assert_eq!(parse(text), Some((expected.to_owned(), number)), "{text}");
        }
        for text in [
            "{\"a\": nan}",
            "{\"a\": +Infinity}",
            "{\"a\": NaNs}",
            "{NaN: 1}",
            "{\"a\": --Infinity}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_string_ends_where_its_quotes_do_and_a_long_one_is_refused_before_it_is_kept() {
        let parse = |text: &str| {
            parse_bounded::<BTreeMap<String, String>>(text.as_bytes(), text.len() as u64, 9)
        };
        let whole = "x".repeat(9);
        for (name, expected) in [(r#"a\"b\\"#, "a\"b\\"), (&whole, &whole)] {
            let text = format!("{{\"{name}\": \"\", \"c\": \"{name}\"}}");
            assert_eq!(parse(&text).unwrap()["c"], expected);
        }
        for text in [format!("{{\"x{whole}\": 1}}"), format!("{{\"\\\"{whole}")] {
            let error = parse(&text).unwrap_err();
            assert!(error.to_string().contains("more than 9 bytes"), "{error}");
        }
    }
}

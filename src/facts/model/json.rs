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

//! Reads JSON documents that may be long, or may not be JSON at all.

use std::io::{BufReader, ErrorKind, Read};

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
        .map_err(|error| Error::io(std::io::Error::new(ErrorKind::InvalidData, error)))?;
    serde_json::from_str(text)
}

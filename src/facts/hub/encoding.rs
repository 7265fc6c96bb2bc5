//! Bodies that come compressed although nobody asked for that: some mirrors and proxies compress
//! whatever a client wants.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::store::printable;

/// How a body is encoded; absent: it is as it is.
pub(super) fn of(headers: &HeaderMap) -> Option<String> {
    let encoding = headers.get(CONTENT_ENCODING)?;
    let encoding = String::from_utf8_lossy(encoding.as_bytes()).trim().to_ascii_lowercase();
    (!matches!(encoding.as_str(), "" | "identity")).then_some(encoding)
}

/// What `body` is without its encoding: at most `budget` bytes, whatever they were made of.
///
/// # Errors
/// What is wrong, to be read behind the name of what is read.
pub(super) fn undo(encoding: &str, body: &[u8], budget: usize) -> Result<Vec<u8>, String> {
    if !matches!(encoding, "gzip" | "x-gzip") {
        let how = printable(encoding);
        return Err(format!("is compressed with `{how}`, which nobody asked for"));
    }
    let mut text = Vec::new();
    let limit = u64::try_from(budget).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(body).take(limit).read_to_end(&mut text);
    read.map_err(|error| format!("cannot be decompressed: {error}"))?;
    if text.len() > budget {
        return Err("is too long".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::read::GzEncoder;

    use super::*;

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        GzEncoder::new(text, Compression::fast()).read_to_end(&mut body).unwrap();
        body
    }

    #[test]
    fn a_body_is_what_it_was_before_it_was_compressed() {
        let body = zipped(b"text");
        assert_eq!(undo("gzip", &body, 4).unwrap(), b"text");
        assert_eq!(undo("x-gzip", &[body.clone(), body].concat(), 8).unwrap(), b"texttext");
    }

    #[test]
    fn a_body_without_end_ends_at_its_budget() {
        let bomb = zipped(&vec![0; 100_000_000]);
        assert!(bomb.len() < 1_000_000);
        assert_eq!(undo("gzip", &bomb, 1000).unwrap_err(), "is too long");
    }

    #[test]
    fn what_is_not_compressed_as_it_says_is_an_error() {
        let body = zipped(b"text");
        for (encoding, body, expected) in [
            ("gzip", &b"text"[..], "cannot be decompressed"),
            ("gzip", &body[..body.len() - 1], "cannot be decompressed"),
            ("br", &body[..], "is compressed with `br`, which nobody asked for"),
        ] {
            let error = undo(encoding, body, 1000).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

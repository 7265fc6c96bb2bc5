//! As much of HTTP/1.1 as a hub's clients use.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _, Write};

use flate2::Compression;
use flate2::read::GzEncoder;

/// A request's head; a body is read and dropped, except that of `POST`.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// The port of the URL that stood for the path, as it does in a request to a proxy.
    pub(crate) proxied_to: Option<u16>,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// An answer without its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

const LONGEST_LINE: u64 = 64 * 1024;
const LONGEST_BODY: u64 = 1024 * 1024;

/// The next request of a connection; absent at its end.
pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let Some(first) = read_line(stream)? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no request line"));
    };
    let mut headers = HashMap::new();
    while let Some(line) = read_line(stream)?.filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse::<u64>().ok());
    let mut body = Vec::new();
    stream.by_ref().take(length.unwrap_or(0).min(LONGEST_BODY)).read_to_end(&mut body)?;
    let (proxied_to, target) = without_authority(target);
    Ok(Some(Head { method: method.to_owned(), target, proxied_to, headers, body }))
}

/// The port and the rest of `http://HOST:PORT/REST`.
fn without_authority(target: &str) -> (Option<u16>, String) {
    let Some((authority, rest)) =
        target.strip_prefix("http://").and_then(|url| url.split_once('/'))
    else {
        return (None, target.to_owned());
    };
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    (Some(port.unwrap_or(80)), format!("/{rest}"))
}

fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The decoded path, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The decoded value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| decode(value)).next()
    }

    /// The ranges that a hub's clients ask for: `bytes=A-B`, `bytes=A-`, `bytes=-N`, as first byte
    /// and length of a file of `size` bytes. `Some(None)` cannot be satisfied.
    pub(crate) fn range(&self, size: u64) -> Option<Option<(u64, u64)>> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            let length = last.parse::<u64>().ok()?.min(size);
            return Some((length > 0).then_some((size - length, length)));
        }
        let first = first.parse::<u64>().ok()?;
        let last = if last.is_empty() { u64::MAX } else { last.parse::<u64>().ok()? };
        if first >= size || last < first {
            return Some(None);
        }
        Some(Some((first, last.min(size - 1) - first + 1)))
    }
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn write(&self, stream: &mut impl Write, length: u64) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
        stream.write_all(head.as_bytes())
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

/// Compressed as `Content-Encoding: gzip` says.
pub(crate) fn zipped(content: impl io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What cannot be read is shorter than it should be, which a client has to see.
    drop(GzEncoder::new(content, Compression::fast()).read_to_end(&mut bytes));
    bytes
}

/// Undoes percent-encoding; what is not valid stands for itself.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair =
            text.get(index + 1..index + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[index], pair) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                index += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Percent-encodes everything but unreserved characters; `/` too unless `keep_slashes`.
pub(crate) fn encode(text: &str, keep_slashes: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || (keep_slashes && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        read_head(&mut text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn ranges_are_first_byte_and_length() {
        for (range, expected) in [
            ("bytes=0-0", Some(Some((0, 1)))),
            ("bytes=4-", Some(Some((4, 6)))),
            ("bytes=-3", Some(Some((7, 3)))),
            ("bytes=8-100", Some(Some((8, 2)))),
            ("bytes=10-", Some(None)),
            ("lines=1-2", None),
        ] {
            let head = head(&format!("GET / HTTP/1.1\r\nRange: {range}\r\n\r\n"));
            assert_eq!(head.range(10), expected, "{range}");
        }
    }

    #[test]
    fn encoding_round_trips() {
        let text = "a b/ü%2F#?\u{1}";
        assert_eq!(decode(&encode(text, false)), text);
        assert_eq!(encode("a/b", true), "a/b");
    }
}

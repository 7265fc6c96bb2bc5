//! What stands under a model's name and is none.

use std::fmt;

use super::archive;

/// Something that is not a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookalike {
    /// Nothing.
    Empty,
    /// The text that stands for a large file until `git lfs pull` brings it.
    Pointer {
        /// `sha256:...` of the real file; empty when the text does not say.
        oid: String,
        /// Bytes of the real file, if the text says.
        size: Option<u64>,
    },
    /// A web page.
    Html,
    /// JSON, usually the error that a server answered with.
    Json,
    /// A zip archive.
    Zip,
    /// A file that is compressed as a whole.
    Compressed,
    /// A format of llama.cpp before GGUF.
    OldGgml,
    /// A GGUF file where another format is expected.
    Gguf,
    /// A safetensors file where another format is expected.
    Safetensors,
    /// Zeros, as far as was looked.
    Zeros,
    /// A folder.
    Folder,
    /// None of these; its first bytes.
    Unrecognised([u8; 4]),
}

impl Lookalike {
    /// Whether it is a file of another kind; false: it is what remains of any kind, or stands for it.
    #[must_use]
    pub fn is_other_kind(&self) -> bool {
        !matches!(self, Self::Empty | Self::Pointer { .. } | Self::Zeros)
    }
}

/// How many bytes are enough to tell.
pub(super) const HEAD: u64 = 1024;

const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What `head`, the first bytes of a file, looks like.
#[must_use]
pub(super) fn recognise(head: &[u8]) -> Lookalike {
    let text = head.trim_ascii_start();
    let first = |count: usize| head.get(..count).unwrap_or_default();
    if head.is_empty() {
        Lookalike::Empty
    } else if head.starts_with(POINTER) {
        pointer(head)
    } else if head.iter().all(|byte| *byte == 0) {
        Lookalike::Zeros
    } else if first(4) == super::gguf::MAGIC {
        Lookalike::Gguf
    } else if is_safetensors(head) {
        Lookalike::Safetensors
    } else if head.starts_with(archive::ZIP) {
        Lookalike::Zip
    } else if [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"]
        .iter()
        .any(|magic| head.starts_with(magic))
    {
        Lookalike::Compressed
    } else if [b"tjgg", b"fmgg", b"lmgg", b"algg"].iter().any(|magic| first(4) == *magic) {
        Lookalike::OldGgml
    } else if text.starts_with(b"<") {
        Lookalike::Html
    } else if text.starts_with(b"{") || text.starts_with(b"[") {
        Lookalike::Json
    } else {
        let mut bytes = [0; 4];
        bytes.iter_mut().zip(head).for_each(|(byte, found)| *byte = *found);
        Lookalike::Unrecognised(bytes)
    }
}

/// A length that could be one, followed by the start of an object.
fn is_safetensors(head: &[u8]) -> bool {
    let length: Option<[u8; 8]> = head.get(..8).and_then(|bytes| bytes.try_into().ok());
    let rest = head.get(8..).unwrap_or_default().trim_ascii_start();
    length.is_some_and(|length| u64::from_le_bytes(length) <= 100_000_000) && rest.starts_with(b"{")
}

fn pointer(head: &[u8]) -> Lookalike {
    let text = String::from_utf8_lossy(head);
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default()
    };
    Lookalike::Pointer { oid: field("oid ").to_owned(), size: field("size ").parse().ok() }
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty file"),
            Self::Pointer { .. } => f.write_str("a git-lfs pointer"),
            Self::Html => f.write_str("a web page"),
            Self::Json => f.write_str("a JSON document"),
            Self::Zip => f.write_str("a zip archive"),
            Self::Compressed => f.write_str("a compressed file"),
            Self::OldGgml => f.write_str("a model in a format of llama.cpp before GGUF"),
            Self::Gguf => f.write_str("a GGUF file"),
            Self::Safetensors => f.write_str("a safetensors file"),
            Self::Zeros => f.write_str("a file that begins with zeros alone"),
            Self::Folder => f.write_str("a folder"),
            Self::Unrecognised(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if !text.contains(|it: char| it.is_control() || it == '`') => {
                    write!(f, "a file that begins with `{text}`")
                }
                Ok(_) | Err(_) => {
                    let [a, b, c, d] = bytes;
                    write!(f, "a file that begins with the bytes {a:02x} {b:02x} {c:02x} {d:02x}")
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_are_told_as_text_where_they_are_text() {
        let told = |bytes: &[u8; 4]| Lookalike::Unrecognised(*bytes).to_string();
        assert_eq!(told(b"no j"), "a file that begins with `no j`");
        assert_eq!(told(b"\x7fELF"), "a file that begins with the bytes 7f 45 4c 46");
    }

    #[test]
    fn each_lookalike_is_told_by_its_first_bytes() {
        for (head, expected) in [
            (&b""[..], Lookalike::Empty),
            (b"<!doctype html>", Lookalike::Html),
            (b"\n  <html>", Lookalike::Html),
            (b"{\"error\":\"Invalid credentials\"}", Lookalike::Json),
            (b"PK\x03\x04....", Lookalike::Zip),
            (b"\x1f\x8b\x08", Lookalike::Compressed),
            (b"tjgg\x03\0\0\0", Lookalike::OldGgml),
            (b"GGUF\x03\0\0\0", Lookalike::Gguf),
            (b"\x02\0\0\0\0\0\0\0{}", Lookalike::Safetensors),
            (&[0; 64], Lookalike::Zeros),
            (b"abcd", Lookalike::Unrecognised(*b"abcd")),
        ] {
            assert_eq!(recognise(head), expected);
        }
    }

    #[test]
    fn a_pointer_says_which_file_it_stands_for() {
        let text =
            b"version https://git-lfs.github.com/spec/v1\noid sha256:12ab\nsize 4912898048\n";
        let expected =
            Lookalike::Pointer { oid: "sha256:12ab".to_owned(), size: Some(4_912_898_048) };
        assert_eq!(recognise(text), expected);
    }
}

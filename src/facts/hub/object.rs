//! How contents are named, and when two names mean the same one.

use std::fmt;

use sha1::{Digest as _, Sha1};

use super::ObjectId;

impl ObjectId {
    /// Whether both name the same content of `size` bytes; absent: their terms cannot be compared.
    #[must_use]
    pub fn agrees(&self, other: &Self, size: u64) -> Option<bool> {
        match (self, other) {
            (Self::Sha256(one), Self::Sha256(other))
            | (Self::GitBlob(one), Self::GitBlob(other))
            | (Self::LfsPointer(one), Self::LfsPointer(other)) => Some(one == other),
            (Self::LfsPointer(pointer), Self::Sha256(sha256))
            | (Self::Sha256(sha256), Self::LfsPointer(pointer)) => {
                Some(*pointer == pointer_id(sha256, size))
            }
            (Self::GitBlob(_), Self::Sha256(_) | Self::LfsPointer(_))
            | (Self::Sha256(_) | Self::LfsPointer(_), Self::GitBlob(_)) => None,
        }
    }

    /// The name that `hf` and the caches of the hub give a content: 64 digits are a sha256, 40 a git
    /// blob id. Absent: neither.
    #[must_use]
    pub fn of_etag(etag: &str) -> Option<Self> {
        let is_hex = etag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match etag.len() {
            64 if is_hex => Some(Self::Sha256(etag.to_owned())),
            40 if is_hex => Some(Self::GitBlob(etag.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hex) => write!(f, "sha256 {hex}"),
            Self::LfsPointer(hex) => write!(f, "git-lfs pointer {hex}"),
            Self::GitBlob(hex) => write!(f, "git blob {hex}"),
        }
    }
}

/// The git id of the text that stands for a large file (git-lfs specification, "The Pointer").
pub(crate) fn pointer_id(sha256: &str, size: u64) -> String {
    let text =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n");
    let blob = Sha1::new().chain_update(format!("blob {}\0", text.len()));
    hex(&blob.chain_update(text).finalize())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_in_the_same_terms_and_through_the_pointer() {
        // `printf 'hello\n'`: its sha256, and that of the pointer through `git hash-object`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let sha256 = ObjectId::of_etag(sha256).unwrap();
        let pointer = "fa61e1ef71c9908c0926776a4aa3504b3a27f159".to_owned();
        let blob = ObjectId::of_etag(&pointer).unwrap();
        let pointer = ObjectId::LfsPointer(pointer);
        assert_eq!(sha256.agrees(&sha256, 6), Some(true));
        assert_eq!(sha256.agrees(&pointer, 6), Some(true));
        assert_eq!(pointer.agrees(&sha256, 7), Some(false));
        assert_eq!(blob.agrees(&pointer, 6), None);
        assert_eq!(ObjectId::of_etag("5891B5"), None);
    }
}

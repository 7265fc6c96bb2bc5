//! What a content hashes to, in the hub's own terms.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::object::{hex, pointer_id};
use super::store::printable;
use super::{HubError, ObjectId, RemoteFile};

/// How the content of a file is hashed. Cheap to clone: a state that can be gone back to.
#[derive(Debug, Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    /// The one that gives what the hub names `file` by.
    pub(crate) fn for_content(file: &RemoteFile) -> Self {
        match file.oid {
            ObjectId::Sha256(_) | ObjectId::LfsPointer(_) => Self::Sha256(Sha256::new()),
            ObjectId::GitBlob(_) => {
                Self::Git(Sha1::new().chain_update(format!("blob {}\0", file.size)))
            }
        }
    }

    /// More of the content.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    /// The name of the content, if it is the one that was promised: `hashed` bytes of it were seen.
    pub(crate) fn prove(self, file: &RemoteFile, hashed: u64) -> Result<String, HubError> {
        let corrupt = |expected: String, actual: String| {
            Err(HubError::Corrupt { path: printable(&file.path), expected, actual })
        };
        if hashed != file.size {
            return corrupt(format!("{} bytes", file.size), format!("{hashed} bytes"));
        }
        let (kind, etag) = match self {
            Self::Sha256(hasher) => ("sha256", hex(&hasher.finalize())),
            Self::Git(hasher) => ("git blob", hex(&hasher.finalize())),
        };
        let (expected, actual) = match &file.oid {
            ObjectId::Sha256(expected) | ObjectId::GitBlob(expected) => (expected, etag.clone()),
            ObjectId::LfsPointer(expected) => (expected, pointer_id(&etag, hashed)),
        };
        if *expected == actual {
            return Ok(etag);
        }
        corrupt(format!("{kind} {expected}"), format!("{kind} {actual}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(oid: ObjectId, size: u64) -> Result<String, HubError> {
        let file = RemoteFile { path: "a".to_owned(), size, oid };
        let mut hasher = Hasher::for_content(&file);
        hasher.update(b"hello\n");
        hasher.prove(&file, 6)
    }

    #[test]
    fn content_is_proven_by_whatever_the_hub_names_it_by() {
        // `printf 'hello\n'` through sha256sum, `git hash-object`, and the pointer of the former
        // through `git hash-object`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let pointer = "fa61e1ef71c9908c0926776a4aa3504b3a27f159";
        for (oid, etag) in [
            (ObjectId::Sha256(sha256.to_owned()), sha256),
            (ObjectId::GitBlob(git.to_owned()), git),
            (ObjectId::LfsPointer(pointer.to_owned()), sha256),
        ] {
            assert_eq!(check(oid, 6).unwrap(), etag);
        }
    }

    #[test]
    fn another_hash_and_another_length_are_corrupt_and_say_both() {
        for (size, expected) in [
            (6, "`a` arrived as git blob ce013625030ba8dba906f756967f9e9ca394464a, expected git"),
            (7, "`a` arrived as 6 bytes, expected 7 bytes"),
        ] {
            let error = check(ObjectId::GitBlob("0".repeat(40)), size).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

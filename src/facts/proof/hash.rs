//! The hash of a file, and of many at once.

use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::Advice;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::facts::hub::{self, ObjectId};
use crate::regular_file;

/// What a read takes: it stays in the cache of the processor until it is hashed. Measured: reading
/// 128 KiB or more at once from the page cache takes three times as long.
const READ: usize = 64 * 1024;

/// Bytes that are told of at once: as fine as a bar can show.
const TOLD: u64 = 1024 * 1024;

/// Reads a file to its end and names its content in the terms of `like`: the git blob id for one,
/// else sha256. `moved` is told of bytes as they are hashed. Blocking.
///
/// # Errors
/// What the system says, and what `moved` says, which ends it.
pub fn hash(
    path: &Path,
    like: &ObjectId,
    moved: &dyn Fn(u64) -> io::Result<()>,
) -> io::Result<ObjectId> {
    let mut file = regular_file::open(path)?;
    // Advice that is not taken costs nothing.
    let _ = rustix::fs::fadvise(file.file(), 0, None, Advice::Sequential);
    let mut hasher = match like {
        ObjectId::GitBlob(_) => {
            let size = file.metadata()?.len();
            Hasher::Git(Sha1::new().chain_update(format!("blob {size}\0")))
        }
        ObjectId::Sha256(_) | ObjectId::LfsPointer(_) => Hasher::Sha256(Sha256::new()),
    };
    let mut buffer = vec![0; READ];
    let mut untold = 0;
    loop {
        let length = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        match &mut hasher {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Git(hasher) => hasher.update(bytes),
        }
        untold += length as u64;
        if untold >= TOLD {
            moved(untold)?;
            untold = 0;
        }
    }
    if untold > 0 {
        moved(untold)?;
    }
    Ok(match hasher {
        Hasher::Sha256(hasher) => ObjectId::Sha256(hub::hex(&hasher.finalize())),
        Hasher::Git(hasher) => ObjectId::GitBlob(hub::hex(&hasher.finalize())),
    })
}

enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_named_in_the_terms_that_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "hello\n").unwrap();
        // `printf 'hello\n'` through sha256sum and `git hash-object`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let none = String::new;
        for (like, expected) in [
            (ObjectId::Sha256(none()), ObjectId::Sha256(sha256.to_owned())),
            (ObjectId::LfsPointer(none()), ObjectId::Sha256(sha256.to_owned())),
            (ObjectId::GitBlob(none()), ObjectId::GitBlob(git.to_owned())),
        ] {
            assert_eq!(hash(&path, &like, &|_| Ok(())).unwrap(), expected);
        }
        assert!(hash(folder.path(), &ObjectId::Sha256(none()), &|_| Ok(())).is_err());
    }
}

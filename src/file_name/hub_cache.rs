//! How the hub's own library lays out what it fetches (`huggingface_hub` 2.4 `file_download.py`,
//! `_local_folder.py`).
//!
//! A cache has a folder for each repository, `models--OWNER--NAME`. In it are `blobs`, called by
//! their content; `snapshots/COMMIT`, whose files are links to them; and `refs/REVISION`, which hold
//! a commit. `trees/COMMIT.json` lists what the repository has. A folder of a model's own has notes
//! below `.cache/huggingface` instead.

use std::path::{Component, Path, PathBuf};

use sha1::Digest as _;

/// Below a model's own folder: where the library and preflight keep notes.
pub(crate) const NOTES: &str = ".cache/huggingface";

/// Below a model's own folder: the library's notes and unfinished files.
pub(crate) const DOWNLOADS: &str = ".cache/huggingface/download";

/// Below a model's own folder: what preflight itself keeps.
pub(crate) const OWN: &str = ".cache/huggingface/preflight";

const REPOSITORY: &str = "models--";
const BLOBS: &str = "blobs";
const SNAPSHOTS: &str = "snapshots";
const REFERENCES: &str = "refs";
const LISTINGS: &str = "trees";

/// The name of the folder of a repository, `owner/name`, in a cache.
pub(crate) fn folder_name(repository: &str) -> String {
    format!("{REPOSITORY}{}", repository.replace('/', "--"))
}

/// Whether a folder of a repository in a cache is one of those that hold no file under its own name.
pub(crate) fn is_beside_snapshots(name: &str) -> bool {
    [BLOBS, REFERENCES, LISTINGS].contains(&name)
}

/// Whether a folder is called as that of a repository in a cache.
pub(crate) fn is_repository(folder: &Path) -> bool {
    folder.file_name().and_then(|name| name.to_str()).is_some_and(|it| it.starts_with(REPOSITORY))
}

/// The folder of a repository that a path is below, if it is below one.
pub(crate) fn repository_above(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|folder| is_repository(folder))
}

/// Where the contents of a repository's files are.
pub(crate) fn blobs(repository: &Path) -> PathBuf {
    repository.join(BLOBS)
}

/// The `owner/name` whose folder in a cache is called so; absent: no model's is.
pub(crate) fn repository_in(folder: &str) -> Option<String> {
    Some(folder.strip_prefix(REPOSITORY)?.replacen("--", "/", 1))
}

/// Where the snapshots of a repository are.
pub(crate) fn snapshots(repository: &Path) -> PathBuf {
    repository.join(SNAPSHOTS)
}

/// Where the references of a repository are.
pub(crate) fn references(repository: &Path) -> PathBuf {
    repository.join(REFERENCES)
}

/// What holds the commit of a revision; absent where the revision would lead elsewhere.
pub(crate) fn reference(repository: &Path, revision: &str) -> Option<PathBuf> {
    let mut parts = Path::new(revision).components();
    let is_inside = !revision.is_empty() && parts.all(|it| matches!(it, Component::Normal(_)));
    is_inside.then(|| references(repository).join(revision))
}

/// What a repository has at a commit, as the library keeps it.
pub(crate) fn listing(repository: &Path, commit: &str) -> PathBuf {
    repository.join(LISTINGS).join(format!("{commit}.json"))
}

/// The lock that whoever brings the blob `etag` takes.
pub(crate) fn lock(repository: &Path, etag: &str) -> PathBuf {
    let name = repository.file_name().unwrap_or_default();
    repository.with_file_name(".locks").join(name).join(format!("{etag}.lock"))
}

/// The repository's folder, if `folder` is `snapshots/COMMIT` in one.
pub(crate) fn repository_of(folder: &Path) -> Option<&Path> {
    folder.parent().filter(|snapshots| snapshots.ends_with(SNAPSHOTS))?.parent()
}

/// Whether a text is a commit, for which no reference is looked for: 40 hexadecimal digits in small
/// letters.
pub(crate) fn is_commit(text: &str) -> bool {
    is_hex(text, 40)
}

/// Whether a text is so many hexadecimal digits in small letters, as commits and hashes are written.
pub(crate) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of a blob, if `path` is that of one.
pub(crate) fn blob_name(path: &Path) -> Option<&str> {
    path.parent().filter(|folder| folder.ends_with(BLOBS))?;
    path.file_name()?.to_str()
}

/// The note about the file `name` of a model's own folder.
pub(crate) fn note(root: &Path, name: &str) -> PathBuf {
    root.join(DOWNLOADS).join(format!("{name}.metadata"))
}

/// What the names of a file's temporary files begin with, below [`DOWNLOADS`]: a hash of its last
/// name.
pub(crate) fn temporary_stem(name: &str) -> String {
    short_hash(&format!("{name}.metadata"))
}

/// SHA-1 in the alphabet of base64 for addresses, padded.
fn short_hash(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digest = sha1::Sha1::digest(text.as_bytes());
    let mut out = String::new();
    for chunk in digest.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let letter = ALPHABET[bits >> (18 - 6 * at) & 63];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_one_folder() {
        assert_eq!(folder_name("o/r"), "models--o--r");
        assert_eq!(folder_name("gpt2"), "models--gpt2");
        assert_eq!(repository_in("models--o--r--x").as_deref(), Some("o/r--x"));
        assert_eq!(repository_in(".locks"), None);
        let folder = Path::new("/c/models--o--r");
        assert!(is_repository(folder) && !is_repository(Path::new("/c/datasets--o--r")));
        assert_eq!(lock(folder, "0a"), Path::new("/c/.locks/models--o--r/0a.lock"));
        for (revision, expected) in [
            ("main", Some("/c/models--o--r/refs/main")),
            ("refs/pr/1", Some("/c/models--o--r/refs/refs/pr/1")),
            ("", None),
            ("../x", None),
            ("/x", None),
        ] {
            assert_eq!(reference(folder, revision).as_deref(), expected.map(Path::new));
        }
    }

    #[test]
    fn snapshots_and_blobs_are_told_by_the_folder_that_they_are_in() {
        let folder = Path::new("/c/models--o--r");
        assert_eq!(repository_of(&snapshots(folder).join("1234")), Some(folder));
        assert_eq!(repository_of(folder), None);
        assert_eq!(blob_name(&blobs(folder).join("0a")), Some("0a"));
        assert_eq!(blob_name(Path::new("../../../blobs/0a")), Some("0a"));
        assert_eq!(blob_name(&folder.join("refs/main")), None);
    }

    #[test]
    fn notes_and_temporary_files_are_where_hf_keeps_them() {
        let note = note(Path::new("/m"), "a/b.json");
        assert_eq!(note, Path::new("/m/.cache/huggingface/download/a/b.json.metadata"));
        // `base64.urlsafe_b64encode(hashlib.sha1(b"b.json.metadata").digest())`
        assert_eq!(temporary_stem("b.json"), "8Pd-2OK9wD3rIcHc18pDQqAmVn0=");
    }
}

//! What `hf download --local-dir` leaves beside a file to know that it is up to date, so that it
//! fetches nothing that is here already.
//!
//! Format: `huggingface_hub` 2.4 `_local_folder.py`: three lines, commit, etag, time; valid while
//! the file is not more than a second younger than that time.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Errand, HubError, Listing, store};

/// Notes that `errand` has been done. Blocking; to be called after the file has its final name.
///
/// Only for whole repositories: beside a single file, which may have a name of its own, nothing
/// would look for it.
pub(crate) fn note(listing: &Listing, errand: &Errand, etag: &str) -> Result<(), HubError> {
    let root = match root_of(&errand.destination, &errand.file.path) {
        Some(root) if listing.source.path.is_none() => root,
        Some(_) | None => return Ok(()),
    };
    let notes = root.join(".cache/huggingface");
    for (name, text) in
        [(".gitignore", "*"), ("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n")]
    {
        if !notes.join(name).exists() {
            store::write_note(&notes.join(name), text)?;
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let path = notes.join("download").join(format!("{}.metadata", errand.file.path));
    store::write_note(&path, &format!("{}\n{etag}\n{:.6}\n", listing.commit, now.as_secs_f64()))
}

/// The folder that `path` is relative to, if `destination` ends in it.
fn root_of(destination: &Path, path: &str) -> Option<PathBuf> {
    let mut root = destination.to_path_buf();
    for component in path.rsplit('/') {
        if root.file_name()? != component {
            return None;
        }
        root.pop();
    }
    Some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_what_is_left_of_the_path() {
        for (destination, path, expected) in [
            ("/m/r/a/b.json", "a/b.json", Some("/m/r")),
            ("/m/renamed.gguf", "b.gguf", None),
            ("/b.json", "a/b.json", None),
            ("b.json", "b.json", Some("")),
        ] {
            let root = root_of(Path::new(destination), path);
            assert_eq!(root.as_deref(), expected.map(Path::new), "{destination}");
        }
    }
}

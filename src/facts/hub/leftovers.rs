//! What crashed runs left beside files that are whole now.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tokio::task::spawn_blocking;

use super::assembly::join;
use super::partial::{DATA, JOURNAL, stem};
use super::{Download, metadata};
use crate::beneath::{Beneath, Use};
use crate::file_name::hub_cache;

/// Removes every temporary file and journal of the files that were just brought, whatever content
/// it was of: a repository moves on while a file of it is unfinished; and every temporary file beside
/// the notes about them. One that is being written stays.
pub(crate) async fn sweep(downloads: &[&Download]) {
    let mut stems: HashMap<Beneath, HashSet<String>> = HashMap::new();
    let mut of_notes = HashSet::new();
    for download in downloads {
        let destination = &download.destination;
        stems.entry(destination.folder()).or_default().insert(stem(destination));
        of_notes.extend(metadata::folders(download));
    }
    let sweep_all = move || {
        for (folder, stems) in &stems {
            sweep_folder(folder, |stem| stems.contains(stem));
        }
        of_notes.iter().for_each(|folder| sweep_folder(folder, |_| true));
    };
    join(spawn_blocking(sweep_all)).await;
}

/// Removes every temporary file beside the notes and stamps of the folder `root`: who was killed at the
/// last of them comes back to files that are all there. Blocking.
pub(crate) fn sweep_notes(root: &Beneath) {
    for folder in [hub_cache::NOTES, hub_cache::DOWNLOADS, hub_cache::OWN] {
        sweep_folder(&root.join(folder), |_| true);
    }
}

fn sweep_folder(folder: &Beneath, is_wanted: impl Fn(&str) -> bool) {
    // What cannot be listed or removed does no harm.
    for name in folder.names().unwrap_or_default() {
        let unfinished = name.to_str().and_then(stem_of_unfinished);
        let entry = folder.join(&name);
        if unfinished.is_some_and(&is_wanted) && !is_locked(&entry) {
            drop(entry.remove());
        }
    }
}

/// The stem in `.STEM.XXXXXXXX.incomplete` and `.STEM.XXXXXXXX.journal`.
fn stem_of_unfinished(name: &str) -> Option<&str> {
    let (rest, kind) = name.strip_prefix('.')?.rsplit_once('.')?;
    let (stem, id) = rest.rsplit_once('.')?;
    let is_id = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && (kind == DATA || kind == JOURNAL)).then_some(stem)
}

/// Whether somebody writes this temporary file, or the one of this journal.
fn is_locked(path: &Beneath) -> bool {
    let data = path.beside(Path::new(path.name()).with_extension(DATA));
    let Ok(file) = data.open(Use::Read) else { return false };
    matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;
    use crate::facts::hub::{ObjectId, RemoteFile};

    #[test]
    fn only_unfinished_files_of_the_same_names_go() {
        let folder = tempfile::tempdir().unwrap();
        let stays = [
            "a.gguf",
            ".a.gguf.incomplete",
            ".a.gguf.0123456.incomplete",
            ".b.gguf.01234567.incomplete",
            ".a.gguf.89abcdef.incomplete",
            ".a.gguf.89abcdef.journal",
            "a.gguf.01234567.incomplete",
        ];
        let goes = [".a.gguf.01234567.incomplete", ".a.gguf.01234567.journal"];
        for name in stays.iter().chain(&goes) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let busy = fs::File::open(folder.path().join(".a.gguf.89abcdef.incomplete")).unwrap();
        busy.file().lock().unwrap();
        sweep_folder(&Beneath::root(folder.path()), |stem| stem == "a.gguf");
        for name in stays {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        for name in goes {
            assert!(!folder.path().join(name).exists(), "{name}");
        }
    }

    #[tokio::test]
    async fn what_was_left_beside_notes_goes_whoever_it_was_about() {
        let root = tempfile::tempdir().unwrap();
        let notes = root.path().join(".cache/huggingface");
        fs::create_dir_all(notes.join("download")).unwrap();
        let goes = ["..gitignore.01234567.incomplete", "download/.b.metadata.01234567.incomplete"];
        let stays = ["download/.c.metadata.89abcdef.incomplete", "download/b.metadata", "b.lock"];
        for name in goes.iter().chain(&stays) {
            fs::write(notes.join(name), "").unwrap();
        }
        let busy = fs::File::open(notes.join(stays[0])).unwrap();
        busy.file().lock().unwrap();
        let file =
            RemoteFile { path: "a".to_owned(), size: 1, oid: ObjectId::GitBlob(String::new()) };
        sweep(&[&Download::plain(file, Beneath::root(root.path()).join("a"))]).await;
        assert!(goes.iter().all(|name| !notes.join(name).exists()));
        assert!(stays.iter().all(|name| notes.join(name).exists()));
    }
}

//! Finds the models below a folder.

use std::io;
use std::path::{Path, PathBuf};

use crate::file_name::split::SplitName;
use crate::file_name::weights::Weights;
use crate::limits::{MOST_MODELS, MOST_WALKED};
use walkdir::{DirEntry, WalkDir};

/// Deep enough for `vllm/LANE/DTYPE` and a few folders of the user's own above it.
const DEPTH: usize = 8;

/// As how many files a folder counts: whether it is a model takes so many looks.
const FOLDER: usize = 16;

/// Everything below `root` that is a model: a GGUF file (of a split set, the first), a safetensors
/// file outside a model folder, a folder with a configuration or weights. `root` itself if it is
/// one. What may not be entered, and a link with a model's name that leads nowhere, are among them, so
/// that they are judged and not passed over. Sorted; absent: there are more than [`MOST_MODELS`], or
/// more than [`MOST_WALKED`] names have to be looked at. Blocking.
#[must_use]
pub fn models(root: &Path) -> Option<Vec<PathBuf>> {
    if root.is_file() || is_model_folder(root) {
        return Some(vec![root.to_path_buf()]);
    }
    let mut found = Vec::new();
    // Sorting a folder takes all of its names at once.
    let mut entries = WalkDir::new(root).follow_links(true).max_depth(DEPTH).into_iter();
    let mut walked = 0;
    while let Some(entry) = entries.next() {
        let is_folder = entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir());
        walked += if is_folder { FOLDER } else { 1 };
        if found.len() > MOST_MODELS || walked > MOST_WALKED {
            return None;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.extend(unseen(root, &error));
                continue;
            }
        };
        if is_hidden(&entry) {
            skip(&mut entries, &entry);
        } else if entry.file_type().is_dir() && is_model_folder(entry.path()) {
            found.push(entry.path().to_path_buf());
            skip(&mut entries, &entry);
        } else if entry.file_type().is_file() && is_model_file(entry.path()) {
            found.push(entry.path().to_path_buf());
        }
    }
    found.sort_unstable();
    (found.len() <= MOST_MODELS).then_some(found)
}

fn skip(entries: &mut walkdir::IntoIter, entry: &DirEntry) {
    if entry.file_type().is_dir() {
        entries.skip_current_dir();
    }
}

/// What an error of the walk keeps from being seen, if it can be a model.
fn unseen(root: &Path, error: &walkdir::Error) -> Option<PathBuf> {
    let path = error.path()?;
    let name = path.file_name().filter(|_| path != root);
    let is_hidden = name.is_some_and(|name| is_hidden_name(&name.to_string_lossy()));
    let denied = error.io_error()?.kind() == io::ErrorKind::PermissionDenied;
    (!is_hidden && (denied || is_model_file(path))).then(|| path.to_path_buf())
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && is_hidden_name(&entry.file_name().to_string_lossy())
}

/// The user's own, or the file system's.
fn is_hidden_name(name: &str) -> bool {
    name.starts_with('.') || name == "lost+found"
}

fn is_model_folder(folder: &Path) -> bool {
    let marks = ["config.json", "modules.json", "model.safetensors.index.json"];
    folder.is_dir() && (marks.iter().any(|name| folder.join(name).is_file()) || has_weights(folder))
}

/// Weights of a Hugging Face folder, without a configuration beside them.
fn has_weights(folder: &Path) -> bool {
    let names = fs_err::read_dir(folder).into_iter().flatten().flatten();
    names.into_iter().any(|it| Weights::Safetensors.are_in(&it.file_name().to_string_lossy()))
}

/// Of a split model the first file: llama.cpp opens the others through it.
fn is_model_file(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Weights::Gguf.are_in(&name) && SplitName::parse(&name).is_none_or(|part| part.is_first())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_once_and_hidden_folders_are_left_alone() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "gguf/a.gguf",
            "gguf/b-00001-of-00002.gguf",
            "gguf/b-00002-of-00002.gguf",
            "vllm/coder/bf16/config.json",
            "vllm/coder/bf16/model.safetensors",
            "vllm/raw/model.safetensors",
            "vllm/coder/bf16/.cache/x.gguf",
            ".cache/y.gguf",
            "notes.txt",
        ] {
            let path = root.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let found = models(root.path()).unwrap();
        let below: Vec<_> =
            found.iter().map(|path| path.strip_prefix(root.path()).unwrap()).collect();
        let expected = ["gguf/a.gguf", "gguf/b-00001-of-00002.gguf", "vllm/coder/bf16", "vllm/raw"];
        assert_eq!(below, expected.map(Path::new));
    }

    #[test]
    fn a_link_with_the_name_of_a_model_that_leads_nowhere_is_found() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.gguf", "notes.txt", ".b.gguf"] {
            std::os::unix::fs::symlink("/nowhere", root.path().join(name)).unwrap();
        }
        assert_eq!(models(root.path()).unwrap(), [root.path().join("a.gguf")]);
    }

    #[test]
    fn a_folder_that_may_not_be_entered_is_found() {
        use std::os::unix::fs::PermissionsExt as _;
        if rustix::process::geteuid().is_root() {
            return; // Root enters everything; tests/it looks as another user.
        }
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("closed");
        for folder in [&closed, &root.path().join("lost+found")] {
            fs_err::create_dir(folder).unwrap();
            fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        assert_eq!(models(root.path()).unwrap(), [closed]);
    }

    #[test]
    fn a_model_is_its_own_only_model() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("config.json"), "{}").unwrap();
        assert_eq!(models(root.path()).unwrap(), [root.path()]);
    }
}

//! Finds the models below a folder.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// Deep enough for `vllm/LANE/DTYPE` and a few folders of the user's own above it.
const DEPTH: usize = 8;

/// Everything below `root` that is a model: a GGUF file (of a split set, the first), a safetensors
/// file outside a model folder, a folder with a configuration or weights. `root` itself if it is
/// one. Sorted. Blocking.
#[must_use]
pub fn models(root: &Path) -> Vec<PathBuf> {
    if root.is_file() || is_model_folder(root) {
        return vec![root.to_path_buf()];
    }
    let mut found = Vec::new();
    let mut entries =
        WalkDir::new(root).follow_links(true).max_depth(DEPTH).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let Ok(entry) = entry else { continue };
        if is_hidden(&entry) {
            skip(&mut entries, &entry);
        } else if entry.file_type().is_dir() && is_model_folder(entry.path()) {
            found.push(entry.path().to_path_buf());
            skip(&mut entries, &entry);
        } else if entry.file_type().is_file() && is_model_file(entry.path()) {
            found.push(entry.path().to_path_buf());
        }
    }
    found
}

fn skip(entries: &mut walkdir::IntoIter, entry: &DirEntry) {
    if entry.file_type().is_dir() {
        entries.skip_current_dir();
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.')
}

fn is_model_folder(folder: &Path) -> bool {
    let marks = ["config.json", "modules.json", "model.safetensors.index.json"];
    folder.is_dir() && (marks.iter().any(|name| folder.join(name).is_file()) || has_weights(folder))
}

/// Weights of a Hugging Face folder, without a configuration beside them.
fn has_weights(folder: &Path) -> bool {
    let names = fs_err::read_dir(folder).into_iter().flatten().flatten();
    names.into_iter().any(|entry| extension(&entry.path()) == Some("safetensors"))
}

fn is_model_file(file: &Path) -> bool {
    extension(file) == Some("gguf") && !is_later_split(file)
}

/// `NAME-00002-of-00003.gguf`: llama.cpp opens it through the first of its set.
fn is_later_split(file: &Path) -> bool {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    let mut parts = stem.rsplitn(3, '-');
    let (count, of, rest) = (parts.next(), parts.next(), parts.next());
    let number = rest.and_then(|rest| rest.rsplit('-').next());
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    of == Some("of")
        && count.is_some_and(is_number)
        && number.is_some_and(|number| is_number(number) && number != "00001")
}

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
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
        let found = models(root.path());
        let below: Vec<_> =
            found.iter().map(|path| path.strip_prefix(root.path()).unwrap()).collect();
        let expected = ["gguf/a.gguf", "gguf/b-00001-of-00002.gguf", "vllm/coder/bf16", "vllm/raw"];
        assert_eq!(below, expected.map(Path::new));
    }

    #[test]
    fn a_model_is_its_own_only_model() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("config.json"), "{}").unwrap();
        assert_eq!(models(root.path()), [root.path()]);
    }
}

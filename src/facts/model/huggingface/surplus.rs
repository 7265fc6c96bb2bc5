//! What lies in a folder beside the files that an engine loads: the same weights once more, and
//! names that lead vLLM to another layout.

use std::collections::HashSet;

use super::{Examination, Surplus};
use crate::file_name::weights::{self, Weights};
use crate::look::{FileKind, Look};

/// Smaller files are not worth a word.
const WORTH_A_WORD: u64 = 1 << 20;

/// More folders than this are not looked into.
const MOST_FOLDERS: usize = 32;

/// Looks at what is left beside `examination.files`. Says nothing where folders cannot be listed.
pub(super) fn examine(examination: &mut Examination<'_>) {
    let Some(names) = examination.names.clone() else { return };
    let mistral = |name: &str| weights::is_consolidated(name) && Weights::Safetensors.are_in(name);
    examination.folder.params = examination.has("params.json");
    examination.folder.consolidated = names.iter().any(|name| mistral(name));
    let mut surplus = Vec::new();
    let files = examination.files.iter().filter_map(|file| file.name.to_str().map(str::to_owned));
    let loaded: HashSet<String> = files.collect();
    for name in &names {
        if !loaded.contains(name) && is_weights(name) {
            surplus.extend(sized(examination, name));
        }
    }
    let folders = names.iter().filter(|name| !name.contains('.')).take(MOST_FOLDERS);
    for folder in folders {
        let Look::Seen(below) = examination.view.list(&examination.path.join(folder)) else {
            continue;
        };
        for name in below.iter().map(|name| format!("{folder}/{name}")) {
            let last = name.rsplit('/').next().unwrap_or_default();
            if mistral(last) {
                examination.folder.consolidated_below.get_or_insert_with(|| name.clone());
            }
            if folder == "original" && is_weights(&name) {
                surplus.extend(sized(examination, &name));
            }
        }
    }
    // Without weights that are loaded, nothing is there twice.
    if examination.folder.weights.is_some() {
        examination.folder.surplus = surplus;
    }
}

fn is_weights(name: &str) -> bool {
    Weights::of(name).is_some() && !weights::is_of_training(name)
}

fn sized(examination: &Examination<'_>, name: &str) -> Option<Surplus> {
    let stat = examination.view.stat(&examination.path.join(name)).seen().cloned()?;
    (stat.kind == FileKind::File && stat.size >= WORTH_A_WORD)
        .then(|| Surplus { name: name.to_owned(), size: stat.size })
}

//! `modules.json`: the pipeline of a sentence-transformers model (5.1.2,
//! `SentenceTransformer.py`).

use serde::Deserialize;

use super::file::Role;
use super::huggingface::{Examination, FolderKind, parsed};

/// Longer pipelines are not.
const LONGEST: u64 = 1 << 20;

/// One step of the pipeline.
#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type", default)]
    kind: String,
}

/// Looks for the parts of the pipeline beside the transformer itself, which lies in the folder as
/// any other model.
pub(super) fn examine(examination: &mut Examination<'_>) {
    const NAME: &str = "modules.json";
    if !examination.has(NAME) {
        return;
    }
    examination.folder.kind = FolderKind::SentenceTransformers;
    let path = examination.path.join(NAME);
    let mut modules: Vec<Module> = Vec::new();
    let file =
        parsed(examination.view, &path, NAME, Role::Module, LONGEST, |found| modules = found);
    examination.files.push(file);
    for module in modules {
        // Only these two keep something in their folder that they cannot do without.
        let needs = ["Pooling", "Dense"].iter().any(|kind| module.kind.ends_with(kind));
        let stays = !module.path.split('/').any(|part| part.is_empty() || part == "..");
        if needs && stays {
            examination.add(&format!("{}/config.json", module.path), Role::Module);
        }
    }
}

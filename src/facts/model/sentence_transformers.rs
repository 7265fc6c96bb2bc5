//! `modules.json`: the pipeline of a sentence-transformers model (5.1.2,
//! `SentenceTransformer.py`).

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::file::{self, ModelFile, Role};
use super::huggingface::{document, parsed};
use crate::look::Look;
use crate::project::view::View;

/// Longer pipelines are not.
const LONGEST: u64 = 1 << 20;

/// One step of the pipeline.
#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type", default)]
    kind: String,
    idx: Option<u64>,
    name: Option<String>,
}

/// A step that changes the width of a vector.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Its folder, below that of the model.
    pub path: String,
    /// Its configuration.
    pub config: Sidecar,
    /// Whether its weights are there.
    pub has_weights: bool,
}

/// The steps that TEI knows (0d124dc backends/src/lib.rs, `ModuleType`); where one is another, or has no
/// number or name, it reads none of those behind the pooling.
const KNOWN: [&str; 4] = ["Dense", "Normalize", "Pooling", "Transformer"];

/// A small document beside a model.
#[derive(Debug, Clone)]
pub struct Sidecar {
    /// The file, be it there or not.
    pub file: ModelFile,
    /// What it says, if it could be read.
    pub says: Option<Map<String, Value>>,
    /// Whether it is JSON, and no object.
    pub is_other_json: bool,
}

/// Looks for the document `name` in the folder at `path`.
pub(super) fn sidecar(view: &dyn View, path: &Path, name: &str) -> Sidecar {
    let (file, says) = document(view, &path.join(name), name, Role::Module);
    Sidecar { file, says, is_other_json: false }
}

/// A pipeline.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// Where the transformer lies below the folder; empty in all but old models.
    pub(super) transformer: String,
    /// The files of the pipeline beside it, the list of modules first.
    pub(super) files: Vec<ModelFile>,
    /// The steps behind the pooling, where all of the list is as it used to be.
    pub(super) dense: Vec<Dense>,
}

/// Looks for a pipeline in the folder at `path`.
pub(super) fn examine(view: &dyn View, path: &Path) -> Option<Pipeline> {
    const NAME: &str = "modules.json";
    let mut modules: Vec<Module> = Vec::new();
    let keep = |found| modules = found;
    let list = parsed(view, &path.join(NAME), NAME, Role::Module, LONGEST, keep);
    list.size?;
    let is_known = |module: &Module| {
        let kind = module.kind.strip_prefix("sentence_transformers.models.");
        kind.is_some_and(|kind| KNOWN.contains(&kind))
            && module.idx.and(module.name.as_ref()).is_some()
    };
    let is_read = modules.iter().all(is_known);
    let mut pipeline =
        Pipeline { transformer: String::new(), files: vec![list], dense: Vec::new() };
    for module in modules {
        let stays = !module.path.split('/').any(|part| part.is_empty() || part == "..");
        if module.kind.ends_with("Transformer") && stays {
            pipeline.transformer = module.path;
        // Only these two keep something in their folder that they cannot do without.
        } else if ["Pooling", "Dense"].iter().any(|kind| module.kind.ends_with(kind)) && stays {
            let name = format!("{}/config.json", module.path);
            if is_read && module.kind.ends_with("Dense") {
                pipeline.dense.push(dense(view, path, &module.path));
            }
            pipeline.files.push(file::examine(view, &path.join(&name), Role::Module, name));
        }
    }
    Some(pipeline)
}

fn dense(view: &dyn View, root: &Path, path: &str) -> Dense {
    let weights = ["model.safetensors", "pytorch_model.bin"];
    // What cannot be looked at may be there.
    let is_there = |name: &&str| !matches!(view.stat(&root.join(path).join(name)), Look::Absent);
    Dense {
        path: path.to_owned(),
        config: sidecar(view, root, &format!("{path}/config.json")),
        has_weights: weights.iter().any(is_there),
    }
}

//! `auto_map`: the code that comes with a model, in its own folder or in another repository.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::documents::TokenizerSettings;
use super::{Examination, Presence, RemoteCode, snapshot};
use crate::file_name::hub_cache;
use crate::look::Look;

/// The documents that say who prepares images or sound.
const PREPARES: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];

pub(super) fn examine(examination: &mut Examination<'_>) {
    let mut code: Vec<RemoteCode> = Vec::new();
    let config = examination.folder.config.as_ref();
    let of_model = config.map(|config| config.model_code.clone()).unwrap_or_default();
    let of_else = |value: &String| {
        config.is_some_and(|config| config.remote_code.iter().any(|it| it == value))
            && !of_model.contains(value)
    };
    let file_of = |value: &String| value.rsplit_once('.').map(|(module, _)| module.to_owned());
    let elsewhere: Vec<Option<String>> = config
        .into_iter()
        .flat_map(|config| config.remote_code.iter().filter(|value| of_else(value)).map(file_of))
        .collect();
    for (named_by, value) in named(examination) {
        let Some(mut found) = look(examination, named_by, &value) else { continue };
        // A file may hold more than the class of the model.
        found.of_model = of_model.contains(&value) && !elsewhere.contains(&file_of(&value));
        found.of_processor = PREPARES.contains(&named_by);
        if !code.iter().any(|known| known.same(&found)) {
            code.push(found);
        }
    }
    examination.folder.code = code;
}

/// What `auto_map` of the documents names, with the document. The configuration of the tokenizer counts
/// for the tokenizer where it says a class, else that of the model (transformers 4.57.6
/// models/auto/tokenization_auto.py). Who prepares images or sound may be named in both of its documents
/// (models/auto/processing_auto.py, image_processing_auto.py).
fn named(examination: &Examination<'_>) -> Vec<(&'static str, String)> {
    let folder = &examination.folder;
    let documents = &folder.documents;
    let tokenizer = documents.tokenizer.as_ref().filter(|says| says.class().is_some());
    let of_tokenizer = tokenizer.and_then(TokenizerSettings::code);
    let mut named = Vec::new();
    if let Some(config) = &folder.config {
        let is_read =
            |value: &&String| tokenizer.is_none() || !config.tokenizer_code.contains(value);
        let values = config.remote_code.iter().filter(is_read);
        named.extend(values.map(|value| ("config.json", value.clone())));
    }
    named.extend(of_tokenizer.map(|value| ("tokenizer_config.json", value)));
    for (document, found) in PREPARES.into_iter().zip([&documents.image, &documents.processor]) {
        let says = found.as_ref().and_then(|found| found.says.as_ref());
        let classes = says.and_then(|says| says.get("auto_map")?.as_object());
        let values = classes.into_iter().flat_map(|map| map.values()).filter_map(Value::as_str);
        named.extend(values.map(|value| (document, value.to_owned())));
    }
    named
}

/// `module.Class`, or `owner/repo--module.Class` (transformers 4.57.6, `dynamic_module_utils.py`,
/// `get_class_from_dynamic_module`).
fn look(examination: &Examination<'_>, named_by: &'static str, value: &str) -> Option<RemoteCode> {
    let (repository, reference) = match value.split_once("--") {
        Some((repository, reference)) => (Some(repository), reference),
        None => (None, value),
    };
    let (module, _) = reference.rsplit_once('.')?;
    let file = format!("{module}.py");
    let here = match repository {
        None if examination.has(&file) => Presence::Here,
        None => Presence::Missing,
        Some(repository) => in_cache(examination, repository, &file),
    };
    let repository = repository.map(str::to_owned);
    Some(RemoteCode { file, named_by, of_model: false, of_processor: false, repository, here })
}

fn in_cache(examination: &Examination<'_>, repository: &str, file: &str) -> Presence {
    let Some(cache) = cache_of(examination.path) else { return Presence::Unknown };
    let folder = cache.join(hub_cache::folder_name(repository));
    let found = match snapshot(examination.view, &folder, None) {
        Look::Seen(found) => examination.view.stat(&found.folder.join(file)).map(|_| ()),
        Look::Absent => Look::Absent,
        Look::Denied(why) => Look::Denied(why),
        Look::Unknown(why) => Look::Unknown(why),
    };
    match found {
        Look::Seen(()) => Presence::Here,
        Look::Absent => Presence::Missing,
        Look::Denied(_) | Look::Unknown(_) => Presence::Unknown,
    }
}

/// The hub's cache that `CACHE/models--owner--name/snapshots/COMMIT` is in.
fn cache_of(folder: &Path) -> Option<PathBuf> {
    let repository = hub_cache::repository_of(folder).filter(|it| hub_cache::is_repository(it))?;
    repository.parent().map(Path::to_path_buf)
}

impl RemoteCode {
    fn same(&self, other: &Self) -> bool {
        self.file == other.file && self.repository == other.repository
    }
}

//! `auto_map`: the code that comes with a model, in its own folder or in another repository.

use std::path::{Path, PathBuf};

use super::{Examination, Presence, RemoteCode, snapshot};
use crate::file_name::hub_cache;
use crate::look::Look;

pub(super) fn examine(examination: &mut Examination<'_>) {
    let Some(config) = &examination.folder.config else { return };
    let mut code: Vec<RemoteCode> = Vec::new();
    for value in &config.remote_code {
        let Some(found) = look(examination, value) else { continue };
        if !code.iter().any(|known| known.same(&found)) {
            code.push(found);
        }
    }
    examination.folder.code = code;
}

/// `module.Class`, or `owner/repo--module.Class` (transformers 4.57.6, `dynamic_module_utils.py`,
/// `get_class_from_dynamic_module`).
fn look(examination: &Examination<'_>, value: &str) -> Option<RemoteCode> {
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
    Some(RemoteCode { file, repository: repository.map(str::to_owned), here })
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

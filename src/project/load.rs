//! The project as its files say it, in whichever language they are written.

use std::path::{Path, PathBuf};

use crate::limits::{LONGEST_PROJECT_TEXT, MOST_MANIFESTS};
use crate::options::ProjectOptions;
use crate::project::Project;
use crate::project::compose::fault::Fault;
use crate::project::compose::loader::Loader;
use crate::project::compose::{self, LoadError};
use crate::project::kubernetes;
use crate::regular_file;
use crate::source_map::SourceMap;

/// Loads the project that `options` name; every text that was read is kept in `sources`. Blocking.
///
/// # Errors
/// What Docker Compose or Kubernetes refuses is refused, at the line; see [`LoadError`].
pub fn load(options: &ProjectOptions, sources: &mut SourceMap) -> Result<Project, LoadError> {
    let loaded = read(options, &mut compose::loader(options, sources));
    loaded.map_err(|fault| fault.locate(sources))
}

fn read(options: &ProjectOptions, loader: &mut Loader<'_>) -> Result<Project, Fault> {
    if let Some(manifests) = kubernetes::manifests(options, loader)? {
        return kubernetes::project(options, loader, &manifests);
    }
    let loaded = compose::load_with(options, loader);
    match folder_of_manifests(&loaded, options, loader) {
        Some(folder) => {
            let options = ProjectOptions { files: vec![folder], ..options.clone() };
            read(&options, loader)
        }
        None => loaded,
    }
}

/// Where manifests stand in the place of a Compose file that nobody names.
fn folder_of_manifests(
    loaded: &Result<Project, Fault>,
    options: &ProjectOptions,
    loader: &Loader<'_>,
) -> Option<PathBuf> {
    let Err(Fault::NotFound { directory }) = loaded else { return None };
    let local = loader.local(directory).filter(|_| options.files.is_empty())?;
    has_manifests(&local).then(|| directory.clone())
}

/// Whether there is a manifest of Kubernetes in a folder. Blocking.
#[must_use]
pub fn has_manifests(folder: &Path) -> bool {
    let Ok(entries) = fs_err::read_dir(folder) else { return false };
    let is_manifest = |path: &Path| {
        let named = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
        named && regular_file::text(path, LONGEST_PROJECT_TEXT).is_ok_and(|text| is_told(&text))
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    paths.take(MOST_MANIFESTS).any(|path| is_manifest(&path))
}

/// Whether a text says in a line of its own what kind of manifest it is.
fn is_told(text: &str) -> bool {
    let begins = |key: &str| text.lines().any(|line| line.starts_with(key));
    begins("apiVersion:") && begins("kind:")
}

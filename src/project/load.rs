//! The project as its files say it, in whichever language they are written.

use crate::options::ProjectOptions;
use crate::project::Project;
use crate::project::compose::fault::Fault;
use crate::project::compose::loader::Loader;
use crate::project::compose::{self, LoadError};
use crate::project::kubernetes;
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
    match kubernetes::manifests(options, loader)? {
        Some(manifests) => kubernetes::project(options, loader, &manifests),
        None => compose::load_with(options, loader),
    }
}

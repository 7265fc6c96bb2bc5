//! Containers of another project that has the same name. Compose tells projects apart by their names
//! alone; the folder that a container was made from is in its labels.

use std::path::Path;

use crate::path::HostPath;
use crate::project::Project;
use crate::project::docker::{Container, Observation};

/// Takes the containers that were made from another folder than `is_own` knows out of `observation`.
pub(super) fn set_apart(observation: &mut Observation, is_own: impl Fn(&str) -> bool) {
    let is_own = |container: &Container| container.project_directory().is_none_or(&is_own);
    observation.tell_apart(is_own);
}

/// Takes those back in that are just what the files say: Compose takes them for its own.
pub(super) fn take_back(observation: &mut Observation, project: &Project) {
    let known = observation.clone();
    observation.tell_apart(|container| {
        let is_stranger = known.strangers.iter().any(|stranger| stranger.id == container.id);
        !is_stranger || project.is_as_written(container, &known)
    });
}

/// Whether a folder that a label names is `directory`, on the machine that both are paths of. One
/// that is not there now tells nothing: it was moved, or is a path of another machine. Blocking.
pub(super) fn is_same_folder(label: &str, directory: &HostPath) -> bool {
    let Ok(named) = fs_err::canonicalize(Path::new(label)) else { return true };
    fs_err::canonicalize(directory.as_path()).is_ok_and(|directory| directory == named)
}

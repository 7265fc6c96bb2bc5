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
    if observation.strangers.is_empty() {
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Service;
    use crate::source_map::Spanned;

    fn check(label: &str, directory: &Path, expected: bool) {
        assert_eq!(is_same_folder(label, &HostPath::new(directory)), expected, "{label}");
    }

    #[test]
    fn a_folder_is_another_one_only_if_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs_err::create_dir(&one).unwrap();
        fs_err::create_dir(&other).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&one, &link).unwrap();
        check(&one.display().to_string(), &one, true);
        check(&link.display().to_string(), &one, true);
        check(&other.display().to_string(), &one, false);
        check("/data/compose/3/that/is/not/here", &one, true);
        check("C:\\stacks\\one", &one, true);
    }

    #[test]
    fn a_container_that_is_just_what_the_file_says_is_taken_back() {
        let mut service = Service::named(Spanned::nowhere("vllm".to_owned()));
        service.image = Some(Spanned::nowhere("vllm:1".to_owned()));
        let project = Project::of("demo", vec![service]);
        for (image, own) in [("vllm:1", 1), ("vllm:2", 0)] {
            let mut container = Container::of_service("demo", "vllm");
            container.image = image.to_owned();
            let label = "com.docker.compose.project.working_dir".to_owned();
            container.labels.insert(label, "/srv/other".to_owned());
            let mut observation = Observation::of(vec![container]);
            set_apart(&mut observation, |label| label == "/srv/own");
            assert_eq!(observation.strangers.len(), 1);
            take_back(&mut observation, &project);
            assert_eq!((observation.siblings.len(), observation.strangers.len()), (own, 1 - own));
        }
    }
}

//! The home of who called Compose, which a container does not know. Pure.

use std::path::PathBuf;

use crate::project::docker::Observation;
use crate::project::{Mount, MountSource, Project};
use crate::source_map::VariableSource;

/// What `~` and `HOME` in the mounts of `project`, loaded without them, have been where its containers
/// were made; absent: no mount says so, or no container has it.
pub(super) fn of_caller(project: &Project, observation: &Observation) -> Option<String> {
    project.services.iter().find_map(|service| {
        let container = observation.container(&project.name, &service.name.value)?;
        service.mounts.iter().find_map(|written| {
            let below = below_home(written, project)?;
            let actual = container.mounts.iter().find(|mount| mount.target == written.target)?;
            let MountSource::Bind { path, .. } = &actual.source else { return None };
            let names = below.components().count();
            let home = path.as_path().ancestors().nth(names)?;
            (home.join(&below) == path.as_path()).then(|| home.to_string_lossy().into_owned())
        })
    })
}

/// The way from the home to what is mounted, if it is written so.
fn below_home(mount: &Mount, project: &Project) -> Option<PathBuf> {
    let MountSource::Bind { path, .. } = &mount.source else { return None };
    // What cannot be expanded was taken for a name in the project's folder.
    let unexpanded = project.directory.as_path().join("~");
    if let Ok(below) = path.as_path().strip_prefix(unexpanded) {
        return Some(below.to_path_buf());
    }
    let [variable] = mount.place.variables.as_slice() else { return None };
    let is_home = variable.name == "HOME" && variable.set_by == VariableSource::Unset;
    let below = path.as_path().strip_prefix("/").ok().filter(|_| is_home)?;
    Some(below.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{HostPath, ServicePath};
    use crate::project::Service;
    use crate::project::docker::Container;
    use crate::source_map::{Place, Spanned, Variable};

    fn bind(path: &str, variables: &[(&str, VariableSource)]) -> Mount {
        let variable = |(name, set_by): &(&str, VariableSource)| Variable {
            name: (*name).to_owned(),
            set_by: set_by.clone(),
        };
        let variables = variables.iter().map(variable).collect();
        Mount {
            source: MountSource::Bind { path: HostPath::new(path), create_host_path: true },
            target: ServicePath::new("/cache"),
            read_only: false,
            place: Place { variables, ..Place::nowhere() },
        }
    }

    /// The home, of a mount as it is written and as its container has it.
    fn check(written: Mount, actual: &str, expected: Option<&str>) {
        let mut service = Service::named(Spanned::nowhere("vllm".to_owned()));
        service.mounts.push(written);
        let directory = HostPath::new("/srv/stack");
        let mut project = Project { directory, services: vec![service], ..Project::empty() };
        project.name = "demo".to_owned();
        let mut container = Container::of_service("demo", "vllm");
        container.mounts.push(bind(actual, &[]));
        let observation = Observation::of(vec![container]);
        assert_eq!(of_caller(&project, &observation).as_deref(), expected);
    }

    #[test]
    fn it_is_what_the_containers_have_above_the_rest_of_the_path() {
        let cache = "/home/me/.cache/huggingface";
        let unset = |path| bind(path, &[("HOME", VariableSource::Unset)]);
        check(bind("/srv/stack/~/.cache/huggingface", &[]), cache, Some("/home/me"));
        check(bind("/srv/stack/~", &[]), "/root", Some("/root"));
        check(unset("/.cache/huggingface"), cache, Some("/home/me"));
    }

    #[test]
    fn what_is_not_written_so_or_is_elsewhere_by_now_says_nothing() {
        let cache = "/home/me/.cache/huggingface";
        check(bind("/srv/stack/~/.cache/huggingface", &[]), "/mnt/hf", None);
        check(bind("/srv/stack/models", &[]), cache, None);
        check(bind("/.cache/huggingface", &[]), cache, None);
        check(bind("/.cache/huggingface", &[("HOME", VariableSource::Default)]), cache, None);
    }
}

//! What the `docker compose up` is about that waits for this process. Compose makes every container
//! of an `up` before it starts the first, so a service without one is not part of it.

use std::collections::BTreeSet;

use crate::project::Project;
use crate::project::docker::{Container, Observation};

/// The services of which Compose has made a container.
pub(super) fn created(observation: &Observation, project: &str) -> BTreeSet<String> {
    observation.containers(project).filter_map(|container| container.service.clone()).collect()
}

/// The services that the `up` is about: those with a container, and where only preflight itself was
/// called up, every one that the profiles enable. Absent: this is no container of an `up`, or not
/// every container could be seen.
pub(super) fn services(project: &Project, observation: &Observation) -> Option<BTreeSet<String>> {
    let own = observation.myself.as_ref().filter(|_| observation.complete);
    let own = own.filter(|own| is_service(own, &project.name))?;
    let created = created(observation, &project.name);
    let waits = |name: &String| {
        let own = own.service.as_deref().unwrap_or_default();
        is_after(project, name, own, &mut BTreeSet::new())
    };
    if created.iter().any(waits) {
        return Some(created);
    }
    Some(project.services.iter().map(|service| service.name.value.clone()).collect())
}

/// Whether it is the container of a service, not one of `docker compose run` or a hook.
fn is_service(own: &Container, project: &str) -> bool {
    let is_in = own.project.as_deref() == Some(project) && own.service.is_some();
    is_in && !own.is_one_off() && !own.is_hook()
}

/// Whether `service` is started after `first`, whatever it waits for.
fn is_after<'a>(
    project: &'a Project,
    service: &str,
    first: &str,
    visited: &mut BTreeSet<&'a str>,
) -> bool {
    let Some(service) = project.service(service) else { return false };
    visited.insert(&service.name.value)
        && service
            .depends_on
            .iter()
            .any(|edge| edge.service == first || is_after(project, &edge.service, first, visited))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Dependency, Service};
    use crate::source_map::{Place, Spanned};

    /// `llama` waits for preflight, `web` for `llama`, `hub` for nobody; the containers in
    /// `created` are there beside `own`.
    fn check(own: Container, created: &[&str], expected: Option<&[&str]>) {
        let service = |name: &str, after: &[&str]| {
            let mut service = Service::named(Spanned::nowhere(name.to_owned()));
            let edge = |after: &&str| Dependency {
                service: (*after).to_owned(),
                condition: "service_started".to_owned(),
                required: true,
                place: Place::nowhere(),
            };
            service.depends_on = after.iter().map(edge).collect();
            service
        };
        let services = vec![
            service("preflight", &[]),
            service("llama", &["preflight"]),
            service("web", &["llama"]),
            service("hub", &[]),
        ];
        let project = Project::of("demo", services);
        let containers = created.iter().map(|name| Container::of_service("demo", name));
        let mut observation = Observation::of(containers.collect());
        observation.myself = Some(own);
        let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(super::services(&project, &observation), expected, "{created:?}");
    }

    fn own() -> Container {
        Container::of_service("demo", "preflight")
    }

    #[test]
    fn what_has_a_container_is_part_of_an_up() {
        check(own(), &["llama"], Some(&["llama", "preflight"]));
        check(own(), &["web", "hub"], Some(&["hub", "preflight", "web"]));
    }

    #[test]
    fn an_up_of_preflight_alone_is_about_everything() {
        let all = ["hub", "llama", "preflight", "web"];
        check(own(), &[], Some(&all));
        check(own(), &["hub"], Some(&all));
    }

    #[test]
    fn a_container_of_run_a_hook_and_one_of_another_project_tell_nothing() {
        for (label, value) in [("oneoff", "True"), ("hook", "pre_start")] {
            let mut own = own();
            own.labels.insert(format!("com.docker.compose.{label}"), value.to_owned());
            check(own, &["llama"], None);
        }
        check(Container::of_service("other", "preflight"), &["llama"], None);
    }

    #[test]
    fn a_container_that_could_not_be_inspected_may_be_of_any_service() {
        let project = Project::of("demo", Vec::new());
        let mut observation = Observation::of(vec![Container::of_service("demo", "llama")]);
        observation.myself = Some(own());
        assert!(services(&project, &observation).is_some());
        observation.complete = false;
        assert_eq!(services(&project, &observation), None);
    }

    #[test]
    fn circles_end() {
        let edge = |name: &str| Dependency {
            service: name.to_owned(),
            condition: "service_started".to_owned(),
            required: true,
            place: Place::nowhere(),
        };
        let mut a = Service::named(Spanned::nowhere("a".to_owned()));
        a.depends_on = vec![edge("a"), edge("b")];
        let project = Project::of("demo", vec![a]);
        assert!(!is_after(&project, "a", "preflight", &mut BTreeSet::new()));
    }
}

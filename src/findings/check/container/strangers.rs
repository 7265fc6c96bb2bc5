//! Two projects of one name.

use std::collections::BTreeSet;

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::options::Role;
use crate::path::HostPath;
use crate::project::docker::{Container, Observation};

/// There are containers of this name that another folder's Compose file was the source of.
pub static CHECK: Check = Check { rules: &[&SHARED], run: Run::Project(run) };

static SHARED: Rule = Rule::warning(
    "project-name-shared",
    ExitCode::Lane,
    include_str!("rules/project-name-shared.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let Ok(observation) = facts.observation else { return };
    let folders: BTreeSet<&str> = directories(&observation.strangers).collect();
    for folder in folders {
        let from = |it: &&Container| it.project_directory() == Some(folder);
        let services = observation.strangers.iter().filter(from);
        let services = services.filter_map(|container| container.service.as_deref());
        findings.push(shared(facts, observation, folder, &services.collect()));
    }
}

fn directories(containers: &[Container]) -> impl Iterator<Item = &str> {
    containers.iter().filter_map(Container::project_directory)
}

fn shared(
    facts: &ProjectFacts<'_>,
    observation: &Observation,
    folder: &str,
    services: &BTreeSet<&str>,
) -> Finding {
    let name = &facts.project.name;
    let own = observation.myself.as_ref().filter(|_| facts.role == Role::Init);
    let own = own.and_then(Container::project_directory).map(HostPath::new);
    let own = own.as_ref().unwrap_or(&facts.project.directory);
    let services: Vec<String> = services.iter().map(|service| format!("`{service}`")).collect();
    let services = services.join(", ");
    Finding::new(
        &SHARED,
        format!(
            "two projects are called `{name}`: the containers of {services} belong to `{folder}`, \
             and this one is `{own}`"
        ),
        format!(
            "give one of them another name, with `name:` in its Compose file or \
             `COMPOSE_PROJECT_NAME` in its `.env`; until then `up` and `down` in `{own}` replace \
             and remove what runs for `{folder}`"
        ),
    )
    .with("folder", folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;

    fn in_folder(service: &str, folder: &str) -> Container {
        let mut container = Container::of_service("demo", service);
        let label = "com.docker.compose.project.working_dir".to_owned();
        container.labels.insert(label, folder.to_owned());
        container
    }

    #[test]
    fn containers_of_another_folder_are_named_once_for_each() {
        let mut stack = Stack::new(Role::Init);
        let mut observation = Observation::of(vec![in_folder("web", "/srv/own")]);
        observation.myself = Some(in_folder("preflight", "/srv/own"));
        observation.strangers = vec![
            in_folder("chat", "/srv/other"),
            in_folder("vllm", "/srv/other"),
            in_folder("vllm", "/srv/third"),
        ];
        stack.observation = Ok(observation);
        let told = stack.told(&CHECK);
        let messages: Vec<_> = told.iter().map(|told| told.split(" = ").next().unwrap()).collect();
        assert_eq!(
            messages,
            [
                "warning project-name-shared: two projects are called `demo`: the containers of \
                 `chat`, `vllm` belong to `/srv/other`, and this one is `/srv/own`",
                "warning project-name-shared: two projects are called `demo`: the containers of \
                 `vllm` belong to `/srv/third`, and this one is `/srv/own`",
            ]
        );
    }

    #[test]
    fn by_hand_the_folder_of_the_project_is_the_own_one() {
        let mut stack = Stack::new(Role::Hand);
        let mut observation = Observation::of(Vec::new());
        observation.strangers = vec![in_folder("vllm", "/srv/other")];
        stack.observation = Ok(observation);
        let told = stack.told(&CHECK).join("");
        assert!(told.contains("and this one is `/stack`"), "{told}");
        assert!(!told.contains("--force-recreate"), "{told}");
    }
}

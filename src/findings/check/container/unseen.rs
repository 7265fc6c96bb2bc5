//! What could not be looked at: the containers, the disk that they mount, or the files that they were
//! made from.

use std::path::Path;

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::options::Role;
use crate::project::docker::DockerError;

/// One of the views on the project is closed.
pub static CHECK: Check =
    Check { rules: &[&UNREADABLE, &NOT_SEEN, &ELSEWHERE], run: Run::Project(run) };

static UNREADABLE: Rule = Rule::warning(
    "project-unreadable",
    ExitCode::Usage,
    include_str!("rules/project-unreadable.md"),
);

static NOT_SEEN: Rule = Rule::note(
    "containers-not-seen",
    ExitCode::Unjudged,
    include_str!("rules/containers-not-seen.md"),
);

static ELSEWHERE: Rule =
    Rule::note("docker-elsewhere", ExitCode::Unjudged, include_str!("rules/docker-elsewhere.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    if let Some(reason) = facts.unreadable {
        findings.push(Finding::new(
            &UNREADABLE,
            format!(
                "the Compose files could not be read, so the containers speak for them: {reason}"
            ),
            if has_project(facts) {
                "the project is mounted: give preflight what Compose had beside it, the variables of \
                 the shell under `environment`, and folders outside of the project as mounts"
            } else {
                "mount the project read-only into preflight: `- .:/project:ro`"
            },
        ));
    }
    if let Some(docker) = facts.elsewhere {
        // Where it cannot even be asked, that is said with its address.
        let at = facts.observation.as_ref().map(|_| format!(" at `{docker}`")).unwrap_or_default();
        findings.push(elsewhere(&at));
    }
    match facts.observation {
        Ok(_) | Err(DockerError::Disabled) => {}
        Err(error) => {
            findings.push(Finding::new(
                &NOT_SEEN,
                format!("the containers could not be looked at: {error}"),
                fix(facts.role, error),
            ));
        }
    }
}

/// Whether preflight has something mounted where it looks for the project.
fn has_project(facts: &ProjectFacts<'_>) -> bool {
    let observation = facts.observation.as_ref().ok();
    let own = observation.and_then(|it| Some(&it.myself.as_ref()?.mounts));
    let service = || facts.project.preflight_service().map(|service| &service.mounts);
    let mut mounts = own.or_else(service).into_iter().flatten();
    mounts.any(|mount| mount.target.as_path() == Path::new("/project"))
}

fn elsewhere(at: &str) -> Finding {
    Finding::new(
        &ELSEWHERE,
        format!(
            "nothing shows that the Docker Engine{at} runs on this machine: the files that it mounts \
             are not looked for here, only in containers that are there"
        ),
        "run preflight on that machine, or as a service of the stack; for containers to look into, \
         `docker compose create`; `--no-docker` judges the files of this machine",
    )
}

fn fix(role: Role, error: &DockerError) -> String {
    match (role, error) {
        (Role::Hand, DockerError::Denied { .. }) => {
            "join the group of the socket: `sudo usermod -aG docker $USER`, then log in again"
                .to_owned()
        }
        (Role::Hand, DockerError::NoSocket { .. }) => {
            "start Docker, or set `DOCKER_HOST`".to_owned()
        }
        (Role::Hand | Role::Init | Role::Exec, error) => error.hint().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::path::{HostPath, ServicePath};
    use crate::project::{Mount, MountSource};
    use crate::source_map::Place;

    fn check(role: Role, error: DockerError, expected: &[&str]) {
        let mut stack = Stack::new(role);
        stack.observation = Err(error);
        assert_eq!(stack.told(&CHECK), expected);
    }

    #[test]
    fn a_denied_socket_names_the_group_to_add() {
        let denied = || DockerError::Denied {
            host: "unix:///s".to_owned(),
            reason: "permission denied, it lets in group 105".to_owned(),
            group: Some(105),
            mapped: false,
        };
        check(
            Role::Init,
            denied(),
            &[
                "note containers-not-seen: the containers could not be looked at: the Docker socket \
               at `unix:///s` refuses this user: permission denied, it lets in group 105 = add \
               `group_add: [\"105\"]` to the preflight service",
            ],
        );
        check(
            Role::Hand,
            denied(),
            &[
                "note containers-not-seen: the containers could not be looked at: the Docker socket \
               at `unix:///s` refuses this user: permission denied, it lets in group 105 = join \
               the group of the socket: `sudo usermod -aG docker $USER`, then log in again",
            ],
        );
    }

    #[test]
    fn docker_that_may_not_be_asked_is_not_missed() {
        check(Role::Init, DockerError::Disabled, &[]);
    }

    #[test]
    fn every_other_error_has_something_to_do() {
        let host = || "tcp://proxy:2375".to_owned();
        for error in [
            DockerError::NoSocket { host: host() },
            DockerError::Denied { host: host(), reason: String::new(), group: None, mapped: true },
            DockerError::HostNotSupported { host: host(), reason: String::new() },
            DockerError::Unreachable { host: host(), reason: String::new() },
            DockerError::Silent { host: host(), request: "GET /version".to_owned(), seconds: 1 },
            DockerError::Refused {
                request: "GET /version".to_owned(),
                status: 403,
                reason: String::new(),
            },
            DockerError::Unreadable { request: "GET /version".to_owned(), reason: String::new() },
        ] {
            for role in [Role::Init, Role::Hand] {
                assert!(!fix(role, &error).is_empty(), "{error}");
            }
        }
    }

    #[test]
    fn a_project_that_is_mounted_is_not_to_be_mounted() {
        let mut stack = Stack::new(Role::Init);
        stack.unreadable = Some("required variable `TAG` is not set".to_owned());
        let source = MountSource::Bind { path: HostPath::new("/srv/p"), create_host_path: true };
        let target = ServicePath::new("/project");
        stack.service("preflight").mounts =
            vec![Mount { source, target, read_only: true, place: Place::nowhere() }];
        let told = stack.told(&CHECK);
        assert!(told[0].contains(" = the project is mounted: "), "{told:?}");
    }

    #[test]
    fn docker_on_another_machine_is_said_once() {
        let mut stack = Stack::new(Role::Hand);
        stack.elsewhere = Some("tcp://box:2375".to_owned());
        let told = stack.told(&CHECK);
        assert_eq!(told.len(), 1);
        let said =
            "note docker-elsewhere: nothing shows that the Docker Engine at `tcp://box:2375`";
        assert!(told[0].starts_with(said), "{told:?}");
    }

    #[test]
    fn files_that_cannot_be_read_are_a_warning() {
        let mut stack = Stack::new(Role::Init);
        stack.unreadable = Some("no Compose file was found in `/project`".to_owned());
        assert_eq!(
            stack.told(&CHECK),
            ["warning project-unreadable: the Compose files could not be read, so the containers \
              speak for them: no Compose file was found in `/project` = mount the project \
              read-only into preflight: `- .:/project:ro`"]
        );
    }
}

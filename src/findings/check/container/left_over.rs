//! Lanes that keep an `up` down that may not be about them.

use std::time::Duration;

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::options::Role;
use crate::plan::lanes::Lane;
use crate::project::docker::{Container, Observation};

/// The container of a lane that is not ready is from before this `up`.
pub static CHECK: Check = Check { rules: &[&LEFT_OVER], run: Run::Container(run) };

static LEFT_OVER: Rule =
    Rule::note("container-left-over", ExitCode::Lane, include_str!("rules/container-left-over.md"));

/// Compose makes the containers of an `up` side by side. What is older than preflight's own by more
/// was there before.
const SIDE_BY_SIDE: Duration = Duration::from_secs(10);

fn run(facts: &ProjectFacts<'_>, observation: &Observation, findings: &mut Findings) {
    let Some(own) = observation.myself.as_ref().filter(|_| facts.role == Role::Init) else {
        return;
    };
    let judged = facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none() && lane.required);
    let (stopped, fine): (Vec<&Lane>, Vec<_>) = judged.partition(|lane| findings.stops(&lane.name));
    if fine.is_empty() {
        return;
    }
    for lane in stopped {
        let of_lane = |service: &String| observation.container(&facts.project.name, service);
        let containers: Vec<&Container> = lane.services.iter().filter_map(of_lane).collect();
        if let [container, ..] = containers.as_slice()
            && containers.iter().all(|container| is_left_over(container, own))
        {
            let service = container.service.as_deref().unwrap_or_default();
            findings.push(left_over(service, container).lane(&lane.name).at(&lane.place));
        }
    }
}

/// Whether a container is not running and was there before Compose was called. The own one is used
/// again by the next `up`: then what is older than its last end was there before.
fn is_left_over(container: &Container, own: &Container) -> bool {
    let Some(created) = container.created else { return false };
    let is_older = match (own.state.ended, own.created) {
        (Some(ended), _) => created < ended,
        (None, Some(own)) => created + SIDE_BY_SIDE < own,
        (None, None) => false,
    };
    is_older && matches!(container.state.status.as_str(), "created" | "exited" | "dead")
}

fn left_over(service: &str, container: &Container) -> Finding {
    let message = format!(
        "`{service}` has a container from before this `up`: nothing tells whether it is to be \
         started now, so its lane counts"
    );
    let fix = format!("if it is not, `docker compose rm --force {service}`, and then `up` again");
    let finding = Finding::new(&LEFT_OVER, message, fix).service(service);
    finding.with("container", &container.name).with("status", &container.state.status)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// Seconds after 1970: when the container was made, the own one was made, and its last run ended.
    fn check(status: &str, created: u64, own: (u64, Option<u64>), expected: bool) {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut container = Container::of_service("demo", "vllm");
        container.created = Some(at(created));
        container.state.status = status.to_owned();
        let mut preflight = Container::of_service("demo", "preflight");
        preflight.created = Some(at(own.0));
        preflight.state.ended = own.1.map(at);
        assert_eq!(is_left_over(&container, &preflight), expected, "{status} {created} {own:?}");
    }

    #[test]
    fn what_was_there_before_an_up_is_older_than_the_own_container() {
        check("created", 100, (1000, None), true);
        check("exited", 100, (1000, None), true);
        check("created", 999, (1000, None), false);
        check("created", 1003, (1000, None), false);
    }

    #[test]
    fn the_own_container_of_an_earlier_up_tells_by_when_it_last_ended() {
        check("created", 1003, (1000, Some(1010)), true);
        check("created", 2000, (1000, Some(1010)), false);
    }

    #[test]
    fn what_runs_is_not_left_over() {
        for status in ["running", "restarting", "paused"] {
            check(status, 100, (1000, None), false);
        }
    }
}

//! How the containers of the project are, and whether they are what the files say.
//!
//! In the init role a container's past is only a note: after a crash Compose keeps the old
//! container, and the next `up` must be able to start it.

pub mod differences;
pub mod gpu;
pub mod image;
pub mod inside;
pub mod left_over;
pub mod reported;
pub mod secrets;
pub mod strangers;
pub mod unseen;

use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::options::{Role, Task};
use crate::plan::lanes::Lane;
use crate::project::docker::{Container, Observation};

/// One service's container has crashed, is sick or is not there.
pub static CHECK: Check = Check {
    rules: &[&MISSING, &NOT_STARTED, &KILLED_FOR_MEMORY, &RESTARTING, &EXITED, &PAUSED, &UNHEALTHY],
    run: Run::Container(run),
};

static MISSING: Rule = Rule::error(
    "container-missing",
    ExitCode::Unhealthy,
    include_str!("container/rules/container-missing.md"),
);

static NOT_STARTED: Rule = Rule::error(
    "container-not-started",
    ExitCode::Unhealthy,
    include_str!("container/rules/container-not-started.md"),
);

static KILLED_FOR_MEMORY: Rule = Rule::error(
    "container-killed-for-memory",
    ExitCode::Unhealthy,
    include_str!("container/rules/container-killed-for-memory.md"),
);

static RESTARTING: Rule = Rule::error(
    "container-restarting",
    ExitCode::Unhealthy,
    include_str!("container/rules/container-restarting.md"),
);

static EXITED: Rule = Rule::error(
    "container-exited",
    ExitCode::Unhealthy,
    include_str!("container/rules/container-exited.md"),
);

static PAUSED: Rule = Rule::error(
    "container-paused",
    ExitCode::Unhealthy,
    include_str!("container/rules/container-paused.md"),
);

static UNHEALTHY: Rule = Rule::error(
    "container-unhealthy",
    ExitCode::Unhealthy,
    include_str!("container/rules/container-unhealthy.md"),
);

/// How many lines of a log go with a finding.
const LAST_LINES: usize = 5;

fn run(facts: &ProjectFacts<'_>, observation: &Observation, findings: &mut Findings) {
    let mut absent = Vec::new();
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        for service in &lane.services {
            let is_there = observation.container(&facts.project.name, service).is_some();
            // Then that is said, and is the reason.
            let has_no_image =
                facts.project.service(service).is_some_and(|it| image::is_missing(observation, it));
            if !is_there && !has_no_image && !absent.contains(service) && wants_containers(facts) {
                say(facts, service, &missing(service), findings);
                absent.push(service.clone());
            }
        }
    }
    for container in &observation.siblings {
        let Some(service) = container.service.as_deref() else { continue };
        if let Some(finding) = trouble(facts, service, container) {
            let finding = with_last_lines(finding, observation, container);
            say(facts, service, &finding, findings);
        }
    }
}

/// Whether there have to be containers: by hand, a stack that is not up is nothing special.
fn wants_containers(facts: &ProjectFacts<'_>) -> bool {
    facts.role == Role::Init || judges_containers(facts)
}

/// Whether this run was asked how the containers are.
fn judges_containers(facts: &ProjectFacts<'_>) -> bool {
    match facts.task {
        Task::Inspect | Task::Smoke => facts.role == Role::Hand,
        Task::Check
        | Task::Plan
        | Task::Config
        | Task::Fetch
        | Task::Verify
        | Task::Fit
        | Task::Exec
        | Task::Lock
        | Task::Init
        | Task::Doctor => false,
    }
}

fn missing(service: &str) -> Finding {
    Finding::new(
        &MISSING,
        format!("`{service}` has no container"),
        format!("create it with `docker compose up -d {service}`"),
    )
}

/// The one thing to say about a container: a cause is named before its effects.
fn trouble(facts: &ProjectFacts<'_>, service: &str, container: &Container) -> Option<Finding> {
    let state = &container.state;
    let status = state.status.as_str();
    let ended = matches!(status, "exited" | "dead");
    let finding = if state.oom_killed {
        killed_for_memory(service)
    } else if status == "restarting"
        || (state.restart_count > 0 && status == "running" && !is_healthy(container))
    {
        restarting(service, container)
    } else if ended && (state.exit_code != 0 || must_run(facts, service)) {
        exited(service, container)
    } else if status == "created" && (!state.error.is_empty() || must_run(facts, service)) {
        not_started(service, container)
    } else if status == "paused" {
        paused(service)
    } else if state.health.as_ref().is_some_and(|health| health.status == "unhealthy") && !ended {
        unhealthy(service, container)
    } else {
        return None;
    };
    let finding = finding.with("container", &container.name).with("status", status);
    let finding = if ended { finding.with("exit code", state.exit_code) } else { finding };
    Some(match state.restart_count {
        0 => finding,
        restarts => finding.with("restarts", restarts),
    })
}

/// What the container said last: most programs say there what they died of.
fn with_last_lines(finding: Finding, observation: &Observation, container: &Container) -> Finding {
    let lines = observation.logs.get(&container.id).map_or(&[][..], Vec::as_slice);
    let last = lines.len().saturating_sub(LAST_LINES);
    lines[last..].iter().fold(finding, |finding, line| finding.with("log", line))
}

fn is_healthy(container: &Container) -> bool {
    container.state.health.as_ref().is_some_and(|health| health.status == "healthy")
}

/// Whether a service of a lane should be running now. Others may be meant to run to their end.
fn must_run(facts: &ProjectFacts<'_>, service: &str) -> bool {
    judges_containers(facts) && lanes_of(facts, service).next().is_some()
}

fn killed_for_memory(service: &str) -> Finding {
    Finding::new(
        &KILLED_FOR_MEMORY,
        format!("the kernel killed `{service}` because its memory did not suffice"),
        format!(
            "give `{service}` more memory (`deploy.resources.limits.memory`), or a smaller model or context"
        ),
    )
}

fn restarting(service: &str, container: &Container) -> Finding {
    let again = match container.state.restart_count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    Finding::new(
        &RESTARTING,
        format!("`{service}` ends again and again: Docker has restarted it {again}"),
        logs(service),
    )
}

fn exited(service: &str, container: &Container) -> Finding {
    let code = container.state.exit_code;
    let why = meaning(code).map(|why| format!(" ({why})")).unwrap_or_default();
    let message = format!("`{service}` has ended with exit code {code}{why}");
    let finding = Finding::new(&EXITED, message, logs(service));
    with_start_error(finding, container)
}

fn not_started(service: &str, container: &Container) -> Finding {
    let (message, fix) = if container.state.error.is_empty() {
        (
            format!("`{service}` was created and never started"),
            format!(
                "look at what it waits for with `docker compose ps -a`, then `docker compose up -d {service}`"
            ),
        )
    } else {
        (
            format!("Docker could not start `{service}`: {}", one_line(&container.state.error)),
            format!("remove the cause, then `docker compose up -d {service}`"),
        )
    };
    Finding::new(&NOT_STARTED, message, fix)
}

fn paused(service: &str) -> Finding {
    Finding::new(
        &PAUSED,
        format!("`{service}` is paused: it holds its memory and answers nobody"),
        format!("run `docker compose unpause {service}`"),
    )
}

fn unhealthy(service: &str, container: &Container) -> Finding {
    let message = format!("the health check of `{service}` fails");
    let finding = Finding::new(&UNHEALTHY, message, logs(service));
    let output = container.state.health.as_ref().map_or("", |health| health.last_output.as_str());
    if output.is_empty() { finding } else { finding.with("last probe", output) }
}

fn logs(service: &str) -> String {
    format!("read why with `docker compose logs --tail 50 {service}`")
}

fn with_start_error(finding: Finding, container: &Container) -> Finding {
    let error = one_line(&container.state.error);
    if error.is_empty() { finding } else { finding.with("Docker says", error) }
}

/// Errors of the runtime below Docker come with line breaks.
fn one_line(error: &str) -> String {
    error.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the exit codes mean that do not come from the program itself.
fn meaning(code: i64) -> Option<&'static str> {
    match code {
        125 => Some("Docker failed"),
        126 => Some("the command cannot be executed"),
        127 => Some("the command was not found"),
        132 => Some("SIGILL: the processor lacks an instruction that the program needs"),
        134 => Some("SIGABRT"),
        135 => Some("SIGBUS: often too little `shm_size`"),
        137 => Some("SIGKILL"),
        139 => Some("SIGSEGV"),
        143 => Some("SIGTERM: it was stopped"),
        _ => None,
    }
}

fn lanes_of<'a>(facts: &ProjectFacts<'a>, service: &str) -> impl Iterator<Item = &'a Lane> {
    let is_judged = move |lane: &&Lane| lane.skipped.is_none() && lane.is_served_by(service);
    facts.plan.lanes.iter().filter(is_judged)
}

/// Pushes a finding once for each lane that the service serves, as severe as the run and the lane
/// make it.
fn say(facts: &ProjectFacts<'_>, service: &str, finding: &Finding, findings: &mut Findings) {
    let place = facts.project.service(service).map(|service| service.name.place.clone());
    let finding = finding.clone().service(service).at(&place.unwrap_or_default());
    if !judges_containers(facts) {
        findings.push(finding.severity(Severity::Note));
        return;
    }
    let mut lanes = lanes_of(facts, service).peekable();
    if lanes.peek().is_none() {
        findings.push(finding.severity(Severity::Warning));
        return;
    }
    for lane in lanes {
        let severity = if lane.required { Severity::Error } else { Severity::Warning };
        findings.push(finding.clone().lane(&lane.name).severity(severity));
    }
}

#[cfg(test)]
pub(super) mod tests;

//! What is wrong with how the engines are started and how the lanes are wired, told by the Compose
//! files alone.

mod complaints;
pub mod environment;
pub mod no_server;
pub mod quotes;
mod rules;

use crate::facts::{LaneFacts, ProjectFacts};
use crate::file_name::weights::Weights;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Severity};
use crate::path::{HostPath, ServicePath};
use crate::plan::engine::Complaint;
use crate::plan::lanes::{Lane, Plan, Problem, ProblemKind};
use crate::project::{Line, Service};
use crate::source_map::{Place, VariableSource};

/// The wiring of a lane: what the planner found contradictory.
pub static WIRING: Check = Check {
    rules: &[
        &rules::NO_MODEL_NAMED,
        &rules::LANE_PATH_AMBIGUOUS,
        &rules::LANE_PATH_DIFFERS,
        &rules::LANE_WITHOUT_PATH,
        &rules::SOURCE_NAMES_NO_FILE,
        &rules::LANE_SERVICE_UNKNOWN,
    ],
    run: Run::Mount(wiring),
};

/// What an engine refuses about its command line.
pub static COMMAND_LINE: Check = Check {
    rules: &[
        &rules::COMMAND_CUT_BY_SHELL_WORDS,
        &rules::FLAG_UNKNOWN_TO_ENGINE,
        &rules::COMMAND_LINE_REFUSED,
        &rules::STARTS_NO_SERVER,
        &rules::IMAGE_MISSPELT,
        &rules::VARIABLE_CONSUMED_BY_COMPOSE,
        &rules::QUOTES_IN_VARIABLE,
    ],
    run: Run::Mount(command_line),
};

/// What Compose takes out of a command.
pub static WORDS: Check = Check {
    rules: &[&rules::VARIABLE_CONSUMED_BY_COMPOSE, &rules::COMMAND_CUT_BY_SHELL_WORDS],
    run: Run::Project(words),
};

fn wiring(facts: &LaneFacts, findings: &mut Findings) {
    for problem in &facts.lane.problems {
        findings.push(about(wired(facts, problem), &facts.lane).at(&problem.place));
    }
    whole_repository(facts, findings);
}

/// A whole repository would be brought below the name of a single file. Only where something is to
/// be fetched: a file that is there needs no source.
fn whole_repository(facts: &LaneFacts, findings: &mut Findings) {
    let Some(source) = facts.lane.source.as_ref().filter(|_| facts.orders.may_fetch) else {
        return;
    };
    let Some(model) = facts.artifacts.first().filter(|model| !model.model.complete()) else {
        return;
    };
    let located = &model.artifact.located.value;
    let in_service = located.service_path.as_ref().map(ServicePath::as_path);
    let path = in_service.or(located.host_path.as_ref().map(HostPath::as_path));
    let Some(path) = path.filter(|path| Weights::Gguf.are_in(&path.to_string_lossy())) else {
        return;
    };
    if source.value.path.is_none() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let finding = Finding::new(
            &rules::SOURCE_NAMES_NO_FILE,
            format!("the lane opens one file, and `{}` is a whole repository", source.value),
            format!(
                "name the file in the source: `{}/{name}`, as it is called there",
                source.value
            ),
        );
        findings.push(about(finding, &facts.lane).at(&source.place));
    }
}

fn wired(facts: &LaneFacts, problem: &Problem) -> Finding {
    let lane = &facts.lane;
    match &problem.kind {
        ProblemKind::NoModelNamed { instead } => {
            let flag =
                lane.engine.map_or("--model /models/NAME", |engine| engine.command_line().model);
            let of = of_service(lane);
            let arguments = facts.orders.dialect.words().arguments;
            Finding::new(
                &rules::NO_MODEL_NAMED,
                format!("the command{of} names no model: {instead}"),
                format!(
                    "add `{flag}` to the {arguments}{of}, with the path as the container sees it"
                ),
            )
        }
        ProblemKind::PathAmbiguous { path, readings } => Finding::new(
            &rules::LANE_PATH_AMBIGUOUS,
            format!("the path `{path}` can mean more than one file: {}", readings.join(", ")),
            format!(
                "say which in `x-preflight`: under `lanes`, `{}`, set `service` to the service \
                 that opens it and `path` to the path as that service sees it",
                lane.name
            ),
        )
        .with("path", path),
        ProblemKind::EngineOpensOther { declared, opened } => Finding::new(
            &rules::LANE_PATH_DIFFERS,
            format!("the lane's path is `{declared}`, and the command opens `{opened}`"),
            format!("write the same path in both, for example `path: {opened}`"),
        ),
        ProblemKind::NoPath => Finding::new(
            &rules::LANE_WITHOUT_PATH,
            format!("nothing says where the model of lane `{}` is", lane.name),
            format!(
                "say it in `x-preflight`: under `lanes`, `{}`, set `service` and `path`, as that \
                 service sees it",
                lane.name
            ),
        ),
        ProblemKind::ServiceUnknown { service } => Finding::new(
            &rules::LANE_SERVICE_UNKNOWN,
            format!("the lane names the service `{service}`, which the project does not have"),
            facts.orders.dialect.words().name_service,
        ),
    }
}

fn command_line(facts: &LaneFacts, findings: &mut Findings) {
    let lane = &facts.lane;
    let Some(invocation) = lane.start() else { return };
    for complaint in &invocation.complaints {
        let finding = complaints::told(facts, invocation, complaint);
        findings.push(about(finding, lane));
    }
}

/// Names the lane and its service.
fn about(finding: Finding, lane: &Lane) -> Finding {
    let finding = finding.lane(lane.name.as_str());
    match lane.services.first() {
        Some(service) => finding.service(service.as_str()),
        None => finding,
    }
}

fn of_service(lane: &Lane) -> String {
    lane.services.first().map(|service| format!(" of service `{service}`")).unwrap_or_default()
}

fn words(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for service in &facts.project.services {
        consumed(facts.plan, service, findings);
        cut(facts.plan, service, findings);
    }
}

/// Whether it is told elsewhere that the variable `name` of this place is not set: as the value that a
/// lane's engine misses, or as one that the service itself defines.
pub(super) fn tells(facts: &ProjectFacts<'_>, place: &Place, name: &str) -> bool {
    let is_consumed = |service: &Service| {
        let mut words = service.words();
        words.any(|word| {
            place.holds(&word.place) && overlooked(service, &word.place, "nothing").contains(&name)
        })
    };
    tells_unset(facts.plan, place, name) || facts.project.services.iter().any(is_consumed)
}

/// Whether a lane is told that the variable `name` of this place is not set.
fn tells_unset(plan: &Plan, place: &Place, name: &str) -> bool {
    let complaints = plan
        .lanes
        .iter()
        .filter_map(Lane::start)
        .flat_map(|it| it.complaints.iter().map(move |one| (it, one)));
    let mut here = complaints.filter(|(_, complaint)| place.holds(&complaint.place));
    here.any(|(invocation, complaint)| {
        complaints::lost_to(invocation, complaint).iter().any(|unset| unset.name == name)
    })
}

/// Command lines that Compose takes the first command of, where that is not what keeps a lane down.
fn cut(plan: &Plan, service: &Service, findings: &mut Findings) {
    let is_told = |place: &Place| {
        let starts = plan.lanes.iter().filter_map(Lane::start);
        let mut complaints = starts.flat_map(|invocation| &invocation.complaints);
        complaints.any(|complaint| {
            matches!(complaint.value, Complaint::CommandCut { .. }) && place.holds(&complaint.place)
        })
    };
    for Line { key, text, cut_at } in &service.lines {
        let Some(at) = cut_at.as_ref().filter(|_| !is_told(&text.place)) else { continue };
        let name = &service.name.value;
        let message = format!(
            "Compose ends the `{key}` of service `{name}` at its first `{at}` outside quotes, and \
             nothing runs what stands behind it"
        );
        let fix = format!("remove `{at}` and what follows, or have a shell run it: `sh -c '...'`");
        let finding = Finding::new(&rules::COMMAND_CUT_BY_SHELL_WORDS, message, fix);
        let finding = finding.severity(Severity::Warning);
        findings.push(finding.service(name.as_str()).at(&text.place));
    }
}

/// Every variable that the service defines and of which Compose has taken no notice in its words:
/// one finding for each text.
fn consumed(plan: &Plan, service: &Service, findings: &mut Findings) {
    let mut told: Vec<(&Place, &str)> = Vec::new();
    for word in service.words() {
        for becomes in ["nothing", "its default"] {
            let mut names = overlooked(service, &word.place, becomes);
            names.retain(|name| !tells_unset(plan, &word.place, name));
            if names.is_empty() || told.contains(&(&word.place, becomes)) {
                continue;
            }
            told.push((&word.place, becomes));
            findings.push(consumed_finding(service, &word.place, &names, becomes));
        }
    }
}

/// The variables at `place` that the service defines and that have become `nothing` or `its default`.
fn overlooked<'a>(service: &Service, place: &'a Place, becomes: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for variable in &place.variables {
        let name = variable.name.as_str();
        let value = service.variable(name).filter(|value| !value.is_empty());
        let is_overlooked = value.is_some_and(|value| match variable.set_by {
            VariableSource::Unset => becomes == "nothing",
            VariableSource::Default => becomes == "its default" && !says(service, place, value),
            VariableSource::Environment | VariableSource::EnvFile(_) | VariableSource::Compose => {
                false
            }
        });
        if is_overlooked && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn consumed_finding(service: &Service, place: &Place, names: &[&str], becomes: &str) -> Finding {
    let own = &service.name.value;
    let listed =
        |written: fn(&&str) -> String| names.iter().map(written).collect::<Vec<_>>().join(", ");
    let message = format!(
        "Compose expands {} in the command of service `{own}` to {becomes}, before the service's \
         own environment exists",
        listed(|name| format!("`${{{name}}}`"))
    );
    let fix = format!(
        "write {} if a shell in the container is to expand it, or set {} in `.env` so that Compose \
         can",
        listed(|name| format!("`$${{{name}}}`")),
        listed(|name| format!("`{name}`"))
    );
    let finding = Finding::new(&rules::VARIABLE_CONSUMED_BY_COMPOSE, message, fix);
    let mut place = place.clone();
    place.variables.retain(|variable| names.contains(&variable.name.as_str()));
    let finding = finding.service(own.as_str()).at(&place);
    let set = names.iter().filter_map(|name| Some((name, service.environment.get(*name)?)));
    set.fold(finding, |finding, (name, value)| {
        finding.also(&value.place, format!("`{name}` is set here"))
    })
}

/// Whether what is written at `place` of a service's command line has become words with `value` in
/// one of them.
fn says(service: &Service, place: &Place, value: &str) -> bool {
    let mut words = service.words();
    words.any(|word| word.place == *place && word.value.contains(value))
}

#[cfg(test)]
mod tests;

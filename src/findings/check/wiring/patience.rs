//! Whether a health check leaves an engine the time to load its model.

use std::time::Duration;

use super::{health, wiring};
use crate::amount::size;
use crate::exit_code::ExitCode;
use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::ImageHealth;
use crate::plan::wiring::Listener;
use crate::project::{HealthTiming, Service};
use crate::source_map::Place;

/// Health checks of engines that load for long.
pub static CHECK: Check = Check { rules: &[&IMPATIENT], run: Run::Together(run) };

pub(in crate::findings::check) static IMPATIENT: Rule = Rule::warning(
    "health-check-impatient",
    ExitCode::Lane,
    include_str!("rules/health-check-impatient.md"),
);

/// Bytes of a second: more than most disks and networks give for long.
pub(in crate::findings::check) const RATE: u64 = 1_000_000_000;

/// The label by which the containers are known that `willfarrell/autoheal` restarts.
const RESTARTED: (&str, &str) = ("autoheal", "true");

fn run(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    for lane in lanes.iter().filter(|lane| lane.lane.skipped.is_none()) {
        if let Some(finding) = judge(facts, lane) {
            findings.push(finding);
        }
    }
}

fn judge(facts: &ProjectFacts<'_>, lane: &LaneFacts) -> Option<Finding> {
    let service = facts.project.service(lane.lane.services.first()?)?;
    let name = &service.name.value;
    let listener = wiring(facts).listener(name).filter(|listener| listener.is_all)?;
    let place = fails_while_loading(facts, listener, service)?;
    let bytes = lane.artifacts.iter().map(|it| it.model.size()).fold(0, u64::saturating_add);
    let reading = Duration::from_secs(bytes / RATE);
    let patience = HealthTiming::of_document(&facts.project.document, name).patience();
    if reading <= patience {
        return None;
    }
    let (what, at) = what_comes_of_it(facts, service)?;
    let message = format!(
        "the health check of service `{name}` gives up after {} s, and reading the {} of its model \
         alone takes {} s at 1 GB a second, {what}",
        patience.as_secs(),
        size(bytes),
        reading.as_secs()
    );
    let minutes = reading.as_secs().saturating_mul(2).div_ceil(60);
    let fix = format!("give the `healthcheck` of `{name}` the time: `start_period: {minutes}m`");
    let finding = Finding::new(&IMPATIENT, message, fix).lane(&lane.lane.name).service(name);
    Some(finding.at(place).also(at, "what depends on it"))
}

/// The place of a check that is known to fail until the engine serves.
fn fails_while_loading<'a>(
    facts: &ProjectFacts<'_>,
    listener: &'a Listener,
    service: &'a Service,
) -> Option<&'a Place> {
    let asks_it = |asked: u16| asked == listener.port;
    if let Some(test) = health::own_check(service) {
        let words = test.value.join(" ");
        let is_asked = health::asked(&words).is_some_and(asks_it);
        return (is_asked && is_strict(&words)).then_some(&test.place);
    }
    let ImageHealth::Asks(asked) = listener.engine.http().image_health else { return None };
    let is_run = asks_it(asked) && !health::is_off(facts, service);
    is_run.then_some(&service.name.place)
}

/// Whether a check that is not answered, or with an error, has failed.
pub(in crate::findings::check) fn is_strict(words: &str) -> bool {
    let mut split = words.split_whitespace();
    let is_forgiven = ["|| true", "|| exit 0", "|| :"].iter().any(|end| words.contains(end));
    let is_curl = split.clone().any(|word| word.rsplit('/').next() == Some("curl"));
    let fails = split.any(|word| {
        let is_short = word.starts_with('-') && !word.starts_with("--");
        word.starts_with("--fail") || is_short && word.contains('f')
    });
    !is_forgiven && (!is_curl || fails)
}

/// Who is kept from starting, or what is started again; absent: nothing hangs on it.
fn what_comes_of_it<'a>(
    facts: &ProjectFacts<'a>,
    service: &'a Service,
) -> Option<(String, &'a Place)> {
    let name = &service.name.value;
    let mut waiting = health::waiting(facts, name).filter(|(_, edge)| edge.required);
    if let Some((other, edge)) = waiting.next() {
        let what =
            format!("so `docker compose up` may end before `{}` is started", other.name.value);
        return Some((what, &edge.place));
    }
    let (label, value) = RESTARTED;
    let label = service.labels.get(label).filter(|said| said.value == value)?;
    Some(("so it may be restarted for ever while it loads".to_owned(), &label.place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_strict_where_an_error_of_the_server_is_one_of_its_own() {
        let check = |words: &str, expected: bool| assert_eq!(is_strict(words), expected, "{words}");
        check("CMD curl -f http://localhost:8000/health", true);
        check("CMD-SHELL curl -sSf http://localhost:8000/health || exit 1", true);
        check("CMD-SHELL /usr/bin/curl --fail-with-body http://localhost:8000", true);
        check("CMD curl http://localhost:8000/health", false);
        check("CMD-SHELL curl -f http://localhost:8000/health || true", false);
        check("CMD wget -q --spider http://localhost:8000/health", true);
    }
}

//! Whether a health check can ever say that an engine is well, and whether there is one.

use super::{about, is_loopback, wiring, with_port};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::ImageHealth;
use crate::plan::wiring::{Listener, Target};
use crate::project::{Dependency, HEALTHY, Service};
use crate::source_map::Spanned;

/// Health checks of engines.
pub static CHECK: Check =
    Check { rules: &[&HEALTH_ASKS_NOBODY, &HEALTH_MISSING], run: Run::Project(run) };

pub(in crate::findings::check) static HEALTH_ASKS_NOBODY: Rule = Rule::error(
    "health-check-asks-nobody",
    ExitCode::Lane,
    include_str!("rules/health-check-asks-nobody.md"),
);

static HEALTH_MISSING: Rule = Rule::error(
    "health-check-missing",
    ExitCode::Lane,
    include_str!("rules/health-check-missing.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for listener in &wiring(facts).listeners {
        let Some(service) = facts.project.service(&listener.service) else { continue };
        let found = match own_check(service) {
            Some(test) => asks_nobody(facts, listener, test),
            None if is_off(facts, service) => missing(facts, listener, service),
            None => {
                of_image(facts, listener, service).or_else(|| missing(facts, listener, service))
            }
        };
        if let Some(finding) = found {
            findings.push(about(finding, facts, listener));
        }
    }
    let is_other = |service: &&Service| wiring(facts).listener(&service.name.value).is_none();
    for service in facts.project.services.iter().filter(is_other) {
        if let Some(finding) = taken_away(facts, service) {
            findings.push(finding);
        }
    }
}

/// The test that the file says for a service; absent: the image's own counts, if there is one.
pub(super) fn own_check(service: &Service) -> Option<&Spanned<Vec<String>>> {
    let is_none = |test: &&Spanned<Vec<String>>| test.value.first().is_some_and(|it| it == "NONE");
    service.health_check.as_ref().filter(|test| !is_none(test) && !test.value.is_empty())
}

/// Whether the file takes the image's own check away.
pub(super) fn is_off(facts: &ProjectFacts<'_>, service: &Service) -> bool {
    let check = &facts.project.document["services"][&service.name.value]["healthcheck"];
    check["disable"] == true || check["test"][0] == "NONE"
}

/// Who waits until a service is healthy.
pub(super) fn waiting<'a>(
    facts: &ProjectFacts<'a>,
    service: &str,
) -> impl Iterator<Item = (&'a Service, &'a Dependency)> {
    let services = facts.project.services.iter();
    let all = services.flat_map(|other| other.depends_on.iter().map(move |edge| (other, edge)));
    let service = service.to_owned();
    all.filter(move |(_, edge)| edge.service == service && edge.condition == HEALTHY)
}

/// A check that asks a port of its own container on which nobody listens.
fn asks_nobody(
    facts: &ProjectFacts<'_>,
    listener: &Listener,
    test: &Spanned<Vec<String>>,
) -> Option<Finding> {
    let asked = asked(&test.value.join(" "))?;
    if !listener.is_all || asked == listener.port {
        return None;
    }
    let what = format!("the health check of service `{}`", listener.service);
    let fix = format!("ask port {} there", listener.port);
    let finding = nobody(facts, listener, asked, (&what, fix)).at(&test.place);
    Some(with_port(finding, listener))
}

/// The port of its own container that a check asks; absent: it asks none, or several.
pub(in crate::findings::check) fn asked(words: &str) -> Option<u16> {
    let is_own = |target: &Target| is_loopback(&target.host);
    let targets: Vec<Target> = Target::all_in(words).into_iter().filter(is_own).collect();
    let first = targets.first()?.port;
    targets.iter().all(|target| target.port == first).then_some(first)
}

/// The image's own check, which asks the engine's own port.
fn of_image(facts: &ProjectFacts<'_>, listener: &Listener, service: &Service) -> Option<Finding> {
    let ImageHealth::Asks(asked) = listener.engine.http().image_health else { return None };
    if !listener.is_all || asked == listener.port {
        return None;
    }
    let what = format!("the health check in the image of service `{}`", listener.service);
    let fix = format!(
        "give `{}` a `healthcheck` that asks port {}, or leave the engine at {asked}",
        service.name.value, listener.port
    );
    Some(nobody(facts, listener, asked, (&what, fix)).at(&listener.port_place))
}

fn nobody(
    facts: &ProjectFacts<'_>,
    listener: &Listener,
    asked: u16,
    (what, fix): (&str, String),
) -> Finding {
    let engine = listener.engine.name();
    let port = listener.port;
    let who = waiting(facts, &listener.service).next();
    let end = match &who {
        Some((other, _)) => format!("so `{}` waits for it in vain", other.name.value),
        None => "so it is never healthy".to_owned(),
    };
    let message = format!("{what} asks port {asked}, and {engine} listens on {port}, {end}");
    let severity = if who.is_some() { Severity::Error } else { Severity::Warning };
    let finding = Finding::new(&HEALTH_ASKS_NOBODY, message, fix).severity(severity);
    match who {
        Some((_, edge)) => finding.also(&edge.place, "waits until it is healthy"),
        None => finding,
    }
}

/// Somebody waits until an engine's service is healthy that has no check: Compose refuses that.
fn missing(facts: &ProjectFacts<'_>, listener: &Listener, service: &Service) -> Option<Finding> {
    let has_none = is_off(facts, service)
        || (listener.is_all && listener.engine.http().image_health == ImageHealth::None);
    let asks = format!("that asks `http://localhost:{}/health`", listener.port);
    waited_for_in_vain(facts, service, &asks).filter(|_| has_none)
}

/// The same of any other service, where the file takes the image's own check away.
fn taken_away(facts: &ProjectFacts<'_>, service: &Service) -> Option<Finding> {
    let finding = waited_for_in_vain(facts, service, "of its own")?;
    is_off(facts, service).then(|| finding.service(&service.name.value))
}

fn waited_for_in_vain(facts: &ProjectFacts<'_>, service: &Service, check: &str) -> Option<Finding> {
    let name = &service.name.value;
    let (other, edge) = waiting(facts, name).next()?;
    let message = format!(
        "service `{}` waits until `{name}` is healthy, and neither the file nor the image has a \
         health check for it",
        other.name.value
    );
    let fix = format!("give `{name}` a `healthcheck` {check}, or wait for `service_started`");
    let severity = if edge.required { Severity::Error } else { Severity::Warning };
    let finding = Finding::new(&HEALTH_MISSING, message, fix).severity(severity);
    Some(finding.at(&edge.place).with("condition", HEALTHY))
}

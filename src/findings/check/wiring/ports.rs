//! Whether what is published leads to the engine.

use std::collections::HashMap;

use super::doors;
use super::{about, is_loopback, is_started, overlap, publishes, wiring, with_port};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::options::Role;
use crate::plan::wiring::{Leads, Listener, Wiring};
use crate::project::{Port, Project, Service, Words};

/// Ports of engines, and those of the host.
pub static CHECK: Check =
    Check { rules: &[&LISTENS_TO_ITSELF, &PORT_UNUSED, &PORT_TAKEN_TWICE], run: Run::Project(run) };

static LISTENS_TO_ITSELF: Rule = Rule::error(
    "engine-listens-to-itself",
    ExitCode::Lane,
    include_str!("rules/engine-listens-to-itself.md"),
);

pub(super) static PORT_UNUSED: Rule = Rule::warning(
    "published-port-unused",
    ExitCode::Lane,
    include_str!("rules/published-port-unused.md"),
);

static PORT_TAKEN_TWICE: Rule =
    Rule::error("port-taken-twice", ExitCode::Lane, include_str!("rules/port-taken-twice.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for listener in &wiring(facts).listeners {
        let Some(service) = facts.project.service(&listener.service) else { continue };
        let found = to_itself(facts, listener, service)
            .or_else(|| unused(wiring(facts), listener, service))
            .or_else(|| doors::unused(facts, listener));
        if let Some(finding) = found {
            findings.push(about(finding, facts, listener));
        }
    }
    taken_twice(facts, findings);
}

/// An engine that only its own container reaches, though it is published or called by name.
fn to_itself(facts: &ProjectFacts<'_>, listener: &Listener, service: &Service) -> Option<Finding> {
    if !is_loopback(&listener.host.value) || listener.on_host || !listener.is_all {
        return None;
    }
    let port = publishes(service, listener.port);
    let leads_here =
        |leads: &Leads| matches!(leads, Leads::Service { name, .. } if *name == listener.service);
    let mut connections = wiring(facts).connections.iter();
    let client = connections.find(|connection| {
        leads_here(&connection.leads) && connection.target.port == listener.port
    });
    let door = doors::to_its_port(facts.project, listener);
    let who = match (port, client.map(|it| &it.client), door) {
        (Some(port), _, _) => format!("publishes port {}", port.target),
        (None, Some(client), _) => format!("is called by service `{client}`"),
        (None, None, Some(door)) => format!("is behind the Service `{}`", door.name.value),
        (None, None, None) => return None,
    };
    let engine = listener.engine.name();
    let message = format!(
        "{engine} listens on {} alone, inside its own container, and service `{}` {who}",
        listener.host.value, listener.service
    );
    let finding = Finding::new(&LISTENS_TO_ITSELF, message, "write `--host 0.0.0.0`");
    let finding = match (listener.host.place.span, port) {
        (None, Some(port)) => finding.at(&port.place),
        (None, None) => finding.at(&service.name.place),
        (Some(_), _) => finding.at(&listener.host.place),
    };
    let also = port.filter(|_| listener.host.place.span.is_some());
    Some(match also {
        Some(port) => finding.also(&port.place, "what comes in here finds nobody"),
        None => finding,
    })
}

/// A port that is published, on which nobody listens, where the engine's own is not published.
fn unused(wiring: &Wiring, listener: &Listener, service: &Service) -> Option<Finding> {
    let port = service.ports.first()?;
    // What else has its addresses may be what is published.
    let mut beside = listener.housemates.iter().filter_map(|name| wiring.listener(name));
    let is_published = beside.any(|other| publishes(service, other.port).is_some());
    if !wiring.knows_all_beside(listener) || listener.on_host || is_published {
        return None;
    }
    let engine = listener.engine.name();
    let message = format!(
        "service `{}` publishes port {}, on which nobody listens: {engine} listens on {}",
        listener.service, port.target, listener.port
    );
    let outside = port.published.map(|published| format!("{published}:")).unwrap_or_default();
    let fix = format!("write `\"{outside}{}\"`, or `--port {}`", listener.port, port.target);
    let finding = Finding::new(&PORT_UNUSED, message, fix).at(&port.place);
    Some(with_port(finding, listener))
}

/// Two services, each with a port of the host that the other has as well.
type Pair<'a> = [(&'a Service, &'a Port); 2];

/// Two services that want the same port of the host.
fn taken_twice(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let mut taken: HashMap<u16, Vec<(&Service, &Port)>> = HashMap::new();
    let starts = |service: &&Service| is_started(facts, &service.name.value);
    for service in facts.project.services.iter().filter(starts) {
        for port in service.ports.iter().filter(|port| port.is_fixed) {
            let Some(number) = port.published.filter(|number| *number > 0) else { continue };
            let others = taken.entry(number).or_default();
            let meets = |(other, theirs): &&(&Service, &Port)| {
                other.name.value != service.name.value
                    && other.is_beside(service)
                    && same_address(theirs, port)
            };
            if let Some((other, theirs)) = others.iter().find(meets) {
                let pair = [(*other, *theirs), (service, port)];
                let is_either = are_alternatives(facts, pair);
                let words = facts.project.dialect.words();
                findings.push(if is_either {
                    either(pair, number)
                } else {
                    twice(pair, number, words)
                });
            }
            others.push((service, port));
        }
    }
}

/// Whether two services are written to be started one at a time: one variable says the port of both,
/// and nothing starts them together. Where preflight is a part of the `up`, both are.
fn are_alternatives(facts: &ProjectFacts<'_>, pair: Pair<'_>) -> bool {
    let [(_, one), (_, other)] = pair;
    let is_in_both = |name: &str| other.place.variables.iter().any(|it| it.name == name);
    let is_shared = one.place.variables.iter().any(|it| is_in_both(&it.name));
    let starts_both = |service: &Service| {
        let started = started_by(facts.project, service);
        pair.iter().all(|(it, _)| started.contains(&it.name.value.as_str()))
    };
    facts.role == Role::Hand && is_shared && !facts.project.services.iter().any(starts_both)
}

/// The services that are started with one of them: itself, and all that it depends on.
fn started_by<'a>(project: &'a Project, service: &'a Service) -> Vec<&'a str> {
    let mut started = vec![service.name.value.as_str()];
    let mut at = 0;
    while let Some(name) = started.get(at).copied() {
        let edges = project.service(name).into_iter().flat_map(|it| &it.depends_on);
        for edge in edges {
            if !started.contains(&edge.service.as_str()) {
                started.push(edge.service.as_str());
            }
        }
        at += 1;
    }
    started
}

fn same_address(one: &Port, other: &Port) -> bool {
    overlap(one.host_ip.as_deref().unwrap_or(""), other.host_ip.as_deref().unwrap_or(""))
}

fn twice([(one, theirs), (other, port)]: Pair<'_>, number: u16, words: &Words) -> Finding {
    let message = format!(
        "services `{}` and `{}` both publish port {number} of the host, and only one of them gets it",
        one.name.value, other.name.value
    );
    let fix = format!(
        "publish one of them at another port, such as {}",
        (words.publish_at)(number.saturating_add(1), port.target)
    );
    let finding = Finding::new(&PORT_TAKEN_TWICE, message, fix);
    finding.service(&other.name.value).at(&port.place).also(&theirs.place, "the same port")
}

fn either([(one, theirs), (other, port)]: Pair<'_>, number: u16) -> Finding {
    let (one, other) = (&one.name.value, &other.name.value);
    let message = format!(
        "services `{one}` and `{other}` publish port {number} of the host by one variable: only one of \
         them can be started"
    );
    let fix = format!("start one of them (`docker compose up {one}`), or give each a profile");
    let finding = Finding::new(&PORT_TAKEN_TWICE, message, fix).severity(Severity::Warning);
    finding.service(other).at(&port.place).also(&theirs.place, "the same port")
}

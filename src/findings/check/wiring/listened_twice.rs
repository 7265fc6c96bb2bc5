//! Whether engines that share their addresses listen on ports of their own.

use super::{about, is_started, overlap, wiring, with_port};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::wiring::Listener;
use crate::project::{Port, Service, Words};
use crate::source_map::Place;

/// Ports of addresses that several services have.
pub static CHECK: Check = Check { rules: &[&LISTENED_TWICE], run: Run::Project(run) };

static LISTENED_TWICE: Rule = Rule::error(
    "port-listened-twice",
    ExitCode::Lane,
    include_str!("rules/port-listened-twice.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let is_known = |it: &&Listener| it.is_all && is_started(facts, &it.service);
    let listeners: Vec<&Listener> = wiring(facts).listeners.iter().filter(is_known).collect();
    for (index, one) in listeners.iter().enumerate() {
        let mut earlier = listeners.iter().take(index);
        if let Some(other) =
            earlier.find(|other| meets(one, other) && are_beside(facts, one, other))
        {
            let finding = both_listen(one, other).at(place(facts, one));
            findings.push(about(finding, facts, one));
        }
        if let Some((service, port)) = published(facts, one) {
            findings.push(about(
                on_host(one, (service, port), facts.project.dialect.words()),
                facts,
                one,
            ));
        }
    }
}

/// Whether the host that two engines have the addresses of is one.
fn are_beside(facts: &ProjectFacts<'_>, one: &Listener, other: &Listener) -> bool {
    let of = |listener: &Listener| facts.project.service(&listener.service);
    of(one).zip(of(other)).is_none_or(|(one, other)| one.is_beside(other))
}

fn meets(one: &Listener, other: &Listener) -> bool {
    one.port == other.port
        && other.housemates.contains(&one.service)
        && overlap(&other.host.value, &one.host.value)
}

/// What is published at the port of an engine that has the addresses of the host.
fn published<'a>(facts: &ProjectFacts<'a>, listener: &Listener) -> Option<(&'a Service, &'a Port)> {
    let services = facts.project.services.iter().filter(|_| listener.on_host);
    let own = facts.project.service(&listener.service);
    let is_beside = |service: &&Service| own.is_none_or(|own| own.is_beside(service));
    let services = services.filter(|it| publishes(facts, &it.name.value) && is_beside(it));
    let mut ports =
        services.flat_map(|service| service.ports.iter().map(move |port| (service, port)));
    ports.find(|(_, port)| {
        let address = port.host_ip.as_deref().unwrap_or_default();
        port.is_fixed
            && port.published == Some(listener.port)
            && overlap(&listener.host.value, address)
    })
}

/// Whether the ports of a service are published: with the addresses of another none of them is.
fn publishes(facts: &ProjectFacts<'_>, name: &str) -> bool {
    let mode = facts.project.document["services"][name]["network_mode"].as_str().unwrap_or("");
    is_started(facts, name) && mode != "host" && !mode.contains(':')
}

/// Where the port of an engine is said, else its service.
fn place<'a>(facts: &ProjectFacts<'a>, listener: &'a Listener) -> &'a Place {
    let service = facts.project.service(&listener.service);
    let own = service.map(|service| &service.name.place);
    own.filter(|_| listener.port_place.span.is_none()).unwrap_or(&listener.port_place)
}

/// Some engines let others listen beside them (`SO_REUSEPORT`: vLLM 0.12.0 to 0.28.0,
/// entrypoints/openai/api_server.py `create_server_socket`): the same model may be meant then. Two whose
/// ports are one variable may be meant to be started one at a time.
fn both_listen(one: &Listener, other: &Listener) -> Finding {
    let message = format!(
        "the engines of services `{}` and `{}` have the same addresses, and both listen on port {}: \
         one of them does not start, or gets what is meant for the other",
        other.service, one.service, one.port
    );
    let fix = format!("give one of them another port: `--port {}`", one.port.saturating_add(1));
    let mut variables = one.port_place.variables.iter();
    let is_other = |name: &str| other.port_place.variables.iter().any(|it| it.name == name);
    let is_alike = one.engine == other.engine && one.names == other.names;
    let may_be_meant = is_alike || variables.any(|it| is_other(&it.name));
    let severity = if may_be_meant { Severity::Warning } else { Severity::Error };
    let finding = Finding::new(&LISTENED_TWICE, message, fix).severity(severity);
    match other.port_place.span {
        Some(_) => finding.also(&other.port_place, "the same port"),
        None => finding,
    }
}

fn on_host(listener: &Listener, (service, port): (&Service, &Port), words: &Words) -> Finding {
    let engine = listener.engine.name();
    let message = format!(
        "{engine} of service `{}` listens on port {} of the host, and service `{}` publishes the same",
        listener.service, listener.port, service.name.value
    );
    let fix = format!(
        "publish `{}` at another port, such as {}",
        service.name.value,
        (words.publish_at)(listener.port.saturating_add(1), port.target)
    );
    let finding = Finding::new(&LISTENED_TWICE, message, fix).at(&port.place);
    with_port(finding, listener)
}

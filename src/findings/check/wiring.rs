//! Who talks to whom: what clients are told to call, and where the engines listen.

pub mod calls;
mod doors;
pub mod health;
pub mod listened_twice;
pub mod names;
pub mod order;
pub mod patience;
pub mod ports;
pub mod programs;
mod through;

use super::rule::Check;
use crate::facts::ProjectFacts;
use crate::findings::Finding;
use crate::plan::lanes::Lane;
use crate::plan::wiring::{Listener, Wiring};
use crate::project::{Port, Project, Service};

/// Those that say nothing of a lane's files: who listens where, and who calls whom.
pub(super) static ELSEWHERE: [&Check; 7] = [
    &calls::CHECK,
    &ports::CHECK,
    &listened_twice::CHECK,
    &names::CHECK,
    &health::CHECK,
    &programs::CHECK,
    &order::CHECK,
];

fn wiring<'a>(facts: &ProjectFacts<'a>) -> &'a Wiring {
    &facts.plan.wiring
}

/// The lane that a service serves.
fn lane<'a>(facts: &ProjectFacts<'a>, service: &str) -> Option<&'a Lane> {
    let mut lanes = facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none());
    lanes.find(|lane| lane.is_served_by(service))
}

/// Names the lane that a listener serves, and its service.
fn about(finding: Finding, facts: &ProjectFacts<'_>, listener: &Listener) -> Finding {
    let finding = finding.service(&listener.service);
    match lane(facts, &listener.service) {
        Some(lane) => finding.lane(&lane.name),
        None => finding,
    }
}

/// Points at the port that an engine listens on as well, where it is written.
fn with_port(finding: Finding, listener: &Listener) -> Finding {
    match listener.port_place.span {
        Some(_) => finding.also(&listener.port_place, "the port that it listens on"),
        None => finding,
    }
}

/// The published ports of a service; those of Docker's own choice among them.
fn published<'a>(project: &'a Project, service: &str) -> impl Iterator<Item = &'a Port> {
    project.service(service).into_iter().flat_map(|service| &service.ports)
}

/// Whether a service publishes a port of its container at an address of the host.
fn publishes(service: &Service, port: u16) -> Option<&Port> {
    service.ports.iter().find(|it| it.target == port)
}

/// Whether a service starts with the project.
fn is_started(facts: &ProjectFacts<'_>, service: &str) -> bool {
    !facts.plan.idle.contains(service) && facts.copies(service) > 0
}

/// Whether a port of the one address is one of the other; an address that is empty is every one.
fn overlap(one: &str, other: &str) -> bool {
    let is_any = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
    is_any(one) || is_any(other) || one == other || (one == "localhost" && is_loopback(other))
}

/// `127.0.0.1`, `::1`, `localhost`: where only the container itself comes to.
fn is_loopback(address: &str) -> bool {
    let address = address.trim_start_matches('[').trim_end_matches(']');
    address == "localhost" || address == "::1" || address.starts_with("127.")
}

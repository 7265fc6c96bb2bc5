//! Whether the `Service`s of Kubernetes lead to the engines behind them.

use super::calls::is_told_of_port;
use super::ports::PORT_UNUSED;
use super::{wiring, with_port};
use crate::facts::ProjectFacts;
use crate::findings::Finding;
use crate::plan::wiring::{Leads, Listener};
use crate::project::Project;
use crate::project::doors::{Door, DoorPort};

/// The doors that lead to the Pod of an engine.
fn doors_to<'a>(project: &'a Project, listener: &'a Listener) -> impl Iterator<Item = &'a Door> {
    project.doors.iter().filter(|door| door.leads_to(&listener.service))
}

/// The door that leads to the port of an engine.
pub(super) fn to_its_port<'a>(project: &'a Project, listener: &'a Listener) -> Option<&'a Door> {
    doors_to(project, listener).find(|door| door.port_to(listener.port).is_some())
}

/// A door of an engine that leads to nobody, where no other leads to an engine of its Pod. Of the first
/// engine in a Pod it is told alone.
pub(super) fn unused(facts: &ProjectFacts<'_>, listener: &Listener) -> Option<Finding> {
    let wiring = wiring(facts);
    let project = facts.project;
    let mut engines = listener.housemates.iter().filter_map(|name| wiring.listener(name));
    let is_first = engines.clone().next().is_some_and(|it| it.service == listener.service);
    let is_led_to = engines.any(|it| to_its_port(project, it).is_some());
    if !wiring.knows_all_beside(listener) || !is_first || is_led_to {
        return None;
    }
    let door = doors_to(project, listener).next()?;
    let port = door.ports.as_ref()?.first()?;
    if is_told_of_a_call(facts, door) || may_be_meant(project, door, port) {
        return None;
    }
    Some(with_port(leads_nowhere(door, port, listener), listener))
}

/// Whether a client calls there, of which it is told.
fn is_told_of_a_call(facts: &ProjectFacts<'_>, door: &Door) -> bool {
    let mut calls = wiring(facts).connections.iter();
    calls.any(|call| {
        matches!(&call.leads, Leads::Door(it) if it.door == door.name.value && it.behind == door.behind)
    })
}

/// Whether something in the Pod is told of a port, on which it may listen as well.
fn may_be_meant(project: &Project, door: &Door, port: &DoorPort) -> bool {
    let Some(port) = port.leads_to.map(|port| port.to_string()) else { return false };
    let mut behind = door.behind.iter().filter_map(|name| project.service(name));
    behind.any(|service| is_told_of_port(service, &port))
}

fn leads_nowhere(door: &Door, port: &DoorPort, listener: &Listener) -> Finding {
    let (name, engine) = (&door.name.value, listener.engine.name());
    let (leads, other) = match port.leads_to {
        Some(to) => (
            format!("port {to} of service `{}`, on which nobody listens", listener.service),
            format!(", or `--port {to}`"),
        ),
        None => (
            format!("`{}`, and no container of its Pod has a port of that name", port.target.value),
            String::new(),
        ),
    };
    let message =
        format!("the Service `{name}` leads to {leads}: {engine} listens on {}", listener.port);
    let fix = format!("write `targetPort: {}`{other}", listener.port);
    Finding::new(&PORT_UNUSED, message, fix).at(&port.target.place)
}

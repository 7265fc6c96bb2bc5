//! The probes of a container, with what Kubernetes takes where nothing is said (kubernetes 1.34
//! pkg/apis/core/v1/defaults.go, `SetDefaults_Probe`).

use std::time::Duration;

use super::{items, text};
use crate::project::compose::tree::Node;
use crate::project::probes::{Asks, Probe, Probes};

const PERIOD: u64 = 10;
const FAILURES: u32 = 3;

/// What is asked of a container.
pub(super) fn of(container: &Node) -> Probes {
    let probe = |key: &str| container.get(key).and_then(|node| probe(node, container));
    Probes {
        startup: probe("startupProbe"),
        liveness: probe("livenessProbe"),
        readiness: probe("readinessProbe"),
    }
}

/// Absent: nothing is asked, as with `{}`.
fn probe(node: &Node, container: &Node) -> Option<Probe> {
    let number = |key: &str| text(node, key)?.value.parse::<u64>().ok();
    let failures = number("failureThreshold").and_then(|it| u32::try_from(it).ok());
    Some(Probe {
        asks: asks(node, container)?,
        delay: Duration::from_secs(number("initialDelaySeconds").unwrap_or(0)),
        period: Duration::from_secs(number("periodSeconds").filter(|it| *it > 0).unwrap_or(PERIOD)),
        failures: failures.filter(|it| *it > 0).unwrap_or(FAILURES),
        place: node.place.clone(),
    })
}

fn asks(node: &Node, container: &Node) -> Option<Asks> {
    if let Some(exec) = node.get("exec") {
        let words = items(exec, "command").iter().filter_map(Node::printed);
        return Some(Asks::Program(words.collect()));
    }
    if let Some(asked) = node.get("httpGet").or_else(|| node.get("tcpSocket")) {
        let elsewhere = text(asked, "host").is_some();
        let port = port(asked, container).filter(|_| !elsewhere);
        return Some(port.map_or(Asks::Other, Asks::Port));
    }
    node.get("grpc").map(|_| Asks::Other)
}

/// A port by its number, or by what the container calls it.
fn port(asked: &Node, container: &Node) -> Option<u16> {
    let said = text(asked, "port")?.value;
    if let Ok(number) = said.parse() {
        return Some(number);
    }
    let mut ports = items(container, "ports").iter();
    let named = ports.find(|port| text(port, "name").is_some_and(|name| name.value == said))?;
    text(named, "containerPort")?.value.parse().ok()
}

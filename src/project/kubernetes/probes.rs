//! The probes of a container, with what Kubernetes takes where nothing is said (kubernetes 1.34
//! pkg/apis/core/v1/defaults.go, `SetDefaults_Probe`).

use std::time::Duration;

use super::{items, text};
use crate::project::compose::tree::Node;
use crate::project::probes::{Asks, Probe, Probes, Request};

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
    let own = |asked: &Node| port(asked, container).filter(|_| text(asked, "host").is_none());
    if let Some(asked) = node.get("httpGet") {
        let request = own(asked).map(|port| request(asked, port));
        return Some(request.map_or(Asks::Other, Asks::Http));
    }
    if let Some(asked) = node.get("tcpSocket") {
        return Some(own(asked).map_or(Asks::Other, Asks::Port));
    }
    node.get("grpc").map(|_| Asks::Other)
}

fn request(asked: &Node, port: u16) -> Request {
    let path = text(asked, "path").map_or_else(|| "/".to_owned(), |path| path.value);
    Request {
        port,
        path: path.split('?').next().unwrap_or_default().to_owned(),
        tls: text(asked, "scheme").is_some_and(|scheme| scheme.value == "HTTPS"),
        has_headers: !items(asked, "httpHeaders").is_empty(),
    }
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

//! What Compose adds where nothing is written (compose-go v2.9.1 `transform/defaults.go`,
//! `loader/environment.go`).

use super::environment::Environment;
use super::fault::Fault;
use super::tree::{Kind, Node};
use crate::source_map::Variable;

/// Sets the defaults of a merged model.
pub(super) fn set(root: &mut Node) -> Result<(), Fault> {
    let Some(services) = root.get_mut("services") else { return Ok(()) };
    for (name, entry) in services.as_mapping_mut().into_iter().flatten() {
        service(name, &mut entry.value)?;
    }
    Ok(())
}

fn service(name: &str, service: &mut Node) -> Result<(), Fault> {
    if let Some(build) = service.get_mut("build") {
        let place = build.place.clone();
        build.insert_default("context", Node::string(".", &place));
    }
    for secret in items(service.get_mut("secrets")) {
        let place = secret.place.clone();
        let source = secret.get("source").and_then(Node::as_str).unwrap_or_default();
        let target = format!("/run/secrets/{source}");
        secret.insert_default("target", Node::string(target, &place));
    }
    for port in items(service.get_mut("ports")) {
        let place = port.place.clone();
        port.insert_default("protocol", Node::string("tcp", &place));
        port.insert_default("mode", Node::string("ingress", &place));
    }
    for watch in items(service.get_mut("develop").and_then(|develop| develop.get_mut("watch"))) {
        let place = watch.place.clone();
        let nothing = [("command", Node::new(Kind::Null, place.clone()))];
        watch.insert_default("exec", Node::mapping(nothing, &place));
    }
    device_requests(&format!("services.{name}.gpus"), service.get_mut("gpus"))?;
    let reserved = service
        .get_mut("deploy")
        .and_then(|deploy| deploy.get_mut("resources"))
        .and_then(|resources| resources.get_mut("reservations"))
        .and_then(|reservations| reservations.get_mut("devices"));
    device_requests(&format!("services.{name}.deploy.resources.reservations.devices"), reserved)
}

fn device_requests(path: &str, requests: Option<&mut Node>) -> Result<(), Fault> {
    for (index, request) in items(requests).iter_mut().enumerate() {
        if request.as_mapping().is_none() {
            return Err(request.expected(&format!("{path}[{index}]"), "a mapping"));
        }
        if request.get("count").is_none() && request.get("device_ids").is_none() {
            let place = request.place.clone();
            request.insert("count", Node::string("all", &place));
        }
    }
    Ok(())
}

fn items(node: Option<&mut Node>) -> &mut [Node] {
    match node.map(|node| &mut node.kind) {
        Some(Kind::Sequence(items)) => items,
        _ => &mut [],
    }
}

/// Gives `- KEY` its value, and fills what secrets and configs take from a variable.
pub(super) fn resolve_environment(root: &mut Node, environment: &Environment) {
    let services = root.get_mut("services").and_then(Node::as_mapping_mut);
    for entry in services.into_iter().flat_map(|services| services.values_mut()) {
        for item in items(entry.value.get_mut("environment")) {
            let Some(name) = item.as_str() else { continue };
            let Some(known) = environment.get(name) else { continue };
            let text = format!("{name}={}", known.value);
            item.place.variables.push(Variable { name: name.to_owned(), set_by: known.set_by });
            item.kind = Kind::String(text);
        }
    }
    for section in ["configs", "secrets"] {
        let resources = root.get_mut(section).and_then(Node::as_mapping_mut);
        for entry in resources.into_iter().flat_map(|resources| resources.values_mut()) {
            fill_from_variable(&mut entry.value, environment);
        }
    }
}

fn fill_from_variable(resource: &mut Node, environment: &Environment) {
    let Some(source) = resource.get("environment") else { return };
    let Some(name) = source.as_str() else { return };
    let Some(known) = environment.get(name) else { return };
    let mut place = source.place.clone();
    place.variables.push(Variable { name: name.to_owned(), set_by: known.set_by });
    resource.insert("content", Node::string(known.value, &place));
}

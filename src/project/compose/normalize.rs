//! What follows from what is written: the default network, edges between services, names of
//! resources (compose-go v2.9.1 `loader/normalize.go`).

use super::environment::Environment;
use super::tree::{Entry, Kind, Mapping, Node};
use crate::path::clean;
use crate::source_map::{Place, Variable};

/// Rewrites the model of the whole project.
pub(super) fn normalize(root: &mut Node, name: &str, environment: &Environment) {
    root.insert("name", Node::string(name, &Place::nowhere()));
    default_network(root);
    let services = root.get_mut("services").and_then(Node::as_mapping_mut);
    for entry in services.into_iter().flat_map(|services| services.values_mut()) {
        service(&mut entry.value, environment);
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        let resources = root.get_mut(section).and_then(Node::as_mapping_mut);
        for (key, entry) in resources.into_iter().flatten() {
            resource_name(key, &mut entry.value, name);
        }
    }
}

fn null() -> Node {
    Node::new(Kind::Null, Place::nowhere())
}

fn default_network(root: &mut Node) {
    let mut used = false;
    let services = root.get_mut("services").and_then(Node::as_mapping_mut);
    for entry in services.into_iter().flat_map(|services| services.values_mut()) {
        let service = &mut entry.value;
        if service.get("provider").is_some() || service.get("network_mode").is_some() {
            continue;
        }
        let declared = service.get("networks").and_then(Node::as_mapping);
        if declared.is_none_or(Mapping::is_empty) {
            service.insert("networks", Node::mapping([("default", null())], &Place::nowhere()));
            used = true;
        } else if declared.is_some_and(|networks| networks.contains_key("default")) {
            used = true;
        }
    }
    if !used {
        return;
    }
    if root.get("networks").is_none_or(Node::is_null) {
        root.insert("networks", Node::mapping([], &Place::nowhere()));
    }
    if let Some(networks) = root.get_mut("networks") {
        networks.insert_default("default", null());
    }
}

fn service(service: &mut Node, environment: &Environment) {
    if service.get("pull_policy").and_then(Node::as_str) == Some("if_not_present") {
        let place = service.place.clone();
        service.insert("pull_policy", Node::string("missing", &place));
    }
    if let Some(build) = service.get_mut("build") {
        let place = build.place.clone();
        if build.get("context").is_none_or(Node::is_null) {
            build.insert("context", Node::string(".", &place));
        }
        if build.get("dockerfile").is_none() && build.get("dockerfile_inline").is_none() {
            build.insert("dockerfile", Node::string("Dockerfile", &place));
        }
        if let Some(args) = build.get_mut("args") {
            resolve(args, environment, false);
        }
    }
    if let Some(variables) = service.get_mut("environment") {
        resolve(variables, environment, true);
    }
    let mut implied = Vec::new();
    for link in names(service.get("links")) {
        let target = match link.split(':').collect::<Vec<_>>().as_slice() {
            [target, _alias] => (*target).to_owned(),
            _ => link,
        };
        implied.push((target, true));
    }
    for namespace in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let shared = service.get(namespace).and_then(Node::as_str);
        if let Some(target) = shared.and_then(|shared| shared.strip_prefix("service:")) {
            implied.push((target.to_owned(), true));
        }
    }
    if let Some(Kind::Sequence(mounts)) = service.get_mut("volumes").map(|v| &mut v.kind) {
        for mount in mounts {
            if let Some(Kind::String(target)) = mount.get_mut("target").map(|t| &mut t.kind) {
                *target = clean(target.as_ref()).to_string_lossy().into_owned();
            }
        }
    }
    for source in names(service.get("volumes_from")) {
        if !source.starts_with("container:") {
            let target = source.split(':').next().unwrap_or_default().to_owned();
            implied.push((target, false));
        }
    }
    add_edges(service, implied);
}

fn names(node: Option<&Node>) -> Vec<String> {
    let items = node.and_then(Node::as_sequence).unwrap_or_default();
    items.iter().filter_map(Node::as_str).map(str::to_owned).collect()
}

fn add_edges(service: &mut Node, implied: Vec<(String, bool)>) {
    if implied.is_empty() {
        return;
    }
    let nowhere = Place::nowhere();
    if service.get("depends_on").and_then(Node::as_mapping).is_none() {
        service.insert("depends_on", Node::mapping([], &nowhere));
    }
    let Some(edges) = service.get_mut("depends_on") else { return };
    for (target, restart) in implied {
        let mut edge = super::merge::started(&nowhere);
        edge.insert("restart", Node::bool(restart, &nowhere));
        edges.insert_default(&target, edge);
    }
}

/// Gives a variable without a value the one that the project's environment has.
fn resolve(node: &mut Node, environment: &Environment, keep_unset: bool) {
    match &mut node.kind {
        Kind::Mapping(entries) => {
            entries.retain(|name, entry| entry_resolved(name, entry, environment) || keep_unset);
        }
        Kind::Sequence(items) => {
            items.retain_mut(|item| {
                let Some(name) = item.as_str().filter(|text| !text.contains('=')) else {
                    return item.as_str().is_some();
                };
                let Some(known) = environment.get(name) else { return keep_unset };
                let variable = Variable { name: name.to_owned(), set_by: known.set_by };
                item.kind = Kind::String(format!("{name}={}", known.value));
                item.place.variables.push(variable);
                true
            });
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => {}
    }
}

fn entry_resolved(name: &str, entry: &mut Entry, environment: &Environment) -> bool {
    if !entry.value.is_null() {
        return true;
    }
    let Some(known) = environment.get(name) else { return false };
    entry.value.place = entry.key_place();
    entry.value.place.variables.push(Variable { name: name.to_owned(), set_by: known.set_by });
    entry.value.kind = Kind::String(known.value);
    true
}

fn resource_name(key: &str, resource: &mut Node, project: &str) {
    if resource.is_null() {
        resource.kind = Kind::Mapping(Mapping::default());
    }
    if resource.get("name").is_some_and(|name| !name.is_null()) {
        return;
    }
    let external = resource.get("external").and_then(Node::as_bool) == Some(true);
    let name = if external { key.to_owned() } else { format!("{project}_{key}") };
    resource.insert("name", Node::string(name, &Place::nowhere()));
}

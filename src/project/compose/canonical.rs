//! Short forms become long ones (compose-go v2.9.1 `transform/canonical.go`).

use super::fault::Fault;
use super::keys::{Unknown, UnknownKey};
use super::merge::{named, started};
use super::ports;
use super::tree::{Entry, Kind, Mapping, Node};
use super::volume;
use crate::project::Warning;
use crate::source_map::Place;

/// Rewrites every short form in a merged document.
pub(super) fn transform(
    root: &mut Node,
    warnings: &mut Vec<Warning>,
    unknown: Unknown,
) -> Result<(), Fault> {
    if let Some(name) = root.get("name").filter(|name| name.as_str().is_none()) {
        return Err(name.expected("name", "a string"));
    }
    if let Some(services) = root.get_mut("services") {
        if services.as_mapping().is_none() {
            return Err(services.expected("services", "a mapping"));
        }
        for (name, entry) in services.as_mapping_mut().into_iter().flatten() {
            service(name, &mut entry.value)?;
        }
    }
    for section in ["volumes", "networks", "secrets", "configs"] {
        let Some(resources) = root.get_mut(section) else { continue };
        if resources.as_mapping().is_none() {
            return Err(resources.expected(section, "a mapping"));
        }
        for (name, entry) in resources.as_mapping_mut().into_iter().flatten() {
            let path = format!("{section}.{name}");
            if unknown == Unknown::Refused && matches!(section, "volumes" | "networks") {
                only_name(&path, &entry.value)?;
            }
            external(&path, &mut entry.value, warnings)?;
        }
    }
    Ok(())
}

fn service(name: &str, node: &mut Node) -> Result<(), Fault> {
    let mut path = format!("services.{name}.");
    let length = path.len();
    for (key, entry) in node.as_mapping_mut().into_iter().flatten() {
        path.push_str(key);
        attribute(key, &path, entry)?;
        path.truncate(length);
    }
    Ok(())
}

fn attribute(key: &str, path: &str, entry: &mut Entry) -> Result<(), Fault> {
    let node = &mut entry.value;
    match key {
        "depends_on" => depends_on(path, node),
        "networks" | "models" => {
            let value = std::mem::replace(node, Node::new(Kind::Null, Place::nowhere()));
            *node = named(value, |place| Node::new(Kind::Null, place.clone()))?;
            Ok(())
        }
        "env_file" => env_file(path, node),
        "label_file" => {
            listed(node);
            Ok(())
        }
        "dns" => {
            listed(node);
            if let Kind::Sequence(items) = &mut node.kind {
                items.retain(|item| !item.is_null() && item.as_str() != Some(""));
            }
            Ok(())
        }
        "gpus" => gpus(path, node),
        "volumes" => each(path, node, volume_mount),
        "devices" => each(path, node, device),
        "secrets" | "configs" => each(path, node, file_mount),
        "ports" => all_ports(path, node),
        "build" => build(path, node),
        _ => Ok(()),
    }
}

fn each(
    path: &str,
    node: &mut Node,
    long: fn(&str, &mut Node) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if node.is_null() {
        return Ok(());
    }
    let Kind::Sequence(items) = &mut node.kind else { return Err(node.expected(path, "a list")) };
    for (index, item) in items.iter_mut().enumerate() {
        long(&format!("{path}[{index}]"), item)?;
    }
    Ok(())
}

fn listed(node: &mut Node) {
    if node.as_str().is_some() {
        let place = node.place.clone();
        let item = std::mem::replace(node, Node::new(Kind::Null, place));
        node.kind = Kind::Sequence(vec![item]);
    }
}

fn depends_on(path: &str, node: &mut Node) -> Result<(), Fault> {
    let value = std::mem::replace(node, Node::new(Kind::Null, Place::nowhere()));
    *node = named(value, started)?;
    let place = node.place.clone();
    let Kind::Mapping(entries) = &mut node.kind else {
        return Err(node.expected(path, "a list or a mapping"));
    };
    for (name, entry) in entries {
        if entry.value.as_mapping().is_none() {
            return Err(entry.value.expected(&format!("{path}.{name}"), "a mapping"));
        }
        entry.value.insert_default("condition", Node::string("service_started", &place));
        entry.value.insert_default("required", Node::bool(true, &place));
    }
    Ok(())
}

fn env_file(path: &str, node: &mut Node) -> Result<(), Fault> {
    if node.is_null() {
        return Err(node.expected(path, "a string or a list"));
    }
    listed(node);
    each(path, node, |path, item| {
        let place = item.place.clone();
        if item.as_str().is_some() {
            let file = std::mem::replace(item, Node::new(Kind::Null, place.clone()));
            *item = Node::mapping([("path", file)], &place);
        }
        if item.as_mapping().is_none() {
            return Err(item.expected(path, "a string or a mapping"));
        }
        item.insert_default("required", Node::bool(true, &place));
        Ok(())
    })
}

fn gpus(path: &str, node: &mut Node) -> Result<(), Fault> {
    match node.as_str() {
        Some("all") => {
            let place = node.place.clone();
            let request = Node::mapping([("count", Node::string("all", &place))], &place);
            node.kind = Kind::Sequence(vec![request]);
            Ok(())
        }
        None if node.as_sequence().is_some() => Ok(()),
        _ => Err(node.refuse(format!("`{path}` must be `all` or a list"))),
    }
}

fn volume_mount(path: &str, node: &mut Node) -> Result<(), Fault> {
    if let Some(spec) = node.as_str() {
        let place = node.place.clone();
        *node = volume::parse(spec).map_err(|fault| fault.or_at(&place))?.into_long(&place);
        return Ok(());
    }
    if node.as_mapping().is_none() {
        return Err(node.expected(path, "a string or a mapping"));
    }
    Ok(())
}

fn device(path: &str, node: &mut Node) -> Result<(), Fault> {
    let Some(spec) = node.as_str() else {
        return match node.as_mapping() {
            Some(_) => Ok(()),
            None => Err(node.expected(path, "a string or a mapping")),
        };
    };
    let parts: Vec<&str> = spec.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => return Err(node.refuse(format!("`{spec}` has too many colons for a device"))),
    };
    let target = if target.is_empty() { source } else { target };
    let place = &node.place;
    let long = Node::mapping(
        [
            ("source", Node::string(source, place)),
            ("target", Node::string(target, place)),
            ("permissions", Node::string(permissions, place)),
        ],
        place,
    );
    *node = long;
    Ok(())
}

fn file_mount(path: &str, node: &mut Node) -> Result<(), Fault> {
    if node.as_str().is_some() {
        let place = node.place.clone();
        let source = std::mem::replace(node, Node::new(Kind::Null, place.clone()));
        *node = Node::mapping([("source", source)], &place);
    }
    match node.as_mapping() {
        Some(_) => Ok(()),
        None => Err(node.expected(path, "a string or a mapping")),
    }
}

fn all_ports(path: &str, node: &mut Node) -> Result<(), Fault> {
    let Kind::Sequence(items) = &mut node.kind else { return Err(node.expected(path, "a list")) };
    let mut ports = Vec::with_capacity(items.len());
    for (index, item) in std::mem::take(items).into_iter().enumerate() {
        match &item.kind {
            Kind::Int(_) | Kind::String(_) => {
                let spec = item.printed().unwrap_or_default();
                ports.extend(ports::parse(&spec, &item.place)?);
            }
            Kind::Mapping(_) => ports.push(item),
            Kind::Null | Kind::Bool(_) | Kind::Float(_) | Kind::Time(_) | Kind::Sequence(_) => {
                let path = format!("{path}[{index}]");
                return Err(item.expected(&path, "a number, a string or a mapping"));
            }
        }
    }
    *items = ports;
    Ok(())
}

fn build(path: &str, node: &mut Node) -> Result<(), Fault> {
    if node.as_str().is_some() {
        let place = node.place.clone();
        let context = std::mem::replace(node, Node::new(Kind::Null, place.clone()));
        *node = Node::mapping([("context", context)], &place);
    }
    if node.as_mapping().is_none() {
        return Err(node.expected(path, "a string or a mapping"));
    }
    if let Some(secrets) = node.get_mut("secrets") {
        each(&format!("{path}.secrets"), secrets, file_mount)?;
    }
    if let Some(keys) = node.get_mut("ssh") {
        ssh_keys(&format!("{path}.ssh"), keys)?;
    }
    if let Some(contexts) = node.get_mut("additional_contexts") {
        assignments(&format!("{path}.additional_contexts"), contexts)?;
    }
    Ok(())
}

/// A list of `default` and `id=path` as a mapping.
fn ssh_keys(path: &str, node: &mut Node) -> Result<(), Fault> {
    let Kind::Sequence(items) = &node.kind else { return Ok(()) };
    let mut entries = Mapping::default();
    for item in items {
        let text = item.as_str().ok_or_else(|| item.expected(path, "a string"))?;
        let (id, value) = match text.split_once('=') {
            Some((id, key)) => (id, Node::string(key, &item.place)),
            None if text == "default" => (text, Node::new(Kind::Null, item.place.clone())),
            None => return Err(item.refuse(format!("the key `{text}` of `{path}` has no path"))),
        };
        entries.insert(id.to_owned(), Entry { key: item.place.span, value });
    }
    node.kind = Kind::Mapping(entries);
    Ok(())
}

/// A list of `K=V` as a mapping; every value must be a string.
fn assignments(path: &str, node: &mut Node) -> Result<(), Fault> {
    let mut entries = node.as_mapping().into_iter().flatten();
    if let Some((key, entry)) = entries.find(|(_, entry)| entry.value.as_str().is_none()) {
        return Err(entry.value.expected(&format!("{path}.{key}"), "a string"));
    }
    let Kind::Sequence(items) = &node.kind else { return Ok(()) };
    let mut entries = Mapping::default();
    for item in items {
        let Some((key, value)) = item.as_str().and_then(|text| text.split_once('=')) else {
            return Err(item.refuse(format!("an entry of `{path}` must be `key=value`")));
        };
        let entry = Entry { key: item.place.span, value: Node::string(value, &item.place) };
        entries.insert(key.to_owned(), entry);
    }
    node.kind = Kind::Mapping(entries);
    Ok(())
}

/// `external: {name: x}` is an old way to write `external: true` and `name: x`.
/// Refuses what stands beside `name` in an `external` of the old form.
fn only_name(path: &str, resource: &Node) -> Result<(), Fault> {
    let external = resource.get("external").and_then(Node::as_mapping);
    for (key, entry) in external.into_iter().flatten() {
        if key != "name" && !key.starts_with("x-") {
            let path = &format!("{path}.external");
            return Err(UnknownKey { path, key, entry }.fault(["name"].into_iter()));
        }
    }
    Ok(())
}

fn external(path: &str, node: &mut Node, warnings: &mut Vec<Warning>) -> Result<(), Fault> {
    if node.is_null() {
        return Ok(());
    }
    if node.as_mapping().is_none() {
        return Err(node.expected(path, "a mapping"));
    }
    let Some(external) = node.get("external").filter(|external| external.as_mapping().is_some())
    else {
        return Ok(());
    };
    let place = external.place.clone();
    let old = external.get("name").cloned();
    if let Some(old) = old {
        let message =
            format!("`{path}.external.name` is deprecated: set `name` and `external: true`");
        warnings.push(Warning::new(message, place.clone()));
        match node.get("name") {
            Some(name) if name.kind != old.kind => {
                return Err(old.refuse(format!("`{path}` has two different names")));
            }
            Some(_) => {}
            None => node.insert("name", old),
        }
    }
    node.insert("external", Node::bool(true, &place));
    Ok(())
}

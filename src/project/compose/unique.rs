//! Which entries of a list replace an earlier one (compose-go v2.9.1 `override/uncity.go`).

use std::collections::HashSet;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::fault::Fault;
use super::tree::{Kind, Node};
use super::volume;

/// Removes what a later entry of the same list redefines; the later one takes the earlier's place.
pub(super) fn enforce(root: &mut Node) -> Result<(), Fault> {
    walk(root, &mut Vec::new())
}

type Index = fn(&Node) -> Result<String, Fault>;

fn index_of(path: &[&str]) -> Option<Index> {
    Some(match path {
        ["networks", _, "labels"]
        | ["networks", _, "ipam", "options"]
        | [
            "services",
            _,
            "build",
            "args" | "additional_contexts" | "platform" | "tags" | "labels",
        ]
        | ["services", _, "deploy", "labels"]
        | ["services", _, "networks", _, "aliases" | "link_local_ips"]
        | [
            "services",
            _,
            "annotations" | "cap_add" | "cap_drop" | "dns" | "dns_opt" | "dns_search"
            | "environment" | "labels" | "links" | "profiles" | "sysctls" | "tmpfs",
        ] => key_of_assignment,
        ["services", _, "devices"] => device_target,
        ["services", _, "configs"] => |node| mount_target(node, ""),
        ["services", _, "secrets"] => |node| mount_target(node, "/run/secrets"),
        ["services", _, "env_file"] => env_file_path,
        ["services", _, "expose"] => exposed,
        ["services", _, "ports"] => port,
        ["services", _, "volumes"] => volume_target,
        _ => return None,
    })
}

fn walk<'t>(node: &'t mut Node, path: &mut Vec<&'t str>) -> Result<(), Fault> {
    match &mut node.kind {
        Kind::Mapping(entries) => {
            for (key, entry) in entries {
                path.push(key);
                walk(&mut entry.value, path)?;
                path.pop();
            }
        }
        Kind::Sequence(items) => {
            if let Some(index) = index_of(path) {
                let keys = items.iter().map(index).collect::<Result<Vec<_>, _>>()?;
                let distinct: HashSet<&String, RandomState> = keys.iter().collect();
                if distinct.len() < keys.len() {
                    let pairs = keys.into_iter().zip(std::mem::take(items));
                    *items = pairs.collect::<IndexMap<_, _>>().into_values().collect();
                }
            }
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => {}
    }
    Ok(())
}

fn text(node: &Node) -> Result<&str, Fault> {
    node.as_str().ok_or_else(|| {
        let fault = node.refuse(format!("an entry must be a string, not {}", node.described()));
        match node.printed() {
            Some(printed) => fault.hint(format!("quote it: `\"{printed}\"`")),
            None => fault,
        }
    })
}

fn key_of_assignment(node: &Node) -> Result<String, Fault> {
    let text = text(node)?;
    Ok(text.split_once('=').map_or(text, |(key, _)| key).to_owned())
}

fn volume_target(node: &Node) -> Result<String, Fault> {
    if node.as_mapping().is_some() {
        let target = node.get("target").and_then(Node::as_str);
        return Ok(target.ok_or_else(|| node.refuse("the mount has no `target`"))?.to_owned());
    }
    match node.as_str() {
        Some(spec) => Ok(volume::parse(spec).map_err(|fault| fault.or_at(&node.place))?.target),
        None => {
            Err(node
                .refuse(format!("a mount must be a string or a mapping, not {}", node.described())))
        }
    }
}

fn device_target(node: &Node) -> Result<String, Fault> {
    if node.as_mapping().is_some() {
        let target = node.get("target").and_then(Node::as_str);
        return Ok(target.ok_or_else(|| node.refuse("the device has no `target`"))?.to_owned());
    }
    let spec = text(node)?;
    let mut parts = spec.split(':');
    let source = parts.next().unwrap_or_default();
    Ok(parts.next().unwrap_or(source).to_owned())
}

fn exposed(node: &Node) -> Result<String, Fault> {
    node.printed().ok_or_else(|| node.refuse("an exposed port must be a number or a string"))
}

fn mount_target(node: &Node, default: &str) -> Result<String, Fault> {
    if node.as_mapping().is_some() {
        if let Some(target) = node.get("target").and_then(Node::as_str) {
            return Ok(target.to_owned());
        }
        let source = node.get("source").and_then(Node::as_str).unwrap_or_default();
        return Ok(format!("{default}/{source}"));
    }
    Ok(format!("{default}/{}", text(node)?))
}

fn port(node: &Node) -> Result<String, Fault> {
    if node.as_mapping().is_none() {
        return node
            .printed()
            .ok_or_else(|| node.refuse("a port must be a number, a string or a mapping"));
    }
    let target = node
        .get("target")
        .and_then(Node::printed)
        .ok_or_else(|| node.refuse("the port has no `target`"))?;
    // The kinds belong to the key: `80` and `"80"` are two ports to Compose.
    let published = node.get("published").map(|published| format!("{:?}", published.kind));
    let host = node.get("host_ip").and_then(Node::as_str).unwrap_or("0.0.0.0");
    let protocol = node.get("protocol").and_then(Node::as_str).unwrap_or("tcp");
    Ok(format!("{host}:{published:?}:{target}/{protocol}"))
}

fn env_file_path(node: &Node) -> Result<String, Fault> {
    if node.as_mapping().is_some() {
        let path = node.get("path").and_then(Node::as_str);
        return Ok(path.ok_or_else(|| node.refuse("the env file has no `path`"))?.to_owned());
    }
    Ok(text(node)?.to_owned())
}

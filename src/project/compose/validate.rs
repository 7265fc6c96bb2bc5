//! Rules that hold within one resource (compose-go v2.9.1 `validation/validation.go`).

use std::net::IpAddr;

use super::fault::Fault;
use super::tree::Node;

/// Refuses a merged model that breaks one of them.
pub(super) fn check(root: &Node) -> Result<(), Fault> {
    for (name, volume) in entries(root.get("volumes")) {
        external(&format!("volumes.{name}"), volume)?;
    }
    for (section, keys) in [
        ("configs", &["file", "environment", "content"][..]),
        ("secrets", &["file", "environment"]),
    ] {
        for (name, resource) in entries(root.get(section)) {
            file_object(&format!("{section}.{name}"), resource, keys)?;
        }
    }
    for (name, service) in entries(root.get("services")) {
        self::service(name, service)?;
    }
    Ok(())
}

/// The keys and values of a mapping; nothing for other kinds.
pub(super) fn entries(node: Option<&Node>) -> impl Iterator<Item = (&str, &Node)> {
    let entries = node.and_then(Node::as_mapping);
    entries
        .into_iter()
        .flat_map(|entries| entries.iter().map(|(key, entry)| (key.as_str(), &entry.value)))
}

/// The items of a list; nothing for other kinds.
pub(super) fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_sequence).unwrap_or_default()
}

fn external(path: &str, resource: &Node) -> Result<(), Fault> {
    if resource.get("external").and_then(Node::as_bool) != Some(true) {
        return Ok(());
    }
    for (key, entry) in resource.as_mapping().into_iter().flatten() {
        if !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-") {
            return Err(Fault::at(
                &entry.key_place(),
                format!("`{path}` is external: `{key}` cannot be set too"),
            ));
        }
    }
    Ok(())
}

fn file_object(path: &str, resource: &Node, keys: &[&str]) -> Result<(), Fault> {
    let written = keys.iter().filter(|key| resource.get(key).is_some()).count();
    let listed = keys.join("`, `");
    if written > 1 {
        return Err(resource.refuse(format!("`{path}` has more than one of `{listed}`")));
    }
    if written == 0 && resource.get("driver").is_none() && resource.get("external").is_none() {
        return Err(resource.refuse(format!("`{path}` needs one of `{listed}`")));
    }
    Ok(())
}

fn service(name: &str, service: &Node) -> Result<(), Fault> {
    for port in items(service.get("ports")) {
        if let Some(ip) = port.get("host_ip")
            && ip.as_str().is_none_or(|ip| ip.parse::<IpAddr>().is_err())
        {
            return Err(ip.refuse("`host_ip` is not an IP address"));
        }
    }
    for watch in items(service.get("develop").and_then(|develop| develop.get("watch"))) {
        if let Some(path) = watch.get("path").filter(|path| path.as_str() == Some("")) {
            return Err(path.refuse(format!("`services.{name}.develop.watch` has an empty `path`")));
        }
    }
    let reserved = service
        .get("deploy")
        .and_then(|deploy| deploy.get("resources"))
        .and_then(|resources| resources.get("reservations"))
        .and_then(|reservations| reservations.get("devices"));
    for requests in [service.get("gpus"), reserved] {
        for request in items(requests) {
            if request.get("count").is_some() && request.get("device_ids").is_some() {
                return Err(request.refuse(format!(
                    "a device request of `{name}` has both `count` and `device_ids`"
                )));
            }
        }
    }
    Ok(())
}

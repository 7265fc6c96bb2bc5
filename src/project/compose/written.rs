//! Rules that do not hold for a file that a service is extended from, and rules about short forms,
//! which are gone once a model is canonical (compose-go v2.9.1
//! `schema/compose-spec.json`).

use super::document::Touched;
use super::fault::Fault;
use super::tree::{Entry, Node};
use super::validate::{entries, items};

/// Compose lets any name of a network pass.
const NAMED: [&str; 4] = ["services", "volumes", "secrets", "configs"];

/// Refuses a merged model whose short forms break one of them, where the last file touched it.
pub(super) fn check(root: &Node, touched: &Touched) -> Result<(), Fault> {
    if let Some(version) = root.get("version").filter(|version| version.as_str().is_none()) {
        return Err(version.expected("version", "a string"));
    }
    for (section, name) in touched {
        let resources = root.get(section).and_then(Node::as_mapping);
        let Some(entry) = resources.and_then(|resources| resources.get(name)) else { continue };
        if NAMED.contains(&section.as_str()) {
            check_name(section, name, entry)?;
        }
        if section == "services" {
            check_service(name, &entry.value)?;
        }
    }
    Ok(())
}

fn check_service(name: &str, service: &Node) -> Result<(), Fault> {
    if service.as_mapping().is_none() {
        return Err(service.expected(&format!("services.{name}"), "a mapping"));
    }
    for key in ["depends_on", "networks", "models"] {
        different(&format!("services.{name}.{key}"), service.get(key))?;
    }
    for (target, edge) in entries(service.get("depends_on")) {
        dependency(&format!("services.{name}.depends_on.{target}"), edge)?;
    }
    for file in items(service.get("env_file")) {
        if let Some(format) = file.get("format").filter(|format| format.as_str().is_none()) {
            return Err(format.expected(&format!("services.{name}.env_file.format"), "a string"));
        }
    }
    Ok(())
}

/// `^[a-zA-Z0-9._-]+$`, the pattern of the schema.
fn check_name(section: &str, name: &str, entry: &Entry) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.is_empty() && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Fault::at(&entry.key_place(), format!("`{name}` cannot be a name in `{section}`"))
        .hint("use letters, digits, `.`, `_` and `-`"))
}

fn different(path: &str, list: Option<&Node>) -> Result<(), Fault> {
    let items = items(list);
    for (index, item) in items.iter().enumerate() {
        if items.iter().take(index).any(|earlier| earlier.kind == item.kind) {
            let text = item.printed().unwrap_or_default();
            return Err(item.refuse(format!("`{path}` lists `{text}` twice")));
        }
    }
    Ok(())
}

fn dependency(path: &str, edge: &Node) -> Result<(), Fault> {
    if edge.as_mapping().is_some() && edge.get("condition").is_none() {
        return Err(edge
            .refuse(format!("`{path}` needs `condition`"))
            .hint("write `condition: service_started`"));
    }
    // Compose does not take words for a boolean here.
    if let Some(required) = edge.get("required").filter(|node| node.as_bool().is_none()) {
        return Err(required.expected(&format!("{path}.required"), "a boolean"));
    }
    Ok(())
}

//! Rules between the parts of a project (compose-go v2.9.1 `loader/validate.go`). They look at the
//! services that the profiles enable.

use std::collections::{HashMap, HashSet};

use super::fault::Fault;
use super::order;
use super::tree::{Node, Services};
use super::validate::{entries, items};
use crate::suggest;

/// Refuses a normalised project that breaks one of them.
pub(super) fn check(
    root: &Node,
    enabled: &Services<'_>,
    disabled: &Services<'_>,
) -> Result<(), Fault> {
    let project = Project { root, enabled, disabled };
    for (name, entry) in enabled {
        let service = &entry.value;
        if ["image", "build", "provider"].iter().all(|key| is_empty(service.get(key))) {
            let written = service.get("image").filter(|image| !image.place.variables.is_empty());
            return Err(Fault::at(
                &written.map_or_else(|| entry.key_place(), |image| image.place.clone()),
                format!("service \"{name}\" has neither an image nor a build context"),
            )
            .hint("add `image:`"));
        }
        project.networks(name, service)?;
        project.dependencies(name, service)?;
        project.references(name, service)?;
        healthcheck(service)?;
        project.build(name, service)?;
        watched(name, service)?;
        replicas(name, service)?;
        limits(name, service)?;
        mount_targets(name, service)?;
    }
    for (name, secret) in entries(root.get("secrets")) {
        let external = secret.get("external").and_then(Node::as_bool) == Some(true);
        if !external && is_empty(secret.get("file")) && is_empty(secret.get("environment")) {
            return Err(secret.refuse(format!("secret \"{name}\" needs `file` or `environment`")));
        }
    }
    circles(enabled)?;
    container_names(enabled)
}

fn container_names(enabled: &Services<'_>) -> Result<(), Fault> {
    let mut owners = HashMap::new();
    for (name, entry) in enabled {
        let Some(node) = entry.value.get("container_name").filter(|node| !is_empty(Some(node)))
        else {
            continue;
        };
        let container = node.as_str().unwrap_or_default();
        if let Some(owner) = owners.insert(container, name) {
            return Err(node.refuse(format!(
                "service \"{name}\" has the `container_name` of service \"{owner}\""
            )));
        }
    }
    Ok(())
}

fn is_empty(node: Option<&Node>) -> bool {
    node.is_none_or(|node| node.is_null() || node.as_str() == Some(""))
}

struct Project<'a> {
    root: &'a Node,
    enabled: &'a Services<'a>,
    disabled: &'a Services<'a>,
}

impl Project<'_> {
    fn defines(&self, section: &str, name: &str) -> bool {
        self.root.get(section).is_some_and(|resources| resources.get(name).is_some())
    }

    /// The refusal of a name that nothing in the section has: advice is the name that is meant, or else
    /// `otherwise`.
    fn undefined(&self, fault: Fault, section: &str, name: &str, otherwise: String) -> Fault {
        let known = entries(self.root.get(section)).map(|(known, _)| known);
        fault.hint(meant(name, known).unwrap_or(otherwise))
    }

    fn networks(&self, name: &str, service: &Node) -> Result<(), Fault> {
        let mode = service.get("network_mode").filter(|mode| !is_empty(Some(mode)));
        for (network, node) in entries(service.get("networks")) {
            if let Some(mode) = mode {
                return Err(mode.refuse(format!(
                    "service \"{name}\" declares both `network_mode` and `networks`"
                )));
            }
            if !self.defines("networks", network) {
                let message = format!("service \"{name}\" refers to undefined network {network}");
                let otherwise = "declare it below `networks:`".to_owned();
                return Err(self.undefined(node.refuse(message), "networks", network, otherwise));
            }
        }
        if let Some(mode) = mode
            && let Some(target) = mode.as_str().and_then(|mode| mode.strip_prefix("service:"))
            && !self.enabled.contains_key(target)
        {
            return Err(mode.refuse(format!("service \"{target}\" is not defined")));
        }
        Ok(())
    }

    fn dependencies(&self, name: &str, service: &Node) -> Result<(), Fault> {
        let edges = service.get("depends_on").and_then(Node::as_mapping);
        for (target, entry) in edges.into_iter().flatten() {
            if self.enabled.contains_key(target.as_str()) {
                continue;
            }
            let optional = entry.value.get("required").and_then(Node::as_bool) == Some(false);
            let disabled = self.disabled.contains_key(target.as_str());
            if disabled && optional {
                continue;
            }
            let place = entry.key_place();
            let place = if place.span.is_some() { place } else { service.place.clone() };
            let fault = Fault::at(
                &place,
                format!("service \"{name}\" depends on undefined service \"{target}\""),
            );
            let hint = if disabled {
                Some(format!("`{target}` is disabled by its profiles: enable one with `--profile`"))
            } else {
                meant(target, self.enabled.keys().copied())
            };
            return Err(hint.into_iter().fold(fault, Fault::hint));
        }
        Ok(())
    }

    fn build(&self, name: &str, service: &Node) -> Result<(), Fault> {
        let Some(build) = service.get("build") else { return Ok(()) };
        if let Some(inline) = build.get("dockerfile_inline").filter(|node| !is_empty(Some(node)))
            && !is_empty(build.get("dockerfile"))
        {
            return Err(inline.refuse(format!(
                "service \"{name}\" declares both `dockerfile` and `dockerfile_inline`"
            )));
        }
        for (context, node) in entries(build.get("additional_contexts")) {
            let target = node.as_str().and_then(|text| text.strip_prefix("service:"));
            let Some(target) = target else { continue };
            let other = self.enabled.get(target).map(|entry| &entry.value);
            if other.is_none_or(|other| other.get("build").is_none()) {
                return Err(node.refuse(format!(
                    "service \"{name}\" takes the context `{context}` from service \"{target}\", \
                     which is not built"
                )));
            }
        }
        let platforms = items(build.get("platforms"));
        let own = service.get("platform").filter(|platform| !is_empty(Some(platform)));
        if let Some(own) = own
            && !platforms.is_empty()
            && !platforms.iter().any(|platform| platform.kind == own.kind)
        {
            return Err(own.refuse(format!(
                "`platform` of service \"{name}\" is not among its `build.platforms`"
            )));
        }
        Ok(())
    }

    fn references(&self, name: &str, service: &Node) -> Result<(), Fault> {
        for mount in items(service.get("volumes")) {
            let Some(source) = mount.get("source").filter(|source| !is_empty(Some(source))) else {
                continue;
            };
            let volume = source.as_str().unwrap_or_default();
            let is_volume = mount.get("type").and_then(Node::as_str) == Some("volume");
            if is_volume && !self.defines("volumes", volume) {
                let message = format!("service \"{name}\" refers to undefined volume {volume}");
                let otherwise = format!(
                    "declare it below `volumes:`, or write `./{volume}` if a folder is meant"
                );
                return Err(self.undefined(source.refuse(message), "volumes", volume, otherwise));
            }
        }
        let built = service.get("build").and_then(|build| build.get("secrets"));
        for (section, kind, mounts) in [
            ("configs", "config", service.get("configs")),
            ("secrets", "secret", service.get("secrets")),
            ("secrets", "build secret", built),
        ] {
            for mount in items(mounts) {
                let source = mount.get("source").and_then(Node::as_str).unwrap_or_default();
                if !self.defines(section, source) {
                    let message = format!("service \"{name}\" refers to undefined {kind} {source}");
                    let otherwise = format!("declare it below `{section}:`");
                    return Err(self.undefined(mount.refuse(message), section, source, otherwise));
                }
            }
        }
        for (model, node) in entries(service.get("models")) {
            if !self.defines("models", model) {
                let message = format!("service \"{name}\" refers to undefined model {model}");
                let otherwise = "declare it below `models:`".to_owned();
                return Err(self.undefined(node.refuse(message), "models", model, otherwise));
            }
        }
        Ok(())
    }
}

/// Which of the known names may be meant.
fn meant<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    suggest::question(&suggest::likely(typed, known))
}

fn watched(name: &str, service: &Node) -> Result<(), Fault> {
    for watch in items(service.get("develop").and_then(|develop| develop.get("watch"))) {
        let action = watch.get("action").and_then(Node::as_str).unwrap_or_default();
        if is_empty(watch.get("target")) && !matches!(action, "rebuild" | "restart") {
            return Err(watch
                .refuse(format!("`services.{name}.develop.watch` needs `target` for `{action}`")));
        }
    }
    Ok(())
}

fn healthcheck(service: &Node) -> Result<(), Fault> {
    let test = service.get("healthcheck").and_then(|healthcheck| healthcheck.get("test"));
    if let Some(first) = items(test).first()
        && !matches!(first.as_str(), Some("CMD" | "CMD-SHELL" | "NONE"))
    {
        return Err(first
            .refuse("the first word of `healthcheck.test` must be `CMD`, `CMD-SHELL` or `NONE`"));
    }
    Ok(())
}

fn number(node: Option<&Node>) -> Option<i128> {
    node.and_then(Node::printed).and_then(|text| text.parse().ok())
}

fn replicas(name: &str, service: &Node) -> Result<(), Fault> {
    let scale = service.get("scale");
    let replicas = service.get("deploy").and_then(|deploy| deploy.get("replicas"));
    if let (Some(left), Some(right), Some(node)) = (number(scale), number(replicas), scale)
        && left != right
    {
        return Err(node.refuse(format!(
            "service \"{name}\" has different values of `scale` and `deploy.replicas`"
        )));
    }
    let Some(node) = scale.or(replicas) else { return Ok(()) };
    let count = number(Some(node)).unwrap_or(1);
    if count < 0 {
        return Err(node.refuse("the number of replicas must not be negative"));
    }
    if count > 1 && !is_empty(service.get("container_name")) {
        return Err(node.refuse(format!(
            "service \"{name}\" has a `container_name`, so it cannot have {count} replicas"
        )));
    }
    Ok(())
}

/// The old and the new way to write a limit must agree.
fn limits(name: &str, service: &Node) -> Result<(), Fault> {
    let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
    let part = |part: &str, key: &str| resources?.get(part)?.get(key);
    let value = |node: Option<&Node>| {
        let text = node.and_then(Node::printed)?;
        super::units::bytes(&text).map(|bytes| bytes.to_string()).or(Some(text))
    };
    for (old, section, key) in [
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("mem_reservation", "reservations", "memory"),
        ("pids_limit", "limits", "pids"),
    ] {
        let Some(node) = service.get(old) else { continue };
        let here = value(Some(node));
        let declared = resources.and_then(|resources| resources.get(section)).is_some();
        if declared && here.as_deref() != Some("0") && here != value(part(section, key)) {
            return Err(node.refuse(format!(
                "service \"{name}\" has different values of `{old}` and \
                 `deploy.resources.{section}.{key}`"
            )));
        }
    }
    Ok(())
}

fn mount_targets(name: &str, service: &Node) -> Result<(), Fault> {
    let mut seen: HashMap<String, String> = HashMap::new();
    let single = service.get("tmpfs").filter(|tmpfs| tmpfs.as_str().is_some());
    let tmpfs = single.map_or_else(|| items(service.get("tmpfs")), std::slice::from_ref);
    let targets = tmpfs
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let text = node.as_str().unwrap_or_default();
            let target = text.split(':').next().unwrap_or_default();
            (format!("services.{name}.tmpfs[{index}]"), target, node)
        })
        .chain(items(service.get("volumes")).iter().enumerate().map(|(index, node)| {
            let target = node.get("target").and_then(Node::as_str).unwrap_or_default();
            (format!("services.{name}.volumes[{index}]"), target, node)
        }));
    for (path, target, node) in targets {
        if let Some(first) = seen.get(target) {
            return Err(node.refuse(format!("{path}: target {target} already mounted as {first}")));
        }
        seen.insert(target.to_owned(), path);
    }
    Ok(())
}

/// Refuses services that wait for each other.
fn circles(services: &Services<'_>) -> Result<(), Fault> {
    let waiting: Vec<_> = services
        .iter()
        .map(|(name, entry)| {
            let edges = entries(entry.value.get("depends_on")).map(|(target, _)| target);
            (*name, edges.collect())
        })
        .collect();
    let free: HashSet<&str> = order::rounds(&waiting).into_iter().flatten().collect();
    let Some((name, entry)) = services.iter().find(|(name, _)| !free.contains(*name)) else {
        return Ok(());
    };
    let place = entry
        .value
        .get("depends_on")
        .map_or_else(|| entry.key_place(), |edges| edges.place.clone());
    let place = if place.span.is_some() { place } else { entry.key_place() };
    Err(Fault::at(
        &place,
        format!("dependency cycle detected: service \"{name}\" waits for itself"),
    ))
}

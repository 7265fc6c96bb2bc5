//! The last steps: profiles, consistency, env files, the typed project and its document.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::attribute::{plain, printed};
use super::consistency;
use super::document::{Printer, SECTIONS};
use super::environment::Environment;
use super::fault::Fault;
use super::keys::{TOP_LEVEL, Unknown};
use super::loader::{Loader, VERSION_IGNORED};
use super::lower;
use super::merge;
use super::resolve::{self, ServiceVariables};
use super::shape::SERVICE;
use super::tree::{Entry, Node, Services};
use super::validate::entries;
use crate::path::HostPath;
use crate::project::{ByName, Dialect, Mount, MountSource, Project, Service};
use crate::source_map::{Place, Spanned};

/// What is known about a project besides its model.
pub(super) struct About<'a> {
    pub(super) name: String,
    pub(super) directory: &'a std::path::Path,
    pub(super) profiles: Vec<String>,
    /// Services that are on whatever the profiles say.
    pub(super) switched_on: &'a BTreeSet<String>,
    pub(super) environment: Environment,
}

/// Makes the project of a normalised model.
pub(super) fn project(
    loader: &mut Loader<'_>,
    root: &Node,
    about: About<'_>,
) -> Result<Project, Fault> {
    let mut printed = printed_services(loader, root)?;
    let (enabled, disabled) = split_by_profile(root, &about);
    consistency::check(root, &enabled, &disabled)?;
    let mut services = Vec::new();
    for (name, entry) in &enabled {
        let service = service(loader, root, &about, (name, entry))?;
        if let Some(document) = printed.get_mut(*name) {
            finish(document, &service);
        }
        services.push(service);
    }
    inherit_mounts(loader, &enabled, &mut services);
    let disabled = left_out(loader, root, &about, &disabled);
    printed.retain(|name, _| enabled.contains_key(name.as_str()));
    let document = document(loader, root, &about.name, &enabled, printed)?;
    let extension = extension(loader, root)?;
    let volumes = root.get("volumes").and_then(Node::as_mapping);
    let dialect = dialect(&document, &services);
    let mut warnings = std::mem::take(&mut loader.warnings);
    // Swarm reads it (docker/cli 28.5 cli/compose/schema/schema.go, `Version`).
    warnings.retain(|it| dialect != Dialect::Swarm || it.message != VERSION_IGNORED);
    Ok(Project {
        doors: Vec::new(),
        dialect,
        name: about.name,
        directory: HostPath::new(about.directory),
        files: loader.files.clone(),
        services,
        by_name: ByName::default(),
        disabled,
        volumes: volumes
            .into_iter()
            .flatten()
            .map(|(key, entry)| (key.clone(), lower::volume(entry)))
            .collect(),
        extension_places: extension.as_ref().map(resolve::places).unwrap_or_default(),
        extension: extension.map(|node| Spanned::new(plain(&node), node.place)),
        variables: about.environment.into_variables(),
        secrets: Vec::new(),
        not_texts: Vec::new(),
        warnings,
        remarks: Vec::new(),
        document,
        models: models(root, &enabled),
    })
}

fn service(
    loader: &mut Loader<'_>,
    root: &Node,
    about: &About<'_>,
    (name, entry): (&str, &Entry),
) -> Result<Service, Fault> {
    let mut service = lower::service(name, entry, root)?;
    service.environment = resolve::environment(loader, &about.environment, &entry.value)?;
    service.labels = resolve::labels(loader, &entry.value)?;
    Ok(service)
}

/// Swarm's, where a service is a job of one: Compose runs it like any other. A service on every node is not
/// enough, because Compose projects say so as well. But `docker stack deploy` refuses edges with a condition
/// (docker/cli 28.5).
fn dialect(document: &Value, services: &[Service]) -> Dialect {
    let is_of_swarm = |service: &Service| {
        let mode = &document["services"][&service.name.value]["deploy"]["mode"];
        ["global-job", "replicated-job"].iter().any(|known| mode == known)
    };
    let mut edges = services.iter().flat_map(|service| &service.depends_on);
    let has_condition = edges.any(|edge| edge.condition != "service_started");
    if !has_condition && services.iter().any(is_of_swarm) {
        Dialect::Swarm
    } else {
        Dialect::Compose
    }
}

/// The services that profiles leave out. Nobody is told what is wrong with them.
fn left_out(
    loader: &mut Loader<'_>,
    root: &Node,
    about: &About<'_>,
    disabled: &Services<'_>,
) -> Vec<Service> {
    let warned = loader.warnings.len();
    let read = disabled
        .iter()
        .filter_map(|(name, entry)| service(loader, root, about, (name, entry)).ok());
    let services = read.collect();
    loader.warnings.truncate(warned);
    services
}

/// Every service as it is printed; refuses values of the wrong type, disabled services included.
fn printed_services(
    loader: &mut Loader<'_>,
    root: &Node,
) -> Result<IndexMap<String, Map<String, Value>>, Fault> {
    let mut printer =
        Printer { warnings: &mut loader.warnings, keeps: true, unknown: Unknown::Told };
    printer.top_level(root)?;
    let mut printed = IndexMap::new();
    for (name, service) in entries(root.get("services")) {
        let attributes = printer.record(&mut format!("services.{name}"), service, SERVICE)?;
        printed.insert(name.to_owned(), attributes);
    }
    Ok(printed)
}

fn split_by_profile<'t>(root: &'t Node, about: &About<'_>) -> (Services<'t>, Services<'t>) {
    let services = root.get("services").and_then(Node::as_mapping).into_iter().flatten();
    services.map(|(name, entry)| (name.as_str(), entry)).partition(|(name, entry)| {
        about.switched_on.contains(*name) || lower::is_enabled(&entry.value, &about.profiles)
    })
}

/// What Compose prints differently once env files are folded in.
fn finish(document: &mut Map<String, Value>, service: &Service) {
    for key in ["env_file", "label_file"] {
        document.shift_remove(key);
    }
    for key in ["command", "entrypoint"] {
        document.entry(key).or_insert(Value::Null);
    }
    if !service.environment.is_empty() {
        document.insert("environment".to_owned(), variables(&service.environment));
    }
    if !service.labels.is_empty() {
        let labels = service.labels.iter();
        let labels = labels.map(|(name, label)| (name.clone(), Value::String(label.value.clone())));
        document.insert("labels".to_owned(), Value::Object(labels.collect()));
    }
    if let Some(Value::Object(deploy)) = document.get("deploy")
        && let Some(scale) = document.get("scale")
        && deploy.get("replicas") != Some(scale)
    {
        let scale = scale.clone();
        if let Some(Value::Object(deploy)) = document.get_mut("deploy") {
            deploy.insert("replicas".to_owned(), scale);
        }
    }
}

fn variables(environment: &ServiceVariables) -> Value {
    let value = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
    let pairs = environment.iter().map(|(name, variable)| (name.clone(), value(&variable.value)));
    Value::Object(pairs.collect())
}

/// Adds the mounts that `volumes_from` brings; a service's own mount at the same target wins.
fn inherit_mounts(loader: &mut Loader<'_>, enabled: &Services<'_>, services: &mut [Service]) {
    if enabled.values().all(|entry| entry.value.get("volumes_from").is_none()) {
        return;
    }
    // A chain is as long as there are services; circles have been refused.
    for _ in 0..services.len() {
        let known: IndexMap<String, Vec<Mount>> = services
            .iter()
            .map(|service| (service.name.value.clone(), service.mounts.clone()))
            .collect();
        let mut changed = false;
        for service in services.iter_mut() {
            let Some(entry) = enabled.get(service.name.value.as_str()) else { continue };
            for (from, read_only, place) in lower::volumes_from(&entry.value) {
                for mount in known.get(&from).into_iter().flatten() {
                    if matches!(
                        mount.source,
                        MountSource::Tmpfs | MountSource::Copied(_) | MountSource::Other(_)
                    ) || service.mounts.iter().any(|own| own.target == mount.target)
                    {
                        continue;
                    }
                    let read_only = mount.read_only || read_only;
                    service.mounts.push(Mount { read_only, place: place.clone(), ..mount.clone() });
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    for (name, entry) in enabled {
        for item in super::validate::items(entry.value.get("volumes_from")) {
            if item.as_str().is_some_and(|text| text.starts_with("container:")) {
                let message =
                    format!("the mounts that `{name}` takes from a container are not known");
                loader.warn(message, &item.place);
            }
        }
    }
}

fn document(
    loader: &mut Loader<'_>,
    root: &Node,
    name: &str,
    enabled: &Services<'_>,
    services: IndexMap<String, Map<String, Value>>,
) -> Result<Value, Fault> {
    let mut document = Map::new();
    document.insert("name".to_owned(), Value::String(name.to_owned()));
    let services = services.into_iter().map(|(name, service)| (name, Value::Object(service)));
    document.insert("services".to_owned(), Value::Object(services.collect()));
    for (section, fields) in SECTIONS {
        let used: HashSet<String> =
            enabled.values().flat_map(|entry| lower::used(section, &entry.value)).collect();
        let mut printer =
            Printer { warnings: &mut loader.warnings, keeps: true, unknown: Unknown::Told };
        let mut printed = Map::new();
        for (key, resource) in entries(root.get(section)) {
            let resource = without_value(resource);
            let mut value = printer.record(&mut format!("{section}.{key}"), &resource, fields)?;
            if section == "networks" {
                value.entry("ipam").or_insert_with(|| Value::Object(Map::new()));
            }
            if used.contains(key) {
                printed.insert(key.to_owned(), Value::Object(value));
            }
        }
        if !printed.is_empty() {
            document.insert(section.to_owned(), Value::Object(printed));
        }
    }
    for (key, entry) in root.as_mapping().into_iter().flatten() {
        if TOP_LEVEL.contains(&key.as_str()) {
            continue;
        }
        document.insert(key.clone(), printed(&entry.value));
    }
    Ok(Value::Object(document))
}

/// The models that services use.
fn models(root: &Node, enabled: &Services<'_>) -> Map<String, Value> {
    let is_used = |model: &str| {
        let mut services = enabled.values();
        services.any(|entry| entries(entry.value.get("models")).any(|(name, _)| name == model))
    };
    let used = entries(root.get("models")).filter(|(name, _)| is_used(name));
    used.map(|(name, model)| (name.to_owned(), printed(model))).collect()
}

/// A resource without what it has from a variable: that is never printed.
fn without_value(resource: &Node) -> Cow<'_, Node> {
    let mut resource = Cow::Borrowed(resource);
    if resource.get("environment").is_some() && resource.get("content").is_some() {
        let entries = resource.to_mut().as_mapping_mut();
        entries.and_then(|entries| entries.shift_remove("content"));
    }
    resource
}

/// The project's own `x-preflight` over those of the files that it includes.
fn extension(loader: &mut Loader<'_>, root: &Node) -> Result<Option<Node>, Fault> {
    let own = root.get("x-preflight").filter(|node| !node.is_null()).cloned();
    let Some(included) = loader.included_extension.take() else { return Ok(own) };
    let wrap = |node: Node| Node::mapping([("x-preflight", node)], &Place::nowhere());
    let Some(own) = own else { return Ok(Some(included)) };
    Ok(merge::merge(wrap(included), wrap(own))?.get("x-preflight").cloned())
}

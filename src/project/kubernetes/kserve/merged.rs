//! What KServe makes of an `InferenceService` and the runtime that it names (kserve 0.20.0
//! pkg/controller/v1beta1/inferenceservice/utils/utils.go, `MergeRuntimeContainers`, `MergePodSpec`,
//! `ReplacePlaceholders`, `UpdateImageTag`): the service's container over the runtime's, its `args` behind
//! the runtime's, its Pod over the runtime's Pod; behind it the other containers of both
//! (pkg/controller/v1beta1/inferenceservice/components/predictor.go, `buildPodSpec`).

use super::super::manifest::Manifest;
use super::super::{at, find, items, named, text};
use super::GROUP;
use crate::project::compose::tree::{Entry, Kind, Mapping, Node};

/// The container of a runtime that serves.
const CONTAINER: &str = "kserve-container";

/// The one of its other containers that a service's own of that name goes over.
const TRANSFORMER: &str = "transformer-container";

/// Lists whose items are merged one by one, and what tells them apart.
const BY_KEY: [(&str, &str); 3] =
    [("env", "name"), ("volumeMounts", "mountPath"), ("ports", "containerPort")];

/// Keys of `model` that are not its container's.
const OF_MODEL: [&str; 8] = [
    "modelFormat",
    "runtime",
    "runtimeVersion",
    "protocolVersion",
    "storageUri",
    "storageUris",
    "storage",
    "name",
];

/// Keys of `predictor` that are not its Pod's.
const OF_PREDICTOR: [&str; 4] = ["model", "containers", "workerSpec", "volumes"];

/// The Pod of a document, where it has a runtime of its own among `all`.
pub(in crate::project::kubernetes) fn pod(manifest: &Manifest, all: &[Manifest]) -> Option<Node> {
    if manifest.group() != GROUP || manifest.kind != "InferenceService" {
        return None;
    }
    let predictor = at(&manifest.root, &["spec", "predictor"])?;
    let model = predictor.get("model")?;
    let name = text(model, "runtime")?.value;
    let runtime = ["ServingRuntime", "ClusterServingRuntime"]
        .into_iter()
        .find_map(|kind| find(all, &[kind], &name).filter(|it| it.group() == GROUP))?;
    let runtime = runtime.root.get("spec")?;
    let mut container = named(items(runtime, "containers"), CONTAINER)?.clone();
    lay_over(&mut container, model, &OF_MODEL);
    if let Some(version) = text(model, "runtimeVersion") {
        retag(&mut container, &version.value);
    }
    fill_in(&mut container, manifest);
    let mut spec = Mapping::default();
    for (key, entry) in predictor.as_mapping().into_iter().flatten() {
        if !OF_PREDICTOR.contains(&key.as_str()) {
            spec.insert(key.clone(), entry.clone());
        }
    }
    let volumes = merged_list(items(runtime, "volumes"), items(predictor, "volumes"), "name");
    let place = &predictor.place;
    let list = |items: Vec<Node>| Entry::implied(Node::new(Kind::Sequence(items), place.clone()));
    spec.insert("volumes".to_owned(), list(volumes));
    let mut containers = others(runtime, predictor);
    named_mut(&mut containers, TRANSFORMER).into_iter().for_each(|it| fill_in(it, manifest));
    containers.insert(0, container);
    spec.insert("containers".to_owned(), list(containers));
    Some(Node::new(Kind::Mapping(spec), place.clone()))
}

/// The containers beside the one that serves.
fn others(runtime: &Node, predictor: &Node) -> Vec<Node> {
    let is_other = |node: &&Node| named(std::slice::from_ref(*node), CONTAINER).is_none();
    let mut others: Vec<Node> =
        items(runtime, "containers").iter().filter(is_other).cloned().collect();
    for own in items(predictor, "containers") {
        let is_transformer = named(std::slice::from_ref(own), TRANSFORMER).is_some();
        match named_mut(&mut others, TRANSFORMER).filter(|_| is_transformer) {
            Some(known) => lay_over(known, own, &[]),
            None => others.push(own.clone()),
        }
    }
    others
}

fn named_mut<'n>(list: &'n mut [Node], name: &str) -> Option<&'n mut Node> {
    list.iter_mut().find(|item| item.get("name").and_then(Node::as_str) == Some(name))
}

/// The keys of a service's container over those of the runtime's, but for some.
fn lay_over(container: &mut Node, own: &Node, but: &[&str]) {
    for (key, entry) in own.as_mapping().into_iter().flatten() {
        if !but.contains(&key.as_str()) {
            merge(container, key, entry);
        }
    }
}

/// One key of the service's container over what the runtime's has.
fn merge(container: &mut Node, key: &str, over: &Entry) {
    let Some(entries) = container.as_mapping_mut() else { return };
    let Some(own) = entries.get_mut(key) else {
        entries.insert(key.to_owned(), over.clone());
        return;
    };
    let by = BY_KEY.iter().find(|(list, _)| *list == key).map(|(_, by)| *by);
    let lists = own.value.as_sequence().zip(over.value.as_sequence());
    let list = lists.and_then(|(own, over)| match by {
        _ if key == "args" => Some([own, over].concat()),
        Some(by) => Some(merged_list(own, over, by)),
        None => None,
    });
    match list {
        Some(list) => own.value.kind = Kind::Sequence(list),
        None => merge_value(&mut own.value, &over.value),
    }
}

/// Mappings are merged key by key; anything else is replaced.
fn merge_value(own: &mut Node, over: &Node) {
    let (Some(own), Some(entries)) = (own.as_mapping_mut(), over.as_mapping()) else {
        *own = over.clone();
        return;
    };
    for (key, entry) in entries {
        match own.get_mut(key) {
            Some(known) => merge_value(&mut known.value, &entry.value),
            None => {
                own.insert(key.clone(), entry.clone());
            }
        }
    }
}

/// Two lists of mappings as one: what has the same `key` is merged, the rest follows.
fn merged_list(own: &[Node], over: &[Node], key: &str) -> Vec<Node> {
    let mut merged = own.to_vec();
    for item in over {
        let id = item.get(key).and_then(Node::printed);
        let known = merged.iter_mut().find(|it| it.get(key).and_then(Node::printed) == id);
        match known.filter(|_| id.is_some()) {
            Some(known) => merge_item(known, item),
            None => merged.push(item.clone()),
        }
    }
    merged
}

/// Of a variable, a value takes the place of where it comes from, and the other way round.
fn merge_item(known: &mut Node, item: &Node) {
    for (said, other) in [("value", "valueFrom"), ("valueFrom", "value")] {
        if item.get(said).is_some()
            && let Some(entries) = known.as_mapping_mut()
        {
            entries.shift_remove(other);
        }
    }
    merge_value(known, item);
}

/// The image with another tag; one that is named by its digest keeps that.
fn retag(container: &mut Node, version: &str) {
    let Some(image) = container.get_mut("image") else { return };
    let Some(name) = image.as_str().filter(|name| !name.contains("@sha256:")) else { return };
    let (before, last) = name.rsplit_once('/').map_or(("", name), |(before, last)| (before, last));
    let last = last.split(':').next().unwrap_or(last);
    let slash = if before.is_empty() { "" } else { "/" };
    image.kind = Kind::String(format!("{before}{slash}{last}:{version}"));
}

/// `{{.Name}}` and its like in every text.
fn fill_in(node: &mut Node, manifest: &Manifest) {
    if let Kind::String(text) = &mut node.kind {
        *text = filled(text, manifest);
    } else if let Kind::Sequence(items) = &mut node.kind {
        items.iter_mut().for_each(|item| fill_in(item, manifest));
    } else if let Some(entries) = node.as_mapping_mut() {
        entries.values_mut().for_each(|entry| fill_in(&mut entry.value, manifest));
    }
}

fn filled(text: &str, manifest: &Manifest) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((inside, after)) = behind.split_once("}}") else {
            out.push_str("{{");
            rest = behind;
            continue;
        };
        match said(inside.trim(), manifest) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&format!("{{{{{inside}}}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What the metadata of a document say.
fn said(name: &str, manifest: &Manifest) -> Option<String> {
    let metadata = manifest.root.get("metadata")?;
    match name.strip_prefix('.')?.split_once('.') {
        None if name == ".Name" => Some(manifest.name.clone()),
        None if name == ".Namespace" => Some(manifest.namespace.clone()),
        Some(("Labels", key)) => Some(text(metadata.get("labels")?, key)?.value),
        Some(("Annotations", key)) => Some(text(metadata.get("annotations")?, key)?.value),
        Some(_) | None => None,
    }
}

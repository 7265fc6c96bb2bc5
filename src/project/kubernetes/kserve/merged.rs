//! What KServe makes of an `InferenceService` and the runtime that it names (kserve 0.20.0
//! pkg/controller/v1beta1/inferenceservice/utils/utils.go, `MergeRuntimeContainers`, `MergePodSpec`,
//! `ReplacePlaceholders`, `UpdateImageTag`): the service's container over the runtime's, its `args` behind
//! the runtime's, its Pod over the runtime's Pod; behind it the other containers of both
//! (pkg/controller/v1beta1/inferenceservice/components/predictor.go, `buildPodSpec`).

use super::super::manifest::Manifest;
use super::super::{at, items, meets, named, text};
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
const OF_PREDICTOR: [&str; 6] =
    ["model", "containers", "workerSpec", "volumes", "pipelineParallelSize", "tensorParallelSize"];

/// The container of the Pods that work beside the one that serves.
const WORKER: &str = "worker-container";

/// What becomes of a document and the runtime that it names.
pub(in crate::project::kubernetes) struct Merged<'m> {
    /// The runtime: what is written there is run as it is said here, and nowhere else.
    runtime: &'m Manifest,
    /// The Pod that serves.
    pub(super) pod: Node,
    /// The Pod of the workers, where a document asks for some.
    pub(super) worker: Option<Node>,
}

impl<'m> Merged<'m> {
    /// Whether this document is the runtime.
    pub(in crate::project::kubernetes) fn is_of(&self, manifest: &Manifest) -> bool {
        std::ptr::eq(self.runtime, manifest)
    }

    /// The annotations in the runtime, for where the service has no such: those of its Pods come first.
    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'m str, &'m Node)> {
        let of = ["spec", "metadata"].map(|key| at(&self.runtime.root, &[key, "annotations"]));
        let entries = of.into_iter().flatten().filter_map(Node::as_mapping).flatten();
        entries.map(|(key, entry)| (key.as_str(), &entry.value))
    }
}

/// The Pods of a document, where it has a runtime of its own among `all`.
pub(in crate::project::kubernetes) fn merged<'m>(
    manifest: &Manifest,
    all: &'m [Manifest],
) -> Option<Merged<'m>> {
    if manifest.group() != GROUP || manifest.kind != "InferenceService" {
        return None;
    }
    let predictor = at(&manifest.root, &["spec", "predictor"])?;
    let model = predictor.get("model")?;
    let runtime = runtime(manifest, &text(model, "runtime")?.value, all)?;
    let spec = runtime.root.get("spec")?;
    let mut container = named(items(spec, "containers"), CONTAINER)?.clone();
    lay_over(&mut container, model, &OF_MODEL);
    if let Some(version) = text(model, "runtimeVersion") {
        retag(&mut container, &version.value);
    }
    fill_in(&mut container, manifest);
    let mut containers = others(spec, predictor);
    named_mut(&mut containers, TRANSFORMER).into_iter().for_each(|it| fill_in(it, manifest));
    let workers = spec.get("workerSpec").zip(predictor.get("workerSpec"));
    if let Some((known, own)) = workers {
        spread(&mut container, known, own);
    }
    containers.insert(0, container);
    Some(Merged {
        runtime,
        pod: pod(spec, predictor, containers),
        worker: workers.and_then(|(known, own)| worker(known, own)),
    })
}

/// The runtime of this name: one of the same namespace comes before one of the cluster
/// (`GetServingRuntime`).
fn runtime<'m>(manifest: &Manifest, name: &str, all: &'m [Manifest]) -> Option<&'m Manifest> {
    let is_near = |it: &Manifest| meets(&it.namespace, &manifest.namespace);
    let own =
        |kind: &str, it: &&Manifest| it.kind == kind && it.name == name && it.group() == GROUP;
    let near = all.iter().find(|it| own("ServingRuntime", it) && is_near(it));
    near.or_else(|| all.iter().find(|it| own("ClusterServingRuntime", it)))
}

/// The service's Pod over the runtime's, with these containers.
fn pod(runtime: &Node, own: &Node, containers: Vec<Node>) -> Node {
    let mut spec = Mapping::default();
    for (key, entry) in own.as_mapping().into_iter().flatten() {
        if !OF_PREDICTOR.contains(&key.as_str()) {
            spec.insert(key.clone(), entry.clone());
        }
    }
    let volumes = merged_list(items(runtime, "volumes"), items(own, "volumes"), "name");
    let place = &own.place;
    let list = |items: Vec<Node>| Entry::implied(Node::new(Kind::Sequence(items), place.clone()));
    spec.insert("volumes".to_owned(), list(volumes));
    spec.insert("containers".to_owned(), list(containers));
    Node::new(Kind::Mapping(spec), place.clone())
}

/// The Pod of the workers: the first container of the service's over that of the runtime's
/// (pkg/controller/v1beta1/inferenceservice/components/predictor.go, `multiNodeProcess`).
fn worker(runtime: &Node, own: &Node) -> Option<Node> {
    let mut container = named(items(runtime, "containers"), WORKER)?.clone();
    if let Some(over) = items(own, "containers").first() {
        lay_over(&mut container, over, &[]);
    }
    spread(&mut container, runtime, own);
    Some(pod(runtime, own, vec![container]))
}

/// What KServe tells the containers of an engine that runs in several Pods: the sizes of the service, else
/// of the runtime, else 1; and in how many it runs, which depends on more than is written here.
fn spread(container: &mut Node, runtime: &Node, own: &Node) {
    let place = own.place.clone();
    let size = |key: &str| text(own, key).or_else(|| text(runtime, key));
    let said = [
        ("PIPELINE_PARALLEL_SIZE", size("pipelineParallelSize")),
        ("TENSOR_PARALLEL_SIZE", size("tensorParallelSize")),
    ];
    let variable = |name: &str, (key, value): (&'static str, Node)| {
        Node::mapping([("name", Node::string(name, &place)), (key, value)], &place)
    };
    let known = said.map(|(name, size)| {
        let (size, place) = size.map_or(("1".to_owned(), &place), |it| (it.value, &place));
        variable(name, ("value", Node::string(size, place)))
    });
    let counted = ["RAY_NODE_COUNT", "REQUEST_GPU_COUNT"]
        .map(|name| variable(name, ("valueFrom", Node::mapping([], &place))));
    let variables: Vec<Node> = known.into_iter().chain(counted).collect();
    let merged = merged_list(items(container, "env"), &variables, "name");
    container.insert("env", Node::new(Kind::Sequence(merged), place));
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
        let Some((inside, after)) = behind.split_once("}}") else { break };
        rest = after;
        out.push_str(before);
        match said(inside.trim(), manifest) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&format!("{{{{{inside}}}}}")),
        }
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

//! Models that KServe brings before its containers start: into `/mnt/models` (kserve 0.16
//! pkg/constants/constants.go, `DefaultModelLocalMountPath`), from where the document says.

pub(super) mod merged;

use std::path::PathBuf;

use self::merged::Merged;
use super::manifest::Manifest;
use super::mounts::Volumes;
use super::pods::{self, ALONE, Member, Pod, base_name};
use super::{items, text};
use crate::path::ServicePath;
use crate::project::compose::tree::Node;
use crate::project::{Mount, MountSource, Service, VolumeKind};
use crate::source_map::{Place, Spanned};

/// Where it brings them.
const FOLDER: &str = "/mnt/models";

/// The formats of models that an engine serves; its others (`sklearn`, `onnx`) are for servers of other kinds.
const FORMATS: [&str; 5] = ["huggingface", "vllm", "sglang", "gguf", "safetensors"];

/// What says of a model that it is brought there.
const BROUGHT: [&str; 3] = ["storageUri", "storageUris", "storage"];

/// The group of its kinds.
const GROUP: &str = "serving.kserve.io";

/// The model of a Pod.
#[derive(Clone)]
pub(super) struct Model {
    /// The container that opens it; absent: every one.
    container: Option<String>,
    /// Where it comes from, as written; absent: whoever uses the runtime says it.
    uri: Option<Spanned<String>>,
}

/// Adds what is known of the model of a document's Pods, and Pods where the document has none of its
/// own: those of `merged`, if its runtime is among the documents.
pub(super) fn add<'m>(
    manifest: &'m Manifest,
    merged: Option<&'m Merged<'m>>,
    pods: &mut Vec<Pod<'m>>,
) {
    if manifest.group() != GROUP {
        return;
    }
    let spec = manifest.root.get("spec");
    let uri = spec.and_then(|spec| uri(&manifest.kind, spec));
    let predictor = spec.and_then(|spec| spec.get("predictor"));
    let model = predictor.and_then(|predictor| predictor.get("model"));
    // Beside a model, what a predictor lists are containers that do not serve it.
    let is_predictor = |pod: &Pod<'_>| predictor.is_some_and(|it| std::ptr::eq(it, pod.spec));
    let without_model = pods.iter().position(is_predictor).filter(|_| model.is_some());
    let without_model = without_model.map(|at| pods.remove(at));
    let workers = predictor.and_then(|it| it.get("workerSpec")).filter(|_| model.is_some());
    let worker = merged.and_then(|it| it.worker.as_ref());
    let is_worker = |pod: &Pod<'_>| workers.is_some_and(|it| std::ptr::eq(it, pod.spec));
    pods.retain(|pod| worker.is_none() || !is_worker(pod));
    for pod in pods.iter_mut().filter(|pod| is_worker(pod)) {
        pod.name = worker_name(manifest);
    }
    // What explains, transforms or works for the predictor opens no model: that does.
    let beside = ["explainer", "transformer"].map(|key| spec.and_then(|spec| spec.get(key)));
    let beside: Vec<&Node> = beside.into_iter().chain([workers]).flatten().collect();
    let is_beside = |pod: &Pod<'_>| beside.iter().any(|it| std::ptr::eq(*it, pod.spec));
    for pod in pods.iter_mut().filter(|pod| !is_beside(pod)) {
        pod.model = Some(Model { container: main(pod), uri: uri.clone() });
    }
    let spec = spec.filter(|_| pods.iter().all(is_beside));
    pods.extend(spec.and_then(|spec| served(manifest, merged, spec, uri)).or(without_model));
    pods.extend(worker.map(|spec| worker_pod(manifest, spec)));
}

/// The Pod in which a document's model is served; absent: nothing is known of one.
fn served<'m>(
    manifest: &'m Manifest,
    merged: Option<&'m Merged<'m>>,
    spec: &'m Node,
    uri: Option<Spanned<String>>,
) -> Option<Pod<'m>> {
    if uri.is_none() && merged.is_none() {
        return None;
    }
    let predictor = spec.get("predictor");
    let model = predictor.and_then(|predictor| predictor.get("model"));
    let format = model.and_then(named_format);
    let is_of_language =
        |format: Spanned<String>| FORMATS.contains(&format.value.to_lowercase().as_str());
    if merged.is_none() && !format.is_none_or(is_of_language) {
        return None;
    }
    let is_brought = model.is_none_or(|model| BROUGHT.iter().any(|key| model.get(key).is_some()));
    let own = predictor.filter(|_| model.is_some()).unwrap_or(spec);
    let mut pod = open_pod(manifest, base_name(manifest), merged.map_or(own, |it| &it.pod));
    pod.alone = if merged.is_none() { model.or(Some(spec)) } else { None };
    for (key, value) in merged.iter().flat_map(|it| it.annotations()) {
        if !pod.annotations.iter().any(|(known, _)| *known == key) {
            pod.annotations.push((key, value));
        }
    }
    let container = if merged.is_some() { main(&pod) } else { pod.alone.map(|_| ALONE.to_owned()) };
    pod.model = is_brought.then_some(Model { container, uri });
    Some(pod)
}

/// The Pod of the workers: the model is brought for them as well (`reconcileWorker`), and who serves opens it.
fn worker_pod<'m>(manifest: &'m Manifest, spec: &'m Node) -> Pod<'m> {
    let mut pod = open_pod(manifest, worker_name(manifest), spec);
    pod.model = Some(Model { container: None, uri: None });
    pod
}

fn worker_name(manifest: &Manifest) -> String {
    format!("{}/worker", base_name(manifest))
}

/// A Pod that a controller makes of a document.
fn open_pod<'m>(manifest: &'m Manifest, name: String, spec: &'m Node) -> Pod<'m> {
    Pod {
        group: manifest.group(),
        name,
        namespace: &manifest.namespace,
        spec,
        labels: None,
        annotations: pods::annotations(None, manifest),
        claims: &[],
        told_of: Vec::new(),
        is_open: true,
        is_patch: false,
        model: None,
        alone: None,
    }
}

/// The format of a model, which KServe finds the runtime by.
fn named_format(model: &Node) -> Option<Spanned<String>> {
    text(model.get("modelFormat")?, "name")
}

/// The container that serves: that of this name, else the first.
fn main(pod: &Pod<'_>) -> Option<String> {
    let list = items(pod.spec, "containers");
    let names = || list.iter().filter_map(|node| node.get("name")?.as_str());
    let known = ["kserve-container", "main"];
    let main = names().find(|name| known.contains(name)).or_else(|| names().next());
    main.map(str::to_owned)
}

fn uri(kind: &str, spec: &Node) -> Option<Spanned<String>> {
    match kind {
        "InferenceService" => {
            let predictor = spec.get("predictor")?;
            let model = predictor.get("model")?;
            text(model, "storageUri")
        }
        "LLMInferenceService" => text(spec.get("model")?, "uri"),
        _ => None,
    }
}

impl Model {
    /// Whether it is what this container opens.
    pub(super) fn is_of(&self, container: &str) -> bool {
        self.container.as_deref().is_none_or(|name| name == container)
    }

    /// Says of a service what it opens, where nobody else does.
    pub(super) fn fill_in(&self, service: &mut Service) {
        let Some(uri) = &self.uri else { return };
        let place = &uri.place;
        let said = |text: &str| Spanned::new(text.to_owned(), place.clone());
        let path = opened(service);
        if let Some(path) = path {
            service.labels.entry("preflight.path".to_owned()).or_insert_with(|| said(&path));
        }
        if let Some(source) = source(&uri.value) {
            service.labels.entry("preflight.source".to_owned()).or_insert_with(|| said(&source));
        }
    }
}

/// What a service opens of the folder: its own words say more than where the model is brought. Absent: they
/// say it in a way that engines are read by.
fn opened(service: &Service) -> Option<String> {
    let mut named = service.words().filter(|word| word.value.contains(FOLDER)).peekable();
    match named.peek() {
        None => Some(FOLDER.to_owned()),
        // Nobody reads the words of a runtime that is not known.
        Some(_) if service.image.is_none() => Some(FOLDER.to_owned()),
        Some(_) => named.find_map(|word| in_script(&word.value)),
    }
}

/// The one path below the folder that a script names; absent: it is no script, or names several.
fn in_script(text: &str) -> Option<String> {
    let is_end = |it: char| it.is_whitespace() || "\"'\\;&|)".contains(it);
    let paths =
        text.match_indices(FOLDER).filter_map(|(at, _)| text.get(at..)?.split(is_end).next());
    let mut paths: Vec<&str> = paths.collect();
    paths.dedup();
    let is_script = text.contains(char::is_whitespace);
    paths.first().filter(|_| is_script && paths.len() == 1).map(|path| (*path).to_owned())
}

/// `hf://owner/repo[:revision]` as preflight writes it; absent: it is no repository of the hub.
fn source(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("hf://")?;
    let (owner, rest) = rest.split_once('/')?;
    let (repository, revision) = rest.split_once(':').unwrap_or((rest, ""));
    let is_plain = !owner.is_empty() && !repository.is_empty() && !repository.contains('/');
    let at = if revision.is_empty() { String::new() } else { format!("@{revision}") };
    is_plain.then(|| format!("hf://{owner}/{repository}{at}"))
}

/// The mount that KServe adds where the document has none.
pub(super) fn implied(pod: &Pod<'_>, member: &Member<'_>, volumes: &mut Volumes) -> Option<Mount> {
    let model = pod.model.as_ref()?;
    let is_there = |node: &Node| text(node, "mountPath").is_some_and(|it| it.value == FOLDER);
    if items(member.node, "volumeMounts").iter().any(is_there) {
        return None;
    }
    let place = model.uri.as_ref().map_or_else(Place::nowhere, |uri| uri.place.clone());
    let claim = model.uri.as_ref().and_then(|uri| uri.value.strip_prefix("pvc://"));
    let (name, subpath, kind) = match claim {
        Some(claim) => {
            let (name, below) = claim.split_once('/').unwrap_or((claim, ""));
            let below = (!below.is_empty()).then(|| PathBuf::from(below));
            (name.to_owned(), below, VolumeKind::Claim)
        }
        None => {
            let kind = VolumeKind::Empty { most: None, in_memory: false };
            (format!("{}:kserve-provision-location", pod.name), None, kind)
        }
    };
    volumes.add(&name, kind, &place);
    let source = MountSource::Volume { name, subpath };
    Some(Mount { source, target: ServicePath::new(FOLDER), read_only: true, place })
}

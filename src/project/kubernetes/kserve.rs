//! Models that KServe brings before its containers start: into `/mnt/models` (kserve 0.16
//! pkg/constants/constants.go, `DefaultModelLocalMountPath`), from where the document says.

pub(super) mod merged;

use std::path::PathBuf;

use self::merged::Merged;
use super::manifest::Manifest;
use super::mounts::Volumes;
use super::pods::{self, ALONE, Member, Pod, base_name};
use super::{hosts, items, text};
use crate::path::ServicePath;
use crate::project::compose::tree::Node;
use crate::project::{Mount, MountSource, Service, VolumeKind};
use crate::source_map::{Place, Spanned};

/// Where it brings them.
const FOLDER: &str = "/mnt/models";

/// The formats of models that an engine serves; its others (`sklearn`, `onnx`) are for servers of other kinds.
const FORMATS: [&str; 5] = [HUGGING_FACE, "vllm", "sglang", "gguf", "safetensors"];

/// The format that KServe has a server of its own for, and that server's image.
const HUGGING_FACE: &str = "huggingface";
const SERVER: &str = "kserve/huggingfaceserver";

/// The group of its kinds.
pub(super) const GROUP: &str = "serving.kserve.io";

/// The model of a Pod.
#[derive(Clone)]
pub(super) struct Model {
    /// The container that opens it; absent: every one.
    container: Option<String>,
    /// What is brought; never empty.
    brought: Vec<Brought>,
}

/// A folder that is brought.
#[derive(Clone)]
struct Brought {
    /// Where it comes from, as written; absent: that is not known.
    uri: Option<String>,
    /// Where it is brought to.
    folder: String,
    /// Where that is said; absent: whoever uses the runtime says it.
    place: Option<Place>,
}

impl Brought {
    fn nowhere() -> Self {
        Self { uri: None, folder: FOLDER.to_owned(), place: None }
    }

    fn from(uri: Spanned<String>) -> Self {
        Self { uri: Some(uri.value), place: Some(uri.place), ..Self::nowhere() }
    }
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
    let brought = spec.map(|spec| brought(&manifest.kind, spec)).unwrap_or_default();
    let predictor = spec.and_then(|spec| spec.get("predictor"));
    let model = predictor.and_then(model);
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
    let known = if brought.is_empty() { vec![Brought::nowhere()] } else { brought.clone() };
    for pod in pods.iter_mut().filter(|pod| !is_beside(pod)) {
        pod.model = Some(Model { container: main(pod), brought: known.clone() });
    }
    let spec = spec.filter(|_| pods.iter().all(is_beside));
    pods.extend(spec.and_then(|spec| served(manifest, merged, spec, brought)).or(without_model));
    pods.extend(worker.map(|spec| worker_pod(manifest, spec)));
}

/// The Pod in which a document's model is served; absent: nothing is known of one.
fn served<'m>(
    manifest: &'m Manifest,
    merged: Option<&'m Merged<'m>>,
    spec: &'m Node,
    brought: Vec<Brought>,
) -> Option<Pod<'m>> {
    let predictor = spec.get("predictor");
    let model = predictor.and_then(model);
    let format = predictor.and_then(named_format);
    let is_found = brought.is_empty() && model.is_some_and(|it| it.get("runtime").is_none());
    let is_by_default = is_found && format.as_deref() == Some(HUGGING_FACE);
    if brought.is_empty() && merged.is_none() && !is_by_default {
        return None;
    }
    let is_of_language = |format: String| FORMATS.contains(&format.as_str());
    if merged.is_none() && !format.is_none_or(is_of_language) {
        return None;
    }
    let own = predictor.filter(|_| model.is_some()).unwrap_or(spec);
    let mut pod = open_pod(manifest, base_name(manifest), merged.map_or(own, |it| &it.pod));
    pod.alone = if merged.is_none() { model.or(Some(spec)) } else { None };
    pod.by_default = is_by_default && merged.is_none();
    for (key, value) in merged.iter().flat_map(|it| it.annotations()) {
        if !pod.annotations.iter().any(|(known, _)| *known == key) {
            pod.annotations.push((key, value));
        }
    }
    let container = if merged.is_some() { main(&pod) } else { pod.alone.map(|_| ALONE.to_owned()) };
    let is_brought = model.is_none() || !brought.is_empty();
    let known = if brought.is_empty() { vec![Brought::nowhere()] } else { brought };
    pod.model = is_brought.then_some(Model { container, brought: known });
    Some(pod)
}

/// The Pod of the workers: the model is brought for them as well (`reconcileWorker`), and who serves opens it.
fn worker_pod<'m>(manifest: &'m Manifest, spec: &'m Node) -> Pod<'m> {
    let mut pod = open_pod(manifest, worker_name(manifest), spec);
    pod.model = Some(Model { container: None, brought: vec![Brought::nowhere()] });
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
        is_idle: false,
        is_patch: false,
        names: hosts::names(manifest, None),
        model: None,
        alone: None,
        by_default: false,
    }
}

/// What a predictor serves: `model`, or the older key for its format (kserve 0.20.0
/// pkg/apis/serving/v1beta1/predictor.go, `PredictorSpec`).
fn model(predictor: &Node) -> Option<&Node> {
    predictor.get("model").or_else(|| predictor.get(HUGGING_FACE))
}

/// The format of a model, which KServe finds the runtime by, in small letters.
fn named_format(predictor: &Node) -> Option<String> {
    let named = predictor.get("model").and_then(|model| text(model.get("modelFormat")?, "name"));
    let older = || predictor.get(HUGGING_FACE).map(|_| HUGGING_FACE.to_owned());
    named.map(|format| format.value.to_lowercase()).or_else(older)
}

/// The container that serves: that of this name, else the first.
fn main(pod: &Pod<'_>) -> Option<String> {
    let list = items(pod.spec, "containers");
    let names = || list.iter().filter_map(|node| node.get("name")?.as_str());
    let known = ["kserve-container", "main"];
    let main = names().find(|name| known.contains(name)).or_else(|| names().next());
    main.map(str::to_owned)
}

/// What a document says is brought, and where to (kserve 0.20.0 pkg/apis/serving/v1beta1/predictor.go,
/// `StorageUri`). What `storage` names is in a Secret of the cluster.
fn brought(kind: &str, spec: &Node) -> Vec<Brought> {
    let uri = match kind {
        "InferenceService" => {
            let Some(predictor) = spec.get("predictor") else { return Vec::new() };
            let model = model(predictor);
            let lists = [Some(predictor), model].into_iter().flatten();
            let listed: Vec<Brought> = lists
                .flat_map(|node| items(node, "storageUris"))
                .filter_map(|item| {
                    let folder = text(item, "mountPath").map(|path| path.value);
                    let folder = folder.unwrap_or_else(|| FOLDER.to_owned());
                    Some(Brought { folder, ..Brought::from(text(item, "uri")?) })
                })
                .collect();
            if !listed.is_empty() {
                return listed;
            }
            let uri = model.and_then(|model| text(model, "storageUri"));
            let storage = model.and_then(|model| model.get("storage")).filter(|_| uri.is_none());
            if let Some(storage) = storage {
                let place = Some(storage.place.clone());
                return vec![Brought { place, ..Brought::nowhere() }];
            }
            uri
        }
        "LLMInferenceService" => spec.get("model").and_then(|model| text(model, "uri")),
        _ => None,
    };
    uri.map(Brought::from).into_iter().collect()
}

impl Model {
    /// Whether it is what this container opens.
    pub(super) fn is_of(&self, container: &str) -> bool {
        self.container.as_deref().is_none_or(|name| name == container)
    }

    /// Says of a service what it opens, where nobody else does.
    pub(super) fn fill_in(&self, service: &mut Service) {
        let Some(brought) = self.opened_by(service) else { return };
        let Some(place) = &brought.place else { return };
        let said = |text: &str| Spanned::new(text.to_owned(), place.clone());
        let path = opened(service, &brought.folder);
        if let Some(path) = path {
            service.labels.entry("preflight.path".to_owned()).or_insert_with(|| said(&path));
        }
        if let Some(source) = brought.uri.as_deref().and_then(source) {
            service.labels.entry("preflight.source".to_owned()).or_insert_with(|| said(&source));
        }
    }

    /// Which of the folders a service opens: the one that its words name, else the first.
    fn opened_by(&self, service: &Service) -> Option<&Brought> {
        let is_named = |brought: &&Brought| {
            service.words().any(|word| word.value.contains(brought.folder.as_str()))
        };
        let named = self.brought.iter().filter(is_named).max_by_key(|it| it.folder.len());
        named.or_else(|| self.brought.first())
    }
}

/// The server that KServe takes for a model of which nobody says who serves it, where that has no image
/// of its own (kserve 0.20.0 config/runtimes/kserve-huggingfaceserver.yaml, `autoSelect`).
pub(super) fn server(pod: &Pod<'_>, member: &Member<'_>) -> Option<Spanned<String>> {
    let is_it = pod.by_default && member.name == ALONE;
    is_it.then(|| Spanned::new(SERVER.to_owned(), member.node.place.clone()))
}

/// What a service opens of the folder: its own words say more than where the model is brought. Absent: they
/// say it in a way that engines are read by.
fn opened(service: &Service, folder: &str) -> Option<String> {
    let mut named = service.words().filter(|word| word.value.contains(folder)).peekable();
    match named.peek() {
        None => Some(folder.to_owned()),
        // Nobody reads the words of a runtime that is not known.
        Some(_) if service.image.is_none() => Some(folder.to_owned()),
        Some(_) => named.find_map(|word| in_script(&word.value, folder)),
    }
}

/// The one path below the folder that a script names; absent: it is no script, or names several.
fn in_script(text: &str, folder: &str) -> Option<String> {
    let is_end = |it: char| it.is_whitespace() || "\"'\\;&|)".contains(it);
    let paths =
        text.match_indices(folder).filter_map(|(at, _)| text.get(at..)?.split(is_end).next());
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

/// The mounts that KServe adds where the document has none.
pub(super) fn implied(pod: &Pod<'_>, member: &Member<'_>, volumes: &mut Volumes) -> Vec<Mount> {
    let brought = pod.model.iter().flat_map(|model| &model.brought);
    let is_there = |brought: &&Brought| {
        let mut mounts = items(member.node, "volumeMounts").iter();
        mounts.any(|it| text(it, "mountPath").is_some_and(|path| path.value == brought.folder))
    };
    brought.filter(|it| !is_there(it)).map(|it| mounted(it, &pod.name, volumes)).collect()
}

/// All that KServe brings itself is in one volume.
fn mounted(brought: &Brought, pod: &str, volumes: &mut Volumes) -> Mount {
    let place = brought.place.clone().unwrap_or_default();
    let claim = brought.uri.as_deref().and_then(|uri| uri.strip_prefix("pvc://"));
    let (name, subpath, kind) = match claim {
        Some(claim) => {
            let (name, below) = claim.split_once('/').unwrap_or((claim, ""));
            let below = (!below.is_empty()).then(|| PathBuf::from(below));
            (name.to_owned(), below, VolumeKind::Claim)
        }
        None => {
            let kind = VolumeKind::Empty { most: None, in_memory: false };
            let below = brought.folder.strip_prefix(FOLDER).map(|it| it.trim_start_matches('/'));
            let below = below.filter(|below| !below.is_empty()).map(PathBuf::from);
            (format!("{pod}:kserve-provision-location"), below, kind)
        }
    };
    volumes.add(&name, kind, &place);
    let source = MountSource::Volume { name, subpath };
    Mount { source, target: ServicePath::new(brought.folder.as_str()), read_only: true, place }
}

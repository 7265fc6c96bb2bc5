//! Which documents are judged: what a controller has made, its owner says, and of what is scaled to nothing
//! there is no Pod.

use super::manifest::Manifest;
use super::{at, items, meets, pods, text};
use crate::project::compose::tree::Node;

/// Controllers of controllers are followed so far: a CronJob has Jobs, which have Pods.
const DEEPEST: usize = 8;

/// Whether another document says what this one runs, or none of it is ever run: the Pods, and the old
/// revisions, that `kubectl get -o yaml` tells beside the Deployment that made them.
pub(super) fn is_made(manifest: &Manifest, all: &[Manifest]) -> bool {
    let is_history = manifest.kind == "ControllerRevision" && manifest.group() == "apps";
    is_history || is_said(manifest, all, DEEPEST)
}

fn is_said(manifest: &Manifest, all: &[Manifest], depth: usize) -> bool {
    let Some(metadata) = manifest.root.get("metadata").filter(|_| depth > 0) else { return false };
    let controls = |owner: &&Node| owner.get("controller").and_then(Node::as_bool) == Some(true);
    let Some(owner) = items(metadata, "ownerReferences").iter().find(controls) else {
        return false;
    };
    let owners = all.iter().filter(|other| is_named(other, owner, &manifest.namespace));
    let owners: Vec<&Manifest> = owners.collect();
    // One of them is followed: of namesakes that own each other there would be no end.
    owners.iter().any(|other| !pods::of(other).is_empty())
        || owners.first().is_some_and(|other| is_said(other, all, depth - 1))
}

/// Whether a reference is to this document.
fn is_named(manifest: &Manifest, reference: &Node, namespace: &str) -> bool {
    let says = |key: &str| text(reference, key).map(|it| it.value).unwrap_or_default();
    let group = says("apiVersion").split_once('/').map_or(String::new(), |(it, _)| it.to_owned());
    let own = at(&manifest.root, &["metadata"]).and_then(|metadata| text(metadata, "uid"));
    let uid = text(reference, "uid");
    let is_same = own.zip(uid).is_none_or(|(own, uid)| own.value == uid.value);
    let is_near = meets(&manifest.namespace, namespace);
    let is_called = manifest.kind == says("kind") && manifest.name == says("name");
    is_called && manifest.group() == group && is_near && is_same
}

/// Whether there is no Pod of it as it is written: `replicas: 0`, and nothing else in the documents scales
/// it.
pub(super) fn is_idle(manifest: &Manifest, all: &[Manifest]) -> bool {
    let is_scaled = match manifest.group() {
        "apps" => ["Deployment", "StatefulSet", "ReplicaSet"].contains(&manifest.kind.as_str()),
        "" => manifest.kind == "ReplicationController",
        "leaderworkerset.x-k8s.io" => manifest.kind == "LeaderWorkerSet",
        _ => false,
    };
    let replicas = at(&manifest.root, &["spec", "replicas"]).and_then(Node::printed);
    let is_same = |other: &&Manifest| other.kind == manifest.kind && other.name == manifest.name;
    let is_laid_over = all.iter().filter(is_same).count() > 1;
    is_scaled
        && replicas.as_deref() == Some("0")
        && !is_laid_over
        && !all.iter().any(|it| scales(it, manifest))
}

/// Whether a document is an autoscaler of another one, or a Kustomization that says how many there are.
fn scales(scaler: &Manifest, manifest: &Manifest) -> bool {
    if scaler.group() == "kustomize.config.k8s.io" && scaler.root.get("replicas").is_some() {
        return true;
    }
    let target = at(&scaler.root, &["spec", "scaleTargetRef"]);
    let name = target.and_then(|target| text(target, "name"));
    name.is_some_and(|name| name.value == manifest.name)
}

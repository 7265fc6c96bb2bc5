//! The Pods of a document: every mapping with a list of containers, at any depth.

use std::borrow::Cow;

use super::manifest::{Manifest, is_own_group};
use super::{hosts, items, probes, text};
use crate::project::compose::tree::Node;
use crate::project::{InPod, Stage};
use crate::source_map::Spanned;

/// Keys on the way to a Pod that tell nothing about it.
const TELLS_NOTHING: [&str; 10] = [
    "spec",
    "template",
    "jobTemplate",
    "podTemplate",
    "podSpec",
    "leaderWorkerTemplate",
    "rayClusterConfig",
    "rayClusterSpec",
    "inference",
    "predictor",
];

/// What a container is called that no list has.
pub(super) const ALONE: &str = "model";

/// A Pod as it is written.
pub(super) struct Pod<'m> {
    /// `kind/name`, and which of its Pods it is where a document has several.
    pub(super) name: String,
    /// `metadata.namespace` of its document; empty: it has none.
    pub(super) namespace: &'m str,
    /// The group of the kind of its document; empty: it is one of the core.
    pub(super) group: &'m str,
    /// The mapping with `containers`.
    pub(super) spec: &'m Node,
    /// `metadata.labels` of the Pod.
    pub(super) labels: Option<&'m Node>,
    /// `metadata.annotations` of the Pod, else of the document.
    pub(super) annotations: Vec<(&'m str, &'m Node)>,
    /// `spec.volumeClaimTemplates` beside its template.
    pub(super) claims: &'m [Node],
    /// The `Service`s of which its containers are told by variables.
    pub(super) told_of: Vec<Spanned<String>>,
    /// Whether a controller may add to it what is not written.
    pub(super) is_open: bool,
    /// Whether none is started as it is written.
    pub(super) is_idle: bool,
    /// What such a Pod may be called.
    pub(super) names: Vec<String>,
    /// Whether it is a part of one, which is laid over the rest.
    pub(super) is_patch: bool,
    /// What is known of its model beside its containers.
    pub(super) model: Option<super::kserve::Model>,
    /// Whether KServe chooses what serves it.
    pub(super) by_default: bool,
    /// What says all there is to say of its container that serves, where no list has it.
    pub(super) alone: Option<&'m Node>,
}

/// One container of a Pod.
pub(super) struct Member<'m> {
    /// Its name.
    pub(super) name: Cow<'m, str>,
    /// All that is said of it.
    pub(super) node: &'m Node,
    /// When it runs.
    pub(super) stage: Stage,
}

/// The Pods of a document, in its order.
pub(super) fn of(manifest: &Manifest) -> Vec<Pod<'_>> {
    let mut walk = Walk { is_plain: manifest.is_plain(), route: Vec::new(), found: Vec::new() };
    walk.enter(&manifest.root, &[]);
    let found = walk.found;
    let several = found.len() > 1;
    let base = base_name(manifest);
    let mut pods: Vec<Pod<'_>> = Vec::new();
    for Found { spec, above, label } in found {
        let names = hosts::names(manifest, label.as_deref());
        let label = label.filter(|_| several);
        let name = label.map_or_else(|| base.clone(), |label| format!("{base}/{label}"));
        let same = pods.iter().filter(|pod| pod.name == name).count();
        let name = if same == 0 { name } else { format!("{name}-{}", same + 1) };
        let owner = above.last().copied();
        let claims = owner.and_then(|_| above.iter().rev().nth(1)).copied();
        let is_patch = manifest.is_plain() && (manifest.is_partial() || !has_images(spec));
        pods.push(Pod {
            name,
            namespace: &manifest.namespace,
            group: manifest.group(),
            spec,
            labels: owner.and_then(|owner| super::at(owner, &["metadata", "labels"])),
            annotations: annotations(owner, manifest),
            claims: claims.map(|spec| items(spec, "volumeClaimTemplates")).unwrap_or_default(),
            told_of: Vec::new(),
            is_open: !manifest.is_plain() || is_patch,
            is_idle: false,
            is_patch,
            names,
            model: None,
            by_default: false,
            alone: None,
        });
    }
    pods
}

/// `kind/name` of a document.
pub(super) fn base_name(manifest: &Manifest) -> String {
    let name = if manifest.name.is_empty() { "unnamed" } else { manifest.name.as_str() };
    format!("{}/{name}", manifest.kind.to_lowercase())
}

/// Keys below which no Pod is: they are of one, or tell of one that runs.
const OF_A_POD: [&str; 4] = ["containers", "initContainers", "ephemeralContainers", "status"];

struct Found<'m> {
    spec: &'m Node,
    /// The mappings above it, the document first.
    above: Vec<&'m Node>,
    label: Option<String>,
}

/// A document on the way through it.
struct Walk<'m> {
    is_plain: bool,
    /// The keys that lead to where it is.
    route: Vec<String>,
    found: Vec<Found<'m>>,
}

impl<'m> Walk<'m> {
    fn enter(&mut self, node: &'m Node, above: &[&'m Node]) {
        if let Some(entries) = node.as_mapping() {
            if self.is_pod(node) {
                let label = label(&self.route);
                self.found.push(Found { spec: node, above: above.to_vec(), label });
            }
            let inside: Vec<&Node> = above.iter().copied().chain([node]).collect();
            for (key, entry) in entries.iter().filter(|(key, _)| !OF_A_POD.contains(&key.as_str()))
            {
                self.route.push(key.clone());
                self.enter(&entry.value, &inside);
                self.route.pop();
            }
        }
        for item in node.as_sequence().into_iter().flatten() {
            let name = ["groupName", "name"].into_iter().find_map(|key| text(item, key));
            if let Some(name) = &name {
                self.route.push(name.value.clone());
            }
            self.enter(item, above);
            if name.is_some() {
                self.route.pop();
            }
        }
    }

    /// A list of mappings below `containers` that are named, or have an image where a controller may name
    /// them: a chart's values may have a number there.
    fn is_pod(&self, node: &Node) -> bool {
        let list = items(node, "containers");
        let is_known = |item: &Node| {
            text(item, "name").is_some() || !self.is_plain && text(item, "image").is_some()
        };
        let is_container = |item: &Node| item.as_mapping().is_some() && is_known(item);
        !list.is_empty() && list.iter().all(is_container)
    }
}

/// Whether each of its containers names an image, without which Kubernetes runs none.
fn has_images(spec: &Node) -> bool {
    let mut all = ["initContainers", "containers"].into_iter().flat_map(|key| items(spec, key));
    all.all(|container| text(container, "image").is_some())
}

fn label(route: &[String]) -> Option<String> {
    let telling = route.iter().filter(|key| !TELLS_NOTHING.contains(&key.as_str()));
    let shortened = telling.map(|key| {
        ["GroupSpecs", "GroupSpec", "Template", "Specs", "Spec"]
            .iter()
            .find_map(|ending| key.strip_suffix(ending).filter(|rest| !rest.is_empty()))
            .unwrap_or(key)
            .to_lowercase()
    });
    let label = shortened.collect::<Vec<_>>().join("-");
    (!label.is_empty()).then_some(label)
}

/// The annotations of a Pod below `owner`, and of its document where the Pod has no such.
pub(super) fn annotations<'m>(
    owner: Option<&'m Node>,
    manifest: &'m Manifest,
) -> Vec<(&'m str, &'m Node)> {
    let of = |node: &'m Node| {
        let found = super::at(node, &["metadata", "annotations"]).and_then(Node::as_mapping);
        let entries = found.into_iter().flatten();
        entries.map(|(key, entry)| (key.as_str(), &entry.value)).collect::<Vec<_>>()
    };
    let mut own = owner.map(of).unwrap_or_default();
    for (key, value) in of(&manifest.root) {
        if !own.iter().any(|(known, _)| *known == key) {
            own.push((key, value));
        }
    }
    own
}

impl<'m> Pod<'m> {
    /// The namespace in which its containers look for bare names; absent: somebody says names of their own,
    /// or the names server of the node is asked.
    fn looks_in(&self) -> Option<String> {
        let is_plain = |key: &str| self.spec.get(key).is_none_or(Node::is_null);
        let asks =
            text(self.spec, "dnsPolicy").is_none_or(|it| it.value.starts_with("ClusterFirst"));
        let is_usual = asks && is_plain("hostAliases") && is_plain("dnsConfig");
        (is_usual && !self.is_open && !self.is_on_host() && !self.is_injected())
            .then(|| self.namespace.to_owned())
    }

    /// Whether it asks for a container that somebody puts into it, which may have its own way with what comes
    /// in and goes out.
    pub(super) fn is_injected(&self) -> bool {
        let labels = self.labels.and_then(Node::as_mapping).into_iter().flatten();
        let annotated = self.annotations.iter().map(|(key, _)| *key);
        labels.map(|(key, _)| key.as_str()).chain(annotated).any(|key| key.contains("inject"))
    }

    /// Whether it has the addresses of its node.
    pub(super) fn is_on_host(&self) -> bool {
        hosts::is_on_host(self.spec)
    }

    /// Its containers, those first that run first.
    pub(super) fn members(&self) -> Vec<Member<'m>> {
        let init = self.listed("initContainers", "init-container", init_stage);
        let main = self.listed("containers", "user-container", |_| Stage::Main);
        let name = Cow::Borrowed(ALONE);
        let alone = self.alone.map(|node| Member { name, node, stage: Stage::Main });
        init.into_iter().chain(main).chain(alone).collect()
    }

    /// The containers below `key`. One that has no name is called as Knative calls it (knative/serving 1.23
    /// pkg/apis/serving/v1/revision_defaults.go, `applyDefaultContainerNames`); Kubernetes itself takes
    /// none such.
    fn listed(
        &self,
        key: &str,
        default: &'static str,
        stage: fn(&Node) -> Stage,
    ) -> Vec<Member<'m>> {
        let list = items(self.spec, key);
        let mut number = 0..;
        let mut name = |node: &'m Node| {
            if let Some(name) = node.get("name").and_then(Node::as_str) {
                return Some(Cow::Borrowed(name));
            }
            if is_own_group(self.group) {
                return None;
            }
            let mut numbered = || Some(Cow::Owned(format!("{default}-{}", number.next()?)));
            if list.len() == 1 { Some(Cow::Borrowed(default)) } else { numbered() }
        };
        let member = |node: &'m Node| Some(Member { name: name(node)?, node, stage: stage(node) });
        list.iter().filter_map(member).collect()
    }
}

/// An init container that is restarted runs beside the others (Kubernetes 1.29).
fn init_stage(node: &Node) -> Stage {
    match node.get("restartPolicy").and_then(Node::as_str) {
        Some("Always") => Stage::Sidecar,
        Some(_) | None => Stage::Init,
    }
}

impl Member<'_> {
    /// What the service is called.
    pub(super) fn service_name(&self, pod: &Pod<'_>) -> String {
        format!("{}/{}", pod.name, self.name)
    }

    /// What it is in its Pod.
    pub(super) fn in_pod(&self, pod: &Pod<'_>) -> InPod {
        InPod {
            pod: pod.name.clone(),
            container: self.name.clone().into_owned(),
            stage: self.stage,
            is_open: pod.is_open,
            looks_in: pod.looks_in(),
            told_of: pod.told_of.clone(),
            is_idle: pod.is_idle,
            hosts: hosts::hosts(pod.spec, &pod.names),
            names: pod.names.clone(),
            probes: probes::of(self.node),
        }
    }

    /// Its name, where it is written.
    pub(super) fn spanned_name(&self, pod: &Pod<'_>) -> Spanned<String> {
        let place = self.node.get("name").map_or(&self.node.place, |name| &name.place);
        Spanned::new(self.service_name(pod), place.clone())
    }
}

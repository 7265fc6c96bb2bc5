//! Where the `Service`s of the manifests lead, as far as that is certain from the documents alone
//! (kubernetes 1.34 pkg/api/v1/service/util.go; pkg/api/v1/pod/util.go, `FindPort`).

use super::manifest::Manifest;
use super::pods::Pod;
use super::{items, meets, text};
use crate::project::Stage;
use crate::project::compose::tree::Node;
use crate::project::doors::{Door, DoorPort};
use crate::source_map::Spanned;

/// What a Kustomization says that may give documents other names, or other contents.
const CHANGES: [&str; 12] = [
    "namePrefix",
    "nameSuffix",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "replacements",
    "vars",
    "transformers",
    "generators",
    "components",
    "helmCharts",
    "configurations",
];

/// A Pod as a `Service` looks for it.
pub(super) struct Labelled {
    namespace: String,
    labels: Vec<(String, String)>,
    /// Whether all that has its addresses is written, and what is called comes to it as it is sent.
    is_known: bool,
    /// The services that it is.
    containers: Vec<String>,
    /// The names of its ports.
    ports: Vec<(String, u16)>,
}

impl Labelled {
    pub(super) fn of(pod: &Pod<'_>) -> Self {
        let entries = pod.labels.and_then(Node::as_mapping).into_iter().flatten();
        let labels = entries.filter_map(|(key, entry)| Some((key.clone(), entry.value.printed()?)));
        let labels: Vec<(String, String)> = labels.collect();
        let members = pod.members();
        let running = || members.iter().filter(|member| member.stage != Stage::Init);
        Self {
            namespace: pod.namespace.to_owned(),
            labels,
            is_known: !pod.is_open && !pod.is_on_host() && !pod.is_injected(),
            containers: running().map(|member| member.service_name(pod)).collect(),
            ports: running().flat_map(|it| items(it.node, "ports")).filter_map(named).collect(),
        }
    }

    fn has(&self, (key, value): &(String, String)) -> bool {
        self.labels.iter().any(|(own, label)| own == key && label == value)
    }
}

/// The name of a container's port, and its number.
fn named(port: &Node) -> Option<(String, u16)> {
    let number = text(port, "containerPort")?.value.parse().ok()?;
    is_tcp(port).then_some((text(port, "name")?.value, number))
}

fn is_tcp(port: &Node) -> bool {
    text(port, "protocol").is_none_or(|protocol| protocol.value == "TCP")
}

/// The doors of the documents.
pub(super) fn of(manifests: &[Manifest], pods: &[Labelled]) -> Vec<Door> {
    if manifests.iter().any(changes_others) {
        return Vec::new();
    }
    let services: Vec<&Manifest> = manifests.iter().filter(|it| is_service(it)).collect();
    let is_only = |manifest: &Manifest| {
        let same = services.iter().filter(|other| {
            other.name == manifest.name && meets(&other.namespace, &manifest.namespace)
        });
        same.count() == 1
    };
    let certain = services.iter().filter(|it| is_only(it) && !is_rerouted(it, manifests));
    certain.filter_map(|manifest| door(manifest, pods)).collect()
}

/// The `Service`s of which the kubelet tells the containers of a Pod by variables (kubernetes 1.34
/// pkg/kubelet/kubelet_pods.go, `getServiceEnvVarMap`): those of its namespace that have an address.
pub(super) fn told_of(pod: &Pod<'_>, told: &[&Manifest]) -> Vec<Spanned<String>> {
    let links = pod.spec.get("enableServiceLinks").and_then(Node::as_bool);
    if links == Some(false) {
        return Vec::new();
    }
    let names = told.iter().filter(|manifest| manifest.namespace == pod.namespace);
    names.filter_map(|manifest| text(manifest.root.get("metadata")?, "name")).collect()
}

/// Those of which anybody is told; none where the documents are not the last word.
pub(super) fn told(manifests: &[Manifest]) -> Vec<&Manifest> {
    if manifests.iter().any(changes_others) {
        return Vec::new();
    }
    manifests.iter().filter(|manifest| is_service(manifest) && has_address(manifest)).collect()
}

fn has_address(manifest: &Manifest) -> bool {
    let Some(spec) = manifest.root.get("spec") else { return false };
    let is = |key: &str, value: &str| text(spec, key).is_some_and(|it| it.value == value);
    !is("type", "ExternalName") && !is("clusterIP", "None") && !items(spec, "ports").is_empty()
}

fn is_service(manifest: &Manifest) -> bool {
    manifest.version == "v1" && manifest.kind == "Service"
}

fn changes_others(manifest: &Manifest) -> bool {
    manifest.group() == "kustomize.config.k8s.io"
        && CHANGES.iter().any(|key| manifest.root.get(key).is_some())
}

/// Whether a mesh is told to send on what is meant for a `Service` in its own way.
fn is_rerouted(service: &Manifest, manifests: &[Manifest]) -> bool {
    let is_it = |host: String| host.split('.').next() == Some(service.name.as_str());
    manifests.iter().any(|manifest| {
        let Some(spec) = manifest.root.get("spec") else { return false };
        let mut hosts = items(spec, "hosts").iter().filter_map(Node::printed);
        let mut parents = items(spec, "parentRefs").iter();
        let mut is_parent = || {
            parents.any(|it| {
                let is_service = text(it, "kind").is_some_and(|kind| kind.value == "Service");
                is_service && text(it, "name").is_some_and(|name| is_it(name.value))
            })
        };
        match manifest.group() {
            "networking.istio.io" => hosts.any(is_it),
            "gateway.networking.k8s.io" => is_parent(),
            _ => false,
        }
    })
}

/// Absent: it is not certain where it leads.
fn door(manifest: &Manifest, pods: &[Labelled]) -> Option<Door> {
    let spec = manifest.root.get("spec")?;
    if text(spec, "type").is_some_and(|it| it.value == "ExternalName") {
        return None;
    }
    let selector = spec.get("selector").and_then(Node::as_mapping)?.iter();
    let selector = selector.map(|(key, entry)| Some((key.clone(), entry.value.printed()?)));
    let selector: Vec<(String, String)> = selector.collect::<Option<_>>()?;
    let is_behind = |pod: &&Labelled| {
        meets(&pod.namespace, &manifest.namespace) && selector.iter().all(|it| pod.has(it))
    };
    let mut behind = pods.iter().filter(is_behind);
    let (Some(pod), None) = (behind.next(), behind.next()) else { return None };
    if selector.is_empty() || !pod.is_known || pod.namespace != manifest.namespace {
        return None;
    }
    let is_headless = text(spec, "clusterIP").is_some_and(|it| it.value == "None");
    let listed = items(spec, "ports").iter().filter(|port| is_tcp(port));
    let ports: Option<Vec<DoorPort>> = listed.map(|port| door_port(port, pod)).collect();
    let ports = if is_headless { None } else { Some(ports.filter(|all| !all.is_empty())?) };
    let name = text(manifest.root.get("metadata")?, "name")?;
    Some(Door {
        name,
        namespace: manifest.namespace.clone(),
        behind: pod.containers.clone(),
        ports,
    })
}

fn door_port(port: &Node, pod: &Labelled) -> Option<DoorPort> {
    let said = text(port, "port")?;
    let number = Spanned::new(said.value.parse().ok()?, said.place.clone());
    let target = text(port, "targetPort").filter(|target| target.value != "0").unwrap_or(said);
    let named = || pod.ports.iter().find(|(name, _)| *name == target.value).map(|(_, it)| *it);
    let leads_to = target.value.parse().ok().or_else(named);
    Some(DoorPort { number, target, leads_to })
}

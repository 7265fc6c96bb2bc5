//! A container of a Pod as a [`Service`].

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::contents::Contents;
use super::environment::Variables;
use super::mounts::{self, Volumes};
use super::pods::{Member, Pod};
use super::{annotations, at, items, kserve, kuberay, placeholders, quantity, text};
use crate::path::{ServicePath, clean};
use crate::project::compose::tree::Node;
use crate::project::gpus;
use crate::project::{COMPLETED, Dependency, Port, Remark, Service, Stage};
use crate::source_map::{Place, Spanned};

/// What Kubernetes writes for resources that are GPUs.
const NVIDIA: &str = "nvidia.com/";
const AMD: &str = "amd.com/gpu";

/// More than any node has.
const MOST_GPUS: u64 = 64;

/// The condition under which a container waits for one that runs on.
const STARTED: &str = "service_started";

/// The service that a container is, and what is told of its values.
pub(super) fn service(
    pod: &Pod<'_>,
    member: &Member<'_>,
    before: &Before,
    (contents, volumes): (&Contents<'_>, &mut Volumes),
) -> (Service, Option<Remark>) {
    let node = member.node;
    let mut variables = Variables::of(node, contents, pod);
    let mut service = Service::named(member.spanned_name(pod));
    service.image = text(node, "image").or_else(|| kserve::server(pod, member));
    service.entrypoint = words(node, "command", &mut variables);
    service.command = words(node, "args", &mut variables);
    service.mounts = mounts::of(pod, member, &mut variables, (contents, volumes));
    let remark = placeholders::remark(pod, &service, &variables);
    service.placeholders = variables.placeholders;
    service.environment = variables.known;
    service.told_elsewhere = variables.elsewhere;
    service.may_tell = variables.open;
    service.labels = labels(pod, member);
    service.user = user(pod, node);
    service.group_add = groups(pod);
    service.root_reads_all = root_reads_all(node);
    service.working_dir = text(node, "workingDir")
        .map(|path| ServicePath::new(clean(std::path::Path::new(&path.value))));
    service.ports = items(node, "ports").iter().filter_map(port).collect();
    service.has_device = has_device(node);
    let root = at(node, &["securityContext", "readOnlyRootFilesystem"]);
    service.read_only_root =
        root.filter(|root| root.as_bool() == Some(true)).map(|root| root.place.clone());
    service.depends_on.clone_from(&before.waited);
    let mut in_pod = member.in_pod(pod);
    in_pod.is_open |= placeholders::has_unknown_mount(node);
    service.pod = Some(in_pod);
    kuberay::fill_in(pod, member, &mut service);
    if let Some(model) = pod.model.as_ref().filter(|model| model.is_of(&member.name)) {
        model.fill_in(&mut service);
    }
    (service, remark)
}

/// What the rest of a project is asked for by, in the terms of Compose.
pub(super) fn document(
    pod: &Pod<'_>,
    member: &Member<'_>,
    (first, service, before): (Option<&str>, &Service, &Before),
) -> Value {
    let limits = at(member.node, &["resources", "limits"]);
    let memory = limits.and_then(|limits| text(limits, "memory"));
    let memory = memory.and_then(|memory| quantity::amount(&memory.value));
    let has_others = pod.is_open || spans_pods(member.node);
    let gpus = Gpus { pod: &pod.name, first: before.gpus, has_others };
    let mut said = json!({
        "deploy": {"resources": {
            "limits": {"memory": memory},
            "reservations": {"devices": gpus.devices(limits)},
        }},
        // A container of a Pod has no swap unless its node is set up for it.
        "memswap_limit": memory,
        // Kubernetes does not run the health checks of images.
        "healthcheck": {"disable": true},
        "volumes": shared_memory(pod, member),
        "privileged": is_privileged(member.node),
        "cap_add": added(member.node),
    });
    let ports: Vec<String> = container_ports(member.node).map(|it| it.to_string()).collect();
    if !ports.is_empty() {
        said["expose"] = json!(ports);
    }
    if pod.is_on_host() {
        said["network_mode"] = json!("host");
    } else if let Some(first) = first.filter(|first| *first != service.name.value) {
        said["network_mode"] = json!(format!("service:{first}"));
    }
    if pod.spec.get("hostIPC").and_then(Node::as_bool) == Some(true) {
        said["ipc"] = json!("host");
    }
    if let Some(hook) = at(member.node, &["lifecycle", "postStart"]) {
        let words = hook.get("exec").map(|exec| items(exec, "command")).unwrap_or_default();
        let words: Vec<String> = words.iter().filter_map(Node::printed).collect();
        said["post_start"] = json!([{"command": words}]);
    }
    if let Some(runtime) = text(pod.spec, "runtimeClassName") {
        said["runtime"] = json!(runtime.value);
    }
    said
}

fn words(node: &Node, key: &str, variables: &mut Variables) -> Option<Vec<Spanned<String>>> {
    let list = items(node, key);
    // An empty list is none.
    (!list.is_empty()).then(|| list.iter().filter_map(|word| variables.word(word)).collect())
}

fn labels(pod: &Pod<'_>, member: &Member<'_>) -> IndexMap<String, Spanned<String>> {
    let mut labels = IndexMap::new();
    if pod.is_patch && ["image", "command", "args"].iter().all(|key| member.node.get(key).is_none())
    {
        // They are for the container that it is laid over.
        return labels;
    }
    for (name, node) in annotations::of(pod, member) {
        if let Some(value) = node.printed() {
            labels.insert(name.to_owned(), Spanned::new(value, node.place.clone()));
        }
    }
    labels
}

/// What the container says of a right comes before what its Pod says.
fn right<'n>(pod: &'n Pod<'_>, node: &'n Node, key: &str) -> Option<&'n Node> {
    let own = at(node, &["securityContext", key]).filter(|node| !node.is_null());
    own.or_else(|| at(pod.spec, &["securityContext", key]))
}

fn user(pod: &Pod<'_>, node: &Node) -> Option<Spanned<String>> {
    let user = right(pod, node, "runAsUser")?;
    let group = right(pod, node, "runAsGroup").and_then(Node::printed);
    let group = group.map(|group| format!(":{group}")).unwrap_or_default();
    Some(Spanned::new(format!("{}{group}", user.printed()?), user.place.clone()))
}

fn groups(pod: &Pod<'_>) -> Vec<String> {
    let Some(context) = pod.spec.get("securityContext") else { return Vec::new() };
    let more = items(context, "supplementalGroups").iter().filter_map(Node::printed);
    context.get("fsGroup").and_then(Node::printed).into_iter().chain(more).collect()
}

fn is_privileged(node: &Node) -> bool {
    at(node, &["securityContext", "privileged"]).and_then(Node::as_bool) == Some(true)
}

/// The capabilities that are added.
fn added(node: &Node) -> Vec<String> {
    let capabilities = at(node, &["securityContext", "capabilities"]);
    let added = capabilities.map(|it| items(it, "add")).unwrap_or_default();
    added.iter().filter_map(Node::printed).collect()
}

/// Whether root keeps the capability that lets it read what others own.
fn root_reads_all(node: &Node) -> bool {
    let Some(capabilities) = at(node, &["securityContext", "capabilities"]) else { return true };
    let has = |key: &str, names: &[&str]| {
        let mut listed = items(capabilities, key).iter().filter_map(Node::printed);
        listed.any(|it| names.contains(&it.to_uppercase().trim_start_matches("CAP_")))
    };
    let adds = has("add", &["ALL", "DAC_OVERRIDE", "DAC_READ_SEARCH"]);
    is_privileged(node) || adds || !has("drop", &["ALL", "DAC_OVERRIDE"])
}

/// The ports that a container says of itself.
fn container_ports(node: &Node) -> impl Iterator<Item = u16> {
    items(node, "ports").iter().filter_map(|port| text(port, "containerPort")?.value.parse().ok())
}

/// A port of the node that becomes one of the container.
fn port(node: &Node) -> Option<Port> {
    let number = |key: &str| node.get(key)?.printed()?.parse::<u16>().ok();
    Some(Port {
        target: number("containerPort")?,
        published: Some(number("hostPort")?),
        host_ip: text(node, "hostIP").map(|address| address.value),
        is_fixed: text(node, "protocol").is_none_or(|protocol| protocol.value == "TCP"),
        place: node.place.clone(),
    })
}

/// What stands before a container in its Pod.
#[derive(Default)]
pub(super) struct Before {
    /// Every container waits until the init containers before it have succeeded, and until those have
    /// started that run on.
    waited: Vec<Dependency>,
    /// GPUs of those that run beside it.
    gpus: u64,
}

impl Before {
    /// Goes on to the next container.
    pub(super) fn add(&mut self, pod: &Pod<'_>, member: &Member<'_>) {
        let condition = match member.stage {
            Stage::Init => Some(COMPLETED),
            Stage::Sidecar => Some(STARTED),
            Stage::Main => None,
        };
        self.waited.extend(condition.map(|condition| Dependency {
            service: member.service_name(pod),
            condition: condition.to_owned(),
            required: true,
            place: Place::nowhere(),
        }));
        if member.stage != Stage::Init {
            let gpus = gpus_of(at(member.node, &["resources", "limits"])).map(|(_, count)| count);
            self.gpus = gpus.fold(self.gpus, u64::saturating_add);
        }
    }
}

/// What words of a container hold that starts a part of an engine which runs in several Pods.
const OF_SEVERAL: [&str; 7] =
    ["ray start", "ray_cluster", "multi-node", "nnodes", "node-rank", "LWS_", "RAY_"];

/// Whether the engine may have GPUs of other Pods as well.
fn spans_pods(node: &Node) -> bool {
    let texts = |key: &str| items(node, key).iter().filter_map(Node::printed);
    let names = items(node, "env").iter().filter_map(|item| Some(text(item, "name")?.value));
    let mut all = texts("command").chain(texts("args")).chain(names);
    all.any(|text| OF_SEVERAL.iter().any(|word| text.contains(word)))
}

/// Whether the container is given a device that its node has: what only nodes with such have is called
/// `VENDOR/NAME`, and what is claimed is one as well.
fn has_device(node: &Node) -> bool {
    let limits = at(node, &["resources", "limits"]).and_then(Node::as_mapping);
    let mut names = limits.into_iter().flatten().map(|(name, _)| name);
    let claims = at(node, &["resources"]).is_some_and(|it| !items(it, "claims").is_empty());
    claims || names.any(|name| name.contains('/'))
}

/// What drives GPUs that a container is limited to, and how many they are.
fn gpus_of(limits: Option<&Node>) -> impl Iterator<Item = (&'static str, u64)> {
    let entries = limits.and_then(Node::as_mapping).into_iter().flatten();
    entries.filter_map(|(name, entry)| {
        let driver = if name.starts_with(NVIDIA) {
            "nvidia"
        } else if name.starts_with(AMD) {
            "amd"
        } else {
            return None;
        };
        let said = entry.value.printed()?;
        let unknown = || placeholders::is_unfilled(&said).then_some(MOST_GPUS);
        let count = quantity::amount(&said).or_else(unknown).filter(|count| *count > 0)?;
        Some((driver, count.min(MOST_GPUS)))
    })
}

/// The GPUs of a container: nobody else has them, and which they are its node decides.
struct Gpus<'a> {
    pod: &'a str,
    /// How many others of its Pod have.
    first: u64,
    /// Whether its engine may have those of other Pods: what it is limited to says nothing then.
    has_others: bool,
}

impl Gpus<'_> {
    fn devices(&self, limits: Option<&Node>) -> Vec<Value> {
        let gpus = gpus_of(limits).map(|(driver, count)| {
            let count = if self.has_others { MOST_GPUS } else { count };
            let ids: Vec<String> = (self.first..self.first.saturating_add(count))
                .map(|number| gpus::of_pod(self.pod, number))
                .collect();
            json!({"driver": driver, "device_ids": ids, "capabilities": ["gpu"]})
        });
        gpus.collect()
    }
}

/// What is mounted as `/dev/shm`, as Compose says it.
fn shared_memory(pod: &Pod<'_>, member: &Member<'_>) -> Vec<Value> {
    let is_there = |node: &&Node| {
        text(node, "mountPath").is_some_and(|it| it.value.trim_end_matches('/') == "/dev/shm")
    };
    let Some(mount) = items(member.node, "volumeMounts").iter().find(is_there) else {
        return Vec::new();
    };
    let name = text(mount, "name").map(|name| name.value).unwrap_or_default();
    let volume = super::named(items(pod.spec, "volumes"), &name);
    let Some(empty) = volume.and_then(|volume| volume.get("emptyDir")) else {
        return vec![json!({"type": "volume", "target": "/dev/shm"})];
    };
    let size = text(empty, "sizeLimit").and_then(|size| quantity::amount(&size.value));
    vec![json!({"type": "tmpfs", "target": "/dev/shm", "tmpfs": {"size": size}})]
}

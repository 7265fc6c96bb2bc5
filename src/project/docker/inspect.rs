//! Containers and volumes as Docker resolved them: its answers into our types. Pure.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerInspectResponse, ContainerState, EndpointSettings, HostConfig, Mount as MountRequest,
    MountPoint, PortMap, Volume,
};
use indexmap::IndexMap;

use super::{Container, Health, State, devices, label, timestamp};
use crate::path::{HostPath, ServicePath, clean};
use crate::project::{Dependency, MemoryLimit, Mount, MountSource, SharedMemory};
use crate::source_map::Place;

/// What is kept of a health probe's output, from its end.
const OUTPUT_KEPT: usize = 1024;

/// Digits of the name that Docker gives a volume without one.
const ANONYMOUS_NAME_LENGTH: usize = 64;

/// An inspected container; absent if the answer names none.
pub(super) fn container(response: ContainerInspectResponse) -> Option<Container> {
    let id = response.id.filter(|id| !id.is_empty())?;
    let config = response.config.unwrap_or_default();
    let host = response.host_config.unwrap_or_default();
    let labels = sorted(config.labels.unwrap_or_default());
    let network = response.network_settings.unwrap_or_default();
    let mounts = mounts(response.mounts.unwrap_or_default(), &host);
    Some(Container {
        id,
        name: response.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        project: labels.get(label::PROJECT).cloned(),
        service: labels.get(label::SERVICE).cloned(),
        image: config.image.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        environment: environment(&config.env.unwrap_or_default()),
        shared_memory: shared_memory(&host, &mounts),
        memory_limit: memory_limit(&host),
        mounts,
        volumes_from: host.volumes_from.clone().unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        group_add: host.group_add.clone().unwrap_or_default(),
        working_dir: config.working_dir.filter(|path| !path.is_empty()).map(ServicePath::new),
        depends_on: dependencies(labels.get(label::DEPENDS_ON).map_or("", String::as_str)),
        restart: restart(&host),
        hardware: devices::hardware(&host),
        published: published(network.ports.unwrap_or_default()),
        address: address(network.networks.unwrap_or_default()),
        created: response.created.as_deref().and_then(timestamp::parse),
        state: state(response.state.unwrap_or_default(), response.restart_count.unwrap_or(0)),
        labels,
    })
}

/// As Compose writes it: `on-failure:3` where the number of attempts is limited.
fn restart(host: &HostConfig) -> String {
    let policy = host.restart_policy.as_ref();
    let name = policy.and_then(|policy| policy.name).map(|name| name.to_string());
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "no".to_owned());
    match policy.and_then(|policy| policy.maximum_retry_count) {
        Some(attempts) if attempts > 0 => format!("{name}:{attempts}"),
        Some(_) | None => name,
    }
}

/// What is mounted over `/dev/shm`, else what Docker has made there.
fn shared_memory(host: &HostConfig, mounts: &[Mount]) -> SharedMemory {
    let options = host.tmpfs.iter().flatten();
    let mut options = options.filter(|(target, _)| SharedMemory::is_at(Path::new(target)));
    let tmpfs = options.next().map(|(_, options)| options.as_str());
    let own = SharedMemory::of_container(host.shm_size, host.ipc_mode.as_deref(), tmpfs);
    let over = mounts.iter().find(|mount| SharedMemory::is_at(mount.target.as_path()));
    over.filter(|_| tmpfs.is_none()).map_or(own, |mount| SharedMemory::mounted(&mount.source))
}

fn memory_limit(host: &HostConfig) -> MemoryLimit {
    let mut limits = host.ulimits.iter().flatten();
    let lock = limits.find(|limit| limit.name.as_deref() == Some("memlock"));
    let may_lock = lock.is_some_and(|limit| limit.hard == Some(-1));
    MemoryLimit::of_container(host.memory, host.memory_swap, may_lock)
}

/// The first binding of each TCP port; any address of the host is its own.
fn published(ports: PortMap) -> BTreeMap<u16, String> {
    let published = ports.into_iter().filter_map(|(port, bindings)| {
        let target = port.strip_suffix("/tcp")?.parse().ok()?;
        let binding = bindings?.into_iter().next()?;
        let address = binding.host_ip.filter(|ip| !matches!(ip.as_str(), "" | "0.0.0.0" | "::"));
        let address = address.unwrap_or_else(|| "127.0.0.1".to_owned());
        let address = if address.contains(':') { format!("[{address}]") } else { address };
        Some((target, format!("{address}:{}", binding.host_port?)))
    });
    published.collect()
}

fn address(networks: HashMap<String, EndpointSettings>) -> Option<String> {
    let mut networks: Vec<_> = networks.into_iter().collect();
    networks.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut addresses = networks.into_iter().filter_map(|(_, network)| network.ip_address);
    addresses.find(|address| !address.is_empty())
}

/// The host folder that a volume of the `local` driver stands for; absent for one that is a folder
/// of Docker's own, or a file system of its own.
pub(super) fn volume_device(volume: &Volume) -> Option<HostPath> {
    let option = |name: &str| volume.options.get(name).map(String::as_str);
    let binds = option("o")?.split(',').any(|word| matches!(word.trim(), "bind" | "rbind"));
    let device = Path::new(option("device")?);
    (volume.driver == "local" && binds && device.is_absolute())
        .then(|| HostPath::new(clean(device)))
}

/// `KEY=VALUE`, or `KEY` for a variable that Compose takes out of the image's environment.
pub(super) fn environment(entries: &[String]) -> IndexMap<String, Option<String>> {
    entries
        .iter()
        .map(|entry| match entry.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (entry.clone(), None),
        })
        .collect()
}

/// `service:condition:restart,...` (docker/compose 2.40.3 pkg/compose/create.go). Whether an edge is
/// required is not written down, so all are.
fn dependencies(text: &str) -> Vec<Dependency> {
    text.split(',')
        .filter_map(|edge| {
            let mut parts = edge.split(':');
            let service = parts.next().map(str::trim).filter(|service| !service.is_empty())?;
            let condition = parts.next().filter(|condition| !condition.is_empty());
            Some(Dependency {
                service: service.to_owned(),
                condition: condition.unwrap_or("service_started").to_owned(),
                required: true,
                place: Place::nowhere(),
            })
        })
        .collect()
}

/// The mounts in Docker's order of targets, and the `tmpfs` ones that it keeps elsewhere.
fn mounts(points: Vec<MountPoint>, host: &HostConfig) -> Vec<Mount> {
    let requests: HashMap<&str, &MountRequest> = host
        .mounts
        .iter()
        .flatten()
        .filter_map(|request| Some((request.target.as_deref()?, request)))
        .collect();
    let mut mounts: Vec<Mount> = points
        .into_iter()
        .filter_map(|point| {
            let target = point.destination.clone()?;
            let request = requests.get(target.as_str()).copied();
            Some(Mount {
                source: mount_source(&point, request),
                target: ServicePath::new(clean(Path::new(&target))),
                read_only: point.rw == Some(false),
                place: Place::nowhere(),
            })
        })
        .collect();
    for target in host.tmpfs.iter().flatten().map(|(target, _)| clean(Path::new(target))) {
        if mounts.iter().all(|mount| mount.target.as_path() != target) {
            mounts.push(Mount {
                source: MountSource::Tmpfs,
                target: ServicePath::new(target),
                read_only: false,
                place: Place::nowhere(),
            });
        }
    }
    mounts.sort_by(|one, other| one.target.cmp(&other.target));
    mounts
}

fn mount_source(point: &MountPoint, request: Option<&MountRequest>) -> MountSource {
    match point.typ.as_deref().unwrap_or("") {
        "bind" => MountSource::Bind {
            path: HostPath::new(clean(Path::new(point.source.as_deref().unwrap_or("")))),
            create_host_path: creates_host_path(request),
        },
        "volume" => match point.name.as_deref() {
            Some(name) if !is_anonymous(name) => MountSource::Volume {
                name: name.to_owned(),
                subpath: request
                    .and_then(|request| request.volume_options.as_ref()?.subpath.as_deref())
                    .filter(|subpath| !subpath.is_empty())
                    .map(PathBuf::from),
            },
            Some(_) | None => MountSource::Anonymous,
        },
        "tmpfs" => MountSource::Tmpfs,
        other => MountSource::Other(other.to_owned()),
    }
}

/// What came as a `Mounts` entry is refused when its source is missing, unless it asks otherwise;
/// what came as a `Binds` entry is made (moby daemon/volume/mounts/linux_parser.go).
fn creates_host_path(request: Option<&MountRequest>) -> bool {
    request.is_none_or(|request| {
        let options = request.bind_options.as_ref();
        options.and_then(|options| options.create_mountpoint).unwrap_or(false)
    })
}

fn is_anonymous(name: &str) -> bool {
    name.len() == ANONYMOUS_NAME_LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn state(state: ContainerState, restart_count: i64) -> State {
    let health = state.health.and_then(|health| {
        let status = health.status.map(|status| status.to_string())?;
        let last = health.log.and_then(|mut log| log.pop()).and_then(|probe| probe.output);
        (!matches!(status.as_str(), "" | "none"))
            .then(|| Health { status, last_output: end(last.as_deref().unwrap_or("").trim()) })
    });
    State {
        status: state.status.map(|status| status.to_string()).unwrap_or_default(),
        exit_code: state.exit_code.unwrap_or(0),
        ended: state.finished_at.as_deref().and_then(timestamp::parse),
        oom_killed: state.oom_killed.unwrap_or(false),
        restart_count,
        error: state.error.unwrap_or_default(),
        health,
    }
}

/// The last kilobyte, where a program says what it died of.
fn end(text: &str) -> String {
    let start = text.ceil_char_boundary(text.len().saturating_sub(OUTPUT_KEPT));
    text.get(start..).unwrap_or("").to_owned()
}

pub(super) fn sorted(map: HashMap<String, String>) -> IndexMap<String, String> {
    let mut map: IndexMap<String, String> = map.into_iter().collect();
    map.sort_keys();
    map
}

#[cfg(test)]
mod tests;

//! What Docker and its host have for services that want more than processor and memory.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{HostConfig, SystemInfo, SystemVersion};

use super::archive::has_host_path;
use super::connection::Connection;
use super::machine::Identity;
use super::{DockerError, DockerFacts, MemoryFacts};
use crate::options::DockerOptions;
use crate::path::HostPath;
use crate::project::{DeviceRequest, Hardware};

/// The files by which a driver of NVIDIA is known: of Linux itself, and below Windows.
pub const NVIDIA_FILES: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];

/// The most device files that are asked about.
const MOST_FILES: usize = 32;

/// What a container asks for.
pub(super) fn hardware(host: &HostConfig) -> Hardware {
    let requests = host.device_requests.iter().flatten().map(|request| DeviceRequest {
        driver: request.driver.clone().unwrap_or_default(),
        capabilities: request.capabilities.iter().flatten().flatten().cloned().collect(),
        ids: request.device_ids.clone().unwrap_or_default(),
        count: request.count,
    });
    let devices = host.devices.iter().flatten().filter_map(|device| device.path_on_host.clone());
    Hardware {
        requests: requests.collect(),
        runtime: host.runtime.clone().filter(|runtime| !runtime.is_empty()),
        devices: devices.collect(),
    }
}

/// What Docker has, as far as it tells.
pub(super) async fn available(connection: &Connection, version: &SystemVersion) -> DockerFacts {
    let info = connection.ask("GET /info", connection.docker.info()).await.ok();
    info.map(|info| of_info(info, version)).unwrap_or_default()
}

/// Asks whether the host has the device files that are `wanted`, and, for a GPU, those of its driver.
///
/// # Errors
/// When Docker cannot be asked at all.
pub async fn ask(
    options: &DockerOptions,
    wanted: impl Iterator<Item = &Hardware>,
    facts: &mut DockerFacts,
) -> Result<(), DockerError> {
    look_for(&Connection::open(options)?, wanted, facts).await;
    Ok(())
}

pub(super) async fn look_for(
    connection: &Connection,
    wanted: impl Iterator<Item = &Hardware>,
    facts: &mut DockerFacts,
) {
    let mut files = BTreeSet::new();
    for hardware in wanted {
        if hardware.requests_gpu() {
            files.extend(NVIDIA_FILES.map(str::to_owned));
        }
        files.extend(hardware.device_files().map(str::to_owned));
    }
    files.retain(|file| !facts.host_files.contains_key(file));
    for file in files.into_iter().take(MOST_FILES) {
        match has_host_path(connection, &HostPath::new(file.as_str())).await {
            Some(here) => facts.host_files.insert(file, here),
            None => break,
        };
    }
}

fn of_info(info: SystemInfo, version: &SystemVersion) -> DockerFacts {
    let mut runtimes: Vec<String> = info.runtimes.unwrap_or_default().into_keys().collect();
    runtimes.sort_unstable();
    let options = info.security_options.unwrap_or_default();
    let knows_cdi = is_docker(version).then(|| info.cdi_spec_dirs.is_some_and(|it| !it.is_empty()));
    // An empty list comes as none (moby 28, api/types/system/info.go).
    let nothing = || (knows_cdi == Some(true) && lists_devices(version)).then(Vec::new);
    let devices = info.discovered_devices.or_else(nothing);
    let found = devices.map(|devices| {
        let cdi = devices.into_iter().filter(|it| it.source.as_deref() == Some("cdi"));
        cdi.filter_map(|device| device.id).collect()
    });
    DockerFacts {
        runtimes: (!runtimes.is_empty()).then_some(runtimes),
        default_runtime: info.default_runtime.filter(|runtime| !runtime.is_empty()),
        knows_cdi,
        cdi_devices: found,
        identity: info
            .name
            .zip(info.kernel_version)
            .map(|(name, kernel)| Identity { name, kernel }),
        maps_users: options
            .iter()
            .any(|option| matches!(option.as_str(), "name=userns" | "name=rootless")),
        memory: MemoryFacts {
            total: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()),
            limits: info.memory_limit,
            limits_swap: info.swap_limit,
        },
        host_files: BTreeMap::new(),
    }
}

/// Whether it is the Docker Engine and not something that answers as it does.
fn is_docker(version: &SystemVersion) -> bool {
    version.components.iter().flatten().any(|component| component.name == "Engine")
}

/// Whether it tells which devices it has found (API 1.50).
fn lists_devices(version: &SystemVersion) -> bool {
    let number = version.api_version.as_deref().and_then(|it| it.split_once('.'));
    let number = number
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    number.is_some_and(|number| (1, 50) <= number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_does_not_tell_is_not_known() {
        let facts = of_info(SystemInfo::default(), &SystemVersion::default());
        assert_eq!((facts.runtimes, facts.cdi_devices, facts.maps_users), (None, None, false));
        assert_eq!(facts.knows_cdi, None);
    }

    #[test]
    fn runtimes_devices_and_user_namespaces_are_read() {
        let info = serde_json::json!({
            "Runtimes": {"runc": {"path": "runc"}, "nvidia": {"path": "nvidia-container-runtime"}},
            "DefaultRuntime": "runc",
            "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
            "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}, {"Source": "x"}],
        });
        let facts = of_info(serde_json::from_value(info).unwrap(), &SystemVersion::default());
        assert_eq!(facts.runtimes.unwrap(), ["nvidia", "runc"]);
        assert_eq!(facts.default_runtime.unwrap(), "runc");
        assert_eq!(facts.cdi_devices.unwrap(), ["nvidia.com/gpu=all"]);
        assert!(facts.maps_users);
    }

    #[test]
    fn whether_docker_knows_the_container_device_interface_is_told_by_where_it_looks() {
        let told = |engine: &str, api: &str, folders: serde_json::Value| {
            let component = serde_json::json!({"Name": engine, "Version": "1"});
            let version = serde_json::json!({"ApiVersion": api, "Components": [component]});
            let info = serde_json::json!({"CDISpecDirs": folders, "DiscoveredDevices": null});
            let version = serde_json::from_value(version).unwrap();
            let facts = of_info(serde_json::from_value(info).unwrap(), &version);
            (facts.knows_cdi, facts.cdi_devices)
        };
        let folders = || serde_json::json!(["/etc/cdi", "/var/run/cdi"]);
        assert_eq!(told("Engine", "1.41", serde_json::Value::Null), (Some(false), None));
        assert_eq!(told("Engine", "1.45", serde_json::json!([])), (Some(false), None));
        assert_eq!(told("Engine", "1.45", folders()), (Some(true), None));
        assert_eq!(told("Engine", "1.51", folders()), (Some(true), Some(Vec::new())));
        assert_eq!(told("Podman Engine", "1.41", serde_json::Value::Null), (None, None));
    }

    #[test]
    fn a_container_tells_what_it_asks_for() {
        let host = serde_json::json!({
            "Runtime": "nvidia",
            "DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}],
            "Devices": [{"PathOnHost": "/dev/kfd", "PathInContainer": "/dev/kfd"}],
        });
        let hardware = hardware(&serde_json::from_value(host).unwrap());
        assert!(hardware.requests_gpu());
        assert_eq!(hardware.runtime.as_deref(), Some("nvidia"));
        assert_eq!(hardware.device_files().collect::<Vec<_>>(), ["/dev/kfd"]);
    }
}

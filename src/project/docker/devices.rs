//! What Docker and its host have for services that want more than processor and memory.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{HostConfig, SystemInfo};

use super::archive::has_host_path;
use super::connection::Connection;
use super::machine::Identity;
use super::{Container, DockerFacts};
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
    });
    let devices = host.devices.iter().flatten().filter_map(|device| device.path_on_host.clone());
    Hardware {
        requests: requests.collect(),
        runtime: host.runtime.clone().filter(|runtime| !runtime.is_empty()),
        devices: devices.collect(),
    }
}

/// What Docker has, as far as it tells, for `containers`.
pub(super) async fn available(
    connection: &Connection,
    containers: impl Iterator<Item = &Container>,
) -> DockerFacts {
    let info = connection.ask("GET /info", connection.docker.info()).await.ok();
    let mut facts = info.map(of_info).unwrap_or_default();
    let mut files = BTreeSet::new();
    for container in containers {
        if container.hardware.requests_gpu() {
            files.extend(NVIDIA_FILES.map(str::to_owned));
        }
        files.extend(container.hardware.device_files().map(str::to_owned));
    }
    for file in files.into_iter().take(MOST_FILES) {
        match has_host_path(connection, &HostPath::new(file.as_str())).await {
            Some(here) => facts.host_files.insert(file, here),
            None => break,
        };
    }
    facts
}

fn of_info(info: SystemInfo) -> DockerFacts {
    let mut runtimes: Vec<String> = info.runtimes.unwrap_or_default().into_keys().collect();
    runtimes.sort_unstable();
    let options = info.security_options.unwrap_or_default();
    let found = info.discovered_devices.map(|devices| {
        let cdi = devices.into_iter().filter(|it| it.source.as_deref() == Some("cdi"));
        cdi.filter_map(|device| device.id).collect()
    });
    DockerFacts {
        runtimes: (!runtimes.is_empty()).then_some(runtimes),
        cdi_devices: found,
        identity: info
            .name
            .zip(info.kernel_version)
            .map(|(name, kernel)| Identity { name, kernel }),
        maps_users: options
            .iter()
            .any(|option| matches!(option.as_str(), "name=userns" | "name=rootless")),
        host_files: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_does_not_tell_is_not_known() {
        let facts = of_info(SystemInfo::default());
        assert_eq!((facts.runtimes, facts.cdi_devices, facts.maps_users), (None, None, false));
    }

    #[test]
    fn runtimes_devices_and_user_namespaces_are_read() {
        let info = serde_json::json!({
            "Runtimes": {"runc": {"path": "runc"}, "nvidia": {"path": "nvidia-container-runtime"}},
            "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
            "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}, {"Source": "x"}],
        });
        let facts = of_info(serde_json::from_value(info).unwrap());
        assert_eq!(facts.runtimes.unwrap(), ["nvidia", "runc"]);
        assert_eq!(facts.cdi_devices.unwrap(), ["nvidia.com/gpu=all"]);
        assert!(facts.maps_users);
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

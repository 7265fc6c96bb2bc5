//! What Docker hands to a service.

use super::Gpu;
use crate::project::Hardware;
use crate::project::hardware::DeviceRequest;

/// The kind of device that NVIDIA's own tools describe for the Container Device Interface.
const NVIDIA_CDI: &str = "nvidia.com/gpu=";

/// The GPUs that Docker hands to a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handed {
    /// All that the host has.
    All,
    /// Exactly these, each once, in order.
    These(Vec<Gpu>),
}

impl Handed {
    /// What is asked for in `hardware`; absent: nothing. `nvidia` is what `NVIDIA_VISIBLE_DEVICES` says,
    /// which counts only where NVIDIA's runtime is asked for and nothing else (NVIDIA Container
    /// Toolkit 1.18).
    pub(super) fn of(
        hardware: &Hardware,
        nvidia: Option<&str>,
    ) -> Result<Option<Self>, &'static str> {
        let requests = hardware.requests.iter().filter(|request| request.is_for_gpu());
        let mut asked: Vec<Option<Self>> = requests.map(Self::of_request).collect();
        let names: Vec<&str> = hardware.cdi_names().collect();
        if !names.is_empty() {
            asked.push(Self::of_names(&names)?);
        }
        if asked.is_empty() {
            return Self::of_runtime(hardware, nvidia);
        }
        let first = asked.swap_remove(0);
        // Of several requests for NVIDIA's hook the last counts, of those for the Container Device
        // Interface all do.
        if asked.into_iter().all(|other| other == first) {
            Ok(first)
        } else {
            Err("it asks for GPUs more than once")
        }
    }

    /// `count: N` is the GPUs 0 to N-1, whoever else has them (moby 28.5 daemon/nvidia_linux.go
    /// `countToDevices`).
    fn of_request(request: &DeviceRequest) -> Option<Self> {
        if !request.ids.is_empty() {
            return Some(Self::these(request.ids.iter().map(|id| gpu(id)).collect()));
        }
        match request.count {
            Some(0) => None,
            Some(count) => match u64::try_from(count) {
                Ok(count) => Some(Self::these((0..count.min(MOST)).map(Gpu::Index).collect())),
                Err(_) => Some(Self::All),
            },
            // Compose fills it in (docker/compose 2.40.3, compose-go types/device.go).
            None => Some(Self::All),
        }
    }

    fn of_names(names: &[&str]) -> Result<Option<Self>, &'static str> {
        let ids: Option<Vec<&str>> =
            names.iter().map(|name| name.strip_prefix(NVIDIA_CDI)).collect();
        let ids = ids.ok_or("it asks for devices of a kind that is not known here")?;
        if ids.contains(&"all") {
            return Ok(Some(Self::All));
        }
        Ok(Some(Self::these(ids.into_iter().map(gpu).collect())))
    }

    fn of_runtime(hardware: &Hardware, nvidia: Option<&str>) -> Result<Option<Self>, &'static str> {
        let runtime = hardware.runtime.as_deref();
        let is_nvidia = runtime.is_some_and(|runtime| runtime.contains("nvidia"));
        match nvidia.map(str::trim) {
            _ if !is_nvidia && runtime.is_some() => Self::of_files(hardware),
            Some("" | "void" | "none") if is_nvidia => Ok(None),
            Some("all") if is_nvidia => Ok(Some(Self::All)),
            Some(ids) if is_nvidia => {
                Ok(Some(Self::these(ids.split(',').map(|id| gpu(id.trim())).collect())))
            }
            None if is_nvidia => {
                Err("what its image says of `NVIDIA_VISIBLE_DEVICES` is not known")
            }
            // Docker's default runtime may be NVIDIA's.
            Some(said) if !matches!(said, "" | "void" | "none") && hardware.devices.is_empty() => {
                Err("whether Docker's default runtime is NVIDIA's is not known")
            }
            _ => Self::of_files(hardware),
        }
    }

    /// Device files: `/dev/dri` is every GPU of AMD and Intel, `/dev/nvidia0` is one of NVIDIA.
    fn of_files(hardware: &Hardware) -> Result<Option<Self>, &'static str> {
        let mut files: Vec<&str> = hardware.device_files().collect();
        files.retain(|file| is_of_gpu(file));
        if files.iter().any(|file| file.trim_end_matches('/') == "/dev/dri") {
            return Ok(Some(Self::All));
        }
        let named = files.into_iter().map(|file| Gpu::Named(file.to_owned())).collect::<Vec<_>>();
        Ok((!named.is_empty()).then(|| Self::these(named)))
    }

    fn these(mut gpus: Vec<Gpu>) -> Self {
        gpus.sort_unstable();
        gpus.dedup();
        Self::These(gpus)
    }

    /// How many they are, if the host has `host`; absent: not known.
    #[must_use]
    pub fn count(&self, host: Option<u64>) -> Option<u64> {
        match self {
            Self::All => host,
            Self::These(gpus) => u64::try_from(gpus.len()).ok(),
        }
    }
}

/// More than any host has; so many are told apart.
const MOST: u64 = 64;

fn gpu(id: &str) -> Gpu {
    id.parse().map_or_else(|_| Gpu::Named(id.to_owned()), Gpu::Index)
}

fn is_of_gpu(file: &str) -> bool {
    let numbered =
        |prefix: &str| file.strip_prefix(prefix).is_some_and(|rest| rest.parse::<u16>().is_ok());
    file.trim_end_matches('/') == "/dev/dri"
        || numbered("/dev/dri/renderD")
        || numbered("/dev/nvidia")
}

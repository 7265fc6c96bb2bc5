//! Which GPUs a service sees: what Docker hands in, and what the variables of its process leave of
//! that. Pure.

mod handed;
mod visible;

pub use handed::Handed;
pub use visible::{Visible, VisibleBy};

use crate::project::Hardware;

/// One GPU, as far as it can be told from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gpu {
    /// By the index that Docker and the driver have for it: the order of the PCI bus.
    Index(u64),
    /// By a name that only it has: a UUID, an instance of MIG, a device file.
    Named(String),
    /// The one that a process numbers so, out of what is handed to its service. CUDA numbers unlike
    /// cards by their speed, unless `CUDA_DEVICE_ORDER` says `PCI_BUS_ID`.
    Numbered {
        /// Counted from 0.
        number: u64,
        /// What is handed in.
        of: Handed,
    },
}

/// What is known about the GPUs of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostGpus {
    /// How many there are; absent: not known.
    pub count: Option<u64>,
    /// Whether they are known to be of one kind, so that CUDA numbers them as the driver does.
    pub alike: bool,
}

/// The GPUs that a process of a service sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpus {
    /// None is handed in.
    None,
    /// These.
    Seen(Visible),
    /// It cannot be told, and why.
    Unknown(&'static str),
}

/// What the GPU of a Pod with this number is called: which of its node it is, is for its node to say.
#[must_use]
pub fn of_pod(pod: &str, number: u64) -> String {
    format!("{pod}#{number}")
}

/// The number of a GPU in its Pod; absent: it is no GPU of a Pod.
#[must_use]
pub fn number_in_pod(name: &str) -> Option<usize> {
    name.rsplit_once('#')?.1.parse().ok()
}

impl Gpus {
    /// Those of a service with this `hardware`. `nvidia` is what `NVIDIA_VISIBLE_DEVICES` is set to
    /// for its container, by the service or its image; `by` what its process is told.
    #[must_use]
    pub fn of(
        hardware: &Hardware,
        nvidia: Option<&str>,
        by: &VisibleBy<'_>,
        host: HostGpus,
    ) -> Self {
        match Handed::of(hardware, nvidia) {
            Ok(Some(handed)) => match Visible::of(handed, by, host) {
                Ok(visible) => Self::Seen(visible),
                Err(why) => Self::Unknown(why),
            },
            Ok(None) => Self::None,
            Err(why) => Self::Unknown(why),
        }
    }

    /// Those that are seen; absent: none, or that is not known.
    #[must_use]
    pub fn seen(&self) -> Option<&Visible> {
        match self {
            Self::Seen(visible) => Some(visible),
            Self::None | Self::Unknown(_) => None,
        }
    }
}

impl HostGpus {
    /// What the names of the Container Device Interface that Docker has found tell of the GPUs of
    /// NVIDIA: each has its index among them. Of none nothing is known.
    #[must_use]
    pub fn of_cdi<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let indices = names.filter_map(|name| name.strip_prefix("nvidia.com/gpu="));
        let count = indices.filter(|name| name.parse::<u64>().is_ok()).count();
        Self { count: u64::try_from(count).ok().filter(|count| *count > 0), alike: count == 1 }
    }
}

#[cfg(test)]
mod tests;

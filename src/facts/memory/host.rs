//! How much memory of the host the container of a lane can have. Pure, but for [`HostMemory::look`].

use std::path::Path;

use crate::facts::ProjectFacts;
use crate::project::MemoryLimit;
use crate::project::docker::MemoryFacts;
use crate::project::mounts::Standpoint;
use crate::regular_file;

/// More than the kernel says of its memory.
const LONGEST: u64 = 64 << 10;

/// The memory of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostMemory {
    /// Bytes; absent: not known.
    pub total: Option<u64>,
    /// Bytes of its swap; absent: not known.
    pub swap: Option<u64>,
}

/// How much of the host's memory a container can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostRoom {
    /// Bytes.
    pub memory: u64,
    /// Bytes of swap beside that; absent: not known how many.
    pub swap: Option<u64>,
    /// Whether that is a limit of its own, and not all that the host has.
    pub is_limit: bool,
    /// Whether its process may lock what it maps.
    pub may_lock: bool,
}

impl HostMemory {
    /// What the kernel says, else Docker. Blocking.
    pub(super) fn look(project: &ProjectFacts<'_>, standpoint: &Standpoint) -> Self {
        let docker = docker(project);
        match standpoint {
            Standpoint::Elsewhere(_) => Self { total: docker.total, swap: None },
            Standpoint::Host | Standpoint::Container(_) | Standpoint::Inside(_) => {
                let text = regular_file::text(Path::new("/proc/meminfo"), LONGEST);
                let own = text.map(|text| Self::of_text(&text)).unwrap_or_default();
                Self { total: docker.total.or(own.total), ..own }
            }
        }
    }

    fn of_text(text: &str) -> Self {
        let kibibytes = |wanted: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            let mut values = lines.filter(|(name, _)| *name == wanted);
            let (_, value) = values.next()?;
            value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        Self { total: kibibytes("MemTotal"), swap: kibibytes("SwapTotal") }
    }
}

impl HostRoom {
    /// Of a service; absent: nothing limits it whose size is known.
    pub(super) fn of(project: &ProjectFacts<'_>, service: &str, host: HostMemory) -> Option<Self> {
        let limit = project.memory_limit(service);
        Self::within(limit, host, docker(project))
    }

    fn within(limit: MemoryLimit, host: HostMemory, docker: MemoryFacts) -> Option<Self> {
        let may_lock = limit.may_lock;
        let own = limit.bytes.filter(|_| docker.limits != Some(false));
        let own = own.filter(|bytes| host.total.is_none_or(|total| *bytes < total));
        let Some(memory) = own else {
            let memory = host.total?;
            return Some(Self { memory, swap: host.swap, is_limit: false, may_lock });
        };
        // A kernel that does not count swap does not limit it.
        let allowed = limit.swap.filter(|_| docker.limits_swap != Some(false));
        let swap = match (allowed, host.swap) {
            (Some(allowed), Some(swap)) => Some(allowed.min(swap)),
            (one, other) => one.or(other),
        };
        Some(Self { memory, swap, is_limit: true, may_lock })
    }

    /// Bytes that a process can have that have no file; absent: not known.
    #[must_use]
    pub fn all(&self) -> Option<u64> {
        Some(self.memory.saturating_add(self.swap?))
    }
}

fn docker(project: &ProjectFacts<'_>) -> MemoryFacts {
    let seen = project.observation.as_ref().ok();
    seen.map(|observation| observation.docker.memory).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_kernel_says_how_much_memory_there_is() {
        let text = "MemTotal:       24576 kB\nMemFree:  1 kB\nSwapTotal:       1024 kB\n";
        let expected = HostMemory { total: Some(24 * MIB), swap: Some(MIB) };
        assert_eq!(HostMemory::of_text(text), expected);
        assert_eq!(HostMemory::of_text("MemTotal: much\n"), HostMemory::default());
    }

    #[test]
    fn a_limit_counts_where_there_is_more_and_swap_as_far_as_there_is_any() {
        let limit = |swap: Option<u64>| MemoryLimit { bytes: Some(400), swap, may_lock: false };
        let host = |total, swap| HostMemory { total: Some(total), swap: Some(swap) };
        let docker = |limits, limits_swap| MemoryFacts { total: None, limits, limits_swap };
        let plain = docker(Some(true), Some(true));
        for (limit, host, docker, expected) in [
            (limit(Some(400)), host(1000, 0), plain, Some((400, Some(0), true))),
            (limit(Some(400)), host(1000, 100), plain, Some((400, Some(100), true))),
            (limit(Some(0)), host(1000, 100), plain, Some((400, Some(0), true))),
            (
                limit(Some(0)),
                host(1000, 100),
                docker(None, Some(false)),
                Some((400, Some(100), true)),
            ),
            (limit(None), host(1000, 100), plain, Some((400, Some(100), true))),
            (limit(None), HostMemory::default(), plain, Some((400, None, true))),
            (limit(Some(0)), host(300, 100), plain, Some((300, Some(100), false))),
            (
                limit(Some(0)),
                host(1000, 0),
                docker(Some(false), None),
                Some((1000, Some(0), false)),
            ),
            (MemoryLimit::default(), host(1000, 0), plain, Some((1000, Some(0), false))),
            (MemoryLimit::default(), HostMemory::default(), plain, None),
        ] {
            let room = HostRoom::within(limit, host, docker);
            let told = room.map(|room| (room.memory, room.swap, room.is_limit));
            assert_eq!(told, expected, "{limit:?} {host:?}");
        }
    }
}

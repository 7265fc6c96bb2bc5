//! One file, three names: from a path inside a service to the host and to this process.

use crate::path::{HostPath, LocalPath, ServicePath};
use crate::project::Mount;

/// Where something is, in all three spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The service in whose space [`Located::service_path`] is; absent for a lane without one.
    pub service: Option<String>,
    /// As the engine opens it; absent for a lane without a service.
    pub service_path: Option<ServicePath>,
    /// On the Docker host; absent when no mount says.
    pub host_path: Option<HostPath>,
    /// As this process can open it.
    pub sight: Sight,
    /// The mount that the service reaches it through.
    pub mount: Option<Mount>,
}

/// Whether this process can open a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Yes, here.
    Visible {
        /// The path itself.
        path: LocalPath,
        /// The root of the mount that it is below: where a fabricated folder would be, and what
        /// must be writable. The path itself when nothing is mounted between.
        root: LocalPath,
        /// Whether this process may not write below it, because its own mount says so.
        read_only: bool,
    },
    /// No mount of the service reaches it: it would be in the container's own file system.
    NotMounted,
    /// Preflight has not mounted it, so nothing can be said about it.
    Hidden(String),
}

/// The eyes of this process: how it sees the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standpoint {
    /// On the host itself: every host path is a local path.
    Host,
    /// In a container, through its own mounts.
    Container(Vec<OwnMount>),
}

/// A mount of preflight's own container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnMount {
    /// What is mounted, as for any service.
    pub mount: Mount,
    /// Where it is here.
    pub target: LocalPath,
}

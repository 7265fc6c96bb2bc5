//! What the services of a lane, and those that have to come before them, are given of the host.

use crate::look::{FileKind, Look};
use crate::path::{HostPath, ServicePath};
use crate::project::Mount;
use crate::source_map::Spanned;

/// A path of the host that a service mounts: a bind, or a volume that stands for a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindFacts {
    /// The service.
    pub service: String,
    /// What a lane needs of the service.
    pub need: Need,
    /// The mount.
    pub mount: Mount,
    /// The path on the host: what is mounted, or what the service runs of that.
    pub source: HostPath,
    /// The same, as a Compose file of the project writes it.
    pub written: String,
    /// The same, as the service sees it.
    pub inside: ServicePath,
    /// The volume, at the place of its device; absent for a bind.
    pub volume: Option<Spanned<String>>,
    /// What says that it is a file; absent: nothing does.
    pub file: Option<FileSign>,
    /// Whether something that an engine of the plan opens by its path lies in it.
    pub holds_model: bool,
    /// What is there, links followed.
    pub found: Look<FileKind>,
    /// What may be meant by it: where nothing is there, what of nearly its name is; where a folder is in
    /// the place of a file, the file of that name in it. Absent: nothing was seen.
    pub near: Option<Near>,
    /// The uppermost folder of its path that is not there, where that is another; absent as well where
    /// this process cannot see it.
    pub missing_above: Option<HostPath>,
    /// Whether it is a folder with nothing in it; through Docker, which lists none, a folder as
    /// Docker makes one.
    pub empty: bool,
}

/// What may be meant by a path of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// On the host.
    pub path: HostPath,
    /// As a Compose file of the project writes it.
    pub written: String,
    /// Whether it is there as a whole; otherwise a folder on the way is, and the rest is not below it.
    pub whole: bool,
}

/// What says that a mount is of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSign {
    /// Its name, here or there: `models.sh`.
    Name,
    /// What the service does with it: it runs it, or its engine reads it.
    Use,
}

/// What a lane needs of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// That its container starts: its end is another matter.
    Start,
    /// That it serves, gets healthy, or ends well.
    Success,
}

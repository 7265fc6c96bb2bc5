//! What a service has where it does not look: the same under another path, or nearly the same name.

use crate::path::ServicePath;
use crate::source_map::Place;

/// Something that a service has, where what its engine opens is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearby {
    /// As the service calls it.
    pub path: ServicePath,
    /// What speaks for it.
    pub likeness: Likeness,
}

/// What speaks for it that something else is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// The path that is written is one of the host, which the service has mounted under this name.
    OfHost,
    /// The same, but it is not there: this is the deepest folder above it that is.
    FolderOfHost,
    /// It has the same name, in another folder.
    SameName,
    /// It has nearly the same name, in the same folder.
    NearName,
}

/// Where a repository lies that its engine looks for in a cache which has nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misplaced {
    /// In another cache of the hub that the service has mounted.
    Cache {
        /// The folder that has the `models--owner--name` folders in it.
        folder: ServicePath,
        /// The same as the source of a mount, as a Compose file of the project writes it; absent: it is
        /// below a volume.
        source: Option<String>,
        /// What mounts it.
        mount: Place,
    },
    /// As a folder of a model under its own name.
    Folder(ServicePath),
    /// Nowhere, but its engine's own cache has one of nearly the same name: `owner/name`.
    NearName(String),
}

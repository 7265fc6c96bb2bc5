//! Where a file can be looked at before its engine runs.

pub mod container;
pub mod local;
pub mod pieces;
pub mod service;
pub mod walk;

use std::io::{Read, Seek};
use std::path::Path;

use self::service::Resolved;
use crate::look::{Look, Stat};

/// Something that files can be looked at through. Paths are in the view's own space.
pub trait View {
    /// What is at `path`, links followed.
    fn stat(&self, path: &Path) -> Look<Stat>;

    /// The names in the folder at `path`, sorted. Unknown where a view cannot list.
    fn list(&self, path: &Path) -> Look<Vec<String>>;

    /// The content of the file at `path`.
    fn open(&self, path: &Path) -> Look<Box<dyn ReadSeek + '_>>;

    /// Whether places all over a file can be read without bringing much of it.
    fn is_near(&self) -> bool {
        true
    }
}

/// The file system of one service, in its own words.
pub trait Space: View {
    /// Follows `path`, component by component.
    fn resolve(&self, path: &Path) -> Resolved;

    /// What is at one of the [`Resolved::steps`], as the view calls it, and whether an access
    /// control list says more than its mode.
    fn met(&self, step: &Path) -> Option<(Stat, bool)>;
}

/// A reader that can also seek.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

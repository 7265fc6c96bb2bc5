//! Where a file can be looked at before its engine runs.

pub mod local;
pub mod service;
pub mod walk;

use std::io::{Read, Seek};
use std::path::Path;

use crate::facts::{Look, Stat};

/// Something that files can be looked at through. Paths are in the view's own space.
pub trait View {
    /// What is at `path`, links followed.
    fn stat(&self, path: &Path) -> Look<Stat>;

    /// The names in the folder at `path`, sorted. Unknown where a view cannot list.
    fn list(&self, path: &Path) -> Look<Vec<String>>;

    /// The content of the file at `path`.
    fn open(&self, path: &Path) -> Look<Box<dyn ReadSeek + '_>>;
}

/// A reader that can also seek.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

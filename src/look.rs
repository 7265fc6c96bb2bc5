//! What a look at a file system yields: "could not look, and why" is a value as well.

use std::path::PathBuf;
use std::time::SystemTime;

/// The result of a look: "could not look" is a fact too, never a silent pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// It was seen.
    Seen(T),
    /// It is not there.
    Absent,
    /// It is there or not, and this process may not know: permission.
    Denied(String),
    /// It could not be looked at, and why.
    Unknown(String),
}

/// What `stat` says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// What it is, links followed.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// Bytes that are really on the disk; absent where that is not known.
    pub allocated: Option<u64>,
    /// Permission bits, without the file type.
    pub mode: u32,
    /// Whom it belongs to; absent where that is not known.
    pub owner: Option<Owner>,
    /// Last change of the content.
    pub modified: Option<SystemTime>,
    /// When it was made; absent where the file system does not say.
    pub created: Option<SystemTime>,
}

/// Whom a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// Anything else.
    Other,
}

impl<T> Look<T> {
    /// What was seen, if anything was.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Absent | Self::Denied(_) | Self::Unknown(_) => None,
        }
    }

    /// Applies `f` to what was seen.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Self::Seen(value) => Look::Seen(f(value)),
            Self::Absent => Look::Absent,
            Self::Denied(why) => Look::Denied(why),
            Self::Unknown(why) => Look::Unknown(why),
        }
    }
}

/// A symbolic link, in the space of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The link.
    pub path: PathBuf,
    /// What is written in it.
    pub target: PathBuf,
}

//! The files of a container as Docker shows them: nothing is mounted, nothing runs.
//!
//! Folders cannot be listed, and of a long file only the beginning is read; what would need more is
//! unknown. Every call blocks, and waits on the runtime that Docker is asked on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;

use super::pieces::{Pieces, Source};
use super::service::{End, Resolved};
use super::{ReadSeek, Space, View};
use crate::look::{FileKind, Link, Look, Owner, Stat};
use crate::path::{MOST_LINKS, ServicePath, names};
use crate::project::docker::archive::{Archive, Content, Entry, EntryKind, REACH};

/// The least and the most bytes of a file that are asked for at once.
const PIECE: std::ops::RangeInclusive<usize> = 64 << 10..=8 << 20;

/// Why a folder's names are not known.
const NO_LIST: &str = "a folder cannot be listed through the Docker Engine";

/// The file system of one container.
#[derive(Debug)]
pub struct ContainerView {
    archive: Archive,
    runtime: Handle,
    /// Where something is mounted.
    mounts: Vec<ServicePath>,
    seen: RefCell<HashMap<PathBuf, Look<Entry>>>,
    owners: RefCell<HashMap<PathBuf, Option<Owner>>>,
}

/// A regular file of a container. Reads ahead, piece by piece; each piece begins at the start of
/// the file again, so pieces grow with the way that is behind them.
struct ContainerFile<'a> {
    view: &'a ContainerView,
    content: Content,
    size: u64,
}

impl ContainerView {
    /// The view of a container that has something mounted at `mounts`. Questions are asked on
    /// `runtime`, which must not be the one that this thread drives.
    #[must_use]
    pub fn new(archive: Archive, runtime: Handle, mounts: Vec<ServicePath>) -> Self {
        Self { archive, runtime, mounts, seen: RefCell::default(), owners: RefCell::default() }
    }

    /// The container's name.
    #[must_use]
    pub fn container(&self) -> &str {
        self.archive.container()
    }

    /// What is at a path whose folders are no links.
    fn entry(&self, path: &Path) -> Look<Entry> {
        if let Some(known) = self.seen.borrow().get(path) {
            return known.clone();
        }
        let entry = match self.runtime.block_on(self.archive.entry(path)) {
            Ok(Some(entry)) => Look::Seen(entry),
            Ok(None) => self.absent(path),
            Err(error) => Look::Unknown(error.to_string()),
        };
        self.seen.borrow_mut().insert(path.to_path_buf(), entry.clone());
        entry
    }

    /// Of a container that is gone, Docker says the same as of a file that is not there.
    fn absent(&self, path: &Path) -> Look<Entry> {
        match path.parent() {
            None => Look::Unknown(format!("the container `{}` is gone", self.container())),
            Some(root) if root == Path::new("/") => match self.entry(root) {
                Look::Seen(_) => Look::Absent,
                other @ (Look::Absent | Look::Denied(_) | Look::Unknown(_)) => other,
            },
            Some(_) => Look::Absent,
        }
    }

    fn below_a_mount(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| path.starts_with(mount.as_path()))
    }

    /// The entry that `path` leads to, links followed, and its own path.
    fn found(&self, path: &Path) -> Look<(PathBuf, Entry)> {
        match self.resolve(path).end {
            End::Here(path) => self.entry(&path).map(|entry| (path, entry)),
            End::Written(_) | End::Memory | End::Absent(_) | End::Outside(_) => Look::Absent,
            End::Denied(why) => Look::Denied(why),
            End::Unknown(why) => Look::Unknown(why),
        }
    }

    fn stat_of(&self, path: &Path, entry: &Entry) -> Stat {
        Stat {
            kind: match entry.kind {
                EntryKind::File(_) => FileKind::File,
                EntryKind::Directory => FileKind::Directory,
                EntryKind::Link(_) | EntryKind::Other => FileKind::Other,
            },
            size: entry.size,
            allocated: None,
            mode: entry.mode,
            owner: self.owners.borrow().get(path).copied().flatten(),
            modified: entry.modified,
            created: None,
        }
    }

    /// Bytes of a file; keeps its owner, which comes with them.
    fn read(&self, content: &Content, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let piece = self.runtime.block_on(self.archive.piece(content, start, length));
        let piece = piece.map_err(io::Error::other)?;
        let owner = piece.owner.map(|(uid, gid)| Owner { uid, gid });
        self.owners.borrow_mut().insert(content.path().to_path_buf(), owner);
        Ok(piece.bytes)
    }
}

impl Space for ContainerView {
    fn resolve(&self, path: &Path) -> Resolved {
        let mut resolved = Resolved { steps: Vec::new(), end: End::Absent(None) };
        let mut left = names(path);
        let mut current = PathBuf::from("/");
        let mut last: Option<Link> = None;
        let mut links = 0;
        let mut is_folder = true;
        while let Some(name) = left.pop_front() {
            if name == ".." && is_folder {
                current.pop();
                continue;
            }
            let next = current.join(&name);
            let entry = if is_folder { self.entry(&next) } else { Look::Absent };
            match entry {
                Look::Seen(Entry { kind: EntryKind::Link(target), .. }) => {
                    if links == MOST_LINKS || target == next {
                        resolved.end = End::Absent(last);
                        return resolved;
                    }
                    links += 1;
                    prepend(&mut left, &target);
                    current = PathBuf::from("/");
                    last = Some(Link { path: next, target });
                    continue;
                }
                Look::Seen(entry) => {
                    is_folder = entry.kind == EntryKind::Directory;
                    resolved.steps.push((next.clone(), next.clone()));
                    resolved.end = End::Here(next.clone());
                }
                Look::Absent => {
                    resolved.end = match last {
                        Some(link) if !self.below_a_mount(&link.target) => End::Outside(link),
                        last => End::Absent(last),
                    };
                    return resolved;
                }
                Look::Denied(why) => {
                    resolved.end = End::Denied(why);
                    return resolved;
                }
                Look::Unknown(why) => {
                    resolved.end = End::Unknown(why);
                    return resolved;
                }
            }
            current = next;
        }
        resolved
    }

    fn met(&self, step: &Path) -> Option<(Stat, bool)> {
        let entry = self.entry(step).seen()?.clone();
        if let EntryKind::File(content) = &entry.kind
            && !self.owners.borrow().contains_key(step)
        {
            // A file that cannot be opened has no owner that is known.
            self.read(content, 0, 0).ok();
        }
        Some((self.stat_of(step, &entry), false))
    }
}

/// Puts the names of `path` before what is left.
fn prepend(left: &mut std::collections::VecDeque<OsString>, path: &Path) {
    for name in names(path).into_iter().rev() {
        left.push_front(name);
    }
}

impl View for ContainerView {
    fn stat(&self, path: &Path) -> Look<Stat> {
        self.found(path).map(|(path, entry)| self.stat_of(&path, &entry))
    }

    fn list(&self, path: &Path) -> Look<Vec<String>> {
        match self.found(path) {
            Look::Seen((_, Entry { kind: EntryKind::Directory, .. })) => {
                Look::Unknown(NO_LIST.to_owned())
            }
            Look::Seen(_) | Look::Absent => Look::Absent,
            Look::Denied(why) => Look::Denied(why),
            Look::Unknown(why) => Look::Unknown(why),
        }
    }

    fn open(&self, path: &Path) -> Look<Box<dyn ReadSeek + '_>> {
        let (path, entry) = match self.found(path) {
            Look::Seen(found) => found,
            Look::Absent => return Look::Absent,
            Look::Denied(why) => return Look::Denied(why),
            Look::Unknown(why) => return Look::Unknown(why),
        };
        let EntryKind::File(content) = entry.kind else {
            return Look::Unknown(format!("`{}` is not a regular file", path.display()));
        };
        match Pieces::open(ContainerFile { view: self, content, size: entry.size }) {
            Ok(file) => Look::Seen(Box::new(file)),
            Err(error) => Look::Unknown(error.to_string()),
        }
    }
}

impl Source for ContainerFile<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn piece(&mut self, position: u64, _: bool) -> io::Result<Vec<u8>> {
        if REACH <= position {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let behind = usize::try_from(position).unwrap_or(usize::MAX);
        let length = behind.clamp(*PIECE.start(), *PIECE.end());
        self.view.read(&self.content, position, length)
    }
}

//! A folder that is held by its descriptor, and what is done to the names in it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid};
use rustix::io::Errno;

use super::{FILE_MODE, Use};

/// A folder, open as a place to look names up in.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

const LOOK_UP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// By its path, links followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, LOOK_UP, Mode::empty())?))
    }

    /// A folder below this one. No component of `path` may be a link.
    pub(super) fn below(&self, path: &Path) -> io::Result<Self> {
        if path.as_os_str().is_empty() {
            return Ok(Self(self.0.try_clone()?));
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.0, path, LOOK_UP, Mode::empty(), resolve) {
            // Linux before 5.6; a seccomp profile that does not know the call.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => self.below_by_steps(path),
            opened => Ok(Self(opened?)),
        }
    }

    /// The same, one name after the other.
    pub(super) fn below_by_steps(&self, path: &Path) -> io::Result<Self> {
        let mut folder = self.0.try_clone()?;
        for name in path {
            let flags = LOOK_UP | OFlags::NOFOLLOW;
            folder = rustix::fs::openat(&folder, name, flags, Mode::empty())?;
        }
        Ok(Self(folder))
    }

    /// This folder, if it belongs to `owner`.
    pub(super) fn of(self, owner: u32) -> io::Result<Self> {
        match rustix::fs::fstat(&self.0)?.st_uid == owner {
            true => Ok(self),
            // As the system says it of a link that is not followed.
            false => Err(Errno::LOOP.into()),
        }
    }

    /// Opens a regular file. Anything else is not even opened for a moment.
    pub(super) fn open_file(&self, name: &OsStr, how: Use) -> io::Result<File> {
        match self.stat(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => regular(found?.st_mode)?,
        }
        let own = match how {
            Use::Read => OFlags::RDONLY,
            Use::Write => OFlags::RDWR,
            Use::New => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
            Use::Keep => OFlags::RDWR | OFlags::CREATE,
        };
        // What has become a pipe in this moment is not waited for.
        let flags = own | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // Who waits for a lock of somebody else's has to be able to open it from its first moment on.
        let file = rustix::fs::openat(&self.0, name, flags, Mode::from(FILE_MODE))?;
        regular(rustix::fs::fstat(&file)?.st_mode)?;
        Ok(File::from(file))
    }

    /// What has a name, be it a link.
    pub(super) fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Where a link leads, as it says.
    pub(super) fn link_target(&self, name: &OsStr) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(&self.0, name, Vec::new())?;
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// Gives a link, and nothing else that has taken its name, to whom this folder belongs.
    pub(super) fn give_link(&self, name: &OsStr) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let (own, wanted) = (rustix::fs::fstat(&link)?, rustix::fs::fstat(&self.0)?);
        let is_link = FileType::from_raw_mode(own.st_mode) == FileType::Symlink;
        if is_link && (own.st_uid, own.st_gid) != (wanted.st_uid, wanted.st_gid) {
            let (user, group) = (Uid::from_raw(wanted.st_uid), Gid::from_raw(wanted.st_gid));
            let give =
                |user| rustix::fs::chownat(&link, "", user, Some(group), AtFlags::EMPTY_PATH);
            // Who is not root cannot give anything away.
            let _ = give(Some(user)).or_else(|_| give(None));
        }
        Ok(())
    }

    /// Open for more than looking names up.
    pub(super) fn opened(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, ".", flags, Mode::empty())?)
    }

    /// Every name in it.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::new(self.opened()?)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn regular(mode: u32) -> io::Result<()> {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Ok(()),
        // As the system says it of one that is not followed.
        FileType::Symlink => Err(Errno::LOOP.into()),
        FileType::Directory => Err(Errno::ISDIR.into()),
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Err(io::Error::other("it is not a regular file")),
    }
}

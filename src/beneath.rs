//! Files below a folder in which others may write: reached from its root by descriptors, and never
//! through a link. What has become a link since it was looked at leads nowhere.
//!
//! The root itself is reached by its path: whoever may write below it does not own what is above it.
//! Every call blocks.

mod folder;
mod links;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, RenameFlags, Stat};
use rustix::io::Errno;
use thiserror::Error;

use self::folder::Folder;
use self::links::Led;

/// The name of something below a root that others may write in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Beneath {
    root: Arc<Path>,
    /// As it was asked for.
    path: PathBuf,
    /// Relative to the root, nothing but names, none of which was a link in a folder when it was looked
    /// at.
    below: PathBuf,
    /// Where a link of somebody else's has led on the way; absent: none has.
    led: Option<Led>,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To be read.
    Read,
    /// To be read and written, if it is there.
    Write,
    /// To be written, and not there yet.
    New,
    /// To be read and written, there or not.
    Keep,
}

/// A link stands where nothing is opened through one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is a link, to `{}`", path.display(), target.display())]
pub struct LinkInTheWay {
    /// The link.
    pub path: PathBuf,
    /// Where it leads, as it says.
    pub target: PathBuf,
}

/// What everybody may read and its owner may write.
pub(crate) const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;
const SET_GROUP: u32 = 0o2000;

impl Beneath {
    /// The root itself.
    #[must_use]
    pub fn root(root: impl Into<PathBuf>) -> Self {
        let path = root.into();
        Self { root: path.as_path().into(), path, below: PathBuf::new(), led: None }
    }

    /// The folder `path`, which is below `root`, by the name that it has when links have been followed;
    /// absent: `path` is not below `root`. It need not be there.
    ///
    /// # Errors
    /// [`LinkInTheWay`], where a link leads out of the root, or nowhere.
    pub fn find(root: &Path, path: &Path) -> Result<Option<Self>, LinkInTheWay> {
        match path.strip_prefix(root) {
            Ok(below) => Self::root(root).with_links_followed(below).map(Some),
            Err(_elsewhere) => Ok(None),
        }
    }

    /// The file `path`, by the name that it has when the links in its folders have been followed; what
    /// has its last name may be one. A root that is the file itself gives way to the folder that it is
    /// in.
    ///
    /// # Errors
    /// [`LinkInTheWay`], where a link leads out of the root, or nowhere.
    pub fn find_file(root: &Path, path: &Path) -> Result<Option<Self>, LinkInTheWay> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let root = if path == root { folder } else { root };
        Ok(Self::find(root, folder)?.map(|folder| folder.join(name)))
    }

    /// The folder `below` this one, by the name that it has when links have been followed. It need not
    /// be there.
    ///
    /// # Errors
    /// [`LinkInTheWay`], where a link leads out of this folder, or nowhere, or belongs to somebody who
    /// owns neither this process nor what it leads to.
    pub fn with_links_followed(&self, below: &Path) -> Result<Self, LinkInTheWay> {
        let mut found = self.join(below);
        // What is not there yet holds no links.
        let Ok(own) = fs_err::canonicalize(self.real()) else { return Ok(found) };
        let followed = links::follow(&own, below)?;
        found.below = self.below.join(followed.inside);
        if let Some(led) = followed.led {
            found.led = Some(Led { below: self.below.join(led.below), ..led });
        }
        Ok(found)
    }

    /// Something below this one. Only names count: `below` cannot lead up or elsewhere.
    #[must_use]
    pub fn join(&self, below: impl AsRef<Path>) -> Self {
        let names = || below.as_ref().components().filter(|it| matches!(it, Component::Normal(_)));
        let mut joined = self.clone();
        joined.path.extend(names());
        joined.below.extend(names());
        joined
    }

    /// The folder that it is in; of the root, the root.
    #[must_use]
    pub fn folder(&self) -> Self {
        let mut folder = self.clone();
        if !folder.below.pop() {
            return Self::root(&*self.root);
        }
        folder.path.pop();
        folder
    }

    /// Another name in the same folder.
    #[must_use]
    pub fn beside(&self, name: impl AsRef<Path>) -> Self {
        self.folder().join(name)
    }

    /// Its last name.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        self.below.file_name().unwrap_or_default()
    }

    /// As this process would open it, links and all: to be shown, compared, and read as anybody would.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the root itself, which has no name that could be given to anything else.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.below.as_os_str().is_empty()
    }

    /// Itself and the folders that it is in, the innermost first, the root last.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let above = |it: &Self| (!it.is_root()).then(|| it.folder());
        std::iter::successors(Some(self.clone()), above)
    }

    /// What is there, be it a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self) -> io::Result<Stat> {
        if self.is_root() {
            return Ok(rustix::fs::fstat(self.open_folder()?.fd())?);
        }
        self.in_folder(|folder, name| folder.stat(name))
    }

    /// Whether anything is there, be it a link that leads nowhere.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.stat().is_ok()
    }

    /// Device and inode of what is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        self.stat().map(|it| (it.st_dev, it.st_ino))
    }

    /// Whether a file that is open is still what has this name.
    #[must_use]
    pub fn is_still(&self, file: &File) -> bool {
        let own = file.metadata().map(|it| (it.dev(), it.ino()));
        own.is_ok_and(|own| self.identity().is_ok_and(|it| it == own))
    }

    /// Opens a regular file. What is made is its maker's, and all may read it, until it is handed over.
    ///
    /// # Errors
    /// What the system says; that it is no regular file; [`LinkInTheWay`].
    pub fn open(&self, how: Use) -> io::Result<File> {
        let opened = self.in_folder(|folder, name| folder.open_file(name, how));
        opened.map_err(|error| self.explained(error))
    }

    /// The text of a regular file of at most `longest` bytes; absent: it is longer.
    ///
    /// # Errors
    /// Those of [`Beneath::open`], and that it is no text.
    pub fn read(&self, longest: u64) -> io::Result<Option<String>> {
        let mut text = String::new();
        self.open(Use::Read)?.take(longest.saturating_add(1)).read_to_string(&mut text)?;
        Ok((text.len() as u64 <= longest).then_some(text))
    }

    /// The names in a folder.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        self.open_folder().and_then(|folder| folder.names())
    }

    /// Makes the folder and what is missing above it, each readable by all and owned like what it is
    /// in.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn make_folders(&self) -> io::Result<()> {
        match self.open_folder() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return found.map(drop),
        }
        if self.is_root() {
            return make_root(&self.root);
        }
        self.folder().make_folders()?;
        self.make_folder()
    }

    /// Makes a folder that has its owner and mode from the moment at which it has its name: another
    /// file of the same fetch takes both over as soon as it finds the folder.
    fn make_folder(&self) -> io::Result<()> {
        let above = self.folder().open_folder()?;
        let inherited = rustix::fs::fstat(above.fd())?.st_mode & SET_GROUP;
        let scratch = self.scratch("making");
        rustix::fs::mkdirat(above.fd(), scratch.name(), Mode::from(FOLDER_MODE))?;
        let made = above
            .below(Path::new(scratch.name()))
            .and_then(|made| Ok(File::from(made.opened()?)))
            .and_then(|made| match scratch.names()?.is_empty() {
                true => give(&made, FOLDER_MODE | inherited, &above),
                false => Err(ErrorKind::AlreadyExists.into()),
            })
            .and_then(|()| scratch.name_as(self));
        match made {
            Ok(()) => Ok(()),
            Err(error) => {
                let _ = rustix::fs::unlinkat(above.fd(), scratch.name(), AtFlags::REMOVEDIR);
                // Another file of the same fetch was quicker.
                self.open_folder().map(drop).map_err(|_not_made| error)
            }
        }
    }

    /// Gives a folder its name, unless there is one of that name: an empty one must not be replaced
    /// under the hands of somebody who is about to put something into it. Not every file system (NFS)
    /// can promise that.
    fn name_as(&self, to: &Self) -> io::Result<()> {
        let above = self.folder().open_folder()?;
        let (from, to_name) = (self.name(), to.name());
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(above.fd(), from, above.fd(), to_name, flags) {
            Err(Errno::INVAL | Errno::NOSYS) => self.rename(to),
            result => Ok(result?),
        }
    }

    /// Gives what is there another name, in the place of whatever has that one.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn rename(&self, to: &Self) -> io::Result<()> {
        self.in_folder(|folder, name| {
            to.in_folder(|into, new| Ok(rustix::fs::renameat(folder.fd(), name, into.fd(), new)?))
        })
    }

    /// Gives a file or a link a second name.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn name_twice(&self, second: &Self) -> io::Result<()> {
        self.in_folder(|folder, name| {
            second.in_folder(|into, new| {
                let flags = AtFlags::empty();
                Ok(rustix::fs::linkat(folder.fd(), name, into.fd(), new, flags)?)
            })
        })
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn remove(&self) -> io::Result<()> {
        self.in_folder(|folder, name| {
            Ok(rustix::fs::unlinkat(folder.fd(), name, AtFlags::empty())?)
        })
    }

    /// Removes a folder and all that is in it; links in it go, what they lead to stays.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn remove_folder(&self) -> io::Result<()> {
        for name in self.names()? {
            let entry = self.join(&name);
            let is_folder = FileType::from_raw_mode(entry.stat()?.st_mode) == FileType::Directory;
            if is_folder { entry.remove_folder()? } else { entry.remove()? }
        }
        self.in_folder(|folder, name| {
            Ok(rustix::fs::unlinkat(folder.fd(), name, AtFlags::REMOVEDIR)?)
        })
    }

    /// Where the link that is there leads, as it says.
    ///
    /// # Errors
    /// What the system says; that it is no link.
    pub fn link_target(&self) -> io::Result<PathBuf> {
        self.in_folder(|folder, name| folder.link_target(name))
    }

    /// Makes a link, in the place of whatever has the name, owned like the folder that it is in.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn link_to(&self, target: &Path) -> io::Result<()> {
        let scratch = self.scratch("link");
        let made = scratch
            .in_folder(|folder, name| {
                rustix::fs::symlinkat(target, folder.fd(), name)?;
                folder.give_link(name)
            })
            .and_then(|()| scratch.rename(self));
        if made.is_err() {
            drop(scratch.remove());
        }
        made
    }

    /// Writes a small file as a whole. The folder has to be there.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn write_whole(&self, scratch: &Self, text: &[u8]) -> io::Result<()> {
        let write = || -> io::Result<()> {
            let mut file = scratch.open(Use::New)?;
            // What is locked is not swept away as a leftover; not every file system has locks.
            drop(file.try_lock());
            file.write_all(text)?;
            self.hand_over(&file, FILE_MODE)?;
            scratch.rename(self)
        };
        let written = match write() {
            // Swept away between its making and its lock.
            Err(error) if error.kind() == ErrorKind::NotFound => write(),
            result => result,
        };
        if written.is_err() {
            drop(scratch.remove());
        }
        written
    }

    /// Gets a file ready for its final name here: mode, owner, and every byte on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(&self, file: &File) -> io::Result<()> {
        self.hand_over(file, FILE_MODE)?;
        file.sync_all()
    }

    /// Gives a file a mode, whatever the umask is, and to whom the folder belongs that this is in.
    ///
    /// # Errors
    /// What the system says.
    pub fn hand_over(&self, file: &File, mode: u32) -> io::Result<()> {
        give(file, mode, &self.folder().open_folder()?)
    }

    /// Gives a folder to a user. Who is not root cannot give anything away.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn give_to(&self, uid: u32, gid: Option<u32>) -> io::Result<()> {
        let folder = self.open_folder()?.opened()?;
        std::os::unix::fs::fchown(folder, Some(uid), gid)
    }

    /// Puts the names in a folder on the disk. Not every file system can.
    ///
    /// # Errors
    /// What the system says; [`LinkInTheWay`].
    pub fn sync_folder(&self) -> io::Result<()> {
        File::from(self.open_folder()?.opened()?).sync_all()
    }

    /// `.NAME.KIND` beside it: hidden, and of one kind.
    fn scratch(&self, kind: &str) -> Self {
        let number = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &self.path);
        self.beside(format!(".{number:016x}.{kind}"))
    }

    fn open_folder(&self) -> io::Result<Folder> {
        let opened = Folder::open(&self.root).and_then(|root| match &self.led {
            Some(led) => match self.below.strip_prefix(&led.below) {
                Ok(rest) => root.below(&led.below)?.of(led.owner)?.below(rest),
                Err(_beside) => root.below(&self.below),
            },
            None => root.below(&self.below),
        });
        opened.map_err(|error| self.explained(error))
    }

    fn in_folder<T>(&self, work: impl FnOnce(&Folder, &OsStr) -> io::Result<T>) -> io::Result<T> {
        if self.is_root() {
            return Err(io::Error::other("it is the root of a mount"));
        }
        work(&self.folder().open_folder()?, self.name())
    }

    /// An error, and of a link that stands in the way which one it is.
    fn explained(&self, error: io::Error) -> io::Error {
        let is_of_link = matches!(Errno::from_io_error(&error), Some(Errno::LOOP | Errno::NOTDIR));
        let link = || {
            let mut folders: Vec<_> = self.ancestors().filter(|it| !it.is_root()).collect();
            folders.reverse();
            folders.iter().find_map(|it| {
                Some(LinkInTheWay { path: it.real(), target: it.link_target().ok()? })
            })
        };
        match is_of_link.then(link).flatten() {
            Some(link) => io::Error::other(link),
            None => error,
        }
    }

    fn real(&self) -> PathBuf {
        // Joined to nothing, a path would end in a slash.
        if self.is_root() { self.root.to_path_buf() } else { self.root.join(&self.below) }
    }
}

impl fmt::Display for Beneath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Sets the mode, whatever the umask is, and then the owner: in this order, because changing the
/// mode of another user's file takes one privilege more. Only root may give files away; for others
/// they stay their own.
fn give(file: &File, mode: u32, like: &Folder) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    let (own, wanted) = (file.metadata()?, rustix::fs::fstat(like.fd())?);
    if (own.uid(), own.gid()) != (wanted.st_uid, wanted.st_gid) {
        let group = Some(wanted.st_gid);
        let both = std::os::unix::fs::fchown(file, Some(wanted.st_uid), group);
        drop(both.or_else(|_| std::os::unix::fs::fchown(file, None, group)));
    }
    Ok(())
}

/// Makes the root and what is missing above it, owned like what it is in.
fn make_root(root: &Path) -> io::Result<()> {
    let is_there = |folder: &&Path| folder.as_os_str().is_empty() || folder.exists();
    let Some(above) = root.ancestors().find(is_there) else { return Ok(()) };
    let Ok(missing) = root.strip_prefix(above) else { return Ok(()) };
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    let made = Beneath::root(above).join(missing);
    // Made by another file of the same fetch meanwhile.
    if made.is_root() { Ok(()) } else { made.make_folders() }
}

/// Whether a file has a second name, through which somebody else has it.
pub(crate) fn has_second_name(metadata: &Metadata) -> bool {
    metadata.nlink() > 1
}

//! Names on the disk: folders, small notes and finished files get theirs only once they are whole,
//! readable by all, and owned as the folder that they are in.

use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::HubError;
use super::partial::{DATA, stem};
use super::retries::random;

/// The name of something temporary that no other run knows. Dropping it removes the file, if there
/// still is one.
#[derive(Debug)]
struct Scratch(PathBuf);

const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const SET_GROUP: u32 = 0o2000;

impl Scratch {
    /// `.NAME.XXXXXXXX.incomplete` beside `destination`: the same file system, and no other run
    /// has the same name.
    fn beside(destination: &Path) -> Self {
        let (stem, digits) = (stem(destination), random() & 0xffff_ffff);
        Self(destination.with_file_name(format!(".{stem}.{digits:08x}.{DATA}")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Gone already after a rename.
        drop(fs::remove_file(&self.0));
    }
}

/// Makes `folder` and what is missing above it, each readable by all and owned like its parent.
pub(crate) fn make_folders(folder: &Path) -> Result<(), HubError> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        make_folder(folder).map_err(|error| failure(folder, &error))?;
    }
    Ok(())
}

/// Whether `folder`, which exists, does not tell upper case from lower. Blocking.
pub(crate) fn ignores_case(folder: &Path) -> Result<bool, HubError> {
    let name = format!(".case-{:016x}", random());
    let written = Scratch(folder.join(name.to_uppercase()));
    fs::write(&written.0, "").map_err(|error| failure(&written.0, &error))?;
    Ok(folder.join(&name).exists())
}

/// Makes a folder that has its owner and mode from the moment at which it has its name: another file
/// of the same fetch takes both over as soon as it finds the folder.
fn make_folder(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let inherited = fs::metadata(parent)?.mode() & SET_GROUP;
    let Scratch(scratch) = &Scratch::beside(folder);
    std::fs::DirBuilder::new().mode(FOLDER_MODE).create(scratch)?;
    let made = hand_over(fs::File::open(scratch)?.file(), FOLDER_MODE | inherited, parent)
        .and_then(|()| name_folder(scratch, folder));
    match made {
        Ok(()) => Ok(()),
        Err(error) => {
            fs::remove_dir(scratch)?;
            // Another file of the same fetch was quicker.
            if folder.is_dir() { Ok(()) } else { Err(error) }
        }
    }
}

/// Gives a folder its name, unless there is one of that name: an empty one must not be replaced
/// under the hands of somebody who is about to put something into it. Not every file system (NFS)
/// can promise that.
fn name_folder(scratch: &Path, folder: &Path) -> io::Result<()> {
    match renameat_with(CWD, scratch, CWD, folder, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(scratch, folder),
        result => Ok(result?),
    }
}

/// Writes a small file that is not a model, as a whole. Blocking.
pub(crate) fn write_note(path: &Path, text: &str) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    make_folders(folder)?;
    let write = || -> io::Result<()> {
        let scratch = Scratch::beside(path);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&scratch.0)?;
        // What is locked is not swept away as a leftover; not every file system has locks.
        drop(file.file().try_lock());
        file.write_all(text.as_bytes())?;
        hand_over(file.file(), FILE_MODE, folder)?;
        fs::rename(&scratch.0, path)
    };
    let written = match write() {
        // Swept away between its making and its lock.
        Err(error) if error.kind() == ErrorKind::NotFound => write(),
        result => result,
    };
    written.map_err(|error| failure(path, &error))
}

/// Gets a file ready for its final name in `folder`: mode, owner, and every byte on the disk.
pub(crate) fn finish(file: &std::fs::File, folder: &Path) -> io::Result<()> {
    hand_over(file, FILE_MODE, folder)?;
    file.sync_all()
}

/// Gives a finished file its name, in the place of whatever has it.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), HubError> {
    fs::rename(from, to).map_err(|error| failure(to, &error))?;
    let folder = to.parent().unwrap_or(Path::new("/"));
    // The rename has happened; not every file system can sync a folder.
    drop(fs::File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

/// Sets the mode, whatever the umask is, and then the owner: in this order, because changing the
/// mode of another user's file takes one privilege more. Only root may give files away; for others
/// they stay their own.
pub(crate) fn hand_over(file: &std::fs::File, mode: u32, like: &Path) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    let (own, wanted) = (file.metadata()?, fs::metadata(like)?);
    if (own.uid(), own.gid()) != (wanted.uid(), wanted.gid()) {
        let both = std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()));
        drop(both.or_else(|_| std::os::unix::fs::fchown(file, None, Some(wanted.gid()))));
    }
    Ok(())
}

/// The same for a link, whose mode means nothing.
pub(crate) fn hand_over_link(link: &Path, like: &Path) -> io::Result<()> {
    let (own, wanted) = (fs::symlink_metadata(link)?, fs::metadata(like)?);
    if (own.uid(), own.gid()) != (wanted.uid(), wanted.gid()) {
        let both = std::os::unix::fs::lchown(link, Some(wanted.uid()), Some(wanted.gid()));
        drop(both.or_else(|_| std::os::unix::fs::lchown(link, None, Some(wanted.gid()))));
    }
    Ok(())
}

/// What a failure to write means.
pub(crate) fn failure(path: &Path, error: &io::Error) -> HubError {
    let path = path.to_path_buf();
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        return HubError::DiskFull { path };
    }
    // The innermost cause: the others repeat the path.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    HubError::NotWritable { path, reason: cause.to_string() }
}

/// A name from elsewhere with its control characters escaped.
pub(crate) fn printable(name: &str) -> String {
    let escape = |character: char| -> String {
        if character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            character.escape_default().to_string()
        } else {
            character.to_string()
        }
    };
    name.chars().map(escape).collect()
}

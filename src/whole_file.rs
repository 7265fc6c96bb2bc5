//! Writes a file whole or not at all, where the file system lets it.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// Writes `content` to `path`. Blocking.
///
/// A regular file is replaced by a finished one. Anything else (a device, a pipe, a file that is
/// itself a mount, a file in a folder that may not be written) is written in place.
///
/// # Errors
/// What the system says about the file itself.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link stays a link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_special = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
    if is_special {
        return in_place(&path, content);
    }
    match replace_as(&path, content, None) {
        Err(error) if is_about_replacing(&error) => in_place(&path, content),
        written => written,
    }
}

/// Puts `content` into the file at `path`, which keeps its owner and its rights. Blocking.
///
/// The file is replaced by a finished one. Where that cannot be (it is itself a mount, it has several
/// names, its folder may not be written, its owner cannot be kept), it is written in place.
///
/// # Errors
/// What the system says about the file itself.
pub(crate) fn replace_kept(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link stays a link.
    let path = fs::canonicalize(path)?;
    let metadata = fs::metadata(&path)?;
    if metadata.nlink() > 1 {
        return over(&path, content);
    }
    match replace_as(&path, content, Some(&metadata)) {
        Err(error) if is_about_replacing(&error) => over(&path, content),
        written => written,
    }
}

/// Whether a file may be written although it could not be replaced; on a full disk it must not be.
fn is_about_replacing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
    )
}

/// Writes over what is in `path`. What is there is only touched when there is room for all of the new.
fn over(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    let before = file.metadata()?.len();
    let shared = usize::try_from(before).unwrap_or(usize::MAX).min(content.len());
    let (head, more) = content.split_at(shared);
    if !more.is_empty() {
        file.seek(SeekFrom::Start(before))?;
        if let Err(error) = file.write_all(more).and_then(|()| file.sync_all()) {
            file.set_len(before)?;
            return Err(error);
        }
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(head)?;
    file.set_len(u64::try_from(content.len()).unwrap_or(u64::MAX))?;
    file.sync_all()
}

/// Writes a file that must not be there yet. Blocking.
///
/// # Errors
/// What the system says about the file; that it is there.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        // The error that matters is the first one.
        drop(fs::remove_file(path));
    }
    written
}

/// Writes `content` behind what is in `path` already. Blocking.
///
/// # Errors
/// What the system says about the file.
pub(crate) fn append(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(content)
}

/// Replaces a file by one that has the owner and the rights of `like`.
fn replace_as(path: &Path, content: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let temporary = temporary(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let written = like
        .map_or(Ok(()), |like| liken(&file, like))
        .and_then(|()| file.write_all(content))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error that matters is the first one.
        drop(fs::remove_file(&temporary));
    }
    written
}

fn liken(file: &fs::File, like: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(like.permissions())
}

fn in_place(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)
}

/// Beside `path`, hidden, and no other process's.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_replaces_the_one_before_and_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write(&path, b"a long first report").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["report.json"]);
    }

    #[test]
    fn a_summary_is_put_behind_those_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        append(&path, b"one\n").unwrap();
        append(&path, b"two\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        write(&target, b"old").unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_edited_keeps_its_rights_and_its_other_names() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        let other = folder.path().join("other");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        replace_kept(&link, b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o640);
        fs::hard_link(&target, &other).unwrap();
        replace_kept(&link, b"newer").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"newer");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(folder.path()), ["link", "other", "target"]);
        assert!(create(&target, b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_and_not_replaced() {
        write(Path::new("/dev/null"), b"text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("none/report.json"), b"x").is_err());
        assert!(write(folder.path(), b"x").is_err());
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

//! The files of this machine, as this process may open them.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, StatxFlags};

use super::{ReadSeek, View};
use crate::limits::MOST_NAMES;
use crate::look::{FileKind, Look, Owner, Stat};
use crate::regular_file;

/// The file system of this process. Every call blocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalView;

/// The size of the units that `stat` counts allocated space in, whatever the file system uses.
const BLOCK: u64 = 512;

impl View for LocalView {
    fn stat(&self, path: &Path) -> Look<Stat> {
        match fs_err::metadata(path) {
            Ok(metadata) => Look::Seen(Stat {
                kind: kind(&metadata),
                size: metadata.len(),
                allocated: metadata.blocks().checked_mul(BLOCK),
                mode: metadata.mode() & 0o7777,
                owner: Some(Owner { uid: metadata.uid(), gid: metadata.gid() }),
                modified: metadata.modified().ok(),
                created: created(path),
            }),
            Err(error) => failed(path, &error),
        }
    }

    fn list(&self, path: &Path) -> Look<Vec<String>> {
        let names = fs_err::read_dir(path).and_then(|entries| {
            entries
                .take(MOST_NAMES + 1)
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<Vec<_>>>()
        });
        match names {
            Ok(names) if names.len() > MOST_NAMES => {
                Look::Unknown(format!("`{}` has more than {MOST_NAMES} names", path.display()))
            }
            Ok(mut names) => {
                names.sort_unstable();
                Look::Seen(names)
            }
            Err(error) => failed(path, &error),
        }
    }

    fn open(&self, path: &Path) -> Look<Box<dyn ReadSeek + '_>> {
        open(path)
    }
}

/// The content of the file at `path`.
pub(super) fn open(path: &Path) -> Look<Box<dyn ReadSeek>> {
    match regular_file::open(path) {
        Ok(file) => Look::Seen(Box::new(file)),
        Err(error) => failed(path, &error),
    }
}

fn kind(metadata: &std::fs::Metadata) -> FileKind {
    if metadata.is_file() {
        FileKind::File
    } else if metadata.is_dir() {
        FileKind::Directory
    } else {
        FileKind::Other
    }
}

/// The birth time, which the standard library does not offer for every C library.
fn created(path: &Path) -> Option<SystemTime> {
    let found = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::BTIME).ok()?;
    if found.stx_mask & StatxFlags::BTIME.bits() == 0 {
        return None;
    }
    let seconds = u64::try_from(found.stx_btime.tv_sec).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, found.stx_btime.tv_nsec))
}

/// What a refused system call says about `path`. A link that leads nowhere or in a circle, and a
/// path through something that is no folder, are nothing that an engine could open.
fn failed<T>(path: &Path, error: &io::Error) -> Look<T> {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) || is_loop(path) {
        Look::Absent
    } else if kind == io::ErrorKind::PermissionDenied {
        Look::Denied(refusal(path))
    } else {
        Look::Unknown(error.to_string())
    }
}

/// Whether following `path` meets too many links. `std` has no stable name for that error.
fn is_loop(path: &Path) -> bool {
    matches!(rustix::fs::stat(path), Err(rustix::io::Errno::LOOP))
}

/// Who may open what this process may not: the path itself, or the folder above that hides it.
fn refusal(path: &Path) -> String {
    for ancestor in path.ancestors() {
        if let Ok(metadata) = fs_err::metadata(ancestor) {
            return format!(
                "`{}` has mode {:04o} and belongs to {}:{}, preflight runs as {}:{}",
                ancestor.display(),
                metadata.permissions().mode() & 0o7777,
                metadata.uid(),
                metadata.gid(),
                rustix::process::geteuid().as_raw(),
                rustix::process::getegid().as_raw(),
            );
        }
    }
    format!("`{}` may not be looked at", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_leads_nowhere_is_absent() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        fs_err::write(at("file"), "x").unwrap();
        symlink("gone", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        for name in ["gone", "dangling", "circle", "file/below"] {
            assert_eq!(LocalView.stat(&at(name)), Look::Absent, "{name}");
            assert!(matches!(LocalView.open(&at(name)), Look::Absent), "{name}");
            assert_eq!(LocalView.list(&at(name)), Look::Absent, "{name}");
        }
    }

    #[test]
    fn a_link_is_followed_to_its_file() {
        let scratch = tempfile::tempdir().unwrap();
        fs_err::write(scratch.path().join("file"), "four").unwrap();
        symlink("file", scratch.path().join("link")).unwrap();
        let path = scratch.path().join("link");
        let stat = LocalView.stat(&path).seen().unwrap().clone();
        assert_eq!((stat.kind, stat.size), (FileKind::File, 4));
        let Look::Seen(mut file) = LocalView.open(&path) else { panic!("not opened") };
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "four");
        assert_eq!(
            LocalView.list(scratch.path()),
            Look::Seen(vec!["file".to_owned(), "link".to_owned()])
        );
    }

    #[test]
    fn a_hole_is_not_allocated() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("sparse");
        fs_err::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        let stat = LocalView.stat(&path).seen().unwrap().clone();
        assert_eq!(stat.size, 64 << 20);
        assert!(stat.allocated.unwrap() < 1 << 20);
    }

    #[test]
    fn a_folder_is_not_opened() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(matches!(LocalView.open(scratch.path()), Look::Unknown(_)));
    }

    #[test]
    fn a_refusal_names_mode_and_owner() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("secret");
        fs_err::write(&path, "x").unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        let text = refusal(&path);
        assert!(text.contains("secret` has mode 0000 and belongs to "), "{text}");
        if !rustix::process::geteuid().is_root() {
            assert!(matches!(LocalView.open(&path), Look::Denied(why) if why == text));
            fs_err::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o600))
                .unwrap();
            let Look::Denied(why) = LocalView.stat(&path) else { panic!("not denied") };
            assert!(why.starts_with(&format!("`{}` has mode 0600", scratch.path().display())));
            fs_err::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o700))
                .unwrap();
        }
    }
}

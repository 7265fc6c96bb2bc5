//! Copies this program into a folder, for containers whose image does not have it.

use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::beneath::{Beneath, Use};
use crate::regular_file;

/// What the copy is called.
const NAME: &str = "preflight";

/// What everybody may run and its owner may replace.
const MODE: u32 = 0o755;

/// What unfinished copies are called, behind [`NAME`] with a dot before it.
const UNFINISHED: &str = ".new";

/// How much of two files is compared at once.
const PIECE: usize = 64 << 10;

/// The kind of a segment that names the loader of a program which is not static (elf(5), `PT_INTERP`).
const INTERPRETER: u32 = 3;

/// What has come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The copy.
    pub path: PathBuf,
    /// Whether it was there already.
    pub was_there: bool,
    /// Whether it runs in an image that has nothing of this one.
    pub is_static: bool,
}

/// Why there is no copy.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The program itself.
    #[error("this program cannot be read")]
    Own(#[source] io::Error),
    /// The folder, or what is in it.
    #[error("`{}` cannot be written", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// What was written is not what is read there.
    #[error("`{}` does not hold what was written into it", path.display())]
    Differs {
        /// The copy.
        path: PathBuf,
    },
}

/// Copies this program into `folder`, which is made where it is missing: under its final name only when
/// every byte is on the disk and was read again. One that is the same is left as it is. Blocking.
///
/// # Errors
/// What keeps it from being read or written.
pub fn into(folder: &Path) -> Result<Installed, InstallError> {
    let mut own =
        regular_file::open(Path::new("/proc/self/exe")).map_err(InstallError::Own)?.into_parts().0;
    let is_static = is_static(&own).map_err(InstallError::Own)?;
    let root = Beneath::root(folder);
    let copy = root.join(NAME);
    let path = copy.path().to_path_buf();
    let failed = |source| InstallError::Write { path: path.clone(), source };
    root.make_folders().map_err(failed)?;
    if let Ok(mut there) = copy.open(Use::Read)
        && there.metadata().is_ok_and(|it| it.mode() & 0o7777 == MODE)
        && is_same(&mut own, &mut there).unwrap_or(false)
    {
        return Ok(Installed { path, was_there: true, is_static });
    }
    sweep(&root);
    let number = RandomState::new().hash_one(&path);
    let unfinished = root.join(format!(".{NAME}.{number:016x}{UNFINISHED}"));
    let written = write(&mut own, &unfinished).and_then(|is_sound| {
        if is_sound { unfinished.rename(&copy).map(|()| true) } else { Ok(false) }
    });
    if !matches!(written, Ok(true)) {
        drop(unfinished.remove());
    }
    if !written.map_err(failed)? {
        return Err(InstallError::Differs { path });
    }
    // Not every file system can.
    drop(root.sync_folder());
    Ok(Installed { path, was_there: false, is_static })
}

/// Whether what is read there is what was written.
fn write(own: &mut File, to: &Beneath) -> io::Result<bool> {
    let mut file = to.open(Use::New)?;
    // What is locked is not swept away; not every file system has locks.
    drop(file.try_lock());
    own.rewind()?;
    io::copy(own, &mut file)?;
    to.hand_over(&file, MODE)?;
    file.sync_all()?;
    is_same(own, &mut file)
}

/// Removes what earlier runs have left that were ended.
fn sweep(root: &Beneath) {
    let start = format!(".{NAME}.");
    for name in root.names().unwrap_or_default() {
        let shown = name.to_string_lossy();
        if shown.starts_with(&start) && shown.ends_with(UNFINISHED) {
            let left = root.join(&name);
            if left.open(Use::Write).is_ok_and(|file| file.try_lock().is_ok()) {
                drop(left.remove());
            }
        }
    }
}

fn is_same(one: &mut File, other: &mut File) -> io::Result<bool> {
    one.rewind()?;
    other.rewind()?;
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let (one, other) = (filled(one, &mut left)?, filled(other, &mut right)?);
        if left.get(..one) != right.get(..other) {
            return Ok(false);
        }
        if one == 0 {
            return Ok(true);
        }
    }
}

/// Reads until there is no room or nothing left; how many bytes.
fn filled(file: &mut File, room: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = room.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Whether a program of 64 bits needs no loader (elf(5)).
fn is_static(mut program: &File) -> io::Result<bool> {
    let mut head = [0; 64];
    program.rewind()?;
    program.read_exact(&mut head)?;
    let small = |at: usize| head.get(at..at + 2).and_then(|it| it.try_into().ok());
    let small = |at| small(at).map_or(0, u16::from_ne_bytes);
    let start = head.get(32..40).and_then(|it| it.try_into().ok()).map_or(0, u64::from_ne_bytes);
    let (length, count) = (usize::from(small(54)), usize::from(small(56)));
    let mut table = vec![0; length * count];
    program.seek(io::SeekFrom::Start(start))?;
    program.read_exact(&mut table)?;
    let kind = |entry: &[u8]| Some(u32::from_ne_bytes(entry.get(..4)?.try_into().ok()?));
    Ok(!table.chunks(length.max(4)).any(|entry| kind(entry) == Some(INTERPRETER)))
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.path.to_string_lossy();
        let said = if self.was_there { "is this program already" } else { "is installed" };
        writeln!(f, "`{}` {said}", shown.escape_debug())?;
        if !self.is_static {
            writeln!(
                f,
                "it is no static program: it runs only where the libraries of this system are"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs_err::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_copy_is_made_once_and_made_anew_where_it_differs() {
        let folder = tempfile::tempdir().unwrap();
        let into_it = folder.path().join("new/bin");
        let first = into(&into_it).unwrap();
        assert!(!first.was_there);
        assert_eq!(fs_err::metadata(&first.path).unwrap().mode() & 0o7777, MODE);
        let inode = || fs_err::metadata(&first.path).unwrap().ino();
        let before = inode();
        assert!(into(&into_it).unwrap().was_there);
        assert_eq!(inode(), before);
        let length = fs_err::metadata(&first.path).unwrap().len();
        let file = fs_err::OpenOptions::new().write(true).open(&first.path).unwrap();
        file.set_len(length - 1).unwrap();
        assert!(!into(&into_it).unwrap().was_there);
        assert_eq!(fs_err::metadata(&first.path).unwrap().len(), length);
    }

    #[test]
    fn what_a_run_left_that_was_ended_is_removed_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (left, written) = (".preflight.1.new", ".preflight.2.new");
        fs_err::write(at(left), "x").unwrap();
        fs_err::write(at(written), "x").unwrap();
        let held = fs_err::File::open(at(written)).unwrap();
        held.file().lock().unwrap();
        into(folder.path()).unwrap();
        let mut names = names(folder.path());
        names.sort();
        assert_eq!(names, [written, "preflight"]);
    }
}

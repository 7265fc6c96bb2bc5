//! Bytes on the disk: a temporary file beside the destination that only becomes the destination
//! once its content is proven.
//!
//! The temporary file is a [`Part`]; how far it has come and what it must hash to is all in it, so
//! that a journal beside it can bring it back after a crash.

use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fs_err as fs;
use rustix::fs::{CWD, FallocateFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Receiver;

use super::pace::random;
use super::{HubError, ObjectId, RemoteFile};

/// The name of a temporary file. Dropping it removes the file, if there still is one: it is held
/// by the future that fetches, so that a cancelled fetch leaves nothing at once.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

/// A file on its way. Dropping it removes the temporary file.
#[derive(Debug)]
pub(crate) struct Part {
    scratch: Scratch,
    file: fs::File,
    destination: PathBuf,
    hasher: Hasher,
    written: u64,
}

/// How the content is hashed while it is written.
#[derive(Debug)]
enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

/// The longest name that leaves room for the rest of a temporary one; file systems allow 255 bytes.
const LONGEST_STEM: usize = 200;
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const SET_GROUP: u32 = 0o2000;

impl Scratch {
    /// `.NAME.XXXXXXXX.incomplete` beside `destination`: the same file system, and no other run
    /// has the same name.
    pub(crate) fn beside(destination: &Path) -> Self {
        let name = destination.file_name().unwrap_or_default().to_string_lossy();
        let stem: String = name
            .char_indices()
            .take_while(|(start, character)| start + character.len_utf8() <= LONGEST_STEM)
            .map(|(_, character)| character)
            .collect();
        let digits = random() & 0xffff_ffff;
        Self(destination.with_file_name(format!(".{stem}.{digits:08x}.incomplete")))
    }

    /// A second holder of the same name.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Gone already after a rename, or when the other holder was quicker.
        drop(fs::remove_file(&self.0));
    }
}

impl Part {
    /// Makes the folders and the temporary file, and reserves its space. Blocking.
    pub(crate) fn create(
        scratch: Scratch,
        destination: &Path,
        file: &RemoteFile,
    ) -> Result<Self, HubError> {
        let folder = destination.parent().unwrap_or(Path::new("/"));
        make_folders(folder)?;
        let path = &scratch.0;
        let opened = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| failure(path, &error))?;
        let hasher = Hasher::for_content(file);
        let destination = destination.to_path_buf();
        let part = Self { scratch, file: opened, destination, hasher, written: 0 };
        part.reserve(file.size)?;
        Ok(part)
    }

    /// A disk that is too small says so now rather than after an hour. A file system that cannot
    /// reserve says so in many ways, and none of them matters.
    fn reserve(&self, size: u64) -> Result<(), HubError> {
        if size == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(self.file.file(), FallocateFlags::empty(), 0, size) {
            Err(Errno::NOSPC | Errno::DQUOT) => {
                Err(HubError::DiskFull { path: self.scratch.0.clone() })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes and hashes what arrives, until there is no more. Blocking.
    pub(crate) fn fill(mut self, mut pieces: Receiver<Bytes>) -> Result<Self, HubError> {
        while let Some(piece) = pieces.blocking_recv() {
            self.file.write_all(&piece).map_err(|error| failure(&self.scratch.0, &error))?;
            self.hasher.update(&piece);
            self.written += piece.len() as u64;
        }
        Ok(self)
    }

    /// Proves the content and gives it its final name, readable by all and owned like the folder.
    /// Returns the name of the content that `hf` knows it by. Blocking.
    pub(crate) fn commit(self, file: &RemoteFile) -> Result<String, HubError> {
        let Self { scratch, file: opened, destination, hasher, written } = self;
        let etag = hasher.prove(file, written)?;
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |error: io::Error| failure(&path, &error)
        };
        let folder = destination.parent().unwrap_or(Path::new("/"));
        opened.set_len(written).map_err(at(&scratch.0))?;
        hand_over(opened.file(), FILE_MODE, folder).map_err(at(&scratch.0))?;
        opened.sync_all().map_err(at(&scratch.0))?;
        drop(opened);
        fs::rename(&scratch.0, &destination).map_err(at(&destination))?;
        // The rename has happened; not every file system can sync a folder.
        drop(fs::File::open(folder).and_then(|folder| folder.sync_all()));
        Ok(etag)
    }
}

impl Hasher {
    fn for_content(file: &RemoteFile) -> Self {
        match file.oid {
            ObjectId::Sha256(_) | ObjectId::LfsPointer(_) => Self::Sha256(Sha256::new()),
            ObjectId::GitBlob(_) => {
                Self::Git(Sha1::new().chain_update(format!("blob {}\0", file.size)))
            }
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    /// The name of the content, if it is the one that was promised.
    fn prove(self, file: &RemoteFile, written: u64) -> Result<String, HubError> {
        let corrupt = |expected: String, actual: String| {
            Err(HubError::Corrupt { path: printable(&file.path), expected, actual })
        };
        if written != file.size {
            return corrupt(format!("{} bytes", file.size), format!("{written} bytes"));
        }
        let (kind, etag) = match self {
            Self::Sha256(hasher) => ("sha256", hex(&hasher.finalize())),
            Self::Git(hasher) => ("git blob", hex(&hasher.finalize())),
        };
        let (expected, actual) = match &file.oid {
            ObjectId::Sha256(expected) | ObjectId::GitBlob(expected) => (expected, etag.clone()),
            ObjectId::LfsPointer(expected) => (expected, pointer_id(&etag, written)),
        };
        if *expected == actual {
            return Ok(etag);
        }
        corrupt(format!("{kind} {expected}"), format!("{kind} {actual}"))
    }
}

/// The git id of the text that stands for a large file (git-lfs specification, "The Pointer").
fn pointer_id(sha256: &str, size: u64) -> String {
    let text =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n");
    let blob = Sha1::new().chain_update(format!("blob {}\0", text.len()));
    hex(&blob.chain_update(text).finalize())
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
    let scratch = Scratch::beside(path);
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&scratch.0)?;
        file.write_all(text.as_bytes())?;
        hand_over(file.file(), FILE_MODE, folder)?;
        fs::rename(&scratch.0, path)
    };
    write().map_err(|error| failure(path, &error))
}

/// Sets the mode, whatever the umask is, and then the owner: in this order, because changing the
/// mode of another user's file takes one privilege more. Only root may give files away; for others
/// they stay their own.
fn hand_over(file: &std::fs::File, mode: u32, like: &Path) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    let (own, wanted) = (file.metadata()?, fs::metadata(like)?);
    if (own.uid(), own.gid()) != (wanted.uid(), wanted.gid()) {
        let both = std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()));
        drop(both.or_else(|_| std::os::unix::fs::fchown(file, None, Some(wanted.gid()))));
    }
    Ok(())
}

/// What a failure to write means.
fn failure(path: &Path, error: &io::Error) -> HubError {
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

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::sync::mpsc;

    use super::*;

    fn store(folder: &Path, oid: ObjectId, size: u64, content: &[u8]) -> Result<String, HubError> {
        let file = RemoteFile { path: "a".to_owned(), size, oid };
        let destination = folder.join("x/a");
        let part = Part::create(Scratch::beside(&destination), &destination, &file)?;
        let (pieces, arriving) = mpsc::channel(1);
        pieces.try_send(Bytes::copy_from_slice(content)).unwrap();
        drop(pieces);
        part.fill(arriving)?.commit(&file)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder.join("x")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn content_is_proven_by_whatever_the_hub_names_it_by() {
        // `printf 'hello\n'` through sha256sum, `git hash-object`, and the pointer of the former
        // through `git hash-object`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let pointer = "fa61e1ef71c9908c0926776a4aa3504b3a27f159";
        for (oid, etag) in [
            (ObjectId::Sha256(sha256.to_owned()), sha256),
            (ObjectId::GitBlob(git.to_owned()), git),
            (ObjectId::LfsPointer(pointer.to_owned()), sha256),
        ] {
            let folder = TempDir::new().unwrap();
            assert_eq!(store(folder.path(), oid, 6, b"hello\n").unwrap(), etag);
            assert_eq!(fs::read(folder.path().join("x/a")).unwrap(), b"hello\n");
            assert_eq!(names(folder.path()), ["a"]);
        }
    }

    #[test]
    fn what_is_not_proven_leaves_the_old_file_and_nothing_else() {
        let oid = ObjectId::GitBlob("0".repeat(40));
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("x")).unwrap();
        fs::write(folder.path().join("x/a"), "old").unwrap();
        for size in [6, 7] {
            let error = store(folder.path(), oid.clone(), size, b"hello\n").unwrap_err();
            assert!(matches!(error, HubError::Corrupt { .. }), "{error}");
            assert_eq!(fs::read(folder.path().join("x/a")).unwrap(), b"old");
            assert_eq!(names(folder.path()), ["a"]);
        }
    }

    #[test]
    fn a_long_name_has_room_for_the_rest() {
        let destination = Path::new("/m").join("ü".repeat(127));
        let scratch = Scratch::beside(&destination);
        assert!(scratch.0.file_name().unwrap().len() <= 255);
        assert_ne!(scratch.0, Scratch::beside(&destination).0);
    }

    #[test]
    fn a_folder_that_is_a_file_cannot_be_written_to() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("x"), "").unwrap();
        let oid = ObjectId::GitBlob("0".repeat(40));
        let error = store(folder.path(), oid, 0, b"").unwrap_err();
        assert!(matches!(error, HubError::NotWritable { .. }), "{error}");
    }
}

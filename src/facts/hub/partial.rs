//! A file on its way: a temporary file beside its destination that only becomes the destination
//! once its content is proven, and that outlives whoever began it.
//!
//! Its name is bound to the object that the hub promised, so the next run finds it and nobody takes
//! it for something else: `.NAME.OID8.incomplete`, and its journal `.NAME.OID8.journal`.
//!
//! Whoever writes holds the lock of the temporary file until the last of his threads has ended.
//! That keeps the end of a cancelled fetch and the beginning of the next apart; processes that want
//! the same file wait for each other elsewhere.

use std::fs::TryLockError;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::blocks::Blocks;
use super::digest::Hasher;
use super::journal::{Journal, Table};
use super::store::{self, failure};
use super::{Download, HubError, ObjectId, RemoteFile, metadata};
use crate::beneath::{Beneath, FILE_MODE, Use, has_second_name};

/// The names of a temporary file and of its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) data: Beneath,
    pub(crate) journal: Beneath,
}

/// A temporary file that is being written.
#[derive(Debug)]
pub(crate) struct PartialFile {
    pub(crate) kept: Kept,
    /// Locked.
    pub(crate) file: Arc<std::fs::File>,
    /// What is on the disk.
    pub(crate) table: Table,
    pub(crate) download: Download,
}

/// What stays of a temporary file whatever happens. Dropping it removes the file if not one of its
/// blocks is worth coming back for.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) names: Names,
    pub(crate) journal: Journal,
    in_place: bool,
}

/// What is there to begin with.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Something is still missing, or has yet to be proven.
    Partial(Box<PartialFile>),
    /// A run that ended just before the last step left everything; the file has its name now.
    InPlace {
        /// What `hf` knows the content by.
        etag: String,
    },
}

/// The longest name that leaves room for the rest of a temporary one; file systems allow 255 bytes.
const LONGEST_STEM: usize = 200;
pub(crate) const DATA: &str = "incomplete";
pub(crate) const JOURNAL: &str = "journal";
/// How long the threads of a cancelled fetch may take to write what they already have.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
const LOCK_POLL: Duration = Duration::from_millis(20);
/// Stays in the cache of a core until it is hashed: see `proof::hash`.
pub(crate) const READ_BUFFER: usize = 64 * 1024;

impl Names {
    /// Those of the temporary file for `oid` beside `destination`.
    pub(crate) fn beside(destination: &Beneath, oid: &ObjectId) -> Self {
        let stem = stem(destination);
        let id: String = oid.hex().chars().take(8).collect();
        let name = |kind| destination.beside(format!(".{stem}.{id}.{kind}"));
        Self { data: name(DATA), journal: name(JOURNAL) }
    }

    /// Removes both. What is not there need not be removed.
    pub(crate) fn remove(&self) {
        drop(self.data.remove());
        drop(self.journal.remove());
    }
}

/// As much of a file's name as a temporary name has room for.
pub(crate) fn stem(destination: &Beneath) -> String {
    let name = destination.name().to_string_lossy();
    let fits = |(start, character): &(usize, char)| start + character.len_utf8() <= LONGEST_STEM;
    name.char_indices().take_while(fits).map(|(_, character)| character).collect()
}

/// Bytes of the disk that the temporary file of a download holds already: a disk that has to have
/// room for the whole file needs that much less. Blocking.
pub(crate) fn held(download: &Download) -> u64 {
    let names = Names::beside(&download.destination, &download.file.oid);
    let blocks = names.data.stat().map_or(0, |found| u64::try_from(found.st_blocks).unwrap_or(0));
    // stat(2): in units of 512 bytes, whatever the file system's own are.
    blocks.saturating_mul(512).min(download.file.size)
}

impl PartialFile {
    /// Makes the folders, and the temporary file with all of its space reserved; or finds what an
    /// earlier run left of it. Blocking.
    pub(crate) fn open(download: &Download) -> Result<Opened, HubError> {
        let Download { file: remote, destination, .. } = download;
        store::make_folders(&destination.folder())?;
        let names = Names::beside(destination, &remote.oid);
        let at = |path: &Beneath| {
            let path = path.clone();
            move |error: io::Error| failure(path.path(), &error)
        };
        let file = open_locked(&names.data).map_err(at(&names.data))?;
        let length = file.metadata().map_err(at(&names.data))?.len();
        let (subject, count) = (subject(remote), Blocks::of(remote.size).count());
        let found = Journal::open(&names.journal, &subject, count).map_err(at(&names.journal))?;
        let is_new = found.is_none();
        let (journal, table) = match found {
            // The journal goes just before the name is given: without one, all may be there.
            None if length == remote.size => match hashed(&file, remote)? {
                Ok(etag) => {
                    put_in_place(&file, &names, download)?;
                    return Ok(Opened::InPlace { etag });
                }
                Err(_other_content) => create(&names, &subject, count)?,
            },
            None => create(&names, &subject, count)?,
            Some(_) if length != remote.size => create(&names, &subject, count)?,
            Some(found) => found,
        };
        let kept = Kept { names, journal, in_place: false };
        // Who owns the folder goes on with what is left of this run. Only root can give anything away.
        drop(destination.hand_over(&file, FILE_MODE));
        if is_new || length != remote.size {
            reserve(&file, remote.size, &kept.names.data)?;
        }
        let download = download.clone();
        Ok(Opened::Partial(Box::new(Self { kept, file: Arc::new(file), table, download })))
    }

    /// Gives the file its final name. Its content has been proven. Blocking.
    pub(crate) fn name(self) -> Result<(), HubError> {
        let Self { mut kept, file, download, .. } = self;
        put_in_place(&file, &kept.names, &download)?;
        kept.in_place = true;
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.in_place && self.journal.is_empty() {
            self.names.remove();
        }
    }
}

/// Writes a small file as a whole, and gives it its name if its content is the right one. Returns
/// what `hf` knows the content by. Blocking.
pub(crate) fn write_whole(download: &Download, content: &[Bytes]) -> Result<String, HubError> {
    let Download { file: remote, destination, .. } = download;
    let mut hasher = Hasher::for_content(remote);
    content.iter().for_each(|piece| hasher.update(piece));
    let etag = hasher.prove(remote, content.iter().map(|piece| piece.len() as u64).sum())?;
    store::make_folders(&destination.folder())?;
    let names = Names::beside(destination, &remote.oid);
    let write = || -> io::Result<std::fs::File> {
        let mut file = open_locked(&names.data)?;
        file.set_len(0)?;
        content.iter().try_for_each(|piece| file.write_all(piece))?;
        Ok(file)
    };
    let written = write()
        .map_err(|error| failure(names.data.path(), &error))
        .and_then(|file| put_in_place(&file, &names, download));
    if written.is_err() {
        names.remove();
    }
    written.map(|()| etag)
}

/// Gives a file whose content has been proven its final name.
fn put_in_place(file: &std::fs::File, names: &Names, download: &Download) -> Result<(), HubError> {
    let destination = &download.destination;
    destination.finish(file).map_err(|error| failure(names.data.path(), &error))?;
    // Before the rename, so that nothing can be left over. In between, `open` finds a file without
    // a journal, and proves it.
    drop(names.journal.remove());
    metadata::forget(download);
    store::rename(&names.data, destination)
}

/// What a journal is about: it says nothing about any other content.
fn subject(file: &RemoteFile) -> String {
    let kind = match file.oid {
        ObjectId::Sha256(_) => "sha256",
        ObjectId::LfsPointer(_) => "lfs-pointer",
        ObjectId::GitBlob(_) => "git-blob",
    };
    format!("{kind} {} {}", file.oid.hex(), file.size)
}

fn create(names: &Names, subject: &str, count: usize) -> Result<(Journal, Table), HubError> {
    let journal = Journal::create(&names.journal, subject, count)
        .map_err(|error| failure(names.journal.path(), &error))?;
    Ok((journal, vec![None; count]))
}

/// Opens or makes the temporary file, and waits until nobody else writes it. One that has a second
/// name is given up: who has it by that name would find it changed.
fn open_locked(path: &Beneath) -> io::Result<std::fs::File> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let file = path.open(Use::Keep)?;
        match file.try_lock() {
            // Whoever had it may have given it its final name, or removed it.
            Ok(()) if !path.is_still(&file) => {}
            Ok(()) if has_second_name(&file.metadata()?) => path.remove()?,
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(LOCK_POLL);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process is writing it"));
            }
            // A file system without locks: who waits for whom is settled elsewhere.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// A disk that is too small says so now rather than after an hour. A file system that cannot reserve
/// says so in many ways, and none of them matters.
fn reserve(file: &std::fs::File, size: u64, path: &Beneath) -> Result<(), HubError> {
    let sized = || file.set_len(0).and_then(|()| file.set_len(size));
    match sized().map(|()| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size)) {
        Ok(Err(Errno::NOSPC | Errno::DQUOT)) => {
            Err(HubError::DiskFull { path: path.path().to_path_buf() })
        }
        Ok(_) => Ok(()),
        Err(error) => Err(failure(path.path(), &error)),
    }
}

/// The name of the content of a file that has its full length, if it is the right one.
pub(crate) fn hashed(
    file: &std::fs::File,
    remote: &RemoteFile,
) -> Result<Result<String, HubError>, HubError> {
    let mut hasher = Hasher::for_content(remote);
    let mut buffer = vec![0; READ_BUFFER];
    let mut offset = 0;
    while offset < remote.size {
        let read = file.read_at(&mut buffer, offset).map_err(|error| HubError::NotWritable {
            path: PathBuf::from(store::printable(&remote.path)),
            reason: error.to_string(),
        })?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        offset += read as u64;
    }
    Ok(hasher.prove(remote, offset))
}

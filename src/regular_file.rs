//! How files that others wrote are opened, and how their texts are read: without waiting, regular
//! files only, and no more of them than the caller has room for.
//!
//! Nothing else in the sources opens a file to read a text from it. What is read through a view is
//! opened here as well, and bounded where it is parsed.

use std::fs::{FileType, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::limits::{LONGEST_SILENCE_OF_A_PIPE, LONGEST_WAIT_FOR_A_PIPE};

/// `/dev/null` (Linux, devices.txt): whoever mounts it over a file, or names it as one, means that
/// there is nothing in it.
const NULL_DEVICE: (u32, u32) = (1, 3);

/// Opens the regular file at `path`, links followed. Blocking, but not on whoever has made a pipe of it.
///
/// It is looked at first: opening a pipe lets its writer go on, and opening a device can do something.
///
/// # Errors
/// What the system says; that it is something else, and what.
pub(crate) fn open(path: &Path) -> io::Result<fs_err::File> {
    expect_file(path, &fs_err::metadata(path)?)?;
    let file = open_now(path)?;
    // It may have been replaced since it was looked at.
    expect_file(path, &file.metadata()?)?;
    Ok(file)
}

/// The content of the regular file at `path`; that of `/dev/null` is empty. Blocking.
///
/// # Errors
/// As [`open`]; [`ErrorKind::FileTooLarge`] beyond `most` bytes, whatever its length says.
pub(crate) fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if is_null(&fs_err::metadata(path)?) {
        return Ok(Vec::new());
    }
    bounded(path, open(path)?, most)
}

/// [`bytes`], as UTF-8.
///
/// # Errors
/// As [`bytes`]; [`ErrorKind::InvalidData`] for what is no text.
pub(crate) fn text(path: &Path, most: u64) -> io::Result<String> {
    let no_text = |_error| {
        let message = format!("`{}` is not valid UTF-8", path.display());
        io::Error::new(ErrorKind::InvalidData, message)
    };
    String::from_utf8(bytes(path, most)?).map_err(no_text)
}

/// [`bytes`], also those of a pipe: what a shell gives for `<(...)`, and what a keeper of secrets puts
/// in the place of an `.env`. Docker Compose reads them, and waits for ever. Blocking.
///
/// # Errors
/// As [`bytes`]; [`ErrorKind::TimedOut`] for a pipe into which nobody writes, or that does not end.
pub(crate) fn bytes_or_pipe(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !fs_err::metadata(path)?.file_type().is_fifo() {
        return bytes(path, most);
    }
    let file = open_now(path)?;
    let metadata = file.metadata()?;
    if !metadata.file_type().is_fifo() {
        return Err(other_than_a_file(path, metadata.file_type()));
    }
    bounded(path, Pipe { path, file, started: Instant::now(), is_written: false }, most)
}

/// Everything on standard input. Blocking, for as long as it takes: it is the user's own.
///
/// # Errors
/// What the system says; [`ErrorKind::FileTooLarge`] beyond `most` bytes.
pub(crate) fn standard_input(most: u64) -> io::Result<Vec<u8>> {
    bounded(Path::new("-"), io::stdin().lock(), most)
}

fn bounded(path: &Path, reader: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!("`{}` is larger than {most} bytes", path.display());
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn open_now(path: &Path) -> io::Result<fs_err::File> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    fs_err::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn expect_file(path: &Path, metadata: &Metadata) -> io::Result<()> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(()),
        kind => Err(other_than_a_file(path, kind)),
    }
}

fn other_than_a_file(path: &Path, kind: FileType) -> io::Error {
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    let message = format!("`{}` is {what}, not a regular file", path.display());
    io::Error::new(ErrorKind::InvalidInput, message)
}

fn is_null(metadata: &Metadata) -> bool {
    let device = metadata.rdev();
    metadata.file_type().is_char_device()
        && (rustix::fs::major(device), rustix::fs::minor(device)) == NULL_DEVICE
}

/// A pipe that is opened without blocking.
struct Pipe<'path> {
    path: &'path Path,
    file: fs_err::File,
    started: Instant,
    /// Whether somebody has it open for writing, or had.
    is_written: bool,
}

impl Pipe<'_> {
    /// Waits until there is something to read, or a writer has come and gone.
    fn wait(&self) -> io::Result<()> {
        let (limit, what) = if self.is_written {
            (LONGEST_WAIT_FOR_A_PIPE, "is a pipe that does not end")
        } else {
            (LONGEST_SILENCE_OF_A_PIPE, "is a pipe into which nobody writes")
        };
        let left = limit.saturating_sub(self.started.elapsed());
        if !left.is_zero() && is_ready(self.file.file().as_fd(), left)? {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::TimedOut, format!("`{}` {what}", self.path.display())))
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                // Before there was a writer, this is not the end.
                Ok(0) if !self.is_written => {
                    self.wait()?;
                    self.is_written = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_written = true;
                    self.wait()?;
                }
                read => {
                    self.is_written = true;
                    return read;
                }
            }
        }
    }
}

/// Whether there is something to read, or a writer has gone, within a time.
fn is_ready(descriptor: BorrowedFd<'_>, within: Duration) -> io::Result<bool> {
    let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
    let within = Timespec::try_from(within).map_err(io::Error::other)?;
    Ok(poll(&mut polled, Some(&within))? > 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn pipe(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        path
    }

    #[test]
    fn what_is_no_regular_file_is_called_what_it_is_and_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        symlink("/dev/zero", &link).unwrap();
        for (path, what) in [
            (folder.path(), "a folder"),
            (&pipe(folder.path()), "a pipe"),
            (&socket, "a socket"),
            (&link, "a device"),
        ] {
            let expected = format!("`{}` is {what}, not a regular file", path.display());
            assert_eq!(open(path).unwrap_err().to_string(), expected);
            assert_eq!(bytes(path, 9).unwrap_err().to_string(), expected);
        }
        assert_eq!(bytes(Path::new("/dev/null"), 0).unwrap(), b"");
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for_whatever_the_length_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs_err::write(&path, "four").unwrap();
        assert_eq!(text(&path, 4).unwrap(), "four");
        assert_eq!(bytes(&path, 3).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(fs_err::metadata("/proc/self/status").unwrap().len(), 0);
        assert!(text(Path::new("/proc/self/status"), 1 << 20).unwrap().contains("VmHWM"));
        let error = bytes(Path::new("/proc/self/status"), 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        fs_err::write(&path, b"\xff").unwrap();
        assert_eq!(text(&path, 4).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_pipe_is_read_to_its_end_by_whoever_takes_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let writer = {
            let path = path.clone();
            thread::spawn(move || fs_err::write(path, vec![b'x'; 1 << 17]).unwrap())
        };
        assert_eq!(bytes_or_pipe(&path, 1 << 20).unwrap().len(), 1 << 17);
        writer.join().unwrap();
        let mut both = fs_err::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        both.write_all(b"endless").unwrap();
        assert_eq!(bytes_or_pipe(&path, 3).unwrap_err().kind(), ErrorKind::FileTooLarge);
        drop(both);
        let error = bytes_or_pipe(&path, 3).unwrap_err();
        assert!(error.to_string().ends_with("is a pipe into which nobody writes"), "{error}");
    }
}

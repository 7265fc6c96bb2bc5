//! Who holds a lock, in words for a person who waits for it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err as fs;

/// A process that holds a lock, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// In its own namespace.
    pid: u32,
    /// Of a container, its id.
    host: String,
    /// Differs from start to start of a machine, and between namespaces of process ids: only where
    /// it is the same does a pid mean the same.
    space: String,
    /// Seconds since 1970 by the holder's clock.
    since: u64,
}

/// Longer than anything that is written: what somebody else puts there is not read to its end.
const LONGEST: usize = 1024;

impl Owner {
    /// This process.
    pub(super) fn myself() -> Self {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let boot = line("/proc/sys/kernel/random/boot_id");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            pid: std::process::id(),
            host: line("/proc/sys/kernel/hostname"),
            space: format!("{boot}/{}", namespace.display()),
            since: now.as_secs(),
        }
    }

    /// As it stands in a lock file: a word and a value a line.
    pub(super) fn text(&self) -> String {
        let Self { pid, host, space, since } = self;
        format!("preflight\npid {pid}\nhost {host}\nspace {space}\nsince {since}\n")
    }

    /// Reads [`Owner::text`]; lines that it does not know are skipped.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some("preflight") {
            return None;
        }
        let mut value = |name: &str| {
            let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            (!line.chars().any(char::is_control)).then(|| line.to_owned())
        };
        Some(Self {
            pid: value("pid")?.parse().ok()?,
            host: value("host")?,
            space: value("space")?,
            since: value("since")?.parse().ok()?,
        })
    }

    /// Replaces what `file` says. `beat` is different every time.
    pub(super) fn write(&self, file: &File, beat: u64) -> io::Result<()> {
        let text = format!("{}beat {beat}\n", self.text());
        file.write_all_at(text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)
    }

    /// Whether it is known to have ended: it ran under this system, and there is no such process.
    pub(super) fn is_gone(&self) -> bool {
        let proc = Path::new("/proc");
        self.space == Self::myself().space
            && proc.join("self").exists()
            && !proc.join(self.pid.to_string()).exists()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let ago = seconds.saturating_sub(self.since);
        write!(f, "preflight (pid {} on {}, since {ago} s)", self.pid, self.host)
    }
}

/// What a lock file says; empty where that is no text.
pub(super) fn read(file: &File) -> String {
    let mut text = vec![0; LONGEST];
    let length = file.read_at(&mut text, 0).unwrap_or(0);
    text.truncate(length);
    String::from_utf8(text).unwrap_or_default()
}

/// The process that the kernel knows as the holder of a flock: `pid N (NAME)`, or that it is none
/// that can be seen from here.
pub(super) fn by_kernel(lock: &File) -> String {
    let inode = lock.metadata().map(|metadata| metadata.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let pid = inode.ok().and_then(|inode| locks.lines().find_map(|line| holder_in(line, inode)));
    let Some(pid) = pid else { return "another process".to_owned() };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim() {
        "" => format!("pid {pid}"),
        name => format!("pid {pid} (`{}`)", name.escape_debug()),
    }
}

/// The pid of `1: FLOCK  ADVISORY  WRITE 4242 fe:01:INODE 0 EOF` (proc_locks(5)). The device is not
/// compared: some file systems have another one here than in stat(2). Of a process in another
/// namespace the pid is 0.
fn holder_in(line: &str, inode: u64) -> Option<u32> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let ["FLOCK", _, _, pid, place, ..] = fields.get(1..)? else { return None };
    let found: u64 = place.rsplit(':').next()?.parse().ok()?;
    pid.parse().ok().filter(|pid| found == inode && *pid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_anything_else_is_nobody() {
        let own = Owner::myself();
        assert_eq!(Owner::parse(&format!("{}beat 7\n", own.text())), Some(own.clone()));
        assert!(!own.is_gone());
        for text in ["", "4242\nhost\n", "preflight\npid x\n", "preflight\npid 1\nhost a\u{7}\n"] {
            assert_eq!(Owner::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_pid_means_nothing_elsewhere() {
        let gone = Owner { pid: u32::MAX, ..Owner::myself() };
        assert!(gone.is_gone());
        assert!(!Owner { space: "elsewhere".to_owned(), ..gone }.is_gone());
    }

    #[test]
    fn the_kernel_names_the_holder_of_a_flock() {
        let line = "1: FLOCK  ADVISORY  WRITE 4242 fe:01:1311 0 EOF";
        assert_eq!(holder_in(line, 1311), Some(4242));
        assert_eq!(holder_in(line, 1312), None);
        assert_eq!(holder_in("2: POSIX  ADVISORY  WRITE 4242 fe:01:1311 0 EOF", 1311), None);
        assert_eq!(holder_in("1: FLOCK  ADVISORY  WRITE 0 fe:01:1311 0 EOF", 1311), None);
        assert_eq!(holder_in("", 1311), None);
    }
}

//! What remembers that a file was hashed: a small file below the lane's own folder.
//!
//! `ROOT/.cache/huggingface/preflight/NAME.stamp`, beside the notes of `hf`, which everything that
//! lists a model's folder leaves out. One line: version, size, inode, time of the last change of
//! content and of anything, the hash that the content had, and who found that, where, with which
//! preflight, when. It holds while the file is the same.
//!
//! A stamp is worth as much as its folder: whoever may write there may write one.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::beneath::Beneath;
use crate::facts::hub::{self, HubError, ObjectId};
use crate::file_name::hub_cache;
use crate::regular_file;
use crate::timing::rfc_3339;

/// Stamps of other versions are no stamps.
const VERSION: &str = "2";

/// One that is longer was not written here.
const LONGEST: u64 = 512;

/// What `stat` says of a file, as far as a change of its content shows in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// Bytes.
    pub size: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What a stamp says of a file as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recall {
    /// There is none.
    Nothing,
    /// The file is as it was when its content was this.
    Same(ObjectId),
    /// Its content was this; since then it was copied or given to another owner, not written.
    Moved(ObjectId),
    /// Its content was this, and it has been written since.
    Written(ObjectId),
}

/// What a stamp is good for in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamps {
    /// It is believed, and one is left for what was hashed.
    Kept,
    /// It is believed, and none is left.
    Believed,
    /// `--no-stamps`: it is neither believed nor left.
    Ignored,
}

/// Who has hashed a file, as its stamp says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamper {
    /// The user's number, in his own namespace.
    pub uid: u32,
    /// What his machine calls itself; in a container, its id.
    pub host: String,
    /// The version of preflight.
    pub version: String,
    /// By his clock.
    pub at: SystemTime,
}

impl Stamps {
    /// For files that may be written beside, or not.
    #[must_use]
    pub fn of(ignored: bool, read_only: bool) -> Self {
        match (ignored, read_only) {
            (true, _) => Self::Ignored,
            (false, true) => Self::Believed,
            (false, false) => Self::Kept,
        }
    }
}

impl Stamper {
    fn myself() -> Self {
        let name = Path::new("/proc/sys/kernel/hostname");
        let host = regular_file::text(name, LONGEST).unwrap_or_default();
        let host = Some(host.trim()).filter(|host| is_word(host)).unwrap_or("-");
        Self {
            uid: rustix::process::geteuid().as_raw(),
            host: host.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: SystemTime::now(),
        }
    }

    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let uid = words.next()?.parse().ok()?;
        let mut word = || words.next().filter(|word| is_word(word)).map(str::to_owned);
        let (host, version) = (word()?, word()?);
        let seconds = Duration::from_secs(words.next()?.parse().ok()?);
        let at = SystemTime::UNIX_EPOCH.checked_add(seconds)?;
        words.next().is_none().then_some(Self { uid, host, version, at })
    }
}

impl fmt::Display for Stamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uid, host, version, at } = self;
        write!(f, "uid {uid} on {host} with preflight {version} on {}", rfc_3339(*at))
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Trace {
    /// Of a regular file. Blocking.
    ///
    /// # Errors
    /// What the system says; and when it is no regular file.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs_err::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("`{}` is not a file", path.display())));
        }
        Ok(Self {
            size: metadata.len(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// When its content was last written, in whole seconds since 1970.
    pub(super) fn written(&self) -> i64 {
        self.modified.0
    }

    /// When anything of it was last changed, in whole seconds since 1970: its content, its name, its owner.
    pub(super) fn touched(&self) -> i64 {
        self.modified.0.max(self.changed.0)
    }

    fn numbers(&self) -> [i128; 6] {
        let [modified, modified_ns, changed, changed_ns] =
            [self.modified.0, self.modified.1, self.changed.0, self.changed.1].map(i128::from);
        let [size, inode] = [self.size, self.inode].map(i128::from);
        [size, inode, modified, modified_ns, changed, changed_ns]
    }
}

/// What is remembered of the file `name` below `root`, which now is as `trace` says. Blocking.
#[must_use]
pub fn recall(root: &Beneath, name: &str, trace: &Trace) -> Recall {
    let Some((then, id, _)) = read(root, name) else { return Recall::Nothing };
    let now = trace.numbers();
    match (then == now, then[0] == now[0] && then[2..4] == now[2..4]) {
        (true, _) => Recall::Same(id),
        (false, true) => Recall::Moved(id),
        (false, false) => Recall::Written(id),
    }
}

/// Who has hashed the file `name` below `root`, if there is a stamp. Blocking.
#[must_use]
pub fn stamper(root: &Beneath, name: &str) -> Option<Stamper> {
    read(root, name).map(|(.., stamper)| stamper)
}

fn read(root: &Beneath, name: &str) -> Option<([i128; 6], ObjectId, Stamper)> {
    parse(&place(root, name).read(LONGEST).ok()??)
}

/// Remembers the content of the file `name` below `root`. Blocking.
///
/// # Errors
/// When nothing may be written there.
pub fn leave(root: &Beneath, name: &str, trace: &Trace, id: &ObjectId) -> Result<(), HubError> {
    let (kind, hex) = match id {
        ObjectId::Sha256(hex) => ("sha256", hex),
        ObjectId::GitBlob(hex) => ("git", hex),
        ObjectId::LfsPointer(_) => return Ok(()),
    };
    let [size, inode, modified, modified_ns, changed, changed_ns] = trace.numbers();
    let Stamper { uid, host, version, at } = Stamper::myself();
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let text = format!(
        "{VERSION} {size} {inode} {modified} {modified_ns} {changed} {changed_ns} {kind}:{hex} \
         {uid} {host} {version} {seconds}\n"
    );
    hub::write_note(&place(root, name), &text)
}

fn place(root: &Beneath, name: &str) -> Beneath {
    root.join(hub_cache::OWN).join(format!("{name}.stamp"))
}

fn parse(text: &str) -> Option<([i128; 6], ObjectId, Stamper)> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    if words.next()? != VERSION {
        return None;
    }
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    let id = match words.next()?.split_once(':')? {
        ("sha256", hex) => ObjectId::Sha256(hex.to_owned()),
        ("git", hex) => ObjectId::GitBlob(hex.to_owned()),
        _ => return None,
    };
    Some((numbers, id, Stamper::parse(words)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(folder: &Path) -> Recall {
        recall(&Beneath::root(folder), "sub/a", &Trace::of(&folder.join("sub/a")).unwrap())
    }

    #[test]
    fn a_stamp_holds_until_the_file_is_touched() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let file = folder.join("sub/a");
        fs_err::create_dir(folder.join("sub")).unwrap();
        fs_err::write(&file, "12").unwrap();
        assert_eq!(now(folder), Recall::Nothing);
        let id = ObjectId::Sha256("ab".repeat(32));
        let trace = Trace::of(&file).unwrap();
        leave(&Beneath::root(folder), "sub/a", &trace, &id).unwrap();
        assert_eq!(now(folder), Recall::Same(id.clone()));

        let copy = folder.join("copy");
        fs_err::copy(&file, &copy).unwrap();
        let opened = std::fs::OpenOptions::new().write(true).open(&copy).unwrap();
        let modified = fs_err::metadata(&file).unwrap().modified().unwrap();
        opened.set_modified(modified).unwrap();
        fs_err::rename(&copy, &file).unwrap();
        assert_eq!(now(folder), Recall::Moved(id.clone()));

        opened.set_modified(SystemTime::now() - Duration::from_secs(9)).unwrap();
        assert_eq!(now(folder), Recall::Written(id));
    }

    #[test]
    fn what_is_not_a_stamp_says_nothing() {
        let id = format!("sha256:{}", "0".repeat(64));
        let whole = format!("2 2 3 4 5 6 7 {id} 1000 box 0.1.0 1764331200\n");
        let (.., stamper) = parse(&whole).unwrap();
        let told = "uid 1000 on box with preflight 0.1.0 on 2025-11-28T12:00:00.000Z";
        assert_eq!(stamper.to_string(), told);
        for text in [
            String::new(),
            whole.trim_end().to_owned(),
            whole.replace("2 2", "1 2"),
            whole.replace("3 4 5", "3 5"),
            whole.replace("1000", "-1"),
            whole.replace("box", "b\u{202e}x"),
            whole.replace("1764331200", &u64::MAX.to_string()),
            whole.replace("1764331200", "1764331200 x"),
            whole.replace("sha256", "md5"),
            format!("2 2 3 4 5 6 7 {id}\n"),
        ] {
            assert_eq!(parse(&text), None, "{text:?}");
        }
    }
}

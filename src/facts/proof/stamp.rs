//! What remembers that a file was hashed: a small file below the lane's own folder.
//!
//! `ROOT/.cache/huggingface/preflight/NAME.stamp`, beside the notes of `hf`, which everything that
//! lists a model's folder leaves out. One line: version, size, inode, time of the last change of
//! content and of anything, and the hash that the content had. It holds while all of them do.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::beneath::Beneath;
use crate::facts::hub::{self, HubError, ObjectId};
use crate::file_name::hub_cache;

/// Stamps of other versions are no stamps.
const VERSION: &str = "1";

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
    let Ok(Some(text)) = place(root, name).read(LONGEST) else { return Recall::Nothing };
    let Some((then, id)) = parse(&text) else { return Recall::Nothing };
    let now = trace.numbers();
    match (then == now, then[0] == now[0] && then[2..4] == now[2..4]) {
        (true, _) => Recall::Same(id),
        (false, true) => Recall::Moved(id),
        (false, false) => Recall::Written(id),
    }
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
    let text = format!(
        "{VERSION} {size} {inode} {modified} {modified_ns} {changed} {changed_ns} {kind}:{hex}\n"
    );
    hub::write_note(&place(root, name), &text)
}

fn place(root: &Beneath, name: &str) -> Beneath {
    root.join(hub_cache::OWN).join(format!("{name}.stamp"))
}

fn parse(text: &str) -> Option<([i128; 6], ObjectId)> {
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
    words.next().is_none().then_some((numbers, id))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

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
        assert!(parse(&format!("1 2 3 4 5 6 7 {id}\n")).is_some());
        for text in [
            String::new(),
            format!("1 2 3 4 5 6 7 {id}"),
            format!("2 2 3 4 5 6 7 {id}\n"),
            format!("1 2 3 4 5 6 {id}\n"),
            format!("1 2 3 4 5 6 7 {id} x\n"),
            "1 2 3 4 5 6 7 md5:0\n".to_owned(),
        ] {
            assert_eq!(parse(&text), None, "{text:?}");
        }
    }
}

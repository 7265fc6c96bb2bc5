//! `preflight.lock`: commit, path, size and hash of every file that the lanes are made of.
//!
//! JSON, sorted, with one file on each line, so that a difference of two versions reads as a list
//! of files. What is in it came from somewhere else and is checked like a listing of the hub.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::beneath::{Beneath, LinkInTheWay, Use};
use crate::facts::hub::{self, Listing, ObjectId, RemoteFile};
use crate::file_name::hub_cache::{is_commit, is_hex};
use crate::limits::LONGEST_LOCK_FILE;
use crate::project::stack::LOCK_FILE;
use crate::regular_file;
use crate::source::Source;

/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Everything that is pinned, by lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    /// By the lane's name.
    pub lanes: BTreeMap<String, Pin>,
}

/// A lock file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "version", deserialize_with = "version")]
    _version: (),
    lanes: BTreeMap<String, Pin>,
}

/// What a lane is made of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// As it was declared when this was written: branch or tag, if any, included.
    #[serde(deserialize_with = "source")]
    pub source: Source,
    /// 40 hex digits.
    #[serde(deserialize_with = "commit")]
    pub commit: String,
    /// By the path in the repository, which is safe below any folder.
    #[serde(deserialize_with = "files")]
    pub files: BTreeMap<String, PinnedFile>,
}

/// One file of a [`Pin`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// Bytes.
    pub size: u64,
    /// Of the content, 64 hex digits; absent for a small file whose bytes were never here.
    pub sha256: Option<String>,
    /// The git blob id, 40 hex digits: that by which the hub knows a small file.
    pub git: Option<String>,
}

/// A file that the hub has otherwise than it is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockDifference {
    /// In the repository.
    pub path: String,
    /// True: with another content. False: it has none of that path.
    pub is_there: bool,
}

/// A lane, or an entry of the lock file without one, and what the lock file has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedLane {
    /// The lane.
    pub name: String,
    /// What the lock file has for it.
    pub state: LockState,
}

/// What a lock file has for a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// Its files, at this commit.
    Pinned(String),
    /// Nothing, although the lane has a source.
    Missing(Source),
    /// The files of another source than the lane's, or others than it opens.
    Outdated {
        /// What is pinned.
        pinned: Source,
        /// What the lane has now.
        now: Source,
    },
    /// Files of a lane that there is no more.
    Surplus,
}

/// Why a lock file cannot be used.
#[derive(Debug, Error)]
pub enum LockfileError {
    /// It is there and cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The lock file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// It is not a lock file that this version knows.
    #[error("`{path}` is not a lock file: {reason}")]
    Invalid {
        /// The lock file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// It cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The lock file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// `preflight lock` without a project that it could lie beside.
    #[error("there is no Compose file that `{LOCK_FILE}` could lie beside")]
    Nowhere,
}

impl LockfileError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid { .. } => Some(
                "restore it from version control, or delete it and run `preflight lock`".into(),
            ),
            Self::Nowhere => Some("name it with `--lock-file FILE`".to_owned()),
            Self::Read { .. } | Self::Write { .. } => None,
        }
    }
}

/// Reads a lock file; absent: there is none. Blocking.
///
/// # Errors
/// When it is there and cannot be read or is not one.
pub fn read(path: &Path) -> Result<Option<Lockfile>, LockfileError> {
    let failed = |source| LockfileError::Read { path: path.to_path_buf(), source };
    let invalid = |reason| LockfileError::Invalid { path: path.to_path_buf(), reason };
    let text = match regular_file::text(path, LONGEST_LOCK_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    parse(&text).map(Some).map_err(|error| invalid(error.to_string()))
}

/// What the text of a lock file says.
pub(crate) fn parse(text: &str) -> Result<Lockfile, serde_json::Error> {
    let document: Document = serde_json::from_str(text)?;
    Ok(Lockfile { lanes: document.lanes })
}

/// Writes a lock file: whole or not at all, and never through a link; one that is a mount of its own
/// is written in place. Blocking.
///
/// # Errors
/// What the system says; that the file is a link.
pub fn write(path: &Path, lockfile: &Lockfile) -> Result<(), LockfileError> {
    let written = write_text(path, lockfile.render().as_bytes());
    written.map_err(|source| LockfileError::Write { path: path.to_path_buf(), source })
}

fn write_text(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = Beneath::root(folder.unwrap_or(Path::new(".")));
    let file = folder.join(&*name);
    if let Ok(target) = file.link_target() {
        return Err(io::Error::other(LinkInTheWay { path: path.to_path_buf(), target }));
    }
    let scratch = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    match file.write_whole(&scratch, text) {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            let mut file = file.open(Use::Write)?;
            file.set_len(0)?;
            file.write_all(text)
        }
        written => written,
    }
}

impl Lockfile {
    /// The text of the file, with a line break at its end.
    #[must_use]
    pub fn render(&self) -> String {
        let lanes = self.lanes.iter().map(|(name, pin)| pin.render(name));
        let lanes = lanes.collect::<Vec<_>>().join(",\n");
        let open = if lanes.is_empty() { "" } else { "\n" };
        format!("{{\n  \"version\": {VERSION},\n  \"lanes\": {{{open}{lanes}{open}  }}\n}}\n")
    }
}

impl Pin {
    /// What a listing of the hub says, as something that can be written down.
    #[must_use]
    pub fn of(source: &Source, listing: &Listing) -> Self {
        let files = listing.files.iter().map(|file| (file.path.clone(), PinnedFile::of(file)));
        Self { source: source.clone(), commit: listing.commit.clone(), files: files.collect() }
    }

    /// Whether these are the files of `source`: as it was declared, or by the pinned commit itself.
    #[must_use]
    pub fn is_for(&self, source: &Source) -> bool {
        self.source == *source || self.pinned_source() == *source
    }

    /// The source at the pinned commit.
    #[must_use]
    pub fn pinned_source(&self) -> Source {
        Source { revision: Some(self.commit.clone()), ..self.source.clone() }
    }

    /// The files, as the hub would list them.
    #[must_use]
    pub fn remote_files(&self) -> Vec<RemoteFile> {
        let file = |(path, file): (&String, &PinnedFile)| {
            Some(RemoteFile { path: path.clone(), size: file.size, oid: file.id()? })
        };
        self.files.iter().filter_map(file).collect()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// What the hub has otherwise, by path. Files that are not pinned do not matter.
    #[must_use]
    pub fn differences(&self, listed: &[RemoteFile]) -> Vec<LockDifference> {
        let difference = |(path, pinned): (&String, &PinnedFile)| {
            let file = listed.iter().find(|file| file.path == *path);
            let differs = |file: &RemoteFile| {
                file.size != pinned.size
                    || pinned.id().is_some_and(|id| id.agrees(&file.oid, file.size) == Some(false))
            };
            let is_there = file.is_some();
            let is_other = file.is_none_or(differs);
            is_other.then(|| LockDifference { path: path.clone(), is_there })
        };
        self.files.iter().filter_map(difference).collect()
    }

    fn render(&self, name: &str) -> String {
        let mut text = format!("    {}: {{\n", quoted(name));
        // A `String` takes everything.
        let _ = writeln!(text, "      \"source\": {},", quoted(&self.source.to_string()));
        let _ = writeln!(text, "      \"commit\": {},", quoted(&self.commit));
        let files = self.files.iter().map(|(path, file)| file.render(path));
        let files = files.collect::<Vec<_>>().join(",\n");
        let open = if files.is_empty() { "" } else { "\n" };
        let _ = write!(text, "      \"files\": {{{open}{files}{open}      }}\n    }}");
        text
    }
}

impl PinnedFile {
    fn of(file: &RemoteFile) -> Self {
        let (sha256, git) = match &file.oid {
            ObjectId::Sha256(sha256) => (Some(sha256.clone()), None),
            ObjectId::GitBlob(git) => (None, Some(git.clone())),
            // Neither of the two, and not to be mistaken for one.
            ObjectId::LfsPointer(_) => (None, None),
        };
        Self { size: file.size, sha256, git }
    }

    /// What its content is known by: as the hub does, if that is known.
    #[must_use]
    pub fn id(&self) -> Option<ObjectId> {
        let git = self.git.clone().map(ObjectId::GitBlob);
        git.or_else(|| self.sha256.clone().map(ObjectId::Sha256))
    }

    fn render(&self, path: &str) -> String {
        let hash = |name: &str, hash: &Option<String>| {
            hash.as_ref().map_or_else(String::new, |hash| format!(", \"{name}\": \"{hash}\""))
        };
        format!(
            "        {}: {{\"size\": {}{}{}}}",
            quoted(path),
            self.size,
            hash("sha256", &self.sha256),
            hash("git", &self.git)
        )
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let version = u32::deserialize(deserializer)?;
    if version == VERSION {
        return Ok(());
    }
    let message = format!("its version is {version}, this preflight knows {VERSION}");
    Err(serde::de::Error::custom(message))
}

fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn commit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let commit = String::deserialize(deserializer)?;
    if is_commit(&commit) {
        return Ok(commit);
    }
    Err(serde::de::Error::custom("a commit has 40 hex digits"))
}

fn files<'de, D>(deserializer: D) -> Result<BTreeMap<String, PinnedFile>, D::Error>
where
    D: Deserializer<'de>,
{
    let files = BTreeMap::<String, PinnedFile>::deserialize(deserializer)?;
    for (path, file) in &files {
        let hash =
            |hash: &Option<String>, length| hash.as_ref().is_none_or(|hash| is_hex(hash, length));
        let reason = if !hub::is_safe_name(path) {
            "is a name that leaves the folder"
        } else if !hash(&file.sha256, 64) || !hash(&file.git, 40) {
            "has a hash of the wrong form"
        } else {
            continue;
        };
        let path = path.escape_debug();
        return Err(serde::de::Error::custom(format!("`{path}` {reason}")));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn pin() -> Pin {
        let file = |path: &str, size, oid| RemoteFile { path: path.to_owned(), size, oid };
        let files = vec![
            file("model \"x\".safetensors", 5, ObjectId::Sha256("ab".repeat(32))),
            file("a/config.json", 2, ObjectId::GitBlob("cd".repeat(20))),
        ];
        let source: Source = "hf://o/r@v1".parse().unwrap();
        Pin::of(&source, &Listing { source: source.clone(), commit: COMMIT.to_owned(), files })
    }

    fn parse(text: &str) -> Result<Option<Lockfile>, LockfileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK_FILE);
        fs_err::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn what_is_written_is_read_again_and_has_a_line_for_each_file() {
        let lanes = BTreeMap::from([("coder".to_owned(), pin()), ("b".to_owned(), pin())]);
        let lockfile = Lockfile { lanes };
        let text = lockfile.render();
        assert_eq!(parse(&text).unwrap(), Some(lockfile));
        let line = format!(
            "        \"a/config.json\": {{\"size\": 2, \"git\": \"{}\"}},",
            "cd".repeat(20)
        );
        assert_eq!(text.lines().filter(|written| *written == line).count(), 2, "{text}");
        let empty = Lockfile::default();
        assert_eq!(parse(&empty.render()).unwrap(), Some(empty));
        assert_eq!(read(Path::new("/nowhere/preflight.lock")).unwrap(), None);
    }

    #[test]
    fn a_lock_file_that_somebody_has_tampered_with_is_refused() {
        let lanes = BTreeMap::from([("coder".to_owned(), pin())]);
        let text = Lockfile { lanes }.render();
        for (from, to, expected) in [
            ("\"version\": 1", "\"version\": 2", "its version is 2, this preflight knows 1"),
            ("a/config.json", "../config.json", "a name that leaves the folder"),
            (COMMIT, "main", "a commit has 40 hex digits"),
            ("abab", "ABAB", "has a hash of the wrong form"),
            ("hf://o/r", "o/r", "is not a source"),
            ("\"size\": 2", "\"size\": -2", "line 8 column"),
        ] {
            let error = parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn only_what_is_pinned_can_differ() {
        let pin = pin();
        let mut listed = pin.remote_files();
        assert_eq!(pin.differences(&listed), []);
        listed[1].oid = ObjectId::Sha256("00".repeat(32));
        let path = "model \"x\".safetensors".to_owned();
        assert_eq!(pin.differences(&listed), [LockDifference { path, is_there: true }]);
        listed.remove(0);
        listed.remove(0);
        assert_eq!(pin.differences(&listed).len(), 2);
    }
}

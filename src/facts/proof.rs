//! Whether files hold the bytes that somebody has promised.
//!
//! A promise is the size and the hash of a file, and who gave them. A look compares what costs
//! nothing: size and stamp. Hashing compares every byte, on every core, and leaves a stamp, so that
//! it is done once.

pub mod hash;
pub mod own;
pub mod stamp;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use self::stamp::{Recall, Stamper, Stamps, Trace};
use crate::beneath::Beneath;
use crate::deadline::Deadline;
use crate::facts::hub::ObjectId;
use crate::progress::Progress;

/// What a file has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// As this process sees it.
    pub path: PathBuf,
    /// The folder below which it is remembered what the file hashed to.
    pub root: Beneath,
    /// The file, relative to that folder.
    pub name: String,
    /// Bytes, if promised.
    pub size: Option<u64>,
    /// Its content, if promised.
    pub id: Option<ObjectId>,
    /// Who promises.
    pub promised_by: PromisedBy,
    /// What stamps are good for.
    pub stamps: Stamps,
}

/// Who promises what a file hashes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromisedBy {
    /// `preflight.lock`.
    Lock,
    /// What the hub had when the file was asked for.
    Delivery,
    /// The hub's listing, in this run.
    Hub,
    /// What `hf` or preflight has noted beside the file when it was fetched.
    Note,
    /// The name of the file in a cache of the hub.
    Cache,
    /// A stamp: what the file was when it was proven.
    Stamp,
    /// Nobody.
    Nobody,
}

/// What is known about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// As this process sees it.
    pub path: PathBuf,
    /// Who has promised.
    pub promised_by: PromisedBy,
    /// What was seen.
    pub outcome: ProofOutcome,
    /// Where the file comes from, where it is not what was promised.
    pub provenance: Provenance,
    /// Who has hashed it, by a stamp that says so; absent: none does, or none is believed.
    pub hashed_by: Option<Stamper>,
}

impl Promise {
    /// What the stamp of the file says, which now is as `trace` says. Blocking.
    #[must_use]
    pub fn recall(&self, trace: &Trace) -> Recall {
        match self.stamps {
            Stamps::Kept | Stamps::Believed => stamp::recall(&self.root, &self.name, trace),
            Stamps::Ignored => Recall::Nothing,
        }
    }

    /// Who has hashed the file, where that counts. Blocking.
    fn hashed_by(&self, outcome: &ProofOutcome) -> Option<Stamper> {
        let counts = self.promised_by == PromisedBy::Stamp
            || matches!(outcome, ProofOutcome::Proven | ProofOutcome::Written);
        let believed = self.stamps != Stamps::Ignored && counts;
        believed.then(|| stamp::stamper(&self.root, &self.name)).flatten()
    }
}

/// Where a file comes from that is not what was promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Provenance {
    /// A download left it as it is, or nobody can have made it on purpose.
    #[default]
    Download,
    /// Somebody has changed it since its download, or no download brought it.
    User,
    /// The same, and it is a text that still reads as what it should be.
    UserText,
}

/// What was seen of a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofOutcome {
    /// It is kept: by hash, in this run or in one that left a stamp.
    Proven,
    /// It is broken.
    Differs {
        /// As promised: a hash, or a number of bytes.
        expected: String,
        /// As seen, in the same terms.
        actual: String,
    },
    /// The file is not there.
    Missing,
    /// The file was proven and has been written since; it has not been hashed again.
    Written,
    /// The size is right, as far as it is promised, and the file has not been hashed.
    NotHashed,
    /// The same, although it was to be: `--timeout` has ended it.
    OutOfTime,
    /// Nobody promises what it hashes to.
    Unproven,
    /// It cannot be read, and why.
    Unreadable(String),
}

impl Proof {
    /// What was seen of `promise`. Blocking.
    #[must_use]
    pub fn of(promise: Promise, outcome: ProofOutcome) -> Self {
        let differs = matches!(outcome, ProofOutcome::Differs { .. });
        let provenance = match differs && own::is_own(&promise) {
            false => Provenance::Download,
            true if own::is_sound_text(&promise.path) => Provenance::UserText,
            true => Provenance::User,
        };
        let hashed_by = promise.hashed_by(&outcome);
        Self {
            path: promise.path,
            promised_by: promise.promised_by,
            outcome,
            provenance,
            hashed_by,
        }
    }
}

/// Compares size and stamp, names in a cache, and where these say nothing the note of a download. Blocking.
#[must_use]
pub fn look(promise: &Promise) -> ProofOutcome {
    let seen = seen(promise);
    let is_open = seen == ProofOutcome::NotHashed;
    is_open.then(|| against_note(promise)).flatten().unwrap_or(seen)
}

/// What the note of a download says against the file; a hash would tell more. Blocking.
fn against_note(promise: &Promise) -> Option<ProofOutcome> {
    let (id, trace) = (promise.id.as_ref()?, Trace::of(&promise.path).ok()?);
    let outcome = judge(id, &own::noted(promise, &trace)?, trace.size);
    outcome.filter(|outcome| matches!(outcome, ProofOutcome::Differs { .. }))
}

/// Compares size and stamp, and names in a cache. Blocking.
fn seen(promise: &Promise) -> ProofOutcome {
    let trace = match Trace::of(&promise.path) {
        Ok(trace) => trace,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return ProofOutcome::Missing,
        Err(error) => return ProofOutcome::Unreadable(error.to_string()),
    };
    if let Some(size) = promise.size.filter(|size| *size != trace.size) {
        return differs(format!("{size} bytes"), format!("{} bytes", trace.size));
    }
    let Some(id) = &promise.id else { return ProofOutcome::Unproven };
    let named = own::named_by_cache(&promise.path).and_then(|named| judge(id, &named, trace.size));
    if let Some(differs @ ProofOutcome::Differs { .. }) = named {
        return differs;
    }
    match promise.recall(&trace) {
        Recall::Same(known) => judge(id, &known, trace.size).unwrap_or(ProofOutcome::NotHashed),
        Recall::Written(known) if id.agrees(&known, trace.size) == Some(true) => {
            ProofOutcome::Written
        }
        Recall::Nothing | Recall::Moved(_) | Recall::Written(_) => ProofOutcome::NotHashed,
    }
}

/// Looks at every promise and hashes where a look does not tell, as many files at once as there are
/// cores; each `Progress` is told of the files of its promise. One outcome for each promise, in
/// order. Blocking.
#[must_use]
pub fn hash_all(promises: &[(Promise, Progress)], deadline: Option<Deadline>) -> Vec<ProofOutcome> {
    let mut outcomes: Vec<ProofOutcome> =
        promises.iter().map(|(promise, _)| seen(promise)).collect();
    let wants =
        |outcome: &ProofOutcome| matches!(outcome, ProofOutcome::NotHashed | ProofOutcome::Written);
    // What two lanes share is hashed once.
    let mut first: HashMap<(&Path, &Option<ObjectId>), usize> = HashMap::new();
    let mut same: Vec<(usize, usize)> = Vec::new();
    let mut work: Vec<(u64, usize)> = Vec::new();
    for (index, (promise, _)) in promises.iter().enumerate() {
        if !outcomes.get(index).is_some_and(wants) {
            continue;
        }
        match first.entry((&promise.path, &promise.id)) {
            std::collections::hash_map::Entry::Occupied(known) => same.push((index, *known.get())),
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(index);
                work.push((fs_err::metadata(&promise.path).map_or(0, |it| it.len()), index));
            }
        }
    }
    announce(promises, &work);
    // The largest first, so that no core is left with one at the end.
    work.sort_unstable_by(|one, other| other.cmp(one));
    for (index, outcome) in in_parallel(promises, &work, deadline) {
        outcomes[index] = outcome;
    }
    for (index, known) in same {
        outcomes[index] = outcomes[known].clone();
    }
    outcomes
}

fn announce(promises: &[(Promise, Progress)], work: &[(u64, usize)]) {
    let mut lanes: Vec<(&Progress, usize, u64)> = Vec::new();
    for (size, index) in work {
        let (_, progress) = &promises[*index];
        match lanes.iter_mut().find(|(known, ..)| known.lane() == progress.lane()) {
            Some((_, files, bytes)) => {
                *files += 1;
                *bytes += size;
            }
            None => lanes.push((progress, 1, *size)),
        }
    }
    for (progress, files, bytes) in lanes {
        progress.hashing(files, bytes);
    }
}

fn in_parallel(
    promises: &[(Promise, Progress)],
    work: &[(u64, usize)],
    deadline: Option<Deadline>,
) -> Vec<(usize, ProofOutcome)> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((_, index)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (promise, progress) = &promises[*index];
            done.push((*index, hash(promise, progress, deadline)));
        }
        done
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(work.len())).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    })
}

fn hash(promise: &Promise, progress: &Progress, deadline: Option<Deadline>) -> ProofOutcome {
    let Some(id) = &promise.id else { return ProofOutcome::Unproven };
    let is_over = || deadline.is_some_and(|deadline| deadline.left().is_zero());
    if is_over() {
        return ProofOutcome::OutOfTime;
    }
    let moved = |bytes| {
        progress.verified(bytes);
        if is_over() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    };
    let hashed = Trace::of(&promise.path).and_then(|before| {
        let actual = hash::hash(&promise.path, id, &moved)?;
        Ok((before, Trace::of(&promise.path)?, actual))
    });
    let (before, after, actual) = match hashed {
        Ok(hashed) => hashed,
        Err(_) if is_over() => return ProofOutcome::OutOfTime,
        Err(error) => return ProofOutcome::Unreadable(error.to_string()),
    };
    progress.finished(&promise.name);
    if before != after {
        return ProofOutcome::Unreadable("it was written while it was hashed".to_owned());
    }
    let outcome = judge(id, &actual, after.size).unwrap_or(ProofOutcome::Unproven);
    if outcome == ProofOutcome::Proven && promise.stamps == Stamps::Kept {
        remember(promise, &after, &actual);
    }
    outcome
}

/// Leaves a stamp for a file that was just proven by other means. Blocking.
pub fn proven(promise: &Promise) {
    if promise.stamps == Stamps::Kept
        && let (Ok(trace), Some(id)) = (Trace::of(&promise.path), &promise.id)
    {
        remember(promise, &trace, id);
    }
}

fn remember(promise: &Promise, trace: &Trace, id: &ObjectId) {
    if let Err(error) = stamp::leave(&promise.root, &promise.name, trace, id) {
        tracing::debug!(%error, "the next run has to hash this file again");
    }
}

/// Absent: the two cannot be compared.
fn judge(promised: &ObjectId, actual: &ObjectId, size: u64) -> Option<ProofOutcome> {
    Some(if promised.agrees(actual, size)? {
        ProofOutcome::Proven
    } else {
        differs(promised.to_string(), actual.to_string())
    })
}

fn differs(expected: String, actual: String) -> ProofOutcome {
    ProofOutcome::Differs { expected, actual }
}

impl PromisedBy {
    /// In a sentence: `X says that`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lock => "`preflight.lock`",
            Self::Delivery | Self::Hub => "the hub",
            Self::Note => "the note that its download left",
            Self::Cache => "its name in the cache",
            Self::Stamp => "the stamp of an earlier run",
            Self::Nobody => "nobody",
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    const HELLO: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

    fn promise(root: &Path, name: &str, id: &str) -> Promise {
        Promise {
            path: root.join(name),
            root: Beneath::root(root),
            name: name.to_owned(),
            size: Some(6),
            id: ObjectId::of_etag(id),
            promised_by: PromisedBy::Lock,
            stamps: Stamps::Kept,
        }
    }

    fn hashed(promises: &[Promise]) -> Vec<ProofOutcome> {
        let (events, _receiver) = unbounded_channel();
        let progress = Progress::new(events);
        let promises: Vec<_> =
            promises.iter().map(|promise| (promise.clone(), progress.clone())).collect();
        hash_all(&promises, None)
    }

    #[test]
    fn a_file_is_hashed_once_and_then_remembered_until_it_is_written() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs_err::write(&path, "hello\n").unwrap();
        let promise = promise(root.path(), "a", HELLO);
        assert_eq!(look(&promise), ProofOutcome::NotHashed);
        assert_eq!(
            hashed(&[promise.clone(), promise.clone()]),
            [ProofOutcome::Proven, ProofOutcome::Proven]
        );
        assert_eq!(look(&promise), ProofOutcome::Proven);

        // The same size, another content.
        fs_err::write(&path, "hellO\n").unwrap();
        let opened = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        opened.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(look(&promise), ProofOutcome::Written);
        let [ProofOutcome::Differs { expected, .. }] = &hashed(std::slice::from_ref(&promise))[..]
        else {
            panic!("{:?}", look(&promise))
        };
        assert_eq!(*expected, format!("sha256 {HELLO}"));
        assert_eq!(look(&promise), ProofOutcome::Written, "only what is proven is remembered");
    }

    #[test]
    fn the_note_of_a_download_speaks_against_a_file_that_nobody_has_touched_since() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs_err::write(&path, "hello\n").unwrap();
        let promise = promise(root.path(), "a", HELLO);
        let note = |id: &str, age: u64| {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
            let file = root.path().join(".cache/huggingface/download/a.metadata");
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(file, format!("{}\n{id}\n{}.5\n", "1".repeat(40), now - age)).unwrap();
        };
        let other = HELLO.replace('5', "6");
        note(HELLO, 0);
        assert_eq!(look(&promise), ProofOutcome::NotHashed);
        note(&"0".repeat(40), 0);
        assert_eq!(look(&promise), ProofOutcome::NotHashed, "the two cannot be compared");
        note(&other, 0);
        assert!(matches!(look(&promise), ProofOutcome::Differs { .. }));

        // As if it had been moved here since from elsewhere.
        note(&other, 100);
        let opened = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        opened.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(look(&promise), ProofOutcome::NotHashed);

        // A stamp knows that only its owner is another since.
        let id = ObjectId::of_etag(&other).unwrap();
        stamp::leave(&promise.root, "a", &Trace::of(&path).unwrap(), &id).unwrap();
        let copy = root.path().join("copy");
        fs_err::copy(&path, &copy).unwrap();
        let opened = std::fs::OpenOptions::new().write(true).open(&copy).unwrap();
        opened.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        fs_err::rename(&copy, &path).unwrap();
        assert!(matches!(look(&promise), ProofOutcome::Differs { .. }));

        assert_eq!(hashed(std::slice::from_ref(&promise)), [ProofOutcome::Proven]);
        assert_eq!(look(&promise), ProofOutcome::Proven, "a hash tells more than a note");
    }

    #[test]
    fn what_cannot_be_proven_has_its_reason() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("a"), "hello").unwrap();
        fs_err::create_dir(root.path().join("b")).unwrap();
        let missing = promise(root.path(), "c", HELLO);
        let short = promise(root.path(), "a", HELLO);
        let silent = Promise { size: None, id: None, ..short.clone() };
        let folder = promise(root.path(), "b", HELLO);
        let outcomes = hashed(&[missing, short, silent, folder]);
        let differs =
            ProofOutcome::Differs { expected: "6 bytes".into(), actual: "5 bytes".into() };
        assert_eq!(outcomes[..3], [ProofOutcome::Missing, differs, ProofOutcome::Unproven]);
        assert!(matches!(outcomes[3], ProofOutcome::Unreadable(_)));
    }

    #[test]
    fn nothing_is_written_where_no_stamp_may_be_left() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("a"), "hello\n").unwrap();
        for stamps in [Stamps::Believed, Stamps::Ignored] {
            let promise = Promise { stamps, ..promise(root.path(), "a", HELLO) };
            assert_eq!(hashed(std::slice::from_ref(&promise)), [ProofOutcome::Proven]);
            assert_eq!(look(&promise), ProofOutcome::NotHashed);
            assert!(!root.path().join(".cache").exists());
        }
    }
}

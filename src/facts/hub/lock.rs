//! One process at a time brings a file: the others wait, and find it done.
//!
//! The lock file is the one that `hf` takes (`huggingface_hub` 2.4 `utils/_fixes.py WeakFileLock`,
//! flock on a file that stays). The kernel frees it when its holder dies. Where the file system has
//! no such locks, there is a [`lease`] beside it, which its holder renews and which ages.
//!
//! A waiter is patient for as long as the holder moves: renews what it says in the lock file, or
//! writes to a temporary file of the same download. `hf` does only the latter.

mod lease;
mod owner;

use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;

use self::lease::{Bid, Lease};
use self::owner::Owner;
use super::retries::random;
use super::transfer::blocking;
use super::{HubError, store};
use crate::beneath::{Beneath, Use, has_second_name};
use crate::options::{LockMethod, Locking};

/// Where the lock for one file is, and how it shows that its holder moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latch {
    /// The lock file, named as `hf` names it.
    pub(crate) file: Beneath,
    /// Where temporary files of the same download are: a folder, and how their names begin.
    pub(crate) traces: Vec<(Beneath, String)>,
}

/// A lock that is held. Dropping it frees it.
#[derive(Debug)]
pub(crate) struct Lock(Held);

#[derive(Debug)]
enum Held {
    /// For as long as the file is open.
    Flock {
        path: Beneath,
        file: File,
        owner: Owner,
    },
    Lease(Lease),
}

/// What came of one attempt.
#[derive(Debug)]
enum Attempt {
    Taken(Lock),
    /// Somebody has it.
    Busy(Sight),
    /// Two came at once; the next attempt decides.
    Again,
}

/// What a waiter sees of a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sight {
    /// Who it is.
    who: String,
    /// Differs from what it was if the holder has moved.
    pulse: u64,
}

/// How often a holder says that it lives.
const BEAT: Duration = Duration::from_secs(5);
/// How often a waiter looks: often at first, because most files are small.
const POLL_SOON: Duration = Duration::from_millis(50);
const POLL_LATE: Duration = Duration::from_millis(500);
/// How often a waiter says what it waits for.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// As `hf` makes it: members of the group may wait for it as well.
const LOCK_MODE: u32 = 0o664;

impl Latch {
    /// Waits until the lock is free, and takes it; `say` gets to know what is waited for, soon and
    /// then every ten seconds. Dropping the future stops the waiting.
    ///
    /// # Errors
    /// [`HubError::Locked`] when the holder has not moved for as long as the patience lasts, and
    /// [`HubError::NotWritable`] when there can be no lock file.
    pub(crate) async fn take(
        &self,
        locking: Locking,
        mut say: impl FnMut(&str),
    ) -> Result<Lock, HubError> {
        let mut wait: Option<Wait> = None;
        loop {
            let latch = self.clone();
            let stale = wait.as_ref().filter(|wait| wait.still() >= locking.patience);
            let stale = stale.map(|wait| wait.seen.pulse);
            match blocking(move || latch.attempt(locking.method, stale)).await? {
                Attempt::Taken(lock) => return Ok(lock),
                Attempt::Busy(sight) => {
                    let wait = wait.get_or_insert_with(|| Wait::new(&sight));
                    // What could be taken over has been.
                    let stuck = stale == Some(sight.pulse);
                    wait.look(sight);
                    if stuck {
                        let holder = wait.stuck_holder();
                        let path = self.file.path().to_path_buf();
                        return Err(HubError::Locked { path, holder });
                    }
                    if wait.is_time_to_say() {
                        say(&wait.holder());
                    }
                }
                Attempt::Again => {}
            }
            tokio::time::sleep(until_next_look(wait.as_ref())).await;
        }
    }

    /// One attempt. A lease whose pulse has been `stale` for too long is taken over. Blocking, but
    /// not for the lock.
    fn attempt(&self, means: LockMethod, stale: Option<u64>) -> Result<Attempt, HubError> {
        store::make_folders(&self.file.folder())?;
        let attempt = match means {
            LockMethod::Flock => self.attempt_flock(),
            LockMethod::Lease => Ok(None),
        };
        let attempt = attempt.and_then(|attempt| match attempt {
            Some(attempt) => Ok(attempt),
            None => self.attempt_lease(stale),
        });
        attempt.map_err(|error| store::failure(self.file.path(), &error))
    }

    fn attempt_lease(&self, stale: Option<u64>) -> io::Result<Attempt> {
        Ok(match Lease::take(&self.file, stale)? {
            Bid::Won(lease) => Attempt::Taken(Lock(Held::Lease(lease))),
            Bid::Lost(rivals) => {
                let who = rivals.who().unwrap_or_else(|| "another process".to_owned());
                Attempt::Busy(Sight { who, pulse: rivals.pulse() })
            }
            Bid::Tied => Attempt::Again,
        })
    }

    /// Absent: the file system has no locks.
    fn attempt_flock(&self) -> io::Result<Option<Attempt>> {
        let file = open(&self.file)?;
        match file.try_lock() {
            Ok(()) if self.file.is_still(&file) => {
                let owner = Owner::myself();
                // A file that only somebody else may write to locks all the same.
                drop(owner.write(&file, 0));
                let path = self.file.clone();
                Ok(Some(Attempt::Taken(Lock(Held::Flock { path, file, owner }))))
            }
            // Somebody has removed it meanwhile; the next attempt makes another.
            Ok(()) => Ok(Some(Attempt::Again)),
            Err(TryLockError::WouldBlock) => Ok(Some(Attempt::Busy(self.sight(&file)))),
            Err(TryLockError::Error(error)) if is_unsupported(&error) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// What the holder says in the lock file, when, and what it does to temporary files.
    fn sight(&self, file: &File) -> Sight {
        let text = owner::read(file);
        let changed = file.metadata().map(|it| (it.mtime(), it.mtime_nsec())).ok();
        let mut traces: Vec<_> = self.traces.iter().flat_map(trace).collect();
        traces.sort_unstable();
        let mut pulse = DefaultHasher::new();
        (&text, changed, traces).hash(&mut pulse);
        // Who was killed has left its name there.
        let owner = Owner::parse(&text).filter(|owner| !owner.is_gone());
        let who = owner.map_or_else(|| owner::by_kernel(file), |owner| owner.to_string());
        Sight { who, pulse: pulse.finish() }
    }
}

/// Name, size and change of every temporary file in `folder` that begins with `start`.
fn trace((folder, start): &(Beneath, String)) -> Vec<(String, i64, i64, i64)> {
    let of_download = |name: std::ffi::OsString| {
        let name = name.into_string().ok().filter(|name| name.starts_with(start.as_str()))?;
        let stat = folder.join(&name).stat().ok()?;
        Some((name, stat.st_size, stat.st_mtime, stat.st_mtime_nsec.cast_signed()))
    };
    folder.names().unwrap_or_default().into_iter().filter_map(of_download).collect()
}

/// A waiter's memory.
struct Wait {
    seen: Sight,
    began: Instant,
    moved: Instant,
    said: Option<Instant>,
}

impl Wait {
    fn new(sight: &Sight) -> Self {
        let now = Instant::now();
        Self { seen: sight.clone(), began: now, moved: now, said: None }
    }

    fn look(&mut self, sight: Sight) {
        if sight.pulse != self.seen.pulse {
            self.moved = Instant::now();
        }
        self.seen = sight;
    }

    /// How long the holder has not moved.
    fn still(&self) -> Duration {
        self.moved.elapsed()
    }

    /// Whether something is to be said; small files are waited for in silence.
    fn is_time_to_say(&mut self) -> bool {
        let due = match self.said {
            None => self.began.elapsed() >= POLL_LATE,
            Some(said) => said.elapsed() >= SAY_EVERY,
        };
        if due {
            self.said = Some(Instant::now());
        }
        due
    }

    /// Who has the lock, and whether that one moves.
    fn holder(&self) -> String {
        if self.still() < SAY_EVERY {
            return format!("{}, which moves", self.seen.who);
        }
        self.stuck_holder()
    }

    /// Who has the lock and does not move.
    fn stuck_holder(&self) -> String {
        format!("{}, which has not moved for {} s", self.seen.who, self.still().as_secs())
    }
}

/// Waiters look at different times, so that two that come at once do not do so for ever.
fn until_next_look(wait: Option<&Wait>) -> Duration {
    let late = wait.is_some_and(|wait| wait.began.elapsed() >= POLL_LATE);
    let poll = if late { POLL_LATE } else { POLL_SOON };
    let thousandths = u32::try_from(random() % 500).unwrap_or(0);
    poll / 2 + poll * thousandths / 1000
}

impl Lock {
    /// Does `work` and shows meanwhile that it goes on.
    ///
    /// # Errors
    /// Those of `work`, and [`HubError::Locked`] when somebody else has taken a lease over, which a
    /// process that was stopped for a minute has to expect.
    pub(crate) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, HubError>>,
    ) -> Result<T, HubError> {
        tokio::select! {
            done = work => done,
            lost = self.beat() => Err(lost),
        }
    }

    /// Renews the lock for as long as it is polled, or until it is lost.
    async fn beat(&self) -> HubError {
        for count in 1.. {
            tokio::time::sleep(BEAT).await;
            let renewed = match &self.0 {
                // What the kernel guards nobody takes over: a beat that fails is only not seen.
                Held::Flock { file, owner, .. } => {
                    let (file, owner) = (file.try_clone(), owner.clone());
                    blocking(move || {
                        drop(file.and_then(|file| owner.write(&file, count)));
                        Ok(true)
                    })
                    .await
                }
                Held::Lease(lease) => {
                    let lease = lease.clone();
                    blocking(move || Ok(lease.renew(count))).await
                }
            };
            if let Ok(false) | Err(_) = renewed {
                break;
            }
        }
        let path = match &self.0 {
            Held::Flock { path, .. } => path,
            Held::Lease(lease) => lease.place(),
        };
        let holder = "another process, which has taken it over".to_owned();
        HubError::Locked { path: path.path().to_path_buf(), holder }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        match self {
            // What it says is no longer true; the lock itself goes with the open file.
            Self::Flock { file, .. } => drop(file.set_len(0)),
            Self::Lease(lease) => lease.give_back(),
        }
    }
}

/// Opens the lock file, for writing if that is allowed and nobody has it by another name; makes it if
/// it is not there.
fn open(path: &Beneath) -> io::Result<File> {
    loop {
        match path.open(Use::Write) {
            Ok(file) if has_second_name(&file.metadata()?) => return path.open(Use::Read),
            Ok(file) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return path.open(Use::Read);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_not_there) => {}
        }
        match path.open(Use::New) {
            Ok(file) => {
                path.hand_over(&file, LOCK_MODE)?;
                return Ok(file);
            }
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_made_meanwhile) => {}
        }
    }
}

/// Whether the file system has no locks. `ENOLCK` is what NFS without a lock manager says.
fn is_unsupported(error: &io::Error) -> bool {
    let unsupported = [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|error| unsupported.contains(&error))
}

#[cfg(test)]
mod tests;

//! The Hugging Face Hub: what a source holds, and its bytes on the disk.
//!
//! The only place that names `hf-hub`. That crate says where a model is asked for and reads the
//! answer; requests are sent and bytes are written here, because its own clients wait for ever and
//! its writers do not verify.

mod assembly;
mod blocks;
mod body;
mod bounded;
mod client;
mod connections;
mod delivery;
mod digest;
mod distant;
mod encoding;
mod hub_rate_limit;
mod journal;
mod layout;
mod leftovers;
mod listing;
mod lock;
mod metadata;
mod network;
mod object;
mod partial;
mod pattern;
mod rate_limit;
mod reach;
mod refusal;
mod resolved;
mod retries;
mod selection;
mod store;
#[cfg(test)]
mod tests;
mod transfer;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use thiserror::Error;
use tokio::runtime::Handle;

use self::client::Client;
use self::delivery::Arrival;
pub use self::distant::DistantView;
pub use self::layout::{CachedRepository, User};
pub(crate) use self::leftovers::sweep_notes;
pub(crate) use self::metadata::Noted;
pub(crate) use self::object::hex;
pub use self::pattern::Pattern;
pub use self::reach::Welcome;
use self::retries::Retries;
pub(crate) use self::selection::is_safe as is_safe_name;
pub(crate) use self::selection::select;
pub(crate) use self::store::{make_folders, rename, write_note};

use crate::beneath::{Beneath, LinkInTheWay};
use crate::deadline::{self, Deadline};
use crate::limits::PROBE_SILENCES;
use crate::options::{HubOptions, Locking};
use crate::progress::Progress;
use crate::source::Source;

/// A connection to one hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    /// Absent: offline.
    client: Option<Client>,
    max_workers: usize,
    deadline: Option<Deadline>,
    locking: Locking,
}

/// What a source holds at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What was asked.
    pub source: Source,
    /// 40 hex digits.
    pub commit: String,
    /// The files that were asked for, sorted by path.
    pub files: Vec<RemoteFile>,
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Relative, `/`-separated, checked: no empty, `.` or `..` component, nothing absolute.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What its content hashes to.
    pub oid: ObjectId,
}

/// How the hub names a content. Lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ObjectId {
    /// sha256 of the content (LFS).
    Sha256(String),
    /// sha1 of the LFS pointer text that stands for the content: all that a listing without the
    /// content's own hash gives.
    LfsPointer(String),
    /// sha1 of `blob LEN\0` and the content (git).
    GitBlob(String),
}

/// One file to bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// What.
    pub file: RemoteFile,
    /// Its final name, as this process sees it.
    pub destination: Beneath,
    /// In a cache of the hub, the name that it is opened by: a link to the destination.
    pub link: Option<Beneath>,
}

/// Why the hub did not give what was asked, by what a user does about it.
#[derive(Debug, Clone, Error)]
pub enum HubError {
    /// The hub may not be asked.
    #[error("offline: the hub may not be asked")]
    Offline,
    /// The repository wants a login and there is no token.
    #[error("{} needs a token, and none is set", called(repository, renamed.as_deref()))]
    TokenMissing {
        /// `owner/repo`, as asked.
        repository: String,
        /// What the hub calls it, if it is something else.
        renamed: Option<String>,
        /// Where a person asks for access: `ENDPOINT/owner/repo`.
        page: String,
        /// Who wants the token, where the hub that was asked has sent the request on.
        sent_on_to: Option<String>,
    },
    /// The repository wants a login, and the hub that the token belongs to has sent the request on to
    /// another one, which does not get it.
    #[error(
        "the mirror `{mirror}` sends on to `{sent_on_to}`, to which the token is not sent, and {} \
         needs one",
        called(repository, renamed.as_deref())
    )]
    TokenNotSent {
        /// `owner/repo`, as asked.
        repository: String,
        /// What the hub calls it, if it is something else.
        renamed: Option<String>,
        /// Scheme, host and port that were asked.
        mirror: String,
        /// Scheme, host and port of who wants the token.
        sent_on_to: String,
    },
    /// The token is not valid.
    #[error("the hub rejects the token")]
    TokenRejected {
        /// `owner/repo`.
        repository: String,
    },
    /// The token is valid, and its owner has not been let in.
    #[error("access to {} is gated", called(repository, renamed.as_deref()))]
    Gated {
        /// `owner/repo`, as asked.
        repository: String,
        /// What the hub calls it, if it is something else.
        renamed: Option<String>,
        /// Where a person asks for access: `ENDPOINT/owner/repo`.
        page: String,
    },
    /// The hub says no for a reason of its own: a disabled repository, a token without the right.
    #[error("the hub refuses access to `{repository}`: {reason}")]
    Forbidden {
        /// `owner/repo`.
        repository: String,
        /// The hub's word, control characters escaped.
        reason: String,
    },
    /// No such repository (or a private one that the token may not see).
    #[error("there is no repository `{repository}`")]
    RepositoryNotFound {
        /// `owner/repo`.
        repository: String,
    },
    /// No such branch, tag or commit.
    #[error("`{repository}` has no revision `{revision}`")]
    RevisionNotFound {
        /// `owner/repo`.
        repository: String,
        /// As asked.
        revision: String,
    },
    /// No such file.
    #[error("`{repository}` has no file `{path}`")]
    FileNotFound {
        /// `owner/repo`.
        repository: String,
        /// As asked.
        path: String,
        /// Files of the repository with a name like it.
        similar: Vec<String>,
    },
    /// A file that is listed, and is not there.
    #[error("`{endpoint}` lists `{path}` in `{repository}` and does not have it")]
    FileGone {
        /// `owner/repo`.
        repository: String,
        /// As listed, control characters escaped.
        path: String,
        /// Scheme, host, port.
        endpoint: String,
    },
    /// Too many requests.
    #[error("the hub limits the rate of requests")]
    RateLimited {
        /// When to come back, if it said.
        retry_after: Option<Duration>,
    },
    /// No answer, or one that makes no sense.
    #[error("`{endpoint}` cannot be reached: {reason}")]
    Unreachable {
        /// Scheme, host, port.
        endpoint: String,
        /// The cause, without a secret.
        reason: String,
    },
    /// The certificate is not believed.
    #[error("the certificate of `{endpoint}` is not trusted: {reason}")]
    Untrusted {
        /// Scheme, host, port.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
        /// Whether it is that nobody who is believed has signed it.
        issuer_unknown: bool,
    },
    /// The certificates that are to be believed cannot be had.
    #[error("`SSL_CERT_FILE` names `{path}`, which cannot be used: {reason}")]
    Certificates {
        /// As set.
        path: PathBuf,
        /// The system's word, or that there are none in it.
        reason: String,
    },
    /// An answer that stands for nothing else here, after all attempts: mostly 500 and above.
    #[error("`{endpoint}` answers {status}")]
    Server {
        /// Scheme, host, port.
        endpoint: String,
        /// HTTP status.
        status: u16,
    },
    /// The hub names a file that may not be written.
    #[error("`{repository}` lists a file with an unsafe name: `{name}`")]
    UnsafeName {
        /// `owner/repo`.
        repository: String,
        /// As listed, control characters escaped.
        name: String,
    },
    /// The bytes are not the ones that the hub promised.
    #[error("`{path}` arrived as {actual}, expected {expected}")]
    Corrupt {
        /// In the repository.
        path: String,
        /// As listed: `sha256 HEX`, `git blob HEX`, or a number of bytes.
        expected: String,
        /// As received, in the same terms.
        actual: String,
    },
    /// The disk is full.
    #[error("no space left while writing `{path}`")]
    DiskFull {
        /// The temporary file.
        path: PathBuf,
    },
    /// A file may not become as large: of this process (`RLIMIT_FSIZE`), or on that file system.
    #[error("`{path}` may not become as large as it has to be")]
    FileTooLarge {
        /// The temporary file.
        path: PathBuf,
    },
    /// A link stands below the lane's folder where a file would be written through it: out of the
    /// folder, or over what others have there.
    #[error("`{}` is a link, to `{}`, and nothing is written through it", path.display(), target.display())]
    LinkLeaves {
        /// The link, or the folder behind it.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// The folder cannot be written to.
    #[error("cannot write `{path}`: {reason}")]
    NotWritable {
        /// What could not be written.
        path: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// Fetching took longer than it may.
    #[error("fetching did not end within {after:?}")]
    TimedOut {
        /// What was allowed.
        after: Duration,
    },
    /// Another process brings the same file, and stands still.
    #[error("`{path}` is locked by {holder}")]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who has it, and for how long nothing was seen of that one.
        holder: String,
    },
    /// Bytes, but so few that it would not end.
    #[error("`{path}` comes too slowly: less than {least} bytes in {time:?}")]
    Crawls {
        /// In the repository.
        path: String,
        /// What should have come.
        least: u64,
        /// How long it was waited for.
        time: Duration,
    },
    /// No byte for too long.
    #[error("no byte of `{path}` for {silence:?}")]
    Stalled {
        /// In the repository.
        path: String,
        /// How long.
        silence: Duration,
    },
}

impl From<LinkInTheWay> for HubError {
    fn from(LinkInTheWay { path, target }: LinkInTheWay) -> Self {
        Self::LinkLeaves { path, target }
    }
}

/// Who is told of each file that was brought.
pub type Told = Arc<dyn Fn(&Download) + Send + Sync>;

impl Hub {
    /// A client for the hub that `options` name. No request is made.
    ///
    /// # Errors
    /// [`HubError::Unreachable`] when no client can be made for such an endpoint,
    /// [`HubError::Certificates`].
    pub fn connect(options: &HubOptions) -> Result<Self, HubError> {
        Self::connect_at(options, Retries::default())
    }

    fn connect_at(options: &HubOptions, retries: Retries) -> Result<Self, HubError> {
        let client = if options.offline { None } else { Some(Client::new(options, retries)?) };
        let deadline = options.deadline;
        let (max_workers, locking) = (options.max_workers.max(1), options.locking);
        Ok(Self { client, max_workers, deadline, locking })
    }

    /// Resolves the revision, lists the files, keeps those that `include` and `exclude` select (for
    /// a source with a path: that file alone), and asks for one of them to learn whether the token
    /// opens it. Dropping the future cancels.
    ///
    /// # Errors
    /// Everything that has to do with access, names and the network.
    pub async fn probe(
        &self,
        source: &Source,
        include: &[String],
        exclude: &[String],
    ) -> Result<Listing, HubError> {
        let client = self.client.as_ref().ok_or(HubError::Offline)?;
        self.said(client, source, Self::look(client, source, include, exclude)).await
    }

    /// The commit that the revision of a source leads to.
    ///
    /// # Errors
    /// Everything that has to do with access, names and the network.
    pub async fn commit(&self, source: &Source) -> Result<String, HubError> {
        let client = self.client.as_ref().ok_or(HubError::Offline)?;
        self.said(client, source, listing::commit(client, source)).await
    }

    /// What the hub says about a source, if it has said all of it in time.
    async fn said<T>(
        &self,
        client: &Client,
        source: &Source,
        asking: impl Future<Output = Result<T, HubError>>,
    ) -> Result<T, HubError> {
        let time = client.silence.saturating_mul(PROBE_SILENCES);
        let too_slow = |_elapsed| {
            client.asked(source).unreachable(format!("it has not said all after {time:?}"))
        };
        let asked = tokio::time::timeout(time, Box::pin(asking));
        self.in_time(async { asked.await.map_err(too_slow)? }).await
    }

    async fn look(
        client: &Client,
        source: &Source,
        include: &[String],
        exclude: &[String],
    ) -> Result<Listing, HubError> {
        let commit = listing::commit(client, source).await?;
        let listing::Files { files, doubtful } = listing::files(client, source, &commit).await?;
        let files = selection::select_some(source, files, include, exclude)?;
        let files = resolved::settle(client, source, &commit, files, &doubtful).await?;
        // A large file, if there is one: small ones may be public where the weights are not.
        let is_small = |file: &&RemoteFile| matches!(file.oid, ObjectId::GitBlob(_));
        if let Some(file) = files.iter().min_by_key(|file| (is_small(file), file.size)) {
            resolved::ask(client, source, &commit, &file.path).await?;
        }
        Ok(Listing { source: source.clone(), commit, files })
    }

    /// Its files, as far as they are read and `opens` says so of their paths; waits on `runtime`.
    ///
    /// # Errors
    /// [`HubError::Offline`].
    pub fn view(
        &self,
        listing: Listing,
        runtime: Handle,
        opens: fn(&str) -> bool,
    ) -> Result<DistantView, HubError> {
        let client = self.client.clone().ok_or(HubError::Offline)?;
        Ok(DistantView::new(client, runtime, listing, opens))
    }

    /// Brings the files, several at a time, each over several connections: into a temporary file
    /// beside its destination, checked against its object id, then renamed. What is already there
    /// under its final name is replaced; what an earlier run left unfinished is continued. Stops at
    /// the first error; files that were already renamed stay, and so does what has come of the
    /// others. Dropping the future cancels, with the same outcome.
    ///
    /// No two processes may fetch the same destination at the same time. That it begins is said by who
    /// knows of all that is brought for a lane.
    ///
    /// # Errors
    /// See [`HubError`]; nothing is left under a final name that was not verified.
    pub async fn fetch(
        &self,
        listing: &Listing,
        downloads: &[Download],
        progress: &Progress,
    ) -> Result<(), HubError> {
        let nobody: Told = Arc::new(|_| ());
        self.fetch_and_tell(listing, downloads, progress, &nobody).await
    }

    /// The same; `told` is called, where blocking is allowed, in the step in which a file gets its final name.
    ///
    /// # Errors
    /// Those of [`Hub::fetch`].
    pub async fn fetch_and_tell(
        &self,
        listing: &Listing,
        downloads: &[Download],
        progress: &Progress,
        told: &Told,
    ) -> Result<(), HubError> {
        let client = self.client.as_ref().ok_or(HubError::Offline)?;
        if downloads.is_empty() {
            return Ok(());
        }
        told_apart(listing, downloads).await?;
        // Small files first: they are what can be judged, and what fails soonest.
        let mut downloads: Vec<_> = downloads.iter().collect();
        downloads.sort_by_key(|download| download.file.size);
        let bring = |download| self.bring(client, listing, download, progress, told);
        // Collected, because a stream over the closure is not `Send`.
        let transfers: Vec<_> = downloads.iter().copied().map(bring).collect();
        let all = stream::iter(transfers).buffer_unordered(self.max_workers).try_collect::<()>();
        self.in_time(all).await?;
        leftovers::sweep(&downloads).await;
        Ok(())
    }

    async fn bring(
        &self,
        client: &Client,
        listing: &Listing,
        download: &Download,
        progress: &Progress,
        told: &Told,
    ) -> Result<(), HubError> {
        let arrival = Arrival::of(listing, download, told);
        delivery::deliver(client, self.locking, listing, &arrival, progress).await
    }

    /// Does `work` before the deadline.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, HubError>>,
    ) -> Result<T, HubError> {
        let timed_out = |over: Deadline| HubError::TimedOut { after: over.allowed() };
        deadline::before(self.deadline, work).await.map_err(timed_out)?
    }

    /// Bytes of the disk that an unfinished file of an earlier run holds already: so much less has
    /// to be free to bring this one. Blocking.
    #[must_use]
    pub fn held(download: &Download) -> u64 {
        partial::held(download)
    }
}

/// Refuses names that are one to the file system that they are brought to.
async fn told_apart(listing: &Listing, downloads: &[Download]) -> Result<(), HubError> {
    let Some(name) = selection::clash_without_case(&listing.files) else { return Ok(()) };
    let Some(folder) = downloads.first().map(|download| download.found_at().folder()) else {
        return Ok(());
    };
    let ignores_case = move || {
        make_folders(&folder)?;
        store::ignores_case(&folder)
    };
    if transfer::blocking(ignores_case).await? {
        return Err(HubError::UnsafeName { repository: listing.source.repository(), name });
    }
    Ok(())
}

/// A repository for a person: its name at the hub, and the one that was asked for.
fn called(asked: &str, renamed: Option<&str>) -> String {
    match renamed {
        Some(name) => format!("`{name}` (asked for as `{asked}`)"),
        None => format!("`{asked}`"),
    }
}

impl ObjectId {
    /// 40 or 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::LfsPointer(hex) | Self::GitBlob(hex) => hex,
        }
    }
}

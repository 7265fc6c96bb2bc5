//! A small hub: revisions, listings, redirects, ranges and errors as the Hugging Face Hub gives
//! them, on two loopback origins (the hub and its CDN), with faults on demand.
//!
//! ```no_run
//! let hub = fake_hub::FakeHub::builder()
//!     .file("owner/repo", "config.json", b"{}")
//!     .fault("corrupt:owner/repo/config.json".parse().unwrap())
//!     .start()
//!     .unwrap();
//! println!("{}", hub.url());
//! ```
//!
//! Files of 1 MiB and above, or named `.gguf`, `.safetensors` or `.bin`, are large: they are
//! redirected to the CDN. A repository has the branch `main`, whose commit is a hash of its content.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod fault;
mod http;
mod made;
mod repository;
mod routes;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use crate::fault::{Fault, FaultError};
pub use crate::made::{Made, MadeReader};
pub use crate::repository::Repository;
pub use crate::server::FakeHub;

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Revisions, listings, small files, redirects.
    Hub,
    /// The bytes of large files.
    Cdn,
}

/// Which requests a mirror sends on to another hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentOn {
    /// Those for files.
    Files,
    /// All of them.
    Everything,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which server was asked.
    pub origin: Origin,
    /// `GET`, `HEAD`, ...
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The header as sent, absent if none was.
    pub authorization: Option<String>,
    /// The header as sent, absent if none was.
    pub range: Option<String>,
    /// Whether it was sent as to a proxy, with a whole URL for a path.
    pub proxied: bool,
    /// The status of the answer.
    pub status: u16,
}

/// A hub that does not run yet.
#[derive(Debug, Default)]
pub struct Builder {
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) settings: Settings,
    listen: Option<SocketAddr>,
    cdn_listen: Option<SocketAddr>,
    folders: Vec<PathBuf>,
    made: Vec<(String, String, Made)>,
}

/// What is called for every request.
pub(crate) struct Observer(pub(crate) Box<dyn Fn(&Request) + Send + Sync>);

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// How the servers behave, apart from faults.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The only token that is valid; absent: any is.
    pub(crate) token: Option<String>,
    /// Whether every request to the hub has to carry the token.
    pub(crate) token_required: bool,
    /// What comes before every path of the hub: empty, or `/` and more.
    pub(crate) below: String,
    /// What the hub calls itself in absolute links; absent: as the request called it.
    pub(crate) public_url: Option<String>,
    /// Where large files are redirected to; absent: to the CDN that runs with the hub.
    pub(crate) cdn_url: Option<String>,
    /// What repositories were called before, and what they are called now.
    pub(crate) renamed: BTreeMap<String, String>,
    /// The hub that requests are sent on to, and which ones; absent: none are.
    pub(crate) sends_on: Option<(String, SentOn)>,
    /// Entries on a page of a listing.
    pub(crate) page: usize,
    /// Called for every request.
    pub(crate) observer: Option<Observer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token: None,
            token_required: false,
            below: String::new(),
            public_url: None,
            cdn_url: None,
            renamed: BTreeMap::new(),
            sends_on: None,
            page: 1000,
            observer: None,
        }
    }
}

impl Builder {
    /// Adds a file to `repository` (`owner/repo`), from memory.
    #[must_use]
    pub fn file(mut self, repository: &str, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.repositories.entry(repository.to_owned()).or_default().add_bytes(path, content.into());
        self
    }

    /// Adds a large file to `repository` that is made while it is sent.
    #[must_use]
    pub fn made(mut self, repository: &str, path: &str, content: Made) -> Self {
        self.made.push((repository.to_owned(), path.to_owned(), content));
        self
    }

    /// Adds every file below `root/owner/repo/`. They are read when they are asked for.
    #[must_use]
    pub fn folder(mut self, root: impl Into<PathBuf>) -> Self {
        self.folders.push(root.into());
        self
    }

    /// Lists `name` in `repository` as it stands, however unsafe it is. It has an empty content.
    #[must_use]
    pub fn unsafe_name(self, repository: &str, name: &str) -> Self {
        self.file(repository, name, Vec::new())
    }

    /// Gives the content of `repository` a second name beside `main`.
    #[must_use]
    pub fn tag(mut self, repository: &str, tag: &str) -> Self {
        self.repositories.entry(repository.to_owned()).or_default().tags.push(tag.to_owned());
        self
    }

    /// Keeps what `repository` has so far as an older commit: files that are added from here on are
    /// on `main` alone.
    #[must_use]
    pub fn commit(mut self, repository: &str) -> Self {
        self.repositories.entry(repository.to_owned()).or_default().commit();
        self
    }

    /// What `repository` was called before, or is called in other letter case: requests about it are
    /// redirected to its present name.
    #[must_use]
    pub fn renamed(mut self, before: &str, repository: &str) -> Self {
        self.settings.renamed.insert(before.to_owned(), repository.to_owned());
        self
    }

    /// A mirror: what it is asked for is redirected to the hub at `url`.
    #[must_use]
    pub fn sends_on(mut self, url: &str, which: SentOn) -> Self {
        self.settings.sends_on = Some((url.trim_end_matches('/').to_owned(), which));
        self
    }

    /// Adds a fault. Those added first strike first.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The only valid token; every other is rejected, and none at all is an anonymous request.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.settings.token = Some(token.to_owned());
        self
    }

    /// Every request to the hub has to carry `token`.
    #[must_use]
    pub fn require_token(mut self, token: &str) -> Self {
        self.settings.token_required = true;
        self.token(token)
    }

    /// Entries on a page of a listing, 1000 otherwise.
    #[must_use]
    pub fn page(mut self, entries: usize) -> Self {
        self.settings.page = entries.max(1);
        self
    }

    /// Everything of the hub lies below this path, as at some mirrors.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        self.settings.below = format!("/{}", path.trim_matches('/'));
        self
    }

    /// What the hub calls itself in absolute links, where clients know it by another name.
    #[must_use]
    pub fn public_url(mut self, url: &str) -> Self {
        self.settings.public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Where large files are redirected to, as `URL/COMMIT/OWNER/REPO/PATH`, where another server
    /// stands for the CDN.
    #[must_use]
    pub fn cdn_url(mut self, url: &str) -> Self {
        self.settings.cdn_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Called for every request, on the thread of its connection.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&Request) + Send + Sync + 'static) -> Self {
        self.settings.observer = Some(Observer(Box::new(observer)));
        self
    }

    /// Where the hub listens; a free port of the loopback interface otherwise.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Where the CDN listens; a free port of the hub's interface otherwise.
    #[must_use]
    pub fn cdn_listen(mut self, address: SocketAddr) -> Self {
        self.cdn_listen = Some(address);
        self
    }

    /// Binds both ports and serves until the hub is dropped.
    ///
    /// # Errors
    /// A folder that cannot be read, a port that cannot be bound.
    pub fn start(mut self) -> io::Result<FakeHub> {
        for folder in std::mem::take(&mut self.folders) {
            self.read_folder(&folder)?;
        }
        for (repository, path, made) in std::mem::take(&mut self.made) {
            self.repositories.entry(repository).or_default().add_made(&path, made)?;
        }
        for repository in self.repositories.values_mut() {
            repository.seal();
        }
        let hub = self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let cdn = self.cdn_listen.unwrap_or(SocketAddr::new(hub.ip(), 0));
        FakeHub::bind(self, hub, cdn)
    }

    fn read_folder(&mut self, root: &Path) -> io::Result<()> {
        for owner in repository::subfolders(root)? {
            for folder in repository::subfolders(&owner)? {
                let name = folder.strip_prefix(root).unwrap_or(&folder).to_string_lossy();
                self.repositories.entry(name.into_owned()).or_default().add_folder(&folder)?;
            }
        }
        Ok(())
    }
}

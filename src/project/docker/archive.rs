//! Files of a container, through Docker's archive endpoints. They work before the container
//! was ever started, and through its mounts.
//!
//! Never streams a folder: only an [`Entry`] that is a regular file has content. Never holds a
//! stream: it is read as far as it is wanted and dropped, within one call. One call at a time for
//! each container, because an unread stream blocks all others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder,
};
use futures_util::{StreamExt as _, pin_mut};
use indexmap::IndexMap;
use tokio::sync::{OnceCell, Semaphore};
use tracing::debug;

use super::connection::Connection;
use super::question::Allowance;
use super::tar::{self, Head};
use super::{Container, DockerError, Observation, timestamp};
use crate::limits::{DOCKER_FILES_TIME, DOCKER_PIECE_TIME};
use crate::options::DockerOptions;
use crate::path::HostPath;
use crate::project::MountSource;
use crate::project::mounts::Standpoint;

/// How many containers are looked into at the same time.
const CONTAINERS_AT_ONCE: usize = 4;

/// The farthest byte of a file that is read: headers of safetensors may have 100 MB.
pub const REACH: u64 = 128 << 20;

/// What is wrong with an answer that is something else.
const NO_ARCHIVE: &str = "it is no tar archive of one file";

/// An image that no machine can have: the name is reserved (RFC 6761) and nothing is pulled.
const NO_IMAGE: &str = "preflight.invalid/host-path-probe:none";

/// The containers of a project as file systems.
#[derive(Debug, Clone)]
pub struct Archives {
    daemon: Arc<Daemon>,
    /// By service.
    containers: Arc<IndexMap<String, Arc<Space>>>,
}

#[derive(Debug)]
struct Daemon {
    connection: Connection,
    /// How many containers may be looked into.
    turns: Semaphore,
    /// Whether the owners of files are the same numbers inside as outside.
    owners: bool,
}

/// One container.
#[derive(Debug)]
struct Space {
    id: String,
    name: String,
    /// Host folders that looking into it would make, if they are not there.
    doubtful: Vec<HostPath>,
    missing: OnceCell<BTreeSet<HostPath>>,
    /// One call at a time.
    turn: Semaphore,
}

/// The files of one container.
#[derive(Debug, Clone)]
pub struct Archive {
    daemon: Arc<Daemon>,
    space: Arc<Space>,
}

/// What is at a path of a container; links are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Last change of the content.
    pub modified: Option<SystemTime>,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file: the only thing that has content.
    File(Content),
    /// A folder. It cannot be listed.
    Directory,
    /// A link, and where it leads in the container, links on the way there followed.
    Link(PathBuf),
    /// Anything else.
    Other,
}

/// The way to the bytes of a regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    path: PathBuf,
}

impl Content {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Owner and group; absent where Docker maps them (user namespaces).
    pub owner: Option<(u32, u32)>,
    /// Those from where was asked, as many as were asked for or there are.
    pub bytes: Vec<u8>,
}

impl Archives {
    /// The containers of `project`; absent where there are none. `standpoint` tells which folders
    /// of the host need no question. Nothing is asked yet.
    #[must_use]
    pub fn open(
        options: &DockerOptions,
        observation: &Observation,
        project: &str,
        standpoint: &Standpoint,
    ) -> Option<Self> {
        let allowance = Allowance::of(DOCKER_FILES_TIME);
        let connection = Connection::open_for(options, allowance).ok()?;
        let mut containers = IndexMap::new();
        for container in &observation.siblings {
            let service = container.service.clone().filter(|_| is_of(container, project));
            if let Some(service) = service {
                let doubtful = doubtful(container, observation, standpoint);
                containers.entry(service).or_insert_with(|| Space::new(container, doubtful));
            }
        }
        let turns = Semaphore::new(CONTAINERS_AT_ONCE);
        let daemon = Daemon { connection, turns, owners: !observation.docker.maps_users };
        (!containers.is_empty())
            .then(|| Self { daemon: Arc::new(daemon), containers: Arc::new(containers) })
    }

    /// The first container of a service.
    #[must_use]
    pub fn of(&self, service: &str) -> Option<Archive> {
        let space = Arc::clone(self.containers.get(service)?);
        Some(Archive { daemon: Arc::clone(&self.daemon), space })
    }
}

fn is_of(container: &Container, project: &str) -> bool {
    container.project.as_deref() == Some(project)
        && !matches!(container.state.status.as_str(), "removing" | "dead")
}

/// The host folders of a container's mounts that Docker would make, and that this process
/// does not see itself.
fn doubtful(
    container: &Container,
    observation: &Observation,
    standpoint: &Standpoint,
) -> Vec<HostPath> {
    let sources = container.mounts.iter().filter_map(|mount| match &mount.source {
        MountSource::Bind { path, create_host_path: true } => Some(path),
        MountSource::Volume { name, .. } => observation.volume_devices.get(name),
        MountSource::Bind { .. }
        | MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => None,
    });
    let own = match standpoint {
        Standpoint::Host | Standpoint::Elsewhere(_) | Standpoint::Inside(_) => &[][..],
        Standpoint::Container(own) => own,
    };
    let is_own = |path: &HostPath| {
        own.iter().any(
            |mount| matches!(&mount.source, MountSource::Bind { path: own, .. } if own == path),
        )
    };
    sources.filter(|path| !is_own(path)).cloned().collect()
}

impl Space {
    fn new(container: &Container, doubtful: Vec<HostPath>) -> Arc<Self> {
        Arc::new(Self {
            id: container.id.clone(),
            name: container.name.clone(),
            doubtful,
            missing: OnceCell::new(),
            turn: Semaphore::new(1),
        })
    }
}

impl Archive {
    /// The container's name.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.space.name
    }

    /// Host folders that looking into the container makes where they are not there, as starting it
    /// does; this process does not see them itself.
    #[must_use]
    pub fn doubtful(&self) -> &[HostPath] {
        &self.space.doubtful
    }

    /// Which of [`Archive::doubtful`] are not there. Asked once, in a way that makes nothing: a
    /// container of an image that cannot exist is refused for its mount first. Where Docker,
    /// or a proxy before it, does not let this be asked, none is known to be missing.
    pub async fn missing(&self) -> &BTreeSet<HostPath> {
        let ask = async || {
            let mut missing = BTreeSet::new();
            for path in &self.space.doubtful {
                match has_host_path(&self.daemon.connection, path).await {
                    Some(true) => {}
                    Some(false) => {
                        missing.insert(path.clone());
                    }
                    None => break,
                }
            }
            missing
        };
        self.space.missing.get_or_init(ask).await
    }

    /// What is at `path`, which is absolute; absent: nothing. A path through something that is no
    /// folder, and a link that leads in a circle, are nothing.
    ///
    /// # Errors
    /// When Docker does not say.
    pub async fn entry(&self, path: &Path) -> Result<Option<Entry>, DockerError> {
        let request = format!("HEAD /containers/{}/archive", self.space.id);
        let options = ContainerArchiveInfoOptionsBuilder::new().path(&path.to_string_lossy());
        let docker = &self.daemon.connection.docker;
        let asked = docker.get_container_archive_info(&self.space.id, Some(options.build()));
        let answer = {
            let _turn = self.turn().await;
            self.daemon.connection.ask(&request, asked).await
        };
        match answer {
            Ok(stat) => Ok(Some(entry(path, stat))),
            Err(DockerError::Refused { status: 404, .. }) => Ok(None),
            // The answer to HEAD has no words in it.
            Err(DockerError::Refused { status: 500, .. }) => self.reason(path).await,
            Err(error) => Err(error),
        }
    }

    /// Why there is no answer about `path`.
    async fn reason(&self, path: &Path) -> Result<Option<Entry>, DockerError> {
        match self.piece(&Content { path: path.to_path_buf() }, 0, 0).await {
            Err(DockerError::Refused { reason, .. }) if is_nowhere(&reason) => Ok(None),
            Err(error) => Err(error),
            Ok(_) => Err(DockerError::Unreadable {
                request: format!("HEAD /containers/{}/archive", self.space.id),
                reason: "it says no more than that it failed".to_owned(),
            }),
        }
    }

    /// At most `length` bytes of a file, from `start` on, and its owner.
    ///
    /// # Errors
    /// When Docker does not send them, and beyond [`REACH`].
    pub async fn piece(
        &self,
        content: &Content,
        start: u64,
        length: usize,
    ) -> Result<Piece, DockerError> {
        let request = format!("GET /containers/{}/archive", self.space.id);
        let unreadable = |reason: &str| DockerError::Unreadable {
            request: request.clone(),
            reason: reason.to_owned(),
        };
        if REACH < start {
            return Err(unreadable("only the beginning of a file is read through Docker"));
        }
        let _turn = self.turn().await;
        let read = self.read(content, start, length);
        let piece = self.daemon.connection.ask_for(&request, DOCKER_PIECE_TIME, read).await?;
        piece.map_err(unreadable)
    }

    async fn read(
        &self,
        content: &Content,
        start: u64,
        length: usize,
    ) -> Result<Result<Piece, &'static str>, bollard::errors::Error> {
        let options =
            DownloadFromContainerOptionsBuilder::new().path(&content.path.to_string_lossy());
        let docker = &self.daemon.connection.docker;
        let stream = docker.download_from_container(&self.space.id, Some(options.build()));
        pin_mut!(stream);
        let mut bytes: Vec<u8> = Vec::new();
        let (header, body) = loop {
            match tar::head(&bytes) {
                Head::Whole(header, body) => break (header, body),
                Head::Broken => return Ok(Err(NO_ARCHIVE)),
                Head::Short => match stream.next().await {
                    Some(chunk) => bytes.extend_from_slice(&chunk?),
                    None => return Ok(Err(NO_ARCHIVE)),
                },
            }
        };
        if !header.is_file {
            return Ok(Err(NO_ARCHIVE));
        }
        bytes.drain(..body);
        let end = header.size.min(start.saturating_add(length as u64));
        let mut skipped = 0_u64;
        loop {
            let surplus = start.saturating_sub(skipped).min(bytes.len() as u64);
            bytes.drain(..usize::try_from(surplus).unwrap_or(bytes.len()));
            skipped += surplus;
            if end <= skipped + bytes.len() as u64 {
                break;
            }
            match stream.next().await {
                Some(chunk) => bytes.extend_from_slice(&chunk?),
                None => return Ok(Err("it ends before the file does")),
            }
        }
        bytes.truncate(usize::try_from(end.saturating_sub(skipped)).unwrap_or(0));
        let owner = self.daemon.owners.then_some((header.uid, header.gid));
        Ok(Ok(Piece { owner, bytes }))
    }

    /// Waits until it is this call's turn.
    async fn turn(&self) -> [Option<tokio::sync::SemaphorePermit<'_>>; 2] {
        // Neither is ever closed. The container's own first: who waits for it takes no other's place.
        let own = self.space.turn.acquire().await.ok();
        [own, self.daemon.turns.acquire().await.ok()]
    }
}

/// Whether the host has `path`; absent: it cannot be asked.
pub(super) async fn has_host_path(connection: &Connection, path: &HostPath) -> Option<bool> {
    let mount = Mount {
        typ: Some(MountType::BIND),
        source: Some(path.to_string()),
        target: Some("/probe".to_owned()),
        ..Mount::default()
    };
    let host_config = HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() };
    let body = ContainerCreateBody {
        image: Some(NO_IMAGE.to_owned()),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    };
    let asked = connection.docker.create_container(None, body);
    match connection.ask("POST /containers/create", asked).await {
        Err(DockerError::Refused { status: 404, reason, .. }) if reason.contains("image") => {
            Some(true)
        }
        Err(DockerError::Refused { status: 400, reason, .. })
            if reason.contains("bind source path does not exist") =>
        {
            Some(false)
        }
        Err(error) => {
            debug!(%path, %error, "whether it exists cannot be asked");
            None
        }
        Ok(created) => {
            debug!(id = created.id, "it makes containers of no image");
            None
        }
    }
}

/// What Docker says of a path through a file, and of links in a circle.
fn is_nowhere(reason: &str) -> bool {
    ["not a directory", "too many links", "too many levels of symbolic links"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Go's `os.FileMode` (src/io/fs/fs.go): the type in its highest bits.
mod mode {
    pub(super) const DIRECTORY: u32 = 1 << 31;
    pub(super) const LINK: u32 = 1 << 27;
    /// Folder, link, named pipe, socket, device, character device, irregular.
    pub(super) const TYPE: u32 = DIRECTORY | LINK | 1 << 25 | 1 << 24 | 1 << 26 | 1 << 21 | 1 << 19;
    pub(super) const PERMISSIONS: u32 = 0o777;
}

fn entry(path: &Path, stat: bollard::container::PathStatResponse) -> Entry {
    let kind = match stat.file_mode & mode::TYPE {
        0 => EntryKind::File(Content { path: path.to_path_buf() }),
        mode::DIRECTORY => EntryKind::Directory,
        mode::LINK => EntryKind::Link(PathBuf::from(stat.link_target)),
        _ => EntryKind::Other,
    };
    Entry {
        kind,
        size: u64::try_from(stat.size).unwrap_or(0),
        mode: stat.file_mode & mode::PERMISSIONS,
        modified: stat.modification_time.as_deref().and_then(timestamp::parse),
    }
}

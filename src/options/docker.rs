//! How the Docker Engine is reached.

use std::path::PathBuf;

use crate::deadline::Deadline;

/// How to reach the Docker Engine.
#[derive(Debug, Clone)]
pub struct DockerOptions {
    /// `DOCKER_HOST`; absent: as the context says.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`; absent: the one that the configuration names.
    pub context: Option<String>,
    /// The folder of the Docker CLI, with its contexts; absent: there are none.
    pub configuration: Option<PathBuf>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, if the Docker of no context is asked with
    /// TLS.
    pub certificates: Option<PathBuf>,
    /// When it is asked no more; absent: when it has taken too long by itself.
    pub deadline: Option<Deadline>,
    /// False: Docker is not asked at all.
    pub enabled: bool,
    /// The id of the container that this process runs in, if its own files tell.
    pub container: Option<String>,
}

impl DockerOptions {
    /// The Docker that listens where nothing else is said.
    #[must_use]
    pub fn default_socket() -> Self {
        Self {
            host: None,
            context: None,
            configuration: None,
            certificates: None,
            deadline: None,
            enabled: true,
            container: None,
        }
    }
}

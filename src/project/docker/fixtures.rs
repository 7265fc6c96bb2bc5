//! Containers and observations of which a test says only what it is about.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{Container, DockerFacts, Observation, State};
use crate::project::{Hardware, MemoryLimit, SharedMemory};

impl Container {
    /// A created container of which nothing but its service is known.
    pub(crate) fn of_service(project: &str, service: &str) -> Self {
        Self {
            id: format!("{project}-{service}"),
            name: format!("{project}-{service}-1"),
            project: Some(project.to_owned()),
            service: Some(service.to_owned()),
            image: String::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            environment: IndexMap::new(),
            labels: IndexMap::new(),
            mounts: Vec::new(),
            volumes_from: Vec::new(),
            user: String::new(),
            group_add: Vec::new(),
            working_dir: None,
            depends_on: Vec::new(),
            restart: "no".to_owned(),
            hardware: Hardware::default(),
            shared_memory: SharedMemory::Unknown,
            memory_limit: MemoryLimit::default(),
            published: BTreeMap::new(),
            address: None,
            created: None,
            state: State {
                status: "created".to_owned(),
                exit_code: 0,
                ended: None,
                oom_killed: false,
                restart_count: 0,
                error: String::new(),
                health: None,
            },
        }
    }
}

impl Observation {
    /// What is seen when these are all the containers.
    pub(crate) fn of(siblings: Vec<Container>) -> Self {
        Self {
            docker_version: "28.5.2".to_owned(),
            api_version: "1.51".to_owned(),
            myself: None,
            siblings,
            strangers: Vec::new(),
            complete: true,
            volume_devices: IndexMap::new(),
            images: IndexMap::new(),
            volumes: IndexMap::new(),
            docker: DockerFacts::default(),
            logs: IndexMap::new(),
        }
    }
}

//! What services ask for: of the container that will be started as it is, else of the files.

use std::borrow::Cow;

use crate::facts::ProjectFacts;
use crate::options::Role;
use crate::plan::engine::Invocation;
use crate::project::docker::Container;
use crate::project::gpus::{Gpus, HostGpus};
use crate::project::{Hardware, MemoryLimit, Service, SharedMemory};

impl ProjectFacts<'_> {
    /// The container that will be started for a service; absent: it is made anew, from the files.
    #[must_use]
    pub fn container(&self, service: &str) -> Option<&Container> {
        let is_as_it_is = self.role == Role::Init || self.project.document.is_null();
        let observation = self.observation.as_ref().ok().filter(|_| is_as_it_is)?;
        observation.container(&self.project.name, service)
    }

    /// The devices that a service asks for.
    #[must_use]
    pub fn hardware(&self, service: &str) -> Cow<'_, Hardware> {
        match self.container(service) {
            Some(container) => Cow::Borrowed(&container.hardware),
            None => Cow::Owned(Hardware::of_document(&self.project.document, service)),
        }
    }

    /// What a service has as `/dev/shm`.
    #[must_use]
    pub fn shared_memory(&self, service: &str) -> SharedMemory {
        match self.container(service) {
            Some(container) => container.shared_memory,
            None => SharedMemory::of_document(&self.project.document, service),
        }
    }

    /// How much memory of the host a service may have.
    #[must_use]
    pub fn memory_limit(&self, service: &str) -> MemoryLimit {
        match self.container(service) {
            Some(container) => container.memory_limit,
            None => MemoryLimit::of_document(&self.project.document, service),
        }
    }

    /// The GPUs that an engine sees in its service.
    #[must_use]
    pub fn gpus(&self, invocation: &Invocation, service: &Service) -> Gpus {
        let hardware = self.hardware(&service.name.value);
        invocation.gpus(service, &hardware, self.host_gpus())
    }

    /// What is known about the GPUs of the host: what somebody declares, else what Docker has found.
    #[must_use]
    pub fn host_gpus(&self) -> HostGpus {
        if let Some(declared) = &self.plan.settings.gpus {
            let cards = &declared.value;
            let count = u64::try_from(cards.count()).ok().filter(|count| *count > 0);
            return HostGpus { count, alike: cards.are_alike() };
        }
        let docker = self.observation.as_ref().ok().map(|observation| &observation.docker);
        let devices = docker.and_then(|docker| docker.cdi_devices.as_ref());
        devices
            .map(|devices| HostGpus::of_cdi(devices.iter().map(String::as_str)))
            .unwrap_or_default()
    }

    /// Whether Docker is known to have no runtime of NVIDIA's, which as its default one hands in what
    /// nobody asks for.
    #[must_use]
    pub fn has_no_nvidia(&self) -> bool {
        let docker = self.observation.as_ref().ok().map(|observation| &observation.docker);
        let runtimes = docker.and_then(|docker| docker.runtimes.as_ref());
        runtimes.is_some_and(|names| !names.iter().any(|name| name.contains("nvidia")))
    }

    /// How many containers of a service are started.
    #[must_use]
    pub fn copies(&self, service: &str) -> u64 {
        let said = &self.project.document["services"][service];
        let replicas = said["deploy"]["replicas"].as_u64().or(said["scale"].as_u64());
        replicas.unwrap_or(1)
    }
}

//! Whether a lane fits where it is to run: its ranks on the GPUs that it sees, its layers on its ranks,
//! what it takes beside what others take.

pub mod ranks;
pub mod shared_memory;
pub mod shares;
pub mod split;

use std::borrow::Cow;

use crate::facts::ProjectFacts;
use crate::findings::Finding;
use crate::findings::check::rule::Check;
use crate::options::Role;
use crate::plan::engine::Invocation;
use crate::plan::lanes::Lane;
use crate::project::docker::Container;
use crate::project::gpus::{Gpus, HostGpus};
use crate::project::{Hardware, Service, SharedMemory};

/// Those that say nothing of a lane's files.
pub(super) static ELSEWHERE: [&Check; 3] = [&ranks::CHECK, &shared_memory::CHECK, &shares::CHECK];

/// A lane whose engine is started by a service of the project.
struct Started<'a> {
    lane: &'a Lane,
    invocation: &'a Invocation,
    service: &'a Service,
}

impl<'a> Started<'a> {
    /// Every lane that a service starts as soon as the project is started.
    fn all(facts: &'a ProjectFacts<'_>) -> impl Iterator<Item = Self> {
        let judged = facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none());
        judged.filter_map(|lane| {
            let invocation = lane.invocation.as_ref()?;
            let service = facts.project.service(lane.services.first()?)?;
            Some(Self { lane, invocation, service })
        })
    }

    /// The GPUs that its engine sees.
    fn gpus(&self, facts: &ProjectFacts<'_>) -> Gpus {
        let hardware = hardware(facts, &self.service.name.value);
        self.invocation.gpus(self.service, &hardware, host(facts))
    }

    /// Names the lane and its service.
    fn about(&self, finding: Finding) -> Finding {
        finding.lane(&self.lane.name).service(&self.service.name.value)
    }
}

/// What a service asks for: in the init role what its container has, which is what will be started.
fn hardware<'a>(facts: &'a ProjectFacts<'_>, service: &str) -> Cow<'a, Hardware> {
    match container(facts, service) {
        Some(container) => Cow::Borrowed(&container.hardware),
        None => Cow::Owned(Hardware::of_document(&facts.project.document, service)),
    }
}

/// What a service has as `/dev/shm`.
fn shared_memory(facts: &ProjectFacts<'_>, service: &str) -> SharedMemory {
    match container(facts, service) {
        Some(container) => container.shared_memory,
        None => SharedMemory::of_document(&facts.project.document, service),
    }
}

/// The container that will be started for a service; absent: it is made anew, from the files.
fn container<'a>(facts: &'a ProjectFacts<'_>, service: &str) -> Option<&'a Container> {
    let is_as_it_is = facts.role == Role::Init || facts.project.document.is_null();
    let observation = facts.observation.as_ref().ok().filter(|_| is_as_it_is)?;
    observation.container(&facts.project.name, service)
}

/// What is known about the GPUs of the host: what somebody declares, else what Docker has found.
fn host(facts: &ProjectFacts<'_>) -> HostGpus {
    if let Some(declared) = &facts.plan.settings.gpus {
        let cards = &declared.value;
        let count = u64::try_from(cards.count()).ok().filter(|count| *count > 0);
        return HostGpus { count, alike: cards.are_alike() };
    }
    let docker = facts.observation.as_ref().ok().map(|observation| &observation.docker);
    let devices = docker.and_then(|docker| docker.cdi_devices.as_ref());
    devices.map(|devices| HostGpus::of_cdi(devices.iter().map(String::as_str))).unwrap_or_default()
}

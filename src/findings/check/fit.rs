//! Whether a lane fits where it is to run: its ranks on the GPUs that it sees, its layers on its ranks,
//! what it takes beside what others take.

pub mod cache_size;
pub mod cards;
pub mod gpu_use;
pub mod host;
pub mod made_to_fit;
pub mod ranks;
pub mod shared_memory;
pub mod shares;
pub mod split;
mod sums;

use crate::facts::ProjectFacts;
use crate::findings::Finding;
use crate::findings::check::rule::Check;
use crate::plan::engine::Invocation;
use crate::plan::lanes::Lane;
use crate::project::Service;
use crate::project::gpus::Gpus;

/// Those that say nothing of a lane's files.
pub(super) static ELSEWHERE: [&Check; 7] = [
    &gpu_use::CHECK,
    &ranks::CHECK,
    &shared_memory::CHECK,
    &shares::CHECK,
    &cards::CHECK,
    &host::CHECK,
    &made_to_fit::CHECK,
];

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
        facts.gpus(self.invocation, self.service)
    }

    /// Names the lane and its service.
    fn about(&self, finding: Finding) -> Finding {
        finding.lane(&self.lane.name).service(&self.service.name.value)
    }
}

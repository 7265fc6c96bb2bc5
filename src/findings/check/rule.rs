//! What a check is: the rules that it may raise, and when it runs on which facts.

use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::{Findings, Rule};
use crate::project::docker::Observation;

/// One check: the rules that it may raise, and the facts that it wants to see.
#[derive(Debug)]
pub struct Check {
    /// Every rule that [`Check::run`] may push.
    pub rules: &'static [&'static Rule],
    /// When it runs, and on what.
    pub run: Run,
}

/// When a check runs and what it may see, in the order of the stages.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// Once, on the project, its plan and its containers.
    Project(fn(&ProjectFacts<'_>, &mut Findings)),
    /// Per lane, before the hub is asked: wiring, mounts, permissions.
    Mount(fn(&LaneFacts, &mut Findings)),
    /// Per lane, after its source was probed and, if need be, fetched.
    Hub(fn(&LaneFacts, &mut Findings)),
    /// Per lane, at the same time: what is not there, and who brings it.
    Missing(fn(&LaneFacts, &mut Findings)),
    /// Per lane, on the files as they are.
    Model(fn(&LaneFacts, &mut Findings)),
    /// Once, on all lanes together.
    Together(fn(&ProjectFacts<'_>, &[LaneFacts], &mut Findings)),
    /// Once, on the containers; absent facts are not handed to a check.
    Container(fn(&ProjectFacts<'_>, &Observation, &mut Findings)),
    /// Per lane, on the answers of its engine.
    Smoke(fn(&LaneFacts, &mut Findings)),
}

//! The list of checks: pure functions from facts to findings.
//!
//! A check cannot fail and does no I/O. Adding one is a function and its rule in its family's file,
//! and `FAMILY/rules/ID.md`, which documents the rule; a new family is one line in [`CHECKS`].

pub mod cache;
pub mod container;
pub mod deliveries;
pub mod engine;
pub mod fit;
pub mod hub;
pub mod lock;
pub mod manifests;
pub mod model;
pub mod mounts;
mod nearby;
pub mod own_files;
pub mod pods;
pub mod project;
pub mod proof;
mod rule;
pub mod smoke;
pub mod update;
pub mod verdict;
pub mod waiting;
pub mod wiring;

use std::collections::BTreeSet;

use thiserror::Error;

use crate::exit_code::ExitCode;
use crate::facts::survey::Judge;
use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::{Finding, Findings, Rule};
use crate::look::Look;
use crate::suggest;

pub use rule::{Check, Run};

/// An id that is no check's.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("there is no check `{}`", .id.escape_debug())]
pub struct UnknownCheck {
    /// As typed.
    pub id: String,
    /// The ids that look like it, the likeliest first.
    pub suggestions: Vec<&'static str>,
}

impl UnknownCheck {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        suggest::question(&self.suggestions)
            .unwrap_or_else(|| "`preflight explain` lists them".to_owned())
    }
}

/// Every check, in the order of report and documentation.
pub static CHECKS: &[&Check] = &[
    &project::CHECK,
    &manifests::CHECK,
    &container::differences::CHECK,
    &container::strangers::CHECK,
    &mounts::WIRING,
    &mounts::copied::CHECK,
    &mounts::volumes::CHECK,
    &engine::WORDS,
    &engine::no_server::CHECK,
    &engine::WIRING,
    &engine::COMMAND_LINE,
    &engine::environment::CHECK,
    &engine::quotes::CHECK,
    &waiting::CHECK,
    &pods::gate::CHECK,
    &pods::shared::CHECK,
    &pods::texts::CHECK,
    &wiring::calls::CHECK,
    &wiring::ports::CHECK,
    &wiring::listened_twice::CHECK,
    &wiring::names::CHECK,
    &wiring::health::CHECK,
    &pods::probes::PORT,
    &pods::probe_paths::CHECK,
    &pods::links::CHECK,
    &wiring::programs::CHECK,
    &wiring::order::CHECK,
    &fit::gpu_use::CHECK,
    &fit::ranks::CHECK,
    &fit::shared_memory::CHECK,
    &container::secrets::CHECK,
    &mounts::ROOT,
    &cache::MOUNT,
    &cache::emptied::EMPTIED,
    &hub::SOURCE,
    &hub::OTHER,
    &hub::WITHHELD,
    &hub::DISK,
    &pods::room::ALONE,
    &deliveries::CHECK,
    &hub::PIN,
    &hub::PLANNED,
    &hub::LEFT_OUT,
    &own_files::CHECK,
    &update::CHECK,
    &lock::CHECK,
    &cache::CONTENT,
    &model::CHECK,
    &fit::split::CHECK,
    &fit::cache_size::CHECK,
    &fit::shares::CHECK,
    &fit::cards::CHECK,
    &fit::host::CHECK,
    &fit::made_to_fit::CHECK,
    &wiring::patience::CHECK,
    &pods::probes::TIME,
    &pods::room::CHECK,
    &container::inside::CHECK,
    &proof::CHECK,
    &container::unseen::CHECK,
    &container::gpu::CHECK,
    &container::image::CHECK,
    &container::left_over::CHECK,
    &container::CHECK,
    &container::reported::CHECK,
    &smoke::CHECK,
    &smoke::clients::CHECK,
];

/// Every rule of every check once, and those of the verdict itself.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let mut seen = BTreeSet::new();
    let all = CHECKS.iter().flat_map(|check| check.rules.iter().copied()).chain(verdict::RULES);
    all.filter(move |rule| seen.insert(rule.id))
}

/// The rule of that id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// The rule called `id`; also for the arguments of `--deny` and `--allow`.
///
/// # Errors
/// When no check has that id.
pub fn find(id: &str) -> Result<&'static Rule, UnknownCheck> {
    rule(id).ok_or_else(|| UnknownCheck {
        id: id.to_owned(),
        suggestions: suggest::likely(id, rules().map(|rule| rule.id)),
    })
}

/// Judges the project: what stops a lane here, stops it before anything is fetched.
pub fn project(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for check in CHECKS {
        if let Run::Project(run) = check.run {
            run(facts, findings);
        }
    }
}

/// Judges how a lane is wired and mounted; one that is skipped is not judged.
pub fn mounts(facts: &LaneFacts, findings: &mut Findings) {
    if facts.lane.skipped.is_some() {
        return;
    }
    for check in CHECKS {
        if let Run::Mount(run) = check.run {
            run(facts, findings);
        }
    }
}

/// Judges what the source of a lane answered, and how its fetch ended.
pub fn sources(facts: &LaneFacts, findings: &mut Findings) {
    for check in CHECKS {
        if let Run::Hub(run) | Run::Missing(run) = check.run {
            run(facts, findings);
        }
    }
}

/// Judges what the source of a lane answered, for who does not want its files.
pub fn answers(facts: &LaneFacts, findings: &mut Findings) {
    for check in CHECKS {
        if let Run::Hub(run) = check.run {
            run(facts, findings);
        }
    }
}

/// Judges the files of a lane.
pub fn models(facts: &LaneFacts, findings: &mut Findings) {
    for check in CHECKS {
        if let Run::Model(run) = check.run {
            run(facts, findings);
        }
    }
}

/// Judges a lane's source and files, behind the mounts. What an earlier stage may have caused is
/// reported as a consequence, without a say in the exit code; files that cannot be reached are not
/// judged.
pub fn files(facts: &LaneFacts, findings: &mut Findings) {
    if !reachable(facts) && findings.stops(&facts.lane.name) {
        return;
    }
    // What a dry run would bring is not there to be judged.
    let judged = if facts.source.planned.is_some() { 1 } else { 2 };
    let stages: [fn(&LaneFacts, &mut Findings); 2] = [sources, models];
    let found = stages.into_iter().take(judged).map(|stage| {
        let mut found = findings.alike();
        stage(facts, &mut found);
        found.into_vec()
    });
    let found: Vec<Vec<Finding>> = found.collect();
    let of_lane = |finding: &&Finding| finding.is_about(&facts.lane.name);
    let is_short = findings.iter().filter(of_lane).chain(found.iter().flatten()).any(is_short);
    let is_left_out = is_short && facts.is_brought();
    for stage in found {
        let caused = findings.iter().filter(of_lane).any(|it| it.stops() && !is_apart(it));
        for mut finding in stage {
            let is_missing = finding.stops() && finding.rule.exit == ExitCode::Incomplete;
            finding.consequence |= caused || is_left_out && is_missing;
            findings.push(finding);
        }
    }
}

/// Whether a finding shows that there is too little memory for a lane, which is why nothing more is brought
/// for it.
fn is_short(finding: &Finding) -> bool {
    finding.stops() && finding.rule.exit == ExitCode::Memory
}

/// Whether a finding has nothing to do with whether the lane's files are there: it is about the words
/// that start the engine, about where it runs, who it listens to, or what is mounted beside the files.
fn is_apart(finding: &Finding) -> bool {
    engine::COMMAND_LINE.rules.contains(&finding.rule)
        || fit::ELSEWHERE.iter().any(|check| check.rules.contains(&finding.rule))
        || wiring::ELSEWHERE.iter().any(|check| check.rules.contains(&finding.rule))
        || finding.rule.id == mounts::SOURCE_MISSING.id
}

/// Whether there is a folder in which the files of a lane could be.
fn reachable(facts: &LaneFacts) -> bool {
    let expected = || facts.artifacts.iter().filter(|it| !it.artifact.is_made_by_docker());
    let roots = || expected().filter_map(|artifact| artifact.root.as_ref());
    roots().count() > 0
        && roots().all(|root| root.stat != Look::Absent && !root.fabricated)
        && !mounts::sources::hides_model(facts)
}

/// Judges what lanes are to each other, as far as that shows that one of them cannot come up.
pub fn rivals(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    let mut found = findings.alike();
    together(facts, lanes, &mut found);
    found.into_vec().into_iter().filter(Finding::stops).for_each(|it| findings.push(it));
}

/// Judges what lanes are to each other; what was found before is not said again.
pub fn together(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    let mut found = findings.alike();
    for check in CHECKS {
        if let Run::Together(run) = check.run {
            run(facts, lanes, &mut found);
        }
    }
    let is_known = |finding: &Finding, findings: &Findings| {
        let mut known = findings.iter();
        known.any(|it| it.rule.id == finding.rule.id && it.message == finding.message)
    };
    for finding in found.into_vec() {
        if !is_known(&finding, findings) {
            findings.push(finding);
        }
    }
}

/// Judges whether what the lanes take is there, and nothing else: every rule that leads to
/// [`ExitCode::Memory`].
pub fn fit(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    let is_of_memory = |rule: &Rule| rule.exit == ExitCode::Memory;
    let mut found = findings.alike();
    for check in CHECKS.iter().filter(|check| check.rules.iter().any(|rule| is_of_memory(rule))) {
        let judged = lanes.iter().filter(|lane| lane.lane.skipped.is_none());
        match check.run {
            Run::Project(run) => run(facts, &mut found),
            Run::Together(run) => run(facts, lanes, &mut found),
            Run::Model(run) => judged.for_each(|lane| run(lane, &mut found)),
            // What the hub, a container or an engine says is not about what is to be.
            Run::Mount(_) | Run::Hub(_) | Run::Missing(_) | Run::Container(_) | Run::Smoke(_) => {}
        }
    }
    let found = found.into_vec().into_iter().filter(|finding| is_of_memory(finding.rule));
    found.for_each(|finding| findings.push(finding));
}

/// Judges the containers, as far as they were seen.
pub fn containers(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let Ok(observation) = facts.observation else { return };
    for check in CHECKS {
        if let Run::Container(run) = check.run {
            run(facts, observation, findings);
        }
    }
}

/// Judges what the engine of a lane answered.
pub fn smoke(facts: &LaneFacts, findings: &mut Findings) {
    for check in CHECKS {
        if let Run::Smoke(run) = check.run {
            run(facts, findings);
        }
    }
}

/// Whether a finding shows that bringing the rest of a lane's files would be in vain: not something
/// missing, but something that cannot work.
fn condemns(finding: &Finding) -> bool {
    let is_wrong =
        matches!(finding.rule.exit, ExitCode::Corrupt | ExitCode::Lane | ExitCode::Usage);
    finding.stops() && is_wrong || is_short(finding)
}

impl Judge for Findings {
    fn has_ended(&self, lane: &str) -> bool {
        self.stops(lane)
    }

    fn ends_at_sources(&self, facts: &LaneFacts) -> bool {
        let mut found = self.alike();
        sources(facts, &mut found);
        found.stops(&facts.lane.name)
    }

    fn ends_at_files(&self, facts: &LaneFacts) -> bool {
        let mut found = self.alike();
        models(facts, &mut found);
        found.iter().any(condemns)
    }

    fn does_not_fit(&self, facts: &LaneFacts) -> bool {
        let mut found = self.alike();
        models(facts, &mut found);
        found.iter().any(is_short)
    }
}

//! Lanes that were to move to a newer commit, and could not.

use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::{CacheFacts, CacheState, LaneFacts};
use crate::findings::{Finding, Findings, Rule};
use crate::project::mounts::Sight;
use crate::source_map::Place;

/// Whether what an update is asked for can be written.
pub static CHECK: Check = Check { rules: &[&UPDATE_NOT_POSSIBLE], run: Run::Hub(run) };

static UPDATE_NOT_POSSIBLE: Rule = Rule::warning(
    "update-not-possible",
    ExitCode::Mount,
    include_str!("update/rules/update-not-possible.md"),
);

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let moves = facts.orders.update && facts.orders.may_fetch && facts.lane.skipped.is_none();
    if !moves || facts.source.pinning.pin().is_some() {
        return;
    }
    let of_caches = facts.cached.iter().filter_map(|cached| cache(facts, cached));
    folder(facts).into_iter().chain(of_caches).for_each(|finding| findings.push(finding));
}

fn folder(facts: &LaneFacts) -> Option<Finding> {
    let source = facts.lane.source.as_ref().filter(|source| !source.value.is_pinned())?;
    let artifact = facts.own_artifacts().first().filter(|_| !facts.lane.in_cache())?;
    let Sight::Visible { read_only: true, path, .. } = &artifact.artifact.located.value.sight
    else {
        return None;
    };
    let repository = source.value.repository();
    let why = format!("`{path}` may not be written to");
    Some(finding(facts, &repository, &why).at(&source.place))
}

fn cache(facts: &LaneFacts, cached: &CacheFacts) -> Option<Finding> {
    let source = cached.cached.source().filter(|source| !source.is_pinned())?;
    if cached.state != CacheState::Held || cached.fill.is_some() {
        return None;
    }
    let home = cached.cached.home().map(|home| format!(" `{home}`")).unwrap_or_default();
    let why = format!("the cache{home} may not be written to");
    let place: &Place = &cached.cached.place;
    Some(finding(facts, &source.repository(), &why).at(place))
}

fn finding(facts: &LaneFacts, repository: &str, why: &str) -> Finding {
    let message = format!("`{repository}` stays at the commit that is here: {why} by preflight");
    let fix = "give preflight the same mount without `:ro`, or update from where it can write";
    Finding::new(&UPDATE_NOT_POSSIBLE, message, fix).lane(&facts.lane.name)
}

//! Whether a cache outlives its Pod.

use super::CACHE_NOT_MOUNTED;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::lanes::{Choice, Lane};

/// Caches in volumes that are gone with their Pod.
pub static EMPTIED: Check = Check { rules: &[&CACHE_NOT_MOUNTED], run: Run::Project(run) };

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        if let Some(finding) = judge(facts, lane) {
            findings.push(finding.lane(&lane.name));
        }
    }
}

fn judge(facts: &ProjectFacts<'_>, lane: &Lane) -> Option<Finding> {
    let invocation = lane.invocation.as_ref().filter(|invocation| !invocation.offline)?;
    let service = lane.services.first()?;
    let has_weights = |choice: &Choice| *choice != Choice::WithoutWeights;
    let cached = lane.cached.iter().find(|cached| has_weights(&cached.choice))?;
    let place = cached.places.first()?;
    let volume = facts.project.volume(place.mount.as_ref()?.source.volume()?)?;
    if !volume.kind.ends_with_pod() {
        return None;
    }
    let home = cached.home()?;
    let message = format!(
        "`{service}` keeps `{}` in `{home}`, in the volume `{}` that is gone with its Pod: every new Pod \
         downloads it again",
        cached.repository,
        volume.name.rsplit(':').next().unwrap_or(&volume.name)
    );
    let target = home.strip_suffix("/hub").filter(|folder| !folder.is_empty()).unwrap_or(&home);
    let fix = (facts.project.dialect.words().keep_cache)(service, target);
    let finding = Finding::new(&CACHE_NOT_MOUNTED, message, fix).severity(Severity::Note);
    let finding = finding.service(service).at(&cached.place);
    let finding = finding.also(&volume.place, "made anew for every Pod");
    let cache = invocation.hub_cache.as_ref().filter(|cache| cache.place.span.is_some());
    Some(cache.map_or(finding.clone(), |cache| finding.also(&cache.place, "its cache")))
}

//! What `preflight.lock` pins, held against the sources of the lanes and the hub.

use super::cache::revision_words;
use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::lockfile::{LockDifference, Pin};
use crate::facts::{LaneFacts, Pinning};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::{Part, Pins};
use crate::source_map::Place;

/// Whether the lock file is about the lanes as they are.
pub static CHECK: Check = Check {
    rules: &[
        &LOCK_OUTDATED,
        &LOCK_INCOMPLETE,
        &LOCK_DIFFERS_FROM_HUB,
        &LOCK_HOLDS_BACK_UPDATE,
        &LOCK_NOT_FOLLOWED,
    ],
    run: Run::Hub(run),
};

static LOCK_OUTDATED: Rule =
    Rule::error("lock-outdated", ExitCode::Lane, include_str!("lock/rules/lock-outdated.md"));

static LOCK_INCOMPLETE: Rule =
    Rule::warning("lock-incomplete", ExitCode::Lane, include_str!("lock/rules/lock-incomplete.md"));

static LOCK_DIFFERS_FROM_HUB: Rule = Rule::error(
    "lock-differs-from-hub",
    ExitCode::Corrupt,
    include_str!("lock/rules/lock-differs-from-hub.md"),
);

static LOCK_HOLDS_BACK_UPDATE: Rule = Rule::note(
    "lock-holds-back-update",
    ExitCode::Lane,
    include_str!("lock/rules/lock-holds-back-update.md"),
);

static LOCK_NOT_FOLLOWED: Rule = Rule::warning(
    "lock-not-followed",
    ExitCode::Lane,
    include_str!("lock/rules/lock-not-followed.md"),
);

fn run(facts: &LaneFacts, findings: &mut Findings) {
    if let Some(finding) = facts.source.pinning.pin().and_then(|pin| not_followed(facts, pin)) {
        findings.push(finding);
    }
    let (lane, Some(source)) = (&facts.lane.name, &facts.lane.source) else { return };
    let place: &Place = if source.place.span.is_some() { &source.place } else { &facts.lane.place };
    let about = |finding: Finding| finding.lane(lane).at(place).with("source", &source.value);
    match &facts.source.pinning {
        Pinning::NoLock | Pinning::Delivered(_) => {}
        Pinning::Unlisted => {
            let message = format!("`preflight.lock` does not pin the files of `{lane}`");
            let fix = match &facts.lane.delivery {
                Some(_) => "remove the lock file: it is then written anew".to_owned(),
                None => format!("run `preflight lock --lane {lane}`"),
            };
            findings.push(about(Finding::new(&LOCK_INCOMPLETE, message, fix)));
        }
        Pinning::Outdated(pinned) => {
            let message = if *pinned == source.value {
                format!("`preflight.lock` pins other files of `{pinned}` than `{lane}` opens")
            } else {
                format!(
                    "`preflight.lock` pins `{pinned}`, and the source of `{lane}` is `{}`",
                    source.value
                )
            };
            let fix = match &facts.lane.delivery {
                Some(_) => "if the source is right, remove the lock file: it is then written anew"
                    .to_owned(),
                None => format!("run `preflight lock --lane {lane}` if the source is right"),
            };
            findings.push(about(Finding::new(&LOCK_OUTDATED, message, fix)));
        }
        Pinning::Pinned(pin) if !facts.source.lock_differences.is_empty() => {
            let message = format!(
                "the hub has other files of `{}` at {} than `preflight.lock` pins: {}",
                source.value.repository(),
                pin.commit,
                facts.source.lock_differences.iter().map(told).collect::<Vec<_>>().join(", ")
            );
            let fix = "ask the hub that it was written from, or run `preflight lock --update`";
            let finding = Finding::new(&LOCK_DIFFERS_FROM_HUB, message, fix);
            findings.push(about(finding).with("commit", &pin.commit));
        }
        Pinning::Pinned(pin) if facts.orders.update && !has_failed(facts) => {
            let message =
                format!("`{lane}` stays at commit {}, which `preflight.lock` pins", pin.commit);
            let fix = match &facts.lane.delivery {
                Some(_) => "to move it, remove the lock file: it is then written anew".to_owned(),
                None => format!("run `preflight lock --update --lane {lane}` to move it"),
            };
            findings.push(about(Finding::new(&LOCK_HOLDS_BACK_UPDATE, message, fix)));
        }
        Pinning::Pinned(_) => {}
    }
}

/// Whether it is not known to be here, because it could not be brought.
fn has_failed(facts: &LaneFacts) -> bool {
    matches!(facts.source.probe, Some(Err(_))) || matches!(facts.source.fetch, Some(Err(_)))
}

/// An engine that may ask the hub asks for its revision, and loads what that is today.
fn not_followed(facts: &LaneFacts, pin: &Pin) -> Option<Finding> {
    let (engine, service) = (facts.lane.engine?, facts.lane.services.first()?);
    let cached = facts.lane.cached.iter().find(|cached| cached.part == Part::Model)?;
    if facts.engine_is_offline() || cached.revision.as_ref() == Some(&pin.commit) {
        return None;
    }
    let revision = cached.revision.as_deref().unwrap_or("main");
    let message = format!(
        "`preflight.lock` pins {}, and {} asks the hub for `{revision}`, whatever its cache holds",
        pin.commit,
        engine.name(),
    );
    let fix = match engine.command_line().pins {
        Pins::RevisionOrCache => return None,
        Pins::Revision { .. } => {
            let words = revision_words(facts, &pin.commit);
            format!("add `{words}` to the command of service `{service}`")
        }
        Pins::Offline(word) => format!(
            "add `{word}` to the command of service `{service}`: it then loads what its cache holds"
        ),
        Pins::Never => format!("let service `{service}` open the model by a path"),
    };
    let finding = Finding::new(&LOCK_NOT_FOLLOWED, message, fix).lane(&facts.lane.name);
    Some(finding.service(service).at(&cached.place).with("commit", &pin.commit))
}

fn told(difference: &LockDifference) -> String {
    let what = if difference.is_there { "has another content" } else { "is not there" };
    format!("`{}` {what}", difference.path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::facts::SourceFacts;
    use crate::findings::Policy;
    use crate::options::Role;
    use crate::plan::lanes::{Lane, Origin, Traced};
    use crate::source::Source;

    fn check(pinning: Pinning, differences: &[(&str, bool)], expected: &[(&str, &str)]) {
        check_updating(false, pinning, differences, expected);
    }

    fn check_updating(
        update: bool,
        pinning: Pinning,
        differences: &[(&str, bool)],
        expected: &[(&str, &str)],
    ) {
        let source: Source = "hf://o/new".parse().unwrap();
        let source = Traced { value: source, from: Origin::Extension, place: Place::nowhere() };
        let lane = Lane { source: Some(source), ..Lane::named("coder") };
        let difference = |(path, is_there): &(&str, bool)| LockDifference {
            path: (*path).to_owned(),
            is_there: *is_there,
        };
        let lock_differences = differences.iter().map(difference).collect();
        let mut facts = LaneFacts::of(lane, Role::Hand);
        facts.orders.update = update;
        facts.source = SourceFacts { pinning, lock_differences, ..SourceFacts::default() };
        let mut findings = Findings::new(Policy::default());
        run(&facts, &mut findings);
        let found = findings.into_vec();
        let found: Vec<_> =
            found.iter().map(|found| (found.rule.id, found.message.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_lock_file_that_is_about_something_else_is_said() {
        let old: Source = "hf://o/old".parse().unwrap();
        let pin = Pin { source: old.clone(), commit: "1".repeat(40), files: BTreeMap::new() };
        check(Pinning::NoLock, &[], &[]);
        let message = "`preflight.lock` does not pin the files of `coder`";
        check(Pinning::Unlisted, &[], &[("lock-incomplete", message)]);
        let message =
            "`preflight.lock` pins `hf://o/old`, and the source of `coder` is `hf://o/new`";
        check(Pinning::Outdated(old), &[], &[("lock-outdated", message)]);
        check(Pinning::Pinned(pin.clone()), &[], &[]);
        let message = "`coder` stays at commit 1111111111111111111111111111111111111111, which \
                       `preflight.lock` pins";
        let held_back = &[("lock-holds-back-update", message)];
        check_updating(true, Pinning::Pinned(pin.clone()), &[], held_back);
        check_updating(true, Pinning::NoLock, &[], &[]);
        let message = "the hub has other files of `o/new` at 1111111111111111111111111111111111111111 \
                       than `preflight.lock` pins: `a` is not there, `b` has another content";
        let differences = &[("a", false), ("b", true)];
        check(Pinning::Pinned(pin), differences, &[("lock-differs-from-hub", message)]);
    }
}

//! What Docker Compose itself would warn about, and what it would not know.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::engine;
use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::options::Role;
use crate::project::Warning;
use crate::source_map::Span;

/// The warnings of the loader.
pub static CHECK: Check =
    Check { rules: &[&COMPOSE_WARNING, &UNKNOWN_KEY], run: Run::Project(run) };

static COMPOSE_WARNING: Rule = Rule::warning(
    "compose-warning",
    ExitCode::Usage,
    include_str!("project/rules/compose-warning.md"),
);

static UNKNOWN_KEY: Rule =
    Rule::warning("unknown-key", ExitCode::Usage, include_str!("project/rules/unknown-key.md"));

/// The most uses of a variable that are shown.
const MOST_USES: usize = 5;

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let needed = needed(facts);
    let mut unset: IndexMap<&str, Vec<&Warning>> = IndexMap::new();
    for warning in &facts.project.warnings {
        if let Some(name) = warning.variable.as_deref() {
            unset.entry(name).or_default().push(warning);
        } else if let Some(fix) = &warning.unknown_key {
            let finding = Finding::new(&UNKNOWN_KEY, &warning.message, fix);
            findings.push(finding.at(&warning.place));
        } else {
            let fix = "remove or correct it; `docker compose config` says what becomes of it";
            let finding = Finding::new(&COMPOSE_WARNING, &warning.message, fix);
            findings.push(finding.at(&warning.place));
        }
    }
    for (name, warnings) in unset {
        let mut uses = uses(&needed, &warnings);
        uses.retain(|warning| !is_judged(facts, warning));
        if let Some((first, others)) = uses.split_first() {
            findings.push(unset_variable(facts.role, name, first, others));
        }
    }
}

/// The texts in which a variable that is not set can harm a lane: not those of services that are
/// no lane's. What is written outside of services may be part of several.
fn uses<'a>(needed: &BTreeSet<&str>, warnings: &[&'a Warning]) -> Vec<&'a Warning> {
    let mut uses: IndexMap<Option<Span>, (&Warning, Vec<&str>)> = IndexMap::new();
    for warning in warnings {
        let (_, services) = uses.entry(warning.place.span).or_insert_with(|| (warning, Vec::new()));
        services.extend(warning.service.as_deref());
    }
    let matters = |services: &[&str]| {
        needed.is_empty()
            || services.is_empty()
            || services.iter().any(|service| needed.contains(service))
    };
    uses.into_values().filter(|(_, services)| matters(services)).map(|(it, _)| it).collect()
}

fn unset_variable(role: Role, name: &str, first: &Warning, others: &[&Warning]) -> Finding {
    // The other variables of a text are another matter.
    let place = |warning: &Warning| {
        let mut place = warning.place.clone();
        place.variables.retain(|variable| variable.name == name);
        place.variables.dedup();
        place
    };
    let fix = format!("set `{name}` in `.env`, or give it a default: `${{{name}:-...}}`");
    let finding = Finding::new(&COMPOSE_WARNING, &first.message, fix).at(&place(first));
    let finding = match role {
        Role::Init => finding.severity(Severity::Note),
        Role::Hand | Role::Exec => finding,
    };
    let shown = others.iter().take(MOST_USES - 1);
    let finding = shown.fold(finding, |it, warning| it.also(&place(warning), "and here"));
    if others.len() < MOST_USES { finding } else { finding.with("uses", 1 + others.len()) }
}

/// The services of lanes, and preflight; none without a lane.
fn needed<'a>(facts: &ProjectFacts<'a>) -> BTreeSet<&'a str> {
    let lanes = facts.plan.lanes.iter().flat_map(|lane| &lane.services).map(String::as_str);
    let mut needed: BTreeSet<&str> = lanes.collect();
    if !needed.is_empty() {
        needed.extend(facts.project.preflight_service().map(|service| service.name.value.as_str()));
    }
    needed
}

/// Whether an unset variable is in the mount or the command of a lane, where it is an error of its own.
fn is_judged(facts: &ProjectFacts<'_>, warning: &Warning) -> bool {
    let artifacts = facts.plan.lanes.iter().flat_map(|lane| &lane.artifacts);
    let mut mounts = artifacts.filter_map(|artifact| artifact.located.value.mount.as_ref());
    mounts.any(|mount| mount.place == warning.place)
        || engine::tells(facts, &warning.place, warning.variable.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::source_map::{Place, SourceMap};

    /// A use of `TAG`, written as the `index`th byte of a file.
    fn unset(index: usize, service: &str) -> Warning {
        let mut sources = SourceMap::default();
        let source = sources.add(std::path::Path::new("compose.yaml"), "0123456789".to_owned());
        Warning {
            variable: Some("TAG".to_owned()),
            service: (!service.is_empty()).then(|| service.to_owned()),
            ..Warning::new("`TAG` is odd", Place::at(Span { source, start: index, end: index + 1 }))
        }
    }

    /// How many places are told of the one finding about `TAG`; absent: it is not told.
    fn check(uses: &[Warning], expected: Option<usize>) {
        let mut stack = Stack::new(Role::Hand);
        stack.lane("coder", &["vllm"], true);
        stack.lane("reader", &["llama"], true);
        stack.service("web");
        stack.project.warnings = uses.to_vec();
        let found = stack.found(&CHECK).into_vec();
        assert!(found.len() < 2, "{found:?}");
        assert_eq!(found.first().map(|finding| 1 + finding.related.len()), expected, "{uses:?}");
    }

    #[test]
    fn what_compose_warns_about_is_a_warning() {
        let mut stack = Stack::new(Role::Init);
        stack.project.warnings.push(Warning::new("something is odd", Place::nowhere()));
        let fix = "remove or correct it; `docker compose config` says what becomes of it";
        let expected = format!("warning compose-warning: something is odd = {fix}");
        assert_eq!(stack.told(&CHECK), [expected]);
    }

    #[test]
    fn an_unset_variable_is_only_a_note_where_the_shell_cannot_be_seen() {
        for (role, severity) in [(Role::Hand, "warning"), (Role::Init, "note")] {
            let mut stack = Stack::new(role);
            stack.project.warnings.push(unset(0, ""));
            let fix = "set `TAG` in `.env`, or give it a default: `${TAG:-...}`";
            let expected = format!("{severity} compose-warning: `TAG` is odd = {fix}");
            assert_eq!(stack.told(&CHECK), [expected]);
        }
    }

    #[test]
    fn an_unset_variable_is_told_once_with_all_of_its_uses() {
        check(&[unset(0, "vllm"), unset(3, "llama"), unset(0, "vllm"), unset(5, "")], Some(3));
    }

    #[test]
    fn what_only_services_use_that_are_no_lanes_is_not_told() {
        check(&[unset(0, "web")], None);
        check(&[unset(0, "web"), unset(1, "vllm")], Some(1));
        let many: Vec<Warning> = (0..8).map(|index| unset(index, "vllm")).collect();
        check(&many, Some(MOST_USES));
        // A text that several services share is written where none of them is.
        check(&[unset(0, ""), unset(0, "web")], None);
        check(&[unset(0, ""), unset(0, "web"), unset(0, "vllm")], Some(1));
    }
}

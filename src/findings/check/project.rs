//! What Docker Compose itself would warn about, and what it would not know.

use super::engine;
use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::options::Role;
use crate::source_map::{Spanned, VariableSource};

/// The warnings of the loader.
pub static CHECK: Check = Check { rules: &[&COMPOSE_WARNING], run: Run::Project(run) };

static COMPOSE_WARNING: Rule = Rule::warning(
    "compose-warning",
    ExitCode::Usage,
    include_str!("project/rules/compose-warning.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for warning in facts.project.warnings.iter().filter(|warning| !is_judged(facts, warning)) {
        let finding = Finding::new(&COMPOSE_WARNING, &warning.value, fix(warning));
        let finding = finding.at(&warning.place);
        findings.push(match (facts.role, unset(warning)) {
            (Role::Init, Some(_)) => finding.severity(Severity::Note),
            (Role::Init | Role::Hand, _) => finding,
        });
    }
}

/// Whether an unset variable is in the mount or the command of a lane, where it is an error of its own.
fn is_judged(facts: &ProjectFacts<'_>, warning: &Spanned<String>) -> bool {
    let artifacts = facts.plan.lanes.iter().flat_map(|lane| &lane.artifacts);
    let mut mounts = artifacts.filter_map(|artifact| artifact.located.value.mount.as_ref());
    let mut in_mount = || mounts.any(|mount| mount.place == warning.place);
    let in_command = || engine::tells(facts, &warning.place);
    unset(warning).is_some() && (in_mount() || in_command())
}

fn fix(warning: &Spanned<String>) -> String {
    match unset(warning) {
        Some(name) => format!("set `{name}` in `.env`, or give it a default: `${{{name}:-...}}`"),
        None => "correct the line; `docker compose config` says what becomes of it".to_owned(),
    }
}

/// The variable that is not set, if that is what the warning is about.
fn unset(warning: &Spanned<String>) -> Option<&str> {
    let mut variables = warning.place.variables.iter();
    variables.find(|var| var.set_by == VariableSource::Unset).map(|var| var.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::source_map::{Place, Variable};

    fn check(role: Role, variables: &[&str], expected: &str) {
        let mut stack = Stack::new(role);
        let variable =
            |name: &&str| Variable { name: (*name).to_owned(), set_by: VariableSource::Unset };
        let place = Place { span: None, variables: variables.iter().map(variable).collect() };
        stack.project.warnings.push(Spanned::new("something is odd".to_owned(), place));
        assert_eq!(stack.told(&CHECK), [expected]);
    }

    #[test]
    fn what_compose_warns_about_is_a_warning() {
        check(
            Role::Init,
            &[],
            "warning compose-warning: something is odd = correct the line; `docker compose config` \
             says what becomes of it",
        );
    }

    #[test]
    fn an_unset_variable_is_only_a_note_where_the_shell_cannot_be_seen() {
        let fix = "set `TAG` in `.env`, or give it a default: `${TAG:-...}`";
        let said = format!("compose-warning: something is odd = {fix}");
        check(Role::Hand, &["TAG"], &format!("warning {said}"));
        check(Role::Init, &["TAG"], &format!("note {said}"));
    }
}

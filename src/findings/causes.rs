//! What follows from a finding, said below it.

use super::Finding;
use crate::exit_code::ExitCode;
use crate::source_map::VariableSource;

/// `findings` in their order, but what is missing because of another finding is a line of that one's
/// evidence: who mends the cause has mended it. One that no other explains is kept as it is.
#[must_use]
pub fn with_consequences(findings: Vec<Finding>) -> Vec<Finding> {
    let (consequences, mut told): (Vec<_>, Vec<_>) = findings.into_iter().partition(is_of_absence);
    let mut orphans = Vec::new();
    for finding in consequences {
        let is_cause = |cause: &&mut Finding| {
            may_explain(cause) && finding.lanes().all(|lane| cause.is_about(lane))
        };
        match told.iter_mut().find(is_cause) {
            Some(cause) => {
                let line = format!("{}: {}", finding.rule.id, finding.message);
                cause.evidence.push(("so", line));
            }
            None => orphans.push(finding),
        }
    }
    told.extend(orphans);
    told
}

/// `findings` in their order, without the warning of a variable that is not set where an error about files is
/// about the very value that it has left incomplete: what is to be done about the variable is then the beginning of
/// what is to be done about the error.
#[must_use]
pub fn with_variables(mut findings: Vec<Finding>) -> Vec<Finding> {
    let is_about_files = |error: &Finding| {
        let exit = error.rule.exit;
        error.stops() && matches!(exit, ExitCode::Incomplete | ExitCode::Corrupt | ExitCode::Mount)
    };
    let blamed = |warning: &Finding| {
        findings.iter().position(|error| is_about_files(error) && misses_the_same(error, warning))
    };
    let warnings = findings.iter().enumerate().filter(|(_, finding)| is_of_variable(finding));
    let told: Vec<(usize, usize)> =
        warnings.filter_map(|(at, warning)| Some((at, blamed(warning)?))).collect();
    for (warning, error) in &told {
        findings[*error].fix = format!("{}; or {}", findings[*warning].fix, findings[*error].fix);
    }
    let is_told = |at: usize| told.iter().any(|(warning, _)| *warning == at);
    let kept = findings.into_iter().enumerate().filter(|(at, _)| !is_told(*at));
    kept.map(|(_, finding)| finding).collect()
}

/// Whether it warns of a variable that is not set in one place.
fn is_of_variable(finding: &Finding) -> bool {
    let is_one_use = match finding.rule.id {
        "compose-warning" => finding.related.is_empty(),
        other => other == "variable-consumed-by-compose",
    };
    is_one_use && !finding.stops()
}

fn misses_the_same(one: &Finding, other: &Finding) -> bool {
    let unset = |finding: &Finding| -> Vec<String> {
        let unset = finding.place.variables.iter().filter(|it| it.set_by == VariableSource::Unset);
        unset.map(|variable| variable.name.clone()).collect()
    };
    let others = unset(other);
    unset(one).iter().any(|name| others.contains(name))
}

/// Whether something can be missing because of it: it is about mounts, links or the way from the hub, and
/// neither about the words of a command nor about a machine.
fn may_explain(cause: &Finding) -> bool {
    let is_on_the_way = !matches!(
        cause.rule.exit,
        ExitCode::Lane | ExitCode::Corrupt | ExitCode::Gpu | ExitCode::Memory | ExitCode::Unhealthy
    );
    !cause.consequence && cause.stops() && is_on_the_way
}

/// Whether it says that something is not there, and another finding says why.
fn is_of_absence(finding: &Finding) -> bool {
    finding.consequence && finding.stops() && finding.rule.exit == ExitCode::Incomplete
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Rule;
    use crate::source_map::{Place, Variable};

    static LINK: Rule = Rule::error("symlink-leaves-mount", ExitCode::Mount, "");
    static MISSING: Rule = Rule::error("config-missing", ExitCode::Incomplete, "");
    static UNSET: Rule = Rule::warning("compose-warning", ExitCode::Usage, "");
    static FLAG: Rule = Rule::error("command-line-refused", ExitCode::Lane, "");
    static CORRUPT: Rule = Rule::error("file-corrupt", ExitCode::Corrupt, "");

    fn of(rule: &'static Rule, lane: &str) -> Finding {
        Finding::new(rule, "it is so", "change it").lane(lane)
    }

    /// `id lane`, and what follows from it.
    fn check(findings: Vec<Finding>, expected: &[&str]) {
        let told = with_consequences(findings).into_iter().map(|finding| {
            let follows: Vec<String> =
                finding.evidence.iter().map(|(name, what)| format!(" {name} {what}")).collect();
            let lane = finding.lane.unwrap_or_default();
            format!("{} {lane}{}", finding.rule.id, follows.concat())
        });
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_missing_because_of_something_is_a_line_below_that() {
        let missing = || of(&MISSING, "coder").consequence();
        check(
            vec![of(&LINK, "coder"), missing(), missing()],
            &["symlink-leaves-mount coder so config-missing: it is so so config-missing: it is so"],
        );
        check(
            vec![of(&FLAG, "coder"), of(&LINK, "coder"), missing()],
            &[
                "command-line-refused coder",
                "symlink-leaves-mount coder so config-missing: it is so",
            ],
        );
    }

    #[test]
    fn a_variable_that_left_a_value_incomplete_is_told_with_what_is_wrong_about_it() {
        let at = |name: &str| {
            let variable = Variable { name: name.to_owned(), set_by: VariableSource::Unset };
            Place { variables: vec![variable], ..Place::nowhere() }
        };
        let unset = |name: &str| Finding::new(&UNSET, "it is not set", "set it").at(&at(name));
        let missing = || of(&MISSING, "coder").at(&at("MODEL"));
        let told = with_variables(vec![missing(), unset("TAG"), unset("MODEL")]);
        let told: Vec<_> = told.iter().map(|it| (it.rule.id, it.fix.as_str())).collect();
        let expected = [("config-missing", "set it; or change it"), ("compose-warning", "set it")];
        assert_eq!(told, expected);
        let elsewhere = unset("MODEL").also(&at("MODEL"), "and here");
        assert_eq!(with_variables(vec![missing(), elsewhere]).len(), 2, "it has other uses");
    }

    #[test]
    fn what_is_wrong_otherwise_or_elsewhere_stays_a_finding() {
        let others = [
            of(&MISSING, "coder"),
            of(&MISSING, "reader").consequence(),
            of(&CORRUPT, "coder").consequence(),
        ];
        for other in others {
            let expected =
                format!("{} {}", other.rule.id, other.lane.as_deref().unwrap_or_default());
            check(vec![of(&LINK, "coder"), other], &["symlink-leaves-mount coder", &expected]);
        }
    }
}

//! What follows from a finding, said below it.

use super::Finding;
use crate::exit_code::ExitCode;

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

    static LINK: Rule = Rule::error("symlink-leaves-mount", ExitCode::Mount, "");
    static MISSING: Rule = Rule::error("config-missing", ExitCode::Incomplete, "");
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

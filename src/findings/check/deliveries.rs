//! What the hub says about deliveries that is no matter of access: that they lie in each other, and that
//! they have moved on.

use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::LaneFacts;
use crate::findings::{Finding, Findings, Rule};

/// Whether each delivery has its place, and is of the newest commit.
pub static CHECK: Check =
    Check { rules: &[&DESTINATIONS_COLLIDE, &NEWER_COMMIT], run: Run::Hub(run) };

static DESTINATIONS_COLLIDE: Rule = Rule::error(
    "destinations-collide",
    ExitCode::Usage,
    include_str!("deliveries/rules/destinations-collide.md"),
);

static NEWER_COMMIT: Rule =
    Rule::note("newer-commit", ExitCode::Ready, include_str!("deliveries/rules/newer-commit.md"));

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let about = |finding: Finding| finding.lane(&facts.lane.name).at(&facts.lane.place);
    if let Some(collision) = &facts.source.collision {
        let (inner, to) = &collision.inner;
        let message = format!(
            "`{}` has `{}`, which belongs where `{inner}` is brought to, `{to}`",
            collision.outer, collision.file
        );
        let fix = format!(
            "name another place for `{inner}`, or leave `{}` out with `STORAGE_IGNORE_PATTERNS`",
            collision.file
        );
        findings.push(about(Finding::new(&DESTINATIONS_COLLIDE, message, fix)));
    }
    if let (Some(newer), Some(Ok(listing))) = (&facts.source.newer, &facts.source.probe) {
        let message = format!(
            "`{}` leads to commit {newer} now, and what is here stays at {}",
            listing.source, listing.commit
        );
        let fix = format!("run `{}` to move it", facts.lane.fetch_command("--update "));
        let finding = Finding::new(&NEWER_COMMIT, message, fix).with("commit", &listing.commit);
        findings.push(about(finding.with("newer", newer)));
    }
}

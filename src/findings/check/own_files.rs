//! Files of the user's own in the place of files that a source has.

use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::{LaneFacts, OwnFile};
use crate::findings::{Finding, Findings, Rule};

/// What was kept, and what was replaced.
pub static CHECK: Check = Check { rules: &[&FILE_KEPT, &FILE_REPLACED], run: Run::Hub(run) };

static FILE_KEPT: Rule =
    Rule::note("file-kept", ExitCode::Ready, include_str!("own_files/rules/file-kept.md"));

static FILE_REPLACED: Rule =
    Rule::note("file-replaced", ExitCode::Ready, include_str!("own_files/rules/file-replaced.md"));

fn run(facts: &LaneFacts, findings: &mut Findings) {
    if let Some((first, rest)) = facts.source.kept.split_first() {
        findings.push(kept(facts, first, rest));
    }
    if let Some((first, rest)) = facts.source.replaced.split_first() {
        findings.push(replaced(facts, first, rest));
    }
}

fn kept(facts: &LaneFacts, first: &OwnFile, rest: &[OwnFile]) -> Finding {
    let (are, stay) = if rest.is_empty() { ("is", "stays") } else { ("are", "stay") };
    let message = format!(
        "{} {are} not what the hub has, and {stay}: changed since the download, or not brought by one",
        named(first, rest)
    );
    let fix = format!(
        "nothing, if that is meant; `{}` brings the hub's, and keeps yours beside",
        facts.lane.fetch_command("--deep ")
    );
    let finding = Finding::new(&FILE_KEPT, message, fix);
    about(facts, finding, first, rest)
}

fn replaced(facts: &LaneFacts, first: &OwnFile, rest: &[OwnFile]) -> Finding {
    let was = if rest.is_empty() { "was" } else { "were" };
    let named = named(first, rest);
    let (becomes, fix) = match &first.beside {
        Some(_) => ("kept beside", "compare the two, and put back what you need"),
        None => ("not kept", "nothing: `--discard-replaced` was given"),
    };
    let message =
        format!("{named} {was} replaced by what the hub has, and what was there is {becomes}");
    about(facts, Finding::new(&FILE_REPLACED, message, fix), first, rest)
}

fn named(first: &OwnFile, rest: &[OwnFile]) -> String {
    match rest.len() {
        0 => format!("`{}`", first.name),
        more => format!("`{}` and {more} more", first.name),
    }
}

fn about(facts: &LaneFacts, finding: Finding, first: &OwnFile, rest: &[OwnFile]) -> Finding {
    let place = facts.lane.source.as_ref().map_or(&facts.lane.place, |source| &source.place);
    let finding = finding.lane(&facts.lane.name).at(place);
    std::iter::once(first).chain(rest).fold(finding, |finding, own| {
        let finding = finding.with("file", own.path.display());
        match &own.beside {
            Some(beside) => finding.with("kept", beside.display()),
            None => finding,
        }
    })
}

//! What is told of manifests beside what their containers run.

use std::collections::BTreeSet;

use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::{Finding, Findings, Rule};
use crate::project::{Remark, RemarkKind};

/// The remarks of whoever read the files.
pub static CHECK: Check =
    Check { rules: &[&PLACEHOLDER, &LEFT_OUT, &ANNOTATION], run: Run::Project(run) };

static PLACEHOLDER: Rule =
    Rule::warning("placeholder", ExitCode::Usage, include_str!("manifests/rules/placeholder.md"));

static LEFT_OUT: Rule = Rule::warning(
    "manifest-left-out",
    ExitCode::Usage,
    include_str!("manifests/rules/manifest-left-out.md"),
);

static ANNOTATION: Rule = Rule::warning(
    "annotation-unknown",
    ExitCode::Usage,
    include_str!("manifests/rules/annotation-unknown.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let lanes = facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none());
    let judged: BTreeSet<&String> = lanes.flat_map(|lane| &lane.services).collect();
    for remark in &facts.project.remarks {
        // A placeholder in a container that no lane needs harms none.
        if remark.service.as_ref().is_none_or(|service| judged.contains(service)) {
            findings.push(told(remark));
        }
    }
}

fn told(remark: &Remark) -> Finding {
    let rule = match remark.kind {
        RemarkKind::Placeholder => &PLACEHOLDER,
        RemarkKind::LeftOut => &LEFT_OUT,
        RemarkKind::Annotation => &ANNOTATION,
    };
    let finding = Finding::new(rule, &remark.message, &remark.fix);
    let finding = match &remark.service {
        Some(service) => finding.service(service),
        None => finding,
    };
    finding.at_each(&remark.places.iter().collect::<Vec<_>>(), "places")
}

//! How the engine is set, against what its model is made of.

use super::{Subject, opens_gguf_alone, router, rules, severity};
use crate::facts::model::{Model, gguf};
use crate::findings::{Finding, Findings};
use crate::plan::engine::Part;

/// Says what the engine refuses of its settings for this model.
pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    refused(subject, model).into_iter().for_each(|finding| findings.push(finding));
}

fn refused(subject: &Subject<'_>, model: &Model) -> Option<Finding> {
    let is_judged = subject.part() == Part::Model
        && opens_gguf_alone(subject)
        && !router::is_listed(subject.artifact);
    let header = model.gguf().filter(|header| is_judged && header.refused.is_none())?;
    let sizing = subject.facts.lane.invocation.as_ref()?.sizing.as_ref()?;
    let refusal = sizing.refused(&gguf::shape(&[header], false))?;
    let message = format!("`{}` {}", subject.shown().display(), refusal.why);
    let is_certain = refusal.is_certain && !subject.overrides();
    let finding = subject.finding(&rules::FILES_DO_NOT_FIT, message, refusal.fix);
    Some(subject.by_release(finding).severity(severity(is_certain)))
}

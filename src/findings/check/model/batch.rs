//! Whether the longest text of a model fits into what its engine computes at once.

use super::{Subject, rules, severity};
use crate::facts::model::Folder;
use crate::findings::{Finding, Findings};
use crate::plan::engine::Part;

pub(super) fn judge(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    if let Some(finding) = too_small(subject, folder).filter(|_| subject.part() == Part::Model) {
        findings.push(finding);
    }
}

fn too_small(subject: &Subject<'_>, folder: &Folder) -> Option<Finding> {
    let batch = subject.facts.lane.invocation.as_ref()?.embeds.batch.as_ref()?;
    let config = folder.config.as_ref()?;
    let limits = folder.documents.limits(config.makes_text());
    let longest = (batch.longest)(&config.positions, &limits).filter(|it| batch.tokens < *it)?;
    let (flag, cut) = (batch.flag, batch.cut);
    let message = format!(
        "`{}` takes texts of {longest} tokens, and {} computes {} at once (`{flag}`) and is to cut no \
         text: it does not start",
        subject.shown().display(),
        subject.engine(),
        batch.tokens,
    );
    let fix = format!("say `{flag} {longest}`, or `{cut}`, which cuts longer texts");
    let finding = subject.finding(&rules::BATCH_TOO_SMALL, message, fix);
    let finding = finding.severity(severity(batch.is_certain));
    let finding = finding.with("asked", batch.tokens).with("allowed", longest);
    Some(match &batch.place {
        Some(place) => finding.also(place, "tokens of a batch"),
        None => finding,
    })
}

//! An adapter in the layout of the hub, against the model that it is served with and the release that is
//! to serve it.

use super::{Subject, rules, severity};
use crate::facts::LaneFacts;
use crate::facts::model::Folder;
use crate::facts::model::huggingface::{Adapter, FolderKind, Said};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{AdapterRules, Feature, Part, Unfit};

pub(super) fn judge(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    if subject.part() != Part::Lora {
        return;
    }
    if folder.kind != FolderKind::Adapter {
        return findings.push(no_adapter(subject, folder));
    }
    let rules = subject.models().and_then(|models| models.adapter_rules.as_ref());
    let Some((adapter, rules)) = folder.adapter.as_ref().zip(rules) else { return };
    let judge = Judge { subject, adapter, rules };
    let found = [judge.rank(), judge.width()];
    found.into_iter().flatten().chain(judge.features()).for_each(|found| findings.push(found));
}

/// A model of its own in the place of an adapter.
fn no_adapter(subject: &Subject<'_>, folder: &Folder) -> Finding {
    let architecture = folder.config.as_ref().and_then(|config| config.architectures.first());
    let of = architecture.map(|name| format!(" of the architecture `{name}`")).unwrap_or_default();
    subject.not_a_model(
        &format!("is a model{of} and no adapter, which has an `adapter_config.json`"),
        "serve it as a model of its own, or name the folder of the adapter",
    )
}

/// The configuration of the lane's own model, where it is a folder.
pub(super) fn base(facts: &LaneFacts) -> Option<&Folder> {
    let mut models = facts.artifacts.iter().filter(|it| it.artifact.part == Part::Model);
    models.next()?.model.seen()?.folder()
}

struct Judge<'a> {
    subject: &'a Subject<'a>,
    adapter: &'a Adapter,
    rules: &'a AdapterRules,
}

impl Judge<'_> {
    /// The release; absent: it is not known.
    fn version(&self) -> Option<Vec<u32>> {
        self.subject.version().filter(|numbers| numbers.len() >= 2)
    }

    /// Whether the release, or the newest where none is known, is at or behind another.
    fn is_since(&self, release: [u32; 3]) -> bool {
        self.version().is_none_or(|version| release.as_slice() <= version.as_slice())
    }

    /// An error where the release is one of those that were read and loads adapters before it serves.
    /// `always`: every release that was read refuses it.
    fn severity(&self, always: bool) -> Severity {
        let is_read = |version: Vec<u32>| version.as_slice() <= self.rules.newest_read.as_slice();
        let is_certain = self.version().map_or(always, is_read);
        severity(is_certain && self.is_since(self.rules.loaded_at_start_since))
    }

    fn shown(&self) -> String {
        self.subject.shown().display().to_string()
    }

    fn rank(&self) -> Option<Finding> {
        let rank = self.adapter.rank(self.is_since(self.rules.reads_pattern_since))?;
        let invocation = self.subject.facts.lane.invocation.as_ref()?;
        let asked = invocation.highest_rank.as_ref();
        let highest = asked.map_or(self.rules.highest_rank, |asked| asked.value);
        if rank <= highest {
            return None;
        }
        let flag = self.rules.rank_flag;
        let limit = match asked {
            Some(_) => format!("`{flag}` is {highest}"),
            None => format!("without `{flag}` {highest} is the limit"),
        };
        let message = format!("the adapter `{}` has the rank {rank}, and {limit}", self.shown());
        let fix = format!("say `{flag} {rank}`, or the next higher number that it takes");
        let finding = self.subject.finding(&rules::ADAPTER_REFUSED, message, fix);
        let finding = match asked {
            Some(asked) => finding.also(&asked.place, "the limit is set here"),
            None => finding,
        };
        Some(finding.with("rank", rank).with("limit", highest).severity(self.severity(true)))
    }

    /// A wider one does not fit into what is kept for it; a narrower one is copied into a part of that.
    fn width(&self) -> Option<Finding> {
        let folder = base(self.subject.facts)?;
        let (own, width) = (self.adapter.width()?, folder.config.as_ref()?.hidden_size?);
        if own == width {
            return None;
        }
        let made_for = self.adapter.base().map(|base| format!(" (`{base}`)")).unwrap_or_default();
        let message = format!(
            "the adapter `{}` was made for a model of width {own}{made_for}, and the lane's model has \
             the width {width}",
            self.shown()
        );
        let fix = "name the model that the adapter was made for, or an adapter of this model";
        let finding = self.subject.finding(&rules::FILES_DO_NOT_FIT, message, fix);
        let severity = if own > width { self.severity(true) } else { Severity::Warning };
        Some(finding.with("width", own).with("expected", width).severity(severity))
    }

    fn features(&self) -> impl Iterator<Item = Finding> {
        let unfit = self.rules.features.iter().find(|feature| self.is_unfit(feature));
        unfit.into_iter().map(|feature| {
            let message = format!(
                "the adapter `{}` has `{}` in its `adapter_config.json`, which {} does not support",
                self.shown(),
                feature.key,
                self.subject.engine()
            );
            let fix = "merge the adapter into its model and serve that, or train it without";
            let always = feature.since == [0; 3] && feature.until.is_none();
            let finding = self.subject.finding(&rules::ADAPTER_REFUSED, message, fix);
            finding.with("setting", feature.key).severity(self.severity(always))
        })
    }

    fn is_unfit(&self, feature: &Feature) -> bool {
        let is_before = |until: [u32; 3]| {
            self.version().is_some_and(|version| version.as_slice() <= until.as_slice())
        };
        if !self.is_since(feature.since) || feature.until.is_some_and(|until| !is_before(until)) {
            return false;
        }
        match (feature.unfit, self.adapter.said(feature.key)) {
            (_, Said::Nothing) | (Unfit::OtherThan(_), Said::Something) => false,
            (Unfit::Said, Said::Words(_) | Said::Something) => true,
            (Unfit::OtherThan(fit), Said::Words(words)) => {
                words.iter().any(|word| !fit.contains(&word.to_lowercase().as_str()))
            }
        }
    }
}

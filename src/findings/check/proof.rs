//! What hashes, sizes and stamps say about the content of a lane's files.

use std::path::{Path, PathBuf};

use super::model::rules::{FILE_CORRUPT, FILES_MISSING};
use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::model::FileState;
use crate::facts::proof::{PromisedBy, Proof, ProofOutcome, Provenance};
use crate::facts::{ArtifactFacts, LaneFacts, Pinning};
use crate::findings::{Finding, Findings, Rule};
use crate::project::mounts::Sight;

/// Whether files hold the bytes that somebody has promised.
pub static CHECK: Check = Check {
    rules: &[&FILE_CORRUPT, &FILES_MISSING, &FILE_CHANGED, &FILE_NOT_PROVEN],
    run: Run::Model(run),
};

static FILE_CHANGED: Rule =
    Rule::warning("file-changed", ExitCode::Corrupt, include_str!("proof/rules/file-changed.md"));

static FILE_NOT_PROVEN: Rule = Rule::warning(
    "file-not-proven",
    ExitCode::Unjudged,
    include_str!("proof/rules/file-not-proven.md"),
);

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let speaker = Speaker { facts };
    for proof in &facts.proofs {
        let ProofOutcome::Differs { expected, actual } = &proof.outcome else { continue };
        findings.push(match (proof.provenance, proof.promised_by) {
            (
                Provenance::UserText,
                PromisedBy::Delivery | PromisedBy::Note | PromisedBy::Cache | PromisedBy::Stamp,
            ) => speaker.changed(proof, expected, actual),
            _ => speaker.corrupt(proof, expected, actual),
        });
    }
    let of = |wanted: &ProofOutcome| -> Vec<&Proof> {
        facts.proofs.iter().filter(|proof| proof.outcome == *wanted).collect()
    };
    let unknown: Vec<&Proof> = of(&ProofOutcome::Missing)
        .into_iter()
        .filter(|proof| !speaker.is_known_to_be_missing(proof))
        .collect();
    if let Some(first) = unknown.first() {
        let are = if unknown.len() == 1 { "is" } else { "are" };
        let files = speaker.files(&unknown);
        let message = match &facts.lane.delivery {
            Some(delivery) => format!("{files} of `{}` {are} not there", delivery.typed.0),
            None => format!("{files} that `preflight.lock` pins {are} not there"),
        };
        let fix = format!("run `{}`", facts.lane.fetch_command(""));
        findings.push(speaker.finding(&FILES_MISSING, first, message, fix));
    }
    let written = of(&ProofOutcome::Written);
    if let Some(first) = written.first() {
        let verb = if written.len() == 1 { "has" } else { "have" };
        let message = format!("{} {verb} been written since proven", speaker.files(&written));
        let fix = format!("run `{}`", facts.lane.verify_command());
        findings.push(speaker.finding(&FILE_CHANGED, first, message, fix));
    }
    let left = of(&ProofOutcome::OutOfTime);
    if let Some(first) = left.first() {
        let verb = if left.len() == 1 { "was" } else { "were" };
        let message = format!("{} {verb} not hashed within `--timeout`", speaker.files(&left));
        let fix = "run it again: what was hashed is remembered; or allow more with `--timeout`";
        findings.push(speaker.finding(&FILE_NOT_PROVEN, first, message, fix.to_owned()));
    }
    if let Some(finding) = speaker.of_nobody() {
        findings.push(finding);
    }
    let unproven = of(&ProofOutcome::Unproven);
    let was_deep = facts.orders.deep;
    if let Some(first) = unproven.first().filter(|_| was_deep) {
        let message = format!("nobody says what {} must hash to", speaker.files(&unproven));
        let deep = facts.lane.fetch_command("--deep ");
        let fix = match &facts.lane.delivery {
            Some(_) => format!("run `{deep}`"),
            None => format!("run `preflight lock --lane {}`, or `{deep}`", facts.lane.name),
        };
        findings.push(speaker.finding(&FILE_NOT_PROVEN, first, message, fix));
    }
}

/// A lane, and how to speak of its files.
struct Speaker<'a> {
    facts: &'a LaneFacts,
}

impl Speaker<'_> {
    /// A delivery that is whole for all that can be seen, and of which nobody has said what it is: no run has
    /// written that down, and the hub was not asked.
    fn of_nobody(&self) -> Option<Finding> {
        let facts = self.facts;
        let delivery = facts.lane.delivery.as_ref()?;
        let is_unasked = facts.source.probe.is_none() && facts.source.pinning == Pinning::NoLock;
        let artifact = facts.artifacts.first().filter(|it| is_unasked && it.model.complete())?;
        let (source, to) = &delivery.typed;
        let message = format!(
            "nobody says what `{source}` has: no run of preflight has brought it to `{to}`, and the hub was \
             not asked"
        );
        let fix = format!("run `{}` where the hub may be asked", facts.lane.fetch_command(""));
        let finding = Finding::new(&FILE_NOT_PROVEN, message, fix).lane(&facts.lane.name);
        Some(finding.at(&artifact.artifact.located.place))
    }

    fn corrupt(&self, proof: &Proof, expected: &str, actual: &str) -> Finding {
        let shown = self.shown(proof);
        let message = format!(
            "`{}` is not what {} says: {actual} instead of {expected}",
            shown.display(),
            proof.promised_by.name()
        );
        let lane = &self.facts.lane;
        let is_kept = proof.provenance != Provenance::Download;
        let fix = match (&self.facts.lane.source, proof.promised_by) {
            (Some(_), PromisedBy::Lock | PromisedBy::Delivery) if !is_kept => {
                format!("run `{}`", lane.fetch_command(""))
            }
            (Some(_), _) => format!("run `{}`", lane.fetch_command("--deep ")),
            (None, _) => format!("bring `{}` again", shown.display()),
        };
        let finding = self.finding(&FILE_CORRUPT, proof, message, fix);
        finding.with("expected", expected).with("actual", actual)
    }

    fn changed(&self, proof: &Proof, expected: &str, actual: &str) -> Finding {
        let shown = self.shown(proof);
        let message = format!("`{}` has been changed since its download", shown.display());
        let fix = match &self.facts.lane.source {
            Some(_) => format!(
                "nothing, if the change is yours; `{}` brings the original, and keeps yours beside",
                self.facts.lane.fetch_command("--deep ")
            ),
            None => "nothing, if the change is yours".to_owned(),
        };
        let finding = self.finding(&FILE_CHANGED, proof, message, fix);
        finding.with("expected", expected).with("actual", actual)
    }

    fn finding(
        &self,
        rule: &'static Rule,
        proof: &Proof,
        message: String,
        fix: impl Into<String>,
    ) -> Finding {
        let finding = Finding::new(rule, message, fix)
            .lane(&self.facts.lane.name)
            .with("path", self.shown(proof).display());
        let artifact = self.artifact(proof).or(self.facts.artifacts.first());
        let finding = match &proof.hashed_by {
            Some(stamper) => finding.with("hashed by", stamper),
            None => finding,
        };
        let Some(located) = artifact.map(|artifact| &artifact.artifact.located) else {
            return finding.at(&self.facts.lane.place);
        };
        let finding = finding.at(&located.place);
        match &located.value.service {
            Some(service) => finding.service(service),
            None => finding,
        }
    }

    /// Up to three names, and how many more there are.
    fn files(&self, proofs: &[&Proof]) -> String {
        let names = proofs.iter().take(3).map(|proof| format!("`{}`", self.shown(proof).display()));
        let names = names.collect::<Vec<_>>().join(", ");
        match proofs.len().saturating_sub(3) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }

    /// As the engine opens it, else as this process sees it.
    fn shown(&self, proof: &Proof) -> PathBuf {
        let inside = self.artifact(proof).and_then(|artifact| {
            let located = &artifact.artifact.located.value;
            let (local, service) = (local(artifact)?, located.service_path.as_ref()?);
            Some(match proof.path.strip_prefix(local) {
                Ok(below) if below.as_os_str().is_empty() => service.as_path().to_path_buf(),
                Ok(below) => service.as_path().join(below),
                Err(_) => service.as_path().with_file_name(proof.path.file_name()?),
            })
        });
        inside.unwrap_or_else(|| proof.path.clone())
    }

    fn artifact(&self, proof: &Proof) -> Option<&ArtifactFacts> {
        let below = |artifact: &&ArtifactFacts| {
            local(artifact).is_some_and(|local| proof.path.starts_with(local))
        };
        let beside = |artifact: &&ArtifactFacts| {
            local(artifact).is_some_and(|local| proof.path.parent() == local.parent())
        };
        let artifacts = || self.facts.artifacts.iter();
        artifacts().find(below).or_else(|| artifacts().find(beside))
    }

    /// Whether the check of the model says so itself.
    fn is_known_to_be_missing(&self, proof: &Proof) -> bool {
        self.facts.artifacts.iter().any(|artifact| {
            let files = local(artifact).map(|path| artifact.model.list(path)).unwrap_or_default();
            files
                .iter()
                .any(|file| file.state == FileState::Missing && proof.path.starts_with(&file.path))
        })
    }
}

fn local(artifact: &ArtifactFacts) -> Option<&Path> {
    match &artifact.artifact.located.value.sight {
        Sight::Visible { path, .. } => Some(path.as_path()),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
    }
}

//! Whether the layers of a model can be divided among its devices.

mod uneven;

use self::uneven::{Splitting, Uneven};
use crate::exit_code::ExitCode;
use crate::facts::model::huggingface::{Config, FolderKind};
use crate::facts::model::{ModelFacts, Shape};
use crate::facts::{ArtifactFacts, LaneFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::release_table::{Standing, numbers};
use crate::plan::engine::{Family, Invocation, Part, WholePieces};

/// The sizes of a model are not divisible by the number of devices.
pub static CHECK: Check = Check { rules: &[&TENSOR_PARALLEL], run: Run::Model(run) };

static TENSOR_PARALLEL: Rule = Rule::error(
    "tensor-parallel-mismatch",
    ExitCode::Memory,
    include_str!("rules/tensor-parallel-mismatch.md"),
);

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let Some(invocation) = &facts.lane.invocation else { return };
    let models = facts.artifacts.iter().filter(|it| it.artifact.part == Part::Model);
    for (artifact, config) in models.filter_map(|it| Some((it, configuration(it)?))) {
        let found = [
            judge(facts, artifact, config, invocation),
            judge_stages(facts, artifact, config, invocation),
        ];
        found.into_iter().flatten().for_each(|finding| findings.push(finding));
    }
}

fn configuration(artifact: &ArtifactFacts) -> Option<&Config> {
    let ModelFacts::Seen(model) = &artifact.model else { return None };
    let Shape::Folder(folder) = &model.shape else { return None };
    folder.config.as_ref().filter(|_| folder.kind != FolderKind::Adapter)
}

fn judge(
    facts: &LaneFacts,
    artifact: &ArtifactFacts,
    config: &Config,
    invocation: &Invocation,
) -> Option<Finding> {
    let asked = invocation.tensor_parallel.as_ref()?;
    let rules = invocation.engine.command_line().tensor_parallel?;
    let family = config.architectures.first().and_then(|class| rules.family(class));
    let is_known = |family: &&Family| {
        let spread = &invocation.spread;
        !spread.other_code && !spread.whole_attention && invocation.is_since(family.since)
    };
    let has_adapters = invocation.opens.iter().any(|opens| opens.part == Part::Lora);
    let family = family.filter(is_known);
    let pieces = match family.map_or(WholePieces::None, |family| family.pieces) {
        WholePieces::Blocks(since) if !invocation.is_since(since) => WholePieces::None,
        pieces @ (WholePieces::None | WholePieces::Blocks(_) | WholePieces::All) => pieces,
    };
    let splitting = Splitting {
        config,
        family,
        pieces,
        quantization: invocation.quantization.as_ref().map(|method| method.value.as_str()),
        whole_experts: invocation.spread.whole_experts,
        whole_attention: invocation.spread.whole_attention,
        padded: has_adapters,
    };
    let uneven = splitting.uneven(asked.value)?;
    let fits = (1..asked.value.min(MOST)).rev().find(|ranks| splitting.uneven(*ranks).is_none());
    let told = uneven.told(asked.value);
    let fix = format!("say `{} {}`", rules.flag, fits.unwrap_or(1));
    let finding = about(facts, artifact, &told, fix);
    Some(finding.also(&asked.place, "asked for here").severity(severity(invocation, &uneven)))
}

/// About a model, of which `told` is the rest of the sentence.
fn about(facts: &LaneFacts, artifact: &ArtifactFacts, told: &str, fix: String) -> Finding {
    let located = &artifact.artifact.located;
    let path = located.value.service_path.as_ref().map(ToString::to_string);
    let path = path.or_else(|| located.value.host_path.as_ref().map(ToString::to_string));
    let path = path.unwrap_or_default();
    let finding = Finding::new(&TENSOR_PARALLEL, format!("`{path}` {told}"), fix);
    let finding = finding.lane(&facts.lane.name).at(&located.place).with("path", &path);
    match &located.value.service {
        Some(service) => finding.service(service),
        None => finding,
    }
}

/// Whether the layers of a model of this class can be put on stages at all.
fn judge_stages(
    facts: &LaneFacts,
    artifact: &ArtifactFacts,
    config: &Config,
    invocation: &Invocation,
) -> Option<Finding> {
    let asked = invocation.spread.pipeline_parallel.as_ref().filter(|stages| stages.value > 1)?;
    let rules = invocation.engine.command_line().tensor_parallel?.stages?;
    let class = config.architectures.first().filter(|_| !invocation.spread.other_code)?;
    let entry = rules.whole.entry(class)?;
    // A release that is not known is most likely one of the newest.
    let release = invocation.version.as_deref().map(numbers).filter(|it| it.len() >= 2);
    let newest = numbers(rules.whole.newest());
    let judged = release.as_deref().unwrap_or(&newest);
    if rules.whole.standing(judged, |release| entry.is_in(release)) != Standing::Missing {
        return None;
    }
    let engine = invocation.engine.name();
    let told = format!("is a `{class}`, of which {engine} cannot put the layers on several stages");
    let fix = format!("leave `{}` out: every layer is split, or the model is whole", rules.flag);
    let is_certain = release.is_some() && invocation.stock && !invocation.overrides;
    let severity = if is_certain { Severity::Error } else { Severity::Warning };
    let finding = about(facts, artifact, &told, fix);
    Some(finding.also(&asked.place, "asked for here").severity(severity))
}

/// More devices than anything is split over.
const MOST: u64 = 1024;

/// An error of all releases that were looked at; newer ones may do otherwise.
fn severity(invocation: &Invocation, uneven: &Uneven) -> Severity {
    let known = invocation.version.as_deref().map(numbers).filter(|it| it.len() >= 2);
    let newest = invocation.engine.releases().newest_read;
    let is_read = newest
        .is_some_and(|newest| known.is_none_or(|version| version.as_slice() <= newest.as_slice()));
    if is_read && !invocation.overrides && uneven.is_certain() {
        Severity::Error
    } else {
        Severity::Warning
    }
}

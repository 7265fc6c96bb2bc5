//! A folder as a whole: is everything in it that its engine needs, and does it belong together?

use super::{Subject, rules, severity, some_of};
use super::{load_format, pooling};
use crate::facts::model::huggingface::{Astray, Config, FolderKind, Index, PROCESSOR, Presence};
use crate::facts::model::{Content, Folder, Model, ModelFile, Role};
use crate::findings::{Findings, Severity};
use crate::plan::engine::{LoadFormat, Part, transformers};

/// Whether there is nothing in the folder that could be judged; says so if that is it.
pub(super) fn is_nothing(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) -> bool {
    let is_empty = folder.names == Some(0);
    if is_empty {
        findings.push(subject.finding_of_absence(
            &rules::FILES_MISSING,
            format!("the folder `{}` is empty", subject.shown().display()),
            subject.how_to_get(&subject.on_host()),
        ));
    }
    is_empty
}

/// Whether a file of the folder does not matter for what the folder is opened for.
pub(super) fn is_beside_the_point(subject: &Subject<'_>, file: &ModelFile) -> bool {
    let is_tokenizer = subject.part() == Part::Tokenizer;
    is_tokenizer && file.role != Role::Tokenizer
        || load_format::is_left_alone(subject, file)
        || pooling::is_judged_here(subject, file)
}

pub(super) fn judge(
    subject: &Subject<'_>,
    model: &Model,
    folder: &Folder,
    findings: &mut Findings,
) {
    tokenizer(subject, folder, findings);
    if subject.part() == Part::Tokenizer {
        return;
    }
    weights(subject, model, folder, findings);
    processor(subject, folder, findings);
    let reads_index =
        matches!(load_format::of(subject), LoadFormat::Best | LoadFormat::Named("", _));
    if let Some(index) = folder.index.as_ref().filter(|_| reads_index) {
        agreement(subject, index, findings);
    }
    let config = model.files.iter().find(|file| file.role == Role::Config);
    if config.is_some_and(|file| matches!(file.content, Content::Document)) {
        identity(subject, folder, findings);
    }
}

fn weights(subject: &Subject<'_>, model: &Model, folder: &Folder, findings: &mut Findings) {
    let shown = subject.shown();
    if load_format::judge(subject, folder, &shown, findings) {
        return;
    }
    match (folder.weights, folder.names) {
        (Some(_), _) => {}
        (None, Some(_)) => {
            let finding = subject.finding_of_absence(
                &rules::FILES_MISSING,
                format!("the folder `{}` holds no weights", shown.display()),
                subject.how_to_get(&subject.on_host()),
            );
            // A folder without a configuration is said to be no model already.
            let is_config = |file: &&ModelFile| file.role == Role::Config;
            let config = model.files.iter().find(is_config);
            let is_no_model = config.is_some_and(|file| matches!(file.content, Content::Absent));
            findings.push(if is_no_model { finding.consequence() } else { finding });
        }
        (None, None) => subject.unknown(
            &shown,
            "the folder cannot be listed, and none of the fixed names of weights is in it",
            findings,
        ),
    }
}

/// Whether the engine makes a tokenizer of what is in the folder.
pub(super) fn needs_tokenizer(subject: &Subject<'_>) -> bool {
    let other = subject.facts.artifacts.iter().any(|a| a.artifact.part == Part::Tokenizer);
    let invocation = subject.facts.lane.invocation.as_ref();
    let skipped = invocation.is_some_and(|invocation| invocation.skips_tokenizer);
    match subject.part() {
        Part::Tokenizer => true,
        Part::Model => !other && !skipped,
        // They are given the tokens of the model that they belong to.
        Part::Draft
        | Part::Lora
        | Part::Mmproj
        | Part::ControlVector
        | Part::ChatTemplate
        | Part::Text
        | Part::Folder
        | Part::Models => false,
    }
}

fn tokenizer(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    if !needs_tokenizer(subject) {
        return;
    }
    let shown = subject.shown();
    match folder.tokenizer {
        Presence::Here | Presence::NotNeeded => {}
        // The folder is said to be without weights already.
        Presence::Missing
            if folder.weights.is_none()
                && subject.part() != Part::Tokenizer
                && load_format::of(subject) == LoadFormat::Best => {}
        Presence::Missing => findings.push(subject.finding_of_absence(
            &rules::TOKENIZER_MISSING,
            format!("the folder `{}` holds no tokenizer", shown.display()),
            subject.how_to_get(&subject.on_host().join("tokenizer.json")),
        )),
        Presence::Unknown => subject.unknown(
            &shown,
            "the folder cannot be listed, and none of the fixed names of a tokenizer is in it",
            findings,
        ),
    }
}

fn processor(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    if folder.processor != Presence::Missing {
        return;
    }
    let has_other = folder.documents.processor.is_some();
    let nor = if has_other { ", nor an `image_processor` in `processor_config.json`" } else { "" };
    let finding = subject.finding_of_absence(
        &rules::PROCESSOR_MISSING,
        format!(
            "`{}` takes images or sound and has no `{PROCESSOR}`{nor}",
            subject.shown().display()
        ),
        subject.how_to_get(&subject.on_host().join(PROCESSOR)),
    );
    findings.push(finding.severity(severity(is_refused_without_processor(subject, folder))));
}

fn is_refused_without_processor(subject: &Subject<'_>, folder: &Folder) -> bool {
    let (Some(config), Some(engine), Some(invocation)) =
        (&folder.config, subject.facts.lane.engine, &subject.facts.lane.invocation)
    else {
        return false;
    };
    let known = engine.models().documents.processor_of;
    let is_known = config.architectures.first().is_some_and(|name| known.contains(&name.as_str()));
    let newest = engine.releases().newest_read;
    let is_read =
        subject.version().zip(newest).is_some_and(|(it, newest)| it.as_slice() <= &newest[..]);
    let is_free = invocation.limits_images || subject.overrides();
    subject.part() == Part::Model && config.takes_images && is_known && is_read && !is_free
}

fn agreement(subject: &Subject<'_>, index: &Index, findings: &mut Findings) {
    let fix = match &subject.facts.lane.source {
        Some(_) => format!(
            "run `rm '{}'/*.safetensors*` and `{}`",
            subject.on_host().display(),
            subject.facts.lane.fetch_command("")
        ),
        None => "download the whole folder again at one revision".to_owned(),
    };
    let of_index = |tensors: &Astray, what: String, severity: Severity| {
        let message = format!(
            "`{}` in `{}` {what}{}",
            index.file,
            subject.shown().display(),
            more_like(tensors.count)
        );
        let finding = subject.finding(&rules::INDEX_MISMATCH, message, fix.as_str());
        let finding = finding.with("tensor", &tensors.tensor).with("count", tensors.count);
        finding.severity(severity)
    };
    if let Some(lost) = index.torn.as_ref().or(index.lost.as_ref()) {
        let (tensor, shard) = (&lost.tensor, &lost.shard);
        let what = format!("puts the tensor `{tensor}` into `{shard}`, and no file of it has that");
        findings.push(of_index(lost, what, severity(index.torn.is_some())));
        return;
    }
    if let Some(astray) = &index.astray {
        let (tensor, shard) = (&astray.tensor, &astray.shard);
        let what = format!("puts the tensor `{tensor}` into `{shard}`, and another file has it");
        findings.push(of_index(astray, what, Severity::Note));
    }
    if let Some(unlisted) = &index.unlisted {
        let (tensor, shard) = (&unlisted.tensor, &unlisted.shard);
        let what = format!("does not name the tensor `{tensor}`, which `{shard}` has");
        findings.push(of_index(unlisted, what, Severity::Warning));
        return;
    }
    let (Some(total), Some(found)) = (index.total_size, index.found_size) else { return };
    if total != found {
        let message = format!(
            "`{}` in `{}` promises {total} bytes of tensors, and its files have {found}",
            index.file,
            subject.shown().display()
        );
        let finding = subject.finding(&rules::INDEX_MISMATCH, message, fix);
        findings.push(
            finding
                .severity(Severity::Warning)
                .with("expected_bytes", total)
                .with("actual_bytes", found),
        );
    }
}

/// How many others a finding is about, as the end of its message.
fn more_like(count: u64) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" ({} more like it)", count - 1),
    }
}

/// What the configuration has to say for an engine to know the model.
fn identity(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    let Some(config) = &folder.config else { return };
    if matches!(folder.kind, FolderKind::Adapter | FolderKind::Mistral) {
        return;
    }
    let mut absent = Vec::new();
    if config.model_type.is_none() {
        absent.push("model_type".to_owned());
    }
    if config.architectures.is_empty() {
        absent.push("architectures".to_owned());
    }
    if absent.is_empty() {
        return;
    }
    let path = subject.shown().join("config.json");
    let message = format!("`{}` does not say {}", path.display(), some_of(&absent));
    let fix = subject.how_to_replace(&subject.on_host().join("config.json"));
    let is_refused = config.model_type.is_none() && is_refused_without_type(subject, config);
    findings
        .push(subject.finding(&rules::CONFIG_INVALID, message, fix).severity(severity(is_refused)));
}

/// Whether the release that is known tells the type by nothing else: older ones take a type out of the
/// path of the folder, some engines by the architecture.
fn is_refused_without_type(subject: &Subject<'_>, config: &Config) -> bool {
    let Some(models) = subject.models().filter(|_| subject.part() == Part::Model) else {
        return false;
    };
    let rules = &models.documents;
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let Some(span) = rules.span(version.as_deref()).filter(|_| rules.own_types.is_some()) else {
        return false;
    };
    let path = subject.shown().display().to_string();
    let is_typed = |name: &String| rules.typed_by_architecture.contains(&name.as_str());
    let is_told_otherwise = config.is_speculator
        || subject.overrides()
        || config.architectures.first().is_some_and(is_typed);
    !is_told_otherwise && (span.is_blind_to_path() || !transformers::has_model_type(&path))
}

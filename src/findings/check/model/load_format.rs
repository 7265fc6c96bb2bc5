//! What the format that the weights are loaded from (`--load-format`) finds in a folder.

use std::path::Path;

use super::{Subject, is_weights, rules, some_of};
use crate::facts::model::{Folder, ModelFile, Role};
use crate::findings::Findings;
use crate::plan::engine::{LoadFormat, Part};

/// More devices than that are not asked for one by one.
const MOST_RANKS: u64 = 64;

/// What the model of this subject is loaded from.
pub(super) fn of(subject: &Subject<'_>) -> LoadFormat {
    match &subject.facts.lane.invocation {
        Some(invocation) if subject.part() == Part::Model => invocation.loads(),
        Some(_) | None => LoadFormat::Best,
    }
}

/// Whether a file of weights is not opened by the format that was chosen.
pub(super) fn is_left_alone(subject: &Subject<'_>, file: &ModelFile) -> bool {
    if !is_weights(file.role) && file.role != Role::Index {
        return false;
    }
    let name = file.name.to_string_lossy();
    match of(subject) {
        LoadFormat::Best => false,
        LoadFormat::Nothing | LoadFormat::Elsewhere => true,
        LoadFormat::Named("", ".safetensors") => {
            !name.ends_with(".safetensors") && is_weights(file.role)
        }
        LoadFormat::Named(start, end) => !(name.starts_with(start) && name.ends_with(end)),
        LoadFormat::Ranks => !name.starts_with("model-rank-"),
    }
}

/// Whether the format has its own say in what weights the folder has to hold; says what is not there.
pub(super) fn judge(
    subject: &Subject<'_>,
    folder: &Folder,
    shown: &Path,
    findings: &mut Findings,
) -> bool {
    let invocation = subject.facts.lane.invocation.as_ref();
    let format = invocation.and_then(|it| it.load_format.as_deref()).unwrap_or_default();
    let named = |start: &str, end: &str| {
        folder.stored.iter().any(|name| name.starts_with(start) && name.ends_with(end))
    };
    let missing = match of(subject) {
        LoadFormat::Best => return false,
        LoadFormat::Nothing => return true,
        LoadFormat::Elsewhere => {
            findings.push(subject.trusted(format!(
                "the weights of `{}` were not looked at: preflight does not know the files of \
                 `--load-format {format}`",
                shown.display()
            )));
            return true;
        }
        _ if folder.names.is_none() => return false,
        LoadFormat::Named(start, end) if named(start, end) => return true,
        LoadFormat::Named(start, end) => vec![format!("{start}*{end}")],
        LoadFormat::Ranks => {
            let ranks = invocation.and_then(|it| it.tensor_parallel.as_ref());
            let ranks = ranks.map_or(1, |ranks| ranks.value.min(MOST_RANKS));
            let of_rank = |rank: u64| format!("model-rank-{rank}-part-");
            let absent = (0..ranks).filter(|rank| !named(&of_rank(*rank), ".safetensors"));
            absent.map(|rank| format!("{}*.safetensors", of_rank(rank))).collect()
        }
    };
    if !missing.is_empty() {
        let message = format!(
            "`{}` has no {}, which `--load-format {format}` opens",
            shown.display(),
            some_of(&missing)
        );
        let fix = "leave `--load-format` out so that the engine takes the weights that are there, \
                   or put the files of that format into the folder";
        findings.push(subject.finding_of_absence(&rules::FILES_MISSING, message, fix));
    }
    true
}

//! Which files of a folder a way to load weights opens: `--load-format` of vLLM (0.12.0 and 0.33.0,
//! `default_loader.py`, `sharded_state_loader.py`, `runai_streamer_loader.py`) and of SGLang, which has
//! the same names.

use std::path::Path;

use super::{Subject, is_weights, rules, some_of};
use crate::engine::{Engine, Part};
use crate::finding::Findings;
use crate::model::{Folder, ModelFile};

/// More devices than that are not asked for one by one.
const MOST_RANKS: u64 = 64;

/// What a format opens in the folder of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opens {
    /// What there is: safetensors, else pickles.
    Best,
    /// Nothing: the weights are made up.
    Nothing,
    /// Tensors in a format or at a place of its own, which preflight does not know.
    Elsewhere,
    /// Files with this beginning and this ending.
    Named(&'static str, &'static str),
    /// `model-rank-N-part-*.safetensors`, for every rank.
    Ranks,
}

/// What the model of this subject is loaded from.
pub(super) fn of(subject: &Subject<'_>) -> Opens {
    let Some(invocation) = &subject.facts.lane.invocation else { return Opens::Best };
    let loads = matches!(invocation.engine, Engine::Vllm | Engine::Sglang);
    if !loads || subject.part() != Part::Model {
        return Opens::Best;
    }
    match invocation.load_format.as_deref() {
        Some("dummy") => Opens::Nothing,
        Some("tensorizer" | "remote" | "remote_instance" | "instanttensor") => Opens::Elsewhere,
        Some("safetensors" | "fastsafetensors" | "runai_streamer" | "flash_rl") => {
            Opens::Named("", ".safetensors")
        }
        Some("mistral") => Opens::Named("consolidated", ".safetensors"),
        Some("npcache") => Opens::Named("", ".bin"),
        Some("pt") => Opens::Named("", ".pt"),
        Some("sharded_state" | "runai_streamer_sharded") => Opens::Ranks,
        Some(_) | None => Opens::Best,
    }
}

/// Whether a file of weights is not opened by the format that was chosen.
pub(super) fn is_left_alone(subject: &Subject<'_>, file: &ModelFile) -> bool {
    if !is_weights(file.role) && file.role != crate::model::Role::Index {
        return false;
    }
    let name = file.name.to_string_lossy();
    match of(subject) {
        Opens::Best => false,
        Opens::Nothing | Opens::Elsewhere => true,
        Opens::Named("", ".safetensors") => {
            !name.ends_with(".safetensors") && is_weights(file.role)
        }
        Opens::Named(start, end) => !(name.starts_with(start) && name.ends_with(end)),
        Opens::Ranks => !name.starts_with("model-rank-"),
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
        Opens::Best => return false,
        Opens::Nothing => return true,
        Opens::Elsewhere => {
            findings.push(subject.trusted(format!(
                "the weights of `{}` were not looked at: preflight does not know the files of \
                 `--load-format {format}`",
                shown.display()
            )));
            return true;
        }
        _ if folder.names.is_none() => return false,
        Opens::Named(start, end) if named(start, end) => return true,
        Opens::Named(start, end) => vec![format!("{start}*{end}")],
        Opens::Ranks => {
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

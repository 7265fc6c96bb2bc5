//! Which lanes a run is about: `--lane`, `--minimal`, `--skip-...`.

use super::draft::lane_name;
use super::{Lane, ModelKind, PlanError};
use crate::options::Selection;

/// Why a lane of that kind is skipped, if a flag leaves it out.
pub(super) fn left_out(kind: Option<ModelKind>, selection: &Selection) -> Option<String> {
    let flag = match kind? {
        ModelKind::Vllm => selection.skip_vllm.then_some("--skip-vllm"),
        ModelKind::Gguf => selection.skip_gguf.then_some("--skip-gguf"),
        ModelKind::Embedding => selection.skip_embeddings.then_some("--skip-embeddings"),
    };
    flag.map(|flag| format!("left out by {flag}"))
}

/// Keeps the lanes that `--lane` and `--minimal` name.
pub(super) fn select(lanes: Vec<Lane>, selection: &Selection) -> Result<Vec<Lane>, PlanError> {
    let wanted: Vec<String> = selection.lanes.iter().map(|name| lane_name(name)).collect();
    if let Some(name) = wanted.iter().find(|name| lanes.iter().all(|lane| lane.name != **name)) {
        return Err(PlanError::UnknownLane {
            name: name.clone(),
            known: lanes.into_iter().map(|lane| lane.name).collect(),
        });
    }
    let minimal = |lane: &Lane| !selection.minimal || lane.name.starts_with("minimal_");
    let named = |lane: &Lane| wanted.is_empty() || wanted.contains(&lane.name);
    Ok(lanes.into_iter().filter(|lane| minimal(lane) && named(lane)).collect())
}

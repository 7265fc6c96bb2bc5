//! What a folder of safetensors tells of the memory that its model takes.

use super::{Examination, FolderKind, Weights};
use crate::facts::model::file::{Content, Role};
use crate::plan::engine::memory::{Checkpoint, Gathering};

/// Its configuration, and its tensors as far as their headers were read; absent where it has no
/// configuration of a model.
pub(super) fn of(examination: &Examination<'_>) -> Option<Checkpoint> {
    let config = examination.document.as_ref()?;
    let said = examination.folder.config.as_ref()?;
    if examination.folder.kind == FolderKind::Adapter {
        return None;
    }
    let files =
        examination.files.iter().filter(|file| matches!(file.role, Role::Weights | Role::Shard));
    let read: Vec<bool> =
        files.map(|file| matches!(file.content, Content::Safetensors(_))).collect();
    let mut gathering = Gathering::default();
    for (number, name) in examination.tensors.all().iter().enumerate() {
        let tensors = &examination.tensors;
        let Some((dtype, bytes)) = tensors.dtype(number).zip(tensors.bytes(number)) else {
            continue;
        };
        let extents = tensors.shape(number).unwrap_or_default().iter();
        let extents: Vec<u64> =
            extents.map(|extent| u64::try_from(*extent).unwrap_or_default()).collect();
        gathering.add(name, &dtype.to_string(), &extents, bytes);
    }
    Some(Checkpoint {
        config: config.clone(),
        positions: said.positions.clone(),
        is_packed: said.quantization.is_some() || !said.is_plain,
        is_whole: examination.folder.weights == Some(Weights::Safetensors)
            && !read.is_empty()
            && !read.contains(&false),
        tensors: gathering.finish(),
    })
}

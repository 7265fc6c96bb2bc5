//! A header as what a model's memory depends on.

use super::types::{TensorType, tensor_type};
use super::{Header, architectures};
use crate::plan::engine::memory::{Shape, Tensor};

/// The numbers and tensors of the files of one model, the first of which has the metadata. `is_whole`
/// says whether these are all of its files.
#[must_use]
pub fn shape(headers: &[&Header], is_whole: bool) -> Shape {
    let Some(first) = headers.first() else { return Shape::default() };
    let metadata = &first.metadata;
    let architecture = metadata.architecture.clone().unwrap_or_default();
    let size = metadata.of_architecture("vocab_size");
    Shape {
        is_known: architectures::is_known(&architecture),
        is_whole: is_whole && headers.iter().all(|header| header.outside.is_none()),
        vocabulary: metadata.tokens.or(size).unwrap_or_default(),
        numbers: metadata.integers().collect(),
        tensors: headers.iter().flat_map(|header| tensors(header)).collect(),
        architecture,
    }
}

fn tensors(header: &Header) -> Vec<Tensor> {
    let mut tensors: Vec<(u64, Tensor)> = header
        .shapes
        .iter()
        .zip(&header.stored)
        .map(|((name, shape), stored)| {
            let kind = match tensor_type(stored.type_id) {
                TensorType::Known(packing) => Some(packing.name),
                TensorType::Removed | TensorType::Newer => None,
            };
            let shape = shape.map(|extent| u64::try_from(extent).unwrap_or_default());
            let tensor = Tensor { name: name.clone(), shape, kind, bytes: stored.bytes };
            (stored.offset, tensor)
        })
        .collect();
    tensors.sort_by_key(|(offset, _)| *offset);
    tensors.into_iter().map(|(_, tensor)| tensor).collect()
}

//! The tensors of a folder's safetensors files, as their headers name them.

use std::ops::Range;

use crate::facts::model::safetensors::{Dtype, Shape};

/// Names, and what is said of each.
#[derive(Default)]
pub(super) struct Tensors {
    names: Vec<String>,
    shapes: Vec<(Dtype, Shape)>,
}

impl Tensors {
    /// Takes those of a file; returns which they are.
    pub(super) fn add(&mut self, names: Vec<String>, shapes: Vec<(Dtype, Shape)>) -> Range<usize> {
        let first = self.names.len();
        self.names.extend(names);
        self.shapes.extend(shapes);
        first..self.names.len()
    }

    /// The names of some of them.
    pub(super) fn names(&self, range: Range<usize>) -> &[String] {
        self.names.get(range).unwrap_or_default()
    }

    /// Every name, in the order of [`Tensors::dtype`] and [`Tensors::shape`].
    pub(super) fn all(&self) -> &[String] {
        &self.names
    }

    /// The type of the tensor with that number.
    pub(super) fn dtype(&self, number: usize) -> Option<Dtype> {
        self.shapes.get(number).map(|(dtype, _)| *dtype)
    }

    /// Bytes of the tensor with that number.
    pub(super) fn bytes(&self, number: usize) -> Option<u64> {
        self.shapes.get(number).map(|(dtype, shape)| shape.bytes(*dtype))
    }

    /// The extents of the tensor with that number; absent where they are too many.
    pub(super) fn shape(&self, number: usize) -> Option<&[i64]> {
        self.shapes.get(number)?.1.extents()
    }
}

//! One thing that is changed in a model.

use std::fmt;

use super::model::tensor;
use crate::gguf_oracle::document::{Document, string};

/// What is done, and to which entry or tensor.
#[derive(Clone)]
pub(super) enum Change {
    KeyDropped(String),
    /// With the value that it has instead, type and all.
    KeyRetyped(String, &'static str, Vec<u8>),
    TensorDropped(String),
    TensorRenamed(String),
    TensorReshaped(String, Vec<i64>),
    TensorExtra(String),
    /// What the last layer has, once more behind it.
    LayerBeyond,
    /// A list of the vocabulary without its last element.
    ListShort(String),
}

/// The value types that are used here.
const U32: u32 = 4;
const F32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

fn typed(kind: u32, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], value].concat()
}

/// What stands in place of a value: of the types that writers mistake for its own.
fn instead(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let kind = u32::from_le_bytes(value[..4].try_into().unwrap());
    let rest = &value[4..];
    let word = ("a string", typed(STRING, &string("x")));
    match kind {
        U32 => vec![word, ("a u64", typed(10, &[rest, &[0; 4]].concat()))],
        F32 => {
            let number = f32::from_le_bytes(rest.try_into().unwrap());
            vec![word, ("an f64", typed(12, &f64::from(number).to_le_bytes()))]
        }
        BOOL => vec![("a u32", typed(U32, &[rest[0], 0, 0, 0]))],
        STRING => vec![("a u32", typed(U32, &1_u32.to_le_bytes()))],
        ARRAY => vec![word],
        other => unreachable!("type {other}"),
    }
}

/// Everything that is changed in a model, one at a time.
pub(super) fn changes(document: &Document) -> Vec<Change> {
    let mut changes = vec![Change::LayerBeyond];
    for key in &document.keys {
        changes.push(Change::KeyDropped(key.name.clone()));
        changes.extend(
            instead(&key.value)
                .into_iter()
                .map(|(what, value)| Change::KeyRetyped(key.name.clone(), what, value)),
        );
        let is_list = key.value[..4] == ARRAY.to_le_bytes();
        if is_list && !key.name.ends_with(".merges") {
            changes.push(Change::ListShort(key.name.clone()));
        }
    }
    for tensor in &document.tensors {
        changes.push(Change::TensorDropped(tensor.name.clone()));
        changes.push(Change::TensorRenamed(tensor.name.clone()));
        let reshaped = shapes(&tensor.shape);
        changes.extend(
            reshaped.into_iter().map(|shape| Change::TensorReshaped(tensor.name.clone(), shape)),
        );
    }
    let extra = ["stranger.weight", "blk.0.stranger.weight", "blk.1.attn_q_norm.bias"];
    changes.extend(extra.map(|name| Change::TensorExtra(name.to_owned())));
    changes
}

/// The two that a tensor has instead of its own.
fn shapes(shape: &[i64]) -> Vec<Vec<i64>> {
    let mut longer = shape.to_vec();
    longer[0] += 32;
    let mut other = shape.to_vec();
    other.reverse();
    if other == shape {
        other = [shape, &[2]].concat();
    }
    vec![longer, other]
}

impl Change {
    /// The model with it.
    pub(super) fn of(&self, whole: &Document) -> Document {
        let mut document = whole.clone();
        match self {
            Self::KeyDropped(name) => document.remove_key(name),
            Self::KeyRetyped(name, _, value) => document.key(name).value.clone_from(value),
            Self::TensorDropped(name) => document.tensors.retain(|tensor| tensor.name != *name),
            Self::TensorRenamed(name) => document.tensor(name).name.push('x'),
            Self::TensorReshaped(name, shape) => {
                *document.tensor(name) = tensor(name.clone(), shape);
            }
            Self::TensorExtra(name) => document.tensors.push(tensor(name.clone(), &[32])),
            Self::LayerBeyond => beyond(&mut document),
            Self::ListShort(name) => shorten(&mut document.key(name).value),
        }
        document
    }
}

/// The number of a layer, and the words around it.
fn layer(name: &str) -> Option<(&str, u32, &str)> {
    let at = name.find("blk.")? + "blk.".len();
    let (number, rest) = name[at..].split_once('.')?;
    Some((&name[..at], number.parse().ok()?, rest))
}

fn beyond(document: &mut Document) {
    let last = document.tensors.iter().filter_map(|tensor| Some(layer(&tensor.name)?.1)).max();
    let last = last.unwrap();
    let again: Vec<_> = document
        .tensors
        .iter()
        .filter_map(|own| {
            let (prefix, number, rest) = layer(&own.name)?;
            (number == last).then(|| tensor(format!("{prefix}{}.{rest}", number + 1), &own.shape))
        })
        .collect();
    document.tensors.extend(again);
}

/// Takes the last element from a list.
fn shorten(value: &mut Vec<u8>) {
    let number = |at: usize| u64::from_le_bytes(value[at..at + 8].try_into().unwrap());
    let count = number(8) - 1;
    let kind = u32::from_le_bytes(value[4..8].try_into().unwrap());
    let mut end = 16;
    for _ in 0..count {
        end += if kind == STRING { 8 + usize::try_from(number(end)).unwrap() } else { 4 };
    }
    value.truncate(end);
    value[8..16].copy_from_slice(&count.to_le_bytes());
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyDropped(name) => write!(f, "no {name}"),
            Self::KeyRetyped(name, what, _) => write!(f, "{name} as {what}"),
            Self::TensorDropped(name) => write!(f, "no {name}"),
            Self::TensorRenamed(name) => write!(f, "{name} has another name"),
            Self::TensorReshaped(name, shape) => write!(f, "{name} as {shape:?}"),
            Self::TensorExtra(name) => write!(f, "{name} too"),
            Self::LayerBeyond => write!(f, "a layer beyond the last"),
            Self::ListShort(name) => write!(f, "{name} is one short"),
        }
    }
}

//! The header of a GGUF file: what it says, and whether llama.cpp will accept it.
//!
//! Follows `gguf_init_from_reader` of ggml 0.27.0 (`src/gguf.cpp`) and the loader of llama.cpp
//! build 11669 (`src/llama-model-loader.cpp`, `llama-model.cpp`, `llama-vocab.cpp`). Nothing of a
//! tensor is read; no length is believed before it is compared with what the file still has.

pub mod architectures;
pub mod builds;
mod keys;
mod layout;
mod metadata;
mod reader;
mod shape;
pub mod split;
mod tensors;
pub mod types;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Seek};

use thiserror::Error;

pub use self::metadata::{Metadata, Value};
use self::reader::{Field, Reader};
pub use self::shape::shape;
pub use self::tensors::Tensor;

/// The first four bytes.
pub const MAGIC: &[u8; 4] = b"GGUF";

/// More than any real model has; llama.cpp compares every key with every other.
const MOST_KEYS: u64 = 1 << 16;

/// More than any real model has (the largest mixtures of experts have some 10^4).
const MOST_TENSORS: u64 = 1 << 17;

/// What a header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// The metadata that says what the model is.
    pub metadata: Metadata,
    /// How many tensors.
    pub tensors: u64,
    /// The shape of each tensor, by its name: the elements in each dimension, the fastest first.
    pub shapes: BTreeMap<String, [i64; 4]>,
    /// How each of these tensors is stored, in the order of their names.
    pub stored: Vec<Stored>,
    /// How many tensors there are of each type, by the type's number.
    pub census: BTreeMap<u32, u64>,
    /// Elements of all tensors: the number of parameters.
    pub elements: u64,
    /// Where the tensor data begins, in bytes from the start.
    pub data_start: u64,
    /// The size that the file must have at least, in bytes; a lower bound when
    /// [`Header::newer`] names a tensor type.
    pub expected_size: u64,
    /// The size that it has, in bytes.
    pub actual_size: u64,
    /// The first tensor whose data is not all there.
    pub outside: Option<Outside>,
    /// What is newer than the tables of this program: it may load or not.
    pub newer: Vec<Newer>,
    /// The first thing that the loader misses, although the file is well formed.
    pub refused: Option<GgufError>,
    /// Bytes that one tensor's start may lie behind the end of the one before.
    alignment: u64,
}

/// How a tensor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The number of its type.
    pub type_id: u32,
    /// Bytes from the start of the data.
    pub offset: u64,
    /// Bytes of its data; 0 for a type that is not known.
    pub bytes: u64,
}

/// A tensor that lies partly or wholly behind the end of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// Its name.
    pub tensor: String,
    /// Where its data should end, in bytes from the start of the file.
    pub end: u64,
}

/// Something that this program's tables, of llama.cpp build 11669, do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newer {
    /// `general.architecture`.
    Architecture(String),
    /// A tensor type.
    TensorType {
        /// The first tensor that has it.
        tensor: String,
        /// Its number.
        id: u32,
    },
    /// `tokenizer.ggml.model`.
    Tokenizer(String),
    /// `tokenizer.ggml.pre`, where the tokenizer has need of it.
    PreTokenizer(String),
    /// `rope.scaling.type` of the architecture.
    Scaling(String),
    /// A tensor that the architecture does not have.
    Tensor(String),
}

/// Why llama.cpp will not load a file, as far as its header tells.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GgufError {
    /// The file could not be read.
    #[error("cannot be read at byte {offset}: {kind}")]
    Read {
        /// Bytes from the start.
        offset: u64,
        /// The system's word.
        kind: ErrorKind,
    },
    /// The file is shorter than its own header says.
    #[error(
        "ends inside {field}: {needed} bytes are needed at byte {offset}, {remaining} are left"
    )]
    Ends {
        /// What was being read.
        field: String,
        /// Bytes from the start.
        offset: u64,
        /// Bytes that the field takes.
        needed: u64,
        /// Bytes that are left.
        remaining: u64,
    },
    /// The first four bytes are not `GGUF`.
    #[error("begins with {found:?} instead of GGUF")]
    Magic {
        /// Those bytes.
        found: [u8; 4],
    },
    /// The version is none that llama.cpp reads.
    #[error("has format version {version}, and llama.cpp reads 2 and 3")]
    Version {
        /// As written.
        version: u32,
    },
    /// The file was written on a machine with the other byte order.
    #[error("is big-endian: its version reads as {version}")]
    ByteOrder {
        /// As written.
        version: u32,
    },
    /// A count that cannot be.
    #[error("says that it has {count} {what}, and at most {limit} can be")]
    Count {
        /// `tensors`, `metadata entries`, `elements`.
        what: String,
        /// As written.
        count: i128,
        /// What would be possible.
        limit: u64,
    },
    /// A string longer than any reader takes.
    #[error("has {length} bytes in {field} at byte {offset}, and at most {limit} are read")]
    TooLong {
        /// What was being read.
        field: String,
        /// Bytes from the start.
        offset: u64,
        /// As written.
        length: u64,
        /// What is read.
        limit: u64,
    },
    /// Two metadata entries have one name.
    #[error("has the metadata key `{key}` twice")]
    DuplicateKey {
        /// The name.
        key: String,
    },
    /// A metadata entry without a name.
    #[error("has a metadata entry without a name at byte {offset}")]
    EmptyKey {
        /// Bytes from the start.
        offset: u64,
    },
    /// A value of a type that the format does not have, or an array of arrays.
    #[error("has the value type {id} for `{key}` at byte {offset}, which llama.cpp does not read")]
    ValueType {
        /// The entry.
        key: String,
        /// As written.
        id: u32,
        /// Bytes from the start.
        offset: u64,
    },
    /// `general.alignment` is not usable.
    #[error("has the alignment {alignment}, which is not a power of two up to 1 MiB")]
    Alignment {
        /// As written.
        alignment: u64,
    },
    /// A tensor's description cannot be.
    #[error("has the tensor `{tensor}` with {problem}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        problem: TensorProblem,
    },
    /// A key that the loader needs is not there.
    #[error("has no metadata key `{key}`, which llama.cpp needs")]
    KeyMissing {
        /// The name.
        key: String,
    },
    /// A key that the loader needs has the wrong type.
    #[error("has the metadata key `{key}` as {found}, and llama.cpp needs {expected}")]
    KeyType {
        /// The name.
        key: String,
        /// What it needs.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A list that does not have as many values as it is for.
    #[error("has {found} values in `{key}`, and llama.cpp needs {expected}")]
    Entries {
        /// The name.
        key: String,
        /// How many there are.
        found: u64,
        /// One for each token, or for each layer.
        expected: u64,
    },
    /// No layers, or more than llama.cpp has room for.
    #[error("has {count} layers, and llama.cpp takes 1 to 512")]
    Layers {
        /// As written.
        count: u64,
    },
    /// Numbers that do not go together.
    #[error("has numbers that do not go together: llama.cpp needs `{rule}`")]
    Numbers {
        /// What it insists on, in its own names.
        rule: &'static str,
    },
    /// A tensor that the architecture needs is not there.
    #[error("has no tensor `{tensor}`, which the architecture needs")]
    TensorMissing {
        /// Its name.
        tensor: String,
    },
}

impl GgufError {
    /// The metadata key that is missing or has the wrong type; absent: it is about something else.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::KeyMissing { key } | Self::KeyType { key, .. } => Some(key),
            Self::Read { .. }
            | Self::Ends { .. }
            | Self::Magic { .. }
            | Self::Version { .. }
            | Self::ByteOrder { .. }
            | Self::Count { .. }
            | Self::TooLong { .. }
            | Self::DuplicateKey { .. }
            | Self::EmptyKey { .. }
            | Self::ValueType { .. }
            | Self::Alignment { .. }
            | Self::Tensor { .. }
            | Self::Entries { .. }
            | Self::Layers { .. }
            | Self::Numbers { .. }
            | Self::TensorMissing { .. } => None,
        }
    }
}

impl Newer {
    /// The metadata key that says it, in a file of that architecture; absent: none does.
    #[must_use]
    pub fn key(&self, architecture: &str) -> Option<String> {
        match self {
            Self::Architecture(_) => Some("general.architecture".to_owned()),
            Self::Tokenizer(_) => Some("tokenizer.ggml.model".to_owned()),
            Self::PreTokenizer(_) => Some("tokenizer.ggml.pre".to_owned()),
            Self::Scaling(_) => Some(format!("{architecture}.rope.scaling.type")),
            Self::TensorType { .. } | Self::Tensor(_) => None,
        }
    }
}

/// What can be wrong with the description of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TensorProblem {
    /// 64 bytes and more.
    #[error("a name of {0} bytes (at most 63)")]
    NameLength(u64),
    /// The name occurs twice.
    #[error("a name that another tensor has too")]
    Duplicate,
    /// More than four.
    #[error("{0} dimensions (at most 4)")]
    Dimensions(u32),
    /// Below zero, or too many to count.
    #[error("the shape {0:?}, which cannot be counted")]
    Shape([i64; 4]),
    /// A type that ggml no longer has.
    #[error("type {0}, which ggml has removed")]
    RemovedType(u32),
    /// A type that cannot be one.
    #[error("type {0}, which is none")]
    NoType(u32),
    /// Rows that do not fill their blocks.
    #[error("rows of {row} elements in type {name}, whose blocks have {block}")]
    Row {
        /// Elements.
        row: i64,
        /// The type.
        name: &'static str,
        /// Elements.
        block: u64,
    },
    /// Not where the tensor before it ends.
    #[error("data at offset {found} instead of {expected}")]
    Offset {
        /// As written, from the start of the data.
        found: u64,
        /// From the sizes of the tensors before it.
        expected: u64,
    },
    /// Not the shape that the architecture's own numbers give.
    #[error("the shape {found:?} instead of {expected:?}")]
    WrongShape {
        /// As written.
        found: Vec<i64>,
        /// As llama.cpp computes it.
        expected: Vec<i64>,
    },
}

/// A header together with the tensors that it describes.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) header: Header,
    pub(crate) tensors: Vec<Tensor>,
}

/// Reads the header of the file `reader`, which has `size` bytes.
///
/// # Errors
/// When llama.cpp would refuse the header itself. What it refuses later (a key that is missing, a
/// tensor behind the end) is in [`Header::refused`] and [`Header::outside`].
pub fn read(reader: impl Read + Seek, size: u64) -> Result<Header, GgufError> {
    Ok(parse(reader, size)?.header)
}

/// As [`read`], with the tensors.
pub(crate) fn parse(reader: impl Read + Seek, size: u64) -> Result<Parsed, GgufError> {
    let mut reader = Reader::new(reader, size);
    let version = version(&mut reader)?;
    let n_tensors = count(&mut reader, "tensors", 24, MOST_TENSORS)?;
    let n_keys = count(&mut reader, "metadata entries", 13, MOST_KEYS)?;
    let metadata = metadata::read(&mut reader, n_keys)?;
    let alignment = metadata.alignment()?;
    let tensors = tensors::read(&mut reader, n_tensors, alignment)?;
    let header = summarise(version, metadata, &tensors, &reader, alignment);
    Ok(Parsed { header, tensors })
}

fn version<R: Read + Seek>(reader: &mut Reader<R>) -> Result<u32, GgufError> {
    let found: [u8; 4] = reader.bytes(Field::Fixed("the magic"))?;
    if &found != MAGIC {
        return Err(GgufError::Magic { found });
    }
    let version = reader.u32(Field::Fixed("the version"))?;
    match version {
        2 | 3 => Ok(version),
        _ if version != 0 && version.trailing_zeros() >= 16 => {
            Err(GgufError::ByteOrder { version })
        }
        _ => Err(GgufError::Version { version }),
    }
}

/// A count of things that take at least `each` bytes, none of which has been read yet.
fn count<R: Read + Seek>(
    reader: &mut Reader<R>,
    what: &'static str,
    each: u64,
    most: u64,
) -> Result<u64, GgufError> {
    let count = reader.i64(Field::Fixed(what))?;
    let limit = most.min(reader.remaining() / each);
    match u64::try_from(count) {
        Ok(count) if count <= limit => Ok(count),
        // A plausible count in a file that is merely too short is a truncated file.
        Ok(count) if count <= most => {
            reader.need(count.saturating_mul(each), Field::List(what))?;
            Ok(count)
        }
        Ok(_) | Err(_) => {
            Err(GgufError::Count { what: what.to_owned(), count: i128::from(count), limit })
        }
    }
}

fn summarise<R: Read + Seek>(
    version: u32,
    metadata: Metadata,
    tensors: &[Tensor],
    reader: &Reader<R>,
    alignment: u64,
) -> Header {
    let actual_size = reader.offset().saturating_add(reader.remaining());
    let described = reader.offset();
    let data_start =
        if tensors.is_empty() { described } else { described.next_multiple_of(alignment) };
    let end =
        |tensor: &Tensor| data_start.saturating_add(tensor.offset).saturating_add(tensor.bytes);
    let mut census = BTreeMap::new();
    for tensor in tensors {
        *census.entry(tensor.type_id).or_insert(0) += 1;
    }
    let outside = tensors
        .iter()
        .find(|tensor| end(tensor) > actual_size)
        .map(|tensor| Outside { tensor: tensor.name.clone(), end: end(tensor) });
    let mut newer: Vec<_> = tensors
        .iter()
        .find(|tensor| types::tensor_type(tensor.type_id) == types::TensorType::Newer)
        .map(|tensor| Newer::TensorType { tensor: tensor.name.clone(), id: tensor.type_id })
        .into_iter()
        .collect();
    newer.extend(metadata.newer());
    let is_whole = metadata.split_count.is_none_or(|count| count <= 1);
    let verdict = layout::judge(&metadata, is_whole.then_some(tensors));
    newer.extend(verdict.stranger.map(Newer::Tensor));
    let refused = metadata.refused().or(verdict.refused);
    Header {
        version,
        tensors: tensors.len() as u64,
        shapes: tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape)).collect(),
        stored: stored(tensors),
        census,
        elements: tensors.iter().fold(0, |sum, tensor| tensor.elements.saturating_add(sum)),
        data_start,
        expected_size: tensors.last().map_or(data_start, end),
        actual_size,
        outside,
        newer,
        refused,
        alignment,
        metadata,
    }
}

fn stored(tensors: &[Tensor]) -> Vec<Stored> {
    let by_name: BTreeMap<&str, Stored> = tensors
        .iter()
        .map(|tensor| {
            let Tensor { type_id, offset, bytes, .. } = *tensor;
            (tensor.name.as_str(), Stored { type_id, offset, bytes })
        })
        .collect();
    by_name.into_values().collect()
}

/// A name that two of the tensors have.
pub(crate) fn duplicate(tensors: &[Tensor]) -> Option<&str> {
    tensors::duplicate(tensors)
}

impl Header {
    /// Judges the first part of a split model by the tensors of all its parts.
    pub(crate) fn judge_whole(&mut self, tensors: &[Tensor]) {
        let verdict = layout::judge(&self.metadata, Some(tensors));
        self.newer.extend(verdict.stranger.map(Newer::Tensor));
        if self.refused.is_none() {
            self.refused = verdict.refused;
        }
    }

    /// Whether there is a table of what its architecture needs; the others are judged by what all of
    /// them have.
    #[must_use]
    pub fn is_laid_out(&self) -> bool {
        self.metadata.architecture.as_deref().is_some_and(layout::is_laid_out)
    }

    /// Bytes behind the last tensor and its padding. llama.cpp does not mind them.
    #[must_use]
    pub fn trailing_bytes(&self) -> u64 {
        let padded = self.expected_size.div_ceil(self.alignment).saturating_mul(self.alignment);
        self.actual_size.saturating_sub(padded)
    }

    /// The quantisation: what `general.file_type` says, else the type that most tensors of more
    /// than one dimension's worth of use have.
    #[must_use]
    pub fn quantisation(&self) -> Option<&'static str> {
        let stated = self.metadata.file_type.and_then(types::file_type_name);
        stated.or_else(|| {
            let (id, _) = self.census.iter().max_by_key(|(_, count)| **count)?;
            match types::tensor_type(*id) {
                types::TensorType::Known(packing) => Some(packing.name),
                types::TensorType::Removed | types::TensorType::Newer => None,
            }
        })
    }
}

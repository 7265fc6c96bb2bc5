//! The descriptions of the tensors: shapes, types, and where each one's data has to be.

use std::io::{Read, Seek};

use super::reader::{Field, Reader};
use super::types::{Packing, TensorType, tensor_type};
use super::{GgufError, TensorProblem};

/// `GGML_MAX_NAME` of ggml 0.27.0, with the end mark.
const NAME_ROOM: usize = 64;

/// A type's number above this is not a type of some later ggml, it is rubbish.
const LAST_PLAUSIBLE_TYPE: u32 = 127;

/// One tensor, as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// At most 63 bytes.
    pub name: String,
    /// Elements in each dimension, the fastest first; 1 beyond those that it has.
    pub shape: [i64; 4],
    /// The number of its type.
    pub type_id: u32,
    /// Bytes from the start of the data.
    pub offset: u64,
    /// Bytes of its data; 0 for a type that is not known.
    pub bytes: u64,
    /// Elements in all.
    pub elements: u64,
}

/// Reads `count` descriptions and checks that the data of each follows that of the one before, as
/// `gguf_init_from_reader` does.
pub(super) fn read<R: Read + Seek>(
    reader: &mut Reader<R>,
    count: u64,
    alignment: u64,
) -> Result<Vec<Tensor>, GgufError> {
    let mut tensors = Vec::new();
    let mut expected = Some(0);
    for index in 0..count {
        let tensor = one(reader, index)?;
        let fail = |problem| Err(GgufError::Tensor { tensor: tensor.name.clone(), problem });
        let start = match expected {
            Some(expected) if tensor.offset != expected => {
                return fail(TensorProblem::Offset { found: tensor.offset, expected });
            }
            // Behind a tensor of unknown size only the file can say where the next one is.
            Some(_) | None => tensor.offset,
        };
        expected = match tensor_type(tensor.type_id) {
            TensorType::Known(_) => {
                let end = start.checked_add(tensor.bytes);
                let padded = end.and_then(|end| end.checked_next_multiple_of(alignment));
                match padded {
                    Some(padded) => Some(padded),
                    None => return fail(TensorProblem::Shape(tensor.shape)),
                }
            }
            TensorType::Removed | TensorType::Newer => None,
        };
        tensors.push(tensor);
    }
    match duplicate(&tensors) {
        None => Ok(tensors),
        Some(name) => {
            Err(GgufError::Tensor { tensor: name.to_owned(), problem: TensorProblem::Duplicate })
        }
    }
}

/// A name that two of the tensors have.
pub(super) fn duplicate(tensors: &[Tensor]) -> Option<&str> {
    let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

fn one<R: Read + Seek>(reader: &mut Reader<R>, index: u64) -> Result<Tensor, GgufError> {
    let field = Field::Tensor(index);
    let length = reader.string_length(field)?;
    let Some(kept) = usize::try_from(length).ok().filter(|length| *length < NAME_ROOM) else {
        return Err(GgufError::Tensor {
            tensor: format!("#{index}"),
            problem: TensorProblem::NameLength(length),
        });
    };
    let name = name(reader, kept, field)?;
    let fail = |problem| GgufError::Tensor { tensor: name.clone(), problem };
    let dimensions = reader.u32(field)?;
    if dimensions > 4 {
        return Err(fail(TensorProblem::Dimensions(dimensions)));
    }
    let mut shape = [1; 4];
    for extent in shape.iter_mut().take(dimensions as usize) {
        *extent = reader.i64(field)?;
    }
    let elements = elements(shape).ok_or_else(|| fail(TensorProblem::Shape(shape)))?;
    let type_id = reader.u32(field)?;
    let bytes = match tensor_type(type_id) {
        TensorType::Known(packing) => packed(shape, elements, packing).map_err(fail)?,
        TensorType::Removed => return Err(fail(TensorProblem::RemovedType(type_id))),
        TensorType::Newer if type_id <= LAST_PLAUSIBLE_TYPE => 0,
        TensorType::Newer => return Err(fail(TensorProblem::NoType(type_id))),
    };
    let offset = reader.u64(field)?;
    Ok(Tensor { name, shape, type_id, offset, bytes, elements })
}

fn name<R: Read + Seek>(
    reader: &mut Reader<R>,
    length: usize,
    field: Field<'_>,
) -> Result<String, GgufError> {
    let mut bytes = [0; NAME_ROOM];
    reader.fill(&mut bytes[..length], field)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

/// The product of the extents; absent when one is negative or the product is not an `i64`.
fn elements(shape: [i64; 4]) -> Option<u64> {
    let product = shape.into_iter().try_fold(1_i64, |product, extent| {
        if extent < 0 { None } else { product.checked_mul(extent) }
    })?;
    u64::try_from(product).ok().filter(|_| product < i64::MAX)
}

/// The bytes of a tensor of that shape and type.
fn packed(shape: [i64; 4], elements: u64, packing: Packing) -> Result<u64, TensorProblem> {
    let Packing { name, block, bytes } = packing;
    let fills = u64::try_from(shape[0]).is_ok_and(|row| row.is_multiple_of(block));
    if !fills {
        return Err(TensorProblem::Row { row: shape[0], name, block });
    }
    (elements / block).checked_mul(bytes).ok_or(TensorProblem::Shape(shape))
}

//! The header of a safetensors file, validated as the format's own library does it (safetensors
//! 0.8.0, `tensor.rs`), without a byte of the tensors.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use super::json;
use crate::limits::{LONGEST_HEADER_STRING, LONGEST_TENSOR_NAMES, MOST_TENSORS};

/// The longest header that the format's library reads, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// How many tensors.
    pub tensors: u64,
    /// Bytes of tensor data by type.
    pub census: BTreeMap<Dtype, u64>,
    /// The size that the file must have, in bytes.
    pub expected_size: u64,
    /// The size that it has, in bytes.
    pub actual_size: u64,
    /// Bytes of tensor data.
    pub data_bytes: u64,
}

/// Why a safetensors file will not load.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SafetensorsError {
    /// The file could not be read.
    #[error("cannot be read: {kind}")]
    Read {
        /// The system's word.
        kind: ErrorKind,
    },
    /// Not even the length of the header is there.
    #[error("has {size} bytes, and the length of the header alone takes 8")]
    TooSmall {
        /// Of the file.
        size: u64,
    },
    /// No header is as long as that.
    #[error("announces a header of {length} bytes, and at most 100000000 are read")]
    HeaderTooLarge {
        /// As written.
        length: u64,
    },
    /// The file ends inside its header.
    #[error("announces a header of {length} bytes and has {remaining} after it begins")]
    HeaderEnds {
        /// As written.
        length: u64,
        /// Bytes that are there.
        remaining: u64,
    },
    /// The header is not the JSON that it should be.
    #[error("has a header that cannot be read: {message}")]
    Json {
        /// The parser's words.
        message: String,
    },
    /// A tensor does not begin where the one before ends.
    #[error("has the tensor `{tensor}` at offset {found} instead of {expected}")]
    Offset {
        /// Its name.
        tensor: String,
        /// As written.
        found: u64,
        /// Where the one before ends.
        expected: u64,
    },
    /// A tensor's place is not as long as its shape and type say.
    #[error(
        "has the tensor `{tensor}` in {found} bytes, and its shape and type do not take that many"
    )]
    Size {
        /// Its name.
        tensor: String,
        /// As written.
        found: u64,
    },
}

/// The types that safetensors 0.8.0 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[expect(non_camel_case_types, reason = "the names are the format's own")]
#[expect(missing_docs, reason = "the names are the format's own")]
pub enum Dtype {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
}

impl Dtype {
    /// Bits of one element.
    #[must_use]
    pub fn bits(self) -> u64 {
        match self {
            Self::F4 => 4,
            Self::F6_E2M3 | Self::F6_E3M2 => 6,
            Self::BOOL
            | Self::U8
            | Self::I8
            | Self::F8_E5M2
            | Self::F8_E4M3
            | Self::F8_E8M0
            | Self::F8_E4M3FNUZ
            | Self::F8_E5M2FNUZ => 8,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 16,
            Self::I32 | Self::U32 | Self::F32 => 32,
            Self::C64 | Self::F64 | Self::I64 | Self::U64 => 64,
        }
    }
}

impl Header {
    /// The type that takes most of the data; absent for a file without tensors.
    #[must_use]
    pub fn main_dtype(&self) -> Option<Dtype> {
        self.census.iter().max_by_key(|(_, bytes)| **bytes).map(|(dtype, _)| *dtype)
    }
}

/// A header and its tensors.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) header: Header,
    pub(crate) names: Vec<String>,
    /// Of each, the first two extents of its shape; 0 where it has none.
    pub(crate) extents: Vec<[u64; 2]>,
    /// The type and the shape of each.
    pub(crate) shapes: Vec<(Dtype, Shape)>,
}

/// The most extents of a shape that is kept; those of the kernels of a video have five.
const MOST_EXTENTS: usize = 6;

/// The extents of a tensor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    extents: [i64; MOST_EXTENTS],
    /// How many there are, as far as they are kept.
    rank: usize,
    /// Their product, over all of them; absent when it is too large to count.
    elements: Option<u64>,
}

impl Shape {
    /// A shape of these extents.
    #[cfg(test)]
    pub(crate) fn new(extents: &[i64]) -> Self {
        let mut shape = Self { extents: [0; MOST_EXTENTS], rank: extents.len(), elements: None };
        shape.extents[..extents.len()].copy_from_slice(extents);
        shape
    }

    /// Bytes of a tensor of this shape and type.
    pub(crate) fn bytes(&self, dtype: Dtype) -> u64 {
        self.elements.unwrap_or(u64::MAX).saturating_mul(dtype.bits()) / 8
    }

    /// The extents; absent where there are more than are kept.
    pub(crate) fn extents(&self) -> Option<&[i64]> {
        self.extents.get(..self.rank)
    }
}

/// Reads the header of the file `reader`, which has `size` bytes.
///
/// # Errors
/// When the format's library would refuse the header. A file that is shorter or longer than its
/// sound header says shows in [`Header::expected_size`].
pub fn read(reader: impl Read + Seek, size: u64) -> Result<Header, SafetensorsError> {
    Ok(parse(reader, size)?.header)
}

/// As [`read`], with the tensors.
pub(crate) fn parse(mut reader: impl Read + Seek, size: u64) -> Result<Parsed, SafetensorsError> {
    let unreadable = |error: std::io::Error| SafetensorsError::Read { kind: error.kind() };
    if size < 8 {
        return Err(SafetensorsError::TooSmall { size });
    }
    let mut length = [0; 8];
    reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    reader.read_exact(&mut length).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    let remaining = size - 8;
    if length > LONGEST_HEADER {
        return Err(SafetensorsError::HeaderTooLarge { length });
    }
    if length > remaining {
        return Err(SafetensorsError::HeaderEnds { length, remaining });
    }
    let Entries(mut entries) = json::parse_bounded(reader, length, LONGEST_HEADER_STRING)
        .map_err(|error| SafetensorsError::Json { message: error.to_string() })?;
    let data_bytes = match validate(&mut entries) {
        Ok(data_bytes) => data_bytes,
        // Of two entries with one name the library keeps the later.
        Err(error) if remove_earlier_duplicates(&mut entries) == 0 => return Err(error),
        Err(_) => validate(&mut entries)?,
    };
    let mut census = BTreeMap::new();
    for entry in &entries {
        *census.entry(entry.info.dtype).or_insert(0) += entry.bytes();
    }
    let header = Header {
        tensors: entries.len() as u64,
        census,
        // Neither can overflow: both lengths were compared with real sizes or with each other.
        expected_size: data_bytes.saturating_add(length + 8),
        actual_size: size,
        data_bytes,
    };
    let first = |shape: &Shape, place: usize| {
        shape.extents.get(place).map_or(0, |extent| extent.unsigned_abs())
    };
    let extents =
        entries.iter().map(|entry| [0, 1].map(|place| first(&entry.info.shape, place))).collect();
    let shapes = entries.iter().map(|entry| (entry.info.dtype, entry.info.shape)).collect();
    let names = entries.into_iter().map(|entry| entry.name).collect();
    Ok(Parsed { header, names, extents, shapes })
}

/// One tensor of a header.
#[derive(Debug)]
struct Entry {
    name: String,
    /// Its place in the document.
    index: usize,
    info: Info,
}

impl Entry {
    fn bytes(&self) -> u64 {
        self.info.data_offsets.1.saturating_sub(self.info.data_offsets.0)
    }
}

#[derive(Debug, Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// Every tensor of a header, in the order of the document.
#[derive(Debug)]
struct Entries(Vec<Entry>);

/// Sorts the tensors by their place and checks that they follow each other without a gap.
/// Returns the end of the last, in bytes from the start of the data.
fn validate(entries: &mut [Entry]) -> Result<u64, SafetensorsError> {
    entries.sort_by_key(|entry| entry.info.data_offsets);
    let mut expected = 0;
    for entry in entries.iter() {
        let (found, end) = entry.info.data_offsets;
        if found != expected || end < found {
            return Err(SafetensorsError::Offset { tensor: entry.name.clone(), found, expected });
        }
        let bits =
            entry.info.shape.elements.and_then(|count| count.checked_mul(entry.info.dtype.bits()));
        let fits = bits.is_some_and(|bits| bits.is_multiple_of(8) && bits / 8 == end - found);
        if !fits {
            let tensor = entry.name.clone();
            return Err(SafetensorsError::Size { tensor, found: end - found });
        }
        expected = end;
    }
    Ok(expected)
}

/// Returns how many entries went.
fn remove_earlier_duplicates(entries: &mut Vec<Entry>) -> usize {
    let before = entries.len();
    entries.sort_by(|a, b| a.name.cmp(&b.name).then(b.index.cmp(&a.index)));
    entries.dedup_by(|later, kept| later.name == kept.name);
    before - entries.len()
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Document;
        impl<'de> Visitor<'de> for Document {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                let mut names = 0;
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<Option<Texts>>()?;
                        continue;
                    }
                    names += name.len();
                    if entries.len() == MOST_TENSORS || names > LONGEST_TENSOR_NAMES {
                        return Err(A::Error::custom("more tensors than any model has"));
                    }
                    let (index, info) = (entries.len(), map.next_value()?);
                    entries.push(Entry { name, index, info });
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Document)
    }
}

/// What the library takes for metadata: strings alone. None is kept.
struct Texts;

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'de> Visitor<'de> for Strings {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                while map.next_entry::<IgnoredAny, Text>()?.is_some() {}
                Ok(Texts)
            }
        }
        deserializer.deserialize_map(Strings)
    }
}

/// A string that is not kept.
struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, _: &str) -> Result<Text, E> {
                Ok(Text)
            }
        }
        deserializer.deserialize_str(Any)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of extents")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut shape = Shape { extents: [0; MOST_EXTENTS], rank: 0, elements: Some(1) };
                while let Some(extent) = seq.next_element::<u64>()? {
                    shape.elements = shape.elements.and_then(|product| product.checked_mul(extent));
                    if let Some(place) = shape.extents.get_mut(shape.rank) {
                        *place = i64::try_from(extent).unwrap_or(i64::MAX);
                    }
                    shape.rank += 1;
                }
                Ok(shape)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 1);
        bytes
    }

    fn check(bytes: &[u8], expected: &str) {
        let found = match read(Cursor::new(bytes), bytes.len() as u64) {
            Ok(header) => format!("{} of {}", header.actual_size, header.expected_size),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{found:?} does not contain {expected:?}");
    }

    const ONE: &str = r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;

    #[test]
    fn a_header_says_how_long_the_file_is() {
        let exact = format!("{0} of {0}", 8 + ONE.len() + 16);
        check(&file(ONE, 16), &exact);
        check(&file(ONE, 15), &format!("{} of {}", 8 + ONE.len() + 15, 8 + ONE.len() + 16));
        check(&file("{}", 0), "10 of 10");
        check(&file("  {}", 0), "12 of 12");
        check(&file(r#"{"__metadata__":{"format":"pt"}}"#, 0), "40 of 40");
    }

    #[test]
    fn of_two_entries_with_one_name_the_later_counts() {
        let twice = r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]},
                        "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
        check(&file(twice, 2), "of ");
    }

    #[test]
    fn what_the_library_refuses_is_refused() {
        let tensor = |dtype: &str, shape: &str, begin: u64, end: u64| {
            format!(
                r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}}}"#
            )
        };
        check(b"", "has 0 bytes");
        check(b"1234567", "has 7 bytes");
        check(b"version https://git-lfs", "a header of 2336927755350992246 bytes");
        check(&file(ONE, 16)[..40], "and has 32 after it begins");
        check(&file("[]", 0), "cannot be read");
        check(&file("\0\0\0\0", 0), "cannot be read");
        check(&file("", 0), "cannot be read");
        check(&file("{\"\u{fffd}", 0), "cannot be read");
        check(&file(&tensor("F31", "[1]", 0, 4), 4), "cannot be read");
        check(&file(&tensor("F32", "[-1]", 0, 4), 4), "cannot be read");
        check(&file(&tensor("F32", "[1]", 4, 8), 8), "at offset 4 instead of 0");
        check(&file(&tensor("F32", "[1]", 8, 4), 8), "at offset 8 instead of 0");
        check(&file(&tensor("F32", "[2]", 0, 4), 4), "in 4 bytes");
        check(&file(&tensor("F4", "[3]", 0, 1), 1), "in 1 bytes");
        check(&file(&tensor("F32", "[4294967296,4294967296]", 0, 0), 0), "in 0 bytes");
        let overlap = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                          "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
        check(&file(overlap, 3), "`b` at offset 1 instead of 2");
    }

    #[test]
    fn a_header_is_not_believed_to_be_longer_than_the_file() {
        let mut bytes = 99_999_999_u64.to_le_bytes().to_vec();
        bytes.extend_from_slice(b"{}");
        check(&bytes, "and has 2 after");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(Cursor::new(&bytes), bytes.len() as u64);
            let header = file(&String::from_utf8_lossy(&bytes), 3);
            let _ = read(Cursor::new(&header), header.len() as u64);
        }

        #[test]
        fn any_numbers_are_survived(a: u64, b: u64, c: u64, d: u64) {
            let header = format!(
                r#"{{"a":{{"dtype":"I64","shape":[{a},{b}],"data_offsets":[{c},{d}]}}}}"#
            );
            let _ = read(Cursor::new(file(&header, 8)), u64::MAX);
        }
    }
}

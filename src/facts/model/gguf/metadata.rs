//! The metadata of a header: every entry is checked, and kept as far as it is short.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::architectures::{self, Tokenizer};
use super::reader::{Field, Reader};
use super::types::ValueType;
use super::{GgufError, Newer, builds, keys};
use crate::plan::engine::memory::Numbers;

/// `GGUF_DEFAULT_ALIGNMENT`.
const DEFAULT_ALIGNMENT: u64 = 32;

/// Far above the page sizes that alignments are made for; later versions of ggml have this limit.
const LARGEST_ALIGNMENT: u64 = 1 << 20;

/// The most elements that ggml 0.27.0 reads into one array.
const LONGEST_ARRAY: u64 = 1 << 30;

/// The longest name of an entry (the format's own limit).
const LONGEST_KEY: usize = 65_535;

/// Names together; real ones take a few kilobytes.
const ROOM_FOR_KEYS: usize = 4 << 20;

/// Longer strings (templates, licences) say nothing that is judged here.
const LONGEST_KEPT: usize = 256;

/// Chat templates are kept as a whole; the longest that are known have some 30 kB.
const LONGEST_TEMPLATE: usize = 1 << 20;

/// Where the model's chat template is, and the one for requests with tools.
const TEMPLATES: [&str; 2] = ["tokenizer.chat_template", "tokenizer.chat_template.tool_use"];

/// `LLAMA_MAX_LAYERS` of llama.cpp.
const MOST_LAYERS: u64 = 512;

/// Longer arrays have no value for each layer.
const LONGEST_KEPT_ARRAY: u64 = MOST_LAYERS;

/// Numbers of arrays together; real files have a few hundred that are short enough.
const ROOM_FOR_NUMBERS: usize = 1 << 16;

/// What the metadata says about the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// `general.architecture`.
    pub architecture: Option<String>,
    /// `general.name`.
    pub name: Option<String>,
    /// `general.type`: `model` where it is absent, `adapter`, `mmproj`, `imatrix`.
    pub kind: Option<String>,
    /// `general.file_type`, a number that [`super::types::file_type_name`] explains.
    pub file_type: Option<u64>,
    /// `tokenizer.ggml.model`.
    pub tokenizer: Option<String>,
    /// Entries of `tokenizer.ggml.tokens`; absent when there is no vocabulary.
    pub tokens: Option<u64>,
    /// The context that the model was trained for, in tokens.
    pub context_length: Option<u64>,
    /// Layers.
    pub block_count: Option<u64>,
    /// Width of an embedding.
    pub embedding_length: Option<u64>,
    /// Attention heads; absent where it differs between layers.
    pub head_count: Option<u64>,
    /// Heads of keys and values; absent where it is not said or differs between layers.
    pub head_count_kv: Option<u64>,
    /// `split.no`, from 0.
    pub split_number: Option<u64>,
    /// `split.count`.
    pub split_count: Option<u64>,
    /// `split.tensors.count`, over all parts.
    pub split_tensors: Option<u64>,
    /// By their names, which need not be UTF-8.
    entries: HashMap<Vec<u8>, Value>,
    /// What short arrays of integers and truth values (0 and 1) hold, by the names of their entries.
    numbers: HashMap<Vec<u8>, Vec<i128>>,
}

/// A value that was kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer, with its type in the file.
    Integer(i128, ValueType),
    /// A string of at most 256 bytes, or a chat template.
    Text(String),
    /// A longer string.
    LongText,
    /// An array: the type of its elements and how many there are.
    Array(ValueType, u64),
    /// A truth value.
    Truth(bool),
    /// A floating point number.
    Other(ValueType),
}

impl Value {
    /// Its type in the file.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Integer(_, kind) | Self::Other(kind) => *kind,
            Self::Truth(_) => ValueType::Bool,
            Self::Text(_) | Self::LongText => ValueType::String,
            Self::Array(..) => ValueType::Array,
        }
    }
}

/// Reads `count` entries.
pub(super) fn read<R: Read + Seek>(
    reader: &mut Reader<R>,
    count: u64,
) -> Result<Metadata, GgufError> {
    let mut room = ROOM_FOR_KEYS;
    let mut room_for_numbers = ROOM_FOR_NUMBERS;
    let mut entries = HashMap::new();
    let mut numbers = HashMap::new();
    for index in 0..count {
        let start = reader.offset();
        let bytes = reader.string(LONGEST_KEY.min(room), Field::Key(index))?;
        room = room.saturating_sub(bytes.len());
        if bytes.is_empty() {
            return Err(GgufError::EmptyKey { offset: start });
        }
        let key = String::from_utf8_lossy(&bytes).into_owned();
        if entries.contains_key(&bytes) {
            return Err(GgufError::DuplicateKey { key });
        }
        let (value, kept) = value(reader, &key)?;
        if let Some(kept) = kept.filter(|kept| kept.len() <= room_for_numbers) {
            room_for_numbers -= kept.len();
            numbers.insert(bytes.clone(), kept);
        }
        entries.insert(bytes, value);
    }
    Ok(collect(entries, numbers))
}

/// What an array holds, if it is kept.
type Kept = Option<Vec<i128>>;

fn value<R: Read + Seek>(reader: &mut Reader<R>, key: &str) -> Result<(Value, Kept), GgufError> {
    let kind = value_type(reader, key)?;
    if kind == ValueType::Array {
        array(reader, key)
    } else {
        Ok((single(reader, key, kind)?, None))
    }
}

fn single<R: Read + Seek>(
    reader: &mut Reader<R>,
    key: &str,
    kind: ValueType,
) -> Result<Value, GgufError> {
    let field = Field::Value(key);
    Ok(match kind {
        ValueType::String => {
            let length = reader.string_length(field)?;
            let longest = if TEMPLATES.contains(&key) { LONGEST_TEMPLATE } else { LONGEST_KEPT };
            let kept = usize::try_from(length).ok().filter(|length| *length <= longest);
            let Some(kept) = kept else {
                reader.skip(length, field)?;
                return Ok(Value::LongText);
            };
            let mut bytes = vec![0; kept];
            reader.fill(&mut bytes, field)?;
            Value::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        ValueType::Bool => Value::Truth(integer(reader, kind, field)? != 0),
        ValueType::U8
        | ValueType::I8
        | ValueType::U16
        | ValueType::I16
        | ValueType::U32
        | ValueType::I32
        | ValueType::U64
        | ValueType::I64 => Value::Integer(integer(reader, kind, field)?, kind),
        ValueType::F32 | ValueType::F64 | ValueType::Array => {
            reader.skip(kind.size().unwrap_or_default(), field)?;
            Value::Other(kind)
        }
    })
}

/// One value of a type of integers, or a truth value.
fn integer<R: Read + Seek>(
    reader: &mut Reader<R>,
    kind: ValueType,
    field: Field<'_>,
) -> Result<i128, GgufError> {
    Ok(match kind {
        ValueType::U8 => u8::from_le_bytes(reader.bytes(field)?).into(),
        ValueType::I8 => i8::from_le_bytes(reader.bytes(field)?).into(),
        ValueType::U16 => u16::from_le_bytes(reader.bytes(field)?).into(),
        ValueType::I16 => i16::from_le_bytes(reader.bytes(field)?).into(),
        ValueType::U32 => reader.u32(field)?.into(),
        ValueType::I32 => i32::from_le_bytes(reader.bytes(field)?).into(),
        ValueType::U64 => reader.u64(field)?.into(),
        ValueType::I64 => reader.i64(field)?.into(),
        ValueType::Bool => (u8::from_le_bytes(reader.bytes(field)?) != 0).into(),
        ValueType::F32 | ValueType::F64 | ValueType::String | ValueType::Array => {
            reader.skip(kind.size().unwrap_or_default(), field)?;
            0
        }
    })
}

fn value_type<R: Read + Seek>(reader: &mut Reader<R>, key: &str) -> Result<ValueType, GgufError> {
    let offset = reader.offset();
    let id = reader.u32(Field::Value(key))?;
    ValueType::from_id(id).ok_or_else(|| GgufError::ValueType { key: key.to_owned(), id, offset })
}

fn array<R: Read + Seek>(reader: &mut Reader<R>, key: &str) -> Result<(Value, Kept), GgufError> {
    let field = Field::Value(key);
    let start = reader.offset();
    let element = value_type(reader, key)?;
    let count = reader.u64(field)?;
    if count > LONGEST_ARRAY {
        return Err(GgufError::Count {
            what: format!("elements in `{key}`"),
            count: i128::from(count),
            limit: LONGEST_ARRAY,
        });
    }
    match (element, element.size()) {
        (ValueType::String, _) => {
            reader.need(count.saturating_mul(8), field)?;
            reader.skip_strings(count, field)?;
        }
        // The format allows arrays of arrays, llama.cpp does not read them.
        (_, None) => {
            return Err(GgufError::ValueType { key: key.to_owned(), id: 9, offset: start });
        }
        (ValueType::F32 | ValueType::F64, Some(size)) => {
            reader.skip(count.saturating_mul(size), field)?;
        }
        (_, Some(size)) if count > LONGEST_KEPT_ARRAY => {
            reader.skip(count.saturating_mul(size), field)?;
        }
        (_, Some(size)) => {
            reader.need(count.saturating_mul(size), field)?;
            let numbers = (0..count).map(|_| integer(reader, element, field));
            let numbers = numbers.collect::<Result<_, _>>()?;
            return Ok((Value::Array(element, count), Some(numbers)));
        }
    }
    Ok((Value::Array(element, count), None))
}

fn collect(entries: HashMap<Vec<u8>, Value>, numbers: HashMap<Vec<u8>, Vec<i128>>) -> Metadata {
    let mut metadata = Metadata { entries, numbers, ..Metadata::default() };
    metadata.architecture = metadata.text("general.architecture");
    metadata.name = metadata.text("general.name");
    metadata.kind = metadata.text("general.type");
    metadata.file_type = metadata.unsigned("general.file_type");
    metadata.tokenizer = metadata.text("tokenizer.ggml.model");
    metadata.tokens = metadata.array("tokenizer.ggml.tokens");
    metadata.context_length = metadata.of_architecture("context_length");
    metadata.block_count = metadata.of_architecture("block_count");
    metadata.embedding_length = metadata.of_architecture("embedding_length");
    metadata.head_count = metadata.of_architecture("attention.head_count");
    metadata.head_count_kv = metadata.of_architecture("attention.head_count_kv");
    metadata.split_number = metadata.unsigned("split.no");
    metadata.split_count = metadata.unsigned("split.count");
    metadata.split_tensors = metadata.unsigned("split.tensors.count");
    metadata
}

impl Metadata {
    /// The value of an entry, if it was kept.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key.as_bytes())
    }

    /// An integer below the architecture's own prefix.
    #[must_use]
    pub fn of_architecture(&self, field: &str) -> Option<u64> {
        self.unsigned(&format!("{}.{field}", self.architecture.as_deref()?))
    }

    /// Whether there is an entry of that name below the architecture's own prefix, of any type.
    #[must_use]
    pub fn says_of_architecture(&self, field: &str) -> bool {
        let key = self.architecture.as_ref().map(|name| format!("{name}.{field}"));
        key.is_some_and(|key| self.get(&key).is_some())
    }

    /// Whether the file is a model of its own, and not an adapter, a projector or a table of
    /// importances.
    #[must_use]
    pub fn is_model(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "model")
            && self.architecture.as_deref() != Some("clip")
    }

    /// Whether an entry is there and true.
    #[must_use]
    pub fn is_true(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Value::Truth(true)))
    }

    /// The chat template that llama.cpp takes, as its entry is called and what it says: the one for tools
    /// stands in for a general one that is missing, empty or `chatml` (build 11669 `common/chat.cpp`).
    #[must_use]
    pub fn chat_template(&self) -> Option<(&'static str, String)> {
        let of = |key: &'static str| Some((key, self.text(key)?));
        let [general, for_tools] = TEMPLATES;
        let is_own = |text: &String| !text.is_empty() && text != "chatml";
        match (self.get(general), of(general)) {
            (None, _) => of(for_tools),
            (Some(_), Some((_, text))) if !is_own(&text) => of(for_tools),
            (Some(_), template) => template,
        }
    }

    /// The text of an entry, if it was kept.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(..)
            | Value::LongText
            | Value::Array(..)
            | Value::Truth(_)
            | Value::Other(_) => None,
        }
    }

    /// The integers of an array below the architecture's own prefix, truth values as 0 and 1, if they
    /// were kept.
    #[must_use]
    pub fn numbers_of_architecture(&self, field: &str) -> Option<&[i128]> {
        self.numbers(&format!("{}.{field}", self.architecture.as_deref()?))
    }

    /// The integers of an array, truth values as 0 and 1, if they were kept.
    pub(super) fn numbers(&self, key: &str) -> Option<&[i128]> {
        self.numbers.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// Every integer below the architecture's own prefix, by its name without that; truth values are
    /// 0 and 1, and what is below 0 is left out.
    pub(super) fn integers(&self) -> impl Iterator<Item = (String, Numbers)> {
        let prefix = self.architecture.as_ref().map(|name| format!("{name}.").into_bytes());
        self.entries.iter().filter_map(move |(key, value)| {
            let name = String::from_utf8(key.strip_prefix(&*prefix.clone()?)?.to_vec()).ok()?;
            let numbers = match value {
                Value::Integer(number, _) => Numbers::One(u64::try_from(*number).ok()?),
                Value::Truth(truth) => Numbers::One(u64::from(*truth)),
                Value::Array(..) => {
                    let numbers = self.numbers.get(key)?.iter();
                    let whole = numbers.map(|number| u64::try_from(*number).unwrap_or_default());
                    Numbers::Each(whole.collect())
                }
                Value::Text(_) | Value::LongText | Value::Other(_) => return None,
            };
            Some((name, numbers))
        })
    }

    fn unsigned(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::Integer(number, _) => u64::try_from(*number).ok(),
            Value::Text(_)
            | Value::LongText
            | Value::Array(..)
            | Value::Truth(_)
            | Value::Other(_) => None,
        }
    }

    fn array(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::Array(_, count) => Some(*count),
            Value::Integer(..)
            | Value::Text(_)
            | Value::LongText
            | Value::Truth(_)
            | Value::Other(_) => None,
        }
    }

    /// `general.alignment`: a `u32`, a power of two.
    pub(super) fn alignment(&self) -> Result<u64, GgufError> {
        const KEY: &str = "general.alignment";
        let alignment = match self.get(KEY) {
            None => return Ok(DEFAULT_ALIGNMENT),
            Some(Value::Integer(number, ValueType::U32)) => {
                u64::try_from(*number).unwrap_or_default()
            }
            Some(other) => return Err(wrong_type(KEY, "u32", other)),
        };
        if alignment.is_power_of_two() && alignment <= LARGEST_ALIGNMENT {
            Ok(alignment)
        } else {
            Err(GgufError::Alignment { alignment })
        }
    }

    /// What this program's tables do not have.
    pub(super) fn newer(&self) -> Vec<Newer> {
        builds::newer(self)
    }

    /// The first thing that the loader needs and does not find, in its own order. Only the first
    /// part of a split model has to have it all.
    pub(super) fn refused(&self) -> Option<GgufError> {
        if self.split_number.is_some_and(|number| number > 0) {
            return None;
        }
        self.need_text("general.architecture")
            .and_then(|()| if self.is_model() { self.need_model() } else { self.need_adapter() })
            .err()
            .or_else(|| if self.is_model() { keys::refused(self) } else { None })
    }

    fn need_adapter(&self) -> Result<(), GgufError> {
        if self.kind.as_deref() == Some("adapter") {
            self.need_text("adapter.type")
        } else {
            Ok(())
        }
    }

    fn need_model(&self) -> Result<(), GgufError> {
        let architecture = self.architecture.as_deref().unwrap_or_default();
        // An architecture that is not in the table may name its numbers in another way.
        if architectures::is_known(architecture) {
            for field in ["context_length", "embedding_length"] {
                self.need_u32(&format!("{architecture}.{field}"))?;
            }
            let layers = self.need_u32(&format!("{architecture}.block_count"))?;
            if !(1..=MOST_LAYERS).contains(&layers) {
                return Err(GgufError::Layers { count: layers });
            }
        }
        self.need_text("tokenizer.ggml.model")?;
        let tokenizer = self.tokenizer.as_deref().unwrap_or_default();
        match architectures::tokenizer(tokenizer) {
            Some(Tokenizer::None) | None => Ok(()),
            Some(Tokenizer::Plain) => self.need_array("tokenizer.ggml.tokens"),
            Some(Tokenizer::Merging) => {
                // Kimi's merges are computed from its tokens.
                if self.text("tokenizer.ggml.pre").as_deref() != Some("kimi-k2") {
                    self.need_array("tokenizer.ggml.merges")?;
                }
                self.need_array("tokenizer.ggml.tokens")
            }
        }
    }

    fn need_text(&self, key: &str) -> Result<(), GgufError> {
        match self.get(key) {
            Some(Value::Text(_)) => Ok(()),
            Some(other) => Err(wrong_type(key, "string", other)),
            None => Err(GgufError::KeyMissing { key: key.to_owned() }),
        }
    }

    fn need_array(&self, key: &str) -> Result<(), GgufError> {
        match self.get(key) {
            Some(Value::Array(ValueType::String, _)) => Ok(()),
            Some(other) => Err(wrong_type(key, "array of strings", other)),
            None => Err(GgufError::KeyMissing { key: key.to_owned() }),
        }
    }

    /// `get_key<uint32_t>` of llama.cpp takes no other integer type.
    fn need_u32(&self, key: &str) -> Result<u64, GgufError> {
        match self.get(key) {
            Some(Value::Integer(number, ValueType::U32)) => {
                Ok(u64::try_from(*number).unwrap_or_default())
            }
            Some(other) => Err(wrong_type(key, "u32", other)),
            None => Err(GgufError::KeyMissing { key: key.to_owned() }),
        }
    }
}

pub(super) fn wrong_type(key: &str, expected: &'static str, found: &Value) -> GgufError {
    GgufError::KeyType { key: key.to_owned(), expected, found: found.value_type().name() }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// An entry of the name `a.n` that holds an array.
    fn entry(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
        let mut bytes = 20_u64.to_le_bytes().to_vec();
        bytes.extend_from_slice(b"general.architecture");
        bytes.extend_from_slice(&8_u32.to_le_bytes());
        bytes.extend_from_slice(&1_u64.to_le_bytes());
        bytes.push(b'a');
        bytes.extend_from_slice(&3_u64.to_le_bytes());
        bytes.extend_from_slice(b"a.n");
        bytes.extend_from_slice(&9_u32.to_le_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(elements);
        bytes
    }

    fn check(bytes: &[u8], expected: Option<&[i128]>) {
        let mut reader = Reader::new(Cursor::new(bytes), bytes.len() as u64);
        let metadata = read(&mut reader, 2).unwrap();
        assert_eq!(metadata.numbers_of_architecture("n"), expected);
        assert!(metadata.says_of_architecture("n"));
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn short_arrays_of_integers_are_kept() {
        check(&entry(7, 3, &[1, 0, 1]), Some(&[1, 0, 1]));
        check(&entry(5, 2, &[255, 255, 255, 255, 2, 0, 0, 0]), Some(&[-1, 2]));
        check(&entry(0, 512, &[3; 512]), Some(&[3; 512]));
        check(&entry(0, 513, &[3; 513]), None);
        check(&entry(6, 1, &[0; 4]), None);
    }
}

//! What llama.cpp asks of a file of each architecture, as `layouts/` has it: entries, tensors and
//! their shapes.

use std::collections::HashMap;

use super::architectures::{self, Tokenizer};
use super::metadata::{Metadata, Value};
use super::tensors::Tensor;
use super::types::ValueType;
use super::{GgufError, TensorProblem};
use crate::facts::model::layout::{self, Complaint, Entry, Kind, Subject, Table};

static LAYOUTS: Table = Table::new(concat!(
    include_str!("layouts/shared.txt"),
    "\n",
    include_str!("layouts/architectures.txt"),
    "\n",
    include_str!("layouts/newer.txt")
));

/// What an architecture that has no table of its own is judged by.
const GENERAL: &str = "general";

/// The beginnings of entries that do not stand below the name of the architecture.
const ABSOLUTE: [&str; 5] = ["general.", "tokenizer.", "split.", "adapter.", "xielu."];

/// What a layout says to a file.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// The first thing that llama.cpp would refuse.
    pub(super) refused: Option<GgufError>,
    /// A tensor that the architecture does not have: llama.cpp counts them and refuses what is left
    /// over.
    pub(super) stranger: Option<String>,
}

/// Whether there is a table of the architecture.
pub(super) fn is_laid_out(architecture: &str) -> bool {
    architecture != GENERAL && LAYOUTS.has(architecture) && architectures::is_known(architecture)
}

/// What the layout of its architecture says to a file, of whose tensors `tensors` are all; absent: the
/// others are in other files, and nothing is said of them.
pub(super) fn judge(metadata: &Metadata, tensors: Option<&[Tensor]>) -> Verdict {
    let architecture = metadata.architecture.as_deref().unwrap_or_default();
    if !metadata.is_model() || !architectures::is_known(architecture) {
        return Verdict::default();
    }
    let tensors = tensors.filter(|tensors| !has_single_experts(tensors));
    let has_table = is_laid_out(architecture);
    let section = if has_table { architecture } else { GENERAL };
    let named = tensors.unwrap_or_default().iter().enumerate();
    let file = File {
        metadata,
        architecture,
        tensors: named.map(|(index, tensor)| (tensor.name.as_str(), (index, tensor))).collect(),
    };
    let Some(judgement) = LAYOUTS.judge(section, &file) else { return Verdict::default() };
    let refused = judgement
        .complaints
        .into_iter()
        .find(|complaint| tensors.is_some() || is_of_an_entry(complaint))
        .map(|complaint| refusal(architecture, complaint));
    let stranger = judgement.strangers.unwrap_or_default().first().copied();
    let stranger = stranger.filter(|_| has_table).and_then(|index| tensors?.get(index));
    Verdict { refused, stranger: stranger.map(|tensor| tensor.name.clone()) }
}

/// Mixtures of before April 2024 have a tensor for each expert. Builds have put them together while
/// loading for some time; which of them did is not known here.
fn has_single_experts(tensors: &[Tensor]) -> bool {
    tensors.iter().any(|tensor| tensor.name.ends_with(".ffn_down.0.weight"))
}

fn is_of_an_entry(complaint: &Complaint) -> bool {
    match complaint {
        Complaint::KeyMissing { .. } | Complaint::KeyType { .. } | Complaint::Entries { .. } => {
            true
        }
        Complaint::TensorMissing { .. } | Complaint::Shape { .. } | Complaint::Numbers { .. } => {
            false
        }
    }
}

fn refusal(architecture: &str, complaint: Complaint) -> GgufError {
    let full = |key: String| full(architecture, &key);
    match complaint {
        Complaint::KeyMissing { key } => GgufError::KeyMissing { key: full(key) },
        Complaint::KeyType { key, expected, found } => {
            GgufError::KeyType { key: full(key), expected, found }
        }
        Complaint::Entries { key, found, expected } => {
            GgufError::Entries { key: full(key), found, expected }
        }
        Complaint::TensorMissing { tensor } => GgufError::TensorMissing { tensor },
        Complaint::Shape { tensor, found, expected } => {
            GgufError::Tensor { tensor, problem: TensorProblem::WrongShape { found, expected } }
        }
        Complaint::Numbers { rule } => GgufError::Numbers { rule },
    }
}

fn full(architecture: &str, key: &str) -> String {
    if ABSOLUTE.iter().any(|start| key.starts_with(start)) {
        key.to_owned()
    } else {
        format!("{architecture}.{key}")
    }
}

/// A file as a layout asks about it.
struct File<'a> {
    metadata: &'a Metadata,
    architecture: &'a str,
    tensors: HashMap<&'a str, (usize, &'a Tensor)>,
}

impl Subject for File<'_> {
    /// Only the vocabulary is not an entry (`llama-vocab.cpp`).
    fn number(&self, name: &str, index: Option<u64>) -> Option<i64> {
        let number = match (name, index) {
            ("n_vocab", None) => self.vocabulary()?,
            ("n_token_types", None) => match self.metadata.get("tokenizer.ggml.token_type_count") {
                None => 0,
                Some(Value::Integer(count, _)) => u64::try_from(*count).ok()?,
                Some(_) => return None,
            },
            _ => return None,
        };
        i64::try_from(number).ok()
    }

    fn entry(&self, key: &str, kind: Kind) -> Entry {
        let key = full(self.architecture, key);
        let Some(value) = self.metadata.get(&key) else { return Entry::Absent };
        let (word, suffix) = kind.word.split_once('-').unwrap_or((kind.word, ""));
        match (word, suffix, value) {
            ("any", ..) => Entry::Said,
            ("count", _, Value::Array(_, count)) => {
                i64::try_from(*count).map_or(Entry::Unknown, Entry::Number)
            }
            ("count", ..) => Entry::Absent,
            (_, "if-one", Value::Array(..)) => Entry::Absent,
            (_, "list", value) if value.value_type() != ValueType::Array => Entry::Absent,
            (_, _, Value::Array(element, count)) if kind.list => {
                self.list(&key, (*element, *count), word, kind)
            }
            (_, _, value) => single(value, word),
        }
    }

    fn is(&self, key: &str, word: &str) -> Option<bool> {
        match self.metadata.get(&full(self.architecture, key)) {
            None | Some(Value::LongText) => Some(false),
            Some(Value::Text(text)) => Some(text == word),
            Some(Value::Integer(..) | Value::Array(..) | Value::Truth(_) | Value::Other(_)) => None,
        }
    }

    fn tensor(&self, name: &str) -> Option<layout::Tensor<'_>> {
        let (index, tensor) = self.tensors.get(name)?;
        Some(layout::Tensor { index: *index, shape: Some(&tensor.shape) })
    }

    fn tensors(&self) -> usize {
        self.tensors.len()
    }
}

impl File<'_> {
    fn vocabulary(&self) -> Option<u64> {
        let tokenizer = self.metadata.tokenizer.as_deref().and_then(architectures::tokenizer);
        match tokenizer? {
            Tokenizer::None => {
                let said = self.metadata.says_of_architecture("vocab_size");
                if said { self.metadata.of_architecture("vocab_size") } else { Some(0) }
            }
            Tokenizer::Plain | Tokenizer::Merging => self.metadata.tokens,
        }
    }

    /// `get_arr` and `get_key_or_arr` of `llama-model-loader.cpp`.
    fn list(&self, key: &str, found: (ValueType, u64), word: &'static str, kind: Kind) -> Entry {
        let (element, count) = found;
        let (fits, expected) = match word {
            "f32" => (element == ValueType::F32, "f32 or an array of them"),
            "string" => (element == ValueType::String, "an array of strings"),
            _ => (
                matches!(element, ValueType::U32 | ValueType::I32 | ValueType::Bool),
                "u32 or an array of them",
            ),
        };
        if !fits {
            return Entry::Wrong { expected, found: element.name() };
        }
        match kind.count {
            Some(expected) if expected != count => Entry::Entries { found: count, expected },
            Some(_) | None => match self.metadata.numbers(key) {
                Some(numbers) => Entry::Numbers(
                    numbers
                        .iter()
                        .map(|number| i64::try_from(*number).unwrap_or(i64::MAX))
                        .collect(),
                ),
                None => Entry::Said,
            },
        }
    }
}

/// `get_key` of `llama-model-loader.cpp`: the very type.
fn single(value: &Value, word: &'static str) -> Entry {
    let found = value.value_type();
    let (wanted, expected) = match word {
        "u16" => (ValueType::U16, "u16"),
        "i32" => (ValueType::I32, "i32"),
        "f32" => (ValueType::F32, "f32"),
        "bool" => (ValueType::Bool, "bool"),
        "string" => (ValueType::String, "string"),
        _ => (ValueType::U32, "u32"),
    };
    if found != wanted {
        return Entry::Wrong { expected, found: found.name() };
    }
    match value {
        Value::Integer(number, _) => i64::try_from(*number).map_or(Entry::Unknown, Entry::Number),
        Value::Truth(truth) => Entry::Number(i64::from(*truth)),
        Value::Text(_) | Value::LongText | Value::Array(..) | Value::Other(_) => Entry::Said,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn tiny() -> Metadata {
        let path = "examples/quickstart/models/gguf/tiny-Q4_K_M.gguf";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let bytes = fs_err::read(path).unwrap();
        super::super::read(Cursor::new(&bytes), bytes.len() as u64).unwrap().metadata
    }

    fn tensor(name: &str) -> Tensor {
        let shape = [1; 4];
        Tensor { name: name.to_owned(), shape, type_id: 0, offset: 0, bytes: 4, elements: 1 }
    }

    #[test]
    fn every_section_can_be_read() {
        assert_eq!(LAYOUTS.mistakes(), []);
        assert!(LAYOUTS.has(GENERAL));
    }

    #[test]
    fn what_people_serve_has_a_table_and_what_is_no_architecture_has_none() {
        for served in
            ["llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3", "gpt-oss", "bert", "t5"]
        {
            assert!(is_laid_out(served), "{served}");
        }
        for other in ["base", "qkv", GENERAL, "lla9a", ""] {
            assert!(!is_laid_out(other), "{other}");
        }
    }

    #[test]
    fn of_a_part_of_a_model_only_the_entries_are_judged() {
        assert_eq!(judge(&tiny(), None).refused, None);
        let missing = GgufError::TensorMissing { tensor: "token_embd.weight".to_owned() };
        assert_eq!(judge(&tiny(), Some(&[])).refused, Some(missing));
    }

    #[test]
    fn a_mixture_with_a_tensor_for_each_expert_is_not_judged_by_its_tensors() {
        let verdict = judge(&tiny(), Some(&[tensor("blk.0.ffn_down.0.weight")]));
        assert_eq!((verdict.refused, verdict.stranger), (None, None));
    }

    #[test]
    fn a_tensor_that_no_statement_names_is_a_stranger() {
        let stranger = judge(&tiny(), Some(&[tensor("blk.0.attn_x.weight")])).stranger;
        assert_eq!(stranger.as_deref(), Some("blk.0.attn_x.weight"));
        assert_eq!(judge(&tiny(), Some(&[tensor("rope_freqs.weight")])).stranger, None);
    }
}

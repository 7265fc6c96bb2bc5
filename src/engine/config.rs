//! The file that a command line is continued in: YAML whose keys are flags (vllm 0.12.0
//! utils/argparse_utils.py `load_config_file`).

use indexmap::IndexMap;
use serde_json::Value;

use crate::engine::words::Word;
use crate::source_map::Place;
use crate::yaml;

/// The flags of a file by their keys, each with its values, as words at `place`. What is false, null
/// or empty gives no words. Absent: the text is not a mapping.
pub(super) fn words(text: &str, place: &Place) -> Option<Vec<(String, Vec<Word>)>> {
    let settings: IndexMap<String, Value> = yaml::from_str(text).ok()?;
    let word = |text: String| Word::known(text, place);
    let flag = |(key, value): (String, Value)| {
        let flag = word(format!("--{key}"));
        let words = match value {
            Value::Null | Value::Bool(false) => Vec::new(),
            Value::Bool(true) => vec![flag],
            Value::Array(items) if items.is_empty() => Vec::new(),
            Value::Array(items) => {
                std::iter::once(flag).chain(items.iter().map(|item| word(plain(item)))).collect()
            }
            value @ (Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                vec![flag, word(plain(&value))]
            }
        };
        (key, words)
    };
    Some(settings.into_iter().map(flag).collect())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! The file that a command line is continued in: YAML whose keys are flags (vllm 0.12.0
//! utils/argparse_utils.py `load_config_file`), of vLLM and SGLang.

use indexmap::IndexMap;
use serde_json::Value;

use crate::plan::engine::arguments::Arguments;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::project::Text;
use crate::source_map::Place;
use crate::yaml;

/// The words with those of the file of `--config` among them, where `model` is the flag of the model;
/// absent: there is no such file, or it was not seen.
pub(super) fn continued(
    arguments: &Arguments,
    words: &[Word],
    model: &str,
    reading: &mut Reading<'_>,
) -> Option<Vec<Word>> {
    let file = reading.folder(arguments.last("--config"))?;
    reading.invocation.config = Some(file.clone());
    let Some(text) = reading.seen(&file.value) else {
        reading.unread(format!("the file `{}` was not seen", file.value), &file.place);
        return None;
    };
    let Some(settings) = self::words(text, &file.place) else {
        reading.unread(format!("the YAML of `{}` cannot be read", file.value), &file.place);
        return None;
    };
    let names_model = !arguments.positionals.is_empty() || arguments.last(model).is_some();
    let settings = settings.into_iter().filter(|(key, _)| !(names_model && key == "model"));
    // Behind the model, in front of every flag, so that the command line wins (vllm 0.12.0
    // utils/argparse_utils.py `_pull_args_from_config`; sglang 0.5.23
    // srt/server_args_config_parser.py).
    let behind_model = words.first().is_some_and(|word| !word.text.starts_with('-'));
    let (model, flags) = words.split_at(usize::from(behind_model));
    let settings = settings.flat_map(|(_, words)| words);
    Some(model.iter().cloned().chain(settings).chain(flags.iter().cloned()).collect())
}

/// The flags of a file by their keys, each with its values, as words at their lines, else at
/// `place`. What is false, null or empty gives no words. Absent: the text is not a mapping.
fn words(file: &Text, place: &Place) -> Option<Vec<(String, Vec<Word>)>> {
    let settings: IndexMap<String, Value> = yaml::from_str(&file.text).ok()?;
    let flag = |(key, value): (String, Value)| {
        let is_own = |line: &str| line.strip_prefix(&key).is_some_and(|rest| rest.starts_with(':'));
        let line = file.text.lines().position(is_own).and_then(|line| file.line(line));
        let word = |text: String| Word::known(text, line.unwrap_or(place));
        let flag = word(format!("--{}", key.replace('_', "-")));
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

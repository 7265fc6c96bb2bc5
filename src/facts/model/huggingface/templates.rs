//! The chat templates of a folder, as transformers takes them (4.57.6 `tokenization_utils_base.py`
//! `_from_pretrained`, `get_chat_template`; `processing_utils.py`).

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::Examination;
use crate::look::Look;
use crate::project::view::View;

/// Longer ones are not looked into; the longest that are known have some 30 kB.
const LONGEST: u64 = 1 << 20;

/// A chat template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The file that it is in, below the folder.
    pub file: &'static str,
    /// The name that it has there; absent: it is the only one.
    pub name: Option<String>,
    /// What it says.
    pub text: String,
}

impl Template {
    /// Whether it is the one that conversations get from `tokenizer_config.json`.
    #[must_use]
    pub fn is_of_tokenizer(&self) -> bool {
        let is_usual = self.name.as_deref().is_none_or(|name| name == "default");
        self.file == "tokenizer_config.json" && is_usual
    }
}

/// The text of the file at `path`; absent: it is longer than a template, or no text.
pub(in crate::facts::model) fn template(view: &dyn View, path: &Path) -> Option<String> {
    let Look::Seen(reader) = view.open(path) else { return None };
    let mut bytes = Vec::new();
    reader.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= LONGEST).then(|| String::from_utf8(bytes).ok()).flatten()
}

/// The templates that a request gets, of those that are there. `said` is what the configuration of the
/// tokenizer has.
pub(super) fn taken(examination: &Examination<'_>, said: Option<&Value>) -> Vec<Template> {
    const OWN: &str = "chat_template.jinja";
    if examination.has(OWN) {
        let text = template(examination.view, &examination.path.join(OWN));
        return text.into_iter().map(|text| Template { file: OWN, name: None, text }).collect();
    }
    let mut taken = of_processor(examination);
    taken.extend(said.into_iter().flat_map(of_settings));
    taken
}

/// What a processor for images or sound has.
fn of_processor(examination: &Examination<'_>) -> Vec<Template> {
    const OWN: &str = "chat_template.json";
    if !examination.folder.multimodal() || !examination.has(OWN) {
        return Vec::new();
    }
    let text = template(examination.view, &examination.path.join(OWN));
    let document: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    let text = document.as_ref().and_then(|document| document.get("chat_template")?.as_str());
    let text = text.map(str::to_owned);
    text.into_iter().map(|text| Template { file: OWN, name: None, text }).collect()
}

/// One template, or several with names, of which requests get `default`, and `tool_use` with tools.
fn of_settings(said: &Value) -> Vec<Template> {
    const FILE: &str = "tokenizer_config.json";
    let is_short = |text: &&str| text.len() as u64 <= LONGEST;
    if let Some(text) = said.as_str().filter(is_short) {
        return vec![Template { file: FILE, name: None, text: text.to_owned() }];
    }
    let of = |item: &Value| {
        let name = item.get("name")?.as_str().filter(|it| ["default", "tool_use"].contains(it))?;
        let text = item.get("template")?.as_str().filter(is_short)?;
        Some(Template { file: FILE, name: Some(name.to_owned()), text: text.to_owned() })
    };
    said.as_array().into_iter().flatten().filter_map(of).collect()
}

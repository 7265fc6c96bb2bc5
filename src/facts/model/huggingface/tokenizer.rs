//! What turns text into tokens: the names that transformers 4.57.6 and vLLM accept.

mod fast;
mod fast_model;
mod parts;

use std::io::{Read as _, SeekFrom};

use serde::de::IgnoredAny;

use self::fast::Fast;
use super::documents::{ObjectOf, TokenizerSettings};
use super::{Examination, FolderKind, Presence, parsed, templates};
use crate::facts::model::FileState;
use crate::facts::model::file::{self, Content, Defect, Role};
use crate::facts::model::json;
use crate::facts::model::lookalike::{Lookalike, recognise};
use crate::look::Stat;
use crate::project::view::ReadSeek;

/// Each is enough by itself, in the order of preference.
const ALONE: [&str; 8] = [
    "tokenizer.json",
    "tokenizer.model",
    "tekken.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "tokenizer.model.v3",
    "tiktoken.model",
];

/// Byte-pair encoding in its older form: both are needed.
const PAIR: [&str; 2] = ["vocab.json", "merges.txt"];

/// What prepares pictures and sounds, where a model needs that.
pub const PROCESSOR: &str = "preprocessor_config.json";

/// Tokenizer configurations hold every added token and take up to a few megabytes.
const LONGEST_CONFIGURATION: u64 = 16 << 20;

pub(super) fn examine(examination: &mut Examination<'_>) {
    if examination.folder.kind == FolderKind::Adapter {
        return;
    }
    chat_template(examination);
    let alone = ALONE.iter().map(|name| (*name).to_owned()).find(|name| examination.has(name));
    let found = match alone.or_else(|| examination.ending(".tiktoken").into_iter().next()) {
        Some(name) => vec![name],
        None if PAIR.iter().all(|name| examination.has(name)) => PAIR.map(str::to_owned).to_vec(),
        None => Vec::new(),
    };
    examination.folder.tokenizer = match (found.is_empty(), &examination.names) {
        (false, _) => Presence::Here,
        (true, Some(_)) => Presence::Missing,
        (true, None) => Presence::Unknown,
    };
    for name in found {
        let path = examination.path.join(&name);
        let called = name.clone();
        let file = file::with(examination.view, &path, Role::Tokenizer, name, |reader, stat| {
            content(reader, stat, &called)
        });
        examination.files.push(file);
    }
}

/// A template is in a file of its own or in `tokenizer_config.json`, which is judged as well.
fn chat_template(examination: &mut Examination<'_>) {
    const SETTINGS: &str = "tokenizer_config.json";
    let here =
        ["chat_template.jinja", "chat_template.json"].iter().any(|name| examination.has(name));
    let mut said = None;
    if examination.has(SETTINGS) {
        let path = examination.path.join(SETTINGS);
        let mut says: Option<TokenizerSettings> = None;
        let keep = |ObjectOf(settings)| says = Some(settings);
        let longest = LONGEST_CONFIGURATION;
        let file = parsed(examination.view, &path, SETTINGS, Role::Tokenizer, longest, keep);
        said = says.as_mut().and_then(|says| says.chat_template.take());
        examination.folder.documents.tokenizer = says;
        // No engine needs it, but one that cannot be read stops every engine.
        if file.state() == FileState::Invalid {
            examination.files.push(file);
        }
    }
    let here = here || said.is_some();
    examination.folder.templates = templates::taken(examination, said.as_ref());
    examination.folder.chat_template = if here { Presence::Here } else { Presence::Missing };
}

/// The tokenizer that is read by a library of its own.
const FAST: &str = "tokenizer.json";

/// Up to this a tokenizer is read as a whole; longer ones would take longer than everything else.
const READ_WHOLE: u64 = 4 << 20;

/// A tokenizer can have many megabytes, so a long one is judged by how it begins and ends.
fn content(reader: &mut dyn ReadSeek, stat: &Stat, name: &str) -> Content {
    let is_json = name.ends_with(".json");
    let head = match file::head(reader) {
        Ok(head) => head,
        Err(error) => return Content::Unknown(error.to_string()),
    };
    let found = recognise(&head);
    let is_no_tokenizer = matches!(
        found,
        Lookalike::Empty | Lookalike::Pointer { .. } | Lookalike::Html | Lookalike::Zeros
    );
    if is_no_tokenizer || (is_json && found != Lookalike::Json) {
        file::lookalike(found)
    } else if name == FAST && stat.size <= READ_WHOLE {
        match json::parse::<Fast>(reader, stat.size) {
            Ok(Fast) => Content::Document,
            Err(error) => Content::Broken(Defect::Document(error.to_string())),
        }
    } else if is_json && stat.size <= READ_WHOLE {
        match json::parse::<IgnoredAny>(reader, stat.size) {
            Ok(_) => Content::Document,
            Err(error) => Content::Broken(Defect::Document(error.to_string())),
        }
    } else if is_json {
        ending(reader, stat)
    } else {
        Content::Document
    }
}

fn ending(reader: &mut dyn ReadSeek, stat: &Stat) -> Content {
    let mut tail = Vec::new();
    let read = reader
        .seek(SeekFrom::Start(stat.size.saturating_sub(64)))
        .and_then(|_| reader.take(64).read_to_end(&mut tail));
    match read {
        Err(error) => Content::Unknown(error.to_string()),
        Ok(_) if tail.trim_ascii_end().ends_with(b"}") => Content::Document,
        Ok(_) => Content::Broken(Defect::Document("it ends in the middle".to_owned())),
    }
}

//! One file: what it is, and whether it is whole.

use std::io::{ErrorKind, Read as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::archive::{self, ArchiveError};
use super::gguf::split::{self, Split, SplitProblem};
use super::gguf::{self, GgufError, Tensor};
use super::lookalike::{HEAD, Lookalike, recognise};
use super::safetensors::{self, SafetensorsError};
use crate::file_name::hub_cache::{self, DOWNLOADS};
use crate::file_name::weights::Weights;
use crate::look::{FileKind, Look, Stat};
use crate::plan::engine::Part;
use crate::project::view::{ReadSeek, View};

/// One file of a model.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// Below the model's folder; for a model that is a file, its name.
    pub name: PathBuf,
    /// What it is for.
    pub role: Role,
    /// Bytes, if it is there.
    pub size: Option<u64>,
    /// Bytes that are really on the disk, where that is known.
    pub allocated: Option<u64>,
    /// How many of the windows that were sampled out of it hold nothing but zeros; 0 where none
    /// was sampled, because it is small or no model.
    pub zero_windows: u64,
    /// Of a file that is not there: a name beside it that differs only in letter case or in `-`,
    /// `_` and `.`.
    pub similar: Option<String>,
    /// Of a document: the first number in it that Python's `json` reads and JSON does not have.
    pub python_number: Option<&'static str>,
    /// What is in it.
    pub content: Content,
}

/// How many windows are sampled out of a file of weights, evenly spread, the last at its end.
pub const WINDOWS: u64 = 8;

/// How long a window is, in bytes.
const WINDOW: u64 = 4096;

/// Smaller files are not sampled.
const WORTH_SAMPLING: u64 = 64 * WINDOW;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Weights, alone.
    Weights,
    /// Weights, one of several files.
    Shard,
    /// `config.json` and what stands in its place.
    Config,
    /// The table that says which shard holds which tensor.
    Index,
    /// The tokenizer, or a part of it.
    Tokenizer,
    /// A part of a sentence-transformers pipeline.
    Module,
    /// Anything else, which only has to be there: a template.
    Plain,
}

/// What is in a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// Nothing is there.
    Absent,
    /// It could not be looked at: no permission.
    Denied(String),
    /// It could not be looked at, and why.
    Unknown(String),
    /// A readable GGUF header.
    Gguf(Box<gguf::Header>),
    /// A valid safetensors header.
    Safetensors(safetensors::Header),
    /// A zip archive of pickles that has its end.
    Archive,
    /// A bare pickle.
    Pickle,
    /// A document that could be read as what it should be.
    Document,
    /// Something that will not load.
    Broken(Defect),
}

/// How a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// There and valid, as far as its header tells.
    Present,
    /// Brought by this run, hash verified.
    Fetched,
    /// Not there.
    Missing,
    /// There and not loadable.
    Invalid,
    /// Not looked at.
    Unknown,
}

/// Why a file will not load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// It is something else.
    Lookalike(Lookalike),
    /// Its GGUF header is refused.
    Gguf(GgufError),
    /// Its safetensors header is refused.
    Safetensors(SafetensorsError),
    /// The archive is not whole.
    Archive(ArchiveError),
    /// The document cannot be read as what it should be, in the parser's words.
    Document(String),
}

/// What the names of unfinished downloads end with: `hf` and preflight, aria2, browsers, hfd and
/// lftp, llama.cpp, Ollama, Safari, Opera, IDM.
const UNFINISHED: [&str; 12] = [
    ".incomplete",
    ".aria2",
    ".part",
    ".partial",
    ".crdownload",
    ".downloadInProgress",
    "-partial",
    ".download",
    ".opdownload",
    ".tmp",
    ".!ut",
    ".lftp-pget-status",
];

impl Role {
    /// What a file that is named by itself for `part` has to be. Only a tokenizer leaves that open: it
    /// is a text or a GGUF file, by its ending.
    pub(super) fn of_part(part: Part, path: &Path) -> Self {
        match part {
            Part::Model | Part::Mmproj | Part::Lora | Part::Draft | Part::ControlVector => {
                Self::Weights
            }
            Part::Tokenizer => match path.extension().and_then(|ending| ending.to_str()) {
                Some("jinja" | "j2" | "txt" | "json") => Self::Plain,
                Some(_) | None => Self::Weights,
            },
            Part::ChatTemplate | Part::Text | Part::Folder | Part::Models => Self::Plain,
        }
    }
}

impl Content {
    /// Whether nothing is there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl ModelFile {
    /// How it is, as far as its name, size and header tell.
    #[must_use]
    pub fn state(&self) -> FileState {
        match &self.content {
            Content::Absent => FileState::Missing,
            Content::Denied(_) | Content::Unknown(_) => FileState::Unknown,
            Content::Broken(_) => FileState::Invalid,
            Content::Gguf(header) if header.outside.is_some() || header.refused.is_some() => {
                FileState::Invalid
            }
            Content::Safetensors(header) if header.expected_size != header.actual_size => {
                FileState::Invalid
            }
            Content::Gguf(_)
            | Content::Safetensors(_)
            | Content::Archive
            | Content::Pickle
            | Content::Document => FileState::Present,
        }
    }

    /// A file that should be there and is not.
    pub(super) fn absent(name: impl Into<PathBuf>, role: Role) -> Self {
        Self {
            name: name.into(),
            role,
            size: None,
            allocated: None,
            zero_windows: 0,
            similar: None,
            python_number: None,
            content: Content::Absent,
        }
    }
}

/// Looks at the file at `path`.
pub(super) fn examine(
    view: &dyn View,
    path: &Path,
    role: Role,
    name: impl Into<PathBuf>,
) -> ModelFile {
    with(view, path, role, name, |reader, stat| content(role, reader, stat))
}

/// Looks at the file at `path` with `read`, which gets the open file at its start.
pub(super) fn with(
    view: &dyn View,
    path: &Path,
    role: Role,
    name: impl Into<PathBuf>,
    read: impl FnOnce(&mut dyn ReadSeek, &Stat) -> Content,
) -> ModelFile {
    let mut file = ModelFile::absent(name, role);
    let stat = match view.stat(path) {
        Look::Seen(stat) => stat,
        Look::Absent => return file,
        Look::Denied(why) => return ModelFile { content: Content::Denied(why), ..file },
        Look::Unknown(why) => return ModelFile { content: Content::Unknown(why), ..file },
    };
    if stat.kind == FileKind::Directory {
        return ModelFile { content: lookalike(Lookalike::Folder), ..file };
    }
    file.size = Some(stat.size);
    file.allocated = stat.allocated;
    file.content = match view.open(path) {
        Look::Seen(mut reader) => {
            let content = read(&mut *reader, &stat);
            if view.is_near() && matches!(content, Content::Gguf(_) | Content::Safetensors(_)) {
                file.zero_windows = zero_windows(&mut *reader, stat.size);
            }
            content
        }
        // Gone since it was seen.
        Look::Absent => Content::Absent,
        Look::Denied(why) => Content::Denied(why),
        Look::Unknown(why) => Content::Unknown(why),
    };
    file
}

/// Of the windows sampled out of a file, how many are all zeros. One that cannot be read is not.
fn zero_windows(reader: &mut dyn ReadSeek, size: u64) -> u64 {
    if size < WORTH_SAMPLING {
        return 0;
    }
    let mut window = Vec::new();
    let mut is_zero = |number: u64| {
        window.clear();
        let start = (size - WINDOW) / WINDOWS * number + (size - WINDOW) % WINDOWS;
        let read = reader
            .seek(SeekFrom::Start(start))
            .and_then(|_| (&mut *reader).take(WINDOW).read_to_end(&mut window));
        read.is_ok() && !window.is_empty() && window.iter().all(|byte| *byte == 0)
    };
    (1..=WINDOWS).map(|number| u64::from(is_zero(number))).sum()
}

/// Whether two names differ, and only in letter case or in `-`, `_` and `.`.
pub(super) fn is_similar(name: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_lowercase().replace(['_', '.'], "-");
    name != other && plain(name) == plain(other)
}

/// The first bytes of a file; leaves the reader at its start.
pub(super) fn head(reader: &mut dyn ReadSeek) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.seek(SeekFrom::Start(0))?;
    reader.take(HEAD).read_to_end(&mut head)?;
    reader.seek(SeekFrom::Start(0))?;
    Ok(head)
}

pub(super) fn lookalike(lookalike: Lookalike) -> Content {
    Content::Broken(Defect::Lookalike(lookalike))
}

/// What the open file is.
pub(super) fn content(role: Role, reader: &mut dyn ReadSeek, stat: &Stat) -> Content {
    let head = match head(reader) {
        Ok(head) => head,
        Err(error) => return Content::Unknown(error.to_string()),
    };
    let found = recognise(&head);
    match (role, found) {
        (_, found @ (Lookalike::Empty | Lookalike::Pointer { .. })) => lookalike(found),
        (Role::Weights | Role::Shard, found) => weights(reader, stat, &head, found),
        (Role::Config | Role::Index | Role::Module, Lookalike::Json)
        | (Role::Tokenizer | Role::Plain, _) => Content::Document,
        (Role::Config | Role::Index | Role::Module, found) => lookalike(found),
    }
}

fn weights(reader: &mut dyn ReadSeek, stat: &Stat, head: &[u8], found: Lookalike) -> Content {
    // Protocols 2 to 5 of Python's pickle.
    if matches!(head, [0x80, 2..=5, ..]) {
        Content::Pickle
    } else if found == Lookalike::Gguf {
        match gguf::read(reader, stat.size) {
            Ok(header) => Content::Gguf(Box::new(header)),
            Err(GgufError::Read { kind, .. }) => Content::Unknown(unread(kind)),
            Err(error) => Content::Broken(Defect::Gguf(error)),
        }
    } else if found == Lookalike::Safetensors {
        match safetensors::read(reader, stat.size) {
            Ok(header) => Content::Safetensors(header),
            Err(SafetensorsError::Read { kind }) => Content::Unknown(unread(kind)),
            Err(error) => Content::Broken(Defect::Safetensors(error)),
        }
    } else if found == Lookalike::Zip {
        archive(reader, stat.size)
    } else {
        lookalike(found)
    }
}

/// Why a file could not be read as far as it has to be.
fn unread(kind: ErrorKind) -> String {
    if kind == ErrorKind::Unsupported {
        "only its beginning can be read from here".to_owned()
    } else {
        kind.to_string()
    }
}

fn archive(reader: &mut dyn ReadSeek, size: u64) -> Content {
    match archive::check(reader, size) {
        Ok(()) => Content::Archive,
        Err(ArchiveError::Read { kind }) => Content::Unknown(unread(kind)),
        Err(error) => Content::Broken(Defect::Archive(error)),
    }
}

/// Whether a name is that of an unfinished download.
pub(super) fn is_unfinished(name: &str) -> bool {
    UNFINISHED.iter().any(|ending| name.ends_with(ending)) || is_of_rsync(name)
}

/// `.NAME.` and six characters, where the name is that of a model's file.
fn is_of_rsync(name: &str) -> bool {
    let Some((rest, end)) = name.strip_prefix('.').and_then(|rest| rest.rsplit_once('.')) else {
        return false;
    };
    end.len() == 6
        && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && (Weights::of(rest).is_some() || [".json", ".model"].iter().any(|it| rest.ends_with(it)))
}

/// Names of unfinished downloads of the file at `path`, there or not. Needs no listing.
pub(super) fn leftovers_beside(view: &dyn View, path: &Path) -> Vec<String> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let hidden = hidden_leftovers(view, path, name);
    UNFINISHED
        .iter()
        .map(|ending| format!("{name}{ending}"))
        .filter(|name| matches!(view.stat(&path.with_file_name(name)), Look::Seen(_)))
        .chain(hidden)
        .collect()
}

/// What tools keep elsewhere than under the name and an ending: rsync writes `.NAME.` and six
/// characters, `hf download --local-dir` a hash of the name below `.cache` (huggingface_hub 0.36.2,
/// `_local_folder.py`; before, the name itself).
fn hidden_leftovers(view: &dyn View, path: &Path, name: &str) -> Vec<String> {
    let list = |folder: &Path| view.list(folder).seen().cloned().unwrap_or_default();
    let Some(folder) = path.parent() else { return Vec::new() };
    let rsync = format!(".{name}.");
    let is_rsync = |found: &String| {
        found.strip_prefix(&rsync).is_some_and(|end| {
            end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    let starts = [format!("{name}."), format!("{}.", hub_cache::temporary_stem(name))];
    let is_hf = |found: &String| {
        found.ends_with(".incomplete") && starts.iter().any(|start| found.starts_with(start))
    };
    let hf = list(&folder.join(DOWNLOADS))
        .into_iter()
        .filter(is_hf)
        .map(|name| format!("{DOWNLOADS}/{name}"));
    list(folder).into_iter().filter(is_rsync).chain(hf).collect()
}

/// A name beside `path` that is nearly the same.
pub(super) fn similar_beside(view: &dyn View, path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let names = view.list(path.parent()?).seen().cloned()?;
    names.into_iter().find(|other| is_similar(name, other))
}

/// Looks at the other files of a split model, whose first file is `files[0]`, and adds them.
/// Absent for a model that is not split.
pub(super) fn split(view: &dyn View, path: &Path, files: &mut Vec<ModelFile>) -> Option<Split> {
    let Content::Gguf(header) = &files.first()?.content else { return None };
    let metadata = &header.metadata;
    let count = metadata.split_count.filter(|count| *count > 1)?;
    let problem = |problem| Some(Split { count, problem: Some(problem) });
    if let Some(number) = metadata.split_number.filter(|number| *number > 0) {
        return problem(SplitProblem::NotFirst { number, count });
    }
    let expected = metadata.split_tensors;
    let first = path.file_name().and_then(|name| name.to_str());
    // `split.count` is a 16-bit number in llama.cpp.
    let names =
        first.filter(|_| count <= u64::from(u16::MAX)).and_then(|first| split::names(first, count));
    let Some(names) = names else {
        return problem(SplitProblem::Name { count });
    };
    if files[0].state() != FileState::Present {
        files.extend(names.iter().skip(1).map(|name| presence(view, path, name)));
        return Some(Split { count, problem: None });
    }
    files[0].role = Role::Shard;
    let mut tensors = reread(view, path);
    let mut misplaced = None;
    for (number, name) in (0..).zip(&names).skip(1) {
        let (file, own, found) = part(view, &path.with_file_name(name), name);
        if matches!(file.content, Content::Gguf(_)) && found != Some(number) {
            misplaced.get_or_insert(SplitProblem::Misplaced { file: name.clone(), found });
        }
        tensors.extend(own);
        files.push(file);
    }
    let whole = files.iter().all(|file| file.state() == FileState::Present);
    let problem = misplaced.or_else(|| if whole { disagreement(&tensors, expected) } else { None });
    if let Some(Content::Gguf(header)) = files.first_mut().map(|file| &mut file.content)
        && whole
        && problem.is_none()
    {
        header.judge_whole(&tensors);
    }
    Some(Split { count, problem })
}

/// One part, its tensors, and the number that it says it has.
fn part(view: &dyn View, path: &Path, name: &str) -> (ModelFile, Vec<Tensor>, Option<u64>) {
    let mut tensors = Vec::new();
    let mut number = None;
    let file = with(view, path, Role::Shard, name, |reader, stat| {
        let found = content(Role::Plain, reader, stat);
        if matches!(found, Content::Broken(_)) {
            return found;
        }
        match gguf::parse(&mut *reader, stat.size) {
            Ok(parsed) => {
                tensors = parsed.tensors;
                number = parsed.header.metadata.split_number;
                Content::Gguf(Box::new(parsed.header))
            }
            Err(_) => content(Role::Shard, reader, stat),
        }
    });
    (file, tensors, number)
}

fn presence(view: &dyn View, path: &Path, name: &str) -> ModelFile {
    part(view, &path.with_file_name(name), name).0
}

fn reread(view: &dyn View, path: &Path) -> Vec<Tensor> {
    match (view.stat(path), view.open(path)) {
        (Look::Seen(stat), Look::Seen(reader)) => {
            gguf::parse(reader, stat.size).map(|parsed| parsed.tensors).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn disagreement(tensors: &[Tensor], expected: Option<u64>) -> Option<SplitProblem> {
    if let Some(tensor) = gguf::duplicate(tensors) {
        return Some(SplitProblem::Duplicate { tensor: tensor.to_owned() });
    }
    let found = tensors.len() as u64;
    expected
        .filter(|expected| *expected != found)
        .map(|expected| SplitProblem::Tensors { expected, found })
}

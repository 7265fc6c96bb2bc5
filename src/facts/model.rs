//! Facts about model files, from their names, sizes and headers alone.
//!
//! Everything below is pure over [`View`] and `Read + Seek`: nothing here judges, and nothing
//! reads a byte of a tensor.

pub mod archive;
mod delivered;
pub mod file;
pub mod gguf;
pub mod huggingface;
pub mod jinja;
mod json;
mod lack;
mod layout;
mod lookalike;
pub mod router;
pub mod safetensors;
pub mod sentence_transformers;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use self::delivered::examine_delivered;
pub use self::file::{Content, Defect, FileState, ModelFile, Role};
pub use self::gguf::split::{Split, SplitProblem};
pub use self::huggingface::Folder;
pub use self::lack::{Lack, Needs};
pub use self::lookalike::Lookalike;

use crate::look::{FileKind, Look};
use crate::plan::engine::Part;
use crate::project::view::View;

/// What is at a path that a lane's engine will open as a model.
#[derive(Debug, Clone)]
pub enum ModelFacts {
    /// Nothing is there.
    Absent,
    /// It could not be looked at: no permission.
    Denied(String),
    /// It could not be looked at, and why.
    Unknown(String),
    /// It was looked at.
    Seen(Box<Model>),
}

/// A model that was looked at.
#[derive(Debug, Clone)]
pub struct Model {
    /// Whether the path names a file or a folder.
    pub shape: Shape,
    /// Every file that its engine needs, there or not. The file at the path itself comes first.
    pub files: Vec<ModelFile>,
    /// Names of unfinished downloads beside them.
    pub leftovers: Vec<String>,
}

/// What a path names.
#[derive(Debug, Clone)]
pub enum Shape {
    /// One file.
    File,
    /// The first of several GGUF files.
    Split(Split),
    /// A folder in the layout of the hub.
    Folder(Box<Folder>),
    /// A text that is read as a whole: a chat template.
    Text(String),
    /// A folder that only has to be there.
    Directory,
}

/// One line of a list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// In the space of the path that was asked for.
    pub path: PathBuf,
    /// Bytes, if seen.
    pub size: Option<u64>,
    /// As far as names, sizes and headers tell.
    pub state: FileState,
}

/// Looks at whatever is at `path` as a model: a GGUF file (with its split set), a safetensors file, a
/// Hugging Face folder. Blocking.
#[must_use]
pub fn examine(view: &dyn View, path: &Path) -> ModelFacts {
    weights(view, path, Part::Model)
}

fn weights(view: &dyn View, path: &Path, part: Part) -> ModelFacts {
    let stat = match view.stat(path) {
        Look::Seen(stat) => stat,
        Look::Absent => return ModelFacts::Absent,
        Look::Denied(why) => return ModelFacts::Denied(why),
        Look::Unknown(why) => return ModelFacts::Unknown(why),
    };
    match stat.kind {
        FileKind::Directory => huggingface::examine(view, path, part),
        FileKind::File => {
            let mut files =
                vec![file::examine(view, path, Role::of_part(part, path), file_name(path))];
            match &files[0].content {
                Content::Denied(why) => return ModelFacts::Denied(why.clone()),
                Content::Unknown(why) => return ModelFacts::Unknown(why.clone()),
                Content::Absent => return ModelFacts::Absent,
                Content::Gguf(_)
                | Content::Safetensors(_)
                | Content::Archive
                | Content::Pickle
                | Content::Document
                | Content::Broken(_) => {}
            }
            let shape = match file::split(view, path, &mut files) {
                Some(split) => Shape::Split(split),
                None => Shape::File,
            };
            let leftovers = file::leftovers_beside(view, path);
            ModelFacts::Seen(Box::new(Model { shape, files, leftovers }))
        }
        FileKind::Other => {
            ModelFacts::Unknown(format!("`{}` is neither a file nor a folder", path.display()))
        }
    }
}

/// Looks at whatever is at `path` as it is opened for `part`: a model as [`examine`] does, a text or a
/// folder for being there, readable, and one. Blocking.
#[must_use]
pub fn examine_as(view: &dyn View, path: &Path, part: Part) -> ModelFacts {
    match part {
        Part::ChatTemplate => template(view, path),
        Part::Text => text(view, path),
        Part::Folder | Part::Models => match view.stat(path).seen() {
            Some(stat) if stat.kind == FileKind::Directory => directory(view, path, part),
            Some(_) | None => text(view, path),
        },
        Part::Model
        | Part::Tokenizer
        | Part::Mmproj
        | Part::Lora
        | Part::Draft
        | Part::ControlVector => weights(view, path, part),
    }
}

fn text(view: &dyn View, path: &Path) -> ModelFacts {
    let file = file::with(view, path, Role::Plain, file_name(path), |_, _| Content::Document);
    match file.content {
        Content::Absent => ModelFacts::Absent,
        Content::Denied(why) => ModelFacts::Denied(why),
        Content::Unknown(why) => ModelFacts::Unknown(why),
        Content::Gguf(_)
        | Content::Safetensors(_)
        | Content::Archive
        | Content::Pickle
        | Content::Document
        | Content::Broken(_) => {
            let (shape, leftovers) = (Shape::File, Vec::new());
            ModelFacts::Seen(Box::new(Model { shape, files: vec![file], leftovers }))
        }
    }
}

/// A chat template, with its text where that is no longer than templates are.
fn template(view: &dyn View, path: &Path) -> ModelFacts {
    let mut facts = text(view, path);
    if let ModelFacts::Seen(model) = &mut facts
        && let Some(text) = huggingface::template(view, path)
    {
        model.shape = Shape::Text(text);
    }
    facts
}

/// A folder of models is there when it can be listed.
fn directory(view: &dyn View, path: &Path, part: Part) -> ModelFacts {
    let names = if part == Part::Models { view.list(path).map(drop) } else { Look::Seen(()) };
    match names {
        Look::Seen(()) => {
            let (files, leftovers) = (Vec::new(), Vec::new());
            ModelFacts::Seen(Box::new(Model { shape: Shape::Directory, files, leftovers }))
        }
        Look::Absent => ModelFacts::Absent,
        Look::Denied(why) => ModelFacts::Denied(why),
        Look::Unknown(why) => ModelFacts::Unknown(why),
    }
}

/// A name beside `path` that differs only in letter case or in `-`, `_` and `.`. Blocking.
#[must_use]
pub fn similar_beside(view: &dyn View, path: &Path) -> Option<String> {
    file::similar_beside(view, path)
}

/// Names of unfinished downloads of what should be at `path`. Blocking.
#[must_use]
pub fn leftovers_beside(view: &dyn View, path: &Path) -> Vec<String> {
    file::leftovers_beside(view, path)
}

/// What the first bytes of the file at `path` look like; absent: they cannot be read. Blocking.
#[must_use]
pub fn lookalike(view: &dyn View, path: &Path) -> Option<Lookalike> {
    let Look::Seen(mut reader) = view.open(path) else { return None };
    file::head(&mut *reader).ok().map(|head| lookalike::recognise(&head))
}

fn file_name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}

impl ModelFacts {
    /// What was seen, if anything was.
    #[must_use]
    pub fn seen(&self) -> Option<&Model> {
        match self {
            Self::Seen(model) => Some(model),
            Self::Absent | Self::Denied(_) | Self::Unknown(_) => None,
        }
    }

    /// Whether nothing that an engine needs is missing, truncated or invalid: nothing has to be
    /// fetched. False as well when it could not be looked at.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.seen().is_some_and(Model::complete)
    }

    /// Every file that an engine needs, there or not, below or beside `path`: the path that was
    /// examined, in whatever space it shall be listed.
    #[must_use]
    pub fn list(&self, path: &Path) -> Vec<Listed> {
        let alone = |state| vec![Listed { path: path.to_path_buf(), size: None, state }];
        match self {
            Self::Absent => alone(FileState::Missing),
            Self::Denied(_) | Self::Unknown(_) => alone(FileState::Unknown),
            Self::Seen(model) => model
                .files
                .iter()
                .map(|file| Listed {
                    path: model.path_of(path, file),
                    size: file.size,
                    state: file.state(),
                })
                .collect(),
        }
    }

    /// Architecture, quantisation, context and size in a few words; absent when nothing was seen.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        self.seen().map(Model::summary)
    }

    /// Bytes of all files that were seen.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.seen().map_or(0, Model::size)
    }
}

impl Model {
    /// Whether nothing is there of what its engine needs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_there = |file: &ModelFile| file.state() != FileState::Missing;
        self.folder().is_some_and(|folder| folder.names == Some(0))
            || !self.files.is_empty() && !self.files.iter().any(is_there)
    }

    /// The folder's facts, where it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Folder> {
        match &self.shape {
            Shape::Folder(folder) => Some(folder),
            Shape::File | Shape::Split(_) | Shape::Text(_) | Shape::Directory => None,
        }
    }

    /// The header of the GGUF file that the path names.
    #[must_use]
    pub fn gguf(&self) -> Option<&gguf::Header> {
        match &self.files.first()?.content {
            Content::Gguf(header) => Some(header),
            Content::Absent
            | Content::Denied(_)
            | Content::Unknown(_)
            | Content::Safetensors(_)
            | Content::Archive
            | Content::Pickle
            | Content::Document
            | Content::Broken(_) => None,
        }
    }

    /// Where one of its files is, given the path of the model in any space.
    #[must_use]
    pub fn path_of(&self, path: &Path, file: &ModelFile) -> PathBuf {
        match self.shape {
            Shape::Folder(_) | Shape::Directory => path.join(&file.name),
            // A mount may have given it another name.
            Shape::File | Shape::Text(_) => path.to_path_buf(),
            Shape::Split(_) => path.with_file_name(&file.name),
        }
    }

    /// Takes the files at `paths` for not there; `path` is what was examined.
    pub(crate) fn leave_out(&mut self, path: &Path, paths: &BTreeSet<PathBuf>) {
        let gone: Vec<bool> =
            self.files.iter().map(|file| paths.contains(&self.path_of(path, file))).collect();
        let files = self.files.iter_mut().zip(gone).filter(|(_, is_gone)| *is_gone);
        files.for_each(|(file, _)| file.content = Content::Absent);
    }

    /// See [`ModelFacts::complete`].
    #[must_use]
    pub fn complete(&self) -> bool {
        let whole = match &self.shape {
            Shape::File | Shape::Text(_) | Shape::Directory => true,
            Shape::Split(split) => split.problem.is_none(),
            Shape::Folder(folder) => folder.complete(),
        };
        whole && self.files.iter().all(|file| file.state() == FileState::Present)
    }

    fn size(&self) -> u64 {
        self.files.iter().filter_map(|file| file.size).fold(0, u64::saturating_add)
    }

    fn summary(&self) -> String {
        let mut words = Vec::new();
        match (&self.shape, self.gguf(), self.files.first().map(|file| &file.content)) {
            (Shape::Folder(folder), _, _) => words.extend(folder.summary()),
            (_, Some(header), _) => {
                words.extend(header.metadata.architecture.clone());
                words.extend(header.quantisation().map(str::to_owned));
                words.extend(header.metadata.context_length.map(|n| format!("context {n}")));
            }
            (_, None, Some(Content::Safetensors(header))) => {
                words.push("safetensors".to_owned());
                words.extend(header.main_dtype().map(|dtype| dtype.to_string()));
            }
            (_, None, Some(Content::Broken(Defect::Lookalike(lookalike)))) => {
                words.push(lookalike.to_string());
            }
            (_, None, _) => {}
        }
        words.join(", ")
    }
}

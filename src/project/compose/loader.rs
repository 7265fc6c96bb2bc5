//! The order of things: read, parse, interpolate, extend, include, merge, make canonical
//! (compose-go v2.9.1 `loader/loader.go` `loadYamlModel`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Drafts;
use super::canonical;
use super::casts;
use super::defaults;
use super::document;
use super::environment::Environment;
use super::extends;
use super::fault::Fault;
use super::files;
use super::include;
use super::keys::{self, Unknown};
use super::merge;
use super::parse::{self, Document};
use super::paths;
use super::tree::{Kind, Mapping, Node};
use super::unique;
use super::validate;
use super::written;
use crate::limits::{LONGEST_PROJECT_TEXT, MOST_VALUES};
use crate::options::Reach;
use crate::project::Warning;
use crate::source_map::{Place, SourceId, SourceMap};

/// What Compose says of `version`.
pub(super) const VERSION_IGNORED: &str = "the attribute `version` is obsolete and ignored";

/// How many files one project may consist of.
const FILE_LIMIT: usize = 1000;

/// How much a project may still have.
#[derive(Debug)]
struct Room {
    bytes: u64,
    values: usize,
}

/// What loading one project reads and says.
pub(in crate::project) struct Loader<'a> {
    /// What becomes of keys that Compose does not know.
    pub(super) unknown: Unknown,
    /// Every text.
    pub(in crate::project) sources: &'a mut SourceMap,
    /// What Compose warns about.
    pub(in crate::project) warnings: Vec<Warning>,
    /// The Compose files that were opened.
    pub(in crate::project) files: Vec<PathBuf>,
    /// The working directory, by which the user names files.
    pub(super) here: PathBuf,
    /// What `~` stands for.
    pub(super) home: Option<String>,
    /// How files are opened.
    reach: Reach,
    /// The `x-preflight` of included files; Compose itself drops what is not a resource.
    pub(super) included_extension: Option<Node>,
    /// Texts that take the place of files.
    pub(super) drafts: Drafts,
    /// The texts that were opened, by path.
    texts: HashMap<PathBuf, SourceId>,
    room: Room,
}

/// What the files of one project, or of one `include`, have in common.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// To which relative paths are resolved.
    pub(super) directory: PathBuf,
    /// What variables are set to.
    pub(super) environment: Environment,
    /// The files that include this one, outermost first.
    pub(super) included: Vec<PathBuf>,
}

/// A Compose file whose text has been read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) path: PathBuf,
    pub(super) documents: Vec<Document>,
}

/// A path below `here` without that; any other as it is.
pub(super) fn seen_from(here: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix(here) {
        Ok(below) if !below.as_os_str().is_empty() => below.to_path_buf(),
        _ => path.to_path_buf(),
    }
}

impl<'a> Loader<'a> {
    pub(super) fn new(
        sources: &'a mut SourceMap,
        here: &Path,
        home: Option<String>,
        reach: Reach,
    ) -> Self {
        Self {
            unknown: Unknown::Refused,
            sources,
            warnings: Vec::new(),
            files: Vec::new(),
            here: here.to_path_buf(),
            home,
            reach,
            included_extension: None,
            drafts: Drafts::default(),
            texts: HashMap::new(),
            room: Room { bytes: LONGEST_PROJECT_TEXT, values: MOST_VALUES },
        }
    }

    /// Where this process finds a path of the project.
    pub(in crate::project) fn local(&self, path: &Path) -> Option<PathBuf> {
        self.reach.local(path)
    }

    /// Whether there is a file, as far as this process can see.
    pub(super) fn has_file(&self, path: &Path) -> bool {
        self.drafts.contains_key(path) || self.local(path).is_some_and(|path| path.is_file())
    }

    /// Whether there is something that can be opened as a file: also a pipe or a device.
    pub(super) fn has_text(&self, path: &Path) -> bool {
        let found = || self.local(path).and_then(|path| path.metadata().ok());
        self.drafts.contains_key(path) || found().is_some_and(|found| !found.is_dir())
    }

    /// Opens a text.
    pub(in crate::project) fn read(&mut self, path: &Path) -> Result<(SourceId, String), Fault> {
        if let Some(source) = self.texts.get(path) {
            return Ok((*source, self.sources.text(*source).to_owned()));
        }
        if self.texts.len() >= FILE_LIMIT {
            return Err(Fault::whole(format!("the project has more than {FILE_LIMIT} files")));
        }
        let (source, text) = match self.drafts.get(path).cloned() {
            Some(text) => (self.sources.add(&self.shown(path), text.clone()), text),
            None => files::open(path, self.room.bytes, self)?,
        };
        self.room.bytes = self.room.bytes.saturating_sub(text.len() as u64);
        self.texts.insert(path.to_path_buf(), source);
        Ok((source, text))
    }

    /// Lets files have so many bytes in all, beside those that were read.
    pub(in crate::project) fn make_room(&mut self, bytes: u64) {
        self.room.bytes = bytes;
    }

    /// Opens and parses a Compose file.
    pub(super) fn parse(&mut self, path: &Path) -> Result<Parsed, Fault> {
        let (source, text) = self.read(path)?;
        if !self.files.iter().any(|file| file == path) {
            self.files.push(path.to_path_buf());
        }
        let documents = parse::parse(source, &text, &mut self.room.values)?;
        Ok(Parsed { path: path.to_path_buf(), documents })
    }

    /// Counts values that are there once more, because of what is written at `place`.
    pub(super) fn repeat(&mut self, values: usize, place: &Place) -> Result<(), Fault> {
        let left = self.room.values.checked_sub(values);
        self.room.values = left.ok_or_else(|| Fault::at(place, parse::too_many()))?;
        Ok(())
    }

    /// A path as the user knows it: from the working directory if it is below.
    pub(in crate::project) fn shown(&self, path: &Path) -> PathBuf {
        if path == Path::new("-") {
            return PathBuf::from("<stdin>");
        }
        seen_from(&self.here, path)
    }

    /// Warns about something that is written at `place`.
    pub(super) fn warn(&mut self, message: impl Into<String>, place: &Place) {
        self.warnings.push(Warning::new(message, place.clone()));
    }

    /// Warns that a file was chosen among several.
    pub(super) fn warn_of_several(&mut self, what: &str, candidates: &[PathBuf]) {
        if let [winner, _, ..] = candidates {
            let names: Vec<_> = candidates.iter().map(|c| c.display().to_string()).collect();
            let message = format!(
                "found several {what} files (`{}`): using `{}`",
                names.join("`, `"),
                winner.display()
            );
            self.warn(message, &Place::nowhere());
        }
    }
}

/// Loads files over each other into one model: defaults set, validated, paths absolute.
pub(super) fn model(
    loader: &mut Loader<'_>,
    scope: &Scope,
    parsed: Vec<Parsed>,
) -> Result<Node, Fault> {
    let mut model = Node::new(Kind::Mapping(Mapping::default()), Place::nowhere());
    for file in parsed {
        for document in file.documents {
            model = add_document(loader, scope, &file.path, document, model)?;
        }
    }
    defaults::set(&mut model)?;
    validate::check(&model)?;
    paths::resolve(&mut model, &scope.directory, loader)?;
    defaults::resolve_environment(&mut model, &scope.environment);
    Ok(model)
}

fn add_document(
    loader: &mut Loader<'_>,
    scope: &Scope,
    path: &Path,
    document: Document,
    mut model: Node,
) -> Result<Node, Fault> {
    let mut root = interpolated(loader, scope, document.root)?;
    extends::apply(loader, scope, path, &mut root, &document.resets)?;
    let touched = document::touched(&root, &document.resets);
    merge::reset(&mut model, &document.resets);
    include::apply(loader, scope, path, &mut root)?;
    let mut model = merge::merge(model, root)?;
    unique::enforce(&mut model)?;
    written::check(&model, &touched)?;
    if let Some(version) =
        model.as_mapping_mut().and_then(|entries| entries.shift_remove("version"))
    {
        loader.warn(VERSION_IGNORED, &version.key_place());
    }
    canonical::transform(&mut model, &mut loader.warnings, loader.unknown)?;
    unique::enforce(&mut model)?;
    document::check(&model, &touched, loader.unknown)?;
    Ok(model)
}

/// The document with its variables replaced; it must be a mapping.
pub(super) fn interpolated(
    loader: &mut Loader<'_>,
    scope: &Scope,
    mut root: Node,
) -> Result<Node, Fault> {
    if root.as_mapping().is_none() {
        return Err(root.refuse("the top level of a Compose file must be a mapping"));
    }
    if let Some(fault) = keys::kubernetes(&root) {
        return Err(fault);
    }
    casts::interpolate(&mut root, &scope.environment, &mut loader.warnings)?;
    Ok(root)
}

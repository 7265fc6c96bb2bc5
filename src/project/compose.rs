//! Loads a Compose project exactly as Docker Compose 2.40.3 does.
//!
//! `files -> parse -> casts -> extends -> include -> merge -> canonical -> normalize -> assemble`:
//! every step but the last works on one kind of tree, whose values know where they are written.

mod alias_paths;
mod assemble;
pub(in crate::project) mod attribute;
mod canonical;
mod casts;
mod command;
mod consistency;
mod defaults;
mod document;
mod dotenv;
pub mod edit;
mod environment;
mod extends;
pub(in crate::project) mod fault;
pub(in crate::project) mod files;
mod foreign;
mod include;
mod interpolate;
mod keys;
pub(in crate::project) mod loader;
mod lower;
mod merge;
mod merge_keys;
mod normalize;
mod order;
mod outline;
pub(in crate::project) mod parse;
mod paths;
mod ports;
mod print;
pub(in crate::project) mod resolve;
mod scalar;
mod shape;
mod syntax;
pub(in crate::project) mod tree;
mod unique;
mod units;
mod validate;
mod volume;
mod word_places;
mod written;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use thiserror::Error;

use self::assemble::About;
use self::environment::Environment;
use self::fault::Fault;
use self::keys::Unknown;
use self::loader::{Loader, Parsed, Scope};
use crate::options::ProjectOptions;
use crate::path::clean;
use crate::project::Project;
use crate::source_map::{Location, SourceMap, Spanned, VariableSource};

pub use self::foreign::Foreign;
pub use self::print::{ConfigFormat, print, service_names, volume_names};

/// What to do about a file that Compose would fetch.
const USE_A_COPY: &str = "download it and name the copy instead";

/// Texts that are read in the place of files, which need not be there; by absolute path.
pub type Drafts = IndexMap<PathBuf, String>;

/// Why a project could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No file was named and none was found.
    #[error("no Compose file was found in `{directory}` or above{}", and_no_containers(docker.as_deref()))]
    NotFound {
        /// Where the search began.
        directory: PathBuf,
        /// Why the containers could not speak for the files either; absent: they were not asked, or
        /// there is no socket.
        docker: Option<String>,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: std::io::Error,
    },
    /// A file says something that Compose refuses.
    #[error("{location}: {message}")]
    Invalid {
        /// Where.
        location: Location,
        /// What is wrong.
        message: String,
        /// What to do about it, where there is something to add.
        hint: Option<String>,
    },
    /// The project as a whole is something that Compose refuses.
    #[error("{message}")]
    Project {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Something that Compose reads and this version does not.
    #[error("{location}: {feature} is not supported yet")]
    NotSupportedYet {
        /// Where.
        location: Location,
        /// What.
        feature: String,
    },
}

fn and_no_containers(docker: Option<&str>) -> String {
    docker
        .map(|why| format!(", and the containers could not be looked at: {why}"))
        .unwrap_or_default()
}

impl LoadError {
    /// The same, with why the containers could not speak for files that are not there.
    #[must_use]
    pub fn without_containers(self, why: String) -> Self {
        match self {
            Self::NotFound { directory, .. } => Self::NotFound { directory, docker: Some(why) },
            other @ (Self::Read { .. }
            | Self::Invalid { .. }
            | Self::Project { .. }
            | Self::NotSupportedYet { .. }) => other,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => {
                Some("name one, or manifests of Kubernetes, with `-f FILE`".to_owned())
            }
            Self::Invalid { hint, .. } | Self::Project { hint, .. } => hint.clone(),
            Self::NotSupportedYet { .. } => Some(USE_A_COPY.to_owned()),
            Self::Read { .. } => None,
        }
    }
}

/// Loads the project that `options` name; every text that was read is kept in `sources`. Blocking.
///
/// # Errors
/// What Docker Compose refuses is refused, at the line; see [`LoadError`].
pub fn load(options: &ProjectOptions, sources: &mut SourceMap) -> Result<Project, LoadError> {
    load_drafts(options, Drafts::default(), sources)
}

/// [`load`], with `drafts` as if they were written.
///
/// # Errors
/// As [`load`].
pub fn load_drafts(
    options: &ProjectOptions,
    drafts: Drafts,
    sources: &mut SourceMap,
) -> Result<Project, LoadError> {
    let mut loader = loader(options, sources);
    loader.drafts = drafts;
    let loaded = load_with(options, &mut loader);
    loaded.map_err(|fault| fault.locate(sources))
}

/// Who reads the files of a project.
pub(in crate::project) fn loader<'a>(
    options: &ProjectOptions,
    sources: &'a mut SourceMap,
) -> Loader<'a> {
    let home = options.environment.get("HOME").filter(|home| !home.is_empty()).cloned();
    let mut loader = Loader::new(sources, &told_from(options), home, options.reach.clone());
    if options.keeps_unknown_keys {
        loader.unknown = Unknown::Told;
    }
    loader
}

/// The files that the project is merged from, without those that they name. Blocking.
///
/// # Errors
/// As [`load`], as far as that can be seen without reading one of them.
pub fn files(options: &ProjectOptions) -> Result<Vec<PathBuf>, LoadError> {
    let mut sources = SourceMap::default();
    let mut loader = Loader::new(&mut sources, &told_from(options), None, options.reach.clone());
    let found = files::find(options, &mut loader);
    found.map(|found| found.files).map_err(|fault| fault.locate(&sources))
}

/// The folder from which files are told: where preflight was called, but in a container, where that
/// says nothing, the project's.
fn told_from(options: &ProjectOptions) -> PathBuf {
    let here = clean(&options.working_directory);
    let project = options.directory.as_ref().filter(|_| here == Path::new("/"));
    project.map_or(here, |directory| clean(directory))
}

/// What a file of the project is told as: seen from where preflight was called.
#[must_use]
pub fn shown(options: &ProjectOptions, path: &Path) -> PathBuf {
    loader::seen_from(&told_from(options), path)
}

/// What env files say, each by itself and without the environment; absent: it cannot be read so.
/// Blocking.
pub fn env_files(
    options: &ProjectOptions,
    files: &[PathBuf],
    sources: &mut SourceMap,
) -> Vec<Option<IndexMap<String, Spanned<String>>>> {
    let mut loader = Loader::new(sources, &told_from(options), None, options.reach.clone());
    let nothing = Environment::default();
    let mut read = |file: &PathBuf| {
        let variables =
            files::read_dotenv(std::slice::from_ref(file), &nothing, &mut loader).ok()?;
        let mut environment = Environment::default();
        environment.add_missing(&variables);
        Some(environment.into_variables())
    };
    files.iter().map(&mut read).collect()
}

/// The names of the files that Compose looks for in a folder.
pub fn looked_for() -> impl Iterator<Item = &'static str> {
    files::NAMES.into_iter().chain(files::OVERRIDES)
}

/// [`load`], by whoever has read a part of its files before.
pub(in crate::project) fn load_with(
    options: &ProjectOptions,
    loader: &mut Loader<'_>,
) -> Result<Project, Fault> {
    let mut found = files::find(options, loader)?;
    let parsed =
        found.files.iter().map(|file| loader.parse(file)).collect::<Result<Vec<_>, _>>()?;
    let declared = declared_name(&parsed, &found.environment)?;
    let name = files::name(options, &found, declared)?;
    found.environment.set("COMPOSE_PROJECT_NAME", &name, VariableSource::Compose);
    if found.directory.to_str().is_none() {
        let message = format!(
            "the folder of the project, `{}`, has a name that is not UTF-8: paths below it can neither \
             be written in a Compose file nor be asked of Docker",
            found.directory.display()
        );
        return Err(Fault::whole(message).hint("rename it, or start from a link to it"));
    }
    let scope = Scope {
        directory: found.directory.clone(),
        environment: found.environment.clone(),
        included: Vec::new(),
    };
    let mut model = loader::model(loader, &scope, parsed)?;
    if lower::is_empty_document(&model) {
        return Err(Fault::whole("the Compose file is empty").hint("add `services:`"));
    }
    normalize::normalize(&mut model, &name, &found.environment);
    let about = About {
        name,
        directory: &found.directory,
        profiles: profiles(options, &found.environment),
        switched_on: &options.switched_on,
        environment: found.environment.clone(),
    };
    let mut project = assemble::project(loader, &model, about)?;
    word_places::find(&mut project, loader.sources);
    Ok(project)
}

/// The last `name:` of the files, with its variables replaced.
fn declared_name(
    parsed: &[Parsed],
    environment: &Environment,
) -> Result<Option<Spanned<String>>, Fault> {
    let named = parsed
        .iter()
        .flat_map(|file| &file.documents)
        .filter_map(|document| document.root.get("name"))
        .rfind(|name| name.printed().is_some_and(|text| !text.is_empty()));
    let Some(name) = named else { return Ok(None) };
    let text = name.printed().unwrap_or_default();
    let expansion = interpolate::expand(&text, &|name| environment.get(name))
        .map_err(|error| dotenv::refuse(&name.place, &error))?;
    Ok(Some(Spanned::new(expansion.text, name.place.clone())))
}

fn profiles(options: &ProjectOptions, environment: &Environment) -> Vec<String> {
    if !options.profiles.is_empty() {
        return options.profiles.clone();
    }
    let listed = environment.text("COMPOSE_PROFILES").unwrap_or_default();
    listed.split(',').map(|profile| profile.trim().to_owned()).collect()
}

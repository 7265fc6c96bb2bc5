//! What goes wrong inside the loader, before it is known where in which file that was.

use std::path::PathBuf;

use super::LoadError;
use crate::source_map::{Place, SourceMap, Span};

/// A refusal; becomes a [`LoadError`] at the border of the loader.
#[derive(Debug)]
pub(super) enum Fault {
    /// A text says something that Compose refuses.
    Text { span: Option<Span>, message: String, hint: Option<String> },
    /// A text uses something that is not read yet.
    Unsupported { span: Option<Span>, feature: String },
    /// A file cannot be read.
    Read { path: PathBuf, source: std::io::Error },
    /// There is no Compose file.
    NotFound { directory: PathBuf },
}

impl Fault {
    /// A refusal of what is written at `place`.
    pub(super) fn at(place: &Place, message: impl Into<String>) -> Self {
        Self::span(place.span, message)
    }

    /// A refusal of what is written at `span`.
    pub(super) fn span(span: Option<Span>, message: impl Into<String>) -> Self {
        Self::Text { span, message: message.into(), hint: None }
    }

    /// A refusal of the project as a whole.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self::span(None, message)
    }

    /// Something at `place` that is not read yet.
    pub(super) fn unsupported(place: &Place, feature: impl Into<String>) -> Self {
        Self::Unsupported { span: place.span, feature: feature.into() }
    }

    /// The same with advice.
    pub(super) fn hint(self, advice: impl Into<String>) -> Self {
        match self {
            Self::Text { span, message, hint: _ } => {
                Self::Text { span, message, hint: Some(advice.into()) }
            }
            Self::Unsupported { .. } | Self::Read { .. } | Self::NotFound { .. } => self,
        }
    }

    /// The same at `place`, if it has no place of its own.
    pub(super) fn or_at(self, place: &Place) -> Self {
        match self {
            Self::Text { span: None, message, hint } => {
                Self::Text { span: place.span, message, hint }
            }
            Self::Text { .. }
            | Self::Unsupported { .. }
            | Self::Read { .. }
            | Self::NotFound { .. } => self,
        }
    }

    /// With file, line and column.
    pub(super) fn locate(self, sources: &SourceMap) -> LoadError {
        match self {
            Self::Text { span: Some(span), message, hint } => {
                LoadError::Invalid { location: sources.location(span), message, hint }
            }
            Self::Text { span: None, message, hint } => LoadError::Project { message, hint },
            Self::Unsupported { span: Some(span), feature } => {
                LoadError::NotSupportedYet { location: sources.location(span), feature }
            }
            Self::Unsupported { span: None, feature } => LoadError::Project {
                message: format!("{feature} is not supported yet"),
                hint: Some(super::USE_A_COPY.to_owned()),
            },
            Self::Read { path, source } => LoadError::Read { path, source },
            Self::NotFound { directory } => LoadError::NotFound { directory },
        }
    }
}

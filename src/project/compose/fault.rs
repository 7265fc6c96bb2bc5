//! What goes wrong inside the loader, before it is known where in which file that was.

use std::path::PathBuf;

use super::LoadError;
use crate::source_map::{Place, SourceMap, Span, Variable, VariableSource};

/// A refusal; becomes a [`LoadError`] at the border of the loader.
#[derive(Debug)]
pub(in crate::project) enum Fault {
    /// A text says something that Compose refuses.
    Text { place: Place, message: String, hint: Option<String> },
    /// A text uses something that is not read yet.
    Unsupported { span: Option<Span>, feature: String },
    /// A file cannot be read.
    Read { path: PathBuf, source: std::io::Error },
    /// There is no Compose file.
    NotFound { directory: PathBuf },
}

impl Fault {
    /// A refusal of what is written at `place`.
    pub(in crate::project) fn at(place: &Place, message: impl Into<String>) -> Self {
        Self::Text { place: place.clone(), message: message.into(), hint: None }
    }

    /// A refusal of what is written at `span`.
    pub(in crate::project) fn span(span: Option<Span>, message: impl Into<String>) -> Self {
        let place = Place { span, variables: Vec::new() };
        Self::Text { place, message: message.into(), hint: None }
    }

    /// A refusal of the project as a whole.
    pub(in crate::project) fn whole(message: impl Into<String>) -> Self {
        Self::span(None, message)
    }

    /// Something at `place` that is not read yet.
    pub(in crate::project) fn unsupported(place: &Place, feature: impl Into<String>) -> Self {
        Self::Unsupported { span: place.span, feature: feature.into() }
    }

    /// The same with advice.
    pub(in crate::project) fn hint(self, advice: impl Into<String>) -> Self {
        match self {
            Self::Text { place, message, hint: _ } => {
                Self::Text { place, message, hint: Some(advice.into()) }
            }
            Self::Unsupported { .. } | Self::Read { .. } | Self::NotFound { .. } => self,
        }
    }

    /// The same at `place`, if it has no place of its own.
    pub(in crate::project) fn or_at(self, place: &Place) -> Self {
        match self {
            Self::Text { place: Place { span: None, .. }, message, hint } => {
                Self::Text { place: place.clone(), message, hint }
            }
            Self::Text { .. }
            | Self::Unsupported { .. }
            | Self::Read { .. }
            | Self::NotFound { .. } => self,
        }
    }

    /// With file, line and column.
    pub(in crate::project) fn locate(self, sources: &SourceMap) -> LoadError {
        match self {
            Self::Text { place, message, hint } => {
                let message = format!("{message}{}", told(&place.variables, sources));
                let hint = unset_first(&place.variables).or(hint);
                match place.span {
                    Some(span) => {
                        LoadError::Invalid { location: sources.location(span), message, hint }
                    }
                    None => LoadError::Project { message, hint },
                }
            }
            Self::Unsupported { span: Some(span), feature } => {
                LoadError::NotSupportedYet { location: sources.location(span), feature }
            }
            Self::Unsupported { span: None, feature } => LoadError::Project {
                message: format!("{feature} is not supported yet"),
                hint: Some(super::USE_A_COPY.to_owned()),
            },
            Self::Read { path, source } => LoadError::Read { path, source },
            Self::NotFound { directory } => LoadError::NotFound { directory, docker: None },
        }
    }
}

/// What the variables in a refused value are set to by whom: one of them may be what is wrong.
fn told(variables: &[Variable], sources: &SourceMap) -> String {
    let mut told: Vec<String> = Vec::new();
    for Variable { name, set_by } in variables {
        let said = match set_by {
            VariableSource::Environment => format!("`{name}` is set in the environment"),
            VariableSource::EnvFile(span) => {
                format!("`{name}` is set at {}", sources.location(*span))
            }
            VariableSource::Unset => format!("`{name}` is not set"),
            VariableSource::Default | VariableSource::Compose => continue,
        };
        if !told.contains(&said) {
            told.push(said);
        }
    }
    let comma = if told.is_empty() { "" } else { "; " };
    format!("{comma}{}", told.join(", "))
}

/// What is done first: a variable that is not set makes a value that nobody meant.
fn unset_first(variables: &[Variable]) -> Option<String> {
    let unset = variables.iter().find(|variable| variable.set_by == VariableSource::Unset)?;
    let name = &unset.name;
    Some(format!("set `{name}` in `.env`, or give it a default: `${{{name}:-...}}`"))
}

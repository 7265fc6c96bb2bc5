//! The texts that were read and the places in them.
//!
//! Every value that a finding can point at carries a [`Place`]. Lines and columns are computed
//! only when something is printed.

use std::fmt;
use std::path::{Path, PathBuf};

/// Names one text in a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

/// A range of bytes in one text; `start <= end <=` the text's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Where a value was written, and which variables went into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The text that the value was written as; absent for values that no file states (from the
    /// Docker API, the environment, a default of ours).
    pub span: Option<Span>,
    /// The variables that were expanded in it, in order of appearance.
    pub variables: Vec<Variable>,
}

/// A variable that was expanded inside a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name, without `$` or braces.
    pub name: String,
    /// Where its value came from.
    pub set_by: VariableSource,
}

/// Where a variable's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableSource {
    /// The environment of this process.
    Environment,
    /// A line of an env file (`.env`, `--env-file`).
    EnvFile(Span),
    /// The `:-` or `-` default written at the place of use.
    Default,
    /// Computed by Compose itself (`COMPOSE_PROJECT_NAME`).
    Compose,
    /// Nobody set it: it expanded to nothing.
    Unset,
}

/// A value and the place that it was written at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

/// A position that a person can go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file as the user names it.
    pub file: PathBuf,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
}

/// Every text that was read in this run.
#[derive(Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    name: PathBuf,
    text: String,
}

impl Place {
    /// A place that is a span, with no variables in it.
    #[must_use]
    pub fn at(span: Span) -> Self {
        Self { span: Some(span), variables: Vec::new() }
    }

    /// A value that no file states.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// Whether `other` is this, or a part of the text that is written here.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        match (self.span, other.span) {
            (Some(whole), Some(part)) => {
                whole.source == part.source && whole.start <= part.start && part.end <= whole.end
            }
            (None, None) => self == other,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl<T> Spanned<T> {
    /// A value written at `place`.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// A value that no file states.
    pub fn nowhere(value: T) -> Self {
        Self { value, place: Place::nowhere() }
    }
}

impl SourceMap {
    /// Keeps `text`, which is shown to the user as `name`.
    pub fn add(&mut self, name: &Path, text: String) -> SourceId {
        self.sources.push(Source { name: name.to_path_buf(), text });
        SourceId(self.sources.len() - 1)
    }

    /// Every text, in the order in which they were read.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> {
        (0..self.sources.len()).map(SourceId)
    }

    /// The file's name as the user knows it.
    #[must_use]
    pub fn name(&self, source: SourceId) -> &Path {
        self.sources.get(source.0).map_or(Path::new(""), |source| &source.name)
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self, source: SourceId) -> &str {
        self.sources.get(source.0).map_or("", |source| &source.text)
    }

    /// The characters between `span.start` and `span.end`.
    #[must_use]
    pub fn excerpt(&self, span: Span) -> &str {
        self.text(span.source).get(span.start..span.end).unwrap_or("")
    }

    /// File, line and column of the first character of `span`.
    #[must_use]
    pub fn location(&self, span: Span) -> Location {
        let text = self.text(span.source);
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Location {
            file: self.name(span.source).to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new("compose.yaml"), "a: b\nü: wert\n".to_owned());
        let start = "a: b\nü: ".len();
        let span = Span { source, start, end: start + 4 };
        assert_eq!(sources.excerpt(span), "wert");
        assert_eq!(sources.location(span).to_string(), "compose.yaml:2:4");
    }

    #[test]
    fn a_span_outside_its_text_is_the_end_of_it() {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new("x"), "ab".to_owned());
        let span = Span { source, start: 7, end: 9 };
        assert_eq!(sources.excerpt(span), "");
        assert_eq!(sources.location(span).line, 1);
    }
}

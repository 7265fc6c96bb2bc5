//! A value in a document that stops transformers, and by which of its releases that is known.

use serde_json::Value;

use super::About;
use crate::findings::{Finding, Severity};
use crate::plan::engine::Reader;
use crate::plan::engine::transformers::Span;

/// The longest value that is shown.
const LONGEST_SHOWN: usize = 60;

/// What is wrong, after the path of the file.
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) refused_by: RefusedBy,
}

/// Which releases of transformers.
#[derive(Clone, Copy)]
pub(super) enum RefusedBy {
    /// All: 4.57.6 and 5.19.0 were asked.
    All,
    /// Those of the fourth, from 4.48.
    Fourth,
    /// Those that compare the fields of a configuration with their types, from 5.4.
    Comparing,
}

impl Fault {
    /// That a key has a value other than what is taken.
    pub(super) fn of(key: &str, value: &Value, takes: &str, refused_by: RefusedBy) -> Self {
        let what = format!("has {} as its `{key}`, where {takes} is taken", shown(value));
        Self { what, refused_by }
    }
}

/// A value as JSON, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("`{}...`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

impl About<'_> {
    /// A finding about a document, where the release may be one that refuses it.
    pub(super) fn fault(&self, file: &str, fault: &Fault) -> Option<Finding> {
        let severity = self.weight(fault.refused_by)?;
        let subject = self.subject;
        let engine = subject.engine();
        let by = match fault.refused_by {
            RefusedBy::All => "transformers",
            RefusedBy::Fourth => "transformers 4",
            RefusedBy::Comparing => "transformers since 5.4",
        };
        let path = subject.shown().join(file);
        let message = format!(
            "`{}` {}: {by}, with which {engine} reads it, stops",
            path.display(),
            fault.what
        );
        let fix = format!(
            "put that right, or fetch `{file}` again from the repository that the model is of"
        );
        let finding = subject.finding(&super::rules::CONFIG_INVALID, message, fix);
        let finding = finding.with("file", file);
        Some(subject.by_release(finding).severity(severity))
    }

    /// How sure it is; absent: not at all.
    fn weight(&self, refused_by: RefusedBy) -> Option<Severity> {
        let span = self.span.as_ref();
        let is_newer = span.is_none() && self.version.is_some() && self.has_library();
        match refused_by {
            RefusedBy::All if is_newer => Some(Severity::Warning),
            RefusedBy::All => Some(Severity::Error),
            RefusedBy::Fourth => span.is_some_and(Span::is_fourth).then_some(Severity::Error),
            RefusedBy::Comparing => match span {
                Some(span) => span.compares_fields().then_some(Severity::Error),
                None => self.has_library().then_some(Severity::Warning),
            },
        }
    }

    /// Whether it is known which releases of transformers go with those of the engine.
    fn has_library(&self) -> bool {
        matches!(self.rules.reader, Reader::Transformers(Some(_)))
    }
}

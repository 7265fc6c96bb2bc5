//! Where lines begin and end, how deep they are indented, and what a new line looks like there.

use std::ops::Range;

use super::super::outline::{Form, Id, Outline};
use super::super::scalar;
use super::super::tree::Kind;
use super::{Edit, Obstacle};
use crate::project::COMPLETED;

/// What an editor may put before the first character.
const MARK: &str = "\u{feff}";

/// How deep is indented where the file does not tell.
const STEP: usize = 2;

/// A text and its values.
pub(super) struct Pen<'a> {
    pub(super) text: &'a str,
    pub(super) outline: &'a Outline,
}

impl<'a> Pen<'a> {
    /// A text whose lines end in a way that is known.
    pub(super) fn new(text: &'a str, outline: &'a Outline) -> Result<Self, Obstacle> {
        let alone =
            text.match_indices('\r').any(|(at, _)| text.as_bytes().get(at + 1) != Some(&b'\n'));
        if alone { Err(Obstacle::Layout) } else { Ok(Self { text, outline }) }
    }

    pub(super) fn slice(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or("")
    }

    pub(super) fn range(&self, id: Id) -> Range<usize> {
        self.outline.part(id).range.clone()
    }

    /// Where the line begins that `at` is in, behind a byte order mark.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or(self.text);
        match before.rfind('\n') {
            Some(newline) => newline + 1,
            None if before.starts_with(MARK) => MARK.len(),
            None => 0,
        }
    }

    /// Where the line begins that follows the one that `at` is in.
    pub(super) fn next_line(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or("");
        rest.find('\n').map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// The line that begins at `at`, without its end.
    pub(super) fn line(&self, at: usize) -> &'a str {
        self.slice(&(at..self.next_line(at))).trim_end_matches(['\n', '\r'])
    }

    /// How deep a value is indented that begins its line.
    pub(super) fn column(&self, at: usize) -> Option<usize> {
        let before = self.slice(&(self.line_start(at)..at));
        before.bytes().all(|byte| byte == b' ').then_some(before.len())
    }

    /// How deep the keys of a mapping are indented, if each begins its line.
    pub(super) fn columns(&self, table: Id) -> Option<usize> {
        let mut entries = self.outline.entries(table).iter();
        let first = self.column(self.range(entries.next()?.0).start)?;
        entries.all(|(key, _)| self.column(self.range(*key).start) == Some(first)).then_some(first)
    }

    /// How much deeper than its key a mapping with these columns is indented.
    pub(super) fn step(&self, table: Id, columns: usize) -> usize {
        let key = self.outline.key_of(table).and_then(|key| self.column(self.range(key).start));
        key.and_then(|key| columns.checked_sub(key)).filter(|step| *step > 0).unwrap_or(STEP)
    }

    /// Where lines are put that follow `end`: behind the comments that are indented as deep as what
    /// ends there.
    pub(super) fn behind(&self, end: usize, column: usize) -> usize {
        let is_at_start = end > 0 && self.text.as_bytes().get(end - 1) == Some(&b'\n');
        let mut at = if is_at_start { end } else { self.next_line(end) };
        let belongs = |line: &str| {
            let words = line.trim_start_matches(' ');
            words.starts_with('#') && line.len() - words.len() >= column
        };
        while column > 0 && at < self.text.len() && belongs(self.line(at)) {
            at = self.next_line(at);
        }
        at
    }

    /// New lines at the beginning of a line, or behind the last.
    pub(super) fn lines(&self, at: usize, lines: &[String]) -> Edit {
        let newline = self.newline(at);
        let before = self.text.get(..at).unwrap_or("");
        let is_open = !before.is_empty() && before != MARK && !before.ends_with('\n');
        let text = if is_open {
            lines.iter().map(|line| format!("{newline}{line}")).collect()
        } else {
            lines.iter().map(|line| format!("{line}{newline}")).collect()
        };
        Edit { range: at..at, text }
    }

    /// How lines end around `at`.
    pub(super) fn newline(&self, at: usize) -> &'static str {
        let (before, behind) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        let ends = |text: &str, newline: Option<usize>| {
            newline.map(|at| text.get(..at).is_some_and(|line| line.ends_with('\r')))
        };
        let nearest = ends(before, before.rfind('\n')).or_else(|| ends(behind, behind.find('\n')));
        if nearest == Some(true) { "\r\n" } else { "\n" }
    }

    /// A key or a word in the form that its place has.
    pub(super) fn word(&self, word: &str, is_json: bool) -> String {
        if is_json || !matches!(scalar::resolve(word), Kind::String(_)) {
            format!("\"{word}\"")
        } else {
            word.to_owned()
        }
    }

    /// `gate: {condition: service_completed_successfully}`.
    pub(super) fn edge(&self, gate: &str, condition: &str, is_json: bool) -> String {
        let (gate, key) = (self.word(gate, is_json), self.word("condition", is_json));
        format!("{gate}: {{{key}: {}}}", self.word(condition, is_json))
    }

    /// The edge that is wanted.
    pub(super) fn wanted(&self, gate: &str, is_json: bool) -> String {
        self.edge(gate, COMPLETED, is_json)
    }

    /// Whether a value is written in brackets.
    pub(super) fn is_flow(&self, id: Id) -> bool {
        match self.outline.part(id).form {
            Form::List { is_flow, .. } | Form::Table { is_flow, .. } => is_flow,
            Form::Text { .. } | Form::Alias(_) => false,
        }
    }

    /// Whether the keys of a mapping in brackets are written as in JSON.
    pub(super) fn is_json(&self, table: Id) -> bool {
        let first = self.outline.entries(table).first();
        first.is_some_and(|(key, _)| self.slice(&self.range(*key)).starts_with('"'))
    }
}

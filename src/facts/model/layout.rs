//! Layouts of models as data: which entries a model needs and which tensors of which shape, in
//! terms of its own numbers. Nothing here knows a format: a [`Subject`] says what is there.
//!
//! A table is a text of sections, and a section a list of statements, one a line. Indentation means
//! nothing, and a line that begins with `#` is a comment. A statement is one of
//!
//! ```text
//! [NAME PARAMETER...]            begins a section
//! let x = EXPRESSION             sets a number
//! let x[INDEX] = EXPRESSION      sets one number of a list
//! let x[] = EXPRESSION           sets all numbers of a list, those that are not there too
//! let x[] = y[]                  copies a list
//! def f(i) = EXPRESSION          what `f(...)` stands for from here on
//! if EXPRESSION / elif EXPRESSION / else / end
//! for i = FROM, TO / end         TO is not reached
//! use SECTION(ARGUMENT, ...)     the statements of another section, here
//! key NAME KIND [-> x]           an entry that has to be there
//! key? NAME KIND [-> x]          one that may be there; x stays as it is where it is not
//! tensor NAME [EXTENT, ...]      a tensor that has to be there
//! tensor? NAME [EXTENT, ...]     one that may be there
//! tensor(FLAGS) NAME [...]       by a number: 1 may be missing, 2 any shape of as many elements;
//!                                other bits mean nothing here
//! need EXPRESSION                what the loader insists on
//! ```
//!
//! Names are words of letters, digits and `_`. A name that no statement of the section sets is asked of
//! the subject ([`Subject::number`]), and so is `x[i]`. Names of tensors and entries hold numbers in
//! braces: `blk.{i}.attn_q.weight`. KIND is a word that only the subject understands, and
//! may end in `[]` or `[COUNT]`: one for all, or a list of that many. An extent `_` may be anything; a
//! tensor without a list may have any shape. Extents of 1 at the end are the same as none.
//!
//! Expressions have integers, `+ - * / %`, comparisons, `&& || !`, `& |` of bits, `c ? a : b`,
//! `min(a, b)`, `max(a, b)`, `has(TENSOR)`, `extent(TENSOR, NUMBER)` for one of its extents from 0,
//! `said(KEY)`, and `is(KEY, WORD)` for an entry that is a text. Truth is 1 or 0.
//!
//! What cannot be told (an unknown number, an overflow, a division by 0) makes what depends on it
//! unjudged, never wrong: below an `if` that cannot be told, both branches are only allowed.

mod expression;
mod judge;
mod parse;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use self::parse::Program;

/// What a model has, as its own files say.
pub(crate) trait Subject {
    /// A number that the table does not set: of the list `name` at `index`, or `name` itself.
    /// Absent where it is not known.
    fn number(&self, name: &str, index: Option<u64>) -> Option<i64>;

    /// The entry `key`, of which the table wants `kind`.
    fn entry(&self, key: &str, kind: Kind) -> Entry;

    /// Whether the text `key` is `word`; absent where that is not known.
    fn is(&self, key: &str, word: &str) -> Option<bool>;

    /// The tensor `name`.
    fn tensor(&self, name: &str) -> Option<Tensor<'_>>;

    /// How many tensors there are.
    fn tensors(&self) -> usize;
}

/// What a table wants of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The word of the table.
    pub(crate) word: &'static str,
    /// Whether it may be a list.
    pub(crate) list: bool,
    /// How many the list has to have; absent where it may have any number, or that is not known.
    pub(crate) count: Option<u64>,
}

/// What is there of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nothing.
    Absent,
    /// A number of the right type.
    Number(i64),
    /// A list of the right type and length.
    Numbers(Vec<i64>),
    /// Something of the right type, whose value is not known.
    Said,
    /// Something of another type.
    Wrong {
        /// What the table wants.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A list of another length.
    Entries {
        /// How many there are.
        found: u64,
        /// How many have to be.
        expected: u64,
    },
    /// Nothing that can be judged: it may be there, and may be anything.
    Unknown,
}

/// A tensor of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tensor<'a> {
    /// Which of [`Subject::tensors`], from 0.
    pub(crate) index: usize,
    /// Its extents, in the order of the table; absent where they say nothing (packed weights).
    pub(crate) shape: Option<&'a [i64]>,
}

/// What a layout finds wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// An entry that is needed is not there.
    KeyMissing {
        /// Its name.
        key: String,
    },
    /// An entry is of another type.
    KeyType {
        /// Its name.
        key: String,
        /// What the table wants.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A list has another length.
    Entries {
        /// Its name.
        key: String,
        /// How many there are.
        found: u64,
        /// How many have to be.
        expected: u64,
    },
    /// A tensor that is needed is not there.
    TensorMissing {
        /// Its name.
        tensor: String,
    },
    /// A tensor has another shape.
    Shape {
        /// Its name.
        tensor: String,
        /// As it is.
        found: Vec<i64>,
        /// As it has to be.
        expected: Vec<i64>,
    },
    /// The numbers do not go together.
    Numbers {
        /// What the loader insists on, as the table writes it.
        rule: &'static str,
    },
}

/// What a layout says to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// In the order in which a loader would come upon them, the first [`MOST_COMPLAINTS`].
    pub(crate) complaints: Vec<Complaint>,
    /// Tensors that no statement names, by their index; absent where not all names could be told.
    pub(crate) strangers: Option<Vec<usize>>,
}

/// Nobody reads more.
const MOST_COMPLAINTS: usize = 16;

/// A text of sections, read as far as it is asked for.
pub(crate) struct Table {
    text: &'static str,
    sections: OnceLock<BTreeMap<&'static str, Section>>,
}

/// A section as written, and what it means.
struct Section {
    parameters: Vec<&'static str>,
    body: &'static str,
    program: OnceLock<Result<Program, String>>,
}

impl Table {
    /// The table that `text` is.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, sections: OnceLock::new() }
    }

    /// Whether there is a section of that name.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.sections().contains_key(section)
    }

    /// What `section` says to `subject`; absent where there is no such section.
    pub(crate) fn judge(&self, section: &str, subject: &impl Subject) -> Option<Judgement> {
        let program = self.program(section)?.as_ref().ok()?;
        Some(judge::judge(program, subject))
    }

    fn program(&self, name: &str) -> Option<&Result<Program, String>> {
        let section = self.sections().get(name)?;
        Some(section.program.get_or_init(|| parse::program(self, name)))
    }

    fn sections(&self) -> &BTreeMap<&'static str, Section> {
        self.sections.get_or_init(|| sections(self.text))
    }

    /// The sections, and what is wrong with each.
    #[cfg(test)]
    pub(crate) fn mistakes(&self) -> Vec<(&'static str, String)> {
        self.sections()
            .iter()
            .filter(|(_, section)| section.parameters.is_empty())
            .filter_map(|(name, _)| Some((*name, self.program(name)?.as_ref().err()?.clone())))
            .collect()
    }
}

fn sections(text: &'static str) -> BTreeMap<&'static str, Section> {
    let mut sections = BTreeMap::new();
    let starts = text.match_indices("\n[").map(|(start, _)| start + 1);
    let starts: Vec<_> = text.starts_with('[').then_some(0).into_iter().chain(starts).collect();
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(text.len());
        let section = text.get(*start..end).unwrap_or_default();
        let (head, body) = section.split_once('\n').unwrap_or((section, ""));
        let mut words = head.trim_matches(['[', ']']).split_whitespace();
        let Some(name) = words.next() else { continue };
        let parameters = words.collect();
        sections.insert(name, Section { parameters, body, program: OnceLock::new() });
    }
    sections
}

//! One YAML document as a tree in which every value knows where it was written and which variables
//! went into it. Everything between parsing and lowering works on this tree.

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::fault::Fault;
use super::scalar;
use crate::source_map::{Place, Span};

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::project) struct Node {
    /// The value itself.
    pub(in crate::project) kind: Kind,
    /// Where it is written; nowhere for values that the loader adds.
    pub(in crate::project) place: Place,
    /// `!reset` or `!override`, until the merge has seen it.
    pub(in crate::project) mark: Option<Mark>,
}

/// What a value is, by the rules of Compose's YAML parser.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::project) enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    String(String),
    /// A date or a time, as Go prints it: valid YAML that Compose accepts only below `x-` keys.
    Time(String),
    Sequence(Vec<Node>),
    Mapping(Mapping),
}

/// How a value behaves when its file is merged over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::project) enum Mark {
    /// `!reset`: the earlier value goes away.
    Reset,
    /// `!override`: the earlier value is replaced rather than merged.
    Override,
}

/// A mapping in the order of the file.
pub(in crate::project) type Mapping = IndexMap<String, Entry, RandomState>;

/// Some services of a document, by name.
pub(in crate::project) type Services<'tree> = IndexMap<&'tree str, &'tree Entry>;

/// A value of a mapping and where its key is written.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::project) struct Entry {
    pub(in crate::project) key: Option<Span>,
    pub(in crate::project) value: Node,
}

impl Entry {
    /// An entry that no file states.
    pub(in crate::project) fn implied(value: Node) -> Self {
        Self { key: value.place.span, value }
    }

    /// The place of the key.
    pub(in crate::project) fn key_place(&self) -> Place {
        Place { span: self.key.or(self.value.place.span), variables: Vec::new() }
    }
}

impl Node {
    pub(in crate::project) fn new(kind: Kind, place: Place) -> Self {
        Self { kind, place, mark: None }
    }

    /// How many values it is made of, with itself.
    pub(in crate::project) fn values(&self) -> usize {
        let below = match &self.kind {
            Kind::Sequence(items) => items.iter().map(Self::values).sum(),
            Kind::Mapping(entries) => entries.values().map(|entry| entry.value.values()).sum(),
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::String(_)
            | Kind::Time(_) => 0,
        };
        1 + below
    }

    pub(in crate::project) fn string(text: impl Into<String>, place: &Place) -> Self {
        Self::new(Kind::String(text.into()), place.clone())
    }

    pub(in crate::project) fn bool(value: bool, place: &Place) -> Self {
        Self::new(Kind::Bool(value), place.clone())
    }

    pub(in crate::project) fn mapping(
        entries: impl IntoIterator<Item = (&'static str, Self)>,
        place: &Place,
    ) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Entry::implied(value)))
            .collect();
        Self::new(Kind::Mapping(entries), place.clone())
    }

    pub(in crate::project) fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    pub(in crate::project) fn as_str(&self) -> Option<&str> {
        if let Kind::String(text) = &self.kind { Some(text) } else { None }
    }

    pub(in crate::project) fn as_bool(&self) -> Option<bool> {
        if let Kind::Bool(value) = self.kind { Some(value) } else { None }
    }

    pub(in crate::project) fn as_sequence(&self) -> Option<&[Self]> {
        if let Kind::Sequence(items) = &self.kind { Some(items) } else { None }
    }

    pub(in crate::project) fn as_mapping(&self) -> Option<&Mapping> {
        if let Kind::Mapping(entries) = &self.kind { Some(entries) } else { None }
    }

    pub(in crate::project) fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        if let Kind::Mapping(entries) = &mut self.kind { Some(entries) } else { None }
    }

    /// The value below a key of a mapping; nothing for other kinds.
    pub(in crate::project) fn get(&self, key: &str) -> Option<&Self> {
        self.as_mapping()?.get(key).map(|entry| &entry.value)
    }

    pub(in crate::project) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_mapping_mut()?.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Puts a value that no file states; does nothing unless this is a mapping.
    pub(in crate::project) fn insert(&mut self, key: &str, value: Self) {
        if let Some(entries) = self.as_mapping_mut() {
            match entries.get_mut(key) {
                Some(entry) => entry.value = value,
                None => {
                    entries.insert(key.to_owned(), Entry::implied(value));
                }
            }
        }
    }

    /// Puts a value unless the key is there.
    pub(in crate::project) fn insert_default(&mut self, key: &str, value: Self) {
        if self.get(key).is_none() {
            self.insert(key, value);
        }
    }

    /// A scalar as Go's `fmt.Sprint` prints it; `None` for collections and null.
    pub(in crate::project) fn printed(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Int(value) => Some(value.to_string()),
            Kind::Float(value) => Some(scalar::go_float(*value)),
            Kind::String(text) | Kind::Time(text) => Some(text.clone()),
            Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// What the value is, in a message.
    pub(in crate::project) fn described(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Time(_) => "a date",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    /// A refusal of this value.
    pub(in crate::project) fn refuse(&self, message: impl Into<String>) -> Fault {
        Fault::at(&self.place, message)
    }

    /// A refusal of this value because of its kind.
    pub(in crate::project) fn expected(&self, path: &str, what: &str) -> Fault {
        let fault = self.refuse(format!("`{path}` must be {what}, not {}", self.described()));
        let quoted = self.printed().filter(|_| what.contains("string"));
        match quoted {
            Some(text) => fault.hint(format!("quote it: `\"{text}\"`")),
            None => fault,
        }
    }
}

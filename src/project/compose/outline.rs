//! A Compose file as it is written, for whoever changes its text: what is a mapping, a list, a text or
//! an alias, and from where to where. Nothing is expanded, merged or resolved.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, StructureStyle};

/// How many aliases are followed to one value.
const MOST_ALIASES: usize = 64;

/// Names a value of an [`Outline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(usize);

/// A value as it is written.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) form: Form,
    /// Its bytes, without tag and anchor. A list in the column of its key begins behind its first dash;
    /// nothing behind a key is an empty range at the key's end.
    pub(super) range: Range<usize>,
    /// Whether a tag stands before it.
    pub(super) is_tagged: bool,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Form {
    Text {
        value: String,
        is_plain: bool,
    },
    /// Absent: it refers to nothing.
    Alias(Option<Id>),
    List {
        items: Vec<Id>,
        is_flow: bool,
    },
    Table {
        /// Keys and values.
        entries: Vec<(Id, Id)>,
        is_flow: bool,
    },
}

/// The values of a file.
#[derive(Debug)]
pub(super) struct Outline {
    parts: Vec<Part>,
    /// The top-level value of each document.
    pub(super) documents: Vec<Id>,
}

impl Outline {
    /// Absent: the text is not YAML.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut options = Options::default();
        options.bom_inside_document_as_content = true;
        options.block_scalar_eof_without_line_feed = true;
        options.emit_comments = false;
        let parser = Parser::new_from_str_with_options(text, options);
        let parts = Vec::new();
        let mut reader = Reader { parser, text, parts, anchors: HashMap::new() };
        let mut documents = Vec::new();
        loop {
            let (event, range) = reader.next()?;
            if matches!(event, Event::StreamEnd) {
                return Some(Self { parts: reader.parts, documents });
            } else if matches!(event, Event::DocumentStart(..)) {
                reader.anchors.clear();
            } else if matches!(
                event,
                Event::Scalar(..)
                    | Event::SequenceStart(..)
                    | Event::MappingStart(..)
                    | Event::Alias(_)
            ) {
                documents.push(reader.value(event, range)?);
            }
        }
    }

    pub(super) fn part(&self, id: Id) -> &Part {
        &self.parts[id.0]
    }

    /// The value itself, if this is an alias of it.
    pub(super) fn resolved(&self, id: Id) -> Option<Id> {
        let mut id = id;
        for _ in 0..MOST_ALIASES {
            match self.part(id).form {
                Form::Alias(target) => id = target?,
                Form::Text { .. } | Form::List { .. } | Form::Table { .. } => return Some(id),
            }
        }
        None
    }

    /// The keys and values of a mapping; nothing for anything else.
    pub(super) fn entries(&self, id: Id) -> &[(Id, Id)] {
        match &self.part(id).form {
            Form::Table { entries, .. } => entries,
            Form::Text { .. } | Form::Alias(_) | Form::List { .. } => &[],
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match &self.part(id).form {
            Form::Text { value, .. } => Some(value),
            Form::Alias(_) | Form::List { .. } | Form::Table { .. } => None,
        }
    }

    /// What a mapping itself has at a key.
    pub(super) fn own(&self, id: Id, key: &str) -> Option<Id> {
        let mut entries = self.entries(id).iter();
        entries.find(|(name, _)| self.text(*name) == Some(key)).map(|(_, value)| *value)
    }

    /// What a mapping has at a key, of its own or by a merge key.
    pub(super) fn at(&self, id: Id, key: &str) -> Option<Id> {
        self.at_within(id, key, MOST_ALIASES)
    }

    fn at_within(&self, id: Id, key: &str, room: usize) -> Option<Id> {
        let room = room.checked_sub(1)?;
        let id = self.resolved(id)?;
        if let Some(own) = self.own(id, key) {
            return Some(own);
        }
        let merged = self.resolved(self.own(id, super::merge_keys::KEY)?)?;
        match &self.part(merged).form {
            Form::List { items, .. } => {
                items.iter().find_map(|item| self.at_within(*item, key, room))
            }
            Form::Table { .. } => self.at_within(merged, key, room),
            Form::Text { .. } | Form::Alias(_) => None,
        }
    }

    /// The key at which a value is written.
    pub(super) fn key_of(&self, value: Id) -> Option<Id> {
        let mut entries = self.parts.iter().flat_map(|part| match &part.form {
            Form::Table { entries, .. } => entries.as_slice(),
            Form::Text { .. } | Form::Alias(_) | Form::List { .. } => &[],
        });
        entries.find(|(_, other)| *other == value).map(|(key, _)| *key)
    }
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    text: &'text str,
    parts: Vec<Part>,
    anchors: HashMap<usize, Id>,
}

impl<'text> Reader<'text> {
    /// Absent: the text is not YAML, or there is no more of it.
    fn next(&mut self) -> Option<(Event<'text>, Range<usize>)> {
        let (event, span) = self.parser.next_event()?.ok()?;
        Some((event, self.range(span)))
    }

    fn range(&self, span: Span) -> Range<usize> {
        let boundary = |at: Option<usize>, or: usize| {
            self.text.floor_char_boundary(at.unwrap_or(or).min(self.text.len()))
        };
        let start = boundary(span.start.byte_offset(), 0);
        start..boundary(span.end.byte_offset(), start).max(start)
    }

    fn add(&mut self, form: Form, range: Range<usize>, is_tagged: bool) -> Id {
        self.parts.push(Part { form, range, is_tagged });
        Id(self.parts.len() - 1)
    }

    fn value(&mut self, event: Event<'text>, range: Range<usize>) -> Option<Id> {
        let (id, anchor) = match event {
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                return Some(self.add(Form::Alias(target), range, false));
            }
            Event::Scalar(value, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                let range = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => self.block_text(range),
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                        range
                    }
                };
                let form = Form::Text { value: value.into_owned(), is_plain };
                (self.add(form, range, tag.is_some()), anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                let (items, end) = self.items(&range)?;
                let is_flow = style == StructureStyle::Flow;
                let form = Form::List { items, is_flow };
                (self.add(form, range.start..end, tag.is_some()), anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                let (entries, end) = self.pairs(&range)?;
                let is_flow = style == StructureStyle::Flow;
                let form = Form::Table { entries, is_flow };
                (self.add(form, range.start..end, tag.is_some()), anchor)
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | Event::SequenceEnd
            | Event::MappingEnd
            | _ => return None,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Some(id)
    }

    fn items(&mut self, range: &Range<usize>) -> Option<(Vec<Id>, usize)> {
        let (mut items, mut end) = (Vec::new(), range.end);
        loop {
            let (event, range) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Some((items, self.closed(end, &range)));
            }
            let item = self.value(event, range)?;
            end = end.max(self.parts[item.0].range.end);
            items.push(item);
        }
    }

    fn pairs(&mut self, range: &Range<usize>) -> Option<(Vec<(Id, Id)>, usize)> {
        let (mut entries, mut end) = (Vec::new(), range.end);
        loop {
            let (event, range) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Some((entries, self.closed(end, &range)));
            }
            let key = self.value(event, range)?;
            let (event, range) = self.next()?;
            let value = self.value(event, range)?;
            let written = self.parts[key.0].range.end;
            let part = &mut self.parts[value.0];
            if part.range.is_empty() {
                part.range = written..written;
            }
            end = end.max(written).max(part.range.end);
            entries.push((key, value));
        }
    }

    /// Where a collection ends: at its bracket, if it has one.
    fn closed(&self, end: usize, last: &Range<usize>) -> usize {
        let closing = self.text.get(last.clone()).unwrap_or("");
        if ["]", "}"].contains(&closing) { end.max(last.end) } else { end }
    }

    /// The range of a text of several lines without the blank lines below it, unless its head (`|+`) says
    /// that they belong to it. The range begins below the head.
    fn block_text(&self, range: Range<usize>) -> Range<usize> {
        let before = self.text.get(..range.start).unwrap_or("").trim_end();
        let head = before.rsplit('\n').next().unwrap_or("");
        let head = head.split(" #").next().unwrap_or("").trim_end();
        let style = head.rsplit([' ', ':']).next().unwrap_or("");
        if style.contains('+') {
            return range;
        }
        let written = self.text.get(range.clone()).unwrap_or("");
        range.start..range.start + written.trim_end().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands at `services.chat.KEY`.
    fn written<'t>(text: &'t str, key: &str) -> &'t str {
        let outline = Outline::of(text).unwrap();
        let services = outline.own(outline.documents[0], "services").unwrap();
        let chat = outline.resolved(outline.own(services, "chat").unwrap()).unwrap();
        let value = outline.resolved(outline.at(chat, key).unwrap()).unwrap();
        &text[outline.part(value).range.clone()]
    }

    #[test]
    fn every_value_is_found_from_its_first_to_its_last_byte() {
        for (value, expected) in [
            ("[a, b] # c\n", "[a, b]"),
            ("&x {a: {b: c},}\n", "{a: {b: c},}"),
            ("\n      - a\n      - 'b'  # c\n", "- a\n      - 'b'"),
            ("\n      a:\n        b: \"c\"\n\n", "a:\n        b: \"c\""),
            ("\r\n      a: b\r\n", "a: b"),
            ("|\n      text\n\n      more\n\n", "text\n\n      more"),
            ("|+ # c\n      text\n\n", "text\n\n"),
            (">-\n      text", "text"),
            ("\n", ""),
            ("{}\n", "{}"),
        ] {
            let text = format!("\u{feff}services:\n  chat:\n    key: {value}");
            assert_eq!(written(&text, "key"), expected, "{text:?}");
        }
    }

    #[test]
    fn a_merge_key_is_looked_through_and_an_alias_followed() {
        let text =
            "x-a: &a {key: [1]}\nx-b: &b\n  <<: [{other: 2}, *a]\nservices:\n  chat:\n    <<: *b\n";
        assert_eq!(written(text, "key"), "[1]");
        let text = "x-a: &a [1]\nservices:\n  chat: {key: *a}\n";
        assert_eq!(written(text, "key"), "[1]");
    }
}

//! YAML text to [`Node`] trees: anchors and aliases expanded within bounds, tags understood,
//! duplicate keys refused, `<<` merged, `!reset` and `!override` collected.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span as Range, Tag};

use super::alias_paths::AliasPaths;
use super::fault::Fault;
use super::merge_keys::{self, Seen};
use super::scalar;
use super::syntax::{Refusal, Syntax, line_breaks};
use super::tree::{Entry, Kind, Mapping, Mark, Node};
use crate::limits::{MOST_MANIFEST_VALUES, MOST_VALUES};
use crate::source_map::{Place, SourceId, Span};

/// How deep values may be nested, aliases expanded.
const DEPTH_LIMIT: usize = 200;

/// Where the tags of YAML itself live.
const CORE_NAMESPACE: &str = "tag:yaml.org,2002:";

/// One document of a file.
#[derive(Debug)]
pub(in crate::project) struct Document {
    /// The top-level value.
    pub(in crate::project) root: Node,
    /// The paths of `!reset` and `!override` in it, as lists of keys.
    pub(super) resets: Vec<Vec<String>>,
}

/// What is said of a project with more values than there is room for.
pub(super) fn too_many() -> String {
    format!("the project has more than {MOST_VALUES} values")
}

impl Rules {
    /// What is said of a text with more values than there is room for.
    fn too_many(self) -> String {
        match self {
            Self::Compose => too_many(),
            Self::Json => format!("the manifests have more than {MOST_MANIFEST_VALUES} values"),
        }
    }
}

/// By whose rules a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::project) enum Rules {
    /// Those of Docker Compose, which refuses what it could misread.
    Compose,
    /// Those of whoever makes JSON of it first: of a key that is there twice the last value counts,
    /// and every key is a text.
    Json,
}

/// Reads every document of a Compose file. `room` is how many values there may still be.
pub(super) fn parse(
    source: SourceId,
    text: &str,
    room: &mut usize,
) -> Result<Vec<Document>, Fault> {
    parse_by(Rules::Compose, source, text, room)
}

/// Reads every document of a file by these rules.
pub(in crate::project) fn parse_by(
    rules: Rules,
    source: SourceId,
    text: &str,
    room: &mut usize,
) -> Result<Vec<Document>, Fault> {
    let mut options = Options::default();
    options.bom_inside_document_as_content = true;
    options.block_scalar_eof_without_line_feed = true;
    options.emit_comments = false;
    options.emit_anchor_events = true;
    let mut reader = Reader {
        rules,
        parser: Parser::new_from_str_with_options(text, options),
        syntax: Syntax::of(text),
        source,
        text,
        anchors: HashMap::new(),
        aliases: AliasPaths::default(),
        marked: 0,
        seen: Seen::default(),
        room,
    };
    if rules == Rules::Compose {
        line_breaks(text).map_err(|refusal| reader.refuse(refusal))?;
    }
    let mut documents = Vec::new();
    while let Some((event, range)) = reader.next()? {
        if matches!(event, Event::DocumentStart(..)) {
            reader.anchors.clear();
            reader.aliases = AliasPaths::default();
        } else if matches!(
            event,
            Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::MappingStart(..)
                | Event::Alias(_)
        ) {
            let mut root = reader.node(event, range, 0)?.node;
            let resets = merge_keys::resolve(&mut root, reader.seen)?;
            documents.push(Document { root, resets });
        }
    }
    Ok(documents)
}

struct Reader<'text, 'room> {
    rules: Rules,
    parser: Parser<'text, granit_parser::StrInput<'text>>,
    syntax: Syntax<'text>,
    source: SourceId,
    text: &'text str,
    anchors: HashMap<usize, Read>,
    aliases: AliasPaths,
    /// How many values around this one are marked; Compose does not look into those.
    marked: usize,
    seen: Seen,
    room: &'room mut usize,
}

/// A value with what copying it would cost.
#[derive(Clone)]
struct Read {
    node: Node,
    size: usize,
    depth: usize,
}

impl<'text> Reader<'text, '_> {
    fn next(&mut self) -> Result<Option<(Event<'text>, Range)>, Fault> {
        loop {
            let (event, range) = match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    let at = error.marker().byte_offset().unwrap_or(0);
                    return Err(Fault::span(Some(self.point(at)), error.info()));
                }
            };
            if self.rules == Rules::Compose {
                let Span { start, end, .. } = self.span(range);
                let checked = self.syntax.check(&event, start, end);
                checked.map_err(|refusal| self.refuse(refusal))?;
            }
            if !matches!(event, Event::Anchor(..)) {
                return Ok(Some((event, range)));
            }
        }
    }

    fn refuse(&self, refusal: Refusal) -> Fault {
        Fault::span(Some(self.point(refusal.at)), refusal.message).hint(refusal.hint)
    }

    fn point(&self, at: usize) -> Span {
        let at = floor_boundary(self.text, at);
        Span { source: self.source, start: at, end: at }
    }

    fn span(&self, range: Range) -> Span {
        let start = floor_boundary(self.text, range.start.byte_offset().unwrap_or(0));
        let end = floor_boundary(self.text, range.end.byte_offset().unwrap_or(start));
        Span { source: self.source, start, end: end.max(start) }
    }

    fn node(&mut self, event: Event<'text>, range: Range, depth: usize) -> Result<Read, Fault> {
        let span = self.span(range);
        if depth > DEPTH_LIMIT {
            return Err(Fault::span(Some(span), "the values are nested too deeply"));
        }
        self.take(1, span)?;
        let (anchor, mut read) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span, depth),
            Event::Scalar(value, style, anchor, tag) => {
                let node = self.scalar(&value, style, tag.as_deref(), span)?;
                (anchor, Read { node, size: 1, depth: 1 })
            }
            Event::SequenceStart(_, anchor, tag) => {
                (anchor, self.collection(tag.as_deref(), |reader| reader.sequence(span, depth))?)
            }
            Event::MappingStart(_, anchor, tag) => {
                (anchor, self.collection(tag.as_deref(), |reader| reader.entries(span, depth))?)
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | Event::SequenceEnd
            | Event::MappingEnd
            | _ => return Err(Fault::span(Some(span), "a value is expected here")),
        };
        self.seen.marks |= read.node.mark.is_some();
        if anchor != 0 {
            let mut shared = read.clone();
            merge_keys::drop_resets(&mut shared.node);
            self.anchors.insert(anchor, shared);
        }
        read.size += 1;
        Ok(read)
    }

    fn collection(
        &mut self,
        tag: Option<&Tag>,
        read: impl FnOnce(&mut Self) -> Result<Read, Fault>,
    ) -> Result<Read, Fault> {
        let mark = tag.and_then(mark);
        self.marked += usize::from(mark.is_some());
        let mut read = read(self)?;
        self.marked -= usize::from(mark.is_some());
        read.node.mark = mark;
        Ok(read)
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Read, Fault> {
        let Some(read) = self.anchors.get(&anchor) else {
            return Err(Fault::span(Some(span), "the alias refers to a value that it is part of"));
        };
        let is_path_kept = self.rules == Rules::Json || self.marked > 0;
        if !is_path_kept && !self.aliases.note(anchor) {
            let message = "the anchor is used here and at a path above or below this one";
            return Err(Fault::span(Some(span), message)
                .hint("Compose takes this for a circle: write the value out, or use two anchors"));
        }
        if depth + read.depth > DEPTH_LIMIT {
            return Err(Fault::span(Some(span), "the values are nested too deeply"));
        }
        let read = read.clone();
        self.take(read.size, span)?;
        Ok(read)
    }

    fn take(&mut self, values: usize, span: Span) -> Result<(), Fault> {
        let left = self.room.checked_sub(values);
        *self.room = left.unwrap_or_default();
        if left.is_none() {
            return Err(Fault::span(Some(span), self.rules.too_many()));
        }
        Ok(())
    }

    fn sequence(&mut self, span: Span, depth: usize) -> Result<Read, Fault> {
        let mut items = Vec::new();
        let (mut size, mut deepest, mut end) = (1, 0, span.end);
        while let Some((event, range)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            self.aliases.enter_item(items.len());
            let read = self.node(event, range, depth + 1)?;
            self.aliases.leave();
            size += read.size;
            deepest = deepest.max(read.depth);
            end = end.max(own_end(&read.node, span.source));
            items.push(read.node);
        }
        let place = Place::at(Span { end, ..span });
        Ok(Read { node: Node::new(Kind::Sequence(items), place), size, depth: deepest + 1 })
    }

    fn entries(&mut self, span: Span, depth: usize) -> Result<Read, Fault> {
        let mut entries = Mapping::default();
        let (mut size, mut deepest, mut end) = (1, 0, span.end);
        while let Some((event, range)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let (key, key_span) = self.key(event, range, depth)?;
            if let Some(first) = entries.get(&key).filter(|_| self.rules == Rules::Compose) {
                let line = first.key.map_or(0, |span| self.line(span.start));
                return Err(Fault::span(
                    Some(key_span),
                    format!("mapping key `{key}` is already defined in line {line}"),
                ));
            }
            let Some((event, range)) = self.next()? else { break };
            self.aliases.enter(&key);
            let mut read = self.node(event, range, depth + 1)?;
            self.aliases.leave();
            if read.node.is_null() && read.node.place.span.is_some_and(|s| s.start == s.end) {
                read.node.place = Place::at(key_span);
            }
            size += read.size;
            deepest = deepest.max(read.depth);
            end = end.max(own_end(&read.node, span.source));
            entries.insert(key, Entry { key: Some(key_span), value: read.node });
        }
        let place = Place::at(Span { end, ..span });
        Ok(Read { node: Node::new(Kind::Mapping(entries), place), size, depth: deepest + 1 })
    }

    /// The text of a key. Compose refuses keys that are not strings, `1` and `true` among them.
    fn key(
        &mut self,
        event: Event<'text>,
        range: Range,
        depth: usize,
    ) -> Result<(String, Span), Fault> {
        let span = self.span(range);
        if let Event::Scalar(text, ScalarStyle::Plain, 0, None) = &event
            && text == merge_keys::KEY
        {
            self.seen.keys = true;
            return Ok((merge_keys::MARKER.to_owned(), span));
        }
        let node = self.node(event, range, depth + 1)?.node;
        let described = node.printed().unwrap_or_else(|| node.described().to_owned());
        let Kind::String(text) = node.kind else {
            if self.rules == Rules::Json
                && !matches!(node.kind, Kind::Sequence(_) | Kind::Mapping(_))
            {
                return Ok((described, span));
            }
            return Err(Fault::span(Some(span), format!("non-string key `{described}`"))
                .hint(format!("quote it: `\"{described}\"`")));
        };
        Ok((text, span))
    }

    fn scalar(
        &self,
        value: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, Fault> {
        let plain = style == ScalarStyle::Plain;
        // The parser says `~` for a value that is not written at all.
        let value = if plain && span.start == span.end { "" } else { value };
        let place = Place::at(span);
        // `!` alone says nothing about an unquoted value.
        let Some(tag) = tag.filter(|tag| !plain || tag.original() != "!") else {
            let kind = if plain { scalar::resolve(value) } else { Kind::String(value.to_owned()) };
            return Ok(Node::new(kind, place));
        };
        if let Some(mark) = mark(tag) {
            let kind = Kind::String(value.to_owned());
            return Ok(Node { kind, place, mark: Some(mark) });
        }
        // Compose takes a scalar with a tag of its own for a string.
        let Some(core) = tag.suffix_in_namespace(CORE_NAMESPACE) else {
            return Ok(Node::new(Kind::String(value.to_owned()), place));
        };
        let kind = match (core.as_ref(), scalar::resolve(value)) {
            ("str", _) => Kind::String(value.to_owned()),
            ("binary", _) => Kind::String(decode_base64(value).ok_or_else(|| {
                Fault::span(Some(span), "the value of `!!binary` is not base64 of a text")
            })?),
            #[expect(clippy::cast_precision_loss, reason = "`!!float` of an integer asks for it")]
            ("float", Kind::Int(value)) => Kind::Float(value as f64),
            ("int", kind @ Kind::Int(_))
            | ("bool", kind @ Kind::Bool(_))
            | ("null", kind @ Kind::Null)
            | ("timestamp", kind @ Kind::Time(_))
            | ("float", kind @ Kind::Float(_)) => kind,
            (core, _) => {
                let message = format!("`{value}` cannot be read as `!!{core}`");
                return Err(Fault::span(Some(span), message));
            }
        };
        Ok(Node::new(kind, place))
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or("").matches('\n').count() + 1
    }
}

/// Where a value of this file ends; values that an alias brought do not stretch their parents.
fn own_end(node: &Node, source: SourceId) -> usize {
    node.place.span.filter(|span| span.source == source).map_or(0, |span| span.end)
}

fn mark(tag: &Tag) -> Option<Mark> {
    match tag.original().as_str() {
        "!reset" => Some(Mark::Reset),
        "!override" => Some(Mark::Override),
        _ => None,
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// Standard base64 with padding; line breaks are skipped.
pub(in crate::project) fn decode_base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut width, mut padding, mut length) = (0_u32, 0_u32, 0, 0_usize);
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        length += 1;
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = (bits << 6) | u32::from(value);
        width += 6;
        if width >= 8 {
            width -= 8;
            bytes.push(u8::try_from((bits >> width) & 0xFF).ok()?);
        }
    }
    if length % 4 == 0 { String::from_utf8(bytes).ok() } else { None }
}

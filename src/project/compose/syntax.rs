//! What the YAML parser accepts, or reads as something else, where Compose's (go-yaml v3) does
//! not: refused at the character, so that no file passes here that Compose cannot load.

use granit_parser::{Event, ScalarStyle, StructureStyle};

/// A refusal: the byte, what is wrong and what to do.
pub(super) struct Refusal {
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) hint: &'static str,
}

/// Looks at the texts of the events and at what lies between them.
pub(super) struct Syntax<'text> {
    text: &'text str,
    /// Where the last token ends.
    end: usize,
    /// After an unquoted text: how many spaces make a tab harmless.
    floor: Option<usize>,
    /// The column of each open collection; none for `[]` and `{}`.
    open: Vec<Option<usize>>,
    documents: usize,
}

type Checked = Result<(), Refusal>;

fn refuse(at: usize, message: impl Into<String>, hint: &'static str) -> Checked {
    Err(Refusal { at, message: message.into(), hint })
}

/// Refuses characters that are line breaks to Compose and to nobody else.
pub(super) fn line_breaks(text: &str) -> Checked {
    if text.is_ascii() {
        return Ok(());
    }
    match text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
        Some(at) => refuse(
            at,
            "this invisible character is a line break to Compose",
            "remove it, or write it as an escape like `\"\\N\"` or `\"\\L\"`",
        ),
        None => Ok(()),
    }
}

impl<'text> Syntax<'text> {
    pub(super) fn of(text: &'text str) -> Self {
        Self { text, end: 0, floor: None, open: Vec::new(), documents: 0 }
    }

    /// Checks the next event, which is written from `start` to `end`.
    pub(super) fn check(&mut self, event: &Event<'_>, start: usize, end: usize) -> Checked {
        match event {
            Event::DocumentStart(explicit, version) => {
                self.documents += 1;
                let version = version.map(|version| (version.major, version.minor));
                self.directives(start, version)?;
                if !explicit && self.documents > 1 {
                    return refuse(start, "a further document begins without `---`", "add `---`");
                }
                self.token(start, end)
            }
            Event::StreamEnd => self.gap(self.text.len()),
            Event::Anchor(_, name) => anchor_name(name, start),
            Event::Scalar(_, style, ..) => {
                // An empty value has no place of its own.
                if *style == ScalarStyle::Plain && start == end {
                    return Ok(());
                }
                self.token(start, end)?;
                self.scalar(*style, start, end)
            }
            Event::Alias(_) => self.token(start, end),
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                let is_list = matches!(event, Event::SequenceStart(..));
                self.opened(*style, is_list, start)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.last() {
                Some(None) => {
                    self.token(start, end)?;
                    self.open.pop();
                    Ok(())
                }
                Some(Some(_)) | None => {
                    self.open.pop();
                    Ok(())
                }
            },
            Event::StreamStart | Event::DocumentEnd | Event::UnresolvedAlias(_) | _ => Ok(()),
        }
    }

    fn opened(&mut self, style: StructureStyle, is_list: bool, start: usize) -> Checked {
        match style {
            StructureStyle::Flow => {
                self.token(start, (start + 1).min(self.text.len()))?;
                self.open.push(None);
            }
            StructureStyle::Block => {
                let (before, from) = self.text.split_at_checked(start).unwrap_or((self.text, ""));
                let line = before.rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
                // A list may stand in the column of its key, and is not indented then.
                let parent = self.open.last().copied().flatten();
                let column = if from.starts_with('-') { start - line } else { parent.unwrap_or(0) };
                self.open.push(Some(if is_list { column } else { start - line }));
            }
        }
        Ok(())
    }

    /// Checks what lies before a token.
    fn token(&mut self, start: usize, end: usize) -> Checked {
        if start > self.end {
            self.gap(start)?;
        }
        self.end = self.end.max(end);
        self.floor = None;
        Ok(())
    }

    fn is_in_flow(&self) -> bool {
        matches!(self.open.last(), Some(None))
    }

    /// Outside of `[]` and `{}`, Compose allows no tab where a line or an item begins.
    fn gap(&self, start: usize) -> Checked {
        let gap = self.text.get(self.end..start).unwrap_or("");
        if self.is_in_flow() || !gap.contains('\t') {
            return Ok(());
        }
        let hint = "write spaces instead";
        let (mut at, mut floor) = (self.end, self.floor);
        for line in gap.split_inclusive(['\n', '\r']) {
            let words = line.trim_start_matches([' ', '\t']);
            let blanks = line.strip_suffix(words).unwrap_or("");
            if self.begins_line(at)
                && let Some(tab) = blanks.find('\t')
                && floor.is_none_or(|floor| tab < floor)
            {
                return refuse(at + tab, "a tab cannot begin a line", hint);
            }
            let code = words.split(" #").next().unwrap_or(words);
            let code = if code.starts_with('#') { "" } else { code };
            if let Some(tab) = code.find("-\t").or_else(|| code.find("?\t"))
                && code.get(..tab).is_some_and(|before| before.trim().is_empty())
            {
                return refuse(at + blanks.len() + tab + 1, "a tab cannot follow `-`", hint);
            }
            if !words.trim().is_empty() {
                floor = None;
            }
            at += line.len();
        }
        Ok(())
    }

    fn begins_line(&self, at: usize) -> bool {
        self.text
            .get(..at)
            .is_some_and(|before| before.is_empty() || before.ends_with(['\n', '\r']))
    }

    /// Compose knows `%YAML 1.1` and `%TAG`.
    fn directives(&self, start: usize, version: Option<(u32, u32)>) -> Checked {
        let gap = self.text.get(self.end..start).unwrap_or("");
        let mut at = self.end;
        for line in gap.split_inclusive(['\n', '\r']) {
            if let Some(directive) = line.strip_prefix('%') {
                let name = directive.split_whitespace().next().unwrap_or("");
                let known = name == "TAG" || name == "YAML" && version == Some((1, 1));
                if !known {
                    let message = format!("Compose does not know the directive `{}`", line.trim());
                    return refuse(at, message, "remove the line");
                }
            }
            at += line.len();
        }
        Ok(())
    }

    fn scalar(&mut self, style: ScalarStyle, start: usize, end: usize) -> Checked {
        let text = self.text.get(start..end).unwrap_or("");
        match style {
            ScalarStyle::Plain if self.is_in_flow() => self.plain_in_flow(text, start, end),
            ScalarStyle::Plain => {
                self.floor = self.open.last().copied().flatten().map(|column| column + 1);
                Ok(())
            }
            ScalarStyle::DoubleQuoted => escapes(text, start),
            ScalarStyle::SingleQuoted | ScalarStyle::Literal | ScalarStyle::Folded => Ok(()),
        }
    }

    fn plain_in_flow(&self, text: &str, start: usize, end: usize) -> Checked {
        if let Some(mark) = text.find('?') {
            let message = "an unquoted text within `[]` or `{}` cannot contain `?`";
            return refuse(start + mark, message, "quote the text");
        }
        if text.starts_with(':') {
            let message = "an unquoted text within `[]` or `{}` cannot begin with `:`";
            return refuse(start, message, "quote the text");
        }
        let behind = self.text.get(end..).unwrap_or("").trim_start_matches([' ', '\t']);
        let touches = |rest: &str| rest.starts_with([',', '[', ']', '{', '}']);
        if behind.strip_prefix(':').is_some_and(touches) {
            return refuse(
                end,
                "a `:` without a space belongs to the text",
                "add a space behind it",
            );
        }
        Ok(())
    }
}

fn anchor_name(name: &str, start: usize) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.chars().all(allowed) {
        return Ok(());
    }
    let message = format!("`{name}` cannot be the name of an anchor");
    refuse(start, message, "use letters, digits, `-` and `_`")
}

/// `\/` and halves of pairs are JSON, not what Compose reads.
fn escapes(text: &str, start: usize) -> Checked {
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c != '\\' {
            continue;
        }
        let rest = text.get(at + 1..).unwrap_or("");
        if rest.starts_with('/') {
            return refuse(start + at, "Compose does not know the escape `\\/`", "write `/`");
        }
        let code = rest.strip_prefix('u').and_then(|digits| digits.get(..4));
        let code = code.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if code.is_some_and(|code| (0xD800..0xE000).contains(&code)) {
            let message = "Compose does not read characters in two halves";
            return refuse(
                start + at,
                message,
                "write the character itself, or `\\U` and 8 digits",
            );
        }
        characters.next();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::project::compose::fault::Fault;
    use crate::project::compose::parse::parse;
    use crate::source_map::{Place, SourceMap};

    /// The offset and the message of the refusal of `text`, or nothing.
    fn refusal(text: &str) -> Option<(usize, String)> {
        let source = SourceMap::default().add("x".as_ref(), text.to_owned());
        match parse(source, text, &mut 1000) {
            Err(Fault::Text { place: Place { span: Some(span), .. }, message, .. }) => {
                Some((span.start, message))
            }
            Err(other) => panic!("{text:?}: {other:?}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn what_compose_cannot_read_is_refused_at_the_character() {
        for (text, at, word) in [
            ("a: b\n\t# c\n", 5, "a tab cannot begin a line"),
            ("a: b\n\t\nc: d\n", 5, "a tab cannot begin a line"),
            ("a:\n  b: c\n  \t\nd: e\n", 12, "a tab cannot begin a line"),
            ("\t\na: b\n", 0, "a tab cannot begin a line"),
            ("a: 'b'\n  \t", 9, "a tab cannot begin a line"),
            ("a: [b]\n \t\nc: d\n", 8, "a tab cannot begin a line"),
            ("a: |\n  b\n\t\nc: d\n", 9, "a tab cannot begin a line"),
            ("a: b # c\n     \t\nc: d\n", 14, "a tab cannot begin a line"),
            ("a:\n  -\tb\n", 6, "a tab cannot follow `-`"),
            ("a: [b?c]\n", 5, "cannot contain `?`"),
            ("a: {u: http://h?q=1}\n", 15, "cannot contain `?`"),
            ("a: {b: :c}\n", 7, "cannot begin with `:`"),
            ("a: [b:, c]\n", 5, "without a space"),
            ("%YAML 1.2\n---\na: b\n", 0, "directive `%YAML 1.2`"),
            ("# c\n%FOO x\n---\na: b\n", 4, "directive `%FOO x`"),
            ("a: b\n...\nc: d\n", 9, "without `---`"),
            ("a: &b.c d\n", 3, "cannot be the name of an anchor"),
            ("a: \"b\\/c\"\n", 5, "the escape `\\/`"),
            ("a: \"\\ud83d\\ude00\"\n", 4, "two halves"),
            ("a: b\u{2028}c\n", 4, "line break to Compose"),
        ] {
            let (found, message) = refusal(text).unwrap();
            assert!(message.contains(word), "{text:?}: {message}");
            assert_eq!(found, at, "{text:?}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_accepted() {
        for text in [
            "a: b\n      \t\nc: d\n",
            "a:\n- b\n \t\nc: d\n",
            "a: b\t# c\n",
            "a:\tb\n",
            "a: [b,\n\t# c\n\tc]\n",
            "a: |\n  \tb\n",
            "a: b?c\n",
            "a: [\"b?c\", 'd?']\n",
            "a: {\"b\":c, d: e}\n",
            "a: [http://h, 80:80]\n",
            "%YAML 1.1\n---\na: b\n",
            "%TAG !e! tag:x,1:\n---\na: !e!b c\n",
            "a: |\n  %YAML 1.2\n",
            "a: &b_-1 c\nd: *b_-1\n",
            "a: \"\\\\/ \\u00e4\"\n",
            "# -\tc\na: b # -\td\n",
        ] {
            assert_eq!(refusal(text), None, "{text:?}");
        }
    }
}

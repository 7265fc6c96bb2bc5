//! The grammar of `.env` and `env_file` (compose-go v2.9.1 `dotenv/parser.go`), and the raw format
//! of `docker run --env-file` (docker/cli `pkg/kvfile`).

use indexmap::IndexMap;

use super::fault::Fault;
use super::interpolate::{Known, Lookup, expand};
use crate::limits::MOST_VARIABLES;
use crate::project::Warning;
use crate::source_map::{Place, SourceId, Span, Variable, VariableSource};

/// The variables of one or more files, in order of appearance.
pub(super) type Variables = IndexMap<String, Entry>;

/// A variable of an env file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: String,
    /// From the first byte of the key to the last of the value, with what was expanded in it.
    pub(super) place: Place,
}

impl Entry {
    /// The same for an expansion.
    pub(super) fn known(&self) -> Known {
        let set_by = self.place.span.map_or(VariableSource::Environment, VariableSource::EnvFile);
        Known { value: self.value.clone(), set_by }
    }
}

/// Where the values of one file go.
pub(super) struct Sink<'a> {
    /// What earlier files and lines said; overwritten by this one.
    pub(super) variables: &'a mut Variables,
    /// What Compose warns about.
    pub(super) warnings: &'a mut Vec<Warning>,
}

/// Reads `text`; values are expanded with `lookup` first, then with what was read before.
pub(super) fn parse(
    source: SourceId,
    text: &str,
    lookup: &Lookup<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Fault> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut parser = Parser { source, text, at: start };
    while parser.skip_to_statement() {
        parser.statement(lookup, sink)?;
        if sink.variables.len() > MOST_VARIABLES {
            let end = Span { source, start: parser.at, end: parser.at };
            return Err(too_many(&Place::at(end)));
        }
    }
    Ok(())
}

fn too_many(place: &Place) -> Fault {
    Fault::at(place, format!("there are more than {MOST_VARIABLES} variables"))
}

/// Reads `text` as lines of `KEY=VALUE` with nothing special in the value; a key alone is taken
/// from `lookup`.
pub(super) fn parse_raw(
    source: SourceId,
    text: &str,
    lookup: &Lookup<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Fault> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let bare = line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}').trim_start();
        let from = at + line.find(bare).unwrap_or(0);
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let place = Place::at(Span { source, start: from, end: from + bare.len() });
        let (key, value) = bare.split_once('=').map_or((bare, None), |(k, v)| (k, Some(v)));
        if key.is_empty() {
            return Err(Fault::at(&place, "a line of an env file has no variable name"));
        }
        if key.contains([' ', '\t']) {
            return Err(Fault::at(&place, format!("variable `{key}` contains white space")));
        }
        let value = match value {
            Some(value) => Some(value.to_owned()),
            None => lookup(key).map(|known| known.value),
        };
        if let Some(value) = value {
            sink.variables.insert(key.to_owned(), Entry { value, place: place.clone() });
        }
        if sink.variables.len() > MOST_VARIABLES {
            return Err(too_many(&place));
        }
    }
    Ok(())
}

struct Parser<'a> {
    source: SourceId,
    text: &'a str,
    at: usize,
}

/// White space within a line, as the Go package draws the line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Place::at(Span { source: self.source, start, end: end.max(start).min(self.text.len()) })
    }

    /// Skips white space and comments; false at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            let skipped = rest.len() - trimmed.len();
            if trimmed.is_empty() {
                return false;
            }
            if !trimmed.starts_with('#') {
                self.at += skipped;
                return true;
            }
            match trimmed.find('\n') {
                Some(end) => self.at += skipped + end,
                None => return false,
            }
        }
    }

    fn statement(&mut self, lookup: &Lookup<'_>, sink: &mut Sink<'_>) -> Result<(), Fault> {
        self.skip_export();
        let start = self.at;
        let (key, inherited) = self.key()?;
        let place = self.place(start, start + key.len());
        if key.contains(' ') {
            return Err(Fault::at(&place, format!("variable name `{key}` contains a space")));
        }
        if inherited {
            if let Some(known) = lookup(&key) {
                sink.variables.insert(key, Entry { value: known.value, place });
            }
            return Ok(());
        }
        let (raw, literal, end) = self.value()?;
        let mut place = self.place(start, end);
        let value = if literal {
            raw
        } else {
            let earlier = &*sink.variables;
            let both = |name: &str| lookup(name).or_else(|| earlier.get(name).map(Entry::known));
            let expansion = expand(&raw, &both).map_err(|error| refuse(&place, &error))?;
            place.variables = expansion.variables;
            sink.warnings.extend(unset(&place));
            expansion.text
        };
        sink.variables.insert(key, Entry { value, place });
        Ok(())
    }

    fn skip_export(&mut self) {
        let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{c}' | '\r');
        if let Some(after) = self.rest().strip_prefix("export")
            && after.starts_with(space)
        {
            let skipped = after.len() - after.trim_start_matches(is_blank).len();
            self.at += "export".len() + skipped;
        }
    }

    /// The name, and whether it stands alone in its line. A name at the very end of the file
    /// without a line feed is a value without a name, as in Compose.
    fn key(&mut self) -> Result<(String, bool), Fault> {
        let rest = self.rest();
        let mut end = None;
        for (offset, c) in rest.char_indices() {
            match c {
                '=' | ':' | '\n' => {
                    end = Some((offset, c == '\n'));
                    break;
                }
                '_' | '.' | '-' | '[' | ']' => {}
                c if is_blank(c) || c.is_alphabetic() || c.is_numeric() => {}
                c => {
                    let line = rest.lines().next().unwrap_or_default();
                    let at = self.at + offset;
                    return Err(Fault::at(
                        &self.place(at, at + c.len_utf8()),
                        format!("unexpected character `{c}` in the variable name `{line}`"),
                    ));
                }
            }
        }
        let (key, skipped, inherited) = match end {
            Some((offset, inherited)) => {
                (rest.get(..offset).unwrap_or("").trim_end().to_owned(), offset + 1, inherited)
            }
            None => (String::new(), 0, false),
        };
        let value = rest.get(skipped..).unwrap_or("");
        self.at += skipped + (value.len() - value.trim_start_matches(is_blank).len());
        Ok((key, inherited))
    }

    /// The value, whether it is taken literally, and where it ends.
    fn value(&mut self) -> Result<(String, bool, usize), Fault> {
        let rest = self.rest();
        let quote = match rest.bytes().next() {
            Some(quote @ (b'"' | b'\'')) => quote,
            _ => {
                let line = rest.split('\n').next().unwrap_or("");
                let value = line.split(" #").next().unwrap_or("").trim_end().to_owned();
                let end = self.at + value.len();
                let next = self.at + line.len() + 1;
                self.at = next.min(self.text.len());
                return Ok((value, false, end));
            }
        };
        let mut value = Vec::new();
        let mut escaped = false;
        for (offset, byte) in rest.bytes().enumerate().skip(1) {
            if byte == quote && !escaped {
                let end = self.at + offset + 1;
                let text = String::from_utf8_lossy(&value).into_owned();
                self.at = end;
                let literal = quote == b'\'';
                return Ok((if literal { text } else { unescape(&text) }, literal, end));
            }
            if byte == b'\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && byte != quote {
                value.push(b'\\');
            }
            escaped = false;
            value.push(byte);
        }
        let line = rest.lines().next().unwrap_or_default();
        Err(Fault::at(&self.place(self.at, self.at + line.len()), "the quoted value does not end"))
    }
}

/// The escapes of a double-quoted value; `\$` becomes `$$` for the expansion that follows.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let after = rest.get(at + 1..).unwrap_or("");
        let Some(c) = after.chars().next() else {
            out.push('\\');
            return out;
        };
        let mut used = c.len_utf8();
        match c {
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '$' => out.push_str("$$"),
            '"' | '\\' => out.push(c),
            '0' => {
                let digits = after.bytes().skip(1).take(3).take_while(u8::is_ascii_digit).count();
                let digits = after.get(1..=digits).unwrap_or("");
                used += digits.len();
                match octal(digits) {
                    Some(c) => out.push(c),
                    // Go has rewritten `\0` to `\` before it finds out that it cannot read it.
                    None => {
                        out.push('\\');
                        out.push_str(digits);
                    }
                }
            }
            _ => {
                out.push('\\');
                used = 0;
            }
        }
        rest = after.get(used..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

fn octal(digits: &str) -> Option<char> {
    if digits.len() != 3 {
        return None;
    }
    u8::from_str_radix(digits, 8).ok().map(char::from)
}

/// A template that cannot be expanded, as a refusal of what is written at `place`.
pub(super) fn refuse(place: &Place, error: &super::interpolate::TemplateError) -> Fault {
    let fault = Fault::at(place, error.to_string());
    match error.hint() {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// A warning for every variable in `place` that nobody set.
pub(super) fn unset(place: &Place) -> impl Iterator<Item = Warning> + '_ {
    let unset = |variable: &&Variable| variable.set_by == VariableSource::Unset;
    place.variables.iter().filter(unset).map(|variable| {
        let message = format!("variable `{}` is not set: it expands to nothing", variable.name);
        let warning = Warning::new(message, place.clone());
        Warning { variable: Some(variable.name.clone()), ..warning }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source_map::SourceMap;

    fn read(text: &str) -> Result<Vec<(String, String)>, Fault> {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new(".env"), text.to_owned());
        let (mut variables, mut warnings) = (Variables::new(), Vec::new());
        let lookup = |name: &str| {
            (name == "HOST")
                .then(|| Known { value: "host".to_owned(), set_by: VariableSource::Environment })
        };
        let mut sink = Sink { variables: &mut variables, warnings: &mut warnings };
        parse(source, text, &lookup, &mut sink)?;
        for entry in variables.values() {
            assert!(!sources.excerpt(entry.place.span.unwrap()).is_empty() || text.len() < 2);
        }
        Ok(variables.into_iter().map(|(key, entry)| (key, entry.value)).collect())
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(read(text).unwrap(), expected, "{text:?}");
    }

    #[test]
    fn each_form_of_a_line_is_read() {
        check("A=1\nB = 2\nexport C=3\nD: 4\n", &[("A", "1"), ("B", "2"), ("C", "3"), ("D", "4")]);
        check("# c\n\nA=x # y\nB=x#y\n", &[("A", "x"), ("B", "x#y")]);
        check("A='$X \\n'\nB=\"a\\nb\\t\\$C\"\n", &[("A", "$X \\n"), ("B", "a\nb\t$C")]);
        check("A=\"x\ny\"\nB=2", &[("A", "x\ny"), ("B", "2")]);
        check("A=1\nB=${A}-${HOST}-${U:-d}\n", &[("A", "1"), ("B", "1-host-d")]);
        check("HOST\nU\n", &[("HOST", "host")]);
        check("\u{feff}A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("A=\"it's \\\"x\\\"\" # c\n", &[("A", "it's \"x\"")]);
        check("A=\\$X\n", &[("A", "\\")]);
        check("A=\"\\0101\\08\"\n", &[("A", "A\\8")]);
        check("1A=1\nA.B-C[0]=2\n", &[("1A", "1"), ("A.B-C[0]", "2")]);
    }

    #[test]
    fn what_compose_refuses_is_refused() {
        for text in ["A B=1\n", "A!=1\n", "A=\"x\n", "A=${\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-C=:#$'\"{}\\\\ \n\r0-9]{0,60}|.*") {
            let _ = read(&text);
        }
    }
}

//! Values that follow the name of a secret: flags, variables, keys, headers, parameters.

use std::ops::Range;

use super::flags::Flags;
use super::names::{Secrecy, is_of_prose, is_path_or_switch, secrecy};
use super::scan::{before, is_quoted, push, run, word};

/// What follows `bearer` outside of a header is a secret when it is this long.
const LONG_BEARER: usize = 16;

/// How much may stand in front of a name that has the rest of its line as its value: `export `.
const LONGEST_LEAD: usize = 8;

/// Adds the place of every value whose name says that it is a secret. Linear: behind a value the
/// search goes on at its end, so that nothing is read twice.
pub(super) fn find(text: &str, flags: &Flags, found: &mut Vec<Range<usize>>) {
    let mut scanner = Scanner { text, flags, line: Line::default(), at: 0 };
    while scanner.at < text.len() {
        let start = scanner.at;
        let length = run(text, start, is_name_byte);
        let end = start + length;
        let next = if length == 0 { start + 1 } else { scanner.name(start..end, found) };
        scanner.advance(next.max(end));
    }
}

struct Scanner<'t> {
    text: &'t str,
    flags: &'t Flags,
    line: Line,
    at: usize,
}

/// What of the line was read so far.
#[derive(Default)]
struct Line {
    /// Where its first character stands that is not white space.
    first: Option<usize>,
    /// The quote that is open.
    quote: Option<u8>,
}

/// What stands between a flag and a value of it, or between two values.
#[derive(PartialEq, Eq)]
struct Gap {
    comma: bool,
    item: bool,
}

impl Scanner<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or("")
    }

    fn advance(&mut self, to: usize) {
        let passed = self.text.as_bytes().get(self.at..to).unwrap_or(&[]);
        for (byte, at) in passed.iter().zip(self.at..) {
            match byte {
                b'\n' => self.line = Line::default(),
                b'"' | b'\'' | b'`' if self.line.quote.is_none() => self.line.quote = Some(*byte),
                byte if self.line.quote == Some(*byte) => self.line.quote = None,
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                self.line.first.get_or_insert(at);
            }
        }
        self.at = to;
    }

    /// Looks at a name, and keeps its value if that is a secret; where to go on.
    fn name(&self, name: Range<usize>, found: &mut Vec<Range<usize>>) -> usize {
        let written = self.part(name.clone());
        if written.starts_with('-') && written.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return self.flag(name, found);
        }
        let lower_ends = |end: &str| {
            let tail = written.len().checked_sub(end.len()).and_then(|at| written.get(at..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        if lower_ends("authorization") {
            return self.authorization(name.end, found);
        }
        if written.eq_ignore_ascii_case("bearer") && self.byte(name.end) == Some(b' ') {
            let value = word(self.text, name.end + 1, self.line.quote);
            let is_long = value.len() >= LONG_BEARER;
            let end = value.end;
            found.extend(Some(value).filter(|_| is_long));
            return end;
        }
        let is_parameter = matches!(before(self.text, name.start), Some(b'?' | b'&'));
        if is_parameter && is_signature(written) && self.byte(name.end) == Some(b'=') {
            return self.parameter(name.end + 1, found);
        }
        if matches!(written, "user" | "username") && self.byte(name.end) == Some(b'=') {
            return self.user(name.end + 1, found);
        }
        let secrecy = secrecy(written);
        if secrecy == Secrecy::Open {
            name.end
        } else if self.part(0..name.start).ends_with("${") {
            self.default(name.end, secrecy, found)
        } else {
            self.assigned(name, secrecy, found)
        }
    }

    /// `--api-key VALUE VALUE`, `--api-key=VALUE`, `"--api-key", "VALUE"`, and the same over list
    /// items.
    fn flag(&self, name: Range<usize>, found: &mut Vec<Range<usize>>) -> usize {
        let (secrecy, is_list) = self.flags.of(self.part(name.clone()));
        if secrecy == Secrecy::Open {
            return name.end;
        }
        if self.byte(name.end) == Some(b'=') {
            let quotes = run(self.text, name.end + 1, |it| matches!(it, b'"' | b'\'' | b'\\'));
            let value = self.flag_value(name.end + 1 + quotes);
            return self.keep(value, secrecy, found);
        }
        let Some((mut start, first)) = self.gap(name.end) else { return name.end };
        let mut end = name.end;
        loop {
            // Not read first: what is no value is read again as a flag.
            if self.byte(start) == Some(b'-') && !is_quoted(self.text, start) {
                return end;
            }
            let value = self.flag_value(start);
            if value.is_empty() || !is_quoted(self.text, start) && self.is_no_value(&value) {
                return end;
            }
            end = self.keep(value, secrecy, found);
            if !is_list || matches!(self.byte(end), Some(b'`' | b']' | b')' | b'}')) {
                return end;
            }
            let Some((next, gap)) = self.gap(end).filter(|(_, gap)| *gap == first) else {
                return end;
            };
            // A quote alone closes what the flag is in.
            if !gap.comma && !self.part(end..next).contains(char::is_whitespace) {
                return end;
            }
            let is_next_line = !gap.item && !gap.comma && self.part(end..next).contains('\n');
            if is_next_line && !self.part(end..next).contains('\\') {
                return end;
            }
            start = next;
        }
    }

    /// A word of a command line. A comma does not end it.
    fn flag_value(&self, start: usize) -> Range<usize> {
        let value = word(self.text, start, self.line.quote);
        if is_quoted(self.text, start) || self.byte(value.end) != Some(b',') {
            return value;
        }
        let goes_on = |byte: u8| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']')
        };
        let rest = value.end + run(self.text, value.end, goes_on);
        let rest = self.part(value.start..rest).trim_end_matches([',', ')']).len();
        value.start..value.start + rest
    }

    fn is_no_value(&self, value: &Range<usize>) -> bool {
        let value = self.part(value.clone());
        matches!(value, "&&" | "||" | "|" | ";" | "&" | ">" | ">>" | "]")
    }

    /// Where the next word begins, and what is in front of it; absent: nothing is.
    fn gap(&self, start: usize) -> Option<(usize, Gap)> {
        let between =
            |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b',' | b'\\');
        let mut end = start + run(self.text, start, between);
        let comma = self.part(start..end).contains(',');
        let item = self.part(start..end).contains('\n')
            && self.text.get(end..).is_some_and(|rest| rest.starts_with("- "));
        if item {
            end += 1;
            end += run(self.text, end, between);
        }
        (start < end).then_some((end, Gap { comma, item }))
    }

    /// The default of `${NAME:-VALUE}`.
    fn default(&self, end: usize, secrecy: Secrecy, found: &mut Vec<Range<usize>>) -> usize {
        let sign = end + run(self.text, end, |byte| byte == b':');
        if self.byte(sign) != Some(b'-') {
            return end;
        }
        let length = run(self.text, sign + 1, |byte| !matches!(byte, b'}' | b'\n'));
        self.keep(sign + 1..sign + 1 + length, secrecy, found)
    }

    /// `HF_TOKEN=VALUE`, `"api_key": "VALUE"`, `X-Api-Key: VALUE`, `Password=VALUE;`.
    fn assigned(
        &self,
        name: Range<usize>,
        secrecy: Secrecy,
        found: &mut Vec<Range<usize>>,
    ) -> usize {
        let Some(start) = self.value_start(&name) else { return name.end };
        match self.byte(start) {
            Some(b'{') => return name.end,
            Some(b'[') if self.part(name.clone()).eq_ignore_ascii_case("secrets") => {
                return name.end;
            }
            Some(b'[') => {
                let length = run(self.text, start + 1, |byte| !matches!(byte, b']' | b'\n'));
                return self.keep(start + 1..start + 1 + length, secrecy, found);
            }
            _ => {}
        }
        if matches!(before(self.text, name.start), Some(b'?' | b'&')) {
            return self.parameter(start, found);
        }
        if !is_quoted(self.text, start) {
            if self.is_lead(name.start) {
                let length = run(self.text, start, |byte| byte != b'\n');
                return self.keep(start..start + length, secrecy, found);
            }
            // Up to the next `=`, so that nothing is read twice.
            if self.part(name.end..start).contains('=')
                && let Some(value) = self.between_semicolons(&name, start)
            {
                return self.keep(value, secrecy, found);
            }
        }
        self.keep(word(self.text, start, self.line.quote), secrecy, found)
    }

    /// Where the value of a name begins, if it is given one.
    fn value_start(&self, name: &Range<usize>) -> Option<usize> {
        let closing =
            run(self.text, name.end, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b' ' | b']'));
        let sign = name.end + closing;
        let (is_prose, lead) =
            (is_of_prose(self.part(name.clone())), before(self.text, name.start));
        let is_spaced = self.part(name.end..sign).starts_with(' ');
        let is_in_path = lead == Some(b'/');
        let text = match self.byte(sign) {
            Some(b'=') if !(is_prose && is_spaced) => sign + 1,
            Some(b':') if !(is_in_path || is_prose && is_spaced) => sign + 1,
            _ => return None,
        };
        let text = text + run(self.text, text, |byte| matches!(byte, b'=' | b'>'));
        let space = |byte: u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\');
        let start = text + run(self.text, text, space);
        if self.byte(sign) == Some(b':') {
            let written = self.part(name.clone());
            // `org-token:v1` is an image.
            let is_tag = closing == 0
                && start == text
                && !written.contains(char::is_uppercase)
                && !["key", "passw"].iter().any(|word| written.contains(word));
            let stands_alone =
                closing > 0 || self.is_lead(name.start) || self.is_in_mapping(name.start);
            let is_sentence = is_prose && !stands_alone;
            if is_tag || is_sentence || self.part(text..text + 2) == "//" {
                return None;
            }
        }
        Some(start)
    }

    /// Whether a name begins its line, as in an env file.
    fn is_lead(&self, name: usize) -> bool {
        let first = self.line.first.unwrap_or(name);
        let lead = name - first;
        lead <= LONGEST_LEAD && matches!(self.part(first..name).trim(), "" | "-" | "export")
    }

    /// Whether a name is one of a flow mapping, or of several parameters.
    fn is_in_mapping(&self, name: usize) -> bool {
        let before = self.part(name.saturating_sub(2)..name).trim_end();
        before.ends_with(['{', ',', ';', '(', '?', '&'])
    }

    /// The value among those of a connection string, which may have spaces in it.
    fn between_semicolons(&self, name: &Range<usize>, start: usize) -> Option<Range<usize>> {
        let is_value = |byte: u8| !matches!(byte, b';' | b'\n' | b'"' | b'\'' | b'`');
        if self.part(name.start.saturating_sub(2)..name.start).trim_end().ends_with(';') {
            return Some(start..start + run(self.text, start, is_value));
        }
        let end = start + run(self.text, start, |byte| is_value(byte) && byte != b'=');
        (self.byte(end) == Some(b';')).then_some(start..end)
    }

    /// `?X-Amz-Signature=VALUE&` and its like.
    fn parameter(&self, start: usize, found: &mut Vec<Range<usize>>) -> usize {
        let length = run(self.text, start, |byte| {
            !byte.is_ascii_whitespace()
                && !matches!(byte, b'&' | b'#' | b'"' | b'\'' | b'`' | b')' | b'>' | b'\\')
        });
        self.keep(start..start + length, Secrecy::Secret, found)
    }

    /// The password behind the name of a user, in the options of a mount: `user=NAME%VALUE`
    /// (mount.cifs(8)).
    fn user(&self, start: usize, found: &mut Vec<Range<usize>>) -> usize {
        let value = word(self.text, start, self.line.quote);
        let end = value.end;
        if let Some(sign) = self.part(value).find('%') {
            push(self.text, start + sign + 1..end, found);
        }
        end
    }

    /// `Authorization: Bearer VALUE`, with any scheme or none.
    fn authorization(&self, name: usize, found: &mut Vec<Range<usize>>) -> usize {
        let closing = |byte: u8| {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b',' | b'\\' | b']')
        };
        let sign = name + run(self.text, name, closing);
        if !matches!(self.byte(sign), Some(b':' | b'=')) {
            return name;
        }
        let between = |byte: u8| byte == b'=' || closing(byte);
        let start = sign + 1 + run(self.text, sign + 1, between);
        let first = word(self.text, start, self.line.quote);
        let (scheme, behind) = (self.part(first.clone()), first.end + 1);
        let goes_on = self.byte(first.end) == Some(b' ') && !is_quoted(self.text, start);
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "basic" | "token" if goes_on => {
                self.keep(word(self.text, behind, self.line.quote), Secrecy::Secret, found)
            }
            // The parameters of these have spaces between them.
            "digest" | "aws4-hmac-sha256" if goes_on => {
                let length = run(self.text, behind, |byte| byte != b'\n');
                self.keep(behind..behind + length, Secrecy::Secret, found)
            }
            "apikey" | "api-key" | "negotiate" | "ntlm" if goes_on => {
                self.keep(word(self.text, behind, self.line.quote), Secrecy::Secret, found)
            }
            _ => {
                let known = ["bearer ", "basic ", "token "];
                let lower = self.part(start..(start + 7).min(first.end)).to_ascii_lowercase();
                let skipped = known.iter().find(|scheme| lower.starts_with(**scheme));
                let start = start + skipped.map_or(0, |scheme| scheme.len());
                self.keep(start..first.end.max(start), Secrecy::Secret, found)
            }
        }
    }

    /// Keeps a value; where it ends.
    fn keep(&self, value: Range<usize>, secrecy: Secrecy, found: &mut Vec<Range<usize>>) -> usize {
        let end = value.end;
        if secrecy == Secrecy::Secret || !is_path_or_switch(self.part(value.clone())) {
            push(self.text, value, found);
        }
        end
    }
}

/// Query parameters that carry the right to read what a URL names, beside those that any name tells.
fn is_signature(name: &str) -> bool {
    ["signature", "x-amz-signature", "x-amz-security-token", "sig", "key"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

//! What the scanners share: runs of bytes, and values.

use std::ops::Range;

/// How many bytes from `start` on satisfy `belongs`.
pub(super) fn run(text: &str, start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(start..).unwrap_or(&[]);
    rest.iter().take_while(|byte| belongs(**byte)).count()
}

/// The byte in front of `at`.
pub(super) fn before(text: &str, at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| text.as_bytes().get(at)).copied()
}

/// What stands for a value that is left to the reader, as in the fix of a finding.
const ELLIPSIS: &str = "...";

/// Keeps a value, unless it only names a variable: that is no secret, and the thing to look at. Nor
/// is one that is left open.
pub(super) fn push(text: &str, value: Range<usize>, found: &mut Vec<Range<usize>>) {
    let is_none = |value: &str| is_reference(value) || value.trim_end() == ELLIPSIS;
    if !text.get(value.clone()).is_some_and(is_none) {
        found.push(value);
    }
}

/// `$NAME`, `${NAME}`, and the forms of it that bring no value of their own: `${NAME:-}`,
/// `${NAME:-...}`, `${NAME:?message}`.
fn is_reference(value: &str) -> bool {
    let Some(name) = value.trim_end().strip_prefix('$') else { return false };
    let name = name.trim_start_matches('$');
    let (name, braced) = match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) => (name, true),
        None => (name, false),
    };
    let length = run(name, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rest = name.get(length..).unwrap_or("");
    let default = rest.trim_start_matches(':').strip_prefix('-');
    let brings_nothing = default.is_some_and(|it| it.is_empty() || it == ELLIPSIS)
        || rest.trim_start_matches(':').starts_with('?');
    length > 0 && (rest.is_empty() || braced && brings_nothing && !rest.contains('}'))
}

/// The quote that `at` is directly behind, and whether that is escaped itself.
fn opening(text: &str, at: usize) -> Option<(u8, bool)> {
    let quote = before(text, at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    Some((quote, before(text, at - 1) == Some(b'\\')))
}

/// Whether `at` is directly behind a quote.
pub(super) fn is_quoted(text: &str, at: usize) -> bool {
    opening(text, at).is_some()
}

/// The value that begins at `start`. Directly behind a quote it goes to the quote that closes it;
/// else to white space, to a quote (that which stands open around it, if one does), or to a comma
/// behind which another name is given its value.
pub(super) fn word(text: &str, start: usize, around: Option<u8>) -> Range<usize> {
    if let Some((quote, is_escaped)) = opening(text, start) {
        return start..quoted_end(text, start, quote, is_escaped);
    }
    let bytes = text.as_bytes();
    let mut end = start;
    while let Some(byte) = bytes.get(end) {
        let next = bytes.get(end + 1);
        let ends = match byte {
            b'"' | b'\'' => around.is_none_or(|quote| quote == *byte),
            b'`' => around == Some(b'`'),
            b'\\' => matches!(next, Some(b'"' | b'\'' | b'\n') | None),
            b',' => is_next_name(text, end + 1, around),
            byte => byte.is_ascii_whitespace(),
        };
        if ends {
            break;
        }
        end += 1;
    }
    if let Some(quote @ (b'"' | b'\'')) = bytes.get(end)
        && wraps(text.get(start..end).unwrap_or(""))
    {
        return start..quoted_end(text, end + 1, *quote, false);
    }
    let word = text.get(start..end).unwrap_or("");
    let word = word.trim_end_matches([',', ']', '`', ')']);
    let word = if word.contains('{') { word } else { word.trim_end_matches('}') };
    start..start + word.len()
}

/// Where the closing quote is, or the end of the line.
fn quoted_end(text: &str, start: usize, quote: u8, is_escaped: bool) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    while let Some(byte) = bytes.get(end) {
        let next = bytes.get(end + 1) == Some(&quote);
        match byte {
            b'\n' => break,
            b'\\' if is_escaped && next => break,
            b'\\' if quote == b'"' && bytes.get(end + 1).is_some_and(|it| *it != b'\n') => end += 1,
            byte if *byte == quote && !is_escaped => break,
            _ => {}
        }
        end += 1;
    }
    // An escape may have taken the first byte of a character with it.
    text.ceil_char_boundary(end.min(text.len()))
}

/// Whether a quote behind this belongs to it: `b'...'`, `SecretStr('...')`.
fn wraps(text: &str) -> bool {
    matches!(text, "b" | "r" | "u" | "f" | "!!str") || text.ends_with('(')
}

/// Whether `name=value` begins at `at`; `=` at the end of a word may be one of base64.
fn is_next_name(text: &str, at: usize, around: Option<u8>) -> bool {
    let at = at + run(text, at, |byte| byte == b' ');
    let length = run(text, at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let sign = at + length;
    let value = text.as_bytes().get(sign + 1).copied();
    length > 0
        && text.as_bytes().get(sign) == Some(&b'=')
        && value.is_some_and(|it| it != b'=' && !it.is_ascii_whitespace() && around != Some(it))
}

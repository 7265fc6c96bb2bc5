//! Characters that lie about the text around them, and how they are shown.

use std::borrow::Cow;

/// Whether printing `character` could move the cursor, reorder or hide what is around it, or print
/// nothing at all.
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Writes `character` so that it is seen: `\n`, `\u{202e}`.
pub(crate) fn push_escaped(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        character => out.extend(character.escape_unicode()),
    }
}

/// Writes `character` as JSON does, and YAML between double quotes.
pub(crate) fn push_json_escaped(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

/// `text` in one line, with everything that cannot be seen as an escape.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    escape_where(text, is_unprintable)
}

/// `text` with every character that `hides` picks as an escape.
pub(crate) fn escape_where(text: &str, hides: impl Fn(char) -> bool) -> Cow<'_, str> {
    escape_by(text, hides, push_escaped)
}

/// `text` with every character that `hides` picks as `push` writes it.
pub(crate) fn escape_by(
    text: &str,
    hides: impl Fn(char) -> bool,
    push: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.contains(&hides) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match hides(character) {
            true => push(&mut escaped, character),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        for (text, expected) in [
            ("plain ünïcode 模型", "plain ünïcode 模型"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("gguf\u{202e}fugg", "gguf\\u{202e}fugg"),
            ("a\u{200b}b\u{feff}\u{9b}\u{7f}", "a\\u{200b}b\\u{feff}\\u{9b}\\u{7f}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }
}

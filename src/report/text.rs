//! Makes texts of others fit to be printed: redacted, escaped, bounded.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr as _;

use crate::options::Charset;
use crate::report::redact::Redactor;
use crate::report::redact::unseen::{escape_where, is_unprintable};

/// The most characters of one printed value; its middle is cut out.
const LONGEST_VALUE: usize = 600;

/// The most lines of one printed value.
const MOST_LINES: usize = 30;

/// What every text of a user, a file or a server goes through before it is printed to a person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cleaner<'a> {
    redactor: &'a Redactor,
    charset: Charset,
}

impl<'a> Cleaner<'a> {
    pub(super) fn new(redactor: &'a Redactor) -> Self {
        Self { redactor, charset: Charset::default() }
    }

    /// The same, for a reader who can be shown these characters.
    pub(super) fn charset(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }

    /// Whether `character` has to be escaped.
    pub(super) fn hides(self, character: char) -> bool {
        is_unprintable(character) || (self.charset == Charset::Ascii && !character.is_ascii())
    }

    fn escape(self, text: &str) -> Cow<'_, str> {
        escape_where(text, |character| self.hides(character))
    }

    /// One line: line breaks are escaped like every other control character.
    pub(super) fn line(self, text: &str) -> String {
        cut_middle(&self.escape(&self.redactor.redact(text)), LONGEST_VALUE).into_owned()
    }

    /// One line, where a line break and the indentation after it were only layout.
    pub(super) fn joined(self, text: &str) -> String {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        self.line(&lines.collect::<Vec<_>>().join(" "))
    }

    /// Line breaks are kept.
    pub(super) fn lines(self, text: &str) -> String {
        let redacted = self.redactor.redact(text);
        let mut lines: Vec<String> = redacted
            .trim_end()
            .lines()
            .map(|line| {
                let line = without_command(&line.replace('\t', "    "));
                cut_middle(&self.escape(&line), LONGEST_VALUE).into_owned()
            })
            .collect();
        if lines.len() > MOST_LINES {
            let cut = lines.len() - MOST_LINES;
            let half = MOST_LINES / 2;
            lines.splice(half..half + cut, [format!("... {cut} lines ...")]);
        }
        lines.join("\n")
    }

    /// Where the secrets of `text` are.
    pub(super) fn redactor(self) -> &'a Redactor {
        self.redactor
    }
}

/// A line of somebody else's text must not be a command to the runner of GitHub Actions, which
/// reads every line of a step's output (`::set-env ...`, `##[group]...`).
fn without_command(line: &str) -> String {
    let line = line.replace("##[", "##\\u{5b}");
    match line.trim_start().starts_with("::") {
        true => line.replacen("::", ":\\u{3a}", 1),
        false => line,
    }
}

/// At most `most` characters of `text`: its beginning, `...`, its end.
pub(super) fn cut_middle(text: &str, most: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= most {
        return Cow::Borrowed(text);
    }
    let kept = most.saturating_sub(3);
    let head: String = text.chars().take(kept - kept / 2).collect();
    let tail: String = text.chars().skip(count - kept / 2).collect();
    let marks = "...".get(..most.min(3)).unwrap_or("");
    Cow::Owned(format!("{head}{marks}{tail}"))
}

/// How many columns of a terminal `text` takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in at most `most` columns: its beginning, `...`, its end.
pub(super) fn cut_columns(text: &str, most: usize) -> Cow<'_, str> {
    let mut cut = cut_middle(text, most);
    let mut characters = most;
    while columns(&cut) > most && characters > 0 {
        characters -= 1;
        cut = cut_middle(text, characters);
    }
    cut
}

/// `text` in at most `most` columns: its beginning, and `...` if anything was cut.
pub(super) fn cut_columns_end(text: &str, most: usize) -> Cow<'_, str> {
    if columns(text) <= most {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if columns(&kept) + 3 > most {
            kept.pop();
            break;
        }
    }
    Cow::Owned(format!("{}...", kept.trim_end_matches([' ', ':'])))
}

/// At most `most` bytes of `text`, cut at its end between two characters, with `...` if anything
/// was cut and there is room for it.
pub(super) fn cut_end(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let marks = if most > 3 { "..." } else { "" };
    let end = text.floor_char_boundary(most - marks.len());
    Cow::Owned(format!("{}{marks}", text.get(..end).unwrap_or("")))
}

/// At most `most` bytes of `text`: its beginning, `...`, its end.
pub(super) fn squeeze(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most || most <= 3 {
        return cut_end(text, most);
    }
    let half = (most - 3) / 2;
    let head = text.get(..text.floor_char_boundary(most - 3 - half)).unwrap_or("");
    let tail = text.get(text.ceil_char_boundary(text.len() - half)..).unwrap_or("");
    Cow::Owned(format!("{head}...{tail}"))
}

/// `a, b and c`.
pub(super) fn listed(items: &[String]) -> String {
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_others_is_no_command_to_a_runner() {
        let redactor = Redactor::default();
        let text = "a\n  ::error::b\n##[group]c";
        let expected = "a\n  :\\u{3a}error::b\n##\\u{5b}group]c";
        assert_eq!(Cleaner::new(&redactor).lines(text), expected);
    }

    #[test]
    fn a_reader_of_ascii_is_shown_nothing_else() {
        let redactor = Redactor::default();
        let cleaner = Cleaner::new(&redactor).charset(Charset::Ascii);
        assert_eq!(cleaner.line("a ü"), "a \\u{fc}");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("模型a"), 5);
        assert_eq!(cut_columns("模型模型模型", 8), "模...型");
        assert_eq!(cut_columns("模型", 4), "模型");
    }

    #[test]
    fn long_texts_lose_their_middle_or_their_end() {
        assert_eq!(cut_middle("0123456789", 10), "0123456789");
        assert_eq!(cut_middle("0123456789", 9), "012...789");
        assert_eq!(cut_middle("üüüüüüüüüü", 5), "ü...ü");
        assert_eq!(cut_middle("0123", 2), "..");
        assert_eq!(cut_columns_end("模型模型", 7), "模型...");
        assert_eq!(cut_columns_end("unknown: why", 10), "unknown...");
        assert_eq!(cut_end("0123456789", 9), "012345...");
        assert_eq!(cut_end("üüüü", 6), "ü...");
        assert_eq!(cut_end("üü", 3), "ü");
        assert_eq!(cut_end("üü", 0), "");
        assert_eq!(squeeze("0123456789", 9), "012...789");
        assert_eq!(squeeze("üüüüü", 9), "ü...ü");
        assert_eq!(squeeze("üüüüü", 2), "ü");
    }

    #[test]
    fn many_lines_lose_those_in_the_middle() {
        let redactor = Redactor::default();
        let text = (0..40).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        let cut = Cleaner::new(&redactor).lines(&text);
        assert_eq!(cut.lines().count(), 31);
        assert!(cut.starts_with("0\n1\n") && cut.contains("\n14\n... 10 lines ...\n25\n"), "{cut}");
    }
}

//! Markdown laid out for a terminal: as much of it as the documentation of the checks has.

use annotate_snippets::renderer::{AnsiColor, Style};

use crate::report::text::columns;

/// A terminal that is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Whether there are colours.
    pub color: bool,
}

/// How far texts stand from the edge.
const INDENT: &str = "  ";

/// How far code does.
const CODE_INDENT: &str = "      ";

/// Fewer columns are no room for a text beside another.
const NARROWEST: usize = 40;

impl Screen {
    /// A page: its title, paragraphs and lists of the width of the screen, code as it is.
    pub(super) fn page(self, markdown: &str) -> String {
        let (title, body) = markdown.split_once('\n').unwrap_or((markdown, ""));
        let mut page = String::new();
        for line in self.lines("", INDENT, title) {
            page.push_str(&format!("{}\n", self.painted(&line, Style::new().bold())));
        }
        let mut lines = body.lines().peekable();
        while let Some(line) = lines.next() {
            if line.trim().is_empty() {
                page.push('\n');
            } else if line.starts_with("```") {
                for code in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                    let code = format!("{CODE_INDENT}{code}");
                    page.push_str(self.painted(&code, Style::new().dimmed()).trim_end());
                    page.push('\n');
                }
            } else if let Some(heading) = line.strip_prefix("## ") {
                page.push_str(&format!("{}\n", self.heading(heading)));
            } else {
                let mut text = line.trim().to_owned();
                while let Some(more) = lines.next_if(|line| goes_on(line)) {
                    text.push(' ');
                    text.push_str(more.trim());
                }
                let hanging = if text.starts_with("- ") { "    " } else { INDENT };
                page.push_str(&self.wrapped(INDENT, hanging, &text));
            }
        }
        page
    }

    /// The heading of a part.
    pub(super) fn heading(self, text: &str) -> String {
        self.painted(&text.to_uppercase(), Style::new().bold())
    }

    /// `text` beside its `head`, or below it where there is no room.
    pub(super) fn entry(self, head: &str, text: &str) -> String {
        if self.width >= columns(head) + NARROWEST {
            return self.wrapped(head, &" ".repeat(columns(head)), text);
        }
        format!("{}\n{}", head.trim_end(), self.wrapped(CODE_INDENT, CODE_INDENT, text))
    }

    /// The same as [`Self::lines`], with code painted and a line break at the end of each.
    fn wrapped(self, first: &str, rest: &str, text: &str) -> String {
        let mut in_code = false;
        let lines = self.lines(first, rest, text).into_iter();
        lines.map(|line| format!("{}\n", self.with_code(&line, &mut in_code))).collect()
    }

    /// `text` in lines of at most the width, with `first` in front of the first line and `rest` in front
    /// of the others.
    fn lines(self, first: &str, rest: &str, text: &str) -> Vec<String> {
        let mut lines = vec![first.to_owned()];
        let mut is_empty = true;
        for word in text.split(' ') {
            let line = lines.last_mut().map(|line| columns(line) + 1 + columns(word));
            if !is_empty && line.is_some_and(|columns| columns > self.width) {
                lines.push(rest.to_owned());
                is_empty = true;
            }
            if let Some(line) = lines.last_mut() {
                if !is_empty {
                    line.push(' ');
                }
                line.push_str(word);
            }
            is_empty = false;
        }
        lines
    }

    /// What stands between backticks, painted; it may go on in the next line.
    fn with_code(self, line: &str, in_code: &mut bool) -> String {
        let style = AnsiColor::Cyan.on_default();
        let mut out = String::new();
        for (index, part) in line.split('`').enumerate() {
            if index > 0 {
                out.push('`');
                *in_code = !*in_code;
            }
            out.push_str(&if *in_code { self.painted(part, style) } else { part.to_owned() });
        }
        out
    }

    fn painted(self, text: &str, style: Style) -> String {
        if self.color && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// Whether a line belongs to the paragraph or the item before it.
fn goes_on(line: &str) -> bool {
    let is_new = ["## ", "```", "- "].iter().any(|start| line.starts_with(start));
    !(is_new || line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "error[a]: exit 3 (b)\n\nA paragraph that is\nlonger than the `screen it` is on.\n\n\
        ## Fix\n\n```yaml\na:   b that is longer than the screen, and is not broken\n\n# c\n```\n\n\
        - an item that is\n  longer than the screen\n- b\n";

    #[test]
    fn a_page_has_the_width_of_the_screen() {
        let told = Screen { width: 40, color: false }.page(PAGE);
        insta::assert_snapshot!(told, @r"
        error[a]: exit 3 (b)

          A paragraph that is longer than the
          `screen it` is on.

        FIX

              a:   b that is longer than the screen, and is not broken

              # c

          - an item that is longer than the
            screen
          - b
        ");
    }

    #[test]
    fn code_is_painted_over_the_end_of_a_line() {
        let told =
            Screen { width: 24, color: true }.page("t\n\nlonger than the `screen it` is on\n");
        insta::assert_snapshot!(told.escape_debug().to_string(), @r"\u{1b}[1mt\u{1b}[0m\n\n  longer than the\n  `\u{1b}[36mscreen it\u{1b}[0m` is on\n");
    }
}

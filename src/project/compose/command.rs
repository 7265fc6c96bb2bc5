//! The words of a `command` or `entrypoint` that is written as a string. Compose does not run a
//! shell for them: `mattn/go-shellwords` splits them, with rules of its own.

use std::ops::Range;

/// Splits a command line; `None` for quotes that do not end and for parentheses.
///
/// An unquoted `;`, `&`, `|`, `<` or `>` ends the command: what follows is not part of it.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut splitter = Splitter::default();
    for c in line.chars() {
        match splitter.take(c) {
            Step::Next => {}
            Step::Cut => break,
            Step::Refuse => return None,
        }
    }
    splitter.finish()
}

/// The same, of characters with the offsets that they are written at: each word with where it begins
/// and ends. The last may end at `end`.
pub(super) fn words_at(line: &[(usize, char)], end: usize) -> Option<Vec<(String, Range<usize>)>> {
    let mut splitter = Splitter::default();
    let mut places = Vec::new();
    let (mut start, mut end) = (None, end);
    for &(at, c) in line {
        let is_space = c.is_ascii_whitespace();
        let step = splitter.take(c);
        if splitter.words.len() > places.len() {
            places.extend(start.take().map(|start| start..at));
        } else if is_space && !splitter.quoted() {
            start = None;
        } else if !is_space {
            start.get_or_insert(at);
        }
        match step {
            Step::Next => {}
            Step::Cut => {
                end = at;
                break;
            }
            Step::Refuse => return None,
        }
    }
    places.extend(start.map(|start| start..end));
    Some(splitter.finish()?.into_iter().zip(places).collect())
}

/// The first unquoted `&&`, `;`, `|`, `>` or the like: Compose cuts the command off there. Absent: it
/// takes all of it.
#[must_use]
pub(super) fn cut_at(line: &str) -> Option<&str> {
    let mut splitter = Splitter::default();
    let (at, _) = line.char_indices().find(|(_, c)| splitter.take(*c) == Step::Cut)?;
    let rest = line.get(at..)?;
    let end = rest.find(|c| !OPERATORS.contains(&c)).unwrap_or(rest.len());
    rest.get(..end)
}

/// What ends a command outside quotes.
const OPERATORS: [char; 5] = [';', '&', '|', '<', '>'];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Next,
    Cut,
    Refuse,
}

#[derive(Debug, Default)]
struct Splitter {
    words: Vec<String>,
    word: String,
    /// Whether `word` is one, even if it is empty.
    started: bool,
    escaped: bool,
    double: bool,
    single: bool,
    backquote: bool,
    dollar: bool,
}

impl Splitter {
    fn quoted(&self) -> bool {
        self.single || self.double || self.backquote || self.dollar
    }

    fn take(&mut self, c: char) -> Step {
        if self.escaped {
            self.escaped = false;
            self.started = true;
            self.word.push(c);
            return Step::Next;
        }
        match c {
            '\\' if self.single => self.word.push(c),
            '\\' => self.escaped = true,
            ' ' | '\t' | '\r' | '\n' if self.quoted() => self.word.push(c),
            ' ' | '\t' | '\r' | '\n' => self.end_word(),
            '(' if !self.single && !self.double && !self.backquote => {
                if self.dollar || !self.word.ends_with('$') {
                    return Step::Refuse;
                }
                self.dollar = true;
                self.word.push(c);
            }
            '"' if !self.single && !self.dollar => {
                self.started |= self.double;
                self.double = !self.double;
            }
            '\'' if !self.double && !self.dollar => {
                self.started |= self.single;
                self.single = !self.single;
            }
            ';' | '&' | '|' | '<' | '>' if !self.quoted() => {
                // `2>` belongs to the redirection.
                if c == '>' && self.word.starts_with(|c: char| c.is_ascii_digit()) {
                    self.started = false;
                }
                return Step::Cut;
            }
            c => {
                if c == '`' && !self.single && !self.double && !self.dollar {
                    self.backquote = !self.backquote;
                }
                if c == ')' && !self.single && !self.double && !self.backquote {
                    self.dollar = !self.dollar;
                }
                self.started = true;
                self.word.push(c);
            }
        }
        Step::Next
    }

    fn end_word(&mut self) {
        if self.started {
            self.words.push(std::mem::take(&mut self.word));
            self.started = false;
        }
    }

    fn finish(mut self) -> Option<Vec<String>> {
        if self.escaped || self.quoted() {
            return None;
        }
        self.end_word();
        Some(self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        assert_eq!(words(line).unwrap(), expected, "{line}");
    }

    #[test]
    fn command_lines_are_split_as_compose_does() {
        check("", &[]);
        check("vllm serve  m --port 8000", &["vllm", "serve", "m", "--port", "8000"]);
        check("vllm serve m > /log", &["vllm", "serve", "m"]);
        check("a 2> /dev/null", &["a"]);
        check("a; b", &["a"]);
        check("--x={\"a\":1}", &["--x={a:1}"]);
        check("--x='{\"a\": 1}'", &["--x={\"a\": 1}"]);
        check("sh -c \"a && b\"", &["sh", "-c", "a && b"]);
        check("a '' \"\"", &["a", "", ""]);
        check("a\\ b ~ * # $X", &["a b", "~", "*", "#", "$X"]);
        check("a\\nb", &["anb"]);
        check("echo $(a b) `c d`", &["echo", "$(a b)", "`c d`"]);
    }

    #[test]
    fn what_compose_refuses_is_refused() {
        for line in ["a (b)", "a 'b", "a \"b", "a \\", "`a"] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn a_command_is_cut_off_at_its_first_operator_outside_quotes() {
        for (line, expected) in [
            ("a; b", Some(";")),
            ("a \"x && y\" && b || c", Some("&&")),
            ("a 2>&1", Some(">&")),
            ("sh -c 'a; b'", None),
            ("a b", None),
        ] {
            assert_eq!(cut_at(line), expected, "{line}");
        }
    }
}

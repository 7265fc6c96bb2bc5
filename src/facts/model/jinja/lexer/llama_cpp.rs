//! As llama.cpp takes a template apart (build 11669: `common/jinja/lexer.cpp`).

use super::{Kind, Token, length_of, symbol};
use crate::facts::model::jinja::{Parsed, Stop};

/// In the order in which they are tried.
const SYMBOLS: [&str; 23] = [
    "(", ")", "{", "}", "[", "]", ",", ".", ":", "|", "<=", ">=", "==", "!=", "<", ">", "+", "-",
    "~", "*", "/", "%", "=",
];

/// What opens and ends, in that order.
const MARKS: [(&str, Kind); 8] = [
    ("{%-", Kind::Open),
    ("-%}", Kind::Close),
    ("{{-", Kind::OpenValue),
    ("-}}", Kind::CloseValue),
    ("{%", Kind::Open),
    ("%}", Kind::Close),
    ("{{", Kind::OpenValue),
    ("}}", Kind::CloseValue),
];

/// What may stand behind a backslash.
const ESCAPED: [u8; 9] = *b"ntrbfv\\'\"";

/// No number of so many digits overflows.
const MOST_DIGITS: usize = 18;

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Braces that are open.
    braces: usize,
    tokens: Vec<Token<'a>>,
}

/// The pieces of a template.
pub(in crate::facts::model::jinja) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Stop> {
    // One line feed at the end belongs to nobody.
    let source = source.strip_suffix('\n').unwrap_or(source);
    let mut lexer = Lexer { source, at: 0, braces: 0, tokens: Vec::new() };
    while lexer.at < source.len() {
        lexer.step()?;
    }
    Ok(lexer.tokens)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn last(&self) -> Option<Kind> {
        self.tokens.last().map(|token| token.kind)
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let text = &self.source[self.at..self.at + length];
        self.tokens.push(Token { kind, text, offset: self.at });
        self.at += length;
    }

    fn step(&mut self) -> Parsed {
        let ends =
            matches!(self.last(), None | Some(Kind::Close | Kind::CloseValue | Kind::Comment));
        let text = if ends { self.text_length() } else { 0 };
        if text > 0 {
            self.push(Kind::Text, text);
            return Ok(());
        }
        if self.rest().starts_with("{#") {
            return self.comment();
        }
        let is_open = matches!(self.last(), Some(Kind::Open | Kind::OpenValue));
        if is_open && self.rest().starts_with('-') {
            self.at += 1;
        }
        self.at += length_of(self.rest(), |c| c.is_ascii_whitespace() || c == '\u{b}');
        if self.at == self.source.len() || self.signed() || self.marked() {
            return Ok(());
        }
        self.word()
    }

    /// Up to what is not text any more.
    fn text_length(&self) -> usize {
        let rest = self.rest();
        let opens = |at: &usize| ["{%", "{{", "{#"].iter().any(|it| rest[*at..].starts_with(it));
        rest.match_indices('{').map(|(at, _)| at).find(opens).unwrap_or(rest.len())
    }

    fn comment(&mut self) -> Parsed {
        let Some(length) = self.rest()[2..].find("#}") else {
            return Err(Stop::At(self.at, "the comment has no end".to_owned()));
        };
        self.push(Kind::Comment, length + 4);
        Ok(())
    }

    /// A sign that stands in front of something, and the number behind it.
    fn signed(&mut self) -> bool {
        let rest = self.rest();
        let is_end = rest.starts_with("-%") || rest.starts_with("-}");
        let is_between = self.tokens.last().is_some_and(|last| match last.kind {
            Kind::Name | Kind::Number | Kind::Integer | Kind::Quoted => true,
            Kind::Symbol => last.text == ")" || last.text == "]",
            Kind::Text
            | Kind::Comment
            | Kind::Open
            | Kind::Close
            | Kind::OpenValue
            | Kind::CloseValue
            | Kind::Sign
            | Kind::End => false,
        });
        if is_end || is_between || !rest.starts_with(['-', '+']) {
            return false;
        }
        match number_length(&rest[1..]) {
            0 => self.push(Kind::Sign, 1),
            digits => self.push(Kind::Number, digits + 1),
        }
        true
    }

    fn marked(&mut self) -> bool {
        let rest = self.rest();
        let is_end = |mark: &str| mark != "}}" || self.braces == 0;
        let mark = MARKS.into_iter().find(|(mark, _)| rest.starts_with(mark) && is_end(mark));
        if let Some((mark, kind)) = mark {
            if kind == Kind::OpenValue {
                self.braces = 0;
            }
            self.push(kind, mark.len());
            return true;
        }
        let Some(symbol) = symbol(rest, &SYMBOLS) else { return false };
        match symbol {
            "{" => self.braces += 1,
            // It wraps around there, and no `}}` ends anything behind it.
            "}" => self.braces = self.braces.wrapping_sub(1),
            _ => {}
        }
        self.push(Kind::Symbol, symbol.len());
        true
    }

    fn word(&mut self) -> Parsed {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or_default();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if first == '"' || first == '\'' {
            let length = self.quoted_length()?;
            self.push(Kind::Quoted, length);
        } else if first.is_ascii_digit() {
            let length = number_length(rest);
            if length > MOST_DIGITS {
                return Err(Stop::Unjudged);
            }
            self.push(Kind::Number, length);
        } else if is_word(first) {
            self.push(Kind::Name, length_of(rest, is_word));
        } else {
            return Err(Stop::At(
                self.at,
                format!("`{first}` stands where nothing of the kind can"),
            ));
        }
        Ok(())
    }

    /// With the quotes.
    fn quoted_length(&self) -> Result<usize, Stop> {
        let rest = self.rest().as_bytes();
        let mut at = 1;
        loop {
            match rest.get(at) {
                None => return Err(Stop::At(self.at, "the text in quotes has no end".to_owned())),
                Some(b'\\') => {
                    let escaped = rest.get(at + 1).copied().unwrap_or_default();
                    if !ESCAPED.contains(&escaped) {
                        let shown = char::from(escaped).escape_default();
                        let problem = format!("`\\{shown}` in a text is not known to llama.cpp");
                        return Err(Stop::At(self.at + at, problem));
                    }
                    at += 2;
                }
                Some(byte) if *byte == rest[0] => return Ok(at + 1),
                Some(_) => at += 1,
            }
        }
    }
}

/// Digits, with a point between them.
fn number_length(rest: &str) -> usize {
    let digits = |rest: &str| length_of(rest, |c| c.is_ascii_digit());
    let whole = digits(rest);
    let behind = rest[whole..].strip_prefix('.').map_or(0, digits);
    if behind > 0 { whole + 1 + behind } else { whole }
}

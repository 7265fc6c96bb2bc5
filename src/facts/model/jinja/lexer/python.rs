//! As Jinja2 takes a template apart (3.1.6: `lexer.py`).

use super::{Kind, Token, length_of, symbol};
use crate::facts::model::jinja::{Parsed, Stop};

/// The longest first.
const SYMBOLS: [&str; 25] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",",
];

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Brackets that are open: what closes them.
    brackets: Vec<&'static str>,
    tokens: Vec<Token<'a>>,
}

/// The pieces of a template.
pub(in crate::facts::model::jinja) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Stop> {
    let mut lexer = Lexer { source, at: 0, brackets: Vec::new(), tokens: Vec::new() };
    while lexer.at < source.len() {
        lexer.text()?;
    }
    Ok(lexer.tokens)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let text = &self.source[self.at..self.at + length];
        self.tokens.push(Token { kind, text, offset: self.at });
        self.at += length;
    }

    /// Text, and what begins behind it.
    fn text(&mut self) -> Parsed {
        let rest = self.rest();
        let opens = |at: &usize| ["{%", "{{", "{#"].iter().any(|it| rest[*at..].starts_with(it));
        let length = rest.match_indices('{').map(|(at, _)| at).find(opens);
        let Some(length) = length else {
            self.push(Kind::Text, rest.len());
            return Ok(());
        };
        if length > 0 {
            self.push(Kind::Text, length);
        }
        let rest = self.rest();
        if let Some(behind) = raw(rest) {
            return self.raw(behind);
        }
        let sign = usize::from(rest[2..].starts_with(['-', '+']));
        match rest.as_bytes()[1] {
            b'#' => match rest[2..].find("#}") {
                Some(length) => {
                    self.at += length + 4;
                    Ok(())
                }
                None => Err(Stop::At(self.at, "the comment has no end".to_owned())),
            },
            b'%' => self.inside((Kind::Open, 2 + sign), (Kind::Close, ["%}", "-%}", "+%}"])),
            _ => self.inside((Kind::OpenValue, 2 + sign), (Kind::CloseValue, ["}}", "-}}", "-}}"])),
        }
    }

    /// Passes over what stands as it is, `behind` bytes from here on.
    fn raw(&mut self, behind: usize) -> Parsed {
        let rest = &self.rest()[behind..];
        let end = rest.match_indices("{%").find_map(|(at, _)| {
            let word = rest[at + 2..].trim_start_matches(['-', '+']).trim_start();
            let length = closing(word.strip_prefix("endraw")?)?;
            Some(rest.len() - word.len() + "endraw".len() + length)
        });
        let Some(end) = end else {
            return Err(Stop::At(self.at, "`raw` has no `endraw`".to_owned()));
        };
        self.at += behind + end;
        Ok(())
    }

    /// A statement or a value, up to its end.
    fn inside(
        &mut self,
        (open, length): (Kind, usize),
        (close, marks): (Kind, [&str; 3]),
    ) -> Parsed {
        self.push(open, length);
        self.brackets.clear();
        while self.at < self.source.len() {
            let rest = self.rest();
            let mark = marks.into_iter().find(|mark| rest.starts_with(mark));
            if let Some(mark) = mark.filter(|_| self.brackets.is_empty()) {
                self.push(close, mark.len());
                return Ok(());
            }
            match length_of(rest, char::is_whitespace) {
                0 => self.piece()?,
                blank => self.at += blank,
            }
        }
        Ok(())
    }

    fn piece(&mut self) -> Parsed {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or_default();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if first.is_ascii_digit() {
            let (kind, length) = number(rest);
            self.push(kind, length);
        } else if is_word(first) {
            let length = length_of(rest, is_word);
            if !rest[..length].is_ascii() {
                // Which letters a name can have is said by tables of Unicode.
                return Err(Stop::Unjudged);
            }
            self.push(Kind::Name, length);
        } else if first == '"' || first == '\'' {
            let length = self.quoted_length()?;
            self.push(Kind::Quoted, length);
        } else if let Some(symbol) = symbol(rest, &SYMBOLS) {
            self.balance(symbol)?;
            self.push(Kind::Symbol, symbol.len());
        } else {
            let problem = format!("`{first}` stands where nothing of the kind can");
            return Err(Stop::At(self.at, problem));
        }
        Ok(())
    }

    fn balance(&mut self, symbol: &str) -> Parsed {
        match symbol {
            "(" => self.brackets.push(")"),
            "[" => self.brackets.push("]"),
            "{" => self.brackets.push("}"),
            ")" | "]" | "}" => match self.brackets.pop() {
                Some(expected) if expected == symbol => {}
                Some(expected) => {
                    let problem = format!("`{symbol}` stands where `{expected}` should");
                    return Err(Stop::At(self.at, problem));
                }
                None => {
                    let problem = format!("`{symbol}` closes nothing");
                    return Err(Stop::At(self.at, problem));
                }
            },
            _ => {}
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
                    let digits = match rest.get(at + 1) {
                        Some(b'x') => 2,
                        Some(b'u') => 4,
                        Some(b'U') => 8,
                        // By the name of a character.
                        Some(b'N') => return Err(Stop::Unjudged),
                        Some(_) | None => 0,
                    };
                    let is_digit = |at: usize| rest.get(at).is_some_and(u8::is_ascii_hexdigit);
                    if !(at + 2..at + 2 + digits).all(is_digit) {
                        let problem = "a character in a text is not written to its end";
                        return Err(Stop::At(self.at + at, problem.to_owned()));
                    }
                    at += 2;
                }
                Some(byte) if *byte == rest[0] => return Ok(at + 1),
                Some(_) => at += 1,
            }
        }
    }
}

/// How many bytes the beginning of what stands as it is takes; absent: it does not begin here.
fn raw(rest: &str) -> Option<usize> {
    let word = rest.strip_prefix("{%")?;
    let word = word.strip_prefix(['-', '+']).unwrap_or(word).trim_start();
    let length = closing(word.strip_prefix("raw")?)?;
    Some(rest.len() - word.len() + "raw".len() + length)
}

/// How many bytes the end of a statement takes that has nothing more in it.
fn closing(rest: &str) -> Option<usize> {
    let mark = rest.trim_start();
    let end = mark.strip_prefix(['-', '+']).unwrap_or(mark).strip_prefix("%}")?;
    Some(rest.len() - end.len())
}

/// The kind of a number, and how long it is.
fn number(rest: &str) -> (Kind, usize) {
    let bytes = rest.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits = |from: usize| {
        let mut at = from;
        while is_digit(at) || (at > from && bytes.get(at) == Some(&b'_') && is_digit(at + 1)) {
            at += 1;
        }
        at
    };
    if let Some(end) = of_base(bytes) {
        return (Kind::Integer, end);
    }
    let whole = digits(0);
    let point = if bytes.get(whole) == Some(&b'.') { digits(whole + 1) } else { whole };
    let fraction = if point > whole + 1 { point } else { whole };
    let mut end = fraction;
    if bytes.get(fraction).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'e')) {
        let sign = usize::from(matches!(bytes.get(fraction + 1), Some(b'+' | b'-')));
        let exponent = digits(fraction + 1 + sign);
        if exponent > fraction + 1 + sign {
            end = exponent;
        }
    }
    if end > whole {
        return (Kind::Number, end);
    }
    // A zero is followed by zeros alone.
    let zeros = || length_of(&rest[1..], |c| c == '0' || c == '_') + 1;
    (Kind::Integer, if bytes[0] == b'0' { zeros().min(whole) } else { whole })
}

/// The end of a number that is written to the base 2, 8 or 16.
fn of_base(bytes: &[u8]) -> Option<usize> {
    let base = match bytes.get(1)?.to_ascii_lowercase() {
        b'b' => 2,
        b'o' => 8,
        b'x' => 16,
        _ => return None,
    };
    let is_digit = |byte: &u8| *byte == b'_' || char::from(*byte).is_digit(base);
    let count = bytes[2..].iter().take_while(|byte| is_digit(byte)).count();
    (bytes[0] == b'0' && count > 0).then_some(2 + count)
}

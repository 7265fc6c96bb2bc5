//! Reads a script from the left: blanks, words, quotes, and what begins with `$`.

use crate::plan::engine::shell::{Piece, PieceKind, Raw};

/// Reads a script from the left.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Takes everything before the first character for which `ends` is true.
    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(super) fn skip_blanks(&mut self) {
        loop {
            let before = self.rest.len();
            self.take_until(|character| !matches!(character, ' ' | '\t' | '\r'));
            for continuation in ["\\\n", "\\\r\n"] {
                self.rest = self.rest.strip_prefix(continuation).unwrap_or(self.rest);
            }
            if self.rest.len() == before {
                return;
            }
        }
    }

    pub(super) fn skip_line(&mut self) {
        self.take_until(|character| character == '\n');
    }

    /// Takes `>`, `>>`, `2>&1` and the file; absent: it is read, not written.
    pub(super) fn redirection(&mut self) -> Result<Option<Raw>, String> {
        if self.rest.starts_with("<<") {
            return Err("a here-document in the script is not read yet".to_owned());
        }
        let is_written = self.peek() == Some('>');
        self.take_until(|character| !matches!(character, '<' | '>' | '&' | '|'));
        self.skip_blanks();
        let file = self.word();
        Ok(Some(file).filter(|_| is_written))
    }

    /// One word, up to a blank or an operator outside quotes.
    pub(super) fn word(&mut self) -> Raw {
        let mut raw = Raw::new();
        while let Some(next) = self.peek() {
            if matches!(next, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') {
                break;
            }
            self.piece(next, &mut raw);
        }
        raw
    }

    /// Everything that is left, as words; as a single one if it stands inside double quotes.
    pub(super) fn until_end(&mut self, quoted: bool) -> Vec<Raw> {
        let mut words = Vec::new();
        let mut raw = Raw::new();
        while let Some(next) = self.peek() {
            if quoted && next == '\'' {
                self.next();
                raw.push(Piece { kind: PieceKind::Text("'".to_owned()), quoted });
            } else if !quoted && next.is_whitespace() {
                self.next();
                words.push(std::mem::take(&mut raw));
            } else {
                self.piece(next, &mut raw);
            }
        }
        if quoted {
            raw.iter_mut().for_each(|piece| piece.quoted = true);
        }
        words.push(raw);
        words
    }

    /// Reads the piece that begins with `next`; always moves on.
    fn piece(&mut self, next: char, raw: &mut Raw) {
        match next {
            '\'' => {
                self.next();
                let text = self.take_until(|character| character == '\'').to_owned();
                self.next();
                raw.push(Piece { kind: PieceKind::Text(text), quoted: true });
            }
            '"' => {
                self.next();
                self.double_quoted(raw);
            }
            '\\' => {
                self.next();
                if let Some(escaped) = self.next().filter(|escaped| *escaped != '\n') {
                    let kind = PieceKind::Text(escaped.to_string());
                    raw.push(Piece { kind, quoted: true });
                }
            }
            '$' | '`' => {
                let kind = self.expansion();
                raw.push(Piece { kind, quoted: false });
            }
            _ => {
                // The first character may be one that ends a run of text elsewhere.
                let first = self.next().map(String::from).unwrap_or_default();
                let more = self.take_until(|character| {
                    character.is_whitespace() || "'\"\\$`;&|<>()".contains(character)
                });
                raw.push(Piece { kind: PieceKind::Text(first + more), quoted: false });
            }
        }
    }

    fn double_quoted(&mut self, raw: &mut Raw) {
        if self.peek() == Some('"') {
            // `""` is an empty word; `"$@"` without arguments is none.
            raw.push(Piece { kind: PieceKind::Text(String::new()), quoted: true });
        }
        loop {
            let text = self.take_until(|character| matches!(character, '"' | '\\' | '$' | '`'));
            if !text.is_empty() {
                raw.push(Piece { kind: PieceKind::Text(text.to_owned()), quoted: true });
            }
            match self.peek() {
                None => return,
                Some('"') => {
                    self.next();
                    return;
                }
                Some('\\') => {
                    self.next();
                    let text = match self.next() {
                        Some(escaped @ ('"' | '\\' | '$' | '`')) => escaped.to_string(),
                        Some('\n') => String::new(),
                        Some(other) => format!("\\{other}"),
                        None => "\\".to_owned(),
                    };
                    raw.push(Piece { kind: PieceKind::Text(text), quoted: true });
                }
                Some(_) => {
                    let kind = self.expansion();
                    raw.push(Piece { kind, quoted: true });
                }
            }
        }
    }

    /// Reads what begins with `$` or a backtick.
    fn expansion(&mut self) -> PieceKind {
        if self.next() == Some('`') {
            self.take_until(|character| character == '`');
            self.next();
            return PieceKind::Computed;
        }
        match self.peek() {
            Some('(') => {
                self.next();
                self.balanced('(', ')');
                PieceKind::Computed
            }
            Some('{') => {
                self.next();
                let inside = self.balanced('{', '}');
                let name = name_of(inside);
                let rest = inside.get(name.len()..).unwrap_or("").to_owned();
                PieceKind::Parameter { name: name.to_owned(), rest }
            }
            Some(next) if next == '@' || next == '*' || next.is_ascii_digit() => {
                self.next();
                PieceKind::Parameter { name: next.to_string(), rest: String::new() }
            }
            Some('?' | '$' | '!' | '#' | '-') => {
                self.next();
                PieceKind::Computed
            }
            Some(_) | None => {
                let name = name_of(self.rest);
                self.rest = self.rest.get(name.len()..).unwrap_or("");
                if name.is_empty() {
                    PieceKind::Text("$".to_owned())
                } else {
                    PieceKind::Parameter { name: name.to_owned(), rest: String::new() }
                }
            }
        }
    }

    /// Takes everything up to the bracket that closes one that was just read.
    fn balanced(&mut self, open: char, close: char) -> &'a str {
        let text = self.rest;
        let mut depth = 1_usize;
        let mut quote = None;
        let mut escaped = false;
        for (at, character) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if character == '\\' && quote != Some('\'') {
                escaped = true;
            } else if quote == Some(character) {
                quote = None;
            } else if quote.is_none() && matches!(character, '\'' | '"') {
                quote = Some(character);
            } else if quote.is_none() && character == open {
                depth += 1;
            } else if quote.is_none() && character == close {
                depth -= 1;
                if depth == 0 {
                    self.rest = text.get(at + 1..).unwrap_or("");
                    return text.get(..at).unwrap_or("");
                }
            }
        }
        self.rest = "";
        text
    }
}

/// The parameter's name that `text` begins with; empty if it begins with none.
pub(super) fn name_of(text: &str) -> &str {
    if text.starts_with(['@', '*']) {
        return text.get(..1).unwrap_or("");
    }
    let first = text.chars().next();
    let inside: fn(char) -> bool = match first {
        Some(digit) if digit.is_ascii_digit() => |character| character.is_ascii_digit(),
        _ => |character| character.is_ascii_alphanumeric() || character == '_',
    };
    let end = text.find(|character| !inside(character)).unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

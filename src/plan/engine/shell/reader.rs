//! Reads a script from the left: blanks, words, quotes, and what begins with `$`.

use crate::plan::engine::shell::{Function, Piece, PieceKind, Raw};

/// Reads a script from the left.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a str,
    /// Whether the body of a function was found to have no end, as all have that begin behind it.
    is_open: bool,
}

/// What `<` and `>` do.
pub(super) enum Redirection {
    /// They take or fill a file: the one that is written, if any is.
    File(Option<Raw>),
    /// They give what follows the line, up to a line of this text.
    Document(String),
}

impl<'a> Reader<'a> {
    pub(super) fn new(script: &'a str) -> Self {
        Self { rest: script, is_open: false }
    }

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

    /// Takes `>`, `>>`, `2>&1` and the file, or `<<` and the end of a here-document.
    pub(super) fn redirection(&mut self) -> Redirection {
        if let Some(rest) = self.rest.strip_prefix("<<").filter(|rest| !rest.starts_with('<')) {
            self.rest = rest.strip_prefix('-').unwrap_or(rest);
            self.skip_blanks();
            return Redirection::Document(text_of(&self.word()));
        }
        let is_written = self.peek() == Some('>');
        self.take_until(|character| !matches!(character, '<' | '>' | '&' | '|'));
        self.skip_blanks();
        let file = self.word();
        Redirection::File(Some(file).filter(|_| is_written))
    }

    /// Takes the lines up to the one that is `end`, and that.
    pub(super) fn skip_document(&mut self, end: &str) {
        while !self.rest.is_empty() {
            let line = self.take_until(|character| character == '\n').trim_end_matches('\r');
            self.next();
            if line.trim_start_matches('\t') == end {
                return;
            }
        }
    }

    /// `NAME() { ... }` or `function NAME { ... }`, if that is what comes; absent: nothing is taken.
    pub(super) fn function(&mut self) -> Option<Function> {
        if self.is_open {
            return None;
        }
        let mut ahead = Reader::new(self.rest);
        let is_said = ahead.rest.strip_prefix("function").filter(|rest| rest.starts_with(' '));
        ahead.rest = is_said.unwrap_or(ahead.rest);
        ahead.skip_blanks();
        let name = ahead.take_until(|it| it.is_whitespace() || "'\"\\$`;&|<>(){}#=".contains(it));
        ahead.skip_blanks();
        let has_brackets = match ahead.rest.strip_prefix('(') {
            Some(behind) => {
                ahead.rest = behind;
                ahead.skip_blanks();
                ahead.rest = ahead.rest.strip_prefix(')')?;
                true
            }
            None => false,
        };
        if name.is_empty() || !(has_brackets || is_said.is_some()) {
            return None;
        }
        ahead.take_until(|it| !it.is_whitespace());
        ahead.rest =
            ahead.rest.strip_prefix('{').filter(|it| it.starts_with(char::is_whitespace))?;
        // Without its end it is no function that is understood.
        let end = end_of_body(ahead.rest);
        self.is_open = end.is_none();
        let (body, behind) = ahead.rest.split_at_checked(end?)?;
        self.rest = behind.strip_prefix('}')?;
        Some(Function { name: name.to_owned(), body: body.to_owned() })
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

/// The text of a word in which nothing is expanded.
fn text_of(word: &Raw) -> String {
    let texts = word.iter().map(|piece| match &piece.kind {
        PieceKind::Text(text) => text.as_str(),
        PieceKind::Parameter { .. } | PieceKind::Computed => "",
    });
    texts.collect()
}

/// Where the brace stands that ends what is open at the start of a text: outside quotes and comments, in which
/// a quote is none.
fn end_of_body(text: &str) -> Option<usize> {
    let mut quote = None;
    let (mut is_start, mut is_escaped, mut is_comment) = (true, false, false);
    let mut depth = 1_usize;
    for (at, character) in text.char_indices() {
        is_comment = character != '\n' && (is_comment || is_start && character == '#');
        if is_comment {
            continue;
        }
        is_start =
            quote.is_none() && !is_escaped && (character.is_whitespace() || character == ';');
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match (character, quote) {
            ('\\', None | Some('"')) => is_escaped = true,
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if open == character => quote = None,
            ('{', None) => depth += 1,
            ('}', None) => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
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

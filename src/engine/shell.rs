//! The part of the POSIX shell that start commands use: words, quotes, variables, and which simple
//! commands a script is made of. Conditions and loops are not followed: every simple command in
//! them counts.

use crate::engine::words::{Environment, Variable, Word};
use crate::source_map::Place;

/// The longest word that is built, in bytes: variables can be made to double themselves.
const LONGEST_WORD: usize = 64 << 10;

/// The most words of one simple command.
const MOST_WORDS: usize = 4096;

/// How deep `${A:-${B:-...}}` is followed.
const DEEPEST: usize = 16;

/// A script, taken apart but not yet expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// Its simple commands, in the order of the text.
    pub(super) commands: Vec<Vec<Raw>>,
    /// What in it is not understood, so that what follows is not known.
    pub(super) unread: Option<String>,
}

/// One word as it is written: pieces, with or without quotes around them.
pub(super) type Raw = Vec<Piece>;

/// A piece of a [`Raw`] word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    kind: PieceKind,
    quoted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PieceKind {
    /// Text.
    Text(String),
    /// `$NAME`, or `${NAME...}` with what stands behind the name.
    Parameter { name: String, rest: String },
    /// `$(...)`, backticks, `$((...))`.
    Computed,
}

/// What a script is expanded with.
pub(super) struct Scope<'a, 'b> {
    /// The variables.
    pub(super) environment: &'b Environment<'a>,
    /// `$1`, `$2` and so on.
    pub(super) arguments: &'b [Word],
    /// Where the script is written.
    pub(super) place: &'b Place,
}

/// Words that only give a script its shape.
const RESERVED: [&str; 14] = [
    "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "{", "}", "!", "time",
    "esac",
];

/// Takes `script` apart.
pub(super) fn parse(script: &str) -> Script {
    let mut reader = Reader { rest: script };
    let mut commands = Vec::new();
    let mut command: Vec<Raw> = Vec::new();
    let mut unread = None;
    loop {
        reader.skip_blanks();
        let Some(next) = reader.peek() else { break };
        match next {
            ';' | '&' | '|' | '\n' | '(' | ')' => {
                reader.next();
                commands.push(std::mem::take(&mut command));
            }
            '<' | '>' => match reader.redirection() {
                Ok(()) => {}
                Err(why) => {
                    unread = Some(why);
                    break;
                }
            },
            '#' => reader.skip_line(),
            _ => {
                let word = reader.word();
                let number = is_number(&word) && matches!(reader.peek(), Some('<' | '>'));
                let reserved = command.is_empty() && is_reserved(&word);
                if !number && !reserved {
                    command.push(word);
                }
            }
        }
    }
    commands.push(command);
    commands.retain(|command| !command.is_empty());
    Script { commands, unread }
}

/// The name and the value of a word that is `NAME=value`.
pub(super) fn assignment(word: &Raw) -> Option<(&str, Raw)> {
    let Some((Piece { kind: PieceKind::Text(text), quoted: false }, rest)) = word.split_first()
    else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let first = Piece { kind: PieceKind::Text(value.to_owned()), quoted: false };
    Some((name, std::iter::once(first).chain(rest.iter().cloned()).collect()))
}

impl Scope<'_, '_> {
    /// The words that `raw` words become.
    pub(super) fn words(&self, raw: &[Raw]) -> Vec<Word> {
        let mut words = Vec::new();
        for word in raw {
            self.expand(word, 0, &mut words);
            if MOST_WORDS < words.len() {
                words.truncate(MOST_WORDS);
                break;
            }
        }
        words
    }

    /// The one word that an assigned value becomes.
    pub(super) fn value(&self, raw: &Raw) -> Word {
        let quoted: Raw =
            raw.iter().map(|piece| Piece { kind: piece.kind.clone(), quoted: true }).collect();
        let mut words = Vec::new();
        self.expand(&quoted, 0, &mut words);
        words.into_iter().next().unwrap_or_else(|| Word::known("", self.place))
    }

    fn expand(&self, raw: &Raw, depth: usize, words: &mut Vec<Word>) {
        let mut builder = Builder { words, word: None, place: self.place };
        for piece in raw {
            if builder.words.len() >= MOST_WORDS {
                return;
            }
            match &piece.kind {
                PieceKind::Text(text) => builder.text(text, true),
                PieceKind::Computed => {
                    builder.unknown("the output of a command is not known".to_owned());
                }
                PieceKind::Parameter { name, rest } if name == "@" || name == "*" => {
                    if rest.is_empty() {
                        builder.all(self.arguments);
                    } else {
                        builder.unknown(format!("`${{{name}{rest}}}` is not read"));
                    }
                }
                PieceKind::Parameter { name, rest } => {
                    self.parameter(name, rest, piece.quoted, depth, &mut builder);
                }
            }
        }
        builder.end();
    }

    fn parameter(
        &self,
        name: &str,
        rest: &str,
        quoted: bool,
        depth: usize,
        builder: &mut Builder<'_>,
    ) {
        let variable = self.variable(name);
        let (colon, operator, other) = operator(rest);
        let value = match variable {
            Variable::Set(word) if colon && word.text.is_empty() && word.unknown.is_none() => None,
            Variable::Set(word) => Some(word),
            Variable::Removed => None,
            // What the image sets is not known; a default is what its author expects instead.
            Variable::Unmentioned if matches!(operator, '-' | '=' | '+') => None,
            Variable::Unmentioned => {
                builder.unknown(format!("`${name}` is not in the service's environment"));
                return;
            }
        };
        match (operator, value) {
            ('+', Some(_)) | ('-' | '=', None) => self.other(other, quoted, depth, builder),
            ('+', None) => {}
            ('-' | '=' | '?' | ' ', Some(word)) => builder.value(&word, quoted),
            ('?' | ' ', None) => builder.text("", quoted),
            _ => builder.unknown(format!("`${{{name}{rest}}}` is not read")),
        }
    }

    fn variable(&self, name: &str) -> Variable {
        if name.len() < 4 && name.bytes().all(|byte| byte.is_ascii_digit()) {
            let word = name.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            return match word.map(|index| self.arguments.get(index)) {
                Some(Some(word)) => Variable::Set(word.clone()),
                Some(None) => Variable::Removed,
                None => Variable::Unmentioned,
            };
        }
        self.environment.variable(name)
    }

    fn other(&self, text: &str, quoted: bool, depth: usize, builder: &mut Builder<'_>) {
        if DEEPEST <= depth {
            builder.unknown("its default is nested too deep".to_owned());
            return;
        }
        let mut words = Vec::new();
        for raw in (Reader { rest: text }).until_end(quoted) {
            self.expand(&raw, depth + 1, &mut words);
        }
        if quoted {
            builder.text("", true);
        }
        let last = words.len().saturating_sub(1);
        for (index, word) in words.iter().enumerate() {
            builder.value(word, true);
            if index < last {
                builder.end();
            }
        }
    }
}

/// The operator behind a parameter's name: whether it begins with `:`, which one (a blank for
/// none, `%` for one that is not read), and what it takes.
fn operator(rest: &str) -> (bool, char, &str) {
    if rest.is_empty() {
        return (false, ' ', "");
    }
    let (colon, behind) = match rest.strip_prefix(':') {
        Some(behind) => (true, behind),
        None => (false, rest),
    };
    let mut characters = behind.chars();
    match characters.next() {
        Some(operator @ ('-' | '=' | '+' | '?')) => (colon, operator, characters.as_str()),
        Some(_) | None => (colon, '%', ""),
    }
}

/// Collects the words that one raw word becomes.
struct Builder<'a> {
    words: &'a mut Vec<Word>,
    word: Option<Word>,
    place: &'a Place,
}

impl Builder<'_> {
    fn current(&mut self) -> &mut Word {
        self.word.get_or_insert_with(|| Word::known("", self.place))
    }

    /// Adds text; empty text makes an empty word only if it is `kept` (written or quoted).
    fn text(&mut self, text: &str, kept: bool) {
        if text.is_empty() && !kept {
            return;
        }
        let word = self.current();
        if LONGEST_WORD < word.text.len() + text.len() {
            word.unknown = Some("the word is too long to be read".to_owned());
        } else {
            word.text.push_str(text);
        }
    }

    fn unknown(&mut self, why: String) {
        self.current().unknown.get_or_insert(why);
    }

    /// Adds the value of a variable, split at blanks if it is not quoted.
    fn value(&mut self, value: &Word, quoted: bool) {
        if quoted || value.unknown.is_some() {
            self.text(&value.text, true);
            if let Some(why) = &value.unknown {
                self.unknown(why.clone());
            }
            return;
        }
        let blank = |character: char| matches!(character, ' ' | '\t' | '\n');
        if value.text.starts_with(blank) {
            self.end();
        }
        for (index, field) in value.text.split(blank).filter(|field| !field.is_empty()).enumerate()
        {
            if 0 < index {
                self.end();
            }
            self.text(field, false);
        }
        if value.text.ends_with(blank) {
            self.end();
        }
    }

    /// Adds every argument as a word of its own, with its own place.
    fn all(&mut self, arguments: &[Word]) {
        for (index, argument) in arguments.iter().enumerate() {
            if 0 < index {
                self.end();
            }
            if MOST_WORDS <= self.words.len() {
                return;
            }
            match &mut self.word {
                Some(_) => self.value(argument, true),
                None => self.word = Some(argument.clone()),
            }
        }
    }

    fn end(&mut self) {
        if let Some(word) = self.word.take() {
            self.words.push(word);
        }
    }
}

/// Reads a script from the left.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
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

    fn skip_blanks(&mut self) {
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

    fn skip_line(&mut self) {
        self.take_until(|character| character == '\n');
    }

    /// Skips `>`, `>>`, `2>&1` and their files.
    fn redirection(&mut self) -> Result<(), String> {
        if self.rest.starts_with("<<") {
            return Err("a here-document in the script is not read yet".to_owned());
        }
        self.take_until(|character| !matches!(character, '<' | '>' | '&' | '|'));
        self.skip_blanks();
        self.word();
        Ok(())
    }

    /// One word, up to a blank or an operator outside quotes.
    fn word(&mut self) -> Raw {
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
    fn until_end(&mut self, quoted: bool) -> Vec<Raw> {
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
fn name_of(text: &str) -> &str {
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

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit()) && {
        name_of(text).len() == text.len() && !text.starts_with(['@', '*'])
    }
}

/// The text of a word without quotes and variables.
fn plain(word: &Raw) -> Option<&str> {
    match word.as_slice() {
        [Piece { kind: PieceKind::Text(text), quoted: false }] => Some(text),
        _ => None,
    }
}

fn is_reserved(word: &Raw) -> bool {
    plain(word).is_some_and(|text| RESERVED.contains(&text))
}

fn is_number(word: &Raw) -> bool {
    plain(word).is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Service;
    use crate::source_map::Spanned;

    /// Expands `script` with `A=one`, `E=` (empty), `S=two words`, `R` removed and `$1`, `$2`.
    fn check(script: &str, expected: &[&str]) {
        let mut service = Service::named(Spanned::nowhere("s".to_owned()));
        for (name, value) in
            [("A", Some("one")), ("E", Some("")), ("S", Some("two  words")), ("R", None)]
        {
            let value = Spanned::nowhere(value.map(str::to_owned));
            service.environment.insert(name.to_owned(), value);
        }
        let place = Place::nowhere();
        let environment = Environment::new(&service, &[]);
        let arguments = [Word::known("first", &place), Word::known("2nd arg", &place)];
        let scope = Scope { environment: &environment, arguments: &arguments, place: &place };
        let commands: Vec<String> = parse(script)
            .commands
            .iter()
            .map(|command| {
                let words = scope.words(command);
                let shown = words.iter().map(|word| match &word.unknown {
                    Some(_) => format!("<{}?>", word.text),
                    None => format!("<{}>", word.text),
                });
                shown.collect()
            })
            .collect();
        assert_eq!(commands, expected, "{script}");
    }

    #[test]
    fn words_are_what_a_posix_shell_makes_of_them() {
        check("a b\tc", &["<a><b><c>"]);
        check("a 'b c' \"d e\"f", &["<a><b c><d ef>"]);
        check(r#"a\ b "c\"d" '\' "\n""#, &[r#"<a b><c"d><\><\n>"#]);
        check("a \"\" ''", &["<a><><>"]);
        check("a \\\n  b", &["<a><b>"]);
        check("a # not b\nc", &["<a>", "<c>"]);
        check("a#b", &["<a#b>"]);
        check("x=1 a && b || c; d & e | f", &["<x=1><a>", "<b>", "<c>", "<d>", "<e>", "<f>"]);
        check("if a; then b; else c; fi", &["<a>", "<b>", "<c>"]);
        check("(a; { b; })", &["<a>", "<b>"]);
        check("a > /log 2>&1 b < in", &["<a><b>"]);
        check("a --x='{\"k\": 1}'", &["<a><--x={\"k\": 1}>"]);
        check("", &[]);
        check("'open", &["<open>"]);
        check("\"open $A", &["<open one>"]);
    }

    #[test]
    fn variables_of_the_service_are_expanded_and_others_are_unknown() {
        check("a $A ${A} x${A}y '$A' \"$A\" \\$A", &["<a><one><one><xoney><$A><one><$A>"]);
        check("a $E b \"$E\" $R \"$R\"", &["<a><b><><>"]);
        check("a $S \"$S\" x$S", &["<a><two><words><two  words><xtwo><words>"]);
        check("a $U x${U}y", &["<a><?><xy?>"]);
        check("${U:-d} ${E:-d} ${E-d} ${A:-d} ${R-d}", &["<d><d><one><d>"]);
        check("${U:-$A} ${U:-${V:-deep}} ${U:-\"a b\"} ${U:-a b}", &["<one><deep><a b><a><b>"]);
        check("\"${U:-a 'b'}\" \"${U:-$S}\" \"${U:-}\" ${U:-}", &["<a 'b'><two  words><>"]);
        check("${A:+x} ${U:+x} ${A:?no} ${U:?no} ${A%e}", &["<x><one><?><?>"]);
        check("$(cat /x) `cat /x` $((1 + 2)) $? $", &["<?><?><?><?><$>"]);
        check("a \"$@\" $1 \"$2\" $3", &["<a><first><2nd arg><first><2nd arg>"]);
        check("a x\"$@\"", &["<a><xfirst><2nd arg>"]);
    }

    #[test]
    fn a_here_document_ends_what_is_read() {
        let script = parse("vllm serve m\ncat <<EOF\n$(");
        assert_eq!(script.commands.len(), 2);
        assert!(script.unread.is_some());
    }

    #[test]
    fn a_variable_that_doubles_itself_does_not_grow_without_bound() {
        let service = Service::named(Spanned::nowhere("s".to_owned()));
        let place = Place::nowhere();
        let mut environment = Environment::new(&service, &[]);
        for _ in 0..64 {
            let scope = Scope { environment: &environment, arguments: &[], place: &place };
            let script = parse("A=$A$A$A${A:-xxxxxxxx}");
            let (name, raw) = assignment(&script.commands[0][0]).unwrap();
            let value = scope.value(&raw);
            let name = name.to_owned();
            environment.set(name, value);
        }
        let Variable::Set(word) = environment.variable("A") else { panic!("A is set") };
        assert!(word.text.len() <= LONGEST_WORD);
    }
}

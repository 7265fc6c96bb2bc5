//! The part of the POSIX shell that start commands use: words, quotes, variables, which simple
//! commands a script is made of, and under which conditions they run.

mod course;
mod reader;
pub(super) mod settings;

pub(super) use self::course::{Course, Followed};

use crate::plan::engine::shell::course::Shape;
use crate::plan::engine::shell::reader::{Reader, Redirection, name_of};
use crate::plan::engine::words::{Environment, Variable, Word};
use crate::source_map::Place;

/// The longest word that is built, in bytes: variables can be made to double themselves.
pub(super) const LONGEST_WORD: usize = 64 << 10;

/// The most words of one simple command.
const MOST_WORDS: usize = 4096;

/// How deep `${A:-${B:-...}}` is followed.
const DEEPEST: usize = 16;

/// A script, taken apart but not yet expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// Its simple commands, in the order of the text.
    pub(super) commands: Vec<Command>,
    /// Its functions, whose commands run where they are called.
    pub(super) functions: Vec<Function>,
    /// What in it is not understood, so that what follows is not known.
    pub(super) unread: Option<String>,
}

/// A function of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    /// What it is called.
    pub(super) name: String,
    /// What stands between its braces.
    pub(super) body: String,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Its words, assignments among them.
    pub(super) words: Vec<Raw>,
    /// The files that its output goes to.
    pub(super) written: Vec<Raw>,
    /// What stands between it and the one before.
    before: Vec<Shape>,
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
    /// Whether a variable that nobody is known to set is empty: a script that tests for it gives it a
    /// value of its own then.
    pub(super) unset_is_empty: bool,
}

/// Takes `script` apart.
pub(super) fn parse(script: &str) -> Script {
    let mut reader = Reader::new(script);
    let mut commands = Vec::new();
    let mut functions = Vec::new();
    let mut documents: Vec<String> = Vec::new();
    let mut command = Command::default();
    let mut unread = None;
    loop {
        reader.skip_blanks();
        let Some(next) = reader.peek() else { break };
        match next {
            ';' | '&' | '|' | '\n' | '(' | ')' => {
                reader.next();
                if next == '\n' {
                    documents.drain(..).for_each(|end| reader.skip_document(&end));
                }
                let is_double = reader.peek() == Some(next);
                let shape = match next {
                    '&' if is_double => Shape::And,
                    '|' if is_double => Shape::Or,
                    _ => Shape::End,
                };
                if shape != Shape::End {
                    reader.next();
                }
                if !command.words.is_empty() {
                    commands.push(std::mem::take(&mut command));
                }
                command.before.push(shape);
            }
            '<' | '>' => match reader.redirection() {
                Redirection::File(file) => command.written.extend(file),
                // Whatever else reads it may take it for a script.
                Redirection::Document(end) if command.only_copies() => documents.push(end),
                Redirection::Document(_) => {
                    unread = Some("a here-document in the script is not read yet".to_owned());
                    break;
                }
            },
            '#' => reader.skip_line(),
            _ => {
                if command.words.is_empty()
                    && let Some(function) = reader.function()
                {
                    functions.push(function);
                    continue;
                }
                let word = reader.word();
                let number = is_number(&word) && matches!(reader.peek(), Some('<' | '>'));
                let text = plain(&word).filter(|_| command.words.is_empty());
                match text.and_then(Shape::reserved) {
                    Some(shape) => command.before.push(shape),
                    None if number => {}
                    None => command.words.push(word),
                }
            }
        }
    }
    if !command.words.is_empty() {
        commands.push(command);
    }
    Script { commands, functions, unread }
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

impl Command {
    /// Whether it does nothing with what it is given but to pass it on.
    fn only_copies(&self) -> bool {
        self.words.first().and_then(plain).is_some_and(|first| matches!(first, "cat" | "tee"))
    }

    /// Whether it is a test of texts.
    pub(super) fn is_test(&self) -> bool {
        let first = self.words.first().and_then(plain);
        first.is_some_and(|first| matches!(first, "[" | "[[" | "test"))
    }
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
                    if !rest.is_empty() {
                        builder.unknown(format!("`${{{name}{rest}}}` is not read"));
                    } else if name == "*" && piece.quoted {
                        builder.joined(self.arguments);
                    } else {
                        builder.all(self.arguments, piece.quoted);
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
            Variable::Unmentioned if self.unset_is_empty => None,
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
        self.environment.in_shell(name)
    }

    fn other(&self, text: &str, quoted: bool, depth: usize, builder: &mut Builder<'_>) {
        if DEEPEST <= depth {
            builder.unknown("its default is nested too deep".to_owned());
            return;
        }
        let mut words = Vec::new();
        for raw in Reader::new(text).until_end(quoted) {
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
    fn all(&mut self, arguments: &[Word], quoted: bool) {
        for (index, argument) in arguments.iter().enumerate() {
            if 0 < index {
                self.end();
            }
            if MOST_WORDS <= self.words.len() {
                return;
            }
            match &mut self.word {
                None if quoted => self.word = Some(argument.clone()),
                _ => self.value(argument, quoted),
            }
        }
    }

    /// Adds all arguments as one word.
    fn joined(&mut self, arguments: &[Word]) {
        self.text("", true);
        for (index, argument) in arguments.iter().enumerate() {
            if 0 < index {
                self.text(" ", true);
            }
            self.value(argument, true);
        }
    }

    fn end(&mut self) {
        if let Some(word) = self.word.take() {
            self.words.push(word);
        }
    }
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

fn is_number(word: &Raw) -> bool {
    plain(word).is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;

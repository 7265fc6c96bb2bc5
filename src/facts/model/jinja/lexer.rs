//! A template in pieces.

pub(super) mod llama_cpp;
pub(super) mod python;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Outside of everything.
    Text,
    /// A comment that stands where something else is expected.
    Comment,
    /// `{%`.
    Open,
    /// `%}`.
    Close,
    /// `{{`.
    OpenValue,
    /// `}}`.
    CloseValue,
    /// A word.
    Name,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// A text in quotes.
    Quoted,
    /// Anything else.
    Symbol,
    /// A sign in front of something that is no number, as llama.cpp has it.
    Sign,
    /// Behind the last.
    End,
}

/// One piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As it is written.
    pub(super) text: &'a str,
    /// Where it begins, in bytes.
    pub(super) offset: usize,
}

/// The first of the symbols that `rest` begins with.
fn symbol<'a>(rest: &str, symbols: &[&'a str]) -> Option<&'a str> {
    symbols.iter().copied().find(|symbol| rest.starts_with(symbol))
}

/// How many bytes of `rest`, from its beginning, are such characters.
fn length_of(rest: &str, is_such: impl Fn(char) -> bool) -> usize {
    rest.find(|c: char| !is_such(c)).unwrap_or(rest.len())
}

//! Chat templates: whether an engine can read them as Jinja.
//!
//! Two readers are followed: Jinja2 3.1 as transformers sets it up (4.57.6
//! `utils/chat_template_utils.py`: loop controls and `generation`), and llama.cpp's own (build 11669
//! `common/jinja`). They differ: the one takes `**`, `//` and `with`, which the other refuses, and the
//! other takes lists without commas. What is found is what that reader refuses before it has seen a
//! message; what goes wrong while it writes one is not looked for.

mod expression;
mod lexer;
mod names;
mod statement;

use self::lexer::{Kind, Token};
use crate::plan::engine::TemplateReader;

/// Why a template is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// Statements and brackets within each other; no real template comes near.
const DEEPEST: usize = 64;

/// Why `reader` does not read the template; absent: it does, or that cannot be told.
#[must_use]
pub fn fault(source: &str, reader: TemplateReader) -> Option<Fault> {
    let found = match reader {
        TemplateReader::Jinja2 => lexer::python::tokens(source),
        TemplateReader::LlamaCpp => lexer::llama_cpp::tokens(source),
    };
    let outcome = found.and_then(|tokens| {
        let (at, depth, loops, lenient) = (0, 0, 0, 0);
        let strangers = Vec::new();
        Parser { reader, tokens, at, depth, loops, lenient, strangers }.template()
    });
    match outcome {
        Ok(()) | Err(Stop::Unjudged) => None,
        Err(Stop::At(offset, problem)) => {
            let before = source.get(..offset.min(source.len())).unwrap_or(source);
            let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
            Some(Fault { line, problem })
        }
    }
}

/// Why reading ends before the end.
enum Stop {
    /// What is wrong at that byte.
    At(usize, String),
    /// It is deeper than is looked.
    Unjudged,
}

type Parsed = Result<(), Stop>;

/// A template on its way through one of the two grammars.
struct Parser<'a> {
    reader: TemplateReader,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    /// Loops around, that `break` and `continue` belong to.
    loops: usize,
    /// Conditions around, inside which Jinja2 asks for filters and tests only when it gets there.
    lenient: usize,
    /// Filters and tests that Jinja2 does not have, and where.
    strangers: Vec<(usize, String)>,
}

impl<'a> Parser<'a> {
    fn is_python(&self) -> bool {
        self.reader == TemplateReader::Jinja2
    }

    fn kind(&self) -> Kind {
        self.tokens.get(self.at).map_or(Kind::End, |token| token.kind)
    }

    fn text(&self) -> &'a str {
        self.tokens.get(self.at).map_or("", |token| token.text)
    }

    fn is(&self, kind: Kind) -> bool {
        self.kind() == kind
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is(Kind::Symbol) && self.text() == symbol
    }

    fn is_word(&self, word: &str) -> bool {
        self.is(Kind::Name) && self.text() == word
    }

    fn is_word_behind(&self, word: &str) -> bool {
        let next = self.tokens.get(self.at + 1);
        next.is_some_and(|token| token.kind == Kind::Name && token.text == word)
    }

    fn is_symbol_behind(&self, symbol: &str) -> bool {
        let next = self.tokens.get(self.at + 1);
        next.is_some_and(|token| token.kind == Kind::Symbol && token.text == symbol)
    }

    /// Passes over the symbol, if it is there.
    fn takes(&mut self, symbol: &str) -> bool {
        let is_there = self.is_symbol(symbol);
        self.at += usize::from(is_there);
        is_there
    }

    /// Passes over the word, if it is there.
    fn takes_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(word);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, symbol: &str) -> Parsed {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn expect_kind(&mut self, kind: Kind, what: &str) -> Parsed {
        if !self.is(kind) {
            return Err(self.unexpected(what));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<&'a str, Stop> {
        let name = self.text();
        self.expect_kind(Kind::Name, "a name")?;
        Ok(name)
    }

    /// Where it is now, in bytes.
    fn offset(&self) -> usize {
        let last = self.tokens.last();
        let token = self.tokens.get(self.at).or(last);
        token.map_or(0, |token| token.offset)
    }

    fn stop(&self, problem: impl Into<String>) -> Stop {
        Stop::At(self.offset(), problem.into())
    }

    fn unexpected(&self, wanted: &str) -> Stop {
        self.stop(if self.is(Kind::End) {
            format!("the template ends where {wanted} should stand")
        } else {
            format!("`{}` stands where {wanted} should", self.text().trim())
        })
    }

    /// Reads something that stands within something else.
    fn within(&mut self, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth >= DEEPEST {
            return Err(Stop::Unjudged);
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_has_a_grammar_of_its_own() {
        let read = |source: &str| {
            let by = |reader| fault(source, reader).is_none();
            (by(TemplateReader::Jinja2), by(TemplateReader::LlamaCpp))
        };
        for source in [
            "{% if a %}b{% elif c == 1 %}{% else %}{% endif %}",
            "{%- for a, b in c.items() if a is not none -%}{{ a ~ b[1:] }}{%- endfor -%}",
            "{% set a = {'b': {'c': [1, 2]}} %}{{ f(a, b='c')|tojson }}",
            "{% macro f(a, b=1) %}{% endmacro %}{% set x %}y{% endset %}",
            "{% generation %}a{% endgeneration %} }} %} {# { #}",
            "{{ 'a' if b else 'c' }}{{ x is divisibleby 3 }}",
        ] {
            assert_eq!(read(source), (true, true), "{source}");
        }
        for source in
            ["{{ 2 ** 3 }}", "{{ 7 // 2 }}", "{% with a = 1 %}{% endwith %}", "{{ '\\d' }}"]
        {
            assert_eq!(read(source), (true, false), "{source}");
        }
        for source in ["{{ [1 2] }}", "{{ a|zork }}", "{% break %}", "{% endgeneration %}"] {
            assert_eq!(read(source), (false, true), "{source}");
        }
        for source in [
            "{% if a %}",
            "{% for a in b %}{% endif %}",
            "{{ a",
            "{% zork %}",
            "{{ a b }}",
            "{# a",
            "{{ 'a }}",
            "{{ f(a }}",
            "{% if %}{% endif %}",
            "{{ a = }}",
            "{% for a b %}{% endfor %}",
        ] {
            assert_eq!(read(source), (false, false), "{source}");
        }
    }

    #[test]
    fn a_fault_says_its_line() {
        let found = fault("a\n{% if b %}\n{{ c\n", TemplateReader::Jinja2).unwrap();
        assert_eq!(found.line, 3);
        let found = fault("{{ a|zork }}", TemplateReader::Jinja2).unwrap();
        assert_eq!(found.problem, "`zork` is no filter of Jinja2");
    }

    #[test]
    fn what_is_deeper_than_any_template_is_not_judged() {
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100), ")".repeat(100));
        for reader in [TemplateReader::Jinja2, TemplateReader::LlamaCpp] {
            assert_eq!(fault(&deep, reader), None);
        }
    }
}

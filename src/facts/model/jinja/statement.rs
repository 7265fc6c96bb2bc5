//! What stands between `{%` and `%}` (Jinja2 3.1.6 `parser.py`; llama.cpp build 11669
//! `common/jinja/parser.cpp`).

use super::lexer::Kind;
use super::{Parsed, Parser, Stop};

/// Words that end something and begin nothing.
const ENDS: [&str; 16] = [
    "elif",
    "else",
    "endautoescape",
    "endblock",
    "endcall",
    "endfilter",
    "endfor",
    "endgeneration",
    "endif",
    "endmacro",
    "endset",
    "endwith",
    "endraw",
    "endtrans",
    "pluralize",
    "enddo",
];

impl Parser<'_> {
    /// The whole template.
    pub(super) fn template(&mut self) -> Parsed {
        self.body(&[], "")?;
        match self.strangers.first() {
            Some((offset, problem)) => Err(Stop::At(*offset, problem.clone())),
            None => Ok(()),
        }
    }

    /// Everything up to one of the words, which stands behind the `{%` that was passed over; without
    /// words, up to the end. `of` is what the body belongs to.
    fn body(&mut self, ends: &[&str], of: &str) -> Parsed {
        self.within(|parser| {
            loop {
                match parser.kind() {
                    Kind::Text | Kind::Comment => parser.at += 1,
                    Kind::OpenValue => parser.value()?,
                    Kind::Open => {
                        parser.at += 1;
                        if parser.is(Kind::Name) && ends.contains(&parser.text()) {
                            return Ok(());
                        }
                        parser.statement()?;
                    }
                    Kind::End if ends.is_empty() => return Ok(()),
                    Kind::End => return Err(parser.stop(format!("`{of}` has no `end{of}`"))),
                    Kind::Close
                    | Kind::CloseValue
                    | Kind::Name
                    | Kind::Number
                    | Kind::Integer
                    | Kind::Quoted
                    | Kind::Symbol
                    | Kind::Sign => return Err(parser.unexpected("text")),
                }
            }
        })
    }

    fn value(&mut self) -> Parsed {
        self.at += 1;
        if self.is_python() {
            self.tuple(true)?;
        } else {
            self.expression()?;
        }
        self.expect_kind(Kind::CloseValue, "`}}`")
    }

    fn close(&mut self) -> Parsed {
        self.expect_kind(Kind::Close, "`%}`")
    }

    /// The end of the head of a statement with a body.
    fn head(&mut self) -> Parsed {
        if self.is_python() {
            self.takes(":");
        }
        self.close()
    }

    /// A body and its end, up to before the `%}`.
    fn block(&mut self, of: &str) -> Parsed {
        self.head()?;
        self.body(&[&format!("end{of}")], of)?;
        self.at += 1;
        Ok(())
    }

    /// A body that conditions around it say nothing about.
    fn apart(&mut self, loops: usize, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        let before = (self.lenient, self.loops);
        (self.lenient, self.loops) = (0, loops);
        let outcome = read(self);
        (self.lenient, self.loops) = before;
        outcome
    }

    fn statement(&mut self) -> Parsed {
        let word = self.text();
        self.expect_kind(Kind::Name, "the name of a statement")?;
        match word {
            "if" => self.condition()?,
            "for" => self.repetition()?,
            "set" => self.assignment()?,
            "macro" => self.macro_statement()?,
            "call" => self.call_statement()?,
            "filter" => {
                self.filter()?;
                if self.is_python() {
                    self.filters()?;
                }
                self.apart(0, |parser| parser.block("filter"))?;
            }
            "break" | "continue" if self.is_python() && self.loops == 0 => {
                return Err(self.stop(format!("`{word}` stands in no loop")));
            }
            "break" | "continue" => {}
            "generation" if self.is_python() => self.apart(0, |parser| parser.block(word))?,
            // Passed over, each by itself.
            "generation" | "endgeneration" if !self.is_python() => {
                self.at += 1;
                return Ok(());
            }
            _ if self.is_python() => self.of_jinja2(word)?,
            _ => return Err(self.unknown(word)),
        }
        self.close()
    }

    /// Statements that llama.cpp does not have.
    fn of_jinja2(&mut self, word: &str) -> Parsed {
        match word {
            "with" => {
                let mut is_first = true;
                while !self.is(Kind::Close) && !self.is_symbol(":") {
                    if !std::mem::take(&mut is_first) {
                        self.expect(",")?;
                    }
                    self.target(false)?;
                    self.expect("=")?;
                    self.expression()?;
                }
                self.apart(self.loops, |parser| parser.block(word))
            }
            "print" => self.tuple(true),
            "autoescape" => {
                self.expression()?;
                self.apart(self.loops, |parser| parser.block(word))
            }
            // Nobody writes a chat template with several files or blocks.
            "block" | "extends" | "include" | "import" | "from" => Err(Stop::Unjudged),
            _ => Err(self.unknown(word)),
        }
    }

    fn unknown(&mut self, word: &str) -> Stop {
        self.at -= 1;
        let is_end = ENDS.contains(&word);
        self.stop(if is_end {
            format!("`{word}` ends nothing that is open")
        } else {
            format!("`{word}` is no statement")
        })
    }

    fn condition(&mut self) -> Parsed {
        self.lenient += 1;
        loop {
            if self.is_python() {
                self.tuple(false)?;
            } else {
                self.expression()?;
            }
            self.head()?;
            self.body(&["elif", "else", "endif"], "if")?;
            let word = self.text();
            self.at += 1;
            match word {
                "elif" => {}
                "else" => {
                    self.head()?;
                    self.body(&["endif"], "if")?;
                    self.at += 1;
                    break;
                }
                _ => break,
            }
        }
        self.lenient -= 1;
        Ok(())
    }

    fn repetition(&mut self) -> Parsed {
        if self.is_python() {
            self.targets(&["in"])?;
        } else {
            self.sequence(true)?;
        }
        if !self.takes_word("in") {
            return Err(self.unexpected("`in`"));
        }
        if self.is_python() {
            self.tuple_until(false, &["recursive"])?;
            if self.takes_word("if") {
                self.apart(self.loops, Self::expression)?;
            }
            self.takes_word("recursive");
        } else {
            self.expression()?;
        }
        self.apart(self.loops + 1, |parser| {
            parser.head()?;
            parser.body(&["endfor", "else"], "for")
        })?;
        let is_end = self.is_word("endfor");
        self.at += 1;
        if is_end {
            return Ok(());
        }
        self.apart(self.loops, |parser| parser.block("for"))
    }

    fn assignment(&mut self) -> Parsed {
        if self.is_python() {
            self.targets_of_set()?;
        } else {
            self.sequence(false)?;
        }
        if self.takes("=") {
            return if self.is_python() { self.tuple(true) } else { self.sequence(false) };
        }
        if self.is_python() {
            self.filters()?;
        }
        self.apart(self.loops, |parser| parser.block("set"))
    }

    fn macro_statement(&mut self) -> Parsed {
        if self.is_python() {
            self.name()?;
            self.signature()?;
        } else {
            self.primary()?;
            self.arguments()?;
        }
        self.apart(0, |parser| parser.block("macro"))
    }

    fn call_statement(&mut self) -> Parsed {
        if self.is_python() {
            if self.is_symbol("(") {
                self.signature()?;
            }
            self.expression()?;
            let is_call = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
            if is_call.is_none_or(|token| token.text != ")") {
                return Err(self.unexpected("a call"));
            }
        } else {
            if self.is_symbol("(") {
                self.arguments()?;
            }
            self.name()?;
            self.arguments()?;
        }
        self.apart(0, |parser| parser.block("call"))
    }

    /// The names that a macro takes.
    fn signature(&mut self) -> Parsed {
        self.expect("(")?;
        let (mut is_first, mut has_default) = (true, false);
        while !self.is_symbol(")") {
            if !std::mem::take(&mut is_first) {
                self.expect(",")?;
            }
            self.name()?;
            if self.takes("=") {
                self.expression()?;
                has_default = true;
            } else if has_default {
                return Err(self.stop("a name without a value stands behind one that has one"));
            }
        }
        self.expect(")")
    }
}

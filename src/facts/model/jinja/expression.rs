//! What has a value (Jinja2 3.1.6 `parser.py`; llama.cpp build 11669 `common/jinja/parser.cpp`).

use super::lexer::Kind;
use super::{Parsed, Parser, names};

/// Words that are values and no names.
const CONSTANTS: [&str; 6] = ["true", "false", "none", "True", "False", "None"];

/// Each level of what binds two values, from the loosest on.
const OPERATORS: [&[&str]; 4] = [&["+", "-"], &["~"], &["*", "/", "//", "%"], &["**"]];

/// The same of llama.cpp.
const OPERATORS_OF_LLAMA: [&[&str]; 2] = [&["+", "-", "~"], &["*", "/", "%"]];

/// Words behind a test that begin no value of it. Build 11669 takes some of them for one.
const FOLLOWING: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed {
        self.within(|parser| {
            let before = parser.strangers.len();
            parser.either()?;
            let mut is_conditional = false;
            while parser.takes_word("if") {
                is_conditional = true;
                parser.either()?;
                if parser.takes_word("else") {
                    parser.expression()?;
                    if !parser.is_python() {
                        break;
                    }
                } else if !parser.is_python() {
                    break;
                }
            }
            if is_conditional {
                parser.strangers.truncate(before);
            }
            Ok(())
        })
    }

    fn either(&mut self) -> Parsed {
        self.both()?;
        while self.takes_word("or") {
            self.both()?;
        }
        Ok(())
    }

    fn both(&mut self) -> Parsed {
        self.negation()?;
        while self.takes_word("and") {
            self.negation()?;
        }
        Ok(())
    }

    fn negation(&mut self) -> Parsed {
        while self.takes_word("not") {}
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        self.operation(0)?;
        loop {
            let is_compared = self.is(Kind::Symbol) && COMPARISONS.contains(&self.text());
            if self.is_word("not") && self.is_word_behind("in") {
                self.at += 2;
            } else if is_compared || self.is_word("in") {
                self.at += 1;
            } else {
                return Ok(());
            }
            self.operation(0)?;
        }
    }

    /// What stands between operators of that level and all that bind more.
    fn operation(&mut self, level: usize) -> Parsed {
        let levels: &[&[&str]] = if self.is_python() { &OPERATORS } else { &OPERATORS_OF_LLAMA };
        let Some(operators) = levels.get(level) else {
            return if self.is_python() { self.unary(true) } else { self.tested() };
        };
        self.operation(level + 1)?;
        while self.is(Kind::Symbol) && operators.contains(&self.text()) {
            self.at += 1;
            self.operation(level + 1)?;
        }
        Ok(())
    }

    fn unary(&mut self, with_filters: bool) -> Parsed {
        if self.is_symbol("-") || self.is_symbol("+") {
            self.at += 1;
            self.within(|parser| parser.unary(false))?;
        } else {
            self.primary()?;
        }
        self.postfix()?;
        if !with_filters {
            return Ok(());
        }
        loop {
            if self.is_symbol("|") {
                self.at += 1;
                self.filter()?;
            } else if self.takes_word("is") {
                self.test()?;
            } else if self.is_symbol("(") {
                self.arguments()?;
            } else {
                return Ok(());
            }
        }
    }

    /// `|` and a filter, as often as they stand there.
    pub(super) fn filters(&mut self) -> Parsed {
        while self.takes("|") {
            self.filter()?;
        }
        Ok(())
    }

    /// A value of llama.cpp, its filters and its tests.
    fn tested(&mut self) -> Parsed {
        self.called()?;
        self.filters()?;
        while self.takes_word("is") {
            self.takes_word("not");
            self.primary()?;
            if self.is_symbol("(") {
                self.called_with()?;
            } else if self.begins_value() && !FOLLOWING.iter().any(|word| self.is_word(word)) {
                self.called()?;
            }
        }
        Ok(())
    }

    /// Whether a value begins here that is no call of what stands before it.
    fn begins_value(&self) -> bool {
        match self.kind() {
            Kind::Name | Kind::Quoted | Kind::Integer | Kind::Number => true,
            Kind::Symbol => ["[", "{"].contains(&self.text()),
            Kind::Text
            | Kind::Comment
            | Kind::Open
            | Kind::Close
            | Kind::OpenValue
            | Kind::CloseValue
            | Kind::Sign
            | Kind::End => false,
        }
    }

    /// A value of llama.cpp, what is taken out of it, and what it is called with. Build 11669 takes a sign
    /// in front of it, which 10586 does not.
    fn called(&mut self) -> Parsed {
        while self.is(Kind::Sign) {
            self.at += 1;
        }
        self.primary()?;
        self.members()?;
        if self.is_symbol("(") { self.called_with() } else { Ok(()) }
    }

    fn called_with(&mut self) -> Parsed {
        while self.is_symbol("(") {
            self.arguments()?;
            self.members()?;
        }
        Ok(())
    }

    fn members(&mut self) -> Parsed {
        while self.is_symbol(".") || self.is_symbol("[") {
            if self.takes(".") {
                self.primary()?;
            } else {
                self.at += 1;
                while !self.is_symbol("]") {
                    if !self.takes(":") {
                        self.expression()?;
                        self.takes(":");
                    }
                }
                self.at += 1;
            }
        }
        Ok(())
    }

    fn postfix(&mut self) -> Parsed {
        loop {
            if self.takes(".") {
                if !self.is(Kind::Name) && !self.is(Kind::Integer) {
                    return Err(self.unexpected("a name"));
                }
                self.at += 1;
            } else if self.is_symbol("[") {
                self.subscript()?;
            } else if self.is_symbol("(") {
                self.arguments()?;
            } else {
                return Ok(());
            }
        }
    }

    fn subscript(&mut self) -> Parsed {
        self.expect("[")?;
        let mut is_first = true;
        while !self.is_symbol("]") {
            if !std::mem::take(&mut is_first) {
                self.expect(",")?;
            }
            if !self.is_symbol(":") {
                self.expression()?;
            }
            for _ in 0..2 {
                let is_between = self.takes(":");
                let ends = self.is_symbol("]") || self.is_symbol(",") || self.is_symbol(":");
                if is_between && !ends {
                    self.expression()?;
                }
            }
        }
        self.expect("]")
    }

    /// The name of a filter, and what it is called with.
    pub(super) fn filter(&mut self) -> Parsed {
        if !self.is_python() {
            self.primary()?;
            return if self.is_symbol("(") { self.called_with() } else { Ok(()) };
        }
        self.known("filter", names::is_filter)?;
        if self.is_symbol("(") { self.arguments() } else { Ok(()) }
    }

    fn test(&mut self) -> Parsed {
        self.takes_word("not");
        self.known("test", names::is_test)?;
        let goes_on = ["else", "or", "and"].iter().any(|word| self.is_word(word));
        if self.is_symbol("(") {
            return self.arguments();
        }
        if !self.begins_value() || goes_on {
            return Ok(());
        }
        if self.is_word("is") {
            return Err(self.stop("a test stands behind a test"));
        }
        self.primary()?;
        self.postfix()
    }

    /// A name with points in it, that has to be one of those of Jinja2.
    fn known(&mut self, what: &str, is_known: fn(&str) -> bool) -> Parsed {
        let offset = self.offset();
        let mut name = self.name()?.to_owned();
        while self.takes(".") {
            name = format!("{name}.{}", self.name()?);
        }
        if !is_known(&name) && self.lenient == 0 {
            self.strangers.push((offset, format!("`{name}` is no {what} of Jinja2")));
        }
        Ok(())
    }

    /// What something is called with.
    pub(super) fn arguments(&mut self) -> Parsed {
        self.within(|parser| {
            parser.expect("(")?;
            if parser.is_python() { parser.listed_arguments() } else { parser.loose_arguments() }
        })
    }

    fn loose_arguments(&mut self) -> Parsed {
        while !self.is_symbol(")") {
            if self.takes("*") {
                self.expression()?;
            } else {
                self.expression()?;
                if self.takes("=") {
                    self.expression()?;
                }
            }
            self.takes(",");
        }
        self.expect(")")
    }

    fn listed_arguments(&mut self) -> Parsed {
        let (mut is_first, mut has_names, mut has_list, mut has_map) = (true, false, false, false);
        while !self.is_symbol(")") {
            if !std::mem::take(&mut is_first) {
                self.expect(",")?;
                if self.is_symbol(")") {
                    break;
                }
            }
            let is_named = self.is(Kind::Name) && self.is_symbol_behind("=");
            let is_allowed = if self.is_symbol("*") {
                !has_list && !has_map
            } else if self.is_symbol("**") || is_named {
                !has_map
            } else {
                !has_list && !has_map && !has_names
            };
            if !is_allowed {
                return Err(self.stop("a call has its arguments in another order"));
            }
            if self.takes("*") {
                has_list = true;
            } else if self.takes("**") {
                has_map = true;
            } else if is_named {
                has_names = true;
                self.at += 2;
            }
            self.expression()?;
        }
        self.expect(")")
    }

    pub(super) fn primary(&mut self) -> Parsed {
        match self.kind() {
            Kind::Name | Kind::Integer | Kind::Number => self.at += 1,
            Kind::Quoted => {
                while self.is(Kind::Quoted) {
                    self.at += 1;
                }
            }
            Kind::Symbol => return self.within(Self::bracketed),
            Kind::Text
            | Kind::Comment
            | Kind::Open
            | Kind::Close
            | Kind::OpenValue
            | Kind::CloseValue
            | Kind::Sign
            | Kind::End => return Err(self.unexpected("a value")),
        }
        Ok(())
    }

    fn bracketed(&mut self) -> Parsed {
        match self.text() {
            "(" => {
                self.at += 1;
                if self.is_python() {
                    self.parenthesised()?;
                } else {
                    self.sequence(false)?;
                }
                self.expect(")")
            }
            "[" => self.listed("]", false),
            "{" => self.listed("}", true),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// A list, or with `pairs` a dictionary.
    fn listed(&mut self, end: &str, pairs: bool) -> Parsed {
        self.at += 1;
        let mut is_first = true;
        while !self.is_symbol(end) {
            if self.is_python() && !std::mem::take(&mut is_first) {
                self.expect(",")?;
                if self.is_symbol(end) {
                    break;
                }
            }
            self.expression()?;
            if pairs {
                self.expect(":")?;
                self.expression()?;
            }
            if !self.is_python() {
                self.takes(",");
            }
        }
        self.expect(end)
    }

    /// Values with commas between them, as llama.cpp takes them; with `plain`, without operators.
    pub(super) fn sequence(&mut self, plain: bool) -> Parsed {
        loop {
            if plain {
                self.primary()?;
            } else {
                self.expression()?;
            }
            if !self.takes(",") {
                return Ok(());
            }
        }
    }

    /// Values with commas between them, as Jinja2 takes them.
    pub(super) fn tuple(&mut self, with_conditions: bool) -> Parsed {
        self.tuple_until(with_conditions, &[])
    }

    pub(super) fn tuple_until(&mut self, with_conditions: bool, ends: &[&str]) -> Parsed {
        if self.ends_tuple(ends) {
            return Err(self.unexpected("a value"));
        }
        self.values(with_conditions, ends)
    }

    fn parenthesised(&mut self) -> Parsed {
        if self.ends_tuple(&[]) { Ok(()) } else { self.values(true, &[]) }
    }

    fn values(&mut self, with_conditions: bool, ends: &[&str]) -> Parsed {
        loop {
            if with_conditions {
                self.expression()?;
            } else {
                self.within(Self::either)?;
            }
            if !self.takes(",") || self.ends_tuple(ends) {
                return Ok(());
            }
        }
    }

    fn ends_tuple(&self, ends: &[&str]) -> bool {
        self.is(Kind::Close)
            || self.is(Kind::CloseValue)
            || self.is_symbol(")")
            || ends.iter().any(|word| self.is_word(word))
    }

    /// What a loop gives names to.
    pub(super) fn targets(&mut self, ends: &[&str]) -> Parsed {
        self.named(ends, false)
    }

    /// What `set` gives values to.
    pub(super) fn targets_of_set(&mut self) -> Parsed {
        self.named(&[], true)
    }

    fn named(&mut self, ends: &[&str], with_parts: bool) -> Parsed {
        if self.ends_tuple(ends) {
            return Err(self.unexpected("a name"));
        }
        loop {
            self.target(with_parts)?;
            if !self.takes(",") || self.ends_tuple(ends) {
                return Ok(());
            }
        }
    }

    /// A name that can be given a value, or several in brackets.
    pub(super) fn target(&mut self, with_parts: bool) -> Parsed {
        if self.takes("(") {
            self.within(|parser| parser.named(&[], false))?;
            return self.expect(")");
        }
        let name = self.text();
        self.expect_kind(Kind::Name, "a name")?;
        if CONSTANTS.contains(&name) {
            self.at -= 1;
            return Err(self.unexpected("a name"));
        }
        if with_parts && self.takes(".") {
            self.name()?;
        }
        Ok(())
    }
}

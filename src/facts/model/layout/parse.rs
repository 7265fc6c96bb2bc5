//! The statements of a section, with those of the sections that it uses.

use std::collections::{BTreeMap, BTreeSet};

use super::Table;
use super::expression::{Expression, Words};

/// A section, ready to be followed.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) statements: Vec<Statement>,
    pub(super) names: Names,
}

/// One line, or a block of them.
#[derive(Debug)]
pub(super) enum Statement {
    Let(usize, Expression),
    LetAt(usize, Expression, Expression),
    Fill(usize, Expression),
    Copy(usize, usize),
    If(Vec<(Expression, Vec<Self>)>, Vec<Self>),
    For(usize, Expression, Expression, Vec<Self>),
    Key(Key),
    Tensor(Row),
    Need(Expression, &'static str),
}

/// An entry.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: Template,
    pub(super) needed: bool,
    pub(super) word: &'static str,
    pub(super) list: bool,
    pub(super) count: Option<Expression>,
    pub(super) into: Option<usize>,
}

/// A tensor.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: Template,
    /// 1: it may be missing; 2: only the number of elements counts.
    pub(super) flags: Expression,
    /// Absent: any shape.
    pub(super) shape: Option<Vec<Expression>>,
}

/// A name with numbers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
}

/// A part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(&'static str),
    Number(Expression),
}

/// The names of a section, each with a place of its own.
#[derive(Debug, Default)]
pub(super) struct Names {
    slots: BTreeMap<&'static str, usize>,
    /// The name of each place.
    pub(super) names: Vec<&'static str>,
    /// Places that a statement sets.
    pub(super) set: BTreeSet<usize>,
    functions: BTreeMap<&'static str, usize>,
    /// The parameter of each definition, and what it comes to.
    pub(super) definitions: Vec<(usize, Expression)>,
}

/// Sections that use each other would never end.
const DEEPEST: usize = 8;

/// What the section `name` of `table` means.
pub(super) fn program(table: &Table, name: &str) -> Result<Program, String> {
    let mut reader = Reader { table, names: Names::default(), depth: 0 };
    let statements = reader.section(name, "")?;
    Ok(Program { statements, names: reader.names })
}

struct Reader<'t> {
    table: &'t Table,
    names: Names,
    depth: usize,
}

/// The lines that are left of a section.
type Lines = std::iter::Peekable<std::str::Lines<'static>>;

impl Reader<'_> {
    fn section(&mut self, name: &str, arguments: &'static str) -> Result<Vec<Statement>, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("`{name}` uses itself"));
        }
        let section = self.table.sections().get(name).ok_or_else(|| format!("no `{name}`"))?;
        let values = self.list(arguments)?;
        if values.len() != section.parameters.len() {
            return Err(format!("`{name}` has {} parameters", section.parameters.len()));
        }
        let mut before = Vec::new();
        let mut statements = Vec::new();
        for (parameter, value) in section.parameters.iter().zip(values) {
            before.push((*parameter, self.names.slots.get(parameter).copied()));
            let slot = self.names.fresh(parameter);
            statements.push(Statement::Let(slot, value));
        }
        let mut lines = section.body.lines().peekable();
        statements.extend(self.block(&mut lines)?);
        if let Some(line) = lines.next() {
            return Err(format!("`{line}` ends nothing"));
        }
        for (parameter, slot) in before {
            match slot {
                Some(slot) => self.names.slots.insert(parameter, slot),
                None => self.names.slots.remove(parameter),
            };
        }
        self.depth -= 1;
        Ok(statements)
    }

    /// To the line that ends the block, which is left.
    fn block(&mut self, lines: &mut Lines) -> Result<Vec<Statement>, String> {
        let mut statements = Vec::new();
        while let Some(line) = lines.next_if(|line| !ends(line.trim())) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let wrong = |error| format!("`{line}`: {error}");
                self.statement(line, lines, &mut statements).map_err(wrong)?;
            }
        }
        Ok(statements)
    }

    fn statement(
        &mut self,
        line: &'static str,
        lines: &mut Lines,
        statements: &mut Vec<Statement>,
    ) -> Result<(), String> {
        let (word, rest) = line.split_once([' ', '(']).unwrap_or((line, ""));
        match word {
            "let" => statements.push(self.set(rest)?),
            "def" => self.define(rest)?,
            "if" => statements.push(self.choice(rest, lines)?),
            "for" => statements.push(self.repeat(rest, lines)?),
            "use" => {
                let (name, arguments) = rest.split_once('(').unwrap_or((rest, ")"));
                let arguments = arguments.strip_suffix(')').ok_or("no `)`")?;
                statements.extend(self.section(name.trim(), arguments)?);
            }
            "key" | "key?" => statements.push(self.key(rest, word == "key")?),
            "tensor" if line.starts_with("tensor(") => {
                let (flags, rest) = bracket(rest).ok_or("no `)`")?;
                let flags = self.one(flags)?;
                statements.push(self.tensor(rest, flags)?);
            }
            "tensor" => statements.push(self.tensor(rest, Expression::Number(0))?),
            "tensor?" => statements.push(self.tensor(rest, Expression::Number(1))?),
            "need" => statements.push(Statement::Need(self.one(rest)?, rest)),
            _ => return Err("no statement".to_owned()),
        }
        Ok(())
    }

    fn set(&mut self, rest: &'static str) -> Result<Statement, String> {
        let (name, value) = rest.split_once(" = ").ok_or("no ` = `")?;
        let Some((name, index)) = name.split_once('[') else {
            let value = self.one(value)?;
            return Ok(Statement::Let(self.names.setting(name.trim()), value));
        };
        if let Some(other) = value.strip_suffix("[]") {
            let other = self.names.slot(other.trim());
            return Ok(Statement::Copy(self.names.setting(name), other));
        }
        let value = self.one(value)?;
        let index = index.trim_end_matches(']');
        if index.is_empty() {
            return Ok(Statement::Fill(self.names.setting(name), value));
        }
        let index = self.one(index)?;
        Ok(Statement::LetAt(self.names.setting(name), index, value))
    }

    fn define(&mut self, rest: &'static str) -> Result<(), String> {
        let (head, body) = rest.split_once(") = ").ok_or("no `) = `")?;
        let (name, parameter) = head.split_once('(').ok_or("no `(`")?;
        let before = self.names.slots.get(parameter).copied();
        let slot = self.names.fresh(parameter);
        let body = self.one(body)?;
        match before {
            Some(before) => self.names.slots.insert(parameter, before),
            None => self.names.slots.remove(parameter),
        };
        self.names.functions.insert(name, self.names.definitions.len());
        self.names.definitions.push((slot, body));
        Ok(())
    }

    fn choice(&mut self, rest: &'static str, lines: &mut Lines) -> Result<Statement, String> {
        let mut branches = vec![(self.one(rest)?, self.block(lines)?)];
        let mut otherwise = Vec::new();
        loop {
            let line = lines.next().unwrap_or_default().trim();
            match line.split_once(' ').unwrap_or((line, "")) {
                ("elif", condition) => branches.push((self.one(condition)?, self.block(lines)?)),
                ("else", _) => otherwise = self.block(lines)?,
                ("end", _) => return Ok(Statement::If(branches, otherwise)),
                _ => return Err("no `end`".to_owned()),
            }
        }
    }

    fn repeat(&mut self, rest: &'static str, lines: &mut Lines) -> Result<Statement, String> {
        let (name, bounds) = rest.split_once(" = ").ok_or("no ` = `")?;
        let bounds = self.list(bounds)?;
        let Ok([from, to]) = <[Expression; 2]>::try_from(bounds) else {
            return Err("no two bounds".to_owned());
        };
        let slot = self.names.setting(name.trim());
        let body = self.block(lines)?;
        let end = lines.next().unwrap_or_default().trim();
        if end != "end" {
            return Err("no `end`".to_owned());
        }
        Ok(Statement::For(slot, from, to, body))
    }

    fn key(&mut self, rest: &'static str, needed: bool) -> Result<Statement, String> {
        let (rest, into) = match rest.split_once(" -> ") {
            Some((rest, into)) => (rest, Some(self.names.setting(into.trim()))),
            None => (rest, None),
        };
        let (name, kind) = rest.trim().split_once(' ').ok_or("no kind")?;
        let (word, count) = match kind.split_once('[') {
            Some((word, count)) => (word, Some(count.trim_end_matches(']'))),
            None => (kind, None),
        };
        let list = count.is_some();
        let count = match count {
            Some(count) if !count.is_empty() => Some(self.one(count)?),
            Some(_) | None => None,
        };
        let name = Template::new(name, &mut self.names)?;
        Ok(Statement::Key(Key { name, needed, word, list, count, into }))
    }

    fn tensor(&mut self, rest: &'static str, flags: Expression) -> Result<Statement, String> {
        let (name, shape) = match rest.split_once(" [") {
            Some((name, shape)) => (name, Some(shape.strip_suffix(']').ok_or("no `]`")?)),
            None => (rest, None),
        };
        let name = Template::new(name.trim(), &mut self.names)?;
        let shape = shape.map(|shape| self.list(shape)).transpose()?;
        Ok(Statement::Tensor(Row { name, flags, shape }))
    }

    fn one(&mut self, text: &'static str) -> Result<Expression, String> {
        Words::new(text, &mut self.names).whole()
    }

    fn list(&mut self, text: &'static str) -> Result<Vec<Expression>, String> {
        Words::new(text, &mut self.names).list()
    }
}

/// What stands before the bracket that closes one that is open, and what behind it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    let end = text.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn ends(line: &str) -> bool {
    line == "end" || line == "else" || line.starts_with("elif ")
}

impl Template {
    pub(super) fn new(text: &'static str, names: &mut Names) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inner, after) = after.split_once('}').ok_or("no `}`")?;
            pieces.push(Piece::Text(before));
            pieces.push(Piece::Number(Words::new(inner, names).whole()?));
            rest = after;
        }
        pieces.push(Piece::Text(rest));
        Ok(Self { pieces })
    }
}

impl Names {
    /// The place of `name`.
    pub(super) fn slot(&mut self, name: &'static str) -> usize {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        self.place(name)
    }

    /// The definition that `function` has here.
    pub(super) fn definition(&self, function: &str) -> Option<usize> {
        self.functions.get(function).copied()
    }

    fn setting(&mut self, name: &'static str) -> usize {
        let slot = self.slot(name);
        self.set.insert(slot);
        slot
    }

    /// A place that has nothing to do with what had that name before.
    fn fresh(&mut self, name: &'static str) -> usize {
        let slot = self.place(name);
        self.set.insert(slot);
        slot
    }

    fn place(&mut self, name: &'static str) -> usize {
        let slot = self.names.len();
        self.names.push(name);
        self.slots.insert(name, slot);
        slot
    }
}

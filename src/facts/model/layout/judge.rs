//! Follows a section and says what a model lacks of it.

use super::expression::{Expression, Operator};
use super::parse::{Key, Piece, Program, Row, Statement, Template};
use super::{Complaint, Entry, Judgement, Kind, MOST_COMPLAINTS, Subject};

/// More statements than any model takes: 512 layers of a thousand.
const MOST_STEPS: u64 = 1 << 20;

/// The longest list of numbers: one for each layer.
const LONGEST: u64 = 512;

/// Definitions inside definitions.
const DEEPEST: usize = 16;

/// A tensor that may be missing.
const OPTIONAL: i64 = 1;

/// A tensor of which only the number of elements counts.
const RESHAPED: i64 = 2;

/// What `program` says to `subject`.
pub(super) fn judge(program: &Program, subject: &impl Subject) -> Judgement {
    let names = &program.names;
    let slot = |(place, name): (usize, &&'static str)| Slot {
        name,
        value: Asked::from(names.set.contains(&place)),
        list: Vec::new(),
        rest: None,
        is_set: names.set.contains(&place),
    };
    let mut judge = Judge {
        program,
        subject,
        slots: names.names.iter().enumerate().map(slot).collect(),
        complaints: Vec::new(),
        seen: vec![false; subject.tensors()],
        sees_all: true,
        steps: 0,
        depth: 0,
    };
    judge.follow(&program.statements, Sure::Yes);
    let unseen = |(index, seen): (usize, &bool)| (!seen).then_some(index);
    let strangers = judge.seen.iter().enumerate().filter_map(unseen).collect();
    Judgement { complaints: judge.complaints, strangers: judge.sees_all.then_some(strangers) }
}

/// Whether a statement is certain to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sure {
    Yes,
    No,
}

/// A number that may have to be asked for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    NotYet,
    Value(Option<i64>),
}

impl From<bool> for Asked {
    fn from(is_set: bool) -> Self {
        if is_set { Self::Value(None) } else { Self::NotYet }
    }
}

/// What a name stands for at the moment.
struct Slot {
    name: &'static str,
    value: Asked,
    list: Vec<Option<i64>>,
    /// What the list has behind its end.
    rest: Option<i64>,
    is_set: bool,
}

struct Judge<'p, S> {
    program: &'p Program,
    subject: &'p S,
    slots: Vec<Slot>,
    complaints: Vec<Complaint>,
    seen: Vec<bool>,
    sees_all: bool,
    steps: u64,
    depth: usize,
}

impl<'p, S: Subject> Judge<'p, S> {
    fn follow(&mut self, statements: &'p [Statement], sure: Sure) {
        for statement in statements {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                self.sees_all = false;
                return;
            }
            self.step(statement, sure);
        }
    }

    fn step(&mut self, statement: &'p Statement, sure: Sure) {
        match statement {
            Statement::Let(slot, value) => {
                let value = self.sure(value, sure);
                self.slot(*slot, |slot| slot.value = Asked::Value(value));
            }
            Statement::LetAt(slot, index, value) => {
                let value = self.sure(value, sure);
                let index = self.value(index).and_then(|index| u64::try_from(index).ok());
                self.slot(*slot, |slot| slot.put(index, value));
            }
            Statement::Fill(slot, value) => {
                let value = self.sure(value, sure);
                self.slot(*slot, |slot| slot.fill(value));
            }
            Statement::Copy(slot, other) => {
                let other = self.slots.get(*other).filter(|_| sure == Sure::Yes);
                let (list, rest) =
                    other.map_or_else(Default::default, |slot| (slot.list.clone(), slot.rest));
                self.slot(*slot, |slot| (slot.list, slot.rest) = (list, rest));
            }
            Statement::If(branches, otherwise) => self.choose(branches, otherwise, sure),
            Statement::For(slot, from, to, body) => {
                let bounds = (self.value(from), self.value(to));
                self.repeat(*slot, bounds, body, sure);
            }
            Statement::Key(key) => self.key(key, sure),
            Statement::Tensor(row) => self.tensor(row, sure),
            Statement::Need(condition, rule) => {
                if self.sure(condition, sure) == Some(0) {
                    self.complain(Complaint::Numbers { rule });
                }
            }
        }
    }

    fn choose(
        &mut self,
        branches: &'p [(Expression, Vec<Statement>)],
        otherwise: &'p [Statement],
        mut sure: Sure,
    ) {
        for (condition, body) in branches {
            match self.value(condition) {
                Some(0) => {}
                Some(_) => return self.follow(body, sure),
                None => {
                    sure = Sure::No;
                    self.follow(body, sure);
                }
            }
        }
        self.follow(otherwise, sure);
    }

    fn repeat(
        &mut self,
        slot: usize,
        bounds: (Option<i64>, Option<i64>),
        body: &'p [Statement],
        sure: Sure,
    ) {
        let (Some(from), Some(to)) = bounds else {
            self.slot(slot, |slot| slot.value = Asked::Value(None));
            return self.follow(body, Sure::No);
        };
        for number in from..to {
            if self.steps > MOST_STEPS {
                return;
            }
            self.slot(slot, |slot| slot.value = Asked::Value(Some(number)));
            self.follow(body, sure);
            self.steps += 1;
        }
    }

    fn key(&mut self, key: &'p Key, sure: Sure) {
        let Some(name) = self.name(&key.name) else { return };
        let count = key.count.as_ref().and_then(|count| self.value(count));
        let count = count.and_then(|count| u64::try_from(count).ok());
        let kind = Kind { word: key.word, list: key.list, count };
        let entry = self.subject.entry(&name, kind);
        let unknown = matches!(entry, Entry::Said | Entry::Unknown) || sure == Sure::No;
        match entry {
            _ if unknown => {
                let forget = |slot: &mut Slot| {
                    slot.value = Asked::Value(None);
                    slot.fill(None);
                };
                key.into.into_iter().for_each(|into| self.slot(into, forget));
            }
            Entry::Absent if key.needed => self.complain(Complaint::KeyMissing { key: name }),
            Entry::Wrong { expected, found } => {
                self.complain(Complaint::KeyType { key: name, expected, found });
            }
            Entry::Entries { found, expected } => {
                self.complain(Complaint::Entries { key: name, found, expected });
            }
            Entry::Number(number) => {
                let put = |slot: &mut Slot| slot.said(number, key.list.then_some(count));
                key.into.into_iter().for_each(|into| self.slot(into, put));
            }
            Entry::Numbers(numbers) => {
                let put = |slot: &mut Slot| {
                    for (index, number) in (0..).zip(&numbers) {
                        slot.put(Some(index), Some(*number));
                    }
                };
                key.into.into_iter().for_each(|into| self.slot(into, put));
            }
            Entry::Absent | Entry::Said | Entry::Unknown => {}
        }
    }

    fn tensor(&mut self, row: &'p Row, sure: Sure) {
        let Some(name) = self.name(&row.name) else {
            self.sees_all = false;
            return;
        };
        let flags = self.value(&row.flags);
        let Some(tensor) = self.subject.tensor(&name) else {
            if sure == Sure::Yes && flags.is_some_and(|flags| flags & OPTIONAL == 0) {
                self.complain(Complaint::TensorMissing { tensor: name });
            }
            return;
        };
        if let Some(seen) = self.seen.get_mut(tensor.index) {
            *seen = true;
        }
        let (Some(shape), Some(found), Some(flags)) = (&row.shape, tensor.shape, flags) else {
            return;
        };
        if sure == Sure::No {
            return;
        }
        let expected: Vec<_> = shape.iter().map(|extent| self.value(extent)).collect();
        let fits = if flags & RESHAPED != 0 {
            let elements = expected.iter().try_fold(1, |all: i64, one| all.checked_mul((*one)?));
            let found = found.iter().try_fold(1, |all: i64, one| all.checked_mul(*one));
            elements.zip(found).is_none_or(|(elements, found)| elements == found)
        } else {
            fits(found, &expected)
        };
        if !fits {
            let expected = expected.iter().map(|extent| extent.unwrap_or(-1)).collect();
            let found = found.to_vec();
            self.complain(Complaint::Shape { tensor: name, found, expected });
        }
    }

    fn complain(&mut self, complaint: Complaint) {
        if self.complaints.len() < MOST_COMPLAINTS && !self.complaints.contains(&complaint) {
            self.complaints.push(complaint);
        }
    }

    fn slot(&mut self, slot: usize, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.slots.get_mut(slot) {
            change(slot);
        }
    }

    /// As [`Self::value`], unknown for what may not be reached.
    fn sure(&mut self, expression: &'p Expression, sure: Sure) -> Option<i64> {
        let value = self.value(expression);
        value.filter(|_| sure == Sure::Yes)
    }

    fn name(&mut self, template: &'p Template) -> Option<String> {
        let mut name = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Number(number) => name.push_str(&self.value(number)?.to_string()),
            }
        }
        Some(name)
    }

    fn value(&mut self, expression: &'p Expression) -> Option<i64> {
        match expression {
            Expression::Number(number) => Some(*number),
            Expression::Any => None,
            Expression::Name(slot) => self.named(*slot),
            Expression::At(slot, index) => {
                let index = u64::try_from(self.value(index)?).ok()?;
                let slot = self.slots.get(*slot)?;
                if slot.is_set {
                    slot.at(index)
                } else {
                    self.subject.number(slot.name, Some(index))
                }
            }
            Expression::Call(definition, argument) => self.call(*definition, argument),
            Expression::Not(inner) => self.value(inner).map(|value| i64::from(value == 0)),
            Expression::Binary(operator, sides) => {
                let left = self.value(&sides.0);
                // One side is enough where it decides.
                match (operator, left) {
                    (Operator::And, Some(0)) => return Some(0),
                    (Operator::Or, Some(left)) if left != 0 => return Some(1),
                    _ => {}
                }
                let right = self.value(&sides.1);
                match (operator, right) {
                    (Operator::And, Some(0)) => Some(0),
                    (Operator::Or, Some(right)) if right != 0 => Some(1),
                    _ => operator.of(left?, right?),
                }
            }
            Expression::If(parts) => match self.value(&parts.0) {
                Some(0) => self.value(&parts.2),
                Some(_) => self.value(&parts.1),
                None => {
                    let then = self.value(&parts.1);
                    then.filter(|then| self.value(&parts.2) == Some(*then))
                }
            },
            Expression::Has(name) => {
                let name = self.name(name)?;
                Some(i64::from(self.subject.tensor(&name).is_some()))
            }
            Expression::Extent(name, at) => {
                let at = usize::try_from(self.value(at)?).ok()?;
                let name = self.name(name)?;
                Some(self.subject.tensor(&name)?.shape?.get(at).copied().unwrap_or(1))
            }
            Expression::Said(key) => {
                let kind = Kind { word: "any", list: true, count: None };
                match self.subject.entry(key, kind) {
                    Entry::Absent => Some(0),
                    Entry::Unknown => None,
                    Entry::Number(_)
                    | Entry::Numbers(_)
                    | Entry::Said
                    | Entry::Wrong { .. }
                    | Entry::Entries { .. } => Some(1),
                }
            }
            Expression::Is(key, word) => self.subject.is(key, word).map(i64::from),
        }
    }

    fn named(&mut self, slot: usize) -> Option<i64> {
        let slot = self.slots.get_mut(slot)?;
        match slot.value {
            Asked::Value(value) => value,
            Asked::NotYet => {
                let value = self.subject.number(slot.name, None);
                slot.value = Asked::Value(value);
                value
            }
        }
    }

    fn call(&mut self, definition: usize, argument: &'p Expression) -> Option<i64> {
        let argument = self.value(argument);
        let (parameter, body) = self.program.names.definitions.get(definition)?;
        if self.depth > DEEPEST {
            return None;
        }
        let before = self.slots.get(*parameter)?.value;
        self.slot(*parameter, |slot| slot.value = Asked::Value(argument));
        self.depth += 1;
        let value = self.value(body);
        self.depth -= 1;
        self.slot(*parameter, |slot| slot.value = before);
        value
    }
}

impl Slot {
    fn at(&self, index: u64) -> Option<i64> {
        let index = usize::try_from(index).ok()?;
        self.list.get(index).copied().unwrap_or(self.rest)
    }

    fn put(&mut self, index: Option<u64>, value: Option<i64>) {
        let index = index.filter(|index| *index < LONGEST);
        let Some(index) = index.and_then(|index| usize::try_from(index).ok()) else {
            return self.fill(None);
        };
        if self.list.len() <= index {
            self.list.resize(index + 1, self.rest);
        }
        if let Some(place) = self.list.get_mut(index) {
            *place = value;
        }
    }

    fn fill(&mut self, value: Option<i64>) {
        self.list.clear();
        self.rest = value;
    }

    /// One number; for a list, the same that many times.
    fn said(&mut self, number: i64, count: Option<Option<u64>>) {
        match count {
            None => self.value = Asked::Value(Some(number)),
            Some(None) => self.fill(Some(number)),
            Some(Some(count)) => {
                (0..count.min(LONGEST)).for_each(|index| self.put(Some(index), Some(number)));
            }
        }
    }
}

/// Whether the extents are those; unknown ones fit anything.
fn fits(found: &[i64], expected: &[Option<i64>]) -> bool {
    let extents = found.len().max(expected.len());
    (0..extents).all(|place| {
        let found = found.get(place).copied().unwrap_or(1);
        let expected = expected.get(place).copied().unwrap_or(Some(1));
        expected.is_none_or(|expected| expected == found)
    })
}

//! The expressions of a layout: read once, and what they come to.

use super::parse::{Names, Template};

/// What a number is written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Number(i64),
    /// `_`: it may be anything.
    Any,
    Name(usize),
    At(usize, Box<Self>),
    Call(usize, Box<Self>),
    Not(Box<Self>),
    Binary(Operator, Box<(Self, Self)>),
    If(Box<(Self, Self, Self)>),
    Has(Template),
    Extent(Template, Box<Self>),
    Said(&'static str),
    Is(&'static str, &'static str),
}

/// What stands between two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Either,
    Both,
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Less,
    More,
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
    Min,
    Max,
}

/// From the loosest to the tightest; in a row, longer spellings first.
const LEVELS: [&[(&str, Operator)]; 8] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[("|", Operator::Either)],
    &[("&", Operator::Both)],
    &[("==", Operator::Equal), ("!=", Operator::Unequal)],
    &[
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("<", Operator::Less),
        (">", Operator::More),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[("*", Operator::Times), ("/", Operator::Over), ("%", Operator::Modulo)],
];

/// Deeper than any table.
const DEEPEST: usize = 64;

impl Operator {
    /// What two known numbers come to; absent where that cannot be told.
    pub(super) fn of(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Or => Some(i64::from(left != 0 || right != 0)),
            Self::And => Some(i64::from(left != 0 && right != 0)),
            Self::Either => Some(left | right),
            Self::Both => Some(left & right),
            Self::Equal => Some(i64::from(left == right)),
            Self::Unequal => Some(i64::from(left != right)),
            Self::AtMost => Some(i64::from(left <= right)),
            Self::AtLeast => Some(i64::from(left >= right)),
            Self::Less => Some(i64::from(left < right)),
            Self::More => Some(i64::from(left > right)),
            Self::Plus => left.checked_add(right),
            Self::Minus => left.checked_sub(right),
            Self::Times => left.checked_mul(right),
            Self::Over => left.checked_div(right),
            Self::Modulo => left.checked_rem(right),
            Self::Min => Some(left.min(right)),
            Self::Max => Some(left.max(right)),
        }
    }
}

/// A text of which one expression after the other is taken.
pub(super) struct Words<'n> {
    rest: &'static str,
    names: &'n mut Names,
    depth: usize,
}

impl<'n> Words<'n> {
    pub(super) const fn new(text: &'static str, names: &'n mut Names) -> Self {
        Self { rest: text, names, depth: 0 }
    }

    /// The whole text as one expression.
    pub(super) fn whole(mut self) -> Result<Expression, String> {
        let expression = self.expression()?;
        if self.rest.trim().is_empty() { Ok(expression) } else { Err(self.stuck("the end")) }
    }

    /// Expressions with commas between them, to the end of the text.
    pub(super) fn list(mut self) -> Result<Vec<Expression>, String> {
        let mut list = Vec::new();
        if self.rest.trim().is_empty() {
            return Ok(list);
        }
        loop {
            list.push(self.expression()?);
            if self.rest.trim().is_empty() {
                return Ok(list);
            }
            self.want(",")?;
        }
    }

    fn expression(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.stuck("less depth"));
        }
        let condition = self.level(0)?;
        let whole = if self.take("?") {
            let then = self.expression()?;
            self.want(":")?;
            let or = self.expression()?;
            Expression::If(Box::new((condition, then, or)))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn level(&mut self, level: usize) -> Result<Expression, String> {
        let Some(operators) = LEVELS.get(level) else { return self.single() };
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.take(sign)) {
            let right = self.level(level + 1)?;
            left = Expression::Binary(*operator, Box::new((left, right)));
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Expression, String> {
        if self.take("(") {
            let inner = self.expression()?;
            self.want(")")?;
            return Ok(inner);
        }
        if self.take("!") {
            return Ok(Expression::Not(Box::new(self.single()?)));
        }
        if self.take("-") {
            let sides = (Expression::Number(0), self.single()?);
            return Ok(Expression::Binary(Operator::Minus, Box::new(sides)));
        }
        let word = self.word()?;
        if word == "_" {
            return Ok(Expression::Any);
        }
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            return word
                .parse()
                .map(Expression::Number)
                .map_err(|error| format!("`{word}`: {error}"));
        }
        if self.take("(") {
            return self.call(word);
        }
        if self.take("[") {
            let index = self.expression()?;
            self.want("]")?;
            return Ok(Expression::At(self.names.slot(word), Box::new(index)));
        }
        Ok(Expression::Name(self.names.slot(word)))
    }

    fn call(&mut self, function: &'static str) -> Result<Expression, String> {
        match function {
            "has" => Ok(Expression::Has(Template::new(self.raw(')')?, self.names)?)),
            "extent" => {
                let name = Template::new(self.raw(',')?, self.names)?;
                let at = self.expression()?;
                self.want(")")?;
                Ok(Expression::Extent(name, Box::new(at)))
            }
            "said" => Ok(Expression::Said(self.raw(')')?)),
            "is" => Ok(Expression::Is(self.raw(',')?, self.raw(')')?)),
            "min" | "max" => {
                let operator = if function == "min" { Operator::Min } else { Operator::Max };
                let left = self.expression()?;
                self.want(",")?;
                let right = self.expression()?;
                self.want(")")?;
                Ok(Expression::Binary(operator, Box::new((left, right))))
            }
            _ => {
                let argument = self.expression()?;
                self.want(")")?;
                let definition = self.names.definition(function);
                let number = definition.ok_or_else(|| format!("nothing defines `{function}`"))?;
                Ok(Expression::Call(number, Box::new(argument)))
            }
        }
    }

    fn raw(&mut self, end: char) -> Result<&'static str, String> {
        let (raw, rest) = self.rest.split_once(end).ok_or_else(|| self.stuck("a bracket"))?;
        self.rest = rest;
        Ok(raw.trim())
    }

    fn word(&mut self) -> Result<&'static str, String> {
        let rest = self.rest.trim_start();
        let end = rest
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        if word.is_empty() {
            return Err(self.stuck("a name or a number"));
        }
        self.rest = rest;
        Ok(word)
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.trim_start();
        // `!` is not the first half of `!=`, nor `|` of `||`.
        let whole = match sign {
            "!" => "!=",
            "|" => "||",
            "&" => "&&",
            _ => sign,
        };
        let longer = whole != sign && rest.starts_with(whole);
        match rest.strip_prefix(sign).filter(|_| !longer) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn want(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(self.stuck(sign)) }
    }

    fn stuck(&self, wanted: &str) -> String {
        format!("{wanted} is wanted before `{}`", self.rest)
    }
}

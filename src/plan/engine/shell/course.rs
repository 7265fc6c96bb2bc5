//! Under which conditions the commands of a script run: `if` and `case`, loops, `&&` and `||`, as far as
//! what they test is known.

use crate::plan::engine::shell::Command;
use crate::plan::engine::words::Word;

/// What stands between two simple commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `;`, `&`, `|`, a line break, a bracket.
    End,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `!`.
    Not,
    /// `if`.
    If,
    /// `then`.
    Then,
    /// `elif`.
    Elif,
    /// `else`.
    Else,
    /// `for`, `while`, `until`, `case`: what is inside runs any number of times.
    Open,
    /// `fi`, `done`, `esac`.
    Close,
    /// A word that gives no condition: `do`, `{`, `}`, `time`.
    Plain,
}

/// Whether a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan::engine) enum Course {
    /// It does not.
    Never,
    /// It may.
    Possible,
    /// It does.
    Certain,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is a test that holds.
    True,
    /// It is a test that does not.
    False,
    /// It is a test of what is not known.
    Unknown,
    /// It is none: it is taken to do its work.
    Done,
}

/// A script on its way through its conditions.
#[derive(Debug, Default)]
pub(in crate::plan::engine) struct Followed {
    open: Vec<Branches>,
    /// Whether what stands behind `&&` and `||` runs.
    chained: Option<Course>,
    last: Option<Outcome>,
    is_negated: bool,
}

/// An `if`, or a construct that is not followed.
#[derive(Debug)]
struct Branches {
    /// Whether what is inside now runs.
    now: Course,
    /// Whether a branch before this one has run.
    taken: Course,
}

impl Shape {
    /// What a word at the place of a command's name gives the script; absent: it is no reserved word.
    pub(super) fn reserved(word: &str) -> Option<Self> {
        Some(match word {
            "if" => Self::If,
            "then" => Self::Then,
            "elif" => Self::Elif,
            "else" => Self::Else,
            "for" | "while" | "until" | "case" | "select" => Self::Open,
            "fi" | "done" | "esac" => Self::Close,
            "!" => Self::Not,
            "do" | "{" | "}" | "time" => Self::Plain,
            _ => return None,
        })
    }
}

impl Followed {
    /// Whether `command` runs, which stands behind the one that was asked for last.
    pub(in crate::plan::engine) fn course(&mut self, command: &Command) -> Course {
        for shape in &command.before {
            self.pass(*shape);
        }
        let inside = self.open.iter().map(|branches| branches.now).min();
        inside.unwrap_or(Course::Certain).min(self.chained.unwrap_or(Course::Certain))
    }

    /// Notes what the words of the command that was asked for last have become.
    pub(in crate::plan::engine) fn ran(&mut self, words: &[Word]) {
        let outcome = outcome(words);
        self.last = Some(match (outcome, std::mem::take(&mut self.is_negated)) {
            (Outcome::True, true) => Outcome::False,
            (Outcome::False, true) => Outcome::True,
            (Outcome::Done, true) => Outcome::Unknown,
            (outcome, _) => outcome,
        });
    }

    fn pass(&mut self, shape: Shape) {
        match shape {
            Shape::End => self.chained = None,
            Shape::And => self.chain(|last| match last {
                Outcome::True | Outcome::Done => Course::Certain,
                Outcome::Unknown => Course::Possible,
                Outcome::False => Course::Never,
            }),
            Shape::Or => self.chain(|last| match last {
                Outcome::False => Course::Certain,
                Outcome::Unknown | Outcome::Done => Course::Possible,
                Outcome::True => Course::Never,
            }),
            Shape::Not => self.is_negated = !self.is_negated,
            Shape::If => self.open(Course::Certain),
            Shape::Open => self.open(Course::Possible),
            Shape::Then => self.branch(true),
            Shape::Elif => {
                // Whether its condition is looked at changes nothing that is kept.
                if let Some(branches) = self.open.last_mut() {
                    branches.now = Course::Certain;
                }
                self.chained = None;
            }
            Shape::Else => self.branch(false),
            Shape::Close => {
                self.open.pop();
                self.chained = None;
                self.last = Some(Outcome::Done);
            }
            Shape::Plain => {}
        }
    }

    fn open(&mut self, now: Course) {
        self.chained = None;
        self.open.push(Branches { now, taken: Course::Never });
    }

    /// What stands behind an operator runs if what stands before it came out so.
    fn chain(&mut self, course: impl Fn(Outcome) -> Course) {
        let before = self.chained.unwrap_or(Course::Certain);
        let now = course(self.last.unwrap_or(Outcome::Done));
        self.chained = Some(match before {
            // Of `a || b && c` it is not followed what `c` hangs on.
            Course::Never | Course::Possible => before.max(Course::Possible).min(now),
            Course::Certain => now,
        });
    }

    /// The branch behind a condition, or the one for the case that none holds.
    fn branch(&mut self, has_condition: bool) {
        let is_certain = self.chained.is_none_or(|course| course == Course::Certain);
        let holds = match self.last {
            _ if !has_condition => Course::Certain,
            Some(Outcome::True) if is_certain => Course::Certain,
            Some(Outcome::False) if is_certain => Course::Never,
            _ => Course::Possible,
        };
        self.chained = None;
        if let Some(branches) = self.open.last_mut() {
            branches.now = match branches.taken {
                Course::Certain => Course::Never,
                Course::Never => holds,
                Course::Possible => holds.min(Course::Possible),
            };
            branches.taken = branches.taken.max(branches.now);
        }
    }
}

/// What the words of a command come out as: `[`, `test` and `[[` over texts, `true` and `false`.
fn outcome(words: &[Word]) -> Outcome {
    // What only sets variables succeeds.
    let Some((program, rest)) = words.split_first() else { return Outcome::True };
    let operands = match (program.text.as_str(), rest.split_last()) {
        ("true" | ":", _) => return Outcome::True,
        ("false", _) => return Outcome::False,
        ("test", _) => rest,
        ("[", Some((end, operands))) if end.is("]") => operands,
        ("[[", Some((end, operands))) if end.is("]]") => operands,
        _ => return Outcome::Done,
    };
    let texts: Option<Vec<&str>> =
        operands.iter().map(|word| word.unknown.is_none().then_some(word.text.as_str())).collect();
    let holds = match texts.as_deref() {
        Some([text]) => !text.is_empty(),
        Some(["-z", text]) => text.is_empty(),
        Some(["-n", text]) => !text.is_empty(),
        Some([one, "=" | "==", other]) if !other.contains(['*', '?', '[']) => one == other,
        Some([one, "!=", other]) if !other.contains(['*', '?', '[']) => one != other,
        _ => return Outcome::Unknown,
    };
    if holds { Outcome::True } else { Outcome::False }
}

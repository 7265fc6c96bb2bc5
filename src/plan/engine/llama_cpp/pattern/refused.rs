//! Patterns of the names of tensors that `std::regex` refuses: llama.cpp reads them as it loads the model, and
//! ends there (`src/llama-model-loader.cpp`; the grammar is that of ECMAScript as libstdc++ has it,
//! `bits/regex_scanner.tcc` and `regex_compiler.tcc`; build 11669 was asked).

use crate::plan::engine::arguments::Arguments;
use crate::plan::engine::llama_cpp::pattern::Pattern;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::plan::engine::{Complaint, Refusal};
use crate::source_map::Spanned;

const FLAG: &str = "--override-tensor";
const VARIABLE: &str = "LLAMA_ARG_OVERRIDE_TENSOR";

/// What every model has, so that every pattern is read for it, up to the first that is found in it.
const OF_ALL: &str = "token_embd.weight";

/// Adds what is refused to the complaints of `arguments`. `is_asked`: no newer build is known to be meant.
pub(in crate::plan::engine::llama_cpp) fn judge(
    arguments: &mut Arguments,
    reading: &Reading<'_>,
    is_asked: bool,
) {
    let given = arguments
        .all(FLAG)
        .flat_map(|given| given.values.iter().map(|word| (given.written.clone(), word.clone())));
    let mut words: Vec<(String, Word)> = given.collect();
    let variable = reading.environment.get(VARIABLE).map(|word| (VARIABLE.to_owned(), word));
    words.splice(0..0, variable);
    let mut is_reached = is_asked;
    let mut refused = Vec::new();
    for (by, word) in words {
        if word.unknown.is_some() {
            is_reached = false;
            continue;
        }
        for pattern in word.text.split(',').filter_map(|entry| Some(entry.split_once('=')?.0)) {
            if let Some(why) = refusal(pattern) {
                let told = told(&by, pattern, why, is_reached);
                refused.push(Spanned::new(Complaint::Refused(told), word.place.clone()));
            }
            is_reached &= Pattern::parse(pattern).is_some_and(|pattern| !pattern.is_in(OF_ALL));
        }
    }
    arguments.complaints.extend(refused);
}

fn told(by: &str, pattern: &str, why: &str, is_certain: bool) -> Refusal {
    Refusal {
        why: format!("`{by}` has the pattern `{pattern}`, in which {why}: llama.cpp exits"),
        fix: "write a regular expression that is found in the names of tensors, as in \
              `\\.ffn_.*_exps\\.=CPU`"
            .to_owned(),
        is_certain,
    }
}

/// Why a pattern is none; absent: nothing is known to be wrong with it.
fn refusal(pattern: &str) -> Option<&'static str> {
    Reader { rest: pattern, groups: 0, open: Vec::new(), has_atom: false }.refusal()
}

const REPEATS_NOTHING: &str = "nothing stands before a repetition";
const NOT_CLOSED: &str = "a parenthesis is not closed";
const BAD_ESCAPE: &str = "a backslash is followed by nothing that it could mean";
const BAD_RANGE: &str = "a range ends before it begins";

/// A group that is not closed yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// With a number, by which it can be referred to.
    Numbered(usize),
    Plain,
    /// It takes no place, so that it cannot be repeated.
    Lookahead,
}

/// What a backslash and what follows it stand for.
enum Escape {
    Character(char),
    Class,
    Reference(usize),
    /// It takes no place.
    Border,
}

struct Reader<'a> {
    rest: &'a str,
    /// Groups with a number that began so far.
    groups: usize,
    open: Vec<Group>,
    /// Whether what stands before can be repeated.
    has_atom: bool,
}

impl Reader<'_> {
    fn refusal(mut self) -> Option<&'static str> {
        while let Some(character) = self.take() {
            let read = match character {
                '\\' => self.escaped(),
                '(' => self.opened(),
                ')' => self.closed(),
                '[' => self.bracket(),
                '{' => self.counted(),
                '*' | '+' | '?' if !self.has_atom => Err(REPEATS_NOTHING),
                '*' | '+' | '?' => Ok(true),
                '|' | '^' | '$' => Ok(false),
                _ => Ok(true),
            };
            match read {
                Ok(has_atom) => self.has_atom = has_atom,
                Err(why) => return Some(why),
            }
        }
        (!self.open.is_empty()).then_some(NOT_CLOSED)
    }

    fn take(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next()?;
        self.rest = characters.as_str();
        Some(character)
    }

    fn skip(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn digits(&mut self) -> Option<usize> {
        let end = self.rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.parse().ok()
    }

    fn opened(&mut self) -> Result<bool, &'static str> {
        let group = if !self.skip("?") {
            self.groups += 1;
            Group::Numbered(self.groups)
        } else if self.skip(":") {
            Group::Plain
        } else if self.skip("=") || self.skip("!") {
            Group::Lookahead
        } else {
            return Err("`(?` begins something that this kind of pattern does not have");
        };
        self.open.push(group);
        Ok(false)
    }

    fn closed(&mut self) -> Result<bool, &'static str> {
        let group = self.open.pop().ok_or("a parenthesis is closed that was not opened")?;
        Ok(group != Group::Lookahead)
    }

    /// Behind `{`; there is no comma in it, which begins the next pattern.
    fn counted(&mut self) -> Result<bool, &'static str> {
        if !self.has_atom {
            return Err(REPEATS_NOTHING);
        }
        if self.digits().is_none() || !self.skip("}") {
            return Err("what stands behind `{` is no number with a `}`");
        }
        Ok(true)
    }

    fn escaped(&mut self) -> Result<bool, &'static str> {
        match self.escape()? {
            Escape::Character(_) | Escape::Class => Ok(true),
            Escape::Border => Ok(false),
            Escape::Reference(number) => {
                let is_there = number <= self.groups;
                if is_there && !self.open.contains(&Group::Numbered(number)) {
                    Ok(true)
                } else {
                    Err("a number refers to no group before it")
                }
            }
        }
    }

    fn escape(&mut self) -> Result<Escape, &'static str> {
        if self.rest.starts_with(|it: char| it.is_ascii_digit() && it != '0') {
            return Ok(Escape::Reference(self.digits().unwrap_or(usize::MAX)));
        }
        match self.take().ok_or(BAD_ESCAPE)? {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => Ok(Escape::Class),
            'b' | 'B' => Ok(Escape::Border),
            'c' => self.take().map(Escape::Character).ok_or(BAD_ESCAPE),
            'x' => self.code(2),
            'u' => self.code(4),
            plain => Ok(Escape::Character(plain)),
        }
    }

    /// A character by its number of so many hexadecimal digits.
    fn code(&mut self, length: usize) -> Result<Escape, &'static str> {
        let digits = self.rest.get(..length).ok_or(BAD_ESCAPE)?;
        let code = u32::from_str_radix(digits, 16).map_err(|_not_hexadecimal| BAD_ESCAPE)?;
        self.rest = &self.rest[length..];
        Ok(Escape::Character(char::from_u32(code).unwrap_or_default()))
    }

    /// Behind `[`. Of ranges that begin or end with a class nothing is said.
    fn bracket(&mut self) -> Result<bool, &'static str> {
        const NOT_CLOSED: &str = "a bracket is not closed";
        self.skip("^");
        let mut first = None;
        loop {
            match self.take().ok_or(NOT_CLOSED)? {
                ']' => return Ok(true),
                '-' if first.is_some() && !self.rest.starts_with([']', '[', '\\']) => {
                    let last = self.take().ok_or(NOT_CLOSED)?;
                    if first.is_some_and(|first| last < first) {
                        return Err(BAD_RANGE);
                    }
                    first = None;
                }
                '[' if self.rest.starts_with([':', '.', '=']) => {
                    self.named()?;
                    first = None;
                }
                '\\' => {
                    first = match self.escape()? {
                        Escape::Character(character) => Some(character),
                        Escape::Class | Escape::Reference(_) | Escape::Border => None,
                    };
                }
                character => first = Some(character),
            }
        }
    }

    /// Behind the bracket of `[:alpha:]`.
    fn named(&mut self) -> Result<(), &'static str> {
        const CLASSES: [&str; 15] = [
            "d", "w", "s", "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "xdigit",
        ];
        const NONE: &str = "a class in a bracket has no such name";
        let kind = self.take().ok_or(NONE)?;
        let (name, rest) = self.rest.split_once(&format!("{kind}]")).ok_or(NONE)?;
        self.rest = rest;
        let is_known = kind != ':' || CLASSES.contains(&name.to_ascii_lowercase().as_str());
        is_known.then_some(()).ok_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn what_build_11669_refused_is_refused_and_nothing_else() {
        // Each was given to it, before `=CPU`.
        for pattern in [
            "(",
            "a)",
            "[a",
            "*a",
            "+a",
            "?",
            "a|*",
            "(*)",
            "^*",
            "$+",
            r"\b+",
            "(?!a)+",
            "{1}",
            "a{",
            "a{1",
            r"\p{L}",
            "(?<n>a)",
            "(?i)a",
            "(?P<a>b)",
            "(?a)",
            "(?:a",
            r"(a)\2",
            r"\8",
            "[z-a]",
            "[a--z]",
            "[[:foo:]]",
            "\\",
            r"a\",
            r"\x4",
            r"\u12",
            r"\c",
        ] {
            assert!(refusal(pattern).is_some(), "{pattern}");
        }
        for pattern in [
            "",
            "]",
            "}",
            "a]",
            "a}",
            r"\d",
            r"\h",
            "a**",
            "a+*",
            "a++",
            "a*?",
            "a??",
            "()",
            "(|)",
            r"(a)\1",
            r"(a)(b)\2",
            "[[:alpha:]]",
            "[[.a.]]",
            "[]",
            "[^]",
            "[]a]",
            r"[\w]",
            r"[\b]",
            r"[\h]",
            "a{1001}",
            "a{1}{2}",
            r"\0",
            r"\.",
            r"\-",
            r"\_",
            r"\A",
            r"\G",
            r"a\z",
            r"\Qa\E",
            "(?!a)",
            r"blk\.(1[0-9]|2\d)\.ffn_.*_exps",
            "^blk.[0-9]{2}.$",
            "[a-z0-9_-]+",
        ] {
            assert_eq!(refusal(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_group_that_is_open_is_not_referred_to() {
        assert!(refusal(r"(a\1)").is_some());
        assert_eq!(refusal(r"(a)(b\1)"), None);
        assert!(refusal(r"((a)").is_some());
    }
}

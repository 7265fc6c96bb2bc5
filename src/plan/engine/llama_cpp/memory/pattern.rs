//! Patterns of the names of tensors, as far as people write them: the regular expressions of C++
//! (`std::regex`, ECMAScript) without lookahead, references and classes by name.

use std::collections::BTreeSet;

/// How deep groups may be nested.
const DEEPEST: usize = 16;

/// More than names of tensors have (`GGML_MAX_NAME`).
const LONGEST_NAME: usize = 128;

/// What a name is searched for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Alternatives);

type Alternatives = Vec<Vec<Piece>>;

/// Places in a name.
type Places = BTreeSet<usize>;

/// Something that is there so many times.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    atom: Atom,
    least: u32,
    most: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Atom {
    Any,
    Begin,
    End,
    /// One of these ranges, or none of them.
    Class {
        ranges: Vec<(char, char)>,
        is_negated: bool,
    },
    Group(Alternatives),
}

impl Pattern {
    /// Reads a pattern; absent: it is none, or has something that is not read here.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.chars().collect::<Vec<_>>().into_iter().peekable();
        let alternatives = alternatives(&mut rest, 0)?;
        rest.next().is_none().then_some(Self(alternatives))
    }

    /// Whether it is found anywhere in a name.
    pub(super) fn is_in(&self, name: &str) -> bool {
        let text: Vec<char> = name.chars().take(LONGEST_NAME).collect();
        !ends(&self.0, &text, &(0..=text.len()).collect()).is_empty()
    }
}

type Rest = std::iter::Peekable<std::vec::IntoIter<char>>;

fn alternatives(rest: &mut Rest, depth: usize) -> Option<Alternatives> {
    if depth > DEEPEST {
        return None;
    }
    let mut all = vec![Vec::new()];
    while let Some(next) = rest.next_if(|next| *next != ')') {
        if next == '|' {
            all.push(Vec::new());
            continue;
        }
        let atom = atom(next, rest, depth)?;
        let (least, most) = times(rest)?;
        let is_place = matches!(atom, Atom::Begin | Atom::End);
        if is_place && (least, most) != (1, 1) {
            return None;
        }
        all.last_mut()?.push(Piece { atom, least, most });
    }
    Some(all)
}

fn atom(first: char, rest: &mut Rest, depth: usize) -> Option<Atom> {
    let class =
        |ranges: &[(char, char)], is_negated| Atom::Class { ranges: ranges.to_vec(), is_negated };
    Some(match first {
        '.' => Atom::Any,
        '^' => Atom::Begin,
        '$' => Atom::End,
        '(' => {
            if rest.next_if_eq(&'?').is_some() {
                rest.next_if_eq(&':')?;
            }
            let inner = alternatives(rest, depth + 1)?;
            rest.next_if_eq(&')')?;
            Atom::Group(inner)
        }
        '[' => {
            let is_negated = rest.next_if_eq(&'^').is_some();
            class(&ranges(rest)?, is_negated)
        }
        '\\' => match rest.next()? {
            'd' => class(&[('0', '9')], false),
            'w' => class(&[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')], false),
            other if other.is_ascii_alphanumeric() => return None,
            other => class(&[(other, other)], false),
        },
        '*' | '+' | '?' | '{' | '}' | ']' => return None,
        other => class(&[(other, other)], false),
    })
}

fn ranges(rest: &mut Rest) -> Option<Vec<(char, char)>> {
    let mut ranges = Vec::new();
    loop {
        let first = match rest.next()? {
            ']' => return Some(ranges),
            '[' => return None,
            '\\' => match rest.next()? {
                'd' => {
                    ranges.push(('0', '9'));
                    continue;
                }
                other if other.is_ascii_alphanumeric() => return None,
                other => other,
            },
            other => other,
        };
        let is_range = rest.next_if_eq(&'-').is_some();
        match rest.peek() {
            Some(']') if is_range => ranges.extend([(first, first), ('-', '-')]),
            Some('\\' | '[') if is_range => return None,
            Some(last) if is_range && first <= *last => {
                ranges.push((first, *last));
                rest.next();
            }
            Some(_) if !is_range => ranges.push((first, first)),
            Some(_) | None => return None,
        }
    }
}

/// How often; a `?` behind it changes what is found, and not whether.
fn times(rest: &mut Rest) -> Option<(u32, u32)> {
    let times = match rest.peek() {
        Some('*') => (0, u32::MAX),
        Some('+') => (1, u32::MAX),
        Some('?') => (0, 1),
        Some('{') => {
            rest.next();
            let mut text = String::new();
            while let Some(next) = rest.next_if(|next| *next != '}') {
                text.push(next);
            }
            let (least, most) = match text.split_once(',') {
                None => (text.parse().ok()?, text.parse().ok()?),
                Some((least, "")) => (least.parse().ok()?, u32::MAX),
                Some((least, most)) => (least.parse().ok()?, most.parse().ok()?),
            };
            if least > most || least > 64 {
                return None;
            }
            (least, most)
        }
        Some(_) | None => return Some((1, 1)),
    };
    rest.next()?;
    rest.next_if_eq(&'?');
    match rest.peek() {
        Some('*' | '+' | '?' | '{') => None,
        Some(_) | None => Some(times),
    }
}

/// Where what is looked for ends in `text`, from each of these places on.
fn ends(alternatives: &Alternatives, text: &[char], starts: &Places) -> Places {
    let each = alternatives
        .iter()
        .map(|pieces| pieces.iter().fold(starts.clone(), |starts, piece| piece.ends(text, starts)));
    each.flatten().collect()
}

impl Piece {
    fn ends(&self, text: &[char], starts: Places) -> Places {
        let mut now = starts;
        for _ in 0..self.least {
            let next = self.atom.ends(text, &now);
            if next == now {
                break;
            }
            now = next;
        }
        let mut all = now.clone();
        for _ in self.least..self.most {
            now = self.atom.ends(text, &now);
            if now.is_subset(&all) {
                break;
            }
            all.extend(&now);
        }
        all
    }
}

impl Atom {
    fn ends(&self, text: &[char], starts: &Places) -> Places {
        let next = |fits: &dyn Fn(char) -> bool| {
            let fits = |at: &&usize| text.get(**at).is_some_and(|letter| fits(*letter));
            starts.iter().filter(fits).map(|at| at + 1).collect()
        };
        match self {
            Self::Any => next(&|_| true),
            Self::Class { ranges, is_negated } => next(&|letter| {
                let is_in = ranges.iter().any(|(first, last)| (*first..=*last).contains(&letter));
                is_in != *is_negated
            }),
            Self::Begin => starts.iter().copied().filter(|at| *at == 0).collect(),
            Self::End => starts.iter().copied().filter(|at| *at == text.len()).collect(),
            Self::Group(inner) => ends(inner, text, starts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_found_anywhere_in_a_name() {
        let check = |pattern: &str, found: &[&str], other: &[&str]| {
            let parsed = Pattern::parse(pattern).unwrap();
            for name in found {
                assert!(parsed.is_in(name), "{pattern} in {name}");
            }
            for name in other {
                assert!(!parsed.is_in(name), "{pattern} not in {name}");
            }
        };
        let up = "blk.12.ffn_up_exps.weight";
        let down = "blk.3.ffn_down_exps.weight";
        let dense = "blk.3.ffn_up.weight";
        check("exps", &[up, down], &[dense]);
        check(".ffn_.*_exps.", &[up, down], &[dense]);
        check(r"\.ffn_(up|gate)_exps", &[up], &[down, dense]);
        check(r"blk\.(1[0-9]|2\d)\.", &[up], &[down, dense]);
        check("([4-9]|[1-3][0-9]).ffn_.*_exps.", &[up], &[down, dense]);
        check(r"^blk\.[0-9]{2}\.", &[up], &[down]);
        check(r"ffn_(?:up|down)(_exps)?\.weight$", &[up, down, dense], &["ffn_up.weight.x"]);
        check("blk.[^3].", &["blk.4.a"], &["blk.3.a"]);
        check("(a|b)+?c{1,2}d*", &["abac"], &["abd"]);
        check("[a-]x|", &["", "-x"], &[]);
    }

    #[test]
    fn what_is_not_read_here_is_no_pattern() {
        for text in
            ["(?=a)", "a(", "a)", "[a", "*a", "a**", "[[:alpha:]]", r"(a)\1", "a{3,2}", "^*"]
        {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}

//! A pattern for paths, as Python's `fnmatch` reads it, which is what `hf download --include` and KServe do
//! (`huggingface_hub` 0.36 `utils/_paths.py filter_repo_objects`; CPython 3.11 `Lib/fnmatch.py translate`):
//! `*` and `?` cross `/`, a pattern that ends in `/` means everything below, and only `!` negates a set.

/// A pattern for the paths of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `*`: anything, of any length.
    Any,
    /// `?`: one character.
    One,
    Literal(char),
    Set(Set),
}

/// One of these characters, or none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    negated: bool,
    /// The first and the last of each range.
    ranges: Vec<(char, char)>,
}

impl Pattern {
    /// Reads a pattern; every text is one.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text: Vec<char> = text.chars().chain(text.ends_with('/').then_some('*')).collect();
        let mut tokens = Vec::new();
        let mut rest = text.as_slice();
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            let token = match first {
                '*' => Token::Any,
                '?' => Token::One,
                '[' => match set(behind) {
                    Some((set, behind)) => {
                        rest = behind;
                        Token::Set(set)
                    }
                    None => Token::Literal('['),
                },
                other => Token::Literal(*other),
            };
            // Two of them are no more than one.
            if token != Token::Any || tokens.last() != Some(&Token::Any) {
                tokens.push(token);
            }
        }
        Self { tokens }
    }

    /// Whether the whole of a path is as the pattern says.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        let (mut token, mut at) = (0, 0);
        // Behind the last `*`, and how far it reaches: only that one ever has to give way.
        let mut reach = None;
        loop {
            let (wanted, letter) = (self.tokens.get(token), path.get(at));
            if wanted == Some(&Token::Any) {
                token += 1;
                reach = Some((token, at));
            } else if wanted.zip(letter).is_some_and(|(wanted, letter)| wanted.is(*letter)) {
                token += 1;
                at += 1;
            } else if wanted.is_none() && letter.is_none() {
                return true;
            } else {
                let Some((behind, end)) = reach.filter(|(_, end)| *end < path.len()) else {
                    return false;
                };
                (token, at) = (behind, end + 1);
                reach = Some((behind, at));
            }
        }
    }
}

impl Token {
    fn is(&self, letter: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Literal(own) => *own == letter,
            Self::Set(set) => {
                let is_in = |(first, last): &(char, char)| (*first..=*last).contains(&letter);
                set.ranges.iter().any(is_in) != set.negated
            }
        }
    }
}

/// The set that begins behind `[`, and what is behind its end; absent: it has none.
fn set(text: &[char]) -> Option<(Set, &[char])> {
    let is = |at: usize, letter: char| text.get(at) == Some(&letter);
    let sign = usize::from(is(0, '!'));
    // What stands first is of the set, a `]` as well.
    let from = sign + usize::from(is(sign, ']'));
    let end = from + text.get(from..)?.iter().position(|letter| *letter == ']')?;
    let mut items = items(text.get(..end)?, sign);
    // Looked for only now, as Python does: an empty range that stood before it is gone.
    let negated = items.first() == Some(&Item::Letter('!'));
    if negated {
        items.remove(0);
    }
    let mut ranges = Vec::new();
    let mut rest = items.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        let (last, behind) = match behind {
            [Item::To, last, behind @ ..] => (last, behind),
            _ => (first, behind),
        };
        ranges.push((first.letter(), last.letter()));
        rest = behind;
    }
    Some((Set { negated, ranges }, text.get(end + 1..)?))
}

/// What a set is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Letter(char),
    /// A hyphen between the ends of a range; a letter like any other where nothing is before it.
    To,
}

impl Item {
    fn letter(self) -> char {
        match self {
            Self::Letter(letter) => letter,
            Self::To => '-',
        }
    }
}

fn items(set: &[char], sign: usize) -> Vec<Item> {
    let mut items = Vec::new();
    for (index, part) in parts(set, sign).iter().enumerate() {
        items.extend((index > 0).then_some(Item::To));
        items.extend(part.iter().copied().map(Item::Letter));
    }
    items
}

/// What stands between the hyphens that make ranges; without the ranges that are empty, which take both of
/// their ends with them.
fn parts(set: &[char], sign: usize) -> Vec<Vec<char>> {
    let mut parts: Vec<Vec<char>> = Vec::new();
    let (mut from, mut least) = (0, sign + 1);
    while let Some(found) = set.iter().skip(least).position(|letter| *letter == '-') {
        let hyphen = least + found;
        parts.push(set.get(from..hyphen).unwrap_or_default().to_vec());
        (from, least) = (hyphen + 1, hyphen + 3);
    }
    let last = set.get(from..).unwrap_or_default();
    match parts.last_mut() {
        Some(before) if last.is_empty() => before.push('-'),
        _ => parts.push(last.to_vec()),
    }
    for index in (1..parts.len()).rev() {
        if parts[index - 1].last() > parts[index].first() {
            let behind = parts.remove(index);
            let before = &mut parts[index - 1];
            before.pop();
            before.extend(behind.into_iter().skip(1));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_python_reads_them() {
        for (pattern, matched, unmatched) in [
            ("[^x]a", "^a xa", "ya"),
            ("[!x]a", "ya ^a", "xa"),
            ("[]a]", "] a", "b"),
            ("[!]a]", "b", "] a"),
            ("[a-c]", "a b c", "d -"),
            ("[a-]", "a -", "b"),
            ("[-a]", "a -", "b"),
            ("[a-c-e]", "a c - e", "d"),
            ("[c-a]", "", "a b c -"),
            ("[!c-a]", "a b c -", "ab"),
            ("[b-a!x]", "a b !", "x"),
            ("[b-a!-x]", "a !", "x -"),
            ("[a", "[a", "a"),
            ("[]", "[]", "]"),
            ("[!]", "[!]", "a"),
            ("[\\]", "\\", "]"),
            ("{a,b}", "{a,b}", "a"),
        ] {
            let read = Pattern::of(pattern);
            for (names, expected) in [(matched, true), (unmatched, false)] {
                for name in names.split_whitespace() {
                    assert_eq!(read.matches(name), expected, "{pattern} {name}");
                }
            }
        }
    }

    #[test]
    fn a_star_gives_way_until_the_rest_is_found() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a/b/b/c", true),
            ("a*b*c", "abcd", false),
            ("**/config.json", "config.json", false),
            ("*Q4*.gguf", "q/a-Q4_K.gguf", true),
            ("x/", "x/y/z", true),
            ("x/", "x", false),
            ("?", "ü", true),
            ("?", "", false),
        ] {
            assert_eq!(Pattern::of(pattern).matches(name), expected, "{pattern} {name}");
        }
        let many = "*a".repeat(50);
        assert!(!Pattern::of(&many).matches(&"b".repeat(5000)));
    }
}

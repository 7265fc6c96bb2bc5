//! Patterns for the files of a repository, read by preflight and by the genuine library that KServe and `hf`
//! use: random ones of the letters that mean something, the same in every run.
//!
//! `PREFLIGHT_TEST_PYTHON` names a Python that has the library; without it nothing is compared, unless all
//! tests are required.

use std::process::Command;

use preflight::facts::hub::Pattern;
use serde_json::{Value, json};

use crate::judge;

const JUDGE: &str = r#"
import json, sys
from huggingface_hub.utils import filter_repo_objects
for line in sys.stdin:
    pattern, names = json.loads(line)
    print(json.dumps(list(filter_repo_objects(names, allow_patterns=[pattern]))))
"#;

const PATTERNS: u32 = 20_000;
const NAMES: usize = 12;

/// Those of sets, more often than those outside of them.
const LETTERS: &[char] = &[
    '[',
    ']',
    '[',
    ']',
    '-',
    '-',
    '!',
    '!',
    '^',
    '*',
    '?',
    '/',
    'a',
    'b',
    'c',
    'd',
    'z',
    '.',
    '\\',
    '&',
    '|',
    '~',
    '{',
    '}',
    ',',
    '(',
    '$',
    '+',
    'ü',
    '\u{1f642}',
    '\n',
];

/// Linear congruential, of Knuth.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn letters(&mut self, most: usize) -> String {
        (0..self.below(most + 1)).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    fn pattern(&mut self) -> String {
        match self.below(3) {
            // The library fails at an empty one, which nobody gets as far as writing.
            0 => format!("{}{}", LETTERS[self.below(LETTERS.len())], self.letters(11)),
            1 => format!("[{}]", self.letters(8)),
            _ => format!("{}[{}]*{}", self.letters(2), self.letters(6), self.letters(2)),
        }
    }

    /// One that the pattern may match: itself with what stands for something else replaced, or anything.
    fn name(&mut self, pattern: &str) -> String {
        match self.below(3) {
            0 => self.letters(6),
            1 => self.letters(1),
            _ => {
                let mut letter = |it: char| match it {
                    '*' => self.letters(3),
                    '?' | '!' => self.letters(1),
                    '[' | ']' | '-' if self.below(3) > 0 => String::new(),
                    other => other.to_string(),
                };
                pattern.chars().map(&mut letter).collect()
            }
        }
    }
}

#[test]
fn patterns_match_what_they_match_in_the_genuine_library() {
    let Some(python) = judge::named("PREFLIGHT_TEST_PYTHON") else { return };
    let mut random = Random(20_251_129);
    let questions: Vec<(String, Vec<String>)> = (0..PATTERNS)
        .map(|_| {
            let pattern = random.pattern();
            let names = (0..NAMES).map(|_| random.name(&pattern)).collect();
            (pattern, names)
        })
        .collect();
    let asked: Vec<Value> = questions.iter().map(|(one, names)| json!([one, names])).collect();
    let answers = judge::answers(Command::new(python).args(["-c", JUDGE]), &asked);
    assert_eq!(answers.len(), questions.len(), "the judge has given up");
    let (mut matched, mut different) = (0, Vec::new());
    for ((pattern, names), answer) in questions.iter().zip(&answers) {
        let read = Pattern::of(pattern);
        let own: Vec<&String> = names.iter().filter(|name| read.matches(name)).collect();
        matched += own.len();
        if json!(own) != *answer {
            different.push(format!("{pattern:?}: {own:?}, and the library {answer}"));
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    // The names are such that there is something to be right about.
    assert!(matched > 20_000, "{matched}");
}

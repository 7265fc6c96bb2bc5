//! Patterns of the names of tensors: the regular expressions of C++ (`std::regex`, ECMAScript), without
//! what only those have (lookahead, references).

mod refused;

use regex::bytes::{Regex, RegexBuilder};

pub(super) use self::refused::judge;

/// What a name is searched for.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// Reads a pattern; absent: it is none, or has something that is not read here.
    pub(super) fn parse(text: &str) -> Option<Self> {
        RegexBuilder::new(text).unicode(false).build().ok().map(Self)
    }

    /// Whether it is found anywhere in a name.
    pub(super) fn is_in(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
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
        for text in ["(?=a)", "a(", "a)", "[a", "*a", r"(a)\1", "a{3,2}"] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}

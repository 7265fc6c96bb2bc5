//! Words that stand where an engine takes none: what each was meant to be, by its form.

/// What a stray word was meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrayWord<'a> {
    /// A flag and its value, in one word.
    FlagAndValue {
        /// The flag.
        flag: &'a str,
        /// What stands behind it.
        value: &'a str,
    },
    /// A comment: to the engine, `#` is a word like every other.
    Comment,
    /// A backslash at the end of a line that was to go on.
    Continuation,
    /// The flag behind one: the backslash has made the end of the line a part of it.
    ContinuedFlag,
    /// A flag that begins with a dash which is no hyphen.
    Dash,
    /// A word in quotes that no shell takes away.
    Quoted,
    /// A piece of JSON whose quotes a shell has taken away.
    Json,
    /// The value of a switch, which takes none.
    SwitchValue,
}

impl<'a> StrayWord<'a> {
    /// What `word` was meant to be; absent: it may be a name like every other.
    #[must_use]
    pub fn of(word: &'a str) -> Option<Self> {
        let trimmed = word.trim();
        let first = trimmed.chars().next();
        let is_continued = word.starts_with(char::is_whitespace) && trimmed.starts_with('-');
        if is_continued {
            return Some(Self::ContinuedFlag);
        }
        if matches!(trimmed, "" | "\\") && !word.is_empty() {
            return Some(Self::Continuation);
        }
        match first? {
            '#' => Some(Self::Comment),
            '-' => {
                let (flag, value) = trimmed.split_once(char::is_whitespace)?;
                Some(Self::FlagAndValue { flag, value: value.trim() })
            }
            '–' | '—' | '−' => Some(Self::Dash),
            '"' | '\'' => Some(Self::Quoted),
            '{' | '}' | '[' | ']' => Some(Self::Json),
            _ if trimmed.ends_with('}') && !trimmed.contains('{') => Some(Self::Json),
            _ => {
                let is_boolean = ["true", "false", "yes", "no", "on", "off"];
                let lower = trimmed.to_ascii_lowercase();
                is_boolean.contains(&lower.as_str()).then_some(Self::SwitchValue)
            }
        }
    }

    /// Whether the words behind it belong to it as well, up to the next flag.
    pub(super) fn goes_on(self) -> bool {
        matches!(self, Self::Comment | Self::ContinuedFlag)
    }

    /// Whether a backslash is what makes it one.
    pub(super) fn is_continued(self) -> bool {
        matches!(self, Self::Continuation | Self::ContinuedFlag)
    }
}

#[cfg(test)]
mod tests {
    use super::StrayWord::{
        Comment, Continuation, ContinuedFlag, Dash, FlagAndValue, Json, Quoted, SwitchValue,
    };
    use super::*;

    #[test]
    fn a_word_is_known_by_its_form() {
        for (word, expected) in [
            ("--dtype auto", Some(FlagAndValue { flag: "--dtype", value: "auto" })),
            ("-tp  2", Some(FlagAndValue { flag: "-tp", value: "2" })),
            ("--a b --c d", Some(FlagAndValue { flag: "--a", value: "b --c d" })),
            ("#", Some(Comment)),
            ("#more", Some(Comment)),
            ("\\", Some(Continuation)),
            ("\n", Some(Continuation)),
            (" --dtype", Some(ContinuedFlag)),
            ("–dtype", Some(Dash)),
            ("\"Qwen/x\"", Some(Quoted)),
            ("'x'", Some(Quoted)),
            ("{image:", Some(Json)),
            ("2}", Some(Json)),
            ("}", Some(Json)),
            ("False", Some(SwitchValue)),
            ("", None),
            ("Qwen/x", None),
            ("/models/my model", None),
            ("true-model", None),
            ("{{x}}/y", Some(Json)),
        ] {
            assert_eq!(StrayWord::of(word), expected, "{word:?}");
        }
    }
}

//! `-O3`: a flag and its value in one word, which vLLM takes apart before it reads its command line
//! (0.8.5 utils.py, 0.11.0 utils/__init__.py, 0.33.0 utils/argparse_utils.py `parse_args`).

use crate::plan::engine::words::Word;

/// The first release that has `--optimization-level`, to which `-O` was turned (0.12.0
/// utils/argparse_utils.py:243, not 0.11.2).
const LEVEL_SINCE: [u32; 3] = [0, 12, 0];

/// The first release that takes `-O` as an object of JSON, whose field `level` it is (its parser was
/// asked: 0.9.0, not 0.8.5).
const OBJECT_SINCE: [u32; 3] = [0, 9, 0];

/// The first release whose parser takes nothing but an object for `--compilation-config` (0.9.2, not
/// 0.9.0).
const NO_NUMBER_SINCE: [u32; 3] = [0, 9, 2];

const LEVELS: [&str; 4] = ["0", "1", "2", "3"];

/// What a release makes of `-O LEVEL`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The value of `-O`.
    Value,
    /// That of the field `level` of `--compilation-config`.
    Field,
    /// That of `--optimization-level`.
    Flag,
}

impl Form {
    /// That of the newest, where the release is not known.
    fn of(release: Option<&[u32]>) -> Self {
        match release {
            Some(release) if release < OBJECT_SINCE.as_slice() => Self::Value,
            Some(release) if release < LEVEL_SINCE.as_slice() => Self::Field,
            Some(_) | None => Self::Flag,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Value => "-O",
            Self::Field => "--compilation-config.level",
            Self::Flag => "--optimization-level",
        }
    }

    /// What `-O` is in front of the name of a field.
    fn fields(self) -> &'static str {
        match self {
            Self::Value => "-O",
            Self::Field => "--compilation-config",
            Self::Flag => "-cc",
        }
    }
}

/// The words, with that flag and its value as two; of a release that is not known, as the newest reads
/// them.
pub(super) fn spelled_out(words: &[Word], release: Option<&[u32]>) -> Vec<Word> {
    let form = Form::of(release);
    let takes_number = release.is_some_and(|release| release < NO_NUMBER_SINCE.as_slice());
    let mut spelled = Vec::with_capacity(words.len());
    for (index, word) in words.iter().enumerate() {
        let level = word.text.strip_prefix("-O").filter(|_| word.unknown.is_none());
        let next = words.get(index + 1).map_or("", |word| word.text.as_str());
        let text = |text: &str| Word { text: text.to_owned(), ..word.clone() };
        match level {
            Some("") if form != Form::Value && LEVELS.contains(&next) => {
                spelled.push(text(form.name()));
            }
            None if form == Form::Field
                && takes_number
                && LEVELS.contains(&next)
                && word.is("--compilation-config") =>
            {
                spelled.push(text(form.name()));
            }
            Some(keys) if keys.starts_with('.') => {
                spelled.push(text(&format!("{}{keys}", form.fields())));
            }
            Some(level) if !level.is_empty() => {
                let level = level.strip_prefix('=').unwrap_or(level);
                spelled.extend([text(form.name()), text(level)]);
            }
            Some(_) | None => spelled.push(word.clone()),
        }
    }
    spelled
}

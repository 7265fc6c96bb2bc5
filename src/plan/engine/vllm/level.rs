//! `-O3`: a flag and its value in one word, which vLLM takes apart before it reads its command line
//! (0.33.0 utils/argparse_utils.py `parse_args`).

use crate::plan::engine::words::Word;

/// The first release that has `--optimization-level`, to which `-O` was turned (0.12.0
/// utils/argparse_utils.py:243, not 0.11.2).
const LEVEL_SINCE: [u32; 3] = [0, 12, 0];

/// The words, with that flag and its value as two; of a release that is not known, as the newest reads
/// them.
pub(super) fn spelled_out(words: &[Word], release: Option<&[u32]>) -> Vec<Word> {
    let has_level = release.is_none_or(|release| LEVEL_SINCE.as_slice() <= release);
    let flag = if has_level { "--optimization-level" } else { "-O" };
    let mut spelled = Vec::with_capacity(words.len());
    for (index, word) in words.iter().enumerate() {
        let level = word.text.strip_prefix("-O").filter(|_| word.unknown.is_none());
        let next = words.get(index + 1).map_or("", |word| word.text.as_str());
        let text = |text: &str| Word { text: text.to_owned(), ..word.clone() };
        match level {
            Some("") if has_level && ["0", "1", "2", "3"].contains(&next) => {
                spelled.push(text(flag));
            }
            Some(keys) if keys.starts_with('.') => spelled.push(text(&format!("-cc{keys}"))),
            Some(level) if !level.is_empty() => {
                let level = level.strip_prefix('=').unwrap_or(level);
                spelled.extend([text(flag), text(level)]);
            }
            Some(_) | None => spelled.push(word.clone()),
        }
    }
    spelled
}

//! Which names somebody may have meant who typed one that does not exist.

use std::path::Path;

use crate::file_name::one_file::is_named_as_file;

/// The most names that are suggested.
const MOST: usize = 3;

/// The longest name that is compared, in characters.
const LONGEST: usize = 64;

/// The names that are most like `typed`, the likeliest first; none that is not like it at all.
pub fn likely<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let typed = plain(typed);
    if typed.is_empty() {
        return Vec::new();
    }
    let mut likely: Vec<_> = names
        .filter_map(|name| {
            let known = plain(name);
            let is_part = typed.len() >= 3 && known.contains(&typed);
            let longer = typed.chars().count().max(known.chars().count());
            if !is_part && least_distance(&typed, &known) * 5 > longer * 2 {
                return None;
            }
            let likeness = strsim::normalized_damerau_levenshtein(&typed, &known);
            (likeness > 0.6 || is_part).then_some((likeness, name))
        })
        .collect();
    likely.sort_by(|one, other| other.0.total_cmp(&one.0));
    likely.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// The names of files and folders that are most like `typed`, the likeliest first: the ending of a file
/// of weights makes none alike.
pub fn near_files<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let names: Vec<&str> = names.filter(|name| *name != typed).collect();
    let stems = likely(stem(typed), names.iter().map(|name| stem(name)));
    let mut near: Vec<&str> = Vec::new();
    for found in stems {
        near.extend(names.iter().filter(|name| stem(name) == found));
    }
    near.dedup();
    near
}

/// A name without the ending that says what kind of file it is.
fn stem(name: &str) -> &str {
    let stem = name.rsplit_once('.').filter(|_| is_named_as_file(Path::new(name)));
    stem.map_or(name, |(stem, _)| stem)
}

/// The name that `typed` is but for a slip of the hand: one letter, in a long name two. A short one
/// has to be right.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = |name: &str| match name.len() {
        ..8 => 0,
        8..12 => 1,
        12.. => 2,
    };
    let off = |name: &&str| strsim::damerau_levenshtein(typed, name);
    let may_be = |name: &&str| least_distance(typed, name) <= slips(name);
    names.filter(may_be).filter(|name| off(name) <= slips(name)).min_by_key(off)
}

/// What the distance of two names is at least: the letters of the longer one that the other lacks. It is
/// cheap, so that the distance itself is only measured where it may be small.
fn least_distance(one: &str, other: &str) -> usize {
    let (length, other_length) = (one.chars().count(), other.chars().count());
    if length.abs_diff(other_length) * 5 > length.max(other_length) * 2 {
        return length.abs_diff(other_length);
    }
    let mut left = [0_u8; 256];
    for letter in one.chars() {
        let count = &mut left[usize::from(bucket(letter))];
        *count = count.saturating_add(1);
    }
    let mut common = 0;
    for letter in other.chars() {
        let count = &mut left[usize::from(bucket(letter))];
        common += usize::from(*count > 0);
        *count = count.saturating_sub(1);
    }
    length.max(other_length) - common
}

/// The lowest byte of a letter: different letters may share one, which makes the distance no greater.
fn bucket(letter: char) -> u8 {
    u32::from(letter).to_le_bytes()[0]
}

/// "did you mean `a`, `b`?"; nothing for no name.
#[must_use]
pub fn question(names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| format!("did you mean `{}`?", names.join("`, `")))
}

/// Without what people confuse: case, and `_` for `-`.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 4] = ["files-missing", "file-truncated", "token-missing", "token-rejected"];

    #[test]
    fn a_mistyped_name_is_answered_with_those_that_look_like_it() {
        for (typed, expected) in [
            ("file-missing", vec!["files-missing", "token-missing"]),
            ("FILES_MISSING", vec!["files-missing", "token-missing"]),
            ("token", vec!["token-missing", "token-rejected"]),
            ("fiel-truncated", vec!["file-truncated"]),
            ("xyzzy", vec![]),
            ("", vec![]),
        ] {
            let mut found = likely(typed, IDS.into_iter());
            found.sort_unstable();
            assert_eq!(found, expected, "{typed}");
        }
        assert_eq!(likely("super-reader", ["super_reader"].into_iter()), ["super_reader"]);
    }

    #[test]
    fn a_file_is_near_by_its_name_and_not_by_its_ending() {
        let names = ["tiny-Q4_K_M.gguf", "other.gguf", "nomic-embed-text-v1", ".gguf"];
        for (typed, expected) in [
            ("tiny-q4km.gguf", vec!["tiny-Q4_K_M.gguf"]),
            ("tiny.gguf", vec!["tiny-Q4_K_M.gguf"]),
            ("nomic-embed-text-1", vec!["nomic-embed-text-v1"]),
            ("xy.gguf", vec![]),
            ("other.gguf", vec![]),
        ] {
            assert_eq!(near_files(typed, names.into_iter()), expected, "{typed}");
        }
    }

    #[test]
    fn a_slip_of_the_hand_is_one_letter_or_in_a_long_name_two() {
        let names = ["PORT", "MODEL_ID", "MAX_BATCH_TOKENS"];
        for (typed, expected) in [
            ("PORTS", None),
            ("PORT", Some("PORT")),
            ("MODELID", Some("MODEL_ID")),
            ("MODEL_DIR", None),
            ("MAX_BATCH_TOKEN", Some("MAX_BATCH_TOKENS")),
            ("MAX_BACTH_TOKEN", Some("MAX_BATCH_TOKENS")),
            ("MAX_BATCH_SIZE", None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), expected, "{typed}");
        }
    }

    #[test]
    fn a_question_names_them_all() {
        assert_eq!(question(&["a", "b"]).as_deref(), Some("did you mean `a`, `b`?"));
        assert_eq!(question(&[]), None);
    }
}

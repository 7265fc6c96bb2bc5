//! The longest context that vLLM serves without being forced to (`_get_and_verify_max_len` and
//! `derive_max_model_len_and_key` of 0.6.6, 0.8.5, 0.9.2, 0.10.0, 0.10.2, 0.11.2, 0.12.0, 0.14.1, 0.18.1,
//! 0.24.0, 0.29.0 to 0.33.0: config/model.py, transformers_utils/config.py and
//! model_arch_config_convertor.py).

use crate::plan::engine::positions::{Limits, Longest, Positions, Scaling, times};

/// Where releases begin to read differently. Those before the first read as the first.
const TURNS: [[u32; 2]; 6] = [[0, 6], [0, 10], [0, 12], [0, 19], [0, 30], [0, 32]];

/// What a release that is not known may do: one of each kind since that which reads what transformers 5
/// writes.
const RECENT: [[u32; 2]; 4] = [[0, 18], [0, 29], [0, 31], [0, 33]];

/// Types whose class says by itself that a position is a place in a table (transformers 4.57.6; 5.0.0 has
/// no such setting any more).
const ABSOLUTE: [&str; 5] = ["bert", "camembert", "electra", "roberta", "xlm-roberta"];

/// The length that is said is the scaled one, in every release.
const SCALED: [&str; 3] = ["su", "longrope", "llama3"];

/// And in those since 0.30.0.
const SCALED_SINCE: [&str; 4] =
    ["yarn", "deepseek_yarn", "deepseek_llama_scaling", "telechat3-yarn"];

/// See [`crate::plan::engine::ContextFlag::longest`].
pub(super) fn longest(
    said: &Positions,
    limits: &Limits,
    release: Option<&[u32]>,
) -> Option<Longest> {
    let known = release.map(|release| {
        let turn = TURNS.iter().rfind(|turn| &turn[..] <= release).unwrap_or(&TURNS[0]);
        vec![*turn]
    });
    let releases = known.unwrap_or_else(|| RECENT.to_vec());
    let allowed: Vec<Allowed> =
        releases.into_iter().map(|release| Allowed::of(said, limits, release)).collect();
    let least = allowed.iter().filter_map(|it| it.least).min()?;
    let most = allowed.iter().map(|it| it.most).collect::<Option<Vec<u64>>>();
    Some(Longest { least, most: most.and_then(|most| most.into_iter().max()) })
}

/// What one release allows; absent: anything.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    least: Option<u64>,
    /// Absent as well where only the class of the model says how much.
    most: Option<u64>,
}

impl Allowed {
    fn of(said: &Positions, limits: &Limits, release: [u32; 2]) -> Self {
        if let Some(limit) = sentence(limits, release) {
            return Self { least: Some(limit), most: Some(limit) };
        }
        let stated = said.length("model_max_length").filter(|length| *length > 0);
        let of_tokenizer = limits.tokenizer.filter(|_| reads_tokenizer(said, release));
        let limited = |length: u64| of_tokenizer.map_or(length, |limit| length.min(limit));
        let Some(length) = stated.or_else(|| said.smallest()) else {
            let of_class = said.length_of_class().map(limited).or(of_tokenizer);
            return Self { least: of_class, most: of_tokenizer };
        };
        let length = scaled(said, limited(length), release);
        // One that the model states itself is never too long.
        let length = stated.map_or(length, |stated| stated.max(length));
        Self { least: Some(length), most: Some(length) }
    }
}

/// What sentence-transformers says, which is stronger than everything else. Until 0.31.0 it counts only
/// beside `do_lower_case`.
fn sentence(limits: &Limits, release: [u32; 2]) -> Option<u64> {
    limits.sentence.filter(|_| limits.says_case || [0, 32] <= release)
}

/// Whether a release looks at the length of the tokenizer of a model that makes no text: before 0.10.0
/// always, since then where a position is a place in a table.
fn reads_tokenizer(said: &Positions, release: [u32; 2]) -> bool {
    let kind = said.model_type.as_deref().unwrap_or_default();
    let of_class = release < [0, 19] && ABSOLUTE.contains(&kind);
    release < [0, 10] || said.is_absolute.unwrap_or(of_class)
}

fn scaled(said: &Positions, length: u64, release: [u32; 2]) -> u64 {
    // The length that Gemma 3 states is scaled already.
    let is_gemma = said.model_type.as_deref().is_some_and(|kind| kind.contains("gemma3"));
    let mut factor = 1.0;
    let mut length = length;
    let is_read = |scaling: &&Scaling| !scaling.is_new || [0, 12] <= release;
    for scaling in said.scalings.iter().filter(is_read).filter(|_| !is_gemma) {
        let kind = scaling.kind.as_str();
        if SCALED.contains(&kind) || [0, 30] <= release && SCALED_SINCE.contains(&kind) {
            continue;
        }
        factor = scaling.factor.unwrap_or(factor);
        if let Some(original) = scaling.original.filter(|_| kind == "yarn") {
            length = original;
        }
    }
    times(length, factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yarn(kind: &str, factor: f64, original: Option<u64>) -> Scaling {
        Scaling { kind: kind.to_owned(), factor: Some(factor), original, is_new: false }
    }

    fn said(length: u64, scalings: &[Scaling]) -> Positions {
        let lengths = vec![("max_position_embeddings", length)];
        Positions { lengths, scalings: scalings.to_vec(), ..Positions::default() }
    }

    fn check(said: &Positions, limits: &Limits, release: &[u32], least: u64, most: Option<u64>) {
        let release = Some(release).filter(|release| !release.is_empty());
        assert_eq!(
            longest(said, limits, release),
            Some(Longest { least, most }),
            "{said:?} {limits:?} in {release:?}"
        );
    }

    #[test]
    fn the_releases_read_a_scaled_length_each_in_its_way() {
        let none = Limits::default();
        let one = |said: &Positions, release: &[u32], expected| {
            check(said, &none, release, expected, Some(expected));
        };
        let recipe = said(40960, &[yarn("yarn", 4.0, Some(32768))]);
        one(&recipe, &[0, 12, 0], 131_072);
        one(&recipe, &[0, 29, 0], 131_072);
        one(&recipe, &[0, 30, 0], 40960);
        one(&recipe, &[0, 32, 0], 40960);
        check(&recipe, &none, &[], 40960, Some(131_072));
        let linear = said(4096, &[yarn("linear", 2.0, None)]);
        for release in [&[0, 8, 5][..], &[0, 12, 0], &[0, 33, 0], &[]] {
            one(&linear, release, 8192);
            one(&said(4096, &[yarn("llama3", 8.0, Some(8192))]), release, 4096);
            one(&said(131_072, &[yarn("longrope", 32.0, Some(4096))]), release, 131_072);
            one(&said(4096, &[yarn("dynamic", 2.0, None)]), release, 8192);
            one(&said(4096, &[yarn("default", 1.0, None)]), release, 4096);
            one(&said(4096, &[yarn("linear", -1.0, None)]), release, 4096);
        }
        let deepseek = said(163_840, &[yarn("deepseek_yarn", 40.0, Some(4096))]);
        one(&deepseek, &[0, 29, 0], 6_553_600);
        one(&deepseek, &[0, 30, 0], 163_840);
        let new = Scaling { is_new: true, ..yarn("linear", 2.0, None) };
        one(&said(4096, std::slice::from_ref(&new)), &[0, 11, 2], 4096);
        one(&said(4096, &[new]), &[0, 12, 0], 8192);
        let gemma = Positions {
            model_type: Some("gemma3_text".to_owned()),
            ..said(131_072, &[yarn("linear", 8.0, None)])
        };
        one(&gemma, &[0, 33, 0], 131_072);
    }

    #[test]
    fn a_length_that_the_model_states_for_itself_is_never_too_long() {
        let lengths = vec![("max_position_embeddings", 8192), ("model_max_length", 131_072)];
        let command_r = Positions { lengths, ..Positions::default() };
        check(&command_r, &Limits::default(), &[0, 12, 0], 131_072, Some(131_072));
    }

    #[test]
    fn what_sentence_transformers_says_counts_more() {
        let bert = said(512, &[]);
        let limits = Limits { sentence: Some(256), says_case: false, tokenizer: None };
        check(&bert, &limits, &[0, 12, 0], 512, Some(512));
        check(&bert, &limits, &[0, 31, 0], 512, Some(512));
        check(&bert, &limits, &[0, 32, 0], 256, Some(256));
        check(&bert, &limits, &[], 256, Some(512));
        let both = Limits { says_case: true, ..limits };
        check(&bert, &both, &[0, 12, 0], 256, Some(256));
        check(&bert, &both, &[], 256, Some(256));
    }

    #[test]
    fn the_tokenizer_counts_where_a_position_is_a_place_in_a_table() {
        let kind = |kind: &str| Positions { model_type: Some(kind.to_owned()), ..said(512, &[]) };
        let limits = Limits { tokenizer: Some(128), ..Limits::default() };
        check(&kind("bert"), &limits, &[0, 12, 0], 128, Some(128));
        check(&kind("bert"), &limits, &[0, 32, 0], 512, Some(512));
        check(&kind("bert"), &limits, &[], 128, Some(512));
        check(&kind("mpnet"), &limits, &[0, 12, 0], 512, Some(512));
        check(&kind("mpnet"), &limits, &[0, 9, 2], 128, Some(128));
        let absolute = Positions { is_absolute: Some(true), ..kind("mpnet") };
        check(&absolute, &limits, &[0, 32, 0], 128, Some(128));
        let relative = Positions { is_absolute: Some(false), ..kind("bert") };
        check(&relative, &limits, &[0, 12, 0], 512, Some(512));
    }

    #[test]
    fn a_length_that_is_not_said_is_that_of_the_class() {
        let kind =
            |kind: &str| Positions { model_type: Some(kind.to_owned()), ..Positions::default() };
        check(&kind("llama"), &Limits::default(), &[0, 32, 0], 2048, None);
        assert_eq!(longest(&kind("no_such_type"), &Limits::default(), None), None);
    }
}

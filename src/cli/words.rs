//! The words of the command line as they are meant.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};

use super::deliveries;

/// The words, with the verb that they lack. What is given a source before anything else is to fetch it:
/// KServe's images are started so (kserve 0.20 pkg/utils/storage.go, `CreateInitContainerWithConfig`).
pub(super) fn as_meant(
    mut words: Vec<OsString>,
    command: impl FnOnce() -> Command,
) -> Vec<OsString> {
    let is_source = |word: &OsString| deliveries::is_source(Path::new(word));
    if !words.iter().any(is_source) {
        return words;
    }
    let mut command = command();
    command.build();
    let flags = command.find_subcommand("fetch").unwrap_or(&command);
    if first(&words, flags).and_then(|at| words.get(at)).is_some_and(is_source) {
        words.insert(1, "fetch".into());
    }
    words
}

/// Where the first word stands that is neither a flag nor the value of one.
fn first(words: &[OsString], flags: &Command) -> Option<usize> {
    let mut at = 1;
    loop {
        let word = words.get(at)?.to_string_lossy();
        let has_value_behind = match word.strip_prefix('-') {
            None | Some("") => return Some(at),
            Some("-") => return None,
            Some(flag) => match flag.strip_prefix('-') {
                Some(long) => is_with_value(flags, |it| it.get_long() == Some(long)),
                None => ends_with_flag_of_value(flag, flags),
            },
        };
        at += if has_value_behind { 2 } else { 1 };
    }
}

/// Whether the last of some short flags wants a value, which none before it has taken: `-qo FILE`.
fn ends_with_flag_of_value(shorts: &str, flags: &Command) -> bool {
    let wants = |letter: char| is_with_value(flags, |it| it.get_short() == Some(letter));
    let with_value = shorts.char_indices().find(|(_, letter)| wants(*letter));
    with_value.is_some_and(|(start, letter)| start + letter.len_utf8() == shorts.len())
}

fn is_with_value(flags: &Command, is_meant: impl Fn(&Arg) -> bool) -> bool {
    let mut meant = flags.get_arguments().filter(|argument| is_meant(argument));
    let least = |argument: &Arg| argument.get_num_args().map_or(0, |number| number.min_values());
    meant.any(|argument| argument.get_action().takes_values() && least(argument) > 0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_source_before_any_other_word_is_fetched_whatever_flags_stand_before_it() {
        for (text, is_meant) in [
            ("hf://a/b m", true),
            ("s3://a/b m", true),
            ("-q hf://a/b m", true),
            ("-vv --format json hf://a/b m", true),
            ("--format=json --deep hf://a/b m", true),
            ("-qo report.json hf://a/b m", true),
            ("-oreport.json hf://a/b m", true),
            ("--update --dry-run hf://a/b m", true),
            ("--no-such-flag hf://a/b m", true),
            ("fetch -q hf://a/b m", false),
            ("m hf://a/b", false),
            ("-q verify hf://a/b", false),
            ("-o hf://a/b m", false),
            ("--lock-file hf://a/b", false),
            ("-- hf://a/b m", false),
            ("- hf://a/b", false),
            ("-q m", false),
            ("", false),
        ] {
            let words: Vec<OsString> =
                std::iter::once("preflight").chain(text.split(' ')).map(OsString::from).collect();
            let mut expected = words.clone();
            if is_meant {
                expected.insert(1, "fetch".into());
            }
            assert_eq!(as_meant(words, Cli::command), expected, "{text}");
        }
    }
}

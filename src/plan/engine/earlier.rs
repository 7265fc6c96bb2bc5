//! What runs before an engine: it may bring the files which that opens.

use crate::path::ServicePath;
use crate::plan::engine::shell::{self, Scope};
use crate::plan::engine::words::{Environment, Word};
use crate::project::Service;
use crate::source_map::Place;

/// Programs that bring no files.
const BRINGS_NOTHING: [&str; 53] = [
    ".",
    ":",
    "[",
    "[[",
    "apk",
    "apt",
    "apt-get",
    "cat",
    "cd",
    "chgrp",
    "chmod",
    "chown",
    "command",
    "date",
    "df",
    "du",
    "echo",
    "env",
    "exit",
    "export",
    "false",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "ldconfig",
    "ls",
    "mkdir",
    "nc",
    "nproc",
    "nvidia-smi",
    "pip",
    "pip3",
    "printf",
    "pwd",
    "ray",
    "rm",
    "rmdir",
    "rocm-smi",
    "set",
    "sleep",
    "source",
    "stat",
    "tail",
    "test",
    "trap",
    "true",
    "type",
    "ulimit",
    "umask",
    "unset",
    "wait",
];

/// A program that runs before an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// What it is called.
    pub program: String,
    /// The words behind it, as far as they are known.
    words: Vec<String>,
    /// Whether a part of them is not known.
    is_open: bool,
    /// Where it is written.
    pub place: Place,
}

impl Earlier {
    /// The program that these words start, whose output goes to the files `written`; absent: one that
    /// brings nothing.
    pub(super) fn of(words: &[Word], written: &[Word]) -> Option<Self> {
        let (program, rest) = words.split_first()?;
        let name = program.program();
        if BRINGS_NOTHING.contains(&name) || name.is_empty() {
            return None;
        }
        Some(Self {
            program: name.to_owned(),
            words: rest.iter().chain(written).map(|word| word.text.clone()).collect(),
            is_open: words.iter().chain(written).any(|word| word.unknown.is_some()),
            place: program.place.clone(),
        })
    }

    /// Whether its words are about `path`, or about the folder that it is to be in.
    #[must_use]
    pub fn may_bring(&self, path: &ServicePath) -> bool {
        self.is_open || self.words.iter().any(|word| is_about(word, path))
    }
}

/// The path itself in whatever words, a folder above it as a word of its own, or an address that ends in
/// its name.
fn is_about(word: &str, path: &ServicePath) -> bool {
    let own = path.as_path();
    if own.to_str().is_some_and(|own| word.contains(own)) {
        return true;
    }
    let value = word.split_once('=').map_or(word, |(_, value)| value).trim_end_matches('/');
    let mut above = own.ancestors().skip(1).filter(|folder| folder.parent().is_some());
    let name = own.file_name().and_then(|name| name.to_str());
    above.any(|folder| folder.to_str() == Some(value))
        || value.rsplit_once('/').is_some_and(|(_, last)| Some(last) == name)
}

/// The programs that `service` runs and that may bring files. What an image runs by itself is called as it.
#[must_use]
pub fn programs(service: &Service) -> Vec<Earlier> {
    let words: Vec<Word> =
        service.words().map(|word| Word::known(word.value.as_str(), &word.place)).collect();
    let Some(first) = words.first().filter(|word| !word.text.starts_with('-')) else {
        return by_image(service).into_iter().collect();
    };
    let is_command = |word: &Word| word.text.starts_with('-') && word.text.ends_with('c');
    let script = words.iter().position(is_command).and_then(|at| words.get(at + 1));
    match script.filter(|_| first.is_shell()) {
        Some(script) => in_script(service, script),
        None => Earlier::of(&words, &[]).into_iter().collect(),
    }
}

fn by_image(service: &Service) -> Option<Earlier> {
    let image = service.image.as_ref()?;
    let (program, place) = (image.value.clone(), image.place.clone());
    Some(Earlier { program, words: Vec::new(), is_open: true, place })
}

fn in_script(service: &Service, script: &Word) -> Vec<Earlier> {
    let environment = Environment::new(service, &[]);
    let scope = Scope {
        environment: &environment,
        arguments: &[],
        place: &script.place,
        unset_is_empty: false,
    };
    let parsed = shell::parse(&script.text);
    let commands = parsed.commands.iter().map(|command| {
        let assigned = command.words.iter().map_while(shell::assignment).count();
        let words = scope.words(command.words.get(assigned..).unwrap_or_default());
        Earlier::of(&words, &scope.words(&command.written))
    });
    commands.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, path: &str, expected: bool) {
        let words = line.split(' ').map(|word| Word::known(word, &Place::nowhere()));
        let earlier = Earlier::of(&words.collect::<Vec<_>>(), &[]);
        let found = earlier.is_some_and(|it| it.may_bring(&ServicePath::new(path)));
        assert_eq!(found, expected, "{line} {path}");
    }

    #[test]
    fn a_program_brings_what_its_words_are_about() {
        for (line, expected) in [
            ("curl -Lo /models/m.gguf https://a.invalid/x", true),
            ("wget -P /models https://a.invalid/x", true),
            ("wget https://a.invalid/x/m.gguf", true),
            ("hf download o/r --local-dir=/models/", true),
            ("python3 -c download('/models/m.gguf')", true),
            ("curl -Lo /models/other.gguf https://a.invalid/x", false),
            ("ls -la /models", false),
            ("[ -f /models/m.gguf ]", false),
            ("nc -z db 5432", false),
            ("cp -r /", false),
        ] {
            check(line, "/models/m.gguf", expected);
        }
    }
}

//! Words of a command line, and the variables that its process sees.

use indexmap::IndexMap;

use crate::project::{Service, unquoted};
use crate::source_map::Place;

/// The most variables that a script may set.
const MOST_VARIABLES: usize = 256;

/// One word, as the engine gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// The word; what is known of it, if `unknown` says that a part is not.
    pub(super) text: String,
    /// Where it is written; for a word of a shell script, the script.
    pub(super) place: Place,
    /// Why the word is not wholly known; absent: it is.
    pub(super) unknown: Option<String>,
}

/// The variables of the engine's process: what the script exports, over the service, over the image.
#[derive(Debug, Clone)]
pub(super) struct Environment<'a> {
    service: &'a Service,
    image: &'static [(&'static str, &'static str)],
    /// What the script gives to the programs that it starts; nothing: it takes the variable away.
    exported: IndexMap<String, Option<Word>>,
    /// What the script keeps for itself.
    kept: IndexMap<String, Word>,
    /// Whether the script exports all that it sets (`set -a`).
    exports_all: bool,
}

/// What is known about a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variable {
    /// Its value.
    Set(Word),
    /// It is taken out of the environment.
    Removed,
    /// Neither the service nor what is known of the image says; the image may set it.
    Unmentioned,
}

impl Word {
    /// A word that is wholly known.
    pub(super) fn known(text: impl Into<String>, place: &Place) -> Self {
        Self { text: text.into(), place: place.clone(), unknown: None }
    }

    /// The last component of the path that it may be: the name of a program.
    pub(super) fn program(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or("")
    }

    /// Whether it names a shell.
    pub(super) fn is_shell(&self) -> bool {
        matches!(self.program(), "sh" | "bash" | "ash" | "dash" | "zsh")
    }

    /// Whether it is this word.
    pub(super) fn is(&self, text: &str) -> bool {
        self.unknown.is_none() && self.text == text
    }
}

impl<'a> Environment<'a> {
    /// The environment of `service` over the variables that its image is known to set.
    pub(super) fn new(
        service: &'a Service,
        image: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self {
            service,
            image,
            exported: IndexMap::new(),
            kept: IndexMap::new(),
            exports_all: false,
        }
    }

    /// Takes these for the variables that the image sets.
    pub(super) fn set_by_image(&mut self, image: &'static [(&'static str, &'static str)]) {
        self.image = image;
    }

    /// Gives a variable to the programs that are started; a script that sets too many is not believed.
    pub(super) fn set(&mut self, name: String, value: Word) {
        if self.exported.len() < MOST_VARIABLES {
            self.kept.shift_remove(&name);
            self.exported.insert(name, Some(value));
        }
    }

    /// Gives a variable back what it was in `outer`.
    pub(super) fn take_over(&mut self, name: &str, outer: &Self) {
        self.kept.shift_remove(name);
        self.exported.shift_remove(name);
        if let Some(value) = outer.kept.get(name) {
            self.kept.insert(name.to_owned(), value.clone());
        }
        if let Some(value) = outer.exported.get(name) {
            self.exported.insert(name.to_owned(), value.clone());
        }
    }

    /// Sets a variable of the script, which the programs that it starts get only if they had one of that
    /// name.
    pub(super) fn assign(&mut self, name: String, value: Word) {
        if self.exports_all || !matches!(self.variable(&name), Variable::Unmentioned) {
            self.set(name, value);
        } else if self.kept.len() < MOST_VARIABLES {
            self.kept.insert(name, value);
        }
    }

    /// Gives what the script has kept for itself to the programs that it starts.
    pub(super) fn export(&mut self, name: &str) {
        if let Some(value) = self.kept.shift_remove(name) {
            self.set(name.to_owned(), value);
        }
    }

    /// Exports all that is set from here on, or no more.
    pub(super) fn export_all(&mut self, on: bool) {
        self.exports_all = on;
    }

    /// Takes a variable away.
    pub(super) fn unset(&mut self, name: &str) {
        self.kept.shift_remove(name);
        if self.exported.len() < MOST_VARIABLES {
            self.exported.insert(name.to_owned(), None);
        }
    }

    /// The names of the variables that the service or its script sets.
    pub(super) fn names(&self) -> Vec<String> {
        let own = self.service.environment.keys();
        let more =
            self.exported.keys().filter(|name| !self.service.environment.contains_key(*name));
        own.chain(more).cloned().collect()
    }

    /// What the script itself finds in a variable.
    pub(super) fn in_shell(&self, name: &str) -> Variable {
        match self.kept.get(name) {
            Some(word) => Variable::Set(word.clone()),
            None => self.variable(name),
        }
    }

    /// What is known about a variable.
    pub(super) fn variable(&self, name: &str) -> Variable {
        match self.exported.get(name) {
            Some(Some(word)) => return Variable::Set(word.clone()),
            Some(None) => return Variable::Removed,
            None => {}
        }
        if let Some(value) = self.service.environment.get(name) {
            return match &value.value {
                Some(text) => {
                    let text = unquoted(text).unwrap_or(text);
                    Variable::Set(Word::known(text, &value.place))
                }
                None => Variable::Removed,
            };
        }
        if let Some(by) = self.service.told_elsewhere.get(name) {
            let unknown = Some(format!("{} says it", by.value));
            return Variable::Set(Word { unknown, ..Word::known("", &by.place) });
        }
        match self.image.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Variable::Set(Word::known(*text, &Place::nowhere())),
            None => Variable::Unmentioned,
        }
    }

    /// The value of a variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<Word> {
        match self.variable(name) {
            Variable::Set(word) if !word.text.is_empty() || word.unknown.is_some() => Some(word),
            Variable::Set(_) | Variable::Removed | Variable::Unmentioned => None,
        }
    }

    /// Whether a switch is on, as the hub's client reads its own (`1`, `ON`, `YES`, `TRUE`;
    /// huggingface_hub 0.36.2 constants.py).
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|word| {
            matches!(word.text.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
        })
    }
}

/// The module that `python [flags] -m module` runs, and the number of words up to and with it.
pub(super) fn python_module(words: &[Word]) -> Option<(usize, &str)> {
    let interpreter = words.first()?.program();
    let version = interpreter.strip_prefix("python")?;
    if !version.chars().all(|character| character.is_ascii_digit() || character == '.') {
        return None;
    }
    let mut at = 1;
    while let Some(word) = words.get(at) {
        match word.text.as_str() {
            "-m" => return words.get(at + 1).map(|module| (at + 2, module.text.as_str())),
            "-X" | "-W" => at += 2,
            flag if flag.starts_with('-') && flag.len() > 1 => at += 1,
            _ => return None,
        }
    }
    None
}

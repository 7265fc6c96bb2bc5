//! Which flags take a secret.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::names::{Secrecy, secrecy};

/// What an engine's own table says of one of its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFlag {
    /// One of its spellings, with `-` between words.
    pub spelling: &'static str,
    /// Whether its values are secrets.
    pub is_secret: bool,
    /// Whether it takes all words up to the next flag.
    pub is_list: bool,
}

/// The engines' own tables of flags.
#[derive(Debug, Clone, Copy)]
pub struct FlagTables {
    /// The flags that take secrets. Found without taking the tables apart.
    pub secret: fn() -> Vec<&'static str>,
    /// All flags.
    pub all: fn() -> Vec<KnownFlag>,
}

/// What is known of flags, whichever engine they are of.
#[derive(Debug)]
pub(super) struct Flags {
    tables: FlagTables,
    secret: OnceLock<Vec<&'static str>>,
    /// Most runs ask for no flag whose name is not enough.
    known: OnceLock<BTreeMap<&'static str, KnownFlag>>,
}

impl Default for Flags {
    fn default() -> Self {
        Self::new(FlagTables { secret: Vec::new, all: Vec::new })
    }
}

impl Flags {
    pub(super) const fn new(tables: FlagTables) -> Self {
        Self { tables, secret: OnceLock::new(), known: OnceLock::new() }
    }

    /// What the values of the flag `written` are, and whether it takes several. Its name decides
    /// where no engine knows it.
    pub(super) fn of(&self, written: &str) -> (Secrecy, bool) {
        if !written.starts_with('-') {
            return (secrecy(written), written.ends_with('s'));
        }
        let name = match written.strip_prefix("--") {
            Some(long) => format!("--{}", long.replace('_', "-")),
            None => written.to_owned(),
        };
        let by_name = secrecy(&name);
        let secret = self.secret.get_or_init(self.tables.secret);
        if by_name == Secrecy::Open && !secret.iter().any(|flag| flag.starts_with(&name)) {
            return (Secrecy::Open, false);
        }
        if let Some(flag) = self.known().get(name.as_str()) {
            return (if flag.is_secret { Secrecy::Secret } else { Secrecy::Open }, flag.is_list);
        }
        if by_name != Secrecy::Open || !name.starts_with("--") {
            return (by_name, name.ends_with('s'));
        }
        self.cut_short(&name)
    }

    /// The same of a flag that is cut short, as argparse takes it as long as it can only be one.
    fn cut_short(&self, name: &str) -> (Secrecy, bool) {
        let longer = self.known().range(name..).map(|(_, flag)| flag);
        let mut longer = longer.take_while(|flag| flag.spelling.starts_with(name)).peekable();
        match longer.peek().copied() {
            Some(first) if name.len() > 2 && longer.all(|flag| flag.is_secret) => {
                (Secrecy::Secret, first.is_list)
            }
            Some(_) | None => (Secrecy::Open, false),
        }
    }

    /// Of a flag that several engines have, what hides more.
    fn known(&self) -> &BTreeMap<&'static str, KnownFlag> {
        self.known.get_or_init(|| {
            let mut known: BTreeMap<_, KnownFlag> = BTreeMap::new();
            for flag in (self.tables.all)() {
                let one = known.entry(flag.spelling).or_insert(flag);
                one.is_secret |= flag.is_secret;
                one.is_list |= flag.is_list;
            }
            known
        })
    }
}

//! Which flags take a secret.

use std::collections::BTreeMap;

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

/// What is known of flags, whichever engine they are of.
#[derive(Debug, Default)]
pub(super) struct Flags {
    known: BTreeMap<&'static str, KnownFlag>,
}

impl Flags {
    /// Of a flag that several engines have, what hides more.
    pub(super) fn new(flags: impl IntoIterator<Item = KnownFlag>) -> Self {
        let mut known: BTreeMap<_, KnownFlag> = BTreeMap::new();
        for flag in flags {
            let one = known.entry(flag.spelling).or_insert(flag);
            one.is_secret |= flag.is_secret;
            one.is_list |= flag.is_list;
        }
        Self { known }
    }

    /// What the values of the flag `written` are, and whether it takes several. Its name decides
    /// where no engine knows it.
    pub(super) fn of(&self, written: &str) -> (Secrecy, bool) {
        let name = match written.strip_prefix("--") {
            Some(long) => format!("--{}", long.replace('_', "-")),
            None => written.to_owned(),
        };
        if let Some(flag) = self.known.get(name.as_str()) {
            return (if flag.is_secret { Secrecy::Secret } else { Secrecy::Open }, flag.is_list);
        }
        let by_name = secrecy(&name);
        if by_name != Secrecy::Open || !name.starts_with("--") {
            return (by_name, name.ends_with('s'));
        }
        // Cut short, as argparse takes it as long as it can only be one.
        let mut longer = self.known.range(name.as_str()..);
        let longer = longer.by_ref().map(|(_, flag)| flag);
        let mut longer = longer.take_while(|flag| flag.spelling.starts_with(&name)).peekable();
        match longer.peek().copied() {
            Some(first) if name.len() > 2 && longer.all(|flag| flag.is_secret) => {
                (Secrecy::Secret, first.is_list)
            }
            Some(_) | None => (Secrecy::Open, false),
        }
    }
}

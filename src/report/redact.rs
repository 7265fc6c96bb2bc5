//! The one redactor that stands before every output.
//!
//! It knows the secrets of this run by value, and others by their shape. It would rather hide a
//! harmless word than show a secret.

mod assignments;
mod curl;
mod flags;
mod forms;
pub mod names;
mod scan;
pub(crate) mod unseen;
mod urls;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

pub use flags::{FlagTables, KnownFlag};

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// A known secret that is shorter would hide half of every report, and is none.
const SHORTEST_SECRET: usize = 4;

/// The longest unfinished line that [`Redacting`] holds back, in bytes.
const LONGEST_LINE: usize = 1 << 20;

/// The most secrets that are known by value. Each may end at the same byte of a text, so this bounds
/// what a byte costs.
pub const MOST_SECRETS: usize = 1000;

/// Replaces secrets in everything that is printed. Cheap to clone. Its `Debug` does not show them.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<[String]>,
    /// Finds all of them at once; absent: there are none.
    finder: Option<AhoCorasick>,
    flags: Arc<flags::Flags>,
}

impl Redactor {
    /// Knows these secrets by value; each line of one with several lines is a secret of its own.
    /// Those of fewer than 4 bytes are ignored, and those behind the first thousand.
    #[must_use]
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        Self::default().knowing(secrets)
    }

    /// The same, which takes a flag that an engine knows for what the engine's table says of it, and
    /// any other for what its name says.
    #[must_use]
    pub fn flags(self, tables: FlagTables) -> Self {
        Self { flags: Arc::new(flags::Flags::new(tables)), ..self }
    }

    /// The same, which knows these secrets by value as well.
    #[must_use]
    pub fn knowing<S: AsRef<str>>(&self, secrets: impl IntoIterator<Item = S>) -> Self {
        let mut known = self.secrets.to_vec();
        for secret in secrets {
            let lines = secret.as_ref().lines().map(str::trim);
            known.extend(lines.filter(|line| line.len() >= SHORTEST_SECRET).map(str::to_owned));
            known.truncate(MOST_SECRETS);
        }
        // Nothing but more patterns than fit into an address space is refused.
        let finder = AhoCorasick::new(&known).ok().filter(|_| !known.is_empty());
        Self { secrets: known.into(), finder, flags: Arc::clone(&self.flags) }
    }

    /// The secrets of a command line that is given as words. Each word may be a text for a shell.
    #[must_use]
    pub fn secrets_of<'w>(&self, words: &[&'w str]) -> Vec<&'w str> {
        let secrets = words.iter().zip(self.secrets_in_words(words));
        let secrets =
            secrets.flat_map(|(word, secrets)| secrets.into_iter().map(|secret| word.get(secret)));
        secrets.flatten().collect()
    }

    /// A command line that is given as words, without its secrets.
    #[must_use]
    pub fn redact_words<'w>(&self, words: &[&'w str]) -> Vec<Cow<'w, str>> {
        let secrets = words.iter().zip(self.secrets_in_words(words));
        secrets.map(|(word, secrets)| without(word, secrets)).collect()
    }

    fn secrets_in_words(&self, words: &[&str]) -> Vec<Vec<Range<usize>>> {
        // Whether the next words are values of a secret flag, and whether several are.
        let (mut is_value, mut is_list) = (false, false);
        let secrets = words.iter().map(|word| {
            if is_value && !word.starts_with('-') {
                is_value = is_list;
                return std::iter::once(0..word.len()).collect();
            }
            let is_flag = word.starts_with('-') && !word.contains(['=', ' ']);
            let (secrecy, takes_list) = self.flags.of(word);
            is_value = is_flag && secrecy != names::Secrecy::Open;
            is_list = takes_list;
            self.secrets_in(word)
        });
        secrets.collect()
    }

    /// `text` without its secrets. Linear in the text.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        without(text, self.secrets_in(text))
    }

    /// Where the secrets of `text` are: byte ranges on character borders, in order, none empty,
    /// none touching another.
    #[must_use]
    pub fn secrets_in(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        if let Some(finder) = &self.finder {
            found.extend(finder.find_overlapping_iter(text).map(|found| found.range()));
        }
        forms::find(text, &mut found);
        urls::find(text, &mut found);
        curl::find(text, &mut found);
        assignments::find(text, &self.flags, &mut found);
        merged(found)
    }
}

fn without(text: &str, secrets: Vec<Range<usize>>) -> Cow<'_, str> {
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut redacted = String::with_capacity(text.len());
    let mut shown = 0;
    for secret in secrets {
        redacted.push_str(text.get(shown..secret.start).unwrap_or(""));
        redacted.push_str(MASK);
        shown = secret.end;
    }
    redacted.push_str(text.get(shown..).unwrap_or(""));
    Cow::Owned(redacted)
}

/// The ranges in order, those that overlap or touch as one, empty ones left out.
pub(crate) fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

/// A writer that redacts what goes through it, line by line, and escapes what is not seen and would
/// change how the rest is; control characters are left to whoever writes. An unfinished line is held back until
/// it ends, until 1 MiB of it has come, or until the writer is dropped.
#[derive(Debug)]
pub struct Redacting<W: Write> {
    inner: W,
    redactor: Redactor,
    held: Vec<u8>,
    is_json: bool,
}

impl<W: Write> Redacting<W> {
    /// Writes to `inner`.
    pub fn new(inner: W, redactor: Redactor) -> Self {
        Self { inner, redactor, held: Vec::new(), is_json: false }
    }

    /// Writes JSON to `inner`, and escapes as JSON does.
    pub fn json(inner: W, redactor: Redactor) -> Self {
        Self { inner, redactor, held: Vec::new(), is_json: true }
    }

    fn release(&mut self, end: usize) -> io::Result<()> {
        let rest = self.held.split_off(end);
        let lines = std::mem::replace(&mut self.held, rest);
        let text = String::from_utf8_lossy(&lines);
        let text = self.redactor.redact(&text);
        let hides = |it: char| !it.is_control() && unseen::is_unprintable(it);
        let push = if self.is_json { unseen::push_json_escaped } else { unseen::push_escaped };
        self.inner.write_all(unseen::escape_by(&text, hides, push).as_bytes())
    }
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let held = self.held.len();
        self.held.extend_from_slice(bytes);
        // What was held before is no whole line.
        if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
            self.release(held + newline + 1)?;
        } else if self.held.len() > LONGEST_LINE {
            // A secret is a word: the cut goes before the last one.
            let space = self.held.iter().rposition(u8::is_ascii_whitespace);
            self.release(space.unwrap_or(self.held.len()))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for Redacting<W> {
    fn drop(&mut self) {
        // Nobody is left to be told that the last words could not be written.
        if !self.held.is_empty() && self.release(self.held.len()).is_ok() {
            drop(self.inner.flush());
        }
    }
}

#[cfg(test)]
mod tests;

//! Reads flags as the engines' own parsers do: argparse, clap, click, kong, and llama.cpp's.

mod recognised;
pub(super) mod values;

use recognised::Recognised;
pub(super) use values::{human_number, iec_number};

use crate::plan::engine::flag_table::{FlagTable, Form, Known};
use crate::plan::engine::release_table::{Standing, numbers};
use crate::plan::engine::words::Word;
use crate::plan::engine::{Complaint, StrayWord, UnknownFlag, foreign_flags};
use crate::report::redact::KnownFlag;
use crate::source_map::{Place, Spanned};

/// How many values a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    /// None: it is a switch.
    Switch,
    /// One.
    One,
    /// Two.
    Two,
    /// All words up to the next flag.
    Many,
    /// One unless the next word is a flag.
    Optional,
}

/// The flags of one engine that share an arity, each with all its spellings; the first is the name
/// by which it is asked for.
pub(super) type Flags = (Arity, &'static [&'static [&'static str]]);

/// How one engine reads its command line.
#[derive(Debug)]
pub(super) struct Grammar {
    /// All flags of every release that was read, so that another one is refused; absent: they are not
    /// all known, and `flags` has those that are.
    pub(super) table: Option<&'static FlagTable>,
    /// The flags that are known, where there is no table.
    pub(super) flags: &'static [Flags],
    /// Flags that are none of the engine's, and whose they are.
    pub(super) foreign: &'static [(&'static str, &'static str)],
    /// `_` is read as `-` in a long flag.
    pub(super) underscores: bool,
    /// A flag may be cut short as long as it stays unique.
    pub(super) abbreviations: bool,
    /// `--flag=value` is `--flag value`.
    pub(super) joined: bool,
    /// It hands the word behind a flag to C++, whatever that is: a value may begin with `-`, and the
    /// beginning of a word may be a number.
    pub(super) dashed_values: bool,
    /// What it takes for a number.
    pub(super) numbers: Numbers,
    /// The flags that go on with any text as their value, be it another flag; by one of their
    /// spellings.
    pub(super) any_text: &'static [&'static str],
}

/// What of a word is taken for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// All of it, or it is none.
    Whole,
    /// What it begins with (`stoi` and `stof` of C++).
    Beginning,
}

/// A command line, read.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    given: Vec<Given>,
    /// Words that are neither flags nor values.
    pub(super) positionals: Vec<Word>,
    /// What the engine refuses.
    pub(super) complaints: Vec<Spanned<Complaint>>,
    /// Words that could be flags, and are not known.
    pub(super) unread: Vec<Spanned<String>>,
}

/// A flag that was given.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// The first spelling of a known flag; an unknown one as written, `_` read as `-`.
    pub(super) name: String,
    /// As written, without the value.
    pub(super) written: String,
    /// What stands behind the first `.` of a dotted flag (`--speculative-config.model`).
    pub(super) key: Option<String>,
    /// Its values.
    pub(super) values: Vec<Word>,
    /// Where the flag itself is written.
    pub(super) place: Place,
}

/// A grammar, as one release has it.
struct Parser<'a> {
    grammar: &'a Grammar,
    /// Absent: it is not known.
    release: Option<&'a [u32]>,
}

/// A value and what gave it.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// The value.
    pub(super) word: Word,
    /// The flag as written, or the variable.
    pub(super) by: String,
}

impl Arguments {
    /// Reads `words` by `grammar`, as `release` does; absent: it is not known.
    pub(super) fn parse(grammar: &Grammar, words: &[Word], release: Option<&[u32]>) -> Self {
        let mut arguments = Self::default();
        let grammar = Parser { grammar, release };
        let mut rest = words;
        while let Some((word, behind)) = rest.split_first() {
            rest = behind;
            if word.is("--") && !grammar.grammar.dashed_values {
                arguments.positionals.extend_from_slice(behind);
                break;
            }
            if is_flag(&word.text) || grammar.attached(&word.text).is_some() {
                rest = arguments.flag(&grammar, word, behind);
            } else if let Some(why) = &word.unknown {
                arguments.unread.push(Spanned::new(why.clone(), word.place.clone()));
            } else {
                let goes_on = StrayWord::of(&word.text).is_some_and(StrayWord::goes_on);
                let length = if goes_on { rest.iter().take_while(is_value).count() } else { 0 };
                let (more, behind) = rest.split_at(length);
                arguments.positionals.push(joined(word, more));
                rest = behind;
            }
        }
        arguments
    }

    /// Reads the flag `word` and takes its values from `behind`; what is left.
    fn flag<'a>(&mut self, parser: &Parser<'_>, word: &Word, behind: &'a [Word]) -> &'a [Word] {
        let (written, value) = parser.split(&word.text);
        let joined = value.map(|value| Word { text: value.to_owned(), ..word.clone() });
        if joined.is_none() && word.unknown.is_some() {
            // `--$NAME` could be any flag.
            self.unread.extend(unknown(word));
            return behind;
        }
        let (name, key) = parser.grammar.name(written);
        let found = parser.recognise(&name);
        let mut given = Given {
            name: found.name.map_or(name, str::to_owned),
            written: written.to_owned(),
            key,
            values: Vec::new(),
            place: word.place.clone(),
        };
        let refused = parser.refused(&given, &found);
        let is_refused = refused.is_some();
        self.complaints.extend(refused.map(|it| Spanned::new(it, word.place.clone())));
        let rest = match joined {
            Some(value) => {
                self.joined(parser, &mut given, &found, value);
                behind
            }
            None => self.values(parser, &mut given, &found, behind),
        };
        if given.key.is_none() && !is_refused {
            let judged = values::Judged {
                by: &given.written,
                numbers: parser.grammar.numbers,
                standing: found.standing,
                may_differ: parser.is_covered(),
            };
            self.complaints.extend(values::refused(&given, &found, judged));
        }
        self.given.push(given);
        rest
    }

    /// Takes the value that is joined to a flag by `=`.
    fn joined(
        &mut self,
        parser: &Parser<'_>,
        given: &mut Given,
        found: &Recognised<'_>,
        value: Word,
    ) {
        let flag = given.written.clone();
        let complaint = if !parser.grammar.joined {
            Some(Complaint::JoinedValue { flag, value: value.text.clone() })
        } else if found.is_switch() && given.key.is_none() {
            Some(Complaint::SwitchValue { flag, value: value.text.clone() })
        } else {
            None
        };
        self.complaints.extend(complaint.map(|it| Spanned::new(it, given.place.clone())));
        given.values.push(value);
    }

    /// Takes the values behind a flag; what is left.
    fn values<'a>(
        &mut self,
        parser: &Parser<'_>,
        given: &mut Given,
        found: &Recognised<'_>,
        behind: &'a [Word],
    ) -> &'a [Word] {
        let arity = if given.key.is_some() { Arity::One } else { found.arity_before(behind) };
        if let Some(complaint) = parser.swallowed(found, &given.written, behind) {
            self.complaints.push(Spanned::new(complaint, given.place.clone()));
            return behind;
        }
        let count = parser.grammar.count(arity, behind);
        let (values, left) = behind.split_at(count.min(behind.len()));
        let more = if found.takes_json() { unquoted(values, left) } else { 0 };
        if let (Some((last, values)), true) = (values.split_last(), more > 0) {
            let (pieces, left) = left.split_at(more);
            given.values.extend_from_slice(values);
            given.values.push(joined(last, pieces));
            return left;
        }
        given.values.extend_from_slice(values);
        let is_filled = found.form.is_some_and(|form| form.is_filled);
        if values.is_empty() && (is_filled || matches!(arity, Arity::One | Arity::Two)) {
            let complaint = Complaint::NoValue { flag: given.written.clone() };
            self.complaints.push(Spanned::new(complaint, given.place.clone()));
        }
        left
    }

    /// Refuses the flags that neither the release `newest` has nor an older one.
    pub(super) fn hold_against(&mut self, grammar: &Grammar, newest: &'static str) {
        let Some(table) = grammar.table else { return };
        let bound = numbers(newest);
        for given in &self.given {
            let (name, _) = grammar.name(&given.written);
            let is_meant = |spelling: &&str| {
                *spelling == name || grammar.may_be_cut(&name) && spelling.starts_with(&name)
            };
            if table.forms_until(&bound).any(|form| form.spellings.iter().any(is_meant)) {
                continue;
            }
            let mut here = self.complaints.iter_mut().filter(|it| it.place == given.place);
            let known = here.find_map(|complaint| {
                if let Complaint::UnknownFlag(it) = &mut complaint.value { Some(it) } else { None }
            });
            if let Some(known) = known {
                known.is_certain = true;
                continue;
            }
            let unknown = UnknownFlag {
                flag: given.written.clone(),
                name: given.name.clone(),
                is_certain: true,
                newest: table.newest(),
                elsewhere: table.elsewhere(&given.name, Some(&bound)),
                owner: None,
                alike: Vec::new(),
            };
            let complaint = Complaint::UnknownFlag(unknown);
            self.complaints.push(Spanned::new(complaint, given.place.clone()));
        }
    }

    /// Every flag that was given, in order.
    pub(super) fn given(&self) -> &[Given] {
        &self.given
    }

    /// Every time that the flag was given, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Given> {
        self.given.iter().filter(move |given| given.name == name && given.key.is_none())
    }

    /// The value that counts: the last.
    pub(super) fn last(&self, name: &str) -> Option<Setting> {
        let given = self.all(name).next_back()?;
        Some(Setting { word: given.values.last()?.clone(), by: given.written.clone() })
    }

    /// The last value of `--name.key`.
    pub(super) fn dotted(&self, name: &str, key: &str) -> Option<Setting> {
        let given = self
            .given
            .iter()
            .rfind(|given| given.name == name && given.key.as_deref() == Some(key))?;
        let by = format!("{name}.{key}");
        Some(Setting { word: given.values.last()?.clone(), by })
    }

    /// The one of the switches that was given last: it counts.
    pub(super) fn last_of(&self, names: &[&str]) -> Option<&str> {
        let mut given = self.given.iter().map(|given| given.name.as_str());
        given.rfind(|name| names.contains(name))
    }

    /// Whether one of the flags was given, be it in its dotted form.
    pub(super) fn any(&self, names: &[&str]) -> bool {
        self.given.iter().any(|given| names.contains(&given.name.as_str()))
    }

    /// Whether a switch was given, and not taken back by `--no-` later.
    pub(super) fn is_on(&self, name: &str) -> bool {
        let negated = name.strip_prefix("--").map(|name| format!("--no-{name}"));
        let last = self
            .given
            .iter()
            .rfind(|given| given.name == name || Some(&given.name) == negated.as_ref());
        last.is_some_and(|given| {
            let value = given.values.first().map_or("", |word| word.text.as_str());
            given.name == name && !matches!(value.to_ascii_lowercase().as_str(), "false" | "0")
        })
    }
}

impl Grammar {
    /// The rules of clap, click and kong: flags are written in full, and `--flag=value` is
    /// `--flag value`.
    pub(super) const fn plain(flags: &'static [Flags]) -> Self {
        Self {
            table: None,
            flags,
            foreign: &[],
            underscores: false,
            abbreviations: false,
            joined: true,
            dashed_values: false,
            numbers: Numbers::Whole,
            any_text: &[],
        }
    }

    /// The same, where all flags are known.
    pub(super) const fn plain_table(table: &'static FlagTable) -> Self {
        Self { table: Some(table), ..Self::plain(&[]) }
    }

    /// Every spelling of every flag, and whether what it takes is a secret.
    pub(super) fn known_flags(&self) -> impl Iterator<Item = KnownFlag> {
        let of_table = self.table.into_iter().flat_map(FlagTable::known_flags);
        of_table.chain(self.listed_flags())
    }

    fn listed_flags(&self) -> impl Iterator<Item = KnownFlag> {
        self.flags.iter().flat_map(move |(arity, flags)| {
            let is_list = *arity == Arity::Many;
            flags.iter().flat_map(move |spellings| {
                let known = move |spelling| KnownFlag { spelling, is_secret: false, is_list };
                spellings.iter().copied().map(known)
            })
        })
    }

    /// The name of a flag as written, without a dotted key, and that key.
    fn name(&self, written: &str) -> (String, Option<String>) {
        let Some(long) = written.strip_prefix("--") else {
            return match written.split_once('.') {
                Some((flag, key)) if self.abbreviations => (flag.to_owned(), Some(key.to_owned())),
                _ => (written.to_owned(), None),
            };
        };
        let (long, key) = match long.split_once('.') {
            Some((long, key)) if self.abbreviations => (long, Some(key.to_owned())),
            Some(_) | None => (long, None),
        };
        let long = if self.underscores { long.replace('_', "-") } else { long.to_owned() };
        (format!("--{long}"), key)
    }

    /// The first spelling and the arity of a flag of the lists; absent: it is not known, or cut too
    /// short.
    fn listed(&self, name: &str) -> Option<(&'static str, Arity)> {
        let spellings = || {
            self.flags.iter().flat_map(|(arity, flags)| {
                flags.iter().flat_map(move |spellings| {
                    let first = spellings.first().copied().unwrap_or("");
                    spellings.iter().map(move |spelling| (*spelling, first, *arity))
                })
            })
        };
        let exact = spellings().find(|(spelling, _, _)| *spelling == name);
        if let Some((_, first, arity)) = exact {
            return Some((first, arity));
        }
        if !self.may_be_cut(name) {
            return None;
        }
        let mut longer = spellings().filter(|(spelling, _, _)| spelling.starts_with(name));
        let (_, first, arity) = longer.next()?;
        longer.all(|(_, other, _)| other == first).then_some((first, arity))
    }

    /// Whether a name may be one that is cut short.
    fn may_be_cut(&self, name: &str) -> bool {
        self.abbreviations && !matches!(name, "-" | "--")
    }

    /// How many of the words behind a flag are its values.
    fn count(&self, arity: Arity, behind: &[Word]) -> usize {
        let value = is_value;
        let next = behind.first();
        match arity {
            Arity::Switch => 0,
            Arity::One | Arity::Two if self.dashed_values => {
                if arity == Arity::One {
                    1
                } else {
                    2
                }
            }
            Arity::One => usize::from(next.filter(value).is_some()),
            Arity::Two => behind.iter().take(2).take_while(value).count(),
            Arity::Many => behind.iter().take_while(value).count(),
            Arity::Optional => usize::from(next.filter(value).is_some()),
        }
    }
}

impl<'a> Parser<'a> {
    /// The flag that a word is, as written, and the value that is joined to it.
    fn split<'w>(&self, text: &'w str) -> (&'w str, Option<&'w str>) {
        // A flag of one dash that is cut short has its value behind it.
        let table = self.grammar.table.filter(|_| self.grammar.abbreviations);
        let is_whole = |flag: &str| {
            flag.starts_with("--")
                || flag.contains('.')
                || table.is_none_or(|it| it.is_in(flag, self.release))
        };
        let joined = text.split_once('=').filter(|(flag, _)| is_whole(flag));
        let found = self.attached(text).or(joined);
        found.map_or((text, None), |(flag, value)| (flag, Some(value)))
    }

    /// A flag of one letter and the value behind it in the same word (`-qawq`).
    fn attached<'w>(&self, text: &'w str) -> Option<(&'w str, &'w str)> {
        let table =
            self.grammar.table.filter(|_| self.grammar.joined && !text.starts_with("--"))?;
        let (end, _) = text.char_indices().nth(2).filter(|_| text.starts_with('-'))?;
        let (letter, value) = text.split_at(end);
        let whole = text.split('=').next().unwrap_or(text);
        let takes_value = |form: &Form| form.arity != Arity::Switch;
        let is_one = table.is_in(letter, self.release)
            && !table.is_in(whole, self.release)
            && table.known(letter, self.release).form.is_some_and(takes_value);
        is_one.then_some((letter, value))
    }

    /// What is known of the flag `name`.
    fn recognise(&self, name: &str) -> Recognised<'a> {
        let Some(table) = self.grammar.table else {
            let listed = self.grammar.listed(name);
            // An unknown flag takes the word behind it, unless that is a flag.
            let (name, arity) =
                listed.map_or((None, Arity::Optional), |(name, arity)| (Some(name), arity));
            return Recognised {
                name,
                arity,
                form: None,
                others: vec![],
                standing: Standing::Here,
                alike: vec![],
            };
        };
        let mut alike = Vec::new();
        let mut known = table.known(name, self.release);
        let is_here = known.form.is_some() && known.standing != Standing::Missing;
        if !is_here && self.grammar.may_be_cut(name) {
            let longer = |form: &Form| form.spellings.iter().any(|it| it.starts_with(name));
            let mut names: Vec<_> =
                table.forms_of(self.release).filter(|form| longer(form)).map(Form::name).collect();
            names.dedup();
            match names.as_slice() {
                [only] => known = table.known(only, self.release),
                _ if known.form.is_none() => alike = names,
                _ => {}
            }
        }
        let Known { form, standing } = known;
        let others = form.filter(|_| self.release.is_none());
        Recognised {
            name: form.map(Form::name),
            arity: form.map_or(Arity::Optional, |form| form.arity),
            form,
            others: others.map_or_else(Vec::new, |form| table.spelled(form.name()).collect()),
            standing,
            alike,
        }
    }

    /// Whether the table speaks of the release.
    fn is_covered(&self) -> bool {
        let table = self.grammar.table.zip(self.release);
        table.is_some_and(|(table, release)| table.covers(release))
    }

    /// That the release does not have the flag; absent: it has it, or it may.
    fn refused(&self, given: &Given, found: &Recognised<'_>) -> Option<Complaint> {
        let table = self.grammar.table?;
        let is_here = match found.standing {
            Standing::Here => true,
            Standing::Missing => false,
            Standing::Unknown if self.is_covered() => found.form.is_some(),
            // What came before the table is not known to lack anything.
            Standing::Unknown if self.release.is_some_and(|release| table.precedes(release)) => {
                found.form.is_some() || foreign_flags::owner(self.grammar, &given.name).is_none()
            }
            Standing::Unknown => found.name.is_some_and(|name| table.is_in_newest(name)),
        };
        if is_here {
            return None;
        }
        let name = found.name.unwrap_or(given.name.as_str());
        let elsewhere = found.form.and_then(|_| table.elsewhere(name, self.release));
        let owner = match found.form {
            None => foreign_flags::owner(self.grammar, &given.name),
            Some(_) => None,
        };
        Some(Complaint::UnknownFlag(UnknownFlag {
            flag: given.written.clone(),
            name: given.name.clone(),
            is_certain: found.standing == Standing::Missing || owner.is_some(),
            newest: table.newest(),
            elsewhere,
            owner,
            alike: found.alike.clone(),
        }))
    }

    /// That the word behind a flag is a flag as well, and is taken for its value. It is read as it was
    /// meant: the value is missing.
    fn swallowed(&self, found: &Recognised<'_>, flag: &str, behind: &[Word]) -> Option<Complaint> {
        let grammar = self.grammar;
        let takes_any = grammar.dashed_values && matches!(found.arity, Arity::One | Arity::Two);
        let next = behind.first().filter(|next| takes_any && next.unknown.is_none())?;
        let known = |flag: &str| self.recognise(&grammar.name(flag).0);
        let behind = Some(known(&next.text)).filter(|_| next.text.starts_with('-'))?;
        behind.name?;
        let takes_text = grammar.any_text.iter().any(|text| known(text).name == found.name);
        // The value that the next flag would have had is a word that is refused.
        let exits = behind.arity != Arity::Switch || !takes_text;
        Some(Complaint::SwallowedFlag { flag: flag.to_owned(), next: next.text.clone(), exits })
    }
}

/// Whether a parser takes the word for a flag: it begins with `-`, is more than that, and is
/// neither a negative number nor a phrase (argparse of Python 3.12, `_parse_optional`).
fn is_flag(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else { return false };
    let flag = text.split('=').next().unwrap_or("");
    !rest.is_empty() && rest != "-" && rest.parse::<f64>().is_err() && !flag.contains(' ')
}

/// Whether a flag in front takes the word for a value: one that begins with what is not known may well be.
fn is_value(word: &&Word) -> bool {
    let may_be_value = word.unknown.is_some() && !word.text.starts_with("--");
    (may_be_value || !is_flag(&word.text)) && !word.is("--")
}

/// The words as one.
fn joined(word: &Word, more: &[Word]) -> Word {
    let texts = std::iter::once(word).chain(more).map(|word| word.text.as_str());
    let unknown = std::iter::once(word).chain(more).find_map(|word| word.unknown.clone());
    Word { text: texts.collect::<Vec<_>>().join(" "), place: word.place.clone(), unknown }
}

/// How many of the words behind a value are pieces of its JSON, which a shell has split because it is
/// not quoted.
fn unquoted(values: &[Word], behind: &[Word]) -> usize {
    let depth = |text: &str| {
        let opened = text.chars().filter(|letter| "{[".contains(*letter)).count();
        opened.cast_signed() - text.chars().filter(|it| "}]".contains(*it)).count().cast_signed()
    };
    let mut open = values.last().map_or(0, |word| depth(&word.text));
    let pieces = behind.iter().take_while(is_value).take_while(|word| {
        let is_piece = open > 0;
        open += depth(&word.text);
        is_piece
    });
    pieces.count()
}

fn unknown(word: &Word) -> Option<Spanned<String>> {
    word.unknown.as_ref().map(|why| Spanned::new(why.clone(), word.place.clone()))
}

impl Setting {
    /// The value, if all of it is known.
    pub(super) fn text(&self) -> Option<&str> {
        self.word.unknown.is_none().then_some(self.word.text.as_str())
    }
}

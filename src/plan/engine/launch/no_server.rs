//! Words that start no server where one is meant: what is missing in them, and what an entrypoint takes
//! for its own that is another program.

use super::programs::{OTHER_PROGRAMS, WRAPPERS};
use super::{DEEPEST, Found, Launch, Search, Start, written};
use crate::plan::engine::image::{Misspelt, Trust};
use crate::plan::engine::profile::Profile;
use crate::plan::engine::words::Word;
use crate::plan::engine::{Complaint, Engine, StartsNoServer};
use crate::project::Service;
use crate::source_map::{Place, Spanned};

/// How many words of another program are named.
const MOST_SHOWN: usize = 4;

/// What has to be done to words that start nothing, so that they start the server.
#[derive(Debug, Clone, Copy)]
pub(in crate::plan::engine) struct Lack {
    /// How many of the words stay in front of those that are missing.
    pub(in crate::plan::engine) at: usize,
    /// How many of the words behind these they take the place of.
    pub(in crate::plan::engine) instead: usize,
    /// What is missing.
    pub(in crate::plan::engine) words: &'static [&'static str],
    /// What to do where it is the image that has another program; absent: to write these words.
    pub(in crate::plan::engine) fix: Option<&'static str>,
}

/// What a service runs whose image is that of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoServer {
    /// The engine that the image is called after.
    pub engine: Engine,
    /// The first words of what is run; empty: what the image runs by itself, which is not known.
    pub words: String,
    /// Whether there is no such program in an image, as far as its name says.
    pub is_doubtful: bool,
    /// Whether a part of its image's name is all that speaks for an engine.
    pub by_name_alone: bool,
    /// The first of these words, where the project says it.
    pub place: Place,
}

impl<'a> Search<'a> {
    /// What `words` are meant to start, where they start no engine: its server, if they only lack the
    /// name of it, else another program.
    pub(super) fn as_meant(
        &mut self,
        start: Start<'a>,
        profile: &'static Profile,
        words: &[Word],
    ) -> (Start<'a>, Option<NoServer>) {
        if !matches!(start, Start::Other) {
            return (start, None);
        }
        let lack = (profile.start.lacks)(self.service, words);
        match lack.and_then(|lack| self.complemented(lack, words)) {
            Some(found) => (Start::Engine(found), None),
            None => (Start::Other, Some(self.other(profile, words))),
        }
    }

    /// The server that `words` start once what they lack is there.
    fn complemented(&mut self, lack: Lack, words: &[Word]) -> Option<Box<Found<'a>>> {
        let (before, rest) = words.split_at_checked(lack.at)?;
        let (replaced, behind) = rest.split_at(lack.instead.min(rest.len()));
        let server: Vec<Word> = before.iter().cloned().chain(written(lack.words)).collect();
        let whole: Vec<Word> = server.iter().chain(behind).cloned().collect();
        let Start::Engine(mut found) = self.start(&whole, DEEPEST) else { return None };
        let first_flag = words.iter().position(|word| word.text.starts_with('-'));
        let shown = first_flag.map_or(MOST_SHOWN, |flag| flag + 1).min(MOST_SHOWN);
        let complaint = Complaint::StartsNoServer(StartsNoServer {
            left: joined(words.iter().take(shown)),
            server: joined(server.iter()),
            missing: lack.words.join(" "),
            instead: joined(replaced.iter()),
            fix: lack.fix,
        });
        let place = self.first_place(rest.iter());
        found.complaints.push(Spanned::new(complaint, place));
        Some(found)
    }

    fn other(&self, profile: &'static Profile, words: &[Word]) -> NoServer {
        let is_doubtful = match words.first() {
            Some(first) => first.text.contains('/') && !first.text.starts_with('/'),
            None => true,
        };
        NoServer {
            engine: profile.engine,
            words: joined(words.iter().take(MOST_SHOWN)),
            is_doubtful,
            by_name_alone: false,
            place: self.first_place(words.iter()),
        }
    }

    /// The first place of words that the project says, else that of the image.
    fn first_place<'w>(&self, mut words: impl Iterator<Item = &'w Word>) -> Place {
        let written = words.find(|word| word.place.span.is_some()).map(|word| word.place.clone());
        let image = self.service.image.as_ref().map(|image| image.place.clone());
        written.or(image).unwrap_or_default()
    }

    /// Looks through a program that is named twice: by the entrypoint, and again by the command behind
    /// it. Any other program there is taken for a word of the engine's own.
    pub(super) fn once(&mut self, found: Found<'a>) -> Found<'a> {
        let Some(first) = found.arguments.first().cloned() else { return found };
        let is_program = match self.start(&found.arguments, DEEPEST) {
            Start::Engine(mut again) if again.profile.engine == found.profile.engine => {
                let program = joined(found.program.iter());
                let complaint = Complaint::ProgramRepeated { program };
                again.complaints.push(Spanned::new(complaint, first.place));
                return *again;
            }
            Start::Engine(_) => true,
            Start::Opaque(_) => first.unknown.is_none(),
            Start::Other => {
                let text = first.text.as_str();
                OTHER_PROGRAMS.contains(&text) || WRAPPERS.contains(&text)
            }
        };
        if is_program { behind_entrypoint(found, first) } else { found }
    }
}

impl Launch<'_> {
    /// Where it is an engine by a part of the image's name alone, what is known of what runs.
    pub(in crate::plan::engine) fn by_name_alone(&self, service: &Service) -> Option<NoServer> {
        if self.is_likely || !(self.opaque || self.assumed.is_some()) {
            return None;
        }
        let place = service.image.as_ref().map(|image| image.place.clone());
        Some(NoServer {
            engine: self.profile.engine,
            words: String::new(),
            is_doubtful: false,
            by_name_alone: true,
            place: place.unwrap_or_default(),
        })
    }

    /// The same, with a complaint about a name that is nearly that of an official image. Of one that is
    /// built, or that a container was made from, the name is right.
    pub(super) fn of_misspelt_image(
        mut self,
        service: &Service,
        known: Option<(&'static Profile, Trust)>,
    ) -> Self {
        if let (Some((_, Trust::Misspelt(misspelt))), Some(image)) = (known, &service.image)
            && !service.has_image
        {
            let Misspelt { meant, is_certain } = misspelt;
            let complaint = Complaint::ImageMisspelt { meant, is_certain };
            self.complaints.push(Spanned::new(complaint, image.place.clone()));
        }
        self
    }
}

/// The engine gets words that another program is meant to have, and none of its own.
fn behind_entrypoint<'a>(mut found: Found<'a>, first: Word) -> Found<'a> {
    let complaint = Complaint::ProgramBehindEntrypoint {
        entrypoint: joined(found.program.iter()),
        words: joined(found.arguments.iter().take(MOST_SHOWN)),
        program: first.text,
    };
    found.complaints.push(Spanned::new(complaint, first.place));
    found.arguments.clear();
    found
}

fn joined<'a>(words: impl Iterator<Item = &'a Word>) -> String {
    words.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

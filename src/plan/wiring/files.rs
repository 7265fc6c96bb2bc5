//! The files in which programs are told whom to call: which they are, and what stands in them.

mod caddy;
mod continue_dev;
mod librechat;
mod litellm;
mod nginx;
mod traefik;

use std::path::Path;

use super::Shown;
use super::clients::{Purpose, Reads};
use crate::options::Token;
use crate::path::{ServicePath, clean};
use crate::plan::engine::is_called;
use crate::project::{Service, Text};
use crate::source_map::Spanned;

/// A program that reads such files.
struct Program {
    /// Its name.
    name: &'static str,
    /// Its images, as in the table of the clients; none: it is known by its files.
    images: &'static [&'static str],
    /// The files that it reads, as far as what was seen of them says: a `*` in the name of the last
    /// part stands for anything.
    files: fn(&Service) -> Vec<ServicePath>,
    /// What stands in one of them.
    read: fn(&Service, &ServicePath, &Text) -> Vec<Entry>,
}

static PROGRAMS: [&Program; 6] = [
    &litellm::PROGRAM,
    &librechat::PROGRAM,
    &nginx::PROGRAM,
    &caddy::PROGRAM,
    &traefik::PROGRAM,
    &continue_dev::PROGRAM,
];

/// One address in a file, and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// What the program does with the address.
    pub(super) reads: Reads,
    /// As it is written.
    pub(super) address: Spanned<String>,
    /// What is shown there; absent: nothing, or that is not known.
    pub(super) key: Option<Shown>,
    /// What the models are called by that are asked for there.
    pub(super) models: Vec<(Reads, Spanned<String>)>,
}

impl Entry {
    fn new(
        client: &'static str,
        key: &'static str,
        purpose: Purpose,
        address: Spanned<String>,
    ) -> Self {
        let reads = Reads::in_file(client, key, purpose);
        Self { reads, address, key: None, models: Vec::new() }
    }
}

/// The files in which the program of a service may be told whom to call.
#[must_use]
pub fn told_in(service: &Service) -> Vec<ServicePath> {
    program(service).map(|program| (program.files)(service)).unwrap_or_default()
}

/// What stands in those of them that were seen.
pub(super) fn entries(service: &Service) -> Vec<Entry> {
    let Some(program) = program(service) else { return Vec::new() };
    let read = |(path, text)| (program.read)(service, path, text);
    service.settings.iter().flat_map(read).collect()
}

fn program(service: &Service) -> Option<&'static Program> {
    let is_of = |program: &&&'static Program| {
        let mut images = program.images.iter();
        images.any(|image| is_called(service, image))
            || (program.images.is_empty() && !(program.files)(service).is_empty())
    };
    PROGRAMS.iter().find(is_of).copied()
}

/// The words of the command line that stand behind a flag.
fn flag<'a>(service: &'a Service, names: &[&str]) -> Vec<&'a Spanned<String>> {
    let words: Vec<_> = service.words().collect();
    let is_it = |word: &Spanned<String>| names.contains(&word.value.as_str());
    words.windows(2).filter(|pair| is_it(pair[0])).map(|pair| pair[1]).collect()
}

/// The values of a flag that stand in one word with it.
fn joined<'a>(service: &'a Service, names: &[&str]) -> Vec<&'a str> {
    let value = |word: &'a Spanned<String>| {
        let (flag, value) = word.value.split_once('=')?;
        names.iter().any(|name| name.eq_ignore_ascii_case(flag)).then_some(value)
    };
    service.words().filter_map(value).collect()
}

/// The paths that a flag names, seen from the folder that the program starts in.
fn paths(service: &Service, names: &[&str], folder: &str) -> Vec<ServicePath> {
    let apart = flag(service, names).into_iter().map(|word| word.value.as_str());
    let all = apart.chain(joined(service, names));
    all.map(|path| absolute(service, folder, path)).collect()
}

fn absolute(service: &Service, folder: &str, path: &str) -> ServicePath {
    let own = service.working_dir.as_ref().map_or(Path::new(folder), ServicePath::as_path);
    ServicePath::new(clean(&own.join(path)))
}

/// The value of a variable of the service with its place; absent: it is not set, or empty.
fn variable(service: &Service, name: &str) -> Option<Spanned<String>> {
    let value = service.environment.get(name)?;
    let text = value.value.clone().filter(|text| !text.is_empty())?;
    Some(Spanned::new(text, value.place.clone()))
}

/// What is shown by the value of `key`.
fn shown(key: &'static str, value: Spanned<String>) -> Shown {
    let text = value.value.trim();
    Shown {
        variable: key.to_owned(),
        key: (!text.is_empty()).then(|| Token::new(text.to_owned())),
        is_vital: false,
        place: value.place,
    }
}

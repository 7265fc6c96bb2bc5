//! The commands of a shell script, one after the other, down to the engine that they start.

use std::path::PathBuf;

use super::{Found, Search, Start};
use crate::plan::engine::shell::{self, Course, Followed, Scope, settings};
use crate::plan::engine::words::Word;
use crate::plan::engine::{Earlier, earlier};
use crate::source_map::{Place, Spanned};

/// A script on the way through its commands.
struct Run<'a> {
    /// Where the script is written.
    place: Place,
    /// What `cd` was given last.
    directory: Option<Word>,
    /// The folder that it is in; absent: not known.
    folder: Option<PathBuf>,
    /// What has run.
    before: Vec<Earlier>,
    result: Start<'a>,
    /// What in it is not understood.
    unread: Option<String>,
}

/// A text that is read as a part of a script.
struct Part<'w> {
    script: &'w Word,
    /// `$1`, `$2` and so on.
    arguments: &'w [Word],
    /// Whether it runs.
    course: Course,
}

/// What a command of a script has the same shell read.
struct Inner {
    script: Word,
    arguments: Vec<Word>,
    /// Whether it is a function, whose own variables end with it.
    is_function: bool,
}

impl<'a> Search<'a> {
    /// What the commands of a script start: the first engine, else the first thing that may be one.
    pub(super) fn script(&mut self, script: &Word, arguments: &[Word], depth: usize) -> Start<'a> {
        let outside = self.environment.clone();
        let outer = self.functions.len();
        let folder = self.directory.as_ref().map(|folder| folder.as_path().to_path_buf());
        let mut run = Run {
            place: script.place.clone(),
            directory: None,
            folder,
            before: Vec::new(),
            result: Start::Other,
            unread: None,
        };
        let part = Part { script, arguments, course: Course::Certain };
        self.follow(&mut run, &part, depth);
        self.environment = outside;
        self.functions.truncate(outer);
        self.ran.append(&mut run.before);
        match (run.unread, run.result) {
            (Some(why), Start::Other) => Start::Opaque(Spanned::new(why, script.place.clone())),
            (_, result) => result,
        }
    }

    /// Follows the commands of a part of a script, and those of what it calls and has read as a script.
    fn follow(&mut self, run: &mut Run<'a>, part: &Part<'_>, depth: usize) {
        let parsed = shell::parse(&part.script.text);
        self.functions.extend(parsed.functions);
        let mut followed = Followed::default();
        let mut arguments = part.arguments.to_vec();
        let mut at_most = part.course;
        for command in &parsed.commands {
            let Some(left) = self.tries.checked_sub(1) else { break };
            self.tries = left;
            let course = followed.course(command).min(at_most);
            if course == Course::Never {
                continue;
            }
            let scope = Scope {
                environment: &self.environment,
                arguments: &arguments,
                place: &part.script.place,
                unset_is_empty: command.is_test(),
            };
            let assigned = command.words.iter().map_while(shell::assignment);
            let assigned: Vec<(String, Word)> =
                assigned.map(|(name, raw)| (name.to_owned(), scope.value(&raw))).collect();
            let words = scope.words(command.words.get(assigned.len()..).unwrap_or_default());
            let written = scope.words(&command.written);
            followed.ran(&words);
            // What stands before a command is set for that command alone.
            let outer = self.environment.clone();
            let alone = !assigned.is_empty() && !words.is_empty();
            if alone {
                assigned.into_iter().for_each(|(name, value)| self.environment.set(name, value));
            } else {
                settings::assign(&mut self.environment, assigned, course);
            }
            if words.first().is_some_and(|program| program.is("return")) {
                if course == Course::Certain {
                    break;
                }
                at_most = Course::Possible;
            }
            change(&mut arguments, &words, course);
            self.locals.extend(settings::locals(&words).map(str::to_owned));
            match self.inner(&words, (&part.script.place, &arguments)) {
                Some(inner) => self.follow_inner(run, &inner, course, depth),
                None => {
                    settings::run(&mut self.environment, &words, course);
                    self.command(run, &words, &written, depth);
                }
            }
            if alone {
                self.environment = outer;
            }
        }
        if run.unread.is_none() {
            run.unread = parsed.unread;
        }
    }

    /// What `eval` is given, or the function that a command calls.
    fn inner(&self, words: &[Word], (place, arguments): (&Place, &[Word])) -> Option<Inner> {
        let (first, rest) = words.split_first()?;
        if first.is("eval") {
            let texts: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
            let unknown = rest.iter().find_map(|word| word.unknown.clone());
            let script = Word { unknown, ..Word::known(texts.join(" "), place) };
            return Some(Inner { script, arguments: arguments.to_vec(), is_function: false });
        }
        // What is defined again is what it was given last.
        let mut functions = self.functions.iter().rev();
        let function = functions.find(|function| first.is(&function.name))?;
        let script = Word::known(function.body.as_str(), place);
        Some(Inner { script, arguments: rest.to_vec(), is_function: true })
    }

    fn follow_inner(&mut self, run: &mut Run<'a>, inner: &Inner, course: Course, depth: usize) {
        let Inner { script, arguments, is_function } = inner;
        let unknown = script.unknown.as_ref();
        let unknown = unknown.map(|why| Spanned::new(why.clone(), script.place.clone()));
        // With a word behind it, a program is written out, whatever else it is given; of what stands first
        // and is not known, a blank is left.
        let is_first_known = !script.text.starts_with(char::is_whitespace);
        let names_program = is_first_known && script.text.split_whitespace().nth(1).is_some();
        if let Some(unknown) = unknown.clone().filter(|_| !names_program) {
            return run.goes_on(Start::Opaque(unknown), None);
        }
        let (outer, own) = (self.environment.clone(), self.locals.len());
        match depth.checked_sub(1) {
            Some(depth) => self.follow(run, &Part { script, arguments, course }, depth),
            None => run.unread = Some("the script calls itself too often".to_owned()),
        }
        if *is_function {
            let own = self.locals.split_off(own);
            own.iter().for_each(|name| self.environment.take_over(name, &outer));
        }
        if let Start::Engine(found) = &mut run.result {
            found.unread.extend(unknown);
        }
    }

    fn command(&mut self, run: &mut Run<'a>, words: &[Word], written: &[Word], depth: usize) {
        let own = Earlier::of(words, written, run.folder.as_deref());
        if words.first().is_some_and(|program| program.is("cd")) {
            run.directory = words.get(1).cloned();
            let folder = run.folder.take();
            run.folder = run.directory.as_ref().and_then(|target| earlier::after(folder, target));
        }
        let start = self.start(words, depth);
        run.goes_on(start, own);
    }
}

impl<'a> Run<'a> {
    /// Goes on behind a command, `own`, that has started something.
    fn goes_on(&mut self, start: Start<'a>, own: Option<Earlier>) {
        match (start, &mut self.result) {
            (Start::Engine(_), Start::Engine(first)) => first.unread.push(Spanned::new(
                "the script starts an engine more than once, of which the first is read".to_owned(),
                self.place.clone(),
            )),
            (Start::Engine(found), _) => self.starts(found),
            (start @ Start::Opaque(_), Start::Other) => {
                self.before.extend(own);
                self.result = start;
            }
            (Start::Opaque(_) | Start::Other, _) => self.before.extend(own),
        }
    }

    fn starts(&mut self, mut found: Box<Found<'a>>) {
        found.directory = found.directory.or_else(|| self.directory.clone());
        found.before.splice(..0, self.before.drain(..));
        self.result = Start::Engine(found);
    }
}

/// Does what `shift` and `set --` do to `$1`, `$2` and so on.
fn change(arguments: &mut Vec<Word>, words: &[Word], course: Course) {
    let Some((program, operands)) = words.split_first() else { return };
    let is_set = program.is("set") && operands.first().is_some_and(|word| word.is("--"));
    if !(is_set || program.is("shift")) {
        return;
    }
    let count = match operands.first() {
        Some(word) if word.unknown.is_none() => word.text.parse().ok(),
        Some(_) => None,
        None => Some(1_usize),
    };
    match (course, is_set, count) {
        (Course::Certain, true, _) => *arguments = operands.get(1..).unwrap_or_default().to_vec(),
        (Course::Certain, false, Some(count)) => {
            arguments.drain(..count.min(arguments.len()));
        }
        _ => {
            let why = || Some("the script changes its own words in more than one way".to_owned());
            arguments.iter_mut().for_each(|word| word.unknown = why());
        }
    }
}

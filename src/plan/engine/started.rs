//! Which files a service has run when it starts and when its health is asked for: programs, and the
//! scripts that a shell reads.

use crate::path::ServicePath;
use crate::plan::engine::launch::WRAPPERS;
use crate::plan::engine::shell::{self, Scope};
use crate::plan::engine::words::{Environment, Word};
use crate::project::Service;
use crate::source_map::Place;

/// How deep shells are followed into shells.
const DEEPEST: usize = 4;

/// Wrappers whose first word is not the program.
const OWN_WORD: [&str; 5] = ["chrt", "gosu", "su-exec", "taskset", "timeout"];

/// The files, by absolute paths, that the words of `service` run, and those of its health check
/// (`health`: as in `healthcheck.test`). Where the image has the entrypoint, the first word of
/// `command` may be its argument: then only a shell is believed.
#[must_use]
pub fn started_files(service: &Service, health: &[String]) -> Vec<ServicePath> {
    let mut reader = Reader { environment: Environment::new(service, &[]), found: Vec::new() };
    let written = service.words();
    let words: Vec<Word> =
        written.map(|word| Word::known(word.value.as_str(), &word.place)).collect();
    let is_shell = words.first().is_some_and(Word::is_shell);
    if service.entrypoint.is_some() || is_shell {
        reader.words(&words, DEEPEST);
    }
    match health.split_first() {
        Some((form, test)) if form == "CMD" => {
            let test: Vec<Word> =
                test.iter().map(|word| Word::known(word.as_str(), &Place::nowhere())).collect();
            reader.words(&test, DEEPEST);
        }
        Some((form, [script])) if form == "CMD-SHELL" => {
            reader.script(script, &[], &Place::nowhere(), DEEPEST);
        }
        Some(_) | None => {}
    }
    reader.found
}

struct Reader<'a> {
    environment: Environment<'a>,
    found: Vec<ServicePath>,
}

impl Reader<'_> {
    fn words(&mut self, words: &[Word], depth: usize) {
        let Some((first, rest)) = words.split_first().filter(|_| 0 < depth) else { return };
        self.file(first);
        let program = first.program();
        if WRAPPERS.contains(&program) {
            let is_own = |word: &&Word| word.text.starts_with('-') || word.text.contains('=');
            let mut own = rest.iter().take_while(is_own).count();
            // Of these the first word is a user, a time or a priority.
            own += usize::from(OWN_WORD.contains(&program));
            self.words(rest.get(own..).unwrap_or_default(), depth - 1);
        } else if first.is_shell() {
            self.shell(rest, depth - 1);
        } else if matches!(first.text.as_str(), "." | "source") {
            rest.first().into_iter().for_each(|script| self.file(script));
        }
    }

    /// What a shell does with its words: a script that is one of them, or the file of one.
    fn shell(&mut self, words: &[Word], depth: usize) {
        let options = words.iter().take_while(|word| word.text.starts_with('-')).count();
        let (options, rest) = words.split_at(options);
        let Some((first, arguments)) = rest.split_first() else { return };
        let takes_text =
            |option: &Word| !option.text.starts_with("--") && option.text.contains('c');
        if options.iter().any(takes_text) {
            if first.unknown.is_none() {
                let arguments = arguments.get(1..).unwrap_or_default();
                self.script(&first.text, arguments, &first.place, depth);
            }
        } else {
            self.file(first);
        }
    }

    fn script(&mut self, text: &str, arguments: &[Word], place: &Place, depth: usize) {
        let Some(deeper) = depth.checked_sub(1) else { return };
        let script = shell::parse(text);
        for function in script.functions {
            self.script(&function.body, &[], place, deeper);
        }
        for shell::Command { words: command, .. } in script.commands {
            let assigned = command.iter().take_while(|raw| shell::assignment(raw).is_some());
            let assigned = assigned.count();
            let scope =
                Scope { environment: &self.environment, arguments, place, unset_is_empty: false };
            let words = scope.words(command.get(assigned..).unwrap_or_default());
            self.words(&words, depth);
        }
    }

    fn file(&mut self, word: &Word) {
        let path = ServicePath::new(crate::path::clean(word.text.as_ref()));
        if word.unknown.is_none() && word.text.starts_with('/') && !self.found.contains(&path) {
            self.found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_map::Spanned;

    fn check(entrypoint: Option<&[&str]>, command: &[&str], health: &[&str], expected: &[&str]) {
        let words = |texts: &[&str]| -> Vec<Spanned<String>> {
            texts.iter().map(|text| Spanned::nowhere((*text).to_owned())).collect()
        };
        let service = Service {
            entrypoint: entrypoint.map(words),
            command: Some(words(command)),
            ..Service::named(Spanned::nowhere("engine".to_owned()))
        };
        let health: Vec<String> = health.iter().map(|word| (*word).to_owned()).collect();
        let found: Vec<String> =
            started_files(&service, &health).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{entrypoint:?} {command:?} {health:?}");
    }

    #[test]
    fn programs_and_scripts_are_told_from_what_they_are_given() {
        check(Some(&["/start", "/models/a"]), &[], &[], &["/start"]);
        check(Some(&["/bin/sh", "/start/run"]), &["/models"], &[], &["/bin/sh", "/start/run"]);
        // A folder is as good as a file for Python.
        check(Some(&["python3", "/app/serve"]), &["/models"], &[], &[]);
        check(Some(&["tini", "-g", "/start"]), &[], &[], &["/start"]);
        check(Some(&["timeout", "9", "/start"]), &[], &[], &["/start"]);
        check(Some(&["gosu", "app", "/start", "/x"]), &[], &[], &["/start"]);
        let script = "X=1 /check/models /a && exec vllm serve /a";
        check(Some(&["sh", "-c", script]), &[], &[], &["/check/models"]);
        let script = "run() {\n# don't\n/check/it \"$1\"; }\nrun x";
        check(Some(&["sh", "-c", script]), &[], &[], &["/check/it"]);
        check(None, &["sh", "-ec", ". /etc/keys; /check $HOME/a"], &[], &["/etc/keys", "/check"]);
    }

    #[test]
    fn the_first_word_behind_an_entrypoint_that_is_not_known_may_be_anything() {
        check(None, &["/models/a"], &[], &[]);
        check(Some(&[]), &["/start"], &[], &["/start"]);
    }

    #[test]
    fn a_health_check_runs_its_program_as_well() {
        check(None, &[], &["CMD", "/check/health", "/models"], &["/check/health"]);
        check(None, &[], &["CMD-SHELL", "/check/health && curl -f x"], &["/check/health"]);
        check(None, &[], &["NONE"], &[]);
    }
}

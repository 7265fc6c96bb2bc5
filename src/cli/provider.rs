//! How Docker Compose calls preflight as the provider of a service: `preflight compose
//! --project-name=NAME up --lane=reader --file=compose.yaml SERVICE`, options in any order (docker/compose
//! 2.40.3 pkg/compose/plugins.go; 5.5.0 docs/extension.md). Releases before 2.40.0 write
//! `--project-name NAME` in two words, and of those the first, 2.36.0, ends at a message of the type `debug`.
//!
//! On standard output it reads messages and nothing else, so what is wrong with the call is told as one.

use std::ffi::OsString;

use clap::CommandFactory as _;
use serde_json::{Value, json};

use super::Cli;
use super::environment::Environment;
use super::flags::switch;
use super::target::About;
use crate::options::provider::{OPTIONS, Takes, meant, takes};
use crate::options::{Format, Options, OptionsError, ProgressStyle, Task, Token};

/// The command that every provider has.
const COMMAND: &str = "compose";

/// How the project is called.
const PROJECT_NAME: &str = "--project-name";

/// What Compose asks of a provider, and has it do.
const VERBS: [&str; 4] = ["metadata", "up", "down", "stop"];

/// What Compose wants of a provider.
#[derive(Debug)]
pub enum Call {
    /// Which options there are, as JSON.
    Describe(String),
    /// That everything is ready when it ends.
    Up(Box<Up>),
    /// That nothing is left or runs: nothing ever does.
    Release,
    /// What cannot be understood.
    Refused(Refusal),
}

/// Why a call cannot be understood.
#[derive(Debug)]
pub struct Refusal {
    /// In words, which may have been those of the call.
    pub why: String,
    /// The user's token, which may be among them.
    pub token: Option<Token>,
}

/// What `compose up` was called with.
#[derive(Debug)]
pub struct Up {
    /// As if it had been typed.
    pub cli: Cli,
    /// Whether this release of Compose is known to take messages of the type `debug`.
    pub knows_debug: bool,
    /// The service.
    service: String,
}

/// What Compose calls this process for; absent: somebody else has.
#[must_use]
pub fn called() -> Option<Call> {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (command, words) = words.split_first()?;
    let joined = &in_one_word(words);
    let is_verb = |word: &&String| VERBS.contains(&word.as_str());
    let verb = joined.iter().find(is_verb).filter(|_| command == COMMAND)?;
    Some(match verb.as_str() {
        "metadata" => Call::Describe(format!("{}\n", metadata())),
        "up" => {
            let knows_debug = joined.len() == words.len();
            let up = up(joined).map(|up| Up { knows_debug, ..up });
            up.map_or_else(refused, |up| Call::Up(Box::new(up)))
        }
        _ => Call::Release,
    })
}

fn refused(why: String) -> Call {
    let environment = Environment::of_this_process().ok();
    let token = environment.and_then(|environment| environment.token().ok().flatten());
    Call::Refused(Refusal { why, token: token.map(|(token, _)| token) })
}

/// The words with the name of the project behind its flag.
fn in_one_word(words: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for word in words {
        match joined.last_mut().filter(|last| *last == PROJECT_NAME) {
            Some(flag) => *flag = format!("{flag}={word}"),
            None => joined.push(word.clone()),
        }
    }
    joined
}

impl Up {
    /// What to do, told in messages.
    ///
    /// # Errors
    /// As [`Cli::request`].
    pub fn options(self) -> Result<Options, OptionsError> {
        let environment = Environment::of_this_process()?;
        let mut options = self.cli.flags.options(Task::Fetch, About::Path(None), environment)?;
        options.project.switched_on.insert(self.service.clone());
        options.project.provider_of = Some(self.service);
        // Compose has accepted the file.
        options.project.keeps_unknown_keys = true;
        let report = &mut options.report;
        report.format = Format::HUMAN;
        report.progress = ProgressStyle::Messages;
        (report.color, report.quiet, report.is_seen_whole) = (false, false, false);
        Ok(options)
    }
}

/// What is to be done before a service counts as started.
fn up(words: &[String]) -> Result<Up, String> {
    let (service, words) = words.split_last().ok_or("Docker Compose names no service")?;
    let mut typed = vec!["preflight".to_owned(), "fetch".to_owned(), "--role=hand".to_owned()];
    for word in words.iter().filter(|word| *word != "up") {
        let (name, value) = word
            .strip_prefix("--")
            .and_then(|word| word.split_once('='))
            .ok_or_else(|| format!("`{word}` is no option: expected `--NAME=VALUE`"))?;
        match takes(name) {
            Some(Takes::Text) => typed.push(word.clone()),
            None if name == "project-name" => typed.push(word.clone()),
            Some(Takes::Switch) => match switch(value) {
                Ok(true) => typed.push(format!("--{name}")),
                Ok(false) => {}
                Err(expected) => return Err(format!("`{name}` is `{value}`: {expected}")),
            },
            None => return Err(format!("there is no option `{name}`: {}", meant(name))),
        }
    }
    let words = typed.into_iter().map(OsString::from);
    let cli = Cli::parsed(words).map_err(|error| {
        let said = error.render().to_string();
        let said = said.split("\n\n").next().unwrap_or_default();
        said.trim_start_matches("error: ").to_owned()
    })?;
    Ok(Up { cli, knows_debug: true, service: service.clone() })
}

/// What Compose takes out of the service's `options` and hands on, with the words of the help.
fn metadata() -> Value {
    let command = Cli::command();
    let parameter = |(name, takes): &(&str, Takes)| {
        let argument = command.get_arguments().find(|it| it.get_long() == Some(name));
        let help = argument.and_then(|argument| argument.get_help());
        json!({
            "name": name,
            "description": help.map(ToString::to_string).unwrap_or_default(),
            "required": false,
            "type": match takes {
                Takes::Text => "string",
                Takes::Switch => "boolean",
            },
        })
    };
    json!({
        "description": "Proves that every model of the stack will load, before any engine starts",
        "up": {"parameters": OPTIONS.iter().map(parameter).collect::<Vec<_>>()},
        "down": {"parameters": []},
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_options_are_flags_of_the_command_line() {
        let command = Cli::command();
        for (name, takes) in OPTIONS {
            let mut arguments = command.get_arguments();
            let argument = arguments.find(|it| it.get_long() == Some(name)).unwrap();
            assert_eq!(argument.get_action().takes_values(), takes == Takes::Text, "{name}");
        }
    }

    #[test]
    fn options_come_in_any_order_and_switches_with_a_value() {
        let called = words(
            "--project-name=p up --no-fetch=true --lane=a --offline=false --file=x.yaml --lane=b gate",
        );
        let Up { cli, service, .. } = up(&called).unwrap();
        assert_eq!(service, "gate");
        let options = cli
            .flags
            .options(
                Task::Fetch,
                About::Path(None),
                Environment { variables: indexmap::IndexMap::new(), working_directory: "/".into() },
            )
            .unwrap();
        assert_eq!(options.project.name.as_deref(), Some("p"));
        assert_eq!(options.project.files, [PathBuf::from("x.yaml")]);
        assert_eq!(options.selection.lanes, ["a", "b"]);
        assert!(!options.fetch && !options.hub.offline);
    }

    #[test]
    fn the_name_of_the_project_may_be_a_word_of_its_own() {
        for name in ["demo", "up", "down"] {
            let called = in_one_word(&words(&format!("--project-name {name} up --lane=a gate")));
            assert_eq!(called, words(&format!("--project-name={name} up --lane=a gate")));
        }
        let Up { cli, service, .. } = up(&in_one_word(&words("--project-name p up gate"))).unwrap();
        assert_eq!(service, "gate");
        let variables = indexmap::IndexMap::new();
        let environment = Environment { variables, working_directory: "/".into() };
        let options = cli.flags.options(Task::Fetch, About::Path(None), environment).unwrap();
        assert_eq!(options.project.name.as_deref(), Some("p"));
    }

    #[test]
    fn what_is_no_option_is_refused_with_what_may_be_meant() {
        for (called, expected) in [
            (
                "--project-name=p up --lanes=a gate",
                "there is no option `lanes`: did you mean `lane`?",
            ),
            (
                "--project-name=p up --no-fetch=maybe gate",
                "`no-fetch` is `maybe`: expected `true` or `false`",
            ),
            ("--project-name=p up --lane gate", "`--lane` is no option: expected `--NAME=VALUE`"),
            ("--project-name=p up --role=init gate", "there is no option `role`: there are file, "),
        ] {
            let refused = up(&words(called)).unwrap_err();
            assert!(refused.starts_with(expected), "{called}: {refused}");
        }
    }
}

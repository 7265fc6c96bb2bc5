//! Which flags come from variables of the environment, so that an error names the variable.

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

use super::environment;
use crate::report::Failure;

/// The flags that variables set, by the variables' names.
#[derive(Debug, Clone, Default)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// The failure with the variables that name what it is about.
    #[must_use]
    pub fn blamed(&self, mut failure: Failure) -> Failure {
        let Self(set) = self;
        for (name, value) in set {
            let mut parts = value.split([',', '=']).filter(|part| !part.is_empty());
            let is_named = |part: &str| {
                let message = &failure.message;
                message.contains(&format!("`{part}`")) || message.contains(&format!("/{part}`"))
            };
            if is_named(value) || parts.any(is_named) {
                failure.causes.push(format!("`{name}` is set to `{value}` in the environment"));
            }
        }
        failure
    }
}

/// Those that were taken: what the command line says itself is stronger.
pub(super) fn set(command: &Command, matches: &ArgMatches) -> Variables {
    let taken = |argument: &&Arg| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::EnvVariable)
    };
    let named = |argument: &Arg| {
        let name = argument.get_env()?.to_str()?;
        Some((name.to_owned(), environment::value(name)?))
    };
    Variables(command.get_arguments().filter(taken).filter_map(named).collect())
}

/// An error about a value, with the variable that has it, if that is where it comes from.
pub(super) fn named(error: Error, command: &Command) -> Error {
    let (Some(ContextValue::String(flag)), Some(ContextValue::String(value))) =
        (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue))
    else {
        return error;
    };
    let long = flag.trim_start_matches("--").split([' ', '=']).next().unwrap_or_default();
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_long() == Some(long));
    let name = argument.and_then(|argument| argument.get_env()?.to_str());
    let is_typed = std::env::args()
        .any(|word| word.strip_prefix("--").and_then(|word| word.split('=').next()) == Some(long));
    match name.filter(|name| !is_typed && environment::value(name).as_ref() == Some(value)) {
        Some(name) => {
            let said = error.render().to_string().replacen(
                &format!("'{flag}'"),
                &format!("'{flag}', which the variable {name} sets"),
                1,
            );
            Error::raw(error.kind(), said.trim_start_matches("error: "))
        }
        None => error,
    }
}

//! What an engine refuses about its words, as findings.

use super::{of_service, rules};
use crate::facts::LaneFacts;
use crate::findings::{Finding, Severity};
use crate::options::Role;
use crate::plan::engine::{Complaint, Engine, Invocation, UnsetVariable};
use crate::plan::lanes::Lane;
use crate::source_map::Spanned;

/// What is said about a complaint.
pub(super) fn told(
    facts: &LaneFacts,
    invocation: &Invocation,
    complaint: &Spanned<Complaint>,
) -> Finding {
    let lost = lost_to(invocation, complaint);
    let mut place = complaint.place.clone();
    // The other variables of the same text are not to blame.
    place.variables.retain(|variable| lost.iter().any(|unset| unset.name == variable.name));
    if lost.is_empty() {
        let is_cut = matches!(complaint.value, Complaint::CommandCut { .. });
        let place = if is_cut { &place } else { &complaint.place };
        return refused(&facts.lane, invocation, &complaint.value).at(place);
    }
    let finding = lost_value(&facts.lane, invocation, complaint, &lost).at(&place);
    match facts.orders.role {
        // The shell that Compose was started from may set it.
        Role::Init if !invocation.observed => finding.severity(Severity::Warning),
        Role::Init | Role::Hand => finding,
    }
}

/// The variables that were expanded to nothing where a flag is without its value.
pub(super) fn lost_to<'a>(
    invocation: &'a Invocation,
    complaint: &Spanned<Complaint>,
) -> Vec<&'a UnsetVariable> {
    let is_here = |unset: &&UnsetVariable| {
        complaint.place.variables.iter().any(|variable| variable.name == unset.name)
    };
    let unset = invocation.unset.iter().filter(|_| complaint.value.misses_something());
    unset.filter(is_here).collect()
}

/// A complaint that is only there because of variables that are not set.
fn lost_value(
    lane: &Lane,
    invocation: &Invocation,
    complaint: &Spanned<Complaint>,
    lost: &[&UnsetVariable],
) -> Finding {
    let Finding { message: effect, severity, .. } = refused(lane, invocation, &complaint.value);
    let in_service: Vec<_> = lost
        .iter()
        .filter_map(|unset| Some((&unset.name, unset.set_in_service.as_ref()?)))
        .collect();
    if in_service.is_empty() {
        let names = listed(lost.iter().map(|unset| format!("`{}`", unset.name)));
        let message = format!("{names} is not set, so {effect}");
        let fix = format!("set {names} in `.env`");
        return Finding::new(&rules::COMMAND_LINE_REFUSED, message, fix).severity(severity);
    }
    let names = listed(in_service.iter().map(|(name, _)| format!("`{name}`")));
    let message = format!(
        "Compose expands {names} in the command{} to nothing, before the service's own \
         environment exists: {effect}",
        of_service(lane)
    );
    let fix = if invocation.in_shell {
        let doubled = listed(in_service.iter().map(|(name, _)| format!("`$${{{name}}}`")));
        format!(
            "write {doubled}, so that the shell in the container expands it, or set {names} in \
             `.env`, where Compose looks"
        )
    } else {
        format!("set {names} in `.env`, where Compose looks, or write the value into the command")
    };
    let finding = Finding::new(&rules::VARIABLE_CONSUMED_BY_COMPOSE, message, fix);
    in_service.iter().fold(finding.severity(severity), |finding, (name, place)| {
        finding.also(place, format!("`{name}` is set here"))
    })
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn empty_model(name: &str, by: &str, instead: Option<&str>) -> String {
    match instead {
        Some(instead) => format!("`{by}` is empty: {instead}"),
        None => format!("{name} gets an empty `{by}` and exits"),
    }
}

fn swallowed(name: &str, flag: &str, next: &str) -> String {
    format!("{name} takes `{next}` for the value of `{flag}`")
}

/// An error where the engine is sure to refuse it.
fn certain(is_certain: bool) -> Severity {
    if is_certain { Severity::Error } else { Severity::Warning }
}

fn refused(lane: &Lane, invocation: &Invocation, complaint: &Complaint) -> Finding {
    let engine = invocation.engine;
    let name = engine.name();
    let write =
        |by: &str| format!("write the value of `{by}`, or set the variable that was to hold it");
    let behind = |by: &str| {
        format!("write the value behind `{by}`, or set the variable that was to hold it")
    };
    match complaint {
        Complaint::JoinedValue { flag, value } => {
            let value = if is_secret(flag) { "..." } else { value };
            Finding::new(
                &rules::FLAG_UNKNOWN_TO_ENGINE,
                format!("{name} does not know the flag `{flag}={value}` and exits"),
                format!("write the flag and its value as two words: `{flag} {value}`"),
            )
        }
        Complaint::NoValue { flag } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            format!("`{flag}` needs a value and none follows it, so {name} exits"),
            behind(flag),
        ),
        Complaint::EmptyValue { by } => {
            let message = format!("the value of `{by}` is empty");
            Finding::new(&rules::COMMAND_LINE_REFUSED, message, write(by))
                .severity(Severity::Warning)
        }
        Complaint::EmptyModel { by, instead } => {
            Finding::new(&rules::COMMAND_LINE_REFUSED, empty_model(name, by, *instead), write(by))
        }
        Complaint::SwallowedFlag { flag, next, exits } => {
            let message = swallowed(name, flag, next);
            Finding::new(&rules::COMMAND_LINE_REFUSED, message, behind(flag))
                .severity(certain(*exits || invocation.lost_model()))
        }
        Complaint::NotANumber { by, value } => not_a_number(engine, by, value),
        Complaint::RemovedFlag { .. }
        | Complaint::CommandCut { .. }
        | Complaint::ModelTwice { .. }
        | Complaint::ExtraWord { .. }
        | Complaint::ProgramRepeated { .. } => refused_words(name, &of_service(lane), complaint),
    }
}

fn not_a_number(engine: Engine, by: &str, value: &str) -> Finding {
    // llama-server takes the digits at the beginning for the number.
    let number = value.trim_start_matches(['-', '+']);
    let is_read = number.starts_with(|first: char| first.is_ascii_digit());
    let refuses = engine.command_line().refuses_numbers || !is_read;
    let what = if value.is_empty() { "nothing" } else { &format!("`{value}`") };
    Finding::new(
        &rules::COMMAND_LINE_REFUSED,
        format!("`{by}` takes a number in its range, and {what} is none"),
        format!("write a number that `{by}` takes"),
    )
    .severity(certain(refuses && by.starts_with('-')))
}

/// What is said about words, not about the value of one flag. `of` names the service.
fn refused_words(name: &str, of: &str, complaint: &Complaint) -> Finding {
    let (rule, message, fix) = match complaint {
        Complaint::CommandCut { .. } => {
            let (message, fix) = cut(name, of, complaint);
            (&rules::COMMAND_CUT_BY_SHELL_WORDS, message, fix)
        }
        Complaint::RemovedFlag { flag, release } => (
            &rules::FLAG_UNKNOWN_TO_ENGINE,
            format!("{name} {release} has no flag `{flag}` any more and exits"),
            format!("remove `{flag}` from the command{of}, or pin the image to an older release"),
        ),
        Complaint::ModelTwice { model, other } => (
            &rules::COMMAND_LINE_REFUSED,
            format!("the command{of} names two models, `{model}` and `{other}`"),
            format!("remove one of the two from the command{of}"),
        ),
        Complaint::ExtraWord { word } if word.is_empty() => (
            &rules::COMMAND_LINE_REFUSED,
            format!("{name} does not take an empty word, and exits"),
            format!("remove the empty word from the command{of}, or set the variable that it is"),
        ),
        Complaint::ExtraWord { word } => (
            &rules::COMMAND_LINE_REFUSED,
            format!("{name} does not take the word `{word}` where it stands, and exits"),
            format!("remove `{word}`, or write the flag in front that it is a value of"),
        ),
        Complaint::ProgramRepeated { program } => (
            &rules::COMMAND_LINE_REFUSED,
            format!(
                "the command{of} starts {name} again: the entrypoint is `{program}` already, so \
                 the name of the program is taken for an argument"
            ),
            "remove the program's name from `command` and leave only what stands behind it, or \
             set `entrypoint: []`"
                .to_owned(),
        ),
        Complaint::JoinedValue { .. }
        | Complaint::NoValue { .. }
        | Complaint::EmptyValue { .. }
        | Complaint::EmptyModel { .. }
        | Complaint::SwallowedFlag { .. }
        | Complaint::NotANumber { .. } => {
            (&rules::COMMAND_LINE_REFUSED, String::new(), String::new())
        }
    };
    let finding = Finding::new(rule, message, fix);
    let may_work = matches!(complaint, Complaint::ModelTwice { .. });
    if may_work { finding.severity(Severity::Warning) } else { finding }
}

/// What is said of a line that Compose does not take as it is written, and what to do.
fn cut(name: &str, of: &str, complaint: &Complaint) -> (String, String) {
    let Complaint::CommandCut { key, at, left, own_entrypoint, bare, lines } = complaint else {
        return Default::default();
    };
    let left = left.trim_end();
    let how = match at {
        Some(at) => format!("ends the `{key}`{of} at its first `{at}` outside quotes"),
        None => format!("splits the `{key}`{of} into words, of which a shell runs the first"),
    };
    let outcome = match (bare, own_entrypoint) {
        (true, _) => format!("the container runs `{left}`, and {name} gets none of its words"),
        (false, true) => format!("the container runs `{left}` and no engine"),
        (false, false) => format!("only `{left}` is left of it, and what starts {name} is cut off"),
    };
    let shell = if *own_entrypoint { "" } else { "set `entrypoint: [\"/bin/sh\", \"-c\"]`, and " };
    let style = if *lines { "`- |`" } else { "`- >`, with all of its lines indented alike" };
    let fix =
        format!("{shell}write the text as the one item of a list, below `{key}:` and {style}");
    (format!("Compose {how}: {outcome}"), fix)
}

/// Whether the value of a flag must not be shown.
pub(super) fn is_secret(flag: &str) -> bool {
    ["key", "token", "password"].iter().any(|secret| flag.to_ascii_lowercase().contains(secret))
}

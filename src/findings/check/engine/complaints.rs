//! What an engine refuses about its words, as findings.

use super::{of_service, rules};
use crate::facts::LaneFacts;
use crate::findings::{Finding, Severity};
use crate::options::Role;
use crate::plan::engine::{Complaint, Invocation, UnsetVariable};
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
    let is_lost = complaint.value.loses_value()
        || matches!(
            complaint.value,
            Complaint::EmptyValue { .. } | Complaint::SwallowedFlag { .. }
        );
    let is_here = |unset: &&UnsetVariable| {
        complaint.place.variables.iter().any(|variable| variable.name == unset.name)
    };
    invocation.unset.iter().filter(|_| is_lost).filter(is_here).collect()
}

fn lost_value(
    lane: &Lane,
    invocation: &Invocation,
    complaint: &Spanned<Complaint>,
    lost: &[&UnsetVariable],
) -> Finding {
    let names: Vec<String> = lost.iter().map(|unset| format!("`{}`", unset.name)).collect();
    let (names, of) = (names.join(", "), of_service(lane));
    let (effect, severity) = effect(invocation, &complaint.value);
    if lost.iter().all(|unset| unset.set_in_service.is_none()) {
        let message = format!("{names} is not set, so {effect}");
        let fix = format!("set {names} in `.env`");
        return Finding::new(&rules::COMMAND_LINE_REFUSED, message, fix).severity(severity);
    }
    let message = format!(
        "Compose expands {names} in the command{of} to nothing, before the service's own \
         environment exists: {effect}"
    );
    let fix = if invocation.in_shell {
        let doubled: Vec<String> =
            lost.iter().map(|unset| format!("`$${{{}}}`", unset.name)).collect();
        format!(
            "write {}, so that the shell in the container expands it, or set {names} in `.env`, \
             where Compose looks",
            doubled.join(", ")
        )
    } else {
        format!("set {names} in `.env`, where Compose looks, or write the value into the command")
    };
    let finding = Finding::new(&rules::VARIABLE_CONSUMED_BY_COMPOSE, message, fix);
    let places = lost.iter().filter_map(|it| Some((it, it.set_in_service.as_ref()?)));
    places.fold(finding.severity(severity), |finding, (unset, place)| {
        finding.also(place, format!("`{}` is set here", unset.name))
    })
}

/// What the engine does without the value.
fn effect(invocation: &Invocation, complaint: &Complaint) -> (String, Severity) {
    let name = invocation.engine.name();
    match complaint {
        Complaint::SwallowedFlag { flag, next, exits } => {
            (swallowed(name, flag, next), certain(*exits || invocation.lost_model()))
        }
        Complaint::EmptyModel { by, instead } => (empty_model(name, by, *instead), Severity::Error),
        Complaint::NoValue { flag } => {
            (format!("{name} gets no value for `{flag}` and exits"), Severity::Error)
        }
        Complaint::EmptyValue { by } => {
            (format!("the value of `{by}` is empty"), Severity::Warning)
        }
        Complaint::JoinedValue { .. }
        | Complaint::RemovedFlag { .. }
        | Complaint::CommandCut { .. }
        | Complaint::NotANumber { .. }
        | Complaint::ModelTwice { .. }
        | Complaint::ExtraWord { .. }
        | Complaint::ProgramRepeated { .. } => (String::new(), Severity::Error),
    }
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
    let of = of_service(lane);
    match complaint {
        Complaint::JoinedValue { flag, value } => {
            let value = if is_secret(flag) { "..." } else { value };
            Finding::new(
                &rules::FLAG_UNKNOWN_TO_ENGINE,
                format!("{name} does not know the flag `{flag}={value}` and exits"),
                format!("write the flag and its value as two words: `{flag} {value}`"),
            )
        }
        Complaint::RemovedFlag { flag, release } => Finding::new(
            &rules::FLAG_UNKNOWN_TO_ENGINE,
            format!("{name} {release} has no flag `{flag}` any more and exits"),
            format!("remove `{flag}` from the command{of}, or pin the image to an older release"),
        ),
        Complaint::NoValue { flag } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            format!("`{flag}` needs a value and none follows it, so {name} exits"),
            format!("write the value behind `{flag}`, or set the variable that was to hold it"),
        ),
        Complaint::EmptyValue { by } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            format!("the value of `{by}` is empty"),
            format!("write the value of `{by}`, or set the variable that was to hold it"),
        )
        .severity(Severity::Warning),
        Complaint::EmptyModel { by, instead } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            empty_model(name, by, *instead),
            format!("write the value of `{by}`, or set the variable that was to hold it"),
        ),
        Complaint::SwallowedFlag { flag, next, exits } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            swallowed(name, flag, next),
            format!("write the value behind `{flag}`, or set the variable that was to hold it"),
        )
        .severity(certain(*exits || invocation.lost_model())),
        Complaint::CommandCut { key, at, left, own_entrypoint } => {
            let how = match at {
                Some(at) => format!("ends the `{key}`{of} at its first `{at}` outside quotes"),
                None => {
                    format!("splits the `{key}`{of} into words, of which a shell runs the first")
                }
            };
            let outcome = if *own_entrypoint {
                format!("the container runs `{}` and no engine", left.trim_end())
            } else {
                format!(
                    "only `{}` is left of it, and what starts {name} is cut off",
                    left.trim_end()
                )
            };
            Finding::new(
                &rules::COMMAND_CUT_BY_SHELL_WORDS,
                format!("Compose {how}: {outcome}"),
                cut_fix(key, *own_entrypoint),
            )
        }
        Complaint::NotANumber { by, value } => {
            // llama-server reads the digits at the beginning; a variable may be ignored.
            let certain = engine.command_line().refuses_numbers && by.starts_with('-');
            Finding::new(
                &rules::COMMAND_LINE_REFUSED,
                format!("`{by}` takes a number in its range, and `{value}` is none"),
                format!("write a number that `{by}` takes"),
            )
            .severity(self::certain(certain))
        }
        Complaint::ModelTwice { model, other } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            format!("the command{of} names two models, `{model}` and `{other}`"),
            format!("remove one of the two from the command{of}"),
        )
        .severity(Severity::Warning),
        Complaint::ExtraWord { word } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            format!("{name} does not take the word `{word}` where it stands, and exits"),
            format!("remove `{word}`, or write the flag in front that it is a value of"),
        ),
        Complaint::ProgramRepeated { program } => Finding::new(
            &rules::COMMAND_LINE_REFUSED,
            format!(
                "the command{of} starts {name} again: the entrypoint is `{program}` already, so \
                 the name of the program is taken for an argument"
            ),
            "remove the program's name from `command` and leave only what stands behind it, or \
             set `entrypoint: []`",
        ),
    }
}

/// Whether the value of a flag must not be shown.
pub(super) fn is_secret(flag: &str) -> bool {
    ["key", "token", "password"].iter().any(|secret| flag.to_ascii_lowercase().contains(secret))
}

fn cut_fix(key: &str, own_entrypoint: bool) -> String {
    let shell = if own_entrypoint { "" } else { "set `entrypoint: [\"/bin/sh\", \"-c\"]`, and " };
    format!(
        "{shell}write the text as the one item of a list, below `{key}:` and `- >`, with all of its \
         lines indented alike"
    )
}

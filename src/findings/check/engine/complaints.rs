//! What an engine refuses about its words, as findings.

use super::{of_service, rules};
use crate::facts::LaneFacts;
use crate::findings::{Finding, Rule, Severity};
use crate::options::Role;
use crate::plan::engine::{
    Complaint, CutCommand, Elsewhere, Invocation, Refusal, StartsNoServer, StrayWord, UnknownFlag,
    UnsetVariable,
};
use crate::plan::lanes::Lane;
use crate::report::redact::names::{Secrecy, secrecy};
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
        Role::Init | Role::Hand | Role::Exec => finding,
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
        let so = if effect.contains(", so ") { ":" } else { ", so" };
        let message = format!("{names} is not set{so} {effect}");
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

fn refused(lane: &Lane, invocation: &Invocation, complaint: &Complaint) -> Finding {
    let (name, of) = (invocation.engine.name(), of_service(lane));
    let (rule, message, fix) = match complaint {
        Complaint::JoinedValue { flag, value } => joined(name, flag, value),
        Complaint::UnknownFlag(unknown) => unknown_flag(invocation, &of, unknown),
        Complaint::BadValue { by, value, expected, .. } => bad_value(by, value, expected),
        Complaint::SwitchValue { flag, value } => switch_value(name, flag, value),
        Complaint::Refused(Refusal { why, fix, .. }) => {
            (&rules::COMMAND_LINE_REFUSED, why.clone(), fix.clone())
        }
        Complaint::QuotedVariable { variable, meant, .. } => quoted(name, variable, meant),
        Complaint::NoValue { flag } => {
            let message = format!("`{flag}` needs a value and none follows it, so {name} exits");
            (&rules::COMMAND_LINE_REFUSED, message, write("behind", flag))
        }
        Complaint::EmptyValue { by } => {
            let message = format!("the value of `{by}` is empty");
            (&rules::COMMAND_LINE_REFUSED, message, write("of", by))
        }
        Complaint::EmptyModel { by, instead } => {
            (&rules::COMMAND_LINE_REFUSED, empty_model(name, by, *instead), write("of", by))
        }
        Complaint::SwallowedFlag { flag, next, .. } => {
            let message = format!("{name} takes `{next}` for the value of `{flag}`");
            (&rules::COMMAND_LINE_REFUSED, message, write("behind", flag))
        }
        Complaint::CommandCut(command) => cut(name, &of, command),
        Complaint::NotANumber { by, value } => {
            let what = if value.is_empty() { "nothing" } else { &format!("`{value}`") };
            let message = format!("`{by}` takes a number in its range, and {what} is none");
            (&rules::COMMAND_LINE_REFUSED, message, format!("write a number that `{by}` takes"))
        }
        Complaint::NumberCut { by, value, read } => (
            &rules::COMMAND_LINE_REFUSED,
            format!("{name} takes `{read}` for the number in `{by} {value}`"),
            format!("write the whole number of `{by}` in digits"),
        ),
        Complaint::ModelTwice { model, other } => (
            &rules::COMMAND_LINE_REFUSED,
            format!("the command{of} names two models, `{model}` and `{other}`"),
            format!("remove one of the two from the command{of}"),
        ),
        Complaint::ExtraWord { word } => extra_word(name, &of, word),
        Complaint::AddressOfRepository { by, address, name: repository } => (
            &rules::COMMAND_LINE_REFUSED,
            format!("`{address}` is an address, and `{by}` of {name} takes `owner/name` or a path"),
            format!("write `{by} {repository}`"),
        ),
        Complaint::ListReplaced { flag, lost } => (
            &rules::COMMAND_LINE_REFUSED,
            format!(
                "the last `{flag}` replaces the one before it, so {name} loads less than it names"
            ),
            format!("write all of them behind one `{flag}`, this one too: `{}`", lost.join(" ")),
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
        Complaint::ProgramBehindEntrypoint { entrypoint, words, program } => (
            &rules::STARTS_NO_SERVER,
            format!(
                "the entrypoint is `{entrypoint}`, so the command{of} does not run `{program}`: \
                 {name} takes `{words}` for its own words and exits"
            ),
            format!(
                "set `entrypoint: [\"{program}\"]` if that is what is to run, and leave the rest in `command`; else write the words of {name} there"
            ),
        ),
        Complaint::StartsNoServer(words) => starts_no_server(name, &of, words),
        Complaint::ImageMisspelt { meant, .. } => (
            &rules::IMAGE_MISSPELT,
            format!("the image of {name} is `{meant}`, and the one{of} is called nearly so"),
            format!("write `{meant}`, with the registry in front and the tag behind"),
        ),
    };
    let finding = Finding::new(rule, message, fix);
    let told = invocation.told_release().filter(|_| hangs_on_release(complaint));
    let finding = match told {
        Some(release) => finding.with("release", release),
        None => finding,
    };
    if may_work(invocation, complaint) { finding.severity(Severity::Warning) } else { finding }
}

/// Whether another release may take it.
fn hangs_on_release(complaint: &Complaint) -> bool {
    matches!(
        complaint,
        Complaint::UnknownFlag(_) | Complaint::BadValue { .. } | Complaint::Refused(_)
    )
}

/// Whether the engine may start all the same.
fn may_work(invocation: &Invocation, complaint: &Complaint) -> bool {
    match complaint {
        Complaint::EmptyValue { .. }
        | Complaint::NumberCut { .. }
        | Complaint::ModelTwice { .. }
        | Complaint::ListReplaced { .. } => true,
        Complaint::ImageMisspelt { is_certain, .. } => !is_certain,
        Complaint::SwallowedFlag { exits, .. } => !exits && !invocation.lost_model(),
        Complaint::QuotedVariable { decides: is_certain, .. }
        | Complaint::UnknownFlag(UnknownFlag { is_certain, .. })
        | Complaint::BadValue { is_certain, .. }
        | Complaint::Refused(Refusal { is_certain, .. }) => !is_certain,
        Complaint::NotANumber { by, value } => {
            // llama-server takes the digits at the beginning for the number; a variable may be ignored.
            let digits = value.trim_start_matches(['-', '+']);
            let is_read = digits.starts_with(|first: char| first.is_ascii_digit());
            let refuses = invocation.engine.command_line().refuses_numbers || !is_read;
            !refuses || !by.starts_with('-')
        }
        Complaint::JoinedValue { .. }
        | Complaint::SwitchValue { .. }
        | Complaint::NoValue { .. }
        | Complaint::EmptyModel { .. }
        | Complaint::CommandCut { .. }
        | Complaint::ExtraWord { .. }
        | Complaint::AddressOfRepository { .. }
        | Complaint::ProgramRepeated { .. }
        | Complaint::ProgramBehindEntrypoint { .. }
        | Complaint::StartsNoServer(_) => false,
    }
}

/// The rule, what is said, and what to do.
type Told = (&'static Rule, String, String);

fn write(where_to: &str, by: &str) -> String {
    format!("write the value {where_to} `{by}`, or set the variable that was to hold it")
}

fn joined(name: &str, flag: &str, value: &str) -> Told {
    let value = if is_secret(flag) { "..." } else { value };
    (
        &rules::FLAG_UNKNOWN_TO_ENGINE,
        format!("{name} does not know the flag `{flag}={value}` and exits"),
        format!("write the flag and its value as two words: `{flag} {value}`"),
    )
}

fn unknown_flag(invocation: &Invocation, of: &str, unknown: &UnknownFlag) -> Told {
    let UnknownFlag { flag, is_certain, newest, elsewhere, owner, alike, .. } = unknown;
    let instead = unknown.instead(invocation.engine, invocation.version.as_deref());
    let name = invocation.engine.name();
    let release = invocation.version.as_deref().or(invocation.newest_possible);
    let message = match (release, owner, elsewhere) {
        _ if !alike.is_empty() => {
            format!("`{flag}` is the beginning of more than one flag: `{}`", alike.join("`, `"))
        }
        (_, Some(owner), _) => format!("{name} does not know `{flag}`, which is a flag of {owner}"),
        (Some(release), None, elsewhere) if *is_certain => {
            let other = match elsewhere {
                Some(Elsewhere::Earlier(last)) => format!(" any more; {last} had it"),
                Some(Elsewhere::Later(first)) => format!("; {first} has it"),
                None => String::new(),
            };
            format!("{name} {release} has no flag `{flag}`{other}")
        }
        (_, None, Some(Elsewhere::Earlier(last))) => {
            format!("{name} has no flag `{flag}` any more in {newest}; {last} had it")
        }
        (_, None, _) => format!("no release of {name} up to {newest} has a flag `{flag}`"),
    };
    let fix = match (instead, elsewhere) {
        _ if !alike.is_empty() => "write the whole name of the flag".to_owned(),
        // An image of somebody's own may have an engine with more flags in it.
        (None, None) if release.is_none() && !invocation.stock && owner.is_none() => format!(
            "nothing, if `{flag}` is what the image has beyond {name}; else remove it from the \
             command{of}, or correct its name"
        ),
        (Some(instead), None) => format!("remove `{flag}` from the command{of}, or {instead}"),
        (None, None) => format!("remove `{flag}` from the command{of}, or correct its name"),
        (_, Some(Elsewhere::Later(first))) => {
            format!("take an image of {first} or newer, or remove `{flag}` from the command{of}")
        }
        (_, Some(Elsewhere::Earlier(last))) => {
            format!("remove `{flag}` from the command{of}, or pin the image to {last} or older")
        }
    };
    (&rules::FLAG_UNKNOWN_TO_ENGINE, message, fix)
}

fn bad_value(by: &str, value: &str, expected: &str) -> Told {
    let message = match value {
        "" => format!("`{by}` takes {expected}, and it is empty"),
        _ if is_secret(by) => format!("`{by}` takes {expected}, and its value is not that"),
        _ => format!("`{by}` takes {expected}, and `{value}` is not that"),
    };
    let fix = if let Some(meant) = json_meant(expected, value) {
        meant
    } else if by.starts_with('-') {
        format!("write behind `{by}` what it takes: {expected}")
    } else {
        format!("remove the variable `{by}`, or set it to what it takes: {expected}")
    };
    (&rules::COMMAND_LINE_REFUSED, message, fix)
}

/// How JSON is written where something like it stands; absent: nothing like it does.
fn json_meant(expected: &str, value: &str) -> Option<String> {
    if !matches!(expected, "JSON" | "a JSON object") {
        return None;
    }
    if value.starts_with(['{', '[']) {
        let quoted = "put it in single quotes, with double quotes around its names and texts";
        return Some(quoted.to_owned());
    }
    let pairs = value.split(',').map(|pair| {
        let (name, number) = pair.split_once('=')?;
        let number: u64 = number.trim().parse().ok()?;
        Some(format!("\"{}\": {number}", name.trim()))
    });
    let pairs: Option<Vec<_>> = pairs.collect();
    Some(format!("write `'{{{}}}'`", pairs?.join(", ")))
}

pub(super) fn quoted(name: &str, variable: &str, meant: &str) -> Told {
    let meant = if is_secret(variable) { "..." } else { meant };
    let message = format!(
        "the quotes around the value of `{variable}` belong to it, and {name} gets them as well"
    );
    let fix = format!("write `{variable}={meant}` without quotes around the value");
    (&rules::QUOTES_IN_VARIABLE, message, fix)
}

fn switch_value(name: &str, flag: &str, value: &str) -> Told {
    let message = format!("`{flag}` of {name} takes no value, and `={value}` is joined to it");
    let fix = match value.to_ascii_lowercase().as_str() {
        "false" | "0" | "no" | "off" => format!("remove `{flag}={value}` from the command"),
        _ => format!("write `{flag}` alone"),
    };
    (&rules::COMMAND_LINE_REFUSED, message, fix)
}

fn empty_model(name: &str, by: &str, instead: Option<&str>) -> String {
    match instead {
        Some(instead) => format!("`{by}` is empty: {instead}"),
        None => format!("{name} gets an empty `{by}` and exits"),
    }
}

fn extra_word(name: &str, of: &str, word: &str) -> Told {
    let (what, fix) = match StrayWord::of(word) {
        Some(meant) => return stray_word(name, of, word, meant),
        None if word.is_empty() => {
            let fix = format!("remove the empty word from the command{of}, or set its variable");
            ("an empty word, and exits".to_owned(), fix)
        }
        None => {
            let fix = format!("remove `{word}`, or write the flag in front that it is a value of");
            (format!("the word `{word}` where it stands, and exits"), fix)
        }
    };
    (&rules::COMMAND_LINE_REFUSED, format!("{name} does not take {what}"), fix)
}

fn starts_no_server(name: &str, of: &str, words: &StartsNoServer) -> Told {
    let StartsNoServer { left, server, missing, instead, fix } = words;
    let message = format!(
        "the command{of} starts no server: the container runs `{left}`, and {name} is started by \
         `{server}`"
    );
    let fix = match fix {
        Some(fix) => (*fix).to_owned(),
        None if instead.is_empty() => format!("begin the `command`{of} with `{missing}`"),
        None => format!("begin the `command`{of} with `{missing}`, in place of `{instead}`"),
    };
    (&rules::STARTS_NO_SERVER, message, fix)
}

/// What is said of a word that is known by its form.
fn stray_word(name: &str, of: &str, word: &str, meant: StrayWord<'_>) -> Told {
    let word = word.split_whitespace().collect::<Vec<_>>().join(" ");
    let (why, fix) = match meant {
        StrayWord::FlagAndValue { flag, value } => (
            format!("one item of a list is one word, so {name} gets `{word}` as one, and exits"),
            format!("split the item in two: `{flag}` and `{value}`"),
        ),
        StrayWord::Comment => (
            format!("`#` begins no comment there: {name} gets `{word}` as words, and exits"),
            format!("take the comment out of the text of the command{of}"),
        ),
        StrayWord::Continuation => (
            format!("{name} gets the backslash at the end of a line as a word, and exits"),
            format!("remove the backslashes from the command{of}: YAML joins the lines by itself"),
        ),
        StrayWord::ContinuedFlag => (
            format!(
                "a backslash at the end of a line is for a shell: here it makes the next line a word \
                 with a blank in front, `{word}`, which {name} does not take"
            ),
            format!("remove the backslashes from the command{of}: YAML joins the lines by itself"),
        ),
        StrayWord::Dash => (
            format!("`{word}` begins with a dash that is no hyphen, and {name} exits"),
            "write the flag with `-`".to_owned(),
        ),
        StrayWord::Quoted => (
            format!("the quotes of `{word}` are part of the word, and {name} does not take it"),
            "remove the inner quotes: there is no shell that would take them away".to_owned(),
        ),
        StrayWord::Json => (
            format!("`{word}` is a piece of JSON that was split at its blanks, and {name} exits"),
            "put the JSON in single quotes".to_owned(),
        ),
        StrayWord::SwitchValue => (
            format!("{name} does not take the word `{word}` where it stands, and exits"),
            format!("remove `{word}`: a switch takes no value"),
        ),
    };
    (&rules::COMMAND_LINE_REFUSED, why, fix)
}

/// What is said of a line that Compose does not take as it is written.
fn cut(name: &str, of: &str, command: &CutCommand) -> Told {
    let CutCommand { key, at, left, own_entrypoint, bare, lines } = command;
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
    (&rules::COMMAND_CUT_BY_SHELL_WORDS, format!("Compose {how}: {outcome}"), fix)
}

/// Whether the value of a flag must not be shown.
pub(super) fn is_secret(flag: &str) -> bool {
    secrecy(flag) != Secrecy::Open
}

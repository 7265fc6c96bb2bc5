//! Whether clients ask for what is served, with the key that is wanted.

use super::wiring;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::wiring::{Connection, Listener, Wanted, Wiring};
use crate::suggest;

/// Names of models, and keys.
pub static CHECK: Check =
    Check { rules: &[&MODEL_NOT_SERVED, &KEY_DIFFERS, &KEY_MISSING], run: Run::Project(run) };

static MODEL_NOT_SERVED: Rule = Rule::warning(
    "model-served-by-nobody",
    ExitCode::Lane,
    include_str!("rules/model-served-by-nobody.md"),
);

static KEY_DIFFERS: Rule = Rule::warning(
    "client-key-differs",
    ExitCode::Lane,
    include_str!("rules/client-key-differs.md"),
);

static KEY_MISSING: Rule =
    Rule::error("client-key-missing", ExitCode::Lane, include_str!("rules/client-key-missing.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let wiring = wiring(facts);
    for wanted in &wiring.wanted {
        if let Some(finding) = not_served(wiring, wanted) {
            findings.push(finding);
        }
    }
    for connection in &wiring.connections {
        let known = || called(wiring, connection).and_then(|listener| key(connection, listener));
        let missing = wiring.called(connection).and_then(|listener| no_key(connection, listener));
        if let Some(finding) = missing.or_else(known) {
            findings.push(finding);
        }
    }
}

/// The engine that a connection leads to, if it is one of which all is known.
fn called<'a>(wiring: &'a Wiring, connection: &Connection) -> Option<&'a Listener> {
    wiring.called(connection).filter(|listener| listener.is_all)
}

/// A model that none of the servers has that its client knows. One of them that is not known may have
/// it.
fn not_served(wiring: &Wiring, wanted: &Wanted) -> Option<Finding> {
    let own = wiring.connections.iter().filter(|connection| wanted.is_asked_of(connection));
    let listeners: Option<Vec<&Listener>> = own.map(|it| called(wiring, it)).collect();
    let listeners = listeners.filter(|all| !all.is_empty())?;
    let answers = |it: &&Listener| it.names.is_empty() || !wanted.matters_to(it.engine);
    if listeners.iter().any(answers) {
        return None;
    }
    let names = || listeners.iter().flat_map(|listener| &listener.names).map(String::as_str);
    if names().any(|name| name == wanted.name) {
        return None;
    }
    let served: Vec<String> = names().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "{} asks for `{}`, which nobody serves: {} {} served",
        wanted.said(),
        wanted.name,
        served.join(", "),
        if served.len() == 1 { "is" } else { "are" }
    );
    let likely = suggest::likely(&wanted.name, names());
    let name = likely.first().copied().or_else(|| names().next())?;
    let listener = listeners.iter().find(|listener| listener.names.iter().any(|it| it == name))?;
    let fix = format!(
        "write `{name}`, or have service `{}` serve it under the other name",
        listener.service
    );
    Some(Finding::new(&MODEL_NOT_SERVED, message, fix).service(&wanted.client).at(&wanted.place))
}

/// A client that asks nobody without a key, and has none.
fn no_key(connection: &Connection, listener: &Listener) -> Option<Finding> {
    let shown = connection.key.as_ref().filter(|shown| shown.is_vital && shown.key.is_none())?;
    let client = connection.reads?.client;
    let message = format!(
        "{client} asks nobody without a key, and has none for {} of service `{}`",
        listener.engine.name(),
        listener.service
    );
    let fix = if listener.keys.is_empty() {
        format!("give it any text as `{}`: the engine wants no key", shown.variable)
    } else {
        format!("set `{}` to the key of the engine", shown.variable)
    };
    let finding = Finding::new(&KEY_MISSING, message, fix).service(&connection.client);
    Some(finding.at(&connection.place))
}

fn key(connection: &Connection, listener: &Listener) -> Option<Finding> {
    let shown = connection.key.as_ref()?;
    let is_right = shown.key.as_ref().is_some_and(|key| listener.keys.contains(key));
    if is_right || listener.keys.is_empty() {
        return None;
    }
    let is_set = shown.key.is_some();
    let what = if is_set { "shows another" } else { "shows none" };
    let message = format!(
        "{} of service `{}` wants a key, and service `{}` {what}",
        listener.engine.name(),
        listener.service,
        connection.client
    );
    let fix = format!(
        "set `{}` of service `{}` to the key of the engine",
        shown.variable, connection.client
    );
    let place = if is_set { &shown.place } else { &connection.place };
    let finding = Finding::new(&KEY_DIFFERS, message, fix).service(&connection.client).at(place);
    Some(finding.hiding_values())
}

//! Who is told to call whom, for people and for programs.

use serde::Serialize;

use super::{Printer, row};
use crate::plan::wiring::{Connection, Leads, Route, Wiring};
use crate::report::json::{Texts, WirePlace};

/// What is worth a line: what leads to something of the project, and what a known client calls. Where
/// commands name their own container they say where to listen.
fn told(wiring: &Wiring) -> impl Iterator<Item = &Connection> {
    wiring.connections.iter().filter(|connection| match connection.leads {
        Leads::Outside | Leads::Nobody => connection.reads.is_some(),
        Leads::Itself(_) => connection.variable.is_some(),
        Leads::Service { .. } | Leads::Door(_) | Leads::Host { .. } | Leads::LeftOut(_) => true,
    })
}

/// The part of the plan for a person; absent: nobody calls anything.
pub(super) fn human(wiring: &Wiring, printer: Printer<'_>) -> Option<String> {
    let rows: String = told(wiring).map(|connection| line(wiring, connection, printer)).collect();
    (!rows.is_empty()).then(|| format!("connections\n{rows}"))
}

fn line(wiring: &Wiring, connection: &Connection, printer: Printer<'_>) -> String {
    let to = printer.dialect.told(&end(wiring, connection));
    let value = printer.text(&format!("{} -> {to}", connection.target.text));
    let place = printer.location(connection.place.span);
    let by = printer.text(&connection.variable.as_deref().unwrap_or("its command"));
    let separator = if place.is_empty() { "" } else { ", " };
    row(&printer.text(&connection.client), &value, &format!("{by}{separator}{place}"))
}

fn end(wiring: &Wiring, connection: &Connection) -> String {
    match &connection.leads {
        Leads::Service { name, by } => {
            let who = match wiring.called(connection) {
                Some(listener) => format!("{} of `{}`", listener.engine.name(), listener.service),
                None => format!("service `{name}`"),
            };
            match by {
                Route::Shared => who,
                Route::Apart => format!("{who}, with which it shares no network"),
                Route::Borrowed | Route::FromHost => format!("{who}, which has no such name there"),
            }
        }
        Leads::Door(passage) => match (wiring.called(connection), passage.behind.first()) {
            (Some(listener), _) => {
                format!("{} of `{}`", listener.engine.name(), listener.service)
            }
            (None, Some(first)) => format!("service `{first}`"),
            (None, None) => "outside this project".to_owned(),
        },
        Leads::Itself(_) => "its own container".to_owned(),
        Leads::Host { .. } => "the host".to_owned(),
        Leads::LeftOut(name) => format!("service `{name}`, which is in no active profile"),
        Leads::Nobody => "nobody".to_owned(),
        Leads::Outside => "outside this project".to_owned(),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct WireConnection {
    /// Who calls.
    service: String,
    /// The variable that says so; absent: its command.
    variable: Option<String>,
    url: String,
    /// `service`, `itself`, `host`, `left-out`, `nobody` or `outside`.
    leads: &'static str,
    /// The service that is called, if it is one.
    to: Option<String>,
    /// The engine that it runs.
    engine: Option<&'static str>,
    place: Option<WirePlace>,
}

/// The connections for a program.
pub(super) fn wire(wiring: &Wiring, texts: Texts<'_>) -> Vec<WireConnection> {
    let wire = |connection: &Connection| {
        let (leads, to) = match &connection.leads {
            Leads::Service { name, .. } => ("service", Some(name.as_str())),
            Leads::Door(passage) => {
                let called = wiring.called(connection).map(|it| it.service.as_str());
                ("service", called.or(passage.behind.first().map(String::as_str)))
            }
            Leads::Itself(_) => ("itself", None),
            Leads::Host { .. } => ("host", None),
            Leads::LeftOut(name) => ("left-out", Some(name.as_str())),
            Leads::Nobody => ("nobody", None),
            Leads::Outside => ("outside", None),
        };
        let listener = to.and_then(|_| wiring.called(connection));
        WireConnection {
            service: texts.text(&connection.client),
            variable: texts.option(connection.variable.as_deref()),
            url: texts.text(&connection.target.text),
            leads,
            to: texts.option(to),
            engine: listener.map(|listener| listener.engine.id()),
            place: texts.place(connection.place.span),
        }
    };
    told(wiring).map(wire).collect()
}

//! Whether a client waits for the engine that it calls.

use super::wiring;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::wiring::Leads;
use crate::project::Service;

/// Clients that start at once with what they call.
pub static CHECK: Check = Check { rules: &[&STARTS_FIRST], run: Run::Project(run) };

static STARTS_FIRST: Rule = Rule::note(
    "client-starts-first",
    ExitCode::Ready,
    include_str!("rules/client-starts-first.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let mut told = Vec::new();
    for connection in &wiring(facts).connections {
        // What is called through a door is in a Pod, whose containers are started again until they run on.
        let Leads::Service { name, .. } = &connection.leads else { continue };
        let is_engine = wiring(facts).listener(name).is_some();
        let pair = (&connection.client, name);
        if !is_engine || !connection.is_base() || told.contains(&pair) {
            continue;
        }
        told.push(pair);
        let Some(client) = facts.project.service(&connection.client) else { continue };
        if waits(client, name) {
            continue;
        }
        let message = format!(
            "service `{}` starts before the engine of service `{name}` answers: nothing makes it wait",
            connection.client
        );
        let fix = format!(
            "give `{name}` a health check, and `{}` the line `depends_on: {{{name}: {{condition: service_healthy}}}}`",
            connection.client
        );
        let finding = Finding::new(&STARTS_FIRST, message, fix).service(&connection.client);
        findings.push(finding.at(&connection.place));
    }
}

/// Whether somebody has thought of the order: most clients ask again until the engine answers.
fn waits(client: &Service, service: &str) -> bool {
    client.depends_on.iter().any(|edge| edge.service == service)
}

//! Services whose image is that of an engine and that start something else.

use super::rules;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{self, Layout, NoServer};
use crate::project::Service;

/// No service of a known engine is passed over without a word. What runs may well be meant: it fetches
/// a model, measures, or waits for somebody to log in.
pub static CHECK: Check = Check { rules: &[&rules::STARTS_NO_SERVER], run: Run::Project(run) };

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let has_lane = |service: &Service| {
        let name = &service.name.value;
        facts.plan.lanes.iter().any(|lane| lane.services.contains(name))
    };
    for service in facts.project.services.iter().filter(|service| !has_lane(service)) {
        // Those that have a store of their own are asked for a model by such services.
        let other = engine::no_server(service);
        let other = other.filter(|other| other.engine.models().layout != Layout::Store);
        if let Some(other) = other {
            findings.push(told(service, &other));
        }
    }
}

fn told(service: &Service, other: &NoServer) -> Finding {
    let (name, engine) = (&service.name.value, other.engine.name());
    let NoServer { words, is_doubtful, by_name_alone, place, .. } = other;
    let message = if *by_name_alone {
        format!(
            "service `{name}` has an image that is called after {engine}, and nothing else says \
             that it serves a model"
        )
    } else if words.is_empty() {
        format!("service `{name}` has an image of {engine} and no command that starts its server")
    } else {
        format!(
            "service `{name}` has an image of {engine} and runs `{words}`, which is no server of it"
        )
    };
    let fix = "nothing, if that is meant; else write the command that starts the server";
    let severity = if *is_doubtful { Severity::Warning } else { Severity::Note };
    let finding = Finding::new(&rules::STARTS_NO_SERVER, message, fix).severity(severity);
    finding.service(name.as_str()).at(place)
}

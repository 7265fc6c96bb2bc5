//! Whether what the kubelet tells a container of `Service`s is taken by its engine for something else.

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::wiring::Listener;
use crate::project::Service;
use crate::source_map::Spanned;

/// Variables of `Service`s.
pub static CHECK: Check = Check { rules: &[&SETS_VARIABLE], run: Run::Project(run) };

static SETS_VARIABLE: Rule = Rule::warning(
    "service-sets-variable",
    ExitCode::Lane,
    include_str!("rules/service-sets-variable.md"),
);

/// How the name of a variable ends in which the kubelet writes the address of a `Service` as a URL
/// (kubernetes 1.34 pkg/kubelet/envvars/envvars.go, `makeLinkVariables`).
const ENDING: &str = "_PORT";

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for listener in &facts.plan.wiring.listeners {
        let Some(service) = facts.project.service(&listener.service) else { continue };
        let Some(variable) = listener.engine.http().inner_port else { continue };
        let Some(name) = sets(service, variable) else { continue };
        let lane = facts.plan.lanes.iter().find(|lane| lane.is_served_by(&listener.service));
        if let Some(lane) = lane.filter(|lane| lane.skipped.is_none()) {
            let finding = told(listener, variable, name).lane(&lane.name);
            findings.push(finding.service(&listener.service));
        }
    }
}

/// The `Service` of which a container is told by this variable; absent: none, or its own environment says
/// another value, or may.
fn sets<'a>(service: &'a Service, variable: &str) -> Option<&'a Spanned<String>> {
    let pod = service.pod.as_ref().filter(|pod| !pod.is_open)?;
    let is_said = service.environment.contains_key(variable)
        || service.told_elsewhere.contains_key(variable)
        || service.may_tell.is_some();
    let is_it = |name: &&Spanned<String>| {
        let prefix = name.value.to_uppercase().replace('-', "_");
        format!("{prefix}{ENDING}") == variable
    };
    pod.told_of.iter().find(is_it).filter(|_| !is_said)
}

fn told(listener: &Listener, variable: &str, name: &Spanned<String>) -> Finding {
    let engine = listener.engine.name();
    let message = format!(
        "the kubelet tells `{}` of the Service `{}` by `{variable}=tcp://...`, and {engine} wants a number \
         there: it ends when it starts after the Service was made",
        listener.service, name.value
    );
    let fix = format!(
        "call the Service otherwise, such as `{}-server`, or write `enableServiceLinks: false` in the \
         `spec` of the Pod",
        name.value
    );
    Finding::new(&SETS_VARIABLE, message, fix).at(&name.place)
}

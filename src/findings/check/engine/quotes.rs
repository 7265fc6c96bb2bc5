//! Variables of services that start no engine, and that preflight itself reads: quotes around their values.

use super::{complaints, rules};
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine;
use crate::plan::lanes::is_lane_variable;
use crate::project::unquoted;

/// What preflight has read as it was meant, and others do not.
pub static CHECK: Check = Check { rules: &[&rules::QUOTES_IN_VARIABLE], run: Run::Project(run) };

/// The variables that hold the user's token.
const TOKENS: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let services = facts.project.services.iter();
    for service in services.filter(|service| engine::invocation(service).is_none()) {
        for (name, value) in &service.environment {
            let Some(meant) = value.value.as_deref().and_then(unquoted) else { continue };
            if !is_lane_variable(name) && !TOKENS.contains(&name.as_str()) {
                continue;
            }
            let service = service.name.value.as_str();
            let (rule, message, fix) =
                complaints::quoted(&format!("service `{service}`"), name, meant);
            let finding = Finding::new(rule, message, fix).severity(Severity::Warning);
            findings.push(finding.service(service).at(&value.place));
        }
    }
}

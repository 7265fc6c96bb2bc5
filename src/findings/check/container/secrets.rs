//! Secrets and configs that Compose cannot hand to a service.

use serde_json::Value;

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};

/// A secret that is no file, in a service that cannot be written to.
pub static CHECK: Check = Check { rules: &[&NEEDS_FILE], run: Run::Project(run) };

static NEEDS_FILE: Rule =
    Rule::error("secret-needs-file", ExitCode::Lane, include_str!("rules/secret-needs-file.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let document = &facts.project.document;
    for service in &facts.project.services {
        let name = &service.name.value;
        let written = &document["services"][name];
        if written["read_only"] != Value::Bool(true) {
            continue;
        }
        for kind in ["secrets", "configs"] {
            for granted in written[kind].as_array().into_iter().flatten() {
                let Some(source) = granted["source"].as_str() else { continue };
                let Some(key) = origin(&document[kind][source]) else { continue };
                let finding = judge(name, kind.trim_end_matches('s'), source, key);
                let finding = finding.service(name).at(&service.name.place);
                findings.push(if matters(facts, name) {
                    finding
                } else {
                    finding.severity(Severity::Warning)
                });
            }
        }
    }
}

/// Whether a lane hangs on the service: because it serves one, or is preflight itself.
fn matters(facts: &ProjectFacts<'_>, service: &str) -> bool {
    let own = facts.project.preflight_service();
    own.is_some_and(|own| own.name.value == service)
        || facts.plan.lanes.iter().any(|lane| lane.is_served_by(service))
}

/// What the content is written in, if it is no file and not Docker's own.
fn origin(declared: &Value) -> Option<&'static str> {
    ["environment", "content"].into_iter().find(|key| !declared[*key].is_null())
}

fn judge(service: &str, kind: &str, source: &str, key: &str) -> Finding {
    Finding::new(
        &NEEDS_FILE,
        format!(
            "`{service}` is read-only, and its {kind} `{source}` comes from `{key}`: Compose would \
             have to write it into the container"
        ),
        format!("give `{source}` as a `file:`, or take `read_only: true` out of `{service}`"),
    )
    .with("comes from", key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::options::Role;

    fn check(service: &Value, secret: &Value, is_lane: bool, expected: &[&str]) {
        let mut stack = Stack::new(Role::Hand);
        stack.service("vllm");
        if is_lane {
            stack.lane("coder", &["vllm"], true);
        }
        stack.project.document = serde_json::json!({
            "services": {"vllm": service},
            "secrets": {"token": secret},
        });
        assert_eq!(stack.told(&CHECK), expected);
    }

    #[test]
    fn a_read_only_service_gets_secrets_as_files_alone() {
        let granted = serde_json::json!([{"source": "token"}]);
        let closed = serde_json::json!({"read_only": true, "secrets": granted});
        let open = serde_json::json!({"secrets": granted});
        let from_environment = serde_json::json!({"name": "demo_token", "environment": "HF_TOKEN"});
        let from_file = serde_json::json!({"name": "demo_token", "file": "/srv/token"});
        check(
            &closed,
            &from_environment,
            true,
            &["error secret-needs-file: `vllm` is read-only, and its secret `token` comes from \
               `environment`: Compose would have to write it into the container = give `token` as \
               a `file:`, or take `read_only: true` out of `vllm`"],
        );
        check(&closed, &from_file, true, &[]);
        check(&open, &from_environment, true, &[]);
    }
}

//! Whether what has to be a text in a manifest is one.

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::options::Role;
use crate::project::NotText;
use crate::source_map::Place;

/// Numbers and the like in the words and variables of containers.
pub static CHECK: Check = Check { rules: &[&NOT_TEXT], run: Run::Project(run) };

static NOT_TEXT: Rule =
    Rule::error("value-not-text", ExitCode::Usage, include_str!("rules/value-not-text.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    // Whoever runs the Pod that preflight is in has taken it.
    if facts.role != Role::Hand {
        return;
    }
    let mut rest = facts.project.not_texts.as_slice();
    while let Some(first) = rest.first() {
        let is_beside = |it: &NotText| pod(facts, &it.service) == pod(facts, &first.service);
        let count = rest.iter().take_while(|it| is_beside(it)).count();
        let (own, others) = rest.split_at(count.max(1));
        rest = others;
        judge(facts, own, findings);
    }
}

/// The Pod of a container.
fn pod<'a>(facts: &ProjectFacts<'a>, service: &str) -> Option<&'a str> {
    let service = facts.project.service(service)?;
    service.pod.as_ref().map(|pod| pod.pod.as_str())
}

/// One finding for a Pod: an error for the lanes in it.
fn judge(facts: &ProjectFacts<'_>, wrong: &[NotText], findings: &mut Findings) {
    let Some(first) = wrong.first() else { return };
    let places: Vec<&Place> = wrong.iter().map(|it| &it.place).collect();
    let finding = Finding::new(&NOT_TEXT, message(first), fix(first)).at_each(&places, "values");
    let finding = finding.service(&first.service);
    let own = pod(facts, &first.service);
    let is_there = |service: &String| own.is_some() && pod(facts, service) == own;
    let lanes = facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none());
    let mut lanes = lanes.filter(|lane| lane.services.iter().any(is_there)).peekable();
    if lanes.peek().is_none() {
        findings.push(finding.severity(Severity::Warning));
        return;
    }
    for lane in lanes {
        findings.push(finding.clone().lane(&lane.name));
    }
}

fn message(wrong: &NotText) -> String {
    let NotText { service, key, is, .. } = wrong;
    let what = if wrong.is_variable {
        format!("the variable `{key}` of `{service}` is {is}")
    } else {
        format!("a word in the `{key}` of `{service}` is {is}")
    };
    format!("{what}, where Kubernetes takes texts alone: no cluster takes the manifest")
}

fn fix(wrong: &NotText) -> &'static str {
    match (wrong.can_be_quoted, wrong.is_variable) {
        (true, _) => "put quotes around it",
        (false, true) => "write a text",
        (false, false) => "write each word as a text of its own",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::project::{InPod, Stage};
    use crate::source_map::Place;

    /// What is told of a Pod whose container `service` has a number in its words.
    fn check(role: Role, service: &str, expected: &[&str]) {
        let mut stack = Stack::new(role);
        for (pod, container) in [("pod/a", "v"), ("pod/a", "beside"), ("pod/b", "other")] {
            stack.service(&format!("{pod}/{container}")).pod = Some(InPod {
                pod: pod.to_owned(),
                container: container.to_owned(),
                stage: Stage::Main,
                ..InPod::default()
            });
        }
        stack.lane("reader", &["pod/a/v"], true);
        stack.project.not_texts.push(NotText {
            service: service.to_owned(),
            key: "args".to_owned(),
            is_variable: false,
            is: "a number",
            can_be_quoted: true,
            place: Place::nowhere(),
        });
        assert_eq!(stack.told(&CHECK), expected, "{role:?} {service}");
    }

    #[test]
    fn it_is_an_error_of_the_lanes_in_its_pod_and_of_no_other() {
        let told = |begin: &str, service: &str| {
            format!(
                "{begin}: a word in the `args` of `{service}` is a number, where Kubernetes takes texts \
                 alone: no cluster takes the manifest = put quotes around it"
            )
        };
        for service in ["pod/a/v", "pod/a/beside"] {
            let expected = told("error value-not-text [reader]", service);
            check(Role::Hand, service, &[&expected]);
            // The Pod runs: somebody has taken it.
            check(Role::Init, service, &[]);
        }
        check(Role::Hand, "pod/b/other", &[&told("warning value-not-text", "pod/b/other")]);
    }
}

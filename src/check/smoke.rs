//! What the engines answer after the stack is up.

use super::{Check, Run};
use crate::error::ExitCode;
use crate::facts::LaneFacts;
use crate::finding::{Finding, Findings, Rule, Severity};
use crate::smoke::Answer;

/// The first status that an engine that serves does not answer with.
const FIRST_SERVER_ERROR: u16 = 500;

/// An engine does not serve.
pub static CHECK: Check = Check { rules: &[&UNREACHABLE, &ERROR, &UNKNOWN], run: Run::Smoke(run) };

static UNREACHABLE: Rule = Rule {
    id: "endpoint-unreachable",
    severity: Severity::Error,
    exit: ExitCode::Smoke,
    docs: include_str!("smoke/endpoint-unreachable.md"),
};

static ERROR: Rule = Rule {
    id: "endpoint-error",
    severity: Severity::Error,
    exit: ExitCode::Smoke,
    docs: include_str!("smoke/endpoint-error.md"),
};

static UNKNOWN: Rule = Rule {
    id: "endpoint-unknown",
    severity: Severity::Warning,
    exit: ExitCode::Smoke,
    docs: include_str!("smoke/endpoint-unknown.md"),
};

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let lane = &facts.lane;
    let place = lane.url.as_ref().map_or(&lane.place, |url| &url.place);
    let asked = lane.url.as_ref().map(|url| format!(" at `{}`", url.value)).unwrap_or_default();
    let finding = match &facts.answer {
        Some(Answer::None(reason)) => Finding::new(
            &UNREACHABLE,
            format!("nobody answers for `{}`{asked}: {reason}", lane.name),
            format!(
                "look whether it runs with `docker compose ps -a{}`, and at its port",
                services(facts)
            ),
        ),
        Some(Answer::Status(status)) if *status >= FIRST_SERVER_ERROR => Finding::new(
            &ERROR,
            format!("the engine of `{}`{asked} answers with status {status}", lane.name),
            format!("{}`docker compose logs --tail 50{}`", loading(*status), services(facts)),
        )
        .with("status", status),
        Some(Answer::NoAddress) => Finding::new(
            &UNKNOWN,
            format!("nobody says where `{}` answers, so it was not asked", lane.name),
            format!("set `x-preflight: {{lanes: {{{}: {{smoke: {{url: ...}}}}}}}}`", lane.name),
        ),
        Some(Answer::Status(_)) | None => return,
    };
    let finding = finding.lane(&lane.name).at(place);
    findings.push(match lane.services.first() {
        Some(service) => finding.service(service),
        None => finding,
    });
}

/// 503 is what engines answer with while the model is being loaded.
fn loading(status: u16) -> &'static str {
    if status == 503 {
        "if it is still loading its model, wait and ask again; else read "
    } else {
        "read "
    }
}

fn services(facts: &LaneFacts) -> String {
    facts.lane.services.iter().map(|service| format!(" {service}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::container::tests::{lane, tell};
    use crate::lanes::{Origin, Traced};
    use crate::options::Role;
    use crate::source_map::Place;

    fn check(answer: Option<Answer>, required: bool, expected: &[&str]) {
        let mut lane = lane("coder", &["vllm"], required);
        lane.url = Some(Traced {
            value: "http://vllm:8000/v1".to_owned(),
            from: Origin::Extension,
            place: Place::nowhere(),
        });
        let facts = LaneFacts { answer, ..LaneFacts::of(lane, Role::Hand) };
        let mut findings = Findings::default();
        run(&facts, &mut findings);
        assert_eq!(tell(findings), expected);
    }

    #[test]
    fn any_status_below_500_will_do() {
        for status in [200, 302, 401, 404, 422, 499] {
            check(Some(Answer::Status(status)), true, &[]);
        }
        check(None, true, &[]);
    }

    #[test]
    fn a_server_error_fails_the_lane() {
        check(
            Some(Answer::Status(500)),
            true,
            &["error endpoint-error [coder]: the engine of `coder` at `http://vllm:8000/v1` \
               answers with status 500 = read `docker compose logs --tail 50 vllm`"],
        );
        check(
            Some(Answer::Status(503)),
            false,
            &["error endpoint-error [coder]: the engine of `coder` at `http://vllm:8000/v1` \
               answers with status 503 = if it is still loading its model, wait and ask again; \
               else read `docker compose logs --tail 50 vllm`"],
        );
    }

    #[test]
    fn a_lane_that_could_not_be_asked_is_not_passed_over() {
        let mut findings = Findings::default();
        let answer = Some(Answer::NoAddress);
        let lane = lane("coder", &["vllm"], true);
        run(&LaneFacts { answer, ..LaneFacts::of(lane, Role::Hand) }, &mut findings);
        assert_eq!(
            tell(findings),
            ["warning endpoint-unknown [coder]: nobody says where `coder` answers, so it was not \
              asked = set `x-preflight: {lanes: {coder: {smoke: {url: ...}}}}`"]
        );
    }

    #[test]
    fn no_answer_fails_the_lane() {
        check(
            Some(Answer::None("Connection refused (os error 111)".to_owned())),
            true,
            &["error endpoint-unreachable [coder]: nobody answers for `coder` at \
               `http://vllm:8000/v1`: Connection refused (os error 111) = look whether it runs \
               with `docker compose ps -a vllm`, and at its port"],
        );
    }
}

//! What the engines answer after the stack is up.

pub mod clients;

use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::LaneFacts;
use crate::facts::smoke::{Answer, Generation, Smoke};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::look::Look;
use crate::project::Words;

/// An engine does not serve.
pub static CHECK: Check = Check {
    rules: &[&UNREACHABLE, &ERROR, &UNKNOWN, &NOT_SERVED, &STANDBY, &GENERATION_FAILED],
    run: Run::Smoke(run),
};

static UNREACHABLE: Rule = Rule::error(
    "endpoint-unreachable",
    ExitCode::Smoke,
    include_str!("smoke/rules/endpoint-unreachable.md"),
);

static ERROR: Rule =
    Rule::error("endpoint-error", ExitCode::Smoke, include_str!("smoke/rules/endpoint-error.md"));

static UNKNOWN: Rule = Rule::warning(
    "endpoint-unknown",
    ExitCode::Smoke,
    include_str!("smoke/rules/endpoint-unknown.md"),
);

static NOT_SERVED: Rule = Rule::error(
    "model-not-served",
    ExitCode::Smoke,
    include_str!("smoke/rules/model-not-served.md"),
);

static STANDBY: Rule =
    Rule::note("lane-on-standby", ExitCode::Smoke, include_str!("smoke/rules/lane-on-standby.md"));

static GENERATION_FAILED: Rule = Rule::error(
    "generation-failed",
    ExitCode::Smoke,
    include_str!("smoke/rules/generation-failed.md"),
);

/// How many lines of an engine's log go with a finding.
const LAST_LINES: usize = 5;

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let Some(smoke) = &facts.smoke else { return };
    let lane = &facts.lane;
    let port = lane.invocation.as_ref().map(|invocation| &invocation.port_place);
    let port = port.filter(|place| place.span.is_some());
    let place = lane.url.as_ref().map(|url| &url.place).or(port).unwrap_or(&lane.place);
    let found = [
        answer(facts, smoke),
        smoke.models.as_ref().and_then(|models| served(facts, smoke, models)),
        smoke.generation.as_ref().and_then(|generation| generated(facts, smoke, generation)),
    ];
    for finding in found.into_iter().flatten() {
        let finding = finding.lane(&lane.name).at(place);
        let finding = match lane.services.first() {
            Some(service) => finding.service(service),
            None => finding,
        };
        let last = smoke.log.len().saturating_sub(LAST_LINES);
        findings.push(smoke.log[last..].iter().fold(finding, |it, line| it.with("log", line)));
    }
}

/// Where the engine was asked, as part of a sentence.
fn asked(smoke: &Smoke) -> String {
    smoke.url.as_ref().map(|url| format!(" at `{url}`")).unwrap_or_default()
}

fn answer(facts: &LaneFacts, smoke: &Smoke) -> Option<Finding> {
    let (name, asked) = (&facts.lane.name, asked(smoke));
    match &smoke.answer {
        Answer::None(_) if smoke.over => Some(Finding::new(
            &UNREACHABLE,
            format!("nobody answers for `{name}`{asked}: its container has ended"),
            format!("read why with {}", (words(facts).log)(&facts.lane.services)),
        )),
        Answer::None(reason) => Some(Finding::new(
            &UNREACHABLE,
            format!("nobody answers for `{name}`{asked}: {reason}"),
            format!(
                "look whether it runs with {}, and at its port",
                (words(facts).state)(&facts.lane.services)
            ),
        )),
        Answer::Status(status) if !smoke.answer.is_up() => Some(
            Finding::new(
                &ERROR,
                format!("the engine of `{name}`{asked} answers with status {status}"),
                format!("{}{}", loading(*status), (words(facts).log)(&facts.lane.services)),
            )
            .with("status", status),
        ),
        Answer::NoAddress => Some(Finding::new(
            &UNKNOWN,
            format!("nobody says where `{name}` answers, so it was not asked"),
            format!("set `x-preflight: {{lanes: {{{name}: {{smoke: {{url: ...}}}}}}}}`"),
        )),
        Answer::Status(_) => None,
    }
}

/// Whether the lane's model is among those that are served.
fn served(facts: &LaneFacts, smoke: &Smoke, models: &Look<Vec<String>>) -> Option<Finding> {
    let (name, asked) = (&facts.lane.name, asked(smoke));
    let models = match models {
        Look::Seen(models) => models,
        Look::Absent => return None,
        Look::Denied(why) | Look::Unknown(why) => {
            return Some(Finding::new(
                &UNKNOWN,
                format!(
                    "which models the engine of `{name}`{asked} serves could not be asked: {why}"
                ),
                "if it wants a key that preflight does not find in its command or variables, ask for \
                 less with `smoke: {level: reachable}`",
            ));
        }
    };
    let wanted = facts.lane.served_names();
    if models.is_empty() {
        return Some(Finding::new(
            &NOT_SERVED,
            format!("the engine of `{name}`{asked} is up and serves no model"),
            format!(
                "name its model: `-m /models/...` for llama-server, which starts empty without one; \
                 then {}",
                (words(facts).start_again)(&facts.lane.services)
            ),
        ));
    }
    let first = wanted.first()?;
    if wanted.iter().any(|name| models.contains(name)) {
        return None;
    }
    let list = models.join("`, `");
    if smoke.standby {
        return Some(
            Finding::new(
                &STANDBY,
                format!("`{name}` is not served{asked} now: `{list}` is"),
                "nothing to do: lanes that share an address are served one at a time",
            )
            .with("served", list),
        );
    }
    let served = models.first().map_or("", String::as_str);
    Some(
        Finding::new(
            &NOT_SERVED,
            format!("`{name}` should be served as `{first}`{asked}, and what is served is `{list}`"),
            format!("give the engine the name (`--served-model-name {first}`, `--alias {first}`), or let clients ask for `{served}`"),
        )
        .with("expected", first)
        .with("served", list),
    )
}

/// Whether what it generates is anything.
fn generated(facts: &LaneFacts, smoke: &Smoke, generation: &Generation) -> Option<Finding> {
    let (name, asked) = (&facts.lane.name, asked(smoke));
    let (what, severity) = match generation {
        Generation::Works => return None,
        Generation::Differs => {
            ("gives another answer every time at temperature 0".to_owned(), Severity::Warning)
        }
        Generation::Empty => ("generates nothing".to_owned(), Severity::Error),
        Generation::NotFinite => {
            ("gives vectors that are zero or no numbers".to_owned(), Severity::Error)
        }
        Generation::Refused(status) => {
            (format!("refuses to generate with status {status}"), Severity::Error)
        }
        Generation::None(why) => (format!("does not generate: {why}"), Severity::Error),
    };
    let finding = Finding::new(
        &GENERATION_FAILED,
        format!("the engine of `{name}`{asked} {what}"),
        format!(
            "read {}, and verify the files with `preflight verify --deep`",
            (words(facts).log)(&facts.lane.services)
        ),
    );
    Some(finding.severity(severity))
}

/// 503 is what engines answer with while the model is being loaded.
fn loading(status: u16) -> &'static str {
    if status == 503 {
        "if it is still loading its model, wait and ask again; else read "
    } else {
        "read "
    }
}

fn words(facts: &LaneFacts) -> &'static Words {
    facts.orders.dialect.words()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Policy;
    use crate::findings::check::container::tests::{lane, tell};
    use crate::options::Role;
    use crate::plan::lanes::{Lane, Origin, Traced};
    use crate::source_map::Place;

    fn check(answer: Option<Answer>, required: bool, expected: &[&str]) {
        let mut lane = lane("coder", &["vllm"], required);
        lane.url = Some(Traced {
            value: "http://vllm:8000/v1".to_owned(),
            from: Origin::Extension,
            place: Place::nowhere(),
        });
        let url = Some("http://vllm:8000/v1".to_owned());
        let smoke = answer.map(|answer| Smoke::answered(url, answer));
        told(lane, smoke, expected);
    }

    fn told(lane: Lane, smoke: Option<Smoke>, expected: &[&str]) {
        let facts = LaneFacts { smoke, ..LaneFacts::of(lane, Role::Hand) };
        let mut findings = Findings::new(Policy::default());
        run(&facts, &mut findings);
        assert_eq!(tell(findings), expected);
    }

    /// A lane whose clients ask for `name`, of an engine that answers and serves `models`.
    fn serving(name: &str, models: &[&str]) -> (Lane, Smoke) {
        let value = name.to_owned();
        let model_name = Traced { value, from: Origin::Extension, place: Place::nowhere() };
        let lane = Lane { model_name: Some(model_name), ..lane("coder", &["vllm"], true) };
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        let answered = Smoke::answered(None, Answer::Status(404));
        (lane, Smoke { models: Some(Look::Seen(models)), ..answered })
    }

    #[test]
    fn the_lane_s_model_has_to_be_among_those_that_are_served() {
        let (lane, smoke) = serving("coder", &["other", "coder"]);
        told(lane, Some(smoke), &[]);
        let (lane, smoke) = serving("coder", &["other"]);
        told(
            lane.clone(),
            Some(smoke.clone()),
            &["error model-not-served [coder]: `coder` should be served as `coder`, and what is \
               served is `other` = give the engine the name (`--served-model-name coder`, \
               `--alias coder`), or let clients ask for `other`"],
        );
        told(
            lane,
            Some(Smoke { standby: true, ..smoke }),
            &["note lane-on-standby [coder]: `coder` is not served now: `other` is = nothing to \
               do: lanes that share an address are served one at a time"],
        );
        let (lane, smoke) = serving("coder", &[]);
        let mut findings = Findings::new(Policy::default());
        run(&LaneFacts { smoke: Some(smoke), ..LaneFacts::of(lane, Role::Hand) }, &mut findings);
        assert!(tell(findings)[0].contains("is up and serves no model"));
    }

    #[test]
    fn what_is_generated_has_to_be_something() {
        for (generation, expected) in [
            (Generation::Works, None),
            (Generation::Differs, Some("warning")),
            (Generation::Empty, Some("error")),
            (Generation::NotFinite, Some("error")),
            (Generation::Refused(400), Some("error")),
            (Generation::None("gone".to_owned()), Some("error")),
        ] {
            let (lane, smoke) = serving("coder", &["coder"]);
            let smoke = Smoke { generation: Some(generation), ..smoke };
            let mut findings = Findings::new(Policy::default());
            run(
                &LaneFacts { smoke: Some(smoke), ..LaneFacts::of(lane, Role::Hand) },
                &mut findings,
            );
            let told = tell(findings);
            let severity = told.first().and_then(|told| told.split(' ').next());
            assert_eq!(severity, expected, "{told:?}");
        }
    }

    #[test]
    fn a_container_that_has_ended_is_said_with_its_last_words() {
        let answered = Smoke::answered(None, Answer::None("refused".to_owned()));
        let log = ["one", "two"].map(str::to_owned).to_vec();
        let smoke = Some(Smoke { over: true, log, ..answered });
        let lane = lane("coder", &["vllm"], true);
        let mut findings = Findings::new(Policy::default());
        run(&LaneFacts { smoke, ..LaneFacts::of(lane, Role::Hand) }, &mut findings);
        let finding = findings.into_vec().remove(0);
        assert!(finding.message.ends_with("its container has ended"), "{}", finding.message);
        assert_eq!(
            finding.evidence.iter().map(|(_, line)| line).collect::<Vec<_>>(),
            ["one", "two"]
        );
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
        let smoke = Some(Smoke::answered(None, Answer::NoAddress));
        told(
            lane("coder", &["vllm"], true),
            smoke,
            &[
                "warning endpoint-unknown [coder]: nobody says where `coder` answers, so it was not \
              asked = set `x-preflight: {lanes: {coder: {smoke: {url: ...}}}}`",
            ],
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

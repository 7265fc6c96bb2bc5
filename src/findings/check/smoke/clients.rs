//! What the clients of a running engine are answered.

use crate::exit_code::ExitCode;
use crate::facts::LaneFacts;
use crate::facts::smoke::{Call, Heard};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};

/// A client that is not answered as it has to be, by an engine that serves.
pub static CHECK: Check = Check { rules: &[&NOT_ANSWERED], run: Run::Smoke(run) };

static NOT_ANSWERED: Rule = Rule::error(
    "client-not-answered",
    ExitCode::Smoke,
    include_str!("rules/client-not-answered.md"),
);

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let calls = facts.smoke.iter().flat_map(|smoke| &smoke.calls);
    for (call, (what, fix, severity)) in calls.filter_map(|call| Some((call, judge(call)?))) {
        let message = format!("`{}` of service `{}` {what}", call.variable, call.client);
        let finding = Finding::new(&NOT_ANSWERED, message, fix).severity(severity);
        let finding = finding.lane(&facts.lane.name).service(&call.client).at(&call.place);
        findings.push(finding);
    }
}

/// What is wrong, what to do, and how bad it is.
type Judged = (String, String, Severity);

fn judge(call: &Call) -> Option<Judged> {
    match &call.heard {
        Heard::Refused => Some((
            "leads to a port on which nobody listens in the container of the engine".to_owned(),
            "write the port that the engine listens on inside its container".to_owned(),
            Severity::Error,
        )),
        Heard::Status(404) => Some((
            format!("leads to `{}`, where the engine has nothing", call.path),
            "correct the path: most clients want it to end in `/v1`, others without".to_owned(),
            Severity::Error,
        )),
        Heard::Status(401 | 403) => Some((
            "leads to an engine that does not take the key of this client".to_owned(),
            "give the client the key of the engine".to_owned(),
            Severity::Error,
        )),
        Heard::Answer(Some(served)) => not_served(call, served),
        Heard::Answer(None) | Heard::Status(_) | Heard::Unknown(_) => None,
    }
}

/// A name that the client asks for and that is not served there.
fn not_served(call: &Call, served: &[String]) -> Option<Judged> {
    let is_served = |wanted: &str| {
        let mut names = served.iter().map(String::as_str);
        names.any(|name| name == wanted || name.strip_suffix(":latest") == Some(wanted))
    };
    let missing = call.wanted.iter().find(|wanted| !is_served(wanted))?;
    let list = served.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let what = if list.is_empty() {
        format!("is asked for `{missing}`, and nothing is served there")
    } else {
        format!("is asked for `{missing}`, and what is served there is {list}")
    };
    let fix = format!("let the client ask for what is served, or serve it as `{missing}`");
    Some((what, fix, Severity::Warning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_map::Place;

    fn told(heard: Heard, wanted: &[&str]) -> Option<(Severity, String)> {
        let call = Call {
            client: "ui".to_owned(),
            variable: "OPENAI_API_BASE_URL".to_owned(),
            path: "/models".to_owned(),
            wanted: wanted.iter().map(|name| (*name).to_owned()).collect(),
            place: Place::nowhere(),
            heard,
        };
        judge(&call).map(|(what, _, severity)| (severity, what))
    }

    fn serving(names: &[&str]) -> Heard {
        Heard::Answer(Some(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn an_answer_that_shows_what_is_wrong_is_told() {
        let (severity, what) = told(Heard::Refused, &[]).unwrap();
        assert_eq!(severity, Severity::Error);
        assert!(what.contains("nobody listens"), "{what}");
        let (_, what) = told(Heard::Status(404), &[]).unwrap();
        assert_eq!(what, "leads to `/models`, where the engine has nothing");
        assert!(told(Heard::Status(401), &[]).is_some());
        let (severity, what) = told(serving(&["qwen"]), &["coder"]).unwrap();
        assert_eq!(severity, Severity::Warning);
        assert_eq!(what, "is asked for `coder`, and what is served there is `qwen`");
    }

    #[test]
    fn an_answer_that_shows_nothing_is_not() {
        assert_eq!(told(Heard::Unknown("no route".to_owned()), &["coder"]), None);
        assert_eq!(told(Heard::Status(503), &[]), None);
        assert_eq!(told(Heard::Answer(None), &["coder"]), None);
        assert_eq!(told(serving(&["coder", "qwen"]), &["coder"]), None);
        assert_eq!(told(serving(&["llama3.2:latest"]), &["llama3.2"]), None);
        assert_eq!(told(serving(&["qwen"]), &[]), None);
    }
}

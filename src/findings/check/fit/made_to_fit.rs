//! What is served of a lane whose engine makes it fit by itself.

use crate::exit_code::ExitCode;
use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::memory::{Served, Whole};

/// A lane would take more than there is, and its engine makes less of it.
pub static CHECK: Check = Check { rules: &[&MADE_TO_FIT], run: Run::Together(run) };

static MADE_TO_FIT: Rule =
    Rule::note("made-to-fit", ExitCode::Memory, include_str!("rules/made-to-fit.md"));

fn run(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    for lane in lanes.iter().filter(|lane| lane.lane.skipped.is_none()) {
        let served = lane.memory.as_ref().and_then(|memory| memory.served.as_ref());
        let finding = served.and_then(|served| note(facts, lane, served));
        finding.into_iter().for_each(|finding| findings.push(finding));
    }
}

fn note(facts: &ProjectFacts<'_>, lane: &LaneFacts, served: &Served) -> Option<Finding> {
    let service = facts.project.service(lane.lane.services.first()?)?;
    let invocation = lane.lane.invocation.as_ref()?;
    let (name, engine) = (&lane.lane.name, invocation.engine.name());
    let words: Vec<String> =
        served.values.iter().map(|value| format!("{} {}", value.flag, value.value)).collect();
    let words = words.join(" ");
    let how = if served.is_least { "no less than" } else { "about" };
    let whole = match served.whole {
        Whole::Tokens(tokens) => format!("{tokens} tokens"),
        Whole::Layers(layers) => format!("{layers} layers"),
    };
    let message = format!("{engine} makes `{name}` fit by itself: {how} `{words}`, of {whole}");
    let fix = format!("say `{words}` to keep it so; for more, take a smaller model or more memory");
    let context = invocation.context.as_ref().map(|context| &context.place);
    let finding = Finding::new(&MADE_TO_FIT, message, fix).lane(name);
    Some(finding.service(&service.name.value).at(context.unwrap_or(&service.name.place)))
}

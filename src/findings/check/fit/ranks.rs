//! Whether there is a GPU for every rank.

use super::Started;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::{GpuUse, GpuVariables, Invocation, Surplus};
use crate::project::Words;
use crate::project::gpus::Visible;

/// A lane is spread over more GPUs than its engine sees.
pub static CHECK: Check = Check { rules: &[&RANKS_EXCEED_GPUS], run: Run::Project(run) };

static RANKS_EXCEED_GPUS: Rule =
    Rule::error("ranks-exceed-gpus", ExitCode::Memory, include_str!("rules/ranks-exceed-gpus.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for started in Started::all(facts) {
        let gpus = started.gpus(facts);
        let words = facts.project.dialect.words();
        if let Some(finding) = gpus.seen().and_then(|seen| judge(&started, seen, words)) {
            findings.push(finding);
        }
    }
}

fn judge(started: &Started<'_>, seen: &Visible, words: &Words) -> Option<Finding> {
    let invocation = started.invocation;
    let severity = match invocation.spread.surplus {
        Surplus::Elsewhere => return None,
        Surplus::Doubtful => Severity::Warning,
        Surplus::Refused => Severity::Error,
    };
    let (ranks, most) = (invocation.ranks()?, seen.most()?);
    let needed = ranks.saturating_add(invocation.spread.first);
    // What sees none may do without.
    if needed <= most || (most == 0 && invocation.spread.gpu != GpuUse::Needed) {
        return None;
    }
    let name = &started.service.name.value;
    let finding = Finding::new(
        &RANKS_EXCEED_GPUS,
        format!(
            "{} {}, and service `{name}` sees {}",
            asks(invocation),
            gpus(needed),
            given(invocation, seen, most)
        ),
        fix(invocation, seen, most, words),
    );
    let finding = started.about(finding).severity(severity);
    let finding = finding.with("ranks", ranks).with("gpus", most);
    let words = invocation.tensor_parallel.iter().chain(&invocation.spread.pipeline_parallel);
    let mut places = words.map(|word| &word.place);
    let list = invocation.spread.variables.list();
    let finding = match places.next().or(list.map(|(_, list)| &list.place)) {
        Some(place) => {
            places.fold(finding.at(place), |finding, place| finding.also(place, "times this"))
        }
        None => finding.at(&started.service.name.place),
    };
    Some(match list.filter(|(_, list)| list.place != finding.place) {
        Some((_, list)) => finding.also(&list.place, "the GPUs that its process may use"),
        None => finding,
    })
}

/// What says how many ranks there are, as the subject of a sentence.
fn asks(invocation: &Invocation) -> String {
    let flag = invocation.engine.command_line().tensor_parallel.map(|rules| rules.flag);
    let tensor = invocation.tensor_parallel.as_ref().zip(flag);
    let pipeline = invocation.spread.pipeline_parallel.as_ref().filter(|stages| stages.value > 1);
    match (tensor, pipeline) {
        (Some((tensor, flag)), None) => format!("`{flag} {}` needs", tensor.value),
        (Some((tensor, flag)), Some(stages)) => {
            format!("`{flag} {}` in {} pipeline stages needs", tensor.value, stages.value)
        }
        (None, Some(stages)) => format!("a pipeline of {} stages needs", stages.value),
        (None, None) => format!("{} needs", invocation.engine.name()),
    }
}

fn gpus(number: u64) -> String {
    format!("{number} GPU{}", if number == 1 { "" } else { "s" })
}

/// What the service sees, and of what.
fn given(invocation: &Invocation, seen: &Visible, most: u64) -> String {
    let Some((variable, list)) = invocation.spread.variables.list() else {
        return most.to_string();
    };
    let handed = seen.handed.count(None);
    let number = if most == 0 { "none".to_owned() } else { most.to_string() };
    match handed {
        Some(1) if most == 0 && !list.value.trim().is_empty() => format!(
            "{number}: it is given one GPU, whose number in it is 0, and `{variable}` says `{}`",
            list.value
        ),
        Some(handed) => {
            format!(
                "{number} of the {handed} that it is given, because `{variable}` says `{}`",
                list.value
            )
        }
        None => format!("{number}, because `{variable}` says `{}`", list.value),
    }
}

fn fix(invocation: &Invocation, seen: &Visible, most: u64, words: &Words) -> String {
    let handed = seen.handed.count(None);
    let needed = invocation.ranks().unwrap_or(1);
    let is_cut = invocation.spread.variables.list().is_some();
    if let (Some((variable, _)), true) =
        (invocation.spread.variables.list(), handed.is_none_or(|handed| needed <= handed))
    {
        return format!("remove `{variable}`, which counts from 0 what the service is given");
    }
    let give = format!("give the service {} ({})", gpus(needed), (words.so_many_gpus)(needed));
    let also =
        if is_cut { format!(", without `{}`", GpuVariables::LISTS[0]) } else { String::new() };
    let flag = invocation.engine.command_line().tensor_parallel.map(|rules| rules.flag);
    match flag.filter(|_| invocation.spread.pipeline_parallel.is_none() && most > 0) {
        Some(flag) => format!("say `{flag} {most}`, or {give}{also}"),
        None => format!("{give}{also}"),
    }
}

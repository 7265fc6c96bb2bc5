//! Whether the processes of one engine have room to hand each other data.

use super::Started;
use crate::amount;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::project::{SharedMemory, Words};

/// The `/dev/shm` of a lane's service is too small for its ranks.
pub static CHECK: Check = Check { rules: &[&SHARED_MEMORY_SHORT], run: Run::Project(run) };

static SHARED_MEMORY_SHORT: Rule = Rule::error(
    "shared-memory-short",
    ExitCode::Memory,
    include_str!("rules/shared-memory-short.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for started in Started::all(facts) {
        let own = facts.shared_memory(&started.service.name.value);
        if let Some(finding) = judge(&started, own, facts.project.dialect.words()) {
            findings.push(finding);
        }
    }
}

fn judge(started: &Started<'_>, own: SharedMemory, words: &Words) -> Option<Finding> {
    let need = started.invocation.spread.shared_memory?;
    let SharedMemory::Limited { bytes, by_default } = own else { return None };
    if need.bytes <= bytes {
        return None;
    }
    let engine = started.invocation.engine.name();
    let does = if need.is_certain {
        "and does not start with less"
    } else {
        "and the library between its GPUs may run out of it"
    };
    let whose = format!(", which is {}", words.shared_memory_by_default);
    let said = if by_default { whose.as_str() } else { "" };
    let finding = Finding::new(
        &SHARED_MEMORY_SHORT,
        format!(
            "the `/dev/shm` of service `{}` has {}{said}; with more than one rank {engine} asks for {} \
             there, {does}",
            started.service.name.value,
            amount::size(bytes),
            amount::size(need.bytes),
        ),
        words.more_shared_memory,
    );
    let is_certain = need.is_certain && (words.shared_memory_is_certain || !by_default);
    let severity = if is_certain { Severity::Error } else { Severity::Warning };
    let finding = started.about(finding).severity(severity).at(&started.service.name.place);
    let ranks = started.invocation.tensor_parallel.iter();
    let ranks = ranks.chain(&started.invocation.spread.pipeline_parallel);
    let finding = ranks.fold(finding, |finding, word| finding.also(&word.place, "its ranks"));
    Some(finding.with("bytes", bytes).with("needed_bytes", need.bytes))
}

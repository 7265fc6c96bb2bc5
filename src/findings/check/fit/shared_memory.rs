//! Whether the processes of one engine have room to hand each other data.

use super::Started;
use crate::amount;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::project::SharedMemory;

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
        if let Some(finding) = judge(&started, own) {
            findings.push(finding);
        }
    }
}

fn judge(started: &Started<'_>, own: SharedMemory) -> Option<Finding> {
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
    let said = if by_default { ", which is Docker's default" } else { "" };
    let finding = Finding::new(
        &SHARED_MEMORY_SHORT,
        format!(
            "the `/dev/shm` of service `{}` has {}{said}; with more than one rank {engine} asks for {} \
             there, {does}",
            started.service.name.value,
            amount::size(bytes),
            amount::size(need.bytes),
        ),
        "set `shm_size: 1gb` of the service, or `ipc: host`",
    );
    let severity = if need.is_certain { Severity::Error } else { Severity::Warning };
    let finding = started.about(finding).severity(severity).at(&started.service.name.place);
    let words = started.invocation.tensor_parallel.iter();
    let words = words.chain(&started.invocation.spread.pipeline_parallel);
    let finding = words.fold(finding, |finding, word| finding.also(&word.place, "its ranks"));
    Some(finding.with("bytes", bytes).with("needed_bytes", need.bytes))
}

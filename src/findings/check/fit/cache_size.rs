//! Whether the cache that a command asks for holds one request of the longest length.

use crate::amount;
use crate::exit_code::ExitCode;
use crate::facts::{LaneFacts, memory};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::ContextFlag;
use crate::plan::engine::memory::Shortage;

/// A cache is told to be smaller than what one request takes.
pub static CHECK: Check = Check { rules: &[&CACHE_TOO_SMALL], run: Run::Model(run) };

static CACHE_TOO_SMALL: Rule =
    Rule::error("cache-too-small", ExitCode::Memory, include_str!("rules/cache-too-small.md"));

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let invocation = facts.lane.invocation.as_ref().filter(|it| it.unread.is_empty());
    let sizing = invocation.and_then(|invocation| invocation.sizing.as_ref());
    let Some((sizing, checkpoint)) = sizing.zip(memory::checkpoint(facts)) else { return };
    if let Some(shortage) = sizing.shortage(checkpoint) {
        findings.push(told(facts, &shortage));
    }
}

fn told(facts: &LaneFacts, shortage: &Shortage) -> Finding {
    let Shortage { flag, said, there, needed, tokens, .. } = shortage;
    let invocation = facts.lane.invocation.as_ref();
    let length: Option<&ContextFlag> =
        invocation.and_then(|it| it.engine.command_line().context.as_ref());
    let fix = match (shortage.longest, length) {
        (Some(longest), Some(length)) => {
            format!("say `{} {longest}`, or more behind `{flag}`", length.flag)
        }
        (Some(_) | None, _) => format!("say more behind `{flag}`, or allow shorter requests"),
    };
    let finding = Finding::new(
        &CACHE_TOO_SMALL,
        format!(
            "`{flag} {}` leaves {} for keys and values, and one request of {tokens} tokens takes {}",
            said.value,
            amount::size(*there),
            amount::size(*needed),
        ),
        fix,
    );
    let severity = if shortage.is_certain { Severity::Error } else { Severity::Warning };
    let finding = finding.lane(&facts.lane.name).at(&said.place).severity(severity);
    let finding = match facts.lane.services.first() {
        Some(service) => finding.service(service),
        None => finding,
    };
    let finding = finding.with("bytes", *there).with("needed_bytes", *needed);
    match invocation.and_then(|invocation| invocation.context.as_ref()) {
        Some(context) => finding.also(&context.place, "tokens of one request"),
        None => finding,
    }
}

//! Whether what lanes need of the memory of their containers and of their host is there.

use super::sums::{self, gib};
use crate::exit_code::ExitCode;
use crate::facts::memory::{HostRoom, LaneMemory};
use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::memory::{Device, Part};
use crate::project::{Service, Words};
use crate::source_map::Place;

/// A lane needs more memory than its container or its host has, or more than it has beside what it
/// needs at first.
pub static CHECK: Check =
    Check { rules: &[&HOST_MEMORY_SHORT, &HOST_MEMORY_TIGHT], run: Run::Together(run) };

static HOST_MEMORY_SHORT: Rule =
    Rule::error("host-memory-short", ExitCode::Memory, include_str!("rules/host-memory-short.md"));

static HOST_MEMORY_TIGHT: Rule = Rule::warning(
    "host-memory-tight",
    ExitCode::Memory,
    include_str!("rules/host-memory-tight.md"),
);

/// What a server takes beside all that is counted, at least.
const BESIDE: u64 = 30 << 20;

fn run(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    let mut fitting = Vec::new();
    for tenant in lanes.iter().filter_map(|lane| Tenant::of(facts, lane)) {
        match tenant.short() {
            Some(finding) if finding.severity == Severity::Error => findings.push(finding),
            short => {
                short.into_iter().for_each(|finding| findings.push(finding));
                tenant.tight(facts).into_iter().for_each(|finding| findings.push(finding));
                fitting.push(tenant);
            }
        }
    }
    all_together(facts, &fitting).into_iter().for_each(|finding| findings.push(finding));
}

/// A lane whose container has a known room.
struct Tenant<'a> {
    lane: &'a LaneFacts,
    memory: &'a LaneMemory,
    room: HostRoom,
    service: &'a Service,
    words: &'static Words,
}

impl<'a> Tenant<'a> {
    fn of(facts: &'a ProjectFacts<'_>, lane: &'a LaneFacts) -> Option<Self> {
        let memory = lane.memory.as_ref().filter(|_| lane.lane.skipped.is_none())?;
        let service = facts.project.service(lane.lane.services.first()?)?;
        let is_started = facts.copies(&service.name.value) > 0;
        let words = facts.project.dialect.words();
        is_started.then_some(Self { lane, memory, room: memory.host?, service, words })
    }

    /// Whether what cannot be taken away again is more than there is.
    fn short(&self) -> Option<Finding> {
        let (low, high) = self.memory.anonymous();
        let room = self.room.all()?;
        let is_short = room < low;
        let is_certain = is_short && self.memory.is_placed;
        let may_be = high.is_some_and(|high| room < high.saturating_add(BESIDE));
        let is_possible = self.room.is_limit && may_be;
        if !is_short && !is_possible {
            return None;
        }
        let verb = if is_certain { "needs more than" } else { "may need more than" };
        let parts: Vec<Part> = self.parts();
        let message = format!(
            "`{}` {verb} the {} GiB {}: {}",
            self.lane.lane.name,
            gib(room),
            self.whose(),
            sums::of(&parts),
        );
        let severity = if is_certain { Severity::Error } else { Severity::Warning };
        let finding = self.about(Finding::new(&HOST_MEMORY_SHORT, message, self.fix(low, high)));
        let finding = finding.severity(severity);
        Some(finding.with("room_bytes", room).with("needed_bytes", low))
    }

    /// What lies in its container and cannot be taken away again.
    fn parts(&self) -> Vec<Part> {
        let is_own = |part: &&Part| part.device == Device::Host && !part.mapped;
        self.memory.parts.iter().filter(is_own).copied().collect()
    }

    fn whose(&self) -> String {
        let name = &self.service.name.value;
        match (self.room.is_limit, self.room.swap.unwrap_or_default()) {
            (true, 0) => format!("that service `{name}` may have"),
            (true, _) => format!("of memory and swap that service `{name}` may have"),
            (false, 0) => "that the host has".to_owned(),
            (false, _) => "of memory and swap that the host has".to_owned(),
        }
    }

    fn fix(&self, low: u64, high: Option<u64>) -> String {
        let largest = self.memory.largest.as_ref();
        let value = largest.map(|largest| format!("say `{} {}`", largest.flag, largest.value));
        let needed = high.unwrap_or(low).max(low).saturating_add(2 * BESIDE).div_ceil(1 << 20);
        let limit = (self.words.more_memory)(needed);
        let more = if self.room.is_limit { limit } else { "take a smaller model".to_owned() };
        value.map_or_else(|| more.clone(), |value| format!("{value}, or {more}"))
    }

    /// What works, and not for long or not fast.
    fn tight(&self, facts: &ProjectFacts<'_>) -> Vec<Finding> {
        let name = &self.lane.lane.name;
        let (low, _) = self.memory.anonymous();
        let left = self.room.memory.saturating_sub(low);
        let mut said = Vec::new();
        let mapped = self.memory.mapped();
        if left < mapped {
            said.push((
                format!(
                    "`{name}` maps weights of {} GiB, and {} GiB are left for them of the {} GiB {}: it \
                     reads them from the disk again for every token",
                    gib(mapped),
                    gib(left),
                    gib(self.room.memory),
                    self.whose_memory(),
                ),
                "allow it more memory, or take a smaller quantisation".to_owned(),
            ));
        }
        let kept = self.memory.beside.kept.filter(|_| self.room.is_limit);
        if let Some(kept) = kept.filter(|kept| kept.most.is_none_or(|most| left < most)) {
            let most = kept
                .most
                .map_or("all that it can".to_owned(), |most| format!("up to {} GiB", gib(most)));
            let fits = (left / 2) >> 20;
            said.push((
                format!(
                    "`{name}` keeps {most} of prompts that are over, and {} GiB are left for them of the {} \
                     GiB {}: it is killed when they are used up",
                    gib(left),
                    gib(self.room.memory),
                    self.whose_memory(),
                ),
                format!("say `{} {fits}` (MiB), or 0 for none", kept.flag),
            ));
        }
        if let Some(flag) = self.memory.beside.locks.filter(|_| mapped > 0 && !self.may_lock(facts))
        {
            said.push((
                format!(
                    "`{name}` is told to lock its weights (`{flag}`), which its container may not"
                ),
                self.words.lock_memory.to_owned(),
            ));
        }
        let findings = said.into_iter();
        findings
            .map(|(message, fix)| self.about(Finding::new(&HOST_MEMORY_TIGHT, message, fix)))
            .collect()
    }

    fn may_lock(&self, facts: &ProjectFacts<'_>) -> bool {
        let said = &facts.project.document["services"][self.service.name.value.as_str()];
        let added = said["cap_add"].as_array().into_iter().flatten();
        let mut added = added.filter_map(|capability| capability.as_str());
        let is_known = said.is_object();
        !is_known
            || self.room.may_lock
            || said["privileged"].as_bool() == Some(true)
            || added.any(|name| matches!(name.trim_start_matches("CAP_"), "IPC_LOCK" | "ALL"))
    }

    fn whose_memory(&self) -> String {
        match self.room.is_limit {
            true => format!("that service `{}` may have", self.service.name.value),
            false => "that the host has".to_owned(),
        }
    }

    fn place(&self) -> &Place {
        let invocation = self.lane.lane.invocation.as_ref();
        let context = invocation.and_then(|invocation| invocation.context.as_ref());
        context.map_or(&self.service.name.place, |context| &context.place)
    }

    fn about(&self, finding: Finding) -> Finding {
        let finding = finding.lane(&self.lane.lane.name).service(&self.service.name.value);
        finding.at(self.place())
    }
}

/// Whether all that cannot be taken away again is more than the host has.
fn all_together(facts: &ProjectFacts<'_>, tenants: &[Tenant<'_>]) -> Option<Finding> {
    let host = facts.host?;
    let room = host.total?.saturating_add(host.swap?);
    let mut each: Vec<(&Tenant<'_>, u64)> = Vec::new();
    for tenant in tenants {
        let name = &tenant.service.name.value;
        let low = tenant.memory.anonymous().0.saturating_mul(facts.copies(name));
        match each.iter_mut().find(|(known, _)| known.service.name.value == *name) {
            Some((_, most)) => *most = low.max(*most),
            None => each.push((tenant, low)),
        }
    }
    each.retain(|(_, low)| *low > 0);
    let sum = each.iter().fold(0, |sum: u64, (_, low)| sum.saturating_add(*low));
    if sum <= room || each.len() < 2 {
        return None;
    }
    let names: Vec<String> = each
        .iter()
        .map(|(tenant, low)| format!("`{}` {}", tenant.lane.lane.name, gib(*low)))
        .collect();
    let message = format!(
        "together lanes need {} GiB of memory, and the host has {} with its swap: {}",
        gib(sum),
        gib(room),
        names.join(", "),
    );
    let fix = "start fewer of them, or give them shorter contexts";
    let finding = Finding::new(&HOST_MEMORY_SHORT, message, fix).severity(Severity::Warning);
    let mut finding = finding.with("room_bytes", room).with("needed_bytes", sum);
    let mut lanes = each.iter().map(|(tenant, _)| tenant.lane.lane.name.clone());
    finding.lane = lanes.next();
    finding.other_lanes = lanes.collect();
    Some(each.iter().fold(finding, |finding, (tenant, low)| {
        let told = format!("`{}` takes {} GiB", tenant.lane.lane.name, gib(*low));
        finding.also(tenant.place(), told)
    }))
}

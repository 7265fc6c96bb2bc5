//! Whether what lanes need of cards is there, where it is known how much memory those have.

use super::sums::{self, gib};
use crate::exit_code::ExitCode;
use crate::facts::memory::balance::{Balance, Short, Taker};
use crate::facts::memory::{HostDevice, SizeSource};
use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::Share;
use crate::source_map::Place;

/// A lane needs more of its cards than they have, or several lanes together do.
pub static CHECK: Check = Check {
    rules: &[&GPU_MEMORY_SHORT, &super::shares::GPU_OVERCOMMITTED],
    run: Run::Together(run),
};

static GPU_MEMORY_SHORT: Rule =
    Rule::error("gpu-memory-short", ExitCode::Memory, include_str!("rules/gpu-memory-short.md"));

fn run(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    let mut alone: Vec<&str> = Vec::new();
    let balances = Balance::all(facts, lanes, facts.devices);
    for balance in &balances {
        for taker in &balance.takers {
            let Some(short) = balance.short_alone(taker) else { continue };
            if !alone.contains(&name(taker)) {
                alone.push(name(taker));
                findings.push(of_one(facts, balance, taker, short));
            }
        }
    }
    let mut told: Vec<Vec<&str>> = Vec::new();
    for balance in &balances {
        let names: Vec<&str> = balance.takers.iter().map(name).collect();
        // What does not fit alone is to be mended first, and shares alone are judged as shares.
        let is_apart = names.iter().any(|name| alone.contains(name)) || are_shares(balance);
        if names.len() < 2 || is_apart || told.contains(&names) {
            continue;
        }
        if let Some(short) = balance.short() {
            told.push(names);
            findings.push(of_many(facts, balance, short));
        }
    }
}

fn name<'a>(taker: &Taker<'a>) -> &'a str {
    &taker.lane.lane.name
}

/// Whether all that is taken is taken as shares, or these alone are too much.
fn are_shares(balance: &Balance<'_>) -> bool {
    let claims = || balance.takers.iter().filter_map(|taker| Some((taker.claim?, taker.copies)));
    let sum: u64 = claims().map(|(claim, copies)| claim.share.0.saturating_mul(copies)).sum();
    claims().count() == balance.takers.len() || Share::WHOLE.0 < sum
}

fn of_one(
    facts: &ProjectFacts<'_>,
    balance: &Balance<'_>,
    taker: &Taker<'_>,
    short: Short,
) -> Finding {
    let room = match taker.claim {
        Some(claim) => claim.bytes.min(balance.room()),
        None => balance.room(),
    };
    let of = match taker.claim {
        Some(claim) => {
            format!(
                "the {} GiB that it takes of {} ({})",
                gib(room),
                cards(balance),
                claim.share.shown()
            )
        }
        None => format!("the {} GiB of {}", gib(room), cards(balance)),
    };
    let need = sums::of(&taker.parts);
    let verb = match short {
        Short::Possibly => "may need",
        Short::Likely => "is likely to need",
        Short::Certainly => "needs",
    };
    let message =
        format!("`{}` {verb} more than {of}: {need}{}", name(taker), doubt(balance, short));
    let fix = match larger(taker, balance) {
        Some(fix) => fix,
        None => fitting(taker).unwrap_or_else(|| "give it a larger GPU, or another one".to_owned()),
    };
    let finding = Finding::new(&GPU_MEMORY_SHORT, message, fix);
    let finding = finding.lane(name(taker)).service(taker.service()).at(&place(facts, taker));
    let finding = finding.severity(severity(short));
    finding.with("room_bytes", room).with("needed_bytes", taker.needed())
}

fn of_many(facts: &ProjectFacts<'_>, balance: &Balance<'_>, short: Short) -> Finding {
    let takers = &balance.takers;
    let names: Vec<String> = takers.iter().map(|taker| format!("`{}`", name(taker))).collect();
    let names = match names.as_slice() {
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
        [] => String::new(),
    };
    let amount = |taker: &Taker<'_>| match short {
        Short::Possibly => taker.most().unwrap_or_else(|| taker.least()),
        Short::Likely => taker.least(),
        Short::Certainly => taker.certain(),
    };
    let sum = takers.iter().fold(0, |sum: u64, taker| sum.saturating_add(amount(taker)));
    let terms: Vec<String> = takers.iter().map(|taker| gib(amount(taker))).collect();
    let verb = match short {
        Short::Possibly => "may need",
        Short::Likely => "are likely to need",
        Short::Certainly => "need",
    };
    let message = format!(
        "{names} {verb} {} = {} GiB of {}, which has {}{}",
        terms.join(" + "),
        gib(sum),
        cards(balance),
        gib(balance.room()),
        doubt(balance, short),
    );
    let mut finding = Finding::new(&super::shares::GPU_OVERCOMMITTED, message, fix(facts, balance));
    finding = finding.severity(severity(short));
    let mut lanes = about(balance, amount).into_iter().map(|taker| name(taker).to_owned());
    finding.lane = lanes.next();
    finding.other_lanes = lanes.collect();
    for (index, taker) in takers.iter().enumerate() {
        let place = place(facts, taker);
        if index == 0 {
            finding = finding.at(&place).service(taker.service());
        }
        finding = finding.also(&place, told(taker));
    }
    finding.with("room_bytes", balance.room()).with("needed_bytes", sum)
}

/// Those without which the others would fit: a lane that is not required before one that is.
fn about<'t, 'a>(
    balance: &'t Balance<'a>,
    amount: impl Fn(&Taker<'_>) -> u64,
) -> Vec<&'t Taker<'a>> {
    let required = |taker: &&Taker<'_>| taker.lane.lane.required;
    let by_required: u64 = balance.takers.iter().filter(required).map(&amount).sum();
    let all = || balance.takers.iter();
    let optional: Vec<&Taker<'_>> = all().filter(|taker| !required(taker)).collect();
    if balance.room() < by_required || optional.is_empty() { all().collect() } else { optional }
}

/// What to say of one of them, where it is started.
fn told(taker: &Taker<'_>) -> String {
    let copies = if taker.copies == 1 { String::new() } else { format!("{} times ", taker.copies) };
    match taker.claim {
        Some(claim) => format!(
            "`{}` takes {copies}{} of it = {} GiB",
            name(taker),
            claim.share.shown(),
            gib(claim.bytes)
        ),
        None => format!("`{}` takes {copies}{}", name(taker), sums::of(&taker.parts)),
    }
}

/// Values that fit, for each of which one is known.
fn fix(facts: &ProjectFacts<'_>, balance: &Balance<'_>) -> String {
    let each = balance.takers.iter().filter_map(|taker| {
        let value = smaller(taker, balance).or_else(|| fitting(taker))?;
        Some(format!("{value} for `{}`", name(taker)))
    });
    let mut ways: Vec<String> = each.collect();
    ways.push(facts.project.dialect.words().other_gpus.to_owned());
    ways.join(", or ")
}

/// The largest value with which one fits.
fn fitting(taker: &Taker<'_>) -> Option<String> {
    let largest = taker.lane.memory.as_ref()?.largest.as_ref()?;
    Some(format!("say `{} {}`", largest.flag, largest.value))
}

/// The share that the others leave, where what is needed fits into it.
fn smaller(taker: &Taker<'_>, balance: &Balance<'_>) -> Option<String> {
    let share = balance.smaller_share(taker)?;
    Some(format!("say `{} {}`", flag(taker)?, share.shown()))
}

/// The share into which what is needed fits, where the card has as much, or what fits into the present one.
fn larger(taker: &Taker<'_>, balance: &Balance<'_>) -> Option<String> {
    let share = balance.larger_share(taker)?;
    let flag = flag(taker)?;
    let largest = taker.lane.memory.as_ref().and_then(|memory| memory.largest.as_ref());
    let or = largest.filter(|largest| largest.flag != flag).and_then(|_| fitting(taker));
    let or = or.map(|fix| format!(", or {fix}")).unwrap_or_default();
    Some(format!("say `{flag} {}`{or}", share.shown()))
}

fn flag(taker: &Taker<'_>) -> Option<&'static str> {
    let invocation = taker.lane.lane.invocation.as_ref()?;
    Some(invocation.spread.share.as_ref()?.flag)
}

fn severity(short: Short) -> Severity {
    match short {
        Short::Certainly => Severity::Error,
        Short::Likely | Short::Possibly => Severity::Warning,
    }
}

/// Why something is not certain that looks so.
fn doubt(balance: &Balance<'_>, short: Short) -> &'static str {
    let is_named = balance.cards.iter().any(|card| card.source == SizeSource::Name);
    if is_named && short == Short::Likely { ", by its name" } else { "" }
}

/// `GPU 0`, `the GPUs 0 and 1`.
fn cards(balance: &Balance<'_>) -> String {
    let keys: Vec<&str> =
        balance.cards.iter().map(|card: &&HostDevice| card.key.as_str()).collect();
    match keys.as_slice() {
        [key] => format!("GPU {key}"),
        [before @ .., last] => format!("the GPUs {} and {last}", before.join(", ")),
        [] => String::new(),
    }
}

/// What says how much a lane keeps, else its service.
fn place(facts: &ProjectFacts<'_>, taker: &Taker<'_>) -> Place {
    let invocation = taker.lane.lane.invocation.as_ref();
    let share = invocation.and_then(|it| it.spread.share.as_ref()?.said.as_ref());
    let context = invocation.and_then(|it| it.context.as_ref());
    let said = share.map(|said| &said.place).or_else(|| context.map(|said| &said.place));
    let service = || facts.project.service(taker.service()).map(|service| &service.name.place);
    said.or_else(service).cloned().unwrap_or_default()
}

//! Whether what engines take of a GPU for themselves is there for all that share it.

mod tenants;

use self::tenants::{Kind, Tenant};
use super::Started;
use crate::exit_code::ExitCode;
use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::Share;
use crate::project::Words;
use crate::project::gpus::{Gpu, Handed};

/// Lanes take more of one GPU than it has.
pub static CHECK: Check = Check { rules: &[&GPU_OVERCOMMITTED], run: Run::Together(run) };

pub(super) static GPU_OVERCOMMITTED: Rule =
    Rule::error("gpu-overcommitted", ExitCode::Memory, include_str!("rules/gpu-overcommitted.md"));

/// What has to be left for what lies outside the shares: a context of CUDA for each process.
const MARGIN: u64 = 30_000;

fn run(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    let tenants: Vec<Tenant<'_>> =
        Started::all(facts).filter_map(|started| Tenant::of(started, facts, lanes)).collect();
    let mut told: Vec<Vec<&str>> = Vec::new();
    for is_proved in [true, false] {
        for (gpu, together) in tenants::by_gpu(&tenants, is_proved) {
            let names: Vec<&str> = together.iter().map(|tenant| tenant.name()).collect();
            if told.contains(&names) {
                continue;
            }
            if let Some(finding) =
                judge(facts.project.dialect.words(), (&gpu, &together), is_proved)
            {
                told.push(names);
                findings.push(finding);
            }
        }
    }
}

/// What is wrong with those that share a GPU, which may only be likely.
fn judge(
    words: &Words,
    (gpu, together): (&Gpu, &[&Tenant<'_>]),
    is_proved: bool,
) -> Option<Finding> {
    let sum = |kinds: &[Kind]| -> u64 {
        let counted = together.iter().filter(|tenant| kinds.contains(&tenant.kind));
        counted.map(|tenant| tenant.whole()).sum()
    };
    let all = sum(&[Kind::Fills, Kind::MayFill, Kind::Asks, Kind::Partly]);
    let copies: u64 = together.iter().map(|tenant| tenant.copies).sum();
    let filled = sum(&[Kind::Fills]);
    let whole = Share::WHOLE.0;
    if copies < 2 {
        return None;
    }
    let (severity, what) = if whole < filled && is_proved {
        (Severity::Error, "")
    } else if whole < all {
        (Severity::Warning, ": which of them starts last may find too little free")
    } else if whole - MARGIN < filled {
        (Severity::Warning, ": nothing is left for what each needs outside its share")
    } else {
        return None;
    };
    let shown = if severity == Severity::Error { filled } else { all };
    let message = format!(
        "{} take {} = {} of the memory of {}{what}",
        names(together),
        terms(together, severity),
        Share(shown).shown(),
        told(gpu, is_proved),
    );
    let finding = Finding::new(&GPU_OVERCOMMITTED, message, fix(together, words));
    Some(placed(finding, together).severity(severity).with("sum", Share(shown).shown()))
}

/// About every lane, at what says how much it takes. An optional lane without which it would do is
/// the one that is too many.
fn placed(finding: Finding, together: &[&Tenant<'_>]) -> Finding {
    let required = together.iter().filter(|tenant| tenant.started.lane.required);
    let by_required: u64 = required.map(|tenant| tenant.whole()).sum();
    let is_about =
        |tenant: &&&Tenant<'_>| Share::WHOLE.0 < by_required || !tenant.started.lane.required;
    let mut about: Vec<&&Tenant<'_>> = together.iter().filter(is_about).collect();
    if about.is_empty() {
        about = together.iter().collect();
    }
    let mut lanes = about.iter().map(|tenant| tenant.name().to_owned());
    let mut finding = finding;
    finding.lane = lanes.next();
    finding.other_lanes = lanes.collect();
    let mut placed = together.iter();
    if let Some(first) = placed.next() {
        finding = finding.at(first.place());
        finding = finding.service(&first.started.service.name.value);
    }
    placed.fold(finding, |finding, tenant| finding.also(tenant.place(), tenant.told()))
}

fn names(together: &[&Tenant<'_>]) -> String {
    let names: Vec<String> = together.iter().map(|tenant| format!("`{}`", tenant.name())).collect();
    match names.as_slice() {
        [one] => format!("the replicas of {one}"),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
        [] => String::new(),
    }
}

/// `0.70 + 0.90`, of those that count.
fn terms(together: &[&Tenant<'_>], severity: Severity) -> String {
    let counts = |tenant: &&&Tenant<'_>| severity != Severity::Error || tenant.kind == Kind::Fills;
    let terms = together.iter().filter(counts).map(|tenant| {
        let share = tenant.share.share.shown();
        if tenant.copies == 1 { share } else { format!("{} x {share}", tenant.copies) }
    });
    terms.collect::<Vec<_>>().join(" + ")
}

fn told(gpu: &Gpu, is_proved: bool) -> String {
    match gpu {
        Gpu::Index(index) if is_proved => format!("GPU {index}"),
        Gpu::Index(index) => format!("what is GPU {index} for each of them"),
        Gpu::Named(name) => format!("GPU `{name}`"),
        Gpu::Numbered { number, of: Handed::All } => {
            format!("the GPU that is number {number} for each")
        }
        Gpu::Numbered { number, of: Handed::These(gpus) } => {
            format!("number {number} of the {} GPUs that each is given", gpus.len())
        }
    }
}

/// The largest shares that fit: what the others leave for the only one that says none of its own, else
/// the same for each.
fn fix(together: &[&Tenant<'_>], words: &Words) -> String {
    const LEAST: u64 = 100_000;
    let flag = together.first().map_or("", |tenant| tenant.share.flag);
    let silent: Vec<&&Tenant<'_>> =
        together.iter().filter(|tenant| tenant.share.said.is_none()).collect();
    let said = together.iter().filter(|tenant| tenant.share.said.is_some());
    let left = (Share::WHOLE.0 - MARGIN).saturating_sub(said.map(|tenant| tenant.whole()).sum());
    let otherwise = format!("or {}", words.other_gpus);
    if let [one] = silent.as_slice()
        && LEAST <= left / one.copies
    {
        let share = Share(left / one.copies).shown();
        return format!("say `{flag} {share}` for `{}`, {otherwise}", one.name());
    }
    let copies: u64 = together.iter().map(|tenant| tenant.copies).sum();
    let share = Share((Share::WHOLE.0 - MARGIN) / copies.max(1)).shown();
    format!("say `{flag} {share}` for each, {otherwise}")
}

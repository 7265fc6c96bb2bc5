//! Whether an engine that wants a GPU is given one, and one that is given it can use it.

use super::Started;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::{Complaint, GpuUse, Invocation};
use crate::project::{Hardware, Service};
use crate::source_map::Spanned;

/// An image for GPUs without one, and the other way round.
pub static CHECK: Check = Check { rules: &[&NOT_ASKED_FOR, &UNUSED], run: Run::Project(run) };

static NOT_ASKED_FOR: Rule =
    Rule::warning("gpu-not-asked-for", ExitCode::Gpu, include_str!("rules/gpu-not-asked-for.md"));

static UNUSED: Rule =
    Rule::warning("gpu-unused", ExitCode::Gpu, include_str!("rules/gpu-unused.md"));

/// Runtimes that hand nothing in by themselves.
const PLAIN: [&str; 4] = ["crun", "io.containerd.runc.v2", "runc", "youki"];

/// Where drivers of the host are mounted by hand, with the devices or without.
const OF_DRIVERS: [&str; 5] =
    ["/dev/nvidia", "/usr/bin/nvidia", "/usr/lib", "/usr/local/cuda", "/usr/local/nvidia"];

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for started in Started::all(facts).filter(|started| is_it(started.invocation)) {
        let hardware = facts.hardware(&started.service.name.value);
        let found = match started.invocation.spread.gpu {
            GpuUse::Needed => not_asked_for(&started, facts, &hardware, does_not_start),
            GpuUse::Taken => not_asked_for(&started, facts, &hardware, computes_slowly),
            GpuUse::Unused { instead } => unused(&started, &hardware, instead),
            GpuUse::Unknown => None,
        };
        if let Some(finding) = found {
            findings.push(finding);
        }
    }
}

/// Whether it is the engine's own image that is started, and starts the engine.
fn is_it(invocation: &Invocation) -> bool {
    let is_other = |complaint: &Spanned<Complaint>| {
        matches!(
            complaint.value,
            Complaint::StartsNoServer(_)
                | Complaint::ProgramBehindEntrypoint { .. }
                | Complaint::ImageMisspelt { .. }
        )
    };
    invocation.stock && !invocation.complaints.iter().any(is_other)
}

/// What becomes of an engine without a GPU, as a sentence about its service.
type Without = fn(&Started<'_>) -> String;

fn does_not_start(started: &Started<'_>) -> String {
    let engine = started.invocation.engine.name();
    let name = &started.service.name.value;
    format!(
        "{engine} of service `{name}` does not start without a GPU, and the service asks for none"
    )
}

fn computes_slowly(started: &Started<'_>) -> String {
    let engine = started.invocation.engine.name();
    let name = &started.service.name.value;
    format!(
        "the image of service `{name}` is one for GPUs, and the service asks for none, so {engine} \
         computes on the processor"
    )
}

fn not_asked_for(
    started: &Started<'_>,
    facts: &ProjectFacts<'_>,
    hardware: &Hardware,
    without: Without,
) -> Option<Finding> {
    let docker = facts.observation.as_ref().ok().map(|observation| &observation.docker);
    let default = docker.and_then(|docker| docker.default_runtime.as_deref());
    let may_have = default.is_some_and(|runtime| !PLAIN.contains(&runtime));
    // What a node has is called by many names, and a claim says elsewhere what it is for.
    let pod = started.service.pod.as_ref();
    let may_have = may_have || pod.is_some_and(|pod| pod.is_open || started.service.has_device);
    if may_have || !asks_for_nothing(hardware) || brings_drivers(facts, started.service) {
        return None;
    }
    let words = facts.project.dialect.words();
    let unless = match default {
        Some(_) => String::new(),
        None => format!(" ({})", words.gpu_unasked),
    };
    let message = format!("{}{unless}", without(started));
    Some(placed(started, Finding::new(&NOT_ASKED_FOR, message, words.ask_for_gpu)))
}

/// Whether nothing hands a GPU to a service but what Docker does for every one.
fn asks_for_nothing(hardware: &Hardware) -> bool {
    let is_plain = hardware.runtime.as_deref().is_none_or(|runtime| PLAIN.contains(&runtime));
    is_plain && hardware.requests.is_empty() && hardware.devices.is_empty()
}

/// Whether a service may have a GPU of which Docker is not told: as it has every device, or as the drivers
/// are mounted.
fn brings_drivers(facts: &ProjectFacts<'_>, service: &Service) -> bool {
    let document = &facts.project.document["services"][&service.name.value];
    let generic = &document["deploy"]["resources"]["reservations"]["generic_resources"];
    let is_driver =
        |target: &str| target == "/dev" || OF_DRIVERS.iter().any(|start| target.starts_with(start));
    let mut targets = service.mounts.iter().map(|mount| mount.target.to_string());
    document["privileged"] == true || !generic.is_null() || targets.any(|it| is_driver(&it))
}

fn unused(started: &Started<'_>, hardware: &Hardware, instead: &str) -> Option<Finding> {
    let is_of_nvidia = |runtime: &str| runtime.contains("nvidia");
    let by_runtime = hardware.runtime.as_deref().is_some_and(is_of_nvidia);
    if !hardware.requests_gpu() && !hardware.requests_cdi() && !by_runtime {
        return None;
    }
    let engine = started.invocation.engine.name();
    let name = &started.service.name.value;
    let message = format!(
        "service `{name}` asks for a GPU, and its image has {engine} for the processor alone, which \
         leaves the GPU idle"
    );
    let fix = format!("take an image that can use it ({instead}), or ask for none");
    Some(placed(started, Finding::new(&UNUSED, message, fix)))
}

fn placed(started: &Started<'_>, finding: Finding) -> Finding {
    let image = started.service.image.as_ref();
    let place = image.map_or(&started.service.name.place, |image| &image.place);
    started.about(finding).at(place)
}

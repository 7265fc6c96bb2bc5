//! Whether an engine that needs a GPU is given one, and one that is given it can use it.

use super::Started;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::project::Hardware;

/// An image for GPUs without one, and the other way round.
pub static CHECK: Check = Check { rules: &[&GPU_NOT_ASKED_FOR], run: Run::Project(run) };

static GPU_NOT_ASKED_FOR: Rule =
    Rule::warning("gpu-not-asked-for", ExitCode::Gpu, include_str!("rules/gpu-not-asked-for.md"));

/// What may hand a GPU to every container.
const DEFAULT_RUNTIME: &str = "nvidia";

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let docker = facts.observation.as_ref().ok().map(|observation| &observation.docker);
    let default = docker.and_then(|docker| docker.default_runtime.as_deref());
    if default == Some(DEFAULT_RUNTIME) {
        return;
    }
    for started in Started::all(facts) {
        let hardware = facts.hardware(&started.service.name.value);
        if started.invocation.spread.needs_gpu && asks_for_nothing(&hardware) {
            findings.push(judge(&started, default));
        }
    }
}

/// Whether nothing hands a GPU to a service but what Docker does for every one.
fn asks_for_nothing(hardware: &Hardware) -> bool {
    let asks = hardware.requests_gpu() || hardware.requests_cdi() || hardware.runtime.is_some();
    !asks && hardware.devices.is_empty()
}

fn judge(started: &Started<'_>, default: Option<&str>) -> Finding {
    let name = &started.service.name.value;
    let engine = started.invocation.engine.name();
    let unless = match default {
        Some(_) => "",
        None => ", unless the default runtime of Docker is that of NVIDIA",
    };
    let message =
        format!("{engine} of service `{name}` needs a GPU, and the service asks for none{unless}");
    let fix = "give the service `gpus: all`, or \
               `deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}`";
    let image = started.service.image.as_ref();
    let place = image.map_or(&started.service.name.place, |image| &image.place);
    started.about(Finding::new(&GPU_NOT_ASKED_FOR, message, fix)).at(place)
}

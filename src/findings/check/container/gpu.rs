//! Whether Docker and its host have the devices that services ask for.

use std::borrow::Cow;

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::lanes::Lane;
use crate::project::docker::devices::NVIDIA_FILES;
use crate::project::docker::{DockerFacts, Observation};
use crate::project::{Hardware, Service};

/// A lane's service asks for devices that are not there.
pub static CHECK: Check =
    Check { rules: &[&RUNTIME_MISSING, &DEVICE_MISSING, &GROUP_MISSING], run: Run::Container(run) };

static RUNTIME_MISSING: Rule =
    Rule::error("gpu-runtime-missing", ExitCode::Gpu, include_str!("rules/gpu-runtime-missing.md"));

static DEVICE_MISSING: Rule =
    Rule::error("gpu-device-missing", ExitCode::Gpu, include_str!("rules/gpu-device-missing.md"));

static GROUP_MISSING: Rule =
    Rule::warning("gpu-group-missing", ExitCode::Gpu, include_str!("rules/gpu-group-missing.md"));

/// How to get a runtime for GPUs.
const INSTALL: &str = "install the NVIDIA Container Toolkit on the host, run `sudo nvidia-ctk \
                       runtime configure --runtime=docker` and restart Docker";

/// Device files of AMD's driver, which belong to groups.
const OF_GROUPS: [&str; 2] = ["/dev/kfd", "/dev/dri"];

fn run(facts: &ProjectFacts<'_>, observation: &Observation, findings: &mut Findings) {
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        for name in &lane.services {
            let Some(service) = facts.project.service(name) else { continue };
            let container = observation.container(&facts.project.name, name);
            let hardware = match container {
                Some(container) => Cow::Borrowed(&container.hardware),
                None => Cow::Owned(Hardware::of_document(&facts.project.document, name)),
            };
            for finding in judge(service, &hardware, &observation.docker) {
                findings.push(placed(finding, lane, service));
            }
        }
    }
}

fn placed(finding: Finding, lane: &Lane, service: &Service) -> Finding {
    finding.lane(&lane.name).service(&service.name.value).at(&service.name.place)
}

fn judge(service: &Service, hardware: &Hardware, docker: &DockerFacts) -> Vec<Finding> {
    let name = &service.name.value;
    let missing =
        hardware.device_files().filter(|file| docker.host_files.get(*file) == Some(&false));
    let mut findings: Vec<Finding> = missing.map(|file| device_missing(name, file)).collect();
    findings.extend(runtime(name, hardware, docker));
    findings.extend(cdi(name, hardware, docker));
    findings.extend(driver(name, hardware, docker));
    findings.extend(group(service, hardware));
    findings
}

fn device_missing(name: &str, file: &str) -> Finding {
    Finding::new(
        &DEVICE_MISSING,
        format!("`{name}` gets the device `{file}`, and the host does not have it"),
        "load the driver on the host, or take the device out of the service",
    )
    .with("device", file)
}

/// A runtime that the service asks for by name.
fn runtime(name: &str, hardware: &Hardware, docker: &DockerFacts) -> Option<Finding> {
    let (wanted, known) = (hardware.runtime.as_ref()?, docker.runtimes.as_ref()?);
    // A shim is found by its name, without being configured.
    if known.contains(wanted) || wanted.contains(['.', '/']) {
        return None;
    }
    let fix =
        if wanted == "nvidia" { INSTALL } else { "configure it in `/etc/docker/daemon.json`" };
    let message = format!("`{name}` asks for the runtime `{wanted}`, which Docker does not have");
    Some(Finding::new(&RUNTIME_MISSING, message, fix).with("runtimes", short(known)))
}

/// Devices that the service asks for by their names in the Container Device Interface.
fn cdi(name: &str, hardware: &Hardware, docker: &DockerFacts) -> Option<Finding> {
    if docker.knows_cdi == Some(false) && hardware.requests_cdi() {
        let device = hardware.cdi_names().next();
        let device = device.map_or_else(|| "devices".to_owned(), |name| format!("`{name}`"));
        let message = format!(
            "`{name}` asks for {device} of the Container Device Interface (CDI), which this Docker \
             Engine does not know"
        );
        let fix = "use Docker Engine 28.3 or later (25 or later with `\"features\": {\"cdi\": \
                   true}` in `/etc/docker/daemon.json`), or ask with `driver: nvidia` and \
                   `capabilities: [gpu]`";
        return Some(Finding::new(&RUNTIME_MISSING, message, fix));
    }
    let known = docker.cdi_devices.as_ref()?;
    let missing =
        hardware.cdi_names().find(|wanted| known.iter().all(|device| device != wanted))?;
    let message = format!("`{name}` asks for the device `{missing}`, which Docker does not know");
    let fix = "describe the devices with `sudo nvidia-ctk cdi generate \
               --output=/etc/cdi/nvidia.yaml` (or the tool of their vendor) and restart Docker";
    Some(Finding::new(&RUNTIME_MISSING, message, fix).with("CDI devices", listed(known)))
}

/// A GPU that Docker has to find. That no runtime is configured is only a sign: the toolkit
/// may be installed all the same. That the host has no driver either is enough.
fn driver(name: &str, hardware: &Hardware, docker: &DockerFacts) -> Option<Finding> {
    let runtimes = docker.runtimes.as_ref().filter(|_| hardware.requests_gpu())?;
    let for_gpus = |name: &String| ["nvidia", "amd"].iter().any(|vendor| name.contains(vendor));
    let cdi = docker.cdi_devices.as_deref().unwrap_or_default();
    if runtimes.iter().any(for_gpus) || cdi.iter().any(|device| device.contains("/gpu")) {
        return None;
    }
    let files = NVIDIA_FILES.map(|file| docker.host_files.get(file).copied());
    let message = format!("`{name}` asks for a GPU, and Docker has no runtime for one");
    let (message, severity) = if files.iter().all(|here| *here == Some(false)) {
        (format!("{message}, nor does the host have a driver of NVIDIA"), Severity::Error)
    } else {
        (message, Severity::Warning)
    };
    let finding =
        Finding::new(&RUNTIME_MISSING, message, INSTALL).with("runtimes", short(runtimes));
    Some(finding.severity(severity))
}

/// A user who is not root and in no group, with devices that belong to one.
fn group(service: &Service, hardware: &Hardware) -> Option<Finding> {
    let user = service.user.as_ref()?;
    let number = user.value.split(':').next().and_then(|user| user.parse::<u32>().ok())?;
    let file = hardware.device_files().find(|file| OF_GROUPS.contains(file))?;
    if number == 0 || !service.group_add.is_empty() {
        return None;
    }
    let name = &service.name.value;
    Some(
        Finding::new(
            &GROUP_MISSING,
            format!("`{name}` runs as {} and is in no group that `{file}` belongs to", user.value),
            format!(
                "add `group_add:` with the numbers that `stat -c %g /dev/kfd /dev/dri/render*` \
                 prints on the host to `{name}`"
            ),
        )
        .also(&user.place, "runs as this user"),
    )
}

/// The runtimes that a user knows; Docker lists its own shims as well.
fn short(runtimes: &[String]) -> String {
    let known: Vec<_> = runtimes.iter().filter(|name| !name.contains('.')).cloned().collect();
    listed(&known)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::options::Role;
    use crate::project::DeviceRequest;
    use crate::project::docker::Container;
    use crate::source_map::Spanned;

    /// What is said about a service with that hardware, without the fixes.
    fn check(hardware: Hardware, docker: DockerFacts, user: &str, expected: &[&str]) {
        let mut stack = Stack::new(Role::Init);
        stack.service("vllm").user = Some(Spanned::nowhere(user.to_owned()));
        stack.lane("coder", &["vllm"], true);
        let mut container = Container::of_service("demo", "vllm");
        container.hardware = hardware;
        let mut observation = Observation::of(vec![container]);
        observation.docker = docker;
        stack.observation = Ok(observation);
        let told = stack.told(&CHECK);
        let told: Vec<_> = told.iter().map(|told| told.split(" = ").next().unwrap()).collect();
        assert_eq!(told, expected);
    }

    fn gpu() -> Hardware {
        let request = DeviceRequest { capabilities: vec!["gpu".to_owned()], ..Default::default() };
        Hardware { requests: vec![request], ..Hardware::default() }
    }

    fn docker(runtimes: &[&str], files: &[(&str, bool)]) -> DockerFacts {
        DockerFacts {
            runtimes: Some(runtimes.iter().map(|name| (*name).to_owned()).collect()),
            host_files: files.iter().map(|(file, here)| ((*file).to_owned(), *here)).collect(),
            ..DockerFacts::default()
        }
    }

    #[test]
    fn a_gpu_is_missed_for_sure_only_when_nothing_speaks_for_one() {
        let none = NVIDIA_FILES.map(|file| (file, false));
        check(
            gpu(),
            docker(&["runc"], &none),
            "0",
            &[
                "error gpu-runtime-missing [coder]: `vllm` asks for a GPU, and Docker has no runtime \
               for one, nor does the host have a driver of NVIDIA",
            ],
        );
        let warning =
            ["warning gpu-runtime-missing [coder]: `vllm` asks for a GPU, and Docker has \
                        no runtime for one"];
        check(gpu(), docker(&["runc"], &[]), "0", &warning);
        check(gpu(), docker(&["runc"], &[(NVIDIA_FILES[0], true)]), "0", &warning);
        check(gpu(), docker(&["nvidia", "runc"], &none), "0", &[]);
        check(gpu(), DockerFacts::default(), "0", &[]);
        let cdi = Some(vec!["nvidia.com/gpu=all".to_owned()]);
        check(gpu(), DockerFacts { cdi_devices: cdi, ..docker(&["runc"], &none) }, "0", &[]);
        check(Hardware::default(), docker(&["runc"], &none), "0", &[]);
    }

    #[test]
    fn a_runtime_and_a_cdi_device_are_asked_for_by_name() {
        let of =
            |runtime: &str| Hardware { runtime: Some(runtime.to_owned()), ..Hardware::default() };
        check(
            of("nvidia"),
            docker(&["io.containerd.runc.v2", "runc"], &[]),
            "0",
            &["error gpu-runtime-missing [coder]: `vllm` asks for the runtime `nvidia`, which \
               Docker does not have"],
        );
        check(of("runc"), docker(&["runc"], &[]), "0", &[]);
        check(of("io.containerd.kata.v2"), docker(&["runc"], &[]), "0", &[]);
        let cdi =
            || Hardware { devices: vec!["nvidia.com/gpu=all".to_owned()], ..Hardware::default() };
        let known = |names: &[&str]| DockerFacts {
            cdi_devices: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..DockerFacts::default()
        };
        check(
            cdi(),
            known(&["nvidia.com/gpu=0"]),
            "0",
            &[
                "error gpu-runtime-missing [coder]: `vllm` asks for the device `nvidia.com/gpu=all`, \
               which Docker does not know",
            ],
        );
        check(cdi(), known(&["nvidia.com/gpu=all"]), "0", &[]);
        check(cdi(), DockerFacts::default(), "0", &[]);
    }

    #[test]
    fn the_devices_of_amd_have_to_be_there_and_to_let_the_user_in() {
        let amd = || Hardware {
            devices: vec!["/dev/kfd".to_owned(), "/dev/dri".to_owned()],
            ..Hardware::default()
        };
        check(
            amd(),
            docker(&["runc"], &[("/dev/kfd", false), ("/dev/dri", true)]),
            "0:0",
            &["error gpu-device-missing [coder]: `vllm` gets the device `/dev/kfd`, and the host \
               does not have it"],
        );
        check(
            amd(),
            docker(&["runc"], &[("/dev/kfd", true), ("/dev/dri", true)]),
            "1000:1000",
            &[
                "warning gpu-group-missing [coder]: `vllm` runs as 1000:1000 and is in no group that \
               `/dev/kfd` belongs to",
            ],
        );
        check(amd(), docker(&["runc"], &[]), "vllm", &[]);
    }
}

//! Whether a preflight in a Pod keeps the engine beside it from starting.

use std::collections::HashSet;

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::lanes::Lane;
use crate::project::own_container::{OwnTask, task};
use crate::project::{Project, Service, Stage};

/// Preflight is in a Pod, and the engine there does not wait for it.
pub static CHECK: Check = Check { rules: &[&DOES_NOT_GATE], run: Run::Project(run) };

static DOES_NOT_GATE: Rule = Rule::warning(
    "init-does-not-gate",
    ExitCode::Lane,
    include_str!("rules/init-does-not-gate.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let judges = |it: &&Service| matches!(task(it), Some(OwnTask::Judges | OwnTask::JudgesInVain));
    let own: Vec<&Service> = facts.project.services.iter().filter(judges).collect();
    let mut judged: HashSet<&str> = HashSet::new();
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        for name in &lane.services {
            let Some(service) = facts.project.service(name) else { continue };
            if judged.insert(name)
                && let Some(finding) = judge(facts.project, &own, (lane, service))
            {
                findings.push(finding);
            }
        }
    }
}

/// `own` are those that judge.
fn judge(
    project: &Project,
    own: &[&Service],
    (lane, service): (&Lane, &Service),
) -> Option<Finding> {
    let is_in_pod = |it: &&&Service| service.pod.is_some() && it.is_beside(service);
    let is_other = |other: &Service| other.name.value != service.name.value;
    let preflight = own.iter().filter(is_in_pod).find(|it| is_other(it))?;
    if task(service) == Some(OwnTask::Becomes) {
        return None;
    }
    let mut others = beside(project, service).filter(|other| is_other(other));
    if others.any(|other| may_gate(service, other)) {
        return None;
    }
    Some(does_not_gate(service, preflight)?.lane(&lane.name).service(&service.name.value))
}

/// The containers of the Pod that a service is in, itself among them.
pub(super) fn beside<'a>(
    project: &'a Project,
    service: &'a Service,
) -> impl Iterator<Item = &'a Service> {
    let pod = service.pod.as_ref().map(|pod| &pod.pod);
    let is_of_it = move |other: &&Service| other.pod.as_ref().map(|it| &it.pod) == pod;
    project.services.iter().filter(move |_| pod.is_some()).filter(is_of_it)
}

/// Whether a service may be kept from starting by what another one finds: because that has to succeed, or
/// has a start of its own that somebody has thought about.
fn may_gate(service: &Service, other: &Service) -> bool {
    let says = |text: &str| text.contains("preflight");
    let image = other.image.as_ref().is_some_and(|image| says(&image.value));
    let is_one = match task(other) {
        Some(OwnTask::Judges | OwnTask::Brings | OwnTask::Becomes) => true,
        Some(OwnTask::JudgesInVain | OwnTask::Installs | OwnTask::Tells) => false,
        None => image || says(&other.name.value) || other.words().any(|it| says(&it.value)),
    };
    let edge = service.depends_on.iter().find(|edge| edge.service == other.name.value);
    let has_start = other.pod.as_ref().is_some_and(|pod| pod.probes.startup.is_some());
    is_one && edge.is_some() && (service.edge_to_end_of(&other.name.value).is_some() || has_start)
}

/// The kubelet starts what stands behind a container that is restarted for ever as soon as that runs, or its
/// startup probe has succeeded (kubernetes fbba6b47ad98 pkg/kubelet/kuberuntime/kuberuntime_container.go,
/// `computeInitContainerActions`).
fn does_not_gate(service: &Service, preflight: &Service) -> Option<Finding> {
    let (engine, own) = (&service.name.value, &preflight.name.value);
    let is_behind = !service.depends_on.iter().any(|edge| edge.service == *own);
    let (message, fix) = match preflight.pod.as_ref()?.stage {
        Stage::Main => (
            format!("`{own}` is started beside `{engine}`, which does not wait for what it finds"),
            "move it from `containers` to `initContainers`".to_owned(),
        ),
        Stage::Init | Stage::Sidecar if is_behind => (
            format!(
                "`{engine}` is started before `{own}`, which stands behind it in `initContainers`"
            ),
            "let it stand before the engine in `initContainers`".to_owned(),
        ),
        Stage::Sidecar => (
            format!(
                "`{engine}` is started as soon as `{own}` runs, whatever that finds: with `restartPolicy: \
                 Always` nobody waits for its end"
            ),
            "take `restartPolicy: Always` away from it".to_owned(),
        ),
        Stage::Init => (
            format!(
                "`{engine}` is started whatever `{own}` finds: its script takes a failure for none"
            ),
            "let the script end as preflight ends: `exec preflight ...`".to_owned(),
        ),
    };
    let finding = Finding::new(&DOES_NOT_GATE, message, fix).at(&preflight.name.place);
    Some(finding.also(&service.name.place, "the engine"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::options::Role;
    use crate::project::probes::{Asks, Probe};
    use crate::project::{COMPLETED, Dependency, InPod, Probes};
    use crate::source_map::{Place, Spanned};

    /// Preflight with these words at its stage, the engine's edge to it, and what is told.
    fn told(stage: Stage, words: &[&str], edge: Option<&str>) -> Vec<String> {
        told_with(stage, words, edge, Probes::default())
    }

    fn told_with(stage: Stage, words: &[&str], edge: Option<&str>, probes: Probes) -> Vec<String> {
        let mut stack = Stack::new(Role::Hand);
        let pod = |container: &str, stage, probes| {
            let (pod, container) = ("pod/a".to_owned(), container.to_owned());
            Some(InPod { pod, container, stage, probes, ..InPod::default() })
        };
        let own = stack.service("pod/a/preflight");
        own.pod = pod("preflight", stage, probes);
        own.image = Some(Spanned::nowhere("registry.example/preflight:1".to_owned()));
        own.command = Some(words.iter().map(|it| Spanned::nowhere((*it).to_owned())).collect());
        let engine = stack.service("pod/a/engine");
        engine.pod = pod("engine", Stage::Main, Probes::default());
        engine.depends_on = edge
            .map(|condition| Dependency {
                service: "pod/a/preflight".to_owned(),
                condition: condition.to_owned(),
                required: true,
                place: Place::nowhere(),
            })
            .into_iter()
            .collect();
        stack.lane("reader", &["pod/a/engine"], true);
        stack.told(&CHECK)
    }

    #[test]
    fn an_init_container_gates_and_nothing_else_does() {
        let none: Vec<String> = Vec::new();
        assert_eq!(told(Stage::Init, &["-f", "/p"], Some(COMPLETED)), none);
        assert_eq!(
            told(Stage::Main, &["-f", "/p"], None),
            [
                "warning init-does-not-gate [reader]: `pod/a/preflight` is started beside `pod/a/engine`, \
              which does not wait for what it finds = move it from `containers` to `initContainers`"
            ]
        );
        let sidecar = told(Stage::Sidecar, &[], Some("service_started"));
        assert!(sidecar[0].contains("`restartPolicy: Always` nobody waits"), "{sidecar:?}");
        let behind = told(Stage::Init, &[], None);
        assert!(behind[0].contains("stands behind it"), "{behind:?}");
    }

    #[test]
    fn a_sidecar_whose_start_is_asked_for_may_gate() {
        let startup = Probe {
            asks: Asks::Other,
            delay: std::time::Duration::ZERO,
            period: std::time::Duration::from_secs(1),
            failures: 3,
            place: Place::nowhere(),
        };
        let probes = Probes { startup: Some(startup), ..Probes::default() };
        let told = told_with(Stage::Sidecar, &[], Some("service_started"), probes);
        assert_eq!(told, Vec::<String>::new());
    }

    #[test]
    fn who_only_brings_or_copies_is_no_gate_that_fails() {
        for words in [&["fetch", "hf://o/r", "/m"][..], &["install", "/b"], &["plan"]] {
            assert_eq!(told(Stage::Main, words, None), Vec::<String>::new(), "{words:?}");
        }
    }
}

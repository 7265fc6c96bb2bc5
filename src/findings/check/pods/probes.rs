//! Whether what the kubelet asks an engine can be answered, and in time.

use std::time::Duration;

use super::gate::beside;
use crate::amount::size;
use crate::exit_code::ExitCode;
use crate::facts::{CacheState, LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::check::wiring::calls::is_told_of_port;
use crate::findings::check::wiring::health::{HEALTH_ASKS_NOBODY, asked};
use crate::findings::check::wiring::patience::{IMPATIENT, RATE, is_strict};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::{Engine, Part};
use crate::plan::lanes::ModelKind;
use crate::plan::wiring::Listener;
use crate::project::probes::{Asks, Probe};
use crate::project::{Service, Stage};

/// Probes of ports on which nobody listens.
pub static PORT: Check = Check { rules: &[&HEALTH_ASKS_NOBODY], run: Run::Project(port) };

/// Probes that end an engine before it can serve.
pub static TIME: Check = Check { rules: &[&KILLS_DOWNLOAD, &IMPATIENT], run: Run::Together(time) };

static KILLS_DOWNLOAD: Rule = Rule::warning(
    "probe-kills-download",
    ExitCode::Lane,
    include_str!("rules/probe-kills-download.md"),
);

/// No server of text on PyTorch is up within this whose model has to be downloaded before.
const SHORTEST: Duration = Duration::from_secs(30);

fn port(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for listener in &facts.plan.wiring.listeners {
        let Some(service) = facts.project.service(&listener.service) else { continue };
        let Some(pod) = service.pod.as_ref().filter(|pod| !pod.is_open) else { continue };
        if !is_all_that_listens(facts, listener, service) {
            continue;
        }
        let is_nobody_s = |probe: &Probe| {
            let asked = asked_port(probe);
            asked.is_some_and(|asked| asked != listener.port && !may_listen(facts, service, asked))
        };
        let Some((name, probe)) = pod.probes.all().find(|(_, probe)| is_nobody_s(probe)) else {
            continue;
        };
        let finding = nobody((name, probe), listener);
        let lane = facts.plan.lanes.iter().find(|lane| lane.is_served_by(&listener.service));
        if let Some(lane) = lane.filter(|lane| lane.skipped.is_none()) {
            findings.push(finding.lane(&lane.name).service(&listener.service));
        }
    }
}

/// Whether nobody whom preflight does not know may listen at the addresses of an engine's Pod.
fn is_all_that_listens(facts: &ProjectFacts<'_>, listener: &Listener, service: &Service) -> bool {
    let runs = |other: &&Service| other.pod.as_ref().is_some_and(|pod| pod.stage != Stage::Init);
    let mut others = beside(facts.project, service).filter(runs);
    let is_known = |other: &Service| {
        facts.plan.wiring.listener(&other.name.value).is_some_and(|other| other.is_all)
    };
    !listener.on_host && listener.is_all && others.all(is_known)
}

/// Whether somebody of the Pod may listen at a port: because another engine does or a word or variable
/// names it, or because it is not one where engines listen unasked, but may be one for figures alone.
fn may_listen(facts: &ProjectFacts<'_>, service: &Service, port: u16) -> bool {
    let text = port.to_string();
    let is_one = |other: &Service| {
        let listener = facts.plan.wiring.listener(&other.name.value);
        listener.is_some_and(|it| it.port == port) || is_told_of_port(other, &text)
    };
    let is_usual = Engine::ALL.iter().any(|engine| engine.http().port == port);
    !is_usual || beside(facts.project, service).any(is_one)
}

/// The port that a probe asks; absent: it asks none, or none that is known.
fn asked_port(probe: &Probe) -> Option<u16> {
    match &probe.asks {
        Asks::Port(port) => Some(*port),
        Asks::Http(request) => Some(request.port),
        Asks::Program(words) => asked(&words.join(" ")),
        Asks::Other => None,
    }
}

/// What comes of a probe that always fails.
pub(super) fn end(name: &str) -> &'static str {
    match name {
        "readinessProbe" => "so no request is ever sent to it",
        _ => "so the kubelet ends it again and again",
    }
}

fn nobody((name, probe): (&str, &Probe), listener: &Listener) -> Finding {
    let asked = asked_port(probe).unwrap_or_default();
    let message = format!(
        "the `{name}` of `{}` asks port {asked}, and {} listens on {}, {}",
        listener.service,
        listener.engine.name(),
        listener.port,
        end(name)
    );
    let fix = format!("ask port {} there", listener.port);
    let finding = Finding::new(&HEALTH_ASKS_NOBODY, message, fix).at(&probe.place);
    match listener.port_place.span {
        Some(_) => finding.also(&listener.port_place, "the port that it listens on"),
        None => finding,
    }
}

fn time(facts: &ProjectFacts<'_>, lanes: &[LaneFacts], findings: &mut Findings) {
    for lane in lanes.iter().filter(|lane| lane.lane.skipped.is_none()) {
        if let Some(finding) = in_time(facts, lane) {
            findings.push(finding.lane(&lane.lane.name));
        }
    }
}

fn in_time(facts: &ProjectFacts<'_>, lane: &LaneFacts) -> Option<Finding> {
    let service = facts.project.service(lane.lane.services.first()?)?;
    let listener = facts.plan.wiring.listener(&service.name.value)?;
    let probe = service.pod.as_ref()?.probes.ending()?;
    if !listener.is_all || !fails_until_served(probe, listener) {
        return None;
    }
    let patience = probe.patience();
    let finding = match Fetched::of(facts, lane, service) {
        Some(fetched) => fetched.ends(patience, service)?,
        None => loaded(lane, patience, service)?,
    };
    Some(finding.service(&service.name.value).at(&probe.place))
}

/// Whether a probe asks the port of the engine itself in a way that fails while nobody answers there.
fn fails_until_served(probe: &Probe, listener: &Listener) -> bool {
    let is_its = asked_port(probe) == Some(listener.port);
    match &probe.asks {
        Asks::Port(_) | Asks::Http(_) => is_its,
        Asks::Program(words) => is_its && is_strict(&words.join(" ")),
        Asks::Other => false,
    }
}

/// What an engine downloads before it serves.
struct Fetched<'a> {
    repository: &'a str,
    /// Absent: not known.
    bytes: Option<u64>,
    /// Whether its engine is one that takes long to start, however small the model.
    is_slow: bool,
}

impl<'a> Fetched<'a> {
    /// Absent: it may have its model already, because it is in a volume that outlives the Pod or that others
    /// of the Pod have before it.
    fn of(facts: &ProjectFacts<'_>, lane: &'a LaneFacts, service: &Service) -> Option<Self> {
        if lane.engine_is_offline() {
            return None;
        }
        let is_model = |part: Part| part == Part::Model;
        let cached = lane.cached.iter().find(|cached| is_model(cached.cached.part))?;
        let is_new = match &cached.state {
            CacheState::NotMounted => true,
            CacheState::Held => false,
            CacheState::Lacking(_) | CacheState::Unseen(_) => {
                let mount = cached.cached.places.first()?.mount.as_ref()?;
                let volume = mount.source.volume()?;
                let kind = &facts.project.volume(volume)?.kind;
                let others = beside(facts.project, service)
                    .filter(|other| other.name.value != service.name.value);
                let is_shared = others
                    .flat_map(|other| &other.mounts)
                    .any(|mount| mount.source.volume() == Some(volume));
                kind.ends_with_pod() && !is_shared
            }
        };
        let listing = cached.probe.as_ref().and_then(|probe| probe.as_ref().ok());
        let listing = listing.or(cached.foretold.as_ref());
        let bytes = listing.map(|it| it.files.iter().map(|file| file.size).sum());
        let is_slow = lane.lane.kind == Some(ModelKind::Vllm);
        is_new.then_some(Self { repository: &cached.cached.repository, bytes, is_slow })
    }

    fn ends(&self, patience: Duration, service: &Service) -> Option<Finding> {
        let needed = self.bytes.map(|bytes| (bytes, Duration::from_secs(bytes / RATE)));
        let (engine, repository) = (&service.name.value, self.repository);
        let given = patience.as_secs();
        let (what, least) = match needed {
            Some((bytes, needed)) if needed > patience => (
                format!(
                    "the {} of `{repository}`, which it downloads itself, alone take {} s at 1 GB a second",
                    size(bytes),
                    needed.as_secs()
                ),
                needed,
            ),
            Some(_) | None if self.is_slow && patience < SHORTEST => {
                (format!("it downloads `{repository}` itself and has to load it"), SHORTEST)
            }
            Some(_) | None => return None,
        };
        let message = format!(
            "the kubelet ends `{engine}` when it has not answered after {given} s, and {what}"
        );
        Some(Finding::new(&KILLS_DOWNLOAD, message, with_time(least)))
    }
}

/// What is there and has to be read before the engine serves.
fn loaded(lane: &LaneFacts, patience: Duration, service: &Service) -> Option<Finding> {
    let bytes = lane.artifacts.iter().map(|it| it.model.size()).fold(0, u64::saturating_add);
    let reading = Duration::from_secs(bytes / RATE);
    if reading <= patience {
        return None;
    }
    let message = format!(
        "the kubelet ends `{}` when it has not answered after {} s, and reading the {} of its model alone \
         takes {} s at 1 GB a second, so it may be started again for ever while it loads",
        service.name.value,
        patience.as_secs(),
        size(bytes),
        reading.as_secs()
    );
    Some(Finding::new(&IMPATIENT, message, with_time(reading)))
}

/// A start that is waited for ten times as long, and half an hour at least.
fn with_time(least: Duration) -> String {
    let failures = least.as_secs().max(180);
    format!(
        "give it a `startupProbe` that asks the same with `periodSeconds: 10` and `failureThreshold: \
         {failures}`: until that has succeeded, nothing else ends it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_map::Spanned;

    fn check(bytes: Option<u64>, is_slow: bool, patience: u64, expected: Option<&str>) {
        let service = Service::named(Spanned::nowhere("pod/a/v".to_owned()));
        let fetched = Fetched { repository: "o/r", bytes, is_slow };
        let told = fetched.ends(Duration::from_secs(patience), &service);
        let message = told.map(|finding| finding.message).unwrap_or_default();
        let is_told = expected.is_some_and(|expected| message.contains(expected));
        assert_eq!(is_told, expected.is_some(), "{message}");
        assert!(expected.is_some() || message.is_empty(), "{message}");
    }

    #[test]
    fn a_download_that_certainly_takes_longer_than_the_probe_waits_is_ended() {
        let large = Some(64_000_000_000);
        check(large, true, 30, Some("alone take 64 s at 1 GB a second"));
        check(large, false, 63, Some("after 63 s"));
        check(large, true, 64, None);
        check(Some(1_000_000_000), false, 5, None);
    }

    #[test]
    fn of_a_size_that_is_not_known_only_what_no_server_of_text_can_do_is_told() {
        check(None, true, 29, Some("has to load it"));
        check(None, true, 30, None);
        check(None, false, 5, None);
    }
}

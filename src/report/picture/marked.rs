//! Which nodes and edges of a picture the findings are about.

use std::collections::HashMap;

use super::{Kind, Picture, State};
use crate::exit_code::ExitCode;
use crate::findings::{Finding, Severity};
use crate::report::{LaneReport, Verdict};
use crate::source_map::Span;

impl Picture {
    /// With what the findings and the verdicts say.
    pub(in crate::report) fn marked(mut self, findings: &[Finding], lanes: &[LaneReport]) -> Self {
        for node in self.nodes.iter_mut().filter(|node| node.kind == Kind::Lane) {
            let lane = lanes.iter().find(|lane| lane.name == node.name);
            node.state = match lane.map(|lane| lane.verdict) {
                Some(Verdict::NotReady) => State::Broken,
                Some(Verdict::Unknown) => State::Unknown,
                Some(Verdict::Skipped) => State::Skipped,
                Some(Verdict::Ready) | None => State::Sound,
            };
        }
        let routes = Routes::of(&self);
        let broken: Vec<(usize, usize)> = findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| is_serious(finding))
            .flat_map(|(index, finding)| {
                self.broken_by(finding, &routes).into_iter().map(move |at| (at, index))
            })
            .collect();
        for (at, index) in broken {
            if let Some(edge) = self.edges.get_mut(at) {
                edge.broken_by.get_or_insert(index);
            }
        }
        self
    }

    /// The edges that a finding says do not hold: those that are written where it points; else those of
    /// its lanes, between the kinds of things that its cause is about.
    fn broken_by(&self, finding: &Finding, routes: &Routes) -> Vec<usize> {
        let written = finding.place.span.and_then(|span| routes.written.get(&span));
        if let Some(written) = written {
            return self.addressed(written, finding);
        }
        let of_lanes = finding.lanes().filter_map(|lane| routes.lanes.get(lane));
        let of_service = finding.service.as_ref().filter(|_| finding.lane.is_none());
        let of_service = of_service.and_then(|service| routes.services.get(service));
        let its: Vec<usize> = of_lanes.chain(of_service).flatten().copied().collect();
        let between = |kinds: &[(Kind, Kind)], must_be_wrong: bool| -> Vec<usize> {
            let holds = |at: &usize| {
                let Some(edge) = self.edges.get(*at) else { return false };
                let is_one = self.kinds(edge).is_some_and(|it| kinds.contains(&it));
                is_one && (!must_be_wrong || self.is_wrong(edge.to))
            };
            its.iter().copied().filter(holds).collect()
        };
        let kinds = about(finding.rule.exit);
        [between(kinds, true), between(kinds, false), between(SERVED, false)]
            .into_iter()
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// Those of `edges` that call the address which a finding names; all of them where it names none. One
    /// value may hold several.
    fn addressed(&self, edges: &[usize], finding: &Finding) -> Vec<usize> {
        let named = finding.evidence.iter().find(|(name, _)| *name == "url");
        let is_named = |at: &usize| {
            let address = self.edges.get(*at).and_then(|edge| edge.address.as_ref());
            named.is_some_and(|(_, url)| Some(url) == address)
        };
        let found: Vec<usize> = edges.iter().copied().filter(is_named).collect();
        if found.is_empty() { edges.to_vec() } else { found }
    }

    fn is_wrong(&self, node: usize) -> bool {
        let node = self.nodes.get(node);
        node.is_some_and(|node| node.kind == Kind::Files && node.state == State::Broken)
    }
}

/// The edges by what findings say of themselves.
#[derive(Default)]
struct Routes {
    /// Calls and mounts, by where they are written.
    written: HashMap<Span, Vec<usize>>,
    lanes: HashMap<String, Vec<usize>>,
    /// Those that begin at a service.
    services: HashMap<String, Vec<usize>>,
}

impl Routes {
    fn of(picture: &Picture) -> Self {
        let mut routes = Self::default();
        for (at, edge) in picture.edges.iter().enumerate() {
            let is_written = picture.kinds(edge).is_some_and(|kinds| WRITTEN.contains(&kinds));
            if let Some(span) = edge.place.span.filter(|_| is_written) {
                routes.written.entry(span).or_default().push(at);
            }
            for lane in &edge.lanes {
                routes.lanes.entry(lane.clone()).or_default().push(at);
            }
            let from = picture.nodes.get(edge.from);
            if let Some(service) = from.filter(|node| node.kind == Kind::Service) {
                routes.services.entry(service.name.clone()).or_default().push(at);
            }
        }
        routes
    }
}

/// What a finding may point at itself.
const WRITTEN: &[(Kind, Kind)] = &[(Kind::Client, Kind::Service), (Kind::Lane, Kind::Store)];

/// What is not about anything else is about how a lane is served.
const SERVED: &[(Kind, Kind)] = &[(Kind::Service, Kind::Lane)];

/// What keeps a lane from being ready, or would if it were required.
fn is_serious(finding: &Finding) -> bool {
    finding.severity == Severity::Error || finding.stops()
}

/// Between which kinds of things a cause lies.
fn about(exit: ExitCode) -> &'static [(Kind, Kind)] {
    match exit {
        ExitCode::Mount => &[(Kind::Lane, Kind::Store)],
        ExitCode::Incomplete
        | ExitCode::Corrupt
        | ExitCode::Access
        | ExitCode::Network
        | ExitCode::Disk
        | ExitCode::Locked => &[(Kind::Store, Kind::Files), (Kind::Lane, Kind::Files)],
        ExitCode::Gpu | ExitCode::Memory => &[(Kind::Lane, Kind::Gpu)],
        ExitCode::Ready
        | ExitCode::Internal
        | ExitCode::Usage
        | ExitCode::Unjudged
        | ExitCode::Lane
        | ExitCode::Unhealthy
        | ExitCode::Smoke
        | ExitCode::NotRunnable
        | ExitCode::NoProgram
        | ExitCode::Interrupted
        | ExitCode::Terminated => SERVED,
    }
}

//! Whether an engine answers what the kubelet asks it over HTTP as it has to.

use super::probes::end;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::check::wiring::health::HEALTH_ASKS_NOBODY;
use crate::findings::{Finding, Findings};
use crate::plan::wiring::Listener;
use crate::project::Service;
use crate::project::probes::{Asks, Probe, Request};

/// Probes of an engine's own port that it answers with an error.
pub static CHECK: Check = Check { rules: &[&HEALTH_ASKS_NOBODY], run: Run::Project(run) };

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for listener in facts.plan.wiring.listeners.iter().filter(|it| it.is_all && !it.on_host) {
        let Some(service) = facts.project.service(&listener.service) else { continue };
        let Some(pod) = service.pod.as_ref().filter(|pod| !pod.is_open) else { continue };
        let asked = Asked { listener, service };
        let Some(finding) = pod.probes.all().find_map(|probe| asked.judge(probe)) else { continue };
        let lane = facts.plan.lanes.iter().find(|lane| lane.is_served_by(&listener.service));
        if let Some(lane) = lane.filter(|lane| lane.skipped.is_none()) {
            findings.push(finding.lane(&lane.name).service(&listener.service));
        }
    }
}

/// An engine that is asked.
struct Asked<'a> {
    listener: &'a Listener,
    service: &'a Service,
}

impl Asked<'_> {
    fn judge(&self, (name, probe): (&str, &Probe)) -> Option<Finding> {
        let request = match &probe.asks {
            Asks::Http(request) if request.port == self.listener.port => request,
            Asks::Http(_) | Asks::Port(_) | Asks::Program(_) | Asks::Other => return None,
        };
        let (what, fix) =
            self.protocol(request).or_else(|| self.key(request)).or_else(|| self.path(request))?;
        let message = format!(
            "the `{name}` of `{}` asks {} {what}, {}",
            self.listener.service,
            self.listener.engine.name(),
            end(name)
        );
        Some(Finding::new(&HEALTH_ASKS_NOBODY, message, fix).at(&probe.place))
    }

    fn protocol(&self, request: &Request) -> Option<(String, String)> {
        let mut names = self.service.environment.keys();
        // What is said of it by a variable is not read.
        if names.any(|name| name.contains("SSL") || name.contains("TLS")) {
            return None;
        }
        match (request.tls, self.listener.tls) {
            (true, false) => Some((
                "with TLS, which it does not speak".to_owned(),
                "leave `scheme: HTTPS` out".to_owned(),
            )),
            (false, true) => {
                Some(("without TLS, which it wants".to_owned(), "write `scheme: HTTPS`".to_owned()))
            }
            (true, true) | (false, false) => None,
        }
    }

    /// A path that wants a key, asked without one.
    fn key(&self, request: &Request) -> Option<(String, String)> {
        let paths = &self.listener.engine.http().paths;
        let is_guarded = paths.keyed.is_some_and(|below| request.path.starts_with(below));
        let wants_one = !self.listener.keys.is_empty() && !request.has_headers && !self.has_more();
        (is_guarded && wants_one).then(|| {
            let what = format!("for `{}` without the key that it wants there", request.path);
            (what, format!("ask for `{}`, which it answers without one", paths.well))
        })
    }

    /// A path at which it has nothing.
    fn path(&self, request: &Request) -> Option<(String, String)> {
        let paths = &self.listener.engine.http().paths;
        let is_missing = paths.lacks.contains(&request.path.as_str()) && !self.has_more();
        is_missing.then(|| {
            let what = format!("for `{}`, which it does not have", request.path);
            (what, format!("ask for `{}{}`", self.listener.prefix, paths.well))
        })
    }

    /// Whether it is told of something that may answer at other paths, or otherwise.
    fn has_more(&self) -> bool {
        let by = self.listener.engine.http().paths.changed_by;
        let is_one = |word: &str| by.iter().any(|it| word.split('=').next() == Some(*it));
        let mut names = self.service.environment.keys().chain(self.service.told_elsewhere.keys());
        self.service.words().any(|word| is_one(&word.value)) || names.any(|name| is_one(name))
    }
}

//! What the kubelet asks the containers of a Pod, and how long it lets them fail. Pure.

use std::time::Duration;

use crate::source_map::Place;

/// What the kubelet asks one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probes {
    /// Until this one has succeeded, the others are not asked, and nobody who waits goes on.
    pub startup: Option<Probe>,
    /// Where this one fails, the container is started again.
    pub liveness: Option<Probe>,
    /// Where this one fails, no `Service` leads to the Pod.
    pub readiness: Option<Probe>,
}

/// One question, asked again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub asks: Asks,
    /// The time before the first.
    pub delay: Duration,
    /// The time between two.
    pub period: Duration,
    /// So many failures one after the other are one.
    pub failures: u32,
    /// Where it is written.
    pub place: Place,
}

/// What a [`Probe`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// A connection, at this port of the Pod.
    Port(u16),
    /// An answer over HTTP.
    Http(Request),
    /// A program in the container, by its words.
    Program(Vec<String>),
    /// Something else, or it is not known what.
    Other,
}

/// What is asked over HTTP: an answer of 400 or more is a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The port of the Pod.
    pub port: u16,
    /// The path, without what stands behind a `?`.
    pub path: String,
    /// Whether it is asked with TLS, whatever the certificate.
    pub tls: bool,
    /// Whether headers are sent that are written.
    pub has_headers: bool,
}

impl Probe {
    /// The time from the start of a container on after which it counts as failed, at the latest, where
    /// every answer is one.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.delay.saturating_add(self.period.saturating_mul(self.failures))
    }
}

impl Probes {
    /// The probe that ends a container which does not serve, the earliest that does.
    #[must_use]
    pub fn ending(&self) -> Option<&Probe> {
        self.startup.as_ref().or(self.liveness.as_ref())
    }

    /// All of them, each with what Kubernetes calls it.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Probe)> {
        let named = [
            ("startupProbe", &self.startup),
            ("livenessProbe", &self.liveness),
            ("readinessProbe", &self.readiness),
        ];
        named.into_iter().filter_map(|(name, probe)| Some((name, probe.as_ref()?)))
    }
}

//! Which services are started after the end of which.

use std::collections::HashSet;

use super::{COMPLETED, Dependency, HEALTHY, Project, Service};

impl Project {
    /// Whether who has this edge is started only after `edge.service` has ended well. Compose calls a provider
    /// to its end before it makes a container of those that depend on it, and makes none if it fails,
    /// whatever their edges say (docker/compose 2.40.3 pkg/compose/convergence.go).
    #[must_use]
    pub fn gates(&self, edge: &Dependency) -> bool {
        let has_ended = edge.required && edge.condition == COMPLETED;
        has_ended || self.service(&edge.service).is_some_and(Service::has_own_provider)
    }

    /// The services that are healthy when `service` starts: it says so, or something does that it is started
    /// after.
    #[must_use]
    pub fn healthy_before<'a>(&'a self, service: &'a Service) -> Vec<&'a Service> {
        self.before(service, |edge| edge.required && edge.condition == HEALTHY)
    }

    /// The services that have ended well when `service` starts: it says so, or something does that it is
    /// started after.
    #[must_use]
    pub fn ended_before<'a>(&'a self, service: &'a Service) -> Vec<&'a Service> {
        self.before(service, |edge| self.gates(edge))
    }

    /// Those at the end of such an edge, on any way of edges that must be gone.
    fn before<'a>(
        &'a self,
        service: &'a Service,
        is_one: impl Fn(&Dependency) -> bool,
    ) -> Vec<&'a Service> {
        let (mut visited, mut open) = (HashSet::new(), vec![service]);
        let mut found: Vec<&Service> = Vec::new();
        while let Some(next) = open.pop() {
            if !visited.insert(next.name.value.as_str()) {
                continue;
            }
            for edge in &next.depends_on {
                let Some(other) = self.service(&edge.service) else { continue };
                if is_one(edge) && !found.iter().any(|known| std::ptr::eq(*known, other)) {
                    found.push(other);
                }
                open.extend(Some(other).filter(|_| edge.required));
            }
        }
        found
    }
}

//! Which services of a project start engines, worked out once.

use std::collections::HashMap;

use crate::plan::engine::{self, Invocation};
use crate::project::{Project, Service};

/// The services that start engines, and how.
pub(super) struct Engines<'a> {
    services: Vec<(&'a Service, Invocation)>,
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Engines<'a> {
    pub(super) fn of(project: &'a Project) -> Self {
        let started = |service: &'a Service| Some((service, engine::invocation(service)?));
        let services: Vec<_> = project.services.iter().filter_map(started).collect();
        let names = services.iter().enumerate();
        let by_name =
            names.map(|(index, (service, _))| (service.name.value.as_str(), index)).collect();
        Self { services, by_name }
    }

    /// All of them, in the order of the project.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a Service, &Invocation)> {
        self.services.iter().map(|(service, invocation)| (*service, invocation))
    }

    /// How the service of that name starts its engine; absent: it starts none.
    pub(super) fn started_by(&self, service: &str) -> Option<&Invocation> {
        let (_, invocation) = self.services.get(*self.by_name.get(service)?)?;
        Some(invocation)
    }
}

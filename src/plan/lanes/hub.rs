//! Which hub a project names for a lane.

use super::draft::Draft;
use crate::plan::engine::Endpoint;
use crate::project::Project;
use crate::source_map::Place;

/// The variable of the hub's own clients.
const VARIABLE: &str = "HF_ENDPOINT";

/// A hub that a project names for a lane. preflight itself does not ask it for that: a token of the user
/// goes to no endpoint that a project names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHub {
    /// Its address, without a trailing slash.
    pub endpoint: String,
    /// The variable that says so.
    pub variable: String,
    /// The service in whose environment it stands; absent: it stands in an env file of the project
    /// alone.
    pub service: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// The hub that the services of a lane are told to ask, else the one that an env file of the project
/// names.
pub(super) fn named(project: &Project, draft: &Draft) -> Option<NamedHub> {
    let first = draft.services.first();
    let by_engine = draft.invocation.as_ref().and_then(|invocation| invocation.endpoint.as_ref());
    if let Some((Endpoint { url, by, place }, service)) = by_engine.zip(first) {
        return hub(url, by, Some(service), place);
    }
    let services = draft.services.iter().filter_map(|name| project.service(name));
    let by_service = services.filter_map(|service| {
        let value = service.environment.get(VARIABLE)?;
        hub(value.value.as_deref()?, VARIABLE, Some(&service.name.value), &value.place)
    });
    by_service.into_iter().next().or_else(|| {
        let value = project.variables.get(VARIABLE)?;
        value.place.span?;
        hub(&value.value, VARIABLE, None, &value.place)
    })
}

fn hub(url: &str, variable: &str, service: Option<&String>, place: &Place) -> Option<NamedHub> {
    let endpoint = url.trim().trim_end_matches('/');
    (!endpoint.is_empty()).then(|| NamedHub {
        endpoint: endpoint.to_owned(),
        variable: variable.to_owned(),
        service: service.cloned(),
        place: place.clone(),
    })
}

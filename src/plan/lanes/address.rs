//! Who answers at the URL of a lane: a service of the project, or nobody in it.

use url::Url;

use super::engines::Engines;
use crate::plan::engine::Invocation;
use crate::plan::wiring;
use crate::project::{Project, Service};

/// Names under which containers and hosts call the host itself.
const HOST_NAMES: [&str; 6] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "host.docker.internal",
    "gateway.docker.internal",
    "host.containers.internal",
];

/// Whether a URL leads to the host itself, by whichever name.
pub(super) fn is_on_host(url: &str) -> bool {
    authority(url).is_some_and(|(host, _)| HOST_NAMES.contains(&host.as_str()))
}

/// The service whose name, or that of its container, or an alias, is the host of `url`, and the port.
#[must_use]
pub fn named_by<'a>(project: &'a Project, url: &str) -> Option<(&'a Service, u16)> {
    let (host, port) = authority(url)?;
    let mut services = project.services.iter();
    Some((services.find(|service| wiring::is_called(project, service, &host))?, port))
}

/// The service that answers at `url`: the one of that name, else the engine that the host reaches at
/// that port. Absent: nobody in this project.
pub(super) fn service_at<'a>(
    project: &'a Project,
    engines: &Engines<'a>,
    url: &str,
) -> Option<&'a Service> {
    let (host, asked) = authority(url)?;
    if !HOST_NAMES.contains(&host.as_str()) {
        return named_by(project, url).map(|(service, _)| service);
    }
    let is_at_port = |(service, invocation): &(&Service, &Invocation)| {
        let port = invocation.port;
        let document = &project.document["services"][&service.name.value];
        let on_host = document["network_mode"] == "host" && port == asked;
        let mut ports = service.ports.iter();
        on_host || ports.any(|it| it.target == port && it.published == Some(asked))
    };
    engines.iter().find(is_at_port).map(|(service, _)| service)
}

/// The host of a URL, an IPv6 address without its brackets, and its port.
fn authority(url: &str) -> Option<(String, u16)> {
    let url = Url::parse(url.trim()).ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some((host, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_a_port() {
        let of = |url: &str| authority(url).map(|(host, port)| format!("{host} {port}"));
        for (url, expected) in [
            ("http://llama-cpp:8080/v1", Some("llama-cpp 8080")),
            ("HTTP://user:secret@Engine/v1", Some("engine 80")),
            ("https://engine", Some("engine 443")),
            ("http://[::1]:81/v1", Some("::1 81")),
            ("engine:8080", None),
            ("http://engine:eighty", None),
            ("", None),
        ] {
            assert_eq!(of(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn the_host_has_several_names() {
        for (url, expected) in [
            ("http://localhost:8080/v1", true),
            ("http://host.docker.internal:8080", true),
            ("http://[::1]:8080", true),
            ("http://llama-cpp:8080", false),
            ("http://localhost.example:80", false),
        ] {
            assert_eq!(is_on_host(url), expected, "{url}");
        }
    }
}

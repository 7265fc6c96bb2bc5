//! The HTTP clients: with the proxies of the environment, and without.
//!
//! reqwest reads the proxies from the environment by itself, and knows of `NO_PROXY` what curl knew
//! of it once: names and networks. Python's clients (urllib, requests, httpx) also take a port behind
//! a name, `*.NAME`, and `*` for everyone, addresses included.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;

use super::refusal::chain;
use super::{HubError, trust};
use crate::options::HubOptions;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("compose-preflight/", env!("CARGO_PKG_VERSION"));

/// Sends requests to whom they are for, by the way that the environment says. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Network {
    client: reqwest::Client,
    /// For those who are reached without a proxy by a rule that the client does not know.
    direct: Option<(Vec<Exception>, reqwest::Client)>,
}

/// Who is reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    /// In lower case, with the names below it; absent: everyone.
    host: Option<String>,
    /// Absent: any.
    port: Option<u16>,
}

impl Network {
    /// No request is made. Blocking: certificates are read.
    pub(super) fn new(options: &HubOptions) -> Result<Self, HubError> {
        let tls = trust::client_config(&options.network)?;
        // Silence is watched where it is known what it interrupts. Over HTTP/2 all ranges would
        // share one connection, and its window.
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(Policy::none())
                .http1_only()
                .use_preconfigured_tls(tls.clone())
        };
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| HubError::Unreachable {
                endpoint: options.endpoint.escape_debug().to_string(),
                reason: chain(&error),
            })
        };
        let no_proxy = options.network.no_proxy.as_deref().unwrap_or_default();
        let exceptions: Vec<_> = no_proxy.split(',').filter_map(Exception::parse).collect();
        let direct = if exceptions.is_empty() {
            None
        } else {
            Some((exceptions, build(builder().no_proxy())?))
        };
        Ok(Self { client: build(builder())?, direct })
    }

    /// The client that asks for `url`.
    pub(super) fn client(&self, url: &Url) -> &reqwest::Client {
        let covers = |exception: &Exception| exception.covers(url);
        match &self.direct {
            Some((exceptions, direct)) if exceptions.iter().any(covers) => direct,
            Some(_) | None => &self.client,
        }
    }
}

impl Exception {
    /// An entry of `NO_PROXY` that reqwest does not understand; absent: it does.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim();
        if entry == "*" {
            return Some(Self { host: None, port: None });
        }
        if entry.is_empty() || entry.contains('/') || entry.parse::<IpAddr>().is_ok() {
            return None;
        }
        let bracketed = entry.ends_with(']');
        let (host, port) = match entry.rsplit_once(':').filter(|_| !bracketed) {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        if port.is_none() && !bracketed && !host.starts_with("*.") {
            return None;
        }
        let host = host.trim_start_matches('*').trim_start_matches(['.', '[']);
        Some(Self { host: Some(host.trim_end_matches(']').to_ascii_lowercase()), port })
    }

    fn covers(&self, url: &Url) -> bool {
        let here = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_below = |host: &String| {
            here.strip_suffix(host.as_str()).is_some_and(|it| it.is_empty() || it.ends_with('.'))
        };
        self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
            && self.host.as_ref().is_none_or(is_below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `url` is reached without a proxy by a rule of ours.
    fn is_direct(no_proxy: &str, url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        no_proxy.split(',').filter_map(Exception::parse).any(|exception| exception.covers(&url))
    }

    #[test]
    fn everyone_names_with_a_port_and_names_below_a_star_are_reached_without_a_proxy() {
        for (no_proxy, url) in [
            ("*", "http://127.0.0.1:8080/x"),
            ("localhost, *", "https://hub.example"),
            ("hub.example:8080", "http://hub.example:8080/x"),
            ("example:8080", "http://hub.example:8080/x"),
            (".example:8080", "http://hub.example:8080/x"),
            ("hub.example:443", "https://HUB.example/x"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("[::1]", "http://[::1]:8080"),
            ("*.example", "http://hub.example"),
        ] {
            assert!(is_direct(no_proxy, url), "{no_proxy} {url}");
        }
        for (no_proxy, url) in [
            ("", "http://hub.example"),
            ("hub.example:8080", "http://hub.example:8081"),
            ("hub.example:8080", "https://hub.example"),
            ("ub.example:8080", "http://hub.example:8080"),
            ("hub.example:port", "http://hub.example"),
            // These are left to the client.
            ("hub.example", "http://hub.example"),
            ("127.0.0.0/8", "http://127.0.0.1"),
            ("::1", "http://[::1]"),
        ] {
            assert!(!is_direct(no_proxy, url), "{no_proxy} {url}");
        }
    }
}

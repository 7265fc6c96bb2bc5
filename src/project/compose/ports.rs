//! The short syntax of a published port (docker/go-connections v0.6 `nat/nat.go`).

use std::net::IpAddr;

use super::fault::Fault;
use super::tree::{Kind, Node};
use crate::source_map::Place;

/// A port in short syntax; a range becomes several.
#[derive(Debug, PartialEq, Eq)]
struct ShortPort {
    target: u16,
    /// A port or, for a single target, a range to choose from; empty: chosen by Docker.
    published: String,
    host_ip: String,
    protocol: String,
}

/// The ports that `spec` stands for, in long syntax.
pub(super) fn parse(spec: &str, place: &Place) -> Result<Vec<Node>, Fault> {
    let refuse = |reason: String| Fault::at(place, format!("invalid port `{spec}`: {reason}"));
    let mut ports = split(spec).map_err(refuse)?;
    ports.sort_by_key(|port| (port.target.to_string(), port.protocol.clone()));
    Ok(ports.into_iter().map(|port| port.into_long(place)).collect())
}

fn split(spec: &str) -> Result<Vec<ShortPort>, String> {
    let (rest, container) = spec.rsplit_once(':').unwrap_or(("", spec));
    let (ip, host) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (container, protocol) = match container.split_once('/') {
        Some((port, "")) => (port, "tcp"),
        Some((port, protocol)) => (port, protocol.split('/').next().unwrap_or(protocol)),
        None => (container, "tcp"),
    };
    let protocol = protocol.to_lowercase();
    let bracketed = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    if bracketed.is_none() && ip.contains(':') {
        return Err(format!("write the address `{ip}` in brackets"));
    }
    let host_ip = bracketed.unwrap_or(ip);
    if !host_ip.is_empty() && host_ip.parse::<IpAddr>().is_err() {
        return Err(format!("`{host_ip}` is not an IP address"));
    }
    if container.is_empty() {
        return Err("no port of the container is named".to_owned());
    }
    let (first, last) = range(container)?;
    if first == 0 {
        return Err("a port of the container cannot be 0".to_owned());
    }
    let published = if host.is_empty() { None } else { Some(range(host)?) };
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("`{protocol}` is not a protocol"));
    }
    if let Some((from, to)) = published
        && to - from != last - first
        && first != last
    {
        return Err(format!("the ranges `{container}` and `{host}` differ in length"));
    }
    Ok((first..=last)
        .map(|target| {
            let published = published.map_or_else(String::new, |(from, to)| {
                if first == last && from != to {
                    format!("{from}-{to}")
                } else {
                    (from + (target - first)).to_string()
                }
            });
            let host_ip = host_ip.to_owned();
            ShortPort { target, published, host_ip, protocol: protocol.clone() }
        })
        .collect())
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let number =
        |text: &str| text.parse::<u16>().map_err(|_error| format!("`{text}` is not a port"));
    // Compose does not look at a third part.
    let mut parts = text.split('-');
    let first = number(parts.next().unwrap_or_default())?;
    let last = parts.next().map_or(Ok(first), number)?;
    if last < first {
        return Err(format!("the range `{text}` runs backwards"));
    }
    Ok((first, last))
}

impl ShortPort {
    fn into_long(self, place: &Place) -> Node {
        let target = Node::new(Kind::Int(i128::from(self.target)), place.clone());
        let mut long = Node::mapping([("mode", Node::string("ingress", place))], place);
        if !self.host_ip.is_empty() {
            long.insert("host_ip", Node::string(self.host_ip, place));
        }
        long.insert("target", target);
        if !self.published.is_empty() {
            long.insert("published", Node::string(self.published, place));
        }
        long.insert("protocol", Node::string(self.protocol, place));
        long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &str, expected: &[(u16, &str, &str, &str)]) {
        let ports = split(spec).unwrap();
        let seen: Vec<_> = ports
            .iter()
            .map(|p| (p.target, p.published.as_str(), p.host_ip.as_str(), p.protocol.as_str()))
            .collect();
        assert_eq!(seen, expected, "{spec}");
    }

    #[test]
    fn short_ports_are_read_as_in_compose() {
        check("8000", &[(8000, "", "", "tcp")]);
        check("80:8000/udp", &[(8000, "80", "", "udp")]);
        check("127.0.0.1:80:8000", &[(8000, "80", "127.0.0.1", "tcp")]);
        check("127.0.0.1::8000", &[(8000, "", "127.0.0.1", "tcp")]);
        check("[::1]:80:8000", &[(8000, "80", "::1", "tcp")]);
        check("8000-8001:9000-9001", &[(9000, "8000", "", "tcp"), (9001, "8001", "", "tcp")]);
        check("8000-8005:9000", &[(9000, "8000-8005", "", "tcp")]);
    }

    #[test]
    fn what_compose_refuses_is_refused() {
        for spec in
            ["", "x", "80:", "99999", "80:8000/icmp", "1-3:5-6", "9-8", "x:80:80", "::1:80:80"]
        {
            assert!(split(spec).is_err(), "{spec}");
        }
    }
}

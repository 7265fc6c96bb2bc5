//! Who is who in the networks of a project, as Docker's own names server and routes have it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::plan::wiring::doors;
use crate::plan::wiring::urls::Target;
use crate::project::{Project, Service, Stage};

/// Names under which a container calls itself.
const ITSELF: [&str; 3] = ["localhost", "0.0.0.0", "::1"];

/// Names under which containers call the host.
const HOST: [&str; 3] =
    ["host.docker.internal", "gateway.docker.internal", "host.containers.internal"];

/// The network that a service is in which names none.
const DEFAULT: &str = "default";

/// Where a name leads, for a service that calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// To the container of a service.
    Service {
        /// Its name.
        name: String,
        /// Whether it can be reached.
        by: Route,
    },
    /// Through a door of the project.
    Door(Passage),
    /// To the container itself, and to those that share its addresses: their services.
    Itself(Arc<[String]>),
    /// To the host. Absent: nothing says that the name leads there, as only Docker Desktop does by
    /// itself.
    Host {
        /// Whether it is certain.
        is_certain: bool,
    },
    /// To a service that the profiles leave out.
    LeftOut(String),
    /// To nothing: no service is called so, no container, no host.
    Nobody,
    /// To somewhere that the project does not tell.
    Outside,
}

/// Where a call through a door comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// What the door is called.
    pub door: String,
    /// The services behind it.
    pub behind: Vec<String>,
    /// The port of theirs that is called; absent: the door leads to none from there.
    pub port: Option<u16>,
    /// Whether it is this door for certain: another namespace may have one that is called so.
    pub is_certain: bool,
}

/// How one container reaches another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Through a network that they share.
    Shared,
    /// Not at all: they share no network.
    Apart,
    /// Not by its name: it has the addresses of the host, or of another container.
    Borrowed,
    /// Not by its name: who calls has the addresses of the host.
    FromHost,
}

/// Whose addresses a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Space<'a> {
    /// The host's.
    Host,
    /// Those of a service: its own, or another's.
    Service(&'a str),
    /// None, or those of something outside the project.
    Unknown,
}

fn document<'a>(project: &'a Project, service: &str) -> &'a Value {
    &project.document["services"][service]
}

fn space<'a>(project: &'a Project, service: &str) -> Space<'a> {
    let mut name = service;
    // A service cannot be behind more others than there are.
    for _ in 0..=project.services.len() {
        let Some(found) = project.service(name) else { return Space::Unknown };
        let own = Space::Service(found.name.value.as_str());
        match document(project, name)["network_mode"].as_str() {
            Some("host") => return Space::Host,
            Some("none") => return Space::Unknown,
            None | Some("bridge" | "default" | "") => return own,
            Some(mode) => match mode.strip_prefix("service:") {
                Some(other) => name = other,
                None if mode.starts_with("container:") => return Space::Unknown,
                None => return own,
            },
        }
    }
    Space::Unknown
}

/// The names and networks of a project.
#[derive(Debug, Clone, Copy)]
pub(super) struct Networks<'a> {
    project: &'a Project,
    houses: &'a Houses<'a>,
}

/// The services that have the same addresses, by whose these are.
#[derive(Debug, Default)]
pub(super) struct Houses<'a>(HashMap<Space<'a>, Arc<[String]>>);

impl<'a> Houses<'a> {
    pub(super) fn of(project: &'a Project) -> Self {
        let mut houses: HashMap<Space<'a>, Vec<String>> = HashMap::new();
        // What ends before the others of its Pod start listens to none of them.
        let runs =
            |service: &&Service| service.pod.as_ref().is_none_or(|it| it.stage != Stage::Init);
        for name in project.services.iter().filter(runs).map(|service| &service.name.value) {
            houses.entry(space(project, name)).or_default().push(name.clone());
        }
        houses.remove(&Space::Unknown);
        Self(houses.into_iter().map(|(space, names)| (space, names.into())).collect())
    }
}

impl<'a> Networks<'a> {
    pub(super) fn of(project: &'a Project, houses: &'a Houses<'a>) -> Self {
        Self { project, houses }
    }

    /// Where a target leads, for a container of `client`.
    pub(super) fn lead(&self, client: &Service, target: &Target) -> Leads {
        match client.pod {
            Some(_) => self.in_cluster(client, target),
            None => self.in_project(client.name.value.as_str(), &target.host),
        }
    }

    /// The same in a Pod: what has no address of its own has that of a node, of which nothing is known.
    fn in_cluster(&self, client: &Service, target: &Target) -> Leads {
        let own = client.name.value.as_str();
        let is_own = is_itself(&target.host);
        match self.space(own) {
            Space::Service(_) if is_own => Leads::Itself(self.housemates(own)),
            Space::Host | Space::Unknown if is_own => Leads::Outside,
            Space::Service(_) | Space::Host | Space::Unknown => {
                doors::passage(self.project, client, target).map_or(Leads::Outside, Leads::Door)
            }
        }
    }

    fn in_project(&self, client: &str, host: &str) -> Leads {
        if is_itself(host) {
            return match self.space(client) {
                Space::Host => Leads::Host { is_certain: true },
                Space::Service(_) => Leads::Itself(self.housemates(client)),
                Space::Unknown => Leads::Outside,
            };
        }
        if let Some(written) = self.written(client, host) {
            let to_host = written == "host-gateway";
            return if to_host { Leads::Host { is_certain: true } } else { Leads::Outside };
        }
        if HOST.contains(&host) {
            return Leads::Host { is_certain: false };
        }
        if let Some(service) = self.called(client, host) {
            let by = self.route(client, service);
            return Leads::Service { name: service.to_owned(), by };
        }
        let mut left_out = self.project.disabled.iter().map(|service| service.name.value.as_str());
        if let Some(service) = left_out.find(|name| *name == host) {
            return Leads::LeftOut(service.to_owned());
        }
        let is_bare = !host.contains('.') && !host.contains(':');
        if is_bare && !self.sees_others(client) { Leads::Nobody } else { Leads::Outside }
    }

    /// Whether a service has the addresses of the host.
    pub(super) fn is_on_host(&self, service: &str) -> bool {
        self.space(service) == Space::Host
    }

    /// The services with the same addresses as `service`, itself among them.
    pub(super) fn housemates(&self, service: &str) -> Arc<[String]> {
        let nobody = || Arc::from(Vec::new());
        self.houses.0.get(&self.space(service)).cloned().unwrap_or_else(nobody)
    }

    fn document(&self, service: &str) -> &'a Value {
        document(self.project, service)
    }

    fn space(&self, service: &str) -> Space<'a> {
        space(self.project, service)
    }

    /// What `extra_hosts` says for a name.
    fn written(&self, client: &str, host: &str) -> Option<String> {
        let list = &self.document(client)["extra_hosts"];
        let items = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        let pairs = items.filter_map(|item| item.split_once(['=', ':']));
        let mut pairs = pairs.filter(|(name, _)| *name == host);
        let listed = pairs.next().map(|(_, address)| address.to_owned());
        let mapped = &list[host];
        listed.or_else(|| {
            let first = mapped.as_array().and_then(|all| all.first()).unwrap_or(mapped);
            first.as_str().map(str::to_owned)
        })
    }

    /// The service that is called `host` where `client` is.
    fn called(&self, client: &str, host: &str) -> Option<&'a str> {
        let linked = self.document(client)["links"].as_array().into_iter().flatten();
        let mut linked = linked.filter_map(|link| link.as_str()?.split_once(':'));
        let by_link = linked.find(|(_, alias)| *alias == host).map(|(service, _)| service);
        let mut services = self.project.services.iter();
        let is_it = |service: &&Service| {
            let name = service.name.value.as_str();
            by_link.map_or_else(|| self.is_called_there(client, service, host), |it| it == name)
        };
        services.find(is_it).map(|service| service.name.value.as_str())
    }

    /// Whether a service is called `host` where `client` is: an alias counts in its own network alone.
    fn is_called_there(&self, client: &str, service: &Service, host: &str) -> bool {
        let document = self.document(&service.name.value);
        let theirs = match self.space(client) {
            Space::Service(own) => Some(self.networks(own)),
            Space::Host | Space::Unknown => None,
        };
        let is_there = |network: &str| theirs.as_ref().is_none_or(|all| all.contains(&network));
        let mut networks = aliases(document).filter(|(_, alias)| *alias == host);
        is_named(document, service, host) || networks.any(|(network, _)| is_there(network))
    }

    fn route(&self, client: &str, service: &str) -> Route {
        match (self.space(client), self.space(service)) {
            (Space::Host, _) => Route::FromHost,
            (_, Space::Host) => Route::Borrowed,
            (Space::Service(_), Space::Service(of)) if of != service => Route::Borrowed,
            (Space::Service(own), Space::Service(of)) => {
                let theirs = self.networks(of);
                let is_shared =
                    own == of || self.networks(own).iter().any(|it| theirs.contains(it));
                if is_shared { Route::Shared } else { Route::Apart }
            }
            (Space::Unknown, _) | (_, Space::Unknown) => Route::Shared,
        }
    }

    fn networks(&self, service: &str) -> Vec<&'a str> {
        let document = self.document(service);
        if document["network_mode"].is_string() {
            return document["network_mode"].as_str().into_iter().collect();
        }
        let networks = document["networks"].as_object().into_iter().flatten();
        let names: Vec<&str> = networks.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { vec![DEFAULT] } else { names }
    }

    /// Whether a service is where containers of other projects can be: in a network of somebody else's,
    /// or with links to them.
    fn sees_others(&self, client: &str) -> bool {
        let networks = &self.project.document["networks"];
        let is_others = |name: &&str| {
            let own = format!("{}_{name}", self.project.name);
            let network = &networks[*name];
            network["external"].as_bool() == Some(true) || network["name"] != own.as_str()
        };
        let is_linked = !self.document(client)["external_links"].is_null();
        let is_named = self.document(client)["network_mode"].is_string();
        let space = match self.space(client) {
            Space::Service(own) => own,
            Space::Host | Space::Unknown => return true,
        };
        is_linked || is_named || self.networks(space).iter().any(is_others)
    }
}

/// Whether a container calls itself so.
pub(super) fn is_itself(host: &str) -> bool {
    ITSELF.contains(&host) || host.starts_with("127.")
}

/// Whether a container of the stack reaches `service` by the name `host`: its own, that of its container,
/// its host name, or an alias in a network.
#[must_use]
pub fn is_called(project: &Project, service: &Service, host: &str) -> bool {
    let document = &project.document["services"][&service.name.value];
    is_named(document, service, host) || aliases(document).any(|(_, alias)| alias == host)
}

/// Whether `host` is a name of a service in all of its networks. Docker knows containers by their host
/// names too, as was seen of its releases 20.10 and 28.5.
fn is_named(document: &Value, service: &Service, host: &str) -> bool {
    service.name.value == host || document["container_name"] == host || document["hostname"] == host
}

/// The aliases of a service, each with its network.
fn aliases(document: &Value) -> impl Iterator<Item = (&str, &str)> {
    let networks = document["networks"].as_object().into_iter().flatten();
    networks.flat_map(|(network, said)| {
        let aliases = said["aliases"].as_array().into_iter().flatten().filter_map(Value::as_str);
        aliases.map(move |alias| (network.as_str(), alias))
    })
}

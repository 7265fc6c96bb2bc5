//! Who talks to whom: the addresses that services are given, and who answers there. Pure.

mod clients;
mod doors;
mod files;
mod networks;
mod reached;
mod told;
mod urls;

use std::collections::HashMap;
use std::sync::Arc;

use crate::options::Token;
use crate::plan::engine::{self, Engine, Invocation};
use crate::project::{Project, Service};
use crate::source_map::{Place, Spanned};

pub use self::clients::{Api, Purpose, Reads};
pub use self::files::told_in;
pub use self::networks::{Leads, Passage, Route, is_called};
pub use self::urls::Target;

use self::networks::{Houses, Networks};
use self::told::Told;

/// Who talks to whom in a project.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The engines, in the order of their services.
    pub listeners: Vec<Listener>,
    /// Where they are, by their services.
    places: HashMap<String, usize>,
    /// What calls something, in the order of the services and of what is written in them.
    pub connections: Vec<Connection>,
    /// The models that clients ask for.
    pub wanted: Vec<Wanted>,
}

/// An engine, and where it listens.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its service.
    pub service: String,
    /// Which program.
    pub engine: Engine,
    /// The address that it binds to.
    pub host: Spanned<String>,
    /// The port inside its container.
    pub port: u16,
    /// Where that is said; nowhere: it is the engine's own choice.
    pub port_place: Place,
    /// The path that its routes are below; empty: none.
    pub prefix: String,
    /// Whether it wants TLS.
    pub tls: bool,
    /// Whether it is known to have none of Ollama's own routes.
    pub lacks_ollama: bool,
    /// The names of what it serves; empty: not known.
    pub names: Vec<String>,
    /// The keys of which it wants one; empty: it wants none, or they are in a file.
    pub keys: Vec<Token>,
    /// Whether nothing else can listen in its container, and all of its words were read.
    pub is_all: bool,
    /// Whether it has the addresses of the host.
    pub on_host: bool,
    /// The services that have its addresses, its own among them; none: whose they are is not known.
    pub housemates: Arc<[String]>,
    /// The ports of the host at which it is published.
    pub published: Vec<u16>,
}

/// Something that a service is told to call.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The service.
    pub client: String,
    /// The variable, the label or the key of a file that says so; absent: a word of its command.
    pub variable: Option<String>,
    /// Which of the addresses in its configuration files it is; absent: it is in none.
    pub entry: Option<usize>,
    /// What the program is known to do with it; absent: nothing is known.
    pub reads: Option<Reads>,
    /// The address.
    pub target: Target,
    /// Where it leads.
    pub leads: Leads,
    /// Whether who calls has the addresses of the host.
    pub from_host: bool,
    /// What the client shows there; absent: nothing, or that is not known.
    pub key: Option<Shown>,
    /// Where it is written.
    pub place: Place,
}

/// The key that a client shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The variable that has it.
    pub variable: String,
    /// The key; absent: it is not set, or empty.
    pub key: Option<Token>,
    /// Whether it asks nobody without one.
    pub is_vital: bool,
    /// Where it is written.
    pub place: Place,
}

/// A model that a client asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The service.
    pub client: String,
    /// What says so.
    pub reads: Reads,
    /// Which of the addresses in its configuration files is asked for it; absent: it is in none.
    pub entry: Option<usize>,
    /// The name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
}

/// Works out who talks to whom. `engines` are the services that start one.
pub(super) fn of<'a>(
    project: &Project,
    engines: impl Iterator<Item = (&'a Service, &'a Invocation)>,
) -> Wiring {
    let houses = Houses::of(project);
    let networks = Networks::of(project, &houses);
    let listeners = engines.map(|(service, invocation)| listener(service, invocation, networks));
    let listeners: Vec<Listener> = listeners.collect();
    let services = listeners.iter().map(|listener| listener.service.clone());
    // The first of a service counts.
    let places = services.enumerate().rev().map(|(place, service)| (service, place)).collect();
    let mut wiring = Wiring { listeners, places, ..Wiring::default() };
    for service in &project.services {
        let told = Told::of(service, networks);
        wiring.connections.extend(told.connections());
        if wiring.listener(&service.name.value).is_some() {
            wiring.connections.extend(told.labels());
        }
        wiring.wanted.extend(told.wanted());
    }
    let connections = std::mem::take(&mut wiring.connections).into_iter();
    // What is no URL is only taken for an address where an engine is.
    let is_one = |it: &Connection| {
        it.reads.is_some() || it.target.text.contains("://") || wiring.called(it).is_some()
    };
    let connections = connections.filter(is_one).collect();
    Wiring { connections, ..wiring }
}

fn listener(service: &Service, invocation: &Invocation, networks: Networks<'_>) -> Listener {
    let own = || Spanned::nowhere(invocation.engine.http().host.to_owned());
    let prefix = invocation.api_prefix.as_ref().map_or("", |prefix| prefix.value.as_str());
    let prefix = prefix.trim_matches('/');
    let is_read = invocation.unread.is_empty() && invocation.complaints.is_empty();
    let is_seen = engine::who_may_tell(service, invocation.engine).is_none();
    let published = service.ports.iter().filter(|port| port.target == invocation.port);
    Listener {
        service: service.name.value.clone(),
        engine: invocation.engine,
        host: invocation.host.clone().unwrap_or_else(own),
        port: invocation.port,
        port_place: invocation.port_place.clone(),
        prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
        tls: service.words().any(|word| word.value.starts_with("--ssl-")),
        lacks_ollama: invocation.lacks_ollama(),
        names: known(invocation.names()),
        keys: engine::api_keys(service),
        is_all: invocation.stock && is_read && is_seen && !invocation.in_shell,
        on_host: networks.is_on_host(&service.name.value),
        housemates: networks.housemates(&service.name.value),
        published: published.filter_map(|port| port.published).collect(),
    }
}

/// None of the names where one of them is said by nobody who was seen.
fn known(names: Vec<String>) -> Vec<String> {
    let is_known = names.iter().all(|name| !name.contains("$("));
    if is_known { names } else { Vec::new() }
}

impl Connection {
    /// The port that is called where it leads; absent: it leads to none.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.leads {
            Leads::Door(passage) => passage.port,
            Leads::Service { .. }
            | Leads::Itself(_)
            | Leads::Host { .. }
            | Leads::LeftOut(_)
            | Leads::Nobody
            | Leads::Outside => Some(self.target.port),
        }
    }

    /// Whether the program is known to call this address by itself, and not only to pass requests on.
    #[must_use]
    pub fn is_base(&self) -> bool {
        matches!(self.reads.map(|reads| reads.purpose), Some(Purpose::Base(_)))
    }

    /// What says so, as the subject of a sentence.
    #[must_use]
    pub fn said(&self) -> String {
        match &self.variable {
            Some(variable) => said(variable, self.entry, &self.client),
            None => format!("the command of service `{}`", self.client),
        }
    }
}

impl Wanted {
    /// What says so, as the subject of a sentence.
    #[must_use]
    pub fn said(&self) -> String {
        said(self.reads.variable, self.entry, &self.client)
    }

    /// Whether it matters to an engine what it is called: some answer whatever name is sent.
    #[must_use]
    pub fn matters_to(&self, engine: Engine) -> bool {
        self.reads.purpose != Purpose::Model || !engine.http().any_name
    }

    /// Whether it is asked for where a connection leads.
    #[must_use]
    pub fn is_asked_of(&self, connection: &Connection) -> bool {
        let is_of_it =
            self.entry.is_some() || self.reads.is_asked_of(connection.variable.as_deref());
        let is_same = connection.client == self.client && connection.entry == self.entry;
        is_same && is_of_it && connection.reads.is_some()
    }
}

fn said(key: &str, entry: Option<usize>, client: &str) -> String {
    match entry {
        Some(_) => format!("`{key}` in the configuration of service `{client}`"),
        None => format!("`{key}` of service `{client}`"),
    }
}

impl Wiring {
    /// The engine that a service runs; absent: it runs none.
    #[must_use]
    pub fn listener(&self, service: &str) -> Option<&Listener> {
        self.places.get(service).and_then(|place| self.listeners.get(*place))
    }
}

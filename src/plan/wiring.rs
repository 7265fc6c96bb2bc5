//! Who talks to whom: the addresses that services are given, and who answers there. Pure.

mod clients;
mod networks;
mod reached;
mod urls;

use crate::options::Token;
use crate::plan::engine::{self, Engine, Invocation};
use crate::project::{Project, Service};
use crate::source_map::{Place, Spanned};

pub use self::clients::{Api, Purpose, Reads};
pub use self::networks::{Leads, Route, is_called};
pub use self::urls::Target;

use self::networks::Networks;

/// Who talks to whom in a project.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The engines, in the order of their services.
    pub listeners: Vec<Listener>,
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
    /// The key that it wants; absent: none, or it is in a file.
    pub key: Option<Token>,
    /// Whether nothing else can listen in its container, and all of its words were read.
    pub is_all: bool,
    /// Whether it has the addresses of the host.
    pub on_host: bool,
    /// The services that have its addresses, its own among them; none: whose they are is not known.
    pub housemates: Vec<String>,
    /// The ports of the host at which it is published.
    pub published: Vec<u16>,
}

/// Something that a service is told to call.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The service.
    pub client: String,
    /// The variable that says so; absent: a word of its command.
    pub variable: Option<String>,
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
#[derive(Debug, Clone)]
pub struct Shown {
    /// The variable that has it.
    pub variable: String,
    /// The key; absent: it is not set, or empty.
    pub key: Option<Token>,
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
    let networks = Networks::of(project);
    let listeners = engines.map(|(service, invocation)| listener(service, invocation, networks));
    let mut wiring = Wiring { listeners: listeners.collect(), ..Wiring::default() };
    for service in &project.services {
        let told = Told { service, networks, reads: clients::reads(service) };
        wiring.connections.extend(told.connections());
        wiring.wanted.extend(told.wanted());
    }
    wiring
}

fn listener(service: &Service, invocation: &Invocation, networks: Networks<'_>) -> Listener {
    let own = || Spanned::nowhere(invocation.engine.http().host.to_owned());
    let prefix = invocation.api_prefix.as_ref().map_or("", |prefix| prefix.value.as_str());
    let prefix = prefix.trim_matches('/');
    let is_read = invocation.unread.is_empty() && invocation.complaints.is_empty();
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
        names: invocation.names(),
        key: engine::api_key(service),
        is_all: invocation.stock && is_read && !invocation.in_shell,
        on_host: networks.is_on_host(&service.name.value),
        housemates: networks.housemates(&service.name.value),
        published: published.filter_map(|port| port.published).collect(),
    }
}

/// What one service is told.
struct Told<'a> {
    service: &'a Service,
    networks: Networks<'a>,
    /// What its program is known to read.
    reads: Vec<Reads>,
}

impl Told<'_> {
    fn connections(&self) -> Vec<Connection> {
        let mut found = Vec::new();
        for (name, value) in &self.service.environment {
            let Some(text) = &value.value else { continue };
            if clients::is_of_browsers(name) {
                continue;
            }
            let reads = self.reads.iter().find(|reads| reads.variable == name).copied();
            for (index, target) in self.targets(text, reads).into_iter().enumerate() {
                let key = reads.and_then(|reads| self.key(reads, index));
                let connection = self.connection(target, &value.place, reads);
                let said = Connection { variable: Some(name.clone()), key, ..connection };
                found.push(said);
            }
        }
        for word in self.service.words() {
            let targets = Target::all_in(&word.value).into_iter();
            found.extend(targets.map(|target| self.connection(target, &word.place, None)));
        }
        found
    }

    fn connection(&self, target: Target, place: &Place, reads: Option<Reads>) -> Connection {
        let leads = self.networks.lead(self.service, &target.host);
        Connection {
            client: self.service.name.value.clone(),
            variable: None,
            reads,
            target,
            leads,
            from_host: self.networks.is_on_host(&self.service.name.value),
            key: None,
            place: place.clone(),
        }
    }

    /// The addresses in the value of a variable: all of them where it is known to hold addresses, else
    /// those that are URLs.
    fn targets(&self, text: &str, reads: Option<Reads>) -> Vec<Target> {
        reads.map_or_else(|| Target::all_in(text), |reads| reads.targets(text, self.service))
    }

    /// What is shown to the address at `index` of a variable; absent: that is not known.
    fn key(&self, base: Reads, index: usize) -> Option<Shown> {
        let value = |name: &&str| {
            let value = self.service.environment.get(*name)?;
            Some((value.value.as_deref().filter(|text| !text.is_empty())?, &value.place))
        };
        let variable = base.keys().find(|name| value(name).is_some()).or(base.keys().next())?;
        let (text, place) = value(&variable).unzip();
        let own = text.and_then(|text| base.values(text).nth(index)).unwrap_or("").trim();
        Some(Shown {
            variable: variable.to_owned(),
            key: (!own.is_empty()).then(|| Token::new(own.to_owned())),
            place: place.cloned().unwrap_or_default(),
        })
    }

    fn wanted(&self) -> Vec<Wanted> {
        let models = self.reads.iter().filter(|reads| reads.purpose == Purpose::Model);
        let said = models.filter_map(|reads| {
            let value = self.service.environment.get(reads.variable)?;
            Some((*reads, value.value.as_deref()?, &value.place))
        });
        said.flat_map(|(reads, text, place)| {
            let names = reads.values(text).map(str::trim).filter(|name| !name.is_empty());
            names.map(move |name| Wanted {
                client: self.service.name.value.clone(),
                reads,
                name: name.to_owned(),
                place: place.clone(),
            })
        })
        .collect()
    }
}

impl Wiring {
    /// The engine that a service runs; absent: it runs none.
    #[must_use]
    pub fn listener(&self, service: &str) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.service == service)
    }
}

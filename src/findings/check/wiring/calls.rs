//! Whether somebody answers where a client calls.

use super::{is_loopback, published, publishes, wiring, with_port};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::Engine;
use crate::plan::wiring::{Api, Connection, Leads, Listener, Purpose, Reads, Route, is_called};
use crate::project::Service;
use crate::suggest;

/// What clients are told to call.
pub static CHECK: Check =
    Check { rules: &[&CALLS_NOBODY, &CALLS_ITSELF, &CALLS_OTHERWISE], run: Run::Project(run) };

pub(super) static CALLS_NOBODY: Rule = Rule::error(
    "client-calls-nobody",
    ExitCode::Lane,
    include_str!("rules/client-calls-nobody.md"),
);

pub(super) static CALLS_ITSELF: Rule = Rule::error(
    "client-calls-itself",
    ExitCode::Lane,
    include_str!("rules/client-calls-itself.md"),
);

pub(super) static CALLS_OTHERWISE: Rule = Rule::error(
    "client-calls-otherwise",
    ExitCode::Lane,
    include_str!("rules/client-calls-otherwise.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for connection in &wiring(facts).connections {
        let call = Call { facts, connection };
        if let Some(finding) = call.judge() {
            findings.push(finding.service(&connection.client).at(&connection.place));
        }
    }
}

/// One call of a client.
pub(super) struct Call<'a> {
    pub(super) facts: &'a ProjectFacts<'a>,
    pub(super) connection: &'a Connection,
}

impl<'a> Call<'a> {
    fn judge(&self) -> Option<Finding> {
        match &self.connection.leads {
            Leads::Nobody => self.nobody(),
            Leads::LeftOut(service) => self.left_out(service),
            Leads::Service { name, by } => self.service(name, *by),
            Leads::Door(passage) => self.through(passage),
            Leads::Itself(housemates) => self.itself(housemates),
            Leads::Host { is_certain } => self.host(*is_certain),
            Leads::Outside => None,
        }
    }

    /// An error where the program is known to call this address, else a warning: what another makes of a
    /// value is its own affair, and so is to whom a proxy passes on what is no engine's.
    fn severity(&self) -> Severity {
        let is_nobody = self.connection.leads == Leads::Nobody && !self.connection.is_base();
        let is_likely = matches!(&self.connection.leads, Leads::Door(it) if !it.is_certain);
        if self.is_known() && !is_nobody && !is_likely {
            Severity::Error
        } else {
            Severity::Warning
        }
    }

    pub(super) fn is_known(&self) -> bool {
        let is_upstream = |reads: Reads| reads.purpose == Purpose::Upstream;
        self.connection.is_base() || self.connection.reads.is_some_and(is_upstream)
    }

    /// The subject of a sentence: `OPENAI_API_BASE_URL` of `ui`.
    pub(super) fn said(&self) -> String {
        self.connection.said()
    }

    pub(super) fn finding(&self, rule: &'static Rule, message: String, fix: String) -> Finding {
        let finding = Finding::new(rule, message, fix).severity(self.severity());
        finding.with("url", &self.connection.target.text)
    }

    fn nobody(&self) -> Option<Finding> {
        if !self.is_known() {
            return None;
        }
        let host = &self.connection.target.host;
        let mut services = self.facts.project.services.iter();
        let elsewhere = services.find(|service| is_called(self.facts.project, service, host));
        if let Some(service) = elsewhere {
            let name = &service.name.value;
            let message = format!(
                "{} calls `{host}`, and service `{name}` is called so in another network alone",
                self.said()
            );
            let fix = format!("write `{name}`, or put both into the network of that alias");
            return Some(self.finding(&CALLS_NOBODY, message, fix));
        }
        let services = self.facts.project.services.iter();
        let names = services.map(|service| service.name.value.as_str());
        let likely = suggest::likely(host, names);
        let fix = match likely.first() {
            Some(name) => format!("write `{name}`, if that is the service that is meant"),
            None => self
                .engines()
                .unwrap_or_else(|| format!("write the name of a service for `{host}`")),
        };
        let message =
            format!("{} calls `{host}`, and no service or container is called so", self.said());
        Some(self.finding(&CALLS_NOBODY, message, fix))
    }

    /// The services of engines, as what to write instead.
    fn engines(&self) -> Option<String> {
        let listeners = &wiring(self.facts).listeners;
        let addresses: Vec<String> =
            listeners.iter().map(|it| format!("`{}`", self.base(it))).collect();
        (!addresses.is_empty()).then(|| format!("write {}", addresses.join(" or ")))
    }

    fn left_out(&self, service: &str) -> Option<Finding> {
        let message =
            format!("{} calls service `{service}`, which is in no active profile", self.said());
        let fix = format!("start it too (`--profile`), or take `{service}` out of the value");
        // Clients are often told of all that there may be.
        let finding = self.finding(&CALLS_NOBODY, message, fix);
        self.is_known().then(|| finding.severity(Severity::Warning))
    }

    fn service(&self, name: &str, by: Route) -> Option<Finding> {
        let listener = wiring(self.facts).called(self.connection);
        // What other programs do with each other is not asked here.
        if listener.is_none() && !self.connection.is_base() {
            return None;
        }
        match by {
            Route::Shared => self.listener(listener?),
            Route::Apart => {
                let message =
                    format!("{} calls service `{name}`, and the two share no network", self.said());
                let fix = "put both into one of the `networks`".to_owned();
                Some(self.finding(&CALLS_NOBODY, message, fix))
            }
            Route::Borrowed => {
                let message = format!(
                    "{} calls service `{name}`, which has no name in any network: its `network_mode` \
                     gives it the addresses of another",
                    self.said()
                );
                let fix = "write the service whose addresses it has, or for those of the host \
                           `host.docker.internal` with `extra_hosts: [\"host.docker.internal:host-gateway\"]`"
                    .to_owned();
                Some(self.finding(&CALLS_NOBODY, message, fix))
            }
            Route::FromHost => {
                let message = format!(
                    "{} calls service `{name}`, and with `network_mode: host` no service is known \
                     by its name",
                    self.said()
                );
                let fix = match listener.and_then(|listener| self.published_at(listener)) {
                    Some(port) => format!("write `localhost:{port}`, where it is published"),
                    None => format!("publish the port of `{name}`, and write `localhost` and that"),
                };
                Some(self.finding(&CALLS_NOBODY, message, fix))
            }
        }
    }

    fn published_at(&self, listener: &Listener) -> Option<u16> {
        let service = self.facts.project.service(&listener.service)?;
        publishes(service, listener.port)?.published
    }

    /// Whether the service that is called may have something else at the port: figures of its engine, or
    /// what it names itself.
    pub(super) fn may_be_meant(&self, service: &str, port: u16) -> bool {
        let target = &self.connection.target;
        let called = self.facts.project.service(service);
        let speaks = |called| self.speaks_of(called, &port.to_string());
        target.path.trim_end_matches('/').ends_with("/metrics") || called.is_some_and(speaks)
    }

    /// Whether a listener answers, which the client reaches.
    fn listener(&self, listener: &Listener) -> Option<Finding> {
        let target = &self.connection.target;
        let engine = listener.engine.name();
        if target.port != listener.port {
            if !wiring(self.facts).knows_all_beside(listener) {
                return None;
            }
            let service = &listener.service;
            let outside = published(self.facts.project, service)
                .any(|port| port.published == Some(target.port) && port.target != target.port);
            // What nobody is known to read may be for another port of the container, such as that of metrics.
            if self.connection.reads.is_none()
                && !outside
                && self.may_be_meant(service, target.port)
            {
                return None;
            }
            let why = if outside {
                format!(": {} is its port on the host", target.port)
            } else {
                String::new()
            };
            let message = format!(
                "{} calls port {} of service `{service}`, and {engine} listens on {}{why}",
                self.said(),
                target.port,
                listener.port
            );
            let fix = format!("write `{}`", target.at_port(listener.port));
            let finding = self.finding(&CALLS_OTHERWISE, message, fix);
            return Some(with_port(finding, listener));
        }
        self.request(listener)
    }

    /// Whether an engine that is reached understands what it is asked.
    pub(super) fn request(&self, listener: &Listener) -> Option<Finding> {
        if !listener.is_all {
            return None;
        }
        self.protocol(listener).or_else(|| self.scheme()).or_else(|| self.path(listener))
    }

    fn protocol(&self, listener: &Listener) -> Option<Finding> {
        let target = &self.connection.target;
        let engine = listener.engine.name();
        let (message, fix) = match (target.tls, listener.tls) {
            (true, false) => (
                format!("{} calls {engine} with TLS, which it does not speak", self.said()),
                "write `http://`",
            ),
            (false, true) => (
                format!("{} calls {engine} without TLS, which it wants", self.said()),
                "write `https://`",
            ),
            (true, true) | (false, false) => return None,
        };
        Some(self.finding(&CALLS_OTHERWISE, message, fix.to_owned()))
    }

    /// An address without the scheme that every client of `OpenAI`'s API wants before it.
    fn scheme(&self) -> Option<Finding> {
        let reads = self.connection.reads?;
        let text = &self.connection.target.text;
        let is_openai = matches!(reads.purpose, Purpose::Base(Api::OpenAi | Api::OpenAiAsIs));
        if !is_openai || text.contains("://") {
            return None;
        }
        let message =
            format!("{} has no `http://`, and {} takes it as it is", self.said(), reads.client);
        Some(self.finding(&CALLS_OTHERWISE, message, format!("write `http://{text}`")))
    }

    /// Whether the path is one below which the client finds what it asks for.
    fn path(&self, listener: &Listener) -> Option<Finding> {
        let api = match self.connection.reads?.purpose {
            Purpose::Base(api) => api,
            Purpose::Upstream | Purpose::Model | Purpose::Listed | Purpose::Browser => return None,
        };
        let http = listener.engine.http();
        let prefix = listener.prefix.as_str();
        let path = self.connection.target.path.as_str();
        let client = self.connection.reads?.client;
        let expected = match api {
            Api::OpenAi | Api::OpenAiAsIs if !http.openai_roots.is_empty() => http.openai_roots,
            Api::OpenAiRoot => &[""],
            Api::Ollama if listener.lacks_ollama => {
                let message = format!(
                    "{} is the address of an Ollama, and {} has no API of Ollama's",
                    self.said(),
                    listener.engine.name()
                );
                let fix = format!(
                    "tell {client} of it as a server of OpenAI's API: `{}`",
                    self.base(listener)
                );
                return Some(self.finding(&CALLS_OTHERWISE, message, fix));
            }
            Api::Ollama if !http.openai_roots.is_empty() => &[""],
            Api::OpenAi | Api::OpenAiAsIs | Api::Ollama | Api::Tei | Api::Tgi | Api::Other => {
                return None;
            }
        };
        if expected.iter().any(|root| path.strip_prefix(prefix) == Some(*root)) {
            return self.slash(listener).filter(|_| api == Api::OpenAiAsIs);
        }
        let root = expected.last().copied().unwrap_or_default();
        let (host, port) = (&self.connection.target.host, self.connection.target.port);
        let right = format!("http://{host}:{port}{prefix}{root}");
        let message = format!(
            "{client} looks for its routes below `{}`, and {} has them below `{prefix}{root}`",
            self.connection.target.text,
            listener.engine.name(),
        );
        Some(self.finding(&CALLS_OTHERWISE, message, format!("write `{right}`")))
    }

    /// A slash at the end, behind which the client puts another.
    fn slash(&self, listener: &Listener) -> Option<Finding> {
        let text = &self.connection.target.text;
        let right = text.strip_suffix('/')?;
        let message = format!(
            "{} ends in a slash, `/models` is put behind it, and {} knows no `//models`",
            self.said(),
            listener.engine.name()
        );
        Some(self.finding(&CALLS_OTHERWISE, message, format!("write `{right}`")))
    }

    /// A client that calls its own container.
    fn itself(&self, housemates: &[String]) -> Option<Finding> {
        let target = &self.connection.target;
        let wiring = wiring(self.facts);
        if let Some(listener) = wiring.called(self.connection) {
            return self.request(listener);
        }
        let inside = housemates.iter().filter_map(|name| wiring.listener(name));
        let others: Vec<&str> = housemates
            .iter()
            .map(String::as_str)
            .filter(|it| **it != self.connection.client)
            .collect();
        if !others.is_empty() && self.is_in_pod() {
            return self.beside(housemates).filter(|_| !self.listens_itself());
        }
        if inside.clone().any(|listener| !listener.is_all)
            || !others.is_empty()
            || self.brings_its_own()
        {
            return None;
        }
        let meant = wiring.listeners.iter().find(|listener| {
            listener.port == target.port || self.published_at(listener) == Some(target.port)
        })?;
        // What a program calls at its own address may be itself.
        let is_own = inside.count() > 0 || self.listens_itself();
        if !is_own && self.is_in_pod() {
            return self.own_pod(meant);
        }
        if is_own || !(self.is_known() || self.connection.variable.is_some()) {
            return None;
        }
        let message = format!(
            "{} calls `{}`, which is the container of `{}` itself, and {} runs in that of `{}`",
            self.said(),
            target.host,
            self.connection.client,
            meant.engine.name(),
            meant.service
        );
        let name = &meant.service;
        let path = &target.path;
        let fix = format!("write `http://{name}:{}{path}`", meant.port);
        Some(self.finding(&CALLS_ITSELF, message, fix))
    }

    /// Whether something says that the client's own container listens at the port that is called: what it
    /// publishes, and of a program that is not known how it is started and checked.
    fn listens_itself(&self) -> bool {
        let project = self.facts.project;
        let Some(service) = project.service(&self.connection.client) else { return false };
        let port = self.connection.target.port;
        let is_published = published(project, &service.name.value).any(|it| it.target == port);
        let is_exposed = self.is_in_pod() && self.exposes(service, &port.to_string());
        is_published
            || is_exposed
            || (!self.connection.is_base() && self.speaks_of(service, &port.to_string()))
    }

    /// Whether a service names a port as one of its own.
    fn speaks_of(&self, service: &Service, port: &str) -> bool {
        let says = |text: &str| names_port(text, port);
        let mut checked = service.health_check.iter().flat_map(|check| &check.value);
        let mut values = service.environment.values().filter_map(|it| it.value.as_deref());
        let mut words = service.words().filter(|word| !word.value.contains("://"));
        self.exposes(service, port)
            || checked.any(|word| says(word))
            || values.any(|value| value == port)
            || words.any(|word| says(&word.value))
    }

    fn exposes(&self, service: &Service, port: &str) -> bool {
        let ports =
            self.facts.project.document["services"][&service.name.value]["expose"].as_array();
        let mut ports = ports.into_iter().flatten().filter_map(|it| it.as_str());
        ports.any(|text| names_port(text, port))
    }

    fn is_in_pod(&self) -> bool {
        let client = self.facts.project.service(&self.connection.client);
        client.is_some_and(|client| client.pod.is_some())
    }

    /// Whether the image of the client has an engine of its own (`open-webui:ollama`).
    fn brings_its_own(&self) -> bool {
        let service = self.facts.project.service(&self.connection.client);
        let image = service.and_then(|service| service.image.as_ref());
        let tag = image.and_then(|image| image.value.rsplit_once(':')).map_or("", |(_, tag)| tag);
        let is_engine = |part: &str| Engine::ALL.iter().any(|engine| engine.id() == part);
        tag.split(['-', '_', '.']).any(is_engine)
    }

    /// A client that calls the host.
    fn host(&self, is_certain: bool) -> Option<Finding> {
        let target = &self.connection.target;
        let wiring = wiring(self.facts);
        if let Some(listener) = wiring.called(self.connection) {
            let found = self.closed(listener);
            let found = found.or_else(|| self.unsaid(listener).filter(|_| !is_certain));
            return found.or_else(|| self.request(listener));
        }
        let inside = wiring.listeners.iter().find(|it| !it.on_host && it.port == target.port)?;
        let message = match self.published_at(inside) {
            Some(port) => format!(
                "{} calls port {} of the host, and service `{}` is published at {port}",
                self.said(),
                target.port,
                inside.service
            ),
            None => format!(
                "{} calls port {} of the host, and service `{}` does not publish it",
                self.said(),
                target.port,
                inside.service
            ),
        };
        let fix = match self.published_at(inside).filter(|_| self.connection.from_host) {
            Some(port) => format!("write port {port}"),
            None if self.connection.from_host => {
                format!("publish it: `ports: [\"{0}:{0}\"]`", target.port)
            }
            None => format!("write `{}`", self.base(inside)),
        };
        // Something else may listen on the host.
        Some(self.finding(&CALLS_OTHERWISE, message, fix).severity(Severity::Warning))
    }

    /// An engine that comes to the addresses of the host at which only the host itself calls.
    fn closed(&self, listener: &Listener) -> Option<Finding> {
        let service = self.facts.project.service(&listener.service)?;
        let address = publishes(service, listener.port).and_then(|it| it.host_ip.as_deref());
        let (is_closed, what, fix) = if listener.on_host {
            let fix = "let the engine listen at the address of Docker's network, or at every one";
            (is_loopback(&listener.host.value), "listens", fix.to_owned())
        } else {
            let fix = format!("write `{}`", self.base(listener));
            (address.is_some_and(is_loopback), "is published", fix)
        };
        let message = format!(
            "{} calls the host, and service `{}` {what} for the host itself alone",
            self.said(),
            listener.service
        );
        let is_told = is_closed && !self.connection.from_host;
        let finding = self.finding(&CALLS_OTHERWISE, message, fix);
        is_told.then(|| finding.severity(Severity::Warning))
    }

    /// `host.docker.internal`, which Docker Desktop alone knows by itself.
    fn unsaid(&self, listener: &Listener) -> Option<Finding> {
        if !self.is_known() {
            return None;
        }
        let host = &self.connection.target.host;
        let message = format!(
            "{} calls `{host}`, which only Docker Desktop knows without a line in `extra_hosts`",
            self.said()
        );
        let fix = format!(
            "write `{}`, or give the service `extra_hosts: [\"{host}:host-gateway\"]`",
            self.base(listener)
        );
        Some(self.finding(&CALLS_NOBODY, message, fix).severity(Severity::Warning))
    }
}

/// Whether a word or a variable of a service names a port.
pub(in crate::findings::check) fn is_told_of_port(service: &Service, port: &str) -> bool {
    let mut values = service.environment.values().filter_map(|it| it.value.as_deref());
    service.words().any(|word| names_port(&word.value, port))
        || values.any(|value| names_port(value, port))
}

/// Whether a text has a number in it that is this port.
fn names_port(text: &str, port: &str) -> bool {
    text.split(|it: char| !it.is_ascii_digit()).any(|part| part == port)
}

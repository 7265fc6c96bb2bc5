//! What one service is told: by its environment, its command, its files, and the labels on an engine.

use super::clients::{self, Purpose, Reads, Variables, may_be_told};
use super::files::{self, Entry};
use super::networks::Networks;
use super::urls::Target;
use super::{Connection, Leads, Route, Shown, Wanted};
use crate::options::Token;
use crate::project::Service;
use crate::source_map::{Place, Spanned};

/// How a label begins, and ends, that names the port to which Traefik passes on.
const TRAEFIK_PORT: (&str, &str) = ("traefik.http.services.", ".loadbalancer.server.port");

/// How variables end that may have an address without its scheme.
const ADDRESSES: [&str; 3] = ["_HOST", "_URL", "_BASE"];

/// What one service is told.
pub(super) struct Told<'a> {
    service: &'a Service,
    networks: Networks<'a>,
    /// What is known of the variables that its program reads.
    variables: Variables,
    /// What stands in the files of its program.
    entries: Vec<Entry>,
}

impl<'a> Told<'a> {
    pub(super) fn of(service: &'a Service, networks: Networks<'a>) -> Self {
        let (variables, entries) = (Variables::of(service), files::entries(service));
        Self { service, networks, variables, entries }
    }

    /// What it calls.
    pub(super) fn connections(&self) -> Vec<Connection> {
        let mut found = Vec::new();
        for (name, value) in &self.service.environment {
            let Some(text) = &value.value else { continue };
            if clients::is_of_browsers(name) || self.variables.left_out.contains(&name.as_str()) {
                continue;
            }
            let reads = self.variables.reads.iter().find(|reads| reads.variable == name).copied();
            for (index, target) in self.targets(text, reads).into_iter().enumerate() {
                let key = reads.and_then(|reads| self.key(reads, index));
                let connection = self.connection(target, &value.place, reads);
                let said = Connection { variable: Some(name.clone()), key, ..connection };
                found.push(said);
            }
            let bare = self.bare(name, text).filter(|_| reads.is_none());
            let bare = bare.map(|target| self.connection(target, &value.place, None));
            let bare = bare.filter(|connection| self.is_another(&connection.leads));
            found.extend(bare.map(|it| Connection { variable: Some(name.clone()), ..it }));
        }
        for word in self.service.words() {
            let targets = Target::all_in(&word.value).into_iter();
            found.extend(targets.map(|target| self.connection(target, &word.place, None)));
        }
        found.extend(self.entries.iter().enumerate().flat_map(|(index, entry)| {
            let targets = entry.reads.targets(&entry.address.value, self.service).into_iter();
            targets.map(move |target| self.in_file(target, index, entry))
        }));
        found
    }

    /// An address that a variable has without its scheme, as its name says.
    fn bare(&self, name: &str, text: &str) -> Option<Target> {
        let is_address = ADDRESSES.iter().any(|end| name.ends_with(end));
        Target::parse_base(text).filter(|target| is_address && !target.text.contains("://"))
    }

    /// Whether that is the container of another service.
    fn is_another(&self, leads: &Leads) -> bool {
        let own = self.service.name.value.as_str();
        match leads {
            Leads::Service { name, .. } => name != own,
            Leads::Door(passage) => passage.behind.iter().all(|name| name != own),
            Leads::Itself(_)
            | Leads::Host { .. }
            | Leads::LeftOut(_)
            | Leads::Nobody
            | Leads::Outside => false,
        }
    }

    /// What Traefik is told of this service by its labels.
    pub(super) fn labels(&self) -> Vec<Connection> {
        let labels = &self.service.labels;
        if labels.get("traefik.enable").is_some_and(|value| value.value == "false") {
            return Vec::new();
        }
        let (start, end) = TRAEFIK_PORT;
        let is_port = |name: &str| name.starts_with(start) && name.ends_with(end);
        let ports = labels.iter().filter(|(name, _)| is_port(&name.to_lowercase()));
        let connection = |(name, value): (&String, &Spanned<String>)| {
            let service = self.service.name.value.as_str();
            let target = Target::of(service, value.value.trim().parse().ok()?)?;
            let leads = Leads::Service { name: service.to_owned(), by: Route::Shared };
            let connection = self.connection(target, &value.place, None);
            Some(Connection { variable: Some(name.clone()), leads, ..connection })
        };
        ports.filter_map(connection).collect()
    }

    fn in_file(&self, target: Target, index: usize, entry: &Entry) -> Connection {
        let connection = self.connection(target, &entry.address.place, Some(entry.reads));
        Connection {
            variable: Some(entry.reads.variable.to_owned()),
            key: entry.key.clone(),
            entry: Some(index),
            ..connection
        }
    }

    fn connection(&self, target: Target, place: &Place, reads: Option<Reads>) -> Connection {
        let leads = self.networks.lead(self.service, &target);
        Connection {
            client: self.service.name.value.clone(),
            variable: None,
            entry: None,
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
        if base.keys().any(|name| may_be_told(self.service, name)) {
            return None;
        }
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
            is_vital: false,
            place: place.cloned().unwrap_or_default(),
        })
    }

    /// The models that it asks for.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let is_model = |reads: &&Reads| matches!(reads.purpose, Purpose::Model | Purpose::Listed);
        let models = self.variables.reads.iter().filter(is_model);
        let said = models.filter_map(|reads| {
            let value = self.service.environment.get(reads.variable)?;
            Some((*reads, value.value.as_deref()?, &value.place))
        });
        let by_variables = said.flat_map(|(reads, text, place)| {
            let names = reads.values(text).map(str::trim).filter(|name| !name.is_empty());
            names.map(move |name| self.model(reads, None, name, place))
        });
        let by_files = self.entries.iter().enumerate().flat_map(|(index, entry)| {
            let models = entry.models.iter();
            models.map(move |(reads, it)| self.model(*reads, Some(index), &it.value, &it.place))
        });
        by_variables.chain(by_files).collect()
    }

    fn model(&self, reads: Reads, entry: Option<usize>, name: &str, place: &Place) -> Wanted {
        Wanted {
            client: self.service.name.value.clone(),
            reads,
            entry,
            name: name.to_owned(),
            place: place.clone(),
        }
    }
}

//! Which engine a call comes to.

use super::{Connection, Leads, Listener, Passage, Wiring};

impl Wiring {
    /// The engine that a connection comes to: the one that listens at its port where it leads, else the
    /// one of the service that is named. Absent: none that is known.
    #[must_use]
    pub fn called(&self, connection: &Connection) -> Option<&Listener> {
        let port = connection.target.port;
        match &connection.leads {
            Leads::Service { name, .. } => self.at(name, port).or_else(|| self.listener(name)),
            Leads::Door(passage) => self.behind(passage),
            Leads::Itself(_) => self.at(&connection.client, port),
            Leads::Host { .. } => self.listeners.iter().find(|it| it.is_at_host(port)),
            Leads::LeftOut(_) | Leads::Nobody | Leads::Outside => None,
        }
    }

    /// The engine at the port that a door leads to, else one that may be meant: nobody who is not known
    /// listens beside it.
    fn behind(&self, passage: &Passage) -> Option<&Listener> {
        let first = passage.behind.first()?;
        let there = passage.port.and_then(|port| self.at(first, port));
        let mut engines = passage.behind.iter().filter_map(|name| self.listener(name));
        there.or_else(|| engines.find(|listener| self.knows_all_beside(listener)))
    }

    /// The engine that listens at a port of the addresses that a service has.
    fn at(&self, service: &str, port: u16) -> Option<&Listener> {
        let is_there = |it: &&Listener| it.housemates.iter().any(|name| name == service);
        self.listeners.iter().filter(|it| it.port == port).find(is_there)
    }

    /// Whether nothing but engines of which all is known listens where an engine does.
    #[must_use]
    pub fn knows_all_beside(&self, listener: &Listener) -> bool {
        let mut housemates = listener.housemates.iter();
        listener.is_all
            && housemates.all(|name| self.listener(name).is_some_and(|other| other.is_all))
    }
}

impl Listener {
    fn is_at_host(&self, port: u16) -> bool {
        self.published.contains(&port) || (self.on_host && self.port == port)
    }
}

//! Names in the network that lead to services which are not called so: the `Service`s of Kubernetes, as far
//! as it is certain where they lead. Pure.

use crate::source_map::Spanned;

/// One such name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The name.
    pub name: Spanned<String>,
    /// The namespace that it is a name in; empty: that in which everything is that names none.
    pub namespace: String,
    /// The services behind it, which have one address: the containers of a Pod.
    pub behind: Vec<String>,
    /// Its ports; absent: it leads to the address of the Pod itself.
    pub ports: Option<Vec<DoorPort>>,
}

/// A port of a [`Door`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorPort {
    /// Its number, where it is written.
    pub number: Spanned<u16>,
    /// What is said of the port that it leads to, where that is written.
    pub target: Spanned<String>,
    /// The port of the Pod that it leads to; absent: no container has one that is called so.
    pub leads_to: Option<u16>,
}

/// Where a call goes that comes through a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way<'a> {
    /// To this port of the Pod.
    To(u16),
    /// To a port that no container of the Pod calls so.
    Unnamed(&'a DoorPort),
    /// Nowhere: it has no such port.
    Shut,
}

impl Door {
    /// Where a call at `port` goes.
    #[must_use]
    pub fn way(&self, port: u16) -> Way<'_> {
        let Some(ports) = &self.ports else { return Way::To(port) };
        match ports.iter().find(|it| it.number.value == port) {
            None => Way::Shut,
            Some(found) => found.leads_to.map_or(Way::Unnamed(found), Way::To),
        }
    }

    /// The port at which it leads to `port` of the Pod; absent: at none.
    #[must_use]
    pub fn port_to(&self, port: u16) -> Option<u16> {
        let Some(ports) = &self.ports else { return Some(port) };
        ports.iter().find(|it| it.leads_to == Some(port)).map(|it| it.number.value)
    }

    /// Whether a service is behind it.
    #[must_use]
    pub fn leads_to(&self, service: &str) -> bool {
        self.behind.iter().any(|name| name == service)
    }

    /// What it is called from a namespace.
    #[must_use]
    pub fn called_from(&self, namespace: &str) -> String {
        let name = &self.name.value;
        let is_there = self.namespace.is_empty() || self.namespace == namespace;
        if is_there { name.clone() } else { format!("{name}.{}", self.namespace) }
    }
}

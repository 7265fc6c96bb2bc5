//! Calls of containers in Pods: through a `Service` of Kubernetes, and to the Pod itself.

use super::calls::{CALLS_ITSELF, CALLS_NOBODY, CALLS_OTHERWISE, Call};
use super::{wiring, with_port};
use crate::findings::{Finding, Rule};
use crate::plan::wiring::{Listener, Passage};
use crate::project::Project;
use crate::project::doors::{Door, DoorPort, Way};

/// The door that a passage is of.
fn door<'a>(project: &'a Project, passage: &Passage) -> Option<&'a Door> {
    let mut doors = project.doors.iter();
    doors.find(|door| door.name.value == passage.door && door.behind == passage.behind)
}

impl<'a> Call<'a> {
    /// Whether an engine is reached through a door. What other programs do with each other is not asked
    /// here.
    pub(super) fn through(&self, passage: &Passage) -> Option<Finding> {
        let listener = wiring(self.facts).called(self.connection)?;
        let door = door(self.facts.project, passage)?;
        match door.way(self.connection.target.port) {
            Way::To(port) if port == listener.port => self.request(listener),
            Way::To(port) => self.past(door, port, listener),
            Way::Unnamed(port) => self.unnamed(door, port, listener),
            Way::Shut => self.shut(door, listener),
        }
    }

    /// A door that leads to a port of the Pod on which nobody listens.
    fn past(&self, door: &Door, port: u16, listener: &Listener) -> Option<Finding> {
        let is_known = self.connection.reads.is_some();
        if !is_known && self.may_be_meant(&listener.service, port) {
            return None;
        }
        let target = self.connection.target.port;
        let leads = if port == target { String::new() } else { format!(", which leads to {port}") };
        let message = format!(
            "{} calls port {target} of the Service `{}`{leads}, and {} of service `{}` listens on {}",
            self.said(),
            door.name.value,
            listener.engine.name(),
            listener.service,
            listener.port
        );
        Some(with_port(self.led(&CALLS_OTHERWISE, door, message, listener), listener))
    }

    fn unnamed(&self, door: &Door, port: &DoorPort, listener: &Listener) -> Option<Finding> {
        let message = format!(
            "{} calls port {} of the Service `{}`, which leads to `{}`, and no container of its Pod has \
             a port of that name",
            self.said(),
            port.number.value,
            door.name.value,
            port.target.value
        );
        let finding = self.led(&CALLS_NOBODY, door, message, listener);
        Some(finding.also(&port.target.place, "where it leads"))
    }

    fn shut(&self, door: &Door, listener: &Listener) -> Option<Finding> {
        let target = &self.connection.target;
        // A program of which nothing is known may put a port of its own behind the name.
        let is_whole = target.text.contains(&format!(":{}", target.port));
        if self.connection.reads.is_none() && !is_whole {
            return None;
        }
        let message = format!(
            "{} calls port {} of the Service `{}`, which has no such port",
            self.said(),
            target.port,
            door.name.value
        );
        let finding = self.led(&CALLS_OTHERWISE, door, message, listener);
        Some(finding.also(&door.name.place, "the Service"))
    }

    /// A finding with how the engine is reached through that door.
    fn led(
        &self,
        rule: &'static Rule,
        door: &Door,
        message: String,
        listener: &Listener,
    ) -> Finding {
        let fix = match door.port_to(listener.port) {
            Some(port) => format!("write `{}`", self.connection.target.at_port(port)),
            None => format!(
                "write `targetPort: {}` in the Service `{}`",
                listener.port, door.name.value
            ),
        };
        self.finding(rule, message, fix)
    }

    /// A client that calls its own Pod for an engine in another. Programs that are not known may listen to
    /// themselves.
    pub(super) fn own_pod(&self, meant: &Listener) -> Option<Finding> {
        let looks_in = self.looks_in().filter(|_| self.is_known())?;
        let target = &self.connection.target;
        let message = format!(
            "{} calls `{}`, which is its own Pod, and {} runs in that of `{}`",
            self.said(),
            target.host,
            meant.engine.name(),
            meant.service
        );
        let path = &target.path;
        let fix = match self.address(meant, looks_in) {
            Some(address) => format!("write `http://{address}{path}`"),
            None => format!(
                "give that Pod a Service with `targetPort: {}`, and write its name and port for \
                 `{}:{}`",
                meant.port, target.host, target.port
            ),
        };
        Some(self.finding(&CALLS_ITSELF, message, fix))
    }

    /// A client that calls the container beside it at a port on which nobody listens: an engine is all that
    /// it has beside it.
    pub(super) fn beside(&self, housemates: &[String]) -> Option<Finding> {
        self.looks_in().filter(|_| self.connection.is_base())?;
        let wiring = wiring(self.facts);
        let mut others = housemates.iter().filter(|name| **name != self.connection.client);
        let only = others.next().filter(|_| others.next().is_none())?;
        let listener = wiring.listener(only).filter(|listener| listener.is_all)?;
        let target = &self.connection.target;
        let message = format!(
            "{} calls port {} of its own Pod, and {} of service `{only}` listens on {}",
            self.said(),
            target.port,
            listener.engine.name(),
            listener.port
        );
        let fix = format!("write `{}`", target.at_port(listener.port));
        Some(with_port(self.finding(&CALLS_OTHERWISE, message, fix), listener))
    }

    fn looks_in(&self) -> Option<&'a str> {
        let client = self.facts.project.service(&self.connection.client)?;
        client.pod.as_ref()?.looks_in.as_deref()
    }

    /// The name and the port by which an engine is reached from a namespace; absent: no door leads to it.
    fn address(&self, listener: &Listener, namespace: &str) -> Option<String> {
        let mut doors = self.facts.project.doors.iter();
        doors.find_map(|door| {
            let port = door.port_to(listener.port).filter(|_| door.leads_to(&listener.service))?;
            Some(format!("{}:{port}", door.called_from(namespace)))
        })
    }

    /// The same with what clients of `OpenAI`'s API write behind it.
    pub(super) fn base(&self, listener: &Listener) -> String {
        let root = listener.engine.http().openai_roots.last().copied().unwrap_or("");
        let inside = || format!("{}:{}", listener.service, listener.port);
        let address = self.looks_in().and_then(|namespace| self.address(listener, namespace));
        format!("http://{}{}{root}", address.unwrap_or_else(inside), listener.prefix)
    }
}

//! Which door of the project a name is, for a container of a Pod (kubernetes 1.34: names of a `Service` are
//! `NAME`, `NAME.NAMESPACE`, `NAME.NAMESPACE.svc` and the same before the domain of the cluster).

use super::networks::Passage;
use super::urls::Target;
use crate::project::doors::{Door, Way};
use crate::project::{Project, Service};

/// What stands between a namespace and the domain of the cluster.
const OF_SERVICES: &str = "svc";

/// Where a call of `client` comes to; absent: it is not known. What no document has may be made by another
/// chart.
pub(super) fn passage(project: &Project, client: &Service, target: &Target) -> Option<Passage> {
    let looks_in = client.pod.as_ref()?.looks_in.as_deref()?;
    let (name, said) = parts(&target.host)?;
    let namespace = said.unwrap_or(looks_in);
    let find = |wanted: &str| {
        let mut doors = project.doors.iter();
        doors.find(|door| door.name.value == name && door.namespace == wanted)
    };
    // What names no namespace is where it was applied, and that is likely the one that is named.
    let likely = || find("").filter(|_| looks_in.is_empty() && said.is_some());
    let (door, is_certain) = match find(namespace) {
        Some(door) => (door, true),
        None => (likely()?, false),
    };
    Some(passage_through(door, target.port, is_certain))
}

fn passage_through(door: &Door, port: u16, is_certain: bool) -> Passage {
    let port = match door.way(port) {
        Way::To(port) => Some(port),
        Way::Unnamed(_) | Way::Shut => None,
    };
    Passage { door: door.name.value.clone(), behind: door.behind.clone(), port, is_certain }
}

/// The name and the namespace in it; absent: it is no name of a `Service`.
fn parts(host: &str) -> Option<(&str, Option<&str>)> {
    let mut labels = host.trim_end_matches('.').split('.');
    let name = labels.next()?;
    match (labels.next(), labels.next()) {
        (namespace, None | Some(OF_SERVICES)) => Some((name, namespace)),
        (_, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_service_where_its_labels_are() {
        let check = |host: &str, expected: Option<(&str, Option<&str>)>| {
            assert_eq!(parts(host), expected, "{host}");
        };
        check("llm", Some(("llm", None)));
        check("llm.chat", Some(("llm", Some("chat"))));
        check("llm.chat.svc", Some(("llm", Some("chat"))));
        check("llm.chat.svc.cluster.local.", Some(("llm", Some("chat"))));
        check("llm-0.llm.chat.svc", None);
        check("10.0.0.7", None);
        check("api.openai.com", None);
    }
}

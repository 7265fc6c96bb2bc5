//! What nobody who runs Pods takes: words of a program that are no list (`cannot unmarshal string into Go
//! struct field Container.spec.containers.args of type []string`: kubernetes 1.34's API server, and
//! podman 4.3.1 and 5.8.6).

use super::pods::{Member, Pod};
use crate::project::compose::fault::Fault;
use crate::project::compose::tree::{Kind, Node};

/// The keys whose values are words.
const WORDS: [&str; 2] = ["command", "args"];

/// Refuses a Pod that is refused wherever it is run.
pub(super) fn check(pod: &Pod<'_>) -> Result<(), Fault> {
    pod.members().iter().try_for_each(check_words)
}

fn check_words(member: &Member<'_>) -> Result<(), Fault> {
    let values = WORDS.into_iter().filter_map(|key| Some((key, member.node.get(key)?)));
    values.into_iter().try_for_each(|(key, value)| match &value.kind {
        Kind::Null | Kind::Sequence(_) => Ok(()),
        Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_)
        | Kind::Mapping(_) => Err(refusal(key, value)),
    })
}

fn refusal(key: &str, value: &Node) -> Fault {
    let words = value.printed().map(|text| {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(", ")
    });
    let words = words.unwrap_or_else(|| "WORD, WORD".to_owned());
    let fault = value.refuse(format!(
        "`{key}` of a container must be a list of words, not {}: no cluster takes the manifest",
        value.described()
    ));
    fault.hint(format!("write `{key}: [{words}]`"))
}

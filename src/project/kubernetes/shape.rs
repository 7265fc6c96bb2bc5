//! What nobody who runs Pods takes: words of a program that are no list (`cannot unmarshal string into Go
//! struct field Container.spec.containers.args of type []string`: kubernetes 1.34's API server, and
//! podman 4.3.1 and 5.8.6). And what the API server alone refuses: words and variables that are no texts
//! (`cannot unmarshal number into Go struct field ... of type string`; podman makes texts of them).

use super::pods::{Member, Pod};
use super::{items, text};
use crate::project::NotText;
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

/// The words and variables of a Pod that are no texts. Nothing at all is an empty text.
pub(super) fn not_texts(pod: &Pod<'_>) -> Vec<NotText> {
    let mut found = Vec::new();
    for member in pod.members() {
        let service = member.service_name(pod);
        for key in WORDS {
            let words = items(member.node, key).iter();
            found.extend(words.filter_map(|word| not_text(word, (&service, key), false)));
        }
        for variable in items(member.node, "env") {
            let said = text(variable, "name").zip(variable.get("value"));
            let wrong = said.and_then(|(name, it)| not_text(it, (&service, &name.value), true));
            found.extend(wrong);
        }
    }
    found
}

fn not_text(node: &Node, (service, key): (&str, &str), is_variable: bool) -> Option<NotText> {
    let can_be_quoted = match &node.kind {
        // A date is a text wherever no kind of a value is asked for.
        Kind::Null | Kind::String(_) | Kind::Time(_) => return None,
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => true,
        Kind::Sequence(_) | Kind::Mapping(_) => false,
    };
    Some(NotText {
        service: service.to_owned(),
        key: key.to_owned(),
        is_variable,
        is: node.described(),
        can_be_quoted,
        place: node.place.clone(),
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

//! Where two loaded projects differ, beside what is wanted.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::project::Project;

/// What a service waits for: whom, until when, and whether it has to be there.
type Edges<'project> = Vec<(&'project str, &'project str, bool)>;

/// The differences that are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// The services that are made to wait.
    pub(super) targets: BTreeSet<String>,
    /// The service that is added.
    pub(super) gate: Option<String>,
    /// The keys of the top level that only hold what services share, and in which something is written.
    pub(super) extensions: BTreeSet<String>,
}

/// Where `after` differs from `before` in something else; absent: nowhere.
pub(super) fn unwanted(
    before: &Project,
    after: &Project,
    wanted: &Wanted,
    gate: &str,
) -> Option<String> {
    let was = without_shared(before.document.clone(), wanted);
    let mut is = without_shared(after.document.clone(), wanted);
    take_back(&was, &mut is, wanted, gate);
    let place = difference(&was, &is, &mut Vec::new());
    place.or_else(|| {
        let same = disabled(before) == disabled(after) && before.models == after.models;
        (!same).then(|| "services".to_owned())
    })
}

/// What is looked at in services that are not on: who they are and what they wait for.
fn disabled(project: &Project) -> Vec<(&str, Edges<'_>)> {
    let services = project.disabled.iter();
    let told = services.map(|service| {
        let edges = service.depends_on.iter();
        let edges =
            edges.map(|edge| (edge.service.as_str(), edge.condition.as_str(), edge.required));
        (service.name.value.as_str(), edges.collect())
    });
    told.collect()
}

fn without_shared(mut document: Value, wanted: &Wanted) -> Value {
    if let Some(document) = document.as_object_mut() {
        document.retain(|key, _| !wanted.extensions.contains(key));
    }
    document
}

/// Removes from `is` what is wanted.
fn take_back(was: &Value, is: &mut Value, wanted: &Wanted, gate: &str) {
    if let Some(own) = &wanted.gate {
        remove(is.get_mut("services"), own);
        // The network that every project has, once a service is in it that names none.
        if was["networks"].get("default").is_none() {
            remove(is.get_mut("networks"), "default");
        }
        if was.get("networks").is_none() && is["networks"].as_object().is_some_and(Map::is_empty) {
            remove(Some(is), "networks");
        }
    }
    for target in &wanted.targets {
        let earlier = &was["services"][target];
        let edge = earlier["depends_on"].get(gate);
        let mut later = is.get_mut("services").and_then(|services| services.get_mut(target));
        let edges = later.as_deref_mut().and_then(|later| later.get_mut("depends_on"));
        let Some(edges) = edges.and_then(Value::as_object_mut) else { continue };
        match edge {
            Some(edge) => {
                let condition = edge["condition"].clone();
                if let Some(edge) = edges.get_mut(gate).and_then(Value::as_object_mut) {
                    edge.insert("condition".to_owned(), condition);
                }
            }
            None => drop(edges.shift_remove(gate)),
        }
        if edges.is_empty() && earlier.get("depends_on").is_none() {
            remove(later, "depends_on");
        }
    }
}

fn remove(value: Option<&mut Value>, key: &str) {
    if let Some(entries) = value.and_then(Value::as_object_mut) {
        entries.shift_remove(key);
    }
}

/// The first place at which two values differ.
fn difference(was: &Value, is: &Value, path: &mut Vec<String>) -> Option<String> {
    let here = |path: &[String]| Some(path.join("."));
    let (Some(one), Some(other)) = (was.as_object(), is.as_object()) else {
        return if was == is { None } else { here(path) };
    };
    for key in one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))) {
        path.push(key.clone());
        let found = match (one.get(key), other.get(key)) {
            (Some(was), Some(is)) => difference(was, is, path),
            (Some(_), None) | (None, _) => here(path),
        };
        if found.is_some() {
            return found;
        }
        path.pop();
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn project(document: Value) -> Project {
        Project { document, ..Project::empty() }
    }

    fn check(was: Value, is: Value, expected: Option<&str>) {
        let wanted = Wanted {
            targets: ["chat".to_owned()].into(),
            gate: Some("preflight".to_owned()),
            extensions: ["x-shared".to_owned()].into(),
        };
        let found = unwanted(&project(was), &project(is), &wanted, "preflight");
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn only_what_is_wanted_may_differ() {
        let was = json!({"services": {"chat": {"image": "x"}, "db": {"image": "y"}}});
        let edge = json!({"preflight": {"condition": "service_completed_successfully"}});
        let mut is = was.clone();
        is["services"]["chat"]["depends_on"] = edge.clone();
        is["services"]["preflight"] = json!({"image": "preflight"});
        is["networks"] = json!({"default": {"name": "x_default"}});
        is["x-shared"] = json!([1]);
        check(was.clone(), is.clone(), None);
        let mut other = is.clone();
        other["services"]["db"]["depends_on"] = edge;
        check(was.clone(), other, Some("services.db.depends_on"));
        let mut other = is.clone();
        other["services"]["chat"]["image"] = json!("z");
        check(was.clone(), other, Some("services.chat.image"));
        let mut other = is;
        other["services"].as_object_mut().unwrap().shift_remove("db");
        check(was, other, Some("services.db"));
    }

    #[test]
    fn another_edge_that_is_lost_is_seen() {
        let edges = |edges: Value| json!({"services": {"chat": {"depends_on": edges}}});
        let db = json!({"condition": "service_started"});
        let done = json!({"condition": "service_completed_successfully"});
        let was = edges(json!({"db": db, "preflight": db}));
        check(was.clone(), edges(json!({"db": db, "preflight": done})), None);
        check(was, edges(json!({"preflight": done})), Some("services.chat.depends_on.db"));
    }
}

//! How a later file is merged over an earlier one (compose-go v2.9.1 `override/merge.go`).

use super::fault::Fault;
use super::tree::{Entry, Kind, Mapping, Node};
use crate::source_map::Place;

/// Merges `over` over `base`, both whole documents.
pub(super) fn merge(base: Node, over: Node) -> Result<Node, Fault> {
    merge_at(base, over, &mut Vec::new())
}

/// Merges a service over the one that it extends.
pub(super) fn merge_service(base: Node, over: Node) -> Result<Node, Fault> {
    merge_at(base, over, &mut vec!["services".to_owned(), "x".to_owned()])
}

/// Removes what a file marks with `!reset` or `!override` from what was merged before it.
pub(super) fn reset(model: &mut Node, resets: &[Vec<String>]) {
    for path in resets {
        if let Some((last, parents)) = path.split_last() {
            let parent = parents.iter().try_fold(&mut *model, |node, key| node.get_mut(key));
            if let Some(entries) = parent.and_then(Node::as_mapping_mut) {
                entries.shift_remove(last);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The later value, even if it is null.
    Replace,
    /// Mappings become `K=V`, then one list follows the other.
    Sequence,
    /// The same without what is there already.
    Hosts,
    /// Lists of names become mappings with this under each name.
    Names,
    DependsOn,
    Build,
    Logging,
    AddressPools,
    Default,
}

fn rule(path: &[String]) -> Rule {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["services", _, "command" | "entrypoint"]
        | ["services", _, "healthcheck", "test"]
        | ["services", _, "ulimits", _] => Rule::Replace,
        ["networks" | "volumes", _, "labels"]
        | [
            "services",
            _,
            "annotations" | "dns" | "dns_opt" | "dns_search" | "env_file" | "label_file"
            | "environment" | "labels" | "sysctls" | "tmpfs",
        ]
        | ["services", _, "build", "args" | "additional_contexts" | "labels"]
        | ["services", _, "deploy", "labels"] => Rule::Sequence,
        ["services", _, "extra_hosts"] | ["services", _, "build", "extra_hosts"] => Rule::Hosts,
        ["services", _, "models" | "networks"] => Rule::Names,
        ["services", _, "depends_on"] => Rule::DependsOn,
        ["services", _, "build"] => Rule::Build,
        ["services", _, "logging"] => Rule::Logging,
        ["networks", _, "ipam", "config"] => Rule::AddressPools,
        _ => Rule::Default,
    }
}

fn merge_at(base: Node, over: Node, path: &mut Vec<String>) -> Result<Node, Fault> {
    match rule(path) {
        Rule::Replace => Ok(over),
        Rule::Sequence => Ok(appended(base, over, |_, _| true)),
        Rule::Hosts => Ok(appended(base, over, |there, item| {
            !there.iter().any(|present| present.kind == item.kind)
        })),
        Rule::Names => mappings(named(base, null)?, named(over, null)?, path),
        Rule::DependsOn => mappings(named(base, started)?, named(over, started)?, path),
        Rule::Build => mappings(build(base), build(over), path),
        Rule::Logging if over.is_null() => Err(over.expected(&path.join("."), "a mapping")),
        Rule::Logging if differs(&base, &over, "driver") => Ok(over),
        Rule::AddressPools => address_pools(base, over, path),
        Rule::Logging | Rule::Default => by_kind(base, over, path),
    }
}

fn by_kind(base: Node, over: Node, path: &mut Vec<String>) -> Result<Node, Fault> {
    if over.is_null() {
        return Ok(base);
    }
    let refuse = |over: &Node, what: &str| {
        over.refuse(format!(
            "cannot override `{}`: it is {what} in an earlier file and {} here",
            path.join("."),
            over.described()
        ))
    };
    match (&base.kind, &over.kind) {
        (Kind::Mapping(_), Kind::Mapping(_)) => mappings(base, over, path),
        (Kind::Sequence(_), Kind::Sequence(_)) => Ok(appended(base, over, |_, _| true)),
        (Kind::Mapping(_), _) => Err(refuse(&over, "a mapping")),
        (Kind::Sequence(_), _) => Err(refuse(&over, "a list")),
        _ => Ok(over),
    }
}

/// Merges two mappings; anything else counts as an empty one.
fn mappings(base: Node, over: Node, path: &mut Vec<String>) -> Result<Node, Fault> {
    let place = if base.place.span.is_some() { base.place } else { over.place };
    let Kind::Mapping(later) = over.kind else {
        return Ok(Node { kind: base.kind, place, mark: None });
    };
    let mut merged =
        if let Kind::Mapping(entries) = base.kind { entries } else { Mapping::default() };
    for (key, later) in later {
        let Some(entry) = merged.get_mut(&key) else {
            merged.insert(key, later);
            continue;
        };
        let nothing = Node::new(Kind::Null, Place::nowhere());
        let earlier = std::mem::replace(&mut entry.value, nothing);
        let written = earlier.place.clone();
        path.push(key);
        entry.value = merge_at(earlier, later.value, path)?;
        path.pop();
        if entry.value.place != written {
            entry.key = later.key;
        }
    }
    Ok(Node { kind: Kind::Mapping(merged), place, mark: None })
}

fn appended(base: Node, over: Node, wanted: impl Fn(&[Node], &Node) -> bool) -> Node {
    let place = if base.place.span.is_some() { base.place.clone() } else { over.place.clone() };
    let mut items = sequence(base);
    let earlier = items.len();
    for item in sequence(over) {
        if wanted(items.get(..earlier).unwrap_or_default(), &item) {
            items.push(item);
        }
    }
    Node::new(Kind::Sequence(items), place)
}

/// A mapping as `K=V`, a string as a list of one.
fn sequence(node: Node) -> Vec<Node> {
    match node.kind {
        Kind::Sequence(items) => items,
        Kind::Mapping(entries) => {
            entries.into_iter().flat_map(|(key, entry)| assignments(&key, entry)).collect()
        }
        Kind::String(_) => vec![node],
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Time(_) => Vec::new(),
    }
}

fn assignments(key: &str, entry: Entry) -> Vec<Node> {
    let place = entry.key_place();
    match entry.value.kind {
        Kind::Null => vec![Node::string(key, &place)],
        Kind::Sequence(items) => items.iter().map(|item| assignment(key, item)).collect(),
        Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_)
        | Kind::Mapping(_) => vec![assignment(key, &entry.value)],
    }
}

fn assignment(key: &str, value: &Node) -> Node {
    Node::string(format!("{key}={}", value.printed().unwrap_or_default()), &value.place)
}

fn null(place: &Place) -> Node {
    Node::new(Kind::Null, place.clone())
}

/// What a name in a list of `depends_on` stands for.
pub(super) fn started(place: &Place) -> Node {
    Node::mapping(
        [
            ("condition", Node::string("service_started", place)),
            ("required", Node::bool(true, place)),
        ],
        place,
    )
}

/// A list of names as a mapping.
pub(super) fn named(node: Node, value: fn(&Place) -> Node) -> Result<Node, Fault> {
    let Kind::Sequence(items) = node.kind else { return Ok(node) };
    let mut entries = Mapping::default();
    for item in items {
        let Some(name) = item.as_str() else {
            return Err(item.refuse(format!("a name must be a string, not {}", item.described())));
        };
        let entry = Entry { key: item.place.span, value: value(&item.place) };
        entries.insert(name.to_owned(), entry);
    }
    Ok(Node::new(Kind::Mapping(entries), node.place))
}

fn build(node: Node) -> Node {
    if node.as_str().is_some() {
        let place = node.place.clone();
        return Node::mapping([("context", node)], &place);
    }
    node
}

fn differs(base: &Node, over: &Node, key: &str) -> bool {
    matches!((base.get(key), over.get(key)), (Some(base), Some(over)) if base.kind != over.kind)
}

/// Pools of the same subnet are merged, others are added. Compose compares every pool with every
/// later one and changes them while it does so, which loses some: step by step the same here.
fn address_pools(base: Node, over: Node, path: &mut Vec<String>) -> Result<Node, Fault> {
    let place = base.place.clone();
    for side in [&base, &over] {
        if side.as_sequence().is_none() {
            return Err(side.expected(&path.join("."), "a list"));
        }
    }
    let mut pools = sequence(base);
    let earlier = pools.len();
    pools.extend(sequence(over));
    let mut listed: Vec<usize> = Vec::new();
    for original in 0..earlier {
        for later in earlier..pools.len() {
            let is_listed = |pool| {
                listed.iter().position(|&other| subnet(&pools, other) == subnet(&pools, pool))
            };
            if subnet(&pools, later) != subnet(&pools, original) && is_listed(later).is_none() {
                listed.push(later);
                continue;
            }
            let merged = mappings(pools[original].clone(), pools[later].clone(), path)?;
            pools[original] = merged;
            let subnet_of = |pool: &usize| subnet(&pools, *pool);
            match listed.iter().position(|pool| subnet_of(pool) == subnet_of(&original)) {
                Some(at) => listed[at] = original,
                None => listed.push(original),
            }
        }
    }
    let kept = listed.into_iter().map(|pool| pools[pool].clone()).collect();
    Ok(Node::new(Kind::Sequence(kept), place))
}

fn subnet(pools: &[Node], pool: usize) -> Option<&Kind> {
    pools.get(pool)?.get("subnet").map(|subnet| &subnet.kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree() -> impl Strategy<Value = Node> {
        let nowhere = Place::nowhere;
        let leaf = prop_oneof![
            Just(Kind::Null),
            any::<bool>().prop_map(Kind::Bool),
            any::<i32>().prop_map(|value| Kind::Int(value.into())),
            "[a-c=:/.]{0,4}".prop_map(Kind::String),
        ];
        let key = prop::sample::select(vec![
            "services",
            "volumes",
            "networks",
            "a",
            "b",
            "command",
            "environment",
            "depends_on",
            "ports",
            "build",
            "logging",
            "driver",
            "extra_hosts",
            "labels",
            "healthcheck",
            "test",
        ]);
        leaf.prop_map(move |kind| Node::new(kind, nowhere())).prop_recursive(
            5,
            64,
            5,
            move |inner| {
                let entry = inner.clone().prop_map(|value| Entry { key: None, value });
                prop_oneof![
                    prop::collection::vec(inner, 0..4).prop_map(Kind::Sequence),
                    prop::collection::vec((key.clone().prop_map(str::to_owned), entry), 0..5)
                        .prop_map(|entries| Kind::Mapping(entries.into_iter().collect())),
                ]
                .prop_map(move |kind| Node::new(kind, nowhere()))
            },
        )
    }

    proptest! {
        #[test]
        fn merging_with_an_empty_document_changes_nothing(services in tree(), volumes in tree()) {
            let nowhere = Place::nowhere();
            let empty = || Node::mapping([], &nowhere);
            let document = Node::mapping([("services", services), ("volumes", volumes)], &nowhere);
            prop_assert_eq!(&merge(document.clone(), empty()).unwrap(), &document);
            prop_assert_eq!(&merge(empty(), document.clone()).unwrap(), &document);
        }
    }
}

//! The environment and labels of a service, its `env_file` and `label_file` folded in (compose-go
//! v2.9.1 `types/project.go` `WithServicesEnvironmentResolved`).

use std::path::Path;

use indexmap::IndexMap;

use super::dotenv::{self, Sink, Variables};
use super::environment::Environment;
use super::fault::Fault;
use super::interpolate::Known;
use super::loader::Loader;
use super::tree::{Kind, Node};
use super::validate::items;
use crate::limits::MOST_VARIABLES;
use crate::source_map::{Place, Spanned, VariableSource};

/// Variables of a service; no value removes one from the image's environment.
pub(super) type ServiceVariables = IndexMap<String, Spanned<Option<String>>>;

/// `K=V` pairs as they are written, with the place of each.
pub(super) fn pairs(node: Option<&Node>) -> ServiceVariables {
    let mut pairs = ServiceVariables::new();
    match node.map(|node| &node.kind) {
        Some(Kind::Mapping(entries)) => {
            for (key, entry) in entries {
                let value = Spanned::new(entry.value.printed(), entry.value.place.clone());
                pairs.insert(key.clone(), value);
            }
        }
        Some(Kind::Sequence(items)) => {
            for item in items {
                let text = item.as_str().unwrap_or_default();
                let (key, value) =
                    text.split_once('=').map_or((text, None), |(k, v)| (k, Some(v.to_owned())));
                pairs.insert(key.to_owned(), Spanned::new(value, item.place.clone()));
            }
        }
        _ => {}
    }
    pairs
}

/// The service's environment: its env files in order, then its own `environment`.
pub(super) fn environment(
    loader: &mut Loader<'_>,
    project: &Environment,
    service: &Node,
) -> Result<ServiceVariables, Fault> {
    let own = pairs(service.get("environment"));
    if service.get("environment").is_some_and(|variables| variables.as_sequence().is_some()) {
        for (name, value) in &own {
            if ends_with_space(name) {
                let message =
                    format!("environment variable `{name}` is declared with a trailing space");
                return Err(Fault::at(&value.place, message));
            }
        }
    }
    let mut variables = Variables::new();
    for file in items(service.get("env_file")) {
        let lookup = |name: &str| {
            project.get(name).or_else(|| {
                let own = own.get(name)?;
                let set_by =
                    own.place.span.map_or(VariableSource::Compose, VariableSource::EnvFile);
                Some(Known { value: own.value.clone()?, set_by })
            })
        };
        env_file(loader, file, &lookup, &mut variables)?;
    }
    let mut environment: ServiceVariables = variables
        .into_iter()
        .map(|(name, entry)| (name, Spanned::new(Some(entry.value), entry.place)))
        .collect();
    environment.extend(own);
    if environment.len() > MOST_VARIABLES {
        let message = format!("the service has more than {MOST_VARIABLES} variables");
        return Err(service.refuse(message));
    }
    loader.repeat(environment.len(), &service.place)?;
    Ok(environment)
}

/// Whether the last byte, taken for a character as Compose takes it, is white space: the `à` of
/// UTF-8 ends in one.
fn ends_with_space(name: &str) -> bool {
    name.bytes().last().is_some_and(|byte| char::from(byte).is_whitespace())
}

fn env_file(
    loader: &mut Loader<'_>,
    file: &Node,
    lookup: &super::interpolate::Lookup<'_>,
    variables: &mut Variables,
) -> Result<(), Fault> {
    let Some(path) = file.get("path") else {
        return Err(file.refuse("an entry of `env_file` needs `path`"));
    };
    let Some(text) = path.as_str() else { return Err(path.expected("env_file.path", "a string")) };
    let required = file.get("required").and_then(Node::as_bool) != Some(false);
    if !loader.has_text(Path::new(text)) {
        if required {
            return Err(missing(path, "env file", text)
                .hint("create it, or write `required: false` if the service runs without it"));
        }
        return Ok(());
    }
    let (source, contents) = loader.read(Path::new(text))?;
    let mut sink = Sink { variables, warnings: &mut loader.warnings };
    match file.get("format").and_then(Node::as_str).unwrap_or_default() {
        "" | ".env" => dotenv::parse(source, &contents, lookup, &mut sink),
        "raw" => dotenv::parse_raw(source, &contents, lookup, &mut sink),
        format => Err(file.refuse(format!("unsupported env_file format \"{format}\""))),
    }
}

fn missing(node: &Node, what: &str, path: &str) -> Fault {
    node.refuse(format!("{what} `{path}` not found"))
}

/// The service's labels: its label files in order, then its own `labels`.
pub(super) fn labels(
    loader: &mut Loader<'_>,
    service: &Node,
) -> Result<IndexMap<String, Spanned<String>>, Fault> {
    let mut labels: IndexMap<String, Spanned<String>> = IndexMap::new();
    for file in items(service.get("label_file")) {
        let Some(path) = file.as_str() else { return Err(file.expected("label_file", "a string")) };
        if !loader.has_text(Path::new(path)) {
            return Err(missing(file, "label file", path));
        }
        let (source, contents) = loader.read(Path::new(path))?;
        let mut variables = Variables::new();
        let lookup = |name: &str| {
            labels.get(name).map(|label| Known {
                value: label.value.clone(),
                set_by: label.place.span.map_or(VariableSource::Compose, VariableSource::EnvFile),
            })
        };
        let mut sink = Sink { variables: &mut variables, warnings: &mut loader.warnings };
        dotenv::parse(source, &contents, &lookup, &mut sink)?;
        let spanned =
            |(name, entry): (String, dotenv::Entry)| (name, Spanned::new(entry.value, entry.place));
        labels.extend(variables.into_iter().map(spanned));
    }
    let own = pairs(service.get("labels")).into_iter();
    labels.extend(
        own.map(|(name, value)| (name, Spanned::new(value.value.unwrap_or_default(), value.place))),
    );
    Ok(labels)
}

/// Every value below an `x-` key by its JSON pointer.
pub(in crate::project) fn places(node: &Node) -> IndexMap<String, Place> {
    let mut places = IndexMap::new();
    add_places(node, String::new(), &mut places);
    places
}

fn add_places(node: &Node, pointer: String, places: &mut IndexMap<String, Place>) {
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, entry) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                add_places(&entry.value, format!("{pointer}/{key}"), places);
            }
        }
        Kind::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                add_places(item, format!("{pointer}/{index}"), places);
            }
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => {}
    }
    places.insert(pointer, node.place.clone());
}

//! `preflight config`: the canonical document as text.

mod scalars;

use std::borrow::Cow;

use serde_json::Value;

use super::order;
use crate::project::Project;
use crate::report::redact::names::hides;
use crate::report::redact::unseen::{escape_by, is_unprintable, push_json_escaped};
use crate::report::redact::{MASK, Redactor};
use crate::yaml;

/// How a project is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFormat {
    /// As `docker compose config` prints it.
    Yaml,
    /// As `docker compose config --format json` prints it.
    Json,
}

/// Prints the canonical document. Every `$` is doubled, so that the text means the same when it is
/// loaded again. What `redactor` takes for a secret is masked; without one nothing is.
#[must_use]
pub fn print(project: &Project, format: ConfigFormat, redactor: Option<&Redactor>) -> String {
    let mut document = project.document.clone();
    if format == ConfigFormat::Yaml {
        complete(&mut document, project);
    }
    if let Some(redactor) = redactor {
        mask(&mut document, redactor);
    }
    double_dollars(&mut document);
    match format {
        ConfigFormat::Json => {
            let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
            text.push('\n');
            seen_in_json(&text)
        }
        ConfigFormat::Yaml => {
            scalars::mark(&mut document);
            scalars::resolve(&yaml::to_string(&document).unwrap_or_default())
        }
    }
}

/// The names of the services, those that others wait for first.
#[must_use]
pub fn service_names(project: &Project) -> Vec<&str> {
    let waiting: Vec<_> = project
        .services
        .iter()
        .map(|service| {
            let edges = service.depends_on.iter().map(|edge| edge.service.as_str());
            (service.name.value.as_str(), edges.collect())
        })
        .collect();
    // Circles are refused when a project is loaded, so nobody is missing.
    order::rounds(&waiting).into_iter().flatten().collect()
}

/// The names of the top-level volumes that services use, as the files call them.
#[must_use]
pub fn volume_names(project: &Project) -> Vec<&str> {
    let volumes = project.document.get("volumes").and_then(Value::as_object);
    volumes.into_iter().flat_map(|volumes| volumes.keys()).map(String::as_str).collect()
}

/// Makes of the document what Compose prints as YAML and reads back: its JSON has `null` for a command
/// that is not there, and leaves out models and limits of zero.
fn complete(document: &mut Value, project: &Project) {
    let services = document.get_mut("services").and_then(Value::as_object_mut);
    for service in services.into_iter().flat_map(|services| services.values_mut()) {
        complete_limits(service);
        service.get_mut("build").into_iter().for_each(complete_limits);
        if let Some(attributes) = service.as_object_mut() {
            attributes.retain(|key, value| {
                !(matches!(key.as_str(), "command" | "entrypoint") && value.is_null())
            });
        }
    }
    if let Some(document) = document.as_object_mut().filter(|_| !project.models.is_empty()) {
        document.insert("models".to_owned(), Value::Object(project.models.clone()));
    }
}

fn complete_limits(of: &mut Value) {
    let limits = of.get_mut("ulimits").and_then(Value::as_object_mut);
    for limit in limits.into_iter().flat_map(|limits| limits.values_mut()) {
        if let Some(limit) = limit.as_object_mut() {
            for bound in ["soft", "hard"] {
                limit.entry(bound).or_insert_with(|| 0.into());
            }
        }
    }
}

/// Hides every secret of the document, each text by itself: what a text hides cannot change the form
/// of what is around it.
fn mask(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => hide(text, redactor),
        Value::Array(items) => mask_words(items, redactor),
        Value::Object(entries) => {
            for (mut key, mut value) in std::mem::take(entries) {
                if value.as_str().is_some_and(|text| is_secret(&key, text)) {
                    value = Value::String(MASK.to_owned());
                }
                if key == "driver_opts" {
                    mask_mount_options(&mut value);
                }
                mask(&mut value, redactor);
                hide(&mut key, redactor);
                entries.insert(key, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether the text of that name, of a variable, a label or an option, should not be shown.
fn is_secret(name: &str, text: &str) -> bool {
    // Compose takes variables in lower case as well.
    let upper = name.to_ascii_uppercase();
    !text.is_empty() && [name, &upper].iter().any(|name| hides(name, text))
}

fn hide(text: &mut String, redactor: &Redactor) {
    if let Cow::Owned(redacted) = redactor.redact(text) {
        *text = redacted;
    }
}

/// A list may be a command line, in which a flag says what the next words are.
fn mask_words(items: &mut [Value], redactor: &Redactor) {
    let words: Vec<&str> = items.iter().map(|item| item.as_str().unwrap_or("")).collect();
    let masked = redactor.redact_words(&words);
    let masked: Vec<String> = masked.into_iter().map(Cow::into_owned).collect();
    for (item, masked) in items.iter_mut().zip(masked) {
        if item.is_string() {
            *item = Value::String(masked);
        } else {
            mask(item, redactor);
        }
    }
}

/// The passwords among the options that a volume is mounted with, whatever is in them.
fn mask_mount_options(options: &mut Value) {
    let Some(Value::String(options)) = options.get_mut("o") else { return };
    let masked = options.split(',').map(|option| match option.split_once('=') {
        Some((name, value)) if is_secret(name, value) => format!("{name}={MASK}"),
        Some(_) | None => option.to_owned(),
    });
    *options = masked.collect::<Vec<_>>().join(",");
}

/// JSON in which every character can be seen.
fn seen_in_json(text: &str) -> String {
    escape_by(text, |it| it != '\n' && is_unprintable(it), push_json_escaped).into_owned()
}

fn double_dollars(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('$', "$$"),
        Value::Array(items) => items.iter_mut().for_each(double_dollars),
        Value::Object(entries) => {
            for (key, mut value) in std::mem::take(entries) {
                double_dollars(&mut value);
                entries.insert(key.replace('$', "$$"), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

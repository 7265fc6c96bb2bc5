//! `preflight config`: the canonical document as text.

use serde_json::Value;

use super::order;
use crate::project::Project;
use crate::yaml;

/// How a project is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFormat {
    /// As `docker compose config` prints it.
    Yaml,
    /// As `docker compose config --format json` prints it.
    Json,
}

/// Words that make the name of a variable look like that of a secret.
const SECRET_WORDS: [&str; 8] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "CREDENTIAL", "PRIVATE_KEY"];

/// Prints the canonical document. Every `$` is doubled, so that the text means the same when it is
/// loaded again. Values of variables whose name looks like a secret's are `***` unless
/// `show_secrets`.
#[must_use]
pub fn print(project: &Project, format: ConfigFormat, show_secrets: bool) -> String {
    let mut document = project.document.clone();
    if !show_secrets {
        mask(&mut document);
    }
    double_dollars(&mut document);
    match format {
        ConfigFormat::Json => {
            let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
            text.push('\n');
            text
        }
        ConfigFormat::Yaml => {
            drop_null_commands(&mut document);
            yaml::to_string(&document).unwrap_or_default()
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

/// Whether a variable of that name should not be shown.
fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word)) || name == "KEY" || name.ends_with("_KEY")
}

/// JSON has `null` where YAML has nothing at all.
fn drop_null_commands(document: &mut Value) {
    let services = document.get_mut("services").and_then(Value::as_object_mut);
    for service in services.into_iter().flat_map(|services| services.values_mut()) {
        if let Some(attributes) = service.as_object_mut() {
            attributes.retain(|key, value| {
                !(matches!(key.as_str(), "command" | "entrypoint") && value.is_null())
            });
        }
    }
}

fn mask(document: &mut Value) {
    match document {
        Value::Object(entries) => {
            for (key, value) in entries {
                let holds_variables = matches!(key.as_str(), "environment" | "args");
                match value.as_object_mut().filter(|_| holds_variables) {
                    Some(pairs) => mask_pairs(pairs),
                    None if key == "driver_opts" => mask_mount_options(value),
                    None => mask(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The passwords among the options that a volume is mounted with, whatever is in them.
fn mask_mount_options(options: &mut Value) {
    let Some(Value::String(options)) = options.get_mut("o") else { return };
    let masked = options.split(',').map(|option| match option.split_once('=') {
        Some((name, value)) if is_password(name) && !value.is_empty() => format!("{name}=***"),
        Some(_) | None => option.to_owned(),
    });
    *options = masked.collect::<Vec<_>>().join(",");
}

/// Whether an option of a mount is a password (mount.cifs(8)).
fn is_password(option: &str) -> bool {
    let option = option.trim().to_ascii_lowercase();
    matches!(option.as_str(), "password" | "password2" | "pass" | "passwd")
}

fn mask_pairs(pairs: &mut serde_json::Map<String, Value>) {
    for (name, value) in pairs {
        if is_secret(name) && value.as_str().is_some_and(|text| !text.is_empty()) {
            *value = Value::String("***".to_owned());
        }
    }
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

//! The only place that names `serde_yaml`: typed documents of our own, and printing.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a document could not be read or printed.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct YamlError(#[from] serde_yaml::Error);

/// Reads a document of our own (the catalogue).
///
/// # Errors
/// When the text is not YAML or not of the type's shape.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    Ok(serde_yaml::from_str(text)?)
}

/// Prints a value as a YAML document.
///
/// # Errors
/// When the value cannot be YAML: a map whose keys are not scalars.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, YamlError> {
    Ok(serde_yaml::to_string(value)?)
}

/// Turns a JSON-like value into a typed one, as YAML would read it.
///
/// # Errors
/// When the value is not of the type's shape.
pub fn from_value<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, YamlError> {
    Ok(serde_yaml::from_value(serde_yaml::to_value(value)?)?)
}

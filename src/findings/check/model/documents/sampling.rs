//! What a model samples with, as far as transformers stops over it (4.57.6 and 5.19.0
//! generation/configuration_utils.py, `validate`).

use serde_json::{Map, Value};

use super::fault::{Fault, RefusedBy};

/// The first value that is not taken.
pub(super) fn fault(says: &Map<String, Value>) -> Option<Fault> {
    let unless = |name: &str, is_taken: fn(&Value) -> bool, takes: &str| {
        let value = says.get(name).filter(|value| !value.is_null() && !is_taken(value))?;
        Some(Fault::of(name, value, takes, RefusedBy::All))
    };
    let is_number = |it: &Value| it.is_number() || it.is_boolean();
    let is_positive =
        |it: &Value| it.as_bool() == Some(true) || it.as_f64().is_some_and(|number| number > 0.0);
    let is_stop = |it: &Value| {
        let is_flag = matches!(it.as_i64(), Some(0 | 1)) || it.is_boolean();
        is_flag || it.as_str() == Some("never")
    };
    unless("max_new_tokens", is_positive, "a number above 0")
        .or_else(|| unless("pad_token_id", is_number, "a number"))
        .or_else(|| unless("num_return_sequences", is_number, "a number"))
        .or_else(|| unless("early_stopping", is_stop, "true, false or `never`"))
        .or_else(|| unless("cache_implementation", Value::is_string, "a name"))
        .or_else(|| unless("compile_config", Value::is_object, "an object"))
        .or_else(|| unless("watermarking_config", Value::is_object, "an object"))
}

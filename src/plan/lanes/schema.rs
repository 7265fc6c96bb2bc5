//! The schema of what a Compose file says to preflight, out of the types that read it.

use std::collections::BTreeMap;

use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::declared::{Extension, LaneExtension};

/// What is written in place of a value that Compose puts in.
const VARIABLE: &str = r"\$";

/// How people write a flag as a text ([`super::declared::parse_bool`]).
const FLAG: &str =
    "[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY]([eE][sS])?|[nN][oO]?|[oO][nN]|[oO][fF][fF]|1|0";

/// What a source is.
const SOURCE: &str = "Where its files come from: `hf://owner/repo[@revision][/path]`.";

/// A card of `x-preflight.gpus`, as [`super::cards`] reads it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "its shape is what counts")]
struct Card {
    /// How much memory it has: `24GB`.
    #[schemars(regex(pattern = r"\$|^\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*[mMgGtT](i?[bB])?\s*$"))]
    memory: String,
    /// What it is called.
    name: Option<String>,
    /// What of its memory something else has.
    #[schemars(regex(pattern = r"\$|^\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*[mMgGtT](i?[bB])?\s*$"))]
    reserved: Option<String>,
}

/// The GPUs of the host, by index or by UUID.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "its shape is what counts")]
enum Gpus {
    Listed(Vec<Card>),
    Named(BTreeMap<String, Card>),
}

pub(super) fn gpus(generator: &mut SchemaGenerator) -> Schema {
    Option::<Gpus>::json_schema(generator)
}

pub(super) fn checks(_generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "additionalProperties": {"enum": ["allow", "deny"]},
    })
}

/// The labels of a service, as a map or as a list.
fn labels() -> Value {
    let label = |description: &str, rest: &str| json!({"description": description, "type": "string", "pattern": rest});
    let required = json!({
        "description": "Whether the run fails when the lane is not ready; `false`: its problems are warnings.",
        "type": "boolean",
    });
    let is_of = |label: &str| json!({"pattern": format!("^{label}=")});
    let is_so = |label: &str, rest: &str| json!({"pattern": format!("^{label}=({rest})")});
    json!({
        "type": ["object", "array"],
        "properties": {
            "preflight.lane": label("The name of the lane that the service serves.", ""),
            "preflight.source": label(SOURCE, &format!("^hf://|{VARIABLE}")),
            "preflight.path": label("Where the service sees it.", ""),
            "preflight.required": required,
        },
        "items": {
            "allOf": [
                {"if": is_of("preflight.source"), "then": is_so("preflight.source", "hf://|.*\\$")},
                {
                    "if": is_of("preflight.required"),
                    "then": is_so("preflight.required", &format!(r"\s*({FLAG})?\s*$|.*\$")),
                },
            ],
        },
    })
}

/// Where a value is one of a few or a flag, a variable may stand for it, which makes a text of it.
fn with_variables(schema: &mut Schema) {
    transform_subschemas(&mut with_variables, schema);
    let variable = json!({"type": "string", "pattern": VARIABLE});
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.push(variable);
        return;
    }
    let flags = [json!("boolean"), json!(["boolean", "null"])];
    let is_flag = schema.get("type").is_some_and(|kind| flags.contains(kind));
    if !is_flag && schema.get("enum").is_none() {
        return;
    }
    let text = json!({"type": "string", "pattern": format!(r"^\s*({FLAG})?\s*$")});
    let moved = ["type", "enum"];
    let moved = moved.iter().filter_map(|key| Some(((*key).to_owned(), schema.remove(*key)?)));
    let own: serde_json::Map<String, Value> = moved.collect();
    let others = if is_flag { vec![text, variable] } else { vec![variable] };
    let any = std::iter::once(Value::Object(own)).chain(others);
    schema.insert("anyOf".to_owned(), any.collect());
}

/// The schema of a Compose file, of which it names only what is preflight's.
pub(crate) fn compose() -> Value {
    let mut generator = SchemaGenerator::default();
    let project = generator.subschema_for::<Extension>();
    let lane = generator.subschema_for::<LaneExtension>();
    let mut schema = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:preflight:schema:compose",
        "title": "preflight in a Compose file",
        "description": "What a Compose file says to preflight: `x-preflight`, and labels of services.",
        "type": "object",
        "properties": {
            "x-preflight": {"anyOf": [project, {"type": "null"}]},
            "services": {
                "type": ["object", "null"],
                "additionalProperties": {
                    "type": ["object", "null"],
                    "properties": {
                        "x-preflight": {"anyOf": [lane, {"type": "null"}]},
                        "labels": labels(),
                    },
                },
            },
        },
        "$defs": generator.take_definitions(true),
    });
    with_variables(&mut schema);
    schema.to_value()
}

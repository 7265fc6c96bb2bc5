use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::*;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::options::OptionsError;
use crate::report::human::Layout;
use crate::report::redact::Redactor;
use crate::report::tests::{assert_same, rich, telling};

/// What is wrong with `value` by `schema`, for the part of JSON Schema that the schema uses; a word
/// of it that is not known here is wrong too.
fn violations(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (word, rule) in schema.as_object().into_iter().flatten() {
        let is_met = match word.as_str() {
            "$schema" | "$defs" | "title" | "$id" | "description" | "items" => true,
            // A reader takes what a later release has added; this one adds nothing unsaid.
            "properties" => {
                let known = rule.as_object().unwrap();
                value.as_object().is_none_or(|it| it.keys().all(|key| known.contains_key(key)))
            }
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                violations(root, root.pointer(pointer).unwrap(), value, at, found);
                true
            }
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "type" => match rule.as_array() {
                Some(kinds) => kinds.iter().any(|kind| is_of_type(value, kind)),
                None => is_of_type(value, rule),
            },
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "required" => {
                let mut keys = rule.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                value.as_object().is_none_or(|object| keys.all(|key| object.contains_key(key)))
            }
            _ => false,
        };
        if !is_met {
            found.push(format!("{at}: `{word}`: {rule}"));
        }
    }
    for (name, part) in value.as_object().unwrap_or(&Map::new()) {
        if let Some(schema) = schema.get("properties").and_then(|known| known.get(name)) {
            violations(root, schema, part, &format!("{at}/{name}"), found);
        }
    }
    for (index, part) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = schema.get("items") {
            violations(root, schema, part, &format!("{at}/{index}"), found);
        }
    }
}

fn is_of_type(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the type `{other}` is not known here"),
    }
}

fn check(document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(include_str!("../../../schema/report.json")).unwrap();
    let mut found = Vec::new();
    violations(&schema, &schema, document, "", &mut found);
    found
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_report_with_everything_in_it_follows_the_schema() {
    let (report, sources) = rich();
    let redactor = Redactor::default();
    let text = render(&report, telling(&sources, &redactor, Layout::default()));
    assert_eq!(check(&parsed(&text)), [""; 0]);
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert_same("json", &text.replace(&version, "\"version\": \"[VERSION]\""));
}

#[test]
fn a_fatal_error_follows_the_schema_and_names_its_causes() {
    let error = Error::Options(OptionsError::NoSuchPath {
        path: PathBuf::from("x"),
        instead: None,
        source: std::io::Error::other("gone, hf_abcdefghijklmnopqrstuvwxyz"),
    });
    let (sources, redactor) = (SourceMap::default(), Redactor::default());
    let telling = telling(&sources, &redactor, Layout::default());
    let document = parsed(&render_failure(&Failure::from(&error), telling));
    assert_eq!(check(&document), [""; 0]);
    assert_eq!(document["exit_code"], ExitCode::Usage.code());
    let expected = json!([{
        "message": "there is no `x`", "causes": ["gone, hf_***"], "fix": null
    }]);
    assert_eq!(document["errors"], expected);
}

#[test]
fn the_schema_refuses_what_no_report_says() {
    let (report, sources) = rich();
    let redactor = Redactor::default();
    let good = parsed(&render(&report, telling(&sources, &redactor, Layout::default())));
    for (pointer, wrong) in [
        ("/schema_version", json!(2)),
        ("/exit_code", json!(4)),
        ("/lanes/0/verdict", json!("fine")),
        ("/lanes/0/files/0/size_bytes", json!(-1)),
        ("/findings/0/place/line", json!("6")),
        ("/findings/0/evidence", json!({})),
        ("/tool", json!({"name": "preflight", "version": "1", "more": 1})),
        ("/lanes/0", json!({})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong;
        assert!(!check(&bad).is_empty(), "{pointer} is not looked at");
    }
}

#[test]
fn characters_that_cannot_be_seen_are_written_as_escapes_and_mean_the_same() {
    let text = "a\u{202e}\u{9b}\u{e0041}\n\u{1b}ü";
    let written = document(&text);
    assert_eq!(written, "\"a\\u202e\\u009b\\udb40\\udc41\\n\\u001bü\"\n");
    assert_eq!(parsed(&written), text);
}

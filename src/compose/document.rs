//! The canonical document: what `docker compose config --format json` prints, by the table in
//! [`super::shape`]. Values of the wrong type are refused here, unknown keys are kept and warned of.

use serde_json::{Map, Number, Value};

use super::casts::boolean;
use super::command;
use super::fault::Fault;
use super::shape::{FILE_OBJECT, Field, NETWORK, SERVICE, Shape, VOLUME};
use super::tree::{Kind, Mapping, Node};
use super::units;
use super::validate::entries;
use crate::source_map::Spanned;

/// Prints values and collects warnings about them.
pub(super) struct Printer<'a> {
    pub(super) warnings: &'a mut Vec<Spanned<String>>,
}

/// The top-level sections of resources and what is in them.
pub(super) const SECTIONS: [(&str, &[Field]); 4] = [
    ("networks", NETWORK),
    ("volumes", VOLUME),
    ("secrets", FILE_OBJECT),
    ("configs", FILE_OBJECT),
];

/// Refuses values of the wrong type in what has been merged so far, even if a later file would
/// replace them.
pub(super) fn check(root: &Node) -> Result<(), Fault> {
    let mut printer = Printer { warnings: &mut Vec::new() };
    for (section, fields) in SECTIONS.into_iter().chain([("services", SERVICE)]) {
        for (name, resource) in entries(root.get(section)) {
            if !resource.is_null() {
                printer.record(&format!("{section}.{name}"), resource, fields)?;
            }
        }
    }
    Ok(())
}

/// A value with no rules, as JSON; used for `x-` keys.
pub(super) fn plain(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Int(value) => integer(*value),
        Kind::Float(value) => float(*value),
        Kind::String(text) | Kind::Time(text) => Value::String(text.clone()),
        Kind::Sequence(items) => Value::Array(items.iter().map(plain).collect()),
        Kind::Mapping(entries) => {
            let pairs = entries.iter().map(|(key, entry)| (key.clone(), plain(&entry.value)));
            Value::Object(pairs.collect())
        }
    }
}

/// Go prints a whole float without a point.
fn float(value: f64) -> Value {
    let whole = (value.fract() == 0.0 && value.abs() < 1e15)
        .then(|| value.to_string().parse::<i64>().ok())
        .flatten();
    match whole {
        Some(whole) => Value::from(whole),
        None => {
            Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::Number)
        }
    }
}

fn integer(value: i128) -> Value {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Value::from(value),
        (_, Ok(value)) => Value::from(value),
        (Err(_), Err(_)) => Value::String(value.to_string()),
    }
}

impl Printer<'_> {
    /// A mapping with known keys; the `x-` keys are left out.
    pub(super) fn record(
        &mut self,
        path: &str,
        node: &Node,
        fields: &[Field],
    ) -> Result<Map<String, Value>, Fault> {
        let Some(entries) = node.as_mapping() else { return Err(node.expected(path, "a mapping")) };
        let mut printed = Map::new();
        for (key, entry) in entries {
            if key.starts_with("x-") {
                continue;
            }
            let path = format!("{path}.{key}");
            let Some((_, shape)) = fields.iter().find(|(name, _)| name == key) else {
                let message = format!("unknown key `{path}`");
                self.warnings.push(Spanned::new(message, entry.key_place()));
                printed.insert(key.clone(), plain(&entry.value));
                continue;
            };
            if let Some(value) = self.value(&path, &entry.value, *shape)? {
                printed.insert(key.clone(), value);
            }
        }
        Ok(printed)
    }

    /// `None` if the value is left out.
    fn value(&mut self, path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
        if node.is_null() {
            return if shape.is_nullable() {
                Ok(None)
            } else {
                Err(node.expected(path, shape.described()))
            };
        }
        match shape {
            Shape::OneOf(words) => {
                one_of(path, node, |text| words.contains(&text), &words.join("`, `"))
            }
            Shape::PullPolicy => {
                one_of(path, node, is_pull_policy, "always`, `missing`, `never`, `build")
            }
            Shape::Text
            | Shape::PrintedText
            | Shape::Flag
            | Shape::Choice
            | Shape::Integer
            | Shape::Count
            | Shape::Number
            | Shape::Bytes
            | Shape::Duration
            | Shape::NonZeroDuration
            | Shape::DeviceCount
            | Shape::Mode => scalar(path, node, shape),
            Shape::Texts | Shape::TextOrTexts | Shape::Printed => texts(path, node, shape),
            Shape::Command => Ok(Some(strings(command_words(path, node)?))),
            Shape::Test => Ok(non_empty(strings(test(path, node)?))),
            Shape::Variables => Ok(non_empty(pairs(path, node, || Value::Null)?)),
            Shape::Pairs => Ok(non_empty(pairs(path, node, || Value::String(String::new()))?)),
            Shape::Hosts => Ok(non_empty(hosts(path, node)?)),
            Shape::Limit => limit(path, node).map(Some),
            Shape::Record(fields) => Ok(Some(Value::Object(self.record(path, node, fields)?))),
            Shape::NullableRecord(fields) => {
                let mut printed = self.record(path, node, fields)?;
                for part in ["placement", "resources"] {
                    if fields.iter().any(|(name, _)| *name == part) {
                        printed.entry(part).or_insert_with(|| Value::Object(Map::new()));
                    }
                }
                Ok(Some(Value::Object(printed)))
            }
            Shape::Hook(fields) => {
                let mut printed = self.record(path, node, fields)?;
                printed.entry("command").or_insert(Value::Null);
                Ok(Some(Value::Object(printed)))
            }
            Shape::Options => {
                let mut printed = Map::new();
                for (key, entry) in mapping(path, node)? {
                    let single = std::slice::from_ref(&entry.value);
                    let items = entry.value.as_sequence().unwrap_or(single);
                    let words = items.iter().map(|item| item.printed().unwrap_or_default());
                    printed.insert(key.clone(), strings(words.collect()));
                }
                Ok(non_empty(Value::Object(printed)))
            }
            Shape::List(item) => {
                let Some(items) = node.as_sequence() else {
                    return Err(node.expected(path, "a list"));
                };
                let mut printed = Vec::with_capacity(items.len());
                for (index, node) in items.iter().enumerate() {
                    printed.extend(self.value(&format!("{path}[{index}]"), node, *item)?);
                }
                Ok(non_empty(Value::Array(printed)))
            }
            Shape::Table(item) | Shape::NullableTable(item) => {
                let entries = mapping(path, node)?;
                let mut printed = Map::new();
                for (key, entry) in entries {
                    let value = if entry.value.is_null() && matches!(shape, Shape::NullableTable(_))
                    {
                        None
                    } else {
                        self.value(&format!("{path}.{key}"), &entry.value, *item)?
                    };
                    printed.insert(key.clone(), value.unwrap_or(Value::Null));
                }
                Ok(non_empty(Value::Object(printed)))
            }
            Shape::Any => Ok(Some(plain(node))),
        }
    }
}

fn non_empty(value: Value) -> Option<Value> {
    let empty =
        value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    (!empty).then_some(value)
}

fn strings(words: Vec<String>) -> Value {
    Value::Array(words.into_iter().map(Value::String).collect())
}

fn mapping<'a>(path: &str, node: &'a Node) -> Result<&'a Mapping, Fault> {
    node.as_mapping().ok_or_else(|| node.expected(path, "a mapping"))
}

fn one_of(
    path: &str,
    node: &Node,
    allowed: impl Fn(&str) -> bool,
    listed: &str,
) -> Result<Option<Value>, Fault> {
    let text = node.as_str().ok_or_else(|| node.expected(path, "a string"))?;
    if !allowed(text) {
        return Err(node
            .refuse(format!("`{path}` cannot be `{text}`"))
            .hint(format!("write one of `{listed}`")));
    }
    Ok(Some(Value::String(text.to_owned())))
}

/// The pattern of the schema, which is not anchored.
fn is_pull_policy(text: &str) -> bool {
    let words =
        ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    let interval = |after: &str| {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0
            && after.get(digits..).is_some_and(|unit| unit.starts_with(['w', 'd', 'h', 'm', 's']))
    };
    words.iter().any(|word| text.contains(word)) || text.split("every_").skip(1).any(interval)
}

fn scalar(path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
    let text = node.as_str();
    // Whatever is a whole number is printed like one.
    let number: Option<i128> = node.printed().and_then(|printed| printed.parse().ok());
    let kept = |value: Value, zero: bool| Ok(if zero { None } else { Some(value) });
    match shape {
        Shape::Flag | Shape::Choice => {
            let value = node
                .as_bool()
                .or_else(|| text.and_then(boolean))
                .ok_or_else(|| node.expected(path, "a boolean"))?;
            kept(Value::Bool(value), !value && matches!(shape, Shape::Flag))
        }
        Shape::Integer | Shape::Count => {
            let value = number.ok_or_else(|| node.expected(path, "an integer"))?;
            kept(integer(value), value == 0 && matches!(shape, Shape::Integer))
        }
        Shape::Number => {
            let value = if let Kind::Float(value) = node.kind {
                Some(value)
            } else {
                node.printed().and_then(|text| text.parse().ok())
            };
            let value: f64 = value.ok_or_else(|| node.expected(path, "a number"))?;
            kept(single(value), value == 0.0)
        }
        Shape::Bytes => {
            let value = match (&node.kind, text) {
                (_, Some(text)) => units::bytes(text).map(i128::from),
                // Compose reads a size with a point and forgets it.
                (Kind::Float(_), None) => Some(0),
                (_, None) => number,
            };
            let value = value.ok_or_else(|| node.expected(path, "a size like `16g`"))?;
            kept(Value::String(value.to_string()), value == 0)
        }
        Shape::Duration | Shape::NonZeroDuration => {
            let value = text
                .and_then(units::duration)
                .ok_or_else(|| node.expected(path, "a duration like `90s`"))?;
            let zero = value == 0 && matches!(shape, Shape::NonZeroDuration);
            kept(Value::String(units::print_duration(value)), zero)
        }
        Shape::DeviceCount => {
            let all = text.is_some_and(|text| text.eq_ignore_ascii_case("all"));
            let value = if all { Some(-1) } else { number };
            let value = value.ok_or_else(|| node.expected(path, "`all` or a number"))?;
            kept(integer(value), value == 0)
        }
        Shape::Mode => {
            let value = match text {
                Some(text) => i128::from_str_radix(text, 8).ok(),
                None => number,
            };
            let value = value.ok_or_else(|| node.expected(path, "an octal mode"))?;
            Ok(Some(Value::String(format!("0{value:o}"))))
        }
        Shape::PrintedText => {
            let text = node.printed().ok_or_else(|| node.expected(path, "a string"))?;
            kept(Value::String(text.clone()), text.is_empty())
        }
        Shape::Text
        | Shape::OneOf(_)
        | Shape::PullPolicy
        | Shape::Texts
        | Shape::TextOrTexts
        | Shape::Printed
        | Shape::Command
        | Shape::Test
        | Shape::Variables
        | Shape::Pairs
        | Shape::Hosts
        | Shape::Limit
        | Shape::Record(_)
        | Shape::NullableRecord(_)
        | Shape::Hook(_)
        | Shape::Options
        | Shape::List(_)
        | Shape::Table(_)
        | Shape::NullableTable(_)
        | Shape::Any => {
            let text = text.ok_or_else(|| node.expected(path, "a string"))?;
            kept(Value::String(text.to_owned()), text.is_empty())
        }
    }
}

/// Go keeps these numbers in 32 bits, which shows in the digits.
fn single(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "the precision is meant to be lost")]
    let short = (value as f32).to_string();
    let whole = short.parse::<i64>().map(Value::from).ok();
    whole.or_else(|| short.parse::<f64>().ok().map(Value::from)).unwrap_or(Value::Null)
}

fn texts(path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
    if let (Some(text), Shape::TextOrTexts | Shape::Printed) = (node.as_str(), shape) {
        return Ok(Some(strings(vec![text.to_owned()])));
    }
    let Some(items) = node.as_sequence() else { return Err(node.expected(path, "a list")) };
    let mut printed = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let text = if matches!(shape, Shape::Printed) {
            item.printed()
        } else {
            item.as_str().map(str::to_owned)
        };
        let text = text.ok_or_else(|| item.expected(&format!("{path}[{index}]"), "a string"))?;
        if printed.contains(&text) {
            return Err(item.refuse(format!("`{path}` lists `{text}` twice")));
        }
        printed.push(text);
    }
    Ok(non_empty(strings(printed)))
}

/// The words of a `command` or `entrypoint`.
pub(super) fn command_words(path: &str, node: &Node) -> Result<Vec<String>, Fault> {
    if let Some(line) = node.as_str() {
        return command::words(line).ok_or_else(|| {
            node.refuse(format!("`{path}` is not a command line"))
                .hint("close every quote and quote parentheses, or write a list of strings")
        });
    }
    let Some(items) = node.as_sequence() else {
        return Err(node.expected(path, "a string or a list of strings"));
    };
    let word = |(index, item): (usize, &Node)| {
        let word = item.as_str().map(str::to_owned);
        word.ok_or_else(|| item.expected(&format!("{path}[{index}]"), "a string"))
    };
    items.iter().enumerate().map(word).collect()
}

fn test(path: &str, node: &Node) -> Result<Vec<String>, Fault> {
    match node.as_str() {
        Some(line) => Ok(vec!["CMD-SHELL".to_owned(), line.to_owned()]),
        None => command_words(path, node),
    }
}

fn pairs(path: &str, node: &Node, missing: fn() -> Value) -> Result<Value, Fault> {
    let mut printed = Map::new();
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, entry) in entries {
                let value = match (&entry.value.kind, entry.value.printed()) {
                    (Kind::Null, _) => missing(),
                    (Kind::Time(_), _) | (_, None) => {
                        return Err(entry.value.expected(&format!("{path}.{key}"), "a string"));
                    }
                    (_, Some(text)) => Value::String(text),
                };
                printed.insert(key.clone(), value);
            }
        }
        Kind::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let text = item.as_str();
                let text =
                    text.ok_or_else(|| item.expected(&format!("{path}[{index}]"), "a string"))?;
                let (key, value) = text.split_once('=').map_or((text, None), |(k, v)| (k, Some(v)));
                let value = value.map_or_else(missing, |value| Value::String(value.to_owned()));
                printed.insert(key.to_owned(), value);
            }
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => return Err(node.expected(path, "a mapping or a list of strings")),
    }
    Ok(Value::Object(printed))
}

fn hosts(path: &str, node: &Node) -> Result<Value, Fault> {
    let mut printed = Vec::new();
    let mut add = |host: &str, addresses: &str| {
        for address in addresses.split(',') {
            let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
            printed.push(format!("{host}={}", bare.unwrap_or(address)));
        }
    };
    match &node.kind {
        Kind::Mapping(entries) => {
            for (host, entry) in entries {
                let single = std::slice::from_ref(&entry.value);
                for address in entry.value.as_sequence().unwrap_or(single) {
                    add(host, &address.printed().unwrap_or_default());
                }
            }
        }
        Kind::Sequence(items) => {
            for item in items {
                let text = item.printed().unwrap_or_default();
                let Some((host, addresses)) = text.split_once('=').or_else(|| text.split_once(':'))
                else {
                    return Err(item.refuse(format!("`{text}` of `{path}` has no address")));
                };
                add(host, addresses);
            }
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => return Err(node.expected(path, "a mapping or a list of strings")),
    }
    printed.sort();
    Ok(strings(printed))
}

fn limit(path: &str, node: &Node) -> Result<Value, Fault> {
    if let Kind::Int(value) = node.kind {
        return Ok(integer(value));
    }
    let mut printed = Map::new();
    for (key, entry) in mapping(path, node)? {
        if let Kind::Int(value) = entry.value.kind
            && value != 0
        {
            printed.insert(key.clone(), integer(value));
        }
    }
    Ok(Value::Object(printed))
}

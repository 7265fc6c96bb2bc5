//! One attribute's value as Compose prints it, by its [`Shape`]; refused if it has the wrong type.

use serde_json::{Map, Number, Value};

use super::casts::boolean;
use super::command;
use super::fault::Fault;
use super::shape::Shape;
use super::tree::{Kind, Mapping, Node};
use super::units;
use crate::limits::{LONGEST_WORD, MOST_WORDS};

/// A value with no rules, as JSON; used for `x-` keys.
pub(in crate::project) fn plain(node: &Node) -> Value {
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

/// The same as it is printed: Compose prints an empty list as null.
pub(super) fn printed(node: &Node) -> Value {
    let mut value = plain(node);
    empty_lists_to_null(&mut value);
    value
}

fn empty_lists_to_null(value: &mut Value) {
    match value {
        Value::Array(items) if items.is_empty() => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(empty_lists_to_null),
        Value::Object(entries) => entries.values_mut().for_each(empty_lists_to_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
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

pub(super) fn non_empty(value: Value) -> Option<Value> {
    let empty =
        value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    (!empty).then_some(value)
}

pub(super) fn strings(words: Vec<String>) -> Value {
    Value::Array(words.into_iter().map(Value::String).collect())
}

pub(super) fn mapping<'a>(path: &str, node: &'a Node) -> Result<&'a Mapping, Fault> {
    node.as_mapping().ok_or_else(|| node.expected(path, "a mapping"))
}

pub(super) fn one_of(
    path: &str,
    node: &Node,
    allowed: impl Fn(&str) -> bool,
    listed: &[&str],
) -> Result<Option<Value>, Fault> {
    let text = node.as_str().ok_or_else(|| node.expected(path, "a string"))?;
    if !allowed(text) {
        return Err(node
            .refuse(format!("`{path}` cannot be `{text}`"))
            .hint(format!("write one of `{}`", listed.join("`, `"))));
    }
    Ok(Some(Value::String(text.to_owned())))
}

/// The pattern of the schema, which is not anchored.
pub(super) fn is_pull_policy(text: &str) -> bool {
    let words =
        ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    let interval = |after: &str| {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0
            && after.get(digits..).is_some_and(|unit| unit.starts_with(['w', 'd', 'h', 'm', 's']))
    };
    words.iter().any(|word| text.contains(word)) || text.split("every_").skip(1).any(interval)
}

/// A string, number or boolean, left out where Go leaves it out.
pub(super) fn scalar(path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
    let text = node.as_str();
    let kept = |value: Value, zero: bool| Ok(if zero { None } else { Some(value) });
    match shape {
        Shape::Within(least, most, inner) => {
            within(path, node, least, most, *inner)?;
            scalar(path, node, *inner)
        }
        Shape::Switch if node.as_bool().is_none() => Err(node.expected(path, "a boolean")),
        Shape::Flag | Shape::Switch | Shape::Choice => {
            let value = node.as_bool().or_else(|| text.and_then(boolean));
            let value = value.ok_or_else(|| node.expected(path, "a boolean"))?;
            kept(Value::Bool(value), !value && !matches!(shape, Shape::Choice))
        }
        Shape::Integer | Shape::Count | Shape::DeviceCount => integer_or_all(path, node, shape),
        Shape::Number => {
            let value = fraction(node).ok_or_else(|| node.expected(path, "a number"))?;
            kept(single(value), value == 0.0)
        }
        Shape::Bytes | Shape::BytesText | Shape::Duration | Shape::NonZeroDuration => {
            quantity(path, node, shape)
        }
        Shape::Mode => {
            let value = if let Kind::Int(value) = node.kind {
                i64::try_from(value).ok()
            } else {
                text.and_then(|text| i64::from_str_radix(text, 8).ok())
            };
            let value = value.ok_or_else(|| node.expected(path, "an octal mode"))?;
            let sign = if value < 0 { "-" } else { "" };
            Ok(Some(Value::String(format!("0{sign}{:o}", value.unsigned_abs()))))
        }
        Shape::TextOrFlag if !matches!(node.kind, Kind::Bool(_) | Kind::String(_)) => {
            Err(node.expected(path, shape.described()))
        }
        Shape::PrintedText | Shape::TextOrFlag => {
            let text = node.printed().ok_or_else(|| node.expected(path, "a string"))?;
            kept(Value::String(text.clone()), text.is_empty())
        }
        Shape::ContainerName if text.is_some_and(|text| !is_container_name(text)) => {
            let message = format!("`{path}` cannot be `{}`", text.unwrap_or_default());
            Err(node.refuse(message).hint("use at least two letters, digits, `_`, `.` and `-`"))
        }
        Shape::Text
        | Shape::ContainerName
        | Shape::OneOf(_)
        | Shape::PullPolicy
        | Shape::Texts
        | Shape::Lines
        | Shape::TextOrTexts
        | Shape::Printed
        | Shape::Command
        | Shape::Test
        | Shape::Variables
        | Shape::Pairs
        | Shape::Hosts
        | Shape::DriverOptions
        | Shape::Options
        | Shape::Limits
        | Shape::Keys
        | Shape::Full(_)
        | Shape::Record(_)
        | Shape::Needs(..)
        | Shape::NullableRecord(_)
        | Shape::Hook(_)
        | Shape::List(_)
        | Shape::Table(_)
        | Shape::NullableTable(_)
        | Shape::Object
        | Shape::Any
        | Shape::Newer(_)
        | Shape::Open(_)
        | Shape::Unprinted => {
            let text = text.ok_or_else(|| node.expected(path, "a string"))?;
            kept(Value::String(text.to_owned()), text.is_empty())
        }
    }
}

/// Whatever is a whole number is printed like one.
fn whole(node: &Node) -> Option<i128> {
    node.printed().and_then(|printed| printed.parse().ok())
}

fn integer_or_all(path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
    let counts = matches!(shape, Shape::DeviceCount);
    let is_all = counts && node.as_str().is_some_and(|text| text.eq_ignore_ascii_case("all"));
    let value = if is_all { Some(-1) } else { whole(node) };
    let expected = if counts { "`all` or a number" } else { "an integer" };
    let value = value.ok_or_else(|| node.expected(path, expected))?;
    let is_left_out = value == 0 && !matches!(shape, Shape::Count);
    Ok(if is_left_out { None } else { Some(integer(value)) })
}

/// A size or a duration.
fn quantity(path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
    let refused = || node.expected(path, shape.described());
    let (text, zero) = if matches!(shape, Shape::Bytes | Shape::BytesText) {
        let value = match (&node.kind, shape) {
            (Kind::String(text), _) => units::bytes(text).map(i128::from),
            (_, Shape::BytesText) => return Err(node.expected(path, "a string")),
            // Compose reads a size with a point and forgets it.
            (Kind::Float(_), _) => Some(0),
            _ => whole(node),
        };
        let value = value.ok_or_else(refused)?;
        (value.to_string(), value == 0)
    } else {
        let value = node.as_str().and_then(units::duration).ok_or_else(refused)?;
        (units::print_duration(value), value == 0 && matches!(shape, Shape::NonZeroDuration))
    };
    Ok(if zero { None } else { Some(Value::String(text)) })
}

fn fraction(node: &Node) -> Option<f64> {
    if let Kind::Float(value) = node.kind { Some(value) } else { node.printed()?.parse().ok() }
}

/// Refuses a number out of range; a size may be a text instead.
#[expect(clippy::cast_precision_loss, reason = "the limits that matter are small")]
fn within(path: &str, node: &Node, least: i128, most: i128, inner: Shape) -> Result<(), Fault> {
    let is_text = node.as_str().is_some();
    if is_text && matches!(inner, Shape::Bytes) {
        return Ok(());
    }
    let value = fraction(node).filter(|value| !is_text && value.fract() == 0.0);
    let value = value.ok_or_else(|| node.expected(path, "an integer"))?;
    if value < least as f64 || value > most as f64 {
        let printed = node.printed().unwrap_or_default();
        return Err(node.refuse(format!("`{path}` cannot be {printed}")));
    }
    Ok(())
}

/// `[a-zA-Z0-9][a-zA-Z0-9_.-]+` anywhere: the pattern of the schema is not anchored.
fn is_container_name(text: &str) -> bool {
    let inner = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
    text.as_bytes().windows(2).any(
        |pair| matches!(pair, [first, second] if first.is_ascii_alphanumeric() && inner(second)),
    )
}

/// Go keeps these numbers in 32 bits, which shows in the digits.
fn single(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "the precision is meant to be lost")]
    let short = (value as f32).to_string();
    let whole = short.parse::<i64>().map(Value::from).ok();
    whole.or_else(|| short.parse::<f64>().ok().map(Value::from)).unwrap_or(Value::Null)
}

/// A list of strings.
pub(super) fn texts(path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
    if let (Some(text), Shape::TextOrTexts) = (node.as_str(), shape) {
        return Ok(Some(strings(vec![text.to_owned()])));
    }
    let Some(items) = node.as_sequence() else { return Err(node.expected(path, "a list")) };
    let mut printed = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let text = match (&item.kind, shape) {
            (Kind::Int(value), Shape::Printed) => Some(value.to_string()),
            _ => item.as_str().map(str::to_owned),
        };
        let text = text.ok_or_else(|| item.expected(&format!("{path}[{index}]"), "a string"))?;
        if !matches!(shape, Shape::Lines) && printed.contains(&text) {
            return Err(item.refuse(format!("`{path}` lists `{text}` twice")));
        }
        printed.push(text);
    }
    Ok(non_empty(strings(printed)))
}

/// The words of a `command` or `entrypoint`.
pub(super) fn command_words(path: &str, node: &Node) -> Result<Vec<String>, Fault> {
    if let Some(line) = node.as_str() {
        let words = command::words(line).ok_or_else(|| {
            node.refuse(format!("`{path}` is not a command line"))
                .hint("close every quote and quote parentheses, or write a list of strings")
        })?;
        return bounded(path, node, words);
    }
    let Some(items) = node.as_sequence() else {
        return Err(node.expected(path, "a string or a list of strings"));
    };
    let word = |(index, item): (usize, &Node)| {
        let word = item.as_str().map(str::to_owned);
        word.ok_or_else(|| item.expected(&format!("{path}[{index}]"), "a string"))
    };
    bounded(path, node, items.iter().enumerate().map(word).collect::<Result<_, _>>()?)
}

/// Words that a program can be started with.
fn bounded(path: &str, node: &Node, words: Vec<String>) -> Result<Vec<String>, Fault> {
    if words.len() > MOST_WORDS {
        return Err(node.refuse(format!("`{path}` has more than {MOST_WORDS} words")));
    }
    if words.iter().any(|word| word.len() > LONGEST_WORD) {
        let message = format!("`{path}` has a word of more than {LONGEST_WORD} bytes");
        return Err(node.refuse(message).hint("Linux starts no program with it"));
    }
    Ok(words)
}

pub(super) fn test(path: &str, node: &Node) -> Result<Vec<String>, Fault> {
    match node.as_str() {
        Some(line) => Ok(vec!["CMD-SHELL".to_owned(), line.to_owned()]),
        None => command_words(path, node),
    }
}

pub(super) fn pairs(path: &str, node: &Node, missing: fn() -> Value) -> Result<Value, Fault> {
    let length = node.as_mapping().map(Mapping::len).or(node.as_sequence().map(<[Node]>::len));
    let mut printed = Map::with_capacity(length.unwrap_or(0));
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, entry) in entries {
                if key.is_empty() {
                    return Err(Fault::at(
                        &entry.key_place(),
                        format!("`{path}` has an empty name"),
                    ));
                }
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

pub(super) fn hosts(path: &str, node: &Node) -> Result<Value, Fault> {
    let mut printed = Vec::new();
    let mut add = |node: &Node, host: &str, address: &str| {
        if host.is_empty() || host.contains([':', '=']) {
            return Err(node.refuse(format!("`{host}` of `{path}` cannot be the name of a host")));
        }
        let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
        let address = bare.filter(|bare| !bare.is_empty()).unwrap_or(address);
        printed.push(format!("{host}={address}"));
        Ok(())
    };
    match &node.kind {
        Kind::Mapping(entries) => {
            for (host, entry) in entries {
                let single = std::slice::from_ref(&entry.value);
                for address in entry.value.as_sequence().unwrap_or(single) {
                    let path = format!("{path}.{host}");
                    let text = address.as_str();
                    add(address, host, text.ok_or_else(|| address.expected(&path, "a string"))?)?;
                }
            }
        }
        Kind::Sequence(items) => {
            texts(path, node, Shape::Texts)?;
            for item in items {
                let text = item.as_str().unwrap_or_default();
                let Some((host, addresses)) = text.split_once('=').or_else(|| text.split_once(':'))
                else {
                    return Err(item.refuse(format!("`{text}` of `{path}` has no address")));
                };
                for address in addresses.split(',') {
                    add(item, host, address)?;
                }
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

/// A mapping of strings and numbers; null is an empty string.
pub(super) fn driver_options(path: &str, node: &Node) -> Result<Value, Fault> {
    for (key, entry) in mapping(path, node)? {
        if matches!(entry.value.kind, Kind::Bool(_)) {
            return Err(entry.value.expected(&format!("{path}.{key}"), "a string"));
        }
    }
    pairs(path, node, || Value::String(String::new()))
}

/// Each key with its path if it has one, in the order of the keys.
pub(super) fn keys(path: &str, node: &Node) -> Result<Value, Fault> {
    mapping(path, node)?;
    let Value::Object(pairs) = pairs(path, node, || Value::Null)? else { return Ok(Value::Null) };
    let line = |(id, path): (String, Value)| match path.as_str().filter(|path| !path.is_empty()) {
        Some(path) => format!("{id}: {path}"),
        None => id,
    };
    let mut printed: Vec<String> = pairs.into_iter().map(line).collect();
    printed.sort();
    Ok(strings(printed))
}

/// Each limit is a number, or `soft` and `hard`.
pub(super) fn limits(path: &str, node: &Node) -> Result<Value, Fault> {
    let mut printed = Map::new();
    for (name, entry) in mapping(path, node)? {
        printed.insert(name.clone(), limit(&format!("{path}.{name}"), &entry.value)?);
    }
    Ok(Value::Object(printed))
}

fn limit(path: &str, node: &Node) -> Result<Value, Fault> {
    let mut printed = Map::new();
    if let Kind::Int(value) = node.kind {
        return Ok(if value == 0 { Value::Object(printed) } else { integer(value) });
    }
    for key in ["hard", "soft"] {
        let value = node.get(key).map(|value| &value.kind);
        let Some(Kind::Int(value)) = value else {
            return Err(node.expected(path, "a number, or numbers below `soft` and `hard`"));
        };
        if *value != 0 {
            printed.insert(key.to_owned(), integer(*value));
        }
    }
    Ok(Value::Object(printed))
}

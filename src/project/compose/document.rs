//! The canonical document: what `docker compose config --format json` prints, by the table in
//! [`super::shape`]. Values of the wrong type are refused here, and unknown keys.

use std::fmt::Write as _;

use indexmap::IndexSet;
use serde_json::{Map, Value};

use super::attribute::{
    command_words, driver_options, hosts, is_pull_policy, keys, limits, mapping, non_empty, one_of,
    pairs, printed, scalar, strings, test, texts,
};
use super::fault::Fault;
use super::keys::{self, TOP_LEVEL, Unknown, UnknownKey};
use super::shape::{CONFIG, Field, MODEL, NETWORK, SECRET, SERVICE, Shape, VOLUME};
use super::tree::Node;
use super::validate::entries;
use crate::project::Warning;

/// Prints values and collects warnings about them.
pub(super) struct Printer<'a> {
    pub(super) warnings: &'a mut Vec<Warning>,
    /// Whether what is printed is wanted; else only what is refused is.
    pub(super) keeps: bool,
    pub(super) unknown: Unknown,
}

/// The top-level sections of resources and what is in them.
pub(super) const SECTIONS: [(&str, &[Field]); 4] =
    [("networks", NETWORK), ("volumes", VOLUME), ("secrets", SECRET), ("configs", CONFIG)];

/// Resources that a file says something about, by section and name.
pub(super) type Touched = IndexSet<(String, String)>;

/// What a file says something about, or takes something from.
pub(super) fn touched(root: &Node, resets: &[Vec<String>]) -> Touched {
    let sections = SECTIONS.iter().map(|(section, _)| *section).chain(["services", "models"]);
    let named = sections.flat_map(|section| {
        entries(root.get(section)).map(move |(name, _)| (section.to_owned(), name.to_owned()))
    });
    let reset =
        resets.iter().filter_map(|path| Some((path.first()?.clone(), path.get(1)?.clone())));
    named.chain(reset).collect()
}

/// Refuses values of the wrong type in what has been merged so far, even if a later file would
/// replace them. What the last file did not touch has been looked at before.
pub(super) fn check(root: &Node, touched: &Touched, unknown: Unknown) -> Result<(), Fault> {
    let mut printer = Printer { warnings: &mut Vec::new(), keeps: false, unknown };
    printer.top_level(root)?;
    for (section, name) in touched {
        let Some(resource) = root.get(section).and_then(|resources| resources.get(name)) else {
            continue;
        };
        let mut path = format!("{section}.{name}");
        match fields_of(section) {
            Some(fields) if !resource.is_null() => {
                printer.record(&mut path, resource, fields)?;
            }
            None if section == "models" => {
                printer.value(&mut path, resource, MODEL)?;
            }
            Some(_) | None => {}
        }
    }
    match root.get("models") {
        Some(models) if !models.is_null() => mapping("models", models).map(|_| ()),
        Some(_) | None => Ok(()),
    }
}

fn fields_of(section: &str) -> Option<&'static [Field]> {
    let known = SECTIONS.into_iter().chain([("services", SERVICE)]);
    known.into_iter().find(|(name, _)| *name == section).map(|(_, fields)| fields)
}

impl Printer<'_> {
    /// A mapping with known keys; the `x-` keys are left out. `path` is where it is, for messages.
    pub(super) fn record(
        &mut self,
        path: &mut String,
        node: &Node,
        fields: &[Field],
    ) -> Result<Map<String, Value>, Fault> {
        let Some(entries) = node.as_mapping() else { return Err(node.expected(path, "a mapping")) };
        let mut printed = Map::with_capacity(if self.keeps { entries.len() } else { 0 });
        for (key, entry) in entries {
            if key.starts_with("x-") {
                continue;
            }
            let Some((_, shape)) = fields.iter().find(|(name, _)| name == key) else {
                self.unknown(
                    &UnknownKey { path, key, entry },
                    fields.iter().map(|(name, _)| *name),
                )?;
                printed.insert(key.clone(), super::attribute::printed(&entry.value));
                continue;
            };
            if let Shape::Newer(release) = shape {
                self.warnings.push(keys::newer(path, key, entry, release));
            }
            let value = below(path, key, |path| self.value(path, &entry.value, *shape))?;
            if let Some(value) = value.filter(|_| self.keeps) {
                printed.insert(key.clone(), value);
            }
        }
        Ok(printed)
    }

    /// Keys of the top level that mean nothing there.
    pub(super) fn top_level(&mut self, root: &Node) -> Result<(), Fault> {
        for (key, entry) in root.as_mapping().into_iter().flatten() {
            if !key.starts_with("x-") && !TOP_LEVEL.contains(&key.as_str()) {
                self.unknown(&UnknownKey { path: "", key, entry }, TOP_LEVEL.into_iter())?;
            }
        }
        Ok(())
    }

    fn unknown(
        &mut self,
        key: &UnknownKey<'_>,
        known: impl Iterator<Item = &'static str>,
    ) -> Result<(), Fault> {
        match self.unknown {
            Unknown::Refused => return Err(key.fault(known)),
            Unknown::Told => self.warnings.push(key.warning(known)),
        }
        Ok(())
    }

    /// `None` if the value is left out.
    fn value(
        &mut self,
        path: &mut String,
        node: &Node,
        shape: Shape,
    ) -> Result<Option<Value>, Fault> {
        if node.is_null() {
            return if shape.is_nullable() {
                Ok(None)
            } else {
                Err(node.expected(path, shape.described()))
            };
        }
        match shape {
            Shape::Record(fields) => Ok(Some(Value::Object(self.record(path, node, fields)?))),
            Shape::Open(fields) => {
                let known = |name: &String| fields.iter().any(|(field, _)| field == name);
                let mut node = node.clone();
                if let Some(entries) = node.as_mapping_mut() {
                    entries.retain(|name, _| known(name));
                }
                Ok(Some(Value::Object(self.record(path, &node, fields)?)))
            }
            Shape::Needs(needed, fields) => {
                let printed = self.record(path, node, fields)?;
                demand(path, node, needed)?;
                Ok(Some(Value::Object(printed)))
            }
            Shape::Full(fields) => {
                let mut printed = self.record(path, node, fields)?;
                for (key, shape) in fields {
                    printed.entry(*key).or_insert_with(|| zero(*shape));
                }
                Ok(Some(Value::Object(printed)))
            }
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
                demand(path, node, &["command"])?;
                printed.entry("command").or_insert(Value::Null);
                Ok(Some(Value::Object(printed)))
            }
            Shape::Limits => {
                for (name, entry) in entries(Some(node)) {
                    below(path, name, |path| self.limit(path, entry))?;
                }
                attribute(path, node, shape)
            }
            Shape::List(item) => self.list(path, node, *item),
            Shape::Table(item) => self.table(path, node, *item, false),
            Shape::NullableTable(item) => self.table(path, node, *item, true),
            Shape::Text
            | Shape::OneOf(_)
            | Shape::PullPolicy
            | Shape::ContainerName
            | Shape::PrintedText
            | Shape::TextOrFlag
            | Shape::Flag
            | Shape::Switch
            | Shape::Choice
            | Shape::Integer
            | Shape::Count
            | Shape::Number
            | Shape::Bytes
            | Shape::BytesText
            | Shape::Within(..)
            | Shape::Duration
            | Shape::NonZeroDuration
            | Shape::DeviceCount
            | Shape::Mode
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
            | Shape::Keys
            | Shape::Object
            | Shape::Any
            | Shape::Newer(_)
            | Shape::Unprinted => attribute(path, node, shape),
        }
    }

    fn limit(&mut self, path: &str, node: &Node) -> Result<(), Fault> {
        for (key, entry) in node.as_mapping().into_iter().flatten() {
            if !key.starts_with("x-") && !["hard", "soft"].contains(&key.as_str()) {
                self.unknown(&UnknownKey { path, key, entry }, ["hard", "soft"].into_iter())?;
            }
        }
        Ok(())
    }

    fn list(
        &mut self,
        path: &mut String,
        node: &Node,
        item: Shape,
    ) -> Result<Option<Value>, Fault> {
        let Some(items) = node.as_sequence() else { return Err(node.expected(path, "a list")) };
        let mut printed = Vec::new();
        let length = path.len();
        for (index, node) in items.iter().enumerate() {
            // A string takes everything.
            write!(path, "[{index}]").ok();
            let value = self.value(path, node, item)?;
            path.truncate(length);
            printed.extend(value.filter(|_| self.keeps));
        }
        Ok(non_empty(Value::Array(printed)))
    }

    fn table(
        &mut self,
        path: &mut String,
        node: &Node,
        item: Shape,
        may_be_null: bool,
    ) -> Result<Option<Value>, Fault> {
        let mut printed = Map::new();
        for (key, entry) in mapping(path, node)? {
            let value = if entry.value.is_null() && may_be_null {
                None
            } else {
                below(path, key, |path| self.value(path, &entry.value, item))?
            };
            if self.keeps {
                printed.insert(key.clone(), value.unwrap_or(Value::Null));
            }
        }
        Ok(non_empty(Value::Object(printed)))
    }
}

/// Does `work` one step further down.
fn below<T>(path: &mut String, key: &str, work: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push('.');
    path.push_str(key);
    let result = work(path);
    path.truncate(length);
    result
}

/// What Go prints where nothing is written.
fn zero(shape: Shape) -> Value {
    if let Shape::Within(_, _, inner) = shape {
        return zero(*inner);
    }
    if matches!(shape, Shape::Integer) {
        return Value::from(0);
    }
    Value::from(if matches!(shape, Shape::Bytes) { "0" } else { "" })
}

/// A value that contains no attributes of its own.
fn attribute(path: &str, node: &Node, shape: Shape) -> Result<Option<Value>, Fault> {
    match shape {
        Shape::OneOf(words) => one_of(path, node, |text| words.contains(&text), words),
        Shape::PullPolicy => {
            one_of(path, node, is_pull_policy, &["always", "missing", "never", "build"])
        }
        Shape::Texts | Shape::Lines | Shape::TextOrTexts | Shape::Printed => {
            texts(path, node, shape)
        }
        Shape::Command => Ok(Some(strings(command_words(path, node)?))),
        Shape::Test => Ok(non_empty(strings(test(path, node)?))),
        Shape::Variables => Ok(non_empty(pairs(path, node, || Value::Null)?)),
        Shape::Pairs => Ok(non_empty(pairs(path, node, || Value::String(String::new()))?)),
        Shape::Hosts => Ok(non_empty(hosts(path, node)?)),
        Shape::DriverOptions => Ok(non_empty(driver_options(path, node)?)),
        Shape::Limits => Ok(non_empty(limits(path, node)?)),
        Shape::Keys => Ok(non_empty(keys(path, node)?)),
        Shape::Options => {
            let mut printed = Map::new();
            for (key, entry) in mapping(path, node)? {
                let path = format!("{path}.{key}");
                let single = std::slice::from_ref(&entry.value);
                let items = entry.value.as_sequence().unwrap_or(single).iter();
                let word =
                    |item: &Node| item.printed().ok_or_else(|| item.expected(&path, "a string"));
                printed.insert(key.clone(), strings(items.map(word).collect::<Result<_, _>>()?));
            }
            Ok(non_empty(Value::Object(printed)))
        }
        Shape::Object => {
            mapping(path, node)?;
            Ok(Some(printed(node)))
        }
        Shape::Any | Shape::Newer(_) => Ok(Some(printed(node))),
        Shape::Unprinted => Ok(None),
        Shape::Text
        | Shape::ContainerName
        | Shape::PrintedText
        | Shape::TextOrFlag
        | Shape::Flag
        | Shape::Switch
        | Shape::Choice
        | Shape::Integer
        | Shape::Count
        | Shape::Number
        | Shape::Bytes
        | Shape::BytesText
        | Shape::Within(..)
        | Shape::Duration
        | Shape::NonZeroDuration
        | Shape::DeviceCount
        | Shape::Mode
        | Shape::Record(_)
        | Shape::Open(_)
        | Shape::Needs(..)
        | Shape::Full(_)
        | Shape::NullableRecord(_)
        | Shape::Hook(_)
        | Shape::List(_)
        | Shape::Table(_)
        | Shape::NullableTable(_) => scalar(path, node, shape),
    }
}

fn demand(path: &str, node: &Node, needed: &[&str]) -> Result<(), Fault> {
    match needed.iter().find(|key| node.get(key).is_none()) {
        Some(key) => Err(node.refuse(format!("`{path}` needs `{key}`"))),
        None => Ok(()),
    }
}

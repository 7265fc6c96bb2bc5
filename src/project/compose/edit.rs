//! Changes of a Compose file's text at known places: what is not changed stays as it is, to the byte.
//!
//! Whether a change does what it is for is not known here: whoever makes it loads the project with it.

mod collection;
mod pen;

use std::fmt;
use std::ops::Range;

use self::pen::Pen;
use super::outline::{Form, Id, Outline};
use crate::project::COMPLETED;

/// What a name in a list of `depends_on` stands for.
const STARTED: &str = "service_started";

/// Where a service says what it waits for.
const DEPENDS_ON: &str = "depends_on";

/// Bytes of a text that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Which.
    pub range: Range<usize>,
    /// What takes their place.
    pub text: String,
}

/// One way of bringing a change about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// In the order of the text; none overlaps another.
    pub edits: Vec<Edit>,
    /// The `x-` keys of the top level in which something is changed.
    pub extensions: Vec<String>,
}

/// Why a text cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The service has no keys here.
    Nothing,
    /// A tag says how the value is merged.
    Tag,
    /// A name comes from a variable, which cannot be a key.
    Variable,
    /// A name or a condition is an alias.
    Alias,
    /// It is written in a form that is not changed.
    Layout,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "there is nothing behind the key",
            Self::Tag => "a tag (`!reset`, `!override`) says how it is merged",
            Self::Variable => "a name in `depends_on` comes from a variable",
            Self::Alias => "a part of it is an alias",
            Self::Layout => "it is written in a form that is not edited",
        })
    }
}

/// `text` with its edits made.
#[must_use]
pub fn applied(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for Edit { range, text: new } in edits {
        out.push_str(text.get(at..range.start).unwrap_or(""));
        out.push_str(new);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    out
}

/// How `service` can be made to wait in this file until `gate` is done, the best way first; empty: the
/// file has no such service.
///
/// # Errors
/// What keeps it from being written.
pub fn wait(text: &str, service: &str, gate: &str) -> Result<Vec<Way>, Obstacle> {
    let Some(outline) = Outline::of(text) else { return Ok(Vec::new()) };
    let pen = Pen::new(text, &outline)?;
    let mut ways = Vec::new();
    let mut obstacle = None;
    for root in &outline.documents {
        let services = outline.own(*root, "services").and_then(|it| outline.resolved(it));
        let Some(written) = services.and_then(|services| outline.at(services, service)) else {
            continue;
        };
        match waiting(&pen, written, gate) {
            Ok((place, found)) => {
                ways.extend(found.into_iter().map(|edits| way(&outline, *root, place, edits)));
            }
            Err(found) => obstacle = obstacle.or(Some(found)),
        }
    }
    match obstacle {
        Some(obstacle) if ways.is_empty() => Err(obstacle),
        Some(_) | None => Ok(ways),
    }
}

/// Whether `service` takes what another one has.
#[must_use]
pub fn extends(text: &str, service: &str) -> bool {
    let Some(outline) = Outline::of(text) else { return false };
    outline.documents.iter().any(|root| {
        let services = outline.at(*root, "services");
        let written = services.and_then(|services| outline.at(services, service));
        written.is_some_and(|service| outline.at(service, "extends").is_some())
    })
}

/// How this file can be made to include `path`, the best way first.
///
/// # Errors
/// What keeps it from being written.
pub fn include(text: &str, path: &str) -> Result<Vec<Way>, Obstacle> {
    let outline = Outline::of(text).ok_or(Obstacle::Layout)?;
    let pen = Pen::new(text, &outline)?;
    let has_services = |root: &&Id| outline.own(**root, "services").is_some();
    let mut roots = outline.documents.iter();
    let root = roots.find(has_services).or(outline.documents.first());
    let root = root.copied().ok_or(Obstacle::Nothing)?;
    let edits = match outline.own(root, "include") {
        Some(list) => collection::push(&pen, list, path)?,
        None => collection::head(&pen, root, path)?,
    };
    Ok(vec![Way { edits, extensions: Vec::new() }])
}

/// The way of changing the value at `place`.
fn way(outline: &Outline, root: Id, place: Id, edits: Vec<Edit>) -> Way {
    let at = outline.part(place).range.start;
    let is_around = |value: Id| {
        let range = &outline.part(value).range;
        range.start <= at && at < range.end
    };
    let changed = outline.entries(root).iter().filter(|(_, value)| is_around(*value));
    let names = changed.filter_map(|(key, _)| outline.text(*key));
    let extensions = names.filter(|name| name.starts_with("x-")).map(str::to_owned).collect();
    Way { edits, extensions }
}

/// How a service that is written here can be made to wait, and which value changes.
fn waiting(pen: &Pen<'_>, service: Id, gate: &str) -> Result<(Id, Vec<Vec<Edit>>), Obstacle> {
    let outline = pen.outline;
    if outline.part(service).is_tagged {
        return Err(Obstacle::Tag);
    }
    let service = outline.resolved(service).ok_or(Obstacle::Alias)?;
    let Form::Table { entries, .. } = &outline.part(service).form else {
        return Err(Obstacle::Nothing);
    };
    if outline.part(service).is_tagged {
        return Err(Obstacle::Tag);
    }
    let Some(written) = outline.at(service, DEPENDS_ON) else {
        let behind = collection::put_service_key(pen, service, gate)?;
        let before = collection::put_before(pen, service, entries, gate);
        return Ok((service, [behind].into_iter().chain(before).collect()));
    };
    let edges = outline.resolved(written).ok_or(Obstacle::Alias)?;
    if outline.part(written).is_tagged || outline.part(edges).is_tagged {
        return Err(Obstacle::Tag);
    }
    let edits = match &outline.part(edges).form {
        Form::List { items, is_flow } => {
            collection::list_to_table(pen, (edges, items, *is_flow), gate)?
        }
        Form::Table { .. } => match outline.own(edges, gate) {
            Some(edge) => condition(pen, edge)?,
            None => collection::put_edge(pen, edges, gate)?,
        },
        Form::Text { .. } if outline.part(edges).range.is_empty() => return Err(Obstacle::Nothing),
        Form::Text { .. } | Form::Alias(_) => return Err(Obstacle::Layout),
    };
    Ok((edges, vec![edits]))
}

/// The edge that is there, with another condition.
fn condition(pen: &Pen<'_>, edge: Id) -> Result<Vec<Edit>, Obstacle> {
    let outline = pen.outline;
    let condition = outline.own(edge, "condition").ok_or(Obstacle::Alias)?;
    let part = outline.part(condition);
    if part.is_tagged {
        return Err(Obstacle::Tag);
    }
    let Form::Text { is_plain, .. } = &part.form else { return Err(Obstacle::Alias) };
    if part.range.is_empty() {
        return Err(Obstacle::Nothing);
    }
    let written = pen.slice(&part.range);
    let text = match written.chars().next().filter(|_| !is_plain) {
        None => COMPLETED.to_owned(),
        Some(quote @ ('"' | '\'')) => format!("{quote}{COMPLETED}{quote}"),
        Some(_) => return Err(Obstacle::Layout),
    };
    Ok(vec![Edit { range: part.range.clone(), text }])
}

#[cfg(test)]
mod tests;

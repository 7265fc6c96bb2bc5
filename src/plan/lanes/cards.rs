//! The GPUs of the host, as `--gpus` or `x-preflight` declares them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::declared::refuse;
use super::{Origin, PlanError, Traced};
use crate::cards::{Card, Cards, CardsError, memory};
use crate::options::Selection;
use crate::project::Project;
use crate::source_map::{Place, SourceMap};

/// How a GPU is written.
const EXAMPLE: &str = "write a list like `gpus: [{memory: 24GB}]`, or a map of them by UUID";

/// What is declared; absent: nothing.
pub(super) fn declared(
    project: &Project,
    selection: &Selection,
    sources: &SourceMap,
) -> Result<Option<Traced<Cards>>, PlanError> {
    if let Some(cards) = &selection.gpus {
        let (value, place) = (cards.clone(), Place::nowhere());
        return Ok(Some(Traced { value, from: Origin::CommandLine, place }));
    }
    let Some(extension) = &project.extension else { return Ok(None) };
    let reading = Reading { project, sources, place: &extension.place };
    let value = match &extension.value["gpus"] {
        Value::Null => return Ok(None),
        Value::Array(list) => Cards::Listed(reading.list(list)?),
        Value::Object(named) => Cards::Named(reading.map(named)?),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(reading.refuse(&["gpus"], EXAMPLE));
        }
    };
    let place = reading.place(&["gpus"]).clone();
    Ok(Some(Traced { value, from: Origin::Extension, place }))
}

/// A declaration that is being read.
struct Reading<'a> {
    project: &'a Project,
    sources: &'a SourceMap,
    /// Of `x-preflight`.
    place: &'a Place,
}

impl Reading<'_> {
    fn list(&self, list: &[Value]) -> Result<Vec<Card>, PlanError> {
        let cards = list.iter().enumerate();
        cards.map(|(index, card)| self.card(card, &index.to_string())).collect()
    }

    fn map(&self, named: &Map<String, Value>) -> Result<BTreeMap<String, Card>, PlanError> {
        named.iter().map(|(uuid, card)| Ok((uuid.clone(), self.card(card, uuid)?))).collect()
    }

    fn card(&self, card: &Value, key: &str) -> Result<Card, PlanError> {
        let Some(said) = card.as_object() else {
            return Err(self.refuse(&["gpus", key], EXAMPLE));
        };
        let known = ["memory", "name", "reserved"];
        if let Some(other) = said.keys().find(|other| !known.contains(&other.as_str())) {
            let message = format!("a GPU has no `{other}`: it has `memory`, `name` and `reserved`");
            return Err(self.refuse(&["gpus", key, other], &message));
        }
        let amount = |name: &str| -> Result<Option<u64>, PlanError> {
            let text = match &said.get(name) {
                None | Some(Value::Null) => return Ok(None),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            let wrong = |error: CardsError| self.refuse(&["gpus", key, name], &error.to_string());
            memory(&text).map(Some).map_err(wrong)
        };
        let Some(memory) = amount("memory")? else {
            let message = "it is not said how much `memory` the GPU has: write it like `24GB`";
            return Err(self.refuse(&["gpus", key], message));
        };
        let name = said.get("name").and_then(Value::as_str).map(str::to_owned);
        let card = Card { name, ..Card::of(memory) }.reserving(amount("reserved")?.unwrap_or(0));
        card.map_err(|error| self.refuse(&["gpus", key, "reserved"], &error.to_string()))
    }

    fn place(&self, route: &[&str]) -> &Place {
        let whole = (1..=route.len()).rev().filter_map(|end| route.get(..end));
        let mut places = whole.filter_map(|route| self.project.extension_place(route));
        places.next().unwrap_or(self.place)
    }

    fn refuse(&self, route: &[&str], message: &str) -> PlanError {
        let what = format!("x-preflight.{}", route.join("."));
        refuse(self.place(route), &what, format!("{what}: {message}"), self.sources)
    }
}

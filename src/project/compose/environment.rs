//! What variables are set to: the environment over the env files, and Compose's own.

use indexmap::IndexMap;

use super::dotenv::Variables;
use super::interpolate::Known;
use crate::source_map::{Place, Spanned, VariableSource};

/// A set of variables, each with its origin.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    values: IndexMap<String, Value>,
}

#[derive(Debug, Clone)]
struct Value {
    known: Known,
    place: Place,
}

impl Environment {
    /// The environment that the caller has.
    pub(super) fn of_process(variables: &IndexMap<String, String>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            environment.set(name, value, VariableSource::Environment);
        }
        environment
    }

    /// Sets a variable, whatever it was.
    pub(super) fn set(&mut self, name: &str, value: &str, set_by: VariableSource) {
        let known = Known { value: value.to_owned(), set_by };
        self.values.insert(name.to_owned(), Value { known, place: Place::nowhere() });
    }

    /// Adds what is not set yet.
    pub(super) fn add_missing(&mut self, variables: &Variables) {
        for (name, entry) in variables {
            self.values
                .entry(name.clone())
                .or_insert_with(|| Value { known: entry.known(), place: entry.place.clone() });
        }
    }

    /// The value and its origin.
    pub(super) fn get(&self, name: &str) -> Option<Known> {
        self.values.get(name).map(|value| value.known.clone())
    }

    /// The value alone.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.known.value.as_str())
    }

    /// Every variable, with the line of the env file that set it.
    pub(super) fn into_variables(self) -> IndexMap<String, Spanned<String>> {
        let spanned =
            |(name, value): (String, Value)| (name, Spanned::new(value.known.value, value.place));
        self.values.into_iter().map(spanned).collect()
    }
}

//! What is known of a flag that a command line has.

use super::Arity;
use crate::plan::engine::StrayWord;
use crate::plan::engine::flag_table::{Form, Takes};
use crate::plan::engine::release_table::Standing;
use crate::plan::engine::words::Word;

/// What is known of a flag.
pub(super) struct Recognised<'a> {
    /// The name by which it is asked for; absent: it is not known.
    pub(super) name: Option<&'static str>,
    /// How many values it takes.
    pub(super) arity: Arity,
    /// Absent: it is not known, or there is no table.
    pub(super) form: Option<&'a Form>,
    /// Every form that a release has of it, where the release is not known.
    pub(super) others: Vec<&'a Form>,
    /// Whether the release is known to have it in that form.
    pub(super) standing: Standing,
    /// The flags that it may be, cut too short.
    pub(super) alike: Vec<&'static str>,
}

impl Recognised<'_> {
    pub(super) fn takes_json(&self) -> bool {
        self.form.is_some_and(|form| {
            matches!(form.takes, Takes::Json | Takes::JsonOrText | Takes::Object)
        })
    }

    /// Whether it takes no value in any release that it may be.
    pub(super) fn is_switch(&self) -> bool {
        self.form.is_some() && self.arity == Arity::Switch && !self.may_take_value()
    }

    /// How many values it takes where these words follow: a word for yes or no is that of a flag which
    /// took one once, if the release may be such a one.
    pub(super) fn arity_before(&self, behind: &[Word]) -> Arity {
        let first = behind.first().and_then(|word| StrayWord::of(&word.text));
        let is_taken = self.arity == Arity::Switch
            && first == Some(StrayWord::SwitchValue)
            && self.may_take_value();
        if is_taken { Arity::Optional } else { self.arity }
    }

    /// Whether a release that it may be takes that value.
    pub(super) fn is_taken_elsewhere(&self, value: &str) -> bool {
        self.others.iter().any(|form| form.arity != Arity::Switch && form.expects(value).is_none())
    }

    fn may_take_value(&self) -> bool {
        self.others.iter().any(|form| form.arity != Arity::Switch)
    }
}

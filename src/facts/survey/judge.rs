//! Who says between the stages of a fetch whether more is brought.

use crate::facts::LaneFacts;

/// The checks, under the policy of the run: what they are told to allow is brought, and what they
/// are told to deny is not.
pub trait Judge {
    /// Whether something was found of the lane called `lane` that ends it.
    fn has_ended(&self, lane: &str) -> bool;

    /// Whether what the sources of a lane have answered ends it, so that nothing is brought.
    fn ends_at_sources(&self, facts: &LaneFacts) -> bool;

    /// Whether the files of a lane that are there show that the rest would be brought in vain.
    fn ends_at_files(&self, facts: &LaneFacts) -> bool;

    /// Whether the configuration of a lane that is there shows that the lane does not fit.
    fn does_not_fit(&self, facts: &LaneFacts) -> bool;
}

//! What the hub is asked for a lane.

use super::blocking;
use super::target::{Slot, Target};
use crate::facts::hub::{Hub, HubError, Listing};
use crate::facts::lockfile::Pin;
use crate::facts::{LaneFacts, Pinning};
use crate::source::Source;

/// What a source is asked for a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListingRequest {
    /// As it is declared.
    declared: Source,
    /// At the commit that is pinned or here already, if there is one.
    asked: Source,
    /// Whether that commit is pinned, so that no other will do.
    pinned: bool,
    /// Whether it is told that the source leads to another commit now.
    is_watched: bool,
    include: Vec<String>,
    exclude: Vec<String>,
}

/// What one of a lane's sources is; absent: it has no owner to ask for.
pub(super) fn source(facts: &LaneFacts, slot: Slot) -> Option<Source> {
    let declared = || facts.lane.source.as_ref().map(|source| source.value.clone());
    let Slot::Cached(index) = slot else { return declared() };
    let named = facts.lane.cached.get(index)?.source();
    let is_same = |declared: &Source| {
        named.as_ref().is_some_and(|named| named.repository() == declared.repository())
    };
    declared().filter(|it| slot == Slot::of_model(facts) && is_same(it)).or(named)
}

/// What `preflight.lock` pins of one of a lane's sources. A model that is kept in two places is
/// pinned in both.
pub(super) fn pin(facts: &LaneFacts, slot: Slot) -> Option<&Pin> {
    let pin = facts.source.pinning.pin()?;
    let repository = source(facts, slot)?.repository();
    (slot == Slot::of_model(facts) || repository == pin.source.repository()).then_some(pin)
}

impl ListingRequest {
    /// Absent: there is nobody to ask.
    pub(super) async fn of(facts: &LaneFacts, slot: Slot, update: bool) -> Option<Self> {
        let declared = source(facts, slot)?;
        let is_held = declared.is_pinned() || matches!(facts.source.pinning, Pinning::Pinned(_));
        let is_watched = facts.lane.delivery.is_some() && !is_held;
        if let Some(pin) = pin(facts, slot) {
            let (asked, pinned) = (pin.pinned_source(), true);
            let (include, exclude) = (Vec::new(), Vec::new());
            return Some(Self { declared, asked, pinned, is_watched, include, exclude });
        }
        let mut asked = declared.clone();
        if !update && !declared.is_pinned() {
            let here = blocking(facts.clone(), move |facts| Target::of(&facts, slot)?.commit());
            asked.revision = here.await.or(asked.revision);
        }
        let is_model = slot == Slot::of_model(facts);
        let patterns = |patterns: &[String]| if is_model { patterns.to_vec() } else { Vec::new() };
        let (include, exclude) = (patterns(&facts.lane.include), patterns(&facts.lane.exclude));
        Some(Self { declared, asked, pinned: false, is_watched, include, exclude })
    }

    /// Asks for `commit` and no other, because another lane is pinned at it in the same place.
    pub(super) fn hold_at(&mut self, commit: &str) {
        self.asked.revision = Some(commit.to_owned());
        self.pinned = true;
    }

    /// The hub's answer, about the source as it is declared.
    pub(super) async fn ask(&self, hub: &Result<Hub, HubError>) -> Result<Listing, HubError> {
        let hub = hub.as_ref().map_err(Clone::clone)?;
        let mut listing = hub.probe(&self.asked, &self.include, &self.exclude).await;
        let may_move = !self.pinned && self.asked != self.declared;
        if may_move && matches!(listing, Err(HubError::RevisionNotFound { .. })) {
            // Its history was rewritten: the commit that is here is gone.
            listing = hub.probe(&self.declared, &self.include, &self.exclude).await;
        }
        listing.map(|listing| Listing { source: self.declared.clone(), ..listing })
    }

    /// The commit that the source leads to now, where the answer is about another one; absent: it is not, or
    /// nobody wants to know.
    pub(super) async fn newer(&self, hub: &Hub, answer: &Listing) -> Option<String> {
        if !self.is_watched || self.asked == self.declared {
            return None;
        }
        let newest = hub.commit(&self.declared).await.ok()?;
        (newest != answer.commit).then_some(newest)
    }
}

//! Brings the files of lanes: the small ones, a look at them, then the weights.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::blocking;
use super::cache::{self, fill};
use super::delivered;
use super::judge::Judge;
use super::keep::Replacement;
use super::proof;
use super::stages;
use super::supply::Supply;
use super::target::{Slot, Target};
use super::way::Views;
use crate::facts::hub::{Download, Hub, HubError, Listing, Told};
use crate::facts::model::ModelFacts;
use crate::facts::proof::{Promise, PromisedBy};
use crate::facts::{CacheState, LaneFacts, OwnFile};
use crate::plan::engine::Part;
use crate::plan::lanes::Choice;
use crate::progress::Progress;
use crate::project::mounts::Sight;

/// Brings what lanes lack.
pub(super) struct Carrier<'a> {
    pub(super) hub: &'a Hub,
    pub(super) views: &'a Views,
    pub(super) progress: &'a Progress,
    pub(super) judge: &'a dyn Judge,
    /// Whether files of the user's own stay beside what replaces them.
    pub(super) keeps: bool,
}

/// How far a supply came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brought {
    All,
    /// What came first shows that the rest would be no use.
    InVain,
}

impl Carrier<'_> {
    /// Brings the supplies of a lane, one after the other; one that fails ends them. A lane that the
    /// judge ends goes no further. `done` are the files that lanes of the same group have brought.
    pub(super) async fn carry(
        &self,
        facts: &mut LaneFacts,
        supplies: Vec<Supply>,
        done: &mut BTreeSet<PathBuf>,
    ) {
        if supplies.is_empty() || self.judge.ends_at_sources(facts) {
            return;
        }
        self.announce(facts, &supplies, done);
        for supply in supplies {
            // What is to be replaced need not be sound.
            facts.proofs.clear();
            let slot = supply.slot;
            let result = Box::pin(self.bring(facts, supply, done)).await;
            if !matches!(result, Ok(Brought::InVain)) {
                self.look_again(facts, slot).await;
            }
            self.prove_again(facts).await;
            let goes_on = matches!(result, Ok(Brought::All));
            facts.source.fetch = Some(result.map(drop));
            if !goes_on {
                return;
            }
        }
    }

    /// Says how much there is to bring for a lane, over all of its sources and stages.
    fn announce(&self, facts: &LaneFacts, supplies: &[Supply], done: &BTreeSet<PathBuf>) {
        let mut known = BTreeSet::new();
        let downloads = supplies.iter().flat_map(|supply| &supply.downloads);
        let sizes: Vec<u64> = downloads
            .filter(|download| !done.contains(download.found_at().path()))
            .filter(|download| known.insert(download.found_at().path()))
            .map(|download| download.file.size)
            .collect();
        if !sizes.is_empty() {
            self.progress.for_lane(&facts.lane.name).started(sizes.len(), sizes.iter().sum());
        }
    }

    async fn bring(
        &self,
        facts: &mut LaneFacts,
        mut supply: Supply,
        done: &mut BTreeSet<PathBuf>,
    ) -> Result<Brought, HubError> {
        self.prepare(facts, &supply).await?;
        let is_update = supply.update.is_some();
        if !is_update {
            let is_whole = supply.downloads.is_empty();
            let noted = note_delivery(facts, &supply.listing).await;
            // Where nothing is to be written, it does not matter that nothing can be.
            noted.or_else(|error| if is_whole { Ok(()) } else { Err(error) })?;
        }
        let brought = supply.brought();
        supply.downloads.retain(|download| !done.contains(download.found_at().path()));
        let (replaced, commit) = (supply.replaced.clone(), supply.listing.commit.clone());
        let (keeps, ground) = (self.keeps, supply.target.ground());
        let prepare = move |replaced: Vec<OwnFile>| match ground {
            Some(ground) => Replacement::prepare(&replaced, &ground, &commit, keeps),
            None => Ok(Replacement::default()),
        };
        let replacement = blocking(replaced, prepare).await?;
        let result = self.bring_in_stages(facts, &mut supply).await;
        let replaced = blocking(replacement, Replacement::finish).await;
        facts.source.replaced.extend(replaced);
        if result? == Brought::InVain {
            return Ok(Brought::InVain);
        }
        if is_update {
            note_delivery(facts, &supply.listing).await?;
        }
        facts.source.replaced.append(&mut supply.left);
        done.extend(brought.iter().cloned());
        remember(supply.listing, supply.target, &brought).await;
        facts.source.fetched.extend(brought);
        Ok(Brought::All)
    }

    async fn prepare(&self, facts: &LaneFacts, supply: &Supply) -> Result<(), HubError> {
        let (Target::Cache(cache), Slot::Cached(index)) = (&supply.target, supply.slot) else {
            return Ok(());
        };
        let (cache, user) = (cache.clone(), fill::user_of(facts, self.views, index));
        blocking((), move |()| cache.prepare(user)).await
    }

    /// Each stage is judged before the next, where what came has its name already; at last all of it
    /// takes effect.
    async fn bring_in_stages(
        &self,
        facts: &mut LaneFacts,
        supply: &mut Supply,
    ) -> Result<Brought, HubError> {
        let progress = self.progress.for_lane(&facts.lane.name);
        let unlinked = std::mem::take(&mut supply.unlinked);
        blocking(unlinked, |links| links.iter().try_for_each(Download::make_link)).await?;
        let stages = stages::of(std::mem::take(&mut supply.downloads));
        // The configuration may have been there before.
        let is_of_weights = stages.first().is_some_and(|stage| stages::is_of_weights(stage));
        if is_of_weights && supply.update.is_none() && self.judge.does_not_fit(facts) {
            return Ok(Brought::InVain);
        }
        let stamping = stamping(supply.target.clone());
        let mut stages = stages.into_iter();
        while let Some(stage) = stages.next() {
            self.hub.fetch_and_tell(&supply.listing, &stage, &progress, &stamping).await?;
            let coming = paths(stages.as_slice());
            if supply.update.is_none() && self.condemns(facts, supply, &coming).await {
                return Ok(Brought::InVain);
            }
        }
        if let Some((update, originals)) = supply.update.take() {
            blocking((), move |()| update.finish(&originals)).await?;
        }
        if let Target::Cache(cache) = &supply.target {
            let (cache, commit) = (cache.clone(), supply.listing.commit.clone());
            blocking((), move |()| cache.settle(&commit)).await?;
        }
        Ok(Brought::All)
    }

    /// Whether what came shows that the rest would be brought in vain. `coming`: what has yet to come, and
    /// may take the place of something.
    async fn condemns(
        &self,
        facts: &mut LaneFacts,
        supply: &Supply,
        coming: &BTreeSet<PathBuf>,
    ) -> bool {
        match supply.slot {
            Slot::Own => {
                self.look_again(facts, supply.slot).await;
                self.judge.ends_at_files(&without(facts, coming))
            }
            Slot::Cached(index) => self.condemns_snapshot(facts, index, &supply.listing).await,
        }
    }

    /// Judges a model as it lies in a cache, though nothing leads there yet.
    async fn condemns_snapshot(
        &self,
        facts: &mut LaneFacts,
        index: usize,
        listing: &Listing,
    ) -> bool {
        let cached = facts.cached[index].clone();
        let is_folder = cached.cached.choice == Choice::Folder;
        if cached.cached.part != Part::Model || !is_folder {
            return false;
        }
        let commit = listing.commit.clone();
        let seen = blocking(cached.cached, move |cached| cache::at_commit(&cached, &commit)).await;
        let Some(seen) = seen else { return false };
        let before = facts.artifacts.clone();
        if cached.state == CacheState::Held {
            facts.artifacts.remove(0);
        }
        facts.artifacts.insert(0, seen);
        if self.judge.ends_at_files(facts) {
            // What is wrong with it is in the facts, and nothing leads there.
            facts.cached[index].state = CacheState::Held;
            return true;
        }
        facts.artifacts = before;
        false
    }

    async fn look_again(&self, facts: &mut LaneFacts, slot: Slot) {
        let views = self.views.clone();
        *facts = blocking(facts.clone(), move |mut facts| {
            match slot {
                Slot::Own => look_at_own(&mut facts, &views),
                Slot::Cached(_) => cache::look_again(&mut facts, &views),
            }
            facts
        })
        .await;
    }

    async fn prove_again(&self, facts: &mut LaneFacts) {
        let seen = blocking(facts.clone(), |mut facts| {
            proof::look(&mut facts);
            facts.proofs
        });
        facts.proofs = seen.await;
    }
}

/// Where the files of stages are found.
fn paths(stages: &[Vec<Download>]) -> BTreeSet<PathBuf> {
    let downloads = stages.iter().flatten();
    downloads.map(|download| download.found_at().path().to_path_buf()).collect()
}

/// What is seen of a lane, as if nothing were where files have yet to come.
fn without(facts: &LaneFacts, coming: &BTreeSet<PathBuf>) -> Box<LaneFacts> {
    let mut facts = Box::new(facts.clone());
    for artifact in &mut facts.artifacts {
        if let (ModelFacts::Seen(model), Sight::Visible { path, .. }) =
            (&mut artifact.model, &artifact.artifact.located.value.sight)
        {
            model.leave_out(path.as_path(), coming);
        }
    }
    facts
}

/// Writes down what is to be there when a delivery is done.
async fn note_delivery(facts: &mut LaneFacts, listing: &Listing) -> Result<(), HubError> {
    if facts.lane.delivery.is_none() {
        return Ok(());
    }
    let (noted, result) = blocking((facts.clone(), listing.clone()), |(mut facts, listing)| {
        let result = delivered::remember(&mut facts, &listing);
        (facts, result)
    })
    .await;
    *facts = noted;
    result
}

/// Looks anew at what the lane's own source is for.
fn look_at_own(facts: &mut LaneFacts, views: &Views) {
    let Some(first) = facts.own_artifacts().first() else { return };
    let seen = views.look(&first.artifact.clone(), first.root.clone());
    let index = facts.artifacts.len() - facts.own_artifacts().len();
    facts.artifacts[index] = seen;
    delivered::look(facts);
}

/// Leaves a stamp for each file that has come to where it is opened, though the run may fail at the next.
fn stamping(target: Target) -> Told {
    Arc::new(move |download| {
        let promise = target.promise(&download.file, PromisedBy::Hub);
        let is_opened = |promise: &Promise| promise.path == download.found_at().path();
        promise.filter(is_opened).iter().for_each(crate::facts::proof::proven);
    })
}

/// Leaves stamps: what was brought has just been proven.
async fn remember(listing: Listing, target: Target, brought: &[PathBuf]) {
    let brought = brought.to_vec();
    blocking((), move |()| {
        let promises = listing.files.iter().filter_map(|it| target.promise(it, PromisedBy::Hub));
        promises
            .filter(|promise| brought.contains(&promise.path))
            .for_each(|promise| crate::facts::proof::proven(&promise));
    })
    .await;
}

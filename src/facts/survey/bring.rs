//! Brings what is missing, from the sources of lanes into folders and caches: every source is asked,
//! and the disk looked at, before the first byte of any moves; then the lanes are fetched side by
//! side.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures_util::future::join_all;

use super::blocking;
use super::carry::Carrier;
use super::delivered;
use super::disk;
use super::judge::Judge;
use super::listing_request::{self, ListingRequest};
use super::loaded;
use super::nested;
use super::supply::Supply;
use super::target::{CacheTarget, Scrutiny, Slot, Target};
use super::way::Views;
use crate::facts::hub::{self, CachedRepository, Download, Hub, HubError, Listing};
use crate::facts::proof::{Proof, ProofOutcome};
use crate::facts::{CacheState, LaneFacts, OwnFile};
use crate::options::{FileOptions, Options};
use crate::progress::Progress;
use crate::project::mounts::Sight;

/// A lane, and what has to be brought for it.
pub(super) struct LaneDownloads<'a> {
    pub(super) facts: &'a mut LaneFacts,
    supplies: Vec<Supply>,
}

impl<'a> LaneDownloads<'a> {
    /// One that brings from a source, and replaces nothing.
    #[cfg(test)]
    pub(super) fn of(facts: &'a mut LaneFacts, downloads: Vec<Download>) -> Self {
        Self { facts, supplies: vec![Supply::plain(downloads)] }
    }

    /// Every file that is brought for the lane.
    pub(super) fn downloads(&self) -> impl Iterator<Item = &Download> {
        self.supplies.iter().flat_map(|supply| &supply.downloads)
    }
}

/// Asks every source, checks the disk, and brings; or, for a dry run, notes what it would bring.
pub(super) async fn bring(
    lanes: Vec<&mut LaneFacts>,
    views: &Views,
    options: &Options,
    progress: &Progress,
    judge: &dyn Judge,
) {
    if !options.files.dry_run {
        sweep_notes(&lanes).await;
    }
    let requests = requests(&lanes, options).await;
    if requests.iter().all(Vec::is_empty) {
        return;
    }
    let hub = Hub::connect(&options.hub);
    let mut lanes = probe(lanes, requests, &hub, &options.files, progress).await;
    nested::look(&mut lanes);
    disk::budget(&mut lanes);
    if options.files.dry_run {
        for lane in lanes {
            let downloads: Vec<Download> = lane.downloads().cloned().collect();
            lane.facts.source.planned = Some(downloads).filter(|downloads| !downloads.is_empty());
        }
        return;
    }
    let Ok(hub) = &hub else { return };
    let keeps = !options.files.discard_replaced;
    let carrier = Carrier { hub, views, progress, judge, keeps };
    let groups = apart(lanes).into_iter().map(|group| async {
        let mut brought = BTreeSet::new();
        for LaneDownloads { facts, supplies } in group {
            Box::pin(carrier.carry(facts, supplies, &mut brought)).await;
        }
    });
    join_all(groups).await;
}

/// Removes what runs that were killed have left beside the notes of folders that are fetched into.
async fn sweep_notes(lanes: &[&mut LaneFacts]) {
    for facts in lanes {
        if facts.orders.may_fetch && Slot::all(facts).contains(&Slot::Own) {
            blocking((*facts).clone(), |facts| {
                let target = Target::of(&facts, Slot::Own).filter(Target::is_writable);
                target.and_then(|it| it.ground()).iter().for_each(hub::sweep_notes);
            })
            .await;
        }
    }
}

/// Lanes that share a file are in one group, so that it is brought once; groups share nothing.
fn apart(lanes: Vec<LaneDownloads<'_>>) -> Vec<Vec<LaneDownloads<'_>>> {
    let mut groups: Vec<(BTreeSet<PathBuf>, Vec<LaneDownloads<'_>>)> = Vec::new();
    for lane in lanes {
        let own = lane.downloads().map(|download| download.destination.path().to_path_buf());
        let own: BTreeSet<PathBuf> = own.collect();
        let shares = |(known, _): &mut (BTreeSet<PathBuf>, _)| !known.is_disjoint(&own);
        let related: Vec<_> = groups.extract_if(.., shares).collect();
        let (mut paths, mut group) = (own, Vec::new());
        for (known, lanes) in related {
            paths.extend(known);
            group.extend(lanes);
        }
        group.push(lane);
        groups.push((paths, group));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// What the sources of each lane are asked.
async fn requests(lanes: &[&mut LaneFacts], options: &Options) -> Vec<Vec<(Slot, ListingRequest)>> {
    let of_lane = lanes.iter().map(|facts| requests_of(facts, options));
    let mut requests = join_all(of_lane).await;
    if requests.iter().any(|requests| !requests.is_empty()) {
        hold_at_pins(lanes, &mut requests).await;
    }
    requests
}

/// What one lane is pinned at in a cache, other lanes that open the same reference have to take: it
/// leads to one commit.
async fn hold_at_pins(lanes: &[&mut LaneFacts], requests: &mut [Vec<(Slot, ListingRequest)>]) {
    let mut held = Vec::new();
    for facts in lanes {
        for slot in Slot::all(facts) {
            let Some(pin) = listing_request::pin(facts, slot) else { continue };
            held.extend(Reference::of(facts, slot).await.zip(Some(pin.commit.clone())));
        }
    }
    if held.is_empty() {
        return;
    }
    for (facts, requests) in lanes.iter().zip(requests) {
        for (slot, request) in requests {
            let reference = Reference::of(facts, *slot).await;
            let pinned = held.iter().find(|(held, _)| Some(held) == reference.as_ref());
            if let Some((_, commit)) = pinned {
                request.hold_at(commit);
            }
        }
    }
}

/// A branch or tag of a repository in a cache: it leads to one commit, whoever opens it.
#[derive(Debug, PartialEq, Eq)]
struct Reference {
    repository: CachedRepository,
    revision: String,
}

impl Reference {
    /// Absent: nothing is put into a cache for this source.
    async fn of(facts: &LaneFacts, slot: Slot) -> Option<Self> {
        let target = blocking(facts.clone(), move |facts| Target::of(&facts, slot)).await?;
        let Target::Cache(CacheTarget { repository, revision, .. }) = target else { return None };
        Some(Self { repository: repository?, revision })
    }
}

async fn requests_of(facts: &LaneFacts, options: &Options) -> Vec<(Slot, ListingRequest)> {
    let wanted = Slot::all(facts).into_iter().filter(|slot| wants(facts, *slot, options));
    let requests = wanted.map(|slot| async move {
        Some((slot, ListingRequest::of(facts, slot, options.files.update).await?))
    });
    join_all(requests).await.into_iter().flatten().collect()
}

/// Whether something of the lane is missing that a source of it may have.
fn wants(facts: &LaneFacts, slot: Slot, options: &Options) -> bool {
    if !facts.orders.may_fetch || facts.lane.skipped.is_some() {
        return false;
    }
    let is_doubtful = || is_doubtful(facts, slot, &options.files);
    match slot {
        Slot::Own => {
            let Some(model) = facts.own_artifacts().first() else { return false };
            let sight = &model.artifact.located.value.sight;
            let is_writable = matches!(sight, Sight::Visible { read_only: false, .. });
            if facts.lane.delivery.is_some() {
                return delivered::is_wanted(facts, is_doubtful(), options);
            }
            is_writable && (!model.model.complete() || is_doubtful())
        }
        Slot::Cached(index) => {
            let Some(cached) = facts.cached.get(index) else { return false };
            let by_engine = !facts.engine_is_offline() && !facts.lane.services.is_empty();
            let can_fill = cached.fill.is_some();
            if cached.state == CacheState::Held {
                let is_whole = facts.found_in_cache(index).is_some_and(|it| it.model.complete());
                can_fill && (!is_whole || is_doubtful())
            } else {
                // Without the hub, what is missing is told by what was seen.
                !options.hub.offline && (by_engine || can_fill)
            }
        }
    }
}

/// Whether what is there may have to be replaced: it is not what was promised, it is to move, or its
/// content is to be proven and was not.
fn is_doubtful(facts: &LaneFacts, slot: Slot, files: &FileOptions) -> bool {
    let proofs = || facts.proofs.iter().filter(|proof| is_of(facts, slot, proof));
    let is_broken = |proof: &Proof| {
        matches!(proof.outcome, ProofOutcome::Differs { .. } | ProofOutcome::Missing)
    };
    let is_pinned = listing_request::pin(facts, slot).is_some()
        || listing_request::source(facts, slot).is_none_or(|source| source.is_pinned());
    let moves = files.update && !is_pinned;
    let is_unproven =
        || proofs().next().is_none() || proofs().any(|proof| proof.outcome != ProofOutcome::Proven);
    proofs().any(is_broken) || moves || (files.deep && is_unproven())
}

/// Whether a proof is about a file of one of the lane's sources.
fn is_of(facts: &LaneFacts, slot: Slot, proof: &Proof) -> bool {
    let Slot::Cached(index) = slot else { return true };
    let folder = facts.cached.get(index).map(|cached| cached.cached.folder_name());
    folder.is_some_and(|folder| proof.path.iter().any(|part| part.to_str() == Some(&folder)))
}

/// Asks every source once, and learns what has to be brought.
async fn probe<'f>(
    lanes: Vec<&'f mut LaneFacts>,
    of_lanes: Vec<Vec<(Slot, ListingRequest)>>,
    hub: &Result<Hub, HubError>,
    files: &FileOptions,
    progress: &Progress,
) -> Vec<LaneDownloads<'f>> {
    let mut asked: Vec<ListingRequest> = Vec::new();
    for (_, request) in of_lanes.iter().flatten() {
        if !asked.contains(request) {
            asked.push(request.clone());
        }
    }
    let answers = join_all(asked.iter().map(|request| answer(request, hub))).await;
    let answers: Vec<_> = asked.into_iter().zip(answers).collect();
    let probed = lanes.into_iter().zip(of_lanes).map(|(facts, requests)| async {
        let progress = progress.for_lane(&facts.lane.name);
        let mut supplies = Vec::new();
        for (slot, request) in requests {
            let answer = answers.iter().find(|(asked, _)| *asked == request);
            let Some((_, (answer, newer))) = answer else { continue };
            facts.source.newer = facts.source.newer.take().or_else(|| newer.clone());
            let supply = supply(facts, slot, answer.clone(), files, &progress).await;
            supplies.extend(supply);
        }
        LaneDownloads { facts, supplies }
    });
    join_all(probed).await
}

/// The answer to a request, and the commit that its source leads to now, if that is another.
async fn answer(
    request: &ListingRequest,
    hub: &Result<Hub, HubError>,
) -> (Result<Listing, HubError>, Option<String>) {
    let answer = request.ask(hub).await;
    let newer = match (&answer, hub) {
        (Ok(listing), Ok(hub)) => request.newer(hub, listing).await,
        (Ok(_) | Err(_), _) => None,
    };
    (answer, newer)
}

/// What an answer means for a lane, which is noted; absent: nothing is brought.
async fn supply(
    facts: &mut LaneFacts,
    slot: Slot,
    answer: Result<Listing, HubError>,
    files: &FileOptions,
    progress: &Progress,
) -> Option<Supply> {
    let target = blocking(facts.clone(), move |facts| Target::of(&facts, slot)).await;
    let target = target.filter(Target::is_writable);
    let listing = answer.and_then(|listing| chosen(facts, slot, listing, target.is_some()));
    note(facts, slot, listing.clone());
    let (Ok(listing), Some(target)) = (listing, target) else { return None };
    let (files, progress) = (files.clone(), progress.clone());
    let found = blocking((), move |()| needed(slot, listing, target, &files, &progress)).await;
    match found {
        Ok(Some((supply, kept))) => {
            facts.source.kept.extend(kept);
            Some(supply)
        }
        Ok(None) => {
            leave_to_engine(facts, slot);
            None
        }
        Err(error) => {
            note(facts, slot, Err(error));
            None
        }
    }
}

/// Keeps what the hub has said about one of the lane's sources.
fn note(facts: &mut LaneFacts, slot: Slot, answer: Result<Listing, HubError>) {
    if let Slot::Cached(index) = slot
        && let Some(cached) = facts.cached.get_mut(index)
    {
        cached.probe = Some(answer.clone());
    }
    if slot == Slot::of_model(facts) {
        facts.source.probe = Some(answer);
    }
}

/// What cannot be put into a cache, its engine has to bring.
fn leave_to_engine(facts: &mut LaneFacts, slot: Slot) {
    if let Slot::Cached(index) = slot
        && let Some(cached) = facts.cached.get_mut(index)
    {
        cached.fill = None;
    }
}

/// What is brought of what a source holds: what is pinned of it, or what its engine loads.
fn chosen(
    facts: &mut LaneFacts,
    slot: Slot,
    listing: Listing,
    is_brought: bool,
) -> Result<Listing, HubError> {
    let is_model = slot == Slot::of_model(facts);
    let pinned = listing_request::pin(facts, slot)
        .map(|pin| (pin.differences(&listing.files), pin.remote_files()));
    let listing = match pinned {
        Some((differences, files)) => {
            facts.source.lock_differences = differences;
            Listing { files, ..listing }
        }
        None => listing,
    };
    if is_model && facts.source.pinning.pin().is_some() {
        return Ok(listing);
    }
    let (listing, left_out) = loaded::of_lane(facts, slot, listing)?;
    if is_brought && is_model {
        facts.source.left_out = left_out;
    }
    Ok(listing)
}

/// What has to be brought of a listing, and the files of the user's own that stay in its way; absent:
/// it cannot be put there. Blocking.
fn needed(
    slot: Slot,
    listing: Listing,
    target: Target,
    files: &FileOptions,
    progress: &Progress,
) -> Result<Option<(Supply, Vec<OwnFile>)>, HubError> {
    let scrutiny = if files.update || files.deep { Scrutiny::Content } else { Scrutiny::Size };
    let Some(mut missing) = target.missing(&listing, scrutiny, progress)? else {
        return Ok(None);
    };
    let kept = std::mem::take(&mut missing.kept);
    let supply = Supply::of(slot, listing, target, missing);
    let waits = files.update && !files.dry_run;
    Ok(Some((if waits { supply.in_one_step() } else { supply }, kept)))
}

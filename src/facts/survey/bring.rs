//! Brings what is missing, from the sources of lanes and into the caches of engines: every source is
//! asked, and the disk looked at, before the first byte of any moves; then the lanes are fetched
//! side by side.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use super::cache::fill::{self, CacheDownloads};
use super::downloads::{self, Scrutiny, Target};
use super::judge::Judge;
use super::update::Update;
use super::way::Views;
use super::{blocking, disk, proof};
use crate::facts::LaneFacts;
use crate::facts::hub::{Download, Hub, HubError, Listing, Noted};
use crate::facts::proof::{PromisedBy, ProofOutcome};
use crate::file_name::hub_cache;
use crate::options::{FileOptions, Options};
use crate::plan::engine::repository::Reader;
use crate::plan::lanes::ModelKind;
use crate::progress::Progress;
use crate::project::mounts::Sight;
use crate::source::Source;

/// Notes that are read to learn which commit a folder was fetched at.
const MOST_NOTES: usize = 20_000;

/// A lane, and what has to be brought for it.
pub(super) struct LaneDownloads<'a> {
    pub(super) facts: &'a mut LaneFacts,
    /// From its own source; absent: nothing is wanted from it.
    source: Option<SourceDownloads>,
    /// Into the caches of its engine.
    caches: Vec<CacheDownloads>,
}

/// What has to be brought from the source of a lane.
#[derive(Default)]
struct SourceDownloads {
    /// Where files wait for others, the waiting ones.
    downloads: Vec<Download>,
    /// What the downloads replace, if they do; with their own destinations.
    update: Option<(Update, Vec<Download>)>,
}

/// What a source is asked for a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListingRequest {
    /// As it is declared.
    declared: Source,
    /// At the commit that is pinned or here already, if there is one.
    asked: Source,
    /// Whether that commit is pinned, so that no other will do.
    pinned: bool,
    include: Vec<String>,
    exclude: Vec<String>,
}

impl<'a> LaneDownloads<'a> {
    /// One that brings from a source, and replaces nothing.
    #[cfg(test)]
    pub(super) fn of(facts: &'a mut LaneFacts, downloads: Vec<Download>) -> Self {
        let source = Some(SourceDownloads { downloads, update: None });
        Self { facts, source, caches: Vec::new() }
    }

    /// Every file that is brought for the lane.
    pub(super) fn downloads(&self) -> impl Iterator<Item = &Download> {
        let of_source = self.source.iter().flat_map(|source| &source.downloads);
        of_source.chain(self.caches.iter().flat_map(|cache| &cache.downloads))
    }
}

/// Brings what lanes lack.
struct Fetcher<'a> {
    hub: &'a Result<Hub, HubError>,
    views: &'a Views,
    files: &'a FileOptions,
    progress: &'a Progress,
    judge: &'a dyn Judge,
}

/// Whether something of the lane is missing that its source may have.
pub(super) fn wants(facts: &LaneFacts, files: &FileOptions) -> bool {
    let Some(model) = facts.artifacts.first() else { return false };
    let visible =
        matches!(model.artifact.located.value.sight, Sight::Visible { read_only: false, .. });
    let broken = |outcome: &ProofOutcome| {
        matches!(outcome, ProofOutcome::Differs { .. } | ProofOutcome::Missing)
    };
    let is_broken = facts.proofs.iter().any(|proof| broken(&proof.outcome));
    let source = facts.lane.source.as_ref().map(|source| &source.value);
    let moves = files.update
        && facts.source.pinning.pin().is_none()
        && source.is_some_and(|source| !source.is_pinned());
    let unproven = |outcome: &ProofOutcome| !matches!(outcome, ProofOutcome::Proven);
    let in_doubt = files.deep
        && (facts.proofs.is_empty() || facts.proofs.iter().any(|it| unproven(&it.outcome)));
    facts.orders.may_fetch
        && visible
        && !facts.lane.in_cache()
        && source.is_some()
        && (!model.model.complete() || is_broken || moves || in_doubt)
}

/// Asks every source, checks the disk, and brings; or, for a dry run, notes what it would bring.
pub(super) async fn bring(
    lanes: Vec<&mut LaneFacts>,
    views: &Views,
    options: &Options,
    progress: &Progress,
    judge: &dyn Judge,
) {
    let hub = Hub::connect(&options.hub);
    let fetcher = Fetcher { hub: &hub, views, files: &options.files, progress, judge };
    let mut lanes = fetcher.probe(lanes).await;
    for lane in &mut lanes {
        lane.caches = fill::downloads_of(lane.facts).await;
    }
    disk::budget(&mut lanes);
    if options.files.dry_run {
        for lane in lanes {
            let downloads: Vec<Download> = lane.downloads().cloned().collect();
            lane.facts.source.planned = Some(downloads).filter(|downloads| !downloads.is_empty());
        }
        return;
    }
    let groups = apart(lanes).into_iter().map(|group| async {
        let mut brought = BTreeSet::new();
        for LaneDownloads { facts, source, caches } in group {
            if let Some(source) = source {
                fetcher.fetch(facts, source, &mut brought).await;
            }
            if let (Ok(hub), false) = (fetcher.hub, caches.is_empty()) {
                let Fetcher { views, progress, judge, .. } = fetcher;
                fill::Filler { hub, views, progress, judge }.fill(facts, caches).await;
            }
        }
    });
    join_all(groups).await;
}

/// Lanes that share a file are in one group, so that it is brought once; groups share nothing.
fn apart(lanes: Vec<LaneDownloads<'_>>) -> Vec<Vec<LaneDownloads<'_>>> {
    let mut groups: Vec<(BTreeSet<PathBuf>, Vec<LaneDownloads<'_>>)> = Vec::new();
    for lane in lanes {
        let own = lane.downloads().map(|download| download.destination.clone());
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

impl ListingRequest {
    /// Absent: the lane has no source.
    pub(super) async fn of(facts: &LaneFacts, update: bool) -> Option<Self> {
        let declared = facts.lane.source.as_ref()?.value.clone();
        if let Some(pin) = facts.source.pinning.pin() {
            let (asked, pinned) = (pin.pinned_source(), true);
            let (include, exclude) = (Vec::new(), Vec::new());
            return Some(Self { declared, asked, pinned, include, exclude });
        }
        let mut asked = declared.clone();
        if !update && !declared.is_pinned() && declared.path.is_none() {
            let target = Target::of(facts);
            let here = blocking(target, |target| target.and_then(|it| commit_of(&it.model)));
            asked.revision = here.await.or(asked.revision);
        }
        let (include, exclude) = (facts.lane.include.clone(), facts.lane.exclude.clone());
        Some(Self { declared, asked, pinned: false, include, exclude })
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
}

/// The commit that a folder was fetched at, if all of its notes agree; of a snapshot in a cache of
/// the hub, the one that it is named by. Blocking.
fn commit_of(model: &Path) -> Option<String> {
    if hub_cache::repository_of(model).is_some() {
        return model.file_name()?.to_str().filter(|name| is_commit(name)).map(str::to_owned);
    }
    let notes = model.join(hub_cache::DOWNLOADS);
    let mut commits = BTreeSet::new();
    for entry in walkdir::WalkDir::new(&notes).into_iter().take(MOST_NOTES).flatten() {
        let name = entry.path().strip_prefix(&notes).ok()?.to_str()?;
        if let Some(name) = name.strip_suffix(".metadata") {
            commits.extend(Noted::read(model, name).map(|noted| noted.commit));
        }
    }
    if commits.len() == 1 { commits.pop_first().filter(|commit| is_commit(commit)) } else { None }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What of a listing the lane's engine loads; the rest is noted. What the user has chosen is not
/// chosen from again.
pub(super) fn without_surplus(facts: &mut LaneFacts, mut listing: Listing) -> Listing {
    let lane = &facts.lane;
    let chosen = !lane.include.is_empty() || listing.source.path.is_some();
    let is_known =
        lane.engine.is_some() || matches!(lane.kind, Some(ModelKind::Vllm | ModelKind::Embedding));
    if chosen || !is_known {
        return listing;
    }
    let load_format = lane.invocation.as_ref().and_then(|it| it.load_format.as_deref());
    let reader = Reader { engine: lane.engine, load_format };
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let surplus: BTreeSet<String> = reader.surplus(&paths).into_iter().map(str::to_owned).collect();
    let (left_out, kept) = listing.files.into_iter().partition(|it| surplus.contains(&it.path));
    facts.source.left_out = left_out;
    listing.files = kept;
    listing
}

impl Fetcher<'_> {
    /// Asks every source once, and learns what has to be brought.
    async fn probe<'f>(&self, lanes: Vec<&'f mut LaneFacts>) -> Vec<LaneDownloads<'f>> {
        let of_lanes = lanes.iter().map(|facts| async {
            if !wants(facts, self.files) {
                return None;
            }
            ListingRequest::of(facts, self.files.update).await
        });
        let of_lanes: Vec<Option<ListingRequest>> = join_all(of_lanes).await;
        let mut requests: Vec<ListingRequest> = Vec::new();
        for request in of_lanes.iter().flatten() {
            if !requests.contains(request) {
                requests.push(request.clone());
            }
        }
        let answers = join_all(requests.iter().map(|request| request.ask(self.hub))).await;
        let answered: Vec<_> = requests.into_iter().zip(answers).collect();
        let probed = lanes.into_iter().zip(of_lanes).map(|(facts, request)| {
            let answer = answered.iter().find(|(asked, _)| Some(asked) == request.as_ref());
            let answer = answer.map(|(_, answer)| answer.clone());
            async {
                let source = match answer {
                    Some(answer) => Some(self.of_source(facts, answer).await),
                    None => None,
                };
                LaneDownloads { facts, source, caches: Vec::new() }
            }
        });
        join_all(probed).await
    }

    async fn of_source(
        &self,
        facts: &mut LaneFacts,
        answer: Result<Listing, HubError>,
    ) -> SourceDownloads {
        let listing = answer.map(|listing| match facts.source.pinning.pin() {
            Some(pin) => {
                facts.source.lock_differences = pin.differences(&listing.files);
                Listing { files: pin.remote_files(), ..listing }
            }
            None => without_surplus(facts, listing),
        });
        let target = Target::of(facts);
        let (Ok(listing), Some(target)) = (&listing, target) else {
            facts.source.probe = Some(listing);
            return SourceDownloads::default();
        };
        let (listing, files) = (listing.clone(), self.files.clone());
        let progress = self.progress.for_lane(&facts.lane.name);
        let found = blocking((), move |()| needed(listing, &target, &files, &progress)).await;
        match found {
            Ok((listing, downloads)) => {
                facts.source.probe = Some(Ok(listing));
                downloads
            }
            Err(error) => {
                facts.source.probe = Some(Err(error));
                SourceDownloads::default()
            }
        }
    }

    /// Brings the small files of a lane, judges them, then brings the weights and looks again.
    /// `done` are the files that lanes of the same group have brought.
    async fn fetch(
        &self,
        facts: &mut LaneFacts,
        source: SourceDownloads,
        done: &mut BTreeSet<PathBuf>,
    ) {
        let SourceDownloads { mut downloads, update } = source;
        let (Ok(hub), Some(Ok(listing))) = (self.hub, facts.source.probe.clone()) else { return };
        if self.judge.ends_at_sources(facts) {
            return;
        }
        let progress = self.progress.for_lane(&facts.lane.name);
        let Some(target) = Target::of(facts) else { return };
        // What is to be replaced need not be sound.
        facts.proofs.clear();
        let brought: Vec<PathBuf> = match &update {
            Some((_, originals)) => originals.iter().map(|it| it.destination.clone()).collect(),
            None => downloads.iter().map(|download| download.destination.clone()).collect(),
        };
        let waits = update.is_some();
        downloads.retain(|download| !done.contains(&download.destination));
        for stage in downloads::in_stages(downloads) {
            let result = hub.fetch(&listing, &stage, &progress).await;
            let failed = result.is_err();
            facts.source.fetch = Some(result);
            if waits && !failed {
                continue;
            }
            self.look_again(facts).await;
            if failed || self.judge.ends_at_files(facts) {
                return self.prove_again(facts).await;
            }
        }
        if let Some((update, originals)) = update {
            let result = blocking((), move |()| update.finish(&originals)).await;
            if result.is_err() {
                facts.source.fetch = Some(result);
            }
        }
        remember(&listing, &target, &brought).await;
        done.extend(brought.iter().cloned());
        self.look_again(facts).await;
        self.prove_again(facts).await;
        facts.source.fetched = brought;
    }

    async fn look_again(&self, facts: &mut LaneFacts) {
        let Some(first) = facts.artifacts.first() else { return };
        let (artifact, root, views) =
            (first.artifact.clone(), first.root.clone(), self.views.clone());
        let seen = blocking(artifact, move |artifact| views.look(&artifact, root)).await;
        facts.artifacts[0] = seen;
    }

    async fn prove_again(&self, facts: &mut LaneFacts) {
        let seen = blocking(facts.clone(), |mut facts| {
            proof::look(&mut facts);
            facts.proofs
        });
        facts.proofs = seen.await;
    }
}

/// What has to be brought of a listing, and the update that it is part of. Blocking.
fn needed(
    listing: Listing,
    target: &Target,
    files: &FileOptions,
    progress: &Progress,
) -> Result<(Listing, SourceDownloads), HubError> {
    let scrutiny = if files.update || files.deep { Scrutiny::Content } else { Scrutiny::Size };
    let downloads = target.downloads(&listing, scrutiny, progress)?;
    let update = Update::of(&target.model, &listing.commit, &downloads)
        .filter(|_| files.update && !files.dry_run && !target.one_file);
    let (downloads, update) = match update {
        Some(update) => {
            let mut waiting = update.divert(&downloads);
            // An earlier attempt at the same commit has left them, and they were proven then.
            waiting.retain(|download| {
                let there = fs_err::metadata(&download.destination);
                !there.is_ok_and(|there| there.is_file() && there.len() == download.file.size)
            });
            (waiting, Some((update, downloads)))
        }
        None => (downloads, None),
    };
    Ok((listing, SourceDownloads { downloads, update }))
}

/// Leaves stamps: what was brought has just been proven.
async fn remember(listing: &Listing, target: &Target, brought: &[PathBuf]) {
    let (files, target, brought) = (listing.files.clone(), target.clone(), brought.to_vec());
    blocking((), move |()| {
        for file in &files {
            let promise = target.promise(file, PromisedBy::Hub);
            if brought.contains(&promise.path) {
                crate::facts::proof::proven(&promise);
            }
        }
    })
    .await;
}

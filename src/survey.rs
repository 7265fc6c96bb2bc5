//! Gathers the facts of every lane, stage by stage: mounts and files, then sources, then bytes.

mod cache;
mod disk;
mod errands;
mod inside;
mod root;
mod way;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::task;

use crate::check;
use crate::facts::LaneFacts;
use crate::finding::Findings;
use crate::hub::{Errand, Hub, HubError};
use crate::lanes::{Artifact, Plan};
use crate::mounts::Sight;
use crate::options::{HubOptions, Options};
use crate::progress::{self, Progress};
use crate::smoke::{self, Answer};
use crate::stack::Stack;
use crate::survey::way::Eyes;

/// How long a running engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that can be seen of a plan's lanes without the network.
pub async fn look(plan: &Plan, stack: &Stack, options: &Options) -> Vec<LaneFacts> {
    let may_fetch = options.fetch && plan.settings.fetch;
    let eyes = Eyes::of(stack);
    let looks = plan.lanes.iter().map(|lane| {
        let facts = LaneFacts {
            may_fetch: may_fetch && lane.fetch,
            create_root: plan.settings.create_root,
            ..LaneFacts::of(lane.clone(), options.role)
        };
        let born = stack.born;
        let eyes = eyes.clone();
        let in_container = matches!(stack.standpoint, crate::mounts::Standpoint::Container(_));
        blocking(facts, move |mut facts| {
            if facts.lane.skipped.is_none() {
                let judge = in_container.then_some(born);
                let seen = |artifact: &Artifact| eyes.look(artifact, root::look(artifact, judge));
                facts.artifacts = facts.lane.artifacts.iter().map(seen).collect();
                cache::look(&mut facts, &eyes);
            }
            facts
        })
    });
    join_all(looks).await
}

/// Brings what is missing: probes every source, checks the disk, fetches, and looks again; asks the
/// hub about what engines will bring themselves. A lane with a finding of error level goes no
/// further; the others do.
pub async fn fetch(lanes: &mut [LaneFacts], stack: &Stack, options: &Options, findings: &Findings) {
    if !options.hub.offline {
        let asking = lanes.iter_mut().filter(|facts| !findings.stops(&facts.lane.name));
        cache::ask(asking, &options.hub).await;
    }
    let (wanting, _rest): (Vec<_>, Vec<_>) =
        lanes.iter_mut().partition(|facts| wants(facts) && !findings.stops(&facts.lane.name));
    if wanting.is_empty() {
        return;
    }
    let (events, receiver) = mpsc::unbounded_channel();
    let eyes = Eyes::of(stack);
    let work = bring(wanting, &eyes, &options.hub, Progress::new(events));
    let show = progress::render(receiver, options.report.progress, std::io::stderr());
    tokio::join!(work, show);
}

/// Asks the engine of every lane.
pub async fn ask(lanes: &mut [LaneFacts]) {
    let asked = lanes.iter_mut().filter(|facts| facts.lane.skipped.is_none());
    join_all(asked.map(|facts| async {
        facts.answer = Some(match &facts.lane.url {
            Some(url) => smoke::reach(facts.lane.engine, &url.value, PATIENCE).await,
            None => Answer::NoAddress,
        });
    }))
    .await;
}

/// Whether something of the lane is missing that its source may have.
fn wants(facts: &LaneFacts) -> bool {
    let Some(model) = facts.artifacts.first() else { return false };
    let visible =
        matches!(model.artifact.located.value.sight, Sight::Visible { read_only: false, .. });
    facts.may_fetch
        && visible
        && !facts.lane.in_cache()
        && facts.lane.source.is_some()
        && !model.model.complete()
}

async fn bring(lanes: Vec<&mut LaneFacts>, eyes: &Eyes, options: &HubOptions, progress: Progress) {
    let hub = Hub::connect(options);
    let mut planned: Vec<(&mut LaneFacts, Vec<Errand>)> =
        join_all(lanes.into_iter().map(|facts| probe(facts, &hub))).await;
    disk::budget(&mut planned);
    for (facts, errands) in planned {
        let mut findings = Findings::default();
        check::sources(facts, &mut findings);
        if !findings.stops(&facts.lane.name) {
            transfer(facts, eyes, errands, &hub, &progress).await;
        }
    }
}

/// Learns what the source of a lane holds and which of it has to be brought.
async fn probe<'a>(
    facts: &'a mut LaneFacts,
    hub: &Result<Hub, HubError>,
) -> (&'a mut LaneFacts, Vec<Errand>) {
    let Some(source) = &facts.lane.source else { return (facts, Vec::new()) };
    let listing = match hub {
        Ok(hub) => hub.probe(&source.value, &facts.lane.include, &facts.lane.exclude).await,
        Err(error) => Err(error.clone()),
    };
    let lane = facts.lane.clone();
    let errands = match &listing {
        Ok(listing) => {
            let listing = listing.clone();
            blocking((), move |()| errands::of(&lane, &listing)).await
        }
        Err(_) => Vec::new(),
    };
    facts.probe = Some(listing);
    (facts, errands)
}

/// Brings the small files of a lane, judges them, then brings the weights and looks again.
async fn transfer(
    facts: &mut LaneFacts,
    eyes: &Eyes,
    errands: Vec<Errand>,
    hub: &Result<Hub, HubError>,
    progress: &Progress,
) {
    let (Ok(hub), Some(Ok(listing))) = (hub, facts.probe.clone()) else { return };
    let progress = progress.for_lane(&facts.lane.name);
    let brought = errands.iter().map(|errand| errand.destination.clone()).collect();
    // What two lanes share has been brought for the first of them.
    let errands = blocking(errands, errands::still_missing).await;
    if errands.is_empty() {
        look_again(facts, eyes).await;
    }
    for errands in errands::in_stages(errands) {
        let result = hub.fetch(&listing, &errands, &progress).await;
        let failed = result.is_err();
        facts.fetch = Some(result);
        look_again(facts, eyes).await;
        if failed || unusable(facts) {
            return;
        }
    }
    facts.fetched = brought;
}

/// Whether what is there already shows that the rest would be brought in vain.
fn unusable(facts: &LaneFacts) -> bool {
    let mut findings = Findings::default();
    check::models(facts, &mut findings);
    findings.into_vec().iter().any(check::condemns)
}

async fn look_again(facts: &mut LaneFacts, eyes: &Eyes) {
    let Some(first) = facts.artifacts.first() else { return };
    let (artifact, root, eyes) = (first.artifact.clone(), first.root.clone(), eyes.clone());
    let seen = blocking(artifact, move |artifact| eyes.look(&artifact, root)).await;
    facts.artifacts[0] = seen;
}

/// Runs `work` where blocking is allowed. A panic in it goes on here.
async fn blocking<I, O>(input: I, work: impl FnOnce(I) -> O + Send + 'static) -> O
where
    I: Send + 'static,
    O: Send + 'static,
{
    match task::spawn_blocking(move || work(input)).await {
        Ok(output) => output,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

//! Gathers the facts of every lane, stage by stage: mounts and files, then sources, then bytes.

mod ask;
mod binds;
mod bring;
mod cache;
mod carry;
mod delivered;
mod disk;
mod foresee;
mod inside;
mod judge;
mod keep;
mod listing_request;
mod loaded;
mod nearby;
mod nested;
mod pin;
mod proof;
mod root;
mod stages;
mod supply;
mod target;
mod update;
mod way;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::task;

use crate::deadline::Deadline;
use crate::facts::lockfile::{LockedLane, Lockfile, Pin};
use crate::facts::survey::way::Views;
use crate::facts::{LaneFacts, Orders, Pinning};
use crate::options::Options;
use crate::plan::engine::Part;
use crate::plan::lanes::{Artifact, Choice, Lane, Plan};
use crate::progress::Progress;
use crate::project::mounts::Standpoint;
use crate::project::rooms;
use crate::project::stack::Stack;

pub use self::ask::ask;
pub use self::judge::Judge;

/// Everything that can be seen of a plan's lanes without the network. `lock` is `preflight.lock`, if
/// there is one.
pub async fn look(
    plan: &Plan,
    stack: &Stack,
    options: &Options,
    lock: Option<&Lockfile>,
) -> Vec<LaneFacts> {
    let may_fetch = options.fetch && plan.settings.fetch;
    let views = Views::of(stack);
    let project = (plan.clone(), views.clone());
    let binds = blocking(project, |(plan, views)| binds::look(&plan, &views)).await;
    let looks = plan.lanes.iter().map(|lane| {
        let mut facts = LaneFacts::of(lane.clone(), options.role);
        facts.binds = binds::of_lane(lane, &stack.project, &binds);
        let service = lane.services.first().and_then(|name| stack.project.service(name));
        facts.rooms = service.map(|it| rooms::of(&stack.project, it)).unwrap_or_default();
        facts.source.endpoint.clone_from(&options.hub.endpoint);
        facts.source.withheld.clone_from(&stack.withheld);
        facts.source.pinning = pinning(lane, lock);
        facts.orders = Orders {
            role: options.role,
            dialect: stack.project.dialect,
            may_fetch: may_fetch && lane.fetch,
            create_root: plan.settings.create_root,
            update: options.files.update,
            deep: options.files.deep,
            no_stamps: options.files.no_stamps,
        };
        let born = stack.born;
        let views = views.clone();
        let in_container = matches!(stack.standpoint, Standpoint::Container(_));
        blocking(facts, move |mut facts| {
            if facts.lane.skipped.is_none() {
                delivered::recall(&mut facts);
                let judge = in_container.then_some(born);
                let seen = |artifact: &Artifact| views.look(artifact, root::look(artifact, judge));
                let artifacts = views.opened(&facts.lane);
                facts.artifacts = artifacts.iter().map(seen).collect();
                delivered::look(&mut facts);
                cache::look(&mut facts, &views);
                proof::look(&mut facts);
            }
            facts
        })
    });
    join_all(looks).await
}

fn pinning(lane: &Lane, lock: Option<&Lockfile>) -> Pinning {
    let (Some(lock), Some(source)) = (lock, &lane.source) else { return Pinning::NoLock };
    match lock.lanes.get(&lane.name) {
        None => Pinning::Unlisted,
        Some(pin) if pin.is_for(&source.value) && opens(lane, pin) => Pinning::Pinned(pin.clone()),
        Some(pin) => Pinning::Outdated(pin.source.clone()),
    }
}

/// Whether what is pinned has the file that the lane's engine chooses by its quantisation.
fn opens(lane: &Lane, pin: &Pin) -> bool {
    let names: Vec<&str> = pin.files.keys().map(String::as_str).collect();
    let model = lane.cached.iter().find(|cached| cached.part == Part::Model);
    model.is_none_or(|cached| match cached.choice {
        Choice::Folder | Choice::WithoutWeights | Choice::File(_) => true,
        Choice::Quantisation(_) => cached.choice.pick(&names).is_some(),
    })
}

/// Hashes every byte that no stamp vouches for, as far as there is time for it: what is hashed then has
/// a stamp.
pub async fn prove(lanes: &mut [LaneFacts], progress: Progress, deadline: Option<Deadline>) {
    proof::hash(lanes, progress, deadline).await;
}

/// Brings what is missing: probes every source, checks the disk, fetches, and looks again; asks the
/// hub about what engines will bring themselves. A lane that `judge` ends goes no further; the others
/// do.
pub async fn fetch(
    lanes: &mut [LaneFacts],
    stack: &Stack,
    options: &Options,
    judge: &impl Judge,
    progress: &Progress,
) {
    let goes_on = lanes.iter_mut().filter(|facts| !judge.has_ended(&facts.lane.name));
    bring::bring(goes_on.collect(), &Views::of(stack), options, progress, judge).await;
}

/// Asks what models are made of that are not here, and that lanes take into memory: nothing is brought.
pub async fn foresee(lanes: &mut [LaneFacts], options: &Options) {
    foresee::foresee(lanes, options).await;
}

/// What `preflight.lock` has to say after `before`: see [`Lockfile`].
pub async fn pin(lanes: &mut [LaneFacts], before: &Lockfile, options: &Options) -> Lockfile {
    pin::pin(lanes, before, options).await
}

/// What was delivered, as a lock file pins it; absent: of one lane that is not known, or nothing was.
#[must_use]
pub fn delivered(lanes: &[LaneFacts]) -> Option<Lockfile> {
    delivered::pins(lanes)
}

/// What `preflight lock --check` compares: see [`LockedLane`].
#[must_use]
pub fn locked(
    lanes: &[LaneFacts],
    lockfile: Option<&Lockfile>,
    options: &Options,
) -> Vec<LockedLane> {
    pin::locked(lanes, lockfile, options)
}

/// How many looks there are at once: each takes a thread, and with it a heap of its own.
static ROOM: Semaphore = Semaphore::const_new(8);

/// Runs `work` where blocking is allowed. A panic in it goes on here.
async fn blocking<I, O>(input: I, work: impl FnOnce(I) -> O + Send + 'static) -> O
where
    I: Send + 'static,
    O: Send + 'static,
{
    // Never closed, so always had.
    let room = ROOM.acquire().await;
    let done = task::spawn_blocking(move || work(input)).await;
    drop(room);
    match done {
        Ok(output) => output,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

//! What models are made of that are not here yet: their headers and configurations, as their sources
//! have them. Nothing is brought.

use std::path::PathBuf;

use futures_util::future::join_all;
use tokio::runtime::Handle;

use super::listing_request::ListingRequest;
use super::target::Slot;
use super::{blocking, loaded};
use crate::facts::hub::{DistantView, Hub, HubError, Listing, RemoteFile};
use crate::facts::model::{self, ModelFacts};
use crate::facts::{CacheState, Foreseen, LaneFacts};
use crate::file_name::weights::Weights;
use crate::options::{Options, Task};
use crate::plan::engine::Part;
use crate::plan::lanes::Choice;

/// Asks the sources of those lanes whose models are not here, and whose engines say what they take.
pub(super) async fn foresee(lanes: &mut [LaneFacts], options: &Options) {
    if options.hub.offline || !lanes.iter().any(|facts| !wanting(facts, options).is_empty()) {
        return;
    }
    let hub = Hub::connect(&options.hub);
    join_all(lanes.iter_mut().map(|facts| of_lane(facts, &hub, options))).await;
}

/// The sources of what a lane's engine takes into memory and what is not here.
fn wanting(facts: &LaneFacts, options: &Options) -> Vec<Slot> {
    let invocation = facts.lane.invocation.as_ref();
    if facts.lane.skipped.is_some() || invocation.is_none_or(|it| it.sizing.is_none()) {
        return Vec::new();
    }
    let is_missing = |slot: &Slot| match slot {
        Slot::Own => facts.own_artifacts().first().is_some_and(|own| match &own.model {
            ModelFacts::Absent => true,
            ModelFacts::Seen(model) => !model.complete(),
            // What cannot be looked at from here is taken for what its source has, by who asks for no
            // more than whether it fits.
            ModelFacts::Unknown(_) => options.task == Task::Fit,
            ModelFacts::Denied(_) => false,
        }),
        Slot::Cached(index) => facts.cached.get(*index).is_some_and(|cached| {
            let is_loaded = matches!(cached.cached.part, Part::Model | Part::Draft);
            is_loaded && cached.state != CacheState::Held
        }),
    };
    Slot::all(facts).into_iter().filter(is_missing).collect()
}

async fn of_lane(facts: &mut LaneFacts, hub: &Result<Hub, HubError>, options: &Options) {
    for slot in wanting(facts, options) {
        let Some(request) = ListingRequest::of(facts, slot, options.files.update).await else {
            continue;
        };
        let listing = request.ask(hub).await;
        let listing = listing.and_then(|it| Ok(loaded::of_lane(facts, slot, it)?.0));
        let seen = match (listing, hub) {
            (Ok(listing), Ok(hub)) => examined(facts, slot, listing, hub).await,
            (Err(error), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
        };
        let part = match slot {
            Slot::Own => Part::Model,
            Slot::Cached(index) => {
                facts.cached.get(index).map_or(Part::Model, |cached| cached.cached.part)
            }
        };
        facts.source.foreseen.push(Foreseen { part, model: seen });
    }
}

/// What a source has, by the headers of its files.
async fn examined(
    facts: &LaneFacts,
    slot: Slot,
    listing: Listing,
    hub: &Hub,
) -> Result<ModelFacts, HubError> {
    let path = root(facts, slot, &listing);
    let view = hub.view(listing, Handle::current(), is_opened)?;
    blocking((view, path), |(view, path): (DistantView, PathBuf)| {
        let seen = model::examine(&view, &path);
        view.error().map_or(Ok(seen), Err)
    })
    .await
}

/// Where the model is in its repository: the file that its engine opens, or all of it.
fn root(facts: &LaneFacts, slot: Slot, listing: &Listing) -> PathBuf {
    let file = |name: &str| PathBuf::from(format!("/{name}"));
    let first = || listing.files.first().map_or_else(|| file(""), |it| file(&it.path));
    match slot {
        Slot::Own => {
            let own = facts.own_artifacts().first();
            let path = own.and_then(|own| own.artifact.located.value.service_path.as_ref());
            let name = path.and_then(|path| path.as_path().file_name()?.to_str());
            let is_it = |it: &&RemoteFile| {
                name.is_some_and(|name| it.path.rsplit('/').next() == Some(name))
            };
            let found = listing.files.iter().find(is_it).map(|it| file(&it.path));
            found.unwrap_or_else(|| if listing.source.path.is_some() { first() } else { file("") })
        }
        Slot::Cached(index) => match facts.lane.cached.get(index).map(|cached| &cached.choice) {
            Some(Choice::File(name)) => file(name),
            Some(Choice::Quantisation(_)) => first(),
            Some(Choice::Folder | Choice::WithoutWeights) | None => file(""),
        },
    }
}

/// What decides about memory: configurations, the list of the shards, and the weights, whose headers
/// are read alone.
fn is_opened(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_document = matches!(name, "config.json" | "params.json" | "hf_quant_config.json");
    let is_weights = matches!(Weights::of(name), Some(Weights::Gguf | Weights::Safetensors));
    is_document || is_weights || name.ends_with(".safetensors.index.json")
}

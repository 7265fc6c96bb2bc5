//! What of a listing the engine of a lane loads.

use std::collections::BTreeSet;

use super::target::Slot;
use crate::facts::hub::{HubError, Listing, RemoteFile};
use crate::facts::model::Lack;
use crate::facts::{CacheState, LaneFacts};
use crate::file_name::split::SplitName;
use crate::file_name::weights::Weights;
use crate::plan::engine::Part;
use crate::plan::engine::repository::Reader;
use crate::plan::lanes::{Cached, Choice, ModelKind};

/// llama.cpp takes nothing else of a repository that has one.
pub(super) const PRESET: &str = "preset.ini";

/// What of a listing the lane's engine loads, and what it leaves. What the user has chosen is not
/// chosen from again.
///
/// # Errors
/// [`HubError::FileNotFound`], where it has not got the file that the engine will choose.
pub(super) fn of_lane(
    facts: &LaneFacts,
    slot: Slot,
    listing: Listing,
) -> Result<(Listing, Vec<RemoteFile>), HubError> {
    let cached = cached(facts, slot);
    let mut listing = match cached {
        Some(cached) => opened(cached, listing)?,
        None => listing,
    };
    let lane = &facts.lane;
    let chosen = !lane.include.is_empty() || listing.source.path.is_some();
    let picks =
        |cached: &Cached| matches!(cached.choice, Choice::File(_) | Choice::Quantisation(_));
    let is_known = cached.is_some()
        || lane.engine.is_some()
        || matches!(lane.kind, Some(ModelKind::Vllm | ModelKind::Embedding));
    if chosen || cached.is_some_and(picks) || !is_known {
        return Ok((listing, Vec::new()));
    }
    let mut surplus = surplus(facts, cached, &listing);
    surplus.retain(|path| !is_asked_for(facts, slot, path));
    let (left_out, kept) = listing.files.into_iter().partition(|it| surplus.contains(&it.path));
    listing.files = kept;
    Ok((listing, left_out))
}

fn cached(facts: &LaneFacts, slot: Slot) -> Option<&Cached> {
    match slot {
        Slot::Own => None,
        Slot::Cached(index) => facts.lane.cached.get(index),
    }
}

/// Whether a file has to be in a cache, loaded or not, because the listing there names it.
fn is_asked_for(facts: &LaneFacts, slot: Slot, path: &str) -> bool {
    let Slot::Cached(index) = slot else { return false };
    let state = facts.cached.get(index).map(|cached| &cached.state);
    matches!(state, Some(CacheState::Lacking(lacks)) if lacks.contains(&Lack::Listed(path.into())))
}

/// The names of what the engine does not load.
fn surplus(facts: &LaneFacts, cached: Option<&Cached>, listing: &Listing) -> BTreeSet<String> {
    let invocation = facts.lane.invocation.as_ref();
    // Adapters are loaded even onto weights that are made up.
    let invocation = invocation.filter(|it| cached.is_none() || !it.makes_up_weights());
    let load_format = invocation.and_then(|it| it.load_format.as_deref());
    let graphs = facts.lane.invocation.as_ref().map(|it| it.graphs);
    let reader = Reader { engine: facts.lane.engine, load_format, graphs };
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let mut surplus = reader.surplus(&paths);
    if cached.is_some_and(without_weights) {
        let of_weights = |path: &&str| Weights::of(path).is_some() || path.ends_with(".index.json");
        surplus.extend(paths.into_iter().filter(of_weights));
    }
    surplus.into_iter().map(str::to_owned).collect()
}

fn without_weights(cached: &Cached) -> bool {
    cached.part == Part::Tokenizer || cached.choice == Choice::WithoutWeights
}

/// The listing, if it has the file that llama.cpp will choose; that alone then, or its split set.
fn opened(cached: &Cached, mut listing: Listing) -> Result<Listing, HubError> {
    let Choice::Quantisation(wanted) = &cached.choice else { return Ok(listing) };
    let names: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    if names.contains(&PRESET) {
        listing.files.retain(|file| file.path == PRESET);
        return Ok(listing);
    }
    let Some(chosen) = cached.choice.pick(&names).map(str::to_owned) else {
        let ggufs = names.iter().filter(|name| Weights::Gguf.are_in(name));
        let similar = ggufs.take(5).map(|name| (*name).to_owned()).collect();
        let path = format!("*{}*.gguf", wanted.as_deref().unwrap_or(""));
        return Err(HubError::FileNotFound {
            repository: cached.repository.clone(),
            path,
            similar,
        });
    };
    let set = SplitName::of_gguf(&chosen);
    let projector = projector(&names, &chosen).filter(|_| cached.projector).map(str::to_owned);
    listing.files.retain(|file| {
        file.path == chosen
            || set.is_some_and(|set| set.has_part(&file.path))
            || Some(&file.path) == projector.as_ref()
    });
    // What is named in messages comes first.
    listing.files.sort_by_key(|file| Some(&file.path) == projector.as_ref());
    Ok(listing)
}

/// The projector of images that llama.cpp brings along with `model`: of those in its folder or above,
/// the deepest (common/download.cpp `find_best_sibling`).
fn projector<'a>(names: &[&'a str], model: &str) -> Option<&'a str> {
    let folder =
        |path: &str| path.rsplit_once('/').map_or(String::new(), |(it, _)| format!("{it}/"));
    let own = folder(model);
    let candidates = names.iter().copied().filter(|name| {
        Weights::Gguf.are_in(name) && name.contains("mmproj") && own.starts_with(&folder(name))
    });
    candidates.reduce(|best, name| if folder(best) < folder(name) { name } else { best })
}

#[cfg(test)]
mod tests {
    use super::super::cache::tests::{cached, listing};
    use super::*;
    use crate::options::Role;
    use crate::plan::lanes::Lane;

    fn check(part: Part, choice: Choice, paths: &[&str], expected: &[&str]) {
        let lane = Lane {
            cached: vec![Cached { part, choice, ..cached(Choice::Folder, vec![]) }],
            ..Lane::named("x")
        };
        let facts = LaneFacts::of(lane, Role::Hand);
        let (kept, left_out) = of_lane(&facts, Slot::Cached(0), listing(paths)).unwrap();
        let kept: Vec<&str> = kept.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(kept, expected);
        assert_eq!(kept.len() + left_out.len(), paths.len());
    }

    #[test]
    fn what_the_engine_does_not_load_is_left_where_it_is() {
        let paths = ["config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"];
        check(Part::Model, Choice::Folder, &paths, &[paths[0], paths[1], paths[3]]);
        check(Part::Tokenizer, Choice::Folder, &paths, &[paths[0], paths[3]]);
        check(Part::Model, Choice::WithoutWeights, &paths, &[paths[0], paths[3]]);
        check(Part::Model, Choice::File("a.gguf".to_owned()), &paths, &paths);
    }

    #[test]
    fn the_projector_that_comes_along_is_the_nearest_above_the_model() {
        for (names, model, expected) in [
            (&["a-Q4.gguf", "mmproj-F16.gguf"][..], "a-Q4.gguf", Some("mmproj-F16.gguf")),
            (&["q/mmproj.gguf", "mmproj.gguf", "q/a.gguf"][..], "q/a.gguf", Some("q/mmproj.gguf")),
            (&["x/mmproj.gguf", "q/a.gguf"][..], "q/a.gguf", None),
            (&["a.gguf", "mmproj.txt"][..], "a.gguf", None),
        ] {
            assert_eq!(projector(names, model), expected, "{names:?}");
        }
    }

    #[test]
    fn of_a_split_model_its_own_parts_are_brought_and_no_other_file_whose_name_begins_alike() {
        let paths = [
            "m-Q8_0-00001-of-00002.gguf",
            "m-Q8_0-00001-of-00003.gguf",
            "m-Q8_0-00002-of-00002.gguf",
            "m-Q8_0-imatrix.gguf",
        ];
        let cached = cached(Choice::Quantisation(Some("Q8_0".to_owned())), Vec::new());
        let opened = opened(&cached, listing(&paths)).unwrap();
        let opened: Vec<_> = opened.files.into_iter().map(|file| file.path).collect();
        assert_eq!(opened, [paths[0], paths[2]]);
    }

    #[test]
    fn of_a_repository_with_a_preset_llama_cpp_takes_that_alone() {
        let cached = cached(Choice::Quantisation(None), Vec::new());
        let opened = opened(&cached, listing(&["a-Q4_K_M.gguf", PRESET])).unwrap();
        assert_eq!(opened.files.len(), 1);
        assert_eq!(opened.files[0].path, PRESET);
    }
}

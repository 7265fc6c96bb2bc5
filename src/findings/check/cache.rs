//! Lanes whose engines name a repository, and take it from a cache of the hub or from the hub.

pub mod emptied;
mod misplaced;
mod unwritable;

use super::hub::NOT_WRITABLE;
use super::rule::{Check, Run};
use crate::amount::size;
use crate::exit_code::ExitCode;
use crate::facts::hub::Listing;
use crate::facts::model::Lack;
use crate::facts::{CacheFacts, CacheState, LaneFacts};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::{HubCache, Part, Pins};
use crate::plan::lanes::{Bringer, Cached, Choice};
use crate::source_map::{Place, VariableSource};

/// Whether what an engine downloads outlives its container.
pub static MOUNT: Check =
    Check { rules: &[&CACHE_NOT_MOUNTED, &NOT_WRITABLE], run: Run::Mount(mount) };

/// What is not in a cache: who brings it.
pub static CONTENT: Check = Check {
    rules: &[&NOT_IN_CACHE, &NOT_WRITABLE, &ENGINE_WILL_FETCH, &CACHE_OWNER_UNKNOWN],
    run: Run::Missing(content),
};

static CACHE_NOT_MOUNTED: Rule = Rule::warning(
    "cache-not-mounted",
    ExitCode::Mount,
    include_str!("cache/rules/cache-not-mounted.md"),
);

static NOT_IN_CACHE: Rule =
    Rule::error("not-in-cache", ExitCode::Incomplete, include_str!("cache/rules/not-in-cache.md"));

static ENGINE_WILL_FETCH: Rule = Rule::note(
    "engine-will-fetch",
    ExitCode::Ready,
    include_str!("cache/rules/engine-will-fetch.md"),
);

static CACHE_OWNER_UNKNOWN: Rule = Rule::note(
    "cache-owner-unknown",
    ExitCode::Disk,
    include_str!("cache/rules/cache-owner-unknown.md"),
);

/// The words that keep an engine to one commit of its model. A tokenizer of another repository stays at
/// its own revision.
pub(super) fn revision_words(facts: &LaneFacts, commit: &str) -> String {
    let of = |part: Part| facts.lane.cached.iter().find(move |cached| cached.part == part);
    let flag = facts.lane.engine.and_then(|engine| match engine.command_line().pins {
        Pins::Revision { of_tokenizer } => of_tokenizer,
        Pins::RevisionOrCache | Pins::Offline(_) | Pins::Never => None,
    });
    let model = of(Part::Model).map(|model| &model.repository);
    match flag.zip(of(Part::Tokenizer).filter(|it| Some(&it.repository) != model)) {
        Some((flag, tokenizer)) => {
            let revision = tokenizer.revision.as_deref().unwrap_or("main");
            format!("--revision {commit} {flag} {revision}")
        }
        None => format!("--revision {commit}"),
    }
}

/// Why a repository of the lane could not be judged: neither its cache nor the hub told. Absent: all
/// of them could.
#[must_use]
pub fn unjudged(facts: &LaneFacts) -> Option<String> {
    facts.cached.iter().find_map(|cached| why_unjudged(facts, cached))
}

fn why_unjudged(facts: &LaneFacts, cached: &CacheFacts) -> Option<String> {
    let name = &cached.cached.repository;
    let seen = match &cached.state {
        CacheState::Held => return None,
        CacheState::Lacking(_) | CacheState::NotMounted
            if facts.engine_is_offline() && facts.cache_still_brought(cached).is_some() =>
        {
            let bringer = facts.cache_still_brought(cached).filter(|it| !it.is_said)?;
            return Some(format!("`{name}` is not there, and {} may bring it", bringer.who));
        }
        CacheState::Lacking(_) => None,
        CacheState::NotMounted if facts.engine_is_offline() && !facts.image_is_empty() => {
            return Some(format!("if `{name}` is in the image cannot be told"));
        }
        CacheState::NotMounted => None,
        CacheState::Unseen(why) => Some(why.as_str()),
    };
    if facts.engine_is_offline() {
        return seen.map(str::to_owned);
    }
    let without_engine = facts.lane.services.is_empty();
    if cached.probe.is_some() || without_engine || cached.cached.source().is_some() {
        return None;
    }
    let seen = seen.map(|why| format!("{why}; ")).unwrap_or_default();
    let absent = if seen.is_empty() { "" } else { "if it is not there, " };
    Some(format!(
        "{seen}{absent}the engine will download `{name}` itself; the hub is only asked for `owner/name`"
    ))
}

fn mount(facts: &LaneFacts, findings: &mut Findings) {
    // Without the weights it is not worth a mount.
    let has_weights = |facts: &CacheFacts| facts.cached.choice != Choice::WithoutWeights;
    let is_unmounted = |facts: &&CacheFacts| {
        facts.state == CacheState::NotMounted && facts.misplaced.is_none() && has_weights(facts)
    };
    let unmounted = facts.cached.iter().find(is_unmounted);
    let Some(found) = unmounted.filter(|_| !facts.engine_is_offline()) else { return };
    if let Some(finding) = unwritable::without_mount(facts, found) {
        findings.push(about(facts, &found.cached.place, finding));
        return;
    }
    let cached = &found.cached;
    let (Some(home), Some(service)) = (cached.home(), facts.lane.services.first()) else { return };
    let name = &cached.repository;
    let (message, fix) = match set_to_nothing(facts, cached) {
        Some((variable, fix)) => (
            format!(
                "`{variable}` is set to nothing, so that `{service}` keeps `{name}` in `{home}`, \
                 which no mount reaches: every new container downloads it again"
            ),
            fix,
        ),
        None => {
            let target = target(&home);
            let message = format!(
                "no mount of `{service}` reaches `{home}`, where it keeps `{name}`: every new \
                 container downloads it again"
            );
            let fix = (facts.orders.dialect.words().keep_cache)(service, target);
            (message, fix)
        }
    };
    let finding = about(facts, &cached.place, Finding::new(&CACHE_NOT_MOUNTED, message, fix));
    findings.push(with_its_cache(facts, finding));
}

/// The folder to mount for a cache.
fn target(home: &str) -> &str {
    home.strip_suffix("/hub").filter(|folder| !folder.is_empty()).unwrap_or(home)
}

fn hub_cache(facts: &LaneFacts) -> Option<&HubCache> {
    facts.lane.invocation.as_ref().and_then(|invocation| invocation.hub_cache.as_ref())
}

/// Points at what says where the cache is.
fn with_its_cache(facts: &LaneFacts, finding: Finding) -> Finding {
    match hub_cache(facts).filter(|cache| cache.place.span.is_some()) {
        Some(HubCache { place, nothing: true, .. }) => finding.also(place, "set to nothing"),
        Some(HubCache { place, .. }) => finding.also(place, "its cache"),
        None => finding,
    }
}

/// The variable that names the cache and is set to nothing, with what to do about it.
fn set_to_nothing(facts: &LaneFacts, cached: &Cached) -> Option<(String, String)> {
    let cache = hub_cache(facts).filter(|cache| cache.nothing)?;
    let variable = cache.by.as_ref().filter(|_| cached.home() == Some(cache.path.to_string()))?;
    let service = facts.lane.services.first()?;
    let unset = cache.place.variables.iter().find(|it| it.set_by == VariableSource::Unset);
    let set = match unset {
        Some(unset) => format!("set `{}`", unset.name),
        None => format!("give `{variable}` the folder that is mounted"),
    };
    let fix = format!("{set}, or take `{variable}` out of the environment of service `{service}`");
    Some((variable.clone(), fix))
}

fn content(facts: &LaneFacts, findings: &mut Findings) {
    for cached in facts.cached.iter().filter(|_| facts.lane.skipped.is_none()) {
        if let Some(finding) = owner_unknown(cached) {
            findings.push(about(facts, &cached.cached.place, finding));
        }
        let found = match (&cached.state, &cached.probe) {
            (CacheState::Held, _) => None,
            _ if misplaced::matters(facts, cached) => misplaced::judge(facts, cached),
            // It is about to be brought, or why it was not has been said.
            (_, Some(Ok(_))) if cached.fill.is_some() && !has_fetched(facts) => None,
            (state, Some(Ok(listing))) if !facts.engine_is_offline() => {
                let cannot = unwritable::judge(facts, cached);
                cannot.or_else(|| Some(will_fetch(cached, state, Some(listing))))
            }
            (state, None) if is_left_to_engine(facts, cached) => {
                let cannot = unwritable::judge(facts, cached);
                cannot.or_else(|| Some(will_fetch(cached, state, cached.foretold.as_ref())))
            }
            (CacheState::Lacking(lacks), None | Some(Ok(_))) => not_in_cache(facts, cached, lacks),
            (CacheState::NotMounted, None)
                if facts.engine_is_offline() && facts.cache_still_brought(cached).is_some() =>
            {
                let home = cached.cached.home().unwrap_or_default();
                let bringer = facts.cache_still_brought(cached);
                bringer.map(|bringer| still_brought(cached, bringer, &home))
            }
            (CacheState::NotMounted, None) => {
                let nowhere = facts.engine_is_offline() && facts.image_is_empty();
                nowhere.then(|| not_mounted(facts, cached))
            }
            (CacheState::Unseen(_) | CacheState::NotMounted, _) | (_, Some(Err(_))) => None,
        };
        if let Some(finding) = found {
            findings.push(about(facts, &cached.cached.place, finding));
        }
    }
}

fn owner_unknown(facts: &CacheFacts) -> Option<Finding> {
    let (Some(user), Some(_), Some(Ok(_))) = (&facts.named_user, &facts.fill, &facts.probe) else {
        return None;
    };
    let service = facts.cached.places.first().and_then(|place| place.service.as_deref())?;
    let message = format!(
        "`{service}` runs as `{user}`, a name: what is fetched into its cache belongs to the owner \
         of the cache's folder"
    );
    let fix = format!("write the `user` of service `{service}` as numbers, such as \"1000:1000\"");
    Some(Finding::new(&CACHE_OWNER_UNKNOWN, message, fix))
}

/// So many of the things that are missing are named.
const MOST_LACKS: usize = 5;

/// What is missing, as a list in a sentence.
fn listed(lacks: &[Lack]) -> String {
    let told = |lack: &Lack| match lack {
        Lack::File(path) => path.display().to_string(),
        Lack::Weights => "the weights".to_owned(),
        Lack::Tokenizer => "the tokenizer".to_owned(),
        Lack::Listed(path) => format!("{} (which its listing names)", path.display()),
        Lack::Reference { file, .. } => format!("a sound {}", file.display()),
    };
    let names = lacks.iter().take(MOST_LACKS).map(told).collect::<Vec<_>>().join(", ");
    match lacks.len().saturating_sub(MOST_LACKS) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

fn has_fetched(facts: &LaneFacts) -> bool {
    matches!(facts.source.fetch, Some(Ok(())))
}

/// Whether its engine asks the hub for it, though nobody else has.
fn is_left_to_engine(facts: &LaneFacts, cached: &CacheFacts) -> bool {
    let has_engine = !facts.lane.services.is_empty();
    has_engine && !facts.engine_is_offline() && cached.cached.source().is_some()
}

/// `listing` is what it will bring; absent: not known.
fn will_fetch(facts: &CacheFacts, state: &CacheState, listing: Option<&Listing>) -> Finding {
    let name = &facts.cached.repository;
    let home = facts.cached.home().map(|home| format!(" `{home}`")).unwrap_or_default();
    let why = match state {
        CacheState::Lacking(lacks) if lacks.is_empty() => format!("its cache{home} has not got it"),
        CacheState::Lacking(lacks) => format!("its cache{home} lacks {}", listed(lacks)),
        CacheState::NotMounted => format!("its cache{home} is not mounted"),
        CacheState::Unseen(why) => format!("its cache could not be looked at, {why}"),
        CacheState::Held => String::new(),
    };
    let file = listing.and_then(|listing| listing.files.first());
    let what = match (&facts.cached.choice, file) {
        (Choice::Folder | Choice::WithoutWeights, _) => {
            format!("what it needs of `{name}`")
        }
        (Choice::File(_) | Choice::Quantisation(_), Some(file)) => {
            format!("`{}` of `{name}`", file.path)
        }
        (Choice::File(file), None) => format!("`{file}` of `{name}`"),
        (Choice::Quantisation(_), None) => format!("a file of `{name}`"),
    };
    let fix = match facts.probe {
        Some(_) => "nothing has to be done; its first start takes as long as the download",
        None => {
            "nothing has to be done; `preflight fetch --dry-run` asks the hub whether it is there \
             and may be read, and how large it is"
        }
    };
    let message = format!("the engine will download {what} itself: {why}");
    let finding = Finding::new(&ENGINE_WILL_FETCH, message, fix).anywhere();
    let Some(listing) = listing else { return finding };
    let bytes = listing.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    finding
        .with("commit", &listing.commit)
        .with("files", listing.files.len())
        .with("size", size(bytes))
}

fn not_in_cache(facts: &LaneFacts, cached: &CacheFacts, lacks: &[Lack]) -> Option<Finding> {
    let without_engine = facts.lane.services.is_empty();
    if !without_engine && !facts.engine_is_offline() {
        return None;
    }
    let name = &cached.cached.repository;
    let home = cached.cached.home().unwrap_or_default();
    let on_host = cached.cached.places.first().and_then(|place| place.host_path.as_ref());
    if let Some(bringer) = facts.cache_still_brought(cached) {
        return Some(still_brought(cached, bringer, &home));
    }
    if let [Lack::Reference { file, commit }] = lacks {
        let cache = on_host.map_or_else(|| home.clone(), ToString::to_string);
        let message = format!(
            "the hub cache `{home}` has `{name}`, but `{}` has a line break or a blank beside the \
             commit, which the engine takes for a part of it, and the engine may not ask the hub",
            file.display()
        );
        let fix = format!("run `printf %s {commit} > '{cache}/{}'`", file.display());
        return Some(Finding::new(&NOT_IN_CACHE, message, fix));
    }
    let what = match lacks {
        [] => format!("`{name}` is not in the hub cache `{home}`"),
        lacks => format!("the hub cache `{home}` has `{name}` without {}", listed(lacks)),
    };
    let cache = on_host.map(|path| format!("HF_HUB_CACHE='{path}' ")).unwrap_or_default();
    let revision = cached.cached.revision.as_deref().map(|it| format!(" --revision {it}"));
    let download = format!("{cache}hf download {name}{}", revision.unwrap_or_default());
    let (message, fix) = if without_engine {
        (what, format!("run `{download}`"))
    } else {
        let apart = if looks_past_own_folder(facts, cached) {
            ", nor does it then look for its model in `--download-dir`"
        } else {
            ""
        };
        (
            format!("{what}, and the engine may not ask the hub{apart}"),
            format!("run `{download}`, or {}", online_again(facts)),
        )
    };
    Some(Finding::new(&NOT_IN_CACHE, message, fix))
}

/// Somebody may bring it before its engine looks.
fn still_brought(cached: &CacheFacts, bringer: &Bringer, home: &str) -> Finding {
    let name = &cached.cached.repository;
    let message =
        format!("`{name}` is not in the hub cache `{home}`; {} may bring it", bringer.who);
    let finding = Finding::new(&NOT_IN_CACHE, message, bringer.nothing_to_do());
    finding.severity(Severity::Note).also(&bringer.place, "written here")
}

/// What lets the lane's engine ask the hub.
fn online_again(facts: &LaneFacts) -> String {
    match facts.lane.engine.map(|engine| engine.command_line().pins) {
        Some(Pins::Offline(word)) => format!("let the engine ask the hub, without `{word}`"),
        Some(Pins::Revision { .. } | Pins::RevisionOrCache | Pins::Never) | None => {
            "remove `HF_HUB_OFFLINE` from the service's environment".to_owned()
        }
    }
}

/// Whether an engine that may not ask the hub does not look where it puts the weights that it
/// downloads.
fn looks_past_own_folder(facts: &LaneFacts, cached: &CacheFacts) -> bool {
    let cached = &cached.cached;
    let invocation = facts.lane.invocation.as_ref();
    let is_told = invocation.is_some_and(|invocation| invocation.download_dir.is_some());
    is_told && cached.part == Part::Model && cached.beside.is_empty()
}

fn not_mounted(facts: &LaneFacts, cached: &CacheFacts) -> Finding {
    let name = &cached.cached.repository;
    let home = cached.cached.home().unwrap_or_default();
    if let Some((variable, fix)) = set_to_nothing(facts, &cached.cached) {
        let message = format!(
            "`{name}` is nowhere: `{variable}` is set to nothing, so that the hub cache is `{home}`, \
             which no mount reaches, and the engine may not ask the hub"
        );
        return with_its_cache(facts, Finding::new(&NOT_IN_CACHE, message, fix));
    }
    let message = format!(
        "`{name}` is nowhere: no mount reaches the hub cache `{home}`, and the engine may not ask \
         the hub"
    );
    let fix = format!("mount a hub cache there that holds it, or {}", online_again(facts));
    Finding::new(&NOT_IN_CACHE, message, fix)
}

/// Names the lane and its service, and points at the word that names the repository.
fn about(facts: &LaneFacts, place: &Place, finding: Finding) -> Finding {
    let finding = finding.lane(&facts.lane.name).at(place);
    match facts.lane.services.first() {
        Some(service) => finding.service(service),
        None => finding,
    }
}

#[cfg(test)]
mod tests;

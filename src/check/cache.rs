//! Lanes whose engines name a repository, and take it from a cache of the hub or from the hub.

use super::rule::{Check, Run};
use crate::amount::size;
use crate::exit_code::ExitCode;
use crate::facts::{CacheFacts, CacheState, LaneFacts};
use crate::finding::{Finding, Findings, Rule, Severity};
use crate::hub::Listing;
use crate::lanes::Choice;
use crate::source_map::Place;

/// Whether what an engine downloads outlives its container.
pub static MOUNT: Check = Check { rules: &[&CACHE_NOT_MOUNTED], run: Run::Mount(mount) };

/// What is not in a cache: who brings it.
pub static CONTENT: Check = Check {
    rules: &[&NOT_IN_CACHE, &ENGINE_WILL_FETCH, &CACHE_OWNER_UNKNOWN],
    run: Run::Hub(content),
};

static CACHE_NOT_MOUNTED: Rule = Rule {
    id: "cache-not-mounted",
    severity: Severity::Warning,
    exit: ExitCode::Mount,
    docs: "\
The engine is told the name of a repository, downloads it into its cache, and no mount reaches that
cache: the files are in the container and go with it.

Every time that the container is made anew (`docker compose up` after a change, `down` and `up`, an
update of the image) everything is downloaded again, and the start fails when the hub cannot be
reached.

```yaml
services:
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: Qwen/Qwen2.5-Coder-7B-Instruct    # kept in /root/.cache/huggingface
```

**Fix:** mount a volume there:

```yaml
services:
  coder:
    volumes:
      - huggingface:/root/.cache/huggingface
volumes:
  huggingface:
```
",
};

static NOT_IN_CACHE: Rule = Rule {
    id: "not-in-cache",
    severity: Severity::Error,
    exit: ExitCode::Incomplete,
    docs: "\
A repository is not in the cache that it is taken from, or not all of it, and nobody will bring it:
the engine has been told not to ask the hub (`HF_HUB_OFFLINE=1`, `--offline`), or the lane is one
that no engine of the project opens.

An engine that is offline and has no files ends at once, with a message about the connection rather than
about the files.

```yaml
services:
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: Qwen/Qwen2.5-Coder-7B-Instruct
    environment: {HF_HUB_OFFLINE: \"1\"}
    volumes:
      - ./huggingface:/root/.cache/huggingface    # empty
```

**Fix:** let preflight fill the cache (`preflight fetch`, or mount the cache into its service,
writable), let the engine ask the hub once, by removing the variable, or do it by hand:

```sh
HF_HOME=./huggingface hf download Qwen/Qwen2.5-Coder-7B-Instruct
```
",
};

static ENGINE_WILL_FETCH: Rule = Rule {
    id: "engine-will-fetch",
    severity: Severity::Note,
    exit: ExitCode::Ready,
    docs: "\
The files are not in the engine's cache, preflight may not write there (nothing is mounted there, or
not for preflight too), and the engine will download them itself when it starts. The hub was asked:
the repository is there, it has the file that the engine will choose, and it may be read. The lane
counts as ready, although nobody has seen its files.

What this cannot know: whether the engine may read a gated repository with the token in its own
environment, and whether its disk has room. Its first start takes as long as the download.

```yaml
services:
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: Qwen/Qwen2.5-Coder-7B-Instruct
```

**Fix:** nothing has to be done. To have the files proved before the engine starts, mount its cache
into preflight's service as well, writable: then they are fetched there, for the user that the engine
runs as. Or fetch them into a folder and name that instead:

```yaml
    command: /models/coder
    volumes: [./models:/models]
x-preflight:
  lanes:
    coder: {service: coder, source: \"hf://Qwen/Qwen2.5-Coder-7B-Instruct\"}
```
",
};

static CACHE_OWNER_UNKNOWN: Rule = Rule {
    id: "cache-owner-unknown",
    severity: Severity::Note,
    exit: ExitCode::Disk,
    docs: "\
Files are fetched into the cache of a service whose `user` is a name: which number that is stands in the
image. The files belong to the owner of the cache's folder instead, and everybody can read them.

Another owner than the engine's user is no obstacle to loading. But the engine cannot put more into
folders that are not its own: a newer revision, or a file that it turns out to need.

```yaml
services:
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: Qwen/Qwen2.5-Coder-7B-Instruct
    user: vllm                                 # the volume belongs to root
    volumes: [\"huggingface:/home/vllm/.cache/huggingface\"]
```

**Fix:** write the user as numbers, `user: \"1000:1000\"`. `docker compose run --rm --entrypoint id SERVICE`
prints them.",
};

fn mount(facts: &LaneFacts, findings: &mut Findings) {
    let unmounted = facts.cached.iter().find(|facts| facts.state == CacheState::NotMounted);
    let Some(CacheFacts { cached, .. }) = unmounted.filter(|_| !facts.engine_is_offline()) else {
        return;
    };
    let (Some(home), Some(service)) = (cached.home(), facts.lane.services.first()) else { return };
    let name = &cached.repository;
    let message = format!(
        "no mount of `{service}` reaches `{home}`, where it keeps `{name}`: every new container \
         downloads it again"
    );
    let target = home.strip_suffix("/hub").filter(|folder| !folder.is_empty()).unwrap_or(&home);
    let fix = format!(
        "add `- huggingface:{target}` to the `volumes` of service `{service}`, and `huggingface:` \
         to the `volumes` of the project"
    );
    let cache = facts.lane.invocation.as_ref().and_then(|invocation| invocation.hub_cache.as_ref());
    let finding = about(facts, &cached.place, Finding::new(&CACHE_NOT_MOUNTED, message, fix));
    findings.push(match cache {
        Some(cache) if cache.place.span.is_some() => finding.also(&cache.place, "its cache"),
        Some(_) | None => finding,
    });
}

fn content(facts: &LaneFacts, findings: &mut Findings) {
    for cached in facts.cached.iter().filter(|_| facts.lane.skipped.is_none()) {
        if let Some(finding) = owner_unknown(cached) {
            findings.push(about(facts, &cached.cached.place, finding));
        }
        let found = match (&cached.state, &cached.probe) {
            (CacheState::Held, _) => None,
            // It is about to be brought, or why it was not has been said.
            (_, Some(Ok(_))) if cached.fill.is_some() && !has_fetched(facts) => None,
            (state, Some(Ok(listing))) if !facts.engine_is_offline() => {
                Some(will_fetch(cached, state, listing))
            }
            (CacheState::Lacking(names), None | Some(Ok(_))) => not_in_cache(facts, cached, names),
            (CacheState::NotMounted, None) => {
                let nowhere = facts.engine_is_offline() && facts.image_is_empty();
                nowhere.then(|| not_mounted(cached))
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

fn has_fetched(facts: &LaneFacts) -> bool {
    matches!(facts.fetch, Some(Ok(())))
}

fn will_fetch(facts: &CacheFacts, state: &CacheState, listing: &Listing) -> Finding {
    let name = &facts.cached.repository;
    let bytes = listing.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    let home = facts.cached.home().map(|home| format!(" `{home}`")).unwrap_or_default();
    let why = match state {
        CacheState::Lacking(names) if names.is_empty() => format!("its cache{home} has not got it"),
        CacheState::Lacking(names) => format!("its cache{home} lacks {}", names.join(", ")),
        CacheState::NotMounted => format!("its cache{home} is not mounted"),
        CacheState::Unseen(why) => format!("its cache could not be looked at, {why}"),
        CacheState::Held => String::new(),
    };
    let message = match facts.cached.choice {
        Choice::Folder | Choice::WithoutWeights => {
            format!("the engine will download what it needs of `{name}` itself: {why}")
        }
        Choice::File(_) | Choice::Quantisation(_) => {
            let file = listing.files.first().map_or("", |file| file.path.as_str());
            format!("the engine will download `{file}` of `{name}` itself: {why}")
        }
    };
    let fix = "nothing has to be done; its first start takes as long as the download";
    Finding::new(&ENGINE_WILL_FETCH, message, fix)
        .with("commit", &listing.commit)
        .with("files", listing.files.len())
        .with("size", size(bytes))
}

fn not_in_cache(facts: &LaneFacts, cached: &CacheFacts, names: &[String]) -> Option<Finding> {
    let without_engine = facts.lane.services.is_empty();
    if !without_engine && !facts.engine_is_offline() {
        return None;
    }
    let name = &cached.cached.repository;
    let home = cached.cached.home().unwrap_or_default();
    let what = match names {
        [] => format!("`{name}` is not in the hub cache `{home}`"),
        names => format!("the hub cache `{home}` has `{name}` without {}", names.join(", ")),
    };
    let on_host = cached.cached.places.first().and_then(|place| place.host_path.as_ref());
    let cache = on_host.map(|path| format!("HF_HUB_CACHE='{path}' ")).unwrap_or_default();
    let revision = cached.cached.revision.as_deref().map(|it| format!(" --revision {it}"));
    let download = format!("{cache}hf download {name}{}", revision.unwrap_or_default());
    let (message, fix) = if without_engine {
        (what, format!("run `{download}`"))
    } else {
        (
            format!("{what}, and the engine may not ask the hub"),
            format!("run `{download}`, or remove `HF_HUB_OFFLINE` from the service's environment"),
        )
    };
    Some(Finding::new(&NOT_IN_CACHE, message, fix))
}

fn not_mounted(cached: &CacheFacts) -> Finding {
    let name = &cached.cached.repository;
    let home = cached.cached.home().unwrap_or_default();
    let message = format!(
        "`{name}` is nowhere: no mount reaches the hub cache `{home}`, and the engine may not ask \
         the hub"
    );
    let fix = "mount a hub cache there that holds it, or remove `HF_HUB_OFFLINE` from the service's \
               environment";
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

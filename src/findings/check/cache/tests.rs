use super::*;
use crate::facts::hub::{HubError, ObjectId, RemoteFile};
use crate::facts::{Ground, Starter, Step};
use crate::findings::Policy;
use crate::look::{FileKind, Owner};
use crate::options::Role;
use crate::path::ServicePath;
use crate::plan::engine::{Engine, Invocation, Part};
use crate::plan::lanes::{Cached, Lane, Origin};
use crate::project::mounts::{Located, Sight};
use crate::project::{Mount, MountSource};
use crate::source::Source;
use crate::source_map::Spanned;

fn facts(state: CacheState, choice: Choice) -> LaneFacts {
    let place = Located {
        service: Some("llm".to_owned()),
        service_path: Some(ServicePath::new("/root/.cache/huggingface/hub")),
        host_path: None,
        sight: Sight::NotMounted,
        mount: None,
    };
    let cached = Cached {
        part: Part::Model,
        repository: "o/r".to_owned(),
        revision: None,
        choice,
        projector: true,
        places: vec![place],
        fillable: 0,
        beside: Vec::new(),
        from: Origin::Engine("MODEL".to_owned()),
        place: Place::nowhere(),
    };
    let lane = Lane {
        services: vec!["llm".to_owned()],
        engine: Some(Engine::Vllm),
        invocation: Some(Invocation { stock: true, ..Invocation::bare(Engine::Vllm) }),
        cached: vec![cached.clone()],
        ..Lane::named("coder")
    };
    LaneFacts {
        cached: vec![CacheFacts {
            cached,
            state,
            misplaced: None,
            fill: None,
            named_user: None,
            probe: None,
            foretold: None,
            ground: None,
            read_only_root: None,
        }],
        ..LaneFacts::of(lane, Role::Hand)
    }
}

fn offline(mut facts: LaneFacts, stock: bool) -> LaneFacts {
    let bare = Invocation::bare(Engine::Vllm);
    facts.lane.invocation = Some(Invocation { offline: true, stock, ..bare });
    facts
}

fn probed(mut facts: LaneFacts, probe: &Result<Listing, HubError>) -> LaneFacts {
    for cached in &mut facts.cached {
        cached.probe = Some(probe.clone());
    }
    facts
}

fn listing() -> Listing {
    let source = Source { owner: "o".into(), repo: "r".into(), revision: None, path: None };
    let file = RemoteFile {
        path: "m-Q4_K_M.gguf".to_owned(),
        size: 3 << 30,
        oid: ObjectId::GitBlob(String::new()),
    };
    Listing { source, commit: "0".repeat(40), files: vec![file] }
}

/// `severity[id]: message / fix`, one line each, and why the lane is unknown.
fn check(facts: &LaneFacts, expected: &[&str]) {
    let mut findings = Findings::new(Policy::default());
    mount(facts, &mut findings);
    content(facts, &mut findings);
    let mut lines: Vec<String> = findings
        .into_vec()
        .into_iter()
        .map(|finding| {
            assert_eq!(finding.lane.as_deref(), Some("coder"));
            let Finding { severity, rule, message, fix, .. } = finding;
            format!("{severity}[{}]: {message} / {fix}", rule.id)
        })
        .collect();
    lines.extend(unjudged(facts).map(|why| format!("unknown: {why}")));
    assert_eq!(lines, expected);
}

const UNMOUNTED: &str = "warning[cache-not-mounted]: no mount of `llm` reaches \
    `/root/.cache/huggingface/hub`, where it keeps `o/r`: every new container downloads it again \
    / add `- huggingface:/root/.cache/huggingface` to the `volumes` of service `llm`, and \
    `huggingface:` to the `volumes` of the project";

#[test]
fn what_lies_apart_from_the_weights_is_worth_no_mount_of_its_own() {
    let told = |choice| {
        let mut findings = Findings::new(Policy::default());
        mount(&facts(CacheState::NotMounted, choice), &mut findings);
        findings.into_vec().len()
    };
    assert_eq!(told(Choice::Folder), 1);
    // With `--download-dir` that is the tokenizer and the configuration.
    assert_eq!(told(Choice::WithoutWeights), 0);
}

#[test]
fn an_engine_that_may_write_nowhere_downloads_nothing() {
    let told = |severity: &str| {
        format!(
            "{severity}[not-writable]: `llm` has to download `o/r` into \
             `/root/.cache/huggingface/hub` and cannot: its own file system is read-only, and no mount \
             reaches that folder / add `- huggingface:/root/.cache/huggingface` to the `volumes` of \
             service `llm`, and `huggingface:` to the `volumes` of the project"
        )
    };
    let sealed = |stock: bool| {
        let mut facts = facts(CacheState::NotMounted, Choice::Folder);
        facts.cached[0].read_only_root = Some(Place::nowhere());
        if let Some(invocation) = &mut facts.lane.invocation {
            invocation.stock = stock;
        }
        let mut findings = Findings::new(Policy::default());
        mount(&facts, &mut findings);
        let found = findings.into_vec().remove(0);
        format!("{}[{}]: {} / {}", found.severity, found.rule.id, found.message, found.fix)
    };
    assert_eq!(sealed(true), told("error"));
    assert_eq!(sealed(false), told("warning"));
}

#[test]
fn what_the_hub_was_not_asked_for_the_engine_will_fetch() {
    let note = "note[engine-will-fetch]: the engine will download what it needs of `o/r` itself";
    let fix = "/ nothing has to be done; `preflight fetch --dry-run` asks the hub whether it is there \
               and may be read, and how large it is";
    let home = "its cache `/root/.cache/huggingface/hub`";
    let lacking = || facts(CacheState::Lacking(vec![]), Choice::Folder);
    check(
        &facts(CacheState::NotMounted, Choice::Folder),
        &[UNMOUNTED, &format!("{note}: {home} is not mounted {fix}")],
    );
    check(&lacking(), &[&format!("{note}: {home} has not got it {fix}")]);
    check(
        &facts(CacheState::Unseen("it is a volume".to_owned()), Choice::Folder),
        &[&format!("{note}: its cache could not be looked at, it is a volume {fix}")],
    );
    for (choice, what) in [
        (Choice::Quantisation(None), "a file of `o/r`"),
        (Choice::File("m.gguf".to_owned()), "`m.gguf` of `o/r`"),
    ] {
        let one = format!("note[engine-will-fetch]: the engine will download {what} itself");
        let facts = facts(CacheState::Lacking(vec![]), choice);
        check(&facts, &[&format!("{one}: {home} has not got it {fix}")]);
    }
    let mut nameless = lacking();
    nameless.cached[0].cached.repository = "gpt2".to_owned();
    check(
        &nameless,
        &[
            "unknown: the engine will download `gpt2` itself; the hub is only asked for `owner/name`",
        ],
    );
    check(&facts(CacheState::Held, Choice::Folder), &[]);
}

#[test]
fn what_is_known_of_the_files_without_the_hub_is_told() {
    let mut facts = facts(CacheState::Lacking(vec![]), Choice::Quantisation(None));
    facts.cached[0].foretold = Some(listing());
    let mut findings = Findings::new(Policy::default());
    content(&facts, &mut findings);
    let found = findings.into_vec().remove(0);
    assert!(found.message.contains("will download `m-Q4_K_M.gguf` of `o/r`"), "{}", found.message);
    let evidence: Vec<_> = found.evidence.iter().skip(1).cloned().collect();
    assert_eq!(evidence, [("files", "1".to_owned()), ("size", "3.0 GiB".to_owned())]);
}

/// What is said where the lane's engine is to write in a folder of that mode, as that user.
fn check_ground(user: &str, mode: u32, read_only: bool, expected: Option<&str>) {
    let mut facts = facts(CacheState::Lacking(vec![]), Choice::Folder);
    let path = crate::path::HostPath::new("/srv/hf");
    facts.cached[0].ground = Some(Ground {
        folder: Step {
            path: "/cache".into(),
            kind: FileKind::Directory,
            listed: false,
            mode,
            owner: Some(Owner { uid: 0, gid: 0 }),
            listed_rights: false,
        },
        starter: Starter {
            user: (!user.is_empty()).then(|| Spanned::nowhere(user.to_owned())),
            groups: Vec::new(),
            root_reads_all: true,
        },
        mount: Mount {
            source: MountSource::Bind { path: path.clone(), create_host_path: true },
            target: ServicePath::new("/cache"),
            read_only,
            place: Place::nowhere(),
        },
        host: Some(path),
    });
    let mut findings = Findings::new(Policy::default());
    content(&facts, &mut findings);
    let found = findings.into_vec().remove(0);
    let told =
        (found.rule.id == "not-writable").then(|| format!("{} / {}", found.message, found.fix));
    assert_eq!(told.as_deref(), expected, "{user} {mode:o}");
}

#[test]
fn an_engine_that_cannot_write_in_its_cache_downloads_nothing() {
    let head = "`o/r` is missing in the cache of `llm`, which cannot download it there:";
    let closed = format!(
        "{head} `/srv/hf` has mode 0755 and belongs to 0:0, and it runs as 1000:1000 / run \
         `chown -R 1000:1000 '/srv/hf'`"
    );
    let read_only = format!(
        "{head} `/cache` is mounted read-only / mount `/cache` without `:ro` in service `llm`, or \
         bring it with `preflight fetch`"
    );
    check_ground("1000:1000", 0o755, false, Some(&closed));
    check_ground("1000:1000", 0o777, false, None);
    check_ground("0", 0o755, false, None);
    check_ground("vllm", 0o755, false, None);
    check_ground("", 0o755, false, None);
    check_ground("", 0o755, true, Some(&read_only));
}

#[test]
fn what_the_hub_has_the_engine_will_fetch() {
    let tail = "/ nothing has to be done; its first start takes as long as the download";
    let whole = "note[engine-will-fetch]: the engine will download what it needs of `o/r` itself";
    let one = "note[engine-will-fetch]: the engine will download `m-Q4_K_M.gguf` of `o/r` itself";
    let home = "its cache `/root/.cache/huggingface/hub`";
    check(
        &probed(facts(CacheState::NotMounted, Choice::Folder), &Ok(listing())),
        &[UNMOUNTED, &format!("{whole}: {home} is not mounted {tail}")],
    );
    let lacking = CacheState::Lacking(vec![Lack::File("a".into()), Lack::File("b".into())]);
    check(
        &probed(facts(lacking, Choice::Quantisation(None)), &Ok(listing())),
        &[&format!("{one}: {home} lacks a, b {tail}")],
    );
    let gone = HubError::RepositoryNotFound { repository: "o/r".to_owned() };
    check(&probed(facts(CacheState::Lacking(vec![]), Choice::Folder), &Err(gone)), &[]);
}

#[test]
fn what_keeps_llama_cpp_from_the_hub_is_a_word_of_its_own() {
    let mut facts = facts(CacheState::Lacking(vec![]), Choice::Quantisation(None));
    facts.lane.engine = Some(Engine::LlamaCpp);
    let bare = Invocation::bare(Engine::LlamaCpp);
    facts.lane.invocation = Some(Invocation { offline: true, ..bare });
    check(
        &facts,
        &[
            "error[not-in-cache]: `o/r` is not in the hub cache `/root/.cache/huggingface/hub`, and the \
           engine may not ask the hub / run `hf download o/r`, or let the engine ask the hub, without \
           `--offline`",
        ],
    );
}

#[test]
fn an_engine_that_may_not_ask_the_hub_brings_nothing() {
    let fix = "run `hf download o/r`, or remove `HF_HUB_OFFLINE` from the service's environment";
    let home = "hub cache `/root/.cache/huggingface/hub`";
    check(
        &offline(facts(CacheState::Lacking(vec![]), Choice::Folder), false),
        &[&format!(
            "error[not-in-cache]: `o/r` is not in the {home}, and the engine may not ask the hub \
             / {fix}"
        )],
    );
    check(
        &offline(facts(CacheState::Lacking(vec![Lack::File("x".into())]), Choice::Folder), true),
        &[&format!(
            "error[not-in-cache]: the {home} has `o/r` without x, and the engine may not ask the \
             hub / {fix}"
        )],
    );
    let files: Vec<Lack> = ["a", "b", "c", "d", "e", "f"].map(|it| Lack::Listed(it.into())).into();
    let which = "which its listing names";
    check(
        &offline(facts(CacheState::Lacking(files), Choice::Folder), true),
        &[&format!(
            "error[not-in-cache]: the {home} has `o/r` without a ({which}), b ({which}), c \
             ({which}), d ({which}), e ({which}) and 1 more, and the engine may not ask the hub / \
             {fix}"
        )],
    );
    let reference =
        Lack::Reference { file: "models--o--r/refs/main".into(), commit: "0123abcd".to_owned() };
    check(
        &offline(facts(CacheState::Lacking(vec![reference]), Choice::Folder), true),
        &[&format!(
            "error[not-in-cache]: the {home} has `o/r`, but `models--o--r/refs/main` has a line \
             break or a blank beside the commit, which the engine takes for a part of it, and the \
             engine may not ask the hub / run `printf %s 0123abcd > \
             '/root/.cache/huggingface/hub/models--o--r/refs/main'`"
        )],
    );
    check(
        &offline(facts(CacheState::NotMounted, Choice::Folder), true),
        &[&format!(
            "error[not-in-cache]: `o/r` is nowhere: no mount reaches the {home}, and the engine \
             may not ask the hub / mount a hub cache there that holds it, or remove \
             `HF_HUB_OFFLINE` from the service's environment"
        )],
    );
    check(
        &offline(facts(CacheState::NotMounted, Choice::Folder), false),
        &["unknown: if `o/r` is in the image cannot be told"],
    );
    check(
        &offline(facts(CacheState::Unseen("a volume".to_owned()), Choice::Folder), true),
        &["unknown: a volume"],
    );
}

#[test]
fn a_lane_that_no_engine_opens_is_brought_by_nobody() {
    let mut facts = facts(CacheState::Lacking(vec![]), Choice::Folder);
    facts.lane.services.clear();
    facts.lane.invocation = None;
    check(
        &facts,
        &["error[not-in-cache]: `o/r` is not in the hub cache `/root/.cache/huggingface/hub` / \
           run `hf download o/r`"],
    );
    facts.lane.skipped = Some("no hub cache is mounted".to_owned());
    check(&facts, &[]);
}

//! Tiny models of many architectures, and every one of them with one thing changed: what preflight
//! says of each is what the genuine llama-server does with it.
//!
//! `PREFLIGHT_TEST_GGUF_MUTATIONS` says how many of the changes, and with which seed: `all`, or one in
//! so many, `10:7`. The models know nothing of preflight's own tables: `tests/setup/gguf-models` has
//! asked a genuine server what it wants.

mod change;
pub(crate) mod model;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use self::change::{Change, changes};
use self::model::{Model, models};
use crate::gguf_oracle::{load, server};
use crate::sandbox::Sandbox;

/// How many files one run of preflight is given.
const AT_ONCE: usize = 40;

/// Of the changes of an architecture that is not laid out, so many in a hundred may be ready and
/// refused.
const MOST_READY: usize = 5;

/// A file, and what both make of it.
struct Case {
    what: String,
    serves: bool,
    ready: bool,
    /// Whether preflight says that it has no table of the architecture.
    is_trusted: bool,
    /// What the server says last, and what preflight says.
    said: (String, String),
}

/// What preflight makes of a file.
struct Judged {
    ready: bool,
    is_trusted: bool,
    said: String,
}

/// What came of one model.
#[derive(Default)]
struct Figures {
    mutants: usize,
    is_trusted: bool,
    refused: usize,
    false_ready: Vec<String>,
    false_broken: Vec<String>,
}

/// How much `variable` asks for: one in how many (`every`, where it does not say), and the seed; absent: all.
pub(crate) fn asked(variable: &str, every: usize) -> Option<(usize, u64)> {
    #[expect(clippy::disallowed_methods, reason = "a test is told how much to do")]
    let text = std::env::var(variable).unwrap_or_default();
    if text == "all" {
        return None;
    }
    let (said, seed) = text.split_once(':').unwrap_or((&text, ""));
    Some((said.parse().unwrap_or(every), seed.parse().unwrap_or(11_669)))
}

/// The changes of one model that are tried.
fn chosen(model: &Model) -> Vec<Change> {
    let all = changes(&model.document);
    let Some((every, seed)) = asked("PREFLIGHT_TEST_GGUF_MUTATIONS", 10) else { return all };
    let mut state = model.name.bytes().fold(seed, |state, byte| {
        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(byte) | 1)
    });
    let mut below = |limit: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    all.into_iter().filter(|_| below(every) == 0).collect()
}

/// Why the server ends by itself; nothing: it serves.
fn refusal(server: &str, path: &Path) -> Option<String> {
    let mut said = String::from("nothing");
    let ended = load(server, "-c 256 -t 1", path, |line| {
        if said == "nothing" && [" E ", "ASSERT", "what()"].iter().any(|it| line.contains(it)) {
            line.clone_into(&mut said);
        }
    });
    ended.map(|_| said)
}

/// What preflight says of each of the files `0.gguf`, `1.gguf`, ... of a folder.
fn judged(sandbox: Sandbox, count: usize) -> Vec<Judged> {
    let service = |index: usize| {
        let service = serde_json::json!({
            "image": "ghcr.io/ggml-org/llama.cpp:server-b11669",
            "volumes": ["./models:/models"],
            "command": ["-m", format!("/models/{index}.gguf"), "-c", "256"],
        });
        (format!("s{index:02}"), service)
    };
    let services: serde_json::Map<String, serde_json::Value> = (0..count).map(service).collect();
    let sandbox =
        sandbox.file("compose.yaml", serde_json::json!({"services": services}).to_string());
    let run = sandbox.run(&["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let lanes = report["lanes"].as_array().expect(&run.stdout);
    let of = |index: usize| {
        let name = format!("s{index:02}");
        let lane = lanes.iter().find(|lane| lane["name"] == *name).expect(&name);
        let findings = report["findings"].as_array().unwrap();
        let own = findings.iter().filter(|finding| finding["lane"] == *name);
        let own: Vec<_> = own.collect();
        let said: Vec<String> = own.iter().map(|finding| finding["message"].to_string()).collect();
        Judged {
            ready: lane["verdict"] == "ready",
            is_trusted: own.iter().any(|finding| finding["id"] == "taken-on-trust"),
            said: said.join("; "),
        }
    };
    (0..count).map(of).collect()
}

/// Both on the same files.
fn cases(server: &str, files: &[(String, Vec<u8>)]) -> Vec<Case> {
    let mut sandbox = Sandbox::new();
    for (index, (_, bytes)) in files.iter().enumerate() {
        sandbox = sandbox.file(&format!("models/{index}.gguf"), bytes);
    }
    let path = |index: usize| -> PathBuf { sandbox.path().join(format!("models/{index}.gguf")) };
    let refusals: Vec<_> = (0..files.len()).map(|index| refusal(server, &path(index))).collect();
    let judged = judged(sandbox, files.len());
    files
        .iter()
        .zip(refusals.into_iter().zip(judged))
        .map(|((what, _), (refusal, own))| Case {
            what: what.clone(),
            serves: refusal.is_none(),
            ready: own.ready,
            is_trusted: own.is_trusted,
            said: (refusal.unwrap_or_default(), own.said),
        })
        .collect()
}

/// Does `work` for every element, on every processor that there is.
pub(crate) fn each<T: Sync, R: Send>(elements: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(elements.iter().enumerate());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mut own = Vec::new();
            loop {
                let taken = next.lock().unwrap().next();
                let Some((index, element)) = taken else { break own };
                own.push((index, work(element)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn a_tiny_model_of_every_architecture_is_ready_and_served() {
    let Some(server) = server() else { return };
    let models = models();
    assert!(models.len() > 25, "{} models", models.len());
    let chunks: Vec<_> = models.chunks(AT_ONCE / 2).collect();
    let wrong: Vec<String> = each(&chunks, |chunk| {
        let files: Vec<_> =
            chunk.iter().map(|model| (model.name.clone(), model.document.bytes())).collect();
        let cases = cases(&server, &files);
        let wrong = cases.into_iter().filter(|case| !(case.ready && case.serves));
        wrong.map(|case| format!("{}: {:?}", case.what, case.said)).collect::<Vec<_>>()
    })
    .concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_tiny_model_with_one_thing_changed_is_ready_where_the_server_serves_it_and_nowhere_else() {
    let Some(server) = server() else { return };
    let models = models();
    let work: Vec<(&Model, Vec<Change>)> = models
        .iter()
        .flat_map(|model| {
            let changes = chosen(model);
            let chunks: Vec<_> = changes.chunks(AT_ONCE).map(<[Change]>::to_vec).collect();
            chunks.into_iter().map(move |chunk| (model, chunk))
        })
        .collect();
    let told = each(&work, |(model, changes)| {
        let files: Vec<_> = changes
            .iter()
            .map(|change| (change.to_string(), change.of(&model.document).bytes()))
            .collect();
        (model.name.clone(), cases(&server, &files))
    });
    let figures = summed(told);
    tell(&figures);
    let of = |count: fn(&Figures) -> usize| figures.values().map(count).sum::<usize>();
    let (mutants, refused) = (of(|own| own.mutants), of(|own| own.refused));
    assert!(mutants > 1000 && refused > mutants / 2, "{refused} of {mutants} are refused");
    assert!(refused < mutants, "nothing that may be missing was left out");
    let false_broken: Vec<&String> = figures.values().flat_map(|own| &own.false_broken).collect();
    assert!(false_broken.is_empty(), "{false_broken:#?}");
    let laid_out: Vec<&Figures> = figures.values().filter(|own| !own.is_trusted).collect();
    assert!(laid_out.len() > 20, "{} of {} are laid out", laid_out.len(), figures.len());
    let false_ready: Vec<_> = laid_out.iter().flat_map(|own| &own.false_ready).collect();
    assert!(false_ready.is_empty(), "{false_ready:#?}");
    let others = figures.values().filter(|own| own.is_trusted);
    let (ready, all) =
        others.fold((0, 0), |(ready, all), own| (ready + own.false_ready.len(), all + own.mutants));
    assert!(ready * 100 <= all * MOST_READY, "{ready} of {all} that are not laid out");
}

fn summed(told: Vec<(String, Vec<Case>)>) -> BTreeMap<String, Figures> {
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    for (model, cases) in told {
        let own = figures.entry(model.clone()).or_default();
        for case in cases {
            own.mutants += 1;
            own.refused += usize::from(!case.serves);
            own.is_trusted |= case.is_trusted;
            match (case.serves, case.ready) {
                (false, true) => {
                    own.false_ready.push(format!("{model}: {}: {}", case.what, case.said.0));
                }
                (true, false) => {
                    own.false_broken.push(format!("{model}: {}: {}", case.what, case.said.1));
                }
                (true, true) | (false, false) => {}
            }
        }
    }
    figures
}

/// The figures of each model, and every file that is judged wrongly.
#[expect(clippy::print_stdout, reason = "what is asked for are the figures")]
fn tell(figures: &BTreeMap<String, Figures>) {
    println!("{:24} mutants refused ready-but-refused broken-but-served", "model");
    let mut sum = [0; 4];
    for (name, own) in figures {
        let row = [own.mutants, own.refused, own.false_ready.len(), own.false_broken.len()];
        println!("{name:24} {:7} {:7} {:17} {:17}", row[0], row[1], row[2], row[3]);
        sum.iter_mut().zip(row).for_each(|(sum, own)| *sum += own);
    }
    println!("{:24} {:7} {:7} {:17} {:17}", "all", sum[0], sum[1], sum[2], sum[3]);
    for line in figures.values().flat_map(|own| own.false_ready.iter().chain(&own.false_broken)) {
        println!("{line}");
    }
}

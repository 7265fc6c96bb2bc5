//! What preflight says that llama-server takes of memory is what the genuine one says that it takes:
//! weights, cache, states and output to the last digit of its log, and what it computes in between
//! within the bounds.
//!
//! `PREFLIGHT_TEST_LLAMA_MEMORY` says how many of the starts, and with which seed: `all`, or one in so
//! many, `9:7`. After all of them the tables of `docs/fit.md` are held against what came of them;
//! `PREFLIGHT_TEST_WRITE_DOCS=1` writes them.

mod errors;
mod largest;
mod patterns;
mod published;
mod scaled;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use self::scaled::{scaled, write};
use crate::gguf_models::model::{Model, models};
use crate::gguf_models::{asked, each};
use crate::gguf_oracle::{load, server};
use crate::sandbox::Sandbox;

/// What is written behind the model.
const FLAGS: [&str; 10] = [
    "",
    "-c 4096",
    "-c 5000 -np 3",
    "-c 4096 -np 2 -kvu",
    "-c 4096 -np 1 -ctk q8_0 -ctv q8_0",
    "-c 8192 -np 1 -fa off",
    "-c 4096 -ub 2048 --swa-full",
    "-c 4096 -lm none",
    "-c 4096 -ub 128",
    "-c 2048 -nr --embedding",
];

/// What the server does not start with every one of these: it has an encoder.
const LEFT_OUT: [&str; 2] = ["t5", "t5encoder"];

/// What more is kept of than is worked out: the least alone is told.
const AT_LEAST: [&str; 10] = [
    "deepseek32",
    "glm-dsa",
    "glm5-next",
    "graniteswitch",
    "hrm_text",
    "hy_v4",
    "kimi-k3",
    "minimax-m3",
    "nanbeige",
    "qwen4exp",
];

/// More than this many mebibytes no two numbers of two decimals differ that are the same.
const ROUNDED: f64 = 0.005_1;

/// What a server logs of its buffers, in mebibytes, by what they are for and what they are called.
type Logged = BTreeMap<(String, String), Vec<f64>>;

/// What the server logs of a start; absent: it does not serve.
fn logged(server: &str, path: &Path, flags: &str) -> Option<Logged> {
    let words = format!("-t 1 -v -fit off --no-warmup -cram 0 {flags}");
    let mut logged = Logged::new();
    let ended = load(server, &words, path, |line| {
        let Some((before, size)) = line.split_once(" buffer size = ") else { return };
        let mut words = before.split_whitespace().rev();
        let (kind, name) = (words.next().unwrap(), words.next().unwrap());
        let size = size.trim().split(' ').next().unwrap().parse().unwrap();
        logged.entry((kind.to_owned(), name.to_owned())).or_default().push(size);
    });
    ended.is_none().then_some(logged)
}

/// What preflight says of each of the starts, in their order.
fn told(sandbox: Sandbox, starts: &[(String, &str)]) -> Vec<Value> {
    let service = |(index, (file, flags)): (usize, &(String, &str))| {
        let model = format!("/models/{file}");
        let words = ["-m", &model, "-fit", "off"];
        let words: Vec<&str> = words.into_iter().chain(flags.split_whitespace()).collect();
        let service = json!({
            "image": "ghcr.io/ggml-org/llama.cpp:server-b11669",
            "volumes": [format!("{}:/models:ro", sandbox.path().display())],
            "command": words,
        });
        (format!("s{index:03}"), service)
    };
    let services: serde_json::Map<String, Value> = starts.iter().enumerate().map(service).collect();
    let sandbox = sandbox.file("compose.yaml", json!({"services": services}).to_string());
    let run = sandbox.run(&["verify", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let lanes = report["lanes"].as_array().expect(&run.stdout);
    let of = |index: usize| {
        let name = format!("s{index:03}");
        let lane = lanes.iter().find(|lane| lane["name"] == *name).expect(&name);
        lane["memory"]["parts"].clone()
    };
    (0..starts.len()).map(of).collect()
}

/// The sum of what is told of `name`, in mebibytes; and whether all of it is exact.
fn sum(parts: &Value, name: &str, reclaimable: Option<bool>, bound: &str) -> (f64, bool) {
    let is_wanted = |part: &&Value| {
        part["name"] == *name && reclaimable.is_none_or(|it| part["reclaimable"] == it)
    };
    let parts: Vec<&Value> = parts.as_array().into_iter().flatten().filter(is_wanted).collect();
    let bytes = parts.iter().map(|part| part[bound].as_f64().unwrap_or(f64::INFINITY));
    let exact = parts.iter().all(|part| part["exact"] == true);
    (bytes.sum::<f64>() / f64::from(1 << 20), exact)
}

/// What both say of one thing, in mebibytes.
struct Pair {
    what: &'static str,
    logged: Vec<f64>,
    told: f64,
    /// Whether what is told is told as the very number, and what it is at most where it is not.
    exact: bool,
    most: f64,
}

impl Pair {
    /// How much more is logged than told; 0 where no digit of the log differs.
    fn error(&self) -> f64 {
        self.more_than(self.told)
    }

    /// How much more is logged than so much, as far as its digits tell.
    fn more_than(&self, told: f64) -> f64 {
        let more = self.logged.iter().sum::<f64>() - told;
        let rounded = ROUNDED * self.logged.len().max(1) as f64;
        if more.abs() <= rounded { 0.0 } else { more }
    }

    fn is_told(&self, is_least: bool) -> bool {
        let is_open = has_amx() && self.what.contains("weights");
        if is_least {
            self.error() >= 0.0
        } else if !self.exact && is_open {
            self.error() >= 0.0 && self.more_than(self.most) <= 0.0
        } else {
            self.exact && self.error() == 0.0
        }
    }

    fn difference(&self) -> String {
        let Self { what, logged, told, exact, .. } = self;
        format!("{what}: {logged:?} and {told:.4}, exact: {exact}")
    }
}

/// Whether the processor has AMX, so that a server with code for it lays out more weights anew than one
/// without: of these, bounds are told.
fn has_amx() -> bool {
    static HAS: LazyLock<bool> = LazyLock::new(|| {
        let text = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
        text.split_ascii_whitespace().any(|flag| flag == "amx_int8")
    });
    *HAS
}

/// What both say of one start.
struct Start {
    flags: &'static str,
    /// Weights, as one or by whether they are mapped; cache, states and output.
    pairs: Vec<Pair>,
    /// What is logged of what is computed in between, and its bounds.
    compute: f64,
    bounds: [f64; 2],
}

impl Start {
    fn of(flags: &'static str, logged: &Logged, parts: &Value) -> Self {
        let of_kind = |kind: &str, repacked: Option<bool>| -> Vec<f64> {
            let is_wanted = |(own, name): &(String, String)| {
                own == kind && repacked.is_none_or(|it| name.ends_with("REPACK") == it)
            };
            let sizes = logged.iter().filter(|(key, _)| is_wanted(key)).flat_map(|(_, it)| it);
            sizes.copied().collect()
        };
        let pair = |what, logged: Vec<f64>, ((told, exact), most)| Pair {
            what,
            logged,
            told,
            exact,
            most,
        };
        let low = |name, reclaimable| {
            let most = sum(parts, name, reclaimable, "bytes_high").0;
            (sum(parts, name, reclaimable, "bytes_low"), most)
        };
        let mut pairs = vec![
            pair("cache", of_kind("KV", None), low("kv-cache", None)),
            pair("states", of_kind("RS", None), low("recurrent-state", None)),
            pair("output", of_kind("output", None), low("output", None)),
        ];
        if logged.keys().any(|(_, name)| name == "CPU_Mapped") {
            let (mapped, repacked) = (of_kind("model", Some(false)), of_kind("model", Some(true)));
            pairs.push(pair("mapped weights", mapped, low("weights", Some(true))));
            pairs.push(pair("repacked weights", repacked, low("weights", Some(false))));
        } else {
            pairs.push(pair("weights", of_kind("model", None), low("weights", None)));
        }
        let bounds = ["bytes_low", "bytes_high"].map(|bound| sum(parts, "compute", None, bound).0);
        Self { flags, pairs, compute: of_kind("compute", None).iter().sum(), bounds }
    }

    /// What is told otherwise than it is logged; where the least alone is told, what is more.
    fn differences(&self, is_least: bool) -> Vec<String> {
        let wrong = self.pairs.iter().filter(|pair| !pair.is_told(is_least));
        let mut differences: Vec<String> = wrong.map(Pair::difference).collect();
        let (compute, [low, high]) = (self.compute, self.bounds);
        if compute < low - ROUNDED || compute > high + ROUNDED {
            differences.push(format!("compute: {compute} is not between {low:.2} and {high:.2}"));
        }
        differences
    }
}

/// What came of one model.
struct Compared {
    name: String,
    starts: Vec<Start>,
    /// Whether it was made wider.
    is_wide: bool,
}

impl Compared {
    /// Whether more is kept of it than is worked out.
    fn is_least(&self) -> bool {
        AT_LEAST.contains(&self.name.as_str())
    }

    fn differences(&self) -> impl Iterator<Item = String> {
        self.starts.iter().flat_map(move |start| {
            let told = move |it| format!("{} {}: {it}", self.name, start.flags);
            start.differences(self.is_least()).into_iter().map(told)
        })
    }
}

fn compared(server: &str, model: &Model, flags: &[&'static str]) -> Compared {
    let sandbox = Sandbox::new();
    let path = sandbox.path().join("model.gguf");
    write(&scaled(model), &path);
    let is_wide = logged(server, &path, "-c 256").is_some();
    if !is_wide {
        fs_err::write(&path, model.document.bytes()).unwrap();
    }
    let logs: Vec<(&str, Option<Logged>)> =
        flags.iter().map(|flags| (*flags, logged(server, &path, flags))).collect();
    let served = logs.iter().filter_map(|(flags, log)| Some((*flags, log.as_ref()?)));
    let served: Vec<(&str, &Logged)> = served.collect();
    let starts: Vec<(String, &str)> =
        served.iter().map(|(flags, _)| ("model.gguf".to_owned(), *flags)).collect();
    let told = told(sandbox, &starts);
    let starts = served.iter().zip(&told);
    let starts = starts.map(|((flags, logged), parts)| Start::of(flags, logged, parts));
    Compared { name: model.name.clone(), starts: starts.collect(), is_wide }
}

#[test]
#[expect(clippy::print_stdout, reason = "what is asked for are the figures")]
fn what_llama_server_takes_of_memory_is_what_it_logs() {
    let Some(server) = server() else { return };
    let asked = asked("PREFLIGHT_TEST_LLAMA_MEMORY", FLAGS.len());
    let models = models();
    let models = models.iter().filter(|model| !LEFT_OUT.contains(&model.name.as_str()));
    let work: Vec<(&Model, Vec<&'static str>)> = models
        .enumerate()
        .map(|(index, model)| {
            let chosen = FLAGS.iter().enumerate().filter(|(number, _)| {
                asked.is_none_or(|(every, seed)| {
                    (index + number + usize::try_from(seed).unwrap()).is_multiple_of(every)
                })
            });
            (model, chosen.map(|(_, flags)| *flags).collect())
        })
        .collect();
    let all = each(&work, |(model, flags)| compared(&server, model, flags));
    let starts: usize = all.iter().map(|it| it.starts.len()).sum();
    let wide = all.iter().filter(|it| it.is_wide).count();
    println!("{starts} starts of {} models, {wide} of them wide", all.len());
    let differences: Vec<String> = all.iter().flat_map(Compared::differences).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(starts >= work.len() * 9 / 10 && wide >= 50, "{starts} starts, {wide} wide");
    if asked.is_none() {
        errors::keep(&all);
    }
}

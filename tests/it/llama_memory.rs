//! What preflight says that llama-server takes of memory is what the genuine one says that it takes:
//! weights, cache, states and output to the last digit of its log, and what it computes in between
//! within the bounds.
//!
//! `PREFLIGHT_TEST_LLAMA_MEMORY` says how many of the starts, and with which seed: `all`, or one in so
//! many, `9:7`.

mod largest;
mod patterns;
mod scaled;

use std::collections::BTreeMap;
use std::path::Path;

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

/// What of a start is told otherwise than it is logged; where the least alone is told, what is more.
fn differences(logged: &Logged, parts: &Value, is_least: bool) -> Vec<String> {
    let of_kind = |kind: &str, repacked: Option<bool>| -> Vec<f64> {
        let is_wanted = |(own, name): &(String, String)| {
            own == kind && repacked.is_none_or(|it| name.ends_with("REPACK") == it)
        };
        let sizes = logged.iter().filter(|(key, _)| is_wanted(key)).flat_map(|(_, sizes)| sizes);
        sizes.copied().collect()
    };
    let mut differences = Vec::new();
    let mut same = |what: &str, logged: &[f64], (told, exact): (f64, bool)| {
        let rounded = ROUNDED * logged.len().max(1) as f64;
        let more = logged.iter().sum::<f64>() - told;
        let is_told = if is_least { more >= -rounded } else { exact && more.abs() <= rounded };
        if !is_told {
            differences.push(format!("{what}: {logged:?} and {told:.4}, exact: {exact}"));
        }
    };
    let is_mapped = logged.keys().any(|(_, name)| name == "CPU_Mapped");
    same("cache", &of_kind("KV", None), sum(parts, "kv-cache", None, "bytes_low"));
    same("states", &of_kind("RS", None), sum(parts, "recurrent-state", None, "bytes_low"));
    same("output", &of_kind("output", None), sum(parts, "output", None, "bytes_low"));
    if is_mapped {
        let mapped = of_kind("model", Some(false));
        same("mapped weights", &mapped, sum(parts, "weights", Some(true), "bytes_low"));
        let repacked = of_kind("model", Some(true));
        same("repacked weights", &repacked, sum(parts, "weights", Some(false), "bytes_low"));
    } else {
        same("weights", &of_kind("model", None), sum(parts, "weights", None, "bytes_low"));
    }
    let computed: f64 = of_kind("compute", None).iter().sum();
    let (low, _) = sum(parts, "compute", None, "bytes_low");
    let (high, _) = sum(parts, "compute", None, "bytes_high");
    if computed < low - ROUNDED || computed > high + ROUNDED {
        differences.push(format!("compute: {computed} is not between {low:.2} and {high:.2}"));
    }
    differences
}

/// Of one model: how many starts were compared, whether it was made wider, and what differs.
struct Compared {
    starts: usize,
    is_wide: bool,
    differences: Vec<String>,
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
    let differences = served.iter().zip(&told).flat_map(|((flags, logged), parts)| {
        let is_least = AT_LEAST.contains(&model.name.as_str());
        let differences = differences(logged, parts, is_least);
        differences.into_iter().map(move |it| format!("{} {flags}: {it}", model.name))
    });
    Compared { starts: served.len(), is_wide, differences: differences.collect() }
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
    let starts: usize = all.iter().map(|it| it.starts).sum();
    let wide = all.iter().filter(|it| it.is_wide).count();
    println!("{starts} starts of {} models, {wide} of them wide", all.len());
    let differences: Vec<String> = all.into_iter().flat_map(|it| it.differences).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(starts >= work.len() * 9 / 10 && wide >= 50, "{starts} starts, {wide} wide");
}

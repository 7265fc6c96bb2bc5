//! Random command lines and variables of llama-server: preflight says before what the genuine one does.
//!
//! `PREFLIGHT_TEST_LLAMA_LINES` says how many, and from which seed on: `5000`, `5000:7`.

use std::process::Command;

use crate::gguf_oracle::server;
use crate::llama_files::words_with;
use crate::llama_flags::listed;
use crate::sandbox::Sandbox;

/// How many command lines one run of preflight is given.
const AT_ONCE: usize = 50;

/// What stands in front of every line.
const FIRST: [&str; 8] =
    ["-c", "64", "-np", "1", "--no-warmup", "--offline", "-m", "/models/m.gguf"];

/// What flags and variables are given as values, be it that they take them or not.
const VALUES: [&str; 40] = [
    "1",
    "0",
    "-1",
    "-5",
    "3",
    "64",
    "300",
    "0.5",
    "1e3",
    "8k",
    "0,5",
    "0x10",
    "abc",
    "",
    " 7",
    "on",
    "off",
    "auto",
    "maybe",
    "true",
    "enabled",
    "none",
    "q8_0",
    "Q8_0",
    "f16",
    "yarn",
    "mean",
    "layer",
    "{}",
    "{",
    "[1]",
    "a=b",
    "a=int:1",
    "a=bool:x",
    "5+1",
    "x:0.5",
    "1,1",
    "0-1",
    "ff",
    "ngram-mod",
];

/// Words that are no flags of build 11669.
const UNKNOWN: [&str; 15] = [
    "--",
    "--ctx-length",
    "--num-ctx",
    "--no-such-flag",
    "-gqa",
    "--memory-f32",
    "--mlock",
    "--no-mmap",
    "--draft-max",
    "--server",
    "--gpus",
    "--shm-size",
    "--max-model-len",
    "word",
    "--CTX-SIZE",
];

/// Parts of the names of flags and variables that open a file or a connection, make the server silent
/// or end it, stand for a model, or are about the machine: other tests are about those.
const APART: [&str; 48] = [
    "servers-config",
    "SERVERS_CONFIG",
    "--help",
    "--usage",
    "-h",
    "--version",
    "--completion",
    "-cl",
    "--cache-list",
    "--list-devices",
    "-default",
    "-spec",
    "log-disable",
    "jsonl",
    "JSONL",
    "--log-file",
    "LOG_FILE",
    "verbos",
    "VERBOS",
    "-lv",
    "-v",
    "-path",
    "PATH",
    "--path",
    "model",
    "MODEL",
    "-m",
    "hf",
    "HF",
    "docker",
    "DOCKER",
    "-dr",
    "-mu",
    "-mm",
    "MMPROJ",
    "lora",
    "control-vector",
    "-file",
    "FILE",
    "--host",
    "HOST",
    "port",
    "PORT",
    "device",
    "DEVICE",
    "-dev",
    "rpc",
    "RPC",
];

/// The same of whole names.
const APART_EXACTLY: [&str; 26] = [
    // What a machine has of processors and devices is not told by a command line.
    "-C",
    "-Cr",
    "--cpu-mask",
    "--cpu-range",
    "-Cb",
    "-Crb",
    "--cpu-mask-batch",
    "--cpu-range-batch",
    "-Cd",
    "-Crd",
    "-Cbd",
    "-sm",
    "--split-mode",
    "LLAMA_ARG_SPLIT_MODE",
    "-ot",
    "--override-tensor",
    "LLAMA_ARG_OVERRIDE_TENSOR",
    "-otd",
    "--override-tensor-draft",
    // Batches that are too small end it as soon as it decodes, and some are not.
    "-b",
    "--batch-size",
    "LLAMA_ARG_BATCH",
    "-ub",
    "--ubatch-size",
    "LLAMA_ARG_UBATCH",
    // Programs of the machine.
    "LLAMA_ARG_TOOLS_RUNTIME",
];

/// A command line, and the variables beside it.
#[derive(Debug, Clone)]
struct Line {
    words: Vec<String>,
    variable: Option<(String, String)>,
}

/// A sequence that is the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn line(&mut self, flags: &[(Vec<String>, bool)], variables: &[String]) -> Line {
        let mut words = Vec::new();
        for _ in 0..=self.below(2) {
            let (spellings, takes) = self.one(flags);
            let spelling = self.one(spellings).clone();
            let is_written_otherwise = self.below(8) == 0 && spelling.starts_with("--");
            let rest = spelling.trim_start_matches('-').replace('-', "_");
            words.push(if is_written_otherwise { format!("--{rest}") } else { spelling });
            // Now and then a value is missing, or too much.
            if *takes != (self.below(14) == 0) {
                words.push((*self.one(&VALUES)).to_owned());
            }
        }
        if self.below(10) == 0 {
            let at = self.below(words.len() + 1);
            words.insert(at, (*self.one(&UNKNOWN)).to_owned());
        }
        let variable = (self.below(3) == 0)
            .then(|| (self.one(variables).clone(), (*self.one(&VALUES)).to_owned()));
        Line { words, variable }
    }
}

/// Whether the genuine server serves with that line; quickly no, where its parser refuses it.
fn serves(server: &str, model: &str, line: &Line) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let environment = line.variable.iter().map(|(name, value)| (name, value));
    let parsed = Command::new(server)
        .args(FIRST.iter().map(|word| if *word == "/models/m.gguf" { model } else { word }))
        .args(&line.words)
        // A flag that has no value takes the next word for it.
        .args(["--version"; 3])
        .envs(environment)
        .current_dir(folder.path())
        .output()
        .unwrap();
    if !parsed.status.success() {
        return (false, String::from_utf8_lossy(&parsed.stderr).into_owned());
    }
    let words = FIRST.iter().map(|word| if *word == "/models/m.gguf" { model } else { word });
    let words: Vec<&str> = ["--port", "0"]
        .into_iter()
        .chain(words)
        .chain(line.words.iter().map(String::as_str))
        .collect();
    let variables: Vec<_> = line.variable.iter().cloned().collect();
    words_with(server, &words, &variables, folder.path(), "listening on")
}

/// What preflight says of each line: that it is ready, and all else that it says of it.
fn judged(lines: &[Line]) -> Vec<(bool, String)> {
    let sandbox = Sandbox::quickstart();
    let services: serde_json::Map<String, serde_json::Value> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let escaped = |word: &str| word.replace('$', "$$");
            let words: Vec<String> =
                FIRST.iter().copied().map(str::to_owned).chain(line.words.iter().map(|it| escaped(it))).collect();
            let service = serde_json::json!({
                "image": "ghcr.io/ggml-org/llama.cpp:server-b11669",
                "volumes": ["./models/gguf:/models"],
                "command": words,
                "environment": line.variable.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            });
            (format!("s{index:02}"), service)
        })
        .collect();
    let from = sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf");
    fs_err::rename(from, sandbox.path().join("models/gguf/m.gguf")).unwrap();
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
        let said: Vec<String> = own.map(|finding| finding["message"].to_string()).collect();
        (lane["verdict"] == "ready", said.join("; "))
    };
    (0..lines.len()).map(of).collect()
}

/// How many lines, and the seed.
fn asked() -> (usize, u64) {
    #[expect(clippy::disallowed_methods, reason = "a test is told how much to do")]
    let text = std::env::var("PREFLIGHT_TEST_LLAMA_LINES").unwrap_or_default();
    let (count, seed) = text.split_once(':').unwrap_or((&text, ""));
    (count.parse().unwrap_or(300), seed.parse().unwrap_or(11669))
}

fn is_apart(name: &str) -> bool {
    APART_EXACTLY.contains(&name) || APART.iter().any(|part| name.contains(part))
}

#[test]
fn random_command_lines_are_ready_where_the_server_serves_and_nowhere_else() {
    let Some(server) = server() else { return };
    let help = Command::new(&server).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags: Vec<(Vec<String>, bool)> = listed(&help)
        .into_iter()
        .filter(|(spellings, _)| !spellings.iter().any(|spelling| is_apart(spelling)))
        .collect();
    let variables: Vec<String> = help
        .split("(env: ")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(name, _)| name.to_owned()))
        .filter(|name| name.starts_with("LLAMA_ARG_") && !is_apart(name))
        .collect();
    assert!(flags.len() > 100 && variables.len() > 60, "{} {}", flags.len(), variables.len());
    let (count, seed) = asked();
    let mut random = Random(seed);
    let lines: Vec<Line> = (0..count).map(|_| random.line(&flags, &variables)).collect();
    let model =
        crate::sandbox::repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    let model = model.to_str().unwrap();
    let told =
        |lines: &[Line]| lines.iter().map(|line| serves(&server, model, line)).collect::<Vec<_>>();
    let halves = lines.split_at(count / 2);
    let (genuine, own) = std::thread::scope(|scope| {
        let first = scope.spawn(|| told(halves.0));
        let second = scope.spawn(|| told(halves.1));
        let own: Vec<_> = lines.chunks(AT_ONCE).flat_map(judged).collect();
        let genuine = [first.join().unwrap(), second.join().unwrap()].concat();
        (genuine, own)
    });
    let refused = genuine.iter().filter(|(serves, _)| !serves).count();
    assert!((count / 5..count - count / 5).contains(&refused), "{refused} of {count} are refused");
    let wrong: Vec<String> = lines
        .iter()
        .zip(genuine.iter().zip(&own))
        .filter(|(_, (genuine, own))| genuine.0 != own.0)
        .map(|(line, ((serves, server), (_, own)))| {
            let last = server.lines().find(|line| line.contains("rror")).unwrap_or_default();
            format!("{line:?}\n  serves {serves}: {last}\n  preflight: {own}")
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {count}, seed {seed}:\n{}", wrong.len(), wrong.join("\n"));
}

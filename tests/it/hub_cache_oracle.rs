//! What preflight calls ready in a cache of the hub, the libraries of the engines open offline, and
//! what it calls not ready they refuse: two releases of `huggingface_hub` with the `transformers` of
//! their time, asked as vLLM and SGLang ask them.
//!
//! The older release is in the Python that `PREFLIGHT_TEST_PYTHON` names, the newer in that of
//! `PREFLIGHT_TEST_HUGGINGFACE_HUB`; `tests/setup/python` and `tests/setup/huggingface-hub` make
//! them. The `hf` beside each of them makes caches as well.

mod caches;
mod stage;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use self::caches::{CACHES, Case};
use self::stage::{Cache, Stage};
use crate::gguf_oracle::server;
use crate::judge::named;
use crate::llama_files::words_until;
use crate::sandbox::{Sandbox, repository};

const JUDGE: &str = include_str!("hub_cache_oracle/judge.py");

/// Beside the model is a folder for weights alone, in which vLLM does not look offline.
const APART: &str = "apart";

/// A release of the library, and the engines with it.
struct Judge {
    python: String,
    /// Of `huggingface_hub`.
    release: &'static str,
    /// Of vLLM, in whose image that release is, or one that does the same.
    vllm: &'static str,
    /// Of SGLang, the same.
    sglang: &'static str,
}

/// Both of them, or nothing after having said so; it is an error where all tests are required.
fn judges() -> Option<[Judge; 2]> {
    Some([
        Judge {
            python: named("PREFLIGHT_TEST_PYTHON")?,
            release: "0.36.2",
            vllm: "0.12.0",
            sglang: "0.5.5",
        },
        Judge {
            python: named("PREFLIGHT_TEST_HUGGINGFACE_HUB")?,
            release: "2.4.0",
            vllm: "0.33.0",
            sglang: "0.5.23",
        },
    ])
}

impl Judge {
    /// What is raised when each of the caches is opened, in one process; nothing: it opens.
    fn answers(&self, caches: &[(Case, Cache<'_>)]) -> Vec<Option<String>> {
        let mut child = Command::new(&self.python)
            .args(["-c", JUDGE])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let asked: String =
            caches.iter().flat_map(|(case, cache)| questions(case, cache)).collect();
        // More than a pipe holds, so they are written while the answers are read.
        let mut input = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(asked.as_bytes()).unwrap());
            child.wait_with_output().unwrap()
        });
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(lines.next(), Some(json!(self.release)), "{said}");
        let mut answers = lines.map(|line| line.as_str().map(str::to_owned));
        let of_cache = |(case, cache): &(Case, Cache<'_>)| {
            let answers = answers.by_ref().take(questions(case, cache).len());
            answers.collect::<Vec<_>>().into_iter().flatten().next()
        };
        caches.iter().map(of_cache).collect()
    }
}

/// What is asked about a cache, a line each.
fn questions(case: &Case, cache: &Cache<'_>) -> Vec<String> {
    let asked = |question: &str, repository: &str, revision: Option<&str>| {
        let asked = json!({
            "repo_id": repository,
            "revision": revision,
            "cache_dir": cache.path("hub"),
        });
        format!("{}\n", json!([question, asked]))
    };
    let revision = case.revision.map(|revision| cache.stage.named(revision));
    let beside = case.beside.filter(|(question, _)| *question != APART);
    let beside = beside.map(|(question, repository)| asked(question, repository, None));
    let question = if case.in_sglang { "named" } else { "model" };
    let model = asked(question, stage::MODEL, revision.as_deref());
    std::iter::once(model).chain(beside).collect()
}

/// A stack whose only lane takes its model from the cache, and may not ask the hub.
fn compose(case: &Case, cache: &Cache<'_>, judge: &Judge) -> String {
    let revision = case.revision.map(|revision| cache.stage.named(revision));
    let revision = revision.map(|it| format!(" --revision {it}")).unwrap_or_default();
    let beside = match case.beside {
        None => String::new(),
        Some(("adapter", name)) => format!(" --enable-lora --lora-modules a={name}"),
        Some(("texts-of-adapter", name)) => format!(" --enable-lora --lora-paths a={name}"),
        Some((APART, folder)) => format!(" --download-dir {}", cache.path(folder).display()),
        Some((_, name)) => format!(" --speculative-config.model {name}"),
    };
    // By its own path, so that a link leads to the same file wherever it is followed.
    let home = cache.path("");
    let home = home.display();
    let start = if case.in_sglang {
        let image = format!("lmsysorg/sglang:v{}", judge.sglang);
        format!("image: {image}\n    command: python3 -m sglang.launch_server --model-path")
    } else {
        format!("image: vllm/vllm-openai:v{}\n    command: --model", judge.vllm)
    };
    format!(
        "services:\n  llm:\n    {start} {}{revision}{beside}\n    \
         volumes: ['{home}:{home}']\n    \
         environment: {{HF_HUB_OFFLINE: '1', HF_HOME: '{home}'}}\n",
        stage::MODEL
    )
}

/// The verdict of the lane, and what was found.
fn verdict(sandbox: &Sandbox) -> (String, String) {
    let run = sandbox.run(&["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", run.stderr);
    });
    let verdict = report["lanes"][0]["verdict"].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let told = |it: &Value| format!("{}: {}", it["id"], it["message"]);
    (verdict, findings.map(told).collect::<Vec<_>>().join("; "))
}

/// All of them, two at a time: what takes the time is the start of `hf`.
fn made(stage: &Stage) -> Vec<(Case, Cache<'_>)> {
    let halves = CACHES.split_at(CACHES.len() / 2);
    std::thread::scope(|scope| {
        let make = |cases: &'static [Case]| {
            scope.spawn(move || {
                cases.iter().map(|case| (*case, Cache::made(stage, case))).collect::<Vec<_>>()
            })
        };
        [make(halves.0), make(halves.1)].into_iter().flat_map(|half| half.join().unwrap()).collect()
    })
}

/// Where preflight, the library and the table do not say the same about a cache.
fn disagreements(judge: &Judge, index: usize, caches: &[(Case, Cache<'_>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((case, cache), answer) in caches.iter().zip(judge.answers(caches)) {
        let compose = compose(case, cache, judge);
        let (verdict, findings) = verdict(&Sandbox::new().file("compose.yaml", compose));
        let expected = if case.opens[index] { "ready" } else { "not-ready" };
        if verdict != expected || answer.is_none() != case.opens[index] {
            let answer = answer.unwrap_or_else(|| "opens".to_owned());
            let release = judge.release;
            wrong.push(format!("{} ({release}): {verdict} [{findings}], {answer}", case.name));
        }
    }
    wrong
}

#[test]
fn what_is_ready_in_a_cache_opens_offline_and_what_is_not_is_refused() {
    let Some(judges) = judges() else { return };
    let hfs: Vec<PathBuf> =
        judges.iter().map(|judge| Path::new(&judge.python).with_file_name("hf")).collect();
    let stage = Stage::set(&hfs[0], &hfs[1]);
    let caches = made(&stage);
    let caches = caches.as_slice();
    assert!(caches.len() > 70, "{}", caches.len());
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let judge = |(index, judge)| scope.spawn(move || disagreements(judge, index, caches));
        let both: Vec<_> = judges.iter().enumerate().map(judge).collect();
        both.into_iter().flat_map(|judge| judge.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn llama_server_takes_the_first_line_of_a_reference_and_without_main_another() {
    let compose = "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
                   command: -hf acme/tiny-GGUF --offline\n    volumes: ['./cache:/cache']\n    \
                   environment: {LLAMA_CACHE: /cache}\n";
    let gguf = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    let gguf = fs_err::read(gguf).unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let server = server();
    for (reference, text, opens) in [
        ("main", commit.to_owned(), true),
        ("main", format!("{commit}\n"), true),
        ("main", format!("{commit}\r\n"), false),
        ("main", format!("{commit} "), false),
        ("main", format!("\n{commit}"), false),
        ("v1", commit.to_owned(), true),
        ("v1", format!("{commit}\r\n"), false),
    ] {
        let folder = "cache/models--acme--tiny-GGUF";
        let sandbox = Sandbox::new()
            .file("compose.yaml", compose)
            .file(&format!("{folder}/snapshots/{commit}/tiny-Q4_K_M.gguf"), &gguf)
            .file(&format!("{folder}/refs/{reference}"), &text);
        let (verdict, findings) = verdict(&sandbox);
        let expected = if opens { "ready" } else { "not-ready" };
        assert_eq!(verdict, expected, "{reference} {text:?}: {findings}");
        let Some(server) = &server else { continue };
        let words = ["--port", "0", "-hf", "acme/tiny-GGUF", "--offline"];
        let (came, said) = words_until(server, &words, sandbox.path(), "listening on");
        assert_eq!(came, opens, "{reference} {text:?}: {said}");
    }
}

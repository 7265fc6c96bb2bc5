//! Revisions whose names have slashes, as the hub has them: how they are written, and what is done
//! with them.

use std::path::Path;
use std::process::Command;

use fake_hub::{Builder, FakeHub};
use preflight::source::Source;
use serde_json::Value;

use crate::hf_interop::python;
use crate::hub_stack::{GGUF, bodies, brought, builder, check, edit, same, stack};
use crate::sandbox::Sandbox;

/// A hub whose repositories have these revisions beside `main`.
fn hub() -> FakeHub {
    let named = |builder: Builder, name: &&str| builder.tag("acme/tiny", name);
    let names = ["refs/pr/3", "feature/x"];
    let gguf = |builder: Builder, name: &&str| builder.tag("acme/tiny-GGUF", name);
    let builder = names.iter().fold(builder(), named);
    names.iter().fold(builder, gguf).start().unwrap()
}

fn lock(sandbox: &Sandbox) -> Value {
    let text = fs_err::read_to_string(sandbox.path().join("preflight.lock")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_revision_with_slashes_is_locked_fetched_and_proven() {
    for (source, revision) in [
        ("hf://acme/tiny@refs/pr/3", "refs%2Fpr%2F3"),
        ("hf://acme/tiny@feature%2Fx", "feature%2Fx"),
    ] {
        let hub = hub();
        let sandbox = stack(&hub);
        edit(&sandbox, "hf://acme/tiny\n", &format!("{source}\n"));
        let lane = ["--lane", "coder"];
        let run = sandbox.run(&[&["lock"], &lane[..]].concat());
        check(&run, 0, &[&format!("coder: {source} pinned to")]);
        assert_eq!(lock(&sandbox)["lanes"]["coder"]["source"], source);
        check(&sandbox.run(&[&["fetch"], &lane[..]].concat()), 0, &["ready: 1 of 1 lane"]);
        assert_eq!(brought(&sandbox).len(), 10);
        let deep = [&["verify", "--deep", "--offline"], &lane[..]].concat();
        check(&sandbox.run(&deep), 0, &["ready: 1 of 1 lane"]);
        let again = sandbox.run(&[&["lock", "--update"], &lane[..]].concat());
        check(&again, 0, &[&format!("coder: {source} stays at")]);
        let asked: Vec<String> = hub.requests().into_iter().map(|it| it.path).collect();
        let one = format!("/revision/{revision}");
        assert!(asked.iter().any(|path| path.ends_with(&one)), "{asked:?}");
    }
}

#[test]
fn a_file_is_fetched_by_every_spelling_of_the_hubs_own_uris() {
    for source in [
        "hf://acme/tiny-GGUF@refs/pr/3/Tiny.Q4-K-M.gguf",
        "hf://acme/tiny-GGUF@refs%2Fpr%2F3/Tiny.Q4-K-M.gguf",
        "hf://models/acme/tiny-GGUF@feature%2fx/Tiny.Q4-K-M.gguf",
    ] {
        let hub = hub();
        let sandbox = stack(&hub);
        edit(&sandbox, "hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf", source);
        check(&sandbox.run(&["fetch", "--lane", "reader"]), 0, &["ready: 1 of 1 lane"]);
        assert!(same(&sandbox, "gguf/tiny-Q4_K_M.gguf", GGUF), "{source}");
        assert_eq!(bodies(&hub), 1);
    }
}

#[test]
fn another_slash_begins_a_path_and_the_help_says_how_it_is_written() {
    let hub = hub();
    let sandbox = stack(&hub);
    edit(&sandbox, "hf://acme/tiny\n", "hf://acme/tiny@feature/x\n");
    let run = sandbox.run(&["fetch", "--lane", "coder"]);
    check(&run, 17, &["`acme/tiny` has no revision `feature`", "`%2F` for a slash"]);
}

#[test]
fn an_engine_that_is_told_a_reference_finds_it_in_its_cache() {
    let hub = hub();
    let compose = "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    \
                   command: acme/tiny --revision refs/pr/3\n    \
                   volumes: ['./hf:/root/.cache/huggingface']\n    gpus: all\n";
    let sandbox = Sandbox::new().file("compose.yaml", compose).file("hf/.keep", "");
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    check(&sandbox.run(&["fetch"]), 0, &["ready: 1 of 1 lane"]);
    let reference = sandbox.path().join("hf/hub/models--acme--tiny/refs/refs/pr/3");
    assert_eq!(fs_err::read_to_string(reference).unwrap(), hub.commit("acme/tiny"));
    let asked = hub.requests().len();
    check(&sandbox.run(&["verify", "--offline"]), 0, &["ready: 1 of 1 lane"]);
    assert_eq!(hub.requests().len(), asked);
}

/// `repository revision path`, or nothing for what is no source of a model.
fn read(text: &str) -> Option<[String; 3]> {
    let source: Source = text.parse().ok()?;
    let revision = source.revision.clone().unwrap_or_default();
    Some([source.repository(), revision, source.path.clone().unwrap_or_default()])
}

/// What the hub's own library makes of each text.
fn read_by_hf(python: &Path, texts: &[&str]) -> Vec<Option<[String; 3]>> {
    let script = "import json, sys\n\
                  from huggingface_hub import parse_hf_uri\n\
                  def read(text):\n\
                  \x20   try: uri = parse_hf_uri(text)\n\
                  \x20   except Exception: return None\n\
                  \x20   if uri.type != 'model': return None\n\
                  \x20   return [uri.id, uri.revision or '', uri.path_in_repo]\n\
                  print(json.dumps([read(text) for text in json.loads(sys.argv[1])]))";
    let texts = serde_json::to_string(texts).unwrap();
    let output = Command::new(python).args(["-c", script, &texts]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn sources_are_read_as_the_hubs_own_library_reads_them() {
    let Some(python) = python() else { return };
    let texts = [
        "hf://a/b",
        "hf://a/b/",
        "hf:///a/b",
        "hf://a/b/c.gguf",
        "hf://a/b/c/d.gguf",
        "hf://a/b@main",
        "hf://a/b@v1.0/c.gguf",
        "hf://a/b@0123456789012345678901234567890123456789/c/d.gguf",
        "hf://a/b@refs/pr/3",
        "hf://a/b@refs/pr/30/c.gguf",
        "hf://a/b@refs/pr/3/c/d.gguf",
        "hf://a/b@refs/pr/",
        "hf://a/b@refs/pr/x",
        "hf://a/b@refs/pr",
        "hf://a/b@refs%2Fpr%2F3",
        "hf://a/b@refs%2Fpr%2F3/c.gguf",
        "hf://a/b@refs/convert/parquet",
        "hf://a/b@refs/convert/gguf-v2.1/c.gguf",
        "hf://a/b@refs/heads/main",
        "hf://a/b@feature/x",
        "hf://a/b@feature%2Fx",
        "hf://a/b@feature%2fx/c.gguf",
        "hf://a/b@50%25",
        "hf://a/b@a%b",
        "hf://a/b@%zz",
        "hf://a/b@v1%2E0",
        "hf://a/b@v%C3%A9",
        "hf://a/b@x@y",
        "hf://a/b/c@1.gguf",
        "hf://a/b/c%20d.gguf",
        "hf://a/b/c d.gguf",
        "hf://models/a/b",
        "hf://models/a/b@v1/c.gguf",
        "hf://models/a",
        "hf://models",
        "hf://model/a/b",
        "hf://datasets/a/b",
        "hf://spaces/a/b",
        "hf://buckets/a/b",
        "hf://dataset/a/b",
        "hf://gpt2",
        "hf://gpt2@main",
        "hf://",
        "hf://a/",
        "hf://@main",
        "hf://a@main/b",
        "hf://a/b@",
        "hf://a/b@/c",
        "hf://a/b//c",
        "hf://a//b",
        "hf://a--b/c",
        "hf://a/b..c",
        "hf://a/.b",
        "hf://a/b-",
        "hf://a/b.git",
        "hf://a/_b_",
        "hf://a/b c",
        "a/b",
    ];
    let theirs = read_by_hf(&python, &texts);
    assert_eq!(theirs.len(), texts.len());
    assert!(theirs.iter().filter(|read| read.is_some()).count() > 25);
    for (text, theirs) in texts.iter().zip(theirs) {
        assert_eq!(read(text), theirs, "{text}");
    }
}

//! `preflight fetch SRC DEST`, where one goes into the folder of another.

use std::collections::BTreeSet;

use fake_hub::{Builder, FakeHub};
use serde_json::Value;

use crate::fetch_pairs::{WHOLE, fetch, files, sandbox};
use crate::hub_stack::{GGUF, bodies, builder, check, folder};
use crate::sandbox::repository;

/// The repository of a model, with a file in a folder of its own, and those of two adapters.
fn with_adapters() -> FakeHub {
    let adapter = |builder: Builder, name: &str, text: &str| {
        let weights = fs_err::read(repository().join(GGUF)).unwrap();
        builder.file(name, "adapter_config.json", text).file(name, "weights.gguf", weights)
    };
    let builder = builder().file("acme/tiny", "extra/notes.txt", "of the model");
    let builder = adapter(builder, "acme/lora", "{\"of\": 1}");
    adapter(builder, "acme/other", "{\"of\": 2}").start().unwrap()
}

#[test]
fn a_source_may_go_into_the_folder_of_another_that_has_nothing_there() {
    let hub = with_adapters();
    let (base, lora, file) =
        ([WHOLE, "m"], ["hf://acme/lora", "m/lora"], ["hf://acme/other/weights.gguf", "m"]);
    for words in [[base, lora, file], [file, lora, base]] {
        let words = words.concat();
        let sandbox = sandbox(&hub);
        check(&fetch(&sandbox, &words), 0, &["ready: 3 of 3 lanes"]);
        for (name, content) in folder() {
            assert!(
                fs_err::read(sandbox.path().join("m").join(&name)).unwrap() == content,
                "{name}"
            );
        }
        assert_eq!(files(&sandbox, "m/lora"), ["adapter_config.json", "weights.gguf"]);
        let asked = hub.requests().len();
        check(&fetch(&sandbox, &words), 0, &["ready: 3 of 3 lanes"]);
        check(&fetch(&sandbox, &[&words[..], &["--deep"]].concat()), 0, &["ready: 3 of 3 lanes"]);
        assert_eq!(hub.requests().len(), asked, "all of it is there, so nobody is asked");
        for (path, lane) in [
            ("m/lora/adapter_config.json", "acme/lora"),
            ("m/tokenizer.json", "acme/tiny"),
            ("m/weights.gguf", "acme/other/weights.gguf"),
        ] {
            let path = sandbox.path().join(path);
            let whole = fs_err::read(&path).unwrap();
            let mut wrong = whole.clone();
            *wrong.last_mut().unwrap() ^= 1;
            fs_err::write(&path, wrong).unwrap();
            let more = ["--deep", "--no-fetch", "--format", "json"];
            let run = fetch(&sandbox, &[&words[..], &more].concat());
            let report: Value = serde_json::from_str(&run.stdout).unwrap();
            let findings = report["findings"].as_array().unwrap();
            let is_wrong = |it: &&Value| it["id"] == "file-corrupt" || it["id"] == "file-changed";
            let lanes: BTreeSet<&str> =
                findings.iter().filter(is_wrong).map(|it| it["lane"].as_str().unwrap()).collect();
            assert_eq!(lanes, BTreeSet::from([lane]), "{path:?}: {}", run.stdout);
            fs_err::write(&path, whole).unwrap();
        }
    }
}

#[test]
fn a_source_does_not_go_where_another_has_a_file() {
    let hub = with_adapters();
    for (inner, to, file) in [
        ("hf://acme/lora", "m/extra", "extra/notes.txt"),
        ("hf://acme/lora", "m/config.json", "config.json"),
        ("hf://acme/lora/adapter_config.json", "m/tokenizer.json", "tokenizer.json"),
    ] {
        for words in [[WHOLE, "m", inner, to], [inner, to, WHOLE, "m"]] {
            let sandbox = sandbox(&hub);
            let bodies = bodies(&hub);
            let run = fetch(&sandbox, &words);
            let told =
                format!("`{WHOLE}` has `{file}`, which belongs where `{inner}` is brought to");
            check(&run, 2, &["error[destinations-collide]", &told, "0 of 2 lanes ready"]);
            assert_eq!(files(&sandbox, "."), [""; 0]);
            assert_eq!(crate::hub_stack::bodies(&hub), bodies);
        }
    }
    // One of them is there already.
    let sandbox = sandbox(&hub);
    check(&fetch(&sandbox, &[WHOLE, "m"]), 0, &[]);
    let run = fetch(&sandbox, &[WHOLE, "m", "hf://acme/lora", "m/extra"]);
    check(&run, 2, &["error[destinations-collide]"]);
    assert_eq!(files(&sandbox, "m/extra"), ["notes.txt"]);
    let without = sandbox.variable("STORAGE_IGNORE_PATTERNS", "extra/*");
    let run = fetch(&without, &[WHOLE, "n", "hf://acme/lora", "n/extra"]);
    check(&run, 0, &["ready: 2 of 2 lanes"]);
}

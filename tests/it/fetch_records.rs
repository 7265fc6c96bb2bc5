//! `preflight fetch SRC DEST`, and what an earlier run has written down of it.

use std::process::Stdio;

use crate::fetch_pairs::{ONE, WHOLE, alike, before, fetch, files, is_gguf, sandbox};
use crate::hub_stack::{GGUF, builder, check, folder};
use crate::sandbox::repository;

#[test]
fn one_file_of_another_repository_or_revision_is_not_taken_for_the_one_that_is_asked_for() {
    let (hub, older) = (alike(), before().start().unwrap());
    let older = format!("hf://acme/two@{}/tokenizer.json", older.commit("acme/two"));
    let sandbox = sandbox(&hub);
    let read = |name: &str| fs_err::read(sandbox.path().join("m").join(name)).unwrap();
    check(&fetch(&sandbox, &["hf://acme/one/x.gguf", "m"]), 0, &[]);
    check(&fetch(&sandbox, &["hf://acme/two/x.gguf", "m"]), 0, &[]);
    assert!(!is_gguf(&sandbox, "m/x.gguf"));
    for (source, text) in [
        ("hf://acme/one/tokenizer.json", ONE),
        (older.as_str(), "{\"of\": 2}"),
        ("hf://acme/two/tokenizer.json", "{\"of\": 3}"),
        ("hf://acme/one/tokenizer.json", ONE),
    ] {
        check(&fetch(&sandbox, &[source, "m"]), 0, &["ready: 1 of 1 lane"]);
        assert_eq!(read("tokenizer.json"), text.as_bytes(), "{source}");
        let asked = hub.requests().len();
        check(&fetch(&sandbox, &[source, "m"]), 0, &[]);
        assert_eq!(hub.requests().len(), asked, "{source} is there, so nobody is asked");
    }
    fs_err::write(sandbox.path().join("m/tokenizer.json"), "").unwrap();
    check(&fetch(&sandbox, &["hf://acme/one/tokenizer.json", "m"]), 0, &[]);
    let empty = sandbox.file("n/tokenizer.json", "");
    check(&fetch(&empty, &["hf://acme/one/tokenizer.json", "n"]), 0, &[]);
    for path in ["m/tokenizer.json", "n/tokenizer.json"] {
        assert_eq!(fs_err::read_to_string(empty.path().join(path)).unwrap(), ONE);
    }
}

#[test]
fn a_record_that_cannot_be_of_what_is_asked_for_counts_for_nothing() {
    let hub = alike();
    let commit = hub.commit("acme/two").to_owned();
    for (source, from, to) in [
        ("hf://acme/two", "\"source\": \"hf://acme/two", "\"source\": \"hf://acme/one"),
        (&format!("hf://acme/two@{commit}"), "\"commit\": \"", "\"commit\": \"0"),
        ("hf://acme/two/*.json", "tokenizer.json\": {", "other.txt\": {"),
        ("hf://acme/two/tokenizer.json", "two/tokenizer.json\",", "two/x.gguf\","),
    ] {
        let sandbox = sandbox(&hub);
        check(&fetch(&sandbox, &[source, "m"]), 0, &[]);
        let own = sandbox.path().join("m/.cache/huggingface/preflight");
        let record = match source.ends_with("r.json") {
            true => own.join("tokenizer.json.delivery.json"),
            false => own.join("delivery.json"),
        };
        let text = fs_err::read_to_string(&record).unwrap();
        let mut forged = text.replace(from, to);
        assert_ne!(forged, text, "{source}");
        forged = forged.replace(&format!("\"0{commit}\""), &format!("\"{}\"", "0".repeat(40)));
        fs_err::write(&record, forged).unwrap();
        let asked = hub.requests().len();
        check(&fetch(&sandbox, &[source, "m"]), 0, &["ready: 1 of 1 lane"]);
        assert!(hub.requests().len() > asked, "{source}");
        assert_eq!(fs_err::read_to_string(record).unwrap(), text, "{source}");
    }
}

#[test]
fn a_record_of_no_files_brings_all_the_same() {
    let hub = alike();
    let sandbox = sandbox(&hub);
    let commit = hub.commit("acme/two");
    let record = format!(
        r#"{{"version": 1, "lanes": {{"hf://acme/two": {{"source": "hf://acme/two", "commit": "{commit}", "files": {{}}}}}}}}"#
    );
    let sandbox = sandbox.file("m/.cache/huggingface/preflight/delivery.json", &record);
    check(&fetch(&sandbox, &["hf://acme/two", "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_eq!(files(&sandbox, "m"), ["tokenizer.json", "x.gguf"]);
}

#[test]
fn a_run_that_was_killed_is_continued_at_the_same_commit() {
    let first =
        builder().file("acme/grows", "a.txt", "1").file("acme/grows", "z.bin", vec![7; 9 << 20]);
    let first = first.fault("stall=1000000*9:acme/grows/z.bin".parse().unwrap());
    let first = first.start().unwrap();
    let sandbox = sandbox(&first);
    let mut command = sandbox.command(&["fetch", "hf://acme/grows", "m"]);
    let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    first.wait_until_stalled(1);
    child.kill().unwrap();
    child.wait().unwrap();
    first.release();
    assert_eq!(files(&sandbox, "m").iter().filter(|name| *name == "z.bin").count(), 0);
    let commit = first.commit("acme/grows").to_owned();

    let then =
        builder().file("acme/grows", "a.txt", "1").file("acme/grows", "z.bin", vec![7; 9 << 20]);
    let then = then.commit("acme/grows").file("acme/grows", "new.txt", "2").start().unwrap();
    assert_ne!(then.commit("acme/grows"), commit);
    let sandbox = sandbox.variable("HF_ENDPOINT", then.url());
    let run = fetch(&sandbox, &["hf://acme/grows", "m"]);
    let moved = format!("leads to commit {} now", then.commit("acme/grows"));
    check(&run, 0, &["ready: 1 of 1 lane", "note[newer-commit]", &moved]);
    assert_eq!(files(&sandbox, "m"), ["a.txt", "z.bin"]);
    // All of it is there, so that nobody is asked.
    let asked = then.requests().len();
    let warm = fetch(&sandbox, &["hf://acme/grows", "m"]);
    check(&warm, 0, &["ready: 1 of 1 lane"]);
    assert!(!warm.stdout.contains("newer-commit") && then.requests().len() == asked);
    // And moves when it is told to.
    let update = fetch(&sandbox, &["hf://acme/grows", "m", "--update"]);
    check(&update, 0, &[]);
    assert!(!update.stdout.contains("newer-commit"), "{}", update.stdout);
    assert_eq!(files(&sandbox, "m"), ["a.txt", "new.txt", "z.bin"]);
}

#[test]
fn a_delivery_whose_commit_is_gone_says_how_it_moves_and_moves() {
    let first = builder().file("acme/grows", "a.txt", "1").file("acme/grows", "b.txt", "1");
    let first = first.start().unwrap();
    let sandbox = sandbox(&first);
    check(&fetch(&sandbox, &["hf://acme/grows", "m"]), 0, &[]);
    fs_err::remove_file(sandbox.path().join("m/b.txt")).unwrap();
    // Another history, without the commit that the delivery is of.
    let then = builder().file("acme/grows", "a.txt", "22").file("acme/grows", "c.txt", "2");
    let then = then.start().unwrap();
    let sandbox = sandbox.variable("HF_ENDPOINT", then.url());
    let gone = format!("no longer has the commit {}", first.commit("acme/grows"));
    let run = fetch(&sandbox, &["hf://acme/grows", "m"]);
    let fix = "run `preflight fetch --update hf://acme/grows m`";
    check(&run, 17, &["error[revision-not-found]", &gone, fix]);
    check(&fetch(&sandbox, &["--update", "hf://acme/grows", "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_eq!(fs_err::read_to_string(sandbox.path().join("m/a.txt")).unwrap(), "22");
    assert_eq!(files(&sandbox, "m"), ["a.txt", "c.txt"]);
    let asked = then.requests().len();
    check(&fetch(&sandbox, &["hf://acme/grows", "m"]), 0, &[]);
    assert_eq!(then.requests().len(), asked);
}

#[test]
fn what_nobody_has_written_down_is_not_known_to_be_what_is_asked_for() {
    let hub = alike();
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    for source in ["hf://acme/one/x.gguf", "hf://acme/one/tokenizer.json", WHOLE] {
        let sandbox = sandbox(&hub).file("m/x.gguf", gguf.clone()).file("m/tokenizer.json", ONE);
        for (name, content) in folder() {
            fs_err::write(sandbox.path().join("m").join(name), content).unwrap();
        }
        if source != WHOLE {
            fs_err::write(sandbox.path().join("m/tokenizer.json"), ONE).unwrap();
        }
        for more in ["--offline", "--no-fetch"] {
            let run = fetch(&sandbox, &[source, "m", more]);
            let told = format!("nobody says what `{source}` has");
            check(&run, 0, &["warning[file-not-proven]", &told, "ready: 1 of 1 lane"]);
        }
        check(&fetch(&sandbox, &[source, "m"]), 0, &["ready: 1 of 1 lane"]);
        let known = fetch(&sandbox, &[source, "m", "--offline"]);
        check(&known, 0, &["ready: 1 of 1 lane"]);
        assert!(!known.stdout.contains("file-not-proven"), "{source}: {}", known.stdout);
    }
}

//! `preflight fetch SRC DEST [SRC DEST...]` against a local hub: what comes where, without a project.

use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use fake_hub::{Builder, FakeHub};
use serde_json::Value;

use crate::fetch_killed::{Disk, unfinished};
use crate::hub_stack::{GGUF, bodies, builder, check, folder, hub};
use crate::sandbox::{Run, Sandbox, repository};

pub(crate) const WHOLE: &str = "hf://acme/tiny";
const NOBODY: u32 = 65_534;
pub(crate) const ONE: &str = "{\"of\": 1}";

/// A folder without a project, and the hub in its environment.
pub(crate) fn sandbox(hub: &FakeHub) -> Sandbox {
    Sandbox::new().variable("HF_ENDPOINT", hub.url())
}

pub(crate) fn fetch(sandbox: &Sandbox, words: &[&str]) -> Run {
    sandbox.run(&[&["fetch"], words].concat())
}

/// Every file below a folder, without notes, locks and stamps.
pub(crate) fn files(sandbox: &Sandbox, below: &str) -> Vec<String> {
    let root = sandbox.path().join(below);
    let walk = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().filter_map(Result::ok);
    let names = walk
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
    names.filter(|name| !name.contains(".cache/") && !name.ends_with(".lock")).collect()
}

/// That the whole repository is there, byte by byte.
pub(crate) fn assert_whole(sandbox: &Sandbox, below: &str) {
    for (name, content) in folder() {
        let here = fs_err::read(sandbox.path().join(below).join(&name)).unwrap();
        assert!(here == content, "{name}");
    }
    assert_eq!(files(sandbox, below).len(), folder().len());
    assert_eq!(unfinished(&sandbox.path().join(below)), [""; 0]);
}

pub(crate) fn is_gguf(sandbox: &Sandbox, path: &str) -> bool {
    let here = fs_err::read(sandbox.path().join(path)).unwrap();
    here == fs_err::read(repository().join(GGUF)).unwrap()
}

/// Two repositories with files of the same names, the second with a later commit.
pub(crate) fn alike() -> FakeHub {
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    let hub = before().file("acme/one", "x.gguf", gguf).file("acme/one", "tokenizer.json", ONE);
    hub.commit("acme/two").file("acme/two", "tokenizer.json", "{\"of\": 3}").start().unwrap()
}

/// The second of them as it was.
pub(crate) fn before() -> Builder {
    let mut other = fs_err::read(repository().join(GGUF)).unwrap();
    *other.last_mut().unwrap() ^= 1;
    builder().file("acme/two", "x.gguf", other).file("acme/two", "tokenizer.json", "{\"of\": 2}")
}

#[test]
fn a_repository_comes_whole_and_again_without_a_request() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    let run = fetch(&sandbox, &[WHOLE, "models/new"]);
    check(&run, 0, &["preflight: ready: 1 of 1 lane", "acme/tiny"]);
    assert_whole(&sandbox, "models/new");

    let asked = hub.requests().len();
    check(&fetch(&sandbox, &[WHOLE, "models/new"]), 0, &["ready: 1 of 1 lane"]);
    check(&fetch(&sandbox, &[WHOLE, "models/new", "--offline"]), 0, &[]);
    assert_eq!(hub.requests().len(), asked, "all of it is there, so nobody is asked");
}

#[test]
fn what_is_cut_short_or_gone_comes_again() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    check(&fetch(&sandbox, &[WHOLE, "m"]), 0, &[]);
    let at = |name: &str| sandbox.path().join("m").join(name);
    fs_err::remove_file(at("tokenizer_config.json")).unwrap();
    let shard = at("model-00001-of-00003.safetensors");
    fs_err::OpenOptions::new().write(true).open(shard).unwrap().set_len(100).unwrap();
    let without = fetch(&sandbox, &[WHOLE, "m", "--no-fetch"]);
    check(&without, 11, &["fix: run `preflight fetch hf://acme/tiny m`"]);
    check(&fetch(&sandbox, &[WHOLE, "m"]), 0, &[]);
    assert_whole(&sandbox, "m");
}

#[test]
fn a_text_of_the_users_own_stays_and_keeps_no_folder_from_being_ready() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    check(&fetch(&sandbox, &[WHOLE, "m"]), 0, &[]);
    let template = sandbox.path().join("m/chat_template.jinja");
    fs_err::write(&template, "{{ messages[0].content }}").unwrap();
    for more in [&[][..], &["--offline"], &["--no-fetch"]] {
        let run = fetch(&sandbox, &[&[WHOLE, "m"], more].concat());
        check(&run, 0, &["warning[file-changed]", "ready: 1 of 1 lane"]);
        assert_eq!(fs_err::read_to_string(&template).unwrap(), "{{ messages[0].content }}");
    }
}

#[test]
fn two_files_may_go_into_one_folder() {
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    let hub = builder().file("acme/two", "q/a.gguf", gguf.clone()).file("acme/two", "b.gguf", gguf);
    let hub = hub.start().unwrap();
    let sandbox = sandbox(&hub);
    let words = ["hf://acme/two/q/a.gguf", "m", "hf://acme/two/b.gguf", "m"];
    check(&fetch(&sandbox, &words), 0, &["ready: 2 of 2 lanes"]);
    assert_eq!(files(&sandbox, "m"), ["a.gguf", "b.gguf"]);
}

#[test]
fn one_file_goes_into_a_folder_or_takes_the_name_that_is_given() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub).file("there/.keep", "");
    for (to, path) in [
        ("there", "there/Tiny.Q4-K-M.gguf"),
        ("new/deep", "new/deep/Tiny.Q4-K-M.gguf"),
        ("new/own.gguf", "new/own.gguf"),
        ("slash.gguf/", "slash.gguf/Tiny.Q4-K-M.gguf"),
    ] {
        let words = ["hf://acme/tiny-GGUF/Tiny.Q4-K-M.gguf", to];
        check(&fetch(&sandbox, &words), 0, &["ready: 1 of 1 lane"]);
        assert!(is_gguf(&sandbox, path), "{path}");
        let asked = hub.requests().len();
        check(&fetch(&sandbox, &words), 0, &[]);
        assert_eq!(hub.requests().len(), asked, "{to}");
    }
    check(&fetch(&sandbox, &["hf://acme/tiny/config.json", "text"]), 0, &[]);
    assert_eq!(files(&sandbox, "text"), ["config.json"]);
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error_that_names_it() {
    let hub = alike();
    let plain = sandbox(&hub);
    let run = fetch(&plain, &["hf://acme/one/*Q9*.gguf", "m"]);
    let expected =
        ["error[file-not-in-repo]", "has no file `*Q9*.gguf`", "the repository has `x.gguf`"];
    check(&run, 17, &expected);
    assert_eq!(files(&plain, "."), [""; 0]);
    let allowed = sandbox(&hub).variable("STORAGE_ALLOW_PATTERNS", "[\"*.bin\", \"q/*\"]");
    let run = fetch(&allowed, &["hf://acme/one", "m"]);
    check(&run, 17, &["error[file-not-in-repo]", "has no file `*.bin` or `q/*`"]);
    // One of them is enough.
    let one = sandbox(&hub).variable("STORAGE_ALLOW_PATTERNS", "*.bin,*.json");
    check(&fetch(&one, &["hf://acme/one", "m"]), 0, &["ready: 1 of 1 lane"]);
}

#[test]
fn what_somebody_has_put_in_the_place_of_a_file_is_kept() {
    let hub = alike();
    let beside = |name: &str| format!("m/{name}.before-{}", hub.commit("acme/one"));
    for source in ["hf://acme/one/x.gguf", "hf://acme/one"] {
        let sandbox = sandbox(&hub).file("m/x.gguf", "my own notes");
        check(&fetch(&sandbox, &[source, "m"]), 0, &["kept beside", "ready: 1 of 1 lane"]);
        assert!(is_gguf(&sandbox, "m/x.gguf"));
        let kept = sandbox.path().join(beside("x.gguf"));
        assert_eq!(fs_err::read_to_string(kept).unwrap(), "my own notes", "{source}");
    }
    // What a download leaves behind is worth nothing.
    let sandbox = sandbox(&hub).file("m/x.gguf", "<html>not found</html>");
    check(&fetch(&sandbox, &["hf://acme/one/x.gguf", "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_eq!(files(&sandbox, "m"), ["x.gguf"]);
}

#[test]
fn a_pattern_brings_what_it_matches_under_its_own_names() {
    let hub = builder().file("acme/many", "q/a-Q4.gguf", fs_err::read(GGUF).unwrap());
    let hub = hub.file("acme/many", "q/a-Q8.gguf", "x").file("acme/many", "b/README.md", "text");
    let hub = hub.start().unwrap();
    let sandbox = sandbox(&hub);
    check(&fetch(&sandbox, &["hf://acme/many/*Q4*", "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_eq!(files(&sandbox, "m"), ["q/a-Q4.gguf"]);
    let asked = hub.requests().len();
    check(&fetch(&sandbox, &["hf://acme/many/*Q4*", "m"]), 0, &[]);
    assert_eq!(hub.requests().len(), asked);
    check(&fetch(&sandbox, &["hf://acme/many/b/", "n"]), 0, &[]);
    assert_eq!(files(&sandbox, "n"), ["b/README.md"]);
    // Who opens the folder may mean the other one.
    let both = fetch(&sandbox, &["hf://acme/many/q/", "both"]);
    check(&both, 0, &["warning[", "both/q/a-Q8.gguf", "ready: 1 of 1 lane"]);
    check(&fetch(&sandbox, &["hf://acme/many/*Q8*", "bad"]), 11, &["error[", "bad/q/a-Q8.gguf"]);
}

#[test]
fn a_revision_stands_behind_either_sign() {
    let old = builder().file("acme/moved", "a.txt", "old").commit("acme/moved");
    let hub = old.file("acme/moved", "b.txt", "new").tag("acme/moved", "v2").start().unwrap();
    let sandbox = sandbox(&hub);
    for (source, to) in [("hf://acme/moved@v2", "at"), ("hf://acme/moved:v2", "colon")] {
        check(&fetch(&sandbox, &[source, to]), 0, &[]);
        assert_eq!(files(&sandbox, to), ["a.txt", "b.txt"]);
    }
    check(&fetch(&sandbox, &["hf://acme/moved:v3", "none"]), 17, &["error[revision-not-found]"]);
}

#[test]
fn files_of_no_model_are_delivered_and_ready() {
    let hub = builder().file("acme/texts", "a.csv", "1,2").file("acme/texts", "empty", "");
    let hub = hub.file("acme/texts", "deep/down/b.bin", vec![7; 3000]).start().unwrap();
    let sandbox = sandbox(&hub);
    check(&fetch(&sandbox, &["hf://acme/texts", "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_eq!(files(&sandbox, "m"), ["a.csv", "deep/down/b.bin", "empty"]);
    let asked = hub.requests().len();
    check(&fetch(&sandbox, &["hf://acme/texts", "m"]), 0, &[]);
    assert_eq!(hub.requests().len(), asked);
    fs_err::remove_file(sandbox.path().join("m/a.csv")).unwrap();
    check(&fetch(&sandbox, &["hf://acme/texts", "m", "--offline"]), 13, &["error[offline]"]);
    check(&fetch(&sandbox, &["hf://acme/texts", "m"]), 0, &[]);
    assert_eq!(files(&sandbox, "m").len(), 3);
}

#[test]
fn kserves_patterns_say_what_comes_and_what_is_lacking_then_is_no_error() {
    let hub = hub(&[]);
    let tokenizer = r#"["tokenizer.json", "tokenizer_config.json", "config.json"]"#;
    let alone = sandbox(&hub).variable("STORAGE_ALLOW_PATTERNS", tokenizer);
    check(&fetch(&alone, &[WHOLE, "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_eq!(files(&alone, "m"), ["config.json", "tokenizer.json", "tokenizer_config.json"]);

    let asked = hub.requests().len();
    check(&fetch(&alone, &[WHOLE, "m"]), 0, &[]);
    assert_eq!(hub.requests().len(), asked, "what was asked for is there");

    let weights = sandbox(&hub)
        .variable("STORAGE_ALLOW_PATTERNS", "*.safetensors, config.json,*.index.json")
        .variable("STORAGE_IGNORE_PATTERNS", "[\"nothing*\"]");
    let run = fetch(&weights, &[WHOLE, "m"]);
    check(&run, 0, &["warning[tokenizer-missing]", "ready: 1 of 1 lane"]);
    assert!(!files(&weights, "m").iter().any(|name| name.starts_with("tokenizer")));

    let less = sandbox(&hub).variable("STORAGE_IGNORE_PATTERNS", "*.safetensors");
    check(&fetch(&less, &[WHOLE, "m"]), 0, &[]);
    assert!(!files(&less, "m").iter().any(|name| name.ends_with(".safetensors")));
    // The same folder, asked for more of it.
    let more = less.variable("STORAGE_IGNORE_PATTERNS", "nothing");
    check(&fetch(&more, &[WHOLE, "m"]), 0, &[]);
    assert_whole(&more, "m");
}

#[test]
fn two_sources_come_side_by_side_and_one_that_fails_keeps_the_other_from_nothing() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    let words = [WHOLE, "a/model", "hf://acme/tiny-GGUF", "a/gguf"];
    check(&fetch(&sandbox, &words), 0, &["ready: 2 of 2 lanes"]);
    assert_whole(&sandbox, "a/model");
    assert!(is_gguf(&sandbox, "a/gguf/Tiny.Q4-K-M.gguf"));
    let words = [WHOLE, "b/model", "hf://acme/none", "b/none"];
    check(&fetch(&sandbox, &words), 12, &["error[model-not-found]", "1 of 2 lanes ready"]);
    assert_whole(&sandbox, "b/model");
}

#[test]
fn words_that_are_no_pairs_are_refused_and_nobody_is_asked() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub).file("file", "x");
    for (words, expected) in [
        (&[WHOLE][..], "has no DEST"),
        (&[WHOLE, "a", "hf://acme/tiny-GGUF"], "has no DEST"),
        (&["a", WHOLE], "the order is SRC DEST"),
        (&[WHOLE, "hf://acme/tiny-GGUF"], "where the folder"),
        (&["s3://user:word@bucket/x", "a"], "sources that are read begin with `hf://`"),
        (&["oci://registry/x", "a"], "of the kind `oci://`"),
        (&["hf://acme", "a"], "the repository is missing"),
        (&["hf://datasets/acme/x", "a"], "are no model"),
        (&[WHOLE, "file"], "is a file"),
        (&[WHOLE, "file/below"], "is none"),
        (&[WHOLE, "a/../b"], "leads upwards"),
        (&[WHOLE, "a", "hf://acme/tiny-GGUF", "a/"], "both go to"),
        (&[WHOLE, "a", "hf://acme/tiny-GGUF", "a/.cache/huggingface/b"], "is where notes are kept"),
        (&["hf://acme/tiny-GGUF", "a.gguf/b", "hf://acme/tiny/x.gguf", "a.gguf"], "is inside"),
        (&[WHOLE, "a", "--lane", "x"], "`--lane` is about a project"),
        (&[WHOLE, "a", "-f", "compose.yaml"], "`--file` is about a project"),
        (&["a", "b"], "are two paths"),
    ] {
        let run = fetch(&sandbox, words);
        check(&run, 2, &[expected]);
        assert!(!run.stderr.contains("word@"), "{}", run.stderr);
    }
    let confidential = sandbox.variable("CONFIDENTIAL_ENABLED", "true");
    check(&fetch(&confidential, &[WHOLE, "a"]), 2, &["are encrypted"]);
    assert!(hub.requests().is_empty());
}

#[test]
fn no_subcommand_is_needed_in_front_of_a_source() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    check(&sandbox.run(&[WHOLE, "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_whole(&sandbox, "m");
    check(&sandbox.run(&["-q", WHOLE, "quiet"]), 0, &[]);
    assert_whole(&sandbox, "quiet");
    let run = sandbox.run(&["--format", "json", WHOLE, "told"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["lanes"][0]["verdict"], "ready");
    assert_whole(&sandbox, "told");
}

#[test]
fn a_gated_model_a_wrong_hash_and_a_stalled_store_end_with_codes_of_their_own() {
    for (fault, code, finding) in [
        ("gated:acme/tiny", 12, "error["),
        ("corrupt:acme/tiny/model-00001-of-00003.safetensors", 11, "error[download-corrupt]"),
        ("stall=1000*99:acme/tiny/model-00001-of-00003.safetensors", 13, "error[download-stalled]"),
    ] {
        let hub = hub(&[fault]);
        let sandbox = sandbox(&hub)
            .file("log", "")
            .variable("PREFLIGHT_SILENCE", "1s")
            .variable("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        let log = sandbox.path().join("log").display().to_string();
        let sandbox = sandbox.variable("PREFLIGHT_TERMINATION_LOG", log);
        check(&fetch(&sandbox, &[WHOLE, "m"]), code, &[finding]);
        let told = fs_err::read_to_string(sandbox.path().join("log")).unwrap();
        assert!(told.starts_with(&format!("preflight: not ready: exit {code}")), "{told}");
        assert!(!sandbox.path().join("m/model-00001-of-00003.safetensors").exists(), "{fault}");
        hub.release();
    }
}

#[test]
fn names_that_lead_out_of_the_folder_bring_nothing() {
    let hub = builder().unsafe_name("acme/evil", "../../evil.txt").start().unwrap();
    let sandbox = sandbox(&hub);
    check(&fetch(&sandbox, &["hf://acme/evil", "m/a"]), 11, &["error[unsafe-name]"]);
    assert_eq!(files(&sandbox, "."), [""; 0]);
}

#[test]
fn a_folder_that_nothing_can_be_written_into_is_a_matter_of_rights() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub).file("m/.keep", "");
    let at = |mode| {
        fs_err::set_permissions(sandbox.path(), Permissions::from_mode(0o755)).unwrap();
        fs_err::set_permissions(sandbox.path().join("m"), Permissions::from_mode(mode)).unwrap();
    };
    at(0o555);
    for to in ["m", "m/new"] {
        let mut command = sandbox.command(&["fetch", WHOLE, to]);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let run = sandbox.told(&command.output().unwrap());
        check(&run, 16, &["error[not-writable]"]);
    }
    at(0o755);
    assert_eq!(bodies(&hub), 0);
}

#[test]
fn a_whole_folder_is_ready_although_nothing_can_be_written_there() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    for (name, content) in folder() {
        let path = sandbox.path().join("m").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
    fs_err::set_permissions(sandbox.path(), Permissions::from_mode(0o755)).unwrap();
    for more in [&[][..], &["--offline"]] {
        let mut command = sandbox.command(&[&["fetch", WHOLE, "m"], more].concat());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let run = sandbox.told(&command.output().unwrap());
        check(&run, 0, &["ready: 1 of 1 lane"]);
    }
}

#[test]
fn too_small_a_disk_is_told_before_the_first_byte() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub).file("m/.keep", "");
    let Some(_disk) = Disk::mount(sandbox.path().join("m"), "size=64k") else {
        return crate::fetch_killed::skipped("no small file system can be mounted");
    };
    let words = ["hf://acme/tiny-GGUF", "m/a", WHOLE, "m/b"];
    check(&fetch(&sandbox, &words), 14, &["error[disk-space-short]", "fewer sources at once"]);
    assert_eq!(bodies(&hub), 0);
}

#[test]
fn a_commit_may_be_written_in_capitals() {
    let hub = alike();
    let sandbox = sandbox(&hub);
    let commit = hub.commit("acme/two");
    let capitals = format!("hf://acme/two@{}", commit.to_uppercase());
    assert!(!capitals.contains(commit));
    check(&fetch(&sandbox, &[&capitals, "m"]), 0, &["ready: 1 of 1 lane"]);
    let asked = hub.requests().len();
    for source in [capitals, format!("hf://acme/two@{commit}")] {
        check(&fetch(&sandbox, &[&source, "m"]), 0, &["ready: 1 of 1 lane"]);
        assert_eq!(hub.requests().len(), asked, "{source} is there, so nobody is asked");
    }
}

#[test]
fn two_processes_on_one_folder_bring_it_once_and_the_waiting_one_says_for_whom() {
    let hub = hub(&["stall=1000:acme/tiny/model-00001-of-00003.safetensors"]);
    let sandbox = sandbox(&hub);
    let start = || -> Child {
        let mut command = sandbox.command(&["fetch", WHOLE, "m", "--progress", "plain"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut one = start();
    hub.wait_until_stalled(1);
    let mut other = start();
    let mut said = [0; 2048];
    let mut told = String::new();
    let mut stderr = other.stderr.take().unwrap();
    while !told.contains("waiting") {
        let read = stderr.read(&mut said).unwrap();
        assert!(read > 0, "the other did not wait: {told}");
        told.push_str(&String::from_utf8_lossy(&said[..read]));
    }
    assert!(told.contains(&format!("pid {}", one.id())), "{told}");
    hub.release();
    assert_eq!(one.wait().unwrap().code(), Some(0));
    assert_eq!(other.wait().unwrap().code(), Some(0));
    assert_whole(&sandbox, "m");
    assert_eq!(bodies(&hub), 3, "each of the three large files came once");
}

#[test]
fn a_lock_file_that_is_asked_for_is_written_once_and_held_to_then() {
    let old = builder().file("acme/moved", "a.txt", "old").commit("acme/moved");
    let hub = old.file("acme/moved", "b.txt", "new").start().unwrap();
    let sandbox = sandbox(&hub);
    let file = "hf://acme/tiny-GGUF/Tiny.Q4-K-M.gguf";
    let words = ["hf://acme/moved", "m", file, "g", "--lock-file", "m/preflight.lock"];
    check(&fetch(&sandbox, &words), 0, &[]);
    let lock = sandbox.path().join("m/preflight.lock");
    let text = fs_err::read_to_string(&lock).unwrap();
    let pins: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(pins["lanes"]["acme/moved"]["commit"], hub.commit("acme/moved"));
    assert!(pins["lanes"][format!("acme/{}", &file["hf://acme/".len()..])]["files"].is_object());

    fs_err::write(sandbox.path().join("m/b.txt"), "forged").unwrap();
    let deep = fetch(&sandbox, &[&words[..], &["--deep", "--no-fetch"]].concat());
    check(&deep, 11, &["error[file-corrupt]", "b.txt"]);
    fs_err::remove_file(sandbox.path().join("m/b.txt")).unwrap();
    check(&fetch(&sandbox, &words), 0, &[]);
    assert_eq!(fs_err::read_to_string(&lock).unwrap(), text, "it is written once");

    // It is all that is left, and the branch has moved on.
    let pinned = builder().file("acme/moved", "a.txt", "old").file("acme/moved", "b.txt", "new");
    let then = pinned.commit("acme/moved").file("acme/moved", "b.txt", "newer").start().unwrap();
    let sandbox = sandbox.variable("HF_ENDPOINT", then.url());
    for name in ["m/a.txt", "m/b.txt"] {
        fs_err::remove_file(sandbox.path().join(name)).unwrap();
    }
    fs_err::remove_dir_all(sandbox.path().join("m/.cache")).unwrap();
    let run = fetch(&sandbox, &[&words[..], &["--update"]].concat());
    check(&run, 0, &["note[lock-holds-back-update]", "ready: 2 of 2 lanes"]);
    assert_eq!(fs_err::read_to_string(sandbox.path().join("m/b.txt")).unwrap(), "new");
    assert_eq!(fs_err::read_to_string(lock).unwrap(), text);
}

#[test]
fn a_dry_run_says_what_would_come_and_writes_nothing() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    check(&fetch(&sandbox, &[WHOLE, "m", "--dry-run"]), 0, &["would fetch 10 files"]);
    assert!(!sandbox.path().join("m").exists());
    assert_eq!(bodies(&hub), 0);
}

#[test]
fn a_report_for_programs_names_every_file() {
    let hub = hub(&[]);
    let sandbox = sandbox(&hub);
    let run = fetch(&sandbox, &["hf://acme/tiny-GGUF", "m", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let lane = &report["lanes"][0];
    assert_eq!(lane["name"], "acme/tiny-GGUF");
    assert_eq!(lane["verdict"], "ready");
    assert_eq!(lane["files"][0]["state"], "fetched", "{lane:#}");
    assert!(lane["files"][0]["path"].as_str().unwrap().ends_with("m/Tiny.Q4-K-M.gguf"));
}

#[test]
fn a_link_in_the_folder_leads_no_file_out_of_it() {
    let hub = builder().file("acme/tiny", "1_Pooling/config.json", "{}").start().unwrap();
    let sandbox = sandbox(&hub).file("m/.keep", "").file("elsewhere/.keep", "");
    let link = sandbox.path().join("m/1_Pooling");
    std::os::unix::fs::symlink(Path::new("../elsewhere"), link).unwrap();
    check(&fetch(&sandbox, &[WHOLE, "m"]), 16, &["error[symlink-leaves-folder]"]);
    assert_eq!(files(&sandbox, "elsewhere"), [".keep"]);
}

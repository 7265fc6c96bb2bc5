//! Hubs that answer otherwise than the Hugging Face Hub does, as mirrors and proxies do, and one that
//! wants to be left alone for a while.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::hf_interop;
use crate::hub_stack::{bodies, brought, check, hub, stack};

/// Fetches everything from a hub with `faults`, and proves all of it. The genuine `hf` can do so too.
fn brings(faults: &[&str]) {
    let hub = hub(faults);
    if let Some(hf) = hf_interop::hf() {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(hf);
        command.args(["download", "acme/tiny"]).env_clear().env("HOME", home.path());
        command.env("HF_ENDPOINT", hub.url()).env("HF_HUB_DISABLE_XET", "1");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{faults:?}: hf: {said}");
    }
    let sandbox = stack(&hub);
    check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes"]);
    assert_eq!(brought(&sandbox).len(), 11, "{faults:?}");
    check(&sandbox.run(&["verify", "--deep"]), 0, &["ready: 2 of 2 lanes"]);
    let run = sandbox.run(&["lock"]);
    check(&run, 0, &[]);
    let lock = fs_err::read_to_string(sandbox.path().join("preflight.lock")).unwrap();
    assert!(lock.contains("sha256") && !lock.contains("\"\""), "{lock}");
}

#[test]
fn a_listing_that_has_of_large_files_what_git_has_is_set_right_by_where_they_are() {
    brings(&["no-lfs:all"]);
    brings(&["no-lfs:all", "no-content-range:all", "zipped:all"]);
}

#[test]
fn a_listing_without_ids_is_set_right_by_where_the_files_are() {
    brings(&["no-oid:all"]);
}

#[test]
fn a_listing_that_says_all_costs_one_question_for_access_a_lane() {
    let hub = hub(&[]);
    check(&stack(&hub).run(&["fetch", "--dry-run"]), 0, &[]);
    assert_eq!(hub.requests().iter().filter(|request| request.method == "HEAD").count(), 2);
}

#[test]
fn a_wrong_byte_is_found_however_little_the_listing_says() {
    for listing in ["no-lfs:all", "no-oid:all"] {
        let hub = hub(&[listing, "corrupt:acme/tiny-GGUF"]);
        let run = stack(&hub).run(&["fetch", "--lane", "reader"]);
        check(&run, 11, &["error[download-corrupt]", "sha256"]);
    }
}

#[test]
fn answers_and_small_files_may_come_compressed_although_nobody_wants_them_so() {
    brings(&["zipped:all"]);
}

#[test]
fn a_small_file_that_comes_compressed_is_proven_all_the_same() {
    let hub = hub(&["zipped:acme/tiny", "wrong-size:acme/tiny/config.json"]);
    let run = stack(&hub).run(&["fetch", "--lane", "coder"]);
    check(&run, 11, &["error[download-corrupt]", "config.json"]);
}

#[test]
fn a_range_needs_no_header_that_says_which_one_it_is() {
    brings(&["no-content-range:all"]);
}

#[test]
fn a_file_that_is_listed_and_not_there_is_named() {
    let hub = hub(&["gone:acme/tiny/config.json"]);
    let sandbox = stack(&hub);
    let said = format!("`{}` lists `config.json` in `acme/tiny` and does not have it", hub.url());
    check(&sandbox.run(&["fetch", "--lane", "coder"]), 17, &["error[file-not-in-repo]", &said]);
    // What the access is judged by.
    let hub = crate::hub_stack::hub(&["gone:acme/tiny-GGUF"]);
    let run = stack(&hub).run(&["fetch", "--dry-run", "--lane", "reader"]);
    check(&run, 17, &["error[file-not-in-repo]", "lists `Tiny.Q4-K-M.gguf` in `acme/tiny-GGUF`"]);
    assert_eq!(bodies(&hub), 0);
    // A mirror that says no more than the status.
    let hub = crate::hub_stack::hub(&["status=404*9:acme/tiny-GGUF/Tiny.Q4-K-M.gguf"]);
    let run = stack(&hub).run(&["fetch", "--lane", "reader"]);
    check(&run, 17, &["error[file-not-in-repo]", "lists `Tiny.Q4-K-M.gguf` in `acme/tiny-GGUF`"]);
}

#[test]
fn a_hub_that_wants_to_be_left_alone_is_at_the_first_request_and_at_any_other() {
    let file = "acme/tiny-GGUF/Tiny.Q4-K-M.gguf";
    for fault in ["rate-limit=2", "retry-date=3"] {
        for target in ["all", "acme/tiny-GGUF", file] {
            let hub = hub(&[&format!("{fault}:{target}")]);
            let start = Instant::now();
            let run = stack(&hub).run(&["fetch", "--lane", "reader"]);
            check(&run, 0, &["ready: 1 of 1 lane"]);
            let requests = hub.requests();
            assert_eq!(requests.iter().filter(|it| it.status == 429).count(), 1, "{requests:#?}");
            // A date has no fractions of a second.
            assert!(start.elapsed() >= Duration::from_secs(2), "{fault} {target}");
        }
    }
}

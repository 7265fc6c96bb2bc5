//! `preflight fetch` through the binary, against a local hub: what is brought, what is refused, and
//! with which exit code.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fake_hub::FakeHub;

use crate::sandbox::{Run, Sandbox, repository};

const GGUF: &str = "examples/quickstart/models/gguf/tiny-Q4_K_M.gguf";
const FOLDER: &str = "examples/quickstart/models/vllm/tiny/bf16";

/// A user who owns nothing here.
const NOBODY: u32 = 65_534;

/// A hub with the models of the quickstart, and what goes wrong with it.
fn hub(faults: &[&str]) -> FakeHub {
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    let mut builder = FakeHub::builder().file("acme/tiny-GGUF", "Tiny.Q4-K-M.gguf", gguf);
    for entry in fs_err::read_dir(repository().join(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        builder = builder.file("acme/tiny", name, fs_err::read(&path).unwrap());
    }
    for fault in faults {
        builder = builder.fault(fault.parse().unwrap());
    }
    builder.start().unwrap()
}

/// The quickstart without its models, each lane with a source at `hub`.
fn stack(hub: &FakeHub) -> Sandbox {
    let sandbox = Sandbox::quickstart().variable("HF_ENDPOINT", hub.url());
    let compose = sandbox.path().join("compose.yaml");
    let text = fs_err::read_to_string(&compose).unwrap();
    let text = text
        .replace(
            "    reader:\n",
            "    reader:\n      source: hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf\n",
        )
        .replace("    coder:\n", "    coder:\n      source: hf://acme/tiny\n");
    assert!(text.contains("hf://acme/tiny-GGUF") && text.contains("hf://acme/tiny\n"), "{text}");
    fs_err::write(&compose, text).unwrap();
    fs_err::remove_dir_all(sandbox.path().join("models")).unwrap();
    fs_err::create_dir(sandbox.path().join("models")).unwrap();
    sandbox
}

/// Every file below the models folder, without the notes for `hf`.
fn brought(sandbox: &Sandbox) -> Vec<String> {
    let models = sandbox.path().join("models");
    let files = walkdir::WalkDir::new(&models).sort_by_file_name().into_iter();
    files
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let below = entry.path().strip_prefix(&models).unwrap().display().to_string();
            (entry.file_type().is_file() && !below.contains(".cache")).then_some(below)
        })
        .collect()
}

fn same(sandbox: &Sandbox, name: &str, original: &str) -> bool {
    let here = fs_err::read(sandbox.path().join("models").join(name)).unwrap();
    here == fs_err::read(repository().join(original)).unwrap()
}

/// Runs into `fault`: the exit code, the finding, and nothing left behind of the model.
fn check(fault: &str, code: i32, finding: &str) -> Run {
    let hub = hub(&[fault]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch", "--lane", "reader"]);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{fault}: {said}");
    assert!(said.contains(finding), "{fault}: {said}");
    assert!(said.contains("help: "), "{fault}: {said}");
    assert_eq!(brought(&sandbox), [""; 0], "{fault}: {said}");
    run
}

#[test]
fn a_whole_repository_and_one_file_of_another_are_brought_and_are_ready() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.ends_with("preflight: ready: 2 of 2 lanes\n"), "{}", run.stderr);
    assert!(same(&sandbox, "gguf/tiny-Q4_K_M.gguf", GGUF), "the file has the engine's name for it");
    assert_eq!(brought(&sandbox).len(), 11, "{:?}", brought(&sandbox));

    let asked = hub.requests().len();
    let again = sandbox.run(&["fetch"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(hub.requests().len(), asked, "nothing is missing, so nobody is asked");
}

#[test]
fn only_what_is_missing_or_cut_short_is_brought_again() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    assert_eq!(sandbox.run(&["fetch"]).code, Some(0));
    let models = sandbox.path().join("models");
    fs_err::remove_file(models.join("vllm/tiny/bf16/config.json")).unwrap();
    let gguf = models.join("gguf/tiny-Q4_K_M.gguf");
    fs_err::OpenOptions::new().write(true).open(&gguf).unwrap().set_len(1000).unwrap();
    let before = hub.requests().len();

    assert_eq!(sandbox.run(&["fetch"]).code, Some(0));
    assert!(same(&sandbox, "gguf/tiny-Q4_K_M.gguf", GGUF));
    let asked: Vec<_> = hub.requests().split_off(before).into_iter().map(|r| r.path).collect();
    let bodies = |word: &str| asked.iter().any(|path| path.contains(word));
    assert!(bodies("config.json") && !bodies("model-00001"), "{asked:?}");
}

#[test]
fn without_fetch_nobody_is_asked_and_the_lanes_are_incomplete() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&[]);
    assert_eq!(run.code, Some(10), "{}", run.stdout);
    assert!(run.stdout.contains("preflight fetch --lane reader"), "{}", run.stdout);
    assert!(hub.requests().is_empty());
}

#[test]
fn offline_says_that_the_hub_may_not_be_asked() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch", "--offline"]);
    assert_eq!(run.code, Some(13), "{}{}", run.stdout, run.stderr);
    assert!(hub.requests().is_empty());
}

#[test]
fn every_refusal_of_the_hub_has_its_exit_code_and_leaves_nothing_behind() {
    check("gated:acme/tiny-GGUF", 12, "error[token-missing]");
    check("status=404*9:acme/tiny-GGUF", 12, "error[model-not-found]");
    check("status=500*99:acme/tiny-GGUF", 13, "error[hub-unreachable]");
    check("corrupt:acme/tiny-GGUF/Tiny.Q4-K-M.gguf", 11, "error[download-corrupt]");
    check("rate-limit=4000*99:acme/tiny-GGUF", 13, "error[rate-limited]");
}

#[test]
fn a_token_whose_owner_was_not_let_in_is_told_which_page_to_visit() {
    let hub = hub(&["denied:acme/tiny-GGUF"]);
    let sandbox = stack(&hub).variable("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz");
    let run = sandbox.run(&["fetch", "--lane", "reader"]);
    assert_eq!(run.code, Some(12), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("error[model-gated]"), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("{}/acme/tiny-GGUF", hub.url())), "{}", run.stdout);
    assert!(!run.stdout.contains("hf_abc") && !run.stderr.contains("hf_abc"));
}

#[test]
fn one_lane_that_fails_does_not_keep_another_from_being_brought() {
    let hub = hub(&["status=404*9:acme/tiny-GGUF"]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch"]);
    assert_eq!(run.code, Some(12), "{}", run.stdout);
    assert_eq!(brought(&sandbox).len(), 10, "{:?}", brought(&sandbox));
    assert!(run.stdout.contains("coder") && run.stdout.contains("ready"), "{}", run.stdout);
}

#[test]
fn a_hub_that_is_not_there_is_unreachable() {
    let gone = hub(&[]).url();
    let hub = hub(&[]);
    let sandbox = stack(&hub).variable("HF_ENDPOINT", gone);
    let run = sandbox.run(&["fetch", "--lane", "reader"]);
    assert_eq!(run.code, Some(13), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("error[hub-unreachable]"), "{}", run.stdout);
}

#[test]
fn a_folder_that_cannot_be_written_is_a_matter_of_rights() {
    use std::os::unix::process::CommandExt as _;
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    fs_err::set_permissions(sandbox.path(), Permissions::from_mode(0o755)).unwrap();
    let models = sandbox.path().join("models");
    fs_err::set_permissions(&models, Permissions::from_mode(0o555)).unwrap();
    let mut command = sandbox.command(&["fetch", "--lane", "reader"]);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let run = sandbox.told(&command.output().unwrap());
    fs_err::set_permissions(&models, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run.code, Some(16), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("error[not-writable]"), "{}", run.stdout);
    assert!(hub.requests().is_empty(), "nothing is asked for that cannot be kept");
}

#[test]
fn a_signal_ends_a_fetch_at_once_and_leaves_no_file_behind() {
    for (signal, code) in
        [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::INT, 130)]
    {
        let hub = hub(&["stall=1000:acme/tiny-GGUF/Tiny.Q4-K-M.gguf"]);
        let sandbox = stack(&hub);
        let mut child = sandbox.command(&["fetch", "--lane", "reader"]).spawn().unwrap();
        hub.wait_until_stalled(1);
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, signal).unwrap();
        let ended = child.wait().unwrap();
        hub.release();
        assert_eq!(ended.code(), Some(code));
        assert_eq!(all_files(&sandbox.path().join("models/gguf")), [""; 0]);
    }
}

fn all_files(folder: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let paths = files.map(|entry| entry.path().display().to_string());
    // Locks stay, as those of `hf` do.
    paths.filter(|path| !path.ends_with(".lock")).collect()
}

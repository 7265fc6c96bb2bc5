//! What moves to a newer commit, when, and how: `fetch --update`.

use std::path::Path;

use fake_hub::{Builder, FakeHub};

use crate::hub_stack::{bodies, brought, builder, check, edit, folder, stack};
use crate::sandbox::Sandbox;

pub(crate) const LANE: &str = "models/vllm/tiny/bf16";

/// A hub on which `main` of the folder has moved: two files are others, as large as before.
pub(crate) fn moved(faults: &[&str]) -> FakeHub {
    let changed = ["model-00001-of-00003.safetensors", "generation_config.json"];
    let newer = folder().into_iter().filter(|(name, _)| changed.contains(&name.as_str()));
    let add = |builder: Builder, (name, mut content): (String, Vec<u8>)| {
        let digit = content.iter().rposition(u8::is_ascii_digit).unwrap();
        content[digit] ^= 1;
        builder.file("acme/tiny", &name, content)
    };
    let builder = newer.fold(builder().commit("acme/tiny"), add);
    let fault = |builder: Builder, fault: &&str| builder.fault(fault.parse().unwrap());
    faults.iter().fold(builder, fault).start().unwrap()
}

pub(crate) fn content(sandbox: &Sandbox) -> Vec<Vec<u8>> {
    let names = folder().into_iter().map(|(name, _)| name);
    names.map(|name| fs_err::read(sandbox.path().join(LANE).join(name)).unwrap()).collect()
}

/// A stack that was fetched before the branch moved.
pub(crate) fn behind(hub: &FakeHub) -> Sandbox {
    let first = crate::hub_stack::hub(&[]);
    let sandbox = stack(&first);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    sandbox.variable("HF_ENDPOINT", hub.url())
}

#[test]
fn what_is_present_moves_only_when_it_is_told_to() {
    let hub = moved(&[]);
    let sandbox = behind(&hub);
    let before = content(&sandbox);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    assert!(hub.requests().is_empty(), "nothing is missing");
    assert_eq!(content(&sandbox), before);

    check(&sandbox.run(&["fetch", "--update", "--lane", "coder"]), 0, &["ready: 1 of 1 lane"]);
    assert_ne!(content(&sandbox), before);
    assert_eq!(bodies(&hub), 1, "the other shards are the same");
    let note = sandbox
        .path()
        .join(LANE)
        .join(".cache/huggingface/download/generation_config.json.metadata");
    let note = fs_err::read_to_string(note).unwrap();
    assert!(note.starts_with(hub.commit("acme/tiny")), "{note}");
    assert!(!sandbox.path().join(LANE).join(".cache/huggingface/preflight/update").exists());
    assert_eq!(brought(&sandbox).len(), 11);

    check(&sandbox.run(&["fetch", "--update", "--lane", "coder"]), 0, &[]);
    assert_eq!(bodies(&hub), 1, "it is the newest already");
    check(&sandbox.run(&["verify", "--deep"]), 0, &[]);
}

#[test]
fn a_folder_that_is_not_whole_is_completed_at_the_commit_that_it_was_begun_with() {
    let hub = moved(&[]);
    let sandbox = behind(&hub);
    let before = content(&sandbox);
    for name in ["generation_config.json", "config.json"] {
        fs_err::remove_file(sandbox.path().join(LANE).join(name)).unwrap();
    }
    check(&sandbox.run(&["fetch"]), 0, &[]);
    assert_eq!(content(&sandbox), before);
}

#[test]
fn the_old_files_stay_until_the_new_ones_are_whole() {
    let fault = "cdn-status=404*99:acme/tiny/model-00001-of-00003.safetensors";
    let hub = moved(&[fault]);
    let sandbox = behind(&hub);
    let before = content(&sandbox);
    let run = sandbox.run(&["fetch", "--update", "--lane", "coder"]);
    assert_eq!(run.code, Some(13), "{}{}", run.stdout, run.stderr);
    assert_eq!(content(&sandbox), before, "not even the small file has moved");

    let healed = moved(&[]);
    let sandbox = sandbox.variable("HF_ENDPOINT", healed.url());
    check(&sandbox.run(&["fetch", "--update", "--lane", "coder"]), 0, &[]);
    assert_ne!(content(&sandbox), before);
    let asked = |name: &str| healed.requests().iter().any(|it| it.path.contains(name));
    assert!(!asked("resolve-cache"), "the small file has waited since the first attempt");
}

#[test]
fn a_file_that_waits_without_its_note_gets_one_with_its_place() {
    let fault = "cdn-status=404*99:acme/tiny/model-00001-of-00003.safetensors";
    let hub = moved(&[fault]);
    let sandbox = behind(&hub);
    check(&sandbox.run(&["fetch", "--update", "--lane", "coder"]), 13, &[]);
    let note = "generation_config.json.metadata";
    let waiting = sandbox.path().join(LANE).join(".cache/huggingface/preflight/update");
    let waiting = waiting.join(hub.commit("acme/tiny"));
    assert!(waiting.join("generation_config.json").exists());
    fs_err::remove_file(waiting.join(".cache/huggingface/download").join(note)).unwrap();
    let healed = moved(&[]);
    let sandbox = sandbox.variable("HF_ENDPOINT", healed.url());
    let run = sandbox.run(&["fetch", "--update", "--lane", "coder"]);
    check(&run, 0, &["ready: 1 of 1 lane"]);
    assert!(!run.stderr.contains("`hf` will not know"), "{}", run.stderr);
    let note = sandbox.path().join(LANE).join(".cache/huggingface/download").join(note);
    let note = fs_err::read_to_string(note).unwrap();
    assert!(note.starts_with(healed.commit("acme/tiny")), "{note}");
}

#[test]
fn what_is_pinned_does_not_move_by_itself() {
    let hub = moved(&[]);
    let sandbox = behind(&hub);
    check(&sandbox.run(&["lock"]), 0, &[]);
    let before = content(&sandbox);
    let held_back = ["note[lock-holds-back-update]", "preflight lock --update --lane coder"];
    check(&sandbox.run(&["fetch", "--update", "--lane", "coder"]), 0, &held_back);
    assert_eq!(content(&sandbox), before);
    check(&sandbox.run(&["lock", "--update"]), 0, &["moved from"]);
    check(&sandbox.run(&["fetch", "--lane", "coder"]), 0, &[]);
    assert_ne!(content(&sandbox), before);
}

/// Removes every stamp below a folder: what was fetched by `hf` has none.
fn without_stamps(folder: &Path) {
    fs_err::remove_dir_all(folder.join(".cache/huggingface/preflight")).unwrap();
}

fn assert_older(folder: &Path) {
    for (name, content) in crate::hub_stack::folder() {
        assert!(fs_err::read(folder.join(&name)).unwrap() == content, "{name}");
    }
}

#[test]
fn what_a_fetch_of_another_commit_has_left_is_not_taken_for_this_one() {
    let first = crate::hub_stack::hub(&[]);
    let shard = "model-00002-of-00003.safetensors";
    for (stops, stamped) in [(true, true), (true, false), (false, false)] {
        let fault = format!("corrupt:acme/tiny/{shard}");
        let faults = [fault.as_str()];
        let hub = moved(if stops { &faults } else { &[] });
        let sandbox = stack(&hub);
        let newer = format!("hf://acme/tiny@{}\n", hub.commit("acme/tiny"));
        edit(&sandbox, "hf://acme/tiny\n", &newer);
        let code = if stops { 11 } else { 0 };
        let one_by_one = ["fetch", "--lane", "coder", "--max-workers", "1"];
        check(&sandbox.run(&one_by_one), code, &[]);
        let lane = sandbox.path().join(LANE);
        let text = fs_err::read(lane.join("generation_config.json")).unwrap();
        let older = folder().into_iter().find(|(name, _)| name == "generation_config.json");
        assert!(text != older.unwrap().1, "the newer one has come");
        if !stamped {
            without_stamps(&lane);
        }
        let was_there = lane.join(shard).exists();
        assert_eq!(was_there, !stops);
        if was_there {
            fs_err::remove_file(lane.join(shard)).unwrap();
        }
        edit(&sandbox, &newer, &format!("hf://acme/tiny@{}\n", first.commit("acme/tiny")));
        let sandbox = sandbox.variable("HF_ENDPOINT", first.url());
        check(&sandbox.run(&["fetch", "--lane", "coder"]), 0, &["ready: 1 of 1 lane"]);
        assert_older(&lane);
    }
}

#[test]
fn a_delivery_of_another_commit_leaves_nothing_that_is_taken_for_this_one() {
    let first = crate::hub_stack::hub(&[]);
    let hub = moved(&["corrupt:acme/tiny/model-00002-of-00003.safetensors"]);
    let sandbox = Sandbox::new().variable("HF_ENDPOINT", hub.url());
    let source = |hub: &FakeHub| format!("hf://acme/tiny@{}", hub.commit("acme/tiny"));
    check(&sandbox.run(&["fetch", &source(&hub), "m", "--max-workers", "1"]), 11, &[]);
    let stamp = "m/.cache/huggingface/preflight/generation_config.json.stamp";
    assert!(sandbox.path().join(stamp).exists(), "a run that fails keeps what it knows");
    without_stamps(&sandbox.path().join("m"));
    let sandbox = sandbox.variable("HF_ENDPOINT", first.url());
    check(&sandbox.run(&["fetch", &source(&first), "m"]), 0, &["ready: 1 of 1 lane"]);
    assert_older(&sandbox.path().join("m"));
}

#[test]
fn what_was_edited_since_stays_whatever_its_note_says() {
    let hub = moved(&[]);
    let sandbox = Sandbox::new().variable("HF_ENDPOINT", hub.url());
    let source = |hub: &FakeHub| format!("hf://acme/tiny@{}", hub.commit("acme/tiny"));
    check(&sandbox.run(&["fetch", &source(&hub), "m"]), 0, &[]);
    let folder = sandbox.path().join("m");
    without_stamps(&folder);
    let text = folder.join("generation_config.json");
    let note = folder.join(".cache/huggingface/download/generation_config.json.metadata");
    let mut lines: Vec<String> =
        fs_err::read_to_string(&note).unwrap().lines().map(str::to_owned).collect();
    lines[2] = "1000.5".to_owned();
    fs_err::write(&note, lines.join("\n") + "\n").unwrap();
    let edited = fs_err::read(&text).unwrap();
    fs_err::remove_file(folder.join("config.json")).unwrap();
    let first = crate::hub_stack::hub(&[]);
    let sandbox = sandbox.variable("HF_ENDPOINT", first.url());
    check(&sandbox.run(&["fetch", &source(&first), "m"]), 0, &[]);
    assert_eq!(fs_err::read(&text).unwrap(), edited);
}

#[test]
fn nothing_moves_where_a_dry_run_says_what_would() {
    let hub = moved(&[]);
    let sandbox = behind(&hub);
    let before = content(&sandbox);
    let run = sandbox.run(&["fetch", "--update", "--dry-run", "--lane", "coder"]);
    check(&run, 0, &["a fetch would bring 2 files of `hf://acme/tiny`"]);
    assert_eq!((content(&sandbox), bodies(&hub)), (before, 0));
}

//! Every way in which a fetch can be refused: its finding, its exit code, its fix, and nothing left
//! behind.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fake_hub::FakeHub;

use crate::hub_stack::{bodies, brought, builder, check, edit, hub, stack};
use crate::sandbox::{Run, Sandbox};

const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyz";

fn fetch(sandbox: &Sandbox) -> Run {
    sandbox.run(&["fetch", "--lane", "reader"])
}

/// Fetches from a hub with `fault`.
fn refused(fault: &str, code: i32, words: &[&str]) {
    let hub = hub(&[fault]);
    let sandbox = stack(&hub);
    check(&fetch(&sandbox), code, words);
    assert_eq!(brought(&sandbox), [""; 0], "{fault}");
}

#[test]
fn a_gated_repository_without_a_token_says_where_to_go_and_where_a_token_is_looked_for() {
    let hub = hub(&["gated:acme/tiny-GGUF"]);
    let page = format!("accept the terms at {}/acme/tiny-GGUF", hub.url());
    let sandbox = stack(&hub);
    let places = ["error[token-missing]", &page, "`HF_TOKEN`", "/run/secrets/hf_token"];
    check(&fetch(&sandbox), 12, &places);
    assert_eq!(bodies(&hub), 0);
}

#[test]
fn a_token_whose_owner_was_not_let_in_is_told_which_page_to_visit() {
    let hub = hub(&["denied:acme/tiny-GGUF"]);
    let page = format!("ask for access at {}/acme/tiny-GGUF", hub.url());
    let run = fetch(&stack(&hub).variable("HF_TOKEN", TOKEN));
    check(&run, 12, &["error[model-gated]", &page]);
    assert!(!run.stdout.contains("hf_abc") && !run.stderr.contains("hf_abc"));
}

#[test]
fn a_token_that_the_hub_does_not_know_is_rejected() {
    let hub = builder().token("hf_another").start().unwrap();
    let run = fetch(&stack(&hub).variable("HF_TOKEN", TOKEN));
    check(&run, 12, &["error[token-rejected]", "neither expired nor been revoked"]);
    assert!(!run.stdout.contains("hf_abc") && !run.stderr.contains("hf_abc"));
}

#[test]
fn a_repository_or_a_revision_or_a_file_that_is_not_there_has_its_own_name() {
    let hub = hub(&[]);
    let run = |from: &str, to: &str| {
        let sandbox = stack(&hub);
        edit(&sandbox, from, to);
        fetch(&sandbox)
    };
    let file = "hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf";
    let elsewhere = run(file, "hf://acme/gone/tiny-Q4_K_M.gguf");
    check(&elsewhere, 12, &["error[model-not-found]", "correct `acme/gone`"]);
    let later = run(file, "hf://acme/tiny-GGUF@v2/tiny-Q4_K_M.gguf");
    check(&later, 17, &["error[revision-not-found]", "name a branch, a tag or a commit"]);
    let other = run(file, "hf://acme/tiny-GGUF/tiny-Q5_K_M.gguf");
    check(&other, 17, &["error[file-not-in-repo]", "the repository has `Tiny.Q4-K-M.gguf`"]);
}

#[test]
fn a_hub_that_does_not_answer_in_time_or_at_all_is_a_matter_of_the_network() {
    refused("status=403:acme/tiny-GGUF", 12, &["error[access-forbidden]", "the right to read"]);
    refused("status=500*99:acme/tiny-GGUF", 13, &["error[hub-unreachable]", "HF_ENDPOINT"]);
    refused("rate-limit=4000*99:acme/tiny-GGUF", 13, &["error[rate-limited]", "wait 4000 s"]);
    let gone = hub(&[]).url();
    let hub = hub(&[]);
    let sandbox = stack(&hub).variable("HF_ENDPOINT", gone.clone());
    check(&fetch(&sandbox), 13, &["error[hub-unreachable]", &gone]);
}

#[test]
fn offline_asks_nobody() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch", "--offline"]);
    check(&run, 13, &["error[offline]", "run once without `--offline`"]);
    let sandbox = sandbox.variable("HF_HUB_OFFLINE", "1");
    check(&fetch(&sandbox), 13, &["error[offline]"]);
    assert!(hub.requests().is_empty());
}

#[test]
fn a_content_that_is_not_the_one_that_is_listed_is_corrupt() {
    let fault = "corrupt:acme/tiny-GGUF/Tiny.Q4-K-M.gguf";
    refused(fault, 11, &["error[download-corrupt]", "a proxy or a mirror that changes files"]);
}

#[test]
fn a_repository_with_a_name_that_may_not_be_written_is_not_fetched_at_all() {
    for name in ["../evil", "/etc/evil", "sub/.cache/../../x", "config.json/x"] {
        let hub = builder().unsafe_name("acme/tiny", name).start().unwrap();
        let sandbox = stack(&hub);
        let run = sandbox.run(&["fetch", "--lane", "coder"]);
        check(&run, 11, &["error[unsafe-name]", "leave the file out with `exclude`"]);
        assert_eq!((brought(&sandbox).len(), bodies(&hub)), (0, 0), "{name}");
    }
}

#[test]
fn names_that_differ_in_case_alone_are_two_files_where_the_file_system_says_so() {
    let hub = builder().file("acme/tiny", "Config.json", "{}").start().unwrap();
    let sandbox = stack(&hub);
    check(&sandbox.run(&["fetch", "--lane", "coder"]), 0, &[]);
    let names = brought(&sandbox);
    for name in ["/Config.json", "/config.json"] {
        assert_eq!(names.iter().filter(|it| it.ends_with(name)).count(), 1, "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("incomplete")), "{names:?}");
}

/// A file system that does not tell upper case from lower, if this process may mount one.
fn mount_without_case(sandbox: &Sandbox) -> Option<SmallDisk> {
    let image = sandbox.path().join("disk.img");
    fs_err::File::create(&image).ok()?.set_len(32 << 20).ok()?;
    let make = ["-q", "-O", "casefold", "-E", "encoding=utf8", "-F"];
    let made = Command::new("mkfs.ext4").args(make).arg(&image).output();
    let models = sandbox.path().join("models");
    made.is_ok_and(|output| output.status.success()).then_some(())?;
    let mount = Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&models).output();
    let disk = mount.is_ok_and(|output| output.status.success()).then(|| SmallDisk(models))?;
    let folder = disk.0.join("vllm");
    fs_err::create_dir(&folder).unwrap();
    let folded = Command::new("chattr").arg("+F").arg(&folder).output();
    folded.is_ok_and(|output| output.status.success()).then_some(disk)
}

#[test]
fn names_that_differ_in_case_alone_are_refused_where_they_would_be_one_file() {
    let hub = builder().file("acme/tiny", "Config.json", "{}").start().unwrap();
    let sandbox = stack(&hub);
    let Some(_disk) = mount_without_case(&sandbox) else {
        return skipped("this process may not mount a disk without upper case");
    };
    let run = sandbox.run(&["fetch", "--lane", "coder"]);
    check(&run, 11, &["error[unsafe-name]", "`config.json` and `Config.json`"]);
    assert_eq!((brought(&sandbox), bodies(&hub)), (Vec::new(), 0));
}

#[test]
fn a_transfer_that_goes_silent_again_and_again_ends_with_its_own_name() {
    let hub = hub(&["stall=1000*99:acme/tiny-GGUF"]);
    let sandbox = stack(&hub).variable("PREFLIGHT_SILENCE", "1s");
    check(&fetch(&sandbox), 13, &["error[download-stalled]", "for 1s"]);
    assert_eq!(brought(&sandbox).iter().filter(|it| it.ends_with("gguf")).count(), 0);
    hub.release();
}

#[test]
fn a_fetch_that_takes_longer_than_it_may_is_ended_and_can_go_on() {
    let slow = hub(&["stall=1000*99:acme/tiny-GGUF"]);
    let sandbox = stack(&slow);
    let run = sandbox.run(&["fetch", "--lane", "reader", "--timeout", "2s"]);
    check(&run, 13, &["error[download-timed-out]", "within 2s", "allow more with `--timeout`"]);
    slow.release();
    let quick = hub(&[]);
    let sandbox = sandbox.variable("HF_ENDPOINT", quick.url());
    check(&fetch(&sandbox), 0, &[]);
}

#[test]
fn a_disk_that_fills_up_during_the_transfer_is_not_taken_for_the_network() {
    let large = vec![7; 3 << 20];
    let hub: FakeHub = builder().file("acme/tiny", "extra.bin", large).start().unwrap();
    hub.add_fault("stall=1000:acme/tiny-GGUF".parse().unwrap());
    let sandbox = stack(&hub);
    let models = sandbox.path().join("models");
    let Some(_disk) = SmallDisk::mount(&models, "4m") else {
        return skipped("this process may not mount a small disk");
    };
    let mut command = sandbox.command(&["fetch", "--lane", "reader", "--format", "json"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    hub.wait_until_stalled(1);
    // The budget was enough; then somebody else takes the rest.
    fill(&models.join("other"));
    hub.release();
    let run = sandbox.told(&run.wait_with_output().unwrap());
    check(&run, 14, &["disk-full"]);
}

/// Writes until nothing more can be written.
fn fill(path: &Path) {
    let mut file = fs_err::File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}

#[test]
fn every_lane_that_cannot_be_had_is_named_before_a_byte_of_any_moves() {
    let hub = hub(&["gated:acme/tiny-GGUF", "status=404*9:acme/tiny"]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch"]);
    check(&run, 12, &["error[token-missing]", "error[model-not-found]", "0 of 2 lanes ready"]);
    assert_eq!((brought(&sandbox).len(), bodies(&hub)), (0, 0));
}

/// A small file system of its own, if this process may mount one.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().unwrap();
    }
}

#[test]
fn a_disk_that_is_too_small_for_all_lanes_is_refused_with_what_is_short_to_the_byte() {
    let large = vec![7; 3 << 20];
    let hub: FakeHub = builder().file("acme/tiny", "extra.bin", large).start().unwrap();
    let sandbox = stack(&hub);
    let models = sandbox.path().join("models");
    let Some(_disk) = SmallDisk::mount(&models, "2m") else {
        return skipped("this process may not mount a small disk");
    };
    let [coder, reader] = shortages(&sandbox, ["coder", "reader"]);
    assert_eq!(coder.by_all, coder.needed + reader.needed);
    assert_eq!(coder.short, coder.by_all - coder.available);
    assert_eq!((brought(&sandbox).len(), bodies(&hub)), (0, 0));
}

#[test]
fn the_cache_of_an_engine_and_the_folder_of_a_lane_are_added_up_before_a_byte_of_either_moves() {
    let large = vec![7; 1 << 20];
    let hub: FakeHub = builder().file("acme/tiny", "extra.bin", large).start().unwrap();
    let sandbox = stack(&hub);
    let named = "  llm:\n    image: vllm/vllm-openai:v0.12.0\n    command: acme/tiny\n    \
                 volumes: ['./models/hf:/root/.cache/huggingface']\n";
    edit(&sandbox, "\nservices:\n", &format!("\nservices:\n{named}"));
    let models = sandbox.path().join("models");
    let Some(_disk) = SmallDisk::mount(&models, "2m") else {
        return skipped("this process may not mount a small disk");
    };
    let lanes = shortages(&sandbox, ["coder", "reader", "llm"]);
    let needed: u64 = lanes.iter().map(|lane| lane.needed).sum();
    assert!(lanes.iter().all(|lane| lane.needed < lane.available), "each would fit alone");
    assert!(lanes.iter().all(|lane| lane.by_all == needed));
    assert_eq!((brought(&sandbox).len(), bodies(&hub)), (0, 0));
}

/// What a lane is told of a disk that is too small, in bytes.
struct Shortage {
    needed: u64,
    by_all: u64,
    available: u64,
    short: u64,
}

/// What each of `lanes` is told when all of them are fetched.
fn shortages<const N: usize>(sandbox: &Sandbox, lanes: [&str; N]) -> [Shortage; N] {
    let run = sandbox.run(&["fetch", "--format", "json"]);
    assert_eq!(run.code, Some(14), "{}{}", run.stdout, run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    lanes.map(|lane| {
        let findings = report["findings"].as_array().unwrap();
        let wanted = |it: &&serde_json::Value| it["id"] == "disk-space-short" && it["lane"] == lane;
        let evidence = findings.iter().find(wanted).unwrap()["evidence"].to_string();
        let number = |name: &str| -> u64 {
            let rest = evidence.split_once(name).unwrap().1;
            let digits = rest.chars().skip_while(|it| !it.is_ascii_digit());
            digits.take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        Shortage {
            needed: number("needed_bytes"),
            by_all: number("needed_by_all_lanes_bytes"),
            available: number("available_bytes"),
            short: number("short_bytes"),
        }
    })
}

#[expect(clippy::print_stderr, reason = "a test that cannot run here says so")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

//! preflight in KServe's container `storage-initializer`: its arguments and variables, an empty volume at
//! `/mnt/models`, user 1000, 256 MiB of memory, a root file system that is read-only, no home.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use fake_hub::{FakeHub, Made};
use serde_json::Value;
use tempfile::TempDir;

use crate::docker_stack::{docker, docker_tests_run, image, outcome, wait_for};
use crate::fetch_killed::unfinished;
use crate::hub_stack::{GGUF, bodies, builder, folder, hub};
use crate::kubernetes_files::storage_initializer;
use crate::sandbox::repository;

/// Where KServe has the models.
const MOUNT: &str = "/mnt/models";

/// An `emptyDir` of a Pod, and what the container leaves as its last words.
struct Volume(TempDir);

/// How a container ended.
struct Ended {
    code: i64,
    said: String,
    last_words: String,
}

impl Volume {
    /// As the kubelet makes them: everybody may write there. Absent where the tests through Docker are
    /// not run.
    fn new() -> Option<Self> {
        if !docker_tests_run() {
            return None;
        }
        let folder = TempDir::with_prefix("preflight-").unwrap();
        for (name, mode) in [("", 0o755), ("models", 0o777)] {
            let path = folder.path().join(name);
            fs_err::create_dir_all(&path).unwrap();
            fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        Some(Self(folder))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("models").join(name)
    }

    /// Starts the container that KServe's webhook makes of the shipped file for these pairs; its id.
    /// `more` are variables.
    fn start(&self, hub: &FakeHub, pairs: &[&str], more: &[&str]) -> String {
        let spec = storage_initializer(pairs);
        let log = self.0.path().join(format!("log-{}", rand()));
        fs_err::write(&log, "").unwrap();
        fs_err::set_permissions(&log, std::fs::Permissions::from_mode(0o666)).unwrap();
        let mut run = docker(["run", "--detach", "--network", "host", "--user", "1000:1000"]);
        run.args(["--read-only", "--memory", "256m", "--memory-swap", "256m", "--cpus", "1"]);
        run.args(["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]);
        mount(&mut run, &self.path(""), MOUNT);
        mount(&mut run, &log, "/dev/termination-log");
        let own =
            spec["env"].as_array().unwrap().iter().map(|variable| {
                format!("{}={}", text(&variable["name"]), text(&variable["value"]))
            });
        let endpoint = format!("HF_ENDPOINT={}", hub.url());
        let of_pod = ["KUBERNETES_SERVICE_HOST=10.0.0.1".to_owned(), endpoint];
        let more = more.iter().map(|variable| (*variable).to_owned());
        own.chain(of_pod).chain(more).for_each(|variable| {
            run.args(["--env", &variable]);
        });
        let command: Vec<&str> = spec["command"].as_array().unwrap().iter().map(text).collect();
        run.args(["--entrypoint", command[0], &image()]).args(&command[1..]).args(pairs);
        let started = outcome(&mut run);
        assert_eq!(started.code, 0, "{}", started.stderr);
        started.stdout.trim().to_owned()
    }

    fn run(&self, hub: &FakeHub, pairs: &[&str], more: &[&str]) -> Ended {
        self.end(&self.start(hub, pairs, more))
    }

    /// Waits for the end of a container, and removes it.
    fn end(&self, id: &str) -> Ended {
        let waited = outcome(&mut docker(["wait", id]));
        let logs = outcome(&mut docker(["logs", id]));
        let inspected = outcome(&mut docker(["inspect", id]));
        outcome(&mut docker(["rm", "--force", id]));
        let inspected: Value = serde_json::from_str(&inspected.stdout).unwrap();
        assert_eq!(inspected[0]["State"]["OOMKilled"], false, "{}", logs.stderr);
        let mounts = inspected[0]["Mounts"].as_array().unwrap();
        let log = mounts.iter().find(|it| it["Destination"] == "/dev/termination-log").unwrap();
        Ended {
            code: waited.stdout.trim().parse().unwrap(),
            said: logs.stdout + &logs.stderr,
            last_words: fs_err::read_to_string(text(&log["Source"])).unwrap(),
        }
    }

    fn assert_whole(&self, below: &str) {
        for (name, content) in folder() {
            let path = self.path(below).join(&name);
            assert!(fs_err::read(&path).unwrap() == content, "{name}");
            let stat = fs_err::metadata(path).unwrap();
            assert_eq!((stat.uid(), stat.mode() & 0o777), (1000, 0o644), "{name}");
        }
        assert_eq!(unfinished(&self.path("")), [""; 0]);
    }
}

fn mount(run: &mut Command, from: &Path, to: &str) {
    run.args(["--volume", &format!("{}:{to}", from.display())]);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A name that no other container of the test has.
fn rand() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Ended {
    #[track_caller]
    fn check(&self, code: i64, words: &str) {
        assert_eq!(self.code, code, "{}", self.said);
        assert!(self.said.contains(words), "{}", self.said);
        let is_told = match code {
            0 => self.last_words.starts_with("preflight: ready"),
            _ => self.last_words.starts_with(&format!("preflight: not ready: exit {code}")),
        };
        assert!(is_told, "{}", self.last_words);
    }
}

#[test]
fn a_model_comes_whole_and_a_second_container_asks_nobody() {
    let Some(volume) = Volume::new() else { return };
    let hub = hub(&[]);
    volume.run(&hub, &["hf://acme/tiny", MOUNT], &[]).check(0, "ready: 1 of 1 lane");
    volume.assert_whole("");
    let asked = hub.requests().len();
    volume.run(&hub, &["hf://acme/tiny", MOUNT], &[]).check(0, "ready: 1 of 1 lane");
    assert_eq!(hub.requests().len(), asked);
}

#[test]
fn two_pairs_come_into_their_folders() {
    let Some(volume) = Volume::new() else { return };
    let hub = hub(&[]);
    let pairs =
        ["hf://acme/tiny", "/mnt/models/base", "hf://acme/tiny-GGUF:main", "/mnt/models/gguf"];
    volume.run(&hub, &pairs, &[]).check(0, "ready: 2 of 2 lanes");
    volume.assert_whole("base");
    let gguf = fs_err::read(volume.path("gguf/Tiny.Q4-K-M.gguf")).unwrap();
    assert!(gguf == fs_err::read(repository().join(GGUF)).unwrap());
}

#[test]
fn a_container_that_was_killed_is_continued_by_the_next() {
    let Some(volume) = Volume::new() else { return };
    let hub = hub(&["stall=1000:acme/tiny/model-00002-of-00003.safetensors"]);
    let id = volume.start(&hub, &["hf://acme/tiny", MOUNT], &[]);
    hub.wait_until_stalled(1);
    wait_for("the first file", || volume.path("config.json").exists().then_some(()));
    assert_eq!(outcome(&mut docker(["kill", &id])).code, 0);
    outcome(&mut docker(["rm", "--force", &id]));
    hub.release();
    assert!(!volume.path("model-00002-of-00003.safetensors").exists());
    volume.run(&hub, &["hf://acme/tiny", MOUNT], &[]).check(0, "ready: 1 of 1 lane");
    volume.assert_whole("");
}

#[test]
fn what_cannot_be_brought_has_its_own_code_and_leaves_its_cause_as_last_words() {
    let Some(volume) = Volume::new() else { return };
    let weights = "acme/tiny/model-00001-of-00003.safetensors";
    for (fault, code, words) in [
        (format!("corrupt:{weights}"), 11, "error[download-corrupt]"),
        ("gated:acme/tiny".to_owned(), 12, "token"),
        (format!("stall=1000*99:{weights}"), 13, "error[download-stalled]"),
    ] {
        let hub = hub(&[&fault]);
        volume.run(&hub, &["hf://acme/tiny", MOUNT], &["PREFLIGHT_SILENCE=1s"]).check(code, words);
        assert!(!volume.path("model-00001-of-00003.safetensors").exists(), "{fault}");
        hub.release();
    }
    let hub = hub(&[]);
    volume.run(&hub, &["s3://bucket/model", MOUNT], &[]).check_usage("begin with `hf://`");
}

impl Ended {
    #[track_caller]
    fn check_usage(&self, words: &str) {
        assert_eq!(self.code, 2, "{}", self.said);
        assert!(self.said.contains(words) && self.last_words.contains("s3://"), "{}", self.said);
    }
}

#[test]
fn two_containers_on_one_volume_bring_it_once() {
    let Some(volume) = Volume::new() else { return };
    let hub = hub(&["stall=1000:acme/tiny/model-00001-of-00003.safetensors"]);
    let pair = ["hf://acme/tiny", MOUNT];
    let one = volume.start(&hub, &pair, &[]);
    hub.wait_until_stalled(1);
    let other = volume.start(&hub, &pair, &[]);
    wait_for("the other to wait", || {
        let logs = outcome(&mut docker(["logs", &other]));
        logs.stderr.contains("held by preflight").then_some(())
    });
    hub.release();
    volume.end(&one).check(0, "ready: 1 of 1 lane");
    volume.end(&other).check(0, "ready: 1 of 1 lane");
    volume.assert_whole("");
    assert_eq!(bodies(&hub), 3, "each of the large files came once");
}

#[test]
fn a_file_of_eight_times_the_memory_comes_within_it() {
    let Some(volume) = Volume::new() else { return };
    let size = 2 << 30;
    let hub = builder().made("acme/big", "big.bin", Made::new(b"", size, 7)).start().unwrap();
    volume.run(&hub, &["hf://acme/big", MOUNT], &[]).check(0, "ready: 1 of 1 lane");
    assert_eq!(fs_err::metadata(volume.path("big.bin")).unwrap().len(), size);
}

//! Runs that end in the middle: killed at any instant, stopped by a signal, on a disk that fills up,
//! from a server that hangs up. What they leave is continued, and ends bit by bit as it should.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fake_hub::{FakeHub, Made};
use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{OWN_MEMORY, Sandbox, own_memory_of, repository};

const REPOSITORY: &str = "acme/sharded";
const FOLDER: &str = "weights/model";
/// What the connections of a run may lose altogether, each.
const LOST_PER_CONNECTION: u64 = 16 * 1024 * 1024;
const WORKERS: u64 = 4;

/// A hub with one model, a project that wants it, and what it has to become.
pub(crate) struct Trial {
    pub(crate) hub: FakeHub,
    pub(crate) sandbox: Sandbox,
    /// By name, those that are made while they are sent.
    shards: Vec<(String, Made)>,
    /// By name, the others.
    small: Vec<(String, Vec<u8>)>,
}

/// A safetensors file of `size` bytes with one tensor.
fn shard(number: usize, size: u64) -> Made {
    let header = |data: u64| {
        let json = format!(
            "{{\"t{number}\":{{\"dtype\":\"U8\",\"shape\":[{data}],\"data_offsets\":[0,{data}]}}}}"
        );
        let padded = format!("{json:<width$}", width = json.len().next_multiple_of(8));
        [&(padded.len() as u64).to_le_bytes()[..], padded.as_bytes()].concat()
    };
    // The number of digits of the length is a part of the length.
    let head = (0..4).fold(header(size), |head, _| header(size - head.len() as u64));
    Made::new(&head, size, number as u64)
}

impl Trial {
    /// Shards of these sizes, beside the small files of the quickstart's model and one of one byte.
    pub(crate) fn new(sizes: &[u64], faults: &[&str]) -> Self {
        let count = sizes.len();
        let name = |index: usize| format!("model-{:05}-of-{count:05}.safetensors", index + 1);
        let numbered = sizes.iter().enumerate();
        let shards: Vec<_> =
            numbered.map(|(index, size)| (name(index), shard(index, *size))).collect();
        let map: serde_json::Map<_, _> =
            (0..count).map(|index| (format!("t{index}"), name(index).into())).collect();
        let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
        let mut small = vec![
            ("model.safetensors.index.json".to_owned(), index.into_bytes()),
            ("merges.txt".to_owned(), b"x".to_vec()),
        ];
        let original = repository().join("examples/quickstart/models/vllm/tiny/bf16");
        for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            let text = fs_err::read_to_string(original.join(file)).unwrap();
            // Of a class whose tensors are taken on trust: the shards are made up.
            let text = text.replace("LlamaForCausalLM", "DbrxForCausalLM");
            small.push((file.to_owned(), text.into_bytes()));
        }
        let mut builder = FakeHub::builder();
        for (name, content) in &small {
            builder = builder.file(REPOSITORY, name, content.clone());
        }
        for (name, content) in &shards {
            builder = builder.made(REPOSITORY, name, content.clone());
        }
        for fault in faults {
            builder = builder.fault(fault.parse().unwrap());
        }
        let hub = builder.start().unwrap();
        let compose = format!(
            "services:
  vllm:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/model
    volumes: [./weights:/models]
    labels: {{preflight.source: hf://{REPOSITORY}}}
"
        );
        let sandbox = Sandbox::new()
            .file("compose.yaml", compose)
            .file("weights/.keep", "")
            .variable("PREFLIGHT_MAX_WORKERS", WORKERS.to_string())
            .variable("HF_ENDPOINT", hub.url());
        Self { hub, sandbox, shards, small }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.sandbox.path().join(FOLDER)
    }

    pub(crate) fn start(&self) -> Child {
        let mut command = self.sandbox.command(&["fetch", "--progress", "none"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs to the end.
    pub(crate) fn finish(&self, code: i32) {
        let run = self.sandbox.run(&["fetch", "--progress", "none"]);
        assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
    }

    /// Kills a run at an instant that `random` chooses; whether that came before its end.
    fn kill_somewhere(&self, random: &mut Random) -> bool {
        let mut child = self.start();
        let (requests, bytes) = (self.hub.requests().len(), self.hub.served());
        // Before, while, and just after bytes come: in the last steps of a file as well.
        let (more_requests, more_bytes) = match random.below(10) {
            0 => (random.below(12), 0),
            _ => (0, random.below(48_000_000)),
        };
        let pause = Duration::from_micros(random.below(3000));
        let mut reached = None;
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            let far = self.hub.served() - bytes >= more_bytes
                && (self.hub.requests().len() - requests) as u64 >= more_requests;
            if far && reached.get_or_insert_with(Instant::now).elapsed() >= pause {
                break;
            }
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap().signal() == Some(Signal::KILL.as_raw())
    }

    /// What has its final name is what it should be.
    pub(crate) fn assert_whole_so_far(&self) {
        for (name, content) in &self.small {
            let here = fs_err::read(self.folder().join(name));
            assert!(here.map_or(true, |here| here == *content), "{name}");
        }
        for (name, made) in &self.shards {
            let path = self.folder().join(name);
            if path.exists() {
                assert_same(&path, made);
            }
        }
    }

    /// Everything is there, bit by bit, and nothing is that does not belong there.
    pub(crate) fn assert_whole(&self) {
        for (name, content) in &self.small {
            assert!(fs_err::read(self.folder().join(name)).unwrap() == *content, "{name}");
        }
        for (name, made) in &self.shards {
            assert_same(&self.folder().join(name), made);
        }
        assert_eq!(unfinished(&self.folder()), [""; 0]);
    }
}

fn assert_same(path: &Path, made: &Made) {
    let (mut here, mut there) = (fs_err::File::open(path).unwrap(), made.reader(0));
    assert_eq!(here.metadata().unwrap().len(), made.size(), "{path:?}");
    let (mut one, mut other) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for offset in (0..made.size()).step_by(1 << 20) {
        let length = usize::try_from((made.size() - offset).min(1 << 20)).unwrap();
        here.read_exact(&mut one[..length]).unwrap();
        there.read_exact(&mut other[..length]).unwrap();
        assert!(one[..length] == other[..length], "{path:?}: the MiB from {offset} on differs");
    }
}

/// Names of what is not finished, at any depth.
pub(crate) fn unfinished(folder: &Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let names = walk.map(|entry| entry.file_name().to_str().unwrap().to_owned());
    names.filter(|name| name.ends_with(".incomplete") || name.ends_with(".journal")).collect()
}

/// SplitMix64: the same instants in every run of the tests.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Kills so many runs, which continue one another until the model is whole, and then begin anew.
fn survives_kills(kills: usize, sizes: &[u64], faults: &[&str], seed: u64) {
    let trial = Trial::new(sizes, faults);
    let mut random = Random(seed);
    let whole: u64 = sizes.iter().sum();
    let (mut killed, mut rounds, mut refetched) = (0, 0, 0);
    while killed < kills {
        let (before, killed_before) = (trial.hub.served(), killed);
        while killed < kills && trial.kill_somewhere(&mut random) {
            killed += 1;
        }
        trial.finish(0);
        trial.assert_whole();
        let again = trial.hub.served() - before - whole;
        let may = (killed - killed_before) as u64 * WORKERS * LOST_PER_CONNECTION;
        assert!(again <= may, "{again} bytes came again, of {may} that may");
        refetched += again;
        rounds += 1;
        fs_err::remove_dir_all(trial.folder()).unwrap();
    }
    let each = refetched / killed as u64 / 1000;
    measured(&format!("{killed} kills in {rounds} rounds, which lost {each} kB each"));
}

#[test]
fn two_hundred_runs_killed_at_any_instant_lose_little_and_end_bit_by_bit_as_they_should() {
    let sizes = [1_200_000, 4 * 1024 * 1024, 20_000_001, 300_000_000];
    survives_kills(200, &sizes, &[], 1);
}

#[test]
fn runs_killed_while_the_server_hangs_up_all_the_time_end_as_they_should() {
    survives_kills(30, &[1_200_000, 60_000_000], &["cut=2500000*100000:all"], 2);
}

#[test]
fn a_signal_ends_a_large_fetch_at_once_and_the_next_goes_on() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let trial = Trial::new(&[150_000_000], &["slow=30000000*8:all"]);
        let mut child = trial.start();
        while trial.hub.served() < 60_000_000 {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let stopped = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
        assert_eq!(unfinished(&trial.folder()).len(), 2);
        let before = trial.hub.served();
        trial.finish(0);
        trial.assert_whole();
        assert!(trial.hub.served() - before < 150_000_000, "nothing was continued");
    }
}

/// A small file system of its own, with something else on it.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    /// `options` of tmpfs(5). Absent where this process may not mount.
    pub(crate) fn mount(at: PathBuf, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).output();
        output.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    /// Gives it other options.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(status.unwrap().success(), "{options}");
    }

    /// Leaves so much free.
    fn leave(&self, bytes: u64) {
        let ballast = self.0.join("ballast");
        fs_err::write(&ballast, "").unwrap();
        let file = fs_err::OpenOptions::new().write(true).open(&ballast).unwrap();
        let take = || {
            let stat = rustix::fs::statvfs(&self.0).unwrap();
            let taken = (stat.f_bavail * stat.f_frsize).saturating_sub(bytes).max(1);
            rustix::fs::fallocate(file.file(), rustix::fs::FallocateFlags::empty(), 0, taken)
        };
        // Somebody else may take of it at the same moment.
        assert!((0..1000).any(|_| take().is_ok() || bytes == 0), "no ballast fits");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().unwrap();
    }
}

#[test]
fn a_disk_that_fills_up_while_files_come_costs_nothing_that_has_come() {
    let sizes = [30_000_000, 50_000_000, 80_000_000];
    let trial = Trial::new(&sizes, &[]);
    let Some(disk) = Disk::mount(trial.sandbox.path().join("weights"), "size=220m") else {
        return skipped("no small file system can be mounted");
    };
    let mut random = Random(3);
    for _ in 0..4 {
        // Enough for what the budget asks for; then something else takes it.
        fs_err::remove_file(disk.0.join("ballast")).ok();
        let mut child = trial.start();
        let before = trial.hub.served();
        let bytes = random.below(20_000_000);
        while child.try_wait().unwrap().is_none() && trial.hub.served() - before < bytes {
            std::thread::yield_now();
        }
        disk.leave(random.below(10_000_000));
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 14)), "{code:?}");
    }
    disk.leave(0);
    let code = trial.start().wait().unwrap().code();
    assert!(matches!(code, Some(0 | 14)), "{code:?}");
    fs_err::remove_file(disk.0.join("ballast")).unwrap();
    trial.finish(0);
    trial.assert_whole();
    let whole: u64 = sizes.iter().sum();
    assert!(trial.hub.served() <= whole + 5 * WORKERS * LOST_PER_CONNECTION);
}

#[test]
fn four_gigabytes_are_fetched_and_verified_in_less_than_64_mib_of_memory() {
    let trial = Trial::new(&[1 << 20, 4_294_967_296], &[]);
    let mut command = trial.sandbox.command(&["fetch", "--progress", "json", "--max-workers", "8"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut most, mut said) = (0, Vec::new());
    // Something is said twice a second at least, and once more when the file is in its place.
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        most = most.max(own_memory_of(child.id()).unwrap_or(0));
        said.push(line.unwrap());
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("finished")), "{said:#?}");
    assert!((1..OWN_MEMORY).contains(&most), "{most} kB");
    measured(&format!("{most} kB at most"));
    assert_eq!(fs_err::metadata(trial.folder().join(&trial.shards[1].0)).unwrap().len(), 1 << 32);
}

#[test]
fn a_proxy_is_used_for_the_hub_and_for_its_store() {
    let mut trial = Trial::new(&[9_000_000], &[]);
    trial.sandbox = trial
        .sandbox
        .variable("HF_ENDPOINT", "http://hub.invalid")
        .variable("HTTP_PROXY", trial.hub.url());
    trial.finish(0);
    trial.assert_whole();
    let requests = trial.hub.requests();
    assert!(requests.len() > 10 && requests.iter().all(|request| request.proxied));
}

#[expect(clippy::print_stdout, reason = "a figure for who asks for the output of the tests")]
fn measured(what: &str) {
    println!("{what}");
}

/// Says what was not tested; for root, where everything has to be, that is a failure.
#[expect(clippy::print_stderr, reason = "who reads the log of the tests has to see it")]
pub(crate) fn skipped(why: &str) {
    let required = std::env::var_os("PREFLIGHT_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!(required && rustix::process::geteuid().is_root()), "not tested: {why}");
    eprintln!("skipped: {why}");
}

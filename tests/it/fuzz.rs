//! Random files, for a bounded time and in bounded memory: no panic, no abort.
//!
//! Each format runs in a process of its own whose address space is limited: an allocation of what
//! a made-up length asks for ends it. `PREFLIGHT_TEST_FUZZ_SECONDS` says for how long, 2 where it
//! is not set; all formats run beside each other.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use preflight::facts::model::examine;
use preflight::project::view::local::LocalView;

/// What the address space of a run may grow by, in KiB: no allocation of more than 64 MiB fits.
const ROOM: u64 = 64 * 1024;

/// In the child, where it works.
const FOLDER: &str = "PREFLIGHT_FUZZ_FOLDER";

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test is told for how long it runs")]
    std::env::var(name).ok()
}

fn seconds() -> u64 {
    variable("PREFLIGHT_TEST_FUZZ_SECONDS").and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// A sequence that is the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    /// Numbers that lie: far too large, negative, off by one, small.
    fn number(&mut self) -> u64 {
        let shift = self.below(64);
        match self.below(5) {
            0 => u64::MAX,
            1 => 1 << shift,
            2 => (1 << shift) - 1,
            3 => 0,
            _ => u64::try_from(self.below(1 << 31)).unwrap(),
        }
    }

    /// A few changes to a copy of something sound, most of them near its start.
    fn spoil(&mut self, sound: &[u8], words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = sound.to_vec();
        for _ in 0..=self.below(4) {
            let near = bytes.len().min(9000);
            let anywhere = self.below(4) == 0;
            let at = self.below(if anywhere { bytes.len() } else { near });
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => {
                    let value = self.number().to_le_bytes();
                    let width = (1 << self.below(4)).min(bytes.len() - at.min(bytes.len()));
                    bytes.splice(at..at + width, value[..width].iter().copied());
                }
                2 if !words.is_empty() => {
                    let word = words[self.below(words.len())];
                    let end = (at + self.below(word.len() + 1)).min(bytes.len());
                    bytes.splice(at..end, word.iter().copied());
                }
                3 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                4 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                _ => {}
            }
        }
        bytes
    }
}

/// The pieces that JSON documents of models are made of.
const JSON: [&[u8]; 18] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"[[[[[[[[",
    b"\"dtype\":\"F32\"",
    b"\"shape\":[4294967295,4294967295]",
    b"\"data_offsets\":[0,18446744073709551615]",
    b"\"weight_map\":{\"a\":\"../../x\"}",
    b"\"quantization_config\":{}",
    b"\\ud800",
];

/// Spoils the file of that name in a copy of the example until the time is over. Returns how often.
fn spoil_until_the_end(folder: &Path, name: &str, words: &[&[u8]]) -> u64 {
    let path = folder.join(name);
    let sound = fs_err::read(&path).unwrap();
    let asked = if name.ends_with(".gguf") { path.clone() } else { folder.to_path_buf() };
    let end = Instant::now() + Duration::from_secs(seconds());
    let mut random = Random(u64::try_from(name.len()).unwrap());
    let mut count = 0;
    while Instant::now() < end {
        let spoiled = random.spoil(&sound, words);
        let mut file = fs_err::File::create(&path).unwrap();
        file.write_all(&spoiled).unwrap();
        // A file may also say that it is far longer than what was written of it.
        if random.below(8) == 0 {
            file.set_len(u64::try_from(random.below(1 << 31)).unwrap()).unwrap();
        }
        let facts = examine(&LocalView, &asked);
        assert!(!facts.list(&asked).is_empty());
        count += 1;
    }
    count
}

/// Runs the child test `child` in a copy of the example, with a limit to its memory.
fn run(child: &str, example: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/models");
    for entry in fs_err::read_dir(models.join(example)).unwrap() {
        let entry = entry.unwrap();
        fs_err::copy(entry.path(), scratch.path().join(entry.file_name())).unwrap();
    }
    let program: PathBuf = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {} && exec \"$0\" \"$@\"", base() + ROOM)])
        .arg(program)
        .args(["--exact", child, "--test-threads=1", "--nocapture"])
        .env(FOLDER, scratch.path())
        // One arena: each further one reserves 64 MiB of addresses.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{child}: {}\n{text}\n{errors}", output.status);
    let count = text.split_whitespace().skip_while(|word| *word != "spoiled").nth(1);
    let count: u64 = count.and_then(|count| count.parse().ok()).unwrap_or(0);
    assert!(count > 20, "{child} ran and looked at {count} files:\n{text}");
}

/// KiB of addresses that a child has before it looks at anything.
fn base() -> u64 {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "fuzz::child_that_measures", "--test-threads=1", "--nocapture"])
        .env(FOLDER, "measure")
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let size = text.split_whitespace().skip_while(|word| *word != "VmPeak:").nth(1);
    size.and_then(|size| size.parse().ok()).unwrap()
}

/// The body of a child; nothing when the test runs by itself.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child(name: &str, words: &[&[u8]]) {
    if let Some(folder) = variable(FOLDER) {
        println!("spoiled {} files", spoil_until_the_end(Path::new(&folder), name, words));
    }
}

#[test]
fn any_gguf_file_is_survived() {
    run("fuzz::child_of_gguf", "gguf");
}

#[test]
fn child_of_gguf() {
    child("tiny-Q4_K_M.gguf", &[]);
}

#[test]
fn any_safetensors_file_is_survived() {
    run("fuzz::child_of_safetensors", "vllm/tiny/bf16");
}

#[test]
fn child_of_safetensors() {
    child("model-00001-of-00003.safetensors", &JSON);
}

#[test]
fn any_configuration_is_survived() {
    run("fuzz::child_of_configuration", "vllm/tiny/bf16");
}

#[test]
fn child_of_configuration() {
    child("config.json", &JSON);
}

#[test]
fn any_index_is_survived() {
    run("fuzz::child_of_index", "vllm/tiny/bf16");
}

#[test]
fn child_of_index() {
    child("model.safetensors.index.json", &JSON);
}

/// The limit is one: without it nothing above would be shown.
#[test]
fn an_allocation_of_more_than_64_mib_does_not_fit() {
    let program = std::env::current_exe().unwrap();
    let status = |allocates: u64| {
        Command::new("sh")
            .args(["-c", &format!("ulimit -v {} && exec \"$0\" \"$@\"", base() + ROOM)])
            .arg(&program)
            .args(["--exact", "fuzz::child_that_allocates", "--test-threads=1"])
            .env(FOLDER, allocates.to_string())
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap()
            .status
    };
    assert!(status(48).success());
    assert!(!status(65).success());
}

#[test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child_that_measures() {
    if variable(FOLDER).is_some() {
        let status = fs_err::read_to_string("/proc/self/status").unwrap();
        println!("{}", status.lines().find(|line| line.starts_with("VmPeak")).unwrap());
    }
}

#[test]
fn child_that_allocates() {
    let Some(mib) = variable(FOLDER).and_then(|text| text.parse::<usize>().ok()) else { return };
    let taken: Vec<u8> = Vec::with_capacity(mib << 20);
    assert!(std::hint::black_box(taken).capacity() >= mib << 20);
}

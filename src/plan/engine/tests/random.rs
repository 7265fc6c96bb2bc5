//! Any words at all: nothing panics.

use proptest::prelude::*;

use super::*;

const WORDS: [&str; 40] = [
    "vllm",
    "serve",
    "--model",
    "-m",
    "llama-server",
    "sh",
    "-c",
    "env",
    "exec",
    "--",
    "-",
    "",
    "=",
    "--=",
    "--a.b",
    "--a=b",
    "$A",
    "${A:-",
    "\"$@\"",
    "'",
    "\"",
    "`",
    "$(",
    "a;b",
    "--lora-scaled",
    "0.5",
    "-hf",
    "o/r:",
    ":",
    "--config",
    "python",
    "-o",
    "bash",
    "--lora-modules",
    "{\"path\":",
    "--speculative-config",
    "ollama",
    "local-ai",
    "v2",
    "sh -c 'vllm serve $A' & \"$@\" \\",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..8)
            .prop_map(|words| words.join(" ")),
    ]
}

proptest! {
    #[test]
    fn no_words_make_it_panic(
        image in prop_oneof![
            Just(VLLM.to_owned()), Just(LLAMA.to_owned()), Just("ollama/ollama".to_owned()),
            Just("acme/sglang".to_owned()), Just("localai/localai".to_owned()), any::<String>(),
        ],
        entrypoint in proptest::option::of(proptest::collection::vec(word(), 0..4)),
        command in proptest::option::of(proptest::collection::vec(word(), 0..12)),
        value in any::<Option<String>>(),
    ) {
        let spanned = |words: Vec<String>| words.into_iter().map(Spanned::nowhere).collect();
        let mut service = service(&image, &[]);
        service.entrypoint = entrypoint.map(spanned);
        service.command = command.map(spanned);
        service.environment.insert("A".to_owned(), Spanned::nowhere(value));
        if let Some(invocation) = invocation(&service) {
            let model = invocation.opens.iter().position(|opens| opens.part == Part::Model);
            prop_assert!(model.is_none_or(|index| index == 0));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how a test runs is no option of the product")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How long the loop below goes on.
fn fuzz_time() -> std::time::Duration {
    let seconds = variable("PREFLIGHT_TEST_FUZZ_SECONDS");
    std::time::Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(2))
}

/// xorshift64*: the same words on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % most.max(1)
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// A word of the engines, one that was cut or put together, or any bytes.
    fn word(&mut self, words: &[&str]) -> String {
        match self.below(8) {
            0 => format!("{}{}", self.of(words), self.of(words)),
            1 => format!("{}={}", self.of(words), self.of(words)),
            2 => {
                let word = self.of(words);
                word.chars().take(self.below(word.chars().count() + 1)).collect()
            }
            3 => (0..self.below(12))
                .map(|_| char::from(u8::try_from(self.below(128)).unwrap()))
                .collect(),
            4 => {
                let joined: Vec<&str> = (0..self.below(9)).map(|_| self.of(words)).collect();
                joined.join(" ")
            }
            _ => self.of(words).to_owned(),
        }
    }
}

/// What the address space of a run may grow by: no allocation of more than 64 MiB fits.
const ROOM: u64 = 64 << 20;

/// Set for the process that the loop runs in: how many bytes it shall allocate before.
const CHILD: &str = "PREFLIGHT_FUZZ_COMMAND_LINES";

/// Lets the address space of this process grow by [`ROOM`] and no further.
fn limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kib: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    let mut limit = getrlimit(Resource::As);
    limit.current = Some(kib * 1024 + ROOM);
    setrlimit(Resource::As, limit).unwrap();
}

/// How a process of its own with limited memory ends that runs the loop.
fn ended(allocates: usize) -> std::process::Output {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "plan::engine::tests::random::child_with_limited_memory", "--nocapture"])
        .args(["--test-threads=1"])
        .env(CHILD, allocates.to_string())
        // One arena: each further one reserves 64 MiB of addresses.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap()
}

#[test]
fn random_command_lines_are_read_without_a_panic_in_64_mib() {
    let output = ended(0);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    assert!(text.contains("engines were started"), "{text}");
    // Without the limit nothing would be shown.
    assert!(!ended(65 << 20).status.success());
}

#[test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child_with_limited_memory() {
    let Some(bytes) = variable(CHILD).and_then(|text| text.parse().ok()) else { return };
    limit();
    let taken: Vec<u8> = Vec::with_capacity(bytes);
    assert!(std::hint::black_box(taken).capacity() >= bytes);
    println!("{} engines were started", start_random_engines());
}

/// Reads random command lines until the time is over. Returns how many started an engine.
fn start_random_engines() -> u32 {
    let images = [VLLM, LLAMA, "vllm/vllm-openai:v0.33.0", "ghcr.io/ggml-org/llama.cpp:full"];
    let more =
        ["ollama/ollama", "localai/localai", "michaelf34/infinity", "lmsysorg/sglang", "a/b"];
    let images = [&images[..], &more[..]].concat();
    let words: Vec<&str> = WORDS.iter().copied().chain(every_flag::words()).collect();
    let mut dice = Dice(0x5EED);
    let end = std::time::Instant::now() + fuzz_time();
    let mut engines = 0_u32;
    while std::time::Instant::now() < end {
        let length = dice.below(14);
        let command: Vec<String> = (0..length).map(|_| dice.word(&words)).collect();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut service = service(dice.of(&images), &command);
        if dice.below(4) == 0 {
            let entrypoint: Vec<String> = (0..dice.below(4)).map(|_| dice.word(&words)).collect();
            service.entrypoint = Some(entrypoint.into_iter().map(Spanned::nowhere).collect());
        }
        let name = dice.of(&["MODEL", "LLAMA_ARG_MODEL", "HF_HOME", "PORT", "A", "MODEL_ID"]);
        let value = dice.word(&words);
        let service = with_environment(service, &[(name, &value)]);
        engines += u32::from(invocation(&service).is_some());
    }
    assert!(100 < engines, "the loop has started {engines} engines");
    engines
}

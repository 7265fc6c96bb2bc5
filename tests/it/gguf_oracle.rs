//! What preflight says of a GGUF file is what the genuine llama-server does with it.
//!
//! The corpus is one small genuine model with one thing changed in each file. The server is named
//! by `PREFLIGHT_TEST_LLAMA_SERVER`; without it only preflight's half is tested, unless
//! `PREFLIGHT_TEST_REQUIRE_ALL=1`.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

pub(crate) mod document;
mod entries;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use preflight::facts::model::{ModelFacts, examine};
use preflight::project::view::local::LocalView;

use self::document::{Document, string};

/// One file and what llama-server does with it: it loads it, or ends with a message that contains
/// these words.
struct Case {
    name: String,
    path: PathBuf,
    refusal: Option<&'static str>,
}

/// Everything that a folder of cases needs.
struct Corpus {
    folder: tempfile::TempDir,
    tiny: Vec<u8>,
    document: Document,
    cases: Vec<Case>,
}

impl Corpus {
    fn new() -> Self {
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
        let tiny = fs_err::read(tiny).unwrap();
        let document = Document::parse(&tiny);
        let folder = tempfile::tempdir().unwrap();
        Self { folder, tiny, document, cases: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name.replace(' ', "-"))
    }

    fn at(&mut self, name: &str, path: PathBuf, refusal: Option<&'static str>) {
        self.cases.push(Case { name: name.to_owned(), path, refusal });
    }

    fn loads(&mut self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs_err::write(&path, bytes).unwrap();
        self.at(name, path, None);
    }

    fn refuses(&mut self, name: &str, bytes: impl AsRef<[u8]>, words: &'static str) {
        let path = self.path(name);
        fs_err::write(&path, bytes).unwrap();
        self.at(name, path, Some(words));
    }

    /// The tiny file with some bytes changed in place.
    fn patched(&mut self, name: &'static str, at: usize, bytes: &[u8], words: &'static str) {
        let mut file = self.tiny.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        self.refuses(name, file, words);
    }

    /// The tiny model with one part changed.
    fn changed(
        &mut self,
        name: &'static str,
        words: &'static str,
        change: impl FnOnce(&mut Document),
    ) {
        let mut document = self.document.clone();
        change(&mut document);
        self.refuses(name, document.bytes(), words);
    }

    /// A model in three files, of which `keep` are written under `stem`.
    fn split(
        &mut self,
        stem: &str,
        keep: &[usize],
        change: impl FnOnce(&mut [Document]),
    ) -> PathBuf {
        let mut parts = self.document.split(3);
        change(&mut parts);
        let name = |number: usize| self.path(&format!("{stem}-{:05}-of-00003.gguf", number + 1));
        for number in keep {
            fs_err::write(name(*number), parts[*number].bytes()).unwrap();
        }
        name(0)
    }
}

fn corpus() -> Corpus {
    let mut corpus = Corpus::new();
    whole(&mut corpus);
    lookalikes(&mut corpus);
    cut(&mut corpus);
    borders(&mut corpus);
    counts_and_versions(&mut corpus);
    keys(&mut corpus);
    entries::rows(&mut corpus);
    tensors(&mut corpus);
    paths(&mut corpus);
    splits(&mut corpus);
    corpus
}

/// Every case by its name, and the folder that they are in.
pub(crate) fn named() -> (tempfile::TempDir, Vec<(String, PathBuf)>) {
    let Corpus { folder, cases, .. } = corpus();
    (folder, cases.into_iter().map(|case| (case.name, case.path)).collect())
}

fn whole(corpus: &mut Corpus) {
    let tiny = corpus.tiny.clone();
    corpus.loads("good", &tiny);
    corpus.loads("written again", &corpus.document.bytes());
    corpus.loads("version 2", &Document { version: 2, ..corpus.document.clone() }.bytes());
    corpus.loads("trailing 4 KiB", &[&tiny[..], &[7; 4096]].concat());
    let mut aligned = corpus.document.clone();
    aligned.add_key("general.alignment", 4, &32_u32.to_le_bytes());
    corpus.loads("alignment said", &aligned.bytes());
    let mut spoiled = tiny.clone();
    let half = tiny.len() / 2;
    spoiled[half..].fill(0);
    // Nothing that a header could tell, for either.
    corpus.loads("second half zeros", &spoiled);
    let mut last = corpus.document.clone();
    last.tensors.sort_by_key(|tensor| tensor.name.as_str() == "output_norm.weight");
    corpus.loads("sorted otherwise", &last.bytes());
    let mut wide = Document { alignment: 4096, ..last };
    wide.add_key("general.alignment", 4, &4096_u32.to_le_bytes());
    let wide_bytes = wide.bytes();
    corpus.loads("alignment 4096", &wide_bytes);
    // The last tensor has 1024 bytes.
    let padding = 3072;
    corpus.loads("without the last padding", &wide_bytes[..wide_bytes.len() - padding]);
    let bounds = "is not within the file bounds";
    corpus.refuses("without one byte more", &wide_bytes[..wide_bytes.len() - padding - 1], bounds);
    let mut named = corpus.document.clone();
    named.remove_key("general.name");
    named.remove_key("general.file_type");
    corpus.loads("without a name", &named.bytes());
}

fn lookalikes(corpus: &mut Corpus) {
    let magic = "invalid magic characters";
    corpus.refuses("empty", "", "failed to read magic");
    corpus.refuses("three bytes", "GGU", "failed to read magic");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 812224\n";
    corpus.refuses("pointer", pointer, magic);
    corpus.refuses("html", "<!doctype html><html></html>", magic);
    corpus.refuses("json", "{\"error\":\"Repository not found\"}", magic);
    corpus.refuses("zip", b"PK\x03\x04................", magic);
    corpus.refuses("old ggjt", b"tjgg\x03\0\0\0........", magic);
    corpus.refuses("zeros", [0; 4096], magic);
    corpus.refuses("safetensors", b"\x02\0\0\0\0\0\0\0{}", magic);
}

fn cut(corpus: &mut Corpus) {
    let tiny = corpus.tiny.clone();
    let bounds = "is not within the file bounds";
    corpus.refuses("cut in half", &tiny[..tiny.len() / 2], bounds);
    corpus.refuses("cut by one byte", &tiny[..tiny.len() - 1], bounds);
    corpus.refuses("cut at data start", &tiny[..7840], bounds);
    corpus.refuses("cut in the keys", &tiny[..300], "failed to read key-value pairs");
    corpus.refuses("cut in a string", &tiny[..36], "exceeds remaining file size");
    corpus.refuses("cut in the tensors", &tiny[..7000], "failed to read tensor info");
    corpus.refuses("cut in the counts", &tiny[..20], "failed to read header");
}

/// Cut where one field ends and the next begins, and one byte before.
fn borders(corpus: &mut Corpus) {
    let bytes = corpus.document.bytes();
    let borders = corpus.document.borders();
    assert_eq!(bytes[..4], *b"GGUF");
    for (number, border) in borders.iter().enumerate() {
        // Fields inside descriptions are alike; every third place is enough, at either side.
        if number % 3 == 0 || number < 16 {
            let cut = border - usize::from(number % 2 == 1);
            corpus.refuses(&format!("cut at byte {cut}"), &bytes[..cut], "");
        }
    }
}

fn counts_and_versions(corpus: &mut Corpus) {
    corpus.patched("version 1", 4, &[1], "GGUFv1 is no longer supported");
    corpus.patched("version 4", 4, &[4], "is version 4 but this software only supports");
    corpus.patched("version 0", 4, &[0], "failed to read header");
    corpus.patched(
        "big-endian",
        4,
        &[0, 0, 0, 3],
        "mismatch between the host and model endianness",
    );
    corpus.patched("2^60 tensors", 15, &[0x10], "number of tensors is");
    corpus.patched("minus one keys", 16, &[0xff; 8], "number of key value pairs is");
    corpus.patched("key of 2^40 bytes", 29, &[1], "exceeds maximum 1073741824");
}

fn keys(corpus: &mut Corpus) {
    corpus.changed("unknown architecture", "unknown model architecture: 'lla9a'", |document| {
        document.key("general.architecture").value.splice(12.., *b"lla9a");
    });
    corpus.changed("value type 77", "has invalid GGUF type 77", |document| {
        document.key("llama.block_count").value[0] = 77;
    });
    corpus.changed("array of arrays", "has invalid GGUF type 9", |document| {
        let inner = [&4_u32.to_le_bytes()[..], &0_u64.to_le_bytes()].concat();
        let value = [&9_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), &inner].concat();
        document.add_key("nested", 9, &value);
    });
    corpus.changed("key twice", "duplicate key", |document| {
        document.add_key("general.name", 8, &string("again"));
    });
    for (name, key) in [
        ("no tokenizer model", "tokenizer.ggml.model"),
        ("no context length", "llama.context_length"),
        ("no block count", "llama.block_count"),
        ("no embedding length", "llama.embedding_length"),
    ] {
        corpus.changed(name, "key not found in model", |document| document.remove_key(key));
    }
    corpus.changed("no architecture", "unknown model architecture: ''", |document| {
        document.remove_key("general.architecture");
    });
    corpus.changed("no tokens", "cannot find tokenizer vocab", |document| {
        document.remove_key("tokenizer.ggml.tokens");
    });
    corpus.changed("no merges", "cannot find tokenizer merges", |document| {
        document.key("tokenizer.ggml.model").value.splice(4.., string("gpt2"));
    });
    corpus.changed("unknown tokenizer", "unknown tokenizer: 'gpt9'", |document| {
        document.key("tokenizer.ggml.model").value.splice(4.., string("gpt9"));
    });
    corpus.changed("context length as u64", "has wrong type", |document| {
        let key = document.key("llama.context_length");
        key.value = [&10_u32.to_le_bytes()[..], &2048_u64.to_le_bytes()].concat();
    });
    corpus.changed("513 layers", "LLAMA_MAX_LAYERS", |document| {
        document.key("llama.block_count").value.splice(4.., 513_u32.to_le_bytes());
    });
    corpus.changed("no layers", "LLAMA_MAX_LAYERS", |document| {
        document.key("llama.block_count").value.splice(4.., 0_u32.to_le_bytes());
    });
    corpus.changed("key without a name", "key 1 is empty", |document| {
        document.key("general.name").name.clear();
    });
    corpus.changed("alignment as u64", "must be of type u32 but is u64", |document| {
        document.add_key("general.alignment", 10, &32_u64.to_le_bytes());
    });
    corpus.changed("half a head rotated", "invalid n_rot", |document| {
        document.key("llama.rope.dimension_count").value.splice(4.., 32_u32.to_le_bytes());
    });
    for (name, key) in [
        ("no head count", "llama.attention.head_count"),
        ("no inner width", "llama.feed_forward_length"),
    ] {
        corpus.changed(name, "has wrong shape", |document| document.remove_key(key));
    }
    corpus.changed("no epsilon", "key not found in model", |document| {
        document.remove_key("llama.attention.layer_norm_rms_epsilon");
    });
    corpus.changed("alignment 0", "is not a power of 2", |document| {
        document.add_key("general.alignment", 4, &0_u32.to_le_bytes());
    });
    corpus.changed("alignment 48", "is not a power of 2", |document| {
        document.add_key("general.alignment", 4, &48_u32.to_le_bytes());
    });
}

fn tensors(corpus: &mut Corpus) {
    const Q: &str = "blk.1.attn_q.weight";
    corpus
        .changed("type 200", "has invalid ggml type 200", |document| document.tensor(Q).kind = 200);
    corpus.changed("type 50", "has invalid ggml type 50", |document| document.tensor(Q).kind = 50);
    corpus.changed("type 4", "not a multiple of block size (0)", |document| {
        document.tensor(Q).kind = 4;
    });
    corpus.changed("half a block", "not a multiple of block size (256)", |document| {
        document.tensor(Q).shape = vec![128, 512];
    });
    corpus.changed("offset", ", expected ", |document| document.tensor(Q).shift = 64);
    corpus.changed("five dimensions", "invalid number of dimensions: 5 > 4", |document| {
        document.tensor(Q).shape = vec![256, 256, 1, 1, 1];
    });
    corpus.changed("negative", "invalid number of elements", |document| {
        document.tensor(Q).shape = vec![256, -256];
    });
    corpus.changed("too many elements", "may cause overflow errors", |document| {
        document.tensor(Q).shape = vec![1 << 40, 1 << 40];
    });
    corpus.changed("long name", "is too long", |document| {
        document.tensor(Q).name = "x".repeat(64);
    });
    corpus.changed("name twice", "duplicate tensor name", |document| {
        document.tensor(Q).name = "blk.1.attn_k.weight".to_owned();
    });
    corpus.changed("renamed", "tensor 'blk.1.attn_q.weight' not found", |document| {
        document.tensor(Q).name = "blk.1.attn_x.weight".to_owned();
    });
    corpus.changed("tensor missing", "tensor 'blk.1.attn_q.weight' not found", |document| {
        document.tensors.retain(|tensor| tensor.name != Q);
    });
    corpus.changed("a stranger", "wrong number of tensors; expected 22, got 21", |document| {
        let mut stranger = document.tensor("output_norm.weight").clone();
        stranger.name = "stranger.weight".to_owned();
        document.tensors.push(stranger);
    });
    let mut tied = corpus.document.clone();
    tied.tensors.retain(|tensor| tensor.name != "output.weight");
    corpus.loads("the embedding is the output too", &tied.bytes());
    corpus.changed("wrong shape", "has wrong shape", |document| {
        document.tensor(Q).shape = vec![512, 128];
    });
}

fn paths(corpus: &mut Corpus) {
    let folder = corpus.path("a folder");
    fs_err::create_dir(&folder).unwrap();
    corpus.at("a folder", folder, Some("failed to read magic"));
    let absent = "No such file or directory";
    corpus.at("missing", corpus.path("nowhere.gguf"), Some(absent));
    corpus.at("wrong case", corpus.path("GOOD"), Some(absent));
    let dangling = corpus.path("dangling");
    symlink("nowhere", &dangling).unwrap();
    corpus.at("dangling link", dangling, Some(absent));
    let link = corpus.path("link");
    symlink("good", &link).unwrap();
    corpus.at("link", link, None);
}

fn splits(corpus: &mut Corpus) {
    let whole = corpus.split("whole", &[0, 1, 2], |_| {});
    corpus.at("split", whole.clone(), None);
    let second = whole.with_file_name("whole-00002-of-00003.gguf");
    corpus.at("second part", second, Some("illegal split file idx: 1"));
    let renamed = corpus.path("renamed.gguf");
    fs_err::copy(&whole, &renamed).unwrap();
    corpus.at("first part renamed", renamed, Some("invalid split file name"));
    let path = corpus.split("missing", &[0, 2], |_| {});
    corpus.at("part missing", path, Some("failed to load GGUF split from"));
    let path = corpus.split("short", &[0, 1, 2], |_| {});
    let last = path.with_file_name("short-00003-of-00003.gguf");
    let file = fs_err::OpenOptions::new().write(true).open(last).unwrap();
    file.set_len(file.metadata().unwrap().len() - 4096).unwrap();
    corpus.at("last part short", path, Some("is not within the file bounds"));
    let path = corpus.split("swapped", &[0, 1, 2], |parts| {
        parts.swap(1, 2);
    });
    corpus.at("parts swapped", path, Some("invalid split file idx"));
    let path = corpus.split("fewer", &[0, 1, 2], |parts| {
        parts[2].tensors.pop();
    });
    corpus.at("tensor lost", path, Some("tensors expected but"));
    let path = corpus.split("named otherwise", &[0, 1, 2], |parts| {
        parts[1].tensors[0].name.push('x');
    });
    corpus.at("tensor of a later part renamed", path, Some("not found"));
    let path = corpus.split("double", &[0, 1, 2], |parts| {
        let tensor = parts[0].tensors[0].clone();
        parts[1].tensors.push(tensor);
    });
    corpus.at("tensor in two parts", path, Some("is duplicated"));
}

/// Why preflight would not let a lane start with that file, with a build of llama.cpp that its
/// tables describe; nothing if it would.
fn preflight_refuses(path: &Path) -> Option<String> {
    let facts = examine(&LocalView, path);
    let accepted = match &facts {
        ModelFacts::Seen(model) => {
            model.complete() && model.gguf().is_some_and(|header| header.newer.is_empty())
        }
        ModelFacts::Absent | ModelFacts::Denied(_) | ModelFacts::Unknown(_) => false,
    };
    (!accepted).then(|| format!("{facts:?}"))
}

/// Starts llama-server with a model, hands every line that it prints to `seen`, and ends it once the model
/// is loaded. How it ended by itself; absent: it has loaded it.
pub(crate) fn load(
    server: &str,
    words: &str,
    path: &Path,
    mut seen: impl FnMut(&str),
) -> Option<ExitStatus> {
    let mut child = Command::new(server)
        .args(["--host", "127.0.0.1", "--port", "0"])
        .args(words.split_whitespace())
        .arg("-m")
        .arg(path)
        // A failed assertion would start a debugger.
        .env("GGML_NO_BACKTRACE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut is_loaded = false;
    // Names out of a spoiled file need not be UTF-8.
    for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        seen(&line);
        is_loaded = line.contains("model loaded");
        if is_loaded {
            child.kill().unwrap();
            break;
        }
    }
    let status = child.wait().unwrap();
    (!is_loaded).then_some(status)
}

/// What llama-server prints before it ends by itself; nothing if it loads the model.
fn server_refuses(server: &str, path: &Path) -> Option<String> {
    let mut text = String::new();
    let status = load(server, "-c 256 -np 1 --no-warmup", path, |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    assert!(!status.success(), "llama-server ended without a word:\n{text}");
    Some(text)
}

#[test]
fn preflight_refuses_what_llama_server_refuses() {
    let corpus = corpus();
    assert!(corpus.cases.len() > 160, "{} cases", corpus.cases.len());
    for case in corpus.cases {
        let refused = preflight_refuses(&case.path);
        assert_eq!(refused.is_some(), case.refusal.is_some(), "{}: {refused:?}", case.name);
    }
}

/// The server, or nothing after having said so; it is an error where all tests are required.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn server() -> Option<String> {
    let variable = |name: &str| {
        #[expect(clippy::disallowed_methods, reason = "a test is told where the server is")]
        std::env::var(name).ok()
    };
    let server = variable("PREFLIGHT_TEST_LLAMA_SERVER");
    if server.is_none() {
        let required = variable("PREFLIGHT_TEST_REQUIRE_ALL").as_deref() == Some("1");
        assert!(!required, "PREFLIGHT_TEST_LLAMA_SERVER is not set");
        println!("skipped: PREFLIGHT_TEST_LLAMA_SERVER does not name a llama-server");
    }
    server
}

#[test]
fn llama_server_refuses_what_preflight_refuses() {
    let Some(server) = server() else { return };
    let (server, corpus) = (server.as_str(), corpus());
    let halves = corpus.cases.split_at(corpus.cases.len() / 2);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let half = |cases| scope.spawn(move || disagreements(server, cases));
        [half(halves.0), half(halves.1)].into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only llama-server can tell, by its words. Bit rot inside tensors is not among them: it
/// loads that too.
const UNDECIDABLE: [&str; 0] = [];

/// Single fields set to something else, from a fixed start: both have to say the same.
#[test]
fn a_changed_field_is_refused_by_both_or_by_none() {
    let Some(server) = server() else { return };
    let corpus = Corpus::new();
    let edits: Vec<Edit> = edits(200);
    let (first, second) = edits.split_at(edits.len() / 2);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let (corpus, server) = (&corpus, server.as_str());
        let half = |name: &'static str, edits| {
            scope.spawn(move || edited(server, corpus, &corpus.path(name), edits))
        };
        [half("first", first), half("second", second)]
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Some bytes of the header set to a value.
struct Edit {
    at: usize,
    width: usize,
    value: u64,
}

fn edits(count: usize) -> Vec<Edit> {
    let mut state = 99_u64;
    let mut below = |limit: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut edit = || {
        // The header without its vocabulary, which takes most of it and is only passed over.
        let at = [below(600), 6_300 + below(1_527)][usize::try_from(below(2)).unwrap()];
        let at = usize::try_from(at).unwrap();
        let width = 1_usize << below(4);
        let value = [u64::MAX, 1 << below(64), 0, below(1 << 31)];
        Edit { at, width, value: value[usize::try_from(below(4)).unwrap()] }
    };
    (0..count).map(|_| edit()).collect()
}

fn edited(server: &str, corpus: &Corpus, path: &Path, edits: &[Edit]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Edit { at, width, value } in edits {
        let mut bytes = corpus.tiny.clone();
        bytes[*at..at + width].copy_from_slice(&value.to_le_bytes()[..*width]);
        fs_err::write(path, &bytes).unwrap();
        let what = format!("{width} bytes at {at} set to {value:#x}");
        match (preflight_refuses(path), server_refuses(server, path)) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(why), None) => wrong.push(format!("{what}: it loads, and preflight says {why}")),
            (None, Some(said)) if UNDECIDABLE.iter().any(|words| said.contains(words)) => {}
            (None, Some(said)) => {
                let errors = said.lines().filter(|line| line.contains("rror"));
                let errors: Vec<_> = errors.take(3).collect();
                wrong.push(format!("{what}: only llama-server refuses it: {}", errors.join(" | ")));
            }
        }
    }
    wrong
}

fn disagreements(server: &str, cases: &[Case]) -> Vec<String> {
    let disagreement = |case: &Case| {
        let said = server_refuses(server, &case.path);
        match (&said, case.refusal) {
            (None, None) => None,
            (Some(text), Some(words)) if text.contains(words) => None,
            (Some(_), _) | (None, Some(_)) => {
                let said = said.unwrap_or_else(|| "loaded".to_owned());
                Some(format!("{}: expected {:?}, and it said:\n{said}", case.name, case.refusal))
            }
        }
    };
    cases.iter().filter_map(disagreement).collect()
}

//! Files and folders that are right or wrong in one way each, and the words that Python has for
//! it.

use std::path::{Path, PathBuf};

/// What is asked about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Can the file be opened as safetensors?
    Weights,
    /// Do the index and its shards agree?
    Shards,
    /// Does transformers know what the folder is?
    Config,
    /// Does transformers make a tokenizer of it?
    Tokenizer,
}

impl Question {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Shards => "shards",
            Self::Config => "config",
            Self::Tokenizer => "tokenizer",
        }
    }
}

/// One path, what is asked about it, and the words in Python's exception; none: it is accepted.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) question: Question,
    pub(super) refusal: Option<String>,
    /// What a header or a name cannot tell, and preflight does not claim to.
    pub(super) only_python: bool,
}

/// Everything that the cases need.
pub(super) struct Corpus {
    folder: tempfile::TempDir,
    pub(super) cases: Vec<Case>,
}

pub(super) fn corpus() -> Corpus {
    let mut corpus = Corpus { folder: tempfile::tempdir().unwrap(), cases: Vec::new() };
    files(&mut corpus);
    headers(&mut corpus);
    shards(&mut corpus);
    configurations(&mut corpus);
    tokenizers(&mut corpus);
    documents(&mut corpus);
    corpus
}

/// Every case by its name, and the folder that they are in.
pub(crate) fn named() -> (tempfile::TempDir, Vec<(String, PathBuf)>) {
    let Corpus { folder, cases } = corpus();
    (folder, cases.into_iter().map(|case| (case.name, case.path)).collect())
}

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/models/vllm/tiny/bf16")
}

fn shard() -> Vec<u8> {
    fs_err::read(model().join("model-00001-of-00003.safetensors")).unwrap()
}

/// A file with that header and some bytes behind it.
fn with_header(header: &[u8], data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.resize(bytes.len() + data, 1);
    bytes
}

impl Corpus {
    fn add(&mut self, name: &str, path: PathBuf, question: Question, refusal: Option<&str>) {
        let refusal = refusal.map(str::to_owned);
        let case = Case { name: name.to_owned(), path, question, refusal, only_python: false };
        self.cases.push(case);
    }

    fn file(&mut self, name: &str, bytes: &[u8], refusal: Option<&str>) {
        let path = self.folder.path().join(format!("{}.safetensors", self.cases.len()));
        fs_err::write(&path, bytes).unwrap();
        self.add(name, path, Question::Weights, refusal);
    }

    /// A copy of the example folder with one thing changed.
    fn spoiled(
        &mut self,
        name: &str,
        question: Question,
        refusal: Option<&str>,
        spoil: impl FnOnce(&Path),
    ) {
        let path = self.folder.path().join(format!("folder-{}", self.cases.len()));
        fs_err::create_dir(&path).unwrap();
        for entry in fs_err::read_dir(model()).unwrap() {
            let entry = entry.unwrap();
            fs_err::copy(entry.path(), path.join(entry.file_name())).unwrap();
        }
        spoil(&path);
        self.add(name, path, question, refusal);
    }
}

/// Whole files, files that were cut, and files that are something else.
fn files(corpus: &mut Corpus) {
    const SMALL: Option<&str> = Some("header too small");
    const LARGE: Option<&str> = Some("header too large");
    const LENGTH: Option<&str> = Some("invalid header length");
    const COVERED: Option<&str> = Some("incomplete metadata, file not fully covered");
    let good = shard();
    let length = usize::try_from(u64::from_le_bytes(good[..8].try_into().unwrap())).unwrap();
    corpus.file("good", &good, None);
    corpus.file("empty", b"", SMALL);
    corpus.file("seven bytes", &good[..7], SMALL);
    corpus.file("eight bytes", &good[..8], LENGTH);
    corpus.file("cut in the header", &good[..100], LENGTH);
    corpus.file("cut before the end of the header", &good[..8 + length - 1], LENGTH);
    corpus.file("cut at the data", &good[..8 + length], COVERED);
    corpus.file("cut in half", &good[..good.len() / 2], COVERED);
    corpus.file("cut by one byte", &good[..good.len() - 1], COVERED);
    corpus.file("one byte more", &[&good[..], &[0]].concat(), COVERED);
    corpus.file("twice", &[&good[..], &good].concat(), COVERED);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 90656\n";
    corpus.file("pointer", pointer.as_bytes(), LARGE);
    corpus.file("html", b"<!doctype html><html></html>", LARGE);
    corpus.file("json", b"{\"error\":\"Repository not found\"}", LARGE);
    corpus.file("gguf", b"GGUF\x03\0\0\0\x15\0\0\0\0\0\0\0\x18\0\0\0\0\0\0\0", LARGE);
    corpus.file("zip", b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0", LENGTH);
    corpus.file("zeros", &[0; 4096], Some("EOF while parsing a value"));
    let mut spoiled = good.clone();
    spoiled[8 + length..].fill(0);
    corpus.file("data of zeros", &spoiled, None);
    corpus.add(
        "missing",
        corpus.folder.path().join("none"),
        Question::Weights,
        Some("o such file"),
    );
}

/// Headers, one thing wrong in each.
fn headers(corpus: &mut Corpus) {
    const INFO: Option<&str> = Some("invalid shape, data type, or offset for tensor");
    const OFFSET: Option<&str> = Some("invalid offset for tensor");
    const JSON: Option<&str> = Some("invalid JSON in header");
    let tensor = |dtype: &str, shape: &str, begin: &str, end: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}}}"#)
    };
    let f32 = |shape, begin, end| tensor("F32", shape, begin, end);
    for (name, header, data, refusal) in [
        ("one tensor", f32("[2,2]", "0", "16"), 16, None),
        ("a scalar", f32("[]", "0", "4"), 4, None),
        ("no elements", f32("[0,3]", "0", "0"), 0, None),
        ("no tensors", "{}".to_owned(), 0, None),
        ("a space before", " {}".to_owned(), 0, None),
        ("a space behind", "{} ".to_owned(), 0, None),
        ("metadata", r#"{"__metadata__":{"format":"pt"}}"#.to_owned(), 0, None),
        ("a number in metadata", r#"{"__metadata__":{"format":1}}"#.to_owned(), 0, JSON),
        ("metadata is a list", r#"{"__metadata__":[]}"#.to_owned(), 0, JSON),
        ("too few elements", f32("[1]", "0", "8"), 8, INFO),
        ("too many elements", f32("[3]", "0", "8"), 8, INFO),
        ("half a byte", tensor("F4", "[3]", "0", "2"), 2, Some("")),
        ("two half bytes", tensor("F4", "[4]", "0", "2"), 2, None),
        ("a product that overflows", f32("[4294967296,4294967296]", "0", "0"), 0, Some("")),
        ("a gap", f32("[1]", "4", "8"), 8, OFFSET),
        ("backwards", f32("[1]", "8", "4"), 8, Some("")),
        ("unknown type", tensor("F31", "[1]", "0", "4"), 4, JSON),
        ("negative extent", f32("[-1]", "0", "4"), 4, JSON),
        ("fractional extent", f32("[1.5]", "0", "4"), 4, JSON),
        ("negative offset", f32("[1]", "-4", "0"), 4, JSON),
        ("one offset", r#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0]}}"#.to_owned(), 1, JSON),
        ("no type", r#"{"a":{"shape":[],"data_offsets":[0,1]}}"#.to_owned(), 1, JSON),
        ("no shape", r#"{"a":{"dtype":"U8","data_offsets":[0,1]}}"#.to_owned(), 1, JSON),
        (
            "an entry more",
            r#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}}"#.to_owned(),
            1,
            None,
        ),
        (
            "type twice",
            r#"{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}"#.to_owned(),
            1,
            JSON,
        ),
        ("a tensor is null", r#"{"a":null}"#.to_owned(), 0, JSON),
        ("a list", "[]".to_owned(), 0, JSON),
        ("a word", "null".to_owned(), 0, JSON),
        ("something behind", "{}x".to_owned(), 0, JSON),
        ("not closed", r#"{"a":{"#.to_owned(), 0, JSON),
    ] {
        corpus.file(name, &with_header(header.as_bytes(), data), refusal);
    }
    corpus.file("bad UTF-8", &with_header(b"{\"\xff\":1}", 0), Some("UTF-8"));
    let overlap = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
        "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
    corpus.file("overlap", &with_header(overlap.as_bytes(), 3), OFFSET);
    let twice = r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]},
        "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
    corpus.file("name twice", &with_header(twice.as_bytes(), 2), None);
    for dtype in ["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"] {
        corpus.file(dtype, &with_header(tensor(dtype, "[3]", "0", "3").as_bytes(), 3), None);
    }
    for (dtype, bytes) in [
        ("I16", "6"),
        ("U16", "6"),
        ("F16", "6"),
        ("BF16", "6"),
        ("I32", "12"),
        ("U32", "12"),
        ("C64", "24"),
        ("F64", "24"),
        ("I64", "24"),
        ("U64", "24"),
    ] {
        let header = tensor(dtype, "[3]", "0", bytes);
        corpus.file(dtype, &with_header(header.as_bytes(), bytes.parse().unwrap()), None);
    }
}

/// An index and its shards.
fn shards(corpus: &mut Corpus) {
    use Question::Shards;
    const INDEX: &str = "model.safetensors.index.json";
    const SECOND: &str = "model-00002-of-00003.safetensors";
    let missing = Some("o such file");
    corpus.spoiled("sharded", Shards, None, |_| {});
    corpus.spoiled("shard missing", Shards, missing, |folder| {
        fs_err::remove_file(folder.join(SECOND)).unwrap();
    });
    corpus.spoiled("shard cut", Shards, Some("file not fully covered"), |folder| {
        let bytes = fs_err::read(folder.join(SECOND)).unwrap();
        fs_err::write(folder.join(SECOND), &bytes[..bytes.len() - 1]).unwrap();
    });
    corpus.spoiled("shard of another revision", Shards, Some("tensors not in"), |folder| {
        fs_err::write(folder.join(SECOND), shard()).unwrap();
    });
    corpus.spoiled("shards that have changed places", Shards, None, |folder| {
        let third = folder.join("model-00003-of-00003.safetensors");
        fs_err::rename(folder.join(SECOND), folder.join("second")).unwrap();
        fs_err::rename(&third, folder.join(SECOND)).unwrap();
        fs_err::rename(folder.join("second"), third).unwrap();
    });
    corpus.spoiled("dangling shard", Shards, missing, |folder| {
        fs_err::remove_file(folder.join(SECOND)).unwrap();
        std::os::unix::fs::symlink("../../blobs/0123", folder.join(SECOND)).unwrap();
    });
    corpus.spoiled("shard behind a link", Shards, None, |folder| {
        fs_err::rename(folder.join(SECOND), folder.join("blob")).unwrap();
        std::os::unix::fs::symlink("blob", folder.join(SECOND)).unwrap();
    });
    corpus.spoiled("wrong total", Shards, None, |folder| {
        let text = fs_err::read_to_string(folder.join(INDEX)).unwrap();
        fs_err::write(folder.join(INDEX), text.replace("279168", "1")).unwrap();
    });
    for (name, text, words) in [
        ("empty index", "", "JSONDecodeError"),
        ("index cut", r#"{"weight_map":{"a":"#, "JSONDecodeError"),
        ("index without a map", "{}", "weight_map"),
        ("index is a page", "<html>", "JSONDecodeError"),
    ] {
        corpus.spoiled(name, Shards, Some(words), |folder| {
            fs_err::write(folder.join(INDEX), text).unwrap();
        });
    }
}

fn configurations(corpus: &mut Corpus) {
    use Question::Config;
    const CONFIG: &str = "config.json";
    let invalid = Some("is not a valid JSON file");
    corpus.spoiled("configured", Config, None, |_| {});
    corpus.spoiled("no configuration", Config, Some(""), |folder| {
        fs_err::remove_file(folder.join(CONFIG)).unwrap();
    });
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 700\n";
    let text = fs_err::read_to_string(model().join(CONFIG)).unwrap();
    for (name, text, refusal) in [
        ("empty configuration", "", invalid),
        ("configuration cut", &text[..text.len() / 2], invalid),
        ("configuration is a pointer", pointer, invalid),
        ("configuration is a page", "<html>", invalid),
        ("configuration is a list", "[]", Some("")),
        ("no model type", "{}", Some("Should have a `model_type` key")),
        ("known type", r#"{"model_type":"llama"}"#, None),
        ("space around", " {\"model_type\":\"llama\"}\n\n", None),
        ("something behind", "{\"model_type\":\"llama\"}x", invalid),
        ("not a type", r#"{"model_type":7}"#, Some("")),
    ] {
        corpus.spoiled(name, Config, refusal, |folder| {
            fs_err::write(folder.join(CONFIG), text).unwrap();
        });
    }
    // Which types there are depends on the release of transformers.
    let words = Some("Transformers does not recognize this architecture");
    corpus.spoiled("unknown type", Config, words, |folder| {
        fs_err::write(folder.join(CONFIG), r#"{"model_type":"zzz"}"#).unwrap();
    });
    corpus.cases.last_mut().unwrap().only_python = true;
}

fn tokenizers(corpus: &mut Corpus) {
    use Question::Tokenizer;
    let remove =
        |name: &'static str| move |folder: &Path| fs_err::remove_file(folder.join(name)).unwrap();
    corpus.spoiled("tokenizer", Tokenizer, None, |_| {});
    corpus.spoiled("no tokenizer", Tokenizer, Some(""), remove("tokenizer.json"));
    corpus.spoiled("no settings", Tokenizer, None, remove("tokenizer_config.json"));
    corpus.spoiled("no special tokens", Tokenizer, None, remove("special_tokens_map.json"));
    corpus.spoiled("no generation", Tokenizer, None, remove("generation_config.json"));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 700\n";
    let text = fs_err::read_to_string(model().join("tokenizer.json")).unwrap();
    for (name, text, words) in [
        ("tokenizer is a pointer", pointer, "JSONDecodeError"),
        ("tokenizer cut", &text[..text.len() / 2], "JSONDecodeError"),
        ("tokenizer without its end", &text[..text.trim_end().len() - 1], "JSONDecodeError"),
        ("tokenizer is empty", "", ""),
        ("tokenizer is a page", "<html>", "JSONDecodeError"),
    ] {
        corpus.spoiled(name, Tokenizer, Some(words), |folder| {
            fs_err::write(folder.join("tokenizer.json"), text).unwrap();
        });
    }
    for (name, text) in
        [("settings are a page", "<html>"), ("settings cut", "{\"a\":"), ("settings empty", "")]
    {
        corpus.spoiled(name, Tokenizer, Some(""), |folder| {
            fs_err::write(folder.join("tokenizer_config.json"), text).unwrap();
        });
    }
}

/// What is done to a document.
type Spoil<'a> = &'a dyn Fn(&mut serde_json::Value);

/// The small documents beside a tokenizer, each as everything that it may have become.
fn documents(corpus: &mut Corpus) {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 700\n";
    let forms = [
        ("an object", "{}", true),
        ("with Infinity", r#"{"x": -Infinity}"#, true),
        ("with a key twice", r#"{"x": 1, "x": 1}"#, true),
        ("empty", "", false),
        ("a list", "[]", false),
        ("null", "null", false),
        ("a number", "1", false),
        ("a string", "\"a\"", false),
        ("cut", r#"{"x": 1"#, false),
        ("with a mark", "\u{feff}{}", false),
        ("a pointer", pointer, false),
        ("a page", "<html></html>", false),
        ("with more behind", "{}\nx", false),
        ("with a comma too many", r#"{"x": 1,}"#, false),
        ("with a comment", "// a\n{}", false),
        ("with other quotes", "{'x': 1}", false),
    ];
    for file in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
        for (form, text, is_read) in forms {
            let refusal = (!is_read).then_some("");
            corpus.spoiled(&format!("{file} {form}"), Question::Tokenizer, refusal, |folder| {
                fs_err::write(folder.join(file), text).unwrap();
            });
        }
    }
    let text = fs_err::read_to_string(model().join("tokenizer.json")).unwrap();
    let tokenizer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let spoils: [(&str, Spoil<'_>); 4] = [
        ("nothing", &|it| *it = serde_json::json!({"added_tokens": []})),
        ("no model", &|it| drop(it.as_object_mut().unwrap().remove("model"))),
        ("another version", &|it| it["version"] = "2.0".into()),
        ("no vocabulary", &|it| drop(it["model"].as_object_mut().unwrap().remove("vocab"))),
    ];
    for (name, spoil) in spoils {
        let mut tokenizer = tokenizer.clone();
        spoil(&mut tokenizer);
        corpus.spoiled(&format!("tokenizer: {name}"), Question::Tokenizer, Some(""), |folder| {
            fs_err::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        });
    }
}

/// A header with one byte changed in each, from a fixed start.
pub(super) fn mutated(folder: &Path, count: usize) -> Vec<Case> {
    let header = concat!(
        r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"#,
        r#""b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},"#,
        r#""c":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[22,24]}}"#
    );
    let good = with_header(header.as_bytes(), 24);
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let mut case = |number: usize| {
        let at = below(8 + header.len());
        let likely = b"0123456789{}[]\",: abFU_\\\0\xff";
        let byte = likely[below(likely.len())];
        let mut bytes = good.clone();
        bytes[at] = byte;
        let path = folder.join(format!("{number}.safetensors"));
        fs_err::write(&path, bytes).unwrap();
        let name = format!("byte {at} set to {:?}", char::from(byte));
        Case { name, path, question: Question::Weights, refusal: None, only_python: false }
    };
    (0..count).map(&mut case).collect()
}

//! Chat templates: preflight, the genuine llama-server and the genuine Jinja2 read the same.
//!
//! The templates of `tests/data/chat-templates` and what is made of them at random, one change in each.
//! `PREFLIGHT_TEST_TEMPLATES` says how many, and from which seed on (`5000`, `5000:7`), and with a folder
//! behind that (`5000:7:/folder`), of whose templates.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use preflight::facts::model::jinja::fault;
use preflight::plan::engine::TemplateReader;

use crate::gguf_oracle::document::{Document, string};
use crate::gguf_oracle::server;
use crate::llama_answers::Running;
use crate::sandbox::{Sandbox, repository};

/// Reads files as transformers 4.57.6 has Jinja2 read them: with a line of JSON for each, what is wrong.
const JUDGE: &str = r#"
import json, sys, warnings
warnings.simplefilter("ignore")
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

class Generation(Extension):
    tags = {"generation"}
    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.Scope(body).set_lineno(line)

environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
for line in sys.stdin:
    try:
        with open(line.rstrip("\n"), newline="") as file:
            environment.from_string(file.read())
        print("null")
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"#;

/// Pieces of templates that something is done to.
const PIECES: [&str; 24] = [
    "{%", "%}", "{%-", "-%}", "{{", "}}", "{{-", "-}}", "{#", "#}", "'", "\"", "(", ")", "[", "]",
    "{", "}", "|", ".", "is", "in", "if", "end",
];

/// What is put in.
const ADDED: [&str; 22] = [
    " not",
    " +",
    " is",
    " |",
    " == ",
    " if x",
    " else y",
    ", ",
    "**",
    "//",
    " ~",
    "[0]",
    "()",
    " 1",
    " \"s\"",
    "x",
    "\\d",
    "&",
    "{% endif %}",
    "{% endfor %}",
    "{% if x %}",
    "{% zork %}",
];

/// A sequence that is the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// The template with one thing changed.
    fn changed(&mut self, text: &str) -> String {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = *self.one(&places);
        let width = text[at..].chars().next().map_or(0, char::len_utf8);
        let piece = *self.one(&PIECES);
        let pieces: Vec<usize> = text.match_indices(piece).map(|(at, _)| at).collect();
        let part = if pieces.is_empty() { at } else { *self.one(&pieces) };
        let length = if pieces.is_empty() { width } else { piece.len() };
        let ends: Vec<usize> =
            ["%}", "}}"].iter().flat_map(|end| text.match_indices(end).map(|(at, _)| at)).collect();
        let end = if ends.is_empty() { at } else { *self.one(&ends) };
        match self.below(6) {
            0 => text[..at].to_owned(),
            1 => format!("{}{}", &text[..at], &text[at + width..]),
            2 | 3 => format!("{}{}", &text[..part], &text[part + length..]),
            4 => format!("{}{}{}", &text[..end], self.one(&ADDED), &text[end..]),
            _ => format!("{}{}{}", &text[..at], self.one(&ADDED), &text[at..]),
        }
    }
}

/// How many, the seed, and the folder of the templates.
fn asked() -> (usize, u64, PathBuf) {
    #[expect(clippy::disallowed_methods, reason = "a test is told how much to do")]
    let text = std::env::var("PREFLIGHT_TEST_TEMPLATES").unwrap_or_default();
    let mut parts = text.splitn(3, ':');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (count, seed, folder) = (next(), next(), next());
    let own = repository().join("tests/data/chat-templates");
    let folder = if folder.is_empty() { own } else { PathBuf::from(folder) };
    (count.parse().unwrap_or(300), seed.parse().unwrap_or(7756), folder)
}

/// The templates as they are, and what is made of them, each in a file.
fn corpus(folder: &Path) -> Vec<(PathBuf, String)> {
    let (count, seed, from) = asked();
    let mut sources: Vec<_> =
        fs_err::read_dir(&from).unwrap().map(|it| it.unwrap().path()).collect();
    sources.sort();
    let sources: Vec<String> =
        sources.iter().filter_map(|path| fs_err::read_to_string(path).ok()).collect();
    assert!(sources.len() > 2, "{} has no templates", from.display());
    let mut random = Random(seed);
    let changed = (0..count).map(|_| random.one(&sources).clone());
    let changed: Vec<String> =
        changed.collect::<Vec<_>>().iter().map(|it| random.changed(it)).collect();
    let all = sources.into_iter().chain(changed).enumerate();
    let written = all.map(|(number, text)| {
        let path = folder.join(format!("{number:05}.jinja"));
        fs_err::write(&path, &text).unwrap();
        (path, text)
    });
    written.collect()
}

/// Both say it, or neither; what is not, with the words of both.
fn differences(
    corpus: &[(PathBuf, String)],
    reader: TemplateReader,
    genuine: &[Option<String>],
) -> String {
    assert_eq!(corpus.len(), genuine.len());
    let pairs = corpus.iter().zip(genuine);
    let differing = pairs.filter_map(|((path, text), genuine)| {
        let own = fault(text, reader);
        (own.is_some() != genuine.is_some()).then(|| {
            format!("{}\n  genuine: {genuine:?}\n  preflight: {own:?}\n{text}", path.display())
        })
    });
    differing.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_template_is_read_where_jinja2_reads_it_and_nowhere_else() {
    #[expect(clippy::disallowed_methods, reason = "a test is told where the judge is")]
    let python = std::env::var("PREFLIGHT_TEST_JINJA2").ok();
    let Some(python) = python else { return without_jinja2() };
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut child = Command::new(python)
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let names: String = corpus.iter().map(|(path, _)| format!("{}\n", path.display())).collect();
    let feeding = std::thread::spawn(move || stdin.write_all(names.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let genuine: Vec<Option<String>> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refused = genuine.iter().filter(|it| it.is_some()).count();
    assert!(refused > corpus.len() / 3 && refused < corpus.len(), "{refused} are refused");
    let wrong = differences(&corpus, TemplateReader::Jinja2, &genuine);
    assert!(wrong.is_empty(), "{wrong}");
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn without_jinja2() {
    #[expect(clippy::disallowed_methods, reason = "a test is told what has to be there")]
    let required = std::env::var("PREFLIGHT_TEST_REQUIRE_ALL").as_deref() == Ok("1");
    assert!(!required, "PREFLIGHT_TEST_JINJA2 is not set");
    println!("skipped: PREFLIGHT_TEST_JINJA2 does not name a Python with Jinja2");
}

/// What llama-server says of a template before it looks for its model; absent: it takes it. What it
/// refuses when it tries the template out is none of a reader's.
fn refused(server: &str, path: &Path) -> Option<String> {
    let output = Command::new(server)
        .args(["--port", "0", "-m", "/nowhere.gguf", "--chat-template-file"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_tried = text.contains("failed to apply template: ")
        && !text.contains("failed to initialize chat template")
        && !text.contains("failed to apply template: std::exception");
    (text.contains("the supplied chat template is not supported") && !is_tried).then_some(text)
}

#[test]
fn a_template_is_refused_where_llama_server_refuses_it() {
    let Some(server) = server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let halves = corpus.split_at(corpus.len() / 2);
    let genuine: Vec<Option<String>> = std::thread::scope(|scope| {
        let server = server.as_str();
        let told = move |half: &[(PathBuf, String)]| -> Vec<_> {
            half.iter().map(|(path, _)| refused(server, path)).collect()
        };
        let both = [scope.spawn(move || told(halves.0)), scope.spawn(move || told(halves.1))];
        both.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let wrong: Vec<&(PathBuf, String)> = corpus
        .iter()
        .zip(&genuine)
        .filter(|((_, text), genuine)| {
            fault(text, TemplateReader::LlamaCpp).is_some() && genuine.is_none()
        })
        .map(|(case, _)| case)
        .collect();
    assert!(wrong.is_empty(), "refused by preflight alone:\n{wrong:?}");
    let missed = corpus.iter().zip(&genuine).filter(|((_, text), genuine)| {
        fault(text, TemplateReader::LlamaCpp).is_none() && genuine.is_some()
    });
    let missed: Vec<_> = missed.collect();
    assert!(missed.len() * 50 <= corpus.len(), "{} are missed:\n{missed:?}", missed.len());
}

const BROKEN: &str = "{% for message in messages %}{{ message.content }}{% endif %}";
const SOUND: &str = "{% for message in messages %}{{ message.content }}{% endfor %}";

/// The templates of a model: what is behind `tokenizer.chat_template` in the names of their entries, and
/// what they say.
type Templates<'a> = &'a [(&'a str, &'a str)];

/// The tiny model with these templates.
fn model(templates: Templates<'_>) -> Vec<u8> {
    let file = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    let mut document = Document::parse(&fs_err::read(file).unwrap());
    for (name, text) in templates {
        document.add_key(&format!("tokenizer.chat_template{name}"), 8, &string(text));
    }
    document.bytes()
}

#[test]
fn llama_server_starts_with_the_templates_that_preflight_takes_for_sound() {
    let long = format!("{BROKEN}{{# {} #}}", "x".repeat(2000));
    let cases: [(Templates<'_>, &str, bool); 11] = [
        (&[("", SOUND)], "", true),
        (&[("", BROKEN)], "", false),
        (&[("", &long)], "--no-jinja", false),
        (&[("", BROKEN)], "--chat-template chatml", true),
        (&[("", BROKEN)], "--chat-template-file sound.jinja", true),
        (&[("", SOUND), (".tool_use", BROKEN)], "", true),
        (&[(".tool_use", BROKEN)], "", false),
        (&[("", "chatml"), (".tool_use", BROKEN)], "", false),
        (&[], "--chat-template-file broken.jinja", false),
        (&[], "--chat-template {{%if}}", false),
        (&[], "--chat-template {{%if}} --chat-template-file sound.jinja", true),
    ];
    let server = server();
    for (templates, words, starts) in cases {
        let sandbox = Sandbox::new()
            .file("m.gguf", model(templates))
            .file("sound.jinja", SOUND)
            .file("broken.jinja", BROKEN);
        let folder = sandbox.path().display().to_string();
        let words = words.replace(" sound", &format!(" {folder}/sound"));
        let words = words.replace(" broken", &format!(" {folder}/broken"));
        let compose = format!(
            "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    \
             volumes: ['{folder}:{folder}:ro']\n    command: -m {folder}/m.gguf -c 256 {words}\n"
        );
        let sandbox = sandbox.file("compose.yaml", compose);
        let run = sandbox.run(&["verify"]);
        let is_told = run.stdout.contains("error[chat-template-broken]");
        assert_eq!((run.code == Some(0), !is_told), (starts, starts), "{words}\n{}", run.stdout);
        let Some(server) = &server else { continue };
        let model = format!("{folder}/m.gguf");
        let arguments: Vec<&str> =
            ["-m", &model].into_iter().chain(words.split_whitespace()).collect();
        let started = Running::start(server, &arguments);
        assert_eq!(started.is_ok(), starts, "{words}\n{:?}", started.err());
    }
}

#[test]
fn what_llama_swap_starts_reads_templates_as_llama_server_does() {
    let is_told = |words: &str| {
        let start = "llama-server --port ${PORT} -m /models/m.gguf";
        let compose = "services:\n  swap:\n    image: ghcr.io/mostlygeek/llama-swap:cpu\n    \
                       command: -config /models/config.yaml\n    volumes: ['./models:/models:ro']\n";
        let sandbox = Sandbox::new()
            .file("models/m.gguf", model(&[("", BROKEN)]))
            .file("models/config.yaml", format!("models:\n  m:\n    cmd: {start} {words}\n"))
            .file("compose.yaml", compose);
        sandbox.run(&["verify"]).stdout.contains("[chat-template-broken]")
    };
    assert!(is_told(""));
    assert!(!is_told("--chat-template chatml"));
}

/// How preflight weighs a broken template of an image's server: with `text` in the command or in the
/// model's folder.
fn weight(image: &str, command: &str, template: Option<&str>) -> Option<String> {
    let mut sandbox = Sandbox::quickstart().file("models/broken.jinja", BROKEN);
    if let Some(template) = template {
        sandbox = sandbox.file("models/vllm/tiny/bf16/chat_template.jinja", template);
    }
    let compose = format!(
        "services:\n  llm:\n    image: {image}\n    volumes: ['./models:/models:ro']\n    \
         command: {command}\n"
    );
    let run = sandbox.file("compose.yaml", compose).run(&["verify"]);
    let line = run.stdout.lines().find(|line| line.contains("[chat-template-broken]"));
    line.map(|line| line.split('[').next().unwrap_or_default().to_owned())
}

#[test]
fn a_broken_template_weighs_what_its_engine_makes_of_it() {
    let llama = |tag: &str, words: &str| {
        let command = format!("-m /models/gguf/tiny-Q4_K_M.gguf -c 256 {words}");
        weight(&format!("ghcr.io/ggml-org/llama.cpp:{tag}"), &command, None)
    };
    let file = "--chat-template-file /models/broken.jinja";
    let (error, warning) = (Some("error".to_owned()), Some("warning".to_owned()));
    assert_eq!(llama("server-b11669", file), error);
    assert_eq!(llama("server", file), error);
    assert_eq!(llama("server-b6000", file), warning);
    // Of the two readers one alone does not know it.
    let power = "--chat-template '{{ 2 ** 3 }}'";
    assert_eq!(llama("server-b11669", power), error);
    assert_eq!(llama("server", power), warning);
    let vllm = |tag: &str, words: &str, template: &str| {
        let command = format!("--model /models/vllm/tiny/bf16 --max-model-len 128 {words}");
        weight(&format!("vllm/vllm-openai:{tag}"), &command, Some(template))
    };
    assert_eq!(vllm("v0.12.0", "", BROKEN), warning);
    assert_eq!(vllm("latest", "", BROKEN), warning);
    assert_eq!(vllm("v0.12.0", "", SOUND), None);
    assert_eq!(vllm("v0.12.0", "", "{{ 2 ** 3 }}"), None);
    assert_eq!(vllm("v0.12.0", "--chat-template /models/broken.jinja", SOUND), warning);
    assert_eq!(vllm("v0.12.0", "--tokenizer-mode mistral", BROKEN), None);
    let sglang = |words: &str| {
        let command = format!("--model-path /models/vllm/tiny/bf16 --context-length 128 {words}");
        weight("lmsysorg/sglang:v0.5.5", &command, Some(BROKEN))
    };
    assert_eq!(sglang(""), warning);
    assert_eq!(sglang("--chat-template llama-3-instruct"), None);
    let given = format!("--chat-template '{SOUND}'");
    assert_eq!(vllm("v0.12.0", &given, BROKEN), None);
    let given = format!("--chat-template '{BROKEN}'");
    assert_eq!(vllm("v0.12.0", &given, SOUND), warning);
}

#[test]
fn a_name_is_no_template_where_jinja_is_read() {
    let server = server();
    let asked = r#"{"messages":[{"role":"user","content":"hello"}]}"#;
    for (tag, words, is_told) in [
        ("server-b11669", "--chat-template llama2", true),
        ("server", "--chat-template llama2", true),
        ("server-b11669", "--chat-template llama2 --no-jinja", false),
        ("server-b6000", "--chat-template llama2", false),
        ("server-b6000", "--jinja --chat-template llama2", true),
        ("server-b11669", "--chat-template chatml", false),
    ] {
        let command = format!("-m /models/gguf/tiny-Q4_K_M.gguf -c 256 {words}");
        let told = weight(&format!("ghcr.io/ggml-org/llama.cpp:{tag}"), &command, None);
        assert_eq!(told, is_told.then(|| "warning".to_owned()), "{tag} {words}");
        let Some(server) = server.as_ref().filter(|_| tag == "server-b11669") else { continue };
        let model = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
        let model = ["-m", model.to_str().unwrap()].into_iter();
        let words: Vec<&str> = model.chain(words.split(' ')).collect();
        let running = Running::start(server, &words).unwrap();
        let (_, answer) = running.answer("/apply-template", asked);
        assert_eq!(answer.contains("hello"), !is_told, "{words:?}\n{answer}");
    }
}

#[test]
fn templates_with_names_are_judged_as_far_as_requests_get_them() {
    let folder = |settings: &serde_json::Value| {
        let sandbox = Sandbox::quickstart()
            .file("models/vllm/tiny/bf16/tokenizer_config.json", settings.to_string())
            .file(
                "compose.yaml",
                "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    \
                 volumes: ['./models:/models:ro']\n    \
                 command: --model /models/vllm/tiny/bf16 --max-model-len 128\n",
            );
        fs_err::remove_file(sandbox.path().join("models/vllm/tiny/bf16/chat_template.jinja"))
            .unwrap();
        sandbox.run(&["verify"]).stdout
    };
    let named = |name: &str| {
        folder(&serde_json::json!({"chat_template": [
            {"name": "default", "template": SOUND},
            {"name": name, "template": BROKEN},
        ]}))
    };
    assert!(folder(&serde_json::json!({"chat_template": BROKEN})).contains("chat-template-broken"));
    let told = named("tool_use");
    assert!(
        told.contains("`tool_use` in `/models/vllm/tiny/bf16/tokenizer_config.json`"),
        "{told}"
    );
    assert!(!named("rag").contains("chat-template-broken"));
}

#[test]
fn a_template_that_is_read_before_serving_ends_the_server() {
    let told = |image: &str, command: &str, file: &str, bytes: Vec<u8>| {
        let compose = format!(
            "services:\n  llm:\n    image: {image}\n    volumes: ['./models:/models:ro']\n    \
             command: {command}\n"
        );
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose).file(file, bytes);
        let own = "models/vllm/tiny/bf16/chat_template.jinja";
        fs_err::remove_file(sandbox.path().join(own)).unwrap();
        let run = sandbox.run(&["verify"]);
        let line = run.stdout.lines().find(|line| line.contains("[chat-template-broken]"));
        line.map(|line| line.split('`').next().unwrap_or_default().to_owned())
    };
    let error = Some("error[chat-template-broken]: the chat template in ".to_owned());
    let tgi = |tag: &str, template: &str| {
        let settings = serde_json::json!({"chat_template": template}).to_string();
        let image = format!("ghcr.io/huggingface/text-generation-inference:{tag}");
        let file = "models/vllm/tiny/bf16/tokenizer_config.json";
        told(&image, "--model-id /models/vllm/tiny/bf16", file, settings.into_bytes())
    };
    assert_eq!(tgi("3.3.4", BROKEN), error);
    assert_eq!(tgi("latest", BROKEN), error);
    // Its reader is neither Python's nor llama.cpp's.
    assert_eq!(tgi("3.3.4", "{{ 2 ** 3 }}"), None);
    assert_eq!(tgi("1.4.0", BROKEN), None);
    assert_eq!(tgi("3.3.4", SOUND), None);
    let python = |template: &str| {
        let file = model(&[("", template)]);
        let image = "ghcr.io/abetlen/llama-cpp-python:latest";
        told(image, "python3 -m llama_cpp.server --model /models/t.gguf", "models/t.gguf", file)
    };
    let error = Some("error[chat-template-broken]: the chat template of ".to_owned());
    assert_eq!(python(BROKEN), error);
    assert_eq!(python(SOUND), None);
}

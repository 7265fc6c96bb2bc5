//! What llama-server opens beside a model, and what its router finds: preflight and the genuine one.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use preflight::facts::model::router;
use preflight::plan::engine::{Named, invocation};
use preflight::project::Service;
use preflight::project::view::local::LocalView;
use preflight::source_map::Spanned;

use crate::gguf_oracle::server;
use crate::sandbox::Sandbox;

const MODEL: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// Switches that stand for a model of the hub.
const BUILT_IN: [&str; 11] = [
    "--embd-gemma-default",
    "--fim-qwen-1.5b-default",
    "--fim-qwen-3b-default",
    "--fim-qwen-7b-default",
    "--fim-qwen-7b-spec",
    "--fim-qwen-14b-spec",
    "--fim-qwen-30b-default",
    "--gpt-oss-20b-default",
    "--gpt-oss-120b-default",
    "--vision-gemma-4b-default",
    "--vision-gemma-12b-default",
];

/// What the server prints until a line holds `end`; all of it, if it ends before.
pub(crate) fn words_until(
    server: &str,
    arguments: &[&str],
    folder: &Path,
    end: &str,
) -> (bool, String) {
    words_with(server, arguments, &[], folder, end)
}

/// The same of a server that has these variables.
pub(crate) fn words_with(
    server: &str,
    arguments: &[&str],
    variables: &[(String, String)],
    folder: &Path,
    end: &str,
) -> (bool, String) {
    let mut child = Command::new(server)
        .args(["--host", "127.0.0.1"])
        .args(arguments)
        .env("LLAMA_CACHE", "cache")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .env("GGML_NO_BACKTRACE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut came = false;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        came = line.contains(end);
        text.push_str(&line);
        text.push('\n');
        if came {
            child.kill().unwrap();
            break;
        }
    }
    child.wait().unwrap();
    (came, text)
}

/// The quickstart, and something of every kind.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::quickstart()
        .file("grammar", "root ::= \"a\"\n")
        .file("schema", "{}")
        .file("text", "x")
        .file("empty", "")
        .file("junk.gguf", "junk")
        .file("words.txt", "this is no model\n")
        .file("schema.json", "{}")
        .file("folder/file", "");
    let keys = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x"];
    let made = Command::new("openssl")
        .args(keys)
        .args(["-keyout", "key", "-out", "certificate"])
        .current_dir(sandbox.path())
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    sandbox
}

/// What preflight says of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The server starts and uses it.
    Nothing,
    /// The server starts without it.
    Warning,
    /// The server does not start.
    Error,
}

/// What is written behind the model.
const CASES: [(&str, Told); 39] = [
    ("--grammar-file grammar", Told::Nothing),
    ("--grammar-file nowhere", Told::Error),
    ("--grammar-file folder", Told::Error),
    ("--json-schema-file schema", Told::Nothing),
    ("--json-schema-file nowhere", Told::Error),
    ("-jf folder", Told::Error),
    ("--api-key-file text", Told::Nothing),
    ("--api-key-file nowhere", Told::Error),
    ("--api-key-file folder", Told::Warning),
    ("--chat-template-file text", Told::Nothing),
    ("--chat-template-file nowhere", Told::Error),
    ("--chat-template-file folder", Told::Error),
    ("--chat-template-file empty", Told::Warning),
    ("--ui-config-file schema", Told::Nothing),
    ("--ui-config-file nowhere", Told::Error),
    ("--mcp-servers-config nowhere", Told::Error),
    ("--path folder", Told::Nothing),
    ("--path nowhere", Told::Error),
    ("--path text", Told::Error),
    ("--slot-save-path folder", Told::Nothing),
    ("--slot-save-path nowhere", Told::Error),
    ("--slot-save-path text", Told::Error),
    ("--media-path folder", Told::Nothing),
    ("--media-path nowhere", Told::Error),
    ("--control-vector nowhere", Told::Warning),
    ("--control-vector-scaled junk.gguf:0.5", Told::Warning),
    ("--control-vector words.txt", Told::Warning),
    ("--control-vector schema.json", Told::Warning),
    ("--mmproj words.txt", Told::Error),
    ("--mmproj schema.json", Told::Error),
    ("--lora words.txt", Told::Error),
    ("--lora schema.json", Told::Error),
    ("--model-draft words.txt", Told::Error),
    ("--model-draft schema.json", Told::Error),
    ("--ssl-key-file nowhere", Told::Nothing),
    ("--ssl-cert-file nowhere", Told::Nothing),
    ("--ssl-key-file nowhere --ssl-cert-file certificate", Told::Error),
    ("--ssl-key-file key --ssl-cert-file nowhere", Told::Error),
    ("--ssl-key-file key --ssl-cert-file certificate", Told::Nothing),
];

fn told(stdout: &str) -> Told {
    let begins = |severity: &str| stdout.lines().any(|line| line.starts_with(severity));
    match (begins("error["), begins("warning[")) {
        (true, _) => Told::Error,
        (false, true) => Told::Warning,
        (false, false) => Told::Nothing,
    }
}

#[test]
fn a_file_of_the_command_line_stops_llama_server_as_preflight_says() {
    let sandbox = sandbox();
    let folder = sandbox.path().display().to_string();
    for (words, expected) in CASES {
        let compose = format!(
            "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    \
             working_dir: {folder}\n    command: -m {folder}/{MODEL} -c 256 {words}\n    \
             volumes: ['{folder}:{folder}:ro']\n"
        );
        fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
        let run = sandbox.run(&["verify"]);
        assert_eq!(told(&run.stdout), expected, "{words}\n{}", run.stdout);
        let codes: &[i32] = if expected == Told::Error { &[10, 11] } else { &[0] };
        let is_so = run.code.is_some_and(|code| codes.contains(&code));
        assert!(is_so, "{words}: {:?}\n{}", run.code, run.stdout);
    }
    let Some(server) = server() else { return };
    for (words, expected) in CASES {
        let model = ["--port", "0", "-m", MODEL, "-c", "256", "-np", "1", "--no-warmup"];
        let arguments: Vec<&str> = model.into_iter().chain(words.split(' ')).collect();
        let (starts, text) = words_until(&server, &arguments, sandbox.path(), "model loaded");
        assert_eq!(starts, expected != Told::Error, "{words}\n{text}");
    }
}

#[test]
fn the_router_lists_the_models_that_preflight_finds() {
    let mut sandbox = Sandbox::new();
    for name in [
        "one.gguf",
        "UPPER.GGUF",
        "mmproj-top.gguf",
        "split-00001-of-00002.gguf",
        "alone-00002-of-00002.gguf",
        "vision/v.gguf",
        "vision/mmproj-v.gguf",
        "parts/p-00001-of-00002.gguf",
        "parts/p-00002-of-00002.gguf",
        "late/l-00002-of-00002.gguf",
        "projector/mmproj-x.gguf",
        "deep/er/d.gguf",
        "words/readme.md",
    ] {
        sandbox = sandbox.file(&format!("models/{name}"), "x");
    }
    let models = sandbox.path().join("models");
    let found = router::models(&LocalView, &models);
    // The name of a folder, else of the file.
    let name = |path: &Path| {
        let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        first.trim_end_matches(".gguf").to_owned()
    };
    let mut found: Vec<String> = found.iter().map(|(_, path)| name(path)).collect();
    found.dedup();
    assert_eq!(
        found,
        ["alone-00002-of-00002", "late", "one", "parts", "split-00001-of-00002", "vision"]
    );
    let Some(server) = server() else { return };
    let (_, text) = words_until(
        &server,
        &["--port", "0", "--models-dir", "models"],
        sandbox.path(),
        "listening",
    );
    let mut listed: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("[models_dir] ").map(|it| it.1)).collect();
    listed.sort_unstable();
    assert_eq!(listed, found, "{text}");
    let (came, text) = words_until(
        &server,
        &["--port", "0", "--models-dir", "nowhere"],
        sandbox.path(),
        "listening",
    );
    assert!(!came, "{text}");
}

#[test]
fn a_router_is_ready_when_one_of_its_models_is() {
    let sandbox = Sandbox::quickstart().file(
        "compose.yaml",
        "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
         environment: {LLAMA_ARG_MODELS_DIR: /models/gguf, LLAMA_ARG_CTX_SIZE: 512}\n    \
         volumes: ['./models:/models:ro']\n",
    );
    let verify = || {
        let run = sandbox.run(&["verify"]);
        let heads = run.stdout.lines().filter(|line| line.contains("]: "));
        let heads: Vec<String> = heads.map(str::to_owned).collect();
        (run.code, heads.join("\n"))
    };
    assert_eq!(verify(), (Some(0), String::new()));

    let folder = sandbox.path().join("models/gguf");
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(folder.join("tiny-Q4_K_M.gguf"), permissions).unwrap();
    };
    mode(0o600);
    let as_user = fs_err::read_to_string(sandbox.path().join("compose.yaml")).unwrap();
    let as_user = as_user.replace("    volumes", "    user: '4711:4711'\n    volumes");
    fs_err::write(sandbox.path().join("as-user.yaml"), as_user).unwrap();
    let run = sandbox.run(&["verify", "as-user.yaml"]);
    assert_eq!(run.code, Some(16), "{}", run.stdout);
    mode(0o644);

    fs_err::write(folder.join("page.gguf"), "<html>").unwrap();
    let page = "[not-a-model]: `/models/gguf/page.gguf` is a web page and not a model";
    assert_eq!(verify(), (Some(0), format!("warning{page}")));

    fs_err::remove_file(folder.join("tiny-Q4_K_M.gguf")).unwrap();
    assert_eq!(verify(), (Some(11), format!("error{page}")));

    fs_err::remove_file(folder.join("page.gguf")).unwrap();
    let (code, heads) = verify();
    assert_eq!(code, Some(10));
    assert!(
        heads.starts_with("error[files-missing]: `/models/gguf` holds no GGUF file"),
        "{heads}"
    );

    fs_err::remove_dir(&folder).unwrap();
    let (code, heads) = verify();
    assert_eq!(code, Some(10));
    assert_eq!(heads, "error[files-missing]: the models folder `/models/gguf` is not there");
}

/// Puts what `flag` opens into a cache of the hub, and nothing else. Returns the port.
fn cached(sandbox: &Sandbox, flag: &str) -> u16 {
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere("ghcr.io/ggml-org/llama.cpp:server".to_owned()));
    service.command = Some(vec![Spanned::nowhere(flag.to_owned())]);
    let invocation = invocation(&service).unwrap();
    for opens in &invocation.opens {
        let Named::Repository { id, file, .. } = &opens.named else { panic!("{flag}: {opens:?}") };
        let commit = "0123456789012345678901234567890123456789";
        let folder = format!("cache/models--{}", id.replace('/', "--"));
        let repository = sandbox.path().join(folder);
        let snapshot = repository.join("snapshots").join(commit);
        fs_err::create_dir_all(&snapshot).unwrap();
        fs_err::create_dir_all(repository.join("refs")).unwrap();
        fs_err::write(repository.join("refs/main"), commit).unwrap();
        let file = file.as_deref().unwrap_or("any-Q4_0.gguf");
        fs_err::copy(sandbox.path().join(MODEL), snapshot.join(file)).unwrap();
    }
    invocation.port
}

#[test]
fn a_switch_that_stands_for_a_model_opens_what_preflight_says_and_listens_there() {
    let Some(server) = server() else { return };
    for flag in BUILT_IN {
        let sandbox = Sandbox::quickstart();
        let port = cached(&sandbox, flag);
        let arguments = ["--offline", flag, "-c", "256", "-np", "1", "--no-warmup"];
        // Where the port is taken it is named as well.
        let named = format!("127.0.0.1:{port}");
        let port = format!("port: {port}");
        let (came, text) = words_until(&server, &arguments, sandbox.path(), "listening on");
        let is_taken = text.contains(&port);
        assert!(is_taken || came && text.contains(&named), "{flag}\n{text}");
    }
}

//! The quickstart without its models, and a local hub that has them.

use fake_hub::{Builder, FakeHub, Origin};

use crate::sandbox::{Run, Sandbox, repository};
use crate::wire::{Server, say_nothing};

pub(crate) const GGUF: &str = "examples/quickstart/models/gguf/tiny-Q4_K_M.gguf";
pub(crate) const FOLDER: &str = "examples/quickstart/models/vllm/tiny/bf16";

/// The quickstart's own models, as two repositories.
pub(crate) fn builder() -> Builder {
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    let builder = FakeHub::builder().file("acme/tiny-GGUF", "Tiny.Q4-K-M.gguf", gguf);
    let add = |builder: Builder, (name, content): (String, Vec<u8>)| {
        builder.file("acme/tiny", &name, content)
    };
    folder().into_iter().fold(builder, add)
}

/// The files of the folder, sorted by name.
pub(crate) fn folder() -> Vec<(String, Vec<u8>)> {
    let entries = fs_err::read_dir(repository().join(FOLDER)).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs_err::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// [`builder`] with what goes wrong with it.
pub(crate) fn hub(faults: &[&str]) -> FakeHub {
    let add = |builder: Builder, fault: &&str| builder.fault(fault.parse().unwrap());
    faults.iter().fold(builder(), add).start().unwrap()
}

/// The quickstart without its models, each lane with a source at `hub`.
pub(crate) fn stack(hub: &FakeHub) -> Sandbox {
    let sandbox = Sandbox::quickstart().variable("HF_ENDPOINT", hub.url());
    let compose = sandbox.path().join("compose.yaml");
    let text = fs_err::read_to_string(&compose).unwrap();
    let text = text
        .replace(
            "    reader:\n",
            "    reader:\n      source: hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf\n",
        )
        .replace("    coder:\n", "    coder:\n      source: hf://acme/tiny\n");
    assert!(text.contains("hf://acme/tiny-GGUF") && text.contains("hf://acme/tiny\n"), "{text}");
    fs_err::write(&compose, text).unwrap();
    fs_err::remove_dir_all(sandbox.path().join("models")).unwrap();
    fs_err::create_dir(sandbox.path().join("models")).unwrap();
    sandbox
}

/// The quickstart, whose lane `coder` is asked at an engine that says nothing; and that engine.
pub(crate) fn silent_engine() -> (Sandbox, Server) {
    let server = Server::on_port(|_, line| say_nothing(line));
    let sandbox = Sandbox::quickstart();
    let url = format!("    coder:\n      smoke: {{url: \"{}\"}}\n", server.url);
    edit(&sandbox, "    coder:\n", &url);
    (sandbox, server)
}

/// Changes the Compose file.
pub(crate) fn edit(sandbox: &Sandbox, from: &str, to: &str) {
    let path = sandbox.path().join("compose.yaml");
    let text = fs_err::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs_err::write(path, text.replace(from, to)).unwrap();
}

/// Every file below the models folder, without notes, locks and stamps.
pub(crate) fn brought(sandbox: &Sandbox) -> Vec<String> {
    let models = sandbox.path().join("models");
    let files = walkdir::WalkDir::new(&models).sort_by_file_name().into_iter();
    files
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let below = entry.path().strip_prefix(&models).unwrap().display().to_string();
            let is_note = below.contains(".cache") || below.ends_with(".lock");
            (entry.file_type().is_file() && !is_note).then_some(below)
        })
        .collect()
}

/// Whether a file below the models folder is the same as one of the repository.
pub(crate) fn same(sandbox: &Sandbox, name: &str, original: &str) -> bool {
    let here = fs_err::read(sandbox.path().join("models").join(name)).unwrap();
    here == fs_err::read(repository().join(original)).unwrap()
}

/// The bodies of large files that were asked for.
pub(crate) fn bodies(hub: &FakeHub) -> usize {
    let requests = hub.requests();
    requests.iter().filter(|it| it.origin == Origin::Cdn && it.method == "GET").count()
}

/// The exit code, and words that have to be said somewhere.
pub(crate) fn check(run: &Run, code: i32, words: &[&str]) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

//! Every flag that the genuine llama-server lists is read with as many values as it takes there.

use std::process::Command;

use preflight::plan::engine::{Complaint, Named, invocation};
use preflight::project::Service;
use preflight::source_map::Spanned;

use crate::gguf_oracle::server;
use crate::llama_files::words_until;
use crate::sandbox::{Sandbox, repository};

/// The flags of `--help`: all spellings of each, and whether it takes a value.
pub(crate) fn listed(help: &str) -> Vec<(Vec<String>, bool)> {
    // Of some it lists the names alone, to say what stands in their place.
    let is_flag = |line: &&str| line.starts_with('-') && !line.contains("has been removed");
    let entries = help.lines().filter(is_flag).filter(|line| !line.starts_with("-----"));
    let entry = |line: &str| {
        // What it does stands in a column of its own, or on the next line.
        let head = line.get(..40).filter(|head| head.ends_with(' ')).unwrap_or(line);
        let (flags, rest): (Vec<&str>, Vec<&str>) = head
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .partition(|word| word.starts_with('-'));
        (flags.into_iter().map(str::to_owned).collect(), !rest.is_empty())
    };
    entries.map(entry).collect()
}

/// What is wrong with how preflight reads `flag` in front of a model.
fn misread(flag: &str, takes: bool) -> Option<String> {
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere("ghcr.io/ggml-org/llama.cpp:server-b11669".to_owned()));
    let value = if ON_OR_OFF.contains(&flag) { "on" } else { "-7" };
    let words: &[&str] =
        if takes { &[flag, value, "-m", "/m.gguf"] } else { &[flag, "-m", "/m.gguf"] };
    let words = words.iter().map(|word| Spanned::nowhere((*word).to_owned())).collect();
    service.command = Some(words);
    let invocation = invocation(&service)?;
    let model = invocation.model().map(|model| model.named.clone());
    let is_read = matches!(&model, Some(Named::Path(path)) if path.to_string() == "/m.gguf");
    // Whether it takes that value is another question.
    let mut complaints = invocation.complaints.iter();
    let is_of_value = |complaint: &Complaint| {
        let is_of_device = |why: &str| why.contains("built for the processor alone");
        matches!(complaint, Complaint::Refused(refusal) if is_of_device(&refusal.why))
            || matches!(complaint, Complaint::BadValue { .. })
    };
    let is_clean = complaints.all(|it| is_of_value(&it.value));
    (!is_read || !is_clean).then(|| format!("{flag}: {model:?} {:?}", invocation.complaints))
}

/// Flags that were switches in older builds.
const ON_OR_OFF: [&str; 5] = ["-fa", "--flash-attn", "--log-colors", "-rea", "--reasoning"];

/// Flags that are asked for another model, or that end the program.
const APART: [&str; 20] = [
    "-m",
    "--model",
    "-hf",
    "-hfr",
    "--hf-repo",
    "-dr",
    "--docker-repo",
    "--control-vector-layer-range",
    "--port",
    "-c",
    "--ctx-size",
    "-h",
    "--help",
    "--usage",
    "--version",
    "-cl",
    "--cache-list",
    "--completion-bash",
    "--license",
    "--list-devices",
];

#[test]
fn every_flag_of_llama_server_is_read_with_its_value() {
    let Some(server) = server() else { return };
    let output = Command::new(server).arg("--help").output().unwrap();
    let flags = listed(&String::from_utf8(output.stdout).unwrap());
    assert!(flags.len() > 200, "{} flags", flags.len());
    let wrong: Vec<String> = flags
        .iter()
        .flat_map(|(spellings, takes)| spellings.iter().map(move |flag| (flag, *takes)))
        .filter(|(flag, _)| !APART.contains(&flag.as_str()))
        .filter_map(|(flag, takes)| misread(flag, takes))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What preflight says of a flag that has another one in the place of its value: that the server
/// exits; absent: it says nothing of it.
fn swallows(flag: &str) -> Option<bool> {
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere("ghcr.io/ggml-org/llama.cpp:server".to_owned()));
    let words = ["-m", "/m.gguf", flag, "--metrics"];
    service.command = Some(words.map(|word| Spanned::nowhere(word.to_owned())).into());
    let complaints = invocation(&service)?.complaints;
    complaints.iter().find_map(|complaint| {
        let Complaint::SwallowedFlag { exits, .. } = complaint.value else { return None };
        Some(exits)
    })
}

#[test]
fn a_flag_that_has_another_in_the_place_of_its_value_ends_the_server_as_preflight_says() {
    let Some(server) = server() else { return };
    let output = Command::new(&server).arg("--help").output().unwrap();
    let flags = listed(&String::from_utf8(output.stdout).unwrap());
    let taking = flags.iter().filter(|(_, takes)| *takes).filter_map(|(spellings, _)| {
        let is_apart = |flag: &&String| {
            matches!(flag.as_str(), "--model" | "--port") || ON_OR_OFF.contains(&flag.as_str())
        };
        spellings.last().filter(|flag| !is_apart(flag))
    });
    let model = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    let mut wrong = Vec::new();
    let mut count = 0;
    for flag in taking {
        let folder = tempfile::tempdir().unwrap();
        let words = ["-m", model.to_str().unwrap(), "-c", "128", "-np", "1", "--no-warmup"];
        let more = ["--offline", "--port", "0", flag, "--metrics"];
        let words: Vec<&str> = words.into_iter().chain(more).collect();
        let (serves, said) = words_until(&server, &words, folder.path(), "listening on");
        count += 1;
        if swallows(flag) != Some(!serves) {
            wrong.push(format!("{flag}: serves {serves}: {}", said.lines().last().unwrap_or("")));
        }
    }
    assert!(count > 150, "{count} flags");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_address_of_a_repository_ends_the_server() {
    let Some(server) = server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let words = ["-hf", "https://hub.example/acme/tiny", "--port", "0"];
    let (serves, said) = words_until(&server, &words, folder.path(), "listening on");
    assert!(!serves && said.contains("invalid HF repo format"), "{said}");
}

/// The quickstart's model with `to` in the place of the first `from`, which is as long.
fn changed(from: &[u8], to: &[u8]) -> Vec<u8> {
    let model = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    let mut bytes = fs_err::read(model).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from).unwrap();
    bytes.splice(at..at + from.len(), to.iter().copied());
    bytes
}

#[test]
fn what_the_command_says_itself_is_not_judged_in_the_file() {
    let Some(server) = server() else { return };
    for (from, to, said) in [
        ("llama.context_length", "llama.context_lengtX", "llama.context_length=int:128"),
        ("llama.context_length", "llama.context_lengtX", "foo=int:128"),
        ("llama.block_count", "llama.block_counX", "llama.block_count=int:2"),
    ] {
        let sandbox = Sandbox::new().file("models/m.gguf", changed(from.as_bytes(), to.as_bytes()));
        let path = sandbox.path().join("models/m.gguf");
        let serves = |more: &[&str]| {
            let words = ["-m", path.to_str().unwrap(), "-c", "64", "-np", "1", "--port", "0"];
            let words = [&words[..], &["--no-warmup", "--offline"], more].concat();
            words_until(&server, &words, sandbox.path(), "listening on").0
        };
        let compose = |more: &[&str]| {
            let words = [&["-m", "/models/m.gguf", "-c", "64"], more].concat();
            let service = serde_json::json!({
                "image": "ghcr.io/ggml-org/llama.cpp:server-b11669",
                "volumes": ["./models:/models"],
                "command": words,
            });
            let text = serde_json::json!({"services": {"llm": service}}).to_string();
            fs_err::write(sandbox.path().join("compose.yaml"), text).unwrap();
            sandbox.run(&[]).code
        };
        let more = ["--override-kv", said];
        for more in [&[][..], &more[..]] {
            let expected = if serves(more) { Some(0) } else { Some(11) };
            assert_eq!(compose(more), expected, "{from}: {more:?}");
        }
    }
}

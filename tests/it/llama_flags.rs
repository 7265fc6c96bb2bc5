//! Every flag that the genuine llama-server lists is read with as many values as it takes there.

use std::process::Command;

use preflight::plan::engine::{Named, invocation};
use preflight::project::Service;
use preflight::source_map::Spanned;

use crate::gguf_oracle::server;

/// The flags of `--help`: all spellings of each, and whether it takes a value.
fn listed(help: &str) -> Vec<(Vec<String>, bool)> {
    let entries = help.lines().filter(|line| line.starts_with('-') && !line.starts_with("-----"));
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
    service.image = Some(Spanned::nowhere("ghcr.io/ggml-org/llama.cpp:server".to_owned()));
    let words: &[&str] =
        if takes { &[flag, "-7", "-m", "/m.gguf"] } else { &[flag, "-m", "/m.gguf"] };
    let words = words.iter().map(|word| Spanned::nowhere((*word).to_owned())).collect();
    service.command = Some(words);
    let invocation = invocation(&service)?;
    let model = invocation.model().map(|model| model.named.clone());
    let is_read = matches!(&model, Some(Named::Path(path)) if path.to_string() == "/m.gguf");
    let is_clean = invocation.complaints.is_empty();
    (!is_read || !is_clean).then(|| format!("{flag}: {model:?} {:?}", invocation.complaints))
}

/// Flags that are asked for another model, or that end the program.
const APART: [&str; 14] = [
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

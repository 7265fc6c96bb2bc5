//! Which hub is asked, and with which token, by the environment: beside what the hub's own library
//! sends in the same one.

use std::path::Path;
use std::process::Command;

use fake_hub::FakeHub;

use crate::hf_interop;
use crate::hub_stack::{edit, hub, stack};
use crate::sandbox::Sandbox;

/// Files with tokens in the home, which is the sandbox.
const FILES: [(&str, &str); 5] = [
    (".cache/huggingface/token", "hf_of_home\n"),
    ("h/token", "hf_of_hf_home\n"),
    ("x/huggingface/token", "hf_of_xdg\n"),
    ("named", "hf_of_path\n"),
    ("blank", " \n"),
];

const ENVIRONMENTS: &[&[(&str, &str)]] = &[
    &[],
    &[("HF_TOKEN", "hf_one")],
    &[("HF_TOKEN", " hf_one\n")],
    &[("HUGGING_FACE_HUB_TOKEN", "hf_two")],
    &[("HF_TOKEN", "hf_one"), ("HUGGING_FACE_HUB_TOKEN", "hf_two")],
    &[("HF_TOKEN", ""), ("HUGGING_FACE_HUB_TOKEN", "hf_two")],
    &[("HF_TOKEN", " "), ("HUGGING_FACE_HUB_TOKEN", "hf_two")],
    &[("HF_TOKEN", "")],
    &[("HF_TOKEN", " ")],
    &[("HF_TOKEN", "hf_one"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")],
    &[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "0")],
    &[("HF_TOKEN_PATH", "~/named")],
    &[("HF_TOKEN_PATH", "$HOME/named"), ("HF_HOME", "~/h")],
    &[("HF_TOKEN_PATH", "named")],
    &[("HF_TOKEN_PATH", "~/gone")],
    &[("HF_TOKEN_PATH", "~/blank")],
    &[("HF_HOME", "~/h")],
    &[("HF_HOME", "h")],
    &[("HF_HOME", "${HOME}/h"), ("XDG_CACHE_HOME", "~/x")],
    &[("HF_HOME", "~/gone")],
    &[("HF_HOME", "")],
    &[("XDG_CACHE_HOME", "~/x")],
    &[("XDG_CACHE_HOME", "")],
];

/// The header that the hub's own library sends.
fn sent_by_hf(python: &Path, home: &Path, variables: &[(&str, &str)]) -> Option<String> {
    let script = "from huggingface_hub.utils import build_hf_headers\n\
                  print(build_hf_headers().get('authorization', ''))";
    let mut command = Command::new(python);
    command.args(["-c", script]).current_dir(home).env_clear().env("HOME", home);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let header = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    Some(header).filter(|header| !header.is_empty())
}

/// The header of the first request of a fetch, which has to be the same in all of them.
fn sent(hub: &FakeHub, sandbox: &Sandbox, variables: &[(&str, &str)]) -> Option<String> {
    let before = hub.requests().len();
    let mut command = sandbox.command(&["fetch", "--dry-run", "--lane", "reader"]);
    command.env_remove("HF_TOKEN").envs(variables.iter().copied());
    let output = command.output().unwrap();
    let mut sent: Vec<_> = hub.requests().split_off(before);
    sent.dedup_by(|one, other| one.authorization == other.authorization);
    assert_eq!(sent.len(), 1, "{}", String::from_utf8_lossy(&output.stderr));
    sent.remove(0).authorization
}

#[test]
fn the_token_is_the_one_that_the_hubs_own_library_sends() {
    let Some(python) = hf_interop::python() else { return };
    let hub = hub(&[]);
    let sandbox = FILES.iter().fold(stack(&hub), |it, (name, token)| it.file(name, token));
    for variables in ENVIRONMENTS {
        let theirs = sent_by_hf(&python, sandbox.path(), variables);
        assert_eq!(sent(&hub, &sandbox, variables), theirs, "{variables:?}");
    }
}

fn told(sandbox: &Sandbox, arguments: &[&str]) -> Option<String> {
    let run = sandbox.run(arguments);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let mut blocks = run.stdout.split("\n\n");
    blocks.find(|block| block.contains("[other-hub-asked]")).map(str::to_owned)
}

#[test]
fn a_hub_that_only_the_project_names_is_told_where_another_is_asked() {
    let hub = hub(&[]);
    let command = "    command: -m /models/gguf/tiny-Q4_K_M.gguf";
    let with = |environment: &str| {
        let sandbox = stack(&hub);
        edit(&sandbox, command, &format!("    environment: [{environment}]\n{command}"));
        sandbox
    };
    let fetch = ["fetch", "--lane", "reader"];
    let asked = format!(
        "names the hub `https://mirror.example/hf`, and preflight has asked `{}`",
        hub.url()
    );

    let said = told(&with("'HF_ENDPOINT=https://mirror.example/hf/'"), &fetch).unwrap();
    assert!(said.contains(&asked) && said.contains("`HF_ENDPOINT` of service"), "{said}");
    assert!(said.contains("HF_ENDPOINT=https://mirror.example/hf/"), "{said}");
    let said = told(&with("'MODEL_ENDPOINT=https://mirror.example/hf'"), &fetch).unwrap();
    assert!(said.contains("`MODEL_ENDPOINT` of service"), "{said}");
    let env_file = stack(&hub).file(".env", "HF_ENDPOINT=https://mirror.example/hf\n");
    let said = told(&env_file, &fetch);
    assert_eq!(said, None, "the process's own variable is stronger than the file");

    let same = format!("'HF_ENDPOINT={}/'", hub.url());
    assert_eq!(told(&with(&same), &fetch), None);
    assert_eq!(told(&with("HF_ENDPOINT="), &fetch), None);
    let sandbox = with("'HF_ENDPOINT=https://mirror.example/hf'");
    told(&sandbox, &fetch).unwrap();
    assert_eq!(told(&sandbox, &fetch), None, "nothing is missing, so that nobody was asked");
}

#[test]
fn a_hub_that_only_an_env_file_names_is_not_asked_and_told() {
    let hub = hub(&[]);
    let sandbox = stack(&hub).file(".env", format!("HF_ENDPOINT={}\n", hub.url()));
    // A proxy that refuses stands for the way to the default hub.
    let mut command = sandbox.command(&["fetch", "--lane", "reader", "--timeout", "1s"]);
    command.env_remove("HF_ENDPOINT").env("HTTPS_PROXY", "http://127.0.0.1:9");
    let run = sandbox.told(&command.output().unwrap());
    assert_eq!(run.code, Some(13), "{}{}", run.stdout, run.stderr);
    assert!(hub.requests().is_empty());
    let said = format!(
        "`HF_ENDPOINT` in the project's env file names the hub `{}`, and preflight has asked \
         `https://huggingface.co`",
        hub.url()
    );
    assert!(run.stdout.contains(&said), "{}", run.stdout);
    assert!(run.stdout.contains("--> .env:1:"), "{}", run.stdout);
}

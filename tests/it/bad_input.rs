//! Bad input is answered by an error that names the thing, the place and the fix.

use std::os::unix::ffi::OsStrExt as _;

use crate::sandbox::Sandbox;

const SERVICE: &str = "services:\n  engine:\n    image: x\n";

fn check(sandbox: &Sandbox, arguments: &[&str], code: i32, words: &[&str]) {
    let run = sandbox.run(arguments);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

fn compose(text: &str) -> Sandbox {
    Sandbox::new().file("compose.yaml", text)
}

#[test]
fn yaml_that_cannot_be_read_is_placed() {
    check(&compose("services:\n  a: [1,\n"), &[], 2, &["compose.yaml:2:"]);
    check(&compose("services:\n\ta: 1\n"), &[], 2, &["compose.yaml:2:"]);
    check(&compose("a: \"\\xff"), &[], 2, &["compose.yaml:1:"]);
}

#[test]
fn a_variable_that_is_demanded_and_not_set_is_placed_with_its_message() {
    let text = "services:\n  engine:\n    image: ${TAG:?set TAG in .env}\n";
    check(&compose(text), &[], 2, &["compose.yaml:3:", "TAG", "set TAG in .env"]);
}

#[test]
fn a_volume_that_is_not_declared_is_placed() {
    let text = format!("{SERVICE}    volumes: [\"models:/models\"]\n");
    check(&compose(&text), &[], 2, &["compose.yaml:4:", "undefined volume models"]);
}

#[test]
fn a_lane_that_does_not_exist_is_answered_with_those_that_do() {
    let sandbox = Sandbox::quickstart();
    check(&sandbox, &["--lane", "redaer"], 2, &["no lane `redaer`", "reader", "coder"]);
}

#[test]
fn a_variable_that_is_set_to_nothing_is_as_if_it_were_not_set() {
    let names = ["PREFLIGHT_LANE", "PREFLIGHT_FORMAT", "PREFLIGHT_MAX_WORKERS", "PREFLIGHT_FILE"];
    let switches = ["PREFLIGHT_OFFLINE", "PREFLIGHT_NO_FETCH", "PREFLIGHT_ALLOW_UNKNOWN"];
    let sandbox = names
        .into_iter()
        .chain(switches)
        .fold(Sandbox::quickstart(), |sandbox, name| sandbox.variable(name, ""));
    check(&sandbox, &[], 0, &["ready: 2 of 2 lanes"]);
    let sandbox = Sandbox::quickstart().variable("PREFLIGHT_OFFLINE", "1");
    check(&sandbox, &[], 0, &["ready: 2 of 2 lanes"]);
    let sandbox = Sandbox::quickstart().variable("PREFLIGHT_OFFLINE", "perhaps");
    check(&sandbox, &[], 2, &["--offline", "expected `true` or `false`"]);
}

#[test]
fn an_error_about_a_value_that_a_variable_has_names_the_variable() {
    for (name, value, expected) in [
        (
            "PREFLIGHT_OFFLINE",
            "perhaps",
            "error: invalid value 'perhaps' for '--offline', which the variable PREFLIGHT_OFFLINE sets: \
             expected `true` or `false`\n",
        ),
        (
            "PREFLIGHT_MAX_WORKERS",
            "0",
            "error: invalid value '0' for '--max-workers <N>', which the variable PREFLIGHT_MAX_WORKERS \
             sets: 0 is not in 1..=64\n",
        ),
        (
            "PREFLIGHT_FORMAT",
            "junti",
            "error: invalid value 'junti' for '--format <FORMAT>', which the variable PREFLIGHT_FORMAT \
             sets\n",
        ),
        (
            "PREFLIGHT_LANE",
            "redaer",
            "  caused by: `PREFLIGHT_LANE` is set to `redaer` in the environment\n",
        ),
        (
            "PREFLIGHT_ALLOW",
            "xx",
            "  caused by: `PREFLIGHT_ALLOW` is set to `xx` in the environment\n",
        ),
        (
            "PREFLIGHT_FILE",
            "no.yaml",
            "  caused by: `PREFLIGHT_FILE` is set to `no.yaml` in the environment\n",
        ),
        (
            "PREFLIGHT_OUTPUT",
            "a=b",
            "  caused by: `PREFLIGHT_OUTPUT` is set to `a=b` in the environment\n",
        ),
    ] {
        let run = Sandbox::quickstart().variable(name, value).run(&[]);
        assert_eq!(run.code, Some(2), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{name}: {}", run.stderr);
    }
    // What is typed is stronger, and then the variable has nothing to do with it.
    let sandbox = Sandbox::quickstart().variable("PREFLIGHT_MAX_WORKERS", "0");
    let typed = sandbox.run(&["--max-workers", "0"]);
    assert!(!typed.stderr.contains("PREFLIGHT_MAX_WORKERS"), "{}", typed.stderr);
    let sandbox = Sandbox::quickstart().variable("PREFLIGHT_LANE", "reader");
    let typed = sandbox.run(&["--lane", "redaer"]);
    assert!(!typed.stderr.contains("PREFLIGHT_LANE"), "{}", typed.stderr);
}

#[test]
fn a_folder_with_neither_a_project_nor_a_model_is_told_with_what_was_looked_for() {
    let sandbox = Sandbox::new().file("empty/notes.txt", "");
    let expected = "preflight: error: `empty/` has neither a Compose project nor a model\n  \
                    hint: looked for in it: `compose.yaml`, `compose.yml`, `docker-compose.yml`, \
                    `docker-compose.yaml`; below it: `config.json`, `modules.json`, files of weights \
                    (GGUF, safetensors, PyTorch)\n";
    let run = sandbox.run(&["empty/"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(2), "", expected));
}

#[test]
fn one_file_of_a_model_s_folder_is_judged_as_the_folder() {
    let sandbox = Sandbox::quickstart();
    for name in ["config.json", "tokenizer.json", "model.safetensors.index.json"] {
        let path = format!("models/vllm/tiny/bf16/{name}");
        check(&sandbox, &[&path], 0, &["bf16", "LlamaForCausalLM", "ready: 1 of 1 lane"]);
    }
}

#[test]
fn a_folder_whose_name_is_not_utf_8_is_judged_as_a_model_and_refused_as_a_project() {
    let name = std::ffi::OsStr::from_bytes(b"st\xffack");
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join(name);
    fs_err::rename(Sandbox::quickstart().path().join("models/vllm/tiny/bf16"), &folder).unwrap();
    let mut command = sandbox.command(&[]);
    let run = sandbox.told(&command.arg(name).output().unwrap());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("ready: 1 of 1 lane"), "{}", run.stderr);

    fs_err::write(folder.join("compose.yaml"), SERVICE).unwrap();
    let mut command = sandbox.command(&[]);
    let run = sandbox.told(&command.arg(name).output().unwrap());
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    let expected = "has a name that is not UTF-8: paths below it can neither be written in a Compose file \
                    nor be asked of Docker\n  hint: rename it, or start from a link to it\n";
    assert!(run.stderr.ends_with(expected), "{}", run.stderr);

    // Through a link it is a project like any other.
    std::os::unix::fs::symlink(&folder, sandbox.path().join("stack")).unwrap();
    check(&sandbox, &["stack"], 3, &["no-lane"]);
}

#[test]
fn a_relative_models_root_starts_where_it_is_typed() {
    let sandbox = Sandbox::new().file("p/compose.yaml", SERVICE);
    let arguments = ["plan", "p", "--minimal", "--models-dir", "here"];
    check(&sandbox, &arguments, 0, &["[DIR]/here/minimal/gguf/"]);
}

#[test]
fn a_project_without_a_lane_is_not_judged() {
    check(&compose(SERVICE), &[], 3, &["no-lane"]);
}

#[test]
fn a_folder_without_a_project_and_a_path_that_is_not_there_are_said() {
    check(&Sandbox::new(), &[], 2, &["no Compose file"]);
    check(&Sandbox::new(), &["nowhere.yaml"], 2, &["nowhere.yaml"]);
    let sandbox = compose(SERVICE);
    check(&sandbox, &["-f", "a.yaml", "compose.yaml"], 2, &["cannot be used together"]);
}

#[test]
fn a_source_that_leaves_its_repository_is_refused_at_its_line() {
    let text = format!(
        "{SERVICE}x-preflight:\n  lanes:\n    a:\n      service: engine\n      source: hf://a/b/../c\n"
    );
    check(&compose(&text), &[], 2, &["compose.yaml:", "must stay inside the repository"]);
}

#[test]
fn an_unknown_key_of_x_preflight_is_refused() {
    let text = format!("{SERVICE}x-preflight:\n  lane: {{}}\n");
    check(&compose(&text), &[], 2, &["compose.yaml:", "lane"]);
}

#[test]
fn without_a_docker_socket_the_files_are_judged_all_the_same() {
    let sandbox = Sandbox::quickstart()
        .variable("PREFLIGHT_NO_DOCKER", "false")
        .variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
    check(&sandbox, &[], 0, &["2 of 2 lanes", "/nowhere/docker.sock"]);
}

#[test]
fn a_token_is_never_shown() {
    let token = "hf_abcdefghijklmnopqrstuvwxyz012345";
    let sandbox = Sandbox::quickstart().variable("HF_TOKEN", token).file(
        "compose.yaml",
        format!("{SERVICE}    command: [--model, /models/x, --hf-token, {token}]\n    environment: {{HF_TOKEN: {token}}}\n"),
    );
    for arguments in [&["-vv"][..], &["plan"], &["config"], &["--format", "json"]] {
        let run = sandbox.run(arguments);
        assert!(!run.stdout.contains(token) && !run.stderr.contains(token), "{arguments:?}");
    }
}

//! Volumes that Docker cannot mount, or has with other options than the file: what becomes of the stack,
//! and what preflight says before, by hand and as init container.

use crate::docker_stack::{MODEL, MODEL_PATH, Stack, docker, outcome};

const BIND: &str = "${MODELS_PATH:-./models}:/models:ro";

/// The stack of one lane, whose engine has the volume `weights` with these lines.
fn stack(name: &str, volume: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| {
        text.replace(BIND, "weights:/models:ro")
            + &format!("\nvolumes:\n  weights:\n    {volume}\n")
    });
    Some(stack)
}

/// What is said by hand, with that code.
fn by_hand(stack: &Stack, code: i32, said: &[&str]) {
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
    for words in said {
        assert!(run.stdout.contains(words), "`{words}` is not in:\n{}", run.stdout);
    }
}

/// Docker does not start the engine without preflight, and says so with these words.
fn docker_says(stack: &Stack, words: &str) {
    let up = stack.compose(&["up", "-d", "--no-deps", "llama"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(up.stderr.contains(words), "`{words}` is not in:\n{}", up.stderr);
    stack.compose(&["down", "--volumes"]);
}

#[test]
fn a_relative_device_is_mounted_by_nobody() {
    let options = "driver_opts: {type: none, o: bind, device: ./models}";
    let Some(stack) = stack("volume-relative", options) else { return };
    let said = ["error[volume-not-mountable]", "write `device: ${PWD}/models`"];
    by_hand(&stack, 16, &said);
    let report = stack.refuses(16, "volume-not-mountable");
    assert!(report.contains("`docker volume rm "), "{report}");
    by_hand(&stack, 16, &said);
    docker_says(&stack, "failed to mount local volume");
    // What the fix says works.
    stack
        .edit("compose.yaml", |text| text.replace("device: ./models", "device: \"${PWD}/models\""));
    by_hand(&stack, 0, &[]);
    stack.up();
    stack.assert_llama_is_healthy();
    stack.compose(&["down", "--volumes"]);
}

#[test]
fn a_share_that_cannot_be_mounted_is_told_in_docker_s_words_and_without_its_password() {
    let options = "driver_opts: {type: cifs, device: //127.0.0.1/models, \
                   o: \"addr=127.0.0.1,username=me,password=sekrit-of-the-nas,vers=3.0\"}";
    let Some(stack) = stack("volume-cifs", options) else { return };
    by_hand(&stack, 3, &["run `docker compose create` first"]);
    let report = stack.refuses(16, "volume-not-mountable");
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, 16, "{}{}", run.stdout, run.stderr);
    for text in [&report, &run.stdout] {
        assert!(text.contains("failed to mount local volume"), "{text}");
        assert!(!text.contains("mount the same models folder"), "{text}");
        assert!(!text.contains("sekrit-of-the-nas"), "{text}");
    }
    docker_says(&stack, "failed to mount local volume");
}

#[test]
fn an_external_volume_that_does_not_exist_starts_nothing() {
    let name = format!("preflight-external-{}", std::process::id());
    let volume = format!("name: {name}\n    external: true");
    let Some(stack) = stack("volume-external", &volume) else { return };
    by_hand(&stack, 16, &[&format!("`docker volume create {name}`")]);
    docker_says(&stack, "not found");
    let made = outcome(&mut docker(["volume", "create", &name]));
    assert_eq!(made.code, 0, "{}", made.stderr);

    // There is nothing in it yet: that is told by the volume, with what puts the file there.
    stack.compose(&["create", "llama"]);
    let said = ["error[files-missing]", &format!("it has to be in the volume `{name}`")];
    by_hand(&stack, 10, &said);
    let container = stack.container("llama");
    let target = format!("{container}:/models");
    let files = format!("{}/.", stack.path("models").display());
    stack.compose(&["down"]);
    outcome(&mut docker([
        "create",
        "--name",
        &name,
        "-v",
        &format!("{name}:/models"),
        "fake-hub:test",
    ]));
    let copied = outcome(&mut docker(["cp", &files, &target.replace(&container, &name)]));
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    outcome(&mut docker(["rm", &name]));
    stack.up();
    stack.assert_llama_is_healthy();
    by_hand(&stack, 0, &[]);
    stack.compose(&["down"]);
    outcome(&mut docker(["volume", "rm", &name]));
}

#[test]
fn a_volume_keeps_the_options_that_it_was_made_with() {
    let options = "driver_opts: {type: none, o: bind, device: \"${PWD}/old\"}";
    let Some(stack) = stack("volume-changed", options) else { return };
    fs_err::create_dir(stack.path("old")).unwrap();
    stack.compose(&["create", "llama"]);
    stack.compose(&["rm", "--force", "llama"]);
    stack.edit("compose.yaml", |text| text.replace("}/old", "}/models"));
    // The file's folder has the model, the volume's has not.
    by_hand(&stack, 10, &["warning[volume-differs-from-file]", "`docker compose up -y`"]);
    stack.refuses(10, "files-missing");
    by_hand(&stack, 10, &["warning[volume-differs-from-file]"]);
    // What the fix says works.
    let up = stack.compose(&["up", "-d", "-y", "--wait"]);
    assert_eq!(up.code, 0, "{}\n{}", up.stderr, stack.logs("preflight"));
    stack.assert_llama_is_healthy();
    by_hand(&stack, 0, &[]);
    stack.compose(&["down", "--volumes"]);
}

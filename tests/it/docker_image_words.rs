//! What an image says of itself, by hand: beside a container, without one, and when it is gone.

use crate::docker_stack::{MODEL, MODEL_PATH, Stack, docker, outcome};

/// An image that goes when the test is over.
struct Image(String);

impl Image {
    /// Another image of `base`, changed as a Dockerfile says it.
    fn of(base: &str, name: &str, changes: &[&str]) -> Self {
        let keeper = format!("preflight-image-words-{}-{}", std::process::id(), name.len());
        run(&["create", "--name", &keeper, base, "x"]);
        let changes = changes.iter().flat_map(|change| ["--change", change]);
        let arguments: Vec<&str> =
            ["commit"].into_iter().chain(changes).chain([keeper.as_str(), name]).collect();
        run(&arguments);
        run(&["rm", &keeper]);
        Self(name.to_owned())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        outcome(&mut docker(["rmi", "-f", &self.0]));
    }
}

fn run(arguments: &[&str]) {
    let outcome = outcome(&mut docker(arguments));
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.stderr);
}

/// A stack of one service, with the model below `models`.
fn stack(name: &str, service: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    stack.write("compose.yaml", &format!("services:\n  engine:\n{service}"));
    Some(stack)
}

#[test]
fn a_container_changes_nothing_that_is_known_by_hand() {
    let name = format!("localhost/words-{}/own:1", std::process::id());
    let service = format!(
        "    image: {name}\n    pull_policy: never\n    volumes: ['./models:/models']\n    \
         ports: ['127.0.0.1:29931:9931']\n"
    );
    let Some(stack) = stack("image-words", &service) else { return };
    let changes = [
        r#"ENTRYPOINT ["/usr/bin/llama-server"]"#,
        r#"CMD ["-m", "/models/gguf/tiny-Q4_K_M.gguf"]"#,
        "ENV LLAMA_ARG_PORT=9931",
        "ENV LLAMA_ARG_CTX_SIZE=256",
    ];
    let image = Image::of("llama.cpp:local", &name, &changes);
    let judged = || {
        let outcome = stack.by_hand(&["--format", "json"]);
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        (report["lanes"].clone(), stack.by_hand(&["plan"]).stdout)
    };
    let before = judged();
    assert!(before.1.contains("context") && before.1.contains("256"), "{}", before.1);
    let created = stack.compose(&["create"]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    assert_eq!(judged(), before);
    let smoke = stack.by_hand(&["smoke"]);
    assert!(!smoke.stdout.contains("endpoint-unknown"), "{}", smoke.stdout);
    // Its name is taken by a newer one, or it was cleaned away: the container is as it was.
    drop(image);
    assert_eq!(judged(), before);
}

#[test]
fn an_entrypoint_that_is_cleared_leaves_the_command_alone() {
    let name = format!("localhost/words-{}/cleared:1", std::process::id());
    let service = format!(
        "    image: {name}\n    pull_policy: never\n    volumes: ['./models:/models']\n    \
         entrypoint: []\n    command: /usr/bin/llama-server -m /models/gguf/tiny-Q4_K_M.gguf\n"
    );
    let Some(stack) = stack("image-cleared", &service) else { return };
    let _image = Image::of("llama.cpp:local", &name, &[r#"ENTRYPOINT ["/usr/bin/llama-server"]"#]);
    assert_eq!(stack.by_hand(&[]).code, 0, "{}", stack.by_hand(&[]).stdout);
    stack.compose(&["create"]);
    assert_eq!(stack.inspect("engine", "json .Config.Entrypoint"), "[]");
    assert_eq!(stack.by_hand(&[]).code, 0, "{}", stack.by_hand(&[]).stdout);
}

#[test]
fn what_is_only_built_is_read_once_it_has_been() {
    let service = "    build: .\n    volumes: ['./models:/models']\n";
    let Some(stack) = stack("image-built", service) else { return };
    stack.write("Dockerfile", "FROM llama.cpp:local\nCMD [\"-m\", \"/models/gguf/none.gguf\"]\n");
    let built = stack.compose(&["build"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    let outcome = stack.by_hand(&[]);
    assert_eq!(outcome.code, 10, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("/models/gguf/none.gguf"), "{}", outcome.stdout);
    stack.compose(&["down", "--rmi", "local"]);
}

#[test]
fn the_label_of_an_image_says_which_release_a_rolling_tag_is() {
    let owner = format!("localhost/words-{}/huggingface", std::process::id());
    let name = format!("{owner}/text-embeddings-inference:cpu-latest");
    let service = format!(
        "    image: {name}\n    pull_policy: never\n    volumes: ['./models:/models']\n    \
         command: --model-id /models/none --bogus-flag\n"
    );
    let Some(stack) = stack("image-label", &service) else { return };
    let entrypoint = r#"ENTRYPOINT ["text-embeddings-router"]"#;
    let said = |changes: &[&str]| {
        let changes: Vec<&str> = [entrypoint].iter().chain(changes).copied().collect();
        let _image = Image::of("llama.cpp:local", &name, &changes);
        stack.by_hand(&[]).stdout
    };
    let rolling = said(&[]);
    assert!(rolling.contains("warning[flag-unknown-to-engine]"), "{rolling}");
    let source = "LABEL org.opencontainers.image.source=https://github.com/huggingface/text-embeddings-inference";
    let labelled = said(&[source, "LABEL org.opencontainers.image.version=cpu-1.8"]);
    assert!(labelled.contains("error[flag-unknown-to-engine]"), "{labelled}");
    assert!(labelled.contains("release: 1.8, as a label of the image says"), "{labelled}");
    let of_another = said(&["LABEL org.opencontainers.image.version=22.04"]);
    assert!(of_another.contains("warning[flag-unknown-to-engine]"), "{of_another}");
}

//! A tmpfs, or a volume of the image, over the models: the engine finds nothing, and preflight says so
//! before, by hand and as init container.

use crate::docker_stack::{MODEL, MODEL_PATH, Stack, docker, outcome};

fn stack(name: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    Some(stack)
}

/// Both roles say `said`, and the genuine engine ends because its model is not there.
fn is_foreseen(stack: &Stack, said: &str) {
    for round in ["before the first start", "when there is a container"] {
        let run = stack.by_hand(&[]);
        assert_eq!(run.code, 16, "{round}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("error[mount-hides-files]"), "{round}: {}", run.stdout);
        assert!(run.stdout.contains(said), "{round}: `{said}` is not in:\n{}", run.stdout);
        let report = stack.refuses(16, "mount-hides-files");
        assert!(report.contains(said), "{round}: `{said}` is not in:\n{report}");
    }
    stack.compose(&["down", "--volumes"]);
    stack.compose(&["up", "--no-deps", "llama"]);
    let log = stack.logs("llama");
    assert!(log.contains("failed to load model"), "{log}");
    stack.compose(&["down", "--volumes"]);
}

#[test]
fn a_tmpfs_hides_the_files_of_a_bind() {
    let Some(stack) = stack("tmpfs") else { return };
    let tmpfs = "    tmpfs: [/models/gguf]\n    ports:\n";
    stack.edit("compose.yaml", |text| text.replace("    ports:\n", tmpfs));
    is_foreseen(&stack, "hides");
    let long = "      - {type: tmpfs, target: /models}\n";
    stack.edit("compose.yaml", |text| text.replace("    tmpfs: [/models/gguf]\n", ""));
    stack.edit("compose.yaml", |text| {
        let bind = "      - ${MODELS_PATH:-./models}:/models:ro\n";
        text.replace(bind, &format!("      - ./models/gguf:/other:ro\n{long}"))
    });
    is_foreseen(&stack, "`/models` is a tmpfs in `llama`");

    // A deeper mount reaches what lies below a tmpfs.
    stack.edit("compose.yaml", |text| text.replace(":/other:ro", ":/models/gguf:ro"));
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    stack.up();
    stack.assert_llama_is_healthy();
}

#[test]
fn a_volume_of_the_image_hides_the_files_of_a_bind() {
    let Some(stack) = stack("image-volume") else { return };
    let image = format!("preflight-image-volume-{}:test", std::process::id());
    let built = stack.path("Dockerfile");
    fs_err::write(&built, "FROM llama.cpp:local\nVOLUME /models/gguf\n").unwrap();
    let build =
        outcome(docker(["build", "-q", "-t", &image, "-f"]).arg(&built).arg(stack.path("hub")));
    assert_eq!(build.code, 0, "{}", build.stderr);
    stack.edit("compose.yaml", |text| text.replace("llama.cpp:local", &image));
    is_foreseen(&stack, "(`VOLUME`)");

    // A bind at the very path takes the volume's place.
    stack.edit("compose.yaml", |text| {
        text.replace(
            "./models}:/models:ro\n",
            "./models}:/models:ro\n      - ./models/gguf:/models/gguf:ro\n",
        )
    });
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    stack.up();
    stack.assert_llama_is_healthy();
    stack.compose(&["down", "--volumes"]);
    outcome(&mut docker(["rmi", &image]));
}

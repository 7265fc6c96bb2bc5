//! The image: small, without root, and of use with nothing granted.

use crate::docker_stack::{MODEL, docker, docker_tests_run, outcome};

const IMAGE: &str = "preflight:test";

fn image(field: &str) -> String {
    let format = format!("{{{{{field}}}}}");
    let inspect = outcome(&mut docker(["image", "inspect", "--format", &format, IMAGE]));
    assert_eq!(inspect.code, 0, "{}", inspect.stderr);
    inspect.stdout.trim().to_owned()
}

#[test]
fn the_image_is_smaller_than_15_mb_and_does_not_run_as_root() {
    if !docker_tests_run() {
        return;
    }
    let bytes: u64 = image(".Size").parse().unwrap();
    assert!(bytes < 15_000_000, "the image has {bytes} bytes");
    assert_eq!(image(".Config.User"), "65532:65532");
}

#[test]
fn a_model_is_verified_with_every_right_taken_away() {
    if !docker_tests_run() {
        return;
    }
    let mount = format!("{MODEL}:/models/tiny-Q4_K_M.gguf:ro");
    let run = outcome(&mut docker([
        "run",
        "--rm",
        "--read-only",
        "--network=none",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--volume",
        &mount,
        IMAGE,
        "verify",
        "/models/tiny-Q4_K_M.gguf",
    ]));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("tiny-Q4_K_M.gguf"), "{}", run.stdout);
}

//! The image: small, without root, and of use with nothing granted.

use crate::docker_stack::{MODEL, docker, docker_tests_run, outcome};
use crate::fetch_tls::skipped;

const IMAGE: &str = "preflight:test";

fn inspect(image: &str, field: &str) -> String {
    let format = format!("{{{{{field}}}}}");
    let inspect = outcome(&mut docker(["image", "inspect", "--format", &format, image]));
    assert_eq!(inspect.code, 0, "{}", inspect.stderr);
    inspect.stdout.trim().to_owned()
}

#[test]
fn the_image_does_not_run_as_root() {
    if docker_tests_run() {
        assert_eq!(inspect(IMAGE, ".Config.User"), "65532:65532");
    }
}

/// The image that users build; the one that tests run is built to be built quickly.
#[test]
fn the_image_as_it_is_shipped_is_smaller_than_15_mb_and_runs() {
    let Some(shipped) = std::env::var_os("PREFLIGHT_TEST_SHIPPED_IMAGE") else {
        return skipped("the image as it is shipped was not built");
    };
    let shipped = shipped.to_string_lossy();
    let bytes: u64 = inspect(&shipped, ".Size").parse().unwrap();
    assert!(bytes < 15_000_000, "the image has {bytes} bytes");
    assert_eq!(inspect(&shipped, ".Config.User"), "65532:65532");
    verifies_without_any_right(&shipped);
}

#[test]
fn the_binary_and_the_labels_of_the_image_say_the_same_version() {
    if !docker_tests_run() {
        return;
    }
    let label = |name: &str| {
        inspect(IMAGE, &format!("index .Config.Labels \"org.opencontainers.image.{name}\""))
    };
    let said = outcome(&mut docker(["run", "--rm", IMAGE, "--version"])).stdout;
    let expected = format!("preflight {} ({}, ", label("version"), label("revision"));
    assert!(said.starts_with(&expected), "{said}{expected}");
}

#[test]
fn a_model_is_verified_with_every_right_taken_away() {
    if docker_tests_run() {
        verifies_without_any_right(IMAGE);
    }
}

fn verifies_without_any_right(image: &str) {
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
        image,
        "verify",
        "/models/tiny-Q4_K_M.gguf",
    ]));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("tiny-Q4_K_M.gguf"), "{}", run.stderr);
}

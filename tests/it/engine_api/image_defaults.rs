//! What an image says about a service that has no container yet, through the real binary.

use serde_json::json;

use super::fake_engine::FakeEngine;
use crate::sandbox::{Run, Sandbox};

const IMAGE: &str = "registry.example/lanes/own:1";

/// A lane whose service says nothing but its image and what is mounted.
const COMPOSE_FILE: &str = "services:
  lane:
    image: registry.example/lanes/own:1
    volumes: [./models:/models:ro]
";

/// An engine without containers that answers about the image with `status` and `body`.
fn engine(status: u16, body: &serde_json::Value) -> FakeEngine {
    FakeEngine::default()
        .answer("/version", 200, include_str!("version.json"))
        .answer("/info", 200, "{}")
        .answer("/containers/json", 200, "[]")
        .answer(&format!("/images/{IMAGE}/json"), status, body.to_string())
}

fn run(engine: FakeEngine) -> (Run, Vec<String>) {
    let sandbox = Sandbox::quickstart().file("compose.yaml", COMPOSE_FILE);
    let running = engine.listen_on_socket();
    let mut command = sandbox.command(&[]);
    let output = command.env_remove("PREFLIGHT_NO_DOCKER").env("DOCKER_HOST", running.host());
    let output = output.output().unwrap();
    (sandbox.told(&output), running.stop())
}

fn image(model: &str) -> serde_json::Value {
    json!({"Id": "sha256:0", "Config": {
        "Entrypoint": ["/app/llama-server"],
        "Cmd": ["-c", "256"],
        "Env": [format!("LLAMA_ARG_MODEL={model}")],
    }})
}

#[test]
fn a_service_without_a_container_opens_what_its_image_says() {
    let (told, requests) = run(engine(200, &image("/models/gguf/tiny-Q4_K_M.gguf")));
    assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
    assert!(told.stderr.contains("ready: 1 of 1 lane"), "{}{}", told.stdout, told.stderr);
    assert!(requests.contains(&format!("GET /images/{IMAGE}/json")), "{requests:?}");

    let (told, _) = run(engine(200, &image("/models/gguf/none.gguf")));
    assert_eq!(told.code, Some(10), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("error[files-missing]"), "{}", told.stdout);
    assert!(told.stdout.contains("none.gguf"), "{}", told.stdout);
}

#[test]
fn an_image_that_the_engine_does_not_have_leaves_its_service_without_a_lane() {
    let message = json!({"message": format!("No such image: {IMAGE}")});
    let (told, _) = run(engine(404, &message));
    assert_ne!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("error[no-lane]"), "{}", told.stdout);
}

//! The first `docker compose up` of the commonest stack: vLLM with the user's own cache mounted, a web
//! interface beside it, and the shipped init container before it. The images are stand-ins.

use std::path::Path;

use crate::docker_stack::{Stack, outcome};

const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/models/vllm/tiny/bf16");

fn compose_file(source: &str) -> String {
    format!(
        r#"include:
  - preflight.yaml

services:
  hub:
    image: fake-hub:test
    command:
      - --root=/hub
      - --listen=0.0.0.0:8080
      - --cdn-listen=0.0.0.0:8081
      - --public-url=http://hub:8080
    volumes:
      - ./hub:/hub:ro

  vllm:
    image: fake-vllm:test
    command: --model acme/tiny --max-model-len 256
    ipc: host
    environment:
      HF_ENDPOINT: ${{HF_ENDPOINT}}
    ports:
      - 127.0.0.1::8000
    volumes:
      - {source}:/root/.cache/huggingface
    depends_on:
      preflight:
        condition: service_completed_successfully

  open-webui:
    image: fake-hub:test
    command: [--root=/app/backend/data, --listen=0.0.0.0:8080]
    environment:
      OPENAI_API_BASE_URL: http://vllm:8000/v1
      WEBUI_SECRET_KEY: ${{WEBUI_SECRET_KEY}}
    ports:
      - 127.0.0.1::8080
    volumes:
      - open-webui:/app/backend/data
    depends_on:
      - vllm

volumes:
  open-webui:
"#
    )
}

/// The command, called by somebody whose home is the project's folder `home`.
fn up(stack: &Stack) -> crate::docker_stack::Outcome {
    let mut command = stack.compose_command(&["up", "-d", "--wait"]);
    let home = std::env::var_os("HOME").unwrap_or_default();
    let client = Path::new(&home).join(".docker");
    if std::env::var_os("DOCKER_CONFIG").is_none() {
        command.env("DOCKER_CONFIG", client);
    }
    outcome(command.env("HOME", stack.path("home")))
}

fn check(name: &str, source: &str) {
    let Some(stack) = Stack::new(name, None) else { return };
    stack.write("compose.yaml", &compose_file(source));
    stack.set_environment(&[("MODELS_PATH", "")]);
    for file in fs_err::read_dir(FOLDER).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        stack.put(file.path().to_str().unwrap(), &format!("hub/acme/tiny/{name}"));
    }
    fs_err::create_dir_all(stack.path("home/.cache/huggingface")).unwrap();
    stack.start_hub();
    let up = up(&stack);
    let report = stack.report();
    assert_eq!(up.code, 0, "{}\n{report}", up.stderr);
    let findings: Vec<&str> = report.lines().filter(|line| line.contains("]: ")).collect();
    let [only] = findings.as_slice() else { panic!("{report}") };
    assert!(only.starts_with("note[engine-will-fetch]: "), "{report}");
    assert!(report.contains(" --> compose.yaml:17:22\n"), "{report}");
    assert_eq!(report.lines().last(), Some("preflight: ready: 1 of 1 lane"), "{report}");
    assert!(stack.logs("vllm").contains("downloading acme/tiny"), "{}", stack.logs("vllm"));
}

#[test]
fn a_right_stack_comes_up_with_one_note() {
    check("first-up", "~/.cache/huggingface");
}

#[test]
fn so_does_one_that_names_the_home_by_its_variable() {
    check("first-up-home", "${HOME}/.cache/huggingface");
}

//! `preflight smoke`, when it asks as the clients of a stack do, and when it asks nobody.
//!
//! A fake Docker Engine says that the container is at the loopback address, where a fake engine listens:
//! what is asked there is asked over real connections.

use crate::engine_api::fake_engine::{FakeEngine, Running};
use crate::sandbox::{Run, Sandbox};

const ID: &str = "39784f1b7d9c0000000000000000000000000000000000000000000000000000";

const MODELS: &str = r#"{"object": "list", "data": [{"id": "qwen", "object": "model"}]}"#;

/// An engine that has its routes below `root`, and takes every key.
fn engine(root: &str) -> Running {
    FakeEngine::default()
        .answer("/health", 200, "{}")
        .answer("/v1/models", 200, MODELS)
        .answer(&format!("{root}/models"), 200, MODELS)
        .listen_on_port()
}

fn port(engine: &Running) -> String {
    engine.host().rsplit(':').next().unwrap().to_owned()
}

/// Docker with the container of `llm` at the loopback address.
fn docker(sandbox: &Sandbox, port: &str) -> Running {
    let folder = sandbox.path().display().to_string();
    let container = include_str!("every_check/container.json")
        .replace("[ID]", ID)
        .replace("[SERVICE]", "llm")
        .replace("[DIR]", &folder)
        .replace("172.18.0.2", "127.0.0.1")
        .replace("\"2048\"", &format!("\"2048\", \"--port\", \"{port}\", \"--alias\", \"qwen\""));
    let container: serde_json::Value = serde_json::from_str(&container).unwrap();
    let labels = &container["Config"]["Labels"];
    let list = serde_json::json!([{"Id": ID, "Labels": labels}]);
    FakeEngine::default()
        .answer("/version", 200, include_str!("engine_api/version.json"))
        .answer("/info", 200, r#"{"Runtimes": {"runc": {}}, "DefaultRuntime": "runc"}"#)
        .answer("/containers/json", 200, list.to_string())
        .answer(&format!("/containers/{ID}/json"), 200, container.to_string())
        .answer(&format!("/containers/{ID}/logs"), 200, "")
        .listen_on_socket()
}

/// llama-server and Open WebUI with these variables.
fn compose(port: &str, variables: &[&str]) -> String {
    let variables: String = variables.iter().map(|it| format!("      {it}\n")).collect();
    format!(
        "name: demo
services:
  llm:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/gguf/tiny-Q4_K_M.gguf -c 2048 --port {port} --alias qwen
    volumes: [\"./models:/models:ro\"]
  ui:
    image: ghcr.io/open-webui/open-webui:main
    depends_on: [llm]
    environment:
{variables}"
    )
}

/// How a run ends, with the engine at `root`, and Open WebUI with these variables; `PORT` in them is the
/// engine's.
fn smoke(root: &str, variables: &[&str]) -> Run {
    smoke_of("ghcr.io/open-webui/open-webui:main", root, variables)
}

/// The same, with a client of another image.
fn smoke_of(image: &str, root: &str, variables: &[&str]) -> Run {
    let engine = engine(root);
    let port = port(&engine);
    let variables: Vec<String> = variables.iter().map(|it| it.replace("PORT", &port)).collect();
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    let compose = compose(&port, &variables).replace("ghcr.io/open-webui/open-webui:main", image);
    let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
    let docker = docker(&sandbox, &port);
    let mut command = sandbox.command(&["smoke", "--color", "never"]);
    command.env_remove("PREFLIGHT_NO_DOCKER").env("DOCKER_HOST", docker.host());
    let run = sandbox.told(&command.output().unwrap());
    docker.stop();
    engine.stop();
    run
}

/// What is said of the client.
fn told(run: &Run) -> Vec<&str> {
    run.stdout.lines().filter(|line| line.contains("[client-not-answered]: ")).collect()
}

#[test]
fn a_client_that_is_answered_is_not_told_of() {
    let run = smoke("/v1", &["OPENAI_API_BASE_URL: http://llm:PORT/v1", "DEFAULT_MODELS: qwen"]);
    assert_eq!(told(&run), Vec::<&str>::new(), "{}", run.stdout);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_path_at_which_the_engine_has_nothing_is_an_error() {
    let run = smoke("/v1", &["OPENAI_API_BASE_URL: http://llm:PORT"]);
    assert_eq!(
        told(&run),
        [
            "error[client-not-answered]: `OPENAI_API_BASE_URL` of service `ui` leads to `/models`, where \
          the engine has nothing"
        ],
        "{}",
        run.stdout
    );
    assert_eq!(run.code, Some(31), "{}", run.stdout);
}

#[test]
fn a_slash_is_asked_with_where_the_client_leaves_it() {
    let list = ["OPENAI_API_BASE_URLS: http://llm:PORT/v1/"];
    let run = smoke("/v1", &list);
    assert_eq!(
        told(&run),
        [
            "error[client-not-answered]: `OPENAI_API_BASE_URLS` of service `ui` leads to `/v1//models`, \
          where the engine has nothing"
        ],
        "{}",
        run.stdout
    );
    let one = smoke("/v1", &["OPENAI_API_BASE_URL: http://llm:PORT/v1/"]);
    assert_eq!(told(&one), Vec::<&str>::new(), "{}", one.stdout);
}

#[test]
fn a_port_on_which_nobody_listens_is_an_error() {
    let run = smoke("/v1", &["OPENAI_API_BASE_URL: http://llm:1/v1"]);
    let said = told(&run);
    assert_eq!(said.len(), 1, "{}", run.stdout);
    assert!(said[0].contains("leads to a port on which nobody listens"), "{said:?}");
}

#[test]
fn a_model_under_another_name_is_a_warning() {
    let run = smoke("/v1", &["OPENAI_API_BASE_URL: http://llm:PORT/v1", "DEFAULT_MODELS: coder"]);
    assert_eq!(
        told(&run),
        [
            "warning[client-not-answered]: `OPENAI_API_BASE_URL` of service `ui` is asked for `coder`, \
          and what is served there is `qwen`"
        ],
        "{}",
        run.stdout
    );
    // Another server may have it.
    let both = ["OPENAI_API_BASE_URLS: http://llm:PORT/v1;https://api.openai.com/v1"];
    let run = smoke("/v1", &[both[0], "DEFAULT_MODELS: gpt-5"]);
    assert_eq!(told(&run), Vec::<&str>::new(), "{}", run.stdout);
}

#[test]
fn a_name_that_any_answer_is_given_to_is_looked_for_by_those_alone_who_read_the_list() {
    let variables = [
        "LLM_PROVIDER: generic-openai",
        "GENERIC_OPEN_AI_BASE_PATH: http://llm:PORT/v1",
        "GENERIC_OPEN_AI_MODEL_PREF: coder",
    ];
    let run = smoke_of("mintplexlabs/anythingllm:latest", "/v1", &variables);
    assert_eq!(told(&run), Vec::<&str>::new(), "{}", run.stdout);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let lost = [variables[0], "GENERIC_OPEN_AI_BASE_PATH: http://llm:PORT", variables[2]];
    let run = smoke_of("mintplexlabs/anythingllm:latest", "/v1", &lost);
    assert_eq!(told(&run).len(), 1, "{}", run.stdout);
}

#[test]
fn who_asked_nobody_does_not_end_with_nothing_found() {
    let sandbox = Sandbox::quickstart().file("compose.yaml", compose("8080", &["A: b"]));
    let run = sandbox.run(&["smoke"]);
    assert_eq!(run.code, Some(3), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("error[no-engine-asked]: no engine was asked"), "{}", run.stdout);
    assert!(run.stdout.contains("warning[endpoint-unknown]"), "{}", run.stdout);
    let allowed = sandbox.run(&["smoke", "--allow", "no-engine-asked"]);
    assert_eq!(allowed.code, Some(0), "{}", allowed.stdout);
    assert_eq!(sandbox.run(&["verify"]).code, Some(0));
}

#[test]
fn an_engine_that_serves_the_model_needs_no_files_on_the_host() {
    let compose = |url: &str| {
        format!(
            "services:
  llm:
    image: acme/vllm:7
    command: vllm serve acme/far-away --served-model-name qwen
    environment: {{HF_HUB_OFFLINE: \"1\"}}
x-preflight:
  lanes:
    llm: {{service: llm, smoke: {{url: \"{url}\"}}}}
"
        )
    };
    let engine = FakeEngine::default()
        .answer("/v1/models", 200, MODELS)
        .answer("/v1/completions", 404, "{}")
        .listen_on_port();
    let url = engine.host().replace("tcp", "http");
    let sandbox = Sandbox::new().file("compose.yaml", compose(&url));
    assert_eq!(sandbox.run(&["verify"]).code, Some(3));
    let run = sandbox.run(&["smoke"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    engine.stop();
    let other = FakeEngine::default()
        .answer("/v1/models", 200, MODELS.replace("qwen", "other"))
        .answer("/v1/completions", 404, "{}")
        .listen_on_port();
    let url = other.host().replace("tcp", "http");
    let run = sandbox.file("compose.yaml", compose(&url)).run(&["smoke"]);
    assert_eq!(run.code, Some(31), "{}{}", run.stdout, run.stderr);
    other.stop();
}

#[test]
fn a_url_that_names_a_service_is_asked_at_its_container_from_the_host() {
    let engine = engine("/v1");
    let port = port(&engine);
    let url = format!(
        "x-preflight:\n  lanes:\n    llm: {{service: llm, smoke: {{url: \"http://llm:{port}/v1\"}}}}\n"
    );
    let text = compose(&port, &["OPENAI_API_BASE_URL: https://api.openai.com/v1"]);
    let sandbox = Sandbox::quickstart().file("compose.yaml", format!("{text}{url}"));
    let docker = docker(&sandbox, &port);
    let mut command = sandbox.command(&["smoke"]);
    command.env_remove("PREFLIGHT_NO_DOCKER").env("DOCKER_HOST", docker.host());
    let run = sandbox.told(&command.output().unwrap());
    docker.stop();
    let requests = engine.stop();
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(requests.iter().any(|it| it == "GET /v1/models"), "{requests:?}");
}

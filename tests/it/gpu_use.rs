//! Images for GPUs and services that ask for none, and the other way round.

use crate::engine_api::fake_engine::FakeEngine;
use crate::sandbox::Sandbox;

const MODEL: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// The findings of these checks: severity, id and message.
fn told(sandbox: &Sandbox) -> Vec<String> {
    let stdout = sandbox.run(&["verify", "--color", "never"]).stdout;
    let is_told =
        |line: &&str| line.contains("[gpu-not-asked-for]: ") || line.contains("[gpu-unused]: ");
    stdout.lines().filter(is_told).map(str::to_owned).collect()
}

#[test]
fn an_image_for_gpus_is_told_of_that_asks_for_none_and_the_other_way_round() {
    let said = |image: &str, words: &str, more: &str| {
        let compose = format!(
            "services:\n  llm:\n    image: {image}\n    command: {words}\n    \
             volumes: [\"./models:/models:ro\"]\n{more}"
        );
        told(&Sandbox::quickstart().file("compose.yaml", compose))
    };
    let nothing = Vec::<String>::new();
    let vllm = |tag: &str, more: &str| {
        said(&format!("vllm/{tag}"), "--model /models/vllm/tiny/bf16", more)
    };
    let message = "warning[gpu-not-asked-for]: vLLM of service `llm` does not start without a GPU, and \
                   the service asks for none (the default runtime of Docker may give it one)";
    assert_eq!(vllm("vllm-openai:v0.12.0", ""), [message]);
    assert_eq!(
        vllm("vllm-openai:v0.12.0", "    environment: {NVIDIA_VISIBLE_DEVICES: all}\n"),
        [message]
    );
    assert_eq!(vllm("vllm-openai:v0.12.0", "    runtime: runc\n"), [message]);
    for given in [
        "gpus: all",
        "runtime: nvidia",
        "devices: [\"nvidia.com/gpu=all\"]",
        "devices: [\"/dev/nvidia0:/dev/nvidia0\"]",
        "privileged: true",
        "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}",
    ] {
        assert_eq!(vllm("vllm-openai:v0.12.0", &format!("    {given}\n")), nothing, "{given}");
    }
    assert_eq!(vllm("vllm-openai-rocm:v0.12.0", ""), nothing);
    assert_eq!(vllm("vllm-openai-cpu:v0.12.0", ""), nothing);
    assert!(
        vllm("vllm-openai-cpu:v0.12.0", "    gpus: all\n")[0].starts_with("warning[gpu-unused]")
    );

    let llama = |tag: &str, words: &str, more: &str| {
        let words = format!("-m /{MODEL} -c 2048 {words}");
        said(&format!("ghcr.io/ggml-org/llama.cpp:{tag}"), &words, more)
    };
    assert_eq!(
        llama("server-cuda", "-ngl 99", ""),
        [
            "warning[gpu-not-asked-for]: the image of service `llm` is one for GPUs, and the service asks \
          for none, so llama.cpp computes on the processor (the default runtime of Docker may give it \
          one)"
        ]
    );
    assert_eq!(llama("server-cuda", "-ngl 0", ""), nothing);
    assert_eq!(llama("server-cuda", "-ngl 99", "    gpus: all\n"), nothing);
    assert_eq!(llama("server-vulkan", "-ngl 99", ""), nothing);
    assert_eq!(llama("server", "-ngl 99", ""), nothing);
    assert_eq!(
        llama("server", "-ngl 99", "    gpus: all\n"),
        ["warning[gpu-unused]: service `llm` asks for a GPU, and its image has llama.cpp for the \
          processor alone, which leaves the GPU idle"]
    );
    let tei = |tag: &str| {
        let image = format!("ghcr.io/huggingface/text-embeddings-inference:{tag}");
        said(&image, "--model-id /models/vllm/tiny/bf16", "").len()
    };
    assert_eq!(
        [tei("1.9"), tei("1.9.3"), tei("cuda-1.8"), tei("1.8"), tei("cpu-1.9")],
        [0, 1, 1, 0, 0]
    );
}

#[test]
fn the_default_runtime_of_docker_says_whether_a_gpu_is_handed_in() {
    let said = |info: &str| {
        let docker = FakeEngine::default()
            .answer("/version", 200, include_str!("engine_api/version.json"))
            .answer("/info", 200, info)
            .answer("/containers/json", 200, "[]")
            .listen_on_socket();
        let compose = "services:
  llm:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16
    volumes: [\"./models:/models:ro\"]
";
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
        let mut command = sandbox.command(&["verify", "--color", "never"]);
        command.env_remove("PREFLIGHT_NO_DOCKER").env("DOCKER_HOST", docker.host());
        let run = sandbox.told(&command.output().unwrap());
        docker.stop();
        let lines = run.stdout.lines().filter(|line| line.contains("[gpu-not-asked-for]: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let message = "warning[gpu-not-asked-for]: vLLM of service `llm` does not start without a GPU, and \
                   the service asks for none";
    assert_eq!(said(r#"{"DefaultRuntime": "runc"}"#), [message]);
    assert_eq!(said(r#"{"DefaultRuntime": "nvidia"}"#), Vec::<String>::new());
    assert_eq!(said("{}"), [format!("{message} (the default runtime of Docker may give it one)")]);
}

#[test]
fn matrices_that_are_cut_by_rows_are_refused_since_devices_cannot_do_it() {
    let said = |tag: &str, words: &str| {
        let compose = format!(
            "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:{tag}\n    command: -m /{MODEL} -c \
             2048 {words}\n    volumes: [\"./models:/models:ro\"]\n    gpus: all\n"
        );
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
        let run = sandbox.run(&["verify", "--color", "never"]);
        let titles = run.stdout.lines().filter(|line| line.contains("cuts matrices by rows"));
        let severities = titles.map(|title| title.split('[').next().unwrap().to_owned());
        severities.collect::<Vec<_>>().join(" ")
    };
    for (tag, words, expected) in [
        ("server-cuda-b9890", "-sm row", "error"),
        ("server-cuda-b11669", "--split-mode row", "error"),
        ("server-cuda", "-sm row", "warning"),
        ("server-cuda-b9888", "-sm row", ""),
        ("server-cuda-b11669", "-sm row -dev none", ""),
        ("server-cuda-b11669", "-sm layer", ""),
        ("server-vulkan-b11669", "-sm row", ""),
    ] {
        assert_eq!(said(tag, words), expected, "{tag} {words}");
    }
}

//! Words that start no server in an image of an engine.

use super::*;
use crate::project::Port;

const FULL: &str = "ghcr.io/ggml-org/llama.cpp:full";
const LIGHT: &str = "ghcr.io/ggml-org/llama.cpp:light";
const TEI: &str = "ghcr.io/huggingface/text-embeddings-inference:1.8";
const TGI: &str = "ghcr.io/huggingface/text-generation-inference:3.3.4";
const SGLANG: &str = "lmsysorg/sglang:v0.5.5";
const INFINITY: &str = "michaelf34/infinity:0.0.77";

/// What is complained of, with the words that start the server.
fn lacking(image: &str, command: &str, model: &str, [left, server, missing]: [&str; 3]) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let started = invocation(&service(image, &words)).unwrap();
    let opened = started.model().map(|model| model.named.to_string());
    assert_eq!(opened.unwrap_or_default(), model, "{image} {command}");
    let complaints: Vec<&Complaint> = started.complaints.iter().map(|it| &it.value).collect();
    let [Complaint::StartsNoServer(found)] = complaints.as_slice() else {
        panic!("{image} {command}: {complaints:?}")
    };
    assert_eq!([&found.left, &found.server, &found.missing], [left, server, missing]);
    assert_eq!(started.without_model(), None);
}

#[test]
fn words_that_lack_the_name_of_the_server_are_read_as_they_are_meant() {
    let tools = "/app/tools.sh --server";
    lacking(FULL, "-m /m.gguf -c 9", "/m.gguf", ["/app/tools.sh -m", tools, "--server"]);
    lacking(FULL, "", "", ["/app/tools.sh", tools, "--server"]);
    lacking(FULL, "serve -m /m.gguf", "/m.gguf", ["/app/tools.sh serve -m", tools, "--server"]);
    let module = "python3 -m sglang.launch_server";
    lacking(SGLANG, "--model-path /m --port 3", "/m", ["--model-path", module, module]);
    let infinity = ["infinity_emb --model-id", "infinity_emb v2", "v2"];
    lacking(INFINITY, "--model-id /m", "/m", infinity);
    lacking(INFINITY, "v1 --model-id /m", "/m", ["infinity_emb v1 --model-id", infinity[1], "v2"]);
    let light = ["/app/llama-cli -m", "/app/llama-server", "/app/llama-server"];
    lacking(LIGHT, "-m /m.gguf --port 8080", "/m.gguf", light);
}

#[test]
fn an_image_that_is_only_called_after_an_engine_may_start_its_server_with_these_words() {
    let unknown = "unread: what the image runs by itself is not known";
    for (image, command) in [("corp/sglang-qwen:1", "--tp 2"), ("corp/lmdeploy:1", "--tp 2")] {
        let words: Vec<&str> = command.split(' ').collect();
        let service = service(image, &words);
        assert!(shown(&service).ends_with(unknown), "{image}: {}", shown(&service));
        assert_eq!(no_server(&service), None, "{image}");
    }
    let qwen = service("corp/sglang-qwen:1", &["--model-path", "Qwen/x"]);
    assert_eq!(shown(&qwen), "SGLang | model=Qwen/x");
    assert!(
        shown(&service("mirror.corp/lmsysorg/sglang:v0.5.5", &["--tp", "2"]))
            .contains("StartsNoServer")
    );
    assert!(no_server(&service("corp/sglang-qwen:1", &["sleep", "infinity"])).is_some());
}

#[test]
fn the_tool_of_an_image_that_is_meant_to_be_asked_is_no_tool() {
    let mut light = service(LIGHT, &["-m", "/m.gguf"]);
    assert_eq!(shown(&light), "none");
    let place = Place::nowhere();
    light.ports =
        vec![Port { target: 8080, published: Some(80), host_ip: None, is_fixed: true, place }];
    assert!(shown(&light).starts_with("llama.cpp | model=/m.gguf | StartsNoServer"));
}

#[test]
fn a_command_line_without_its_program_is_that_of_the_image() {
    let mut bare = service(VLLM, &["--model", "/m"]);
    bare.entrypoint = Some(Vec::new());
    assert!(shown(&bare).starts_with("vLLM | model=/m | StartsNoServer"), "{}", shown(&bare));
    bare.entrypoint = Some(spanned(&["vllm"]));
    assert!(shown(&bare).starts_with("vLLM | model=/m | StartsNoServer"), "{}", shown(&bare));
    bare.command = Some(spanned(&["bench", "latency"]));
    assert_eq!(shown(&bare), "none");
}

#[test]
fn words_behind_an_entrypoint_are_those_of_its_program() {
    let behind = |engine: &str, entrypoint: &str, words: &str, program: &str| {
        format!(
            "{engine} | ProgramBehindEntrypoint {{ entrypoint: {entrypoint:?}, words: {words:?}, \
             program: {program:?} }}"
        )
    };
    let sleep = behind("vLLM", "vllm serve", "sleep infinity", "sleep");
    check(VLLM, "sleep infinity", &sleep);
    let sleep = behind("llama.cpp", "/app/llama-server", "sleep infinity", "sleep");
    check(LLAMA, "sleep infinity", &sleep);
    check(VLLM, "/start.sh", &behind("vLLM", "vllm serve", "/start.sh", "/start.sh"));
    let python = "python3 -m sglang.launch_server --model-path /m";
    let shown = &python[..python.len() - 3];
    check(VLLM, python, &behind("vLLM", "vllm serve", shown, "python3"));
    check(LLAMA, "/models/x.gguf", "llama.cpp | ExtraWord { word: \"/models/x.gguf\" }");
    check(TEI, "BAAI/bge", "TEI | port=80 | version=1.8 | ExtraWord { word: \"BAAI/bge\" }");
    check(TGI, "a/b", "TGI | port=80 | version=3.3.4 | ExtraWord { word: \"a/b\" }");
    let stray = invocation(&service(LLAMA, &["/models/x.gguf"])).unwrap();
    assert_eq!(stray.without_model(), None, "the stray word is why no model is named");
}

/// What is told of a service that starts no engine.
fn told(image: &str, entrypoint: Option<&[&str]>, command: &str, expected: Option<(&str, bool)>) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut service = service(image, &words);
    service.entrypoint = entrypoint.map(spanned);
    assert_eq!(shown(&service), "none");
    let found = no_server(&service).map(|found| (found.words, found.is_doubtful));
    let found = found.as_ref().map(|(words, is_doubtful)| (words.as_str(), *is_doubtful));
    assert_eq!(found, expected, "{image} {entrypoint:?} {command}");
}

#[test]
fn another_program_of_an_engine_s_image_is_named() {
    told(VLLM, Some(&["sleep"]), "infinity", Some(("sleep infinity", false)));
    let download = Some(("huggingface-cli download a/b --local-dir", false));
    told(VLLM, Some(&["huggingface-cli", "download"]), "a/b --local-dir /m", download);
    told(FULL, None, "--convert /m", Some(("/app/tools.sh --convert /m", false)));
    told(SGLANG, None, "bash", Some(("bash", false)));
    told(SGLANG, None, "", Some(("", true)));
    told(SGLANG, None, "Qwen/Qwen3-8B", Some(("Qwen/Qwen3-8B", true)));
    told("nginx", None, "--port 80", None);
}

#[test]
fn a_part_of_an_image_s_name_alone_makes_no_lane() {
    let unknown = "unread: what the image runs by itself is not known";
    for image in
        ["acme/gradio-rag-milvus-vllm-openai", "acme/nginx-llama-server", "acme/chatbot-sglang"]
    {
        let mut named = service(image, &[]);
        assert_eq!(shown(&named), "none", "{image}");
        assert!(no_server(&named).is_some_and(|it| it.by_name_alone), "{image}");
        for (value, is_seen) in [("all", true), ("0,1", true), ("void", false), ("", false)] {
            let seen = with_environment(named.clone(), &[("NVIDIA_VISIBLE_DEVICES", value)]);
            assert_eq!(no_server(&seen).is_none(), is_seen, "{image} {value}");
        }
        named.has_device = true;
        assert!(shown(&named).ends_with(unknown), "{image}");
        assert_eq!(no_server(&named), None, "{image}");
    }
    let words = ["--model", "Qwen/x"];
    assert_eq!(shown(&service("acme/chatbot-vllm", &words)), "vLLM | model=Qwen/x");
    let foreign = ["--model", "Qwen/x", "--base-url", "http://vllm:8000"];
    assert_eq!(shown(&service("acme/chatbot-vllm", &foreign)), "none");
    assert_eq!(shown(&service("acme/vllm-simulator", &words)), "none");
    let unseen = "vLLM | unread: the script `/start.sh` was not seen";
    assert_eq!(shown(&service("acme/nginx-vllm", &["/start.sh"])), "none");
    assert_eq!(shown(&service("registry.corp/team/vllm:0.9", &["/start.sh"])), unseen);
    let hidden = service("acme/nginx-vllm", &["sh", "-c", "vllm serve /m"]);
    assert_eq!(shown(&hidden), "vLLM | model=/m");
}

#[test]
fn a_misspelt_image_is_read_as_the_one_that_is_meant() {
    let misspelt = "ImageMisspelt { meant: \"vllm/vllm-openai\", is_certain: true }";
    let mut slipped = service("vllm/vlm-openai:v0.12.0", &["--model", "/m"]);
    assert_eq!(shown(&slipped), format!("vLLM | model=/m | version=0.12.0 | {misspelt}"));
    slipped.has_image = true;
    assert_eq!(shown(&slipped), "vLLM | model=/m | version=0.12.0");
}

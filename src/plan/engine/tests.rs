//! Compose services in, what the engine would open out.

mod caches;
mod every_flag;
mod grammars;
mod no_server;
mod random;
mod starts;
mod swapped;
mod vllm;

use super::*;
use crate::source_map::{Place, Spanned};

#[test]
fn every_engine_has_a_profile_and_names_of_its_own() {
    for (at, engine) in Engine::ALL.into_iter().enumerate() {
        assert_eq!(engine.profile().engine, engine);
        let others = Engine::ALL.iter().enumerate().filter(|(other, _)| *other != at);
        for (_, other) in others {
            assert!(engine.name() != other.name() && engine.id() != other.id());
        }
        let kebab = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        assert!(engine.id().bytes().all(kebab), "{}", engine.id());
    }
}

fn spanned(words: &[&str]) -> Vec<Spanned<String>> {
    words.iter().map(|word| Spanned::nowhere((*word).to_owned())).collect()
}

fn service(image: &str, command: &[&str]) -> Service {
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere(image.to_owned())).filter(|_| !image.is_empty());
    service.command = Some(spanned(command)).filter(|_| !command.is_empty());
    service
}

fn with_environment(mut service: Service, variables: &[(&str, &str)]) -> Service {
    for (name, value) in variables {
        let value = Spanned::nowhere(Some((*value).to_owned()));
        service.environment.insert((*name).to_owned(), value);
    }
    service
}

/// Everything that an invocation says, without what says nothing.
fn shown(service: &Service) -> String {
    let Some(invocation) = invocation(service) else { return "none".to_owned() };
    let mut lines = vec![invocation.engine.name().to_owned()];
    for opens in &invocation.opens {
        let part = match opens.part {
            Part::Model => "model",
            Part::Tokenizer => "tokenizer",
            Part::Mmproj => "mmproj",
            Part::Lora => "lora",
            Part::Draft => "draft",
            Part::ControlVector => "control-vector",
            Part::ChatTemplate => "template",
            Part::Text => "text",
            Part::Folder => "folder",
            Part::Models => "models-folder",
        };
        lines.push(format!("{part}={}", opens.named));
    }
    lines.extend(invocation.served_names.iter().map(|name| format!("name={name}")));
    if invocation.port != invocation.engine.http().port {
        lines.push(format!("port={}", invocation.port));
    }
    let texts = [
        ("prefix", invocation.api_prefix.map(|text| text.value)),
        ("version", invocation.version),
        ("context", invocation.context.map(|number| number.value.to_string())),
        ("quantization", invocation.quantization.map(|text| text.value)),
        ("dtype", invocation.dtype.map(|text| text.value)),
        ("tp", invocation.tensor_parallel.map(|number| number.value.to_string())),
        ("code", invocation.trust_remote_code.then(|| "yes".to_owned())),
        ("download", invocation.download_dir.map(|path| path.value.to_string())),
        ("models", invocation.models_dir.map(|folder| folder.path.to_string())),
    ];
    let present = texts.into_iter().filter_map(|(name, text)| Some(format!("{name}={}", text?)));
    lines.extend(present);
    lines.extend(invocation.unread.iter().map(|unread| format!("unread: {}", unread.value)));
    lines.extend(invocation.complaints.iter().map(|complaint| format!("{:?}", complaint.value)));
    lines.join(" | ")
}

/// `command` is split at blanks.
fn check(image: &str, command: &str, expected: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(shown(&service(image, &words)), expected, "{image} {command}");
}

const VLLM: &str = "vllm/vllm-openai:latest";
const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server";

#[test]
fn llama_server_opens_what_its_flags_name() {
    check(
        LLAMA,
        "-m /m.gguf -c 8192 --port 81",
        "llama.cpp | model=/m.gguf | port=81 | context=8192",
    );
    check(LLAMA, "--model m.gguf -c 0", "llama.cpp | model=/app/m.gguf");
    check(LLAMA, "-m a/b -ngl -1 -c 10", "llama.cpp | model=/app/a/b | context=10");
    check(LLAMA, "-m /m -fa on --jinja -c 10", "llama.cpp | model=/m | context=10");
    check(LLAMA, "--ctx_size 10 -m /a -m /b", "llama.cpp | model=/b | context=10");
    check(LLAMA, "-hf o/r:q8_0", "llama.cpp | model=o/r:q8_0");
    check(LLAMA, "--hf-repo o/r --hf-file f.gguf", "llama.cpp | model=o/r:f.gguf");
    check(LLAMA, "-hfr o/r -m f.gguf", "llama.cpp | model=o/r:f.gguf");
    check(LLAMA, "-mu https://h/m.gguf", "llama.cpp | model=https://h/m.gguf");
    check(LLAMA, "-dr gemma3", "llama.cpp | model=docker://ai/gemma3");
    check(LLAMA, "-m /m -mm /p", "llama.cpp | model=/m | mmproj=/p");
    check(LLAMA, "-m /m --mmproj-url https://h/p", "llama.cpp | model=/m | mmproj=https://h/p");
    check(LLAMA, "-m /m --lora /a,/b", "llama.cpp | model=/m | lora=/a | lora=/b");
    check(LLAMA, "-m /m --lora /a --lora /b", "llama.cpp | model=/m | lora=/a | lora=/b");
    check(LLAMA, "-m /m --lora-scaled /a:0.5,/b:1", "llama.cpp | model=/m | lora=/a | lora=/b");
    check(LLAMA, "-m /m -md /d", "llama.cpp | model=/m | draft=/d");
    check(LLAMA, "-m /m -hfd o/d:Q4_0", "llama.cpp | model=/m | draft=o/d:Q4_0");
    check(LLAMA, "-m /m --chat-template-file /t", "llama.cpp | model=/m | template=/t");
    check(LLAMA, "-m /m --chat-template chatml", "llama.cpp | model=/m");
    check(LLAMA, "-m /m -a one,two", "llama.cpp | model=/m | name=one | name=two");
    check(LLAMA, "-m /m --api-prefix /llm", "llama.cpp | model=/m | prefix=/llm");
    check(LLAMA, "--models-dir /models", "llama.cpp | models=/models");
    check(LLAMA, "--models-preset /p.ini", "llama.cpp | unread: the file `/p.ini` was not seen");
    check(LLAMA, "-m", "llama.cpp | NoValue { flag: \"-m\" }");
    let joined = "llama.cpp | model=/m | JoinedValue { flag: \"--model\", value: \"/m\" }";
    check(LLAMA, "--model=/m", joined);
    check(LLAMA, "--override-kv a=int:1 -m /m", "llama.cpp | model=/m");
    check("acme/x", "llama-server -m /m", "llama.cpp | model=/m");
}

#[test]
fn llama_server_reads_variables_and_the_command_line_wins() {
    let variables = [
        ("LLAMA_ARG_MODEL", "/env.gguf"),
        ("LLAMA_ARG_CTX_SIZE", "2048"),
        ("LLAMA_ARG_PORT", "82"),
        ("LLAMA_ARG_ALIAS", "small"),
        ("LLAMA_ARG_MMPROJ", "/p"),
        ("LLAMA_ARG_SPEC_DRAFT_MODEL", "/d"),
    ];
    let set = with_environment(service(LLAMA, &["-c", "512"]), &variables);
    let expected =
        "llama.cpp | model=/env.gguf | mmproj=/p | draft=/d | name=small | port=82 | context=512";
    assert_eq!(shown(&set), expected);
    let hub = [("LLAMA_ARG_HF_REPO", "o/r:Q4_K_M"), ("LLAMA_ARG_MODEL", "")];
    let set = with_environment(service(LLAMA, &[]), &hub);
    assert_eq!(shown(&set), "llama.cpp | model=o/r:Q4_K_M");
}

#[test]
fn the_other_engines_are_read() {
    let tei = "ghcr.io/huggingface/text-embeddings-inference:cpu-1.8";
    check(
        tei,
        "--model-id BAAI/bge --revision r",
        "TEI | model=BAAI/bge@r | port=80 | version=1.8",
    );
    check(tei, "--model-id=/data/m -p 81", "TEI | model=/data/m | port=81 | version=1.8");
    check("", "text-embeddings-router --model-id a/b", "TEI | model=a/b");
    let set = with_environment(service(tei, &[]), &[("MODEL_ID", "/m"), ("PORT", "83")]);
    assert_eq!(shown(&set), "TEI | model=/m | port=83 | version=1.8");

    let tgi = "ghcr.io/huggingface/text-generation-inference:3.3.4";
    check(
        tgi,
        "--model-id a/b --quantize awq --num-shard 2 --lora-adapters x=/l,o/y@r",
        "TGI | model=a/b | lora=/l | lora=o/y@r | port=80 | version=3.3.4 | quantization=awq | tp=2",
    );
    check(
        "",
        "text-generation-launcher --model-id /m --trust-remote-code",
        "TGI | model=/m | code=yes",
    );

    check(
        "lmsysorg/sglang:v0.5.3",
        "python3 -m sglang.launch_server --model-path a/b --tp 2 --context-length 4096 --port 30001",
        "SGLang | model=a/b | port=30001 | version=0.5.3 | context=4096 | tp=2",
    );
    check(
        "",
        "python -m sglang.launch_server --model /m --tokenizer-path /t --lora-paths a=/l /k \
         --speculative-draft-model-path /d --chat-template llama-2 --served-model-name n",
        "SGLang | model=/m | tokenizer=/t | draft=/d | lora=/l | lora=/k | name=n",
    );
    check("lmsysorg/sglang", "bash", "none");

    check("ollama/ollama:0.9.2", "", "Ollama | version=0.9.2 | models=/root/.ollama/models");
    check("ollama/ollama", "serve", "Ollama | models=/root/.ollama/models");
    check("ollama/ollama", "pull x", "none");
    let variables = [("OLLAMA_MODELS", "/m"), ("OLLAMA_HOST", "0.0.0.0:99")];
    let set = with_environment(service("", &["ollama", "serve"]), &variables);
    assert_eq!(shown(&set), "Ollama | port=99 | models=/m");

    check("localai/localai", "--models-path /m --address :81", "LocalAI | port=81 | models=/m");
    let unread = "LocalAI | unread: the models `phi` of `MODELS` are not looked at yet";
    check("localai/localai", "phi", unread);
    check("", "local-ai run phi", unread);
    check("", "local-ai models list", "none");

    check(
        "michaelf34/infinity:0.0.77",
        "v2 --model-id a/b --model-id /m --port 81 --no-trust-remote-code",
        "Infinity | model=a/b | model=/m | port=81 | version=0.0.77",
    );
    let set = with_environment(
        service("michaelf34/infinity", &[]),
        &[("INFINITY_MODEL_ID", "a/b;c/d;"), ("INFINITY_TRUST_REMOTE_CODE", "0")],
    );
    assert_eq!(shown(&set), "Infinity | model=a/b | model=c/d | code=yes");
}

#[test]
fn what_happens_without_a_model_is_said_only_if_none_can_be_named() {
    let without = |image: &str, command: &[&str]| {
        invocation(&service(image, command)).and_then(|invocation| invocation.without_model())
    };
    assert!(without(VLLM, &[]).is_some_and(|instead| instead.contains("default model")));
    assert!(without(LLAMA, &[]).is_some());
    assert!(without(LLAMA, &["--models-dir", "/m"]).is_none());
    assert!(without(VLLM, &["/m"]).is_none());
    assert!(without(VLLM, &["--config", "/c.yaml"]).is_none());
    assert!(without("ollama/ollama", &[]).is_none());
}

#[test]
fn the_cache_of_the_hub_is_where_the_service_says() {
    let cache = |image: &str, variables: &[(&str, &str)], user: Option<&str>| {
        let mut service = with_environment(service(image, &["--model-id", "a/b"]), variables);
        service.user = user.map(|user| Spanned::nowhere(user.to_owned()));
        let cache = invocation(&service).unwrap().hub_cache;
        cache.map(|cache| format!("{} by {}", cache.path, cache.by.unwrap_or_default()))
    };
    let check = |image: &str, variables: &[(&str, &str)], user, expected: Option<&str>| {
        assert_eq!(cache(image, variables, user).as_deref(), expected, "{image} {variables:?}");
    };
    let root = Some("/root/.cache/huggingface/hub by ");
    check(VLLM, &[], None, root);
    check(VLLM, &[], Some("0:0"), root);
    check(VLLM, &[], Some("1000"), None);
    check(VLLM, &[("HOME", "/h")], Some("1000"), Some("/h/.cache/huggingface/hub by HOME"));
    check(VLLM, &[("HF_HOME", "/c")], None, Some("/c/hub by HF_HOME"));
    let both = [("HF_HOME", "/c"), ("HF_HUB_CACHE", "/d")];
    check(VLLM, &both, None, Some("/d by HF_HUB_CACHE"));
    check(LLAMA, &[("LLAMA_CACHE", "/l"), ("HF_HOME", "/c")], None, Some("/l by LLAMA_CACHE"));
    let tei = "ghcr.io/huggingface/text-embeddings-inference:1.8";
    check(tei, &[], None, Some("/data by HUGGINGFACE_HUB_CACHE"));
    let tgi = "ghcr.io/huggingface/text-generation-inference:3.3.4";
    check(tgi, &[], None, Some("/data/hub by HF_HOME"));
}

#[test]
fn an_empty_value_is_a_complaint_and_names_nothing() {
    let empty = service(VLLM, &["--model", "", "--port", "81"]);
    let expected = "vLLM | port=81 | EmptyModel { by: \"--model\", instead: None }";
    assert_eq!(shown(&empty), expected);
    let empty = service(VLLM, &["/m", "--tokenizer", ""]);
    assert_eq!(shown(&empty), "vLLM | model=/m | EmptyValue { by: \"--tokenizer\" }");
    let started = invocation(&service(LLAMA, &["-m", ""])).unwrap();
    assert!(started.lost_model() && started.without_model().is_none());
    let [complaint] = started.complaints.as_slice() else { panic!("{:?}", started.complaints) };
    assert!(matches!(complaint.value, Complaint::EmptyModel { instead: Some(_), .. }));
}

/// llama-server 11669: `-m -c 2048` is `error: invalid argument: 2048`; `-m --no-mmap` is a model that
/// cannot be opened.
#[test]
fn llama_server_takes_a_flag_for_the_value_that_is_missing() {
    let swallowed = |flag: &str, next: &str, exits: bool| {
        format!("SwallowedFlag {{ flag: {flag:?}, next: {next:?}, exits: {exits} }}")
    };
    let lost = swallowed("--model", "--ctx-size", true);
    check(LLAMA, "--model --ctx-size 2048", &format!("llama.cpp | context=2048 | {lost}"));
    check(
        LLAMA,
        "-m -c 2048",
        &format!("llama.cpp | context=2048 | {}", swallowed("-m", "-c", true)),
    );
    check(LLAMA, "-m --jinja", &format!("llama.cpp | {}", swallowed("-m", "--jinja", true)));
    let may_serve = swallowed("-a", "--jinja", false);
    check(LLAMA, "-m /m -a --jinja", &format!("llama.cpp | model=/m | {may_serve}"));
    check(LLAMA, "-m /m -ngl -1", "llama.cpp | model=/m");
    check(LLAMA, "-m /m more", "llama.cpp | model=/m | ExtraWord { word: \"more\" }");
}

#[test]
fn a_release_that_is_not_known_is_taken_for_the_newest() {
    let is_since = |version: Option<&str>| {
        let version = version.map(str::to_owned);
        Invocation { version, ..Invocation::bare(Engine::Vllm) }.is_since([0, 10, 2])
    };
    for version in ["0.10.2", "0.10.2rc1", "0.11", "1.0.0"] {
        assert!(is_since(Some(version)), "{version}");
    }
    for version in ["0.10.1.1", "0.10", "0.9.12"] {
        assert!(!is_since(Some(version)), "{version}");
    }
    assert!(is_since(None));
}

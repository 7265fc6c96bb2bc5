//! Compose services in, what the engine would open out.

mod every_flag;

use super::*;
use std::path::Path;

use proptest::prelude::*;

use crate::project::{Mount, MountSource};
use crate::source_map::{SourceMap, Span};

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
            Part::ChatTemplate => "template",
        };
        lines.push(format!("{part}={}", opens.named));
    }
    lines.extend(invocation.served_names.iter().map(|name| format!("name={name}")));
    if invocation.port != invocation.engine.default_port() {
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
        ("models", invocation.models_dir.map(|path| path.value.to_string())),
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
fn vllm_opens_what_its_command_line_names() {
    check(VLLM, "--model /models/coder", "vLLM | model=/models/coder");
    check(VLLM, "/models/coder --port 8001", "vLLM | model=/models/coder | port=8001");
    check(VLLM, "Qwen/Qwen2.5-7B", "vLLM | model=Qwen/Qwen2.5-7B");
    check(VLLM, "gpt2", "vLLM | model=gpt2");
    check(VLLM, "--model=./m", "vLLM | model=/vllm-workspace/m");
    check(VLLM, "--model s3://b/m", "vLLM | model=s3://b/m");
    check(VLLM, "--model /m/x.gguf --tokenizer a/b", "vLLM | model=/m/x.gguf | tokenizer=a/b");
    check(VLLM, "--model a/b --revision v1", "vLLM | model=a/b@v1");
    check(
        VLLM,
        "a/b --revision v1 --tokenizer c/d --tokenizer-revision v2",
        "vLLM | model=a/b@v1 | tokenizer=c/d@v2",
    );
    check(VLLM, "a/b --model a/b", "vLLM | model=a/b");
    let twice = "vLLM | model=a/b | ModelTwice { model: \"a/b\", other: \"c/d\" }";
    check(VLLM, "a/b --model c/d", twice);
    check(VLLM, "", "vLLM");
    check(VLLM, "--port 80", "vLLM | port=80");
}

#[test]
fn vllm_flags_are_read_by_the_rules_of_argparse() {
    check(VLLM, "--max_model_len=32k /m", "vLLM | model=/m | context=32000");
    check(VLLM, "/m --max-model-l 32K", "vLLM | model=/m | context=32768");
    check(VLLM, "/m --max-model-len -1", "vLLM | model=/m");
    check(VLLM, "/m --max-model-len auto", "vLLM | model=/m");
    let wrong = "vLLM | model=/m | NotANumber { by: \"--max-model-len\", value: \"much\" }";
    check(VLLM, "/m --max-model-len much", wrong);
    check(VLLM, "--model /a --model /b", "vLLM | model=/b");
    check(VLLM, "--enforce-eager /m", "vLLM | model=/m");
    check(VLLM, "--no-whatever --enable-lora /m -O3", "vLLM | model=/m");
    check(VLLM, "-O3 /m", "vLLM | model=/m");
    check(VLLM, "--brand-new 7 /m", "vLLM | model=/m");
    check(VLLM, "/m -tp 2 -q awq", "vLLM | model=/m | quantization=awq | tp=2");
    check(VLLM, "/m --tensor-par 4 --dtype half", "vLLM | model=/m | dtype=half | tp=4");
    check(VLLM, "/m --trust-remote-code", "vLLM | model=/m | code=yes");
    check(VLLM, "/m --trust-remote-code --no-trust-remote-code", "vLLM | model=/m");
    check(
        VLLM,
        "/m --served-model-name a b --port 9",
        "vLLM | model=/m | name=a | name=b | port=9",
    );
    check(VLLM, "--served-model-name a /m", "vLLM | name=a | name=/m");
    check(VLLM, "--port 1 -- /m", "vLLM | model=/m | port=1");
    check(VLLM, "--model --port 1", "vLLM | port=1 | NoValue { flag: \"--model\" }");
    check(VLLM, "/m /n", "vLLM | model=/m | ExtraWord { word: \"/n\" }");
    check(VLLM, "/m --download-dir /d", "vLLM | model=/m | download=/d");
    check(
        VLLM,
        "/m --port 99999",
        "vLLM | model=/m | NotANumber { by: \"--port\", value: \"99999\" }",
    );
}

#[test]
fn vllm_opens_more_than_a_model() {
    check(VLLM, "/m --lora-modules a=/l/a b=o/b", "vLLM | model=/m | lora=/l/a | lora=o/b");
    check(
        VLLM,
        r#"/m --lora-modules {"name":"a","path":"/l/a","base_model_name":"m"}"#,
        "vLLM | model=/m | lora=/l/a",
    );
    check(VLLM, r#"/m --default-mm-loras {"audio":"/l/a"}"#, "vLLM | model=/m | lora=/l/a");
    check(VLLM, r#"/m -sc {"model":"a/b","num":3}"#, "vLLM | model=/m | draft=a/b");
    check(VLLM, r#"/m --speculative-config {"method":"ngram"}"#, "vLLM | model=/m");
    check(VLLM, "/m --speculative-config.model /d", "vLLM | model=/m | draft=/d");
    check(VLLM, "/m --speculative_config.model=/d", "vLLM | model=/m | draft=/d");
    check(VLLM, "/m --spec-model /d", "vLLM | model=/m | draft=/d");
    let unread = "vLLM | model=/m | unread: the JSON of `--speculative-config` cannot be read";
    check(VLLM, "/m --speculative-config {model:/d}", unread);
    check(VLLM, "/m --chat-template /t/c.jinja", "vLLM | model=/m | template=/t/c.jinja");
    check(VLLM, "/m --chat-template {{messages}}", "vLLM | model=/m");
    check(VLLM, "--config /c.yaml", "vLLM | unread: the file `/c.yaml` was not seen");
}

#[test]
fn vllm_reads_the_file_that_its_command_line_is_continued_in() {
    let check = |words: &str, text: &str, expected: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut service = service(VLLM, &words);
        service.texts.insert(ServicePath::new("/vllm-workspace/c.yaml"), text.to_owned());
        assert_eq!(shown(&service), format!("vLLM{expected}"), "{words:?} {text}");
    };
    let file = "model: /m\nport: 81\nserved_model_name: [a, b]\ntrust-remote-code: true\n";
    check("--config c.yaml", file, " | model=/m | name=a | name=b | port=81 | code=yes");
    check("--port 82 --config=c.yaml", "model: /m\nport: 81\n", " | model=/m | port=82");
    check("/n --config c.yaml", "model: /m\nport: 81\n", " | model=/n | port=81");
    check("--model /n --config c.yaml", "model: /m\n", " | model=/n");
    check("/n --config c.yaml", "trust-remote-code: false\nlora-modules: []\n", " | model=/n");
    check(
        "/n --config c.yaml",
        "speculative-config: {model: /d, num_speculative_tokens: 2}\n",
        " | model=/n | draft=/d",
    );
    check("/n --config c.yaml", "max-model-len: 32k\ndtype:\n", " | model=/n | context=32000");
    let broken = "the YAML of `/vllm-workspace/c.yaml` cannot be read";
    check("/n --config c.yaml", "a: [", &format!(" | model=/n | unread: {broken}"));
    check("/n --config c.yaml", "[1]", &format!(" | model=/n | unread: {broken}"));
}

#[test]
fn vllm_is_recognised_by_its_words_in_any_image() {
    let serve = "vLLM | model=/m";
    check("acme/llm", "vllm serve /m", serve);
    check("acme/llm", "/opt/venv/bin/vllm serve /m", serve);
    check("acme/llm", "python -m vllm.entrypoints.openai.api_server --model /m", serve);
    check("acme/llm", "python3.12 -u -m vllm.entrypoints.openai.api_server --model /m", serve);
    check("", "tini -g -- vllm serve /m", serve);
    check("", "env A=1 vllm serve /m", serve);
    check("", "numactl --cpunodebind 0 vllm serve /m", serve);
    check("acme/vllm-patched:1.2.3", "--model /m", serve);
    check("acme/vllm-patched", "a/b", "vLLM | model=a/b");
    check("acme/vllm-patched", "", "vLLM | unread: what the image runs by itself is not known");
    check("acme/vllm-patched", "python app.py", "none");
    check("acme/vllm-patched", "/usr/bin/supervisord", "none");
    check(VLLM, "sleep infinity", "none");
    check(VLLM, "/start.sh", "vLLM | unread: the script `/start.sh` is not read yet");
    check("acme/llm", "/start.sh", "none");
    check("acme/llm", "vllm bench throughput", "none");
    check("nginx", "", "none");
    check("", "", "none");
}

#[test]
fn an_entrypoint_that_depends_on_the_release_is_known() {
    let old = "vllm/vllm-openai:v0.9.2";
    check(old, "--model /m", "vLLM | model=/m | version=0.9.2");
    check(old, "/m", "vLLM | version=0.9.2 | ExtraWord { word: \"/m\" }");
    check("vllm/vllm-openai:v0.12.0", "/m", "vLLM | model=/m | version=0.12.0");
    let rocm = "vllm/vllm-openai-rocm:v0.12.0";
    check(rocm, "vllm serve /m", "vLLM | model=/m | version=0.12.0");
    check(rocm, "sleep 1", "none");
    let repeated = "vLLM | model=/m | ProgramRepeated { program: \"vllm serve\" }";
    check(VLLM, "vllm serve /m", repeated);
    check(VLLM, "python3 -m vllm.entrypoints.openai.api_server --model /m", repeated);
    let full = "ghcr.io/ggml-org/llama.cpp:full-b4719";
    check(full, "--server -m /m.gguf", "llama.cpp | model=/m.gguf | version=b4719");
    check(full, "--run -m /m.gguf", "none");
    check("ghcr.io/ggml-org/llama.cpp:light", "-m /m.gguf", "none");
    let repeated = "llama.cpp | model=/m.gguf | ProgramRepeated { program: \"/app/llama-server\" }";
    check(LLAMA, "llama-server -m /m.gguf", repeated);
}

#[test]
fn an_entrypoint_of_the_service_stands_before_the_command() {
    let mut set = service(VLLM, &["--model", "/m"]);
    set.entrypoint = Some(spanned(&["vllm", "serve"]));
    assert_eq!(shown(&set), "vLLM | model=/m");
    set.entrypoint = Some(spanned(&["sleep"]));
    assert_eq!(shown(&set), "none");
    set.entrypoint = Some(spanned(&["/entry.sh"]));
    assert_eq!(shown(&set), "vLLM | unread: the script `/entry.sh` is not read yet");
    set.entrypoint = Some(Vec::new());
    assert_eq!(shown(&set), "none");
    set.command = Some(spanned(&["vllm", "serve", "/m"]));
    assert_eq!(shown(&set), "vLLM | model=/m");
    set.command = None;
    assert_eq!(shown(&set), "none");
}

#[test]
fn an_official_script_hands_its_words_over_to_the_program() {
    let tgi = "ghcr.io/huggingface/text-generation-inference:3.3.4";
    let mut inspected = service(tgi, &["--model-id", "/m"]);
    inspected.entrypoint = Some(spanned(&["./entrypoint.sh"]));
    assert_eq!(shown(&inspected), "TGI | model=/m | port=80 | version=3.3.4");
    let mut inspected = service("localai/localai:v2.26.0", &["phi"]);
    inspected.entrypoint = Some(spanned(&["/entrypoint.sh"]));
    let unread = "unread: the models `phi` of `MODELS` are not looked at yet";
    assert_eq!(shown(&inspected), format!("LocalAI | version=2.26.0 | {unread}"));
}

fn check_script(script: &str, expected: &str) {
    let mut service = service("acme/vllm-base", &[script]);
    service.entrypoint = Some(spanned(&["/bin/bash", "-lc"]));
    let variables = [("MODEL", "/m/x"), ("PORT", "81"), ("ARGS", "--dtype half --port 7")];
    assert_eq!(shown(&with_environment(service, &variables)), expected, "{script}");
}

#[test]
fn a_shell_script_is_followed_to_the_engine() {
    let model = "vLLM | model=/m/x";
    check_script("exec vllm serve $MODEL", model);
    check_script("vllm serve \"${MODEL}\"", model);
    check_script("set -e; cd /w && exec vllm serve ${NONE:-/m/x}", model);
    check_script("vllm serve $MODEL --port $PORT", "vLLM | model=/m/x | port=81");
    check_script("vllm serve $MODEL $ARGS", "vLLM | model=/m/x | port=7 | dtype=half");
    check_script("MODEL=/y; vllm serve $MODEL", "vLLM | model=/y");
    check_script("export MODEL=/y && vllm serve $MODEL", "vLLM | model=/y");
    check_script("MODEL=/y vllm serve $MODEL", model);
    check_script("cd /w && vllm serve ./m", "vLLM | model=/w/m");
    check_script("bash -c 'vllm serve $MODEL'", model);
    check_script("vllm serve \\\n  $MODEL \\\n  --port 9 # note", "vLLM | model=/m/x | port=9");
    check_script("if true; then vllm serve $MODEL; fi > /log 2>&1", model);
    check_script("vllm serve $WHAT", "vLLM | unread: `$WHAT` is not in the service's environment");
    check_script(
        "vllm serve --model $WHAT --port 9",
        "vLLM | port=9 | unread: the value of `--model` is not known: \
         `$WHAT` is not in the service's environment",
    );
    check_script("vllm serve /m --api-key $KEY", "vLLM | model=/m");
    check_script(
        "vllm serve /a & vllm serve /b",
        "vLLM | model=/a | unread: the script starts an engine more than once, of which the \
         first is read",
    );
    check_script("/run.sh", "vLLM | unread: the script `/run.sh` is not read yet");
    check_script("sleep infinity", "none");
    check_script("", "none");
}

#[test]
fn arguments_behind_a_script_reach_the_engine_with_their_own_places() {
    let mut service = service("acme/x", &["--model", "/m"]);
    service.entrypoint = Some(spanned(&["sh", "-c", "exec vllm serve \"$@\"", "--"]));
    assert_eq!(shown(&service), "vLLM | model=/m");
    let mut sources = SourceMap::default();
    let source = sources.add(Path::new("compose.yaml"), "--model /m".to_owned());
    let place = Place::at(Span { source, start: 8, end: 10 });
    service.command.as_mut().unwrap()[1].place = place.clone();
    let invocation = invocation(&service).unwrap();
    assert_eq!(invocation.model().map(|model| &model.place), Some(&place));
    assert_eq!(invocation.model().map(|model| model.by.as_str()), Some("--model"));
}

#[test]
fn a_relative_path_needs_a_known_working_directory() {
    let unread = "vLLM | unread: `./m` is relative to the image's working directory, \
                  which is not known";
    check("acme/x", "vllm serve ./m", unread);
    let mut service = service("acme/x", &["vllm", "serve", "models/m"]);
    service.working_dir = Some(ServicePath::new("/srv"));
    assert_eq!(shown(&service), "vLLM | model=models/m");
    service.mounts.push(Mount {
        source: MountSource::Anonymous,
        target: ServicePath::new("/srv/models"),
        read_only: true,
        place: Place::nowhere(),
    });
    assert_eq!(shown(&service), "vLLM | model=/srv/models/m");
}

#[test]
fn llama_server_opens_what_its_flags_name() {
    check(
        LLAMA,
        "-m /m.gguf -c 8192 --port 81",
        "llama.cpp | model=/m.gguf | port=81 | context=8192",
    );
    check(LLAMA, "--model m.gguf -c 0", "llama.cpp | model=/app/m.gguf");
    check(LLAMA, "-m a/b -ngl -1 -fa -c 10", "llama.cpp | model=/app/a/b | context=10");
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
    check(LLAMA, "-m /m --lora-scaled /a 0.5 -c 9", "llama.cpp | model=/m | lora=/a | context=9");
    check(LLAMA, "-m /m -md /d", "llama.cpp | model=/m | draft=/d");
    check(LLAMA, "-m /m -hfd o/d:Q4_0", "llama.cpp | model=/m | draft=o/d:Q4_0");
    check(LLAMA, "-m /m --chat-template-file /t", "llama.cpp | model=/m | template=/t");
    check(LLAMA, "-m /m --chat-template chatml", "llama.cpp | model=/m");
    check(LLAMA, "-m /m -a one,two", "llama.cpp | model=/m | name=one | name=two");
    check(LLAMA, "-m /m --api-prefix /llm", "llama.cpp | model=/m | prefix=/llm");
    check(LLAMA, "--models-dir /models", "llama.cpp | models=/models");
    check(LLAMA, "--models-preset /p.ini", "llama.cpp | unread: the file `/p.ini` is not read yet");
    check(LLAMA, "-m", "llama.cpp | NoValue { flag: \"-m\" }");
    let joined = "llama.cpp | model=/m | JoinedValue { flag: \"--model\", value: \"/m\" }";
    check(LLAMA, "--model=/m", joined);
    check(LLAMA, "--override-kv a=int:1 -m /m", "llama.cpp | model=/m");
    check(LLAMA, "sleep infinity", "none");
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
        ("LLAMA_ARG_MODEL_DRAFT", "/d"),
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
    let expected = "vLLM | port=81 | EmptyValue { by: \"--model\" }";
    assert_eq!(shown(&empty), expected);
}

const WORDS: [&str; 40] = [
    "vllm",
    "serve",
    "--model",
    "-m",
    "llama-server",
    "sh",
    "-c",
    "env",
    "exec",
    "--",
    "-",
    "",
    "=",
    "--=",
    "--a.b",
    "--a=b",
    "$A",
    "${A:-",
    "\"$@\"",
    "'",
    "\"",
    "`",
    "$(",
    "a;b",
    "--lora-scaled",
    "0.5",
    "-hf",
    "o/r:",
    ":",
    "--config",
    "python",
    "-o",
    "bash",
    "--lora-modules",
    "{\"path\":",
    "--speculative-config",
    "ollama",
    "local-ai",
    "v2",
    "sh -c 'vllm serve $A' & \"$@\" \\",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..8)
            .prop_map(|words| words.join(" ")),
    ]
}

proptest! {
    #[test]
    fn no_words_make_it_panic(
        image in prop_oneof![
            Just(VLLM.to_owned()), Just(LLAMA.to_owned()), Just("ollama/ollama".to_owned()),
            Just("acme/sglang".to_owned()), Just("localai/localai".to_owned()), any::<String>(),
        ],
        entrypoint in proptest::option::of(proptest::collection::vec(word(), 0..4)),
        command in proptest::option::of(proptest::collection::vec(word(), 0..12)),
        value in any::<Option<String>>(),
    ) {
        let spanned = |words: Vec<String>| words.into_iter().map(Spanned::nowhere).collect();
        let mut service = service(&image, &[]);
        service.entrypoint = entrypoint.map(spanned);
        service.command = command.map(spanned);
        service.environment.insert("A".to_owned(), Spanned::nowhere(value));
        if let Some(invocation) = invocation(&service) {
            let model = invocation.opens.iter().position(|opens| opens.part == Part::Model);
            prop_assert!(model.is_none_or(|index| index == 0));
        }
    }
}

/// How long the loop below goes on.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is no option of the product")]
fn fuzz_time() -> std::time::Duration {
    let seconds = std::env::var("PREFLIGHT_TEST_FUZZ_SECONDS").ok();
    std::time::Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(2))
}

/// xorshift64*: the same words on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % most.max(1)
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// A word of the engines, one that was cut or put together, or any bytes.
    fn word(&mut self, words: &[&str]) -> String {
        match self.below(8) {
            0 => format!("{}{}", self.of(words), self.of(words)),
            1 => format!("{}={}", self.of(words), self.of(words)),
            2 => {
                let word = self.of(words);
                word.chars().take(self.below(word.chars().count() + 1)).collect()
            }
            3 => (0..self.below(12))
                .map(|_| char::from(u8::try_from(self.below(128)).unwrap()))
                .collect(),
            4 => {
                let joined: Vec<&str> = (0..self.below(9)).map(|_| self.of(words)).collect();
                joined.join(" ")
            }
            _ => self.of(words).to_owned(),
        }
    }
}

#[test]
fn random_command_lines_are_read_without_a_panic() {
    let images = [VLLM, LLAMA, "vllm/vllm-openai:v0.33.0", "ghcr.io/ggml-org/llama.cpp:full"];
    let more =
        ["ollama/ollama", "localai/localai", "michaelf34/infinity", "lmsysorg/sglang", "a/b"];
    let images = [&images[..], &more[..]].concat();
    let words: Vec<&str> = WORDS.iter().copied().chain(every_flag::words()).collect();
    let mut dice = Dice(0x5EED);
    let end = std::time::Instant::now() + fuzz_time();
    let mut engines = 0_u32;
    while std::time::Instant::now() < end {
        let length = dice.below(14);
        let command: Vec<String> = (0..length).map(|_| dice.word(&words)).collect();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut service = service(dice.of(&images), &command);
        if dice.below(4) == 0 {
            let entrypoint: Vec<String> = (0..dice.below(4)).map(|_| dice.word(&words)).collect();
            service.entrypoint = Some(entrypoint.into_iter().map(Spanned::nowhere).collect());
        }
        let name = dice.of(&["MODEL", "LLAMA_ARG_MODEL", "HF_HOME", "PORT", "A", "MODEL_ID"]);
        let value = dice.word(&words);
        let service = with_environment(service, &[(name, &value)]);
        engines += u32::from(invocation(&service).is_some());
    }
    assert!(100 < engines, "the loop has started {engines} engines");
}

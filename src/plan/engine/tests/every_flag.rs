//! Every flag and variable that names something, at least once, with what the engine opens for it.

use super::*;
use std::ops::RangeBounds as _;

use crate::plan::engine::arguments::Arity;
use crate::plan::engine::flag_table::{FlagTable, Form, Takes};

/// Flags of llama.cpp that take one value and change nothing of what [`shown`] tells.
const LLAMA_ONE: &[&str] = &[
    "-hft",
    "--hf-token",
    "--ssl-key-file",
    "--ssl-cert-file",
    "-lcs",
    "-lcd",
    "--log-file",
    "--rpc",
    "--video-ffmpeg-dir",
    "-np",
    "-ctk",
    "-ctv",
    "-ngl",
    "-fit",
    "-fitt",
    "-fitc",
    "-lm",
    "--load-mode",
    "--override-kv",
    "--pooling",
    "--chat-template",
];

/// Switches of llama.cpp that change nothing of what [`shown`] tells.
const LLAMA_SWITCHES: &[&str] =
    &["--mmproj-auto", "--no-mmproj", "--check-tensors", "--offline", "--embedding"];

/// Flags of the other engines.
const OTHERS: &[&str] = &[
    "--model-id",
    "--model-path",
    "--lora-paths",
    "--models-path",
    "--quantize",
    "--dense-path",
    "--huggingface-hub-cache",
    "--weights-cache-override",
    "--lora-adapters",
    "--config",
];

/// Every word of the tables.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    let of_vllm = vllm_table().forms().iter().flat_map(|form| form.spellings.iter());
    [LLAMA_ONE, LLAMA_SWITCHES, OTHERS].into_iter().flatten().chain(of_vllm).copied()
}

fn vllm_table() -> &'static FlagTable {
    Engine::Vllm.profile().grammar.unwrap().table.unwrap()
}

/// A value that a flag takes.
fn value_of(form: &Form) -> &'static str {
    match &form.takes {
        Takes::Text | Takes::Secret => "value",
        Takes::Number if !form.bounds.contains(&1.0) => "0",
        Takes::Integer | Takes::Number | Takes::Human { .. } | Takes::HumanIec => "1",
        Takes::Json | Takes::Object | Takes::JsonOrText => "{}",
        Takes::Boolean => "true",
        Takes::Choice(words) => words[0],
    }
}

#[test]
fn a_flag_of_vllm_takes_its_own_values_and_leaves_the_model_alone() {
    // What changes the model or needs another flag is looked at elsewhere.
    let apart = ["--model", "--config", "--lora-modules", "--optimization-level"];
    let releases: [(&str, &[u32]); 3] =
        [("v0.8.4", &[0, 8, 4]), ("v0.12.0", &[0, 12, 0]), ("v0.33.0", &[0, 33, 0])];
    let mut count = 0;
    for (tag, release) in releases {
        let image = format!("vllm/vllm-openai:{tag}");
        for form in vllm_table().forms_of(Some(release)).filter(|it| !apart.contains(&it.name())) {
            let value = value_of(form);
            for spelling in &form.spellings {
                let words = match form.arity {
                    Arity::Switch => vec![vec![*spelling, "/m"], vec!["--model", "/m", spelling]],
                    Arity::Many => vec![vec!["/m", spelling, value, value, "--port", "9"]],
                    Arity::One | Arity::Two | Arity::Optional => {
                        vec![vec![*spelling, value, "/m"], vec!["/m", spelling, value]]
                    }
                };
                for words in words {
                    let mut set = service(&image, &words);
                    set.entrypoint = Some(spanned(&["vllm", "serve"]));
                    let invocation = invocation(&set).unwrap();
                    let refused: Vec<_> = invocation
                        .complaints
                        .iter()
                        .filter(|complaint| !matches!(complaint.value, Complaint::Refused(_)))
                        .collect();
                    let model = invocation.model().map(|model| model.named.to_string());
                    assert_eq!(model.as_deref(), Some("/m"), "{tag} {words:?}");
                    assert!(refused.is_empty(), "{tag} {words:?} {refused:?}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 1000, "{count}");
}

#[test]
fn a_flag_of_llama_cpp_takes_its_own_values_and_leaves_the_model_alone() {
    let opens = |words: &[&str]| {
        let service = service(LLAMA, words);
        let invocation = invocation(&service).unwrap();
        let is_known = |it: &Spanned<Complaint>| matches!(it.value, Complaint::BadValue { .. });
        assert!(
            invocation.complaints.iter().all(is_known),
            "{words:?}: {:?}",
            invocation.complaints
        );
        assert_eq!(invocation.model().map(|it| it.named.to_string()).as_deref(), Some("/m"));
    };
    for flag in LLAMA_ONE {
        opens(&[flag, "value", "-m", "/m"]);
        opens(&[flag, "-1", "-m", "/m"]);
    }
    for flag in LLAMA_SWITCHES {
        opens(&[flag, "-m", "/m"]);
    }
}

#[test]
fn every_spelling_of_llama_cpp_opens_the_same() {
    let rows: &[(&[&str], &str, &str)] = &[
        (&["-m", "--model"], "/m", "model=/m"),
        (&["-mu", "--model-url"], "https://h/m", "model=https://h/m"),
        (&["-dr", "--docker-repo"], "o/r", "model=docker://o/r"),
        (&["-hf", "-hfr", "--hf-repo"], "o/r:Q8_0", "model=o/r:Q8_0"),
        (&["-mm", "--mmproj"], "/p", "mmproj=/p"),
        (&["-mmu", "--mmproj-url"], "https://h/p", "mmproj=https://h/p"),
        (&["--lora"], "/l,/k", "lora=/l | lora=/k"),
        (&["--lora-scaled"], "/l:0.5", "lora=/l"),
        (&["-md", "--model-draft", "--spec-draft-model"], "/d", "draft=/d"),
        (&["-hfd", "-hfrd", "--hf-repo-draft", "--spec-draft-hf"], "o/d", "draft=o/d"),
        (&["--chat-template-file"], "/t", "template=/t"),
        (&["--grammar-file"], "/g", "text=/g"),
        (&["-jf", "--json-schema-file"], "/s", "text=/s"),
        (&["--api-key-file"], "/k", "text=/k"),
        (&["--ui-config-file", "--webui-config-file"], "/u", "text=/u"),
        (&["--mcp-servers-config"], "/c", "text=/c"),
        (&["--path"], "/w", "folder=/w"),
        (&["--slot-save-path"], "/w", "folder=/w"),
        (&["--media-path"], "/w", "folder=/w"),
        (&["--control-vector"], "/l,/k", "control-vector=/l | control-vector=/k"),
        (&["--control-vector-scaled"], "/l:0.5,/k:1", "control-vector=/l | control-vector=/k"),
        (&["--ssl-key-file", "--ssl-cert-file"], "/k", ""),
        (&["--ssl-cert-file /c --ssl-key-file"], "/k", "text=/k | text=/c"),
        (&["--models-dir"], "/ms", "models=/ms"),
        (&["-a", "--alias"], "n", "name=n"),
        (&["-c", "--ctx-size"], "512", "context=512"),
        (&["--port"], "81", "port=81"),
        (&["--api-prefix"], "/x", "prefix=/x"),
    ];
    for (flags, value, expected) in rows {
        for flag in *flags {
            let expected = format!("llama.cpp | {expected}");
            check(LLAMA, &format!("{flag} {value}"), expected.trim_end_matches(" | "));
        }
    }
    for flag in ["-hff", "--hf-file"] {
        check(LLAMA, &format!("-hf o/r {flag} f.gguf"), "llama.cpp | model=o/r:f.gguf");
    }
}

#[test]
fn every_variable_of_llama_cpp_stands_for_its_flag() {
    for (variable, value, expected) in [
        ("LLAMA_ARG_MODEL", "/m", "model=/m"),
        ("LLAMA_ARG_MODEL_URL", "https://h/m", "model=https://h/m"),
        ("LLAMA_ARG_DOCKER_REPO", "gemma3", "model=docker://ai/gemma3"),
        ("LLAMA_ARG_HF_REPO", "o/r", "model=o/r"),
        ("LLAMA_ARG_MMPROJ", "/p", "mmproj=/p"),
        ("LLAMA_ARG_MMPROJ_URL", "https://h/p", "mmproj=https://h/p"),
        ("LLAMA_ARG_SPEC_DRAFT_MODEL", "/d", "draft=/d"),
        ("LLAMA_ARG_SPEC_DRAFT_HF_REPO", "o/d", "draft=o/d"),
        ("LLAMA_ARG_API_KEY_FILE", "/k", "text=/k"),
        ("LLAMA_ARG_UI_CONFIG_FILE", "/u", "text=/u"),
        ("LLAMA_ARG_STATIC_PATH", "/w", "folder=/w"),
        ("LLAMA_ARG_SLOT_SAVE_PATH", "/w", "folder=/w"),
        ("LLAMA_ARG_CHAT_TEMPLATE_FILE", "/t", "template=/t"),
        ("LLAMA_ARG_MODELS_DIR", "/ms", "models=/ms"),
        ("LLAMA_ARG_CTX_SIZE", "512", "context=512"),
        ("LLAMA_ARG_ALIAS", "n", "name=n"),
        ("LLAMA_ARG_PORT", "81", "port=81"),
        ("LLAMA_ARG_API_PREFIX", "/x", "prefix=/x"),
    ] {
        let set = with_environment(service(LLAMA, &[]), &[(variable, value)]);
        assert_eq!(shown(&set), format!("llama.cpp | {expected}"), "{variable}");
    }
    for (tag, variable, expected) in [
        ("server-b6000", "LLAMA_ARG_MODEL_DRAFT", " | draft=/d"),
        ("server-b6000", "LLAMA_ARG_SPEC_DRAFT_MODEL", ""),
        ("server-b11669", "LLAMA_ARG_MODEL_DRAFT", ""),
        ("server-b11669", "LLAMA_ARG_SPEC_DRAFT_MODEL", " | draft=/d"),
    ] {
        let image = format!("ghcr.io/ggml-org/llama.cpp:{tag}");
        let set = with_environment(service(&image, &[]), &[(variable, "/d")]);
        let build = tag.strip_prefix("server-").unwrap();
        let expected = format!("llama.cpp{expected} | version={build}");
        assert_eq!(shown(&set), expected, "{variable} in {tag}");
    }
    let set = [("LLAMA_ARG_HF_REPO", "o/r"), ("LLAMA_ARG_HF_FILE", "f.gguf")];
    let set = with_environment(service(LLAMA, &[]), &set);
    assert_eq!(shown(&set), "llama.cpp | model=o/r:f.gguf");
}

#[test]
fn an_engine_that_may_not_ask_the_hub_says_so() {
    let offline = |image: &str, command: &[&str], variables: &[(&str, &str)]| {
        invocation(&with_environment(service(image, command), variables)).unwrap().offline
    };
    assert!(offline(LLAMA, &["-hf", "o/r", "--offline"], &[]));
    assert!(offline(LLAMA, &["-hf", "o/r"], &[("LLAMA_ARG_OFFLINE", "1")]));
    assert!(!offline(LLAMA, &["-hf", "o/r"], &[("HF_HUB_OFFLINE", "1")]));
    let tei = "ghcr.io/huggingface/text-embeddings-inference:1.8";
    assert!(!offline(tei, &["--model-id", "o/r"], &[("HF_HUB_OFFLINE", "1")]));
    let without = |command: &[&str], variables: &[(&str, &str)]| {
        let service = service(LLAMA, &[&["-hf", "o/r"], command].concat());
        invocation(&with_environment(service, variables)).unwrap().without_projector
    };
    assert!(without(&["--no-mmproj"], &[]));
    assert!(without(&["--no-mmproj-auto"], &[]));
    assert!(!without(&["--no-mmproj", "--mmproj-auto"], &[]));
    assert!(without(&[], &[("LLAMA_ARG_MMPROJ_AUTO", "off")]));
    assert!(without(&[], &[("LLAMA_ARG_NO_MMPROJ", "1")]));
    assert!(!without(&["--mmproj-auto"], &[("LLAMA_ARG_NO_MMPROJ", "1")]));
    assert!(!without(&[], &[]));
    for name in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        for (value, expected) in [("1", true), ("yes", true), ("0", false), ("", false)] {
            assert_eq!(offline(VLLM, &["o/r"], &[(name, value)]), expected, "{name}={value}");
        }
    }
}

#[test]
fn the_flags_of_the_other_engines_open_what_they_name() {
    let tgi = "ghcr.io/huggingface/text-generation-inference";
    check(
        tgi,
        "--model-id a/b --revision r --dtype float16",
        "TGI | model=a/b@r | port=80 | dtype=float16",
    );
    check(tgi, "--model-id a/b --tokenizer-config-path /t", "TGI | model=a/b | port=80");
    let tei = "ghcr.io/huggingface/text-embeddings-inference";
    check(
        tei,
        "--model-id a/b --pooling mean --dense-path 2_Dense --hf-token t --served-model-name n",
        "TEI | model=a/b | name=n | port=80",
    );
    let sglang = "python3 -m sglang.launch_server --model-path /m";
    for (words, expected) in [
        ("--speculative-draft-model /d", " | draft=/d"),
        ("--lora-paths n=/l", " | lora=/l"),
        (r#"--lora-paths {"lora_name":"n","lora_path":"/l"}"#, " | lora=/l"),
        ("--uno-lora-path /l", " | lora=/l"),
        ("--quantization fp8 --quantization-param-path /q", " | quantization=fp8"),
        ("--load-format auto --kt-weight-path /k", ""),
        ("--download-dir /d", " | download=/d"),
        ("--chat-template /t.jinja", " | template=/t.jinja"),
        ("--config /c.yaml", " | unread: the file `/c.yaml` was not seen"),
    ] {
        check("", &format!("{sglang} {words}"), &format!("SGLang | model=/m{expected}"));
    }
    for (variable, expected) in [
        (("LOCALAI_MODELS_PATH", "/ms"), "models=/ms"),
        (("MODELS_PATH", "/ms"), "models=/ms"),
        (("LOCALAI_MODELS_CONFIG_FILE", "/c"), "unread: the file `/c` is not read yet"),
        (("MODELS", "phi"), "unread: the models `phi` of `MODELS` are not looked at yet"),
    ] {
        let set = with_environment(service("localai/localai", &[]), &[variable]);
        assert_eq!(shown(&set), format!("LocalAI | {expected}"));
    }
    check(
        "michaelf34/infinity",
        "v2 --model-id a/b --revision r --engine torch --served-model-name n",
        "Infinity | model=a/b@r | name=n | code=yes",
    );
    let variables = [("OLLAMA_CONTEXT_LENGTH", "8192"), ("OLLAMA_KV_CACHE_TYPE", "q8_0")];
    let set = with_environment(service("ollama/ollama", &[]), &variables);
    assert_eq!(shown(&set), "Ollama | context=8192 | models=/root/.ollama/models");
}

#[test]
fn a_flag_that_a_release_of_vllm_has_no_more_is_refused() {
    let removed = ["--calculate-kv-scales", "--swap-space 4", "--task embed"];
    for line in removed.into_iter().chain(["--cuda-graph-sizes 1 2"]) {
        let words: Vec<&str> = ["/m"].into_iter().chain(line.split(' ')).collect();
        let refused = |image: &str| grammars::refused(&service(image, &words));
        let flag = words[1];
        assert_eq!(refused("vllm/vllm-openai:v0.12.0"), "", "{line}");
        assert_eq!(refused("vllm/vllm-openai:v0.33.0"), flag, "{line}");
        // A newer release may have it again, and what is pulled may be an old one.
        for tag in ["v0.34.0", "latest", "nightly"] {
            assert_eq!(refused(&format!("vllm/vllm-openai:{tag}")), format!("?{flag}"), "{tag}");
        }
    }
    // It came back as the reverse of `--enable-log-requests`.
    for (tag, expected) in [("v0.32.0", "--disable-log-requests"), ("v0.33.0", ""), ("latest", "")]
    {
        let set = service(&format!("vllm/vllm-openai:{tag}"), &["/m", "--disable-log-requests"]);
        assert_eq!(grammars::refused(&set), expected, "{tag}");
    }
    let own = service("acme/vllm:v0.33.0", &["--model", "/m", "--task", "embed"]);
    assert_eq!(grammars::refused(&own), "?--task");
}

#[test]
fn every_image_of_vllm_starts_as_its_release_does() {
    let serve = |version: &str| format!("vLLM | model=/m{version}");
    check("vllm/vllm-openai-cpu:v0.12.0", "/m", &serve(" | version=0.12.0"));
    check("vllm/vllm-openai-rocm:v0.33.0", "/m", &serve(" | version=0.33.0"));
    check("vllm/vllm-openai-rocm:v0.12.0", "/m", "none");
    check("vllm/vllm-openai:v0.9.2", "--model /m", &serve(" | version=0.9.2"));
    let set = with_environment(service(VLLM, &["/m"]), &[("VLLM_MODEL_REDIRECT_PATH", "/t")]);
    let unread = "unread: the names that `/t` puts in place of others are not read yet";
    assert_eq!(shown(&set), format!("vLLM | model=/m | {unread}"));
}

#[test]
fn sglang_reads_the_file_that_its_command_line_is_continued_in() {
    let check = |words: &str, text: &str, expected: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        let start = ["python3", "-m", "sglang.launch_server", "--config", "/c.yaml"];
        let mut service = service("lmsysorg/sglang", &[&start[..], &words].concat());
        service.texts.insert(ServicePath::new("/c.yaml"), text.to_owned().into());
        assert_eq!(shown(&service), format!("SGLang{expected}"), "{words:?} {text}");
    };
    let file = "model-path: /m\ntensor_parallel_size: 2\nport: 81\ntrust-remote-code: true\n";
    check("", file, " | model=/m | port=81 | tp=2 | code=yes");
    check("--port 82 --model-path /n", file, " | model=/n | port=82 | tp=2 | code=yes");
}

#[test]
fn a_switch_of_llama_cpp_stands_for_a_model_of_the_hub() {
    check(
        LLAMA,
        "--gpt-oss-20b-default",
        "llama.cpp | model=ggml-org/gpt-oss-20b-GGUF:gpt-oss-20b-mxfp4.gguf | port=8013",
    );
    check(
        LLAMA,
        "--gpt-oss-120b-default",
        "llama.cpp | model=ggml-org/gpt-oss-120b-GGUF | port=8013",
    );
    check(
        LLAMA,
        "--fim-qwen-7b-spec --port 81",
        "llama.cpp | model=ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF:qwen2.5-coder-7b-q8_0.gguf | \
         draft=ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF:qwen2.5-coder-0.5b-q8_0.gguf | port=81",
    );
    check(LLAMA, "--embd-gemma-default -m /m", "llama.cpp | model=/m");
}

#[test]
fn the_file_of_presets_names_the_models_of_the_router() {
    let text = "\
version = 1
model = /not-in-a-section

[*]
c = 8192

[small]
; its projector too
m = /m/small.gguf
mmproj = /m/p.gguf
jinja = true

[hub]
hf-repo = o/r:Q8_0
";
    let mut service = service(LLAMA, &["--models-preset", "/p.ini"]);
    assert_eq!(unseen_text(&service), Some(ServicePath::new("/p.ini")));
    service.texts.insert(ServicePath::new("/p.ini"), text.to_owned().into());
    assert_eq!(unseen_text(&service), None);
    let expected = "llama.cpp | model=/m/small.gguf | model=o/r:Q8_0 | mmproj=/m/p.gguf";
    assert_eq!(shown(&service), expected);
}

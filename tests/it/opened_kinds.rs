//! What every engine makes of every kind of thing that it can be given as its model.
//!
//! Each row is one engine: what preflight has to say of each kind, and where that is written in the
//! engine. llama.cpp's row is compared with the genuine server as well, where it can be had.

use serde_json::Value;

use crate::gguf_oracle::server;
use crate::llama_files::words_until;
use crate::sandbox::{Sandbox, repository};

/// What can be named, below the folder of the models.
const KINDS: [&str; 9] = [
    "tiny.gguf",
    "part.safetensors",
    "pickle.bin",
    "words.txt",
    "hub/config.json",
    "ggufs",
    "hub",
    "empty",
    "adapter",
];

/// One engine.
struct Row {
    /// Its service, with `KIND` where the model is named.
    service: &'static str,
    /// Where it is written what it opens.
    source: &'static str,
    /// The verdict of each kind, and what the first error says.
    expected: [(&'static str, &'static str); 9],
}

const READY: (&str, &str) = ("ready", "");
const SKIPPED: (&str, &str) = ("skipped", "");

const fn not_ready(says: &'static str) -> (&'static str, &'static str) {
    ("not-ready", says)
}

const NOT_GGUF: (&str, &str) = not_ready("is not a GGUF file, and llama.cpp opens nothing else");
const A_FOLDER: (&str, &str) = not_ready("is a folder, and llama.cpp opens a file");
const EMPTY: (&str, &str) = not_ready("is empty");

const VLLM: Row = Row {
    service: "image: vllm/vllm-openai:v0.12.0\n    command: --model KIND",
    source: "vLLM 0.12.0 transformers_utils/config.py get_config (a GGUF file, else a folder or a \
             repository with config.json or params.json), model_loader/gguf_loader.py \
             _prepare_weights (a file, no folder)",
    expected: [
        READY,
        not_ready("is a file, and vLLM opens a folder with `config.json` in it"),
        not_ready("is a file, and vLLM opens a folder with `config.json` in it"),
        not_ready("is a file, and vLLM opens a folder with `config.json` in it"),
        not_ready("is a file, and vLLM opens a folder with `config.json` in it"),
        not_ready("is a folder of GGUF files, and vLLM opens one with `config.json` in it"),
        READY,
        EMPTY,
        not_ready("is an adapter, and vLLM opens a model, which has a `config.json`"),
    ],
};

const SGLANG: Row = Row {
    service: "image: lmsysorg/sglang:v0.5.3\n    \
              command: python3 -m sglang.launch_server --model-path KIND",
    source: "SGLang 0.5 srt/hf_transformers_utils.py get_config, check_gguf_file (a GGUF file, else \
             what transformers takes a configuration from), srt/model_loader/loader.py (weights of \
             os.path.isdir, else of a repository)",
    expected: [
        READY,
        not_ready("is a file, and SGLang opens a folder with `config.json` in it"),
        not_ready("is a file, and SGLang opens a folder with `config.json` in it"),
        not_ready("is a file, and SGLang opens a folder with `config.json` in it"),
        not_ready("is a file, and SGLang opens a folder with `config.json` in it"),
        not_ready("is a folder of GGUF files, and SGLang opens one with `config.json` in it"),
        READY,
        EMPTY,
        not_ready("is an adapter, and SGLang opens a model, which has a `config.json`"),
    ],
};

const TGI: Row = Row {
    service: "image: ghcr.io/huggingface/text-generation-inference:3.3.4\n    \
              command: --model-id KIND",
    source: "TGI db931fc server/text_generation_server/cli.py:169 download_weights (is_dir, else a \
             repository; weights that are there are taken)",
    expected: [
        not_ready("is a GGUF file, and TGI opens a folder with `config.json` in it"),
        not_ready("is a file, and TGI opens a folder with `config.json` in it"),
        not_ready("is a file, and TGI opens a folder with `config.json` in it"),
        not_ready("is a file, and TGI opens a folder with `config.json` in it"),
        not_ready("is a file, and TGI opens a folder with `config.json` in it"),
        not_ready("is a folder of GGUF files, and TGI opens one with `config.json` in it"),
        READY,
        EMPTY,
        not_ready(
            "is an adapter, and TGI takes its `adapter_model.safetensors` for the weights of a model",
        ),
    ],
};

const TEI: Row = Row {
    service: "image: ghcr.io/huggingface/text-embeddings-inference:cpu-1.8\n    \
              command: --model-id KIND",
    source: "TEI 0d124dc router/src/lib.rs:75 run (is_dir, else a repository; then config.json)",
    expected: [
        not_ready("is a GGUF file, and TEI opens a folder with `config.json` in it"),
        not_ready("is a file, and TEI opens a folder with `config.json` in it"),
        not_ready("is a file, and TEI opens a folder with `config.json` in it"),
        not_ready("is a file, and TEI opens a folder with `config.json` in it"),
        not_ready("is a file, and TEI opens a folder with `config.json` in it"),
        not_ready("is a folder of GGUF files, and TEI opens one with `config.json` in it"),
        READY,
        EMPTY,
        not_ready("is an adapter, and TEI opens a model, which has a `config.json`"),
    ],
};

const INFINITY: Row = Row {
    service: "image: michaelf34/infinity:0.0.77\n    command: v2 --model-id KIND",
    source: "Infinity fcb951c infinity_emb/inference/select_model.py:30 \
             get_engine_type_from_config (is_dir, else a repository; then config.json)",
    expected: [
        not_ready("is a GGUF file, and Infinity opens a folder with `config.json` in it"),
        not_ready("is a file, and Infinity opens a folder with `config.json` in it"),
        not_ready("is a file, and Infinity opens a folder with `config.json` in it"),
        not_ready("is a file, and Infinity opens a folder with `config.json` in it"),
        not_ready("is a file, and Infinity opens a folder with `config.json` in it"),
        not_ready("is a folder of GGUF files, and Infinity opens one with `config.json` in it"),
        READY,
        EMPTY,
        not_ready("is an adapter, and Infinity opens a model, which has a `config.json`"),
    ],
};

const LLAMA_CPP: Row = Row {
    service: "image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    command: -m KIND -c 256",
    source: "llama.cpp ggml/src/gguf.cpp gguf_init_from_reader (invalid magic characters; failed to \
             read magic, for a folder)",
    expected: [
        READY,
        NOT_GGUF,
        NOT_GGUF,
        not_ready("is a file that begins with `this` and not a model"),
        not_ready("is a JSON document and not a model"),
        A_FOLDER,
        A_FOLDER,
        EMPTY,
        A_FOLDER,
    ],
};

const OLLAMA: Row = Row {
    service: "image: ollama/ollama:0.9.2\n    environment: {OLLAMA_MODELS: KIND}",
    source: "Ollama fb30760 envconfig/config.go Models (a store of its own, filled by clients)",
    expected: [SKIPPED; 9],
};

const LOCALAI: Row = Row {
    service: "image: localai/localai:latest-cpu\n    command: --models-path KIND",
    source: "LocalAI 82c191a core/cli/run.go (a folder of descriptions of its own)",
    expected: [SKIPPED; 9],
};

const ROWS: [&Row; 8] = [&VLLM, &SGLANG, &TGI, &TEI, &INFINITY, &LLAMA_CPP, &OLLAMA, &LOCALAI];

/// Genuine files of every kind.
fn sandbox() -> Sandbox {
    let models = repository().join("examples/quickstart/models");
    let hub = models.join("vllm/tiny/bf16");
    let gguf = fs_err::read(models.join("gguf/tiny-Q4_K_M.gguf")).unwrap();
    let part = fs_err::read(hub.join("model-00001-of-00003.safetensors")).unwrap();
    let mut sandbox = Sandbox::new()
        .file("models/tiny.gguf", &gguf)
        .file("models/ggufs/tiny.gguf", &gguf)
        .file("models/part.safetensors", &part)
        // What `torch.save(None)` wrote before it wrote zip archives begins so.
        .file("models/pickle.bin", b"\x80\x02N.")
        .file("models/words.txt", "this is no model at all..\n")
        .file("models/adapter/adapter_model.safetensors", &part)
        .file(
            "models/adapter/adapter_config.json",
            r#"{"peft_type":"LORA","base_model_name_or_path":"acme/tiny","r":8}"#,
        );
    // TEI wants to be told how a model of this type pools.
    let modes = r#"{"pooling_mode_cls_token":false,"pooling_mode_mean_tokens":true}"#;
    sandbox = sandbox.file("models/hub/1_Pooling/config.json", modes);
    for entry in fs_err::read_dir(&hub).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        sandbox = sandbox.file(&format!("models/hub/{name}"), fs_err::read(entry.path()).unwrap());
    }
    fs_err::create_dir(sandbox.path().join("models/empty")).unwrap();
    sandbox
}

/// The verdict of the only lane, and every error, as it is told.
fn judged(sandbox: &Sandbox, service: &str, kind: &str) -> (String, Vec<String>) {
    let service = service.replace("KIND", &format!("/models/{kind}"));
    let compose =
        format!("services:\n  llm:\n    {service}\n    volumes: ['./models:/models:ro']\n");
    fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
    let run = sandbox.run(&["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", run.stdout, run.stderr);
    });
    let lanes = report["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 1, "{}", run.stdout);
    let findings = report["findings"].as_array().unwrap().iter();
    let errors = findings.filter(|finding| finding["severity"] == "error");
    let told = |finding: &Value| {
        let text = |field: &str| finding[field].as_str().unwrap().to_owned();
        format!("{} [{}]", text("message"), text("fix"))
    };
    (lanes[0]["verdict"].as_str().unwrap().to_owned(), errors.map(told).collect())
}

#[test]
fn every_engine_is_ready_for_what_it_opens_and_for_nothing_else() {
    let sandbox = sandbox();
    let mut wrong = Vec::new();
    for row in ROWS {
        for (kind, (verdict, says)) in KINDS.into_iter().zip(row.expected) {
            let (told, errors) = judged(&sandbox, row.service, kind);
            let is_said = match errors.first() {
                Some(first) => !says.is_empty() && first.contains(says),
                None => says.is_empty(),
            };
            if told != verdict || !is_said {
                let service = row.service;
                wrong.push(format!(
                    "{service}, {kind}: {told} {errors:#?}, not {verdict} {says}: {}",
                    row.source
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The draft is a model like any other (vLLM 0.12.0 config/speculative.py makes a `ModelConfig` of it,
/// SGLang 0.5 a draft worker with a configuration of its own).
#[test]
fn a_draft_model_is_opened_as_a_model_is() {
    let sandbox = sandbox();
    let vllm = "image: vllm/vllm-openai:v0.12.0\n    \
                command: --model /models/hub --speculative-config.model KIND";
    let sglang = "image: lmsysorg/sglang:v0.5.3\n    \
                  command: python3 -m sglang.launch_server --model-path /models/hub \
                  --speculative-draft-model-path KIND";
    for service in [vllm, sglang] {
        for (kind, says) in [
            ("hub", ""),
            ("part.safetensors", "is a file, and"),
            ("words.txt", "is a file, and"),
            ("hub/config.json", "is a file, and"),
            ("adapter", "is an adapter, and"),
        ] {
            let (verdict, errors) = judged(&sandbox, service, kind);
            let expected = if says.is_empty() { "ready" } else { "not-ready" };
            assert_eq!(verdict, expected, "{service} {kind}\n{errors:#?}");
            assert!(errors.iter().all(|error| error.contains(says)), "{kind}\n{errors:#?}");
        }
    }
}

#[test]
fn a_file_that_is_called_gguf_is_taken_for_one_by_who_opens_them() {
    let sandbox = sandbox().file("models/page.gguf", "<!doctype html><title>404</title>");
    for (row, says) in [
        (&VLLM, "is a web page and not a model"),
        (&SGLANG, "is a web page and not a model"),
        (&LLAMA_CPP, "is a web page and not a model"),
        (&TEI, "is a file, and TEI opens a folder with `config.json` in it"),
    ] {
        let (verdict, errors) = judged(&sandbox, row.service, "page.gguf");
        assert_eq!(verdict, "not-ready", "{errors:#?}");
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].contains(says), "{errors:#?}");
    }
}

#[test]
fn the_advice_for_a_folder_of_gguf_files_leads_to_what_the_engine_opens() {
    let sandbox = sandbox();
    let file = "/models/ggufs/tiny.gguf";
    for (row, advice) in [
        (&VLLM, format!("[serve `{file}` with llama.cpp (`ghcr.io/ggml-org/llama.cpp:server`)")),
        (&TGI, format!("[serve `{file}` with llama.cpp")),
        (&TEI, format!("[serve `{file}` with llama.cpp")),
        (&INFINITY, format!("[serve `{file}` with llama.cpp")),
        (&SGLANG, format!("[name `{file}` in the service's command, or a folder with safetensors")),
        (&LLAMA_CPP, format!("[name `{file}` in the service's command]")),
    ] {
        let (_, errors) = judged(&sandbox, row.service, "ggufs");
        assert!(errors.iter().any(|error| error.contains(&advice)), "{advice}\n{errors:#?}");
        assert_eq!(errors.len(), 1, "{errors:#?}");
    }
}

#[test]
fn llama_server_opens_of_every_kind_what_preflight_says() {
    let Some(server) = server() else { return };
    let sandbox = sandbox();
    let folder = sandbox.path().join("models");
    for (kind, (verdict, _)) in KINDS.into_iter().zip(LLAMA_CPP.expected) {
        let words = ["--port", "0", "-m", kind, "-c", "256", "-np", "1", "--no-warmup"];
        let (starts, text) = words_until(&server, &words, &folder, "model loaded");
        assert_eq!(starts, verdict == "ready", "{kind}\n{text}");
    }
}

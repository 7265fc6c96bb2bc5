//! What the engines beside vLLM and llama.cpp refuse and take: command lines, variables, and what their
//! models say of themselves.

use crate::sandbox::Sandbox;

/// One tensor.
fn safetensors() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let length = u64::try_from(header.len()).unwrap().to_le_bytes();
    [&length[..], header, &[0; 4]].concat()
}

/// A tokenizer that knows nothing.
const TOKENIZER: &str = r#"{"version":"1.0","model":{"type":"BPE","vocab":{},"merges":[]}}"#;

/// A service that serves the folder `model` with files beside the weights and the tokenizer.
fn sandbox(service: &str, folder: &str, files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new()
        .file("compose.yaml", format!("services:\n  e:\n{service}    volumes: ['./data:/data']\n"))
        .file(&format!("{folder}/model.safetensors"), safetensors())
        .file(&format!("{folder}/tokenizer.json"), TOKENIZER);
    files
        .iter()
        .fold(sandbox, |sandbox, (name, text)| sandbox.file(&format!("{folder}/{name}"), *text))
}

/// The exit code and the findings: `severity[id]: message`, without notes, and without what is said of
/// weights that are one tensor.
fn told(sandbox: &Sandbox) -> (Option<i32>, Vec<String>) {
    let run = sandbox.run(&["verify", "--allow", "weights-do-not-fit-config"]);
    let is_finding = |line: &&str| line.starts_with("error[") || line.starts_with("warning[");
    (run.code, run.stdout.lines().filter(is_finding).map(str::to_owned).collect())
}

const BERT: (&str, &str) = (
    "config.json",
    r#"{"architectures":["BertModel"],"model_type":"bert","max_position_embeddings":64}"#,
);

const QWEN: (&str, &str) = (
    "config.json",
    r#"{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","max_position_embeddings":64}"#,
);

const TEI: &str = "ghcr.io/huggingface/text-embeddings-inference";

/// What is said of a folder under TEI.
fn embeds(tag: &str, words: &str, files: &[(&str, &str)], code: i32, says: &[&str]) {
    let service = format!("    image: {TEI}:{tag}\n    command: --model-id /data/m {words}\n");
    let found = told(&sandbox(&service, "data/m", files));
    let says: Vec<String> = says.iter().map(|&text| text.to_owned()).collect();
    assert_eq!(found, (Some(code), says), "{tag} {words}");
}

fn modes(on: &str) -> String {
    let modes = ["cls_token", "mean_tokens", "max_tokens", "lasttoken"];
    let modes = modes.map(|mode| format!(r#""pooling_mode_{mode}":{}"#, on.contains(mode)));
    format!("{{{}}}", modes.join(","))
}

const POOLING: &str = "1_Pooling/config.json";

#[test]
fn tei_has_to_know_how_a_model_pools() {
    let unsaid = "error[files-missing]: `/data/m/1_Pooling/config.json` is not there, and no \
                  `--pooling` says how TEI makes one vector of many, so it exits";
    let guessed = "warning[files-missing]: `/data/m/1_Pooling/config.json` is not there, and no \
                   `--pooling` says how TEI makes one vector of many: it takes `cls`, which may not be \
                   how the model was made";
    embeds("1.8", "", &[QWEN], 10, &[unsaid]);
    embeds("latest", "", &[QWEN], 10, &[unsaid]);
    embeds("1.8", "--pooling last-token", &[QWEN], 0, &[]);
    embeds("1.8", "", &[BERT], 0, &[guessed]);
    embeds("1.5.1", "", &[BERT], 0, &[guessed]);
    embeds("1.5.0", "", &[BERT], 10, &[unsaid]);
    embeds("1.2", "", &[BERT], 10, &[unsaid]);
    // The tag has been both.
    embeds(
        "1.5",
        "",
        &[BERT],
        0,
        &[
            "warning[files-missing]: `/data/m/1_Pooling/config.json` is not there, and no `--pooling` \
           says how TEI makes one vector of many: it exits, if it is older than 1.5.1",
        ],
    );
    let classifier = r#"{"architectures":["BertForSequenceClassification"],"model_type":"x"}"#;
    embeds("1.8", "", &[("config.json", classifier)], 0, &[]);
}

#[test]
fn of_the_ways_to_pool_that_a_file_asks_for_tei_takes_the_first_that_it_has() {
    for (on, tag) in
        [("mean_tokens", "1.8"), ("max_tokens cls_token", "1.8"), ("lasttoken", "1.3.0")]
    {
        embeds(tag, "", &[BERT, (POOLING, &modes(on))], 0, &[]);
    }
    for (on, tag, asked) in [
        ("max_tokens", "1.8", "`pooling_mode_max_tokens`"),
        ("lasttoken", "1.2.3", "`pooling_mode_lasttoken`"),
        ("", "1.8", "no pooling"),
    ] {
        let says = format!(
            "error[config-invalid]: `/data/m/1_Pooling/config.json` asks for {asked}, and TEI exits: \
             it has no such pooling"
        );
        embeds(tag, "", &[BERT, (POOLING, &modes(on))], 11, &[&says]);
        embeds(tag, "--pooling cls", &[BERT, (POOLING, &modes(on))], 0, &[]);
    }
    let says = "error[config-invalid]: `/data/m/1_Pooling/config.json` does not say \
                `pooling_mode_mean_tokens`, without which TEI exits";
    embeds("1.8", "", &[BERT, (POOLING, r#"{"pooling_mode_cls_token":true}"#)], 11, &[says]);
}

#[test]
fn what_pooling_is_told_on_the_command_line_makes_its_file_needless() {
    let modules = r#"[{"path":"","type":"sentence_transformers.models.Transformer"},
        {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#;
    embeds("cpu-1.8", "--pooling mean", &[BERT, ("modules.json", modules)], 0, &[]);
    let service =
        format!("    image: {TEI}:cpu-1.8\n    environment: [MODEL_ID=/data/m, POOLING=mean]\n");
    let files = [BERT, ("modules.json", modules), (POOLING, "version https://git-lfs")];
    assert_eq!(told(&sandbox(&service, "data/m", &files)), (Some(0), Vec::new()));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let service =
        format!("    image: {TEI}:cpu-1.8\n    command: --model-id tiny/enc --pooling mean\n");
    let cached = format!("data/models--tiny--enc/snapshots/{commit}");
    let sandbox = sandbox(&service, &cached, &[BERT, ("modules.json", modules)])
        .file("data/models--tiny--enc/refs/main", commit);
    assert_eq!(told(&sandbox), (Some(0), Vec::new()));
}

#[test]
fn splade_is_for_masked_language_models_alone() {
    let masked = r#"{"architectures":["BertForMaskedLM"],"model_type":"bert"}"#;
    embeds("1.8", "--pooling splade", &[("config.json", masked)], 0, &[]);
    let says = "error[not-a-model]: `/data/m` is no `...MaskedLM`, and `--pooling splade` takes \
                nothing else";
    embeds("1.8", "--pooling splade", &[BERT], 11, &[says]);
}

#[test]
fn a_prompt_has_to_be_one_of_the_models_own() {
    let prompts = ("config_sentence_transformers.json", r#"{"prompts":{"query":"query: "}}"#);
    let pooling = modes("mean_tokens");
    let pooling = (POOLING, pooling.as_str());
    let words = "--default-prompt-name query";
    embeds("1.8", words, &[BERT, pooling, prompts], 0, &[]);
    let says = "error[config-invalid]: `/data/m/config_sentence_transformers.json` has no prompt \
                `query`, so TEI exits";
    embeds("1.8", words, &[BERT, pooling], 11, &[says]);
    let others = (prompts.0, r#"{"prompts":{"document":""}}"#);
    embeds("1.8", words, &[BERT, pooling, others], 11, &[says]);
}

#[test]
fn the_first_images_for_a_processor_load_graphs_alone() {
    let pooling = modes("mean_tokens");
    let pooling = (POOLING, pooling.as_str());
    let says = "error[not-a-model]: `/data/m` has no `onnx/model.onnx`, and this image of TEI loads \
                nothing else";
    embeds("cpu-1.5", "", &[BERT, pooling], 11, &[says]);
    embeds("cpu-1.5", "", &[BERT, pooling, ("onnx/model.onnx", "x")], 0, &[]);
    for tag in ["cpu-1.4", "cpu-1.6", "1.5", "89-1.5"] {
        embeds(tag, "", &[BERT, pooling], 0, &[]);
    }
}

/// The exit code, and the findings with their help, in one line each, without what is said of weights that
/// are one tensor.
fn helped(service: &str) -> (Option<i32>, Vec<String>) {
    let pooling = modes("mean_tokens");
    let run = sandbox(service, "data/m", &[BERT, (POOLING, &pooling)]).run(&[
        "verify",
        "--allow",
        "weights-do-not-fit-config",
    ]);
    let is_asked = |block: &&str| {
        block.contains("--> compose.yaml") && !block.contains("weights-do-not-fit-config")
    };
    let blocks = run.stdout.split("\n\n").filter(is_asked);
    let line = |block: &str| {
        let help = block.lines().find_map(|line| line.trim().strip_prefix("= help: "));
        format!("{} / {}", block.lines().next().unwrap_or_default(), help.unwrap_or_default())
    };
    (run.code, blocks.map(line).collect())
}

const TGI: &str = "ghcr.io/huggingface/text-generation-inference";

#[test]
fn what_is_refused_is_told_with_what_to_do() {
    let check = |image: &str, rest: &str, code: i32, says: &[&str]| {
        let (found, told) = helped(&format!("    image: {image}\n{rest}"));
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        assert_eq!((found, told.as_slice()), (Some(code), says), "{image} {rest}");
    };
    check(
        &format!("{TEI}:1.8"),
        "    command: --model-id /data/m --max-model-len 512\n",
        17,
        &[
            "error[flag-unknown-to-engine]: TEI does not know `--max-model-len`, which is a flag of \
           vLLM / remove `--max-model-len` from the command of service `e`, or correct its name",
        ],
    );
    check(
        &format!("{TEI}:latest"),
        "    command: --model-id /data/m --shm-size 1g\n",
        17,
        &[
            "error[flag-unknown-to-engine]: TEI does not know `--shm-size`, which is a flag of `docker \
           run` / remove `--shm-size` from the command of service `e`, or remove it from the command, \
           and set `shm_size` of the service",
        ],
    );
    check(
        &format!("{TEI}:1.8"),
        "    command: --model-id /data/m\n    environment: {MAX_BATCH_TOKENS: 16k}\n",
        17,
        &[
            "error[command-line-refused]: `MAX_BATCH_TOKENS` takes a whole number, and `16k` is not \
           that / remove the variable `MAX_BATCH_TOKENS`, or set it to what it takes: a whole number",
        ],
    );
    check(
        &format!("{TGI}:3.3"),
        "    command: --model-id /data/m --max-input-tokens 512 --max-total-tokens 512\n",
        17,
        &[
            "error[command-line-refused]: `--max-input-tokens` is 512, and has to be below the 512 of \
           `--max-total-tokens` / correct or remove `--max-input-tokens`",
        ],
    );
    check(&format!("{TEI}:1.8"), "    command: --model-id /data/m -p80 --auto-truncate\n", 0, &[]);
}

#[test]
fn where_an_image_of_ones_own_keeps_its_downloads_is_not_stated() {
    let compose = "services:\n  e:\n    image: acme/vllm:7\n    command: --model o/r\n";
    let run = Sandbox::new().file("compose.yaml", compose).run(&["verify"]);
    let note = "its cache could not be looked at, where the engine keeps its downloads is not known: \
                its image may set that";
    assert!(run.stdout.contains(note), "{}", run.stdout);
    assert!(!run.stdout.contains("/root/.cache"), "{}", run.stdout);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
}

#[test]
fn images_of_tgi_for_a_processor_have_their_cache_in_the_folder_that_is_mounted() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let service = format!("    image: {TGI}:3.3.4-intel-cpu\n    command: --model-id acme/tiny\n");
    let cached = format!("data/models--acme--tiny/snapshots/{commit}");
    let template = ("tokenizer_config.json", r#"{"chat_template":"{{ x }}"}"#);
    let sandbox = sandbox(&service, &cached, &[QWEN, template])
        .file("data/models--acme--tiny/refs/main", commit);
    assert_eq!(told(&sandbox), (Some(0), Vec::new()));
}

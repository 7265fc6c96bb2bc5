//! Draft models in the layout of the hub. What vLLM does is what its source says: `config/speculative.py`
//! of the releases that are named.

use crate::sandbox::{Sandbox, repository};

const BASE: &str = "models/vllm/tiny/bf16";

/// A vLLM of that release that guesses ahead with a copy of its own model, in whose configuration one
/// text is put in place of another.
fn stack(tag: &str, folder: &str, says: &str, [old, new]: [&str; 2]) -> Sandbox {
    let mut sandbox = Sandbox::quickstart().file(
        "compose.yaml",
        format!(
            "services:\n  llm:\n    image: vllm/vllm-openai:{tag}\n    command: ['--model', '/{BASE}', \
             '--max-model-len', '128', '--speculative-config', '{{\"model\": \"/models/{folder}\"{says}}}']\n    \
             volumes: ['./models:/models:ro']\n    gpus: all\n"
        ),
    );
    for entry in fs_err::read_dir(repository().join("examples/quickstart").join(BASE)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mut content = fs_err::read(entry.path()).unwrap();
        if name == "config.json" {
            let text = String::from_utf8(content).unwrap();
            assert!(text.contains(old), "{text}");
            content = text.replace(old, new).into_bytes();
        }
        sandbox = sandbox.file(&format!("models/{folder}/{name}"), content);
    }
    sandbox
}

/// The exit code and what is said of the draft.
fn check(sandbox: &Sandbox, code: i32, says: &str) {
    let run = sandbox.run(&["verify"]);
    let told = run.stdout.lines().find(|line| line.contains("[files-do-not-fit]: "));
    assert_eq!(run.code, Some(code), "{says}\n{}", run.stdout);
    let is_so = told.map_or(says.is_empty(), |told| !says.is_empty() && told.contains(says));
    assert!(is_so, "{says}\n{}", run.stdout);
}

const SAME: [&str; 2] = ["\"vocab_size\": 512", "\"vocab_size\": 512"];
const OTHER: [&str; 2] = ["\"vocab_size\": 512", "\"vocab_size\": 510"];
const TOKENS: &str = ", \"num_speculative_tokens\": 3";

#[test]
fn a_draft_model_is_one_that_the_release_guesses_with() {
    check(&stack("v0.9.2", "draft", TOKENS, SAME), 0, "");
    check(&stack("v0.12.0", "draft", TOKENS, SAME), 11, "does not guess with");
    check(&stack("v0.32.0", "draft", TOKENS, SAME), 0, "");
    // Told by its name to be a head, and not a model.
    check(&stack("v0.12.0", "eagle3-head", TOKENS, SAME), 0, "");
    let method = ", \"method\": \"eagle\", \"num_speculative_tokens\": 3";
    check(&stack("v0.12.0", "draft", method, SAME), 0, "");
}

#[test]
fn a_draft_model_has_the_vocabulary_of_its_model_and_a_number_of_tokens() {
    check(&stack("v0.32.0", "draft", TOKENS, OTHER), 11, "a vocabulary of 510 tokens");
    check(&stack("latest", "draft", TOKENS, OTHER), 0, "warning[files-do-not-fit]");
    check(&stack("v0.9.2", "draft", TOKENS, OTHER), 0, "");
    let any = ", \"num_speculative_tokens\": 3, \"use_heterogeneous_vocab\": true";
    check(&stack("v0.33.0", "draft", any, OTHER), 0, "");
    check(&stack("v0.32.0", "draft", "", SAME), 11, "nothing says how many tokens");
    check(&stack("latest", "draft", "", SAME), 11, "nothing says how many tokens");
}

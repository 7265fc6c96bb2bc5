//! Whether the longest text of a model fits into what TEI computes at once.

use crate::sandbox::Sandbox;

const TEI: &str = "ghcr.io/huggingface/text-embeddings-inference";

/// What is said of it, of a model whose configuration says 256 positions: the severity and the message.
fn told(image: &str, words: &str, more: &str) -> String {
    let compose = format!(
        "services:\n  a:\n    image: {image}\n    command: --model-id /models/vllm/tiny/bf16 --pooling \
         mean {words}\n    volumes: [\"./models:/models:ro\"]\n    {more}\n"
    );
    let run =
        Sandbox::quickstart().file("compose.yaml", compose).run(&["verify", "--color", "never"]);
    let is_told = |line: &&str| line.contains("[batch-too-small]: ");
    run.stdout.lines().filter(is_told).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_model_of_longer_texts_is_refused_where_none_is_cut() {
    let says = "[batch-too-small]: `/models/vllm/tiny/bf16` takes texts of 256 tokens, and TEI computes 128 \
                at once (`--max-batch-tokens`) and is to cut no text: it does not start";
    let few = "--max-batch-tokens 128";
    for (tag, words, more, severity) in [
        ("cpu-1.8.3", few, "", "error"),
        ("cpu-1.8.3", "--max-batch-tokens 128 --auto-truncate", "", ""),
        ("cpu-1.8.3", "--max-batch-tokens 256", "", ""),
        ("cpu-1.8.3", "", "", ""),
        ("cpu-1.8.3", "", "environment: {MAX_BATCH_TOKENS: \"128\"}", "error"),
        ("cpu-1.8.2", few, "", ""),
        ("cpu-1.9.3", few, "", ""),
        ("cpu-1.9.3", "--max-batch-tokens 128 --auto-truncate false", "", "error"),
        ("cpu-1.9.3", few, "environment: {AUTO_TRUNCATE: \"false\"}", "error"),
        ("cpu-1.9.3", few, "environment: {AUTO_TRUNCATE: \"true\"}", ""),
        ("cpu-latest", few, "", ""),
        ("cpu-latest", "--max-batch-tokens 128 --auto-truncate false", "", "error"),
        ("cpu-1.99.0", "--max-batch-tokens 128 --auto-truncate false", "", "warning"),
    ] {
        let expected =
            if severity.is_empty() { String::new() } else { format!("{severity}{says}") };
        assert_eq!(told(&format!("{TEI}:{tag}"), words, more), expected, "{tag} {words} {more}");
    }
}

#[test]
fn what_sentence_transformers_says_of_the_length_counts_more() {
    let compose = format!(
        "services:\n  a:\n    image: {TEI}:cpu-1.8.3\n    command: --model-id /models/vllm/tiny/bf16 \
         --pooling mean --max-batch-tokens 128\n    volumes: [\"./models:/models:ro\"]\n"
    );
    let sandbox = Sandbox::quickstart().file("compose.yaml", compose).file(
        "models/vllm/tiny/bf16/sentence_bert_config.json",
        r#"{"max_seq_length": 128, "do_lower_case": false}"#,
    );
    let run = sandbox.run(&["verify", "--color", "never"]);
    assert!(!run.stdout.contains("batch-too-small"), "{}", run.stdout);
}

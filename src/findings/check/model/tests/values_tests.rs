//! Values in the documents of a model that some releases of transformers stop over: `tests/it` has the
//! values, this is about the releases.

use super::configuration_tests::folder;
use super::*;

/// The model with more in its configuration, served by a release of an engine.
fn with(more: &str, engine: Engine, version: Option<&str>) -> Stack {
    let config = format!(
        r#"{{"architectures":["LlamaForCausalLM"],"model_type":"llama","dtype":"bfloat16",
            "max_position_embeddings":256{more}}}"#
    );
    folder("").write("config.json", config).served_by(engine, version)
}

/// How much the first finding about a configuration weighs.
fn weight(stack: &Stack) -> Option<Severity> {
    let findings = stack.findings();
    findings.iter().find(|found| found.rule.id == "config-invalid").map(|found| found.severity)
}

const ERROR: Option<Severity> = Some(Severity::Error);
const WARNING: Option<Severity> = Some(Severity::Warning);

#[test]
fn a_field_of_another_type_is_an_error_where_every_release_compares_them() {
    let field = r#","rms_norm_eps":1"#;
    for (engine, version, expected) in [
        (Engine::Vllm, Some("0.12.0"), None),
        (Engine::Vllm, Some("0.20.2"), None),
        (Engine::Vllm, Some("0.24.0"), ERROR),
        (Engine::Vllm, Some("0.32.0"), ERROR),
        (Engine::Vllm, Some("99.0.0"), WARNING),
        (Engine::Vllm, None, WARNING),
        (Engine::Sglang, Some("0.5.7"), None),
        (Engine::Sglang, Some("0.5.23"), WARNING),
        (Engine::Tei, None, None),
    ] {
        let stack = with(field, engine, version);
        assert_eq!(weight(&stack), expected, "{engine:?} {version:?}");
    }
    let message = with(field, Engine::Vllm, Some("0.32.0")).findings().remove(0).message;
    assert!(
        message.contains("has `1` as its `rms_norm_eps`, where a number with a point is taken")
    );
}

#[test]
fn nothing_is_said_of_what_a_command_or_a_class_of_its_own_reads_otherwise() {
    let field = r#","rms_norm_eps":1,"auto_map":{"AutoConfig":"configuration_a.A"}"#;
    let stack = || with(field, Engine::Vllm, Some("0.32.0"));
    assert_eq!(weight(&stack()), ERROR);
    assert_eq!(weight(&stack().started(|with| with.overrides = true)), None);
    let trusted = stack().started(|with| with.trust_remote_code = true);
    assert_eq!(weight(&trusted.write("configuration_a.py", "")), None);
    let infinite = with(r#","rms_norm_eps":Infinity"#, Engine::Vllm, Some("0.32.0"));
    assert_eq!(weight(&infinite), None);
}

#[test]
fn what_the_fourth_refuses_and_the_fifth_takes_is_told_of_the_fourth_alone() {
    let listed = |version| {
        let settings = r#"{"chat_template":"{{ messages }}","extra_special_tokens":["<a>"]}"#;
        let stack = folder("").write("tokenizer_config.json", settings);
        weight(&stack.served_by(Engine::Vllm, version))
    };
    for (version, expected) in [
        (Some("0.12.0"), ERROR),
        (Some("0.7.3"), ERROR),
        (Some("0.6.6"), None),
        (Some("0.20.2"), None),
        (Some("0.32.0"), None),
        (None, None),
    ] {
        assert_eq!(listed(version), expected, "{version:?}");
    }
}

#[test]
fn layers_have_known_words_and_as_many_as_there_are() {
    let layered = |layers: &str| {
        let config = format!(
            r#"{{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","dtype":"bfloat16",
                "max_position_embeddings":256,"num_hidden_layers":2,"layer_types":{layers}}}"#
        );
        let stack = folder("").write("config.json", config);
        weight(&stack.served_by(Engine::Vllm, Some("0.32.0")))
    };
    assert_eq!(layered(r#"["full_attention","sliding_attention"]"#), None);
    assert_eq!(layered(r#"["full_attention"]"#), ERROR);
    assert_eq!(layered(r#"["full_attention","zzz"]"#), ERROR);
}

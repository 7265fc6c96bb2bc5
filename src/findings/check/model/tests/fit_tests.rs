//! The tensors of a folder against its own configuration, by who loads them.

use super::configuration_tests::{AT, folder};
use super::*;

/// The genuine folder with another word in its configuration, served by that release of vLLM.
fn says(from: &str, to: &str, version: Option<&str>) -> Stack {
    let stack = Stack::new(FOLDER);
    let config = fs_err::read_to_string(stack.file("config.json")).unwrap();
    assert!(config.contains(from), "{from}");
    let stack = stack.write("config.json", config.replace(from, to));
    stack.served_by(Engine::Vllm, version)
}

/// The genuine folder, in which the names of some tensors have another word of the same length.
fn renamed(from: &str, to: &str) -> Stack {
    assert_eq!(from.len(), to.len());
    let stack = Stack::new(FOLDER).remove("model.safetensors.index.json");
    (1..=3).fold(stack, |stack, number| {
        let name = format!("model-0000{number}-of-00003.safetensors");
        let mut bytes = fs_err::read(stack.file(&name)).unwrap();
        let places: Vec<usize> = (0..bytes.len() - from.len())
            .filter(|place| bytes[*place..].starts_with(from.as_bytes()))
            .collect();
        for place in places {
            bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        }
        stack.write(&name, bytes)
    })
}

const MEANT: &str = "weights-do-not-fit-config] 11";

#[test]
fn a_configuration_of_another_model_is_one_finding_in_every_release() {
    let width = (r#""hidden_size": 64"#, r#""hidden_size": 128"#);
    for (version, severity) in [
        (Some("0.12.0"), "error"),
        (Some("0.32.0"), "error"),
        (None, "error"),
        (Some("9.0.0"), "warning"),
    ] {
        says(width.0, width.1, version).check(&format!(
            "{severity}[{MEANT}: the `config.json` in {AT} is that of a model of width 128 with 2 layers, \
             and the weights are those of one of width 64 with 2 layers"
        ));
    }
    let layers = |number| says(r#""num_hidden_layers": 2"#, number, Some("0.32.0"));
    for (said, stated) in [(r#""num_hidden_layers": 3"#, 3), (r#""num_hidden_layers": 1"#, 1)] {
        layers(said).check(&format!(
            "error[{MEANT}: the `config.json` in {AT} states {stated} layers, and the weights have 2"
        ));
    }
    says(r#""num_key_value_heads": 2"#, r#""num_key_value_heads": 4"#, Some("0.12.0")).check(&format!(
        "error[{MEANT}: `model.layers.0.self_attn.k_proj.weight` in {AT} is 32x64, and the numbers of its \
         `config.json` make it 64x64 (3 more like it)"
    ));
}

#[test]
fn a_projection_that_is_not_there_is_an_error_although_the_engine_starts() {
    let lost = |version| {
        let stack = renamed("layers.1.self_attn.q_proj", "layers.1.self_attn.q_bias");
        stack.served_by(Engine::Vllm, version)
    };
    for version in [Some("0.12.0"), Some("0.32.0"), None] {
        lost(version).check(&format!(
            "error[{MEANT}: `model.layers.1.self_attn.q_proj.weight` is not among the tensors of {AT}, and a \
             `LlamaForCausalLM` as its `config.json` describes it has one"
        ));
    }
    let other = lost(None).served_by(Engine::Sglang, Some("0.5.15"));
    assert_eq!(other.findings()[0].severity, Severity::Warning);
}

#[test]
fn a_model_without_its_output_matrix_is_refused_up_to_a_release() {
    let headless = |version| renamed("lm_head", "lm_haed").served_by(Engine::Vllm, version);
    let of = |stack: Stack| stack.findings()[0].severity;
    assert_eq!(of(headless(Some("0.12.0"))), Severity::Error);
    assert_eq!(of(headless(Some("0.20.2"))), Severity::Error);
    assert_eq!(of(headless(Some("0.21.0"))), Severity::Warning);
    assert_eq!(of(headless(None)), Severity::Warning);
}

#[test]
fn a_base_model_is_taken_for_vectors_and_not_for_words() {
    // Spaces between the entries of a header mean nothing.
    let base = |pools| {
        let stack = renamed("\"model.", "      \"").served_by(Engine::Vllm, Some("0.32.0"));
        stack.started(|with| with.embeds.pools = pools)
    };
    base(false).check(&format!(
        "error[{MEANT}: the tensors of {AT} are named as those of a base model, and a `LlamaForCausalLM` has \
         `model.` before their names"
    ));
    base(true).check("");
}

#[test]
fn what_is_not_laid_out_is_taken_on_trust_and_what_is_replaced_is_not_judged() {
    let class = |to: &str| says("LlamaForCausalLM", to, Some("0.33.0"));
    class("DbrxForCausalLM").check(&format!(
        "note[taken-on-trust] 0: whether the weights of {AT} are those of its `config.json` was not looked \
         at: the tensors of `DbrxForCausalLM` are not known"
    ));
    let replaced = says(r#""hidden_size": 64"#, r#""hidden_size": 128"#, Some("0.12.0"));
    replaced.started(|with| with.overrides = true).check("");
    let made_up = says(r#""hidden_size": 64"#, r#""hidden_size": 128"#, Some("0.12.0"));
    made_up.started(|with| with.load_format = Some("dummy".to_owned())).check("");
    folder("").check("");
}

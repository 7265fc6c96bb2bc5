//! The context that is asked for against what releases make of the files of a folder.

use super::configuration_tests::{AT, folder, word};
use super::*;

/// The folder, served by that release with so long a context.
fn asks(stack: Stack, version: Option<&str>, length: u64) -> Stack {
    stack.served_by(Engine::Vllm, version).started(|with| with.context = word(length))
}

#[test]
fn a_stretched_length_is_judged_by_the_release_that_is_known() {
    const YARN: &str = r#","rope_scaling":{"rope_type":"yarn","factor":4.0,
        "original_max_position_embeddings":512}"#;
    let told = |version, length| asks(folder(YARN), version, length);
    let refused = |length: u64, most: u64| {
        format!(
            "error[context-too-long] 21: `--max-model-len {length}` is more than the {most} that {AT} allows"
        )
    };
    told(Some("0.12.0"), 2048).check("");
    told(Some("0.12.0"), 2049).check(&refused(2049, 2048));
    told(Some("0.29.0"), 2048).check("");
    told(Some("0.30.0"), 257).check(&refused(257, 256));
    told(Some("0.32.0"), 256).check("");
    told(None, 256).check("");
    told(None, 2048).check(&format!(
        "warning[context-too-long] 21: `--max-model-len 2048` is more than the 256 that {AT} allows in \
         some releases of vLLM; others allow 2048"
    ));
    told(None, 2049).check(&refused(2049, 2048));
}

#[test]
fn a_limit_of_sentence_transformers_is_the_limit() {
    let limited = |text: &str, version: &str, length| {
        let stack = folder("").write("sentence_bert_config.json", text);
        asks(stack, Some(version), length)
    };
    let both = r#"{"max_seq_length":128,"do_lower_case":false}"#;
    let refused = format!(
        "error[context-too-long] 21: `--max-model-len 129` is more than the 128 that {AT} allows"
    );
    for version in ["0.12.0", "0.32.0"] {
        limited(both, version, 128).check("");
        limited(both, version, 129).check(&refused);
        limited(r#"{"max_seq_length":1024,"do_lower_case":false}"#, version, 1024).check("");
    }
    let alone = r#"{"max_seq_length":128}"#;
    limited(alone, "0.31.0", 129).check("");
    limited(alone, "0.32.0", 129).check(&refused);
}

/// The embeddings of an encoder of which nothing but its positions is said, without a number in them.
fn embeddings() -> Vec<u8> {
    let tensors = [
        ("word_embeddings.weight", "[0,0]"),
        ("position_embeddings.weight", "[512,0]"),
        ("token_type_embeddings.weight", "[0,0]"),
        ("LayerNorm.weight", "[0]"),
        ("LayerNorm.bias", "[0]"),
    ];
    let entries = tensors.map(|(name, shape)| {
        format!(r#""embeddings.{name}":{{"dtype":"BF16","shape":{shape},"data_offsets":[0,0]}}"#)
    });
    let header = format!("{{{}}}", entries.join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

#[test]
fn the_tokenizer_of_an_encoder_limits_it_while_positions_are_places() {
    let encoder = |version: &str, length| {
        let config = r#"{"architectures":["BertModel"],"model_type":"bert",
            "max_position_embeddings":512,"dtype":"bfloat16"}"#;
        let stack = folder("").write("config.json", config);
        let stack = stack.write("tokenizer_config.json", r#"{"model_max_length":128}"#);
        let stack = stack.remove("model.safetensors.index.json");
        let stack = (1..=3).fold(stack, |stack, number| {
            stack.remove(&format!("model-0000{number}-of-00003.safetensors"))
        });
        let stack = stack.write("model.safetensors", embeddings());
        asks(stack, Some(version), length)
    };
    encoder("0.12.0", 128).check("");
    encoder("0.12.0", 129).check(&format!(
        "error[context-too-long] 21: `--max-model-len 129` is more than the 128 that {AT} allows"
    ));
    encoder("0.32.0", 512).check("");
    let decoder = folder("").write(
        "tokenizer_config.json",
        r#"{"model_max_length":128,"chat_template":"{{ messages }}"}"#,
    );
    asks(decoder, Some("0.12.0"), 256).check("");
}

#[test]
fn a_length_that_is_nowhere_said_is_a_guess() {
    let config =
        r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","dtype":"bfloat16"}"#;
    let silent = |length| asks(folder("").write("config.json", config), Some("0.32.0"), length);
    silent(2048).check("");
    silent(4096).check(&format!(
        "warning[context-too-long] 21: `--max-model-len 4096` is more than the 2048 that a model of the \
         type of {AT} has where its `config.json` says nothing"
    ));
}

#[test]
fn sglang_takes_the_first_length_and_a_factor_without_the_length_before_it() {
    let told = |more: &str, length| {
        let stack = folder(more).served_by(Engine::Sglang, Some("0.5.15"));
        stack.started(|with| with.context = word(length))
    };
    let refused = |length: u64, most: u64| {
        format!(
            "error[context-too-long] 21: `--context-length {length}` is more than the {most} that {AT} allows"
        )
    };
    told("", 257).check(&refused(257, 256));
    told(r#","rope_scaling":{"rope_type":"linear","factor":2}"#, 512).check("");
    told(r#","rope_scaling":{"rope_type":"dynamic","factor":2}"#, 513).check(&refused(513, 512));
    let yarn = r#","rope_scaling":{"rope_type":"yarn","factor":4,
        "original_max_position_embeddings":512}"#;
    told(yarn, 257).check(&refused(257, 256));
    told(r#","seq_length":1024"#, 1024).check("");
}

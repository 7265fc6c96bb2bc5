//! The small documents beside the weights, by engine and release. What is refused and what is not was said
//! by transformers 4.57.6 and 5.19.0.

use super::configuration_tests::{AT, folder};
use super::*;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 700\n";

/// What is said of a file in the folder, by severity and rule.
/// Without notes.
fn told(stack: &Stack) -> Vec<(Severity, &'static str)> {
    let findings = stack.findings();
    let told = findings.iter().filter(|found| found.severity != Severity::Note);
    told.map(|found| (found.severity, found.rule.id)).collect()
}

fn tokenizer(settings: &str) -> Stack {
    let settings = settings.replacen('{', r#"{"chat_template":"{{ messages }}","#, 1);
    folder("").write("tokenizer_config.json", settings.replace(",}", "}"))
}

#[test]
fn what_belongs_to_a_tokenizer_has_to_be_an_object() {
    for (text, id) in [
        ("", "file-truncated"),
        ("[]", "file-corrupt"),
        ("{", "file-corrupt"),
        ("<html>", "file-corrupt"),
        (POINTER, "lfs-pointer"),
    ] {
        for name in ["special_tokens_map.json", "added_tokens.json", "tokenizer_config.json"] {
            for version in ["0.12.0", "0.32.0"] {
                let stack = folder("").served_by(Engine::Vllm, Some(version)).write(name, text);
                let errors: Vec<_> =
                    told(&stack).into_iter().filter(|(it, _)| *it == Severity::Error).collect();
                assert_eq!(errors, [(Severity::Error, id)], "{name} {text:?} {version}");
            }
        }
    }
    for text in ["{}", r#"{"a": NaN}"#, " {} "] {
        let stack =
            folder("").write("special_tokens_map.json", text).write("added_tokens.json", text);
        stack.check("");
    }
}

#[test]
fn files_of_added_tokens_do_not_matter_where_the_settings_list_them() {
    let listed = tokenizer(r#"{"added_tokens_decoder":{}}"#);
    listed.write("special_tokens_map.json", "").write("added_tokens.json", "[]").check("");
    let served = |engine| {
        let stack = folder("").served_by(engine, None).pooled();
        stack.write("special_tokens_map.json", "")
    };
    assert_eq!(told(&served(Engine::Sglang)), [(Severity::Error, "file-truncated")]);
    served(Engine::Tei).check("");
    let skipped = folder("").write("special_tokens_map.json", "");
    skipped.started(|with| with.skips_tokenizer = true).check("");
}

#[test]
fn a_class_of_tokenizers_is_known_by_release() {
    let served = |class: &str, engine, version| {
        tokenizer(&format!(r#"{{"tokenizer_class":"{class}"}}"#)).served_by(engine, version)
    };
    let says = |severity: &str, class: &str, engine: &str, has: &str| {
        format!(
            "{severity}[tokenizer-unsupported] 17: `/models/vllm/tiny/bf16/tokenizer_config.json` says \
             the tokenizer class `{class}`, which the transformers of {engine} {has} have"
        )
    };
    let vllm = |class, version| served(class, Engine::Vllm, Some(version));
    for version in ["0.12.0", "0.16.0", "0.18.1"] {
        let engine = format!("vLLM {version}");
        for class in ["FooTokenizer", "FooTokenizerFast"] {
            vllm(class, version).check(&says("error", class, &engine, "does not"));
        }
        let newer = says("warning", "TokenizersBackend", &engine, "does not");
        vllm("TokenizersBackend", version).check(&newer);
        for class in ["PreTrainedTokenizerFast", "LlamaTokenizer", "Qwen2TokenizerFast"] {
            vllm(class, version).check("");
        }
    }
    for version in ["0.19.1", "0.22.1"] {
        let engine = format!("vLLM {version}");
        let warning = says("warning", "TokenizersBackend", &engine, "may not");
        vllm("TokenizersBackend", version).check(&warning);
        vllm("LlamaTokenizer", version).check("");
    }
    for version in [Some("0.24.0"), Some("0.32.0"), Some("99.0.0"), None] {
        served("TokenizersBackend", Engine::Vllm, version).check("");
        served("FooTokenizer", Engine::Vllm, version).check("");
    }
    let sglang = |version| served("TokenizersBackend", Engine::Sglang, Some(version));
    sglang("0.5.7").check(&says("warning", "TokenizersBackend", "SGLang 0.5.7", "does not"));
    sglang("0.5.10").check("");
    let tgi = |version| served("TokenizersBackend", Engine::Tgi, Some(version));
    tgi("3.3.7").check(&says("warning", "TokenizersBackend", "TGI 3.3.7", "does not"));
    served("TokenizersBackend", Engine::Tei, None).pooled().check("");
    let fix = vllm("TokenizersBackend", "0.12.0").findings().remove(0).fix;
    assert!(fix.starts_with("take vLLM 0.24.0 or newer, which reads it, or write"), "{fix}");
}

#[test]
fn a_class_that_only_the_configuration_of_the_model_says_counts_too() {
    let older = folder(r#","tokenizer_class":"FooTokenizer""#);
    assert_eq!(
        told(&older.remove("tokenizer_config.json")),
        [(Severity::Error, "tokenizer-unsupported"),]
    );
    let other = tokenizer(r#"{"tokenizer_class":"LlamaTokenizer"}"#);
    let config = fs_err::read_to_string(other.file("config.json")).unwrap();
    let config = config.replacen('{', r#"{"tokenizer_class":"FooTokenizer","#, 1);
    other.write("config.json", config).check("");
}

#[test]
fn the_code_of_a_tokenizer_is_run_only_where_that_is_allowed() {
    let stack = |class: &str, version, trust| {
        let settings = format!(
            r#"{{"tokenizer_class":"{class}",
                "auto_map":{{"AutoTokenizer":["tokenization_foo.FooTokenizer",null]}}}}"#
        );
        let stack = tokenizer(&settings).served_by(Engine::Vllm, version);
        stack.started(|with| with.trust_remote_code = trust)
    };
    let (error, warning) = (Severity::Error, Severity::Warning);
    let code = "remote-code-required";
    for version in ["0.12.0", "0.32.0"] {
        assert_eq!(
            told(&stack("FooTokenizer", Some(version), false)),
            [(error, code)],
            "{version}"
        );
        stack("LlamaTokenizer", Some(version), false).check("");
        let trusted = stack("FooTokenizer", Some(version), true);
        trusted.check(&format!(
            "error[remote-code-required] 17: `tokenizer_config.json` in {AT} names code in \
             `tokenization_foo.py`, which is not there"
        ));
        trusted.write("tokenization_foo.py", "").check("");
    }
    assert_eq!(told(&stack("FooTokenizer", None, false)), [(warning, code)]);
}

#[test]
fn the_code_that_the_model_names_for_its_tokenizer_is_not_asked_for_beside_a_class() {
    let map = r#","auto_map":{"AutoTokenizer":["tokenization_foo.FooTokenizer",null]}"#;
    let trusted = |stack: Stack| stack.started(|with| with.trust_remote_code = true);
    let class = r#"{"chat_template":"x","tokenizer_class":"LlamaTokenizer"}"#;
    trusted(folder(map).write("tokenizer_config.json", class)).check("");
    let silent = folder(map).write("tokenizer_config.json", r#"{"chat_template":"x"}"#);
    assert_eq!(told(&trusted(silent)), [(Severity::Error, "remote-code-required")]);
}

#[test]
fn what_a_model_samples_with_is_passed_over_unless_it_is_json_and_no_object() {
    for text in ["", "{", POINTER, "{}", "<html>"] {
        folder("").write("generation_config.json", text).check("");
    }
    let list = || folder("").write("generation_config.json", "[]");
    assert_eq!(told(&list()), [(Severity::Error, "config-invalid")]);
    list().started(|with| with.own_sampling = true).check("");
    list().served_by(Engine::Vllm, Some("0.7.3")).check("");
}

#[test]
fn what_sentence_transformers_says_has_to_be_json() {
    let served = |text: &str, engine, version| {
        folder("").served_by(engine, version).write("sentence_bert_config.json", text)
    };
    let broken = [(Severity::Error, "config-invalid")];
    assert_eq!(told(&served("{", Engine::Vllm, Some("0.32.0"))), broken);
    assert_eq!(told(&served("{", Engine::Tei, None).pooled()), broken);
    assert_eq!(told(&served("[]", Engine::Tei, None).pooled()), broken);
    served("[]", Engine::Vllm, Some("0.32.0")).check("");
    served("{", Engine::Sglang, Some("0.5.15")).check("");
}

#[test]
fn a_processor_of_images_is_read_by_what_takes_images_and_by_older_releases() {
    let text = |name: &str, text: &str, version| {
        folder("").served_by(Engine::Vllm, Some(version)).write(name, text)
    };
    assert_eq!(
        told(&text("preprocessor_config.json", "{", "0.26.0")),
        [(Severity::Error, "config-invalid"),]
    );
    text("preprocessor_config.json", "[]", "0.26.0").check("");
    text("preprocessor_config.json", "{", "0.27.1").check("");
    text("processor_config.json", "{", "0.12.0").check("");
}

/// A model that takes images, with that in its `processor_config.json`.
fn vision(processor: &str) -> Stack {
    let config = r#"{"architectures":["PaliGemmaForConditionalGeneration"],"model_type":"paligemma",
        "vision_config":{},"dtype":"bfloat16"}"#;
    let stack = folder("").write("config.json", config).served_by(Engine::Vllm, Some("0.32.0"));
    if processor.is_empty() { stack } else { stack.write("processor_config.json", processor) }
}

#[test]
fn a_model_that_takes_images_needs_what_prepares_them() {
    let (error, warning) = (Severity::Error, Severity::Warning);
    let missing = "processor-missing";
    assert_eq!(told(&vision(r#"{"image_processor":{"image_processor_type":"CLIP"}}"#)), []);
    assert_eq!(told(&vision("").write("preprocessor_config.json", "{}")), []);
    assert_eq!(told(&vision("")), [(error, missing)]);
    assert_eq!(told(&vision(r#"{"patch_size":14}"#)), [(error, missing)]);
    assert_eq!(told(&vision("").served_by(Engine::Vllm, None)), [(warning, missing)]);
    let limited = vision("").started(|with| with.limits_images = true);
    assert_eq!(told(&limited), [(warning, missing)]);
    assert_eq!(told(&vision(POINTER)), [(error, "lfs-pointer")]);
    assert_eq!(told(&vision("[]")), [(error, "config-invalid")]);
}

#[test]
fn a_model_type_is_known_by_release() {
    let typed = |more: &str, version| {
        let config = format!(
            r#"{{"architectures":["LlamaForCausalLM"],"dtype":"bfloat16","max_position_embeddings":256
                {more}}}"#
        );
        folder("").write("config.json", config).served_by(Engine::Vllm, version)
    };
    let unknown = r#","model_type":"zzz""#;
    for version in ["0.12.0", "0.32.0"] {
        typed(unknown, Some(version)).check(&format!(
            "error[architecture-unsupported] 11: {AT} is of the type `zzz`, which vLLM {version} does \
             not know"
        ));
    }
    typed(unknown, None).check(&format!(
        "warning[architecture-unsupported] 11: {AT} is of the type `zzz`, which vLLM does not know"
    ));
    let newer = r#","model_type":"qwen3_5""#;
    assert_eq!(
        told(&typed(newer, Some("0.12.0"))),
        [(Severity::Error, "architecture-unsupported")]
    );
    typed(newer, Some("0.20.2")).check("");
    typed(newer, None).check("");
    typed(r#","model_type":"chatglm""#, Some("0.12.0")).check("");
    let code = r#","model_type":"zzz","auto_map":{"AutoConfig":"configuration_zzz.Z"}"#;
    let refused = [(Severity::Error, "remote-code-required")];
    assert_eq!(told(&typed(code, Some("0.12.0"))), refused);
    assert_eq!(told(&typed(code, Some("0.32.0"))), refused);
    assert_eq!(told(&typed(code, None)), [(Severity::Warning, "remote-code-required")]);
    let trusted = typed(code, Some("0.32.0")).started(|with| with.trust_remote_code = true);
    trusted.write("configuration_zzz.py", "").check("");
}

#[test]
fn a_type_that_is_not_said_is_taken_out_of_the_path_by_older_releases() {
    let untyped = |more: &str, version| {
        let config =
            format!(r#"{{"architectures":["LlamaForCausalLM"],"dtype":"bfloat16"{more}}}"#);
        folder("").write("config.json", config).served_by(Engine::Vllm, version)
    };
    let (error, warning) = (Severity::Error, Severity::Warning);
    let invalid = "config-invalid";
    // The path that the folder is served at contains no type.
    assert_eq!(told(&untyped("", Some("0.12.0"))), [(error, invalid)]);
    assert_eq!(told(&untyped("", Some("0.32.0"))), [(error, invalid)]);
    assert_eq!(told(&untyped("", None)), [(warning, invalid)]);
    let guessing = r#","speculators_config":{"algorithm":"eagle3"}"#;
    assert_eq!(told(&untyped(guessing, Some("0.32.0"))), [(warning, invalid)]);
    let named = |version| {
        let mut stack = untyped("", Some(version));
        let path = stack.root.path().join("vllm/my-llama");
        fs_err::rename(stack.at(), path).unwrap();
        stack.path = "vllm/my-llama".to_owned();
        told(&stack)
    };
    assert_eq!(named("0.12.0"), [(warning, invalid)]);
    assert_eq!(named("0.32.0"), [(error, invalid)]);
}

#[test]
fn a_pipeline_without_the_file_of_its_pooling_is_served_by_newer_releases() {
    let pipeline = |version| {
        let modules = r#"[{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
            {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#;
        folder("").write("modules.json", modules).served_by(Engine::Vllm, version)
    };
    let (error, warning) = (Severity::Error, Severity::Warning);
    let missing = "files-missing";
    assert_eq!(told(&pipeline(Some("0.13.0"))), [(error, missing)]);
    assert_eq!(told(&pipeline(Some("0.14.1"))), [(warning, missing)]);
    assert_eq!(told(&pipeline(None)), [(warning, missing)]);
    let infinity = pipeline(None).served_by(Engine::Infinity, None);
    assert_eq!(told(&infinity), [(error, missing)]);
    assert!(told(&pipeline(None).served_by(Engine::Tei, None)).contains(&(error, missing)));
}

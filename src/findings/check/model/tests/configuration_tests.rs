//! Configurations against command lines.

use super::*;

use crate::source_map::Spanned;

const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama",
    "dtype":"bfloat16","max_position_embeddings":256,"num_attention_heads":4"#;

/// A folder that vLLM 0.12.0 serves, with more in its configuration.
pub(super) fn folder(more: &str) -> Stack {
    let config = format!("{CONFIG}{more}}}");
    Stack::new(FOLDER).write("config.json", config).served_by(Engine::Vllm, Some("0.12.0"))
}

pub(super) fn word<T>(value: T) -> Option<Spanned<T>> {
    Some(Spanned::nowhere(value))
}

impl Stack {
    pub(super) fn started(mut self, change: impl FnOnce(&mut Invocation)) -> Self {
        let engine = self.engine.unwrap();
        let version = self.version.clone();
        let mut invocation = Invocation { version, ..Invocation::bare(engine) };
        change(&mut invocation);
        self.invocation = Some(invocation);
        self
    }
}

pub(super) const AT: &str = "`/models/vllm/tiny/bf16`";

/// How what is said of a model of that method (none: it is not quantised) weighs, with its first message.
fn quantised(
    method: &str,
    version: Option<&str>,
    change: impl FnOnce(&mut Invocation),
) -> Option<(Severity, String)> {
    quantised_so(method, version, "", change)
}

/// The same of a model that states that much more of its quantisation.
fn quantised_so(
    method: &str,
    version: Option<&str>,
    states: &str,
    change: impl FnOnce(&mut Invocation),
) -> Option<(Severity, String)> {
    let usual = r#","bits":4,"group_size":128,"sym":true,"desc_act":false"#;
    let states = if method == "gptq" && states.is_empty() { usual } else { states };
    let config = format!(r#","quantization_config":{{"quant_method":"{method}"{states}}}"#);
    let stack =
        folder(if method.is_empty() { "" } else { &config }).served_by(Engine::Vllm, version);
    let stack = stack.started(|with| {
        with.on_nvidia = true;
        change(with);
    });
    let found = stack.findings();
    let mut found = found.iter().filter(|found| found.rule.id == "quantization-conflict");
    found.next().map(|found| (found.severity, found.message.clone()))
}

fn asked(method: &str) -> impl FnOnce(&mut Invocation) {
    let method = word(method.to_owned());
    |with| with.quantization = method
}

#[test]
fn a_quantisation_is_asked_for_as_the_model_has_it() {
    let (error, warning) = (Some(Severity::Error), Some(Severity::Warning));
    for (has, asks, version, expected) in [
        ("compressed-tensors", "fp8", "0.12.0", error),
        ("compressed_tensors", "compressed-tensors", "0.12.0", None),
        ("fp8", "fp8", "0.12.0", None),
        ("gptq", "gptq_marlin", "0.12.0", None),
        ("gptq", "awq", "0.12.0", error),
        ("gptq", "awq_marlin", "0.33.0", error),
        ("gptq", "awq", "0.34.0", warning),
        ("gptq", "awq", "", error),
        ("gptq", "auto_gptq", "0.12.0", error),
        ("awq", "awq_marlin", "0.12.0", None),
        ("awq", "bitsandbytes", "0.12.0", error),
        ("fp8", "marlin", "0.12.0", error),
        ("modelopt", "fp8", "0.12.0", None),
        ("", "fp8", "0.12.0", None),
        ("", "awq", "0.12.0", error),
        ("", "gptq", "", error),
        ("", "bitsandbytes", "0.12.0", None),
        ("", "bitsandbytes", "0.30.0", error),
        ("", "bitsandbytes", "", warning),
        ("", "zzz", "0.30.0", error),
    ] {
        let version = Some(version).filter(|version| !version.is_empty());
        let found = quantised(has, version, asked(asks)).map(|(severity, _)| severity);
        assert_eq!(found, expected, "{has} {asks} {version:?}");
    }
    let elsewhere = |with: &mut Invocation| {
        asked("awq")(with);
        with.on_nvidia = false;
    };
    assert_eq!(quantised("gptq", Some("0.12.0"), elsewhere).map(|(severity, _)| severity), warning);
    let (_, message) = quantised("", Some("0.12.0"), asked("awq")).unwrap();
    let expected = format!(
        "{AT} is not quantised, and `--quantization awq` is for a model that was quantised so"
    );
    assert_eq!(message, expected);
}

#[test]
fn the_method_of_a_model_is_one_of_the_release() {
    let (error, warning) = (Some(Severity::Error), Some(Severity::Warning));
    let alone = |has: &str, version: &str| {
        let version = Some(version).filter(|version| !version.is_empty());
        quantised(has, version, |_| {})
    };
    for (has, version, expected) in [
        ("bitsandbytes", "0.27.1", None),
        ("bitsandbytes", "0.28.0", error),
        ("bitsandbytes", "", warning),
        ("hqq", "0.18.1", error),
        ("zzz", "0.12.0", error),
        ("zzz", "", warning),
        ("fbgemm_fp8", "0.12.0", None),
        ("fbgemm_fp8", "0.33.0", error),
        ("gptq", "", None),
    ] {
        assert_eq!(alone(has, version).map(|(severity, _)| severity), expected, "{has} {version}");
    }
    let (_, message) = alone("bitsandbytes", "0.28.0").unwrap();
    let expected =
        format!("{AT} is quantised with `bitsandbytes`, which vLLM 0.28.0 does not have");
    assert_eq!(message, expected);
    let allowed = |with: &mut Invocation| with.deprecated_quantization = true;
    assert_eq!(quantised("fbgemm_fp8", Some("0.33.0"), allowed), None);
}

#[test]
fn forms_of_gptq_are_computed_by_the_methods_that_have_them() {
    let (error, warning) = (Some(Severity::Error), Some(Severity::Warning));
    let states = |bits: u8, group: i32, sym: bool| {
        format!(r#","bits":{bits},"group_size":{group},"sym":{sym},"desc_act":true"#)
    };
    let says = |asks: &str, version: &str, states: &str| {
        let version = Some(version).filter(|version| !version.is_empty());
        let asks = Some(asks.to_owned()).filter(|asks| !asks.is_empty());
        quantised_so("gptq", version, states, |with| with.quantization = asks.and_then(word))
    };
    // Of numbers that the method does not compute with, another test speaks.
    let taken = warning;
    for (asks, version, states, expected) in [
        ("gptq_marlin", "0.12.0", states(4, 128, true), None),
        ("gptq_marlin", "0.12.0", states(8, -1, true), None),
        ("gptq_marlin", "0.12.0", states(4, 128, false), error),
        ("gptq_marlin", "0.12.0", states(3, 128, true), error),
        ("gptq_marlin", "0.12.0", states(4, 256, true), error),
        ("gptq_marlin", "0.21.0", states(4, 256, true), error),
        ("", "0.21.0", states(4, 128, false), None),
        ("gptq_marlin", "", states(4, 128, false), error),
        ("gptq", "0.12.0", states(4, 128, false), taken),
        ("gptq", "0.12.0", states(2, 128, true), taken),
        ("", "0.12.0", states(4, 128, false), taken),
        ("", "0.33.0", states(4, 128, false), error),
        ("", "0.33.0", states(3, 128, true), error),
        ("", "", states(4, 16, true), warning),
        ("moe_wna16", "0.33.0", states(4, 16, true), None),
        ("", "0.12.0", r#","bits":4,"group_size":128,"sym":true"#.to_owned(), error),
        ("", "0.12.0", r#","bits":4,"group_size":128,"desc_act":false"#.to_owned(), taken),
        ("gptq_marlin", "0.12.0", r#","bits":4,"group_size":"128""#.to_owned(), None),
    ] {
        let found = says(asks, version, &states).map(|(severity, _)| severity);
        assert_eq!(found, expected, "{asks} {version} {states}");
    }
    let (_, message) = says("gptq_marlin", "0.12.0", &states(4, 128, false)).unwrap();
    let expected = format!(
        "{AT} is quantised with `gptq` (`sym: false`), and the command says `--quantization \
         gptq_marlin`"
    );
    assert_eq!(message, expected);
    let (_, message) = says("", "0.33.0", &states(3, 128, true)).unwrap();
    let expected = format!("vLLM 0.33.0 does not compute {AT}, quantised with `gptq` (`bits: 3`)");
    assert_eq!(message, expected);
}

#[test]
fn a_method_computes_with_the_numbers_of_its_release() {
    let computes = |asks: &str, dtype: Option<&str>, version: &str| {
        let (asks, dtype) = (word(asks.to_owned()), dtype.map(str::to_owned));
        let found = quantised("awq", Some(version), |with| {
            with.quantization = asks;
            with.dtype = dtype.and_then(word);
        });
        found.map(|(severity, _)| severity)
    };
    assert_eq!(computes("awq", Some("bfloat16"), "0.12.0"), Some(Severity::Error));
    assert_eq!(computes("awq", Some("half"), "0.12.0"), None);
    assert_eq!(computes("awq_marlin", Some("bfloat16"), "0.12.0"), None);
    assert_eq!(computes("awq", Some("bfloat16"), "0.32.0"), None);
    // What the model states gives way on a device that does not have it.
    assert_eq!(computes("awq", None, "0.12.0"), Some(Severity::Warning));
}

#[test]
fn a_quantisation_in_a_file_of_its_own_is_left_to_the_engine() {
    let stack = folder("").write("quantize_config.json", "{}");
    let stack = stack.started(|with| {
        with.on_nvidia = true;
        with.quantization = word("gptq".to_owned());
    });
    let found = stack.findings();
    assert!(found.iter().all(|found| found.rule.id != "quantization-conflict"));
}

#[test]
fn a_context_longer_than_the_models_is_refused_by_vllm() {
    let asks = |more: &str, length: u64| folder(more).started(|with| with.context = word(length));
    let message = |length: u64, most: u64| {
        format!(
            "context-too-long] 21: `--max-model-len {length}` is more than the {most} that {AT} allows"
        )
    };
    asks("", 256).check("");
    asks("", 257).check(&format!("error[{}", message(257, 256)));
    let rope = r#","rope_scaling":{"rope_type":"linear","factor":2}"#;
    asks(rope, 512).check("");
    asks(rope, 513).check(&format!("error[{}", message(513, 512)));
    let allowed = folder("").started(|with| {
        with.context = word(257);
        with.exceeds_context = true;
    });
    allowed.check(&format!("note[{}", message(257, 256)));
    let other = Stack::new(FOLDER).served_by(Engine::Sglang, None);
    let found = other.started(|with| with.context = word(1 << 20)).findings();
    assert_eq!((found[0].rule.id, found[0].severity), ("context-too-long", Severity::Error));
}

#[test]
fn what_the_command_replaces_is_not_held_against_the_model() {
    let asks = |overrides| {
        folder(r#","x":1"#).started(|with| {
            with.context = word(1 << 20);
            with.overrides = overrides;
        })
    };
    let ids = |stack: Stack| -> Vec<_> {
        stack.findings().iter().map(|found| (found.rule.id, found.severity)).collect()
    };
    let error = Severity::Error;
    assert_eq!(ids(asks(false)), [("context-too-long", error)]);
    assert_eq!(ids(asks(true)), []);
    let gone = folder("").write(
        "config.json",
        CONFIG.replace("LlamaForCausalLM", "MllamaForConditionalGeneration") + "}",
    );
    assert_eq!(ids(gone.started(|_| {})), [("architecture-unsupported", error)]);
    let gone = folder("").write(
        "config.json",
        CONFIG.replace("LlamaForCausalLM", "MllamaForConditionalGeneration") + "}",
    );
    assert_eq!(ids(gone.started(|with| with.overrides = true)), []);
}

#[test]
fn what_generates_no_text_is_not_asked_to() {
    let asks = |architecture: &str, generates: bool| {
        let config = CONFIG.replace("LlamaForCausalLM", architecture) + "}";
        let stack = folder("").write("config.json", config).started(|with| {
            let asked = || Spanned::nowhere("--runner generate".to_owned());
            with.generates = generates.then(asked);
        });
        let found = stack.findings();
        let found = found.iter().filter(|found| found.rule.id == "architecture-unsupported");
        found.map(|found| found.message.clone()).collect::<Vec<_>>()
    };
    let said = asks("BertModel", true);
    let expected = "`BertModel`, which generates no text, and the command says `--runner generate`";
    assert!(said.len() == 1 && said[0].contains(expected), "{said:?}");
    assert!(asks("BertModel", false).is_empty());
    assert!(asks("LlamaForCausalLM", true).is_empty());
}

#[test]
fn a_tokenizer_is_needed_by_what_makes_tokens() {
    let mute = |part| {
        let mut stack = folder("");
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            fs_err::remove_file(stack.file(name)).unwrap();
        }
        stack.part = part;
        stack
    };
    let ids =
        |stack: &Stack| -> Vec<_> { stack.findings().iter().map(|found| found.rule.id).collect() };
    assert!(ids(&mute(Part::Model)).contains(&"tokenizer-missing"));
    let skips = mute(Part::Model).started(|with| with.skips_tokenizer = true);
    assert!(!ids(&skips).contains(&"tokenizer-missing"));
    for part in [Part::Draft, Part::Lora] {
        assert!(!ids(&mute(part)).contains(&"tokenizer-missing"), "{part:?}");
    }
}

#[test]
fn an_onnx_graph_is_for_the_engines_that_run_one() {
    let graph = |engine| {
        let stack = folder("").served_by(engine, None);
        for number in 1..=3 {
            fs_err::remove_file(stack.file(&format!("model-0000{number}-of-00003.safetensors")))
                .unwrap();
        }
        fs_err::remove_file(stack.file("model.safetensors.index.json")).unwrap();
        fs_err::create_dir(stack.file("onnx")).unwrap();
        stack.write("onnx/model.onnx", "\x08\x08\x12\x07pytorch")
    };
    graph(Engine::Tei).pooled().check("");
    graph(Engine::Vllm).check(&format!(
        "error[not-a-model] 11: {AT} holds its weights as an ONNX graph alone, and vLLM does not \
         open one"
    ));
}

#[test]
fn numbers_are_of_the_type_that_is_promised() {
    let float16 = CONFIG.replace("bfloat16", "float16") + "}";
    folder("").write("config.json", float16).check(&format!(
        "warning[dtype-differs] 17: {AT} states `float16` in its `config.json`, and its tensors are \
         BF16"
    ));
    folder("").started(|with| with.dtype = word("half".to_owned())).check(&format!(
        "warning[dtype-differs] 17: {AT} was trained in bfloat16, and the command says `--dtype \
         half`, whose numbers end at 65504"
    ));
    folder("").started(|with| with.dtype = word("bfloat16".to_owned())).check("");
    folder(r#","quantization_config":{"quant_method":"fp8"}"#).check(&format!(
        "warning[dtype-differs] 17: {AT} is quantised with `fp8` and has no FP8 tensors\n\
         warning[dtype-differs] 17: the model in {AT} is quantised with `fp8`, and its folder is \
         called `bf16`"
    ));
    let mut stack = folder("");
    let moved = stack.root.path().join("vllm/tiny/fp8");
    fs_err::rename(stack.at(), &moved).unwrap();
    stack.path = "vllm/tiny/fp8".to_owned();
    stack.check(
        "warning[dtype-differs] 17: the model in `/models/vllm/tiny/fp8` is stored as BF16, and its \
         folder is called `fp8`",
    );
}

#[test]
fn fp8_tensors_belong_to_a_quantisation() {
    let header = r#"{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&[1; 4]);
    let stack = folder("").remove("model.safetensors.index.json");
    let stack = (1..=3)
        .fold(stack, |stack, n| stack.remove(&format!("model-0000{n}-of-00003.safetensors")));
    let found = stack.write("model.safetensors", &bytes).findings();
    let messages: Vec<_> = found.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(
        messages[0],
        format!("{AT} has FP8 tensors, and its `config.json` has no quantisation")
    );
}

#[test]
fn code_of_a_model_is_run_only_when_that_is_allowed() {
    let coded = |kind: &str, map: &str| {
        let config = format!(
            r#"{{"architectures":["LlamaForCausalLM"],"model_type":"{kind}","auto_map":{{"AutoConfig":"{map}"}}}}"#
        );
        Stack::new(FOLDER).write("config.json", config)
    };
    let own = |kind: &str, version: Option<&str>| {
        coded(kind, "configuration_x.XConfig").served_by(Engine::Vllm, version)
    };
    let message = format!(
        "[remote-code-required] 17: {AT} is of the type `brandnew`, whose code comes with the \
         model, and `--trust-remote-code` is not given"
    );
    own("brandnew", Some("0.12.0")).check(&format!("error{message}"));
    own("brandnew", Some("0.20.0")).check(&format!("error{message}"));
    own("brandnew", Some("99.0.0")).check(&format!("warning{message}"));
    own("brandnew", None).check(&format!("warning{message}"));
    // The loader has code of its own for it.
    own("llama", Some("0.12.0")).check("");
    let trusted = |stack: Stack| stack.started(|with| with.trust_remote_code = true);
    trusted(own("brandnew", Some("0.12.0"))).check(&format!(
        "error[remote-code-required] 17: `config.json` in {AT} names code in `configuration_x.py`, \
         which is not there"
    ));
    trusted(own("brandnew", Some("0.12.0"))).write("configuration_x.py", "").check("");
    let other = || coded("bert", "jinaai/code--modeling_bert.Model");
    trusted(other().served_by(Engine::Vllm, None)).check(&format!(
        "warning[remote-code-required] 17: {AT} runs `modeling_bert.py` of another repository, \
         `jinaai/code`, which the engine downloads when it starts"
    ));
}

#[test]
fn a_gguf_file_is_read_by_the_releases_of_vllm_that_have_it() {
    let says = |version| {
        let stack = Stack::new("gguf/tiny-Q4_K_M.gguf").served_by(Engine::Vllm, version);
        let found = stack.started(|_| {}).findings();
        let found = found.iter().find(|found| found.rule.id == "gguf-in-vllm");
        found.map(|found| found.severity)
    };
    assert_eq!(says(Some("0.12.0")), Some(Severity::Warning));
    assert_eq!(says(Some("0.23.0")), Some(Severity::Warning));
    assert_eq!(says(Some("0.32.0")), Some(Severity::Error));
    assert_eq!(says(Some("0.99.0")), Some(Severity::Warning));
    assert_eq!(says(None), Some(Severity::Warning));
}

#[test]
fn code_of_a_class_that_the_engine_has_itself_may_be_missing() {
    let says = |class: &str, map: &str| {
        let config =
            format!(r#"{{"architectures":["{class}"],"model_type":"llama","auto_map":{{{map}}}}}"#);
        let stack = Stack::new(FOLDER).write("config.json", config);
        let stack = stack.served_by(Engine::Vllm, Some("0.12.0"));
        let found = stack.started(|with| with.trust_remote_code = true).findings();
        found.iter().any(|found| found.rule.id == "remote-code-required")
    };
    let model = r#""AutoModelForCausalLM":"modeling_x.X""#;
    assert!(!says("LlamaForCausalLM", model));
    assert!(says("BrandNewForCausalLM", model));
    assert!(says("LlamaForCausalLM", r#""AutoConfig":"configuration_x.X""#));
    // The configuration is in the same file.
    assert!(says("LlamaForCausalLM", &format!(r#""AutoConfig":"modeling_x.C",{model}"#)));
}

#[test]
fn code_that_prepares_images_may_be_missing_where_the_engine_prepares_them_itself() {
    let says = |file: &str, has_code: bool| {
        let map = r#"{"auto_map":{"AutoProcessor":"processing_x.X"}}"#;
        let stack = Stack::new(FOLDER).write(file, map);
        let stack = if has_code { stack.write("processing_x.py", "") } else { stack };
        let stack = stack.served_by(Engine::Vllm, Some("0.12.0"));
        let found = stack.started(|with| with.trust_remote_code = true).findings();
        let found = found.iter().find(|found| found.rule.id == "remote-code-required");
        found.map(|found| found.severity)
    };
    assert_eq!(says("preprocessor_config.json", false), Some(Severity::Warning));
    assert_eq!(says("processor_config.json", false), Some(Severity::Warning));
    assert_eq!(says("preprocessor_config.json", true), None);
}

#[test]
fn code_of_another_repository_is_looked_for_in_the_same_cache() {
    let config = r#"{"architectures":["LlamaForCausalLM"],"model_type":"bert",
        "auto_map":{"AutoModel":"jinaai/code--modeling_bert.Model"}}"#;
    let mut stack = Stack::new(FOLDER).write("config.json", config);
    let snapshot = "hub/models--o--r/snapshots/0123";
    let target = stack.root.path().join(snapshot);
    fs_err::create_dir_all(target.parent().unwrap()).unwrap();
    fs_err::rename(stack.at(), &target).unwrap();
    stack.path = snapshot.to_owned();
    let stack = stack.served_by(Engine::Vllm, None).started(|with| {
        with.trust_remote_code = true;
        with.offline = true;
    });
    let found = stack.findings();
    assert_eq!((found[0].rule.id, found[0].severity), ("remote-code-required", Severity::Error));
    let code = stack.root.path().join("hub/models--jinaai--code");
    fs_err::create_dir_all(code.join("snapshots/89ab")).unwrap();
    fs_err::create_dir_all(code.join("refs")).unwrap();
    fs_err::write(code.join("refs/main"), "89ab").unwrap();
    fs_err::write(code.join("snapshots/89ab/modeling_bert.py"), "").unwrap();
    stack.check("");
}

#[test]
fn a_repositorys_folder_of_the_cache_is_judged_by_its_snapshot() {
    let mut stack = Stack::new(FOLDER);
    let repository = stack.root.path().join("hub/models--o--r");
    fs_err::create_dir_all(repository.join("snapshots")).unwrap();
    fs_err::create_dir_all(repository.join("refs")).unwrap();
    fs_err::create_dir_all(repository.join("blobs")).unwrap();
    fs_err::write(repository.join("refs/main"), "0123").unwrap();
    fs_err::rename(stack.at(), repository.join("snapshots/0123")).unwrap();
    // As the hub's own clients keep it.
    let shard = repository.join("snapshots/0123/model-00001-of-00003.safetensors");
    fs_err::rename(&shard, repository.join("blobs/ab")).unwrap();
    std::os::unix::fs::symlink("../../blobs/ab", &shard).unwrap();
    stack.path = "hub/models--o--r".to_owned();
    stack.check("");
    stack = stack.served_by(Engine::Vllm, None);
    stack.check(
        "error[not-a-model] 11: `/models/hub/models--o--r` is a repository's folder of the hub's \
         cache, which vLLM does not open",
    );
    assert!(stack.findings()[0].fix.contains("`/models/hub/models--o--r/snapshots/0123`"));
    fs_err::remove_file(repository.join("blobs/ab")).unwrap();
    fs_err::write(repository.join("blobs/ab.incomplete"), "").unwrap();
    stack.engine = None;
    stack.check(
        "error[shard-missing] 10: 1 of the 3 files of weights in `/models/hub/models--o--r` is \
         missing: `snapshots/0123/model-00001-of-00003.safetensors`\n\
         warning[partial-download] 10: beside `/models/hub/models--o--r` is a file of a download \
         that has not ended: `../../blobs/ab.incomplete`",
    );
}

#[test]
fn weights_that_nobody_loads_are_counted() {
    let stack = folder("").write("pytorch_model.bin", vec![1; 1 << 20]);
    fs_err::create_dir(stack.file("original")).unwrap();
    let stack = stack.write("original/consolidated.00.pth", vec![1; 2 << 20]);
    stack.check(&format!(
        "note[duplicate-weights] 10: {AT} holds 3145728 bytes of weights that no engine loads \
         beside those that it does: `pytorch_model.bin`, `original/consolidated.00.pth`"
    ));
    assert!(stack.findings()[0].fix.contains("'/srv/models/vllm/tiny/bf16/pytorch_model.bin'"));
}

#[test]
fn names_of_another_layout_lead_vllm_astray() {
    let stack = folder("");
    fs_err::create_dir(stack.file("original")).unwrap();
    stack.write("original/consolidated.safetensors", "x").check(&format!(
        "warning[other-layout-taken] 10: `original/consolidated.safetensors` in {AT} makes vLLM \
         look for `consolidated*.safetensors` beside `config.json`, where there are none"
    ));
    folder("").write("params.json", "{}").check(&format!(
        "warning[other-layout-taken] 10: `params.json` in {AT} makes vLLM take the folder for one \
         in Mistral's own layout"
    ));
}

#[test]
fn a_chat_needs_a_template() {
    let mute = folder("").remove("chat_template.jinja");
    let without = mute.write("tokenizer_config.json", "{}");
    without.check(&format!(
        "warning[chat-template-missing] 10: {AT} has no chat template, so `/v1/chat/completions` \
         will answer 400"
    ));
    without.write("tokenizer_config.json", r#"{"chat_template":"{{ x }}"}"#).check("");
    folder("").remove("chat_template.jinja").served_by(Engine::Tei, None).pooled().check("");
}

#[test]
fn tei_reads_fast_tokenizers_alone() {
    let stack = Stack::new(FOLDER).served_by(Engine::Tei, None).pooled();
    stack.check("");
    stack.remove("tokenizer.json").write("vocab.txt", "a").check(&format!(
        "error[tokenizer-missing] 10: {AT} has no `tokenizer.json`, and TEI reads no other tokenizer"
    ));
}

#[test]
fn numbers_that_only_python_has_are_read_by_what_is_written_in_it() {
    let config = |engine| {
        let stack = Stack::new(FOLDER).served_by(engine, None).pooled();
        let text = fs_err::read_to_string(stack.file("config.json")).unwrap();
        stack.write("config.json", text.replacen('{', "{\"time_step_limit\": [0.0, Infinity],", 1))
    };
    config(Engine::Vllm).check("");
    config(Engine::Sglang).check("");
    config(Engine::Tei).check(
        "error[config-invalid] 11: `/models/vllm/tiny/bf16/config.json` says `Infinity`, which is no \
         JSON, so TEI cannot read it",
    );
}

#[test]
fn an_index_may_forget_tensors() {
    let stack = folder("");
    let index = fs_err::read_to_string(stack.file("model.safetensors.index.json")).unwrap();
    let name = "\"model.norm.weight\"";
    assert!(index.contains(name), "{index}");
    let lines = index.lines().filter(|line| !line.contains(name)).collect::<Vec<_>>().join("\n");
    let found = stack.write("model.safetensors.index.json", lines.replace(",\n  }", "\n  }"));
    let found = found.findings();
    assert_eq!((found[0].rule.id, found[0].severity), ("index-mismatch", Severity::Warning));
    assert!(found[0].message.contains("does not name the tensor `model.norm.weight`"));
}

#[test]
fn llama_servers_context_is_capped_or_limited() {
    let gguf = || Stack::new(GGUF).served_by(Engine::LlamaCpp, None);
    gguf().started(|with| with.context = word(2048)).check("");
    gguf().started(|with| with.context = word(100_000)).check(
        "warning[context-too-long] 21: `-c 100000` is more than the 2048 tokens that \
         `/models/gguf/tiny-Q4_K_M.gguf` was trained for; llama-server caps it",
    );
    gguf().started(|_| {}).check("");
    // What the header says is enough to know what the cache would take.
    let huge = || {
        let stack = gguf();
        let mut bytes = fs_err::read(stack.at()).unwrap();
        let key = b"llama.context_length";
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
        bytes[at..at + 4].copy_from_slice(&1_000_000_000_u32.to_le_bytes());
        stack.write("", bytes)
    };
    let message = "warning[context-not-limited] 21: no context length is given for \
                   `/models/gguf/tiny-Q4_K_M.gguf`, which was trained for 1000000000 tokens: keys \
                   and values of that many take 953 GiB";
    huge().started(|_| {}).check(message);
    huge().started(|with| with.context = word(0)).check(message);
    huge().started(|with| with.context = word(32_768)).check("");
}

#[test]
fn a_gguf_file_is_not_what_vllm_is_for() {
    Stack::new(GGUF).served_by(Engine::Vllm, None).check(
        "warning[gguf-in-vllm] 17: `/models/gguf/tiny-Q4_K_M.gguf` is a GGUF file, which newer \
         releases of vLLM read only with a plugin",
    );
}

/// A pipeline with a step that changes the width of a vector, and what that says of itself.
fn with_dense(version: &str, kind: &str, says: &str, weights: &str) -> Stack {
    let stack = Stack::new(FOLDER).served_by(Engine::Tei, Some(version)).pooled();
    let modules: Vec<String> = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", kind)]
        .iter()
        .enumerate()
        .map(|(index, (path, kind))| {
            format!(
                r#"{{"idx":{index},"name":"{index}","path":"{path}",
                    "type":"sentence_transformers.models.{kind}"}}"#
            )
        })
        .collect();
    fs_err::create_dir(stack.file("2_Dense")).unwrap();
    let stack = stack.write("modules.json", format!("[{}]", modules.join(",")));
    let stack = stack.write("2_Dense/config.json", format!("{{{says}}}"));
    let stack = if weights.is_empty() { stack } else { stack.write(weights, "x") };
    stack.started(|_| {})
}

#[test]
fn a_step_behind_the_pooling_is_one_that_tei_knows() {
    let (error, warning) = (Some(Severity::Error), Some(Severity::Warning));
    let sizes = r#""in_features":64,"out_features":32,"bias":true"#;
    let of = |name: &str| format!(r#"{sizes},"activation_function":"torch.nn.modules.{name}""#);
    let stored = "2_Dense/model.safetensors";
    for (version, kind, says, weights, expected) in [
        ("1.9.3", "Dense", of("activation.Tanh"), stored, None),
        ("1.9.3", "Dense", of("linear.Identity"), "2_Dense/pytorch_model.bin", None),
        ("1.9.3", "Dense", sizes.to_owned(), stored, None),
        ("1.9.3", "Dense", of("activation.GELU"), stored, error),
        ("1.9.3", "Dense", r#""in_features":64,"bias":true"#.to_owned(), stored, error),
        ("1.9.3", "Dense", r#""in_features":64,"out_features":32"#.to_owned(), stored, error),
        ("1.9.3", "Dense", of("activation.GELU"), "", warning),
        ("1.9.9", "Dense", of("activation.GELU"), stored, warning),
        // Neither of these reads it.
        ("1.8.2", "Dense", of("activation.GELU"), stored, None),
        ("1.9.3", "LayerNorm", of("activation.GELU"), stored, None),
    ] {
        let found = with_dense(version, kind, &says, weights).findings();
        let mut found = found.iter().filter(|found| found.message.contains("/2_Dense"));
        let severity = found.next().map(|found| found.severity);
        assert_eq!(severity, expected, "{version} {kind} {says} {weights}");
    }
}

//! The command line of vLLM.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

#[test]
fn vllm_opens_what_its_command_line_names() {
    check(VLLM, "--model /models/coder", "vLLM | model=/models/coder");
    check(VLLM, "/models/coder --port 8001", "vLLM | model=/models/coder | port=8001");
    check(VLLM, "Qwen/Qwen2.5-7B", "vLLM | model=Qwen/Qwen2.5-7B");
    check(VLLM, "gpt2", "vLLM | model=gpt2");
    check(VLLM, "--model=./m", "vLLM | model=/vllm-workspace/m");
    check(VLLM, "--model s3://b/m", "vLLM | model=s3://b/m");
    check(VLLM, "--model /m/x.gguf --tokenizer a/b", "vLLM | model=/m/x.gguf | tokenizer=a/b");
    check(VLLM, "--model a/b --revision v1", "vLLM | model=a/b@v1");
    check(
        VLLM,
        "a/b --revision v1 --tokenizer c/d --tokenizer-revision v2",
        "vLLM | model=a/b@v1 | tokenizer=c/d@v2",
    );
    check(VLLM, "", "vLLM");
    check(VLLM, "--port 80", "vLLM | port=80");
}

#[test]
fn vllm_may_be_told_to_exceed_the_context_of_a_model() {
    for (value, expected) in [("1", true), (" True ", true), ("0", false), ("yes", false)] {
        let variables = [("VLLM_ALLOW_LONG_MAX_MODEL_LEN", value)];
        let service = with_environment(service(VLLM, &["/m", "--max-model-len", "8k"]), &variables);
        assert_eq!(invocation(&service).unwrap().exceeds_context, expected, "{value}");
    }
    let service = service(VLLM, &["/m"]);
    assert!(!invocation(&service).unwrap().exceeds_context);
}

#[test]
fn vllm_flags_are_read_by_the_rules_of_argparse() {
    check(VLLM, "--max_model_len=32k /m", "vLLM | model=/m | context=32000");
    check(VLLM, "/m --max-model-l 32K", "vLLM | model=/m | context=32768");
    check(VLLM, "/m --max-model-len -1", "vLLM | model=/m");
    check(VLLM, "/m --max-model-len auto", "vLLM | model=/m");
    let wrong = "vLLM | model=/m | NotANumber { by: \"--max-model-len\", value: \"much\" }";
    check(VLLM, "/m --max-model-len much", wrong);
    check(VLLM, "--enforce-eager /m", "vLLM | model=/m");
    check(VLLM, "--no-enforce-eager --enable-lora /m -O3", "vLLM | model=/m");
    check(VLLM, "-O3 /m", "vLLM | model=/m");
    check(VLLM, "-O 3 /m", "vLLM | model=/m");
    check(VLLM, "-O=3 /m", "vLLM | model=/m");
    check("vllm/vllm-openai:v0.8.5", "-O3 --model /m", "vLLM | model=/m | version=0.8.5");
    check(VLLM, "/m -tp 2 -q awq", "vLLM | model=/m | quantization=awq | tp=2");
    check(VLLM, "/m --tensor-par 4 --dtype half", "vLLM | model=/m | dtype=half | tp=4");
    check(VLLM, "/m --trust-remote-code", "vLLM | model=/m | code=yes");
    check(VLLM, "/m --trust-remote-code --no-trust-remote-code", "vLLM | model=/m");
    check(
        VLLM,
        "/m --served-model-name a b --port 9",
        "vLLM | model=/m | name=a | name=b | port=9",
    );
    check(VLLM, "--served-model-name a /m", "vLLM | name=a | name=/m");
    check(VLLM, "--port 1 -- /m", "vLLM | model=/m | port=1");
    check(VLLM, "--model --port 1", "vLLM | port=1 | NoValue { flag: \"--model\" }");
    check(VLLM, "/m /n", "vLLM | model=/m | ExtraWord { word: \"/n\" }");
    check(VLLM, "/m --download-dir /d", "vLLM | model=/m | download=/d");
    check(
        VLLM,
        "/m --port 99999",
        "vLLM | model=/m | NotANumber { by: \"--port\", value: \"99999\" }",
    );
}

#[test]
fn vllm_opens_more_than_a_model() {
    let lora = "/m --enable-lora --lora-modules a=/l/a b=o/b";
    check(VLLM, lora, "vLLM | model=/m | lora=/l/a | lora=o/b");
    check(
        VLLM,
        r#"/m --enable-lora --lora-modules {"name":"a","path":"/l/a","base_model_name":"m"}"#,
        "vLLM | model=/m | lora=/l/a",
    );
    check(VLLM, r#"/m --default-mm-loras {"audio":"/l/a"}"#, "vLLM | model=/m | lora=/l/a");
    check(VLLM, r#"/m -sc {"model":"a/b","enforce_eager":true}"#, "vLLM | model=/m | draft=a/b");
    check(VLLM, r#"/m --speculative-config {"method":"ngram"}"#, "vLLM | model=/m");
    check(VLLM, "/m --speculative-config.model /d", "vLLM | model=/m | draft=/d");
    check(VLLM, "/m --speculative_config.model=/d", "vLLM | model=/m | draft=/d");
    check(VLLM, "/m --spec-model /d", "vLLM | model=/m | draft=/d");
    let said = grammars::refused(&service(VLLM, &["/m", "--speculative-config", "{model:/d}"]));
    assert_eq!(said, "--speculative-config={model:/d}");
    check(VLLM, "/m --chat-template /t/c.jinja", "vLLM | model=/m | template=/t/c.jinja");
    check(
        VLLM,
        "/m --ssl-keyfile /k --ssl-certfile /c --ssl-ca-certs /a",
        "vLLM | model=/m | text=/k | text=/c | text=/a",
    );
    check(VLLM, "/m --ssl-ca-certs /a", "vLLM | model=/m");
    check(VLLM, "/m --chat-template {{messages}}", "vLLM | model=/m");
    check(VLLM, "--config /c.yaml", "vLLM | unread: the file `/c.yaml` was not seen");
}

#[test]
fn vllm_reads_the_file_that_its_command_line_is_continued_in() {
    let check = |words: &str, text: &str, expected: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut service = service(VLLM, &words);
        service.texts.insert(ServicePath::new("/vllm-workspace/c.yaml"), text.to_owned().into());
        assert_eq!(shown(&service), format!("vLLM{expected}"), "{words:?} {text}");
    };
    let file = "model: /m\nport: 81\nserved_model_name: [a, b]\ntrust-remote-code: true\n";
    check("--config c.yaml", file, " | model=/m | name=a | name=b | port=81 | code=yes");
    check("--port 82 --config c.yaml", "model: /m\nport: 81\n", " | model=/m | port=82");
    check("/n --config c.yaml", "model: /m\nport: 81\n", " | model=/n | port=81");
    check("--model /n --config c.yaml", "model: /m\n", " | model=/n");
    check("/n --config c.yaml", "trust-remote-code: false\nlora-modules: []\n", " | model=/n");
    check(
        "/n --config c.yaml",
        "speculative-config: {model: /d, num_speculative_tokens: 2}\n",
        " | model=/n | draft=/d",
    );
    check("/n --config c.yaml", "max-model-len: 32k\ndtype:\n", " | model=/n | context=32000");
    let broken = "the YAML of `/vllm-workspace/c.yaml` cannot be read";
    check("/n --config c.yaml", "a: [", &format!(" | model=/n | unread: {broken}"));
    check("/n --config c.yaml", "[1]", &format!(" | model=/n | unread: {broken}"));
}

#[test]
fn vllm_is_recognised_by_its_words_in_any_image() {
    let serve = "vLLM | model=/m";
    check("acme/llm", "vllm serve /m", serve);
    check("acme/llm", "/opt/venv/bin/vllm serve /m", serve);
    check("acme/llm", "python -m vllm.entrypoints.openai.api_server --model /m", serve);
    check("acme/llm", "python3.12 -u -m vllm.entrypoints.openai.api_server --model /m", serve);
    check("", "tini -g -- vllm serve /m", serve);
    check("", "env A=1 vllm serve /m", serve);
    check("", "numactl --cpunodebind 0 vllm serve /m", serve);
    check("acme/vllm-patched:1.2.3", "--model /m", serve);
    check("acme/vllm-patched", "a/b", "vLLM | model=a/b");
    check("acme/vllm-patched", "", "vLLM | unread: what the image runs by itself is not known");
    check("acme/vllm-patched", "python app.py", "none");
    check("acme/vllm-patched", "/usr/bin/supervisord", "none");
    check("acme/llm", "/start.sh", "none");
    check("acme/llm", "vllm bench throughput", "none");
    check("nginx", "", "none");
    check("", "", "none");
}

#[test]
fn what_replaces_the_models_own_words_is_noted() {
    let overrides = |image: &str, command: &str| {
        let words: Vec<&str> = command.split_whitespace().collect();
        invocation(&service(image, &words)).unwrap().overrides
    };
    assert!(!overrides(VLLM, "/m --max-model-len 9"));
    assert!(overrides(VLLM, r#"/m --hf-overrides {"architectures":["X"]}"#));
    assert!(overrides(VLLM, "/m --hf_overrides.max_position_embeddings 9"));
    assert!(overrides(VLLM, r#"/m --rope-scaling {"rope_type":"yarn"}"#));
    assert!(overrides(LLAMA, "-m /m --override-kv llama.context_length=int:9"));
    let skips = service(VLLM, &["/m", "--skip-tokenizer-init"]);
    assert!(invocation(&skips).unwrap().skips_tokenizer);
}

#[test]
fn a_configuration_of_its_own_is_opened_and_silences_only_where_it_is_another() {
    let overrides = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let invocation = invocation(&service(VLLM, &words)).unwrap();
        let texts = invocation.opens.iter().filter(|opens| opens.part == Part::Text);
        let texts: Vec<String> = texts.map(|opens| opens.named.to_string()).collect();
        (texts, invocation.overrides)
    };
    let config = |folder: &str| vec![format!("{folder}/config.json")];
    assert_eq!(overrides("/m --hf-config-path /c"), (config("/c"), true));
    assert_eq!(overrides("/m --hf-config-path /m/"), (config("/m"), false));
    assert_eq!(overrides("/m --hf-config-path owner/name"), (Vec::new(), true));
    assert_eq!(overrides("/m"), (Vec::new(), false));
}

/// What is refused of a command line, given word by word, and which model is read.
fn judged(image: &str, words: &[&str]) -> (Option<String>, String) {
    let service = service(image, words);
    let model = invocation(&service).unwrap().model().map(|model| model.named.to_string());
    (model, grammars::refused(&service))
}

#[test]
fn the_first_model_counts_behind_serve_and_the_last_one_for_the_module() {
    for (tag, line, model, said) in [
        ("v0.12.0", "--model /a --model /b", "/a", ""),
        ("v0.11.1", "--model /a --model /b", "/a", ""),
        ("latest", "--model /a --model /b", "/a", ""),
        ("v0.11.0", "--model /a --model /b", "/b", ""),
        ("v0.9.2", "--model /a --model /b", "/b", ""),
        ("v0.12.0", "/a --model /a", "/a", "the command names the model twice"),
        ("v0.12.0", "/a --model /b", "/b", "the command names the model twice"),
        ("v0.12.0", "--model /a auto", "/a", "word auto"),
        ("v0.12.0", "/a /b", "/a", "word /b"),
        ("v0.12.0", "/a", "/a", ""),
        ("v0.11.0", "/a", "/a", "`/a` stands where a model has to be behind `vllm serve`"),
        ("v0.9.2", "/a", "/a", "`/a` stands where a model has to be behind `vllm serve`"),
        ("v0.11.0", "/a --model /b", "/b", ""),
        ("v0.9.2", "/a --model /b", "/b", "word /a"),
        ("v0.16.0", "--port 80 /a --served-model-name x", "/a", ""),
        ("v0.17.1", "--port 80 /a --served-model-name x", "/a", "with `--served-model-name`"),
        ("v0.17.1", "/a --port 80 --served-model-name x", "/a", ""),
        ("v0.17.1", "--port 80 --model /a --served-model-name x", "/a", ""),
    ] {
        let image = format!("vllm/vllm-openai:{tag}");
        let (named, refused) = judged(&image, &line.split(' ').collect::<Vec<_>>());
        assert_eq!(named.as_deref(), Some(model), "{tag} {line}");
        let is_told = if said.is_empty() { refused.is_empty() } else { refused.starts_with(said) };
        assert!(is_told, "{tag} {line}: {refused}");
    }
    let mut own = service("acme/llm", &["vllm", "serve", "--model", "/a"]);
    assert_eq!(grammars::refused(&own), "");
    own = service("vllm/vllm-openai:v0.10.2", &["--model", "/a"]);
    own.entrypoint = Some(spanned(&["vllm", "serve"]));
    assert!(grammars::refused(&own).starts_with("`vllm serve` of that release takes no `--model`"));
}

/// What vLLM's own parser of the release answers (`tests/setup/vllm-parser --judge`).
#[test]
fn a_flag_and_its_value_in_one_word_are_taken_apart_as_the_release_does_it() {
    let (value, field, flag) = ("v0.8.5", "v0.11.0", "v0.33.0");
    for (tags, line, is_taken) in [
        (&[value, "v0.9.0", "v0.9.2", field, flag][..], "-O3", true),
        (&[value, "v0.9.0", "v0.10.0", field, flag], "-O 3", true),
        (&[value, "v0.9.0", "v0.10.2", field, flag], "-O=3", true),
        (&["v0.9.2", field], "-O.level=3", true),
        (&["v0.9.2", field, flag], "-O.cudagraph_mode=PIECEWISE", true),
        (&["v0.9.2", field], "-O.level 3", true),
        (&["v0.9.0", field], "-O {\"level\":3}", true),
        (&[value, "v0.9.0"], "--compilation-config 3", true),
        (&["v0.9.2", field, flag], "--compilation-config 3", false),
        (&["v0.9.2", field], "-O", false),
    ] {
        for tag in tags {
            let words: Vec<_> = line.split(' ').collect();
            let mut own = service(&format!("vllm/vllm-openai:{tag}"), &words);
            own.entrypoint = Some(spanned(&["vllm", "serve", "/m"]));
            let refused = grammars::refused(&own);
            assert_eq!(refused.is_empty(), is_taken, "{tag} {line}: {refused}");
        }
    }
}

#[test]
fn the_model_by_a_flag_is_refused_behind_serve_where_the_release_looks_for_that_word() {
    for (tag, line, model, is_taken) in [
        ("v0.11.0", "--model /m", "/m", false),
        ("v0.11.0", "--model=/m", "/m", true),
        ("v0.11.0", "/a --model=/m", "/a", true),
        ("v0.11.0", "/a --model /m", "/a", false),
        ("v0.11.0", "--config /c.yaml", "/c", true),
        ("v0.8.5", "--model=/m", "/m", true),
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let mut own = service(&format!("vllm/vllm-openai:{tag}"), &words);
        own.entrypoint = Some(spanned(&["vllm", "serve"]));
        own.texts.insert(ServicePath::new("/c.yaml"), "model: /c".to_owned().into());
        let named = invocation(&own).unwrap().model().map(|model| model.named.to_string());
        assert_eq!(named.as_deref(), Some(model), "{tag} {line}");
        let refused = grammars::refused(&own);
        assert_eq!(refused.is_empty(), is_taken, "{tag} {line}: {refused}");
    }
}

#[test]
fn a_word_behind_the_name_of_a_repository_is_refused_where_the_release_makes_nothing_of_it() {
    for (tag, name, is_taken) in [
        ("v0.11.2", "acme/m:main", false),
        ("v0.11.2", "acme/m-GGUF:Q4_0", false),
        ("v0.12.0", "acme/m-GGUF:Q4_0", true),
        ("v0.20.2", "acme/m-GGUF:UD-Q4_K_XL", true),
        ("v0.20.2", "acme/m:main", false),
        ("v0.33.0", "acme/m-GGUF:Q4_0", true),
        ("latest", "acme/m:main", true),
    ] {
        let own = service(&format!("vllm/vllm-openai:{tag}"), &["--model", name]);
        let refused = grammars::refused(&own);
        assert_eq!(refused.is_empty(), is_taken, "{tag} {name}: {refused}");
    }
}

#[test]
fn a_stray_word_is_one_complaint_and_never_a_model() {
    let image = "vllm/vllm-openai:v0.12.0";
    for (words, model, said) in [
        (&["--model", "/m", "--dtype auto"][..], Some("/m"), "word --dtype auto"),
        (&["--dtype auto", "/m"], Some("/m"), "word --dtype auto"),
        (&["--dtype auto"], None, "word --dtype auto"),
        (
            &["--model", "/m", "#", "keep", "it", "short", "--max-model-len", "128"],
            Some("/m"),
            "word # keep it short",
        ),
        (&["/m", " --max-model-len", "128"], Some("/m"), "word  --max-model-len 128"),
        (
            &["/m", " --dtype", "auto", " --seed", "1", "--port", "9", "\n"],
            Some("/m"),
            "word  --dtype auto  --seed 1",
        ),
        (&["/m", "\\", "--port", "9", "\\"], Some("/m"), "word \\"),
        (&["\n", "/m"], Some("/m"), "word \n"),
        (&["\"Qwen/x\""], None, "word \"Qwen/x\""),
        (&["/m", "–-dtype", "auto"], Some("/m"), "word –-dtype, word auto"),
        (&["/m", "--enforce-eager", "True"], Some("/m"), "word True"),
        (&["--enforce-eager", "True", "/m"], Some("/m"), "word True"),
        (
            &["/m", "--limit-mm-per-prompt", "{image:", "2}"],
            Some("/m"),
            "--limit-mm-per-prompt={image: 2}",
        ),
        (
            &["--hf-overrides", "{a:", "{b:", "1},", "c:", "2}", "/m"],
            Some("/m"),
            "--hf-overrides={a: {b: 1}, c: 2}",
        ),
        (&["--hf-overrides", "{a:1}", "/m"], Some("/m"), "--hf-overrides={a:1}"),
    ] {
        let (named, refused) = judged(image, words);
        assert_eq!((named.as_deref(), refused.as_str()), (model, said), "{words:?}");
    }
}

#[test]
fn a_value_is_what_the_release_of_vllm_takes() {
    for (tag, line, said) in [
        ("v0.12.0", "/m --dtype bf16", "--dtype=bf16"),
        ("latest", "/m --dtype bf16", "?--dtype=bf16"),
        ("v0.12.0", "/m --gpu-memory-utilization 90", "--gpu-memory-utilization=90"),
        ("v0.9.2", "--model /m --gpu-memory-utilization 90", "--gpu-memory-utilization=90"),
        ("v0.12.0", "/m --gpu-memory-utilization 0,9", "--gpu-memory-utilization=0,9"),
        ("v0.33.0", "/m --tensor-parallel-size 0", "--tensor-parallel-size=0"),
        ("v0.12.0", "/m --limit-mm-per-prompt image=1", "--limit-mm-per-prompt=image=1"),
        ("v0.8.5", "--model /m --limit-mm-per-prompt image=1", ""),
        ("v0.12.0", "/m --max-lora-rank 20", "--max-lora-rank=20"),
        ("v0.12.0", "/m --compilation-config 3", "--compilation-config=3"),
        ("v0.8.5", "--model /m --compilation-config 3", ""),
        ("v0.12.0", "/m --block-size 7", "--block-size=7"),
        ("v0.33.0", "/m --block-size 7", ""),
        ("v0.12.0", "/m --max-model-len auto", "--max-model-len=auto"),
        ("v0.33.0", "/m --max-model-len auto", ""),
        ("v0.12.0", "/m --enforce-eager=True", "--enforce-eager=True"),
        ("v0.8.4", "--model /m --enable-chunked-prefill false", ""),
        ("v0.6.6", "--model /m --enable-chunked-prefill=false", ""),
        ("v0.8.5", "--model /m --enable-chunked-prefill false", "word false"),
        ("v0.12.0", "/m --allowed-origins *", "--allowed-origins=*"),
        ("v0.12.0", "/m --ctx-size 8192", "--ctx-size"),
        ("v0.12.0", "/m --rope-theta 1", "--rope-theta"),
        ("v0.12.0", "/m --api-key", "--api-key alone"),
    ] {
        let image = format!("vllm/vllm-openai:{tag}");
        let (_, refused) = judged(&image, &line.split(' ').collect::<Vec<_>>());
        assert_eq!(refused, said, "{tag} {line}");
    }
}

#[test]
fn a_chat_template_that_is_no_text_is_a_file() {
    let refused =
        |image: &str, template: &str| judged(image, &["/m", "--chat-template", template]).1;
    for name in ["tpl.jinja", "chatml"] {
        assert!(refused(VLLM, name).starts_with("`--chat-template"), "{name}");
        let own = judged("acme/vllm-own", &["vllm", "serve", "/m", "--chat-template", name]);
        assert_eq!(own.1, "", "{name}");
    }
    for text in ["/t/c.jinja", "examples/c.jinja", "{{ messages }}", "template_chatml.jinja"] {
        assert_eq!(refused(VLLM, text), "", "{text}");
    }
}

#[test]
fn a_file_of_flags_that_is_joined_to_its_flag_is_not_read() {
    let image = "vllm/vllm-openai:v0.12.0";
    let (_, refused) = judged(image, &["/m", "--config=c.yaml"]);
    assert!(refused.starts_with("vLLM does not read the file of `--config=c.yaml`"), "{refused}");
    assert_eq!(judged(image, &["/m", "--config", "c.yaml"]).1, "");
}

#[test]
fn a_flag_that_needs_another_is_refused_alone() {
    let image = "vllm/vllm-openai:v0.12.0";
    for (line, said) in [
        ("/m --enable-auto-tool-choice", "`--enable-auto-tool-choice` is given without"),
        ("/m --enable-auto-tool-choice --tool-call-parser hermes", ""),
        ("/m --enable-auto-tool-choice --no-enable-auto-tool-choice", ""),
        ("/m --lora-modules a=/l", "`--lora-modules` is given without `--enable-lora`"),
        ("/m --lora-modules a=/l --enable-lora", ""),
        ("/m --enable-log-outputs", "`--enable-log-outputs` is given without"),
    ] {
        let (_, refused) = judged(image, &line.split(' ').collect::<Vec<_>>());
        let is_told = if said.is_empty() { refused.is_empty() } else { refused.starts_with(said) };
        assert!(is_told, "{line}: {refused}");
    }
}

#[test]
fn a_name_that_nothing_is_registered_as_is_refused() {
    let auto = "/m --enable-auto-tool-choice --tool-call-parser";
    for (tag, line, said) in [
        ("v0.33.0", format!("{auto} hermez"), "`--tool-call-parser hermez`: vLLM 0.33.0 has no"),
        ("latest", format!("{auto} hermez"), "?`--tool-call-parser hermez`: vLLM 0.33.0 has no"),
        ("v0.33.0", format!("{auto} hermes"), ""),
        ("v0.33.0", format!("{auto} mine --tool-parser-plugin /p.py"), ""),
        ("v0.33.0", "/m --tool-call-parser hermez".to_owned(), ""),
        ("v0.33.0", "/m --reasoning-parser qwen".to_owned(), "`--reasoning-parser qwen`: vLLM"),
        ("v0.33.0", "/m --reasoning-parser none".to_owned(), ""),
        ("v0.33.0", "/m --load-format foo".to_owned(), "`--load-format foo`: vLLM 0.33.0 has no"),
        ("v0.33.0", "/m --load-format AUTO".to_owned(), ""),
        ("v0.33.0", "/m --tokenizer-mode slow".to_owned(), "`--tokenizer-mode slow`: vLLM"),
        ("v0.33.0", "/m --tokenizer-mode slow --skip-tokenizer-init".to_owned(), ""),
        ("v0.12.0", "/m --tokenizer-mode slow".to_owned(), ""),
        ("v0.33.0", "/m --kv-cache-dtype q8_0".to_owned(), "`--kv-cache-dtype q8_0`: vLLM"),
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let (_, refused) = judged(&format!("vllm/vllm-openai:{tag}"), &words);
        let is_told = if said.is_empty() { refused.is_empty() } else { refused.starts_with(said) };
        assert!(is_told, "{tag} {line}: {refused}");
    }
    let script = "pip install mine && vllm serve /m --reasoning-parser mine";
    let mut service = service("vllm/vllm-openai:v0.33.0", &["-c", script]);
    service.entrypoint = Some(spanned(&["sh"]));
    let refused = grammars::refused(&service);
    assert!(refused.starts_with("?`--reasoning-parser mine`"), "{refused}");
}

#[test]
fn an_image_that_is_older_than_a_flag_does_not_have_it() {
    let refused = |image: &str, made: u64, line: &str| {
        let mut service = service(image, &line.split(' ').collect::<Vec<_>>());
        service.image_made = Some(UNIX_EPOCH + Duration::from_secs(made));
        grammars::refused(&service)
    };
    let october_2025 = 1_760_000_000;
    let (latest, newer) = ("vllm/vllm-openai:latest", "/m --attention-backend FLASHINFER");
    assert_eq!(refused(latest, october_2025, newer), "--attention-backend");
    assert_eq!(refused(latest, october_2025, "/m --attention-b FLASHINFER"), "--attention-b");
    assert_eq!(refused(latest, october_2025, "/m --no-such 1"), "--no-such");
    // What is gone today may be there.
    assert_eq!(refused(latest, october_2025, "/m --swap-space 4"), "?--swap-space");
    assert_eq!(refused(latest, october_2025, "/m --swap-sp 4"), "?--swap-sp");
    assert_eq!(refused(latest, october_2025, "/m --max-model-len 4096 -tp 2"), "");
    // A build that can be repeated is made in 1970, and a new image may have everything.
    assert_eq!(refused(latest, 0, newer), "");
    assert_eq!(refused(latest, 1_790_000_000, newer), "");
    assert_eq!(refused("acme/vllm-own", october_2025, "vllm serve /m --attention-backend X"), "");
    assert_eq!(refused("vllm/vllm-openai:v0.33.0", october_2025, newer), "");
}

#[test]
fn a_key_that_the_json_of_a_flag_does_not_have_is_refused() {
    for (tag, line, said) in [
        ("v0.33.0", "/m --structured-outputs-config {\"foo\":1}", "`--structured-outputs-config`"),
        ("v0.33.0", "/m -cc {\"modes\":3}", "`-cc` has no key `modes` in vLLM 0.33.0"),
        ("v0.33.0", "/m -cc.modes 3", "`-cc` has no key `modes`"),
        ("v0.33.0", "/m -cc.pass_config.anything 3", ""),
        ("latest", "/m -cc {\"modes\":3}", "?`-cc` has no key `modes`"),
        ("v0.33.0", "/m -cc {\"mode\":3,\"cudagraph_mode\":\"NONE\"}", ""),
        ("v0.33.0", "/m --hf-overrides {\"foo\":1}", ""),
        // It takes no notice of them.
        ("v0.12.0", "/m -cc {\"modes\":3}", ""),
        (
            "v0.33.0",
            "/m --speculative-config {\"model\":\"/d\",\"num_speculative_tokens\":2,\"tokens\":1}",
            "`--speculative-config` has no key `tokens`",
        ),
    ] {
        let (_, refused) =
            judged(&format!("vllm/vllm-openai:{tag}"), &line.split(' ').collect::<Vec<_>>());
        let is_told = if said.is_empty() { refused.is_empty() } else { refused.starts_with(said) };
        assert!(is_told, "{tag} {line}: {refused}");
    }
}

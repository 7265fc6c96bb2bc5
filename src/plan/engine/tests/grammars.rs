//! What TEI, TGI, SGLang and Infinity refuse, by release. What clap makes of these words was asked of
//! the parsers of TEI 1.2.3, 1.5.1, 1.8.3, 1.9.0 and 1.9.3 and of TGI 1.4.5, 2.0.4, 2.3.1 and 3.3.7.

use super::*;

const TEI: &str = "ghcr.io/huggingface/text-embeddings-inference";
const TGI: &str = "ghcr.io/huggingface/text-generation-inference";

/// What is refused, in a few words; `?` stands in front of what is not certain.
pub(super) fn refused(service: &Service) -> String {
    let Some(invocation) = invocation(service) else { return "none".to_owned() };
    let told = |complaint: &Spanned<Complaint>| {
        let value = &complaint.value;
        said(value).unwrap_or_else(|| format!("{value:?}"))
    };
    invocation.complaints.iter().map(told).collect::<Vec<_>>().join(", ")
}

fn said(complaint: &Complaint) -> Option<String> {
    let not_certain = |is_certain: &bool| if *is_certain { "" } else { "?" };
    if let Complaint::UnknownFlag(it) = complaint {
        return Some(format!("{}{}", not_certain(&it.is_certain), it.flag));
    }
    if let Complaint::BadValue { by, value, is_certain, .. } = complaint {
        return Some(format!("{}{by}={value}", not_certain(is_certain)));
    }
    if let Complaint::Refused(it) = complaint {
        return Some(format!("{}{}", not_certain(&it.is_certain), it.why));
    }
    if let Complaint::NotANumber { by, value } = complaint {
        return Some(format!("{by}={value}"));
    }
    if let Complaint::SwitchValue { flag, value } = complaint {
        return Some(format!("{flag}={value}"));
    }
    if let Complaint::NoValue { flag } = complaint {
        return Some(format!("{flag} alone"));
    }
    if let Complaint::ExtraWord { word } = complaint {
        return Some(format!("word {word}"));
    }
    None
}

fn check(image: &str, cases: &[(&str, &str)]) {
    for (words, expected) in cases {
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(refused(&service(image, &words)), *expected, "{image} {words:?}");
    }
}

fn variables(image: &str, cases: &[(&[(&str, &str)], &str)]) {
    for (variables, expected) in cases {
        let service = with_environment(service(image, &["--model-id", "/m"]), variables);
        assert_eq!(refused(&service), *expected, "{image} {variables:?}");
    }
}

#[test]
fn clap_takes_its_own_flags_alone_and_each_of_them_once() {
    check(
        &format!("{TEI}:1.8"),
        &[
            ("--model-id /m --port 80 --pooling mean --auto-truncate", ""),
            ("--model-id=/m -p 80 --json-output", ""),
            ("--model-id /m -p80", ""),
            ("--model-id /m -p=80", ""),
            ("--model-id /m --max-model-len 512", "--max-model-len"),
            ("--model_id /m", "--model_id"),
            ("--model-i /m", "--model-i"),
            ("--model-id /m --no-such", "--no-such"),
            ("--model-id /m --shm-size 1g", "--shm-size"),
            ("--model-id /m /n", "word /n"),
            ("--model-id /m -- /n", "word /n"),
            ("--model-id /m --pooling", "--pooling alone"),
            ("--model-id --port 80", "--model-id alone"),
            ("--model-id /m --pooling max", "--pooling=max"),
            ("--model-id /m --pooling MEAN", "--pooling=MEAN"),
            ("--model-id /m --max-batch-tokens 16k", "--max-batch-tokens=16k"),
            ("--model-id /m --max-batch-tokens +16", ""),
            ("--model-id /m --max-batch-tokens 1_6", "--max-batch-tokens=1_6"),
            ("--model-id /m --json-output=true", "--json-output=true"),
            (
                "--model-id /m --model-id /n",
                "`--model-id` is given more than once, which is refused",
            ),
            ("--model-id /m --cors-allow-origin a --cors-allow-origin b", ""),
        ],
    );
    check(
        TEI,
        &[
            ("--model-id /m --no-such", "?--no-such"),
            ("--model-id /m --pooling max", "?--pooling=max"),
            ("--model-id /m --shm-size 1g", "--shm-size"),
            ("--model-id /m --mem-fraction-static 0.9", "--mem-fraction-static"),
            ("--model-id /m word", "word word"),
            ("--model-id /m --max-batch-tokens 16k", "--max-batch-tokens=16k"),
        ],
    );
    check("acme/text-embeddings-inference:1.8", &[("--model-id /m --no-such", "?--no-such")]);
}

#[test]
fn a_switch_that_has_become_a_flag_with_a_value_is_read_by_release() {
    for (tag, words, expected) in [
        ("1.8.3", "--auto-truncate false", "word false"),
        ("1.9.0", "--auto-truncate false", "word false"),
        ("1.9.3", "--auto-truncate false", ""),
        ("1.9.3", "--auto-truncate", ""),
        ("1.9.3", "--auto-truncate x", "--auto-truncate=x"),
        ("1.2.0", "--auto-truncate", "--auto-truncate"),
        ("latest", "--auto-truncate false", ""),
        // Two of its releases take it, and two do not.
        ("1.9", "--auto-truncate false", ""),
        ("1.8.3", "--served-model-name x", "--served-model-name"),
    ] {
        let words = format!("--model-id /m {words}");
        check(&format!("{TEI}:{tag}"), &[(&words, expected)]);
    }
}

#[test]
fn clap_reads_a_variable_as_it_reads_the_flag() {
    variables(
        &format!("{TEI}:cpu-1.8"),
        &[
            (&[("MAX_BATCH_TOKENS", "16384"), ("POOLING", "mean"), ("AUTO_TRUNCATE", "true")], ""),
            (&[("MAX_BATCH_TOKENS", "16k")], "MAX_BATCH_TOKENS=16k"),
            (&[("MAX_BATCH_TOKENS", "")], "MAX_BATCH_TOKENS="),
            (&[("AUTO_TRUNCATE", "1")], "AUTO_TRUNCATE=1"),
            (&[("AUTO_TRUNCATE", "True")], "AUTO_TRUNCATE=True"),
            (&[("POOLING", "")], "POOLING="),
            (&[("REVISION", "refs/pr/2")], ""),
            (&[("ENV", "production"), ("VERSION", "7"), ("HELP", "x")], ""),
            (
                &[("HF_TOKEN", "a"), ("HF_API_TOKEN", "b")],
                "`HF_API_TOKEN` beside `HF_TOKEN` is refused",
            ),
        ],
    );
    variables(TEI, &[(&[("MAX_BATCH_TOKENS", "16k")], "MAX_BATCH_TOKENS=16k")]);
    variables(TEI, &[(&[("DTYPE", "fp16")], "?DTYPE=fp16")]);
    variables(&format!("{TEI}:1.5"), &[(&[("HF_TOKEN", "a"), ("HF_API_TOKEN", "b")], "")]);
    variables(
        &format!("{TGI}:3.3"),
        &[
            (&[("NUM_SHARD", "2"), ("QUANTIZE", "bitsandbytes-nf4"), ("SHARDED", "true")], ""),
            (&[("TRUST_REMOTE_CODE", "1")], "TRUST_REMOTE_CODE=1"),
            (&[("NUM_SHARD", "all")], "NUM_SHARD=all"),
            (&[("PORT", "70000")], "PORT=70000"),
        ],
    );
    // A flag of the command line is what counts.
    let set = service(&format!("{TGI}:3.3"), &["--model-id", "/m", "--num-shard", "2"]);
    assert_eq!(refused(&with_environment(set, &[("NUM_SHARD", "all")])), "");
}

#[test]
fn tgi_refuses_settings_beside_each_other() {
    check(
        &format!("{TGI}:3.3"),
        &[
            ("--model-id /m --num_shard 2", "--num_shard"),
            ("--model-id /m --quantize int4", "--quantize=int4"),
            ("--model-id /m --max-input-tokens 100 --max-total-tokens 101", ""),
            (
                "--model-id /m --max-input-tokens 100 --max-total-tokens 100",
                "`--max-input-tokens` is 100, and has to be below the 100 of `--max-total-tokens`",
            ),
            (
                "--model-id /m --max-total-tokens 9 --max-batch-total-tokens 8",
                "`--max-total-tokens` is 9, and has to be at most the 8 of \
                 `--max-batch-total-tokens`",
            ),
            ("--model-id /m --max-input-tokens 9 --max-batch-prefill-tokens 8", ""),
            (
                "--model-id /m --max-input-tokens 9 --max-input-length 8",
                "`--max-input-length` beside `--max-input-tokens` is refused",
            ),
            (
                "--model-id /m --quantize awq --dtype float16",
                "`--dtype` beside `--quantize` is refused: either says what the numbers are",
            ),
            ("--model-id /m --quantize bitsandbytes --dtype float16", ""),
            (
                "--model-id /m --sharded true --num-shard 1",
                "`--num-shard` is 1 beside `--sharded true`",
            ),
            ("--model-id /m --cuda-graphs 0 --env", ""),
            ("--model-id /m --cuda-graphs 1,2", ""),
            (
                "--model-id /m --cuda-graphs 1,x",
                "`--cuda-graphs` takes whole numbers with `,` between them",
            ),
            ("--model-id /m --prometheus-port 70000", "--prometheus-port=70000"),
        ],
    );
    check(
        &format!("{TGI}:2.0.4"),
        &[(
            "--model-id /m --max-input-tokens 9 --max-batch-prefill-tokens 8",
            "`--max-input-tokens` is 9, and has to be at most the 8 of `--max-batch-prefill-tokens`",
        )],
    );
    check(&format!("{TGI}:1.4.5"), &[("--model-id /m --quantize fp8", "--quantize=fp8")]);
}

#[test]
fn a_type_of_numbers_that_an_image_of_tei_is_built_without_is_refused() {
    let words = "--model-id /m --dtype bfloat16";
    for (tag, expected) in [
        ("1.8", "`bfloat16` is no type of numbers of this image, and TEI exits"),
        ("cpu-1.8", "`bfloat16` is no type of numbers of this image, and TEI exits"),
        ("cpu-ipex-1.8", ""),
        ("hpu-1.8", ""),
    ] {
        check(&format!("{TEI}:{tag}"), &[(words, expected)]);
    }
}

#[test]
fn sglang_refuses_what_its_parser_does() {
    let start = "python3 -m sglang.launch_server --model-path /m";
    let cases = |image: &str, cases: &[(&str, &str)]| {
        for (words, expected) in cases {
            check(image, &[(&format!("{start} {words}"), expected)]);
        }
    };
    cases(
        "lmsysorg/sglang:v0.5.3-cu126",
        &[
            ("--tp 2 --mem-fraction-static 0.8 --context-length 8192 --dtype half", ""),
            ("--tensor-parallel-size 2 --trust-remote-code", ""),
            ("--max-model-len 8192", "--max-model-len"),
            ("--dtype fp16", "--dtype=fp16"),
            ("--quantization awq_gemm", "--quantization=awq_gemm"),
            ("--kv-cache-dtype fp8", "--kv-cache-dtype=fp8"),
            ("--context-length 32k", "--context-length=32k"),
            ("--trust-remote-code true", "word true"),
            ("--trust-remote-code=true", "--trust-remote-code=true"),
            ("--trust_remote_code", "--trust_remote_code"),
            ("--shm-size 32g", "--shm-size"),
            ("--lora-paths a=/l b=/k --port 30000", ""),
            ("--lora-paths --port 30000", ""),
            ("--cuda-graph-bs --port 30000", "--cuda-graph-bs alone"),
            ("--cuda-graph-bs 1 2 --port 30000", ""),
            ("--mem-fraction-static 90", "--mem-fraction-static=90"),
            ("--mem-fraction-static 0", "--mem-fraction-static=0"),
            ("--mem-fraction-static 90 --max-total-tokens 8192", ""),
        ],
    );
    cases(
        "lmsysorg/sglang:v0.5.23",
        &[
            ("--cuda-graph-config true", "--cuda-graph-config=true"),
            ("--cuda-graph-config {}", ""),
            ("--log-requests-level 16", "--log-requests-level=16"),
            ("--log-requests-level 3", ""),
            ("--context-length 32Ki --max-total-tokens 1.5k", ""),
            ("--context-length 32K", "--context-length=32K"),
            ("--max-total-tokens 32K", "--max-total-tokens=32K"),
        ],
    );
    cases(
        "lmsysorg/sglang:latest",
        &[
            ("--no-such", "?--no-such"),
            ("--context-length 32k", ""),
            ("--quantization no-such", "?--quantization=no-such"),
        ],
    );
    cases(
        "lmsysorg/sglang:v0.4.6.post5",
        &[("--kv-cache-dtype bfloat16", "--kv-cache-dtype=bfloat16")],
    );
    for (tag, expected) in [
        ("v0.5.23", "SGLang | model=/m | version=0.5.23"),
        ("v0.5.9", "SGLang | version=0.5.9 | ExtraWord { word: \"/m\" }"),
    ] {
        let set = service(&format!("lmsysorg/sglang:{tag}"), &["sglang", "serve", "/m"]);
        assert_eq!(shown(&set), expected);
    }
}

#[test]
fn infinity_refuses_what_click_does() {
    check(
        "michaelf34/infinity:0.0.77",
        &[
            ("v2 --model-id a/b --port 80 --engine torch --no-trust-remote-code", ""),
            ("v2 --model-id a/b --model-id c/d --batch-size 8", ""),
            ("v2 --model-id a/b --engine vllm", "--engine=vllm"),
            ("v2 --model-id a/b --dtype fp16", "--dtype=fp16"),
            ("v2 --model-id a/b --batch-size 8x", "--batch-size=8x"),
            ("v2 --model-id a/b --device-id 0,1 --no-such", "--no-such"),
            ("v2 --model-id a/b --onnx-disable-optimize", "--onnx-disable-optimize"),
            ("v2 --model-id a/b stray", "word stray"),
        ],
    );
    check("michaelf34/infinity:latest", &[("v2 --model-id a/b --no-such", "?--no-such")]);
}

const LMDEPLOY: &str = "openmmlab/lmdeploy:v0.9.2-cu12";

#[test]
fn lmdeploy_opens_what_its_command_line_names() {
    let start = "lmdeploy serve api_server";
    for (words, expected) in [
        ("/m", "model=/m"),
        ("/m --server-port 8000 --tp 2", "model=/m | port=8000 | tp=2"),
        ("a/b --revision r --model-name n", "model=a/b@r | name=n"),
        (
            "--adapters x=/l y=/k --dtype float16 -- /m",
            "model=/m | lora=/l | lora=/k | dtype=float16",
        ),
        ("/m --adapters /l", "model=/m | lora=/l"),
    ] {
        let words: Vec<&str> = start.split(' ').chain(words.split(' ')).collect();
        let shown = shown(&service(LMDEPLOY, &words)).replace(" | version=0.9.2", "");
        // That release runs the code of a model without being told to.
        assert_eq!(shown, format!("LMDeploy | {expected} | code=yes"), "{words:?}");
    }
}

#[test]
fn lmdeploy_refuses_what_argparse_does() {
    let start = "lmdeploy serve api_server /m";
    let cases = [
        ("--session-len 8192 --cache-max-entry-count 0.8 --backend pytorch", ""),
        ("--session-len 8k", "--session-len=8k"),
        ("--backend vllm", "--backend=vllm"),
        ("--max-model-len 9", "--max-model-len"),
        ("--trust-remote-code", "--trust-remote-code"),
        ("/n", "word /n"),
    ];
    for (words, expected) in cases {
        let words: Vec<&str> = start.split(' ').chain(words.split(' ')).collect();
        assert_eq!(refused(&service(LMDEPLOY, &words)), expected, "{words:?}");
    }
}

const LLAMA_CPP_PYTHON: &str = "ghcr.io/abetlen/llama-cpp-python:v0.3.16";

#[test]
fn llama_cpp_python_opens_what_its_flags_and_variables_name() {
    let start = "python3 -m llama_cpp.server";
    for (words, expected) in [
        ("--model /m.gguf --n_ctx 4096", "model=/m.gguf | context=4096"),
        ("--model m.gguf --model_alias n", "model=/app/m.gguf | name=n"),
        ("--hf_model_repo_id o/r --model f.gguf", "model=o/r:f.gguf"),
        (
            "--hf_model_repo_id o/r --model *q8_0.gguf",
            "unread: which file of `o/r` is meant by `*q8_0.gguf` is not known",
        ),
        ("--model /m.gguf --clip_model_path /p.gguf", "model=/m.gguf | mmproj=/p.gguf"),
        ("--model /m.gguf --lora_path /l.gguf", "model=/m.gguf | lora=/l.gguf"),
    ] {
        let words: Vec<&str> = start.split(' ').chain(words.split(' ')).collect();
        let shown = shown(&service(LLAMA_CPP_PYTHON, &words)).replace(" | version=0.3.16", "");
        assert_eq!(shown, format!("llama-cpp-python | {expected}"), "{words:?}");
    }
    let set = [("MODEL", "/m.gguf"), ("N_CTX", "512"), ("PORT", "81")];
    let shown = shown(&with_environment(service(LLAMA_CPP_PYTHON, &[]), &set));
    let expected = "llama-cpp-python | model=/m.gguf | port=81 | version=0.3.16 | context=512";
    assert_eq!(shown, expected);
}

#[test]
fn a_program_that_is_asked_for_its_help_or_its_release_serves_nothing() {
    let ends = |image: &str, words: &str, switch: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let told = refused(&service(image, &words));
        let expected = "prints what is asked for and ends: nothing is served";
        let is_told = told.starts_with(&format!("over `{switch}` ")) && told.ends_with(expected);
        assert!(is_told, "{words:?}: {told}");
    };
    ends(&format!("{TEI}:cpu-1.8.3"), "--model-id /m --version", "--version");
    ends(&format!("{TGI}:3.3.4"), "--model-id /m -V", "-V");
    ends("vllm/vllm-openai:v0.12.0", "--model /m --help", "--help");
    ends("ghcr.io/ggml-org/llama.cpp:server-b11669", "-m /m.gguf --usage", "--usage");
    ends("ghcr.io/ggml-org/llama.cpp:server", "-m /m.gguf --list-devices", "--list-devices");
    let sglang = "python3 -m sglang.launch_server --model-path /m -h";
    ends("lmsysorg/sglang:v0.5.15", sglang, "-h");
}

#[test]
fn llama_cpp_python_refuses_what_argparse_does() {
    let start = "python3 -m llama_cpp.server --model /m.gguf";
    let cases = [
        ("--n_gpu_layers -1 --use_mlock true --flash_attn 1 --chat_format llava-1-5", ""),
        ("--n-ctx 512", "--n-ctx"),
        ("--n_ctx 8k", "--n_ctx=8k"),
        ("--use_mlock maybe", "--use_mlock=maybe"),
    ];
    for (words, expected) in cases {
        let words: Vec<&str> = start.split(' ').chain(words.split(' ')).collect();
        assert_eq!(refused(&service(LLAMA_CPP_PYTHON, &words)), expected, "{words:?}");
    }
}

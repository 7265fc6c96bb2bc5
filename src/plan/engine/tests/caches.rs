//! Where each engine keeps what it takes from the hub.

use super::*;

/// `folder (variable)`, with what is not known behind it.
fn cache(service: &Service) -> String {
    let invocation = invocation(service).unwrap();
    let cache = invocation.hub_cache.map(|cache| {
        let by = cache.by.map(|by| format!(" ({by})")).unwrap_or_default();
        let nothing = if cache.nothing { " of nothing" } else { "" };
        format!("{}{by}{nothing}", cache.path)
    });
    let unread = invocation.unread.into_iter().map(|unread| unread.value);
    cache.into_iter().chain(unread).collect::<Vec<_>>().join("; ")
}

fn check(image: &str, command: &[&str], cases: &[(&[(&str, &str)], &str)]) {
    for (variables, expected) in cases {
        let service = with_environment(service(image, command), variables);
        assert_eq!(cache(&service), *expected, "{image} with {variables:?}");
    }
}

#[test]
fn python_takes_a_variable_that_is_set_to_nothing_for_the_working_directory() {
    check(
        "vllm/vllm-openai:v0.12.0",
        &["o/r"],
        &[
            (&[], "/root/.cache/huggingface/hub"),
            (&[("HF_HUB_CACHE", "")], "/vllm-workspace (HF_HUB_CACHE) of nothing"),
            (&[("HF_HOME", "")], "/vllm-workspace/hub (HF_HOME) of nothing"),
            (&[("HF_HOME", ""), ("HF_HUB_CACHE", "/c")], "/c (HF_HUB_CACHE)"),
            (&[("HF_HOME", "~/c")], "/root/c/hub (HF_HOME)"),
            (&[("HF_HOME", "~/c"), ("HOME", "/home/u")], "/home/u/c/hub (HF_HOME)"),
            (&[("HF_HOME", "$HF_BASE/c"), ("HF_BASE", "/b")], "/b/c/hub (HF_HOME)"),
            (
                &[("HF_HOME", "$HF_BASE"), ("HF_BASE", "")],
                "/vllm-workspace/hub (HF_HOME) of nothing",
            ),
            (&[("HF_HOME", "$HF_BASE/c")], "`$HF_BASE` in `HF_HOME` is not known"),
            (&[("HF_HOME", "~vllm/c")], "`~vllm` in `HF_HOME` is not known"),
        ],
    );
}

#[test]
fn what_docker_has_resolved_leaves_a_variable_that_is_not_set_as_it_is_written() {
    let mut service = with_environment(
        service("vllm/vllm-openai:v0.12.0", &["vllm", "serve", "o/r"]),
        &[("HF_HOME", "/x/$HF_BASE")],
    );
    service.observed = true;
    assert_eq!(cache(&service), "/x/$HF_BASE/hub (HF_HOME)");
}

#[test]
fn below_a_working_directory_that_is_not_known_nothing_is_stated() {
    let own = |variables| with_environment(service("own", &["vllm", "serve", "o/r"]), variables);
    let mut service = own(&[("HF_HOME", "")]);
    assert_eq!(
        cache(&service),
        "`HF_HOME` is set to nothing: what is downloaded is kept below the image's working \
         directory, which is not known"
    );
    service.working_dir = Some(ServicePath::new("/w"));
    assert_eq!(cache(&service), "/w/hub (HF_HOME) of nothing");
    let mut service = own(&[("HF_HOME", "~/c")]);
    service.user = Some(Spanned::nowhere("1000".to_owned()));
    assert_eq!(cache(&service), "`~` in `HF_HOME` is not known");
}

#[test]
fn tei_reads_two_variables_and_takes_them_as_they_are() {
    check(
        "ghcr.io/huggingface/text-embeddings-inference:cpu-1.9",
        &["--model-id", "o/r"],
        &[
            (&[], "/data (HUGGINGFACE_HUB_CACHE)"),
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")], "/data (HUGGINGFACE_HUB_CACHE)"),
            (&[("HUGGINGFACE_HUB_CACHE", "")], "/ (HUGGINGFACE_HUB_CACHE) of nothing"),
            (&[("HUGGINGFACE_HUB_CACHE", "~/c")], "/~/c (HUGGINGFACE_HUB_CACHE)"),
        ],
    );
    check(
        "own",
        &["text-embeddings-router", "--model-id", "o/r"],
        &[
            (&[("HF_HUB_CACHE", "/c"), ("XDG_CACHE_HOME", "/x")], ""),
            (&[("HF_HUB_CACHE", "/c"), ("PATH", "/bin")], "/root/.cache/huggingface/hub"),
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")], "/h/hub (HF_HOME)"),
        ],
    );
    let flag = ["--model-id", "o/r", "--huggingface-hub-cache", "/f"];
    let image = "ghcr.io/huggingface/text-embeddings-inference:cpu-1.9";
    check(image, &flag, &[(&[], "/f (--huggingface-hub-cache)")]);
}

#[test]
fn tgi_looks_for_weights_where_the_older_variable_says() {
    check(
        "ghcr.io/huggingface/text-generation-inference:3.3.5",
        &["--model-id", "o/r"],
        &[
            (&[], "/data/hub (HF_HOME)"),
            (&[("HF_HUB_CACHE", "/c")], "/data/hub (HF_HOME)"),
            (&[("HUGGINGFACE_HUB_CACHE", "/c")], "/c (HUGGINGFACE_HUB_CACHE)"),
            (&[("HUGGINGFACE_HUB_CACHE", "")], "/usr/src (HUGGINGFACE_HUB_CACHE) of nothing"),
            (&[("HUGGINGFACE_HUB_CACHE", "~/c")], "/usr/src/~/c (HUGGINGFACE_HUB_CACHE)"),
            (&[("HF_HOME", "")], "/usr/src/hub (HF_HOME) of nothing"),
            (&[("HF_HOME", "~/c")], "/root/c/hub (HF_HOME)"),
        ],
    );
}

#[test]
fn llama_server_passes_over_what_is_set_to_nothing() {
    check(
        LLAMA,
        &["-hf", "o/r"],
        &[
            (&[("LLAMA_CACHE", ""), ("HF_HUB_CACHE", "")], "/root/.cache/huggingface/hub"),
            (&[("HF_HUB_CACHE", ""), ("HF_HOME", "/h")], "/h/hub (HF_HOME)"),
            (&[("HF_HOME", "~/c")], "/app/~/c/hub (HF_HOME)"),
            (&[("LLAMA_CACHE", "/l"), ("HF_HUB_CACHE", "/c")], "/l (LLAMA_CACHE)"),
        ],
    );
}

#[test]
fn the_images_of_tgi_keep_their_cache_by_release_and_backend() {
    for (tag, expected) in [
        (":3.3.5", "/data/hub (HF_HOME)"),
        ("", "/data/hub (HF_HOME)"),
        (":2.3.0", "/data/hub (HF_HOME)"),
        (":2.3", "/data/hub (HF_HOME)"),
        (":2.2.0", "/data (HUGGINGFACE_HUB_CACHE)"),
        (":1.4", "/data (HUGGINGFACE_HUB_CACHE)"),
        (":2.2.0-rocm", "/data (HUGGINGFACE_HUB_CACHE)"),
        (":3.3.4-rocm", "/data/hub (HF_HOME)"),
        (":3.3.4-intel-cpu", "/data (HUGGINGFACE_HUB_CACHE)"),
        (":latest-intel-cpu", "/data (HUGGINGFACE_HUB_CACHE)"),
        (":3.3.4-intel-xpu", "/data/hub (HF_HOME)"),
        (":3.3.4-gaudi", "/data/hub (HF_HOME)"),
        (":3.3.4-neuron", "/tmp (HUGGINGFACE_HUB_CACHE)"),
        (":3.3.4-trtllm", "/root/.cache/huggingface/hub"),
    ] {
        let image = format!("ghcr.io/huggingface/text-generation-inference{tag}");
        check(&image, &["--model-id", "o/r"], &[(&[], expected)]);
    }
    for image in ["ghcr.io/huggingface/tgi-gaudi:2.0.5", "opea/tgi-gaudi:2.0.1"] {
        check(image, &["--model-id", "o/r"], &[(&[], "/data (HUGGINGFACE_HUB_CACHE)")]);
        let service = service(image, &["--model-id", "o/r", "--num_shard", "2"]);
        assert!(shown(&service).starts_with("TGI | model=o/r | port=80 | version=2.0."));
    }
    for image in ["opea/tei-gaudi:latest", "ghcr.io/huggingface/tei-gaudi:1.5.0"] {
        check(image, &["--model-id", "o/r"], &[(&[], "/data (HUGGINGFACE_HUB_CACHE)")]);
    }
    let own = "ghcr.io/huggingface/text-generation-inference:3.3.4-trtllm";
    let words = "--model-id /m --executor-worker /usr/local/tgi/bin/executorWorker";
    super::check(own, words, "TGI | model=/m | version=3.3.4");
}

#[test]
fn the_cache_of_an_image_of_ones_own_is_known_where_a_mount_is() {
    let mut service = service("acme/vllm:7", &["--model", "o/r"]);
    assert_eq!(cache(&service), "");
    service.mounts.push(crate::project::Mount {
        source: crate::project::MountSource::Anonymous,
        target: ServicePath::new("/root/.cache/huggingface"),
        read_only: false,
        place: Place::nowhere(),
    });
    assert_eq!(cache(&service), "/root/.cache/huggingface/hub");
}

#[test]
fn an_image_that_is_built_anew_sets_what_the_original_sets() {
    for image in [
        "infiniflow/text-embeddings-inference:cpu-1.8",
        "openeuler/text-embeddings-inference-cpu:1.7",
    ] {
        check(image, &["--model-id", "o/r"], &[(&[], "/data (HUGGINGFACE_HUB_CACHE)")]);
    }
}

#[test]
fn repositories_of_modelscope_are_none_of_the_hub() {
    let shown = |image, words: &[&str], variable| {
        shown(&with_environment(service(image, words), &[variable]))
    };
    let vllm = "vllm/vllm-openai:v0.12.0";
    assert_eq!(
        shown(vllm, &["qwen/q"], ("VLLM_USE_MODELSCOPE", "True")),
        "vLLM | model=modelscope://qwen/q | version=0.12.0"
    );
    assert_eq!(
        shown(vllm, &["qwen/q"], ("VLLM_USE_MODELSCOPE", "0")),
        "vLLM | model=qwen/q | version=0.12.0"
    );
    assert_eq!(
        shown(vllm, &["/m"], ("VLLM_USE_MODELSCOPE", "True")),
        "vLLM | model=/m | version=0.12.0"
    );
    let start = ["python3", "-m", "sglang.launch_server", "--model-path", "qwen/q"];
    assert_eq!(
        shown("lmsysorg/sglang:v0.5.3", &start, ("SGLANG_USE_MODELSCOPE", "true")),
        "SGLang | model=modelscope://qwen/q | version=0.5.3"
    );
}

#[test]
fn an_image_of_ones_own_is_read_by_the_variable_that_names_its_model() {
    let shown = |image, variable| shown(&with_environment(service(image, &[]), &[variable]));
    assert_eq!(
        shown("acme/llama-server", ("LLAMA_ARG_MODEL", "/m.gguf")),
        "llama.cpp | model=/m.gguf"
    );
    assert_eq!(
        shown("acme/llama-server", ("LLAMA_ARG_HF_REPO", "o/r:Q4_K_M")),
        "llama.cpp | model=o/r:Q4_K_M"
    );
    assert_eq!(
        shown("infiniflow/text-embeddings-inference:cpu-1.8", ("MODEL_ID", "/data/m")),
        "TEI | model=/data/m | port=80"
    );
    let unknown = "unread: what the image runs by itself is not known";
    assert_eq!(shown("acme/llama-server", ("X", "y")), format!("llama.cpp | {unknown}"));
    assert_eq!(shown("acme/vllm", ("HF_HOME", "/h")), format!("vLLM | {unknown}"));
}

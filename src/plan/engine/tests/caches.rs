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
            (&[("HF_HUB_CACHE", "/c"), ("XDG_CACHE_HOME", "/x")], "/root/.cache/huggingface/hub"),
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

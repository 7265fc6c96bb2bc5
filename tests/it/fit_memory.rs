//! Whether what lanes need is there: on cards whose memory is declared, and in containers with a limit.
//! The quickstart's models are tiny, so that almost all of it is the cache: 1 KiB for each token.

use crate::sandbox::Sandbox;

const VLLM: &str = "vllm/vllm-openai:v0.12.0";
const NEWER_VLLM: &str = "vllm/vllm-openai:v0.28.0";
const CUDA: &str = "ghcr.io/ggml-org/llama.cpp:server-cuda";
const CPU: &str = "ghcr.io/ggml-org/llama.cpp:server";
const MODEL: &str = "-m /models/gguf/tiny-Q4_K_M.gguf";
const GPU: &str = "gpus: [{device_ids: [\"0\"]}]";

/// A service: its name, its image, what follows the model, and what else it says.
type Service<'a> = (&'a str, &'a str, &'a str, &'a str);

const IDS: [&str; 5] = [
    "gpu-memory-short",
    "gpu-overcommitted",
    "host-memory-short",
    "host-memory-tight",
    "made-to-fit",
];

/// The exit code, and what is said of memory: severity, id and message.
fn told(head: &str, services: &[Service<'_>], arguments: &[&str]) -> (i32, String) {
    let (code, blocks) = told_with_fixes(head, services, arguments);
    let titles: Vec<&str> = blocks.iter().filter_map(|block| block.lines().next()).collect();
    (code, titles.join("\n"))
}

/// The same, each with what to do about it.
fn told_with_fixes(head: &str, services: &[Service<'_>], arguments: &[&str]) -> (i32, Vec<String>) {
    let mut text = format!("{head}\nservices:\n");
    for (name, image, words, more) in services {
        let model =
            if image.starts_with("vllm/") { "--model /models/vllm/tiny/bf16" } else { MODEL };
        text += &format!(
            "  {name}:\n    image: {image}\n    command: {model} {words}\n    volumes: \
             [\"./models:/models:ro\"]\n    {}\n",
            more.replace('\n', "\n    ")
        );
    }
    let mut command = vec!["verify", "--color", "never"];
    command.extend(arguments);
    let run = Sandbox::quickstart().file("compose.yaml", text).run(&command);
    let blocks = run.stdout.split("\n\n").filter_map(|block| {
        let title = block.lines().next()?;
        let fix = block.lines().find_map(|line| line.trim().strip_prefix("= help: "));
        let is_told = IDS.iter().any(|id| title.contains(&format!("[{id}]: ")));
        is_told.then(|| format!("{title}\n  {}", fix.unwrap_or_default()))
    });
    (run.code.unwrap(), blocks.collect())
}

fn on_cards(gpus: &str, services: &[Service<'_>], code: i32, expected: &str) {
    let head =
        if gpus.is_empty() { String::new() } else { format!("x-preflight: {{gpus: {gpus}}}") };
    assert_eq!(told(&head, services, &[]), (code, expected.to_owned()), "{gpus} {services:?}");
}

const CARD: &str = "[{memory: 24GB}]";

#[test]
fn a_lane_that_needs_more_than_its_card_has_does_not_start() {
    let reader = |words| [("reader", CUDA, words, GPU)];
    let refused = "error[gpu-memory-short]: `reader` needs more than the 24.0 GiB of GPU 0: weights \
                   0.00 + cache 28.6 + buffers 28.6 GiB";
    on_cards(CARD, &reader("-ngl 99 -c 30000000"), 21, refused);
    on_cards("[{memory: 80GB}]", &reader("-ngl 99 -c 30000000"), 0, "");
    on_cards(CARD, &reader("-ngl 99 -c 8000000"), 0, "");
    // It chooses what fits.
    on_cards(CARD, &reader("-ngl 99"), 0, "");
    on_cards(CARD, &reader("-c 30000000"), 0, "");
    // What is not known is no reason.
    on_cards("", &reader("-ngl 99 -c 30000000"), 0, "");
    let head = "x-preflight: {}";
    let (code, text) = told(head, &reader("-ngl 99 -c 30000000"), &["--gpus", "24GB"]);
    assert_eq!((code, text.as_str()), (21, refused));
}

#[test]
fn what_is_made_of_a_lane_that_is_made_to_fit_is_a_note() {
    let said = |words: &str| format!("-c 30000000 -ub 1 {words}");
    let reader = |words: &'static str| [("reader", CUDA, words, GPU)];
    let note =
        "note[made-to-fit]: llama.cpp makes `reader` fit by itself: about `-ngl 2`, of 3 layers";
    on_cards(CARD, &[("reader", CUDA, &said(""), GPU)], 0, note);
    on_cards("[{memory: 80GB}]", &[("reader", CUDA, &said(""), GPU)], 0, "");
    on_cards("", &[("reader", CUDA, &said(""), GPU)], 0, "");
    // What is said of the layers, or of fitting, stands.
    for words in ["-fit off -ngl 99", "-ngl 99", "-sm row"] {
        let (_, text) = told(
            &format!("x-preflight: {{gpus: {CARD}}}"),
            &[("reader", CUDA, &said(words), GPU)],
            &[],
        );
        assert!(!text.contains("made-to-fit"), "{words}: {text}");
    }
    on_cards(CARD, &reader(""), 0, "");
    // vLLM says how large a cache there is.
    let note = "note[made-to-fit]: vLLM makes `chat` fit by itself: no less than `--max-model-len 128`, of \
                256 tokens";
    let newer = |cache: &str| {
        let service = format!("--max-model-len auto --kv-cache-memory-bytes {cache}");
        told("", &[("chat", NEWER_VLLM, &service, GPU)], &[])
    };
    assert_eq!(newer("40000"), (0, note.to_owned()));
    assert_eq!(newer("400000"), (0, String::new()));
}

#[test]
fn what_may_be_elsewhere_than_on_its_card_is_only_likely_to_be_too_much() {
    let words = "-ngl 99 -c 30000000";
    let likely = |image, more| {
        let (code, text) =
            told(&format!("x-preflight: {{gpus: {CARD}}}"), &[("reader", image, words, more)], &[]);
        let is_likely =
            "warning[gpu-memory-short]: `reader` is likely to need more than the 24.0 GiB";
        assert_eq!(code, 0, "{text}");
        assert!(text.starts_with(is_likely), "{text}");
    };
    likely("ghcr.io/ggml-org/llama.cpp:server-vulkan", GPU);
    likely("ours/llama-server", GPU);
    let shared = format!("{GPU}\nenvironment: {{GGML_CUDA_ENABLE_UNIFIED_MEMORY: \"1\"}}");
    likely(CUDA, &shared);
}

#[test]
fn lanes_that_are_one_too_many_for_a_card_are_all_named() {
    let chat = |share| ("chat", VLLM, share, GPU);
    let reader = |words| ("reader", CUDA, words, GPU);
    let (large, small) = ("-ngl 99 -c 11000000", "-ngl 99 -c 4000000");
    on_cards(
        CARD,
        &[chat("--gpu-memory-utilization 0.6"), reader(large)],
        21,
        "error[gpu-overcommitted]: `chat` and `reader` need 14.4 + 10.5 = 24.9 GiB of GPU 0, which \
         has 24.0",
    );
    on_cards(CARD, &[chat("--gpu-memory-utilization 0.6"), reader(small)], 0, "");
    on_cards(
        "[{memory: 24GB, reserved: 4GB}]",
        &[chat("--gpu-memory-utilization 0.7"), reader(small)],
        21,
        "error[gpu-overcommitted]: `chat` and `reader` need 16.8 + 3.8 = 20.6 GiB of GPU 0, which \
         has 20.0",
    );
    let other = |words| ("other", CUDA, words, "gpus: [{device_ids: [\"1\"]}]");
    on_cards("[{memory: 24GB}, {memory: 24GB}]", &[reader(large), other(large)], 0, "");
    let same = |words| ("other", CUDA, words, "gpus: [{count: 1}]");
    let two = "-ngl 99 -c 11900000 -ub 1";
    let (code, text) = told(
        &format!("x-preflight: {{gpus: {CARD}}}"),
        &[("reader", CUDA, "-ngl 99 -c 13000000 -ub 1", GPU), same(two)],
        &[],
    );
    let title = "error[gpu-overcommitted]: `reader` and `other` need 12.4 + 11.4 = 23.8 GiB";
    assert!(code == 0 && !text.contains(title), "{text}");
    let (code, text) = told(
        &format!("x-preflight: {{gpus: {CARD}}}"),
        &[("reader", CUDA, "-ngl 99 -c 14000000 -ub 1", GPU), same(two)],
        &[],
    );
    let title =
        "error[gpu-overcommitted]: `reader` and `other` need 13.4 + 11.3 = 24.7 GiB of GPU 0";
    assert_eq!(code, 21, "{text}");
    assert!(text.starts_with(title), "{text}");
}

#[test]
fn the_values_that_fit_are_told() {
    let head = format!("x-preflight: {{gpus: {CARD}}}");
    let services = [
        ("chat", VLLM, "--gpu-memory-utilization 0.6", GPU),
        ("reader", CUDA, "-ngl 99 -c 11000000 -ub 1", GPU),
    ];
    let (code, blocks) = told_with_fixes(&head, &services, &[]);
    assert_eq!((code, blocks.len()), (21, 1), "{blocks:?}");
    let fix = blocks[0].lines().nth(1).unwrap();
    assert!(fix.contains("say `--gpu-memory-utilization 0.5"), "{fix}");
    assert!(fix.contains("say `-c 8") && fix.contains("` for `reader`"), "{fix}");
    assert!(fix.ends_with("or give them other GPUs (`device_ids`)"), "{fix}");
}

#[test]
fn a_lane_of_another_profile_or_that_is_over_takes_nothing() {
    let words = "-ngl 99 -c 14000000 -ub 1";
    let later = format!("{GPU}\nprofiles: [later]");
    on_cards(CARD, &[("a", CUDA, words, GPU), ("b", CUDA, words, &later)], 0, "");
    let after = format!("{GPU}\ndepends_on: {{a: {{condition: service_completed_successfully}}}}");
    on_cards(CARD, &[("a", CUDA, words, GPU), ("b", CUDA, words, &after)], 0, "");
    let none = format!("{GPU}\ndeploy: {{replicas: 0}}");
    on_cards(CARD, &[("a", CUDA, words, GPU), ("b", CUDA, words, &none)], 0, "");
}

fn in_container(words: &str, more: &str, code: i32, expected: &str) {
    let words = format!("--no-repack --cache-ram 0 {words}");
    let found = told("", &[("reader", CPU, &words, more)], &[]);
    assert_eq!(found, (code, expected.to_owned()), "{words} {more}");
}

#[test]
fn a_lane_that_needs_more_than_its_container_may_have_does_not_start() {
    let refused = "error[host-memory-short]: `reader` needs more than the 0.4 GiB that service \
                   `reader` may have: weights 0.00 + cache 0.5 + buffers 0.5 GiB";
    let words = "-c 524288 --no-mmap";
    let small = "mem_limit: 400m\nmemswap_limit: 400m";
    in_container(words, small, 21, refused);
    let deployed = "deploy: {resources: {limits: {memory: 400m}}}\nmemswap_limit: 400m";
    in_container(words, deployed, 21, refused);
    in_container(words, "mem_limit: 2g\nmemswap_limit: 2g", 0, "");
    in_container(words, "", 0, "");
    in_container("-c 4096", small, 0, "");
}

#[test]
fn what_lies_beside_the_first_need_of_a_container_is_a_warning() {
    let check = |words: &str, more: &str, expected: &str| {
        let (code, text) = told("", &[("reader", CPU, words, more)], &[]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(text, expected, "{words} {more}");
    };
    check(
        "-c 2048",
        "mem_limit: 2g",
        "warning[host-memory-tight]: `reader` keeps up to 8.0 GiB of prompts that are over, and 2.0 GiB \
         are left for them of the 2.0 GiB that service `reader` may have: it is killed when they are \
         used up",
    );
    check("-c 2048 --cache-ram 256", "mem_limit: 2g", "");
    check("-c 2048", "", "");
    let locked = "warning[host-memory-tight]: `reader` is told to lock its weights (`--mlock`), which \
                  its container may not";
    check("-c 2048 --no-repack --mlock", "", locked);
    check("-c 2048 --no-repack --mlock", "ulimits: {memlock: -1}", "");
    check("-c 2048 --no-repack --mlock", "cap_add: [IPC_LOCK]", "");
}

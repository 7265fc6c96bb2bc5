//! Whether lanes fit on the GPUs that their services are given, of whose memory nothing is known.

use crate::sandbox::Sandbox;

/// A service of vLLM with the quickstart's model.
struct Service<'a> {
    name: &'a str,
    image: &'a str,
    words: &'a str,
    more: &'a str,
}

const ONE: &str = "gpus: [{count: 1}]";

impl<'a> Service<'a> {
    fn new(name: &'a str, words: &'a str, more: &'a str) -> Self {
        Self { name, image: "vllm/vllm-openai:v0.12.0", words, more }
    }

    fn of(self, image: &'a str) -> Self {
        Self { image, ..self }
    }
}

/// The exit code, and what is said of these checks: severity, id and message.
fn told(services: &[Service<'_>]) -> (i32, String) {
    let services: String = services
        .iter()
        .map(|service| {
            let Service { name, image, words, more } = service;
            let more = more.replace('\n', "\n    ");
            format!(
                "  {name}:\n    image: {image}\n    command: --model /models/vllm/tiny/bf16 {words}\n    \
                 volumes: [\"./models:/models:ro\"]\n    {more}\n"
            )
        })
        .collect();
    let run = Sandbox::quickstart()
        .file("compose.yaml", format!("services:\n{services}"))
        .run(&["verify", "--color", "never"]);
    let ids = ["gpu-overcommitted", "ranks-exceed-gpus", "shared-memory-short"];
    let is_told = |line: &&str| ids.iter().any(|id| line.contains(&format!("[{id}]: ")));
    let lines: Vec<&str> = run.stdout.lines().filter(is_told).collect();
    (run.code.unwrap(), lines.join("\n"))
}

fn check(services: &[Service<'_>], code: i32, expected: &str) {
    let (found, text) = told(services);
    assert_eq!(text, expected);
    assert_eq!(found, code, "{text}");
}

#[test]
fn lanes_that_fill_more_than_their_card_do_not_start_together() {
    check(
        &[Service::new("a", "--gpu-memory-utilization 0.7", ONE), Service::new("b", "", ONE)],
        21,
        "error[gpu-overcommitted]: `a` and `b` take 0.70 + 0.90 = 1.60 of the memory of GPU 0",
    );
    let newer = |name| Service::new(name, "", ONE).of("vllm/vllm-openai:v0.21.0");
    check(
        &[newer("a"), newer("b"), newer("c")],
        21,
        "error[gpu-overcommitted]: `a`, `b` and `c` take 0.92 + 0.92 + 0.92 = 2.76 of the memory \
         of GPU 0",
    );
    let all = |name| Service::new(name, "", "gpus: all");
    check(
        &[all("a"), all("b")],
        21,
        "error[gpu-overcommitted]: `a` and `b` take 0.90 + 0.90 = 1.80 of the memory of the GPU \
         that is number 0 for each",
    );
}

#[test]
fn lanes_that_need_not_meet_on_a_card_are_not_errors() {
    let half = "--gpu-memory-utilization 0.45";
    check(&[Service::new("a", half, ONE), Service::new("b", half, ONE)], 0, "");
    let on = |name, gpu: &'static str| Service::new(name, "", gpu);
    check(&[on("a", "gpus: [{device_ids: ['0']}]"), on("b", "gpus: [{device_ids: ['1']}]")], 0, "");
    // The one fills less than it takes, and the other is over when it starts.
    let limited = "--kv-cache-memory-bytes 1000000";
    let warned = "warning[gpu-overcommitted]: `a` and `b` take 0.90 + 0.90 = 1.80 of the memory of \
                  GPU 0: which of them starts last may find too little free";
    check(&[Service::new("a", limited, ONE), Service::new("b", "", ONE)], 0, warned);
    let pooling = "--runner pooling";
    check(&[Service::new("a", pooling, ONE), Service::new("b", "", ONE)], 0, warned);
    let after = "gpus: [{count: 1}]\ndepends_on: {a: {condition: service_completed_successfully}}";
    check(&[on("a", ONE), on("b", after)], 0, "");
    check(&[on("a", ONE), on("b", "gpus: [{count: 1}]\ndeploy: {replicas: 0}")], 0, "");
    check(&[on("a", ONE), on("b", "gpus: [{count: 1}]\nprofiles: [big]")], 0, "");
    let cpu = on("b", "").of("vllm/vllm-openai-cpu:v0.12.0");
    check(&[on("a", ONE), cpu], 0, "");
}

#[test]
fn what_is_only_likely_to_be_the_same_card_is_a_warning() {
    check(
        &[Service::new("a", "", "gpus: all"), Service::new("b", "", ONE)],
        0,
        "warning[gpu-overcommitted]: `a` and `b` take 0.90 + 0.90 = 1.80 of the memory of what is \
         GPU 0 for each of them: which of them starts last may find too little free",
    );
    check(
        &[
            Service::new("a", "--gpu-memory-utilization 0.5", ONE),
            Service::new("b", "--gpu-memory-utilization 0.48", ONE),
        ],
        0,
        "warning[gpu-overcommitted]: `a` and `b` take 0.50 + 0.48 = 0.98 of the memory of GPU 0: \
         nothing is left for what each needs outside its share",
    );
}

#[test]
fn replicas_share_the_card_of_their_service() {
    check(
        &[Service::new("a", "", "gpus: [{count: 1}]\nscale: 2")],
        21,
        "error[gpu-overcommitted]: the replicas of `a` take 2 x 0.90 = 1.80 of the memory of GPU 0",
    );
}

#[test]
fn ranks_need_a_gpu_each() {
    let shm = |gpus: &str| format!("{gpus}\nipc: host");
    let two = "--tensor-parallel-size 2";
    let one = shm(ONE);
    let says = "]: `--tensor-parallel-size 2` needs 2 GPUs, and service `a` sees 1";
    let refused = format!("error[ranks-exceed-gpus{says}");
    let doubted = format!("warning[ranks-exceed-gpus{says}");
    check(&[Service::new("a", two, &one)], 21, &refused);
    for (image, words, code, expected) in [
        ("vllm/vllm-openai:v0.33.0", two, 21, refused.as_str()),
        ("vllm/vllm-openai:v0.11.0", two, 0, doubted.as_str()),
        ("vllm/vllm-openai:latest", two, 0, doubted.as_str()),
        (
            "vllm/vllm-openai:v0.11.0",
            "--tensor-parallel-size 2 --distributed-executor-backend mp",
            21,
            refused.as_str(),
        ),
        (
            "vllm/vllm-openai:v0.12.0",
            "--tensor-parallel-size 2 --distributed-executor-backend ray",
            0,
            "",
        ),
        ("vllm/vllm-openai:v0.12.0", "--tensor-parallel-size 2 --nnodes 2", 0, ""),
    ] {
        check(&[Service::new("a", words, &one).of(image)], code, expected);
    }
    for gpus in ["gpus: all", "gpus: [{count: 2}]", "gpus: [{device_ids: ['2', '3']}]"] {
        let more = shm(gpus);
        check(&[Service::new("a", two, &more)], 0, "");
    }
}

#[test]
fn a_variable_that_counts_from_zero_inside_can_leave_no_gpu() {
    let more = "gpus: [{device_ids: ['1']}]\nenvironment: {CUDA_VISIBLE_DEVICES: '1'}";
    check(
        &[Service::new("a", "", more)],
        21,
        "error[ranks-exceed-gpus]: vLLM needs 1 GPU, and service `a` sees none: it is given one GPU, \
         whose number in it is 0, and `CUDA_VISIBLE_DEVICES` says `1`",
    );
    let more = "gpus: all\nipc: host\nenvironment: {CUDA_VISIBLE_DEVICES: '0'}";
    check(
        &[Service::new("a", "--tensor-parallel-size 2", more)],
        21,
        "error[ranks-exceed-gpus]: `--tensor-parallel-size 2` needs 2 GPUs, and service `a` sees 1, \
         because `CUDA_VISIBLE_DEVICES` says `0`",
    );
}

#[test]
fn ranks_need_room_to_talk() {
    let two = "--tensor-parallel-size 2";
    let says = |bytes: &str, end: &str| {
        format!(
            "[shared-memory-short]: the `/dev/shm` of service `a` has {bytes}; with more than one \
             rank vLLM asks for 240.0 MiB there, {end}"
        )
    };
    let default = "64.0 MiB, which is Docker's default";
    let certain = "and does not start with less";
    let likely = "and the library between its GPUs may run out of it";
    let on = |image, more| [Service::new("a", two, more).of(image)];
    let new = "vllm/vllm-openai:v0.27.1";
    check(&on(new, "gpus: all"), 21, &format!("error{}", says(default, certain)));
    let small = "gpus: all\nshm_size: 128m";
    check(&on(new, small), 21, &format!("error{}", says("128.0 MiB", certain)));
    for old in ["vllm/vllm-openai:v0.26.0", "vllm/vllm-openai:latest"] {
        check(&on(old, "gpus: all"), 0, &format!("warning{}", says(default, likely)));
    }
    for more in ["ipc: host", "shm_size: 1gb", "tmpfs: ['/dev/shm:size=1g']"] {
        let more = format!("gpus: all\n{more}");
        check(&[Service::new("a", two, &more).of(new)], 0, "");
    }
    check(&[Service::new("a", "", "gpus: all").of(new)], 0, "");
}

/// What `preflight plan` shows of the GPUs, or why it does not.
fn planned(extension: &str, words: &[&str]) -> String {
    let compose = format!(
        "services:\n  a:\n    image: vllm/vllm-openai:v0.12.0\n    command: --model /models/a\n\
         x-preflight:\n  gpus: {extension}\n"
    );
    let words = [&["plan", "--color", "never"], words].concat();
    let run = Sandbox::quickstart().file("compose.yaml", compose).run(&words);
    let shown = run.stdout.split_once("gpus\n").map_or("", |(_, shown)| shown);
    let shown = shown.lines().take_while(|line| !line.is_empty());
    let lines = shown
        .chain(run.stderr.lines())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn declared_cards_are_shown_by_the_plan() {
    let two = "[{memory: 24GB, name: RTX 4090, reserved: 1GB}, {memory: 16GiB}]";
    assert_eq!(
        planned(two, &[]),
        "0 24.0 GiB, RTX 4090, 1.0 GiB of it reserved <- x-preflight, compose.yaml:6:9\n1 16.0 GiB"
    );
    assert_eq!(
        planned("{GPU-8a: {memory: 80GB}}", &[]),
        "GPU-8a 80.0 GiB <- x-preflight, compose.yaml:6:9"
    );
    assert_eq!(planned(two, &["--gpus", "2x80GB"]), "0 80.0 GiB <- command line\n1 80.0 GiB");
}

#[test]
fn a_declaration_that_cannot_be_read_is_told_with_its_place_and_what_to_write() {
    for (extension, expected) in [
        (
            "[{memory: 24}]",
            "compose.yaml:6:19: x-preflight.gpus.0.memory: `24` is no amount of a GPU's memory: write it \
             like `24GB`",
        ),
        (
            "[{name: RTX 4090}]",
            "compose.yaml:6:10: x-preflight.gpus.0: it is not said how much `memory` the GPU has: \
             write it like `24GB`",
        ),
        (
            "[{memory: 24GB, vram: 1}]",
            "compose.yaml:6:31: x-preflight.gpus.0.vram: a GPU has no `vram`: it has `memory`, `name` \
             and `reserved`",
        ),
        (
            "24GB",
            "compose.yaml:6:9: x-preflight.gpus: write a list like `gpus: [{memory: 24GB}]`, or a map \
             of them by UUID",
        ),
    ] {
        let told = planned(extension, &[]);
        assert!(told.contains(expected), "{extension}: {told}");
    }
    let told = planned("[]", &["--gpus", "two"]);
    assert!(told.contains("`two` is no amount of a GPU's memory"), "{told}");
}

#[test]
fn cards_of_one_kind_have_one_order() {
    let with = |words: &[&str]| {
        let service = |name: &str, gpus: &str| {
            format!(
                "  {name}:\n    image: vllm/vllm-openai:v0.12.0\n    command: --model \
                 /models/vllm/tiny/bf16\n    volumes: ['./models:/models:ro']\n    gpus: {gpus}\n"
            )
        };
        let compose = format!("services:\n{}{}", service("a", "all"), service("b", "[{count: 1}]"));
        let words = [&["verify", "--color", "never"], words].concat();
        let run = Sandbox::quickstart().file("compose.yaml", compose).run(&words);
        (run.code, run.stdout.contains("error[gpu-overcommitted]"))
    };
    assert_eq!(with(&[]), (Some(0), false));
    assert_eq!(with(&["--gpus", "2x24GB"]), (Some(21), true));
    assert_eq!(with(&["--gpus", "24GB,80GB"]), (Some(0), false));
}

//! Models that something else of the stack brings before the engine opens them.

use crate::sandbox::{Run, Sandbox};

const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server";

/// What is said of a project that has these services and an empty folder of models.
fn run(services: &str, arguments: &[&str]) -> Run {
    let sandbox = Sandbox::new().file("models/notes.txt", "").file("compose.yaml", services);
    sandbox.run(&[arguments, &["-f", "compose.yaml"]].concat())
}

/// An engine that a script starts behind `before`.
fn scripted(before: &str) -> String {
    format!(
        "services:\n  a:\n    image: {LLAMA}\n    entrypoint: [/bin/sh, -c]\n    command:\n      - |\n        \
         {before}\n        exec /app/llama-server -m /models/m.gguf\n    volumes: ['./models:/models']\n"
    )
}

/// An engine that waits for the end of `get`, which runs these words of this image.
fn after(image: &str, words: &str, rights: &str) -> String {
    format!(
        "services:\n  get:\n    image: {image}\n    command: {words}\n    volumes: \
         ['./models:/data{rights}']\n  a:\n    image: {LLAMA}\n    command: -m /models/m.gguf\n    volumes: \
         ['./models:/models:ro']\n    depends_on: {{get: {{condition: service_completed_successfully}}}}\n"
    )
}

#[track_caller]
fn check(services: &str, expected: Expected<'_>) {
    let run = run(services, &[]);
    let told = format!("{}{}", run.stdout, run.stderr);
    match expected {
        Said(who) => {
            assert_eq!(run.code, Some(0), "{told}");
            let note =
                format!("note[files-missing]: the model `/models/m.gguf` is not there; {who}");
            assert!(told.contains(&note), "{told}");
        }
        Perhaps => assert_eq!(run.code, Some(3), "{told}"),
        Missing => assert_eq!(run.code, Some(10), "{told}"),
    }
}

/// What is said of a model that is not there.
#[derive(Clone, Copy)]
enum Expected<'a> {
    /// That it will be brought, and by whom.
    Said(&'a str),
    /// That this is not known.
    Perhaps,
    /// That it is missing.
    Missing,
}

use Expected::{Missing, Perhaps, Said};

#[test]
fn what_a_script_brings_in_front_of_its_engine_is_not_missing() {
    for (before, program) in [
        ("[ -f /models/m.gguf ] || curl -Lo /models/m.gguf https://example.invalid/m.gguf", "curl"),
        ("hf download o/r m.gguf --local-dir /models", "hf"),
        ("cd /models && wget -nc https://example.invalid/m.gguf", "wget"),
        ("cd /models && curl -L -o m.gguf https://example.invalid/x", "curl"),
        ("curl -L https://example.invalid/m >/models/m.gguf", "curl"),
        ("cat /parts/1 /parts/2 > /models/m.gguf", "cat"),
    ] {
        check(
            &scripted(before),
            Said(&format!("`{program}`, which `a` runs before its engine, may bring it")),
        );
    }
    for before in ["/scripts/download.sh", "aws s3 cp s3://bucket/m \"$$TARGET\""] {
        check(&scripted(before), Perhaps);
    }
    for before in [
        "ls -la /models",
        "curl -Lo /tmp/other.json https://example.invalid/x",
        "huggingface-cli login --token $$HF_TOKEN",
        "sha256sum /models/m.gguf",
        "sleep 1",
    ] {
        check(&scripted(before), Missing);
    }
    let before = "curl -Lo /models/m.gguf https://example.invalid/m.gguf";
    check(&scripted(before).replace("./models:/models", "./models:/models:ro"), Missing);
}

#[test]
fn what_a_service_brings_that_ends_before_the_engine_is_not_missing() {
    let words = "[-Lo, /data/m.gguf, 'https://example.invalid/m']";
    let curl = after("curlimages/curl", words, "");
    check(&curl, Said("`get`, which has ended when `a` starts, may bring it"));
    check(&after("python:3.12", "python3 /get.py", ""), Perhaps);
    check(&after("busybox", "chown -R 1000 /data", ""), Missing);
    check(&after("python:3.12", "python manage.py migrate", ""), Missing);
    check(&after("curlimages/curl", words, ":ro"), Missing);
    check(&curl.replace("service_completed_successfully", "service_started"), Missing);
    check(&after("corp/model-downloader", "qwen3", ""), Perhaps);
    check(
        &after("rclone/rclone", "[copy, 'far:x', /data]", ""),
        Said("`get`, which has ended when `a` starts, may bring it"),
    );
    // What the engine is started after has waited for it.
    let between = curl.replace("{get: {condition: service_completed_successfully}}", "[db]")
        + "  db:\n    image: postgres\n    depends_on: {get: {condition: service_completed_successfully}}\n";
    check(&between, Said("`get`, which has ended when `a` starts, may bring it"));
}

#[test]
fn a_preflight_that_judges_has_brought_what_it_can() {
    for command in ["[]", "fetch", "verify"] {
        check(&after("preflight:local", command, ""), Missing);
    }
    let bringing = after("preflight:local", "fetch hf://o/r/m.gguf /data", "");
    check(&bringing, Said("`get`, which has ended when `a` starts, may bring it"));
}

#[test]
fn a_folder_that_is_made_and_filled_before_the_engine_starts_is_not_missing() {
    for services in [
        scripted("curl -Lo /models/m.gguf https://example.invalid/m.gguf"),
        after("curlimages/curl", "[-Lo, /data/m.gguf, 'https://example.invalid/m']", ""),
    ] {
        let run = Sandbox::new().file("compose.yaml", services).run(&["-f", "compose.yaml"]);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    }
}

/// An engine that may not ask the hub and waits for `get`, which runs these words and keeps its downloads where
/// `cache` says, in a volume that both mount.
fn cached(words: &str, cache: &str, condition: &str) -> String {
    format!(
        "services:\n  get:\n    image: python:3.12\n    entrypoint: []\n    command: {words}\n    \
         environment: {{HF_HOME: {cache}}}\n    volumes: ['./models:/data']\n    healthcheck: {{test: [CMD, test, -e, \
         /data/done]}}\n  a:\n    image: vllm/vllm-openai:v0.12.0\n    command: [--model, o/r]\n    environment: \
         {{HF_HUB_OFFLINE: '1'}}\n    volumes: ['./models:/root/.cache/huggingface']\n    depends_on: {{get: {{condition: \
         {condition}}}}}\n    gpus: all\n"
    )
}

/// What is told of a repository that no cache has.
#[track_caller]
fn check_cached(services: &str, expected: Expected<'_>) {
    let run = run(services, &[]);
    let told = format!("{}{}", run.stdout, run.stderr);
    match expected {
        Said(who) => {
            assert_eq!(run.code, Some(0), "{told}");
            let note = format!(
                "note[not-in-cache]: `o/r` is not in the hub cache `/root/.cache/huggingface/hub`; {who}"
            );
            assert!(told.contains(&note), "{told}");
        }
        Perhaps => assert_eq!(run.code, Some(3), "{told}"),
        Missing => {
            assert_eq!(run.code, Some(10), "{told}");
            assert!(told.contains("error[not-in-cache]"), "{told}");
        }
    }
}

#[test]
fn a_cache_that_is_filled_before_an_offline_engine_starts_is_not_missing() {
    const ENDED: &str = "service_completed_successfully";
    let who = "`get`, which has ended when `a` starts, may bring it";
    for (words, cache, expected) in [
        ("[hf, download, o/r]", "/data", Said(who)),
        ("[huggingface-cli, download, o/r, --cache-dir, /data/hub]", "/other", Said(who)),
        ("[sh, -c, 'pip install -U hf && hf download o/r']", "/data", Said(who)),
        ("[python, -c, 'snapshot_download(\"o/r\")']", "/data", Said(who)),
        ("[python, /prefetch.py]", "/data", Perhaps),
        ("[sh, -c, 'hf download $$MODEL']", "/data", Perhaps),
        ("[hf, download, o/other]", "/data", Missing),
        ("[hf, download, o/r]", "/elsewhere", Missing),
        ("[hf, download, o/r, --local-dir, /data/r]", "/data", Missing),
        ("[chown, -R, '1000', /data]", "/data", Missing),
    ] {
        check_cached(&cached(words, cache, ENDED), expected);
    }
    let other_volume =
        cached("[hf, download, o/r]", "/data", ENDED).replace("./models:/data", "./other:/data");
    check_cached(&other_volume, Missing);
    let nobody = cached("[hf, download, o/r]", "/data", "service_started");
    check_cached(&nobody, Missing);
    let own = cached("[chown, -R, '1000', /data]", "/data", ENDED).replace(
        "command: [--model, o/r]",
        "entrypoint: [sh, -c, 'HF_HUB_OFFLINE=0 hf download o/r && exec vllm serve o/r']",
    );
    check_cached(&own, Said("`hf`, which `a` runs before its engine, may bring it"));
}

#[test]
fn a_service_that_is_waited_for_until_it_is_healthy_brings_what_its_check_asks_for() {
    const HEALTHY: &str = "service_healthy";
    let who = "`get`, which is healthy when `a` starts, may bring it";
    // Whether a check that asks for something else waits for the download is not known.
    check_cached(&cached("[sh, -c, 'hf download o/r; sleep 1d']", "/data", HEALTHY), Perhaps);
    let asks = cached("[sh, -c, 'hf download o/r; sleep 1d']", "/data", HEALTHY)
        .replace("/data/done", "/data/hub/models--o--r/refs/main");
    check_cached(&asks, Said(who));
    check_cached(&cached("[chown, -R, '1000', /data]", "/data", HEALTHY), Missing);

    let words = "[sh, -c, 'curl -Lo /data/m.gguf https://example.invalid/m; sleep 1d']";
    let curl = after("curlimages/curl", words, "").replace("command: [sh", "entrypoint: [sh");
    let curl = curl.replace("service_completed_successfully", HEALTHY);
    let with_check = |test: &str| {
        curl.replace(
            "    volumes: ['./models:/data",
            &format!("    healthcheck: {{test: {test}}}\n    volumes: ['./models:/data"),
        )
    };
    check(&with_check("test -s /data/m.gguf"), Said(who));
    check(&with_check("pgrep sleep"), Perhaps);
    check(&curl.replace(HEALTHY, "service_started"), Missing);
    // A server that mounts the folder brings nothing.
    check(
        &with_check("'true'")
            .replace("curl -Lo /data/m.gguf https://example.invalid/m", "ls /data"),
        Missing,
    );
}

#[test]
fn what_a_script_brings_to_where_no_mount_is_is_there_and_brought_again_every_time() {
    let inside = |before: &str| scripted(before).replace("./models:/models", "./models:/data");
    for (before, program) in [
        ("hf download o/r m.gguf --local-dir /models", "hf"),
        ("[ -f /models/m.gguf ] || curl -Lo /models/m.gguf https://example.invalid/m.gguf", "curl"),
        ("gsutil -m cp gs://b/m.gguf /models/", "gsutil"),
    ] {
        let run = run(&inside(before), &[]);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(0), "{told}");
        let note = format!(
            "note[model-path-not-mounted]: no mount reaches `/models/m.gguf`: `{program}`, which `a` \
             runs before its engine, brings it again at every start of a new container"
        );
        assert!(told.contains(&note), "{told}");
    }
    let python = "python3 -c 'snapshot_download(\"o/r\", local_dir=\"/models\")'";
    for before in ["/scripts/download.sh", python] {
        assert_eq!(run(&inside(before), &[]).code, Some(3), "{before}");
    }
    let run = run(&inside("hf download o/r m.gguf --local-dir /elsewhere"), &[]);
    assert_eq!(run.code, Some(16), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_cache_that_no_mount_reaches_and_the_own_script_fills_is_not_missing() {
    let engine = |before: &str| {
        format!(
            "services:\n  a:\n    image: vllm/vllm-openai:v0.12.0\n    entrypoint: [/bin/sh, -c]\n    \
             command: ['{before} && exec vllm serve o/r']\n    environment: {{HF_HUB_OFFLINE: '1'}}\n"
        )
    };
    let told = |before: &str| {
        let run = run(&engine(before), &["--allow", "gpu-not-asked-for"]);
        (run.code, format!("{}{}", run.stdout, run.stderr))
    };
    let (code, said) = told("HF_HUB_OFFLINE=0 hf download o/r");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("note[not-in-cache]"), "{said}");
    let (code, said) = told("hf download o/other");
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("error[not-in-cache]"), "{said}");
}

#[test]
fn what_a_script_would_bring_is_no_reason_for_exec_to_refuse_it() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().display().to_string();
    let script = |bring: &str| format!("{bring} && exec llama-server -m {folder}/m.gguf");
    let run = |script: &str| sandbox.run(&["exec", "--", "/bin/sh", "-c", script]);
    let missing = run(&script("true"));
    assert_eq!(missing.code, Some(10), "{}", missing.stderr);
    let brought = run(&script(&format!("cp {folder}/no-such {folder}/m.gguf")));
    assert_eq!(brought.code, Some(1), "{}", brought.stderr);
    assert!(brought.stderr.contains("`cp`, which"), "{}", brought.stderr);
}

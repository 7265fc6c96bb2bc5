//! `docker compose up` with an init container that fetches: the first time, again, and with a hub
//! that serves rubbish.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::process::Stdio;

use crate::docker_stack::{MODEL_PATH, SOURCE, Stack, docker, may_change_owners, outcome};

/// Brings the stack up on an empty models folder of the given owner.
fn check_first_start(name: &str, owner: u32) {
    let Some(stack) = Stack::new(name, Some(SOURCE)) else { return };
    if owner != 0 {
        if !may_change_owners() {
            return;
        }
        chown(stack.path("models"), Some(owner), Some(owner)).unwrap();
    }
    stack.start_hub();
    stack.up();

    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "0");
    let folder = fs_err::metadata(stack.path("models")).unwrap();
    for (path, mode) in [("models/gguf", 0o755), (MODEL_PATH, 0o644)] {
        let new = fs_err::metadata(stack.path(path)).unwrap();
        assert_eq!((new.uid(), new.gid()), (folder.uid(), folder.gid()), "owner of `{path}`");
        assert_eq!(new.mode() & 0o7777, mode, "mode of `{path}`");
    }
    let fetched = fs_err::read(stack.path(MODEL_PATH)).unwrap();
    let served = fs_err::read(stack.path("hub/acme/tiny-GGUF/tiny-Q4_K_M.gguf")).unwrap();
    assert!(fetched == served, "the file differs from the hub's");
    stack.assert_llama_serves();
}

#[test]
fn a_models_folder_of_root_is_filled_and_the_engine_serves() {
    check_first_start("first-root", 0);
}

#[test]
fn a_models_folder_of_a_user_is_filled_with_files_of_that_user() {
    check_first_start("first-user", 1000);
}

#[test]
fn a_corrupt_body_stops_the_engine_and_leaves_nothing_behind() {
    let Some(stack) = Stack::new("corrupt", Some(SOURCE)) else { return };
    stack.edit("compose.yaml", |text| {
        let root = "      - --root=/hub\n";
        let fault = "      - --fault=corrupt:acme/tiny-GGUF/tiny-Q4_K_M.gguf\n";
        text.replace(root, &format!("{root}{fault}"))
    });
    stack.start_hub();
    stack.refuses(11, "error[download-corrupt]");
    assert!(!stack.path(MODEL_PATH).exists(), "the corrupt file has its final name");
    let left = stack.files("models");
    let is_temporary = |name: &str| name.contains("incomplete") || name.ends_with(".part");
    let temporary = left.iter().filter(|file| is_temporary(&file.to_string_lossy()));
    assert_eq!(temporary.count(), 0, "left behind: {left:?}");
    for file in left {
        let size = fs_err::metadata(stack.path("models").join(&file)).unwrap().len();
        assert!(size < 4096, "`{}` of {size} bytes was left behind", file.display());
    }
}

#[test]
fn a_second_start_asks_the_hub_nothing_and_takes_less_than_a_second() {
    let Some(stack) = Stack::new("again", Some(SOURCE)) else { return };
    stack.start_hub();
    stack.up();
    let requests = stack.hub_requests();
    assert!(!requests.is_empty(), "the first start fetched nothing");
    let first_end = stack.inspect("preflight", ".State.FinishedAt");
    stack.up();

    assert_eq!(stack.hub_requests(), requests);
    let start = stack.inspect("preflight", ".State.StartedAt");
    let end = stack.inspect("preflight", ".State.FinishedAt");
    assert_ne!(first_end, end, "preflight did not run again");
    let seconds = (second_of_day(&end) - second_of_day(&start)).rem_euclid(86_400.0);
    assert!(seconds < 1.0, "preflight took {seconds} s");
}

#[test]
fn two_init_containers_at_once_fetch_a_file_once_and_both_end_well() {
    let Some(stack) = Stack::new("twice", Some(SOURCE)) else { return };
    stack.start_hub();
    let arguments = ["run", "--rm", "--no-deps", "-T", "preflight"];
    let start = || stack.compose_command(&arguments).stdout(Stdio::null()).spawn().unwrap();
    let mut both = [start(), start()];
    for run in &mut both {
        assert_eq!(run.wait().unwrap().code(), Some(0));
    }
    let fetched = fs_err::read(stack.path(MODEL_PATH)).unwrap();
    assert!(fetched == fs_err::read(stack.path("hub/acme/tiny-GGUF/tiny-Q4_K_M.gguf")).unwrap());
    let requests = stack.hub_requests();
    let bodies = requests.iter().filter(|line| line.starts_with("cdn GET")).count();
    assert_eq!(bodies, 1, "{requests:?}");
}

#[test]
fn an_engine_that_was_killed_is_let_start_again() {
    let Some(stack) = Stack::new("killed", Some(SOURCE)) else { return };
    stack.start_hub();
    stack.up();
    stack.assert_llama_serves();
    let kill = outcome(&mut docker(["kill", &stack.container("llama")]));
    assert_eq!(kill.code, 0, "{}", kill.stderr);
    assert_eq!(stack.inspect("llama", ".State.ExitCode"), "137");

    stack.up();
    stack.assert_llama_serves();
}

/// `2025-06-01T07:30:03.5Z` is second 27003.5 of its day.
fn second_of_day(time: &str) -> f64 {
    let (_, clock) = time.split_once('T').unwrap();
    let parts = clock.trim_end_matches('Z').split(':');
    parts.fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

#[test]
fn a_cache_of_the_hub_is_filled_for_the_user_of_its_service_who_serves_from_it_without_the_hub() {
    let Some(stack) = Stack::new("cache", None) else { return };
    if !may_change_owners() {
        return;
    }
    stack.edit("compose.yaml", |text| {
        let (include, services) = (text.find("  - preflight.yaml\n"), text.find("services:\n"));
        let (include, services) = (include.unwrap(), services.unwrap());
        let lanes = include..services;
        let mut text = text.to_owned();
        text.replace_range(lanes, "  - path: [preflight.yaml, preflight-cache.yaml]\n\n");
        let named = "-hf, \"acme/tiny-GGUF:Q4_K_M\", --offline, -c";
        text.replace("-m, /models/gguf/tiny-Q4_K_M.gguf, -c", named)
            .replace(
                "    environment: {",
                "    user: \"1234:1234\"\n    environment: {HF_HOME: /cache, ",
            )
            .replace("${MODELS_PATH:-./models}:/models:ro", "./hf:/cache")
    });
    let mount = "services:\n  preflight:\n    volumes: [\"./hf:/cache\"]\n";
    stack.write("preflight-cache.yaml", mount);
    fs_err::create_dir(stack.path("hf")).unwrap();
    chown(stack.path("hf"), Some(1234), Some(1234)).unwrap();
    stack.start_hub();
    stack.up();

    let repository = "hf/hub/models--acme--tiny-GGUF";
    let links = ["refs", "blobs", "snapshots"].map(|folder| format!("{repository}/{folder}"));
    for path in links.iter().map(String::as_str).chain(["hf/hub", repository]) {
        let new = fs_err::metadata(stack.path(path)).unwrap();
        assert_eq!((new.uid(), new.gid()), (1234, 1234), "owner of `{path}`");
    }
    for file in stack.files(&links[1]) {
        let blob = fs_err::metadata(stack.path(&links[1]).join(file)).unwrap();
        assert_eq!((blob.uid(), blob.gid(), blob.mode() & 0o777), (1234, 1234, 0o644));
    }
    stack.assert_llama_serves();
    let requests = stack.hub_requests();
    stack.up();
    assert_eq!(stack.hub_requests(), requests, "what is there is asked for again");
}

//! Preflight behind a socket proxy that lets only the documented requests pass.

mod read_only_proxy;

use std::os::unix::fs::PermissionsExt as _;

use self::read_only_proxy::ReadOnlyProxy;
use crate::docker_stack::{MODEL, MODEL_PATH, Stack};

#[test]
fn the_documented_requests_are_all_that_is_needed() {
    let Some(stack) = Stack::new("proxy", None) else { return };
    stack.put(MODEL, "elsewhere/gguf/tiny-Q4_K_M.gguf");
    // Outside of the project's folder, which preflight has mounted.
    let models = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let model = models.path().join("gguf/tiny-Q4_K_M.gguf");
    stack.put(MODEL, model.to_str().unwrap());
    stack.edit("preflight.yaml", |text| {
        let lines = text.lines().filter(|line| !line.ends_with(":/models"));
        lines.map(|line| format!("{line}\n")).collect()
    });
    let proxy = ReadOnlyProxy::start(&stack.path("proxy.sock"));
    stack.set_environment(&[
        ("MODELS_PATH", models.path().to_str().unwrap()),
        ("DOCKER_SOCKET", proxy.path().to_str().unwrap()),
    ]);
    stack.up();
    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1 lane"), "{report}");
    assert!(report.contains("seen-through-engine"), "{report}");

    fs_err::remove_file(&model).unwrap();
    let outcome = stack.by_hand_through(proxy.path(), &["inspect"]);
    assert_eq!(outcome.code, 10, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("error[files-missing]"), "{}", outcome.stdout);
    let refused = proxy.stop();
    assert!(refused.iter().all(|request| request == "POST /containers/create"), "{refused:?}");
}

#[test]
fn a_proxy_that_refuses_everything_leaves_the_files_to_be_judged() {
    let Some(stack) = Stack::new("proxy-closed", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let proxy = ReadOnlyProxy::closed(&stack.path("proxy.sock"));
    stack.set_environment(&[("DOCKER_SOCKET", proxy.path().to_str().unwrap())]);
    stack.up();
    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1 lane"), "{report}");
    assert!(report.contains("note[containers-not-seen]"), "{report}");
    assert!(!proxy.stop().is_empty());
}

//! Caches of engines that may not ask the hub: what leads nowhere there, and what mends it.

use fake_hub::{FakeHub, Origin};
use serde_json::json;

use crate::hub_cache::{COMMIT, VLLM, cached, folder, judged};
use crate::sandbox::Sandbox;

fn offline(compose: &str) -> String {
    format!("{compose}    environment: {{HF_HUB_OFFLINE: '1'}}\n")
}

/// The first command that is printed between backticks after `run`.
fn command(stdout: &str) -> String {
    let (_, rest) = stdout.split_once("run `").unwrap();
    rest.split('`').next().unwrap().replace('\n', " ")
}

#[test]
fn a_reference_that_ends_in_a_line_break_is_mended_by_the_command_that_is_told() {
    let sandbox = cached(Sandbox::new().file("compose.yaml", VLLM), "acme/tiny", &folder());
    let place = "hf/hub/models--acme--tiny/refs/main";
    let sandbox = sandbox.file(place, format!("{COMMIT}\n"));
    let run = judged(&sandbox, &[]);
    assert!(run.starts_with("0 ready [config.json "), "it asks the hub and writes it anew: {run}");
    let sandbox = sandbox.file("compose.yaml", offline(VLLM));
    assert_eq!(judged(&sandbox, &[]), "10 not-ready []: not-in-cache");
    let run = sandbox.run(&[]);
    let told = format!("printf %s {COMMIT} > '[DIR]/{place}'");
    assert!(run.stdout.contains(&told), "{}", run.stdout);
    let said = run.stdout.replace('\n', " ");
    assert!(said.contains("has a line break or a blank beside the commit"), "{said}");
    let command = command(&run.stdout).replace("[DIR]", sandbox.path().to_str().unwrap());
    assert!(sandbox.shell(&command).status().unwrap().success(), "{command}");
    let run = judged(&sandbox, &[]);
    assert!(run.starts_with("0 ready [config.json "), "{run}");
}

#[test]
fn a_reference_that_ends_in_a_line_break_is_written_anew_by_a_fetch() {
    let hub = folder().into_iter().fold(FakeHub::builder(), |builder, (name, content)| {
        builder.file("acme/tiny", name, content)
    });
    let hub = hub.start().unwrap();
    let sandbox = Sandbox::new().file("compose.yaml", offline(VLLM));
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready "));
    let place = sandbox.path().join("hf/hub/models--acme--tiny/refs/main");
    let commit = hub.commit("acme/tiny");
    fs_err::write(&place, format!("{commit}\r\n")).unwrap();
    assert_eq!(judged(&sandbox, &[]), "10 not-ready []: not-in-cache");
    let of_weights = || hub.requests().iter().filter(|it| it.origin == Origin::Cdn).count();
    let before = of_weights();
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready "));
    assert_eq!(fs_err::read_to_string(&place).unwrap(), commit);
    assert_eq!(of_weights(), before);
}

/// Weights that are not loaded beside the others.
const SURPLUS: &str = "consolidated.safetensors";

#[test]
fn what_the_listing_of_a_draft_names_is_brought_though_it_is_not_loaded() {
    let hub = folder().into_iter().fold(FakeHub::builder(), |builder, (name, content)| {
        builder.file("acme/tiny", name, content.clone()).file("acme/draft", name, content)
    });
    let hub = hub.file("acme/draft", SURPLUS, b"\x02\0\0\0\0\0\0\0{}").start().unwrap();
    let compose = VLLM
        .replace("v0.12.0", "v0.33.0")
        .replace("acme/tiny\n", "acme/tiny --speculative-config.model acme/draft\n");
    let sandbox = Sandbox::new().file("compose.yaml", offline(&compose));
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready "));
    let (draft, commit) = ("hf/hub/models--acme--draft", hub.commit("acme/draft"));
    let surplus = sandbox.path().join(format!("{draft}/snapshots/{commit}/{SURPLUS}"));
    assert!(!surplus.exists());
    // As `hf download acme/draft --exclude 'consolidated*'` leaves it.
    let entry = json!({"size": 10, "blob_id": "0a"});
    let listing = json!({"format_version": 1, "files": {"config.json": entry, SURPLUS: entry}});
    let sandbox = sandbox.file(&format!("{draft}/trees/{commit}.json"), listing.to_string());
    let run = judged(&sandbox, &[]);
    assert!(run.starts_with("10 not-ready ") && run.ends_with("]: not-in-cache"), "{run}");
    let said = sandbox.run(&[]).stdout.replace('\n', " ");
    assert!(said.contains("without consolidated.safetensors (which its listing names)"), "{said}");
    // The library of older releases does not compare.
    let older = sandbox.file("compose.yaml", offline(&compose.replace("v0.33.0", "v0.24.0")));
    assert!(judged(&older, &[]).starts_with("0 ready "));
    let sandbox = older.file("compose.yaml", offline(&compose));
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready "));
    assert!(surplus.exists());
}

#[test]
fn an_offline_vllm_gets_its_weights_where_it_looks_for_the_rest() {
    let hub = folder().into_iter().fold(FakeHub::builder(), |builder, (name, content)| {
        builder.file("acme/tiny", name, content)
    });
    let hub = hub.start().unwrap();
    let compose = VLLM
        .replace("acme/tiny\n", "acme/tiny --download-dir /weights\n")
        .replace("['./hf:", "['./w:/weights', './hf:");
    let sandbox = Sandbox::new().file("compose.yaml", offline(&compose)).file("w/.keep", "");
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    assert_eq!(judged(&sandbox, &[]), "10 not-ready []: not-in-cache");
    let said = sandbox.run(&[]).stdout.replace('\n', " ");
    assert!(said.contains("nor does it then look for its model in `--download-dir`"), "{said}");
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready [config.json "));
    assert!(!sandbox.path().join("w/models--acme--tiny").exists());
    assert!(judged(&sandbox, &[]).starts_with("0 ready [config.json "));
}

//! Hubs that redirect: renamed repositories, names in other letter case, and mirrors that send on.

use std::process::Command;

use fake_hub::{Builder, FakeHub, SentOn};

use crate::hf_interop;
use crate::hub_stack::{bodies, brought, builder, check, edit, stack};
use crate::sandbox::Sandbox;

const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyz";

/// What was written down before the repositories got the names that they have.
const OLD: [(&str, &str); 2] = [("acme/old-GGUF", "acme/tiny-GGUF"), ("Acme/Tiny", "acme/tiny")];

/// A hub that knows the repositories by their old names too.
fn renaming(faults: &[&str]) -> FakeHub {
    let builder = OLD.iter().fold(builder(), |builder, (old, new)| builder.renamed(old, new));
    let add = |builder: Builder, fault: &&str| builder.fault(fault.parse().unwrap());
    faults.iter().fold(builder, add).page(3).start().unwrap()
}

/// The stack with the old names in it.
fn outdated(hub: &FakeHub) -> Sandbox {
    let sandbox = stack(hub);
    edit(&sandbox, "hf://acme/tiny-GGUF/", "hf://acme/old-GGUF/");
    edit(&sandbox, "hf://acme/tiny\n", "hf://Acme/Tiny\n");
    sandbox
}

#[test]
fn a_gated_repository_under_an_old_name_is_known_before_anything_moves() {
    for absolute in ["absolute:acme/old-GGUF", "few=100:all"] {
        let hub = renaming(&["denied:acme/tiny-GGUF", absolute]);
        let page = format!("{}/acme/tiny-GGUF", hub.url());
        let (accept, ask) = (format!("accept the terms at {page},"), format!("access at {page} "));
        let both = "`acme/tiny-GGUF` (asked for as `acme/old-GGUF`)";
        for fetch in [&["fetch", "--dry-run"][..], &["fetch"]] {
            let run = outdated(&hub).run(&[fetch, &["--lane", "reader"]].concat());
            check(&run, 12, &["error[token-missing]", both, &accept]);
            let sandbox = outdated(&hub).variable("HF_TOKEN", TOKEN);
            let run = sandbox.run(&[fetch, &["--lane", "reader"]].concat());
            check(&run, 12, &["error[model-gated]", both, &ask]);
        }
        assert_eq!(bodies(&hub), 0);
    }
}

#[test]
fn a_gated_repository_in_other_letter_case_is_known_by_its_own() {
    let hub = renaming(&["denied:acme/tiny"]);
    let run = outdated(&hub).variable("HF_TOKEN", TOKEN).run(&["fetch", "--dry-run"]);
    let page = format!("ask for access at {}/acme/tiny with", hub.url());
    check(&run, 12, &["error[model-gated]", "`acme/tiny` (asked for as `Acme/Tiny`)", &page]);
}

#[test]
fn a_repository_under_an_old_name_is_fetched_as_it_is_called_in_the_project() {
    for fault in ["absolute:all", "few=100:all"] {
        let hub = renaming(&[fault]);
        let sandbox = outdated(&hub);
        check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes"]);
        assert_eq!(brought(&sandbox).len(), 11);
        check(&sandbox.run(&["verify", "--deep"]), 0, &["ready: 2 of 2 lanes"]);
    }
}

#[test]
fn names_that_lead_to_each_other_come_to_an_end() {
    let builder = builder().renamed("acme/tiny", "acme/other").renamed("acme/other", "acme/tiny");
    let hub = builder.start().unwrap();
    let run = stack(&hub).run(&["fetch", "--lane", "coder"]);
    check(&run, 13, &["error[hub-unreachable]", "it redirects without end"]);
    assert!(hub.requests().len() < 50, "{}", hub.requests().len());
}

/// A lane whose engine looks for `repository` in a cache.
fn cache(hub: &FakeHub, repository: &str) -> Sandbox {
    let compose = format!(
        "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    command: {repository}\n    \
         environment: {{HF_HOME: /cache}}\n    volumes: ['./cache:/cache']\n    gpus: all\n"
    );
    let sandbox = Sandbox::new().file("compose.yaml", compose).file("cache/.keep", "");
    sandbox.variable("HF_ENDPOINT", hub.url())
}

#[test]
fn in_a_cache_a_repository_lies_under_the_name_that_its_engine_asks_for() {
    let hub = renaming(&[]);
    let sandbox = cache(&hub, "Acme/Tiny");
    check(&sandbox.run(&["fetch"]), 0, &["ready: 1 of 1 lane"]);
    let hub_folder = sandbox.path().join("cache/hub");
    assert!(hub_folder.join("models--Acme--Tiny/snapshots").join(hub.commit("acme/tiny")).is_dir());
    assert!(!hub_folder.join("models--acme--tiny").exists());

    let Some(hf) = hf_interop::hf() else { return };
    let sent = bodies(&hub);
    for offline in ["1", "0"] {
        let mut command = Command::new(&hf);
        command.args(["download", "Acme/Tiny", "config.json"]).env_clear();
        command.env("HOME", sandbox.path()).env("HF_HOME", sandbox.path().join("cache"));
        command.env("HF_ENDPOINT", hub.url()).env("HF_HUB_OFFLINE", offline);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(bodies(&hub), sent, "`hf` has found what preflight has brought");
}

/// A hub, and a mirror that has all of it and sends on what it is asked for.
fn mirrored(fault: &str, which: SentOn) -> (FakeHub, FakeHub) {
    let hub = builder().fault(fault.parse().unwrap()).start().unwrap();
    let mirror = builder().sends_on(&hub.url(), which).start().unwrap();
    (hub, mirror)
}

#[test]
fn a_mirror_that_sends_on_gets_the_token_and_the_hub_behind_it_does_not() {
    for which in [SentOn::Files, SentOn::Everything] {
        let (hub, mirror) = mirrored("denied:acme/tiny-GGUF", which);
        let sends_on = format!(
            "the mirror `{}` sends on to `{}`, to which the token is not sent",
            mirror.url(),
            hub.url()
        );
        let set = format!("set `HF_ENDPOINT={}`", hub.url());
        for arguments in [&["fetch", "--dry-run"][..], &["fetch"]] {
            let sandbox = stack(&mirror).variable("HF_TOKEN", TOKEN);
            let run = sandbox.run(&[arguments, &["--lane", "reader"]].concat());
            check(&run, 12, &["error[token-not-sent]", &sends_on, &set]);
            assert!(!format!("{}{}", run.stdout, run.stderr).contains("cannot be reached"));
        }
        let has_token = |request: &fake_hub::Request| request.authorization.is_some();
        assert!(mirror.requests().iter().all(has_token));
        assert!(!hub.requests().iter().any(has_token) && !hub.requests().is_empty());
    }
}

#[test]
fn a_private_repository_behind_a_mirror_that_sends_on_is_told_the_same() {
    for which in [SentOn::Files, SentOn::Everything] {
        let hub = builder().require_token(TOKEN).start().unwrap();
        let mirror = builder().sends_on(&hub.url(), which).start().unwrap();
        let run = stack(&mirror).variable("HF_TOKEN", TOKEN).run(&["fetch", "--lane", "reader"]);
        check(&run, 12, &["error[token-not-sent]", &format!("`HF_ENDPOINT={}`", hub.url())]);
    }
}

#[test]
fn without_a_token_a_mirror_that_sends_on_leads_to_the_page_of_the_hub_behind_it() {
    for which in [SentOn::Files, SentOn::Everything] {
        let (hub, mirror) = mirrored("gated:acme/tiny-GGUF", which);
        let page = format!("accept the terms at {}/acme/tiny-GGUF", hub.url());
        let too = format!("and `HF_ENDPOINT={}`", hub.url());
        let run = stack(&mirror).run(&["fetch", "--lane", "reader"]);
        check(&run, 12, &["error[token-missing]", &page, &too]);
    }
}

#[test]
fn what_is_public_comes_through_a_mirror_that_sends_on() {
    for which in [SentOn::Files, SentOn::Everything] {
        let (hub, mirror) = mirrored("few=100:all", which);
        let sandbox = stack(&mirror).variable("HF_TOKEN", TOKEN);
        check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes"]);
        assert!(hub.requests().iter().all(|request| request.authorization.is_none()));
    }
}

#[test]
fn a_renamed_and_gated_repository_behind_a_mirror_is_named_as_the_hub_behind_it_names_it() {
    let hub = renaming(&["gated:acme/tiny-GGUF"]);
    let mirror = builder().sends_on(&hub.url(), SentOn::Everything).start().unwrap();
    let run = outdated(&mirror).run(&["fetch", "--lane", "reader"]);
    let page = format!("accept the terms at {}/acme/tiny-GGUF,", hub.url());
    check(&run, 12, &["`acme/tiny-GGUF` (asked for as `acme/old-GGUF`)", &page]);
}

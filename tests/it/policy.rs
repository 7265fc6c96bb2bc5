//! Who may change what a finding weighs, and what is said about it.

use crate::hub_stack::{self, bodies, brought};
use crate::sandbox::{Run, Sandbox};

const SHARD: &str = "models/vllm/tiny/bf16/model-00002-of-00003.safetensors";

/// The quickstart without one shard, with what `change` makes of its Compose file.
fn stack(change: impl FnOnce(String) -> String) -> Sandbox {
    let sandbox = Sandbox::quickstart();
    fs_err::remove_file(sandbox.path().join(SHARD)).unwrap();
    let text = fs_err::read_to_string(sandbox.path().join("compose.yaml")).unwrap();
    sandbox.file("compose.yaml", change(text))
}

fn check(run: &Run, code: i32, words: &[&str]) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

const COMMAND: &str = "    command: --model /models/vllm/tiny/bf16 --served-model-name tiny";

fn with_comment(comment: &str) -> Sandbox {
    stack(|text| text.replace(COMMAND, &format!("{COMMAND}  # preflight: allow[{comment}")))
}

fn with_checks(checks: &str) -> Sandbox {
    stack(|text| text.replace("x-preflight:\n", &format!("x-preflight:\n  checks: {checks}\n")))
}

#[test]
fn a_flag_allows_and_denies() {
    let sandbox = stack(|text| text);
    check(&sandbox.run(&[]), 10, &["error[shard-missing]"]);
    let allowed = sandbox.run(&["--allow", "shard-missing"]);
    check(&allowed, 0, &["note[shard-missing]", "a note because of `--allow` or `--deny`"]);
    let both = sandbox.run(&["--allow", "shard-missing", "--deny", "shard-missing"]);
    check(&both, 10, &["error[shard-missing]"]);
    let sandbox = sandbox.variable("PREFLIGHT_ALLOW", "shard-missing");
    check(&sandbox.run(&[]), 0, &["note[shard-missing]"]);
}

#[test]
fn the_project_allows_and_a_flag_overrules_it() {
    let sandbox = with_checks("{shard-missing: allow}");
    check(&sandbox.run(&[]), 0, &["a note because of `x-preflight.checks`"]);
    check(&sandbox.run(&["--deny", "shard-missing"]), 10, &["error[shard-missing]"]);
}

#[test]
fn a_comment_allows_on_its_line_and_nowhere_else() {
    let allowed = with_comment("shard-missing] until the disk is here").run(&[]);
    check(&allowed, 0, &["a note because of a comment on its line"]);
    let elsewhere = stack(|text| format!("# preflight: allow[shard-missing]\n{text}")).run(&[]);
    check(&elsewhere, 10, &["error[shard-missing]"]);
}

#[test]
fn a_check_that_does_not_exist_is_refused_where_it_is_written() {
    let place = "compose.yaml:24:";
    check(&with_comment("shards-missing]").run(&[]), 2, &[place, "did you mean `shard-missing`"]);
    check(&with_comment("shard-missing").run(&[]), 2, &[place, "has no `]`"]);
    let misspelt = with_checks("{shards-missing: allow}").run(&[]);
    check(&misspelt, 2, &["compose.yaml:40:", "did you mean `shard-missing`"]);
    check(&with_checks("{shard-missing: maybe}").run(&[]), 2, &["neither `allow` nor `deny`"]);
    check(&with_checks("[shard-missing]").run(&[]), 2, &["gives each check `allow` or `deny`"]);
    let flag = stack(|text| text).run(&["--deny", "shards-missing"]);
    check(&flag, 2, &["--deny: there is no check `shards-missing`", "did you mean"]);
}

#[test]
fn a_lane_that_is_not_required_only_warns() {
    let optional = stack(|text| {
        text.replace("service: inference-vllm", "service: inference-vllm\n      required: false")
    });
    let words = ["warning[shard-missing]", "a warning because the lane is not required"];
    check(&optional.run(&[]), 0, &words);
    check(&optional.run(&["--deny", "shard-missing"]), 0, &words);
}

#[test]
fn what_is_denied_is_not_fetched() {
    let hub = hub_stack::hub(&[]);
    let sandbox = hub_stack::stack(&hub);
    let denied = sandbox.run(&["fetch", "--deny", "revision-not-pinned"]);
    check(&denied, 17, &["error[revision-not-pinned]"]);
    assert_eq!((bodies(&hub), brought(&sandbox)), (0, Vec::new()), "no file moved");
    hub_stack::edit(
        &sandbox,
        "x-preflight:\n",
        "x-preflight:\n  checks: {revision-not-pinned: deny}\n",
    );
    check(&sandbox.run(&["fetch"]), 17, &["error[revision-not-pinned]"]);
    assert_eq!((bodies(&hub), brought(&sandbox)), (0, Vec::new()), "no file moved");
    check(&sandbox.run(&["fetch", "--allow", "revision-not-pinned"]), 0, &["ready: 2 of 2 lanes"]);
}

#[test]
fn what_is_denied_of_a_lane_that_is_not_required_is_not_fetched_either() {
    let hub = hub_stack::hub(&[]);
    let sandbox = hub_stack::stack(&hub);
    let service = "service: inference-vllm";
    let optional = format!("{service}\n      required: false");
    hub_stack::edit(&sandbox, service, &optional);
    let words = ["warning[revision-not-pinned]", "a warning because the lane is not required"];
    let run = sandbox.run(&["fetch", "--lane", "coder", "--deny", "revision-not-pinned"]);
    check(&run, 0, &words);
    assert_eq!((bodies(&hub), brought(&sandbox)), (0, Vec::new()), "no file moved");
}

#[test]
fn what_is_allowed_is_fetched() {
    let hub = hub_stack::hub(&[]);
    let sandbox = hub_stack::stack(&hub);
    check(&sandbox.run(&["lock"]), 0, &[]);
    hub_stack::edit(&sandbox, "hf://acme/tiny\n", "hf://acme/tiny@main\n");
    check(&sandbox.run(&["fetch", "--lane", "coder"]), 17, &["error[lock-outdated]"]);
    assert_eq!(brought(&sandbox), Vec::<String>::new());
    let allowed = sandbox.run(&["fetch", "--lane", "coder", "--allow", "lock-outdated"]);
    check(&allowed, 0, &["note[lock-outdated]", "ready: 1 of 1 lane"]);
    assert_eq!(brought(&sandbox).len(), 10, "{:?}", brought(&sandbox));
}

#[test]
fn a_lane_that_is_being_pinned_is_not_denied_for_not_being_pinned() {
    let hub = hub_stack::hub(&[]);
    let sandbox = hub_stack::stack(&hub);
    let run = sandbox.run(&["lock", "--deny", "revision-not-pinned"]);
    check(&run, 0, &["coder: hf://acme/tiny pinned to"]);
    check(&sandbox.run(&["fetch", "--deny", "revision-not-pinned"]), 0, &["ready: 2 of 2 lanes"]);
}

#[test]
fn a_lane_that_is_not_required_and_cannot_be_pinned_is_said() {
    let hub = hub_stack::hub(&[]);
    let sandbox = hub_stack::stack(&hub);
    let service = "service: inference-vllm";
    let optional = format!("{service}\n      required: false");
    hub_stack::edit(&sandbox, service, &optional);
    hub_stack::edit(&sandbox, "hf://acme/tiny\n", "hf://acme/gone\n");
    let words = ["warning[model-not-found]", "a warning because the lane is not required"];
    check(&sandbox.run(&["lock", "--lane", "coder"]), 0, &words);
}

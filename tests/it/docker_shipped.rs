//! The shipped fragment in stacks as users have them, and preflight run through it.

use crate::docker_stack::{MODEL, MODEL_PATH, Stack};

/// Nobody names a folder of models.
const NO_FOLDER: [(&str, &str); 1] = [("MODELS_PATH", "")];

/// Why what is printed is not that of a correct stack.
fn assert_no_complaint(report: &str) {
    for complaint in ["error[", "warning["] {
        assert!(!report.contains(complaint), "{report}");
    }
}

#[test]
fn a_stack_that_has_no_models_folder_gets_none() {
    let Some(stack) = Stack::new("shipped-none", None) else { return };
    fs_err::remove_dir(stack.path("models")).unwrap();
    stack.set_environment(&NO_FOLDER);
    stack.put(MODEL, "gguf/tiny-Q4_K_M.gguf");
    stack.edit("compose.yaml", |text| {
        text.replace("/models/gguf", "/gguf")
            .replace("${MODELS_PATH:-./models}:/models:ro", "./gguf:/gguf:ro")
    });
    stack.up();
    stack.assert_llama_serves();
    assert!(!stack.path("models").exists(), "a folder was made");
    assert_no_complaint(&stack.logs("preflight"));
}

#[test]
fn models_in_a_folder_that_nobody_names_are_judged_and_not_written_to() {
    let Some(stack) = Stack::new("shipped-read", None) else { return };
    stack.set_environment(&NO_FOLDER);
    stack.put(MODEL, MODEL_PATH);
    stack.up();
    stack.assert_llama_serves();
    assert_no_complaint(&stack.logs("preflight"));
    assert_eq!(stack.files("models").len(), 1, "something was written");
}

#[test]
fn what_would_be_fetched_into_a_folder_that_nobody_names_is_told_with_the_line_to_write() {
    let Some(stack) = Stack::new("shipped-fetch", Some(crate::docker_stack::SOURCE)) else {
        return;
    };
    stack.set_environment(&NO_FOLDER);
    stack.start_hub();
    let report = stack.refuses(16, "error[not-writable]");
    let line = format!("`MODELS_PATH={}` in `.env`", stack.path("models").display());
    assert!(report.contains(&line), "`{line}` is not in\n{report}");
    stack.set_environment(&[]);
    stack.up();
    stack.assert_llama_serves();
}

#[test]
fn preflight_is_run_through_compose_with_a_subcommand() {
    let Some(stack) = Stack::new("shipped-run", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let plan = stack.compose(&["run", "--rm", "preflight", "plan"]);
    assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stdout.starts_with("tiny: llama.cpp, service llama, "), "{}", plan.stdout);
    let verify = stack.compose(&["run", "--rm", "preflight", "verify"]);
    assert_eq!(verify.code, 0, "{}{}", verify.stdout, verify.stderr);
    fs_err::remove_file(stack.path(MODEL_PATH)).unwrap();
    let verify = stack.compose(&["run", "--rm", "preflight", "verify"]);
    assert_eq!(verify.code, 10, "{}{}", verify.stdout, verify.stderr);
    stack.assert_started(&["preflight"]);
}

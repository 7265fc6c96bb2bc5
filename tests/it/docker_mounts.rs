//! `docker compose up` with a models folder that is not the one that was meant.

use crate::docker_stack::{MODEL, MODEL_PATH, SOURCE, Stack};

#[test]
fn a_mistyped_models_path_is_named_before_anything_is_fetched_into_it() {
    let Some(stack) = Stack::new("mistyped", Some(SOURCE)) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.set_environment(&[("MODELS_PATH", "./modles")]);
    stack.start_hub();
    let said = stack.up_fails();
    let report = stack.logs("preflight");

    assert!(said.contains("exit 16"), "{said}\n{report}");
    assert_eq!(stack.hub_requests(), [""; 0]);
    assert!(stack.files("modles").is_empty(), "something was written: {:?}", stack.files("modles"));
    let host_path = stack.path("modles");
    for expected in ["mount-source-fabricated", "MODELS_PATH", &host_path.to_string_lossy()] {
        assert!(report.contains(expected), "`{expected}` is not in\n{report}");
    }
    assert!(
        ["compose.yaml", "preflight.yaml"].into_iter().any(|file| points_at(&stack, &report, file)),
        "no line with MODELS_PATH is pointed at in\n{report}"
    );
    stack.assert_started(&["hub", "preflight"]);
}

/// Whether the report has a `FILE:LINE` whose line uses `MODELS_PATH`.
fn points_at(stack: &Stack, report: &str, file: &str) -> bool {
    let text = fs_err::read_to_string(stack.path(file)).unwrap();
    report.split(&format!("{file}:")).skip(1).any(|after| {
        let digits = after.split(|character: char| !character.is_ascii_digit()).next();
        let line = digits.and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
        line > 0 && text.lines().nth(line - 1).is_some_and(|line| line.contains("MODELS_PATH"))
    })
}

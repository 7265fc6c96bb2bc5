//! `docker stop` while the init container fetches: process 1 of an image that has nothing else.

use std::time::{Duration, Instant};

use crate::docker_stack::{MODEL_PATH, SOURCE, Stack, wait_for};

/// The journal of the unfinished model, once there is one.
fn journal(stack: &Stack) -> Option<String> {
    let files = stack.files("models").into_iter();
    let mut journals = files.filter(|file| file.to_string_lossy().ends_with(".journal"));
    fs_err::read_to_string(stack.path("models").join(journals.next()?)).ok()
}

#[test]
fn a_stopped_fetch_ends_at_once_and_the_next_start_goes_on() {
    let Some(stack) = Stack::new("stop", Some(SOURCE)) else { return };
    let served = stack.path("hub/acme/tiny-GGUF/tiny-Q4_K_M.gguf");
    fs_err::OpenOptions::new().write(true).open(&served).unwrap().set_len(40_000_000).unwrap();
    stack.edit("compose.yaml", |text| {
        let root = "      - --root=/hub\n";
        text.replace(root, &format!("{root}      - --fault=slow=3000000:all\n"))
    });
    stack.start_hub();
    let up = stack.compose(&["up", "-d", "preflight"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    wait_for("a finished block", || journal(&stack).filter(|text| text.lines().count() > 1));
    let begin = Instant::now();
    assert_eq!(stack.compose(&["stop", "--timeout", "30", "preflight"]).code, 0);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "143");
    assert!(!stack.path(MODEL_PATH).exists());
    let kept = journal(&stack).unwrap().lines().count() - 1;

    stack.compose(&["up", "preflight"]);
    let fetched = fs_err::read(stack.path(MODEL_PATH)).unwrap();
    assert!(fetched == fs_err::read(served).unwrap(), "the file differs from the hub's");
    assert_eq!(stack.files("models").iter().filter(|file| is_temporary(file)).count(), 0);
    let said = stack.logs("preflight");
    assert!(kept > 0, "{said}");
}

fn is_temporary(file: &std::path::Path) -> bool {
    file.extension().is_some_and(|kind| kind == "incomplete" || kind == "journal")
}

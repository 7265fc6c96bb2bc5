//! Judges: programs that variables name, and scripts that answer a line for each line that they are asked.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a variable names, or nothing after having said so; it is an error where all tests are required.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn named(variable: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test is told where its judges are")]
    let value = |name: &str| std::env::var(name).ok();
    let found = value(variable);
    match &found {
        Some(path) => assert!(Path::new(path).exists(), "{variable}: there is no {path}"),
        None => {
            let is_required = value("PREFLIGHT_TEST_REQUIRE_ALL").as_deref() == Some("1");
            assert!(!is_required, "{variable} is not set");
            println!("skipped: {variable} is not set");
        }
    }
    found
}

/// What a judge answers to each question.
pub(crate) fn answers(judge: &mut Command, questions: &[Value]) -> Vec<Value> {
    let mut child =
        judge.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let asked: String = questions.iter().map(|question| format!("{question}\n")).collect();
    // More than a pipe holds, so they are written while the answers are read.
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(asked.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

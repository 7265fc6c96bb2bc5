//! The hook for pre-commit, run by pre-commit itself.
//!
//! `PREFLIGHT_TEST_RELEASE_TOOLS` names the folder where it is; `tests/setup/release-tools` makes it.

use std::path::Path;
use std::process::Command;

use crate::judge::named;
use crate::sandbox::{Run, Sandbox, repository};

/// A repository with a stack in it, whose models are elsewhere, and one with the hooks.
struct Checkout {
    sandbox: Sandbox,
    tools: String,
}

impl Checkout {
    fn new() -> Option<Self> {
        let tools = named("PREFLIGHT_TEST_RELEASE_TOOLS")?;
        let read = |name: &str| fs_err::read(repository().join(name)).unwrap();
        let sandbox = Sandbox::new()
            .file("hooks/.pre-commit-hooks.yaml", read(".pre-commit-hooks.yaml"))
            .file("stack/compose.yaml", read("examples/quickstart/compose.yaml"))
            .file("stack/notes.txt", "Nothing for the hook.\n");
        let checkout = Self { sandbox, tools };
        for folder in ["hooks", "stack"] {
            checkout.git(folder, &["init", "--quiet"]);
            checkout.git(folder, &["add", "--all"]);
            checkout.git(folder, &["commit", "--quiet", "--message", "First"]);
        }
        Some(checkout)
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &str) -> Command {
        let mut command = Command::new(program);
        let binary = Path::new(env!("CARGO_BIN_EXE_preflight")).parent().unwrap();
        command.current_dir(self.sandbox.path().join(folder)).env_clear();
        command.env("HOME", self.sandbox.path());
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display()));
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "nobody");
            command.env(format!("GIT_{who}_EMAIL"), "nobody@localhost");
        }
        command
    }

    fn git(&self, folder: &str, arguments: &[&str]) {
        let mut command = self.command("git", folder);
        let output = command.args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {said}");
    }

    /// The hook on what is staged, as `git commit` runs it.
    fn hook(&self, more: &[&str]) -> Run {
        let mut command = self.command(Path::new(&self.tools).join("pre-commit"), "stack");
        command.args(["try-repo", "../hooks", "preflight-system", "--verbose", "--color=never"]);
        self.sandbox.told(&command.args(more).output().unwrap())
    }

    fn change(&self, from: &str, to: &str) {
        let path = self.sandbox.path().join("stack/compose.yaml");
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs_err::write(path, text.replace(from, to)).unwrap();
        self.git("stack", &["add", "--all"]);
    }
}

#[test]
fn a_stack_is_judged_by_what_is_committed_of_it() {
    let Some(checkout) = Checkout::new() else { return };
    let run = checkout.hook(&["--all-files"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("ready: 2 of 2 lanes"), "{}", run.stdout);
}

#[test]
fn a_commit_that_breaks_the_stack_is_refused_with_the_line() {
    let Some(checkout) = Checkout::new() else { return };
    checkout.change("--served-model-name tiny", "--served-model-name tiny --max-model-len many");
    let run = checkout.hook(&[]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    for said in ["compose.yaml:24:", "--max-model-len", "- exit code: 17"] {
        assert!(run.stdout.contains(said), "{said}\n{}", run.stdout);
    }
}

#[test]
fn a_commit_of_something_else_is_let_through_unread() {
    let Some(checkout) = Checkout::new() else { return };
    checkout.change("--served-model-name tiny", "--served-model-name tiny --max-model-len many");
    checkout.git("stack", &["commit", "--quiet", "--message", "Second"]);
    fs_err::write(checkout.sandbox.path().join("stack/notes.txt"), "More.\n").unwrap();
    checkout.git("stack", &["add", "--all"]);
    let run = checkout.hook(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("(no files to check)Skipped"), "{}", run.stdout);
}

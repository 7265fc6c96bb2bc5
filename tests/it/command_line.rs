//! What the command line says about itself.

#![expect(clippy::print_stdout, reason = "a test says what it could not try")]

use std::process::Command;

use crate::sandbox::Sandbox;

fn told(arguments: &[&str]) -> String {
    let run = Sandbox::new().run(arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.stdout
}

#[test]
fn the_version_names_the_build_and_the_machine() {
    let version = told(&["--version"]);
    let expected = format!("preflight {} (", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(&expected), "{version}");
    assert!(version.contains("-linux-") && version.ends_with(")\n"), "{version}");
}

#[test]
fn shells_accept_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = told(&["completions", shell]);
        assert!(script.contains("skip-gguf") && script.contains("explain"), "{shell}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        fs_err::write(&path, &script).unwrap();
        match Command::new(shell).arg("-n").arg(&path).output() {
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
            Err(_) => println!("skipped: there is no {shell} to read it"),
        }
    }
}

#[test]
fn the_manual_page_has_every_flag_of_the_help() {
    let (manual, help) = (told(&["man"]), told(&["--help"]));
    assert!(manual.starts_with(".ie") || manual.contains(".TH preflight 1"), "{manual}");
    let manual = manual.replace("\\-", "-");
    let flags: Vec<_> =
        help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 4).collect();
    assert!(flags.len() > 30, "{flags:?}");
    for flag in flags {
        let flag = flag.trim_end_matches(|it: char| !it.is_ascii_alphanumeric());
        assert!(manual.contains(flag), "{flag} is not in the manual page");
    }
}

#[test]
fn a_mistyped_name_is_answered_with_the_one_that_was_meant() {
    let sandbox = Sandbox::quickstart();
    for (arguments, answer) in [
        (&["--format", "junti"][..], "'junit'"),
        (&["verfiy"], "did you mean `preflight verify`?"),
        (&["--lanes", "x"], "'--lane'"),
        (&["--lane", "redaer"], "did you mean `reader`?"),
        (&["-o", "sarf=x"], "did you mean `sarif`?"),
        (&["explain", "file-trunctated"], "did you mean `file-truncated`?"),
        (&["plan", "--format", "junit"], "it has `human` and `json`"),
        (&["--format", "yaml"], "only `preflight config`"),
    ] {
        let run = sandbox.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(answer), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn the_help_of_every_subcommand_fits_a_page_and_groups_its_flags() {
    let help = told(&["--help"]);
    let headings = ["Project:", "Lanes:", "Fetch:", "Report:", "Engine:"];
    let at = headings.map(|heading| help.find(heading).unwrap_or_else(|| panic!("{heading}")));
    assert!(at.is_sorted(), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

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

/// Whether a program can be asked; where all is required it has to be.
fn is_there(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    #[expect(clippy::disallowed_methods, reason = "a test is told what it may leave out")]
    let required = std::env::var("PREFLIGHT_TEST_REQUIRE_ALL").as_deref() == Ok("1");
    assert!(is_there || !required, "{program} is required");
    if !is_there {
        println!("skipped: there is no {program}");
    }
    is_there
}

#[test]
fn shells_accept_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = told(&["completions", shell]);
        for word in ["skip-gguf", "explain", "mount-source-missing", "sarif"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        for hidden in ["lock-patience", "silence"] {
            assert!(!script.contains(hidden), "{shell}: {hidden}");
        }
        if !is_there(shell) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        fs_err::write(&path, &script).unwrap();
        let output = Command::new(shell).arg("-n").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What bash offers behind `words`, in the quickstart.
fn offered(words: &[&str]) -> Vec<String> {
    let sandbox = Sandbox::quickstart();
    fs_err::write(sandbox.path().join("script"), told(&["completions", "bash"])).unwrap();
    let typed = words.join(" ");
    let ask = format!(
        "source ./script\nCOMP_WORDS=(preflight {typed} '')\nCOMP_CWORD={}\n_preflight preflight '' \
         {}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.len() + 1,
        words.last().unwrap_or(&"preflight"),
    );
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_preflight")).parent().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", &ask]).current_dir(sandbox.path()).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn completions_know_lanes_checks_exit_codes_and_formats() {
    assert_eq!(offered(&["--lane"]), ["reader", "coder"]);
    assert_eq!(offered(&["verify", "--lane"]), ["reader", "coder"]);
    let formats = ["human", "json", "junit", "sarif", "github", "markdown", "html", "yaml"];
    assert_eq!(offered(&["--format"]), formats);
    for words in [&["--allow"][..], &["fetch", "--deny"], &["explain"]] {
        let offered = offered(words);
        assert!(offered.contains(&"mount-source-missing".to_owned()), "{words:?}: {offered:?}");
    }
    assert!(offered(&["explain"]).contains(&"16".to_owned()));
    assert!(!offered(&[]).iter().any(|it| it == "--silence" || it == "--lock-patience"));
}

#[test]
fn fish_completes_them_as_well() {
    if !is_there("fish") {
        return;
    }
    let sandbox = Sandbox::quickstart();
    fs_err::write(sandbox.path().join("script"), told(&["completions", "fish"])).unwrap();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_preflight")).parent().unwrap();
    let offered = |typed: &str| {
        let mut command = Command::new("fish");
        command.args(["-c", &format!("source ./script; complete -C 'preflight {typed}'")]);
        command.current_dir(sandbox.path()).env_clear().env("HOME", sandbox.path());
        command.env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        told.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(offered("--lane "), ["coder", "reader"]);
    assert_eq!(offered("verify --lane "), ["coder", "reader"]);
    assert_eq!(offered("--allow file-trunc"), ["file-truncated"]);
    assert_eq!(offered("explain file-trunc"), ["file-truncated"]);
    assert_eq!(offered("--format js"), ["json"]);
    assert_eq!(offered("--silen"), [""; 0]);
}

#[test]
fn the_manual_page_has_the_sections_that_people_look_for_and_a_reader_has_nothing_to_say() {
    let manual = told(&["man"]);
    let headings: Vec<_> = manual.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
    for heading in
        ["NAME", "SYNOPSIS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"]
    {
        assert!(headings.contains(&heading), "{headings:?}");
    }
    if !is_there("mandoc") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("preflight.1");
    fs_err::write(&page, manual).unwrap();
    let output = Command::new("mandoc").arg("-Tlint").arg(&page).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_manual_page_has_every_flag_of_the_help() {
    let (manual, help) = (told(&["man"]), told(&["--help"]));
    assert!(manual.starts_with(".TH PREFLIGHT 1 "), "{manual}");
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
fn a_value_is_no_subcommand_whatever_it_is_called() {
    let sandbox = Sandbox::quickstart();
    for (flag, value) in [("--role", "hand"), ("-p", "plan"), ("--profile", "init"), ("-p", "lock")]
    {
        let run = sandbox.run(&[flag, value]);
        assert_eq!(run.code, Some(0), "{flag} {value}: {}", run.stderr);
        assert!(run.stderr.contains("ready: 2 of 2 lanes"), "{flag} {value}: {}", run.stderr);
        let run = sandbox.run(&[flag, value, "plan"]);
        assert!(run.stdout.starts_with("reader: "), "{flag} {value} plan: {}", run.stdout);
    }
    let run = sandbox.run(&["--role", "init", "--project-directory", "."]);
    assert!(!run.stderr.contains("a value is required"), "{}", run.stderr);
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

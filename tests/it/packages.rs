//! What is released, installed and tried as its users do.
//!
//! `PREFLIGHT_TEST_PACKAGES` names a folder that `packaging/release` has filled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::judge::named;
use crate::sandbox::repository;

/// What processors may be busy with from the file of the wheel to the first verdict: half of the ten seconds
/// that a user of an idle machine may wait. What a clock says hangs on the tests that run beside this one.
const PATIENCE: f64 = 5.0;

/// Installs a wheel and judges a stack; then come the seconds of all of that, by the shell's own word.
const FIRST_VERDICT: &str = r#"
"$1/bin/pip" install --quiet --no-index --disable-pip-version-check "$2" || exit
"$1/bin/preflight" "$3" || exit
times
"#;

fn packages() -> Option<PathBuf> {
    named("PREFLIGHT_TEST_PACKAGES").map(PathBuf::from)
}

/// The only file of the folder with this ending.
fn only(folder: &Path, ending: &str) -> PathBuf {
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> =
        files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    let [file] = &found[..] else { panic!("{ending}: {found:?}") };
    file.clone()
}

/// What a program prints; it has to end well.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout) + &text(&output.stderr)
}

/// Without the paths of the developer, and without Docker.
fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("PREFLIGHT_NO_DOCKER", "true");
    command
}

/// The binary says its version and judges the quickstart.
fn works(binary: &Path) {
    let version = said(clean(binary).arg("--version"));
    let expected = format!("preflight {} (", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(&expected), "{version}");
    let judged = said(clean(binary).arg(repository().join("examples/quickstart")));
    assert!(judged.contains("preflight: ready: 2 of 2 lanes"), "{judged}");
}

/// What a line of `times` says: `0m1.234s 0m0.567s`.
fn seconds(line: &str) -> Option<f64> {
    let (user, system) = line.split_once(' ')?;
    let each = [user, system].map(|it| {
        let (minutes, seconds) = it.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    });
    Some(each[0]? + each[1]?)
}

#[test]
fn from_the_file_of_the_wheel_to_the_first_verdict_it_takes_less_than_ten_seconds() {
    let Some(packages) = packages() else { return };
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("fresh");
    said(clean("python3").args(["-m", "venv"]).arg(&fresh));
    // Nothing is asked of a network: the wheel needs nothing but itself.
    let mut shell = clean("bash");
    shell.args(["-c", FIRST_VERDICT, "bash"]).arg(&fresh).arg(only(&packages, ".whl"));
    let told = said(shell.arg(repository().join("examples/quickstart")));
    assert!(told.contains("preflight: ready: 2 of 2 lanes"), "{told}");
    let taken: f64 = told.lines().filter_map(seconds).sum();
    assert!(0.0 < taken && taken < PATIENCE, "{taken} s\n{told}");
    works(&fresh.join("bin/preflight"));
    let shown = said(clean(fresh.join("bin/pip")).args(["show", "--files", "compose-preflight"]));
    for file in ["/licenses/LICENSE", "/licenses/LICENSE-THIRD-PARTY.txt", ".cyclonedx.json"] {
        assert!(shown.lines().any(|line| line.ends_with(file)), "{file}\n{shown}");
    }
    said(clean(fresh.join("bin/pip")).args(["uninstall", "--yes", "compose-preflight"]));
    assert!(!fresh.join("bin/preflight").exists());
}

/// Every file below a folder, but for what dpkg keeps for itself.
fn files_below(root: &Path) -> BTreeSet<String> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let names = entries.map(|entry| entry.path().strip_prefix(root).unwrap().display().to_string());
    names.filter(|name| !name.starts_with("var/") && !name.is_empty()).collect()
}

#[test]
fn the_debian_package_is_installed_and_removed_and_leaves_nothing() {
    let Some(packages) = packages() else { return };
    let package = only(&packages, ".deb");
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let database = root.join("var/lib/dpkg");
    for folder in ["info", "updates"] {
        fs_err::create_dir_all(database.join(folder)).unwrap();
    }
    fs_err::write(database.join("status"), "").unwrap();
    let before = files_below(root);
    let dpkg = |arguments: &[&str]| {
        let mut command = clean("dpkg");
        command.arg(format!("--root={}", root.display()));
        command.arg("--log=/dev/null").args(arguments);
        said(&mut command)
    };
    dpkg(&["--install", package.to_str().unwrap()]);
    works(&root.join("usr/bin/preflight"));
    let installed = files_below(root);
    for file in [
        "usr/share/man/man1/preflight.1.gz",
        "usr/share/bash-completion/completions/preflight",
        "usr/share/zsh/vendor-completions/_preflight",
        "usr/share/fish/vendor_completions.d/preflight.fish",
        "usr/share/doc/compose-preflight/copyright",
        "usr/share/doc/compose-preflight/changelog.Debian.gz",
        "usr/share/doc/compose-preflight/LICENSE-THIRD-PARTY.txt",
        "usr/share/doc/compose-preflight/examples/preflight.yaml",
    ] {
        assert!(installed.contains(file), "{file}: {installed:#?}");
    }
    assert!(dpkg(&["--status", "compose-preflight"]).contains("Status: install ok installed"));
    dpkg(&["--purge", "compose-preflight"]);
    assert_eq!(files_below(root), before);
}

#[test]
fn the_archive_holds_what_works_with_its_manual_and_the_licences_of_what_is_in_it() {
    let Some(packages) = packages() else { return };
    let archive = only(&packages, ".tar.gz");
    let name = archive.file_name().unwrap().to_str().unwrap().trim_end_matches(".tar.gz");
    let folder = tempfile::tempdir().unwrap();
    said(clean("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder.path()));
    let root = folder.path().join(name);
    works(&root.join("preflight"));
    let libraries = said(clean("ldd").arg(root.join("preflight")).env("LC_ALL", "C"));
    assert!(libraries.contains("statically linked"), "{libraries}");
    for file in [
        "LICENSE",
        "preflight.1",
        "completions/_preflight",
        "compose/preflight.yaml",
        "kubernetes/clusterstoragecontainer.yaml",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }
    let licences = fs_err::read_to_string(root.join("LICENSE-THIRD-PARTY.txt")).unwrap();
    for line in ["ring 0.", "Apache License", "Permission is hereby granted", "GNU C Library"] {
        assert!(licences.contains(line), "{line}");
    }
    for line in ["\nproptest ", "\ninsta ", "\nserde_derive "] {
        assert!(!licences.contains(line), "{line} is in no binary");
    }
}

#[test]
fn the_bill_of_materials_names_the_crates_that_are_linked() {
    let Some(packages) = packages() else { return };
    let bill = fs_err::read_to_string(only(&packages, ".cyclonedx.json")).unwrap();
    let bill: Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["metadata"]["component"]["name"], "compose-preflight");
    let components = bill["components"].as_array().unwrap();
    let named: BTreeSet<String> = components
        .iter()
        .map(|it| format!("{} v{}", it["name"].as_str().unwrap(), it["version"].as_str().unwrap()))
        .collect();
    let tree = said(
        Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
            .current_dir(repository()),
    );
    let linked: BTreeSet<String> = tree
        .lines()
        .filter(|line| !line.contains("(proc-macro)") && !line.contains("compose-preflight"))
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .filter(|line| line.contains(" v"))
        .collect();
    assert!(linked.len() > 100, "{linked:?}");
    let missing: Vec<&String> = linked.difference(&named).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_sums_are_those_of_every_file() {
    let Some(packages) = packages() else { return };
    let checked =
        said(clean("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&packages));
    let files = fs_err::read_dir(&packages).unwrap().count();
    assert_eq!(checked.lines().count(), files - 1, "{checked}");
    assert!(checked.lines().all(|line| line.ends_with(": OK")), "{checked}");
}

#[test]
fn cargo_installs_it_from_the_folder_of_its_sources() {
    if packages().is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let host = said(Command::new("rustc").arg("-vV"));
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // What the packages were made of is there, and so nothing is compiled again.
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repository()).env("RUSTFLAGS", "-C target-feature=+crt-static");
    cargo.args(["install", "--locked", "--offline", "--path", ".", "--profile", "quick"]);
    cargo.args(["--target", host, "--target-dir", "target", "--root"]).arg(root.path());
    said(&mut cargo);
    works(&root.path().join("bin/preflight"));
}

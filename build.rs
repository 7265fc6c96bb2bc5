//! Says which build this is: `PREFLIGHT_VERSION` for the code, from git where there is one.
//!
//! `PREFLIGHT_COMMIT` names the commit where the sources come without git, as into an image.

#![expect(clippy::disallowed_methods, reason = "cargo tells a build script through variables")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PREFLIGHT_COMMIT");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    // A build of a developer is not built again for every commit.
    let is_release = variable("PROFILE") == "release";
    if is_release {
        for path in [".git/HEAD", ".git/logs/HEAD"] {
            if std::path::Path::new(path).exists() {
                println!("cargo::rerun-if-changed={path}");
            }
        }
    }
    let commit = match variable("PREFLIGHT_COMMIT") {
        named if !named.is_empty() => named,
        _ if is_release => commit().unwrap_or_else(|| "unknown commit".to_owned()),
        _ => "development build".to_owned(),
    };
    let (version, target) = (variable("CARGO_PKG_VERSION"), variable("TARGET"));
    println!("cargo::rustc-env=PREFLIGHT_VERSION={version} ({commit}, {target})");
}

/// The commit that is checked out, with `-modified` if files of it were changed.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-modified") })
}

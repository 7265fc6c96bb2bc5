//! Whether the user that a service runs as may read its model: modes, owners, folders above.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::sandbox::{Run, Sandbox};

const FILE: &str = "models/gguf/tiny-Q4_K_M.gguf";
const FOLDER: &str = "models/gguf";

/// A llama.cpp service with these words more.
fn service(words: &str) -> Sandbox {
    let compose = format!(
        "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
         command: -m /models/gguf/tiny-Q4_K_M.gguf -c 2048\n    \
         volumes: [\"./models:/models:ro\"]\n{words}"
    );
    Sandbox::quickstart().file("compose.yaml", compose)
}

fn chmod(sandbox: &Sandbox, name: &str, mode: u32) {
    let path = sandbox.path().join(name);
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The first line of the report's first finding, and the code.
fn said(run: &Run) -> (Option<i32>, String) {
    let found = run.stdout.lines().find(|line| line.contains("unreadable-by-service-user"));
    (run.code, found.unwrap_or_default().to_owned())
}

#[test]
fn a_file_of_mode_0600_is_not_for_another_user() {
    let sandbox = service("    user: \"4321:4321\"\n");
    assert_eq!(said(&sandbox.run(&["compose.yaml"])), (Some(0), String::new()));
    chmod(&sandbox, FILE, 0o600);
    let (code, line) = said(&sandbox.run(&["compose.yaml"]));
    assert_eq!(code, Some(16), "{line}");
    assert!(line.contains("`/models/gguf/tiny-Q4_K_M.gguf` has mode 0600"), "{line}");
    assert!(line.contains("`llm` runs as 4321:4321"), "{line}");
}

#[test]
fn the_groups_of_a_service_count() {
    let group = fs_err::metadata(Sandbox::quickstart().path().join(FILE)).unwrap().gid();
    for (words, expected) in [
        ("    user: \"4321:4321\"\n".to_owned(), Some(16)),
        (format!("    user: \"4321:4321\"\n    group_add: [\"{group}\"]\n"), Some(0)),
        (format!("    user: \"4321:{group}\"\n"), Some(0)),
    ] {
        let sandbox = service(&words);
        chmod(&sandbox, FILE, 0o640);
        assert_eq!(said(&sandbox.run(&["compose.yaml"])).0, expected, "{words}");
    }
}

#[test]
fn every_folder_above_has_to_let_the_user_through() {
    let sandbox = service("    user: \"4321:4321\"\n");
    chmod(&sandbox, FOLDER, 0o700);
    let run = sandbox.run(&["compose.yaml"]);
    let (code, line) = said(&run);
    assert_eq!(code, Some(16), "{line}");
    assert!(line.contains("`/models/gguf` has mode 0700"), "{line}");
    assert!(run.stdout.contains("chmod -R a+rX '[DIR]/models'"), "{}", run.stdout);
}

#[test]
fn root_reads_everything_unless_that_is_taken_away() {
    for (words, expected) in [
        ("", Some(0)),
        ("    user: root\n", Some(0)),
        ("    user: root\n    cap_drop: [CHOWN]\n", Some(0)),
        ("    user: root\n    cap_drop: [ALL]\n", Some(16)),
        ("    user: \"0:0\"\n    cap_drop: [CAP_DAC_OVERRIDE]\n", Some(16)),
        ("    user: \"0\"\n    cap_drop: [ALL]\n    cap_add: [DAC_READ_SEARCH]\n", Some(0)),
        ("    user: \"0\"\n    cap_drop: [ALL]\n    privileged: true\n", Some(0)),
    ] {
        let sandbox = service(words);
        let path = sandbox.path().join(FILE);
        if fs_err::metadata(&path).unwrap().uid() == 0 {
            std::os::unix::fs::chown(&path, Some(4321), Some(4321)).unwrap();
        }
        chmod(&sandbox, FILE, 0o600);
        let run = sandbox.run(&["compose.yaml"]);
        assert_eq!(run.code, expected, "{words} {}", run.stdout);
    }
}

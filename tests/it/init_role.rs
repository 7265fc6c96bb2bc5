//! What an init container says, and where.

use std::os::unix::net::UnixListener;

use crate::sandbox::Sandbox;

fn init(sandbox: Sandbox) -> Sandbox {
    sandbox.variable("PREFLIGHT_ROLE", "init")
}

#[test]
fn the_report_for_a_person_goes_before_the_verdict_in_one_stream() {
    let sandbox = init(Sandbox::quickstart());
    let run = sandbox.run(&["-f", "compose.yaml"]);
    // The models are mounted into no container that this is.
    assert_eq!((run.code, run.stdout.as_str()), (Some(16), ""), "{}", run.stderr);
    let (report, verdict) = run.stderr.split_once("\npreflight: not ready: ").unwrap();
    assert!(report.contains("\nLANE "), "{report}");
    assert!(verdict.starts_with("exit 16, ") && !verdict.contains("error["), "{verdict}");
    assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
}

#[test]
fn what_a_program_reads_stays_on_standard_output() {
    let sandbox = init(Sandbox::quickstart());
    let run = sandbox.run(&["-f", "compose.yaml", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["role"], "init");
    assert!(run.stderr.starts_with("preflight: not ready: exit 16"), "{}", run.stderr);
    let plan = sandbox.run(&["plan", "-f", "compose.yaml"]);
    assert!(!plan.stdout.is_empty() && plan.stderr.is_empty(), "{}", plan.stderr);
}

#[test]
fn files_are_told_from_the_project_and_not_from_the_root() {
    let sandbox = init(Sandbox::quickstart());
    let folder = sandbox.path().to_str().unwrap().to_owned();
    let mut command = sandbox.command(&["--project-directory", &folder]);
    let run = sandbox.told(&command.current_dir("/").output().unwrap());
    assert_eq!(run.code, Some(16), "{}", run.stderr);
    assert!(run.stderr.contains(" --> compose.yaml:"), "{}", run.stderr);
}

#[test]
fn a_socket_that_is_there_and_does_not_answer_is_a_part_of_why_there_is_no_project() {
    let sandbox = init(Sandbox::new()).variable("PREFLIGHT_NO_DOCKER", "false");
    let socket = sandbox.path().join("docker.sock");
    // Nobody listens any more, and the file is still there.
    drop(UnixListener::bind(&socket).unwrap());
    let sandbox = sandbox.variable("DOCKER_HOST", format!("unix://{}", socket.display()));
    let run = sandbox.run(&[]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let said = "preflight: error: no Compose file was found in `/project` or above, and the \
                containers could not be looked at: ";
    assert!(run.stderr.starts_with(said), "{}", run.stderr);
    assert!(run.stderr.contains("docker.sock"), "{}", run.stderr);
}

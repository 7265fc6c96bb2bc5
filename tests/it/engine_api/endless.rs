//! Engines that never come to an end, or go away in the middle: what is seen is refused as a whole and
//! told, after a time of its own and in less than 64 MiB of memory.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use preflight::deadline::Deadline;
use preflight::options::DockerOptions;
use preflight::project::docker::{DockerError, Observation, observe};
use tokio::sync::mpsc::unbounded_channel;

use super::options;
use crate::endless_hub::{measured, watched};
use crate::sandbox::{OWN_MEMORY, Sandbox};
use crate::wire::{Line, Server, repeat, say_nothing, tell};

const VERSION: &[u8] = br#"{"Version": "28.5.2", "ApiVersion": "1.51"}"#;
const BODY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
/// The log of the first container.
const LOGS: &str =
    "GET /containers/f000000000000000000000000000000000000000000000000000000000000000/logs";
const AT_ONCE: Duration = Duration::ZERO;

fn id(number: usize) -> String {
    format!("f{number:063x}")
}

fn list(count: usize) -> String {
    let containers = (0..count).map(|number| format!(r#"{{"Id":"{}","Labels":null}}"#, id(number)));
    format!("[{}]", containers.collect::<Vec<_>>().join(","))
}

/// A container of the quickstart that has come to grief, so that its log is asked for.
fn container(number: usize) -> String {
    let labels = serde_json::json!({
        "com.docker.compose.project": "quickstart",
        "com.docker.compose.service": format!("service{number}"),
    });
    let state = serde_json::json!({"Status": "exited", "ExitCode": 1});
    serde_json::json!({"Id": id(number), "State": state, "Config": {"Labels": labels}}).to_string()
}

/// An engine with so many containers that answers questions which begin like this otherwise.
fn except(
    count: usize,
    wrong: &'static str,
    otherwise: impl Fn(&mut dyn Line) + Send + Sync + 'static,
) -> Server {
    Server::on_socket(move |request, line| match request {
        _ if request.starts_with(wrong) => otherwise(line),
        "GET /version" => tell(line, 200, "", VERSION),
        "GET /info" => tell(line, 200, "", b"{}"),
        _ if request.starts_with("GET /containers/json") => {
            tell(line, 200, "", list(count).as_bytes());
        }
        _ if request.starts_with("GET /containers/f") && request.ends_with("/json") => {
            let number = request.trim_end_matches("/json").rsplit('/').next().unwrap();
            let number = usize::from_str_radix(&number[1..], 16).unwrap();
            tell(line, 200, "", container(number).as_bytes());
        }
        _ => tell(line, 404, "", br#"{"message": "no such thing"}"#),
    })
}

async fn look(server: &Server, deadline: Option<Deadline>) -> Result<Observation, DockerError> {
    let options = DockerOptions { deadline, ..options(&server.url, None) };
    observe(&options, Some("quickstart")).await
}

/// Looks at the quickstart with that engine, and fails unless these words are told in time and memory.
#[track_caller]
fn told(what: &str, server: &Server, words: &str) {
    let sandbox = Sandbox::quickstart();
    let mut command = sandbox.command(&["inspect"]);
    command.env_remove("PREFLIGHT_NO_DOCKER").env("DOCKER_HOST", &server.url);
    let (run, took, peak) = watched(&sandbox, command);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains(words), "{what}: {said}");
    assert!(took < Duration::from_secs(30), "{what}: {took:?}");
    assert!(peak < OWN_MEMORY, "{what}: {peak} kB");
    measured(&format!("{what}: {:.1} s, {peak} kB", took.as_secs_f64()));
}

#[tokio::test]
async fn five_thousand_silent_inspections_end_within_a_minute() {
    let (asked, mut silent) = unbounded_channel();
    let server = except(5000, "GET /containers/f", move |line| {
        let _ = asked.send(());
        say_nothing(line);
    });
    let wait = async {
        for _ in 0..8 {
            silent.recv().await;
        }
        // From here on nothing answers any more, and time is what is waited for.
        tokio::time::pause();
        let begin = tokio::time::Instant::now();
        silent.recv().await;
        begin
    };
    let (observation, begin) = tokio::join!(look(&server, None), wait);
    assert!(matches!(observation, Err(DockerError::Silent { .. })), "{observation:?}");
    assert!(begin.elapsed() <= Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn the_end_of_the_run_ends_silent_inspections_as_well() {
    let server = except(5000, "GET /containers/f", say_nothing);
    let observation = look(&server, Deadline::after(Duration::from_secs(1))).await;
    let error = observation.unwrap_err().to_string();
    assert!(error.contains("does not answer"), "{error}");
}

#[test]
fn answers_without_end_are_read_up_to_a_limit() {
    let (long, crowded) = ("it is too long", "there is too much in it");
    for (what, wrong, start, why) in [
        ("a list without end", "GET /containers/json", r#"[{"Id":""#, long),
        ("containers without end", "GET /containers/json", "[", crowded),
        ("a version without end", "GET /version", r#"{"Version":""#, long),
    ] {
        let server = except(1, wrong, move |line| {
            drop(line.write_all(&[BODY, start.as_bytes()].concat()));
            let piece: &[u8] = if start == "[" { b"{}," } else { b"xxx" };
            repeat(line, &piece.repeat(20_000), AT_ONCE);
        });
        told(what, &server, why);
    }
    // What cannot be inspected is left out, and what else is asked is not known.
    for (what, wrong) in [
        ("an inspection without end", "GET /containers/f"),
        ("information without end", "GET /info"),
    ] {
        let server = except(1, wrong, |line| {
            drop(line.write_all(&[BODY, br#"{"Name":""#].concat()));
            repeat(line, &[b'x'; 60_000], AT_ONCE);
        });
        told(what, &server, "preflight:");
    }
}

#[test]
fn three_hundred_thousand_containers_are_refused() {
    let server = except(300_000, "GET /nothing", |_| {});
    told("300 000 containers", &server, "there is too much in it");
    let short = format!("[{}]", vec![r#"{"Id":"1"}"#; 300_000].join(","));
    let server =
        except(0, "GET /containers/json", move |line| tell(line, 200, "", short.as_bytes()));
    told("300 000 short containers", &server, "there is too much in it");
}

#[test]
fn an_answer_that_is_small_and_would_be_large_in_memory_is_refused() {
    let mounts = format!(r#"{{"Id":"1","Mounts":[{}]}}"#, vec!["{}"; 1_000_000].join(","));
    let server = except(1, "GET /containers/f", move |line| tell(line, 200, "", mounts.as_bytes()));
    told("a million mounts", &server, "preflight:");
}

#[test]
fn a_log_frame_that_claims_four_gigabytes_is_read_up_to_a_limit() {
    let server = except(1, LOGS, |line| {
        drop(line.write_all(&[BODY, &[1, 0, 0, 0, 255, 255, 255, 255]].concat()));
        repeat(line, &b"RuntimeError: engine log\n".repeat(1000), AT_ONCE);
    });
    told("a frame of 4 GiB", &server, "preflight:");
    assert!(server.requests().iter().any(|request| request.starts_with(LOGS)));
}

#[tokio::test]
async fn a_daemon_that_restarts_between_list_and_inspection_hides_no_container() {
    let server = except(3, "GET /containers/f", |_| {});
    let error = look(&server, None).await.unwrap_err();
    assert!(matches!(error, DockerError::Unreachable { .. }), "{error}");
    // It is back.
    let back = except(3, "GET /nothing", |_| {});
    assert_eq!(look(&back, None).await.unwrap().siblings.len(), 3);
    // It goes away behind one inspection.
    let once = AtomicBool::new(true);
    let server = except(3, "GET /containers/f", move |line| {
        if once.swap(false, SeqCst) {
            tell(line, 200, "", container(0).as_bytes());
        }
    });
    assert!(look(&server, None).await.is_err());
}

#[tokio::test]
async fn a_container_that_was_removed_between_list_and_inspection_is_no_container() {
    let second = "GET /containers/f000000000000000000000000000000000000000000000000000000000000001";
    let server = except(3, second, |line| {
        tell(line, 404, "", br#"{"message": "No such container"}"#);
    });
    let observation = look(&server, None).await.unwrap();
    assert_eq!((observation.siblings.len(), observation.complete), (2, false));
}

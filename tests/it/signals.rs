//! SIGTERM and SIGINT, whatever a run waits for: it ends within five seconds, and what has come is kept.

use std::fs::TryLockError;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::hub_stack::{brought, folder, hub, silent_engine, stack};
use crate::sandbox::Sandbox;
use crate::wire::{Line, Server, say_nothing, tell};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Sends a signal to a run that waits, and fails unless that ends it.
#[track_caller]
fn ends(mut child: Child) {
    assert_eq!(child.try_wait().unwrap(), None, "it did not wait");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let begin = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

/// A run that asks this hub for a lane of the quickstart.
fn asks(endpoint: &str) -> (Sandbox, Child) {
    let sandbox = stack(&hub(&[])).variable("HF_ENDPOINT", endpoint);
    let child = start(sandbox.command(&["fetch", "--lane", "coder", "--progress", "none"]));
    (sandbox, child)
}

#[test]
fn a_hub_that_is_silent_at_any_request() {
    let information = format!(r#"{{"sha":"{COMMIT}","siblings":[]}}"#);
    let entry = format!(r#"[{{"type":"file","path":"config.json","size":2,"oid":"{COMMIT}"}}]"#);
    for silent in
        ["GET /api/models/acme/tiny/revision/", "GET /api/models/acme/tiny/tree/", "HEAD "]
    {
        let (information, entry) = (information.clone(), entry.clone());
        let server = Server::on_port(move |request: &str, line: &mut dyn Line| match request {
            _ if request.starts_with(silent) => say_nothing(line),
            _ if request.contains("/revision/") => tell(line, 200, "", information.as_bytes()),
            _ => tell(line, 200, "", entry.as_bytes()),
        });
        let (_sandbox, child) = asks(&server.url);
        server.wait_for(silent);
        ends(child);
    }
}

#[test]
fn a_hub_that_is_silent_in_the_middle_of_data_leaves_what_has_come() {
    let folder = folder();
    let (largest, content) = folder.iter().max_by_key(|(_, content)| content.len()).unwrap();
    let hub = hub(&[&format!("stall={}:acme/tiny/{largest}", content.len() / 2)]);
    let sandbox = stack(&hub);
    let child = start(sandbox.command(&["fetch", "--lane", "coder", "--max-workers", "1"]));
    hub.wait_until_stalled(1);
    ends(child);
    // One after the other, the largest last.
    let kept = brought(&sandbox);
    assert_eq!(kept.len(), folder.len() - 1, "{kept:?}");
}

#[test]
fn a_hub_that_takes_a_connection_and_never_shakes_hands() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (_sandbox, child) = asks(&format!("https://{}", listener.local_addr().unwrap()));
    let (_stream, _) = listener.accept().unwrap();
    ends(child);
}

#[test]
fn a_hub_that_is_left_alone_for_a_while_or_tried_again() {
    for fault in ["rate-limit=250:all", "status=503*1000:all"] {
        let hub = hub(&[fault]);
        let (_sandbox, child) = asks(&hub.url());
        while hub.requests().is_empty() {
            std::thread::yield_now();
        }
        ends(child);
    }
}

#[test]
fn a_lock_that_another_holds() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    // Makes the folder and the lock files.
    assert_eq!(sandbox.run(&["fetch", "--lane", "reader"]).code, Some(0));
    let models = sandbox.path().join("models");
    let mut files = walkdir::WalkDir::new(&models).into_iter().map(|it| it.unwrap().into_path());
    let lock = files.find(|path| path.extension().is_some_and(|it| it == "lock")).unwrap();
    let held = fs_err::File::open(&lock).unwrap();
    held.file().lock().unwrap();
    let model = brought(&sandbox).into_iter().next().unwrap();
    fs_err::remove_file(models.join(model)).unwrap();
    let mut command = sandbox.command(&["fetch", "--lane", "reader", "--progress", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = child.stderr.take().unwrap();
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains("waiting") {
        let length = said.read(&mut piece).unwrap();
        assert!(length > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    ends(child);
    assert!(matches!(
        fs_err::File::open(&lock).unwrap().file().try_lock(),
        Err(TryLockError::WouldBlock)
    ));
}

#[test]
fn a_docker_engine_that_is_silent() {
    let server = Server::on_socket(|_, line| say_nothing(line));
    let sandbox = Sandbox::quickstart();
    let mut command = sandbox.command(&["verify"]);
    command.env_remove("PREFLIGHT_NO_DOCKER").env("DOCKER_HOST", &server.url);
    let child = start(command);
    server.wait_for("GET /version");
    ends(child);
}

#[test]
fn an_engine_that_does_not_answer_a_request() {
    let (sandbox, server) = silent_engine();
    let child = start(sandbox.command(&["smoke"]));
    server.wait_for("");
    ends(child);
}

#[test]
fn standard_input_that_nobody_writes_to() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["verify", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let _writer = child.stdin.take();
    wait_in_a_call(&child, 0);
    ends(child);
}

#[test]
fn standard_output_and_standard_error_that_nobody_reads() {
    std::thread::scope(|scope| {
        scope.spawn(|| stands_at(1, &["config"]));
        scope.spawn(|| stands_at(2, &["verify", "nowhere"]));
        scope.spawn(|| stands_at(2, &["fetch", "-vvv"]));
    });
}

/// A run whose output of that number is a full pipe, and ends all the same.
fn stands_at(number: u32, arguments: &[&str]) {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let (_reader, writer) = std::io::pipe().unwrap();
    fill(&writer);
    let mut command = sandbox.command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if number == 1 {
        command.stdout(writer)
    } else {
        command.stderr(writer)
    };
    let child = command.spawn().unwrap();
    wait_in_a_call(&child, number);
    ends(child);
}

/// Leaves no room in a pipe.
pub(crate) fn fill(pipe: &std::io::PipeWriter) {
    let flags = rustix::fs::fcntl_getfl(pipe).unwrap();
    rustix::fs::fcntl_setfl(pipe, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    for size in [4096, 1] {
        while rustix::io::write(pipe.as_fd(), &vec![b' '; size]).is_ok() {}
    }
    rustix::fs::fcntl_setfl(pipe, flags).unwrap();
}

/// Waits until a thread of a process stands in a call about the file with this number.
fn wait_in_a_call(child: &Child, number: u32) {
    let wanted = format!("{number:#x}");
    let stands = || {
        let tasks = fs_err::read_dir(format!("/proc/{}/task", child.id())).unwrap();
        tasks.map(Result::unwrap).any(|task| {
            let call = fs_err::read_to_string(task.path().join("syscall")).unwrap_or_default();
            // read(2) and write(2) are 0 and 1, and 63 and 64 where the kernel numbers anew.
            let mut words = call.split(' ');
            matches!(words.next(), Some("0" | "1" | "63" | "64"))
                && words.next() == Some(wanted.as_str())
        })
    };
    let begin = Instant::now();
    while !stands() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not wait");
        std::thread::yield_now();
    }
}

//! Hubs, proxies and networks that never come to an end: every one is told as unreachable, after a time
//! of its own, in less than 64 MiB of memory.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::hub_stack::{hub, stack};
use crate::sandbox::{OWN_MEMORY, Run, Sandbox, own_memory_of};
use crate::wire::{Line, Server, repeat, say_nothing, tell};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const BYTE: Duration = Duration::from_millis(200);
const AT_ONCE: Duration = Duration::ZERO;

/// How a run ended that had to do with such a one.
struct Outcome {
    run: Run,
    took: Duration,
    /// The most memory that was ever resident, in kB.
    peak: u64,
}

/// Runs to the end, and looks at the memory meanwhile.
pub(crate) fn watched(sandbox: &Sandbox, mut command: Command) -> (Run, Duration, u64) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begin = Instant::now();
    let child = command.spawn().unwrap();
    let id = child.id();
    let watcher = thread::spawn(move || {
        let mut peak = 0;
        while let Some(now) = own_memory_of(id) {
            peak = now.max(peak);
            thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let output = child.wait_with_output().unwrap();
    (sandbox.told(&output), begin.elapsed(), watcher.join().unwrap())
}

fn fetch(variables: &[(&str, &str)]) -> Outcome {
    let sandbox = stack(&hub(&[])).variable("PREFLIGHT_SILENCE", "1s");
    let set = |sandbox: Sandbox, (name, value): &(&str, &str)| sandbox.variable(name, *value);
    let sandbox = variables.iter().fold(sandbox, set);
    let command = sandbox.command(&["fetch", "--lane", "coder", "--progress", "none"]);
    let (run, took, peak) = watched(&sandbox, command);
    Outcome { run, took, peak }
}

/// Fails unless the hub is told as unreachable with these words.
#[track_caller]
fn unreachable(what: &str, outcome: &Outcome, words: &str) {
    let Outcome { run, took, peak } = outcome;
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(13), "{what}: {said}");
    assert!(said.contains("hub-unreachable") && said.contains(words), "{what}: {said}");
    assert!(*took < Duration::from_secs(30), "{what}: {took:?}");
    assert!(*peak < OWN_MEMORY, "{what}: {peak} kB");
    measured(&format!("{what}: {:.1} s, {peak} kB", took.as_secs_f64()));
}

#[expect(clippy::print_stdout, reason = "a figure for who asks for the output of the tests")]
pub(crate) fn measured(what: &str) {
    println!("{what}");
}

/// Which of the questions about a repository it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Information,
    Listing,
    Access,
    Redirect,
}

fn question(request: &str) -> Question {
    match request {
        _ if request.contains("/tree/") => Question::Listing,
        _ if request.starts_with("HEAD ") => Question::Access,
        _ if request.contains("/resolve/") => Question::Redirect,
        _ => Question::Information,
    }
}

/// What a hub that is well answers.
fn answer(request: &str, line: &mut dyn Line) {
    let entry =
        |name: &str| format!(r#"{{"type":"file","path":"{name}","size":2,"oid":"{COMMIT}"}}"#);
    match question(request) {
        Question::Information => {
            tell(line, 200, "", format!(r#"{{"sha":"{COMMIT}","siblings":[]}}"#).as_bytes());
        }
        Question::Listing => tell(line, 200, "", format!("[{}]", entry("config.json")).as_bytes()),
        Question::Access | Question::Redirect => tell(line, 200, "", b"{}"),
    }
}

/// A hub that answers one question otherwise.
fn except(
    wrong: Question,
    otherwise: impl Fn(&str, &mut dyn Line) + Send + Sync + 'static,
) -> Server {
    Server::on_port(move |request, line| {
        if question(request) == wrong { otherwise(request, line) } else { answer(request, line) }
    })
}

fn begin(line: &mut dyn Line, head: &str) {
    drop(line.write_all(head.as_bytes()));
}

const BODY: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";

#[test]
fn a_byte_now_and_then_in_any_answer_ends_when_an_answer_has_to() {
    thread::scope(|scope| {
        for wrong in [Question::Information, Question::Listing] {
            scope.spawn(move || {
                let server = except(wrong, |_, line| {
                    begin(line, BODY);
                    repeat(line, b" ", BYTE);
                });
                let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
                unreachable("a byte now and then", &outcome, "its answer has not ended after 4s");
            });
        }
        for wrong in
            [Question::Information, Question::Listing, Question::Access, Question::Redirect]
        {
            scope.spawn(move || {
                let server = except(wrong, |_, line| {
                    begin(line, "HTTP/1.1 200 OK\r\nx-slow: ");
                    repeat(line, b"x", BYTE);
                });
                let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
                unreachable("a byte of a header now and then", &outcome, "no answer for 1s");
            });
        }
    });
}

#[test]
fn what_is_not_an_answer_yet_ends_however_much_of_it_comes() {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    const MANY: Duration = Duration::from_millis(1);
    let cases: [(&str, &str, Vec<u8>, Duration, &str); 4] = [
        ("100 Continue, slowly", "", CONTINUE.to_vec(), BYTE, "no answer for 1s"),
        ("100 Continue", "", CONTINUE.repeat(64), MANY, "no answer for 1s"),
        ("headers", "HTTP/1.1 200 OK\r\n", b"x-header: endless\r\n".to_vec(), AT_ONCE, "reached"),
        ("one header", "HTTP/1.1 200 OK\r\nx: ", vec![b'x'; 4096], AT_ONCE, "reached"),
    ];
    thread::scope(|scope| {
        for (what, head, bytes, every, words) in cases {
            scope.spawn(move || {
                let server = except(Question::Information, move |_, line| {
                    begin(line, head);
                    repeat(line, &bytes, every);
                });
                unreachable(what, &fetch(&[("HF_ENDPOINT", &server.url)]), words);
            });
        }
    });
}

#[test]
fn a_body_without_end_is_read_up_to_a_limit() {
    for (wrong, start) in [
        (Question::Information, r#"{"sha":""#),
        (Question::Listing, "["),
        (Question::Listing, r#"[{"path":""#),
    ] {
        let server = except(wrong, move |_, line| {
            begin(line, BODY);
            begin(line, start);
            repeat(line, &[b'x'; 1 << 16], AT_ONCE);
        });
        let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
        unreachable("a body without end", &outcome, "its answer is too long");
    }
}

#[test]
fn pages_without_end_and_in_a_circle_come_to_an_end() {
    let count = AtomicUsize::new(0);
    let server = except(Question::Listing, move |_, line| {
        let link = format!("link: </x?cursor={}>; rel=\"next\"\r\n", count.fetch_add(1, SeqCst));
        tell(line, 200, &link, b"[]");
    });
    let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
    unreachable("pages without end", &outcome, "its listing has no end");
    let server = except(Question::Listing, |request, line| {
        let next = if request.ends_with("cursor=b") { "a" } else { "b" };
        tell(line, 200, &format!("link: </x?cursor={next}>; rel=\"next\"\r\n"), b"[]");
    });
    let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
    unreachable("pages in a circle", &outcome, "its listing has no end");
    assert!(server.requests().len() < 10);
}

#[test]
fn more_files_than_a_repository_has_are_refused() {
    let page = |count: usize, start: usize| {
        let entry = |number| format!(r#"{{"type":"file","path":"{}"}}"#, start + number);
        format!("[{}]", (0..count).map(entry).collect::<Vec<_>>().join(","))
    };
    // In one page, of which most is not read any more, and over many.
    let whole = page(250_000, 0);
    let server = except(Question::Listing, move |_, line| tell(line, 200, "", whole.as_bytes()));
    let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
    unreachable("250 000 files in a page", &outcome, "it lists more than 100000");
    let count = AtomicUsize::new(0);
    let server = except(Question::Listing, move |_, line| {
        let number = count.fetch_add(1, SeqCst);
        let link = format!("link: </x?cursor={number}>; rel=\"next\"\r\n");
        tell(line, 200, &link, page(10_000, number * 10_000).as_bytes());
    });
    let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
    unreachable("10 000 files in every page", &outcome, "it lists more than 100000");
}

#[test]
fn redirects_without_end_are_not_followed() {
    for wrong in [Question::Information, Question::Access, Question::Redirect] {
        let server = except(wrong, |request, line| {
            let path = request.split(' ').nth(1).unwrap_or_default();
            tell(line, 302, &format!("location: {path}\r\n"), b"");
        });
        let outcome = fetch(&[("HF_ENDPOINT", &server.url)]);
        unreachable("redirects", &outcome, "it redirects without end");
    }
}

#[test]
fn a_handshake_that_stalls_or_is_none_ends() {
    let silent = Server::on_port(|_, line| say_nothing(line));
    let endpoint = silent.url.replace("http:", "https:");
    let outcome = fetch(&[("HF_ENDPOINT", &endpoint)]);
    unreachable("a handshake that stalls", &outcome, "no answer for 1s");
    // Not behind a line of text, which a handshake is none of.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop(std::io::Write::write_all(&mut stream.unwrap(), &[b'x'; 4096]));
        }
    });
    let outcome = fetch(&[("HF_ENDPOINT", &endpoint)]);
    unreachable("a handshake of another kind", &outcome, "cannot be reached");
}

#[test]
fn a_proxy_that_lies_ends() {
    type Lie = fn(&mut dyn Line);
    let cases: [(&str, Lie); 5] = [
        ("a tunnel into nonsense", |line| {
            begin(line, "HTTP/1.1 200 OK\r\n\r\nnonsense nonsense\n");
        }),
        ("407", |line| tell(line, 407, "proxy-authenticate: Basic\r\n", b"")),
        ("a tunnel that is silent", |line| {
            begin(line, "HTTP/1.1 200 OK\r\n\r\n");
            say_nothing(line);
        }),
        ("headers without end", |line| {
            begin(line, "HTTP/1.1 200 OK\r\n");
            repeat(line, b"x-header: endless\r\n", AT_ONCE);
        }),
        ("a byte now and then", |line| repeat(line, b"H", BYTE)),
    ];
    thread::scope(|scope| {
        for (what, lie) in cases {
            scope.spawn(move || {
                let proxy = Server::on_port(move |_, line| lie(line));
                let hub = ("HF_ENDPOINT", "https://hub.invalid");
                unreachable(what, &fetch(&[hub, ("HTTPS_PROXY", &proxy.url)]), "cannot be reached");
            });
        }
    });
}

#[test]
fn packets_that_are_dropped_end() {
    // A listener whose queue is full drops what asks for a connection.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ask = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300));
    let queue: Vec<_> = std::iter::from_fn(|| ask().ok()).collect();
    assert!(!queue.is_empty());
    let outcome = fetch(&[("HF_ENDPOINT", &format!("http://{address}"))]);
    unreachable("packets dropped", &outcome, "no answer for 1s");
}

#[test]
fn a_network_that_drops_everything_ends() {
    let sandbox = stack(&hub(&[]))
        .variable("PREFLIGHT_SILENCE", "1s")
        .variable("HF_ENDPOINT", "http://127.0.0.1:9");
    let run = sandbox.command(&["fetch", "--lane", "coder", "--progress", "none"]);
    let script = "ip link set lo up && iptables -A INPUT -p tcp -j DROP && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", script, "sh"]);
    command.arg(run.get_program()).args(run.get_args()).current_dir(sandbox.path()).env_clear();
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let (run, took, peak) = watched(&sandbox, command);
    if run.code != Some(13) && run.stdout.is_empty() {
        return skipped(&format!("there is no network of its own: {}", run.stderr));
    }
    unreachable(
        "a network that drops everything",
        &Outcome { run, took, peak },
        "no answer for 1s",
    );
}

/// Says what was not tested here; [`packets_that_are_dropped_end`] is, everywhere.
#[expect(clippy::print_stderr, reason = "who reads the log of the tests has to see it")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

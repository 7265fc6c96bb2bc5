//! Servers that answer whatever a test tells them to, byte by byte.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// A connection, behind the head of the request that came over it.
pub(crate) trait Line: Read + Write + Send {}

impl<T: Read + Write + Send> Line for T {}

/// A server of one request a connection, for as long as the test runs.
pub(crate) struct Server {
    /// `http://ADDRESS`, or `unix://PATH`.
    pub(crate) url: String,
    requests: Receiver<String>,
    // Keeps the socket's folder.
    _folder: Option<tempfile::TempDir>,
}

impl Server {
    /// On a port. `answer` gets `METHOD PATH?QUERY`, and writes what it likes.
    pub(crate) fn on_port(answer: impl Fn(&str, &mut dyn Line) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let next = move || Some(listener.accept().ok()?.0);
        Self { url, requests: serve(next, answer), _folder: None }
    }

    /// The same on a socket.
    pub(crate) fn on_socket(answer: impl Fn(&str, &mut dyn Line) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let next = move || Some(listener.accept().ok()?.0);
        let url = format!("unix://{}", path.display());
        Self { url, requests: serve(next, answer), _folder: Some(folder) }
    }

    /// Waits for a request that begins like this.
    pub(crate) fn wait_for(&self, start: &str) {
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|request: &String| request.starts_with(start)) {
            let next = self.requests.recv_timeout(Duration::from_secs(20));
            seen.push(next.unwrap_or_else(|_| panic!("no `{start}` in {seen:?}")));
        }
    }

    /// Every request that has come and was not waited for.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

fn serve<S: Line + 'static>(
    next: impl Fn() -> Option<S> + Send + 'static,
    answer: impl Fn(&str, &mut dyn Line) + Send + Sync + 'static,
) -> Receiver<String> {
    let (sender, requests) = channel();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        while let Some(stream) = next() {
            let (answer, sender) = (Arc::clone(&answer), sender.clone());
            thread::spawn(move || serve_one(stream, &*answer, &sender));
        }
    });
    requests
}

fn serve_one(
    stream: impl Line,
    answer: &(impl Fn(&str, &mut dyn Line) + ?Sized),
    sender: &Sender<String>,
) {
    let mut reader = BufReader::new(stream);
    let (mut request, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
        if request.is_empty() {
            request = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
        }
        line.clear();
    }
    drop(sender.send(request.clone()));
    answer(&request, reader.get_mut());
}

/// A whole answer.
pub(crate) fn tell(line: &mut dyn Line, status: u16, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Told\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    // Who has gone away wants no answer.
    drop(line.write_all(head.as_bytes()).and_then(|()| line.write_all(body)));
}

/// Says nothing until the other side goes away.
pub(crate) fn say_nothing(line: &mut dyn Line) {
    drop(std::io::copy(line, &mut std::io::sink()));
}

/// Says the same again and again until the other side goes away.
pub(crate) fn repeat(line: &mut dyn Line, bytes: &[u8], every: Duration) {
    while line.write_all(bytes).is_ok() {
        thread::sleep(every);
    }
}

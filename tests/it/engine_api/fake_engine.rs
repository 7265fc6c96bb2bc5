//! A tiny HTTP server with fixed answers, on a socket or a port.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// What a path is answered with.
#[derive(Default)]
pub(super) struct FakeEngine {
    answers: HashMap<String, (u16, String)>,
    raw: HashMap<String, Vec<u8>>,
    hangs_up: bool,
}

/// A [`FakeEngine`] that listens, until it is stopped.
pub(super) struct Running {
    host: String,
    requests: Receiver<String>,
    server: JoinHandle<()>,
    // Keeps the socket's folder.
    _folder: Option<tempfile::TempDir>,
}

/// A request that ends the server.
const STOP: &str = "GET /stop";

impl FakeEngine {
    /// Reads every request and closes the connection.
    pub(super) fn hanging_up() -> Self {
        Self { hangs_up: true, ..Self::default() }
    }

    /// Answers every request for `path`, whatever its query, with `status` and `body`. Other paths
    /// are answered with 404.
    pub(super) fn answer(mut self, path: &str, status: u16, body: &str) -> Self {
        self.answers.insert(path.to_owned(), (status, body.to_owned()));
        self
    }

    /// Answers exactly this request (`HEAD /path?query`) with these bytes, head and all.
    pub(super) fn raw(mut self, request: &str, answer: Vec<u8>) -> Self {
        self.raw.insert(request.to_owned(), answer);
        self
    }

    pub(super) fn listen_on_socket(self) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (sender, requests) = channel();
        let server = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept()
                && self.serve(stream, &sender)
            {}
        });
        Running {
            host: format!("unix://{}", path.display()),
            requests,
            server,
            _folder: Some(folder),
        }
    }

    pub(super) fn listen_on_port(self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let server = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept()
                && self.serve(stream, &sender)
            {}
        });
        Running { host, requests, server, _folder: None }
    }

    /// Answers one request; false when it was the last.
    fn serve(&self, stream: impl Read + Write, requests: &Sender<String>) -> bool {
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
            if request.is_empty() {
                request = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
            }
            line.clear();
        }
        if request == STOP {
            return false;
        }
        let path = request.split(['?', ' ']).nth(1).unwrap_or("").to_owned();
        let raw = self.raw.get(&request);
        requests.send(request).unwrap();
        if let Some(answer) = raw {
            drop(reader.get_mut().write_all(answer));
        } else if !self.hangs_up {
            let missing = (404, r#"{"message":"page not found"}"#.to_owned());
            let (status, body) = self.answers.get(&path).unwrap_or(&missing);
            let head = format!(
                "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            // The client may have gone away; that is its own affair.
            drop(reader.get_mut().write_all(format!("{head}{body}").as_bytes()));
        }
        true
    }
}

impl Running {
    /// For `DOCKER_HOST`.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Ends the server; every request that it got, in order.
    pub(super) fn stop(self) -> Vec<String> {
        let stop = format!("{STOP} HTTP/1.1\r\n\r\n");
        if let Some(path) = self.host.strip_prefix("unix://") {
            UnixStream::connect(path).unwrap().write_all(stop.as_bytes()).unwrap();
        } else if let Some(address) = self.host.strip_prefix("tcp://") {
            TcpStream::connect(address).unwrap().write_all(stop.as_bytes()).unwrap();
        }
        self.server.join().unwrap();
        self.requests.iter().collect()
    }
}

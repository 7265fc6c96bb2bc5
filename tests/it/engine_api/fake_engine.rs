//! A tiny HTTP server with fixed answers, on a socket or a port.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// What a path is answered with.
#[derive(Default)]
pub(crate) struct FakeEngine {
    answers: HashMap<String, (u16, Vec<u8>)>,
    raw: HashMap<String, Vec<u8>>,
    hangs_up: bool,
}

/// A [`FakeEngine`] that listens, until it is stopped.
pub(crate) struct Running {
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
    pub(crate) fn hanging_up() -> Self {
        Self { hangs_up: true, ..Self::default() }
    }

    /// Answers every request for `path`, whatever its query, with `status` and `body`. Other paths
    /// are answered with 404.
    pub(crate) fn answer(mut self, path: &str, status: u16, body: impl AsRef<[u8]>) -> Self {
        self.answers.insert(path.to_owned(), (status, body.as_ref().to_owned()));
        self
    }

    /// Answers exactly this request (`HEAD /path?query`) with these bytes, head and all.
    pub(crate) fn raw(mut self, request: &str, answer: Vec<u8>) -> Self {
        self.raw.insert(request.to_owned(), answer);
        self
    }

    pub(crate) fn listen_on_socket(self) -> Running {
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

    pub(crate) fn listen_on_port(self) -> Running {
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
        let (mut line, mut body) = (String::new(), 0);
        while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
            if request.is_empty() {
                request = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
            } else if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
                body = length.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        // A connection that is closed before all is read may take the answer with it.
        drop(std::io::copy(&mut reader.by_ref().take(body), &mut std::io::sink()));
        if request == STOP {
            return false;
        }
        let path = request.split(['?', ' ']).nth(1).unwrap_or("").to_owned();
        let raw = self.raw.get(&request);
        requests.send(request).unwrap();
        if let Some(answer) = raw {
            drop(reader.get_mut().write_all(answer));
        } else if !self.hangs_up {
            let missing = (404, br#"{"message":"page not found"}"#.to_vec());
            let (status, body) = self.answers.get(&path).unwrap_or(&missing);
            let head = format!(
                "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            // The client may have gone away; that is its own affair.
            drop(reader.get_mut().write_all(&[head.as_bytes(), body].concat()));
        }
        true
    }
}

impl Running {
    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Ends the server; every request that it got, in order.
    pub(crate) fn stop(self) -> Vec<String> {
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

//! A stand-in for a socket proxy: passes on what `compose/socket-proxy.yaml` allows, and refuses the
//! rest with 403.

use std::io::{BufRead as _, BufReader, Read as _, Write as _, copy};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// A proxy that listens until it is stopped.
pub(super) struct ReadOnlyProxy {
    path: PathBuf,
    refused: Receiver<String>,
    server: JoinHandle<()>,
}

/// A request that ends the proxy.
const STOP: &str = "GET /stop";

const REFUSAL: &str =
    "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 9\r\n\r\nForbidden";

impl ReadOnlyProxy {
    /// Passes on what is documented.
    pub(super) fn start(path: &Path) -> Self {
        Self::listen(path, is_allowed)
    }

    /// Passes on nothing.
    pub(super) fn closed(path: &Path) -> Self {
        Self::listen(path, |_| false)
    }

    fn listen(path: &Path, allows: fn(&str) -> bool) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let (sender, refused) = channel();
        let server = thread::spawn(move || {
            let mut workers = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                let mut reader = BufReader::new(stream);
                let head = head(&mut reader);
                if head.starts_with(STOP) {
                    break;
                }
                let sender = sender.clone();
                workers.push(thread::spawn(move || serve(reader, &head, allows, &sender)));
            }
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        });
        Self { path: path.to_path_buf(), refused, server }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the proxy; what it has refused.
    pub(super) fn stop(self) -> Vec<String> {
        let stop = format!("{STOP} HTTP/1.1\r\n\r\n");
        UnixStream::connect(&self.path).unwrap().write_all(stop.as_bytes()).unwrap();
        self.server.join().unwrap();
        self.refused.iter().collect()
    }
}

/// The request line and the headers, with the empty line behind them.
fn head(reader: &mut BufReader<UnixStream>) -> String {
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|length| length > 2) {}
    head
}

/// Passes one request on, or refuses it. Nothing that is allowed has a body.
fn serve(
    reader: BufReader<UnixStream>,
    head: &str,
    allows: fn(&str) -> bool,
    refused: &Sender<String>,
) {
    let mut client = reader.into_inner();
    let line = head.lines().next().unwrap_or("");
    let request = line.split(['?']).next().unwrap_or("").trim_end_matches(" HTTP/1.1");
    if !allows(request) {
        refused.send(request.to_owned()).unwrap();
        client.write_all(REFUSAL.as_bytes()).ok();
        client.shutdown(Shutdown::Write).ok();
        // What the client still has to say, so that it reads the answer.
        client.read_to_end(&mut Vec::new()).ok();
        return;
    }
    let mut engine = UnixStream::connect(engine_socket()).unwrap();
    let closing = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    engine.write_all(closing.as_bytes()).unwrap();
    // A client that has read enough goes away.
    copy(&mut engine, &mut client).ok();
    client.shutdown(Shutdown::Both).ok();
}

fn engine_socket() -> PathBuf {
    let host = std::env::var_os("DOCKER_HOST").unwrap_or_default();
    let host = host.to_string_lossy();
    host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").into()
}

/// What `compose/socket-proxy.yaml` allows.
fn is_allowed(request: &str) -> bool {
    let Some((method, path)) = request.split_once(' ') else { return false };
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let known = matches!(
        parts.as_slice(),
        ["_ping" | "version" | "info"]
            | ["containers", "json"]
            | ["containers", _, "json" | "archive" | "logs"]
            | ["images", _, "json"]
            | ["volumes", _]
    );
    known && matches!(method, "GET" | "HEAD")
}

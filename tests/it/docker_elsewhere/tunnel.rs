//! A port of this machine that leads to a socket, as `ssh -L` makes one.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// One that is open until it goes out of scope.
pub(super) struct Tunnel {
    port: u16,
    ended: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Tunnel {
    pub(super) fn to(socket: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let (socket, is_ended) = (socket.to_path_buf(), Arc::clone(&ended));
        let server = thread::spawn(move || serve(&listener, &socket, &is_ended));
        Self { port, ended, server: Some(server) }
    }

    /// As `DOCKER_HOST` names it.
    pub(super) fn host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        self.server.take().map(JoinHandle::join);
    }
}

fn serve(listener: &TcpListener, socket: &PathBuf, ended: &AtomicBool) {
    let mut workers = Vec::new();
    while let Ok((client, _)) = listener.accept() {
        if ended.load(Ordering::SeqCst) {
            break;
        }
        let engine = UnixStream::connect(socket).unwrap();
        workers.push(thread::spawn(move || pass(&client, &engine)));
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

/// Both ways, until one of the two has gone.
fn pass(client: &TcpStream, engine: &UnixStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            copy(&mut &*client, &mut &*engine).ok();
            engine.shutdown(Shutdown::Both).ok();
        });
        copy(&mut &*engine, &mut &*client).ok();
        client.shutdown(Shutdown::Both).ok();
    });
}

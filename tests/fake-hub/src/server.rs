//! Two listeners, a thread for each connection, and what they share.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Read as _, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fault::{Fault, Kind};
use crate::http::{self, Answer, Head};
use crate::repository::{Content, Repository};
use crate::{Builder, Origin, Request, Settings, routes};

/// A hub that runs until it is dropped.
#[derive(Debug)]
pub struct FakeHub {
    hub: SocketAddr,
    cdn: SocketAddr,
    shared: Arc<Shared>,
    listeners: Vec<JoinHandle<()>>,
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) settings: Settings,
    pub(crate) cdn_port: u16,
    state: Mutex<State>,
    /// Notified whenever `state` or `stopped` changes.
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    requests: Vec<Request>,
    released: bool,
    stalled: usize,
    /// Bytes of bodies that the CDN has sent.
    served: u64,
    /// Bodies that the CDN is sending.
    sending: u64,
    /// The most that it ever was.
    most_sending: u64,
    /// How often each address at the CDN was used.
    uses: HashMap<String, u64>,
    /// Redirects to the CDN so far.
    redirects: u64,
    /// Open connections, to be closed at the end.
    streams: HashMap<u64, TcpStream>,
    accepted: u64,
}

/// A whole answer.
pub(crate) enum Reply {
    /// With a body at hand.
    Text(Text),
    /// With a body that is no text.
    Bytes(Answer, Vec<u8>),
    /// With a range of a file.
    File(Answer, FileBody),
}

/// An answer whose body is at hand.
pub(crate) struct Text {
    pub(crate) answer: Answer,
    pub(crate) body: String,
}

/// A range of a file, and what goes wrong with it.
pub(crate) struct FileBody {
    pub(crate) content: Content,
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// The byte of the file that is another than it should be.
    pub(crate) corrupt: Option<u64>,
    /// Every byte is another than it should be.
    pub(crate) other: bool,
    /// The connection ends after so many bytes.
    pub(crate) cut: Option<u64>,
    /// Silence after so many bytes.
    pub(crate) stall: Option<u64>,
    /// Bytes a second.
    pub(crate) rate: Option<u64>,
}

impl FakeHub {
    /// A hub that serves nothing yet.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn bind(builder: Builder, hub: SocketAddr, cdn: SocketAddr) -> io::Result<Self> {
        let hub_listener = TcpListener::bind(hub)?;
        let cdn_listener = TcpListener::bind(cdn)?;
        let (hub, cdn) = (hub_listener.local_addr()?, cdn_listener.local_addr()?);
        let shared = Arc::new(Shared {
            repositories: builder.repositories,
            settings: builder.settings,
            cdn_port: cdn.port(),
            state: Mutex::new(State { faults: builder.faults, ..State::default() }),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let listeners = [(hub_listener, Origin::Hub), (cdn_listener, Origin::Cdn)]
            .map(|(listener, origin)| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || accept(&listener, origin, &shared))
            })
            .into();
        Ok(Self { hub, cdn, shared, listeners })
    }

    /// `http://ADDRESS:PORT` of the hub.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.hub)
    }

    /// `http://ADDRESS:PORT` of the CDN.
    #[must_use]
    pub fn cdn_url(&self) -> String {
        format!("http://{}", self.cdn)
    }

    /// The commit of `main`; empty for a repository that is not there.
    #[must_use]
    pub fn commit(&self, repository: &str) -> &str {
        self.shared.repositories.get(repository).map_or("", |repository| &repository.commit)
    }

    /// Every request so far, in the order of the answers.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Bytes of large files that were sent so far.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.shared.lock().served
    }

    /// The most large files, or ranges of them, that were ever sent at the same time.
    #[must_use]
    pub fn most_sending(&self) -> u64 {
        self.shared.lock().most_sending
    }

    /// Adds a fault to a hub that runs already.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Ends every silence, present and future.
    pub fn release(&self) {
        self.shared.lock().released = true;
        self.shared.changed.notify_all();
    }

    /// Blocks until `count` connections are silent because of a fault.
    pub fn wait_until_stalled(&self, count: usize) {
        let mut state = self.shared.lock();
        while state.stalled < count {
            state = self.shared.wait(state);
        }
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in self.shared.lock().streams.values() {
            // A connection that is closed already needs no closing.
            drop(stream.shutdown(Shutdown::Both));
        }
        self.shared.changed.notify_all();
        for address in [self.hub, self.cdn] {
            // Wakes the listener, which then sees that it has to stop.
            drop(TcpStream::connect(address));
        }
        for listener in self.listeners.drain(..) {
            drop(listener.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The argument of the first fault about a file (or all of a repository) that `select` wants,
    /// which has then struck once more.
    pub(crate) fn strike<T>(
        &self,
        repository: &str,
        path: Option<&str>,
        select: impl Fn(Kind) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        for fault in &mut state.faults {
            if fault.left == Some(0) || !fault.concerns(repository, path) {
                continue;
            }
            if let Some(argument) = select(fault.kind) {
                fault.left = fault.left.map(|left| left - 1);
                return Some(argument);
            }
        }
        None
    }

    /// Whether the CDN may send one more body while at most `limit` are being sent.
    pub(crate) fn is_crowded(&self, limit: u64) -> bool {
        self.lock().sending >= limit
    }

    /// How often an address was used, with this time.
    pub(crate) fn use_of(&self, address: &str) -> u64 {
        let mut state = self.lock();
        let uses = state.uses.entry(address.to_owned()).or_default();
        *uses += 1;
        *uses
    }

    /// The number of a new redirect to the CDN.
    pub(crate) fn redirect(&self) -> u64 {
        let mut state = self.lock();
        state.redirects += 1;
        state.redirects
    }

    fn begin_body(&self) {
        let mut state = self.lock();
        state.sending += 1;
        state.most_sending = state.most_sending.max(state.sending);
    }

    fn record(&self, origin: Origin, head: &Head, status: u16) {
        let request = Request {
            origin,
            method: head.method.clone(),
            path: head.target.clone(),
            authorization: head.header("authorization").map(str::to_owned),
            range: head.header("range").map(str::to_owned),
            proxied: head.proxied_to.is_some(),
            status,
        };
        if let Some(observer) = &self.settings.observer {
            (observer.0)(&request);
        }
        self.lock().requests.push(request);
    }

    /// Remembers an open connection under the number that it gets.
    fn keep(&self, stream: &TcpStream) -> u64 {
        let mut state = self.lock();
        state.accepted += 1;
        let number = state.accepted;
        if let Ok(second) = stream.try_clone() {
            state.streams.insert(number, second);
        }
        number
    }

    fn stall(&self) {
        let mut state = self.lock();
        state.stalled += 1;
        self.changed.notify_all();
        while !state.released && !self.stopped.load(Ordering::SeqCst) {
            state = self.wait(state);
        }
    }
}

fn accept(listener: &TcpListener, origin: Origin, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        let number = shared.keep(&stream);
        connections.retain(|connection: &JoinHandle<()>| !connection.is_finished());
        let shared = Arc::clone(shared);
        connections.push(std::thread::spawn(move || {
            // A client that goes away is no concern of a server.
            drop(serve(&stream, origin, &shared));
            drop(stream.shutdown(Shutdown::Both));
            shared.lock().streams.remove(&number);
        }));
    }
    for stream in shared.lock().streams.values() {
        drop(stream.shutdown(Shutdown::Both));
    }
    for connection in connections {
        drop(connection.join());
    }
}

fn serve(stream: &TcpStream, origin: Origin, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(head) = http::read_head(&mut reader)? {
        // As a proxy it leads to both.
        let is_cdn = |port: &u16| *port == shared.cdn_port;
        let origin = match head.proxied_to {
            Some(port) if is_cdn(&port) => Origin::Cdn,
            Some(_) | None => origin,
        };
        let reply = match origin {
            Origin::Hub => routes::hub(shared, &head),
            Origin::Cdn => routes::cdn(shared, &head),
        };
        let wants_body = head.method != "HEAD";
        match reply {
            Reply::Text(Text { answer, body: text }) => {
                shared.record(origin, &head, answer.status);
                answer.write(&mut writer, text.len() as u64)?;
                if wants_body {
                    writer.write_all(text.as_bytes())?;
                }
            }
            Reply::Bytes(answer, bytes) => {
                shared.record(origin, &head, answer.status);
                answer.write(&mut writer, bytes.len() as u64)?;
                if wants_body {
                    writer.write_all(&bytes)?;
                }
            }
            Reply::File(answer, body) => {
                shared.record(origin, &head, answer.status);
                if origin == Origin::Cdn {
                    shared.begin_body();
                }
                let sent = answer.write(&mut writer, body.length).and_then(|()| {
                    if wants_body { send(&mut writer, &body, shared, origin) } else { Ok(true) }
                });
                if origin == Origin::Cdn {
                    shared.lock().sending -= 1;
                }
                if !sent? {
                    return Ok(());
                }
            }
        }
        if head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    Ok(())
}

/// Whether the connection can be used again.
fn send(
    stream: &mut impl Write,
    body: &FileBody,
    shared: &Shared,
    origin: Origin,
) -> io::Result<bool> {
    let mut content = body.content.open(body.start)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut stall = body.stall;
    let mut sent = 0;
    while sent < body.length {
        if body.cut.is_some_and(|cut| sent >= cut) {
            return Ok(false);
        }
        if stall.is_some_and(|stall| sent >= stall) {
            stall = None;
            shared.stall();
        }
        let mut most = (body.length - sent).min(buffer.len() as u64);
        for event in [body.cut, stall].into_iter().flatten() {
            most = most.min(event - sent);
        }
        // A slow body comes in at least twenty pieces a second.
        most = body.rate.map_or(most, |rate| most.min((rate / 20).max(1)));
        let most = usize::try_from(most).unwrap_or(buffer.len());
        let read = content.read(&mut buffer[..most])?;
        if read == 0 {
            return Ok(false);
        }
        let offset = body.start + sent;
        if let Some(index) = body.corrupt.and_then(|at| at.checked_sub(offset)) {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            if let Some(byte) = buffer[..read].get_mut(index) {
                *byte ^= 0xff;
            }
        }
        if body.other {
            buffer[..read].iter_mut().for_each(|byte| *byte ^= 0x55);
        }
        stream.write_all(&buffer[..read])?;
        sent += read as u64;
        if origin == Origin::Cdn {
            shared.lock().served += read as u64;
        }
        if let Some(rate) = body.rate {
            std::thread::sleep(Duration::from_nanos(read as u64 * 1_000_000_000 / rate));
        }
    }
    Ok(true)
}

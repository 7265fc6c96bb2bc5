//! What bytes go to Docker and come from it, and how many are taken: the client that reads an answer
//! reads all of it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bollard::BollardRequest;
use bollard::errors::Error;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper::{Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio::net::UnixStream;
use tower_service::Service;

use super::logs;
use super::question::Allowance;
use crate::limits::{LONGEST_DOCKER_ANSWER, MOST_DOCKER_VALUES};

/// Where Docker listens.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// A socket.
    Socket(PathBuf),
    /// `host:port`, without encryption.
    Plain,
    /// The same with TLS.
    Encrypted(Arc<ClientConfig>),
}

/// More of an answer than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooMuch {
    /// Bytes.
    Bytes,
    /// Values of a document.
    Values,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "it is too long",
            Self::Values => "there is too much in it",
        })
    }
}

impl std::error::Error for TooMuch {}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON, which is kept as a whole.
    Document,
    /// What a container has written, of which the end is kept.
    Log,
    /// A file of a container, of which its reader takes what it wants.
    File,
}

impl Kind {
    fn of(request: &BollardRequest) -> Self {
        match request.uri().path() {
            path if path.ends_with("/archive") => Self::File,
            path if path.ends_with("/logs") => Self::Log,
            _ => Self::Document,
        }
    }
}

/// Sends a request over a connection of its own.
pub(super) async fn send(
    way: Way,
    allowance: Arc<Allowance>,
    request: BollardRequest,
) -> Result<Response<Incoming>, Error> {
    let connector = Connector { way, kind: Kind::of(&request), allowance };
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_max_idle_per_host(0);
    Ok(client.build(connector).request(request).await?)
}

#[derive(Debug, Clone)]
struct Connector {
    way: Way,
    kind: Kind,
    allowance: Arc<Allowance>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = Bounded;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Bounded, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { way, kind, allowance } = self.clone();
        Box::pin(async move {
            let stream: Box<dyn Stream> = match way {
                Way::Socket(path) => Box::new(TokioIo::new(UnixStream::connect(path).await?)),
                Way::Plain => Box::new(HttpConnector::new().call(uri).await?),
                Way::Encrypted(config) => {
                    let mut connector = HttpConnector::new();
                    connector.enforce_http(false);
                    let mut connector =
                        HttpsConnector::from((connector, ClientConfig::clone(&config)));
                    Box::new(connector.call(uri).await?)
                }
            };
            Ok(Bounded { stream: Box::into_pin(stream), taken: Taken::of(kind), allowance })
        })
    }
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A connection over which one answer comes, up to a limit.
struct Bounded {
    stream: Pin<Box<dyn Stream>>,
    taken: Taken,
    allowance: Arc<Allowance>,
}

/// What has come of an answer, its head included.
#[derive(Debug)]
struct Taken {
    kind: Kind,
    is_begun: bool,
    bytes: usize,
    values: usize,
    in_text: bool,
    escaped: bool,
}

impl Taken {
    fn of(kind: Kind) -> Self {
        Self { kind, is_begun: false, bytes: 0, values: 0, in_text: false, escaped: false }
    }

    /// Counts what has come.
    fn count(&mut self, piece: &[u8]) -> Result<(), TooMuch> {
        if !self.is_begun {
            self.is_begun = true;
            // A refusal is a document, whatever was asked for.
            if !piece.starts_with(b"HTTP/1.1 2") {
                self.kind = Kind::Document;
            }
        }
        self.bytes += piece.len();
        let most = match self.kind {
            Kind::Document => LONGEST_DOCKER_ANSWER,
            Kind::Log => 2 * logs::TAKEN,
            Kind::File => return Ok(()),
        };
        if most < self.bytes {
            return Err(TooMuch::Bytes);
        }
        if self.kind == Kind::Document {
            piece.iter().for_each(|byte| self.step(*byte));
            if MOST_DOCKER_VALUES < self.values {
                return Err(TooMuch::Values);
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_text,
            b'"' => self.in_text = !self.in_text,
            b',' | b'[' | b'{' if !self.in_text => self.values += 1,
            _ => {}
        }
    }
}

impl Read for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = [0; 16 << 10];
        let most = into.remaining().min(room.len());
        let mut buffer = ReadBuf::new(&mut room[..most]);
        ready!(self.stream.as_mut().poll_read(context, buffer.unfilled()))?;
        let piece = buffer.filled();
        self.taken.count(piece).map_err(io::Error::other)?;
        if self.taken.kind == Kind::Document && !self.allowance.keep(piece.len()) {
            return Poll::Ready(Err(io::Error::other(TooMuch::Bytes)));
        }
        into.put_slice(piece);
        Poll::Ready(Ok(()))
    }
}

impl Write for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

impl Connection for Bounded {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

    fn counted(kind: Kind, pieces: &[&[u8]]) -> Result<(), TooMuch> {
        let mut taken = Taken::of(kind);
        pieces.iter().try_for_each(|piece| taken.count(piece))
    }

    #[test]
    fn values_are_counted_wherever_they_are_and_not_in_texts() {
        let document = |text: &str| counted(Kind::Document, &[HEAD, text.as_bytes()]);
        let nested = "[".repeat(MOST_DOCKER_VALUES);
        assert_eq!(document(&nested), Ok(()));
        assert_eq!(document(&format!("{nested}{{")), Err(TooMuch::Values));
        let flat = format!("[{}", "1,".repeat(MOST_DOCKER_VALUES));
        assert_eq!(document(&flat), Err(TooMuch::Values));
        let text = format!(r#"["{}", "\\", "\"{}"]"#, ",{".repeat(100_000), ",".repeat(100_000));
        assert_eq!(document(&text), Ok(()));
    }

    #[test]
    fn files_are_as_long_as_they_are_and_refusals_are_not() {
        let piece = [b'x'; 1 << 16];
        let many = vec![&piece[..]; 1 + LONGEST_DOCKER_ANSWER / piece.len()];
        let of = |kind, head| counted(kind, &[&[head], &many[..]].concat());
        assert_eq!(of(Kind::File, HEAD), Ok(()));
        assert_eq!(of(Kind::File, b"HTTP/1.1 500 "), Err(TooMuch::Bytes));
        assert_eq!(of(Kind::Document, HEAD), Err(TooMuch::Bytes));
    }
}

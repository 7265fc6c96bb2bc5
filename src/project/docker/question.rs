//! One question to Docker and its answer: how long is waited for it and how much of it is taken, and what
//! went wrong by meaning.

use std::error::Error as _;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::DockerError;
use super::connection::{Connection, denied};
use crate::deadline::Deadline;
use crate::limits::{
    DOCKER_ANSWER_TIME, LONGEST_DOCKER_ANSWER, LONGEST_DOCKER_ANSWERS, MOST_DOCKER_VALUES,
};

/// The most bytes that are read of what a refusal says.
const LONGEST_REASON: usize = 64 << 10;

/// What Docker is asked.
#[derive(Debug, Clone)]
pub(super) struct Question<'q> {
    pub(super) method: Method,
    /// Absolute.
    pub(super) path: &'q str,
    pub(super) query: &'q [(&'q str, &'q str)],
    /// JSON.
    pub(super) body: Option<String>,
}

/// What all questions of a connection may take.
#[derive(Debug)]
pub(super) struct Allowance {
    time: Duration,
    taken: Mutex<Taken>,
}

/// What they have taken.
#[derive(Debug, Default)]
struct Taken {
    /// Questions that are open.
    open: usize,
    /// Since when one is, without a pause.
    since: Option<Instant>,
    /// How long one was, before that.
    waited: Duration,
    /// Bytes of answers that were kept.
    bytes: usize,
}

/// A question that is open, until it is dropped.
struct Open<'a>(&'a Allowance);

/// How Docker says what is wrong.
#[derive(Deserialize)]
struct Message {
    message: String,
}

impl<'q> Question<'q> {
    /// A `GET` without more.
    pub(super) fn get(path: &'q str) -> Self {
        Self { method: Method::GET, path, query: &[], body: None }
    }

    /// Method and path, for messages.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn unreadable(&self, reason: &str) -> DockerError {
        DockerError::Unreadable { request: self.name(), reason: head(reason).to_owned() }
    }
}

impl Allowance {
    /// All that may be waited for is `time`.
    pub(super) fn of(time: Duration) -> Self {
        Self { time, taken: Mutex::default() }
    }

    /// No longer than until then.
    pub(super) fn until(self, deadline: Option<Deadline>) -> Self {
        let time = deadline.map_or(self.time, |deadline| deadline.left().min(self.time));
        Self { time, ..self }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long may still be waited; nothing is left for ever.
    fn left(&self) -> Duration {
        let taken = self.taken();
        let waited = taken.waited + taken.since.map(|since| since.elapsed()).unwrap_or_default();
        self.time.saturating_sub(waited)
    }

    fn open(&self) -> Open<'_> {
        let mut taken = self.taken();
        taken.open += 1;
        taken.since.get_or_insert_with(Instant::now);
        Open(self)
    }

    /// Counts bytes that are kept; false where there are too many.
    fn keep(&self, bytes: usize) -> bool {
        let mut taken = self.taken();
        taken.bytes += bytes;
        taken.bytes <= LONGEST_DOCKER_ANSWERS
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        taken.open -= 1;
        if taken.open == 0
            && let Some(since) = taken.since.take()
        {
            taken.waited += since.elapsed();
        }
    }
}

impl Connection {
    /// What Docker answers about one thing.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        question: &Question<'_>,
    ) -> Result<T, DockerError> {
        let body = self.body(question).await?;
        if is_crowded(&body) {
            return Err(question.unreadable("there is too much in it"));
        }
        serde_json::from_slice(&body).map_err(|error| question.unreadable(&error.to_string()))
    }

    /// The same about as many as `T` allows.
    pub(super) async fn ask_many<T: DeserializeOwned>(
        &self,
        question: &Question<'_>,
    ) -> Result<T, DockerError> {
        let body = self.body(question).await?;
        serde_json::from_slice(&body).map_err(|error| question.unreadable(&error.to_string()))
    }

    async fn body(&self, question: &Question<'_>) -> Result<Vec<u8>, DockerError> {
        let read = async {
            let mut answer = self.send(question).await?;
            self.read(question, &mut answer).await
        };
        self.in_time(question, DOCKER_ANSWER_TIME, read).await
    }

    /// Does what a question takes, but not for long, nor for longer than all of them may take.
    pub(super) async fn in_time<T>(
        &self,
        question: &Question<'_>,
        patience: Duration,
        work: impl Future<Output = Result<T, DockerError>>,
    ) -> Result<T, DockerError> {
        let time = patience.min(self.allowance.left());
        if time.is_zero() {
            return Err(self.silent(question, self.allowance.time));
        }
        let _open = self.allowance.open();
        let silent = |_elapsed| self.silent(question, time);
        tokio::time::timeout(time, work).await.map_err(silent)?
    }

    /// Why no more can be asked, if that is so.
    pub(super) fn exhausted(&self) -> Result<(), DockerError> {
        let is_silent = self.allowance.left().is_zero();
        if is_silent { Err(self.silent(&Question::get("/"), self.allowance.time)) } else { Ok(()) }
    }

    /// The head of an answer that is no refusal.
    pub(super) async fn send(&self, question: &Question<'_>) -> Result<Response, DockerError> {
        let mut url = self.base.clone();
        url.set_path(question.path);
        let mut request = self.client.request(question.method.clone(), url).query(question.query);
        if let Some(body) = &question.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut answer = request.send().await.map_err(|error| self.failed(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut reason = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await
            && reason.len() < LONGEST_REASON
        {
            reason.extend_from_slice(&piece);
        }
        let told = serde_json::from_slice(&reason).map(|Message { message }| message);
        let told = told.unwrap_or_else(|_| String::from_utf8_lossy(&reason).into_owned());
        Err(DockerError::Refused {
            request: question.name(),
            status: status.as_u16(),
            reason: head(told.trim()).to_owned(),
        })
    }

    /// The next piece of a body; absent at its end.
    pub(super) async fn piece(&self, answer: &mut Response) -> Result<Option<Bytes>, DockerError> {
        answer.chunk().await.map_err(|error| self.failed(&error))
    }

    async fn read(
        &self,
        question: &Question<'_>,
        answer: &mut Response,
    ) -> Result<Vec<u8>, DockerError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece(answer).await? {
            let too_long = LONGEST_DOCKER_ANSWER < body.len() + piece.len();
            if too_long || !self.allowance.keep(piece.len()) {
                return Err(question.unreadable("it is too long"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn silent(&self, question: &Question<'_>, time: Duration) -> DockerError {
        let (request, host) = (question.name(), self.host.clone());
        DockerError::Silent { host, request, seconds: time.as_millis().div_ceil(1000) }
    }

    /// What an error of the client means.
    fn failed(&self, error: &reqwest::Error) -> DockerError {
        let kind = io_error(error).map(io::Error::kind);
        match &self.socket {
            Some(socket) if kind == Some(io::ErrorKind::PermissionDenied) => {
                denied(&self.host, socket)
            }
            Some(_) if kind == Some(io::ErrorKind::NotFound) => {
                DockerError::NoSocket { host: self.host.clone() }
            }
            Some(_) | None => DockerError::Unreachable {
                host: self.host.clone(),
                reason: head(&cause(error)).to_owned(),
            },
        }
    }
}

/// The system's own word, which the HTTP client wraps several times.
fn io_error(error: &reqwest::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    let mut found = None;
    while let Some(error) = cause {
        found = error.downcast_ref::<io::Error>().or(found);
        cause = error.source();
    }
    found
}

/// The system's word, else the innermost cause: the outer ones say what was asked.
fn cause(error: &reqwest::Error) -> String {
    if let Some(error) = io_error(error) {
        return error.to_string();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    innermost.to_string()
}

/// Whether a document has more values than are read; of one that is none, what looks like values.
fn is_crowded(document: &[u8]) -> bool {
    let (mut values, mut in_text, mut escaped) = (0, false, false);
    for byte in document {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    MOST_DOCKER_VALUES < values
}

/// The beginning of a text that a stranger wrote; messages of proxies can be whole pages.
fn head(text: &str) -> &str {
    const LONGEST: usize = 300;
    let line = text.lines().next().unwrap_or("");
    line.get(..line.floor_char_boundary(LONGEST)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_wherever_they_are_and_not_in_texts() {
        let nested = "[".repeat(MOST_DOCKER_VALUES);
        assert!(!is_crowded(nested.as_bytes()));
        assert!(is_crowded(format!("{nested}{{").as_bytes()));
        assert!(is_crowded(format!("[{}", "1,".repeat(MOST_DOCKER_VALUES)).as_bytes()));
        let text = format!(r#"["{}", "\\", "\"{}"]"#, ",{".repeat(100_000), ",".repeat(100_000));
        assert!(!is_crowded(text.as_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn time_counts_once_however_many_questions_are_open() {
        let allowance = Allowance::of(Duration::from_secs(10));
        let open = (allowance.open(), allowance.open());
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(allowance.left(), Duration::from_secs(6));
        drop(open);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(allowance.left(), Duration::from_secs(6));
        let _open = allowance.open();
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(allowance.left(), Duration::ZERO);
    }
}

//! One question to Docker: how long is waited for its answer, and what went wrong by meaning.

use std::error::Error as _;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::errors::Error;
use tokio::time::Instant;

use super::DockerError;
use super::connection::{Connection, denied};
use super::transport::TooMuch;
use crate::deadline::Deadline;
use crate::limits::{DOCKER_ANSWER_TIME, LONGEST_DOCKER_ANSWERS};

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
    pub(super) fn keep(&self, bytes: usize) -> bool {
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
    /// Waits for the answer to `request` (method and path, for messages), but not for long.
    pub(super) async fn ask<T>(
        &self,
        request: &str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, DockerError> {
        self.ask_for(request, DOCKER_ANSWER_TIME, answer).await
    }

    /// The same, but no longer than `patience`, nor for longer than all questions may take.
    pub(super) async fn ask_for<T>(
        &self,
        request: &str,
        patience: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, DockerError> {
        let time = patience.min(self.allowance.left());
        if time.is_zero() {
            return Err(self.silent(request, self.allowance.time));
        }
        let _open = self.allowance.open();
        match tokio::time::timeout(time, answer).await {
            Ok(answer) => answer.map_err(|error| self.meaning(request, &error)),
            Err(_elapsed) => Err(self.silent(request, time)),
        }
    }

    /// Why no more can be asked, if that is so.
    pub(super) fn exhausted(&self) -> Result<(), DockerError> {
        let is_silent = self.allowance.left().is_zero();
        if is_silent { Err(self.silent("GET /", self.allowance.time)) } else { Ok(()) }
    }

    fn silent(&self, request: &str, time: Duration) -> DockerError {
        let (host, request) = (self.host.clone(), request.to_owned());
        DockerError::Silent { host, request, seconds: time.as_millis().div_ceil(1000) }
    }

    /// What an error of the client means.
    fn meaning(&self, request: &str, error: &Error) -> DockerError {
        let unreadable = |reason: &str| DockerError::Unreadable {
            request: request.to_owned(),
            reason: head(reason).to_owned(),
        };
        let word = io_error(error);
        if let Some(too_much) = word.and_then(too_much) {
            return unreadable(&too_much.to_string());
        }
        if let Error::DockerResponseServerError { status_code, message } = error {
            let (request, reason) = (request.to_owned(), head(message.trim()).to_owned());
            return DockerError::Refused { request, status: *status_code, reason };
        }
        if let Error::JsonDataError { message, .. } = error {
            return unreadable(message);
        }
        let is_unreadable = matches!(
            error,
            Error::JsonSerdeError { .. }
                | Error::HttpHeaderNotFoundError(_)
                | Error::HttpHeaderToStrError { .. }
                | Error::Base64DecodeError { .. }
        );
        if is_unreadable {
            return unreadable(&error.to_string());
        }
        match (&self.socket, word.map(io::Error::kind)) {
            (Some(socket), Some(io::ErrorKind::PermissionDenied)) => denied(&self.host, socket),
            (Some(_), Some(io::ErrorKind::NotFound)) => {
                DockerError::NoSocket { host: self.host.clone() }
            }
            (Some(_) | None, _) => DockerError::Unreachable {
                host: self.host.clone(),
                reason: head(&cause(error)).to_owned(),
            },
        }
    }
}

fn too_much(error: &io::Error) -> Option<&TooMuch> {
    error.get_ref()?.downcast_ref()
}

/// The system's own word, which the HTTP client wraps several times.
fn io_error(error: &Error) -> Option<&io::Error> {
    if let Error::IOError { err } = error {
        return Some(err);
    }
    let mut cause = error.source();
    let mut found = None;
    while let Some(error) = cause {
        found = error.downcast_ref::<io::Error>().or(found);
        cause = error.source();
    }
    found
}

/// The system's word, else the innermost cause: the outer ones say what was asked.
fn cause(error: &Error) -> String {
    if let Some(error) = io_error(error) {
        return error.to_string();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    innermost.to_string()
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

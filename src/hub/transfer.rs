//! One file over the network: where it is, its bytes from wherever the last attempt ended, and a
//! second try when they turn out to be wrong.

use std::panic::resume_unwind;

use bytes::Bytes;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode, Url};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinHandle;

use super::client::{Client, Range};
use super::pace::{Again, Setback};
use super::refusal::{Asked, Refusal};
use super::store::{Part, Scratch};
use super::{Errand, HubError, Listing, metadata, store};
use crate::progress::Progress;

/// Pieces between the network and the disk, each at most as large as the network's buffer (400 kB):
/// enough to keep both busy, little enough for eight files at once.
const PIECES_IN_FLIGHT: usize = 6;
/// An attempt that brought this much was worth it: the count of failures starts anew.
const PROGRESS: u64 = 1024 * 1024;
/// Bytes are counted in steps that a person could tell apart.
const REPORT_STEP: u64 = 256 * 1024;

/// Brings one file: verified, under its final name.
pub(crate) async fn bring(
    client: &Client,
    listing: &Listing,
    errand: &Errand,
    progress: &Progress,
) -> Result<(), HubError> {
    let first = Transfer::new(client, listing, errand, progress).run().await;
    let Err(HubError::Corrupt { actual, .. }) = first else { return first };
    progress.again(errand.file.size, &format!("{} arrived as {actual}", errand.file.path));
    Transfer::new(client, listing, errand, progress).run().await
}

/// A file on its way.
struct Transfer<'a> {
    client: &'a Client,
    listing: &'a Listing,
    errand: &'a Errand,
    progress: &'a Progress,
    asked: Asked,
    /// Where the hub redirected to, while that works.
    found_at: Option<Url>,
    /// Bytes that were handed to the disk.
    received: u64,
    /// Of these, the ones that were reported.
    reported: u64,
}

impl<'a> Transfer<'a> {
    fn new(
        client: &'a Client,
        listing: &'a Listing,
        errand: &'a Errand,
        progress: &'a Progress,
    ) -> Self {
        let asked = client.asked(&listing.source).file(&errand.file.path);
        Self { client, listing, errand, progress, asked, found_at: None, received: 0, reported: 0 }
    }

    async fn run(mut self) -> Result<(), HubError> {
        let errand = self.errand;
        let scratch = Scratch::beside(&errand.destination);
        let part = {
            let (scratch, errand) = (scratch.share(), errand.clone());
            blocking(move || Part::create(scratch, &errand.destination, &errand.file)).await?
        };
        let (pieces, arriving) = mpsc::channel(PIECES_IN_FLIGHT);
        let writer = tokio::task::spawn_blocking(move || part.fill(arriving));
        let received = self.receive(pieces).await;
        // If the disk failed, the network only failed because nobody listened any more.
        let part = join(writer).await?;
        received?;
        let (listing, errand) = (self.listing.clone(), errand.clone());
        let (path, size) = (errand.file.path.clone(), errand.file.size);
        blocking(move || {
            let etag = part.commit(&errand.file)?;
            if let Err(error) = metadata::note(&listing, &errand, &etag) {
                tracing::warn!(%error, "`hf` will not know that this file is up to date");
            }
            Ok(())
        })
        .await?;
        self.progress.verified(size);
        self.progress.finished(&path);
        Ok(())
    }

    /// Every byte of the file, in order, over as many attempts as it takes.
    async fn receive(&mut self, pieces: Sender<Bytes>) -> Result<(), HubError> {
        let mut failures = 0;
        while self.received < self.errand.file.size {
            let before = self.received;
            let attempt = self.attempt(&pieces).await;
            self.report(0);
            if let Err(setback) = attempt {
                failures = if self.received - before >= PROGRESS { 1 } else { failures + 1 };
                self.client.pace.pause(failures, setback).await?;
            }
        }
        Ok(())
    }

    async fn attempt(&mut self, pieces: &Sender<Bytes>) -> Result<(), Setback> {
        let size = self.errand.file.size;
        let range = Range { first: self.received, last: size - 1 };
        let Listing { source, commit, .. } = self.listing;
        let url = match self.found_at.take() {
            Some(url) => url,
            None => self.client.resolve_url(source, commit, &self.errand.file.path),
        };
        let (mut answer, url) = self.client.open(&url, Some(range), &self.asked).await?;
        let mut unwanted = self.unwanted(&answer, &url)?;
        self.found_at = Some(url);
        while self.received < size {
            let Some(mut chunk) = self.client.chunk(&mut answer, &self.asked).await? else {
                let error = self.asked.unreachable("the connection ended early");
                return Err(Setback::transient(error));
            };
            let skip = usize::try_from(unwanted).unwrap_or(usize::MAX).min(chunk.len());
            unwanted -= skip as u64;
            chunk = chunk.split_off(skip);
            if chunk.is_empty() {
                continue;
            }
            let length = chunk.len() as u64;
            if length > size - self.received {
                return Err(self.wrong_size(&format!("more than {size} bytes")));
            }
            if pieces.send(chunk).await.is_err() {
                // The writer has an error of its own, which is the one that counts.
                return Err(Setback::fatal(self.asked.unreachable("the disk failed")));
            }
            self.received += length;
            self.report(REPORT_STEP);
        }
        Ok(())
    }

    /// How many bytes of the body come before the one that is wanted next.
    fn unwanted(&self, answer: &Response, url: &Url) -> Result<u64, Setback> {
        let (status, size) = (answer.status(), self.errand.file.size);
        let content_range =
            answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let refusal = || Refusal::from_head(status.as_u16(), answer.headers());
        match status {
            StatusCode::PARTIAL_CONTENT => {
                let (first, total) = content_range.and_then(parse_content_range).unzip();
                if first != Some(self.received) {
                    let error = self.asked.unreachable("it answers with another range");
                    return Err(Setback::transient(error));
                }
                match total.flatten() {
                    Some(total) if total != size => Err(self.wrong_size(&format!("{total} bytes"))),
                    Some(_) | None => Ok(0),
                }
            }
            // Ranges are ignored. What is here already is not wanted again.
            StatusCode::OK => match answer.content_length() {
                Some(length) if length != size => Err(self.wrong_size(&format!("{length} bytes"))),
                Some(_) | None => Ok(self.received),
            },
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let total = content_range.unwrap_or_default().trim_start_matches("bytes */");
                Err(self.wrong_size(&format!("{} bytes", total.escape_debug())))
            }
            // A signed URL that has expired, or a store that has lost its mind: the hub knows a new
            // one. `found_at` stays empty.
            _ if !self.client.is_home(url) && status != StatusCode::TOO_MANY_REQUESTS => {
                let endpoint = url.origin().ascii_serialization();
                let error = HubError::Server { endpoint, status: status.as_u16() };
                Err(Setback { error, again: Again::Soon })
            }
            _ => Err(self.asked.refused(&refusal())),
        }
    }

    fn wrong_size(&self, actual: &str) -> Setback {
        Setback::fatal(HubError::Corrupt {
            path: store::printable(&self.errand.file.path),
            expected: format!("{} bytes", self.errand.file.size),
            actual: actual.to_owned(),
        })
    }

    /// Says how far it has come, if that is at least `step` further than last time.
    fn report(&mut self, step: u64) {
        let bytes = self.received - self.reported;
        if bytes > 0 && bytes >= step {
            self.progress.received(bytes);
            self.reported = self.received;
        }
    }
}

/// First byte and size of `bytes A-B/SIZE`; the size may be `*`.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    if total == "*" {
        return Some((first, None));
    }
    Some((first, Some(total.parse().ok()?)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    join(tokio::task::spawn_blocking(work)).await
}

async fn join<T>(task: JoinHandle<Result<T, HubError>>) -> Result<T, HubError> {
    match task.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only the end of the runtime cancels a task that nobody aborts.
            Err(_cancelled) => Err(HubError::Offline),
        },
    }
}

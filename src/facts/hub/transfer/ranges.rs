//! The connections that bring a file: each takes a run of blocks, asks for exactly these bytes, and
//! passes on what comes.

use std::ops::Range;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use futures_util::future::try_join_all;
use reqwest::Url;
use tokio::sync::mpsc::{self, Sender, UnboundedReceiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Transfer;
use super::answer::{Body, may_be_crowded};
use crate::facts::hub::HubError;
use crate::facts::hub::assembly::{Completes, Piece, UNSETTLED};
use crate::facts::hub::blocks::Wanted;
use crate::facts::hub::client;
use crate::facts::hub::connections::Slot;
use crate::facts::hub::retries::Setback;

/// No connection has to read the whole body.
pub(super) const NOBODY: usize = usize::MAX;
/// An attempt that brought this much was worth it: the count of failures starts anew.
const PROGRESS: u64 = 1024 * 1024;
/// Bytes are counted in steps that a person could tell apart.
const REPORT_STEP: u64 = 256 * 1024;

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) struct Found {
    url: Url,
    /// Which look-up it was.
    lookup: usize,
}

/// Bytes that one connection brings, in order.
struct Run {
    next: u64,
    end: u64,
    /// Held while a block has begun.
    unsettled: Option<OwnedSemaphorePermit>,
}

/// What one connection has for itself.
struct Connection<'p> {
    number: usize,
    pieces: &'p Sender<Piece>,
    /// Limits what a crash can lose.
    unsettled: Arc<Semaphore>,
    run: Option<Run>,
    /// The failures that had been counted when it last asked.
    setbacks: usize,
}

/// How an attempt ended that did not fail.
enum End {
    /// The run is done.
    Done,
    /// The server ignores ranges, and another connection reads the whole body already.
    LeftToAnother,
}

impl Transfer<'_> {
    /// Wants these blocks, and no others.
    pub(super) fn want(&self, blocks: impl IntoIterator<Item = usize>) {
        *self.wanted() = Wanted::of(blocks);
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of a small file.
    pub(super) async fn collect(&self) -> Result<Vec<Bytes>, HubError> {
        let (pieces, mut arriving) = mpsc::channel::<Piece>(1);
        let gather = async {
            let mut content = Vec::new();
            while let Some(piece) = arriving.recv().await {
                content.push(piece.bytes);
            }
            content
        };
        let bring = async {
            let result = self.work(0, &pieces).await;
            drop(pieces);
            result
        };
        let (brought, content) = tokio::join!(bring, gather);
        self.report(1);
        brought.map(|()| content)
    }

    /// Brings what is wanted, and what turns out to be `wrong`, until no more can.
    pub(super) async fn bring_blocks(
        &self,
        pieces: Sender<Piece>,
        wrong: &mut UnboundedReceiver<usize>,
    ) -> Result<(), HubError> {
        loop {
            let mut working = std::pin::pin!(self.work_together(&pieces));
            loop {
                tokio::select! {
                    result = &mut working => {
                        result?;
                        break;
                    }
                    block = wrong.recv() => match block {
                        Some(block) => self.want_again(block),
                        // The disk has failed.
                        None => return Ok(()),
                    },
                }
            }
            if !self.wanted().is_empty() {
                // Left to a connection that had come to its end already.
                continue;
            }
            match wrong.recv().await {
                Some(block) => self.want_again(block),
                None => return Ok(()),
            }
        }
    }

    fn want_again(&self, block: usize) {
        tracing::warn!(
            file = self.download.file.path,
            block,
            "not as it was written; fetched again"
        );
        self.progress.again(self.blocks.length(block), "what was on the disk has changed");
        self.wanted().put(block..block + 1);
    }

    async fn work_together(&self, pieces: &Sender<Piece>) -> Result<(), HubError> {
        let workers = self.client.connections.most().min(self.blocks.count());
        try_join_all((0..workers).map(|number| self.work(number, pieces))).await?;
        Ok(())
    }

    /// One connection, until nothing is wanted any more.
    async fn work(&self, number: usize, pieces: &Sender<Piece>) -> Result<(), HubError> {
        let unsettled = Arc::new(Semaphore::new(UNSETTLED));
        let mut connection = Connection { number, pieces, unsettled, run: None, setbacks: 0 };
        loop {
            let before = connection.position();
            match self.attempt(&mut connection).await {
                Ok(Some(End::Done)) => self.failures.store(0, SeqCst),
                Ok(Some(End::LeftToAnother) | None) => return Ok(()),
                Err(setback) => {
                    self.report(1);
                    let came = connection.position().saturating_sub(before);
                    self.pause(connection.setbacks, came, setback).await?;
                }
            }
        }
    }

    /// Waits after a failure of an attempt that brought so many bytes.
    async fn pause(&self, setbacks: usize, came: u64, setback: Setback) -> Result<(), HubError> {
        let failures = self.count_failure(setbacks, came);
        self.client.retries.pause(failures, setback).await
    }

    /// Failures in a row, with this one. One that began before the last one counted is the same.
    fn count_failure(&self, setbacks: usize, came: u64) -> u32 {
        if came >= PROGRESS {
            self.failures.store(0, SeqCst);
        }
        let first = self.setbacks.compare_exchange(setbacks, setbacks + 1, SeqCst, SeqCst).is_ok();
        let failures = self.failures.load(SeqCst);
        if first || failures == 0 { self.failures.fetch_add(1, SeqCst) + 1 } else { failures }
    }

    /// Asks for a run of blocks and passes it on. Absent: nothing is wanted.
    async fn attempt(&self, connection: &mut Connection<'_>) -> Result<Option<End>, Setback> {
        // Who is first looks up where the file is, and the others wait until it is known: a server
        // that ignores ranges is better asked only once.
        let mut found = self.found.lock().await;
        if connection.run.is_none() {
            connection.run = self.next_run(connection.number);
        }
        let Some(run) = &connection.run else { return Ok(None) };
        let range = client::Range { first: run.next, last: run.end - 1 };
        let (body, slot) = if let Some(known) = found.clone() {
            drop(found);
            let Some(slot) = self.client.connections.acquire().await else { return Ok(None) };
            connection.setbacks = self.setbacks.load(SeqCst);
            match self.open(&known.url, range, &slot).await {
                Ok((body, _)) => (body, slot),
                Err(setback) => {
                    // Who looks the address up holds the lock, and waits for a slot.
                    drop(slot);
                    self.forget(known.lookup, &setback).await;
                    return Err(setback);
                }
            }
        } else {
            let Some((body, url, slot)) = self.look_up(range).await? else { return Ok(None) };
            *found = Some(Found { url, lookup: self.lookups.fetch_add(1, SeqCst) });
            drop(found);
            connection.setbacks = self.setbacks.load(SeqCst);
            (body, slot)
        };
        self.pass_on(body, connection, &slot).await.map(Some)
    }

    /// Asks the hub where the file is, and follows it there. Others wait meanwhile, also while the
    /// hub has to be left alone for a moment.
    async fn look_up(
        &self,
        range: client::Range,
    ) -> Result<Option<(Body, Url, Slot<'_>)>, Setback> {
        let (source, commit) = (&self.listing.source, &self.listing.commit);
        let home = self.client.resolve_url(source, commit, &self.download.file.path);
        loop {
            let Some(slot) = self.client.connections.acquire().await else { return Ok(None) };
            let setbacks = self.setbacks.load(SeqCst);
            match self.open(&home, range, &slot).await {
                Ok((body, url)) => return Ok(Some((body, url, slot))),
                Err(setback) => {
                    drop(slot);
                    self.pause(setbacks, 0, setback).await.map_err(Setback::fatal)?;
                }
            }
        }
    }

    fn next_run(&self, number: usize) -> Option<Run> {
        let sole = self.sole.load(SeqCst);
        let mut wanted = self.wanted();
        let blocks = if sole == number {
            wanted.take_from(0)
        } else if sole == NOBODY {
            wanted.take(self.client.connections.most())
        } else {
            None
        };
        blocks.map(|blocks| self.run(&blocks))
    }

    fn run(&self, blocks: &Range<usize>) -> Run {
        let (next, end) = (self.blocks.start(blocks.start), self.blocks.start(blocks.end));
        Run { next, end, unsettled: None }
    }

    async fn open(
        &self,
        url: &Url,
        range: client::Range,
        slot: &Slot<'_>,
    ) -> Result<(Body, Url), Setback> {
        let (answer, url) = self.client.open(url, Some(range), &self.asked).await?;
        if may_be_crowded(answer.status()) {
            slot.refused();
        }
        let answer = self.plain(answer).await?;
        Ok((self.body(answer, &url, range)?, url))
    }

    /// Looks the address up again, unless somebody has. One that is merely in demand stays.
    async fn forget(&self, lookup: usize, setback: &Setback) {
        if matches!(setback.error, HubError::RateLimited { .. }) {
            return;
        }
        let mut found = self.found.lock().await;
        if found.as_ref().is_some_and(|found| found.lookup == lookup) {
            *found = None;
        }
    }

    /// Passes on what a body has of a connection's run. One that goes on to the end of the file is
    /// used for whatever else is wanted behind it.
    async fn pass_on(
        &self,
        mut body: Body,
        connection: &mut Connection<'_>,
        slot: &Slot<'_>,
    ) -> Result<End, Setback> {
        if body.whole && !self.reads_alone(connection) {
            return Ok(End::LeftToAnother);
        }
        self.tag.store(body.tag, SeqCst);
        let mut at = body.first;
        loop {
            let Some(mut chunk) = self.next_piece(&mut body).await? else {
                let error = self.asked.unreachable("the connection ended early");
                return Err(Setback::transient(error));
            };
            self.client.rate_limit.pay(chunk.len()).await;
            while !chunk.is_empty() {
                let Some(run) = self.wanted_at(at, body.whole, connection) else {
                    slot.served();
                    return Ok(End::Done);
                };
                let gap = run.next - at;
                if gap > 0 {
                    let skipped = chunk.len().min(usize::try_from(gap).unwrap_or(usize::MAX));
                    chunk.advance(skipped);
                    at += skipped as u64;
                    continue;
                }
                let room = self.blocks.end(self.blocks.at(at)) - at;
                let room = usize::try_from(room).unwrap_or(usize::MAX).min(chunk.len());
                at += room as u64;
                self.send(chunk.split_to(room), body.tag, connection).await?;
            }
            if self.wanted_at(at, body.whole, connection).is_none() {
                slot.served();
                return Ok(End::Done);
            }
        }
    }

    /// The next piece of a body that comes fast enough.
    async fn next_piece(&self, body: &mut Body) -> Result<Option<Bytes>, Setback> {
        let began = Instant::now();
        let piece = self.client.chunk(&mut body.answer, &self.asked).await?;
        let bytes = piece.as_ref().map_or(0, Bytes::len);
        match body.pace.count(began, bytes, self.client.silence) {
            Some(time) if piece.is_some() => Err(self.asked.crawls(time)),
            Some(_) | None => Ok(piece),
        }
    }

    /// The run that a body at this byte is used for; absent when it has nothing more.
    fn wanted_at<'c>(
        &self,
        at: u64,
        whole: bool,
        connection: &'c mut Connection<'_>,
    ) -> Option<&'c mut Run> {
        let done = connection.run.as_ref().is_none_or(|run| run.next == run.end);
        if done {
            let next = whole.then(|| self.wanted().take_from(self.blocks.at(at))).flatten();
            connection.run = next.map(|blocks| self.run(&blocks));
        }
        connection.run.as_mut()
    }

    /// Whether this connection is the one that reads the whole body. If not, its run is left to that
    /// one.
    fn reads_alone(&self, connection: &mut Connection<'_>) -> bool {
        let number = connection.number;
        let before = self.sole.compare_exchange(NOBODY, number, SeqCst, SeqCst);
        if before.is_ok() || before == Err(number) {
            return true;
        }
        if let Some(Run { next, end, unsettled }) = connection.run.take() {
            drop(unsettled);
            let first = self.blocks.at(next);
            let lost = next - self.blocks.start(first);
            if lost > 0 {
                self.progress.again(lost, "the server ignores ranges");
            }
            let last = self.blocks.at(end - 1);
            self.wanted().put(first..last + 1);
        }
        false
    }

    /// Passes on bytes of one block.
    async fn send(
        &self,
        bytes: Bytes,
        tag: u32,
        connection: &mut Connection<'_>,
    ) -> Result<(), Setback> {
        let Connection { pieces, unsettled, run, .. } = connection;
        let Some(run) = run else { return Ok(()) };
        let permit = match run.unsettled.take() {
            Some(permit) => Some(permit),
            None => Arc::clone(unsettled).acquire_owned().await.ok(),
        };
        let (offset, length) = (run.next, bytes.len() as u64);
        let complete = offset + length == self.blocks.end(self.blocks.at(offset));
        let completes = if complete {
            permit.map(|unsettled| Completes { tag, unsettled })
        } else {
            run.unsettled = permit;
            None
        };
        if pieces.send(Piece { offset, bytes, completes }).await.is_err() {
            // The writer has an error of its own, which is the one that counts.
            return Err(Setback::fatal(self.asked.unreachable("the disk failed")));
        }
        run.next += length;
        self.unreported.fetch_add(length, SeqCst);
        self.report(REPORT_STEP);
        Ok(())
    }

    /// Says how much has come, if it is at least `step` more than last time.
    pub(super) fn report(&self, step: u64) {
        let bytes = self.unreported.load(SeqCst);
        if bytes >= step.max(1) {
            self.unreported.fetch_sub(bytes, SeqCst);
            self.progress.received(bytes);
        }
    }
}

impl Connection<'_> {
    /// How far its run has come.
    fn position(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.next)
    }
}

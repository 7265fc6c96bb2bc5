//! One file over the network: proven, under its final name, whatever happened on the way.

mod answer;
mod ranges;
#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

use super::assembly::{Assembly, join};
use super::blocks::{Blocks, Wanted};
use super::client::Client;
use super::delivery::Arrival;
use super::digest::Hasher;
use super::journal::Mark;
use super::partial::{self, Names, Opened, PartialFile};
use super::refusal::Asked;
use super::{Download, HubError, Listing};
use crate::progress::Progress;

use self::ranges::Found;

/// Smaller files are kept in memory until they are whole: there is nothing in them worth a journal.
const SMALL: u64 = 1024 * 1024;
/// A file whose blocks have all come and that still is not what was promised is fetched once more,
/// in so many parts, with a look at the whole after each.
const REPAIRS: usize = 4;

/// Brings one file: verified, under its final name. What an earlier run left of it is used, once it
/// has been compared with its journal.
///
/// Dropping the future leaves the temporary file and its journal, unless there is nothing in them.
/// At any moment only one process may bring the same file.
pub(crate) async fn bring(
    client: &Client,
    listing: &Listing,
    arrival: &Arrival,
    progress: &Progress,
) -> Result<(), HubError> {
    let transfer = Transfer::new(client, listing, arrival, progress);
    match arrival.download.file.size < SMALL {
        true => transfer.small().await,
        false => Box::pin(transfer.large()).await,
    }
}

/// A file on its way. Everything in it is shared by the connections that bring the file, which run
/// as one task.
struct Transfer<'a> {
    client: &'a Client,
    listing: &'a Listing,
    download: &'a Download,
    arrival: &'a Arrival,
    progress: &'a Progress,
    asked: Asked,
    blocks: Blocks,
    wanted: Mutex<Wanted>,
    /// Where the hub redirected to, while that works. Locked while it is being looked up, so that
    /// one look serves all.
    found: tokio::sync::Mutex<Option<Found>>,
    /// How often the hub was asked where the file is.
    lookups: AtomicUsize,
    /// The connection that reads the whole body, from a server that ignores ranges.
    sole: AtomicUsize,
    /// Failures in a row without progress of any connection. Those that overlap are one.
    failures: AtomicU32,
    /// How often there was a failure that counted.
    setbacks: AtomicUsize,
    /// The tag of the last answer.
    tag: AtomicU32,
    /// Bytes that arrived and were not reported yet.
    unreported: AtomicU64,
}

impl<'a> Transfer<'a> {
    fn new(
        client: &'a Client,
        listing: &'a Listing,
        arrival: &'a Arrival,
        progress: &'a Progress,
    ) -> Self {
        let download = &arrival.download;
        Self {
            client,
            listing,
            download,
            arrival,
            progress,
            asked: client.asked(&listing.source).file(&download.file.path),
            blocks: Blocks::of(download.file.size),
            wanted: Mutex::default(),
            found: tokio::sync::Mutex::default(),
            lookups: AtomicUsize::new(0),
            sole: AtomicUsize::new(ranges::NOBODY),
            failures: AtomicU32::new(0),
            setbacks: AtomicUsize::new(0),
            tag: AtomicU32::new(0),
            unreported: AtomicU64::new(0),
        }
    }

    async fn small(&self) -> Result<(), HubError> {
        let first = self.small_once().await;
        let Err(HubError::Corrupt { actual, .. }) = first else { return first };
        self.look_elsewhere(self.download.file.size, &actual).await;
        self.small_once().await
    }

    async fn small_once(&self) -> Result<(), HubError> {
        self.want(0..self.blocks.count());
        let content = self.collect().await?;
        let arrival = self.arrival.clone();
        blocking(move || {
            let etag = partial::write_whole(&arrival.download, &content)?;
            arrival.settle(&etag)
        })
        .await?;
        self.progress.verified(self.download.file.size);
        Ok(())
    }

    async fn large(&self) -> Result<(), HubError> {
        let Some(partial) = self.begin().await? else {
            self.progress.resumed(self.download.file.size);
            self.progress.verified(self.download.file.size);
            return Ok(());
        };
        let there = partial.table.iter().enumerate().filter(|(_, mark)| mark.is_some());
        let resumed = there.map(|(block, _)| self.blocks.length(block)).sum();
        if resumed > 0 {
            self.progress.resumed(resumed);
        }
        let result = self.assemble_and_prove(partial).await;
        if matches!(result, Err(HubError::Corrupt { .. })) {
            // Neither the bytes nor where they came from can be trusted.
            let names = Names::beside(&self.download.destination, &self.download.file.oid);
            blocking(move || {
                names.remove();
                Ok(())
            })
            .await?;
        }
        result
    }

    /// What is there to begin with; absent: all of it, under its final name.
    async fn begin(&self) -> Result<Option<PartialFile>, HubError> {
        let arrival = self.arrival.clone();
        let open = move || match PartialFile::open(&arrival.download)? {
            Opened::InPlace { etag } => arrival.settle(&etag).map(|()| None),
            Opened::Partial(partial) => Ok(Some(*partial)),
        };
        blocking(open).await
    }

    async fn assemble_and_prove(&self, partial: PartialFile) -> Result<(), HubError> {
        let file = &self.download.file;
        let (mut partial, mut hasher) = self.assemble(partial).await?;
        let mut proof = hasher.prove(file, file.size);
        for suspects in self.suspects(&partial) {
            let Err(HubError::Corrupt { actual, .. }) = &proof else { break };
            let bytes = suspects.iter().map(|block| self.blocks.length(*block)).sum();
            self.look_elsewhere(bytes, actual).await;
            suspects.iter().for_each(|block| partial.table[*block] = None);
            (partial, hasher) = self.assemble(partial).await?;
            proof = hasher.prove(file, file.size);
        }
        let (etag, arrival) = (proof?, self.arrival.clone());
        blocking(move || {
            partial.name()?;
            arrival.settle(&etag)
        })
        .await
    }

    /// Brings the blocks that a partial file lacks, and hashes all of it.
    async fn assemble(&self, partial: PartialFile) -> Result<(PartialFile, Hasher), HubError> {
        let missing = partial.table.iter().enumerate().filter(|(_, mark)| mark.is_none());
        self.want(missing.map(|(block, _)| block));
        let (mut assembly, pieces) = Assembly::start(partial, &self.download.file, self.progress);
        let brought = self.bring_blocks(pieces, &mut assembly.wrong).await;
        self.report(1);
        // If the disk failed, the network only failed because nobody listened any more.
        let assembled = assembly.end().await?;
        brought?;
        assembled.ok_or_else(|| self.asked.unreachable("not every block came"))
    }

    /// Which blocks of a file to fetch again, although all of them came: the likely ones first. The
    /// hub says what the whole file is, and nobody what its blocks are.
    fn suspects(&self, partial: &PartialFile) -> Vec<Vec<usize>> {
        let last = self.tag.load(SeqCst);
        let other = |mark: &Option<Mark>| mark.is_some_and(|mark| mark.tag != last);
        let numbered = partial.table.iter().enumerate();
        let (likely, rest): (Vec<_>, Vec<_>) = numbered.partition(|(_, mark)| other(mark));
        let numbers =
            |blocks: Vec<(usize, _)>| blocks.into_iter().map(|(block, _)| block).collect();
        let (likely, rest): (Vec<usize>, Vec<usize>) = (numbers(likely), numbers(rest));
        let step = rest.len().div_ceil(REPAIRS).max(1);
        let rounds = std::iter::once(likely).chain(rest.chunks(step).map(<[usize]>::to_vec));
        rounds.filter(|round| !round.is_empty()).collect()
    }

    /// What came is wrong: says so, and forgets where it came from.
    async fn look_elsewhere(&self, bytes: u64, actual: &str) {
        self.progress.again(bytes, &format!("{} arrived as {actual}", self.download.file.path));
        *self.found.lock().await = None;
    }
}

/// Runs `work` where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    join(tokio::task::spawn_blocking(work)).await
}

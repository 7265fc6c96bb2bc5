//! What arrives, in whatever order, becomes a file: three threads that never wait for the network.
//!
//! - The *writer* puts pieces where they belong, and knows when a block is complete.
//! - The *keeper* makes complete blocks survive a crash: first their bytes, then their lines in the
//!   journal; all blocks that have come together at once.
//! - The *prover* hashes the file in order, following the writer, and reads back what it hashes. So
//!   blocks of an earlier run are read exactly once, and none is believed that differs from its
//!   journal: it is reported, and waited for until it has come again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinHandle, spawn_blocking};

use super::blocks::{BLOCK, Blocks};
use super::digest::Hasher;
use super::journal::{Mark, Table};
use super::partial::{Kept, PartialFile, READ_BUFFER};
use super::store::failure;
use super::{Download, HubError, RemoteFile};
use crate::progress::Progress;

/// Blocks of one connection that a crash may lose: the one that is arriving, and those that wait
/// for the keeper. Together with what lies in the buffers of a connection they stay below 16 MiB.
pub(crate) const UNSETTLED: usize = 3;
const _: () = assert!(UNSETTLED as u64 * BLOCK < 16 * 1024 * 1024);

/// Pieces between the network and the writer, each at most as large as the network's buffer
/// (400 kB): enough to keep both busy, little enough for eight files at once.
const PIECES_IN_FLIGHT: usize = 4;

/// Bytes of a file. Those of one block come in order.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Where they belong.
    pub(crate) offset: u64,
    /// Not beyond the end of the block.
    pub(crate) bytes: Bytes,
    /// With the last piece of a block.
    pub(crate) completes: Option<Completes>,
}

/// A block is complete with this piece.
#[derive(Debug)]
pub(crate) struct Completes {
    /// Of the answer that it came with.
    pub(crate) tag: u32,
    /// Given back once a crash can no longer lose the block.
    pub(crate) unsettled: OwnedSemaphorePermit,
}

/// The threads of one file.
#[derive(Debug)]
pub(crate) struct Assembly {
    /// Blocks that were thought to be on the disk and have to come (again); ends when the prover
    /// does.
    pub(crate) wrong: UnboundedReceiver<usize>,
    writer: JoinHandle<io::Result<()>>,
    keeper: JoinHandle<(Kept, io::Result<()>)>,
    prover: JoinHandle<io::Result<Option<(Hasher, Table)>>>,
    rest: Rest,
}

/// What of a part no thread needs for itself.
#[derive(Debug)]
struct Rest {
    file: Arc<File>,
    download: Download,
}

struct Settling {
    block: usize,
    mark: Mark,
    _unsettled: OwnedSemaphorePermit,
}

impl Assembly {
    /// Starts the threads for a partial file of `remote`. What it lacks is expected through the
    /// sender; the threads end when that is gone.
    pub(crate) fn start(
        partial: PartialFile,
        remote: &RemoteFile,
        progress: &Progress,
    ) -> (Self, Sender<Piece>) {
        let (pieces, arriving) = mpsc::channel(PIECES_IN_FLIGHT);
        let (complete, settling) = mpsc::unbounded_channel();
        let (written, known) = mpsc::unbounded_channel();
        let (report, wrong) = mpsc::unbounded_channel();
        let PartialFile { kept, file, table, download } = partial;
        let blocks = Blocks::of(remote.size);
        let writer =
            Writer { file: Arc::clone(&file), blocks, open: Vec::new(), complete, written };
        let prover = Prover {
            file: Arc::clone(&file),
            blocks,
            hasher: Hasher::for_content(remote),
            table,
            known,
            report,
            progress: progress.clone(),
        };
        let kept_file = Arc::clone(&file);
        let assembly = Self {
            wrong,
            writer: spawn_blocking(move || writer.run(arriving)),
            keeper: spawn_blocking(move || keep(kept, &kept_file, settling)),
            prover: spawn_blocking(move || prover.run()),
            rest: Rest { file, download },
        };
        (assembly, pieces)
    }

    /// Waits for the threads, whose sender has to be gone. Absent: the prover has not seen every
    /// block.
    ///
    /// # Errors
    /// What went wrong with the disk.
    pub(crate) async fn end(self) -> Result<Option<(PartialFile, Hasher)>, HubError> {
        let Self { writer, keeper, prover, rest, .. } = self;
        let (written, (kept, settled), proven) =
            (join(writer).await, join(keeper).await, join(prover).await);
        let at = |error: io::Error| failure(kept.names.data.path(), &error);
        written.map_err(at)?;
        settled.map_err(at)?;
        let Some((hasher, table)) = proven.map_err(at)? else { return Ok(None) };
        let Rest { file, download } = rest;
        Ok(Some((PartialFile { kept, file, table, download }, hasher)))
    }
}

/// The result of a thread. A panic in it goes on here.
pub(crate) async fn join<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels a task that nobody aborts, and it ends whoever
            // waits for it as well.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

struct Writer {
    file: Arc<File>,
    blocks: Blocks,
    /// The blocks that are arriving, and the CRC of what has come of them.
    open: Vec<(usize, crc32fast::Hasher)>,
    complete: UnboundedSender<Settling>,
    written: UnboundedSender<(usize, Mark)>,
}

impl Writer {
    fn run(mut self, mut arriving: Receiver<Piece>) -> io::Result<()> {
        while let Some(piece) = arriving.blocking_recv() {
            self.file.write_all_at(&piece.bytes, piece.offset)?;
            let block = self.blocks.at(piece.offset);
            if piece.offset == self.blocks.start(block) {
                self.open.retain(|(other, _)| *other != block);
                self.open.push((block, crc32fast::Hasher::new()));
            }
            let Some(index) = self.open.iter().position(|(open, _)| *open == block) else {
                return Err(io::Error::other("a block that does not start at its first byte"));
            };
            self.open[index].1.update(&piece.bytes);
            if let Some(Completes { tag, unsettled }) = piece.completes {
                let (_, crc) = self.open.swap_remove(index);
                let mark = Mark { crc: crc.finalize(), tag };
                // Who is no longer there has an error of his own.
                self.written.send((block, mark)).ok();
                self.complete.send(Settling { block, mark, _unsettled: unsettled }).ok();
            }
        }
        Ok(())
    }
}

/// Settles complete blocks until there will be no more.
fn keep(
    mut kept: Kept,
    file: &File,
    mut complete: UnboundedReceiver<Settling>,
) -> (Kept, io::Result<()>) {
    while let Some(first) = complete.blocking_recv() {
        let mut settling = vec![first];
        while let Ok(next) = complete.try_recv() {
            settling.push(next);
        }
        let marks: Vec<_> = settling.iter().map(|block| (block.block, block.mark)).collect();
        if let Err(error) = file.sync_data().and_then(|()| kept.journal.append(&marks)) {
            return (kept, Err(error));
        }
    }
    (kept, Ok(()))
}

struct Prover {
    file: Arc<File>,
    blocks: Blocks,
    hasher: Hasher,
    table: Table,
    known: UnboundedReceiver<(usize, Mark)>,
    report: UnboundedSender<usize>,
    progress: Progress,
}

impl Prover {
    /// The hash of the whole file and what is known of its blocks; absent if not all have come.
    fn run(mut self) -> io::Result<Option<(Hasher, Table)>> {
        let mut buffer = vec![0; READ_BUFFER];
        for block in 0..self.blocks.count() {
            loop {
                let Some(mark) = self.table[block] else {
                    let Some((written, mark)) = self.known.blocking_recv() else { return Ok(None) };
                    self.table[written] = Some(mark);
                    continue;
                };
                if self.hash(block, mark, &mut buffer)? {
                    break;
                }
                self.table[block] = None;
                self.report.send(block).ok();
            }
            self.progress.verified(self.blocks.length(block));
        }
        Ok(Some((self.hasher, self.table)))
    }

    /// Hashes a block, unless it is not what its mark says.
    fn hash(&mut self, block: usize, mark: Mark, buffer: &mut [u8]) -> io::Result<bool> {
        let before = self.hasher.clone();
        let mut crc = crc32fast::Hasher::new();
        let (mut offset, end) = (self.blocks.start(block), self.blocks.end(block));
        while offset < end {
            let most = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.file.read_at(&mut buffer[..most], offset)?;
            if read == 0 {
                break;
            }
            crc.update(&buffer[..read]);
            self.hasher.update(&buffer[..read]);
            offset += read as u64;
        }
        let holds = offset == end && crc.finalize() == mark.crc;
        if !holds {
            self.hasher = before;
        }
        Ok(holds)
    }
}

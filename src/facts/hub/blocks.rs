//! A file as a row of blocks: the least that is remembered across a crash.

use std::collections::VecDeque;
use std::ops::Range;

/// Bytes of a block, except the last one of a file. Three of them a connection may be lost in a
/// crash (see [`super::assembly`]); a journal of a file of 1 TB has 8 MB.
pub(crate) const BLOCK: u64 = 4 * 1024 * 1024;
/// The most blocks that are asked for at once: enough to make the wait for an answer small beside
/// it, few enough for the hash, which goes in order, to follow closely.
const LONGEST_RUN: usize = 16;

/// How a file is divided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocks {
    size: u64,
}

/// Blocks that nobody is bringing yet, in runs, the first ones first.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    runs: VecDeque<Range<usize>>,
}

impl Blocks {
    /// The blocks of a file of `size` bytes.
    pub(crate) fn of(size: u64) -> Self {
        Self { size }
    }

    /// How many there are.
    pub(crate) fn count(self) -> usize {
        usize::try_from(self.size.div_ceil(BLOCK)).unwrap_or(usize::MAX)
    }

    /// The first byte of a block, or the end of the file.
    pub(crate) fn start(self, block: usize) -> u64 {
        (block as u64).saturating_mul(BLOCK).min(self.size)
    }

    /// The byte behind the last one of a block.
    pub(crate) fn end(self, block: usize) -> u64 {
        self.start(block.saturating_add(1))
    }

    /// The block that has this byte.
    pub(crate) fn at(self, offset: u64) -> usize {
        usize::try_from(offset / BLOCK).unwrap_or(usize::MAX)
    }

    /// How many bytes a block has.
    pub(crate) fn length(self, block: usize) -> u64 {
        self.end(block) - self.start(block)
    }
}

impl Wanted {
    /// Wants `blocks`, which have to be in order.
    pub(crate) fn of(blocks: impl IntoIterator<Item = usize>) -> Self {
        let mut runs: VecDeque<Range<usize>> = VecDeque::new();
        for block in blocks {
            match runs.back_mut() {
                Some(run) if run.end == block => run.end += 1,
                Some(_) | None => runs.push_back(block..block + 1),
            }
        }
        Self { runs }
    }

    /// Takes the first blocks, so few that as many others of `workers` find some as well.
    pub(crate) fn take(&mut self, workers: usize) -> Option<Range<usize>> {
        let left: usize = self.runs.iter().map(ExactSizeIterator::len).sum();
        let share = (left / workers.saturating_mul(2).max(1)).clamp(1, LONGEST_RUN);
        let first = self.runs.front_mut()?;
        let run = first.start..first.end.min(first.start + share);
        first.start = run.end;
        if first.start == first.end {
            self.runs.pop_front();
        }
        Some(run)
    }

    /// Takes the first run of blocks from `block` on, all of it.
    pub(crate) fn take_from(&mut self, block: usize) -> Option<Range<usize>> {
        let index = self.runs.iter().position(|run| run.end > block)?;
        let run = self.runs.remove(index)?;
        if run.start < block {
            self.runs.insert(index, run.start..block);
        }
        Some(run.start.max(block)..run.end)
    }

    /// Whether somebody brings, or has brought, every block.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Wants blocks (again).
    pub(crate) fn put(&mut self, run: Range<usize>) {
        if run.start == run.end {
            return;
        }
        let index = self.runs.iter().position(|other| other.start > run.start);
        self.runs.insert(index.unwrap_or(self.runs.len()), run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_is_what_is_left() {
        for (size, count, last) in
            [(0, 0, 0), (1, 1, 1), (BLOCK, 1, BLOCK), (BLOCK + 1, 2, 1), (3 * BLOCK, 3, BLOCK)]
        {
            let blocks = Blocks::of(size);
            assert_eq!(blocks.count(), count, "{size}");
            let length = count.checked_sub(1).map_or(0, |block| blocks.length(block));
            assert_eq!(length, last, "{size}");
        }
        assert_eq!(Blocks::of(u64::MAX).end(usize::MAX), u64::MAX);
        assert_eq!(Blocks::of(u64::MAX).at(BLOCK), 1);
    }

    #[test]
    fn shares_get_smaller_towards_the_end_so_that_all_end_together() {
        let mut wanted = Wanted::of(0..100);
        let mut shares = Vec::new();
        while let Some(run) = wanted.take(4) {
            shares.push(run.len());
        }
        assert_eq!(shares.iter().sum::<usize>(), 100);
        assert!(shares.is_sorted_by(|one, other| one >= other), "{shares:?}");
        assert_eq!((shares.first(), shares.last()), (Some(&12), Some(&1)));
    }

    #[test]
    fn what_is_put_back_is_the_first_to_be_taken() {
        let mut wanted = Wanted::of([0, 1, 4, 5, 6]);
        assert_eq!(wanted.take(1), Some(0..2));
        wanted.put(1..2);
        assert_eq!(wanted.take_from(5), Some(5..7));
        assert_eq!(wanted.take(1), Some(1..2));
        assert_eq!(wanted.take(1), Some(4..5));
        assert_eq!(wanted.take(1), None);
        wanted.put(3..3);
        assert_eq!(wanted.take_from(0), None);
    }
}

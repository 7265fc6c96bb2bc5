//! Which blocks of a temporary file are on the disk, in a file beside it that only grows.
//!
//! A line says what it is about, then there is one for each block: its number, its CRC-32, a tag
//! of the answer that it came with, and a check of the line itself. A line that a crash cut short,
//! or that names no block, ends the journal; a line that is whole but not true is found when the
//! block is read and its CRC is another. CRC-32 is enough, because it only tells which block to
//! fetch again: what a file is taken for is decided by its object id.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::beneath::{Beneath, FILE_MODE, Use, has_second_name};

/// What is known about a block on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// CRC-32 (IEEE) of its bytes.
    pub(crate) crc: u32,
    /// CRC-32 of the `ETag` that it came with; 0 without one.
    pub(crate) tag: u32,
}

/// What is known about every block, by its number.
pub(crate) type Table = Vec<Option<Mark>>;

/// A journal that is open for more.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    lines: usize,
}

/// `00000000 00000000 00000000 00000000\n`.
const LINE: usize = 36;
/// Blocks that are fetched again get a second line. A journal that has more than this many lines a
/// block is none of ours.
const MOST_LINES: usize = 16;

impl Journal {
    /// An empty journal about `subject`, on the disk before this returns, with space reserved for a
    /// line for each of `count` blocks. Blocking.
    pub(crate) fn create(path: &Beneath, subject: &str, count: usize) -> io::Result<Self> {
        // One that is there says something else, perhaps to somebody who has it by another name.
        drop(path.remove());
        let mut file = path.open(Use::New)?;
        // As the file that it is about.
        drop(path.hand_over(&file, FILE_MODE));
        let head = head(subject);
        file.write_all(head.as_bytes())?;
        let space = (head.len() + count * LINE) as u64;
        let reserved = rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, space);
        // Not every file system can reserve.
        if let Err(error @ (Errno::NOSPC | Errno::DQUOT)) = reserved {
            return Err(error.into());
        }
        file.sync_all()?;
        Ok(Self { file, lines: 0 })
    }

    /// The journal at `path`, if it is about `subject`, and what it says about its `count` blocks.
    /// Whatever follows its last good line is cut off. Blocking.
    pub(crate) fn open(
        path: &Beneath,
        subject: &str,
        count: usize,
    ) -> io::Result<Option<(Self, Table)>> {
        let mut file = match path.open(Use::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if has_second_name(&file.metadata()?) {
            return Ok(None);
        }
        let head = head(subject);
        let longest = head.len() + count.saturating_mul(LINE * MOST_LINES);
        let mut text = Vec::new();
        io::Read::by_ref(&mut file).take(longest as u64).read_to_end(&mut text)?;
        let Some(lines) = text.strip_prefix(head.as_bytes()) else { return Ok(None) };
        let mut table = vec![None; count];
        let mut good = 0;
        for (block, mark) in lines.chunks(LINE).map_while(parse) {
            let Some(slot) = table.get_mut(block) else { break };
            *slot = Some(mark);
            good += 1;
        }
        let end = (head.len() + good * LINE) as u64;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok(Some((Self { file, lines: good }, table)))
    }

    /// Adds what became known. The blocks themselves have to be on the disk already. Blocking.
    pub(crate) fn append(&mut self, marks: &[(usize, Mark)]) -> io::Result<()> {
        let text: String = marks.iter().map(|(block, mark)| line(*block, *mark)).collect();
        self.file.write_all(text.as_bytes())?;
        self.lines += marks.len();
        self.file.sync_data()
    }

    /// Whether it says nothing about any block.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines == 0
    }
}

fn head(subject: &str) -> String {
    format!("preflight journal 1 {subject} {:08x}\n", crc32fast::hash(subject.as_bytes()))
}

fn line(block: usize, Mark { crc, tag }: Mark) -> String {
    let text = format!("{block:08x} {crc:08x} {tag:08x}");
    format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))
}

fn parse(line: &[u8]) -> Option<(usize, Mark)> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let mut numbers = text.split(' ').map(|word| u32::from_str_radix(word, 16).ok());
    let mut number = || numbers.next().flatten();
    let (block, crc, tag, check) = (number()?, number()?, number()?, number()?);
    let known = text.get(..LINE - 10)?;
    (crc32fast::hash(known.as_bytes()) == check)
        .then(|| (usize::try_from(block).unwrap_or(usize::MAX), Mark { crc, tag }))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const ONE: Mark = Mark { crc: 1, tag: 0xffff_ffff };
    const TWO: Mark = Mark { crc: 0xdead_beef, tag: 0 };

    /// A journal of three blocks, of which two are known, changed, and what is still known then.
    fn reopened(change: impl FnOnce(&mut Vec<u8>)) -> Option<Table> {
        let folder = TempDir::new().unwrap();
        let path = Beneath::root(folder.path()).join("journal");
        let mut journal = Journal::create(&path, "sha256:ab 12", 3).unwrap();
        assert!(journal.is_empty());
        journal.append(&[(0, ONE)]).unwrap();
        journal.append(&[(2, TWO)]).unwrap();
        let mut text = fs_err::read(path.path()).unwrap();
        change(&mut text);
        fs_err::write(path.path(), text).unwrap();
        let opened = Journal::open(&path, "sha256:ab 12", 3).unwrap();
        let (mut journal, table) = opened?;
        // What is added now is not lost behind something torn.
        journal.append(&[(1, ONE)]).unwrap();
        let (_, again) = Journal::open(&path, "sha256:ab 12", 3).unwrap().unwrap();
        assert_eq!(again, [table[0], Some(ONE), table[2]]);
        Some(table)
    }

    #[test]
    fn a_journal_says_the_same_after_a_crash() {
        assert_eq!(reopened(|_| ()), Some(vec![Some(ONE), None, Some(TWO)]));
    }

    #[test]
    fn what_is_torn_or_not_true_ends_it() {
        let torn = reopened(|text| text.truncate(text.len() - 1));
        assert_eq!(torn, Some(vec![Some(ONE), None, None]));
        let flipped = reopened(|text| {
            let last = text.len() - 20;
            text[last] ^= 1;
        });
        assert_eq!(flipped, Some(vec![Some(ONE), None, None]));
        let zeroed = reopened(|text| text.extend([0; 4096]));
        assert_eq!(zeroed, Some(vec![Some(ONE), None, Some(TWO)]));
        let elsewhere = reopened(|text| text.extend(line(3, ONE).into_bytes()));
        assert_eq!(elsewhere, Some(vec![Some(ONE), None, Some(TWO)]));
    }

    #[test]
    fn a_journal_about_something_else_is_none() {
        assert_eq!(reopened(|text| text[22] ^= 1), None);
        assert_eq!(reopened(Vec::clear), None);
        let folder = TempDir::new().unwrap();
        assert!(
            Journal::open(&Beneath::root(folder.path()).join("none"), "x", 1).unwrap().is_none()
        );
    }
}

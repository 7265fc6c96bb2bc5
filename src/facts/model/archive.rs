//! Weights as pickles: zip archives (`torch.save` since 1.6) judged by their end record, and the
//! older bare pickles, of which nothing can be judged. Nothing is ever unpickled.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use thiserror::Error;

/// Why an archive cannot be whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArchiveError {
    /// The file could not be read.
    #[error("cannot be read: {kind}")]
    Read {
        /// The system's word.
        kind: ErrorKind,
    },
    /// The record that ends every zip archive is not there.
    #[error("has no end record: the archive is cut off")]
    NoEnd,
    /// The table of contents is not where the end record says.
    #[error("has its table of contents at {start}..{end}, behind its end record at {record}")]
    Contents {
        /// Bytes from the start.
        start: u64,
        /// Bytes from the start.
        end: u64,
        /// Bytes from the start.
        record: u64,
    },
}

/// The first bytes of a zip archive.
pub(super) const ZIP: &[u8] = b"PK\x03\x04";

/// The end record (APPNOTE.TXT 6.3.10, section 4.3.16) with the longest comment.
const TAIL: u64 = 22 + 65_535;

/// The locator of the 64-bit end record, which directly precedes the end record (4.3.15).
const LOCATOR: usize = 20;

/// Checks that the archive `reader`, which has `size` bytes, has its end.
///
/// # Errors
/// When it has not.
pub fn check(mut reader: impl Read + Seek, size: u64) -> Result<(), ArchiveError> {
    let start = size.saturating_sub(TAIL + LOCATOR as u64);
    let tail = read_at(&mut reader, start, size - start)?;
    let record = tail
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .filter(|position| tail.len() - position >= 22)
        .ok_or(ArchiveError::NoEnd)?;
    let position = start + record as u64;
    let length = u64::from(u32_at(&tail, record + 12));
    let offset = u64::from(u32_at(&tail, record + 16));
    let is_zip64 = offset == u64::from(u32::MAX) || length == u64::from(u32::MAX);
    let (offset, length) = if is_zip64 {
        let locator = record.checked_sub(LOCATOR).ok_or(ArchiveError::NoEnd)?;
        if tail[locator..locator + 4] != *b"PK\x06\x07" {
            return Err(ArchiveError::NoEnd);
        }
        let record64 = read_at(&mut reader, u64_at(&tail, locator + 8), 56)?;
        if record64.len() < 56 || record64[..4] != *b"PK\x06\x06" {
            return Err(ArchiveError::NoEnd);
        }
        (u64_at(&record64, 48), u64_at(&record64, 40))
    } else {
        (offset, length)
    };
    match offset.checked_add(length) {
        Some(end) if end <= position => Ok(()),
        end => Err(ArchiveError::Contents {
            start: offset,
            end: end.unwrap_or(u64::MAX),
            record: position,
        }),
    }
}

/// At most `length` bytes from `offset`; fewer where the file ends.
fn read_at(
    reader: &mut (impl Read + Seek),
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, ArchiveError> {
    let unreadable = |error: std::io::Error| ArchiveError::Read { kind: error.kind() };
    let mut bytes = Vec::new();
    reader.seek(SeekFrom::Start(offset)).map_err(|_refused| ArchiveError::NoEnd)?;
    reader.take(length).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    u32::from_le_bytes(found.unwrap_or_default())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let found = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_le_bytes(found.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// An archive of `contents` bytes of data and a table of contents of `table` bytes.
    fn archive(contents: usize, table: u32) -> Vec<u8> {
        let mut bytes = ZIP.to_vec();
        bytes.resize(contents, 0);
        let offset = u32::try_from(contents).unwrap();
        bytes.resize(contents + table as usize, 0);
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        bytes.extend_from_slice(&table.to_le_bytes());
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes
    }

    fn archive64(contents: usize, table: u64) -> Vec<u8> {
        let mut bytes = ZIP.to_vec();
        bytes.resize(contents + usize::try_from(table).unwrap(), 0);
        let record = bytes.len() as u64;
        bytes.extend_from_slice(b"PK\x06\x06");
        bytes.resize(bytes.len() + 36, 0);
        bytes.extend_from_slice(&table.to_le_bytes());
        bytes.extend_from_slice(&(contents as u64).to_le_bytes());
        bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        bytes.extend_from_slice(&record.to_le_bytes());
        bytes.extend_from_slice(&[1, 0, 0, 0]);
        bytes.extend_from_slice(b"PK\x05\x06");
        bytes.resize(bytes.len() + 8, 0);
        bytes.extend_from_slice(&[0xff; 8]);
        bytes.extend_from_slice(&[0, 0]);
        bytes
    }

    fn verdict(bytes: &[u8]) -> Result<(), ArchiveError> {
        check(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn an_archive_is_whole_when_its_end_is_there() {
        for bytes in [archive(200_000, 300), archive(40, 0), archive64(200_000, 300)] {
            assert_eq!(verdict(&bytes), Ok(()));
            assert_eq!(verdict(&bytes[..bytes.len() - 1]), Err(ArchiveError::NoEnd));
            assert_eq!(verdict(&bytes[..bytes.len() / 2]), Err(ArchiveError::NoEnd));
        }
        assert_eq!(verdict(b""), Err(ArchiveError::NoEnd));
    }

    #[test]
    fn an_archive_that_lost_its_middle_is_not_whole() {
        let mut bytes = archive(100_000, 300);
        bytes.drain(1_000..2_000);
        assert!(matches!(verdict(&bytes), Err(ArchiveError::Contents { .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at: usize, step: u8) {
            let _ = verdict(&bytes);
            let mut archive = archive64(100, 20);
            let at = at % archive.len();
            archive[at] = archive[at].wrapping_add(step);
            let _ = verdict(&archive);
        }
    }
}

//! A file that comes piece by piece, of which one at a time is in memory.

use std::io::{self, Read, Seek, SeekFrom};

/// Where the pieces of a file come from.
pub trait Source {
    /// Bytes of the file.
    fn size(&self) -> u64;

    /// The piece that begins at `position`; empty where nothing is there. `follows`: it begins where the
    /// one before it ended.
    ///
    /// # Errors
    /// When it does not come.
    fn piece(&mut self, position: u64, follows: bool) -> io::Result<Vec<u8>>;
}

/// A reader of such a file.
pub struct Pieces<S> {
    source: S,
    position: u64,
    /// Where [`Pieces::piece`] begins.
    start: u64,
    piece: Vec<u8>,
}

impl<S: Source> Pieces<S> {
    /// At the beginning of the file, with its first piece at hand.
    ///
    /// # Errors
    /// When that does not come.
    pub fn open(source: S) -> io::Result<Self> {
        let mut pieces = Self { source, position: 0, start: 0, piece: Vec::new() };
        pieces.fill()?;
        Ok(pieces)
    }

    /// Brings the piece that begins at the position.
    fn fill(&mut self) -> io::Result<()> {
        let follows = self.position == self.start + self.piece.len() as u64;
        self.piece = Vec::new();
        self.start = self.position;
        self.piece = self.source.piece(self.position, follows)?;
        Ok(())
    }

    /// What is at the position and at hand.
    fn at_hand(&self) -> &[u8] {
        let ahead = self.position.checked_sub(self.start).and_then(|it| usize::try_from(it).ok());
        ahead.and_then(|ahead| self.piece.get(ahead..)).unwrap_or_default()
    }
}

impl<S: Source> Read for Pieces<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.source.size() <= self.position {
            return Ok(0);
        }
        if self.at_hand().is_empty() {
            self.fill()?;
        }
        let at_hand = self.at_hand();
        let length = at_hand.len().min(buffer.len());
        buffer[..length].copy_from_slice(&at_hand[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl<S: Source> Seek for Pieces<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.source.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

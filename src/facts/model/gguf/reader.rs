//! Reads a header field by field, never past the file's end and never more than is kept.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read, Seek};

use super::GgufError;

/// A vocabulary of 9 MB takes forty reads, and a small header one.
const BUFFER: usize = 256 << 10;

/// The longest string that ggml 0.27.0 reads.
const LONGEST_STRING: u64 = 1 << 30;

/// Which field is being read; text is only made of it when it cannot be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<'a> {
    /// One of the four fixed fields.
    Fixed(&'static str),
    /// Everything that a count announces.
    List(&'static str),
    /// The name of the metadata entry with that index.
    Key(u64),
    /// The value of the metadata entry with that name.
    Value(&'a str),
    /// The description of the tensor with that index.
    Tensor(u64),
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(name) => f.write_str(name),
            Self::List(name) => write!(f, "the list of {name}"),
            Self::Key(index) => write!(f, "the name of metadata entry {index}"),
            Self::Value(key) => write!(f, "the value of `{key}`"),
            Self::Tensor(index) => write!(f, "the description of tensor {index}"),
        }
    }
}

/// A position in a file whose size is known.
#[derive(Debug)]
pub(super) struct Reader<R> {
    inner: BufReader<R>,
    offset: u64,
    size: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Starts at the first byte of `inner`, which has `size` bytes.
    pub(super) fn new(inner: R, size: u64) -> Self {
        let buffer = usize::try_from(size).unwrap_or(BUFFER).clamp(64, BUFFER);
        Self { inner: BufReader::with_capacity(buffer, inner), offset: 0, size }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn remaining(&self) -> u64 {
        self.size.saturating_sub(self.offset)
    }

    /// That `needed` more bytes are there.
    pub(super) fn need(&self, needed: u64, field: Field<'_>) -> Result<(), GgufError> {
        if needed <= self.remaining() {
            return Ok(());
        }
        Err(GgufError::Ends {
            field: field.to_string(),
            offset: self.offset,
            needed,
            remaining: self.remaining(),
        })
    }

    pub(super) fn bytes<const N: usize>(&mut self, field: Field<'_>) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, field)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, field: Field<'_>) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.bytes(field)?))
    }

    pub(super) fn u64(&mut self, field: Field<'_>) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.bytes(field)?))
    }

    pub(super) fn i64(&mut self, field: Field<'_>) -> Result<i64, GgufError> {
        Ok(i64::from_le_bytes(self.bytes(field)?))
    }

    /// Passes over `count` bytes.
    pub(super) fn skip(&mut self, count: u64, field: Field<'_>) -> Result<(), GgufError> {
        self.need(count, field)?;
        // A file of more than 2^63 bytes cannot be.
        let distance = i64::try_from(count).unwrap_or(i64::MAX);
        self.inner
            .seek_relative(distance)
            .map_err(|error| GgufError::Read { offset: self.offset, kind: error.kind() })?;
        self.offset += count;
        Ok(())
    }

    /// The length of a string, believed only as far as the file goes.
    pub(super) fn string_length(&mut self, field: Field<'_>) -> Result<u64, GgufError> {
        let start = self.offset;
        let length = self.u64(field)?;
        if length > LONGEST_STRING {
            return Err(GgufError::TooLong {
                field: field.to_string(),
                offset: start,
                length,
                limit: LONGEST_STRING,
            });
        }
        self.need(length, field)?;
        Ok(length)
    }

    /// A string of at most `limit` bytes.
    pub(super) fn string(&mut self, limit: usize, field: Field<'_>) -> Result<Vec<u8>, GgufError> {
        let start = self.offset;
        let length = self.string_length(field)?;
        match usize::try_from(length) {
            Ok(kept) if kept <= limit => {
                let mut bytes = vec![0; kept];
                self.fill(&mut bytes, field)?;
                Ok(bytes)
            }
            Ok(_) | Err(_) => Err(GgufError::TooLong {
                field: field.to_string(),
                offset: start,
                length,
                limit: limit as u64,
            }),
        }
    }

    /// Passes over `count` strings: vocabularies have hundreds of thousands, so those that lie in
    /// the buffer as a whole are passed over without being read.
    pub(super) fn skip_strings(&mut self, count: u64, field: Field<'_>) -> Result<(), GgufError> {
        let mut left = count;
        while left > 0 {
            let buffer = self.inner.buffer();
            // The file may have grown since its size was taken.
            let known = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(buffer.len());
            let (passed, bytes) = whole_strings(&buffer[..known], left);
            self.inner.consume(bytes);
            self.offset += bytes as u64;
            left -= passed;
            if left > 0 {
                let length = self.string_length(field)?;
                self.skip(length, field)?;
                left -= 1;
            }
        }
        Ok(())
    }

    /// Fills `bytes`.
    pub(super) fn fill(&mut self, bytes: &mut [u8], field: Field<'_>) -> Result<(), GgufError> {
        self.need(bytes.len() as u64, field)?;
        self.inner
            .read_exact(bytes)
            .map_err(|error| GgufError::Read { offset: self.offset, kind: error.kind() })?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

/// How many strings, at most `most`, lie in `buffer` from its beginning, and how many bytes they
/// take.
fn whole_strings(buffer: &[u8], most: u64) -> (u64, usize) {
    let mut rest = buffer;
    let mut passed = 0;
    while passed < most
        && let Some((length, behind)) = rest.split_first_chunk()
        && let Ok(length) = usize::try_from(u64::from_le_bytes(*length))
        && let Some(after) = behind.get(length..)
    {
        rest = after;
        passed += 1;
    }
    (passed, buffer.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_passed_over_as_far_as_the_buffer_has_them() {
        let text = [&3_u64.to_le_bytes()[..], b"abc", &0_u64.to_le_bytes(), &9_u64.to_le_bytes()];
        let buffer = [&text.concat()[..], b"short"].concat();
        assert_eq!(whole_strings(&buffer, 9), (2, 19));
        assert_eq!(whole_strings(&buffer, 1), (1, 11));
        assert_eq!(whole_strings(&buffer[..10], 9), (0, 0));
        assert_eq!(whole_strings(&u64::MAX.to_le_bytes(), 9), (0, 0));
    }
}

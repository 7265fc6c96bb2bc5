//! Contents that are made while they are sent, so that a test can serve gigabytes.

use std::io::{self, Read};
use std::sync::Arc;

/// A content that follows from its seed: some bytes of the test's own, then pages of noise, each of
/// which begins with its number, so that bytes in the wrong place are wrong bytes.
#[derive(Debug, Clone)]
pub struct Made {
    head: Arc<[u8]>,
    page: Arc<[u8]>,
    size: u64,
}

/// Reads a [`Made`] content.
#[derive(Debug)]
pub struct MadeReader {
    made: Made,
    at: u64,
}

const PAGE: usize = 64 * 1024;

impl Made {
    /// `head`, and noise up to `size` bytes altogether. The same seed makes the same noise.
    #[must_use]
    pub fn new(head: &[u8], size: u64, seed: u64) -> Self {
        let mut state = seed;
        let words = std::iter::repeat_with(|| {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        });
        let page: Vec<u8> = words.take(PAGE / 8).flat_map(u64::to_le_bytes).collect();
        Self { head: head.into(), page: page.into(), size }
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads from a byte on.
    #[must_use]
    pub fn reader(&self, start: u64) -> MadeReader {
        MadeReader { made: self.clone(), at: start.min(self.size) }
    }
}

impl Read for MadeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.made.size - self.at).unwrap_or(usize::MAX);
        let mut most = buffer.len().min(left);
        let source = match self.made.head.get(usize::try_from(self.at).unwrap_or(usize::MAX)..) {
            Some(head) if !head.is_empty() => head,
            Some(_) | None => {
                let in_page = usize::try_from(self.at % PAGE as u64).unwrap_or(0);
                let number = (self.at / PAGE as u64).to_le_bytes();
                if in_page < number.len() {
                    most = most.min(number.len() - in_page);
                    buffer[..most].copy_from_slice(&number[in_page..][..most]);
                    self.at += most as u64;
                    return Ok(most);
                }
                &self.made.page[in_page..]
            }
        };
        most = most.min(source.len());
        buffer[..most].copy_from_slice(&source[..most]);
        self.at += most as u64;
        Ok(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_the_same_as_in_the_whole() {
        let made = Made::new(b"head", 200_000, 7);
        let mut whole = Vec::new();
        made.reader(0).read_to_end(&mut whole).unwrap();
        assert_eq!(whole.len(), 200_000);
        assert_eq!(whole[..4], *b"head");
        for start in [0, 3, 4, 65_535, 65_536, 65_540, 199_999, 200_000, 300_000] {
            let mut part = Vec::new();
            made.reader(start).read_to_end(&mut part).unwrap();
            let start = usize::try_from(start).unwrap().min(whole.len());
            assert!(part == whole[start..], "from {start} on");
        }
        assert_ne!(whole[65_536..65_544], whole[131_072..131_080]);
    }
}

//! The head of a tar entry, as the archive endpoint sends it before a file's bytes: POSIX.1-2001
//! ("pax"), which Go's `archive/tar` writes. Pure.

use std::str;

/// Bytes of a header, and what everything is padded to.
pub(super) const BLOCK: usize = 512;

/// The most bytes of extended headers that are read; names and sizes take a few hundred.
const LONGEST_EXTENSION: usize = 64 * 1024;

/// What a tar entry says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Whether it is a regular file.
    pub(super) is_file: bool,
    /// Bytes of its content.
    pub(super) size: u64,
    /// Owner.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
}

/// How far the beginning of an archive could be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The entry, and where its content begins.
    Whole(Header, usize),
    /// More bytes are needed.
    Short,
    /// It is no tar archive.
    Broken,
}

/// What extended headers say instead of the entry's own fields.
#[derive(Debug, Default)]
struct Extended {
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
}

/// Reads the first entry of the archive that begins with `bytes`.
pub(super) fn head(bytes: &[u8]) -> Head {
    let mut extended = Extended::default();
    let mut start = 0;
    loop {
        let Some(block) = bytes.get(start..start + BLOCK) else { return Head::Short };
        if !has_its_checksum(block) {
            return Head::Broken;
        }
        let Some(size) = number(&block[124..136]) else { return Head::Broken };
        let content = start + BLOCK;
        match block[156] {
            b'x' | b'g' | b'L' | b'K' => {
                let Some(left) = LONGEST_EXTENSION.checked_sub(content) else {
                    return Head::Broken;
                };
                let length = usize::try_from(size).ok().filter(|length| *length <= left);
                let Some(length) = length else { return Head::Broken };
                let Some(records) = bytes.get(content..content + length) else {
                    return Head::Short;
                };
                if block[156] == b'x' {
                    extended.read(records);
                }
                start = content + length.next_multiple_of(BLOCK);
            }
            kind => {
                let id = |field: &[u8]| number(field).and_then(|id| u32::try_from(id).ok());
                let uid = extended.uid.or_else(|| id(&block[108..116]));
                let gid = extended.gid.or_else(|| id(&block[116..124]));
                let (Some(uid), Some(gid)) = (uid, gid) else { return Head::Broken };
                let is_file = matches!(kind, b'0' | 0);
                let size = extended.size.unwrap_or(size);
                return Head::Whole(Header { is_file, size, uid, gid }, content);
            }
        }
    }
}

/// The sum of all bytes, those of the checksum itself taken for spaces.
fn has_its_checksum(block: &[u8]) -> bool {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let spaces = 8 * u64::from(b' ');
    number(&block[148..156]) == Some(sum(&block[..148]) + spaces + sum(&block[156..]))
}

/// Octal digits, or the big-endian number of GNU's extension, which the highest bit announces.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let start = u64::from(first & 0x7f);
        return rest.iter().try_fold(start, |number, byte| {
            number.checked_mul(256).map(|number| number | u64::from(*byte))
        });
    }
    let text = str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|character| matches!(character, ' ' | '\0'));
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

impl Extended {
    /// Records of the form `LENGTH KEY=VALUE\n`, where the length counts all of it.
    fn read(&mut self, mut records: &[u8]) {
        while let Some((record, rest)) = split_record(records) {
            records = rest;
            match record {
                ("size", value) => self.size = value.parse().ok(),
                ("uid", value) => self.uid = value.parse().ok(),
                ("gid", value) => self.gid = value.parse().ok(),
                _ => {}
            }
        }
    }
}

fn split_record(records: &[u8]) -> Option<((&str, &str), &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let text = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let separator = text.iter().position(|byte| *byte == b'=')?;
    // A value that is no text (an attribute) is none of those that are wanted.
    let key = str::from_utf8(&text[..separator]).unwrap_or_default();
    let value = str::from_utf8(&text[separator + 1..]).unwrap_or_default();
    Some(((key, value), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with that type and size.
    fn block(kind: u8, size: u64, uid: &[u8; 8]) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..4].copy_from_slice(b"name");
        block[108..116].copy_from_slice(uid);
        block[116..124].copy_from_slice(b"0000144\0");
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        with_checksum(block)
    }

    fn with_checksum(mut block: Vec<u8>) -> Vec<u8> {
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn extension(kind: u8, records: &[u8]) -> Vec<u8> {
        let mut bytes = block(kind, records.len() as u64, b"0000000\0");
        bytes.extend_from_slice(records);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn whole(is_file: bool, size: u64, uid: u32, content: usize) -> Head {
        Head::Whole(Header { is_file, size, uid, gid: 100 }, content)
    }

    #[test]
    fn a_file_and_a_folder_are_told_apart() {
        assert_eq!(head(&block(b'0', 5, b"0001750\0")), whole(true, 5, 1000, BLOCK));
        assert_eq!(head(&block(b'5', 0, b"0000000\0")), whole(false, 0, 0, BLOCK));
        assert_eq!(head(&block(b'2', 0, b"0000000\0")), whole(false, 0, 0, BLOCK));
    }

    #[test]
    fn extended_headers_say_what_the_fields_cannot() {
        let records =
            b"23 size=68719476736000\n18 uid=4294967294\n30 SCHILY.xattr.user.x=\xff\xfe==\n";
        let bytes = [extension(b'x', records), block(b'0', 0, b"0000000\0")].concat();
        assert_eq!(head(&bytes), whole(true, 68_719_476_736_000, u32::MAX - 1, 3 * BLOCK));
        let named = [extension(b'L', &[b'n'; 600]), block(b'0', 7, b"0000000\0")].concat();
        assert_eq!(head(&named), whole(true, 7, 0, 4 * BLOCK));
        let binary = block(b'0', 7, &[0x80, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(head(&binary), whole(true, 7, 65_536, BLOCK));
    }

    #[test]
    fn what_is_cut_off_needs_more_and_what_is_wrong_is_refused() {
        let bytes = [extension(b'x', b"11 size=99\n"), block(b'0', 0, b"0000000\0")].concat();
        for length in 0..bytes.len() {
            assert_eq!(head(&bytes[..length]), Head::Short, "{length}");
        }
        assert_eq!(head(&bytes), whole(true, 99, 0, 3 * BLOCK));
        assert_eq!(head(&[0; BLOCK]), Head::Broken);
        assert_eq!(head(&block(b'x', u64::from(u32::MAX), b"0000000\0")), Head::Broken);
        let mut longest = block(b'x', 0, b"0000000\0");
        longest[124..136].copy_from_slice(&[0x80, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(head(&with_checksum(longest)), Head::Broken);
        assert_eq!(head(&block(b'g', 0, b"0000000\0").repeat(200)), Head::Broken);
        assert_eq!(head("x".repeat(BLOCK).as_bytes()), Head::Broken);
        for records in [&b"999 size=1\n"[..], b"0 \n", b"size", b"8 size=\n", b"3 \xff\n", b"7 =\n"]
        {
            let bytes = [extension(b'x', records), block(b'0', 3, b"0000000\0")].concat();
            assert_eq!(head(&bytes), whole(true, 3, 0, 3 * BLOCK), "{records:?}");
        }
    }
}

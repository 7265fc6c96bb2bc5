//! A GGUF file taken apart, so that one part of it can be changed and the rest stays genuine.

use std::path::Path;

/// A whole file. Offsets and padding are computed when it is written.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) version: u32,
    /// Of the data, in bytes; [`Document::parse`] assumes the usual 32.
    pub(crate) alignment: usize,
    pub(crate) keys: Vec<Key>,
    pub(crate) tensors: Vec<Tensor>,
}

/// One metadata entry.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// Type and value, as they are in the file.
    pub(crate) value: Vec<u8>,
}

/// One tensor.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<i64>,
    pub(crate) kind: u32,
    /// Added to the offset that is written.
    pub(crate) shift: u64,
    pub(crate) data: Vec<u8>,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        self.at += count;
        &self.bytes[self.at - count..self.at]
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn count(&mut self) -> usize {
        usize::try_from(self.u64()).unwrap()
    }

    fn string(&mut self) -> String {
        let length = self.count();
        String::from_utf8(self.take(length).to_vec()).unwrap()
    }

    fn skip_value(&mut self, kind: u32) {
        match kind {
            0 | 1 | 7 => self.at += 1,
            2 | 3 => self.at += 2,
            4..=6 => self.at += 4,
            8 => {
                self.string();
            }
            9 => {
                let (kind, count) = (self.u32(), self.count());
                (0..count).for_each(|_| self.skip_value(kind));
            }
            _ => self.at += 8,
        }
    }
}

impl Document {
    /// Takes a sound file with the usual alignment apart.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut cursor = Cursor { bytes, at: 4 };
        let version = cursor.u32();
        let (n_tensors, n_keys) = (cursor.count(), cursor.count());
        let keys = (0..n_keys).map(|_| {
            let name = cursor.string();
            let start = cursor.at;
            let kind = cursor.u32();
            cursor.skip_value(kind);
            Key { name, value: bytes[start..cursor.at].to_vec() }
        });
        let keys = keys.collect();
        let mut tensors = Vec::new();
        let mut offsets = Vec::new();
        for _ in 0..n_tensors {
            let name = cursor.string();
            let dimensions = cursor.u32();
            let shape = (0..dimensions).map(|_| i64::try_from(cursor.u64()).unwrap()).collect();
            let kind = cursor.u32();
            offsets.push(cursor.count());
            tensors.push(Tensor { name, shape, kind, shift: 0, data: Vec::new() });
        }
        let start = cursor.at.next_multiple_of(32);
        offsets.push(bytes.len() - start);
        for (tensor, range) in tensors.iter_mut().zip(offsets.windows(2)) {
            tensor.data = bytes[start + range[0]..start + range[1]].to_vec();
        }
        Self { version, alignment: 32, keys, tensors }
    }

    /// Puts the file together again.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.header(|tensor| tensor.data.len());
        for tensor in &self.tensors {
            out.extend(&tensor.data);
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        out
    }

    /// Writes it with tensors of these sizes, and without their data, of which every byte is 0.
    pub(crate) fn write_sparse(&self, path: &Path, size: impl Fn(&Tensor) -> usize) {
        let data = self.tensors.iter().map(|tensor| size(tensor).next_multiple_of(32));
        let data = data.sum::<usize>() as u64;
        let header = self.header(size);
        fs_err::write(path, &header).unwrap();
        let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(header.len() as u64 + data).unwrap();
    }

    /// All that stands before the data, whose sizes `size` gives.
    pub(crate) fn header(&self, size: impl Fn(&Tensor) -> usize) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        for key in &self.keys {
            out.extend(string(&key.name));
            out.extend(&key.value);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            out.extend(string(&tensor.name));
            out.extend(u32::try_from(tensor.shape.len()).unwrap().to_le_bytes());
            tensor.shape.iter().for_each(|extent| out.extend(extent.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend((offset + tensor.shift).to_le_bytes());
            offset += size(tensor).next_multiple_of(self.alignment) as u64;
        }
        if !self.tensors.is_empty() {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        out
    }

    /// Every place in the written file where one field ends and the next begins: of the header, of
    /// every entry, of every tensor's description, of the data.
    pub(crate) fn borders(&self) -> Vec<usize> {
        let mut at = 0;
        let mut borders = Vec::new();
        let mut fields = |lengths: &[usize]| {
            for length in lengths {
                at += length;
                borders.push(at);
            }
        };
        fields(&[4, 4, 8, 8]);
        for key in &self.keys {
            fields(&[8, key.name.len(), 4, key.value.len() - 4]);
        }
        for tensor in &self.tensors {
            fields(&[8, tensor.name.len(), 4]);
            tensor.shape.iter().for_each(|_| fields(&[8]));
            fields(&[4, 8]);
        }
        let end = borders.last().copied().unwrap_or_default();
        let mut start = end.next_multiple_of(self.alignment);
        for tensor in &self.tensors {
            borders.push(start);
            start += tensor.data.len().next_multiple_of(self.alignment);
        }
        borders.dedup();
        borders
    }

    pub(crate) fn key(&mut self, name: &str) -> &mut Key {
        self.keys.iter_mut().find(|key| key.name == name).unwrap()
    }

    pub(crate) fn remove_key(&mut self, name: &str) {
        self.keys.retain(|key| key.name != name);
    }

    pub(crate) fn add_key(&mut self, name: &str, kind: u32, value: &[u8]) {
        let value = [&kind.to_le_bytes()[..], value].concat();
        self.keys.push(Key { name: name.to_owned(), value });
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
    }

    /// The same model in `count` files, as `llama-gguf-split` writes it.
    pub(crate) fn split(&self, count: u16) -> Vec<Self> {
        let each = self.tensors.len().div_ceil(usize::from(count));
        let part = |(number, tensors): (usize, &[Tensor])| {
            let mut part = Self { keys: Vec::new(), tensors: tensors.to_vec(), ..*self };
            if number == 0 {
                part.keys = self.keys.clone();
            }
            part.add_key("split.no", 2, &u16::try_from(number).unwrap().to_le_bytes());
            part.add_key("split.count", 2, &count.to_le_bytes());
            let tensors = i32::try_from(self.tensors.len()).unwrap();
            part.add_key("split.tensors.count", 5, &tensors.to_le_bytes());
            part
        };
        self.tensors.chunks(each).enumerate().map(part).collect()
    }
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

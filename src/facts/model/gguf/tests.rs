//! The genuine tiny model, and what a few changed bytes make of it.

use std::io::Cursor;

use super::*;

const TINY: &str = "examples/quickstart/models/gguf/tiny-Q4_K_M.gguf";

fn tiny() -> Vec<u8> {
    fs_err::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(TINY)).unwrap()
}

/// Where `needle` is for the first time.
fn find(bytes: &[u8], needle: &str) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle.as_bytes()).unwrap()
}

/// The first thing that is wrong, empty for nothing.
fn verdict(bytes: &[u8]) -> String {
    match read(Cursor::new(bytes), bytes.len() as u64) {
        Err(error) => error.to_string(),
        Ok(header) => match (header.outside, header.refused, header.newer.first()) {
            (Some(outside), ..) => format!("{} ends at {}", outside.tensor, outside.end),
            (None, Some(refused), _) => refused.to_string(),
            (None, None, Some(newer)) => format!("{newer:?}"),
            (None, None, None) => String::new(),
        },
    }
}

fn check(change: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut bytes = tiny();
    change(&mut bytes);
    let found = verdict(&bytes);
    assert!(found.contains(expected), "{found:?} does not contain {expected:?}");
    assert_eq!(found.is_empty(), expected.is_empty(), "{found}");
}

/// Writes `value` behind the name `after` and `skip` more bytes.
fn put(bytes: &mut [u8], after: &str, skip: usize, value: &[u8]) {
    let at = find(bytes, after) + after.len() + skip;
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn rename(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let at = find(bytes, from);
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
}

#[test]
fn the_header_says_what_the_model_is() {
    let bytes = tiny();
    let header = read(Cursor::new(&bytes), bytes.len() as u64).unwrap();
    let metadata = &header.metadata;
    assert_eq!(metadata.architecture.as_deref(), Some("llama"));
    assert_eq!((metadata.context_length, metadata.block_count), (Some(2048), Some(2)));
    assert_eq!((metadata.head_count, metadata.head_count_kv), (Some(4), Some(2)));
    assert_eq!((metadata.tokenizer.as_deref(), metadata.tokens), (Some("llama"), Some(264)));
    assert_eq!(header.quantisation(), Some("Q4_K_M"));
    assert_eq!((header.tensors, header.census.get(&12)), (21, Some(&13)));
    assert_eq!((header.expected_size, header.actual_size), (812_224, 812_224));
    assert_eq!(header.trailing_bytes(), 0);
}

#[test]
fn a_missing_last_byte_is_named_with_its_tensor() {
    check(
        |bytes| {
            bytes.pop();
        },
        "blk.1.ffn_up.weight ends at 812224",
    );
}

#[test]
fn bytes_behind_the_end_are_counted_and_harmless() {
    let mut bytes = tiny();
    bytes.resize(bytes.len() + 4096, 7);
    assert_eq!(verdict(&bytes), "");
    let header = read(Cursor::new(&bytes), bytes.len() as u64).unwrap();
    assert_eq!(header.trailing_bytes(), 4096);
}

#[test]
fn what_llama_cpp_refuses_is_refused() {
    check(|_| {}, "");
    check(|bytes| bytes[4] = 2, "");
    check(|bytes| bytes[4] = 1, "format version 1");
    check(|bytes| bytes[4] = 4, "format version 4");
    check(|bytes| bytes[4] = 0, "format version 0");
    check(|bytes| bytes[4..8].copy_from_slice(&3_u32.to_be_bytes()), "big-endian");
    check(|bytes| bytes[0] = b'g', "begins with");
    check(|bytes| bytes[15] = 0x10, "tensors, and at most");
    check(|bytes| bytes[16..24].fill(0xff), "says that it has -1 metadata entries");
    check(|bytes| bytes[29] = 1, "and at most 1073741824 are read");
    check(|bytes| put(bytes, "llama.block_count", 0, &77_u32.to_le_bytes()), "value type 77");
    check(|bytes| put(bytes, "tokenizer.ggml.scores", 4, &[9]), "value type 9");
    check(|bytes| put(bytes, "tokenizer.ggml.scores", 8, &[0xff; 8]), "elements in `token");
    check(|bytes| rename(bytes, "llama.rope.dimension_count", "llama.rope.dimension_coun\0"), "");
    check(
        |bytes| rename(bytes, "tokenizer.ggml.eos_token_id", "tokenizer.ggml.bos_token_id"),
        "`tokenizer.ggml.bos_token_id` twice",
    );
    check(
        |bytes| rename(bytes, "llama.context_length", "llama.context_lengtX"),
        "llama.context_length",
    );
    check(|bytes| rename(bytes, "llama.block_count", "llama.block_counX"), "llama.block_count");
    check(|bytes| put(bytes, "llama.block_count", 0, &[5]), "as i32, and llama.cpp needs u32");
    check(|bytes| put(bytes, "llama.block_count", 4, &[1, 2]), "has 513 layers");
    check(
        |bytes| rename(bytes, "tokenizer.ggml.model", "tokenizer.ggml.modeX"),
        "tokenizer.ggml.model",
    );
    check(
        |bytes| rename(bytes, "tokenizer.ggml.tokens", "tokenizer.ggml.tokenX"),
        "tokenizer.ggml.tokens",
    );
    check(|bytes| put(bytes, "general.architecture", 12, b"lla9a"), "Architecture(\"lla9a\")");
    check(|bytes| put(bytes, "tokenizer.ggml.model", 12, b"llamX"), "Tokenizer(\"llamX\")");
}

#[test]
fn what_cannot_be_a_tensor_is_refused() {
    let q = "blk.1.attn_q.weight";
    check(|bytes| put(bytes, q, 0, &[5]), "5 dimensions");
    check(|bytes| put(bytes, q, 4, &[0xff; 8]), "which cannot be counted");
    check(|bytes| put(bytes, q, 4, &[1]), "rows of 257 elements in type Q4_K");
    check(|bytes| put(bytes, q, 20, &[200]), "type 200, which is none");
    check(|bytes| put(bytes, q, 20, &[4]), "type 4, which ggml has removed");
    check(|bytes| put(bytes, q, 20, &[38]), "type 38, which ggml has removed");
    check(
        |bytes| put(bytes, q, 20, &[50]),
        "TensorType { tensor: \"blk.1.attn_q.weight\", id: 50 }",
    );
    check(|bytes| put(bytes, q, 24, &[64]), "at offset 484672 instead of 484640");
    check(|bytes| rename(bytes, "blk.1.attn_q.weight", "blk.1.attn_k.weight"), "another tensor");
    check(|bytes| rename(bytes, q, "blk.1.attn_x.weight"), "has no tensor `blk.1.attn_q.weight`");
    check(
        |bytes| put(bytes, q, 4, &[&512_u64.to_le_bytes()[..], &128_u64.to_le_bytes()].concat()),
        "the shape [512, 128, 1, 1] instead of [256, 256]",
    );
}

#[test]
fn every_cut_is_noticed_and_none_panics() {
    let bytes = tiny();
    let data_start = 7840;
    let borders = (0..data_start).chain((data_start..bytes.len()).step_by(997));
    for length in borders {
        let found = verdict(&bytes[..length]);
        assert!(!found.is_empty(), "cut at {length}");
        let inside = length < 7827;
        let names_end = found.contains("ends inside");
        assert_eq!(names_end, inside, "cut at {length}: {found}");
    }
}

/// A number generator with a fixed start, so that a failure repeats.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit
    }
}

#[test]
fn single_changed_fields_never_panic_and_never_pass_the_end() {
    let genuine = tiny();
    let mut numbers = Numbers(7);
    for _ in 0..4_000 {
        let mut bytes = genuine[..7900].to_vec();
        let at = numbers.below(7827);
        let width = 1 << numbers.below(4);
        let value = match numbers.below(3) {
            0 => u64::MAX,
            1 => 1 << numbers.below(64),
            _ => numbers.next(),
        };
        let width = width.min(bytes.len() - at);
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        let _ = read(Cursor::new(&bytes), genuine.len() as u64);
        let _ = verdict(&bytes);
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut bytes: Vec<u8>, keys in 0_u8..4, tensors in 0_u8..4) {
        let _ = verdict(&bytes);
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend_from_slice(&u64::from(tensors).to_le_bytes());
        file.extend_from_slice(&u64::from(keys).to_le_bytes());
        file.append(&mut bytes);
        let _ = verdict(&file);
    }

    #[test]
    fn sizes_that_lie_are_survived(size: u64) {
        let _ = read(Cursor::new(tiny()), size);
    }
}

//! How long it takes to judge models by their headers: `cargo bench --bench models`.
//!
//! The files are sparse, as large as real ones: nothing but headers is read, or it would show.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "it says what it measured")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use preflight::facts::model::examine;
use preflight::project::view::local::LocalView;

const ROUNDS: u32 = 20;

fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let gguf = gguf(scratch.path());
    measure("GGUF file, 9 MB of header, 5 GB", &gguf, Duration::from_millis(10));
    let folder = folder(scratch.path());
    measure("folder, 60 shards, 3840 tensors, 60 GB", &folder, Duration::from_millis(20));
}

/// The best and the median of some rounds, against what is wanted.
fn measure(what: &str, path: &Path, wanted: Duration) {
    let round = |_| {
        let start = Instant::now();
        let facts = examine(&LocalView, path);
        let took = start.elapsed();
        assert!(facts.complete(), "{facts:?}");
        took
    };
    let mut times: Vec<Duration> = (0..ROUNDS).map(round).collect();
    times.sort_unstable();
    let (best, median) = (times[0], times[times.len() / 2]);
    println!("{what}: best {best:.1?}, median {median:.1?}, wanted {wanted:?}");
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn key(out: &mut Vec<u8>, name: &str, kind: u32) {
    string(out, name);
    out.extend(kind.to_le_bytes());
}

/// A model as large as Llama 3 8B in Q8_0, with a vocabulary that takes 9 MB.
fn gguf(folder: &Path) -> PathBuf {
    const LAYERS: u64 = 32;
    let mut tensors = vec![("token_embd.weight".to_owned(), vec![4096_u64, 200_000])];
    for layer in 0..LAYERS {
        let shapes: [(&str, &[u64]); 9] = [
            ("attn_norm", &[4096]),
            ("attn_q", &[4096, 4096]),
            ("attn_k", &[4096, 1024]),
            ("attn_v", &[4096, 1024]),
            ("attn_output", &[4096, 4096]),
            ("ffn_norm", &[4096]),
            ("ffn_gate", &[4096, 14336]),
            ("ffn_down", &[14336, 4096]),
            ("ffn_up", &[4096, 14336]),
        ];
        let named =
            shapes.map(|(name, shape)| (format!("blk.{layer}.{name}.weight"), shape.into()));
        tensors.extend(named);
    }
    tensors.push(("output_norm.weight".to_owned(), vec![4096]));
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend(12_u64.to_le_bytes());
    key(&mut out, "general.architecture", 8);
    string(&mut out, "llama");
    for (name, value) in [
        ("context_length", 131_072_u32),
        ("embedding_length", 4096),
        ("block_count", 32),
        ("feed_forward_length", 14336),
        ("attention.head_count", 32),
        ("attention.head_count_kv", 8),
    ] {
        key(&mut out, &format!("llama.{name}"), 4);
        out.extend(value.to_le_bytes());
    }
    key(&mut out, "llama.attention.layer_norm_rms_epsilon", 6);
    out.extend(1e-5_f32.to_le_bytes());
    key(&mut out, "tokenizer.ggml.model", 8);
    string(&mut out, "gpt2");
    for (name, count) in [("tokens", 200_000_u64), ("merges", 280_000)] {
        key(&mut out, &format!("tokenizer.ggml.{name}"), 9);
        out.extend(8_u32.to_le_bytes());
        out.extend(count.to_le_bytes());
        (0..count).for_each(|number| string(&mut out, &format!("token{number:06}")));
    }
    key(&mut out, "tokenizer.ggml.pre", 8);
    string(&mut out, "llama-bpe");
    let mut offset = 0;
    for (name, shape) in &tensors {
        string(&mut out, name);
        out.extend(u32::try_from(shape.len()).unwrap().to_le_bytes());
        shape.iter().for_each(|extent| out.extend(extent.to_le_bytes()));
        out.extend(8_u32.to_le_bytes());
        out.extend(u64::to_le_bytes(offset));
        offset += shape.iter().product::<u64>() / 32 * 34;
    }
    let header = out.len().next_multiple_of(32) as u64;
    assert!((9_000_000..12_000_000).contains(&header), "{header}");
    sparse(folder.join("model.gguf"), &out, header + offset)
}

/// As many shards and tensors as the largest models have.
fn folder(folder: &Path) -> PathBuf {
    const SHARDS: u64 = 60;
    const TENSORS: u64 = 64;
    const BYTES: u64 = 16 << 20;
    let folder = folder.join("model");
    fs_err::create_dir(&folder).unwrap();
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/models/vllm/tiny/bf16");
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs_err::copy(example.join(name), folder.join(name)).unwrap();
    }
    let mut map = String::new();
    for shard in 1..=SHARDS {
        let name = format!("model-{shard:05}-of-{SHARDS:05}.safetensors");
        let mut header = String::from("{");
        for tensor in 0..TENSORS {
            let full = format!("model.layers.{shard}.mlp.experts.{tensor}.down_proj.weight");
            let (begin, end) = (tensor * BYTES, (tensor + 1) * BYTES);
            let comma = if tensor == 0 { "" } else { "," };
            let shape = format!("[2048,{}]", BYTES / 2 / 2048);
            write!(
                header,
                r#"{comma}"{full}":{{"dtype":"BF16","shape":{shape},"data_offsets":[{begin},{end}]}}"#
            )
            .unwrap();
            let comma = if map.is_empty() { "" } else { "," };
            write!(map, r#"{comma}"{full}":"{name}""#).unwrap();
        }
        header.push('}');
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        let size = bytes.len() as u64 + TENSORS * BYTES;
        sparse(folder.join(name), &bytes, size);
    }
    let index = format!(r#"{{"metadata":{{}},"weight_map":{{{map}}}}}"#);
    fs_err::write(folder.join("model.safetensors.index.json"), index).unwrap();
    folder
}

fn sparse(path: PathBuf, head: &[u8], size: u64) -> PathBuf {
    fs_err::write(&path, head).unwrap();
    fs_err::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
    path
}

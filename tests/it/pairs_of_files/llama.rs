//! What llama-server loads beside its model: preflight and the genuine one, on pairs of which one file is
//! changed at random.

use std::thread;

use crate::gguf_oracle::document::{Document, Tensor, string};
use crate::gguf_oracle::server;
use crate::llama_files::words_until;
use crate::sandbox::Sandbox;

const MODEL: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// The width of that model.
const WIDTH: i64 = 256;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

fn tiny() -> Document {
    let file = crate::sandbox::repository().join("examples/quickstart").join(MODEL);
    Document::parse(&fs_err::read(file).unwrap())
}

fn empty(texts: &[(&str, &str)]) -> Document {
    let mut document =
        Document { version: 3, alignment: 32, keys: Vec::new(), tensors: Vec::new() };
    texts.iter().for_each(|(key, text)| document.add_key(key, 8, &string(text)));
    document
}

/// A tensor of small numbers.
fn tensor(name: &str, shape: &[i64]) -> Tensor {
    let elements = usize::try_from(shape.iter().product::<i64>()).unwrap();
    let data = 0.01_f32.to_le_bytes().repeat(elements);
    Tensor { name: name.to_owned(), shape: shape.to_vec(), kind: 0, shift: 0, data }
}

/// An adapter that changes one matrix in each layer of the model, and what is done to it.
fn adapter(kind: &str, dice: &mut Dice) -> Document {
    let general = match kind {
        "no kind" => vec![("general.architecture", "llama"), ("adapter.type", "lora")],
        "architecture" => {
            let other = *dice.one(&["qwen2", "phi2", "gemma"]);
            vec![
                ("general.architecture", other),
                ("general.type", "adapter"),
                ("adapter.type", "lora"),
            ]
        }
        "type" => vec![
            ("general.architecture", "llama"),
            ("general.type", "adapter"),
            ("adapter.type", "dora"),
        ],
        _ => vec![
            ("general.architecture", "llama"),
            ("general.type", "adapter"),
            ("adapter.type", "lora"),
        ],
    };
    let mut document = empty(&general);
    document.add_key("adapter.lora.alpha", 6, &8_f32.to_le_bytes());
    let base = tiny();
    let rank = *dice.one(&[1, 4, 16]);
    let matrix = *dice.one(&["attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"]);
    for layer in 0..2 {
        let name = format!("blk.{layer}.{matrix}.weight");
        let shape = &base.tensors.iter().find(|tensor| tensor.name == name).unwrap().shape;
        document.tensors.push(tensor(&format!("{name}.lora_a"), &[shape[0], rank]));
        document.tensors.push(tensor(&format!("{name}.lora_b"), &[rank, shape[1]]));
    }
    let last = document.tensors.len() - 1;
    let factor = *dice.one(&[2, 3]);
    match kind {
        "wider" => {
            let (name, shape) =
                (document.tensors[0].name.clone(), document.tensors[0].shape.clone());
            document.tensors[0] = tensor(&name, &[shape[0] * factor, shape[1]]);
        }
        "longer" => {
            let name = document.tensors[last].name.clone();
            let shape = document.tensors[last].shape.clone();
            document.tensors[last] = tensor(&name, &[shape[0], shape[1] * factor]);
        }
        "ranks" => {
            let (name, shape) =
                (document.tensors[0].name.clone(), document.tensors[0].shape.clone());
            document.tensors[0] = tensor(&name, &[shape[0], shape[1] + 1]);
        }
        "layer" => document.tensors.iter_mut().for_each(|tensor| {
            tensor.name = tensor.name.replace("blk.1.", "blk.7.");
        }),
        "half" => {
            document.tensors.remove(dice.below(last + 1));
        }
        "stranger" => document.tensors.push(tensor("blk.0.attn_q.weight", &[4, 4])),
        "norm" => document.tensors.push(tensor("blk.0.attn_norm.weight", &[WIDTH])),
        "embedding" | "embedding wrong" => {
            let words = base.tensors.iter().find(|it| it.name == "token_embd.weight").unwrap();
            let words = words.shape[1] + i64::from(kind == "embedding wrong");
            document.tensors.push(tensor("token_embd.weight.lora_a", &[rank, words]));
            document.tensors.push(tensor("token_embd.weight.lora_b", &[rank, WIDTH]));
        }
        _ => {}
    }
    document
}

/// A projector for images that gives out as many numbers, with that for an encoder.
fn projector(width: i64, encoder: Option<bool>) -> Document {
    let mut document = empty(&[
        ("general.architecture", "clip"),
        ("general.type", "mmproj"),
        ("clip.projector_type", "mlp"),
    ]);
    if let Some(encoder) = encoder {
        document.add_key("clip.has_vision_encoder", 7, &[u8::from(encoder)]);
    }
    for (key, number) in [
        ("image_size", 28_u32),
        ("patch_size", 14),
        ("embedding_length", 32),
        ("feed_forward_length", 64),
        ("block_count", 1),
        ("attention.head_count", 2),
        ("projection_dim", u32::try_from(width).unwrap()),
    ] {
        document.add_key(&format!("clip.vision.{key}"), 4, &number.to_le_bytes());
    }
    let epsilon = 1e-5_f32.to_le_bytes();
    document.add_key("clip.vision.attention.layer_norm_epsilon", 6, &epsilon);
    let three = [&6_u32.to_le_bytes()[..], &3_u64.to_le_bytes(), &0.5_f32.to_le_bytes().repeat(3)];
    for key in ["clip.vision.image_mean", "clip.vision.image_std"] {
        document.add_key(key, 9, &three.concat());
    }
    document.add_key("clip.use_gelu", 7, &[1]);
    let of = |name: &str, shape: &[i64]| tensor(name, shape);
    document.tensors = vec![
        of("mm.0.weight", &[32, 64]),
        of("mm.0.bias", &[64]),
        of("mm.2.weight", &[64, width]),
        of("mm.2.bias", &[width]),
        of("v.patch_embd.weight", &[14, 14, 3, 32]),
        of("v.position_embd.weight", &[32, 5]),
        of("v.class_embd", &[32]),
    ];
    for name in ["v.pre_ln", "v.post_ln", "v.blk.0.ln1", "v.blk.0.ln2"] {
        document.tensors.push(of(&format!("{name}.weight"), &[32]));
        document.tensors.push(of(&format!("{name}.bias"), &[32]));
    }
    for (name, shape) in [
        ("attn_q", [32, 32]),
        ("attn_k", [32, 32]),
        ("attn_v", [32, 32]),
        ("attn_out", [32, 32]),
        ("ffn_up", [32, 64]),
        ("ffn_down", [64, 32]),
    ] {
        document.tensors.push(of(&format!("v.blk.0.{name}.weight"), &shape));
        document.tensors.push(of(&format!("v.blk.0.{name}.bias"), &shape[1..]));
    }
    document
}

/// The model with as many heads, each as much narrower.
fn with_heads(heads: u32) -> Document {
    let mut document = tiny();
    let number = |value: &[u8]| u32::from_le_bytes(value[4..8].try_into().unwrap());
    let before = number(&document.key("llama.attention.head_count").value);
    let of_keys = number(&document.key("llama.attention.head_count_kv").value) * heads / before;
    let width = u32::try_from(WIDTH).unwrap() / heads;
    for (key, number) in [
        ("llama.attention.head_count", heads),
        ("llama.attention.head_count_kv", of_keys),
        ("llama.rope.dimension_count", width),
    ] {
        document.remove_key(key);
        document.add_key(key, 4, &number.to_le_bytes());
    }
    for key in ["llama.attention.key_length", "llama.attention.value_length"] {
        document.remove_key(key);
    }
    document
}

/// What is done to an adapter.
const OF_ADAPTERS: [&str; 14] = [
    "sound",
    "norm",
    "embedding",
    "embedding wrong",
    "wider",
    "longer",
    "ranks",
    "layer",
    "half",
    "stranger",
    "architecture",
    "type",
    "no kind",
    "sound again",
];

/// The name of a pair, the words that are written behind the model, and the file that they name.
fn cases() -> Vec<(String, String, Option<Document>)> {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut cases = Vec::new();
    for round in 0..2 {
        for kind in OF_ADAPTERS {
            let document = adapter(kind, &mut dice);
            cases.push((format!("adapter {kind} {round}"), "--lora".to_owned(), Some(document)));
        }
        let width = *dice.one(&[32, 64, 128, 255, 512]);
        for (width, encoder) in
            [(WIDTH, Some(true)), (width, Some(true)), (WIDTH, Some(false)), (WIDTH, None)]
        {
            let document = projector(width, encoder);
            let name = format!("projector {width} {encoder:?} {round}");
            cases.push((name, "--mmproj".to_owned(), Some(document)));
        }
    }
    for words in ["-ctk q8_0", "-ctv q4_0", "-ctk f16 -ctv bf16", "-ctk q5_1 -fa off"] {
        for heads in [4, 16] {
            cases.push((format!("{words} {heads}"), words.to_owned(), Some(with_heads(heads))));
        }
    }
    cases
}

/// The model of a pair and what stands behind it, as the server in `folder` is given them.
fn arguments(folder: &str, number: usize, words: &str) -> String {
    let file = format!("{folder}/{number}.gguf");
    if words.starts_with("-ct") {
        format!("-m {file} -c 256 {words}")
    } else {
        format!("-m {folder}/{MODEL} -c 256 {words} {file}")
    }
}

#[test]
fn files_that_belong_together_are_those_that_llama_server_loads() {
    let cases = cases();
    let mut sandbox = Sandbox::quickstart();
    for (number, (_, _, document)) in cases.iter().enumerate() {
        let document = document.as_ref().unwrap();
        sandbox = sandbox.file(&format!("{number}.gguf"), document.bytes());
    }
    let folder = sandbox.path().display().to_string();
    let mut ready = Vec::new();
    for (number, (name, words, _)) in cases.iter().enumerate() {
        let compose = format!(
            "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    command: \
             {}\n    volumes: ['{folder}:{folder}:ro']\n",
            arguments(&folder, number, words)
        );
        fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
        let run = sandbox.run(&["verify"]);
        assert!(matches!(run.code, Some(0 | 11)), "{name}: {:?}\n{}", run.code, run.stdout);
        ready.push((run.code == Some(0), run.stdout));
    }
    assert!(ready.iter().any(|(ready, _)| *ready) && ready.iter().any(|(ready, _)| !ready));
    let Some(server) = server() else { return };
    let numbered: Vec<_> = cases.iter().zip(&ready).enumerate().collect();
    thread::scope(|scope| {
        for share in numbered.chunks(numbered.len().div_ceil(4)) {
            let (server, folder, path) = (&server, &folder, sandbox.path());
            scope.spawn(move || {
                for (number, ((name, words, _), (ready, stdout))) in share {
                    let words = arguments(folder, *number, words);
                    let all = ["--port", "0", "-np", "1", "--no-warmup"].into_iter();
                    let all: Vec<&str> = all.chain(words.split(' ')).collect();
                    let (loads, text) = words_until(server, &all, path, "model loaded");
                    assert_eq!(*ready, loads, "{name}\n{stdout}\n{text}");
                }
            });
        }
    });
}

//! Real models by their widths, and which types their tensors have (llama.cpp `src/llama-quant.cpp`,
//! `llama_tensor_get_type`).

use std::path::Path;

use crate::gguf_models::model::{models, vocabulary};
use crate::gguf_oracle::document::{Document, Tensor};

/// How wide a model is, and how deep.
pub(super) struct Widths {
    architecture: &'static str,
    pub(super) layers: i64,
    embedding: i64,
    heads: i64,
    heads_of_keys: i64,
    feed_forward: i64,
    tokens: i64,
    trained: i64,
}

pub(super) const QWEN_7B: Widths = Widths {
    architecture: "qwen2",
    layers: 28,
    embedding: 3584,
    heads: 28,
    heads_of_keys: 4,
    feed_forward: 18_944,
    tokens: 152_064,
    trained: 131_072,
};

pub(super) const QWEN_72B: Widths = Widths {
    layers: 80,
    embedding: 8192,
    heads: 64,
    heads_of_keys: 8,
    feed_forward: 29_568,
    trained: 32_768,
    ..QWEN_7B
};

pub(super) const LLAMA_70B: Widths = Widths {
    architecture: "llama",
    feed_forward: 28_672,
    tokens: 128_256,
    trained: 131_072,
    ..QWEN_72B
};

pub(super) const LLAMA_8B: Widths = Widths {
    layers: 32,
    embedding: 4096,
    heads: 32,
    feed_forward: 14_336,
    trained: 8192,
    ..LLAMA_70B
};

/// Which types the tensors of a file have.
#[derive(Clone, Copy)]
pub(super) enum Mixture {
    /// One for all matrices.
    Same(Kind),
    /// `Q4_0`, made with an importance matrix.
    Legacy,
    /// `Q4_K_M` and `Q5_K_M`: this type, and `Q6_K` where it matters most.
    Medium(Kind),
}

/// A type: its number, the elements of a block, and its bytes.
pub(super) type Kind = (u32, i64, i64);

pub(super) const F16: Kind = (1, 1, 2);
pub(super) const Q8_0: Kind = (8, 32, 34);
pub(super) const Q4_K: Kind = (12, 256, 144);
pub(super) const Q5_K: Kind = (13, 256, 176);
const F32: Kind = (0, 1, 4);
const Q4_0: Kind = (2, 32, 18);
const Q4_1: Kind = (3, 32, 20);
const Q5_0: Kind = (6, 32, 22);
const Q6_K: Kind = (14, 256, 210);
const ALL: [Kind; 9] = [F32, F16, Q4_0, Q4_1, Q5_0, Q8_0, Q4_K, Q5_K, Q6_K];

/// Layers of which models of 70 milliards keep values more exactly.
const MANY: i64 = 80;

impl Widths {
    /// Writes the model with so many layers, and gives the bytes of its tensors.
    pub(super) fn write(&self, mixture: Mixture, layers: i64, path: &Path) -> usize {
        let document = self.document(mixture, layers);
        document.write_sparse(path, size);
        document.tensors.iter().map(size).sum()
    }

    fn document(&self, mixture: Mixture, layers: i64) -> Document {
        let is_it = |name: &str| name == self.architecture;
        let mut document = models().into_iter().find(|it| is_it(&it.name)).unwrap().document;
        let head = self.embedding / self.heads;
        for (name, number) in [
            ("context_length", self.trained),
            ("embedding_length", self.embedding),
            ("block_count", layers),
            ("feed_forward_length", self.feed_forward),
            ("attention.head_count", self.heads),
            ("attention.head_count_kv", self.heads_of_keys),
            ("attention.key_length", head),
            ("attention.value_length", head),
            ("rope.dimension_count", head),
            ("vocab_size", self.tokens),
        ] {
            let name = format!("{}.{name}", self.architecture);
            document.keys.retain(|key| key.name != name);
            document.add_key(&name, 4, &u32::try_from(number).unwrap().to_le_bytes());
        }
        document.keys.retain(|key| !key.name.starts_with("tokenizer."));
        document.keys.extend(vocabulary("llama", "-", usize::try_from(self.tokens).unwrap()));
        document.tensors = self.tensors(mixture, layers);
        document
    }

    fn tensors(&self, mixture: Mixture, layers: i64) -> Vec<Tensor> {
        let wide = self.embedding;
        let kept = wide / self.heads * self.heads_of_keys;
        let plain = mixture.plain();
        let mut tensors = vec![
            tensor("token_embd.weight", &[wide, self.tokens], plain),
            tensor("output_norm.weight", &[wide], F32),
            tensor("output.weight", &[wide, self.tokens], mixture.of_output()),
        ];
        for layer in 0..layers {
            let mut add = |name: &str, shape: &[i64], kind: Kind| {
                tensors.push(tensor(&format!("blk.{layer}.{name}"), shape, kind));
            };
            add("attn_norm.weight", &[wide], F32);
            add("attn_q.weight", &[wide, wide], plain);
            add("attn_k.weight", &[wide, kept], plain);
            add("attn_v.weight", &[wide, kept], mixture.of_values(layer, layers));
            add("attn_output.weight", &[wide, wide], plain);
            add("ffn_norm.weight", &[wide], F32);
            add("ffn_gate.weight", &[wide, self.feed_forward], plain);
            add("ffn_up.weight", &[wide, self.feed_forward], plain);
            add("ffn_down.weight", &[self.feed_forward, wide], mixture.of_down(layer, layers));
            if self.architecture == "qwen2" {
                add("attn_q.bias", &[wide], F32);
                add("attn_k.bias", &[kept], F32);
                add("attn_v.bias", &[kept], F32);
            }
        }
        tensors
    }
}

impl Mixture {
    fn plain(self) -> Kind {
        match self {
            Self::Same(kind) | Self::Medium(kind) => kind,
            Self::Legacy => Q4_0,
        }
    }

    fn of_output(self) -> Kind {
        if let Self::Same(kind) = self { kind } else { Q6_K }
    }

    fn of_values(self, layer: i64, layers: i64) -> Kind {
        match self {
            Self::Medium(_) if matters(layer, layers) => Q6_K,
            Self::Medium(Q4_K) if layers == MANY => Q5_K,
            Self::Same(_) | Self::Legacy | Self::Medium(_) => self.plain(),
        }
    }

    fn of_down(self, layer: i64, layers: i64) -> Kind {
        match self {
            Self::Medium(_) if matters(layer, layers) => Q6_K,
            Self::Legacy if layer < layers / 8 => Q4_1,
            Self::Same(_) | Self::Legacy | Self::Medium(_) => self.plain(),
        }
    }
}

/// Whether a layer is one of those that get more bits: the first, the last, and each third between.
fn matters(layer: i64, layers: i64) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// What rows of a matrix are made of that are not whole blocks of 256.
fn of_rows(kind: Kind, columns: i64) -> Kind {
    match kind {
        Q4_K if columns % 256 != 0 => Q5_0,
        Q6_K if columns % 256 != 0 => Q8_0,
        other => other,
    }
}

fn tensor(name: &str, shape: &[i64], kind: Kind) -> Tensor {
    let (kind, ..) = of_rows(kind, shape[0]);
    Tensor { name: name.to_owned(), shape: shape.to_vec(), kind, shift: 0, data: Vec::new() }
}

fn size(tensor: &Tensor) -> usize {
    let (_, block, bytes) = ALL.into_iter().find(|(number, ..)| *number == tensor.kind).unwrap();
    usize::try_from(tensor.shape.iter().product::<i64>() / block * bytes).unwrap()
}

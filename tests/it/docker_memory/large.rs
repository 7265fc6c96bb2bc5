//! Models of some hundred mebibytes: sparse files with genuine headers.

use std::path::Path;

use crate::gguf_models::model::{models, vocabulary};
use crate::gguf_oracle::document::{Document, Tensor};

/// Numbers of types of tensors.
const F32: u32 = 0;
const Q4_0: u32 = 2;

/// What a model is made of.
pub(super) struct Large {
    pub(super) layers: i64,
    /// Tokens of its vocabulary.
    pub(super) tokens: i64,
    /// Heads of keys and values, of 128 numbers each.
    pub(super) heads: i64,
    /// Tokens that it was made for.
    pub(super) trained: i64,
}

const WIDTH: i64 = 2048;
const HEAD: i64 = 128;
const FEED_FORWARD: i64 = 8192;

impl Large {
    /// Writes it: its matrices of Q4_0, and what embeds words of F32.
    pub(super) fn write(&self, path: &Path) {
        self.document().write_sparse(path, size);
    }

    fn document(&self) -> Document {
        let mut document = models().into_iter().find(|it| it.name == "llama").unwrap().document;
        for (name, number) in [
            ("context_length", self.trained),
            ("embedding_length", WIDTH),
            ("block_count", self.layers),
            ("feed_forward_length", FEED_FORWARD),
            ("attention.head_count", WIDTH / HEAD),
            ("attention.head_count_kv", self.heads),
            ("attention.key_length", HEAD),
            ("attention.value_length", HEAD),
            ("rope.dimension_count", HEAD),
            ("vocab_size", self.tokens),
        ] {
            let name = format!("llama.{name}");
            let key = document.keys.iter_mut().find(|key| key.name == name).unwrap();
            let number = u32::try_from(number).unwrap();
            key.value = [4_u32.to_le_bytes(), number.to_le_bytes()].concat();
        }
        document.keys.retain(|key| !key.name.starts_with("tokenizer."));
        document.keys.extend(vocabulary("llama", "-", usize::try_from(self.tokens).unwrap()));
        document.tensors = self.tensors();
        document
    }

    fn tensors(&self) -> Vec<Tensor> {
        let kept = self.heads * HEAD;
        let mut tensors = vec![
            tensor("token_embd.weight", &[WIDTH, self.tokens], F32),
            tensor("output_norm.weight", &[WIDTH], F32),
            tensor("output.weight", &[WIDTH, self.tokens], Q4_0),
        ];
        for layer in 0..self.layers {
            let mut add = |name: &str, shape: &[i64]| {
                let kind = if shape.len() == 1 { F32 } else { Q4_0 };
                tensors.push(tensor(&format!("blk.{layer}.{name}.weight"), shape, kind));
            };
            add("attn_norm", &[WIDTH]);
            add("attn_q", &[WIDTH, WIDTH]);
            add("attn_k", &[WIDTH, kept]);
            add("attn_v", &[WIDTH, kept]);
            add("attn_output", &[WIDTH, WIDTH]);
            add("ffn_norm", &[WIDTH]);
            add("ffn_gate", &[WIDTH, FEED_FORWARD]);
            add("ffn_down", &[FEED_FORWARD, WIDTH]);
            add("ffn_up", &[WIDTH, FEED_FORWARD]);
        }
        tensors
    }
}

fn tensor(name: &str, shape: &[i64], kind: u32) -> Tensor {
    Tensor { name: name.to_owned(), shape: shape.to_vec(), kind, shift: 0, data: Vec::new() }
}

fn size(tensor: &Tensor) -> usize {
    let elements = tensor.shape.iter().product::<i64>();
    let bytes = if tensor.kind == Q4_0 { elements / 32 * 18 } else { elements * 4 };
    usize::try_from(bytes).unwrap()
}

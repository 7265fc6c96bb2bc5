//! Entries of every type: those that the loader can do without, and the lists of the vocabulary.

use std::path::Path;

use super::document::{Document, string};
use super::{Corpus, preflight_refuses, server, server_refuses};

/// Entries that no tiny model has and that the loader reads where they are there.
const OPTIONAL: [&str; 45] = [
    "general.type",
    "general.quantization_version",
    "split.no",
    "split.count",
    "split.tensors.count",
    "tokenizer.ggml.pre",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.seperator_token_id",
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.cls_token_id",
    "tokenizer.ggml.mask_token_id",
    "tokenizer.ggml.prefix_token_id",
    "tokenizer.ggml.suffix_token_id",
    "tokenizer.ggml.middle_token_id",
    "tokenizer.ggml.fim_pre_token_id",
    "tokenizer.ggml.fim_suf_token_id",
    "tokenizer.ggml.fim_mid_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
    "tokenizer.ggml.token_type_count",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.add_sep_token",
    "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.remove_extra_whitespaces",
    "tokenizer.chat_template",
    "llama.embedding_length_out",
    "llama.pooling_type",
    "llama.expert_count",
    "llama.expert_used_count",
    "llama.expert_group_count",
    "llama.expert_group_used_count",
    "llama.vocab_size",
    "llama.attention.key_length",
    "llama.attention.value_length",
    "llama.attention.causal",
    "llama.rope.freq_base",
    "llama.rope.scaling.type",
    "llama.rope.scaling.factor",
    "llama.rope.scaling.attn_factor",
    "llama.rope.scaling.original_context_length",
    "llama.rope.scaling.finetuned",
];

/// The name of an entry, the number of its type, its value.
type Entry = (String, (u32, Vec<u8>));

/// `u32`, `f32`, `bool` and string: one of them is right for almost every entry.
const USUAL: [u32; 4] = [4, 6, 7, 8];

/// One value of most types: number and bytes.
fn samples() -> Vec<(u32, Vec<u8>)> {
    let list = [&4_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    vec![
        (0, vec![1]),
        (2, vec![1, 0]),
        (4, 1_u32.to_le_bytes().to_vec()),
        (5, 1_i32.to_le_bytes().to_vec()),
        (6, 1_f32.to_le_bytes().to_vec()),
        (7, vec![1]),
        (8, string("x")),
        (9, list),
        (10, 1_u64.to_le_bytes().to_vec()),
    ]
}

/// A list of `count` equal elements.
fn list(kind: u32, element: &[u8], count: usize) -> Vec<u8> {
    let head = [&9_u32.to_le_bytes()[..], &kind.to_le_bytes(), &(count as u64).to_le_bytes()];
    [head.concat(), element.repeat(count)].concat()
}

/// The vocabulary of the tiny model.
const TOKENS: usize = 264;

pub(super) fn rows(corpus: &mut Corpus) {
    lists(corpus);
    tokenizers(corpus);
    mixtures(corpus);
    let mut far = corpus.document.clone();
    far.key("tokenizer.ggml.bos_token_id").value = [4_u32, 99_999].map(u32::to_le_bytes).concat();
    corpus.loads("a token that is none begins a text", &far.bytes());
}

fn lists(corpus: &mut Corpus) {
    const SCORES: &str = "tokenizer.ggml.scores";
    const TYPES: &str = "tokenizer.ggml.token_type";
    const HEADS: &str = "llama.attention.head_count";
    for (name, key, value, words) in [
        ("fewer scores", SCORES, list(6, &[0; 4], TOKENS - 1), "out of array bounds for scores"),
        ("scores of 8 bytes", SCORES, list(12, &[0; 8], TOKENS), "invalid gguf type for"),
        ("fewer types", TYPES, list(5, &[1, 0, 0, 0], TOKENS - 1), "out of array bounds for tok"),
        ("types as u32", TYPES, list(4, &[1, 0, 0, 0], TOKENS), "invalid gguf type for"),
        ("heads of three layers", HEADS, list(4, &[4, 0, 0, 0], 3), "has wrong array length"),
        ("heads as f32", HEADS, list(6, &[0; 4], 2), "has wrong array element type"),
    ] {
        corpus.changed(name, words, |document| document.key(key).value = value);
    }
    for (name, key, value) in [
        ("whole scores", SCORES, list(5, &[0; 4], TOKENS)),
        ("more types", TYPES, list(5, &[1, 0, 0, 0], TOKENS + 1)),
        ("heads of each layer", HEADS, list(5, &[4, 0, 0, 0], 2)),
    ] {
        let mut document = corpus.document.clone();
        document.key(key).value = value;
        corpus.loads(name, &document.bytes());
    }
}

fn tokenizers(corpus: &mut Corpus) {
    let merging = |document: &Document, model: &str, merges: bool, pre: Option<&str>| {
        let mut document = document.clone();
        document.key("tokenizer.ggml.model").value.splice(4.., string(model));
        if merges {
            document.add_key("tokenizer.ggml.merges", 9, &list(8, &string("a b"), 1)[4..]);
        }
        if let Some(pre) = pre {
            document.add_key("tokenizer.ggml.pre", 8, &string(pre));
        }
        document.bytes()
    };
    let base = corpus.document.clone();
    for model in ["gpt2", "gemma4", "hybriddna", "whitespace"] {
        let words = "cannot find tokenizer merges";
        let bytes = merging(&base, model, false, None);
        corpus.refuses(&format!("{model} without merges"), bytes, words);
        corpus.loads(&format!("{model} with merges"), &merging(&base, model, true, None));
    }
    corpus.loads("kimi without merges", &merging(&base, "gpt2", false, Some("kimi-k2")));
    for pre in ["", "default", "llama-bpe", "qwen2", "tekken", "gpt-4o", "mellum2", "k2-horizon"] {
        let bytes = merging(&base, "gpt2", true, Some(pre));
        corpus.loads(&format!("pre-tokenizer {pre}"), &bytes);
    }
    let bytes = merging(&base, "gpt2", true, Some("zz9"));
    corpus.refuses("pre-tokenizer zz9", bytes, "unknown pre-tokenizer type: 'zz9'");
    corpus.loads("a pre-tokenizer of no use", &merging(&base, "llama", false, Some("zz9")));
}

fn mixtures(corpus: &mut Corpus) {
    for (name, count, used) in [("experts of none", 0_u32, 2_u32), ("more experts used", 4, 8)] {
        corpus.changed(name, "n_expert_used", |document| {
            document.add_key("llama.expert_count", 4, &count.to_le_bytes());
            document.add_key("llama.expert_used_count", 4, &used.to_le_bytes());
        });
    }
    corpus.changed("unknown stretching", "rope_scaling_type_train", |document| {
        document.add_key("llama.rope.scaling.type", 8, &string("zz9"));
    });
    for scaling in ["none", "linear", "yarn", "longrope"] {
        let mut document = corpus.document.clone();
        document.add_key("llama.rope.scaling.type", 8, &string(scaling));
        corpus.loads(&format!("stretching {scaling}"), &document.bytes());
    }
}

/// Every entry of the tiny model, and every optional one, with a value of most types.
#[test]
fn an_entry_of_any_type_is_refused_by_both_or_by_none() {
    let Some(server) = server() else { return };
    let corpus = Corpus::new();
    let own = corpus.document.keys.iter().map(|key| (key.name.clone(), true));
    let names = own.chain(OPTIONAL.map(|name| (name.to_owned(), false)));
    let edits: Vec<Entry> = names
        .flat_map(|(name, all)| {
            let samples =
                samples().into_iter().filter(move |(kind, _)| all || USUAL.contains(kind));
            samples.map(move |sample| (name.clone(), sample))
        })
        .collect();
    let (first, second) = edits.split_at(edits.len() / 2);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let (corpus, server) = (&corpus, server.as_str());
        let half = |name: &'static str, edits: Vec<Entry>| {
            let path = corpus.path(name);
            scope.spawn(move || -> Vec<String> {
                edits.iter().filter_map(|edit| disagreement(server, corpus, &path, edit)).collect()
            })
        };
        [half("one", first.to_vec()), half("other", second.to_vec())]
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn disagreement(
    server: &str,
    corpus: &Corpus,
    path: &Path,
    (name, (kind, value)): &Entry,
) -> Option<String> {
    let mut document = corpus.document.clone();
    document.remove_key(name);
    document.add_key(name, *kind, value);
    fs_err::write(path, document.bytes()).unwrap();
    match (preflight_refuses(path), server_refuses(server, path)) {
        (Some(_), Some(_)) | (None, None) => None,
        (Some(why), None) => Some(format!("{name} of type {kind}: it loads, and {why}")),
        (None, Some(said)) => {
            let error = said.lines().find(|line| line.contains("rror") || line.contains("ASSERT"));
            Some(format!("{name} of type {kind}: only llama-server: {error:?}"))
        }
    }
}

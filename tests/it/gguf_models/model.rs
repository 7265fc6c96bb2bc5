//! Tiny models out of `tests/data/gguf-models.txt`, as whole files.

use crate::gguf_oracle::document::{Document, Key, Tensor, string};

/// One tiny model.
pub(crate) struct Model {
    /// Its architecture, and what it has beyond others of it.
    pub(crate) name: String,
    pub(crate) document: Document,
}

/// The number of a value's type in the file.
fn kind(name: &str) -> u32 {
    match name {
        "u32" => 4,
        "i32" => 5,
        "f32" => 6,
        "bool" => 7,
        "string" => 8,
        other => unreachable!("the type {other}"),
    }
}

fn scalar(kind: u32, text: &str) -> Vec<u8> {
    match kind {
        4 => text.parse::<u32>().unwrap().to_le_bytes().to_vec(),
        5 => text.parse::<i32>().unwrap().to_le_bytes().to_vec(),
        6 => text.parse::<f32>().unwrap().to_le_bytes().to_vec(),
        7 => vec![u8::from(text == "true")],
        _ => string(text),
    }
}

/// A value as it is in the file: its type, and itself.
fn value(kind_name: &str, text: &str) -> Vec<u8> {
    let Some(element) = kind_name.strip_suffix("[]") else {
        let kind = kind(kind_name);
        return [&kind.to_le_bytes()[..], &scalar(kind, text)].concat();
    };
    list(kind(element), &text.split(',').collect::<Vec<_>>())
}

fn list(kind: u32, elements: &[impl AsRef<str>]) -> Vec<u8> {
    let head = [9_u32.to_le_bytes(), kind.to_le_bytes()]
        .concat()
        .into_iter()
        .chain((elements.len() as u64).to_le_bytes());
    head.chain(elements.iter().flat_map(|element| scalar(kind, element.as_ref()))).collect()
}

/// Every model of the file. Each begins with a line `model NAME`, and goes on with lines of
///
/// - `key NAME TYPE VALUE`, where a type may end with `[]` and a value have commas,
/// - `vocabulary MODEL PRE COUNT`, where `-` stands for no pre-tokenizer,
/// - `tensor NAME EXTENT...`, where `blk.0,1.` stands for the same in layers 0 and 1.
pub(crate) fn models() -> Vec<Model> {
    let path = crate::sandbox::repository().join("tests/data/gguf-models.txt");
    let text = fs_err::read_to_string(path).unwrap();
    text.split("\nmodel ").skip(1).map(Model::read).collect()
}

impl Model {
    fn read(section: &str) -> Self {
        let mut lines = section.lines();
        let name = lines.next().unwrap().to_owned();
        let mut document =
            Document { version: 3, alignment: 32, keys: Vec::new(), tensors: Vec::new() };
        for line in lines.filter(|line| !line.is_empty()) {
            let (what, rest) = line.split_once(' ').unwrap();
            match what {
                "key" => {
                    let [name, kind, text] = words(rest, 3);
                    document.keys.push(Key { name, value: value(&kind, &text) });
                }
                "vocabulary" => {
                    let [model, pre, count] = words(rest, 3);
                    document.keys.extend(vocabulary(&model, &pre, count.parse().unwrap()));
                }
                "tensor" => {
                    let [name, extents] = words(rest, 2);
                    let shape: Vec<i64> =
                        extents.split(' ').map(|extent| extent.parse().unwrap()).collect();
                    document
                        .tensors
                        .extend(names(&name).into_iter().map(|name| tensor(name, &shape)));
                }
                other => unreachable!("{other} in {name}"),
            }
        }
        Self { name, document }
    }
}

/// The first words of a line; the last of them is the rest of it.
fn words<const COUNT: usize>(rest: &str, count: usize) -> [String; COUNT] {
    let words: Vec<String> = rest.splitn(count, ' ').map(str::to_owned).collect();
    words.try_into().unwrap_or_else(|words| unreachable!("{words:?}"))
}

/// `blk.0,1.attn_q.weight` is two names.
fn names(name: &str) -> Vec<String> {
    let Some((prefix, layers, rest)) = name.split_once("blk.").and_then(|(prefix, rest)| {
        let (layers, rest) = rest.split_once('.')?;
        Some((prefix, layers, rest))
    }) else {
        return vec![name.to_owned()];
    };
    layers.split(',').map(|layer| format!("{prefix}blk.{layer}.{rest}")).collect()
}

/// A tensor whose elements are all a little more than 0.
pub(super) fn tensor(name: String, shape: &[i64]) -> Tensor {
    let elements: i64 = shape.iter().product();
    let data = vec![0x3c; usize::try_from(elements).unwrap() * 4];
    Tensor { name, shape: shape.to_vec(), kind: 0, shift: 0, data }
}

/// The entries of a tokenizer with so many tokens, none of which is there twice.
pub(crate) fn vocabulary(model: &str, pre: &str, count: usize) -> Vec<Key> {
    const UNKNOWN: &str = "2";
    const NORMAL: &str = "1";
    const CONTROL: &str = "3";
    const BYTE: &str = "6";
    let (first, letters): (Vec<(String, &str)>, Vec<String>) = match model {
        "llama" => {
            let special = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)];
            let special = special.map(|(text, kind)| (text.to_owned(), kind));
            let bytes = (0..256).map(|byte| (format!("<0x{byte:02X}>"), BYTE));
            (special.into_iter().chain(bytes).collect(), strings(&["▁", "a", "b", "▁a"]))
        }
        "t5" => {
            let special = [("<pad>", CONTROL), ("</s>", CONTROL), ("<unk>", UNKNOWN)];
            let special = special.map(|(text, kind)| (text.to_owned(), kind));
            (special.to_vec(), strings(&["▁", "a", "b", "▁a"]))
        }
        "bert" => {
            let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
            let special = special.map(|text| (text.to_owned(), CONTROL));
            (special.to_vec(), strings(&["▁a", "▁b", "c", "d"]))
        }
        "rwkv" => {
            let bytes = (0..256).map(|byte| format!("\\x{byte:02x}"));
            (vec![("<s>".to_owned(), CONTROL)], bytes.collect())
        }
        _ => (vec![("<|endoftext|>".to_owned(), CONTROL)], byte_letters()),
    };
    let mut tokens = first;
    tokens.extend(letters.into_iter().map(|text| (text, NORMAL)));
    let padding = (tokens.len()..count).map(|number| (format!("x{number}"), NORMAL));
    tokens.extend(padding);
    assert_eq!(tokens.len(), count, "{model} has more tokens of its own");
    entries(model, pre, &tokens)
}

fn entries(model: &str, pre: &str, tokens: &[(String, &str)]) -> Vec<Key> {
    let key = |name: &str, value| Key { name: format!("tokenizer.ggml.{name}"), value };
    let mut keys = vec![key("model", value("string", model))];
    if pre != "-" {
        keys.push(key("pre", value("string", pre)));
    }
    let column = |cell: fn(&(String, &str)) -> String| tokens.iter().map(cell).collect::<Vec<_>>();
    keys.push(key("tokens", list(8, &column(|token| token.0.clone()))));
    if ["llama", "t5"].contains(&model) {
        let scores: Vec<String> = (0..tokens.len()).map(|number| format!("-{number}")).collect();
        keys.push(key("scores", list(6, &scores)));
    }
    keys.push(key("token_type", list(5, &column(|token| token.1.to_owned()))));
    if ["gpt2", "gemma4", "hybriddna", "whitespace"].contains(&model) {
        keys.push(key("merges", list(8, &["a b", "b c"])));
    }
    let (begin, end) = if model == "llama" { ("1", "2") } else { ("0", "0") };
    keys.push(key("bos_token_id", value("u32", begin)));
    keys.push(key("eos_token_id", value("u32", end)));
    keys
}

/// A letter for each byte, as GPT-2 writes them, and the two merges.
fn byte_letters() -> Vec<String> {
    let is_shown = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut next = 256;
    let letters = (0..256).map(|byte| {
        let code = if is_shown(byte) {
            byte
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap().to_string()
    });
    letters.chain(strings(&["ab", "bc"])).collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

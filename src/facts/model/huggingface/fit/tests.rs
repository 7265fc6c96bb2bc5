//! Folders as transformers writes them and as repositories have them, and the same with something wrong.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Fit, LAYOUTS, Misfit, judge};
use crate::facts::model::huggingface::config::Config;
use crate::facts::model::huggingface::tensors::Tensors;
use crate::facts::model::safetensors::{Dtype, Shape};

/// A folder as it is written down: its configuration by who wrote it, and its tensors.
#[derive(Clone)]
struct Written {
    name: String,
    documents: Vec<(String, Map<String, Value>)>,
    tensors: Vec<Row>,
}

/// A tensor: its name, its type, its extents.
#[derive(Clone)]
struct Row {
    name: String,
    dtype: Dtype,
    extents: Vec<i64>,
}

/// `tests/data/layouts/KIND`, as `tests/setup/hf-layouts` writes it.
fn written(kind: &str) -> Vec<Written> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/layouts").join(kind);
    let mut paths: Vec<_> =
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path.file_stem().unwrap().to_str().unwrap(), path)).collect()
}

fn read(name: &str, path: &std::path::Path) -> Written {
    let text = fs_err::read_to_string(path).unwrap();
    let (documents, tensors): (Vec<_>, Vec<_>) = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .partition(|line| line.contains('{') && line.contains('"'));
    let documents = documents.into_iter().map(|line| {
        let (writer, document) = line.split_once(' ').unwrap();
        (writer.to_owned(), serde_json::from_str(document).unwrap())
    });
    let tensors = tensors.into_iter().flat_map(|line| {
        let [name, dtype, shape] =
            <[&str; 3]>::try_from(line.split(' ').collect::<Vec<_>>()).unwrap();
        let extents: Vec<i64> =
            shape.split('x').filter(|it| !it.is_empty()).map(|it| it.parse().unwrap()).collect();
        let dtype: Dtype = serde_json::from_value(dtype.into()).unwrap();
        names(name).into_iter().map(move |name| Row { name, dtype, extents: extents.clone() })
    });
    Written { name: name.to_owned(), documents: documents.collect(), tensors: tensors.collect() }
}

/// `a.{0-1,3}.b` is `a.0.b`, `a.1.b`, `a.3.b`.
fn names(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (numbers, after) = rest.split_once('}').unwrap();
    let numbers = numbers.split(',').flat_map(|span| {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        first.parse::<u64>().unwrap()..=last.parse().unwrap()
    });
    let after = names(after);
    numbers
        .flat_map(|number| after.iter().map(move |after| format!("{before}{number}{after}")))
        .collect()
}

/// What is said of a folder with these tensors and this configuration.
fn fit(document: &Map<String, Value>, rows: &[Row]) -> Fit {
    let config = Config::of(document);
    let quantization = config.quantization.as_deref();
    judge(&config.architectures, quantization, document, &tensors(rows)).unwrap()
}

/// As they come out of the headers of files.
fn tensors(rows: &[Row]) -> Tensors {
    let mut tensors = Tensors::default();
    let names = rows.iter().map(|row| row.name.clone()).collect();
    tensors.add(names, rows.iter().map(|row| (row.dtype, Shape::new(&row.extents))).collect());
    tensors
}

/// What there is to be said, as words.
fn told(fit: &Fit) -> Vec<String> {
    let mut told: Vec<String> = fit
        .misfits
        .iter()
        .map(|misfit| match misfit {
            Misfit::Missing { tensor } => format!("no {tensor}"),
            Misfit::Shape { tensor, found, expected } => {
                format!("{tensor} {found:?} not {expected:?}")
            }
        })
        .collect();
    told.extend(fit.extra.iter().map(|(count, tensor)| format!("{count} extra, {tensor}")));
    if fit.layers.0.is_some_and(|stated| stated != fit.layers.1) {
        told.push(format!("layers {:?}", fit.layers));
    }
    if fit.hidden_size.0.zip(fit.hidden_size.1).is_some_and(|(stated, found)| stated != found) {
        told.push(format!("hidden size {:?}", fit.hidden_size));
    }
    told
}

#[test]
fn the_tables_are_without_mistakes() {
    assert_eq!(LAYOUTS.mistakes(), []);
}

#[test]
fn what_transformers_writes_fits() {
    for folder in written("tiny") {
        for (writer, document) in &folder.documents {
            let fit = fit(document, &folder.tensors);
            assert!(fit.is_known, "{}", folder.name);
            assert_eq!(told(&fit), [""; 0], "{} by {writer}", folder.name);
        }
    }
}

#[test]
fn what_public_repositories_hold_fits() {
    let folders = written("public");
    assert!(folders.len() >= 40);
    let mut wrong = Vec::new();
    for folder in folders {
        let [(_, document)] = folder.documents.as_slice() else { panic!("{}", folder.name) };
        let fit = fit(document, &folder.tensors);
        let is_ahead = folder.name.ends_with("DeepSeek-V3");
        let told = told(&fit).into_iter().filter(|line| !is_ahead || !line.starts_with("layers"));
        wrong.extend(told.map(|line| format!("{}: {line}", folder.name)));
        wrong.extend((!fit.is_known).then(|| format!("{}: not known", folder.name)));
    }
    assert_eq!(wrong, [""; 0]);
}

/// Tensors that may be missing: nobody needs them where they are, or nothing says that they are needed.
fn may_be_missing(folder: &str, tensor: &str) -> bool {
    let is_encoder = ["bert", "bert-tokens", "roberta", "xlm-roberta"].contains(&folder);
    let sees = folder.starts_with("gemma3-vision") || folder.starts_with("llava");
    // llava uses the layer before the last.
    let is_unused = ["post_layernorm.", "vision_tower.head.", "vision_model.head."]
        .iter()
        .any(|part| tensor.contains(part))
        || folder.starts_with("llava") && tensor.contains("encoder.layers.1.");
    tensor.ends_with("e_score_correction_bias")
        || is_encoder && tensor.starts_with("pooler.")
        || tensor.starts_with("cls.predictions.")
        || folder == "roberta-mlm" && (tensor.starts_with("lm_head.") || tensor.contains(".pooler."))
        || folder.starts_with("modernbert-") && tensor == "classifier.bias"
        || folder == "stablelm" && tensor.contains("post_attention_layernorm")
        // Its two configurations say two things.
        || folder == "qwen3-vl-moe-by-5.19.0" && tensor == "lm_head.weight"
        || folder == "opt" && tensor.contains("layer_norm")
        || sees && is_unused
}

/// Of tensors whose names differ in a number alone, the first two: a layer, and what is counted behind it.
fn first_of_their_kind(rows: &[Row]) -> Vec<usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let kind = |name: &str| name.replace(|letter: char| letter.is_ascii_digit(), "0");
    let mut is_early = |row: &Row| {
        let count = seen.entry(kind(&row.name)).or_default();
        *count += 1;
        *count <= 2
    };
    rows.iter().enumerate().filter(|(_, row)| is_early(row)).map(|(place, _)| place).collect()
}

/// Something done to the row at a place.
type Change = fn(&mut Vec<Row>, usize);

#[test]
fn every_tensor_that_is_dropped_renamed_or_reshaped_is_told() {
    let mut silent = Vec::new();
    for folder in written("tiny") {
        let document = &folder.documents[0].1;
        let first = first_of_their_kind(&folder.tensors);
        for place in first {
            let changes: [(&str, Change); 4] = [
                ("dropped", |rows, place| drop(rows.remove(place))),
                ("renamed", |rows, place| rows[place].name.push_str("_2")),
                ("longer", |rows, place| rows[place].extents[0] += 8),
                ("flat", |rows, place| rows[place].extents.push(2)),
            ];
            let name = &folder.tensors[place].name;
            for (change, apply) in changes {
                let mut rows = folder.tensors.clone();
                apply(&mut rows, place);
                let told = told(&fit(document, &rows)).join("\n");
                let is_free = may_be_missing(&folder.name, name);
                if !told.contains(name.as_str()) && !is_free {
                    silent.push(format!("{} {name} {change}: {told}", folder.name));
                }
            }
        }
    }
    assert_eq!(silent, [""; 0]);
}

#[test]
fn every_number_of_the_configuration_that_the_tensors_do_not_bear_out_is_told() {
    let sizes = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "intermediate_size",
        "num_key_value_heads",
        "head_dim",
        "num_local_experts",
        "num_experts",
        "moe_intermediate_size",
        "n_routed_experts",
        "kv_lora_rank",
        "v_head_dim",
        "n_embd",
        "n_layer",
        "n_positions",
        "n_inner",
        "ffn_dim",
        "word_embed_proj_dim",
        "num_kv_heads",
        "linear_num_key_heads",
        "linear_num_value_heads",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "shared_expert_intermediate_size",
        "mamba_n_heads",
        "mamba_d_head",
        "mamba_d_state",
        "shared_intermediate_size",
        "depth",
        "embed_dim",
        "patch_size",
        "out_hidden_size",
        "num_position_embeddings",
    ];
    let mut silent = Vec::new();
    for folder in written("tiny") {
        for (writer, document) in &folder.documents {
            for (part, size) in parts(&sizes) {
                let Some(number) = said(document, part, size) else { continue };
                if says_nothing(&folder.name, part, size) {
                    continue;
                }
                for other in [number + 1, number * 2] {
                    let mut document = document.clone();
                    let told_of = match part {
                        "" => &mut document,
                        part => document[part].as_object_mut().unwrap(),
                    };
                    told_of.insert(size.to_owned(), other.into());
                    if told(&fit(&document, &folder.tensors)).is_empty() {
                        silent.push(format!("{} by {writer}: {part} {size} {other}", folder.name));
                    }
                }
            }
        }
    }
    assert_eq!(silent, [""; 0]);
}

/// Whether a number stands in a configuration and the model has nothing that it is said of.
fn says_nothing(folder: &str, part: &str, size: &str) -> bool {
    let folder = folder.split("-by-").next().unwrap();
    match (folder, part, size) {
        // Latent attention has no such heads.
        ("deepseek-v2" | "deepseek-v2-lite" | "deepseek-v3", _, "num_key_value_heads" | "head_dim")
        // All its layers have experts.
        | (
            "qwen2-moe" | "qwen3-next" | "qwen3-vl-moe" | "qwen3.5-moe",
            "" | "text_config",
            "intermediate_size",
        )
        // Its heads share the keys, or each has its own.
        | ("falcon" | "falcon-rw", _, "num_kv_heads")
        | ("gpt-bigcode", _, "num_key_value_heads")
        // The last layer is not used.
        | ("llava" | "llava-next", "vision_config", "num_hidden_layers")
        // It is the width of the text.
        | ("qwen2-vl", "vision_config", "hidden_size")
        // Heads share the width of an encoder.
        | (_, "vision_config", "head_dim") => true,
        ("qwen2-vl" | "qwen2.5-vl", "vision_config", size) => {
            ["num_position_embeddings", "embed_dim"].contains(&size) && folder != "qwen2-vl"
        }
        _ => false,
    }
}

/// Each number in each part of a configuration.
fn parts<'a>(sizes: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    let parts = ["", "text_config", "vision_config"];
    parts.into_iter().flat_map(|part| sizes.iter().map(move |size| (part, *size))).collect()
}

fn said(document: &Map<String, Value>, part: &str, size: &str) -> Option<u64> {
    match part {
        "" => document.get(size)?.as_u64(),
        part => document.get(part)?.get(size)?.as_u64(),
    }
}

#[test]
fn a_tensor_too_many_is_told_and_what_loaders_pass_over_is_not() {
    let folders = written("tiny");
    let folder = folders.iter().find(|folder| folder.name == "llama").unwrap();
    let check = |name: &str, expected: &[&str]| {
        let mut rows = folder.tensors.clone();
        rows.push(Row { name: name.to_owned(), dtype: Dtype::BF16, extents: vec![64] });
        assert_eq!(told(&fit(&folder.documents[0].1, &rows)), expected, "{name}");
    };
    check("model.layers.0.self_attn.rotary_emb.inv_freq", &[]);
    check(
        "model.layers.0.self_attn.q_proj.bias",
        &["model.layers.0.self_attn.q_proj.bias [64] not [64]"; 0],
    );
    check("model.layers.0.self_attn.k_scale", &[]);
    check("model.layers.0.mlp.extra.weight", &["1 extra, model.layers.0.mlp.extra.weight"]);
    check(
        "model.layers.3.mlp.up_proj.weight",
        &["1 extra, model.layers.3.mlp.up_proj.weight", "layers (Some(3), 4)"],
    );
}

#[test]
fn a_packed_weight_is_held_against_the_plain_shape() {
    let folders = written("public");
    let check = |name: &str, tensor: &str, expected: &str| {
        let folder = folders.iter().find(|folder| folder.name.ends_with(name)).unwrap();
        let document = &folder.documents[0].1;
        let place = folder.tensors.iter().position(|row| row.name == tensor).unwrap();
        let mut rows = folder.tensors.clone();
        rows[place].extents[0] += 8;
        let longer = fit(document, &rows);
        rows.remove(place);
        let without = fit(document, &rows);
        assert_eq!(
            format!("{}; {}", told(&longer).join(", "), told(&without).join(", ")),
            expected
        );
    };
    check(
        "7B-Instruct-GPTQ-Int4",
        "model.layers.1.self_attn.k_proj.qweight",
        "model.layers.1.self_attn.k_proj.weight [512, 3648] not [512, 3584]; \
         no model.layers.1.self_attn.k_proj.weight",
    );
    check(
        "7B-Instruct-AWQ",
        "model.layers.1.self_attn.k_proj.qweight",
        "model.layers.1.self_attn.k_proj.weight [512, 3592] not [512, 3584]; \
         no model.layers.1.self_attn.k_proj.weight",
    );
    check(
        "7B-Instruct-AWQ",
        "model.layers.1.self_attn.k_proj.scales",
        "; no model.layers.1.self_attn.k_proj.scales",
    );
    check(
        "quantized.w4a16",
        "model.layers.1.self_attn.k_proj.weight_packed",
        "model.layers.1.self_attn.k_proj.weight [1032, 4096] not [1024, 4096]; \
         no model.layers.1.self_attn.k_proj.weight",
    );
}

#[test]
fn packed_weights_without_what_they_are_unpacked_with_are_told() {
    let folders = written("public");
    let check = |name: &str, lost: &str, expected: &str| {
        let folder = folders.iter().find(|folder| folder.name.ends_with(name)).unwrap();
        let mut rows = folder.tensors.clone();
        rows.retain(|row| row.name != lost);
        assert_eq!(rows.len() + 1, folder.tensors.len(), "{name} {lost}");
        let told = told(&fit(&folder.documents[0].1, &rows));
        assert_eq!(told, [format!("no {expected}")], "{name}");
    };
    let q = "model.layers.3.self_attn.q_proj";
    let same = |name: &str, lost: &str| check(name, &format!("{q}.{lost}"), &format!("{q}.{lost}"));
    same("Qwen3-8B-FP8", "weight_scale_inv");
    same("8B-Instruct-FP8-dynamic", "weight_scale");
    same("8B-Instruct-quantized.w8a8", "weight_scale");
    same("8B-Instruct-quantized.w4a16", "weight_scale");
    same("8B-Instruct-bnb-4bit", "weight.absmax");
    same("8B-Instruct-bnb-4bit", "weight.quant_map");
    same("8B-Instruct-bnb-4bit", "weight.quant_state.bitsandbytes__nf4");
    same("Qwen2.5-7B-Instruct-GPTQ-Int4", "scales");
    same("Qwen2.5-7B-Instruct-AWQ", "scales");
    let seeing = "model.language_model.layers.3.mlp.down_proj.weight_scale_inv";
    check("Qwen3-VL-8B-Instruct-FP8", seeing, seeing);
}

//! Folders as transformers writes them and as repositories have them, and the same with something wrong.

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
    if fit.layers.0 != Some(fit.layers.1) {
        told.push(format!("layers {:?}", fit.layers));
    }
    if fit.hidden_size.0 != fit.hidden_size.1 {
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
    let is_encoder = ["bert", "roberta", "xlm-roberta"].contains(&folder);
    tensor.ends_with("e_score_correction_bias")
        || is_encoder && tensor.starts_with("pooler.")
        || folder == "modernbert-reranker" && tensor == "classifier.bias"
        || folder == "stablelm" && tensor.contains("post_attention_layernorm")
}

/// Something done to the row at a place.
type Change = fn(&mut Vec<Row>, usize);

#[test]
fn every_tensor_that_is_dropped_renamed_or_reshaped_is_told() {
    let mut silent = Vec::new();
    for folder in written("tiny") {
        let document = &folder.documents[0].1;
        for place in 0..folder.tensors.len() {
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
    ];
    let mut silent = Vec::new();
    for folder in written("tiny") {
        for (writer, document) in &folder.documents {
            for size in sizes {
                let Some(number) = document.get(size).and_then(Value::as_u64) else { continue };
                // Latent attention has no such heads.
                let is_latent = document.contains_key("kv_lora_rank");
                // All its layers have experts.
                let is_sparse = folder.name == "qwen2-moe" && size == "intermediate_size";
                if is_sparse || is_latent && ["num_key_value_heads", "head_dim"].contains(&size) {
                    continue;
                }
                for other in [number + 1, number * 2] {
                    let mut document = document.clone();
                    document.insert(size.to_owned(), other.into());
                    if told(&fit(&document, &folder.tensors)).is_empty() {
                        silent.push(format!("{} by {writer}: {size} {other}", folder.name));
                    }
                }
            }
        }
    }
    assert_eq!(silent, [""; 0]);
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

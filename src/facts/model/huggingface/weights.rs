//! The weights of a folder: one file, an index and its shards, or a numbered series.

use std::collections::HashSet;
use std::ops::Range;

use super::index::Document;
use super::{Examination, FolderKind, Weights};
use crate::facts::model::file::{self, Content, Defect, ModelFile, Role};
use crate::facts::model::huggingface::parsed;
use crate::facts::model::safetensors::{self, Parsed};
use crate::file_name::split::SplitName;
use crate::file_name::weights;
use crate::limits::{LONGEST_INDEX, MOST_SHARDS};

/// The one file name and the index name of each way to store a model, in the order in which
/// engines look (vLLM 0.33.0, `default_loader.py`).
const MODEL: [(&str, &str, Weights); 2] = [
    ("model.safetensors", "model.safetensors.index.json", Weights::Safetensors),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", Weights::Pickles),
];

/// The same for adapters, which have no index.
const ADAPTER: [(&str, &str, Weights); 2] = [
    ("adapter_model.safetensors", "", Weights::Safetensors),
    ("adapter_model.bin", "", Weights::Pickles),
];

pub(super) fn examine(examination: &mut Examination<'_>) {
    let names = if examination.folder.kind == FolderKind::Adapter { ADAPTER } else { MODEL };
    for (single, index, weights) in names {
        // Engines look for safetensors first, whatever they are called.
        let hidden = weights == Weights::Pickles && !examination.ending(".safetensors").is_empty();
        if !index.is_empty() && !hidden && examination.has(index) {
            examination.folder.weights = Some(weights);
            return indexed(examination, index);
        }
        if examination.has(single) {
            break;
        }
    }
    let found = if examination.names.is_some() {
        listed(examination)
    } else {
        names
            .into_iter()
            .find(|(single, ..)| examination.has(single))
            .map(|(single, _, weights)| (vec![single.to_owned()], weights))
    };
    let Some((found, weights)) = found else { return onnx(examination) };
    examination.folder.weights = Some(weights);
    let missing = missing_of_series(&found);
    let several = found.len() + missing.len() > 1;
    let role = if several { Role::Shard } else { Role::Weights };
    for name in found {
        shard(examination, &name, role);
    }
    let missing = missing.into_iter().map(|name| ModelFile::absent(name, role));
    examination.files.extend(missing);
}

/// Where TEI and Infinity look for a graph if there is nothing else (TEI 0d124dc
/// backends/src/lib.rs).
const ONNX: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// The graph that is looked for, if there is one.
pub(super) fn graph(examination: &Examination<'_>) -> Option<&'static str> {
    ONNX.into_iter().find(|name| examination.has(name))
}

fn onnx(examination: &mut Examination<'_>) {
    let Some(name) = graph(examination) else { return };
    examination.folder.weights = Some(Weights::Onnx);
    let path = examination.path.join(name);
    examination.files.push(file::examine(examination.view, &path, Role::Plain, name));
}

/// The weights that an engine would find by their ending.
fn listed(examination: &Examination<'_>) -> Option<(Vec<String>, Weights)> {
    weights::TORCH.iter().find_map(|ending| {
        let mut names = examination.ending(ending);
        names.retain(|name| !weights::is_of_training(name));
        // Mistral's own layout of the same weights; read only where nothing else is there.
        if names.iter().any(|name| !weights::is_consolidated(name)) {
            names.retain(|name| !weights::is_consolidated(name));
        }
        let weights = Weights::of(names.first()?)?;
        Some((names, weights))
    })
}

/// Whether a name is one that engines take for weights.
pub(super) fn is_called_so(name: &str) -> bool {
    Weights::of(name).is_some_and(Weights::is_of_torch) && !weights::is_of_training(name)
}

/// Looks at one file of weights; returns which of the tensors of the folder are in it where that is
/// known.
fn shard(examination: &mut Examination<'_>, name: &str, role: Role) -> Option<Range<usize>> {
    let path = examination.path.join(name);
    let mut found = None;
    let file = if Weights::Safetensors.are_in(name) {
        file::with(examination.view, &path, role, name, |reader, stat| {
            match safetensors::parse(&mut *reader, stat.size) {
                Ok(parsed) => {
                    if let Some(adapter) = &mut examination.folder.adapter {
                        let tensors = parsed.names.iter().zip(parsed.extents);
                        tensors.for_each(|(name, extents)| adapter.meet(name, extents));
                    }
                    let Parsed { header, names, shapes, .. } = parsed;
                    found = Some(examination.tensors.add(names, shapes));
                    Content::Safetensors(header)
                }
                // Sniffed, to say what it is instead.
                Err(error) => refused(file::content(role, reader, stat), error),
            }
        })
    } else {
        file::examine(examination.view, &path, role, name)
    };
    if let Content::Safetensors(header) = &file.content {
        for (dtype, bytes) in &header.census {
            let sum = examination.folder.dtypes.entry(*dtype).or_default();
            *sum = sum.saturating_add(*bytes);
        }
    }
    examination.files.push(file);
    found
}

/// Of a file that should be safetensors: what it looks like, or what the format's library says.
fn refused(sniffed: Content, error: safetensors::SafetensorsError) -> Content {
    match sniffed {
        Content::Broken(Defect::Lookalike(_)) | Content::Unknown(_) => sniffed,
        Content::Absent
        | Content::Denied(_)
        | Content::Gguf(_)
        | Content::Safetensors(_)
        | Content::Archive
        | Content::Pickle
        | Content::Document
        | Content::Broken(_) => Content::Broken(Defect::Safetensors(error)),
    }
}

fn indexed(examination: &mut Examination<'_>, name: &str) {
    let path = examination.path.join(name);
    let mut document = None;
    let mut file =
        parsed(examination.view, &path, name, Role::Index, LONGEST_INDEX, |found: Document| {
            document = Some(found);
        });
    let escaping = document.as_ref().and_then(Document::escaping_shard).map(str::to_owned);
    if let Some(shard) = escaping {
        let why = format!("it names the shard `{shard}`, which is not in this folder");
        file.content = Content::Broken(Defect::Document(why));
        document = None;
    }
    examination.files.push(file);
    let Some(mut document) = document else { return };
    let shards = document.shards().to_vec();
    let mut read = vec![false; shards.len()];
    let first = examination.files.len();
    for (number, name) in shards.iter().enumerate() {
        if let Some(range) = shard(examination, name, Role::Shard) {
            document.meet(number, examination.tensors.names(range));
            read[number] = true;
        }
    }
    let sizes = examination.files[first..].iter().map(|file| match &file.content {
        Content::Safetensors(header) => Some(header.data_bytes),
        Content::Absent
        | Content::Denied(_)
        | Content::Unknown(_)
        | Content::Gguf(_)
        | Content::Archive
        | Content::Pickle
        | Content::Document
        | Content::Broken(_) => None,
    });
    let found_size = sizes.sum::<Option<u64>>();
    examination.files[first..].sort_by(|a, b| a.name.cmp(&b.name));
    examination.folder.index = Some(document.conclude(name, &read, found_size));
}

/// The members of `...-00001-of-00003.safetensors` and the like that are not there.
fn missing_of_series(names: &[String]) -> Vec<String> {
    let present: HashSet<&str> = names.iter().map(String::as_str).collect();
    for name in names {
        let Some(part) = SplitName::parse(name) else { continue };
        if !(1..=MOST_SHARDS).contains(&(part.count as usize)) {
            continue;
        }
        // One series is enough: a second of the same ending is another model.
        return part.parts().filter(|member| !present.contains(member.as_str())).collect();
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_knows_its_members() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let check = |present: &[&str], missing: &[&str]| {
            assert_eq!(missing_of_series(&names(present)), names(missing), "{present:?}");
        };
        check(
            &["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"],
            &["model-00002-of-00003.safetensors"],
        );
        check(&["model-00001-of-00001.safetensors"], &[]);
        check(&["model.safetensors", "extra-1-of-3.safetensors"], &[]);
        check(&["model-00001-of-99999.safetensors"], &[]);
    }
}

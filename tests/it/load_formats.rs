//! Which weights a folder has to hold depends on how the engine is told to load them.

use std::path::Path;

use crate::sandbox::{Sandbox, repository};

const FOLDER: &str = "models/vllm/tiny/bf16";

/// The quickstart's folder with the weights under other names, and a vLLM that is given `words`.
fn sandbox(words: &str, weights: &[&str]) -> Sandbox {
    let source = repository().join("examples/quickstart").join(FOLDER);
    let whole = whole(&source);
    let mut sandbox = Sandbox::new().file(
        "compose.yaml",
        format!(
            "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    \
             command: /models/vllm/tiny/bf16 --max-model-len 128 {words}\n    \
             volumes: ['./models:/models:ro']\n    gpus: all\n"
        ),
    );
    for entry in fs_err::read_dir(&source).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !name.contains("safetensors") {
            let content = fs_err::read(entry.path()).unwrap();
            sandbox = sandbox.file(&format!("{FOLDER}/{name}"), content);
        }
    }
    weights.iter().fold(sandbox, |sandbox, name| {
        sandbox.file(
            &format!("{FOLDER}/{name}"),
            if name.ends_with("safetensors") { &whole[..] } else { b"\x80\x02." },
        )
    })
}

/// The shards of a folder as one file.
fn whole(folder: &Path) -> Vec<u8> {
    let (mut entries, mut data) = (serde_json::Map::new(), Vec::new());
    for number in 1..=3 {
        let name = format!("model-0000{number}-of-00003.safetensors");
        let shard = fs_err::read(folder.join(name)).unwrap();
        let (length, rest) = shard.split_at(8);
        let length = u64::from_le_bytes(length.try_into().unwrap());
        let (header, tensors) = rest.split_at(usize::try_from(length).unwrap());
        let header: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(header).unwrap();
        for (name, mut entry) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
            for offset in entry["data_offsets"].as_array_mut().unwrap() {
                *offset = (offset.as_u64().unwrap() + data.len() as u64).into();
            }
            entries.insert(name, entry);
        }
        data.extend_from_slice(tensors);
    }
    let header = serde_json::Value::Object(entries).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// The exit code, and what the first error of the report says.
fn check(words: &str, weights: &[&str], code: i32, says: &str) {
    let run = sandbox(words, weights).run(&["verify"]);
    let error = run.stdout.lines().find(|line| line.starts_with("error[")).unwrap_or_default();
    let note = run.stdout.lines().find(|line| line.starts_with("note[taken-on-trust]"));
    let told = if error.is_empty() { note.unwrap_or_default() } else { error };
    let context = format!("{words} {weights:?}\n{}", run.stdout);
    assert_eq!(run.code, Some(code), "{context}");
    assert!(if says.is_empty() { told.is_empty() } else { told.contains(says) }, "{context}");
}

#[test]
fn made_up_weights_need_no_files() {
    check("", &[], 10, "holds no weights");
    check("--load-format dummy", &[], 0, "");
    check("--load-format dummy", &["model-00001-of-00003.safetensors"], 0, "");
}

#[test]
fn a_format_of_its_own_is_not_judged() {
    check(
        "--load-format tensorizer",
        &[],
        0,
        "does not know the files of `--load-format tensorizer`",
    );
}

#[test]
fn every_other_format_needs_the_files_that_it_opens() {
    let one = &["model.safetensors"][..];
    for format in ["auto", "safetensors", "fastsafetensors", "runai_streamer", "bitsandbytes"] {
        check(&format!("--load-format {format}"), one, 0, "");
        let says = if matches!(format, "auto" | "bitsandbytes") {
            "holds no weights".to_owned()
        } else {
            format!("has no `*.safetensors`, which `--load-format {format}` opens")
        };
        check(&format!("--load-format {format}"), &[], 10, &says);
    }
    check("--load-format runai_streamer", &["m.bin"], 10, "has no `*.safetensors`");
    check("--load-format safetensors", &["model-00001-of-00002.safetensors"], 10, "is missing");
    check("--load-format pt", &["model.pt"], 0, "");
    check("--load-format pt", one, 10, "has no `*.pt`");
    check("--load-format npcache", &["model.bin"], 0, "");
    check("--load-format npcache", one, 10, "has no `*.bin`");
    check("--load-format mistral", &["consolidated.safetensors"], 0, "");
    check("--load-format mistral", one, 10, "has no `consolidated*.safetensors`");
}

#[test]
fn a_saved_state_has_files_for_every_rank() {
    let words = "--load-format sharded_state --tensor-parallel-size 2";
    let (zero, one) = ("model-rank-0-part-0.safetensors", "model-rank-1-part-0.safetensors");
    check(words, &[zero, one], 0, "");
    check(words, &[zero], 10, "has no `model-rank-1-part-*.safetensors`");
    check("--load-format sharded_state", &["model.safetensors"], 10, "model-rank-0-part-*");
}

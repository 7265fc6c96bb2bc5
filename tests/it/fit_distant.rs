//! Whether models fit that are not here yet: by what the hub says of them, before they are downloaded.

use std::collections::BTreeSet;

use fake_hub::{FakeHub, Made, Origin};
use serde_json::Value;

use crate::gguf_oracle::document::{Document, Tensor};
use crate::hub_stack::{GGUF, brought, builder, check, edit, hub, stack};
use crate::sandbox::{Run, Sandbox, repository};

/// How much larger the middle layers of [`large`] are than those of the quickstart's model.
const TIMES: i64 = 64;

/// What is asked for of a file at first. The header of [`large`] is shorter.
const FIRST_PIECE: &str = "bytes=0-65535";

const MISMATCH: &str = "tensor-parallel-mismatch";

const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyz012345";

fn json(run: &Run) -> Value {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// What is said of the memory of each lane.
fn memories(report: &Value) -> Vec<Value> {
    let lanes = report["lanes"].as_array().unwrap();
    lanes.iter().map(|lane| lane["memory"].clone()).collect()
}

/// The quickstart's model with layers that are much wider: some 25 MiB.
fn large() -> Made {
    let mut document = Document::parse(&fs_err::read(repository().join(GGUF)).unwrap());
    let is_wide = |tensor: &Tensor| tensor.name.contains(".ffn_") && tensor.shape.len() > 1;
    for tensor in document.tensors.iter_mut().filter(|tensor| is_wide(tensor)) {
        let wide =
            usize::from(tensor.name.contains(".ffn_up") || tensor.name.contains(".ffn_gate"));
        tensor.shape[wide] *= TIMES;
    }
    for key in document.keys.iter_mut().filter(|key| key.name.ends_with("feed_forward_length")) {
        let wide = i32::from_le_bytes(key.value[4..8].try_into().unwrap());
        let wide = wide * i32::try_from(TIMES).unwrap();
        key.value[4..8].copy_from_slice(&wide.to_le_bytes());
    }
    let times = usize::try_from(TIMES).unwrap();
    let size = |tensor: &Tensor| tensor.data.len() * if is_wide(tensor) { times } else { 1 };
    let data = document.tensors.iter().map(|it| size(it).next_multiple_of(32)).sum::<usize>();
    let header = document.header(size);
    Made::new(&header, (header.len() + data) as u64, 7)
}

/// A lane on a GPU with [`large`], of which nothing is here.
fn on_card(hub: &FakeHub) -> Sandbox {
    let compose = "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-cuda-b6000\n    \
                   command: -m /models/large.gguf -c 512 -ngl 99\n    gpus: [{count: 1}]\n    \
                   volumes: ['./models:/models']\n\
                   x-preflight:\n  lanes:\n    big:\n      service: llm\n      \
                   source: hf://acme/large-GGUF/large.gguf\n";
    let sandbox = Sandbox::new().file("compose.yaml", compose).file("models/.keep", "");
    sandbox.variable("HF_ENDPOINT", hub.url())
}

fn remove_weights(sandbox: &Sandbox) {
    let models = sandbox.path().join("models");
    for file in brought(sandbox).iter().filter(|file| file.ends_with(".safetensors")) {
        fs_err::remove_file(models.join(file)).unwrap();
    }
}

/// What was asked for of large files, each once: one that comes late is asked for again.
fn ranges(hub: &FakeHub) -> BTreeSet<String> {
    let requests = hub.requests().into_iter();
    let of_files = requests.filter(|it| it.origin == Origin::Cdn && it.method == "GET");
    of_files.map(|request| request.range.unwrap_or_else(|| "all".to_owned())).collect()
}

fn large_hub() -> FakeHub {
    FakeHub::builder().made("acme/large-GGUF", "large.gguf", large()).start().unwrap()
}

#[test]
fn what_is_not_here_takes_what_it_takes_when_it_is() {
    let hub = hub(&[]);
    let distant = stack(&hub);
    let told = json(&distant.run(&["fit", "--format", "json"]));
    let here = json(&Sandbox::quickstart().run(&["fit", "--format", "json"]));
    assert_eq!(memories(&told), memories(&here));
    assert!(memories(&told).iter().any(|memory| memory["parts"].is_array()), "{told:#}");
    assert_eq!(brought(&distant), [""; 0]);
}

#[test]
fn of_a_large_file_the_header_is_read_and_no_more() {
    let hub = large_hub();
    let sandbox = on_card(&hub);
    let told = json(&sandbox.run(&["fit", "--format", "json", "--gpus", "24GB"]));
    let parts = told["lanes"][0]["memory"]["parts"].as_array().unwrap();
    let weights: u64 = parts
        .iter()
        .filter(|part| part["name"] == "weights")
        .map(|part| part["bytes_low"].as_u64().unwrap())
        .sum();
    assert!(weights > 20 << 20, "{told:#}");
    assert_eq!(ranges(&hub), BTreeSet::from([FIRST_PIECE.to_owned()]));
    assert_eq!(brought(&sandbox), [".keep"]);
}

#[test]
fn of_a_model_of_which_a_part_is_here_the_rest_is_asked_for() {
    let document = Document::parse(&fs_err::read(repository().join(GGUF)).unwrap());
    let shards: Vec<(String, Vec<u8>)> = (1..)
        .zip(document.split(2))
        .map(|(number, shard)| (format!("tiny-0000{number}-of-00002.gguf"), shard.bytes()))
        .collect();
    let all = shards.iter().fold(FakeHub::builder(), |hub, (name, content)| {
        hub.file("acme/split-GGUF", name, content.clone())
    });
    let hub = all.start().unwrap();
    let compose = "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    \
                   command: -m /models/tiny-00001-of-00002.gguf --no-repack -fit off\n    \
                   volumes: ['./models:/models']\n\
                   x-preflight:\n  lanes:\n    split:\n      service: llm\n      \
                   source: hf://acme/split-GGUF/tiny-00001-of-00002.gguf\n";
    let told = |here: &[usize], words: &[&str]| {
        let sandbox = Sandbox::new().file("compose.yaml", compose).file("models/.keep", "");
        let sandbox =
            here.iter().map(|at| &shards[*at]).fold(sandbox, |sandbox, (name, content)| {
                sandbox.file(&format!("models/{name}"), content)
            });
        let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
        let words = [&["fit", "--format", "json"], words].concat();
        let memory = memories(&json(&sandbox.run(&words))).remove(0);
        assert_eq!(brought(&sandbox).len(), here.len() + 1);
        memory
    };
    let whole = told(&[0, 1], &["--offline"]);
    assert!(whole["parts"].is_array(), "{whole:#}");
    for here in [&[0][..], &[1], &[]] {
        assert_eq!(told(here, &[]), whole, "{here:?}");
    }
    // What is not asked for is not made up: the weights are those of the file that is here, or more.
    let weights = |memory: &Value| {
        let parts = memory["parts"].as_array().unwrap();
        let part = parts.iter().find(|part| part["name"] == "weights").unwrap();
        (part["bytes_low"].as_u64().unwrap(), part["bytes_high"].as_u64(), part["exact"] == true)
    };
    let here: usize = document.split(2)[0].tensors.iter().map(|tensor| tensor.data.len()).sum();
    let here = here as u64;
    let (least, most, is_exact) = weights(&told(&[0], &["--offline"]));
    // What lies between tensors is none of theirs.
    assert!((here - 64..=here).contains(&least), "{least} of {here}");
    assert_eq!((most, is_exact), (None, false));
    let (all, most, is_exact) = weights(&whole);
    assert!(here * 3 / 2 < all && most == Some(all) && is_exact, "{whole:#}");
    assert!(told(&[1], &["--offline"])["parts"].is_null());
}

#[test]
fn of_what_does_not_fit_no_byte_of_the_weights_is_fetched() {
    let hub = large_hub();
    let sandbox = on_card(&hub);
    let run = sandbox.run(&["fetch", "--gpus", "16MiB"]);
    check(&run, 21, &["error[gpu-memory-short]: `big` needs more than the 0.02 GiB of GPU 0"]);
    assert_eq!(ranges(&hub), BTreeSet::from([FIRST_PIECE.to_owned()]));
    assert_eq!(brought(&sandbox), [".keep"]);
    let allowed = sandbox.run(&["fetch", "--gpus", "16MiB", "--allow", "gpu-memory-short"]);
    check(&allowed, 0, &["note[gpu-memory-short]: `big` needs more"]);
    assert_eq!(brought(&sandbox), [".keep", "large.gguf"]);
}

#[test]
fn of_what_its_configuration_shows_not_to_fit_no_weights_are_fetched() {
    let hub = hub(&[]);
    for is_here in [false, true] {
        let sandbox = stack(&hub);
        edit(&sandbox, "--served-model-name tiny", "--tensor-parallel-size 3");
        edit(&sandbox, "count: 1", "count: 3");
        if is_here {
            let told = sandbox.run(&["fetch", "--lane", "coder", "--allow", MISMATCH]);
            check(&told, 0, &["note[tensor-parallel-mismatch]"]);
            remove_weights(&sandbox);
        }
        let run = sandbox.run(&["fetch", "--lane", "coder"]);
        check(&run, 21, &["error[tensor-parallel-mismatch]"]);
        let brought = brought(&sandbox);
        assert!(brought.iter().any(|file| file.ends_with("config.json")), "{brought:?}");
        assert!(!brought.iter().any(|file| file.ends_with(".safetensors")), "{brought:?}");
        // Where nothing is to be fetched, what is missing comes first.
        check(
            &sandbox.run(&["verify", "--lane", "coder"]),
            10,
            &["error[tensor-parallel-mismatch]"],
        );
        let allowed = sandbox.run(&["fetch", "--lane", "coder", "--allow", MISMATCH]);
        check(&allowed, 0, &["note[tensor-parallel-mismatch]"]);
    }
}

#[test]
fn a_hub_that_is_not_asked_or_does_not_answer_leaves_it_unknown() {
    for (arguments, faults, words) in [
        (&["fit", "--offline"][..], &[][..], "its model is not here"),
        (&["fit"], &["gone:acme/tiny", "gone:acme/tiny-GGUF"], "its model is not here, and "),
    ] {
        let hub = hub(faults);
        let sandbox = stack(&hub).variable("COLUMNS", "200");
        let run = sandbox.run(arguments);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        let table: Vec<&str> = run.stdout.lines().filter(|line| line.contains(words)).collect();
        assert_eq!(table.len(), 2, "{}", run.stdout);
        assert_eq!(hub.requests().is_empty(), arguments.contains(&"--offline"));
    }
}

#[test]
fn a_file_that_does_not_come_in_parts_is_not_read_whole() {
    let hub = FakeHub::builder()
        .made("acme/large-GGUF", "large.gguf", large())
        .fault("ignore-range:acme/large-GGUF".parse().unwrap())
        .start()
        .unwrap();
    let run = on_card(&hub).variable("COLUMNS", "200").run(&["fit"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("does not give a part of a file"), "{}", run.stdout);
}

#[test]
fn the_token_goes_to_the_hub_and_into_no_log() {
    let hub = builder().token(TOKEN).start().unwrap();
    let sandbox = stack(&hub).variable("HF_TOKEN", TOKEN);
    let run = sandbox.run(&["fit", "-vv"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains(TOKEN));
    let requests = hub.requests();
    let is_home = |request: &&fake_hub::Request| request.origin == Origin::Hub;
    assert!(requests.iter().filter(is_home).all(|request| request.authorization.is_some()));
    assert!(!requests.iter().any(|it| !is_home(&it) && it.authorization.is_some()));
    assert!(!requests.iter().any(|it| it.path.ends_with("tokenizer.json")), "{requests:?}");
}

/// A Pod of containers with [`large`], each of which is given a GPU.
fn pod(name: &str, containers: &[&str]) -> String {
    let sources = containers.iter().map(|container| {
        format!("preflight.source/{container}: 'hf://acme/large-GGUF/large.gguf'")
    });
    let each = containers.iter().map(|container| {
        format!(
            "    - {{name: {container}, image: 'ghcr.io/ggml-org/llama.cpp:server-cuda-b6000', args: [-m, \
             /models/large.gguf, -c, '512', -ngl, '99'], resources: {{limits: {{nvidia.com/gpu: 1}}}}, \
             volumeMounts: [{{name: m, mountPath: /models}}]}}\n"
        )
    });
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{{}}}}}\nspec:\n  volumes: \
         [{{name: m, emptyDir: {{}}}}]\n  containers:\n{}---\n",
        sources.collect::<Vec<_>>().join(", "),
        each.collect::<String>()
    )
}

#[test]
fn no_container_of_a_pod_shares_its_gpus() {
    let hub = large_hub();
    for (manifests, gpus, expected) in [
        (
            pod("a", &["v"]) + &pod("b", &["v"]),
            "40MiB",
            Ok(["0 of pod/a", "0 of pod/b"].as_slice()),
        ),
        (pod("a", &["v", "w"]), "2x40MiB", Ok(["0", "1"].as_slice())),
        (pod("a", &["v"]) + &pod("b", &["v"]), "16MiB", Err("GPU 0 of pod/a")),
        (pod("a", &["v"]), "16MiB", Err("GPU 0")),
    ] {
        let sandbox = Sandbox::new().file("a.yaml", &manifests).variable("HF_ENDPOINT", hub.url());
        let run = sandbox.run(&["fit", "-f", "a.yaml", "--format", "json", "--gpus", gpus]);
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        match expected {
            Ok(keys) => {
                assert_eq!(run.code, Some(0), "{gpus}: {}", run.stdout);
                let devices = told["devices"].as_array().unwrap().iter();
                let own: Vec<&str> = devices.map(|it| it["key"].as_str().unwrap()).collect();
                assert_eq!(own, keys, "{}", run.stdout);
            }
            Err(said) => {
                assert_eq!(run.code, Some(21), "{}", run.stdout);
                let message = told["findings"][0]["message"].as_str().unwrap();
                assert!(message.contains(&format!("of {said}: weights")), "{message}");
            }
        }
    }
}

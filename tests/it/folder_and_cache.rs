//! What a lane with a folder and a lane with a cache get: the same words, the same bytes.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use fake_hub::{Builder, FakeHub};
use serde_json::Value;

use crate::hub_stack::{GGUF, builder, folder, hub};
use crate::sandbox::{Sandbox, repository};

const FOLDER: &str = "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    \
                      command: --model /models/tiny\n    volumes: ['./models:/models']\n    \
                      gpus: all\n\
                      x-preflight:\n  lanes:\n    llm: {service: llm, source: 'hf://acme/tiny'}\n";
const CACHE: &str = "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    \
                     command: acme/tiny\n    environment: {HF_HUB_OFFLINE: '1'}\n    \
                     volumes: ['./hf:/root/.cache/huggingface']\n    \
                     gpus: [{device_ids: ['0']}]\n";

/// The changed files of the newer commit: one is small, one is a shard of another size.
const CHANGED: [&str; 2] = ["generation_config.json", "model-00001-of-00003.safetensors"];

/// A stack, and where the files of its model lie.
struct Kept {
    sandbox: Sandbox,
    in_cache: bool,
}

/// Both ways to keep the same model, fetched from the same hub.
fn both(hub: &FakeHub) -> [Kept; 2] {
    let of = |compose: &str, in_cache| {
        let sandbox = Sandbox::new().file("compose.yaml", compose);
        let sandbox = sandbox.file("models/.keep", "").file("hf/.keep", "");
        Kept { sandbox: sandbox.variable("HF_ENDPOINT", hub.url()), in_cache }
    };
    [of(FOLDER, false), of(CACHE, true)]
}

/// The hub of [`hub`] after another commit.
fn moved() -> FakeHub {
    let newer = folder().into_iter().filter(|(name, _)| CHANGED.contains(&name.as_str()));
    let add = |builder: Builder, (name, mut content): (String, Vec<u8>)| {
        let digit = content.iter().rposition(u8::is_ascii_digit).unwrap();
        content[digit] ^= 1;
        builder.file("acme/tiny", &name, content)
    };
    newer.fold(builder().commit("acme/tiny"), add).start().unwrap()
}

impl Kept {
    fn at(self, hub: &FakeHub) -> Self {
        Self { sandbox: self.sandbox.variable("HF_ENDPOINT", hub.url()), ..self }
    }

    /// `exit: verdict: ids of the findings`.
    fn told(&self, arguments: &[&str]) -> String {
        let run = self.sandbox.run(&[arguments, &["--format", "json"]].concat());
        let report: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr));
        let findings = report["findings"].as_array().unwrap().iter();
        let mut ids: Vec<&str> = findings.map(|it| it["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        let verdict = report["lanes"][0]["verdict"].as_str().unwrap();
        format!("{} {verdict} {}", run.code.unwrap(), ids.join(" ")).trim_end().to_owned()
    }

    /// The folder that its engine opens.
    fn model(&self) -> PathBuf {
        if !self.in_cache {
            return self.sandbox.path().join("models/tiny");
        }
        let repository = self.sandbox.path().join("hf/hub/models--acme--tiny");
        let commit = fs_err::read_to_string(repository.join("refs/main")).unwrap_or_default();
        repository.join("snapshots").join(commit)
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs_err::read(self.model().join(name)).ok()
    }

    /// Whether the model is the one of `hub`, as it is there now or as it was before its last commit.
    fn is(&self, newer: bool) -> bool {
        let files = folder().into_iter();
        files.filter(|(name, _)| CHANGED.contains(&name.as_str())).all(|(name, content)| {
            let here = self.read(&name).unwrap_or_default();
            (here != content) == newer && here.len() == content.len()
        })
    }

    fn is_whole(&self) -> bool {
        folder().into_iter().all(|(name, _)| self.read(&name).is_some())
    }

    fn edit(&self, name: &str, content: &str) {
        fs_err::write(self.model().join(name), content).unwrap();
    }

    fn remove(&self, name: &str) {
        let path = self.model().join(name);
        let content = fs_err::canonicalize(&path).unwrap();
        fs_err::remove_file(&path).unwrap();
        drop(fs_err::remove_file(content));
    }

    /// Without its stamps a folder remembers no more than a cache does.
    fn forget(&self) {
        drop(fs_err::remove_dir_all(self.model().join(".cache/huggingface/preflight")));
    }

    fn pinned(&self) -> Value {
        let text = fs_err::read_to_string(self.sandbox.path().join("preflight.lock")).unwrap();
        let lock: Value = serde_json::from_str(&text).unwrap();
        lock["lanes"]["llm"].clone()
    }
}

/// Does the same to both, and expects the same of both.
fn check(kept: &[Kept; 2], arguments: &[&str], expected: &str) {
    let told = kept.each_ref().map(|kept| kept.told(arguments));
    assert_eq!(told, [expected, expected], "{arguments:?}");
}

#[test]
fn what_is_pinned_is_brought_although_the_branch_has_moved() {
    let (first, moved) = (hub(&[]), moved());
    let kept = both(&first);
    for kept in &kept {
        assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0));
        assert_eq!(kept.pinned()["commit"], first.commit("acme/tiny"));
    }
    assert_eq!(kept[0].pinned()["files"], kept[1].pinned()["files"]);
    let kept = kept.map(|kept| kept.at(&moved));
    check(&kept, &["fetch"], "0 ready");
    check(&kept, &["verify", "--deep", "--offline"], "0 ready");
    assert!(kept.iter().all(|kept| kept.is(false) && kept.is_whole()));
    check(&kept, &["fetch", "--update"], "0 ready lock-holds-back-update");
    assert!(kept.iter().all(|kept| kept.is(false)));

    for kept in &kept {
        let run = kept.sandbox.run(&["lock", "--update"]);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        assert_eq!(kept.pinned()["commit"], moved.commit("acme/tiny"));
    }
    check(&kept, &["verify", "--offline"], "11 not-ready file-corrupt");
    check(&kept, &["fetch"], "0 ready");
    check(&kept, &["verify", "--deep", "--offline"], "0 ready");
    assert!(kept.iter().all(|kept| kept.is(true) && kept.is_whole()));
}

#[test]
fn what_is_here_moves_only_when_it_is_told_to() {
    let (first, moved) = (hub(&[]), moved());
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let kept = kept.map(|kept| kept.at(&moved));
    check(&kept, &["fetch"], "0 ready");
    assert!(moved.requests().is_empty(), "nothing is missing");
    kept.iter().for_each(|kept| kept.remove("config.json"));
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    assert!(kept.iter().all(|kept| kept.is(false) && kept.is_whole()), "it is completed as it was");
    check(
        &kept,
        &["fetch", "--update", "--dry-run"],
        "0 not-ready revision-not-pinned would-fetch",
    );
    assert!(kept.iter().all(|kept| kept.is(false)));
    check(&kept, &["fetch", "--update"], "0 ready revision-not-pinned");
    assert!(kept.iter().all(|kept| kept.is(true) && kept.is_whole()));
    check(&kept, &["verify", "--deep", "--offline"], "0 ready");
}

#[test]
fn what_is_here_already_is_pinned_as_it_is() {
    let (first, moved) = (hub(&[]), moved());
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let kept = kept.map(|kept| kept.at(&moved));
    for kept in &kept {
        assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0));
        assert_eq!(kept.pinned()["commit"], first.commit("acme/tiny"));
    }
    assert_eq!(kept[0].pinned()["files"], kept[1].pinned()["files"]);
    check(&kept, &["verify", "--deep", "--offline"], "0 ready");
}

#[test]
fn a_byte_that_no_header_shows_is_repaired_by_a_deep_fetch() {
    let first = hub(&[]);
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let name = "model-00002-of-00003.safetensors";
    let original = kept[0].read(name).unwrap();
    for kept in &kept {
        let mut content = original.clone();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs_err::write(kept.model().join(name), content).unwrap();
    }
    check(&kept, &["verify", "--deep"], "11 not-ready file-corrupt");
    check(&kept, &["fetch", "--deep"], "0 ready file-replaced revision-not-pinned");
    assert!(kept.iter().all(|kept| kept.read(name) == Some(original.clone())));
    check(&kept, &["verify", "--deep"], "0 ready");
}

#[test]
fn a_file_that_was_edited_stays_until_a_command_says_that_it_is_to_go() {
    let (first, moved) = (hub(&[]), moved());
    let mine = "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \
                \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}}";
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let config = kept[0].read("config.json").unwrap();
    let kept = kept.map(|kept| kept.at(&moved));
    for kept in &kept {
        kept.edit("config.json", mine);
        kept.forget();
    }
    check(&kept, &["verify", "--deep"], "0 ready file-changed");
    kept.iter().for_each(|kept| kept.remove("tokenizer.json"));
    let is_mine = || kept.iter().all(|kept| kept.read("config.json").unwrap() == mine.as_bytes());
    for (arguments, expected) in [
        (&["fetch", "--dry-run"][..], "0 not-ready file-kept revision-not-pinned would-fetch"),
        (&["fetch"], "0 ready file-kept revision-not-pinned"),
        (&["fetch", "--offline"], "0 ready"),
        (&["fetch", "--update", "--dry-run"], "0 not-ready revision-not-pinned would-fetch"),
    ] {
        check(&kept, arguments, expected);
        assert!(is_mine(), "{arguments:?}");
    }
    for kept in &kept {
        assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0));
    }
    assert!(is_mine());
    check(&kept, &["verify"], "11 not-ready file-corrupt");
    check(&kept, &["fetch"], "11 not-ready file-corrupt file-kept");
    assert!(is_mine());
    check(&kept, &["fetch", "--deep"], "0 ready file-replaced");
    for kept in &kept {
        assert_eq!(kept.read("config.json").unwrap(), config);
        let beside = format!("config.json.before-{}", first.commit("acme/tiny"));
        assert_eq!(kept.read(&beside).unwrap(), mine.as_bytes());
    }
    check(&kept, &["verify", "--deep", "--offline"], "0 ready");
}

/// Whether what is below the stack is, somewhere, these bytes.
fn is_somewhere(kept: &Kept, content: &[u8]) -> bool {
    walkdir::WalkDir::new(kept.sandbox.path())
        .into_iter()
        .any(|entry| fs_err::read(entry.unwrap().path()).is_ok_and(|here| here == content))
}

/// Writes as `sed -i` does: a new file takes the place of the old one, or of a link.
fn edit_in_place(kept: &Kept, name: &str, content: &str) {
    kept.edit("scratch", content);
    fs_err::rename(kept.model().join("scratch"), kept.model().join(name)).unwrap();
}

#[test]
fn what_was_edited_is_kept_and_named_when_another_commit_takes_its_place() {
    // The other commit has the one as it was, and the other one otherwise.
    for name in ["config.json", "generation_config.json"] {
        for edit in [Kept::edit, edit_in_place] {
            let (first, moved) = (hub(&[]), moved());
            let kept = both(&first);
            check(&kept, &["fetch"], "0 ready revision-not-pinned");
            let text = String::from_utf8(kept[0].read(name).unwrap()).unwrap();
            let mine = format!("\n{text}");
            for kept in &kept {
                edit(kept, name, &mine);
                kept.forget();
            }
            let kept = kept.map(|kept| kept.at(&moved));
            check(&kept, &["fetch", "--update"], "0 ready file-replaced revision-not-pinned");
            for kept in &kept {
                assert!(kept.is(true) && kept.is_whole());
                assert_ne!(kept.read(name).unwrap(), mine.as_bytes());
                assert!(is_somewhere(kept, mine.as_bytes()), "{name} {}", kept.in_cache);
            }
            check(&kept, &["verify", "--deep", "--offline"], "0 ready");
        }
    }
}

#[test]
fn what_was_edited_stays_when_a_plain_fetch_brings_the_pinned_commit() {
    let (first, moved) = (hub(&[]), moved());
    let kept = both(&first);
    kept.iter().for_each(|kept| assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0)));
    let pins = kept.each_ref().map(|kept| {
        let lock = kept.sandbox.path().join("preflight.lock");
        let text = fs_err::read(&lock).unwrap();
        fs_err::remove_file(&lock).unwrap();
        (lock, text)
    });
    let kept = kept.map(|kept| kept.at(&moved));
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let config = String::from_utf8(kept[0].read("config.json").unwrap()).unwrap();
    let mine = format!("\n{config}");
    for (kept, (lock, text)) in kept.iter().zip(pins) {
        kept.edit("config.json", &mine);
        fs_err::write(lock, text).unwrap();
    }
    check(&kept, &["fetch"], "11 not-ready file-corrupt file-kept");
    assert!(kept.iter().all(|kept| kept.read("config.json").unwrap() == mine.as_bytes()));
    check(&kept, &["fetch", "--deep"], "0 ready file-replaced");
    for kept in &kept {
        assert!(kept.is(false) && is_somewhere(kept, mine.as_bytes()));
    }
    check(&kept, &["verify", "--deep", "--offline"], "0 ready");
}

#[test]
fn weights_of_another_size_that_no_download_brought_stay_and_weights_that_are_cut_off_do_not() {
    let first = hub(&[]);
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let (merged, cut) = ("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors");
    let original = kept[0].read(cut).unwrap();
    let longer = longer(&kept[0].read(merged).unwrap());
    for kept in &kept {
        // Neither is a link into the cache, nor has it the time of its download.
        for (name, content) in [(merged, &longer[..]), (cut, &original[..original.len() - 9])] {
            kept.remove(name);
            fs_err::write(kept.model().join(name), content).unwrap();
        }
        kept.forget();
    }
    check(&kept, &["fetch"], "0 ready file-kept revision-not-pinned");
    for kept in &kept {
        assert_eq!(kept.read(merged).unwrap(), longer);
        assert_eq!(kept.read(cut).unwrap(), original);
    }
    check(&kept, &["fetch", "--update"], "0 ready file-replaced revision-not-pinned");
    check(&kept, &["verify", "--deep"], "0 ready");
    for kept in &kept {
        let beside = format!("{merged}.before-{}", first.commit("acme/tiny"));
        assert_eq!(kept.read(&beside).unwrap(), longer);
    }
}

/// The same tensors behind a longer header.
fn longer(safetensors: &[u8]) -> Vec<u8> {
    let (length, rest) = safetensors.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap());
    let (header, tensors) = rest.split_at(usize::try_from(length).unwrap());
    [&(length + 8).to_le_bytes()[..], header, &[b' '; 8], tensors].concat()
}

#[test]
fn a_file_that_is_replaced_again_is_kept_again_unless_it_is_said_not_to_be() {
    let first = hub(&[]);
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let config = String::from_utf8(kept[0].read("config.json").unwrap()).unwrap();
    let mine = |number: usize| format!("{}{config}", " ".repeat(number));
    let beside = |number: usize| {
        let ending = if number == 1 { String::new() } else { format!(".{number}") };
        format!("config.json.before-{}{ending}", first.commit("acme/tiny"))
    };
    for number in 1..=2 {
        kept.iter().for_each(|kept| kept.edit("config.json", &mine(number)));
        check(&kept, &["fetch", "--deep"], "0 ready file-replaced revision-not-pinned");
        for kept in &kept {
            assert_eq!(kept.read(&beside(number)).unwrap(), mine(number).as_bytes());
        }
    }
    kept.iter().for_each(|kept| kept.edit("config.json", &mine(3)));
    let discarded = ["fetch", "--deep", "--discard-replaced"];
    check(&kept, &discarded, "0 ready file-replaced revision-not-pinned");
    check(&kept, &["verify", "--deep"], "0 ready");
    assert!(kept.iter().all(|kept| kept.read(&beside(3)).is_none()));
}

#[test]
fn what_cannot_be_fetched_leaves_what_it_would_replace_where_it_is() {
    let first = hub(&[]);
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let broken = hub(&["status=404*99:acme/tiny/config.json"]);
    let kept = kept.map(|kept| kept.at(&broken));
    let mine = "{\"architectures\": [\"LlamaForCausalLM\"]}";
    kept.iter().for_each(|kept| kept.edit("config.json", mine));
    for kept in &kept {
        let run = kept.sandbox.run(&["fetch", "--deep"]);
        assert_ne!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        assert_eq!(kept.read("config.json").unwrap(), mine.as_bytes());
        let names = fs_err::read_dir(kept.model()).unwrap();
        let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.contains(".before-")).count(), 0);
    }
}

#[test]
fn an_update_that_cannot_be_written_is_said() {
    let first = hub(&[]);
    let kept = both(&first);
    check(&kept, &["fetch"], "0 ready revision-not-pinned");
    let moved = moved();
    let kept = kept.map(|kept| kept.at(&moved));
    let expected = ["error[not-writable]", "warning[update-not-possible]"];
    for (kept, expected) in kept.iter().zip(expected) {
        let mut command = kept.sandbox.command(&["fetch", "--update"]);
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        } else {
            let hub = kept.sandbox.path().join(if kept.in_cache { "hf/hub" } else { "models" });
            fs_err::set_permissions(hub, std::fs::Permissions::from_mode(0o555)).unwrap();
        }
        let run = kept.sandbox.told(&command.output().unwrap());
        assert!(run.stdout.contains(expected), "{}{}", run.stdout, run.stderr);
        assert!(kept.is(false));
    }
}

#[test]
fn an_engine_that_asks_the_hub_is_told_to_name_the_pinned_commit() {
    let first = hub(&[]);
    let [_, kept] = both(&first);
    let online = CACHE.replace("    environment: {HF_HUB_OFFLINE: '1'}\n", "");
    let kept = Kept { sandbox: kept.sandbox.file("compose.yaml", &online), ..kept };
    assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0));
    let moved = moved();
    let kept = kept.at(&moved);
    assert_eq!(kept.told(&["fetch"]), "0 ready lock-not-followed");
    assert!(kept.is(false));
    let commit = first.commit("acme/tiny");
    let run = kept.sandbox.run(&["verify"]);
    let fix = format!("add `--revision {commit}` to the command of service `llm`");
    assert!(run.stdout.contains(&fix), "{}", run.stdout);

    let apart = online.replace("acme/tiny", "acme/tiny --tokenizer acme/words");
    let kept = Kept { sandbox: kept.sandbox.file("compose.yaml", apart), ..kept };
    let run = kept.sandbox.run(&["verify"]);
    let fix = format!("add `--revision {commit} --tokenizer-revision main` to the command");
    assert!(run.stdout.contains(&fix), "{}", run.stdout);

    let obedient = online.replace("acme/tiny", &format!("acme/tiny --revision {commit}"));
    let kept = Kept { sandbox: kept.sandbox.file("compose.yaml", obedient), ..kept };
    assert_eq!(kept.told(&["verify", "--deep"]), "0 ready");
}

#[test]
fn what_is_pinned_and_could_not_be_brought_is_not_said_to_stay() {
    let kept = both(&hub(&[]));
    for kept in &kept {
        assert_eq!(kept.sandbox.run(&["lock"]).code, Some(13), "nobody answers");
    }
    let first = hub(&["status=404*99:acme/tiny/config.json"]);
    let kept = kept.map(|kept| kept.at(&first));
    for kept in &kept {
        assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0));
        let told = kept.told(&["fetch", "--update"]);
        assert!(!told.starts_with('0') && !told.contains("lock-holds-back-update"), "{told}");
    }
}

#[test]
fn another_quantisation_is_not_what_is_pinned() {
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    let builder = FakeHub::builder().file("acme/tiny-GGUF", "tiny-Q4_K_M.gguf", gguf.clone());
    let hub = builder.file("acme/tiny-GGUF", "tiny-Q8_0.gguf", gguf).start().unwrap();
    let compose = |quantisation: &str| {
        format!(
            "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
             command: --offline -hf acme/tiny-GGUF:{quantisation}\n    \
             volumes: ['./hf:/root/.cache/huggingface']\n"
        )
    };
    let sandbox = Sandbox::new().file("compose.yaml", compose("Q4_K_M")).file("hf/.keep", "");
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    let kept = Kept { sandbox, in_cache: true };
    assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0));
    assert_eq!(kept.pinned()["files"].as_object().unwrap().len(), 1);
    assert_eq!(kept.told(&["fetch"]), "0 ready");
    let kept = Kept { sandbox: kept.sandbox.file("compose.yaml", compose("Q8_0")), ..kept };
    let run = kept.sandbox.run(&["fetch"]);
    crate::hub_stack::check(
        &run,
        17,
        &["error[lock-outdated]", "other files of `hf://acme/tiny-GGUF` than `llm` opens"],
    );
    assert_eq!(kept.sandbox.run(&["lock"]).code, Some(0));
    assert_eq!(kept.told(&["fetch"]), "0 ready");
}

#[test]
fn an_engine_that_takes_what_its_cache_holds_needs_no_word_to_follow_the_lock() {
    let hub = hub(&[]);
    for (engine, is_told) in [
        ("ghcr.io/huggingface/text-embeddings-inference:1.8\n    command: --model-id", false),
        ("ghcr.io/huggingface/text-generation-inference:3.3\n    command: --model-id", true),
    ] {
        let compose = format!(
            "services:\n  llm:\n    image: {engine} acme/tiny\n    volumes: ['./hf:/data']\n"
        );
        let sandbox = Sandbox::new().file("compose.yaml", compose).file("hf/.keep", "");
        let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
        assert_eq!(sandbox.run(&["lock"]).code, Some(0));
        let run = sandbox.run(&["verify"]);
        assert_eq!(run.stdout.contains("lock-not-followed"), is_told, "{}", run.stdout);
    }
}

#[test]
fn lanes_that_open_one_reference_get_what_one_of_them_is_pinned_at() {
    let (first, moved) = (hub(&[]), moved());
    let other = CACHE.replace("services:\n  llm:", "  other:").replace("['0']", "['1']");
    let sandbox = Sandbox::new().file("compose.yaml", format!("{CACHE}{other}"));
    let sandbox = sandbox.file("hf/.keep", "").variable("HF_ENDPOINT", first.url());
    let kept = Kept { sandbox, in_cache: true };
    assert_eq!(kept.sandbox.run(&["lock", "--lane", "llm"]).code, Some(0));
    let kept = kept.at(&moved);
    for arguments in [&["fetch"][..], &["fetch", "--update"]] {
        let run = kept.sandbox.run(arguments);
        crate::hub_stack::check(&run, 0, &["lock-incomplete"]);
        assert!(kept.is(false) && kept.is_whole(), "{arguments:?}");
        let run = kept.sandbox.run(&["verify", "--deep", "--offline"]);
        crate::hub_stack::check(&run, 0, &["lock-incomplete"]);
    }
}

#[test]
fn a_tokenizer_of_another_repository_is_not_asked_for_at_the_commit_of_the_model() {
    let words = folder().into_iter().filter(|(name, _)| name.contains("token"));
    let add = |builder: Builder, (name, content): (String, Vec<u8>)| {
        builder.file("acme/words", &name, content)
    };
    let hub = words.fold(builder(), add).start().unwrap();
    let compose = CACHE
        .replace("    environment: {HF_HUB_OFFLINE: '1'}\n", "")
        .replace("acme/tiny", "acme/tiny --tokenizer acme/words");
    let sandbox = Sandbox::new().file("compose.yaml", compose).file("hf/.keep", "");
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    assert_eq!(sandbox.run(&["lock"]).code, Some(0));
    let run = sandbox.run(&["fetch"]);
    let commit = hub.commit("acme/tiny");
    let words = format!("add `--revision {commit} --tokenizer-revision main` to the command");
    crate::hub_stack::check(&run, 0, &["warning[lock-not-followed]", &words]);
}

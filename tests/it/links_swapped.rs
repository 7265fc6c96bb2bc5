//! A user of the models folder against preflight: links where it writes, put there before it starts, at
//! every request of a fetch, and all the time. Nothing outside of the folder changes.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fake_hub::{FakeHub, Made};
use fs_err as fs;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::docker_stack::{SOURCE, Stack, may_change_owners};
use crate::sandbox::{Sandbox, repository};

/// Above the size from which a file has a temporary file and a journal.
const LARGE: u64 = 9 << 20;
const LANE: &str = "models/lane";
const CACHE: &str = "hf/hub";
/// A lock file that pins nothing.
const EMPTY: &str = "{\n  \"version\": 1,\n  \"lanes\": {}\n}\n";

/// Where something of somebody else's is that must not change.
struct Outside(PathBuf);

impl Outside {
    /// `outside`, with a file and a folder that has a file.
    fn beside(sandbox: &Sandbox) -> Self {
        let outside = sandbox.path().join("outside");
        fs::create_dir_all(outside.join("folder")).unwrap();
        for name in ["file", "folder/file"] {
            fs::write(outside.join(name), "precious").unwrap();
        }
        Self(outside)
    }

    /// Every name, and what is there.
    fn content(&self) -> BTreeMap<PathBuf, Option<String>> {
        let entries = walkdir::WalkDir::new(&self.0).into_iter().map(Result::unwrap);
        let content = |entry: walkdir::DirEntry| {
            let text = entry.file_type().is_file().then(|| {
                let content = fs::read(entry.path()).unwrap();
                content.get(..64).unwrap_or(&content).escape_ascii().to_string()
            });
            (entry.into_path(), text)
        };
        entries.map(content).collect()
    }
}

/// What is there is moved aside, and a link to something outside takes its name.
fn swap(name: &Path, target: &Path) {
    let aside = name.with_extension("aside");
    // Somebody may just be making it.
    drop(fs::rename(name, aside));
    if let Some(folder) = name.parent() {
        drop(fs::create_dir_all(folder));
    }
    drop(symlink(target, name));
}

fn files() -> (Vec<(String, Vec<u8>)>, Made) {
    let original = repository().join("examples/quickstart/models/vllm/tiny/bf16");
    // Of a class whose tensors are taken on trust: the weights are made up.
    let read = |name: &str| {
        let text = fs::read_to_string(original.join(name)).unwrap();
        (name.to_owned(), text.replace("LlamaForCausalLM", "DbrxForCausalLM").into_bytes())
    };
    let names = ["config.json", "tokenizer.json", "tokenizer_config.json"];
    let mut small: Vec<_> = names.into_iter().map(read).collect();
    small.push(("1_Pooling/config.json".to_owned(), b"{}".to_vec()));
    let header = |data: u64| {
        let json = format!(
            "{{\"t\":{{\"dtype\":\"U8\",\"shape\":[{data}],\"data_offsets\":[0,{data}]}}}}"
        );
        let padded = format!("{json:<width$}", width = json.len().next_multiple_of(8));
        [&(padded.len() as u64).to_le_bytes()[..], padded.as_bytes()].concat()
    };
    let head = header(LARGE - header(LARGE).len() as u64);
    (small, Made::new(&head, LARGE, 7))
}

/// A hub that calls `observer` with the number of each request, from 1 on.
fn hub(observer: impl Fn(usize) + Send + Sync + 'static) -> FakeHub {
    let (small, large) = files();
    let count = AtomicUsize::new(0);
    let builder = FakeHub::builder().made("acme/tiny", "model.safetensors", large);
    let add = |builder: fake_hub::Builder, (name, content): (String, Vec<u8>)| {
        builder.file("acme/tiny", &name, content)
    };
    small
        .into_iter()
        .fold(builder, add)
        .observer(move |_| observer(count.fetch_add(1, Ordering::SeqCst) + 1))
        .start()
        .unwrap()
}

/// A lane with a folder of its own, and one that is kept in a cache.
fn project() -> Sandbox {
    let compose = "services:
  lane:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/lane
    volumes: [./models:/models]
    labels: {preflight.source: hf://acme/tiny}
    gpus: [{device_ids: ['0']}]
  cached:
    image: vllm/vllm-openai:v0.12.0
    command: acme/tiny
    volumes: ['./hf:/root/.cache/huggingface']
    gpus: [{device_ids: ['1']}]
";
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    for folder in ["models", "hf"] {
        fs::create_dir_all(sandbox.path().join(folder)).unwrap();
    }
    sandbox
}

/// Fetches, as root or as somebody who owns the folders, and ends whatever happens.
fn fetch(sandbox: &Sandbox, hub: &FakeHub, user: Option<u32>) -> Option<i32> {
    let mut command: Command = sandbox.command(&["fetch", "--progress", "none"]);
    command.env("HF_ENDPOINT", hub.url()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.status().unwrap().code()
}

/// Every name below the lanes' folders that a fetch has used, by how it is called without what differs
/// from run to run.
fn names(sandbox: &Sandbox) -> BTreeSet<PathBuf> {
    let mut names = BTreeSet::new();
    for root in [LANE, CACHE] {
        let entries = walkdir::WalkDir::new(sandbox.path().join(root)).into_iter().flatten();
        names.extend(
            entries.map(|entry| entry.path().strip_prefix(sandbox.path()).unwrap().to_path_buf()),
        );
    }
    names
}

/// The names that a fetch uses while it goes on and at its end, and how many requests it makes.
fn used() -> (Vec<PathBuf>, usize) {
    let sandbox = Arc::new(project());
    let seen = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let (watched, into) = (Arc::clone(&sandbox), Arc::clone(&seen));
    let hub = hub(move |_| into.lock().unwrap().extend(names(&watched)));
    assert_eq!(fetch(&sandbox, &hub, None), Some(0));
    let mut used = seen.lock().unwrap().clone();
    used.extend(names(&sandbox));
    (used.into_iter().collect(), hub.requests().len())
}

fn is_file(name: &Path) -> bool {
    name.extension().is_some() || name.starts_with("hf/hub/models--acme--tiny/blobs/")
}

/// One run in which `name` becomes a link to something outside at request `at`; before it for 0.
fn attack(name: &Path, at: usize, user: Option<u32>) {
    let sandbox = project();
    let outside = Outside::beside(&sandbox);
    let target = outside.0.join(if is_file(name) { "file" } else { "folder" });
    if let Some(user) = user {
        for folder in ["", "models", "hf", "outside", "outside/folder", "outside/file"] {
            let path = sandbox.path().join(folder);
            std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
        }
    }
    let before = outside.content();
    let path = sandbox.path().join(name);
    if at == 0 {
        swap(&path, &target);
    }
    let hub = hub(move |number| {
        if number == at {
            swap(&path, &target);
        }
    });
    let code = fetch(&sandbox, &hub, user);
    assert_eq!(outside.content(), before, "{name:?} at {at}, exit code {code:?}");
    assert!(code.is_some(), "{name:?} at {at}");
}

#[test]
fn nothing_is_written_through_a_link_that_is_there_before() {
    let (used, requests) = used();
    assert!(used.len() > 30 && requests > 8, "{used:?} {requests}");
    for part in [".lock", ".metadata", ".incomplete", ".journal", "refs/main", "blobs", "1_Pooling"]
    {
        let is_used = |name: &PathBuf| name.to_string_lossy().contains(part);
        assert!(used.iter().any(is_used), "{part} in {used:?}");
    }
    used.iter().for_each(|name| attack(name, 0, None));
}

#[test]
fn nor_through_one_that_takes_a_name_at_any_request_of_a_fetch() {
    let (used, requests) = used();
    // Each name meets another request, and every request is met.
    for (number, name) in used.iter().enumerate() {
        attack(name, 1 + number % requests, None);
    }
}

#[test]
fn a_pipe_in_the_place_of_any_name_is_not_waited_for() {
    let hub = hub(|_| ());
    for name in used().0 {
        let sandbox = project();
        let path = sandbox.path().join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        rustix::fs::mkfifoat(CWD, &path, rustix::fs::Mode::from(0o666)).unwrap();
        let start = Instant::now();
        fetch(&sandbox, &hub, None).expect("it ends by itself");
        assert!(start.elapsed() < Duration::from_secs(20), "{name:?} {:?}", start.elapsed());
    }
}

#[test]
fn nor_is_it_when_another_user_fetches() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for name in ["models/lane", "models/lane/.cache", "hf/hub", "hf/hub/models--acme--tiny/blobs"] {
        for at in [0, 3] {
            attack(Path::new(name), at, Some(65_534));
        }
    }
}

/// A folder and a link that change places all the time, until this is dropped.
struct Swapping {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Swapping {
    fn start(folder: PathBuf, link: PathBuf) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ends);
        let swap = move || {
            let mut count = 0_u64;
            while !until.load(Ordering::Relaxed) {
                let swapped = renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE);
                count += u64::from(swapped.is_ok());
                std::thread::yield_now();
            }
            count
        };
        Self { ends, thread: Some(std::thread::spawn(swap)) }
    }

    /// How often they have changed places.
    fn end(mut self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Swapping {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nor_while_a_folder_and_a_link_change_places_all_the_time() {
    for name in
        ["models/lane/.cache/huggingface", "models/lane/1_Pooling", "hf/hub/models--acme--tiny"]
    {
        let sandbox = project();
        let outside = Outside::beside(&sandbox);
        let (folder, link) = (sandbox.path().join(name), sandbox.path().join("link"));
        fs::create_dir_all(&folder).unwrap();
        symlink(outside.0.join("folder"), &link).unwrap();
        let before = outside.content();
        let swapping = Swapping::start(folder, link);
        let hub = hub(|_| ());
        for _ in 0..8 {
            fetch(&sandbox, &hub, None).expect("it ends by itself");
        }
        assert!(swapping.end() > 100, "{name}");
        assert_eq!(outside.content(), before, "{name}");
    }
}

#[test]
fn nor_where_root_fetches_while_another_user_lets_his_folder_and_his_link_change_places() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = project();
    let victim = sandbox.path().join("models/victim");
    fs::create_dir_all(&victim).unwrap();
    fs::write(victim.join("file"), "precious").unwrap();
    let (folder, link) = (sandbox.path().join(LANE), sandbox.path().join("models/link"));
    fs::create_dir_all(&folder).unwrap();
    symlink("victim", &link).unwrap();
    for path in [&sandbox.path().join("models"), &folder, &link] {
        std::os::unix::fs::lchown(path, Some(65_534), Some(65_534)).unwrap();
    }
    let outside = Outside(victim);
    let before = outside.content();
    let swapping = Swapping::start(folder, link);
    let hub = hub(|_| ());
    for _ in 0..32 {
        fetch(&sandbox, &hub, None).expect("it ends by itself");
    }
    assert!(swapping.end() > 100);
    assert_eq!(outside.content(), before);
}

#[test]
fn nor_through_the_shipped_fragment_by_a_user_of_the_models_folder() {
    for name in ["models/gguf/.cache", "models/gguf"] {
        if !may_change_owners() {
            return;
        }
        let Some(stack) = Stack::new("links", Some(SOURCE)) else { return };
        let victim = stack.path("models/victim");
        fs::create_dir_all(victim.join("huggingface")).unwrap();
        fs::write(victim.join("huggingface/file"), "precious").unwrap();
        let (folder, link) = (stack.path(name), stack.path("models/link"));
        fs::create_dir_all(&folder).unwrap();
        symlink(if name.ends_with("gguf") { "victim" } else { "../victim" }, &link).unwrap();
        // Whose all but the victim is.
        for path in [&stack.path("models"), &stack.path("models/gguf"), &folder, &link] {
            std::os::unix::fs::lchown(path, Some(1000), Some(1000)).unwrap();
        }
        let outside = Outside(victim);
        let before = outside.content();
        stack.start_hub();
        let swapping = Swapping::start(folder, link);
        for _ in 0..4 {
            stack.compose(&["run", "--rm", "--no-deps", "preflight"]);
        }
        assert!(swapping.end() > 100, "{name}");
        assert_eq!(outside.content(), before, "{name}");
        assert!(!stack.hub_requests().is_empty(), "{name}");
    }
}

#[test]
fn a_lock_file_of_the_project_is_not_written_through_a_link() {
    let sandbox = project();
    let outside = Outside::beside(&sandbox);
    let hub = hub(|_| ());
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    let lock = sandbox.path().join("preflight.lock");
    for (name, text) in [("lock", Some(EMPTY)), ("new", None)] {
        let target = outside.0.join(name);
        if let Some(text) = text {
            fs::write(&target, text).unwrap();
        }
        let before = outside.content();
        symlink(&target, &lock).unwrap();
        let run = sandbox.run(&["lock"]);
        assert_eq!(run.code, Some(16), "{}", run.stderr);
        assert!(run.stderr.contains("preflight.lock` is a link, to `"), "{}", run.stderr);
        assert_eq!(outside.content(), before);
        fs::remove_file(&lock).unwrap();
    }
    assert_eq!(sandbox.run(&["lock"]).code, Some(0));
}

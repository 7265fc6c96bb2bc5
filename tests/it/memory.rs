//! What is too much for 64 MiB, in a control group of 64 MiB, and ten times as much in ten times as
//! long.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fake_hub::{FakeHub, Made};

use crate::sandbox::{Run, Sandbox, own_memory_of, repository};

const ROOM: u64 = 64 << 20;
const FOLDER: &str = "examples/quickstart/models/vllm/tiny/bf16";
const VLLM: &str = "    image: vllm/vllm-openai:v0.12.0\n    volumes: ['./models:/models:ro']\n";

/// A control group that ends whoever takes more than [`ROOM`], with the pages that it reads and writes.
struct Jail {
    folder: PathBuf,
}

impl Jail {
    /// Absent where this user may make none.
    fn new() -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("preflight-test-{}-{number}", std::process::id());
        let limits: [(&str, &[(&str, u64)]); 3] = [
            ("/sys/fs/cgroup", &[("memory.max", ROOM), ("memory.swap.max", 0)]),
            ("/sys/fs/cgroup/unified", &[("memory.max", ROOM), ("memory.swap.max", 0)]),
            ("/sys/fs/cgroup/memory", &[("memory.limit_in_bytes", ROOM), ("memory.swappiness", 0)]),
        ];
        limits.into_iter().find_map(|(root, limits)| {
            let jail = Self { folder: Path::new(root).join(&name) };
            fs_err::create_dir(&jail.folder).ok()?;
            let mut limits = limits.iter();
            let (first, room) = limits.next()?;
            let is_held = fs_err::write(jail.folder.join(first), room.to_string()).is_ok();
            // Not every kernel counts what is swapped.
            limits.for_each(|(name, room)| {
                drop(fs_err::write(jail.folder.join(name), room.to_string()));
            });
            is_held.then_some(jail)
        })
    }

    /// `command`, in the group.
    fn around(&self, command: &Command) -> Command {
        let mut inside = Command::new("/bin/sh");
        inside.arg("-c").arg("echo $$ > \"$0\" && exec \"$@\"");
        inside.arg(self.folder.join("cgroup.procs")).arg(command.get_program());
        inside.args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.current_dir(command.get_current_dir().unwrap());
        inside
    }
}

impl Drop for Jail {
    fn drop(&mut self) {
        drop(fs_err::remove_dir(&self.folder));
    }
}

#[expect(clippy::print_stderr, reason = "who reads the log of the tests has to see it")]
/// Runs preflight where it has no more than [`ROOM`]; how it ended, and how long that took.
fn held(sandbox: &Sandbox, arguments: &[&str]) -> (Run, Duration) {
    let command = sandbox.command(arguments);
    let jail = Jail::new();
    let mut inside = match &jail {
        Some(jail) => jail.around(&command),
        None => command,
    };
    let output =
        |name: &str| fs_err::File::create(sandbox.path().join(name)).unwrap().into_parts().0;
    let (out, err) = (output(".stdout"), output(".stderr"));
    let started = Instant::now();
    let mut child = inside.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
    let mut most = None;
    let status = loop {
        most = most.max(own_memory_of(child.id()).map(|own| own * 1024));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    };
    let took = started.elapsed();
    let most = most.expect("/proc says what a process takes");
    let run = sandbox.told(&std::process::Output {
        status,
        stdout: fs_err::read(sandbox.path().join(".stdout")).unwrap(),
        stderr: fs_err::read(sandbox.path().join(".stderr")).unwrap(),
    });
    let group = if jail.is_some() { "in a control group" } else { "by VmHWM" };
    eprintln!("{group}: {} KiB, {took:?}, exit {:?}", most / 1024, run.code);
    assert_eq!(status.signal(), None, "{arguments:?}: {} KiB: {}", most / 1024, run.stderr);
    assert!(jail.is_some() || most <= ROOM, "{arguments:?} takes {} KiB", most / 1024);
    (run, took)
}

/// One of `codes`, with `words`, in 64 MiB, for `size` and ten times that; and ten times as much takes
/// no more than twenty times as long. What is refused takes no time, so two seconds are let pass.
fn check(make: impl Fn(usize) -> Sandbox, size: usize, arguments: &[&str], ends: [(i32, &str); 2]) {
    let mut times = Vec::new();
    for (size, (code, words)) in [size, size * 10].into_iter().zip(ends) {
        let (run, took) = held(&make(size), arguments);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(code), "{size}: {said}");
        assert!(said.contains(words), "{size}: `{words}` is not in {said}");
        times.push(took);
    }
    let most = times[0] * 20 + Duration::from_secs(2);
    assert!(times[1] < most.min(Duration::from_secs(60)), "{times:?}");
}

fn compose(command: &str) -> String {
    format!("services:\n  llm:\n{VLLM}    command: {command}\n")
}

/// A stack of one lane, whose model has `content` in place of its file `name`.
fn model(name: &str, content: impl AsRef<[u8]>) -> Sandbox {
    let mut sandbox = Sandbox::new().file("compose.yaml", compose("--model /models/m"));
    for entry in fs_err::read_dir(repository().join(FOLDER)).unwrap() {
        let entry = entry.unwrap();
        let own = entry.file_name().to_string_lossy().into_owned();
        let is_other_weights = name == "model.safetensors" && own.contains("safetensors");
        if own != name && !is_other_weights {
            sandbox = sandbox.file(&format!("models/m/{own}"), fs_err::read(entry.path()).unwrap());
        }
    }
    sandbox.file(&format!("models/m/{name}"), content)
}

/// What `each` writes for every number below `count`, with commas between.
fn listed(count: usize, each: impl Fn(&mut String, usize)) -> String {
    let mut text = String::new();
    for number in 0..count {
        each(&mut text, number);
        text.push(',');
    }
    text.pop();
    text
}

fn index(entries: &str) -> Sandbox {
    model("model.safetensors.index.json", format!("{{\"weight_map\":{{{entries}}}}}"))
}

fn header(entries: &str, data: usize) -> Sandbox {
    let text = format!("{{{entries}}}");
    let mut content = (text.len() as u64).to_le_bytes().to_vec();
    content.extend_from_slice(text.as_bytes());
    content.resize(content.len() + data, 0);
    model("model.safetensors", content)
}

const VERIFY: [&str; 2] = ["verify", "--offline"];
const READY: (i32, &str) = (0, "ready: 1 of 1 lane");

#[test]
fn an_index_whose_shards_are_missing() {
    let of = |count| {
        index(&listed(count, |text, number| {
            write!(text, "\"layers.{number}\":\"model-{number:06}.safetensors\"").unwrap();
        }))
    };
    let ends = [(10, "4000 of the 4000 files of weights"), (11, "more files than any model has")];
    check(of, 4000, &VERIFY, ends);
}

#[test]
fn an_index_of_millions_of_tensors() {
    let of =
        |count| index(&listed(count, |text, number| write!(text, "\"{number:x}\":\"m\"").unwrap()));
    let ends = [(10, "1 of the 1 files of weights"), (3, "and at most 33554432 are read")];
    check(of, 290_000, &VERIFY, ends);
    let ends = [(11, "more tensors than any model has"), (3, "and at most 33554432 are read")];
    check(of, 410_000, &VERIFY, ends);
}

#[test]
fn a_name_of_40_mb_in_an_index_or_a_header() {
    let of = |length| index(&format!("\"a\":\"{}\"", "x".repeat(length)));
    let ends = [(11, "a string has more than 4096 bytes"), (3, "at most 33554432 are read")];
    check(of, 4_000_000, &VERIFY, ends);
    let of = |length| {
        let tensor = "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}";
        header(&format!("\"{}\":{tensor}", "x".repeat(length)), 1)
    };
    let refused = (11, "a string has more than 8388608 bytes");
    check(of, 9_000_000, &VERIFY, [refused, refused]);
}

#[test]
fn a_header_of_all_tensors_that_there_may_be() {
    let of = |count| {
        let entries = listed(count, |text, at| {
            let end = at + 1;
            write!(
                text,
                "\"model.layers.{at:08}.experts\":\
                 {{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[{at},{end}]}}"
            )
            .unwrap();
        });
        header(&entries, count)
    };
    let judged = (11, "`model.embed_tokens.weight` is not among the tensors");
    check(of, 20_000, &VERIFY, [judged, judged]);
}

#[test]
fn a_configuration_of_as_many_values_as_there_is_room_for() {
    let of = |count| {
        let original = fs_err::read_to_string(repository().join(FOLDER).join("config.json"));
        let values = listed(count, |text, _| text.push('0'));
        let text = original.unwrap().replacen('{', &format!("{{\"x\": [{values}],"), 1);
        model("config.json", text)
    };
    check(of, 50_000, &VERIFY, [READY, READY]);
    let of =
        |depth| model("config.json", format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
    check(of, 10_000, &VERIFY, [(11, "recursion limit exceeded"); 2]);
}

#[test]
fn a_command_of_14_mb() {
    let project = |command: &str| {
        let sandbox = model("config.json", "{}");
        sandbox.file("compose.yaml", compose(command))
    };
    let of = |count| project(&format!("--model /models/m {}", "--x y ".repeat(count)));
    let ends = [(2, "has more than 8192 words"), (2, "is larger than 4194304 bytes")];
    check(of, 230_000, &VERIFY, ends);
    let of = |length| project(&format!("--model /models/m {}", "y".repeat(length)));
    let ends = [(2, "a word of more than 131071 bytes"), (2, "is larger than 4194304 bytes")];
    check(of, 1_400_000, &VERIFY, ends);
}

#[test]
fn a_value_of_900_kb_and_env_files_without_end() {
    let with = |lines: &str| {
        let text = format!("{}{lines}", compose("--model /models/m"));
        model("chat_template.jinja", "x").file("compose.yaml", text)
    };
    let of = |length| with(&format!("    environment: {{A: '{}'}}\n", "a=b ".repeat(length / 4)));
    check(of, 90_000, &VERIFY, [READY, READY]);
    let of = |count| {
        let lines = (0..count).fold(String::new(), |text, number| text + &format!("A{number}=b\n"));
        with("    env_file: [e]\n").file("e", lines)
    };
    check(of, 20_000, &VERIFY, [(2, "more than 4096 variables"); 2]);
    let of = |count| {
        let names = listed(count, |text, number| write!(text, "e/{number}").unwrap());
        let sandbox = with(&format!("    env_file: [{names}]\n"));
        (0..count).fold(sandbox, |sandbox, it| sandbox.file(&format!("e/{it}"), "A=b\n"))
    };
    check(of, 1000, &VERIFY, [(2, "more than 1000 files"); 2]);
}

#[test]
fn keys_and_lists_that_fill_a_compose_file() {
    let with = |lines: &str| {
        let text = format!("{}{lines}", compose("--model /models/m"));
        model("chat_template.jinja", "x").file("compose.yaml", text)
    };
    let of = |length| with(&format!("x-a:\n  {}: 1\n", "k".repeat(length)));
    check(of, 1_000_000, &VERIFY, [(2, "compose.yaml"); 2]);
    let of = |count| with(&format!("x-a: [{}]\n", listed(count, |text, _| text.push('1'))));
    check(of, 40_000, &VERIFY, [READY, (2, "more than 50000 values")]);
    // Each alias is all that it stands for once more.
    let of = |count| {
        let values = listed(100, |text, _| text.push('1'));
        let aliases = listed(count, |text, _| text.push_str("*a"));
        with(&format!("x-a: &a [{values}]\nx-b: [{aliases}]\n"))
    };
    check(of, 150, &VERIFY, [READY, (2, "more than 50000 values")]);
}

#[test]
fn a_thousand_services() {
    let of = |count| {
        let mut text = compose("--model /models/m");
        for number in 1..count {
            writeln!(
                text,
                "  s{number}:\n    image: nginx\n    command: x\n    environment: {{A: b, C: d}}\n    \
                 volumes: ['./models:/models:ro']"
            )
            .unwrap();
        }
        model("chat_template.jinja", "x").file("compose.yaml", text)
    };
    check(of, 100, &VERIFY, [READY, READY]);
}

#[test]
fn two_hundred_lanes_and_ten_times_as_many() {
    let of = |count| {
        let mut text = String::from("services:\n");
        for number in 0..count {
            write!(text, "  s{number}:\n{VLLM}    command: --model /models/m\n").unwrap();
        }
        model("chat_template.jinja", "x").file("compose.yaml", text)
    };
    check(of, 20, &VERIFY, [(0, "ready: 20 of 20 lanes"), (0, "ready: 200 of 200 lanes")]);
}

#[test]
fn a_folder_of_ten_thousand_shards() {
    let text = "{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    let content = [&(text.len() as u64).to_le_bytes(), text.as_bytes(), b"\0"].concat();
    let of = |count| {
        let sandbox = model("model.safetensors", "");
        let folder = sandbox.path().join("models/m");
        fs_err::remove_file(folder.join("model.safetensors")).unwrap();
        for number in 0..count {
            fs_err::write(folder.join(format!("model-{number}.safetensors")), &content).unwrap();
        }
        sandbox
    };
    let judged = (11, "states 2 layers, and the weights have 0");
    check(of, 1000, &VERIFY, [judged, judged]);
}

#[test]
fn a_folder_of_models_with_a_million_names() {
    let of = |count: usize| {
        let sandbox = Sandbox::new();
        let (names, models) = (sandbox.path().join("names"), sandbox.path().join("models"));
        fs_err::create_dir(&names).unwrap();
        fs_err::create_dir(&models).unwrap();
        for number in 0..1000 {
            fs_err::write(names.join(number.to_string()), "").unwrap();
        }
        for number in 0..count / 1000 {
            std::os::unix::fs::symlink(&names, models.join(number.to_string())).unwrap();
        }
        sandbox
    };
    let arguments = ["verify", "--offline", "models"];
    let refused = (2, "has neither a Compose project nor a model");
    check(of, 100_000, &arguments, [refused, refused]);
}

#[test]
fn links_to_folders_of_links_that_make_more_names_than_a_disk_holds() {
    let sandbox = Sandbox::new().file("models/7/a", "");
    for (level, number) in (0..7).flat_map(|level| (0..100).map(move |number| (level, number))) {
        let folder = sandbox.path().join(format!("models/{level}"));
        fs_err::create_dir_all(&folder).unwrap();
        let target = format!("../{}", level + 1);
        std::os::unix::fs::symlink(target, folder.join(number.to_string())).unwrap();
    }
    let (run, took) = held(&sandbox, &["verify", "--offline", "models/0"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("2000000 names below"), "{}", run.stderr);
    assert!(took < Duration::from_secs(120), "{took:?}");
}

#[test]
fn scripts_that_are_bombs() {
    let of = |script: &str| {
        let text = "services:\n  llm:\n    image: acme/x\n    entrypoint: [sh, /models/run.sh]\n    \
                    volumes: ['./models:/models:ro']\n";
        let script = format!("#!/bin/sh\n{script}");
        model("config.json", "{}").file("compose.yaml", text).file("models/run.sh", script)
    };
    let serve = "exec vllm serve /models/m";
    let nest = |open: &str, close: &str, depth| {
        format!("exec vllm serve {}x{}\n", open.repeat(depth), close.repeat(depth))
    };
    let unknown = [(3, "no-lane"); 2];
    let unread = [(3, ""); 2];
    check(
        |size| of(&format!("A=x\n{}exec vllm serve $A\n", "A=$A$A\n".repeat(size))),
        40,
        &VERIFY,
        unread,
    );
    check(|size| of(&nest("$(echo ", ")", size)), 2000, &VERIFY, unread);
    check(|size| of(&nest("${A:-", "}", size)), 2000, &VERIFY, unread);
    check(|size| of(&nest("\"`", "`\"", size)), 2000, &VERIFY, unread);
    check(|size| of(&"exec sh /models/run.sh\n".repeat(size)), 1, &VERIFY, unknown);
    check(|size| of(&format!("{}{serve}\n", "x=1\n".repeat(size))), 6000, &VERIFY, unread);
    check(
        |size| of(&format!("{serve} {}\n", "w ".repeat(size))),
        12_000,
        &VERIFY,
        [(17, "there are more"); 2],
    );
    check(
        |size| of(&format!("V=/models/m\n{serve}{}\n", "$V".repeat(size))),
        12_000,
        &VERIFY,
        unread,
    );
}

#[test]
fn a_lock_file_of_more_files_than_a_repository_has() {
    let of = |count| {
        let hash = "ab".repeat(32);
        let files = listed(count, |text, number| {
            write!(text, "\"f{number}\":{{\"size\":1,\"sha256\":\"{hash}\"}}").unwrap();
        });
        let commit = "0".repeat(40);
        let lock = format!(
            "{{\"version\":1,\"lanes\":{{\"llm\":{{\"source\":\"hf://o/r\",\"commit\":\"{commit}\",\
             \"files\":{{{files}}}}}}}}}"
        );
        let lane = "x-preflight: {lanes: {llm: {service: llm, source: 'hf://o/r'}}}\n";
        let text = format!("{}{lane}", compose("--model /models/m"));
        model("chat_template.jinja", "x").file("compose.yaml", text).file("preflight.lock", lock)
    };
    let ends = [(10, "missing"), (2, "is larger than 4194304 bytes")];
    check(of, 10_000, &VERIFY, ends);
}

#[test]
fn eight_files_at_once_and_every_byte_of_them_again() {
    let head = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut hub = FakeHub::builder();
    let mut text = String::from("services:\n");
    let mut lanes = String::from("x-preflight:\n  lanes:\n");
    for number in 0..8 {
        hub = hub.made("acme/big", &format!("{number}.gguf"), Made::new(head, 48 << 20, number));
        write!(
            text,
            "  s{number}:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
             command: -m /models/{number}.gguf\n    volumes: ['./models:/models']\n"
        )
        .unwrap();
        writeln!(
            lanes,
            "    s{number}: {{service: s{number}, source: 'hf://acme/big/{number}.gguf'}}"
        )
        .unwrap();
    }
    let hub = hub.start().unwrap();
    let sandbox = Sandbox::new()
        .file("compose.yaml", text + &lanes)
        .file("models/x", "")
        .variable("HF_ENDPOINT", hub.url());
    held(&sandbox, &["fetch", "--max-workers", "8"]);
    for number in 0..8 {
        let path = sandbox.path().join(format!("models/{number}.gguf"));
        assert_eq!(fs_err::metadata(path).unwrap().len(), 48 << 20);
    }
    held(&sandbox, &["lock"]);
    drop(fs_err::remove_dir_all(sandbox.path().join("models/.cache")));
    let (run, _) = held(&sandbox, &["verify", "--deep", "--progress", "plain"]);
    assert!(run.stderr.contains("hashing"), "{}{}", run.stdout, run.stderr);
}

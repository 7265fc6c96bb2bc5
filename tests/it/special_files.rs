//! Pipes, devices, sockets and folders in the place of every file that is read.

use std::ops::RangeInclusive;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::hub_cache;
use crate::sandbox::{Run, Sandbox};

/// Far beyond what a run takes, and far below for ever.
const PATIENCE: Duration = Duration::from_secs(30);

type Codes = RangeInclusive<i32>;

/// The run could not be done.
const REFUSED: Codes = 2..=2;

/// The lane is not ready, or nobody can tell.
const NOT_READY: Codes = 3..=29;

const ANY: Codes = 0..=29;

const FOLDER: &str = "models/vllm/tiny/bf16";

/// What stands where a file belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// A pipe that nobody writes into.
    Pipe,
    /// A pipe that somebody holds open and writes nothing into.
    Held,
    Socket,
    Folder,
    /// A link to a device that never ends.
    Zero,
    /// The device itself, where this user may make one.
    Device,
}

/// What keeps a kind what it is for as long as it is looked at.
struct Placed {
    _file: Option<fs_err::File>,
    _listener: Option<UnixListener>,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Pipe, Self::Held, Self::Socket, Self::Folder, Self::Zero, Self::Device];

    fn place(self, path: &Path) -> Placed {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        drop(fs_err::remove_file(path));
        let mode = Mode::from_raw_mode(0o600);
        let (mut file, mut listener) = (None, None);
        match self {
            Self::Pipe => mknodat(CWD, path, FileType::Fifo, mode, 0).unwrap(),
            Self::Held => {
                mknodat(CWD, path, FileType::Fifo, mode, 0).unwrap();
                let mut options = fs_err::OpenOptions::new();
                file = Some(options.read(true).write(true).open(path).unwrap());
            }
            Self::Socket => {
                // The path of a socket has to be short.
                let folder = tempfile::tempdir().unwrap();
                listener = Some(UnixListener::bind(folder.path().join("s")).unwrap());
                fs_err::rename(folder.path().join("s"), path).unwrap();
            }
            Self::Folder => fs_err::create_dir(path).unwrap(),
            Self::Zero => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
            Self::Device => {
                let made = mknodat(CWD, path, FileType::CharacterDevice, mode, makedev(1, 5));
                if made.is_err() {
                    std::os::unix::fs::symlink("/dev/full", path).unwrap();
                }
            }
        }
        Placed { _file: file, _listener: listener }
    }

    /// What it is called.
    fn called(self) -> &'static str {
        match self {
            Self::Pipe | Self::Held => "pipe",
            Self::Socket => "socket",
            Self::Folder => "folder",
            Self::Zero | Self::Device => "device",
        }
    }
}

/// A run that has to end by itself.
fn ended(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    let mut command = sandbox.command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = rustix::process::Pid::from_child(&child);
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output().unwrap()));
    let output = receive.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        panic!("{arguments:?} does not end");
    });
    sandbox.told(&output)
}

/// Each kind at `name` ends the run with one of `codes`, and the file is named with what it is.
fn check(sandbox: &Sandbox, name: &str, arguments: &[&str], codes: Codes) {
    for kind in Kind::ALL {
        alone(sandbox, (kind, name), arguments, codes.clone());
    }
}

fn alone(sandbox: &Sandbox, (kind, name): (Kind, &str), arguments: &[&str], codes: Codes) {
    let path = sandbox.path().join(name);
    let placed = kind.place(&path);
    let run = ended(sandbox, arguments);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(run.code.is_some_and(|code| codes.contains(&code)), "{kind:?} as {name}: {said}");
    let last = name.rsplit('/').next().unwrap();
    let others = ["is no file", "not found", "neither a file", "/dev/zero", "no tokenizer"];
    let told = others.iter().chain([&kind.called()]).any(|word| said.contains(word));
    assert!(codes.contains(&0) || (told && said.contains(last)), "{kind:?} as {name}: {said}");
    drop(placed);
    drop(fs_err::remove_file(&path).or_else(|_| fs_err::remove_dir(&path)));
}

fn service(lines: &str) -> Sandbox {
    let compose = format!("services:\n  a:\n    image: x\n{lines}");
    Sandbox::new().file("compose.yaml", compose)
}

#[test]
fn as_a_compose_file_and_what_it_includes() {
    check(&Sandbox::new(), "compose.yaml", &["config", "-f", "compose.yaml"], REFUSED);
    let sandbox = Sandbox::new().file("compose.yaml", "include: [other.yaml]\n");
    check(&sandbox, "other.yaml", &["config"], REFUSED);
    let sandbox = service("    extends: {file: base.yaml, service: b}\n");
    check(&sandbox, "base.yaml", &["config"], REFUSED);
}

#[test]
fn as_an_env_file_or_a_label_file() {
    let env = service("    env_file: [a.env]\n");
    check(&env, "a.env", &["config"], REFUSED);
    for kind in [Kind::Pipe, Kind::Socket, Kind::Zero, Kind::Device] {
        let label = service("    label_file: [a.label]\n");
        alone(&label, (kind, "a.label"), &["config"], REFUSED);
        alone(&service(""), (kind, ".env"), &["config"], REFUSED);
        alone(&service(""), (kind, "x.env"), &["config", "--env-file", "x.env"], REFUSED);
    }
}

#[test]
fn a_pipe_of_the_shell_is_read_as_docker_compose_reads_it() {
    let compose = "services:\n  a:\n    image: ${IMAGE}\n";
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    let script = "exec 9<<END\nIMAGE=from-here\nEND\npreflight config --env-file /dev/fd/9";
    let run = sandbox.told(&sandbox.shell(script).output().unwrap());
    assert!(run.stdout.contains("image: from-here"), "{}{}", run.stdout, run.stderr);
    let script = "{ sleep 0.3; echo IMAGE=from-there; } | preflight config --env-file /dev/stdin";
    let run = sandbox.told(&sandbox.shell(script).output().unwrap());
    assert!(run.stdout.contains("image: from-there"), "{}{}", run.stdout, run.stderr);
    let script = "IMAGE=x preflight config --env-file /dev/null -f - < compose.yaml";
    let run = sandbox.told(&sandbox.shell(script).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn a_pipe_whose_writer_takes_a_second_for_each_byte_is_not_read_for_ever() {
    let sandbox = service("    env_file: [a.env]\n");
    let path = sandbox.path().join("a.env");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let mut slow = sandbox.shell("while printf a; do sleep 1; done > a.env");
    let mut slow = slow.stderr(Stdio::null()).spawn().unwrap();
    let run = ended(&sandbox, &["config"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("a.env` is a pipe that does not end"), "{}", run.stderr);
    slow.wait().unwrap();
}

#[test]
fn as_a_lock_file() {
    for arguments in
        [&["verify", "--no-fetch"][..], &["lock", "--offline"], &["fetch", "--offline"]]
    {
        check(&Sandbox::quickstart(), "preflight.lock", arguments, REFUSED);
    }
}

#[test]
fn as_a_file_of_a_model() {
    let arguments = ["verify", "--deep", "--offline"];
    check(&Sandbox::quickstart(), "models/gguf/tiny-Q4_K_M.gguf", &arguments, NOT_READY);
    for name in ["config.json", "tokenizer.json", "model-00001-of-00003.safetensors"] {
        check(&Sandbox::quickstart(), &format!("{FOLDER}/{name}"), &arguments, NOT_READY);
    }
    let names = [
        "tokenizer_config.json",
        "modules.json",
        "chat_template.jinja",
        "model.safetensors.index.json",
    ];
    for name in names {
        for kind in [Kind::Held, Kind::Zero] {
            let name = format!("{FOLDER}/{name}");
            alone(&Sandbox::quickstart(), (kind, &name), &arguments, ANY);
        }
    }
}

#[test]
fn as_a_file_that_starts_an_engine() {
    for (image, words, name) in [
        ("acme/gpu", "    entrypoint: [sh, /start/run.sh]\n", "run.sh"),
        ("vllm/vllm-openai:v0.12.0", "    command: --config /start/vllm.yaml\n", "vllm.yaml"),
        (
            "ghcr.io/ggml-org/llama.cpp:server",
            "    command: --models-preset /start/a.ini\n",
            "a.ini",
        ),
        (
            "ghcr.io/ggml-org/llama.cpp:server",
            "    command: -m /models/gguf/tiny-Q4_K_M.gguf --chat-template-file /start/x.jinja\n",
            "x.jinja",
        ),
    ] {
        let compose = format!(
            "services:\n  llm:\n    image: {image}\n    volumes: [\"./models:/models:ro\", \
             \"./start:/start:ro\"]\n{words}"
        );
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose).file("start/y", "");
        for kind in Kind::ALL {
            alone(&sandbox, (kind, &format!("start/{name}")), &["verify", "--offline"], ANY);
        }
    }
}

#[test]
fn as_a_file_of_the_user_s_own() {
    let sandbox = Sandbox::quickstart();
    let sandbox = sandbox.variable("HF_TOKEN_PATH", "token");
    check(&sandbox, "token", &["verify", "--offline"], REFUSED);
    let sandbox = Sandbox::quickstart().variable("HF_HOME", "/nowhere");
    check(&sandbox, ".cache/huggingface/token", &["verify", "--offline"], ANY);
    let docker = || Sandbox::quickstart().variable("PREFLIGHT_NO_DOCKER", "false");
    let docker = || docker().variable("DOCKER_HOST", "");
    check(&docker(), ".docker/config.json", &["verify", "--offline"], ANY);
    let docker = docker().variable("DOCKER_CONTEXT", "a");
    let folder = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    let meta = format!(".docker/contexts/meta/{folder}/meta.json");
    check(&docker, &meta, &["verify", "--offline"], ANY);
}

#[test]
fn as_a_file_of_a_cache() {
    let cached = || {
        let sandbox = Sandbox::new().file("compose.yaml", hub_cache::VLLM);
        hub_cache::cached(sandbox, "acme/tiny", &hub_cache::folder())
    };
    let repository = "hf/hub/models--acme--tiny";
    for name in ["refs/main", "blobs/0", "blobs/5"] {
        let name = format!("{repository}/{name}");
        for kind in [Kind::Pipe, Kind::Held, Kind::Socket, Kind::Zero, Kind::Device] {
            alone(&cached(), (kind, &name), &["verify", "--offline"], ANY);
        }
    }
    let listing = format!("{repository}/trees/{}.json", hub_cache::COMMIT);
    check(&cached(), &listing, &["verify", "--offline"], ANY);
}

//! `preflight exec`: what is not ready does not start, and what starts has the process as if preflight had
//! never been in it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::gguf_oracle::server;
use crate::hub_stack::hub;
use crate::sandbox::{Run, Sandbox};

const MODEL: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// What stands for llama-server: it does what a test wants when it is started.
const ENGINE: &str = "bin/llama-server";

/// The quickstart with an engine that runs `script`.
fn engine(script: &str) -> Sandbox {
    let sandbox = Sandbox::quickstart().file(ENGINE, format!("#!/bin/sh\n{script}\n"));
    let program = sandbox.path().join(ENGINE);
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", sandbox.path().join("bin").display());
    sandbox.variable("PATH", path)
}

/// What becomes of `words` behind `preflight exec --`.
fn exec(sandbox: &Sandbox, words: &[&str]) -> Run {
    sandbox.run(&[&["exec", "--"], words].concat())
}

/// The same command line, without preflight.
fn alone(sandbox: &Sandbox, words: &[&str]) -> Command {
    // The variables and the folder of a run.
    let model = sandbox.command(&[]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(sandbox.path()).env_clear();
    let set = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(set);
    command
}

fn truncate(sandbox: &Sandbox) {
    let file = fs_err::OpenOptions::new().write(true).open(sandbox.path().join(MODEL)).unwrap();
    file.set_len(400_000).unwrap();
}

#[track_caller]
fn refuses(sandbox: &Sandbox, words: &[&str], code: i32, said: &[&str]) {
    let run = exec(sandbox, words);
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{}", run.stderr);
    for said in said {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
}

#[test]
fn an_engine_that_is_ready_is_started_and_told_of_on_standard_error_alone() {
    let run = exec(&engine("echo started \"$@\"; exit 42"), &["llama-server", "-m", MODEL]);
    assert_eq!(run.code, Some(42), "{}", run.stderr);
    assert_eq!(run.stdout, format!("started -m {MODEL}\n"));
    assert!(run.stderr.contains("preflight: ready: 1 of 1 lane"), "{}", run.stderr);
}

#[test]
fn an_engine_that_is_not_ready_does_not_start_and_its_word_is_pointed_at() {
    let sandbox = engine("echo started");
    let words = ["llama-server", "-c", "512", "-m", MODEL];
    truncate(&sandbox);
    refuses(&sandbox, &words, 11, &["error[file-truncated]", "command line:1:24"]);
    fs_err::remove_file(sandbox.path().join(MODEL)).unwrap();
    refuses(&sandbox, &words, 10, &["command line:1:24"]);
    let wrong = ["llama-server", "-c", "many", "-m", MODEL];
    refuses(&sandbox, &wrong, 17, &["command line:1:17"]);
}

#[test]
fn a_variable_names_a_model_as_well_as_a_word_does() {
    let sandbox = engine("echo started").variable("LLAMA_ARG_MODEL", MODEL);
    let run = exec(&sandbox, &["llama-server"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "started\n"), "{}", run.stderr);
    truncate(&sandbox);
    let place = ["environment:1:17", &format!("LLAMA_ARG_MODEL={MODEL}")];
    refuses(&sandbox, &["llama-server"], 11, &place);
}

#[test]
fn an_engine_is_found_behind_a_shell_and_a_script() {
    let sandbox = engine("echo started \"$2\"");
    let script = format!("exec llama-server -m \"$FOLDER/{}\"", "tiny-Q4_K_M.gguf");
    let sandbox = sandbox
        .variable("FOLDER", "models/gguf")
        .file("start.sh", format!("#!/bin/sh\nset -e\n{script}\n"));
    let commands: [&[&str]; 2] = [&["sh", "-c", &script], &["sh", "start.sh"]];
    for words in commands {
        let run = exec(&sandbox, words);
        let expected = format!("started {MODEL}\n");
        assert_eq!((run.code, run.stdout), (Some(0), expected), "{}", run.stderr);
    }
    truncate(&sandbox);
    commands.iter().for_each(|words| refuses(&sandbox, words, 11, &["file-truncated"]));
}

#[test]
fn an_engine_that_only_prints_something_is_started_as_it_is() {
    let sandbox = engine("echo \"$@\"");
    for words in
        [&["llama-server", "--version"][..], &["llama-server", "-m", "gone.gguf", "--help"]]
    {
        let run = exec(&sandbox, words);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.stdout, format!("{}\n", words[1..].join(" ")));
    }
}

#[test]
fn what_is_no_engine_is_started_as_it_is_and_that_is_said() {
    let sandbox = engine("");
    let run = exec(&sandbox, &["sh", "-c", "echo \"$0\" hello; exit 3", "me"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), "me hello\n"), "{}", run.stderr);
    assert!(run.stderr.contains("note[no-lane]"), "{}", run.stderr);
    assert!(run.stderr.contains("preflight: nothing was judged"), "{}", run.stderr);
    let denied = sandbox.run(&["exec", "--deny", "no-lane", "--", "echo", "hello"]);
    assert_eq!((denied.code, denied.stdout.as_str()), (Some(3), ""), "{}", denied.stderr);
}

#[test]
fn what_cannot_be_judged_is_started_only_where_that_is_accepted() {
    let sandbox = engine("echo started");
    let words = ["sh", "-c", "exec llama-server -m \"$(cat where)\""];
    refuses(&sandbox, &words, 3, &["lane-unknown"]);
    for script in [
        "eval \"$(cat where) llama-server -m /gone.gguf\"",
        "bash <<EOF\nexec llama-server -m /gone.gguf\nEOF",
    ] {
        refuses(&sandbox, &["sh", "-c", script], 3, &["lane-unknown"]);
    }
    for script in [
        "eval \"exec llama-server -m /gone.gguf\"",
        "run() { llama-server -m \"$1\"; }; run /gone.gguf",
    ] {
        refuses(&sandbox, &["sh", "-c", script], 10, &["files-missing"]);
    }
    let run = sandbox.run(&[&["exec", "--allow-unknown", "--"], &words[..]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "started\n"), "{}", run.stderr);
}

#[test]
fn a_model_whose_name_is_not_utf_8_is_unknown_and_not_missing() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let sandbox = engine("echo started");
    let name = sandbox.path().join(OsStr::from_bytes(b"gro\xdf-Q4_K_M.gguf"));
    fs_err::copy(sandbox.path().join(MODEL), &name).unwrap();
    let script = [b"exec llama-server -m ", name.as_os_str().as_bytes()].concat();
    let direct = [OsStr::new("llama-server"), OsStr::new("-m"), name.as_os_str()];
    let by_shell = [OsStr::new("sh"), OsStr::new("-c"), OsStr::from_bytes(&script)];
    for words in [direct, by_shell] {
        let refused = sandbox.command(&["exec", "--"]).args(words).output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(3), "{told}");
        assert!(told.contains("lane-unknown"), "{told}");
        let mut taken = sandbox.command(&["exec", "--allow-unknown", "--"]);
        let taken = taken.args(words).output().unwrap();
        assert_eq!(taken.stdout, b"started\n", "{}", String::from_utf8_lossy(&taken.stderr));
    }
}

#[test]
fn only_what_keeps_an_engine_from_starting_is_left_for_kubernetes() {
    let sandbox = engine("").file("last-words", "");
    let log = sandbox.path().join("last-words");
    let sandbox = sandbox.variable("PREFLIGHT_TERMINATION_LOG", log.display().to_string());
    let left = |words: &[&str]| {
        exec(&sandbox, words);
        fs_err::read_to_string(&log).unwrap()
    };
    assert_eq!(left(&["llama-server", "-m", MODEL]), "");
    assert_eq!(left(&["echo", "hello"]), "");
    let told = left(&["llama-server", "-m", "gone.gguf"]);
    assert!(told.starts_with("preflight: not ready: exit 10"), "{told}");
    fs_err::remove_file(&log).unwrap();
    assert_eq!(exec(&sandbox, &["llama-server", "-m", "gone.gguf"]).code, Some(10));
    assert!(!log.exists());
}

#[test]
fn a_program_that_is_not_there_or_cannot_be_run_ends_as_a_shell_says_it() {
    let sandbox = engine("").file("plain", "no program");
    for (words, code) in [(["nowhere"], 127), (["./plain"], 126)] {
        let run = exec(&sandbox, &words);
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        assert!(run.stderr.contains("cannot be started"), "{}", run.stderr);
    }
    let nothing = sandbox.run(&["exec", "--"]);
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
}

#[test]
fn a_name_of_a_repository_that_is_a_folder_here_is_that_folder() {
    let sandbox = engine("").file("bin/vllm", "#!/bin/sh\necho started\n");
    let program = sandbox.path().join("bin/vllm");
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("models/vllm/tiny", sandbox.path().join("tiny")).unwrap();
    let run = exec(&sandbox, &["vllm", "serve", "tiny/bf16"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "started\n"), "{}", run.stderr);
    let shard = "models/vllm/tiny/bf16/model-00002-of-00003.safetensors";
    fs_err::remove_file(sandbox.path().join(shard)).unwrap();
    refuses(&sandbox, &["vllm", "serve", "tiny/bf16"], 10, &["shard-missing"]);
}

#[test]
fn a_lock_file_is_held_against_the_lane_that_has_its_name() {
    let sandbox = engine("echo started");
    let json = sandbox.command(&["exec", "--lane", "reader", "--format", "json", "--"]);
    let mut json = json;
    let output = json.args(["llama-server", "-m", MODEL]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let end = told.rfind('}').unwrap();
    let report: serde_json::Value = serde_json::from_str(&told[..=end]).unwrap();
    assert_eq!(report["role"], "exec");
    assert_eq!(report["lanes"][0]["name"], "reader");
    assert_eq!(output.stdout, b"started\n");
}

/// What the kernel and the variables say of a process that is started by `words`: everything that one can
/// inherit.
const SAYS: &str = r#"
    grep -E '^(Umask|Uid|Gid|Groups|NStgid|Threads|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|Cap...|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters|Speculation.*|Cpus_allowed|Mems_allowed|THP_enabled|CoreDumping):' /proc/self/status | sed 's/^NStgid:.*//'
    cat /proc/self/limits /proc/self/oom_score_adj /proc/self/timerslack_ns /proc/self/coredump_filter /proc/self/personality 2>&1
    tr '\0' '\n' < /proc/self/environ | sort
    readlink /proc/self/cwd /proc/self/root
    ls /proc/self/fd /proc/self/task | grep -v '^[0-9]\{3,\}$'
    readlink /proc/$$/fd/7 /proc/$$/fd/9
    wc -w < /proc/$$/stat
    cut -d' ' -f 5-8,18,19,40,41 /proc/$$/stat
    ls /proc/$$/task | wc -l
    ls /proc/$$/fd
    tr '\0' ' ' < /proc/$$/cmdline
"#;

/// Runs what `outside` makes of a command line, in a shell that has set up the process as `before` says.
fn inherited(sandbox: &Sandbox, before: &str, prefix: &[&str], words: &[&str]) -> Output {
    let mut command = alone(sandbox, &["sh", "-c", &format!("{before}\nexec \"$@\""), "sh"]);
    command.args(prefix).args(words).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_engine_has_no_thread_file_variable_or_signal_more_than_without_preflight() {
    let sandbox = engine(SAYS);
    let preflight = env!("CARGO_BIN_EXE_preflight");
    let words = ["llama-server", "-m", MODEL];
    for before in [
        "",
        "exec 7</dev/null 9>/dev/null; umask 027; ulimit -n 300; ulimit -c 0",
        "trap '' INT USR1 XFSZ; export ODD='a\nb'; unset HOME; cd models && cd ..",
        "trap '' TERM HUP QUIT",
    ] {
        let without = inherited(&sandbox, before, &[], &words);
        let with = inherited(&sandbox, before, &[preflight, "exec", "--"], &words);
        let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text(&without).contains("Threads:\t1\n"), "{}", text(&without));
        assert!(text(&without).contains("SigIgn:"), "{}", text(&without));
        let told = String::from_utf8_lossy(&with.stderr).into_owned();
        assert_eq!(text(&with), text(&without), "{before}: {told}");
        assert!(told.contains("preflight: ready"), "{told}");
    }
}

#[test]
fn what_is_missing_is_fetched_first_where_that_is_asked_for_and_no_connection_is_left() {
    let hub = hub(&[]);
    let script = "#!/bin/sh\nls /proc/$$/task | wc -l; ls /proc/$$/fd; ls hub\n";
    let sandbox = engine("").file("bin/vllm", script);
    let program = sandbox.path().join("bin/vllm");
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    fs_err::create_dir(sandbox.path().join("hub")).unwrap();
    let cache = sandbox.path().join("hub").display().to_string();
    let sandbox = sandbox.variable("HF_HUB_CACHE", cache).variable("HF_ENDPOINT", hub.url());
    let words = ["vllm", "serve", "acme/tiny"];
    let run = exec(&sandbox, &words);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!run.stdout.contains("models--acme--tiny"), "{}", run.stdout);
    assert!(run.stderr.contains("note[engine-will-fetch]"), "{}", run.stderr);
    assert_eq!(hub.requests().len(), 0);

    let run = sandbox.run(&[&["exec", "--fetch", "--"], &words[..]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("models--acme--tiny\n"), "{}{}", run.stdout, run.stderr);
    let alone = alone(&sandbox, &words).output().unwrap();
    assert_eq!(run.stdout.as_bytes(), alone.stdout);

    fs_err::remove_dir_all(sandbox.path().join("hub/models--acme--tiny")).unwrap();
    let offline = sandbox.run(&[&["exec", "--fetch", "--offline", "--"], &words[..]].concat());
    assert!(!offline.stdout.contains("models--acme--tiny"), "{}", offline.stderr);
}

fn start(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(&["exec", "-q", "--", "llama-server", "-m", MODEL]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Reads what an engine says first.
fn first_line(child: &mut Child) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    let output = child.stdout.as_mut().unwrap();
    while output.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn the_engine_is_the_same_process_with_its_standard_input() {
    let sandbox = engine("echo $$; exec cat");
    let mut child = start(&sandbox);
    assert_eq!(first_line(&mut child), child.id().to_string());
    child.stdin.take().unwrap().write_all(b"asked\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"asked\n"[..]));
}

#[test]
fn a_signal_is_the_engines_own() {
    let handles = engine("trap 'exit 9' TERM; echo here; while :; do read line || exit 1; done");
    let mut child = start(&handles);
    assert_eq!(first_line(&mut child), "here");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    // A shell comes to its trap when what it waits for has come.
    drop(child.stdin.take().map(|mut input| input.write_all(b"\n")));
    assert_eq!(child.wait().unwrap().code(), Some(9));

    for signal in [Signal::TERM, Signal::INT, Signal::PIPE, Signal::HUP, Signal::XFSZ] {
        let sandbox = engine("echo here; exec cat");
        let mut child = start(&sandbox);
        assert_eq!(first_line(&mut child), "here");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
    }
}

#[test]
fn the_program_is_installed_where_another_container_finds_it() {
    let sandbox = engine("echo started");
    let run = sandbox.run(&["install", "shared/bin"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("`shared/bin/preflight` is installed"), "{}", run.stdout);
    let again = sandbox.run(&["install", "shared/bin"]);
    assert!(again.stdout.contains("is this program already"), "{}", again.stdout);
    let words = ["shared/bin/preflight", "exec", "--", "llama-server", "-m", MODEL];
    let output = alone(&sandbox, &words).output().unwrap();
    assert_eq!(output.stdout, b"started\n");
    let refused = sandbox.run(&["install", "models/gguf/tiny-Q4_K_M.gguf"]);
    assert_eq!(refused.code, Some(16), "{}", refused.stderr);
}

/// Whether a command comes to serve, and what it says on standard error until then or until it ends; and
/// with what it ends by itself.
fn served(mut command: Command) -> (bool, String, Option<i32>) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut text, mut serves) = (String::new(), false);
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        serves = line.contains("listening on http");
        text.push_str(&line);
        text.push('\n');
        if serves {
            child.kill().unwrap();
            break;
        }
    }
    let status = child.wait().unwrap();
    (serves, text, status.code())
}

/// Beside the words of the test: what is not looked at, or where it does not matter.
const LOOPBACK: [&str; 7] = ["--host", "127.0.0.1", "--port", "0", "-c", "256", "--no-warmup"];

#[test]
fn a_genuine_llama_server_serves_behind_it_what_it_serves_alone_and_nothing_else() {
    let Some(server) = server() else { return };
    let sandbox = Sandbox::quickstart();
    let content = fs_err::read(sandbox.path().join(MODEL)).unwrap();
    let sandbox = sandbox
        .file("models/short.gguf", &content[..400_000])
        .file("models/page.gguf", "<!DOCTYPE html><html>404</html>")
        .file("models/empty.gguf", "")
        .file("models/old.gguf", [b"GGUF\x01\0\0\0", &content[8..]].concat())
        .file("template.jinja", "{{ messages[0].content }}");
    symlink("gguf/tiny-Q4_K_M.gguf", sandbox.path().join("models/link.gguf")).unwrap();
    symlink("gone.gguf", sandbox.path().join("models/dangling.gguf")).unwrap();
    // With what preflight ends; absent: it lets the server start.
    let cases: [(&[&str], Option<i32>); 14] = [
        (&["-m", MODEL], None),
        (&["-m", "models/link.gguf"], None),
        (&["-m", MODEL, "--chat-template-file", "template.jinja"], None),
        (&["-m", MODEL, "--alias", "tiny", "--temp", "0.5"], None),
        (&["-m", "models/short.gguf"], Some(11)),
        (&["-m", "models/page.gguf"], Some(11)),
        (&["-m", "models/empty.gguf"], Some(11)),
        (&["-m", "models/old.gguf"], Some(11)),
        (&["-m", "models/gone.gguf"], Some(10)),
        (&["-m", "models/dangling.gguf"], Some(10)),
        (&["-m", MODEL, "--chat-template-file", "gone.jinja"], Some(10)),
        (&["-m", MODEL, "--lora", "models/short.gguf"], Some(11)),
        (&["-m", MODEL, "--threads", "many"], Some(17)),
        // It may be a newer release, which has such a flag: the server says it itself.
        (&["-m", MODEL, "--no-such-flag"], None),
    ];
    let mut differences = Vec::new();
    for (words, expected) in cases {
        let words = [&[server.as_str()], &LOOPBACK[..], words].concat();
        let (serves, said, _) = served(alone(&sandbox, &words));
        let mut judged = sandbox.command(&["exec", "--"]);
        judged.args(&words);
        let (served_behind, told, code) = served(judged);
        let is_started =
            told.contains("llama_server: ") || told.contains("error: invalid argument");
        if serves != served_behind {
            differences.push(format!("{words:?}: {serves} alone, {served_behind}\n{said}\n{told}"));
        }
        match expected {
            Some(expected) if is_started || code != Some(expected) => {
                differences.push(format!("{words:?}: {code:?}, not {expected}\n{told}"));
            }
            None if !is_started => differences.push(format!("{words:?} was not started\n{told}")),
            Some(_) | None => {}
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

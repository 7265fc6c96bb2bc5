//! A scratch project folder, and the real binary run in it with a scrubbed environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// In the environment of every run, and in the output of none.
pub(crate) const PLANTED: (&str, &str) = ("DATABASE_PASSWORD", "planted-and-never-to-be-seen");

/// What a variable is called whose value is a secret.
const SECRETS: [&str; 4] = ["TOKEN", "PASSWORD", "SECRET", "API_KEY"];

/// A folder that goes away with the test.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// The quickstart of the repository, copied.
    pub(crate) fn quickstart() -> Self {
        let sandbox = Self::new();
        copy(&repository().join("examples/quickstart"), sandbox.path());
        sandbox
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the folder, and the folders above it.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
        self
    }

    /// Sets a variable for the runs.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The command that [`Sandbox::run`] runs.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_preflight"));
        command.args(arguments).current_dir(self.path()).env_clear();
        command.env("PREFLIGHT_NO_DOCKER", "true").env("HOME", self.path());
        command.env(PLANTED.0, PLANTED.1);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A shell that runs `script` in the folder, where `preflight` is the program.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_preflight")).parent().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.path()).env_clear();
        command.env("HOME", self.path()).env("PREFLIGHT_NO_DOCKER", "true");
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display()));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs preflight in the folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        self.told(&output)
    }

    /// Makes an output comparable: the folder is `[DIR]`. No secret of the environment is in it.
    pub(crate) fn told(&self, output: &Output) -> Run {
        self.assert_silent(&output.stdout);
        self.assert_silent(&output.stderr);
        let text = |bytes: &[u8]| {
            let folder = fs_err::canonicalize(self.path()).unwrap();
            String::from_utf8_lossy(bytes)
                .replace(&folder.display().to_string(), "[DIR]")
                .replace(&self.path().display().to_string(), "[DIR]")
        };
        Run {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

impl Sandbox {
    /// Fails when `output` shows a secret that a run was started with.
    pub(crate) fn assert_silent(&self, output: &[u8]) {
        let output = String::from_utf8_lossy(output);
        let is_secret = |name: &str, value: &str| {
            value.len() >= 8 && SECRETS.iter().any(|part| name.contains(part))
        };
        let own = self.variables.iter().filter(|(name, value)| is_secret(name, value));
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain([PLANTED]) {
            assert!(!output.contains(value), "the value of {name} is shown:\n{output}");
        }
    }
}

/// What the kernel says of the memory of a process, by its own word for it (proc_pid_status(5)), in
/// kilobytes; absent: it has ended.
pub(crate) fn memory_of(process: u32, what: &str) -> Option<u64> {
    let status = fs_err::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// What a process may have of its own: 64 MiB, less the 15 MiB that the shipped binary may be.
pub(crate) const OWN_MEMORY: u64 = 49 * 1024;

/// The most memory of its own that a process has had so far, in kilobytes; absent: it has ended. Its code is
/// left out, of which a debug build has several times as much.
pub(crate) fn own_memory_of(process: u32) -> Option<u64> {
    Some(memory_of(process, "VmHWM")?.saturating_sub(memory_of(process, "RssFile")?))
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(target).unwrap();
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}

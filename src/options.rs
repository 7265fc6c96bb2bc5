//! What a run needs, already valid. Made from the command line by [`crate::cli`].

mod delivery;
mod docker;
mod error;
pub mod provider;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;

use crate::cards::Cards;
use crate::deadline::Deadline;
use crate::path::{HostPath, LocalPath};

pub use self::delivery::Delivery;
pub(crate) use self::delivery::{SCHEME, parse as source_of};
pub use self::docker::DockerOptions;
pub use self::error::OptionsError;

/// The subcommands, for whoever mistypes one: what is none of them is a PATH.
pub(crate) const COMMANDS: [&str; 15] = [
    "plan",
    "config",
    "fetch",
    "verify",
    "fit",
    "inspect",
    "smoke",
    "lock",
    "init",
    "doctor",
    "exec",
    "install",
    "explain",
    "man",
    "completions",
];

/// How long a holder of a lock may stand still when nobody says otherwise.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);

/// Everything that [`crate::run`] may know about how it was called.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do.
    pub task: Task,
    /// `preflight config --services` and `--volumes`.
    pub config: ConfigPart,
    /// `preflight init --write` and `--check`.
    pub init: InitMode,
    /// In which role.
    pub role: Role,
    /// What to look at.
    pub target: Target,
    /// How to read a Compose project.
    pub project: ProjectOptions,
    /// Which lanes.
    pub selection: Selection,
    /// How to reach the hub.
    pub hub: HubOptions,
    /// Where the token of [`Options::hub`] comes from: a variable or a file; absent: there is none.
    pub token_from: Option<String>,
    /// How to reach the Docker Engine.
    pub docker: DockerOptions,
    /// Where the report goes and what it looks like.
    pub report: ReportOptions,
    /// Whether missing files are fetched; a read-only models mount still prevents it.
    pub fetch: bool,
    /// How files are proven, pinned and renewed.
    pub files: FileOptions,
    /// Whether an unknown verdict of a required lane is only a warning.
    pub allow_unknown: bool,
    /// How long `preflight smoke` waits for engines that are still loading.
    pub wait: Duration,
    /// `--timeout`: when the run has to end; absent: no sooner than it is done.
    pub deadline: Option<Deadline>,
    /// `--allow` and `--deny`.
    pub checks: Choices,
}

/// Checks, by their ids, whose findings get another severity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Their findings become notes.
    pub allowed: BTreeSet<String>,
    /// Their findings become errors; stronger than [`Choices::allowed`].
    pub denied: BTreeSet<String>,
}

/// How files are proven, pinned and renewed.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    /// `--deep`: every byte is hashed that no stamp vouches for.
    pub deep: bool,
    /// `--no-stamps`: stamps are neither believed nor left.
    pub no_stamps: bool,
    /// `--discard-replaced`: the user's own files are not kept beside what replaces them.
    pub discard_replaced: bool,
    /// `fetch --update` and `lock --update`: what is not pinned moves to the newest commit.
    pub update: bool,
    /// `fetch --dry-run`: the sources are asked, and nothing is brought.
    pub dry_run: bool,
    /// `lock --check`: the lock file is compared with the lanes, and nothing is asked or written.
    pub check_lock: bool,
    /// `--lock-file`; absent: `preflight.lock` beside the Compose file.
    pub lock_file: Option<PathBuf>,
}

/// The subcommand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// No subcommand: load, plan, fetch, validate, inspect, report.
    Check,
    /// Print the lanes.
    Plan,
    /// Print the resolved project.
    Config,
    /// Fetch and validate.
    Fetch,
    /// Validate what is there.
    Verify,
    /// Tell what the lanes take of memory, and whether it is there.
    Fit,
    /// Look at the containers.
    Inspect,
    /// Ask the running engines.
    Smoke,
    /// Pin commit, size and hash of every file.
    Lock,
    /// Let the services of the lanes wait for preflight.
    Init,
    /// Look at the machine.
    Doctor,
    /// Judge what a command line opens, and become what it starts.
    Exec,
}

/// What `preflight init` does with the changes that it has worked out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InitMode {
    /// Show them.
    #[default]
    Show,
    /// Show them, and fail if there are any.
    Check,
    /// Write them.
    Write,
}

/// On whose behalf preflight runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As an init container of the stack that it judges.
    Init,
    /// By a person or in CI.
    Hand,
    /// In the place of an engine, before that is started.
    Exec,
}

/// What a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The project found as Compose finds it (`-f`, `COMPOSE_FILE`, default names walking up), or
    /// in a container the one that its labels name.
    Discover,
    /// Exactly this Compose file, or `-` for standard input.
    ComposeFile(PathBuf),
    /// A folder with a Compose file of a default name in it.
    ProjectDirectory(PathBuf),
    /// A model file, a model folder or a folder of models.
    Models(PathBuf),
    /// What a command line starts, in this process's own file system.
    CommandLine(Start),
    /// Sources, and the folders or files of this machine that they are brought into.
    Deliveries(Vec<Delivery>),
}

/// How an engine is started in the place of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// The variables that it will see, as far as they are valid Unicode.
    pub environment: IndexMap<String, String>,
    /// Where it is started. Absolute.
    pub working_directory: PathBuf,
}

/// What `preflight config` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConfigPart {
    /// The whole project.
    #[default]
    Whole,
    /// The names of the services, those that others wait for first.
    Services,
    /// The names of the volumes that services use.
    Volumes,
}

/// How to read a Compose project; the same meaning as the flags of `docker compose`.
#[derive(Debug, Clone, Default)]
pub struct ProjectOptions {
    /// `-f`, in order; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// `-p`.
    pub name: Option<String>,
    /// `--project-directory`.
    pub directory: Option<PathBuf>,
    /// `--env-file`, in order.
    pub env_files: Vec<PathBuf>,
    /// `--profile`.
    pub profiles: Vec<String>,
    /// Services that are on whatever the profiles say: those that Compose has made a container of.
    pub switched_on: BTreeSet<String>,
    /// The environment that variables are looked up in. Empty in the init role, where the
    /// caller's shell cannot be known.
    pub environment: IndexMap<String, String>,
    /// The working directory.
    pub working_directory: PathBuf,
    /// How the files are opened.
    pub reach: Reach,
    /// Whether a key that Docker Compose does not know is only told: where a newer one may know it.
    pub keeps_unknown_keys: bool,
    /// What the Pod that this process is in is called; absent: it is known by its machine's name.
    pub pod: Option<String>,
    /// The service whose provider this process is, called by Docker Compose; absent: nobody's.
    pub provider_of: Option<String>,
}

/// How a path of a project is opened.
#[derive(Debug, Clone, Default)]
pub enum Reach {
    /// As it is.
    #[default]
    Directly,
    /// In a container: it is a path of the host, and this process finds some folders of the host
    /// elsewhere.
    Through(Vec<(HostPath, LocalPath)>),
}

/// Which lanes are looked at, and where their files are.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `--lane`; empty: all.
    pub lanes: Vec<String>,
    /// `--skip-vllm`.
    pub skip_vllm: bool,
    /// `--skip-gguf`.
    pub skip_gguf: bool,
    /// `--skip-embeddings`.
    pub skip_embeddings: bool,
    /// `--minimal`: only the smoke-test lanes of the catalogue.
    pub minimal: bool,
    /// `--models-dir`: the models root on the host.
    pub models_dir: Option<PathBuf>,
    /// `--gpus`: those of the host, whatever the project declares.
    pub gpus: Option<Cards>,
    /// What this process's own environment says about lanes and models (`ARGOS_*`,
    /// `CORTEX_LANE_*`, `MODELS_PATH`); stronger than the project's env files.
    pub variables: IndexMap<String, String>,
}

/// The hub that is asked where nobody names one.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How to reach the hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// Without a trailing slash.
    pub endpoint: String,
    /// Sent to [`HubOptions::endpoint`] and nowhere else.
    pub token: Option<Token>,
    /// No request leaves the machine.
    pub offline: bool,
    /// Connections to the store of the files, over all lanes; at least 1. Each brings a range of a
    /// file.
    pub max_workers: usize,
    /// Bytes a second, over all connections; absent: as many as come.
    pub limit_rate: Option<NonZeroU64>,
    /// When it has to end; absent: when nothing moves any more.
    pub deadline: Option<Deadline>,
    /// How long a transfer may be silent.
    pub silence: Duration,
    /// How processes that bring the same file keep out of each other's way.
    pub locking: Locking,
    /// How this machine reaches others.
    pub network: NetworkOptions,
}

/// How this machine reaches others, where the HTTP client does not find it out by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkOptions {
    /// `SSL_CERT_FILE`: the certificates that are believed, and no others; absent: those of the
    /// machine.
    pub certificates: Option<PathBuf>,
    /// A file of certificates that are believed beside those of the machine; absent: there is none.
    pub more_certificates: Option<PathBuf>,
    /// `no_proxy`, else `NO_PROXY`: who is reached without a proxy; absent: nobody.
    pub no_proxy: Option<String>,
    /// The variables that name proxies, which the HTTP client reads itself: `HTTPS_PROXY` and its kin,
    /// in both cases.
    pub proxies: IndexMap<String, String>,
}

/// How processes keep out of each other's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locking {
    /// By what.
    pub method: LockMethod,
    /// How long a holder may stand still before it is no longer waited for.
    pub patience: Duration,
}

/// By what a file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMethod {
    /// flock(2), which `hf` uses as well; leases where the file system has no locks and says so.
    Flock,
    /// Leases everywhere: for file systems that have no locks and do not say so (Lustre and GPFS
    /// without the option, some NFS).
    Lease,
}

/// A secret. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Where relative names start, and where a program that reads a report starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// The working directory: relative names of sources start here. Absolute.
    pub here: PathBuf,
    /// The root of the checkout, if the environment names one (`GITHUB_WORKSPACE`), else the
    /// working directory. Absolute.
    pub root: PathBuf,
}

/// Where the report goes and what it looks like.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// On standard output.
    pub format: Format,
    /// `-o`: more reports, into files.
    pub outputs: Vec<(Format, PathBuf)>,
    /// `GITHUB_STEP_SUMMARY`: where the GitHub report appends its summary; absent: nowhere.
    pub step_summary: Option<PathBuf>,
    /// Where the verdict is left for whoever asks why a container of a Pod has ended; absent: nowhere.
    pub termination_log: Option<PathBuf>,
    /// Colour on standard output.
    pub color: bool,
    /// Characters in a line of standard output.
    pub width: usize,
    /// Which characters a person can be shown.
    pub charset: Charset,
    /// Where relative names start, for programs that read a report.
    pub base: Base,
    /// How a fetch shows that it moves.
    pub progress: ProgressStyle,
    /// Nothing but the verdict.
    pub quiet: bool,
    /// Whether standard output and standard error are one terminal to whoever reads: the report stands
    /// above the verdict.
    pub is_seen_whole: bool,
    /// `preflight config --show-secrets`.
    pub show_secrets: bool,
}

/// The name of a format that a run is told in; [`crate::report::FORMATS`] has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format(&'static str);

/// Which characters a person can be shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Charset {
    /// All that can be seen.
    #[default]
    Unicode,
    /// ASCII; the others are written as `\u{...}`.
    Ascii,
}

/// How the log is written on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for each event.
    Text,
    /// One JSON object a line.
    Json,
}

/// How progress is shown on standard error, and to Docker Compose on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressStyle {
    /// Bars.
    Bars,
    /// A line every few seconds.
    Plain,
    /// One JSON object a line.
    Json,
    /// Messages of a provider to Docker Compose.
    Messages,
    /// Nothing.
    None,
}

impl Format {
    /// For a person.
    pub const HUMAN: Self = Self("human");

    /// For a program; see the schema version in it.
    pub const JSON: Self = Self("json");

    /// One that is listed.
    #[must_use]
    pub fn of(listed: &'static str) -> Self {
        Self(listed)
    }

    /// As `--format` and `-o` take it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl Default for Locking {
    fn default() -> Self {
        Self { method: LockMethod::Flock, patience: DEFAULT_PATIENCE }
    }
}

impl Task {
    /// Whether the state of the containers has a say in the exit code.
    #[must_use]
    pub fn is_about_containers(self) -> bool {
        matches!(self, Self::Inspect | Self::Smoke)
    }
}

impl Reach {
    /// Where this process can open a path of the host; absent when it cannot.
    #[must_use]
    pub fn local(&self, path: &Path) -> Option<PathBuf> {
        let Self::Through(mounts) = self else { return Some(path.to_path_buf()) };
        let host = HostPath::new(path);
        let known = mounts
            .iter()
            .filter_map(|(root, local)| host.below(root).map(|below| (root, local.join(below))));
        known
            .max_by_key(|(root, _)| root.as_path().components().count())
            .map(|(_, local)| local.as_path().to_path_buf())
    }
}

impl Token {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself, for a header and for the redactor.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

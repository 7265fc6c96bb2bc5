//! The flags that every subcommand takes, and the options that they are made into.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::deliveries;
use super::environment::Environment;
use super::outputs::{YAML, formats, has, output};
use super::target::{self, About};
use super::terminal;
use crate::amount;
use crate::cards::Cards;
use crate::deadline::Deadline;
use crate::options::Choices;
use crate::options::{
    ConfigPart, Delivery, DockerOptions, FileOptions, Format, HubOptions, InitMode, LogFormat,
    Options, OptionsError, ProgressStyle, ProjectOptions, Reach, ReportOptions, Role, Selection,
    Target, Task,
};
use crate::options::{LockMethod, Locking};
use crate::report;

/// What every subcommand takes, before or behind its name.
#[derive(Debug, Clone, Args)]
pub(super) struct Flags {
    /// A Compose file, `-` for standard input; may be repeated
    #[arg(short, long = "file", value_name = "FILE", env = "PREFLIGHT_FILE", global = true)]
    #[arg(help_heading = "Project", value_delimiter = ',')]
    file: Vec<PathBuf>,
    /// The project's name
    #[arg(short, long, value_name = "NAME", env = "PREFLIGHT_PROJECT_NAME", global = true)]
    #[arg(help_heading = "Project")]
    project_name: Option<String>,
    /// The folder that relative paths start at
    #[arg(long, value_name = "DIR", env = "PREFLIGHT_PROJECT_DIRECTORY", global = true)]
    #[arg(help_heading = "Project")]
    project_directory: Option<PathBuf>,
    /// A file of variables instead of `.env`; may be repeated
    #[arg(long, value_name = "FILE", env = "PREFLIGHT_ENV_FILE", global = true)]
    #[arg(help_heading = "Project", value_delimiter = ',')]
    env_file: Vec<PathBuf>,
    /// A profile to switch on; may be repeated
    #[arg(long, value_name = "NAME", env = "PREFLIGHT_PROFILE", global = true)]
    #[arg(help_heading = "Project", value_delimiter = ',')]
    profile: Vec<String>,

    /// The models root on the host, instead of MODELS_PATH
    #[arg(long, value_name = "DIR", env = "PREFLIGHT_MODELS_DIR", global = true)]
    #[arg(help_heading = "Lanes")]
    models_dir: Option<PathBuf>,
    /// The GPUs of the host and their memory, instead of what `x-preflight` declares: 2x24GB, or
    /// 24GB,80GB
    #[arg(long, value_name = "GPUS", env = "PREFLIGHT_GPUS", value_parser = str::parse::<Cards>)]
    #[arg(global = true, help_heading = "Lanes")]
    gpus: Option<Cards>,
    /// Only this lane; may be repeated
    #[arg(long, value_name = "LANE", env = "PREFLIGHT_LANE", global = true)]
    #[arg(help_heading = "Lanes", value_delimiter = ',')]
    lane: Vec<String>,
    /// Leave out the lanes of vLLM
    #[arg(long, env = "PREFLIGHT_SKIP_VLLM", value_parser = switch, global = true, help_heading = "Lanes")]
    skip_vllm: bool,
    /// Leave out the lanes of llama.cpp
    #[arg(long, env = "PREFLIGHT_SKIP_GGUF", value_parser = switch, global = true, help_heading = "Lanes")]
    skip_gguf: bool,
    /// Leave out the embedding models
    #[arg(long, env = "PREFLIGHT_SKIP_EMBEDDINGS", value_parser = switch, global = true, help_heading = "Lanes")]
    skip_embeddings: bool,
    /// Only the small smoke-test models of the catalogue
    #[arg(long, env = "PREFLIGHT_MINIMAL", value_parser = switch, global = true, help_heading = "Lanes")]
    minimal: bool,

    /// Fetch what is missing; the default in an init container
    #[arg(long, env = "PREFLIGHT_FETCH", value_parser = switch, global = true, help_heading = "Fetch")]
    fetch: bool,
    /// Never fetch
    #[arg(long, env = "PREFLIGHT_NO_FETCH", value_parser = switch, global = true, help_heading = "Fetch")]
    no_fetch: bool,
    /// Never ask the hub
    #[arg(long, env = "PREFLIGHT_OFFLINE", value_parser = switch, global = true, help_heading = "Fetch")]
    offline: bool,
    /// Connections at the same time; fewer while the server refuses
    #[arg(long, value_name = "N", env = "PREFLIGHT_MAX_WORKERS", default_value = "8")]
    #[arg(global = true, help_heading = "Fetch", value_parser = clap::value_parser!(u16).range(1..=64))]
    max_workers: u16,
    /// At most so many bytes a second, over all connections: 500k, 10M
    #[arg(long, value_name = "RATE", env = "PREFLIGHT_LIMIT_RATE", value_parser = amount::rate)]
    #[arg(global = true, help_heading = "Fetch")]
    limit_rate: Option<NonZeroU64>,
    /// End a run that takes longer, whatever it waits for: 90s, 30m, 2h. What has come is kept
    #[arg(long, value_name = "TIME", env = "PREFLIGHT_TIMEOUT", value_parser = amount::duration)]
    #[arg(global = true, help_heading = "Fetch")]
    timeout: Option<Duration>,
    /// How processes that bring the same file wait for each other: `lease` where the file system
    /// has locks in name only (Lustre, GPFS, some NFS)
    #[arg(long, value_name = "MEANS", env = "PREFLIGHT_LOCKS", default_value = "flock")]
    #[arg(global = true, help_heading = "Fetch")]
    locks: Locks,
    /// How long a process that stands still is waited for
    #[arg(long, value_name = "SECONDS", env = "PREFLIGHT_LOCK_PATIENCE", default_value = "60")]
    #[arg(global = true, hide = true)]
    lock_patience: u16,
    /// How long no byte may come before a transfer is begun anew
    #[arg(long, value_name = "TIME", env = "PREFLIGHT_SILENCE", value_parser = amount::duration)]
    #[arg(global = true, hide = true, default_value = "30s")]
    silence: Duration,
    /// With `smoke`: how long to wait for engines that are still loading: 90s, 10m. One whose
    /// container has ended is not waited for
    #[arg(long, value_name = "TIME", env = "PREFLIGHT_WAIT", value_parser = amount::duration)]
    #[arg(global = true, help_heading = "Lanes")]
    wait: Option<Duration>,
    /// Hash every byte of every file, once: a stamp remembers it
    #[arg(long, env = "PREFLIGHT_DEEP", value_parser = switch, global = true, help_heading = "Fetch")]
    deep: bool,
    /// Neither believe the stamps of earlier runs nor leave any: with `--deep`, every byte is hashed
    #[arg(long, env = "PREFLIGHT_NO_STAMPS", value_parser = switch, global = true, help_heading = "Fetch")]
    no_stamps: bool,
    /// Do not keep your own files beside what `--update` and `--deep` replace them with
    #[arg(long, env = "PREFLIGHT_DISCARD_REPLACED", value_parser = switch, global = true)]
    #[arg(help_heading = "Fetch")]
    discard_replaced: bool,
    /// Where commits and hashes are pinned; `preflight.lock` beside the Compose file otherwise
    #[arg(
        long,
        value_name = "FILE",
        env = "PREFLIGHT_LOCK_FILE",
        global = true,
        help_heading = "Fetch"
    )]
    lock_file: Option<PathBuf>,

    /// What the report on standard output looks like
    #[arg(long, value_name = "FORMAT", env = "PREFLIGHT_FORMAT", default_value = "human")]
    #[arg(global = true, help_heading = "Report", value_parser = formats())]
    format: String,
    /// Write a report into a file as well: FORMAT=FILE, or FILE whose ending says the format (.json,
    /// .sarif, .xml for JUnit, .md, .txt); may be repeated
    #[arg(short, long, value_name = "FORMAT=FILE", env = "PREFLIGHT_OUTPUT", global = true)]
    #[arg(help_heading = "Report", value_delimiter = ',')]
    output: Vec<String>,
    /// How a fetch shows that it moves
    #[arg(long, value_name = "STYLE", env = "PREFLIGHT_PROGRESS", default_value = "auto")]
    #[arg(global = true, help_heading = "Report")]
    progress: ProgressName,
    /// Whether the report is coloured
    #[arg(long, value_name = "WHEN", env = "PREFLIGHT_COLOR", default_value = "auto")]
    #[arg(global = true, help_heading = "Report")]
    color: ColorName,
    /// Show secrets that `config` masks
    #[arg(long, env = "PREFLIGHT_SHOW_SECRETS", value_parser = switch, global = true, help_heading = "Report")]
    show_secrets: bool,
    /// Let a required lane that cannot be judged pass with a warning
    #[arg(long, env = "PREFLIGHT_ALLOW_UNKNOWN", value_parser = switch, global = true, help_heading = "Report")]
    allow_unknown: bool,
    /// A check whose findings become notes; may be repeated
    #[arg(long, value_name = "CHECK", env = "PREFLIGHT_ALLOW", global = true)]
    #[arg(help_heading = "Report", value_delimiter = ',')]
    allow: Vec<String>,
    /// A check whose findings become errors, stronger than --allow; may be repeated
    #[arg(long, value_name = "CHECK", env = "PREFLIGHT_DENY", global = true)]
    #[arg(help_heading = "Report", value_delimiter = ',')]
    deny: Vec<String>,
    /// Nothing but the verdict
    #[arg(short, long, env = "PREFLIGHT_QUIET", value_parser = switch, global = true, help_heading = "Report")]
    quiet: bool,
    /// More about what is being done; twice for every step
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Report")]
    pub(super) verbose: u8,
    /// What the log on standard error looks like
    #[arg(long, value_name = "FORMAT", env = "PREFLIGHT_LOG_FORMAT", default_value = "text")]
    #[arg(global = true, help_heading = "Report")]
    log_format: LogFormatName,

    /// On whose behalf preflight runs
    #[arg(long, value_name = "ROLE", env = "PREFLIGHT_ROLE", default_value = "hand")]
    #[arg(global = true, help_heading = "Engine")]
    role: RoleName,
    /// Do not ask the Docker Engine
    #[arg(long, env = "PREFLIGHT_NO_DOCKER", value_parser = switch, global = true, help_heading = "Engine")]
    no_docker: bool,
}

/// What every container of a Pod has (kubernetes 1.34 pkg/kubelet/envvars/envvars.go).
const POD: &str = "KUBERNETES_SERVICE_HOST";

/// The check whose findings are refusals by hand.
const UNKNOWN_KEY: &str = "unknown-key";

/// By what means processes wait for each other.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Locks {
    Flock,
    Lease,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormatName {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProgressName {
    Auto,
    Tty,
    Plain,
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorName {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    /// As an init container of the stack.
    Init,
    /// By a person or in CI.
    Hand,
}

impl Flags {
    pub(super) fn options(
        self,
        task: Task,
        about: About<'_>,
        environment: Environment,
    ) -> Result<Options, OptionsError> {
        let (role, target) = match about {
            About::Path(path) => (self.role(), target::of(path, &self.file)?),
            About::Pairs(words) => {
                let role = if environment.is_set(POD) { Role::Init } else { self.role() };
                (role, Target::Deliveries(self.deliveries(words, &environment)?))
            }
            About::Words(words) => (Role::Exec, Target::CommandLine(environment.start(words))),
        };
        let by_role = task == Task::Fetch || (task == Task::Check && role == Role::Init);
        let token_from = environment.token()?.map(|(_, origin)| origin);
        let deadline = self.timeout.and_then(Deadline::after);
        let is_without_project =
            matches!(target, Target::Models(_) | Target::CommandLine(_) | Target::Deliveries(_));
        let is_without_docker = is_without_project || role == Role::Init && environment.is_set(POD);
        Ok(Options {
            deadline,
            task,
            config: ConfigPart::default(),
            init: InitMode::default(),
            role,
            fetch: (by_role || self.fetch) && !self.no_fetch,
            files: FileOptions {
                deep: self.deep,
                no_stamps: self.no_stamps,
                discard_replaced: self.discard_replaced,
                lock_file: self.lock_file.clone(),
                ..FileOptions::default()
            },
            allow_unknown: self.allow_unknown,
            wait: self.wait.unwrap_or_default(),
            checks: Choices {
                allowed: self.allowed(role),
                denied: self.deny.iter().cloned().collect(),
            },
            report: self.report((task, role), &environment)?,
            selection: self.selection(role, &environment),
            hub: HubOptions {
                network: match &target {
                    Target::Deliveries(_) => environment.network_of_kserve(),
                    Target::Discover
                    | Target::ComposeFile(_)
                    | Target::ProjectDirectory(_)
                    | Target::Models(_)
                    | Target::CommandLine(_) => environment.network(),
                },
                ..self.hub(&environment, deadline)?
            },
            token_from,
            docker: DockerOptions {
                host: environment.value("DOCKER_HOST"),
                context: environment.value("DOCKER_CONTEXT"),
                configuration: environment.docker_configuration(),
                certificates: environment.docker_certificates(),
                deadline,
                enabled: !self.no_docker && !is_without_docker,
                container: None,
            },
            project: self.project(role, environment, &target),
            target,
        })
    }

    fn deliveries(
        &self,
        words: &[PathBuf],
        environment: &Environment,
    ) -> Result<Vec<Delivery>, OptionsError> {
        match self.of_project() {
            Some(flag) => Err(OptionsError::FlagOfProject { flag }),
            None => deliveries::of(words, environment),
        }
    }

    /// The first flag that was given and is about a project.
    fn of_project(&self) -> Option<&'static str> {
        let given = [
            ("--file", !self.file.is_empty()),
            ("--project-name", self.project_name.is_some()),
            ("--project-directory", self.project_directory.is_some()),
            ("--env-file", !self.env_file.is_empty()),
            ("--profile", !self.profile.is_empty()),
            ("--models-dir", self.models_dir.is_some()),
            ("--gpus", self.gpus.is_some()),
            ("--lane", !self.lane.is_empty()),
            ("--skip-vllm", self.skip_vllm),
            ("--skip-gguf", self.skip_gguf),
            ("--skip-embeddings", self.skip_embeddings),
            ("--minimal", self.minimal),
            ("--wait", self.wait.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    /// In an init container Compose has accepted the file.
    fn keeps_unknown_keys(&self, role: Role) -> bool {
        let names = |checks: &[String]| checks.iter().any(|check| check == UNKNOWN_KEY);
        !names(&self.deny) && (role == Role::Init || names(&self.allow))
    }

    /// By hand [`UNKNOWN_KEY`] is about what is refused: what is let pass is still told as a warning.
    fn allowed(&self, role: Role) -> BTreeSet<String> {
        let notes = |check: &&String| role == Role::Init || *check != UNKNOWN_KEY;
        self.allow.iter().filter(notes).cloned().collect()
    }

    fn report(
        &self,
        (task, role): (Task, Role),
        environment: &Environment,
    ) -> Result<ReportOptions, OptionsError> {
        let progress = match self.progress {
            ProgressName::Auto if std::io::stderr().is_terminal() => ProgressStyle::Bars,
            ProgressName::Tty => ProgressStyle::Bars,
            ProgressName::Auto | ProgressName::Plain => ProgressStyle::Plain,
            ProgressName::Json => ProgressStyle::Json,
            ProgressName::None => ProgressStyle::None,
        };
        Ok(ReportOptions {
            format: self.format_of(task)?,
            outputs: self.output.iter().map(|text| output(text, task)).collect::<Result<_, _>>()?,
            step_summary: environment.value("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            termination_log: termination_log(role, environment),
            color: self.has_color(role),
            width: terminal::width(),
            charset: terminal::charset(),
            base: environment.base(),
            progress,
            quiet: self.quiet,
            is_seen_whole: terminal::shows_both_streams(),
            show_secrets: self.show_secrets,
        })
    }

    pub(super) fn role(&self) -> Role {
        match self.role {
            RoleName::Init => Role::Init,
            RoleName::Hand => Role::Hand,
        }
    }

    /// Whether the report has colours.
    pub(super) fn has_color(&self, role: Role) -> bool {
        match self.color {
            ColorName::Always => true,
            ColorName::Never => false,
            ColorName::Auto => terminal::has_color(role),
        }
    }

    /// What tells a program why there is no run.
    pub(super) fn of_failure(&self, role: Role) -> ReportOptions {
        let named = report::named(&self.format).map(|format| Format::of(format.name));
        let outputs = self.output.iter().filter_map(|text| output(text, Task::Check).ok());
        let environment = Environment::of_this_process().ok();
        ReportOptions {
            format: named.unwrap_or(Format::HUMAN),
            outputs: outputs.collect(),
            step_summary: None,
            termination_log: environment.as_ref().and_then(|it| termination_log(role, it)),
            color: false,
            width: terminal::width(),
            charset: terminal::charset(),
            base: environment.map(|environment| environment.base()).unwrap_or_default(),
            progress: ProgressStyle::None,
            quiet: self.quiet,
            is_seen_whole: false,
            show_secrets: false,
        }
    }

    /// The format of standard output. Not everything is told in every format.
    fn format_of(&self, task: Task) -> Result<Format, OptionsError> {
        if self.format == YAML && task == Task::Config {
            return Ok(Format::HUMAN);
        }
        let Some(format) = report::named(&self.format) else {
            return Err(OptionsError::YamlReport);
        };
        has(format, task)?;
        Ok(Format::of(format.name))
    }

    /// How the log is written.
    pub(super) fn log_format(&self) -> LogFormat {
        match self.log_format {
            LogFormatName::Text => LogFormat::Text,
            LogFormatName::Json => LogFormat::Json,
        }
    }

    /// By hand a relative models root starts where the command is typed; in a container nobody knows
    /// where that is, and it starts at the project.
    fn selection(&self, role: Role, environment: &Environment) -> Selection {
        let here = |folder: &PathBuf| match role {
            Role::Hand | Role::Exec => environment.working_directory.join(folder),
            Role::Init => folder.clone(),
        };
        Selection {
            lanes: self.lane.clone(),
            skip_vllm: self.skip_vllm,
            skip_gguf: self.skip_gguf,
            skip_embeddings: self.skip_embeddings,
            minimal: self.minimal,
            models_dir: self.models_dir.as_ref().map(here),
            gpus: self.gpus.clone(),
            variables: environment.about_lanes(),
        }
    }

    fn hub(
        &self,
        environment: &Environment,
        deadline: Option<Deadline>,
    ) -> Result<HubOptions, OptionsError> {
        Ok(HubOptions {
            endpoint: environment.endpoint()?,
            token: environment.token()?.map(|(token, _)| token),
            offline: self.offline || environment.is_true("HF_HUB_OFFLINE"),
            max_workers: usize::from(self.max_workers),
            limit_rate: self.limit_rate,
            deadline,
            silence: self.silence,
            locking: Locking {
                method: self.locks.into(),
                patience: Duration::from_secs(u64::from(self.lock_patience)),
            },
            network: environment.network(),
        })
    }

    fn project(self, role: Role, environment: Environment, target: &Target) -> ProjectOptions {
        let keeps_unknown_keys = self.keeps_unknown_keys(role);
        let (files, directory) = match target {
            Target::ComposeFile(file) => (vec![file.clone()], self.project_directory),
            Target::ProjectDirectory(folder) => {
                (Vec::new(), self.project_directory.or_else(|| Some(folder.clone())))
            }
            Target::Discover
            | Target::Models(_)
            | Target::CommandLine(_)
            | Target::Deliveries(_) => (self.file, self.project_directory),
        };
        ProjectOptions {
            files,
            name: self.project_name,
            directory,
            env_files: self.env_file,
            profiles: self.profile,
            switched_on: BTreeSet::new(),
            reach: Reach::Directly,
            keeps_unknown_keys,
            pod: environment.value("PREFLIGHT_POD"),
            provider_of: None,
            working_directory: environment.working_directory.clone(),
            environment: match role {
                Role::Init => environment.of_the_project_alone(),
                Role::Hand | Role::Exec => environment.variables,
            },
        }
    }
}

impl From<Locks> for LockMethod {
    fn from(method: Locks) -> Self {
        match method {
            Locks::Flock => Self::Flock,
            Locks::Lease => Self::Lease,
        }
    }
}

/// Where Kubernetes wants the last words of a container of a Pod, if they are wanted: not of somebody's own
/// run by hand.
fn termination_log(role: Role, environment: &Environment) -> Option<PathBuf> {
    let named = environment.value("PREFLIGHT_TERMINATION_LOG");
    let path = PathBuf::from(named.as_deref().unwrap_or("/dev/termination-log"));
    let is_in_container = match role {
        Role::Init | Role::Exec => true,
        Role::Hand => false,
    };
    (is_in_container && path.is_file()).then_some(path)
}

/// A switch as a variable: the flag itself stands for `true`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected `true` or `false`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_takes_the_spellings_that_people_write_in_env_files() {
        for (text, expected) in [
            ("1", Ok(true)),
            ("true", Ok(true)),
            ("YES", Ok(true)),
            ("0", Ok(false)),
            ("", Err("expected `true` or `false`".to_owned())),
            ("off", Ok(false)),
            ("maybe", Err("expected `true` or `false`".to_owned())),
        ] {
            assert_eq!(switch(text), expected, "{text}");
        }
    }
}

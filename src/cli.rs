//! The command line: the only place that names clap or reads the environment.

mod completion;
mod deliveries;
mod environment;
mod flags;
mod manual;
mod outputs;
pub mod provider;
mod target;
mod terminal;
mod variables;
mod words;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::limits::LONGEST_OF_KERNEL;
use crate::options::{
    Charset, ConfigPart, FileOptions, InitMode, LogFormat, Options, OptionsError, ReportOptions,
    Role, Task,
};
use crate::regular_file;
use crate::report::explain::Screen;
use environment::Environment;
use flags::Flags;
use target::About;

pub use variables::Variables;

/// `0.1.0 (46686f1d8c2e, x86_64-unknown-linux-gnu)`; see `build.rs`.
const VERSION: &str = env!("PREFLIGHT_VERSION");

/// What a person may rely on, in the same words as in the README.
macro_rules! by_hand {
    () => {
        "By hand nothing is written and the network is not used, except by `fetch`, `fit`, `lock`, `smoke`,
`doctor` and with `--fetch`; `--deep` leaves stamps, unless `--no-stamps` is given, `init --write` edits
Compose files, and `-o` writes its report."
    };
}

/// What a run does that is asked for nothing in particular.
const OVERVIEW: &str =
    concat!("Without a subcommand: load, plan, validate, inspect, report.\n", by_hand!());

const EXAMPLES: &str = "\
  preflight                                   judge the project in this folder
  preflight fetch --lane coder                bring what one lane lacks
  preflight fit --gpus 2x24GB                 whether the stack fits on two cards of 24 GB
  preflight -o report.xml -o preflight.sarif  reports for CI beside the one on the screen
  preflight explain mount-source-missing      what a check means, and the fix
";

/// What of the exit codes a person may want to have at hand.
const EXIT_CODES: &str = "\
Exit codes: 0 ready, 2 usage, 3 could not judge, 10 files missing, 11 files corrupt, 12 access,
13 network, 14 disk, 16 mount or permission, 17 lane configuration, 21 memory;
`preflight explain 16` says more about one.";

/// Proves that every model of a Docker Compose inference stack will load, before any engine starts.
#[derive(Debug, Parser)]
#[command(name = "preflight", version = VERSION, max_term_width = 100)]
#[command(after_help = format!("{OVERVIEW}\n\nExamples:\n{EXAMPLES}\n{EXIT_CODES}"))]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    flags: Flags,
    #[arg(skip)]
    variables: Variables,
}

/// Where to look.
#[derive(Debug, Clone, Args)]
struct Place {
    /// A Compose file, a project folder, a model file or a folder of models
    path: Option<PathBuf>,
}

/// What to do with a project.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show which lanes the project has, and where their files are and come from
    Plan(Place),
    /// Print the project as Docker Compose resolves it
    Config(Config),
    /// Fetch what is missing, then validate; or bring sources of the hub into folders
    Fetch(Fetch),
    /// Validate the files that are there
    Verify(Place),
    /// Show what every lane takes of each GPU and of the host's memory, and whether it fits
    Fit(Place),
    /// Judge the containers of the project as well
    Inspect(Place),
    /// Ask the running engines whether they answer
    Smoke(Place),
    /// Pin commit, size and hash of every file in `preflight.lock`
    Lock(Lock),
    /// Let every service that serves a model wait for preflight: an edit of the Compose file, shown first
    Init(Init),
    /// Look at the machine: project, Docker, GPU runtime, token, hub, models folder, in one screen
    Doctor(Place),
    /// Judge what an engine's command line opens, and become that engine if it is ready
    Exec(Exec),
    /// Copy this program into a folder, for containers whose image does not have it
    Install {
        /// The folder, for example a volume that the containers share
        folder: PathBuf,
    },
    /// Say what a check or an exit code means, or list all checks
    Explain {
        /// The id of a check, for example `file-truncated`, or an exit code
        check: Option<String>,
    },
    /// Print the manual page
    Man,
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// What `config` prints.
#[derive(Debug, Clone, Args)]
struct Config {
    #[command(flatten)]
    place: Place,
    /// Only the names of the services, those that others wait for first
    #[arg(long)]
    services: bool,
    /// Only the names of the volumes that services use
    #[arg(long, conflicts_with = "services")]
    volumes: bool,
}

/// What `fetch` brings.
#[derive(Debug, Clone, Args)]
struct Fetch {
    /// A Compose file, a project folder, a model file or a folder of models; or pairs of a source of
    /// the hub, `hf://owner/repo[@revision][/file-or-pattern]`, and the folder that it is brought into
    #[arg(value_name = "PATH | SRC DEST")]
    words: Vec<PathBuf>,
    /// Move what is not pinned to the newest commit
    #[arg(long)]
    update: bool,
    /// Ask the sources and the disk, say what would be fetched, and fetch nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `lock` pins.
#[derive(Debug, Clone, Args)]
struct Lock {
    #[command(flatten)]
    place: Place,
    /// Move what is pinned already to the newest commit as well
    #[arg(long)]
    update: bool,
    /// Only say whether `preflight.lock` is there and pins what the lanes open: for CI. Nothing is
    /// written and nobody asked; exits with 17 if it does not
    #[arg(long, conflicts_with = "update")]
    check: bool,
}

/// What `exec` becomes.
#[derive(Debug, Clone, Args)]
struct Exec {
    /// The engine's own command line: `-- vllm serve /models/x`
    #[arg(last = true, required = true, num_args = 1.., value_name = "ENGINE WORDS")]
    words: Vec<OsString>,
}

/// What `init` does.
#[derive(Debug, Clone, Args)]
struct Init {
    #[command(flatten)]
    place: Place,
    /// Make the changes that are shown otherwise
    #[arg(long)]
    write: bool,
    /// Only say whether there is something to change: for CI. Exits with 17 if there is
    #[arg(long, conflicts_with = "write")]
    check: bool,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Request {
    /// A run.
    Run(Box<Options>),
    /// The documentation of one check or exit code, or the list.
    Explain {
        /// As typed; absent: the list.
        what: Option<String>,
        /// What it is laid out for; absent: no terminal.
        screen: Option<Screen>,
    },
    /// A copy of this program in a folder.
    Install(PathBuf),
    /// A text for standard output, ready to print.
    Print(String),
}

/// What is logged on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `PREFLIGHT_LOG` if it is set, else by the number of `-v`.
    pub filter: String,
    /// How.
    pub format: LogFormat,
    /// What a person who reads it can be shown.
    pub charset: Charset,
}

impl Cli {
    /// Parses the process's command line; prints help and ends the process where clap does.
    #[must_use]
    pub fn from_command_line() -> Self {
        let words = words::as_meant(std::env::args_os().collect(), Self::command);
        Self::parsed(words).unwrap_or_else(|error| error.exit())
    }

    /// Parses the words of a command line, the name of the program before them.
    fn parsed(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let command = Self::command().mut_args(|argument| {
            let argument = argument.hide_env_values(true);
            // Compose passes on as empty what `.env` sets to nothing.
            let variable = argument.get_env().and_then(|name| name.to_str());
            match variable.is_some_and(environment::is_empty) {
                true => argument.env(None::<&str>),
                false => argument,
            }
        });
        let matches = command.clone().try_get_matches_from(words);
        let matches = matches.map_err(|error| variables::named(error, &command))?;
        let set = variables::set(&command, &matches);
        Ok(Self { variables: set, ..Self::from_arg_matches(&matches)? })
    }

    /// What to log.
    #[must_use]
    pub fn log(&self) -> Log {
        let filter = environment::log_filter().unwrap_or_else(|| {
            let level = match self.flags.verbose {
                0 => "warn",
                1 => "info",
                _ => "debug",
            };
            format!("off,preflight={level}")
        });
        Log { filter, format: self.flags.log_format(), charset: terminal::charset() }
    }

    /// How a program is told why [`Cli::request`] is refused, and in which role.
    #[must_use]
    pub fn of_failure(&self) -> (ReportOptions, Role) {
        let is_exec = matches!(self.command, Some(Command::Exec(_)));
        let role = if is_exec { Role::Exec } else { self.flags.role() };
        (self.flags.of_failure(role), role)
    }

    /// The flags that variables of the environment set.
    #[must_use]
    pub fn variables(&self) -> Variables {
        self.variables.clone()
    }

    /// What was asked, made valid against this process's environment.
    ///
    /// # Errors
    /// A path that is not there, flags that contradict each other, a token that cannot be sent.
    pub fn request(self) -> Result<Request, OptionsError> {
        let config = match &self.command {
            Some(Command::Config(config)) => config.part(),
            Some(_) | None => ConfigPart::Whole,
        };
        let (update, dry_run) = match &self.command {
            Some(Command::Fetch(fetch)) => (fetch.update, fetch.dry_run),
            Some(Command::Lock(lock)) => (lock.update, false),
            Some(_) | None => (false, false),
        };
        let init = match &self.command {
            Some(Command::Init(init)) => init.mode(),
            Some(_) | None => InitMode::default(),
        };
        let check_lock = matches!(&self.command, Some(Command::Lock(Lock { check: true, .. })));
        let (task, place) = match self.command {
            None => (Task::Check, None),
            Some(Command::Fetch(fetch)) if deliveries::are_meant(&fetch.words) => {
                if let Some(path) = self.place.path {
                    return Err(OptionsError::TwoPaths { path });
                }
                let environment = Environment::of_this_process()?;
                let about = About::Pairs(&fetch.words);
                let options = self.flags.options(Task::Fetch, about, environment)?;
                let files = FileOptions { update, dry_run, ..options.files.clone() };
                return Ok(Request::Run(Box::new(Options { files, ..options })));
            }
            Some(Command::Plan(place)) => (Task::Plan, Some(place)),
            Some(Command::Config(config)) => (Task::Config, Some(config.place)),
            Some(Command::Fetch(fetch)) => {
                (Task::Fetch, Some(Place { path: deliveries::only_path(fetch.words)? }))
            }
            Some(Command::Verify(place)) => (Task::Verify, Some(place)),
            Some(Command::Fit(place)) => (Task::Fit, Some(place)),
            Some(Command::Inspect(place)) => (Task::Inspect, Some(place)),
            Some(Command::Smoke(place)) => (Task::Smoke, Some(place)),
            Some(Command::Lock(lock)) => (Task::Lock, Some(lock.place)),
            Some(Command::Init(init)) => (Task::Init, Some(init.place)),
            Some(Command::Doctor(place)) => (Task::Doctor, Some(place)),
            Some(Command::Exec(Exec { words })) => {
                let environment = Environment::of_this_process()?;
                let options = self.flags.options(Task::Exec, About::Words(words), environment)?;
                return Ok(Request::Run(Box::new(options)));
            }
            Some(Command::Install { folder }) => return Ok(Request::Install(folder)),
            Some(Command::Explain { check }) => {
                let screen = terminal::screen(self.flags.has_color(self.flags.role()));
                return Ok(Request::Explain { what: check, screen });
            }
            Some(Command::Man) => return Ok(Request::Print(manual::page(&Self::command()))),
            Some(Command::Completions { shell }) => {
                return Ok(Request::Print(completion::script(shell, &Self::command())));
            }
        };
        let path = match (self.place.path, place.and_then(|place| place.path)) {
            (Some(path), Some(_)) => return Err(OptionsError::TwoPaths { path }),
            (before, behind) => before.or(behind),
        };
        let environment = Environment::of_this_process()?;
        let options = self.flags.options(task, About::Path(path.as_deref()), environment)?;
        let files = FileOptions { update, dry_run, check_lock, ..options.files.clone() };
        Ok(Request::Run(Box::new(Options { config, init, files, ..options })))
    }
}

/// The signals that stay ignored, a bit for each (proc_pid_status(5)): those that this process was started
/// to ignore, where it is to become another one, which is to find them so.
#[must_use]
pub fn kept_signals() -> u64 {
    let mut own = std::env::args_os().skip(1).take_while(|word| word != "--");
    if !own.any(|word| word == "exec") {
        return 0;
    }
    let status = regular_file::text(Path::new("/proc/self/status"), LONGEST_OF_KERNEL);
    let status = status.unwrap_or_default();
    let said = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    said.and_then(|said| u64::from_str_radix(said.trim(), 16).ok()).unwrap_or(0)
}

impl Config {
    fn part(&self) -> ConfigPart {
        match (self.services, self.volumes) {
            (true, _) => ConfigPart::Services,
            (false, true) => ConfigPart::Volumes,
            (false, false) => ConfigPart::Whole,
        }
    }
}

impl Init {
    fn mode(&self) -> InitMode {
        match (self.write, self.check) {
            (true, _) => InitMode::Write,
            (false, true) => InitMode::Check,
            (false, false) => InitMode::Show,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let command = Cli::command();
        let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, crate::options::COMMANDS);
    }
}

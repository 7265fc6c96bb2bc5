//! What `preflight doctor` prints: a line for each thing, and what to do where it is not well.

use std::error::Error as _;

use serde_json::json;

use super::text::Cleaner;
use crate::amount::size;
use crate::exit_code::ExitCode;
use crate::facts::doctor::{Checkup, DockerSeen, FolderSeen, ModelsRoot, ProjectSeen};
use crate::facts::hub::{HubError, Welcome};
use crate::project::docker::DockerError;

/// Columns of the widest subject.
const SUBJECT: usize = "preflight".len();

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    /// Worth knowing; nothing has to be done.
    Note,
    /// What a run that needs it would exit with.
    Ill(ExitCode),
}

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Row {
    subject: &'static str,
    state: State,
    said: String,
    fix: Option<String>,
}

impl Row {
    fn new(subject: &'static str, state: State, said: impl Into<String>) -> Self {
        Self { subject, state, said: said.into(), fix: None }
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Note => "note",
            Self::Ill(_) => "error",
        }
    }
}

/// What is said of everything, in the order in which a stack needs it.
pub(super) fn rows(checkup: &Checkup) -> Vec<Row> {
    let mut rows = vec![
        Row::new("preflight", State::Well, env!("PREFLIGHT_VERSION")),
        project(&checkup.project),
        docker(&checkup.docker),
    ];
    rows.extend(checkup.docker.as_ref().ok().map(gpu));
    rows.push(token(checkup));
    rows.push(hub(checkup));
    rows.push(models(&checkup.models));
    rows
}

/// What the process exits with: the worst of them.
pub(super) fn exit(rows: &[Row]) -> ExitCode {
    let ill = |row: &Row| match row.state {
        State::Ill(exit) => Some(exit),
        State::Well | State::Note => None,
    };
    ExitCode::worst(&rows.iter().filter_map(ill).collect::<Vec<_>>())
}

/// What a run ends with on standard error.
pub(super) fn verdict(rows: &[Row]) -> String {
    let exit = exit(rows);
    if exit == ExitCode::Ready {
        return "preflight: all is well\n".to_owned();
    }
    format!("preflight: not all is well: exit {}, {}\n", exit.code(), exit.meaning())
}

/// For a person, with a line break at its end.
pub(super) fn human(rows: &[Row], cleaner: Cleaner<'_>) -> String {
    let line = |row: &Row| {
        let Row { subject, state, said, fix } = row;
        let fix =
            fix.as_ref().map(|fix| format!("\n{:SUBJECT$}         fix: {}", "", cleaner.line(fix)));
        let (state, said) = (state.name(), cleaner.line(said));
        format!("{subject:SUBJECT$}  {state:5}  {said}{}\n", fix.unwrap_or_default())
    };
    rows.iter().map(line).collect()
}

/// For a program, with a line break at its end.
pub(super) fn json(rows: &[Row], cleaner: Cleaner<'_>) -> String {
    let row = |row: &Row| {
        let mut told = json!({
            "subject": row.subject, "state": row.state.name(), "message": cleaner.line(&row.said),
        });
        if let Some(fix) = &row.fix {
            told["fix"] = cleaner.line(fix).into();
        }
        if let State::Ill(exit) = row.state {
            told["exit_code"] = exit.code().into();
        }
        told
    };
    let told = json!({
        "exit_code": exit(rows).code(),
        "subjects": rows.iter().map(row).collect::<Vec<_>>(),
    });
    format!("{told:#}\n")
}

fn project(seen: &ProjectSeen) -> Row {
    match seen {
        ProjectSeen::None => {
            Row::new("project", State::Note, "there is no Compose file here or above")
        }
        ProjectSeen::Refused(error) => {
            let row = Row::new("project", State::Ill(ExitCode::Usage), error.to_string());
            match error.hint() {
                Some(hint) => row.fix(hint),
                None => row,
            }
        }
        ProjectSeen::Loaded { name, dialect, services, files } => {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            let count = if *services == 1 {
                "1 service".to_owned()
            } else {
                format!("{services} services")
            };
            let count = dialect.told(&count);
            let said = format!("`{name}`, {count}: {}", files.join(", "));
            Row::new("project", State::Well, said)
        }
    }
}

fn docker(seen: &Result<DockerSeen, DockerError>) -> Row {
    match seen {
        Ok(DockerSeen { version, api, .. }) => {
            Row::new("docker", State::Well, format!("Docker Engine {version}, API {api}"))
        }
        Err(DockerError::Disabled) => {
            Row::new("docker", State::Note, "it is not asked: `--no-docker`")
        }
        Err(error) => {
            let row = Row::new("docker", State::Ill(ExitCode::Unjudged), error.to_string());
            match error.hint() {
                Some(hint) => row.fix(hint),
                None => row,
            }
        }
    }
}

/// What Docker can give a container of a GPU.
fn gpu(docker: &DockerSeen) -> Row {
    let runtimes = docker.facts.runtimes.as_deref().unwrap_or_default();
    let devices = docker.facts.cdi_devices.as_deref().unwrap_or_default();
    let mut said: Vec<String> = Vec::new();
    if runtimes.iter().any(|runtime| runtime == "nvidia") {
        said.push("the runtime `nvidia`".to_owned());
    }
    said.extend(devices.iter().map(|device| format!("the device `{device}`")));
    if !said.is_empty() {
        return Row::new("gpu", State::Well, format!("Docker has {}", said.join(", ")));
    }
    let runtimes =
        if runtimes.is_empty() { "none that it names".to_owned() } else { runtimes.join(", ") };
    let said = format!("Docker has no runtime for GPUs (its runtimes: {runtimes})");
    Row::new("gpu", State::Note, said)
        .fix("where a service needs one: install the NVIDIA Container Toolkit")
}

fn token(checkup: &Checkup) -> Row {
    let endpoint = &checkup.endpoint;
    match (&checkup.token_from, &checkup.hub) {
        (None, _) => Row::new(
            "token",
            State::Note,
            "there is none: gated and private models cannot be fetched",
        )
        .fix("`hf auth login`, or set `HF_TOKEN`"),
        (Some(origin), Ok(Welcome::Rejected)) => {
            let said = format!("that of {origin} is not taken by {endpoint}");
            Row::new("token", State::Ill(ExitCode::Access), said)
                .fix("make a new one at the hub: it is expired, deleted or cut off")
        }
        (Some(origin), Ok(Welcome::Accepted)) => {
            Row::new("token", State::Well, format!("from {origin}, and {endpoint} takes it"))
        }
        (Some(origin), Ok(Welcome::Anonymous)) => {
            let said =
                format!("that of {origin} is not sent to {endpoint}: the project may name it");
            Row::new("token", State::Note, said).fix("`preflight explain token-withheld` says why")
        }
        (Some(origin), _) => {
            Row::new("token", State::Well, format!("from {origin}, for {endpoint} and no other"))
        }
    }
}

fn hub(checkup: &Checkup) -> Row {
    let endpoint = &checkup.endpoint;
    match &checkup.hub {
        Ok(Welcome::Unclear(status)) if *status >= 500 => {
            let said = format!("{endpoint} answers with status {status}");
            Row::new("hub", State::Ill(ExitCode::Network), said).fix("ask it again later")
        }
        Ok(_) => Row::new("hub", State::Well, format!("{endpoint} answers")),
        Err(HubError::Offline) => {
            Row::new("hub", State::Note, format!("{endpoint} is not asked: preflight is offline"))
        }
        Err(error) => {
            let mut said = error.to_string();
            if let Some(cause) = error.source() {
                said.push_str(&format!(": {cause}"));
            }
            Row::new("hub", State::Ill(ExitCode::Network), said)
                .fix("`HF_ENDPOINT` names another hub, `HTTPS_PROXY` a proxy, `SSL_CERT_FILE` certificates")
        }
    }
}

fn models(root: &ModelsRoot) -> Row {
    let path = &root.path;
    let Some(FolderSeen { exists, writable, free }) = root.seen else {
        return Row::new("models", State::Note, format!("{path} cannot be seen from here"));
    };
    let free = free.map(|free| format!(", {} free", size(free))).unwrap_or_default();
    if !exists {
        let said = format!("{path} is not there{free}");
        let fix = format!(
            "if the stack keeps models in a folder: `mkdir -p {path}`, or name it with `MODELS_PATH`"
        );
        return Row::new("models", State::Note, said).fix(fix);
    }
    let writable = if writable { "writable" } else { "not writable for this user" };
    Row::new("models", State::Well, format!("{path}, {writable}{free}"))
}

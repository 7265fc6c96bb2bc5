//! The manual page, as roff(7) for man(7): the options out of the definitions of the command line, the
//! rest as it is said elsewhere. `mandoc -Tlint` has nothing to say about it.

use clap::Command;
use clap_mangen::Man;

use super::{EXAMPLES, OVERVIEW};
use crate::exit_code::ExitCode;

/// When the words of this page were last changed.
const DATE: &str = "2026-11-29";

/// The longest line of the source.
const LONGEST_LINE: usize = 80;

/// An apostrophe that every formatter has; the options are written with it.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

const SYNOPSIS: &str = "\
\\fBpreflight\\fR [\\fIOPTIONS\\fR] [\\fICOMMAND\\fR] [\\fIPATH\\fR]
.br
\\fBpreflight fetch\\fR [\\fIOPTIONS\\fR] \\fISRC\\fR \\fIDEST\\fR [\\fISRC DEST\\fR ...]
.br
\\fBpreflight exec\\fR [\\fIOPTIONS\\fR] \\fB\\-\\-\\fR \\fIENGINE\\fR [\\fIWORDS\\fR]
.br
\\fBpreflight install\\fR \\fIFOLDER\\fR
.br
\\fBpreflight explain\\fR [\\fICHECK\\fR | \\fIEXIT\\fR]
.br
\\fBpreflight completions\\fR \\fISHELL\\fR
";

/// Variables beside those of the flags.
const VARIABLES: &[(&str, &str)] = &[
    ("MODELS_PATH, ARGOS_MODELS_DIR", "The models root on the host."),
    ("HF_TOKEN, HF_TOKEN_PATH", "The token of the hub, or the file that it is in."),
    ("HF_HOME, HF_HUB_CACHE", "Where the hub's own clients keep what they bring."),
    ("HF_ENDPOINT, HF_HUB_OFFLINE", "Another hub; no hub."),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "As elsewhere."),
    ("SSL_CERT_FILE", "The certificates that are believed, in place of the machine's."),
    (
        "STORAGE_ALLOW_PATTERNS, STORAGE_IGNORE_PATTERNS",
        "What fetch SRC DEST brings of a repository, as for KServe's storage initializer.",
    ),
    (
        "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH",
        "As for docker(1).",
    ),
    ("COMPOSE_FILE, COMPOSE_PROJECT_NAME, COMPOSE_PROFILES", "As for docker compose."),
    (
        "PREFLIGHT_POD, PREFLIGHT_TERMINATION_LOG",
        "In a Pod: which of the manifest's it is; where the verdict is left, in place of /dev/termination-log.",
    ),
    ("COLUMNS", "The width of reports and pages, in place of the terminal's."),
    ("NO_COLOR", "No colours, unless --color asks for them."),
    ("PREFLIGHT_LOG", "A filter of the log: off,preflight=debug."),
    (
        "GITHUB_WORKSPACE, GITHUB_STEP_SUMMARY",
        "The root that files are named from; where --format github appends its summary.",
    ),
];

const FILES: &[(&str, &str)] = &[
    ("compose.yaml, compose.override.yaml, .env", "The project, as docker compose finds it."),
    ("preflight.lock", "Commit, size and hash of every file, written by preflight lock."),
    ("/run/secrets/hf_token, ~/.cache/huggingface/token", "The token of the hub."),
    (
        ".NAME.ID.incomplete",
        "A file that is being fetched, beside its place; the next fetch goes on from there.",
    ),
    (
        ".cache/huggingface/",
        "In the folder of a lane: stamps of files that were hashed, so that none is hashed twice.",
    ),
    ("/var/run/docker.sock", "The Docker Engine, where nothing else is said."),
];

/// The page.
pub(super) fn page(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(".TH PREFLIGHT 1 {DATE} \"preflight {version}\"\n{APOSTROPHE}");
    page.push_str(&section(
        "NAME",
        "preflight \\- show that a stack's models load before its engines start\n",
    ));
    page.push_str(&section("SYNOPSIS", SYNOPSIS));
    page.push_str(&section("DESCRIPTION", &paragraphs(&[&format!("{about}."), OVERVIEW])));
    page.push_str(&options(command));
    let commands = command.get_subcommands().map(|it| {
        (it.get_name().to_owned(), it.get_about().map(ToString::to_string).unwrap_or_default())
    });
    page.push_str(&section("COMMANDS", &entries(commands)));
    page.push_str(&section("EXIT STATUS", &exit_status()));
    let own = "Every option has a variable: --lane is PREFLIGHT_LANE, --max-workers is \
               PREFLIGHT_MAX_WORKERS. One that may be repeated takes a list with commas. What is set to \
               nothing is not set. Beside these:";
    page.push_str(&section("ENVIRONMENT", &(paragraphs(&[own]) + &entries(pairs(VARIABLES)))));
    page.push_str(&section("FILES", &entries(pairs(FILES))));
    page.push_str(&section("EXAMPLES", &format!(".nf\n{}.fi\n", escaped(EXAMPLES))));
    page.push_str(&section("SEE ALSO", ".BR docker (1)\n"));
    page
}

fn exit_status() -> String {
    let codes = ExitCode::ALL.iter();
    let codes = codes.map(|code| (code.code().to_string(), format!("{}.", code.meaning())));
    let last = "Of several causes the worst is named. preflight explain EXIT says more about one, and \
                which checks lead to it.";
    format!("{}.PP\n{}", entries(codes), paragraphs(&[last]))
}

/// The options by their headings, as `clap_mangen` writes them, without what a formatter need not be
/// told and in lines of a length that is usual.
fn options(command: &Command) -> String {
    let mut written = Vec::new();
    // A vector takes whatever is written.
    drop(Man::new(command.clone()).render_options_section(&mut written));
    let written = String::from_utf8_lossy(&written).into_owned();
    let lines: Vec<&str> = written.lines().map(str::trim_end).collect();
    let is_blank = |index: Option<usize>| {
        index.and_then(|index| lines.get(index)).is_none_or(|line| line.is_empty())
    };
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let is_doubled =
            *line == ".br" && (is_blank(index.checked_sub(1)) || is_blank(Some(index + 1)));
        if line.is_empty() {
            out.push_str(".sp\n");
        } else if line.starts_with('.') && !is_doubled {
            out.push_str(&format!("{line}\n"));
        } else if !is_doubled {
            out.push_str(&wrapped(line));
        }
    }
    out
}

fn section(heading: &str, body: &str) -> String {
    format!(".SH {heading}\n{body}")
}

fn paragraphs(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| wrapped(&escaped(text))).collect();
    texts.join(".PP\n")
}

/// Names with what is said about each.
fn entries(entries: impl Iterator<Item = (String, String)>) -> String {
    let entry = |(name, text): (String, String)| {
        format!(".TP\n\\fB{}\\fR\n{}", escaped(&name), wrapped(&escaped(&text)))
    };
    entries.map(entry).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

/// `text` in lines that are not too long, none of which is a request.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        if length > 0 && length + 1 + word.len() > LONGEST_LINE {
            out.push('\n');
            length = 0;
        }
        if length > 0 {
            out.push(' ');
        } else if word.starts_with(['.', '\'']) {
            out.push_str("\\&");
        }
        out.push_str(word);
        length += 1 + word.len();
    }
    out.push('\n');
    out
}

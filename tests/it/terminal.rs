//! What a person sees: the real binary on a terminal of 60, 80 and 120 columns, whole.

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::hub_stack::{folder, hub, stack};
use crate::sandbox::Sandbox;

const WIDTHS: [u16; 3] = [60, 80, 120];

/// A run whose streams are one terminal.
pub(crate) struct Session {
    child: Child,
    screen: File,
    shown: String,
}

impl Session {
    pub(crate) fn start(mut command: Command, columns: u16) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let terminal = fs_err::OpenOptions::new().read(true).write(true).open(name).unwrap();
        let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).unwrap();
        let streams = [0, 1, 2].map(|_| terminal.file().try_clone().unwrap());
        let [stdin, stdout, stderr] = streams;
        let child = command
            .env("TERM", "xterm")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self { child, screen: File::from(screen), shown: String::new() }
    }

    /// Reads until the screen shows `words`; false: the run ended before.
    fn read_until(&mut self, words: &str) -> bool {
        let mut piece = [0; 4096];
        while !self.shown.contains(words) {
            // The last process that has the terminal open is gone: EIO.
            let Ok(length @ 1..) = self.screen.read(&mut piece) else { return false };
            self.shown.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
        true
    }

    /// The exit code, and all that was shown.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        assert!(!self.read_until("\0"));
        (self.child.wait().unwrap().code(), self.shown.replace("\r\n", "\n"))
    }
}

/// What is shown of a run, and its exit code in the last line.
fn shown(sandbox: &Sandbox, arguments: &[&str], columns: u16) -> String {
    let (code, shown) = Session::start(sandbox.command(arguments), columns).end();
    let folder = sandbox.path().display().to_string();
    format!("{}exit {}\n", shown.replace(&folder, "[FOLDER]"), code.unwrap())
}

/// A lane with a file cut short, one whose folder is mistyped, and one that is not required.
fn troubled() -> Sandbox {
    let sandbox = Sandbox::quickstart();
    let compose = sandbox.path().join("compose.yaml");
    let text = fs_err::read_to_string(&compose).unwrap();
    let more = "  an-inference-service-with-a-long-name:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
                command: >\n      --host 0.0.0.0 --port 8080\n      -m /models/gguf/tinny-Q4_K_M.gguf \
                --ctx-size 4096 --n-gpu-layers 99 --parallel 4 --threads 8\n    \
                volumes: [./models:/models:ro]\n";
    let (before, services) = text.split_once("services:\n").unwrap();
    fs_err::write(&compose, format!("{before}services:\n{more}{services}")).unwrap();
    let model = sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf");
    let file = fs_err::OpenOptions::new().write(true).open(&model).unwrap();
    file.set_len(fs_err::metadata(&model).unwrap().len() - 1).unwrap();
    sandbox
}

#[test]
fn a_report_on_a_terminal() {
    let sandbox = troubled();
    for columns in WIDTHS {
        let told = shown(&sandbox, &["--color", "never"], columns);
        insta::assert_snapshot!(format!("terminal-report-{columns}"), told);
    }
}

#[test]
fn a_table_fits_its_terminal() {
    let sandbox = troubled();
    for columns in WIDTHS {
        let told = shown(&sandbox, &["--color", "never"], columns);
        let table = told.lines().skip_while(|line| !line.starts_with("LANE"));
        let table: Vec<_> = table.take_while(|line| !line.is_empty()).collect();
        assert_eq!(table.len(), 4, "{told}");
        assert!(table.iter().all(|line| line.chars().count() <= columns.into()), "{told}");
        assert!(table[1..].iter().any(|line| line.ends_with("not ready")), "{told}");
    }
}

#[test]
fn columns_that_are_set_are_the_width_of_what_is_no_terminal() {
    let sandbox = troubled();
    let told = |columns: &str| {
        let sandbox = troubled().variable("COLUMNS", columns);
        sandbox.run(&["--color", "never"]).stdout
    };
    let on_terminal = shown(&sandbox, &["--color", "never"], 60);
    let table = |text: &str| text[text.find("LANE").unwrap()..].lines().next().unwrap().to_owned();
    assert_eq!(table(&told("60")), table(&on_terminal));
    assert_eq!(table(&told("none")), table(&told("100")));
}

#[test]
fn an_explanation_on_a_terminal() {
    let sandbox = Sandbox::new();
    for columns in WIDTHS {
        for (name, arguments) in
            [("check", &["explain", "file-truncated"][..]), ("exit-code", &["explain", "14"])]
        {
            let told = shown(&sandbox, &[arguments, &["--color", "never"]].concat(), columns);
            insta::assert_snapshot!(format!("terminal-explain-{name}-{columns}"), told);
            let is_text = |line: &&str| !line.starts_with("      ");
            let too_long =
                told.lines().filter(is_text).find(|it| it.chars().count() > columns.into());
            assert_eq!(too_long, None);
        }
    }
}

#[test]
fn an_explanation_has_colours_on_a_terminal_alone_and_not_against_somebody_s_will() {
    let sandbox = Sandbox::new();
    let colored =
        |sandbox: &Sandbox| shown(sandbox, &["explain", "no-lane"], 80).contains('\u{1b}');
    assert!(colored(&sandbox));
    assert!(!colored(&Sandbox::new().variable("NO_COLOR", "1")));
    assert!(!sandbox.run(&["explain", "no-lane"]).stdout.contains('\u{1b}'));
}

#[test]
fn the_list_of_checks_fits_a_terminal() {
    for columns in WIDTHS {
        let told = shown(&Sandbox::new(), &["explain", "--color", "never"], columns);
        let longest = told.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(columns.into()), "{told}");
        assert!(told.contains("\n\nMOUNT OR PERMISSION (EXIT 16)\n  "), "{told}");
    }
}

#[test]
fn a_fetch_that_is_interrupted_says_what_is_kept_and_its_bars_fit() {
    let (folder, hub_of) = (folder(), |stall: &str| hub(&[stall]));
    let (largest, content) = folder.iter().max_by_key(|(_, content)| content.len()).unwrap();
    for columns in WIDTHS {
        let hub = hub_of(&format!("stall={}:acme/tiny/{largest}", content.len() / 2));
        let sandbox = stack(&hub);
        let arguments = [
            "fetch",
            "--lane",
            "coder",
            "--max-workers",
            "1",
            "--silence",
            "20s",
            "--color",
            "never",
        ];
        let mut session = Session::start(sandbox.command(&arguments), columns);
        assert!(session.read_until(" % of "), "{}", session.shown);
        hub.wait_until_stalled(1);
        assert!(session.read_until(" left"), "{}", session.shown);
        kill_process(Pid::from_child(&session.child), Signal::INT).unwrap();
        let (code, shown) = session.end();
        assert_eq!(code, Some(130), "{shown}");
        let files = folder.len();
        let kept = format!("coder: interrupted: {} of {files} files done, ", files - 1);
        assert!(shown.contains(&kept), "{shown}");
        let last = " kept; run the same again to go on\npreflight: error: stopped by SIGINT\n";
        assert!(shown.contains(last), "{shown}");
        // Every picture begins with a move of the cursor or a line break.
        let bars = shown.split("coder: interrupted").next().unwrap();
        let pictures = bars.split(['\r', '\n', '\u{1b}']).filter(|it| it.contains(" % of "));
        for picture in pictures {
            assert!(
                picture.trim_start_matches("[2K").chars().count() <= columns.into(),
                "{picture}"
            );
        }
    }
}

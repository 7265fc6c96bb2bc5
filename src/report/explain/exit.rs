//! What an exit code means, and which checks lead to it.

use super::summary;
use crate::exit_code::ExitCode;
use crate::findings::check;

/// The exit code of that number.
pub(super) fn of(number: &str) -> Option<ExitCode> {
    let number: u8 = number.parse().ok()?;
    ExitCode::ALL.into_iter().find(|code| code.code() == number)
}

/// Markdown, with a line break at its end.
pub(super) fn page(code: ExitCode) -> String {
    let mut page = format!("exit {}: {}\n\n{}\n", code.code(), code.meaning(), about(code));
    let rules: Vec<_> = check::rules().filter(|rule| rule.exit == code).collect();
    if rules.is_empty() {
        return page;
    }
    page.push_str("\n## Checks\n\n");
    for rule in rules {
        page.push_str(&format!("- `{}` ({}): {}.\n", rule.id, rule.severity, summary(rule.docs)));
    }
    page.push_str("\n`preflight explain CHECK` says more about one of them.\n");
    page
}

/// A paragraph: when it comes, and what to do first.
fn about(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Ready => {
            "Every lane that is required is ready. Warnings and notes do not change it."
        }
        ExitCode::Internal => {
            "preflight has a fault, or the system refused it something: the last line \
            of standard error says what. It says nothing about the stack."
        }
        ExitCode::Usage => {
            "The command line makes no sense, or the project cannot be loaded: what runs it \
            would refuse it as well. Nothing was judged."
        }
        ExitCode::Unjudged => {
            "Nobody knows: no lane was found, or the files of a required lane could not \
            be looked at. `--allow-unknown` makes a warning of the latter."
        }
        ExitCode::Incomplete => {
            "Files of a required lane are missing or incomplete. `preflight fetch` \
            brings what has a source."
        }
        ExitCode::Corrupt => {
            "Files of a required lane are there, and the engine would not load them, or \
            would serve something else than is meant."
        }
        ExitCode::Access => {
            "The hub does not give the files to this token, or to nobody without one."
        }
        ExitCode::Network => "The hub could not be reached, or did not answer as a hub does.",
        ExitCode::Disk => "There is not enough room for what has to be fetched. Nothing was begun.",
        ExitCode::Locked => {
            "Another process holds the lock of a file that is to be fetched, and does not \
            move any more."
        }
        ExitCode::Mount => {
            "A service does not see the files that it opens, or may not read them: a mount \
            is missing, leads elsewhere, or has the wrong rights."
        }
        ExitCode::Lane => {
            "A lane is set up in a way that cannot work: flags of its engine, variables, or \
            how services are wired."
        }
        ExitCode::Gpu => "Docker cannot give a service the GPU that it asks for.",
        ExitCode::Memory => "A lane does not fit into the memory that it has.",
        ExitCode::Unhealthy => {
            "A container has ended, starts again and again, or is unhealthy. Only \
            `preflight inspect` and `preflight smoke` exit so."
        }
        ExitCode::Smoke => {
            "A running engine does not answer as it should. Only `preflight smoke` exits so."
        }
        ExitCode::NotRunnable => {
            "The system does not run the program that `preflight exec` was to become: it may not be \
            executed, or is none for this machine. Nothing was started."
        }
        ExitCode::NoProgram => {
            "The program that `preflight exec` was to become is not there, or not in `PATH`. Nothing \
            was started."
        }
        ExitCode::Interrupted => {
            "Ctrl-C, or SIGINT. What has come of files is kept, and the same command \
            goes on from there."
        }
        ExitCode::Terminated => {
            "SIGTERM, as `docker stop` sends it. What has come of files is kept, and \
            the same command goes on from there."
        }
    }
}

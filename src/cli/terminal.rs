//! What can be shown where standard output goes.

use std::io::{self, IsTerminal as _};

use super::environment;
use crate::options::{Charset, Role};
use crate::report::explain::Screen;

/// Characters in a line where nobody says how many fit.
const WIDTH: usize = 100;

/// Narrower or wider lines help nobody.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=160;

/// Whether terminals show colours, where the report of that role may go.
pub(super) fn has_color(role: Role) -> bool {
    let is_dumb = environment::value("TERM").is_some_and(|term| term == "dumb");
    let is_terminal = match role {
        Role::Hand => io::stdout().is_terminal(),
        Role::Init => io::stdout().is_terminal() && io::stderr().is_terminal(),
        Role::Exec => io::stderr().is_terminal(),
    };
    is_terminal && !is_dumb && environment::value("NO_COLOR").is_none()
}

/// Characters in a line of standard output: as `COLUMNS` says, else the terminal.
pub(super) fn width() -> usize {
    let stdout = io::stdout();
    let of_terminal = || {
        let size = rustix::termios::tcgetwinsize(&stdout).ok().filter(|_| stdout.is_terminal());
        size.map(|size| usize::from(size.ws_col))
    };
    let named = environment::value("COLUMNS").and_then(|columns| columns.parse().ok());
    let columns = named.or_else(of_terminal).filter(|columns| *columns > 0);
    columns.unwrap_or(WIDTH).clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// Whether what is written to standard output and to standard error is seen by the same person.
pub(super) fn shows_both_streams() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// What a page is laid out for; absent: whoever reads it is no terminal.
pub(super) fn screen(color: bool) -> Option<Screen> {
    let is_seen = color || io::stdout().is_terminal();
    is_seen.then(|| Screen { width: width(), color })
}

/// Which characters the locale can show; all where none is set, as in a container.
pub(super) fn charset() -> Charset {
    charset_of(["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(environment::value))
}

fn charset_of(locale: Option<String>) -> Charset {
    match locale.map(|locale| locale.to_ascii_lowercase().replace('-', "")) {
        Some(locale) if !locale.contains("utf8") => Charset::Ascii,
        Some(_) | None => Charset::Unicode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(locale: Option<&str>, expected: Charset) {
        assert_eq!(charset_of(locale.map(str::to_owned)), expected, "{locale:?}");
    }

    #[test]
    fn a_locale_without_utf_8_is_shown_ascii() {
        check(None, Charset::Unicode);
        check(Some("C"), Charset::Ascii);
        check(Some("POSIX"), Charset::Ascii);
        check(Some("en_US.ISO-8859-1"), Charset::Ascii);
        check(Some("C.UTF-8"), Charset::Unicode);
        check(Some("de_DE.utf8"), Charset::Unicode);
    }
}

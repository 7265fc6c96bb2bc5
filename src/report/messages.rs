//! What Docker Compose reads on the standard output of a provider: one JSON object a line, and nothing else
//! (docker/compose 2.40.3 pkg/compose/plugins.go).

use std::io::{self, Write};

use serde_json::json;

/// What Compose does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It shows it as the state of the service.
    Info,
    /// It shows it with `--verbose` alone; the first release that has providers ends at it (2.36.0).
    Debug,
    /// It shows it and ends, and the provider with it.
    Error,
}

/// Makes a message of every line that is written.
#[derive(Debug)]
pub struct Messages<W: Write> {
    out: W,
    kind: Kind,
    held: Vec<u8>,
}

/// The line that tells `text`.
#[must_use]
pub fn message(kind: Kind, text: &str) -> String {
    let kind = match kind {
        Kind::Info => "info",
        Kind::Debug => "debug",
        Kind::Error => "error",
    };
    format!("{}\n", json!({"type": kind, "message": text.trim_end()}))
}

impl<W: Write> Messages<W> {
    /// Writes them to `out`.
    pub fn new(out: W, kind: Kind) -> Self {
        Self { out, kind, held: Vec::new() }
    }

    fn say(&mut self, line: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() {
            return Ok(());
        }
        // Compose must not find half of a message.
        self.out.write_all(message(self.kind, &text).as_bytes())
    }
}

impl<W: Write> Write for Messages<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
            let rest = self.held.split_off(end + 1);
            let line = std::mem::replace(&mut self.held, rest);
            self.say(&line)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Drop for Messages<W> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.held);
        // Nobody is left to be told that the last words could not be written.
        drop(self.say(&line).and_then(|()| self.out.flush()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &[&str], expected: &[&str]) {
        let mut out = Vec::new();
        let mut messages = Messages::new(&mut out, Kind::Info);
        written.iter().for_each(|part| messages.write_all(part.as_bytes()).unwrap());
        drop(messages);
        assert_eq!(String::from_utf8(out).unwrap().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_line_is_a_message_however_it_is_written() {
        check(&[], &[]);
        check(&["\n \n"], &[]);
        check(
            &["rea", "der: 5 %\n\ncoder: \"x\"\u{1b}[2J\r\nun", "finished"],
            &[
                r#"{"type":"info","message":"reader: 5 %"}"#,
                r#"{"type":"info","message":"coder: \"x\"\u001b[2J"}"#,
                r#"{"type":"info","message":"unfinished"}"#,
            ],
        );
    }

    #[test]
    fn a_text_of_several_lines_is_one_message_without_a_line_break_at_its_end() {
        let expected = "{\"type\":\"error\",\"message\":\"not ready\\n  because\"}\n";
        assert_eq!(message(Kind::Error, "not ready\n  because\n"), expected);
    }
}

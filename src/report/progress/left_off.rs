//! What a run that is stopped leaves behind, said before its last words.

use std::io::Write;

use super::board::{Board, Lane, Work};
use crate::amount::{count, size};

/// A board that says how far every fetch came, unless the work has ended by itself.
#[derive(Debug)]
pub(super) struct LeftOff<W: Write> {
    pub(super) board: Board,
    pub(super) out: W,
    has_ended: bool,
}

impl<W: Write> LeftOff<W> {
    /// Nothing has begun; what is left is told to `out`.
    pub(super) fn new(out: W) -> Self {
        Self { board: Board::default(), out, has_ended: false }
    }

    /// The work has ended, and its outcome is told elsewhere.
    pub(super) fn ended(&mut self) {
        self.has_ended = true;
        drop(self.out.flush());
    }
}

impl<W: Write> Drop for LeftOff<W> {
    fn drop(&mut self) {
        let lanes = self.board.lanes.iter().filter(|_| !self.has_ended);
        for (name, lane) in lanes.filter(|(_, lane)| lane.work == Work::Fetch && !lane.is_done()) {
            // A reader who went away is not an error.
            drop(writeln!(self.out, "{}", line(name, lane)));
        }
        drop(self.out.flush());
    }
}

fn line(name: &str, lane: &Lane) -> String {
    let (name, files) = (name.escape_debug(), count(lane.files, "file"));
    let (finished, done, bytes) = (lane.finished, size(lane.done), size(lane.bytes));
    format!(
        "{name}: interrupted: {finished} of {files} done, {done} of {bytes} kept; run the same again \
         to go on"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Event;

    fn check(has_ended: bool, expected: &str) {
        let mut out = Vec::new();
        let mut left_off = LeftOff::new(&mut out);
        let lane = || "coder".to_owned();
        for event in [
            Event::Started { lane: lane(), files: 3, bytes: 4 << 30 },
            Event::Received { lane: lane(), bytes: 1 << 30 },
            Event::Finished { lane: lane(), path: "a".to_owned() },
        ] {
            left_off.board.apply(&event);
        }
        if has_ended {
            left_off.ended();
        }
        drop(left_off);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn only_a_run_that_is_stopped_says_what_it_leaves() {
        check(true, "");
        let expected = "coder: interrupted: 1 of 3 files done, 1.0 GiB of 4.0 GiB kept; run the same \
                        again to go on\n";
        check(false, expected);
    }
}

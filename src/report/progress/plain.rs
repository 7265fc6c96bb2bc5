//! A line now and then, for logs and for whoever shows the last one.

use std::io::Write;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval};

use super::board::{Board, Lane, Work};
use super::left_off::LeftOff;
use crate::amount::{clock, size};
use crate::progress::Event;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When there is a line.
pub(super) struct Pace {
    /// For each so many hundredths.
    step: u64,
    /// No sooner than this after the last one about how far a lane is.
    rest: Duration,
    /// No lane is silent for longer.
    longest_silence: Duration,
}

/// Few lines, all of which stay.
pub(super) const FOR_LOGS: Pace =
    Pace { step: 5, rest: Duration::ZERO, longest_silence: Duration::from_secs(10) };

/// Each line in the place of the one before, where there is a terminal.
pub(super) const LIVE: Pace =
    Pace { step: 1, rest: Duration::from_secs(1), longest_silence: Duration::from_secs(3) };

pub(super) async fn render(
    mut events: UnboundedReceiver<Event>,
    out: impl Write + Send,
    pace: &Pace,
) {
    let mut left_off = LeftOff::new(out);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let lines = tokio::select! {
            event = events.recv() => match event {
                Some(event) => lines_after(&mut left_off.board, &event, pace),
                None => break,
            },
            _ = looks.tick() => overdue(&mut left_off.board, pace),
        };
        for line in lines {
            // A reader who went away is not an error.
            drop(writeln!(left_off.out, "{line}"));
        }
    }
    left_off.ended();
}

fn lines_after(board: &mut Board, event: &Event, pace: &Pace) -> Vec<String> {
    let lane = board.apply(event);
    let name = event.lane().escape_debug();
    match event {
        Event::Started { files, bytes, .. } => {
            vec![format!("{name}: fetching {}, {}", count(*files), size(*bytes))]
        }
        Event::Hashing { files, bytes, .. } => {
            vec![format!("{name}: hashing {}, {}", count(*files), size(*bytes))]
        }
        Event::Resumed { bytes, .. } => {
            vec![format!("{name}: {} are here from an earlier run", size(*bytes))]
        }
        Event::Received { .. } | Event::Verified { .. } => {
            let step = lane.percent() / pace.step > lane.percent_told() / pace.step;
            if step && lane.untold() >= pace.rest {
                vec![state(event.lane(), lane)]
            } else {
                Vec::new()
            }
        }
        Event::Again { bytes, reason, .. } => {
            vec![format!("{name}: {} again: {}", size(*bytes), reason.escape_debug())]
        }
        Event::Waiting { path, holder, .. } => {
            vec![format!(
                "{name}: waiting for {}: held by {}",
                path.escape_debug(),
                holder.escape_debug()
            )]
        }
        Event::Finished { .. } if lane.is_done() => {
            let done = match lane.work {
                Work::Fetch => "fetched and verified",
                Work::Hash => "hashed",
            };
            let (files, bytes) = (count(lane.files), size(lane.bytes));
            vec![format!("{name}: {done} {files}, {bytes} in {}", clock(lane.elapsed()))]
        }
        Event::Finished { .. } => Vec::new(),
    }
}

fn overdue(board: &mut Board, pace: &Pace) -> Vec<String> {
    let silent = |lane: &Lane| !lane.is_done() && lane.untold() >= pace.longest_silence;
    let lanes = board.lanes.iter_mut().filter(|(_, lane)| silent(lane));
    lanes.map(|(name, lane)| state(name, lane)).collect()
}

fn state(name: &str, lane: &mut Lane) -> String {
    let rate = size(lane.tell());
    let (percent, done, bytes) = (lane.percent(), size(lane.done), size(lane.bytes));
    let left = lane.remaining().map_or_else(|| "unknown time".to_owned(), clock);
    format!("{}: {percent} % ({done} of {bytes}), {rate}/s, {left} left", name.escape_debug())
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::progress::Progress;

    const MIB: u64 = 1024 * 1024;

    /// What is written while `work` happens.
    async fn check(work: impl AsyncFnOnce(Progress), expected: &[&str]) {
        check_paced(&FOR_LOGS, work, expected).await;
    }

    async fn check_paced(pace: &Pace, work: impl AsyncFnOnce(Progress), expected: &[&str]) {
        let (events, receiver) = unbounded_channel();
        let mut out = Vec::new();
        let progress = Progress::new(events).for_lane("coder");
        tokio::join!(render(receiver, &mut out, pace), work(progress));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_at_every_step_and_at_the_end() {
        let work = async |progress: Progress| {
            progress.started(2, 100 * MIB);
            for bytes in [4 * MIB, MIB, 50 * MIB, 45 * MIB] {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                progress.received(bytes);
            }
            progress.finished("a");
            progress.finished("b");
        };
        let expected = [
            "coder: fetching 2 files, 100.0 MiB",
            "coder: 5 % (5.0 MiB of 100.0 MiB), 1.7 MiB/s, 0:58 left",
            "coder: 55 % (55.0 MiB of 100.0 MiB), 33.3 MiB/s, 0:04 left",
            "coder: 100 % (100.0 MiB of 100.0 MiB), 30.0 MiB/s, 0:00 left",
            "coder: fetched and verified 2 files, 100.0 MiB in 0:06",
        ];
        check(work, &expected).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_lane_is_told_about_every_ten_seconds() {
        let work = async |progress: Progress| {
            progress.started(1, 1000 * MIB);
            progress.received(MIB);
            tokio::time::sleep(Duration::from_millis(20_500)).await;
        };
        let expected = [
            "coder: fetching 1 file, 1000.0 MiB",
            "coder: 0 % (1.0 MiB of 1000.0 MiB), 102.4 KiB/s, 2:46:31 left",
            "coder: 0 % (1.0 MiB of 1000.0 MiB), 0 B/s, 5:33:01 left",
        ];
        check(work, &expected).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_shown_live_is_renewed_at_most_once_a_second_and_every_three_seconds() {
        let work = async |progress: Progress| {
            progress.started(1, 1000 * MIB);
            for bytes in [400 * MIB, 100 * MIB, 100 * MIB] {
                tokio::time::sleep(Duration::from_millis(600)).await;
                progress.received(bytes);
            }
            tokio::time::sleep(Duration::from_secs(4)).await;
            progress.received(400 * MIB);
            progress.finished("a");
        };
        let expected = [
            "coder: fetching 1 file, 1000.0 MiB",
            "coder: 50 % (500.0 MiB of 1000.0 MiB), 416.7 MiB/s, 0:02 left",
            "coder: 60 % (600.0 MiB of 1000.0 MiB), 26.3 MiB/s, 0:04 left",
            "coder: fetched and verified 1 file, 1000.0 MiB in 0:05",
        ];
        check_paced(&LIVE, work, &expected).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_try_is_said_and_does_not_go_back() {
        let work = async |progress: Progress| {
            progress.started(1, MIB);
            progress.received(MIB);
            progress.again(MIB, "`m.gguf` arrived as sha256 00");
            progress.received(MIB);
            progress.finished("m.gguf");
        };
        let expected = [
            "coder: fetching 1 file, 1.0 MiB",
            "coder: 100 % (1.0 MiB of 1.0 MiB), 1000.0 MiB/s, 0:00 left",
            "coder: 1.0 MiB again: `m.gguf` arrived as sha256 00",
            "coder: fetched and verified 1 file, 1.0 MiB in 0:00",
        ];
        check(work, &expected).await;
    }
}

//! A bar for each lane, on a terminal.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::interval;

use super::board::{Board, Lane, Work};
use super::left_off::LeftOff;
use crate::amount::{clock, size};
use crate::progress::Event;
use crate::report::redact::Redactor;
use crate::report::text::{columns, cut_columns};

const REDRAW_EVERY: Duration = Duration::from_millis(500);

/// Columns where the terminal does not say how many it has.
const COLUMNS: usize = 80;

/// The most columns of a lane's name.
const WIDEST_NAME: usize = 20;

/// The fewest and the most columns of a bar, without its brackets.
const BAR: std::ops::RangeInclusive<usize> = 6..=30;

/// The bars of one terminal.
struct Screen<'a> {
    bars: HashMap<String, ProgressBar>,
    all: &'a MultiProgress,
    redactor: &'a Redactor,
}

pub(super) async fn render(
    events: UnboundedReceiver<Event>,
    out: impl Write + Send,
    redactor: &Redactor,
) {
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    draw(events, out, Screen { bars: HashMap::new(), all: &all, redactor }).await;
}

async fn draw(mut events: UnboundedReceiver<Event>, out: impl Write + Send, screen: Screen<'_>) {
    let mut left_off = LeftOff::new(out);
    // Dropped first, so that what is left off stands below the bars.
    let mut screen = screen;
    let mut redraws = interval(REDRAW_EVERY);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => screen.show(&event, &mut left_off.board),
                None => break,
            },
            // The rate of a lane that is silent has to fall.
            _ = redraws.tick() => screen.redraw(&left_off.board),
        }
    }
    screen.redraw(&left_off.board);
    left_off.ended();
}

impl Screen<'_> {
    fn show(&mut self, event: &Event, board: &mut Board) {
        let lane = board.apply(event);
        let is_new = !self.bars.contains_key(event.lane());
        let bar = self.bars.entry(event.lane().to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg}");
            let bar = ProgressBar::new(0);
            self.all
                .add(bar.with_style(style.unwrap_or_else(|_wrong| ProgressStyle::default_bar())))
        });
        if let Event::Again { reason, .. } = event {
            bar.suspend(|| tracing::warn!("{reason}"));
        }
        if let Event::Waiting { path, holder, .. } = event {
            let (path, holder) = (path.escape_debug(), holder.escape_debug());
            bar.suspend(|| tracing::warn!("waiting for {path}: held by {holder}"));
        }
        if is_new || lane.is_done() {
            bar.set_message(line(event.lane(), lane, terminal(), self.redactor));
        }
    }

    fn redraw(&self, board: &Board) {
        for (name, lane) in board.lanes.iter().filter(|(_, lane)| !lane.is_done()) {
            if let Some(bar) = self.bars.get(name) {
                bar.set_message(line(name, lane, terminal(), self.redactor));
            }
        }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.bars.values().for_each(ProgressBar::abandon);
    }
}

/// The columns of the terminal that the bars are on, as it is now.
fn terminal() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|it| *it > 0).unwrap_or(COLUMNS)
}

/// One lane in less than `width` columns: what does not fit is left out, the bar first.
fn line(name: &str, lane: &Lane, width: usize, redactor: &Redactor) -> String {
    let name = redactor.redact(name).escape_debug().to_string();
    let name = cut_columns(&name, WIDEST_NAME.min(width / 4));
    let head = format!("{:>3} % of {}", lane.percent(), size(lane.bytes));
    let rate = format!("{}/s", size(lane.pace()));
    let tails = if lane.is_done() {
        let done = match lane.work {
            Work::Fetch => "fetched",
            Work::Hash => "hashed",
        };
        vec![format!("{head}, {done} in {}", clock(lane.elapsed())), head]
    } else if let Some(left) = lane.remaining().map(clock) {
        vec![format!("{head}, {rate}, {left} left"), format!("{head}, {left} left"), head]
    } else {
        vec![head]
    };
    let room = |tail: &String| (width - 1).checked_sub(columns(&name) + 1 + columns(tail));
    let fitting = tails.iter().find_map(|tail| room(tail).map(|room| (tail, room)));
    let Some((tail, room)) = fitting else { return name.into_owned() };
    match room.checked_sub("[] ".len()).filter(|room| room >= BAR.start()) {
        Some(room) => format!("{name} {} {tail}", bar(lane.percent(), room.min(*BAR.end()))),
        None => format!("{name} {tail}"),
    }
}

fn bar(percent: u64, width: usize) -> String {
    let done = usize::try_from(percent).unwrap_or(100).min(100) * width / 100;
    format!("[{}{}]", "#".repeat(done), "-".repeat(width - done))
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::progress::Progress;

    fn check(name: &str, moved: u64, width: usize, expected: &str) {
        let mut board = Board::default();
        let lane = || name.to_owned();
        board.apply(&Event::Started { lane: lane(), files: 2, bytes: 1023 << 30 });
        if moved > 0 {
            board.apply(&Event::Received { lane: lane(), bytes: moved });
        }
        if moved == 1023 << 30 {
            board.apply(&Event::Finished { lane: lane(), path: "a".to_owned() });
            board.apply(&Event::Finished { lane: lane(), path: "b".to_owned() });
        }
        let told = line(name, &board.lanes[name], width, &Redactor::new(["sekrit"]));
        assert_eq!(told, expected);
        assert!(columns(&told) < width, "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_fits_its_terminal() {
        let long = "a-lane-with-a-very-long-name";
        check("coder", 0, 80, "coder [------------------------------]   0 % of 1023.0 GiB");
        check(long, 0, 60, "a-lane...g-name [---------------------]   0 % of 1023.0 GiB");
        check("sekrit", 0, 40, "*** [-------------]   0 % of 1023.0 GiB");
        check(
            "coder",
            1023 << 30,
            60,
            "coder [##############] 100 % of 1023.0 GiB, fetched in 0:00",
        );
        check(long, 1023 << 30, 20, "a...e");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_is_left_stands_where_there_is_room_for_it() {
        let mut board = Board::default();
        let lane = || "a-lane-with-a-very-long-name".to_owned();
        board.apply(&Event::Started { lane: lane(), files: 2, bytes: 1023 << 30 });
        tokio::time::advance(Duration::from_secs(10)).await;
        board.apply(&Event::Received { lane: lane(), bytes: 333 << 20 });
        let state = &board.lanes[&lane()];
        let told = [120, 80, 60].map(|width| line(&lane(), state, width, &Redactor::default()));
        insta::assert_snapshot!(told.join("\n"), @r"
        a-lane-wi...ong-name [------------------------------]   0 % of 1023.0 GiB, 33.3 MiB/s, 8:44:09 left
        a-lane-wi...ong-name [----------]   0 % of 1023.0 GiB, 33.3 MiB/s, 8:44:09 left
        a-lane...g-name [-------]   0 % of 1023.0 GiB, 8:44:09 left
        ");
        assert!(told.iter().zip([120, 80, 60]).all(|(line, width)| columns(line) < width));
    }

    #[tokio::test(start_paused = true)]
    async fn drawing_ends_with_the_stream() {
        let (events, receiver) = unbounded_channel();
        let progress = Progress::new(events).for_lane("l");
        progress.started(1, 10);
        progress.received(10);
        progress.again(10, "why");
        drop(progress);
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let redactor = Redactor::default();
        let screen = Screen { bars: HashMap::new(), all: &all, redactor: &redactor };
        draw(receiver, io::sink(), screen).await;
    }
}

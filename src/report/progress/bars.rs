//! A bar for each lane, on a terminal.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::interval;

use super::board::Board;
use crate::progress::Event;

const TEMPLATE: &str = "{prefix:>20.20} [{bar:30}] {percent:>3} % {bytes:>11} of {total_bytes:<11} {bytes_per_sec}, {eta} left";
const REDRAW_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn render(events: UnboundedReceiver<Event>) {
    draw(events, &MultiProgress::with_draw_target(ProgressDrawTarget::stderr())).await;
}

async fn draw(mut events: UnboundedReceiver<Event>, screen: &MultiProgress) {
    let mut board = Board::default();
    let mut bars: HashMap<String, ProgressBar> = HashMap::new();
    let mut redraws = interval(REDRAW_EVERY);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => show(&event, &mut board, &mut bars, screen),
                None => break,
            },
            // The rate of a lane that is silent has to fall.
            _ = redraws.tick() => bars.values().for_each(ProgressBar::tick),
        }
    }
    for bar in bars.values().filter(|bar| !bar.is_finished()) {
        bar.abandon();
    }
}

fn show(
    event: &Event,
    board: &mut Board,
    bars: &mut HashMap<String, ProgressBar>,
    screen: &MultiProgress,
) {
    let state = board.apply(event);
    let lane = event.lane();
    let bar = bars.entry(lane.to_owned()).or_insert_with(|| {
        let style = ProgressStyle::with_template(TEMPLATE);
        let bar = ProgressBar::new(state.bytes)
            .with_style(style.unwrap_or_else(|_wrong| ProgressStyle::default_bar()))
            .with_prefix(lane.escape_debug().to_string());
        screen.add(bar)
    });
    match event {
        // The bar counts its rate from here.
        Event::Hashing { .. } => bar.reset(),
        Event::Resumed { .. } => {
            bar.set_position(state.done);
            bar.reset_eta();
        }
        Event::Started { .. }
        | Event::Received { .. }
        | Event::Verified { .. }
        | Event::Again { .. }
        | Event::Waiting { .. }
        | Event::Finished { .. } => {}
    }
    bar.set_length(state.bytes);
    bar.set_position(state.done);
    if let Event::Again { reason, .. } = event {
        bar.suspend(|| tracing::warn!("{reason}"));
    }
    if let Event::Waiting { path, holder, .. } = event {
        let (path, holder) = (path.escape_debug(), holder.escape_debug());
        bar.suspend(|| tracing::warn!("waiting for {path}: held by {holder}"));
    }
    if state.is_done() {
        bar.finish();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::progress::Progress;

    #[test]
    fn the_template_is_one() {
        ProgressStyle::with_template(TEMPLATE).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn drawing_ends_with_the_stream() {
        let (events, receiver) = unbounded_channel();
        let progress = Progress::new(events).for_lane("l");
        progress.started(1, 10);
        progress.received(10);
        progress.again(10, "why");
        drop(progress);
        draw(receiver, &MultiProgress::with_draw_target(ProgressDrawTarget::hidden())).await;
    }
}

//! One JSON object a line, for programs.
//!
//! `{"event": "started" | "received" | "again" | "finished", "lane", ...}`; `received` says how
//! many bytes of how many are here, at most once a second for each lane, and after its last byte.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Event;
use super::board::Board;

const MOST_OFTEN: Duration = Duration::from_secs(1);

pub(super) async fn render(mut events: UnboundedReceiver<Event>, mut out: impl Write + Send) {
    let mut board = Board::default();
    while let Some(event) = events.recv().await {
        if let Some(line) = line(&mut board, &event) {
            // A reader who went away is not an error.
            drop(writeln!(out, "{line}"));
        }
    }
    drop(out.flush());
}

fn line(board: &mut Board, event: &Event) -> Option<Value> {
    let state = board.apply(event);
    Some(match event {
        Event::Started { lane, files, bytes } => {
            json!({"event": "started", "lane": lane, "files": files, "bytes": bytes})
        }
        Event::Received { lane, .. } => {
            let complete = state.received == state.bytes && state.percent_told() < 100;
            if !complete && state.untold() < MOST_OFTEN {
                return None;
            }
            let rate = state.tell();
            json!({
                "event": "received",
                "lane": lane,
                "bytes": state.received,
                "of_bytes": state.bytes,
                "bytes_per_second": rate,
            })
        }
        Event::Again { lane, bytes, reason } => {
            json!({"event": "again", "lane": lane, "bytes": bytes, "reason": reason})
        }
        Event::Finished { lane, path } => {
            json!({"event": "finished", "lane": lane, "path": path})
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::progress::Progress;

    #[tokio::test(start_paused = true)]
    async fn bytes_are_told_once_a_second_and_at_the_end() {
        let (events, receiver) = unbounded_channel();
        let mut out = Vec::new();
        let progress = Progress::new(events).for_lane("l");
        let work = async move {
            progress.started(1, 40);
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(600)).await;
                progress.received(10);
            }
            progress.finished("a\nb");
        };
        tokio::join!(render(receiver, &mut out), work);
        let text = String::from_utf8(out).unwrap();
        let expected = [
            r#"{"event":"started","lane":"l","files":1,"bytes":40}"#,
            r#"{"event":"received","lane":"l","bytes":20,"of_bytes":40,"bytes_per_second":16}"#,
            r#"{"event":"received","lane":"l","bytes":40,"of_bytes":40,"bytes_per_second":16}"#,
            r#"{"event":"finished","lane":"l","path":"a\nb"}"#,
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}

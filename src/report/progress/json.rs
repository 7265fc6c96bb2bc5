//! One JSON object a line, for programs.
//!
//! | `event` | beside `lane` |
//! |---|---|
//! | `started` | a fetch begins: `files`, `bytes` |
//! | `hashing` | files that are here are hashed: `files`, `bytes` |
//! | `received`, `hashed` | `bytes` of `of_bytes` are here or hashed, `resumed_bytes` of them from an earlier run, `verified_bytes` of them proven; `bytes_per_second` since the last line; `seconds_left`, null if it cannot be told |
//! | `again` | `bytes` have to come once more, and the `reason` |
//! | `waiting` | another process brings the file `path`: the `holder` of its lock |
//! | `finished` | the file `path` is verified and in its place, or hashed |
//!
//! `received` and `hashed` come at most once a second for each lane, and after its last byte. No
//! number of a lane ever goes back, except that hashing begins at nothing.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::board::{Board, Lane, Work};
use crate::progress::Event;

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
        Event::Hashing { lane, files, bytes } => {
            json!({"event": "hashing", "lane": lane, "files": files, "bytes": bytes})
        }
        Event::Received { lane, .. }
        | Event::Resumed { lane, .. }
        | Event::Verified { lane, .. } => {
            let complete = state.done == state.bytes && state.percent_told() < 100;
            if !complete && state.untold() < MOST_OFTEN {
                return None;
            }
            moved(lane, state)
        }
        Event::Again { lane, bytes, reason } => {
            json!({"event": "again", "lane": lane, "bytes": bytes, "reason": reason})
        }
        Event::Waiting { lane, path, holder } => {
            json!({"event": "waiting", "lane": lane, "path": path, "holder": holder})
        }
        Event::Finished { lane, path } => {
            json!({"event": "finished", "lane": lane, "path": path})
        }
    })
}

fn moved(name: &str, state: &mut Lane) -> Value {
    let event = match state.work {
        Work::Fetch => "received",
        Work::Hash => "hashed",
    };
    let rate = state.tell();
    json!({
        "event": event,
        "lane": name,
        "bytes": state.done,
        "of_bytes": state.bytes,
        "resumed_bytes": state.resumed,
        "verified_bytes": state.verified,
        "bytes_per_second": rate,
        "seconds_left": state.remaining().map(|left| left.as_secs()),
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
            progress.verified(40);
            progress.finished("a\nb");
            progress.hashing(1, 40);
            progress.verified(40);
        };
        tokio::join!(render(receiver, &mut out), work);
        let text = String::from_utf8(out).unwrap();
        let expected = [
            r#"{"event":"started","lane":"l","files":1,"bytes":40}"#,
            r#"{"event":"received","lane":"l","bytes":20,"of_bytes":40,"resumed_bytes":0,"verified_bytes":0,"bytes_per_second":16,"seconds_left":2}"#,
            r#"{"event":"received","lane":"l","bytes":40,"of_bytes":40,"resumed_bytes":0,"verified_bytes":0,"bytes_per_second":16,"seconds_left":0}"#,
            r#"{"event":"finished","lane":"l","path":"a\nb"}"#,
            r#"{"event":"hashing","lane":"l","files":1,"bytes":40}"#,
            r#"{"event":"hashed","lane":"l","bytes":40,"of_bytes":40,"resumed_bytes":0,"verified_bytes":40,"bytes_per_second":40000,"seconds_left":0}"#,
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}

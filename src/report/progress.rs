//! What moves, as bars, plain lines, JSON or messages to Docker Compose.
//!
//! What is shown never goes back: bytes that have to come again are waited for. A rate is that of
//! bytes that move now; what an earlier run has left counts as done and not as fast.

mod bars;
mod board;
mod json;
mod left_off;
mod plain;

use std::io::{self, Write};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::options::ProgressStyle;
use crate::progress::{Event, Progress};
use crate::report::messages::{Kind, Messages};
use crate::report::redact::{Redacting, Redactor};

/// Does `work`, and shows what it says that moves: on standard error, but on standard output what Docker
/// Compose reads there.
pub async fn shown<T>(
    style: ProgressStyle,
    redactor: &Redactor,
    work: impl AsyncFnOnce(Progress) -> T,
) -> T {
    let (events, receiver) = unbounded_channel();
    let out: Box<dyn Write + Send> = match style {
        ProgressStyle::Json => Box::new(Redacting::json(io::stderr(), redactor.clone())),
        ProgressStyle::Messages => {
            let messages = Messages::new(io::stdout(), Kind::Info);
            Box::new(Redacting::new(messages, redactor.clone()))
        }
        ProgressStyle::Plain | ProgressStyle::Bars | ProgressStyle::None => {
            Box::new(Redacting::new(io::stderr(), redactor.clone()))
        }
    };
    let show = render(receiver, style, out, redactor);
    // The stream ends with the work, and the showing with the stream.
    let (done, ()) = tokio::join!(work(Progress::new(events)), show);
    done
}

/// Shows what moves until every [`Progress`] of the stream is gone. Bars go to standard error by
/// themselves, because they move the cursor; everything else goes to `out`. A reader of `out` who
/// went away is not an error. Dropped before that, it says what is left behind.
async fn render(
    events: UnboundedReceiver<Event>,
    style: ProgressStyle,
    out: impl Write + Send,
    redactor: &Redactor,
) {
    match style {
        ProgressStyle::Bars => bars::render(events, out, redactor).await,
        ProgressStyle::Plain => plain::render(events, out, &plain::FOR_LOGS).await,
        ProgressStyle::Messages => plain::render(events, out, &plain::LIVE).await,
        ProgressStyle::Json => json::render(events, out).await,
        ProgressStyle::None => drop(events),
    }
}

//! The log on standard error: what preflight does, for whoever wants to know why.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::options::LogFormat;
use crate::report::redact::{Redacting, Redactor};

/// Begins to log. `filter` is in the syntax of `PREFLIGHT_LOG`; what of it makes no sense is
/// ignored. No secret that `redactor` knows is written.
pub fn start(filter: &str, format: LogFormat, redactor: Redactor) {
    let filter = EnvFilter::new(filter);
    let layer = match format {
        LogFormat::Text => {
            let writer = move || Redacting::new(io::stderr(), redactor.clone());
            let is_terminal = io::stderr().is_terminal();
            let layer = layer().with_target(false).with_writer(writer);
            if is_terminal { layer.boxed() } else { layer.with_ansi(false).boxed() }
        }
        LogFormat::Json => {
            let writer = move || Redacting::json(io::stderr(), redactor.clone());
            layer().json().flatten_event(true).with_writer(writer).boxed()
        }
    };
    // A second log of the same process, in a test, changes nothing.
    drop(tracing_subscriber::registry().with(layer.with_filter(filter)).try_init());
}

//! One stream of events from everything that takes long, rendered as bars, plain lines or JSON.

use tokio::sync::mpsc::UnboundedSender;

/// Where events are sent.
#[derive(Debug, Clone)]
pub struct Progress {
    events: UnboundedSender<Event>,
}

/// Something that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A fetch begins: all of its bytes are known.
    Started {
        /// The lane.
        lane: String,
        /// Files to bring.
        files: usize,
        /// Bytes to bring.
        bytes: u64,
    },
    /// Bytes arrived; negative progress is not an event, a renewed attempt says [`Event::Again`].
    Received {
        /// The lane.
        lane: String,
        /// How many more.
        bytes: u64,
    },
    /// Bytes that were counted have to come once more.
    Again {
        /// The lane.
        lane: String,
        /// How many.
        bytes: u64,
        /// Why.
        reason: String,
    },
    /// A file is verified and under its final name.
    Finished {
        /// The lane.
        lane: String,
        /// In the repository.
        path: String,
    },
}

impl Progress {
    /// Sends to `events`.
    #[must_use]
    pub fn new(events: UnboundedSender<Event>) -> Self {
        Self { events }
    }

    /// Says that something moved. Nobody listening is not an error.
    pub fn say(&self, event: Event) {
        drop(self.events.send(event));
    }
}

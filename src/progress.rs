//! One stream of events from everything that takes long. Whoever works holds a [`Progress`] and says
//! what moved; who listens is not known here.

use tokio::sync::mpsc::UnboundedSender;

/// Where events are sent.
#[derive(Debug, Clone)]
pub struct Progress {
    events: UnboundedSender<Event>,
    lane: String,
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
    /// Bytes that an earlier run has left here, and that do not have to come.
    Resumed {
        /// The lane.
        lane: String,
        /// How many.
        bytes: u64,
    },
    /// Bytes whose content is proven.
    Verified {
        /// The lane.
        lane: String,
        /// How many more.
        bytes: u64,
    },
    /// Files that are here are hashed: all of their bytes are known.
    Hashing {
        /// The lane.
        lane: String,
        /// Files to hash.
        files: usize,
        /// Bytes to hash.
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
    /// Another process brings the same file.
    Waiting {
        /// The lane.
        lane: String,
        /// In the repository.
        path: String,
        /// Which process, and whether it moves.
        holder: String,
    },
    /// A file is verified and under its final name, or hashed.
    Finished {
        /// The lane.
        lane: String,
        /// In the repository.
        path: String,
    },
}

impl Event {
    /// The lane that it is about.
    pub(crate) fn lane(&self) -> &str {
        let (Self::Started { lane, .. }
        | Self::Received { lane, .. }
        | Self::Resumed { lane, .. }
        | Self::Verified { lane, .. }
        | Self::Hashing { lane, .. }
        | Self::Again { lane, .. }
        | Self::Waiting { lane, .. }
        | Self::Finished { lane, .. }) = self;
        lane
    }
}

impl Progress {
    /// Sends to `events`, about no lane in particular yet.
    #[must_use]
    pub fn new(events: UnboundedSender<Event>) -> Self {
        Self { events, lane: String::new() }
    }

    /// The lane that it is about; empty: none in particular.
    #[must_use]
    pub fn lane(&self) -> &str {
        &self.lane
    }

    /// The same stream, about `lane`.
    #[must_use]
    pub fn for_lane(&self, lane: &str) -> Self {
        Self { events: self.events.clone(), lane: lane.to_owned() }
    }

    /// Says that something moved. Nobody listening is not an error.
    pub fn say(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// A fetch begins.
    pub fn started(&self, files: usize, bytes: u64) {
        self.say(Event::Started { lane: self.lane.clone(), files, bytes });
    }

    /// So many more bytes are here.
    pub fn received(&self, bytes: u64) {
        self.say(Event::Received { lane: self.lane.clone(), bytes });
    }

    /// So many bytes are here from an earlier run.
    pub fn resumed(&self, bytes: u64) {
        self.say(Event::Resumed { lane: self.lane.clone(), bytes });
    }

    /// So many more bytes are proven.
    pub fn verified(&self, bytes: u64) {
        self.say(Event::Verified { lane: self.lane.clone(), bytes });
    }

    /// The hashing of files that are here begins.
    pub fn hashing(&self, files: usize, bytes: u64) {
        self.say(Event::Hashing { lane: self.lane.clone(), files, bytes });
    }

    /// So many bytes have to come once more.
    pub fn again(&self, bytes: u64, reason: &str) {
        self.say(Event::Again { lane: self.lane.clone(), bytes, reason: reason.to_owned() });
    }

    /// Another process brings the same file.
    pub fn waiting(&self, path: &str, holder: &str) {
        let (path, holder) = (path.to_owned(), holder.to_owned());
        self.say(Event::Waiting { lane: self.lane.clone(), path, holder });
    }

    /// A file is verified and in its place.
    pub fn finished(&self, path: &str) {
        self.say(Event::Finished { lane: self.lane.clone(), path: path.to_owned() });
    }
}

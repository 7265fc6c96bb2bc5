//! The files of a repository as the hub has them: what is read of one comes by ranges, and no more of
//! it than that.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use reqwest::StatusCode;
use reqwest::header::CONTENT_RANGE;
use tokio::runtime::Handle;

use super::client::{Client, Range};
use super::retries::Setback;
use super::{HubError, Listing, RemoteFile, body};
use crate::limits::MOST_OF_DISTANT_HEADERS;
use crate::look::{FileKind, Look, Stat};
use crate::project::view::pieces::{Pieces, Source};
use crate::project::view::{ReadSeek, View};

/// The least and the most bytes of a file that are asked for at once.
const PIECE: std::ops::RangeInclusive<u64> = 64 << 10..=4 << 20;

/// What is at the hub, below `/`. Every call blocks, and waits on the runtime that the hub is asked on.
#[derive(Debug)]
pub struct DistantView {
    client: Client,
    runtime: Handle,
    listing: Listing,
    /// Whether a file of that name is opened; the others are there, and nobody needs to know more.
    opens: fn(&str) -> bool,
    /// Bytes that may still be asked for.
    left: Cell<u64>,
    error: RefCell<Option<HubError>>,
}

/// One file. Reads ahead, piece by piece; pieces grow as long as one follows the other.
struct DistantFile<'a> {
    view: &'a DistantView,
    file: &'a RemoteFile,
    /// How much was asked for last.
    ahead: u64,
}

impl DistantView {
    pub(super) fn new(
        client: Client,
        runtime: Handle,
        listing: Listing,
        opens: fn(&str) -> bool,
    ) -> Self {
        let (left, error) = (Cell::new(MOST_OF_DISTANT_HEADERS), RefCell::default());
        Self { client, runtime, listing, opens, left, error }
    }

    /// The first error of the hub, if it made one.
    #[must_use]
    pub fn error(&self) -> Option<HubError> {
        self.error.borrow().clone()
    }

    fn file(&self, name: &str) -> Option<&RemoteFile> {
        let index = self.listing.files.binary_search_by(|file| file.path.as_str().cmp(name));
        // What is named in messages may come first.
        let found = index.ok().and_then(|index| self.listing.files.get(index));
        found.or_else(|| self.listing.files.iter().find(|file| file.path == name))
    }

    /// The names in a folder; empty where there is no such folder.
    fn names(&self, folder: &str) -> BTreeSet<&str> {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.listing.files.iter().filter_map(|it| it.path.strip_prefix(&start));
        below.filter_map(|rest| rest.split('/').next()).collect()
    }

    fn read(&self, file: &RemoteFile, range: Range) -> io::Result<Vec<u8>> {
        let left = self.left.get().checked_sub(range.length());
        let left =
            left.ok_or_else(|| io::Error::other("its header is too long to be asked for"))?;
        self.left.set(left);
        let bytes = self.runtime.block_on(piece(&self.client, &self.listing, file, range));
        bytes.map_err(|error| {
            let told = io::Error::other(error.to_string());
            self.error.borrow_mut().get_or_insert(error);
            told
        })
    }
}

/// A range of a file, which has it.
async fn piece(
    client: &Client,
    listing: &Listing,
    file: &RemoteFile,
    range: Range,
) -> Result<Vec<u8>, HubError> {
    let asked = &client.asked(&listing.source).file(&file.path);
    let url = &client.resolve_url(&listing.source, &listing.commit, &file.path);
    let length = usize::try_from(range.length()).unwrap_or(usize::MAX);
    let attempt = || async {
        let (answer, found) = client.open(url, Some(range), asked).await?;
        let is_whole = range.first == 0 && range.length() == file.size;
        let starts = format!("bytes {}-", range.first);
        let told = answer.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let is_range = told.is_some_and(|told| told.starts_with(&starts));
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if is_range => {}
            StatusCode::OK if is_whole => {}
            status if status.is_success() => {
                let reason = "it does not give a part of a file";
                return Err(Setback::fatal(asked.unreachable(reason)));
            }
            _ => return Err(client.refused(asked, &answer, &found)),
        }
        let bytes = body::read(client, answer, length, asked).await?;
        if bytes.len() == length {
            return Ok(bytes);
        }
        Err(Setback::transient(asked.unreachable("its answer is too short")))
    };
    client.retries.persist(attempt).await
}

impl View for DistantView {
    fn stat(&self, path: &Path) -> Look<Stat> {
        let Some(name) = name(path) else { return Look::Absent };
        let stat = |kind, size| Stat {
            kind,
            size,
            allocated: None,
            mode: 0o644,
            owner: None,
            modified: None,
            created: None,
        };
        if let Some(file) = self.file(&name) {
            return Look::Seen(stat(FileKind::File, file.size));
        }
        if self.names(&name).is_empty() {
            return Look::Absent;
        }
        Look::Seen(stat(FileKind::Directory, 0))
    }

    fn list(&self, path: &Path) -> Look<Vec<String>> {
        let names =
            name(path).map(|name| self.names(&name).into_iter().map(str::to_owned).collect());
        match names {
            Some(names) => {
                let names: Vec<String> = names;
                if names.is_empty() { Look::Absent } else { Look::Seen(names) }
            }
            None => Look::Absent,
        }
    }

    fn open(&self, path: &Path) -> Look<Box<dyn ReadSeek + '_>> {
        let Some(file) = name(path).and_then(|name| self.file(&name)) else { return Look::Absent };
        if !(self.opens)(&file.path) {
            return Look::Unknown("it is not asked for".to_owned());
        }
        match Pieces::open(DistantFile { view: self, file, ahead: *PIECE.start() / 2 }) {
            Ok(file) => Look::Seen(Box::new(file)),
            Err(error) => Look::Unknown(error.to_string()),
        }
    }

    fn is_near(&self) -> bool {
        false
    }
}

/// A path of the view as the repository has it; the root is empty. Absent: it is none.
fn name(path: &Path) -> Option<String> {
    Some(path.strip_prefix("/").ok()?.to_str()?.to_owned())
}

impl Source for DistantFile<'_> {
    fn size(&self) -> u64 {
        self.file.size
    }

    fn piece(&mut self, position: u64, follows: bool) -> io::Result<Vec<u8>> {
        self.ahead = if follows { self.ahead.saturating_mul(2) } else { *PIECE.start() };
        self.ahead = self.ahead.min(*PIECE.end());
        let end = position.saturating_add(self.ahead).min(self.file.size);
        if end <= position {
            return Ok(Vec::new());
        }
        self.view.read(self.file, Range { first: position, last: end - 1 })
    }
}

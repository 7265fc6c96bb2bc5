//! One file from the first wait to the last note: lock, look, transfer, link.

use super::client::Client;
use super::transfer::{self, blocking};
use super::{Download, HubError, Listing, Told, metadata, partial};
use crate::beneath::Use;
use crate::options::Locking;
use crate::progress::Progress;

/// A file on its way, and who is to know that it has come.
#[derive(Clone)]
pub(super) struct Arrival {
    pub(super) download: Download,
    commit: String,
    told: Told,
}

impl Arrival {
    pub(super) fn of(listing: &Listing, download: &Download, told: &Told) -> Self {
        let (download, commit, told) = (download.clone(), listing.commit.clone(), told.clone());
        Self { download, commit, told }
    }

    /// Links to the file, and has it known: by `hf`, and by who is to be told. Whoever waits for a download
    /// may be gone as soon as another one fails, so that this goes with the step in which the file gets its
    /// name. Blocking.
    pub(super) fn settle(&self, etag: &str) -> Result<(), HubError> {
        self.download.make_link()?;
        if let Err(error) = metadata::note(&self.commit, &self.download, etag) {
            tracing::warn!(%error, "`hf` will not know that this file is up to date");
        }
        (self.told)(&self.download);
        Ok(())
    }
}

/// Brings one file: verified, under its final name and known to `hf`. One process at a time does so;
/// what another one has brought meanwhile is proven, and not fetched.
pub(super) async fn deliver(
    client: &Client,
    locking: Locking,
    listing: &Listing,
    arrival: &Arrival,
    progress: &Progress,
) -> Result<(), HubError> {
    let file = &arrival.download.file;
    let say = |holder: &str| progress.waiting(&file.path, holder);
    let lock = arrival.download.latch().take(locking, say).await?;
    lock.during(async {
        if is_there(arrival).await? {
            progress.resumed(file.size);
            progress.verified(file.size);
        } else {
            transfer::bring(client, listing, arrival, progress).await?;
        }
        progress.finished(&file.path);
        Ok(())
    })
    .await
}

/// Whether the right content is there already; if so, it is settled.
async fn is_there(arrival: &Arrival) -> Result<bool, HubError> {
    let arrival = arrival.clone();
    blocking(move || {
        let Download { file, destination, .. } = &arrival.download;
        let opened = match destination.open(Use::Read) {
            Ok(opened) => opened,
            // What is no file can at best be replaced.
            Err(_not_there) => return Ok(false),
        };
        if !opened.metadata().is_ok_and(|it| it.len() == file.size) {
            return Ok(false);
        }
        match partial::hashed(&opened, file)? {
            Ok(etag) => arrival.settle(&etag).map(|()| true),
            Err(_other_content) => Ok(false),
        }
    })
    .await
}

//! One file from the first wait to the last note: lock, look, transfer, link.

use super::client::Client;
use super::transfer::{self, blocking};
use super::{Download, HubError, Listing, metadata, partial};
use crate::beneath::Use;
use crate::options::Locking;
use crate::progress::Progress;

/// Brings one file: verified, under its final name and known to `hf`. One process at a time does so;
/// what another one has brought meanwhile is proven, and not fetched.
pub(super) async fn deliver(
    client: &Client,
    locking: Locking,
    listing: &Listing,
    download: &Download,
    progress: &Progress,
) -> Result<(), HubError> {
    let path = download.file.path.as_str();
    let say = |holder: &str| progress.waiting(path, holder);
    let lock = download.latch().take(locking, say).await?;
    lock.during(async {
        let etag = match proven(download).await? {
            Some(etag) => {
                progress.resumed(download.file.size);
                progress.verified(download.file.size);
                etag
            }
            None => transfer::bring(client, listing, download, progress).await?,
        };
        let (listing, done) = (listing.clone(), download.clone());
        blocking(move || {
            done.make_link()?;
            if let Err(error) = metadata::note(&listing, &done, &etag) {
                tracing::warn!(%error, "`hf` will not know that this file is up to date");
            }
            Ok(())
        })
        .await?;
        progress.finished(path);
        Ok(())
    })
    .await
}

/// What `hf` calls the content that is there, if it is the right one.
async fn proven(download: &Download) -> Result<Option<String>, HubError> {
    let Download { file, destination, .. } = download.clone();
    blocking(move || {
        let opened = match destination.open(Use::Read) {
            Ok(opened) => opened,
            // What is no file can at best be replaced.
            Err(_not_there) => return Ok(None),
        };
        if !opened.metadata().is_ok_and(|it| it.len() == file.size) {
            return Ok(None);
        }
        Ok(partial::hashed(&opened, &file)?.ok())
    })
    .await
}

//! What the hub says of one file where it says where it is: whether the token opens it, what it hashes
//! to, how large it is.
//!
//! `hf` believes these answers alone (`huggingface_hub` 2.4 `file_download.py get_hf_file_metadata`).
//! A listing says the same in one answer for all files, and a mirror may leave it out there: it lists
//! a large file with the id and the size of the pointer that git has of it, or with no id at all.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap};
use reqwest::{Method, Response, Url};

use super::client::{self, Client};
use super::refusal::Asked;
use super::retries::Setback;
use super::{HubError, ObjectId, RemoteFile, encoding, store};
use crate::source::Source;

/// What an answer says of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// `X-Linked-ETag`: the hub's own word for what is linked to.
    linked: Option<ObjectId>,
    /// `ETag` of the hub's answer, which a mirror may have from elsewhere.
    etag: Option<ObjectId>,
    /// Bytes.
    size: Option<u64>,
}

/// Files that are asked for at the same time.
const AT_ONCE: usize = 8;

/// Asks for a file without fetching it, which is how it is learnt whether the token opens it:
/// listings may be public where files are not.
///
/// Redirects are followed until one leads to a store of files, which lets in whoever it is sent.
pub(super) async fn ask(
    client: &Client,
    source: &Source,
    commit: &str,
    path: &str,
) -> Result<Resolved, HubError> {
    let asked = &client.asked(source).file(path);
    let url = &client.resolve_url(source, commit, path);
    client.retries.persist(|| client.within_an_answer(walk(client, url, asked), asked)).await
}

async fn walk(client: &Client, url: &Url, asked: &Asked) -> Result<Resolved, Setback> {
    let mut url = url.clone();
    for _ in 0..=Client::MOST_REDIRECTS {
        let answer = client.send(Method::HEAD, &url, None, asked).await?;
        let said = Resolved::of(&answer, client.is_home(&url));
        let Some(target) = client.redirect(&answer, &url, asked)? else {
            if !answer.status().is_success() && client.is_refused_by_a_hub(&answer, &url) {
                return Err(client.refused(asked, &answer, &url));
            }
            return Ok(said);
        };
        let leaves = target.origin() != url.origin() && !client::is_of_a_hub(&target);
        if leaves && said.linked.is_some() {
            return Ok(said);
        }
        url = target;
    }
    Err(Setback::fatal(asked.unreachable("it redirects without end")))
}

impl Resolved {
    fn of(answer: &Response, is_home: bool) -> Self {
        let headers = answer.headers();
        let is_file = answer.status().is_success() && encoding::of(headers).is_none();
        let own = |name| if is_file { number(headers, name) } else { None };
        Self {
            linked: id(headers, "x-linked-etag"),
            // At a store of files it names what that one likes.
            etag: id(headers, ETAG.as_str()).filter(|_| is_home && is_file),
            size: number(headers, "x-linked-size").or_else(|| own(CONTENT_LENGTH.as_str())),
        }
    }

    /// The file with what was listed of it set right; absent: nobody says what it hashes to.
    fn settle(&self, listed: &RemoteFile) -> Option<RemoteFile> {
        let size = self.size.unwrap_or(listed.size);
        let oid = match (&self.linked, &self.etag, &listed.oid) {
            (Some(linked), _, _) => linked.clone(),
            (None, Some(etag), ObjectId::GitBlob(unknown)) if unknown.is_empty() => etag.clone(),
            // The id that git has of the file: of a pointer with that hash in it, or of the content.
            (None, etag, ObjectId::GitBlob(git)) if !git.is_empty() => {
                let pointer = ObjectId::LfsPointer(git.clone());
                let hashed = etag.clone().filter(|it| it.agrees(&pointer, size) == Some(true));
                let is_pointer = size != listed.size;
                hashed.unwrap_or(if is_pointer { pointer } else { listed.oid.clone() })
            }
            (None, _, ObjectId::GitBlob(_)) => return None,
            (None, _, known) => known.clone(),
        };
        Some(RemoteFile { path: listed.path.clone(), size, oid })
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn id(headers: &HeaderMap, name: &str) -> Option<ObjectId> {
    let text = headers.get(name)?.to_str().ok()?;
    ObjectId::of_etag(text.trim_start_matches("W/").trim_matches('"'))
}

/// The files with what is `doubtful` of them set right.
///
/// # Errors
/// Those of access and of the network, and a file of which nobody says what it hashes to.
pub(super) async fn settle(
    client: &Client,
    source: &Source,
    commit: &str,
    files: Vec<RemoteFile>,
    doubtful: &BTreeSet<String>,
) -> Result<Vec<RemoteFile>, HubError> {
    let settled = |file: RemoteFile| async move {
        if !doubtful.contains(&file.path) {
            return Ok(file);
        }
        let resolved = match ask(client, source, commit, &file.path).await {
            // Whoever wants it will be told.
            Err(HubError::FileGone { .. }) if !file.oid.hex().is_empty() => return Ok(file),
            resolved => resolved?,
        };
        resolved.settle(&file).ok_or_else(|| {
            let path = store::printable(&file.path);
            let reason = format!("it does not say what the content of `{path}` hashes to");
            client.asked(source).unreachable(reason)
        })
    };
    // Collected, because a stream over the closure is not `Send`.
    let asked: Vec<_> = files.into_iter().map(settled).collect();
    stream::iter(asked).buffered(AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::hub::object::pointer_id;

    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    const BLOB: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    fn listed(git: &str, size: u64) -> RemoteFile {
        RemoteFile { path: "m".to_owned(), size, oid: ObjectId::GitBlob(git.to_owned()) }
    }

    fn check(linked: &str, etag: &str, size: Option<u64>, listed: &RemoteFile) -> String {
        let id = ObjectId::of_etag;
        let settled = Resolved { linked: id(linked), etag: id(etag), size }.settle(listed);
        settled.map_or("nothing".to_owned(), |file| format!("{} {}", file.oid, file.size))
    }

    #[test]
    fn the_hash_of_a_linked_file_is_in_its_own_header() {
        let expected = format!("sha256 {SHA256} 6");
        let pointer = pointer_id(SHA256, 6);
        assert_eq!(check(SHA256, "", Some(6), &listed(&pointer, 127)), expected);
        assert_eq!(check(SHA256, BLOB, Some(6), &listed("", 6)), expected);
    }

    #[test]
    fn an_etag_is_believed_where_git_says_the_same_or_nothing() {
        let pointer = pointer_id(SHA256, 6);
        assert_eq!(
            check("", SHA256, Some(6), &listed(&pointer, 127)),
            format!("sha256 {SHA256} 6")
        );
        assert_eq!(check("", SHA256, None, &listed("", 6)), format!("sha256 {SHA256} 6"));
        // The hash of another thing: a store's own.
        let other = SHA256.replace('5', "6");
        assert_eq!(check("", &other, Some(6), &listed(BLOB, 6)), format!("git blob {BLOB} 6"));
    }

    #[test]
    fn without_a_hash_the_size_tells_a_pointer_from_a_content() {
        let pointer = pointer_id(SHA256, 6);
        let expected = format!("git-lfs pointer {pointer} 6");
        assert_eq!(check("", "", Some(6), &listed(&pointer, 127)), expected);
        assert_eq!(check("", "", Some(6), &listed(BLOB, 6)), format!("git blob {BLOB} 6"));
        assert_eq!(check("", "", Some(6), &listed("", 6)), "nothing");
    }
}

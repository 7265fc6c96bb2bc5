//! From a source to a commit and the files in it.
//!
//! hf-hub knows where the commit is asked for and reads the answer. It has no listing with sizes and
//! hashes: the tree is read here.

use std::collections::BTreeSet;

use hf_hub::api::RepoInfo;
use reqwest::header::LINK;
use reqwest::{Response, Url};
use serde::Deserialize;

use super::bounded::Bounded;
use super::client::Client;
use super::refusal::Asked;
use super::retries::Setback;
use super::{HubError, ObjectId, RemoteFile, body};
use crate::file_name::hub_cache::{is_commit, is_hex};
use crate::file_name::weights::Weights;
use crate::limits::{LONGEST_ANSWER, LONGEST_LISTING, MOST_LISTED, MOST_PAGES};
use crate::source::Source;

/// The files of a commit, as the hub lists them.
#[derive(Debug)]
pub(super) struct Files {
    /// Sorted by path. Names are not safe yet.
    pub(super) files: Vec<RemoteFile>,
    /// Those whose id or size may not be that of the content: the empty id of a git blob where none
    /// is listed.
    pub(super) doubtful: BTreeSet<String>,
}

/// One entry of a listing, as the hub writes it.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    oid: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    oid: Option<String>,
    size: Option<u64>,
}

/// A page of a listing.
#[derive(Debug)]
struct Page {
    entries: Vec<Entry>,
    /// Bytes that it took.
    length: usize,
    next: Option<Url>,
}

/// A hub refuses larger ones in git, and keeps them elsewhere (hub documentation, "Repository limits").
const LARGEST_IN_GIT: u64 = 10 * 1024 * 1024;

/// The commit that the source's revision names.
pub(crate) async fn commit(client: &Client, source: &Source) -> Result<String, HubError> {
    let asked = &client.asked(source);
    let special = |name: &str| matches!(name, "." | "..");
    if special(&source.owner) || special(&source.repo) || source.repo.is_empty() {
        return Err(HubError::RepositoryNotFound { repository: asked.repository.clone() });
    }
    if special(source.revision()) || source.revision().is_empty() {
        let revision = source.revision().to_owned();
        return Err(HubError::RevisionNotFound { repository: asked.repository.clone(), revision });
    }
    let info = client.retries.persist(|| read_info(client, source, asked)).await?;
    let named = is_commit(&info.sha).then_some(info.sha);
    named.ok_or_else(|| asked.unreachable("it names no commit for the revision"))
}

async fn read_info(client: &Client, source: &Source, asked: &Asked) -> Result<RepoInfo, Setback> {
    let (answer, url) = client.open(&client.info_url(source), None, asked).await?;
    if !answer.status().is_success() {
        return Err(client.refused(asked, &answer, &url));
    }
    let text = body::read(client, answer, LONGEST_ANSWER, asked).await?;
    serde_json::from_slice(&text).map_err(|error| {
        Setback::fatal(asked.unreachable(format!("its answer cannot be read: {error}")))
    })
}

/// Every file of a commit.
pub(super) async fn files(
    client: &Client,
    source: &Source,
    commit: &str,
) -> Result<Files, HubError> {
    let asked = &client.asked(source);
    let mut url = client.url(["api", "models", &source.owner, &source.repo, "tree", commit]);
    url.set_query(Some("recursive=true&expand=false"));
    let mut entries = Vec::new();
    let (mut budget, mut asked_for, mut listed) = (LONGEST_LISTING, BTreeSet::new(), 0);
    loop {
        if MOST_PAGES <= asked_for.len() || !asked_for.insert(url.to_string()) {
            return Err(asked.unreachable("its listing has no end"));
        }
        let page = client
            .retries
            .persist(|| {
                let url = url.clone();
                async move { read_page(client, &url, budget, asked).await }
            })
            .await?;
        budget = budget.saturating_sub(page.length);
        listed += page.entries.len();
        if MOST_LISTED < listed {
            return Err(asked.unreachable(format!("it lists more than {MOST_LISTED} files")));
        }
        entries.extend(page.entries.into_iter().filter(|entry| entry.kind == "file"));
        match page.next {
            Some(next) => url = next,
            None => break,
        }
    }
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    entries.dedup_by(|one, other| one.path == other.path);
    let unlinked = lists_no_links(&entries);
    let is_doubtful = |entry: &&Entry| entry.id().is_none() || (unlinked && entry.lfs.is_none());
    let doubtful = entries.iter().filter(is_doubtful).map(|entry| entry.path.clone()).collect();
    Ok(Files { files: entries.into_iter().map(remote_file).collect(), doubtful })
}

/// Whether it is a listing of what git has, which a hub would list otherwise: it keeps no weights and
/// no large file in git, and this one has such a file and none that is kept elsewhere.
fn lists_no_links(entries: &[Entry]) -> bool {
    let belongs_elsewhere =
        |entry: &Entry| entry.size >= LARGEST_IN_GIT || Weights::of(&entry.path).is_some();
    entries.iter().all(|entry| entry.lfs.is_none()) && entries.iter().any(belongs_elsewhere)
}

async fn read_page(
    client: &Client,
    url: &Url,
    budget: usize,
    asked: &Asked,
) -> Result<Page, Setback> {
    let (answer, found) = client.open(url, None, asked).await?;
    if !answer.status().is_success() {
        return Err(client.refused(asked, &answer, &found));
    }
    let next = next_page(&answer, url);
    let text = body::read(client, answer, LONGEST_ANSWER.min(budget), asked).await?;
    let read = serde_json::from_slice(&text).map_err(|error| {
        Setback::fatal(asked.unreachable(format!("its listing cannot be read: {error}")))
    })?;
    let Bounded::<Entry, MOST_LISTED>(entries) = read;
    Ok(Page { entries, length: text.len(), next })
}

/// The next page, asked of the same origin: a mirror may pass on links to the hub that it mirrors,
/// and the token must not follow them. Only the query differs between pages.
fn next_page(answer: &Response, url: &Url) -> Option<Url> {
    let links = answer.headers().get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let target = next.split_once('<')?.1.split_once('>')?.0;
    let target = url.join(target).ok()?;
    let mut next = url.clone();
    next.set_query(target.query());
    Some(next)
}

impl Entry {
    /// What is listed of its content.
    fn id(&self) -> Option<ObjectId> {
        let git = self.oid.clone().filter(|oid| is_hex(oid, 40));
        let Some(lfs) = &self.lfs else { return git.map(ObjectId::GitBlob) };
        let sha256 = lfs.oid.clone().filter(|oid| is_hex(oid, 64)).map(ObjectId::Sha256);
        sha256.or(git.map(ObjectId::LfsPointer))
    }
}

fn remote_file(entry: Entry) -> RemoteFile {
    let oid = entry.id().unwrap_or_else(|| ObjectId::GitBlob(String::new()));
    let size = entry.lfs.and_then(|lfs| lfs.size).unwrap_or(entry.size);
    RemoteFile { path: entry.path, size, oid }
}

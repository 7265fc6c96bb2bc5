//! From a source to a commit and the files in it.
//!
//! hf-hub knows where the commit is asked for and reads the answer. It has no listing with sizes and
//! hashes: the tree is read here.

use hf_hub::api::RepoInfo;
use reqwest::header::LINK;
use reqwest::{Response, Url};
use serde::Deserialize;

use super::client::Client;
use super::refusal::{Asked, Refusal};
use super::retries::Setback;
use super::{HubError, ObjectId, RemoteFile, store};
use crate::source::Source;

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

/// A page of 1000 entries is about 400 kB: this is far above the largest repository of weights, and
/// below what would fill the memory.
const LONGEST_LISTING: usize = 64 * 1024 * 1024;

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
    let named = is_hex(&info.sha, 40).then_some(info.sha);
    named.ok_or_else(|| asked.unreachable("it names no commit for the revision"))
}

async fn read_info(client: &Client, source: &Source, asked: &Asked) -> Result<RepoInfo, Setback> {
    let (answer, _) = client.open(&client.info_url(source)?, None, asked).await?;
    let status = answer.status();
    if !status.is_success() {
        return Err(asked.refused(&Refusal::from_head(status.as_u16(), answer.headers())));
    }
    let text = read_text(client, answer, LONGEST_LISTING, asked).await?;
    serde_json::from_slice(&text).map_err(|error| {
        Setback::fatal(asked.unreachable(format!("its answer cannot be read: {error}")))
    })
}

/// Every file of a commit, sorted by path. Names are as the hub writes them: not safe yet.
pub(crate) async fn files(
    client: &Client,
    source: &Source,
    commit: &str,
) -> Result<Vec<RemoteFile>, HubError> {
    let asked = &client.asked(source);
    let mut url = client.url(["api", "models", &source.owner, &source.repo, "tree", commit]);
    url.set_query(Some("recursive=true&expand=false"));
    let mut files = Vec::new();
    let mut budget = LONGEST_LISTING;
    loop {
        let page = client
            .retries
            .persist(|| {
                let url = url.clone();
                async move { read_page(client, &url, budget, asked).await }
            })
            .await?;
        // An empty page is two bytes, so that even a listing without end has one.
        budget = budget.saturating_sub(page.length);
        let listed = page.entries.into_iter().filter(|entry| entry.kind == "file");
        for file in listed.map(|entry| remote_file(entry, asked)) {
            files.push(file?);
        }
        match page.next {
            Some(next) if next != url => url = next,
            Some(_) => return Err(asked.unreachable("its listing has no end")),
            None => break,
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files.dedup_by(|one, other| one.path == other.path);
    Ok(files)
}

async fn read_page(
    client: &Client,
    url: &Url,
    budget: usize,
    asked: &Asked,
) -> Result<Page, Setback> {
    let (answer, _) = client.open(url, None, asked).await?;
    let status = answer.status();
    if !status.is_success() {
        return Err(asked.refused(&Refusal::from_head(status.as_u16(), answer.headers())));
    }
    let next = next_page(&answer, url);
    let text = read_text(client, answer, budget, asked).await?;
    let entries = serde_json::from_slice(&text).map_err(|error| {
        Setback::fatal(asked.unreachable(format!("its listing cannot be read: {error}")))
    })?;
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

async fn read_text(
    client: &Client,
    mut answer: Response,
    budget: usize,
    asked: &Asked,
) -> Result<Vec<u8>, Setback> {
    let mut text = Vec::new();
    while let Some(chunk) = client.chunk(&mut answer, asked).await? {
        if text.len() + chunk.len() > budget {
            return Err(Setback::fatal(asked.unreachable("its listing is too long")));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn remote_file(entry: Entry, asked: &Asked) -> Result<RemoteFile, HubError> {
    let git = entry.oid.filter(|oid| is_hex(oid, 40));
    let (size, oid) = match entry.lfs {
        Some(lfs) => {
            let sha256 = lfs.oid.filter(|oid| is_hex(oid, 64)).map(ObjectId::Sha256);
            (lfs.size.unwrap_or(entry.size), sha256.or(git.map(ObjectId::LfsPointer)))
        }
        None => (entry.size, git.map(ObjectId::GitBlob)),
    };
    let Some(oid) = oid else {
        let path = store::printable(&entry.path);
        return Err(asked.unreachable(format!("it lists `{path}` without an id of its content")));
    };
    Ok(RemoteFile { path: entry.path, size, oid })
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

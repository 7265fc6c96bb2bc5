//! The connection: endpoint, token, and requests that keep the two together.
//!
//! hf-hub says where a model is asked for; the requests are sent by a client that follows no
//! redirect by itself, because a signed URL is kept for the next range, and because the token must
//! stay with its origin.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hf_hub::{Repo, RepoType};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode, Url};

use super::HubError;
use super::connections::Connections;
use super::hub_rate_limit::HubRateLimit;
use super::network::Network;
use super::rate_limit::RateLimit;
use super::refusal::{Asked, Refusal};
use super::retries::{Retries, Setback};
use crate::limits::ANSWER_SILENCES;
use crate::options::HubOptions;
use crate::source::Source;

/// A client for one hub, on behalf of one token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// How often it is tried again, and when.
    pub(crate) retries: Retries,
    /// How long a transfer may be silent.
    pub(crate) silence: Duration,
    /// How many connections to the store of the files there may be.
    pub(crate) connections: Arc<Connections>,
    /// How fast their bytes may come.
    pub(crate) rate_limit: Arc<RateLimit>,
    /// How many requests the hub still allows.
    hub_rate_limit: Arc<HubRateLimit>,
    network: Network,
    endpoint: Url,
    /// Marked as sensitive: its `Debug` does not show it.
    authorization: Option<HeaderValue>,
}

/// A range of bytes; the last one is included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Range {
    /// Bytes.
    pub(crate) fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

impl Client {
    /// As many as `hf` follows (`huggingface_hub` 2.4 `utils/_http.py _MAX_REDIRECTS`).
    pub(super) const MOST_REDIRECTS: usize = 20;

    /// A client for the hub that `options` name. No request is made.
    pub(crate) fn new(options: &HubOptions, retries: Retries) -> Result<Self, HubError> {
        let unreachable = |reason: String| HubError::Unreachable {
            endpoint: options.endpoint.escape_debug().to_string(),
            reason,
        };
        let endpoint = parse_endpoint(&options.endpoint).map_err(unreachable)?;
        let authorization = match &options.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
                    .map_err(|_invalid| unreachable("the token cannot be sent".to_owned()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            retries,
            silence: options.silence,
            connections: Arc::new(Connections::new(options.max_workers)),
            rate_limit: Arc::new(RateLimit::new(options.limit_rate)),
            hub_rate_limit: Arc::new(HubRateLimit::new()),
            network: Network::new(options)?,
            endpoint,
            authorization,
        })
    }

    /// What a request about `source` will be about.
    pub(crate) fn asked(&self, source: &Source) -> Asked {
        Asked {
            repository: source.repository(),
            revision: source.revision().to_owned(),
            path: None,
            with_token: self.authorization.is_some(),
            endpoint: self.endpoint.origin().ascii_serialization(),
            page: shown(self.url([source.owner.as_str(), source.repo.as_str()])),
            renamed: None,
            sent_on_by: None,
        }
    }

    /// A URL below the endpoint; every segment is encoded as a whole.
    pub(crate) fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.endpoint.clone();
        // Every http URL has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments.into_iter().filter(|segment| !segment.is_empty()));
        }
        url
    }

    /// Where the hub says which commit a revision is.
    pub(crate) fn info_url(&self, source: &Source) -> Url {
        let revision = source.revision().to_owned();
        let repo = Repo::with_revision(source.repository(), RepoType::Model, revision);
        let path = repo.api_url();
        let decoded = path.split('/').map(|segment| segment.replace("%2F", "/"));
        let segments: Vec<_> = std::iter::once("api".to_owned()).chain(decoded).collect();
        self.url(segments.iter().map(String::as_str))
    }

    /// Where the hub says where a file is.
    pub(crate) fn resolve_url(&self, source: &Source, commit: &str, path: &str) -> Url {
        let head = [source.owner.as_str(), source.repo.as_str(), "resolve", commit];
        self.url(head.into_iter().chain(path.split('/')))
    }

    /// Whether `url` has the scheme, host and port of the endpoint.
    pub(crate) fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// One request, one answer, no redirect followed. The token goes to the endpoint's origin only.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        range: Option<Range>,
        asked: &Asked,
    ) -> Result<Response, Setback> {
        self.wait_for_rate_limit(url).await?;
        let mut request = self.network.client(url).request(method, url.clone());
        // A compressed body has no length and no ranges.
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Some(Range { first, last }) = range {
            request = request.header(RANGE, format!("bytes={first}-{last}"));
        }
        if let Some(authorization) = self.authorization.as_ref().filter(|_| self.is_home(url)) {
            request = request.header(AUTHORIZATION, authorization);
        }
        match tokio::time::timeout(self.silence, request.send()).await {
            Ok(Ok(answer)) => {
                if self.is_home(url) {
                    self.hub_rate_limit.note(url, answer.headers());
                }
                Ok(answer)
            }
            Ok(Err(error)) => Err(self.found(asked, url).failed(error)),
            Err(_elapsed) => {
                let reason = format!("no answer for {:?}", self.silence);
                Err(Setback::transient(self.found(asked, url).unreachable(reason)))
            }
        }
    }

    /// What a request is about, once it is at `url`: who answers there, and what the repository is
    /// called there.
    fn found(&self, asked: &Asked, url: &Url) -> Asked {
        let endpoint = url.origin().ascii_serialization();
        let is_home = self.is_home(url);
        let mut page = if is_home { self.endpoint.clone() } else { url.clone() };
        let above = if is_home { self.endpoint.path() } else { "" };
        let name = repository_at(url.path().strip_prefix(above).unwrap_or(url.path()));
        let renamed = name.filter(|name| *name != asked.repository);
        if !is_home {
            page.set_path("");
            page.set_query(None);
        }
        if let Ok(mut path) = page.path_segments_mut() {
            let name = renamed.as_ref().unwrap_or(&asked.repository);
            path.pop_if_empty().extend(name.split('/').filter(|part| !part.is_empty()));
        }
        let sent_on_by = (!is_home).then(|| self.endpoint.origin().ascii_serialization());
        Asked { endpoint, page: shown(page), renamed, sent_on_by, ..asked.clone() }
    }

    /// What an answer means that came from `url` and is not the one that was wanted.
    pub(crate) fn refused(&self, asked: &Asked, answer: &Response, url: &Url) -> Setback {
        let refusal = Refusal::from_head(answer.status().as_u16(), answer.headers());
        self.found(asked, url).refused(&refusal)
    }

    /// Whether it is a hub that refuses, and not a store of files: that one has no errors of a hub, and
    /// may know an address that is only good for `GET`.
    pub(crate) fn is_refused_by_a_hub(&self, answer: &Response, url: &Url) -> bool {
        self.is_home(url)
            || answer.headers().contains_key("x-error-code")
            || (answer.status() == StatusCode::UNAUTHORIZED && is_of_a_hub(url))
    }

    /// A hub that allows few more requests gets them slowly rather than has to refuse them.
    async fn wait_for_rate_limit(&self, url: &Url) -> Result<(), Setback> {
        let wait = if self.is_home(url) { self.hub_rate_limit.wait(url) } else { Duration::ZERO };
        if wait > self.retries.longest {
            return Err(Setback::fatal(HubError::RateLimited { retry_after: Some(wait) }));
        }
        if !wait.is_zero() {
            tracing::debug!(?wait, "the hub allows few more requests");
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// A `GET` that follows redirects; the answer comes with the URL that gave it, and may be a
    /// refusal.
    pub(crate) async fn open(
        &self,
        url: &Url,
        range: Option<Range>,
        asked: &Asked,
    ) -> Result<(Response, Url), Setback> {
        let follow = async {
            let mut url = url.clone();
            for _ in 0..=Self::MOST_REDIRECTS {
                let answer = self.send(Method::GET, &url, range, asked).await?;
                match self.redirect(&answer, &url, asked)? {
                    Some(target) => url = target,
                    None => return Ok((answer, url)),
                }
            }
            Err(Setback::fatal(asked.unreachable("it redirects without end")))
        };
        self.within_an_answer(follow, asked).await
    }

    /// Follows redirects for no longer than one answer may take, and the hub may want to be left alone.
    pub(super) async fn within_an_answer<T>(
        &self,
        follow: impl Future<Output = Result<T, Setback>>,
        asked: &Asked,
    ) -> Result<T, Setback> {
        let time =
            self.silence.saturating_mul(ANSWER_SILENCES).saturating_add(self.retries.longest);
        let too_slow = |_elapsed| {
            Setback::fatal(asked.unreachable(format!("it still redirects after {time:?}")))
        };
        tokio::time::timeout(time, follow).await.map_err(too_slow)?
    }

    /// Where an answer from `url` redirects to; absent: nowhere.
    pub(super) fn redirect(
        &self,
        answer: &Response,
        url: &Url,
        asked: &Asked,
    ) -> Result<Option<Url>, Setback> {
        if !answer.status().is_redirection() {
            return Ok(None);
        }
        let target = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = target.and_then(|target| url.join(target).ok());
        let target = target.filter(|target| is_safe_step(url, target)).ok_or_else(|| {
            let reason = "it redirects to where it must not be followed";
            Setback::fatal(self.found(asked, url).unreachable(reason))
        });
        target.map(Some)
    }

    /// The next piece of a body; absent at its end.
    pub(crate) async fn chunk(
        &self,
        answer: &mut Response,
        asked: &Asked,
    ) -> Result<Option<Bytes>, Setback> {
        match tokio::time::timeout(self.silence, answer.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| asked.failed(error)),
            Err(_elapsed) => Err(asked.stalled(self.silence)),
        }
    }
}

fn parse_endpoint(endpoint: &str) -> Result<Url, String> {
    let url = Url::parse(endpoint).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is not http or https", url.scheme()));
    }
    Ok(url)
}

/// Whether `url` is one that a hub has for a repository or its files, and no store of files.
pub(super) fn is_of_a_hub(url: &Url) -> bool {
    repository_at(url.path()).is_some()
}

/// The repository that a path of a hub is about: `api/models/OWNER/REPO/...`, the same of
/// `api/resolve-cache`, `OWNER/REPO/resolve/...`, wherever the hub begins. One of the oldest has no
/// owner.
fn repository_at(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let below = ["revision", "tree", "resolve"];
    let place = |wanted: &str| parts.iter().position(|part| *part == wanted);
    // What is behind `resolve` is the name of a file.
    let resolve = place("resolve").filter(|end| *end > 0);
    let name = match place("api").filter(|api| resolve.is_none_or(|end| *api < end)) {
        Some(at) => {
            let models = parts[at..].iter().position(|part| *part == "models")?;
            let rest = &parts[at + models + 1..];
            let owned = rest.len() > 1 && (rest.len() == 2 || !below.contains(&rest[1]));
            rest.get(..if owned { 2 } else { 1 })?
        }
        None => {
            let end = resolve?;
            &parts[end.saturating_sub(2)..end]
        }
    };
    let is_plain = |part: &&str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    name.iter().all(is_plain).then(|| name.join("/"))
}

/// For a person: without a user and a password.
fn shown(mut url: Url) -> String {
    // Every http URL can be without them.
    _ = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}

/// Not from an encrypted connection to one that is not, and to nothing but http.
fn is_safe_step(from: &Url, to: &Url) -> bool {
    match to.scheme() {
        "https" => true,
        "http" => from.scheme() == "http",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(endpoint: &str) -> Client {
        let options = HubOptions {
            endpoint: endpoint.to_owned(),
            token: None,
            offline: false,
            max_workers: 1,
            limit_rate: None,
            deadline: None,
            silence: Duration::from_secs(1),
            locking: crate::options::Locking::default(),
            network: crate::options::NetworkOptions::default(),
        };
        Client::new(&options, Retries::default()).unwrap()
    }

    #[test]
    fn every_segment_of_a_url_is_encoded_as_a_whole() {
        let path = ["o", "r", "resolve", "feature/x", "a b#?%.md"];
        for (endpoint, expected) in [
            ("http://hub", "http://hub/o/r/resolve/feature%2Fx/a%20b%23%3F%25.md"),
            ("http://hub/sub/", "http://hub/sub/o/r/resolve/feature%2Fx/a%20b%23%3F%25.md"),
        ] {
            assert_eq!(client(endpoint).url(path).as_str(), expected);
        }
        assert_eq!(client("http://hub").url(["", "gpt2"]).as_str(), "http://hub/gpt2");
    }

    #[test]
    fn a_commit_is_asked_for_below_the_endpoint_by_one_segment() {
        let source = Source {
            owner: "o".to_owned(),
            repo: "r".to_owned(),
            revision: Some("feature/x+1".to_owned()),
            path: None,
        };
        let url = client("http://hub/sub/").info_url(&source);
        assert_eq!(url.as_str(), "http://hub/sub/api/models/o/r/revision/feature%2Fx+1");
    }

    #[test]
    fn the_repository_of_an_answer_is_in_its_path() {
        for (path, expected) in [
            ("/api/models/o/r/revision/main", Some("o/r")),
            ("/api/models/o/r", Some("o/r")),
            ("/api/models/gpt2/tree/main", Some("gpt2")),
            ("/api/models/gpt2", Some("gpt2")),
            ("/api/resolve-cache/models/o/r/0123/a.json", Some("o/r")),
            ("/sub/o/r/resolve/main/a/resolve.md", Some("o/r")),
            ("/o/r/resolve/main/api/models/resolve/x", Some("o/r")),
            ("/gpt2/resolve/main/a", Some("gpt2")),
            ("/o/r%20x/resolve/main/a", None),
            ("/api/whoami-v2", None),
            ("/0123/o/r/a.gguf", None),
            ("/resolve/x", None),
        ] {
            assert_eq!(repository_at(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_a_person_is_shown_has_no_password() {
        let url = Url::parse("https://user:secret@hub/o/r").unwrap();
        assert_eq!(shown(url), "https://hub/o/r");
    }

    #[test]
    fn home_is_scheme_host_and_port() {
        let client = client("https://hub:8443/sub");
        let is_home = |url: &str| client.is_home(&Url::parse(url).unwrap());
        assert!(is_home("https://hub:8443/elsewhere"));
        for url in ["http://hub:8443/sub", "https://hub/sub", "https://hub.evil:8443/sub"] {
            assert!(!is_home(url), "{url}");
        }
    }

    #[test]
    fn no_step_leads_from_an_encrypted_connection_to_an_open_one() {
        for (from, to, expected) in [
            ("https://a", "https://b", true),
            ("http://a", "https://a", true),
            ("http://a", "http://b", true),
            ("https://a", "http://a", false),
            ("http://a", "file:///etc/passwd", false),
        ] {
            let (from, to) = (Url::parse(from).unwrap(), Url::parse(to).unwrap());
            assert_eq!(is_safe_step(&from, &to), expected, "{from} {to}");
        }
    }
}

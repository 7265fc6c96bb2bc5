//! The connection: endpoint, token, and requests that keep the two together.
//!
//! hf-hub says where a model is asked for; the requests are sent by a client that follows no
//! redirect by itself, because a signed URL is kept for the next range, and because the token must
//! stay with its origin.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hf_hub::api::tokio::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, LOCATION, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};

use super::HubError;
use super::connections::Connections;
use super::hub_rate_limit::HubRateLimit;
use super::rate_limit::RateLimit;
use super::refusal::{Asked, Refusal, chain};
use super::retries::{Retries, Setback};
use crate::options::HubOptions;
use crate::source::Source;

/// A client for one hub, on behalf of one token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    hf: Api,
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
    http: reqwest::Client,
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

/// No folder, and none can be made there.
const NOWHERE: &str = "/dev/null/hub";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MOST_REDIRECTS: usize = 5;
const USER_AGENT: &str = concat!("compose-preflight/", env!("CARGO_PKG_VERSION"));

impl Client {
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
        // A cache in no folder has no token, and no token is given: the requests are sent here.
        let hf = ApiBuilder::from_cache(Cache::new(PathBuf::from(NOWHERE)))
            .with_endpoint(options.endpoint.trim_end_matches('/').to_owned())
            .build()
            .map_err(|error| unreachable(chain(&error)))?;
        // Silence is watched in `send` and `chunk`, where it is known what it interrupts.
        // Over HTTP/2 all ranges would share one connection, and its window.
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .http1_only()
            .build()
            .map_err(|error| unreachable(chain(&error)))?;
        Ok(Self {
            hf,
            retries,
            silence: options.silence,
            connections: Arc::new(Connections::new(options.max_workers)),
            rate_limit: Arc::new(RateLimit::new(options.limit_rate)),
            hub_rate_limit: Arc::new(HubRateLimit::new()),
            http,
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
            page: self.url([source.owner.as_str(), source.repo.as_str()]).into(),
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
    pub(crate) fn info_url(&self, source: &Source) -> Result<Url, Setback> {
        let revision = source.revision().to_owned();
        let repo = Repo::with_revision(source.repository(), RepoType::Model, revision);
        let request = self.hf.repo(repo).info_request().build();
        request
            .map(|request| request.url().clone())
            .map_err(|error| self.asked(source).failed(error))
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
        let mut request = self.http.request(method, url.clone());
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
            Ok(Err(error)) => Err(asked.failed(error)),
            Err(_elapsed) => {
                let reason = format!("no answer for {:?}", self.silence);
                Err(Setback::transient(asked.unreachable(reason)))
            }
        }
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
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.send(Method::GET, &url, range, asked).await?;
            if !answer.status().is_redirection() {
                return Ok((answer, url));
            }
            let target = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let target = target.and_then(|target| url.join(target).ok());
            let Some(target) = target.filter(|target| is_safe_step(&url, target)) else {
                let reason = "it redirects to where it must not be followed";
                return Err(Setback::fatal(asked.unreachable(reason)));
            };
            url = target;
        }
        Err(Setback::fatal(asked.unreachable("it redirects without end")))
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

    /// Learns whether the token opens a file, without fetching it.
    ///
    /// Listings may be public where files are not, so one file has to be asked for.
    pub(crate) async fn probe_access(
        &self,
        source: &Source,
        commit: &str,
        path: &str,
    ) -> Result<(), HubError> {
        let asked = &self.asked(source).file(path);
        let url = &self.resolve_url(source, commit, path);
        self.retries
            .persist(|| async move {
                let answer = self.send(Method::HEAD, url, None, asked).await?;
                let status = answer.status();
                if status.is_success() || status.is_redirection() {
                    return Ok(());
                }
                Err(asked.refused(&Refusal::from_head(status.as_u16(), answer.headers())))
            })
            .await
    }
}

fn parse_endpoint(endpoint: &str) -> Result<Url, String> {
    let url = Url::parse(endpoint).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is not http or https", url.scheme()));
    }
    Ok(url)
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
            timeout: None,
            silence: Duration::from_secs(1),
            locking: crate::options::Locking::default(),
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
        let url = client("http://hub/sub/").info_url(&source).ok();
        let expected = "http://hub/sub/api/models/o/r/revision/feature%2Fx+1";
        assert_eq!(url.as_ref().map(Url::as_str), Some(expected));
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

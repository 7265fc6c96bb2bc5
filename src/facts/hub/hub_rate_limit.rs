//! The rate limit of the hub: how many requests it says are left, and waiting before there are
//! none.
//!
//! Every answer carries `RateLimit: "resolvers";r=LEFT;t=SECONDS` (hub documentation, "Rate
//! limits"): fixed windows, one for the API and one for resolving files.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::time::Instant;

/// When the next request of each kind may be made.
#[derive(Debug)]
pub(crate) struct HubRateLimit {
    start: Instant,
    /// In milliseconds since `start`.
    api: AtomicU64,
    resolvers: AtomicU64,
}

/// From here on, what is left is spread over what is left of the window.
const FEW: u64 = 10;

impl HubRateLimit {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), api: AtomicU64::new(0), resolvers: AtomicU64::new(0) }
    }

    /// Keeps what an answer about `url` says.
    pub(crate) fn note(&self, url: &Url, headers: &HeaderMap) {
        let Some(wait) = wait_asked_for(headers) else { return };
        let at = self.start.elapsed().saturating_add(wait).as_millis();
        self.window(url).fetch_max(u64::try_from(at).unwrap_or(u64::MAX), SeqCst);
    }

    /// How long a request for `url` should wait; mostly not at all.
    pub(crate) fn wait(&self, url: &Url) -> Duration {
        let at = Duration::from_millis(self.window(url).load(SeqCst));
        at.saturating_sub(self.start.elapsed())
    }

    fn window(&self, url: &Url) -> &AtomicU64 {
        let path = url.path();
        let resolves = path.contains("/resolve/") || path.contains("/resolve-cache/");
        if resolves { &self.resolvers } else { &self.api }
    }
}

/// What a `RateLimit` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// Requests; absent where only the time is said.
    pub(super) left: Option<u64>,
    /// Until there are more.
    pub(super) reset: Duration,
}

impl Limit {
    /// `"resolvers";r=LEFT;t=SECONDS`.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get("ratelimit")?.to_str().ok()?;
        let number = |name: &str| -> Option<u64> {
            let pairs = text.split(';').filter_map(|part| part.split_once('='));
            let mut named = pairs.filter(|(key, _)| key.trim() == name);
            // A list may go on behind a comma.
            named.next()?.1.split(',').next()?.trim().parse().ok()
        };
        Some(Self { left: number("r"), reset: Duration::from_secs(number("t")?) })
    }
}

/// How long to leave the hub alone after this answer, if nearly nothing is left.
fn wait_asked_for(headers: &HeaderMap) -> Option<Duration> {
    let Limit { left, reset } = Limit::of(headers)?;
    let left = left.filter(|left| *left < FEW)?;
    Some(reset / u32::try_from(left + 1).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn check(limit: &'static str) -> Option<u64> {
        let headers = [("ratelimit".parse().unwrap(), HeaderValue::from_static(limit))];
        wait_asked_for(&headers.into_iter().collect()).map(|wait| wait.as_secs())
    }

    #[test]
    fn the_last_requests_are_spread_over_the_rest_of_the_window() {
        for (limit, expected) in [
            ("\"api\";r=2999;t=300", None),
            ("\"api\";r=0;t=7", Some(7)),
            ("\"resolvers\"; r=4; t=100", Some(20)),
            ("\"api\";t=7", None),
            ("\"api\";r=0;t=7, \"pages\";r=99;t=300", Some(7)),
            ("nonsense", None),
        ] {
            assert_eq!(check(limit), expected, "{limit}");
        }
    }

    #[tokio::test]
    async fn a_window_without_end_is_longer_than_is_waited() {
        let limit = HubRateLimit::new();
        let file = Url::parse("http://hub/o/r/resolve/main/a").unwrap();
        let most = HeaderValue::from_static("\"x\";r=0;t=18446744073709551615");
        limit.note(&file, &[("ratelimit".parse().unwrap(), most)].into_iter().collect());
        assert!(limit.wait(&file) > Duration::from_secs(1_000_000_000));
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_of_request_has_its_own_window() {
        let limit = HubRateLimit::new();
        let api = Url::parse("http://hub/api/models/o/r/tree/main").unwrap();
        let file = Url::parse("http://hub/o/r/resolve/main/a").unwrap();
        let header = ("ratelimit".parse().unwrap(), HeaderValue::from_static("\"x\";r=0;t=9"));
        limit.note(&file, &[header].into_iter().collect());
        assert_eq!(limit.wait(&file), Duration::from_secs(9));
        assert_eq!(limit.wait(&api), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(limit.wait(&file), Duration::ZERO);
    }
}

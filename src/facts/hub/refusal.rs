//! What an answer of the hub means that is not the one that was wanted.
//!
//! The status alone does not tell: the hub's own word is the header `X-Error-Code`
//! (`huggingface_hub` 1.29 `utils/_http.py hf_raise_for_status`).

use std::io;
use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use rustls::CertificateError;

use super::HubError;
use super::hub_rate_limit::Limit;
use super::retries::{Again, Setback};
use super::store::printable;
use crate::limits::LEAST_OF_FILE;

/// What a request was about.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `owner/repo`.
    pub(crate) repository: String,
    /// As asked.
    pub(crate) revision: String,
    /// The file, if it was about one.
    pub(crate) path: Option<String>,
    /// Whether a token was sent.
    pub(crate) with_token: bool,
    /// Scheme, host and port of who answers.
    pub(crate) endpoint: String,
    /// Where a person looks at the repository.
    pub(crate) page: String,
    /// What who answers calls the repository, if it is something else.
    pub(crate) renamed: Option<String>,
    /// The hub that was asked, where it has sent the request on to another one, without the token.
    pub(crate) sent_on_by: Option<String>,
}

/// An answer that refuses.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `X-Error-Code`.
    pub(crate) code: Option<String>,
    /// `X-Error-Message`.
    pub(crate) message: Option<String>,
    /// How long the hub wants to be left alone.
    pub(crate) wait: Option<Duration>,
}

impl Asked {
    /// About one file of it.
    pub(crate) fn file(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// What an answer means.
    pub(crate) fn refused(&self, refusal: &Refusal) -> Setback {
        let Refusal { status, .. } = *refusal;
        match status {
            429 => {
                let error = HubError::RateLimited { retry_after: refusal.wait };
                Setback { error, again: refusal.again() }
            }
            408 | 500..=599 => Setback { error: self.server_error(status), again: refusal.again() },
            _ => Setback::fatal(self.final_error(refusal)),
        }
    }

    fn final_error(&self, refusal: &Refusal) -> HubError {
        let repository = self.repository.clone();
        match (refusal.code.as_deref(), refusal.status) {
            (Some("GatedRepo"), _) => self.gated(),
            (_, 401) if self.with_token && self.sent_on_by.is_some() => self.gated(),
            (Some("RepoNotFound"), _) => HubError::RepositoryNotFound { repository },
            (Some("RevisionNotFound"), _) => self.revision_not_found(),
            (Some("EntryNotFound"), _) => self.file_gone(),
            (_, 401) if self.with_token && refusal.blames_the_token() => {
                HubError::TokenRejected { repository }
            }
            // Without a code: a repository that is missing, or private.
            (_, 401) => HubError::RepositoryNotFound { repository },
            (_, 403) => HubError::Forbidden {
                repository,
                reason: printable(refusal.message.as_deref().unwrap_or("forbidden")),
            },
            (_, 404) if self.path.is_some() => self.file_gone(),
            (_, 404) => HubError::RepositoryNotFound { repository },
            (_, status) => self.server_error(status),
        }
    }

    fn revision_not_found(&self) -> HubError {
        let revision = self.revision.clone();
        HubError::RevisionNotFound { repository: self.repository.clone(), revision }
    }

    /// The repository is for those who have been let in.
    fn gated(&self) -> HubError {
        let (repository, renamed) = (self.repository.clone(), self.renamed.clone());
        let page = self.page.clone();
        match (&self.sent_on_by, self.with_token) {
            (Some(mirror), true) => {
                let (mirror, sent_on_to) = (mirror.clone(), self.endpoint.clone());
                HubError::TokenNotSent { repository, renamed, mirror, sent_on_to }
            }
            (None, true) => HubError::Gated { repository, renamed, page },
            (sent_on_by, false) => {
                let sent_on_to = sent_on_by.as_ref().map(|_| self.endpoint.clone());
                HubError::TokenMissing { repository, renamed, page, sent_on_to }
            }
        }
    }

    /// A file is only asked for after it was listed.
    fn file_gone(&self) -> HubError {
        HubError::FileGone {
            repository: self.repository.clone(),
            path: printable(self.path.as_deref().unwrap_or_default()),
            endpoint: self.endpoint.clone(),
        }
    }

    fn server_error(&self, status: u16) -> HubError {
        HubError::Server { endpoint: self.endpoint.clone(), status }
    }

    /// The network failed, or what came is not an answer.
    pub(crate) fn unreachable(&self, reason: impl Into<String>) -> HubError {
        HubError::Unreachable { endpoint: self.endpoint.clone(), reason: reason.into() }
    }

    /// A request that got no answer. Its URL, which may be signed, is not repeated.
    pub(crate) fn failed(&self, error: reqwest::Error) -> Setback {
        if let Some(wrong) = distrust(&error) {
            let issuer_unknown =
                matches!(wrong, CertificateError::UnknownIssuer | CertificateError::Other(_));
            let (endpoint, reason) = (self.endpoint.clone(), what_is_wrong(wrong));
            return Setback::fatal(HubError::Untrusted { endpoint, reason, issuer_unknown });
        }
        let worth_another = !error.is_builder() && !error.is_redirect();
        let error = self.unreachable(chain(&error.without_url()));
        if worth_another { Setback::transient(error) } else { Setback::fatal(error) }
    }

    /// The body of a file that comes too slowly to end.
    pub(crate) fn crawls(&self, time: Duration) -> Setback {
        let path = printable(self.path.as_deref().unwrap_or_default());
        Setback::transient(HubError::Crawls { path, least: LEAST_OF_FILE, time })
    }

    /// A body that no longer comes.
    pub(crate) fn stalled(&self, silence: Duration) -> Setback {
        Setback::transient(match &self.path {
            Some(path) => HubError::Stalled { path: printable(path), silence },
            None => self.unreachable(format!("no byte for {silence:?}")),
        })
    }
}

impl Refusal {
    /// What the head of an answer says.
    pub(crate) fn from_head(status: u16, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        // The hub's own header first: behind a cache, `Retry-After` can be that of the cache. It comes
        // with every answer, and is the reason of this one where nothing is left.
        let exhausted = || {
            let limit = Limit::of(headers)?;
            limit.left.is_none_or(|left| left == 0).then_some(limit.reset)
        };
        let wait = match status {
            429 => exhausted().or_else(|| retry_after(headers)),
            503 => retry_after(headers),
            _ => None,
        };
        Self { status, code: text("x-error-code"), message: text("x-error-message"), wait }
    }

    /// When to try again, if that makes sense.
    pub(crate) fn again(&self) -> Again {
        self.wait.map_or(Again::Soon, Again::After)
    }

    /// "Invalid credentials in Authorization header", "User Access Token ... is expired".
    fn blames_the_token(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_ascii_lowercase();
        message.contains("credentials") || message.contains("token")
    }
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3), which is the server's: its clock counts.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text| httpdate::parse_http_date(text).ok();
    let now = text(DATE).and_then(date).unwrap_or_else(SystemTime::now);
    Some(date(value)?.duration_since(now).unwrap_or_default())
}

/// What is wrong with a certificate, if that is what ended a request.
fn distrust<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(wrong)) = error.downcast_ref() {
        return Some(wrong);
    }
    // What is inside an error of input or output is not among its causes.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => distrust(inner),
        None => distrust(error.source()?),
    }
}

/// What a certificate is not believed for, in a word.
fn what_is_wrong(error: &CertificateError) -> String {
    // webpki's word for an authority that is its own server is `CaUsedAsEndEntity`.
    if let CertificateError::Other(other) = error
        && format!("{other:?}").contains("CaUsedAsEndEntity")
    {
        return "it vouches for itself".to_owned();
    }
    printable(&error.to_string())
}

/// The causes of an error, outermost first, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    printable(&text)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn check(
        status: u16,
        headers: &[(&'static str, &'static str)],
        token: bool,
    ) -> (String, Again) {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let asked = Asked {
            repository: "o/r".to_owned(),
            revision: "v1".to_owned(),
            path: Some("f".to_owned()),
            with_token: token,
            endpoint: "http://hub".to_owned(),
            page: "http://hub/o/r".to_owned(),
            renamed: None,
            sent_on_by: None,
        };
        let setback = asked.refused(&Refusal::from_head(status, &headers));
        (setback.error.to_string(), setback.again)
    }

    #[test]
    fn the_code_decides_before_the_status() {
        for (status, code, token, expected) in [
            (401, "GatedRepo", false, "`o/r` needs a token, and none is set"),
            (403, "GatedRepo", true, "access to `o/r` is gated"),
            (404, "RepoNotFound", true, "there is no repository `o/r`"),
            (404, "RevisionNotFound", true, "`o/r` has no revision `v1`"),
            (404, "EntryNotFound", true, "`http://hub` lists `f` in `o/r` and does not have it"),
        ] {
            let headers = [("x-error-code", code)];
            assert_eq!(check(status, &headers, token), (expected.to_owned(), Again::Never));
        }
    }

    #[test]
    fn a_401_without_a_code_is_a_missing_repository_or_a_bad_token() {
        let (error, _) = check(401, &[("x-error-message", "Invalid username or password.")], false);
        assert_eq!(error, "there is no repository `o/r`");
        let bad = [("x-error-message", "Invalid credentials in Authorization header")];
        assert_eq!(check(401, &bad, true).0, "the hub rejects the token");
    }

    #[test]
    fn the_hub_says_when_to_come_back() {
        let both = [("ratelimit", "\"api\";r=0;t=7"), ("retry-after", "99")];
        assert_eq!(check(429, &both, true).1, Again::After(Duration::from_secs(7)));
        let after = [("retry-after", "9")];
        assert_eq!(check(429, &after, true).1, Again::After(Duration::from_secs(9)));
        // A limit that is not reached is not what the answer is about.
        let other = [("ratelimit", "\"api\";r=2999;t=280"), ("retry-after", "2")];
        assert_eq!(check(429, &other, true).1, Again::After(Duration::from_secs(2)));
        let spaced = [("ratelimit", "\"api\" ; r = 0 ; t = 15")];
        assert_eq!(check(429, &spaced, true).1, Again::After(Duration::from_secs(15)));
        assert_eq!(check(429, &[], true).1, Again::Soon);
        assert_eq!(check(503, &[], true).1, Again::Soon);
        let date = [
            ("date", "Wed, 21 Oct 2015 07:27:30 GMT"),
            ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ];
        assert_eq!(check(429, &date, true).1, Again::After(Duration::from_secs(30)));
        assert_eq!(check(503, &date, true).1, Again::After(Duration::from_secs(30)));
        // Whatever its clock says.
        let ahead = [("date", "Fri, 31 Dec 9999 23:59:59 GMT"), date[1]];
        assert_eq!(check(429, &ahead, true).1, Again::After(Duration::ZERO));
        let far = [date[0], ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")];
        let Again::After(wait) = check(429, &far, true).1 else { panic!() };
        assert!(wait.as_secs() > 250_000_000_000, "{wait:?}");
        let most = [("retry-after", "18446744073709551615")];
        assert_eq!(check(429, &most, true).1, Again::After(Duration::from_secs(u64::MAX)));
        // Without the server's clock it is long past.
        assert_eq!(check(429, &date[1..], true).1, Again::After(Duration::ZERO));
        assert_eq!(check(429, &[("retry-after", "soon")], true).1, Again::Soon);
        assert_eq!(check(418, &[], true), ("`http://hub` answers 418".to_owned(), Again::Never));
    }
}

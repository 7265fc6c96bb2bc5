//! What an answer to a request for a range is.

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap};
use reqwest::{Response, StatusCode, Url};

use super::{SMALL, Transfer};
use crate::facts::hub::body::{self, Pace};
use crate::facts::hub::client::Range;
use crate::facts::hub::refusal::Refusal;
use crate::facts::hub::retries::Setback;
use crate::facts::hub::store::printable;
use crate::facts::hub::{HubError, encoding};

/// A body that has something of the file.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) answer: Response,
    /// Where it begins.
    pub(super) first: u64,
    /// The server ignores ranges: it goes on to the end of the file.
    pub(super) whole: bool,
    /// CRC-32 of its `ETag`; 0 without one.
    ///
    /// A block is bound to the answer that it came with, and the file as a whole to the object id
    /// that the hub promised at the commit. So another `ETag` (another node, another store) costs
    /// nothing as long as the whole holds, and says where to look first if it does not.
    pub(super) tag: u32,
    pub(super) pace: Pace,
}

impl Transfer<'_> {
    /// The answer as it is without its encoding, which has no ranges: all of a small file, or nothing
    /// that is of use.
    pub(super) async fn plain(&self, answer: Response) -> Result<Response, Setback> {
        let Some(encoding) =
            encoding::of(answer.headers()).filter(|_| answer.status().is_success())
        else {
            return Ok(answer);
        };
        let fail = |reason: String| {
            let path = printable(&self.download.file.path);
            Setback::transient(self.asked.unreachable(format!("its `{path}` {reason}")))
        };
        let size = self.download.file.size;
        if answer.status() != StatusCode::OK || size >= SMALL {
            return Err(fail(format!("is compressed with `{}`", printable(&encoding))));
        }
        let etag = answer.headers().get(ETAG).cloned();
        // Compressed it is hardly longer than it is.
        let most = usize::try_from(2 * SMALL).unwrap_or(usize::MAX);
        let body = body::read_encoded(self.client, answer, most, &self.asked).await?;
        let budget = usize::try_from(size).unwrap_or(usize::MAX);
        let content = encoding::undo(&encoding, &body, budget).map_err(fail)?;
        let mut plain = http::Response::new(content);
        if let Some(etag) = etag {
            plain.headers_mut().insert(ETAG, etag);
        }
        Ok(plain.into())
    }

    /// Looks at the head of an answer to a request for these bytes.
    pub(super) fn body(&self, answer: Response, url: &Url, asked: Range) -> Result<Body, Setback> {
        let first = asked.first;
        let size = self.download.file.size;
        let (tag, pace) = (tag(answer.headers()), Pace::default());
        let range = text(answer.headers(), CONTENT_RANGE.as_str());
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                let (start, total) = range.and_then(parse_content_range).unzip();
                // Without a word on what it is, its length has to say that it is what was asked for.
                let silent = range.is_none() && answer.content_length() == Some(asked.length());
                if start != Some(first) && !silent {
                    let error = self.asked.unreachable("it answers with another range");
                    return Err(Setback::transient(error));
                }
                match total.flatten() {
                    Some(total) if total != size => Err(self.wrong_size(&total.to_string())),
                    Some(_) | None => Ok(Body { answer, first, whole: false, tag, pace }),
                }
            }
            StatusCode::OK => match answer.content_length() {
                Some(length) if length != size => Err(self.wrong_size(&length.to_string())),
                Some(_) | None => Ok(Body { answer, first: 0, whole: true, tag, pace }),
            },
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let total = range.unwrap_or_default().trim_start_matches("bytes */");
                Err(self.wrong_size(&total.escape_debug().to_string()))
            }
            status => {
                let by_hub = self.client.is_refused_by_a_hub(&answer, url);
                if by_hub || status == StatusCode::TOO_MANY_REQUESTS {
                    return Err(self.client.refused(&self.asked, &answer, url));
                }
                // An address that has expired, or a store in trouble.
                let endpoint = url.origin().ascii_serialization();
                let error = HubError::Server { endpoint, status: status.as_u16() };
                let again = Refusal::from_head(status.as_u16(), answer.headers()).again();
                Err(Setback { error, again })
            }
        }
    }

    fn wrong_size(&self, actual: &str) -> Setback {
        Setback::fatal(HubError::Corrupt {
            path: printable(&self.download.file.path),
            expected: format!("{} bytes", self.download.file.size),
            actual: format!("{actual} bytes"),
        })
    }
}

/// Whether a status may only mean that there are too many connections.
pub(super) fn may_be_crowded(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS)
        || status.is_server_error()
}

fn tag(headers: &HeaderMap) -> u32 {
    let etag = text(headers, ETAG.as_str()).map(|etag| etag.trim_start_matches("W/"));
    etag.map_or(0, |etag| crc32fast::hash(etag.as_bytes()))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// First byte and size of `bytes A-B/SIZE`; the size may be `*`.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    if total == "*" {
        return Some((first, None));
    }
    Some((first, Some(total.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_may_leave_the_size_open() {
        for (text, expected) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 0-0/*", Some((0, None))),
            ("bytes */10", None),
            ("bytes 5-9/ten", None),
            ("5-9/10", None),
        ] {
            assert_eq!(parse_content_range(text), expected, "{text}");
        }
    }

    #[test]
    fn refusals_that_a_crowd_can_cause_are_told_from_others() {
        let crowded = |status| may_be_crowded(StatusCode::from_u16(status).unwrap());
        assert!([403, 429, 500, 503].into_iter().all(crowded));
        assert!(![200, 206, 401, 404, 416].into_iter().any(crowded));
    }
}

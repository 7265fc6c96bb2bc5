//! The one reader of what a hub answers that is no range of a file, and how fast a range has to come.

use std::time::Duration;

use reqwest::Response;
use tokio::time::Instant;

use super::client::Client;
use super::encoding;
use super::refusal::Asked;
use super::retries::Setback;
use crate::limits::{ANSWER_SILENCES, LEAST_OF_FILE};

/// All of a body, without its encoding: at most `most` bytes, before and after.
///
/// # Errors
/// What a hub that cannot be reached is told with. One that is too long, or too slow altogether, is not
/// asked again.
pub(super) async fn read(
    client: &Client,
    answer: Response,
    most: usize,
    asked: &Asked,
) -> Result<Vec<u8>, Setback> {
    let encoding = encoding::of(answer.headers());
    let body = read_encoded(client, answer, most, asked).await?;
    let Some(encoding) = encoding else { return Ok(body) };
    encoding::undo(&encoding, &body, most)
        .map_err(|reason| Setback::fatal(asked.unreachable(format!("its answer {reason}"))))
}

/// The same as it comes.
pub(super) async fn read_encoded(
    client: &Client,
    mut answer: Response,
    most: usize,
    asked: &Asked,
) -> Result<Vec<u8>, Setback> {
    let fail = |reason: String| Setback::fatal(asked.unreachable(reason));
    let take = async {
        let mut body = Vec::new();
        while let Some(chunk) = client.chunk(&mut answer, asked).await? {
            if most - body.len() < chunk.len() {
                return Err(fail("its answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    let time = client.silence.saturating_mul(ANSWER_SILENCES);
    let too_slow = |_elapsed| fail(format!("its answer has not ended after {time:?}"));
    tokio::time::timeout(time, take).await.map_err(too_slow)?
}

/// How fast the content of a file comes, as far as it was waited for: what this side makes it wait
/// does not count.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waited: Duration,
    came: u64,
}

impl Pace {
    /// Counts a piece that was waited for since `began`; how long so little was waited for that it is no
    /// use to go on.
    pub(super) fn count(
        &mut self,
        began: Instant,
        bytes: usize,
        silence: Duration,
    ) -> Option<Duration> {
        self.waited += began.elapsed();
        self.came += bytes as u64;
        let enough = LEAST_OF_FILE <= self.came;
        let waited = silence.saturating_mul(ANSWER_SILENCES) <= self.waited;
        let too_long = (waited && !enough).then_some(self.waited);
        if enough {
            *self = Self::default();
        }
        too_long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_one_that_brings_something_and_no_more_than_that() {
        let silence = Duration::from_secs(30);
        // A modem that eight connections share, a piece every twenty seconds.
        let (mut pace, mut crawling) = (Pace::default(), Pace::default());
        let mut ended = None;
        for count in 1..=100 {
            let began = Instant::now();
            tokio::time::advance(Duration::from_secs(20)).await;
            assert_eq!(pace.count(began, 14_000, silence), None);
            ended = ended.or_else(|| crawling.count(began, 20, silence).map(|_| count));
        }
        assert_eq!(ended, Some(6));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_waited_for_does_not_count() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            // `--limit-rate`, or a slow disk.
            tokio::time::advance(Duration::from_secs(20)).await;
            assert_eq!(pace.count(Instant::now(), 1, Duration::from_secs(30)), None);
        }
    }
}

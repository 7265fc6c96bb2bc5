//! How often something is tried again, and how long is waited between.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use super::HubError;

/// Patience with a network. Waits grow twofold, with jitter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retries {
    /// Tries without progress before the error stands; at least 1.
    pub(crate) attempts: u32,
    /// The first wait.
    pub(crate) base: Duration,
    /// A hub that wants a longer wait than this is not waited for.
    pub(crate) longest: Duration,
}

/// An attempt that failed.
#[derive(Debug)]
pub(crate) struct Setback {
    /// What it means if it was the last one.
    pub(crate) error: HubError,
    /// Whether another one makes sense.
    pub(crate) again: Again,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It would end the same.
    Never,
    /// After a wait of our own choice.
    Soon,
    /// After this wait, which the server asks for.
    After(Duration),
}

/// The windows of the hub's limits are five minutes long (hub documentation, rate limits).
const RATE_LIMIT_WINDOW: Duration = Duration::from_secs(300);

const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, base: Duration::from_millis(500), longest: RATE_LIMIT_WINDOW }
    }
}

impl Setback {
    /// Trying again would end the same.
    pub(crate) fn fatal(error: HubError) -> Self {
        Self { error, again: Again::Never }
    }

    /// Trying again may help.
    pub(crate) fn transient(error: HubError) -> Self {
        Self { error, again: Again::Soon }
    }
}

impl Retries {
    /// Repeats `attempt` until it succeeds or there is no hope.
    pub(crate) async fn persist<T, F, Attempt>(&self, mut attempt: F) -> Result<T, HubError>
    where
        F: FnMut() -> Attempt,
        Attempt: Future<Output = Result<T, Setback>>,
    {
        let mut failures = 0;
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(setback) => {
                    failures += 1;
                    self.pause(failures, setback).await?;
                }
            }
        }
    }

    /// Waits after the `failures`th failure in a row.
    ///
    /// # Errors
    /// The error of the setback, when it makes no sense to go on.
    pub(crate) async fn pause(&self, failures: u32, setback: Setback) -> Result<(), HubError> {
        if failures >= self.attempts {
            return Err(setback.error);
        }
        let wait = match setback.again {
            Again::Never => return Err(setback.error),
            Again::After(wait) if wait > self.longest => return Err(setback.error),
            Again::After(wait) => wait + self.jitter(self.base),
            Again::Soon => {
                let doubled = self.base.saturating_mul(1 << failures.saturating_sub(1).min(16));
                self.jitter(doubled.min(LONGEST_BACKOFF))
            }
        };
        if wait > LONGEST_BACKOFF {
            tracing::warn!("{}; trying again in {} s", setback.error, wait.as_secs());
        } else {
            tracing::debug!(error = %setback.error, ?wait, "trying again");
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Between half of `wait` and all of it, so that many lanes do not come back at once.
    fn jitter(&self, wait: Duration) -> Duration {
        let thousandths = u32::try_from(random() % 500).unwrap_or(0);
        wait / 2 + wait * thousandths / 1000
    }
}

/// A number that differs from call to call; not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn setback(again: Again) -> Setback {
        Setback { error: HubError::Offline, again }
    }

    /// How often is tried, and how many seconds that takes.
    async fn check(again: Again) -> (u32, u64) {
        let start = Instant::now();
        let mut tries = 0;
        let result: Result<(), _> = Retries::default()
            .persist(|| {
                tries += 1;
                async { Err(setback(again)) }
            })
            .await;
        result.unwrap_err();
        (tries, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn waits_are_bounded_and_obey_the_server() {
        let (tries, seconds) = check(Again::Soon).await;
        assert_eq!(tries, 5);
        assert!((3..=7).contains(&seconds), "{seconds} s");
        assert_eq!(check(Again::Never).await, (1, 0));
        assert_eq!(check(Again::After(Duration::from_secs(301))).await, (1, 0));
        assert_eq!(check(Again::After(Duration::from_secs(u64::MAX))).await, (1, 0));
        let (tries, seconds) = check(Again::After(Duration::from_secs(20))).await;
        assert_eq!(tries, 5);
        assert!((80..=82).contains(&seconds), "{seconds} s");
    }
}

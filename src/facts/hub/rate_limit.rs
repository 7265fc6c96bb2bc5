//! Our own rate limit, `--limit-rate`: how many bytes a second arrive, over all connections.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::time::Instant;

/// A bucket that refills at a constant rate and holds a quarter of a second.
///
/// Whoever has received bytes pays for them before asking for more; what the network holds back
/// meanwhile, TCP holds back at the sender.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// Bytes a second; absent: no limit.
    rate: Option<NonZeroU64>,
    start: Instant,
    /// When everything received so far will have been paid for, in nanoseconds since `start`.
    paid_at: AtomicU64,
}

const BURST: Duration = Duration::from_millis(250);
const NANOSECONDS: u128 = 1_000_000_000;

impl RateLimit {
    /// At most `rate` bytes a second.
    pub(crate) fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, start: Instant::now(), paid_at: AtomicU64::new(0) }
    }

    /// Waits until `bytes` more may have been received.
    pub(crate) async fn pay(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let price = bytes as u128 * NANOSECONDS / u128::from(rate.get());
        let price = u64::try_from(price).unwrap_or(u64::MAX);
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let pay = |paid_at: u64| Some(paid_at.max(now).saturating_add(price));
        let before = self.paid_at.fetch_update(SeqCst, SeqCst, pay).unwrap_or(now);
        let paid_at = Duration::from_nanos(before.max(now).saturating_add(price));
        tokio::time::sleep_until(self.start + paid_at.saturating_sub(BURST)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_payers_share_one_rate() {
        let rate_limit = RateLimit::new(NonZeroU64::new(1000));
        let pay = || async {
            for _ in 0..25 {
                rate_limit.pay(100).await;
            }
        };
        join_all((0..4).map(|_| pay())).await;
        assert!((9..=10).contains(&rate_limit.start.elapsed().as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_waits() {
        let rate_limit = RateLimit::new(None);
        rate_limit.pay(usize::MAX).await;
        assert_eq!(rate_limit.start.elapsed(), Duration::ZERO);
    }
}

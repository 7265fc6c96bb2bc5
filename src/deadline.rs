//! When a run has to end.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// When a run has to end, whatever it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    /// So long after now; absent: later than a clock can tell.
    #[must_use]
    pub fn after(after: Duration) -> Option<Self> {
        Some(Self { at: Instant::now().checked_add(after)?, after })
    }

    /// How long was allowed.
    #[must_use]
    pub fn allowed(self) -> Duration {
        self.after
    }

    /// How long is left; nothing, once it is over.
    #[must_use]
    pub fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The same, with a while for what has to be said when it is over.
    #[must_use]
    pub fn and(self, more: Duration) -> Self {
        Self { at: self.at.checked_add(more).unwrap_or(self.at), ..self }
    }
}

/// Does `work` before the deadline, if there is one.
///
/// # Errors
/// The deadline, when it is over first; the work stops where it is.
pub async fn before<T>(
    deadline: Option<Deadline>,
    work: impl Future<Output = T>,
) -> Result<T, Deadline> {
    let Some(deadline) = deadline else { return Ok(work.await) };
    timeout_at(deadline.at, work).await.map_err(|_elapsed| deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_ends_at_the_deadline_and_never_without_one() {
        let sleep = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        let deadline = Deadline::after(Duration::from_secs(10));
        assert_eq!(before(deadline, sleep(9)).await, Ok(()));
        assert_eq!(before(deadline, sleep(9)).await, Err(deadline.unwrap()));
        assert_eq!(deadline.unwrap().left(), Duration::ZERO);
        let later = deadline.map(|it| it.and(Duration::from_secs(5)));
        assert_eq!(before(later, sleep(4)).await, Ok(()));
        assert_eq!(before(None, sleep(1_000_000)).await, Ok(()));
        assert_eq!(Deadline::after(Duration::MAX), None);
    }
}

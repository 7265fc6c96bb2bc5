//! How many connections may be open at the same time: as many as the user allows, fewer while the
//! store refuses, more again once it serves.
//!
//! The Hub's CDN answers 403 or 5xx to clients with very many ranges at once, not always to the
//! same ones, and says nowhere how many are too many. So the limit is found as TCP finds its
//! window: halved by a refusal, raised by one after a round without any.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The one limit that all files of all lanes share.
#[derive(Debug)]
pub(crate) struct Connections {
    slots: Semaphore,
    most: usize,
    /// Between 1 and `most`.
    limit: AtomicUsize,
    /// Slots that are given up as soon as they come back.
    owed: AtomicUsize,
    /// How often the limit was halved. A refusal of a connection from before the last halving says
    /// nothing new.
    halvings: AtomicUsize,
    /// Requests that were served since the limit last changed.
    served: AtomicUsize,
}

/// The right to one connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    connections: &'a Connections,
    halvings: usize,
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    /// At most `most` connections; at least one.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            slots: Semaphore::new(most),
            most,
            limit: AtomicUsize::new(most),
            owed: AtomicUsize::new(0),
            halvings: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
        }
    }

    /// The most that there ever are.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Waits for a slot, first come first served. Absent: they were closed, which they never are.
    pub(crate) async fn acquire(&self) -> Option<Slot<'_>> {
        loop {
            let permit = self.slots.acquire().await.ok()?;
            if !decrease(&self.owed) {
                return Some(Slot {
                    connections: self,
                    halvings: self.halvings.load(SeqCst),
                    _permit: permit,
                });
            }
            permit.forget();
        }
    }
}

impl Slot<'_> {
    /// The store refused this connection, and perhaps only because there are so many.
    pub(crate) fn refused(&self) {
        let connections = self.connections;
        let next = self.halvings.wrapping_add(1);
        if connections.halvings.compare_exchange(self.halvings, next, SeqCst, SeqCst).is_err() {
            return;
        }
        let limit = connections.limit.load(SeqCst);
        let halved = (limit / 2).max(1);
        connections.limit.store(halved, SeqCst);
        connections.served.store(0, SeqCst);
        connections.owed.fetch_add(limit - halved, SeqCst);
        if halved < limit {
            tracing::debug!(connections = halved, "the store refuses; fewer connections");
        }
    }

    /// The store served what was asked for.
    pub(crate) fn served(&self) {
        let connections = self.connections;
        let limit = connections.limit.load(SeqCst);
        if limit >= connections.most || connections.served.fetch_add(1, SeqCst) + 1 < limit {
            return;
        }
        connections.served.store(0, SeqCst);
        if connections.limit.compare_exchange(limit, limit + 1, SeqCst, SeqCst).is_ok()
            && !decrease(&connections.owed)
        {
            connections.slots.add_permits(1);
        }
    }
}

/// Takes one off, unless there is none.
fn decrease(count: &AtomicUsize) -> bool {
    count.fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// How many slots can be had at once.
    fn open(connections: &Connections) -> usize {
        let mut slots = Vec::new();
        while let Some(slot) = connections.acquire().now_or_never() {
            slots.push(slot);
        }
        slots.len()
    }

    #[test]
    fn a_burst_of_refusals_halves_once_and_service_raises_by_one() {
        let connections = Connections::new(8);
        let acquire = || connections.acquire().now_or_never().flatten().unwrap();
        let burst: Vec<_> = (0..5).map(|_| acquire()).collect();
        burst.iter().for_each(Slot::refused);
        drop(burst);
        assert_eq!(open(&connections), 4);
        for expected in [5, 6, 7, 8, 8] {
            (0..expected).for_each(|_| acquire().served());
            assert_eq!(open(&connections), expected);
        }
    }

    #[test]
    fn one_connection_is_always_left() {
        let connections = Connections::new(3);
        for _ in 0..4 {
            connections.acquire().now_or_never().flatten().unwrap().refused();
        }
        assert_eq!(open(&connections), 1);
        assert_eq!(open(&Connections::new(0)), 1);
    }
}

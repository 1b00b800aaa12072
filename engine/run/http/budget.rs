//! How much one host is asked: so many requests at once, so many begun a second, and none while it wants to be left alone.
//! Does not know what is asked.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// Enough to hide the latency of small blobs, few enough for the limits that registries set.
const CONNECTIONS: u32 = 12;

/// What one host bears.
pub struct Budget {
    permits: Semaphore,
    turns: Mutex<Turns>,
}

/// Who may begin when.
struct Turns {
    /// The time from one request to the next.
    interval: Duration,
    /// When the next request may begin.
    next: Instant,
    /// Until when the host wants no requests at all.
    quiet: Instant,
}

impl Budget {
    /// So many requests at once, and so many begun a second, if that is said.
    pub fn new(connections: Option<NonZeroU32>, rate: Option<NonZeroU32>) -> Budget {
        let permits = Semaphore::new(connections.map_or(CONNECTIONS, NonZeroU32::get) as usize);
        Budget { permits, turns: Mutex::new(Turns::new(rate, Instant::now())) }
    }

    /// One of those that are under way at once, from now until it is dropped.
    pub async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    /// Waits until a request may begin.
    pub async fn turn(&self) {
        let turn = self.turns().take(Instant::now());
        sleep_until(turn).await;
        loop {
            // Another request may have been turned away while this one waited.
            let quiet = self.turns().quiet_at(Instant::now());
            let Some(end) = quiet else { return };
            sleep_until(end).await;
        }
    }

    /// The host wants no requests for so long, whoever has heard it say so.
    pub fn keep_quiet(&self, wait: Duration) {
        self.turns().keep_quiet(Instant::now() + wait);
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn new(rate: Option<NonZeroU32>, now: Instant) -> Turns {
        let interval = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
        Turns { interval, next: now, quiet: now }
    }

    /// When whoever asks now may begin.
    fn take(&mut self, now: Instant) -> Instant {
        let turn = self.next.max(now);
        self.next = turn + self.interval;
        turn
    }

    /// Until when nobody may begin; none where anybody may.
    fn quiet_at(&self, now: Instant) -> Option<Instant> {
        (self.quiet > now).then_some(self.quiet)
    }

    fn keep_quiet(&mut self, end: Instant) {
        self.quiet = self.quiet.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of these requests begins, in milliseconds, where the host bears so many a second, and after the first of them
    /// wants to be left alone for `quiet` milliseconds.
    fn check(rate: Option<u32>, quiet: u64, requests: usize, expect: &[u128]) {
        let begin = Instant::now();
        let (mut now, mut turns) = (begin, Turns::new(rate.and_then(NonZeroU32::new), begin));
        let mut begun = Vec::new();
        for _ in 0..requests {
            now = turns.take(now);
            now = turns.quiet_at(now).unwrap_or(now);
            begun.push((now - begin).as_millis());
            if begun.len() == 1 {
                turns.keep_quiet(begin + Duration::from_millis(quiet));
            }
        }
        assert_eq!(begun, expect);
    }

    #[test]
    fn so_many_a_second() {
        check(None, 0, 3, &[0, 0, 0]);
        check(Some(2), 0, 4, &[0, 500, 1000, 1500]);
        check(Some(4), 0, 3, &[0, 250, 500]);
    }

    #[test]
    fn nobody_asks_who_wants_to_be_left_alone() {
        check(None, 700, 3, &[0, 700, 700]);
        check(Some(2), 700, 4, &[0, 700, 1000, 1500]);
    }
}

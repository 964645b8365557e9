//! The clock of the rig: estate time moves when the engine waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pointsman::{
    clock::SystemClock,
    domain::{Clock, Timestamp},
};

/// Estate time moves only when somebody asks how long to wait for it: ten times as far as they ask, so that a
/// run of minutes takes few looks.
pub struct Hand {
    base: Timestamp,
    wall: Timestamp,
    offset_millis: AtomicU64,
}

impl Hand {
    pub fn at(base: Timestamp) -> Self {
        Self { base, wall: SystemClock::default().wall(), offset_millis: AtomicU64::new(0) }
    }

    pub fn advance(&self, by: Duration) {
        self.offset_millis.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    /// Another clock that shows what this one shows.
    pub fn fork(&self) -> Self {
        let offset_millis = AtomicU64::new(self.offset_millis.load(Ordering::SeqCst));
        Self { base: self.base, wall: self.wall, offset_millis }
    }

    fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_millis.load(Ordering::SeqCst))
    }
}

/// The clock as the engine sees it: waiting moves it.
pub struct Moving(pub Arc<Hand>);
/// The clock as everything else sees it.
pub struct Watching(pub Arc<Hand>);

impl Clock for Moving {
    fn now(&self) -> Timestamp {
        self.0.base + self.0.offset()
    }
    fn wall(&self) -> Timestamp {
        self.0.wall + self.0.offset()
    }
    fn monotonic(&self) -> Duration {
        self.0.offset()
    }
    fn speed(&self) -> f64 {
        1.0
    }
    fn idle(&self, wall: Duration) -> Duration {
        self.0.advance(wall * 10);
        Duration::ZERO
    }
}

impl Clock for Watching {
    fn now(&self) -> Timestamp {
        self.0.base + self.0.offset()
    }
    fn wall(&self) -> Timestamp {
        self.0.wall + self.0.offset()
    }
    fn monotonic(&self) -> Duration {
        self.0.offset()
    }
    fn speed(&self) -> f64 {
        1.0
    }
}

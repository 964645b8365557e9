//! The one implementation of [`Clock`]: the only file that may ask the operating system for the time.
//!
//! Live, estate time is the wall clock. Against a simulator it is *anchored*: the simulator's answers carry its
//! time and speed (`x-pointsman-sim`), and between answers it is extrapolated.

#![allow(clippy::disallowed_methods)] // the ban's one exception: see clippy.toml

use std::{
    sync::RwLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::domain::{Clock, Timestamp};

/// A moment of estate time pinned to a moment of monotonic time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    pub at: Duration,
    pub estate: Timestamp,
    pub speed: f64,
}

#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    anchor: RwLock<Option<Anchor>>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now(), anchor: RwLock::new(None) }
    }
}

impl SystemClock {
    /// Estate time is a simulator's from now on.
    pub fn anchor(&self, estate: Timestamp, speed: f64) {
        let anchor = Anchor { at: self.monotonic(), estate, speed };
        *self.anchor.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(anchor);
    }

    fn anchored(&self) -> Option<Anchor> {
        *self.anchor.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match self.anchored() {
            None => self.wall(),
            Some(anchor) => anchor.estate + self.monotonic().saturating_sub(anchor.at).mul_f64(anchor.speed.max(0.0)),
        }
    }

    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn speed(&self) -> f64 {
        self.anchored().map_or(1.0, |anchor| anchor.speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchored_clock_runs_at_the_simulators_speed_and_a_still_one_stands() {
        let clock = SystemClock::default();
        let t = Timestamp::from_secs(1_000_000);
        clock.anchor(t, 0.0);
        assert_eq!(clock.now(), t);
        assert_eq!(clock.wall_duration(Duration::from_secs(3)), Duration::from_secs(3));
        clock.anchor(t, 30.0);
        assert!(clock.now() >= t);
        assert_eq!(clock.wall_duration(Duration::from_secs(30)), Duration::from_secs(1));
    }
}

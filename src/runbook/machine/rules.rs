//! How long the machine waits for what, and the two clocks that it is told of.
//!
//! Must never: ask a clock itself. Where to look next: `domain::time` for the words of durations.

use std::time::Duration;

use crate::domain::Timestamp;

/// How long the machine waits for what. The values of [`Rules::default`] are the product's.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Estate time between two looks at something that takes its time.
    pub poll: Duration,
    /// Wall time from the declaration in which the run must start.
    pub start_within: Duration,
    /// Wall time without a word of a person after which nothing new is begun.
    pub silence_max: Duration,
    /// Wall time between reading the guards' facts and acting on them.
    pub facts_age_max: Duration,
    /// Times that guards are read again because preparing took longer than that.
    pub rereads_max: u32,
    /// Looks that must agree, over [`Self::settle`] of estate time, before "nothing happened" is believed.
    pub settle_reads: u32,
    pub settle: Duration,
    /// Estate time without a readable answer after which a person is asked what became of a call.
    pub doubt_max: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(3),
            start_within: Duration::from_mins(2),
            silence_max: Duration::from_mins(15),
            facts_age_max: Duration::from_secs(2),
            rereads_max: 5,
            settle_reads: 3,
            settle: Duration::from_secs(20),
            doubt_max: Duration::from_mins(2),
        }
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub estate: Timestamp,
    pub monotonic: Duration,
    pub pace: Pace,
}

/// Estate seconds per second on the wall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    Runs(f64),
    /// Waits are then measured on the wall, so that none is for ever.
    Still,
}

impl Moment {
    /// Estate time since `earlier`, or wall time where estate time stands still.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        match self.pace {
            Pace::Runs(_) => self.estate.since(earlier.estate),
            Pace::Still => self.monotonic.saturating_sub(earlier.monotonic),
        }
    }

    /// On the wall.
    pub(super) fn wall(&self, estate: Duration) -> Duration {
        match self.pace {
            Pace::Runs(speed) => estate.div_f64(speed.max(f64::MIN_POSITIVE)),
            Pace::Still => estate,
        }
    }
}

//! What time it is, as a question that the pure centre never asks by itself.
//!
//! Two clocks (DESIGN section 9): *estate time* rules data, ages, schedules, polling and step time-outs; it
//! runs faster than the wall when the estate is simulated. *Monotonic time* rules HTTP time-outs, arming,
//! typing and frames. Wall time is only written down, and decides nothing.
//! The one implementation is `crate::clock`; everything else takes a `&dyn Clock` or a [`Timestamp`].

use std::time::Duration;

use super::time::Timestamp;

pub trait Clock: Send + Sync {
    /// Estate time now: the wall clock when live, the simulator's clock when simulated.
    fn now(&self) -> Timestamp;
    /// Wall time, for records read by people.
    fn wall(&self) -> Timestamp;
    /// Time since the program started; never goes back.
    fn monotonic(&self) -> Duration;
    /// Estate seconds per wall second: 1 when live, 0 when the simulator stands still.
    fn speed(&self) -> f64;

    /// How long to wait on the wall for `estate` to pass. A still clock is treated as running at speed 1, so
    /// that nothing waits for ever.
    fn wall_duration(&self, estate: Duration) -> Duration {
        let speed = self.speed();
        if speed <= 0.0 { estate } else { estate.div_f64(speed) }
    }

    /// How long to sleep when nothing is to be done for `wall`: all of it. A clock that is moved by hand moves on
    /// instead, so that a test waits for nothing.
    fn idle(&self, wall: Duration) -> Duration {
        wall
    }
}

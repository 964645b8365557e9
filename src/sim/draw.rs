//! Durations and ids that repeat: a draw depends on the seed and on what it is for, never on what was drawn before,
//! so that asking one more question does not change the answer to another. The noise itself is [`super::noise`].

use std::time::Duration;

use super::noise;

/// In 0..1, the same for `what` whenever it is asked for.
#[must_use]
pub fn fraction(seed: u64, what: &str) -> f64 {
    noise::unit(seed, &[what], 0)
}

/// A number for `what`.
#[must_use]
pub fn number(seed: u64, what: &str) -> u64 {
    noise::hash(seed, &[what], 0)
}

/// Between two durations, to the millisecond.
#[must_use]
pub fn between(seed: u64, what: &str, low: Duration, high: Duration) -> Duration {
    let spread = high.saturating_sub(low).mul_f64(fraction(seed, what));
    Duration::from_millis(u64::try_from((low + spread).as_millis()).unwrap_or(u64::MAX))
}

/// Letters and digits as in the ids of Route 53 and IAM.
#[must_use]
pub fn token(seed: u64, what: &str, letters: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(number(seed, what));
    (0..letters).map(|_| if rng.u8(..3) == 0 { rng.digit(10) } else { rng.uppercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_repeats_for_the_same_thing_and_differs_for_another() {
        assert_eq!(number(7, "a"), number(7, "a"));
        assert_ne!(number(7, "a"), number(7, "b"));
        assert_ne!(number(7, "a"), number(8, "a"));
        assert_eq!(token(1, "zone", 13).len(), 13);
    }
}

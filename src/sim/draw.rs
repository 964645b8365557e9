//! Randomness that repeats: a draw depends on the seed and on what it is for, never on what was drawn before,
//! so that asking one more question does not change the answer to another.

use std::time::Duration;

/// A number for `what`, the same whenever it is asked for.
#[must_use]
pub fn number(seed: u64, what: &str) -> u64 {
    // FNV-1a over the text gives each thing its own generator.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
    for byte in what.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    fastrand::Rng::with_seed(hash).u64(..)
}

/// In 0..1.
#[must_use]
pub fn fraction(seed: u64, what: &str) -> f64 {
    (number(seed, what) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Between two durations, to the millisecond.
#[must_use]
pub fn between(seed: u64, what: &str, low: Duration, high: Duration) -> Duration {
    let spread = high.saturating_sub(low).mul_f64(fraction(seed, what));
    Duration::from_millis(u64::try_from((low + spread).as_millis()).unwrap_or(u64::MAX))
}

/// Shaped like the request ids of AWS: `8-4-4-4-12` hexadecimal digits.
#[must_use]
pub fn request_id(seed: u64, seq: u64) -> String {
    let (a, b) = (number(seed, &format!("request {seq}")), number(seed, &format!("request {seq} tail")));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

/// Letters and digits as in the ids of Route 53.
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

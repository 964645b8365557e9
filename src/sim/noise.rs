//! Noise that repeats: the same seed, names and moment give the same number, whoever asks and in whatever order.
//!
//! FNV-1a with a finishing mix; not for anything that must not be guessed.

/// Hash of a seed, names and a number.
#[must_use]
pub fn hash(seed: u64, names: &[&str], number: i64) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ mix(seed);
    for name in names {
        for byte in name.bytes().chain(std::iter::once(0xFF)) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(state ^ mix(number.cast_unsigned()))
}

/// As [`hash`], as a fraction `0.0..1.0`.
#[must_use]
pub fn unit(seed: u64, names: &[&str], number: i64) -> f64 {
    (hash(seed, names, number) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number between `from` and `to`.
#[must_use]
pub fn between(from: f64, to: f64, seed: u64, names: &[&str], number: i64) -> f64 {
    from + (to - from) * unit(seed, names, number)
}

/// A UUID made of a hash: random in shape, the same every time.
#[must_use]
pub fn uuid(seed: u64, names: &[&str], number: i64) -> String {
    let (high, low) = (hash(seed, names, number), mix(hash(seed ^ 0x55, names, number)));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFF,
        low >> 48 & 0x3FFF | 0x8000,
        low & 0xFFFF_FFFF_FFFF
    )
}

/// The finishing mix of splitmix64.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_repeats_and_differs_by_seed_name_and_moment() {
        assert_eq!(hash(1, &["a", "b"], 5), hash(1, &["a", "b"], 5));
        assert_ne!(hash(1, &["a", "b"], 5), hash(1, &["ab"], 5));
        assert_ne!(hash(1, &["a", "b"], 5), hash(2, &["a", "b"], 5));
        assert_ne!(hash(1, &["a", "b"], 5), hash(1, &["a", "b"], 6));
        let mean = (0..1000).map(|n| unit(3, &["m"], n)).sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert_eq!(uuid(1, &["x"], 1).len(), 36);
    }
}

//! The engine under random estates, faults, people and crashes; and engines broken on purpose, which must be caught.
//!
//! A failure prints its seed; `cargo run --release --example soak -- --seed N --trace` lives it again.

mod soak_kit;

use soak_kit::{broken::Plant, soak};

/// Seeds of the honest engine here; the example takes thousands.
const SEEDS: u64 = 200;

/// A broken engine is caught within so many.
const CAUGHT_WITHIN: u64 = 60;

#[test]
fn the_engine_keeps_every_law_in_every_world() {
    let (mut calls, mut takeovers) = (0, 0);
    for seed in 0..SEEDS {
        match soak(seed, Plant::Honest) {
            Ok(tally) => {
                calls += tally.calls;
                takeovers += tally.drivers - tally.runs;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(calls > SEEDS && takeovers > SEEDS, "the soak did something: {calls} calls, {takeovers} take-overs");
}

#[test]
fn every_broken_engine_is_caught() {
    let missed: Vec<Plant> =
        Plant::BROKEN.into_iter().filter(|plant| (0..CAUGHT_WITHIN).all(|seed| soak(seed, *plant).is_ok())).collect();
    assert!(missed.is_empty(), "not caught within {CAUGHT_WITHIN} seeds: {missed:?}");
}

#[test]
fn a_seed_is_the_same_world_every_time() {
    let told = |seed| match soak(seed, Plant::UnclearIsNotDone) {
        Ok(tally) => format!("{tally:?}"),
        Err(failure) => failure.to_string(),
    };
    for seed in 0..12 {
        assert_eq!(told(seed), told(seed), "seed {seed}");
    }
}

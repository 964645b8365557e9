//! Laws of the pure half of a run: what may follow what, what is asked, what voids a confirmation.
//!
//! Here is what they share; each file is one subject. Where to look next: `tests/exhaustive.rs`, which tries every
//! order of events.

mod answers;
mod clocks;
mod estimate;
mod foreign;
mod guards;
mod interlocks;
mod machine;
mod records;
mod tape;
mod voided;
mod world;

pub(super) use self::tape::frozen;

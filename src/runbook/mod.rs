//! Runbooks, purely: file -> [`spec::RunbookSpec`] -> [`plan::Plan`] -> journal events -> [`run::RunState`] ->
//! what to do next.
//!
//! Nothing here does I/O, is async or knows AWS: step kinds come as data, facts as a snapshot, time as an
//! argument. The engine drives; this module decides.

pub mod bind;
pub mod build;
pub mod clocks;
pub mod decide;
pub mod estimate;
pub mod event;
pub mod finding;
pub mod fold;
pub mod foreign;
pub mod guards;
pub mod guards_estate;
pub mod interlock;
pub mod machine;
pub mod moved;
pub mod plan;
pub mod run;
pub mod signal;
mod signal_data;
pub mod spec;
pub mod summary;
pub mod switching;
pub mod turn;
pub mod wave;

#[cfg(test)]
mod tests;

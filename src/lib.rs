//! pointsman: a terminal console for disaster recovery between two AWS Regions.
//!
//! `src/README.md` is the map: where everything is, and what must never be.

pub mod aws;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod compose;
pub mod domain;
pub mod engine;
pub mod estate;
pub mod keymap;
pub mod outside;
pub mod probes;
pub mod report;
pub mod runbook;
pub mod sim;
pub mod steps;
pub mod theme;
pub mod tui;

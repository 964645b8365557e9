//! One file per kind of runbook step: what the file may say of it, what it calls, how its outcome is seen.
//!
//! A new kind is one file with a `SPEC` and one line in [`CATALOGUE`]; the runbook parser, the docs and the plan
//! pick it up from there.

use crate::runbook::spec::StepKindSpec;

pub mod aurora_failover_global;
pub mod aurora_keep_unplanned_snapshot;
pub mod aurora_switchover_global;
pub mod check;
pub mod confirm;
pub mod route53_shift;
pub mod wait_for;

/// Every kind that a runbook may name: those that read first.
pub const CATALOGUE: &[&StepKindSpec] = &[
    &check::SPEC,
    &wait_for::SPEC,
    &confirm::SPEC,
    &aurora_failover_global::SPEC,
    &aurora_switchover_global::SPEC,
    &aurora_keep_unplanned_snapshot::SPEC,
    &route53_shift::SPEC,
];

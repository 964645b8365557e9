//! Keeps the snapshot that Aurora leaves of the old volume after an unplanned failover: it holds the writes that
//! were lost, and goes with the old cluster's backup retention (field guide 2.6).
//!
//! It lies in the *old* Region. A runbook that must run while that Region is gone says `skip_if_unreachable`,
//! and the way home does it first.

use std::time::Duration;

use crate::{
    domain::{
        Hazard,
        kind::{ParamShape, ParamSpec},
    },
    runbook::spec::{Mutating, StepKindSpec, StepParamSpec},
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.keep-unplanned-snapshot",
    title: "keep the unplanned-failover snapshot",
    hazard: Hazard::Reversible,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "skip_if_unreachable",
            shape: ParamShape::Flag,
            required: false,
            doc: "While the old Region does not answer the step is skipped, on record as an exception.",
        }),
    ],
    undo: "delete the copied snapshot by hand",
    mutating: Mutating::Yes,
    default_timeout: Duration::from_secs(900),
    default_expect: Duration::from_secs(30),
};

//! Waits until all of the signals hold at once; fails when the time-out passes first.

use std::time::Duration;

use crate::{
    domain::Hazard,
    runbook::spec::{Mutating, StepKindSpec, StepParamSpec},
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "wait-for",
    title: "wait for",
    hazard: Hazard::None,
    params: &[StepParamSpec::Signals { name: "signals", required: true }],
    undo: "nothing to undo: it reads only",
    mutating: Mutating::No,
    default_timeout: Duration::from_secs(600),
    default_expect: Duration::from_secs(60),
};

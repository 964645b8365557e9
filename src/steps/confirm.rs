//! A checklist that a person goes through; nothing is read and nothing is called.

use std::time::Duration;

use crate::{
    domain::Hazard,
    runbook::spec::{Mutating, StepKindSpec, StepParamSpec},
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "confirm",
    title: "confirm",
    hazard: Hazard::None,
    params: &[StepParamSpec::Texts { name: "items", required: true }],
    undo: "nothing to undo: a person says so",
    mutating: Mutating::No,
    default_timeout: Duration::from_secs(900),
    default_expect: Duration::from_secs(30),
};

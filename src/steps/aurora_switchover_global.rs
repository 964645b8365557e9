//! Moves the writer of an Aurora global database without losing data; both Regions must be well.
//!
//! Called in the Region of the current primary (field guide 2.6). No idempotency token exists: in doubt the
//! topology is read, the call is never repeated.

use std::time::Duration;

use crate::{
    domain::{
        Hazard,
        kind::{ParamShape, ParamSpec},
    },
    runbook::spec::{Mutating, StepKindSpec, StepParamSpec},
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.switchover-global",
    title: "Aurora global switchover",
    hazard: Hazard::Disruptive,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "target",
            shape: ParamShape::Side,
            required: true,
            doc: "The side that becomes the writer.",
        }),
    ],
    undo: "a switchover to the other side",
    mutating: Mutating::Yes,
    default_timeout: Duration::from_secs(1_200),
    default_expect: Duration::from_secs(120),
};

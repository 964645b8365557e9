//! Promotes the secondary cluster of an Aurora global database although the primary may still hold newer data.
//!
//! Called in the Region of the chosen secondary, so that it works while the primary Region is gone (field guide
//! 2.6). No idempotency token exists: in doubt the topology is read, the call is never repeated.

use std::time::Duration;

use crate::{
    domain::{
        Hazard,
        kind::{ParamShape, ParamSpec},
    },
    runbook::spec::{Mutating, StepKindSpec, StepParamSpec},
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.failover-global",
    title: "Aurora global failover",
    hazard: Hazard::DataLoss,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "target",
            shape: ParamShape::Side,
            required: true,
            doc: "The side that is promoted.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "allow_data_loss",
            shape: ParamShape::Flag,
            required: true,
            doc: "Must be true: without it AWS makes a switchover of it.",
        }),
    ],
    undo: "none: the way back is a failback",
    mutating: Mutating::Yes,
    default_timeout: Duration::from_secs(600),
    default_expect: Duration::from_secs(60),
};
